//! What the observer changes: injections, and the guard.

mod common;

use std::collections::BTreeMap;

use common::{calls, child, lines, run, stdout};
use observer::{Effect, Ending, Error, Guard, Injection, Observation, Observer, Occurrence};

#[test]
fn the_second_accept_fails_and_only_that() {
    let injection = Injection::fail(&["accept", "accept4"], 2, libc::ECONNABORTED);
    let seen = run(child("accept3").inject(injection));
    assert_eq!(stdout(&seen), format!("accepted\nSome({})\naccepted\n", libc::ECONNABORTED));
    let accepts: Vec<_> = calls(&seen.trace).into_iter().filter(|call| call.name.starts_with("accept")).collect();
    assert_eq!(accepts.iter().map(|call| call.errno()).collect::<Vec<_>>(), [None, Some("ECONNABORTED"), None]);
    assert_eq!(accepts.iter().map(|call| call.injected).collect::<Vec<_>>(), [false, true, false]);
    let line = accepts[1].line();
    assert!(line.ends_with("= -1 ECONNABORTED (Software caused connection abort) (INJECTED)"), "{line}");
    // The kernel never ran it: the client that it did not take is taken by the next. So the third call gets the second.
    assert_ne!(accepts[0].socket, accepts[2].socket);
}

#[test]
fn from_the_second_on_and_every_one() {
    let failing = |which| {
        let injection = Injection::new(&["accept4"], which, Effect::Fail(libc::EMFILE));
        stdout(&run(child("accept3").inject(injection))).lines().filter(|line| line.starts_with("Some")).count()
    };
    assert_eq!((failing(Occurrence::From(2)), failing(Occurrence::Every)), (2, 3));
}

#[test]
fn a_send_takes_only_four_of_eleven_bytes() {
    let seen = run(child("send11").inject(Injection::shorten(&["sendto"], 1, 4)));
    // The program's registers are as a real short send leaves them.
    assert_eq!(stdout(&seen), "sent 4, length 11, received 4\n");
    let send = calls(&seen.trace).into_iter().find(|call| call.name == "sendto").expect("sendto is seen");
    assert_eq!(send.line(), "sendto(3, \"hello world\", 11, 0, NULL, 0) = 4 (INJECTED)");
}

#[test]
fn a_receive_takes_only_three_bytes() {
    let seen = run(child("send11").inject(Injection::shorten(&["recvfrom"], 1, 3)));
    assert_eq!(stdout(&seen), "sent 11, length 11, received 3\n");
    let receive = calls(&seen.trace).into_iter().find(|call| call.name == "recvfrom").expect("recvfrom is seen");
    assert_eq!(receive.line(), "recvfrom(4, \"hel\", 64, 0, NULL, NULL)   = 3 (INJECTED)");
}

#[test]
fn a_longer_length_than_the_programs_own_changes_nothing() {
    let seen = run(child("send11").inject(Injection::shorten(&["sendto"], 1, 100)));
    assert_eq!(stdout(&seen), "sent 11, length 11, received 11\n");
}

#[test]
fn a_fork_can_fail() {
    let injection = Injection::new(&["fork", "clone", "clone3"], Occurrence::Every, Effect::Fail(libc::EAGAIN));
    let seen = run(child("leave-behind").inject(injection));
    assert!(String::from_utf8_lossy(&seen.stderr).contains("Resource temporarily unavailable"), "{seen:?}");
}

#[test]
fn an_injection_that_makes_no_sense_is_an_error() {
    let error =
        child("pair").inject(Injection::fail(&["send"], 1, libc::EPIPE)).run().expect_err("there is no such call");
    assert!(matches!(error, Error::Tracer { .. }) && error.to_string().contains("send"), "{error}");
}

/// What each attempt gave: `ok` or an errno.
fn attempts(seen: &Observation) -> BTreeMap<String, String> {
    let stdout = stdout(seen);
    stdout
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(what, gave)| (what.to_string(), gave.to_string()))
        .collect()
}

const EPERM: &str = "1";

#[test]
fn the_guard_keeps_traffic_at_home() {
    let seen = run(child("guard").guard(Guard::Loopback));
    let gave = attempts(&seen);
    let refused = [
        "sendto away",
        "sendmsg away",
        "sendmmsg away",
        "connect away",
        "bind away",
        "sendto any",
        "sendmsg any",
        "sendmmsg any",
        "bind any",
        "listen unbound",
        "bind unspec",
    ];
    for what in refused {
        assert_eq!(gave.get(what).map(String::as_str), Some(EPERM), "{what}: {gave:#?}");
    }
    let passed = [
        "sendto home",
        "sendmsg home",
        "sendmmsg home",
        "connect home",
        "connect any", // which is home
        "bind home",
        "listen bound",
        "disconnect",
        "bind unix",
    ];
    for what in passed {
        assert_eq!(gave.get(what).map(String::as_str), Some("ok"), "{what}: {gave:#?}");
    }
    // On what is no socket the kernel's own answer stands.
    assert_eq!(gave.get("bind file").map(String::as_str), Some(libc::ENOTSOCK.to_string().as_str()), "{gave:#?}");
    for (what, expected) in [("connect6 away", EPERM), ("connect6 mapped away", EPERM)] {
        assert!(matches!(gave.get(what).map(String::as_str), Some("no IPv6")) || gave[what] == expected, "{gave:#?}");
    }
    for what in ["connect6 home", "connect6 mapped home"] {
        assert_ne!(gave.get(what).map(String::as_str), Some(EPERM), "{gave:#?}");
    }
    // Every refusal says why.
    let guarded: Vec<_> = calls(&seen.trace).into_iter().filter(|call| call.guard.is_some()).collect();
    assert!(guarded.iter().all(|call| call.injected && call.errno() == Some("EPERM")), "{guarded:#?}");
    let reason = |name: &str| guarded.iter().find(|call| call.name == name).and_then(|call| call.guard.as_deref());
    assert_eq!(reason("sendto"), Some("192.0.2.1:9 is not a loopback address"));
    assert_eq!(reason("listen"), Some("the socket was never bound, so the kernel would bind it to every address"));
    let refusals = gave.values().filter(|gave| *gave == EPERM).count();
    // One more than was told: the child's probe for a guard.
    assert_eq!(guarded.len(), refusals + 1, "{:#?}", lines(&seen.trace));
}

#[test]
fn outside_the_fence_the_guard_guards_too_and_says_so() {
    let seen = run(child("guard").guard(Guard::Loopback).fenced());
    assert_eq!(attempts(&seen).get("sendto away").map(String::as_str), Some(EPERM));
    assert!(seen.trace.events.is_empty());
    let remark = "outside the fence the guard refused sendto: 192.0.2.1:9 is not a loopback address";
    assert!(seen.trace.remarks.iter().any(|said| said == remark), "{:#?}", seen.trace.remarks);
}

#[test]
fn a_private_network_namespace_is_free() {
    let seen = run(child("guard-in-namespace").guard(Guard::Loopback));
    if stdout(&seen).starts_with("no namespace") {
        println!("did not run: this machine allows no private network namespace ({})", stdout(&seen).trim());
        return;
    }
    let gave = attempts(&seen);
    for what in ["bind inner", "listen inner"] {
        assert_eq!(gave.get(what).map(String::as_str), Some("ok"), "{gave:#?}");
    }
    // A socket made before it moved still lives outside.
    assert_eq!(gave.get("bind outer").map(String::as_str), Some(EPERM), "{gave:#?}");
}

#[test]
fn the_guard_lets_no_io_uring_past() {
    let seen = run(child("io-uring").guard(Guard::Loopback));
    assert_eq!(attempts(&seen).get("io_uring_setup").map(String::as_str), Some(EPERM));
}

#[test]
fn bad_pointers_trouble_neither_the_guard_nor_an_injection() {
    let corpus = || Observer::new(env!("CARGO_BIN_EXE_observer-corpus")).arg("bad-pointers").capture();
    let plain = run(corpus());
    assert_eq!(plain.trace.ending, Ending::Exited { status: 0 }, "{}", String::from_utf8_lossy(&plain.stderr));
    let guarded = run(corpus().guard(Guard::Loopback));
    assert_eq!(guarded.trace.ending, Ending::Exited { status: 0 }, "{}", String::from_utf8_lossy(&guarded.stderr));
    assert_eq!(calls(&guarded.trace).len(), calls(&plain.trace).len());
    let every = |name| Injection::new(&[name], Occurrence::Every, Effect::Shorten(1));
    run(corpus().inject(every("sendto")).inject(every("recvfrom")).inject(every("read")).inject(every("write")));
}
