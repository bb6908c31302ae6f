//! Clients that mean harm, and machines that lack something: the server goes on, and leaks nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;

use observer::{Address, Call, Effect, Ending, Injection, Observer, Occurrence};

use crate::running::{LESSON, PATIENCE, Server, accept, listener, reset, wait_until};

crate::tests! {
    Nothing: resets_in_the_middle resets_while_the_server_sends resets_before_it_is_accepted never_reads says_nothing
        comes_and_goes half_closes_and_reads_slowly no_descriptor_left stopped_and_continued;
    Tracing: never_reads_and_is_reset lost_in_the_queue short_sends;
}

/// What the client does; what the server then says of it, in part; and that the next client is served, with nothing leaked.
fn survives(options: &[&str], visit: impl FnOnce(&Server, TcpStream), told: &[&str]) {
    let server = Server::start(&[&["--quiet"], options].concat());
    server.serves();
    let before = server.descriptors();
    let client = server.client();
    let address = client.local_addr().expect("it has an address");
    visit(&server, client);
    let line = server.told_of(address);
    assert!(told.iter().any(|part| line.contains(part)), "{line}");
    server.serves();
    wait_until("the server's descriptors to be the same as before", || server.descriptors() == before);
    server.ends();
}

fn resets_in_the_middle() {
    let visit = |_: &Server, mut client: TcpStream| {
        client.write_all(b"Hello").expect("the server takes it");
        client.read_exact(&mut [0; 3]).expect("the echo comes");
        reset(client);
    };
    survives(&[], visit, &["vanished (ECONNRESET"]);
}

fn resets_while_the_server_sends() {
    let visit = |server: &Server, mut client: TcpStream| {
        fill(server, &mut client);
        reset(client);
    };
    // The server finds it in send, or in the recv after a send that was cut short.
    survives(&[], visit, &["vanished (ECONNRESET", "vanished (EPIPE"]);
}

/// Sends without ever reading until nothing more is taken: the server sleeps in send.
pub fn fill(server: &Server, client: &mut TcpStream) {
    client.set_nonblocking(true).expect("it can be set");
    let piece = vec![b'x'; 1 << 20];
    let mut last = 0_u64;
    let mut total = 0_u64;
    wait_until("the server to sleep in send", || {
        loop {
            match client.write(&piece) {
                Ok(count) => total += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the server does not take it: {error}"),
            }
        }
        let still = total == last;
        last = total;
        still && sleeps_in_send(server)
    });
}

/// Whether the server's own send buffer is not empty, and the process sleeps.
fn sleeps_in_send(server: &Server) -> bool {
    let pid = server.program.pid();
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let table = read("net/tcp");
    let local = format!(":{:04X}", server.port);
    let full = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|words| {
        let is = |index: usize, holds: &dyn Fn(&str) -> bool| words.get(index).is_some_and(|word| holds(word));
        is(1, &|at| at.ends_with(&local))
            && is(3, &|state| state == "01")
            && is(4, &|queues| !queues.starts_with("00000000:"))
    });
    // The state stands behind the name in brackets.
    full && read("stat").rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
}

/// The server is with another client when this one comes and tears its connection.
fn resets_before_it_is_accepted() {
    let server = Server::start(&["--quiet"]);
    let before = server.descriptors();
    let first = server.client();
    let address = first.local_addr().expect("it has an address");
    server.program.says.wait("the first client", |line| line == format!("{address} came"));
    let mut second = server.client();
    let address = second.local_addr().expect("it has an address");
    second.write_all(b"Hello").expect("there is room for it");
    reset(second);
    drop(first);
    assert!(server.told_of(address).contains("vanished (ECONNRESET"));
    server.serves();
    wait_until("the server's descriptors to be the same as before", || server.descriptors() == before);
    server.ends();
}

fn never_reads() {
    let server = Server::start(&["--quiet", "--timeout", "0.2"]);
    let before = server.descriptors();
    never_reads_at(&server);
    server.serves();
    wait_until("the server's descriptors to be the same as before", || server.descriptors() == before);
    server.ends();
}

/// A client that sends without ever reading, until the server tears the connection.
fn never_reads_at(server: &Server) {
    let piece = vec![b'x'; 1 << 20];
    wait_until("the server to find that its client takes nothing", || {
        let mut client = server.client();
        let address = client.local_addr().expect("it has an address");
        let error = loop {
            if let Err(error) = client.write_all(&piece) {
                break error;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
        // On a busy machine the client itself may once be too slow.
        let line = server.told_of(address);
        assert!(
            line.contains(" took nothing for 200ms: sent away, ") || line.contains(" said nothing for 200ms"),
            "{line}"
        );
        line.contains(" took nothing")
    });
}

/// The kernel is not left with what the client did not take.
fn never_reads_and_is_reset() {
    let server = Server::start(&["--timeout", "0.2"]);
    never_reads_at(&server);
    let reset = "  setsockopt(4, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8) = 0";
    server.program.complains.wait("the server's way to close at once", |line| line == reset);
    server.ends();
}

fn says_nothing() {
    let visit = |_: &Server, mut client: TcpStream| {
        assert_eq!(client.read(&mut [0; 1]).expect("the server closes in order"), 0);
    };
    survives(&["--timeout", "0.2"], visit, &["said nothing for 200ms: sent away, 0 bytes echoed"]);
}

fn comes_and_goes() {
    survives(&[], |_, client| drop(client), &["went: 0 bytes echoed"]);
}

/// A client that has said everything has not heard everything.
fn half_closes_and_reads_slowly() {
    let visit = |_: &Server, mut client: TcpStream| {
        let message: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
        client.write_all(&message).expect("the server takes it");
        client.shutdown(Shutdown::Write).expect("this can be said");
        let mut echo = Vec::new();
        let mut piece = [0; 4096];
        loop {
            thread::yield_now();
            match client.read(&mut piece).expect("the echo comes") {
                0 => break,
                count => echo.extend_from_slice(&piece[..count]),
            }
        }
        assert!(echo == message, "{} of {} bytes came, or others", echo.len(), message.len());
    };
    survives(&[], visit, &["went: 1048576 bytes echoed"]);
}

/// The server's table of descriptors is full: the next client waits, and the server does not end.
fn no_descriptor_left() {
    let server = Server::start(&["--quiet"]);
    server.serves();
    let open = server.descriptors();
    let lowest_free = (0..).find(|number: &u64| !open.contains(&number.to_string())).expect("some number is free");
    let before = limit_descriptors(&server, lowest_free);
    // A server that waits in accept has the next number already, and only the accept after it finds none.
    let knock = || {
        let mut client = server.client();
        client.write_all(b"Hello").expect("there is room for it");
        client.shutdown(Shutdown::Write).expect("this can be said");
        client
    };
    let first = knock();
    server.program.says.wait("the server's excuse", |line| line.contains("EMFILE"));
    let second = knock();
    limit_descriptors(&server, before);
    for mut client in [first, second] {
        let mut echo = String::new();
        client.read_to_string(&mut echo).expect("the echo comes");
        assert_eq!(echo, "Hello");
    }
    server.serves();
    let told = server.ends();
    assert_eq!(told.matches("EMFILE").count(), 1, "said once, in:\n{told}");
}

/// Sets how many descriptors the server may have, and gives what it might have before.
fn limit_descriptors(server: &Server, most: u64) -> u64 {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = server.program.pid();
    // SAFETY: prlimit writes an rlimit into `old`, and is told to set nothing.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut old) }, 0);
    let new = libc::rlimit { rlim_cur: most, ..old };
    // SAFETY: prlimit only reads `new`, and is not asked for the old one.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const new, std::ptr::null_mut()) }, 0);
    old.rlim_cur
}

/// A recv with a timeout says EINTR when the process was stopped (Ctrl-Z) and goes on, whether there is a handler or not.
fn stopped_and_continued() {
    let visit = |server: &Server, mut client: TcpStream| {
        client.write_all(b"Hel").expect("the server takes it");
        client.read_exact(&mut [0; 3]).expect("the echo comes");
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.program.pid())).unwrap_or_default();
            stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next())
        };
        wait_until("the server to sleep", || state() == Some('S'));
        server.program.signal(libc::SIGSTOP);
        wait_until("the server to stop", || state() == Some('T'));
        server.program.signal(libc::SIGCONT);
        wait_until("the server to sleep again", || state() == Some('S'));
        client.write_all(b"lo").expect("the server takes it");
        client.read_exact(&mut [0; 2]).expect("the echo comes");
    };
    survives(&[], visit, &["went: 5 bytes echoed"]);
}

/// On Linux accept finds even those who have gone again, so ECONNABORTED must be made; and a machine without descriptors, too.
fn lost_in_the_queue() {
    let injections =
        [Injection::fail(&["accept4"], 1, libc::ECONNABORTED), Injection::fail(&["accept4"], 2, libc::ENFILE)];
    let (calls, said) = one_visit(&injections);
    let accepted = calls.iter().filter(|call| call.name == "accept4").map(|call| call.errno().unwrap_or("ok"));
    assert_eq!(accepted.take(3).collect::<Vec<_>>(), ["ECONNABORTED", "ENFILE", "ok"]);
    assert!(said.contains("ENFILE"), "{said}");
}

/// When send takes all that it is given, and when it does not, the kernel decides: here it never takes more than 7 bytes.
fn short_sends() {
    let injection = Injection::new(&["sendto"], Occurrence::Every, Effect::Shorten(7));
    let (calls, _) = one_visit(std::slice::from_ref(&injection));
    let sent = calls.iter().filter(|call| call.name == "sendto").map(|call| call.outcome.value);
    assert_eq!(sent.collect::<Vec<_>>(), [Some(7), Some(7), Some(7), Some(5)]);

    // The client at the other end of the same.
    let (listener, port) = listener();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("the client says that it is done");
        client.write_all(&all).expect("the client takes it");
    });
    let words = ["client", "--quiet", "--port", &port.to_string(), VISIT];
    let client = words.into_iter().fold(Observer::new(LESSON), Observer::arg).capture().deadline(PATIENCE);
    let done = client.inject(injection).run().expect("the client could be observed");
    assert_eq!(done.trace.ending, Ending::Exited { status: 0 });
    assert_eq!(String::from_utf8_lossy(&done.stdout), format!("{VISIT}\n"));
    server.join().expect("the server was content");
}

/// What a client says on its visit: 26 bytes.
const VISIT: &str = "abcdefghijklmnopqrstuvwxyz";

/// One visit to a server with whose calls something is done: its calls, and what it said.
fn one_visit(injections: &[Injection]) -> (Vec<Call>, String) {
    let server = ["server", "--quiet", "--port", "0"].into_iter().fold(Observer::new(LESSON), Observer::arg);
    let server = injections.iter().cloned().fold(server.capture().deadline(PATIENCE), Observer::inject);
    let (events, seen) = mpsc::channel();
    let watcher = thread::spawn(move || server.run_with(move |event| drop(events.send(event))));
    let mut calls = Vec::new();
    let mut until = |name: &str| loop {
        let event = seen.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("waited for {name}: {error}"));
        if let Some(call) = event.call() {
            calls.push(call.clone());
            if call.name == name {
                return (event.pid, call.clone());
            }
        }
    };

    let (pid, call) = until("getsockname");
    let Some(Address::Inet { port, .. }) = call.address() else { panic!("no port in {call}") };
    let mut client = TcpStream::connect(("127.0.0.1", *port)).expect("the server listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a time can be set");
    client.write_all(VISIT.as_bytes()).expect("the server takes it");
    client.shutdown(Shutdown::Write).expect("this can be said");
    let mut echo = String::new();
    client.read_to_string(&mut echo).expect("the echo comes");
    assert_eq!(echo, VISIT);

    until("close");
    // SAFETY: kill takes two numbers; the server has not ended, for nothing has asked it to.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    let done = watcher.join().expect("no panic").expect("the server could be observed");
    assert_eq!(done.trace.ending, Ending::Exited { status: 0 });
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.ends_with("goodbye: 1 served, 26 bytes echoed\n"), "{said}");
    (calls, said)
}
