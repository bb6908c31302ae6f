//! `cargo workbook`: see `cargo workbook --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use workbook::project::Project;
use workbook::record::{self, Done, Options};
use workbook::{serve, site};

/// The workbook's own command: builds the book and serves it on this machine, records the experiments that it shows,
/// and checks that it does not lie.
#[derive(Parser)]
#[command(name = "cargo workbook", bin_name = "cargo workbook", args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command it builds the book, serves it on 127.0.0.1 and prints its address.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// The project's folder [default: the nearest one upwards with a book.toml]
    #[arg(long, global = true, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Build the book, serve it on 127.0.0.1, and build it again whenever it changes (the same as no command)
    Serve(Serve),
    /// Build the book
    Build {
        /// Where to put it [default: what book.toml says, target/book]
        #[arg(long, value_name = "FOLDER")]
        dest: Option<PathBuf>,
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
}

#[derive(Args)]
struct Serve {
    /// The port to serve on; 0 lets the kernel choose one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Open the book in the browser
    #[arg(long)]
    open: bool,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{BAD}error{BAD:#}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let project = match cli.root {
        Some(root) => Project::at(&root)?,
        None => Project::here()?,
    };
    match cli.command {
        None => serve_book(&project, &cli.serve),
        Some(Command::Serve(options)) => serve_book(&project, &options),
        Some(Command::Build { dest }) => build(&project, dest),
        Some(Command::Record { what, force, anyway }) => record(&project, &what, Options { force, anyway }),
    }
}

fn serve_book(project: &Project, options: &Serve) -> Result<ExitCode> {
    serve::serve(project, &serve::Options { port: options.port, open: options.open })?;
    Ok(ExitCode::SUCCESS)
}

fn build(project: &Project, dest: Option<PathBuf>) -> Result<ExitCode> {
    let destination = match dest {
        Some(dest) => dest,
        None => site::default_destination(project)?,
    };
    for warning in site::build(project, &destination)? {
        eprintln!("warning: {warning}");
    }
    println!("The book is in {}. Open index.html there.", project.show(&destination));
    Ok(ExitCode::SUCCESS)
}

fn record(project: &Project, what: &[String], options: Options) -> Result<ExitCode> {
    let mut report = |name: &str, done: &Done| match done {
        Done::New => println!("{GOOD}new{GOOD:#}        {name}"),
        Done::Changed => println!("{GOOD}changed{GOOD:#}    {name}"),
        Done::Unchanged => println!("unchanged  {name}"),
        Done::Removed => println!("{BAD}removed{BAD:#}    {name}: it is gone from the lessons"),
        Done::Refused(reason) => println!("{BAD}refused{BAD:#}    {name}: {reason}"),
    };
    let all_kept = record::record(project, what, options, &mut report)?;
    Ok(if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
