//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//!
//! `cargo test -p lesson-connect` grades the whole page. When you are stuck: `cargo workbook hint connect/connect-to`.
//! What the chapters before this one taught is in the library `calls`, checked and ready to use.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;

/// Reach out ★
///
/// A TCP socket that is connected to this address, or the kernel's errno, and then nothing left open. A signal in the middle
/// must not disturb it.
///
/// Read: book/connect.md#interrupted · Grade: `cargo test -p lesson-connect connect-to`
pub fn connect_to(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    todo!()
}

/// One address after another ★★
///
/// A TCP socket that is connected to the first of these addresses that answers, tried in order. If none does, the last
/// errno; if there is none, EINVAL.
///
/// Read: book/connect.md#several-addresses · Grade: `cargo test -p lesson-connect connect-first`
pub fn connect_first(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    todo!()
}

/// Patience with an end ★★★
///
/// Like `connect_to`, but after `limit` it is ETIMEDOUT. The socket that is returned is an ordinary blocking one.
///
/// Read: book/connect.md#a-limit-of-your-own · Grade: `cargo test -p lesson-connect connect-timeout`
pub fn connect_timeout(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    todo!()
}

/// Where do I stand? ★★
///
/// The address of this machine that the kernel would use to talk to `peer`, found out without sending anything.
///
/// Read: book/connect.md#connect-on-udp · Grade: `cargo test -p lesson-connect local-address-for`
pub fn local_address_for(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    todo!()
}

/// Anybody there but me? ★★
///
/// Connects this socket, which may be bound, to this address. If it turns out to be connected to itself, that is nobody:
/// ECONNREFUSED.
///
/// Read: book/connect.md#talking-to-oneself · Grade: `cargo test -p lesson-connect connect-checked`
pub fn connect_checked(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    todo!()
}
