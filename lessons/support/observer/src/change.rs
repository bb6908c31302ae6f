//! Changing a call on its way into the kernel and on its way back: how injections and the guard's refusals are done.
//!
//! A call is skipped by giving it a number that no call has; the kernel then runs nothing, and at the exit stop the result is
//! written over. On x86_64 the thread's registers are written, which every kernel allows. Elsewhere
//! `PTRACE_SET_SYSCALL_INFO` (Linux 6.16 and later) does the same without knowledge of registers; where it is missing,
//! aarch64's registers are written.

use std::io;

use libc::pid_t;

use crate::decode::{self, SyscallInfo};
use crate::ptrace::{self, SyscallStop};
use crate::{Effect, Error, Injection, Occurrence};

/// A change to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The kernel does not run it; it gives this errno.
    Fail(i32),
    /// Its length argument is lowered for the kernel's eyes, and put back afterwards: a program may rely on a call to
    /// leave its registers alone.
    Shorten { original: u64, lowered: u64 },
}

/// sendto, recvfrom, read and write all have their length in the third argument.
const LENGTH: usize = 2;

impl Change {
    /// At the entry stop.
    pub fn at_entry(&self, tid: pid_t, stop: &SyscallStop) -> io::Result<()> {
        match *self {
            Change::Fail(_) => match by_kernel(tid, stop, |changed| changed.set_number(u64::MAX)) {
                Err(_) => registers::skip(tid),
                done => done,
            },
            Change::Shorten { lowered, .. } => match by_kernel(tid, stop, |changed| changed.set_arg(LENGTH, lowered)) {
                Err(_) => registers::set_third(tid, lowered),
                done => done,
            },
        }
    }

    /// At the exit stop.
    pub fn at_exit(&self, tid: pid_t, stop: &SyscallStop) -> io::Result<()> {
        match *self {
            Change::Fail(errno) => match by_kernel(tid, stop, |changed| changed.set_error(errno)) {
                Err(_) => registers::set_result(tid, -i64::from(errno)),
                done => done,
            },
            // At an exit the kernel's way can change nothing but the result.
            Change::Shorten { original, .. } => registers::set_third(tid, original),
        }
    }

    /// The result that the program gets in place of the kernel's.
    pub fn result(&self) -> Option<i64> {
        match *self {
            Change::Fail(errno) => Some(-i64::from(errno)),
            Change::Shorten { .. } => None,
        }
    }
}

/// Whether the kernel's own way is tried first. On x86_64 the registers are the surer way: all kernels have it.
fn kernel_first() -> bool {
    #[cfg(test)]
    if tests::KERNEL_FIRST.load(std::sync::atomic::Ordering::Relaxed) {
        return true;
    }
    !cfg!(target_arch = "x86_64")
}

/// By `PTRACE_SET_SYSCALL_INFO`: hands back the stop with a change in it.
fn by_kernel(tid: pid_t, stop: &SyscallStop, how: impl FnOnce(&mut SyscallStop)) -> io::Result<()> {
    if !kernel_first() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut changed = *stop;
    how(&mut changed);
    ptrace::set_syscall_stop(tid, &changed)
}

/// Whether these injections make sense; the first that does not is an error.
pub(crate) fn check(injections: &[Injection]) -> Result<(), Error> {
    for injection in injections {
        let names = injection.calls.join(", ");
        let mistake = if !injection.calls.iter().any(|name| decode::table().iter().any(|info| info.name == name)) {
            Some(format!("none of the calls it names is traced on this architecture: {names}"))
        } else if injection.calls.iter().any(|name| name == "exit" || name == "exit_group") {
            Some("a program cannot be kept from ending: exit and exit_group never fail".to_string())
        } else {
            match injection.effect {
                Effect::Fail(errno) if !(1..=4095).contains(&errno) => {
                    Some(format!("{errno} is not an errno (1 to 4095)"))
                }
                Effect::Shorten(_) if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) => {
                    Some("the observer cannot shorten calls on this architecture".to_string())
                }
                Effect::Shorten(_) if !injection.calls.iter().all(|name| has_length(name)) => {
                    Some(format!("only sendto, recvfrom, read and write can be shortened, not: {names}"))
                }
                _ => None,
            }
        };
        if let Some(mistake) = mistake {
            let source = io::Error::new(io::ErrorKind::InvalidInput, mistake);
            return Err(Error::Tracer { step: "reading the injections", source });
        }
    }
    Ok(())
}

fn has_length(name: &str) -> bool {
    matches!(name, "sendto" | "recvfrom" | "read" | "write")
}

/// Counts this call for every injection that names it, and gives the change that the first of those asks for, whose turn
/// it is.
pub(crate) fn choose(
    injections: &[Injection],
    counts: &mut [u32],
    info: &SyscallInfo,
    args: &[u64; 6],
) -> Option<Change> {
    let mut chosen = None;
    for (injection, count) in injections.iter().zip(counts) {
        if !injection.calls.iter().any(|name| name == info.name) {
            continue;
        }
        *count = count.saturating_add(1);
        let its_turn = match injection.which {
            Occurrence::Nth(nth) => *count == nth,
            Occurrence::From(nth) => *count >= nth,
            Occurrence::Every => true,
        };
        if its_turn && chosen.is_none() {
            chosen = Some(match injection.effect {
                Effect::Fail(errno) => Change::Fail(errno),
                Effect::Shorten(bytes) => {
                    Change::Shorten { original: args[LENGTH], lowered: args[LENGTH].min(bytes as u64) }
                }
            });
        }
    }
    chosen
}

/// By the thread's registers, which every kernel lets a tracer write.
#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{io, pid_t, ptrace};

    const PTRACE_GETREGS: libc::c_long = 12;
    const PTRACE_SETREGS: libc::c_long = 13;

    pub fn skip(tid: pid_t) -> io::Result<()> {
        change(tid, |registers| registers.orig_rax = u64::MAX)
    }

    pub fn set_third(tid: pid_t, value: u64) -> io::Result<()> {
        change(tid, |registers| registers.rdx = value)
    }

    pub fn set_result(tid: pid_t, value: i64) -> io::Result<()> {
        change(tid, |registers| registers.rax = value as u64)
    }

    fn change(tid: pid_t, how: impl FnOnce(&mut libc::user_regs_struct)) -> io::Result<()> {
        // SAFETY: registers are plain numbers, for which zero bytes are valid.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        ptrace::request(PTRACE_GETREGS, tid, 0, (&raw mut registers) as usize)?;
        how(&mut registers);
        ptrace::request(PTRACE_SETREGS, tid, 0, (&raw mut registers) as usize)
    }
}

/// By the thread's registers. The call's number is not among them: it has a set of its own.
#[cfg(target_arch = "aarch64")]
mod registers {
    use super::{io, pid_t, ptrace};

    const PTRACE_GETREGSET: libc::c_long = 0x4204;
    const PTRACE_SETREGSET: libc::c_long = 0x4205;
    const NT_PRSTATUS: usize = 1;
    const NT_ARM_SYSTEM_CALL: usize = 0x404;

    /// `struct user_pt_regs`: x0 to x30, the stack pointer, the program counter, the state.
    type Registers = [u64; 34];

    pub fn skip(tid: pid_t) -> io::Result<()> {
        let mut number: libc::c_int = -1;
        set(PTRACE_SETREGSET, NT_ARM_SYSTEM_CALL, tid, &mut number)
    }

    pub fn set_third(tid: pid_t, value: u64) -> io::Result<()> {
        change(tid, |registers| registers[2] = value)
    }

    pub fn set_result(tid: pid_t, value: i64) -> io::Result<()> {
        change(tid, |registers| registers[0] = value as u64)
    }

    fn change(tid: pid_t, how: impl FnOnce(&mut Registers)) -> io::Result<()> {
        let mut registers: Registers = [0; 34];
        set(PTRACE_GETREGSET, NT_PRSTATUS, tid, &mut registers)?;
        how(&mut registers);
        set(PTRACE_SETREGSET, NT_PRSTATUS, tid, &mut registers)
    }

    /// Reads or writes a whole set of registers.
    fn set<T>(request: libc::c_long, which: usize, tid: pid_t, registers: &mut T) -> io::Result<()> {
        let mut part = libc::iovec { iov_base: (&raw mut *registers).cast(), iov_len: size_of::<T>() };
        ptrace::request(request, tid, which, (&raw mut part) as usize)
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers {
    use super::{io, pid_t};

    pub fn skip(_: pid_t) -> io::Result<()> {
        Err(unknown())
    }

    pub fn set_third(_: pid_t, _: u64) -> io::Result<()> {
        Err(unknown())
    }

    pub fn set_result(_: pid_t, _: i64) -> io::Result<()> {
        Err(unknown())
    }

    fn unknown() -> io::Error {
        let why = "the observer does not know this architecture's registers; PTRACE_SET_SYSCALL_INFO needs Linux 6.16";
        io::Error::new(io::ErrorKind::Unsupported, why)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{Change, check, choose};
    use crate::{Effect, Injection, Observer, Occurrence, decode};

    /// Set by a test of the kernel's own way.
    pub static KERNEL_FIRST: AtomicBool = AtomicBool::new(false);

    #[test]
    fn the_first_injection_whose_turn_it_is_wins() {
        let accept4 = decode::table().iter().find(|info| info.name == "accept4").expect("accept4 is traced");
        let injections = [
            Injection::fail(&["accept", "accept4"], 2, libc::EMFILE),
            Injection::new(&["accept4"], Occurrence::From(2), Effect::Fail(libc::ENOMEM)),
        ];
        let mut counts = [0; 2];
        let chosen: Vec<_> = (0..3).map(|_| choose(&injections, &mut counts, accept4, &[0; 6])).collect();
        assert_eq!(chosen, [None, Some(Change::Fail(libc::EMFILE)), Some(Change::Fail(libc::ENOMEM))]);
    }

    #[test]
    fn an_injection_that_makes_no_sense_is_an_error_that_says_why() {
        let cases = [
            (Injection::fail(&["send"], 1, libc::EPIPE), "none of the calls it names is traced"),
            (Injection::fail(&["sendto"], 1, 0), "0 is not an errno"),
            (Injection::fail(&["exit_group"], 1, libc::EPERM), "cannot be kept from ending"),
            (Injection::shorten(&["sendmsg"], 1, 2), "can be shortened"),
        ];
        for (injection, why) in cases {
            let error = check(&[injection]).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn the_kernels_own_way_changes_a_call_as_registers_do() {
        // Linux 6.16 and later; before, the observer falls back to registers, and the test shows that instead.
        KERNEL_FIRST.store(true, Ordering::Relaxed);
        let seen = Observer::new("/bin/sh")
            .arg("-c")
            .arg("printf 'hello world'; printf gone 2>/dev/null; exit 7")
            .any_descriptor()
            .capture()
            .inject(Injection::shorten(&["write"], 1, 5))
            .inject(Injection::fail(&["write"], 3, libc::ENOSPC))
            .run()
            .expect("the shell can be observed");
        assert_eq!(String::from_utf8_lossy(&seen.stdout), "hello world");
        let lines: Vec<String> = seen.trace.events.iter().map(|event| event.line()).collect();
        let injected: Vec<_> = lines.iter().filter(|line| line.contains("INJECTED")).collect();
        assert_eq!(injected.len(), 2, "{lines:#?}");
        assert!(injected[0].ends_with("= 5 (INJECTED)"), "{}", injected[0]);
        assert!(injected[1].contains("ENOSPC"), "{}", injected[1]);
    }
}
