//! `cargo workbook`: see `cargo workbook --help`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use clap::Parser;
use workbook::check::{self, Rule};
use workbook::cli::{Cli, Command, Serve};
use workbook::errno::Errnos;
use workbook::exercises::{self, Unknown};
use workbook::pdf;
use workbook::picture;
use workbook::programs;
use workbook::project::Project;
use workbook::record::{self, Done, Options};
use workbook::{serve, site};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

fn main() -> ExitCode {
    let cli = Cli::parse();
    match hear_of_children().and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{BAD}error{BAD:#}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever started this program may have had it ignore SIGCHLD, and then it could not learn how its children end.
fn hear_of_children() -> Result<()> {
    // SAFETY: the default action replaces an ignored one; no handler of ours is involved.
    if unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error()).context("SIGCHLD cannot be set to its default");
    }
    Ok(())
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
        Some(Command::Pdf { file }) => print_book(&project, file),
        Some(Command::Check { only, programs }) => check_book(&project, &only, programs.as_deref()),
        Some(Command::Hint { exercise, number, all }) => hint(&project, &exercise, number, all),
        Some(Command::Exercises) => list_exercises(&project),
        Some(Command::Errno { errno }) => tell_errno(&project, errno.as_deref()),
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

fn print_book(project: &Project, file: Option<PathBuf>) -> Result<ExitCode> {
    let (warnings, file) = pdf::pdf(project, file)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    println!("The book is in {}.", project.show(&file));
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
    let lessons = record::lessons_of(what, &programs::names(project)?)?;
    let programs = programs::build(project, &lessons)?;
    let all_kept = record::record(project, &programs, what, options, &mut report)?;
    if picture::renew(project)? {
        println!("{GOOD}drawn{GOOD:#}      {}", project.show(&picture::file(project)));
    }
    Ok(if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_book(project: &Project, only: &[Rule], folder: Option<&Path>) -> Result<ExitCode> {
    let programs = match folder {
        Some(folder) => programs::in_folder(folder)?,
        None => programs::build(project, &programs::names(project)?)?,
    };
    let rules = if only.is_empty() { &Rule::ALL } else { only };
    let report = check::check(project, &programs, rules)?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for finding in &report.findings {
        println!("{BAD}{}:{}{BAD:#}: {}", finding.file.display(), finding.line, finding.what);
    }
    println!("Looked at: {}.", report.looked_at.join("; "));
    match report.findings.len() {
        0 => println!("{GOOD}The book does not lie.{GOOD:#}"),
        1 => println!("{BAD}1 finding.{BAD:#}"),
        count => println!("{BAD}{count} findings.{BAD:#}"),
    }
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The exit status of a question that makes no sense.
const USAGE: u8 = 2;

fn hint(project: &Project, id: &str, number: Option<usize>, all: bool) -> Result<ExitCode> {
    let sheets = exercises::sheets(project)?;
    let exercise = match exercises::find(&sheets, id) {
        Ok(exercise) => exercise,
        Err(Unknown { name, nearest }) => {
            let nearest = nearest.map_or(String::new(), |nearest| format!(" Did you mean {nearest}?"));
            eprintln!("{BAD}error{BAD:#}: there is no exercise {name}.{nearest} `cargo workbook exercises` lists them");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let count = exercise.hints.len();
    let wanted = match number {
        _ if all => 1..=count,
        None => 1..=1,
        Some(number) if (1..=count).contains(&number) => number..=number,
        Some(number) => {
            eprintln!(
                "{BAD}error{BAD:#}: {id} has no hint {number}; it has {count}, from 1 (a nudge) to {count} (nearly everything)"
            );
            return Ok(ExitCode::from(USAGE));
        }
    };
    println!("{BOLD}{}{BOLD:#} · {}", exercise.id, exercise.title);
    let last = *wanted.end();
    for number in wanted {
        println!("\n{BOLD}Hint {number} of {count}{BOLD:#}\n{}", exercise.hints[number - 1].trim());
    }
    if last < count {
        println!("\nStill stuck? cargo workbook hint {} {}", exercise.id, last + 1);
    } else {
        println!("\nThe book explains it in {}.", exercise.read);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_errno(project: &Project, asked: Option<&str>) -> Result<ExitCode> {
    let errnos = Errnos::read(project)?;
    let mut out = anstream::stdout().lock();
    let done = match asked.map(|asked| errnos.find(asked)) {
        None => errnos.list(&mut out),
        Some(Ok(errno)) => errnos.tell(&mut out, errno),
        Some(Err(unknown)) => {
            eprintln!("{BAD}error{BAD:#}: {unknown}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    match done {
        // The reader has gone (`| head`): there is nobody left to tell anything.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        done => done.context("it cannot be printed").map(|()| ExitCode::SUCCESS),
    }
}

fn list_exercises(project: &Project) -> Result<ExitCode> {
    for exercise in exercises::sheets(project)?.values().flat_map(|sheet| &sheet.exercises) {
        let stars = "★".repeat(exercise.stars.into());
        println!("{BOLD}{}{BOLD:#}  {stars}  {}", exercise.id, exercise.title);
        println!(
            "    write it in {}, then: cargo test -p lesson-{} {}",
            exercise.file(),
            exercise.chapter(),
            exercise.name()
        );
    }
    Ok(ExitCode::SUCCESS)
}
