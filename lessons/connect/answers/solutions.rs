//! The reference answers, with `nix`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, connect, getpeername, getsockname,
    getsockopt, socket, sockopt,
};

/// A TCP socket that is connected to this address. A signal does not disturb it.
///
/// # Errors
/// The errno of the call that failed, such as ECONNREFUSED.
pub fn connect_to(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    reach(&socket, &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// Connects this blocking socket. If a signal interrupts the call, it waits for the end of the attempt, which goes on.
fn reach(socket: &OwnedFd, addr: &impl SockaddrLike) -> Result<(), Errno> {
    match connect(socket.as_raw_fd(), addr) {
        Err(Errno::EINTR) => outcome(socket, None),
        answer => answer,
    }
}

/// Waits until the attempt to connect has ended, or until the deadline, and tells how it ended.
fn outcome(socket: &OwnedFd, deadline: Option<Instant>) -> Result<(), Errno> {
    loop {
        let mut question = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut question, time_left(deadline)) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno),
        }
    }
    match getsockopt(socket, sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// What is left until the deadline in whole milliseconds, rounded up: too early would be wrong, a little late is not.
fn time_left(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_micros().div_ceil(1000);
    // A longer wait than poll can take is cut in pieces by the loop around it.
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

/// A TCP socket that is connected to the first of these addresses that answers.
///
/// # Errors
/// The errno of the last attempt; EINVAL if there is no address.
pub fn connect_first(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut last = Errno::EINVAL;
    for addr in addrs {
        match connect_one(*addr) {
            Ok(socket) => return Ok(socket),
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// A TCP socket of the address's family that is connected to it.
fn connect_one(addr: SocketAddr) -> Result<OwnedFd, Errno> {
    match addr {
        SocketAddr::V4(addr) => connect_in(AddressFamily::Inet, &SockaddrIn::from(addr)),
        SocketAddr::V6(addr) => connect_in(AddressFamily::Inet6, &SockaddrIn6::from(addr)),
    }
}

/// A TCP socket of this family that is connected to this address.
fn connect_in(family: AddressFamily, addr: &impl SockaddrLike) -> Result<OwnedFd, Errno> {
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    reach(&socket, addr)?;
    Ok(socket)
}

/// A TCP socket that is connected to this address within this limit, and blocks.
///
/// # Errors
/// ETIMEDOUT if the limit is over; else the errno of the call that failed.
pub fn connect_timeout(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let deadline = Instant::now().checked_add(limit); // A limit too long for a clock is none.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(addr)) {
        Err(Errno::EINPROGRESS) => outcome(&socket, deadline)?,
        answer => answer?,
    }
    let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
    fcntl(&socket, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(socket)
}

/// The address of this machine that the kernel would use to talk to `peer`. Nothing is sent.
///
/// # Errors
/// The errno of the call that failed: that of `connect` if no way leads there.
pub fn local_address_for(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(peer))?;
    Ok(*calls::local_address(&socket)?.ip())
}

/// Connects this socket to this address, and makes sure that it is not connected to itself.
///
/// # Errors
/// ECONNREFUSED if it is; else the errno of the call that failed. The socket is closed then.
pub fn connect_checked(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    reach(&sock, &SockaddrIn::from(addr))?;
    let own: SockaddrIn = getsockname(sock.as_raw_fd())?;
    let peer: SockaddrIn = getpeername(sock.as_raw_fd())?;
    match own == peer {
        true => Err(Errno::ECONNREFUSED),
        false => Ok(sock),
    }
}
