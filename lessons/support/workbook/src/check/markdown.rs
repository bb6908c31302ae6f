//! Pages and other Markdown, with the lines on which things stand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::project::Project;

/// A file with Markdown in it.
pub(super) struct Page {
    /// From the project's folder on: `book/bind.md`.
    pub(super) file: PathBuf,
    /// Its text.
    pub(super) text: String,
}

/// The pages of the book (all `.md` files in `book/` but the table of contents), in alphabetical order.
pub(super) fn pages(project: &Project) -> Result<Vec<Page>> {
    let mut files = Vec::new();
    collect(&project.book(), &mut files)?;
    files.retain(|file| file.file_name().is_some_and(|name| name != "SUMMARY.md"));
    files.sort();
    files.iter().map(|file| Page::read(project, file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

impl Page {
    /// Reads a file of the project.
    pub(super) fn read(project: &Project, file: &Path) -> Result<Page> {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(Page { file: file.strip_prefix(project.root()).unwrap_or(file).to_path_buf(), text })
    }

    /// What the Markdown is made of, each with the line on which it begins.
    pub(super) fn events(&self) -> impl Iterator<Item = (usize, Event<'_>)> {
        let lines = Lines::of(&self.text);
        parser(&self.text).into_offset_iter().map(move |(event, range)| (lines.at(range.start), event))
    }

    /// Where its links and images lead, as written, with their lines.
    pub(super) fn targets(&self) -> Vec<(usize, String)> {
        let target = |(line, event)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((line, dest_url.to_string()))
            }
            _ => None,
        };
        self.events().filter_map(target).collect()
    }
}

/// A parser with all that mdBook switches on.
fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(
        text,
        Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES
            | Options::ENABLE_DEFINITION_LIST
            | Options::ENABLE_GFM,
    )
}

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines(std::iter::once(0).chain(ends).collect())
    }

    /// The line of the byte at this place, counted from 1.
    pub(super) fn at(&self, place: usize) -> usize {
        self.0.partition_point(|&begin| begin <= place)
    }
}

/// The line on which `needle` first stands; 1 if it does not.
pub(super) fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1)
}
