//! Plays a lesson's experiments, and is the lesson's command line: a lesson's `main.rs` is its experiments and one line.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use lab::{Expected, Experiment, Lesson, Stop, calls};
//!
//! fn main() -> ExitCode {
//!     lab::run(&LESSON)
//! }
//!
//! static LESSON: Lesson = Lesson {
//!     name: "socket",
//!     experiments: &[Experiment {
//!         name: "closed-twice",
//!         shows: "A descriptor is closed, and closed again.",
//!         notice: "The number was free after the first close, and the kernel says so.",
//!         outcomes: &[Expected::anywhere(&[calls("close", "0 EBADF")])],
//!         play: closed_twice,
//!     }],
//!     errnos: &[],
//! };
//!
//! fn closed_twice() -> Result<(), Stop> {
//!     // … raw calls …
//!     Ok(())
//! }
//! ```
//!
//! Each experiment runs in a process of its own, which is this same program started again under the [observer]: it has a
//! fresh empty directory to work in (so a unix socket's path is a short relative name such as `demo.sock`), nothing on
//! its standard input, SIGPIPE at its default, and a deadline.

mod child;
mod command_line;
mod ends;
mod errno;
mod experiment;
mod judge;
pub mod network;
mod piece;
mod player;
mod program;
mod provocation;
mod recording;
mod scratch;
mod select;
mod show;
mod stage;
mod stop;

pub use errno::{errno_name, errno_number, errno_words, is_errno};
pub use experiment::{Claim, Expected, Experiment, Lesson, calls, cannot, killed_by, prints};
pub use program::{Program, watched};
pub use provocation::{AtlasEntry, Injected, Provocation, Way};
pub use recording::{Catalogue, CatalogueEntry, End, Recording};
pub use stage::{become_nobody, private_network, set, stop_watching, watch_again};
pub use stop::{Lack, Stop};

use std::io::{self, Write};
use std::process::ExitCode;

use command_line::Request;
use piece::Piece;

/// The exit status of a command line that makes no sense.
const USAGE: u8 = 2;

/// Runs a lesson: reads the command line, plays the experiments it asks for, and shows what the kernel saw.
///
/// The exit status is 0 if every experiment had one of its right outcomes (not being able to show something on this
/// machine can be one), 1 if some had not, and 2 if the command line makes no sense.
pub fn run(lesson: &'static Lesson) -> ExitCode {
    run_with(lesson, &[])
}

/// Runs a lesson that has programs of its own beside its experiments: the first word of the command line may name one, and
/// then the other words are that program's.
pub fn run_with(lesson: &'static Lesson, programs: &[Program]) -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let first = words.next();
    if let Some(program) = programs.iter().find(|program| first.as_deref() == Some(program.name.as_ref())) {
        return program::run(program, words.collect());
    }
    let request = match command_line::read(std::env::args_os()) {
        Ok(request) => request,
        Err(error) => {
            return refuse(format_args!("{error}; lesson-{} --help tells what can be asked for", lesson.name));
        }
    };
    let done = match request {
        Request::PlayHere { name, stop_file } => return child::play(lesson, &name, stop_file.as_deref()),
        Request::Help => show::help(&mut anstream::stdout(), lesson, programs).map(|()| true),
        Request::List { json } => list(lesson, programs, json),
        Request::Play { names, json } => match select::pieces(lesson, &names) {
            Ok(pieces) => play(lesson, &pieces, json),
            Err(unknown) => return refuse(format_args!("{unknown}")),
        },
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // The reader has gone (`| head`): there is nobody left to tell anything.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("lesson-{}: {error}", lesson.name);
            ExitCode::FAILURE
        }
    }
}

fn refuse(why: std::fmt::Arguments<'_>) -> ExitCode {
    anstream::eprintln!("{why}");
    ExitCode::from(USAGE)
}

fn list(lesson: &'static Lesson, programs: &[Program], json: bool) -> io::Result<bool> {
    let catalogue = Catalogue::of(lesson, programs);
    if json {
        print_json(&catalogue)?;
    } else {
        show::catalogue(&mut anstream::stdout(), &catalogue)?;
    }
    Ok(true)
}

/// Plays experiments and provocations one after another; true if each had one of its right outcomes.
fn play(lesson: &'static Lesson, pieces: &[Piece], json: bool) -> io::Result<bool> {
    let mut player = player::Player::new(lesson, json)?;
    let mut recordings = Vec::new();
    let mut all_right = true;
    for &piece in pieces {
        if !json {
            show::before(&mut anstream::stdout(), lesson, piece)?;
        }
        let run = player.play(piece)?;
        let verdict = judge::judge(piece, &run);
        all_right &= verdict.is_right() && !run.tracer_failed;
        if json {
            show::complaint(&mut anstream::stderr(), lesson, piece, &run, &verdict)?;
            recordings.push(run.into_recording(lesson, piece, &verdict));
        } else {
            show::after(&mut anstream::stdout(), piece, &run, &verdict)?;
        }
    }
    if json {
        print_json(&recordings)?;
    }
    Ok(all_right)
}

fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}
