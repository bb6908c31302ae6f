//! Waiting for many descriptors: poll, select, epoll.

use crate::machine::{Edge, NONE, at, call, close, into, must, pair};

pub fn play() {
    poll();
    select();
    epoll();
}

/// A descriptor to watch, as in `struct pollfd`.
fn watch(fd: usize, events: u16) -> [u8; 8] {
    let mut entry = [0; 8];
    entry[..4].copy_from_slice(&(fd as i32).to_ne_bytes());
    entry[4..6].copy_from_slice(&events.to_ne_bytes());
    entry
}

fn poll() {
    let [one, other] = pair(libc::SOCK_STREAM);
    must(libc::SYS_write, &[other, at(b"x"), 1]);
    let mut zero = [0_i64, 0];
    let mut minute = [60_i64, 0];
    let all = [watch(one, 5), watch(NONE, 1), watch(other, 0x7fff), watch(999, 1), watch(one, 0)];
    for count in 0..=all.len() {
        let mut fds = all;
        must(libc::SYS_poll, &[into(&mut fds), count, 0]);
        must(libc::SYS_ppoll, &[into(&mut fds), count, into(&mut zero), 0, 8]);
        if count > 0 {
            must(libc::SYS_ppoll, &[into(&mut fds), count, into(&mut minute), 0, 8]);
        }
    }
    let mut quiet = [watch(one, 2)];
    must(libc::SYS_poll, &[into(&mut quiet), 1, 1]);
    must(libc::SYS_poll, &[0, 0, 0]);
    must(libc::SYS_ppoll, &[0, 0, into(&mut zero), 0, 8]);
    // Every event, and results with every event that can come.
    for bit in 0..16 {
        let mut fds = [watch(one, 1 << bit)];
        call(libc::SYS_poll, &[into(&mut fds), 1, 0]);
    }
    close(&[other]);
    let mut fds = [watch(one, 0xffff), watch(other, 1)];
    must(libc::SYS_poll, &[into(&mut fds), 2, -1_isize as usize]);
    // More than are shown, and so many that the line is cut.
    let mut many = [watch(999, 1); 60];
    for count in [31, 32, 33, 60] {
        must(libc::SYS_poll, &[into(&mut many), count, 0]);
        must(libc::SYS_ppoll, &[into(&mut many), count, into(&mut minute), 0, 8]);
    }
    let mut wide = [watch(one, 0xffff); 60];
    must(libc::SYS_poll, &[into(&mut wide), 60, 0]);
    must(libc::SYS_ppoll, &[into(&mut wide), 60, into(&mut minute), 0, 8]);
    close(&[one]);
    signal_sets();
    let edge = Edge::new();
    for pointer in edge.bad() {
        for count in [0, 1, 3, 0xffff_ffff, NONE] {
            call(libc::SYS_poll, &[pointer, count, 0]);
        }
        call(libc::SYS_ppoll, &[pointer, 1, into(&mut zero), 0, 8]);
        call(libc::SYS_ppoll, &[0, 0, if pointer == 0 { into(&mut zero) } else { pointer }, 0, 8]);
        call(libc::SYS_ppoll, &[0, 0, into(&mut zero), pointer, 8]);
    }
    let start = edge.put(&[watch(NONE, 1), watch(998, 1)].concat());
    for count in [1, 2, 3, 40] {
        call(libc::SYS_poll, &[start, count, 0]);
    }
    let mut odd_times = [[-1_i64, 0], [0, -1], [0, 1_000_000_000]];
    for time in &mut odd_times {
        call(libc::SYS_ppoll, &[0, 0, into(time), 0, 8]);
    }
}

fn signal_sets() {
    let mut zero = [0_i64, 0];
    let sets = [
        0,
        1 << 1,
        1 << 1 | 1 << 14,
        !0,
        !(1 << 1),
        1 << 31,
        1 << 32,
        1 << 63,
        0xffff_ffff,
        0x0fff_ffff_ffff,
        3 << 40,
        !0 >> 22,
    ];
    for set in &sets {
        let set: &u64 = set;
        for size in [8, 4, 0, 16, 128] {
            call(libc::SYS_ppoll, &[0, 0, into(&mut zero), at(set), size]);
        }
        call(libc::SYS_pselect6, &[0, 0, 0, 0, into(&mut zero), at(&[at(set), 8])]);
    }
    call(libc::SYS_pselect6, &[0, 0, 0, 0, into(&mut zero), at(&[at(&sets), 4])]);
    call(libc::SYS_pselect6, &[0, 0, 0, 0, into(&mut zero), at(&[0, 8_usize])]);
    call(libc::SYS_pselect6, &[0, 0, 0, 0, into(&mut zero), at(&[1, 8_usize])]);
}

/// A set of descriptors below 1024.
fn set(fds: &[usize]) -> [u64; 16] {
    let mut words = [0; 16];
    for fd in fds {
        words[fd / 64] |= 1 << (fd % 64);
    }
    words
}

fn select() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let zero = [0_i64, 0];
    let minute = [60_i64, 250_000];
    for call_number in [libc::SYS_select, libc::SYS_pselect6] {
        let mut quiet = set(&[one, other]);
        must(call_number, &[64, into(&mut quiet), 0, 0, into(&mut zero.clone()), 0]);
        // Ready to write, both; ready to read, one of them.
        must(libc::SYS_write, &[other, at(b"x"), 1]);
        for (read, write, except) in
            [(true, true, true), (true, false, false), (false, true, false), (true, false, true), (true, true, false)]
        {
            let mut sets = [set(&[one, other]), set(&[one, other]), set(&[one, other])];
            let [reads, writes, excepts] = &mut sets;
            let pointers = [
                if read { into(reads) } else { 0 },
                if write { into(writes) } else { 0 },
                if except { into(excepts) } else { 0 },
            ];
            for time in [0, into(&mut minute.clone())] {
                let mut again = [set(&[one, other]), set(&[one, other]), set(&[one, other])];
                if time != 0 {
                    let [reads, writes, excepts] = &mut again;
                    let pointers = [
                        if read { into(reads) } else { 0 },
                        if write { into(writes) } else { 0 },
                        if except { into(excepts) } else { 0 },
                    ];
                    must(call_number, &[64, pointers[0], pointers[1], pointers[2], time, 0]);
                } else {
                    must(call_number, &[other + 1, pointers[0], pointers[1], pointers[2], time, 0]);
                }
            }
        }
        let mut byte = [0_u8; 1];
        must(libc::SYS_read, &[one, into(&mut byte), 1]);
        let mut unknown = set(&[one, 500]);
        call(call_number, &[501, into(&mut unknown), 0, 0, into(&mut zero.clone()), 0]);
        must(call_number, &[0, 0, 0, 0, into(&mut zero.clone()), 0]);
        for nfds in [NONE, 0x8000_0000] {
            call(call_number, &[nfds, into(&mut quiet), 0, 0, into(&mut zero.clone()), 0]);
        }
        call(call_number, &[0, into(&mut quiet), 0, 0, into(&mut [-1_i64, 0]), 0]);
        let edge = Edge::new();
        for pointer in edge.bad() {
            for place in 1..=5 {
                let mut no_time = zero;
                let mut args = [64, into(&mut quiet), 0, 0, into(&mut no_time), 0];
                if place == 5 && call_number == libc::SYS_select || place == 4 && pointer == 0 {
                    continue;
                }
                args[place] = pointer;
                call(call_number, &args);
            }
        }
        let start = edge.put(&1_u64.to_ne_bytes());
        for nfds in [1, 8, 64, 65, 2_000_000] {
            call(call_number, &[nfds, start, 0, 0, into(&mut zero.clone()), 0]);
        }
    }
    close(&[one, other]);
}

/// An event, as in `struct epoll_event`.
fn event(events: u32, data: u64) -> Vec<u8> {
    let mut bytes = events.to_ne_bytes().to_vec();
    if !cfg!(target_arch = "x86_64") {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(&data.to_ne_bytes());
    bytes
}

fn epoll() {
    for size in [1, 0, NONE] {
        let fd = call(libc::SYS_epoll_create, &[size]);
        if fd >= 0 {
            close(&[fd as usize]);
        }
    }
    for flags in [0, libc::EPOLL_CLOEXEC as usize, 1, 0x80001] {
        let fd = call(libc::SYS_epoll_create1, &[flags]);
        if fd >= 0 {
            close(&[fd as usize]);
        }
    }
    let epoll = must(libc::SYS_epoll_create1, &[0]);
    let [one, other] = pair(libc::SOCK_STREAM);
    let wanted = event((libc::EPOLLIN | libc::EPOLLET) as u32, one as u64);
    must(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_ADD as usize, one, at(wanted.as_slice())]);
    call(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_ADD as usize, one, at(wanted.as_slice())]);
    let other_wanted = event(libc::EPOLLOUT as u32, 1 << 40 | 7);
    must(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_ADD as usize, other, at(other_wanted.as_slice())]);
    let mut events = [0_u8; 64 * 16];
    let mut zero = [0_i64, 0];
    let set = 1_u64 << 9;
    for round in 0..2 {
        must(libc::SYS_epoll_wait, &[epoll, into(&mut events), 64, 0]);
        must(libc::SYS_epoll_pwait, &[epoll, into(&mut events), 64, 0, at(&set), 8]);
        must(libc::SYS_epoll_pwait, &[epoll, into(&mut events), 1, 0, 0, 8]);
        call(libc::SYS_epoll_pwait2, &[epoll, into(&mut events), 64, into(&mut zero), at(&set), 8]);
        if round == 0 {
            must(libc::SYS_write, &[other, at(b"x"), 1]);
        }
    }
    must(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_MOD as usize, other, at(event(0, 0).as_slice())]);
    must(libc::SYS_epoll_wait, &[epoll, into(&mut events), 64, 0]);
    must(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_DEL as usize, other, 0]);
    call(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_DEL as usize, other, at(wanted.as_slice())]);
    for bit in 0..32 {
        call(libc::SYS_epoll_ctl, &[NONE, libc::EPOLL_CTL_ADD as usize, one, at(event(1 << bit, bit).as_slice())]);
    }
    for operation in [0, 4, 99, NONE] {
        call(libc::SYS_epoll_ctl, &[epoll, operation, one, at(wanted.as_slice())]);
    }
    let edge = Edge::new();
    for pointer in edge.bad() {
        for operation in 1..=3 {
            call(libc::SYS_epoll_ctl, &[epoll, operation, other, pointer]);
        }
        call(libc::SYS_epoll_wait, &[epoll, pointer, 4, 0]);
        call(libc::SYS_epoll_pwait, &[epoll, pointer, 4, 0, pointer, 8]);
        call(libc::SYS_epoll_pwait, &[epoll, into(&mut events), 4, 0, pointer, 8]);
        call(
            libc::SYS_epoll_pwait2,
            &[epoll, into(&mut events), 4, if pointer == 0 { into(&mut zero) } else { pointer }, 0, 8],
        );
    }
    for most in [0, NONE, 0x7fff_ffff] {
        call(libc::SYS_epoll_wait, &[epoll, into(&mut events), most, 0]);
    }
    for fd in [NONE, 0, one] {
        call(libc::SYS_epoll_wait, &[fd, into(&mut events), 4, 0]);
        call(libc::SYS_epoll_pwait, &[fd, into(&mut events), 4, 0, at(&set), 8]);
        call(libc::SYS_epoll_pwait2, &[fd, into(&mut events), 4, into(&mut zero), at(&set), 8]);
    }
    call(libc::SYS_epoll_pwait, &[epoll, into(&mut events), 4, 0, at(&set), 4]);
    // More than are shown.
    let mut crowd = Vec::new();
    for index in 0..40 {
        let fd = must(libc::SYS_dup, &[other]);
        must(libc::SYS_epoll_ctl, &[epoll, 1, fd, at(event(4, index).as_slice())]);
        crowd.push(fd);
    }
    must(libc::SYS_epoll_wait, &[epoll, into(&mut events), 64, 0]);
    close(&crowd);
    close(&[epoll, one, other]);
}
