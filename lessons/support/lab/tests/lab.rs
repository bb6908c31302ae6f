//! Tests of the lab's whole command line, on a small lesson of its own.
//!
//! This program is both: with `LAB_TEST_LESSON` in its environment it is the lesson, and otherwise it tests itself as such.

#[path = "lab/lesson.rs"]
mod lesson;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Catalogue, End, Recording, Stop};
use libtest_mimic::{Arguments, Failed, Trial};
use observer::{Ending, What};

fn main() -> ExitCode {
    if std::env::var_os(AS_LESSON).is_some() {
        return lab::run_with(&lesson::LESSON, lesson::PROGRAMS);
    }
    let trials = TESTS.iter().map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok::<(), Failed>(())
        })
    });
    let mut args = Arguments::from_args();
    // Most of the time they wait, some for a deadline.
    args.test_threads.get_or_insert(8);
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

const AS_LESSON: &str = "LAB_TEST_LESSON";

const TESTS: &[(&str, fn())] = &[
    ("all_are_played_in_order", all_are_played_in_order),
    ("one_is_played", one_is_played),
    ("several_are_played_in_the_lessons_order", several_are_played_in_the_lessons_order),
    ("an_errno_chooses_by_name_and_number", an_errno_chooses_by_name_and_number),
    ("an_unknown_name_gets_the_nearest", an_unknown_name_gets_the_nearest),
    ("an_errno_that_nobody_claims_is_called_one", an_errno_that_nobody_claims_is_called_one),
    ("an_unknown_option_is_refused", an_unknown_option_is_refused),
    ("the_list_names_all", the_list_names_all),
    ("the_catalogue_is_json", the_catalogue_is_json),
    ("help_says_what_can_be_asked", help_says_what_can_be_asked),
    ("what_is_about_to_happen_comes_first", what_is_about_to_happen_comes_first),
    ("recordings_are_json_and_nothing_else", recordings_are_json_and_nothing_else),
    ("a_wrong_claim_about_calls_is_found", a_wrong_claim_about_calls_is_found),
    ("a_wrong_claim_about_output_is_found", a_wrong_claim_about_output_is_found),
    ("json_says_on_stderr_what_went_wrong", json_says_on_stderr_what_went_wrong),
    ("another_right_outcome_says_where", another_right_outcome_says_where),
    ("no_call_is_no_line", no_call_is_no_line),
    ("unwatched_calls_are_not_shown", unwatched_calls_are_not_shown),
    ("a_private_network_has_lo_alone", a_private_network_has_lo_alone),
    ("ends_are_told_apart", ends_are_told_apart),
    ("sockets_begin_at_3", sockets_begin_at_3),
    ("each_experiment_has_an_empty_directory", each_experiment_has_an_empty_directory),
    ("a_claimed_death_is_right", a_claimed_death_is_right),
    ("an_unclaimed_death_is_wrong", an_unclaimed_death_is_wrong),
    ("a_hang_is_ended", a_hang_is_ended),
    ("a_panic_is_told", a_panic_is_told),
    ("a_failed_call_is_told", a_failed_call_is_told),
    ("a_surprise_is_told", a_surprise_is_told),
    ("a_lack_is_told_and_the_rest_plays", a_lack_is_told_and_the_rest_plays),
    ("an_undeclared_lack_is_wrong", an_undeclared_lack_is_wrong),
    ("ctrl_c_leaves_nothing_behind", ctrl_c_leaves_nothing_behind),
    ("without_ptrace_the_lesson_runs", without_ptrace_the_lesson_runs),
    ("without_ptrace_a_hang_is_ended", without_ptrace_a_hang_is_ended),
    ("a_reader_that_leaves_is_no_panic", a_reader_that_leaves_is_no_panic),
    ("no_colour_in_a_pipe", no_colour_in_a_pipe),
    ("colour_on_a_terminal", colour_on_a_terminal),
    ("no_colour_with_no_color", no_colour_with_no_color),
    ("played_by_hand_it_says_why_it_stopped", played_by_hand_it_says_why_it_stopped),
    ("a_program_is_watched", a_program_is_watched),
    ("a_program_runs_unwatched_if_it_is_told_to", a_program_runs_unwatched_if_it_is_told_to),
    ("a_signal_is_passed_on_to_a_program", a_signal_is_passed_on_to_a_program),
    ("without_ptrace_a_program_runs", without_ptrace_a_program_runs),
    ("help_names_the_programs", help_names_the_programs),
    ("a_provocation_is_played_by_its_name", a_provocation_is_played_by_its_name),
    ("an_errno_chooses_the_story_and_its_causes", an_errno_chooses_the_story_and_its_causes),
    ("each_of_several_calls_must_give_it", each_of_several_calls_must_give_it),
    ("what_is_injected_says_so_and_why", what_is_injected_says_so_and_why),
    ("a_call_that_does_not_give_it_is_found", a_call_that_does_not_give_it_is_found),
    ("a_provocation_may_lack_what_it_needs", a_provocation_may_lack_what_it_needs),
    ("a_provocation_may_come_out_otherwise", a_provocation_may_come_out_otherwise),
    ("what_is_no_system_call_is_printed", what_is_no_system_call_is_printed),
    ("the_list_names_the_causes_of_each_errno", the_list_names_the_causes_of_each_errno),
    ("a_recording_of_a_provocation_has_its_entry", a_recording_of_a_provocation_has_its_entry),
    ("without_ptrace_a_provocation_runs", without_ptrace_a_provocation_runs),
];

/// A run of the lesson: its temporary files go to a directory of their own, which must be empty afterwards.
struct Lesson {
    command: Command,
    temporary: PathBuf,
}

/// What came of it.
struct Done {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Lesson {
    fn new(args: &[&str]) -> Lesson {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = std::env::temp_dir().join(format!("lab-test-{}-{number}", std::process::id()));
        fs::create_dir(&temporary).expect("the temporary directory can be made");
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(args).env(AS_LESSON, "1").env("TMPDIR", &temporary).env_remove("NO_COLOR").stdin(Stdio::null());
        Lesson { command, temporary }
    }

    fn run(mut self) -> Done {
        let output = self.command.output().expect("the lesson starts");
        self.is_tidy();
        Done {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("the lesson prints UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("the lesson prints UTF-8"),
        }
    }

    /// Nothing is left of the experiments' directories.
    fn is_tidy(&self) {
        let left: Vec<_> = files(&self.temporary);
        assert!(left.is_empty(), "left behind: {left:?}");
        fs::remove_dir(&self.temporary).expect("the temporary directory can be removed");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory can be read");
    entries.map(|entry| entry.expect("the directory can be read").path()).collect()
}

fn run(args: &[&str]) -> Done {
    Lesson::new(args).run()
}

/// Runs with `--json`, and returns the recordings.
fn record(args: &[&str]) -> (Done, Vec<Recording>) {
    let done = run(&[args, &["--json"]].concat());
    let recordings = serde_json::from_str(&done.stdout).expect("the recordings are JSON");
    (done, recordings)
}

/// Runs one experiment with `--json`, and returns its recording.
fn record_one(name: &str) -> (Done, Recording) {
    let (done, mut recordings) = record(&[name]);
    assert_eq!(recordings.len(), 1);
    (done, recordings.remove(0))
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is missing in:\n{text}");
}

#[track_caller]
fn has_not(text: &str, part: &str) {
    assert!(!text.contains(part), "{part:?} should not be in:\n{text}");
}

fn all_are_played_in_order() {
    let mut lesson = Lesson::new(&[]);
    lesson.command.env("LAB_DEADLINE_MS", "1000");
    let done = lesson.run();
    let headings: Vec<&str> = done.stdout.lines().filter_map(|line| line.strip_prefix("sample/")).collect();
    let names: Vec<&str> = lesson::LESSON.experiments.iter().map(|experiment| experiment.name).collect();
    assert_eq!(headings, names);
    assert_eq!(done.status, Some(1), "some of them go wrong");
}

fn one_is_played() {
    for name in ["hello", "sample/hello"] {
        let done = run(&[name]);
        assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
        has(&done.stdout, "sample/hello\nTwo connected sockets say hello.\n");
        has(&done.stdout, "\n  received hello\n");
        has(&done.stdout, r#"sendto(3, "hello", 5, 0, NULL, 0)       = 5"#);
        has(&done.stdout, "\nFive bytes went in and came out.\n");
        has_not(&done.stdout, "no-such-family");
        has_not(&done.stdout, "#begin");
    }
}

fn several_are_played_in_the_lessons_order() {
    let (_, recordings) = record(&["nothing", "hello", "nothing"]);
    let names: Vec<&str> = recordings.iter().map(|recording| recording.experiment.as_str()).collect();
    assert_eq!(names, ["hello", "nothing"]);
}

fn an_errno_chooses_by_name_and_number() {
    let number = libc::EAFNOSUPPORT.to_string();
    for errno in ["EAFNOSUPPORT", "eafnosupport", &number] {
        let done = run(&[errno]);
        assert_eq!(done.status, Some(0));
        has(&done.stdout, "sample/no-such-family\n");
        has(&done.stdout, "= -1 EAFNOSUPPORT (Address family not supported by protocol)\n");
        has_not(&done.stdout, "sample/hello");
    }
}

fn an_unknown_name_gets_the_nearest() {
    let done = run(&["hello", "no-such-famly"]);
    assert_eq!(done.status, Some(2));
    assert_eq!(done.stdout, "", "nothing is played");
    has(&done.stderr, "no experiment named no-such-famly");
    has(&done.stderr, "Did you mean no-such-family");

    let done = run(&["xyzzy"]);
    assert_eq!(done.status, Some(2));
    has(&done.stderr, "--list");
}

fn an_errno_that_nobody_claims_is_called_one() {
    for errno in ["ENOTSOCK", "88"] {
        let done = run(&[errno]);
        assert_eq!(done.status, Some(2));
        has(&done.stderr, &format!("gives the errno {errno}"));
    }
}

fn an_unknown_option_is_refused() {
    for option in ["--colour", "--list=all", "-x"] {
        let done = run(&[option]);
        assert_eq!((done.status, done.stdout.as_str()), (Some(2), ""));
        has(&done.stderr, "--help");
    }
    assert_eq!(run(&["--list", "hello"]).status, Some(2));
}

fn the_list_names_all() {
    let done = run(&["--list"]);
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    for experiment in lesson::LESSON.experiments {
        has(&done.stdout, experiment.name);
        has(&done.stdout, experiment.shows);
    }
    has(&done.stdout, "EAFNOSUPPORT");
}

fn the_catalogue_is_json() {
    let done = run(&["--list", "--json"]);
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    let catalogue: Catalogue = serde_json::from_str(&done.stdout).expect("the catalogue is JSON");
    assert_eq!(catalogue, Catalogue::of(&lesson::LESSON, lesson::PROGRAMS));
    let second = catalogue.experiments.iter().find(|entry| entry.name == "second-outcome").expect("it is listed");
    assert_eq!(second.outcomes, ["", "where there are descriptors left"]);
    assert_eq!(second.errnos, ["EMFILE"]);
}

fn help_says_what_can_be_asked() {
    for option in ["--help", "-h"] {
        let done = run(&[option, "hello"]);
        assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
        for part in ["cargo run -p lesson-sample -- hello", "--list", "--json", "NO_COLOR"] {
            has(&done.stdout, part);
        }
    }
}

fn what_is_about_to_happen_comes_first() {
    let mut lesson = Lesson::new(&["hangs"]);
    let mut child = lesson.command.stdout(Stdio::piped()).spawn().expect("the lesson starts");
    let mut stdout = child.stdout.take().expect("it is a pipe");
    // The experiment hangs, and still its heading can be read.
    let (wanted, mut read) = ("sample/hangs\nIt waits for ever.\n", Vec::new());
    while read.len() < wanted.len() {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).expect("the pipe can be read"), 1, "the heading is not whole");
        read.push(byte[0]);
    }
    assert_eq!(String::from_utf8_lossy(&read), wanted);
    end(&mut child, libc::SIGTERM);
    lesson.is_tidy();
}

fn recordings_are_json_and_nothing_else() {
    let (done, recording) = record_one("hello");
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    assert_eq!((recording.lesson.as_str(), recording.experiment.as_str()), ("sample", "hello"));
    assert_eq!(recording.shows, "Two connected sockets say hello.");
    assert_eq!(recording.notice, "Five bytes went in and came out.");
    assert_eq!(recording.output, "received hello\n");
    assert_eq!((recording.outcome, recording.when.as_str(), recording.stop), (Some(0), "", None));
    let trace = recording.trace.expect("it was traced");
    let calls: Vec<&str> =
        trace.events.iter().filter_map(|event| event.call()).map(|call| call.name.as_ref()).collect();
    assert_eq!(calls, ["socketpair", "sendto", "recvfrom"]);
    assert_eq!(trace.ending, Ending::Exited { status: 0 });
}

fn a_wrong_claim_about_calls_is_found() {
    let done = run(&["wrong-claim", "nothing"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "This did not go as it should: socket should have ended in fd*2");
    has(&done.stdout, "the kernel was seen to say 3");
    has_not(&done.stdout, "Never printed");
    has(&done.stdout, "Nothing happened.");
}

fn a_wrong_claim_about_output_is_found() {
    let done = run(&["wrong-print"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, r#"it should have printed "good evening", and did not"#);
}

fn json_says_on_stderr_what_went_wrong() {
    let (done, recording) = record_one("wrong-claim");
    assert_eq!((done.status, recording.outcome), (Some(1), None));
    has(&done.stderr, "sample/wrong-claim did not go as it should: socket should have ended in fd*2");
}

fn another_right_outcome_says_where() {
    let done = run(&["second-outcome"]);
    assert_eq!(done.status, Some(0));
    has(&done.stdout, "where there are descriptors left");
    let (_, recording) = record_one("second-outcome");
    assert_eq!((recording.outcome, recording.when.as_str()), (Some(1), "where there are descriptors left"));
}

fn no_call_is_no_line() {
    let done = run(&["nothing"]);
    assert_eq!(done.status, Some(0));
    has(&done.stdout, "no line");
}

fn unwatched_calls_are_not_shown() {
    let (done, recording) = record_one("unwatched");
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_eq!(recording.trace.expect("it was traced").events.len(), 2);
}

fn a_private_network_has_lo_alone() {
    let (done, recording) = record_one("private");
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    match recording.stop {
        // Here namespaces are forbidden, and the lab has said so.
        Some(stop) => assert!(matches!(stop, Stop::Cannot { lack: lab::Lack::Namespaces, .. })),
        None => {
            let trace = recording.trace.expect("it was traced");
            assert_eq!(trace.events.len(), 2, "the way into the network is not shown");
        }
    }
}

fn ends_are_told_apart() {
    let (done, recording) = record_one("both-ends");
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let trace = recording.trace.expect("it was traced");
    let ends: Vec<(&str, Option<End>)> = trace
        .events
        .iter()
        .filter_map(|event| event.call())
        .map(|call| (call.name.as_ref(), call.socket.and_then(|socket| recording.ends.get(&socket).copied())))
        .collect();
    let (server, client) = (Some(End::Server), Some(End::Client));
    let wanted = [
        ("socket", server),
        ("socket", client),
        ("bind", server),
        ("listen", server),
        ("connect", client),
        ("accept4", server),
        ("close", server),
    ];
    assert_eq!(ends, wanted);

    let shown = run(&["both-ends"]).stdout;
    has(&shown, "\n  client  connect(4, ");
    has(&shown, "\n  server  bind(3, ");
    // Where nobody is either, there is no column.
    has(&run(&["hello"]).stdout, "\n  socketpair(");
}

fn sockets_begin_at_3() {
    let mut lesson = Lesson::new(&["hello", "--json"]);
    // SAFETY: between fork and exec it makes system calls only, and allocates nothing.
    unsafe { lesson.command.pre_exec(leave_open) };
    let done = lesson.run();
    let recordings: Vec<Recording> = serde_json::from_str(&done.stdout).expect("the recordings are JSON");
    let trace = recordings[0].trace.as_ref().expect("it was traced");
    has(&trace.events[0].line(), "[3, 4]");
}

/// Leaves descriptors open for the program that is started, as many a terminal, editor and script does.
fn leave_open() -> std::io::Result<()> {
    for lowest in [3, 10, 100] {
        // SAFETY: fcntl takes numbers.
        if unsafe { libc::fcntl(0, libc::F_DUPFD, lowest) } == -1 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

fn each_experiment_has_an_empty_directory() {
    let (done, recordings) = record(&["both-ends", "own-directory"]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_eq!(recordings[1].output, "the directory was empty\n");
}

fn a_claimed_death_is_right() {
    let done = run(&["dies-as-claimed"]);
    assert_eq!(done.status, Some(0), "{}", done.stdout);
    has(&done.stdout, "= -1 EPIPE (Broken pipe)\n");
    has(&done.stdout, "--- SIGPIPE {");
    has(&done.stdout, "+++ killed by SIGPIPE +++\n");
}

fn an_unclaimed_death_is_wrong() {
    let done = run(&["dies"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "This did not go as it should: SIGPIPE ended it");
}

fn a_hang_is_ended() {
    let mut lesson = Lesson::new(&["hangs", "nothing"]);
    lesson.command.env("LAB_DEADLINE_MS", "300");
    let done = lesson.run();
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "it still ran after 0.3 seconds and was ended; it waited in recvfrom(3,  <unfinished ...>");
    has(&done.stdout, "sample/nothing");
}

fn a_panic_is_told() {
    let done = run(&["panics", "nothing"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "it ended with exit status 101");
    has(&done.stdout, "the experiment fell over");
    has(&done.stdout, "sample/nothing");
}

fn a_failed_call_is_told() {
    let (done, recording) = record_one("fails");
    assert_eq!(done.status, Some(1));
    has(&done.stderr, "socket failed: Address family not supported by protocol");
    assert_eq!(recording.stop, Some(Stop::Failed { call: "socket".to_string(), errno: libc::EAFNOSUPPORT }));
}

fn a_surprise_is_told() {
    let done = run(&["unexpected"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "This did not go as it should: water flows uphill.");
}

fn a_lack_is_told_and_the_rest_plays() {
    let done = run(&["cannot", "nothing"]);
    assert_eq!(done.status, Some(0));
    has(&done.stdout, "This machine cannot show it: IPv6 is switched off");
    has(&done.stdout, "bind to ::1 was refused");
    has(&done.stdout, "sample/nothing");
    has_not(&done.stdout, "Never printed");
}

fn an_undeclared_lack_is_wrong() {
    let done = run(&["cannot-undeclared"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "root is needed");
}

/// Ends a lesson by a signal, and sees that it was this signal that it died of.
fn end(child: &mut std::process::Child, signal: i32) {
    let pid = libc::pid_t::try_from(child.id()).expect("a process id fits");
    // SAFETY: kill takes two numbers, and the child has not been waited for, so the id is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    assert_eq!(child.wait().expect("the lesson ends").signal(), Some(signal));
}

fn ctrl_c_leaves_nothing_behind() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut lesson = Lesson::new(&["hangs"]);
        let mut child = lesson.command.stdout(Stdio::null()).spawn().expect("the lesson starts");
        // The experiment runs: it has left a file in its directory.
        let started = |directory: &PathBuf| directory.join("work/started").exists();
        wait_until("the experiment has started", || files(&lesson.temporary).iter().any(started));
        let directory = lesson.temporary.clone();
        let worker = processes_in(&directory);
        assert!(!worker.is_empty(), "somebody works in {directory:?}");
        end(&mut child, signal);
        wait_until("the experiment's process is gone", || worker.iter().all(|pid| has_ended(pid)));
        lesson.is_tidy();
    }
}

/// Whether a process has come to its end. What is left of it is for the first of all processes to clear away, which in a
/// container may take its time.
fn has_ended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    // The state stands behind the program's name, which stands in parentheses.
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, after)| after.starts_with(['Z', 'X'])))
}

/// The processes that work somewhere below this directory.
fn processes_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc can be read").filter_map(Result::ok);
    let here =
        |entry: &fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
    entries.filter(here).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "waited 20 seconds until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// From here on, ptrace says EPERM in this process and its children, as in a strict container.
fn forbid_ptrace() -> std::io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let eperm = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut filter = [
        // The number of the call is the first word.
        libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        libc::sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: libc::SYS_ptrace as u32 },
        libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: eperm },
        libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: both take numbers, and a program that lives through the call.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == -1
        {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

fn untraced(args: &[&str]) -> Lesson {
    let mut lesson = Lesson::new(args);
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe { lesson.command.pre_exec(forbid_ptrace) };
    lesson
}

fn without_ptrace_the_lesson_runs() {
    let done = untraced(&["hello", "both-ends", "cannot"]).run();
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    has(&done.stdout, "\n  received hello\n");
    assert_eq!(done.stdout.matches("There is no trace: ").count(), 1, "said once, in:\n{}", done.stdout);
    let line = done.stdout.lines().find(|line| line.contains("There is no trace: ")).expect("it is there");
    has(line, "SYS_PTRACE");
    has(&done.stdout, "Five bytes went in and came out.");
    has(&done.stdout, "IPv6 is switched off");

    let done = untraced(&["hello", "--json"]).run();
    assert_eq!(done.status, Some(0));
    has(&done.stderr, "There is no trace: ");
    let recordings: Vec<Recording> = serde_json::from_str(&done.stdout).expect("the recordings are JSON");
    assert!(recordings[0].trace.is_none());
    assert_eq!(recordings[0].output, "received hello\n");

    // What does not depend on a trace is still held against it.
    let done = untraced(&["wrong-print", "dies", "panics"]).run();
    assert_eq!(done.status, Some(1));
    assert_eq!(done.stdout.matches("This did not go as it should").count(), 3, "{}", done.stdout);
}

fn without_ptrace_a_hang_is_ended() {
    let mut lesson = untraced(&["hangs"]);
    lesson.command.env("LAB_DEADLINE_MS", "300");
    let done = lesson.run();
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "it still ran after 0.3 seconds and was ended");
}

fn a_reader_that_leaves_is_no_panic() {
    for args in [&["hello", "no-such-family"][..], &["--json", "hello"], &["--list"], &["--help"]] {
        let mut lesson = Lesson::new(args);
        lesson.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = lesson.command.spawn().expect("the lesson starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the lesson ends");
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
        lesson.is_tidy();
    }
}

fn no_colour_in_a_pipe() {
    for args in [&["no-such-family", "both-ends", "wrong-claim"][..], &["--list"], &["--help"], &["nonsense"]] {
        let done = run(args);
        has_not(&done.stdout, "\x1b");
        has_not(&done.stderr, "\x1b");
    }
}

/// Runs the lesson with a terminal for its output, and returns what it wrote there.
fn on_a_terminal(mut lesson: Lesson) -> String {
    let (mut master, mut slave) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: openpty writes two descriptors; name, settings and size may be null.
    let made = unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: openpty has just made these two, and nobody else knows them.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for fd in [&master, &slave] {
        // SAFETY: fcntl(F_SETFD) takes numbers only.
        assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    }
    lesson.command.env("TERM", "xterm-256color").env_remove("CLICOLOR").env_remove("CI").stdout(slave);
    let mut child = lesson.command.spawn().expect("the lesson starts");
    // The command keeps a copy of the terminal: it must go, or the reading below never ends.
    lesson.command.stdout(Stdio::null());
    let mut output = Vec::new();
    // At the end a terminal says EIO where a pipe says nothing more.
    let mut terminal = fs::File::from(master);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        output.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(child.wait().expect("the lesson ends").code(), Some(0));
    lesson.is_tidy();
    String::from_utf8(output).expect("the lesson prints UTF-8")
}

fn colour_on_a_terminal() {
    let output = on_a_terminal(Lesson::new(&["no-such-family", "both-ends"]));
    has(&output, "\x1b");
    // And without the colours it says the same as in a pipe.
    let mut plain = String::new();
    let mut rest = output.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').expect("an escape sequence for colour ends in m").1;
    }
    plain.push_str(rest);
    assert_eq!(plain.replace("\r\n", "\n"), run(&["no-such-family", "both-ends"]).stdout);
}

fn no_colour_with_no_color() {
    let mut lesson = Lesson::new(&["no-such-family", "both-ends"]);
    lesson.command.env("NO_COLOR", "1");
    has_not(&on_a_terminal(lesson), "\x1b");
}

fn played_by_hand_it_says_why_it_stopped() {
    let done = run(&["--play", "fails"]);
    assert_eq!(done.status, Some(1));
    has(&done.stderr, "socket failed: Address family not supported by protocol");
    let done = run(&["--play", "hello"]);
    assert_eq!((done.status, done.stdout.as_str()), (Some(0), "received hello\n"));
    assert_eq!(run(&["--play", "nonsense"]).status, Some(2));
    // The trace of a run by hand would show the fence: nothing else may be odd about it.
    let (_, recording) = record_one("hello");
    let odd = |what: &What| !matches!(what, What::Call(_));
    assert!(!recording.trace.expect("it was traced").events.iter().any(|event| odd(&event.what)));
}

fn a_program_is_watched() {
    let mut lesson = Lesson::new(&["talker", "one", "--json"]);
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { lesson.command.pre_exec(leave_open) };
    let done = lesson.run();
    // All words are the program's own, and so are its output and its exit status.
    assert_eq!((done.status, done.stdout.as_str()), (Some(3), "one\n--json\n"));
    assert!(done.stderr.starts_with("  socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0\n"), "{}", done.stderr);
    assert!(done.stderr.ends_with("  +++ exited with 3 +++\n"), "{}", done.stderr);
    has_not(&done.stderr, "\x1b");
}

fn a_program_runs_unwatched_if_it_is_told_to() {
    let done = run(&["talker", "--quiet", "one", "two"]);
    assert_eq!((done.status, done.stdout.as_str(), done.stderr.as_str()), (Some(3), "one\ntwo\n", ""));
}

fn a_signal_is_passed_on_to_a_program() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut lesson = Lesson::new(&["talker", "wait"]);
        lesson.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = lesson.command.spawn().expect("the lesson starts");
        // Its line and its call are there while it still runs.
        let (stdout, stderr) = (child.stdout.take().expect("it is a pipe"), child.stderr.take().expect("it is a pipe"));
        let (mut out, mut line) = (BufReader::new(stdout), String::new());
        out.read_line(&mut line).expect("it can be read");
        assert_eq!(line, "wait\n");
        let (mut err, mut line) = (BufReader::new(stderr), String::new());
        err.read_line(&mut line).expect("it can be read");
        has(&line, "  socketpair(");
        // Only the one that watches is told. Whoever waits for it learns what the program died of.
        end(&mut child, signal);
        let mut rest = String::new();
        err.read_to_string(&mut rest).expect("it can be read");
        has(&rest, if signal == libc::SIGINT { "+++ killed by SIGINT +++" } else { "+++ killed by SIGTERM +++" });
        lesson.is_tidy();
    }
}

fn without_ptrace_a_program_runs() {
    let done = untraced(&["talker", "one"]).run();
    assert_eq!((done.status, done.stdout.as_str()), (Some(3), "one\n"));
    assert_eq!(done.stderr.matches("There is no trace: ").count(), 1, "said once, in:\n{}", done.stderr);
    has(&done.stderr, "SYS_PTRACE");
}

fn help_names_the_programs() {
    let done = run(&["--help"]);
    has(&done.stdout, "cargo run -p lesson-sample -- talker one two\n      a program that says what it is given\n");
}

fn a_provocation_is_played_by_its_name() {
    for name in ["unknown-family", "sample/unknown-family"] {
        let done = run(&[name]);
        assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
        has(&done.stdout, "sample/unknown-family  EAFNOSUPPORT from socket\nThe family does not exist.\n");
        has(&done.stdout, "= -1 EAFNOSUPPORT (Address family not supported by protocol)\n");
        has(&done.stdout, "\nAsk for one that does.\n");
        has_not(&done.stdout, "Injected");
    }
    // Of a function of the C library no call can be made to fail.
    let done = run(&["never-said"]);
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    has(&done.stdout, "Never given, so the run shows what is said instead: our servers know everything.\n");
    has_not(&done.stdout, "Injected");
    let done = run(&["unknown-famly"]);
    assert_eq!((done.status, done.stdout.as_str()), (Some(2), ""));
    has(&done.stderr, "Did you mean unknown-family");
}

fn an_errno_chooses_the_story_and_its_causes() {
    let number = libc::EAFNOSUPPORT.to_string();
    for errno in ["EAFNOSUPPORT", "eafnosupport", &number] {
        let (done, recordings) = record(&[errno]);
        assert_eq!(done.status, Some(0));
        let names: Vec<&str> = recordings.iter().map(|recording| recording.experiment.as_str()).collect();
        assert_eq!(names, ["no-such-family", "unknown-family"]);
    }
    // The codes of getaddrinfo have names, too.
    assert_eq!(run(&["eai_noname"]).status, Some(0));
    let done = run(&["EAI_NONAM"]);
    assert_eq!(done.status, Some(2));
    has(&done.stderr, "EAI_NONAME");
}

fn each_of_several_calls_must_give_it() {
    let done = run(&["no-descriptor"]);
    assert_eq!(done.status, Some(0), "{}", done.stdout);
    has(&done.stdout, "EBADF from send, sendto and sendmsg\n");
    let done = run(&["one-of-two"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "sendto should have ended in EBADF 2 times, and the kernel was seen to say EBADF");
    has_not(&done.stdout, "Never printed");
}

fn what_is_injected_says_so_and_why() {
    let (elsewhere, never) = (run(&["no-memory"]), run(&["ENOSR"]));
    assert_eq!((elsewhere.status, never.status), (Some(0), Some(0)));
    has(&elsewhere.stdout, "but not here: it takes a machine without memory.\n");
    has(&elsewhere.stdout, "= -1 ENOMEM (Cannot allocate memory) (INJECTED)");
    has(&never.stdout, "the kernel never says it: Linux has no such streams.\n");
    has(&never.stdout, "= -1 ENOSR (Out of streams resources) (INJECTED)");
}

fn a_call_that_does_not_give_it_is_found() {
    let done = run(&["not-provoked"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "socket should have ended in EINVAL, and the kernel was seen to say 3");
    has_not(&done.stdout, "Never printed");
}

fn a_provocation_may_lack_what_it_needs() {
    let done = run(&["lacking"]);
    assert_eq!(done.status, Some(0));
    has(&done.stdout, "This machine cannot show it: root is needed.\n(we are not root)");
    let (_, recording) = record_one("lacking");
    assert_eq!((recording.outcome, recording.when.as_str()), (Some(1), "where root is needed"));
    let done = run(&["lacking-undeclared"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, "This did not go as it should: this machine cannot show it (root is needed)");
}

fn a_provocation_may_come_out_otherwise() {
    let (done, recording) = record_one("elsewhere-otherwise");
    assert_eq!(done.status, Some(0));
    assert_eq!((recording.outcome, recording.when.as_str()), (Some(2), "where there are descriptors left"));
}

fn what_is_no_system_call_is_printed() {
    assert_eq!(run(&["no-such-name"]).status, Some(0));
    let done = run(&["silent"]);
    assert_eq!(done.status, Some(1));
    has(&done.stdout, r#"it should have printed a line "getaddrinfo: EAI_FAIL", and did not"#);
}

fn the_list_names_the_causes_of_each_errno() {
    let done = run(&["--list"]);
    assert_eq!(done.status, Some(0));
    has(&done.stdout, "Apart from the story");
    has(&done.stdout, "EACCES        lacking, lacking-undeclared\n");
    let done = run(&["--list", "--json"]);
    let catalogue: Catalogue = serde_json::from_str(&done.stdout).expect("the catalogue is JSON");
    let names: Vec<&str> = catalogue.atlas.iter().map(|entry| entry.name.as_str()).collect();
    let own: Vec<&str> = lesson::ERRNOS.iter().map(|provocation| provocation.name).collect();
    assert_eq!(names, own);
    let lacking = catalogue.atlas.iter().find(|entry| entry.name == "lacking").expect("it is listed");
    assert_eq!(lacking.outcomes, ["", "where IPv6 is switched off, or where root is needed"]);
    assert_eq!(lacking.errnos, ["EACCES"]);
}

fn a_recording_of_a_provocation_has_its_entry() {
    let (_, recording) = record_one("unknown-family");
    assert_eq!(
        (recording.shows.as_str(), recording.notice.as_str()),
        ("The family does not exist.", "Ask for one that does.")
    );
    let entry = recording.atlas.expect("it is a provocation");
    assert_eq!((entry.errno.as_str(), entry.remark.as_str(), entry.injected), ("EAFNOSUPPORT", "They agree.", None));
    assert_eq!((entry.calls, entry.documented), (vec!["socket".to_string()], vec!["socket(2)".into(), "POSIX".into()]));
    // What the kernel held is kept of the story alone.
    let trace = recording.trace.expect("it was traced");
    assert!(trace.events.iter().all(|event| event.kernel.is_none()));
    let (_, recording) = record_one("no-stream");
    let entry = recording.atlas.expect("it is a provocation");
    assert_eq!(entry.injected, Some(lab::Injected::Never("Linux has no such streams".into())));
    assert_eq!(record_one("hello").1.atlas, None);
}

fn without_ptrace_a_provocation_runs() {
    // Nothing can be injected there, and nothing be held against it.
    let done = untraced(&["no-memory", "unknown-family"]).run();
    assert_eq!(done.status, Some(0), "{}", done.stdout);
    assert_eq!(done.stdout.matches("There is no trace: ").count(), 1, "said once, in:\n{}", done.stdout);
}
