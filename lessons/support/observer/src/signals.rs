//! Signals as `strace` prints them: their names, and the details in a `siginfo_t`.

use std::fmt::Write;

use crate::decode;

const NAMES: [&str; 32] = [
    "0",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The kernel's first real-time signal (the C library keeps two for itself and starts at 34).
const FIRST_REAL_TIME: i32 = 32;
const LAST_REAL_TIME: i32 = 64;

/// A signal's name, such as `SIGPIPE`.
pub(crate) fn name(signal: i32) -> String {
    match signal {
        1..FIRST_REAL_TIME => NAMES[signal as usize].to_string(),
        FIRST_REAL_TIME => "SIGRTMIN".to_string(),
        33..=LAST_REAL_TIME => format!("SIGRT_{}", signal - FIRST_REAL_TIME),
        _ => signal.to_string(),
    }
}

/// The details of a signal, from the raw `siginfo_t`, with the braces.
pub(crate) fn details(info: &[u8; 128]) -> String {
    let info = Info(info);
    let mut text = format!("{{si_signo={}, si_code={}", name(info.signal()), code(info.signal(), info.code()));
    if info.errno() != 0 {
        add(&mut text, format_args!(", si_errno={}", info.errno()));
    }
    if info.code() <= 0 {
        from_process(&mut text, &info);
    } else {
        from_kernel(&mut text, &info);
    }
    text.push('}');
    text
}

/// What a process sent: by kill, tgkill, sigqueue, a timer.
fn from_process(text: &mut String, info: &Info) {
    match info.code() {
        libc::SI_USER | libc::SI_TKILL => sender(text, info),
        libc::SI_TIMER => {
            add(text, format_args!(", si_timerid={}, si_overrun={}", hex(info.int(16)), info.int(20)));
            value(text, info);
        }
        libc::SI_SIGIO => add(text, format_args!(", si_band={}, si_fd={}", info.long(16), info.int(24))),
        _ => {
            sender(text, info);
            if info.long(24) != 0 {
                value(text, info);
            }
        }
    }
}

/// A time in the clock ticks that programs are told of, a hundred to the second on every kind of machine.
fn clock(ticks: i64) -> String {
    match ticks {
        0 => "0".to_string(),
        _ => format!("{ticks} /* {:.2} s */", ticks as f64 / 100.0),
    }
}

/// What the kernel sent on its own account.
fn from_kernel(text: &mut String, info: &Info) {
    match info.signal() {
        libc::SIGCHLD => {
            sender(text, info);
            let status = info.int(24);
            let status = if info.code() == libc::CLD_EXITED { status.to_string() } else { name(status) };
            let (user, system) = (clock(info.long(32)), clock(info.long(40)));
            add(text, format_args!(", si_status={status}, si_utime={user}, si_stime={system}"));
        }
        libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP => {
            add(text, format_args!(", si_addr={}", pointer(info.long(16))));
        }
        libc::SIGIO => {
            if (1..=3).contains(&info.code()) {
                add(text, format_args!(", si_band={}, si_fd={}", info.long(16), info.int(24)));
            }
        }
        libc::SIGSYS => {
            add(text, format_args!(", si_call_addr={}, si_syscall=", pointer(info.long(16))));
            // `strace` knows all calls by name; here the traced ones are.
            match decode::lookup(info.int(24) as u64) {
                Some(call) => add(text, format_args!("__NR_{}", call.name)),
                None => add(text, format_args!("{}", info.int(24))),
            }
            match info.int(28) as u32 {
                0xc000_003e => text.push_str(", si_arch=AUDIT_ARCH_X86_64"),
                0xc000_00b7 => text.push_str(", si_arch=AUDIT_ARCH_AARCH64"),
                other => add(text, format_args!(", si_arch={other:#x}")),
            }
        }
        _ => {
            if info.int(16) != 0 || info.int(20) != 0 {
                sender(text, info);
            }
            if info.long(24) != 0 {
                value(text, info);
            }
        }
    }
}

fn sender(text: &mut String, info: &Info) {
    add(text, format_args!(", si_pid={}, si_uid={}", info.int(16), info.int(20) as u32));
}

fn value(text: &mut String, info: &Info) {
    add(text, format_args!(", si_int={}, si_ptr={}", info.int(24), pointer(info.long(24))));
}

/// Writing to a string cannot fail.
fn add(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

fn pointer(address: i64) -> String {
    if address == 0 { "NULL".to_string() } else { format!("{address:#x}") }
}

/// As C's `%#x` writes it: no `0x` before zero.
fn hex(number: i32) -> String {
    if number == 0 { "0".to_string() } else { format!("{number:#x}") }
}

/// Why a signal was sent.
fn code(signal: i32, code: i32) -> String {
    let known = match code {
        libc::SI_USER => "SI_USER",
        libc::SI_KERNEL => "SI_KERNEL",
        libc::SI_QUEUE => "SI_QUEUE",
        libc::SI_TIMER => "SI_TIMER",
        libc::SI_MESGQ => "SI_MESGQ",
        libc::SI_ASYNCIO => "SI_ASYNCIO",
        libc::SI_SIGIO => "SI_SIGIO",
        libc::SI_TKILL => "SI_TKILL",
        -60 => "SI_ASYNCNL",
        _ => {
            let names: &[&str] = match signal {
                libc::SIGILL => &[
                    "ILL_ILLOPC",
                    "ILL_ILLOPN",
                    "ILL_ILLADR",
                    "ILL_ILLTRP",
                    "ILL_PRVOPC",
                    "ILL_PRVREG",
                    "ILL_COPROC",
                    "ILL_BADSTK",
                ],
                libc::SIGFPE => {
                    &["FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV"]
                }
                libc::SIGSEGV => &["SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"],
                libc::SIGBUS => &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"],
                libc::SIGTRAP => &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"],
                libc::SIGCHLD => {
                    &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]
                }
                libc::SIGIO => &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"],
                libc::SIGSYS => &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
                _ => &[],
            };
            match usize::try_from(code).ok().and_then(|code| names.get(code.wrapping_sub(1))) {
                Some(name) => name,
                None => return format!("{code:#x}"),
            }
        }
    };
    known.to_string()
}

/// A `siginfo_t` as the 64-bit kernel lays it out.
struct Info<'a>(&'a [u8; 128]);

impl Info<'_> {
    fn int(&self, at: usize) -> i32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        i32::from_ne_bytes(bytes)
    }

    fn long(&self, at: usize) -> i64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        i64::from_ne_bytes(bytes)
    }

    fn signal(&self) -> i32 {
        self.int(0)
    }

    fn errno(&self) -> i32 {
        self.int(4)
    }

    fn code(&self) -> i32 {
        self.int(8)
    }
}

#[cfg(test)]
mod tests {
    use super::{details, name};

    /// A `siginfo_t` with these numbers in it: signal, errno, code, and then words of four bytes from 16 on.
    fn info(signal: i32, code: i32, words: &[i32]) -> [u8; 128] {
        let mut info = [0; 128];
        let places = [(0, signal), (8, code)].into_iter().chain((16..).step_by(4).zip(words.iter().copied()));
        for (at, word) in places {
            info[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        info
    }

    /// Each as `strace` 6.1 prints it.
    #[test]
    fn details_are_as_strace_prints_them() {
        let cases: &[(i32, i32, &[i32], &str)] = &[
            (13, 0, &[7, 1000], "{si_signo=SIGPIPE, si_code=SI_USER, si_pid=7, si_uid=1000}"),
            (34, -6, &[7, 0], "{si_signo=SIGRT_2, si_code=SI_TKILL, si_pid=7, si_uid=0}"),
            (12, -1, &[7, 0, 77], "{si_signo=SIGUSR2, si_code=SI_QUEUE, si_pid=7, si_uid=0, si_int=77, si_ptr=0x4d}"),
            (12, -1, &[7, 0, 0], "{si_signo=SIGUSR2, si_code=SI_QUEUE, si_pid=7, si_uid=0}"),
            (
                10,
                -2,
                &[0, 0, 5],
                "{si_signo=SIGUSR1, si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_int=5, si_ptr=0x5}",
            ),
            (14, 0x80, &[], "{si_signo=SIGALRM, si_code=SI_KERNEL}"),
            (
                17,
                1,
                &[7, 0, 3],
                "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=0, si_status=3, si_utime=0, si_stime=0}",
            ),
            (
                17,
                2,
                &[7, 0, 15],
                "{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=7, si_uid=0, si_status=SIGTERM, si_utime=0, si_stime=0}",
            ),
            (11, 1, &[16], "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10}"),
            (5, 0x80, &[], "{si_signo=SIGTRAP, si_code=SI_KERNEL, si_addr=NULL}"),
            (29, 1, &[65, 0, 4], "{si_signo=SIGIO, si_code=POLL_IN, si_band=65, si_fd=4}"),
            (35, 6, &[65, 0, 4], "{si_signo=SIGRT_3, si_code=0x6, si_pid=65, si_uid=0, si_int=4, si_ptr=0x4}"),
        ];
        for (signal, code, words, expected) in cases {
            assert_eq!(details(&info(*signal, *code, words)), *expected);
        }
    }

    #[test]
    fn every_number_has_a_name_and_none_panics() {
        assert_eq!(
            [1, 9, 31, 32, 33, 64].map(name),
            ["SIGHUP", "SIGKILL", "SIGSYS", "SIGRTMIN", "SIGRT_1", "SIGRT_32"]
        );
        for signal in [-1, 0, 65, i32::MIN, i32::MAX] {
            assert_eq!(name(signal), signal.to_string());
            for code in [i32::MIN, -7, 0, 1, 9, 0x80, i32::MAX] {
                assert!(details(&info(signal, code, &[-1; 20])).ends_with('}'));
            }
        }
    }
}
