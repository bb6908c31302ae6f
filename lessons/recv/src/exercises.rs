//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-recv` grades the whole page. When you are stuck: `cargo workbook hint recv/recv-exact`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]
#![allow(clippy::ptr_arg, reason = "a function that is still a todo!() does not make its Vec longer")]

use std::os::fd::BorrowedFd;
use std::time::Duration;

use lesson_recv::Peer;
use nix::errno::Errno;

/// As many as there is room for ★★
///
/// Fills `buf`, or stops at the end of the stream; returns how many bytes came. Never takes more. A signal is not the end.
///
/// Read: book/recv.md#a-maximum-not-a-wish · Grade: `cargo test -p lesson-recv recv-exact`
pub fn recv_exact(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    todo!()
}

/// Line by line ★★
///
/// The next line without its `\n` or `\r\n`. What came too early stays in `carry`, for the next call. At the end of the stream
/// an unfinished last line is returned, then `None`. A line longer than `max` bytes: EMSGSIZE.
///
/// Read: book/recv.md#where-a-message-ends · Grade: `cargo test -p lesson-recv recv-line`
pub fn recv_line(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    todo!()
}

/// Frame by frame ★★★
///
/// The next message of a stream in which each stands behind its length, four bytes, big-endian. `None` at the end between two
/// messages; EPROTO for an end inside one; EMSGSIZE for a length above `max`, before any room is made for it.
///
/// Read: book/recv.md#where-a-message-ends · Grade: `cargo test -p lesson-recv recv-frame`
pub fn recv_frame(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    todo!()
}

/// Not longer than this ★★
///
/// Like `recv`, but waits for `limit` at most, and says ETIMEDOUT then. The socket is left exactly as it was found.
///
/// Read: book/recv.md#waiting-with-a-limit · Grade: `cargo test -p lesson-recv recv-timeout`
pub fn recv_timeout(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    todo!()
}

/// Are you still there? ★★
///
/// What can be said of the other end, without waiting and without taking a byte.
///
/// Read: book/recv.md#a-look-at-the-other-end · Grade: `cargo test -p lesson-recv peer-state`
pub fn peer_state(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    todo!()
}
