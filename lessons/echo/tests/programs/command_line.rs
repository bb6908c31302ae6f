//! What can be asked of the programs, and what cannot be done.

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;

use crate::running::{Lines, Process, lesson, listener, run};

crate::tests! {
    Nothing: help_of_each help_of_the_lesson_names_both bad_arguments nobody_listens port_taken not_an_address_of_ours
        the_lesson_is_still_there;
    Tracing: trouble_is_traced no_colour_in_a_pipe colour_on_a_terminal no_colour_with_no_color;
}

fn help_of_each() {
    let parts: [(&str, &[&str]); 2] = [
        ("server", &["--port", "--host", "--timeout", "--quiet", "cargo run -p lesson-echo -- server --port 50000\n"]),
        (
            "client",
            &["--port", "--host", "--quiet", "cargo run -p lesson-echo -- client --port 50000 \"Hello World\"\n"],
        ),
    ];
    for (name, parts) in parts {
        for words in [&[name, "--help"][..], &[name, "-h"], &[name, "--port", "1", "--help"]] {
            let done = run(lesson(words));
            assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
            for part in parts.iter().chain(&["NO_COLOR", "exit status"]) {
                assert!(done.stdout.contains(part), "{part:?} is not in:\n{}", done.stdout);
            }
            assert!(done.stdout.lines().all(|line| line.len() <= 120), "a line is too long in:\n{}", done.stdout);
        }
    }
}

fn help_of_the_lesson_names_both() {
    let done = run(lesson(&["--help"]));
    for part in ["lesson-echo -- server --port 50000", "lesson-echo -- client --port 50000 \"Hello World\""] {
        assert!(done.stdout.contains(part), "{part:?} is not in:\n{}", done.stdout);
    }
}

fn bad_arguments() {
    let cases: &[(&[&str], &str)] = &[
        (&["server", "--port", "65536"], "a port is a number from 0 to 65535"),
        (&["server", "--port", "http"], "a port is a number from 0 to 65535"),
        (&["server", "--port", "-1"], "a port is a number from 0 to 65535"),
        (&["server", "--port"], "--port"),
        (&["server", "--timeout", "soon"], "a number of seconds"),
        (&["server", "--timeout", "-1"], "a number of seconds"),
        (&["server", "--timeout", "NaN"], "a number of seconds"),
        (&["server", "--timeout", "1e-9"], "a number of seconds"),
        (&["server", "--colour"], "--colour"),
        (&["server", "Hello"], "Hello"),
        (&["client", "--port", "0", "Hello"], "port 0"),
        (&["client", "--port", "70000", "Hello"], "a port is a number from 0 to 65535"),
        (&["client", "--timeout", "1"], "--timeout"),
        (&["client", "-x"], "-x"),
    ];
    for (words, part) in cases {
        let done = run(lesson(words));
        let (status, said) = (done.status.code(), &done.stderr);
        assert_eq!((status, done.stdout.as_str()), (Some(2), ""), "{words:?}: {said}");
        assert!(said.contains(part) && said.contains("--help"), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
    }
}

/// A port where nobody listens, and that nobody else is given meanwhile: it is bound.
fn dead_port() -> (OwnedFd, u16) {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert_ne!(fd, -1);
    // SAFETY: a sockaddr_in is plain numbers, for which all zeros is a value; the two calls read and write one of its size.
    let address = unsafe {
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        assert_eq!(libc::bind(fd, (&raw const address).cast(), length), 0);
        assert_eq!(libc::getsockname(fd, (&raw mut address).cast(), &raw mut length), 0);
        address
    };
    // SAFETY: the socket was made above, and nobody else owns it.
    (unsafe { OwnedFd::from_raw_fd(fd) }, u16::from_be(address.sin_port))
}

fn nobody_listens() {
    let (_held, port) = dead_port();
    for host in ["127.0.0.1", "localhost"] {
        let done = run(lesson(&["client", "--quiet", "--host", host, "--port", &port.to_string(), "Hello"]));
        assert_eq!((done.status.code(), done.stdout.as_str()), (Some(1), ""), "{done:?}");
        let said = done.stderr;
        let parts =
            [format!("127.0.0.1:{port}: ECONNREFUSED"), format!("cargo run -p lesson-echo -- server --port {port}")];
        assert!(parts.iter().all(|part| said.contains(part)) && said.lines().count() == 1, "{said}");
    }
}

fn port_taken() {
    let (_holder, port) = listener();
    let done = run(lesson(&["server", "--quiet", "--port", &port.to_string()]));
    assert_eq!((done.status.code(), done.stdout.as_str()), (Some(1), ""), "{done:?}");
    for part in [format!("127.0.0.1:{port}: EADDRINUSE"), "take another port".to_string()] {
        assert!(done.stderr.contains(&part), "{part:?} is not in: {}", done.stderr);
    }
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

fn not_an_address_of_ours() {
    // 192.0.2.0/24 is set aside for examples, so it is nobody's: and to bind to it sends nothing.
    let done = run(lesson(&["server", "--quiet", "--host", "192.0.2.1", "--port", "0"]));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(done.stderr.contains("EADDRNOTAVAIL") && done.stderr.contains("one of its own"), "{done:?}");
    for program in ["server", "client"] {
        let done = run(lesson(&[program, "--quiet", "--host", "127.0.0.1.1", "--port", "1"]));
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stderr.contains("127.0.0.1.1"), "{done:?}");
    }
}

fn the_lesson_is_still_there() {
    let done = run(lesson(&["--list"]));
    assert!(done.status.success() && done.stdout.contains("hello-world"), "{done:?}");
    let done = run(lesson(&["nonsense", "server"]));
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

fn trouble_is_traced() {
    let (_holder, port) = listener();
    let done = run(lesson(&["server", "--port", &port.to_string()]));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let bind = done.stderr.lines().find(|line| line.starts_with("  bind(3, "));
    assert!(bind.is_some_and(|line| line.ends_with(" = -1 EADDRINUSE (Address already in use)")), "{done:?}");
    assert!(done.stderr.contains("  close(3)"), "{done:?}");

    let (_held, port) = dead_port();
    let done = run(lesson(&["client", "--port", &port.to_string(), "Hello"]));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(done.stderr.contains(" = -1 ECONNREFUSED (Connection refused)\n"), "{done:?}");
}

fn no_colour_in_a_pipe() {
    let (_held, port) = dead_port();
    let done = run(lesson(&["client", "--port", &port.to_string(), "Hello"]));
    assert!(!done.stderr.contains('\x1b') && !done.stdout.contains('\x1b'), "{done:?}");
}

/// What the client writes about a refused connection where all its output goes to a terminal.
fn refused_on_a_terminal(no_color: bool) -> String {
    let (_held, port) = dead_port();
    let (mut master, mut slave) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: openpty writes two descriptors; name, settings and size may be null.
    let made = unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: openpty has just made these two, and nobody else knows them.
    let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let mut command = lesson(&["client", "--port", &port.to_string(), "Hello"]);
    command.env("TERM", "xterm-256color").env_remove("CLICOLOR").env_remove("CI").stderr(slave).stdout(Stdio::null());
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut client = Process::start(&mut command);
    // The command keeps a copy of the terminal: it must go, or the reading below never ends.
    drop(command);
    let said = Lines::of(master).all();
    assert_eq!(client.status().code(), Some(1));
    said
}

fn colour_on_a_terminal() {
    let said = refused_on_a_terminal(false);
    assert!(said.contains("\x1b[1m\x1b[31m-1 ECONNREFUSED"), "{said:?}");
}

fn no_colour_with_no_color() {
    let said = refused_on_a_terminal(true);
    assert!(said.contains("-1 ECONNREFUSED") && !said.contains('\x1b'), "{said:?}");
}
