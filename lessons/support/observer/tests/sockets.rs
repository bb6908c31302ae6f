//! Which calls are shown, and which socket each is about.

mod common;

use common::{calls, child, lines, names, run};
use observer::{Ending, Observation};

/// Name and socket of each call that is about one.
fn sockets(seen: &Observation) -> Vec<(&str, u32)> {
    calls(&seen.trace).iter().filter_map(|call| Some((call.name.as_ref(), call.socket?))).collect()
}

#[test]
fn a_socket_keeps_its_number_through_dup_and_fork_and_a_file_has_none() {
    let seen = run(child("dup"));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{:#?}", lines(&seen.trace));
    let mut expected = vec![("socketpair", 1), ("dup", 1), ("fcntl", 1), ("sendto", 1), ("write", 1), ("read", 2)];
    // dup2 puts the socket where a pipe's end was; then a pipe's end where the socket was.
    if cfg!(target_arch = "x86_64") {
        expected.extend([("dup2", 1), ("write", 1), ("dup2", 1)]);
    } else {
        expected.extend([("dup3", 1), ("write", 1), ("dup3", 1)]);
    }
    assert_eq!(sockets(&seen), expected, "{:#?}", lines(&seen.trace));
}

#[test]
fn a_call_on_a_number_that_is_not_open_is_shown() {
    let seen = run(child("not-open").fenced());
    let calls: Vec<(&str, Option<&str>)> =
        calls(&seen.trace).into_iter().map(|call| (call.name.as_ref(), call.errno())).collect();
    let bad = Some("EBADF");
    assert_eq!(calls, [("socketpair", None), ("close", None), ("close", bad), ("fcntl", bad), ("close", bad)]);
}

#[test]
fn any_descriptor_shows_the_general_calls_on_files_too() {
    let seen = run(child("dup").any_descriptor());
    let on_files = calls(&seen.trace).into_iter().filter(|call| call.socket.is_none()).map(|call| call.name.as_ref());
    let on_files: Vec<&str> = on_files.collect();
    assert!(on_files.contains(&"write") && on_files.contains(&"read") && on_files.contains(&"fcntl"), "{on_files:?}");
}

#[test]
fn a_descriptor_that_is_used_again_is_asked_about_again() {
    let seen = run(child("reuse"));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 }, "{}", String::from_utf8_lossy(&seen.stderr));
    let expected = [("socketpair", 1), ("sendto", 1), ("close", 1), ("socketpair", 3), ("sendto", 3)];
    assert_eq!(sockets(&seen), expected, "{:#?}", lines(&seen.trace));
    assert!(!names(&seen.trace).contains(&"write"), "the write is on a file: {:#?}", lines(&seen.trace));
}

#[test]
fn a_socket_that_is_passed_keeps_its_number() {
    let seen = run(child("pass"));
    let expected = [
        ("socketpair", 1),
        ("socketpair", 3),
        ("sendmsg", 1),
        ("recvmsg", 2),
        ("close", 3),
        ("sendto", 3),
        ("recvfrom", 4),
    ];
    assert_eq!(sockets(&seen), expected, "{:#?}", lines(&seen.trace));
}

#[test]
fn accept_is_about_the_socket_that_it_makes() {
    let seen = run(child("calls"));
    let of = |name: &str| -> Vec<u32> {
        sockets(&seen).into_iter().filter(|(called, _)| *called == name).map(|(_, socket)| socket).collect()
    };
    assert_eq!((of("bind"), of("listen"), of("connect"), of("accept4")), (vec![1], vec![1], vec![2], vec![3]));
    assert_eq!(of("shutdown"), [2]);
    // The one on descriptor -1 is about none.
    let nowhere = calls(&seen.trace).into_iter().find(|call| call.errno() == Some("EBADF")).expect("one fails");
    assert_eq!((nowhere.name.as_ref(), nowhere.socket), ("sendto", None));
}

#[test]
fn io_uring_is_remarked_upon() {
    let seen = run(child("io-uring"));
    assert_eq!(seen.trace.remarks, ["the program uses io_uring: what it asks of the kernel that way is not shown"]);
    assert_eq!(names(&seen.trace).iter().filter(|name| **name == "sendto").count(), 1);
}
