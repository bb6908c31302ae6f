//! An exercise as it stands in a page: all that its sheet says of it but the messages of its checks.

use grader::sheet::{Check, Exercise, common};

use crate::code::fence;
use crate::html::{escape, inline};

/// The card. `kicker` is HTML that stands above the title; `read` is a link to where the book explains it.
pub(crate) fn card(exercise: &Exercise, kicker: &str, read: &str) -> String {
    let id = &exercise.id;
    let name = exercise.name();
    let stars = usize::from(exercise.stars);
    let how_hard = match stars {
        1 => "one star of four",
        2 => "two stars of four",
        3 => "three stars of four",
        _ => "four stars of four",
    };
    let mut page = format!(
        "<section class=\"exercise\" id=\"{id}\" aria-label=\"Exercise {id}\">\n\
         <p class=\"kicker\">{kicker} <span class=\"stars\" role=\"img\" aria-label=\"{how_hard}\">{}<span class=\"rest\">{}</span></span></p>\n\n\
         ### {} {{#exercise-{name}}}\n\n{}\n\n{}\n\n",
        "★".repeat(stars),
        "☆".repeat(4_usize.saturating_sub(stars)),
        exercise.title,
        exercise.task.trim(),
        fence("rust", &exercise.signature),
    );
    page += &format!(
        "Write it in `{}`, then let it be graded. [Where the book explains it]({read}).\n\n{}\n\n",
        exercise.file(),
        fence("sh", &format!("cargo test -p lesson-{} {name}", exercise.chapter())),
    );
    page += "<p class=\"label\">What the grader checks</p>\n";
    page += &checks(&exercise.checks);
    page += "<details><summary>And what it checks of every exercise</summary>\n";
    page += &checks(common());
    page += "</details>\n";
    page += &hints(&exercise.hints);
    page += "</section>\n";
    page
}

fn checks(checks: &[Check]) -> String {
    let item = |check: &Check| format!("<li><code>{}</code> {}</li>\n", escape(&check.name), inline(&check.asks));
    format!("<ul class=\"checks\">\n{}</ul>\n", checks.iter().map(item).collect::<String>())
}

/// Each hint within the one before it, so that nobody reads the last one by accident.
fn hints(hints: &[String]) -> String {
    let mut page = String::new();
    for (index, hint) in hints.iter().enumerate() {
        let summary = match index {
            0 => "A hint",
            1 => "A second hint",
            _ if index + 1 == hints.len() => "The last hint",
            _ => "Another hint",
        };
        page += &format!("<details class=\"hint\"><summary>{summary}</summary>\n\n{}\n\n", hint.trim());
    }
    page += &"</details>".repeat(hints.len());
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use grader::sheet::Sheet;

    use super::*;

    const SHEET: &str = r##"
        [[exercise]]
        id = "bind/any-port"
        title = "A port of the kernel's choosing"
        stars = 2
        signature = "pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>"
        task = "Bind *it*."
        hints = ["one", "two", "three"]
        read = "bind.md#port-0"
        [[exercise.check]]
        name = "never_zero"
        asks = "the port is not `0`"
        message = "It is {port}."
        why = "0 is a wish."
    "##;

    #[test]
    fn a_card_has_all_parts() {
        let sheet = Sheet::parse(SHEET).expect("the sheet is good");
        let page = card(&sheet.exercises[0], "Exercise", "bind.md#port-0");
        for part in [
            "<section class=\"exercise\" id=\"bind/any-port\" aria-label=\"Exercise bind/any-port\">",
            "aria-label=\"two stars of four\">★★<span class=\"rest\">☆☆</span>",
            "\n\n### A port of the kernel's choosing {#exercise-any-port}\n\nBind *it*.\n\n",
            "```rust\npub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>\n```",
            "Write it in `lessons/bind/src/exercises.rs`",
            "[Where the book explains it](bind.md#port-0)",
            "```sh\ncargo test -p lesson-bind any-port\n```",
            "<li><code>never_zero</code> the port is not <code>0</code></li>",
            "<li><code>leaves_no_fd_behind</code>",
            "<summary>A second hint</summary>\n\ntwo\n\n",
            "three\n\n</details></details></details>\n</section>",
        ] {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
        assert!(!page.contains("It is {port}"), "the messages are for who needs them:\n{page}");
    }
}
