//! The calls that work on any descriptor: close, dup, fcntl, ioctl, sendfile, splice.

use crate::machine::{Edge, NONE, at, call, close, into, must, pair, socket, tcp};

pub fn play() {
    close_and_dup();
    fcntl();
    ioctl();
    sendfile_and_splice();
}

fn close_and_dup() {
    for fd in [NONE, 999, 0x7fff_ffff] {
        call(libc::SYS_close, &[fd]);
        call(libc::SYS_dup, &[fd]);
        call(libc::SYS_dup2, &[fd, 20]);
        call(libc::SYS_dup3, &[fd, 20, 0]);
    }
    let [one, other] = pair(libc::SOCK_STREAM);
    let copy = must(libc::SYS_dup, &[one]);
    must(libc::SYS_dup2, &[one, 20]);
    must(libc::SYS_dup2, &[one, one]);
    call(libc::SYS_dup2, &[one, NONE]);
    for flags in [0, libc::O_CLOEXEC, libc::O_NONBLOCK, 1, libc::O_CLOEXEC | libc::O_RDWR, -1] {
        call(libc::SYS_dup3, &[one, 20, flags as usize]);
    }
    call(libc::SYS_dup3, &[one, one, 0]);
    call(libc::SYS_close_range, &[20, 20, 0]);
    call(libc::SYS_close_range, &[20, 19, 0]);
    for flags in [2, 4, 6, 1, 0x10] {
        call(libc::SYS_close_range, &[3000, 0xffff_ffff, flags]);
    }
    close(&[copy, one, other]);
    call(libc::SYS_close, &[one]);
}

fn fcntl() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let ask = |fd: usize, command: i32, argument: usize| call(libc::SYS_fcntl, &[fd, command as usize, argument]);
    for fd in [one, 0, NONE] {
        ask(fd, libc::F_GETFL, 0);
        ask(fd, libc::F_GETFD, 0);
    }
    for flags in [0, libc::FD_CLOEXEC, 2, 3, -1] {
        ask(one, libc::F_SETFD, flags as usize);
        ask(one, libc::F_GETFD, 0);
    }
    for flags in
        [0, libc::O_NONBLOCK, libc::O_RDWR | libc::O_NONBLOCK, libc::O_APPEND, libc::O_ASYNC, 3, libc::O_WRONLY]
    {
        ask(one, libc::F_SETFL, flags as usize);
        ask(one, libc::F_GETFL, 0);
    }
    for bit in 0..32 {
        ask(NONE, libc::F_SETFL, 1 << bit);
    }
    ask(NONE, libc::F_SETFL, NONE);
    ask(NONE, libc::F_SETFL, libc::O_SYNC as usize | libc::O_TMPFILE as usize);
    for least in [0, 10, 1 << 40, NONE] {
        for command in [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC] {
            let fd = ask(one, command, least);
            if fd >= 0 {
                close(&[fd as usize]);
            }
        }
    }
    let own = std::process::id() as usize;
    for owner in [0, own, own.wrapping_neg(), 1 << 40] {
        ask(NONE, libc::F_SETOWN, owner);
    }
    ask(one, libc::F_GETOWN, 0);
    ask(one, libc::F_SETOWN, own);
    ask(one, libc::F_GETOWN, 0);
    ask(one, libc::F_SETOWN, 0);
    for kind in [0_i32, 1, 2, 3] {
        let mut owner = [kind, 0];
        ask(NONE, 15, at(&owner));
        ask(one, 16, into(&mut owner));
    }
    for signal in [0, 1, 32, 34, 64, 65, NONE] {
        ask(one, 10, signal);
        ask(one, 11, 0);
    }
    for kind in [0_u16, 1, 2, 9] {
        // struct flock: kind, from where, start, length, process.
        let mut lock = [u64::from(kind) | u64::from(kind) << 16, 5, u64::MAX, 0];
        for command in [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW] {
            ask(NONE, command, at(&lock));
        }
        for command in [libc::F_GETLK, libc::F_OFD_GETLK] {
            ask(one, command, into(&mut lock));
            ask(NONE, command, into(&mut lock));
        }
    }
    let memory = must(libc::SYS_memfd_create, &[at(c"seals".to_bytes_with_nul()), 2]);
    let mut lock = [0_u64, 0, 0, 0];
    ask(memory, libc::F_GETLK, into(&mut lock));
    for seals in [0, 2, 6, 0x20, 1] {
        ask(memory, libc::F_ADD_SEALS, seals);
        ask(memory, libc::F_GET_SEALS, 0);
    }
    ask(memory, libc::F_GETLEASE, 0);
    ask(memory, libc::F_GETPIPE_SZ, 0);
    close(&[memory]);
    for command in (0..45).chain(1024..1046).chain([9999, -1]) {
        ask(NONE, command, 0);
        ask(NONE, command, 1);
        ask(NONE, command, 0x8000_0003);
    }
    for lease in [0, 1, 2, 7] {
        ask(NONE, libc::F_SETLEASE, lease);
    }
    let edge = Edge::new();
    for pointer in edge.bad() {
        for command in [libc::F_GETLK, libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_GETLK, 15, 16] {
            ask(one, command, pointer);
        }
    }
    close(&[one, other]);
}

/// `struct ifreq` for an interface of this name.
fn interface(name: &[u8]) -> [u8; 40] {
    let mut request = [0; 40];
    request[..name.len()].copy_from_slice(name);
    request
}

fn ioctl() {
    let [listener, client, server] = tcp();
    let [one, other] = pair(libc::SOCK_STREAM);
    let mut number = 1_i32;
    must(libc::SYS_write, &[other, at(b"seven"), 5]);
    must(libc::SYS_write, &[client, at(b"seven"), 5]);
    for fd in [listener, client, server, one, 0, NONE] {
        for request in [0x541b, 0x5411, 0x8905, 0x894b, 0x8903, 0x8904, 0x5421, 0x5452] {
            // How much the sender still holds depends on when the receiver said that it has it.
            if fd == client && matches!(request, 0x5411 | 0x894b) {
                continue;
            }
            number = i32::from(request == 0x5421);
            call(libc::SYS_ioctl, &[fd, request, into(&mut number)]);
        }
        for request in [0x5450, 0x5451] {
            call(libc::SYS_ioctl, &[fd, request, 0]);
        }
    }
    close(&[listener, client, server, other]);
    let own = std::process::id() as i32;
    for request in [0x8901, 0x8902] {
        call(libc::SYS_ioctl, &[one, request, at(&own)]);
        call(libc::SYS_ioctl, &[one, request + 2, into(&mut number)]);
    }
    close(&[one]);
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM);
    for name in [&b"lo"[..], b"nowhere0", b"a name of sixteen"[..16].as_ref(), b"odd\xff\"name", b""] {
        for request in [0x8910, 0x8913, 0x8915, 0x8917, 0x8919, 0x891b, 0x891d, 0x8921, 0x8927, 0x8933, 0x8942] {
            let mut asked = interface(name);
            call(libc::SYS_ioctl, &[datagrams, request, into(&mut asked)]);
        }
    }
    let mut by_index = interface(b"");
    by_index[16] = 1;
    call(libc::SYS_ioctl, &[datagrams, 0x8910, into(&mut by_index)]);
    let mut unknown = interface(b"");
    unknown[16..20].copy_from_slice(&4_000_000_i32.to_ne_bytes());
    call(libc::SYS_ioctl, &[datagrams, 0x8910, into(&mut unknown)]);
    // Set, on a descriptor that does not exist.
    let mut change = interface(b"lo");
    change[16..32].copy_from_slice(&crate::machine::loopback(0));
    for request in [0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8943] {
        call(libc::SYS_ioctl, &[NONE, request, at(&change)]);
    }
    for flags in [0_u16, 1, 0x49, 0x1043, 0xffff] {
        change[16..18].copy_from_slice(&flags.to_ne_bytes());
        call(libc::SYS_ioctl, &[NONE, 0x8914, at(&change)]);
    }
    close(&[datagrams]);
    for request in [0, 0x1234, 0xc004_fe34, 0x8000_fe01, 0x4010_fe02, 0xffff_ffff, NONE] {
        call(libc::SYS_ioctl, &[NONE, request, 0]);
        call(libc::SYS_ioctl, &[NONE, request, 7]);
        call(libc::SYS_ioctl, &[NONE, request, 0xffff_ffff_ffff_ff00]);
    }
    // Every request for sockets and interfaces by name.
    for request in
        (0x8900..0x8a00).chain([0x8010_8906, 0x8010_8907]).filter(|request| !(0x89a0..0x89b0).contains(request))
    {
        call(libc::SYS_ioctl, &[NONE, request, 0]);
        call(libc::SYS_ioctl, &[NONE, request, 1]);
        call(libc::SYS_ioctl, &[NONE, request, at(&[0x4141_4141_u64, 0, 0x0102_0304_0506_0708, 9, 10, 11])]);
    }
    list_of_interfaces();
    let edge = Edge::new();
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM);
    for pointer in edge.bad() {
        for request in [0x541b, 0x5411, 0x8905, 0x5421, 0x5452, 0x8910, 0x8913, 0x8933, 0x8914, 0x8915] {
            call(libc::SYS_ioctl, &[datagrams, request, pointer]);
        }
    }
    close(&[datagrams]);
}

/// SIOCGIFCONF: only the loopback interface is sure to be there, so its room is asked for, and no more.
fn list_of_interfaces() {
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM);
    let mut space = [0_u64; 5];
    for length in [40_i64, 39, 0, -1] {
        let mut list = [length, into(&mut space) as i64];
        call(libc::SYS_ioctl, &[fd, 0x8912, into(&mut list)]);
        call(libc::SYS_ioctl, &[NONE, 0x8912, into(&mut list)]);
    }
    let mut list = [80_i64, 0];
    call(libc::SYS_ioctl, &[fd, 0x8912, into(&mut list)]);
    for pointer in Edge::new().bad() {
        call(libc::SYS_ioctl, &[fd, 0x8912, pointer]);
        let mut list = [40_i64, pointer as i64];
        call(libc::SYS_ioctl, &[fd, 0x8912, into(&mut list)]);
    }
    close(&[fd]);
}

fn sendfile_and_splice() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let file = must(libc::SYS_memfd_create, &[at(c"file".to_bytes_with_nul()), 1]);
    must(libc::SYS_write, &[file, at(b"contents of a file"), 18]);
    let mut offset = 3_u64;
    must(libc::SYS_sendfile, &[one, file, into(&mut offset), 5]);
    must(libc::SYS_sendfile, &[one, file, into(&mut offset), 0]);
    must(libc::SYS_sendfile, &[one, file, into(&mut offset), 100]);
    must(libc::SYS_sendfile, &[one, file, into(&mut offset), 100]);
    must(libc::SYS_sendfile, &[one, file, 0, 5]);
    offset = u64::MAX;
    call(libc::SYS_sendfile, &[one, file, into(&mut offset), 5]);
    for (to, from) in [(NONE, file), (one, NONE), (one, other)] {
        offset = 0;
        call(libc::SYS_sendfile, &[to, from, into(&mut offset), 5]);
    }
    let mut pipe = [0_i32; 2];
    must(libc::SYS_pipe2, &[into(&mut pipe), 0]);
    let [drain, fill] = pipe.map(|fd| fd as usize);
    offset = 1;
    must(libc::SYS_splice, &[file, into(&mut offset), fill, 0, 4, libc::SPLICE_F_MOVE as usize]);
    must(libc::SYS_splice, &[drain, 0, one, 0, 4, (libc::SPLICE_F_MORE | libc::SPLICE_F_NONBLOCK) as usize]);
    must(libc::SYS_splice, &[other, 0, fill, 0, 2, 0]);
    for flags in [8, 0xf, 0x10, 0x1f, 0xffff_ffff] {
        call(libc::SYS_splice, &[NONE, 0, NONE, 0, 1, flags]);
    }
    call(libc::SYS_splice, &[one, into(&mut offset), fill, into(&mut offset), 1, 0]);
    offset = u64::MAX;
    call(libc::SYS_splice, &[NONE, into(&mut offset), fill, into(&mut offset), NONE, 0]);
    let edge = Edge::new();
    for pointer in edge.bad() {
        call(libc::SYS_sendfile, &[one, file, pointer, 0]);
        if pointer != 0 {
            call(libc::SYS_sendfile, &[one, file, pointer, 4]);
            call(libc::SYS_splice, &[file, pointer, fill, 0, 1, 0]);
        }
        call(libc::SYS_splice, &[NONE, 0, NONE, pointer, 1, 0]);
    }
    close(&[one, other, file, drain, fill]);
}
