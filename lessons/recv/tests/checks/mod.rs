//! What the grader asks of the exercises of `recv`. The words are in `exercises.toml`.

mod peer_state;
mod recv_exact;
mod recv_frame;
mod recv_line;
mod recv_timeout;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use grader::{Run, Seen, Suite};
use lesson_recv::Peer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, setsockopt, shutdown, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use observer::{Effect, Injection, Occurrence};

/// A line or a frame, or the end.
type Message = Result<Option<Vec<u8>>, Errno>;

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub recv_exact: fn(BorrowedFd<'_>, &mut [u8]) -> Result<usize, Errno>,
    pub recv_line: fn(BorrowedFd<'_>, &mut Vec<u8>, usize) -> Message,
    pub recv_frame: fn(BorrowedFd<'_>, usize) -> Message,
    pub recv_timeout: fn(BorrowedFd<'_>, &mut [u8], Duration) -> Result<usize, Errno>,
    pub peer_state: fn(BorrowedFd<'_>) -> Result<Peer, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    recv_exact::add(&mut suite);
    recv_line::add(&mut suite);
    recv_frame::add(&mut suite);
    recv_timeout::add(&mut suite);
    peer_state::add(&mut suite);
    suite
}

/// The calls that take bytes from a socket.
const RECEIVES: [&str; 5] = ["recvfrom", "read", "recvmsg", "readv", "recvmmsg"];

/// How long a call may wait that should not wait at all, or not any more: the grader gives the sockets this limit, so that a
/// wrong answer need not wait for ever.
const PATIENCE: Duration = Duration::from_millis(300);

/// The end of the stream has arrived, whatever is to be received before it. (nix has no name for it.)
const END: PollFlags = PollFlags::from_bits_retain(libc::POLLRDHUP);

/// The two ends of a connection on loopback.
fn connection() -> Result<(OwnedFd, OwnedFd), Errno> {
    let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 1)?;
    let client = calls::connect_to(calls::local_address(&listener)?)?;
    let server = calls::accept_one(&listener)?;
    Ok((client, server))
}

/// Waits for `PATIENCE` at most, from now on.
fn impatient(socket: &OwnedFd) -> Result<(), Errno> {
    setsockopt(socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(PATIENCE.as_millis() as i64))
}

/// Waits until there is something to receive (POLLIN), or the end has come (`END`), or a reset (no flags).
fn await_at(socket: &OwnedFd, what: PollFlags) -> Result<(), Errno> {
    match poll(&mut [PollFd::new(socket.as_fd(), what)], PollTimeout::from(10_000_u16))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => Ok(()),
    }
}

/// Ends this end's sending: whatever the other one has to read before, it reads the end of the stream behind it.
fn finish(socket: &OwnedFd) -> Result<(), Errno> {
    shutdown(socket.as_raw_fd(), Shutdown::Write)
}

/// Resets the connection, at once and whoever else holds the socket: a connection that is told to be with nobody is torn.
fn reset(socket: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: a sockaddr is plain numbers, for which all zeros is a value; AF_UNSPEC is 0.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: `nobody` is a sockaddr of `size` bytes, and connect only reads it.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, size) }).map(drop)
}

/// What is left to be received, and whether the stream ends behind it. Waits for nothing.
fn rest(socket: &OwnedFd) -> Vec<u8> {
    let mut rest = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
        rest.extend_from_slice(&buffer[..count]);
    }
    rest
}

/// Sends all of it, also where nobody receives: up to 128 KiB fit into the sender's buffer.
fn say(socket: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    setsockopt(socket, sockopt::SndBuf, &(1 << 18))?;
    calls::send_all(socket, bytes)
}

/// Lets the nth recv take so many bytes at most.
fn at_most(nth: u32, bytes: usize) -> Injection {
    Injection::shorten(&["recvfrom", "read"], nth, bytes)
}

/// Lets the nth recv be interrupted.
fn interrupted(nth: u32) -> Injection {
    Injection::fail(&RECEIVES, nth, libc::EINTR)
}

/// From the nth recv on each of them fails: a wrong answer that asks for ever is ended by it.
fn no_more_than(calls: u32) -> Injection {
    Injection::new(&RECEIVES, Occurrence::From(calls + 1), Effect::Fail(libc::EIO))
}

/// The calls that took bytes, or tried to.
fn receives<Out>(run: &Run<Out>) -> Vec<Seen<'_>> {
    run.calls_of(&RECEIVES)
}

/// The last of them.
fn last_receive<Out>(run: &Run<Out>) -> Option<usize> {
    receives(run).last().map(|call| call.index)
}

/// Bytes as a reader would write them.
fn quoted(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    match bytes.get(..MOST) {
        Some(first) if bytes.len() > MOST => format!("\"{}…\" ({} bytes)", first.escape_ascii(), bytes.len()),
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

/// An errno's name.
fn name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}
