//! The calls that make, name and end sockets.

use super::addresses;
use super::names::{
    AX25_PROTOCOLS, BLUETOOTH_PROTOCOLS, CAIF_PROTOCOLS, CAN_PROTOCOLS, ETHERNET_PROTOCOLS, FAMILIES, INET_PROTOCOLS,
    ISDN_PROTOCOLS, KCM_PROTOCOLS, NETLINK_PROTOCOLS, NFC_PROTOCOLS, PHONET_PROTOCOLS, SHUTDOWN_MODES, SMC_PROTOCOLS,
    SOCKET_TYPE_FLAGS, SOCKET_TYPES,
};
use super::text::{Text, find, flags, hex, name, pointer};
use super::{Pending, Rest};
use crate::memory::Memory;
use crate::trace::Value;

/// Families that the libc crate does not have.
const AF_KCM: i32 = 41;
const AF_SMC: i32 = 43;

/// socket(domain, type, protocol)
pub(super) fn socket(call: &mut Pending, _: &Memory) -> Rest {
    call.push_constant(0, FAMILIES, "AF_???");
    push_type(call);
    let protocol = call.raw[2] as u32;
    // `strace` has no names for AF_IRDA's protocols, and says what it says for AF_CAN's.
    let names = match call.int(0) {
        libc::AF_INET | libc::AF_INET6 => Some((INET_PROTOCOLS, "IPPROTO_???")),
        libc::AF_NETLINK => Some((NETLINK_PROTOCOLS, "NETLINK_???")),
        libc::AF_IRDA => Some((CAN_PROTOCOLS, "IRDAPROTO_???")),
        libc::AF_CAN => Some((CAN_PROTOCOLS, "CAN_???")),
        libc::AF_BLUETOOTH => Some((BLUETOOTH_PROTOCOLS, "BTPROTO_???")),
        libc::AF_RXRPC => Some((FAMILIES, "AF_???")),
        libc::AF_ISDN => Some((ISDN_PROTOCOLS, "ISDN_P_???")),
        libc::AF_PHONET => Some((PHONET_PROTOCOLS, "PN_PROTO_???")),
        libc::AF_CAIF => Some((CAIF_PROTOCOLS, "CAIFPROTO_???")),
        libc::AF_NFC => Some((NFC_PROTOCOLS, "NFC_SOCKPROTO_???")),
        AF_KCM => Some((KCM_PROTOCOLS, "KCMPROTO_???")),
        AF_SMC => Some((SMC_PROTOCOLS, "SMCPROTO_???")),
        _ => None,
    };
    let text: Text = match call.int(0) {
        libc::AF_AX25 => {
            let name = find(AX25_PROTOCOLS, protocol.into()).unwrap_or("AX25_P_???");
            format!("{} /* {name} */", hex(protocol.into())).into()
        }
        libc::AF_PACKET => {
            let swapped = u16::from_be(protocol as u16);
            format!("htons({})", name(ETHERNET_PROTOCOLS, swapped.into(), "ETH_P_???")).into()
        }
        _ => match names {
            Some((names, unknown)) => name(names, protocol.into(), unknown),
            None => call.raw[2].to_string().into(),
        },
    };
    call.push(text, Some(Value::Int((protocol as i32).into())));
    Rest::Nothing
}

/// socketpair(domain, type, protocol, sv)
pub(super) fn socketpair(call: &mut Pending, _: &Memory) -> Rest {
    call.push_constant(0, FAMILIES, "AF_???");
    push_type(call);
    call.push_size(2);
    Rest::Arguments
}

/// The two new descriptors.
pub(super) fn socketpair_end(call: &mut Pending, memory: &Memory) {
    match pair(memory, call.raw[3]) {
        Some([one, other]) if !call.failed() => {
            call.push(format!("[{one}, {other}]"), Some(Value::Pointer(call.raw[3])))
        }
        _ => call.push_pointer(3),
    }
}

/// The two descriptors that socketpair has written.
pub(super) fn pair(memory: &Memory, address: u64) -> Option<[i32; 2]> {
    let pair = memory.u64(address)?.to_ne_bytes();
    let at = |index| i32::from_ne_bytes([pair[index], pair[index + 1], pair[index + 2], pair[index + 3]]);
    Some([at(0), at(4)])
}

fn push_type(call: &mut Pending) {
    const TYPE: u32 = 0xf;
    let number = call.raw[1] as u32;
    let rest = u64::from(number & !TYPE);
    let text: Text = match find(SOCKET_TYPES, (number & TYPE).into()) {
        Some(name) if rest == 0 => name.into(),
        Some(name) => format!("{name}|{}", flags(SOCKET_TYPE_FLAGS, rest, "SOCK_???")).into(),
        None => flags(SOCKET_TYPE_FLAGS, number.into(), "SOCK_???"),
    };
    call.push(text, Some(Value::Int((number as i32).into())));
}

/// bind(sockfd, addr, addrlen) and connect(sockfd, addr, addrlen)
pub(super) fn bind_or_connect(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    push_address(call, memory, 1, call.int(2));
    call.push_int(2);
    Rest::Nothing
}

/// Adds the next argument, an address of this length at the raw argument `index`.
pub(super) fn push_address(call: &mut Pending, memory: &Memory, index: usize, length: i32) {
    let (text, value) = addresses::decode(memory, call.raw[index], length);
    call.push(text, Some(value));
}

/// listen(sockfd, backlog)
pub(super) fn listen(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    call.push_int(1);
    Rest::Nothing
}

/// shutdown(sockfd, how)
pub(super) fn shutdown(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    call.push_constant(1, SHUTDOWN_MODES, "SHUT_???");
    Rest::Nothing
}

/// accept, getsockname and getpeername(sockfd, addr, addrlen): the kernel fills the address in and corrects the length.
pub(super) fn name_query(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    let length = if call.raw[1] == 0 { None } else { memory.i32(call.raw[2]) };
    match length {
        Some(length) => {
            call.kept.length = length;
            Rest::Arguments
        }
        None => {
            call.push_pointer(1);
            call.push_pointer(2);
            Rest::Nothing
        }
    }
}

/// The address that was filled in, and the length before and after.
pub(super) fn name_query_end(call: &mut Pending, memory: &Memory) {
    let room = call.kept.length;
    match memory.i32(call.raw[2]).filter(|_| !call.failed()) {
        Some(length) => {
            push_address(call, memory, 1, room.min(length));
            push_changed_length(call, room, length);
        }
        None => {
            call.push_pointer(1);
            call.push(format!("[{room}]"), Some(Value::Int(room.into())));
        }
    }
}

/// accept4(sockfd, addr, addrlen, flags)
pub(super) fn accept4(call: &mut Pending, memory: &Memory) -> Rest {
    let rest = name_query(call, memory);
    if rest == Rest::Nothing {
        push_type_flags(call);
    }
    rest
}

/// The same, and the flags.
pub(super) fn accept4_end(call: &mut Pending, memory: &Memory) {
    name_query_end(call, memory);
    push_type_flags(call);
}

fn push_type_flags(call: &mut Pending) {
    call.push_flags(3, SOCKET_TYPE_FLAGS, "SOCK_???");
}

/// Adds the next argument, a value-result length: `[16]`, or `[128 => 16]` if the kernel changed it.
pub(super) fn push_changed_length(call: &mut Pending, before: i32, after: i32) {
    let text = if before == after { format!("[{after}]") } else { format!("[{before} => {after}]") };
    call.push(text, Some(Value::Int(after.into())));
}

/// Adds an address and the value-result length behind it as recvfrom has them: unlike [`name_query`] it looks at both
/// only when the call has returned.
pub(super) fn push_source(call: &mut Pending, memory: &Memory, address: usize, length: usize) {
    let room = call.kept.length;
    let after = if call.raw[address] == 0 { None } else { memory.i32(call.raw[length]) };
    match after {
        None => {
            call.push_pointer(address);
            call.push(pointer(call.raw[length]), Some(Value::Pointer(call.raw[length])));
        }
        Some(_) if call.failed() => {
            call.push_pointer(address);
            call.push(format!("[{room}]"), Some(Value::Int(room.into())));
        }
        Some(after) => {
            push_address(call, memory, address, room.min(after));
            push_changed_length(call, room, after);
        }
    }
}
