//! Each rule of the lint is shown something that it must find, and something that it must let pass.

mod common;

use common::{Sample, assert_finding};
use workbook::check::Rule;

const RUN: &str = "lessons/sample/runs/two-sockets.json";
const PAGE: &str = "book/sample.md";

#[test]
fn what_is_right_passes() {
    let report = Sample::new().check(&Rule::ALL);
    assert_eq!(report.findings, [], "{report:#?}");
    assert_eq!(report.notes, [""; 0]);
    assert!(report.looked_at.contains(&"2 recordings compared with fresh runs".to_string()), "{:?}", report.looked_at);
}

/// Puts something else into the fresh run, and expects the recording to be called stale, with these words.
#[track_caller]
fn is_stale(from: &str, to: &str, words: &[&str]) {
    let sample = Sample::new();
    sample.replace(RUN, from, to);
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", words);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["cargo workbook record sample/two-sockets"]);
}

#[test]
fn a_recording_with_another_errno_is_stale() {
    is_stale(
        "-1 EADDRINUSE (Address already in use)",
        "-1 EACCES (Permission denied)",
        &["step 5", "EADDRINUSE", "EACCES"],
    );
}

#[test]
fn a_recording_with_another_argument_is_stale() {
    is_stale("SOCK_STREAM", "SOCK_DGRAM", &["step 1", "SOCK_STREAM", "SOCK_DGRAM"]);
}

#[test]
fn a_recording_of_a_port_that_was_not_the_kernels_is_stale() {
    is_stale("80 is not", "81 is not", &["line 1", "80 is not", "81 is not"]);
}

#[test]
fn a_recording_of_another_relation_between_ports_is_stale() {
    // The second bind asks for a port of its own, not for the one that is taken.
    let sample = Sample::new();
    let text = sample.read(RUN);
    let at = text.rfind("htons(53191)").expect("the run has ports");
    sample.write(RUN, &(text[..at].to_string() + &text[at..].replacen("htons(53191)", "htons(53192)", 1)));
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["step 5", "htons(53192)"]);
}

#[test]
fn a_recording_with_another_text_is_stale() {
    is_stale("is told EADDRINUSE", "is told no", &["`notice`", "is told no"]);
}

#[test]
fn a_recording_with_fewer_steps_is_stale() {
    let sample = Sample::new();
    let mut run: serde_json::Value = serde_json::from_str(&sample.read(RUN)).expect("the run is JSON");
    run["trace"]["events"].as_array_mut().expect("a trace has events").pop();
    sample.write(RUN, &run.to_string());
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["step 6", "nothing more"]);
}

const KEPT: &str = "book/traces/sample/two-sockets.json";

/// Puts a socket in this state, at this port, into what the kernel held after the fourth event of a run.
fn kernel_holds(sample: &Sample, file: &str, state: &str, port: u16, backlog: u32) {
    kernel_holds_after(3, sample, file, state, port, backlog);
}

/// The same after another event, counted from 0.
fn kernel_holds_after(event: usize, sample: &Sample, file: &str, state: &str, port: u16, backlog: u32) {
    let mut run: serde_json::Value = serde_json::from_str(&sample.read(file)).expect("the run is JSON");
    let pid = run["trace"]["events"][event]["pid"].clone();
    run["trace"]["events"][event]["kernel"] = serde_json::json!({
        "descriptors": [{"pid": pid, "fd": 3, "socket": 1}],
        "sockets": [{
            "socket": 1, "kind": "tcp", "state": state, "queued": 0, "backlog": backlog,
            "local": {"family": "inet", "ip": "127.0.0.1", "port": port},
        }],
    });
    sample.write(file, &run.to_string());
}

#[test]
fn what_the_kernel_held_is_compared_without_ports_and_limits() {
    let sample = Sample::new();
    kernel_holds(&sample, KEPT, "LISTEN", 41039, 5);
    kernel_holds(&sample, RUN, "LISTEN", 53191, 128);
    assert!(sample.check(&[Rule::Recordings]).findings.is_empty());
}

#[test]
fn a_change_between_two_states_that_count_as_one_may_come_sooner_or_later() {
    let sample = Sample::new();
    kernel_holds(&sample, KEPT, "FIN_WAIT1", 41039, 5);
    kernel_holds_after(4, &sample, KEPT, "FIN_WAIT2", 41039, 5);
    kernel_holds(&sample, RUN, "FIN_WAIT2", 53191, 5);
    assert!(sample.check(&[Rule::Recordings]).findings.is_empty());
}

#[test]
fn another_state_of_the_kernel_is_stale() {
    let sample = Sample::new();
    kernel_holds(&sample, KEPT, "LISTEN", 41039, 5);
    kernel_holds(&sample, RUN, "CLOSE", 53191, 5);
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["step 4", "what the kernel held"]);
}

#[test]
fn a_recording_that_does_not_say_what_the_kernel_held_is_stale() {
    let sample = Sample::new();
    kernel_holds(&sample, RUN, "LISTEN", 53191, 5);
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["step 4", "what the kernel held"]);
}

#[test]
fn where_nobody_may_look_the_rest_is_compared() {
    let sample = Sample::new();
    kernel_holds(&sample, KEPT, "LISTEN", 41039, 5);
    let mut run: serde_json::Value = serde_json::from_str(&sample.read(RUN)).expect("the run is JSON");
    run["trace"]["events"][0]["kernel"] = serde_json::json!({"descriptors": [], "sockets": [], "hidden": true});
    sample.write(RUN, &run.to_string());
    assert!(sample.check(&[Rule::Recordings]).findings.is_empty());
}

#[test]
fn bytes_behind_what_is_printed_count() {
    let sample = Sample::new();
    sample.replace("lessons/sample/runs/two-ends.json", "105", "106");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-ends.json:1", &["not printed"]);
}

#[test]
fn a_missing_recording_is_found() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file("book/traces/sample/two-ends.json")).expect("it was there");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(
        &finding,
        "book/traces/sample/two-ends.json:1",
        &["no recording", "cargo workbook record sample/two-ends"],
    );
}

#[test]
fn a_recording_that_is_none_is_found() {
    let sample = Sample::new();
    sample.write("book/traces/sample/two-ends.json", "{}");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-ends.json:1", &["not a recording", "cargo workbook record"]);
}

#[test]
fn an_experiment_that_does_not_do_what_it_claims_is_found() {
    let sample = Sample::new();
    sample.replace(RUN, "\"outcome\": 0", "\"outcome\": null");
    sample.write("lessons/sample/runs/two-sockets.complaint", "bind should have ended in 0 EADDRINUSE.");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(
        &finding,
        "lessons/sample/src/main.rs:8",
        &["does not do what it claims", "0 EADDRINUSE", "cargo run -p"],
    );
}

#[test]
fn another_right_outcome_is_said_and_passes() {
    let sample = Sample::new();
    sample.replace(RUN, "\"outcome\": 0", "\"outcome\": 1, \"when\": \"where nobody minds\"");
    sample.replace(RUN, "-1 EADDRINUSE (Address already in use)", "0");
    let report = sample.check(&[Rule::Recordings]);
    assert_eq!(report.findings, []);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].contains("sample/two-sockets") && report.notes[0].contains("where nobody minds"));
    assert_eq!(report.looked_at, ["1 recordings compared with fresh runs"]);
}

#[test]
fn even_where_the_outcome_is_another_the_texts_count() {
    let sample = Sample::new();
    sample.replace(RUN, "\"outcome\": 0", "\"outcome\": 1, \"when\": \"where nobody minds\"");
    sample.replace(RUN, "is told EADDRINUSE", "is told no");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "book/traces/sample/two-sockets.json:1", &["`notice`"]);
}

#[test]
fn a_run_without_a_trace_is_said_and_passes() {
    let sample = Sample::new();
    let mut run: serde_json::Value = serde_json::from_str(&sample.read(RUN)).expect("the run is JSON");
    run["trace"] = serde_json::Value::Null;
    sample.write(RUN, &run.to_string());
    let report = sample.check(&[Rule::Recordings]);
    assert_eq!(report.findings, []);
    assert!(
        report.notes[0].starts_with("of these only the texts were compared: sample/two-sockets."),
        "{:?}",
        report.notes
    );
}

/// Adds a block to the page, and expects it to be found there, with these words.
#[track_caller]
fn is_typed_by_hand(block: &str, words: &[&str]) {
    let sample = Sample::new();
    sample.append(PAGE, &format!("\n{block}\n"));
    let finding = sample.only_finding(Rule::Blocks);
    assert_finding(&finding, "book/sample.md:24", words);
}

#[test]
fn blocks_typed_by_hand_are_found() {
    for language in ["rust", "console", "python", "c", "text", "none", "toml", "json", "rust,ignore", "bash", "shell"] {
        let word = format!("block of {}", language.split(',').next().expect("a language"));
        is_typed_by_hand(&format!("```{language}\nbind(3, 16) = 0\n```"), &[&word, "traces/LESSON/EXPERIMENT.json"]);
    }
    is_typed_by_hand("```\nbind(3, 16) = 0\n```", &["without a language"]);
    is_typed_by_hand("~~~\nbind(3, 16) = 0\n~~~", &["without a language"]);
    is_typed_by_hand("    bind(3, 16) = 0", &["four blanks"]);
    is_typed_by_hand("<pre>\nbind(3, 16) = 0\n</pre>", &["as HTML"]);
}

#[test]
fn blocks_in_lists_and_quotes_are_found() {
    for block in ["- a\n\n  ```rust\n  let x;\n  ```", "> a\n>\n> ```rust\n> let x;\n> ```"] {
        let sample = Sample::new();
        sample.append(PAGE, &format!("\n{block}\n"));
        assert_finding(&sample.only_finding(Rule::Blocks), "book/sample.md:26", &["block of rust"]);
    }
}

#[test]
fn output_among_commands_is_found() {
    is_typed_by_hand("```sh\ncargo run -p lesson-sample\nsocket(AF_INET, …) = 3\n```", &["`socket(AF_INET, …) = 3`"]);
    is_typed_by_hand("```sh\n$ cargo run\n```", &["`$ cargo run`"]);
}

#[test]
fn commands_and_includes_pass() {
    let sample = Sample::new();
    sample.append(PAGE, "\n```sh\n# a comment\n\ncd lessons\ncargo run \\\n   -p lesson-sample\n```\n");
    sample.append(PAGE, "\n```rust\n{{#include ../lessons/sample/src/main.rs}}\n```\n");
    assert_eq!(sample.check(&[Rule::Blocks]).findings, []);
}

#[test]
fn an_excuse_needs_a_reason_and_a_block() {
    let sample = Sample::new();
    sample.append(PAGE, "\n<!-- typed by hand: nothing makes it -->\n\n```toml\na = 1\n```\n");
    assert_eq!(sample.check(&[Rule::Blocks]).findings, []);

    let sample = Sample::new();
    sample.append(PAGE, "\n<!-- typed by hand: -->\n\n```toml\na = 1\n```\n");
    assert_finding(&sample.only_finding(Rule::Blocks), "book/sample.md:24", &["without a reason"]);

    let sample = Sample::new();
    sample.append(PAGE, "\n<!-- typed by hand: once -->\n\nNo block.\n\n## Nor here\n");
    assert_finding(&sample.only_finding(Rule::Blocks), "book/sample.md:24", &["none follows"]);
}

#[test]
fn blocks_in_an_exercise_are_found() {
    let sample = Sample::new();
    sample.replace("lessons/sample/exercises.toml", "\"It is 1.\"", "'''It is:\n```rust\n1\n```\n'''");
    let finding = sample.only_finding(Rule::Blocks);
    assert_finding(&finding, "lessons/sample/exercises.toml:2", &["sample/first", "block of rust"]);
}

/// Adds a sentence to the page, and expects a name in it to be unknown.
#[track_caller]
fn names_what_is_not_there(text: &str, words: &[&str]) {
    let sample = Sample::new();
    sample.append(PAGE, &format!("\n{text}\n"));
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "book/sample.md:24", words);
}

#[test]
fn names_of_nothing_are_found() {
    names_what_is_not_there("[x](traces/sample/two-socks.json)", &["experiment sample/two-socks", "two-sockets?"]);
    names_what_is_not_there("[x](traces/simple/two-sockets.json)", &["experiment simple/two-sockets"]);
    names_what_is_not_there("See [x](traces/sample/gone.json#3).", &["experiment sample/gone"]);
    names_what_is_not_there("[x](../lessons/sample/exercises.toml#fist)", &["exercise sample/fist", "sample/first?"]);
    names_what_is_not_there("Look at `sample/two-socks`.", &["two-sockets?"]);
    names_what_is_not_there("The package `lesson-simple`.", &["no package lesson-simple"]);
    names_what_is_not_there("The file `lessons/sample/src/lib.rs`.", &["no such file"]);
}

#[test]
fn commands_that_would_not_work_are_found() {
    names_what_is_not_there("Run `cargo run -p lesson-simple`.", &["no package lesson-simple"]);
    names_what_is_not_there(
        "Run `cargo run -p lesson-sample -- two-socks`.",
        &["no experiment two-socks", "two-sockets?"],
    );
    names_what_is_not_there("Run `cargo run -p lesson-sample -- EACCES`.", &["EACCES"]);
    names_what_is_not_there("Run `cargo test -p lesson-sample second`.", &["second"]);
    names_what_is_not_there("Run `cargo workbook hint sample/fist`.", &["exercise sample/fist", "sample/first?"]);
    names_what_is_not_there("Run `cargo workbook record sample/gone`.", &["sample/gone"]);
    names_what_is_not_there("Run `cargo workbook serve --prot 1`.", &["--prot"]);
    names_what_is_not_there("Run `cargo workbook bild`.", &["bild"]);
}

#[test]
fn a_command_in_a_block_has_its_own_line() {
    let sample = Sample::new();
    sample.append(PAGE, "\n```sh\ncargo build\ncargo run -p lesson-simple\n```\n");
    assert_finding(&sample.only_finding(Rule::Names), "book/sample.md:26", &["lesson-simple"]);
}

#[test]
fn commands_that_work_pass() {
    let sample = Sample::new();
    for command in [
        "cargo run -p lesson-sample -- --list",
        "cargo run -p lesson-NAME",
        "cargo test -p lesson-sample sample/first",
        "cargo test -p lesson-sample --features solutions",
        "cargo workbook hint sample/first 2",
        "cargo workbook record sample sample/two-ends",
        "cargo workbook --port 3001 --open",
        "cargo build",
    ] {
        sample.append(PAGE, &format!("\n`{command}`\n"));
    }
    assert_eq!(sample.check(&[Rule::Names]).findings, []);
}

#[test]
fn an_experiment_that_no_chapter_shows_is_found() {
    let sample = Sample::new();
    sample.replace(PAGE, "[Two ends](traces/sample/two-ends.json)", "See [it](traces/sample/two-ends.json).");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "lessons/sample/src/main.rs:12", &["no chapter shows experiment sample/two-ends"]);
}

#[test]
fn an_exercise_that_no_chapter_shows_is_found() {
    let sample = Sample::new();
    sample.replace(PAGE, "[Exercise](../lessons/sample/exercises.toml#first)", "None.");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "lessons/sample/exercises.toml:2", &["no chapter shows exercise sample/first"]);
}

#[test]
fn a_recording_whose_experiment_is_gone_is_found() {
    let sample = Sample::new();
    sample.write("book/traces/sample/gone.json", "{}");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "book/traces/sample/gone.json:1", &["no experiment sample/gone", "cargo workbook record"]);
}

#[test]
fn names_in_hints_and_tasks_count() {
    let sample = Sample::new();
    sample.replace("lessons/sample/exercises.toml", "`sample/two-sockets`", "`sample/two-socks`");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "lessons/sample/exercises.toml:2", &["sample/two-socks"]);
}

#[test]
fn an_exercise_in_the_wrong_sheet_is_found() {
    let sample = Sample::new();
    sample.replace("lessons/sample/exercises.toml", "sample/first\"", "simple/first\"");
    sample.replace("lessons/sample/exercises.toml", "sample_first", "simple_first");
    let findings = sample.check(&[Rule::Names]).findings;
    assert!(
        findings.iter().any(|finding| finding.what.contains("stands in the sheet of lesson sample")),
        "{findings:#?}"
    );
}

#[test]
fn a_page_outside_the_table_of_contents_is_found() {
    let sample = Sample::new();
    sample.write("book/lost.md", "# Lost\n");
    assert_finding(&sample.only_finding(Rule::Names), "book/lost.md:1", &["book/SUMMARY.md"]);
}

#[test]
fn a_lesson_without_a_chapter_is_found() {
    let sample = Sample::new();
    std::fs::rename(sample.file(PAGE), sample.file("book/other.md")).expect("the page was there");
    sample.replace("book/SUMMARY.md", "sample.md", "other.md");
    assert_finding(&sample.only_finding(Rule::Names), "book/SUMMARY.md:1", &["lesson sample has no chapter"]);
}

/// Changes the index of the errnos, and expects one finding there.
#[track_caller]
fn is_no_index(from: &str, to: &str, line: usize, words: &[&str]) {
    let sample = Sample::new();
    sample.replace("book/errnos.md", from, to);
    assert_finding(&sample.only_finding(Rule::Indexes), &format!("book/errnos.md:{line}"), words);
}

#[test]
fn what_a_recording_shows_and_an_index_does_not_explain_is_found() {
    let entry = "## EFAULT\n\nThe pointer leads nowhere.\n\n[Shown by](traces/#EFAULT)\n\n";
    is_no_index(entry, "", 1, &["step 6 of sample/two-sockets shows the errno EFAULT", "`## EFAULT`"]);
    is_no_index("The pointer leads nowhere.\n", "", 9, &["EFAULT is not explained"]);
    is_no_index("[Shown by](traces/#EFAULT)\n", "", 9, &["not listed", "`[Shown by](traces/#EFAULT)`"]);
    is_no_index("traces/#EFAULT", "traces/#EADDRINUSE", 9, &["the runs that show EFAULT are not listed"]);

    let sample = Sample::new();
    sample.replace("book/calls.md", "\n## socketpair\n\nIt is a call.\n\n[Shown by](traces/#socketpair)\n", "");
    let words = ["step 1 of sample/two-ends shows the call socketpair"];
    assert_finding(&sample.only_finding(Rule::Indexes), "book/calls.md:1", &words);
}

#[test]
fn a_book_without_an_index_is_found() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file("book/errnos.md")).expect("it was there");
    let findings = sample.check(&[Rule::Indexes]).findings;
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert_finding(&findings[0], "book/errnos.md:1", &["EADDRINUSE"]);
}

#[test]
fn what_an_index_explains_and_no_recording_shows_is_found() {
    is_no_index(
        "## ENFILE",
        "## ENFILE\n\nFull.\n\n## EPERM",
        15,
        &["no recording shows the errno ENFILE", "**Not shown:**"],
    );
    is_no_index("**Not shown:** nobody", "Nobody", 15, &["no recording shows the errno ENFILE"]);
    let excuse = "\n**Not shown:** it is too dangerous.\n\n[Shown by](traces/#EFAULT)";
    is_no_index(
        "[Shown by](traces/#EFAULT)",
        excuse,
        9,
        &["EFAULT is said not to be shown", "step 6 of sample/two-sockets"],
    );
}

#[test]
fn an_index_is_sorted() {
    is_no_index("## ENFILE", "## EBADE", 15, &["EBADE stands behind EFAULT"]);
}

/// Adds a link to the page, and expects it to lead nowhere.
#[track_caller]
fn leads_nowhere(text: &str, words: &[&str]) {
    let sample = Sample::new();
    sample.append(PAGE, &format!("\n{text}\n"));
    let finding = sample.only_finding(Rule::Links);
    assert_finding(&finding, "book/sample.md:24", words);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    leads_nowhere("[x](gone.md)", &["gone.html", "no page or file"]);
    leads_nowhere("[x](introduction.md#nowhere)", &["introduction.html", "\"nowhere\""]);
    leads_nowhere("[x](#two-socket)", &["\"two-socket\"", "#two-sockets?"]);
    leads_nowhere("[x](#sample/two-sockets@9)", &["two-sockets@9"]);
    leads_nowhere("[x](../lessons/)", &["leads out of the book"]);
    leads_nowhere("![x](figures/gone.svg)", &["figures/gone.svg"]);
    leads_nowhere("<img src=\"gone.png\" alt=\"\">", &["gone.png"]);
    leads_nowhere("<svg><use href=\"#gone\"/></svg>", &["\"gone\""]);
}

#[test]
fn what_is_fetched_from_elsewhere_is_found() {
    leads_nowhere("![x](https://example.org/x.png)", &["fetched from elsewhere"]);
    leads_nowhere("<img src=\"//example.org/x.png\" alt=\"\">", &["fetched from elsewhere"]);
    leads_nowhere("<script src=\"https://example.org/x.js\"></script>", &["fetched from elsewhere"]);
    leads_nowhere("[x](ftp://example.org/x)", &["unknown kind"]);
}

#[test]
fn links_that_lead_somewhere_pass() {
    let sample = Sample::new();
    for link in [
        "[x](introduction.md)",
        "[x](#sample/two-sockets@2)",
        "[x](sample.md#exercise)",
        "[x](traces/sample/two-ends.json) again",
        "[x](https://www.rust-lang.org/)",
        "<mailto:nobody@example.org>",
        "`[x](gone.md)`",
        "<a name=\"old\"></a> [x](#old)",
    ] {
        sample.append(PAGE, &format!("\n{link}\n"));
    }
    assert_eq!(sample.check(&[Rule::Links]).findings, []);
}

#[test]
fn an_id_that_stands_twice_is_found() {
    let sample = Sample::new();
    sample.append(PAGE, "\n<p id=\"twin\">a</p>\n\n<p id=\"twin\">b</p>\n");
    assert_finding(&sample.only_finding(Rule::Links), "book/sample.md:24", &["\"twin\"", "2 times"]);
}

#[test]
fn an_id_that_is_only_mentioned_is_found() {
    let sample = Sample::new();
    sample.append(PAGE, "\n<p aria-labelledby=\"gone\">a</p>\n");
    assert_finding(&sample.only_finding(Rule::Links), "book/sample.md:24", &["\"gone\""]);
}

#[test]
fn a_style_sheet_that_fetches_what_is_not_there_is_found() {
    let sample = Sample::new();
    sample.write("book/theme/css/more.css", "p { background: url(\"gone.png\"); }");
    sample.append("book.toml", "additional-css = [\"book/theme/css/more.css\"]\n");
    let findings = sample.check(&[Rule::Links]).findings;
    assert!(findings.iter().all(|finding| finding.what.contains("gone.png")) && !findings.is_empty(), "{findings:#?}");
}

#[test]
fn an_exercise_explained_nowhere_is_found() {
    let sample = Sample::new();
    sample.replace("lessons/sample/exercises.toml", "sample.md#two-sockets", "sample.md#nowhere");
    let findings = sample.check(&[Rule::Links]).findings;
    let found = findings.iter().find(|finding| finding.file.ends_with("exercises.toml")).expect("it is found");
    assert_finding(found, "lessons/sample/exercises.toml:8", &["sample.md#nowhere"]);
}

#[test]
fn a_book_that_does_not_build_is_found_where_it_does_not() {
    let sample = Sample::new();
    sample.replace(PAGE, "#two_sockets", "#two_socks");
    assert_finding(&sample.only_finding(Rule::Links), "book/sample.md:10", &["two_socks"]);

    let sample = Sample::new();
    sample.append(PAGE, "\n{{#include gone.svg}}\n");
    assert_finding(&sample.only_finding(Rule::Links), "book.toml:1", &["gone.svg"]);
}

#[test]
fn what_mdbook_gets_wrong_is_still_wrong() {
    // The lint excuses two faults of mdBook's own pages. When this fails, mdBook has been mended: take the excuse out of
    // `NOT_OURS` in lessons/support/workbook/src/check/links.rs.
    let sample = Sample::new();
    let site = sample.file("target/book");
    workbook::site::build(&sample.project, &site).expect("the sample builds");
    let page = sample.read("target/book/sample.html");
    assert!(page.contains("=\"searchresults-header\"") && !page.contains("id=\"searchresults-header\""));
    let page = sample.read("target/book/404.html");
    assert!(page.contains("href=\"#document-not-found-404\"") && page.contains("<base href"));
}

#[test]
fn an_atlas_with_nothing_wrong_passes() {
    let report = Sample::with_an_atlas().check(&Rule::ALL);
    assert_eq!(report.findings, [], "{report:#?}");
    let all = "2 recordings, and 2 of the atlas, compared with fresh runs".to_string();
    assert!(report.looked_at.contains(&all), "{:?}", report.looked_at);
}

#[test]
fn the_stories_can_be_checked_alone() {
    let sample = Sample::with_an_atlas();
    sample.replace("lessons/sample/runs/port-taken.json", "SOCK_STREAM", "SOCK_DGRAM");
    let report = sample.check(&[Rule::Stories]);
    assert_eq!(
        (report.findings.len(), report.looked_at),
        (0, vec!["2 recordings compared with fresh runs".to_string()])
    );
}

const CAUSE: &str = "lessons/sample/runs/port-taken.json";
const KEPT_CAUSE: &str = "book/traces/sample/errnos/port-taken.json";

#[test]
fn a_recording_of_the_atlas_is_compared_like_all_others() {
    let sample = Sample::with_an_atlas();
    sample.replace(CAUSE, "SOCK_STREAM", "SOCK_DGRAM");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, &format!("{KEPT_CAUSE}:1"), &["SOCK_DGRAM", "cargo workbook record sample/port-taken"]);

    let sample = Sample::with_an_atlas();
    sample.replace(CAUSE, "The page says more", "The page says less");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, &format!("{KEPT_CAUSE}:1"), &["for the atlas", "The page says less"]);

    let sample = Sample::with_an_atlas();
    std::fs::remove_file(sample.file(KEPT_CAUSE)).expect("it was there");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, &format!("{KEPT_CAUSE}:1"), &["no recording"]);
}

#[test]
fn a_provocation_that_does_not_provoke_is_found_where_it_is_described() {
    let sample = Sample::with_an_atlas();
    sample.replace("lessons/sample/runs/no-memory.json", "\"outcome\":0", "\"outcome\":null");
    let finding = sample.only_finding(Rule::Recordings);
    assert_finding(&finding, "lessons/sample/src/errnos.rs:7", &["sample/no-memory", "does not do what it claims"]);
}

#[test]
fn a_provocation_has_a_name_and_a_function_of_its_own() {
    let sample = Sample::with_an_atlas();
    sample.replace("lessons/sample/src/errnos.rs", "fn port_taken()", "fn port_is_taken()");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "lessons/sample/src/errnos.rs:3", &["sample/port-taken", "no function", "port_taken"]);

    let sample = Sample::with_an_atlas();
    sample.replace("lessons/sample/runs/catalogue.json", "\"name\":\"no-memory\"", "\"name\":\"two-ends\"");
    let findings = sample.check(&[Rule::Names]).findings;
    assert!(findings.iter().any(|finding| finding.what.contains("two-ends more than once")), "{findings:#?}");
}

#[test]
fn functions_may_lie_in_files_of_their_own() {
    let sample = Sample::with_an_atlas();
    sample.replace("lessons/sample/src/errnos.rs", "fn port_taken()", "fn nothing()");
    sample.write("lessons/sample/src/errnos/ports.rs", "pub(super) fn port_taken() {}\n");
    assert_eq!(sample.check(&[Rule::Names]).findings, []);
}

#[test]
fn an_atlas_that_no_page_shows_is_found() {
    let sample = Sample::with_an_atlas();
    sample.write("book/sample-errnos.md", "# Every errno\n\nSee [all](traces/sample/errnos/).\n");
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "lessons/sample/src/errnos.rs:1", &["no page shows", "traces/sample/errnos/"]);
}

#[test]
fn a_recording_of_the_atlas_whose_provocation_is_gone_is_found() {
    let sample = Sample::with_an_atlas();
    let text = sample.read(KEPT_CAUSE);
    sample.write("book/traces/sample/errnos/gone.json", &text);
    let finding = sample.only_finding(Rule::Names);
    assert_finding(&finding, "book/traces/sample/errnos/gone.json:1", &["sample/gone", "cargo workbook record"]);
}

#[test]
fn commands_with_errnos_are_looked_at() {
    let sample = Sample::with_an_atlas();
    sample.append(
        PAGE,
        "\n```sh\ncargo workbook errno ENOMEM\ncargo workbook errno 98\ncargo workbook errno\n\
         cargo run -p lesson-sample -- ENOMEM\ncargo run -p lesson-sample -- port-taken\n```\n",
    );
    assert_eq!(sample.check(&[Rule::Names]).findings, []);
    sample.append(PAGE, "\nSo says `cargo workbook errno EPERM`.\n");
    assert!(sample.only_finding(Rule::Names).what.contains("no lesson has EPERM"));
}
