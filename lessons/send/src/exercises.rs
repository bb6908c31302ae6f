//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-send` grades the whole page. When you are stuck: `cargo workbook hint send/send-all`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;

/// Every byte ★★
///
/// Send every byte of `data`, in order, whatever the kernel takes at a time, on a blocking, connected socket. A signal is no
/// reason to stop; a peer that has gone is an errno, and not your death. Where there is nothing to send, ask nobody.
///
/// Read: book/send.md#when-a-send-is-short · Grade: `cargo test -p lesson-send send-all/`
pub fn send_all(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    todo!()
}

/// Every byte, by a deadline ★★★
///
/// The same on a non-blocking socket, which stays so: where the kernel's buffer is full, wait in `poll`. If it cannot be
/// done, return how many bytes the kernel did take, and the errno; past the deadline that is ETIMEDOUT.
///
/// Read: book/send.md#a-call-that-must-not-wait · Grade: `cargo test -p lesson-send send-all-by`
pub fn send_all_by(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> Result<(), (usize, Errno)> {
    todo!()
}

/// A message with a length ★★
///
/// Four bytes that tell the payload's length, the most significant byte first, and then the payload. Both leave together.
/// A payload whose length does not fit into 32 bits: EMSGSIZE.
///
/// Read: book/send.md#no-borders · Grade: `cargo test -p lesson-send send-frame`
pub fn send_frame(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    todo!()
}

/// The last word arrives ★★★
///
/// You have sent everything. Say that you are done, wait for the peer's end (throwing away what it still sends), and then
/// close: no longer than `patience`; after that close all the same, and return ETIMEDOUT.
///
/// Read: book/send.md#losing-ones-own-words · Grade: `cargo test -p lesson-send finish`
pub fn finish(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    todo!()
}
