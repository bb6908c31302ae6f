//! The calls that work on any descriptor: close, dup, fcntl, sendfile, splice.

use super::buffers::{int, word};
use super::names::{CLOSE_RANGE_FLAGS, DESCRIPTOR_FLAGS, FCNTL_COMMANDS, LOCK_TYPES, OWNER_TYPES, SEALS, SPLICE_FLAGS};
use super::text::{Names, Text, find, flags, hex, name, plain_flags, pointer, put, split_flags};
use super::{Pending, Rest, signals};
use crate::memory::Memory;
use crate::trace::Value;

/// Commands of fcntl that the libc crate does not have, or not on every architecture.
mod command {
    pub const SETOWN_EX: i32 = 15;
    pub const GETOWN_EX: i32 = 16;
    pub const SETSIG: i32 = 10;
    pub const GETSIG: i32 = 11;
}

/// `struct flock`.
const FLOCK: usize = 32;
const WHENCE: Names = &[(0, "SEEK_SET"), (1, "SEEK_CUR"), (2, "SEEK_END"), (3, "SEEK_DATA"), (4, "SEEK_HOLE")];
const ACCESS_MODES: Names = &[(0, "O_RDONLY"), (1, "O_WRONLY"), (2, "O_RDWR"), (3, "O_ACCMODE")];
const NOTIFY_FLAGS: Names = &[
    (0x1, "DN_ACCESS"),
    (0x2, "DN_MODIFY"),
    (0x4, "DN_CREATE"),
    (0x8, "DN_DELETE"),
    (0x10, "DN_RENAME"),
    (0x20, "DN_ATTRIB"),
    (0x8000_0000, "DN_MULTISHOT"),
];

/// Flags of open, dup3 and F_SETFL. Some differ between architectures, and the libc crate has 0 for O_LARGEFILE.
const OPEN_FLAGS: Names = &[
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_NOCTTY as u64, "O_NOCTTY"),
    (libc::O_TRUNC as u64, "O_TRUNC"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    (libc::O_SYNC as u64, "O_SYNC"),
    (0o4000000, "__O_SYNC"),
    (libc::O_DSYNC as u64, "O_DSYNC"),
    (libc::O_DIRECT as u64, "O_DIRECT"),
    (if cfg!(target_arch = "aarch64") { 0o400000 } else { 0o100000 }, "O_LARGEFILE"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_NOATIME as u64, "O_NOATIME"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
    (libc::O_TMPFILE as u64, "O_TMPFILE"),
    (0o20000000, "__O_TMPFILE"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (0o20000, "FASYNC"),
];

/// close(fd)
pub(super) fn close(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Nothing
}

/// close_range(first, last, flags)
pub(super) fn close_range(call: &mut Pending, _: &Memory) -> Rest {
    for index in 0..2 {
        let number = call.raw[index] as u32;
        call.push(number.to_string(), Some(Value::Int(number.into())));
    }
    call.push_flags(2, CLOSE_RANGE_FLAGS, "CLOSE_RANGE_???");
    Rest::Nothing
}

/// dup(oldfd)
pub(super) fn dup(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Nothing
}

/// dup2(oldfd, newfd)
#[cfg(target_arch = "x86_64")]
pub(super) fn dup2(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    call.push_int(1);
    Rest::Nothing
}

/// dup3(oldfd, newfd, flags)
pub(super) fn dup3(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    call.push_int(1);
    call.push_flags(2, OPEN_FLAGS, "O_???");
    Rest::Nothing
}

/// fcntl(fd, cmd, arg)
pub(super) fn fcntl(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    call.push_constant(1, FCNTL_COMMANDS, "F_???");
    let argument = call.raw[2];
    let text: Text = match call.int(1) {
        libc::F_GETFD
        | libc::F_GETFL
        | libc::F_GETLK
        | libc::F_OFD_GETLK
        | command::GETOWN_EX
        | libc::F_GETLEASE
        | libc::F_GET_SEALS
        | command::GETSIG => return Rest::Details,
        libc::F_GETOWN | libc::F_GETPIPE_SZ => return Rest::Nothing,
        libc::F_SETFD => flags(DESCRIPTOR_FLAGS, u64::from(argument as u32), "FD_???"),
        libc::F_SETFL => open_modes(argument as u32).into(),
        libc::F_SETOWN => (argument as i32).to_string().into(),
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_SETPIPE_SZ => (argument as i64).to_string().into(),
        libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => lock(memory, argument, false),
        command::SETOWN_EX => owner(memory, argument),
        libc::F_NOTIFY => flags(NOTIFY_FLAGS, argument, "DN_???"),
        libc::F_SETLEASE => name(LOCK_TYPES, argument, "F_???"),
        libc::F_ADD_SEALS => flags(SEALS, argument, "F_SEAL_???"),
        command::SETSIG => signals::name(argument as i32),
        _ => hex(argument),
    };
    call.push(text, Some(Value::Int(argument as i64)));
    Rest::Nothing
}

/// What the command has found out.
pub(super) fn fcntl_end(call: &mut Pending, memory: &Memory) {
    let address = call.raw[2];
    let failed = call.failed();
    let found = match call.int(1) {
        libc::F_GETLK | libc::F_OFD_GETLK if !failed => Some(lock(memory, address, true)),
        command::GETOWN_EX if !failed => Some(owner(memory, address)),
        libc::F_GETLK | libc::F_OFD_GETLK | command::GETOWN_EX => Some(pointer(address)),
        _ => None,
    };
    if let Some(text) = found {
        call.push(text, Some(Value::Pointer(address)));
        return;
    }
    if failed {
        return;
    }
    let result = call.result as u64;
    let note: Option<Text> = match call.int(1) {
        libc::F_GETFD if result != 0 => Some(format!("flags {}", plain_flags(DESCRIPTOR_FLAGS, result)).into()),
        libc::F_GETFL => Some(format!("flags {}", open_modes(result as u32)).into()),
        libc::F_GETLEASE => find(LOCK_TYPES, result).map(Text::from),
        libc::F_GET_SEALS if result != 0 => Some(format!("seals {}", plain_flags(SEALS, result)).into()),
        command::GETSIG if result != 0 => signals::known_name(result as i32),
        _ => None,
    };
    call.result_in_hex = call.int(1) != command::GETSIG;
    call.note = note;
}

/// The flags of an open file description: the access mode first, then the others.
fn open_modes(bits: u32) -> String {
    const ACCESS: u32 = 3;
    let mut out = find(ACCESS_MODES, u64::from(bits & ACCESS)).unwrap_or_default().to_string();
    let (named, rest) = split_flags(OPEN_FLAGS, u64::from(bits & !ACCESS));
    if let Some(named) = named {
        put!(out, "|{named}");
    }
    if rest != 0 {
        put!(out, "|{rest:#x}");
    }
    out
}

/// `struct flock`; `get` tells who holds the lock, too.
fn lock(memory: &Memory, address: u64, get: bool) -> Text {
    let Some(bytes) = memory.array::<FLOCK>(address) else { return pointer(address) };
    let short = |at: usize| u64::from(u16::from_ne_bytes([bytes[at], bytes[at + 1]]));
    let mut out = format!(
        "{{l_type={}, l_whence={}, l_start={}, l_len={}",
        name(LOCK_TYPES, short(0), "F_???"),
        name(WHENCE, short(2), "SEEK_???"),
        word(&bytes, 8) as i64,
        word(&bytes, 16) as i64,
    );
    if get {
        put!(out, ", l_pid={}", int(&bytes, 24));
    }
    out.push('}');
    out.into()
}

/// `struct f_owner_ex`.
fn owner(memory: &Memory, address: u64) -> Text {
    match memory.array::<8>(address) {
        Some(bytes) => {
            let kind = name(OWNER_TYPES, u64::from(int(&bytes, 0) as u32), "F_OWNER_???");
            format!("{{type={kind}, pid={}}}", int(&bytes, 4)).into()
        }
        None => pointer(address),
    }
}

/// sendfile(out_fd, in_fd, offset, count)
pub(super) fn sendfile(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    call.push_int(1);
    match memory.u64(call.raw[2]) {
        Some(offset) => {
            call.push(format!("[{offset}]"), Some(Value::Int(offset as i64)));
            if call.raw[3] != 0 {
                return Rest::Details;
            }
        }
        None => call.push_pointer(2),
    }
    call.push_size(3);
    Rest::Nothing
}

/// The offset afterwards.
pub(super) fn sendfile_end(call: &mut Pending, memory: &Memory) {
    if call.result > 0
        && let Some(last) = call.args.last_mut()
    {
        let text = last.text.to_mut();
        match memory.u64(call.raw[2]) {
            Some(offset) => put!(text, " => [{offset}]"),
            None => put!(text, " => {}", pointer(call.raw[2])),
        }
    }
    call.push_size(3);
}

/// splice(fd_in, off_in, fd_out, off_out, len, flags)
pub(super) fn splice(call: &mut Pending, memory: &Memory) -> Rest {
    for fd in [0, 2] {
        call.push_int(fd);
        let address = call.raw[fd + 1];
        match memory.u64(address) {
            Some(offset) => call.push(format!("[{}]", offset as i64), Some(Value::Int(offset as i64))),
            None => call.push_pointer(fd + 1),
        }
    }
    call.push_size(4);
    call.push_flags(5, SPLICE_FLAGS, "SPLICE_F_???");
    Rest::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_mode_comes_first() {
        assert_eq!(open_modes(libc::O_RDWR as u32), "O_RDWR");
        assert_eq!(open_modes(0), "O_RDONLY");
        assert_eq!(open_modes((libc::O_WRONLY | libc::O_NONBLOCK) as u32), "O_WRONLY|O_NONBLOCK");
        assert_eq!(open_modes(libc::O_RDWR as u32 | 1 << 30), "O_RDWR|0x40000000");
    }
}
