//! How the server ends.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use crate::malice::fill;
use crate::running::{Done, Running, Server, accept, lesson, listener, wait_until};

crate::tests! {
    Nothing: signals_end_it_quiet signal_while_it_sends ctrl_c_ends_it_quiet ctrl_c_ends_the_client_quiet restarts_at_once
        without_ptrace_it_runs;
    Tracing: signals_end_it_traced ctrl_c_ends_the_client_traced ctrl_c_ends_it_traced;
}

fn signals_end_it_quiet() {
    signals_end_it(&["--quiet"]);
}

fn signals_end_it_traced() {
    signals_end_it(&[]);
}

/// SIGINT and SIGTERM, sent to this one process: while it waits for a client, and while it waits for one's word.
fn signals_end_it(options: &[&str]) {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        for busy in [false, true] {
            let server = Server::start(options);
            let client = busy.then(|| silent_client(&server));
            server.program.signal(signal);
            ended_well(server, client);
        }
    }
}

/// It sleeps in send when the signal comes: the shutdown in its handler makes an error of that send, and no SIGPIPE.
fn signal_while_it_sends() {
    let server = Server::start(&["--quiet"]);
    let mut client = server.client();
    fill(&server, &mut client);
    server.program.signal(libc::SIGTERM);
    let done = server.program.done();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains(" is sent away: ") && done.stdout.contains("\ngoodbye: 1 served, "), "{done:?}");
}

/// Ctrl-C ends the client where it is, as any program.
fn ctrl_c_ends_the_client(options: &[&str]) -> Done {
    let (listener, port) = listener();
    let mut command = lesson(&["client", "--port", &port.to_string(), "Hello"]);
    command.args(options);
    let mut terminal = on_a_terminal(&mut command);
    let client = Running::start(command);
    let mut connection = accept(&listener);
    let mut heard = String::new();
    connection.read_to_string(&mut heard).expect("the client says its word");
    assert_eq!(heard, "Hello");
    terminal.write_all(b"\x03").expect("the key can be pressed");
    let done = client.done();
    assert_eq!(done.status.signal(), Some(libc::SIGINT), "{done:?}");
    done
}

fn ctrl_c_ends_the_client_quiet() {
    let done = ctrl_c_ends_the_client(&["--quiet"]);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
}

fn ctrl_c_ends_the_client_traced() {
    let done = ctrl_c_ends_the_client(&[]);
    assert!(done.stderr.ends_with("  +++ killed by SIGINT +++\n"), "{}", done.stderr);
}

/// A client that has come, has been served, and says no more.
fn silent_client(server: &Server) -> TcpStream {
    let mut client = server.client();
    client.write_all(b"Hello").expect("the server takes it");
    client.read_exact(&mut [0; 5]).expect("the echo comes");
    client
}

/// It has said goodbye, with exit status 0; its client has seen the end, and nobody listens any more.
fn ended_well(server: Server, client: Option<TcpStream>) -> Done {
    let port = server.port;
    let done = server.program.done();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let last = done.stdout.lines().last().unwrap_or_default();
    match client {
        None => assert_eq!(last, "goodbye: 0 served, 0 bytes echoed", "{done:?}"),
        Some(mut client) => {
            let address = client.local_addr().expect("it has an address");
            let sent_away = format!("{address} is sent away: 5 bytes echoed\n");
            assert!(done.stdout.contains(&sent_away), "{sent_away:?} is not in {done:?}");
            assert_eq!(last, "goodbye: 1 served, 5 bytes echoed", "{done:?}");
            assert_eq!(client.read(&mut [0; 1]).expect("the server closes in order"), 0);
        }
    }
    let refused = TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens any more");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    done
}

fn ctrl_c_ends_it_quiet() {
    ctrl_c_ends_it(&["--quiet"]);
}

/// Here Ctrl-C goes to two processes at once: the server, and the one that watches it.
fn ctrl_c_ends_it_traced() {
    let done = ctrl_c_ends_it(&[]);
    assert_eq!(
        done.stderr.matches("--- SIGINT {si_signo=SIGINT, si_code=SI_KERNEL} ---").count(),
        1,
        "{}",
        done.stderr
    );
    assert!(done.stderr.ends_with("  +++ exited with 0 +++\n"), "{}", done.stderr);
}

fn ctrl_c_ends_it(options: &[&str]) -> Done {
    let mut command = lesson(&["server", "--port", "0"]);
    command.args(options);
    let mut terminal = on_a_terminal(&mut command);
    let server = Server::listening(command);
    let client = silent_client(&server);
    terminal.write_all(b"\x03").expect("the key can be pressed");
    ended_well(server, Some(client))
}

/// Gives a command a terminal of its own, from which it is controlled; what is written into the file is typed on it.
fn on_a_terminal(command: &mut Command) -> File {
    let (mut master, mut slave) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: openpty writes two descriptors; name, settings and size may be null.
    let made = unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: openpty has just made these two, and nobody else knows them.
    let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    // SAFETY: fcntl(F_SETFD) takes numbers only.
    assert_eq!(unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    command.stdin(slave);
    let control = || {
        // A shell starts what it runs in the background with Ctrl-C ignored: these tests too, it may be.
        // SAFETY: the default action replaces whatever was set; no handler of ours is involved.
        if unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: both take numbers. Standard input is the terminal by now, and the new group of processes has none yet.
        if unsafe { libc::setsid() } == -1 || unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) } == -1 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(control) };
    master
}

/// The server closes first, so the memory of the connection (TIME_WAIT) is at its port: and there it listens again at once.
fn restarts_at_once() {
    let server = Server::start(&["--quiet"]);
    let port = server.port;
    let client = silent_client(&server);
    server.program.signal(libc::SIGTERM);
    ended_well(server, Some(client));
    wait_until("the connection to be in TIME_WAIT", || {
        let local = format!(":{port:04X}");
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.any(|words| words.get(1).is_some_and(|at| at.ends_with(&local)) && words.get(3) == Some(&"06"))
    });
    let server = Server::listening(lesson(&["server", "--quiet", "--port", &port.to_string()]));
    assert_eq!(server.port, port);
    server.serves();
    server.ends();
}

/// Where tracing is forbidden it says so, once, and serves.
fn without_ptrace_it_runs() {
    let mut command = lesson(&["server", "--port", "0"]);
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe { command.pre_exec(forbid_ptrace) };
    let server = Server::listening(command);
    server.serves();
    server.program.signal(libc::SIGTERM);
    let done = server.program.done();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(done.stdout.ends_with("goodbye: 1 served, 14 bytes echoed\n"), "{done:?}");
    assert_eq!(done.stderr.matches("There is no trace: ").count(), 1, "{done:?}");
}

/// From here on, ptrace says EPERM in this process and its children, as in a strict container.
fn forbid_ptrace() -> std::io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut filter = [
        // The number of the call is the first word.
        libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        libc::sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: libc::SYS_ptrace as u32 },
        libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | libc::EPERM as u32 },
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
