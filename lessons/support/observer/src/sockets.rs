//! Which descriptors are sockets, and which socket each one is.
//!
//! The kernel knows: a descriptor's file has an inode number, which stays the same through dup, fork, exec and descriptor
//! passing, and which the kernel gives to no second socket (it counts up to 2³² before it would). So the tracer keeps no
//! table of descriptors of its own that could go wrong; it asks at each call, and remembers an answer only for as long as no
//! call has been made that can close or replace a descriptor.

use std::io::Write;

use libc::pid_t;

use crate::numbers::NumberMap;

/// A socket's inode number.
pub(crate) type Inode = u64;

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refers {
    /// To this socket.
    Socket(Inode),
    /// To something else.
    NoSocket,
    /// To nothing: no descriptor of this number is open.
    Nothing,
    /// The kernel does not say (the process has made itself unreadable).
    Unknown,
}

impl Refers {
    /// The socket, if it is known to be one.
    pub fn inode(self) -> Option<Inode> {
        match self {
            Refers::Socket(inode) => Some(inode),
            Refers::NoSocket | Refers::Nothing | Refers::Unknown => None,
        }
    }
}

/// The sockets of one run.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// Each socket's number in the trace.
    numbers: NumberMap<Inode, u32>,
    /// Answers that are still true, by thread and descriptor. Only sockets: what is not a socket may become one.
    known: NumberMap<(pid_t, i32), Inode>,
    /// Something is going on that the tracer cannot follow: ask every time.
    no_memory: bool,
}

impl Sockets {
    /// What this thread's descriptor refers to.
    pub fn refers(&mut self, tid: pid_t, fd: i32) -> Refers {
        if fd < 0 {
            return Refers::Nothing;
        }
        if let Some(&inode) = self.known.get(&(tid, fd)) {
            return Refers::Socket(inode);
        }
        let refers = ask(tid, fd);
        if let Refers::Socket(inode) = refers
            && !self.no_memory
        {
            self.known.insert((tid, fd), inode);
        }
        refers
    }

    /// A descriptor may have been closed or replaced somewhere.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// From here on descriptors may be closed unseen.
    pub fn never_remember(&mut self) {
        self.no_memory = true;
        self.known.clear();
    }

    /// The socket's number in the trace, if it has one.
    pub fn known_number(&self, inode: Inode) -> Option<u32> {
        self.numbers.get(&inode).copied()
    }

    /// The socket's number in the trace: the next one, if it had none.
    pub fn number(&mut self, inode: Inode) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        *self.numbers.entry(inode).or_insert(next)
    }
}

/// Asks the kernel, by the link in `/proc/TID/fd`. One call, about a microsecond.
fn ask(tid: pid_t, fd: i32) -> Refers {
    let mut path = [0_u8; 40];
    // Two numbers of at most eleven digits fit, and a zero byte stays behind them.
    if write!(&mut path[..39], "/proc/{tid}/fd/{fd}").is_err() {
        return Refers::Unknown;
    }
    // SAFETY: `stat` is plain numbers, for which zero bytes are valid.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends in a zero byte, and `stat` is a local that the kernel fills.
    if unsafe { libc::stat(path.as_ptr().cast(), &raw mut stat) } == -1 {
        return match nix::errno::Errno::last() {
            nix::errno::Errno::EACCES | nix::errno::Errno::EPERM => Refers::Unknown,
            nix::errno::Errno::ENOENT => Refers::Nothing,
            _ => Refers::NoSocket,
        };
    }
    if stat.st_mode & libc::S_IFMT == libc::S_IFSOCK && is_open_socket(stat.st_dev) {
        Refers::Socket(stat.st_ino)
    } else {
        Refers::NoSocket
    }
}

/// A socket's *file* in a directory also has the type S_IFSOCK, but can only be opened with O_PATH, and lives on a device
/// of its file system; open sockets all live on the kernel's internal one, whose major number is 0.
fn is_open_socket(device: libc::dev_t) -> bool {
    libc::major(device) == 0
}
