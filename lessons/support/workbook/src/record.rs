//! Recording: running experiments and keeping what came of them for the book, in `book/traces/LESSON/EXPERIMENT.json`. What a
//! lesson has for the atlas is kept apart from its story, in `book/traces/LESSON/errnos/NAME.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lab::{CatalogueEntry, Recording};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::normal;
use crate::programs::{self, Program};
use crate::project::Project;

/// How to record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Write a recording even if it says the same as the one that is there.
    pub force: bool,
    /// Keep a run even if its outcome is not the ordinary one, or if it has no trace.
    pub anyway: bool,
}

/// What became of one recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// There was none before.
    New,
    /// It says something else than before.
    Changed,
    /// It says the same as before. With [`Options::force`] it was written all the same.
    Unchanged,
    /// Its experiment is gone, and now it is gone, too.
    Removed,
    /// The run is not fit to be kept, for this reason.
    Refused(String),
}

/// The lessons that have something to do: all, or those of the items that are asked for (`bind`, `bind/port-in-use`).
///
/// # Errors
/// If there is no such lesson.
pub fn lessons_of(wanted: &[String], names: &[String]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(names.to_vec());
    }
    let mut lessons = Vec::new();
    for item in wanted {
        let lesson = item.split_once('/').map_or(item.as_str(), |(lesson, _)| lesson);
        if !names.iter().any(|name| name == lesson) {
            bail!("there is no lesson {lesson}; there are {}", names.join(", "));
        }
        if !lessons.iter().any(|name| name == lesson) {
            lessons.push(lesson.to_string());
        }
    }
    Ok(lessons)
}

/// Records the experiments that are asked for (`bind`, `bind/port-in-use`; all if nothing is asked for), tells `report`
/// of each, and removes the recordings of experiments that are gone. `programs` are those of [`lessons_of`] what is
/// asked for. True if nothing was refused.
///
/// # Errors
/// If an experiment does not exist or does not run, or a file cannot be written.
pub fn record(
    project: &Project,
    programs: &[Program],
    wanted: &[String],
    options: Options,
    report: &mut dyn FnMut(&str, &Done),
) -> Result<bool> {
    let mut all_kept = true;
    for program in programs {
        all_kept &= record_lesson(project, program, wanted, options, report)?;
    }
    if wanted.is_empty() {
        remove_lessons(project, programs, report)?;
    }
    Ok(all_kept)
}

fn record_lesson(
    project: &Project,
    program: &Program,
    wanted: &[String],
    options: Options,
    report: &mut dyn FnMut(&str, &Done),
) -> Result<bool> {
    let catalogue = program.catalogue()?;
    let names = |entries: Vec<CatalogueEntry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<String>>();
    let parts = [(Part::Story, names(catalogue.experiments)), (Part::Atlas, names(catalogue.atlas))];
    let lesson = &program.lesson;
    let wants_all = wanted.is_empty() || wanted.contains(lesson);
    for item in wanted {
        if let Some((of, experiment)) = item.split_once('/')
            && of == lesson
            && !parts.iter().any(|(_, names)| names.iter().any(|name| name == experiment))
        {
            let names: Vec<&str> = parts.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
            bail!("lesson {lesson} has no experiment {experiment}; it has {}", names.join(", "));
        }
    }
    let mut all_kept = true;
    for (part, experiments) in &parts {
        for experiment in experiments {
            let name = format!("{lesson}/{experiment}");
            if wants_all || wanted.contains(&name) {
                let done = record_one(project, program, *part, experiment, options)?;
                all_kept &= !matches!(done, Done::Refused(_));
                report(&name, &done);
            }
        }
        if wants_all {
            let folder = folder(project, lesson, *part);
            for (experiment, file) in recordings(&folder)? {
                if !experiments.contains(&experiment) {
                    fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
                    report(&format!("{lesson}/{experiment}"), &Done::Removed);
                }
            }
            if *part == Part::Atlas && experiments.is_empty() && folder.is_dir() {
                fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
            }
        }
    }
    Ok(all_kept)
}

fn record_one(project: &Project, program: &Program, part: Part, experiment: &str, options: Options) -> Result<Done> {
    let run = program.run(experiment)?;
    if let Some(reason) = unfit(&run, options) {
        return Ok(Done::Refused(reason));
    }
    let file = file(project, &program.lesson, part, experiment);
    let existed = file.exists();
    // One that cannot be read, of an older form perhaps, is replaced.
    let same = existed
        && read(&file).is_ok_and(|old| {
            normal::differences(&old, &run.recording).is_empty() && (says_kernel(&old) || !says_kernel(&run.recording))
        });
    if !same || options.force {
        write(&file, &run.recording)?;
    }
    Ok(match (same, existed) {
        (true, _) => Done::Unchanged,
        (false, true) => Done::Changed,
        (false, false) => Done::New,
    })
}

/// Whether a recording says what the kernel held. (Of several threads that is kept, and not compared.)
fn says_kernel(recording: &Recording) -> bool {
    recording.trace.iter().flat_map(|trace| &trace.events).any(|event| event.kernel.is_some())
}

/// Why a run is not fit to be shown in the book.
fn unfit(run: &programs::Run, options: Options) -> Option<String> {
    let Some(outcome) = run.recording.outcome else {
        return Some(format!("what was seen is not what the experiment claims. {}", run.remarks));
    };
    if options.anyway {
        return None;
    }
    if outcome != 0 {
        return Some(format!(
            "on this machine it has another of its right outcomes ({}), and the book shows the ordinary one. \
             Record it on another machine, or keep this one with --anyway",
            run.recording.when
        ));
    }
    if run.recording.trace.is_none() {
        return Some(format!("there is no trace of it. {} Without one it is kept with --anyway", run.remarks));
    }
    None
}

/// Removes the recordings of lessons that are gone.
fn remove_lessons(project: &Project, programs: &[Program], report: &mut dyn FnMut(&str, &Done)) -> Result<()> {
    for (lesson, folder) in folders(&project.traces())? {
        if !programs.iter().any(|program| program.lesson == lesson) {
            fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
            report(&lesson, &Done::Removed);
        }
    }
    Ok(())
}

/// A part of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The chapter's experiments.
    Story,
    /// Its errnos, each provoked on its own.
    Atlas,
}

/// Where the recordings of a part are kept.
fn folder(project: &Project, lesson: &str, part: Part) -> PathBuf {
    let folder = project.traces().join(lesson);
    match part {
        Part::Story => folder,
        Part::Atlas => folder.join("errnos"),
    }
}

/// Where the recording of an experiment or a provocation is kept.
pub fn file(project: &Project, lesson: &str, part: Part, name: &str) -> PathBuf {
    folder(project, lesson, part).join(format!("{name}.json"))
}

/// All recordings of the stories that are kept: lesson, experiment, file.
///
/// # Errors
/// If `book/traces` cannot be read. It need not exist.
pub fn kept(project: &Project) -> Result<Vec<(String, String, PathBuf)>> {
    kept_of(project, Part::Story)
}

/// All recordings of a part that are kept: lesson, experiment or provocation, file.
///
/// # Errors
/// If `book/traces` cannot be read. It need not exist.
pub fn kept_of(project: &Project, part: Part) -> Result<Vec<(String, String, PathBuf)>> {
    let mut kept = Vec::new();
    for (lesson, _) in folders(&project.traces())? {
        for (experiment, file) in recordings(&folder(project, &lesson, part))? {
            kept.push((lesson.clone(), experiment, file));
        }
    }
    Ok(kept)
}

/// Reads a recording.
///
/// # Errors
/// If the file cannot be read or is not a recording.
pub fn read(file: &Path) -> Result<Recording> {
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a recording", file.display()))
}

fn write(file: &Path, recording: &Recording) -> Result<()> {
    let context = || format!("{} cannot be written", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    let mut recording = recording.clone();
    if let Some(trace) = &mut recording.trace {
        // The version is of interest, and not what the maker of this kernel has added to it.
        let is_version = |letter: char| letter.is_ascii_digit() || letter == '.';
        let end = trace.machine.kernel.find(|letter| !is_version(letter)).unwrap_or(trace.machine.kernel.len());
        trace.machine.kernel.truncate(end);
    }
    let mut text = Vec::new();
    recording.serialize(&mut serde_json::Serializer::with_formatter(&mut text, LineAnEvent::default()))?;
    text.push(b'\n');
    fs::write(file, text).with_context(context)
}

/// The recordings in a lesson's folder, by name.
fn recordings(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let files = pages::files(folder, "json")?.into_iter();
    Ok(files.filter_map(|path| Some((path.file_stem()?.to_str()?.to_string(), path))).collect())
}

fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folders = pages::entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(folders.filter_map(|path| Some((path.file_name()?.to_str()?.to_string(), path))).collect())
}

/// JSON with an event of a trace to a line, so that a change of a recording can be read in a diff.
#[derive(Default)]
struct LineAnEvent {
    depth: usize,
    has_value: bool,
}

/// How deep lines are broken: the recording, its trace, the trace's events.
const BROKEN: usize = 3;

impl LineAnEvent {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn next<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        match (first, self.depth <= BROKEN) {
            (true, true) => self.break_line(writer),
            (true, false) => Ok(()),
            (false, true) => {
                writer.write_all(b",")?;
                self.break_line(writer)
            }
            (false, false) => writer.write_all(b", "),
        }
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        let broken = self.depth <= BROKEN && self.has_value;
        self.depth -= 1;
        if broken {
            self.break_line(writer)?;
        }
        self.has_value = true;
        writer.write_all(bracket)
    }

    fn break_line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        write!(writer, "\n{:1$}", "", self.depth)
    }
}

impl Formatter for LineAnEvent {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        CompactFormatter.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        CompactFormatter.end_object_value(writer)
    }
}
