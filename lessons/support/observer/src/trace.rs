//! What an observer reports: a [`Trace`], its [`Event`]s in the order in which they ended, and every [`Call`] with its
//! arguments both as `strace` prints them and as values.
//!
//! # The JSON form
//!
//! The same types, written by `serde`, are a trace's JSON form. Fields in the order in which they are written; those marked
//! "if" are left out otherwise. Readers should ignore fields that they do not know.
//!
//! A **trace** is an object:
//!
//! | field | value |
//! |---|---|
//! | `machine` | `{"kernel": "6.18.44", "architecture": "x86_64"}`: what `uname -r` and `uname -m` say |
//! | `events` | a list of events |
//! | `remarks` | if there are any: a list of sentences on the whole run, for people |
//! | `ending` | how the program ended: `{"how": "exited", "status": 0}`, `{"how": "killed", "signal": "SIGPIPE"}`, `{"how": "deadline", "milliseconds": 5000}` or `{"how": "too-many-processes", "limit": 256}` |
//!
//! An **event** is an object. What it is stands in `event`, and decides which other fields follow:
//!
//! | field | value |
//! |---|---|
//! | `pid`, `tid` | process and thread id; equal in a process's first thread |
//! | `at_us` | when it began, in microseconds since the run's start or the first opening of the fence |
//! | `took_us` | how long it took, in microseconds; 0 where that has no meaning |
//! | `event` | `call`, `signal`, `stopped`, `exited`, `killed` or `superseded` |
//! | with `signal` | `signal`: its name; `details`: such as `{si_signo=SIGPIPE, si_code=SI_USER, si_pid=7, si_uid=0}` |
//! | with `stopped` | `signal`: its name |
//! | with `exited` | `status`: 0 to 255 |
//! | with `killed` | `signal`: its name; `core_dumped`: true or false |
//! | with `superseded` | `by`: the id of the thread that called exec |
//!
//! With `call` follow:
//!
//! | field | value |
//! |---|---|
//! | `name` | the kernel's name of the call, such as `sendto` |
//! | `args` | a list of arguments, in order, each an object: `name` (as in the man page: `sockfd`, `addr`, …), `text` (as printed), and `value` if there is more to it than the text |
//! | `outcome` | an object: `value` (what the call returned: a number, -1 after an error, `null` if it never returned), `errno` (if it failed: the errno's name, such as `EADDRINUSE`; for an interrupted call the kernel's own `ERESTARTSYS` and its kin) and `text` (all that is printed right of ` = `) |
//! | `socket` | if it is about one: the socket's number in the trace, from 1 in the order of appearance, whatever descriptors name it. For a call that makes a socket, the new one; a socketpair's second one has the next number |
//! | `injected` | if true: the observer changed the call |
//! | `guard` | if the guard refused the call: why, in words |
//!
//! If snapshots were asked for ([`crate::Observer::snapshots`]), an event may end with `kernel`: what the kernel held after
//! it. Where it is missing, that was the same as after the event before. It is an object:
//!
//! | field | value |
//! |---|---|
//! | `descriptors` | a list of objects `{"pid": 7, "fd": 3, "socket": 1}`: which process has which descriptor of which socket; sorted |
//! | `sockets` | a list of objects, below: the sockets that have a number in the trace and are still there, in order, then those that wait to be accepted |
//! | `hidden` | if true: this machine did not let the observer look; the lists are empty |
//!
//! A socket there has, each only if it is known and has a meaning:
//!
//! | field | value |
//! |---|---|
//! | `socket` | its number in the trace; missing for a connection that waits to be accepted |
//! | `kind` | `tcp`, `tcp6`, `udp`, `udp6`, `unix-stream`, `unix-dgram` or `unix-seqpacket` |
//! | `state` | of TCP `LISTEN`, `SYN_SENT`, `ESTABLISHED`, `CLOSE_WAIT` …; of the others `LISTEN`, `UNCONNECTED`, `CONNECTING` or `CONNECTED`. Missing while the socket is in none of the kernel's tables: not bound, or bound and no more |
//! | `local`, `peer` | its address and its peer's, in the form of an argument's `address` |
//! | `unread` | bytes that wait to be received (of datagrams: in the first one) |
//! | `queued`, `backlog` | of a listening socket: how many connections wait to be accepted, and how many the kernel was told to let wait |
//! | `waits_at` | of a connection that waits to be accepted: the listening socket's number |
//! | `other_end` | of a connection of TCP: the number of the socket at its other end, if that is one of the trace |
//!
//! The **value** of an argument is an object with one field: `{"int": 16}`, `{"pointer": 140732920755200}`,
//! `{"bytes": [104, 105]}` (what was really sent or received, at most as many as were asked for to be kept) or
//! `{"address": …}`, an object:
//!
//! | `family` | other fields |
//! |---|---|
//! | `unspec` | none |
//! | `inet` | `ip` (`"127.0.0.1"`), `port` (a number, host order) |
//! | `inet6` | `ip` (`"::1"`), `port`, `flowinfo`, `scope_id` (numbers, host order) |
//! | `unix` | `name`: `{"path": [47, 116, …]}` (bytes, up to the first zero byte), `{"abstract": [100, …]}` (bytes, without the leading zero byte) or `"unnamed"` |
//! | `other` | `number` (the family's), `data` (the bytes after the family). Also for an address too short for its family |
//!
//! ```
//! let json = r#"{
//!   "machine": {"kernel": "6.18.44", "architecture": "x86_64"},
//!   "events": [{
//!     "pid": 7, "tid": 7, "at_us": 12, "took_us": 3, "event": "call", "name": "bind",
//!     "args": [
//!       {"name": "sockfd", "text": "3", "value": {"int": 3}},
//!       {"name": "addr", "text": "{sa_family=AF_INET, …}",
//!        "value": {"address": {"family": "inet", "ip": "127.0.0.1", "port": 80}}},
//!       {"name": "addrlen", "text": "16", "value": {"int": 16}}
//!     ],
//!     "outcome": {"value": -1, "errno": "EACCES", "text": "-1 EACCES (Permission denied)"},
//!     "socket": 1
//!   }],
//!   "ending": {"how": "exited", "status": 0}
//! }"#;
//! let trace: observer::Trace = serde_json::from_str(json)?;
//! let bind = trace.events[0].call().ok_or("the event is a call")?;
//! assert_eq!((bind.errno(), bind.int("addrlen"), bind.socket), (Some("EACCES"), Some(16), Some(1)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Everything that was seen in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The machine of the run.
    pub machine: Machine,
    /// What was seen, in order. A call stands where it *returned*.
    pub events: Vec<Event>,
    /// Remarks of the observer on the whole run, in plain words, such as that a 32-bit program's calls are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// How the traced program ended.
    pub ending: Ending,
}

/// The machine a trace was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`, such as `6.18.44`.
    pub kernel: String,
    /// `uname -m`, such as `x86_64`.
    pub architecture: String,
}

/// How the traced program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ending {
    /// It exited with this status (0 to 255).
    Exited {
        /// The exit status.
        status: i32,
    },
    /// A signal killed it.
    Killed {
        /// The signal's name, such as `SIGPIPE`.
        signal: String,
    },
    /// It still ran when the deadline passed; it and all its children were killed.
    Deadline {
        /// The deadline, in milliseconds.
        milliseconds: u64,
    },
    /// It made more processes or threads at once than the limit allows; all of them were killed.
    TooManyProcesses {
        /// The limit.
        limit: usize,
    },
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Process id.
    pub pid: i32,
    /// Thread id; the same as `pid` in a process's first thread.
    pub tid: i32,
    /// When it began, in microseconds since the run's start (the opening of the fence, if there is one).
    pub at_us: u64,
    /// How long it took, in microseconds; 0 where that has no meaning.
    pub took_us: u64,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
    /// What the kernel held after it, if that was asked for ([`crate::Observer::snapshots`]) and is not the same as after the
    /// event before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
}

/// What the kernel held of a run's sockets at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Which process had which descriptor of which socket, by process and descriptor.
    pub descriptors: Vec<Descriptor>,
    /// The sockets that have a number in the trace, by that number: also those that no descriptor names any more and that
    /// the kernel still ends. After them the connections that wait to be accepted.
    pub sockets: Vec<Socket>,
    /// Whether this machine did not let the observer look; then the lists are empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// A descriptor of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The process that had it.
    pub pid: i32,
    /// The descriptor.
    pub fd: i32,
    /// The socket's number in the trace.
    pub socket: u32,
}

/// A socket as the kernel had it. What is `None` was not known, or has no meaning for this socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its number in the trace; `None` for a connection that waits to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<u32>,
    /// `tcp`, `tcp6`, `udp`, `udp6`, `unix-stream`, `unix-dgram` or `unix-seqpacket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// `LISTEN`, `ESTABLISHED`, `CONNECTED` …; `None` while the socket is in none of the kernel's tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Cow<'static, str>>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Address>,
    /// Its peer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Address>,
    /// Bytes that wait to be received; of datagrams, those of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// Connections that wait to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
    /// How many the kernel was told to let wait (it lets one more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u32>,
    /// The number of the listening socket where this connection waits to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_at: Option<u32>,
    /// The number of the socket at the other end of its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_end: Option<u32>,
}

/// What an event was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A system call.
    Call(Call),
    /// A signal arrived: `--- SIGPIPE {si_signo=SIGPIPE, …} ---`.
    Signal {
        /// Its name, such as `SIGPIPE`.
        signal: String,
        /// Its details as `strace` prints them, with the braces.
        details: String,
    },
    /// A signal stopped the thread: `--- stopped by SIGSTOP ---`.
    Stopped {
        /// Its name.
        signal: String,
    },
    /// The thread or process ended: `+++ exited with 0 +++`.
    Exited {
        /// Its exit status.
        status: i32,
    },
    /// A signal killed it: `+++ killed by SIGKILL +++`.
    Killed {
        /// The signal's name.
        signal: String,
        /// Whether it dumped core (`strace` then adds ` (core dumped)`).
        core_dumped: bool,
    },
    /// Another thread called exec, and this one went away: `+++ superseded by execve in pid 7 +++`.
    Superseded {
        /// The thread that called exec.
        by: i32,
    },
}

/// One system call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The kernel's name: `sendto`, even where the program said `send`.
    pub name: Cow<'static, str>,
    /// The arguments, as printed, in order.
    pub args: Vec<Arg>,
    /// The result.
    pub outcome: Outcome,
    /// Which socket of this trace the call was about: sockets are numbered from 1 as they first appear, whatever
    /// descriptors name them (dup, fork and descriptor passing keep the number). For a call that makes a socket, the new
    /// one (socketpair makes two: this is the first, the second has the next number). `None` where no socket was made or
    /// named, or several were (poll and its kin).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<u32>,
    /// Whether the observer changed the call (`Injection`, or the guard).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// Why the guard refused the call, if it did, such as `0.0.0.0:80 is not a loopback address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arg {
    /// Its name in the man page, such as `sockfd`, `addr`, `addrlen`.
    pub name: Cow<'static, str>,
    /// As `strace` prints it.
    pub text: Cow<'static, str>,
    /// Its value, where there is more to it than the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// A plain number: descriptor, flags, length, option value.
    Int(i64),
    /// A socket address that could be read.
    Address(Address),
    /// Bytes that could be read: what was really sent or received (at most [`crate::Observer::keep_bytes`] of them).
    Bytes(Vec<u8>),
    /// A pointer that was not followed, or could not be.
    Pointer(u64),
}

/// A socket address in host byte order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Address {
    /// AF_UNSPEC.
    Unspec,
    /// AF_INET.
    Inet {
        /// IPv4 address.
        ip: Ipv4Addr,
        /// Port, host order.
        port: u16,
    },
    /// AF_INET6.
    Inet6 {
        /// IPv6 address.
        ip: Ipv6Addr,
        /// Port, host order.
        port: u16,
        /// Flow information, host order.
        flowinfo: u32,
        /// Scope id (an interface's index), 0 for none.
        scope_id: u32,
    },
    /// AF_UNIX.
    Unix {
        /// Its name.
        name: UnixName,
    },
    /// Any other family, or an address too short for its family.
    Other {
        /// The family's number.
        number: u16,
        /// The bytes after the family.
        data: Vec<u8>,
    },
}

/// The name of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnixName {
    /// A path, up to its first zero byte.
    Path(Vec<u8>),
    /// An abstract name, without the leading zero byte.
    Abstract(Vec<u8>),
    /// No name.
    Unnamed,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the call returned; `None` if it never did. -1 after an error.
    pub value: Option<i64>,
    /// The errno's name after an error, such as `EADDRINUSE`; for an interrupted call the kernel's private
    /// `ERESTARTSYS` and its kin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Cow<'static, str>>,
    /// All that stands right of ` = `, as `strace` prints it.
    pub text: Cow<'static, str>,
}

impl Event {
    /// The event as a line, as `strace` prints it, without the process id in front. (To print it, print the event itself.)
    pub fn line(&self) -> String {
        self.to_string()
    }

    /// The call, if the event is one.
    pub fn call(&self) -> Option<&Call> {
        match &self.what {
            What::Call(call) => Some(call),
            _ => None,
        }
    }
}

/// The line, as `strace` prints it.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Call(call) => call.fmt(f),
            What::Signal { signal, details } => write!(f, "--- {signal} {details} ---"),
            What::Stopped { signal } => write!(f, "--- stopped by {signal} ---"),
            What::Exited { status } => write!(f, "+++ exited with {status} +++"),
            What::Killed { signal, core_dumped: false } => write!(f, "+++ killed by {signal} +++"),
            What::Killed { signal, core_dumped: true } => write!(f, "+++ killed by {signal} (core dumped) +++"),
            What::Superseded { by } => write!(f, "+++ superseded by execve in pid {by} +++"),
        }
    }
}

/// The line, as `strace` prints it.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COLUMN: usize = 39;
        const SPACES: &str = "                                       ";
        let width = self.write_request(f)?;
        f.write_str(&SPACES[width.min(COLUMN)..])?;
        f.write_str(" = ")?;
        f.write_str(&self.outcome.text)
    }
}

impl Call {
    /// The part left of ` = `: name and arguments. Of a call that never returned, the last argument's text may be
    /// ` <unfinished ...>`: what would have been known only at its return.
    pub fn request(&self) -> String {
        let mut request = String::with_capacity(120);
        // Writing to a string cannot fail.
        let _ = self.write_request(&mut request);
        request
    }

    /// The whole line. `strace` pads the request so that the `=` stands in column 40.
    pub fn line(&self) -> String {
        self.to_string()
    }

    /// Writes the request, and gives its width: its length in bytes, for `strace` writes all but ASCII as escapes.
    fn write_request(&self, out: &mut impl fmt::Write) -> Result<usize, fmt::Error> {
        let mut width = self.name.len() + 2;
        out.write_str(&self.name)?;
        out.write_str("(")?;
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                out.write_str(", ")?;
                width += 2;
            }
            out.write_str(&arg.text)?;
            width += arg.text.len();
        }
        out.write_str(")")?;
        Ok(width)
    }

    /// The argument of that name.
    pub fn arg(&self, name: &str) -> Option<&Arg> {
        self.args.iter().find(|arg| arg.name == name)
    }

    /// The number in the argument of that name.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.arg(name)?.value {
            Some(Value::Int(number)) => Some(number),
            _ => None,
        }
    }

    /// The address among the arguments, if there is one that could be read.
    pub fn address(&self) -> Option<&Address> {
        self.args.iter().find_map(|arg| match &arg.value {
            Some(Value::Address(address)) => Some(address),
            _ => None,
        })
    }

    /// The errno's name, after an error.
    pub fn errno(&self) -> Option<&str> {
        self.outcome.errno.as_deref()
    }

    /// Whether the call returned without an error.
    pub fn succeeded(&self) -> bool {
        self.outcome.value.is_some() && self.outcome.errno.is_none()
    }
}
