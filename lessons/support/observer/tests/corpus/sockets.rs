//! Making, naming and ending sockets.

use crate::machine::{NONE, at, call, close, into, loopback, loopback6, must, name_of, pair, socket, tcp};

pub fn play() {
    make();
    make_pairs();
    listen_and_shut_down();
    accept();
    ask_for_names();
    connect();
}

fn make() {
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC]
        {
            let fd = call(libc::SYS_socket, &[family as usize, kind as usize, 0]);
            if fd >= 0 {
                close(&[fd as usize]);
            }
        }
    }
    let fd = must(libc::SYS_socket, &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, libc::IPPROTO_TCP as usize]);
    close(&[fd]);
    // A type flag that does not exist is refused before the kernel looks at the rest (or loads a module for it).
    const REFUSED: usize = 0x1000_0000;
    for family in (0..50).chain([255, NONE]) {
        for protocol in [0, 1, 6, 17, 58, 255, 262, 0x0300, 9999, NONE] {
            call(libc::SYS_socket, &[family, REFUSED | libc::SOCK_STREAM as usize, protocol]);
        }
    }
    for protocol in 0..300 {
        call(libc::SYS_socket, &[libc::AF_INET as usize, REFUSED | libc::SOCK_RAW as usize, protocol]);
    }
    for protocol in 0..24 {
        call(libc::SYS_socket, &[libc::AF_NETLINK as usize, REFUSED | libc::SOCK_RAW as usize, protocol]);
    }
    for protocol in [0x0003_u16, 0x0800, 0x0806, 0x86dd, 0x1234] {
        let swapped = usize::from(protocol.to_be());
        call(libc::SYS_socket, &[libc::AF_PACKET as usize, REFUSED | libc::SOCK_RAW as usize, swapped]);
    }
    for kind in (0..17).chain([0x60, 0x800, 0x80000, 0x80800, 0x100_0003, 0xffff_ffff]) {
        call(libc::SYS_socket, &[libc::AF_UNIX as usize, kind | REFUSED, 0]);
    }
}

fn make_pairs() {
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC] {
        close(&pair(kind));
    }
    let mut fds = [0_i32; 2];
    call(libc::SYS_socketpair, &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0, into(&mut fds)]);
    call(libc::SYS_socketpair, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 7, into(&mut fds)]);
    call(libc::SYS_socketpair, &[libc::AF_UNIX as usize, 0x1000_0001, NONE, into(&mut fds)]);
}

fn listen_and_shut_down() {
    let fd = socket(libc::AF_UNIX, libc::SOCK_STREAM);
    for backlog in [0, 1, 128, 4096, 0xffff_ffff, NONE, 0x1_0000_0005] {
        call(libc::SYS_listen, &[fd, backlog]);
    }
    call(libc::SYS_listen, &[NONE, 5]);
    call(libc::SYS_listen, &[0, 5]);
    close(&[fd]);
    let [one, other] = pair(libc::SOCK_STREAM);
    for how in [libc::SHUT_RD, libc::SHUT_WR, libc::SHUT_RDWR, 3, 77, -1] {
        call(libc::SYS_shutdown, &[one, how as usize]);
    }
    call(libc::SYS_shutdown, &[NONE, 0]);
    call(libc::SYS_shutdown, &[0, 2]);
    close(&[one, other]);
}

fn accept() {
    let listener = socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
    must(libc::SYS_bind, &[listener, at(&loopback(0)), 16]);
    must(libc::SYS_listen, &[listener, 8]);
    let address: [u8; 16] = name_of(listener);
    let mut from = [0_u8; 128];
    let flag_sets =
        [0, libc::SOCK_CLOEXEC, libc::SOCK_NONBLOCK, libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 1, 0x10_0000];
    // Nobody there yet, in every form.
    let mut room = 128_i32;
    call(libc::SYS_accept, &[listener, into(&mut from), into(&mut room)]);
    for flags in flag_sets {
        call(libc::SYS_accept4, &[listener, into(&mut from), into(&mut room), flags as usize]);
        call(libc::SYS_accept4, &[listener, 0, 0, flags as usize]);
    }
    // Somebody, with room for the address, for a part of it, for none, and without any. (The part would show the port as
    // bytes, and that differs in each run: so it ends before the port.)
    for room in [128_i32, 16, 28, 2, 1, 0, -1] {
        let client = socket(libc::AF_INET, libc::SOCK_STREAM);
        must(libc::SYS_connect, &[client, at(&address), 16]);
        let mut length = room;
        let server = call(libc::SYS_accept, &[listener, into(&mut from), into(&mut length)]);
        if server >= 0 {
            close(&[server as usize]);
        }
        close(&[client]);
    }
    for flags in flag_sets {
        let client = socket(libc::AF_INET, libc::SOCK_STREAM);
        must(libc::SYS_connect, &[client, at(&address), 16]);
        let mut length = 64_i32;
        let server = call(libc::SYS_accept4, &[listener, into(&mut from), into(&mut length), flags as usize]);
        if server >= 0 {
            close(&[server as usize]);
        }
        close(&[client]);
    }
    close(&[listener]);
    call(libc::SYS_accept, &[NONE, into(&mut from), into(&mut room)]);
    call(libc::SYS_accept, &[0, 0, 0]);
    let unlistened = socket(libc::AF_INET, libc::SOCK_STREAM);
    call(libc::SYS_accept, &[unlistened, into(&mut from), into(&mut room)]);
    close(&[unlistened]);
}

fn ask_for_names() {
    let [listener, client, server] = tcp();
    let fresh = socket(libc::AF_INET, libc::SOCK_STREAM);
    let fresh6 = call(libc::SYS_socket, &[libc::AF_INET6 as usize, libc::SOCK_STREAM as usize, 0]);
    let [unix, unix_peer] = pair(libc::SOCK_STREAM);
    let mut address = [0_u8; 128];
    for query in [libc::SYS_getsockname, libc::SYS_getpeername] {
        for fd in [listener, client, server, fresh, unix, 0, NONE] {
            for room in [128_i32, 16, 2, 1, 0, -1] {
                let mut length = room;
                call(query, &[fd, into(&mut address), into(&mut length)]);
            }
        }
        // Cut within: only where the port is 0, as it is printed as bytes.
        for room in [3_i32, 4, 8, 15] {
            let mut length = room;
            call(query, &[fresh, into(&mut address), into(&mut length)]);
        }
        if fresh6 >= 0 {
            for room in [28_i32, 26, 24, 23, 8] {
                let mut length = room;
                call(query, &[fresh6 as usize, into(&mut address), into(&mut length)]);
            }
        }
    }
    close(&[listener, client, server, fresh, unix, unix_peer]);
    if fresh6 >= 0 {
        close(&[fresh6 as usize]);
    }
    // Unix names: by path, abstract, chosen by the kernel, none.
    let by_path = *b"\x01\0corpus.sock\0";
    // Abstract names belong to the whole machine: so whoever runs two corpora at once gives them different ones.
    let name = std::env::var("OBSERVER_CORPUS_NAME").unwrap_or_else(|_| "corpus of the observer".to_string());
    let abstract_name = [b"\x01\0\0", name.as_bytes()].concat();
    for (name, length) in [(&by_path[..], by_path.len()), (&abstract_name[..], abstract_name.len()), (&by_path[..], 2)]
    {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM);
        call(libc::SYS_bind, &[fd, at(name), length]);
        for room in [110_i32, 10, 3, 2] {
            if length == 2 && room == 3 {
                continue;
            }
            // A cut of a chosen name would show a part of it, which differs in each run.
            if length == 2 && room == 10 {
                continue;
            }
            let mut length = room;
            call(libc::SYS_getsockname, &[fd, into(&mut address), into(&mut length)]);
        }
        call(libc::SYS_bind, &[fd, at(name), length]);
        close(&[fd]);
    }
    let path = c"corpus.sock";
    must(libc::SYS_unlink, &[at(path.to_bytes_with_nul())]);
}

fn connect() {
    let probe = socket(libc::AF_INET, libc::SOCK_STREAM);
    must(libc::SYS_bind, &[probe, at(&loopback(0)), 16]);
    let nobody: [u8; 16] = name_of(probe);
    let fd = socket(libc::AF_INET, libc::SOCK_STREAM);
    // Bound, but nobody listens.
    call(libc::SYS_connect, &[fd, at(&nobody), 16]);
    call(libc::SYS_connect, &[fd, at(&loopback(9)), 15]);
    let mut long = [0_u8; 129];
    long[..16].copy_from_slice(&nobody);
    call(libc::SYS_connect, &[fd, at(&long), 129]);
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_connect, &[datagrams, at(&nobody), 16]);
    // AF_UNSPEC dissolves the association.
    must(libc::SYS_connect, &[datagrams, at(&[0_u8; 16]), 16]);
    call(libc::SYS_connect, &[NONE, at(&nobody), 16]);
    call(libc::SYS_connect, &[0, at(&nobody), 16]);
    close(&[probe, fd, datagrams]);
    let fd = call(libc::SYS_socket, &[libc::AF_INET6 as usize, libc::SOCK_DGRAM as usize, 0]);
    if fd >= 0 {
        call(libc::SYS_bind, &[fd as usize, at(&loopback6(0)), 28]);
        call(libc::SYS_connect, &[fd as usize, at(&loopback6(9)), 28]);
        close(&[fd as usize]);
    }
}
