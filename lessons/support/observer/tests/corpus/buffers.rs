//! Bytes: what is sent and received, read and written, in one piece or in many.

use crate::machine::{Edge, NONE, at, call, close, into, loopback, must, name_of, pair, socket, tcp};

pub fn play() {
    every_byte();
    every_length();
    every_flag();
    receive();
    datagrams();
    truncated();
    broken_pipe();
    vectors();
    edges();
}

/// Each byte before each kind of neighbour: a digit that is octal, one that is not, none.
fn every_byte() {
    for byte in 0..=255_u8 {
        call(libc::SYS_write, &[NONE, at(&[byte, b'0', byte, b'7', byte, b'8', byte, b'a', byte]), 9]);
    }
    call(libc::SYS_write, &[NONE, at(b"a\0b\x001\n\t\r\x0b\x0c\\\"'\x7f\xff\xc3\xa9\0\0"), 19]);
}

fn every_length() {
    let text = [b'x'; 300];
    for length in (0..40).chain([64, 255, 256, 300]) {
        call(libc::SYS_write, &[NONE, at(&text), length]);
        call(libc::SYS_sendto, &[NONE, at(&text), length, 0, 0, 0]);
    }
    // The character behind the last one that is shown decides nothing.
    let mut digits = [b'0'; 40];
    digits[31] = 1;
    for length in [31, 32, 33, 40] {
        call(libc::SYS_write, &[NONE, at(&digits), length]);
    }
}

fn every_flag() {
    for bit in 0..32 {
        call(libc::SYS_sendto, &[NONE, at(b"x"), 1, 1 << bit, 0, 0]);
        call(libc::SYS_recvfrom, &[NONE, 0, 0, 1 << bit, 0, 0]);
    }
    for flags in [0x42, 0x140, 0xc000, 0x4000_4040, 0x0100_4000, 0x8400_0000, 0xffff_ffff, NONE, 0x1_0000_0000] {
        call(libc::SYS_sendto, &[NONE, at(b"x"), 1, flags, 0, 0]);
    }
}

fn receive() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let mut buffer = [0_u8; 256];
    let peek = libc::MSG_PEEK as usize;
    let now = libc::MSG_DONTWAIT as usize;
    call(libc::SYS_recvfrom, &[other, into(&mut buffer), 256, now, 0, 0]);
    must(libc::SYS_sendto, &[one, at(b"hello, world\n\0\x01"), 15, 0, 0, 0]);
    for length in [0, 1, 5, 15, 200] {
        call(libc::SYS_recvfrom, &[other, into(&mut buffer), length, peek | now, 0, 0]);
    }
    must(libc::SYS_read, &[other, into(&mut buffer), 4]);
    must(libc::SYS_recvfrom, &[other, into(&mut buffer), 256, 0, 0, 0]);
    must(libc::SYS_write, &[one, at(&[b'z'; 100]), 100]);
    must(libc::SYS_read, &[other, into(&mut buffer), 256]);
    must(libc::SYS_write, &[one, at(&[b'z'; 32]), 32]);
    must(libc::SYS_read, &[other, into(&mut buffer), 256]);
    close(&[one]);
    // The end.
    must(libc::SYS_read, &[other, into(&mut buffer), 256]);
    must(libc::SYS_recvfrom, &[other, into(&mut buffer), 256, 0, 0, 0]);
    close(&[other]);
    for fd in [other, NONE, 0] {
        call(libc::SYS_read, &[fd, into(&mut buffer), 16]);
        call(libc::SYS_recvfrom, &[fd, into(&mut buffer), 16, 0, 0, 0]);
        call(libc::SYS_write, &[fd, at(b"x"), 1]);
        call(libc::SYS_sendto, &[fd, at(b"x"), 1, 0, 0, 0]);
    }
}

fn datagrams() {
    let receiver = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_bind, &[receiver, at(&loopback(0)), 16]);
    let address: [u8; 16] = name_of(receiver);
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let mut buffer = [0_u8; 64];
    let mut from = [0_u8; 128];
    // (Room that ends within the port would show it as bytes.)
    for room in [128_i32, 16, 2, 1, 0, -1] {
        must(libc::SYS_sendto, &[sender, at(b"datagram"), 8, 0, at(&address), 16]);
        let mut length = room;
        call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 64, 0, into(&mut from), into(&mut length)]);
        call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 64, 0x40, into(&mut from), into(&mut length)]);
    }
    must(libc::SYS_sendto, &[sender, at(b""), 0, 0, at(&address), 16]);
    call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 64, 0, into(&mut from), 0]);
    must(libc::SYS_sendto, &[sender, at(b"x"), 1, 0, at(&address), 16]);
    let mut length = 16_i32;
    call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 64, 0, 0, into(&mut length)]);
    close(&[receiver, sender]);
    // Unix datagrams from a socket without a name have an address of no length.
    let [one, other] = pair(libc::SOCK_DGRAM);
    must(libc::SYS_write, &[one, at(b"nameless"), 8]);
    let mut length = 110_i32;
    must(libc::SYS_recvfrom, &[other, into(&mut buffer), 64, 0, into(&mut from), into(&mut length)]);
    close(&[one, other]);
}

/// More came than there was room for.
fn truncated() {
    let [one, other] = pair(libc::SOCK_DGRAM);
    let mut buffer = *b"old contents of the buffer, in full";
    must(libc::SYS_write, &[one, at(b"truncated"), 9]);
    must(libc::SYS_recvfrom, &[other, into(&mut buffer), 2, libc::MSG_TRUNC as usize, 0, 0]);
    must(libc::SYS_write, &[one, at(b"truncated"), 9]);
    must(libc::SYS_recvfrom, &[other, into(&mut buffer), 2, 0, 0, 0]);
    close(&[one, other]);
    // On TCP the flag means: throw the bytes away. The buffer keeps what it had, and that is what strace shows.
    let [listener, client, server] = tcp();
    must(libc::SYS_sendto, &[client, at(b"thrown away"), 11, 0, 0, 0]);
    let mut buffer = *b"old contents of the buffer, in full";
    must(libc::SYS_recvfrom, &[server, into(&mut buffer), 8, libc::MSG_TRUNC as usize, 0, 0]);
    must(libc::SYS_recvfrom, &[server, into(&mut buffer), 30, libc::MSG_TRUNC as usize, 0, 0]);
    close(&[listener, client, server]);
}

/// Nobody reads any more; the signal is asked not to come (another theme lets it).
fn broken_pipe() {
    let [one, other] = pair(libc::SOCK_STREAM);
    close(&[other]);
    call(libc::SYS_sendto, &[one, at(b"dead"), 4, libc::MSG_NOSIGNAL as usize, 0, 0]);
    close(&[one]);
}

fn vectors() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let long = [b'v'; 50];
    let parts = [[at(b"hello "), 6], [at(b""), 0], [0, 0], [at(&long), 50], [at(b"world"), 5]];
    must(libc::SYS_writev, &[one, at(&parts), 5]);
    let mut first = [0_u8; 8];
    let mut second = [0_u8; 40];
    let mut third = [0_u8; 64];
    let room = [[into(&mut first), 8], [into(&mut second), 40], [into(&mut third), 64]];
    must(libc::SYS_readv, &[other, at(&room), 3]);
    must(libc::SYS_writev, &[one, at(&parts), 1]);
    must(libc::SYS_readv, &[other, at(&room), 3]);
    for count in [0, 1, 2] {
        call(libc::SYS_writev, &[NONE, at(&parts), count]);
        call(libc::SYS_readv, &[NONE, at(&room), count]);
    }
    let many = [[at(b"y"), 1_usize]; 40];
    for count in [31, 32, 33, 40] {
        must(libc::SYS_writev, &[one, at(&many), count]);
        must(libc::SYS_readv, &[other, at(&room), 3]);
        call(libc::SYS_readv, &[NONE, at(&many), count]);
    }
    close(&[one]);
    must(libc::SYS_readv, &[other, at(&room), 3]);
    close(&[other]);
    // Vectors with bad pointers in them, and at the end of memory.
    let edge = Edge::new();
    for pointer in edge.bad() {
        let parts = [[at(b"good"), 4], [pointer, 8], [at(b"good"), 4]];
        call(libc::SYS_writev, &[NONE, at(&parts), 3]);
        call(libc::SYS_writev, &[NONE, pointer, 2]);
        call(libc::SYS_writev, &[NONE, pointer, 0]);
        call(libc::SYS_readv, &[NONE, pointer, 2]);
    }
    let [one, other] = pair(libc::SOCK_STREAM);
    let mut vector = Vec::new();
    for word in [at(b"one"), 3, at(b"two"), 3] {
        vector.extend_from_slice(&word.to_ne_bytes());
    }
    let start = edge.put(&vector);
    for count in [1, 2, 3, 100, 1024, 1025, 0x8000_0000, NONE] {
        call(libc::SYS_writev, &[one, start, count]);
        call(libc::SYS_writev, &[one, start + 16, count]);
    }
    close(&[one, other]);
}

/// Buffers at the very end of memory.
fn edges() {
    let edge = Edge::new();
    let start = edge.put(&[b'e'; 64]);
    for skipped in [0, 30, 31, 32, 33, 60, 63] {
        for length in [1, 4, 31, 32, 33, 34, 64, 65, 4096, 1 << 20] {
            call(libc::SYS_write, &[NONE, start + skipped, length]);
        }
    }
    let [one, other] = pair(libc::SOCK_STREAM);
    must(libc::SYS_write, &[one, at(&[b'w'; 64]), 64]);
    // The kernel writes as far as it can and reports what it could not as an error, or not at all.
    for length in [3, 4, 8, 64] {
        call(libc::SYS_recvfrom, &[other, edge.before(3), length, 0x40, 0, 0]);
    }
    call(libc::SYS_write, &[one, edge.before(3), 8]);
    close(&[one, other]);
}
