//! The calls that move bytes: read, write, send and receive, and their buffers.

use super::messages::MESSAGE_FLAGS_UNKNOWN;
use super::names::MESSAGE_FLAGS;
use super::sockets::{push_address, push_source};
use super::text::{SHOWN, join, pointer, put, quote_shown};
use super::{Pending, Rest};
use crate::memory::Memory;
use crate::trace::Value;

/// `struct iovec`.
const IOVEC: u64 = 16;

/// write(fd, buf, count)
pub(super) fn write(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    push_bytes(call, memory, 1, call.raw[2]);
    call.push_size(2);
    Rest::Nothing
}

/// read(fd, buf, count)
pub(super) fn read(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Arguments
}

/// What was read.
pub(super) fn read_end(call: &mut Pending, memory: &Memory) {
    push_received(call, memory, call.result as u64);
    call.push_size(2);
}

/// sendto(sockfd, buf, len, flags, dest_addr, addrlen)
pub(super) fn sendto(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    push_bytes(call, memory, 1, call.raw[2]);
    call.push_size(2);
    call.push_flags(3, MESSAGE_FLAGS, MESSAGE_FLAGS_UNKNOWN);
    push_address(call, memory, 4, call.int(5));
    call.push_int(5);
    Rest::Nothing
}

/// recvfrom(sockfd, buf, len, flags, src_addr, addrlen)
pub(super) fn recvfrom(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    if call.raw[4] != 0 {
        call.kept.length = memory.i32(call.raw[5]).unwrap_or(0);
    }
    Rest::Arguments
}

/// What was received, and from whom.
pub(super) fn recvfrom_end(call: &mut Pending, memory: &Memory) {
    // With MSG_TRUNC the result may be more than the buffer holds.
    push_received(call, memory, call.raw[2].min(call.result as u64));
    call.push_size(2);
    call.push_flags(3, MESSAGE_FLAGS, MESSAGE_FLAGS_UNKNOWN);
    push_source(call, memory, 4, 5);
}

/// writev(fd, iov, iovcnt)
pub(super) fn writev(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    push_vector(call, memory, u64::MAX);
    Rest::Nothing
}

/// readv(fd, iov, iovcnt)
pub(super) fn readv(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Arguments
}

/// What was read, spread over the buffers.
pub(super) fn readv_end(call: &mut Pending, memory: &Memory) {
    push_vector(call, memory, call.result as u64);
}

fn push_vector(call: &mut Pending, memory: &Memory, moved: u64) {
    let vector = Vector { address: call.raw[1], count: call.raw[2], moved, failed: call.failed() };
    let mut out = String::with_capacity(80);
    let kept = vector.print(&mut out, memory, call.keep_bytes);
    let value = if kept.read { Value::Bytes(kept.bytes) } else { Value::Pointer(call.raw[1]) };
    call.push(out, Some(value));
    call.push_size(2);
}

/// Adds the buffer that the call has filled (raw argument 1), or its address if the call failed.
fn push_received(call: &mut Pending, memory: &Memory, length: u64) {
    if call.failed() {
        call.push_pointer(1);
    } else {
        push_bytes(call, memory, 1, length);
    }
}

/// Adds the next argument, the bytes of the buffer at the raw argument `index`.
fn push_bytes(call: &mut Pending, memory: &Memory, index: usize, length: u64) {
    let mut out = String::with_capacity(SHOWN + 8);
    let value = match bytes(&mut out, memory, call.raw[index], length, call.keep_bytes) {
        Some(bytes) => Value::Bytes(bytes),
        None => Value::Pointer(call.raw[index]),
    };
    call.push(out, Some(value));
}

/// Appends the buffer's text, and gives at most `keep` of its bytes, if what is to be shown can be read.
pub(super) fn bytes(out: &mut String, memory: &Memory, address: u64, length: u64, keep: usize) -> Option<Vec<u8>> {
    // `strace` looks one byte beyond those that it shows, and shows none if that one cannot be read.
    let needed = length.min(SHOWN as u64 + 1) as usize;
    let wanted = length.min(keep as u64) as usize;
    let mut buffer = vec![0; needed.max(wanted)];
    let got = if length == 0 { 0 } else { memory.read(address, &mut buffer) };
    if address == 0 || got < needed {
        out.push_str(&pointer(address));
        return None;
    }
    quote_shown(out, &buffer[..needed], length);
    buffer.truncate(got.min(wanted));
    Some(buffer)
}

/// An array of buffers.
pub(super) struct Vector {
    /// Where it is.
    pub address: u64,
    /// How many buffers it has.
    pub count: u64,
    /// How many bytes the call has moved, in all; `u64::MAX` for all that the buffers hold.
    pub moved: u64,
    /// Whether the call failed: then the buffers are shown by their addresses.
    pub failed: bool,
}

/// What of an array of buffers was read.
pub(super) struct Kept {
    /// Whether the array itself could be read.
    pub read: bool,
    /// What the buffers hold together.
    pub bytes: Vec<u8>,
}

impl Vector {
    /// Appends `[{iov_base="hello", iov_len=5}]`, and gives at most `keep` of the bytes.
    pub fn print(&self, out: &mut String, memory: &Memory, keep: usize) -> Kept {
        let mut kept = Kept { read: self.count == 0 && self.address != 0, bytes: Vec::new() };
        let mut left = self.moved;
        array(out, memory, self.address, self.count, IOVEC, |out, element| {
            kept.read = true;
            let base = word(element, 0);
            let length = word(element, 8);
            let used = length.min(left);
            if left != u64::MAX {
                left -= used;
            }
            out.push_str("{iov_base=");
            if self.failed {
                out.push_str(&pointer(base));
            } else if let Some(bytes) = bytes(out, memory, base, used, keep - kept.bytes.len()) {
                kept.bytes.extend_from_slice(&bytes);
            }
            put!(out, ", iov_len={length}}}");
            true
        });
        kept
    }
}

/// The 64-bit number at this place.
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(word)
}

/// The 32-bit number at this place.
pub(super) fn int(bytes: &[u8], at: usize) -> i32 {
    let mut int = [0; 4];
    int.copy_from_slice(&bytes[at..at + 4]);
    i32::from_ne_bytes(int)
}

/// The largest element of an array.
const LARGEST_ELEMENT: usize = 64;

/// Appends an array of `count` elements of `size` bytes each: `[…, …]`. `each` appends one element, and says whether to
/// go on. `NULL`, or the address if nothing of it can be read; where memory ends within it, `... /* 0x7f… */`; after 32
/// elements, `...`.
pub(super) fn array(
    out: &mut String,
    memory: &Memory,
    address: u64,
    count: u64,
    size: u64,
    mut each: impl FnMut(&mut String, &[u8]) -> bool,
) {
    if address != 0 && count == 0 {
        out.push_str("[]");
        return;
    }
    let end = count.checked_mul(size).and_then(|length| address.checked_add(length));
    if address == 0 || end.is_none() {
        out.push_str(&pointer(address));
        return;
    }
    let mut buffer = [0; LARGEST_ELEMENT];
    let element = &mut buffer[..size as usize];
    for index in 0..count {
        let at = address + index * size;
        if index > 0 {
            out.push_str(", ");
        }
        if !memory.fill(at, element) {
            if index == 0 {
                out.push_str(&pointer(at));
                return;
            }
            put!(out, "... /* {at:#x} */");
            break;
        }
        if index == 0 {
            out.push('[');
        }
        if index == SHOWN as u64 {
            out.push_str("...");
            break;
        }
        if !each(out, element) {
            break;
        }
    }
    out.push(']');
}

/// A list: `[3, 4]`, cut after 32 elements.
pub(super) fn list<T>(elements: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut String, T)) -> String {
    let mut out = "[".to_string();
    join(&mut out, elements.into_iter().take(SHOWN + 1).enumerate(), |out, (index, element)| {
        if index == SHOWN { out.push_str("...") } else { each(out, element) }
    });
    out.push(']');
    out
}

/// A list of numbers.
pub(super) fn numbers<T: std::fmt::Display>(numbers: impl IntoIterator<Item = T>) -> String {
    list(numbers, |out, number| put!(out, "{number}"))
}
