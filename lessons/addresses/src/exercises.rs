//! Your page. Write each function in place of its `todo!()`, with `nix` or with raw `libc` calls, as you like.
//! The types `Name`, `UnixName` and `Gai` are in `lib.rs`.
//!
//! `cargo test -p lesson-addresses` grades the whole page. When you are stuck: `cargo workbook hint addresses/lookup`.

#![allow(unused_variables, reason = "a function that is still a todo!() uses none of its arguments")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use lesson_addresses::{Gai, Name, UnixName};
use nix::errno::Errno;

/// Sixteen bytes by hand ★
///
/// Lay out a `sockaddr_in` exactly as Linux reads it. No `unsafe`, no struct of `libc`.
///
/// Read: book/addresses.md#the-bytes · Grade: `cargo test -p lesson-addresses sockaddr-in-bytes`
pub fn sockaddr_in_bytes(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    todo!()
}

/// A strict reader ★
///
/// Turn "127.0.0.1:8080" into an address: four decimal numbers, a colon, digits. Anything else is EINVAL.
/// Do not look names up.
///
/// Read: book/addresses.md#text-is-not-an-address · Grade: `cargo test -p lesson-addresses parse-endpoint`
pub fn parse_endpoint(s: &str) -> Result<SocketAddrV4, Errno> {
    todo!()
}

/// What the kernel said ★★
///
/// `raw` is what the kernel gave back: as many bytes as its length says. Say what it names.
/// Too short for its family: EINVAL. An unknown family: EAFNOSUPPORT. No `unsafe`.
///
/// Read: book/addresses.md#names-on-one-machine · Grade: `cargo test -p lesson-addresses decode-sockaddr`
pub fn decode_sockaddr(raw: &[u8]) -> Result<Name, Errno> {
    todo!()
}

/// A name, and how long it is ★★
///
/// Build the address *and its length*. An empty path, or a zero byte inside a path: EINVAL.
/// More than 107 bytes, of a path or of an abstract name: ENAMETOOLONG.
///
/// Read: book/addresses.md#a-name-that-is-no-path · Grade: `cargo test -p lesson-addresses unix-sockaddr`
pub fn unix_sockaddr(n: UnixName) -> Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    todo!()
}

/// All the addresses of a name ★★★
///
/// Ask `libc::getaddrinfo` for addresses for a stream socket. Return each of them once, in the resolver's order, and free
/// its list. No host: the addresses that a server binds to.
///
/// Read: book/addresses.md#names-and-getaddrinfo · Grade: `cargo test -p lesson-addresses lookup`
pub fn lookup(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    todo!()
}
