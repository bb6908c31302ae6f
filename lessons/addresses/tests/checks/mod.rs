//! What the grader asks of the exercises of `addresses`. The words are in `exercises.toml`.

mod decode_sockaddr;
mod lookup;
mod parse_endpoint;
mod sockaddr_in_bytes;
mod unix_sockaddr;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::RawFd;

use grader::{Descriptors, Suite};
use lesson_addresses::{Gai, Name, UnixName};
use nix::errno::Errno;

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub sockaddr_in_bytes: fn(Ipv4Addr, u16) -> [u8; 16],
    pub parse_endpoint: fn(&str) -> Result<SocketAddrV4, Errno>,
    pub decode_sockaddr: fn(&[u8]) -> Result<Name, Errno>,
    pub unix_sockaddr: fn(UnixName) -> Result<(libc::sockaddr_un, libc::socklen_t), Errno>,
    pub lookup: fn(Option<&str>, &str) -> Result<Vec<SocketAddr>, Gai>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    sockaddr_in_bytes::add(&mut suite);
    parse_endpoint::add(&mut suite);
    decode_sockaddr::add(&mut suite);
    unix_sockaddr::add(&mut suite);
    lookup::add(&mut suite);
    suite
}

/// Something that holds no descriptor, and looks like itself.
pub struct Plain<T>(pub T);

impl<T> Descriptors for Plain<T> {
    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes as pairs of digits.
pub fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}
