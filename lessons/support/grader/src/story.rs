//! How a verdict is told: like a good teacher, and without noise.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use observer::{Event, Trace};

use crate::report::CallEnd;
use crate::sheet::Exercise;
use crate::verdict::{Evidence, Verdict};

const BOLD: Style = Style::new().bold();
const WRONG: Style = AnsiColor::Red.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();
const POINTED_AT: Style = AnsiColor::Yellow.on_default().bold();

/// How wide prose may be. The trace's lines are as long as they are.
const WIDTH: usize = 100;
/// A longer trace is shown in part: its beginning, its end, and the surroundings of the lines pointed at.
const LONG: usize = 24;
/// How many lines are kept at either end, and around a line pointed at.
const KEPT: usize = 4;

/// Tells a verdict on a check of an exercise; nothing for [`Verdict::Passed`].
pub(crate) fn tell(exercise: &Exercise, check: &str, verdict: &Verdict, colour: bool) -> String {
    let id = &exercise.id;
    match verdict {
        Verdict::Passed => String::new(),
        Verdict::NotStarted { unfinished_at: None } => {
            format!("{id}: not started yet. Write {} in {}", exercise.function(), exercise.file())
        }
        Verdict::NotStarted { unfinished_at: Some(at) } => {
            format!("{id}: not finished yet. {} comes to a todo!() at {at}", exercise.function())
        }
        Verdict::Waits { on, because } => format!("{id}: waits for {on}: {because}"),
        Verdict::NoTracer { because } => format!("{id}: not graded: no tracer here, because {because}"),
        Verdict::Trouble { what } => {
            format!("{id}: not graded: the grader itself failed, which says nothing of your function. {what}")
        }
        Verdict::Rejected { message, evidence } => {
            let mut story = Story { text: String::new(), colour };
            story.rejection(exercise, check, message, evidence.as_ref());
            story.text.trim_end().to_string()
        }
    }
}

struct Story {
    text: String,
    colour: bool,
}

impl Story {
    fn rejection(&mut self, exercise: &Exercise, check: &str, message: &str, evidence: Option<&Evidence>) {
        // The test's name, with the check's in it, stands above this already.
        let id = self.painted(WRONG, &exercise.id);
        self.line(&format!("{id} · {}", exercise.title));
        self.line("");
        for line in wrapped(message, WIDTH - 2) {
            let line = self.painted(BOLD, &line);
            self.line(&format!("  {line}"));
        }
        self.line("");
        if let Some(evidence) = evidence {
            self.evidence(evidence, check);
            self.line("");
        }
        let Some(check) = exercise.check(check) else { return };
        self.labelled("Expected", &format!("{}.", check.asks));
        self.labelled("Why", &check.why);
        self.labelled("Read", &format!("book/{}", check.read.as_ref().unwrap_or(&exercise.read)));
        self.labelled("Hint", &format!("cargo workbook hint {}", exercise.id));
    }

    fn evidence(&mut self, evidence: &Evidence, check: &str) {
        let record = &*evidence.record;
        // A check that every exercise has looks at the runs of the others.
        let when = if record.check == check { String::new() } else { format!(" (in the check {})", record.check) };
        let called = record.called.as_deref().unwrap_or("the call");
        let lines = lines_of(&record.trace);
        if lines.is_empty() {
            self.line(&format!("  Of {called}{when} the kernel saw nothing: no socket call was made."));
        } else {
            self.line(&format!("  What the kernel saw of {called}{when}:"));
            self.trace(&lines, &evidence.marks);
        }
        if let Some(CallEnd::Returned(value)) =
            record.report.as_ref().and_then(|report| report.calls.last()).map(|call| &call.end)
        {
            self.line(&format!("  It returned {value}."));
        }
        self.printed(&record.printed);
    }

    fn trace(&mut self, lines: &[String], marks: &[usize]) {
        let mut skipped = 0;
        for (at, line) in lines.iter().enumerate() {
            let near = |mark: &usize| at + KEPT >= *mark && at <= mark + KEPT;
            let shown = lines.len() <= LONG || at < KEPT || at + KEPT >= lines.len() || marks.iter().any(near);
            if !shown {
                skipped += 1;
                continue;
            }
            if skipped > 0 {
                self.line(&format!("      … {skipped} more lines …"));
                skipped = 0;
            }
            if marks.contains(&at) {
                let line = self.painted(POINTED_AT, &format!("> {line}"));
                self.line(&format!("    {line}"));
            } else {
                self.line(&format!("      {line}"));
            }
        }
    }

    /// What the function printed: a student looks for the words of a `dbg!`.
    fn printed(&mut self, printed: &str) {
        const MOST_LINES: usize = 10;
        const MOST_CHARS: usize = 160;
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        if lines.is_empty() {
            return;
        }
        self.line("  It printed:");
        let hidden = lines.len().saturating_sub(MOST_LINES);
        if hidden > 0 {
            self.line(&format!("      … {hidden} more lines …"));
        }
        for line in &lines[hidden..] {
            let line: String = line.chars().map(|char| if char.is_control() { '·' } else { char }).collect();
            match line.char_indices().nth(MOST_CHARS) {
                Some((end, _)) => self.line(&format!("      {}…", &line[..end])),
                None => self.line(&format!("      {line}")),
            }
        }
    }

    fn labelled(&mut self, label: &str, text: &str) {
        const COLUMN: usize = 10;
        let mut label = self.padded(LABEL, &format!("{label}:"), COLUMN);
        for line in wrapped(text, WIDTH - 2 - COLUMN) {
            self.line(&format!("  {label}{line}"));
            label = " ".repeat(COLUMN);
        }
    }

    fn padded(&self, style: Style, text: &str, width: usize) -> String {
        let spaces = " ".repeat(width.saturating_sub(text.chars().count()));
        format!("{}{spaces}", self.painted(style, text))
    }

    fn painted(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The trace as lines; where more than one thread is in it, each line says which.
fn lines_of(trace: &Trace) -> Vec<String> {
    let mut threads: Vec<i32> = Vec::new();
    for event in &trace.events {
        if !threads.contains(&event.tid) {
            threads.push(event.tid);
        }
    }
    let events = trace.events.iter().enumerate();
    let lines = events.map(|(at, event)| {
        let aside = if is_asked_before_closing(&trace.events[at..]) { ASIDE } else { "" };
        match threads.iter().position(|thread| *thread == event.tid) {
            Some(number) if threads.len() > 1 => format!("[thread {}] {}{aside}", number + 1, event.line()),
            _ => format!("{}{aside}", event.line()),
        }
    });
    lines.collect()
}

/// What is said of a line that the student has not written.
const ASIDE: &str = "  (Rust itself, in a debug build, before it closes)";

/// Whether the first of these events is the question that Rust's standard library asks when it drops a descriptor in a
/// debug build: is it still open?
fn is_asked_before_closing(events: &[Event]) -> bool {
    let [asks, closes, ..] = events else { return false };
    let (Some(question), Some(close)) = (asks.call(), closes.call()) else { return false };
    question.name == "fcntl"
        && question.arg("cmd").is_some_and(|cmd| cmd.text == "F_GETFD")
        && close.name == "close"
        && asks.tid == closes.tid
        && question.int("fd").is_some()
        && question.int("fd") == close.int("fd")
}

/// Breaks prose at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use observer::{Arg, Call, Ending, Machine, Outcome, Value, What};

    use super::*;

    #[test]
    fn prose_is_broken_at_spaces_and_nowhere_else() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-very-long-word and", 7), ["a-very-long-word", "and"]);
        assert_eq!(wrapped("", 7), [""]);
    }

    #[test]
    fn a_long_trace_is_shown_where_it_matters() {
        let lines: Vec<String> = (0..60).map(|number| format!("line {number}.")).collect();
        let mut story = Story { text: String::new(), colour: false };
        story.trace(&lines, &[30]);
        let shown: Vec<&str> = story.text.lines().map(str::trim_start).collect();
        let expected = "line 0.,line 1.,line 2.,line 3.,… 22 more lines …,\
            line 26.,line 27.,line 28.,line 29.,> line 30.,line 31.,line 32.,line 33.,line 34.,… 21 more lines …,\
            line 56.,line 57.,line 58.,line 59.";
        assert_eq!(shown.join(","), expected);

        let mut story = Story { text: String::new(), colour: false };
        story.trace(&lines[..LONG], &[]);
        assert_eq!(story.text.lines().count(), LONG, "a trace that is not long is shown whole");
    }

    #[test]
    fn each_line_says_whose_it_is_where_it_is_not_plain() {
        let trace = |events| Trace {
            machine: Machine { kernel: String::new(), architecture: String::new() },
            events,
            remarks: Vec::new(),
            ending: Ending::Exited { status: 0 },
        };
        let alone = trace(vec![on_fd(7, "fcntl", 3, Some("F_GETFD")), on_fd(7, "close", 3, None)]);
        let lines = lines_of(&alone);
        assert!(lines[0].ends_with(ASIDE) && !lines[1].ends_with(ASIDE), "{lines:?}");
        assert!(!lines[0].contains("thread"), "{lines:?}");

        let other = trace(vec![on_fd(7, "fcntl", 4, Some("F_GETFD")), on_fd(8, "close", 3, None)]);
        let lines = lines_of(&other);
        assert!(lines.iter().all(|line| !line.ends_with(ASIDE)), "another descriptor: {lines:?}");
        assert!(lines[0].starts_with("[thread 1] ") && lines[1].starts_with("[thread 2] "), "{lines:?}");
    }

    fn on_fd(tid: i32, name: &'static str, fd: i64, cmd: Option<&'static str>) -> Event {
        let number = Arg { name: "fd".into(), text: fd.to_string().into(), value: Some(Value::Int(fd)) };
        let cmd = cmd.map(|cmd| Arg { name: "cmd".into(), text: cmd.into(), value: None });
        let call = Call {
            name: name.into(),
            args: [Some(number), cmd].into_iter().flatten().collect(),
            outcome: Outcome { value: Some(0), errno: None, text: "0".into() },
            socket: None,
            injected: false,
            guard: None,
        };
        Event { pid: 7, tid, at_us: 0, took_us: 0, what: What::Call(call), kernel: None }
    }
}
