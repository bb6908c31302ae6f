//! What an experiment may ask of the lab: a network of its own with settings of its own, to be nobody, and not to be watched
//! any longer.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    unwatched(|| {
        enter()?;
        PRIVATE_NETWORK.store(this_network()?, Ordering::SeqCst);
        Ok(())
    })
}

/// The private network's number, or 0: there is none.
static PRIVATE_NETWORK: AtomicU64 = AtomicU64::new(0);

/// Whether this thread is in the private network that [`private_network`] has made.
///
/// # Errors
/// [`Stop::Unexpected`] if it is not.
pub(crate) fn in_private_network() -> Result<(), Stop> {
    if this_network()? == PRIVATE_NETWORK.load(Ordering::SeqCst) {
        return Ok(());
    }
    Err(Stop::unexpected("this is for a private network, and private_network() was not called: nothing was changed"))
}

/// The number of the network that this thread is in.
fn this_network() -> Result<u64, Stop> {
    let file = "/proc/thread-self/ns/net";
    match fs::metadata(file) {
        Ok(network) => Ok(network.ino()),
        Err(error) => Err(Stop::cannot(Lack::Namespaces, format!("{file} cannot be looked at: {error}"))),
    }
}

/// Gives a setting of the network this value, such as `net.ipv4.ip_local_port_range`: after [`private_network`] it is this
/// network's own. Before it nothing is changed.
///
/// # Errors
/// [`Stop::Cannot`] with [`Lack::Settings`] where it may not be changed; [`Stop::Unexpected`] if [`private_network`] was
/// not called.
pub fn set(setting: &str, value: &str) -> Result<(), Stop> {
    in_private_network()?;
    let file = format!("/proc/sys/{}", setting.replace('.', "/"));
    fs::write(&file, value).map_err(|error| Stop::cannot(Lack::Settings, format!("{file} cannot be written: {error}")))
}

/// The user and the group that own nothing.
const NOBODY: libc::uid_t = 65534;

/// Gives up root's privileges, for good: this process becomes nobody (65534). Who is not root stays who they are.
///
/// # Errors
/// [`Stop::Cannot`] with [`Lack::UnprivilegedUser`] where root may not become another user.
pub fn become_nobody() -> Result<(), Stop> {
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    // SAFETY: no list is given; the others take numbers. All change only this process. (The order matters: without root's
    // user id it may not change its groups.)
    let given_up = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setresgid(NOBODY, NOBODY, NOBODY) == 0
            && libc::setresuid(NOBODY, NOBODY, NOBODY) == 0
    };
    if given_up {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(Stop::cannot(Lack::UnprivilegedUser, format!("becoming user 65534 was refused: {error}")))
}

/// From here on nothing of this experiment is put into the trace, until [`watch_again`]: for set-up that has been shown
/// before, and for rounds that would only repeat its lines. It overwrites errno.
pub fn stop_watching() {
    WATCHED.store(false, Ordering::SeqCst);
    fence::end();
}

/// From here on the calls of this experiment are put into the trace again. It overwrites errno.
pub fn watch_again() {
    WATCHED.store(true, Ordering::SeqCst);
    fence::begin();
}

/// Whether the experiment wants its calls in the trace.
static WATCHED: AtomicBool = AtomicBool::new(true);

/// Does something whose calls are not put into the trace. It overwrites errno.
pub(crate) fn unwatched<T>(what: impl FnOnce() -> T) -> T {
    fence::end();
    let done = what();
    if WATCHED.load(Ordering::SeqCst) {
        fence::begin();
    }
    done
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
