//! Whether a run went as the experiment claims.

use observer::{Call, Ending, Trace};

use crate::errno::is_errno;
use crate::piece::Piece;
use crate::player::Run;
use crate::provocation::{self, Provocation, Way};
use crate::{Claim, Expected, Stop};

/// What became of the claims of an experiment or provocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The run had one of the right outcomes.
    Right {
        /// Which, counted from 0, the ordinary one.
        outcome: usize,
        /// On which machines it is to be expected; empty for "anywhere".
        when: String,
    },
    /// It had none of them: what went wrong, a sentence each.
    Wrong(Vec<String>),
}

impl Verdict {
    pub(crate) fn is_right(&self) -> bool {
        matches!(self, Verdict::Right { .. })
    }
}

/// Finds the first right outcome that the run had. Without a trace, what is claimed of calls cannot be held against it.
pub(crate) fn judge(piece: Piece, run: &Run) -> Verdict {
    match piece {
        Piece::Experiment(experiment) => claimed(experiment.outcomes, run),
        Piece::Provocation(provocation) => provoked(provocation, run),
    }
}

fn claimed(outcomes: &[Expected], run: &Run) -> Verdict {
    let right = outcomes.iter().position(|outcome| faults(outcome, run).is_empty());
    match (right, outcomes) {
        (Some(index), _) => Verdict::Right { outcome: index, when: outcomes[index].when.to_string() },
        (None, []) => Verdict::Wrong(vec!["the experiment claims no outcome".to_string()]),
        (None, [ordinary]) => Verdict::Wrong(faults(ordinary, run)),
        (None, [ordinary, others @ ..]) => {
            let mut faults = faults(ordinary, run);
            if run.stop.is_none() {
                faults.push(format!("what is right on some machines ({} more) does not fit either", others.len()));
            }
            Verdict::Wrong(faults)
        }
    }
}

/// A provocation is right if each of its calls gave the errno; if the machine lacks what it needs and the run said so; or
/// if it had one of the other right outcomes, in this order.
fn provoked(provocation: &Provocation, run: &Run) -> Verdict {
    let faults = not_provoked(provocation, run);
    if faults.is_empty() {
        return Verdict::Right { outcome: 0, when: String::new() };
    }
    if let Some(Stop::Cannot { lack, .. }) = &run.stop
        && provocation.needs.contains(lack)
    {
        return Verdict::Right { outcome: 1, when: format!("where {lack}") };
    }
    match claimed(provocation.otherwise, run) {
        Verdict::Right { outcome, when } => Verdict::Right { outcome: outcome + 2, when },
        Verdict::Wrong(_) => Verdict::Wrong(faults),
    }
}

/// Which of its calls did not give the errno, or what else went wrong; nothing if all is well.
fn not_provoked(provocation: &Provocation, run: &Run) -> Vec<String> {
    if let Some(fault) = ended_badly(&Expected::anywhere(&[]), run) {
        return vec![fault];
    }
    let Provocation { errno, calls, .. } = provocation;
    let mut faults = Vec::new();
    for name in provocation.system_calls() {
        let Some(trace) = &run.trace else { continue };
        let seen = calls_of(trace, name);
        let gave = seen.iter().filter(|call| call.errno().is_some_and(|seen| is_errno(seen, errno))).count();
        let wanted = calls.iter().filter(|call| provocation::system_call(call) == Some(name)).count();
        if gave < wanted {
            let seen = told(&seen);
            let wanted = if wanted == 1 { errno.to_string() } else { format!("{errno} {wanted} times") };
            faults.push(format!("{name} should have ended in {wanted}, and the kernel was seen to say {seen}"));
        }
    }
    // What is no system call can be made to fail by nobody.
    let printing = calls.iter().filter(|call| provocation::system_call(call).is_none() && provocation.way == Way::Live);
    for call in printing {
        let line = format!("{call}: {errno}");
        if !run.stdout.lines().any(|printed| printed == line) {
            faults.push(format!("it should have printed a line {line:?}, and did not"));
        }
    }
    faults
}

/// What keeps the run from being this outcome; nothing if it is.
fn faults(outcome: &Expected, run: &Run) -> Vec<String> {
    if let Some(fault) = ended_badly(outcome, run) {
        return vec![fault];
    }
    outcome.claims.iter().filter_map(|claim| fault(claim, run)).collect()
}

/// An early end is a fault, unless the outcome claims just that end.
fn ended_badly(outcome: &Expected, run: &Run) -> Option<String> {
    let claims_lack =
        |lack| outcome.claims.iter().any(|claim| matches!(claim, Claim::Cannot { lack: l } if *l == lack));
    match &run.stop {
        Some(Stop::Cannot { lack, .. }) if claims_lack(*lack) => return None,
        Some(stop) => return Some(stop.to_string()),
        None => {}
    }
    match &run.ending {
        Ending::Exited { status: 0 } => None,
        Ending::Exited { status } => {
            let words = run.stderr.trim();
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            Some(format!("it ended with exit status {status}{words}"))
        }
        Ending::Killed { signal } => {
            let claimed =
                outcome.claims.iter().any(|claim| matches!(claim, Claim::KilledBy { signal: s } if s == signal));
            (!claimed).then(|| format!("{signal} ended it"))
        }
        Ending::Deadline { milliseconds } => {
            let last = run.trace.as_ref().and_then(unfinished).map(|line| format!("; it waited in {line}"));
            Some(format!(
                "it still ran after {} seconds and was ended{}",
                *milliseconds as f64 / 1000.0,
                last.unwrap_or_default()
            ))
        }
        Ending::TooManyProcesses { limit } => {
            Some(format!("it had more than {limit} processes at once, and all were ended"))
        }
    }
}

/// The last call that never returned.
fn unfinished(trace: &Trace) -> Option<String> {
    let calls = trace.events.iter().rev().filter_map(|event| event.call());
    calls.filter(|call| call.outcome.value.is_none()).map(Call::request).next()
}

fn fault(claim: &Claim, run: &Run) -> Option<String> {
    match claim {
        Claim::Calls { call, results } => {
            let trace = run.trace.as_ref()?;
            let calls = calls_of(trace, call);
            let claimed: Vec<&str> = expand(results);
            let same = calls.len() == claimed.len() && calls.iter().zip(&claimed).all(|(call, word)| is(call, word));
            (!same).then(|| {
                let seen = told(&calls);
                format!("{call} should have ended in {results}, and the kernel was seen to say {seen}")
            })
        }
        Claim::Prints { text } => {
            (!run.stdout.contains(text)).then(|| format!("it should have printed {text:?}, and did not"))
        }
        Claim::Cannot { lack } => match &run.stop {
            Some(Stop::Cannot { lack: seen, .. }) if seen == lack => None,
            _ => Some(format!("it should have been impossible here ({lack}), and it was not")),
        },
        Claim::KilledBy { signal } => {
            let killed = matches!(&run.ending, Ending::Killed { signal: seen } if seen == signal);
            (!killed).then(|| format!("{signal} should have ended it, and did not"))
        }
    }
}

/// The calls of this name, in order.
fn calls_of<'a>(trace: &'a Trace, name: &str) -> Vec<&'a Call> {
    trace.events.iter().filter_map(|event| event.call()).filter(|call| call.name == name).collect()
}

/// In what these calls ended, for a message.
fn told(calls: &[&Call]) -> String {
    let results: Vec<String> = calls.iter().map(|call| result(call)).collect();
    if results.is_empty() { "no such call".to_string() } else { shorten(&results) }
}

/// `0*3 EINVAL` means `0 0 0 EINVAL`.
fn expand(results: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in results.split_whitespace() {
        let (word, times) = match word.split_once('*') {
            Some((word, times)) => (word, times.parse().unwrap_or(0)),
            None => (word, 1),
        };
        words.extend(std::iter::repeat_n(word, times));
    }
    words
}

/// Whether a call ended in this result.
fn is(call: &Call, word: &str) -> bool {
    match (call.outcome.value, call.errno()) {
        (_, Some(errno)) => errno == word,
        (None, None) => word == "?",
        (Some(value), None) => match word {
            "fd" => value >= 0,
            "n" => value > 0,
            _ => word.parse() == Ok(value),
        },
    }
}

/// A call's result in the words of a claim.
fn result(call: &Call) -> String {
    match (call.outcome.value, call.errno()) {
        (_, Some(errno)) => errno.to_string(),
        (None, None) => "?".to_string(),
        (Some(value), None) => value.to_string(),
    }
}

/// The first twenty results, and how many more there were.
fn shorten(results: &[String]) -> String {
    match results.split_at_checked(20) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(" "), rest.len()),
        _ => results.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starred_result_stands_for_several() {
        assert_eq!(expand("0*3 EINVAL fd"), ["0", "0", "0", "EINVAL", "fd"]);
        assert_eq!(expand(""), Vec::<&str>::new());
    }

    #[test]
    fn many_results_are_told_shortly() {
        let results: Vec<String> = (0..25).map(|number| number.to_string()).collect();
        assert!(shorten(&results).ends_with("19 and 5 more"));
        assert_eq!(shorten(&results[..2]), "0 1");
    }
}
