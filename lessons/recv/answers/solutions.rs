//! The reference answers, with `nix`.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use lesson_recv::Peer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

/// Fills the buffer, in as many calls as it takes, and tells how many bytes came: fewer than there is room for only if the
/// stream ended before.
///
/// # Errors
/// The errno of `recv(2)`, such as ECONNRESET.
pub fn recv_exact(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// The next line without its end; nothing at the end of the stream. What came too early is kept in `carry`.
///
/// # Errors
/// EMSGSIZE for a line of more than `max` bytes; else the errno of `recv(2)`.
pub fn recv_line(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        if let Some(at) = carry.iter().position(|&byte| byte == b'\n') {
            let mut line: Vec<u8> = carry.drain(..=at).collect();
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return if line.len() > max { Err(Errno::EMSGSIZE) } else { Ok(Some(line)) };
        }
        // One byte more may be the \r of the line's end.
        if carry.len() > max.saturating_add(1) {
            return Err(Errno::EMSGSIZE);
        }
        let mut buffer = [0; 4096];
        match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) if carry.is_empty() => return Ok(None),
            Ok(0) if carry.len() > max => return Err(Errno::EMSGSIZE),
            Ok(0) => return Ok(Some(mem::take(carry))),
            Ok(count) => carry.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The next message, which stands behind its length (four bytes, big-endian); nothing at an end between two messages.
///
/// # Errors
/// EMSGSIZE for a length above `max`; EPROTO for an end inside a message; else the errno of `recv(2)`.
pub fn recv_frame(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut header = [0; 4];
    match recv_exact(fd, &mut header)? {
        0 => return Ok(None),
        4 => {}
        _ => return Err(Errno::EPROTO),
    }
    let length = u32::from_be_bytes(header) as usize;
    if length > max {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = vec![0; length];
    if recv_exact(fd, &mut message)? < length {
        return Err(Errno::EPROTO);
    }
    Ok(Some(message))
}

/// `recv` that waits for this long at most. The socket is left as it was.
///
/// # Errors
/// ETIMEDOUT when the time is up; else the errno of `recv(2)` or `poll(2)`.
pub fn recv_timeout(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    let deadline = Instant::now() + limit;
    loop {
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], time_until(deadline)) {
            Ok(0) if Instant::now() >= deadline => return Err(Errno::ETIMEDOUT),
            // Not yet; or a signal came. Once more, with the time that is left.
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
        // poll may be mistaken, or another reader quicker: then we wait again, and not in recv.
        match recv(fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The time until then, in the milliseconds of poll, rounded up: a poll that returns too early would be called again and again.
fn time_until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    // More than poll can wait for at once is waited for in several turns.
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

/// What can be said of the other end, without waiting and without taking a byte.
///
/// # Errors
/// The errno of `recv(2)`, if it is none that says something of the other end.
pub fn peer_state(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    loop {
        match recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Ok(Peer::Finished),
            Ok(_) => return Ok(Peer::Talking),
            Err(Errno::EAGAIN) => return Ok(Peer::Quiet),
            Err(Errno::ECONNRESET | Errno::EPIPE) => return Ok(Peer::Gone),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
