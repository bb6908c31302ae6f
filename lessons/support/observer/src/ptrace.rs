//! The few `ptrace(2)` requests that the tracer makes, each as a checked call. Where `libc` and `nix` have not got them
//! (or not on every C library), the raw system call is made.

use std::io;

use libc::pid_t;

const PTRACE_CONT: libc::c_long = 7;
const PTRACE_SYSCALL: libc::c_long = 24;
const PTRACE_GETEVENTMSG: libc::c_long = 0x4201;
const PTRACE_GETSIGINFO: libc::c_long = 0x4202;
const PTRACE_SEIZE: libc::c_long = 0x4206;
const PTRACE_LISTEN: libc::c_long = 0x4208;
const PTRACE_GET_SYSCALL_INFO: libc::c_long = 0x420e;

const PTRACE_SET_SYSCALL_INFO: libc::c_long = 0x4212;

const PTRACE_O_TRACESYSGOOD: usize = 0x01;
const PTRACE_O_TRACEFORK: usize = 0x02;
const PTRACE_O_TRACEVFORK: usize = 0x04;
const PTRACE_O_TRACECLONE: usize = 0x08;
const PTRACE_O_TRACEEXEC: usize = 0x10;
const PTRACE_O_TRACESECCOMP: usize = 0x80;
const PTRACE_O_EXITKILL: usize = 0x10_0000;

/// Everything that the tracer wants to be told, and the child's death should the tracer die.
const OPTIONS: usize = PTRACE_O_TRACESYSGOOD
    | PTRACE_O_TRACEFORK
    | PTRACE_O_TRACEVFORK
    | PTRACE_O_TRACECLONE
    | PTRACE_O_TRACEEXEC
    | PTRACE_O_TRACESECCOMP
    | PTRACE_O_EXITKILL;

/// A system call made (its exit stop is still to come).
pub(crate) const OP_ENTRY: u8 = 1;
/// A system call returned.
pub(crate) const OP_EXIT: u8 = 2;

/// The kernel's `struct ptrace_syscall_info`, with its union as plain words: at an entry the call's number and its six
/// arguments (and, from a seccomp stop, the filter's value), at an exit the result and whether it is an error.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyscallStop {
    /// [`OP_ENTRY`], [`OP_EXIT`], or 3 at a seccomp stop; 0 outside a call.
    pub op: u8,
    reserved: u8,
    flags: u16,
    /// The calling convention: an `AUDIT_ARCH_…` number.
    pub arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    words: [u64; 8],
}

impl SyscallStop {
    /// The call's number (at an entry).
    pub fn number(&self) -> u64 {
        self.words[0]
    }

    /// The call's arguments (at an entry).
    pub fn args(&self) -> [u64; 6] {
        let [_, a, b, c, d, e, f, _] = self.words;
        [a, b, c, d, e, f]
    }

    /// Gives the call another number (at an entry).
    pub fn set_number(&mut self, number: u64) {
        self.words[0] = number;
    }

    /// Changes an argument, counted from 0 (at an entry).
    pub fn set_arg(&mut self, index: usize, value: u64) {
        self.words[1 + index] = value;
    }

    /// Makes the call fail with this errno (at an exit).
    pub fn set_error(&mut self, errno: i32) {
        self.words[0] = -i64::from(errno) as u64;
        // The kernel's `is_error` is the byte behind the result.
        self.words[1] = u64::from_ne_bytes([1, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// What the kernel returned: a negated errno after an error (at an exit).
    pub fn result(&self) -> i64 {
        self.words[0] as i64
    }
}

/// Makes `pid` a tracee of this thread, without stopping it.
pub(crate) fn seize(pid: pid_t) -> io::Result<()> {
    request(PTRACE_SEIZE, pid, 0, OPTIONS)
}

/// Lets a stopped thread go on to its next event, with this signal (0 for none).
pub(crate) fn cont(tid: pid_t, signal: i32) -> io::Result<()> {
    request(PTRACE_CONT, tid, 0, signal as usize)
}

/// Lets a stopped thread go on to the next beginning or end of a system call, with this signal (0 for none).
pub(crate) fn cont_to_syscall(tid: pid_t, signal: i32) -> io::Result<()> {
    request(PTRACE_SYSCALL, tid, 0, signal as usize)
}

/// Leaves a thread that a signal such as SIGSTOP has stopped in that state, until SIGCONT wakes it.
pub(crate) fn listen(tid: pid_t) -> io::Result<()> {
    request(PTRACE_LISTEN, tid, 0, 0)
}

/// What the last event was about: a new thread's id, an exec's former thread id.
pub(crate) fn event_message(tid: pid_t) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    request(PTRACE_GETEVENTMSG, tid, 0, (&raw mut message) as usize)?;
    Ok(message)
}

/// The raw bytes of the `siginfo_t` of the signal that stopped this thread.
pub(crate) fn signal_info(tid: pid_t) -> io::Result<[u8; 128]> {
    let mut info = Aligned([0; 128]);
    request(PTRACE_GETSIGINFO, tid, 0, (&raw mut info) as usize)?;
    Ok(info.0)
}

/// The kernel's `siginfo_t` is 128 bytes long and aligned as a pointer is.
#[repr(C, align(8))]
struct Aligned([u8; 128]);

/// The system call in which this thread is stopped.
pub(crate) fn syscall_stop(tid: pid_t) -> io::Result<SyscallStop> {
    let mut stop = SyscallStop::default();
    request(PTRACE_GET_SYSCALL_INFO, tid, size_of::<SyscallStop>(), (&raw mut stop) as usize)?;
    Ok(stop)
}

/// Changes the system call in which this thread is stopped (Linux 6.16 and later).
pub(crate) fn set_syscall_stop(tid: pid_t, stop: &SyscallStop) -> io::Result<()> {
    request(PTRACE_SET_SYSCALL_INFO, tid, size_of::<SyscallStop>(), (&raw const *stop) as usize)
}

/// Makes one request. `address` and `data` are what `ptrace(2)` calls so; where the kernel writes through `data`, the caller
/// passes the address of a live value of the right size.
pub(crate) fn request(request: libc::c_long, tid: pid_t, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: no request used here writes anywhere but through `data`, and each caller in this crate passes either a plain
    // number or the address of a local of the size that the kernel writes.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, request, libc::c_long::from(tid), address, data) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
