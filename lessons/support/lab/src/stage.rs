//! What an experiment may ask of the lab: a network of its own, and not to be watched any longer.

use std::io;

use observer::fence;

use crate::{Lack, Stop};

/// Moves this process into a new, private network: it has the interface `lo` with 127.0.0.1 and ::1, and nothing and
/// nobody else. There even the wildcard address reaches no other machine, every port is free, and the sysctls under
/// `/proc/sys/net` are this network's own, to be changed at will. It ends with the process.
///
/// Without root this needs a user namespace too, so the process then looks like nobody (65534) to itself.
///
/// The way there is kept out of the trace: it is not what the experiment is about.
///
/// # Errors
/// [`Stop::Cannot`] with [`Lack::Namespaces`] where this machine does not allow it.
pub fn private_network() -> Result<(), Stop> {
    fence::end();
    let done = enter();
    fence::begin();
    done
}

/// From here on nothing of this experiment is put into the trace, until [`watch_again`]: for set-up that has been shown
/// before, and for rounds that would only repeat its lines. It overwrites errno.
pub fn stop_watching() {
    fence::end();
}

/// From here on the calls of this experiment are put into the trace again. It overwrites errno.
pub fn watch_again() {
    fence::begin();
}

fn enter() -> Result<(), Stop> {
    // SAFETY: unshare takes a number and changes only this process.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } == -1 {
        let error = io::Error::last_os_error();
        // User namespaces may be forbidden where root may still make a network.
        // SAFETY: as above.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } == -1 {
            let why = format!("unshare(CLONE_NEWUSER|CLONE_NEWNET) was refused: {error}");
            return Err(Stop::cannot(Lack::Namespaces, why));
        }
    }
    raise_loopback()
}

/// In a new network `lo` is down, and down it carries nothing.
fn raise_loopback() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: an ifreq is plain numbers, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, and `request` is one.
    let raised = unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request) };
    // Some systems let anyone make a namespace, and then forbid using it.
    let result = if raised == -1 {
        let error = io::Error::last_os_error();
        Err(Stop::cannot(Lack::Namespaces, format!("ioctl(SIOCSIFFLAGS) on the new network's lo was refused: {error}")))
    } else {
        Ok(())
    };
    // SAFETY: `fd` is ours, and nothing uses it after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }
    result
}
