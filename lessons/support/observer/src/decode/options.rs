//! Socket options: setsockopt and getsockopt.

use std::borrow::Cow;

use super::addresses::{self, interface, ipv4, ipv6, print_ipv6};
use super::buffers::{self, array, int};
use super::messages::print_id;
use super::names::{
    ICMP_TYPES, IP_GET_OPTIONS, IP_OPTIONS, IP_SET_OPTIONS, IPV6_GET_OPTIONS, IPV6_OPTIONS, IPV6_SET_OPTIONS, LEVELS,
    NETLINK_OPTIONS, OTHER_OPTIONS, PACKET_MEMBERSHIPS, PACKET_OPTIONS, RAW_OPTIONS, SOCKET_OPTIONS, TCP_OPTIONS,
    TXREHASH_VALUES, UDP_OPTIONS, VSOCK_OPTIONS,
};
use super::sockets::push_changed_length;
use super::text::{SHOWN, decimal, find, join, name, pointer, put, quote_hex};
use super::{Pending, Rest, errno};
use crate::memory::Memory;
use crate::trace::Value;

const SO_ATTACH_FILTER: i32 = 26;
const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
const SO_TXREHASH: i32 = 74;
const ICMP_FILTER: i32 = 1;

/// Options of level SOL_SOCKET that `strace` knows to be numbers: it shows the number even of a longer value.
const NUMBERS: &[i32] = &[
    1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 19, 27, 29, 30, 32, 33, 34, 35, 36, 37, 40, 41, 42, 43, 44, 45,
    46, 49, 53, 56, 60, 63, 64, 65, 68, 69, 70, 73, 75,
];

/// An option's text and value.
type Shown = (Cow<'static, str>, Value);

/// setsockopt(sockfd, level, optname, optval, optlen)
pub(super) fn setsockopt(call: &mut Pending, memory: &Memory) -> Rest {
    push_option(call, false);
    let length = call.int(4);
    let (text, value) = set_value(call, memory, length);
    call.push(text, Some(value));
    call.push_int(4);
    Rest::Nothing
}

/// getsockopt(sockfd, level, optname, optval, optlen)
pub(super) fn getsockopt(call: &mut Pending, memory: &Memory) -> Rest {
    push_option(call, true);
    match memory.i32(call.raw[4]) {
        Some(length) => {
            call.kept.length = length;
            Rest::Arguments
        }
        None => {
            call.push_pointer(3);
            call.push_pointer(4);
            Rest::Nothing
        }
    }
}

/// The option's value, and the length of it before and after.
pub(super) fn getsockopt_end(call: &mut Pending, memory: &Memory) {
    let room = call.kept.length;
    match memory.i32(call.raw[4]).filter(|_| !call.failed()) {
        Some(length) => {
            let (text, value) = got_value(call, memory, room, length);
            call.push(text, Some(value));
            push_changed_length(call, room, length);
        }
        None => {
            call.push_pointer(3);
            call.push(format!("[{room}]"), Some(Value::Int(room.into())));
        }
    }
}

/// Descriptor, level and the option's name, which depends on the level.
fn push_option(call: &mut Pending, get: bool) {
    // Some options have one name when they are set and another when they are got.
    let number = u64::from(call.raw[2] as u32);
    let either = |both, one| if find(both, number).is_some() { both } else { one };
    call.push_int(0);
    call.push_constant(1, LEVELS, "SOL_??");
    let (names, unknown) = match call.int(1) {
        libc::SOL_SOCKET if call.int(2) == SO_ATTACH_FILTER => {
            let name = if get { "SO_GET_FILTER" } else { "SO_ATTACH_FILTER" };
            call.push(name, Some(Value::Int(SO_ATTACH_FILTER.into())));
            return;
        }
        libc::SOL_SOCKET => (SOCKET_OPTIONS, "SO_???"),
        libc::SOL_IP => (either(IP_OPTIONS, if get { IP_GET_OPTIONS } else { IP_SET_OPTIONS }), "IP_???"),
        libc::SOL_IPV6 => (either(IPV6_OPTIONS, if get { IPV6_GET_OPTIONS } else { IPV6_SET_OPTIONS }), "IPV6_???"),
        libc::SOL_TCP => (TCP_OPTIONS, "TCP_???"),
        libc::SOL_UDP => (UDP_OPTIONS, "UDP_???"),
        libc::SOL_RAW => (RAW_OPTIONS, "RAW_???"),
        libc::SOL_PACKET => (PACKET_OPTIONS, "PACKET_???"),
        libc::SOL_NETLINK => (NETLINK_OPTIONS, "NETLINK_???"),
        libc::AF_VSOCK => (VSOCK_OPTIONS, "SO_VM_???"),
        level => match OTHER_OPTIONS.iter().find(|(known, _, _)| *known == level) {
            Some((_, names, unknown)) => (*names, *unknown),
            None => {
                call.push(number.to_string(), Some(Value::Int((number as i32).into())));
                return;
            }
        },
    };
    call.push_constant(2, names, unknown);
}

fn set_value(call: &Pending, memory: &Memory, length: i32) -> Shown {
    let (level, option, address) = (call.int(1), call.int(2), call.raw[3]);
    if address == 0 {
        return unread(address);
    }
    match (level, option) {
        (libc::SOL_SOCKET, libc::SO_LINGER) => linger(memory, address, if length < 8 { 0 } else { 8 }),
        (libc::SOL_SOCKET, SO_ATTACH_FILTER | SO_ATTACH_REUSEPORT_CBPF) => filter(memory, address, length),
        (libc::SOL_SOCKET, SO_TXREHASH) if length < 4 => unread(address),
        (libc::SOL_SOCKET, SO_TXREHASH) => rehash(memory, address),
        (libc::SOL_SOCKET, _) if NUMBERS.contains(&option) => number_of(memory, address, length),
        (libc::SOL_NETLINK, _) => number_of(memory, address, length),
        (libc::SOL_RAW, ICMP_FILTER) => icmp_filter(memory, address, length),
        (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP | libc::PACKET_DROP_MEMBERSHIP) => {
            packet_membership(memory, address, length)
        }
        (libc::SOL_PACKET, libc::PACKET_RX_RING | libc::PACKET_TX_RING) => packet_ring(memory, address, length),
        (libc::SOL_IP, libc::IP_ADD_MEMBERSHIP | libc::IP_DROP_MEMBERSHIP) => membership(memory, address, length),
        (libc::SOL_IPV6, libc::IPV6_ADD_MEMBERSHIP | libc::IPV6_DROP_MEMBERSHIP | 27 | 28) => {
            membership6(memory, address, length)
        }
        (libc::SOL_IP | libc::SOL_IPV6, libc::MCAST_JOIN_GROUP | libc::MCAST_LEAVE_GROUP) => {
            group(memory, address, length)
        }
        _ => plain(call, memory, length),
    }
}

fn got_value(call: &Pending, memory: &Memory, room: i32, length: i32) -> Shown {
    let (level, option, address) = (call.int(1), call.int(2), call.raw[3]);
    if room <= 0 || length <= 0 || address == 0 {
        return unread(address);
    }
    match (level, option) {
        (libc::SOL_SOCKET, libc::SO_LINGER) => linger(memory, address, length),
        (libc::SOL_SOCKET, libc::SO_PEERCRED) => credentials(memory, address, length),
        (libc::SOL_SOCKET, SO_ATTACH_FILTER) => unread(address),
        (libc::SOL_SOCKET, libc::SO_ERROR) if length >= 4 => error(memory, address),
        (libc::SOL_SOCKET, SO_TXREHASH) if length >= 4 => rehash(memory, address),
        (libc::SOL_SOCKET, _) if option == libc::SO_ERROR || option == SO_TXREHASH || NUMBERS.contains(&option) => {
            if length >= 4 {
                number(memory, address)
            } else {
                in_hex(memory, address, length)
            }
        }
        (libc::SOL_RAW, ICMP_FILTER) => icmp_filter(memory, address, length),
        (libc::SOL_PACKET, libc::PACKET_STATISTICS) => packet_statistics(memory, address, length),
        (libc::SOL_NETLINK, libc::NETLINK_LIST_MEMBERSHIPS) => {
            let mut out = String::new();
            array(&mut out, memory, address, (room.min(length) / 4) as u64, 4, |out, element| {
                put!(out, "{}", int(element, 0) as u32);
                true
            });
            (out.into(), Value::Pointer(address))
        }
        (libc::SOL_NETLINK, _) => number(memory, address),
        _ => plain(call, memory, length),
    }
}

/// A value of which nothing is known: a number if it has the size of one, else a string.
fn plain(call: &Pending, memory: &Memory, length: i32) -> Shown {
    let address = call.raw[3];
    if length == 4 {
        return number(memory, address);
    }
    let mut out = String::new();
    // A negative length is an enormous one.
    match buffers::bytes(&mut out, memory, address, length as u64, call.keep_bytes) {
        Some(bytes) => (out.into(), Value::Bytes(bytes)),
        None => (out.into(), Value::Pointer(address)),
    }
}

fn unread(address: u64) -> Shown {
    (pointer(address), Value::Pointer(address))
}

fn number_of(memory: &Memory, address: u64, length: i32) -> Shown {
    if length < 4 { unread(address) } else { number(memory, address) }
}

fn number(memory: &Memory, address: u64) -> Shown {
    match memory.i32(address) {
        Some(number) => (format!("[{number}]").into(), Value::Int(number.into())),
        None => unread(address),
    }
}

fn in_hex(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.bytes(address, length.min(SHOWN as i32) as usize) {
        Some(bytes) => {
            let mut out = String::new();
            quote_hex(&mut out, &bytes);
            (out.into(), Value::Bytes(bytes))
        }
        None => unread(address),
    }
}

/// SO_ERROR: the waiting error by name.
fn error(memory: &Memory, address: u64) -> Shown {
    match memory.i32(address) {
        Some(number) => {
            let name = errno::known_name(number).map_or_else(|| (number as u32).to_string().into(), Cow::Borrowed);
            (format!("[{name}]").into(), Value::Int(number.into()))
        }
        None => unread(address),
    }
}

fn rehash(memory: &Memory, address: u64) -> Shown {
    match memory.i32(address) {
        Some(number) => {
            let text = match find(TXREHASH_VALUES, number as u64) {
                Some(name) => format!("[{name}]"),
                None => format!("[{number} /* SOCK_TXREHASH_??? */]"),
            };
            (text.into(), Value::Int(number.into()))
        }
        None => unread(address),
    }
}

/// A field of four bytes: its name, and how it is printed.
type Field<'a> = (&'a str, fn(&mut String, i32));

/// `struct linger`, or as much of it as there is.
fn linger(memory: &Memory, address: u64, length: i32) -> Shown {
    fields(memory, address, length, &[("l_onoff", decimal), ("l_linger", decimal)])
}

/// `struct ucred`, or as much of it as there is.
fn credentials(memory: &Memory, address: u64, length: i32) -> Shown {
    fields(memory, address, length, &[("pid", decimal), ("uid", print_id), ("gid", print_id)])
}

/// `struct tpacket_stats`, or as much of it as there is.
fn packet_statistics(memory: &Memory, address: u64, length: i32) -> Shown {
    let unsigned = |out: &mut String, number: i32| decimal(out, number as u32);
    fields(memory, address, length, &[("tp_packets", unsigned), ("tp_drops", unsigned), ("tp_freeze_q_cnt", unsigned)])
}

/// A structure of numbers of four bytes, of which the kernel may have given only the first bytes.
fn fields(memory: &Memory, address: u64, length: i32, fields: &[Field]) -> Shown {
    let length = usize::try_from(length).unwrap_or(0).min(fields.len() * 4);
    let bytes = if length == 0 { None } else { memory.bytes(address, length) };
    let Some(bytes) = bytes else { return unread(address) };
    let mut out = "{".to_string();
    join(&mut out, fields.iter().zip(bytes.chunks(4)), |out, ((name, print), part)| {
        put!(out, "{name}=");
        if part.len() == 4 { print(out, int(part, 0)) } else { quote_hex(out, part) }
    });
    out.push('}');
    (out.into(), Value::Bytes(bytes))
}

/// `struct sock_fprog`: a classic BPF program.
fn filter(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<16>(address) {
        Some(bytes) if length == 16 => {
            let count = u16::from_ne_bytes([bytes[0], bytes[1]]);
            let text = format!("{{len={count}, filter={}}}", pointer(buffers::word(&bytes, 8)));
            (text.into(), Value::Pointer(address))
        }
        _ => unread(address),
    }
}

/// `struct ip_mreq`.
fn membership(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<8>(address) {
        Some(bytes) if length >= 8 => {
            let (group, interface) = (ipv4(&bytes, 0), ipv4(&bytes, 4));
            let text = format!("{{imr_multiaddr=inet_addr(\"{group}\"), imr_interface=inet_addr(\"{interface}\")}}");
            (text.into(), Value::Bytes(bytes.to_vec()))
        }
        _ => unread(address),
    }
}

/// `struct ipv6_mreq`.
fn membership6(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<20>(address) {
        Some(bytes) if length >= 20 => {
            let mut out = "{inet_pton(AF_INET6, \"".to_string();
            print_ipv6(&mut out, ipv6(&bytes, 0));
            out.push_str("\", &ipv6mr_multiaddr), ipv6mr_interface=");
            interface(&mut out, int(&bytes, 16) as u32);
            out.push('}');
            (out.into(), Value::Bytes(bytes.to_vec()))
        }
        _ => unread(address),
    }
}

/// `struct group_req`.
fn group(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<136>(address) {
        Some(bytes) if length >= 136 => {
            let mut out = "{gr_interface=".to_string();
            interface(&mut out, int(&bytes, 0) as u32);
            out.push_str(", gr_group=");
            addresses::print(&mut out, &bytes[8..]);
            out.push('}');
            (out.into(), Value::Bytes(bytes.to_vec()))
        }
        _ => unread(address),
    }
}

/// `struct packet_mreq`.
fn packet_membership(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<16>(address) {
        Some(bytes) if length == 16 => {
            let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
            let mut out = "{mr_ifindex=".to_string();
            interface(&mut out, int(&bytes, 0) as u32);
            put!(out, ", mr_type={}", name(PACKET_MEMBERSHIPS, short(4).into(), "PACKET_MR_???"));
            put!(out, ", mr_alen={}, mr_address=", short(6));
            for (index, byte) in bytes[8..].iter().take(short(6).into()).enumerate() {
                put!(out, "{}{byte:02x}", if index > 0 { ":" } else { "" });
            }
            out.push('}');
            (out.into(), Value::Bytes(bytes.to_vec()))
        }
        _ => unread(address),
    }
}

/// `struct tpacket_req`.
fn packet_ring(memory: &Memory, address: u64, length: i32) -> Shown {
    match memory.array::<16>(address) {
        Some(bytes) if length == 16 => {
            let [size, count, frame_size, frames] = [0, 4, 8, 12].map(|at| int(&bytes, at) as u32);
            let text = format!(
                "{{tp_block_size={size}, tp_block_nr={count}, tp_frame_size={frame_size}, tp_frame_nr={frames}}}"
            );
            (text.into(), Value::Bytes(bytes.to_vec()))
        }
        _ => unread(address),
    }
}

/// The types of ICMP messages that a raw socket does not want, or with `~` the few that it does.
fn icmp_filter(memory: &Memory, address: u64, length: i32) -> Shown {
    let given = length.clamp(0, 4) as usize;
    let bytes = if given == 0 { None } else { memory.bytes(address, given) };
    let Some(bytes) = bytes else { return unread(address) };
    let mut whole = [0xff; 4];
    whole[..given].copy_from_slice(&bytes);
    let bits = u32::from_ne_bytes(whole);
    let most = bits.count_ones() > 16;
    let shown = if most { !bits } else { bits };
    let mut out = if most { "~[".to_string() } else { "[".to_string() };
    let mut separator = "";
    for kind in (0..32_u64).filter(|kind| shown & 1 << kind != 0) {
        put!(out, "{separator}{}", name(ICMP_TYPES, kind, "ICMP_???"));
        separator = " ";
    }
    out.push(']');
    (out.into(), Value::Int(bits.into()))
}
