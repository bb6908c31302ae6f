//! The exercises of the chapter `addresses`. Your page is [`exercises`]; the experiments are in `main.rs`. Here are the
//! types that the exercises speak of.

use std::net::{Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;

// The page names these types as `lesson_addresses::Name`, here and wherever else it is compiled.
extern crate self as lesson_addresses;

// With the feature `solutions` the same checks grade the reference answers. Nothing depends on this package,
// so nobody can switch that on behind a student's back.
#[cfg(not(feature = "solutions"))]
pub mod exercises;
#[cfg(feature = "solutions")]
#[path = "../answers/solutions.rs"]
pub mod exercises;

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// An IPv4 address and a port.
    V4(Ipv4Addr, u16),
    /// All that a `sockaddr_in6` says.
    V6 {
        /// The address.
        ip: Ipv6Addr,
        /// The port.
        port: u16,
        /// The flow information.
        flow: u32,
        /// The scope id.
        scope: u32,
    },
    /// A path, without a zero byte at its end.
    Path(Vec<u8>),
    /// An abstract unix name, without the zero byte that leads it.
    Abstract(Vec<u8>),
    /// A unix socket that has no name.
    Unnamed,
}

/// A name for a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixName<'a> {
    /// A path, without a zero byte at its end.
    Path(&'a [u8]),
    /// An abstract name, without the zero byte that leads it.
    Abstract(&'a [u8]),
}

/// Why `getaddrinfo` gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gai {
    /// Its own code, such as `EAI_SERVICE`.
    Code(i32),
    /// Its code was `EAI_SYSTEM`, and this is the errno.
    Sys(Errno),
}
