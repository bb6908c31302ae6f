//! The parent's side of a check: it sets the scene, has the act played in a child, and judges what came of it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use observer::{Call, Ending, Event, Guard, Injection, Limits, Observer, Trace};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::report::{BEGUN, CallEnd, DIRECTORY, ORDER, Order, REPORT, Report, STAGE, TWICE};
use crate::verdict::{Evidence, Fault, Record, Rejection};

/// How long a function has to return, unless a [`Setting`] says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How long it has when it has already hung in another run: nobody likes to wait ten seconds for each check.
/// It is red by then anyhow, and this is still a hundred times what a run takes.
const IMPATIENT: Duration = Duration::from_secs(3);

/// Which check is being made, and the runs made for it so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub suite: String,
    pub exercise: String,
    pub check: &'static str,
    pub records: Mutex<Vec<Arc<Record>>>,
    /// Whether the exercise's function has hung in any run so far.
    pub has_hung: Arc<AtomicBool>,
}

/// What a judge works with: it plays the check's act as often as it needs, each time in a new child.
///
/// `In` is what the act is given, `Out` what it returns; both travel as JSON.
#[derive(Debug)]
pub struct Bench<'a, In, Out> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) types: PhantomData<fn(In) -> Out>,
}

impl<In: Serialize, Out: DeserializeOwned> Bench<'_, In, Out> {
    /// Plays the act with this input in a [`Setting`] that has nothing special.
    ///
    /// # Errors
    /// See [`Setting::play`].
    pub fn play(&self, input: In) -> Result<Run<Out>, Fault> {
        self.setting()?.play(input)
    }

    /// A setting for a run: a fresh directory to begin with.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn setting(&self) -> Result<Setting<'_, In, Out>, Fault> {
        Ok(Setting {
            ledger: self.ledger,
            scratch: Scratch::new()?,
            injections: Vec::new(),
            deadline: if self.ledger.has_hung.load(Ordering::Relaxed) { IMPATIENT } else { DEADLINE },
            limits: Limits { memory: Some(1 << 30), descriptors: Some(256), file_size: Some(16 << 20), processes: 64 },
            types: PhantomData,
        })
    }
}

/// The circumstances of a run, and its directory, which lives as long as the setting does.
#[derive(Debug)]
pub struct Setting<'a, In, Out> {
    ledger: &'a Ledger,
    scratch: Scratch,
    injections: Vec<Injection>,
    deadline: Duration,
    limits: Limits,
    types: PhantomData<fn(In) -> Out>,
}

impl<In: Serialize, Out: DeserializeOwned> Setting<'_, In, Out> {
    /// The directory in which the child is started: new, and empty but for what the judge puts there.
    pub fn directory(&self) -> PathBuf {
        self.scratch.path.join(DIRECTORY)
    }

    /// Makes a call of the function fail or fall short. Calls are counted inside the fence.
    pub fn inject(mut self, injection: Injection) -> Self {
        self.injections.push(injection);
        self
    }

    /// How long the function has to return ([`DEADLINE`] unless told). One that has hung in another run of its exercise
    /// has three seconds at most.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = if self.has_hung() { deadline.min(IMPATIENT) } else { deadline };
        self
    }

    fn has_hung(&self) -> bool {
        self.ledger.has_hung.load(Ordering::Relaxed)
    }

    /// How many descriptors the child may have open, its standard three included (256 unless told).
    pub fn descriptors(mut self, most: u64) -> Self {
        self.limits.descriptors = Some(most);
        self
    }

    /// Plays the act with this input, in a new child under the observer, and returns when the child is gone.
    ///
    /// That the function hung or died is not an error here: it shows when the judge asks for the [`Run::answer`].
    ///
    /// # Errors
    /// The function is not written yet, this machine forbids tracing, or the grader itself failed at something.
    pub fn play(&self, input: In) -> Result<Run<Out>, Fault> {
        let record = Arc::new(self.record(input)?);
        if hung(&record) {
            self.ledger.has_hung.store(true, Ordering::Relaxed);
        }
        if let Ok(mut records) = self.ledger.records.lock() {
            records.push(Arc::clone(&record));
        }
        unfinished(&record)?;
        if let Some(what) = record.report.as_ref().and_then(|report| report.trouble.as_ref()) {
            return Err(Fault::trouble(what.clone()));
        }
        if record.report.is_none() && record.called.is_none() {
            let ending = &record.trace.ending;
            let printed = record.printed.trim();
            return Err(Fault::trouble(format!("its child came to an end before the call ({ending:?}) {printed}")));
        }
        let out = record.report.as_ref().and_then(|report| report.out.clone());
        let out = out.map(serde_json::from_value).transpose();
        let out = out.map_err(|error| Fault::trouble(format!("what the act reported cannot be read: {error}")))?;
        Ok(Run { record, out })
    }

    fn record(&self, input: In) -> Result<Record, Fault> {
        let Ledger { suite, exercise, check, .. } = self.ledger;
        let scratch = &self.scratch.path;
        let order = Order {
            suite: suite.clone(),
            exercise: exercise.clone(),
            check: check.to_string(),
            input: to_value(&input)?,
            descriptors: self.limits.descriptors.unwrap_or(1024),
        };
        let unreadable = |error: serde_json::Error| Fault::trouble(error.to_string());
        for name in [BEGUN, TWICE, REPORT] {
            match std::fs::remove_file(scratch.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => (),
            }
        }
        std::fs::write(scratch.join(ORDER), serde_json::to_vec(&order).map_err(unreadable)?)?;
        let mut observer = Observer::new("/proc/self/exe")
            .env(STAGE, scratch)
            .env("RUST_BACKTRACE", "0")
            .directory(self.directory())
            .capture()
            .fenced()
            .deadline(self.deadline)
            .limits(self.limits)
            .guard(Guard::Loopback);
        for injection in &self.injections {
            observer = observer.inject(injection.clone());
        }
        let seen = observer.run().map_err(|error| match error {
            observer::Error::Refused { .. } => Fault::NoTracer { because: error.to_string() },
            _ => Fault::trouble(error.to_string()),
        })?;
        let report: Option<Report> = match std::fs::read(scratch.join(REPORT)) {
            Ok(text) => Some(serde_json::from_slice(&text).map_err(unreadable)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let mut printed = seen.stdout;
        printed.extend(seen.stderr);
        Ok(Record {
            check,
            trace: seen.trace,
            report,
            called: std::fs::read_link(scratch.join(BEGUN)).ok().map(|label| label.to_string_lossy().into_owned()),
            returned_twice: scratch.join(TWICE).exists(),
            printed: String::from_utf8_lossy(&printed).into_owned(),
            deadline: self.deadline,
            file_size: self.limits.file_size.unwrap_or(u64::MAX),
            processes: self.limits.processes,
        })
    }
}

/// Plays, and plays again as long as `busy` says of what came of it that this machine may be to blame: `most` times at most.
/// Returns what the last one gave. `busy` is also told how many were played.
///
/// A function that the machine made late is late now and then; one that is late by itself is late every time, and the last
/// run says so.
///
/// # Errors
/// Those of `play`, at once.
pub fn again_if_busy<T, E>(
    most: usize,
    mut play: impl FnMut() -> Result<T, E>,
    busy: impl Fn(&T, usize) -> bool,
) -> Result<T, E> {
    let mut last = play()?;
    for played in 1..most {
        if !busy(&last, played) {
            break;
        }
        last = play()?;
    }
    Ok(last)
}

fn to_value(input: &impl Serialize) -> Result<serde_json::Value, Fault> {
    serde_json::to_value(input).map_err(|error| Fault::trouble(format!("the act's input is not JSON: {error}")))
}

/// The function ran into a `todo!()`.
fn unfinished(record: &Record) -> Result<(), Fault> {
    match record.report.as_ref().and_then(|report| report.calls.last()).map(|call| &call.end) {
        Some(CallEnd::Panicked { message, at }) if message.starts_with("not yet implemented") => {
            // A `todo!()` drops what the function was given, and so closes it: that is no beginning.
            let of_a_drop =
                |call: &Call| call.name == "close" || call.args.get(1).is_some_and(|arg| arg.text == "F_GETFD");
            let begun = record.trace.events.iter().filter_map(Event::call).any(|call| !of_a_drop(call));
            Err(Fault::NotStarted { unfinished_at: begun.then(|| at.clone()) })
        }
        _ => Ok(()),
    }
}

/// A run that is over: what came of it, and what the kernel saw.
#[derive(Debug)]
pub struct Run<Out> {
    record: Arc<Record>,
    out: Option<Out>,
}

impl<Out> Run<Out> {
    /// What the act made of the function's answer.
    ///
    /// # Errors
    /// The function never returned: the check waits for `finishes_in_time` or `survives`, whichever says so.
    pub fn answer(&self) -> Result<&Out, Fault> {
        match (&self.out, hung(&self.record)) {
            (Some(out), _) => Ok(out),
            (None, true) => Err(Fault::waits("finishes_in_time", "the function did not return")),
            (None, false) => Err(Fault::waits("survives", "the function came to a sudden end")),
        }
    }

    /// What the kernel saw of the call.
    pub fn trace(&self) -> &Trace {
        &self.record.trace
    }

    /// The calls of this name that the kernel saw, in order (the kernel's names: `sendto`, not `send`).
    pub fn calls(&self, name: &str) -> Vec<Seen<'_>> {
        self.calls_of(&[name])
    }

    /// The calls of any of these names, in order.
    pub fn calls_of(&self, names: &[&str]) -> Vec<Seen<'_>> {
        let events = self.record.trace.events.iter().enumerate();
        let calls = events.filter_map(|(index, event)| Some(Seen { index, call: event.call()? }));
        calls.filter(|seen| names.contains(&seen.call.name.as_ref())).collect()
    }

    /// Descriptors that the function left open and did not return: number and what it is (`socket:[4711]`).
    ///
    /// # Errors
    /// The function never returned, as for [`Run::answer`].
    pub fn left_open(&self) -> Result<&[(i32, String)], Fault> {
        match &self.record.report {
            Some(report) => Ok(&report.opened),
            None => self.answer().map(|_| [].as_slice()),
        }
    }

    /// How the last call of the function ended, in Rust's debug form: `Err(EADDRINUSE)`.
    pub fn returned(&self) -> String {
        match self.record.report.as_ref().and_then(|report| report.calls.last()).map(|call| &call.end) {
            Some(CallEnd::Returned(text)) => text.clone(),
            Some(CallEnd::Panicked { message, .. }) => format!("panicked: {message}"),
            None => "never returned".to_string(),
        }
    }

    /// "No, because …": fill the message's placeholders in with [`Rejection::with`], point at a line with [`Rejection::at`].
    pub fn reject(&self) -> Rejection {
        Rejection { values: Vec::new(), evidence: Evidence { record: Arc::clone(&self.record), marks: Vec::new() } }
    }
}

/// Whether the run was ended by its deadline with no report.
pub(crate) fn hung(record: &Record) -> bool {
    record.report.is_none() && matches!(record.trace.ending, Ending::Deadline { .. })
}

/// A call that the kernel saw, and where it stands in the trace.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its index among the trace's events, for [`Rejection::at`].
    pub index: usize,
    /// The call.
    pub call: &'a Call,
}

impl Deref for Seen<'_> {
    type Target = Call;

    fn deref(&self) -> &Call {
        self.call
    }
}

/// A directory for one run, removed when it is dropped.
#[derive(Debug)]
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("grader-{}-{count}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    let scratch = Scratch { path };
                    std::fs::create_dir(scratch.path.join(DIRECTORY))?;
                    return Ok(scratch);
                }
                // Left behind by a program of the same process id that was killed: take another name.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(error) => {
                    let what = format!("cannot make a directory at {}: {error}", path.display());
                    return Err(std::io::Error::new(error.kind(), what));
                }
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A student's function may have made what cannot be removed; a leftover in /tmp is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays what comes next of these, and tells what came out and how many were played. From 10 on it is the machine's fault.
    fn played(most: usize, results: &[Result<u32, &'static str>]) -> (Result<u32, &'static str>, usize) {
        let mut played = 0;
        let play = || {
            played += 1;
            results[played - 1]
        };
        let last = again_if_busy(most, play, |took, _| *took >= 10);
        (last, played)
    }

    #[test]
    fn only_what_the_machine_made_late_is_played_again() {
        assert_eq!(played(3, &[Ok(1), Ok(2)]), (Ok(1), 1));
        assert_eq!(played(3, &[Ok(10), Ok(2), Ok(3)]), (Ok(2), 2));
    }

    #[test]
    fn what_is_late_every_time_is_told_by_the_last() {
        assert_eq!(played(3, &[Ok(10), Ok(11), Ok(12), Ok(1)]), (Ok(12), 3));
        assert_eq!(played(1, &[Ok(10), Ok(1)]), (Ok(10), 1));
    }

    #[test]
    fn it_may_depend_on_how_many_were_played() {
        let mut took = 0;
        let play = || -> Result<u32, ()> {
            took += 1;
            Ok(took)
        };
        assert_eq!(again_if_busy(9, play, |took, played| (*took as usize, played) != (4, 4)), Ok(4));
    }

    #[test]
    fn an_error_ends_it() {
        assert_eq!(played(3, &[Ok(10), Err("no socket"), Ok(1)]), (Err("no socket"), 2));
    }
}
