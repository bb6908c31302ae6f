//! The calls that earlier chapters taught, checked, for the chapters after them: whoever has not solved the exercise on
//! `bind` can still do the one on `accept`.
//!
//! Each function is one idea of one chapter, in the words of `nix`. Every descriptor is made with close-on-exec, every
//! error is the kernel's own errno, and a failed call leaves nothing open.
//!
//! (This is a library of its own, and no lesson: Cargo unifies features, so a package that depended on a lesson's answers
//! would swap the students' exercises for them.)

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getsockname, listen,
    recv, send, setsockopt, socket, sockopt,
};

/// Chapter `socket`: a TCP socket of IPv4.
///
/// # Errors
/// The errno of `socket(2)`, such as EMFILE.
pub fn open_tcp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// Chapter `bind`: a TCP socket that is bound to this address (port in host order, 0 for one of the kernel's choosing),
/// with SO_REUSEADDR, so that it can be bound again at once when it has been closed.
///
/// # Errors
/// The errno of `socket(2)`, `setsockopt(2)` or `bind(2)`, such as EADDRINUSE.
pub fn bind_reusable(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = open_tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

/// Chapter `bind`: the address that a socket of IPv4 has, port in host order.
///
/// # Errors
/// The errno of `getsockname(2)`; EAFNOSUPPORT for a socket of another family.
pub fn local_address(socket: &impl AsFd) -> Result<SocketAddrV4, Errno> {
    let address: SockaddrIn = getsockname(socket.as_fd().as_raw_fd())?;
    Ok(SocketAddrV4::new(address.ip(), address.port()))
}

/// Chapter `listen`: a TCP socket that listens on this address, with this backlog.
///
/// # Errors
/// The errno of the call that failed. EINVAL also for a backlog below -1 or above SOMAXCONN (4096): nix does not pass
/// such a number on.
pub fn listen_on(address: SocketAddrV4, backlog: i32) -> Result<OwnedFd, Errno> {
    let socket = bind_reusable(address)?;
    listen(&socket, Backlog::new(backlog)?)?;
    Ok(socket)
}

/// Chapter `accept`: the next client of a listening socket. Waits for one; a signal does not end the waiting.
///
/// # Errors
/// The errno of `accept4(2)`, such as EAGAIN on a non-blocking socket.
pub fn accept_one(listener: &impl AsFd) -> Result<OwnedFd, Errno> {
    loop {
        match accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
            Ok(client) => return Ok(unsafe { OwnedFd::from_raw_fd(client) }),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Chapter `connect`: a TCP socket that is connected to this address.
///
/// # Errors
/// The errno of `socket(2)` or `connect(2)`, such as ECONNREFUSED.
pub fn connect_to(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = open_tcp()?;
    loop {
        match connect(socket.as_raw_fd(), &SockaddrIn::from(address)) {
            Ok(()) => return Ok(socket),
            // On Linux an interrupted connect goes on by itself, and the same call again waits for its end.
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Chapter `send`: sends all of it, in as many calls as it takes. No SIGPIPE comes of it.
///
/// # Errors
/// The errno of `send(2)`, such as EPIPE; how much was sent before is not known then.
pub fn send_all(socket: &impl AsFd, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        match send(socket.as_fd().as_raw_fd(), data, MsgFlags::MSG_NOSIGNAL) {
            Ok(count) => data = &data[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Chapter `recv`: fills the buffer, in as many calls as it takes, and tells how many bytes came: fewer than the buffer
/// has only if the peer ended the stream before.
///
/// # Errors
/// The errno of `recv(2)`, such as ECONNRESET.
pub fn recv_exact(socket: &impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        match recv(socket.as_fd().as_raw_fd(), &mut buffer[filled..], MsgFlags::empty()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}
