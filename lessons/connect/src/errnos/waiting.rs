//! The answer takes its time, says no, or never comes.

use std::{mem, ptr};

use lab::Stop;

use super::{milliseconds, set, under_way};
use crate::{LENGTH, bound, inet, signal_after, silent_server};

pub(super) fn begun() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn limit_over() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    set(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, milliseconds(20))?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn still_under_way() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = under_way(address)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn signal() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    signal_after(20_000)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    signal_after(0)
}

pub(super) fn signal_despite_restart() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    set(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, milliseconds(10_000))?;
    signal_after(20_000)?;
    restarting()?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    signal_after(0)
}

/// Gives SIGALRM's handler the flag SA_RESTART.
fn restarting() -> Result<(), Stop> {
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: sigaction only tells of the handler that is set, and `action` is ours to be written to.
    if unsafe { libc::sigaction(libc::SIGALRM, ptr::null(), &raw mut action) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    action.sa_flags |= libc::SA_RESTART;
    // SAFETY: `action` is what was set before, with one flag more, and we do not ask for the old one.
    if unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    Ok(())
}

pub(super) fn nobody_listens() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn no_answer() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    set::<libc::c_int>(client, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn own_limit() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    set::<libc::c_uint>(client, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 50)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}
