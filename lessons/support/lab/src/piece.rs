//! What can be played: an experiment of the story, or a provocation of an errno.

use observer::{Effect, Injection, Occurrence};

use crate::errno::errno_number;
use crate::provocation::Way;
use crate::{AtlasEntry, Experiment, Lesson, Provocation, Stop};

/// One of both.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    Experiment(&'static Experiment),
    Provocation(&'static Provocation),
}

impl Piece {
    /// All of a lesson's, the story first.
    pub(crate) fn all(lesson: &'static Lesson) -> impl Iterator<Item = Piece> {
        let provocations = lesson.errnos.iter().map(Piece::Provocation);
        lesson.experiments.iter().map(Piece::Experiment).chain(provocations)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Piece::Experiment(experiment) => experiment.name,
            Piece::Provocation(provocation) => provocation.name,
        }
    }

    /// Printed before it runs.
    pub(crate) fn shows(self) -> &'static str {
        match self {
            Piece::Experiment(experiment) => experiment.shows,
            Piece::Provocation(provocation) => provocation.cause,
        }
    }

    /// Printed after it.
    pub(crate) fn notice(self) -> &'static str {
        match self {
            Piece::Experiment(experiment) => experiment.notice,
            Piece::Provocation(provocation) => provocation.cure,
        }
    }

    /// The errnos that it claims on an ordinary machine.
    pub(crate) fn errnos(self) -> Vec<&'static str> {
        match self {
            Piece::Experiment(experiment) => experiment.errnos(),
            Piece::Provocation(provocation) => vec![provocation.errno],
        }
    }

    /// On which machines each right outcome is to be expected; the ordinary one first, then that something is lacking.
    pub(crate) fn outcomes(self) -> Vec<String> {
        match self {
            Piece::Experiment(experiment) => {
                experiment.outcomes.iter().map(|outcome| outcome.when.to_string()).collect()
            }
            Piece::Provocation(provocation) => {
                let needs: Vec<String> = provocation.needs.iter().map(|lack| format!("where {lack}")).collect();
                let others = provocation.otherwise.iter().map(|outcome| outcome.when.to_string());
                [String::new(), needs.join(", or ")].into_iter().chain(others).collect()
            }
        }
    }

    pub(crate) fn play(self) -> Result<(), Stop> {
        match self {
            Piece::Experiment(experiment) => (experiment.play)(),
            Piece::Provocation(provocation) => (provocation.play)(),
        }
    }

    /// What the observer is to make fail.
    pub(crate) fn injection(self) -> Option<Injection> {
        match self {
            Piece::Provocation(provocation) if provocation.way != Way::Live => {
                let calls = provocation.system_calls();
                let errno = errno_number(provocation.errno)?;
                (!calls.is_empty()).then(|| Injection::new(&calls, Occurrence::Every, Effect::Fail(errno)))
            }
            _ => None,
        }
    }

    /// What the atlas says of it.
    pub(crate) fn entry(self) -> Option<AtlasEntry> {
        match self {
            Piece::Experiment(_) => None,
            Piece::Provocation(provocation) => Some(provocation.entry()),
        }
    }
}
