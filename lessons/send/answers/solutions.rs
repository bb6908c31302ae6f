//! The reference answers, with `nix`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, shutdown};

/// Sends every byte.
///
/// # Errors
/// The errno of `send`, such as EPIPE; never EINTR.
pub fn send_all(fd: BorrowedFd<'_>, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        match send(fd.as_raw_fd(), data, MsgFlags::MSG_NOSIGNAL) {
            Ok(count) => data = &data[count..],
            Err(Errno::EINTR) => {} // Nothing was taken.
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Sends every byte on a non-blocking socket, until this deadline.
///
/// # Errors
/// How many bytes the kernel took, and the errno of `send`, or ETIMEDOUT.
pub fn send_all_by(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> Result<(), (usize, Errno)> {
    let mut done = 0;
    while done < data.len() {
        match send(fd.as_raw_fd(), &data[done..], MsgFlags::MSG_NOSIGNAL) {
            Ok(count) => done += count,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait_for(fd, PollFlags::POLLOUT, deadline).map_err(|errno| (done, errno))?,
            Err(errno) => return Err((done, errno)),
        }
    }
    Ok(())
}

/// Waits until poll has something to tell of this socket, or is interrupted: the caller tries again and sees.
///
/// # Errors
/// ETIMEDOUT past the deadline; the errno of `poll`.
fn wait_for(fd: BorrowedFd<'_>, events: PollFlags, deadline: Instant) -> Result<(), Errno> {
    // poll counts whole milliseconds, and one more is not too early.
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Errno::ETIMEDOUT);
    }
    let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, events)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Sends the payload with its length in front, in one piece.
///
/// # Errors
/// EMSGSIZE if the length does not fit into 32 bits; the errno of `send`.
pub fn send_frame(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    let length = u32::try_from(payload.len()).map_err(|_| Errno::EMSGSIZE)?;
    let mut frame = Vec::with_capacity(4 + payload.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    send_all(fd, &frame)
}

/// Says that nothing more will come, reads until the peer says the same, and closes.
///
/// # Errors
/// ETIMEDOUT if the peer does not end within `patience`; the errno of `shutdown`, `poll` or `recv`.
pub fn finish(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    let deadline = Instant::now() + patience;
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    let mut scratch = [0; 4096];
    loop {
        wait_for(sock.as_fd(), PollFlags::POLLIN, deadline)?;
        match recv(sock.as_raw_fd(), &mut scratch, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Ok(()), // `sock` is closed here, after the peer's last word.
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}
