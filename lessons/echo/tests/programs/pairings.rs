//! Who speaks with whom: the chapter's programs, the deck's in Python, and others.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Command;
use std::thread;

use crate::running::{Server, accept, lesson, listener, python, run};

crate::tests! {
    Nothing: rust_server_rust_client std_client_speaks_with_the_server client_speaks_with_a_std_server
        client_gets_more_than_it_said;
    Python: rust_server_python_client python_server_rust_client python_server_python_client
        python_server_keeps_the_rest_of_a_long_message;
    Tracing: both_traced;
    Ipv6: over_ipv6;
}

const HELLO: &str = "Hello World";

fn rust_client(port: u16) -> Command {
    lesson(&["client", "--quiet", "--port", &port.to_string(), "Hello", "World"])
}

/// The client prints this, and nothing goes wrong.
fn prints(client: Command, line: &str) {
    let done = run(client);
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    assert_eq!(done.stdout, format!("{line}\n"));
}

fn rust_server_rust_client() {
    let server = Server::start(&["--quiet"]);
    prints(rust_client(server.port), HELLO);
    prints(rust_client(server.port), HELLO);
    assert!(server.ends().ends_with("\ngoodbye: 2 served, 22 bytes echoed\n"));
}

fn rust_server_python_client() {
    let server = Server::start(&["--quiet"]);
    prints(python("client.py", &[&server.port.to_string()]), "b'Hello World'");
    server.ends();
}

fn python_server_rust_client() {
    let server = Server::deck();
    prints(rust_client(server.port), HELLO);
    prints(rust_client(server.port), HELLO);
}

fn python_server_python_client() {
    let server = Server::deck();
    prints(python("client.py", &[&server.port.to_string()]), "b'Hello World'");
}

/// The deck's server calls recv once. What is lost is not lost silently.
fn python_server_keeps_the_rest_of_a_long_message() {
    let server = Server::deck();
    let message = "a".repeat(5000);
    let done = run(lesson(&["client", "--quiet", "--port", &server.port.to_string(), &message]));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    // Reset or closed: which it is depends on how many of the bytes were there when it closed.
    assert!(done.stderr.contains("ECONNRESET") || done.stderr.contains("came back"), "{done:?}");
    assert!(message.starts_with(done.stdout.trim_end()), "{done:?}");
}

fn both_traced() {
    let server = Server::start(&[]);
    let client = run(lesson(&["client", "--port", &server.port.to_string(), HELLO]));
    assert!(client.status.success(), "{client:?}");
    assert_eq!(client.stdout, "Hello World\n");
    let calls: Vec<&str> = client.stderr.lines().filter_map(|line| line.trim().split('(').next()).collect();
    assert_eq!(
        calls,
        [
            "socket",
            "connect",
            "sendto",
            "shutdown",
            "recvfrom",
            "recvfrom",
            "close",
            "exit_group",
            "+++ exited with 0 +++"
        ],
        "{}",
        client.stderr
    );
    // The server's lines are there while it still runs.
    server
        .program
        .complains
        .wait("the server's echo", |line| line.starts_with("  sendto(4, \"Hello World\", 11, MSG_NOSIGNAL"));
    server.program.signal(libc::SIGTERM);
    let done = server.program.done();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    for line in [
        "  --- SIGTERM {",
        "  shutdown(3, SHUT_RDWR)                  = 0\n",
        "  close(3)                                = 0\n",
        "  +++ exited with 0 +++\n",
    ] {
        assert!(done.stderr.contains(line), "{line:?} is not in:\n{}", done.stderr);
    }
}

fn over_ipv6() {
    let server = Server::start(&["--quiet", "--host", "::1"]);
    let port = server.port.to_string();
    prints(lesson(&["client", "--quiet", "--host", "::1", "--port", &port, "Hello"]), "Hello");
    let told = server.ends();
    assert!(told.starts_with(&format!("listening at [::1]:{port}; ")), "{told}");
}

fn std_client_speaks_with_the_server() {
    let server = Server::start(&["--quiet"]);
    let mut client = server.client();
    // It need not be done before it hears something.
    for round in 0..100_u32 {
        client.write_all(&round.to_be_bytes()).expect("the server takes it");
        let mut echo = [0; 4];
        client.read_exact(&mut echo).expect("the echo comes");
        assert_eq!(u32::from_be_bytes(echo), round);
    }
    let address = client.local_addr().expect("it has an address");
    drop(client);
    assert!(server.told_of(address).ends_with(" went: 400 bytes echoed"));
    server.ends();
}

/// This one first listens to everything, and then says it all at once.
fn client_speaks_with_a_std_server() {
    let (listener, port) = listener();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("the client says that it is done");
        client.write_all(&all).expect("the client takes it");
    });
    prints(rust_client(port), HELLO);
    server.join().expect("the server was content");
}

fn client_gets_more_than_it_said() {
    let (listener, port) = listener();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        client.write_all(b"Good day!\n").expect("the client takes it");
        client.shutdown(Shutdown::Write).expect("this can be said");
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("the client says that it is done");
    });
    prints(lesson(&["client", "--quiet", "--port", &port.to_string(), ""]), "Good day!");
    server.join().expect("the server was content");
}
