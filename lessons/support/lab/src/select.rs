//! Which experiments and provocations a command line means: by name, or by an errno that they claim.

use std::fmt;

use crate::errno::{errno_name, errno_number};
use crate::piece::Piece;
use crate::{Claim, Experiment, Lesson};

/// How alike two words must be (0 to 1) for one to be offered in place of the other.
const ALIKE: f64 = 0.72;

/// A word on the command line that names nothing.
#[derive(Debug)]
pub(crate) struct Unknown {
    lesson: &'static str,
    word: String,
    nearest: Vec<String>,
    is_errno: bool,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unknown { lesson, word, nearest, is_errno } = self;
        if *is_errno {
            write!(f, "nothing in lesson-{lesson} gives the errno {word}")?;
        } else {
            write!(f, "lesson-{lesson} has no experiment named {word}, and no errno has that name")?;
        }
        match nearest.as_slice() {
            [] => write!(f, ". lesson-{lesson} --list shows what there is."),
            [one] => write!(f, ". Did you mean {one}?"),
            [first @ .., last] => write!(f, ". Did you mean {} or {last}?", first.join(", ")),
        }
    }
}

/// What these words mean, each once, in the lesson's order; the whole story (all experiments) if there are no words.
pub(crate) fn pieces(lesson: &'static Lesson, words: &[String]) -> Result<Vec<Piece>, Unknown> {
    if words.is_empty() {
        return Ok(lesson.experiments.iter().map(Piece::Experiment).collect());
    }
    let mut pieces: Vec<(Piece, bool)> = Piece::all(lesson).map(|piece| (piece, false)).collect();
    for word in words {
        let mut known = false;
        for (piece, chosen) in &mut pieces {
            if means(lesson, word, *piece) {
                (*chosen, known) = (true, true);
            }
        }
        if !known {
            return Err(unknown(lesson, word));
        }
    }
    Ok(pieces.into_iter().filter_map(|(piece, chosen)| chosen.then_some(piece)).collect())
}

/// `port-in-use`, `bind/port-in-use`, `EADDRINUSE` and `98` all mean something.
fn means(lesson: &Lesson, word: &str, piece: Piece) -> bool {
    let name = word.strip_prefix(lesson.name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(word);
    if name == piece.name() {
        return true;
    }
    let errno = match word.parse::<i32>() {
        Ok(number) => errno_name(number).unwrap_or_default(),
        Err(_) => word.to_ascii_uppercase(),
    };
    piece.errnos().contains(&errno.as_str())
}

fn unknown(lesson: &'static Lesson, word: &str) -> Unknown {
    let upper = word.to_ascii_uppercase();
    let is_errno = match word.parse::<i32>() {
        Ok(number) => errno_name(number).is_some(),
        Err(_) => errno_number(&upper).is_some(),
    };
    let mut names: Vec<&str> = Piece::all(lesson).map(Piece::name).collect();
    names.extend(Piece::all(lesson).flat_map(Piece::errnos));
    names.sort_unstable();
    names.dedup();
    let mut nearest: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&word.to_ascii_lowercase(), &name.to_ascii_lowercase()), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    let nearest = nearest.into_iter().take(3).map(|(_, name)| name.to_string()).collect();
    Unknown { lesson: lesson.name, word: word.to_string(), nearest, is_errno }
}

impl Experiment {
    /// The errnos that its first outcome claims, the one of an ordinary machine: each once, in order.
    pub fn errnos(&self) -> Vec<&'static str> {
        let mut errnos = Vec::new();
        for claim in self.outcomes.iter().take(1).flat_map(|outcome| outcome.claims) {
            let Claim::Calls { results, .. } = claim else { continue };
            for result in results.split_whitespace() {
                let result = result.split('*').next().unwrap_or(result);
                if result.starts_with('E') && !errnos.contains(&result) {
                    errnos.push(result);
                }
            }
        }
        errnos
    }
}
