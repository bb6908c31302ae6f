//! Every kind of address, whole, too short and too long. Descriptor -1 does not exist, so none of them has any effect; but
//! bind and connect show what they were given before the kernel looks at it.

use crate::machine::{Edge, NONE, at, call};

pub fn play() {
    for address in addresses() {
        for length in lengths(address.len()) {
            call(libc::SYS_bind, &[NONE, at(address.as_slice()), length]);
        }
        call(libc::SYS_connect, &[NONE, at(address.as_slice()), address.len().min(128)]);
        call(libc::SYS_sendto, &[NONE, at(b"x"), 1, 0, at(address.as_slice()), address.len().min(128)]);
    }
    let edge = Edge::new();
    let full = with_family(libc::AF_INET, &[0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    for kept in [1, 2, 8, 15, 16] {
        let start = edge.put(&full[..kept]);
        for length in [1, 2, 8, 15, 16, 128, 200] {
            call(libc::SYS_bind, &[NONE, start, length]);
        }
    }
}

/// The whole address and what is left of it, more than it (all within a buffer of 256), and absurd lengths.
fn lengths(whole: usize) -> Vec<usize> {
    let mut lengths: Vec<usize> = (0..=whole.min(30)).collect();
    lengths.extend([whole, 107, 108, 109, 110, 111, 127, 128, 129, 200, 0x7fff_ffff, 0xffff_ffff, NONE]);
    lengths
}

fn with_family(family: i32, rest: &[u8]) -> Vec<u8> {
    let mut address = (family as u16).to_ne_bytes().to_vec();
    address.extend_from_slice(rest);
    address.resize(256, 0);
    address
}

fn addresses() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    // IPv4: port 8080, 127.0.0.1; with rubbish in the part that must be zero.
    all.push(with_family(libc::AF_INET, &[0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    all.push(with_family(libc::AF_INET, &[0xff, 0xff, 255, 255, 255, 255, 1, 2, 3, 4, 5, 6, 7, 8]));
    // IPv6: port, flow information, address, scope.
    let ips: [[u8; 16]; 9] = [
        [0; 16],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0xff, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5],
    ];
    for ip in ips {
        for (flow, scope) in [(0_u32, 0_u32), (0xabcde, 1), (7, 4_000_000)] {
            let mut rest = vec![0x1f, 0x90];
            rest.extend_from_slice(&flow.to_be_bytes());
            rest.extend_from_slice(&ip);
            rest.extend_from_slice(&scope.to_ne_bytes());
            all.push(with_family(libc::AF_INET6, &rest));
        }
    }
    // Unix: by path, as long as it can be, abstract, with zero bytes and others inside.
    all.push(with_family(libc::AF_UNIX, b"/tmp/a.sock"));
    all.push(with_family(libc::AF_UNIX, &[b'p'; 200]));
    all.push(with_family(libc::AF_UNIX, b"\0demo"));
    all.push(with_family(libc::AF_UNIX, b"\0a\0b\n\xff\"\\1"));
    all.push(with_family(libc::AF_UNIX, b"caf\xc3\xa9\x019 \t"));
    all.push(with_family(libc::AF_UNIX, b""));
    all.push(with_family(libc::AF_UNSPEC, b"anything"));
    // Netlink: padding, process, groups.
    all.push(with_family(libc::AF_NETLINK, &[0; 10]));
    all.push(with_family(libc::AF_NETLINK, &[1, 2, 3, 0, 0, 0, 0x11, 0, 0, 0x80]));
    all.push(with_family(libc::AF_NETLINK, &[0, 0, 255, 255, 255, 255, 1, 0, 0, 0]));
    // Packet: protocol, interface, hardware, kind, length and address.
    for (interface, hardware, length) in [(1_u32, 1_u16, 6_u8), (0, 772, 0), (4_000_000, 999, 8), (1, 65534, 20)] {
        for protocol in [0x0003_u16, 0x0800, 0x1234] {
            let mut rest = protocol.to_be_bytes().to_vec();
            rest.extend_from_slice(&interface.to_ne_bytes());
            rest.extend_from_slice(&hardware.to_ne_bytes());
            rest.extend_from_slice(&[(protocol & 7) as u8, length, 0, 1, 2, 0xff, 5, 6, 7, 8]);
            all.push(with_family(libc::AF_PACKET, &rest));
        }
    }
    // Families that nobody knows.
    for family in [46, 77, 255, 0x1234, 0xffff] {
        all.push(with_family(family, b"abc\0\x01\xff"));
    }
    // Families that are known by name alone.
    for family in [5, 7, 8, 14, 15, 18, 21, 23, 24, 26, 29, 30, 32, 35, 37, 41, 43] {
        all.push(with_family(family, b"abc\0\x01\xff"));
    }
    all
}
