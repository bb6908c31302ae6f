//! Text on its way into HTML.

use std::fmt::Write;

use pulldown_cmark::{Event, Tag, TagEnd, html};

use crate::reference::parser;

/// The text for use between tags and in attributes of an HTML block.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The text for a `<pre>` in an HTML block: without line ends, because a blank line would end the block.
pub(crate) fn escape_lines(text: &str) -> String {
    escape(text).replace('\n', "&#10;")
}

/// The text for use amid Markdown: nothing in it is taken for Markdown, not even a `|` in a table.
pub(crate) fn escape_for_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "&#{};", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A sentence written for a terminal, with the quotes and apostrophes of a book.
pub(crate) fn typographic(text: &str) -> String {
    let mut before = ' ';
    let mut set = |character: char| {
        let opens = before.is_whitespace() || before == '(';
        before = character;
        match character {
            '"' if opens => '“',
            '"' => '”',
            '\'' if opens => '‘',
            '\'' => '’',
            _ => character,
        }
    };
    text.chars().map(&mut set).collect()
}

/// One paragraph of Markdown as HTML, without the `<p>` around it. It stays a paragraph where Markdown would see another
/// block in its beginning: the answer `50000.` is no list.
pub(crate) fn inline(markdown: &str) -> String {
    let markdown = &only_a_paragraph(markdown.trim());
    let events = parser(markdown)
        .filter(|event| !matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)))
        .map(|event| match event {
            Event::SoftBreak => Event::Text(" ".into()),
            other => other,
        });
    let mut rendered = String::new();
    html::push_html(&mut rendered, events);
    rendered.trim().to_string()
}

/// The text with a backslash before the sign that would make its beginning a list, a heading or a quotation.
fn only_a_paragraph(text: &str) -> String {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let sign = match text[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => Some(digits),
        Some('#' | '>' | '+' | '-') if digits == 0 => Some(0),
        Some('*') if digits == 0 && text[1..].starts_with(char::is_whitespace) => Some(0),
        _ => None,
    };
    match sign {
        Some(at) => format!("{}\\{}", &text[..at], &text[at..]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_html_would_read_is_escaped() {
        assert_eq!(escape(r#"a <b> & "c""#), "a &lt;b&gt; &amp; &quot;c&quot;");
        assert_eq!(escape_lines("a\n\nb"), "a&#10;&#10;b");
        assert_eq!(escape_for_markdown("A|b_c"), "A&#124;b&#95;c");
    }

    #[test]
    fn quotes_are_those_of_a_book() {
        assert_eq!(typographic("the \"first\" one's (\"it\")"), "the “first” one’s (“it”)");
    }

    #[test]
    fn a_paragraph_becomes_inline_html() {
        assert_eq!(inline("`-1` with\n  *EADDRINUSE*"), "<code>-1</code> with <em>EADDRINUSE</em>");
    }

    #[test]
    fn a_paragraph_stays_one_however_it_begins() {
        for text in ["50000.", "4) four", "-1", "- 1", "+ 1", "* one", "# one", "1.5 is a number"] {
            assert_eq!(inline(text), text);
        }
        assert_eq!(inline("> one"), "&gt; one");
        assert_eq!(inline("*one* of two"), "<em>one</em> of two");
        assert_eq!(inline("12"), "12");
        assert_eq!(inline(""), "");
    }
}
