//! The reference answers, with `nix` and what the library `calls` has from earlier chapters.

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, shutdown};

/// Sends back what comes, until the client has finished. How many bytes that were.
///
/// # Errors
/// The errno of `recv` or `send`: the client has vanished.
pub fn echo_connection(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut buffer = vec![0; 64 << 10];
    let mut echoed = 0;
    loop {
        match recv(conn.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) => return Ok(echoed),
            Ok(count) => {
                calls::send_all(&conn, &buffer[..count])?;
                echoed += count as u64;
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends the message, says that it was all, and returns all that came back.
///
/// # Errors
/// The errno of the call that failed, however much had come before.
pub fn echo_client(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    let mut answer = Vec::with_capacity(message.len());
    let mut buffer = [0; 4096];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Serves so many clients, one after another. How many of them ended in order.
///
/// # Errors
/// The errno of `accept4`: the listener is broken.
pub fn echo_server(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        let client = calls::accept_one(&listener)?;
        // An error is the client's own affair. It is closed at the end of the round.
        orderly += usize::from(echo_connection(client.as_fd()).is_ok());
    }
    Ok(orderly)
}

/// Sends the data and reads the echo at the same time. All that came back.
///
/// # Errors
/// The errno of the call that failed, however much had come before.
pub fn echo_big(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    let mut rest = data;
    let mut answer = Vec::with_capacity(data.len());
    let mut buffer = vec![0; 256 << 10];
    if rest.is_empty() {
        shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    }
    loop {
        // POLLOUT only while there is something left to send.
        let wanted = if rest.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT };
        let ready = {
            let mut asked = [PollFd::new(socket.as_fd(), wanted)];
            match poll(&mut asked, PollTimeout::NONE) {
                Ok(_) => asked[0].revents().unwrap_or(PollFlags::empty()),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            }
        };
        if ready.contains(PollFlags::POLLOUT) && !rest.is_empty() {
            match send(socket.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
            if rest.is_empty() {
                shutdown(socket.as_raw_fd(), Shutdown::Write)?;
            }
        }
        if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}
