//! Code taken from the project's own files, whole or by name.

use std::path::Path;

use crate::html::{escape, escape_for_markdown};

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// The file, relative to the project's folder, and what it is in it: `lessons/bind/src/main.rs:port_in_use`.
    pub id: String,
    /// The language's name for highlighting.
    language: &'static str,
    /// The text, without blank lines around it.
    text: String,
}

/// Takes the code that a link names out of the file's `text`.
pub(crate) fn take(file: &Path, text: &str, name: Option<&str>) -> Result<Code, String> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let language = match extension {
        "rs" => "rust",
        "py" => "python",
        "toml" => "toml",
        "c" => "c",
        "sh" => "sh",
        _ => "text",
    };
    let Some(name) = name else {
        let text = text.trim_matches('\n').trim_end().to_string();
        return Ok(Code { id: file.display().to_string(), language, text });
    };
    let lines: Vec<&str> = text.lines().collect();
    let (what, items) = match extension {
        "rs" => ("item", rust_items(&lines)),
        "py" => ("function or class", python_items(&lines)),
        "toml" => ("table", toml_items(&lines)),
        _ => {
            return Err(format!(
                "code is taken by name from .rs, .py and .toml files only; link to all of `{}`",
                file.display()
            ));
        }
    };
    let Some(item) = items.iter().find(|item| item.name == name) else {
        return Err(format!("no {what} `{name}` in {}{}", file.display(), alternatives(name, &items)));
    };
    let text = lines[item.first..=item.last].join("\n");
    Ok(Code { id: format!("{}:{name}", file.display()), language, text })
}

/// What the file has instead: the nearest names.
fn alternatives(name: &str, items: &[Item]) -> String {
    let mut names: Vec<&str> = items.iter().map(|item| item.name).collect();
    names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    names.dedup();
    match names.len() {
        0 => ": it has none".to_string(),
        1..=6 => format!(": it has {}", names.join(", ")),
        _ => format!(": the nearest are {}", names[..6].join(", ")),
    }
}

/// A named piece of a file, from its first line to its last, counted from 0.
#[derive(Debug, PartialEq, Eq)]
struct Item<'a> {
    name: &'a str,
    first: usize,
    last: usize,
}

/// The items that begin at the left margin: functions, types, constants. Each takes with it the comments and attributes
/// right above, and ends with the closing brace at the left margin or with the line that ends in `;`.
fn rust_items<'a>(lines: &[&'a str]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = rust_name(line) else { continue };
        let complete = line.ends_with(';') || (line.ends_with('}') && !line.starts_with('}'));
        let last = if complete {
            start
        } else {
            let ends = |line: &&str| line.starts_with(['}', ')', ']']) && line.ends_with(['}', ';']);
            match lines[start..].iter().position(ends) {
                Some(length) => start + length,
                None => lines.len() - 1,
            }
        };
        items.push(Item { name, first: with_what_is_above(lines, start, &["///", "//", "#["]), last });
    }
    items
}

/// The name of the item that this line begins.
fn rust_name(line: &str) -> Option<&str> {
    let mut rest = line;
    for word in ["pub(crate) ", "pub(super) ", "pub ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest = match rest.strip_prefix("const ") {
        Some(function) if function.starts_with("fn ") || function.starts_with("unsafe ") => function,
        _ => rest,
    };
    let kinds = ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "union ", "macro_rules! ", "mod "];
    let after = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = after.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(after.len());
    (end > 0).then_some(&after[..end])
}

/// The functions and classes that begin at the left margin, with their decorators and comments.
fn python_items<'a>(lines: &[&'a str]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(after) = ["def ", "async def ", "class "].iter().find_map(|kind| line.strip_prefix(kind)) else {
            continue;
        };
        let end = after.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(after.len());
        let body = |line: &&&str| line.is_empty() || line.starts_with([' ', '\t', ')']);
        let length = lines[start + 1..].iter().take_while(body).count();
        let last = last_with_text(lines, start, start + length);
        items.push(Item { name: &after[..end], first: with_what_is_above(lines, start, &["#", "@"]), last });
    }
    items
}

/// The tables, each up to the next.
fn toml_items<'a>(lines: &[&'a str]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = line.trim_end().strip_prefix('[').and_then(|line| line.strip_suffix(']')) else { continue };
        let name = name.trim_matches(['[', ']']);
        let length = lines[start + 1..].iter().take_while(|line| !line.starts_with('[')).count();
        items.push(Item { name, first: start, last: last_with_text(lines, start, start + length) });
    }
    items
}

/// The first of the lines right above `start` that begin with one of these.
fn with_what_is_above(lines: &[&str], start: usize, beginnings: &[&str]) -> usize {
    let above =
        |line: &&&str| beginnings.iter().any(|beginning| line.starts_with(beginning)) && !line.starts_with("//!");
    start - lines[..start].iter().rev().take_while(above).count()
}

/// The last line from `first` to `last` that is not blank.
fn last_with_text(lines: &[&str], first: usize, last: usize) -> usize {
    (first..=last).rev().find(|&line| !lines[line].trim().is_empty()).unwrap_or(first)
}

impl Code {
    /// The code alone.
    pub fn block(&self) -> String {
        fence(self.language, &self.text)
    }

    /// A figure with a caption: the link's text and where the code comes from.
    pub fn figure(&self, title: &str, with_id: bool) -> String {
        let file = self.id.split(':').next().unwrap_or(&self.id);
        let id = if with_id { format!(" id=\"{}\"", escape(&self.id)) } else { String::new() };
        format!(
            "<figure class=\"code\"{id}><figcaption><b>{}</b> <span class=\"file\">{}</span></figcaption>\n\n{}\n\n</figure>\n",
            title,
            escape(file),
            fence(self.language, &self.text)
        )
    }
}

impl Code {
    /// What a link with such a text quotes of the code, in the form for running text: `libc::bind(…)` is the one call of
    /// that function, with its arguments, and `fcntl(…F_SETFL…)` the one with that word among them. `None` for any other
    /// text; an error where the code has no such call, or several that differ.
    pub fn quote(&self, text: &str) -> Option<Result<String, String>> {
        let text = text.trim_matches('`');
        let (name, rest) = text.strip_suffix(')')?.split_once("(…")?;
        let word = if rest.is_empty() { "" } else { rest.strip_suffix('…')? };
        let mut calls: Vec<String> = self.calls(name).into_iter().filter(|call| call.contains(word)).collect();
        calls.dedup();
        Some(match calls.as_slice() {
            [call] => Ok(format!("<code>{}</code>", escape_for_markdown(call))),
            [] => Err(format!("there is no call `{text}` in {}: mend the name, or name another function", self.id)),
            [first, second, ..] => Err(format!(
                "`{text}` stands for several calls in {}, `{first}` and `{second}`: add a word that only one of them has, \
                 `{name}(…word…)`",
                self.id
            )),
        })
    }

    /// All calls of a function, each on one line; not those in comments.
    fn calls(&self, name: &str) -> Vec<String> {
        let begin = format!("{name}(");
        let begins = self.text.match_indices(&begin).map(|(at, _)| at).filter(|&at| {
            let before = &self.text[..at];
            let line = before.rsplit('\n').next().unwrap_or_default();
            let goes_on = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.'));
            let defines = ["fn ", "def "].iter().any(|word| before.ends_with(word));
            !goes_on && !defines && !line.contains("//") && !line.trim_start().starts_with('#')
        });
        let call = |at: usize| Some(&self.text[at..at + name.len() + brackets(&self.text[at + name.len()..])?]);
        begins.filter_map(call).map(on_one_line).collect()
    }
}

/// How long the expression in brackets is that `text` begins with.
fn brackets(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut in_string = false;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + character.len_utf8());
        }
    }
    None
}

/// The expression as it would stand if the line were long enough, without comments.
fn on_one_line(text: &str) -> String {
    let code = text.lines().map(|line| line.split(" // ").next().unwrap_or_default());
    let line = code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    line.replace("( ", "(").replace(", )", ")").replace(" )", ")")
}

/// A fenced block that nothing in the text can close.
pub(crate) fn fence(language: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}

/// Several spellings of the same, of which the reader chooses one, or all. `group` names the choice on its page.
pub(crate) fn spellings(group: &str, codes: &[(String, Code, bool)]) -> String {
    let titles: Vec<&str> = codes.iter().map(|(title, _, _)| title.as_str()).collect();
    let mut page = format!("<div class=\"spellings\"><fieldset><legend>{}</legend>", "Show it in");
    for (index, title) in titles.iter().chain(&["all"]).enumerate() {
        let checked = if index == 0 { " checked" } else { "" };
        page += &format!("<label><input type=\"radio\" name=\"{group}\"{checked}> {title}</label>");
    }
    page += "</fieldset>\n\n";
    for (title, code, with_id) in codes {
        page += &code.figure(title, *with_id);
        page.push('\n');
    }
    page += "</div>\n";
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "//! A lesson.\n\nuse lab::Stop;\n\n/// Two sockets.\n// And more.\n#[rustfmt::skip]\nfn port_in_use() -> Result<(), Stop> {\n    if a {\n    }\n    Ok(())\n}\n\nfn one_line() {}\n\npub const LIMIT: usize = 3;\n\nstatic LESSON: Lesson = Lesson {\n    name: \"bind\",\n};\n\npub fn long(\n    a: u8,\n) -> u8 {\n    a\n}\n\npub fn where_it_is<T>(a: T)\nwhere\n    T: Copy,\n{\n}\n";

    fn rust(name: &str) -> Result<String, String> {
        take(Path::new("lessons/bind/src/main.rs"), RUST, Some(name)).map(|code| code.text)
    }

    #[test]
    fn a_function_comes_with_its_comments_and_attributes() {
        assert_eq!(
            rust("port_in_use").as_deref(),
            Ok(
                "/// Two sockets.\n// And more.\n#[rustfmt::skip]\nfn port_in_use() -> Result<(), Stop> {\n    if a {\n    }\n    Ok(())\n}"
            )
        );
    }

    #[test]
    fn items_of_all_shapes_are_found() {
        assert_eq!(rust("one_line").as_deref(), Ok("fn one_line() {}"));
        assert_eq!(rust("LIMIT").as_deref(), Ok("pub const LIMIT: usize = 3;"));
        assert_eq!(rust("LESSON").as_deref(), Ok("static LESSON: Lesson = Lesson {\n    name: \"bind\",\n};"));
        assert_eq!(rust("long").as_deref(), Ok("pub fn long(\n    a: u8,\n) -> u8 {\n    a\n}"));
        assert_eq!(rust("where_it_is").as_deref(), Ok("pub fn where_it_is<T>(a: T)\nwhere\n    T: Copy,\n{\n}"));
    }

    #[test]
    fn a_name_that_is_not_there_gets_the_nearest() {
        let error = rust("port_in_us").unwrap_err();
        assert!(error.starts_with("no item `port_in_us` in lessons/bind/src/main.rs"), "{error}");
        assert!(error.contains("port_in_use"), "{error}");
    }

    #[test]
    fn python_functions_end_with_their_indentation() {
        let text = "import socket\n\n\n# Binds.\ndef bind(\n    port,\n):\n    a = 1\n\n    return a\n\n\nbind(0)\n";
        let code = take(Path::new("a.py"), text, Some("bind")).unwrap();
        assert_eq!(code.text, "# Binds.\ndef bind(\n    port,\n):\n    a = 1\n\n    return a");
        assert_eq!(take(Path::new("a.py"), text, None).unwrap().text, text.trim_end());
    }

    #[test]
    fn toml_tables_end_at_the_next() {
        let text = "[package]\nname = \"a\"\n\n[dependencies]\nlibc = \"0.2\"\n";
        assert_eq!(take(Path::new("Cargo.toml"), text, Some("package")).unwrap().text, "[package]\nname = \"a\"");
        assert_eq!(
            take(Path::new("Cargo.toml"), text, Some("dependencies")).unwrap().text,
            "[dependencies]\nlibc = \"0.2\""
        );
    }

    /// What a link with this text quotes of some Rust.
    fn quote(code: &str, text: &str) -> Option<Result<String, String>> {
        take(Path::new("a.rs"), code, None).unwrap().quote(text)
    }

    #[test]
    fn a_call_may_be_quoted() {
        let code = "fn bind() {\n    // not bind(this)\n    let a = unsafe {\n        libc::bind(\n            fd, // its number\n        )\n    };\n    \
                    bind(fd.raw(), &name(\") \\\" (\"))?;\n    rebind(1);\n    s.bind((host, port));\n}\n";
        let quoted = |text| quote(code, text).map(|quoted| quoted.map(|html| html.matches("&#40;").count()));
        assert_eq!(quoted("bind(…)"), Some(Ok(4)));
        assert_eq!(quoted("`s.bind(…)`"), Some(Ok(2)));
        let libc = quote("f(libc::bind(\n    a,\n    b(\n        c,\n    ),\n))", "libc::bind(…)").unwrap().unwrap();
        assert_eq!(
            libc.replace("&#58;", ":").replace("&#40;", "(").replace("&#41;", ")").replace("&#44;", ","),
            "<code>libc::bind(a, b(c))</code>"
        );
        for text in ["bind", "bind()", "bind(3)", "step 4", "(see)"] {
            assert_eq!(quote(code, text), None, "{text}");
        }
    }

    #[test]
    fn a_quoted_call_must_be_the_only_one() {
        let code = "fn a() {\n    f(1);\n    f(1);\n    g(A);\n    g(B);\n}\n";
        assert_eq!(quote(code, "f(…)").unwrap().unwrap(), "<code>f&#40;1&#41;</code>");
        assert_eq!(quote(code, "g(…B…)").unwrap().unwrap(), "<code>g&#40;B&#41;</code>");
        let error = quote(code, "g(…)").unwrap().unwrap_err();
        assert!(error.contains("several calls in a.rs, `g(A)` and `g(B)`") && error.contains("`g(…word…)`"), "{error}");
        assert!(quote(code, "h(…)").unwrap().unwrap_err().contains("no call `h(…)` in a.rs"));
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("rust", "a"), "```rust\na\n```");
        assert_eq!(fence("rust", "/// ```\n/// ````\n"), "`````rust\n/// ```\n/// ````\n\n`````");
    }

    #[test]
    fn spellings_can_be_chosen() {
        let code = take(Path::new("a.py"), "x = 1\n", None).unwrap();
        let page = spellings("bind-1", &[("Python".into(), code.clone(), true), ("libc".into(), code, false)]);
        assert!(page.contains("<label><input type=\"radio\" name=\"bind-1\" checked> Python</label>"), "{page}");
        assert!(page.contains("<label><input type=\"radio\" name=\"bind-1\"> all</label>"), "{page}");
        assert_eq!(page.matches("<figure").count(), 2);
        assert_eq!(page.matches("id=\"a.py\"").count(), 1);
    }
}
