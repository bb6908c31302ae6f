//! The calls that move messages: sendmsg, recvmsg and their plural forms, with control messages.

use std::sync::OnceLock;

use super::addresses;
use super::buffers::{Vector, array, int, list, numbers, word};
use super::names::{CONTROL_TYPES, IP_CONTROL_TYPES, LEVELS, MESSAGE_FLAGS};
use super::polling::{time_text, timespec};
use super::text::{decimal, flags, join, name, pointer, put, quote};
use super::{Pending, Rest};
use crate::memory::Memory;
use crate::trace::{Address, Value};

/// What `strace` says of a flag that has no name.
pub(super) const MESSAGE_FLAGS_UNKNOWN: &str = "MSG_???";

/// `struct msghdr`.
const HEADER: usize = 56;
/// `struct mmsghdr`: the same, the number of bytes moved, and padding.
const MULTIPLE: u64 = 64;
/// `struct cmsghdr`.
const CONTROL: usize = 16;
/// Most messages that one call moves (`UIO_MAXIOV`).
const MOST_MESSAGES: u64 = 1024;

/// The header of a message.
pub(super) struct Header {
    pub name: u64,
    pub name_length: i32,
    vector: u64,
    count: u64,
    pub control: u64,
    pub control_length: u64,
    flags: u32,
}

impl Header {
    /// Reads a header.
    pub fn read(memory: &Memory, address: u64) -> Option<Header> {
        Some(Header::parse(&memory.array::<HEADER>(address)?))
    }

    fn parse(bytes: &[u8]) -> Header {
        Header {
            name: word(bytes, 0),
            name_length: int(bytes, 8),
            vector: word(bytes, 16),
            count: word(bytes, 24),
            control: word(bytes, 32),
            control_length: word(bytes, 40),
            flags: int(bytes, 48) as u32,
        }
    }

    /// The address in the header.
    pub fn address(&self, memory: &Memory) -> Option<Address> {
        addresses::read_address(memory, self.name, self.name_length)
    }

    /// Appends the message, and its bytes (at most `keep` in all) to `kept`. `room` is the length that the program gave
    /// for the address, where the kernel may have changed it; `moved` is how many bytes were moved.
    fn print(&self, out: &mut String, memory: &Memory, room: Option<i32>, moved: u64, kept: &mut Vec<u8>, keep: usize) {
        out.push_str("{msg_name=");
        let length = room.map_or(self.name_length, |room| room.min(self.name_length));
        out.push_str(&addresses::decode(memory, self.name, length).0);
        out.push_str(", msg_namelen=");
        if let Some(room) = room.filter(|room| *room != self.name_length) {
            put!(out, "{room} => ");
        }
        put!(out, "{}, msg_iov=", self.name_length);
        let vector = Vector { address: self.vector, count: self.count, moved, failed: false };
        kept.append(&mut vector.print(out, memory, keep - kept.len()).bytes);
        put!(out, ", msg_iovlen={}", self.count);
        if self.control_length != 0 {
            out.push_str(", msg_control=");
            print_control(out, memory, self.control, self.control_length);
        }
        put!(out, ", msg_controllen={}", self.control_length);
        put!(out, ", msg_flags={}}}", flags(MESSAGE_FLAGS, self.flags.into(), MESSAGE_FLAGS_UNKNOWN));
    }
}

/// sendmsg(sockfd, msg, flags)
pub(super) fn sendmsg(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    push_message(call, memory, None, u64::MAX);
    push_message_flags(call, 2);
    Rest::Nothing
}

/// recvmsg(sockfd, msg, flags)
pub(super) fn recvmsg(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    match Header::read(memory, call.raw[1]) {
        Some(header) => {
            call.kept.length = header.name_length;
            Rest::Arguments
        }
        None => {
            call.push_pointer(1);
            push_message_flags(call, 2);
            Rest::Nothing
        }
    }
}

/// The message that was received.
pub(super) fn recvmsg_end(call: &mut Pending, memory: &Memory) {
    let room = call.kept.length;
    if call.failed() {
        call.push(format!("{{msg_namelen={room}}}"), Some(Value::Pointer(call.raw[1])));
    } else {
        push_message(call, memory, Some(room), call.result as u64);
    }
    push_message_flags(call, 2);
}

fn push_message(call: &mut Pending, memory: &Memory, room: Option<i32>, moved: u64) {
    match Header::read(memory, call.raw[1]) {
        Some(header) => {
            let mut out = String::with_capacity(160);
            let mut kept = Vec::new();
            header.print(&mut out, memory, room, moved, &mut kept, call.keep_bytes);
            call.push(out, Some(Value::Bytes(kept)));
        }
        None => call.push_pointer(1),
    }
}

fn push_message_flags(call: &mut Pending, index: usize) {
    call.push_flags(index, MESSAGE_FLAGS, MESSAGE_FLAGS_UNKNOWN);
}

/// sendmmsg(sockfd, msgvec, vlen, flags)
pub(super) fn sendmmsg(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Arguments
}

/// The messages, and of those that were sent how many bytes.
pub(super) fn sendmmsg_end(call: &mut Pending, memory: &Memory) {
    let sent = if call.failed() { 0 } else { call.result as u64 };
    let count = u64::from(call.raw[2] as u32);
    push_messages(call, memory, Messages { count, done: sent, received: false, most: MOST_MESSAGES });
    push_count_and_flags(call);
}

/// recvmmsg(sockfd, msgvec, vlen, flags, timeout)
pub(super) fn recvmmsg(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    let count = u64::from(call.raw[2] as u32).min(MOST_MESSAGES);
    call.kept.lengths = (0..count)
        .map_while(|index| Header::read(memory, call.raw[1].checked_add(index * MULTIPLE)?))
        .map(|header| header.name_length)
        .collect();
    call.kept.text = Some(timespec(memory, call.raw[4]));
    Rest::Arguments
}

/// The messages that were received.
pub(super) fn recvmmsg_end(call: &mut Pending, memory: &Memory) {
    if call.failed() {
        call.push_pointer(1);
    } else {
        let received = call.result as u64;
        let most = call.kept.lengths.len() as u64;
        push_messages(call, memory, Messages { count: received, done: received, received: true, most });
    }
    push_count_and_flags(call);
    let timeout = call.kept.text.take().unwrap_or_default();
    call.push(timeout, Some(Value::Pointer(call.raw[4])));
    if call.result == 0 {
        call.note = Some("Timeout".into());
    } else if call.result > 0 && call.raw[4] != 0 {
        call.note = Some(format!("left {}", timespec(memory, call.raw[4])).into());
    }
}

/// Which messages of an array to print.
struct Messages {
    /// How many there are.
    count: u64,
    /// How many were moved: these have a number of bytes.
    done: u64,
    /// Whether they were received, and so cut to the bytes that came.
    received: bool,
    /// Most messages to print.
    most: u64,
}

fn push_messages(call: &mut Pending, memory: &Memory, messages: Messages) {
    let lengths = std::mem::take(&mut call.kept.lengths);
    let mut out = String::with_capacity(256);
    let mut kept = Vec::new();
    let mut index = 0;
    array(&mut out, memory, call.raw[1], messages.count, MULTIPLE, |out, element| {
        if index as u64 == messages.most {
            out.push_str("...");
            return false;
        }
        let bytes = int(element, HEADER) as u32;
        let moved = if messages.received { bytes.into() } else { u64::MAX };
        let room = if messages.received { lengths.get(index).copied() } else { None };
        out.push_str("{msg_hdr=");
        Header::parse(element).print(out, memory, room, moved, &mut kept, call.keep_bytes);
        if (index as u64) < messages.done {
            put!(out, ", msg_len={bytes}");
        }
        out.push('}');
        index += 1;
        true
    });
    let value = if index > 0 { Value::Bytes(kept) } else { Value::Pointer(call.raw[1]) };
    call.push(out, Some(value));
}

fn push_count_and_flags(call: &mut Pending) {
    let count = call.raw[2] as u32;
    call.push(count.to_string(), Some(Value::Int(count.into())));
    push_message_flags(call, 3);
}

/// The control messages that a buffer of this length holds.
fn print_control(out: &mut String, memory: &Memory, address: u64, length: u64) {
    let shown = length.min(most_control()) as usize;
    let buffer = if shown < CONTROL { None } else { memory.bytes(address, shown) };
    let Some(buffer) = buffer else {
        out.push_str(&pointer(address));
        return;
    };
    let mut rest = buffer.as_slice();
    let mut first = true;
    out.push('[');
    while rest.len() >= CONTROL {
        if !first {
            out.push_str(", ");
        }
        first = false;
        let message_length = word(rest, 0);
        let used = message_length.min(rest.len() as u64) as usize;
        print_control_message(out, rest, used);
        if used < CONTROL {
            rest = &rest[CONTROL..];
            break;
        }
        let next = message_length.checked_add(7).map_or(u64::MAX, |length| length & !7);
        if next >= rest.len() as u64 {
            rest = &[];
            break;
        }
        rest = &rest[next as usize..];
    }
    if !rest.is_empty() {
        put!(out, ", ... /* {:#x} */", address + (shown - rest.len()) as u64);
    } else if (shown as u64) < length {
        out.push_str(", ...");
    }
    out.push(']');
}

fn print_control_message(out: &mut String, message: &[u8], used: usize) {
    let (level, kind) = (int(message, 8), int(message, 12));
    put!(out, "{{cmsg_len={}, cmsg_level={}", word(message, 0), name(LEVELS, (level as u32).into(), "SOL_???"));
    out.push_str(", cmsg_type=");
    let data = message.get(CONTROL..used).unwrap_or_default();
    let number = u64::from(kind as u32);
    match level {
        libc::SOL_SOCKET => {
            out.push_str(&name(CONTROL_TYPES, number, "SCM_???"));
            print_socket_data(out, kind, data);
        }
        libc::SOL_IP => {
            out.push_str(&name(IP_CONTROL_TYPES, number, "IP_???"));
            print_ip_data(out, kind, data);
        }
        _ => match number {
            0 => out.push('0'),
            _ => put!(out, "{number:#x}"),
        },
    }
    out.push('}');
}

/// The data of a control message of level SOL_SOCKET.
fn print_socket_data(out: &mut String, kind: i32, data: &[u8]) {
    const SCM_SECURITY: i32 = 3;
    /// The older and the newer number of SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING, which name their messages.
    const STAMPS: [(i32, i32); 3] = [(29, 63), (35, 64), (37, 65)];
    const DATA: &str = ", cmsg_data=";
    let stamp = STAMPS.iter().position(|(old, new)| kind == *old || kind == *new);
    match (kind, stamp) {
        (libc::SCM_RIGHTS, _) if data.len() >= 4 => {
            put!(out, "{DATA}{}", numbers(data.chunks_exact(4).map(|fd| int(fd, 0))));
        }
        (libc::SCM_CREDENTIALS, _) if data.len() >= 12 => {
            out.push_str(DATA);
            print_credentials(out, data);
        }
        (SCM_SECURITY, _) if !data.is_empty() => {
            out.push_str(DATA);
            quote(out, data);
        }
        (_, Some(stamp)) if !data.is_empty() => {
            let (unit, count) = [("tv_usec", 1), ("tv_nsec", 1), ("tv_nsec", 3)][stamp];
            out.push_str(DATA);
            if data.len() < 16 * count {
                out.push_str("???");
            } else if count == 1 {
                time_text(out, data, unit);
            } else {
                out.push('[');
                join(out, data.chunks_exact(16).take(count), |out, time| time_text(out, time, unit));
                out.push(']');
            }
        }
        _ => {}
    }
}

/// `struct ucred`: whoever holds the other end.
fn print_credentials(out: &mut String, bytes: &[u8]) {
    put!(out, "{{pid={}, uid=", int(bytes, 0));
    print_id(out, int(bytes, 4));
    out.push_str(", gid=");
    print_id(out, int(bytes, 8));
    out.push('}');
}

/// A user or group id, where -1 means none.
pub(super) fn print_id(out: &mut String, id: i32) {
    match id {
        -1 => out.push_str("-1"),
        _ => decimal(out, id as u32),
    }
}

/// The data of a control message of level SOL_IP.
fn print_ip_data(out: &mut String, kind: i32, data: &[u8]) {
    const IP_CHECKSUM: i32 = 23;
    const SCM_SECURITY: i32 = 3;
    const DATA: &str = ", cmsg_data=";
    match kind {
        libc::IP_PKTINFO if data.len() >= 12 => {
            put!(out, "{DATA}{{ipi_ifindex=");
            addresses::interface(out, int(data, 0) as u32);
            put!(out, ", ipi_spec_dst=inet_addr(\"{}\")", addresses::ipv4(data, 4));
            put!(out, ", ipi_addr=inet_addr(\"{}\")}}", addresses::ipv4(data, 8));
        }
        libc::IP_TTL | IP_CHECKSUM if data.len() >= 4 => {
            put!(out, "{DATA}{}", numbers(data.chunks_exact(4).map(|number| int(number, 0) as u32)));
        }
        libc::IP_TOS | libc::IP_RECVOPTS | libc::IP_RETOPTS if !data.is_empty() => {
            let each = |out: &mut String, byte: &u8| match byte {
                0 => out.push('0'),
                _ => put!(out, "{byte:#x}"),
            };
            put!(out, "{DATA}{}", list(data, each));
        }
        libc::IP_RECVERR if data.len() >= 32 => {
            let [origin, kind, code] = [data[4], data[5], data[6]];
            put!(out, "{DATA}{{ee_errno={}, ee_origin={origin}, ee_type={kind}", int(data, 0) as u32);
            put!(out, ", ee_code={code}, ee_info={}, ee_data={}", int(data, 8) as u32, int(data, 12) as u32);
            out.push_str(", offender=");
            addresses::print(out, &data[16..32]);
            out.push('}');
        }
        libc::IP_ORIGDSTADDR if data.len() >= 16 => {
            out.push_str(DATA);
            addresses::print(out, &data[..data.len().min(128)]);
        }
        SCM_SECURITY if !data.is_empty() => {
            out.push_str(DATA);
            quote(out, data);
        }
        _ => {}
    }
}

/// Most bytes of control messages that the kernel takes, and so most that are worth reading.
fn most_control() -> u64 {
    static MOST: OnceLock<u64> = OnceLock::new();
    /// What is taken where the machine does not say.
    const OTHERWISE: u64 = 8 * (2 * MOST_MESSAGES + 512);
    *MOST.get_or_init(|| {
        let setting = std::fs::read_to_string("/proc/sys/net/core/optmem_max");
        let bytes = setting.ok().and_then(|text| text.trim().parse::<u32>().ok()).filter(|bytes| *bytes > 0);
        bytes.map_or(OTHERWISE, |bytes| u64::from(bytes).next_multiple_of(8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let length = CONTROL + data.len();
        let mut bytes = (length as u64).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&level.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(data);
        bytes.resize(length.next_multiple_of(8), 0);
        bytes
    }

    /// Prints control messages from this process's own memory.
    fn printed(bytes: &[u8]) -> String {
        let memory = Memory::new(nix::unistd::gettid().as_raw());
        let mut out = String::new();
        print_control(&mut out, &memory, bytes.as_ptr() as u64, bytes.len() as u64);
        out
    }

    #[test]
    fn passed_descriptors_and_credentials() {
        let fds: Vec<u8> = [3_i32, 4].iter().flat_map(|fd| fd.to_ne_bytes()).collect();
        let credentials: Vec<u8> = [7_i32, 0, -1].iter().flat_map(|id| id.to_ne_bytes()).collect();
        let both = [
            control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &fds),
            control(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &credentials),
        ]
        .concat();
        assert_eq!(
            printed(&both),
            "[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[3, 4]}, \
             {cmsg_len=28, cmsg_level=SOL_SOCKET, cmsg_type=SCM_CREDENTIALS, cmsg_data={pid=7, uid=0, gid=-1}}]"
        );
    }

    #[test]
    fn a_nonsensical_control_message_does_no_harm() {
        for length in [0_u64, 1, 15, 16, 17, 1 << 40, u64::MAX] {
            let mut bytes = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[1, 0, 0, 0, 0, 0, 0, 0]);
            bytes[..8].copy_from_slice(&length.to_ne_bytes());
            let text = printed(&bytes);
            assert!(text.starts_with(&format!("[{{cmsg_len={length}, ")) && text.ends_with(']'), "{text}");
        }
        let two = [control(1, 99, b""), b"12345678".to_vec()].concat();
        assert!(printed(&two).contains("cmsg_type=0x63 /* SCM_??? */}, ... /* 0x"), "{}", printed(&two));
    }
}
