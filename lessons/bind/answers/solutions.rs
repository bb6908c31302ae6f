//! The reference answers. The first is written with raw `libc` calls, the others with `nix`: the kernel sees no difference.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr, bind, connect, getsockname, setsockopt, socket, sockopt,
};

/// A TCP socket bound to 127.0.0.1 and this port.
///
/// # Errors
/// The errno of `socket` or `bind`; EADDRINUSE where somebody else holds the port.
pub fn bind_loopback(port: u16) -> Result<OwnedFd, Errno> {
    // SAFETY: socket takes three numbers and no pointer.
    let number = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it. From here on it is closed when it is dropped.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer is to `address`, which outlives the call, and `length` is its size.
    Errno::result(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

/// A TCP socket bound to a free port of 127.0.0.1, and the port.
///
/// # Errors
/// The errno of `socket`, `bind` or `getsockname`.
pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno> {
    let socket = bind_loopback(0)?;
    let name: SockaddrIn = getsockname(socket.as_raw_fd())?;
    Ok((socket, name.port()))
}

/// A TCP socket bound to this address, also while connections of an earlier server there are in TIME_WAIT.
///
/// # Errors
/// The errno of `socket`, `setsockopt` or `bind`; EADDRINUSE where a server listens.
pub fn bind_reusable(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let server = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&server, sockopt::ReuseAddr, &true)?;
    bind(server.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(server)
}

/// A unix stream socket bound to this path. The socket file of a dead server is replaced.
///
/// # Errors
/// EADDRINUSE where a server listens, or where there is anything that is not a socket; else the errno of the call that failed.
pub fn bind_unix(path: &Path) -> Result<OwnedFd, Errno> {
    let address = UnixAddr::new(path)?;
    let server = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    match bind(server.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_stale(path, &address)? => {
            fs::remove_file(path).map_err(errno_of)?;
            bind(server.as_raw_fd(), &address)?;
        }
        outcome => outcome?,
    }
    Ok(server)
}

/// Whether there is a socket at this path, and nobody behind it.
fn is_stale(path: &Path, address: &UnixAddr) -> Result<bool, Errno> {
    // The link itself, not what it points to: a link is not a socket, and not ours to remove.
    if !fs::symlink_metadata(path).map_err(errno_of)?.file_type().is_socket() {
        return Ok(false);
    }
    // Non-blocking: a server whose queue is full is alive, and connect would wait for it to make room.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let probe = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    Ok(connect(probe.as_raw_fd(), address) == Err(Errno::ECONNREFUSED))
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
