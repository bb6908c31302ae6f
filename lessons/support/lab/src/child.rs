//! The other side of the lab: one experiment, played in this very process.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::ExitCode;

use observer::fence;

use crate::piece::Piece;
use crate::{Lesson, Stop, scratch};

/// Plays the experiment of this name. Why it stopped, if it did, goes to the file as JSON, or else to standard error.
pub(crate) fn play(lesson: &'static Lesson, name: &str, stop_file: Option<&Path>) -> ExitCode {
    let Some(piece) = Piece::all(lesson).find(|piece| piece.name() == name) else {
        eprintln!("lesson-{} has no experiment named {name}", lesson.name);
        return ExitCode::from(crate::USAGE);
    };
    let mut stop_file = match prepare(stop_file) {
        Ok(stop_file) => stop_file,
        Err(error) => {
            eprintln!("cannot get ready to play {name}: {error}");
            return ExitCode::FAILURE;
        }
    };

    fence::begin();
    let result = piece.play();
    fence::end();

    match report(result, &mut stop_file) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cannot say how {name} ended: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Puts this process into the state that every experiment starts from.
fn prepare(stop_file: Option<&Path>) -> io::Result<Option<File>> {
    begin_plainly()?;
    scratch::unblock_signals()?;
    stop_file.map(|path| File::create(path).and_then(out_of_the_way)).transpose()
}

/// Gives this process what a small program in C begins with: the standard three descriptors, and SIGPIPE at its default.
pub(crate) fn begin_plainly() -> io::Result<()> {
    close_what_was_left_open()?;
    // Rust (as Python) starts every program with SIGPIPE ignored; a C program has it as the system gives it.
    // SAFETY: the default action replaces an ignored one; no handler of ours is involved.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes all but the standard three: whoever started the lesson (a terminal, an editor, a course's script) may have left
/// descriptors of its own open, and an experiment's sockets would get other numbers than in the book.
fn close_what_was_left_open() -> io::Result<()> {
    let own = format!("/proc/{}/fd", std::process::id());
    // The numbers are collected first: by then the descriptor with which they are read is closed, and so it is left out.
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(Result::ok)
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|file| file != Path::new(&own)))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > libc::STDERR_FILENO)
        .collect();
    for fd in open {
        // SAFETY: close takes a number. Nothing in this process owns a descriptor above 2 yet. What it answers changes
        // nothing: the number is free afterwards.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Moves the file's descriptor up, so that the experiment's first socket is 3, as in any small program. It is opened
/// before the experiment because afterwards the process may no longer be allowed to.
fn out_of_the_way(file: File) -> io::Result<File> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is an rlimit that lives through the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let highest = limit.rlim_cur.min(1024).saturating_sub(1) as libc::c_int;
    // SAFETY: fcntl(F_DUPFD_CLOEXEC) takes numbers only.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, highest) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fcntl has just made this descriptor, and nobody else knows it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

fn report(result: Result<(), Stop>, stop_file: &mut Option<File>) -> io::Result<ExitCode> {
    io::stdout().flush()?;
    let Err(stop) = result else {
        return Ok(ExitCode::SUCCESS);
    };
    match stop_file {
        Some(file) => file.write_all(&serde_json::to_vec(&stop)?)?,
        None => eprintln!("{stop}"),
    }
    Ok(ExitCode::FAILURE)
}
