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

/// How often an experiment is run before it is said to differ. Even one thread's run can, by chance, come out otherwise:
/// the kernel may choose a port whose number stands elsewhere in the text. What is stale differs every time.
const TRIES: usize = 3;

pub(super) fn check(project: &Project, programs: &[Program], report: &mut Report) -> Result<()> {
    let mut compared = 0;
    for program in programs {
        for entry in program.catalogue()?.experiments {
            if experiment(project, program, &entry.name, report)? {
                compared += 1;
            }
        }
    }
    report.looked_at.push(format!("{compared} recordings compared with fresh runs"));
    Ok(())
}

/// Checks one experiment; true if its recording was compared with a run of the same outcome.
fn experiment(project: &Project, program: &Program, name: &str, report: &mut Report) -> Result<bool> {
    let lesson = &program.lesson;
    let file = record::file(project, lesson, name);
    let shown = file.strip_prefix(project.root()).unwrap_or(&file);
    let again = format!("`cargo workbook record {lesson}/{name}`");
    if !file.is_file() {
        report.find(shown, 1, format!("experiment {lesson}/{name} has no recording. Make one: {again}"));
        return Ok(false);
    }
    let recorded = match record::read(&file) {
        Ok(recorded) => recorded,
        Err(error) => {
            report.find(shown, 1, format!("{error:#}. Record it again: {again}"));
            return Ok(false);
        }
    };
    if recorded.lesson != *lesson || recorded.experiment != name {
        let of = format!("{}/{}", recorded.lesson, recorded.experiment);
        report.find(
            shown,
            1,
            format!("it is a recording of {of}, and not of {lesson}/{name}. Record it again: {again}"),
        );
        return Ok(false);
    }
    let mut differences = Vec::new();
    for _ in 0..TRIES {
        let run = program.run(name)?;
        let fresh = &run.recording;
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
            return Ok(false);
        }
        let Some(why_not) = why_not_compared(&recorded, fresh, &run.remarks) else {
            differences = normal::differences(&recorded, fresh);
            if differences.is_empty() {
                return Ok(true);
            }
            continue;
        };
        report.notes.push(format!("{lesson}/{name}: {why_not}"));
        differences = normal::texts(&recorded, fresh);
        break;
    }
    let (Some(first), more) = (differences.first(), differences.len().saturating_sub(1)) else { return Ok(false) };
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    report.find(shown, 1, format!("the recording is stale: {first}{more}. If the new run is right, keep it: {again}"));
    Ok(true)
}

/// Why a run cannot be held against the recording, although it is a right one.
fn why_not_compared(recorded: &Recording, fresh: &Recording, remarks: &str) -> Option<String> {
    if fresh.outcome != recorded.outcome {
        let when = if fresh.when.is_empty() { "on an ordinary machine" } else { &fresh.when };
        return Some(format!("on this machine it has another of its right outcomes ({when}) than the recording"));
    }
    if recorded.trace.is_some() && fresh.trace.is_none() {
        return Some(format!("only its texts were compared. {remarks}"));
    }
    None
}

/// Where an experiment's function stands.
pub(super) fn function(project: &Project, lesson: &str, name: &str) -> (PathBuf, usize) {
    let file = PathBuf::from("lessons").join(lesson).join("src").join("main.rs");
    let text = fs::read_to_string(project.root().join(&file)).unwrap_or_default();
    let line = line_of(&text, &format!("fn {}(", name.replace('-', "_")));
    (file, line)
}
