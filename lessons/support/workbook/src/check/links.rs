//! Links of the built book: every one leads somewhere, and nothing is fetched from elsewhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use percent_encoding::percent_decode_str;

use super::Report;
use super::markdown::{Page as Source, line_of, pages};
use crate::project::Project;
use crate::{exercises, site};

pub(super) fn check(project: &Project, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let site = folder.path().join("site");
    match site::build_in_place(project, &site, site::Preprocessor::Embedded) {
        Ok(warnings) => {
            for warning in warnings {
                report.find("book.toml", 1, format!("mdBook warns: {warning}"));
            }
            let site = Site::read(&site)?;
            let sources = Sources::of(project)?;
            site.check(&sources, report);
            site.check_readings(project, report)?;
            let links: usize = site.pages.values().map(|page| page.links.len()).sum();
            report.looked_at.push(format!("{links} links followed in {} built pages", site.pages.len()));
        }
        Err(error) => does_not_build(&format!("{error:#}"), report),
    }
    Ok(())
}

/// The preprocessor's faults are findings already (`book/bind.md:7: …`); whatever else is wrong is one more.
fn does_not_build(error: &str, report: &mut Report) {
    let mut found_any = false;
    for line in error.lines() {
        if let Some((file, rest)) = line.split_once(".md:")
            && let Some((number, what)) = rest.split_once(": ")
            && let Ok(number) = number.parse()
        {
            report.find(format!("{file}.md"), number, what);
            found_any = true;
        }
    }
    if !found_any {
        report.find("book.toml", 1, format!("the book does not build: {error}"));
    }
}

/// What mdBook 0.5 itself gets wrong on every page, and no author can mend.
const NOT_OURS: [&str; 2] = [
    // The search box is described by a heading whose id has been renamed since.
    "searchresults-header",
    // The heading of the page 404.html links to itself, and its `<base>` leads that to the first page.
    "#document-not-found-404",
];

/// The built book.
struct Site {
    /// By file, from the site's folder on.
    pages: BTreeMap<PathBuf, Page>,
    /// All files.
    files: HashSet<PathBuf>,
    /// Style sheets, with the addresses in them.
    styles: BTreeMap<PathBuf, Vec<String>>,
}

/// A built page.
#[derive(Default)]
struct Page {
    /// The ids, each with how often it stands in the page and where first.
    ids: HashMap<String, (usize, u64)>,
    links: Vec<Link>,
    /// Ids that another element is said to belong to.
    mentions: Vec<(u64, String)>,
    /// Where relative links begin, if the page says so itself.
    base: Option<String>,
}

/// Something that leads or loads from elsewhere.
struct Link {
    line: u64,
    address: String,
    /// Whether the browser fetches it by itself.
    is_fetched: bool,
}

impl Site {
    fn read(folder: &Path) -> Result<Site> {
        let mut site = Site { pages: BTreeMap::new(), files: HashSet::new(), styles: BTreeMap::new() };
        site.read_folder(folder, folder)?;
        Ok(site)
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_folder(root, &path)?;
                continue;
            }
            let name = path.strip_prefix(root)?.to_path_buf();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("html") => {
                    let text = fs::read_to_string(&path)?;
                    self.pages.insert(name.clone(), Page::parse(&text));
                }
                Some("css") => {
                    let text = fs::read_to_string(&path)?;
                    self.styles.insert(name.clone(), addresses_in_style(&text));
                }
                _ => {}
            }
            self.files.insert(name);
        }
        Ok(())
    }

    fn check(&self, sources: &Sources, report: &mut Report) {
        for (name, page) in &self.pages {
            for (id, (times, line)) in page.ids.iter().filter(|(_, (times, _))| *times > 1) {
                let what =
                    format!("the id {id:?} stands {times} times in {}. Give one of them another name", name.display());
                sources.find(name, *line, id, what, report);
            }
            for link in &page.links {
                if let Some(fault) = self.fault(name, page.base.as_deref(), &link.address, link.is_fetched) {
                    sources.find(name, link.line, &link.address, fault, report);
                }
            }
            // mdBook's page for printing makes ids unique, but not what refers to them.
            let is_for_print = name == Path::new("print.html");
            let is_missing = |id: &str| !page.ids.contains_key(id) && !NOT_OURS.contains(&id);
            for (line, id) in page.mentions.iter().filter(|(_, id)| !is_for_print && is_missing(id)) {
                let what = format!("something refers to the id {id:?}, which {} has not", name.display());
                sources.find(name, *line, id, what, report);
            }
        }
        for (name, addresses) in &self.styles {
            for address in addresses {
                if let Some(fault) = self.fault(name, None, address, true) {
                    report.find(Path::new("book/theme").join(name), 1, format!("the style sheet: {fault}"));
                }
            }
        }
    }

    /// The places in the book where an exercise says that it is explained.
    fn check_readings(&self, project: &Project, report: &mut Report) -> Result<()> {
        for (lesson, sheet) in exercises::sheets(project)? {
            let file = exercises::file(project, &lesson);
            let text = fs::read_to_string(&file)?;
            let shown = file.strip_prefix(project.root()).unwrap_or(&file);
            let checks = sheet
                .exercises
                .iter()
                .flat_map(|exercise| exercise.checks.iter().filter_map(|check| check.read.as_ref()));
            for read in sheet.exercises.iter().map(|exercise| &exercise.read).chain(checks) {
                self.check_reading(shown, line_of(&text, &format!("\"{read}\"")), read, report);
            }
        }
        for read in grader::sheet::common().iter().filter_map(|check| check.read.as_ref()) {
            // Small books, such as those of tests, have not all chapters.
            let page = read.split('#').next().unwrap_or_default();
            if project.book().join(page).is_file() {
                self.check_reading(Path::new("lessons/support/grader/common.toml"), 1, read, report);
            }
        }
        Ok(())
    }

    fn check_reading(&self, file: &Path, line: usize, read: &str, report: &mut Report) {
        if let Some(fault) = self.fault(Path::new("index.html"), None, &as_built(read), false) {
            report.find(file, line, format!("read = {read:?}: {fault}"));
        }
    }

    /// Why an address leads nowhere, if it does.
    fn fault(&self, from: &Path, base: Option<&str>, address: &str, is_fetched: bool) -> Option<String> {
        if let Some(scheme) = scheme(address) {
            return match scheme {
                "data" => None,
                "http" | "https" | "mailto" if !is_fetched => None,
                "http" | "https" | "//" => Some(format!(
                    "{address} would be fetched from elsewhere, and the book works offline. Keep a copy in book/"
                )),
                _ => Some(format!("{address} is an address of an unknown kind")),
            };
        }
        let (path, fragment) = match address.split_once('#') {
            Some((path, fragment)) => (path, Some(fragment)),
            None => (address, None),
        };
        let path = path.split('?').next().unwrap_or_default();
        if NOT_OURS.contains(&address) {
            return None;
        }
        let target = if path.is_empty() && base.is_none() {
            from.to_path_buf()
        } else {
            let folder = match base {
                Some(base) => Path::new(base.trim_start_matches('/')).to_path_buf(),
                None => from.parent().unwrap_or(Path::new("")).to_path_buf(),
            };
            let Some(target) = resolve(&folder, &percent_decode_str(path).decode_utf8_lossy()) else {
                return Some(format!(
                    "the link {address} leads out of the book. Link to a page, or say where it is in words"
                ));
            };
            target
        };
        let target = if self.files.contains(&target) { target } else { target.join("index.html") };
        if !self.files.contains(&target) {
            return Some(format!(
                "the link {address} leads to no page or file of the book. Mend it, or write the page"
            ));
        }
        let fragment = percent_decode_str(fragment.filter(|fragment| !fragment.is_empty())?).decode_utf8_lossy();
        let page = self.pages.get(&target)?;
        if page.ids.contains_key(fragment.as_ref()) {
            return None;
        }
        let nearest = exercises::nearest(&fragment, page.ids.keys().cloned());
        let advice = nearest.map_or(String::new(), |id| format!(" Did you mean #{id}?"));
        Some(format!(
            "the link {address} leads to no place on {}: it has no id {fragment:?}.{advice}",
            target.display()
        ))
    }
}

/// What an address begins with, if it is complete: `https`, `mailto`, and `//` for "as here, from another machine".
fn scheme(address: &str) -> Option<&str> {
    if address.starts_with("//") {
        return Some("//");
    }
    let (scheme, _) = address.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

/// The file that a relative path names, seen from a folder; `None` if it leads out of the site.
fn resolve(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut target = if path.starts_with('/') { PathBuf::new() } else { folder.to_path_buf() };
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => target.push(name),
            Component::ParentDir => {
                if !target.pop() {
                    return None;
                }
            }
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) => return None,
        }
    }
    Some(target)
}

/// A link between pages as mdBook builds it: `bind.md#port-0` becomes `bind.html#port-0`.
fn as_built(address: &str) -> String {
    let (path, fragment) = match address.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (address, String::new()),
    };
    match path.strip_suffix(".md") {
        Some(stem) if scheme(address).is_none() => format!("{stem}.html{fragment}"),
        _ => address.to_string(),
    }
}

/// The addresses in a style sheet: `url(…)`.
fn addresses_in_style(text: &str) -> Vec<String> {
    let address = |part: &str| {
        let end = part.find(')')?;
        Some(part[..end].trim().trim_matches(['"', '\'']).to_string())
    };
    text.split("url(").skip(1).filter_map(address).filter(|address| !address.starts_with('#')).collect()
}

impl Page {
    fn parse(html: &str) -> Page {
        let reader = Reader(RefCell::default());
        let input = BufferQueue::default();
        input.push_back(StrTendril::from_slice(html));
        let tokenizer = Tokenizer::new(reader, TokenizerOpts::default());
        // What it returns is about scripts that write into their own page: none here is run.
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }

    fn read_tag(&mut self, tag: &Tag, line: u64) {
        let tag_name = tag.name.as_ref();
        for attribute in &tag.attrs {
            let value = attribute.value.to_string();
            match (tag_name, attribute.name.local.as_ref()) {
                (_, "id") => self.ids.entry(value).or_insert((0, line)).0 += 1,
                ("a", "name") => {
                    self.ids.entry(value).or_insert((1, line));
                }
                ("base", "href") => self.base = Some(value),
                ("a" | "area", "href" | "xlink:href") => self.link(line, value, false),
                ("object", "data") | (_, "href" | "xlink:href" | "src" | "poster") => self.link(line, value, true),
                (_, "srcset") => {
                    for part in value.split(',') {
                        self.link(line, part.split_whitespace().next().unwrap_or_default().to_string(), true);
                    }
                }
                ("form", "action") => self.link(line, value, false),
                ("label" | "output", "for")
                | (
                    _,
                    "aria-labelledby" | "aria-describedby" | "aria-controls" | "aria-owns" | "aria-details" | "list",
                ) => {
                    self.mentions.extend(value.split_whitespace().map(|id| (line, id.to_string())));
                }
                _ => {}
            }
        }
    }

    fn link(&mut self, line: u64, address: String, is_fetched: bool) {
        self.links.push(Link { line, address: address.trim().to_string(), is_fetched });
    }
}

/// Reads a page tag by tag.
struct Reader(RefCell<Page>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind != TagKind::StartTag {
            return TokenSinkResult::Continue;
        }
        self.0.borrow_mut().read_tag(&tag, line);
        match tag.name.as_ref() {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            _ => TokenSinkResult::Continue,
        }
    }
}

/// The pages as they were written, to say where a fault comes from.
struct Sources {
    pages: Vec<Source>,
    /// The page that mdBook also builds as the first one, `index.html`.
    first: Option<PathBuf>,
}

impl Sources {
    fn of(project: &Project) -> Result<Sources> {
        let summary = Source::read(project, &project.book().join("SUMMARY.md"))?;
        let first = summary.targets().first().map(|(_, target)| Path::new("book").join(target));
        Ok(Sources { pages: pages(project)?, first })
    }

    /// Reports a fault of a built page where its author sees it.
    fn find(&self, built: &Path, built_line: u64, needle: &str, what: String, report: &mut Report) {
        // Pages with all chapters in them repeat what is found in each.
        let repeats = ["print.html", "toc.html"].map(Path::new).contains(&built);
        let file = match &self.first {
            Some(first) if built == Path::new("index.html") => first.clone(),
            _ => Path::new("book").join(built).with_extension("md"),
        };
        match self.pages.iter().find(|page| page.file == file) {
            Some(page) => {
                let targets = page.targets();
                let same = |target: &str| as_built(target) == needle;
                let line = match targets.iter().find(|(_, target)| same(target)) {
                    Some((line, _)) => *line,
                    None => line_of(&page.text, needle),
                };
                report.find(&page.file, line, what);
            }
            None if repeats => {}
            None => {
                let built = built.display();
                report.find("book.toml", 1, format!("{built}, line {built_line} (a page that mdBook makes): {what}"));
            }
        }
    }
}
