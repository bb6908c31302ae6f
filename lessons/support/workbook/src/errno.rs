//! Looking an errno up: what the recordings have of it, across all lessons. Nothing is built for it, and nothing is played.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use anyhow::{Result, anyhow};
use lab::{errno_name, errno_number, errno_words};
use pages::atlas::{Atlas, Cause, Need, Standing, calls_in_order};

use crate::project::Project;
use crate::record;

const ERRNO: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// How wide the explanations are printed.
const WIDTH: usize = 100;

/// How alike two names must be (0 to 1) for one to be offered in place of the other.
const ALIKE: f64 = 0.78;

/// All that the recordings have of errnos.
pub struct Errnos {
    atlas: Atlas,
    /// The experiments of the stories that show an errno, by errno.
    stories: BTreeMap<String, Vec<String>>,
}

/// A name or number that no errno of the atlas has.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub asked: String,
    /// Whether there is such an errno all the same, which no call of the book gives: its name and its words.
    pub elsewhere: Option<(String, String)>,
    /// The errnos that are called most like it.
    pub nearest: Vec<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.elsewhere {
            Some((name, words)) if *name == self.asked => write!(f, "no call of this book gives {name} ({words}).")?,
            Some((name, words)) => write!(f, "no call of this book gives {}, which is {name} ({words}).", self.asked)?,
            None => write!(f, "there is no errno {}.", self.asked)?,
        }
        match self.nearest.as_slice() {
            [] => {}
            [one] => write!(f, " Did you mean {one}?")?,
            [first @ .., last] => write!(f, " Did you mean {} or {last}?", first.join(", "))?,
        }
        write!(f, " `cargo workbook errno` lists them")
    }
}

impl Errnos {
    /// Reads the recordings.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn read(project: &Project) -> Result<Errnos> {
        let atlas = Atlas::read(&project.traces()).map_err(|fault| anyhow!(fault))?;
        let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (lesson, experiment, file) in record::kept(project)? {
            let name = format!("{lesson}/{experiment}");
            for errno in pages::sightings(&record::read(&file)?).into_iter().filter_map(|sighting| sighting.errno) {
                let names = stories.entry(errno).or_default();
                if names.last() != Some(&name) {
                    names.push(name.clone());
                }
            }
        }
        Ok(Errnos { atlas, stories })
    }

    /// The errnos of the atlas, each once, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.atlas.causes.iter().map(|cause| cause.entry.errno.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The errno that a word means, a name in any case or a number.
    ///
    /// # Errors
    /// If the atlas has none such; with what is like it.
    pub fn find(&self, asked: &str) -> Result<&str, Unknown> {
        let number: Option<i32> = asked.parse().ok();
        let wanted = match number {
            Some(number) => errno_name(number).unwrap_or_default(),
            None => asked.to_ascii_uppercase(),
        };
        // The one has two names.
        let wanted = if wanted == "EWOULDBLOCK" { "EAGAIN".to_string() } else { wanted };
        if let Some(name) = self.names().into_iter().find(|name| *name == wanted) {
            return Ok(name);
        }
        let mut nearest: Vec<(f64, &str)> = match number {
            Some(_) => Vec::new(),
            None => self.names().into_iter().map(|name| (strsim::jaro_winkler(&wanted, name), name)).collect(),
        };
        nearest.retain(|(alike, _)| *alike >= ALIKE);
        nearest.sort_by(|one, other| other.0.total_cmp(&one.0));
        Err(Unknown {
            asked: asked.to_string(),
            elsewhere: errno_words(&wanted).map(|words| (wanted, words)),
            nearest: nearest.into_iter().take(3).map(|(_, name)| name.to_string()).collect(),
        })
    }

    /// Prints all errnos with their calls.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn list(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.names();
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        for name in &names {
            let calls: BTreeSet<&str> = self.atlas.errno(name).flat_map(|cause| cause.calls()).collect();
            let calls: Vec<&str> = calls.into_iter().collect();
            writeln!(out, "{ERRNO}{name:<width$}{ERRNO:#}  {}", calls.join(", "))?;
        }
        writeln!(out, "\n{}.", self.atlas.counts())?;
        writeln!(out, "cargo workbook errno NAME tells all of one.")
    }

    /// Prints all that there is of one errno.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn tell(&self, out: &mut impl Write, errno: &str) -> io::Result<()> {
        let number = errno_number(errno).map(|number| format!(" ({number})")).unwrap_or_default();
        let words = errno_words(errno).map(|words| format!(": {words}")).unwrap_or_default();
        writeln!(out, "{ERRNO}{errno}{ERRNO:#}{number}{words}")?;
        let mut lessons: Vec<&str> = self.atlas.errno(errno).map(|cause| cause.recording.lesson.as_str()).collect();
        lessons.dedup();
        for lesson in &lessons {
            let causes: Vec<&Cause> =
                self.atlas.errno(errno).filter(|cause| cause.recording.lesson == *lesson).collect();
            let calls = calls_in_order(causes.iter().copied());
            let standings: Vec<String> = calls
                .iter()
                .map(|call| {
                    let gives = |cause: &&&Cause| cause.calls().any(|one| one == *call);
                    let own = causes.iter().filter(gives).map(|cause| &cause.entry);
                    format!("{BOLD}{call}{BOLD:#} {FAINT}({}){FAINT:#}", Standing::of(own).words())
                })
                .collect();
            writeln!(out, "\nfrom {}", standings.join(", "))?;
            for cause in causes {
                self.tell_cause(out, cause, calls.len() > 1)?;
            }
        }
        if let Some(names) = self.stories.get(errno) {
            writeln!(out, "\nIn the chapters:")?;
            paragraph(out, "  ", &names.join(", "))?;
        }
        writeln!(out, "\nSee it live:")?;
        for lesson in lessons {
            writeln!(out, "  cargo run -p lesson-{lesson} -- {errno}")?;
        }
        Ok(())
    }

    fn tell_cause(&self, out: &mut impl Write, cause: &Cause, several: bool) -> io::Result<()> {
        let Cause { recording, entry } = cause;
        let calls = if several { format!("  {FAINT}{}{FAINT:#}", entry.calls.join(", ")) } else { String::new() };
        writeln!(out, "\n  {BOLD}{}{BOLD:#}{calls}", recording.experiment)?;
        paragraph(out, "    ", &recording.shows)?;
        paragraph(out, "    ", &format!("Cure: {}", recording.notice))?;
        let documents = match entry.documented.as_slice() {
            [] => "Documents: none says so.".to_string(),
            some => format!("Documents: {}.", some.join(", ")),
        };
        paragraph(out, "    ", &documents)?;
        if !entry.remark.is_empty() {
            paragraph(out, "    ", &format!("Documents and kernel: {}", entry.remark))?;
        }
        let needs: Vec<&str> =
            Need::of(entry).into_iter().filter(|need| *need != Need::Nothing).map(Need::words).collect();
        match entry.instead() {
            None if needs.is_empty() => Ok(()),
            None => paragraph(out, "    ", &format!("It takes {}.", needs.join(", "))),
            Some((begin, rest)) => paragraph(out, "    ", &format!("{begin}{rest}")),
        }
    }
}

/// Prints a text in lines of some width, each with this before it.
fn paragraph(out: &mut impl Write, before: &str, text: &str) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && before.len() + line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{before}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    writeln!(out, "{before}{line}")
}
