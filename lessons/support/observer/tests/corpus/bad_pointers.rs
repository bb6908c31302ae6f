//! A bad pointer in every pointer argument of the calls that have not met one in their own theme.

use crate::machine::{Edge, NONE, at, call, close, into, loopback, must, name_of, pair, socket, tcp};

pub fn play() {
    for pointer in Edge::new().bad() {
        addresses(pointer);
    }
    for pointer in Edge::new().bad() {
        buffers(pointer);
    }
}

/// bind, connect, accept, getsockname, getpeername, socketpair.
fn addresses(pointer: usize) {
    let fd = socket(libc::AF_INET, libc::SOCK_STREAM);
    for length in [0, 1, 2, 3, 16, 128] {
        call(libc::SYS_bind, &[fd, pointer, length]);
        call(libc::SYS_connect, &[fd, pointer, length]);
    }
    close(&[fd]);
    let [listener, client, server] = tcp();
    let mut address = [0_u8; 128];
    let mut length = 128_i32;
    for query in [libc::SYS_getsockname, libc::SYS_getpeername] {
        call(query, &[client, pointer, into(&mut length)]);
        length = 128;
        call(query, &[client, into(&mut address), pointer]);
        call(query, &[client, pointer, pointer]);
        call(query, &[NONE, pointer, into(&mut length)]);
    }
    let name: [u8; 16] = name_of(listener);
    for accept in [libc::SYS_accept, libc::SYS_accept4] {
        for bad_address in [true, false] {
            let client = socket(libc::AF_INET, libc::SOCK_STREAM);
            must(libc::SYS_connect, &[client, at(&name), 16]);
            let mut length = 128_i32;
            let first = if bad_address { pointer } else { into(&mut address) };
            let second = if bad_address { into(&mut length) } else { pointer };
            let fd = call(accept, &[listener, first, second, 0]);
            if fd >= 0 {
                close(&[fd as usize]);
            }
            close(&[client]);
        }
    }
    close(&[listener, client, server]);
    call(libc::SYS_socketpair, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, pointer]);
}

/// send, receive, read, write.
fn buffers(pointer: usize) {
    let [one, other] = pair(libc::SOCK_STREAM);
    for fd in [one, NONE] {
        for length in [0, 1, 3, 4, 40] {
            call(libc::SYS_write, &[fd, pointer, length]);
            call(libc::SYS_sendto, &[fd, pointer, length, libc::MSG_NOSIGNAL as usize, 0, 0]);
        }
    }
    must(libc::SYS_write, &[one, at(&[b'b'; 64]), 64]);
    for length in [0, 1, 3, 4, 40] {
        call(libc::SYS_read, &[other, pointer, length]);
        call(libc::SYS_recvfrom, &[other, pointer, length, libc::MSG_DONTWAIT as usize, 0, 0]);
    }
    close(&[one, other]);
    let receiver = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_bind, &[receiver, at(&loopback(0)), 16]);
    let name: [u8; 16] = name_of(receiver);
    let sender = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let mut buffer = [0_u8; 8];
    let mut from = [0_u8; 16];
    let mut length = 16_i32;
    for length in [0, 2, 16] {
        call(libc::SYS_sendto, &[sender, at(b"x"), 1, 0, pointer, length]);
    }
    for bad_address in [true, false] {
        must(libc::SYS_sendto, &[sender, at(b"x"), 1, 0, at(&name), 16]);
        let first = if bad_address { pointer } else { into(&mut from) };
        let second = if bad_address { into(&mut length) } else { pointer };
        call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 8, libc::MSG_DONTWAIT as usize, first, second]);
        call(libc::SYS_recvfrom, &[receiver, into(&mut buffer), 8, libc::MSG_DONTWAIT as usize, first, second]);
    }
    close(&[receiver, sender]);
}
