//! Much, and many.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Stdio;
use std::sync::{Arc, mpsc};
use std::thread;

use crate::running::{PATIENCE, Process, Running, Server, lesson, wait_until};

crate::tests! {
    Nothing: a_gibibyte_through_one_connection a_thousand_connections much_through_the_client
        one_waits_for_the_other;
}

/// A piece of the stream: long, of odd length, and without a pattern that a shift would hide.
fn piece() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..1_000_003).map(|_| next()).collect()
}

/// Reads until the end, and holds what comes against the piece, repeated: how many bytes came.
fn check(mut stream: impl Read, piece: &[u8]) -> u64 {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0_u64;
    loop {
        let count = stream.read(&mut buffer).expect("the echo comes");
        if count == 0 {
            return total;
        }
        let mut came = &buffer[..count];
        while !came.is_empty() {
            let at = usize::try_from(total % piece.len() as u64).expect("it fits");
            let length = came.len().min(piece.len() - at);
            assert!(came[..length] == piece[at..at + length], "the echo differs after byte {total}");
            came = &came[length..];
            total += length as u64;
        }
    }
}

fn a_gibibyte_through_one_connection() {
    const TOTAL: u64 = 1 << 30;
    let server = Server::start(&["--quiet"]);
    let before = server.descriptors();
    let client = server.client();
    let address = client.local_addr().expect("it has an address");
    let (mut sender, piece) = (client.try_clone().expect("it can be shared"), piece());
    let echoed = thread::scope(|scope| {
        scope.spawn(|| {
            let mut left = TOTAL;
            while left > 0 {
                let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                sender.write_all(&piece[..length]).expect("the server takes it");
                left -= length as u64;
            }
            sender.shutdown(Shutdown::Write).expect("this can be said");
        });
        check(&client, &piece)
    });
    assert_eq!(echoed, TOTAL);
    assert!(server.told_of(address).ends_with(" went: 1073741824 bytes echoed"));
    assert_eq!(server.descriptors(), before);
    server.ends();
}

fn a_thousand_connections() {
    let server = Server::start(&["--quiet"]);
    server.serves();
    let (before, memory) = (server.descriptors(), server.memory());
    for number in 0..1000 {
        let message = format!("I am number {number}");
        let mut client = server.client();
        client.write_all(message.as_bytes()).expect("the server takes it");
        client.shutdown(Shutdown::Write).expect("this can be said");
        let mut echo = String::new();
        client.read_to_string(&mut echo).expect("the echo comes");
        assert_eq!(echo, message);
    }
    // Its last client has seen the end, and a moment later the server waits for the next.
    wait_until("the server's descriptors to be the same as before", || server.descriptors() == before);
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 1024, "the server uses {grown} kB more than before");
    assert!(server.ends().contains("goodbye: 1001 served, "));
}

/// A hundred million bytes in at one end and out at the other: all buffers together hold less than that, so a client that
/// did not read while it sends would sleep for ever in send, as the server would.
fn much_through_the_client() {
    let server = Server::start(&["--quiet"]);
    let mut command = lesson(&["client", "--quiet", "--port", &server.port.to_string()]);
    let mut client = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let (mut input, output) = client.pipes();
    let piece = Arc::new(piece());
    let to_say = Arc::clone(&piece);
    thread::spawn(move || {
        for _ in 0..100 {
            input.write_all(&to_say).expect("the client takes it");
        }
    });
    let (done, echoed) = mpsc::channel();
    let to_hear = Arc::clone(&piece);
    thread::spawn(move || done.send(check(output, &to_hear)));
    let echoed = echoed.recv_timeout(PATIENCE).expect("the client prints it all in time, and nothing else");
    assert_eq!(echoed, 100 * piece.len() as u64);
    assert!(client.status().success());
    server.ends();
}

/// The second client is connected, and waits: the server is with the first.
fn one_waits_for_the_other() {
    let server = Server::start(&["--quiet"]);
    let first = server.client();
    let address = first.local_addr().expect("it has an address");
    server.program.says.wait("the first client", |line| line == format!("{address} came"));
    let second = Running::start(lesson(&["client", "--quiet", "--port", &server.port.to_string(), "me too"]));
    // It is connected, and has said all that it will: the server's kernel has taken it in (FIN_WAIT2), and not yet the server.
    wait_until("the second client to be connected", || {
        let wanted = format!(":{:04X} 05 ", server.port);
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", second.pid())).unwrap_or_default();
        table.lines().any(|line| line.contains(&wanted))
    });
    drop(first);
    let done = second.done();
    assert_eq!((done.status.code(), done.stdout.as_str()), (Some(0), "me too\n"), "{done:?}");
    let told = server.ends();
    assert_eq!(told.matches(" came\n").count(), 2, "{told}");
}
