//! The proof that a lesson's checks can be trusted: the reference passes, each wrong answer is turned away by the check
//! that names its mistake, and every stub is red.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::harness::{arguments, colour, finish, names_of, stage_door, tell};
use crate::suite::Suite;
use crate::verdict::Verdict;

/// A wrong answer that students really give.
#[derive(Clone, Copy, Debug)]
pub struct Wrong<P> {
    /// The exercise that it answers, such as `bind/any-port`.
    pub exercise: &'static str,
    /// The mistake's name: the name of the function.
    pub name: &'static str,
    /// Puts the wrong answer on a page.
    pub put: fn(&mut P),
    /// The check that must turn it away with its message.
    pub rejected_by: &'static str,
    /// Words that must occur in the message.
    pub says: &'static str,
    /// Checks that turn it away too, because it makes their mistake as well. Any other check must pass, or wait for one that
    /// turns it away: a student is told of a mistake once.
    pub also: &'static [&'static str],
}

/// The main function of a lesson's `tests/answers.rs`: proves that the lesson's checks can be trusted.
///
/// - `reference/ID`: every check passes.
/// - `wrong/ID/NAME`: the check that it names rejects it, the checks in `also` too, and no other; a check that waits, waits for
///   one of these; and the message says what it must.
/// - `stub/ID`: every check says "not started yet". A student's clone, where the exercise is written already, is no
///   reason to fail; where the environment variable `CI` is `true` it is.
/// - `sheet/…`: the sheet and the checks agree, and each check's message is reached by at least one wrong answer.
///
/// `lesson` makes the lesson's checks for a page.
pub fn prove<P>(lesson: fn(P) -> Suite<P>, reference: P, stubs: P, wrong: &'static [Wrong<P>]) -> ExitCode
where
    P: Clone + Send + Sync + 'static,
{
    let page_named = |name: &str| match name {
        REFERENCE => Some(reference.clone()),
        STUBS => Some(stubs.clone()),
        _ => wrong.iter().find(|wrong| name_of(wrong) == name).map(|wrong| {
            let mut page = reference.clone();
            (wrong.put)(&mut page);
            page
        }),
    };
    let suite_named = |name: &str| page_named(name).map(|page| lesson(page).named(name));
    if let Some(door) = stage_door() {
        let suite = suite_named(door.suite());
        door.play(suite.as_ref());
    }
    let (Some(reference), Some(stubs)) = (suite_named(REFERENCE), suite_named(STUBS)) else {
        unreachable!("both are named above")
    };
    let (reference, stubs) = (Arc::new(reference), Arc::new(stubs));

    let args = arguments(wrong.iter().filter(|wrong| hangs(wrong)).count());
    let colour = colour(&args);
    let mut trials = sheet_trials(&reference, wrong);
    for exercise in reference.exercises() {
        let (id, suite) = (exercise.id.clone(), Arc::clone(&reference));
        trials.push(Trial::test(format!("reference/{id}"), move || passes(&suite, &id, colour)));
        let (id, suite) = (exercise.id.clone(), Arc::clone(&stubs));
        trials.push(Trial::test(format!("stub/{id}"), move || is_stub(&suite, &id, colour)));
    }
    for wrong in wrong {
        let name = name_of(wrong);
        if let Some(suite) = suite_named(&name) {
            // Those that hang first: the others are done while they wait.
            let at = if hangs(wrong) { 0 } else { trials.len() };
            trials.insert(at, Trial::test(name, move || is_turned_away(&suite, wrong, colour)));
        }
    }
    finish(libtest_mimic::run(&args, trials))
}

const REFERENCE: &str = "reference";
const STUBS: &str = "stubs";

fn name_of<P>(wrong: &Wrong<P>) -> String {
    format!("wrong/{}/{}", wrong.exercise, wrong.name)
}

/// Whether it is a mistake by which a function does not return.
fn hangs<P>(wrong: &Wrong<P>) -> bool {
    wrong.rejected_by == "finishes_in_time" || wrong.also.contains(&"finishes_in_time")
}

/// The verdicts of all checks of an exercise, by name.
fn verdicts<P>(suite: &Suite<P>, id: &str) -> Result<Vec<(String, Verdict)>, Failed> {
    let exercise = suite.exercises().find(|exercise| exercise.id == id);
    let exercise = exercise.ok_or_else(|| format!("exercises.toml has no exercise {id}"))?;
    let names = names_of(exercise).into_iter();
    Ok(names.map(|name| (name.to_string(), suite.verdict(id, name))).collect())
}

/// The same, all made at once: for a function that hangs, all that there is to be done is to wait.
fn verdicts_at_once<P: Sync>(suite: &Suite<P>, id: &str) -> Result<Vec<(String, Verdict)>, Failed> {
    suite.expect_to_hang(id);
    std::thread::scope(|scope| {
        for name in suite.exercises().filter(|exercise| exercise.id == id).flat_map(names_of) {
            scope.spawn(move || suite.verdict(id, name));
        }
    });
    verdicts(suite, id)
}

fn passes<P>(suite: &Suite<P>, id: &str, colour: bool) -> Result<(), Failed> {
    let mut complaints = Vec::new();
    for (check, verdict) in verdicts(suite, id)? {
        if !matches!(verdict, Verdict::Passed) {
            complaints.push(format!("{check} should pass, and says\n\n{}", tell(suite, id, &check, &verdict, colour)));
        }
    }
    report(complaints)
}

fn is_stub<P>(suite: &Suite<P>, id: &str, colour: bool) -> Result<(), Failed> {
    let verdicts = verdicts(suite, id)?;
    let mut complaints = Vec::new();
    for (check, verdict) in &verdicts {
        match verdict {
            Verdict::NotStarted { unfinished_at } if unfinished_at.is_none() || !handed_out() => {
                let line = tell(suite, id, check, verdict, colour);
                if line.lines().count() != 1 {
                    complaints.push(format!("{check}: a stub deserves one line, and gets\n{line}"));
                }
            }
            Verdict::NoTracer { .. } | Verdict::Trouble { .. } => {
                complaints.push(tell(suite, id, check, verdict, colour));
            }
            _ if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
                complaints
                    .push(format!("{id}::{check}: the page handed out must hold a todo!(), and this one is written"));
            }
            // A student's own page, in which this exercise is done or under way.
            _ => (),
        }
    }
    if complaints.is_empty() && verdicts.iter().all(|(_, verdict)| !matches!(verdict, Verdict::NotStarted { .. })) {
        eprintln!("{id} is written already: there is no stub to look at");
    }
    report(complaints)
}

/// Whether the page is the one that students are handed, and not one that a student works on: so it is where `CI` is `true`.
fn handed_out() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

fn is_turned_away<P: Sync>(suite: &Suite<P>, wrong: &Wrong<P>, colour: bool) -> Result<(), Failed> {
    let expected: Vec<&str> = std::iter::once(wrong.rejected_by).chain(wrong.also.iter().copied()).collect();
    let mut complaints = Vec::new();
    let verdicts = if hangs(wrong) { verdicts_at_once } else { verdicts };
    for (check, verdict) in verdicts(suite, wrong.exercise)? {
        let wanted = expected.contains(&check.as_str());
        match &verdict {
            Verdict::Rejected { message, .. } if check == wrong.rejected_by && !message.contains(wrong.says) => {
                complaints.push(format!("{check} rejects it, but does not say {:?}: {message}", wrong.says));
            }
            Verdict::Rejected { .. } if wanted => (),
            Verdict::Passed if !wanted => (),
            Verdict::Waits { on, .. } if !wanted && expected.contains(&on.as_str()) => (),
            Verdict::Passed => complaints.push(format!("{check} should reject it, and lets it pass")),
            Verdict::Waits { on, .. } if wanted => {
                complaints.push(format!("{check} should reject it, and waits for {on}"));
            }
            _ => {
                let story = tell(suite, wrong.exercise, &check, &verdict, colour);
                complaints.push(format!("{check} should not speak up, and says\n\n{story}"));
            }
        }
    }
    report(complaints)
}

fn sheet_trials<P>(reference: &Suite<P>, wrong: &'static [Wrong<P>]) -> Vec<Trial> {
    let unchecked = reference.unchecked();
    let mut unreached = Vec::new();
    let mut unknown = Vec::new();
    for exercise in reference.exercises() {
        let answers: Vec<&Wrong<P>> = wrong.iter().filter(|wrong| wrong.exercise == exercise.id).collect();
        if answers.len() < 5 {
            unreached.push(format!("{} has {} wrong answers; five are the least", exercise.id, answers.len()));
        }
        for check in &exercise.checks {
            if answers.iter().all(|wrong| wrong.rejected_by != check.name) {
                unreached.push(format!("no wrong answer is there for {}::{} to reject", exercise.id, check.name));
            }
        }
        for wrong in answers {
            let names = std::iter::once(&wrong.rejected_by).chain(wrong.also);
            let strangers = names.filter(|name| exercise.check(name).is_none());
            unknown
                .extend(strangers.map(|name| format!("{}/{}: there is no check {name}", wrong.exercise, wrong.name)));
        }
    }
    let exercises: Vec<&str> = reference.exercises().map(|exercise| exercise.id.as_str()).collect();
    let stray = wrong.iter().filter(|wrong| !exercises.contains(&wrong.exercise));
    unknown.extend(stray.map(|wrong| format!("{}: there is no exercise {}", wrong.name, wrong.exercise)));
    let unchecked = unchecked.into_iter().map(|name| format!("nobody checks {name}")).collect();
    vec![
        Trial::test("sheet/every_check_is_made", move || report(unchecked)),
        Trial::test("sheet/every_message_is_reached", move || report(unreached)),
        Trial::test("sheet/wrong_answers_name_checks_that_exist", move || report(unknown)),
    ]
}

fn report(complaints: Vec<String>) -> Result<(), Failed> {
    match complaints.as_slice() {
        [] => Ok(()),
        complaints => Err(Failed::from(complaints.join("\n"))),
    }
}
