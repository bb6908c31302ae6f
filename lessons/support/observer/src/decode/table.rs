//! The calls that are traced, with the names of their arguments. These names are what [`crate::Call::arg`] looks up.

use super::About::{First, FirstAndThird, FirstTwo, Nothing, Polled, Selected};
use super::Scope::{General, Life, Socket};
use super::{
    About, Pending, Rest, Scope, SyscallInfo, buffers, files, ioctl, messages, nothing_more, options, polling, process,
    sockets,
};
use crate::memory::Memory;

/// All calls to trace on this architecture.
pub(crate) fn table() -> &'static [SyscallInfo] {
    TABLE
}

/// The traced call of this number, if it is one.
pub(crate) fn lookup(number: u64) -> Option<&'static SyscallInfo> {
    let index = *INDEX.get(usize::try_from(number).ok()?)?;
    TABLE.get(usize::from(index))
}

/// For each call number the position in the table, or [`NOT_TRACED`].
static INDEX: [u8; 512] = index();

const NOT_TRACED: u8 = u8::MAX;

const fn index() -> [u8; 512] {
    let mut index = [NOT_TRACED; 512];
    let mut position = 0;
    while position < TABLE.len() {
        index[TABLE[position].number as usize] = position as u8;
        position += 1;
    }
    index
}

/// A call that is decoded in full when it begins.
const fn whole(
    number: libc::c_long,
    name: &'static str,
    scope: Scope,
    about: About,
    parameters: &'static [&'static str],
    at_entry: fn(&mut Pending, &Memory) -> Rest,
) -> SyscallInfo {
    SyscallInfo { number, name, scope, about, parameters, at_entry, at_exit: nothing_more }
}

/// A call of which a part is known only when it has returned.
const fn split(
    number: libc::c_long,
    name: &'static str,
    scope: Scope,
    about: About,
    parameters: &'static [&'static str],
    at_entry: fn(&mut Pending, &Memory) -> Rest,
    at_exit: fn(&mut Pending, &Memory),
) -> SyscallInfo {
    SyscallInfo { number, name, scope, about, parameters, at_entry, at_exit }
}

/// New architectures have no `poll`, `dup2`, `fork` … of their own: the C library builds them from their younger kin.
const TABLE: &[SyscallInfo] = &[
    whole(libc::SYS_socket, "socket", Socket, Nothing, &["domain", "type", "protocol"], sockets::socket),
    split(
        libc::SYS_socketpair,
        "socketpair",
        Socket,
        Nothing,
        &["domain", "type", "protocol", "sv"],
        sockets::socketpair,
        sockets::socketpair_end,
    ),
    whole(libc::SYS_bind, "bind", Socket, First, &["sockfd", "addr", "addrlen"], sockets::bind_or_connect),
    whole(libc::SYS_listen, "listen", Socket, First, &["sockfd", "backlog"], sockets::listen),
    split(
        libc::SYS_accept,
        "accept",
        Socket,
        First,
        &["sockfd", "addr", "addrlen"],
        sockets::name_query,
        sockets::name_query_end,
    ),
    split(
        libc::SYS_accept4,
        "accept4",
        Socket,
        First,
        &["sockfd", "addr", "addrlen", "flags"],
        sockets::accept4,
        sockets::accept4_end,
    ),
    whole(libc::SYS_connect, "connect", Socket, First, &["sockfd", "addr", "addrlen"], sockets::bind_or_connect),
    split(
        libc::SYS_getsockname,
        "getsockname",
        Socket,
        First,
        &["sockfd", "addr", "addrlen"],
        sockets::name_query,
        sockets::name_query_end,
    ),
    split(
        libc::SYS_getpeername,
        "getpeername",
        Socket,
        First,
        &["sockfd", "addr", "addrlen"],
        sockets::name_query,
        sockets::name_query_end,
    ),
    whole(
        libc::SYS_setsockopt,
        "setsockopt",
        Socket,
        First,
        &["sockfd", "level", "optname", "optval", "optlen"],
        options::setsockopt,
    ),
    split(
        libc::SYS_getsockopt,
        "getsockopt",
        Socket,
        First,
        &["sockfd", "level", "optname", "optval", "optlen"],
        options::getsockopt,
        options::getsockopt_end,
    ),
    whole(libc::SYS_shutdown, "shutdown", Socket, First, &["sockfd", "how"], sockets::shutdown),
    whole(
        libc::SYS_sendto,
        "sendto",
        Socket,
        First,
        &["sockfd", "buf", "len", "flags", "dest_addr", "addrlen"],
        buffers::sendto,
    ),
    whole(libc::SYS_sendmsg, "sendmsg", Socket, First, &["sockfd", "msg", "flags"], messages::sendmsg),
    split(
        libc::SYS_sendmmsg,
        "sendmmsg",
        Socket,
        First,
        &["sockfd", "msgvec", "vlen", "flags"],
        messages::sendmmsg,
        messages::sendmmsg_end,
    ),
    split(
        libc::SYS_recvfrom,
        "recvfrom",
        Socket,
        First,
        &["sockfd", "buf", "len", "flags", "src_addr", "addrlen"],
        buffers::recvfrom,
        buffers::recvfrom_end,
    ),
    split(
        libc::SYS_recvmsg,
        "recvmsg",
        Socket,
        First,
        &["sockfd", "msg", "flags"],
        messages::recvmsg,
        messages::recvmsg_end,
    ),
    split(
        libc::SYS_recvmmsg,
        "recvmmsg",
        Socket,
        First,
        &["sockfd", "msgvec", "vlen", "flags", "timeout"],
        messages::recvmmsg,
        messages::recvmmsg_end,
    ),
    split(libc::SYS_read, "read", General, First, &["fd", "buf", "count"], buffers::read, buffers::read_end),
    whole(libc::SYS_write, "write", General, First, &["fd", "buf", "count"], buffers::write),
    split(libc::SYS_readv, "readv", General, First, &["fd", "iov", "iovcnt"], buffers::readv, buffers::readv_end),
    whole(libc::SYS_writev, "writev", General, First, &["fd", "iov", "iovcnt"], buffers::writev),
    whole(libc::SYS_close, "close", General, First, &["fd"], files::close),
    whole(libc::SYS_close_range, "close_range", General, Nothing, &["first", "last", "flags"], files::close_range),
    whole(libc::SYS_dup, "dup", General, First, &["oldfd"], files::dup),
    #[cfg(target_arch = "x86_64")]
    whole(libc::SYS_dup2, "dup2", General, FirstTwo, &["oldfd", "newfd"], files::dup2),
    whole(libc::SYS_dup3, "dup3", General, FirstTwo, &["oldfd", "newfd", "flags"], files::dup3),
    split(libc::SYS_fcntl, "fcntl", General, First, &["fd", "cmd", "arg"], files::fcntl, files::fcntl_end),
    split(libc::SYS_ioctl, "ioctl", General, First, &["fd", "request", "argp"], ioctl::ioctl, ioctl::ioctl_end),
    #[cfg(target_arch = "x86_64")]
    split(libc::SYS_poll, "poll", General, Polled, &["fds", "nfds", "timeout"], polling::poll, polling::poll_end),
    split(
        libc::SYS_ppoll,
        "ppoll",
        General,
        Polled,
        &["fds", "nfds", "tmo_p", "sigmask", "sigsetsize"],
        polling::ppoll,
        polling::ppoll_end,
    ),
    #[cfg(target_arch = "x86_64")]
    split(
        libc::SYS_select,
        "select",
        General,
        Selected,
        &["nfds", "readfds", "writefds", "exceptfds", "timeout"],
        polling::select,
        polling::select_end,
    ),
    split(
        libc::SYS_pselect6,
        "pselect6",
        General,
        Selected,
        &["nfds", "readfds", "writefds", "exceptfds", "timeout", "sigmask"],
        polling::pselect6,
        polling::pselect6_end,
    ),
    #[cfg(target_arch = "x86_64")]
    whole(libc::SYS_epoll_create, "epoll_create", General, Nothing, &["size"], polling::epoll_create),
    whole(libc::SYS_epoll_create1, "epoll_create1", General, Nothing, &["flags"], polling::epoll_create1),
    whole(libc::SYS_epoll_ctl, "epoll_ctl", General, FirstAndThird, &["epfd", "op", "fd", "event"], polling::epoll_ctl),
    #[cfg(target_arch = "x86_64")]
    split(
        libc::SYS_epoll_wait,
        "epoll_wait",
        General,
        First,
        &["epfd", "events", "maxevents", "timeout"],
        polling::epoll_wait,
        polling::epoll_wait_end,
    ),
    split(
        libc::SYS_epoll_pwait,
        "epoll_pwait",
        General,
        First,
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
        polling::epoll_wait,
        polling::epoll_pwait_end,
    ),
    split(
        libc::SYS_epoll_pwait2,
        "epoll_pwait2",
        General,
        First,
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
        polling::epoll_wait,
        polling::epoll_pwait2_end,
    ),
    split(
        libc::SYS_sendfile,
        "sendfile",
        General,
        FirstTwo,
        &["out_fd", "in_fd", "offset", "count"],
        files::sendfile,
        files::sendfile_end,
    ),
    whole(
        libc::SYS_splice,
        "splice",
        General,
        FirstAndThird,
        &["fd_in", "off_in", "fd_out", "off_out", "len", "flags"],
        files::splice,
    ),
    whole(libc::SYS_restart_syscall, "restart_syscall", General, Nothing, &["resuming"], resuming_something),
    #[cfg(target_arch = "x86_64")]
    whole(libc::SYS_fork, "fork", Life, Nothing, &[], process::fork),
    #[cfg(target_arch = "x86_64")]
    whole(libc::SYS_vfork, "vfork", Life, Nothing, &[], process::fork),
    split(
        libc::SYS_clone,
        "clone",
        Life,
        Nothing,
        &["stack", "flags", "parent_tid", "child_tid", "tls"],
        process::clone,
        process::clone_end,
    ),
    split(libc::SYS_clone3, "clone3", Life, Nothing, &["cl_args", "size"], process::clone3, process::clone3_end),
    whole(libc::SYS_execve, "execve", Life, Nothing, &["pathname", "argv", "envp"], process::execve),
    whole(
        libc::SYS_execveat,
        "execveat",
        Life,
        Nothing,
        &["dirfd", "pathname", "argv", "envp", "flags"],
        process::execveat,
    ),
    whole(libc::SYS_exit, "exit", Life, Nothing, &["status"], process::exit),
    whole(libc::SYS_exit_group, "exit_group", Life, Nothing, &["status"], process::exit),
];

/// A `restart_syscall` whose story is not known; see [`super::resume`].
fn resuming_something(call: &mut Pending, _: &Memory) -> Rest {
    call.push("<... resuming interrupted system call ...>", None);
    Rest::Nothing
}

#[cfg(test)]
mod tests {
    use super::{lookup, table};

    #[test]
    fn every_call_is_found_by_its_number() {
        for info in table() {
            assert_eq!(lookup(info.number as u64).map(|found| found.name), Some(info.name));
        }
        for number in [libc::SYS_getppid as u64, 511, 512, u64::MAX] {
            assert!(lookup(number).is_none(), "call {number} is not traced");
        }
    }
}
