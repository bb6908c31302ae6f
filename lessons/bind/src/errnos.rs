//! Every errno that bind can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-bind -- EADDRINUSE` plays those that give this errno, `-- name` the one of this name.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::mem;
use std::ptr;

use lab::{Expected, Lack, Provocation, Stop, Way, calls};

use crate::{LENGTH, LENGTH6, LongAddress, ipv4, ipv6, loopback, no_ipv6};

/// Why the lack of memory is only injected.
const FULL_CGROUP: &str = "it takes a memory cgroup (a group of processes with a limit on its memory) that is full, \
                           and to make one is to change the machine";

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: &["bind"],
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the socket was closed already, or socket failed and its -1 was passed on.",
        documented: &["bind(2)", "POSIX"],
        play: no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: &["bind"],
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket made. (It is EBADF and not ENOTSOCK, since no open file can be asked \
            what it is.)",
        documented: &[],
        play: only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: &["bind"],
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Look where the number comes from: a descriptor was closed, and its number has been given to a file \
            since.",
        documented: &["bind(2)", "POSIX"],
        play: not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-address",
        errno: "EFAULT",
        calls: &["bind"],
        cause: "The pointer to the address leads nowhere that the program may read; here it is null.",
        cure: "Pass a pointer to a whole address that still lives.",
        documented: &["bind(2)"],
        remark: "The page bind(2) lists it among the errors of AF_UNIX. It is the same for every family.",
        play: bad_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "wrong-length",
        errno: "EINVAL",
        calls: &["bind"],
        cause: "The length is too small for an address of this family, negative, or larger than any address.",
        cure: "Pass size_of the type that holds the address: 16 for a sockaddr_in, 28 for a sockaddr_in6.",
        documented: &["bind(2)"],
        play: wrong_length,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bound-already",
        errno: "EINVAL",
        calls: &["bind"],
        cause: "The socket has a name already, and it keeps that for life.",
        cure: "Make a new socket. If nobody has bound this one, look whether it is connected: connect gives a \
            socket of the internet families a name, too.",
        documented: &["bind(2)", "POSIX"],
        play: bound_already,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-unix-address",
        errno: "EINVAL",
        calls: &["bind"],
        cause: "The socket is one of AF_UNIX, and the address says that it is of another family.",
        cure: "Set sun_family to AF_UNIX.",
        documented: &["unix(7)"],
        remark: "A socket of AF_INET says EAFNOSUPPORT for the same mistake.",
        play: not_a_unix_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-path-too-long",
        errno: "EINVAL",
        calls: &["bind"],
        cause: "The address is longer than a sockaddr_un, so the path does not fit: it has room for 108 bytes.",
        cure: "Take a shorter path, or go to its directory first and use a relative one.",
        documented: &["bind(2)"],
        remark: "POSIX tells of ENAMETOOLONG for a path that is too long, and bind(2) of that as well as of EINVAL. \
            Linux says EINVAL.",
        play: unix_path_too_long,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-local-without-a-link",
        errno: "EINVAL",
        calls: &["bind"],
        cause: "A link-local address of IPv6 (fe80::…) means something on one link only, and the address does not \
            say on which.",
        cure: "Set sin6_scope_id to the number of the interface (if_nametoindex tells it).",
        documented: &[],
        needs: &[Lack::Ipv6],
        play: link_local_without_a_link,
        ..Provocation::USUAL
    },
    Provocation {
        name: "address-of-another-family",
        errno: "EAFNOSUPPORT",
        calls: &["bind"],
        cause: "The socket is one of AF_INET, and the address says that it is of another family.",
        cure: "Set sin_family to AF_INET; look at byte order and type.",
        documented: &["POSIX"],
        remark: "The page bind(2) does not list it.",
        play: address_of_another_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-family-for-ipv6",
        errno: "EAFNOSUPPORT",
        calls: &["bind"],
        cause: "The address of a socket of AF_INET6 says AF_UNSPEC, which is no family: often the family was \
            forgotten, and AF_UNSPEC is 0.",
        cure: "Set sin6_family to AF_INET6.",
        documented: &[],
        remark: "A socket of AF_INET lets it pass where the address is 0.0.0.0, since old programs left the family \
            out.",
        needs: &[Lack::Ipv6],
        play: no_family_for_ipv6,
        ..Provocation::USUAL
    },
    Provocation {
        name: "port-taken",
        errno: "EADDRINUSE",
        calls: &["bind"],
        cause: "Another socket is bound to this address and port.",
        cure: "End the other program, or take another port. SO_REUSEADDR helps against connections that have ended, \
            if both servers set it.",
        documented: &["bind(2)", "ip(7)", "POSIX"],
        play: port_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-port-left",
        errno: "EADDRINUSE",
        calls: &["bind"],
        cause: "The port is 0, so the kernel must choose one, and all that it may choose from are taken.",
        cure: "Close what holds them, or widen net.ipv4.ip_local_port_range.",
        documented: &["bind(2)", "ip(7)"],
        needs: &[Lack::Namespaces, Lack::Settings],
        play: no_port_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "path-taken",
        errno: "EADDRINUSE",
        calls: &["bind"],
        cause: "A file has this path already: another socket's, or an ordinary one.",
        cure: "If connect says ECONNREFUSED, nobody is behind it: unlink it, and bind again.",
        documented: &["bind(2)", "unix(7)"],
        play: path_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "abstract-name-taken",
        errno: "EADDRINUSE",
        calls: &["bind"],
        cause: "Another socket has this abstract name (a name of AF_UNIX that is not in the file system, and begins \
            with a zero byte).",
        cure: "End the other program, or take another name. There is no file to unlink.",
        documented: &["unix(7)"],
        play: abstract_name_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "netlink-number-taken",
        errno: "EADDRINUSE",
        calls: &["bind"],
        cause: "Another netlink socket has this number (netlink, the family for talking with the kernel, names its \
            sockets with numbers).",
        cure: "Pass 0, and the kernel chooses.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: netlink_number_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-our-address",
        errno: "EADDRNOTAVAIL",
        calls: &["bind"],
        cause: "No interface of this machine has the IPv4 address.",
        cure: "Bind to an address of this machine (ip addr shows them), to 127.0.0.1, or to 0.0.0.0 for all of \
            them.",
        documented: &["bind(2)", "ip(7)", "POSIX"],
        remark: "The page bind(2) lists it among the errors of AF_UNIX, where it never happens.",
        otherwise: &[Expected::on("where net.ipv4.ip_nonlocal_bind is 1", &[calls("bind", "0")])],
        play: not_our_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-our-ipv6-address",
        errno: "EADDRNOTAVAIL",
        calls: &["bind"],
        cause: "No interface of this machine has the IPv6 address.",
        cure: "Bind to an address of this machine, to ::1, or to :: for all of them. An address that is very new \
            may still be on trial for a second.",
        documented: &["ip(7)"],
        needs: &[Lack::Ipv6],
        otherwise: &[Expected::on("where net.ipv6.ip_nonlocal_bind is 1", &[calls("bind", "0")])],
        play: not_our_ipv6_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-local-on-no-link",
        errno: "ENODEV",
        calls: &["bind"],
        cause: "A link-local address of IPv6 names its link by the interface's number, and no interface has this \
            one.",
        cure: "Ask if_nametoindex for the number each time: it changes when an interface is made anew.",
        documented: &["ipv6(7)"],
        needs: &[Lack::Ipv6],
        play: link_local_on_no_link,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-interface",
        errno: "ENODEV",
        calls: &["bind"],
        cause: "A packet socket, which sees whole packets of one interface, is to be bound to an interface that \
            does not exist.",
        cure: "Ask if_nametoindex for the number each time: it changes when an interface is made anew.",
        documented: &["packet(7)"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: no_such_interface,
        ..Provocation::USUAL
    },
    Provocation {
        name: "privileged-port",
        errno: "EACCES",
        calls: &["bind"],
        cause: "The port is below net.ipv4.ip_unprivileged_port_start (1024 as a rule), and the program lacks the \
            privilege CAP_NET_BIND_SERVICE.",
        cure: "Take a higher port, or give the program that privilege.",
        documented: &["bind(2)", "ip(7)"],
        needs: &[Lack::UnprivilegedUser],
        otherwise: &[
            Expected::on("where low ports are free for all, or this user has the privilege", &[calls("bind", "0")]),
            Expected::on(
                "where low ports are free for all, and a program has this one",
                &[calls("bind", "EADDRINUSE")],
            ),
        ],
        play: privileged_port,
        ..Provocation::USUAL
    },
    Provocation {
        name: "forbidden-by-landlock",
        errno: "EACCES",
        calls: &["bind"],
        cause: "The program has bound its own hands: with Landlock (a way to give up rights, open to every program) \
            it forbade itself to bind TCP ports.",
        cure: "Bind before giving up the right, or allow the port with landlock_add_rule.",
        documented: &[],
        needs: &[Lack::Kernel],
        play: forbidden_by_landlock,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unsearchable-directory",
        errno: "EACCES",
        calls: &["bind"],
        cause: "A directory of the path may not be searched: the permission x is missing there.",
        cure: "Take a directory of your own, such as the one that XDG_RUNTIME_DIR names.",
        documented: &["bind(2)", "POSIX"],
        needs: &[Lack::UnprivilegedUser],
        play: unsearchable_directory,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unwritable-directory",
        errno: "EACCES",
        calls: &["bind"],
        cause: "bind would make a file in a directory that the program may not write to.",
        cure: "Take a directory of your own, such as the one that XDG_RUNTIME_DIR names.",
        documented: &["POSIX"],
        needs: &[Lack::UnprivilegedUser],
        play: unwritable_directory,
        ..Provocation::USUAL
    },
    Provocation {
        name: "netlink-groups",
        errno: "EPERM",
        calls: &["bind"],
        cause: "A netlink socket (netlink is the family for talking with the kernel) would join a group whose \
            messages are only for the privileged.",
        cure: "Run the program with CAP_NET_ADMIN. Some parts of the kernel, such as NETLINK_ROUTE, let everybody \
            listen.",
        documented: &[],
        needs: &[Lack::UnprivilegedUser],
        play: netlink_groups,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-sockets-there",
        errno: "EPERM",
        calls: &["bind"],
        cause: "The path lies in a file system in which no socket can be made, such as the one of the terminals, \
            /dev/pts.",
        cure: "Take a directory on an ordinary file system, such as /run or /tmp.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: no_sockets_there,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cgroup-says-no",
        errno: "EPERM",
        calls: &["bind"],
        cause: "A BPF program, a small program that runs inside the kernel, watches over this group of processes, \
            and does not let it bind here.",
        cure: "Ask who keeps the machine or the container. Nothing in the program is wrong.",
        documented: &[],
        way: Way::Elsewhere(
            "it takes a cgroup (a group of processes) with a BPF program attached, which is to change the machine",
        ),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-directory",
        errno: "ENOENT",
        calls: &["bind"],
        cause: "A directory of the path does not exist.",
        cure: "Make the directory first: bind makes the last part of the path, and nothing before it.",
        documented: &["bind(2)", "POSIX"],
        play: no_such_directory,
        ..Provocation::USUAL
    },
    Provocation {
        name: "file-in-the-path",
        errno: "ENOTDIR",
        calls: &["bind"],
        cause: "A part of the path that should be a directory is a file.",
        cure: "Look at the path from left to right.",
        documented: &["bind(2)", "POSIX"],
        play: file_in_the_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "links-in-a-circle",
        errno: "ELOOP",
        calls: &["bind"],
        cause: "The path leads through symbolic links that never come to an end.",
        cure: "Look with ls -l where the links point.",
        documented: &["bind(2)", "POSIX"],
        play: links_in_a_circle,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-too-long",
        errno: "ENAMETOOLONG",
        calls: &["bind"],
        cause: "A symbolic link in the path leads to a name of more than 255 bytes, and no file can have such a \
            name.",
        cure: "Look with ls -l where the link points.",
        documented: &["bind(2)", "POSIX"],
        remark: "A path in the address itself can never be long enough for it: it has room for 108 bytes, and one \
            that is longer is EINVAL.",
        play: link_too_long,
        ..Provocation::USUAL
    },
    Provocation {
        name: "read-only",
        errno: "EROFS",
        calls: &["bind"],
        cause: "The path lies on a file system that may only be read.",
        cure: "Take a directory that can be written to, such as /run or /tmp. In many containers all others are \
            read-only.",
        documented: &["bind(2)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: read_only,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-file-left",
        errno: "ENOSPC",
        calls: &["bind"],
        cause: "The file system has no room for one more file.",
        cure: "Remove what is no longer needed: df -i tells how many files fit.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: no_file_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOMEM",
        calls: &["bind"],
        cause: "There is no memory for the path, or for the file that bind makes.",
        cure: "Give the program, or its container, more memory.",
        documented: &["bind(2)", "unix(7)"],
        way: Way::Elsewhere(FULL_CGROUP),
        play: ordinary_unix_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-mptcp",
        errno: "ENFILE",
        calls: &["bind"],
        cause: "The socket speaks Multipath TCP, and the kernel gets no memory for the hidden TCP socket behind it.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "No table of files is full: the kernel says ENFILE whenever it cannot make \
            a socket.",
        way: Way::Elsewhere(FULL_CGROUP),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "disk-fails",
        errno: "EIO",
        calls: &["bind"],
        cause: "The disk failed while the file of the socket was made.",
        cure: "Look at the kernel's messages (dmesg), and save what can be saved.",
        documented: &["POSIX"],
        way: Way::Elsewhere("it takes a disk that fails"),
        play: ordinary_unix_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-names-at-all",
        errno: "EOPNOTSUPP",
        calls: &["bind"],
        cause: "A socket of this family or type has no name that it could be given.",
        cure: "Leave bind out.",
        documented: &["POSIX"],
        remark: "All families of the kernel that these recordings come from can bind.",
        way: Way::Elsewhere("it takes a kernel with a family that has no names, such as AF_KEY or AF_PPPOX"),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-buffer-space",
        errno: "ENOBUFS",
        calls: &["bind"],
        cause: "There is no memory for the name.",
        cure: "Give the program, or its container, more memory.",
        documented: &["POSIX"],
        remark: "POSIX tells of it. Linux says ENOMEM.",
        way: Way::Never("Linux says ENOMEM where memory is lacking"),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bound-later",
        errno: "EINPROGRESS",
        calls: &["bind"],
        cause: "The socket does not wait (O_NONBLOCK), and gets its name later.",
        cure: "Nothing is to be done on Linux: bind never waits.",
        documented: &["POSIX"],
        way: Way::Never("Linux binds at once"),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "being-bound",
        errno: "EALREADY",
        calls: &["bind"],
        cause: "The socket is still getting the name that an earlier bind asked for.",
        cure: "Nothing is to be done on Linux: bind never waits.",
        documented: &["POSIX"],
        way: Way::Never("Linux binds at once"),
        play: ordinary_bind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "null-for-a-directory",
        errno: "EISDIR",
        calls: &["bind"],
        cause: "The pointer to the address is null. (This is one of two errnos that POSIX allows for that.)",
        cure: "Pass a pointer to an address.",
        documented: &["POSIX"],
        remark: "POSIX allows it for sockets of AF_UNIX. Linux says EFAULT, or EINVAL if the length is wrong \
            besides.",
        way: Way::Never("Linux says EFAULT for a null pointer, or EINVAL for its length"),
        play: null_pointer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "null-for-an-address",
        errno: "EDESTADDRREQ",
        calls: &["bind"],
        cause: "The pointer to the address is null. (This is the other errno that POSIX allows for that.)",
        cure: "Pass a pointer to an address.",
        documented: &["POSIX"],
        remark: "POSIX allows it for sockets of AF_UNIX. Linux says EFAULT, or EINVAL if the length is wrong \
            besides.",
        way: Way::Never("Linux says EFAULT for a null pointer, or EINVAL for its length"),
        play: null_pointer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "connected-already",
        errno: "EISCONN",
        calls: &["bind"],
        cause: "The socket is connected.",
        cure: "Bind before connect, if the client's own port matters.",
        documented: &["POSIX"],
        remark: "On Linux a connected socket of the internet families is bound already: EINVAL. One of AF_UNIX may \
            be bound even now.",
        way: Way::Never("Linux says EINVAL, since connect has bound the socket"),
        play: ordinary_bind,
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

/// A fresh UDP socket of IPv6.
fn fresh_ipv6() -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 { Err(no_ipv6("socket")) } else { Ok(fd) }
}

/// A path as an address of the family AF_UNIX, and its length, a zero byte at the end counted in. At most 107 bytes.
fn path(name: &str) -> (libc::sockaddr_un, libc::socklen_t) {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    (address, (size_of::<libc::sa_family_t>() + name.len() + 1) as libc::socklen_t)
}

/// A new directory, with these permissions.
fn directory(name: &CStr, mode: libc::mode_t) -> Result<(), Stop> {
    // SAFETY: the path ends in a zero byte, and mkdir only reads it.
    if unsafe { libc::mkdir(name.as_ptr(), 0o700) } == -1 {
        return Err(Stop::failed("mkdir"));
    }
    // SAFETY: the path ends in a zero byte, and chmod only reads it.
    if unsafe { libc::chmod(name.as_ptr(), mode) } == -1 {
        return Err(Stop::failed("chmod"));
    }
    Ok(())
}

/// A new symbolic link.
fn link(to: &CStr, name: &CStr) -> Result<(), Stop> {
    // SAFETY: both paths end in a zero byte, and symlink only reads them.
    if unsafe { libc::symlink(to.as_ptr(), name.as_ptr()) } == -1 { Err(Stop::failed("symlink")) } else { Ok(()) }
}

/// Gives this process a file tree of its own, in which it may mount: nobody else sees that, and it ends with the
/// process. Who is not root becomes root in there, and in there only.
fn own_file_tree() -> Result<(), Stop> {
    let no = |what: &str, error: io::Error| Stop::cannot(Lack::Namespaces, format!("{what} was refused: {error}"));
    // SAFETY: geteuid and getegid take nothing and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: unshare takes a number and changes only this process.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) } == 0 {
        for (file, line) in [
            ("/proc/self/setgroups", "deny".to_string()),
            ("/proc/self/uid_map", format!("0 {user} 1")),
            ("/proc/self/gid_map", format!("0 {group} 1")),
        ] {
            fs::write(file, line).map_err(|error| no(file, error))?;
        }
    } else {
        let error = io::Error::last_os_error();
        // User namespaces may be forbidden where root may still have a file tree.
        // SAFETY: unshare takes a number and changes only this process.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } == -1 {
            return Err(no("unshare(CLONE_NEWUSER|CLONE_NEWNS)", error));
        }
    }
    // What is mounted here from now on is mounted nowhere else.
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the path ends in a zero byte; with these flags mount looks at nothing else.
    if unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) } == -1 {
        return Err(no("mount(MS_PRIVATE)", io::Error::last_os_error()));
    }
    Ok(())
}

/// Mounts an empty file system of this kind on a new directory, in a file tree of this process's own.
fn mounted(kind: &CStr, at: &CStr, flags: libc::c_ulong, options: &CStr) -> Result<(), Stop> {
    own_file_tree()?;
    directory(at, 0o755)?;
    // SAFETY: all four strings end in a zero byte, and mount only reads them.
    if unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) } == -1 {
        let error = io::Error::last_os_error();
        return Err(Stop::cannot(Lack::Namespaces, format!("mount({kind:?}) was refused: {error}")));
    }
    Ok(())
}

fn no_descriptor() -> Result<(), Stop> {
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(-1, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn only_a_path() -> Result<(), Stop> {
    let fd = file(libc::O_PATH)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn not_a_socket() -> Result<(), Stop> {
    let fd = file(libc::O_RDONLY)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn bad_address() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    // SAFETY: only the kernel follows the pointer, and it looks first whether that can be done.
    unsafe { libc::bind(fd, ptr::null(), LENGTH) };
    Ok(())
}

fn wrong_length() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = LongAddress { address: loopback(0), rest: [0; 116] };
    for length in [3, 129, -1] {
        // SAFETY: `address` has 132 bytes; bind reads 3 or 129 of them, and none if the length is -1.
        unsafe { libc::bind(fd, (&raw const address).cast(), length as libc::socklen_t) };
    }
    Ok(())
}

fn bound_already() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn not_a_unix_address() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn unix_path_too_long() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    // A sockaddr_un has 110 bytes: two of them are the family.
    let mut address = [b'a'; 111];
    address[..2].copy_from_slice(&(libc::AF_UNIX as libc::sa_family_t).to_ne_bytes());
    // SAFETY: `address` has 111 bytes, and bind only reads them.
    unsafe { libc::bind(fd, address.as_ptr().cast(), 111) };
    Ok(())
}

/// An address that only counts on one link: fe80::1.
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A number that no interface has: they are counted from 1.
const NO_INTERFACE: libc::c_int = libc::c_int::MAX;

fn link_local_without_a_link() -> Result<(), Stop> {
    let fd = fresh_ipv6()?;
    let address = ipv6(LINK_LOCAL, 0);
    // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH6) };
    Ok(())
}

fn address_of_another_family() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let (address, _) = path("demo.sock");
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_un, `length` bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn no_family_for_ipv6() -> Result<(), Stop> {
    let fd = fresh_ipv6()?;
    let mut address = ipv6([0; 16], 0);
    address.sin6_family = libc::AF_UNSPEC as libc::sa_family_t;
    // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH6) };
    Ok(())
}

fn port_taken() -> Result<(), Stop> {
    let first = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(first, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(first, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    let second = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(second, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn no_port_left() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.ipv4.ip_local_port_range", "40000 40001")?;
    let address = loopback(0);
    for _ in 0..3 {
        let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    }
    Ok(())
}

fn path_taken() -> Result<(), Stop> {
    let (address, length) = path("demo.sock");
    for _ in 0..2 {
        let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
        // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
        unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    }
    Ok(())
}

fn abstract_name_taken() -> Result<(), Stop> {
    let (mut address, _) = path("");
    let first = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    // The family alone: the kernel chooses an abstract name that is free.
    let family = size_of::<libc::sa_family_t>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_un, longer than `family`, and bind only reads it.
    if unsafe { libc::bind(first, (&raw const address).cast(), family) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(first, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    let second = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_un, at least as long as `length`, and bind only reads it.
    unsafe { libc::bind(second, (&raw const address).cast(), length) };
    Ok(())
}

/// The size of a `sockaddr_nl`: 12.
const LENGTH_NETLINK: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;

/// An address of netlink: number 0, and no groups.
fn netlink() -> libc::sockaddr_nl {
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address
}

fn netlink_number_taken() -> Result<(), Stop> {
    lab::private_network()?; // there every number is free
    let mut address = netlink();
    address.nl_pid = 7;
    for _ in 0..2 {
        let fd = fresh(libc::AF_NETLINK, libc::SOCK_RAW)?;
        // SAFETY: `address` is a sockaddr_nl, LENGTH_NETLINK bytes long, and bind only reads it.
        unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH_NETLINK) };
    }
    Ok(())
}

fn not_our_address() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    // From a block that is kept for examples in books, so nobody has it.
    let address = ipv4([192, 0, 2, 77], 0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn not_our_ipv6_address() -> Result<(), Stop> {
    let fd = fresh_ipv6()?;
    // 2001:db8::77, from a block that is kept for examples in books, so nobody has it.
    let address = ipv6([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77], 0);
    // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH6) };
    Ok(())
}

fn link_local_on_no_link() -> Result<(), Stop> {
    let fd = fresh_ipv6()?;
    let mut address = ipv6(LINK_LOCAL, 0);
    address.sin6_scope_id = NO_INTERFACE as u32;
    // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH6) };
    Ok(())
}

fn no_such_interface() -> Result<(), Stop> {
    lab::private_network()?; // there everybody has the privilege for a packet socket
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        let error = io::Error::last_os_error();
        return Err(Stop::cannot(Lack::Kernel, format!("socket(AF_PACKET) said: {error}")));
    }
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: 0,
        sll_ifindex: NO_INTERFACE,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll, `length` bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn privileged_port() -> Result<(), Stop> {
    lab::become_nobody()?;
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = loopback(1);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// Which rights a set of Landlock's rules is about: the kernel's `struct landlock_ruleset_attr`.
#[repr(C)]
struct Rights {
    files: u64,
    network: u64,
}

/// The kernel's `LANDLOCK_ACCESS_NET_BIND_TCP`.
const BIND_TCP: u64 = 1;

fn forbidden_by_landlock() -> Result<(), Stop> {
    let rights = Rights { files: 0, network: BIND_TCP };
    // SAFETY: `rights` is as long as we say, and the call only reads it.
    let rules = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rights, size_of::<Rights>(), 0 as libc::c_uint)
    };
    if rules == -1 {
        let error = io::Error::last_os_error();
        return Err(Stop::cannot(Lack::Kernel, format!("landlock_create_ruleset said: {error}")));
    }
    // To give up a right for good, a process must first promise that no program that it starts has more of them.
    let (yes, unused): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: prctl takes five numbers here, and changes only this process.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, unused, unused, unused) } == -1 {
        return Err(Stop::failed("prctl"));
    }
    // No rule has been added that allows a port.
    // SAFETY: landlock_restrict_self takes two numbers and changes only this process.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0 as libc::c_uint) } == -1 {
        return Err(Stop::failed("landlock_restrict_self"));
    }
    // SAFETY: `rules` is a descriptor of ours, and is not used after this line.
    if unsafe { libc::close(rules as libc::c_int) } == -1 {
        return Err(Stop::failed("close"));
    }
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

fn unsearchable_directory() -> Result<(), Stop> {
    directory(c"unsearchable", 0o600)?;
    lab::become_nobody()?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("unsearchable/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn unwritable_directory() -> Result<(), Stop> {
    directory(c"unwritable", 0o555)?;
    lab::become_nobody()?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("unwritable/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn netlink_groups() -> Result<(), Stop> {
    lab::become_nobody()?;
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_USERSOCK) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = netlink();
    address.nl_groups = 1; // a bit for each group: this is the first
    // SAFETY: `address` is a sockaddr_nl, LENGTH_NETLINK bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH_NETLINK) };
    Ok(())
}

fn no_sockets_there() -> Result<(), Stop> {
    mounted(c"devpts", c"terminals", 0, c"")?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("terminals/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn no_such_directory() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("none/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn file_in_the_path() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("/dev/null/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn links_in_a_circle() -> Result<(), Stop> {
    link(c"circle", c"circle")?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("circle/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn link_too_long() -> Result<(), Stop> {
    let mut name = [b'a'; 257]; // 256 bytes, one too many, and the zero byte
    name[256] = 0;
    let name = CStr::from_bytes_with_nul(&name).map_err(|error| Stop::unexpected(error.to_string()))?;
    link(name, c"link")?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("link/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn read_only() -> Result<(), Stop> {
    mounted(c"tmpfs", c"read-only", libc::MS_RDONLY, c"")?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("read-only/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

fn no_file_left() -> Result<(), Stop> {
    mounted(c"tmpfs", c"full", 0, c"nr_inodes=1")?; // one file fits, and that is its topmost directory
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("full/demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

/// A bind that nothing is wrong with: the observer makes it fail.
fn ordinary_bind() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// The same with a path.
fn ordinary_unix_bind() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let (address, length) = path("demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    Ok(())
}

/// A bind that Linux refuses with EFAULT: the observer makes it fail with something else.
fn null_pointer() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    // SAFETY: only the kernel follows the pointer, and it looks first whether that can be done.
    unsafe { libc::bind(fd, ptr::null(), size_of::<libc::sockaddr_un>() as libc::socklen_t) };
    Ok(())
}
