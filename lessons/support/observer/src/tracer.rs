//! The tracer's loop: what happens to the child, as `waitpid` tells it, becomes the trace's events.
//!
//! A thread of the child runs until the seccomp filter stops it at a call of interest. At that *entry stop* the tracer reads
//! the arguments, and if the call is to be shown it asks to be stopped once more when the call returns: at that *exit stop*
//! it reads the result, writes the event, and lets the thread run. Where the filter is refused, the thread is stopped at
//! every call instead: slower, and otherwise the same.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use libc::pid_t;

use crate::change::{self, Change};
use crate::decode::{self, Pending, Scope, SyscallInfo};
use crate::fence;
use crate::filter;
use crate::guard::{Attempt, Watchman};
use crate::kernel::{Looks, Scene};
use crate::launch::{Launched, Plan, Report, Step};
use crate::memory::Memory;
use crate::numbers::NumberMap;
use crate::processor::OneProcessor;
use crate::ptrace::{self, SyscallStop};
use crate::sentinel::Sentinel;
use crate::signals;
use crate::sockets::{Inode, Refers, Sockets};
use crate::{Call, Ending, Error, Event, Guard, Kernel, Machine, Observation, Observer, Trace, What};

/// Calls that are not shown but must be seen: they change what descriptors mean behind the tracer's back.
const WATCHED: [i64; 2] = [libc::SYS_unshare, libc::SYS_io_uring_setup];

/// Runs the program to its end, and gives every event to `each` as it happens. Everything here happens in the calling
/// thread, which must have no other children.
pub(crate) fn run(observer: &Observer, each: &mut dyn FnMut(Event)) -> Result<Observation, Error> {
    change::check(&observer.injections)?;
    let started = Instant::now();
    let calls = decode::table().iter().map(|info| info.number).chain(WATCHED);
    let plan = Plan::new(observer, filter::filter(calls))?;
    let sentinel = Sentinel::start(observer.deadline).map_err(|source| tracer_error("fork", source))?;
    let _here = OneProcessor::stay();
    let launched = plan.fork()?;
    let mut tracer = Tracer::new(observer, started, sentinel, launched, each);
    tracer.attach()?;
    tracer.follow()?;
    let trace = tracer.into_trace()?;
    let (stdout, stderr) = plan.output().map_err(|source| tracer_error("reading the captured output", source))?;
    Ok(Observation { trace, stdout, stderr })
}

struct Tracer<'a> {
    observer: &'a Observer,
    started: Instant,
    /// The deadline; `None` while it is being replaced, or when it has passed.
    sentinel: Option<Sentinel>,
    launched: Launched,
    /// Whether the child has become the program.
    running: bool,
    /// Whether threads must be stopped at every call, because there is no filter.
    every_call: bool,
    /// All threads that have not ended.
    tasks: NumberMap<pid_t, Task>,
    /// Threads that ended before their makers' stops told of them.
    ended_early: HashSet<pid_t>,
    fence: Fence,
    sockets: Sockets,
    watchman: Watchman,
    /// For each injection, how many calls it has fitted so far.
    counts: Vec<u32>,
    /// What has been seen of what the kernel holds.
    looks: Looks,
    /// Takes every event.
    each: &'a mut dyn FnMut(Event),
    remarks: Vec<String>,
    /// Set once all are to be killed: whatever stops from then on is killed and not resumed.
    killing: bool,
    ending: Option<Ending>,
    /// A list that is used again and again.
    descriptors: Vec<i32>,
}

/// A traced thread.
struct Task {
    /// Its process.
    pid: pid_t,
    /// The call it is in, if its end is of interest.
    call: Option<Ongoing>,
    /// The shown call that a stop signal interrupted, to be named by `restart_syscall`.
    interrupted: Option<&'static str>,
    /// The call it is in is refused, and not shown.
    refused: Option<Change>,
    /// Whether its maker's stop has told of it. (Its own first stop may come before that one, and so may its end.)
    announced: bool,
}

impl Task {
    fn new(pid: pid_t) -> Task {
        Task { pid, call: None, interrupted: None, refused: None, announced: false }
    }

    /// Whether it must be stopped at its call's end.
    fn awaits_exit(&self) -> bool {
        self.call.is_some() || self.refused.is_some()
    }
}

/// A call between its entry stop and its exit stop.
struct Ongoing {
    info: &'static SyscallInfo,
    args: [u64; 6],
    entered: Instant,
    /// What of it is decoded; `None` if it will not be shown.
    pending: Option<Pending>,
    /// The socket it is about.
    socket: Option<Inode>,
    change: Option<Change>,
    guard: Option<String>,
}

/// Whether events are kept.
struct Fence {
    open: bool,
    /// What times are counted from.
    origin: Instant,
    ever_opened: bool,
}

impl<'a> Tracer<'a> {
    fn new(
        observer: &'a Observer,
        started: Instant,
        sentinel: Sentinel,
        launched: Launched,
        each: &'a mut dyn FnMut(Event),
    ) -> Tracer<'a> {
        let mut root = Task::new(launched.pid);
        root.announced = true;
        Tracer {
            observer,
            started,
            sentinel: Some(sentinel),
            tasks: NumberMap::from_iter([(launched.pid, root)]),
            ended_early: HashSet::new(),
            launched,
            running: false,
            every_call: false,
            fence: Fence { open: !observer.fenced, origin: started, ever_opened: false },
            sockets: Sockets::default(),
            watchman: Watchman::new(observer.guard),
            counts: vec![0; observer.injections.len()],
            looks: Looks::default(),
            each,
            remarks: Vec::new(),
            killing: false,
            ending: None,
            descriptors: Vec::new(),
        }
    }

    /// Makes the waiting child a tracee, and lets it go.
    fn attach(&mut self) -> Result<(), Error> {
        self.launched.wait_ready()?;
        ptrace::seize(self.launched.pid).map_err(|source| Error::Refused { step: "ptrace(PTRACE_SEIZE)", source })?;
        self.launched.go().map_err(|source| tracer_error("waking the child", source))
    }

    /// Handles one piece of news after the other until nobody is left.
    fn follow(&mut self) -> Result<(), Error> {
        loop {
            if self.tasks.is_empty() && self.is_really_over()? {
                return Ok(());
            }
            let (tid, status) = wait()?;
            if self.sentinel.as_ref().is_some_and(|sentinel| sentinel.is(tid)) {
                self.deadline_passed();
            } else if libc::WIFSTOPPED(status) {
                self.stopped(tid, status)?;
            } else {
                self.ended(tid, status)?;
            }
        }
    }

    /// No thread is known any more; but one may just have been born to a parent that was killed before it could say so.
    fn is_really_over(&mut self) -> Result<bool, Error> {
        self.sentinel = None;
        // SAFETY: asks for no details, and takes no news away (WNOWAIT).
        let result = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options =
                libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL | libc::__WNOTHREAD;
            libc::waitid(libc::P_ALL, 0, &raw mut info, options)
        };
        if result == -1 {
            return Ok(true);
        }
        let left = self.observer.deadline.saturating_sub(self.started.elapsed());
        self.sentinel = Some(Sentinel::start(left).map_err(|source| tracer_error("fork", source))?);
        Ok(false)
    }

    fn deadline_passed(&mut self) {
        if let Some(mut sentinel) = self.sentinel.take() {
            sentinel.passed();
        }
        let milliseconds = self.observer.deadline.as_millis() as u64;
        if self.ending.is_some() && !self.killing {
            let left = self.tasks.values().map(|task| task.pid).collect::<HashSet<_>>().len();
            self.remarks.push(match left {
                1 => format!("one process outlived the program; it was killed at the deadline ({milliseconds} ms)"),
                _ => format!(
                    "{left} processes outlived the program; they were killed at the deadline ({milliseconds} ms)"
                ),
            });
        }
        self.kill_all(Ending::Deadline { milliseconds });
    }

    /// Kills everybody. The program's ending, if it has not ended yet, will have been this.
    fn kill_all(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        self.killing = true;
        for (&tid, task) in &self.tasks {
            kill(task.pid, tid);
        }
    }

    /// A thread has ended.
    fn ended(&mut self, tid: pid_t, status: i32) -> Result<(), Error> {
        self.sockets.forget();
        let Some(task) = self.tasks.remove(&tid) else { return Ok(()) };
        if !task.announced {
            self.ended_early.insert(tid);
        }
        if !self.running && tid == self.launched.pid {
            return self.never_started(status);
        }
        let pid = task.pid;
        if let Some(call) = task.call {
            self.never_returned(tid, pid, call);
        }
        let (what, ending) = if libc::WIFEXITED(status) {
            let status = libc::WEXITSTATUS(status);
            (What::Exited { status }, Ending::Exited { status })
        } else {
            let signal = signals::name(libc::WTERMSIG(status));
            let core_dumped = libc::WCOREDUMP(status);
            (What::Killed { signal: signal.clone(), core_dumped }, Ending::Killed { signal })
        };
        self.note(tid, pid, what);
        if tid == self.launched.pid {
            self.ending.get_or_insert(ending);
        }
        Ok(())
    }

    /// The child ended before it became the program.
    fn never_started(&mut self, status: i32) -> Result<(), Error> {
        if let Some(Ending::Deadline { .. }) = self.ending {
            return Ok(());
        }
        let report = self.launched.report().map_err(|source| tracer_error("reading the child's report", source))?;
        let source = match report {
            Some(Report::Failed(step, errno)) => {
                let error = io::Error::from_raw_os_error(errno);
                match step {
                    Step::Exec => error,
                    Step::Directory => {
                        let directory = self.observer.directory.as_deref().unwrap_or_else(|| ".".as_ref());
                        io::Error::new(error.kind(), format!("its directory {}: {error}", directory.display()))
                    }
                    Step::Streams => io::Error::new(error.kind(), format!("its standard streams: {error}")),
                    Step::Limits => io::Error::new(error.kind(), format!("its limits: {error}")),
                }
            }
            _ if libc::WIFSIGNALED(status) => {
                let signal = signals::name(libc::WTERMSIG(status));
                io::Error::other(format!("{signal} killed it while it started (is the memory limit too low?)"))
            }
            _ => io::Error::other("it ended before it had started"),
        };
        Err(Error::Start { program: self.observer.program.clone(), source })
    }

    /// A thread has stopped, for one of many reasons.
    fn stopped(&mut self, tid: pid_t, status: i32) -> Result<(), Error> {
        let signal = libc::WSTOPSIG(status);
        let event = status >> 16;
        self.meet(tid);
        if self.killing {
            kill(self.pid_of(tid), tid);
            return Ok(());
        }
        match event {
            libc::PTRACE_EVENT_SECCOMP => {
                if let Some(stop) = self.syscall_stop(tid)? {
                    self.entered(tid, &stop)?;
                }
            }
            libc::PTRACE_EVENT_STOP => return self.paused(tid, signal),
            libc::PTRACE_EVENT_EXEC => self.became_program(tid)?,
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                if let Ok(new) = ptrace::event_message(tid) {
                    self.announced(new as pid_t);
                }
                if self.killing {
                    return Ok(());
                }
            }
            0 if signal == libc::SIGTRAP | 0x80 => {
                if let Some(stop) = self.syscall_stop(tid)? {
                    match stop.op {
                        ptrace::OP_ENTRY => self.entered(tid, &stop)?,
                        ptrace::OP_EXIT => self.returned(tid, &stop)?,
                        _ => {}
                    }
                }
            }
            0 => return self.signalled(tid, signal),
            _ => {}
        }
        self.resume(tid, 0)
    }

    /// Lets a stopped thread go on to its next stop of interest.
    fn resume(&mut self, tid: pid_t, signal: i32) -> Result<(), Error> {
        let to_syscall = self.every_call || self.tasks.get(&tid).is_some_and(Task::awaits_exit);
        let result = if to_syscall { ptrace::cont_to_syscall(tid, signal) } else { ptrace::cont(tid, signal) };
        alive(result).map(drop).map_err(|source| tracer_error("ptrace(PTRACE_CONT)", source))
    }

    fn syscall_stop(&self, tid: pid_t) -> Result<Option<SyscallStop>, Error> {
        alive(ptrace::syscall_stop(tid))
            .map_err(|source| Error::Refused { step: "ptrace(PTRACE_GET_SYSCALL_INFO)", source })
    }

    /// Makes the acquaintance of a thread, if it is new; says whether it was. One too many, and all are killed.
    fn meet(&mut self, tid: pid_t) -> bool {
        if self.tasks.contains_key(&tid) {
            return false;
        }
        self.tasks.insert(tid, Task::new(process_of(tid)));
        let limit = self.observer.limits.processes;
        if self.tasks.len() > limit && !self.killing {
            self.kill_all(Ending::TooManyProcesses { limit });
        }
        true
    }

    /// A thread's maker has told of it. One that has already ended must not be waited for.
    fn announced(&mut self, tid: pid_t) {
        if self.ended_early.remove(&tid) {
            return;
        }
        self.meet(tid);
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.announced = true;
        }
    }

    fn pid_of(&self, tid: pid_t) -> pid_t {
        self.tasks.get(&tid).map_or(tid, |task| task.pid)
    }

    /// PTRACE_EVENT_STOP: a new thread's first stop, or the beginning or end of a stop by SIGSTOP and its kin.
    fn paused(&mut self, tid: pid_t, signal: i32) -> Result<(), Error> {
        if matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
            self.note(tid, self.pid_of(tid), What::Stopped { signal: signals::name(signal) });
            return alive(ptrace::listen(tid))
                .map(drop)
                .map_err(|source| tracer_error("ptrace(PTRACE_LISTEN)", source));
        }
        self.resume(tid, 0)
    }

    /// A signal is about to be delivered.
    fn signalled(&mut self, tid: pid_t, signal: i32) -> Result<(), Error> {
        if !self.running && signal == libc::SIGSTOP {
            // The child stops itself when the filter is refused.
            let report = self.launched.report().map_err(|source| tracer_error("reading the child's report", source))?;
            if report == Some(Report::NoFilter) {
                self.every_call = true;
                return self.resume(tid, 0);
            }
        }
        if let Ok(info) = ptrace::signal_info(tid) {
            let what = What::Signal { signal: signals::name(signal), details: signals::details(&info) };
            self.note(tid, self.pid_of(tid), what);
        }
        self.resume(tid, signal)
    }

    /// An exec succeeded. Of a process's threads only the caller lives on, under the id of the first.
    fn became_program(&mut self, tid: pid_t) -> Result<(), Error> {
        self.running = true;
        self.sockets.forget();
        let former = match alive(ptrace::event_message(tid)) {
            Ok(Some(former)) => former as pid_t,
            _ => tid,
        };
        if former != tid
            && let Some(mut caller) = self.tasks.remove(&former)
        {
            if !std::mem::replace(&mut caller.announced, true) {
                self.ended_early.insert(former);
            }
            let first = self.tasks.insert(tid, caller);
            if let Some(call) = first.and_then(|task| task.call) {
                self.never_returned(tid, tid, call);
            }
            self.note(tid, tid, What::Superseded { by: former });
        }
        Ok(())
    }

    /// A thread is about to make a call.
    fn entered(&mut self, tid: pid_t, stop: &SyscallStop) -> Result<(), Error> {
        let number = stop.number();
        if stop.arch != filter::ARCH || number >= u64::from(filter::X32) {
            return self.foreign_call(tid, stop);
        }
        let Some(info) = decode::lookup(number) else { return self.watched_call(tid, stop) };
        let args = stop.args();
        let memory = Memory::new(tid);
        if !self.running && !matches!(info.number, libc::SYS_execve) {
            return Ok(());
        }
        if info.number == libc::SYS_write && args[0] as i32 == -1 && self.is_mark(&args, &memory) {
            return Ok(());
        }
        self.begins(tid, stop, info, &args, &memory)
    }

    /// One of the traced calls begins.
    fn begins(
        &mut self,
        tid: pid_t,
        stop: &SyscallStop,
        info: &'static SyscallInfo,
        args: &[u64; 6],
        memory: &Memory,
    ) -> Result<(), Error> {
        let closes = may_close(info.number);
        if closes {
            self.sockets.forget();
        }
        let entered = Instant::now();
        let pid = self.pid_of(tid);
        let (refers, of_interest) = self.about(tid, info, args, memory);
        let shown = self.fence.open && of_interest;
        let guard = self.watchman.objection(&Attempt { pid, info, args, memory, socket: refers });
        let change = self.change(info, args, guard.as_deref(), shown);
        let pending = shown.then(|| match info.number {
            libc::SYS_restart_syscall => {
                decode::resume(info, self.tasks.get_mut(&tid).and_then(|task| task.interrupted.take()))
            }
            _ => decode::enter(info, *args, memory, self.observer.keep_bytes),
        });
        if let Some(change) = &change {
            alive(change.at_entry(tid, stop)).map_err(|source| tracer_error("changing a system call", source))?;
        }
        let call = Ongoing { info, args: *args, entered, pending, socket: refers.inode(), change, guard };
        if matches!(info.number, libc::SYS_exit | libc::SYS_exit_group) {
            self.never_returned(tid, pid, call);
            return Ok(());
        }
        let wants_exit = shown || call.change.is_some() || closes || self.watchman.wants_exit(info);
        if wants_exit && let Some(task) = self.tasks.get_mut(&tid) {
            task.call = Some(call);
        }
        Ok(())
    }

    /// What to change of a call: the guard comes first, then the injections, which count only what is shown.
    fn change(&mut self, info: &SyscallInfo, args: &[u64; 6], guard: Option<&str>, shown: bool) -> Option<Change> {
        if let Some(reason) = guard {
            if !shown {
                self.remark(&format!("outside the fence the guard refused {}: {reason}", info.name));
            }
            return Some(Change::Fail(libc::EPERM));
        }
        if !shown || self.observer.injections.is_empty() {
            return None;
        }
        change::choose(&self.observer.injections, &mut self.counts, info, args)
    }

    /// Which socket a call is about, and whether the call is to be shown at all.
    fn about(&mut self, tid: pid_t, info: &SyscallInfo, args: &[u64; 6], memory: &Memory) -> (Refers, bool) {
        if info.scope == Scope::Life {
            return (Refers::NoSocket, true);
        }
        if info.number == libc::SYS_restart_syscall {
            return (Refers::NoSocket, self.tasks.get(&tid).is_some_and(|task| task.interrupted.is_some()));
        }
        let mut descriptors = std::mem::take(&mut self.descriptors);
        descriptors.clear();
        decode::touches(info, args, memory, &mut descriptors);
        let mut about = Refers::NoSocket;
        let mut several = false;
        let mut nothing = false;
        for (index, &fd) in descriptors.iter().enumerate() {
            let refers = match self.sockets.refers(tid, fd) {
                Refers::Nothing => {
                    nothing |= index == 0;
                    Refers::NoSocket
                }
                refers => refers,
            };
            several |= matches!((about, refers), (Refers::Socket(one), Refers::Socket(other)) if one != other);
            if about == Refers::NoSocket || (about == Refers::Unknown && refers != Refers::NoSocket) {
                about = refers;
            }
        }
        self.descriptors = descriptors;
        let shown = match info.scope {
            Scope::Socket | Scope::Life => true,
            // An epoll instance is there for sockets, and names them only when they are put into it. A call on a number
            // that is not open (a second close) is a mistake to be seen; in poll and select such a number only means "skip".
            Scope::General => {
                self.observer.any_descriptor
                    || about != Refers::NoSocket
                    || nothing && !matches!(info.name, "poll" | "ppoll" | "select" | "pselect6")
                    || info.name.starts_with("epoll_") && info.name != "epoll_ctl"
                    // It names a whole range of descriptors.
                    || info.name == "close_range"
            }
        };
        if several && matches!(info.name, "poll" | "ppoll" | "select" | "pselect6") {
            about = Refers::NoSocket;
        }
        (about, shown)
    }

    /// A call has returned.
    fn returned(&mut self, tid: pid_t, stop: &SyscallStop) -> Result<(), Error> {
        let Some(task) = self.tasks.get_mut(&tid) else { return Ok(()) };
        let pid = task.pid;
        if let Some(change) = task.refused.take() {
            return alive(change.at_exit(tid, stop))
                .map(drop)
                .map_err(|source| tracer_error("changing a system call's result", source));
        }
        let Some(call) = task.call.take() else { return Ok(()) };
        let memory = Memory::new(tid);
        let mut result = stop.result();
        if let Some(change) = &call.change {
            alive(change.at_exit(tid, stop))
                .map_err(|source| tracer_error("changing a system call's result", source))?;
            result = change.result().unwrap_or(result);
        }
        if may_close(call.info.number) {
            self.sockets.forget();
        }
        const ERESTART_RESTARTBLOCK: i64 = 516;
        if result == -ERESTART_RESTARTBLOCK
            && call.pending.is_some()
            && let Some(task) = self.tasks.get_mut(&tid)
        {
            task.interrupted = Some(call.info.name);
        }
        if call.info.number == libc::SYS_bind
            && result == 0
            && let Some(inode) = call.socket
        {
            self.watchman.bound(inode);
        }
        let socket = self.made(tid, &call, &memory, result);
        let Some(pending) = call.pending else { return Ok(()) };
        let (args, mut outcome) = decode::finish(pending, &memory, result);
        let injected = call.change.is_some();
        if injected {
            outcome.text.to_mut().push_str(" (INJECTED)");
        }
        let name = call.info.name.into();
        let what = What::Call(Call { name, args, outcome, socket, injected, guard: call.guard });
        let took_us = micros(call.entered.elapsed());
        self.give(tid, pid, self.at(call.entered), took_us, what);
        Ok(())
    }

    /// The number of the socket that a call was about: the one it made, if it made one.
    fn made(&mut self, tid: pid_t, call: &Ongoing, memory: &Memory, result: i64) -> Option<u32> {
        let shown = call.pending.is_some();
        let about = call.socket.filter(|_| shown).map(|inode| self.sockets.number(inode));
        let makes = matches!(
            call.info.number,
            libc::SYS_socket | libc::SYS_socketpair | libc::SYS_accept | libc::SYS_accept4 | libc::SYS_recvmsg
        );
        if !makes || result < 0 {
            return about;
        }
        let mut descriptors = std::mem::take(&mut self.descriptors);
        descriptors.clear();
        decode::makes(call.info, &call.args, memory, result, &mut descriptors);
        let mut first = None;
        for &fd in &descriptors {
            if let Refers::Socket(inode) = self.sockets.refers(tid, fd) {
                self.watchman.made(tid, call.info, &call.args, inode, call.socket);
                if shown {
                    let number = self.sockets.number(inode);
                    first.get_or_insert(number);
                }
            }
        }
        self.descriptors = descriptors;
        if call.info.number == libc::SYS_recvmsg { about } else { first.or(about) }
    }

    /// A call that will not return, or never did.
    fn never_returned(&mut self, tid: pid_t, pid: pid_t, call: Ongoing) {
        let Some(pending) = call.pending else { return };
        let socket = call.socket.map(|inode| self.sockets.number(inode));
        let (args, outcome) = decode::unfinished(pending);
        let injected = call.change.is_some();
        let name = call.info.name.into();
        let what = What::Call(Call { name, args, outcome, socket, injected, guard: call.guard });
        let took_us = match call.info.number {
            libc::SYS_exit | libc::SYS_exit_group => 0,
            _ => micros(call.entered.elapsed()),
        };
        self.give(tid, pid, self.at(call.entered), took_us, what);
    }

    /// Keeps an event that is not a call.
    fn note(&mut self, tid: pid_t, pid: pid_t, what: What) {
        if self.running && self.fence.open {
            self.give(tid, pid, self.at(Instant::now()), 0, what);
        }
    }

    /// Hands over an event, with what the kernel holds after it, if that is asked for.
    fn give(&mut self, tid: pid_t, pid: pid_t, at_us: u64, took_us: u64, what: What) {
        let kernel = if self.observer.snapshots {
            let begun = Instant::now();
            let kernel = self.look(tid, pid);
            // The program would not have waited for this.
            self.fence.origin += begun.elapsed();
            kernel
        } else {
            None
        };
        (self.each)(Event { pid, tid, at_us, took_us, what, kernel });
    }

    /// What the kernel holds, if it is not what it held at the last look. The thread is stopped, or has ended.
    fn look(&mut self, tid: pid_t, pid: pid_t) -> Option<Kernel> {
        let mut processes: Vec<pid_t> = self.tasks.values().map(|task| task.pid).collect();
        processes.sort_unstable();
        let lives = self.tasks.contains_key(&tid);
        let alone = lives && processes.iter().filter(|&&process| process == pid).count() == 1;
        processes.dedup();
        // Of one that has ended nothing can be asked; any other sees the same network, as a rule.
        let tid = if lives { tid } else { *processes.first()? };
        self.looks.look(&Scene { tid, alone: alone.then_some(pid), processes: &processes }, &self.sockets)
    }

    /// A moment in microseconds since the run's start, or since the fence was first opened.
    fn at(&self, moment: Instant) -> u64 {
        micros(moment.saturating_duration_since(self.fence.origin))
    }

    /// Whether a write to descriptor -1 is one of the fence's marks; if it is, heeds it.
    fn is_mark(&mut self, args: &[u64; 6], memory: &Memory) -> bool {
        let mark = match usize::try_from(args[2]) {
            Ok(length) if length <= fence::BEGIN.len().max(fence::END.len()) => memory.bytes(args[1], length),
            _ => None,
        };
        let begins = match mark {
            Some(text) if text == fence::BEGIN => true,
            Some(text) if text == fence::END => false,
            _ => return false,
        };
        if self.observer.fenced {
            self.fence.open = begins;
            if begins && !self.fence.ever_opened {
                self.fence.ever_opened = true;
                self.fence.origin = Instant::now();
            }
        }
        true
    }

    /// A call that is not shown, but that says: ask the kernel anew.
    fn watched_call(&mut self, tid: pid_t, stop: &SyscallStop) -> Result<(), Error> {
        if stop.number() == libc::SYS_unshare as u64 {
            // From now on this thread's descriptors may be its own; answers are kept by thread, but its copies are new.
            self.sockets.forget();
        }
        if stop.number() == libc::SYS_io_uring_setup as u64 {
            self.sockets.never_remember();
            self.remark("the program uses io_uring: what it asks of the kernel that way is not shown");
            if self.observer.guard == Guard::Loopback {
                self.refuse(tid, stop)?;
            }
        }
        Ok(())
    }

    /// A call in another calling convention.
    fn foreign_call(&mut self, tid: pid_t, stop: &SyscallStop) -> Result<(), Error> {
        self.sockets.never_remember();
        self.remark("a program made 32-bit system calls: they are not shown");
        // i386: socketcall, and socket to shutdown by their own numbers.
        let networking = stop.number() == 102 || (359..=373).contains(&stop.number());
        if self.observer.guard == Guard::Loopback && networking {
            self.refuse(tid, stop)?;
        }
        Ok(())
    }

    /// Answers a call that is not shown with EPERM.
    fn refuse(&mut self, tid: pid_t, stop: &SyscallStop) -> Result<(), Error> {
        let change = Change::Fail(libc::EPERM);
        alive(change.at_entry(tid, stop)).map_err(|source| tracer_error("changing a system call", source))?;
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.refused = Some(change);
        }
        Ok(())
    }

    fn remark(&mut self, text: &str) {
        if !self.remarks.iter().any(|remark| remark == text) {
            self.remarks.push(text.to_string());
        }
    }

    /// The trace, once all is over; its events have been given away.
    fn into_trace(mut self) -> Result<Trace, Error> {
        let Some(ending) = self.ending.take() else {
            let source = io::Error::other("another thread of this program waited for the child and took its news");
            return Err(tracer_error("waitpid", source));
        };
        if self.observer.fenced && !self.fence.ever_opened {
            self.remarks.push("the program never opened the fence: nothing was kept".to_string());
        }
        let machine = machine().map_err(|source| tracer_error("uname", source))?;
        let remarks = std::mem::take(&mut self.remarks);
        Ok(Trace { machine, events: Vec::new(), remarks, ending })
    }
}

impl Drop for Tracer<'_> {
    /// Whatever happened: nobody is left behind.
    fn drop(&mut self) {
        self.sentinel = None;
        for (&tid, task) in &self.tasks {
            kill(task.pid, tid);
        }
        while let Ok((tid, status)) = wait() {
            if libc::WIFSTOPPED(status) {
                kill(process_of(tid), tid);
            }
        }
    }
}

/// Calls after which a descriptor may be closed, or refer to something else.
fn may_close(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if number == libc::SYS_dup2 {
        return true;
    }
    matches!(number, libc::SYS_close | libc::SYS_dup3 | libc::SYS_close_range)
}

/// The next news of a child of this thread (`__WNOTHREAD`), be it a thread or a process (`__WALL`).
fn wait() -> Result<(pid_t, i32), Error> {
    loop {
        let mut status = 0;
        let options = libc::__WALL | libc::__WNOTHREAD;
        // The raw call: the C library's makes a point of being cancellable, which costs time at every stop.
        // SAFETY: `status` is a local that the kernel fills.
        let tid = unsafe { libc::syscall(libc::SYS_wait4, -1, &raw mut status, options, 0) };
        if tid > 0 {
            return Ok((tid as pid_t, status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(tracer_error("waitpid", error));
        }
    }
}

/// Kills a thread's process. A process that has just ended needs no killing.
fn kill(pid: pid_t, tid: pid_t) {
    // SAFETY: sends a signal; the thread is a tracee that has not been waited for, so its id is still its own.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::c_long::from(pid), libc::c_long::from(tid), libc::SIGKILL) };
}

/// A thread that was killed a moment ago can no longer be asked (ESRCH); its end is about to be reported.
fn alive<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The process that a thread belongs to.
fn process_of(tid: pid_t) -> pid_t {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    process.and_then(|process| process.trim().parse().ok()).unwrap_or(tid)
}

fn machine() -> io::Result<Machine> {
    // SAFETY: `utsname` is plain bytes, for which zero is valid.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a local that the kernel fills.
    if unsafe { libc::uname(&raw mut name) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let text = |field: &[libc::c_char]| {
        let bytes = field.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect::<Vec<u8>>();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Machine { kernel: text(&name.release), architecture: text(&name.machine) })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn tracer_error(step: &'static str, source: io::Error) -> Error {
    Error::Tracer { step, source }
}
