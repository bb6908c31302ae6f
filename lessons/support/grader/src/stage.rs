//! The child's side: a process of its own in which the student's function is called, and looked at afterwards.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use observer::fence;
use serde_json::Value;

use crate::report::{BEGUN, CallEnd, Called, Children, REPORT, Report, TWICE};
use crate::shield;

/// Where an act is played: the child process in which the student's function is called.
///
/// An act gets everything ready (descriptors to pass, say), calls the function through [`Stage::call`], looks at what came
/// back, and returns what the judge, in the parent, wants to know. Only what happens inside [`Stage::call`] is in the trace.
#[derive(Debug)]
pub struct Stage {
    scratch: PathBuf,
    pid: u32,
    descriptors: u64,
    children_may_stay: bool,
    /// Descriptors that the function was given for its own.
    given: Vec<RawFd>,
    report: Report,
}

impl Stage {
    pub(crate) fn new(scratch: PathBuf, descriptors: u64) -> Stage {
        Stage {
            scratch,
            pid: std::process::id(),
            descriptors,
            children_may_stay: false,
            given: Vec::new(),
            report: Report::default(),
        }
    }

    /// Calls the student's function inside the fence. `label` is the call as a reader would write it: `bind_any_port()`.
    /// Call the function more than once in one `call` only where the point is that it is called twice.
    ///
    /// What it returned is never dropped, so a descriptor that the function returned *and* closed does no further harm.
    /// If it panics, the run ends here and the panic is reported.
    pub fn call<T>(&mut self, label: impl Into<String>, function: impl FnOnce() -> T) -> &'static T
    where
        T: Debug + Descriptors + 'static,
    {
        let label = label.into();
        self.announce(&shortened(&label));
        let before = self.open_descriptors();
        PANIC.take();
        fence::begin();
        let outcome = panic::catch_unwind(AssertUnwindSafe(function));
        fence::end();
        if std::process::id() != self.pid {
            // The function forked, and this is the copy. One return is enough.
            let told = std::fs::write(self.scratch.join(TWICE), "");
            shield::exit_now(if told.is_ok() { 0 } else { 1 });
        }
        let after = self.open_descriptors();
        self.note_stragglers();
        match outcome {
            Ok(value) => {
                let value: &'static T = Box::leak(Box::new(value));
                self.note_descriptors(&before, &after, &value.descriptors());
                self.report.calls.push(Called { label, end: CallEnd::Returned(shortened(&format!("{value:?}"))) });
                value
            }
            Err(payload) => {
                self.note_descriptors(&before, &after, &[]);
                let (message, at) = PANIC.take().unwrap_or_else(|| (text_of(&*payload), String::new()));
                self.report.calls.push(Called { label, end: CallEnd::Panicked { message, at } });
                self.finish()
            }
        }
    }

    /// Processes that the function forked may outlive it: say so before the call, where that is the exercise.
    pub fn children_may_stay(&mut self) {
        self.children_may_stay = true;
    }

    /// The function is given this descriptor for its own: say so before the call. It may close it, or leave it open.
    pub fn gives(&mut self, descriptor: &impl AsRawFd) {
        self.given.push(descriptor.as_raw_fd());
    }

    /// From now on a SIGALRM interrupts this process every `interval`, the first time after one `interval`. Its handler does
    /// nothing and is installed without SA_RESTART, so a blocking call fails with EINTR. Ends with [`Stage::calm`].
    pub fn interrupt_every(&mut self, interval: Duration) {
        if let Err(error) = shield::interrupt_every(interval) {
            self.give_up(format!("cannot set up a timer: {error}"));
        }
    }

    /// No more interruptions.
    pub fn calm(&mut self) {
        if let Err(error) = shield::interrupt_every(Duration::ZERO) {
            self.give_up(format!("cannot stop a timer: {error}"));
        }
    }

    /// Ends the run with what the act found out.
    pub(crate) fn close(mut self, out: Value) -> ! {
        self.report.out = Some(out);
        self.finish()
    }

    /// Ends the run because the grader itself failed at something.
    pub(crate) fn give_up(&mut self, what: String) -> ! {
        self.report.trouble = Some(what);
        self.finish()
    }

    fn finish(&mut self) -> ! {
        let part = self.scratch.join("report.part");
        let written = serde_json::to_vec(&self.report)
            .map_err(std::io::Error::other)
            .and_then(|text| self.write_report(&part, &text))
            .and_then(|()| std::fs::rename(&part, self.scratch.join(REPORT)));
        if self.report.children == Children::Running {
            shield::end_children();
        }
        shield::exit_now(if written.is_ok() { 0 } else { 1 })
    }

    /// Writes the report. If no descriptor is free for it, all but the standard three are closed first:
    /// this process has nothing else to do any more.
    fn write_report(&self, part: &Path, text: &[u8]) -> std::io::Result<()> {
        let written = std::fs::write(part, text);
        if written.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EMFILE)) {
            for descriptor in self.open_descriptors().into_keys().filter(|descriptor| *descriptor > 2) {
                shield::close(descriptor);
            }
            return std::fs::write(part, text);
        }
        written
    }

    /// Tells the parent what is called now, in the name that a symbolic link points to: that needs no descriptor,
    /// and there may be none.
    fn announce(&mut self, label: &str) {
        let mark = self.scratch.join(BEGUN);
        let announced = match std::fs::remove_file(&mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::os::unix::fs::symlink(label, &mark),
        };
        if let Err(error) = announced {
            self.give_up(format!("cannot make {}: {error}", mark.display()));
        }
    }

    fn note_descriptors(&mut self, before: &Descriptions, after: &Descriptions, returned: &[RawFd]) {
        for (fd, what) in before {
            if after.get(fd) != Some(what) && !self.given.contains(fd) {
                self.report.closed.push((*fd, what.clone()));
            }
        }
        for (fd, what) in after {
            if before.get(fd) != Some(what) && !returned.contains(fd) {
                self.report.opened.push((*fd, what.clone()));
            }
        }
        self.report.dead.extend(returned.iter().filter(|fd| !after.contains_key(fd)));
    }

    /// The open descriptors, and what each of them is. Opens nothing itself, so it works when none is free.
    fn open_descriptors(&self) -> Descriptions {
        let limit = i32::try_from(self.descriptors).unwrap_or(i32::MAX);
        (0..limit)
            .filter(|fd| shield::is_open(*fd))
            .filter_map(|fd| {
                let what = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
                Some((fd, what.to_string_lossy().into_owned()))
            })
            .collect()
    }

    /// Looks for threads and processes that the function left running. They have a second to be gone:
    /// a thread that was joined may take a moment to vanish.
    fn note_stragglers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let threads = shield::other_threads();
            let children = if self.children_may_stay { Children::None } else { shield::children() };
            if (threads == 0 && children != Children::Running) || Instant::now() > deadline {
                self.report.threads = self.report.threads.max(threads);
                if children != Children::None {
                    self.report.children = children;
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

type Descriptions = BTreeMap<RawFd, String>;

thread_local! {
    /// The last panic's message and place.
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Keeps panics off the screen, and remembers what they said and where.
pub(crate) fn remember_panics() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let at = info.location().map(|at| format!("{}:{}", straightened(at.file()), at.line())).unwrap_or_default();
        PANIC.set(Some((text_of(info.payload()), at)));
    }));
}

/// `tests/../answers/wrong.rs`, which is what a module with a `path` attribute is called, is `answers/wrong.rs`.
fn straightened(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The last panic of this thread, as `message (file:line)`.
pub(crate) fn last_panic() -> String {
    match PANIC.take() {
        Some((message, at)) => format!("{message} ({at})"),
        None => "it panicked".to_string(),
    }
}

fn text_of(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_string())
}

fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// What a function returns, as far as it hands descriptors over to its caller: those are not left behind.
///
/// What is not covered here, an act can turn into something that is, in the closure that it passes to [`Stage::call`].
pub trait Descriptors {
    /// Their numbers.
    fn descriptors(&self) -> Vec<RawFd>;
}

impl Descriptors for OwnedFd {
    fn descriptors(&self) -> Vec<RawFd> {
        vec![self.as_raw_fd()]
    }
}

impl<T: Descriptors, E> Descriptors for Result<T, E> {
    fn descriptors(&self) -> Vec<RawFd> {
        self.as_ref().map(T::descriptors).unwrap_or_default()
    }
}

impl<T: Descriptors> Descriptors for Option<T> {
    fn descriptors(&self) -> Vec<RawFd> {
        self.as_ref().map(T::descriptors).unwrap_or_default()
    }
}

impl<T: Descriptors> Descriptors for Vec<T> {
    fn descriptors(&self) -> Vec<RawFd> {
        self.iter().flat_map(T::descriptors).collect()
    }
}

impl<T: Descriptors, const N: usize> Descriptors for [T; N] {
    fn descriptors(&self) -> Vec<RawFd> {
        self.iter().flat_map(T::descriptors).collect()
    }
}

impl<A: Descriptors, B: Descriptors> Descriptors for (A, B) {
    fn descriptors(&self) -> Vec<RawFd> {
        let mut all = self.0.descriptors();
        all.extend(self.1.descriptors());
        all
    }
}

impl<A: Descriptors, B: Descriptors, C: Descriptors> Descriptors for (A, B, C) {
    fn descriptors(&self) -> Vec<RawFd> {
        let mut all = self.0.descriptors();
        all.extend(self.1.descriptors());
        all.extend(self.2.descriptors());
        all
    }
}

macro_rules! no_descriptors {
    ($($kind:ty),* $(,)?) => {
        $(impl Descriptors for $kind {
            fn descriptors(&self) -> Vec<RawFd> {
                Vec::new()
            }
        })*
    };
}
no_descriptors!((), bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, String, &'static str);
no_descriptors!(Duration, Errno, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6);
