//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-listen` grades the whole page. When you are stuck: `cargo workbook hint listen/listen-on`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::SocketAddrV4;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;

/// Open the door ★
///
/// A TCP server on 127.0.0.1 and this port (0: the kernel chooses) that can be restarted at once and listens with this
/// backlog, whatever it is. Returns the socket and its port. If a call fails, return its errno and leave nothing open.
///
/// Read: book/listen.md#the-call · Grade: `cargo test -p lesson-listen listen-on`
pub fn listen_on(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    todo!()
}

/// Measure the deck's number ★★★
///
/// How many connections does the kernel of that server, which never accepts, complete before one does not finish within
/// `patience`? At most 512 tries; leave nothing open. A refused connection is an error.
///
/// Read: book/listen.md#how-many-chairs · Grade: `cargo test -p lesson-listen queue-capacity`
pub fn queue_capacity(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    todo!()
}

/// Look into the waiting room ★★
///
/// How many clients wait in the queue of this listening TCP socket now, and the backlog that the kernel keeps, from
/// TCP_INFO. Of a TCP socket that does not listen: EINVAL.
///
/// Read: book/listen.md#ask-the-queue · Grade: `cargo test -p lesson-listen queue-state`
pub fn queue_state(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    todo!()
}

/// Close the door politely ★★★
///
/// Everyone in the queue gets `goodbye` and a clean end of file; then the listener is closed. Returns how many were told.
/// Takes one second at most. A client that has gone already is not told, and does not stop it.
///
/// Read: book/listen.md#closing-with-guests-in-the-queue · Grade: `cargo test -p lesson-listen stop-listening`
pub fn stop_listening(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    todo!()
}
