//! What a system call means: its name, its arguments and its result, in the words of `strace` 6.1.
//!
//! A call is decoded in two steps, because some arguments are known when it begins (what is sent) and others only when it
//! has returned (what was received): [`enter`] at the entry stop, then [`finish`] at the exit stop, or [`unfinished`] if
//! the call never returned. Each call has an entry in [`table`] with its two decoders, which are in the file of its theme.
//!
//! # The arguments by name
//!
//! The names of a call's arguments are those of its man page, listed in `table.rs`. Beside its text an argument may have a
//! value ([`Value`]):
//!
//! | argument | value |
//! |---|---|
//! | descriptors, lengths, counts, flags, backlog, level, option name … | `Int` |
//! | `addr` of bind, connect, accept, getsockname …; `dest_addr`, `src_addr` | `Address`, or `Pointer` if it was not read |
//! | `addrlen` and `optlen` that the kernel writes back | `Int`: the length at the end |
//! | `optval` | `Int` if it is a number, else `Bytes`, or `Pointer` if it was not read |
//! | `buf` of send and receive calls, read and write | `Bytes`: what was sent or received, or `Pointer` |
//! | `msg`, `msgvec`, `iov` | `Bytes`: what all of the buffers hold together, or `Pointer` |
//! | other pointers | `Pointer` |
//!
//! Bytes are kept up to [`crate::Observer::keep_bytes`].
//!
//! One thing to know: `recv` with MSG_TRUNC on a TCP socket throws bytes away without writing them anywhere. `strace` then
//! shows what the buffer held before, as many bytes as were thrown away, and so does the observer, in text and value: the
//! call alone does not say that it is TCP.

mod addresses;
mod buffers;
pub(crate) mod errno;
mod files;
mod ioctl;
mod messages;
mod names;
mod options;
mod polling;
mod process;
pub(crate) mod signals;
mod sockets;
mod table;
mod text;
mod touches;

use std::borrow::Cow;

use crate::memory::Memory;
use crate::trace::{Arg, Outcome, Value};

pub(crate) use addresses::parse as parse_address;
pub(crate) use table::{lookup, table};
pub(crate) use touches::{destinations, makes, touches};

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

/// Which descriptors a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// None.
    Nothing,
    /// Its first argument.
    First,
    /// Its first two arguments.
    FirstTwo,
    /// Its first and its third argument.
    FirstAndThird,
    /// Those in an array of `struct pollfd`.
    Polled,
    /// Those in the three sets of select.
    Selected,
}

/// One system call that is traced.
pub(crate) struct SyscallInfo {
    /// Its number on this architecture.
    pub number: i64,
    /// The kernel's name for it.
    pub name: &'static str,
    /// When it is shown.
    pub scope: Scope,
    /// Which descriptors it names.
    about: About,
    /// The names of its arguments, as in its man page.
    pub parameters: &'static [&'static str],
    /// Decodes what is known when the call begins, and says what is left for its end.
    at_entry: fn(&mut Pending, &Memory) -> Rest,
    /// Decodes the rest when it has returned. Not called if nothing is left.
    at_exit: fn(&mut Pending, &Memory),
}

/// What is left to decode when a call has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing: all was known at entry.
    Nothing,
    /// More arguments.
    Arguments,
    /// More of the last argument, an argument that not every such call has, or words beside the result.
    Details,
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
    rest: Rest,
    /// The raw result; 0 until it is known.
    result: i64,
    /// Whether the result is printed in hexadecimal.
    result_in_hex: bool,
    /// Words in parentheses right of the result, such as `Timeout`.
    note: Option<Cow<'static, str>>,
    /// What a call's decoder at entry keeps for the one at exit.
    kept: Kept,
}

/// What is kept from a call's entry for its exit, because the kernel may overwrite it in between.
#[derive(Debug, Default)]
struct Kept {
    /// The length in a value-result argument.
    length: i32,
    /// An address.
    address: u64,
    /// The length for each message of recvmmsg.
    lengths: Vec<i32>,
    /// A text.
    text: Option<Cow<'static, str>>,
}

/// Decodes what is known of a call when it begins. The thread must be at the call's entry stop.
pub(crate) fn enter(info: &'static SyscallInfo, args: [u64; 6], memory: &Memory, keep_bytes: usize) -> Pending {
    let mut pending = Pending::new(info, args, keep_bytes);
    pending.rest = (info.at_entry)(&mut pending, memory);
    pending
}

/// The pending form of a `restart_syscall` that carries on the call of this name (`None` if it is not known).
pub(crate) fn resume(info: &'static SyscallInfo, interrupted: Option<&'static str>) -> Pending {
    let mut pending = Pending::new(info, [0; 6], 0);
    pending.push(format!("<... resuming interrupted {} ...>", interrupted.unwrap_or("system call")), None);
    pending
}

/// Decodes the rest of a call that has returned. The thread must be at the call's exit stop. `raw_result` is what the
/// kernel returned: a negated errno after an error.
pub(crate) fn finish(mut pending: Pending, memory: &Memory, raw_result: i64) -> (Vec<Arg>, Outcome) {
    pending.result = raw_result;
    if pending.rest != Rest::Nothing {
        (pending.info.at_exit)(&mut pending, memory);
    }
    let outcome = pending.outcome();
    (pending.args, outcome)
}

/// The arguments and the outcome of a call that never returned.
pub(crate) fn unfinished(mut pending: Pending) -> (Vec<Arg>, Outcome) {
    const MARK: &str = " <unfinished ...>";
    match (pending.rest, pending.args.last_mut()) {
        (Rest::Nothing, _) => {}
        (Rest::Details, Some(last)) => last.text.to_mut().push_str(MARK),
        // The comma after the last known argument, and then this.
        (Rest::Arguments | Rest::Details, _) => pending.push(MARK, None),
    }
    (pending.args, Outcome { value: None, errno: None, text: "?".into() })
}

impl Pending {
    fn new(info: &'static SyscallInfo, raw: [u64; 6], keep_bytes: usize) -> Pending {
        Pending {
            info,
            raw,
            keep_bytes,
            args: Vec::with_capacity(info.parameters.len()),
            rest: Rest::Nothing,
            result: 0,
            result_in_hex: false,
            note: None,
            kept: Kept::default(),
        }
    }

    /// The raw argument at this place (from 0) as the `int` that the kernel makes of it.
    fn int(&self, index: usize) -> i32 {
        self.raw[index] as i32
    }

    /// Whether the call has returned an error.
    fn failed(&self) -> bool {
        errno::errno_of(self.result).is_some()
    }

    /// Adds the next argument under its man-page name.
    fn push(&mut self, text: impl Into<Cow<'static, str>>, value: Option<Value>) {
        let name = self.info.parameters.get(self.args.len()).copied().unwrap_or("arg");
        self.push_named(name, text, value);
    }

    /// Adds an argument under this name.
    fn push_named(&mut self, name: &'static str, text: impl Into<Cow<'static, str>>, value: Option<Value>) {
        self.args.push(Arg { name: name.into(), text: text.into(), value });
    }

    /// Adds the next argument, the raw one at this place printed as a signed `int`: descriptors, lengths, timeouts …
    fn push_int(&mut self, index: usize) {
        let number = self.int(index);
        self.push(text::number(number.into()), Some(Value::Int(number.into())));
    }

    /// Adds the next argument, the raw one at this place printed as an unsigned word: sizes.
    fn push_size(&mut self, index: usize) {
        let number = self.raw[index];
        let text = i64::try_from(number).map_or_else(|_| number.to_string().into(), text::number);
        self.push(text, Some(Value::Int(number as i64)));
    }

    /// Adds the next argument, the raw one at this place printed as a pointer that is not followed.
    fn push_pointer(&mut self, index: usize) {
        let address = self.raw[index];
        self.push(text::pointer(address), Some(Value::Pointer(address)));
    }

    /// Adds the next argument, the raw one at this place as a constant.
    fn push_constant(&mut self, index: usize, names: text::Names, unknown: &str) {
        let number = self.raw[index] as u32;
        self.push(text::name(names, number.into(), unknown), Some(Value::Int((number as i32).into())));
    }

    /// Adds the next argument, the raw one at this place as flags.
    fn push_flags(&mut self, index: usize, names: text::Names, unknown: &str) {
        let bits = self.raw[index] as u32;
        self.push(text::flags(names, bits.into(), unknown), Some(Value::Int((bits as i32).into())));
    }

    /// What the call returned, in numbers and words.
    fn outcome(&mut self) -> Outcome {
        let mut outcome = match errno::errno_of(self.result) {
            Some(errno) => errno::failed(errno),
            None => {
                let text = if self.result_in_hex { text::hex(self.result as u64) } else { text::number(self.result) };
                Outcome { value: Some(self.result), errno: None, text }
            }
        };
        if let Some(note) = &self.note {
            let text = outcome.text.to_mut();
            text::put!(text, " ({note})");
        }
        outcome
    }
}

/// For calls of which nothing more is known later.
fn nothing_more(_: &mut Pending, _: &Memory) {}
