//! A lesson's checks, bound to one page of answers.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bench::{Bench, Ledger};
use crate::common;
use crate::sheet::{self, Exercise, Sheet};
use crate::stage::Stage;
use crate::verdict::{Fault, Record, Verdict};

/// The checks of a lesson for one page: the student's, the reference, a wrong one.
///
/// `P` is the page: a struct of function pointers, one for each exercise.
pub struct Suite<P> {
    name: String,
    page: P,
    exercises: Vec<Graded<P>>,
}

/// An exercise and its checks.
pub(crate) struct Graded<P> {
    pub sheet: Exercise,
    pub checks: Vec<Judged<P>>,
    has_hung: Arc<AtomicBool>,
}

type Act<P> = Box<dyn Fn(&P, &mut Stage, Value) -> Result<Value, String> + Send + Sync>;
type Judge = Box<dyn Fn(&Ledger) -> Result<(), Fault> + Send + Sync>;

/// A check: its act, its judge, and, once it was made, what came of it.
pub(crate) struct Judged<P> {
    pub name: &'static str,
    act: Act<P>,
    judge: Judge,
    evaluation: OnceLock<Evaluation>,
}

/// What came of a check's judge, and the runs that it had made.
#[derive(Debug)]
pub(crate) struct Evaluation {
    pub verdict: Verdict,
    pub records: Vec<Arc<Record>>,
}

impl<P> Suite<P> {
    /// The checks for this page, none yet. `sheet` is the text of the lesson's `exercises.toml`.
    ///
    /// # Errors
    /// The sheet is broken ([`Sheet::parse`]).
    pub fn new(sheet: &str, page: P) -> Result<Suite<P>, sheet::Error> {
        let exercises = Sheet::parse(sheet)?.exercises;
        let exercises =
            exercises.into_iter().map(|sheet| Graded { sheet, checks: Vec::new(), has_hung: Arc::default() }).collect();
        Ok(Suite { name: String::new(), page, exercises })
    }

    /// Gives the suite a name, by which a child finds it where a program has several.
    pub fn named(mut self, name: impl Into<String>) -> Suite<P> {
        self.name = name.into();
        self
    }

    /// Adds a check of the exercise `id` (`bind/any-port`): `act` is played in a child, and `judge` says in the parent
    /// what it shows. What the check asks and says stands in the exercise sheet under its `name`.
    ///
    /// # Panics
    /// The sheet has no such exercise or check, or the check was added before.
    pub fn check<In, Out>(
        &mut self,
        id: &str,
        name: &'static str,
        act: fn(&P, &mut Stage, In) -> Out,
        judge: fn(&Bench<'_, In, Out>) -> Result<(), Fault>,
    ) -> &mut Suite<P>
    where
        In: Serialize + DeserializeOwned + 'static,
        Out: Serialize + DeserializeOwned + 'static,
        P: 'static,
    {
        let Some(exercise) = self.exercises.iter_mut().find(|exercise| exercise.sheet.id == id) else {
            panic!("exercises.toml has no exercise {id}");
        };
        assert!(
            exercise.sheet.checks.iter().any(|check| check.name == name),
            "exercises.toml has no check {name} in exercise {id}"
        );
        assert!(exercise.checks.iter().all(|check| check.name != name), "{id} has two checks {name}");
        let act = move |page: &P, stage: &mut Stage, input: Value| {
            let input = serde_json::from_value(input).map_err(|error| format!("the act's input: {error}"))?;
            serde_json::to_value(act(page, stage, input)).map_err(|error| format!("the act's report: {error}"))
        };
        let judge = move |ledger: &Ledger| judge(&Bench { ledger, types: PhantomData });
        exercise.checks.push(Judged { name, act: Box::new(act), judge: Box::new(judge), evaluation: OnceLock::new() });
        self
    }

    /// What the sheet describes and nobody checks: `exercise::check` for each.
    pub fn unchecked(&self) -> Vec<String> {
        let missing = self.exercises.iter().flat_map(|exercise| {
            let described = exercise.sheet.checks.iter();
            let missing = described.filter(|check| exercise.checks.iter().all(|made| made.name != check.name));
            missing.map(|check| format!("{}::{}", exercise.sheet.id, check.name))
        });
        missing.collect()
    }

    /// The exercises, as the sheet describes them.
    pub fn exercises(&self) -> impl Iterator<Item = &Exercise> {
        self.exercises.iter().map(|exercise| &exercise.sheet)
    }

    /// The suite's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a check (once: the verdict is kept), one of the exercise's own or one of those that every exercise has.
    /// The latter look at the runs of all the exercise's own checks, so these are made first.
    ///
    /// # Panics
    /// There is no such exercise or check.
    pub fn verdict(&self, id: &str, check: &str) -> Verdict {
        let exercise = self.graded(id);
        match exercise.checks.iter().find(|made| made.name == check) {
            Some(made) => self.evaluation(exercise, made).verdict.clone(),
            None => {
                let evaluations: Vec<&Evaluation> =
                    exercise.checks.iter().map(|made| self.evaluation(exercise, made)).collect();
                common::verdict(check, &evaluations)
            }
        }
    }

    /// The function of this exercise will hang: do not wait for it for longer than for one that has hung once already.
    ///
    /// # Panics
    /// There is no such exercise.
    pub(crate) fn expect_to_hang(&self, id: &str) {
        self.graded(id).has_hung.store(true, Ordering::Relaxed);
    }

    fn evaluation<'a>(&self, exercise: &Graded<P>, check: &'a Judged<P>) -> &'a Evaluation {
        check.evaluation.get_or_init(|| {
            let ledger = Ledger {
                suite: self.name.clone(),
                exercise: exercise.sheet.id.clone(),
                check: check.name,
                records: Mutex::new(Vec::new()),
                has_hung: Arc::clone(&exercise.has_hung),
            };
            let verdict = match (check.judge)(&ledger) {
                Ok(()) => Verdict::Passed,
                Err(fault) => verdict_of(fault, &exercise.sheet, check.name),
            };
            let records = ledger.records.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
            Evaluation { verdict, records }
        })
    }

    fn graded(&self, id: &str) -> &Graded<P> {
        let found = self.exercises.iter().find(|exercise| exercise.sheet.id == id);
        found.unwrap_or_else(|| panic!("exercises.toml has no exercise {id}"))
    }

    /// Plays the act of a check, in the child.
    pub(crate) fn play(&self, id: &str, check: &str, stage: &mut Stage, input: Value) -> Result<Value, String> {
        let exercise = self.exercises.iter().find(|exercise| exercise.sheet.id == id);
        let check = exercise.and_then(|exercise| exercise.checks.iter().find(|made| made.name == check));
        match check {
            Some(check) => (check.act)(&self.page, stage, input),
            None => Err(format!("there is no check {check:?} of {id}", check = check.map(|made| made.name))),
        }
    }
}

/// The sheet's words for what a judge found.
pub(crate) fn verdict_of(fault: Fault, exercise: &Exercise, check: &str) -> Verdict {
    match fault {
        Fault::Rejected(rejection) => {
            let template = exercise.check(check).map_or("", |check| check.message.as_str());
            match sheet::fill(template, &rejection.values) {
                Ok(message) => Verdict::Rejected { message, evidence: Some(rejection.evidence) },
                Err(what) => Verdict::Trouble { what: format!("{}::{check}: {what}", exercise.id) },
            }
        }
        Fault::Waits { on, because } => Verdict::Waits { on, because },
        Fault::NotStarted { unfinished_at } => Verdict::NotStarted { unfinished_at },
        Fault::NoTracer { because } => Verdict::NoTracer { because },
        Fault::Trouble { what } => Verdict::Trouble { what },
    }
}

impl<P> fmt::Debug for Suite<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.exercises.iter().map(|exercise| exercise.sheet.id.as_str()).collect();
        f.debug_struct("Suite").field("name", &self.name).field("exercises", &ids).finish_non_exhaustive()
    }
}
