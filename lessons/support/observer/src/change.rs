//! Changing a call on its way into the kernel and on its way back: how injections and the guard's refusals are done.
//!
//! A call is skipped by giving it a number that no call has; the kernel then runs nothing, and at the exit stop the result is
//! written over. On x86_64 the thread's registers are written, which every kernel allows. Elsewhere
//! `PTRACE_SET_SYSCALL_INFO` (Linux 6.16 and later) does the same without knowledge of registers; where it is missing,
//! aarch64's registers are written.

use std::io;

use libc::pid_t;

use crate::decode::{self, SyscallInfo};
use crate::ptrace::SyscallStop;
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
            Change::Fail(_) => registers::skip(tid, stop),
            Change::Shorten { lowered, .. } => registers::set_third(tid, stop, lowered),
        }
    }

    /// At the exit stop.
    pub fn at_exit(&self, tid: pid_t, stop: &SyscallStop) -> io::Result<()> {
        match *self {
            Change::Fail(errno) => registers::set_result(tid, stop, -i64::from(errno)),
            Change::Shorten { original, .. } => registers::restore_third(tid, original),
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

/// Whether these injections make sense; the first that does not is an error.
pub(crate) fn check(injections: &[Injection]) -> Result<(), Error> {
    for injection in injections {
        let names = injection.calls.join(", ");
        let mistake = if !injection.calls.iter().any(|name| decode::table().iter().any(|info| info.name == name)) {
            Some(format!("none of the calls it names is traced on this architecture: {names}"))
        } else {
            match injection.effect {
                Effect::Fail(errno) if !(1..=4095).contains(&errno) => {
                    Some(format!("{errno} is not an errno (1 to 4095)"))
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

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::io;

    use libc::pid_t;

    use crate::ptrace::{self, SyscallStop};

    const PTRACE_GETREGS: libc::c_long = 12;
    const PTRACE_SETREGS: libc::c_long = 13;

    pub fn skip(tid: pid_t, _: &SyscallStop) -> io::Result<()> {
        change(tid, |registers| registers.orig_rax = u64::MAX)
    }

    pub fn set_third(tid: pid_t, _: &SyscallStop, value: u64) -> io::Result<()> {
        change(tid, |registers| registers.rdx = value)
    }

    pub fn restore_third(tid: pid_t, value: u64) -> io::Result<()> {
        change(tid, |registers| registers.rdx = value)
    }

    pub fn set_result(tid: pid_t, _: &SyscallStop, value: i64) -> io::Result<()> {
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
