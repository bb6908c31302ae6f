//! A directory of an experiment's own, gone afterwards whatever happens, Ctrl-C included.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a signal that ends this program must still remove and end.
static LEFTOVERS: Mutex<Leftovers> = Mutex::new(Leftovers { directory: None, group: None });

struct Leftovers {
    directory: Option<PathBuf>,
    group: Option<libc::pid_t>,
}

/// The directory; removed when this value is dropped.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes it, below the system's directory for temporary files.
    pub(crate) fn new(lesson: &str) -> io::Result<Scratch> {
        let parent = std::path::absolute(std::env::temp_dir())?;
        for number in 0.. {
            let path = parent.join(format!("lesson-{lesson}-{}-{number}", std::process::id()));
            // Made and remembered at one go: no signal may come in between.
            let mut leftovers = leftovers();
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    leftovers.directory = Some(path.clone());
                    fs::create_dir(path.join("work"))?;
                    return Ok(Scratch { path });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let what = format!("cannot make a directory for the experiment, {}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), what));
                }
            }
        }
        unreachable!("a number can always be counted up")
    }

    /// Where the experiment works: empty at first.
    pub(crate) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// A file beside it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut leftovers = leftovers();
        remove(&self.path);
        leftovers.directory = None;
    }
}

/// Remembers a process group that must not outlive this program; `None` forgets it.
pub(crate) fn remember_group(group: Option<libc::pid_t>) {
    leftovers().group = group;
}

fn leftovers() -> std::sync::MutexGuard<'static, Leftovers> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A dying experiment may still make files, so one failure is not the last word.
fn remove(path: &Path) {
    for _ in 0..10 {
        match fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// The signals that ask a program to go.
const FAREWELLS: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// From here on, a signal that asks this program to go first clears up what [`Scratch`] made.
///
/// The signals are blocked in the calling thread (and so in all threads made after this) and waited for by one thread
/// made for it, which is why clearing up may do what a signal handler may not. A child inherits the blocked mask, so it must call
/// [`unblock_signals`].
pub(crate) fn clear_up_on_signals() -> io::Result<()> {
    let set = farewells();
    // SAFETY: `set` is a signal set that lives through the call, and the old mask is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    std::thread::Builder::new().name("farewell".to_string()).spawn(wait_for_farewell)?;
    Ok(())
}

fn wait_for_farewell() {
    let set = farewells();
    let mut signal = 0;
    // SAFETY: `set` and `signal` live through the call.
    if unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {
        return;
    }
    let leftovers = leftovers();
    if let Some(group) = leftovers.group {
        // SAFETY: kill takes two numbers; the group is one that this program made.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    if let Some(directory) = &leftovers.directory {
        remove(directory);
    }
    // Now go as the signal asked, so that whoever waits for this program learns the truth.
    // SAFETY: the default action, two numbers, and a set that lives through the call.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// Lets every signal through again; for a child, before it plays.
pub(crate) fn unblock_signals() -> io::Result<()> {
    let mut none = farewells();
    // SAFETY: `none` is a signal set, and sigemptyset only writes into it.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: `none` lives through the call, and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn farewells() -> libc::sigset_t {
    // SAFETY: a sigset_t is plain numbers, for which all zeros is a value; sigemptyset makes it a good one.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` lives through both calls, and the signals exist.
    unsafe {
        libc::sigemptyset(&raw mut set);
        for signal in FAREWELLS {
            libc::sigaddset(&raw mut set, signal);
        }
    }
    set
}
