//! Getting a child ready, and ending it: the few system calls with which the grader protects itself and others.

use std::io;
use std::mem;
use std::ptr;
use std::time::Duration;

use libc::{c_int, pid_t, sock_filter};

use crate::peers::state_and_parent;
use crate::report::Children;

/// Makes this process, which has just been started to play an act, ready for a student's function: no descriptor open but
/// the standard three, SIGPIPE as the system gives it (Rust ignores it), no core dumps, and no way to signal the grader.
pub(crate) fn put_up() -> io::Result<()> {
    // SAFETY: nothing in this process owns a descriptor above 2 yet: it has only read its order, and closed that again.
    // Where the call does not exist (before Linux 5.9) descriptors are closed on exec anyway, all but foreign ones.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    // SAFETY: SIG_DFL is a valid disposition, and no handler is replaced.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to `none`, which outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // What a function's own children leave behind becomes a child of this process, and so does not go unseen.
    // SAFETY: this prctl takes a number; where it is refused, orphans go to init as always.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    forbid_signals()
}

/// Ends this process at once: no destructors, no buffers written out.
pub(crate) fn exit_now(status: c_int) -> ! {
    // SAFETY: _exit touches no memory and does not return.
    unsafe { libc::_exit(status) }
}

/// Ends the processes that the student's function has forked and left running, and those that they have forked:
/// as their parents end, they become children of this process.
pub(crate) fn end_children() {
    let own = std::process::id().cast_signed();
    loop {
        // SAFETY: waitpid takes numbers and a pointer that may be null.
        while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG | libc::__WALL) } > 0 {}
        if children() == Children::None {
            return;
        }
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        for pid in numbers.filter(|pid| parent_of(*pid) == Some(own)) {
            // SAFETY: kill takes two numbers. The process is this one's own child and nobody has waited for it since it was
            // found, so its number is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a descriptor is open. Asked with a call that changes nothing and that the observer does not stop: to look all
/// that could be open up in /proc would take a seventh of the time of a run.
pub(crate) fn is_open(descriptor: c_int) -> bool {
    // SAFETY: an all-zero stat is valid, and fstat writes into it.
    let told = unsafe {
        let mut about: libc::stat = mem::zeroed();
        libc::fstat(descriptor, &raw mut about)
    };
    told != -1 || io::Error::last_os_error().raw_os_error() != Some(libc::EBADF)
}

/// Closes a descriptor in a process that is about to end.
pub(crate) fn close(descriptor: c_int) {
    // SAFETY: close takes a number. Whoever owns the descriptor never gets to use it: `exit_now` follows.
    unsafe { libc::close(descriptor) };
}

/// How many threads this process has besides the caller.
pub(crate) fn other_threads() -> u64 {
    use std::os::unix::fs::MetadataExt;
    // A directory has two links and one more for each directory in it: here one for each thread.
    // Unlike a look inside, this needs no descriptor.
    std::fs::metadata("/proc/self/task").map_or(0, |tasks| tasks.nlink().saturating_sub(3))
}

/// What has become of the processes that this one forked.
pub(crate) fn children() -> Children {
    // SAFETY: an all-zero siginfo_t is valid; waitid writes into it. WNOWAIT leaves the child as it is.
    let (answer, ended) = unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
        let answer = libc::waitid(libc::P_ALL, 0, &raw mut info, flags);
        (answer, info.si_pid())
    };
    match (answer, ended) {
        (-1, _) => Children::None,
        (_, 0) => Children::Running,
        (_, _) => Children::Unreaped,
    }
}

/// A SIGALRM every `interval`, to a handler that does nothing, without SA_RESTART; zero for no more.
pub(crate) fn interrupt_every(interval: Duration) -> io::Result<()> {
    extern "C" fn nothing(_: c_int) {}
    let time = libc::timeval {
        tv_sec: interval.as_secs() as libc::time_t,
        tv_usec: interval.subsec_micros() as libc::suseconds_t,
    };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: an all-zero sigaction is valid (empty mask, no flags); the handler takes the one argument that a handler
    // without SA_SIGINFO gets and does nothing; both structures outlive the calls.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
        if libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) == -1
            || libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) == -1
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// From here on this process (and what it starts) is killed with SIGSYS when it tries to signal the grader, the program
/// that started the grader, either's process group, or "everybody". It may signal itself, its own group and its children.
///
/// `kill(pid, …)` after a fork that failed, with `pid` -1, is such a try: it would end everything that the user runs.
/// Where the kernel has no seccomp filters there is no such protection.
fn forbid_signals() -> io::Result<()> {
    // SAFETY: these take and return numbers.
    let (grader, group) = unsafe { (libc::getppid(), libc::getpgid(libc::getppid())) };
    let mut targets = vec![-1, 1, grader, -group];
    targets.extend(parent_of(grader));
    // A group or parent that could not be found out is 1 or less; 0 is this process's own group and stays allowed.
    targets.retain(|target| *target != 0);
    let calls = [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_open,
    ];
    let filter = filter(&calls, &targets);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` describes `filter`, which is valid during the call; the kernel copies it.
    // The observer has already made the promise (no new privileges) that an unprivileged filter needs, and once more does no harm.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == -1 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EINVAL | libc::ENOSYS) => Ok(()),
                _ => Err(error),
            };
        }
    }
    Ok(())
}

/// The parent of a process.
fn parent_of(pid: pid_t) -> Option<pid_t> {
    let (_, parent) = state_and_parent(pid.try_into().ok()?)?;
    parent.try_into().ok()
}

/// A filter that kills the process at one of these calls with one of these first arguments.
/// It looks only at call numbers of the machine's own calling convention; any other call passes.
fn filter(calls: &[i64], targets: &[pid_t]) -> Vec<sock_filter> {
    /// Where `struct seccomp_data` keeps the call's number, and the low half of its first argument.
    const NUMBER: u32 = 0;
    const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

    let step =
        |code: u32, k: u32, jt: usize, jf: usize| sock_filter { code: code as u16, jt: jt as u8, jf: jf as u8, k };
    let mut filter = vec![step(LOAD, NUMBER, 0, 0)];
    for (at, call) in calls.iter().enumerate() {
        // One of the calls: on to the arguments, past the remaining calls and the "allow" below them.
        filter.push(step(JUMP_IF_EQUAL, *call as u32, calls.len() - at, 0));
    }
    filter.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    filter.push(step(LOAD, FIRST_ARGUMENT, 0, 0));
    for (at, target) in targets.iter().enumerate() {
        filter.push(step(JUMP_IF_EQUAL, target.cast_unsigned(), targets.len() - at, 0));
    }
    filter.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    filter.push(step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0));
    filter
}
