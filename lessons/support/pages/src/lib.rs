//! Turns chapters into pages: a preprocessor of mdBook that puts in the place of a link what the link names, so that
//! nothing that a page shows of a program or a run was typed by hand.
//!
//! # For authors: what you can write
//!
//! All of it is plain Markdown that shows something sensible where this program does not run, as on a web forge. Paths
//! are relative to the chapter's file.
//!
//! ## A recorded run
//!
//! ```markdown
//! [Two sockets, one port](traces/bind/port-in-use.json)
//! ```
//!
//! A link **alone in its paragraph** becomes the whole recording: what the experiment shows, the command, what it
//! printed, every line of the trace, what to notice, and where it was recorded. The link's text is its title. It has the
//! id `bind/port-in-use`, and each line has one: `bind/port-in-use@4`. A page shows a recording once; to come
//! back to some of its lines, add their numbers: `traces/bind/port-in-use.json#3-6` or `#4`.
//!
//! ## A word from a run, in running text
//!
//! ```markdown
//! The kernel says [errno](traces/bind/port-in-use.json#4), see [step 4](traces/bind/port-in-use.json#4).
//! ```
//!
//! Within a sentence the link leads to that line, wherever the book shows it. Four texts are replaced by what was
//! recorded: `line` (`bind(4, …) = -1 EADDRINUSE (Address already in use)`), `call` (left of the `=`), `result` (right of
//! it) and `errno`. Without a number the link leads to the recording. (`…json@4` means the same as `…json#4`.) In
//! the place of a number may stand the name of a call, `…json#bind`: its first line, wherever that is.
//!
//! ## What all recorded runs have of an errno or a call
//!
//! ```markdown
//! ## EADDRINUSE
//!
//! What it means, and what to do.
//!
//! [Shown by](traces/#EADDRINUSE)
//! ```
//!
//! A link to the *folder* of the recordings, **alone in its paragraph**, becomes the list of all runs in the book that have
//! it: for an errno (capital letters) by the calls that brought it, for a call (`traces/#bind`) with the errnos that it
//! brought. The list stands below a heading of the same name, and such headings are linked: from each other's lists,
//! from `[EAGAIN](traces/#EAGAIN)` in running text, and from the tables of all chapters whose rows begin with an errno
//! (`` | `EADDRINUSE` | … ``).
//!
//! `book/errnos.md` and `book/calls.md` are made of such entries, sorted by name, and `cargo workbook check` finds what is
//! missing there and what is too much. An entry on something that no recording shows has no list but a paragraph that begins
//! with `**Not shown:**` and says why.
//!
//! ## The atlas
//!
//! Every errno of every call is provoked on its own, apart from the chapters' stories, and recorded in
//! `traces/LESSON/errnos/`. Alone in a paragraph, a link shows
//!
//! - `[Every errno of every call](traces/#atlas)`: the table of errnos and calls, with this title;
//! - `[Counted](traces/#atlas-counts)`: how many pairs there are, and how each is shown;
//! - `[Where they disagree](traces/#atlas-disagreements)`: where documents and kernel disagree;
//! - `[All](traces/bind/errnos/)`: all errnos of a lesson, each with its causes, cures, traces and code;
//! - `[In short](traces/bind/errnos/#list)`: the same in a few lines, for the chapter itself.
//!
//! In running text the first and the fourth lead to the page that shows them, and `traces/bind/errnos/#EADDRINUSE` to an errno
//! there. A single recording of the atlas is linked as any other: `traces/bind/errnos/port-taken.json`.
//!
//! ## Code
//!
//! ```markdown
//! [The code](../lessons/bind/src/main.rs#port_in_use)
//! ```
//!
//! Alone in its paragraph: that function, with its comments and attributes, cut from the file by its name. So does any
//! other item at the left margin of a `.rs` file, a function or class of a `.py` file, and a table of a `.toml` file
//! (`../Cargo.toml#package`). Without a name: the whole file, also of `.c` and `.sh`.
//!
//! **Several** code links with nothing else in one paragraph are the same in several languages, of which the reader
//! chooses one or all:
//!
//! ```markdown
//! [Python](../lessons/bind/src/bind.py) [libc](../lessons/bind/src/main.rs#first_bind) [nix](../lessons/bind/src/main.rs#nix_form)
//! ```
//!
//! Within a sentence, the link leads to where the book shows that code; where it does not, only the text stays. A text that
//! ends in `(…)` is replaced by the call that the code makes, with its arguments:
//!
//! ```markdown
//! In C it is [libc::bind(…)](../lessons/bind/src/main.rs#first_bind).
//! ```
//!
//! The code must have exactly one such call. Where it has several, a word that only one of them has tells which:
//! `[libc::fcntl(…F_SETFL…)](…)`.
//!
//! ## An exercise
//!
//! ```markdown
//! [Exercise](../lessons/bind/exercises.toml#any-port)
//! ```
//!
//! Alone in its paragraph: the card, all of it from the sheet. Its heading has the id `exercise-any-port`, the card the
//! id `bind/any-port`. Within a sentence the link leads there.
//!
//! ## A prediction
//!
//! ```markdown
//! > **Predict:** What does `bind` return in the new one, a second later?
//! > - [ ] `0` :: Nobody *uses* the port, but something remembers it.
//! > - [x] `-1` with `EADDRINUSE` :: The memory of the last connection holds it.
//! >
//! > A connection of the last run still sits in `TIME_WAIT`.
//! ```
//!
//! One question, two or more choices, one of them right, each with its reason behind ` :: `, and behind an empty line the
//! explanation, which may have several paragraphs. Lists with boxes have no place elsewhere.
//!
//! The recorded runs that follow, up to the next heading or the next prediction, are its answer: what happened in them is
//! closed until the reader has chosen, or opens it. So a prediction stands in front of the run that it asks about, and a quoted
//! step of that run behind it. Without script, and in print, nothing is closed.
//!
//! # Faults
//!
//! Whatever is named and not there (a recording, a step, a function, an exercise) stops the build. All faults of the book
//! are reported together, each with its page, its line and what to do.

pub mod atlas;
mod atlas_page;
mod code;
mod exercise;
mod expand;
mod html;
mod predict;
mod project;
mod reference;
mod seen;
mod trace;

pub use project::{entries, files};
pub use reference::{Kind, Reference, references};
pub use seen::{How, Sighting, sightings};

use std::path::Path;

use anyhow::anyhow;
use mdbook_preprocessor::book::{Book, Chapter};
use mdbook_preprocessor::errors::Result;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use expand::{Anchors, Fault, expand};
use project::Project;

/// The preprocessor. Its name is that of its table in `book.toml`, so that a program that embeds mdBook and registers
/// it runs it in its own process, in the place of the command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages;

impl Preprocessor for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    /// Expands all chapters.
    ///
    /// # Errors
    /// If a chapter names what is not there; see the crate's documentation.
    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let project = Project::new(context);
        let mut anchors = Anchors::default();
        for chapter in book.chapters() {
            if let Some(path) = &chapter.path {
                anchors.add(&project, path, &chapter.content);
            }
        }
        let seen = anchors.seen(&project);
        let atlas = anchors.atlas(&project).map_err(|fault| anyhow!("the atlas cannot be shown: {fault}"))?;
        let mut faults: Vec<Fault> = Vec::new();
        book.for_each_chapter_mut(|chapter| {
            let Some(path) = chapter.path.clone() else { return };
            match expand(&project, &anchors, &seen, &atlas, &path, &chapter.content) {
                Ok(content) => chapter.content = content,
                Err(found) => faults.extend(found.into_iter().map(|fault| in_source(&project, chapter, fault))),
            }
        });
        match faults.len() {
            0 => Ok(book),
            _ => {
                let list: Vec<String> = faults.iter().map(Fault::to_string).collect();
                Err(anyhow!("the book refers to what is not there:\n{}", list.join("\n")))
            }
        }
    }

    fn supports_renderer(&self, renderer: &str) -> Result<bool> {
        Ok(renderer == "html")
    }
}

/// The fault with the line that its author sees: `{{#include}}`s have been filled in by now and have moved the lines.
fn in_source(project: &Project, chapter: &Chapter, fault: Fault) -> Fault {
    let source = chapter.source_path.as_deref().unwrap_or(Path::new(""));
    let page = project.page(source);
    let line = match project.read(&page) {
        Ok(text) => line_in_source(&chapter.content, fault.line, &text).unwrap_or(fault.line),
        Err(_) => fault.line,
    };
    Fault { page, line, ..fault }
}

/// Finds the line of `expanded` in `source`: the same text, and as often before.
fn line_in_source(expanded: &str, line: usize, source: &str) -> Option<usize> {
    let text = expanded.lines().nth(line - 1)?;
    let before = expanded.lines().take(line - 1).filter(|other| *other == text).count();
    let same = source.lines().enumerate().filter(|(_, other)| *other == text);
    same.map(|(index, _)| index + 1).nth(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_source() {
        let source = "# a\n{{#include x.svg}}\n[x](traces/a/b.json)\n\n[x](traces/a/b.json)\n";
        let expanded = "# a\n<svg>\n</svg>\n[x](traces/a/b.json)\n\n[x](traces/a/b.json)\n";
        assert_eq!(line_in_source(expanded, 4, source), Some(3));
        assert_eq!(line_in_source(expanded, 6, source), Some(5));
        assert_eq!(line_in_source(expanded, 2, source), None);
    }
}
