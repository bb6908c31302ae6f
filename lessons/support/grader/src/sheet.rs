//! The exercise sheet: what `lessons/NAME/exercises.toml` says, read and checked.
//!
//! An exercise is described there and nowhere else. The book, the grader's messages and `cargo workbook hint` all read it
//! through this module, which needs no more than a TOML parser. The form of the file:
//!
//! ```toml
//! [[exercise]]
//! id = "bind/any-port"                      # the exercise `any-port` of lessons/bind
//! title = "A port of the kernel's choosing"
//! stars = 1                                 # 1 to 4
//! signature = "pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>"   # in lessons/bind/src/exercises.rs
//! task = "…"                                # Markdown
//! hints = ["…", "…", "…"]                   # Markdown, three, from a nudge to nearly everything
//! read = "bind.md#port-0"                   # a page of the book and an anchor in it
//!
//! [[exercise.check]]
//! name = "never_zero"
//! asks = "the port is not 0"                # what must hold: a clause, for the book's table and "Expected:"
//! message = "You returned port {port}."     # what a failure says; the check fills the {placeholders} in
//! why = "…"                                 # one sentence
//! read = "bind.md#port-0"                   # only where it differs from the exercise's
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

/// The exercises of one lesson, in the order in which a student meets them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The exercises.
    #[serde(rename = "exercise", default)]
    pub exercises: Vec<Exercise>,
}

/// A function that the student writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The chapter and the exercise's own name, such as `bind/any-port`. It never changes: results are kept under it.
    pub id: String,
    /// A heading.
    pub title: String,
    /// How hard it is: 1 (one or two calls) to 4.
    pub stars: u8,
    /// The function's first line, such as `pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>`.
    pub signature: String,
    /// What to do, in Markdown.
    pub task: String,
    /// Three hints in Markdown, from a nudge to nearly everything.
    pub hints: Vec<String>,
    /// Where the book explains it: a page and an anchor, such as `bind.md#port-0`.
    pub read: String,
    /// What the grader checks. Every exercise is also put to the [`common`] checks.
    #[serde(rename = "check", default)]
    pub checks: Vec<Check>,
}

/// One thing that the grader asks of an exercise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name, such as `never_zero`.
    pub name: String,
    /// What must hold, as a clause without a full stop, such as `the port is not 0`.
    pub asks: String,
    /// What a failure says, with `{placeholders}` that the check fills in ([`fill`]).
    pub message: String,
    /// Why it matters: one sentence.
    pub why: String,
    /// Where the book explains this check, if not where it explains the exercise.
    pub read: Option<String>,
}

impl Sheet {
    /// Reads a sheet from the text of an `exercises.toml`.
    ///
    /// # Errors
    /// The text is not TOML of this form, or something in it breaks a rule that its readers rely on
    /// (an id that is not `chapter/name`, a number of hints other than three, the same check twice …).
    pub fn parse(text: &str) -> Result<Sheet, Error> {
        let sheet: Sheet = toml::from_str(text).map_err(|source| Error::new(None, source.to_string()))?;
        sheet.examine().map_err(|what| Error::new(None, what))?;
        Ok(sheet)
    }

    /// Reads the sheet in this file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a sheet ([`Sheet::parse`]).
    pub fn read(path: impl AsRef<Path>) -> Result<Sheet, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| Error::new(Some(path), source.to_string()))?;
        Sheet::parse(&text).map_err(|error| Error { path: Some(path.to_path_buf()), ..error })
    }

    /// The exercise with this id (`bind/any-port`) or own name (`any-port`).
    pub fn exercise(&self, name: &str) -> Option<&Exercise> {
        self.exercises.iter().find(|exercise| exercise.id == name || exercise.name() == name)
    }

    fn examine(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for exercise in &self.exercises {
            if !ids.insert(&exercise.id) {
                return Err(format!("there are two exercises {}", exercise.id));
            }
            exercise.examine().map_err(|what| format!("exercise {}: {what}", exercise.id))?;
        }
        Ok(())
    }
}

impl Exercise {
    /// The chapter's name: `bind` for `bind/any-port`.
    pub fn chapter(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(chapter, _)| chapter)
    }

    /// The exercise's own name: `any-port` for `bind/any-port`. Also its anchor in the chapter's page.
    pub fn name(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(_, name)| name)
    }

    /// The function that the student writes, which the signature names: `bind_any_port`. (Empty if it names none, which no
    /// sheet that was read does.)
    pub fn function(&self) -> &str {
        let after = self.signature.split_once("fn ").map_or("", |(_, after)| after);
        let end = after.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        end.map_or(after, |end| &after[..end])
    }

    /// The file that it is written in, from the root of the repository: `lessons/bind/src/exercises.rs`.
    pub fn file(&self) -> String {
        format!("lessons/{}/src/exercises.rs", self.chapter())
    }

    /// The check of this name, among its own or the [`common`] ones.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.all_checks().find(|check| check.name == name)
    }

    /// Its own checks, then the [`common`] ones.
    pub fn all_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(common())
    }

    fn examine(&self) -> Result<(), String> {
        let is_name = |text: &str, dash: u8| {
            text.starts_with(|first: char| first.is_ascii_lowercase())
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == dash)
        };
        let Some((chapter, name)) = self.id.split_once('/') else {
            return Err("its id is not of the form chapter/name".to_string());
        };
        if !is_name(chapter, b'-') || !is_name(name, b'-') {
            return Err("its id is not made of lower-case letters, digits and dashes".to_string());
        }
        if !(1..=4).contains(&self.stars) {
            return Err(format!("it has {} stars; 1 to 4 exist", self.stars));
        }
        if self.hints.len() != 3 {
            return Err(format!("it has {} hints; three are wanted", self.hints.len()));
        }
        if self.function().is_empty() {
            return Err("its signature names no function: it does not contain `fn name`".to_string());
        }
        for (field, text) in [("title", &self.title), ("task", &self.task)] {
            if text.trim().is_empty() {
                return Err(format!("its {field} is empty"));
            }
        }
        if self.checks.is_empty() {
            return Err("it has no check".to_string());
        }
        examine_reading(&self.read)?;
        let mut names: BTreeSet<&str> = common().iter().map(|check| check.name.as_str()).collect();
        for check in &self.checks {
            if !names.insert(&check.name) {
                return Err(format!("there are two checks {} (the checks of every exercise count too)", check.name));
            }
            if !is_name(&check.name, b'_') {
                return Err(format!(
                    "the check {:?} is not named in lower-case letters, digits and underscores",
                    check.name
                ));
            }
            check.examine().map_err(|what| format!("check {}: {what}", check.name))?;
        }
        Ok(())
    }
}

impl Check {
    /// The placeholders in its message, in order.
    ///
    /// # Errors
    /// A brace that opens or closes nothing.
    pub fn placeholders(&self) -> Result<Vec<&str>, String> {
        let mut names = Vec::new();
        for piece in pieces(&self.message)? {
            if let Piece::Placeholder(name) = piece {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn examine(&self) -> Result<(), String> {
        for (field, text) in [("asks", &self.asks), ("message", &self.message), ("why", &self.why)] {
            if text.trim().is_empty() {
                return Err(format!("its {field} is empty"));
            }
        }
        if self.asks.ends_with('.') {
            return Err("what it asks is a clause: no full stop at its end".to_string());
        }
        self.placeholders()?;
        self.read.as_deref().map_or(Ok(()), examine_reading)
    }
}

fn examine_reading(read: &str) -> Result<(), String> {
    match read.split_once('#') {
        Some((page, anchor)) if page.ends_with(".md") && !anchor.is_empty() => Ok(()),
        _ => Err(format!("read = {read:?} is not of the form page.md#anchor")),
    }
}

/// The checks that every exercise has besides its own: `lessons/support/grader/common.toml`.
pub fn common() -> &'static [Check] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Common {
        check: Vec<Check>,
    }
    static COMMON: OnceLock<Vec<Check>> = OnceLock::new();
    COMMON.get_or_init(|| {
        let common: Common =
            toml::from_str(include_str!("../common.toml")).expect("common.toml is valid: a test reads it");
        common.check
    })
}

/// Fills a message's `{placeholders}` in. Every placeholder needs a value, and every value a placeholder.
/// Two braces stand for one.
///
/// # Errors
/// Says in one sentence what does not fit.
pub fn fill(message: &str, values: &[(&str, String)]) -> Result<String, String> {
    let mut filled = String::new();
    let mut used = BTreeSet::new();
    for piece in pieces(message)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder(name) => {
                let Some((_, value)) = values.iter().find(|(key, _)| *key == name) else {
                    return Err(format!("the message asks for {{{name}}}, and the check does not say what that is"));
                };
                used.insert(name);
                filled.push_str(value);
            }
        }
    }
    match values.iter().find(|(key, _)| !used.contains(key)) {
        Some((key, _)) => Err(format!("the check gives {{{key}}}, and the message does not ask for it")),
        None => Ok(filled),
    }
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

fn pieces(message: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = message;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, brace) = rest.split_at(at);
        pieces.push(Piece::Text(text));
        if brace.starts_with("{{") || brace.starts_with("}}") {
            pieces.push(Piece::Text(&brace[..1]));
            rest = &brace[2..];
            continue;
        }
        let inside = brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        match inside {
            Some((name, after)) if is_placeholder(name) => {
                pieces.push(Piece::Placeholder(name));
                rest = after;
            }
            _ => {
                return Err(format!(
                    "a brace opens or closes no placeholder in {message:?}; write it twice to print it"
                ));
            }
        }
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn is_placeholder(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Why a sheet cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: Option<PathBuf>,
    what: String,
}

impl Error {
    fn new(path: Option<&Path>, what: String) -> Error {
        Error { path: path.map(Path::to_path_buf), what }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.what),
            None => write!(f, "exercises.toml: {}", self.what),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r##"
        [[exercise]]
        id = "bind/any-port"
        title = "A port"
        stars = 1
        signature = "pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>"
        task = "Bind."
        hints = ["a", "b", "c"]
        read = "bind.md#port-0"
        [[exercise.check]]
        name = "never_zero"
        asks = "the port is not 0"
        message = "It is {port}."
        why = "0 is a wish."
    "##;

    fn rejects(from: &str, to: &str, complaint: &str) {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "the sample does not contain {from:?}");
        let error = Sheet::parse(&text).expect_err(complaint).to_string();
        assert!(error.contains(complaint), "{error:?} does not say {complaint:?}");
    }

    #[test]
    fn an_exercise_names_its_function_and_its_file() {
        let sheet = Sheet::parse(GOOD).expect("the sample is good");
        let exercise = sheet.exercise("any-port").expect("found by its own name");
        assert_eq!(Some(exercise), sheet.exercise("bind/any-port"));
        assert_eq!(sheet.exercise("any"), None);
        assert_eq!((exercise.chapter(), exercise.name()), ("bind", "any-port"));
        assert_eq!(exercise.function(), "bind_any_port");
        assert_eq!(exercise.file(), "lessons/bind/src/exercises.rs");
    }

    #[test]
    fn a_broken_sheet_says_what_is_wrong_and_where() {
        rejects("bind/any-port", "any-port", "chapter/name");
        rejects("bind/any-port", "bind/Any-Port", "lower-case");
        rejects("stars = 1", "stars = 5", "5 stars");
        rejects(r#"["a", "b", "c"]"#, r#"["a", "b"]"#, "2 hints");
        rejects("fn bind_any_port", "fun bind_any_port", "names no function");
        rejects("bind.md#port-0", "bind.md", "page.md#anchor");
        rejects("never_zero", "survives", "two checks survives");
        rejects("never_zero", "never-zero", "underscores");
        rejects("is not 0", "is not 0.", "no full stop");
        rejects("{port}", "{port", "brace");
        rejects("{port}", "{The Port}", "brace");
        rejects("[[exercise.check]]", "[[exercise.chekc]]", "unknown field");
        rejects(r#"task = "Bind.""#, "", "task");
    }

    #[test]
    fn a_sheet_that_cannot_be_read_names_the_file() {
        let error = Sheet::read("no/such/exercises.toml").expect_err("there is no such file").to_string();
        assert!(error.starts_with("no/such/exercises.toml: "), "{error}");
    }

    #[test]
    fn a_message_is_filled_in_completely_or_not_at_all() {
        let port = ("port", "7".to_string());
        assert_eq!(fill("It is {port}.", std::slice::from_ref(&port)), Ok("It is 7.".to_string()));
        assert_eq!(fill("{{fd}} is {port}", std::slice::from_ref(&port)), Ok("{fd} is 7".to_string()));
        assert!(fill("It is {port}.", &[]).is_err());
        assert!(fill("It is 7.", &[port]).is_err());
    }

    #[test]
    fn the_sheets_of_the_lessons_are_good() {
        let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut read = 0;
        for lesson in std::fs::read_dir(&lessons).expect("the folder of the lessons") {
            let path = lesson.expect("an entry").path().join("exercises.toml");
            if path.exists() {
                Sheet::read(&path).unwrap_or_else(|error| panic!("{error}"));
                read += 1;
            }
        }
        assert!(read > 0, "no lesson has an exercises.toml in {}", lessons.display());
    }

    #[test]
    fn the_common_checks_are_well_formed() {
        let names: Vec<&str> = common().iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["survives", "finishes_in_time", "leaves_no_fd_behind", "stays_on_loopback"]);
        for check in common() {
            check.examine().expect(&check.name);
        }
    }
}
