//! The command line. It is part of the library because the lint holds the commands in the book's pages against it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::check::Rule;

/// The workbook's own command: builds the book and serves it on this machine, records the experiments that it shows,
/// and checks that it does not lie.
#[derive(Parser)]
#[command(name = "cargo workbook", bin_name = "cargo workbook", args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command it builds the book, serves it on 127.0.0.1 and prints its address.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve, where there is no command.
    #[command(flatten)]
    pub serve: Serve,
    /// The project's folder [default: the nearest one upwards with a book.toml]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Build the book, serve it on 127.0.0.1, and build it again whenever it changes (the same as no command)
    Serve(Serve),
    /// Build the book
    Build {
        /// Where to put it [default: what book.toml says, target/book]
        #[arg(long, value_name = "FOLDER")]
        dest: Option<PathBuf>,
    },
    /// Build the book, and print it into a PDF with a Chromium that is on this machine
    #[command(after_help = "The variable CHROMIUM names another browser of the family.")]
    Pdf {
        /// The file to write [default: target/book.pdf]
        file: Option<PathBuf>,
    },
    /// Run experiments and keep what came of them, for the book to show
    #[command(
        after_help = "A recording is written only where it says something else than before: new ports and times are no reason."
    )]
    Record {
        /// Lessons (bind) and experiments (bind/port-in-use) [default: all]
        #[arg(value_name = "LESSON[/EXPERIMENT]")]
        what: Vec<String>,
        /// Write them even if they say the same as before
        #[arg(long)]
        force: bool,
        /// Keep also what the book should not show: an outcome that is not the ordinary one, a run without a trace
        #[arg(long)]
        anyway: bool,
    },
    /// Check that the book does not lie: recordings, blocks typed by hand, names, indexes, links
    #[command(after_help = "Each finding says where it is and what to do about it; with any, the exit status is 1.")]
    Check {
        /// Check only this
        #[arg(long, value_name = "RULE", value_delimiter = ',')]
        only: Vec<Rule>,
        /// Take the lessons' programs from this folder (target/debug) instead of building them
        #[arg(long, value_name = "FOLDER")]
        programs: Option<PathBuf>,
    },
    /// Show a hint for an exercise: the first, or the one you ask for
    Hint {
        /// The exercise, such as bind/any-port
        exercise: String,
        /// Which hint, from a nudge (1) to nearly everything (3)
        #[arg(value_name = "NUMBER", conflicts_with = "all")]
        number: Option<usize>,
        /// Show all hints
        #[arg(long)]
        all: bool,
    },
    /// List the exercises
    Exercises,
    /// Look an errno up in the atlas: which calls give it, why, what to do, and how to see it
    #[command(after_help = "It tells what the recordings in the book have of it, so nothing is built or played.")]
    Errno {
        /// The errno: ECONNREFUSED, econnrefused, 111, EAI_AGAIN [default: list all]
        #[arg(allow_negative_numbers = true)]
        errno: Option<String>,
    },
}

/// How to serve.
#[derive(Args)]
pub struct Serve {
    /// The port to serve on; 0 lets the kernel choose one
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// Open the book in the browser
    #[arg(long)]
    pub open: bool,
}
