//! Calls that a signal interrupts, and signals that calls bring.

use crate::machine::{
    NONE, at, call, change_mask, close, fork, handle, into, kill, must, pair, tid, wait, wait_until_asleep,
};

pub fn play() {
    interrupted();
    stopped();
    broken_pipe();
    child_ended();
    details();
}

/// Runs this while a child waits until this process sleeps in it, and then sends the signal.
fn poked(signal: i32, sleep: impl FnOnce()) {
    let sleeper = tid();
    let child = fork(|| {
        wait_until_asleep(sleeper);
        kill(sleeper, signal);
    });
    sleep();
    wait(child);
}

fn interrupted() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let listener = must(libc::SYS_socket, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0]);
    must(libc::SYS_bind, &[listener, at(b"\x01\0"), 2]);
    must(libc::SYS_listen, &[listener, 1]);
    let epoll = must(libc::SYS_epoll_create1, &[0]);
    let mut buffer = [0_u8; 64];
    let mut length = 64_i32;
    let vector = [[into(&mut buffer), 64]];
    let mut message = [0, 16, at(&vector), 1, 0, 0, 0, 0_usize];
    let set = 1_u64 << one;
    // The kernel writes what is left of it: so each call has one of its own.
    let mut minutes = [[60_i64, 0]; 7];
    let mut fds = [one as i32, 1];
    handle(libc::SIGUSR1, 0);
    // Not without SIGCHLD, which is held back.
    let mask = 1_u64 << 14 | 1 << 16;
    let calls: [(libc::c_long, Vec<usize>); 15] = [
        (libc::SYS_recvfrom, vec![one, into(&mut buffer), 64, 0, into(&mut buffer), into(&mut length)]),
        (libc::SYS_read, vec![one, into(&mut buffer), 64]),
        (libc::SYS_readv, vec![one, at(&vector), 1]),
        (libc::SYS_recvmsg, vec![one, into(&mut message), 0]),
        (libc::SYS_recvmmsg, vec![one, into(&mut message), 1, 0, into(&mut minutes[0])]),
        (libc::SYS_accept, vec![listener, into(&mut buffer), into(&mut length)]),
        (libc::SYS_accept4, vec![listener, into(&mut buffer), into(&mut length), 0]),
        (libc::SYS_poll, vec![into(&mut fds), 1, 60_000]),
        (libc::SYS_ppoll, vec![into(&mut fds), 1, into(&mut minutes[1]), at(&mask), 8]),
        (libc::SYS_select, vec![64, at(&set), 0, 0, into(&mut minutes[2])]),
        (libc::SYS_pselect6, vec![64, at(&set), 0, 0, into(&mut minutes[3]), at(&[at(&mask), 8])]),
        (libc::SYS_epoll_wait, vec![epoll, into(&mut buffer), 4, 60_000]),
        (libc::SYS_epoll_pwait, vec![epoll, into(&mut buffer), 4, NONE, at(&mask), 8]),
        (libc::SYS_epoll_pwait2, vec![epoll, into(&mut buffer), 4, into(&mut minutes[4]), at(&mask), 8]),
        (libc::SYS_sendmmsg, vec![one, into(&mut message), 0, 0]),
    ];
    for (number, args) in &calls[..14] {
        poked(libc::SIGUSR1, || {
            let result = call(*number, args);
            assert_eq!(result, -(libc::EINTR as isize), "call {number} is interrupted");
        });
    }
    // With a timeout of the socket's own the call is never restarted.
    must(libc::SYS_setsockopt, &[one, 1, libc::SO_RCVTIMEO as usize, into(&mut minutes[5]), 16]);
    poked(libc::SIGUSR1, || {
        call(libc::SYS_read, &[one, into(&mut buffer), 64]);
    });
    must(libc::SYS_setsockopt, &[one, 1, libc::SO_RCVTIMEO as usize, at(&[0_i64, 0]), 16]);
    // Restarted: the second signal finds it in the same call again, and the byte ends it.
    handle(libc::SIGUSR2, libc::SA_RESTART);
    let sleeper = tid();
    let child = fork(|| {
        wait_until_asleep(sleeper);
        kill(sleeper, libc::SIGUSR2);
        wait_until_caught(sleeper, libc::SIGUSR2);
        must(libc::SYS_write, &[other, at(b"x"), 1]);
    });
    must(libc::SYS_read, &[one, into(&mut buffer), 64]);
    wait(child);
    close(&[one, other, listener, epoll]);
}

/// Waits until this signal is no longer pending for a process and it sleeps again.
fn wait_until_caught(pid: usize, signal: i32) {
    let path = std::ffi::CString::new(format!("/proc/{pid}/status")).expect("no zero byte in a number");
    let file = must(libc::SYS_openat, &[NONE, at(path.to_bytes_with_nul()), libc::O_CLOEXEC as usize, 0]);
    for _ in 0..60_000 {
        let mut text = [0_u8; 4096];
        let length = must(libc::SYS_pread64, &[file, into(&mut text), text.len(), 0]);
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        let pending = text.lines().find_map(|line| line.strip_prefix("ShdPnd:")).map(str::trim);
        let pending = pending.and_then(|set| u64::from_str_radix(set, 16).ok());
        if pending.is_some_and(|set| set & 1 << (signal - 1) == 0) {
            break;
        }
        let pause = [0_i64, 1_000_000];
        call(libc::SYS_nanosleep, &[at(&pause), 0]);
    }
    close(&[file]);
    wait_until_asleep(pid);
}

/// SIGSTOP in the middle of a call, and SIGCONT: poll goes on as restart_syscall.
fn stopped() {
    let [one, other] = pair(libc::SOCK_STREAM);
    for number in [libc::SYS_poll, libc::SYS_read] {
        let sleeper = fork(|| {
            let mut fds = [one as i32, 1];
            let mut buffer = [0_u8; 8];
            let args = if number == libc::SYS_poll { [into(&mut fds), 1, 60_000] } else { [one, into(&mut buffer), 8] };
            call(number, &args);
        });
        wait_until_asleep(sleeper);
        kill(sleeper, libc::SIGSTOP);
        // WUNTRACED: until it has stopped.
        must(libc::SYS_wait4, &[sleeper, 0, libc::WUNTRACED as usize, 0]);
        kill(sleeper, libc::SIGCONT);
        wait_until_asleep(sleeper);
        must(libc::SYS_write, &[other, at(b"x"), 1]);
        wait(sleeper);
        // poll has left the byte where it was.
        let mut buffer = [0_u8; 8];
        call(libc::SYS_recvfrom, &[one, into(&mut buffer), 8, libc::MSG_DONTWAIT as usize, 0, 0]);
    }
    close(&[one, other]);
}

/// SIGPIPE, as a lesson: it kills.
fn broken_pipe() {
    for send in [libc::SYS_sendto, libc::SYS_write] {
        wait(fork(|| {
            // Rust programs ignore this signal.
            // SAFETY: sets the default action, which is no handler of ours.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let [one, other] = pair(libc::SOCK_STREAM);
            close(&[other]);
            call(send, &[one, at(b"dead"), 4, 0, 0, 0]);
        }));
    }
}

/// SIGCHLD comes at a moment of our choosing.
fn child_ended() {
    for status in [0, 3] {
        let pid = must(libc::SYS_fork, &[]);
        if pid == 0 {
            call(libc::SYS_exit_group, &[status]);
        }
        wait_without_reaping(pid);
        change_mask(libc::SIG_UNBLOCK, libc::SIGCHLD);
        change_mask(libc::SIG_BLOCK, libc::SIGCHLD);
        wait(pid);
    }
    let pid = fork(|| {
        let [one, _other] = pair(libc::SOCK_STREAM);
        let mut buffer = [0_u8; 8];
        call(libc::SYS_read, &[one, into(&mut buffer), 8]);
    });
    wait_until_asleep(pid);
    kill(pid, libc::SIGTERM);
    wait_without_reaping(pid);
    change_mask(libc::SIG_UNBLOCK, libc::SIGCHLD);
    change_mask(libc::SIG_BLOCK, libc::SIGCHLD);
    wait(pid);
}

/// Waits for a child to end and leaves it to be waited for again. (waitid is not traced.)
fn wait_without_reaping(pid: usize) {
    let mut info = [0_u64; 16];
    must(libc::SYS_waitid, &[1, pid, into(&mut info), (libc::WEXITED | libc::WNOWAIT) as usize, 0]);
}

/// Signals from every kind of sender.
fn details() {
    for signal in [libc::SIGUSR1, libc::SIGURG, libc::SIGWINCH, 34, 64] {
        if signal >= 34 {
            handle(signal, 0);
        }
        must(libc::SYS_kill, &[std::process::id() as usize, signal as usize]);
        must(libc::SYS_tgkill, &[std::process::id() as usize, tid(), signal as usize]);
    }
    // Queued with a number.
    let mut info = [0_i32; 32];
    (info[0], info[2], info[4], info[6]) = (libc::SIGUSR1, libc::SI_QUEUE, std::process::id() as i32, 42);
    call(libc::SYS_rt_sigqueueinfo, &[std::process::id() as usize, libc::SIGUSR1 as usize, at(&info)]);
    // Faults end a child.
    for fault in 0..2 {
        wait(fork(|| {
            // No core file.
            call(libc::SYS_prlimit64, &[0, 4, at(&[0_u64, 0]), 0]);
            // SAFETY: it is meant to die here: the address is never mapped, and the other signal is sent to itself.
            unsafe {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                if fault == 0 { std::ptr::write_volatile(8 as *mut u8, 1) } else { libc::abort() }
            }
        }));
    }
}
