//! The address is a path: what is there, what is on the way, and who listens behind it.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use lab::Stop;

use super::{meanwhile, milliseconds, outcome, set};
use crate::{bound_unix, path, unix, unix_server};

pub(super) fn nobody_behind_the_path() -> Result<(), Stop> {
    fs::write("plain", "an ordinary file").map_err(|error| not_made("a file", error))?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("plain");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

/// The experiment's directory does not let it make this.
fn not_made(what: &str, error: io::Error) -> Stop {
    Stop::unexpected(format!("{what} cannot be made: {error}"))
}

pub(super) fn listener_closed() -> Result<(), Stop> {
    let server = full_server()?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("demo.sock");
    let helper = meanwhile(move || {
        // SAFETY: `server` is ours, and is not used after this line.
        if unsafe { libc::close(server) } == -1 { Err(Stop::failed("close")) } else { Ok(()) }
    });
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    outcome(helper)
}

/// A server at demo.sock with room for one client, and that place is taken.
fn full_server() -> Result<libc::c_int, Stop> {
    let server = bound_unix(libc::SOCK_STREAM, "demo.sock")?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let guest = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("demo.sock");
    // SAFETY: as above.
    if unsafe { libc::connect(guest, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(server)
}

pub(super) fn no_such_path() -> Result<(), Stop> {
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("nothing.sock");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn file_on_the_way() -> Result<(), Stop> {
    fs::write("plain", "an ordinary file").map_err(|error| not_made("a file", error))?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("plain/demo.sock");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn links_in_a_circle() -> Result<(), Stop> {
    symlink("circle", "circle").map_err(|error| not_made("a link", error))?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("circle");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn name_too_long() -> Result<(), Stop> {
    symlink("a".repeat(300), "link").map_err(|error| not_made("a link", error))?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("link");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn queue_full() -> Result<(), Stop> {
    full_server()?;
    let client = unix(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    let (address, length) = path("demo.sock");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn queue_full_for_long() -> Result<(), Stop> {
    full_server()?;
    let client = unix(libc::SOCK_STREAM)?;
    set(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, milliseconds(20))?;
    let (address, length) = path("demo.sock");
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn path_not_writable() -> Result<(), Stop> {
    unix_server("demo.sock")?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("demo.sock");
    chmod(c"demo.sock", 0o500)?;
    chmod(c".", 0o711)?;
    lab::become_nobody()?; // root may write anywhere
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

pub(super) fn directory_closed() -> Result<(), Stop> {
    fs::create_dir("closed").map_err(|error| not_made("a directory", error))?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("closed/demo.sock");
    chmod(c"closed", 0o600)?;
    chmod(c".", 0o711)?;
    lab::become_nobody()?; // root may go anywhere
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

/// Changes who may do what with this file or directory.
fn chmod(path: &CStr, mode: libc::mode_t) -> Result<(), Stop> {
    // SAFETY: the path ends in a zero byte, and chmod only reads it.
    if unsafe { libc::chmod(path.as_ptr(), mode) } == -1 { Err(Stop::failed("chmod")) } else { Ok(()) }
}
