//! The indexes at the back: they explain every errno and every call that a recording shows, and nothing else.

use std::collections::BTreeMap;

use anyhow::Result;
use pages::{Kind, references};
use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

use super::Report;
use super::markdown::Page;
use crate::project::Project;
use crate::record;

/// How a paragraph begins that says why no recording shows a thing.
const EXCUSE: &str = "Not shown:";

pub(super) fn check(project: &Project, report: &mut Report) -> Result<()> {
    let mut errnos: BTreeMap<String, String> = BTreeMap::new();
    let mut calls: BTreeMap<String, String> = BTreeMap::new();
    for (lesson, experiment, file) in record::kept(project)? {
        // One that cannot be read is a finding of another rule.
        let Ok(recording) = record::read(&file) else { continue };
        for sighting in pages::sightings(&recording) {
            let place = format!("step {} of {lesson}/{experiment}", sighting.step);
            if let Some(errno) = sighting.errno {
                errnos.entry(errno).or_insert_with(|| place.clone());
            }
            calls.entry(sighting.call).or_insert(place);
        }
    }
    report.looked_at.push(format!("{} errnos and {} calls looked for in the indexes", errnos.len(), calls.len()));
    for (kind, file, shown) in [("errno", "errnos.md", &errnos), ("call", "calls.md", &calls)] {
        check_index(project, kind, file, shown, report)?;
    }
    Ok(())
}

/// Holds one index against what the recordings show: names, and where each is first shown.
fn check_index(
    project: &Project,
    kind: &str,
    file: &str,
    shown: &BTreeMap<String, String>,
    report: &mut Report,
) -> Result<()> {
    let path = project.book().join(file);
    let page = match path.is_file() {
        true => Page::read(project, &path)?,
        // An index that is not written is one in which everything is missing.
        false => Page { file: format!("book/{file}").into(), text: String::new() },
    };
    let entries = entries(&page);
    for (name, place) in shown {
        if !entries.iter().any(|entry| entry.name == *name) {
            let what = format!(
                "{place} shows the {kind} {name}, and this index does not explain it. Add `## {name}`, a sentence or two, \
                 and `[Shown by](traces/#{name})` alone in a paragraph"
            );
            report.find(&page.file, 1, what);
        }
    }
    for entry in &entries {
        let Entry { name, line, .. } = entry;
        let fault = match (shown.get(name), entry.excused, entry.listed) {
            (None, false, _) => Some(format!(
                "no recording shows the {kind} {name}. Remove it, or say why in a paragraph that begins with **{EXCUSE}**"
            )),
            (Some(place), true, _) => {
                Some(format!("{name} is said not to be shown, but {place} shows it. Remove the paragraph"))
            }
            (Some(_), false, false) => Some(format!(
                "the runs that show {name} are not listed. Add `[Shown by](traces/#{name})` alone in a paragraph"
            )),
            _ if !entry.explained => Some(format!("{name} is not explained. Write a sentence below its heading")),
            _ => None,
        };
        if let Some(fault) = fault {
            report.find(&page.file, *line, fault);
        }
    }
    for pair in entries.windows(2).filter(|pair| pair[0].name >= pair[1].name) {
        let what = format!("{} stands behind {}. Sort the entries by name", pair[1].name, pair[0].name);
        report.find(&page.file, pair[1].line, what);
    }
    Ok(())
}

/// What an index has on one name.
struct Entry {
    name: String,
    line: usize,
    /// Whether the runs that show it are listed.
    listed: bool,
    /// Whether it says why no recording shows it.
    excused: bool,
    /// Whether there are words on it.
    explained: bool,
}

/// The entries of an index: its headings of the second level, and what stands below them.
fn entries(page: &Page) -> Vec<Entry> {
    let lists = references(&page.text);
    let listed =
        |line: usize| lists.iter().find(|list| list.line == line && list.shown && list.kind == Kind::Recordings);
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_heading = false;
    for (line, event) in page.events() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                in_heading = true;
                entries.push(Entry { name: String::new(), line, listed: false, excused: false, explained: false });
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) | Event::Code(text) => {
                let Some(entry) = entries.last_mut() else { continue };
                if in_heading {
                    entry.name += &text;
                } else if let Some(list) = listed(line) {
                    entry.listed |= list.name.as_deref() == Some(&entry.name);
                } else {
                    entry.excused |= text.starts_with(EXCUSE);
                    entry.explained = true;
                }
            }
            _ => {}
        }
    }
    entries
}
