//! What the grader asks of the exercises of `connect`. The words are in `exercises.toml`.

mod company;
mod connect_checked;
mod connect_first;
mod connect_timeout;
mod connect_to;
mod local_address_for;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use grader::{Suite, peers};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, SockFlag, SockaddrIn, accept4, getpeername, listen};

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub connect_to: fn(SocketAddrV4) -> Result<OwnedFd, Errno>,
    pub connect_first: fn(&[SocketAddr]) -> Result<OwnedFd, Errno>,
    pub connect_timeout: fn(SocketAddrV4, Duration) -> Result<OwnedFd, Errno>,
    pub local_address_for: fn(SocketAddrV4) -> Result<Ipv4Addr, Errno>,
    pub connect_checked: fn(OwnedFd, SocketAddrV4) -> Result<OwnedFd, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    connect_to::add(&mut suite);
    connect_first::add(&mut suite);
    connect_timeout::add(&mut suite);
    local_address_for::add(&mut suite);
    connect_checked::add(&mut suite);
    suite
}

/// A server on 127.0.0.1, at a port whose two bytes differ.
fn server() -> io::Result<(OwnedFd, SocketAddrV4)> {
    let (socket, address) = peers::hold()?;
    listen(&socket, Backlog::new(8)?)?;
    Ok((socket, address))
}

/// The next client in a server's queue, and its address; nobody, if nobody waits there.
fn guest(server: &OwnedFd) -> io::Result<Option<(OwnedFd, SocketAddrV4)>> {
    if poll(&mut [PollFd::new(server.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO)? == 0 {
        return Ok(None);
    }
    let number = accept4(server.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    let client = unsafe { OwnedFd::from_raw_fd(number) };
    let address: SockaddrIn = getpeername(client.as_raw_fd())?;
    Ok(Some((client, SocketAddrV4::new(address.ip(), address.port()))))
}

/// The address of the socket's peer; nothing, if it has none, or is no socket of IPv4.
fn peer_of(socket: &OwnedFd) -> Option<SocketAddrV4> {
    let address: SockaddrIn = getpeername(socket.as_raw_fd()).ok()?;
    Some(SocketAddrV4::new(address.ip(), address.port()))
}

/// An errno as Rust prints it.
fn name_of(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}
