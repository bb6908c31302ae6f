//! The checks that every exercise has, described in `common.toml`. They need no runs of their own: they look at all the
//! runs that the exercise's own checks have asked for, the failing calls and the odd circumstances included.

use std::sync::Arc;

use observer::{Ending, Event, What};

use crate::bench::hung;
use crate::report::{CallEnd, Children};
use crate::sheet;
use crate::suite::Evaluation;
use crate::verdict::{Evidence, Record, Verdict};

/// What one of the common checks says of one run.
enum Finding {
    Fine,
    /// Values for the message's placeholders, and lines of the trace to point at.
    Bad(Vec<(&'static str, String)>, Vec<usize>),
    /// This run cannot show it, for the reason that another check names.
    Waits(&'static str, &'static str),
}

/// The verdict of the common check `name` on an exercise.
///
/// # Panics
/// There is no such check.
pub(crate) fn verdict(name: &str, evaluations: &[&Evaluation]) -> Verdict {
    let judge = match name {
        "survives" => survives,
        "finishes_in_time" => finishes_in_time,
        "leaves_no_fd_behind" => leaves_no_fd_behind,
        "stays_on_loopback" => stays_on_loopback,
        _ => panic!("no exercise has a check {name}"),
    };
    // What keeps an exercise's own checks from being made keeps these too.
    for evaluation in evaluations {
        if let Verdict::NotStarted { .. } | Verdict::NoTracer { .. } | Verdict::Trouble { .. } = evaluation.verdict {
            return evaluation.verdict.clone();
        }
    }
    let mut waits = None;
    for record in evaluations.iter().flat_map(|evaluation| &evaluation.records) {
        match judge(record) {
            Finding::Fine => (),
            Finding::Bad(values, marks) => return rejected(name, &values, marks, record),
            Finding::Waits(on, because) => waits = waits.or(Some((on, because))),
        }
    }
    match waits {
        Some((on, because)) => Verdict::Waits { on: on.to_string(), because: because.to_string() },
        None => Verdict::Passed,
    }
}

fn rejected(name: &str, values: &[(&'static str, String)], marks: Vec<usize>, record: &Arc<Record>) -> Verdict {
    let template = sheet::common().iter().find(|check| check.name == name).map_or("", |check| check.message.as_str());
    match sheet::fill(template, values) {
        Ok(message) => Verdict::Rejected { message, evidence: Some(Evidence { record: Arc::clone(record), marks }) },
        Err(what) => Verdict::Trouble { what: format!("{name}: {what}") },
    }
}

fn survives(record: &Record) -> Finding {
    if hung(record) {
        return Finding::Waits("finishes_in_time", "the function did not return");
    }
    match fate(record) {
        Some(what) => Finding::Bad(vec![("what", what)], last_straw(record).into_iter().collect()),
        None => Finding::Fine,
    }
}

/// The line that is nearest to the end: the death itself, or, if the function lived on, the last call that failed.
fn last_straw(record: &Record) -> Option<usize> {
    let events = &record.trace.events;
    match record.report {
        None => events.len().checked_sub(1),
        Some(_) => events.iter().rposition(|event| event.call().is_some_and(|call| call.errno().is_some())),
    }
}

/// What became of the call, if it did not come back as a call should.
fn fate(record: &Record) -> Option<String> {
    if record.returned_twice {
        return Some("it returned twice, here and in a process that it had forked".to_string());
    }
    let Some(report) = &record.report else {
        return Some(death(record));
    };
    if let Some(CallEnd::Panicked { message, at }) = report.calls.last().map(|call| &call.end) {
        return Some(format!("it panicked at {at}: {message}"));
    }
    match report.children {
        Children::Running => return Some("a process that it forked was still running".to_string()),
        Children::Unreaped => {
            return Some("a process that it forked has ended, and it did not wait for it".to_string());
        }
        Children::None => (),
    }
    match report.threads {
        0 => None,
        1 => Some("a thread that it started was still running".to_string()),
        more => Some(format!("{more} threads that it started were still running")),
    }
}

/// How the program came to its end before it could report.
fn death(record: &Record) -> String {
    let words = |line: &&str| !line.trim().is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE");
    let last_words = record.printed.lines().rfind(words).unwrap_or_default();
    let quoted = if last_words.is_empty() { String::new() } else { format!(" (it printed: {last_words})") };
    match &record.trace.ending {
        Ending::Exited { status } => format!("it ended the whole program, with exit status {status}{quoted}"),
        Ending::Killed { signal } => match signal.as_str() {
            "SIGSYS" => "SIGSYS killed the program: it tried to send a signal to a process that is none of its \
                         business, such as the grader or, with process id -1, everybody"
                .to_string(),
            "SIGPIPE" => "SIGPIPE killed the program: it wrote to a connection whose other end is gone".to_string(),
            "SIGXFSZ" => {
                format!("SIGXFSZ killed the program: it wrote more than {} MiB to a file", record.file_size >> 20)
            }
            signal => format!("{signal} killed the program{quoted}"),
        },
        Ending::TooManyProcesses { .. } => {
            format!("it had more than {} processes and threads at once, and all were killed", record.processes)
        }
        Ending::Deadline { .. } => "it did not end in time".to_string(),
    }
}

fn finishes_in_time(record: &Record) -> Finding {
    if !hung(record) {
        return Finding::Fine;
    }
    let (what, mark) = delay(&record.trace.events);
    Finding::Bad(vec![("limit", format!("{:?}", record.deadline)), ("what", what)], mark.into_iter().collect())
}

/// What a function that never returned was busy with, and the line that shows it.
fn delay(events: &[Event]) -> (String, Option<usize>) {
    let waiting =
        |event: &Event| event.call().is_some_and(|call| call.outcome.value.is_none() && call.errno().is_none());
    if let Some(at) = events.iter().rposition(waiting) {
        let name = events[at].call().map_or("", |call| call.name.as_ref());
        return (format!("it waited in {name}"), Some(at));
    }
    if let Some((at, signal)) = events.iter().enumerate().rev().find_map(|(at, event)| match &event.what {
        What::Stopped { signal } => Some((at, signal)),
        _ => None,
    }) {
        return (format!("{signal} had stopped it"), Some(at));
    }
    let last = events.iter().rposition(|event| event.call().is_some());
    let what = match last {
        Some(_) => {
            "it was asleep or going in circles, and the marked line is the last that the kernel saw of its sockets"
        }
        None => "it was asleep or going in circles, and had asked the kernel for no socket",
    };
    (what.to_string(), last)
}

fn leaves_no_fd_behind(record: &Record) -> Finding {
    let Some(report) = &record.report else {
        return match hung(record) {
            true => Finding::Waits("finishes_in_time", "the function did not return"),
            false => Finding::Waits("survives", "the function came to a sudden end"),
        };
    };
    if let Some((fd, what)) = report.opened.first() {
        let others = match report.opened.len() - 1 {
            0 => String::new(),
            1 => " and one more".to_string(),
            more => format!(" and {more} more"),
        };
        let what = format!("descriptor {fd} ({what}){others} was still open, and nobody had it to close it");
        return Finding::Bad(vec![("what", what)], made(&record.trace.events, *fd).into_iter().collect());
    }
    if let Some((fd, was)) = report.closed.first() {
        let what = format!("descriptor {fd} ({was}), which is not its own, was closed");
        return Finding::Bad(vec![("what", what)], closed(&record.trace.events, *fd).into_iter().collect());
    }
    if let Some(fd) = report.dead.first() {
        let what = format!("the descriptor that it returned, {fd}, was closed");
        return Finding::Bad(vec![("what", what)], closed(&record.trace.events, *fd).into_iter().collect());
    }
    Finding::Fine
}

/// The line in which this descriptor was made.
fn made(events: &[Event], fd: i32) -> Option<usize> {
    const MAKERS: [&str; 8] = ["socket", "accept", "accept4", "dup", "dup2", "dup3", "fcntl", "epoll_create1"];
    events.iter().rposition(|event| {
        event.call().is_some_and(|call| {
            MAKERS.contains(&call.name.as_ref()) && call.succeeded() && call.outcome.value == Some(fd.into())
        })
    })
}

/// The line in which this descriptor was closed.
fn closed(events: &[Event], fd: i32) -> Option<usize> {
    events.iter().rposition(|event| {
        event.call().is_some_and(|call| call.name == "close" && call.int("fd") == Some(fd.into()) && call.succeeded())
    })
}

fn stays_on_loopback(record: &Record) -> Finding {
    let events = record.trace.events.iter().enumerate();
    let refused = events.filter_map(|(at, event)| Some((at, event.call()?.guard.as_ref()?))).next();
    match refused {
        Some((at, why)) => Finding::Bad(vec![("what", why.clone())], vec![at]),
        None => Finding::Fine,
    }
}
