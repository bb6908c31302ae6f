//! What the grader asks of the exercises of `send`. The words are in `exercises.toml`.

mod finish;
mod send_all;
mod send_all_by;
mod send_frame;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use grader::{Fault, Run, Seen, Suite, peers};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub send_all: fn(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
    pub send_all_by: fn(BorrowedFd<'_>, &[u8], Instant) -> SentBy,
    pub send_frame: fn(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
    pub finish: fn(OwnedFd, Duration) -> Result<(), Errno>,
}

/// Nothing, or how many bytes were taken and the errno.
type SentBy = Result<(), (usize, Errno)>;

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    send_all::add(&mut suite);
    send_all_by::add(&mut suite);
    send_frame::add(&mut suite);
    finish::add(&mut suite);
    suite
}

/// The calls that send.
const SENDS: [&str; 6] = ["sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile"];

/// The lines that send.
fn sends<Out>(run: &Run<Out>) -> Vec<Seen<'_>> {
    run.calls_of(&SENDS)
}

/// The first line that sends without MSG_NOSIGNAL.
fn unprotected<Out>(run: &Run<Out>) -> Option<Seen<'_>> {
    let protected = |call: &Seen| call.arg("flags").is_some_and(|flags| flags.text.contains("MSG_NOSIGNAL"));
    sends(run).into_iter().find(|call| !protected(call))
}

/// So many bytes, in which nearly every stretch of three is found once in the first 64 KiB.
fn bytes(count: usize) -> Vec<u8> {
    const BLOCK: usize = (1 << 16) + 1;
    let block: Vec<u8> = (0..count.min(BLOCK) as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        bytes.extend_from_slice(&block[..block.len().min(count - bytes.len())]);
    }
    bytes
}

/// The other end of the function's connection. It lives in the grader, in a thread of its own.
struct Peer<T> {
    /// Where to connect to.
    address: SocketAddrV4,
    thread: JoinHandle<Result<T, Errno>>,
}

impl<T: Send + 'static> Peer<T> {
    /// A peer that does this with the first who connects, with a receive buffer of this size or of the kernel's choosing.
    fn who(
        buffer: Option<usize>,
        does: impl FnOnce(OwnedFd) -> Result<T, Errno> + Send + 'static,
    ) -> Result<Peer<T>, Fault> {
        let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 1)?;
        if let Some(buffer) = buffer {
            setsockopt(&listener, sockopt::RcvBuf, &buffer)?; // A connection inherits it.
        }
        // A child that never connects, or goes on for ever, must not keep this thread for ever.
        setsockopt(&listener, sockopt::ReceiveTimeout, &TimeVal::seconds(10))?;
        let address = peers::name_of(&listener)?;
        let thread = thread::spawn(move || {
            let connection = calls::accept_one(&listener)?;
            setsockopt(&connection, sockopt::ReceiveTimeout, &TimeVal::seconds(10))?;
            does(connection)
        });
        Ok(Peer { address, thread })
    }

    /// What it has to tell, when it is done.
    fn tells(self) -> Result<T, Fault> {
        match self.thread.join() {
            Ok(told) => told.map_err(|errno| Fault::trouble(format!("the peer failed: {errno}"))),
            Err(_) => Err(Fault::trouble("the peer panicked")),
        }
    }
}

/// What a reader heard.
struct Heard {
    bytes: Vec<u8>,
    /// How it ended: with the end of the stream, or an errno (EAGAIN: nothing more came in time).
    end: Result<(), Errno>,
}

/// Reads to the end in pieces of this size, and calls `pause` after each with the number of bytes so far. Hangs up when
/// it has read more than `most`: nobody is to talk for ever.
fn read_all(socket: &OwnedFd, piece: usize, most: usize, mut pause: impl FnMut(usize)) -> Result<Heard, Errno> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) => return Ok(Heard { bytes, end: Ok(()) }),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Ok(Heard { bytes, end: Err(errno) }),
        }
        if bytes.len() > most {
            reset(socket)?;
            return Ok(Heard { bytes, end: Err(Errno::ECONNABORTED) });
        }
        pause(bytes.len());
    }
}

/// A peer that reads all there is, and no more than this.
fn reader(most: usize) -> Result<Peer<Heard>, Fault> {
    Peer::who(None, move |socket| read_all(&socket, 1 << 16, most, |_| ()))
}

/// Resets the connection at once. (A close would do so only when nobody else holds the descriptor any more, and a child that
/// is just being started holds a copy of it.)
fn reset(socket: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: a sockaddr is plain numbers, for which all zeros is a value: AF_UNSPEC, “connected to nobody”.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: `nobody` is a sockaddr of `length` bytes, and connect only reads it.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) }).map(drop)
}

/// How many bytes wait to be read.
fn waiting(socket: &impl AsFd) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, and `count` is one.
    Errno::result(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(count as usize)
}

/// Waits for something to become true, at most ten seconds.
fn wait_for(what: &str, mut ready: impl FnMut() -> Result<bool, Errno>) -> io::Result<()> {
    peers::wait_for(what, || ready().map_err(io::Error::from))
}

/// Bytes as they are written in the messages: `00 00 01 00`.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_string();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
