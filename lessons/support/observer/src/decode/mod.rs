//! What a system call means: its name, its arguments and its result, in the words of `strace` 6.1.
//!
//! A call is decoded in two steps, because some arguments are known when it begins (what is sent) and others only when it
//! has returned (what was received): [`enter`] at the entry stop, then [`finish`] at the exit stop, or [`unfinished`] if
//! the call never returned.

mod table;

use std::borrow::Cow;

use crate::memory::Memory;
use crate::trace::{Address, Arg, Outcome, Value};

pub(crate) use table::{lookup, table};

/// When a call is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Always: the call is about sockets alone.
    Socket,
    /// Only when it touches a socket ([`touches`] names the descriptors).
    General,
    /// Always: a process or thread begins, changes or ends.
    Life,
}

/// One system call that is traced.
pub(crate) struct SyscallInfo {
    /// Its number on this architecture.
    pub number: i64,
    /// The kernel's name for it.
    pub name: &'static str,
    /// When it is shown.
    pub scope: Scope,
    /// The names of its arguments, as in its man page.
    pub parameters: &'static [&'static str],
    /// Decodes what is known when the call begins.
    at_entry: fn(&mut Pending, &Memory),
    /// Decodes the rest when it has returned.
    at_exit: fn(&mut Pending, &Memory),
}

/// A call that has begun.
pub(crate) struct Pending {
    info: &'static SyscallInfo,
    /// The raw arguments.
    raw: [u64; 6],
    /// How many bytes of a buffer are kept as a value.
    keep_bytes: usize,
    /// The arguments decoded so far.
    args: Vec<Arg>,
    /// The raw result; 0 until it is known.
    result: i64,
}

/// Decodes what is known of a call when it begins. The thread must be at the call's entry stop.
pub(crate) fn enter(info: &'static SyscallInfo, args: [u64; 6], memory: &Memory, keep_bytes: usize) -> Pending {
    let mut pending =
        Pending { info, raw: args, keep_bytes, args: Vec::with_capacity(info.parameters.len()), result: 0 };
    (info.at_entry)(&mut pending, memory);
    pending
}

/// The pending form of a `restart_syscall` that carries on the call of this name (`None` if it is not known).
pub(crate) fn resume(info: &'static SyscallInfo, interrupted: Option<&'static str>) -> Pending {
    let text = match interrupted {
        Some(name) => format!("<... resuming interrupted {name} ...>"),
        None => "<... resuming interrupted system call ...>".to_string(),
    };
    let mut pending = Pending { info, raw: [0; 6], keep_bytes: 0, args: Vec::with_capacity(1), result: 0 };
    pending.push(text, None);
    pending
}

/// Decodes the rest of a call that has returned. The thread must be at the call's exit stop. `raw_result` is what the
/// kernel returned: a negated errno after an error.
pub(crate) fn finish(mut pending: Pending, memory: &Memory, raw_result: i64) -> (Vec<Arg>, Outcome) {
    pending.result = raw_result;
    (pending.info.at_exit)(&mut pending, memory);
    let outcome = Outcome { value: Some(raw_result), errno: None, text: raw_result.to_string().into() };
    (pending.args, outcome)
}

/// The arguments and the outcome of a call that never returned.
pub(crate) fn unfinished(mut pending: Pending) -> (Vec<Arg>, Outcome) {
    // `strace` prints the comma after the last argument that it knew, and then this.
    if pending.args.len() < pending.info.parameters.len() {
        pending.push(" <unfinished ...>", None);
    }
    (pending.args, Outcome { value: None, errno: None, text: "?".into() })
}

/// Adds to `descriptors` those that the call is about (read from memory for poll and select), so that the tracer can ask
/// whether one is a socket. To be asked at the entry stop: after a `close` the descriptor is gone.
pub(crate) fn touches(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, descriptors: &mut Vec<i32>) {
    let _ = (info, args, memory);
    descriptors.push(args[0] as i32);
}

/// Adds to `descriptors` those that a call has just made: by its result (socket, accept, dup, fcntl F_DUPFD …) or in
/// memory (socketpair, and recvmsg's SCM_RIGHTS). To be asked at the exit stop.
pub(crate) fn makes(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, raw_result: i64, descriptors: &mut Vec<i32>) {
    let _ = (info, args, memory);
    if raw_result >= 0 {
        descriptors.push(raw_result as i32);
    }
}

/// Adds to `addresses` those that the call asks the kernel to bind to, connect to or send to (bind, connect, sendto,
/// sendmsg, sendmmsg), as far as they can be read. To be asked at the entry stop.
pub(crate) fn destinations(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, addresses: &mut Vec<Address>) {
    let _ = (info, args, memory, addresses);
}

impl Pending {
    /// Adds the next argument under its man-page name.
    fn push(&mut self, text: impl Into<Cow<'static, str>>, value: Option<Value>) {
        let name = self.info.parameters.get(self.args.len()).copied().unwrap_or("arg");
        self.args.push(Arg { name: name.into(), text: text.into(), value });
    }

    /// Adds the next argument, a plain signed number.
    fn push_int(&mut self, number: i64) {
        self.push(number.to_string(), Some(Value::Int(number)));
    }
}

/// For calls of which nothing more is known later.
fn nothing(_: &mut Pending, _: &Memory) {}

/// All arguments as plain numbers.
fn numbers(pending: &mut Pending, _: &Memory) {
    for index in 0..pending.info.parameters.len() {
        pending.push_int(pending.raw[index] as i64);
    }
}
