//! Socket addresses.

use std::ffi::CStr;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::names::{ETHERNET_PROTOCOLS, FAMILIES, HARDWARE_TYPES, PACKET_TYPES};
use super::text::{Text, decimal, name, pointer, put, quote};
use crate::memory::Memory;
use crate::trace::{Address, UnixName, Value};

/// The size of `sa_family_t`, which every address begins with.
const FAMILY: usize = 2;
/// The largest address that the kernel takes: `struct sockaddr_storage`.
const LARGEST: usize = 128;
/// `struct sockaddr_un`.
const UNIX: usize = 110;
/// `struct sockaddr_in`.
const INET: usize = 16;
/// `struct sockaddr_in6` without its last field, the scope id, as the kernel also takes it.
const INET6: usize = 24;
/// `struct sockaddr_nl`.
const NETLINK: usize = 12;
/// `struct sockaddr_ll`, whose last field may be longer or shorter.
const PACKET: usize = 20;
/// Where the hardware address begins in it.
const PACKET_ADDRESS: usize = 12;

/// Reads the address of `length` bytes and gives its text and value.
pub(crate) fn decode(memory: &Memory, address: u64, length: i32) -> (Text, Value) {
    let mut buffer = [0; LARGEST];
    match read(memory, address, length, &mut buffer) {
        Some(bytes) => {
            let mut out = String::with_capacity(96);
            print(&mut out, bytes);
            (out.into(), Value::Address(parse(bytes)))
        }
        None => (pointer(address), Value::Pointer(address)),
    }
}

/// Reads an address, if there is one that can be read.
pub(crate) fn read_address(memory: &Memory, address: u64, length: i32) -> Option<Address> {
    let mut buffer = [0; LARGEST];
    read(memory, address, length, &mut buffer).map(parse)
}

/// The bytes of an address: at least a family, at most as many as an address can have.
fn read<'a>(memory: &Memory, address: u64, length: i32, buffer: &'a mut [u8; LARGEST]) -> Option<&'a [u8]> {
    let length = usize::try_from(length).ok().filter(|length| *length >= FAMILY)?.min(LARGEST);
    let bytes = &mut buffer[..length];
    memory.fill(address, bytes).then_some(bytes)
}

/// Appends the text of an address of at least two bytes.
pub(crate) fn print(out: &mut String, bytes: &[u8]) {
    let family = i32::from(family(bytes));
    put!(out, "{{sa_family={}", name(FAMILIES, family as u64, "AF_???"));
    if bytes.len() > FAMILY {
        out.push_str(", ");
        match family {
            libc::AF_UNIX => print_unix(out, bytes),
            libc::AF_INET if bytes.len() >= INET => print_inet(out, bytes),
            libc::AF_INET6 if bytes.len() >= INET6 => print_inet6(out, bytes),
            libc::AF_NETLINK if bytes.len() >= NETLINK => print_netlink(out, bytes),
            libc::AF_PACKET if bytes.len() >= PACKET => print_packet(out, bytes),
            _ => {
                out.push_str("sa_data=");
                quote(out, &bytes[FAMILY..]);
            }
        }
    }
    out.push('}');
}

/// The value of an address of at least two bytes.
pub(crate) fn parse(bytes: &[u8]) -> Address {
    let number = family(bytes);
    let rest = &bytes[FAMILY..];
    match i32::from(number) {
        libc::AF_UNSPEC => Address::Unspec,
        libc::AF_UNIX => Address::Unix { name: unix_name(rest) },
        libc::AF_INET if bytes.len() >= INET => Address::Inet { ip: ipv4(bytes, 4), port: big_u16(bytes, 2) },
        libc::AF_INET6 if bytes.len() >= INET6 => Address::Inet6 {
            ip: ipv6(bytes, 8),
            port: big_u16(bytes, 2),
            flowinfo: big_u32(bytes, 4),
            scope_id: if bytes.len() >= INET6 + 4 { u32_at(bytes, INET6) } else { 0 },
        },
        _ => Address::Other { number, data: rest.to_vec() },
    }
}

fn unix_name(path: &[u8]) -> UnixName {
    match path {
        [] => UnixName::Unnamed,
        [0, name @ ..] => UnixName::Abstract(name.to_vec()),
        _ => UnixName::Path(path.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()),
    }
}

fn print_unix(out: &mut String, bytes: &[u8]) {
    let path = &bytes[FAMILY..bytes.len().min(UNIX)];
    match path {
        [0, name @ ..] => {
            out.push_str("sun_path=@");
            quote(out, name);
        }
        _ => {
            out.push_str("sun_path=");
            quote(out, path.split(|&byte| byte == 0).next().unwrap_or_default());
        }
    }
}

fn print_inet(out: &mut String, bytes: &[u8]) {
    put!(out, "sin_port=htons({}), sin_addr=inet_addr(\"{}\")", big_u16(bytes, 2), ipv4(bytes, 4));
}

fn print_inet6(out: &mut String, bytes: &[u8]) {
    let ip = ipv6(bytes, 8);
    put!(out, "sin6_port=htons({}), sin6_flowinfo=htonl({}), ", big_u16(bytes, 2), big_u32(bytes, 4));
    out.push_str("inet_pton(AF_INET6, \"");
    print_ipv6(out, ip);
    out.push_str("\", &sin6_addr)");
    if bytes.len() > INET6 {
        // A length between the two is legal; what is missing counts as zero.
        let mut scope = [0; 4];
        let given = &bytes[INET6..bytes.len().min(INET6 + 4)];
        scope[..given.len()].copy_from_slice(given);
        let scope = u32::from_ne_bytes(scope);
        out.push_str(", sin6_scope_id=");
        let multicast_link_local = bytes[8] == 0xff && bytes[9] & 0xf == 2;
        if ip.is_unicast_link_local() || multicast_link_local {
            interface(out, scope);
        } else {
            decimal(out, scope);
        }
    }
}

/// An IPv6 address as the C library writes it: as Rust does, but `::1.2.3.4` for one that ends in an IPv4 address.
pub(crate) fn print_ipv6(out: &mut String, ip: Ipv6Addr) {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            put!(out, "::{}", Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => decimal(out, ip),
    }
}

fn print_netlink(out: &mut String, bytes: &[u8]) {
    let pad = u16_at(bytes, 2);
    if pad != 0 {
        put!(out, "nl_pad={pad:#x}, ");
    }
    put!(out, "nl_pid={}, nl_groups=", u32_at(bytes, 4) as i32);
    padded_hex(out, u32_at(bytes, 8).into(), 8);
}

fn print_packet(out: &mut String, bytes: &[u8]) {
    let protocol = name(ETHERNET_PROTOCOLS, big_u16(bytes, 2).into(), "ETH_P_???");
    put!(out, "sll_protocol=htons({protocol}), sll_ifindex=");
    interface(out, u32_at(bytes, 4));
    put!(out, ", sll_hatype={}", name(HARDWARE_TYPES, u16_at(bytes, 8).into(), "ARPHRD_???"));
    put!(out, ", sll_pkttype={}", name(PACKET_TYPES, bytes[10].into(), "PACKET_???"));
    let length = usize::from(bytes[11]);
    put!(out, ", sll_halen={length}");
    if length > 0 {
        out.push_str(", sll_addr=[");
        let given = &bytes[PACKET_ADDRESS..];
        for (index, byte) in given.iter().take(length).enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            padded_hex(out, (*byte).into(), 2);
        }
        if length > given.len() {
            out.push_str(", ...");
        }
        out.push(']');
    }
}

/// The index of a network interface, by name if this machine has one of that index.
pub(crate) fn interface(out: &mut String, index: u32) {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: `buffer` has the IF_NAMESIZE bytes that the function may write.
    let found = unsafe { libc::if_indextoname(index, buffer.as_mut_ptr()) };
    let name = buffer.map(|byte| byte as u8);
    match CStr::from_bytes_until_nul(&name) {
        Ok(name) if !found.is_null() => put!(out, "if_nametoindex(\"{}\")", name.to_string_lossy()),
        _ => decimal(out, index),
    }
}

/// C's `%#0*x`: as many characters as asked for, the `0x` among them; zero has none.
fn padded_hex(out: &mut String, number: u64, width: usize) {
    match number {
        0 => put!(out, "{:0width$}", 0),
        _ => put!(out, "{number:#0width$x}"),
    }
}

fn family(bytes: &[u8]) -> u16 {
    u16_at(bytes, 0)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn big_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be(u16_at(bytes, at))
}

fn big_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be(u32_at(bytes, at))
}

/// The IPv4 address at this place.
pub(crate) fn ipv4(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::from(big_u32(bytes, at))
}

/// The IPv6 address at this place.
pub(crate) fn ipv6(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(bytes: &[u8]) -> String {
        let mut out = String::new();
        print(&mut out, bytes);
        out
    }

    fn with_family(family: i32, rest: &[u8]) -> Vec<u8> {
        [&(family as u16).to_ne_bytes(), rest].concat()
    }

    #[test]
    fn ipv4_addresses() {
        let full = with_family(libc::AF_INET, b"\x9c\xbb\x7f\0\0\x01\0\0\0\0\0\0\0\0");
        assert_eq!(printed(&full), r#"{sa_family=AF_INET, sin_port=htons(40123), sin_addr=inet_addr("127.0.0.1")}"#);
        assert_eq!(parse(&full), Address::Inet { ip: Ipv4Addr::LOCALHOST, port: 40123 });
        assert_eq!(printed(&full[..8]), r#"{sa_family=AF_INET, sa_data="\234\273\177\0\0\1"}"#);
        assert_eq!(printed(&full[..2]), "{sa_family=AF_INET}");
    }

    #[test]
    fn ipv6_addresses() {
        let mut full = with_family(libc::AF_INET6, &[0; 26]);
        full[23] = 1;
        full[7] = 7;
        full[24..28].copy_from_slice(&9_u32.to_ne_bytes());
        assert_eq!(
            printed(&full),
            r#"{sa_family=AF_INET6, sin6_port=htons(0), sin6_flowinfo=htonl(7), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=9}"#
        );
        assert_eq!(parse(&full), Address::Inet6 { ip: Ipv6Addr::LOCALHOST, port: 0, flowinfo: 7, scope_id: 9 });
        assert!(printed(&full[..24]).ends_with("&sin6_addr)}"), "{}", printed(&full[..24]));
        assert!(printed(&full[..23]).contains("sa_data="));
    }

    #[test]
    fn unix_addresses() {
        let path = with_family(libc::AF_UNIX, b"/tmp/x.sock\0\0\0");
        assert_eq!(printed(&path), r#"{sa_family=AF_UNIX, sun_path="/tmp/x.sock"}"#);
        assert_eq!(parse(&path), Address::Unix { name: UnixName::Path(b"/tmp/x.sock".to_vec()) });
        let hidden = with_family(libc::AF_UNIX, b"\0demo");
        assert_eq!(printed(&hidden), r#"{sa_family=AF_UNIX, sun_path=@"demo"}"#);
        assert_eq!(parse(&hidden), Address::Unix { name: UnixName::Abstract(b"demo".to_vec()) });
        let none = with_family(libc::AF_UNIX, b"");
        assert_eq!(printed(&none), "{sa_family=AF_UNIX}");
        assert_eq!(parse(&none), Address::Unix { name: UnixName::Unnamed });
    }

    #[test]
    fn other_addresses() {
        assert_eq!(printed(&with_family(0x4d, b"abc\0")), r#"{sa_family=0x4d /* AF_??? */, sa_data="abc\0"}"#);
        assert_eq!(printed(&with_family(libc::AF_UNSPEC, b"\0\0")), r#"{sa_family=AF_UNSPEC, sa_data="\0\0"}"#);
        let mut netlink = with_family(libc::AF_NETLINK, &[0; 10]);
        assert_eq!(printed(&netlink), "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}");
        netlink[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(printed(&netlink), "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000001}");
    }
}
