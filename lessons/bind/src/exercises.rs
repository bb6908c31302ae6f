//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-bind` grades the whole page. When you are stuck: `cargo workbook hint bind/any-port`.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;

/// A name on this machine only ★
///
/// Make a TCP socket, bind it to 127.0.0.1 and this port, and return it.
/// If a call fails, return its errno and leave nothing open behind you.
///
/// Read: book/bind.md#the-call · Grade: `cargo test -p lesson-bind loopback`
pub fn bind_loopback(port: u16) -> Result<OwnedFd, Errno> {
    todo!()
}

/// A port of the kernel's choosing ★
///
/// Let the kernel choose a free TCP port on 127.0.0.1. Return the socket, *still bound*, and the port.
///
/// Read: book/bind.md#port-0 · Grade: `cargo test -p lesson-bind any-port`
pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno> {
    todo!()
}

/// A server that can be restarted at once ★★
///
/// Make a TCP socket and bind it to this address, even though the last connections of a server that has just ended still
/// sleep in TIME_WAIT. A server that is still alive keeps its port.
///
/// Read: book/bind.md#the-restart-that-everyone-curses · Grade: `cargo test -p lesson-bind reusable`
pub fn bind_reusable(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    todo!()
}

/// A path that was left behind ★★★
///
/// Bind a unix stream socket to this path. A *stale* socket file, behind which nobody listens, is replaced. A live server, or
/// anything that is not a socket, is left alone: EADDRINUSE. Any other failure is reported as it is.
///
/// Read: book/bind.md#a-path-stays-behind · Grade: `cargo test -p lesson-bind unix`
pub fn bind_unix(path: &Path) -> Result<OwnedFd, Errno> {
    todo!()
}
