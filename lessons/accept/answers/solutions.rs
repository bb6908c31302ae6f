//! The reference answers, with `nix` where it does not stand in the way, and with raw `libc` calls where it does.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{SockFlag, accept4};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// The next client of this listener, and its address. Waits for one.
///
/// # Errors
/// The errno of `accept4`, but for EINTR and ECONNABORTED: then it goes on waiting.
pub fn accept_one(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    // SAFETY: a sockaddr_in is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    loop {
        let mut length = size_of_val(&address) as libc::socklen_t;
        let to = (&raw mut address).cast();
        // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
        let answer = unsafe { libc::accept4(listener.as_raw_fd(), to, &raw mut length, libc::SOCK_CLOEXEC) };
        match Errno::result(answer) {
            Ok(number) => {
                // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
                let connection = unsafe { OwnedFd::from_raw_fd(number) };
                let ip = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
                return Ok((connection, SocketAddrV4::new(ip, u16::from_be(address.sin_port))));
            }
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends the reply to the next `n` clients, one after another. How many got all of it.
///
/// # Errors
/// That of [`accept_one`].
pub fn serve_each(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    for _ in 0..n {
        let (client, _) = accept_one(listener)?;
        // An error is the trouble of this client, and of nobody else.
        if calls::send_all(&client, reply).is_ok() {
            served += 1;
        }
    }
    Ok(served)
}

/// Serves the next `n` clients, each in a process of its own.
///
/// # Errors
/// That of [`accept_one`] or of `fork`; the children that there are by then are waited for first.
pub fn serve_forking(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    let mut result = Ok(());
    for _ in 0..n {
        result = serve_in_a_child(listener, handler);
        if result.is_err() {
            break;
        }
    }
    wait_for_all()?;
    result
}

fn serve_in_a_child(listener: BorrowedFd<'_>, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    let (connection, _) = accept_one(listener)?;
    wait_for_those_that_have_ended()?;
    // SAFETY: the child calls the handler and ends; no lock that another thread may hold is needed for the rest.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // SAFETY: the number is open, and in this process nobody uses it after this line. An error would change nothing.
            unsafe { libc::close(listener.as_raw_fd()) };
            handler(connection.as_fd());
            // SAFETY: _exit takes a number and does not return. It closes the connection, and runs nothing of the parent's.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { .. } => Ok(()), // The connection is closed here: the child has its own.
    }
}

/// Asks for the children that have ended by now, and waits for nobody.
fn wait_for_those_that_have_ended() -> Result<(), Errno> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until there is no child any more.
fn wait_for_all() -> Result<(), Errno> {
    loop {
        match waitpid(None, None) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The next client of a listener that does not wait. Where no descriptor is left for it, it is accepted with the number of the
/// spare and closed at once, and the answer is `None`. The spare is back in any case.
///
/// # Errors
/// EAGAIN where nobody is there, also if no descriptor is left; else the errno of `accept4`, or of `open` for the spare.
pub fn accept_with_spare(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match accept_at_once(listener) {
        Ok(connection) => return Ok(Some(connection)),
        Err(Errno::EMFILE | Errno::ENFILE) => {}
        Err(errno) => return Err(errno),
    }
    drop(spare.take());
    let turned_away = accept_at_once(listener).map(drop); // Here it is closed again.
    let null = File::open("/dev/null").map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    *spare = Some(OwnedFd::from(null));
    turned_away.map(|()| None)
}

fn accept_at_once(listener: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    loop {
        match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
            Ok(number) => return Ok(unsafe { OwnedFd::from_raw_fd(number) }),
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(errno) => return Err(errno),
        }
    }
}
