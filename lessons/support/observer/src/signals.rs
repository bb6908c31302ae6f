//! Signals as `strace` prints them: their names, and the details in a `siginfo_t`.

use std::fmt::Write;

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
            add(text, format_args!(", si_timerid={:#x}, si_overrun={}", info.int(16), info.int(20)));
            value(text, info);
        }
        _ => {
            sender(text, info);
            value(text, info);
        }
    }
}

/// What the kernel sent on its own account.
fn from_kernel(text: &mut String, info: &Info) {
    match info.signal() {
        libc::SIGCHLD => {
            sender(text, info);
            let status = info.int(24);
            let status = if info.code() == libc::CLD_EXITED { status.to_string() } else { name(status) };
            add(text, format_args!(", si_status={status}, si_utime={}, si_stime={}", info.long(32), info.long(40)));
        }
        libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS => {
            add(text, format_args!(", si_addr={}", pointer(info.long(16))));
        }
        libc::SIGIO if (1..=3).contains(&info.code()) => {
            add(text, format_args!(", si_band={}", info.long(16)));
        }
        libc::SIGSYS => {
            add(text, format_args!(", si_call_addr={}", pointer(info.long(16))));
            add(text, format_args!(", si_syscall={}, si_arch={:#x}", info.int(24), info.int(28)));
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
                libc::SIGILL => &["ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG"],
                libc::SIGFPE => {
                    &["FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV"]
                }
                libc::SIGSEGV => &["SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"],
                libc::SIGBUS => &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR"],
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
