//! The guard: keeps a child's traffic on this machine.
//!
//! It reads a call's addresses at the entry stop; another thread of the child could still change them before the kernel
//! reads them. So it protects from mistakes, not from malice.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use libc::{c_int, pid_t};

use crate::decode::{self, SyscallInfo};
use crate::memory::Memory;
use crate::sockets::{Inode, Refers};
use crate::{Address, Guard};

/// Watches where a child's sockets lead.
pub(crate) struct Watchman {
    guard: Guard,
    /// The observer's own network namespace.
    own: Option<Namespace>,
    /// The sockets that were made in this run.
    made: HashMap<Inode, Made>,
    /// Those of them that were bound.
    bound: HashSet<Inode>,
}

/// What a socket is from birth.
#[derive(Clone, Copy, Debug)]
struct Made {
    family: c_int,
    namespace: Option<Namespace>,
}

/// A network namespace, by the device and inode number of its file.
type Namespace = (u64, u64);

/// The call as the guard sees it.
pub(crate) struct Attempt<'a> {
    pub pid: pid_t,
    pub info: &'static SyscallInfo,
    pub args: &'a [u64; 6],
    pub memory: &'a Memory,
    /// What the call's first argument refers to.
    pub socket: Refers,
}

impl Watchman {
    pub fn new(guard: Guard) -> Watchman {
        let own = match guard {
            Guard::Off => None,
            Guard::Loopback => namespace("/proc/thread-self/ns/net"),
        };
        Watchman { guard, own, made: HashMap::new(), bound: HashSet::new() }
    }

    /// Why the call must not be made, if it must not.
    pub fn objection(&self, attempt: &Attempt) -> Option<String> {
        if self.guard == Guard::Off {
            return None;
        }
        let objection = match attempt.info.number {
            libc::SYS_bind | libc::SYS_connect | libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => {
                let mut addresses = Vec::new();
                decode::destinations(attempt.info, attempt.args, attempt.memory, &mut addresses);
                addresses.iter().find_map(|address| self.leads_away(attempt, address))
            }
            libc::SYS_listen => self.opens_to_all(attempt),
            _ => None,
        };
        // Only now, because it is rare: is it a socket at all, and does it live in this network namespace?
        objection.filter(|_| self.reaches_out(attempt.socket))
    }

    /// Whether the tracer must tell the guard how this call ended.
    pub fn wants_exit(&self, info: &SyscallInfo) -> bool {
        self.guard != Guard::Off
            && matches!(info.number, libc::SYS_socket | libc::SYS_accept | libc::SYS_accept4 | libc::SYS_bind)
    }

    /// A call made this socket; accept made it out of the listener `from`.
    pub fn made(&mut self, tid: pid_t, info: &SyscallInfo, args: &[u64; 6], inode: Inode, from: Option<Inode>) {
        if !self.wants_exit(info) {
            return;
        }
        let made = match from.and_then(|from| self.made.get(&from)) {
            Some(&listener) => listener,
            None if from.is_some() => return,
            None => Made { family: args[0] as c_int, namespace: namespace(&format!("/proc/{tid}/ns/net")) },
        };
        self.made.insert(inode, made);
    }

    /// A bind succeeded.
    pub fn bound(&mut self, inode: Inode) {
        if self.guard != Guard::Off {
            self.bound.insert(inode);
        }
    }

    /// Whether a socket can reach anything that the observer's own network reaches.
    fn reaches_out(&self, socket: Refers) -> bool {
        match socket {
            // The kernel will say EBADF or ENOTSOCK.
            Refers::NoSocket | Refers::Nothing => false,
            Refers::Unknown => true,
            Refers::Socket(inode) => match self.made.get(&inode) {
                Some(made) => made.namespace == self.own,
                None => true,
            },
        }
    }

    fn leads_away(&self, attempt: &Attempt, address: &Address) -> Option<String> {
        match address {
            Address::Inet { ip, .. } if ip.is_loopback() => None,
            // To connect to the wildcard is to connect to oneself. getaddrinfo does, to sort the answers it gives.
            Address::Inet { ip, .. } if ip.is_unspecified() && attempt.info.number == libc::SYS_connect => None,
            Address::Inet6 { ip, .. } if ip.is_unspecified() && attempt.info.number == libc::SYS_connect => None,
            Address::Inet { ip, port } => Some(format!("{} is not a loopback address", SocketAddrV4::new(*ip, *port))),
            Address::Inet6 { ip, .. } if is_loopback(ip) => None,
            Address::Inet6 { ip, port, .. } => {
                Some(format!("{} is not a loopback address", SocketAddrV6::new(*ip, *port, 0, 0)))
            }
            Address::Unix { .. } => None,
            Address::Unspec => self.unspecified(attempt),
            Address::Other { number, .. } => self.other_family(attempt, *number),
        }
    }

    /// The kernel takes AF_UNSPEC for AF_INET in bind (if the address is 0.0.0.0) and in UDP's sends; in connect it
    /// means: disconnect.
    fn unspecified(&self, attempt: &Attempt) -> Option<String> {
        let (call, args) = (attempt.info.number, attempt.args);
        let at = match call {
            libc::SYS_connect => return None,
            libc::SYS_bind => args[1],
            libc::SYS_sendto => args[4],
            _ => return Some("an address of family AF_UNSPEC is taken for AF_INET: it may lead anywhere".to_string()),
        };
        let ip = Ipv4Addr::from_bits(u32::from_be(attempt.memory.u32(at.checked_add(4)?)?));
        match call {
            libc::SYS_bind if !ip.is_unspecified() => None,
            _ if ip.is_loopback() => None,
            _ => Some(format!("the kernel takes AF_UNSPEC for AF_INET here, and {ip} is not a loopback address")),
        }
    }

    /// Sockets of these families take no address of another one: the kernel's own answer will be an error. Others
    /// (AF_PACKET, AF_VSOCK, AF_BLUETOOTH …) may lead anywhere.
    fn other_family(&self, attempt: &Attempt, number: u16) -> Option<String> {
        match self.family(attempt) {
            Some(libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX | libc::AF_NETLINK) => None,
            _ => Some(format!("an address of family {number} may lead off this machine")),
        }
    }

    /// Whether a listen would make the kernel bind the socket to every address there is.
    fn opens_to_all(&self, attempt: &Attempt) -> Option<String> {
        if !matches!(self.family(attempt), Some(libc::AF_INET | libc::AF_INET6)) {
            return None;
        }
        let bound = match duplicate(attempt.pid, attempt.args[0] as c_int).and_then(|socket| port(&socket)) {
            Ok(port) => port != 0,
            Err(_) => match attempt.socket {
                Refers::Socket(inode) => self.bound.contains(&inode) || !self.made.contains_key(&inode),
                _ => true,
            },
        };
        (!bound).then(|| "the socket was never bound, so the kernel would bind it to every address".to_string())
    }

    /// The address family of the call's socket.
    fn family(&self, attempt: &Attempt) -> Option<c_int> {
        if let Refers::Socket(inode) = attempt.socket
            && let Some(made) = self.made.get(&inode)
        {
            return Some(made.family);
        }
        duplicate(attempt.pid, attempt.args[0] as c_int).and_then(|socket| family(&socket)).ok()
    }
}

fn is_loopback(ip: &Ipv6Addr) -> bool {
    ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
}

/// The network namespace behind this file.
fn namespace(path: &str) -> Option<Namespace> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

/// The child's own socket, under a descriptor of ours. To be closed before the child goes on: while it is open, a close in
/// the child ends no connection.
fn duplicate(pid: pid_t, fd: c_int) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the result is checked.
    let pidfd = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0) })?;
    // SAFETY: `pidfd` is open; the result is checked.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), libc::c_long::from(fd), 0) })
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

fn family(socket: &OwnedFd) -> io::Result<c_int> {
    let mut family: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `family` is a local of `length` bytes.
    let result = unsafe {
        let at = (&raw mut family).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN, at, &raw mut length)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(family) }
}

/// The port that an internet socket is bound to; 0 if it is not. It stands in the same place for IPv4 and IPv6.
fn port(socket: &OwnedFd) -> io::Result<u16> {
    // SAFETY: an address is plain bytes, for which zero is valid.
    let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    // SAFETY: `address` is a local of `length` bytes.
    let result = unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(u16::from_be(address.sin6_port)) }
}
