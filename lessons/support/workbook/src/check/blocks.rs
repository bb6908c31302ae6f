//! Code and output that was typed by hand where it could be cut from a compiled file or taken from a recording.

use anyhow::Result;
use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::Report;
use super::markdown::{Page, line_of, pages};
use crate::exercises;
use crate::project::Project;

/// What a block to be typed into a terminal may begin with. Whatever begins otherwise is taken for output.
const COMMANDS: [&str; 15] = [
    "cargo", "cd", "cp", "git", "man", "mdbook", "strace", "ss", "ip", "sysctl", "python3", "docker", "podman", "sudo",
    "xdg-open",
];

/// The comment that excuses the block that follows it, with the reason.
const EXCUSE: &str = "<!-- typed by hand:";

pub(super) fn check(project: &Project, report: &mut Report) -> Result<()> {
    let mut pages = pages(project)?;
    let readme = project.root().join("README.md");
    if readme.is_file() {
        pages.push(Page::read(project, &readme)?);
    }
    for page in &pages {
        check_page(page, report);
    }
    for (lesson, sheet) in exercises::sheets(project)? {
        let whole = Page::read(project, &exercises::file(project, &lesson))?;
        for exercise in &sheet.exercises {
            let line = line_of(&whole.text, &format!("\"{}\"", exercise.id));
            for text in std::iter::once(&exercise.task).chain(&exercise.hints) {
                let mut found = Report::default();
                check_page(&Page { file: whole.file.clone(), text: text.clone() }, &mut found);
                for finding in found.findings {
                    report.find(&whole.file, line, format!("{}: {}", exercise.id, finding.what));
                }
            }
        }
    }
    report.looked_at.push(format!("{} pages searched for blocks typed by hand", pages.len()));
    Ok(())
}

fn check_page(page: &Page, report: &mut Report) {
    // The last excuse that has not been used, and its line.
    let mut excuse: Option<usize> = None;
    let mut events = page.events().peekable();
    while let Some((line, event)) = events.next() {
        match event {
            Event::Html(html) if html.trim_start().starts_with(EXCUSE) => {
                stale(page, excuse.take(), report);
                let reason = html.trim().trim_start_matches(EXCUSE).trim_end_matches("-->").trim();
                if reason.is_empty() {
                    report.find(&page.file, line, "a block is excused without a reason. Give one behind the colon");
                }
                excuse = Some(line);
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let mut text = String::new();
                while let Some((_, Event::Text(part))) = events.next_if(|(_, next)| matches!(next, Event::Text(_))) {
                    text.push_str(&part);
                }
                if excuse.take().is_none()
                    && let Some(what) = fault(&kind, &text)
                {
                    report.find(&page.file, line, what);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) if is_preformatted(&html) => {
                if excuse.take().is_none() {
                    report.find(&page.file, line, format!("code or output is typed by hand, as HTML. {ADVICE}"));
                }
            }
            Event::Start(Tag::HtmlBlock) | Event::End(_) => {}
            _ => stale(page, excuse.take(), report),
        }
    }
    stale(page, excuse, report);
}

fn stale(page: &Page, excuse: Option<usize>, report: &mut Report) {
    if let Some(line) = excuse {
        report.find(&page.file, line, "this excuses a block, and none follows. Remove it");
    }
}

const ADVICE: &str = "Link to the code ([The code](../lessons/NAME/src/main.rs#function)) or to a recording \
                      ([What happens](traces/LESSON/EXPERIMENT.json)), alone in a paragraph";

/// What is wrong with a code block, if anything is.
fn fault(kind: &CodeBlockKind<'_>, text: &str) -> Option<String> {
    let CodeBlockKind::Fenced(info) = kind else {
        return Some(format!("code or output is typed by hand (four blanks make a block). {ADVICE}"));
    };
    let language = info.split([',', ' ', '{']).next().unwrap_or_default();
    match language {
        "sh" => not_a_command(text).map(|line| {
            format!(
                "`{line}` does not begin with a command that a reader types ({}). Output belongs into a recording; a new \
                 command belongs into the list in lessons/support/workbook/src/check/blocks.rs",
                COMMANDS.join(", ")
            )
        }),
        _ if is_only_an_include(text) => None,
        "" => Some(format!("a block without a language is typed by hand. {ADVICE}")),
        _ => Some(format!("a block of {language} is typed by hand. {ADVICE}")),
    }
}

/// The first line that is not a command, a comment, or the rest of a command.
fn not_a_command(text: &str) -> Option<&str> {
    let mut goes_on = false;
    text.lines().map(str::trim).find(|line| {
        let is_rest = goes_on;
        goes_on = line.ends_with('\\');
        let word = line.split_whitespace().next().unwrap_or_default();
        !is_rest && !line.is_empty() && !line.starts_with('#') && !COMMANDS.contains(&word)
    })
}

/// Whether mdBook puts a file into the block, and nothing else stands in it.
fn is_only_an_include(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            line.ends_with("}}") && (line.starts_with("{{#include ") || line.starts_with("{{#rustdoc_include "))
        })
}

fn is_preformatted(html: &str) -> bool {
    let html = html.to_ascii_lowercase();
    ["<pre", "<code", "<samp", "<listing", "<xmp"].iter().any(|tag| html.contains(tag))
}
