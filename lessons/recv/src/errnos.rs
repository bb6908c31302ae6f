//! Every errno that recv, recvfrom and recvmsg can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-recv -- ECONNRESET` plays those that give this errno, `-- name` the one of this name.

use std::net::Ipv4Addr;
use std::{mem, ptr, thread};

use lab::network::{self, Hook};
use lab::{Lack, Provocation, Stop, Way};
use libc::c_int;

use crate::{Sleeper, alone, arrives, await_at, bound, close, conversation, datagram, handle, reset, say, set_limit};

/// The three forms of the call, which differ in nothing here.
const ALL: &[&str] = &["recv", "recvfrom", "recvmsg"];

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: ALL,
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the socket was closed already, or a call failed and its -1 was passed on.",
        documented: &["recv(2)", "POSIX"],
        play: no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: ALL,
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket or accept made. (It is EBADF and not ENOTSOCK, since no open file can be \
               asked what it is.)",
        documented: &[],
        play: only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: ALL,
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Use read for files. If it was a socket once, look for who closed it: the number has been given to a \
               file since.",
        documented: &["recv(2)", "POSIX"],
        play: not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-buffer",
        errno: "EFAULT",
        calls: ALL,
        cause: "The buffer is not in the memory of the program.",
        cure: "Pass a buffer that is yours, and its true length.",
        documented: &["recv(2)"],
        remark: "On TCP nothing is lost, and the next call gets the bytes. A datagram is gone: the last two calls show \
                 it.",
        play: bad_buffer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-message",
        errno: "EFAULT",
        calls: &["recvmsg"],
        cause: "The msghdr of recvmsg, or the list of buffers that it names, is not in the memory of the program.",
        cure: "Fill the msghdr with zeros first, and let msg_iov point to as many iovecs as msg_iovlen says.",
        documented: &["recv(2)"],
        play: bad_message,
        ..Provocation::USUAL
    },
    Provocation {
        name: "never-connected",
        errno: "ENOTCONN",
        calls: ALL,
        cause: "A TCP socket is not connected to anyone.",
        cure: "Connect it first. On a server receive from what accept returned, and not from the listener.",
        documented: &["recv(2)", "ip(7)", "POSIX"],
        play: never_connected,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-packets-alone",
        errno: "ENOTCONN",
        calls: ALL,
        cause: "A unix socket that keeps the borders of messages (SOCK_SEQPACKET) is not connected.",
        cure: "Connect it first, or make both ends with socketpair.",
        documented: &["recv(2)", "unix(7)", "POSIX"],
        play: unix_packets_alone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-stream-alone",
        errno: "EINVAL",
        calls: ALL,
        cause: "A unix stream socket is not connected.",
        cure: "Connect it first, or make both ends with socketpair.",
        documented: &["unix(7)"],
        remark: "The page recv(2) and POSIX say ENOTCONN. For unix sockets only SOCK_SEQPACKET does that.",
        play: unix_stream_alone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-urgent-data",
        errno: "EINVAL",
        calls: ALL,
        cause: "Urgent data is asked for (MSG_OOB), and the peer has sent none.",
        cure: "Leave MSG_OOB out. Whoever needs it waits for POLLPRI first.",
        documented: &["recv(2)", "POSIX"],
        play: no_urgent_data,
        ..Provocation::USUAL
    },
    Provocation {
        name: "negative-length",
        errno: "EINVAL",
        calls: &["recvfrom", "recvmsg"],
        cause: "The length of the room for the sender's address is negative.",
        cure: "Set it to the size of the address before each call: the kernel overwrites it.",
        documented: &[],
        remark: "recvfrom looks at it too late: the datagram has been taken by then, and is lost. recvmsg looks first.",
        play: negative_length,
        ..Provocation::USUAL
    },
    Provocation {
        name: "nothing-there",
        errno: "EAGAIN",
        calls: ALL,
        cause: "Nothing has arrived, and the call is not to wait (MSG_DONTWAIT, or a non-blocking socket).",
        cure: "This is no failure: wait with poll, and call again.",
        documented: &["recv(2)", "ip(7)", "POSIX"],
        play: nothing_there,
        ..Provocation::USUAL
    },
    Provocation {
        name: "limit-over",
        errno: "EAGAIN",
        calls: ALL,
        cause: "Nothing arrived within the time that SO_RCVTIMEO allows.",
        cure: "Decide what silence means to the program: ask again, or give up.",
        documented: &["recv(2)", "socket(7)"],
        play: limit_over,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-error-waiting",
        errno: "EAGAIN",
        calls: ALL,
        cause: "The queue of errors is asked (MSG_ERRQUEUE), and it is empty.",
        cure: "Wait for POLLERR first. This queue never waits, even on a blocking socket.",
        documented: &["recv(2)"],
        play: no_error_waiting,
        ..Provocation::USUAL
    },
    Provocation {
        name: "interrupted",
        errno: "EINTR",
        calls: ALL,
        cause: "A signal came while the call waited, and its handler was set up without SA_RESTART.",
        cure: "Call again. With SA_RESTART the kernel does so itself.",
        documented: &["recv(2)", "POSIX"],
        remark: "ERESTARTSYS is what a tracer sees; the kernel makes EINTR of it before the program does.",
        play: interrupted,
        ..Provocation::USUAL
    },
    Provocation {
        name: "interrupted-with-a-limit",
        errno: "EINTR",
        calls: ALL,
        cause: "A signal came while the call waited. Its handler has SA_RESTART, but the socket has SO_RCVTIMEO.",
        cure: "Call again: a call with a limit is never restarted.",
        documented: &["signal(7)"],
        play: interrupted_with_a_limit,
        ..Provocation::USUAL
    },
    Provocation {
        name: "reset-by-the-peer",
        errno: "ECONNRESET",
        calls: ALL,
        cause: "The peer broke the TCP connection off.",
        cure: "The conversation is over, and what came may be half a message. Close the socket; whoever may, begins \
               anew.",
        documented: &["POSIX"],
        remark: "The page recv(2) does not have it, though every server meets it.",
        play: reset_by_the_peer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-left-unread",
        errno: "ECONNRESET",
        calls: ALL,
        cause: "The peer of a unix stream socket closed it while bytes that we had sent waited there unread.",
        cure: "As after any reset: close the socket. The peer did not read all that was sent.",
        documented: &["unix(7)"],
        play: unix_left_unread,
        ..Provocation::USUAL
    },
    Provocation {
        name: "dissolved",
        errno: "EPIPE",
        calls: ALL,
        cause: "Another thread dissolved the TCP connection, with connect and AF_UNSPEC, while the call waited.",
        cure: "Agree which thread ends a connection. To wake one that waits in recv use shutdown.",
        documented: &["tcp(7)"],
        remark: "tcp(7) tells of EPIPE for reading on a socket that was shut down, but that says 0. This is the one \
                 way that was found.",
        needs: &[Lack::Kernel],
        play: dissolved,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-answer",
        errno: "ETIMEDOUT",
        calls: ALL,
        cause: "The peer has acknowledged nothing for longer than TCP_USER_TIMEOUT allows: a packet filter swallows \
                all that arrives.",
        cure: "The connection is dead: close the socket. Without the option the kernel keeps trying for about a \
               quarter of an hour.",
        documented: &["tcp(7)", "POSIX"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: no_answer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "keep-alive-unanswered",
        errno: "ETIMEDOUT",
        calls: ALL,
        cause: "The connection was silent, the kernel asked whether the peer is there (SO_KEEPALIVE), and no answer \
                came.",
        cure: "The peer has gone without a word: close the socket. By default the kernel asks after two hours of \
               silence only.",
        documented: &["tcp(7)"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: keep_alive_unanswered,
        ..Provocation::USUAL
    },
    Provocation {
        name: "udp-port-closed",
        errno: "ECONNREFUSED",
        calls: ALL,
        cause: "An earlier datagram came to a port at which nobody receives, and the far machine said so (ICMP, port \
                unreachable).",
        cure: "Look at the port, or try later. The error is told once, and the socket is as good as before.",
        documented: &["recv(2)", "udp(7)"],
        remark: "Only a connected UDP socket hears of it (or one with IP_RECVERR).",
        play: udp_port_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "destroyed",
        errno: "ECONNABORTED",
        calls: ALL,
        cause: "The socket was destroyed from outside, by root, as `ss -K` does it.",
        cure: "Close it and begin anew, or ask who keeps the machine why it was done.",
        documented: &[],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: destroyed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-way-further",
        errno: "ENETUNREACH",
        calls: ALL,
        cause: "A router knew no way for an earlier datagram, and said so (ICMP, network unreachable; forged here).",
        cure: "Try later: routes come and go. UDP hides such errors, and with IP_RECVERR the program has asked for \
               them.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: no_way_further,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-neighbour",
        errno: "EHOSTUNREACH",
        calls: ALL,
        cause: "On the last link of the way nobody answered for the address of an earlier datagram.",
        cure: "Look whether that machine is on. UDP hides this, and with IP_RECVERR the program has asked for it.",
        documented: &["ip(7)"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: no_neighbour,
        ..Provocation::USUAL
    },
    Provocation {
        name: "source-route-failed",
        errno: "EOPNOTSUPP",
        calls: ALL,
        cause: "An earlier datagram was to take a way that its sender had chosen, and a router could not (ICMP, source \
                route failed; forged here).",
        cure: "Let the routers choose the way: take the option from the packets.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: source_route_failed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "source-isolated",
        errno: "ENONET",
        calls: ALL,
        cause: "A router said that this machine is cut off (ICMP, source host isolated; forged here).",
        cure: "Ask who keeps the network. Routers no longer say this (RFC 1812).",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: source_isolated,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-unknown",
        errno: "EHOSTDOWN",
        calls: ALL,
        cause: "A router said that there is no such machine (ICMP, destination host unknown; forged here).",
        cure: "Check the address.",
        documented: &[],
        remark: "The errno's words are “Host is down”; that is not what the router said.",
        needs: &[Lack::Namespaces],
        play: host_unknown,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-protocol",
        errno: "ENOPROTOOPT",
        calls: ALL,
        cause: "The far machine does not know the protocol of an earlier datagram (ICMP, protocol unreachable; forged \
                here).",
        cure: "Use a protocol that the far machine speaks. It is told without IP_RECVERR too.",
        documented: &[],
        remark: "The errno's words are “Protocol not available”; elsewhere it tells of options.",
        needs: &[Lack::Namespaces],
        play: no_such_protocol,
        ..Provocation::USUAL
    },
    Provocation {
        name: "header-not-understood",
        errno: "EPROTO",
        calls: ALL,
        cause: "Someone on the way did not understand the header of an earlier packet (ICMP, parameter problem; forged \
                here).",
        cure: "Look at the options that the program puts into its packets. It is told without IP_RECVERR too.",
        documented: &["raw(7)"],
        needs: &[Lack::Namespaces],
        play: header_not_understood,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-large-for-the-way",
        errno: "EMSGSIZE",
        calls: ALL,
        cause: "An earlier datagram was too large for a link on the way and might not be cut (ICMP, fragmentation \
                needed; forged here).",
        cure: "Send smaller ones: the option IP_MTU tells how large a packet may be.",
        documented: &["ip(7)", "raw(7)"],
        needs: &[Lack::Namespaces],
        play: too_large_for_the_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "forbidden-on-the-way",
        errno: "EACCES",
        calls: ALL,
        cause: "A firewall on an IPv6 way forbade an earlier datagram, and said so (ICMPv6, administratively \
                prohibited; forged here).",
        cure: "Ask who keeps that firewall.",
        documented: &[],
        remark: "With IPv4 the same word (type 3, code 13) gives EHOSTUNREACH.",
        needs: &[Lack::Namespaces, Lack::Ipv6],
        play: forbidden_on_the_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-many-buffers",
        errno: "EMSGSIZE",
        calls: &["recvmsg"],
        cause: "The list of buffers is longer than the kernel takes: it has 1025 iovecs, and 1024 are allowed.",
        cure: "Use fewer and larger buffers.",
        documented: &["POSIX"],
        remark: "The page recv(2) does not have it.",
        play: too_many_buffers,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-urgent-datagrams",
        errno: "EOPNOTSUPP",
        calls: ALL,
        cause: "Urgent data (MSG_OOB) is asked of a unix datagram socket, which has none.",
        cure: "Leave MSG_OOB out.",
        documented: &["unix(7)", "POSIX"],
        remark: "A UDP socket takes no notice of MSG_OOB here, and waits.",
        play: no_urgent_datagrams,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-went-down",
        errno: "ENETDOWN",
        calls: ALL,
        cause: "The link that a packet socket listens on (one that sees whole packets) went down.",
        cure: "Set the link up again. The error is told once.",
        documented: &["packet(7)"],
        needs: &[Lack::Namespaces],
        play: link_went_down,
        ..Provocation::USUAL
    },
    Provocation {
        name: "overrun",
        errno: "ENOBUFS",
        calls: ALL,
        cause: "The kernel had more news for a netlink socket (one that is told of changes, here of links) than its \
                buffer holds.",
        cure: "News was lost: ask for the whole state anew. A larger SO_RCVBUF makes it rarer.",
        documented: &["netlink(7)"],
        needs: &[Lack::Namespaces],
        play: overrun,
        ..Provocation::USUAL
    },
    Provocation {
        name: "in-repair",
        errno: "EPERM",
        calls: ALL,
        cause: "The TCP socket is in repair mode (TCP_REPAIR), in which a connection is moved from one machine to \
                another.",
        cure: "Switch the mode off first: in it the queues are read with options, and nothing is received.",
        documented: &[],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: in_repair,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOMEM",
        calls: ALL,
        cause: "The kernel has no memory left for its own work on the call.",
        cure: "Nothing can be done in the program but to say so and end.",
        documented: &["recv(2)", "POSIX"],
        way: Way::Elsewhere(
            "it takes a machine whose kernel itself has no memory left, and that would harm all who use it",
        ),
        play: ordinary_recv,
        ..Provocation::USUAL
    },
    Provocation {
        name: "input-or-output",
        errno: "EIO",
        calls: ALL,
        cause: "Reading from the network failed.",
        cure: "Nothing: on Linux it does not happen with the sockets of this book.",
        documented: &["POSIX"],
        remark: "POSIX tells of it, for an error that happens while reading.",
        way: Way::Never("neither TCP nor UDP nor unix sockets have a place that says so"),
        play: ordinary_recv,
        ..Provocation::USUAL
    },
];

/// One form of the call.
type Form = fn(c_int, c_int);

/// All three.
const FORMS: [Form; 3] = [by_recv, by_recvfrom, by_recvmsg];

/// Receives in all three forms, one after the other.
fn receive_by_each(fd: c_int, flags: c_int) {
    by_recv(fd, flags);
    by_recvfrom(fd, flags);
    by_recvmsg(fd, flags);
}

fn by_recv(fd: c_int, flags: c_int) {
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
}

fn by_recvfrom(fd: c_int, flags: c_int) {
    let mut buffer = [0_u8; 64];
    // SAFETY: as for recv; with two null pointers the sender's address is not told.
    unsafe {
        libc::recvfrom(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags, ptr::null_mut(), ptr::null_mut());
    }
}

fn by_recvmsg(fd: c_int, flags: c_int) {
    let mut buffer = [0_u8; 64];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: `message` names one buffer, which has room for as many bytes as it says, and all of it is ours.
    unsafe { libc::recvmsg(fd, &raw mut message, flags) };
}

/// A message with no room for anything.
fn empty_message() -> libc::msghdr {
    // SAFETY: a msghdr is plain numbers and pointers, for which all zeros is a value.
    unsafe { mem::zeroed() }
}

/// An address at which this program has nothing.
fn nowhere<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

/// An open file that is no socket; with O_PATH, a mere name of it.
fn file(flags: c_int) -> Result<c_int, Stop> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), flags | libc::O_CLOEXEC) };
    if fd == -1 { Err(Stop::failed("open")) } else { Ok(fd) }
}

/// A fresh socket.
fn fresh(family: c_int, kind: c_int, protocol: c_int) -> Result<c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd == -1 { Err(Stop::failed("socket")) } else { Ok(fd) }
}

/// Gives a socket's option this value.
fn set(fd: c_int, level: c_int, option: c_int, value: c_int) -> Result<(), Stop> {
    let (from, size) = ((&raw const value).cast(), size_of::<c_int>() as libc::socklen_t);
    // SAFETY: `value` is an int of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, level, option, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    Ok(())
}

/// Connects a socket. The address is one whose every byte is set: a sockaddr_in or sockaddr_in6.
fn connect<A>(fd: c_int, address: &A) -> Result<(), Stop> {
    // SAFETY: `address` is as long as we say, and connect only reads it.
    if unsafe { libc::connect(fd, (&raw const *address).cast(), size_of::<A>() as libc::socklen_t) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}

/// Two UDP sockets: the first is connected to the second. And the second one's address.
fn datagram_pair() -> Result<(c_int, c_int, libc::sockaddr_in), Stop> {
    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    let sender = fresh(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    connect(sender, &address)?;
    Ok((sender, receiver, address))
}

fn no_descriptor() -> Result<(), Stop> {
    receive_by_each(-1, 0);
    Ok(())
}

fn only_a_path() -> Result<(), Stop> {
    receive_by_each(file(libc::O_PATH)?, 0);
    Ok(())
}

fn not_a_socket() -> Result<(), Stop> {
    receive_by_each(file(libc::O_RDONLY)?, 0);
    Ok(())
}

fn bad_buffer() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello")?;
    arrives(connection, 5)?;
    // SAFETY: at this address there is nothing, and the kernel writes nothing there.
    unsafe { libc::recv(connection, nowhere(), 64, 0) };
    // SAFETY: as above; no sender's address is asked for.
    unsafe { libc::recvfrom(connection, nowhere(), 64, 0, ptr::null_mut(), ptr::null_mut()) };
    let mut part = libc::iovec { iov_base: nowhere(), iov_len: 64 };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: as above; `message` and `part` are ours.
    unsafe { libc::recvmsg(connection, &raw mut message, 0) };
    by_recv(connection, 0);

    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    datagram(address, b"hello")?;
    await_at(receiver, libc::POLLIN)?;
    // SAFETY: as above.
    unsafe { libc::recv(receiver, nowhere(), 64, 0) };
    by_recv(receiver, libc::MSG_DONTWAIT);
    Ok(())
}

fn bad_message() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    // SAFETY: at this address there is nothing: the kernel reads and writes nothing there.
    unsafe { libc::recvmsg(connection, nowhere(), 0) };
    let mut message = empty_message();
    message.msg_iov = nowhere();
    message.msg_iovlen = 1;
    // SAFETY: as above; `message` is ours.
    unsafe { libc::recvmsg(connection, &raw mut message, 0) };
    Ok(())
}

fn never_connected() -> Result<(), Stop> {
    receive_by_each(fresh(libc::AF_INET, libc::SOCK_STREAM, 0)?, 0);
    Ok(())
}

fn unix_packets_alone() -> Result<(), Stop> {
    receive_by_each(fresh(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)?, 0);
    Ok(())
}

fn unix_stream_alone() -> Result<(), Stop> {
    receive_by_each(fresh(libc::AF_UNIX, libc::SOCK_STREAM, 0)?, 0);
    Ok(())
}

fn no_urgent_data() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    receive_by_each(connection, libc::MSG_OOB);
    Ok(())
}

fn negative_length() -> Result<(), Stop> {
    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    datagram(address, b"first")?;
    datagram(address, b"second")?;
    let mut buffer = [0_u8; 64];
    let mut sender = address;
    let mut length = libc::socklen_t::MAX; // Read as a number with a sign, it is -1.
    let (to, from) = (buffer.as_mut_ptr().cast(), (&raw mut sender).cast());
    // SAFETY: `buffer` has 64 bytes and is ours. The kernel refuses the length, and writes nothing to `sender`.
    unsafe { libc::recvfrom(receiver, to, 64, 0, from, &raw mut length) };

    let mut part = libc::iovec { iov_base: to, iov_len: 64 };
    let mut message = empty_message();
    message.msg_name = from.cast();
    message.msg_namelen = libc::socklen_t::MAX;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: as above.
    unsafe { libc::recvmsg(receiver, &raw mut message, 0) };
    by_recv(receiver, 0); // The second one.
    Ok(())
}

fn nothing_there() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    receive_by_each(connection, libc::MSG_DONTWAIT);
    Ok(())
}

fn limit_over() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    set_limit(connection, 20_000)?;
    receive_by_each(connection, 0);
    Ok(())
}

fn no_error_waiting() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    receive_by_each(connection, libc::MSG_ERRQUEUE);
    Ok(())
}

fn interrupted() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    handle(0)?;
    for form in FORMS {
        while_it_waits(connection, form, Sleeper::interrupt)?;
    }
    Ok(())
}

fn interrupted_with_a_limit() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    handle(libc::SA_RESTART)?;
    let limit = libc::timeval { tv_sec: 10, tv_usec: 0 };
    let (from, size) = ((&raw const limit).cast(), size_of::<libc::timeval>() as libc::socklen_t);
    // SAFETY: `limit` is a timeval of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(connection, libc::SOL_SOCKET, libc::SO_RCVTIMEO, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    for form in FORMS {
        while_it_waits(connection, form, Sleeper::interrupt)?;
    }
    Ok(())
}

/// Receives, and has a second thread do something as soon as this one sleeps in the call.
fn while_it_waits(
    fd: c_int,
    form: Form,
    meanwhile: impl FnOnce(&Sleeper) -> Result<(), Stop> + Send,
) -> Result<(), Stop> {
    let sleeper = Sleeper::me()?;
    thread::scope(|scope| {
        lab::stop_watching();
        let second = scope.spawn(|| {
            sleeper.falls_asleep()?;
            meanwhile(&sleeper)
        });
        lab::watch_again(); // How a thread is started is not what this is about.
        form(fd, 0);
        second.join().unwrap_or_else(|_| Err(Stop::unexpected("the second thread panicked")))
    })?;
    alone()
}

fn reset_by_the_peer() -> Result<(), Stop> {
    for form in FORMS {
        let (client, connection) = conversation()?;
        reset(client)?;
        await_at(connection, 0)?;
        form(connection, 0);
    }
    Ok(())
}

fn unix_left_unread() -> Result<(), Stop> {
    for form in FORMS {
        let mut pair = [-1; 2];
        // SAFETY: `pair` has room for the two descriptors that socketpair writes.
        if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) }
            == -1
        {
            return Err(Stop::failed("socketpair"));
        }
        let [ours, theirs] = pair;
        say(ours, b"hello")?;
        close(theirs)?;
        form(ours, 0);
    }
    Ok(())
}

fn dissolved() -> Result<(), Stop> {
    // SAFETY: a sockaddr is plain numbers, for which all zeros is a value: the family AF_UNSPEC.
    let nobody: libc::sockaddr = unsafe { mem::zeroed() };
    for form in FORMS {
        let (client, connection) = conversation()?;
        while_it_waits(connection, form, |_| match connect(connection, &nobody) {
            // For a while Linux (6.5 and 6.6) refused it. Then a byte ends the wait.
            Err(Stop::Failed { errno: libc::EBUSY, .. }) => {
                say(client, b"x")?;
                Err(Stop::cannot(Lack::Kernel, "connect with AF_UNSPEC was refused while another thread waits in recv"))
            }
            connected => connected,
        })?;
    }
    Ok(())
}

fn no_answer() -> Result<(), Stop> {
    lab::private_network()?;
    let connections = [conversation()?, conversation()?, conversation()?];
    network::drop_all(Hook::Input)?; // From here on nothing arrives.
    for (client, _) in connections {
        set(client, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 50)?; // in milliseconds
        say(client, b"hello")?;
    }
    for ((client, _), form) in connections.into_iter().zip(FORMS) {
        form(client, 0);
    }
    Ok(())
}

fn keep_alive_unanswered() -> Result<(), Stop> {
    lab::private_network()?;
    let connections = [conversation()?, conversation()?, conversation()?];
    network::drop_all(Hook::Input)?; // From here on nothing arrives.
    for (client, _) in connections {
        // After one second of silence one question, and one second for the answer: these are the shortest times.
        set(client, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 1)?;
        set(client, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 1)?;
        set(client, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 1)?;
        set(client, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    }
    for ((client, _), form) in connections.into_iter().zip(FORMS) {
        form(client, 0);
    }
    Ok(())
}

fn udp_port_closed() -> Result<(), Stop> {
    let (sender, receiver, address) = datagram_pair()?;
    // Connected to itself the receiver hears nobody else: to others its port is as good as closed. (Were it really closed,
    // another program could get the port meanwhile.)
    connect(receiver, &address)?;
    for form in FORMS {
        say(sender, b"hello")?;
        form(sender, 0);
    }
    Ok(())
}

fn destroyed() -> Result<(), Stop> {
    lab::private_network()?;
    for form in FORMS {
        let (client, _connection) = conversation()?;
        network::destroy(client)?;
        form(client, 0);
    }
    Ok(())
}

fn no_way_further() -> Result<(), Stop> {
    hear_on_request(3, 0)
}

/// Sends a datagram, and hears ICMP errors of this type and code about it. They are not taken for final: UDP tells of them
/// if IP_RECVERR asks for it.
fn hear_on_request(kind: u8, code: u8) -> Result<(), Stop> {
    lab::private_network()?;
    let (sender, _receiver, _) = datagram_pair()?;
    set(sender, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
    hear(sender, kind, code)
}

/// The same, with errors that are taken for final: UDP tells of them in any case.
fn hear_in_any_case(kind: u8, code: u8) -> Result<(), Stop> {
    lab::private_network()?;
    let (sender, _receiver, _) = datagram_pair()?;
    hear(sender, kind, code)
}

fn hear(sender: c_int, kind: u8, code: u8) -> Result<(), Stop> {
    say(sender, b"hello")?;
    for form in FORMS {
        network::answer_with_icmp(sender, kind, code)?;
        form(sender, 0);
    }
    Ok(())
}

fn no_neighbour() -> Result<(), Stop> {
    lab::private_network()?;
    network::add_pair("v0", "v1", Ipv4Addr::new(192, 0, 2, 1), 24)?;
    let sender = fresh(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut neighbour = crate::loopback(9);
    neighbour.sin_addr.s_addr = u32::from_ne_bytes([192, 0, 2, 2]);
    connect(sender, &neighbour)?;
    set(sender, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
    for form in FORMS {
        say(sender, b"hello")?;
        form(sender, 0);
    }
    Ok(())
}

fn source_route_failed() -> Result<(), Stop> {
    hear_on_request(3, 5)
}

fn source_isolated() -> Result<(), Stop> {
    hear_in_any_case(3, 8)
}

fn host_unknown() -> Result<(), Stop> {
    hear_in_any_case(3, 7)
}

fn no_such_protocol() -> Result<(), Stop> {
    hear_in_any_case(3, 2)
}

fn header_not_understood() -> Result<(), Stop> {
    hear_in_any_case(12, 0)
}

fn too_large_for_the_way() -> Result<(), Stop> {
    lab::private_network()?;
    let (sender, _receiver, _) = datagram_pair()?;
    set(sender, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?; // Datagrams may not be cut.
    hear(sender, 3, 4)
}

fn forbidden_on_the_way() -> Result<(), Stop> {
    lab::private_network()?;
    let (sender, _receiver) = datagram_pair_of_ipv6()?;
    set(sender, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?;
    hear(sender, 1, 1)
}

/// Two UDP sockets at ::1, the first connected to the second.
fn datagram_pair_of_ipv6() -> Result<(c_int, c_int), Stop> {
    let no_ipv6 = |stop: Stop| match stop {
        Stop::Failed { call, errno: libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL } => {
            Stop::cannot(Lack::Ipv6, format!("{call} was refused"))
        }
        stop => stop,
    };
    let receiver = fresh(libc::AF_INET6, libc::SOCK_DGRAM, 0).map_err(no_ipv6)?;
    let mut address = libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: std::net::Ipv6Addr::LOCALHOST.octets() },
        sin6_scope_id: 0,
    };
    let mut length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_in6, `length` bytes long, and bind only reads it.
    if unsafe { libc::bind(receiver, (&raw const address).cast(), length) } == -1 {
        return Err(no_ipv6(Stop::failed("bind")));
    }
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(receiver, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    let sender = fresh(libc::AF_INET6, libc::SOCK_DGRAM, 0)?;
    connect(sender, &address)?;
    Ok((sender, receiver))
}

fn too_many_buffers() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    let mut byte = 0_u8;
    let mut parts = [libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 }; 1025];
    let mut message = empty_message();
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _; // Its type is not the same in all C libraries.
    // SAFETY: each of the parts is one byte, which is ours to be written to, and so are `parts` and `message`.
    unsafe { libc::recvmsg(connection, &raw mut message, 0) };
    Ok(())
}

fn no_urgent_datagrams() -> Result<(), Stop> {
    receive_by_each(fresh(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?, libc::MSG_OOB);
    Ok(())
}

fn link_went_down() -> Result<(), Stop> {
    lab::private_network()?;
    // SAFETY: a sockaddr_ll is plain numbers, for which all zeros is a value.
    let mut link: libc::sockaddr_ll = unsafe { mem::zeroed() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    link.sll_ifindex = 1; // In every network this is `lo`.
    let mut sockets = [-1; 3];
    for fd in &mut sockets {
        *fd = fresh(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        // SAFETY: `link` is a sockaddr_ll, as long as we say, and bind only reads it.
        let bound =
            unsafe { libc::bind(*fd, (&raw const link).cast(), size_of::<libc::sockaddr_ll>() as libc::socklen_t) };
        if bound == -1 {
            return Err(Stop::failed("bind"));
        }
    }
    network::loopback(false)?;
    for (fd, form) in sockets.into_iter().zip(FORMS) {
        form(fd, 0);
    }
    Ok(())
}

fn overrun() -> Result<(), Stop> {
    lab::private_network()?;
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value: the kernel chooses the port.
    let mut news: libc::sockaddr_nl = unsafe { mem::zeroed() };
    news.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    news.nl_groups = libc::RTMGRP_LINK as u32;
    let mut sockets = [-1; 3];
    for fd in &mut sockets {
        *fd = fresh(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        set(*fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?; // The kernel makes the least that it allows of it.
        // SAFETY: `news` is a sockaddr_nl, as long as we say, and bind only reads it.
        let bound =
            unsafe { libc::bind(*fd, (&raw const news).cast(), size_of::<libc::sockaddr_nl>() as libc::socklen_t) };
        if bound == -1 {
            return Err(Stop::failed("bind"));
        }
    }
    for _ in 0..20 {
        network::loopback(false)?;
        network::loopback(true)?;
    }
    for (fd, form) in sockets.into_iter().zip(FORMS) {
        form(fd, 0);
    }
    Ok(())
}

fn in_repair() -> Result<(), Stop> {
    lab::private_network()?;
    let (_client, connection) = conversation()?;
    set(connection, libc::IPPROTO_TCP, libc::TCP_REPAIR, 1).map_err(|stop| match stop {
        Stop::Failed { errno: libc::EPERM, .. } => Stop::cannot(Lack::Namespaces, "TCP_REPAIR was refused"),
        Stop::Failed { errno: libc::ENOPROTOOPT, .. } => Stop::cannot(Lack::Kernel, "there is no TCP_REPAIR"),
        stop => stop,
    })?;
    receive_by_each(connection, 0);
    Ok(())
}

/// Calls that nothing is wrong with: the observer makes them fail.
fn ordinary_recv() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello")?;
    arrives(connection, 5)?;
    receive_by_each(connection, libc::MSG_PEEK);
    Ok(())
}
