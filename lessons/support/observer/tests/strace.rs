//! The observer agrees with `strace`, line for line, on everything that the corpus does.
//!
//! Where `strace` is missing, or is another version than the one that the observer's format was verified with, these tests
//! say so and pass; with `OBSERVER_STRACE=insist` in the environment they fail instead.

use std::collections::BTreeSet;
use std::io::Write;

use observer::strace::{self, Report, Subject};
use observer::{Ending, Observer};

/// The themes of the corpus, and how many lines each has at least: if one plays less, the comparison says little.
const THEMES: [(&str, usize); 11] = [
    ("sockets", 1100),
    ("addresses", 3300),
    ("options", 23000),
    ("buffers", 600),
    ("messages", 3300),
    ("polling", 450),
    ("files", 1300),
    ("bad-pointers", 350),
    ("process", 350),
    ("signals", 170),
    ("known", 20),
];

/// What must be checked must be checkable. Says whether there is anything to compare with; if there is not, why.
fn can_compare() -> bool {
    let why = if cfg!(target_arch = "x86_64") {
        match strace::available() {
            Ok(()) => return true,
            Err(why) => why.to_string(),
        }
    } else {
        "the corpus makes the system calls of x86-64, and this is another architecture".to_string()
    };
    assert!(!strace::insisted(), "{}=insist, but {why}", strace::INSIST);
    // Not with eprintln!, whose output the test runner keeps to itself when a test passes.
    let told = writeln!(std::io::stderr(), "NOT RUN: the observer was not compared with strace: {why}");
    assert!(told.is_ok(), "standard error can be written to");
    false
}

fn corpus() -> Subject {
    let name = format!("corpus of test {}", std::process::id());
    Subject::new(env!("CARGO_BIN_EXE_observer-corpus")).env("OBSERVER_CORPUS_NAME", name).fenced()
}

fn compare(subject: &Subject) -> Report {
    let report = strace::compare(subject).unwrap_or_else(|why| panic!("{why}"));
    if let Err(told) = report.verdict() {
        panic!("{told}");
    }
    report
}

fn check_theme(theme: &str) {
    if !can_compare() {
        return;
    }
    let report = compare(&corpus().arg(theme));
    let (_, least) = THEMES.iter().find(|(name, _)| *name == theme).expect("the theme is in the list");
    assert!(report.same >= *least, "only {} lines of the theme {theme} were compared, not {least}", report.same);
}

#[test]
fn sockets_agree() {
    check_theme("sockets");
}

#[test]
fn addresses_agree() {
    check_theme("addresses");
}

#[test]
fn options_agree() {
    check_theme("options");
}

#[test]
fn buffers_agree() {
    check_theme("buffers");
}

#[test]
fn messages_agree() {
    check_theme("messages");
}

#[test]
fn polling_agrees() {
    check_theme("polling");
}

#[test]
fn files_agree() {
    check_theme("files");
}

#[test]
fn bad_pointers_agree() {
    check_theme("bad-pointers");
}

#[test]
fn processes_agree() {
    check_theme("process");
}

#[test]
fn signals_agree() {
    check_theme("signals");
}

/// A known difference that is no longer one must leave the list.
#[test]
fn the_known_differences_are_still_there() {
    if !can_compare() {
        return;
    }
    let report = compare(&corpus().arg("known"));
    for known in strace::KNOWN {
        let met = report.known.iter().any(|(reason, _)| *reason == known.reason);
        assert!(
            met,
            "strace and the observer now agree on this; take it off observer::strace::KNOWN: {}",
            known.reason
        );
    }
    let (_, least) = THEMES[THEMES.len() - 1];
    assert!(report.same >= least, "only {} lines of the theme known were the same, not {least}", report.same);
}

/// A theme that is not in the list above would not be compared.
#[test]
fn every_theme_is_compared() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_observer-corpus")).arg("--list").output();
    let output = output.expect("the corpus runs");
    let listed = String::from_utf8(output.stdout).expect("names are text");
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed, THEMES.map(|(name, _)| name));
}

/// A call that the corpus does not make would not be compared.
#[test]
fn every_call_is_made() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let directory = std::env::temp_dir().join(format!("observer-corpus-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("a fresh directory can be made");
    let seen = Observer::new(env!("CARGO_BIN_EXE_observer-corpus"))
        .env("OBSERVER_CORPUS_NAME", format!("corpus of {}, whole", std::process::id()))
        .directory(&directory)
        .any_descriptor()
        .capture()
        .run();
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    let seen = seen.expect("the corpus can be observed");
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{}", String::from_utf8_lossy(&seen.stderr));
    let made: BTreeSet<&str> =
        seen.trace.events.iter().filter_map(|event| event.call()).map(|call| call.name.as_ref()).collect();
    let missing: Vec<&str> = strace::calls().filter(|name| !made.contains(name)).collect();
    assert!(missing.is_empty(), "the corpus does not make these calls: {missing:?}");
}

/// A program as anybody writes it, from its first call to its last.
#[test]
fn an_ordinary_program_agrees() {
    if !can_compare() {
        return;
    }
    // One child after the other, each waited for: so each SIGCHLD has only one moment when it can come.
    let shell = Subject::new("/bin/sh").arg("-c").arg("/bin/ls /; (exit 3); /bin/true");
    let report = compare(&shell);
    assert!(report.threads >= 3, "a shell with children has {} threads", report.threads);
}

/// A comparison that cannot find a difference proves nothing.
#[test]
fn a_difference_is_found_and_told() {
    if !can_compare() {
        return;
    }
    // A shell's process id is in what it writes, and that is not normalised.
    let differs = Subject::new("/bin/sh").arg("-c").arg("echo $$");
    let report = strace::compare(&differs).unwrap_or_else(|why| panic!("{why}"));
    let told = report.verdict().expect_err("the two runs write different numbers");
    assert!(told.contains("strace:   write(1, ") && told.contains("observer: write(1, "), "{told}");
    assert!(strace::compare(&differs.numbers_vary()).is_ok_and(|report| report.verdict().is_ok()));
}
