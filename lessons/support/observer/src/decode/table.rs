//! The calls that are traced, with the names of their arguments. These names are what [`crate::Call::arg`] looks up.

use super::Scope::{General, Life, Socket};
use super::{Scope, SyscallInfo, nothing, numbers};

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

const fn call(
    number: libc::c_long,
    name: &'static str,
    scope: Scope,
    parameters: &'static [&'static str],
) -> SyscallInfo {
    SyscallInfo { number, name, scope, parameters, at_entry: numbers, at_exit: nothing }
}

/// New architectures have no `poll`, `dup2`, `fork` … of their own: the C library builds them from their younger kin.
const TABLE: &[SyscallInfo] = &[
    call(libc::SYS_socket, "socket", Socket, &["domain", "type", "protocol"]),
    call(libc::SYS_socketpair, "socketpair", Socket, &["domain", "type", "protocol", "sv"]),
    call(libc::SYS_bind, "bind", Socket, &["sockfd", "addr", "addrlen"]),
    call(libc::SYS_listen, "listen", Socket, &["sockfd", "backlog"]),
    call(libc::SYS_accept, "accept", Socket, &["sockfd", "addr", "addrlen"]),
    call(libc::SYS_accept4, "accept4", Socket, &["sockfd", "addr", "addrlen", "flags"]),
    call(libc::SYS_connect, "connect", Socket, &["sockfd", "addr", "addrlen"]),
    call(libc::SYS_getsockname, "getsockname", Socket, &["sockfd", "addr", "addrlen"]),
    call(libc::SYS_getpeername, "getpeername", Socket, &["sockfd", "addr", "addrlen"]),
    call(libc::SYS_setsockopt, "setsockopt", Socket, &["sockfd", "level", "optname", "optval", "optlen"]),
    call(libc::SYS_getsockopt, "getsockopt", Socket, &["sockfd", "level", "optname", "optval", "optlen"]),
    call(libc::SYS_shutdown, "shutdown", Socket, &["sockfd", "how"]),
    call(libc::SYS_sendto, "sendto", Socket, &["sockfd", "buf", "len", "flags", "dest_addr", "addrlen"]),
    call(libc::SYS_sendmsg, "sendmsg", Socket, &["sockfd", "msg", "flags"]),
    call(libc::SYS_sendmmsg, "sendmmsg", Socket, &["sockfd", "msgvec", "vlen", "flags"]),
    call(libc::SYS_recvfrom, "recvfrom", Socket, &["sockfd", "buf", "len", "flags", "src_addr", "addrlen"]),
    call(libc::SYS_recvmsg, "recvmsg", Socket, &["sockfd", "msg", "flags"]),
    call(libc::SYS_recvmmsg, "recvmmsg", Socket, &["sockfd", "msgvec", "vlen", "flags", "timeout"]),
    call(libc::SYS_read, "read", General, &["fd", "buf", "count"]),
    call(libc::SYS_write, "write", General, &["fd", "buf", "count"]),
    call(libc::SYS_readv, "readv", General, &["fd", "iov", "iovcnt"]),
    call(libc::SYS_writev, "writev", General, &["fd", "iov", "iovcnt"]),
    call(libc::SYS_close, "close", General, &["fd"]),
    call(libc::SYS_close_range, "close_range", General, &["first", "last", "flags"]),
    call(libc::SYS_dup, "dup", General, &["oldfd"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_dup2, "dup2", General, &["oldfd", "newfd"]),
    call(libc::SYS_dup3, "dup3", General, &["oldfd", "newfd", "flags"]),
    call(libc::SYS_fcntl, "fcntl", General, &["fd", "cmd", "arg"]),
    call(libc::SYS_ioctl, "ioctl", General, &["fd", "request", "argp"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_poll, "poll", General, &["fds", "nfds", "timeout"]),
    call(libc::SYS_ppoll, "ppoll", General, &["fds", "nfds", "tmo_p", "sigmask", "sigsetsize"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_select, "select", General, &["nfds", "readfds", "writefds", "exceptfds", "timeout"]),
    call(libc::SYS_pselect6, "pselect6", General, &["nfds", "readfds", "writefds", "exceptfds", "timeout", "sigmask"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_epoll_create, "epoll_create", General, &["size"]),
    call(libc::SYS_epoll_create1, "epoll_create1", General, &["flags"]),
    call(libc::SYS_epoll_ctl, "epoll_ctl", General, &["epfd", "op", "fd", "event"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_epoll_wait, "epoll_wait", General, &["epfd", "events", "maxevents", "timeout"]),
    call(
        libc::SYS_epoll_pwait,
        "epoll_pwait",
        General,
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
    ),
    call(
        libc::SYS_epoll_pwait2,
        "epoll_pwait2",
        General,
        &["epfd", "events", "maxevents", "timeout", "sigmask", "sigsetsize"],
    ),
    call(libc::SYS_sendfile, "sendfile", General, &["out_fd", "in_fd", "offset", "count"]),
    call(libc::SYS_splice, "splice", General, &["fd_in", "off_in", "fd_out", "off_out", "len", "flags"]),
    call(libc::SYS_restart_syscall, "restart_syscall", General, &["resuming"]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_fork, "fork", Life, &[]),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_vfork, "vfork", Life, &[]),
    call(libc::SYS_clone, "clone", Life, &["stack", "flags", "parent_tid", "child_tid", "tls"]),
    call(libc::SYS_clone3, "clone3", Life, &["cl_args", "size"]),
    call(libc::SYS_execve, "execve", Life, &["pathname", "argv", "envp"]),
    call(libc::SYS_execveat, "execveat", Life, &["dirfd", "pathname", "argv", "envp", "flags"]),
    call(libc::SYS_exit, "exit", Life, &["status"]),
    call(libc::SYS_exit_group, "exit_group", Life, &["status"]),
];

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
