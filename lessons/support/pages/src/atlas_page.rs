//! The atlas as it stands in the book: the table of all, the page of each chapter, and the list in the chapter itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lab::{errno_number, errno_words};

use crate::atlas::{Atlas, Cause, Counts, Need, Shown, Standing, calls_in_order};
use crate::code;
use crate::html::{escape, typographic};
use crate::trace;

/// Where the book has what the atlas leads to, seen from the page that is being made.
pub(crate) struct Links<'a> {
    /// What the book says of an errno: its entry among the errnos.
    pub errno: &'a dyn Fn(&str) -> Option<String>,
    /// The page with all causes of a lesson.
    pub lesson: &'a dyn Fn(&str) -> Option<String>,
    /// The page with the table.
    pub table: Option<String>,
}

impl Links<'_> {
    /// An errno, or one cause, on the page of its lesson; the name alone where there is none.
    fn to(&self, lesson: &str, anchor: &str, text: &str) -> String {
        match (self.lesson)(lesson) {
            Some(page) => format!("<a href=\"{}#{}\">{text}</a>", escape(&page), escape(anchor)),
            None => text.to_string(),
        }
    }
}

/// The source of a lesson's provocations: which functions there are, and in which order they are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    files: Vec<(PathBuf, String)>,
}

impl Source {
    /// Files and their texts, in order.
    pub fn new(files: Vec<(PathBuf, String)>) -> Source {
        Source { files }
    }

    /// Where a provocation is described; those that are not come last.
    pub fn position(&self, name: &str) -> (usize, usize) {
        let begin = format!("name: \"{name}\"");
        let place = |(index, (_, text)): (usize, &(PathBuf, String))| Some((index, text.find(&begin)?));
        self.files.iter().enumerate().find_map(place).unwrap_or((usize::MAX, usize::MAX))
    }

    /// The function of a provocation: that of its own name, or the one that its `play` names.
    fn function(&self, name: &str) -> Option<(&Path, String)> {
        let own = name.replace('-', "_");
        self.take(&own).or_else(|| {
            let (file, at) = self.position(name);
            let (_, text) = self.files.get(file)?;
            let (_, rest) = text[at..].split_once("play: ")?;
            self.take(rest.split(',').next()?.rsplit("::").next()?.trim())
        })
    }

    /// A function: its file, and its code as a block of Markdown.
    fn take(&self, function: &str) -> Option<(&Path, String)> {
        // To look into a file item by item takes long, so only where it is worth it.
        let line = format!("fn {function}(");
        let take = |(file, text): &'_ (PathBuf, String)| code::take(file, text, Some(function)).ok();
        let (file, code) =
            self.files.iter().filter(|(_, text)| text.contains(&line)).find_map(|file| Some((file, take(file)?)))?;
        Some((&file.0, code.block()))
    }
}

/// Causes by errno, in the order in which they come.
fn by_errno<'a>(causes: impl IntoIterator<Item = &'a Cause>) -> Vec<(&'a str, Vec<&'a Cause>)> {
    let mut groups: Vec<(&str, Vec<&Cause>)> = Vec::new();
    for cause in causes {
        match groups.iter_mut().find(|(errno, _)| *errno == cause.entry.errno) {
            Some((_, group)) => group.push(cause),
            None => groups.push((&cause.entry.errno, vec![cause])),
        }
    }
    groups
}

/// The calls of some causes, by what documents and kernel say of each; only the calls that have one.
fn by_standing<'a>(causes: &[&'a Cause], calls: &[&'a str]) -> BTreeMap<Standing, Vec<&'a str>> {
    let mut standings: BTreeMap<Standing, Vec<&str>> = BTreeMap::new();
    for call in calls {
        let own: Vec<_> = causes.iter().filter(|cause| cause.calls().any(|one| one == *call)).collect();
        if !own.is_empty() {
            standings.entry(Standing::of(own.iter().map(|cause| &cause.entry))).or_default().push(call);
        }
    }
    standings
}

fn code_list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("<code>{}</code>", escape(name))).collect();
    names.join(", ")
}

fn text(words: &str) -> String {
    escape(&typographic(words))
}

/// What stands where nothing has been recorded yet.
fn nothing(of: &str) -> String {
    format!("<p class=\"remark\">Nothing is recorded of {of} yet.</p>\n")
}

/// How many pairs of a call and an errno there are, and how each is shown: a paragraph. Of one call they are just errnos.
pub(crate) fn counts(counts: &Counts, one_call: bool) -> String {
    let Counts { pairs, live, elsewhere, never, causes, .. } = counts;
    let causes = counted(*causes, "cause");
    let (pairs, of) = match one_call {
        true => (counted(*pairs, "errno"), "of them"),
        false => (format!("{} of a call and an errno", counted(*pairs, "pair")), "of the pairs"),
    };
    let mut page = format!(
        "<p class=\"counts\"><strong>{pairs}</strong>, with {causes} in all. <strong>{live}</strong> {of} are provoked live"
    );
    if *elsewhere > 0 {
        page += &format!(
            "; <strong>{elsewhere}</strong> a kernel gives only where the whole machine would feel it, or elsewhere, so they are injected"
        );
    }
    if *never > 0 {
        page += &format!(
            "; <strong>{never}</strong> stand in documents and are never given (where a system call should give them, they \
             are injected, to show what a program would see)"
        );
    }
    page + ".</p>\n"
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// All causes of a lesson: Markdown, with a heading for each errno and each cause. `folder` is where the recordings lie,
/// seen from the page.
pub(crate) fn lesson(atlas: &Atlas, lesson: &str, source: &Source, folder: &str, links: &Links) -> String {
    let causes: Vec<&Cause> = atlas.lesson(lesson).collect();
    if causes.is_empty() {
        return nothing(lesson);
    }
    let calls = calls_in_order(causes.iter().copied());
    let mut page = counts(&Counts::of(causes.iter().map(|cause| &cause.entry)), calls.len() == 1);
    for (errno, causes) in by_errno(causes) {
        page += &format!("\n## {errno} {{#{errno}}}\n\n{}", about(errno, &causes, &calls, links));
        for cause in causes {
            page += &one(cause, source, folder, calls.len() > 1);
        }
    }
    page
}

/// The line below an errno's heading: words, number, standing, and where more stands.
fn about(errno: &str, causes: &[&Cause], calls: &[&str], links: &Links) -> String {
    let words = errno_words(errno).map(|words| format!("“{}”", escape(&words)));
    let number = errno_number(errno).map(|number| format!("number {number}"));
    let standings = by_standing(causes, calls);
    let standing: Vec<String> = standings
        .iter()
        .map(|(standing, of)| match standings.len() {
            1 => format!("<strong>{}</strong>", standing.words()),
            _ => format!("<strong>{}</strong> of {}", standing.words(), code_list(of)),
        })
        .collect();
    let facts: Vec<String> = words.into_iter().chain(number).chain([standing.join("; ")]).collect();
    let elsewhere = [
        ((links.errno)(errno), "among the errnos of this book"),
        (links.table.as_ref().map(|table| format!("{table}#{errno}")), "in the atlas"),
    ];
    let elsewhere: Vec<String> = elsewhere
        .into_iter()
        .filter_map(|(link, words)| Some(format!("<a href=\"{}\">{words}</a>", escape(&link?))))
        .collect();
    let see = if elsewhere.is_empty() { String::new() } else { format!(" See it {}.", elsewhere.join(" and ")) };
    format!("<p class=\"about\">{}.{see}</p>\n", facts.join(", "))
}

/// One cause: a box with a heading.
fn one(cause: &Cause, source: &Source, folder: &str, several_calls: bool) -> String {
    let Cause { recording, entry } = cause;
    let (id, name) = (cause.id(), &recording.experiment);
    let mut page = format!(
        "<section class=\"trace cause\" id=\"{id}\" aria-label=\"{}: {name}\">\n\n### {name}\n\n<p>{}</p>\n\
         <p><b>Cure:</b> {}</p>\n",
        entry.errno,
        text(&recording.shows),
        text(&recording.notice)
    );
    let documents = match entry.documented.as_slice() {
        [] => "none says so".to_string(),
        some => escape(&some.join(", ")),
    };
    let needs: Vec<&str> = Need::of(entry).into_iter().map(Need::words).collect();
    let mut facts = Vec::new();
    if several_calls {
        let calls: Vec<&str> = cause.calls().collect();
        facts.push((if calls.len() == 1 { "Call" } else { "Calls" }, code_list(&calls)));
    }
    facts.push(("Documents", documents));
    if entry.injected.is_none() {
        facts.push(("It takes", needs.join(", ")));
    }
    let facts: String = facts.iter().map(|(what, is)| format!("<div><dt>{what}</dt><dd>{is}</dd></div>\n")).collect();
    page += &format!("<dl class=\"facts\">\n{facts}</dl>\n");
    if !entry.remark.is_empty() {
        page += &format!("<p class=\"disagree\"><b>Documents and kernel:</b> {}</p>\n", text(&entry.remark));
    }
    if let Some((begin, rest)) = entry.instead() {
        page += &format!("<p class=\"injected\"><b>{begin}</b>{}</p>\n", text(&rest));
    }
    page +=
        &format!("<pre><code class=\"language-sh\">cargo run -p lesson-{} -- {name}</code></pre>\n", recording.lesson);
    page += &trace::evidence(recording, entry);
    if let Some((file, code)) = source.function(name) {
        page += &format!(
            "<details><summary>The code</summary>\n\n{code}\n\n<p class=\"file\">From <code>{}</code></p>\n\
             </details>\n",
            escape(&file.display().to_string())
        );
    }
    page += &format!(
        "<p class=\"source\">{} <a href=\"{}/{name}.json\">The recording</a></p>\n</section>\n",
        trace::source(recording),
        escape(folder.trim_end_matches('/'))
    );
    page
}

/// The errnos of a lesson, in a few lines: by what documents and kernel say of them.
pub(crate) fn list(atlas: &Atlas, lesson: &str, links: &Links) -> String {
    let causes: Vec<&Cause> = atlas.lesson(lesson).collect();
    if causes.is_empty() {
        return nothing(lesson);
    }
    let calls = calls_in_order(causes.iter().copied());
    let mut lines: BTreeMap<Standing, Vec<String>> = BTreeMap::new();
    for (errno, causes) in by_errno(causes.iter().copied()) {
        let standings = by_standing(&causes, &calls);
        let all: usize = standings.values().map(Vec::len).sum();
        for (standing, of) in standings {
            let link = links.to(lesson, errno, &format!("<code>{errno}</code>"));
            let only =
                if of.len() < calls.len() || of.len() < all { format!(" ({})", code_list(&of)) } else { String::new() };
            lines.entry(standing).or_default().push(link + &only);
        }
    }
    let mut page = "<dl class=\"standings\">\n".to_string();
    for (standing, errnos) in lines {
        page += &format!("<dt>{}</dt>\n<dd>{}</dd>\n", capital(standing.words()), errnos.join(", "));
    }
    page += "</dl>\n";
    page + &counts(&Counts::of(causes.iter().map(|cause| &cause.entry)), calls.len() == 1)
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Where documents and kernel disagree: all remarks, by lesson, each with what was seen.
pub(crate) fn remarks(atlas: &Atlas, links: &Links) -> String {
    let mut page = String::new();
    let mut lesson = "";
    for cause in atlas.causes.iter().filter(|cause| !cause.entry.remark.is_empty()) {
        let Cause { recording, entry } = cause;
        if recording.lesson != lesson {
            if !lesson.is_empty() {
                page += "</ul>\n";
            }
            lesson = &recording.lesson;
            page += &format!("\n### {lesson} {{#disagree-{lesson}}}\n\n<ul class=\"remarks\">\n");
        }
        let calls: Vec<&str> = cause.calls().collect();
        let what = links.to(lesson, &cause.id(), &format!("<code>{}</code>", escape(&entry.errno)));
        page += &format!("<li>{what} from {}: {}", code_list(&calls), text(&entry.remark));
        if entry.injected.is_none()
            && let Some(seen) = trace::decisive(recording, entry)
        {
            page += &format!(" <samp>{}</samp>", escape(&seen));
        }
        page += "</li>\n";
    }
    if page.is_empty() { nothing("the atlas") } else { page + "</ul>\n" }
}

/// The table of all errnos and all calls, with what it can be filtered by.
pub(crate) fn table(atlas: &Atlas, title: &str, links: &Links) -> String {
    if atlas.causes.is_empty() {
        return nothing("the atlas");
    }
    // Lesson by lesson, in the book's order.
    let mut lessons: Vec<&str> = atlas.causes.iter().map(|cause| cause.recording.lesson.as_str()).collect();
    lessons.dedup();
    let calls: Vec<&str> = lessons.iter().flat_map(|lesson| calls_in_order(atlas.lesson(lesson))).collect();
    let errnos: BTreeSet<(bool, &str)> =
        atlas.causes.iter().map(|cause| (cause.entry.errno.starts_with("EAI_"), cause.entry.errno.as_str())).collect();
    let needs: BTreeSet<Need> = atlas.causes.iter().flat_map(|cause| Need::of(&cause.entry)).collect();
    let needs: Vec<Need> = needs.into_iter().collect();

    let mut page = "<div class=\"atlas\">\n".to_string();
    page += &choice("atlas-call", "Call", "all", calls.iter().map(|call| (call.to_string(), call.to_string())));
    page += &choice(
        "atlas-need",
        "What it takes",
        "whatever",
        needs.iter().map(|need| (need.key().to_string(), need.words().to_string())),
    );
    page += &format!("<style>{}</style>\n", filters(calls.len(), &needs));
    page += "<p class=\"key\"><b>D</b> documented · <b>U</b> undocumented · <b>N</b> documented, but never given · \
             a number: so many causes · (in brackets): the kernel gives it, but not here</p>\n";
    page += &format!(
        "<div class=\"wide\" role=\"region\" aria-labelledby=\"atlas-caption\" tabindex=\"0\">\n<table>\n\
         <caption id=\"atlas-caption\">{title}</caption>\n<thead><tr><th scope=\"col\">errno</th>"
    );
    for call in &calls {
        let lesson =
            lessons.iter().find(|lesson| atlas.lesson(lesson).any(|cause| cause.calls().any(|one| one == *call)));
        let link = lesson.and_then(|lesson| (links.lesson)(lesson));
        let name = format!("<code>{}</code>", escape(call));
        let name = link.map_or(name.clone(), |link| format!("<a href=\"{}\">{name}</a>", escape(&link)));
        page += &format!("<th scope=\"col\">{name}</th>");
    }
    page += "</tr></thead>\n<tbody>\n";
    for (_, errno) in errnos {
        page += &format!("<tr id=\"{errno}\"><th scope=\"row\">{}</th>", row_name(errno, links));
        for call in &calls {
            let causes: Vec<&Cause> =
                atlas.errno(errno).filter(|cause| cause.calls().any(|one| one == *call)).collect();
            page += &cell(&causes, links);
        }
        page += "</tr>\n";
    }
    page += "</tbody>\n</table>\n</div>\n</div>\n";
    page
}

fn row_name(errno: &str, links: &Links) -> String {
    let name = match (links.errno)(errno) {
        Some(link) => format!("<a href=\"{}\"><code>{errno}</code></a>", escape(&link)),
        None => format!("<code>{errno}</code>"),
    };
    match errno_words(errno) {
        Some(words) => format!("{name} <small>{}</small>", escape(&words)),
        None => name,
    }
}

/// What the table says of one call and one errno.
fn cell(causes: &[&Cause], links: &Links) -> String {
    let Some(first) = causes.first() else { return "<td></td>".to_string() };
    let standing = Standing::of(causes.iter().map(|cause| &cause.entry));
    let needs: BTreeSet<Need> = causes.iter().flat_map(|cause| Need::of(&cause.entry)).collect();
    let needs: Vec<&str> = needs.into_iter().map(Need::key).collect();
    let letter = match standing {
        Standing::Documented => "D",
        Standing::Undocumented => "U",
        Standing::Never => "N",
    };
    let best = causes.iter().map(|cause| Shown::of(&cause.entry)).min();
    let (mut sign, mut words) = (letter.to_string(), standing.words().to_string());
    if best == Some(Shown::Elsewhere) {
        (sign, words) = (format!("({letter})"), format!("{words}, injected here"));
    }
    if causes.len() > 1 {
        sign += &format!("<small>{}</small>", causes.len());
        words += &format!(", {} causes", causes.len());
    }
    let inside = format!("<span aria-hidden=\"true\">{sign}</span><span class=\"vh\">{words}</span>");
    format!(
        "<td class=\"{}\" data-needs=\"{}\">{}</td>",
        letter.to_ascii_lowercase(),
        needs.join(" "),
        links.to(&first.recording.lesson, &first.entry.errno, &inside)
    )
}

/// A group of radio buttons, with all at first.
fn choice(name: &str, legend: &str, all: &str, values: impl Iterator<Item = (String, String)>) -> String {
    let mut page = format!(
        "<fieldset><legend>{legend}</legend>\n<label><input type=\"radio\" name=\"{name}\" value=\"\" checked> {all}</label>\n"
    );
    for (value, words) in values {
        page += &format!(
            "<label><input type=\"radio\" name=\"{name}\" value=\"{}\"> {}</label>\n",
            escape(&value),
            escape(&words)
        );
    }
    page + "</fieldset>\n"
}

/// What the choices hide, where the browser knows `:has()`; elsewhere, and on paper, everything is shown.
fn filters(calls: usize, needs: &[Need]) -> String {
    let call = |column: usize| format!(".atlas:has(fieldset:first-of-type label:nth-of-type({column}) :checked)");
    let need = |need: &Need| format!(".atlas:has([name=atlas-need][value={}]:checked)", need.key());
    let mut rules = String::new();
    // The first column is the errno's, and the first label is that for all.
    for column in 2..calls + 2 {
        let call = call(column);
        rules += &format!(
            "{call} tr>:nth-child(n+2):not(:nth-child({column})),{call} tbody tr:not(:has(>:nth-child({column})>a)){{display:none}}"
        );
        for one in needs {
            let need = need(one);
            rules += &format!(
                "{call}{} tbody tr:not(:has(>:nth-child({column})[data-needs~={}])){{display:none}}",
                need.trim_start_matches(".atlas"),
                one.key()
            );
        }
    }
    for one in needs {
        let (need, key) = (need(one), one.key());
        rules += &format!(
            "{need} tbody tr:not(:has([data-needs~={key}])){{display:none}}{need} td:not([data-needs~={key}])>a{{visibility:hidden}}"
        );
    }
    format!("@media screen{{{rules}}}")
}

/// The files that hold a lesson's provocations, relative to the project: `errnos.rs`, or what is below `errnos/`.
pub(crate) fn source_files(lesson: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new("lessons").join(lesson).join("src");
    (folder.join("errnos.rs"), folder.join("errnos"))
}
