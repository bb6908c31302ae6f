//! Between programs of one machine (AF_UNIX): paths, pairs, and what a message can carry along.

use std::os::unix::fs::symlink;
use std::{fs, io, mem};

use lab::{Lack, Stop};
use libc::c_int;
use nix::errno::Errno;

use super::means::{
    Control, FORMS, bind, close, connect, empty_message, fresh, send_by_each, send_there_by_both, sendmsg_with,
    unix_pair,
};
use crate::{set, shut};

/// The address of a socket at this path.
fn at(path: &str) -> libc::sockaddr_un {
    // SAFETY: a sockaddr_un is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(path.bytes()) {
        *to = from as libc::c_char;
    }
    address
}

/// A socket of this kind that is bound to this path.
fn bound_at(path: &str, kind: c_int) -> Result<c_int, Stop> {
    let fd = fresh(libc::AF_UNIX, kind)?;
    bind(fd, &at(path))?;
    Ok(fd)
}

/// For what is done to files beforehand.
fn done_to(what: &str, result: io::Result<()>) -> Result<(), Stop> {
    result.map_err(|error| Stop::unexpected(format!("{what}: {error}")))
}

pub(super) fn passes_no_descriptor() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    let not_open: c_int = 9999;
    sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_RIGHTS, not_open));
    Ok(())
}

pub(super) fn unix_stream_alone() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    send_by_each(fd, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}

pub(super) fn unix_datagrams_alone() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_by_each(fd, b"x", 0);
    Ok(())
}

pub(super) fn address_for_a_connection() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    send_there_by_both(one, b"x", libc::MSG_NOSIGNAL, &at("demo.sock"));
    Ok(())
}

pub(super) fn unix_peer_closed() -> Result<(), Stop> {
    let (one, other) = unix_pair(libc::SOCK_STREAM)?;
    close(other)?;
    send_by_each(one, b"x", libc::MSG_NOSIGNAL);
    Ok(())
}

pub(super) fn unix_peer_reads_no_more() -> Result<(), Stop> {
    let (one, other) = unix_pair(libc::SOCK_DGRAM)?;
    shut(other, libc::SHUT_RD)?;
    send_by_each(one, b"x", 0);
    Ok(())
}

pub(super) fn unix_queue_full() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_DGRAM)?;
    lab::stop_watching();
    // SAFETY: the pointer is to one byte, which send only reads.
    while unsafe { libc::send(one, b"x".as_ptr().cast(), 1, libc::MSG_DONTWAIT) } != -1 {}
    if Errno::last() != Errno::EAGAIN {
        return Err(Stop::failed("send"));
    }
    lab::watch_again();
    send_by_each(one, b"x", libc::MSG_DONTWAIT);
    Ok(())
}

pub(super) fn unix_datagram_peer_closed() -> Result<(), Stop> {
    for form in FORMS {
        let (one, other) = unix_pair(libc::SOCK_DGRAM)?;
        close(other)?;
        form(one, b"x", 0);
    }
    Ok(())
}

pub(super) fn path_is_a_file() -> Result<(), Stop> {
    done_to("the file cannot be written", fs::write("file", ""))?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("file"));
    Ok(())
}

pub(super) fn no_write_permission() -> Result<(), Stop> {
    bound_at("demo.sock", libc::SOCK_DGRAM)?;
    // All may pass through the directory, and nobody may write to the socket.
    for (path, mode) in [(c".", 0o711), (c"demo.sock", 0o500)] {
        // SAFETY: the path ends in a zero byte, and chmod only reads it.
        if unsafe { libc::chmod(path.as_ptr(), mode) } == -1 {
            return Err(Stop::failed("chmod"));
        }
    }
    lab::become_nobody()?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("demo.sock"));
    Ok(())
}

pub(super) fn taken_by_another() -> Result<(), Stop> {
    let receiver = bound_at("receiver.sock", libc::SOCK_DGRAM)?;
    bound_at("friend.sock", libc::SOCK_DGRAM)?;
    connect(receiver, &at("friend.sock"))?;
    let stranger = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(stranger, b"x", 0, &at("receiver.sock"));
    Ok(())
}

pub(super) fn not_our_credentials() -> Result<(), Stop> {
    lab::become_nobody()?;
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    let somebody_else = libc::ucred { pid: 1, uid: 0, gid: 0 };
    sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, somebody_else));
    Ok(())
}

pub(super) fn landlocked() -> Result<(), Stop> {
    let receiver = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    let mut address = at("");
    let mut length = size_of::<libc::sa_family_t>() as libc::socklen_t;
    // SAFETY: `address` is longer than `length`, and bind only reads it. (With no path at all the kernel chooses a name.)
    if unsafe { libc::bind(receiver, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(receiver, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    enter_the_sandbox()?;
    let sender = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    let to = &raw const address;
    // SAFETY: the pointers are to one byte and to an address of `length` bytes, which sendto only reads.
    unsafe { libc::sendto(sender, b"x".as_ptr().cast(), 1, 0, to.cast(), length) };

    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_name = to.cast_mut().cast();
    message.msg_namelen = length;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: as above; `message` names one part that lives through the call.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}

/// Puts this process, for good, into a Landlock sandbox that forbids the abstract names of those outside.
fn enter_the_sandbox() -> Result<(), Stop> {
    /// The kernel's struct landlock_ruleset_attr, as of Linux 6.12.
    #[repr(C)]
    struct Rules {
        files: u64,
        network: u64,
        scoped: u64,
    }
    const ABSTRACT_UNIX_SOCKET: u64 = 1;

    let rules = Rules { files: 0, network: 0, scoped: ABSTRACT_UNIX_SOCKET };
    // SAFETY: landlock_create_ruleset reads as many bytes of `rules` as it has, and makes a descriptor.
    let ruleset =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, size_of::<Rules>(), 0_u32) };
    if ruleset == -1 {
        let why = format!("landlock_create_ruleset was refused: {}", io::Error::last_os_error());
        return Err(Stop::cannot(Lack::Kernel, why));
    }
    // SAFETY: this prctl takes numbers only: no program started from here on gets more rights than this one.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == -1 {
        return Err(Stop::failed("prctl"));
    }
    // SAFETY: landlock_restrict_self takes two numbers.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset as c_int, 0_u32) } == -1 {
        return Err(Stop::failed("landlock_restrict_self"));
    }
    close(ruleset as c_int)
}

pub(super) fn no_such_process() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    become_root_of_a_new_world()?;
    // SAFETY: this process has one thread, so its child may go on as it would itself.
    match unsafe { libc::fork() } {
        -1 => Err(Stop::failed("fork")),
        0 => {
            let nobody = libc::ucred { pid: libc::pid_t::MAX, uid: 0, gid: 0 }; // Linux gives no number above 4194304.
            sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, nobody));
            // SAFETY: _exit ends the child, and nothing else.
            unsafe { libc::_exit(0) }
        }
        child => wait_for(child),
    }
}

/// To name another process takes root's rights over all processes that there are. Anyone may have them in a world of one's
/// own: a new user namespace, in which this process is root, and a new namespace of processes, which begins with its child.
fn become_root_of_a_new_world() -> Result<(), Stop> {
    // SAFETY: geteuid and getegid take nothing and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: unshare takes a number and changes only this process.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) } == -1 {
        let why = format!("unshare(CLONE_NEWUSER|CLONE_NEWPID) was refused: {}", io::Error::last_os_error());
        return Err(Stop::cannot(Lack::Namespaces, why));
    }
    // Number 0 in there is this user out here, and so for the group.
    let maps = [("uid_map", format!("0 {user} 1")), ("setgroups", "deny".into()), ("gid_map", format!("0 {group} 1"))];
    for (name, text) in maps {
        let path = format!("/proc/self/{name}");
        fs::write(&path, text)
            .map_err(|error| Stop::cannot(Lack::Namespaces, format!("{path} cannot be written: {error}")))?;
    }
    Ok(())
}

/// Waits until this child has ended.
fn wait_for(child: libc::pid_t) -> Result<(), Stop> {
    let mut status = 0;
    // SAFETY: `status` is an int, and ours to be written to.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } == -1 {
        return Err(Stop::failed("waitpid"));
    }
    Ok(())
}

pub(super) fn too_many_descriptors() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    let descriptors = [one; 254];
    sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_RIGHTS, descriptors));
    Ok(())
}

pub(super) fn malformed_control_data() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    let mut control = Control::new(libc::SOL_SOCKET, libc::SCM_RIGHTS, one);
    control.header.cmsg_len = 3;
    sendmsg_with(one, &mut control);
    Ok(())
}

pub(super) fn no_such_path() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("demo.sock"));
    Ok(())
}

pub(super) fn path_through_a_file() -> Result<(), Stop> {
    done_to("the file cannot be written", fs::write("file", ""))?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("file/demo.sock"));
    Ok(())
}

pub(super) fn links_in_a_circle() -> Result<(), Stop> {
    done_to("the link cannot be made", symlink("circle", "circle"))?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("circle"));
    Ok(())
}

pub(super) fn name_too_long() -> Result<(), Stop> {
    done_to("the link cannot be made", symlink("a".repeat(300), "link"))?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("link"));
    Ok(())
}

pub(super) fn other_kind() -> Result<(), Stop> {
    bound_at("demo.sock", libc::SOCK_STREAM)?;
    let fd = fresh(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &at("demo.sock"));
    Ok(())
}

pub(super) fn too_large_for_unix() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_DGRAM)?;
    set(one, libc::SOL_SOCKET, libc::SO_SNDBUF, 4096)?;
    send_by_each(one, &[b'x'; 65536], 0);
    Ok(())
}

pub(super) fn too_many_in_flight() -> Result<(), Stop> {
    lab::become_nobody()?;
    let (one, _other) = unix_pair(libc::SOCK_DGRAM)?;
    let twenty = libc::rlimit { rlim_cur: 20, rlim_max: 20 };
    // SAFETY: `twenty` is an rlimit that lives through the call, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const twenty) } == -1 {
        return Err(Stop::failed("setrlimit"));
    }
    // Ten at once, and nobody receives them. (The kernel looks at what is under way before it adds more.)
    for _ in 1..=4 {
        sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_RIGHTS, [one; 10]));
    }
    Ok(())
}

pub(super) fn address_for_a_stream() -> Result<(), Stop> {
    let fd = fresh(libc::AF_UNIX, libc::SOCK_STREAM)?;
    send_there_by_both(fd, b"x", libc::MSG_NOSIGNAL, &at("demo.sock"));
    Ok(())
}

/// A message with a descriptor, with which nothing is wrong: the observer makes it fail.
pub(super) fn ordinary_rights() -> Result<(), Stop> {
    let (one, _other) = unix_pair(libc::SOCK_STREAM)?;
    sendmsg_with(one, &mut Control::new(libc::SOL_SOCKET, libc::SCM_RIGHTS, one));
    Ok(())
}
