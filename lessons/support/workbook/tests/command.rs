//! The command line: building, recording, hints.

mod common;

use std::fs;
use std::process::{Command, Output};

use common::Sample;
use workbook::record::{self, Done, Options};

fn workbook(sample: &Sample, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workbook"));
    command.args(args).arg("--root").arg(sample.project.root());
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it, and expects it to end with this status and to say all this, on standard output if all is well and else on
/// standard error.
#[track_caller]
fn says(sample: &Sample, args: &[&str], status: i32, words: &[&str]) {
    let output = workbook(sample, args);
    let said = text(if status == 0 { &output.stdout } else { &output.stderr });
    assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
    for word in words {
        assert!(said.contains(word), "{args:?}: {said:?} does not say {word:?}");
    }
}

#[test]
fn hints_come_one_at_a_time() {
    let sample = Sample::new();
    says(
        &sample,
        &["hint", "sample/first"],
        0,
        &["Hint 1 of 3", "It is a number.", "cargo workbook hint sample/first 2"],
    );
    says(
        &sample,
        &["hint", "sample/first", "2"],
        0,
        &["Hint 2 of 3", "smaller than two", "cargo workbook hint sample/first 3"],
    );
    says(&sample, &["hint", "sample/first", "3"], 0, &["Hint 3 of 3", "It is 1.", "sample.md#two-sockets"]);
    says(&sample, &["hint", "sample/first", "--all"], 0, &["Hint 1", "Hint 2", "Hint 3"]);
    let first = text(&workbook(&sample, &["hint", "sample/first"]).stdout);
    assert!(!first.contains("smaller than two"), "the second hint is not told before it is asked for: {first}");
}

#[test]
fn a_hint_for_nothing_names_the_nearest() {
    let sample = Sample::new();
    says(&sample, &["hint", "sample/fist"], 2, &["no exercise sample/fist", "Did you mean sample/first?"]);
    says(&sample, &["hint", "first"], 2, &["Did you mean sample/first?"]);
    says(&sample, &["hint", "sample/first", "4"], 2, &["no hint 4", "it has 3"]);
    says(&sample, &["hint", "sample/first", "0"], 2, &["no hint 0"]);
    says(&sample, &["hint", "zzz"], 2, &["no exercise zzz.", "cargo workbook exercises"]);
}

#[test]
fn exercises_are_listed_with_what_to_type() {
    let sample = Sample::new();
    says(&sample, &["exercises"], 0, &["sample/first", "★", "The first", "cargo test -p lesson-sample first"]);
}

#[test]
fn there_is_no_colour_in_a_file() {
    let sample = Sample::new();
    for args in [["hint", "sample/first"].as_slice(), &["hint", "nothing"], &["--help"]] {
        let output = workbook(&sample, args);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    let sample = Sample::new();
    says(&sample, &["bild"], 2, &["bild"]);
    says(&sample, &["--port", "70000"], 2, &["70000"]);
    says(&sample, &["check", "--only", "spelling"], 2, &["spelling", "recordings"]);
}

#[test]
fn help_tells_of_everything() {
    let sample = Sample::new();
    let commands = ["serve", "build", "record", "check", "hint", "exercises", "errno", "--port", "--open", "127.0.0.1"];
    says(&sample, &["--help"], 0, &commands);
    for command in ["serve", "build", "record", "check", "hint", "exercises", "errno"] {
        says(&sample, &[command, "--help"], 0, &["Usage: cargo workbook"]);
    }
}

#[test]
fn outside_a_project_it_says_where_to_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_workbook")).arg("build").current_dir(folder.path()).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no book.toml"), "{output:?}");
}

#[test]
fn a_book_is_built_where_it_is_wanted() {
    let sample = Sample::new();
    says(&sample, &["build"], 0, &["target/book"]);
    assert!(sample.file("target/book/sample.html").is_file());
    let elsewhere = sample.file("elsewhere").display().to_string();
    says(&sample, &["build", "--dest", &elsewhere], 0, &["elsewhere"]);
    // Again, over what is there.
    says(&sample, &["build", "--dest", &elsewhere], 0, &["elsewhere"]);
    assert!(sample.file("elsewhere/searcher").exists() || sample.file("elsewhere/sample.html").is_file());
}

#[test]
fn a_folder_with_something_else_in_it_is_not_emptied() {
    let sample = Sample::new();
    sample.write("precious/diary.txt", "dear diary");
    let precious = sample.file("precious").display().to_string();
    says(&sample, &["build", "--dest", &precious], 1, &["precious", "not a built book"]);
    assert_eq!(sample.read("precious/diary.txt"), "dear diary");
}

#[test]
fn a_book_that_does_not_build_leaves_the_last_one() {
    let sample = Sample::new();
    says(&sample, &["build"], 0, &[]);
    sample.append("book/sample.md", "\n{{#include gone.svg}}\n");
    says(&sample, &["build"], 1, &["gone.svg"]);
    assert!(sample.read("target/book/sample.html").contains("Two ends"));
    let left: Vec<_> = fs::read_dir(sample.file("target")).expect("it can be read").collect();
    assert_eq!(left.len(), 1, "nothing half-built is left: {left:?}");
}

/// Records, and returns what became of each recording.
fn record(sample: &Sample, wanted: &[&str], options: Options) -> Vec<(String, Done)> {
    let wanted: Vec<String> = wanted.iter().map(|item| item.to_string()).collect();
    let mut reported = Vec::new();
    let mut report = |name: &str, done: &Done| reported.push((name.to_string(), done.clone()));
    let all_kept =
        record::record(&sample.project, &sample.programs(), &wanted, options, &mut report).expect("it records");
    assert_eq!(all_kept, !reported.iter().any(|(_, done)| matches!(done, Done::Refused(_))));
    reported
}

const RUN: &str = "lessons/sample/runs/two-sockets.json";
const KEPT: &str = "book/traces/sample/two-sockets.json";
const ONE: &[&str] = &["sample/two-sockets"];

#[test]
fn what_says_the_same_is_not_written_again() {
    let sample = Sample::new();
    let before = sample.read(KEPT);
    assert_eq!(record(&sample, ONE, Options::default()), [("sample/two-sockets".to_string(), Done::Unchanged)]);
    assert_eq!(sample.read(KEPT), before);
    record(&sample, ONE, Options { force: true, anyway: false });
    assert!(sample.read(KEPT).contains("53191"), "forced, the new run is kept");
}

#[test]
fn what_has_changed_is_written_a_line_an_event() {
    let sample = Sample::new();
    sample.replace(RUN, "SOCK_STREAM", "SOCK_DGRAM");
    assert_eq!(record(&sample, ONE, Options::default()), [("sample/two-sockets".to_string(), Done::Changed)]);
    let kept = sample.read(KEPT);
    assert_eq!(kept.lines().filter(|line| line.contains("\"pid\"")).count(), 6, "{kept}");
    // What is written can be read, and is the run.
    let kept = record::read(&sample.file(KEPT)).expect("it is a recording");
    let run = record::read(&sample.file(RUN)).expect("so is the run");
    assert_eq!(kept, run);
}

#[test]
fn a_new_experiment_gets_a_recording_and_a_lost_one_loses_it() {
    let sample = Sample::new();
    fs::remove_file(sample.file(KEPT)).expect("it was there");
    sample.write("book/traces/sample/lost.json", "{}");
    sample.write("book/traces/old/lost.json", "{}");
    let done = record(&sample, &[], Options::default());
    let name = |name: &str, done| (name.to_string(), done);
    assert_eq!(
        done,
        [
            name("sample/two-sockets", Done::New),
            name("sample/two-ends", Done::Unchanged),
            name("sample/lost", Done::Removed),
            name("old", Done::Removed)
        ]
    );
    assert!(!sample.file("book/traces/sample/lost.json").exists() && !sample.file("book/traces/old").exists());
}

#[test]
fn what_the_book_should_not_show_is_refused() {
    let sample = Sample::new();
    let before = sample.read(KEPT);
    let run = sample.read(RUN);
    let refused = |words: &str| {
        let done = record(&sample, ONE, Options::default());
        assert!(matches!(&done[0].1, Done::Refused(why) if why.contains(words)), "{done:?}");
        assert_eq!(sample.read(KEPT), before);
    };
    let mut value: serde_json::Value = serde_json::from_str(&run).expect("the run is JSON");
    value["trace"] = serde_json::Value::Null;
    sample.write(RUN, &value.to_string());
    refused("no trace");

    sample.write(RUN, &run.replace("\"outcome\": 0", "\"outcome\": 1, \"when\": \"where nobody minds\""));
    refused("where nobody minds");
    let anyway = Options { force: false, anyway: true };
    assert_eq!(record(&sample, ONE, anyway)[0].1, Done::Changed);
    sample.write(KEPT, &before);

    // What does not do what it claims is never kept.
    sample.write(RUN, &run.replace("\"outcome\": 0", "\"outcome\": null"));
    refused("not what the experiment claims");
    assert!(matches!(&record(&sample, ONE, anyway)[0].1, Done::Refused(_)));
}

#[test]
fn what_is_not_there_cannot_be_recorded() {
    let sample = Sample::new();
    says(&sample, &["record", "simple"], 1, &["no lesson simple", "sample"]);
    let mut nobody = |_: &str, _: &Done| {};
    let wanted = ["sample/gone".to_string()];
    let error = record::record(&sample.project, &sample.programs(), &wanted, Options::default(), &mut nobody);
    let error = error.expect_err("there is no such experiment").to_string();
    assert!(error.contains("no experiment gone") && error.contains("two-ends"), "{error}");
}

#[test]
fn what_is_for_the_atlas_is_recorded_apart() {
    let sample = Sample::with_an_atlas();
    let kept = "book/traces/sample/errnos/port-taken.json";
    fs::remove_file(sample.file(kept)).expect("it was there");
    sample.write("book/traces/sample/errnos/lost.json", "{}");
    let name = |name: &str, done| (name.to_string(), done);
    // One alone, by its name.
    let one = ["sample/port-taken"];
    assert_eq!(record(&sample, &one, Options::default()), [name("sample/port-taken", Done::New)]);
    assert!(sample.file(kept).is_file() && !sample.file("book/traces/sample/port-taken.json").exists());
    assert_eq!(
        record(&sample, &["sample"], Options::default()),
        [
            name("sample/two-sockets", Done::Unchanged),
            name("sample/two-ends", Done::Unchanged),
            name("sample/port-taken", Done::Unchanged),
            name("sample/no-memory", Done::Unchanged),
            name("sample/lost", Done::Removed),
        ]
    );
    // The stories keep to themselves.
    let stories = record::kept(&sample.project).expect("they can be read");
    assert_eq!(stories.len(), 2, "{stories:?}");
}

#[test]
fn an_atlas_that_is_gone_is_removed() {
    let sample = Sample::with_an_atlas();
    let mut catalogue = sample.json("lessons/sample/runs/catalogue.json");
    catalogue.as_object_mut().expect("it is an object").remove("atlas");
    sample.write("lessons/sample/runs/catalogue.json", &catalogue.to_string());
    let done = record(&sample, &[], Options::default());
    assert_eq!(done.iter().filter(|(_, done)| *done == Done::Removed).count(), 2, "{done:?}");
    assert!(!sample.file("book/traces/sample/errnos").exists());
}

#[test]
fn an_errno_is_told_by_name_and_number() {
    let sample = Sample::with_an_atlas();
    for asked in ["EADDRINUSE", "eaddrinuse", "98"] {
        says(
            &sample,
            &["errno", asked],
            0,
            &[
                "EADDRINUSE (98): Address already in use\n",
                "from bind (documented)",
                "  port-taken\n    The cause of port-taken.\n    Cure: The cure of port-taken.\n",
                "Documents: bind(2), POSIX.",
                "Documents and kernel: The page says more than the kernel.",
                "It takes a network of its own.",
                "sample/two-sockets",
                "  cargo run -p lesson-sample -- EADDRINUSE\n",
            ],
        );
    }
    let words = [
        "from bind (undocumented), socket (undocumented)",
        "can say it, but not here: it takes a machine without\n    memory.",
    ];
    says(&sample, &["errno", "ENOMEM"], 0, &words);
    let told = text(&workbook(&sample, &["errno", "ENOMEM"]).stdout);
    assert!(!told.contains("In the chapters") && !told.contains("port-taken"), "{told}");
    assert!(!told.contains('\u{1b}'), "no colour in a pipe: {told}");
}

#[test]
fn all_errnos_are_listed_with_their_calls() {
    let sample = Sample::with_an_atlas();
    let words = [
        "EADDRINUSE  bind\n",
        "ENOMEM      bind, socket\n",
        "3 pairs of a call and an errno, with 2 causes: 1 provoked live",
    ];
    says(&sample, &["errno"], 0, &words);
}

#[test]
fn an_errno_that_is_none_gets_the_nearest() {
    let sample = Sample::with_an_atlas();
    says(&sample, &["errno", "EADDRINUS"], 2, &["there is no errno EADDRINUS.", "Did you mean EADDRINUSE?"]);
    says(&sample, &["errno", "EPERM"], 2, &["no call of this book gives EPERM (Operation not permitted)."]);
    says(&sample, &["errno", "1"], 2, &["no call of this book gives 1, which is EPERM"]);
    says(&sample, &["errno", "-2"], 2, &["EAI_NONAME"]);
    says(&sample, &["errno", "xyzzy"], 2, &["there is no errno xyzzy.", "`cargo workbook errno` lists them"]);
}
