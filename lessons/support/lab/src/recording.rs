//! The JSON forms that a lesson prints for other programs: its catalogue (`--list --json`) and its recordings (`--json`).

use std::collections::BTreeMap;

use observer::Trace;
use serde::{Deserialize, Serialize};

use crate::piece::Piece;
use crate::{AtlasEntry, Lesson, Program, Stop};

/// What `lesson-bind --list --json` prints: the experiments of a lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The lesson's name, such as `bind`.
    pub lesson: String,
    /// Its experiments, in order.
    pub experiments: Vec<CatalogueEntry>,
    /// Its provocations, in order: the lesson's part of the atlas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub atlas: Vec<CatalogueEntry>,
    /// The names of its own programs, such as `server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
}

impl Catalogue {
    /// The catalogue of a lesson.
    pub fn of(lesson: &'static Lesson, programs: &[Program]) -> Catalogue {
        let entry = |piece: Piece| CatalogueEntry {
            name: piece.name().to_string(),
            shows: piece.shows().to_string(),
            notice: piece.notice().to_string(),
            errnos: piece.errnos().iter().map(|errno| errno.to_string()).collect(),
            outcomes: piece.outcomes(),
            atlas: piece.entry(),
        };
        Catalogue {
            lesson: lesson.name.to_string(),
            experiments: lesson.experiments.iter().map(Piece::Experiment).map(entry).collect(),
            atlas: lesson.errnos.iter().map(Piece::Provocation).map(entry).collect(),
            programs: programs.iter().map(|program| program.name.to_string()).collect(),
        }
    }
}

/// One experiment or provocation of a catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Its name, such as `port-in-use`.
    pub name: String,
    /// What it shows.
    pub shows: String,
    /// What to notice.
    pub notice: String,
    /// The errnos that it claims on an ordinary machine, such as `EADDRINUSE`, each once.
    pub errnos: Vec<String>,
    /// On which machines each right outcome is to be expected; the first is empty or the ordinary case.
    pub outcomes: Vec<String>,
    /// Of a provocation: what the atlas says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atlas: Option<AtlasEntry>,
}

/// One run of one experiment: what `lesson-bind --json port-in-use` prints (a list of them), and what
/// `book/traces/bind/port-in-use.json` keeps. Of a provocation: what `book/traces/bind/errnos/port-taken.json` keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The lesson's name.
    pub lesson: String,
    /// The experiment's name.
    pub experiment: String,
    /// What it shows.
    pub shows: String,
    /// What to notice.
    pub notice: String,
    /// Of a provocation: what the atlas says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atlas: Option<AtlasEntry>,
    /// What it printed.
    pub output: String,
    /// Which of the experiment's right outcomes this run had, counted from 0; `None` if none of them (the lesson then exits 1).
    /// Without a trace it is the first that does not contradict what the experiment printed and how it ended.
    pub outcome: Option<usize>,
    /// On which machines that outcome is to be expected; empty for "anywhere".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Which end of a conversation each socket of the trace plays (key: the socket's number in the trace), where it plays one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ends: BTreeMap<u32, End>,
    /// What the kernel saw; `None` where tracing is refused.
    pub trace: Option<Trace>,
}

/// The end of a conversation that a socket plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It connects.
    Client,
    /// It is bound, listens, or came from accept.
    Server,
}
