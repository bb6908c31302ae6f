//! What a chapter refers to: the links that name a recording, all recordings, code or an exercise.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A link of a chapter to something that the project keeps elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it names.
    pub kind: Kind,
    /// The link's target as written: `traces/bind/port-in-use.json#4`.
    pub target: String,
    /// The file in it, relative to the chapter: `traces/bind/port-in-use.json`.
    pub path: String,
    /// What it names in the file: `4`, `3-6` or `bind` of a recording, `port_in_use` of code, `any-port` of an exercise; in all
    /// recordings an errno (`EAGAIN`) or a call (`bind`).
    pub name: Option<String>,
    /// The link's text as written.
    pub text: String,
    /// The chapter's line on which the link begins, counted from 1.
    pub line: usize,
    /// Whether what it names is shown here: it stands in a paragraph with nothing else (or with other code links).
    /// Otherwise it is a link in running text.
    pub shown: bool,
    /// Where the link stands, in bytes.
    pub(crate) range: Range<usize>,
    /// Where the paragraph stands that it is shown in, in bytes.
    pub(crate) paragraph: Range<usize>,
}

/// What a [`Reference`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A recorded run: `traces/bind/port-in-use.json`; its name, if any, is a step (`4`, `bind`) or steps (`3-6`) of the
    /// trace.
    Recording,
    /// What all recorded runs have of an errno or a call: `traces/#EADDRINUSE`, `traces/#bind`.
    Recordings,
    /// The atlas, in all (`traces/#atlas`, `traces/#atlas-counts`, `traces/#atlas-disagreements`) or of one lesson
    /// (`traces/bind/errnos/`, `traces/bind/errnos/#list`, in running text also `traces/bind/errnos/#EADDRINUSE`).
    Atlas,
    /// Code: a file, or with a name one function or other item of it (in TOML: one table).
    Code,
    /// An exercise: `../lessons/bind/exercises.toml#any-port`.
    Exercise,
}

impl Reference {
    /// The name that a recording or an exercise has everywhere: `bind/port-in-use`, `bind/any-port`. `None` for
    /// code, for all recordings, and for an exercise link without a name.
    pub fn id(&self) -> Option<String> {
        match self.kind {
            Kind::Recording => {
                let (rest, file) = self.path.rsplit_once('/')?;
                // Those of the atlas lie in a folder of their own, and have names like all others.
                let rest = rest.strip_suffix("/errnos").unwrap_or(rest);
                let lesson = rest.rsplit_once('/').map_or(rest, |(_, lesson)| lesson);
                Some(format!("{lesson}/{}", file.strip_suffix(".json")?))
            }
            Kind::Exercise => {
                let folder = self.path.strip_suffix("/exercises.toml")?;
                let lesson = folder.rsplit_once('/').map_or(folder, |(_, lesson)| lesson);
                Some(format!("{lesson}/{}", self.name.as_deref()?))
            }
            Kind::Code | Kind::Recordings | Kind::Atlas => None,
        }
    }

    /// The lesson whose part of the atlas is named: `bind` of `traces/bind/errnos/`. `None` for anything else, and for all of
    /// the atlas.
    pub fn atlas_of(&self) -> Option<&str> {
        let folder = self.path.strip_suffix("/errnos/").filter(|_| self.kind == Kind::Atlas)?;
        folder.rsplit_once('/').map(|(_, lesson)| lesson)
    }

    fn new(target: &str) -> Option<Reference> {
        let is_address = target.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '#', '.']));
        if is_address || target.starts_with('#') {
            return None;
        }
        let (path, name) = match target.split_once('#') {
            Some((path, name)) => (path, Some(name)),
            None => match target.rsplit_once(".json@") {
                Some((stem, step)) => (&target[..stem.len() + ".json".len()], Some(step)),
                None => (target, None),
            },
        };
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let kind = match extension {
            "json" if path.starts_with("traces/") || path.contains("/traces/") => Kind::Recording,
            _ if is_atlas(path, name) => Kind::Atlas,
            _ if name.is_some() && (path == "traces/" || path.ends_with("/traces/")) => Kind::Recordings,
            "toml" if path.ends_with("/exercises.toml") => Kind::Exercise,
            "rs" | "py" | "toml" | "c" | "sh" => Kind::Code,
            _ => return None,
        };
        Some(Reference {
            kind,
            target: target.to_string(),
            path: path.to_string(),
            name: name.filter(|name| !name.is_empty()).map(str::to_string),
            text: String::new(),
            line: 0,
            shown: false,
            range: 0..0,
            paragraph: 0..0,
        })
    }
}

/// Whether this names the atlas: `traces/#atlas…`, `traces/bind/errnos/`.
fn is_atlas(path: &str, name: Option<&str>) -> bool {
    let Some((before, below)) = path.rsplit_once("traces/") else { return false };
    let is_folder = before.is_empty() || before.ends_with('/');
    let is_lessons = below.strip_suffix("/errnos/").is_some_and(|lesson| !lesson.is_empty() && !lesson.contains('/'));
    let is_whole = below.is_empty() && name.is_some_and(|name| name == "atlas" || name.starts_with("atlas-"));
    is_folder && (is_lessons || is_whole)
}

/// Finds the references of a chapter, in order.
pub fn references(markdown: &str) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    // How many block quotes and lists are open: what stands in them is never shown, only linked.
    let mut nested = 0;
    let mut paragraph: Option<Paragraph> = None;
    // The links and images that are open, and where their text was seen.
    let mut open: Vec<(Option<Reference>, Range<usize>)> = Vec::new();
    for (event, range) in parser(markdown).into_offset_iter() {
        if let Some((_, text)) = open.last_mut()
            && !matches!(event, Event::End(TagEnd::Link | TagEnd::Image))
        {
            *text = if text.start == text.end { range.clone() } else { text.start..text.end.max(range.end) };
        }
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::FootnoteDefinition(_) | Tag::DefinitionList) => {
                nested += 1;
            }
            Event::End(
                TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::FootnoteDefinition | TagEnd::DefinitionList,
            ) => nested -= 1,
            Event::Start(Tag::Paragraph) => {
                paragraph = Some(Paragraph { range, first: found.len(), links: 0, only_links: nested == 0 });
            }
            Event::End(TagEnd::Paragraph) => {
                if let Some(paragraph) = paragraph.take() {
                    paragraph.close(&mut found);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => open.push((Reference::new(&dest_url), 0..0)),
            Event::Start(Tag::Image { .. }) => open.push((None, 0..0)),
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let (reference, text) = open.pop().unwrap_or((None, 0..0));
                if let Some(paragraph) = &mut paragraph
                    && open.is_empty()
                {
                    paragraph.links += 1;
                }
                if let Some(mut reference) = reference {
                    reference.text = markdown[text].to_string();
                    reference.line = line_of(markdown, range.start);
                    reference.range = range;
                    found.push(reference);
                }
            }
            Event::Text(text) if open.is_empty() && !text.trim().is_empty() => not_only_links(&mut paragraph),
            Event::Text(_) | Event::SoftBreak => {}
            _ if open.is_empty() => not_only_links(&mut paragraph),
            _ => {}
        }
    }
    found
}

/// A paragraph that is being read.
struct Paragraph {
    range: Range<usize>,
    /// How many references were found before it.
    first: usize,
    /// How many links it has, to whatever.
    links: usize,
    /// Whether it has nothing but links, and stands by itself.
    only_links: bool,
}

impl Paragraph {
    /// Its references are shown if there is nothing else in it: one of any kind, or several of code.
    fn close(self, found: &mut [Reference]) {
        let references = &mut found[self.first..];
        let all_code = references.iter().all(|reference| reference.kind == Kind::Code);
        if self.only_links && self.links == references.len() && (references.len() == 1 || all_code) {
            for reference in references {
                reference.shown = true;
                reference.paragraph = self.range.clone();
            }
        }
    }
}

fn not_only_links(paragraph: &mut Option<Paragraph>) {
    if let Some(paragraph) = paragraph {
        paragraph.only_links = false;
    }
}

/// A parser with all that mdBook switches on.
pub(crate) fn parser(markdown: &str) -> Parser<'_> {
    Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES
            | Options::ENABLE_SMART_PUNCTUATION
            | Options::ENABLE_DEFINITION_LIST
            | Options::ENABLE_GFM,
    )
}

/// The line, counted from 1, in which the byte at `position` stands.
pub(crate) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(markdown: &str) -> Reference {
        let mut found = references(markdown);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_link_alone_in_its_paragraph_is_shown() {
        let reference = only("# bind\n\n[Two sockets, one port](traces/bind/port-in-use.json)\n");
        assert_eq!(reference.kind, Kind::Recording);
        assert_eq!(reference.id().as_deref(), Some("bind/port-in-use"));
        assert_eq!(reference.text, "Two sockets, one port");
        assert_eq!(reference.line, 3);
        assert!(reference.shown);
    }

    #[test]
    fn a_link_in_running_text_is_not_shown() {
        let reference = only("See [step 4](traces/bind/port-in-use.json#4).");
        assert_eq!(reference.name.as_deref(), Some("4"));
        assert!(!reference.shown);
        assert!(!only("`a` [x](traces/bind/a.json)").shown);
        assert!(!only("[x](traces/bind/a.json) [y](other.md)").shown);
        assert!(!only("> [x](traces/bind/a.json)").shown);
        assert!(!only("- a\n\n  [x](traces/bind/a.json)").shown);
    }

    #[test]
    fn a_step_may_be_written_as_in_ids() {
        let reference = only("See [it](traces/bind/port-in-use.json@4).");
        assert_eq!((reference.path.as_str(), reference.name.as_deref()), ("traces/bind/port-in-use.json", Some("4")));
    }

    #[test]
    fn the_folder_of_the_recordings_stands_for_all_of_them() {
        for target in ["traces/#EADDRINUSE", "../traces/#EADDRINUSE"] {
            let reference = only(&format!("[Shown by]({target})"));
            assert_eq!((reference.kind, reference.name.as_deref()), (Kind::Recordings, Some("EADDRINUSE")));
            assert!(reference.shown);
        }
        assert!(references("[All](traces/) and [one](traces/bind/) and [another](other/#bind)").is_empty());
    }

    #[test]
    fn the_atlas_is_named_by_its_folders() {
        for (target, lesson, name) in [
            ("traces/#atlas", None, Some("atlas")),
            ("../traces/#atlas-counts", None, Some("atlas-counts")),
            ("traces/bind/errnos/", Some("bind"), None),
            ("../traces/bind/errnos/#list", Some("bind"), Some("list")),
        ] {
            let reference = only(&format!("[All]({target})"));
            assert_eq!((reference.kind, reference.atlas_of(), reference.name.as_deref()), (Kind::Atlas, lesson, name));
        }
        let one = only("[One](traces/bind/errnos/port-taken.json)");
        assert_eq!((one.kind, one.id().as_deref()), (Kind::Recording, Some("bind/port-taken")));
        assert!(references("[x](other/#atlas) [y](traces/bind/other/) [z](retraces/bind/errnos/)").is_empty());
    }

    #[test]
    fn several_code_links_may_share_a_paragraph() {
        let found = references("[Python](../lessons/bind/bind.py)\n[libc](../lessons/bind/src/main.rs#first_bind)\n");
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|reference| reference.shown && reference.kind == Kind::Code));
        assert_eq!(found[1].name.as_deref(), Some("first_bind"));
        assert_eq!(found[1].line, 2);
        let mixed = references("[Python](../lessons/bind/bind.py) [run](traces/bind/a.json)");
        assert!(mixed.iter().all(|reference| !reference.shown));
    }

    #[test]
    fn exercises_are_told_from_code() {
        let exercise = only("[Exercise](../lessons/bind/exercises.toml#any-port)");
        assert_eq!((exercise.kind, exercise.id().as_deref()), (Kind::Exercise, Some("bind/any-port")));
        assert_eq!(only("[it](../Cargo.toml)").kind, Kind::Code);
    }

    #[test]
    fn other_links_are_nobodys_business() {
        for markdown in
            ["[a](b.md)", "![a](b.svg)", "[a](https://x.org/y.rs)", "[a](#b.rs)", "`[a](x.rs)`", "```\n[a](x.rs)\n```"]
        {
            assert_eq!(references(markdown), [], "{markdown}");
        }
    }

    #[test]
    fn references_in_tables_and_code_styled_links_are_found() {
        let found = references("| a |\n|---|\n| [line](traces/bind/a.json#2) |\n\n[`bind`](../x.rs#b) x\n");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].line, 3);
        assert_eq!(found[1].text, "`bind`");
    }
}
