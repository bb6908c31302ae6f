//! Starts the program: an own fork and exec, so that the child can be seized before its first instruction and no step
//! of the start is a call that the tracer would have to answer while it waits for it.
//!
//! Everything that allocates happens before the fork. The child then does only what is allowed between fork and exec in a
//! program with threads (async-signal-safe calls), and reports through a pipe.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::ptr;

use libc::{c_char, c_int, pid_t};

use crate::{Error, Observer};

/// All that the child needs, prepared before the fork.
pub(crate) struct Plan {
    program: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
    directory: Option<CString>,
    filter: Vec<libc::sock_filter>,
    limits: Vec<(Resource, libc::rlim_t)>,
    /// Standard input, output and error, where they are captured.
    streams: Option<[OwnedFd; 3]>,
}

/// What `setrlimit` takes for a resource: another type on each C library.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = c_int;

/// A child that waits for [`Launched::go`].
pub(crate) struct Launched {
    pub pid: pid_t,
    go: OwnedFd,
    report: File,
}

/// A line of the child's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// It may be seized.
    Ready,
    /// The seccomp filter was refused; the child stops itself with SIGSTOP and then goes on without one.
    NoFilter,
    /// A step failed, with this errno; the child is gone.
    Failed(Step, i32),
}

/// A step between fork and exec that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// chdir
    Directory,
    /// dup2
    Streams,
    /// setrlimit
    Limits,
    /// execve
    Exec,
}

/// What the child writes for each [`Report`]; followed by an errno.
const READY: i32 = 1;
const NO_FILTER: i32 = 2;
const NO_DIRECTORY: i32 = 3;
const NO_STREAMS: i32 = 4;
const NO_LIMITS: i32 = 5;
const NO_EXEC: i32 = 6;

impl Plan {
    /// Prepares everything.
    pub fn new(observer: &Observer, filter: Vec<libc::sock_filter>) -> Result<Plan, Error> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes()).map_err(|_| Error::Start {
                program: observer.program.clone(),
                source: io::Error::new(io::ErrorKind::InvalidInput, format!("{text:?} has a zero byte inside")),
            })
        };
        let program = text(observer.program.as_os_str())?;
        let mut argv = vec![program.clone()];
        for arg in &observer.args {
            argv.push(text(arg)?);
        }
        let envp = environment(&observer.env).iter().map(|entry| text(entry)).collect::<Result<_, _>>()?;
        let directory = observer.directory.as_ref().map(|path| text(path.as_os_str())).transpose()?;
        let streams = if observer.capture {
            Some(streams().map_err(|source| Error::Tracer { step: "making memory files for the output", source })?)
        } else {
            None
        };
        let limits = [
            (libc::RLIMIT_FSIZE, observer.limits.file_size),
            (libc::RLIMIT_NOFILE, observer.limits.descriptors),
            (libc::RLIMIT_AS, observer.limits.memory),
        ];
        let limits = limits.into_iter().filter_map(|(what, most)| most.map(|most| (what, most))).collect();
        Ok(Plan { program, argv, envp, directory, filter, limits, streams })
    }

    /// Forks. The child waits for [`Launched::go`] and dies with the calling thread.
    pub fn fork(&self) -> Result<Launched, Error> {
        let tracer = |step| move |source| Error::Tracer { step, source };
        let (go_read, go) = pipe().map_err(tracer("pipe"))?;
        let (report, report_write) = pipe().map_err(tracer("pipe"))?;
        never_wait(&report).map_err(tracer("fcntl"))?;
        let argv = pointers(&self.argv);
        let envp = pointers(&self.envp);
        let parent = std::process::id() as pid_t;
        let blocked = Blocked::all();
        // SAFETY: the child calls only `child`, which keeps to async-signal-safe calls and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: `argv` and `envp` are null-terminated and point into `self`; the descriptors are open.
            unsafe { self.child(parent, go_read.as_raw_fd(), report_write.as_raw_fd(), &argv, &envp) };
        }
        let failed = io::Error::last_os_error();
        drop(blocked);
        if pid == -1 {
            return Err(Error::Tracer { step: "fork", source: failed });
        }
        Ok(Launched { pid, go, report: File::from(report) })
    }

    /// What the child wrote to its standard output and standard error, if that was captured.
    pub fn output(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        match &self.streams {
            Some([_, out, err]) => Ok((contents(out)?, contents(err)?)),
            None => Ok((Vec::new(), Vec::new())),
        }
    }

    /// The child's side, from fork to exec.
    ///
    /// # Safety
    /// To be called in a freshly forked child only. `argv` and `envp` must be null-terminated arrays of C strings.
    unsafe fn child(
        &self,
        parent: pid_t,
        go: RawFd,
        report: RawFd,
        argv: &[*const c_char],
        envp: &[*const c_char],
    ) -> ! {
        // SAFETY: every call below is async-signal-safe; pointers go to locals or to what `self` holds, which outlive them.
        unsafe {
            // Until it is seized, the child must not outlive its parent; and it must be "dumpable", or a parent without
            // privilege may not seize it. (A program that has changed its user id is not, and nor is its child.)
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::prctl(libc::PR_SET_DUMPABLE, 1);
            if libc::getppid() != parent {
                libc::_exit(127);
            }
            say(report, READY, 0);
            let mut byte = 0_u8;
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(127);
            }
            libc::prctl(libc::PR_SET_PDEATHSIG, 0);

            self.tidy_signals();
            self.settle(report);
            self.install_filter(report);
            libc::execve(self.program.as_ptr(), argv.as_ptr(), envp.as_ptr());
            fail(report, NO_EXEC);
        }
    }

    /// No signal is ignored or blocked in the child: the Rust runtime ignores SIGPIPE, which is a lesson of its own.
    ///
    /// # Safety
    /// Only between fork and exec.
    unsafe fn tidy_signals(&self) {
        // SAFETY: all pointers go to locals. sigaction fails for SIGKILL, SIGSTOP and the C library's own signals: they
        // are as they should be already. The mask is emptied last, so that no handler of the parent ever runs here.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            for signal in 1..=64 {
                libc::sigaction(signal, &raw const action, ptr::null_mut());
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        }
    }

    /// Directory, standard streams, limits.
    ///
    /// # Safety
    /// Only between fork and exec.
    unsafe fn settle(&self, report: RawFd) {
        // SAFETY: all pointers go to locals or into `self`; every result is checked.
        unsafe {
            if let Some(directory) = &self.directory
                && libc::chdir(directory.as_ptr()) == -1
            {
                fail(report, NO_DIRECTORY);
            }
            if let Some(streams) = &self.streams {
                // In a group of its own, `kill(0, …)` in the child does not reach its parent. This cannot fail in a
                // freshly forked child.
                libc::setpgid(0, 0);
                for (wanted, stream) in (0..).zip(streams) {
                    if libc::dup2(stream.as_raw_fd(), wanted) == -1 {
                        fail(report, NO_STREAMS);
                    }
                }
            }
            for &(resource, most) in &self.limits {
                let mut limit: libc::rlimit = std::mem::zeroed();
                if libc::getrlimit(resource, &raw mut limit) == -1 {
                    fail(report, NO_LIMITS);
                }
                limit.rlim_max = most.min(limit.rlim_max);
                limit.rlim_cur = limit.rlim_max;
                if libc::setrlimit(resource, &raw const limit) == -1 {
                    fail(report, NO_LIMITS);
                }
            }
        }
    }

    /// The seccomp filter. Where it is refused, the child says so and stops until the tracer has read it.
    ///
    /// # Safety
    /// Only between fork and exec.
    unsafe fn install_filter(&self, report: RawFd) {
        // SAFETY: `program` describes `self.filter`, which is not changed; the kernel copies it.
        unsafe {
            let program = libc::sock_fprog { len: self.filter.len() as u16, filter: self.filter.as_ptr().cast_mut() };
            // Without privilege a filter needs this promise: no program started from here on gains privilege by exec.
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == -1
            {
                say(report, NO_FILTER, *libc::__errno_location());
                libc::kill(libc::getpid(), libc::SIGSTOP);
            }
        }
    }
}

impl Launched {
    /// Waits until the child may be seized.
    pub fn wait_ready(&mut self) -> Result<(), Error> {
        loop {
            match self.report() {
                Ok(Some(Report::Ready)) => return Ok(()),
                Ok(None) if !self.has_ended() => self.wait_for_report(),
                Ok(_) => {
                    return Err(Error::Tracer { step: "starting the child", source: io::Error::other("it ended") });
                }
                Err(source) => return Err(Error::Tracer { step: "reading the child's report", source }),
            }
        }
    }

    /// Waits until there is something to read, but not long: nothing might come.
    fn wait_for_report(&self) {
        let mut readable = libc::pollfd { fd: self.report.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which is a local. Whatever it answers, the report is asked again.
        unsafe { libc::poll(&raw mut readable, 1, 100) };
    }

    /// Whether the child is gone. (Its end stays to be waited for.)
    fn has_ended(&self) -> bool {
        // SAFETY: zero bytes are a valid siginfo_t, which is a local; the news is not taken away (WNOWAIT).
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
            libc::waitid(libc::P_PID, self.pid as libc::id_t, &raw mut info, options) == -1 || info.si_pid() == self.pid
        }
    }

    /// Lets the child run.
    pub fn go(&mut self) -> io::Result<()> {
        nix::unistd::write(&self.go, &[1])?;
        Ok(())
    }

    /// The next line of the child's report, if there is one. Never waits: the other end may be held for a while by a
    /// child that another thread has just forked.
    pub fn report(&mut self) -> io::Result<Option<Report>> {
        let mut line = [0; 8];
        match self.report.read_exact(&mut line) {
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::WouldBlock) => {
                return Ok(None);
            }
            other => other?,
        }
        let [a, b, c, d, e, f, g, h] = line;
        let errno = i32::from_ne_bytes([e, f, g, h]);
        Ok(match i32::from_ne_bytes([a, b, c, d]) {
            READY => Some(Report::Ready),
            NO_FILTER => Some(Report::NoFilter),
            NO_DIRECTORY => Some(Report::Failed(Step::Directory, errno)),
            NO_STREAMS => Some(Report::Failed(Step::Streams, errno)),
            NO_LIMITS => Some(Report::Failed(Step::Limits, errno)),
            NO_EXEC => Some(Report::Failed(Step::Exec, errno)),
            _ => None,
        })
    }
}

/// Writes a line of the report: eight bytes, which a pipe takes whole.
///
/// # Safety
/// Only between fork and exec.
unsafe fn say(report: RawFd, what: i32, errno: i32) {
    let line = [what, errno];
    // SAFETY: `line` is eight bytes long. If nobody reads it any more, there is nobody to tell.
    unsafe { libc::write(report, line.as_ptr().cast(), 8) };
}

/// Reports a failed step, and ends the child.
///
/// # Safety
/// Only between fork and exec.
unsafe fn fail(report: RawFd, what: i32) -> ! {
    // SAFETY: errno is this thread's own; `_exit` runs no handlers.
    unsafe {
        say(report, what, *libc::__errno_location());
        libc::_exit(127)
    }
}

/// Holds back all signals in this thread while it lives.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    /// Holds them back.
    pub fn all() -> Blocked {
        // SAFETY: both sets are locals, and filled by the two calls.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Blocked(before)
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `self.0` was filled by pthread_sigmask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// The inherited environment with these entries on top, each as `NAME=value`.
fn environment(own: &[(OsString, OsString)]) -> Vec<OsString> {
    let mut entries: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    entries.extend(own.iter().cloned());
    entries
        .into_iter()
        .map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend(value.into_vec());
            OsString::from_vec(entry)
        })
        .collect()
}

/// A null-terminated array of pointers to these strings.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// An empty input, and a memory file each for output and errors.
fn streams() -> io::Result<[OwnedFd; 3]> {
    Ok([above_streams(File::open("/dev/null")?.into())?, memory_file(c"stdout")?, memory_file(c"stderr")?])
}

fn memory_file(name: &std::ffi::CStr) -> io::Result<OwnedFd> {
    // SAFETY: `name` is a C string.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    above_streams(owned(fd)?)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [c_int; 2] = [-1; 2];
    // SAFETY: `ends` has room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let [read, write] = ends;
    let (read, write) = (owned(read)?, owned(write)?);
    Ok((above_streams(read)?, above_streams(write)?))
}

/// Reads from this descriptor fail with EAGAIN rather than wait.
fn never_wait(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: `fd` is open.
    match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// In a program that has closed its standard streams a new descriptor may be 0, 1 or 2, where the child's streams go:
/// this moves it out of their way.
fn above_streams(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: `fd` is open.
    owned(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) })
}

fn owned(fd: c_int) -> io::Result<OwnedFd> {
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Everything in a memory file, whatever the file's offset.
fn contents(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(file.try_clone()?);
    let mut contents = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut contents, 0)?;
    Ok(contents)
}
