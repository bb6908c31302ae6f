//! What an experiment is.

use serde::Serialize;

use crate::{Provocation, Stop};

/// A chapter's experiments, in the order in which the chapter tells them.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// The chapter's name, such as `bind`: also its folder, its package (`lesson-bind`) and its recordings' folder.
    pub name: &'static str,
    /// Its experiments.
    pub experiments: &'static [Experiment],
    /// The errnos of its calls, each provoked on its own, apart from the chapter's story: the lesson's part of the atlas.
    pub errnos: &'static [Provocation],
}

/// A short function of raw calls with one point.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Experiment {
    /// Its name, such as `port-in-use`; its function has the same name with `_` for `-`.
    pub name: &'static str,
    /// One sentence: what it shows. Printed before it runs.
    pub shows: &'static str,
    /// One or two sentences: what to notice. Printed after it.
    pub notice: &'static str,
    /// The outcomes that are right. The first is the one to expect on an ordinary machine.
    pub outcomes: &'static [Expected],
    /// The function.
    #[serde(skip)]
    pub play: fn() -> Result<(), Stop>,
}

/// One right outcome of an experiment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Expected {
    /// On which machines, in plain words ("where ports below 1024 are free for all"); empty for "anywhere".
    pub when: &'static str,
    /// What the observer must have seen; all of it.
    pub claims: &'static [Claim],
}

/// Something that the observer must have seen.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The calls of this name (the kernel's: `sendto`, not `send`) ended in exactly these results, in this order, words
    /// separated by spaces: a number (`0`), an errno's name (`EADDRINUSE`), `fd` for any descriptor, `n` for any
    /// count above zero, `?` for a call that never returned. `0*300` stands for three hundred times `0`.
    Calls {
        /// The kernel's name of the call.
        call: &'static str,
        /// The results.
        results: &'static str,
    },
    /// The experiment printed this text (somewhere in its standard output).
    Prints {
        /// The text.
        text: &'static str,
    },
    /// The experiment stopped because the machine lacks what it needs, and said so ([`Stop::Cannot`]).
    Cannot {
        /// What is lacking.
        lack: crate::Lack,
    },
    /// A signal of this name ended the process.
    KilledBy {
        /// The signal's name, such as `SIGPIPE`.
        signal: &'static str,
    },
}

impl Expected {
    /// What happens on every machine, or on the ordinary one.
    pub const fn anywhere(claims: &'static [Claim]) -> Expected {
        Expected { when: "", claims }
    }

    /// What happens on some machines: `when` says on which ("where ports below 1024 are free for all").
    pub const fn on(when: &'static str, claims: &'static [Claim]) -> Expected {
        Expected { when, claims }
    }
}

/// The calls of this name end in exactly these results: see [`Claim::Calls`].
pub const fn calls(call: &'static str, results: &'static str) -> Claim {
    Claim::Calls { call, results }
}

/// The experiment prints this: see [`Claim::Prints`].
pub const fn prints(text: &'static str) -> Claim {
    Claim::Prints { text }
}

/// The machine cannot show it: see [`Claim::Cannot`].
pub const fn cannot(lack: crate::Lack) -> Claim {
    Claim::Cannot { lack }
}

/// A signal ends the process: see [`Claim::KilledBy`].
pub const fn killed_by(signal: &'static str) -> Claim {
    Claim::KilledBy { signal }
}
