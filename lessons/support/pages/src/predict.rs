//! Questions to answer before the experiment is shown.

use std::ops::Range;

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::html::inline;
use crate::reference::parser;

/// How a question begins, and how it is told from other quotations.
const BEGINNING: &str = "**Predict:**";

/// A question that a chapter asks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prediction {
    /// The question, in Markdown.
    question: String,
    /// What there is to choose from.
    choices: Vec<Choice>,
    /// What is said to whoever has chosen, in Markdown.
    explanation: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    right: bool,
    answer: String,
    reason: String,
}

/// Whether a block quote is a prediction.
pub(crate) fn is_prediction(quote: &str) -> bool {
    unquote(quote).trim_start().starts_with(BEGINNING)
}

/// The form for a prediction, from its block quote. `group` names it on its page and in the whole book.
pub(crate) fn form(quote: &str, group: &str) -> Result<String, String> {
    let prediction = read(quote)?;
    let mut page = format!(
        "<form class=\"predict\" autocomplete=\"off\"><fieldset>\n<legend><b>Predict first:</b> {}</legend>\n",
        inline(&prediction.question)
    );
    for choice in &prediction.choices {
        let (mark, verdict) = if choice.right { (" data-right", "✓ Right.") } else { ("", "✗ Not quite.") };
        page += &format!(
            "<div class=\"choice\"{mark}><label><input type=\"radio\" name=\"{group}\"> <span>{}</span></label>\
             <div role=\"status\"><p><b>{verdict}</b> {}</p></div></div>\n",
            inline(&choice.answer),
            inline(&choice.reason)
        );
    }
    page += &format!(
        "</fieldset>\n<details><summary>The answer</summary>\n\n{}\n\n</details>\n</form>\n",
        prediction.explanation
    );
    Ok(page)
}

fn read(quote: &str) -> Result<Prediction, String> {
    let text = unquote(quote);
    let text = text.trim_start();
    let mut list: Option<Range<usize>> = None;
    let mut choices = Vec::new();
    let mut depth = 0;
    // The box of the item that is being read: whether it is ticked, and where it ends.
    let mut ticked: Option<(bool, usize)> = None;
    for (event, range) in parser(text).into_offset_iter() {
        match event {
            Event::Start(Tag::List(_)) => {
                if depth == 0 && list.is_none() {
                    list = Some(range);
                }
                depth += 1;
            }
            Event::End(TagEnd::List(_)) => depth -= 1,
            Event::Start(Tag::Item) if depth == 1 => ticked = None,
            Event::TaskListMarker(right) => ticked = Some((right, range.end)),
            Event::End(TagEnd::Item) if depth == 1 && within(&list, &range) => {
                let marked = ticked.map(|(right, end)| (right, &text[end..range.end]));
                choices.push(choice(&text[range], marked)?);
            }
            _ => {}
        }
    }
    let Some(list) = list else {
        return Err(
            "this prediction has nothing to choose from: add a list, `> - [ ] wrong :: why` and `> - [x] right :: why`"
                .into(),
        );
    };
    if choices.len() < 2 {
        return Err("this prediction has only one choice: add another".into());
    }
    let right = choices.iter().filter(|choice| choice.right).count();
    if right != 1 {
        return Err(format!("this prediction has {right} right answers: mark exactly one with `[x]`"));
    }
    let explanation = text[list.end..].trim().to_string();
    if explanation.is_empty() {
        return Err("this prediction has no explanation: add one behind the list, after a line with only `>`".into());
    }
    let question = text[BEGINNING.len()..list.start].trim().to_string();
    if question.is_empty() {
        return Err("this prediction asks nothing: write the question behind `**Predict:**`".into());
    }
    if question.contains("\n\n") {
        return Err("the question of a prediction is one paragraph: put what comes before it outside".into());
    }
    Ok(Prediction { question, choices, explanation })
}

/// An item of the list: its marker, the answer and, behind ` :: `, why it is right or wrong.
fn choice(whole: &str, marked: Option<(bool, &str)>) -> Result<Choice, String> {
    let shown = whole.lines().next().unwrap_or("").trim();
    let Some((right, text)) = marked else {
        return Err(format!("the choice `{shown}` has no box: begin it with `- [ ]` or, if it is right, `- [x]`"));
    };
    let Some((answer, reason)) = text.split_once(" :: ").or_else(|| text.split_once(" ::\n")) else {
        return Err(format!("the choice `{shown}` does not say why it is right or wrong: add ` :: ` and the reason"));
    };
    Ok(Choice { right, answer: answer.trim().to_string(), reason: reason.trim().to_string() })
}

fn within(list: &Option<Range<usize>>, range: &Range<usize>) -> bool {
    list.as_ref().is_some_and(|list| list.start <= range.start && range.end <= list.end)
}

/// The quotation without its `>`.
fn unquote(quote: &str) -> String {
    let strip = |line: &str| -> String {
        match line.trim_start().strip_prefix('>') {
            Some(rest) => rest.strip_prefix(' ').unwrap_or(rest).to_string(),
            None => line.to_string(),
        }
    };
    quote.lines().map(strip).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTE: &str = "> **Predict:** What does `bind` return,\n> a second later?\n> - [ ] `0` :: Nobody uses the port,\n>   true.\n> - [x] `-1` with `EADDRINUSE` :: TIME_WAIT.\n>\n> A connection still sits there.\n>\n> See [step 4](traces/bind/a.json#4).\n";

    #[test]
    fn a_prediction_becomes_a_form() {
        assert!(is_prediction(QUOTE));
        let page = form(QUOTE, "bind-1").unwrap();
        for part in [
            "<legend><b>Predict first:</b> What does <code>bind</code> return, a second later?</legend>",
            "<div class=\"choice\"><label><input type=\"radio\" name=\"bind-1\"> <span><code>0</code></span></label>",
            "<b>✗ Not quite.</b> Nobody uses the port, true.",
            "<div class=\"choice\" data-right>",
            "<b>✓ Right.</b> TIME_WAIT.",
            "<summary>The answer</summary>\n\nA connection still sits there.\n\nSee [step 4]",
        ] {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
        let (head, _) = page.split_once("<details>").unwrap();
        assert!(!head.contains("\n\n"), "a blank line would end the HTML:\n{head}");
    }

    #[test]
    fn other_quotations_are_left_alone() {
        assert!(!is_prediction("> A socket has no name."));
        assert!(!is_prediction("> [!NOTE]\n> **Predict:** no"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |quote: &str| form(quote, "x").unwrap_err();
        assert!(error("> **Predict:** What?\n>\n> This.").contains("nothing to choose from"));
        assert!(error("> **Predict:** What?\n> - [x] a :: b\n>\n> c").contains("only one choice"));
        assert!(error("> **Predict:** What?\n> - [ ] a :: b\n> - [ ] a :: b\n>\n> c").contains("has 0 right answers"));
        assert!(error("> **Predict:** What?\n> - [x] a :: b\n> - [x] a :: b\n>\n> c").contains("has 2 right answers"));
        assert!(error("> **Predict:** What?\n> - [x] a :: b\n> - [ ] a :: b").contains("no explanation"));
        assert!(error("> **Predict:**\n> - [x] a :: b\n> - [ ] a :: b\n>\n> c").contains("asks nothing"));
        assert!(error("> **Predict:** What?\n> - [x] a :: b\n> - one\n>\n> c").contains("`- one` has no box"));
        assert!(error("> **Predict:** What?\n> - [x] a :: b\n> - [ ] one\n>\n> c").contains("does not say why"));
        assert!(
            error("> **Predict:** What?\n>\n> More?\n>\n> - [x] a :: b\n> - [ ] a :: b\n>\n> c")
                .contains("one paragraph")
        );
    }
}
