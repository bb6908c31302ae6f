//! What the grader asks of the exercises of `accept`. The words are in `exercises.toml`.

mod accept_one;
mod accept_with_spare;
mod serve_each;
mod serve_forking;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use grader::{Run, Seen, Suite, peers};
use nix::errno::Errno;
use nix::sys::socket::{SockaddrIn, connect, setsockopt, sockopt};

/// What serves a client.
pub type Handler = fn(BorrowedFd<'_>);

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub accept_one: fn(BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno>,
    pub serve_each: fn(BorrowedFd<'_>, usize, &[u8]) -> Result<usize, Errno>,
    pub serve_forking: fn(BorrowedFd<'_>, usize, Handler) -> Result<(), Errno>,
    pub accept_with_spare: fn(BorrowedFd<'_>, &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    accept_one::add(&mut suite);
    serve_each::add(&mut suite);
    serve_forking::add(&mut suite);
    accept_with_spare::add(&mut suite);
    suite
}

/// A listener on a free port of 127.0.0.1, with close-on-exec, and its address. It is never dropped: a function that closes
/// what was lent to it shall not end the grader's own process.
fn listener() -> Result<(&'static OwnedFd, SocketAddrV4), Errno> {
    let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 16)?;
    let address = peers::name_of(&listener)?;
    Ok((Box::leak(Box::new(listener)), address))
}

/// A client that is connected to this address, and its own address. Its port's two bytes differ, so a port whose bytes were
/// swapped is another port.
fn client(server: SocketAddrV4) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    loop {
        let socket = peers::bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let own = peers::name_of(&socket)?;
        if peers::is_palindrome(own.port()) {
            continue;
        }
        connect(socket.as_raw_fd(), &SockaddrIn::from(server))?;
        return Ok((socket, own));
    }
}

/// Ends a client's connection with a reset, and waits until the server's end of it is gone.
fn reset((client, own): (OwnedFd, SocketAddrV4), server: SocketAddrV4) -> io::Result<()> {
    setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    drop(client);
    let line = format!(" {} {} ", peers::in_table(server), peers::in_table(own));
    peers::wait_for("a reset to arrive", || Ok(!fs::read_to_string("/proc/self/net/tcp")?.contains(&line)))
}

/// Without waiting, accept says EAGAIN where nobody is there.
fn does_not_wait(socket: &impl AsFd) -> Result<(), Errno> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// The calls of `accept` and `accept4`.
fn accepts<Out>(run: &Run<Out>) -> Vec<Seen<'_>> {
    run.calls_of(&["accept", "accept4"])
}
