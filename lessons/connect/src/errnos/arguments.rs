//! What was passed to connect is at fault: the descriptor, the address, or the two do not fit.

use std::ptr;

use lab::Stop;

use super::set;
use crate::{LENGTH, LENGTH_6, bound, inet, inet6, ipv6_loopback, path, unix, unix_server};

pub(super) fn no_descriptor() -> Result<(), Stop> {
    let (_, address) = bound(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(-1, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn only_a_path() -> Result<(), Stop> {
    let (_, address) = bound(libc::SOCK_STREAM)?;
    let fd = file(libc::O_PATH)?;
    // SAFETY: as above.
    unsafe { libc::connect(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn not_a_socket() -> Result<(), Stop> {
    let (_, address) = bound(libc::SOCK_STREAM)?;
    let fd = file(libc::O_RDONLY)?;
    // SAFETY: as above.
    unsafe { libc::connect(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// An open file that is no socket; with O_PATH, a mere name of it.
fn file(flags: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), flags | libc::O_CLOEXEC) };
    if fd == -1 { Err(Stop::failed("open")) } else { Ok(fd) }
}

pub(super) fn bad_address() -> Result<(), Stop> {
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: the pointer leads nowhere; connect only reads there, and finds out.
    unsafe { libc::connect(client, ptr::null(), LENGTH) };
    Ok(())
}

pub(super) fn too_short() -> Result<(), Stop> {
    let (_, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, longer than we say, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), 3) };
    Ok(())
}

pub(super) fn other_family() -> Result<(), Stop> {
    let address = ipv6_loopback(9);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in6, LENGTH_6 bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH_6) };
    Ok(())
}

pub(super) fn unix_other_family() -> Result<(), Stop> {
    let (_, address) = bound(libc::SOCK_STREAM)?;
    let client = unix(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn other_type() -> Result<(), Stop> {
    unix_server("demo.sock")?;
    let client = unix(libc::SOCK_DGRAM)?;
    let (address, length) = path("demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn v4_in_v6_only() -> Result<(), Stop> {
    let mut address = ipv6_loopback(9);
    address.sin6_addr.s6_addr = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
    let client = inet6()?;
    set::<libc::c_int>(client, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    // SAFETY: `address` is a sockaddr_in6, LENGTH_6 bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH_6) };
    Ok(())
}

pub(super) fn no_scope() -> Result<(), Stop> {
    let mut address = ipv6_loopback(9);
    address.sin6_addr.s6_addr[..2].copy_from_slice(&[0xfe, 0x80]);
    let client = inet6()?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH_6) };
    Ok(())
}
