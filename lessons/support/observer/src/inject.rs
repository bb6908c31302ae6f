//! What an observer may change: a call made to fail or cut short on purpose, and the guard that keeps traffic at home.

use serde::{Deserialize, Serialize};

/// A change to make to a child's system call. The changed line in the trace ends in ` (INJECTED)`, as in `strace -e inject`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// Names of the system calls that it applies to, as the kernel names them (`sendto`, not `send`).
    /// Several names count together: with `accept` and `accept4`, "the second" is the second of either.
    pub calls: Vec<String>,
    /// Which of those calls, counted from 1 at the opening of the fence (or at the start, without one). Only calls that are
    /// shown are counted: of reads and writes, for example, those on sockets.
    pub which: Occurrence,
    /// What to do to it.
    pub effect: Effect,
}

/// Which of the calls of a kind an injection applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occurrence {
    /// Only the nth, counted from 1.
    Nth(u32),
    /// The nth and all after it.
    From(u32),
    /// Every one.
    Every,
}

/// What an injection does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The kernel never runs the call; the program gets -1 and this errno.
    Fail(i32),
    /// The length argument is lowered to this many bytes, so the kernel itself sends or receives no more.
    /// Applies to sendto, recvfrom, read and write.
    Shorten(usize),
}

impl Injection {
    /// Makes the `nth` call (from 1) of the given names fail with `errno`, without running it.
    pub fn fail(calls: &[&str], nth: u32, errno: i32) -> Injection {
        Injection::new(calls, Occurrence::Nth(nth), Effect::Fail(errno))
    }

    /// Lets the `nth` call (from 1) of the given names handle at most `bytes` bytes.
    pub fn shorten(calls: &[&str], nth: u32, bytes: usize) -> Injection {
        Injection::new(calls, Occurrence::Nth(nth), Effect::Shorten(bytes))
    }

    /// Any combination of names, occurrence and effect.
    pub fn new(calls: &[&str], which: Occurrence, effect: Effect) -> Injection {
        Injection { calls: calls.iter().map(|name| name.to_string()).collect(), which, effect }
    }
}

/// Where a child may send traffic or offer service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// Anywhere. For programs that are trusted.
    #[default]
    Off,
    /// Only 127.0.0.0/8, `::1`, AF_UNIX, and whatever sockets of a private network namespace reach.
    /// bind, connect, sendto, sendmsg and sendmmsg to anything else, and `listen` on a socket that was never bound
    /// (the kernel would bind it to the wildcard address), are answered EPERM and reported in [`crate::Call::guard`], or,
    /// outside the fence, in [`crate::Trace::remarks`]. So are, because nobody could look into them, io_uring and the socket
    /// calls of 32-bit programs. It guards against mistakes, not against malice: a second thread could still change an
    /// address after the observer has read it.
    ///
    /// A connect to the wildcard address is let through: the kernel takes it for the machine itself.
    Loopback,
}
