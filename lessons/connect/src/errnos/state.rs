//! The socket is at fault: what it is doing, or what has become of an earlier attempt on it.

use std::{mem, ptr};

use lab::Stop;

use super::{meanwhile, outcome, set, under_way, wait_for};
use crate::{LENGTH, bound, inet, path, pending_error, server, silent_server, unix_server};

pub(super) fn connected_already() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    for _ in 1..=2 {
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    }
    Ok(())
}

pub(super) fn listening() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let (listener, _) = server(5)?;
    // SAFETY: as above.
    unsafe { libc::connect(listener, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn unix_listening() -> Result<(), Stop> {
    unix_server("other.sock")?;
    let listener = unix_server("demo.sock")?;
    let (address, length) = path("other.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    unsafe { libc::connect(listener, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn packets() -> Result<(), Stop> {
    lab::private_network()?; // where everybody may have a packet socket
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: a sockaddr_ll is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll, `length` bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn error_fetched() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let client = under_way(address)?;
    wait_for(client, libc::POLLOUT)?;
    println!("SO_ERROR: {}", pending_error(client)?);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn destroyed() -> Result<(), Stop> {
    lab::private_network()?; // where this process is root
    let address = silent_server()?;
    let client = under_way(address)?;
    lab::network::destroy(client)?;
    println!("The client's socket has been destroyed, from outside.");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn reset_since() -> Result<(), Stop> {
    let (server, address) = server(5)?;
    let client = under_way(address)?;
    let connection = accepted(server)?;
    reset(connection)?;
    wait_for(client, 0)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn ended_and_reset_since() -> Result<(), Stop> {
    let (server, address) = server(5)?;
    let client = under_way(address)?;
    let connection = accepted(server)?;
    // SAFETY: shutdown takes two numbers.
    if unsafe { libc::shutdown(connection, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    wait_for(client, libc::POLLIN)?;
    reset(connection)?;
    wait_for(client, 0)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// The server's end of the next connection.
fn accepted(server: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    match unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } {
        -1 => Err(Stop::failed("accept4")),
        fd => Ok(fd),
    }
}

/// Closes a connection with a reset: so SO_LINGER with no time at all has it.
fn reset(connection: libc::c_int) -> Result<(), Stop> {
    set(connection, libc::SOL_SOCKET, libc::SO_LINGER, libc::linger { l_onoff: 1, l_linger: 0 })?;
    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 { Err(Stop::failed("close")) } else { Ok(()) }
}

pub(super) fn shut_down_meanwhile() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    let helper = meanwhile(move || {
        // SAFETY: shutdown takes two numbers.
        if unsafe { libc::shutdown(client, libc::SHUT_RDWR) } == -1 { Err(Stop::failed("shutdown")) } else { Ok(()) }
    });
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    outcome(helper)
}

pub(super) fn dissolved_meanwhile() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    let helper = meanwhile(move || {
        // SAFETY: a sockaddr is plain numbers, for which all zeros is a value: AF_UNSPEC is 0.
        let nobody: libc::sockaddr = unsafe { mem::zeroed() };
        // SAFETY: `nobody` is a sockaddr, as long as a sockaddr_in, and connect only reads it.
        let dissolved = unsafe { libc::connect(client, &raw const nobody, LENGTH) };
        if dissolved == -1 { Err(Stop::failed("connect")) } else { Ok(()) }
    });
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    outcome(helper)
}
