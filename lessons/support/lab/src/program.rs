//! A lesson's own programs: such as a server and a client that are run for real, in two terminals.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use observer::{Ending, Event, Limits, Observer};

use crate::player::MYSELF;
use crate::{child, show};

/// A program of a lesson's own, beside its experiments: it runs as long as it likes, with the terminal's own input and
/// output, and is given its own command line. As for an experiment, SIGPIPE is at its default, and no descriptor above the
/// standard three is open.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The word by which it is asked for, the first of the command line: such as `server`.
    pub name: &'static str,
    /// An example of what may stand behind it, for the lesson's help: such as `--port 50000`.
    pub words: &'static str,
    /// What it is, in a few words.
    pub shows: &'static str,
    /// The program, given the words that stand behind its name. It gives the exit status.
    pub run: fn(Vec<OsString>) -> ExitCode,
}

/// Runs a program from the same state as an experiment.
pub(crate) fn run(program: &Program, words: Vec<OsString>) -> ExitCode {
    if let Err(error) = child::begin_plainly() {
        return complain(format_args!("cannot get ready to run {}: {error}", program.name));
    }
    (program.run)(words)
}

/// For a [`Program`]: runs it under the observer, and prints each line to standard error as soon as it is seen.
///
/// What is observed is this program, started again with the same command line and `--quiet` right after its name: so a
/// program that calls this must have the option `--quiet`, and must not call this if it is given. Where tracing is
/// refused, it says so, and `untraced` runs instead.
///
/// The exit status is the program's own, and a signal that ended the program ends this process too. SIGINT and SIGTERM are
/// the program's business: a Ctrl-C reaches both from the terminal, and what is sent to this process alone is passed on.
pub fn watched(untraced: impl FnOnce() -> ExitCode) -> ExitCode {
    if let Err(error) = handle_farewells(pass_on as *const () as libc::sighandler_t) {
        return complain(format_args!("cannot pass signals on: {error}"));
    }
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    words.insert(words.len().min(1), "--quiet".into());
    let observer = Observer::new(MYSELF)
        .deadline(Duration::MAX)
        .limits(Limits { file_size: None, ..Limits::default() })
        .keep_bytes(0);
    let observer = words.into_iter().fold(observer, Observer::arg);

    let seen = observer.run_with(print);
    WATCHED.store(0, Ordering::Relaxed);
    if let Err(error) = handle_farewells(libc::SIG_DFL) {
        return complain(format_args!("cannot put signals back: {error}"));
    }
    match seen {
        Ok(seen) => follow(&seen.trace.ending),
        Err(error @ observer::Error::Refused { .. }) => {
            anstream::eprintln!("There is no trace: {error}.\n");
            untraced()
        }
        Err(error) => complain(format_args!("{error}")),
    }
}

fn print(event: Event) {
    WATCHED.store(event.pid, Ordering::Relaxed);
    // How the observer starts it is not its story.
    if event.call().is_some_and(|call| call.name == "execve") {
        return;
    }
    let mut out = anstream::stderr().lock();
    // Whom could we tell that nobody listens any more? The program goes on all the same.
    let _ = show::live(&mut out, &event).and_then(|()| out.flush());
}

/// Ends as the program has ended.
fn follow(ending: &Ending) -> ExitCode {
    match ending {
        Ending::Exited { status } => ExitCode::from(u8::try_from(*status).unwrap_or(1)),
        Ending::Killed { signal } => {
            if let Ok(signal) = Signal::from_str(signal) {
                // SAFETY: both take numbers; the default action replaces whatever was set. (For SIGKILL nothing can be set.)
                unsafe {
                    libc::signal(signal as libc::c_int, libc::SIG_DFL);
                    libc::raise(signal as libc::c_int);
                }
            }
            ExitCode::FAILURE
        }
        Ending::Deadline { .. } | Ending::TooManyProcesses { .. } => ExitCode::FAILURE,
    }
}

/// The program that is being watched; 0 while there is none.
static WATCHED: AtomicI32 = AtomicI32::new(0);

/// Passes a signal on to the program, unless the terminal has sent it: that sends it to all of its foreground group. While
/// there is no program yet it does what it does by default.
extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let watched = WATCHED.load(Ordering::Relaxed);
    // SAFETY: the kernel gives a valid siginfo_t to a handler with SA_SIGINFO. signal, raise and kill are async-signal-safe
    // and take numbers; errno is this thread's own, and is put back for whatever was interrupted.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        if watched == 0 {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        } else if (*info).si_code != libc::SI_KERNEL {
            libc::kill(watched, signal);
        }
        *errno = before;
    }
}

/// Sets what is done with SIGINT and SIGTERM: [`pass_on`], or the default.
fn handle_farewells(handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value: no flags, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    if handler != libc::SIG_DFL {
        action.sa_flags |= libc::SA_SIGINFO;
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: `action` lives through the call, and the old one is not asked for.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn complain(what: std::fmt::Arguments<'_>) -> ExitCode {
    anstream::eprintln!("{what}");
    ExitCode::FAILURE
}
