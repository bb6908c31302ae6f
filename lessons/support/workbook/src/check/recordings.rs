//! Recordings against fresh runs, and claims against what was seen.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use lab::Recording;

use super::Report;
use super::markdown::line_of;
use crate::programs::Program;
use crate::project::Project;
use crate::record::Part;
use crate::{normal, record};

/// How often an experiment is run before it is said to differ, or not to do what it claims. Even one thread's run can, by
/// chance, come out otherwise: the kernel may choose a port whose number stands elsewhere in the text, and on a very busy
/// machine a second may pass between two calls. What is stale or wrong is so every time.
const TRIES: usize = 3;

/// How many provocations are played at a time: each has a network of its own or ports that the kernel chose, and many wait.
/// (The experiments of the stories are played one after another: some give a port back and bind it again.)
const AT_A_TIME: usize = 8;

pub(super) fn check(project: &Project, programs: &[Program], with_atlas: bool, report: &mut Report) -> Result<()> {
    let mut summary = Summary::default();
    let mut of_the_atlas: Vec<(&Program, String)> = Vec::new();
    for program in programs {
        let catalogue = program.catalogue()?;
        for entry in catalogue.experiments {
            let done = experiment(project, program, Part::Story, &entry.name, report)?;
            summary.add(&format!("{}/{}", program.lesson, entry.name), done, report);
        }
        if with_atlas {
            of_the_atlas.extend(catalogue.atlas.into_iter().map(|entry| (program, entry.name)));
        }
    }
    let stories = summary.compared;
    let queue = Mutex::new(of_the_atlas.into_iter());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((program, name)) = take(&queue) {
                    let mut found = Report::default();
                    let result = experiment(project, program, Part::Atlas, &name, &mut found);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((format!("{}/{name}", program.lesson), result, found));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    for (name, result, found) in done {
        report.findings.extend(found.findings);
        summary.add(&name, result?, report);
    }
    if !summary.untraced.is_empty() {
        let names = summary.untraced.join(", ");
        report.notes.push(format!("of these only the texts were compared: {names}. {}", summary.why_untraced));
    }
    report.looked_at.push(match summary.compared - stories {
        0 => format!("{stories} recordings compared with fresh runs"),
        atlas => format!("{stories} recordings, and {atlas} of the atlas, compared with fresh runs"),
    });
    Ok(())
}

fn take<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// What became of all comparisons.
#[derive(Default)]
struct Summary {
    compared: usize,
    untraced: Vec<String>,
    why_untraced: String,
}

impl Summary {
    fn add(&mut self, name: &str, done: Done, report: &mut Report) {
        match done {
            Done::Compared => self.compared += 1,
            Done::OtherOutcome { when } => report.notes.push(format!(
                "{name}: on this machine it has another of its right outcomes ({when}) than the recording"
            )),
            Done::Untraced { why } => {
                self.untraced.push(name.to_string());
                self.why_untraced = why;
            }
            Done::Found => {}
        }
    }
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

/// Checks one experiment or provocation.
fn experiment(project: &Project, program: &Program, part: Part, name: &str, report: &mut Report) -> Result<Done> {
    let lesson = &program.lesson;
    let file = record::file(project, lesson, part, name);
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
            let (file, line) = match part {
                Part::Story => function(project, lesson, name),
                Part::Atlas => provocation(project, lesson, name),
            };
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

/// The files with a lesson's provocations, from the project's folder on: `errnos.rs`, or those below `errnos/`.
pub(super) fn provocation_files(project: &Project, lesson: &str) -> Vec<PathBuf> {
    let folder = project.lessons().join(lesson).join("src");
    let mut files = pages::files(&folder.join("errnos"), "rs").unwrap_or_default();
    let whole = folder.join("errnos.rs");
    if files.is_empty() || whole.is_file() {
        files.insert(0, whole);
    }
    files.iter().map(|file| file.strip_prefix(project.root()).unwrap_or(file).to_path_buf()).collect()
}

/// Where a provocation is described.
pub(super) fn provocation(project: &Project, lesson: &str, name: &str) -> (PathBuf, usize) {
    let begin = format!("name: \"{name}\"");
    let files = provocation_files(project, lesson);
    let place = |file: &PathBuf| {
        let text = fs::read_to_string(project.root().join(file)).ok()?;
        text.contains(&begin).then(|| (file.clone(), line_of(&text, &begin)))
    };
    files.iter().find_map(place).unwrap_or_else(|| (files[0].clone(), 1))
}

/// Where an experiment's function stands.
pub(super) fn function(project: &Project, lesson: &str, name: &str) -> (PathBuf, usize) {
    let file = PathBuf::from("lessons").join(lesson).join("src").join("main.rs");
    let text = fs::read_to_string(project.root().join(&file)).unwrap_or_default();
    let line = line_of(&text, &format!("fn {}(", name.replace('-', "_")));
    (file, line)
}
