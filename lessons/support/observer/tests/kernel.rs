//! What the observer sees of the kernel's side after each call.

mod common;

use std::process::Command;

use common::{child, children, run};
use observer::{Address, Event, Kernel, Socket, Trace};

/// The kernel's state after each event, carried on where it did not change.
fn states(trace: &Trace) -> Vec<(&Event, Kernel)> {
    let mut kernel = Kernel::default();
    let mut states = Vec::new();
    for event in &trace.events {
        kernel = event.kernel.clone().unwrap_or(kernel);
        states.push((event, kernel.clone()));
    }
    states
}

/// The state after the call of this name that comes as the `which`th one, from 1.
fn after<'a>(states: &'a [(&Event, Kernel)], name: &str, which: usize) -> &'a Kernel {
    let mut calls = states.iter().filter(|(event, _)| event.call().is_some_and(|call| call.name == name));
    &calls.nth(which - 1).unwrap_or_else(|| panic!("there are fewer than {which} calls of {name}")).1
}

fn socket(kernel: &Kernel, number: u32) -> &Socket {
    let found = kernel.sockets.iter().find(|socket| socket.socket == Some(number));
    found.unwrap_or_else(|| panic!("socket {number} is not there: {kernel:?}"))
}

fn state(kernel: &Kernel, number: u32) -> &str {
    socket(kernel, number).state.as_deref().unwrap_or("none")
}

fn port(socket: &Socket) -> u16 {
    match &socket.local {
        Some(Address::Inet { port, .. }) => *port,
        other => panic!("the address is {other:?}"),
    }
}

#[test]
fn without_being_asked_for_there_is_nothing() {
    let seen = run(child("conversation"));
    assert!(seen.trace.events.iter().all(|event| event.kernel.is_none()));
}

#[test]
fn a_conversation_is_seen_from_both_ends() {
    let seen = run(child("conversation").snapshots());
    let states = states(&seen.trace);

    let fresh = after(&states, "socket", 1);
    assert_eq!((fresh.sockets.len(), state(fresh, 1), port(socket(fresh, 1))), (1, "none", 0));
    assert_eq!(socket(fresh, 1).kind.as_deref(), Some("tcp"));

    let bound = after(&states, "bind", 1);
    assert_eq!(state(bound, 1), "none", "a bound socket is in no table");
    assert_ne!(port(socket(bound, 1)), 0);

    let listening = after(&states, "listen", 1);
    assert_eq!((state(listening, 1), socket(listening, 1).queued), ("LISTEN", Some(0)));
    assert!(socket(listening, 1).backlog.is_some());

    let connected = after(&states, "connect", 1);
    assert_eq!((state(connected, 2), socket(connected, 1).queued), ("ESTABLISHED", Some(1)));
    let guest = connected.sockets.iter().find(|socket| socket.socket.is_none()).expect("one waits to be accepted");
    assert_eq!((guest.waits_at, guest.other_end, guest.unread), (Some(1), Some(2), Some(0)));

    let sent = after(&states, "sendto", 1);
    let guest = sent.sockets.iter().find(|socket| socket.socket.is_none()).expect("it still waits");
    assert_eq!(guest.unread, Some(5), "bytes arrive before anybody accepts");

    let accepted = after(&states, "accept4", 1);
    assert_eq!((socket(accepted, 1).queued, socket(accepted, 3).unread), (Some(0), Some(5)));
    assert_eq!((socket(accepted, 2).other_end, socket(accepted, 3).other_end), (Some(3), Some(2)));
    assert_eq!(accepted.descriptors.iter().map(|one| one.socket).collect::<Vec<_>>(), [1, 2, 3]);

    assert_eq!(socket(after(&states, "recvfrom", 1), 3).unread, Some(0));

    let closed = after(&states, "close", 1);
    assert_eq!((state(closed, 3), socket(closed, 3).unread), ("CLOSE_WAIT", Some(0)), "the end is not a byte");
    assert!(state(closed, 2).starts_with("FIN_WAIT"), "{closed:?}");
    assert!(closed.descriptors.iter().all(|one| one.socket != 2));

    let over = after(&states, "socketpair", 1);
    assert_eq!(state(over, 2), "TIME_WAIT", "the one that closed first stays for a while");
    assert_eq!(over.sockets.iter().find(|socket| socket.socket == Some(1)), None);
}

#[test]
fn nothing_is_told_twice() {
    let seen = run(child("conversation").snapshots());
    let told: Vec<&Kernel> = seen.trace.events.iter().filter_map(|event| event.kernel.as_ref()).collect();
    assert!(told.len() > 5);
    assert!(told.windows(2).all(|two| two[0] != two[1]));
    let getsockname =
        seen.trace.events.iter().find(|event| event.call().is_some_and(|call| call.name == "getsockname"));
    assert_eq!(getsockname.expect("the child asks for its port").kernel, None, "it changes nothing");
}

#[test]
fn what_two_processes_have_is_known_from_the_tables() {
    let seen = run(child("shared").snapshots());
    let states = states(&seen.trace);
    let both = after(&states, "getsockname", 1);
    let holders: Vec<i32> = both.descriptors.iter().map(|one| one.pid).collect();
    assert_eq!(holders.len(), 2, "{both:?}");
    assert_ne!(holders[0], holders[1]);
    assert_eq!((state(both, 1), socket(both, 1).queued), ("LISTEN", Some(0)));
    // Its queue's limit is known only to the socket, and nobody copies one that another process may close.
    assert_eq!(socket(both, 1).backlog, None);
}

#[test]
fn where_looking_is_refused_it_says_so() {
    let children = children();
    let child = children.to_str().expect("the path is UTF-8");
    let output = Command::new(child)
        .args(["without", "pidfd_getfd", &libc::EPERM.to_string(), child, "look", child, "conversation"])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().any(|line| line == "hidden"), "{output:?}");
    assert!(
        text.lines().all(|line| ["hidden", "seen 0"].contains(&line)),
        "half of it is shown as if it were all: {text}"
    );
}

#[test]
fn the_json_form_keeps_it() {
    let seen = run(child("conversation").snapshots());
    let json = serde_json::to_string(&seen.trace).expect("a trace has a JSON form");
    assert_eq!(serde_json::from_str::<Trace>(&json).expect("it can be read again"), seen.trace);
}
