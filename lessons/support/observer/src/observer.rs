//! The observer's front door: what to run and how.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::{Event, Guard, Injection, Trace, tracer};

/// Runs a program and sees its socket calls. Build it up, then [`run`](Observer::run).
#[derive(Clone, Debug)]
pub struct Observer {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) capture: bool,
    pub(crate) fenced: bool,
    pub(crate) any_descriptor: bool,
    pub(crate) snapshots: bool,
    pub(crate) keep_bytes: usize,
    pub(crate) deadline: Duration,
    pub(crate) limits: Limits,
    pub(crate) guard: Guard,
    pub(crate) injections: Vec<Injection>,
}

/// What a traced child and its children may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of address space per process (RLIMIT_AS); `None` for no limit.
    pub memory: Option<u64>,
    /// Most open descriptors per process (RLIMIT_NOFILE); `None` for no limit.
    pub descriptors: Option<u64>,
    /// Most bytes written to any one file, captured output included (RLIMIT_FSIZE); `None` for no limit.
    pub file_size: Option<u64>,
    /// Most processes and threads alive at once; one more, and all are killed.
    pub processes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory: None, descriptors: None, file_size: Some(64 << 20), processes: 256 }
    }
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What the kernel saw.
    pub trace: Trace,
    /// What the child wrote to standard output, if captured.
    pub stdout: Vec<u8>,
    /// What the child wrote to standard error, if captured.
    pub stderr: Vec<u8>,
}

/// Why a program could not be observed.
#[derive(Debug)]
pub enum Error {
    /// The program could not be started (no such file, not executable …).
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This machine does not let a process trace its own child.
    Refused {
        /// Which step was refused, such as `ptrace(PTRACE_SEIZE)`.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Something else went wrong in the tracer itself.
    Tracer {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Start { program, source } => write!(f, "cannot start {}: {source}", program.display()),
            Error::Refused { step, source } => write!(
                f,
                "this machine does not let a program trace its own child: {step} was refused ({source}). In a container, \
                 allow it with --cap-add=SYS_PTRACE or --security-opt seccomp=unconfined; \
                 elsewhere look at /proc/sys/kernel/yama/ptrace_scope (3 forbids all tracing)"
            ),
            Error::Tracer { step, source } => write!(f, "the tracer failed at {step}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Start { source, .. } | Error::Refused { source, .. } | Error::Tracer { source, .. } => Some(source),
        }
    }
}

impl Observer {
    /// An observer of this program (a path; it is not searched for in `PATH`).
    pub fn new(program: impl Into<PathBuf>) -> Observer {
        Observer {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: None,
            capture: false,
            fenced: false,
            any_descriptor: false,
            snapshots: false,
            keep_bytes: 4096,
            deadline: Duration::from_secs(60),
            limits: Limits::default(),
            guard: Guard::Off,
            injections: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Observer {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable, on top of the inherited ones.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Observer {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs the program in this directory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Observer {
        self.directory = Some(directory.into());
        self
    }

    /// Captures standard output and standard error (into memory files, so that a full pipe never blocks the child), gives the
    /// child an empty standard input, and puts it into a process group of its own. Without it the child has this program's
    /// own three and its group.
    pub fn capture(mut self) -> Observer {
        self.capture = true;
        self
    }

    /// Keeps only the events between the child's two marks ([`crate::fence`]).
    pub fn fenced(mut self) -> Observer {
        self.fenced = true;
        self
    }

    /// Shows the general calls (read, write, close …) on every descriptor, not only on sockets.
    pub fn any_descriptor(mut self) -> Observer {
        self.any_descriptor = true;
        self
    }

    /// After each event, looks what the kernel holds of the run's sockets ([`crate::Event::kernel`]). It costs about a
    /// millisecond an event on a machine with many connections, and needs Linux 5.6 for all that it can show.
    pub fn snapshots(mut self) -> Observer {
        self.snapshots = true;
        self
    }

    /// Keeps at most this many bytes of each buffer as a value (4,096 unless told). The printed text shows 32, as `strace` does.
    pub fn keep_bytes(mut self, bytes: usize) -> Observer {
        self.keep_bytes = bytes;
        self
    }

    /// Kills the child and all its children after this long (60 seconds unless told). A child that has ended in time but has
    /// left children of its own behind has ended as it has ([`crate::Ending`]); those are waited for until the deadline, then
    /// killed, and a remark says so.
    pub fn deadline(mut self, deadline: Duration) -> Observer {
        self.deadline = deadline;
        self
    }

    /// Sets what the child may use.
    pub fn limits(mut self, limits: Limits) -> Observer {
        self.limits = limits;
        self
    }

    /// Keeps the child's traffic at home.
    pub fn guard(mut self, guard: Guard) -> Observer {
        self.guard = guard;
        self
    }

    /// Adds an injection. Of several that fit a call the first wins.
    pub fn inject(mut self, injection: Injection) -> Observer {
        self.injections.push(injection);
        self
    }

    /// Runs the program to its end, in a thread of its own (ptrace belongs to a thread), and returns what was seen.
    ///
    /// # Errors
    /// [`Error::Start`] if the program cannot be started, [`Error::Refused`] if this machine forbids tracing,
    /// [`Error::Tracer`] if a step of the tracer fails. Whatever happens to the child is not an error: see [`crate::Ending`].
    pub fn run(self) -> Result<Observation, Error> {
        let mut events = Vec::new();
        let mut seen = self.run_with(|event| events.push(event))?;
        seen.trace.events = events;
        Ok(seen)
    }

    /// As [`run`](Observer::run), but hands over each event as soon as it is seen, and keeps none: the trace that it returns
    /// has no events. For a long run, or to show lines while the program still runs. `each` is called in the tracer's
    /// thread, and the program's next call waits for it.
    ///
    /// # Errors
    /// As [`run`](Observer::run).
    pub fn run_with(self, mut each: impl FnMut(Event) + Send) -> Result<Observation, Error> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("observer".to_string());
            match thread.spawn_scoped(scope, || tracer::run(&self, &mut each)).map(ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => {
                    Err(Error::Tracer { step: "its own work", source: io::Error::other("it panicked: a bug") })
                }
                Err(source) => Err(Error::Tracer { step: "starting its thread", source }),
            }
        })
    }
}
