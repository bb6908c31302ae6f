//! What the grader asks of the exercises of `listen`. The words are in `exercises.toml`.

mod listen_on;
mod queue_capacity;
mod queue_state;
mod stop_listening;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use grader::{Suite, peers};
use nix::errno::Errno;

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub listen_on: fn(u16, i32) -> Result<(OwnedFd, u16), Errno>,
    pub queue_capacity: fn(SocketAddrV4, Duration) -> Result<usize, Errno>,
    pub queue_state: fn(BorrowedFd<'_>) -> Result<(u32, u32), Errno>,
    pub stop_listening: fn(OwnedFd, &[u8]) -> Result<usize, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    listen_on::add(&mut suite);
    queue_capacity::add(&mut suite);
    queue_state::add(&mut suite);
    stop_listening::add(&mut suite);
    suite
}

/// A listener on a free port of 127.0.0.1, with this backlog as it is, and its address.
fn listener(backlog: i32) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let socket = calls::bind_reusable(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    relisten(&socket, backlog)?;
    let address = peers::name_of(&socket)?;
    Ok((socket, address))
}

/// `listen`, with any number.
fn relisten(socket: &OwnedFd, backlog: i32) -> Result<(), Errno> {
    // SAFETY: listen takes two numbers and no pointer.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}
