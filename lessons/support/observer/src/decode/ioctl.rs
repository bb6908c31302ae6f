//! ioctl: the requests for sockets and network interfaces, and the few that any descriptor takes.

use super::addresses;
use super::buffers::{array, int, word};
use super::names::{HARDWARE_TYPES, INTERFACE_FLAGS, IOCTL_REQUESTS};
use super::text::{Text, find, flags, hex, name, pointer, put, quote_field};
use super::{Pending, Rest};
use crate::memory::Memory;
use crate::trace::Value;

/// `struct ifreq`.
const INTERFACE: usize = 40;
/// `struct ifconf`.
const LIST: usize = 16;
/// Where the name of an interface ends in it and what is asked about it begins.
const NAME: usize = 16;

/// What the argument of a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// Points to a number that the kernel reads.
    Number,
    /// Points to a number that the kernel writes.
    NumberBack,
    /// Points to `struct ifreq` with an interface's name and more, for the kernel to read.
    Interface,
    /// Points to `struct ifreq` with an interface's name; the kernel adds what was asked for.
    InterfaceBack,
    /// Points to `struct ifconf`: room for a list of interfaces, which the kernel fills.
    List,
    /// There is none.
    None,
    /// A pointer that is not followed.
    Pointer,
    /// A number or a pointer of which nothing is known.
    Unknown,
}

mod request {
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const FIONBIO: u32 = 0x5421;
    pub const FIOASYNC: u32 = 0x5452;
    pub const FIOCLEX: u32 = 0x5451;
    pub const FIONCLEX: u32 = 0x5450;
    pub const FIOSETOWN: u32 = 0x8901;
    pub const SIOCSPGRP: u32 = 0x8902;
    pub const FIOGETOWN: u32 = 0x8903;
    pub const SIOCGPGRP: u32 = 0x8904;
    pub const SIOCATMARK: u32 = 0x8905;
    pub const SIOCOUTQNSD: u32 = 0x894b;
    pub const SIOCGIFNAME: u32 = 0x8910;
    pub const SIOCGIFFLAGS: u32 = 0x8913;
    pub const SIOCSIFFLAGS: u32 = 0x8914;
    pub const SIOCGIFADDR: u32 = 0x8915;
    pub const SIOCSIFADDR: u32 = 0x8916;
    pub const SIOCGIFDSTADDR: u32 = 0x8917;
    pub const SIOCSIFDSTADDR: u32 = 0x8918;
    pub const SIOCGIFBRDADDR: u32 = 0x8919;
    pub const SIOCSIFBRDADDR: u32 = 0x891a;
    pub const SIOCGIFNETMASK: u32 = 0x891b;
    pub const SIOCSIFNETMASK: u32 = 0x891c;
    pub const SIOCGIFMETRIC: u32 = 0x891d;
    pub const SIOCSIFMETRIC: u32 = 0x891e;
    pub const SIOCGIFMTU: u32 = 0x8921;
    pub const SIOCSIFMTU: u32 = 0x8922;
    pub const SIOCGIFHWADDR: u32 = 0x8927;
    pub const SIOCSIFNAME: u32 = 0x8923;
    pub const SIOCSIFHWADDR: u32 = 0x8924;
    pub const SIOCGIFENCAP: u32 = 0x8925;
    pub const SIOCSIFENCAP: u32 = 0x8926;
    pub const SIOCGIFSLAVE: u32 = 0x8929;
    pub const SIOCSIFSLAVE: u32 = 0x8930;
    pub const SIOCADDMULTI: u32 = 0x8931;
    pub const SIOCDELMULTI: u32 = 0x8932;
    pub const SIOCGIFCONF: u32 = 0x8912;
    pub const SIOCSIFHWBROADCAST: u32 = 0x8937;
    pub const SIOCGIFMAP: u32 = 0x8970;
    pub const SIOCSIFMAP: u32 = 0x8971;
    pub const SIOCGIFINDEX: u32 = 0x8933;
    pub const SIOCGIFTXQLEN: u32 = 0x8942;
    pub const SIOCSIFTXQLEN: u32 = 0x8943;
}

fn argument_of(code: u32) -> Argument {
    use request::*;
    match code {
        FIONBIO | FIOASYNC | FIOSETOWN | SIOCSPGRP | SIOCSIFENCAP => Argument::Number,
        FIONREAD | TIOCOUTQ | SIOCATMARK | FIOGETOWN | SIOCGPGRP | SIOCOUTQNSD | SIOCGIFENCAP => Argument::NumberBack,
        SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFDSTADDR | SIOCSIFBRDADDR | SIOCSIFNETMASK | SIOCSIFMETRIC | SIOCSIFMTU
        | SIOCSIFTXQLEN | SIOCSIFNAME | SIOCSIFHWADDR | SIOCSIFHWBROADCAST | SIOCADDMULTI | SIOCDELMULTI
        | SIOCSIFMAP | SIOCSIFSLAVE => Argument::Interface,
        SIOCGIFNAME | SIOCGIFFLAGS | SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFMETRIC
        | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFINDEX | SIOCGIFTXQLEN | SIOCGIFMAP | SIOCGIFSLAVE => {
            Argument::InterfaceBack
        }
        SIOCGIFCONF => Argument::List,
        FIOCLEX | FIONCLEX => Argument::None,
        // Time stamps, routes, links, memory, private flags, bridges, ethtool, MII, network namespace, ARP and RARP,
        // DLCI, VLAN, bonding, hardware time stamps: pointers to structures that are not shown.
        0x8906
        | 0x8907
        | 0x8010_8906
        | 0x8010_8907
        | 0x890b..=0x890d
        | 0x8911
        | 0x891f
        | 0x8920
        | 0x8934..=0x8936
        | 0x8938
        | 0x8940
        | 0x8941
        | 0x8946..=0x894a
        | 0x894c
        | 0x8953..=0x8955
        | 0x8960..=0x8962
        | 0x8980..=0x8983
        | 0x8990..=0x8995
        | 0x89b0
        | 0x89b1 => Argument::Pointer,
        _ => Argument::Unknown,
    }
}

/// ioctl(fd, request, argp)
pub(super) fn ioctl(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    let code = call.raw[1] as u32;
    let request: Text = match find(IOCTL_REQUESTS, code.into()) {
        Some(name) => name.into(),
        None => unknown_request(code).into(),
    };
    call.push(request, Some(Value::Int(code.into())));
    match argument_of(code) {
        Argument::Number => push_number(call, memory),
        Argument::Interface => push_interface(call, memory, code),
        Argument::None => {}
        Argument::NumberBack => return Rest::Details,
        Argument::InterfaceBack => match memory.array::<INTERFACE>(call.raw[2]) {
            Some(bytes) => {
                let mut out = "{".to_string();
                if code == request::SIOCGIFNAME {
                    put!(out, "ifr_ifindex={}", int(&bytes, NAME));
                } else {
                    out.push_str("ifr_name=");
                    quote_field(&mut out, &bytes[..NAME]);
                }
                call.push(out, Some(Value::Pointer(call.raw[2])));
                return Rest::Details;
            }
            None => call.push_pointer(2),
        },
        Argument::List => match memory.array::<LIST>(call.raw[2]) {
            Some(list) => {
                let (length, buffer) = (int(&list, 0), word(&list, 8));
                let mut out = "{ifc_len=".to_string();
                if buffer != 0 {
                    print_list_length(&mut out, length);
                }
                call.push(out, Some(Value::Pointer(call.raw[2])));
                (call.kept.length, call.kept.address) = (length, buffer);
                return Rest::Details;
            }
            None => call.push_pointer(2),
        },
        Argument::Pointer => call.push_pointer(2),
        Argument::Unknown => call.push(hex(call.raw[2]), Some(Value::Int(call.raw[2] as i64))),
    }
    Rest::Nothing
}

/// What the request has found out.
pub(super) fn ioctl_end(call: &mut Pending, memory: &Memory) {
    let code = call.raw[1] as u32;
    if argument_of(code) == Argument::NumberBack {
        if call.failed() {
            call.push_pointer(2)
        } else {
            push_number(call, memory)
        }
        return;
    }
    if code == request::SIOCGIFCONF {
        let (before, failed) = ((call.kept.length, call.kept.address), call.failed());
        let list = memory.array::<LIST>(call.raw[2]);
        if let Some(last) = call.args.last_mut() {
            print_list(last.text.to_mut(), memory, before, list, failed);
        }
        return;
    }
    let found = if call.failed() { None } else { memory.array::<INTERFACE>(call.raw[2]) };
    if let Some(last) = call.args.last_mut() {
        let out = last.text.to_mut();
        if let Some(bytes) = found {
            out.push_str(", ");
            print_interface(out, code, &bytes);
        }
        out.push('}');
    }
}

/// The rest of `struct ifconf`: its length and its room before and after, and the interfaces.
fn print_list(out: &mut String, memory: &Memory, before: (i32, u64), list: Option<[u8; LIST]>, failed: bool) {
    let (length, buffer) = before;
    let Some(list) = list else {
        if buffer == 0 {
            print_list_length(out, length);
        }
        put!(out, ", ifc_buf={}}}", pointer(buffer));
        return;
    };
    let (new_length, new_buffer) = (int(&list, 0), word(&list, 8));
    if buffer != 0 && length != new_length {
        out.push_str(" => ");
    }
    if buffer == 0 || length != new_length {
        print_list_length(out, new_length);
    }
    out.push_str(", ifc_buf=");
    if buffer == 0 || failed {
        out.push_str(&pointer(buffer));
        if buffer != new_buffer {
            put!(out, " => {}", pointer(new_buffer));
        }
    } else {
        let count = (new_length / INTERFACE as i32).max(0) as u64;
        array(out, memory, new_buffer, count, INTERFACE as u64, |out, entry| {
            out.push_str("{ifr_name=");
            quote_field(out, &entry[..NAME]);
            out.push_str(", ifr_addr=");
            addresses::print(out, &entry[NAME..NAME + 16]);
            out.push('}');
            true
        });
    }
    out.push('}');
}

/// A length, and how many interfaces it has room for if it is a whole number of them.
fn print_list_length(out: &mut String, length: i32) {
    put!(out, "{length}");
    if length > 0 && length % INTERFACE as i32 == 0 {
        put!(out, " /* {} * sizeof(struct ifreq) */", length / INTERFACE as i32);
    }
}

fn push_number(call: &mut Pending, memory: &Memory) {
    match memory.i32(call.raw[2]) {
        Some(number) => call.push(format!("[{number}]"), Some(Value::Int(number.into()))),
        None => call.push_pointer(2),
    }
}

fn push_interface(call: &mut Pending, memory: &Memory, code: u32) {
    match memory.array::<INTERFACE>(call.raw[2]) {
        Some(bytes) => {
            let mut out = "{ifr_name=".to_string();
            quote_field(&mut out, &bytes[..NAME]);
            out.push_str(", ");
            print_interface(&mut out, code, &bytes);
            out.push('}');
            call.push(out, Some(Value::Pointer(call.raw[2])));
        }
        None => call.push_pointer(2),
    }
}

/// What a request says about an interface.
fn print_interface(out: &mut String, code: u32, bytes: &[u8; INTERFACE]) {
    use request::*;
    let number = int(bytes, NAME);
    let short = u16::from_ne_bytes([bytes[NAME], bytes[NAME + 1]]);
    let address = match code {
        SIOCGIFADDR | SIOCSIFADDR => Some("ifr_addr"),
        SIOCGIFDSTADDR | SIOCSIFDSTADDR => Some("ifr_dstaddr"),
        SIOCGIFBRDADDR | SIOCSIFBRDADDR => Some("ifr_broadaddr"),
        SIOCGIFNETMASK | SIOCSIFNETMASK => Some("ifr_netmask"),
        _ => None,
    };
    if let Some(field) = address {
        put!(out, "{field}=");
        addresses::print(out, &bytes[NAME..NAME + 16]);
        return;
    }
    match code {
        SIOCGIFFLAGS | SIOCSIFFLAGS => put!(out, "ifr_flags={}", flags(INTERFACE_FLAGS, short.into(), "IFF_???")),
        SIOCGIFINDEX => put!(out, "ifr_ifindex={number}"),
        SIOCGIFMETRIC | SIOCSIFMETRIC => put!(out, "ifr_metric={number}"),
        SIOCGIFMTU | SIOCSIFMTU => put!(out, "ifr_mtu={number}"),
        SIOCGIFTXQLEN | SIOCSIFTXQLEN => put!(out, "ifr_qlen={number}"),
        SIOCGIFSLAVE | SIOCSIFSLAVE | SIOCSIFNAME => {
            out.push_str(if code == SIOCSIFNAME { "ifr_newname=" } else { "ifr_slave=" });
            quote_field(out, &bytes[NAME..2 * NAME]);
        }
        SIOCGIFMAP | SIOCSIFMAP => {
            let [start, end] = [16, 24].map(|at| hex(word(bytes, at)));
            let base = hex(u16::from_ne_bytes([bytes[32], bytes[33]]).into());
            let [irq, dma, port] = [34, 35, 36].map(|at| hex(bytes[at].into()));
            put!(
                out,
                "ifr_map={{mem_start={start}, mem_end={end}, base_addr={base}, irq={irq}, dma={dma}, port={port}}}"
            );
        }
        SIOCGIFHWADDR | SIOCSIFHWADDR | SIOCSIFHWBROADCAST | SIOCADDMULTI | SIOCDELMULTI => {
            put!(out, "ifr_hwaddr={{sa_family={}, sa_data=", name(HARDWARE_TYPES, short.into(), "ARPHRD_???"));
            print_hardware(out, short, &bytes[NAME + 2..NAME + 16]);
            out.push('}');
        }
        SIOCGIFNAME => {
            out.push_str("ifr_name=");
            quote_field(out, &bytes[..NAME]);
        }
        _ => out.push_str(&pointer(0)),
    }
}

/// A hardware address: of Ethernet and the loopback interface the six bytes that it has, else all there is room for.
fn print_hardware(out: &mut String, kind: u16, bytes: &[u8]) {
    let length = if kind == libc::ARPHRD_ETHER || kind == libc::ARPHRD_LOOPBACK { 6 } else { bytes.len() };
    for (index, byte) in bytes[..length].iter().enumerate() {
        put!(out, "{}{byte:02x}", if index > 0 { ":" } else { "" });
    }
}

/// A request that has no name, taken apart: `_IOC(_IOC_READ, 0x12, 0x34, 0x4)`.
fn unknown_request(code: u32) -> String {
    const DIRECTIONS: super::text::Names = &[(0, "_IOC_NONE"), (2, "_IOC_READ"), (1, "_IOC_WRITE")];
    let direction = flags(DIRECTIONS, (code >> 30).into(), "_IOC_???");
    let [kind, number, size] = [code >> 8 & 0xff, code & 0xff, code >> 16 & 0x3fff].map(|part| hex(part.into()));
    format!("_IOC({direction}, {kind}, {number}, {size})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_request_is_taken_apart() {
        assert_eq!(unknown_request(0), "_IOC(_IOC_NONE, 0, 0, 0)");
        assert_eq!(unknown_request(0xc004_1234), "_IOC(_IOC_READ|_IOC_WRITE, 0x12, 0x34, 0x4)");
    }
}
