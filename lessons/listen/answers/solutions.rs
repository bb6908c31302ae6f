//! The reference answers, with `nix` where it does not stand in the way, and with raw `libc` calls where it does.

use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, accept4, connect, getsockopt, recv, send,
    shutdown, socket, sockopt,
};

/// A TCP socket that listens on 127.0.0.1 and this port, and the port.
///
/// # Errors
/// The errno of the call that failed; EADDRINUSE may be `bind`'s or `listen`'s.
pub fn listen_on(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = calls::bind_reusable(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    // nix's listen does not take every number; the kernel does.
    // SAFETY: listen takes two numbers and no pointer.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    let address = calls::local_address(&socket)?;
    Ok((socket, address.port()))
}

/// How many connections to this server are completed before one is not, within this patience; 512 at most.
///
/// # Errors
/// ECONNREFUSED where nobody listens; else the errno of the call that failed.
pub fn queue_capacity(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    const MOST: usize = 512;
    let mut inside = Vec::new(); // They stay open until we have counted, and are closed when this is dropped.
    while inside.len() < MOST {
        match knock(server, patience)? {
            Some(client) => inside.push(client),
            None => break,
        }
    }
    Ok(inside.len())
}

/// A client that is connected within this patience, or nobody.
fn knock(server: SocketAddrV4, patience: Duration) -> Result<Option<OwnedFd>, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let client = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match connect(client.as_raw_fd(), &SockaddrIn::from(server)) {
        Ok(()) => return Ok(Some(client)),
        Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    let timeout = PollTimeout::try_from(patience).map_err(|_| Errno::EINVAL)?;
    if poll(&mut [PollFd::new(client.as_fd(), PollFlags::POLLOUT)], timeout)? == 0 {
        return Ok(None);
    }
    // "Writable" means that the attempt is over. How it ended is another question.
    match getsockopt(&client, sockopt::SocketError)? {
        0 => Ok(Some(client)),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// How many clients wait in this listener's queue, and the backlog that the kernel keeps for it.
///
/// # Errors
/// EINVAL for a TCP socket that does not listen; else the errno of `getsockopt`.
pub fn queue_state(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    const LISTEN: u8 = 10;
    // SAFETY: a tcp_info is plain numbers, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let (fd, to) = (listener.as_raw_fd(), (&raw mut info).cast());
    // SAFETY: `info` has room for `length` bytes, and both are ours to be written to.
    Errno::result(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut length) })?;
    if info.tcpi_state != LISTEN {
        return Err(Errno::EINVAL);
    }
    Ok((info.tcpi_unacked, info.tcpi_sacked))
}

/// Says goodbye to everyone in the queue, and closes the listener. How many were told.
///
/// # Errors
/// The errno of `fcntl` or of `accept4`, if that failed at anything but a client.
pub fn stop_listening(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&listener, FcntlArg::F_GETFL)?);
    fcntl(&listener, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let mut told = 0;
    loop {
        match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Ok(number) => {
                // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
                let client = unsafe { OwnedFd::from_raw_fd(number) };
                // One that has gone already is not told, and that is its own affair.
                told += usize::from(says_goodbye(&client, goodbye));
            }
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(Errno::EAGAIN) => return Ok(told), // That was the last one. The listener is closed here.
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends the goodbye and the end of file, and reads away what the client has sent: closing over unread bytes would be a reset.
/// Waits for nobody. False if the client has gone.
fn says_goodbye(client: &OwnedFd, goodbye: &[u8]) -> bool {
    let at_once = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    // A goodbye that does not fit into a new connection's empty buffer is too long to be said in a second.
    if send(client.as_raw_fd(), goodbye, at_once) != Ok(goodbye.len()) {
        return false;
    }
    if shutdown(client.as_raw_fd(), Shutdown::Write).is_err() {
        return false;
    }
    let mut buffer = [0; 4096];
    while matches!(recv(client.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT), Ok(1..)) {}
    true
}
