//! Somebody's rules forbid it: the program's own, or the kernel's.

use std::{io, mem};

use lab::{Lack, Stop};

use crate::{LENGTH, bound_unix, inet, ipv4, path, server, unix};

pub(super) fn udp_to_all() -> Result<(), Stop> {
    let address = ipv4([127, 255, 255, 255], 9);
    let client = inet(libc::SOCK_DGRAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn landlock_port() -> Result<(), Stop> {
    const CONNECT_TCP: u64 = 1 << 1; // LANDLOCK_ACCESS_NET_CONNECT_TCP in linux/landlock.h
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    let rules = [0, CONNECT_TCP];
    put_in_force(&rules)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// Puts these Landlock rules in force for this process, and allows nothing of what they are about: kinds of access to files,
/// kinds of access to the network, and scopes (a `struct landlock_ruleset_attr`).
fn put_in_force(rules: &[u64]) -> Result<(), Stop> {
    // SAFETY: `rules` is as long as we say, and landlock_create_ruleset only reads it.
    let set = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, rules.as_ptr(), size_of_val(rules), 0) };
    if set == -1 {
        let error = io::Error::last_os_error();
        return Err(Stop::cannot(Lack::Kernel, format!("landlock_create_ruleset was refused: {error}")));
    }
    // Who may gain no new privileges may bind itself.
    // SAFETY: prctl(PR_SET_NO_NEW_PRIVS) takes numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == -1 {
        return Err(Stop::failed("prctl"));
    }
    // SAFETY: landlock_restrict_self takes two numbers.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, set, 0) } == -1 {
        return Err(Stop::failed("landlock_restrict_self"));
    }
    Ok(())
}

pub(super) fn landlock_scope() -> Result<(), Stop> {
    const ABSTRACT_UNIX_SOCKET: u64 = 1 << 0; // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET in linux/landlock.h
    let (address, length) = abstract_server()?;
    let client = unix(libc::SOCK_STREAM)?;
    let rules = [0, 0, ABSTRACT_UNIX_SOCKET];
    put_in_force(&rules)?;
    // SAFETY: `address` is a sockaddr_un, no shorter than `length`, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

/// A server with an abstract name, and this name. The kernel chooses it, if bind is given no more than the family.
fn abstract_server() -> Result<(libc::sockaddr_un, libc::socklen_t), Stop> {
    let server = unix(libc::SOCK_STREAM)?;
    let (mut address, _) = path("");
    // SAFETY: `address` is a sockaddr_un, longer than we say, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), size_of::<libc::sa_family_t>() as libc::socklen_t) }
        == -1
    {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok((address, length))
}

pub(super) fn peer_taken() -> Result<(), Stop> {
    let taken = bound_unix(libc::SOCK_DGRAM, "taken.sock")?;
    bound_unix(libc::SOCK_DGRAM, "peer.sock")?;
    let (peer, length) = path("peer.sock");
    // SAFETY: `peer` is a sockaddr_un, longer than `length`, and connect only reads it.
    if unsafe { libc::connect(taken, (&raw const peer).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }
    let client = unix(libc::SOCK_DGRAM)?;
    let (address, length) = path("taken.sock");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn netlink_to_a_program() -> Result<(), Stop> {
    lab::become_nobody()?; // root may speak to anybody
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_pid = 4711;
    let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_nl, `length` bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}
