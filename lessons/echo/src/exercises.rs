//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-echo` grades the whole page. When you are stuck: `cargo workbook hint echo/echo-connection`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::SocketAddrV4;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

/// Send back what comes ★★
///
/// Echo on this connection until the client's end of file, and return how many bytes were echoed. Do not close it: it is
/// lent to you. A client that vanishes is an errno.
///
/// Read: book/echo.md#one-recv-is-not-a-message · Grade: `cargo test -p lesson-echo echo-connection`
pub fn echo_connection(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    todo!()
}

/// Ask, and hear it out ★★
///
/// Connect to this server, send the message (at most 64 KiB), say that you are done, and read until the end of file.
/// Return all that came. Leave nothing open.
///
/// Read: book/echo.md#to-have-finished-and-still-to-listen · Grade: `cargo test -p lesson-echo echo-client`
pub fn echo_client(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    todo!()
}

/// A server that survives its clients ★★★
///
/// Serve so many clients, one after another, and return how many of them ended in order. Nothing that a client does ends
/// the server; an error of the listener is returned.
///
/// Read: book/echo.md#two-programs-two-terminals · Grade: `cargo test -p lesson-echo echo-server`
pub fn echo_server(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    todo!()
}

/// Read while you send ★★★★
///
/// Like `echo_client`, but the data may be as large as they like: the server echoes as it reads, so read while you send.
///
/// Read: book/echo.md#both-asleep · Grade: `cargo test -p lesson-echo echo-big`
pub fn echo_big(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    todo!()
}
