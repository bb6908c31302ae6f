//! Threads, forks and execs are followed, and not one call is missed or counted twice.

mod common;

use std::collections::BTreeSet;

use common::{child, children, lines, names, run};
use observer::{Ending, Error, Observer, What};

/// The socket calls of one `pair`.
const PAIR: [&str; 5] = ["socketpair", "sendto", "recvfrom", "close", "close"];

fn socket_calls(names: &[&str]) -> Vec<String> {
    names.iter().filter(|name| PAIR.contains(name)).map(|name| name.to_string()).collect()
}

/// A thread, three forks and a vfork with exec: thirty socket calls by six threads of five processes.
fn check_family(seen: &observer::Observation) {
    let trace = &seen.trace;
    assert_eq!(trace.ending, Ending::Exited { status: 0 }, "{:#?}", lines(trace));
    assert_eq!(socket_calls(&names(trace)).len(), 30, "{:#?}", lines(trace));
    let tids: BTreeSet<i32> = trace.events.iter().map(|event| event.tid).collect();
    let pids: BTreeSet<i32> = trace.events.iter().map(|event| event.pid).collect();
    assert_eq!((tids.len(), pids.len()), (6, 5), "{:#?}", lines(trace));
    for tid in tids {
        let own: Vec<&str> = trace
            .events
            .iter()
            .filter(|event| event.tid == tid)
            .filter_map(|event| Some(event.call()?.name.as_ref()))
            .collect();
        assert_eq!(socket_calls(&own), PAIR, "thread {tid}: {:#?}", lines(trace));
        let ends = trace.events.iter().filter(|event| event.tid == tid && matches!(event.what, What::Exited { .. }));
        assert_eq!(ends.count(), 1, "thread {tid} ends once: {:#?}", lines(trace));
    }
    assert!(trace.remarks.is_empty(), "{:?}", trace.remarks);
}

#[test]
fn a_family_of_threads_and_processes_is_followed_exactly() {
    check_family(&run(child("family")));
}

#[test]
fn eight_observers_at_once_do_not_disturb_each_other() {
    let observers: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                for _ in 0..5 {
                    check_family(&run(child("family")));
                }
            })
        })
        .collect();
    // Ordinary children of the same program, meanwhile, are not disturbed either.
    for _ in 0..20 {
        let status = std::process::Command::new("/bin/true").status().expect("/bin/true can be run");
        assert!(status.success(), "{status}");
    }
    for observer in observers {
        observer.join().expect("each of the eight sees exactly its own family");
    }
}

#[test]
fn many_threads_are_followed() {
    let seen = run(child("threads 12"));
    // Twelve threads of twenty pairs of five calls.
    assert_eq!(socket_calls(&names(&seen.trace)).len(), 12 * 20 * 5);
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
}

#[test]
fn an_exec_by_a_second_thread_takes_over_the_first_threads_id() {
    let seen = run(child("thread-exec"));
    let lines = lines(&seen.trace);
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{lines:#?}");
    let superseded = seen.trace.events.iter().position(|event| matches!(event.what, What::Superseded { .. }));
    let superseded = superseded.unwrap_or_else(|| panic!("no `superseded` line: {lines:#?}"));
    let event = &seen.trace.events[superseded];
    assert!(matches!(event.what, What::Superseded { by } if by != event.tid), "{event:?}");
    // The first thread never returned from recv …
    assert!(lines[superseded - 1].starts_with("recvfrom("), "{lines:#?}");
    assert!(lines[superseded - 1].ends_with("= ?"), "{lines:#?}");
    // … and then the new program's calls, all by the first thread's id.
    let after: Vec<_> = seen.trace.events[superseded + 1..].iter().collect();
    assert_eq!(after[0].call().map(|call| call.name.as_ref()), Some("execve"), "{lines:#?}");
    assert!(after.iter().all(|later| later.tid == event.tid), "{lines:#?}");
    let names: Vec<_> = after.iter().filter_map(|event| Some(event.call()?.name.as_ref())).collect();
    assert_eq!(socket_calls(&names), PAIR, "{lines:#?}");
}

#[test]
fn a_first_thread_that_ends_before_the_others_is_no_end() {
    let seen = run(child("leader-exits"));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 3 }, "{:#?}", lines(&seen.trace));
    assert_eq!(socket_calls(&names(&seen.trace)), PAIR);
}

#[test]
fn a_program_that_is_missing_or_no_program_is_a_plain_error() {
    for (path, why) in [
        ("/no/such/program", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("/", "Permission denied"),
    ] {
        let error = Observer::new(path).run().expect_err(path);
        assert!(matches!(error, Error::Start { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(path) && text.contains(why), "{text}");
    }
    let error = Observer::new("/bin/true").arg("zero\0byte").run().expect_err("a zero byte in an argument");
    assert!(matches!(error, Error::Start { .. }), "{error:?}");
}

#[test]
fn a_directory_that_is_missing_is_an_error_that_names_it() {
    let error = Observer::new("/bin/true").directory("/no/such/directory").run().expect_err("no such directory");
    assert!(error.to_string().contains("its directory /no/such/directory: No such file"), "{error}");
}

#[test]
fn an_exec_that_fails_inside_the_child_is_seen_to_fail() {
    let seen = run(Observer::new("/bin/sh").arg("-c").arg("/no/such/program").capture());
    assert_eq!(seen.trace.ending, Ending::Exited { status: 127 });
    let failed = common::calls(&seen.trace).iter().any(|call| call.name == "execve" && call.errno() == Some("ENOENT"));
    let tried = common::calls(&seen.trace).iter().filter(|call| call.name == "execve").count() > 1;
    // Some shells look before they leap; then there is nothing to see.
    assert!(failed || !tried, "{:#?}", lines(&seen.trace));
}

#[test]
fn the_machine_and_the_times_are_told() {
    let seen = run(Observer::new(children()).arg("pair"));
    assert_eq!(seen.trace.machine.architecture, std::env::consts::ARCH);
    assert!(!seen.trace.machine.kernel.is_empty());
    let times: Vec<u64> = seen.trace.events.iter().map(|event| event.at_us).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times.last().is_some_and(|&last| last > 0), "{times:?}");
}
