//! The calls by which processes and threads begin, change and end.

use super::buffers::{array, int, word};
use super::names::{AT_FLAGS, CLONE_FLAGS, CLONE3_FLAGS};
use super::text::{SHOWN, Text, flags, hex, pointer, put, quote, quote_hex, split_flags};
use super::{Pending, Rest, signals};
use crate::memory::Memory;
use crate::trace::Value;

/// The places of clone's arguments, which differ between architectures.
mod clone_argument {
    pub const FLAGS: usize = 0;
    pub const STACK: usize = 1;
    pub const PARENT_TID: usize = 2;
    #[cfg(target_arch = "x86_64")]
    pub const CHILD_TID: usize = 3;
    #[cfg(target_arch = "x86_64")]
    pub const TLS: usize = 4;
    #[cfg(not(target_arch = "x86_64"))]
    pub const TLS: usize = 3;
    #[cfg(not(target_arch = "x86_64"))]
    pub const CHILD_TID: usize = 4;
}

/// The lowest byte of clone's flags is the signal that the parent gets when the child ends.
const EXIT_SIGNAL: u64 = 0xff;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const CHILD_TID: u64 = (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
const SETTLS: u64 = libc::CLONE_SETTLS as u64;
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args`, the oldest size of it, and where its youngest field begins.
const CLONE_ARGS: usize = 88;
const CLONE_ARGS_OLDEST: u64 = 64;
const CLONE_ARGS_CGROUP: u64 = 80;

/// fork() and vfork()
#[cfg(target_arch = "x86_64")]
pub(super) fn fork(_: &mut Pending, _: &Memory) -> Rest {
    Rest::Nothing
}

/// exit(status) and exit_group(status)
pub(super) fn exit(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Nothing
}

/// clone(flags, stack, parent_tid, child_tid, tls), printed in the order of the C library's function.
pub(super) fn clone(call: &mut Pending, _: &Memory) -> Rest {
    let bits = call.raw[clone_argument::FLAGS];
    let stack = call.raw[clone_argument::STACK];
    call.push_named("stack", format!("child_stack={}", pointer(stack)), Some(Value::Pointer(stack)));
    let signal = (bits & EXIT_SIGNAL) as i32;
    let text = match bits & !EXIT_SIGNAL {
        0 => format!("flags={}", signals::name(signal)),
        named if signal == 0 => format!("flags={}", flags(CLONE_FLAGS, named, "CLONE_???")),
        named => format!("flags={}|{}", flags(CLONE_FLAGS, named, "CLONE_???"), signals::name(signal)),
    };
    call.push_named("flags", text, Some(Value::Int(bits as i64)));
    if bits & (PARENT_SETTID | PIDFD | CHILD_TID | SETTLS) == 0 { Rest::Nothing } else { Rest::Details }
}

/// Where the kernel was to put the new thread's ids.
pub(super) fn clone_end(call: &mut Pending, memory: &Memory) {
    let bits = call.raw[clone_argument::FLAGS];
    if bits & (PARENT_SETTID | PIDFD) != 0 {
        let address = call.raw[clone_argument::PARENT_TID];
        let tid = if call.failed() { pointer(address) } else { number_at(memory, address) };
        call.push_named("parent_tid", format!("parent_tid={tid}"), Some(Value::Pointer(address)));
    }
    if bits & SETTLS != 0 {
        let tls = call.raw[clone_argument::TLS];
        call.push_named("tls", format!("tls={}", pointer(tls)), Some(Value::Pointer(tls)));
    }
    if bits & CHILD_TID != 0 {
        let address = call.raw[clone_argument::CHILD_TID];
        call.push_named("child_tid", format!("child_tidptr={}", pointer(address)), Some(Value::Pointer(address)));
    }
}

fn number_at(memory: &Memory, address: u64) -> Text {
    match memory.i32(address) {
        Some(number) => format!("[{number}]").into(),
        None => pointer(address),
    }
}

/// clone3(cl_args, size)
pub(super) fn clone3(call: &mut Pending, memory: &Memory) -> Rest {
    let size = call.raw[1];
    let known = size.min(CLONE_ARGS as u64);
    let fetched = if known < CLONE_ARGS_OLDEST { None } else { read_clone_args(memory, call.raw[0], known) };
    let Some(args) = fetched else {
        call.push_pointer(0);
        call.push_size(1);
        return Rest::Nothing;
    };
    let mut out = String::with_capacity(200);
    print_clone_args(&mut out, memory, &args, known);
    if size > known {
        print_unknown_tail(&mut out, memory, call.raw[0], known, size, ", ");
    }
    out.push('}');
    call.push(out, Some(Value::Pointer(call.raw[0])));
    if args[0] & (PIDFD | PARENT_SETTID) != 0 || size > known {
        return Rest::Details;
    }
    call.push_size(1);
    Rest::Nothing
}

/// What the kernel has written where the arguments point to.
pub(super) fn clone3_end(call: &mut Pending, memory: &Memory) {
    if !call.failed()
        && let Some(last) = call.args.last_mut()
    {
        print_clone_results(last.text.to_mut(), memory, call.raw[0], call.raw[1]);
    }
    call.push_size(1);
}

/// The fields of `struct clone_args`: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
/// set_tid_size, cgroup. Those beyond the given size are zero.
fn read_clone_args(memory: &Memory, address: u64, known: u64) -> Option<[u64; 11]> {
    let mut bytes = [0; CLONE_ARGS];
    if !memory.fill(address, &mut bytes[..known as usize]) {
        return None;
    }
    Some(std::array::from_fn(|field| word(&bytes, field * 8)))
}

fn print_clone_args(out: &mut String, memory: &Memory, args: &[u64; 11], known: u64) {
    /// More thread ids than this, one for each nested namespace, the kernel does not take.
    const MOST_TIDS: u64 = 32;
    let &[bits, pidfd, child_tid, parent_tid, signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup] = args;
    put!(out, "{{flags={}", clone3_flags(bits));
    if bits & PIDFD != 0 {
        put!(out, ", pidfd={}", pointer(pidfd));
    }
    if bits & CHILD_TID != 0 {
        put!(out, ", child_tid={}", pointer(child_tid));
    }
    if bits & PARENT_SETTID != 0 {
        put!(out, ", parent_tid={}", pointer(parent_tid));
    }
    match i32::try_from(signal) {
        Ok(signal) if signal != i32::MAX => put!(out, ", exit_signal={}", signals::name(signal)),
        _ => put!(out, ", exit_signal={signal}"),
    }
    put!(out, ", stack={}, stack_size={}", pointer(stack), hex(stack_size));
    if bits & SETTLS != 0 {
        put!(out, ", tls={}", pointer(tls));
    }
    if set_tid != 0 || set_tid_size != 0 {
        out.push_str(", set_tid=");
        if set_tid == 0 || set_tid_size == 0 || set_tid_size > MOST_TIDS {
            out.push_str(&pointer(set_tid));
        } else {
            array(out, memory, set_tid, set_tid_size, 4, |out, tid| {
                put!(out, "{}", int(tid, 0));
                true
            });
        }
        put!(out, ", set_tid_size={set_tid_size}");
    }
    if known > CLONE_ARGS_CGROUP && (cgroup != 0 || bits & INTO_CGROUP != 0) {
        put!(out, ", cgroup={cgroup}");
    }
}

fn clone3_flags(bits: u64) -> Text {
    let (older, rest) = split_flags(CLONE_FLAGS, bits);
    match (older, rest) {
        (Some(named), 0) => named,
        (None, rest) => flags(CLONE3_FLAGS, rest, "CLONE_???"),
        (Some(named), rest) => match split_flags(CLONE3_FLAGS, rest) {
            (Some(younger), 0) => format!("{named}|{younger}").into(),
            (Some(younger), rest) => format!("{named}|{younger}|{rest:#x}").into(),
            (None, rest) => format!("{named}|{rest:#x}").into(),
        },
    }
}

fn print_clone_results(out: &mut String, memory: &Memory, address: u64, size: u64) {
    let known = size.min(CLONE_ARGS as u64);
    let Some(args) = read_clone_args(memory, address, known) else {
        put!(out, " => {}", pointer(address));
        return;
    };
    let mut separator = " => {";
    for (flag, name, field) in [(PIDFD, "pidfd", 1), (PARENT_SETTID, "parent_tid", 3)] {
        if args[0] & flag != 0 {
            put!(out, "{separator}{name}={}", number_at(memory, args[field]));
            separator = ", ";
        }
    }
    if size > known && print_unknown_tail(out, memory, address, known, size, separator) {
        separator = ", ";
    }
    if separator == ", " {
        out.push('}');
    }
}

/// What lies beyond the fields that are known, if it is not all zero. Says whether something was printed.
fn print_unknown_tail(out: &mut String, memory: &Memory, address: u64, known: u64, size: u64, separator: &str) -> bool {
    /// The kernel takes at most a page.
    const PAGE: u64 = 4096;
    let size = size.min(PAGE);
    if known >= size {
        return false;
    }
    match memory.bytes(address + known, (size - known) as usize) {
        None => put!(out, "{separator}???"),
        Some(bytes) if bytes.iter().all(|&byte| byte == 0) => return false,
        Some(bytes) => {
            put!(out, "{separator}/* bytes {known}..{} */ ", size - 1);
            quote_hex(out, &bytes[..bytes.len().min(SHOWN)]);
            if bytes.len() > SHOWN {
                out.push_str("...");
            }
        }
    }
    true
}

/// execve(pathname, argv, envp)
pub(super) fn execve(call: &mut Pending, memory: &Memory) -> Rest {
    push_program(call, memory, 0);
    Rest::Nothing
}

/// execveat(dirfd, pathname, argv, envp, flags)
pub(super) fn execveat(call: &mut Pending, memory: &Memory) -> Rest {
    match call.int(0) {
        libc::AT_FDCWD => call.push("AT_FDCWD", Some(Value::Int(libc::AT_FDCWD.into()))),
        _ => call.push_int(0),
    }
    push_program(call, memory, 1);
    call.push_flags(4, AT_FLAGS, "AT_???");
    Rest::Nothing
}

/// The path, the arguments and the environment.
fn push_program(call: &mut Pending, memory: &Memory, first: usize) {
    let [path, argv, envp] = [call.raw[first], call.raw[first + 1], call.raw[first + 2]];
    call.push(path_text(memory, path), Some(Value::Pointer(path)));
    let mut out = String::with_capacity(64);
    print_strings(&mut out, memory, argv);
    call.push(out, Some(Value::Pointer(argv)));
    call.push(environment(memory, envp), Some(Value::Pointer(envp)));
}

/// A path, whole.
fn path_text(memory: &Memory, address: u64) -> Text {
    let limit = libc::PATH_MAX as usize - 1;
    match memory.c_string(address, limit + 1) {
        Some(text) => {
            let mut out = String::with_capacity(64);
            quote(&mut out, &text.bytes[..text.bytes.len().min(limit)]);
            if !text.ended {
                out.push_str("...");
            }
            out.into()
        }
        None => pointer(address),
    }
}

/// An array of strings that ends in a null pointer.
fn print_strings(out: &mut String, memory: &Memory, address: u64) {
    let mut index = 0;
    loop {
        let at = address.wrapping_add(index * 8);
        let Some(string) = memory.u64(at).filter(|_| address != 0) else {
            match index {
                0 => out.push_str(&pointer(address)),
                _ => put!(out, ", ... /* {at:#x} */]"),
            }
            return;
        };
        if index == 0 {
            out.push('[');
        }
        if string == 0 {
            break;
        }
        if index > 0 {
            out.push_str(", ");
        }
        if index == SHOWN as u64 {
            out.push_str("...");
            break;
        }
        print_string(out, memory, string);
        index += 1;
    }
    out.push(']');
}

/// At most 32 bytes of a string.
fn print_string(out: &mut String, memory: &Memory, address: u64) {
    match memory.c_string(address, SHOWN + 1) {
        Some(text) => {
            quote(out, &text.bytes[..text.bytes.len().min(SHOWN)]);
            if !text.ended {
                out.push_str("...");
            }
        }
        None => out.push_str(&pointer(address)),
    }
}

/// More variables than this are not counted. (A real environment cannot have more: Linux allows a quarter of the stack for
/// arguments and environment, which is 2 MB with the usual stack, and 6 MB at the most.)
const MOST_VARIABLES: u64 = 1 << 20;

/// The environment: its address and how many variables it has.
fn environment(memory: &Memory, address: u64) -> Text {
    let mut count = 0_u64;
    let mut at = address;
    let unterminated = loop {
        match memory.u64(at) {
            None if count == 0 => return pointer(address),
            // What is no environment at all, such as a gigabyte of text, must not keep the tracer counting.
            Some(_) if count == MOST_VARIABLES => break true,
            None => break true,
            Some(0) => break false,
            Some(_) => count += 1,
        }
        at = at.wrapping_add(8);
    };
    let plural = if count == 1 { "" } else { "s" };
    let end = if unterminated { ", unterminated" } else { "" };
    format!("{} /* {count} var{plural}{end} */", pointer(address)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Memory {
        Memory::new(nix::unistd::gettid().as_raw())
    }

    #[test]
    fn arguments_and_environment_of_a_program() {
        let long = std::ffi::CString::new("x".repeat(40)).expect("no zero byte");
        let exact = std::ffi::CString::new("y".repeat(32)).expect("no zero byte");
        let array = [c"true".as_ptr() as u64, long.as_ptr() as u64, exact.as_ptr() as u64, 0];
        let address = array.as_ptr() as u64;
        let mut out = String::new();
        print_strings(&mut out, &own(), address);
        assert_eq!(out, format!("[\"true\", \"{}\"..., \"{}\"]", "x".repeat(32), "y".repeat(32)));
        assert_eq!(environment(&own(), address), format!("{address:#x} /* 3 vars */"));
        assert_eq!(environment(&own(), address + 16), format!("{:#x} /* 1 var */", address + 16));
        assert_eq!(environment(&own(), 0), "NULL");
        assert_eq!(environment(&own(), 1), "0x1");
    }

    #[test]
    fn flags_of_both_generations_have_names() {
        assert_eq!(clone3_flags(0), "0");
        assert_eq!(clone3_flags(libc::CLONE_VM as u64 | INTO_CGROUP), "CLONE_VM|CLONE_INTO_CGROUP");
        assert_eq!(clone3_flags(1 << 40), "0x10000000000 /* CLONE_??? */");
    }
}
