//! The reference answers. The first and the last are written with `nix`, the others with raw `libc` calls.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// A TCP socket of IPv4 that no other program inherits.
///
/// # Errors
/// The errno of `socket`, such as EMFILE.
pub fn open_tcp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// Whether the kernel would open such a socket.
///
/// # Errors
/// The errno with which `socket` refuses.
pub fn probe(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(domain, ty | libc::SOCK_CLOEXEC, protocol) };
    if fd == -1 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Errno::last());
    }
    Ok(())
}

/// Switches O_NONBLOCK on or off.
///
/// # Errors
/// The errno of `fcntl`: EBADF for a number that is not open.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags == -1 {
        return Err(Errno::last());
    }
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) } == -1 {
        return Err(Errno::last());
    }
    Ok(())
}

/// `n` sockets, or none.
///
/// # Errors
/// The errno of the first `socket` that fails. Those that were open are closed when the unfinished `Vec` is dropped.
pub fn open_n(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    (0..n).map(|_| open_tcp()).collect()
}
