//! What the kernel holds of a run's sockets after a call: the descriptors, the state of each connection, what waits to be
//! received or accepted. Asked for with [`crate::Observer::snapshots`].
//!
//! Two sources, neither of which disturbs what it looks at:
//!
//! - **`/proc/PID/fd` and `/proc/PID/net`**: who has which descriptor, and the tables of all TCP, UDP and unix sockets in the
//!   process's network. They also list what no descriptor names any more (a connection in TIME_WAIT) or yet (one that waits
//!   to be accepted). The kernel takes a millisecond to write one of TCP, so that is read only where there may be such a one.
//! - **the socket itself**, through a copy of its descriptor (`pidfd_getfd`, Linux 5.6): its name before it is in any table,
//!   its state, the bytes that wait in it, the limit of its queue. While there is a copy a `close` by somebody else would not be the
//!   last, so a socket is copied only if the process that is stopped just now, of a single thread, is the only one that
//!   has it. SO_ERROR is never asked for: that would take the error away.
//!
//! What depends on timers (the bytes that are sent and not yet acknowledged) is not looked at.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::Duration;

use libc::{c_int, pid_t};

use crate::decode;
use crate::sockets::{Inode, Sockets};
use crate::trace::{Address, Descriptor, Kernel, Socket};

/// How many milliseconds an end that is under way is waited for.
const PATIENCE: u32 = 20;

/// Who is to be looked at.
pub(crate) struct Scene<'a> {
    /// The thread that is stopped.
    pub tid: pid_t,
    /// Its process, if it has no other thread: then nobody else can close what only it has open.
    pub alone: Option<pid_t>,
    /// All processes of the run.
    pub processes: &'a [pid_t],
}

/// What earlier looks have taught.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The connections that a numbered socket has had, by its address and its peer's.
    pairs: HashMap<(SocketAddr, SocketAddr), u32>,
    /// What kind each socket is, by its number.
    kinds: BTreeMap<u32, &'static str>,
    /// The addresses that a numbered socket has listened at.
    listeners: HashMap<SocketAddr, u32>,
    /// The numbered sockets of which the kernel has nothing left.
    gone: HashSet<u32>,
    /// The connections in TIME_WAIT, which stay there for longer than any run.
    asleep: HashMap<(SocketAddr, SocketAddr), Row>,
    /// What the last look saw.
    last: Option<Kernel>,
}

impl Looks {
    /// Looks, and returns what there is if it is not what there was the last time.
    pub fn look(&mut self, scene: &Scene<'_>, sockets: &Sockets) -> Option<Kernel> {
        let mut now = self.see_or_hide(scene, sockets);
        for _ in 0..PATIENCE {
            if self.last.as_ref() == Some(&now) {
                return None;
            }
            if !an_end_is_under_way(&now) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
            now = self.see_or_hide(scene, sockets);
        }
        self.last = Some(now.clone());
        Some(now)
    }

    fn see_or_hide(&mut self, scene: &Scene<'_>, sockets: &Sockets) -> Kernel {
        self.see(scene, sockets).unwrap_or(Kernel { hidden: true, ..Kernel::default() })
    }

    fn see(&mut self, scene: &Scene<'_>, sockets: &Sockets) -> io::Result<Kernel> {
        let holders = holders(scene, sockets);
        let copies = holders
            .iter()
            .filter(|(_, holders)| holders.iter().all(|holder| Some(holder.pid) == scene.alone))
            .map(|(&number, holders)| Ok((number, copy(holders[0].pid, holders[0].fd)?)))
            .collect::<io::Result<BTreeMap<u32, OwnedFd>>>()?;
        for (&number, copy) in &copies {
            if let Some(kind) = kind(copy) {
                self.kinds.insert(number, kind);
            }
        }
        let mut kernel = Kernel::default();
        for (&number, holders) in &holders {
            let descriptor = |holder: &Holder| Descriptor { pid: holder.pid, fd: holder.fd, socket: number };
            kernel.descriptors.extend(holders.iter().map(descriptor));
            let kind = self.kinds.get(&number).map(|&kind| kind.into());
            let mut socket = Socket { socket: Some(number), kind, ..Socket::default() };
            if let Some(copy) = copies.get(&number) {
                ask(copy, &mut socket);
            }
            kernel.sockets.push(socket);
        }
        let unknown = holders.keys().any(|number| !copies.contains_key(number));
        let scans = unknown || self.may_be_without_descriptor(&kernel.sockets, &holders);
        let rows = rows(scene.tid, &self.tables(unknown, scans))?;
        for socket in &mut kernel.sockets {
            let Some(number) = socket.socket else { continue };
            let inode = holders[&number][0].inode;
            if let Some(row) = rows.iter().find(|row| row.inode == inode) {
                row.complete(socket);
            }
            if socket.state.is_none() {
                socket.unread = None;
            }
            self.remember(socket, number);
        }
        if scans {
            self.settle(&rows, &holders);
        }
        let asleep = self.asleep.values().filter(|_| !scans);
        kernel.sockets.extend(rows.iter().chain(asleep).filter_map(|row| self.without_descriptor(row)));
        for socket in &mut kernel.sockets {
            socket.other_end = ends(socket).and_then(|(local, peer)| self.pairs.get(&(peer, local)).copied());
        }
        kernel.sockets.sort_by_key(|socket| (socket.socket.is_none(), socket.socket, socket.other_end));
        kernel.descriptors.sort_by_key(|descriptor| (descriptor.pid, descriptor.fd));
        Ok(kernel)
    }

    /// Whether TCP may have something of this run that no descriptor names.
    fn may_be_without_descriptor(&self, sockets: &[Socket], holders: &BTreeMap<u32, Vec<Holder>>) -> bool {
        let waits = sockets.iter().any(|socket| {
            let is_alone = || {
                ends(socket).is_some_and(|(local, peer)| {
                    let is_other = |other: &Socket| ends(other) == Some((peer, local));
                    !sockets.iter().any(is_other)
                })
            };
            let is_tcp = socket.kind.as_deref().is_some_and(|kind| kind.starts_with("tcp"));
            // One that listens may have guests; and what has no other end here has one there, or is about to have one.
            is_tcp
                && (socket.queued.is_some_and(|queued| queued > 0)
                    || socket.state.as_deref() == Some("SYN_SENT")
                    || is_alone())
        });
        let left = self.pairs.iter().any(|(pair, number)| {
            !holders.contains_key(number) && !self.gone.contains(number) && !self.asleep.contains_key(pair)
        });
        waits || left
    }

    /// Notes which connections are in TIME_WAIT, and of which there is nothing left.
    fn settle(&mut self, rows: &[Row], holders: &BTreeMap<u32, Vec<Holder>>) {
        let there: HashMap<_, _> = rows.iter().filter_map(|row| Some(((row.local?, row.peer?), row))).collect();
        let is_gone = |(pair, number): &(&_, &u32)| !holders.contains_key(number) && !there.contains_key(*pair);
        self.gone = self.pairs.iter().filter(is_gone).map(|(_, number)| *number).collect();
        let sleeping = |pair: &(SocketAddr, SocketAddr)| there.get(pair).filter(|row| row.state == "TIME_WAIT");
        self.asleep = self.pairs.keys().filter_map(|pair| Some((*pair, Row::clone(sleeping(pair)?)))).collect();
    }

    /// The tables that must be read.
    fn tables(&self, unknown: bool, scans: bool) -> Vec<&'static str> {
        // A socket of IPv6 may have a peer of IPv4, and stand in that table in the end.
        let has = |table: &str| {
            self.kinds.values().any(|kind| kind.starts_with(table) || kind.strip_suffix('6') == Some(table))
        };
        let wanted = |table: &&str| unknown || (has(table) && (scans || !table.starts_with("tcp")));
        ["tcp", "tcp6", "udp", "udp6", "unix"].into_iter().filter(wanted).collect()
    }

    fn remember(&mut self, socket: &Socket, number: u32) {
        if !socket.kind.as_deref().is_some_and(|kind| kind.starts_with("tcp")) {
            return;
        }
        if let Some(pair) = ends(socket) {
            self.asleep.remove(&pair);
            self.pairs.insert(pair, number);
        } else if socket.state.as_deref() == Some("LISTEN")
            && let Some(local) = socket.local.as_ref().and_then(inet)
        {
            self.listeners.insert(local, number);
        }
    }

    /// A connection of this run that no descriptor names: no longer, or not yet.
    fn without_descriptor(&self, row: &Row) -> Option<Socket> {
        if row.inode != 0 {
            return None;
        }
        let (local, peer) = (row.local?, row.peer?);
        if let Some(&number) = self.pairs.get(&(local, peer)) {
            return Some(Socket { socket: Some(number), ..row.socket() });
        }
        // Somebody else may have had the port before: what is left of that is in TIME_WAIT.
        if row.state == "TIME_WAIT" {
            return None;
        }
        let any: IpAddr = if local.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let listener = [local, SocketAddr::new(any, local.port())].iter().find_map(|at| self.listeners.get(at))?;
        Some(Socket { waits_at: Some(*listener), unread: Some(row.unread()), ..row.socket() })
    }
}

/// Whether one end of a connection has said that nothing more comes, and the other end has not heard of it. Within a machine
/// that takes no time, unless the machine is busy; or until there is room, if the other end does not receive.
fn an_end_is_under_way(kernel: &Kernel) -> bool {
    let state = |number: u32| kernel.sockets.iter().find(|socket| socket.socket == Some(number))?.state.as_deref();
    kernel.sockets.iter().any(|socket| {
        socket.state.as_deref() == Some("FIN_WAIT1") && socket.other_end.and_then(state) == Some("ESTABLISHED")
    })
}

/// A descriptor that names a socket.
#[derive(Clone, Copy, Debug)]
struct Holder {
    pid: pid_t,
    fd: RawFd,
    inode: Inode,
}

/// Who has which socket, by the socket's number.
fn holders(scene: &Scene<'_>, sockets: &Sockets) -> BTreeMap<u32, Vec<Holder>> {
    let mut holders: BTreeMap<u32, Vec<Holder>> = BTreeMap::new();
    for &pid in scene.processes {
        // One that is just ending has no descriptors any more.
        for (fd, inode) in descriptors(pid).unwrap_or_default() {
            if let Some(number) = sockets.known_number(inode) {
                holders.entry(number).or_default().push(Holder { pid, fd, inode });
            }
        }
    }
    for holders in holders.values_mut() {
        holders.sort_by_key(|holder| (holder.pid, holder.fd));
    }
    holders
}

/// A socket as a table in `/proc/PID/net` lists it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    /// 0 if no descriptor names it.
    inode: Inode,
    kind: &'static str,
    state: &'static str,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    /// Bytes that wait to be received; of a listening socket, connections that wait to be accepted.
    waiting: u32,
}

impl Row {
    fn socket(&self) -> Socket {
        let listens = self.state == "LISTEN";
        let is_tcp = self.kind.starts_with("tcp");
        Socket {
            socket: None,
            kind: Some(self.kind.into()),
            state: Some(self.state.into()),
            local: self.local.map(address),
            peer: self.peer.map(address),
            unread: (is_tcp && !listens && self.inode != 0).then(|| self.unread()),
            queued: (is_tcp && listens).then_some(self.waiting),
            backlog: None,
            waits_at: None,
            other_end: None,
        }
    }

    /// Adds to what is known of a socket what the table knows of it.
    fn complete(&self, socket: &mut Socket) {
        let row = self.socket();
        socket.kind = socket.kind.take().or(row.kind);
        socket.state = socket.state.take().or(row.state);
        socket.local = socket.local.take().or(row.local);
        socket.peer = socket.peer.take().or(row.peer);
        socket.unread = socket.unread.or(row.unread);
        socket.queued = socket.queued.or(row.queued);
    }

    /// The bytes that wait to be received. In TCP's table the end of the stream counts as one, until it is read.
    fn unread(&self) -> u32 {
        let ended = matches!(self.state, "CLOSE_WAIT" | "LAST_ACK" | "CLOSING");
        if ended { self.waiting.saturating_sub(1) } else { self.waiting }
    }
}

/// What these tables list, of the network that this thread is in.
fn rows(tid: pid_t, tables: &[&'static str]) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &table in tables {
        let bytes = match fs::read(format!("/proc/{tid}/net/{table}")) {
            Ok(bytes) => bytes,
            // Without IPv6 there are no tables of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // The path of a unix socket may be anything.
        let text = String::from_utf8_lossy(&bytes);
        let row = |line| if table == "unix" { unix_row(line) } else { inet_row(table, line) };
        rows.extend(text.lines().skip(1).filter_map(row));
    }
    Ok(rows)
}

/// `   0: 0100007F:984F 0100007F:CA84 01 00000000:00000005 03:00001695 00000000     0        0 4711 …`
fn inet_row(kind: &'static str, line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, peer, state) = (words.next()?, words.next()?, words.next()?);
    let (_, unread) = words.next()?.split_once(':')?;
    let inode = words.nth(4)?.parse().ok()?;
    let peer = socket_address(peer)?;
    Some(Row {
        inode,
        kind,
        state: if kind.starts_with("udp") { udp_state(state) } else { tcp_state(u8::from_str_radix(state, 16).ok()?)? },
        local: socket_address(local),
        peer: (peer.port() != 0).then_some(peer),
        waiting: u32::from_str_radix(unread, 16).ok()?,
    })
}

/// `00000000931ebdcc: 00000003 00000000 00010000 0001 01 8847746 @name`
fn unix_row(line: &str) -> Option<Row> {
    const LISTENS: u32 = 0x0001_0000;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (flags, kind, state) = (u32::from_str_radix(words.get(3)?, 16).ok()?, *words.get(4)?, *words.get(5)?);
    let inode = words.get(6)?.parse().ok()?;
    Some(Row {
        inode,
        kind: match kind {
            "0001" => "unix-stream",
            "0002" => "unix-dgram",
            _ => "unix-seqpacket",
        },
        state: match state {
            _ if flags & LISTENS != 0 => "LISTEN",
            "03" => "CONNECTED",
            "02" => "CONNECTING",
            _ => "UNCONNECTED",
        },
        local: None,
        peer: None,
        waiting: 0,
    })
}

/// The kernel's numbers of TCP's states (`include/net/tcp_states.h`), by the names that RFC 9293 gives them.
fn tcp_state(number: u8) -> Option<&'static str> {
    const STATES: [&str; 12] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "SYN_RECV",
    ];
    STATES.get(usize::from(number).checked_sub(1)?).copied()
}

/// UDP has no states; the kernel notes only whether a socket has a peer.
fn udp_state(number: &str) -> &'static str {
    if number == "01" { "CONNECTED" } else { "UNCONNECTED" }
}

/// `0100007F:984F`: each group of eight digits is four bytes of the address, read as a number of this machine's byte order.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..ip.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip: IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        _ => <[u8; 16]>::try_from(bytes).ok()?.into(),
    };
    Some(SocketAddr::new(ip, port))
}

fn address(address: SocketAddr) -> Address {
    match address {
        SocketAddr::V4(v4) => Address::Inet { ip: *v4.ip(), port: v4.port() },
        // The tables say neither flow information nor scope.
        SocketAddr::V6(v6) => Address::Inet6 { ip: *v6.ip(), port: v6.port(), flowinfo: 0, scope_id: 0 },
    }
}

fn inet(address: &Address) -> Option<SocketAddr> {
    match *address {
        Address::Inet { ip, port } => Some(SocketAddr::new(ip.into(), port)),
        Address::Inet6 { ip, port, .. } => Some(SocketAddr::new(ip.into(), port)),
        _ => None,
    }
}

/// The sockets among a process's descriptors.
fn descriptors(pid: pid_t) -> io::Result<Vec<(RawFd, Inode)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let inode = target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(fd.zip(inode));
    }
    Ok(found)
}

/// A copy of another process's descriptor. It must be gone before that process goes on.
fn copy(pid: pid_t, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: pidfd_getfd takes three numbers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// The descriptor that a call has just returned.
fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}

/// Both ends' addresses, if it has a peer.
fn ends(socket: &Socket) -> Option<(SocketAddr, SocketAddr)> {
    socket.local.as_ref().and_then(inet).zip(socket.peer.as_ref().and_then(inet))
}

/// What the socket itself knows.
fn ask(copy: &OwnedFd, socket: &mut Socket) {
    socket.local = name(copy, libc::getsockname);
    if let Some(info) = tcp_info(copy) {
        // One that is closed is in no table.
        socket.state = tcp_state(info.tcpi_state).filter(|state| *state != "CLOSE").map(Into::into);
        match socket.state.as_deref() {
            None => {}
            // Of a listening socket these two say how long its queue is, and may be.
            Some("LISTEN") => (socket.queued, socket.backlog) = (Some(info.tcpi_unacked), Some(info.tcpi_sacked)),
            Some(_) => {
                socket.peer = name(copy, libc::getpeername);
                socket.unread = unread(copy);
            }
        }
    } else {
        // Where it has none, its table says so.
        socket.unread = unread(copy);
    }
}

/// The kind of a socket that is in no table.
fn kind(copy: &OwnedFd) -> Option<&'static str> {
    let family = option(copy, libc::SO_DOMAIN)?;
    let kind = option(copy, libc::SO_TYPE)?;
    Some(match (family, kind) {
        (libc::AF_INET, libc::SOCK_STREAM) => "tcp",
        (libc::AF_INET6, libc::SOCK_STREAM) => "tcp6",
        (libc::AF_INET, libc::SOCK_DGRAM) => "udp",
        (libc::AF_INET6, libc::SOCK_DGRAM) => "udp6",
        (libc::AF_UNIX, libc::SOCK_STREAM) => "unix-stream",
        (libc::AF_UNIX, libc::SOCK_DGRAM) => "unix-dgram",
        (libc::AF_UNIX, libc::SOCK_SEQPACKET) => "unix-seqpacket",
        _ => return None,
    })
}

/// The name that getsockname or getpeername tells.
fn name(
    copy: &OwnedFd,
    asks: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
) -> Option<Address> {
    let mut bytes = [0_u8; 128];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: `bytes` has room for the `length` bytes that the kernel may write, and both are locals.
    if unsafe { asks(copy.as_raw_fd(), bytes.as_mut_ptr().cast(), &raw mut length) } == -1 {
        return None;
    }
    let bytes = bytes.get(..length as usize).filter(|bytes| bytes.len() >= 2)?;
    Some(decode::parse_address(bytes))
}

fn option(copy: &OwnedFd, name: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` has room for the `length` bytes that the kernel may write, and both are locals.
    let result =
        unsafe { libc::getsockopt(copy.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) };
    (result == 0).then_some(value)
}

fn tcp_info(copy: &OwnedFd) -> Option<libc::tcp_info> {
    // SAFETY: a tcp_info is plain numbers, for which zero bytes are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `info` has room for the `length` bytes that the kernel may write, and both are locals.
    let result = unsafe {
        libc::getsockopt(copy.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length)
    };
    (result == 0).then_some(info)
}

/// How many bytes wait to be received (of datagrams: in the first one).
fn unread(copy: &OwnedFd) -> Option<u32> {
    let mut bytes: c_int = 0;
    // SAFETY: FIONREAD writes one int, and `bytes` is one.
    let result = unsafe { libc::ioctl(copy.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    (result == 0).then(|| u32::try_from(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_table_is_taken_apart() {
        let line =
            "   2: 0100007F:984F 0100007F:CA84 08 00000000:00000006 00:00000000 00000000  0  0 4711 3 00000000aa478aa0";
        let row = inet_row("tcp", line).expect("the line is well formed");
        assert_eq!((row.inode, row.state, row.waiting), (4711, "CLOSE_WAIT", 6));
        if cfg!(target_endian = "little") {
            assert_eq!(row.local, Some("127.0.0.1:38991".parse().expect("it is an address")));
            assert_eq!(row.peer, Some("127.0.0.1:51844".parse().expect("it is an address")));
        }
        assert_eq!(row.socket().unread, Some(5), "the end of the stream is not a byte");
    }

    #[test]
    fn a_listener_has_no_peer_and_a_queue() {
        let line = "   0: 00000000:07E8 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 639 1 0";
        let row = inet_row("tcp", line).expect("the line is well formed");
        assert_eq!((row.state, row.peer), ("LISTEN", None));
        let socket = row.socket();
        assert_eq!((socket.unread, socket.queued), (None, Some(2)));
    }

    #[test]
    fn an_ipv6_address_is_four_groups() {
        let text = if cfg!(target_endian = "little") {
            "00000000000000000000000001000000:0050"
        } else {
            "00000000000000000000000000000001:0050"
        };
        assert_eq!(socket_address(text), Some("[::1]:80".parse().expect("it is an address")));
    }

    #[test]
    fn unix_sockets_have_states_too() {
        let line = "00000000931ebdcc: 00000002 00000000 00010000 0001 01 8847746 demo.sock";
        let row = unix_row(line).expect("the line is well formed");
        assert_eq!((row.inode, row.kind, row.state), (8847746, "unix-stream", "LISTEN"));
    }

    #[test]
    fn what_is_no_line_is_none() {
        for line in ["", "  0:", "   0: 00000000:07E8 zzz 0A 0:0 0:0 0 0 0 639", "   0: 0:0 0:0 0 0"] {
            assert!(inet_row("tcp", line).is_none(), "{line:?}");
        }
        assert!(unix_row("").is_none());
    }
}
