//! Every errno that listen can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-listen -- EADDRINUSE` plays those that give this errno, `-- name` the one of this name.

use lab::{Lack, Provocation, Stop, Way};
use nix::errno::Errno;

use crate::{LENGTH, bound, connected, loopback, own_address};

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: &["listen"],
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the socket was closed already, or socket failed and its -1 was passed on.",
        documented: &["listen(2)", "POSIX"],
        play: no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: &["listen"],
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket made. (It is EBADF and not ENOTSOCK, since no open file can be asked what it is.)",
        documented: &[],
        play: only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: &["listen"],
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Look where the number comes from: a descriptor was closed, and its number has been given to a file since.",
        documented: &["listen(2)", "POSIX"],
        play: not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "port-listened-on",
        errno: "EADDRINUSE",
        calls: &["listen"],
        cause: "Another socket listens at this address and port already; both were bound to it with SO_REUSEADDR.",
        cure: "End the other server, or take another port.",
        documented: &["listen(2)"],
        play: port_listened_on,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-port-left",
        errno: "EADDRINUSE",
        calls: &["listen"],
        cause: "The socket is not bound, so listen must choose a port for it, and all that it may choose from are taken.",
        cure: "Close what holds them, or widen net.ipv4.ip_local_port_range.",
        documented: &["listen(2)", "ip(7)"],
        needs: &[Lack::Namespaces, Lack::Settings],
        play: no_port_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "datagrams",
        errno: "EOPNOTSUPP",
        calls: &["listen"],
        cause: "A UDP socket has no connections that could wait.",
        cure: "Leave listen out: a UDP server is bound, and receives.",
        documented: &["listen(2)", "POSIX"],
        play: datagrams,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-datagrams",
        errno: "EOPNOTSUPP",
        calls: &["listen"],
        cause: "The same in the family AF_UNIX: a datagram socket has no connections.",
        cure: "Make the socket with SOCK_STREAM or SOCK_SEQPACKET if connections are wanted.",
        documented: &["listen(2)", "unix(7)", "POSIX"],
        play: unix_datagrams,
        ..Provocation::USUAL
    },
    Provocation {
        name: "connected-already",
        errno: "EINVAL",
        calls: &["listen"],
        cause: "The socket is connected: it is one end of a connection, and can be no waiting room besides.",
        cure: "Listen on a socket of its own. The connections that accept returns are further sockets.",
        documented: &["POSIX"],
        remark: "The page listen(2) does not name EINVAL at all; POSIX does.",
        play: connected_already,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-without-a-name",
        errno: "EINVAL",
        calls: &["listen"],
        cause: "A socket of the family AF_UNIX has not been bound, so nobody could find it.",
        cure: "Bind it to a path first. (For TCP the kernel would choose a port; for a path it chooses nothing.)",
        documented: &[],
        remark: "For an unbound socket POSIX tells of EDESTADDRREQ. Linux says EINVAL here, and binds a TCP socket itself.",
        play: unix_without_a_name,
        ..Provocation::USUAL
    },
    Provocation {
        name: "connecting",
        errno: "EINVAL",
        calls: &["listen"],
        cause: "A connect is under way on the socket: its first packet is out and not answered yet.",
        cure: "Listen on a socket of its own.",
        documented: &[],
        play: connecting,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-mptcp",
        errno: "ENFILE",
        calls: &["listen"],
        cause: "The socket speaks Multipath TCP, and the kernel gets no memory for the hidden TCP socket behind it.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "No table of files is full: the kernel says ENFILE whenever it cannot make a socket.",
        way: Way::Elsewhere(
            "it takes a memory cgroup (a group of processes with a limit on its memory) that is full, and to make one \
             is to change the machine",
        ),
        play: ordinary_listen,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-bound",
        errno: "EDESTADDRREQ",
        calls: &["listen"],
        cause: "The socket is not bound, and its protocol cannot listen without an address.",
        cure: "Bind the socket before.",
        documented: &["POSIX"],
        remark: "POSIX tells of it. Linux binds a TCP socket itself, and says EINVAL for one of AF_UNIX.",
        way: Way::Never("Linux binds a TCP socket itself, and says EINVAL for one of AF_UNIX"),
        play: ordinary_listen,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-allowed",
        errno: "EACCES",
        calls: &["listen"],
        cause: "The program may not listen: a security module, such as SELinux, forbids it.",
        cure: "Ask who keeps the machine's rules. Nothing in the program is wrong.",
        documented: &["POSIX"],
        way: Way::Elsewhere("it takes a machine with a security module, and a rule of it"),
        play: ordinary_listen,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOBUFS",
        calls: &["listen"],
        cause: "There is no memory for the queue.",
        cure: "Nothing can be done in the program but to say so and end.",
        documented: &["POSIX"],
        remark: "POSIX tells of it. On Linux listen sets no memory aside: its queue grows with those that wait.",
        way: Way::Never("since Linux 4.4 listen sets no memory aside"),
        play: ordinary_listen,
        ..Provocation::USUAL
    },
];

/// An open file that is no socket; with O_PATH, a mere name of it.
fn file(flags: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), flags | libc::O_CLOEXEC) };
    if fd == -1 { Err(Stop::failed("open")) } else { Ok(fd) }
}

/// A fresh socket.
fn fresh(family: libc::c_int, kind: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 { Err(Stop::failed("socket")) } else { Ok(fd) }
}

fn no_descriptor() -> Result<(), Stop> {
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(-1, 1) };
    Ok(())
}

fn only_a_path() -> Result<(), Stop> {
    let fd = file(libc::O_PATH)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(fd, 1) };
    Ok(())
}

fn not_a_socket() -> Result<(), Stop> {
    let fd = file(libc::O_RDONLY)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(fd, 1) };
    Ok(())
}

fn port_listened_on() -> Result<(), Stop> {
    let on: libc::c_int = 1;
    let mut address = loopback(0);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        // SAFETY: `on` is an int and the length is its size; setsockopt only reads it.
        let set = unsafe {
            let length = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), length)
        };
        if set == -1 {
            return Err(Stop::failed("setsockopt"));
        }
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
            return Err(Stop::failed("bind"));
        }
        // The second socket is bound to the port that the first one got, and both are bound before one listens.
        address = own_address(fd)?;
        sockets.push(fd);
    }
    for fd in sockets {
        // SAFETY: listen takes two numbers.
        unsafe { libc::listen(fd, 1) };
    }
    Ok(())
}

fn no_port_left() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.ipv4.ip_local_port_range", "40000 40001")?;
    for _ in 0..3 {
        let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        // SAFETY: listen takes two numbers.
        unsafe { libc::listen(fd, 1) };
    }
    Ok(())
}

fn datagrams() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(fd, 1) };
    Ok(())
}

fn unix_datagrams() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(fd, 1) };
    Ok(())
}

fn connected_already() -> Result<(), Stop> {
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let client = connected(address)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(client, 1) };
    Ok(())
}

fn unix_without_a_name() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(fd, 1) };
    Ok(())
}

fn connecting() -> Result<(), Stop> {
    // One waiting room with one chair, which the first client takes: the second one's connect stays under way.
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers.
    if unsafe { libc::listen(server, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    connected(address)?;
    let client = fresh(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let connected = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if connected == 0 || Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::unexpected("the connect did not stay under way"));
    }
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(client, 1) };
    Ok(())
}

/// A listen that nothing is wrong with: the observer makes it fail.
fn ordinary_listen() -> Result<(), Stop> {
    let (server, _) = bound()?;
    // SAFETY: listen takes two numbers.
    unsafe { libc::listen(server, 1) };
    Ok(())
}
