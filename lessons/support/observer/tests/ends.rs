//! However a child ends, or does not: the trace says so, in bounded time, and nobody is left behind.

mod common;

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Scratch, child, children, gone, lines, names, run, stdout, until};
use observer::{Ending, Limits, What};

/// Far more than a run with a deadline of a fraction of a second takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_child_that_hangs_is_killed_at_the_deadline() {
    let start = Instant::now();
    let seen = run(child("hang").deadline(Duration::from_millis(500)));
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    assert_eq!(seen.trace.ending, Ending::Deadline { milliseconds: 500 });
    let lines = lines(&seen.trace);
    // As strace prints it: what was known, then that it never returned, with the `=` in column 40.
    let expected = ["recvfrom(3,  <unfinished ...>)          = ?", "+++ killed by SIGKILL +++"];
    assert_eq!(lines[lines.len() - 2..], expected, "{lines:#?}");
}

#[test]
fn every_thread_of_a_hanging_child_is_accounted_for() {
    let seen = run(child("hang-with-thread").deadline(Duration::from_secs(3)));
    let unfinished = lines(&seen.trace).iter().filter(|line| line.contains("<unfinished ...>")).count();
    let killed = seen.trace.events.iter().filter(|event| matches!(event.what, What::Killed { .. })).count();
    assert_eq!((unfinished, killed), (2, 2), "{:#?}", lines(&seen.trace));
}

#[test]
fn a_child_left_behind_is_waited_for_and_killed_at_the_deadline() {
    let seen = run(child("leave-behind").deadline(Duration::from_secs(5)));
    // The program itself ended well, and in time.
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{:#?}", lines(&seen.trace));
    assert_eq!(seen.trace.remarks, ["one process outlived the program; it was killed at the deadline (5000 ms)"]);
    let pid: i32 = stdout(&seen).trim().parse().expect("the child prints its child's id");
    assert!(gone(pid), "process {pid} is still there");
    assert!(lines(&seen.trace).iter().any(|line| line.contains("<unfinished ...>")), "{:#?}", lines(&seen.trace));
}

#[test]
fn a_child_that_forks_wildly_is_stopped() {
    let start = Instant::now();
    let limits = Limits { processes: 20, ..Limits::default() };
    let seen = run(child("bomb").limits(limits));
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    assert_eq!(seen.trace.ending, Ending::TooManyProcesses { limit: 20 });
    for event in &seen.trace.events {
        assert!(gone(event.pid), "process {} is still there", event.pid);
    }
}

#[test]
fn signals_that_kill_are_named() {
    for (signal, name) in
        [(libc::SIGKILL, "SIGKILL"), (libc::SIGTERM, "SIGTERM"), (libc::SIGABRT, "SIGABRT"), (40, "SIGRT_8")]
    {
        let seen = run(child(&format!("kill {signal}")));
        assert_eq!(seen.trace.ending, Ending::Killed { signal: name.to_string() });
        let lines = lines(&seen.trace);
        let last = lines.last().expect("there are lines");
        assert!(last.starts_with(&format!("+++ killed by {name}")), "{lines:#?}");
        // SIGKILL is never announced.
        let announced =
            lines.iter().any(|line| line.starts_with(&format!("--- {name} {{si_signo={name}, si_code=SI_USER")));
        assert_eq!(announced, signal != libc::SIGKILL, "{lines:#?}");
    }
}

#[test]
fn sigpipe_is_a_lesson_of_its_own() {
    let seen = run(child("pipe"));
    let lines = lines(&seen.trace);
    let [send, signal, end] = &lines[lines.len() - 3..] else { panic!("{lines:#?}") };
    assert!(send.starts_with("sendto(3, "), "{send}");
    assert_eq!(common::calls(&seen.trace).last().and_then(|call| call.errno()), Some("EPIPE"), "{send}");
    let pid = seen.trace.events[0].pid;
    // SAFETY: asks for this process's user.
    let uid = unsafe { libc::getuid() };
    assert_eq!(*signal, format!("--- SIGPIPE {{si_signo=SIGPIPE, si_code=SI_USER, si_pid={pid}, si_uid={uid}}} ---"));
    assert_eq!(end, "+++ killed by SIGPIPE +++");
}

#[test]
fn a_crash_is_a_line_and_no_more() {
    let seen = run(child("segv"));
    assert_eq!(seen.trace.ending, Ending::Killed { signal: "SIGSEGV".to_string() });
    let lines = lines(&seen.trace);
    let announced = &lines[lines.len() - 2];
    assert_eq!(announced, "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---");
}

/// The child's own parent sees it stop and continue (and checks that), so the stop is real; the interrupted poll goes on
/// as `restart_syscall`.
#[test]
fn a_stopped_child_stays_stopped_until_it_is_continued() {
    let seen = run(child("stop"));
    let lines = lines(&seen.trace);
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{lines:#?}");
    let position = |start: &str| {
        lines.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line `{start}`: {lines:#?}"))
    };
    let stop = position("--- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER");
    let stopped = position("--- stopped by SIGSTOP ---");
    let cont = position("--- SIGCONT {si_signo=SIGCONT, si_code=SI_USER");
    assert!(stop < stopped && stopped < cont, "{lines:#?}");
    let resumed = position("restart_syscall(<... resuming interrupted p");
    assert!(cont < resumed && lines[resumed].contains(" = 1"), "{lines:#?}");
}

#[test]
fn an_interrupted_call_shows_what_the_kernel_keeps_to_itself() {
    let seen = run(child("interrupted"));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{:#?}", lines(&seen.trace));
    let calls = common::calls(&seen.trace);
    let recv = calls.iter().find(|call| call.name == "recvfrom").expect("recvfrom is seen");
    assert_eq!(recv.outcome.text, "? ERESTARTSYS (To be restarted if SA_RESTART is set)");
}

/// An observer that is killed takes its child along.
#[test]
fn an_observer_that_is_killed_leaves_no_child() {
    for signal in [libc::SIGKILL, libc::SIGINT] {
        let scratch = Scratch::new(&format!("killed-{signal}"));
        let file = scratch.0.join("pid");
        let mut command = Command::new(children());
        command.arg("observe").arg(children()).arg("hang").arg(&file).stdout(Stdio::null());
        // A shell that starts the tests in the background has them ignore SIGINT, and whom they start inherits that.
        // SAFETY: between fork and exec only this one call is made, which is allowed there (signal-safety(7)).
        unsafe {
            command.pre_exec(|| match libc::signal(libc::SIGINT, libc::SIG_DFL) {
                libc::SIG_ERR => Err(io::Error::last_os_error()),
                _ => Ok(()),
            })
        };
        let mut observer = command.spawn().expect("an observer can be started");
        let read = || std::fs::read_to_string(&file).ok().and_then(|pid| pid.trim().parse::<i32>().ok());
        until("the observed child has written its id", || read().is_some());
        let pid = read().expect("it was there a moment ago");
        assert!(!gone(pid));
        // SAFETY: a signal to this process's own child, which has not been waited for.
        unsafe { libc::kill(observer.id() as i32, signal) };
        let ending = observer.wait().expect("the observer can be waited for");
        assert_eq!(ending.signal(), Some(signal), "the observer ended otherwise: {ending}");
        until(&format!("process {pid} ends after its observer got signal {signal}"), || gone(pid));
    }
}

/// The deadline's own child is nobody's business: it holds none of this program's descriptors.
#[test]
fn no_descriptor_of_the_host_is_held_during_a_run() {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    let scratch = Scratch::new("descriptors");
    let file = scratch.0.join("pid");
    let path = file.clone();
    let observed =
        std::thread::spawn(move || run(child(&format!("hang {}", path.display())).deadline(Duration::from_secs(3))));
    until("the observed child is running", || file.exists());
    drop(writer);
    let mut line = String::new();
    // Ends only when nobody holds the writing end: well before the deadline, or not before it.
    BufReader::new(reader).read_line(&mut line).expect("the pipe can be read");
    assert!(!observed.is_finished(), "the pipe's other end was held until the run was over");
    assert_eq!(observed.join().expect("the run ends").trace.ending, Ending::Deadline { milliseconds: 3000 });
}

#[test]
fn a_run_of_a_child_that_ends_at_once_is_short() {
    let start = Instant::now();
    let seen = run(child("pair"));
    assert!(start.elapsed() < SOON, "a deadline of a minute does not make the run a minute long");
    assert_eq!(names(&seen.trace).last(), Some(&"exit_group"));
}

#[test]
fn the_shortest_and_the_longest_deadline() {
    let seen = run(child("hang").deadline(Duration::ZERO));
    assert_eq!(seen.trace.ending, Ending::Deadline { milliseconds: 0 });
    let seen = run(child("pair").deadline(Duration::MAX));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
}

#[test]
fn events_can_be_had_while_the_child_still_runs() {
    let (send, receive) = std::sync::mpsc::channel();
    let observed = std::thread::spawn(move || {
        child("hang").deadline(Duration::from_secs(3)).run_with(|event| {
            // Nobody listens any more once the socketpair was seen.
            let _ = send.send(event.line());
        })
    });
    let first = receive.iter().find(|line| line.starts_with("socketpair(")).expect("the socketpair is seen");
    assert!(first.ends_with(" = 0"), "{first}");
    assert!(!observed.is_finished(), "the child hangs: the line came before the run's end");
    drop(receive);
    let seen = observed.join().expect("the thread ends").expect("the run is no error");
    assert_eq!((seen.trace.events.len(), seen.trace.ending), (0, Ending::Deadline { milliseconds: 3000 }));
}

#[test]
fn a_host_that_panics_leaves_no_child() {
    let mut seen = None;
    let error = child("hang").run_with(|event| {
        seen = Some(event.pid);
        // As a host's own mistake would: silently here, because it is meant.
        std::panic::resume_unwind(Box::new("meant"));
    });
    let error = error.expect_err("a panic in the host's own function is an error");
    assert!(error.to_string().contains("panicked"), "{error}");
    let pid = seen.expect("one event was seen");
    assert!(gone(pid), "process {pid} is still there");
}
