//! Messages: with and without addresses, in many pieces, with control messages, many at once.

use crate::machine::{Edge, NONE, at, call, close, into, loopback, must, name_of, pair, socket};

/// `struct mmsghdr` as the kernel has it: `struct msghdr` and two fields more.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    name: usize,
    name_length: u32,
    padding: u32,
    vector: usize,
    count: usize,
    control: usize,
    control_length: usize,
    flags: u32,
    more_padding: u32,
    moved: u32,
    last_padding: u32,
}

const EMPTY: Header = Header {
    name: 0,
    name_length: 0,
    padding: 0,
    vector: 0,
    count: 0,
    control: 0,
    control_length: 0,
    flags: 0,
    more_padding: 0,
    moved: 0,
    last_padding: 0,
};

pub fn play() {
    plain();
    with_addresses();
    descriptors_and_credentials();
    odd_control_messages();
    timestamps_and_packet_information();
    errors_in_the_queue();
    many_at_once();
    bad();
}

fn plain() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let parts = [[at(b"hello "), 6], [at(b"world"), 5]];
    let message = Header { vector: at(&parts), count: 2, ..EMPTY };
    for flags in [0, libc::MSG_NOSIGNAL as usize, libc::MSG_DONTWAIT as usize | 0x100_0000] {
        call(libc::SYS_sendmsg, &[one, at(&message), flags]);
    }
    let flagged = Header { flags: 0x8000_4001, ..message };
    must(libc::SYS_sendmsg, &[one, at(&flagged), 0]);
    let mut first = [0_u8; 8];
    let mut second = [0_u8; 64];
    let room = [[into(&mut first), 8], [into(&mut second), 64]];
    let mut incoming = Header { vector: at(&room), count: 2, ..EMPTY };
    must(libc::SYS_recvmsg, &[other, into(&mut incoming), 0]);
    call(libc::SYS_recvmsg, &[other, into(&mut incoming), libc::MSG_DONTWAIT as usize]);
    let mut nothing = EMPTY;
    must(libc::SYS_sendmsg, &[one, at(&nothing), 0]);
    call(libc::SYS_recvmsg, &[other, into(&mut nothing), libc::MSG_DONTWAIT as usize]);
    for fd in [NONE, 0] {
        call(libc::SYS_sendmsg, &[fd, at(&message), 0]);
        call(libc::SYS_recvmsg, &[fd, into(&mut incoming), 0]);
    }
    close(&[one, other]);
    // A datagram that is cut.
    let [one, other] = pair(libc::SOCK_DGRAM);
    for flags in [0, libc::MSG_TRUNC as usize] {
        must(libc::SYS_sendmsg, &[one, at(&message), 0]);
        let short = [[into(&mut first), 4_usize]];
        let mut incoming = Header { vector: at(&short), count: 1, ..EMPTY };
        must(libc::SYS_recvmsg, &[other, into(&mut incoming), flags]);
    }
    close(&[one, other]);
}

fn with_addresses() {
    let receiver = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_bind, &[receiver, at(&loopback(0)), 16]);
    let address: [u8; 16] = name_of(receiver);
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let parts = [[at(b"to you"), 6]];
    let mut from = [0_u8; 128];
    let mut buffer = [0_u8; 32];
    let room = [[into(&mut buffer), 32]];
    for length in [128, 16, 2, 0] {
        let message = Header { name: at(&address), name_length: 16, vector: at(&parts), count: 1, ..EMPTY };
        must(libc::SYS_sendmsg, &[sender, at(&message), 0]);
        let mut incoming = Header { name: into(&mut from), name_length: length, vector: at(&room), count: 1, ..EMPTY };
        must(libc::SYS_recvmsg, &[receiver, into(&mut incoming), 0]);
    }
    for length in [0, 1, 2, 8, 15, 128, 129, 0xffff_ffff] {
        let message = Header { name: at(&address), name_length: length, vector: at(&parts), count: 1, ..EMPTY };
        // (A length within the address would show the port as bytes, so it goes to a fixed one.)
        let fixed = loopback(9);
        let message = if (4..16).contains(&length) { Header { name: at(&fixed), ..message } } else { message };
        call(libc::SYS_sendmsg, &[NONE, at(&message), 0]);
    }
    close(&[receiver, sender]);
    let [one, other] = pair(libc::SOCK_STREAM);
    must(libc::SYS_write, &[one, at(b"x"), 1]);
    let mut incoming = Header { name: into(&mut from), name_length: 110, vector: at(&room), count: 1, ..EMPTY };
    must(libc::SYS_recvmsg, &[other, into(&mut incoming), 0]);
    close(&[one, other]);
}

/// A control message, padded to whole words.
fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let length = 16 + data.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&level.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(data);
    bytes.resize(length.next_multiple_of(8), 0);
    bytes
}

fn descriptors_and_credentials() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let on = 1_i32;
    must(libc::SYS_setsockopt, &[other, 1, libc::SO_PASSCRED as usize, at(&on), 4]);
    let parts = [[at(b"x"), 1]];
    let mut buffer = [0_u8; 8];
    let room = [[into(&mut buffer), 8]];
    let fds: Vec<u8> = [0_i32, 1, one as i32].iter().flat_map(|fd| fd.to_ne_bytes()).collect();
    for count in [1, 2, 3] {
        let rights = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &fds[..count * 4]);
        let message = Header {
            vector: at(&parts),
            count: 1,
            control: at(rights.as_slice()),
            control_length: rights.len(),
            ..EMPTY
        };
        must(libc::SYS_sendmsg, &[one, at(&message), 0]);
        let mut space = [0_u64; 16];
        let mut incoming =
            Header { vector: at(&room), count: 1, control: into(&mut space), control_length: 128, ..EMPTY };
        let flags = if count == 2 { libc::MSG_CMSG_CLOEXEC as usize } else { 0 };
        must(libc::SYS_recvmsg, &[other, into(&mut incoming), flags]);
        // What came is closed again: the numbers of the next descriptors depend on it.
        call(libc::SYS_close_range, &[other + 1, other + 8, 0]);
    }
    // Credentials of one's own, and with too little room for them.
    let ids = [std::process::id() as i32, 0, 0];
    // SAFETY: these two only ask, and cannot fail.
    let ids = unsafe { [ids[0], libc::getuid() as i32, libc::getgid() as i32] };
    let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_ne_bytes()).collect();
    let credentials = control(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &ids);
    for space in [128, 40, 24, 8, 0] {
        let message = Header {
            vector: at(&parts),
            count: 1,
            control: at(credentials.as_slice()),
            control_length: credentials.len(),
            ..EMPTY
        };
        must(libc::SYS_sendmsg, &[one, at(&message), 0]);
        let mut buffer = [0_u64; 16];
        let mut incoming =
            Header { vector: at(&room), count: 1, control: into(&mut buffer), control_length: space, ..EMPTY };
        must(libc::SYS_recvmsg, &[other, into(&mut incoming), 0]);
    }
    let nobody: Vec<u8> = [0x7fff_ffff_i32, -1, -1].iter().flat_map(|id| id.to_ne_bytes()).collect();
    let wrong = control(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &nobody);
    let message =
        Header { vector: at(&parts), count: 1, control: at(wrong.as_slice()), control_length: wrong.len(), ..EMPTY };
    call(libc::SYS_sendmsg, &[NONE, at(&message), 0]);
    close(&[one, other]);
}

/// All kinds of control messages, whole and cut; descriptor -1 does not exist, so the kernel looks at none of them.
fn odd_control_messages() {
    let mut data = [0_u8; 64];
    for (index, byte) in data.iter_mut().enumerate() {
        *byte = index as u8;
    }
    let send = |control: usize, length: usize| {
        let message = Header { control, control_length: length, ..EMPTY };
        call(libc::SYS_sendmsg, &[NONE, at(&message), 0]);
    };
    for level in [0, 1, 6, 41, 270, 9999] {
        for kind in 0..70 {
            for size in [0, 1, 4, 12, 16, 32, 48] {
                let bytes = control(level, kind, &data[..size]);
                send(at(bytes.as_slice()), bytes.len());
            }
        }
    }
    let offender = [&data[..16], &loopback(7)[..]].concat();
    let error = control(libc::SOL_IP, libc::IP_RECVERR, &offender);
    send(at(error.as_slice()), error.len());
    let original = control(libc::SOL_IP, libc::IP_ORIGDSTADDR, &loopback(8));
    send(at(original.as_slice()), original.len());
    // Lengths that do not fit. (Within 7 of the largest number strace 6.1 never comes to an end, so these are missing: it
    // rounds the length up to whole words, which gives 0, and so goes on to the next message at the same place.)
    let rights = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &data[..8]);
    for told in [0_usize, 1, 8, 15, 16, 17, 19, 20, 24, 25, 32, 40, 100, 1 << 32, 1 << 62] {
        let mut bytes = [rights.clone(), rights.clone(), vec![9; 24]].concat();
        bytes[..8].copy_from_slice(&told.to_ne_bytes());
        for length in [1, 8, 15, 16, 17, 20, 24, 25, 31, 32, 40, 48, 49, 64, 72] {
            send(at(bytes.as_slice()), length);
        }
    }
    // More than the kernel takes at all.
    let heap = vec![0x41_u8; 1 << 18];
    let huge = [rights.clone(), heap].concat();
    send(at(huge.as_slice()), huge.len());
    let edge = Edge::new();
    let start = edge.put(&rights);
    for length in [16, 24, 25, 32, 4096] {
        send(start, length);
    }
    for pointer in edge.bad() {
        for length in [0, 8, 16, 24] {
            send(pointer, length);
        }
    }
}

fn timestamps_and_packet_information() {
    let receiver = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_bind, &[receiver, at(&loopback(0)), 16]);
    let address: [u8; 16] = name_of(receiver);
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let on = 1_i32;
    let options = [(1, 29), (1, 35), (1, 63), (1, 64), (0, 8), (0, 12), (0, 13)];
    let mut buffer = [0_u8; 8];
    let room = [[into(&mut buffer), 8]];
    for (level, option) in options {
        must(libc::SYS_setsockopt, &[receiver, level, option, at(&on), 4]);
        must(libc::SYS_sendto, &[sender, at(b"x"), 1, 0, at(&address), 16]);
        let mut space = [0_u64; 32];
        let mut incoming =
            Header { vector: at(&room), count: 1, control: into(&mut space), control_length: 256, ..EMPTY };
        must(libc::SYS_recvmsg, &[receiver, into(&mut incoming), 0]);
    }
    close(&[receiver, sender]);
}

/// What came back for a datagram that nobody took.
fn errors_in_the_queue() {
    let (nobody, address) = crate::machine::deaf();
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let on = 1_i32;
    must(libc::SYS_setsockopt, &[sender, 0, libc::IP_RECVERR as usize, at(&on), 4]);
    must(libc::SYS_sendto, &[sender, at(b"anybody?"), 8, 0, at(&address), 16]);
    let mut buffer = [0_u8; 64];
    let room = [[into(&mut buffer), 64]];
    let mut from = [0_u8; 16];
    let mut space = [0_u64; 32];
    let mut incoming = Header {
        name: into(&mut from),
        name_length: 16,
        vector: at(&room),
        count: 1,
        control: into(&mut space),
        control_length: 256,
        ..EMPTY
    };
    call(libc::SYS_recvmsg, &[sender, into(&mut incoming), (libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) as usize]);
    close(&[sender, nobody]);
}

fn many_at_once() {
    let [one, other] = pair(libc::SOCK_DGRAM);
    let parts = [[at(b"first"), 5], [at(b"second"), 6], [at(b"third"), 5]];
    let outgoing: [Header; 3] = std::array::from_fn(|index| Header { vector: at(&parts[index]), count: 1, ..EMPTY });
    for count in [3, 1, 0] {
        let mut messages = outgoing;
        must(libc::SYS_sendmmsg, &[one, into(&mut messages), count, 0]);
    }
    let mut buffers = [[0_u8; 4]; 6];
    let rooms: [[usize; 2]; 6] = std::array::from_fn(|index| [into(&mut buffers[index]), 4]);
    let mut from = [0_u8; 110];
    let name = into(&mut from);
    let mut incoming: [Header; 6] = std::array::from_fn(|index| Header {
        name: if index == 1 { name } else { 0 },
        name_length: if index == 1 { 110 } else { 0 },
        vector: at(&rooms[index]),
        count: 1,
        ..EMPTY
    });
    let now = libc::MSG_DONTWAIT as usize;
    must(libc::SYS_recvmmsg, &[other, into(&mut incoming), 2, now, 0]);
    let mut soon = [0_i64, 1000];
    must(libc::SYS_recvmmsg, &[other, into(&mut incoming), 1, 0, into(&mut soon)]);
    must(libc::SYS_recvmmsg, &[other, into(&mut incoming), 6, now, into(&mut soon)]);
    for timeout in [0, into(&mut soon)] {
        call(libc::SYS_recvmmsg, &[other, into(&mut incoming), 6, now, timeout]);
        call(libc::SYS_recvmmsg, &[other, into(&mut incoming), 0, now, timeout]);
        call(libc::SYS_recvmmsg, &[NONE, into(&mut incoming), 6, now, timeout]);
    }
    call(libc::SYS_recvmmsg, &[other, into(&mut incoming), 6, now, into(&mut [0_i64, -1])]);
    call(libc::SYS_sendmmsg, &[NONE, into(&mut incoming), 6, 0]);
    call(libc::SYS_sendmmsg, &[0, into(&mut incoming), 2, now]);
    // More than are shown.
    let mut crowd = vec![Header { vector: at(&parts[0]), count: 1, ..EMPTY }; 40];
    call(libc::SYS_sendmmsg, &[NONE, into(crowd.as_mut_slice()), 40, 0]);
    call(libc::SYS_sendmmsg, &[NONE, into(crowd.as_mut_slice()), 32, 0]);
    close(&[one, other]);
    let edge = Edge::new();
    for pointer in edge.bad() {
        for count in [0, 1, 2] {
            call(libc::SYS_sendmmsg, &[NONE, pointer, count, 0]);
            call(libc::SYS_recvmmsg, &[NONE, pointer, count, 0, 0]);
        }
        call(libc::SYS_recvmmsg, &[NONE, into(&mut incoming), 1, 0, pointer]);
    }
    // SAFETY: a header is plain numbers without padding between them, so it can be read as bytes.
    let bytes = unsafe { std::slice::from_raw_parts(at(&outgoing) as *const u8, 128) };
    let start = edge.put(bytes);
    for count in [1, 2, 3, 100] {
        call(libc::SYS_sendmmsg, &[NONE, start, count, 0]);
    }
}

fn bad() {
    let edge = Edge::new();
    let parts = [[at(b"x"), 1]];
    let [one, other] = pair(libc::SOCK_STREAM);
    for pointer in edge.bad() {
        for fd in [one, NONE] {
            call(libc::SYS_sendmsg, &[fd, pointer, 0]);
            call(libc::SYS_recvmsg, &[fd, pointer, libc::MSG_DONTWAIT as usize]);
            for message in [
                Header { name: pointer, name_length: 16, vector: at(&parts), count: 1, ..EMPTY },
                Header { vector: pointer, count: 2, ..EMPTY },
                Header { vector: pointer, count: 0, ..EMPTY },
                Header { vector: at(&[[pointer, 8]]), count: 1, ..EMPTY },
                Header { vector: at(&parts), count: 1, control: pointer, control_length: 24, ..EMPTY },
            ] {
                call(libc::SYS_sendmsg, &[fd, at(&message), libc::MSG_NOSIGNAL as usize]);
                let mut message = message;
                call(libc::SYS_recvmsg, &[other, into(&mut message), libc::MSG_DONTWAIT as usize]);
            }
        }
    }
    close(&[one, other]);
}
