//! TCP: there is no connection, it has ended, or there is no room in it just now.

use std::sync::atomic::{AtomicU32, Ordering};
use std::{mem, ptr};

use lab::{Lack, Stop};
use libc::c_int;

use super::means::{FORMS, await_bad_news, close, fresh, send_by_each};
use crate::{
    MEGABYTE, SMALL, connected, connected_small, done, fill, handle_sigusr1, linger, set, shut, signal_to_us,
    while_we_sleep,
};

pub(super) fn never_connected() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    send_by_each(fd, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}

pub(super) fn own_end_shut() -> Result<(), Stop> {
    let (client, _server) = connected()?;
    shut(client, libc::SHUT_WR)?;
    send_by_each(client, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}

pub(super) fn own_end_shut_with_sigpipe() -> Result<(), Stop> {
    count_sigpipe()?;
    let (client, _server) = connected()?;
    shut(client, libc::SHUT_WR)?;
    send_by_each(client, b"x", 0);
    match SIGPIPES.load(Ordering::Relaxed) {
        3 => println!("SIGPIPE came three times."),
        times => return Err(Stop::unexpected(format!("SIGPIPE came {times} times"))),
    }
    Ok(())
}

/// How often SIGPIPE has come.
static SIGPIPES: AtomicU32 = AtomicU32::new(0);

/// Installs a handler for SIGPIPE that counts.
fn count_sigpipe() -> Result<(), Stop> {
    extern "C" fn count(_signal: c_int) {
        SIGPIPES.fetch_add(1, Ordering::Relaxed);
    }
    let handler: extern "C" fn(c_int) = count;
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: `action` lives through the call, and its handler only adds to an atomic number, which a handler may.
    if unsafe { libc::sigaction(libc::SIGPIPE, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    Ok(())
}

pub(super) fn reset_by_the_peer() -> Result<(), Stop> {
    for form in FORMS {
        let (client, server) = connected()?;
        linger(server, 0)?;
        close(server)?;
        await_bad_news(client)?;
        form(client, b"x", libc::MSG_NOSIGNAL);
    }
    Ok(())
}

pub(super) fn no_room() -> Result<(), Stop> {
    let (client, _server) = full()?;
    send_by_each(client, b"x", libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
    Ok(())
}

/// A connection whose buffers are full: the trace does not show how they were filled.
fn full() -> Result<(c_int, c_int), Stop> {
    let (client, server) = connected_small(SMALL)?;
    lab::stop_watching();
    fill(client)?;
    lab::watch_again();
    Ok((client, server))
}

pub(super) fn no_room_in_time() -> Result<(), Stop> {
    let (client, _server) = full()?;
    let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    let size = size_of::<libc::timeval>() as libc::socklen_t;
    let from = (&raw const limit).cast();
    // SAFETY: `limit` is a timeval of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    send_by_each(client, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}

pub(super) fn interrupted() -> Result<(), Stop> {
    let (client, _server) = full()?;
    handle_sigusr1(0)?;
    for form in FORMS {
        let helper = while_we_sleep(signal_to_us());
        form(client, b"x", libc::MSG_NOSIGNAL);
        done(&helper)?;
    }
    Ok(())
}

pub(super) fn memory_may_not_be_locked() -> Result<(), Stop> {
    lab::become_nobody()?;
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is an rlimit that lives through the call, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none) } == -1 {
        return Err(Stop::failed("setrlimit"));
    }
    let (client, _server) = connected()?;
    if set(client, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1).is_err() {
        return Err(Stop::cannot(Lack::Kernel, "setsockopt(SO_ZEROCOPY) was refused"));
    }
    let data = vec![b'x'; MEGABYTE];
    send_by_each(client, &data, libc::MSG_NOSIGNAL | libc::MSG_ZEROCOPY);
    Ok(())
}

/// Sends that nothing is wrong with: the observer makes them fail.
pub(super) fn ordinary_send() -> Result<(), Stop> {
    let (client, _server) = connected()?;
    send_by_each(client, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}
