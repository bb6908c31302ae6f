//! Recordings against fresh runs, and claims against what was seen.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use lab::Recording;

use super::Report;
use super::markdown::line_of;
use crate::programs::Program;
use crate::project::Project;
use crate::{normal, record};

/// How often an experiment is run before it is said to differ, or not to do what it claims. Even one thread's run can, by
/// chance, come out otherwise: the kernel may choose a port whose number stands elsewhere in the text, and on a very busy
/// machine a second may pass between two calls. What is stale or wrong is so every time.
const TRIES: usize = 3;

pub(super) fn check(project: &Project, programs: &[Program], report: &mut Report) -> Result<()> {
    let mut compared = 0;
    let mut untraced: Vec<String> = Vec::new();
    let mut why_untraced = String::new();
    for program in programs {
        for entry in program.catalogue()?.experiments {
            let name = format!("{}/{}", program.lesson, entry.name);
            match experiment(project, program, &entry.name, report)? {
                Done::Compared => compared += 1,
                Done::OtherOutcome { when } => report.notes.push(format!(
                    "{name}: on this machine it has another of its right outcomes ({when}) than the recording"
                )),
                Done::Untraced { why } => {
                    untraced.push(name);
                    why_untraced = why;
                }
                Done::Found => {}
            }
        }
    }
    if !untraced.is_empty() {
        let names = untraced.join(", ");
        report.notes.push(format!("of these only the texts were compared: {names}. {why_untraced}"));
    }
    report.looked_at.push(format!("{compared} recordings compared with fresh runs"));
    Ok(())
}

/// What became of the comparison of one recording.
enum Done {
    /// The recording was compared with a run of the same outcome.
    Compared,
    /// Only its texts were: on this machine the outcome is another right one.
    OtherOutcome { when: String },
    /// Only its texts were: there is no trace, for this reason.
    Untraced { why: String },
    /// There was nothing to compare, which is a finding.
    Found,
}

/// Checks one experiment.
fn experiment(project: &Project, program: &Program, name: &str, report: &mut Report) -> Result<Done> {
    let lesson = &program.lesson;
    let file = record::file(project, lesson, name);
    let shown = file.strip_prefix(project.root()).unwrap_or(&file);
    let again = format!("`cargo workbook record {lesson}/{name}`");
    if !file.is_file() {
        report.find(shown, 1, format!("experiment {lesson}/{name} has no recording. Make one: {again}"));
        return Ok(Done::Found);
    }
    let recorded = match record::read(&file) {
        Ok(recorded) => recorded,
        Err(error) => {
            report.find(shown, 1, format!("{error:#}. Record it again: {again}"));
            return Ok(Done::Found);
        }
    };
    if recorded.lesson != *lesson || recorded.experiment != name {
        let of = format!("{}/{}", recorded.lesson, recorded.experiment);
        report.find(
            shown,
            1,
            format!("it is a recording of {of}, and not of {lesson}/{name}. Record it again: {again}"),
        );
        return Ok(Done::Found);
    }
    let mut differences = Vec::new();
    for attempt in 1..=TRIES {
        let run = program.run(name)?;
        let fresh = &run.recording;
        if fresh.outcome.is_none() && attempt < TRIES {
            continue;
        }
        if fresh.outcome.is_none() {
            let (file, line) = function(project, lesson, name);
            report.find(
                file,
                line,
                format!(
                    "{lesson}/{name} does not do what it claims. {} Look at `cargo run -p lesson-{lesson} -- {name}`; \
                     then mend the experiment, or its claims, or declare what this machine does as one more of its outcomes",
                    run.remarks
                ),
            );
            return Ok(Done::Found);
        }
        let done = how_compared(&recorded, fresh, &run.remarks);
        differences = match done {
            Done::Compared => normal::differences(&recorded, fresh),
            _ => normal::texts(&recorded, fresh),
        };
        if differences.is_empty() {
            return Ok(done);
        }
    }
    let more = differences.len() - 1;
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let first = &differences[0];
    report.find(shown, 1, format!("the recording is stale: {first}{more}. If the new run is right, keep it: {again}"));
    Ok(Done::Compared)
}

/// What of a right run can be held against the recording.
fn how_compared(recorded: &Recording, fresh: &Recording, remarks: &str) -> Done {
    if fresh.outcome != recorded.outcome {
        let when = if fresh.when.is_empty() { "on an ordinary machine" } else { &fresh.when };
        return Done::OtherOutcome { when: when.to_string() };
    }
    if recorded.trace.is_some() && fresh.trace.is_none() {
        return Done::Untraced { why: remarks.to_string() };
    }
    Done::Compared
}

/// Where an experiment's function stands.
pub(super) fn function(project: &Project, lesson: &str, name: &str) -> (PathBuf, usize) {
    let file = PathBuf::from("lessons").join(lesson).join("src").join("main.rs");
    let text = fs::read_to_string(project.root().join(&file)).unwrap_or_default();
    let line = line_of(&text, &format!("fn {}(", name.replace('-', "_")));
    (file, line)
}
