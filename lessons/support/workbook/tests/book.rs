//! The book itself: it does not lie, plain mdBook builds the same pages, and `strace` sees what the recordings show.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use common::{lessons, own_network, this_project as project};
use observer::strace::{self, Subject};
use workbook::check::{self, Rule};
use workbook::programs::Program;
use workbook::site::{self, Preprocessor};

/// Expects a rule to find nothing.
#[track_caller]
fn holds(rule: Rule) {
    let report = check::check(&project(), lessons(), &[rule]).expect("the check itself works");
    for note in &report.notes {
        println!("note: {note}");
    }
    println!("{}", report.looked_at.join("; "));
    let findings: Vec<String> = report.findings.iter().map(|finding| format!("  {finding}")).collect();
    assert!(findings.is_empty(), "the book lies (`cargo workbook check` says the same):\n{}", findings.join("\n"));
}

#[test]
fn recordings_are_what_a_run_shows_today_and_experiments_do_what_they_claim() {
    holds(Rule::Recordings);
}

#[test]
fn no_code_and_no_output_is_typed_by_hand() {
    holds(Rule::Blocks);
}

#[test]
fn what_is_named_exists_and_what_exists_is_shown() {
    holds(Rule::Names);
}

#[test]
fn the_indexes_explain_every_errno_and_every_call() {
    holds(Rule::Indexes);
}

#[test]
fn every_link_leads_somewhere() {
    holds(Rule::Links);
}

#[test]
fn plain_mdbook_builds_the_same_pages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let build = |name: &str, preprocessor| {
        let site = folder.path().join(name);
        site::build_in_place(&project(), &site, preprocessor).expect("the book builds");
        files(&site)
    };
    let embedded = build("embedded", Preprocessor::Embedded);
    assert!(embedded.len() > 20, "a book was built: {:?}", embedded.keys());
    assert_same("the command in book.toml", &embedded, &build("command", Preprocessor::Command));

    // And with the real thing, where it is installed.
    let version = Command::new("mdbook").arg("--version").stdin(Stdio::null()).output();
    match version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()) {
        Ok(version) if version.starts_with("mdbook v0.5.") => {
            let site = folder.path().join("mdbook");
            let mut mdbook = Command::new("mdbook");
            mdbook.arg("build").arg("--dest-dir").arg(&site).arg(project().root()).stdin(Stdio::null());
            let output = mdbook.output().expect("mdbook starts");
            assert!(output.status.success(), "{output:?}");
            assert_same(&version, &embedded, &files(&site));
        }
        Ok(version) => println!("not compared with {version}: the book is made for 0.5"),
        Err(error) => println!("not compared with mdbook itself, which is not installed ({error})"),
    }
}

#[track_caller]
fn assert_same(what: &str, embedded: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<PathBuf>>();
    assert_eq!(names(embedded), names(other), "{what} gives other files");
    let different: Vec<&PathBuf> = embedded.keys().filter(|name| embedded[*name] != other[*name]).collect();
    assert!(different.is_empty(), "{what} gives other contents of {different:?}");
}

/// All files below a folder, with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let name = path.strip_prefix(root).expect("it lies below").to_path_buf();
                files.insert(name, fs::read(&path).expect("a file can be read"));
            }
        }
    }
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files);
    files
}

#[test]
fn the_observer_and_strace_agree_on_every_experiment() {
    if let Err(why) = strace::available() {
        assert!(!strace::insisted(), "{}=insist, and yet: {why}", strace::INSIST);
        println!("not compared with strace: {why}");
        return;
    }
    // The lessons side by side, since they mostly wait, if each may have a network of its own; else one after the other,
    // so that none takes a port that another has just given back.
    let in_turn = Mutex::new(());
    let compare = |program| {
        let _turn = own_network().err().map(|_| in_turn.lock());
        compare_with_strace(program)
    };
    let compared: Vec<(usize, Vec<String>)> = thread::scope(|scope| {
        let compare = &compare;
        let threads: Vec<_> = lessons().iter().map(|program| scope.spawn(move || compare(program))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the comparison itself works")).collect()
    });
    let lines: usize = compared.iter().map(|(lines, _)| lines).sum();
    let complaints: Vec<String> = compared.into_iter().flat_map(|(_, complaints)| complaints).collect();
    println!("{lines} lines are the same as strace's");
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(lines > 100, "the experiments make more calls than {lines}");
}

/// Runs a lesson's experiments under both: how many lines are the same, and what is not.
fn compare_with_strace(program: &Program) -> (usize, Vec<String>) {
    let mut lines = 0;
    let mut complaints = Vec::new();
    for experiment in program.catalogue().expect("the lesson lists its experiments").experiments {
        let name = format!("{}/{}", program.lesson, experiment.name);
        // What an experiment reads in /proc differs from run to run, and the observer does not show it.
        let subject = Subject::new(program.path()).arg("--play").arg(&experiment.name).fenced().sockets();
        match strace::compare(&subject) {
            Ok(report) => {
                lines += report.same;
                complaints.extend(report.verdict().err().map(|verdict| format!("{name}: {verdict}")));
            }
            Err(failure) => complaints.push(format!("{name}: {failure}")),
        }
    }
    (lines, complaints)
}
