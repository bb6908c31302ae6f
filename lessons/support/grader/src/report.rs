//! What a child reports of a run, and the order that it is given: two small JSON files in the run's scratch directory.
//!
//! The child opens no file while the student's function runs, so there is no descriptor of the grader's that the function
//! could close. That the report is missing afterwards is a finding too.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names the environment variable that makes a test program a child that plays: the scratch directory's path.
pub(crate) const STAGE: &str = "GRADER_STAGE";
/// What to play, in the scratch directory.
pub(crate) const ORDER: &str = "order.json";
/// A symbolic link, made just before the function is called, to how it is called: `bind_any_port()`.
pub(crate) const BEGUN: &str = "begun";
/// Made if the function returns in a process that it forked.
pub(crate) const TWICE: &str = "returned-twice";
/// What came of it.
pub(crate) const REPORT: &str = "report.json";
/// The child's working directory.
pub(crate) const DIRECTORY: &str = "run";

/// What to play.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub suite: String,
    pub exercise: String,
    pub check: String,
    pub input: Value,
    /// Descriptors are numbers below this.
    pub descriptors: u64,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The calls of the student's function, in order.
    pub calls: Vec<Called>,
    /// Descriptors that are open after a call, were not before it, and were not returned: number and what it is.
    pub opened: Vec<(i32, String)>,
    /// Descriptors that were open before a call and are not after it (or are something else).
    pub closed: Vec<(i32, String)>,
    /// Descriptors that were returned and are not open.
    pub dead: Vec<i32>,
    /// How many threads it started that still ran a second after it had returned.
    pub threads: u64,
    /// What became of processes that it forked.
    pub children: Children,
    /// What the act made of it; `None` if the function or the act panicked.
    pub out: Option<Value>,
    /// The act itself panicked, which is the grader's fault.
    pub trouble: Option<String>,
}

/// One call of the student's function.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Called {
    /// As a reader would write it: `bind_any_port()`.
    pub label: String,
    /// How it ended.
    pub end: CallEnd,
}

/// How a call of the student's function ended, if it ended in a way that could be reported.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CallEnd {
    /// It returned this, in Rust's debug form.
    Returned(String),
    /// It panicked.
    Panicked {
        message: String,
        /// `file:line`.
        at: String,
    },
}

/// What became of processes that a function forked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Children {
    /// There are none, or it waited for them.
    #[default]
    None,
    /// One at least still ran a second later.
    Running,
    /// They have ended, and nobody has waited for them.
    Unreaped,
}
