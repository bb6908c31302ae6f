//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-accept` grades the whole page. When you are stuck: `cargo workbook hint accept/accept-one`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::SocketAddrV4;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;

/// One client ★
///
/// Waits for one client: the connection, with close-on-exec, and the client's address. EINTR and ECONNABORTED are not the
/// caller's business; everything else is.
///
/// Read: book/accept.md#the-call · Grade: `cargo test -p lesson-accept accept-one`
pub fn accept_one(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    todo!()
}

/// One after another ★★
///
/// Accepts `n` clients: sends each the reply, and closes it before the next is accepted. One that has gone is skipped, but
/// counts among the `n`. How many got the whole reply.
///
/// Read: book/accept.md#who-comes-first · Grade: `cargo test -p lesson-accept serve-each`
pub fn serve_each(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    todo!()
}

/// A process for each client ★★★
///
/// Serves `n` clients at the same time, each in a child process of its own that calls `handler`. Returns when all children
/// have ended and have been waited for.
///
/// Read: book/accept.md#serving-more-than-one · Grade: `cargo test -p lesson-accept serve-forking`
pub fn serve_forking(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    todo!()
}

/// The spare descriptor ★★★
///
/// Accepts a client of a non-blocking listener: `Ok(Some(connection))`. Nobody there: EAGAIN. Out of descriptors: the spare is
/// given up, the client accepted and closed at once, the spare taken back: `Ok(None)`. The spare is back whatever happens.
///
/// Read: book/accept.md#out-of-descriptors · Grade: `cargo test -p lesson-accept accept-with-spare`
pub fn accept_with_spare(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    todo!()
}
