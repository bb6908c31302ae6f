//! What a check can say, and the evidence it says it with.

use std::fmt;
use std::sync::Arc;

use observer::Trace;

use crate::report::Report;

/// What the grader says of one check of one exercise.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold: the check's message, filled in, and the evidence.
    Rejected {
        /// The check's message with its placeholders filled in.
        message: String,
        /// What was run and seen.
        evidence: Option<Evidence>,
    },
    /// It cannot be said until another check passes, such as when the function never returned. Never counts as passed.
    Waits {
        /// The check that has to pass first.
        on: String,
        /// What stands in the way, in a few words.
        because: String,
    },
    /// The function still is, or runs into, a `todo!()`.
    NotStarted {
        /// Where the `todo!()` is, if the function had already asked the kernel for something when it came to it.
        unfinished_at: Option<String>,
    },
    /// Nothing can be said on this machine: it does not let a program trace its own child.
    NoTracer {
        /// What was refused.
        because: String,
    },
    /// The grader itself failed.
    Trouble {
        /// At what.
        what: String,
    },
}

/// Why a check does not pass: what a judge returns (`?` works on most of what can go wrong in it).
#[derive(Clone, Debug)]
pub enum Fault {
    /// The function is wrong. Made by [`Run::reject`](crate::Run::reject).
    Rejected(Rejection),
    /// Another check has to pass first. Made by [`Fault::waits`].
    Waits {
        /// Its name.
        on: String,
        /// What stands in the way, in a few words.
        because: String,
    },
    /// The function still is, or runs into, a `todo!()`.
    NotStarted {
        /// Where, if the function had already asked the kernel for something.
        unfinished_at: Option<String>,
    },
    /// This machine does not let a program trace its own child.
    NoTracer {
        /// What was refused.
        because: String,
    },
    /// The grader itself failed.
    Trouble {
        /// At what.
        what: String,
    },
}

impl Fault {
    /// This check can say nothing until the check `on` passes, because … (in a few words).
    /// Use it where a failure would only repeat what `on` says better. `on` must then really fail;
    /// the proof of the wrong answers ([`crate::prove`]) makes sure of that.
    pub fn waits(on: impl Into<String>, because: impl Into<String>) -> Fault {
        Fault::Waits { on: on.into(), because: because.into() }
    }

    /// The grader itself failed at something.
    pub fn trouble(what: impl Into<String>) -> Fault {
        Fault::Trouble { what: what.into() }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::trouble(error.to_string())
    }
}

impl From<nix::errno::Errno> for Fault {
    fn from(errno: nix::errno::Errno) -> Fault {
        Fault::trouble(errno.to_string())
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Fault {
        Fault::Rejected(rejection)
    }
}

/// "No, because …", being put together: the values for the message's placeholders, and the lines of the trace to point at.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub(crate) values: Vec<(&'static str, String)>,
    pub(crate) evidence: Evidence,
}

impl Rejection {
    /// Fills the placeholder `{name}` of the check's message in.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Rejection {
        self.values.push((name, value.to_string()));
        self
    }

    /// Points at a line of the trace (an index into its events, such as [`Seen::index`](crate::Seen::index)).
    pub fn at(mut self, event: usize) -> Rejection {
        self.evidence.marks.push(event);
        self
    }

    /// Points at a line of the trace, if there is one.
    pub fn at_any(self, event: Option<usize>) -> Rejection {
        match event {
            Some(event) => self.at(event),
            None => self,
        }
    }
}

/// What was run and seen.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub(crate) record: Arc<Record>,
    pub(crate) marks: Vec<usize>,
}

impl Evidence {
    /// What the kernel saw.
    pub fn trace(&self) -> &Trace {
        &self.record.trace
    }

    /// The lines of the trace that the check points at: indices into its events.
    pub fn marks(&self) -> &[usize] {
        &self.marks
    }
}

/// One run of a student's function in a child process.
#[derive(Debug)]
pub(crate) struct Record {
    /// The check that asked for it.
    pub check: &'static str,
    /// What the kernel saw between the fence's marks.
    pub trace: Trace,
    /// What the child reported; `None` if it did not live to report.
    pub report: Option<Report>,
    /// The function's (last) call, as a reader would write it; `None` if the child did not come that far.
    pub called: Option<String>,
    /// Whether the function returned in a process that it had forked, too.
    pub returned_twice: bool,
    /// What it printed on standard output and standard error.
    pub printed: String,
    /// How long it was given.
    pub deadline: std::time::Duration,
    /// Most bytes that it could write to a file.
    pub file_size: u64,
    /// Most processes that it could have at once.
    pub processes: usize,
}
