//! How processes and threads begin, change and end.

use crate::machine::{
    Edge, NONE, at, call, change_mask, close, fork, into, kill, must, pair, tid, wait, wait_until_asleep,
};

/// The child becomes another program.
const TRUE: &std::ffi::CStr = c"/bin/true";

pub fn play() {
    forks();
    clones();
    threads();
    exec();
    failing_exec();
    exits();
    never_returned();
    exec_in_a_thread();
}

fn forks() {
    wait(fork(|| {}));
    // A child that works with its parent's socket.
    let [one, other] = pair(libc::SOCK_STREAM);
    wait(fork(|| {
        must(libc::SYS_write, &[other, at(b"from the child"), 14]);
    }));
    let mut buffer = [0_u8; 32];
    must(libc::SYS_read, &[one, into(&mut buffer), 32]);
    close(&[one, other]);
    wait(vfork());
    // A grandchild.
    wait(fork(|| wait(fork(|| {}))));
    // posix_spawn: vfork and exec, as glibc does it.
    let mut spawned =
        std::process::Command::new("/bin/true").stdin(std::process::Stdio::null()).spawn().expect("/bin/true");
    wait(spawned.id() as usize);
    // std does not know that it has been waited for; this only takes note.
    let _ = spawned.try_wait();
}

/// vfork, whose child ends at once. The child has its parent's stack until it ends, so it must not even return from a
/// function: hence the bare instructions.
fn vfork() -> usize {
    let pid: isize;
    // SAFETY: the parent is stopped until its child ends; the child uses no memory at all, only registers of which the
    // compiler knows, and ends by exit_group(0) before the parent goes on behind the label.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor edi, edi",
            "mov eax, {exit_group}",
            "syscall",
            "2:",
            exit_group = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_vfork as isize => pid,
            out("rdi") _,
            out("rcx") _,
            out("r11") _,
        );
    }
    assert!(pid > 0, "vfork failed: {}", std::io::Error::from_raw_os_error(-pid as i32));
    pid as usize
}

fn clones() {
    let signal = libc::SIGCHLD as usize;
    let child = |flags: usize, args: &[usize]| {
        let mut all = vec![flags, 0];
        all.extend_from_slice(args);
        let pid = call(libc::SYS_clone, &all);
        if pid == 0 {
            call(libc::SYS_exit_group, &[0]);
        }
        if pid > 0 {
            wait(pid as usize);
        }
    };
    let mut parent_tid = 0_i32;
    let mut child_tid = 0_i32;
    let (parent_at, child_at) = (into(&mut parent_tid), into(&mut child_tid));
    child(signal, &[]);
    child(0, &[]);
    // Any signal will do; this one is harmless, and held back so that it comes at no other moment than below.
    change_mask(libc::SIG_BLOCK, libc::SIGURG);
    child(libc::SIGURG as usize, &[]);
    change_mask(libc::SIG_UNBLOCK, libc::SIGURG);
    child(libc::CLONE_FILES as usize | signal, &[]);
    child(libc::CLONE_FILES as usize | libc::CLONE_FS as usize, &[]);
    child(libc::CLONE_PARENT_SETTID as usize | signal, &[parent_at]);
    child((libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as usize | signal, &[0, child_at]);
    child((libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID) as usize | signal, &[parent_at, child_at]);
    // Refused, whatever else they say.
    let refused = libc::CLONE_THREAD as usize;
    for bit in 8..34 {
        call(libc::SYS_clone, &[refused | 1 << bit, 0x10000, 1, 2, 3]);
    }
    for signal in [0, 1, 33, 64, 65, 255] {
        call(libc::SYS_clone, &[refused | signal, 0, 0, 0, 0]);
    }
    clone3();
}

fn clone3() {
    const THREAD: u64 = libc::CLONE_THREAD as u64;
    let mut tid = 0_i32;
    let place = into(&mut tid) as u64;
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    let plain = [libc::CLONE_PARENT_SETTID as u64, 0, 0, place, libc::SIGCHLD as u64, 0, 0, 0, 0, 0, 0];
    for size in [88, 80, 64] {
        let pid = must(libc::SYS_clone3, &[at(&plain), size]);
        if pid == 0 {
            call(libc::SYS_exit_group, &[0]);
        }
        wait(pid);
    }
    let mut pidfd = -1_i32;
    let mut args = plain;
    args[0] |= libc::CLONE_PIDFD as u64;
    args[1] = into(&mut pidfd) as u64;
    let pid = must(libc::SYS_clone3, &[at(&args), 88]);
    if pid == 0 {
        call(libc::SYS_exit_group, &[0]);
    }
    wait(pid);
    close(&[pidfd as usize]);
    // Refused.
    for bit in 0..40 {
        let mut args = [7_u64 << 20; 11];
        args[0] = THREAD | 1 << bit;
        (args[4], args[8], args[9], args[10]) = (0, 0, 0, 0);
        call(libc::SYS_clone3, &[at(&args), 88]);
    }
    for signal in [0, 9, 40, 64, 65, 0x7fff_ffff, 0x8000_0000, u64::MAX] {
        let mut args = [0_u64; 11];
        (args[0], args[4]) = (THREAD, signal);
        call(libc::SYS_clone3, &[at(&args), 88]);
    }
    let tids = [100_i32, 200, 300];
    for (list, count) in [(at(&tids), 1), (at(&tids), 3), (at(&tids), 33), (0, 3), (at(&tids), 0), (1, 2)] {
        let mut args = [0_u64; 11];
        (args[0], args[8], args[9], args[10]) = (THREAD, list as u64, count, 5);
        call(libc::SYS_clone3, &[at(&args), 88]);
    }
    let mut longer = [0_u64; 40];
    longer[0] = THREAD;
    for size in [0, 8, 63, 64, 65, 72, 80, 84, 88, 89, 96, 200, 320, 5000] {
        call(libc::SYS_clone3, &[at(&longer), size]);
        longer[12] = 0x0102;
        call(libc::SYS_clone3, &[at(&longer), size]);
        longer[12] = 0;
    }
    let edge = Edge::new();
    for pointer in edge.bad() {
        for size in [0, 64, 88, 200] {
            call(libc::SYS_clone3, &[pointer, size]);
        }
    }
}

fn threads() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let thread = std::thread::spawn(move || {
        let mut buffer = [0_u8; 32];
        must(libc::SYS_recvfrom, &[other, into(&mut buffer), 32, 0, 0, 0]);
        must(libc::SYS_sendto, &[other, at(b"pong"), 4, 0, 0, 0]);
    });
    must(libc::SYS_sendto, &[one, at(b"ping"), 4, 0, 0, 0]);
    let mut buffer = [0_u8; 32];
    must(libc::SYS_recvfrom, &[one, into(&mut buffer), 32, 0, 0, 0]);
    thread.join().expect("the thread ends well");
    close(&[one, other]);
    // A thread that ends by the bare call. (Joining it would wait for ever: so a child makes it, and exits.)
    let child = fork(|| {
        let [one, other] = pair(libc::SOCK_STREAM);
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 8];
            must(libc::SYS_read, &[other, into(&mut buffer), 8]);
            must(libc::SYS_write, &[other, at(b"bye"), 3]);
            call(libc::SYS_exit, &[3]);
        });
        must(libc::SYS_write, &[one, at(b"go"), 2]);
        let mut buffer = [0_u8; 8];
        must(libc::SYS_read, &[one, into(&mut buffer), 8]);
        wait_until_alone();
        call(libc::SYS_exit_group, &[0]);
    });
    wait(child);
}

/// Waits until this process has one thread left, in calls that are not traced.
fn wait_until_alone() {
    for _ in 0..60_000 {
        let tasks = must(libc::SYS_openat, &[NONE, at(c"/proc/self/stat".to_bytes_with_nul()), 0, 0]);
        let mut text = [0_u8; 512];
        let length = must(libc::SYS_pread64, &[tasks, into(&mut text), 512, 0]);
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        // The 20th field is the number of threads; the second is in parentheses and may hold anything.
        let threads = text.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(17));
        if threads == Some("1") {
            return;
        }
        let pause = [0_i64, 1_000_000];
        call(libc::SYS_nanosleep, &[at(&pause), 0]);
    }
    panic!("the other thread did not end within a minute");
}

fn exec() {
    let long = std::ffi::CString::new("x".repeat(40)).expect("no zero byte");
    let exact = std::ffi::CString::new("y".repeat(32)).expect("no zero byte");
    let path = at(TRUE.to_bytes_with_nul());
    let args = [path, at(long.to_bytes_with_nul()), at(exact.to_bytes_with_nul()), at(c"".to_bytes_with_nul()), 0];
    let variables = [at(c"A=1".to_bytes_with_nul()), at(c"B=2".to_bytes_with_nul()), 0];
    for (argv, envp) in [
        (at(&args), at(&variables)),
        (at(&args), at(&variables[1])),
        (at(&args), at(&variables[2])),
        (at(&args), 0),
        (at(&args[4]), at(&variables)),
    ] {
        wait(fork(|| {
            call(libc::SYS_execve, &[path, argv, envp]);
        }));
    }
    wait(fork(|| {
        call(libc::SYS_execveat, &[libc::AT_FDCWD as usize, path, at(&args), at(&variables), 0]);
    }));
    // Descriptors that close at exec: the program's own reading of libraries gets their numbers.
    wait(fork(|| {
        let fd =
            must(libc::SYS_socket, &[libc::AF_UNIX as usize, (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as usize, 0]);
        must(libc::SYS_dup, &[fd]);
        call(libc::SYS_execve, &[path, at(&args), 0]);
    }));
}

fn failing_exec() {
    let nowhere = at(c"/nowhere/at all\n".to_bytes_with_nul());
    let many: Vec<usize> = (0..40).map(|_| at(c"z".to_bytes_with_nul())).chain([0]).collect();
    let none = [0_usize];
    for argv in [at(&none), at(many.as_slice()), at(&many[8]), at(&many[9])] {
        call(libc::SYS_execve, &[nowhere, argv, at(&none)]);
        call(libc::SYS_execve, &[nowhere, argv, at(many.as_slice())]);
    }
    for flags in [0, 0x100, 0x1000, 0x1100, 1, 0x8000_0000] {
        call(libc::SYS_execveat, &[NONE, nowhere, at(&none), at(&none), flags]);
        call(libc::SYS_execveat, &[7, at(c"".to_bytes_with_nul()), at(&none), at(&none), flags]);
    }
    let long = vec![b'p'; 6000];
    let mut ended = vec![b'q'; 4000];
    ended.push(0);
    let mut longest = vec![b'r'; 4095];
    longest.push(0);
    let mut a_little_less = vec![b'r'; 4094];
    a_little_less.push(0);
    for path in [&long, &ended, &longest, &a_little_less] {
        call(libc::SYS_execve, &[at(path.as_slice()), at(&none), at(&none)]);
    }
    let edge = Edge::new();
    let strings = [at(c"one".to_bytes_with_nul()), 1, edge.before(3), 0];
    for pointer in edge.bad() {
        call(libc::SYS_execve, &[pointer, at(&none), at(&none)]);
        call(libc::SYS_execve, &[nowhere, pointer, at(&none)]);
        call(libc::SYS_execve, &[nowhere, at(&none), pointer]);
        call(libc::SYS_execveat, &[NONE, pointer, pointer, pointer, 0]);
    }
    call(libc::SYS_execve, &[nowhere, at(&strings), at(&strings)]);
    // An array that runs into the end of memory.
    let mut words = Vec::new();
    for word in [strings[0], strings[0]] {
        words.extend_from_slice(&word.to_ne_bytes());
    }
    let start = edge.put(&words);
    call(libc::SYS_execve, &[nowhere, start, start]);
    call(libc::SYS_execve, &[nowhere, start + 8, start + 8]);
}

fn exits() {
    for status in [0, 1, 255, 256, 0x1_0000_0003, NONE] {
        let pid = must(libc::SYS_fork, &[]);
        if pid == 0 {
            call(libc::SYS_exit_group, &[status]);
        }
        wait(pid);
    }
    let pid = must(libc::SYS_fork, &[]);
    if pid == 0 {
        call(libc::SYS_exit, &[7]);
    }
    wait(pid);
}

/// Children that are killed in the middle of a call: in one that shows its arguments only at its end, in one that shows
/// them at once, and in those that show the rest beside the result.
fn never_returned() {
    let [one, other] = pair(libc::SOCK_STREAM);
    let listener = must(libc::SYS_socket, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0]);
    must(libc::SYS_bind, &[listener, at(b"\x01\0"), 2]);
    must(libc::SYS_listen, &[listener, 1]);
    let epoll = must(libc::SYS_epoll_create1, &[0]);
    let set = 1_u64 << one;
    let mut fds = [one as i32, 1];
    let mut buffer = [0_u8; 64];
    let mut length = 64_i32;
    let vector = [[into(&mut buffer), 64]];
    let mut message = [0, 0, at(&vector), 1, 0, 0, 0, 0_usize];
    let filler = vec![b'f'; 1 << 20];
    let calls: [(libc::c_long, Vec<usize>); 12] = [
        (libc::SYS_recvfrom, vec![one, into(&mut buffer), 64, 0, 0, 0]),
        (libc::SYS_read, vec![one, into(&mut buffer), 64]),
        (libc::SYS_readv, vec![one, at(&vector), 1]),
        (libc::SYS_recvmsg, vec![one, into(&mut message), 0]),
        (libc::SYS_recvmmsg, vec![one, into(&mut message), 1, 0, 0]),
        (libc::SYS_accept, vec![listener, into(&mut buffer), into(&mut length)]),
        (libc::SYS_accept4, vec![listener, 0, 0, libc::SOCK_CLOEXEC as usize]),
        (libc::SYS_poll, vec![into(&mut fds), 1, NONE]),
        (libc::SYS_ppoll, vec![into(&mut fds), 1, 0, 0, 8]),
        (libc::SYS_pselect6, vec![64, at(&set), 0, 0, 0, 0]),
        (libc::SYS_epoll_wait, vec![epoll, into(&mut buffer), 4, NONE]),
        (libc::SYS_sendto, vec![other, at(filler.as_slice()), 1 << 20, 0, 0, 0]),
    ];
    for (number, args) in calls {
        let pid = fork(|| {
            call(number, &args);
        });
        wait_until_asleep(pid);
        kill(pid, libc::SIGKILL);
        wait(pid);
    }
    // A process that exits while another of its threads is in a call.
    let child = fork(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 8];
            let [one, _other] = pair(libc::SOCK_STREAM);
            tell.send(tid()).expect("the other thread listens");
            call(libc::SYS_read, &[one, into(&mut buffer), 8]);
        });
        let sleeper = told.recv().expect("the other thread speaks");
        wait_until_asleep(sleeper);
    });
    wait(child);
    close(&[one, other, listener, epoll]);
}

/// exec ends all other threads, and the thread that calls it goes on under the id of the first.
fn exec_in_a_thread() {
    let child = fork(|| {
        let first = tid();
        let [one, _other] = pair(libc::SOCK_STREAM);
        std::thread::spawn(move || {
            wait_until_asleep(first);
            let path = at(TRUE.to_bytes_with_nul());
            call(libc::SYS_execve, &[path, at(&[path, 0]), 0]);
        });
        let mut buffer = [0_u8; 8];
        call(libc::SYS_read, &[one, into(&mut buffer), 8]);
    });
    wait(child);
}
