//! The content lint: the book is checked like code, and each finding says what to do.

mod blocks;
mod indexes;
mod links;
mod markdown;
mod names;
mod recordings;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::picture;
use crate::programs::Program;
use crate::project::Project;

/// What can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Rule {
    /// Every recording is what a run shows today, and every experiment does what it claims
    Recordings,
    /// The same for the chapters' stories alone, without the atlas (not checked if nothing is named, being a part of the first)
    Stories,
    /// No code and no output is typed by hand
    Blocks,
    /// Whatever a page names exists, and whatever exists is shown
    Names,
    /// The indexes explain every errno and every call that a recording shows, and nothing else
    Indexes,
    /// Every link of the built book leads somewhere
    Links,
}

impl Rule {
    /// All of them; what is a part of another is left to that.
    pub const ALL: [Rule; 5] = [Rule::Recordings, Rule::Blocks, Rule::Names, Rule::Indexes, Rule::Links];
}

/// Something that is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the project's folder on.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// What came of a check.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is worth saying, though nothing is wrong: what this machine cannot show, for instance.
    pub notes: Vec<String>,
    /// How much was looked at, in a few words for each rule.
    pub looked_at: Vec<String>,
}

impl Report {
    fn find(&mut self, file: impl AsRef<Path>, line: usize, what: impl Into<String>) {
        self.findings.push(Finding { file: file.as_ref().to_path_buf(), line, what: what.into() });
    }
}

/// Checks the book by these rules.
///
/// # Errors
/// If something keeps the check itself from being made, such as a lesson that does not run. A book that does not build
/// is a finding.
pub fn check(project: &Project, programs: &[Program], rules: &[Rule]) -> Result<Report> {
    let mut report = Report::default();
    if rules.contains(&Rule::Recordings) || rules.contains(&Rule::Stories) {
        recordings::check(project, programs, rules.contains(&Rule::Recordings), &mut report)?;
        if !picture::is_fresh(project)? {
            let file = picture::file(project);
            let what = "the README's picture is not the recording that is kept. `cargo workbook record` draws it anew.";
            report.find(file.strip_prefix(project.root()).unwrap_or(&file), 1, what);
        }
    }
    if rules.contains(&Rule::Blocks) {
        blocks::check(project, &mut report)?;
    }
    if rules.contains(&Rule::Names) {
        names::check(project, programs, &mut report)?;
    }
    if rules.contains(&Rule::Indexes) {
        indexes::check(project, &mut report)?;
    }
    if rules.contains(&Rule::Links) {
        links::check(project, &mut report)?;
    }
    report.findings.sort();
    report.findings.dedup();
    Ok(report)
}
