//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-socket` grades the whole page. When you are stuck: `cargo workbook hint socket/open-tcp`.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;

/// A socket that does not leak ★
///
/// Open one IPv4 stream socket that will not be inherited by programs that this one starts.
///
/// Read: <http://127.0.0.1:3000/socket.html#the-call> · Grade: `cargo test -p lesson-socket open-tcp`
pub fn open_tcp() -> Result<OwnedFd, Errno> {
    todo!()
}

/// Would the kernel open it? ★
///
/// Ask the kernel whether it would open a socket of this family, type and protocol. If not, return its errno.
/// Keep nothing open. Use `libc`.
///
/// Read: <http://127.0.0.1:3000/socket.html#three-ways-to-say-no> · Grade: `cargo test -p lesson-socket probe`
pub fn probe(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    todo!()
}

/// One flag, and no other ★
///
/// Switch O_NONBLOCK on or off, and nothing else. If a call fails, return its errno.
///
/// Read: <http://127.0.0.1:3000/socket.html#without-waiting> · Grade: `cargo test -p lesson-socket set-nonblocking`
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    todo!()
}

/// All or nothing ★★
///
/// Open `n` sockets, or none: if one fails, close those that are open already and return its errno.
///
/// Read: <http://127.0.0.1:3000/socket.html#the-limit> · Grade: `cargo test -p lesson-socket open-n`
pub fn open_n(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    todo!()
}
