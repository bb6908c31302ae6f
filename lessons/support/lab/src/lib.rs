//! Plays a lesson's experiments, and is the lesson's command line: a lesson's `main.rs` is its experiments and one line.

mod experiment;
mod recording;
mod stop;

pub use experiment::{Claim, Expected, Experiment, Lesson};
pub use recording::{Catalogue, CatalogueEntry, End, Recording};
pub use stop::{Lack, Stop};

use std::process::ExitCode;

/// Runs a lesson: reads the command line, plays the experiments it asks for, and shows what the kernel saw.
pub fn run(lesson: &Lesson) -> ExitCode {
    todo!("play {}", lesson.name)
}
