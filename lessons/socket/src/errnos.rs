//! Every errno that socket can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-socket -- EINVAL` plays those that give this errno, `-- name` the one of this name.

use std::io;

use lab::{Expected, Lack, Provocation, Stop, Way, calls};

/// Why the lack of memory is only injected.
const FULL_CGROUP: &str = "it takes a memory cgroup (a group of processes with a limit on its memory) that is full, \
                           and to make one is to change the machine";

/// For users who may do what others may not.
const PRIVILEGED: Expected = Expected::on("where this user has CAP_NET_RAW", &[calls("socket", "fd")]);

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-such-family",
        errno: "EAFNOSUPPORT",
        calls: &["socket"],
        cause: "The kernel has no address family of this number: it is not a family at all, or the kernel was built \
            without it.",
        cure: "Use a constant such as AF_INET. If AF_INET6 is what is missing, do without IPv6.",
        documented: &["socket(2)", "POSIX"],
        play: no_such_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-type",
        errno: "EINVAL",
        calls: &["socket"],
        cause: "The type is a number beyond all types that there are.",
        cure: "Use a constant such as SOCK_STREAM, and look whether type and protocol have changed places.",
        documented: &[],
        remark: "The page socket(2) tells of EINVAL for unknown flags and unknown protocols, and not for an unknown \
            type.",
        play: no_such_type,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unknown-flag",
        errno: "EINVAL",
        calls: &["socket"],
        cause: "A bit is set in the type that is no flag: only SOCK_CLOEXEC and SOCK_NONBLOCK may ride there.",
        cure: "Add these two and no others. Whatever else the socket shall have, setsockopt gives it.",
        documented: &["socket(2)"],
        play: unknown_flag,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-out-of-range",
        errno: "EINVAL",
        calls: &["socket"],
        cause: "The protocol is a number that no protocol of the internet families can have: negative, or too large.",
        cure: "Pass 0, and the kernel chooses.",
        documented: &["socket(2)"],
        play: protocol_out_of_range,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-of-another-type",
        errno: "EPROTONOSUPPORT",
        calls: &["socket"],
        cause: "The protocol exists and does not go with the type: UDP cannot do a stream.",
        cure: "Pass 0, and the type decides: TCP for SOCK_STREAM, UDP for SOCK_DGRAM.",
        documented: &["socket(2)", "POSIX"],
        remark: "POSIX would allow EPROTOTYPE for this as well. Linux never says that here.",
        play: protocol_of_another_type,
        ..Provocation::USUAL
    },
    Provocation {
        name: "raw-without-a-protocol",
        errno: "EPROTONOSUPPORT",
        calls: &["socket"],
        cause: "A raw socket, which sees whole packets, is asked for without saying those of which protocol.",
        cure: "Name the protocol, such as IPPROTO_ICMP. Here the kernel chooses nothing.",
        documented: &[],
        remark: "It comes before the question of privilege: root is told the same.",
        play: raw_without_a_protocol,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-with-a-protocol",
        errno: "EPROTONOSUPPORT",
        calls: &["socket"],
        cause: "In the family AF_UNIX there is nothing to choose: the protocol is 0 (or 1, the number of the family \
            itself).",
        cure: "Pass 0.",
        documented: &["unix(7)"],
        play: unix_with_a_protocol,
        ..Provocation::USUAL
    },
    Provocation {
        name: "nobody-at-the-other-end",
        errno: "EPROTONOSUPPORT",
        calls: &["socket"],
        cause: "A netlink socket talks with a part of the kernel, which the protocol names, and this kernel has no \
            such part.",
        cure: "Look at the constant. If it is right, the kernel was built without that part, or its module is not \
            loaded.",
        documented: &[],
        play: nobody_at_the_other_end,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-records-in-ip",
        errno: "ESOCKTNOSUPPORT",
        calls: &["socket"],
        cause: "No protocol of IPv4 has the type SOCK_SEQPACKET, a stream that keeps messages apart.",
        cure: "Use SOCK_STREAM, and mark in the bytes where a message ends.",
        documented: &["ip(7)"],
        remark: "The page socket(2) does not list ESOCKTNOSUPPORT.",
        otherwise: &[Expected::on("where the kernel has SCTP, a protocol with such a type", &[calls("socket", "fd")])],
        play: no_records_in_ip,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-unix-type",
        errno: "ESOCKTNOSUPPORT",
        calls: &["socket"],
        cause: "The family AF_UNIX has streams, datagrams and SOCK_SEQPACKET, and no SOCK_RDM (datagrams in any \
            order, none of them lost).",
        cure: "Use SOCK_DGRAM: between the processes of one machine no datagram is lost.",
        documented: &["unix(7)"],
        remark: "SOCK_RAW is accepted, and becomes SOCK_DGRAM without a word.",
        play: no_such_unix_type,
        ..Provocation::USUAL
    },
    Provocation {
        name: "netlink-stream",
        errno: "ESOCKTNOSUPPORT",
        calls: &["socket"],
        cause: "Netlink, the family for talking with the kernel, knows messages and no streams.",
        cure: "Use SOCK_RAW or SOCK_DGRAM: to netlink they are the same.",
        documented: &[],
        play: netlink_stream,
        ..Provocation::USUAL
    },
    Provocation {
        name: "mptcp-switched-off",
        errno: "ENOPROTOOPT",
        calls: &["socket"],
        cause: "The kernel has Multipath TCP, and net.mptcp.enabled is 0 in this network.",
        cure: "Take ordinary TCP, by passing 0 for the protocol; or switch the setting on.",
        documented: &[],
        remark: "No document tells of it, and the errno's words, “Protocol not available”, are otherwise those for \
            an unknown option.",
        needs: &[Lack::Namespaces, Lack::Settings],
        play: mptcp_switched_off,
        ..Provocation::USUAL
    },
    Provocation {
        name: "raw-for-the-privileged",
        errno: "EPERM",
        calls: &["socket"],
        cause: "A raw socket sees and writes whole packets, so it needs the privilege CAP_NET_RAW.",
        cure: "Run the program with that privilege, or do without: for a ping there is SOCK_DGRAM with IPPROTO_ICMP.",
        documented: &["raw(7)"],
        remark: "The page socket(2) tells of EACCES where a permission is missing. Here the kernel says EPERM.",
        needs: &[Lack::UnprivilegedUser],
        otherwise: &[PRIVILEGED],
        play: raw_for_the_privileged,
        ..Provocation::USUAL
    },
    Provocation {
        name: "packets-for-the-privileged",
        errno: "EPERM",
        calls: &["socket"],
        cause: "A packet socket sees what passes the network interfaces, other programs' packets too, so it needs \
            CAP_NET_RAW.",
        cure: "Run the program with that privilege.",
        documented: &["packet(7)"],
        needs: &[Lack::UnprivilegedUser, Lack::Kernel],
        otherwise: &[PRIVILEGED],
        play: packets_for_the_privileged,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cgroup-says-no",
        errno: "EPERM",
        calls: &["socket"],
        cause: "A BPF program, a small program that runs inside the kernel, watches over this group of processes, \
            and lets it make no such socket.",
        cure: "Ask who keeps the machine or the container. Nothing in the program is wrong.",
        documented: &[],
        way: Way::Elsewhere(
            "it takes a cgroup (a group of processes) with a BPF program attached, which is to change the machine",
        ),
        play: ordinary_tcp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "ping-group",
        errno: "EACCES",
        calls: &["socket"],
        cause: "A socket for pings is only for the groups in net.ipv4.ping_group_range; a fresh network lets no \
            group in.",
        cure: "Widen that range. Here the privileges of root do not help.",
        documented: &["socket(2)"],
        remark: "With the kernel's own setting, “1 0”, even root is refused. Many systems widen it, in their first \
            network only.",
        needs: &[Lack::Namespaces],
        play: ping_group,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-number-left",
        errno: "EMFILE",
        calls: &["socket"],
        cause: "The process has as many descriptors as its limit RLIMIT_NOFILE allows.",
        cure: "Close what is no longer needed: most often a close was forgotten. Else raise the limit (ulimit -n).",
        documented: &["socket(2)", "POSIX"],
        play: no_number_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "files-of-the-machine",
        errno: "ENFILE",
        calls: &["socket"],
        cause: "On the whole machine as many files are open as fs.file-max allows.",
        cure: "Find who holds them all open (lsof tells), or raise the setting. To try again later may help.",
        documented: &["socket(2)", "POSIX"],
        remark: "Processes with CAP_SYS_ADMIN, root's as a rule, may open files beyond the limit.",
        way: Way::Elsewhere("it takes a moment in which nobody on the whole machine can open a file"),
        play: ordinary_tcp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-sockets-of-the-machine",
        errno: "ENFILE",
        calls: &["socket"],
        cause: "The machine has more sockets of the family AF_UNIX than twice fs.file-max.",
        cure: "Find who holds them all open (ss -x tells), or raise the setting.",
        documented: &["unix(7)"],
        remark: "CAP_SYS_ADMIN frees a process from the limit of files, and not from this one.",
        way: Way::Elsewhere("it takes a moment in which nobody on the whole machine can make such a socket"),
        play: ordinary_unix,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-the-file",
        errno: "ENFILE",
        calls: &["socket"],
        cause: "There is no memory for the file behind the descriptor, the first thing that the kernel makes of a \
            socket.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "No table of files is full: the kernel says ENFILE whenever it cannot make this part of a socket.",
        way: Way::Elsewhere(FULL_CGROUP),
        play: ordinary_tcp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOMEM",
        calls: &["socket"],
        cause: "There is no memory for the protocol's part of the socket.",
        cure: "Give the program, or its container, more memory.",
        documented: &["socket(2)", "POSIX"],
        way: Way::Elsewhere(FULL_CGROUP),
        play: ordinary_tcp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-ipv6",
        errno: "ENOBUFS",
        calls: &["socket"],
        cause: "There is no memory for the protocol's part of a socket of AF_INET6 or AF_PACKET.",
        cure: "Give the program, or its container, more memory. Treat ENOBUFS and ENOMEM alike.",
        documented: &["socket(2)", "POSIX"],
        remark: "For the same lack AF_INET says ENOMEM.",
        way: Way::Elsewhere(FULL_CGROUP),
        play: ordinary_ipv6,
        ..Provocation::USUAL
    },
    Provocation {
        name: "type-for-the-protocol",
        errno: "EPROTOTYPE",
        calls: &["socket"],
        cause: "The protocol does not have the type.",
        cure: "Pass 0 for the protocol.",
        documented: &["POSIX"],
        remark: "POSIX tells of it. Linux says EPROTONOSUPPORT, or ESOCKTNOSUPPORT if no protocol of the family has \
            the type.",
        way: Way::Never("Linux says EPROTONOSUPPORT or ESOCKTNOSUPPORT"),
        play: ordinary_tcp,
        ..Provocation::USUAL
    },
];

fn no_such_family() -> Result<(), Stop> {
    // Number 0 is AF_UNSPEC, "not said"; number 200 is nothing yet.
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_UNSPEC, libc::SOCK_STREAM, 0) };
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(200, libc::SOCK_STREAM, 0) };
    Ok(())
}

fn no_such_type() -> Result<(), Stop> {
    // The types end with SOCK_PACKET, which is 10.
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, 11, 0) };
    Ok(())
}

fn unknown_flag() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | 0x100000, 0) };
    Ok(())
}

fn protocol_out_of_range() -> Result<(), Stop> {
    for protocol in [-1, 4096] {
        // SAFETY: socket takes three numbers and no pointer.
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, protocol) };
    }
    Ok(())
}

fn protocol_of_another_type() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_UDP) };
    Ok(())
}

fn raw_without_a_protocol() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, 0) };
    Ok(())
}

fn unix_with_a_protocol() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 7) };
    Ok(())
}

fn nobody_at_the_other_end() -> Result<(), Stop> {
    // Number 31 is the last that netlink has room for, and nobody uses it.
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 31) };
    Ok(())
}

fn no_records_in_ip() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_SEQPACKET, 0) };
    Ok(())
}

fn no_such_unix_type() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_RDM, 0) };
    Ok(())
}

fn netlink_stream() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_STREAM, libc::NETLINK_ROUTE) };
    Ok(())
}

fn mptcp_switched_off() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.mptcp.enabled", "0")?;
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP) };
    Ok(())
}

fn raw_for_the_privileged() -> Result<(), Stop> {
    lab::become_nobody()?;
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP) };
    Ok(())
}

fn packets_for_the_privileged() -> Result<(), Stop> {
    lab::become_nobody()?;
    // Protocol 0: it would see nothing before somebody asks for more.
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::EAFNOSUPPORT) {
        return Err(Stop::cannot(Lack::Kernel, format!("socket(AF_PACKET) said: {error}")));
    }
    Ok(())
}

fn ping_group() -> Result<(), Stop> {
    lab::private_network()?;
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP) };
    Ok(())
}

fn no_number_left() -> Result<(), Stop> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is an rlimit, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) } == -1 {
        return Err(Stop::failed("setrlimit"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    Ok(())
}

/// A call that nothing is wrong with: the observer makes it fail.
fn ordinary_tcp() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    Ok(())
}

/// The same in the family AF_UNIX.
fn ordinary_unix() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    Ok(())
}

/// The same in the family AF_INET6.
fn ordinary_ipv6() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    Ok(())
}
