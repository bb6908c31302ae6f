//! A socket destroyed from outside, as `ss -K` does it: sock_diag(7).

use std::os::fd::RawFd;

use super::netlink::{self, CHANGE, LIST, Message, number};
use super::{change, refused};
use crate::{Lack, Stop};

/// Destroys a TCP or UDP socket of this process from outside (SOCK_DESTROY), as `ss -K` does it: its connection is ended,
/// and its next call says ECONNABORTED; so does one that waits in another thread. The descriptor stays open.
///
/// The socket must have a port: be bound, connected, or connecting.
pub fn destroy(socket: RawFd) -> Result<(), Stop> {
    change(|| {
        let (family, protocol) = (option(socket, libc::SO_DOMAIN)? as u8, option(socket, libc::SO_PROTOCOL)? as u8);
        let inode = inode(socket)?;
        let every = Message::new(SOCK_DIAG_BY_FAMILY, LIST, &request(family, protocol, &[0; SOCKET_ID]), &[]);
        let sockets =
            netlink::list(libc::NETLINK_SOCK_DIAG, every).map_err(|error| missing("listing sockets", &error))?;
        let found = sockets.iter().find(|socket| number(socket, INODE_AT) == Some(inode));
        let Some(id) = found.and_then(|socket| socket.get(ID_AT..ID_AT + SOCKET_ID)) else {
            return Err(Stop::unexpected("the socket is in no list of the kernel's: it has no port yet"));
        };
        let it = Message::new(SOCK_DESTROY, CHANGE, &request(family, protocol, id), &[]);
        netlink::ask(libc::NETLINK_SOCK_DIAG, &[it]).map_err(|error| missing("destroying a socket", &error))
    })
}

// From linux/sock_diag.h:
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;

/// How many bytes an inet_diag_sockid has: ports, addresses, link, cookie.
const SOCKET_ID: usize = 48;

/// An inet_diag_req_v2: the family, the protocol, nothing further, all states, and which socket.
fn request(family: u8, protocol: u8, id: &[u8]) -> Vec<u8> {
    [&[family, protocol, 0, 0][..], &u32::MAX.to_ne_bytes(), id].concat()
}

/// Where, in the inet_diag_msg that tells of a socket, its id is, and where its inode.
const ID_AT: usize = 4;
const INODE_AT: usize = 68;

/// The kernel says ENOENT where the module for a protocol's sockets is missing.
fn missing(what: &str, error: &std::io::Error) -> Stop {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Stop::cannot(Lack::Kernel, format!("{what} was refused: {error}")),
        _ => refused(what, error),
    }
}

fn option(socket: RawFd, name: libc::c_int) -> Result<libc::c_int, Stop> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has room for the int that we announce, and both are ours to be written to.
    match unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) } {
        0 => Ok(value),
        _ => Err(Stop::failed("getsockopt")),
    }
}

/// The number by which the kernel's lists name the socket.
fn inode(socket: RawFd) -> Result<u32, Stop> {
    // SAFETY: a stat is plain numbers, for which all zeros is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is a stat, and ours to be written to.
    match unsafe { libc::fstat(socket, &raw mut stat) } {
        0 => Ok(stat.st_ino as u32),
        _ => Err(Stop::failed("fstat")),
    }
}
