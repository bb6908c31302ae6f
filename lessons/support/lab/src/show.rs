//! What a person sees of a lesson.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use observer::{Event, Trace, What};

use crate::ends;
use crate::judge::Verdict;
use crate::piece::Piece;
use crate::player::Run;
use crate::{Catalogue, End, Experiment, Lesson, Program, Stop};

const HEADING: Style = Style::new().bold();
const CLIENT: Style = AnsiColor::Cyan.on_default();
const SERVER: Style = AnsiColor::Yellow.on_default();
const ERRNO: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// What the lesson can be asked.
pub(crate) fn help(out: &mut impl Write, lesson: &Lesson, programs: &[Program]) -> io::Result<()> {
    let name = lesson.name;
    let first = lesson.experiments.first().map_or("NAME", |experiment| experiment.name);
    let errno = lesson.experiments.iter().flat_map(Experiment::errnos).next().unwrap_or("EINVAL");
    let command = format!("cargo run -p lesson-{name}");
    let (one, some) = (format!("{command} -- {first}"), format!("{command} -- {errno}"));
    let width = one.len().max(some.len());
    writeln!(
        out,
        "The experiments of the chapter {name}: each makes a few system calls, and shows what the kernel saw.\n\
         \n  \
           {command:<width$}  play them all\n  \
           {one:<width$}  play one, or several\n  \
           {some:<width$}  play those in which a call says so\n"
    )?;
    if !lesson.errnos.is_empty() {
        writeln!(
            out,
            "Apart from the story it provokes every errno of the chapter's calls, by each of its causes. They are played by\n\
             an errno, or by the names that --list tells; cargo workbook errno {errno} shows one across all lessons.\n"
        )?;
    }
    if !programs.is_empty() {
        writeln!(out, "Its programs, each for a terminal of its own (with --help after the name it tells more):\n")?;
        for Program { name, words, shows, .. } in programs {
            writeln!(out, "  {command} -- {name} {words}\n      {shows}")?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "Options:\n  \
           -l, --list   name the experiments, and play none\n      \
               --json   for programs: print the recordings (with --list: the catalogue) as JSON\n  \
           -h, --help   print this\n\
         \n\
         Colours are used on a terminal only, and not if NO_COLOR is set.\n\
         The exit status is 0 if all went as the experiments claim, 1 if not, 2 if the command line makes no sense."
    )
}

/// The names of the experiments.
pub(crate) fn catalogue(out: &mut impl Write, catalogue: &Catalogue) -> io::Result<()> {
    let width = catalogue.experiments.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in &catalogue.experiments {
        write!(out, "{HEADING}{:<width$}{HEADING:#}  {}", entry.name, entry.shows)?;
        if !entry.errnos.is_empty() {
            write!(out, " {ERRNO}{}{ERRNO:#}", entry.errnos.join(" "))?;
        }
        writeln!(out)?;
    }
    let mut errnos: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in &catalogue.atlas {
        for errno in &entry.errnos {
            errnos.entry(errno).or_default().push(&entry.name);
        }
    }
    if !errnos.is_empty() {
        writeln!(out, "\nApart from the story, each errno of the chapter's calls, by its causes:")?;
    }
    let width = errnos.keys().map(|errno| errno.len()).max().unwrap_or(0);
    for (errno, names) in errnos {
        writeln!(out, "{ERRNO}{errno:<width$}{ERRNO:#}  {}", names.join(", "))?;
    }
    Ok(())
}

/// "send, sendto and sendmsg".
fn and(words: &[String]) -> String {
    match words {
        [first @ .., before, last] => {
            first.iter().chain([&format!("{before} and {last}")]).cloned().collect::<Vec<_>>().join(", ")
        }
        words => words.concat(),
    }
}

/// Before an experiment runs: its name, and what it is about to do.
pub(crate) fn before(out: &mut impl Write, lesson: &Lesson, piece: Piece) -> io::Result<()> {
    write!(out, "{HEADING}{}/{}{HEADING:#}", lesson.name, piece.name())?;
    let entry = piece.entry();
    if let Some(entry) = &entry {
        write!(out, "  {ERRNO}{}{ERRNO:#} from {}", entry.errno, and(&entry.calls))?;
    }
    writeln!(out, "\n{}", piece.shows())?;
    if let Some((begin, rest)) = entry.and_then(|entry| entry.instead()) {
        writeln!(out, "{begin}{rest}")?;
    }
    writeln!(out)?;
    out.flush()
}

/// After it: what it printed, what the kernel saw, and what to notice.
pub(crate) fn after(out: &mut impl Write, piece: Piece, run: &Run, verdict: &Verdict) -> io::Result<()> {
    if let Some(why) = &run.why_untraced {
        writeln!(out, "  There is no trace: {why}.\n")?;
    }
    for line in run.stdout.lines() {
        writeln!(out, "  {line}")?;
    }
    if !run.stdout.is_empty() {
        writeln!(out)?;
    }
    match &run.trace {
        Some(trace) if trace.events.is_empty() && verdict.is_right() && run.stop.is_none() => {
            writeln!(out, "  (no line: the kernel was asked nothing about a socket)\n")?;
        }
        Some(trace) => lines(out, trace)?,
        None => {}
    }
    match (verdict, &run.stop) {
        (Verdict::Right { .. }, Some(Stop::Cannot { lack, why })) => {
            writeln!(out, "This machine cannot show it: {lack}.\n({why})\n")?;
        }
        (Verdict::Right { when, .. }, _) => {
            writeln!(out, "{}", piece.notice())?;
            if !when.is_empty() {
                writeln!(out, "What you see is what happens {when}.")?;
            }
            writeln!(out)?;
        }
        (Verdict::Wrong(faults), _) => {
            writeln!(out, "{ERRNO}This did not go as it should:{ERRNO:#} {}.\n", faults.join("; "))?;
        }
    }
    out.flush()
}

/// For a run whose recording goes elsewhere: only what went wrong with it.
pub(crate) fn complaint(
    out: &mut impl Write,
    lesson: &Lesson,
    piece: Piece,
    run: &Run,
    verdict: &Verdict,
) -> io::Result<()> {
    if let Some(why) = &run.why_untraced {
        writeln!(out, "There is no trace: {why}.")?;
    }
    if let Verdict::Wrong(faults) = verdict {
        let faults = faults.join("; ");
        writeln!(out, "{}/{} did not go as it should: {faults}.", lesson.name, piece.name())?;
    }
    out.flush()
}

/// The trace, line by line.
fn lines(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    let ends = ends::ends(trace);
    let threads: BTreeSet<i32> = trace.events.iter().map(|event| event.tid).collect();
    for event in &trace.events {
        write!(out, "  ")?;
        if !ends.is_empty() {
            end_column(out, event, &ends)?;
        }
        if threads.len() > 1 {
            write!(out, "{FAINT}[pid {:>5}]{FAINT:#} ", event.tid)?;
        }
        writeln!(out, "{}", painted(event))?;
    }
    for remark in &trace.remarks {
        writeln!(out, "  ({remark})")?;
    }
    if !trace.events.is_empty() || !trace.remarks.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

/// One line of a program that still runs.
pub(crate) fn live(out: &mut impl Write, event: &Event) -> io::Result<()> {
    writeln!(out, "  {}", painted(event))
}

/// Which end plays the call: the word says it, the colour only helps.
fn end_column(out: &mut impl Write, event: &Event, ends: &BTreeMap<u32, End>) -> io::Result<()> {
    let end = event.call().and_then(|call| call.socket).and_then(|socket| ends.get(&socket));
    match end {
        Some(End::Client) => write!(out, "{CLIENT}client{CLIENT:#}  "),
        Some(End::Server) => write!(out, "{SERVER}server{SERVER:#}  "),
        None => write!(out, "        "),
    }
}

/// The line as `strace` prints it, with what went wrong in red.
fn painted(event: &Event) -> String {
    let line = event.line();
    match &event.what {
        What::Call(call) if call.errno().is_some() => match line.strip_suffix(call.outcome.text.as_ref()) {
            Some(request) => format!("{request}{ERRNO}{}{ERRNO:#}", call.outcome.text),
            None => line,
        },
        What::Killed { .. } => format!("{ERRNO}{line}{ERRNO:#}"),
        _ => line,
    }
}
