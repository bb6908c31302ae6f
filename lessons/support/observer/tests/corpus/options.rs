//! Every socket option by name, set and got, with values of every size.

use crate::machine::{Edge, NONE, at, call, close, into, pair, socket, tcp};

/// Levels of which every option is tried, and some that are unknown.
const LEVELS: [usize; 33] = [
    0,
    1,
    6,
    17,
    40,
    41,
    58,
    101,
    132,
    136,
    255,
    256,
    257,
    263,
    266,
    268,
    269,
    270,
    271,
    272,
    273,
    274,
    275,
    276,
    277,
    278,
    279,
    280,
    281,
    282,
    283,
    9999,
    0xffff_ffff,
];

pub fn play() {
    names();
    values();
    get();
}

/// Every name: descriptor -1 does not exist, so nothing is set.
fn names() {
    let value = 1_i32;
    for level in LEVELS {
        for option in (0..140).chain([192, 999, 0x800, 10001, 0xffff_ffff]) {
            call(libc::SYS_setsockopt, &[NONE, level, option, at(&value), 4]);
            let mut length = 4_i32;
            call(libc::SYS_getsockopt, &[NONE, level, option, 0, into(&mut length)]);
        }
    }
}

/// Values of every size for each way of printing them.
fn values() {
    let mut value = [0_u8; 256];
    for (index, byte) in value.iter_mut().enumerate() {
        *byte = (index * 7 + 1) as u8;
    }
    let edge = Edge::new();
    let options = [
        (1, 2),
        (1, 13),
        (1, 17),
        (1, 20),
        (1, 21),
        (1, 25),
        (1, 26),
        (1, 51),
        (1, 66),
        (1, 74),
        (1, 77),
        (1, 4),
        (1, 3),
        (0, 1),
        (0, 35),
        (0, 36),
        (0, 42),
        (0, 45),
        (0, 39),
        (41, 20),
        (41, 21),
        (41, 27),
        (41, 28),
        (41, 42),
        (41, 26),
        (6, 1),
        (6, 11),
        (6, 13),
        (17, 1),
        (270, 1),
        (270, 9),
        (263, 1),
        (263, 5),
        (263, 6),
        (255, 1),
        (9999, 1),
    ];
    for (level, option) in options {
        // A filter's length is a number in the first two bytes, and its program a pointer that is not followed.
        for length in [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 32, 33, 40, 136, 200, 0xffff_ffff] {
            call(libc::SYS_setsockopt, &[NONE, level, option, at(&value), length]);
        }
        for pointer in edge.bad() {
            for length in [0, 3, 4, 8, 16, 20] {
                call(libc::SYS_setsockopt, &[NONE, level, option, pointer, length]);
            }
        }
    }
    for number in [0_i32, 1, 255, 7, -1] {
        call(libc::SYS_setsockopt, &[NONE, 1, 74, at(&number), 4]);
    }
    // Memberships that make sense.
    let mut group = [0_u8; 136];
    group[0] = 1;
    group[8..16].copy_from_slice(&[2, 0, 0, 0, 224, 0, 0, 1]);
    call(libc::SYS_setsockopt, &[NONE, 0, 42, at(&group), 136]);
    let membership = [224, 0, 0, 1, 127, 0, 0, 1_u8];
    call(libc::SYS_setsockopt, &[NONE, 0, 35, at(&membership), 8]);
    let mut membership6 = [0_u8; 20];
    (membership6[0], membership6[1], membership6[15], membership6[16]) = (0xff, 2, 1, 1);
    call(libc::SYS_setsockopt, &[NONE, 41, 20, at(&membership6), 20]);
}

/// Real answers.
fn get() {
    let [listener, client, server] = tcp();
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let fresh = socket(libc::AF_INET, libc::SOCK_STREAM);
    let fresh6 = call(libc::SYS_socket, &[libc::AF_INET6 as usize, libc::SOCK_STREAM as usize, 0]);
    let [unix, unix_peer] = pair(libc::SOCK_STREAM);
    let on = 1_i32;
    // A filter that takes everything.
    let instruction = 6_u64 | 0xffff_ffff << 32;
    let filter = [1_usize, at(&instruction)];
    call(libc::SYS_setsockopt, &[datagrams, 1, 26, at(&filter), 16]);
    call(libc::SYS_setsockopt, &[fresh, 1, 2, at(&on), 4]);
    call(libc::SYS_setsockopt, &[fresh, 6, 1, at(&on), 4]);
    call(libc::SYS_setsockopt, &[fresh, 1, 13, at(&[1_i32, 5]), 8]);
    call(libc::SYS_setsockopt, &[fresh, 1, 20, at(&[1_i64, 500_000]), 16]);
    call(libc::SYS_setsockopt, &[fresh, 6, 13, at(b"reno"), 4]);
    call(libc::SYS_setsockopt, &[fresh, 1, 25, at(b"lo\0"), 3]);
    let mut sockets = vec![listener, datagrams, fresh, unix];
    sockets.extend(usize::try_from(fresh6));
    let mut value = [0_u8; 256];
    for &fd in &sockets {
        for level in [0, 1, 6, 17, 41] {
            for option in (0..76).filter(|option| !varies(level, *option)) {
                for room in [256_i32, 8, 4, 3, 1, 0, -1] {
                    // A part of SO_PEERCRED would show a part of a process id.
                    if option == 17 && matches!(room, 1 | 3) {
                        continue;
                    }
                    value.fill(0);
                    let mut length = room;
                    call(libc::SYS_getsockopt, &[fd, level, option, into(&mut value), into(&mut length)]);
                }
            }
        }
    }
    let edge = Edge::new();
    for pointer in edge.bad() {
        let mut length = 8_i32;
        call(libc::SYS_getsockopt, &[fresh, 1, 2, pointer, into(&mut length)]);
        call(libc::SYS_getsockopt, &[fresh, 1, 2, into(&mut value), pointer]);
        call(libc::SYS_getsockopt, &[fresh, 1, 13, pointer, into(&mut length)]);
    }
    waiting_error();
    close(&sockets);
    close(&[client, server, unix_peer]);
}

/// SO_ERROR with an error in it: a refused datagram.
fn waiting_error() {
    let (nobody, address) = crate::machine::deaf();
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    call(libc::SYS_connect, &[sender, at(&address), 16]);
    call(libc::SYS_sendto, &[sender, at(b"x"), 1, 0, 0, 0]);
    let mut error = 0_i32;
    for room in [4_i32, 4, 2] {
        let mut length = room;
        call(libc::SYS_getsockopt, &[sender, 1, 4, into(&mut error), into(&mut length)]);
    }
    close(&[sender, nobody]);
}

/// Options whose value is another one in each run: SO_PEERSEC (depends on the machine's security module), SO_INCOMING_CPU,
/// SO_MEMINFO, SO_INCOMING_NAPI_ID, SO_COOKIE, SO_NETNS_COOKIE, TCP_INFO and TCP_CC_INFO (times), TCP_TIMESTAMP,
/// TCP_QUEUE_SEQ, and IP_PROTOCOL, which is a port on a bound TCP socket.
fn varies(level: usize, option: usize) -> bool {
    match level {
        0 => option == 52,
        1 => matches!(option, 31 | 49 | 55 | 56 | 57 | 71),
        6 => matches!(option, 11 | 26 | 24 | 21),
        _ => false,
    }
}
