//! Puts in the place of a chapter's links what they name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use grader::sheet::Sheet;
use lab::Recording;
use pulldown_cmark::{Event, Tag, TagEnd};

use crate::atlas::Atlas;
use crate::atlas_page::{self, Links, Source};
use crate::code::{self, Code};
use crate::project::{Project, link};
use crate::reference::{Kind, Reference, line_of, parser, references};
use crate::seen::{self, Seen};
use crate::{exercise, html, predict, trace};

/// Something that keeps a page from being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The page's file, relative to the project's folder.
    pub page: PathBuf,
    /// Its line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.page.display(), self.line, self.what)
    }
}

/// Which chapters show what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anchors {
    /// From an anchor (`bind/port-in-use`, `lessons/bind/src/main.rs:port_in_use`) to the chapters whose pages have it, in
    /// the book's order.
    pages: BTreeMap<String, Vec<PathBuf>>,
    /// From an errno or a call to the page that lists what shows it.
    entries: BTreeMap<String, PathBuf>,
    /// The files of the recordings, in the order in which the book shows them; some may be there twice.
    recordings: Vec<PathBuf>,
    /// The page with the table of the atlas.
    atlas: Option<PathBuf>,
    /// The lessons whose part of the atlas the book shows, in its order, each with its page.
    atlas_lessons: Vec<(String, PathBuf)>,
}

impl Anchors {
    /// Adds what this chapter shows.
    pub fn add(&mut self, project: &Project, chapter: &Path, text: &str) {
        for reference in references(text).iter().filter(|reference| reference.shown) {
            if let Some(anchor) = anchor(project, chapter, reference) {
                self.pages.entry(anchor).or_default().push(chapter.to_path_buf());
            }
            match (reference.kind, &reference.name) {
                (Kind::Recordings, Some(name)) => {
                    self.entries.entry(name.clone()).or_insert_with(|| chapter.to_path_buf());
                }
                (Kind::Recording, None) => self.recordings.extend(project.file(chapter, &reference.path)),
                (Kind::Atlas, name) => match (reference.atlas_of(), name.as_deref()) {
                    (Some(lesson), None) => self.atlas_lessons.push((lesson.to_string(), chapter.to_path_buf())),
                    (None, Some("atlas")) => self.atlas = Some(chapter.to_path_buf()),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// What all recordings have, if some page lists it. A recording that cannot be read is a fault of the page that
    /// shows it, and is left out here.
    pub fn seen(&self, project: &Project) -> Seen {
        let mut seen = Seen::default();
        if self.entries.is_empty() {
            return seen;
        }
        let mut done = BTreeSet::new();
        for file in self.recordings.iter().filter(|file| done.insert(file.as_path())) {
            let text = project.read(file).unwrap_or_default();
            if let Ok(recording) = serde_json::from_str::<Recording>(&text) {
                seen.add(&recording);
            }
        }
        seen
    }

    /// The atlas, in the book's order, if some page shows it or a part of it. Its causes count as shown on their lesson's page.
    ///
    /// # Errors
    /// If a recording of it cannot be read.
    pub fn atlas(&mut self, project: &Project) -> Result<Atlas, String> {
        if self.atlas.is_none() && self.atlas_lessons.is_empty() {
            return Ok(Atlas::default());
        }
        let mut atlas = Atlas::read(&project.traces())?;
        let place = |lesson: &str| self.atlas_lessons.iter().position(|(one, _)| one == lesson).unwrap_or(usize::MAX);
        let lessons: BTreeSet<&str> = atlas.causes.iter().map(|cause| cause.recording.lesson.as_str()).collect();
        let sources: BTreeMap<String, Source> =
            lessons.into_iter().map(|lesson| (lesson.to_string(), source(project, lesson))).collect();
        atlas.causes.sort_by_cached_key(|cause| {
            let lesson = &cause.recording.lesson;
            (place(lesson), lesson.clone(), sources[lesson].position(&cause.recording.experiment))
        });
        for cause in &atlas.causes {
            if let Some((_, page)) = self.atlas_lessons.iter().find(|(one, _)| *one == cause.recording.lesson) {
                self.pages.entry(cause.id()).or_default().push(page.clone());
            }
        }
        Ok(atlas)
    }

    /// A link from a chapter to the page with all causes of a lesson.
    fn lesson_atlas(&self, from: &Path, lesson: &str) -> Option<String> {
        let (_, page) = self.atlas_lessons.iter().find(|(one, _)| one == lesson)?;
        Some(if page == from { String::new() } else { link(from, page) })
    }

    /// A link from a chapter to the table of the atlas.
    fn atlas_table(&self, from: &Path) -> Option<String> {
        let page = self.atlas.as_ref()?;
        Some(if page == from { String::new() } else { link(from, page) })
    }

    /// A link from a chapter to what the book says of an errno or a call: to the heading of that name, on the page that
    /// lists what shows it.
    fn entry(&self, from: &Path, name: &str) -> Option<String> {
        let page = self.entries.get(name)?;
        let anchor = name.to_ascii_lowercase();
        Some(if page == from { format!("#{anchor}") } else { format!("{}#{anchor}", link(from, page)) })
    }

    /// A link from a chapter to an anchor: on the same page if it is there, else on the page of the lesson's own name,
    /// else on the first page that has it.
    fn link(&self, from: &Path, anchor: &str) -> Option<String> {
        let pages = self.pages.get(anchor)?;
        if pages.iter().any(|page| page == from) {
            return Some(format!("#{anchor}"));
        }
        let lesson = anchor.split('/').next();
        let own = |page: &&PathBuf| page.file_stem().and_then(|stem| stem.to_str()) == lesson;
        let page = pages.iter().find(own).or(pages.first())?;
        Some(format!("{}#{anchor}", link(from, page)))
    }
}

/// The source of a lesson's provocations.
fn source(project: &Project, lesson: &str) -> Source {
    let (file, folder) = atlas_page::source_files(lesson);
    let files = std::iter::once(file).chain(project.code_in(&folder).unwrap_or_default());
    Source::new(files.filter_map(|file| Some((file.clone(), project.read(&file).ok()?))).collect())
}

/// The anchor of what a reference shows; `None` for a part of a trace and for a list, which have none of their own.
fn anchor(project: &Project, chapter: &Path, reference: &Reference) -> Option<String> {
    match reference.kind {
        Kind::Recordings | Kind::Atlas => None,
        Kind::Recording if reference.name.is_some() => None,
        Kind::Recording | Kind::Exercise => reference.id(),
        Kind::Code => {
            let file = project.file(chapter, &reference.path).ok()?;
            Some(match &reference.name {
                Some(name) => format!("{}:{name}", file.display()),
                None => file.display().to_string(),
            })
        }
    }
}

/// Expands one chapter. Reports all its faults at once.
pub(crate) fn expand(
    project: &Project,
    anchors: &Anchors,
    seen: &Seen,
    atlas: &Atlas,
    chapter: &Path,
    text: &str,
) -> Result<String, Vec<Fault>> {
    let mut page = Page { project, anchors, seen, atlas, chapter, faults: Vec::new(), has: BTreeSet::new(), groups: 0 };
    page.answers_told_early(text);
    // Running text first: this changes no line's number, and leaves alone what the second pass looks for.
    let text = page.running_text(text);
    let text = page.blocks(&text);
    if page.faults.is_empty() { Ok(text) } else { Err(page.faults) }
}

/// A page in the making.
struct Page<'a> {
    project: &'a Project,
    anchors: &'a Anchors,
    seen: &'a Seen,
    atlas: &'a Atlas,
    chapter: &'a Path,
    faults: Vec<Fault>,
    /// The anchors that it has so far.
    has: BTreeSet<String>,
    /// How many groups of radio buttons it has.
    groups: usize,
}

impl Page<'_> {
    fn fault(&mut self, line: usize, what: impl Into<String>) {
        self.faults.push(Fault { page: self.project.page(self.chapter), line, what: what.into() });
    }

    /// A step of a run, quoted in front of the run under the same heading, though a prediction asks about it: it tells the
    /// answer to whoever has not chosen yet. Within the prediction it may stand, folded as its explanation is.
    fn answers_told_early(&mut self, text: &str) {
        let quotes = parser(text).into_offset_iter().filter(|(event, range)| {
            matches!(event, Event::Start(Tag::BlockQuote(None))) && predict::is_prediction(&text[range.clone()])
        });
        let questions: Vec<(Range<usize>, String)> = quotes.map(|(_, range)| (range, String::new())).collect();
        let headings = headings(text);
        let all = references(text);
        let recordings = || all.iter().filter(|reference| reference.kind == Kind::Recording);
        for run in recordings().filter(|run| run.shown && run.name.is_none()) {
            let place = run.range.start;
            if asked_before(place, &questions, &headings).is_none() {
                continue;
            }
            let section = headings.iter().rfind(|heading| **heading < place).copied().unwrap_or(0);
            let early = recordings().filter(|quote| quote.name.is_some() && quote.id() == run.id());
            for quote in early.filter(|quote| (section..place).contains(&quote.range.start)) {
                if !questions.iter().any(|(question, _)| question.contains(&quote.range.start)) {
                    let what = format!(
                        "this tells what happens in {} before the reader has answered the prediction about it: put it behind \
                         the run (line {})",
                        run.id().unwrap_or_default(),
                        run.line
                    );
                    self.fault(quote.line, what);
                }
            }
        }
    }

    /// The links in running text: they lead to where the book shows the thing, or quote it. And the errnos that rows of
    /// tables are about, which become such links.
    fn running_text(&mut self, text: &str) -> String {
        let mut edits = self.errnos_of_rows(text);
        for reference in references(text).into_iter().filter(|reference| !reference.shown) {
            match self.mention(&reference) {
                Ok(replacement) => edits.push((reference.range.clone(), replacement)),
                Err(what) => self.fault(reference.line, what),
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        apply(text, edits)
    }

    /// The errnos that stand in the first cell of a table's row, and nothing else with them, as links to what the book says
    /// of them.
    fn errnos_of_rows(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut edits = Vec::new();
        // The links of a row's first cell so far; `None` in other cells, and if there is something else in it.
        let mut cell: Option<Vec<(Range<usize>, String)>> = None;
        let mut is_first = false;
        for (event, range) in parser(text).into_offset_iter() {
            match event {
                Event::Start(Tag::TableRow) => is_first = true,
                Event::Start(Tag::TableCell) => cell = std::mem::take(&mut is_first).then(Vec::new),
                Event::End(TagEnd::TableCell) => edits.extend(cell.take().unwrap_or_default()),
                Event::Text(text) if text.trim_matches([',', ' ']).is_empty() => {}
                Event::Code(name) if seen::is_errno(&name) => {
                    if let (Some(links), Some(entry)) = (&mut cell, self.anchors.entry(self.chapter, &name)) {
                        links.push((range, format!("[`{name}`]({entry})")));
                    }
                }
                _ => cell = None,
            }
        }
        edits
    }

    fn mention(&self, reference: &Reference) -> Result<String, String> {
        match reference.kind {
            Kind::Recording => self.mention_recording(reference),
            Kind::Recordings => {
                let name = reference.name.as_deref().unwrap_or_default();
                match self.anchors.entry(self.chapter, name) {
                    Some(entry) => Ok(format!("[{}]({entry})", reference.text)),
                    None => Err(format!(
                        "no page lists what shows {name}: link to `{}` alone in a paragraph, below a heading of that name",
                        reference.target
                    )),
                }
            }
            Kind::Atlas => self.mention_atlas(reference),
            Kind::Exercise => {
                let exercise = self.exercise(reference)?;
                match self.anchors.link(self.chapter, &exercise.id) {
                    Some(home) => Ok(format!("[{}]({home})", reference.text)),
                    None => Err(format!("no page shows the exercise {}: link to it alone in a paragraph", exercise.id)),
                }
            }
            Kind::Code => {
                let code = self.code(reference)?;
                let text = code.quote(&reference.text).unwrap_or_else(|| Ok(reference.text.clone()))?;
                // On the page of a file that the book does not show there is nothing to lead to.
                Ok(match self.anchors.link(self.chapter, &code.id) {
                    Some(home) => format!("[{text}]({home})"),
                    None => text,
                })
            }
        }
    }

    /// A link to the atlas: to the table, to a lesson's page, or to an errno on either.
    fn mention_atlas(&self, reference: &Reference) -> Result<String, String> {
        let page = match reference.atlas_of() {
            Some(lesson) => self.anchors.lesson_atlas(self.chapter, lesson),
            None => self.anchors.atlas_table(self.chapter),
        };
        let page =
            page.ok_or_else(|| format!("no page shows that: link to `{}` alone in a paragraph", reference.path))?;
        let errno = reference.name.as_deref().filter(|name| seen::is_errno(name));
        if let Some(errno) = errno
            && !self.atlas.errno(errno).any(|cause| reference.atlas_of().is_none_or(|of| of == cause.recording.lesson))
        {
            return Err(format!("{errno} is not in this part of the atlas: mend the name"));
        }
        Ok(match errno {
            Some(errno) => format!("[{}]({page}#{errno})", reference.text),
            None => format!("[{}]({page})", reference.text),
        })
    }

    fn mention_recording(&self, reference: &Reference) -> Result<String, String> {
        let recording = self.recording(reference)?;
        let id = format!("{}/{}", recording.lesson, recording.experiment);
        let home = self.anchors.link(self.chapter, &id);
        let Some(name) = &reference.name else {
            let home = home.ok_or(format!("no page shows the recording {id}: link to it alone in a paragraph"))?;
            return Ok(format!("[{}]({home})", reference.text));
        };
        let steps = trace::steps(&recording, name)?;
        let step = *steps.start();
        let events = recording.trace.as_ref().map_or(&[][..], |trace| &trace.events);
        let quoted = trace::quote(&events[step - 1], &reference.text);
        let text = match quoted {
            Some(quoted) => quoted.map_err(|what| format!("step {step} of {id} {what}"))?,
            None => reference.text.clone(),
        };
        match home {
            Some(home) => Ok(format!("[{text}]({home}@{step})")),
            None if text != reference.text => Ok(text),
            None => Err(format!("no page shows the recording {id}: link to it alone in a paragraph")),
        }
    }

    /// What stands by itself: recordings, code, exercises and predictions.
    fn blocks(&mut self, text: &str) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let predictions = self.predictions(text);
        let mut questions = Vec::new();
        for (range, line) in &predictions {
            let group = self.group();
            match predict::form(&text[range.clone()], &group) {
                Ok(form) => edits.push((range.clone(), format!("{form}\n"))),
                Err(what) => self.fault(*line, what),
            }
            questions.push((range.clone(), group));
        }
        let headings = headings(text);
        let shown: Vec<Reference> = references(text).into_iter().filter(|reference| reference.shown).collect();
        for group in shown.chunk_by(|a, b| a.paragraph == b.paragraph) {
            let asked = asked_before(group[0].paragraph.start, &questions, &headings);
            if let Some(block) = self.block(group, asked) {
                edits.push((group[0].paragraph.clone(), format!("{block}\n")));
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        apply(text, edits)
    }

    /// The block quotes that ask for a prediction. Finds stray boxes on the way.
    fn predictions(&mut self, text: &str) -> Vec<(Range<usize>, usize)> {
        let mut found: Vec<(Range<usize>, usize)> = Vec::new();
        for (event, range) in parser(text).into_offset_iter() {
            let inside = found.last().is_some_and(|(last, _)| last.contains(&range.start));
            match event {
                Event::Start(Tag::BlockQuote(None)) if !inside && predict::is_prediction(&text[range.clone()]) => {
                    let line = line_of(text, range.start);
                    found.push((range, line));
                }
                Event::TaskListMarker(_) if !inside => {
                    let what = "a list with boxes has no label that a screen reader could read: write a plain list, or a \
                                question that begins with `> **Predict:**`";
                    self.fault(line_of(text, range.start), what);
                }
                _ => {}
            }
        }
        found
    }

    /// What the references of one paragraph show. `asked` is the question that the reader has been asked about it.
    fn block(&mut self, references: &[Reference], asked: Option<&str>) -> Option<String> {
        let [reference] = references else { return self.spellings(references) };
        let shown = match reference.kind {
            Kind::Recording => self.show_recording(reference, asked),
            Kind::Recordings => self.show_seen(reference),
            Kind::Atlas => self.show_atlas(reference),
            Kind::Exercise => self.show_exercise(reference),
            Kind::Code => self.code(reference).map(|code| {
                let first = self.has.insert(code.id.clone());
                code.figure(&html::inline(&reference.text), first)
            }),
        };
        shown.map_err(|what| self.fault(reference.line, what)).ok()
    }

    /// Several pieces of code in one paragraph: the same in several languages.
    fn spellings(&mut self, references: &[Reference]) -> Option<String> {
        let mut codes = Vec::new();
        for reference in references {
            match self.code(reference) {
                Ok(code) => {
                    let first = self.has.insert(code.id.clone());
                    codes.push((html::inline(&reference.text), code, first));
                }
                Err(what) => self.fault(reference.line, what),
            }
        }
        let group = self.group();
        (codes.len() == references.len()).then(|| code::spellings(&group, &codes))
    }

    fn show_recording(&mut self, reference: &Reference, asked: Option<&str>) -> Result<String, String> {
        let recording = self.recording(reference)?;
        let title = html::inline(&reference.text);
        let id = format!("{}/{}", recording.lesson, recording.experiment);
        if let Some(name) = &reference.name {
            let steps = trace::steps(&recording, name)?;
            let home = self.anchors.link(self.chapter, &id).map(|home| format!("{home}@{}", steps.start()));
            return Ok(trace::excerpt(&recording, steps, &title, home.as_deref()));
        }
        self.show_once(&id)?;
        Ok(trace::section(&recording, &title, &reference.path, asked))
    }

    fn show_seen(&self, reference: &Reference) -> Result<String, String> {
        let name = reference.name.as_deref().unwrap_or_default();
        let title = html::inline(&reference.text);
        let link = |id: &str| self.anchors.link(self.chapter, id);
        let entry = |name: &str| self.anchors.entry(self.chapter, name);
        let list = match seen::is_errno(name) {
            true => self.seen.errno(&title, name, link, entry),
            false => self.seen.call(&title, name, link, entry),
        };
        let list =
            list.ok_or(format!("no recording that the book shows has {name}: mend the name, or remove the link"))?;
        Ok(match self.more_in_the_atlas(name) {
            Some(more) => list.replacen("<p class=\"label\">", &format!("{more}<p class=\"label\">"), 1),
            None => list,
        })
    }

    /// What leads from an index to the atlas: to an errno's row, or to all errnos of a call.
    fn more_in_the_atlas(&self, name: &str) -> Option<String> {
        if seen::is_errno(name) {
            self.atlas.errno(name).next()?;
            let table = self.anchors.atlas_table(self.chapter)?;
            return Some(format!("<p>All its causes, call by call: <a href=\"{table}#{name}\">the atlas</a>.</p>\n"));
        }
        let gives = |entry: &lab::AtlasEntry| entry.calls.iter().any(|call| call == name);
        let cause = self.atlas.causes.iter().find(|cause| gives(&cause.entry))?;
        let page = self.anchors.lesson_atlas(self.chapter, &cause.recording.lesson)?;
        Some(format!("<p><a href=\"{page}\">Every errno of {name}</a>, each provoked on its own.</p>\n"))
    }

    fn show_atlas(&self, reference: &Reference) -> Result<String, String> {
        let links = Links {
            errno: &|errno| self.anchors.entry(self.chapter, errno),
            lesson: &|lesson| self.anchors.lesson_atlas(self.chapter, lesson),
            table: self.anchors.atlas_table(self.chapter),
        };
        match (reference.atlas_of(), reference.name.as_deref()) {
            (Some(lesson), None) => {
                let source = source(self.project, lesson);
                Ok(atlas_page::lesson(self.atlas, lesson, &source, &reference.path, &links))
            }
            (Some(lesson), Some("list")) => Ok(atlas_page::list(self.atlas, lesson, &links)),
            (None, Some("atlas")) => Ok(atlas_page::table(self.atlas, &html::inline(&reference.text), &links)),
            (None, Some("atlas-counts")) => Ok(atlas_page::counts(&self.atlas.counts(), false)),
            (None, Some("atlas-disagreements")) => Ok(atlas_page::remarks(self.atlas, &links)),
            _ => Err(format!(
                "the atlas has no part `{}`: there are `traces/#atlas`, `#atlas-counts` and `#atlas-disagreements`, and of a \
                 lesson `traces/bind/errnos/` and its `#list`",
                reference.target
            )),
        }
    }

    fn show_exercise(&mut self, reference: &Reference) -> Result<String, String> {
        let exercise = self.exercise(reference)?;
        self.show_once(&exercise.id)?;
        let (page, anchor) = exercise.read.split_once('#').unwrap_or((&exercise.read, ""));
        let read = format!("{}#{anchor}", link(self.chapter, Path::new(page)));
        Ok(exercise::card(&exercise, &html::inline(&reference.text), &read))
    }

    fn show_once(&mut self, id: &str) -> Result<(), String> {
        if self.has.insert(id.to_string()) {
            return Ok(());
        }
        Err(format!(
            "this page shows {id} already: link to it in running text, or show some of its lines (`…json#3-6`)"
        ))
    }

    fn recording(&self, reference: &Reference) -> Result<Recording, String> {
        let id = reference.id().unwrap_or_default();
        let text = self.read(
            reference,
            &format!("there is no recording {id}"),
            &format!("record it with `cargo workbook record {id}`, or mend the name"),
        )?;
        let recording: Recording = serde_json::from_str(&text).map_err(|error| {
            format!("{} is not a recording ({error}): make it anew with `cargo workbook record {id}`", reference.path)
        })?;
        let own = format!("{}/{}", recording.lesson, recording.experiment);
        if own != id {
            return Err(format!(
                "{} holds a recording of {own}: make it anew with `cargo workbook record {id}`",
                reference.path
            ));
        }
        Ok(recording)
    }

    fn exercise(&self, reference: &Reference) -> Result<grader::sheet::Exercise, String> {
        let text = self.read(reference, "there is no exercise sheet", "mend the link")?;
        let sheet = Sheet::parse(&text).map_err(|error| format!("{}: {error}", reference.path))?;
        let names: Vec<&str> = sheet.exercises.iter().map(|exercise| exercise.name()).collect();
        let Some(name) = &reference.name else {
            return Err(format!("which exercise? Add one of its names: `{}#{}`", reference.path, names.join("`, `#")));
        };
        match sheet.exercises.iter().find(|exercise| exercise.name() == name) {
            Some(exercise) => Ok(exercise.clone()),
            None => Err(format!("no exercise `{name}` in {}: it has {}", reference.path, names.join(", "))),
        }
    }

    fn code(&self, reference: &Reference) -> Result<Code, String> {
        let text = self.read(reference, "there is no such code", "mend the link")?;
        let file = self.project.file(self.chapter, &reference.path)?;
        code::take(&file, &text, reference.name.as_deref())
    }

    /// Reads the file that a reference names.
    fn read(&self, reference: &Reference, missing: &str, remedy: &str) -> Result<String, String> {
        let file = self.project.file(self.chapter, &reference.path)?;
        self.project.read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("{missing}: {} does not exist; {remedy}", file.display()),
            _ => format!("{} cannot be read: {error}", file.display()),
        })
    }

    /// A name for a group of radio buttons that no other group of the book has: the print page holds them all.
    fn group(&mut self) -> String {
        self.groups += 1;
        let slug: String = self.chapter.with_extension("").display().to_string();
        format!("{}-{}", slug.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), self.groups)
    }
}

/// Where the headings begin.
fn headings(text: &str) -> Vec<usize> {
    let starts = parser(text).into_offset_iter();
    starts
        .filter(|(event, _)| matches!(event, Event::Start(Tag::Heading { .. })))
        .map(|(_, range)| range.start)
        .collect()
}

/// The question whose answer stands at `place`: the last one in front of it, with no heading in between.
fn asked_before<'a>(place: usize, questions: &'a [(Range<usize>, String)], headings: &[usize]) -> Option<&'a str> {
    let (question, group) = questions.iter().rfind(|(question, _)| question.end <= place)?;
    let between = question.end..place;
    (!headings.iter().any(|heading| between.contains(heading))).then_some(group.as_str())
}

/// Replaces the ranges, which are in order and do not overlap.
fn apply(text: &str, edits: Vec<(Range<usize>, String)>) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for (range, replacement) in edits {
        edited.push_str(&text[done..range.start]);
        edited.push_str(&replacement);
        done = range.end;
    }
    edited.push_str(&text[done..]);
    edited
}
