//! Which experiments a command line means: by name, or by an errno that they claim.

use std::fmt;

use nix::errno::Errno;

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
            write!(f, "no experiment of lesson-{lesson} claims the errno {word}")?;
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

/// The experiments that these words mean, each once, in the lesson's order; all of them if there are no words.
pub(crate) fn experiments(lesson: &'static Lesson, words: &[String]) -> Result<Vec<&'static Experiment>, Unknown> {
    if words.is_empty() {
        return Ok(lesson.experiments.iter().collect());
    }
    let mut chosen = vec![false; lesson.experiments.len()];
    for word in words {
        let mut known = false;
        for (chosen, experiment) in chosen.iter_mut().zip(lesson.experiments) {
            if means(lesson, word, experiment) {
                (*chosen, known) = (true, true);
            }
        }
        if !known {
            return Err(unknown(lesson, word));
        }
    }
    Ok(lesson.experiments.iter().zip(chosen).filter_map(|(experiment, chosen)| chosen.then_some(experiment)).collect())
}

/// `port-in-use`, `bind/port-in-use`, `EADDRINUSE` and `98` all mean something.
fn means(lesson: &Lesson, word: &str, experiment: &Experiment) -> bool {
    let name = word.strip_prefix(lesson.name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(word);
    if name == experiment.name {
        return true;
    }
    let errno = match word.parse::<i32>() {
        Ok(number) => errno_name(number),
        Err(_) => word.to_ascii_uppercase(),
    };
    experiment.errnos().contains(&errno.as_str())
}

fn unknown(lesson: &'static Lesson, word: &str) -> Unknown {
    let upper = word.to_ascii_uppercase();
    let is_errno = match word.parse::<i32>() {
        Ok(number) => Errno::from_raw(number) != Errno::UnknownErrno,
        Err(_) => (1..=4095).any(|number| errno_name(number) == upper),
    };
    let mut names: Vec<&str> = lesson.experiments.iter().map(|experiment| experiment.name).collect();
    names.extend(lesson.experiments.iter().flat_map(Experiment::errnos));
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

/// The name of an errno's number, such as `EADDRINUSE` for 98.
pub(crate) fn errno_name(number: i32) -> String {
    format!("{:?}", Errno::from_raw(number))
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
