//! Every errno that accept and accept4 can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-accept -- EINVAL` plays those that give this errno, `-- name` the one of this name.

use std::mem;
use std::ptr;

use lab::{Provocation, Stop, Way};
use nix::errno::Errno;

use crate::{
    LENGTH, connected, dev_null, does_not_wait, in_a_child, listening, loopback, no_number_above, no_word_of_children,
    set, succeeded, wait_until_it_sleeps,
};

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: &["accept", "accept4"],
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the listener was closed already, or socket failed and its -1 was passed \
               on.",
        documented: &["accept(2)", "POSIX"],
        play: no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: &["accept", "accept4"],
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket made. (It is EBADF and not ENOTSOCK, since no open file can be asked what \
               it is.)",
        documented: &[],
        play: only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: &["accept", "accept4"],
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Look where the number comes from: a descriptor was closed, and its number has been given to a file \
               since.",
        documented: &["accept(2)", "POSIX"],
        play: not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "datagrams",
        errno: "EOPNOTSUPP",
        calls: &["accept", "accept4"],
        cause: "A UDP socket has no connections, so there is nobody to take out of a queue.",
        cure: "Leave accept out: a UDP server receives from its one socket, whoever it is that sends.",
        documented: &["accept(2)", "POSIX"],
        play: datagrams,
        ..Provocation::USUAL
    },
    Provocation {
        name: "does-not-listen",
        errno: "EINVAL",
        calls: &["accept", "accept4"],
        cause: "The socket is bound, and listen was never called on it.",
        cure: "Call listen between bind and accept.",
        documented: &["accept(2)", "POSIX"],
        play: does_not_listen,
        ..Provocation::USUAL
    },
    Provocation {
        name: "listener-shut",
        errno: "EINVAL",
        calls: &["accept", "accept4"],
        cause: "The listener was shut down for reading, so it does not listen any more.",
        cure: "End the accept loop; or call listen again, if the server is to go on.",
        documented: &[],
        remark: "That it does not listen is documented; that shutdown ends the listening, POSIX and the manual do not \
                 say.",
        play: listener_shut,
        ..Provocation::USUAL
    },
    Provocation {
        name: "shut-while-waiting",
        errno: "EINVAL",
        calls: &["accept", "accept4"],
        cause: "The call was waiting for a client, and another thread or process shut the listener down for reading.",
        cure: "Take it for what it mostly is, the sign to end: shutdown is a way to wake a server that waits in \
               accept.",
        documented: &[],
        remark: "(To close the listener in another thread would not wake the call.)",
        play: shut_while_waiting,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unknown-flag",
        errno: "EINVAL",
        calls: &["accept4"],
        cause: "A flag was given that accept4 does not know.",
        cure: "It takes SOCK_NONBLOCK and SOCK_CLOEXEC, and nothing else.",
        documented: &["accept(2)"],
        play: unknown_flag,
        ..Provocation::USUAL
    },
    Provocation {
        name: "negative-length",
        errno: "EINVAL",
        calls: &["accept", "accept4"],
        cause: "The length says that there are -1 bytes of room for the address.",
        cure: "Set the length to the size of the buffer before each call. The client that waited is lost: it was out \
               of the queue already, and was hung up on.",
        documented: &["accept(2)"],
        play: negative_length,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-buffer",
        errno: "EFAULT",
        calls: &["accept", "accept4"],
        cause: "The address of the client is to be written to where this process may not write.",
        cure: "Pass a buffer of your own, or two null pointers. The client that waited is lost: it was out of the \
               queue already.",
        documented: &["accept(2)"],
        play: bad_buffer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-length",
        errno: "EFAULT",
        calls: &["accept", "accept4"],
        cause: "There is a buffer for the address, and the pointer to its length is null.",
        cure: "Pass both, or neither: two null pointers ask for no address. Here too a client is lost.",
        documented: &["accept(2)"],
        play: no_length,
        ..Provocation::USUAL
    },
    Provocation {
        name: "empty-queue",
        errno: "EAGAIN",
        calls: &["accept", "accept4"],
        cause: "The listener is non-blocking, and no client waits.",
        cure: "Ask poll, and call again when it says readable.",
        documented: &["accept(2)", "POSIX"],
        play: empty_queue,
        ..Provocation::USUAL
    },
    Provocation {
        name: "timeout",
        errno: "EAGAIN",
        calls: &["accept", "accept4"],
        cause: "The listener has a timeout, SO_RCVTIMEO, and nobody came in that time.",
        cure: "Call again, or do what the timeout was for.",
        documented: &["socket(7)"],
        remark: "It is not ETIMEDOUT, which the page accept(2) lists among what some kernels say.",
        play: timeout,
        ..Provocation::USUAL
    },
    Provocation {
        name: "signal",
        errno: "EINTR",
        calls: &["accept", "accept4"],
        cause: "A signal came while the call waited, and its handler was installed without SA_RESTART.",
        cure: "Call again: nothing is wrong. With SA_RESTART the kernel does it by itself. (ERESTARTSYS is what the \
               observer sees; the kernel makes EINTR of it before the program does.)",
        documented: &["accept(2)", "POSIX"],
        play: signal,
        ..Provocation::USUAL
    },
    Provocation {
        name: "signal-and-timeout",
        errno: "EINTR",
        calls: &["accept", "accept4"],
        cause: "A signal came while the call waited; its handler has SA_RESTART, and the listener has a timeout.",
        cure: "Call again. Where a timeout is set, with SO_RCVTIMEO, the kernel restarts nothing.",
        documented: &["accept(2)", "signal(7)", "POSIX"],
        play: signal_and_timeout,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-number-left",
        errno: "EMFILE",
        calls: &["accept", "accept4"],
        cause: "The process has as many descriptors as it may have (RLIMIT_NOFILE), and the connection needs one.",
        cure: "Close some, or raise the limit. The client stays in the queue, so a loop that only goes on spins.",
        documented: &["accept(2)", "POSIX"],
        play: no_number_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "machine-full",
        errno: "ENFILE",
        calls: &["accept", "accept4"],
        cause: "The whole machine has as many open files as it may have (fs.file-max), and the caller is not root.",
        cure: "Wait until some are closed. As with EMFILE, the client stays in the queue, and a loop that only goes \
               on spins.",
        documented: &["accept(2)", "POSIX"],
        way: Way::Elsewhere("it takes fs.file-max, a setting of the whole machine"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-the-socket",
        errno: "ENFILE",
        calls: &["accept", "accept4"],
        cause: "The program's memory cgroup (the group whose memory is counted together) is full, and there is no \
                room for the new socket.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "No table of files is full: the kernel says ENFILE whenever it cannot make a \
                 socket.",
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-the-file",
        errno: "ENOMEM",
        calls: &["accept", "accept4"],
        cause: "The program's memory cgroup (the group whose memory is counted together) is full: there was room for \
                the new socket, and none for the open file that stands for it.",
        cure: "Give the program, or its container, more memory.",
        documented: &["accept(2)", "POSIX"],
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "aborted",
        errno: "ECONNABORTED",
        calls: &["accept", "accept4"],
        cause: "The client that waited has given up in the meantime.",
        cure: "Call again: the next client may be there. Linux tells of the abort on the first recv.",
        documented: &["accept(2)", "ip(7)", "POSIX"],
        remark: "Three documents tell of it. A TCP connection that was reset before accept was accepted all the same, \
                 and its recv said ECONNRESET.",
        way: Way::Never("for TCP and AF_UNIX Linux hands out a connection that was aborted like any other"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-error",
        errno: "EPROTO",
        calls: &["accept", "accept4"],
        cause: "Something went wrong in the protocol while the client waited.",
        cure: "Call again, as after ECONNABORTED.",
        documented: &["accept(2)", "POSIX"],
        remark: "It comes from STREAMS, another Unix's way to build networks.",
        way: Way::Never("no protocol of this book says it in Linux's accept"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "forbidden",
        errno: "EPERM",
        calls: &["accept", "accept4"],
        cause: "A rule of the firewall forbids the connection.",
        cure: "Look at the rules, or ask who keeps them.",
        documented: &["accept(2)"],
        remark: "A firewall drops packets, or refuses them, and then the client never gets into the queue.",
        way: Way::Never("a firewall looks at packets, and accept handles none"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-buffers",
        errno: "ENOBUFS",
        calls: &["accept", "accept4"],
        cause: "There is no memory for the new connection.",
        cure: "Close what is not needed, and call again later.",
        documented: &["accept(2)", "POSIX"],
        remark: "Linux says ENFILE or ENOMEM instead.",
        way: Way::Never("where memory is short, Linux's accept says ENFILE or ENOMEM"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "network-down",
        errno: "ENETDOWN",
        calls: &["accept", "accept4"],
        cause: "The network of the client that waits has gone down.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "network-unreachable",
        errno: "ENETUNREACH",
        calls: &["accept", "accept4"],
        cause: "No way leads to the network of the client that waits any more.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-unreachable",
        errno: "EHOSTUNREACH",
        calls: &["accept", "accept4"],
        cause: "No way leads to the machine of the client that waits any more.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-down",
        errno: "EHOSTDOWN",
        calls: &["accept", "accept4"],
        cause: "The machine of the client that waits is switched off, or not known any more.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cut-off",
        errno: "ENONET",
        calls: &["accept", "accept4"],
        cause: "The machine of the client that waits is cut off from the network.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-refused",
        errno: "ENOPROTOOPT",
        calls: &["accept", "accept4"],
        cause: "The machine of the client that waits says that it does not speak the protocol.",
        cure: "Treat it like EAGAIN, says the manual: call again. It is one client's trouble, and not the server's.",
        documented: &["accept(2)"],
        remark: "The manual says that an error of the new connection is passed on by accept. A reset was tried, and \
                 accept succeeded.",
        way: Way::Never("Linux's accept does not look for errors of the new connection; its first send or recv tells"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "timed-out",
        errno: "ETIMEDOUT",
        calls: &["accept", "accept4"],
        cause: "Nobody came in time.",
        cure: "Nothing is needed for it. What a timeout gives is EAGAIN.",
        documented: &["accept(2)"],
        remark: "The manual says that some kernels may give it.",
        way: Way::Never("a timeout, set with SO_RCVTIMEO, gives EAGAIN"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unknown-type",
        errno: "ESOCKTNOSUPPORT",
        calls: &["accept", "accept4"],
        cause: "Sockets of this type are not supported.",
        cure: "Nothing is needed for it: socket would have failed before.",
        documented: &["accept(2)"],
        remark: "The manual says that some kernels may give it.",
        way: Way::Never("the type is looked at when the socket is made, and not by accept"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unknown-protocol",
        errno: "EPROTONOSUPPORT",
        calls: &["accept", "accept4"],
        cause: "The protocol is not supported.",
        cure: "Nothing is needed for it: socket would have failed before.",
        documented: &["accept(2)"],
        remark: "The manual says that some kernels may give it.",
        way: Way::Never("the protocol is looked at when the socket is made, and not by accept"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-streams",
        errno: "ENOSR",
        calls: &["accept", "accept4"],
        cause: "The resources of STREAMS, another Unix's way to build networks, are used up.",
        cure: "Nothing is needed for it on Linux.",
        documented: &["accept(2)"],
        remark: "The manual says that some kernels may give it.",
        way: Way::Never("Linux has no STREAMS"),
        play: ordinary_accept,
        ..Provocation::USUAL
    },
];

fn no_descriptor() -> Result<(), Stop> {
    // SAFETY: with two null pointers accept and accept4 do not say who the client is, and write nothing.
    unsafe { libc::accept(-1, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(-1, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn only_a_path() -> Result<(), Stop> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    if fd == -1 {
        return Err(Stop::failed("open"));
    }
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(fd, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn not_a_socket() -> Result<(), Stop> {
    let fd = dev_null()?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(fd, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn datagrams() -> Result<(), Stop> {
    let fd = fresh(libc::SOCK_DGRAM)?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(fd, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

/// A fresh socket of the family AF_INET.
fn fresh(kind: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 { Err(Stop::failed("socket")) } else { Ok(fd) }
}

fn does_not_listen() -> Result<(), Stop> {
    let fd = fresh(libc::SOCK_STREAM)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(fd, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn listener_shut() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    shut(listener)?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

/// shutdown, of the half that receives.
fn shut(fd: libc::c_int) -> Result<(), Stop> {
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(fd, libc::SHUT_RD) } == -1 { Err(Stop::failed("shutdown")) } else { Ok(()) }
}

fn shut_while_waiting() -> Result<(), Stop> {
    no_word_of_children()?;
    let (first, _) = listening()?;
    let (second, _) = listening()?;
    // It has both listeners too, and shuts each down as soon as this process sleeps.
    let child = in_a_child(|| {
        for listener in [first, second] {
            wait_until_it_sleeps(parent())?;
            shut(listener)?;
        }
        Ok(())
    })?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(first, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(second, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    succeeded(child)
}

/// The process that started this one.
fn parent() -> libc::pid_t {
    // SAFETY: getppid takes nothing and cannot fail.
    unsafe { libc::getppid() }
}

fn unknown_flag() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), 1) };
    Ok(())
}

fn negative_length() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    connected(address)?;
    connected(address)?;
    let mut peer = loopback(0);
    let mut length = libc::socklen_t::MAX; // To the kernel the length is an int, and this is -1.
    // SAFETY: the kernel writes nothing to `peer` where the length is negative.
    unsafe { libc::accept(listener, (&raw mut peer).cast(), &raw mut length) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    Ok(())
}

fn bad_buffer() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    connected(address)?;
    connected(address)?;
    let nowhere: *mut libc::sockaddr = ptr::without_provenance_mut(8);
    let mut length = LENGTH;
    // SAFETY: the kernel finds out by itself that nothing can be written at the address 8, and `length` is ours.
    unsafe { libc::accept(listener, nowhere, &raw mut length) };
    length = LENGTH;
    // SAFETY: as above.
    unsafe { libc::accept4(listener, nowhere, &raw mut length, libc::SOCK_CLOEXEC) };
    Ok(())
}

fn no_length() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    connected(address)?;
    connected(address)?;
    let mut peer = loopback(0);
    // SAFETY: without a length the kernel writes nothing to `peer`.
    unsafe { libc::accept(listener, (&raw mut peer).cast(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, (&raw mut peer).cast(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn empty_queue() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    does_not_wait(listener)?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn timeout() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    set(listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, libc::timeval { tv_sec: 0, tv_usec: 20_000 })?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

fn signal() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    let child = two_signals(0)?;
    interrupted_twice(listener)?;
    succeeded(child)
}

fn signal_and_timeout() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    set(listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, libc::timeval { tv_sec: 15, tv_usec: 0 })?;
    let child = two_signals(libc::SA_RESTART)?;
    interrupted_twice(listener)?;
    succeeded(child)
}

/// Waits in accept and in accept4, and both times it is a signal that comes.
fn interrupted_twice(listener: libc::c_int) -> Result<(), Stop> {
    // SAFETY: with two null pointers nothing is written.
    let answer = unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    if answer != -1 || Errno::last() != Errno::EINTR {
        return Err(Stop::unexpected("accept was not interrupted"));
    }
    // SAFETY: as above.
    let answer = unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if answer != -1 || Errno::last() != Errno::EINTR {
        return Err(Stop::unexpected("accept4 was not interrupted"));
    }
    Ok(())
}

/// Installs a handler for SIGUSR1 with these flags, and starts a process that sends this one the signal when it sleeps, and
/// once more when it sleeps again.
fn two_signals(flags: libc::c_int) -> Result<libc::pid_t, Stop> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an all-zero sigaction is a value: an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: the handler takes the one argument that it is called with, and does nothing; `action` outlives the call.
    if unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    no_word_of_children()?;
    in_a_child(|| {
        for _ in 1..=2 {
            wait_until_it_sleeps(parent())?;
            // SAFETY: kill takes two numbers, and the process is our parent, which waits for us.
            if unsafe { libc::kill(parent(), libc::SIGUSR1) } == -1 {
                return Err(Stop::failed("kill"));
            }
        }
        Ok(())
    })
}

fn no_number_left() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let client = connected(address)?;
    no_number_above(client)?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}

/// Two calls with which nothing is wrong, and a client for each: the observer makes them fail.
fn ordinary_accept() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    connected(address)?;
    connected(address)?;
    // SAFETY: with two null pointers nothing is written.
    unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    Ok(())
}
