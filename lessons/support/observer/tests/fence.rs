//! The fence: only what lies between the marks is kept, and the marks themselves never are.

mod common;

use common::{calls, child, lines, names, run};
use observer::{Ending, Injection, What};

#[test]
fn only_what_lies_inside_is_kept() {
    let seen = run(child("fence").fenced());
    let inside = ["socketpair", "sendto", "recvfrom", "close", "close", "sendto"];
    assert_eq!(names(&seen.trace), inside, "{:#?}", lines(&seen.trace));
    // Nothing but calls: the program's end lies outside.
    assert_eq!(seen.trace.events.len(), inside.len(), "{:#?}", lines(&seen.trace));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
    assert!(seen.trace.remarks.is_empty(), "{:?}", seen.trace.remarks);
}

#[test]
fn sockets_are_numbered_from_the_opening() {
    let seen = run(child("fence").fenced());
    let sockets: Vec<_> = calls(&seen.trace).iter().map(|call| call.socket).collect();
    assert_eq!(sockets, [Some(1), Some(1), Some(2), Some(1), Some(2), None], "{:#?}", lines(&seen.trace));
}

#[test]
fn without_a_fence_the_marks_are_not_shown_either() {
    for observer in [child("fence"), child("fence").any_descriptor()] {
        let seen = run(observer);
        let lines = lines(&seen.trace);
        assert_eq!(names(&seen.trace).iter().filter(|name| **name == "socketpair").count(), 4, "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("#begin") || line.contains("#end")), "{lines:#?}");
    }
}

#[test]
fn injections_count_from_the_opening() {
    let seen = run(child("fence").fenced().inject(Injection::fail(&["sendto"], 2, libc::ENOBUFS)));
    let sent: Vec<_> = calls(&seen.trace).into_iter().filter(|call| call.name == "sendto").collect();
    assert_eq!(sent.iter().map(|call| call.errno()).collect::<Vec<_>>(), [None, Some("ENOBUFS")]);
    assert_eq!(sent.iter().map(|call| call.injected).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_death_inside_is_shown() {
    let seen = run(child("fence-killed").fenced());
    assert_eq!(names(&seen.trace), ["socketpair"], "{:#?}", lines(&seen.trace));
    let last = seen.trace.events.last().expect("there are events");
    assert!(matches!(&last.what, What::Killed { signal, .. } if signal == "SIGKILL"), "{last:?}");
}

#[test]
fn a_call_that_begins_inside_is_kept_even_if_it_ends_outside() {
    let seen = run(child("fence-thread").fenced());
    let names = names(&seen.trace);
    assert!(names.contains(&"recvfrom"), "{:#?}", lines(&seen.trace));
    assert!(!names.contains(&"sendto"), "{:#?}", lines(&seen.trace));
}

#[test]
fn a_fence_that_is_never_opened_is_remarked_upon() {
    let seen = run(child("pair").fenced());
    assert!(seen.trace.events.is_empty(), "{:#?}", lines(&seen.trace));
    assert_eq!(seen.trace.remarks, ["the program never opened the fence: nothing was kept"]);
}
