//! The test programs' main functions: `cargo test` and cargo-nextest see ordinary tests, one for each check.

use std::io::IsTerminal;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, ColorSetting, Conclusion, Failed, Trial};

use crate::report::{ORDER, Order, STAGE};
use crate::stage::{self, Stage};
use crate::suite::Suite;
use crate::verdict::Verdict;
use crate::{sheet, shield, story};

/// The main function of a lesson's `tests/exercises.rs`: grades a page, one test for each check, named
/// `bind/any-port::never_zero`. Takes the command line of an ordinary Rust test program.
///
/// A check passes only if its verdict is [`Verdict::Passed`]. One that could not be made fails, in one line that says why;
/// also where this machine forbids tracing. To count it as ignored would let `cargo test` succeed,
/// and a script that looks at the exit status would give full marks for an empty page.
pub fn grade<P: Send + Sync + 'static>(suite: Suite<P>) -> ExitCode {
    let suite = match stage_door() {
        Some(door) => door.play(Some(&suite)),
        None => suite,
    };
    let unchecked = suite.unchecked();
    if !unchecked.is_empty() {
        eprintln!("exercises.toml describes checks that nobody makes: {}", unchecked.join(", "));
        return ExitCode::from(2);
    }
    // If it is a function that hangs, it hangs in most of its exercise's checks.
    let args = arguments(suite.exercises().map(|exercise| exercise.checks.len()).max().unwrap_or(0));
    let colour = colour(&args);
    let suite = Arc::new(suite);
    let mut trials = Vec::new();
    for exercise in suite.exercises() {
        for check in exercise.all_checks() {
            let (id, check) = (exercise.id.clone(), check.name.clone());
            let suite = Arc::clone(&suite);
            trials.push(Trial::test(format!("{id}::{check}"), move || told(&suite, &id, &check, colour)));
        }
    }
    finish(libtest_mimic::run(&args, trials))
}

/// The command line. Unless it says how many tests run at once (`--test-threads`), it is a few for each processor, since
/// a check waits now and then, and one more for each of those that wait all the time. (More would cost: each run begins
/// with a fork, and that holds the other threads up.)
pub(crate) fn arguments(waiting: usize) -> Arguments {
    const FOR_EACH_PROCESSOR: usize = 2;
    let mut args = Arguments::from_args();
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    args.test_threads.get_or_insert(processors * FOR_EACH_PROCESSOR + waiting);
    args
}

fn told<P>(suite: &Suite<P>, id: &str, check: &str, colour: bool) -> Result<(), Failed> {
    match suite.verdict(id, check) {
        Verdict::Passed => Ok(()),
        verdict => Err(Failed::from(tell(suite, id, check, &verdict, colour))),
    }
}

/// A verdict in the words in which `cargo test` prints it; empty for [`Verdict::Passed`].
///
/// # Panics
/// The suite has no such exercise.
pub fn tell<P>(suite: &Suite<P>, id: &str, check: &str, verdict: &Verdict, colour: bool) -> String {
    let exercise = suite.exercises().find(|exercise| exercise.id == id);
    let exercise = exercise.unwrap_or_else(|| panic!("exercises.toml has no exercise {id}"));
    story::tell(exercise, check, verdict, colour)
}

pub(crate) fn finish(conclusion: Conclusion) -> ExitCode {
    conclusion.exit_code()
}

/// Colour as the command line and the environment want it: `--color`, NO_COLOR, and whether anybody looks.
pub(crate) fn colour(args: &Arguments) -> bool {
    match args.color {
        Some(ColorSetting::Always) => true,
        Some(ColorSetting::Never) => false,
        _ => {
            let stdout = std::io::stdout();
            stdout.is_terminal() && anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never
        }
    }
}

/// To be asked first thing in `main`: whether this process is a child that was started to play an act. If so, it must
/// [play](StageDoor::play) it, and do nothing else. [`grade`] and [`prove`](crate::prove) ask it themselves.
pub fn stage_door() -> Option<StageDoor> {
    let scratch = std::env::var_os(STAGE).map(PathBuf::from)?;
    stage::remember_panics();
    let order = std::fs::read(scratch.join(ORDER)).map_err(|error| error.to_string());
    let order = order.and_then(|text| serde_json::from_slice::<Order>(&text).map_err(|error| error.to_string()));
    match order {
        Ok(order) => Some(StageDoor { scratch, order }),
        Err(what) => {
            eprintln!("{STAGE} is set to {}, and there is no order to play there: {what}", scratch.display());
            shield::exit_now(2);
        }
    }
}

/// A child's order to play an act.
#[derive(Debug)]
pub struct StageDoor {
    scratch: PathBuf,
    order: Order,
}

impl StageDoor {
    /// The name of the suite that the act belongs to.
    pub fn suite(&self) -> &str {
        &self.order.suite
    }

    /// Plays the act with this suite (`None`: there is none of that name), and ends the process.
    pub fn play<P>(self, suite: Option<&Suite<P>>) -> ! {
        let StageDoor { scratch, order } = self;
        let mut stage = Stage::new(scratch, order.descriptors);
        if let Err(error) = shield::put_up() {
            stage.give_up(format!("the child cannot be made ready: {error}"));
        }
        let Some(suite) = suite else {
            stage.give_up(format!("there is no suite {:?}", order.suite));
        };
        let played = panic::catch_unwind(AssertUnwindSafe(|| {
            suite.play(&order.exercise, &order.check, &mut stage, order.input)
        }));
        match played {
            Ok(Ok(out)) => stage.close(out),
            Ok(Err(what)) => stage.give_up(what),
            Err(_) => stage.give_up(format!("the act of {} panicked: {}", order.check, stage::last_panic())),
        }
    }
}

/// The sheet's checks of an exercise, by name: its own, then the common ones.
pub(crate) fn names_of(exercise: &sheet::Exercise) -> Vec<&str> {
    exercise.all_checks().map(|check| check.name.as_str()).collect()
}
