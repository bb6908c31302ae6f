//! The echo server: one client after another, and nothing that a client does ends it.

use std::fmt;
use std::io::Write;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::sockets::{Address, close, lookup, receive, send};

/// What the command line asks for.
pub struct Settings {
    pub host: String,
    /// 0 for one of the kernel's choosing.
    pub port: u16,
    /// How long a client may say nothing, or take nothing; zero for ever.
    pub timeout: Duration,
}

pub fn run(settings: &Settings) -> Result<(), String> {
    let (listener, address) = open(&settings.host, settings.port)?;
    LISTENER.store(listener, Ordering::SeqCst);
    end_on_signals()?;
    say(format_args!("listening at {address}; Ctrl-C ends it"));

    let served = serve_all(listener, settings.timeout);

    LISTENER.store(NONE, Ordering::SeqCst);
    close(listener).map_err(|errno| format!("cannot close the listening socket: {errno}"))?;
    let (clients, bytes) = served?;
    say(format_args!("goodbye: {clients} served, {bytes} bytes echoed"));
    Ok(())
}

/// A socket that listens, and its address.
fn open(host: &str, port: u16) -> Result<(libc::c_int, Address), String> {
    let Some(wanted) = lookup(host, port)?.into_iter().next() else {
        return Err(format!("{host} has no address"));
    };
    let family = libc::c_int::from(wanted.storage.ss_family);
    // SAFETY: socket takes three numbers and no pointer.
    let listener = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if listener == -1 {
        return Err(format!("cannot open a socket for {wanted}: {}", Errno::last()));
    }
    match listen_at(listener, &wanted) {
        Ok(address) => Ok((listener, address)),
        Err(errno) => {
            close(listener).map_err(|errno| format!("cannot close a socket: {errno}"))?;
            Err(format!("cannot listen at {wanted}: {errno}. {}", advice(errno)))
        }
    }
}

fn listen_at(listener: libc::c_int, wanted: &Address) -> Result<Address, Errno> {
    // Or else, after a restart, the memory of this server's last connections would keep the port for a minute.
    set_option(listener, libc::SO_REUSEADDR, &1)?;
    // SAFETY: `wanted` holds an address that is `wanted.length` bytes long, and bind only reads it.
    if unsafe { libc::bind(listener, (&raw const wanted.storage).cast(), wanted.length) } == -1 {
        return Err(Errno::last());
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, libc::SOMAXCONN) } == -1 {
        return Err(Errno::last());
    }
    // The port may be one of the kernel's choosing.
    let mut address = Address::room();
    // SAFETY: `address.storage` has room for `address.length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(listener, (&raw mut address.storage).cast(), &raw mut address.length) } == -1 {
        return Err(Errno::last());
    }
    Ok(address)
}

fn set_option<T>(fd: libc::c_int, option: libc::c_int, value: &T) -> Result<(), Errno> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is `length` bytes long, and setsockopt only reads it.
    match unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const *value).cast(), length) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// What to do when it cannot listen.
fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EADDRINUSE => {
            "Another program listens there (ss -ltnp names it): end that one, or take another port. With --port 0 the \
             kernel finds a free one."
        }
        Errno::EACCES => "Ports below 1024 are root's on most machines: take a higher one.",
        Errno::EADDRNOTAVAIL => "That is no address of this machine: a server listens at one of its own.",
        _ => "Try another --host or --port.",
    }
}

/// Serves clients until a signal ends it: how many there were, and how many bytes were echoed.
fn serve_all(listener: libc::c_int, timeout: Duration) -> Result<(u64, u64), String> {
    let (mut clients, mut bytes) = (0, 0);
    let mut buffer = vec![0; BUFFER];
    while let Some((client, peer)) = next_client(listener)? {
        say(format_args!("{peer} came"));
        let (echoed, end) = serve(client, timeout, &mut buffer);
        clients += 1;
        bytes += echoed;
        match end {
            End::Finished => say(format_args!("{peer} went: {echoed} bytes echoed")),
            End::Silent => say(format_args!("{peer} said nothing for {timeout:?}: sent away, {echoed} bytes echoed")),
            End::Full => say(format_args!("{peer} took nothing for {timeout:?}: sent away, {echoed} bytes echoed")),
            End::Gone(errno) => say(format_args!("{peer} vanished ({errno}): {echoed} bytes echoed")),
            End::Goodbye => say(format_args!("{peer} is sent away: {echoed} bytes echoed")),
        }
    }
    Ok((clients, bytes))
}

/// How many bytes are received at most in one call.
const BUFFER: usize = 256 * 1024;

/// The next client in the queue, and its address; none when a signal has ended the listening.
fn next_client(listener: libc::c_int) -> Result<Option<(libc::c_int, Address)>, String> {
    let mut told = false;
    loop {
        let mut peer = Address::room();
        let (to, length) = ((&raw mut peer.storage).cast(), &raw mut peer.length);
        // SAFETY: `peer.storage` has room for `peer.length` bytes, and both are ours to be written to.
        let client = unsafe { libc::accept4(listener, to, length, libc::SOCK_CLOEXEC) };
        if client != -1 {
            CLIENT.store(client, Ordering::SeqCst);
            return Ok(Some((client, peer)));
        }
        match Errno::last() {
            _ if ENDING.load(Ordering::SeqCst) => return Ok(None),
            // A signal, or a client (or the way to it) that was lost while it was in the queue: the next one, please.
            Errno::EINTR
            | Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP
            | Errno::ENETUNREACH => {}
            // The client stays in the queue. Without a pause this loop would only ask again and again.
            errno @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                if !told {
                    say(format_args!("nobody can be accepted now ({errno}): trying again"));
                    told = true;
                }
                thread::sleep(Duration::from_millis(100));
            }
            errno => return Err(format!("cannot accept clients any more: {errno}")),
        }
    }
}

/// How a client's visit ended.
enum End {
    /// It said that it was done, and everything had been sent back.
    Finished,
    /// It said nothing for too long.
    Silent,
    /// It took nothing for too long.
    Full,
    /// It is gone.
    Gone(Errno),
    /// A signal ended the server.
    Goodbye,
}

/// Echoes, and closes the connection: how many bytes were sent back, and how it ended.
fn serve(client: libc::c_int, timeout: Duration, buffer: &mut [u8]) -> (u64, End) {
    let mut echoed = 0;
    let mut end = match echo(client, timeout, buffer, &mut echoed) {
        Ok(end) => end,
        Err(errno) => End::Gone(errno),
    };
    if ENDING.load(Ordering::SeqCst) {
        end = End::Goodbye;
    }
    // What it does not take, the kernel would keep for it even after the close; not with a lingering of 0 seconds.
    if let End::Full = end {
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        if let Err(errno) = set_option(client, libc::SO_LINGER, &at_once) {
            end = End::Gone(errno);
        }
    }
    CLIENT.store(NONE, Ordering::SeqCst);
    if let Err(errno) = close(client) {
        end = End::Gone(errno);
    }
    (echoed, end)
}

/// Sends back what comes, until the client has said all that it will.
fn echo(client: libc::c_int, timeout: Duration, buffer: &mut [u8], echoed: &mut u64) -> Result<End, Errno> {
    if ENDING.load(Ordering::SeqCst) {
        return Ok(End::Goodbye);
    }
    let timeout = libc::timeval {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: timeout.subsec_micros().into(),
    };
    set_option(client, libc::SO_RCVTIMEO, &timeout)?;
    set_option(client, libc::SO_SNDTIMEO, &timeout)?;

    loop {
        let count = match receive(client, buffer) {
            Ok(0) => return Ok(End::Finished),
            Ok(count) => count,
            Err(Errno::EAGAIN) => return Ok(End::Silent),
            Err(errno) => return Err(errno),
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match send(client, rest, 0) {
                Ok(count) => {
                    *echoed += count as u64;
                    rest = &rest[count..];
                }
                Err(Errno::EAGAIN) => return Ok(End::Full),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Whether a signal has asked the server to end.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The listening socket, for the signal handler.
static LISTENER: AtomicI32 = AtomicI32::new(NONE);
/// The connection that is being served, for the signal handler.
static CLIENT: AtomicI32 = AtomicI32::new(NONE);
/// No descriptor has this number.
const NONE: libc::c_int = -1;

/// From here on Ctrl-C (SIGINT) and SIGTERM do not kill this process: they end what it waits for.
fn end_on_signals() -> Result<(), String> {
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value: no flags, and an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = say_goodbye as *const () as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: `action` lives through the call, its handler does only what a handler may, and the old action is not
        // asked for.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == -1 {
            return Err(format!("cannot set what a signal does: {}", Errno::last()));
        }
    }
    Ok(())
}

/// The signal handler. A flag alone would not do: the signal may come just before accept or recv begins to wait, and
/// nobody looks at a flag then. A socket that is shut down stays so: accept (EINVAL), recv (0) and send (EPIPE) return at
/// once, whether they had begun or not.
extern "C" fn say_goodbye(_: libc::c_int) {
    ENDING.store(true, Ordering::SeqCst);
    // SAFETY: shutdown is among the few calls that a handler may make, and takes numbers. That it may fail (nobody may
    // be connected any more) changes nothing. errno is this thread's own, and is put back for what was interrupted.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        for socket in [LISTENER.load(Ordering::SeqCst), CLIENT.load(Ordering::SeqCst)] {
            if socket != NONE {
                libc::shutdown(socket, libc::SHUT_RDWR);
            }
        }
        *errno = before;
    }
}

/// Prints a line. A server that cannot speak (the disk with its log is full) goes on serving.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
