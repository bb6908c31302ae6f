//! The atlas holds: each lesson's errnos are provoked, as whoever runs this and, where that is root, as nobody too. What the
//! lessons claim, what the observer saw and what the book's recordings say must agree, pair by pair of a call and an errno.
//!
//! The last line counts: so many pairs provoked, so many injected, so many not possible here, and why.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use common::become_nobody;
use lab::{AtlasEntry, Catalogue, Recording, Stop};
use libtest_mimic::{Arguments, Failed, Trial};
use pages::atlas::{Atlas, Counts, Shown};

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    /// Whoever runs the test.
    Oneself,
    /// A user without any privilege.
    Nobody,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each plays one thing after another, and waits much of the time.
    arguments.test_threads.get_or_insert(8);
    let users: &[User] = if am_root() { &[User::Oneself, User::Nobody] } else { &[User::Oneself] };
    let mut trials = vec![
        Trial::test("the recordings say what the lessons say", || the_recordings_agree().map_err(Failed::from)),
        Trial::test("no pair belongs to two lessons", || no_pair_is_shared().map_err(Failed::from)),
    ];
    for catalogue in catalogues().iter().filter(|catalogue| !catalogue.atlas.is_empty()) {
        for &user in users {
            let name = match user {
                User::Oneself => catalogue.lesson.clone(),
                User::Nobody => format!("{} as nobody", catalogue.lesson),
            };
            trials.push(Trial::test(name, move || plays(catalogue, user).map_err(Failed::from)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("{}", count());
    }
    // Nobody drops what is static.
    if let Some(stage) = STAGE.get() {
        let _ = fs::remove_dir_all(stage.folder.path());
    }
    conclusion.exit_code()
}

fn am_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// What the lessons have.
fn catalogues() -> &'static [Catalogue] {
    static CATALOGUES: OnceLock<Vec<Catalogue>> = OnceLock::new();
    CATALOGUES.get_or_init(|| {
        common::lessons().iter().map(|program| program.catalogue().expect("a lesson says what it has")).collect()
    })
}

/// A lesson's entries of the atlas, with their names.
fn entries(catalogue: &Catalogue) -> impl Iterator<Item = (&str, &AtlasEntry)> {
    catalogue.atlas.iter().map(|entry| {
        let atlas = entry.atlas.as_ref().expect("what is in the atlas has an entry");
        (entry.name.as_str(), atlas)
    })
}

/// The book has the same causes as the lessons, of the same errnos and calls, and so counts the same.
fn the_recordings_agree() -> Result<(), String> {
    let atlas = Atlas::read(&common::this_project().traces())?;
    let recorded: BTreeMap<String, &AtlasEntry> = atlas.causes.iter().map(|cause| (cause.id(), &cause.entry)).collect();
    let own: BTreeMap<String, &AtlasEntry> = catalogues()
        .iter()
        .flat_map(|catalogue| {
            entries(catalogue).map(move |(name, entry)| (format!("{}/{name}", catalogue.lesson), entry))
        })
        .collect();
    let names: BTreeSet<&String> = recorded.keys().chain(own.keys()).collect();
    let differ: Vec<&str> =
        names.into_iter().filter(|name| recorded.get(*name) != own.get(*name)).map(String::as_str).collect();
    if !differ.is_empty() {
        let (count, names) = (differ.len(), differ.join(", "));
        return Err(format!(
            "the book's recordings of {count} are missing or say something else. Record them: {names}"
        ));
    }
    let (lessons, book) = (Counts::of(own.into_values()), atlas.counts());
    if lessons != book {
        return Err(format!("the lessons have {lessons}; the book has {book}"));
    }
    Ok(())
}

/// A call is one lesson's affair, so that the book has one place for it.
fn no_pair_is_shared() -> Result<(), String> {
    let mut lessons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for catalogue in catalogues() {
        for call in entries(catalogue).flat_map(|(_, entry)| &entry.calls) {
            lessons.entry(call).or_default().insert(&catalogue.lesson);
        }
    }
    match lessons.into_iter().find(|(_, lessons)| lessons.len() > 1) {
        Some((call, lessons)) => Err(format!("{call} is provoked by several lessons: {lessons:?}")),
        None => Ok(()),
    }
}

/// What came of one cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// The kernel gave the errno.
    Provoked,
    /// The observer injected it.
    Injected,
    /// It is never given, and no system call could be made to give it.
    Never,
    /// This machine, or this user, lacks something.
    Impossible(String),
}

/// What came of each pair so far, by errno and call: the best of all runs.
static PAIRS: Mutex<BTreeMap<(String, String), Came>> = Mutex::new(BTreeMap::new());

/// Plays all of a lesson's provocations. Each must have a right outcome, and the trace must show it.
fn plays(catalogue: &Catalogue, user: User) -> Result<(), String> {
    let stage = Stage::get();
    let mut command = Command::new(stage.path(&format!("lesson-{}", catalogue.lesson)));
    command.arg("--json").args(catalogue.atlas.iter().map(|entry| &entry.name));
    command.env("TMPDIR", stage.path("scratch")).current_dir(stage.path("scratch")).stdin(Stdio::null());
    if user == User::Nobody {
        // SAFETY: between fork and exec only system calls are made, and no memory is allocated.
        unsafe { command.pre_exec(become_nobody) };
    }
    let output = command.output().map_err(|error| format!("the lesson does not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let recordings: Vec<Recording> =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("no recordings ({error}): {said}"))?;
    let mut faults = Vec::new();
    for (name, entry) in entries(catalogue) {
        match recordings.iter().find(|recording| recording.experiment == name) {
            Some(recording) => match came(recording, entry) {
                Ok(came) => note(entry, &came),
                Err(fault) => faults.push(format!("{}/{name} ({}): {fault}", catalogue.lesson, entry.errno)),
            },
            None => faults.push(format!("{}/{name} was not played", catalogue.lesson)),
        }
    }
    match faults.as_slice() {
        [] if output.status.success() => Ok(()),
        [] => Err(format!("{}: {said}", output.status)),
        _ => Err(format!("{}\n{said}", faults.join("\n"))),
    }
}

/// What came of a cause, by what the recording shows and not by what it says of itself.
fn came(recording: &Recording, entry: &AtlasEntry) -> Result<Came, String> {
    match (recording.outcome, &recording.stop) {
        (None, _) => return Err("it had none of its right outcomes".into()),
        (Some(0), None) => {}
        (Some(_), Some(Stop::Cannot { lack, .. })) if entry.needs.contains(lack) => {
            return Ok(Came::Impossible(lack.to_string()));
        }
        (Some(_), Some(stop)) => return Err(format!("it stopped: {stop}")),
        (Some(_), None) => return Ok(Came::Impossible(format!("another kernel or setting: {}", recording.when))),
    }
    if recording.atlas.as_ref() != Some(entry) {
        return Err("its recording says something else of it than the catalogue".into());
    }
    let Some(trace) = &recording.trace else {
        return Ok(Came::Impossible("tracing is forbidden".into()));
    };
    for call in &entry.calls {
        let system_call = match call.as_str() {
            "send" => "sendto",
            "recv" => "recvfrom",
            "getaddrinfo" | "inet_pton" => {
                let line = format!("{call}: {}", entry.errno);
                if entry.injected.is_none() && !recording.output.lines().any(|printed| printed == line) {
                    return Err(format!("it did not print {line:?}"));
                }
                continue;
            }
            call => call,
        };
        let gave = trace.events.iter().filter_map(|event| event.call()).any(|seen| {
            let errno = seen.errno().is_some_and(|errno| lab::is_errno(errno, &entry.errno));
            seen.name == system_call && errno && seen.injected == entry.injected.is_some()
        });
        if !gave {
            return Err(format!("the trace has no {call} that {} gave it", who(entry)));
        }
    }
    Ok(match (Shown::of(entry), entry.is_injected()) {
        (Shown::Live, _) => Came::Provoked,
        (_, true) => Came::Injected,
        (_, false) => Came::Never,
    })
}

fn who(entry: &AtlasEntry) -> &'static str {
    if entry.injected.is_some() { "the observer" } else { "the kernel" }
}

fn note(entry: &AtlasEntry, came: &Came) {
    let mut pairs = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
    for call in &entry.calls {
        let best = pairs.entry((entry.errno.clone(), call.clone())).or_insert_with(|| came.clone());
        *best = came.clone().min(best.clone());
    }
}

/// What all came to, in one line.
fn count() -> String {
    let pairs = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |wanted: &Came| pairs.values().filter(|came| *came == wanted).count();
    let mut why: BTreeMap<&str, usize> = BTreeMap::new();
    for came in pairs.values() {
        if let Came::Impossible(reason) = came {
            *why.entry(reason).or_default() += 1;
        }
    }
    let impossible: usize = why.values().sum();
    let why: Vec<String> = why.iter().map(|(reason, number)| format!("{reason}: {number}")).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
    let all = catalogues().iter().flat_map(entries).map(|(_, entry)| entry);
    format!(
        "The atlas has {}. Here {} were provoked, {} injected, {} never given, {impossible} not possible{why}.",
        Counts::of(all),
        number(&Came::Provoked),
        number(&Came::Injected),
        number(&Came::Never),
    )
}

/// Where the programs lie, so that everybody may run them.
struct Stage {
    folder: tempfile::TempDir,
}

static STAGE: OnceLock<Stage> = OnceLock::new();

impl Stage {
    fn get() -> &'static Stage {
        STAGE.get_or_init(|| Stage::set_up().expect("the stage can be set up"))
    }

    fn set_up() -> io::Result<Stage> {
        let stage = Stage { folder: tempfile::tempdir()? };
        fs::create_dir(stage.path("scratch"))?;
        for program in common::lessons() {
            fs::copy(program.path(), stage.path(&format!("lesson-{}", program.lesson)))?;
        }
        fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::set_permissions(stage.path("scratch"), fs::Permissions::from_mode(0o1777))?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
