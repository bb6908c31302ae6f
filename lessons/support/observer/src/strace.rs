//! Compares the observer with `strace`: runs a program under both and compares what they say, line for line.
//!
//! ```no_run
//! use observer::strace::{self, Subject};
//! if let Err(why) = strace::available() {
//!     println!("not compared: {why}");
//! } else {
//!     let report = strace::compare(&Subject::new("target/debug/lesson-bind").arg("--play").arg("port-in-use").fenced())?;
//!     report.verdict()?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Lines are compared thread by thread, each thread's in order; which thread's line came first is up to the scheduler. Of
//! `strace`'s output the two halves of an interrupted line (`<unfinished ...>`, `resumed>`) are joined first.
//!
//! Two runs of one program never agree in everything. What may differ is listed in [`VARIES`], with the reason; nothing
//! else may, but for the differences that are known and listed in [`KNOWN`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Event, Observer, What, decode, fence};

/// The version of `strace` whose output the observer's format was verified with.
pub const VERSION: &str = "6.1";

/// Set this environment variable to `insist` where `strace` must be there and a test must not pass without it.
pub const INSIST: &str = "OBSERVER_STRACE";

/// What may differ between two runs of one program, and why.
pub const VARIES: &[Varies] = &[
    Varies {
        what: "pointer",
        before: &[],
        consistent: false,
        reason: "the kernel puts a program's memory elsewhere in each run; both must print an address of at least 0x10000",
    },
    Varies {
        what: "process id",
        before: &[
            "{pid=",
            ", pid=",
            "si_pid=",
            "nl_pid=",
            "parent_tid=[",
            "superseded by execve in pid ",
            "F_SETOWN, ",
            "F_SETOWN, -",
            "FIOSETOWN, [",
            "FIOGETOWN, [",
            "SIOCSPGRP, [",
            "SIOCGPGRP, [",
        ],
        consistent: true,
        reason: "each run has processes of its own. Also in the results of fork, vfork, clone, clone3 and F_GETOWN",
    },
    Varies {
        what: "cleared thread id",
        before: &["parent_tid=["],
        consistent: false,
        reason: "one of the two is 0: a thread that ended before its maker's clone returned has cleared its id there \
                 (CLONE_CHILD_CLEARTID), and whether it has is up to the scheduler",
    },
    Varies {
        what: "port",
        before: &["sin_port=htons(", "sin6_port=htons("],
        consistent: true,
        reason: "the kernel chooses the port of a socket bound to port 0, or connected without bind",
    },
    Varies {
        what: "chosen unix name",
        before: &["sun_path=@\""],
        consistent: true,
        reason: "the kernel chooses the name of a unix socket bound to the length of the family alone: five hexadecimal digits",
    },
    Varies {
        what: "time",
        before: &["tv_sec=", "tv_usec=", "tv_nsec=", "si_utime=", "si_stime="],
        consistent: false,
        reason: "time passes",
    },
    Varies {
        what: "number in a buffer",
        before: &[],
        consistent: false,
        reason: "a program may print a port, read inode numbers … Only where the subject says so (numbers_vary)",
    },
];

/// Something that may differ between two runs.
#[derive(Debug)]
pub struct Varies {
    /// What it is.
    pub what: &'static str,
    /// What stands before it in a line.
    pub before: &'static [&'static str],
    /// Whether the same value in one run must be the same value in the other, too.
    pub consistent: bool,
    /// Why it differs.
    pub reason: &'static str,
}

/// The differences between the observer and `strace` that are known, each with its reason.
pub const KNOWN: &[Known] = &[];

/// A known difference.
#[derive(Debug)]
pub struct Known {
    /// Whether a difference between these two lines (`strace`'s and the observer's, where there are both) is this one.
    pub is: fn(Option<&str>, Option<&str>) -> bool,
    /// Why it is there.
    pub reason: &'static str,
}

/// What to compare: a program and how to run it.
#[derive(Clone, Debug)]
pub struct Subject {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    fenced: bool,
    sockets: bool,
    numbers_vary: bool,
    deadline: Duration,
    skip: Option<fn(&str) -> bool>,
}

impl Subject {
    /// A program (a path; it is not searched for in `PATH`).
    pub fn new(program: impl Into<PathBuf>) -> Subject {
        let program = program.into();
        Subject {
            // It is run in another directory. (This fails only for an empty path, which fails again when it is run.)
            program: std::path::absolute(&program).unwrap_or(program),
            args: Vec::new(),
            env: Vec::new(),
            fenced: false,
            sockets: false,
            numbers_vary: false,
            deadline: Duration::from_secs(60),
            skip: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Subject {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable, on top of the inherited ones.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Subject {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Compares only what lies between the program's two marks ([`fence`]).
    pub fn fenced(mut self) -> Subject {
        self.fenced = true;
        self
    }

    /// Compares only what the observer shows of its own accord: of the general calls (read, close …) those on sockets.
    /// Which those are, `strace` is asked, too (`-y`). For programs that read files whose contents differ from run to run.
    pub fn sockets(mut self) -> Subject {
        self.sockets = true;
        self
    }

    /// Numbers in the buffers that the program reads and writes may differ, such as a port that it prints.
    pub fn numbers_vary(mut self) -> Subject {
        self.numbers_vary = true;
        self
    }

    /// Leaves out the lines of which this is true, in both; for what differs from run to run, such as the contents of
    /// `/proc/net/tcp`.
    pub fn skip(mut self, skip: fn(&str) -> bool) -> Subject {
        self.skip = Some(skip);
        self
    }

    /// Gives up after this long (60 seconds unless told).
    pub fn deadline(mut self, deadline: Duration) -> Subject {
        self.deadline = deadline;
        self
    }
}

/// What a comparison gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many lines were the same.
    pub same: usize,
    /// How many threads there were.
    pub threads: usize,
    /// How often each entry of [`VARIES`] was needed.
    pub varied: Vec<(&'static str, usize)>,
    /// How often each entry of [`KNOWN`] was met, by its reason.
    pub known: Vec<(&'static str, usize)>,
    /// The differences that are not known.
    pub differences: Vec<Difference>,
}

/// Two lines that should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The thread: `1` for the program's first, `1.2` for the second that this one made, and so on.
    pub thread: String,
    /// Which line of this thread in `strace`'s output, from 1.
    pub line: usize,
    /// What `strace` says; `None` if it has no such line.
    pub strace: Option<String>,
    /// What the observer says; `None` if it has no such line.
    pub observer: Option<String>,
}

impl Report {
    /// Nothing, if all lines were the same; else a text that shows the differences and says what to do.
    pub fn verdict(&self) -> Result<(), String> {
        const SHOWN: usize = 20;
        if self.differences.is_empty() {
            return Ok(());
        }
        let mut out = format!("{} lines differ from strace's ({} are the same):\n", self.differences.len(), self.same);
        for difference in self.differences.iter().take(SHOWN) {
            out.push_str(&format!("{difference}\n"));
        }
        if self.differences.len() > SHOWN {
            out.push_str(&format!("… and {} more\n", self.differences.len() - SHOWN));
        }
        out.push_str(
            "What to do: strace's line is the specification, so mend the decoder of that call in the observer's src/decode. \
             If the line legitimately differs between two runs of the program, give the program a fixed value, or add the \
             kind of value to observer::strace::VARIES with its reason. If the observer knows better, add the difference \
             to observer::strace::KNOWN with its reason.",
        );
        Err(out)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "(no such line)".to_string();
        write!(
            f,
            "  thread {}, line {}\n    strace:   {}\n    observer: {}",
            self.thread,
            self.line,
            self.strace.clone().unwrap_or_else(none),
            self.observer.clone().unwrap_or_else(none)
        )
    }
}

/// Why nothing was compared.
#[derive(Debug)]
pub enum Failure {
    /// `strace` is not there, or is another version than [`VERSION`].
    Unavailable(String),
    /// `strace` could not be run, or its output not be read.
    Strace(String),
    /// The observer could not run the program.
    Observer(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unavailable(why) => f.write_str(why),
            Failure::Strace(why) => write!(f, "strace could not be run: {why}"),
            Failure::Observer(error) => write!(f, "the observer could not be run: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Whether the right `strace` is installed; if not, why nothing can be compared, and what to do.
pub fn available() -> Result<(), Failure> {
    let output = Command::new("strace").arg("--version").stdin(Stdio::null()).output().map_err(|error| {
        Failure::Unavailable(format!(
            "strace is not installed ({error}). Install it (on Debian: apt install strace) to compare the observer with it"
        ))
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
    if version == VERSION {
        return Ok(());
    }
    Err(Failure::Unavailable(format!(
        "strace is installed in version {version}, and the observer's format was verified with {VERSION}: others print some \
         lines differently"
    )))
}

/// Whether the environment insists on the comparison ([`INSIST`]).
pub fn insisted() -> bool {
    std::env::var_os(INSIST).is_some_and(|value| value == "insist")
}

/// Runs the subject under `strace` and under the observer, each time in a fresh empty directory, and compares their lines.
///
/// # Errors
/// If either could not be run. Differences are not an error: see [`Report::verdict`].
pub fn compare(subject: &Subject) -> Result<Report, Failure> {
    available()?;
    let specified = run_strace(subject)?;
    let observed = run_observer(subject)?;
    Ok(compare_lines(&specified, &observed, subject.numbers_vary))
}

/// A line of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    tid: i32,
    text: String,
}

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> io::Result<Directory> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("observer-strace-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed stays in the directory for temporary files; nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_observer(subject: &Subject) -> Result<Vec<Line>, Failure> {
    let directory = Directory::new().map_err(|error| Failure::Strace(error.to_string()))?;
    let mut observer = Observer::new(&subject.program).directory(directory.path()).capture().deadline(subject.deadline);
    if !subject.sockets {
        observer = observer.any_descriptor();
    }
    for arg in &subject.args {
        observer = observer.arg(arg);
    }
    for (name, value) in &subject.env {
        observer = observer.env(name, value);
    }
    if subject.fenced {
        observer = observer.fenced();
    }
    let seen = observer.run().map_err(Failure::Observer)?;
    let line = |event: &Event| Line { tid: event.tid, text: plain_line(event) };
    Ok(seen.trace.events.iter().map(line).filter(|line| is_compared(subject, &line.text)).collect())
}

/// The line without the spaces that put the `=` into its column.
fn plain_line(event: &Event) -> String {
    match &event.what {
        What::Call(call) => format!("{} = {}", call.request(), call.outcome.text),
        _ => event.line(),
    }
}

fn run_strace(subject: &Subject) -> Result<Vec<Line>, Failure> {
    let failure = |what: &str, error: io::Error| Failure::Strace(format!("{what}: {error}"));
    let directory = Directory::new().map_err(|error| failure("making a directory", error))?;
    let beside = Directory::new().map_err(|error| failure("making a directory", error))?;
    let log = beside.path().join("trace");
    let output = |name| File::create(beside.path().join(name)).map_err(|error| failure("making a file", error));
    let calls: Vec<&str> = decode::table().iter().map(|info| info.name).collect();
    let mut strace = Command::new("strace")
        .args(["-f", "-e", &format!("trace={}", calls.join(","))])
        .args(subject.sockets.then_some("-y"))
        .arg("-o")
        .arg(&log)
        .arg(&subject.program)
        .args(&subject.args)
        .envs(subject.env.iter().map(|(name, value)| (name, value)))
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(output("stdout")?)
        .stderr(output("stderr")?)
        .process_group(0)
        .spawn()
        .map_err(|error| failure("starting it", error))?;
    let until = Instant::now() + subject.deadline;
    while strace.try_wait().map_err(|error| failure("waiting for it", error))?.is_none() {
        if Instant::now() >= until {
            // SAFETY: kills the process group that was made for `strace` above, which has not been waited for yet.
            unsafe { libc::kill(-(strace.id() as libc::pid_t), libc::SIGKILL) };
            let _ = strace.wait();
            return Err(Failure::Strace(format!("it still ran after {:?}", subject.deadline)));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let log = fs::read(&log).map_err(|error| failure("reading its output", error))?;
    if log.is_empty() {
        let stderr = fs::read_to_string(beside.path().join("stderr")).unwrap_or_default();
        return Err(Failure::Strace(format!("it wrote nothing; its last words: {}", stderr.trim())));
    }
    let lines = parse(&String::from_utf8_lossy(&log)).map_err(Failure::Strace)?;
    let lines = if subject.sockets { on_sockets(lines) } else { lines };
    let lines = if subject.fenced { between_marks(lines) } else { without_marks(lines) };
    Ok(lines.into_iter().filter(|line| is_compared(subject, &line.text)).collect())
}

fn is_compared(subject: &Subject, text: &str) -> bool {
    !subject.skip.is_some_and(|skip| skip(text))
}

/// Of the general calls those on sockets (and the marks), without what `strace -y` says of each descriptor.
fn on_sockets(lines: Vec<Line>) -> Vec<Line> {
    let is_shown = |text: &str, named: &[&str]| {
        let name = text.split('(').next().unwrap_or_default();
        let is_general = decode::table().iter().any(|info| info.name == name && info.scope == decode::Scope::General);
        let is_a_mark = is_mark(text, fence::BEGIN) || is_mark(text, fence::END);
        let is_epoll = name.starts_with("epoll_") && name != "epoll_ctl";
        !is_general || is_a_mark || is_epoll || named.iter().any(|file| file.starts_with("socket:["))
    };
    let shown = |line: Line| {
        let (text, named) = without_names(&line.text);
        is_shown(&text, &named).then_some(Line { tid: line.tid, text })
    };
    lines.into_iter().filter_map(shown).collect()
}

/// Takes what `-y` adds behind descriptors out of a line: `read(5</proc/stat>, …)` becomes `read(5, …)` and `/proc/stat`.
fn without_names(text: &str) -> (String, Vec<&str>) {
    let (mut plain, mut named) = (String::with_capacity(text.len()), Vec::new());
    let mut in_quotes = false;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|after| after.split_once('>'));
        match name {
            Some((name, after)) if !in_quotes && plain.ends_with(|before: char| before.is_ascii_digit()) => {
                named.push(name);
                rest = after;
                continue;
            }
            _ => {}
        }
        let taken = if letter == '\\' && in_quotes { 2 } else { letter.len_utf8() };
        in_quotes ^= letter == '"';
        let (part, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        plain.push_str(part);
        rest = after;
    }
    (plain, named)
}

/// Reads `strace -f -o FILE`'s output: joins the halves of interrupted lines, and takes out the spaces that put the `=`
/// into its column (after checking that it stands there).
fn parse(log: &str) -> Result<Vec<Line>, String> {
    const UNFINISHED: &str = " <unfinished ...>";
    let mut lines: Vec<Option<Line>> = Vec::new();
    // For each thread its line that is not complete yet.
    let mut open: HashMap<i32, usize> = HashMap::new();
    for raw in log.lines() {
        let (tid, text) = raw.split_once(' ').ok_or_else(|| format!("a line without a process id: {raw}"))?;
        let tid: i32 = tid.parse().map_err(|_| format!("a line without a process id: {raw}"))?;
        let text = text.trim_start();
        if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>")) {
            let begun = open.remove(&tid).and_then(|index| lines[index].take());
            let begun = begun.ok_or_else(|| format!("nothing to resume: {raw}"))?;
            let whole = format!("{}{rest}", begun.text);
            lines.push(Some(Line { tid, text: squeeze(&whole, None)? }));
            continue;
        }
        if let Some(start) = text.strip_suffix(UNFINISHED) {
            open.insert(tid, lines.len());
            lines.push(Some(Line { tid, text: start.to_string() }));
            continue;
        }
        // exec ends a process's other threads; its caller goes on under the id of the first.
        if let Some(by) =
            text.strip_prefix("+++ superseded by execve in pid ").and_then(|text| text.strip_suffix(" +++"))
        {
            let by = by.parse().map_err(|_| format!("a thread without an id: {raw}"))?;
            if let Some(index) = open.remove(&by) {
                open.insert(tid, index);
            }
        }
        let column = raw.len() - text.len();
        lines.push(Some(Line { tid, text: squeeze(text, Some(column))? }));
    }
    Ok(lines.into_iter().flatten().collect())
}

/// Takes out the spaces before the `=` of a call's line. `column` is where the line began, if it was printed at one go.
fn squeeze(text: &str, column: Option<usize>) -> Result<String, String> {
    const EQUALS: usize = 40;
    if text.starts_with("+++") || text.starts_with("---") {
        return Ok(text.to_string());
    }
    let (request, outcome) = text.rsplit_once(" = ").ok_or_else(|| format!("a call without a result: {text}"))?;
    let trimmed = request.trim_end();
    if let Some(column) = column {
        let padded = (column + trimmed.len()).max(EQUALS - 1);
        if column + request.len() != padded {
            return Err(format!("the = does not stand in column {EQUALS}: {text}"));
        }
    }
    Ok(format!("{trimmed} = {outcome}"))
}

fn is_mark(text: &str, mark: &[u8]) -> bool {
    let mark = String::from_utf8_lossy(mark);
    text.starts_with(&format!("write(-1, \"{mark}\", {})", mark.len()))
}

/// The lines between the marks, without them.
fn between_marks(lines: Vec<Line>) -> Vec<Line> {
    let mut inside = false;
    let mut kept = Vec::new();
    for line in lines {
        if is_mark(&line.text, fence::BEGIN) {
            inside = true;
        } else if is_mark(&line.text, fence::END) {
            inside = false;
        } else if inside {
            kept.push(line);
        }
    }
    kept
}

/// The observer never shows the marks.
fn without_marks(mut lines: Vec<Line>) -> Vec<Line> {
    lines.retain(|line| !is_mark(&line.text, fence::BEGIN) && !is_mark(&line.text, fence::END));
    lines
}

/// The lines of each thread, under a name that does not depend on process ids: who made whom, in which order.
fn by_thread(lines: &[Line]) -> Vec<(String, Vec<&str>)> {
    let mut makers: HashMap<i32, (i32, usize)> = HashMap::new();
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for line in lines {
        if let Some(child) = new_thread(&line.text) {
            let count = counts.entry(line.tid).or_default();
            *count += 1;
            makers.insert(child, (line.tid, *count));
        }
    }
    let mut strangers: Vec<i32> = Vec::new();
    let mut threads: Vec<(i32, String, Vec<&str>)> = Vec::new();
    for line in lines {
        if let Some((_, _, texts)) = threads.iter_mut().find(|(tid, _, _)| *tid == line.tid) {
            texts.push(&line.text);
        } else {
            threads.push((line.tid, thread_name(line.tid, &makers, &mut strangers), vec![&line.text]));
        }
    }
    let mut threads: Vec<(String, Vec<&str>)> = threads.into_iter().map(|(_, name, texts)| (name, texts)).collect();
    threads.sort_by(|one, other| one.0.cmp(&other.0));
    threads
}

/// `1.2` for the second thread that thread 1 made. Threads of which nobody knows who made them (the first is one of them)
/// are numbered as they appear.
fn thread_name(tid: i32, makers: &HashMap<i32, (i32, usize)>, strangers: &mut Vec<i32>) -> String {
    // (Ids may be used again: then a thread could seem to be its own ancestor, were it not for the limit.)
    const DEEPEST: usize = 100;
    let mut path = Vec::new();
    let mut ancestor = tid;
    while let Some((maker, count)) = makers.get(&ancestor).filter(|_| path.len() < DEEPEST) {
        path.push(*count);
        ancestor = *maker;
    }
    let number = strangers.iter().position(|known| *known == ancestor).unwrap_or_else(|| {
        strangers.push(ancestor);
        strangers.len() - 1
    });
    path.iter().rev().fold((number + 1).to_string(), |name, count| format!("{name}.{count}"))
}

/// The id of the thread or process that this line's call made.
fn new_thread(text: &str) -> Option<i32> {
    const MAKERS: [&str; 4] = ["fork(", "vfork(", "clone(", "clone3("];
    if !MAKERS.iter().any(|maker| text.starts_with(maker)) {
        return None;
    }
    text.rsplit_once(" = ")?.1.parse().ok().filter(|tid| *tid > 0)
}

fn compare_lines(specified: &[Line], observed: &[Line], numbers_vary: bool) -> Report {
    let (specified, observed) = (by_thread(specified), by_thread(observed));
    let mut alike = Alike { numbers_vary, ..Alike::default() };
    let mut report = Report { threads: specified.len(), ..Report::default() };
    let empty = Vec::new();
    let mut names: Vec<&String> = specified.iter().chain(&observed).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let of = |all: &[(String, Vec<&str>)]| all.iter().position(|(known, _)| known == name);
        let strace = of(&specified).map_or(&empty, |index| &specified[index].1);
        let observer = of(&observed).map_or(&empty, |index| &observed[index].1);
        compare_thread(name, strace, observer, &mut alike, &mut report);
    }
    report.varied =
        VARIES.iter().map(|varies| (varies.what, alike.count(varies.what))).filter(|(_, n)| *n > 0).collect();
    report
}

/// Compares one thread's lines. After a difference it goes on where the two agree again.
fn compare_thread(name: &str, strace: &[&str], observer: &[&str], alike: &mut Alike, report: &mut Report) {
    const AHEAD: usize = 40;
    let (mut s, mut o) = (0, 0);
    while s < strace.len() || o < observer.len() {
        if let (Some(one), Some(other)) = (strace.get(s), observer.get(o))
            && alike.lines(one, other)
        {
            report.same += 1;
            (s, o) = (s + 1, o + 1);
            continue;
        }
        // How many lines to leave out on either side until they agree; one on each, if that is not soon.
        let agrees = |skip_s: usize, skip_o: usize| match (strace.get(s + skip_s), observer.get(o + skip_o)) {
            (Some(one), Some(other)) => alike.clone().lines(one, other),
            (None, None) => true,
            _ => false,
        };
        let (skip_s, skip_o) = (1..AHEAD)
            .flat_map(|total| (0..=total).map(move |skip| (skip, total - skip)))
            .find(|(skip_s, skip_o)| agrees(*skip_s, *skip_o))
            .unwrap_or((1, 1));
        for index in 0..skip_s.max(skip_o) {
            let line = |lines: &[&str], at: usize, most: usize| {
                (index < most).then(|| lines.get(at + index).map(|line| line.to_string())).flatten()
            };
            let difference = Difference {
                thread: name.to_string(),
                line: s + index + 1,
                strace: line(strace, s, skip_s),
                observer: line(observer, o, skip_o),
            };
            report.add(difference);
        }
        (s, o) = (s + skip_s, o + skip_o);
    }
}

impl Report {
    fn add(&mut self, difference: Difference) {
        if difference.strace.is_none() && difference.observer.is_none() {
            return;
        }
        let known = KNOWN.iter().find(|known| (known.is)(difference.strace.as_deref(), difference.observer.as_deref()));
        match known {
            None => self.differences.push(difference),
            Some(known) => match self.known.iter_mut().find(|(reason, _)| *reason == known.reason) {
                Some((_, count)) => *count += 1,
                None => self.known.push((known.reason, 1)),
            },
        }
    }
}

/// Says whether two lines are the same but for what may vary, and remembers which value of the one run is which of the
/// other.
#[derive(Clone, Debug, Default)]
struct Alike {
    numbers_vary: bool,
    /// For each kind of value, the pairs that were met.
    pairs: HashMap<(&'static str, String), String>,
    back: HashMap<(&'static str, String), String>,
    counts: HashMap<&'static str, usize>,
}

impl Alike {
    fn count(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Whether two lines are alike. If they are not, nothing is remembered of them.
    fn lines(&mut self, strace: &str, observer: &str) -> bool {
        if strace == observer && !strace.contains(|c: char| c.is_ascii_digit()) {
            return true;
        }
        let mut trial = self.clone();
        let alike = trial.walk(strace, observer);
        if alike {
            *self = trial;
        }
        alike
    }

    /// Walks along both lines, word by word.
    fn walk(&mut self, strace: &str, observer: &str) -> bool {
        let (mut one, mut other) = (strace, observer);
        loop {
            let before = &strace[..strace.len() - one.len()];
            let (word, one_rest) = next_word(one);
            let (other_word, other_rest) = next_word(other);
            if word.is_empty() && other_word.is_empty() {
                return true;
            }
            if !self.words(before, word, other_word, one_rest) {
                return false;
            }
            (one, other) = (one_rest, other_rest);
        }
    }

    /// Whether two words are alike that stand behind `before`, and before `rest`.
    fn words(&mut self, before: &str, one: &str, other: &str, rest: &str) -> bool {
        let numbers = is_number(one) && is_number(other);
        let kind = VARIES.iter().find(|varies| varies.before.iter().any(|text| before.ends_with(text)));
        let kind = match kind {
            Some(kind) if kind.what == "chosen unix name" => {
                Some(kind).filter(|_| is_chosen(one, rest) && is_chosen(other, rest))
            }
            Some(kind) => Some(kind).filter(|_| numbers),
            None if numbers && rest.is_empty() && returns_process(before) => {
                VARIES.iter().find(|kind| kind.what == "process id")
            }
            None => None,
        };
        match kind {
            Some(_) if before.ends_with("parent_tid=[") && (one == "0") != (other == "0") => {
                self.note("cleared thread id", one, other)
            }
            Some(kind) if kind.consistent => self.pair(kind.what, one, other),
            Some(kind) => self.note(kind.what, one, other),
            None if one == other => true,
            None if is_pointer(one) && is_pointer(other) => self.note("pointer", one, other),
            None if self.numbers_vary && in_quotes(before) && numbers => self.note("number in a buffer", one, other),
            None => false,
        }
    }

    fn note(&mut self, what: &'static str, one: &str, other: &str) -> bool {
        if one != other {
            *self.counts.entry(what).or_default() += 1;
        }
        true
    }

    /// Whether these two values can be the same thing in two runs: each must have met only the other so far.
    fn pair(&mut self, what: &'static str, one: &str, other: &str) -> bool {
        // 0 means "none" or "you choose" wherever it stands, and is nothing that a run has of its own.
        if one == "0" || other == "0" {
            return one == other;
        }
        let there = self.pairs.entry((what, one.to_string())).or_insert_with(|| other.to_string());
        let back = self.back.entry((what, other.to_string())).or_insert_with(|| one.to_string());
        there == other && back == one && self.note(what, one, other)
    }
}

/// The next run of letters and digits, or else the next single character; and what is behind.
fn next_word(text: &str) -> (&str, &str) {
    let word = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let end = if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) };
    text.split_at(end)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address that a program could have: small ones are bad on purpose, and the same in each run.
fn is_pointer(word: &str) -> bool {
    const SMALLEST: u64 = 0x10000;
    word.strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .is_some_and(|number| number >= SMALLEST)
}

/// A name that the kernel has chosen for a unix socket.
fn is_chosen(word: &str, rest: &str) -> bool {
    word.len() == 5 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && rest.starts_with('"')
}

/// Whether the result of this line is a process or thread.
fn returns_process(before: &str) -> bool {
    let Some(request) = before.strip_suffix(" = ").or_else(|| before.strip_suffix(" = -")) else { return false };
    ["fork(", "vfork(", "clone(", "clone3("].iter().any(|maker| request.starts_with(maker))
        || request.ends_with("F_GETOWN)")
}

/// Whether the next character stands inside of a quoted string.
fn in_quotes(before: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for byte in before.bytes() {
        match byte {
            b'"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(i32, &str)]) -> Vec<Line> {
        of.iter().map(|(tid, text)| Line { tid: *tid, text: text.to_string() }).collect()
    }

    fn alike(one: &str, other: &str) -> bool {
        Alike::default().lines(one, other)
    }

    #[test]
    fn strace_lines_are_joined_and_squeezed() {
        let log = "982   close(3)                          = 0\n\
                   982   recvfrom(4,  <unfinished ...>\n\
                   1003  exit(0)                           = ?\n\
                   1003  +++ exited with 0 +++\n\
                   982   <... recvfrom resumed>\"x\", 64, 0, NULL, NULL) = 1\n";
        let expected = lines(&[
            (982, "close(3) = 0"),
            (1003, "exit(0) = ?"),
            (1003, "+++ exited with 0 +++"),
            (982, "recvfrom(4, \"x\", 64, 0, NULL, NULL) = 1"),
        ]);
        assert_eq!(parse(log), Ok(expected));
        let crooked = parse("982   close(3) = 0\n").expect_err("the = is not in its column");
        assert!(crooked.contains("column 40"), "{crooked}");
    }

    #[test]
    fn calls_on_files_are_told_from_those_on_sockets() {
        let all = lines(&[
            (1, "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3<socket:[17]>"),
            (1, "read(4</proc/net/tcp>, \"0<socket:[1]>\", 16) = 13"),
            (1, "write(3<socket:[17]>, \"a \\\"3<x>\", 6) = 6"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "poll([{fd=3<socket:[17]>, events=POLLIN}], 1, 0) = 0 (Timeout)"),
            (1, "epoll_wait(5<anon_inode:[eventpoll]>, [], 8, 0) = 0"),
            (1, "close(5<anon_inode:[eventpoll]>) = 0"),
            (1, "read(3<socket:[17]>,  <unfinished ...>) = ?"),
            (1, "+++ exited with 0 +++"),
        ]);
        let expected = lines(&[
            (1, "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"),
            (1, "write(3, \"a \\\"3<x>\", 6) = 6"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "poll([{fd=3, events=POLLIN}], 1, 0) = 0 (Timeout)"),
            (1, "epoll_wait(5, [], 8, 0) = 0"),
            (1, "read(3,  <unfinished ...>) = ?"),
            (1, "+++ exited with 0 +++"),
        ]);
        assert_eq!(on_sockets(all), expected);
    }

    #[test]
    fn only_what_may_vary_may_differ() {
        assert!(alike(
            "read(3, 0x7ffc0f40, 4) = -1 EFAULT (Bad address)",
            "read(3, 0x7ffeee08, 4) = -1 EFAULT (Bad address)"
        ));
        assert!(!alike("read(3, 0x1, 4) = 0", "read(3, 0x2, 4) = 0"));
        assert!(!alike("read(3, NULL, 4) = 0", "read(3, 0x7ffc0f40, 4) = 0"));
        assert!(!alike("read(3, \"a\", 4) = 1", "read(3, \"b\", 4) = 1"));
        assert!(!alike("close(3) = 0", "close(4) = 0"));
        assert!(alike("fork() = 700", "fork() = 800"));
        assert!(!alike("fork() = 700", "fork() = -1 EAGAIN (Resource temporarily unavailable)"));
        assert!(alike("{sa_family=AF_UNIX, sun_path=@\"0a1b2\"}", "{sa_family=AF_UNIX, sun_path=@\"ffff0\"}"));
        assert!(!alike("{sa_family=AF_UNIX, sun_path=@\"demos\"}", "{sa_family=AF_UNIX, sun_path=@\"demot\"}"));
        assert!(!alike("sin_port=htons(0)", "sin_port=htons(40000)"));
        assert!(alike("clone3({} => {parent_tid=[0]}, 88) = 7", "clone3({} => {parent_tid=[9]}, 88) = 9"));
        assert!(!alike("clone3({} => {parent_tid=[8]}, 88) = 7", "clone3({} => {parent_tid=[9]}, 88) = 9"));
        assert!(!alike("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40002\", 10) = 10"));
        let mut prints = Alike { numbers_vary: true, ..Alike::default() };
        assert!(prints.lines("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40002\", 10) = 10"));
        assert!(!prints.lines("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40001\", 11) = 11"));
    }

    #[test]
    fn a_port_is_the_same_port_throughout() {
        let mut alike = Alike::default();
        assert!(alike.lines("bind(3, {sin_port=htons(40001)}) = 0", "bind(3, {sin_port=htons(50001)}) = 0"));
        assert!(alike.lines("bind(4, {sin_port=htons(40001)}) = 0", "bind(4, {sin_port=htons(50001)}) = 0"));
        assert!(!alike.lines("bind(5, {sin_port=htons(40001)}) = 0", "bind(5, {sin_port=htons(50002)}) = 0"));
        assert!(!alike.lines("bind(5, {sin_port=htons(40002)}) = 0", "bind(5, {sin_port=htons(50001)}) = 0"));
        assert!(alike.lines("bind(5, {sin_port=htons(40002)}) = 0", "bind(5, {sin_port=htons(50002)}) = 0"));
    }

    #[test]
    fn threads_are_matched_by_who_made_them() {
        let strace = lines(&[
            (10, "clone3({flags=0}, 88) = 11"),
            (12, "close(2) = 0"),
            (11, "close(1) = 0"),
            (10, "fork() = 12"),
        ]);
        let observer = lines(&[
            (30, "clone3({flags=0}, 88) = 31"),
            (31, "close(1) = 0"),
            (30, "fork() = 34"),
            (34, "close(2) = 0"),
        ]);
        let report = compare_lines(&strace, &observer, false);
        assert_eq!(report.differences, []);
        assert_eq!((report.same, report.threads), (4, 3));
        // A grandchild may be made before the line that says who made its parent.
        let early = lines(&[(10, "close(9) = 0"), (11, "fork() = 12"), (12, "close(3) = 0"), (10, "fork() = 11")]);
        let late = lines(&[(10, "close(9) = 0"), (10, "fork() = 11"), (11, "fork() = 12"), (12, "close(3) = 0")]);
        assert_eq!(compare_lines(&early, &late, false).differences, []);
    }

    #[test]
    fn a_missing_line_is_one_difference_and_the_rest_still_fits() {
        let strace = lines(&[(1, "close(1) = 0"), (1, "close(2) = 0"), (1, "close(3) = 0"), (1, "close(4) = 0")]);
        let observer = lines(&[(7, "close(1) = 0"), (7, "close(3) = 0"), (7, "close(5) = 0")]);
        let report = compare_lines(&strace, &observer, false);
        assert_eq!(report.same, 2);
        let told = report.verdict().expect_err("two lines differ");
        assert_eq!(report.differences.len(), 2, "{told}");
        assert_eq!(report.differences[0].strace.as_deref(), Some("close(2) = 0"));
        assert_eq!(report.differences[0].observer, None);
        assert_eq!(report.differences[1].observer.as_deref(), Some("close(5) = 0"));
        assert!(told.contains("What to do"), "{told}");
    }

    #[test]
    fn the_fence_cuts_both_ends() {
        let all = lines(&[
            (1, "close(1) = 0"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "close(2) = 0"),
            (1, "write(-1, \"#end\", 4) = -1 EBADF (Bad file descriptor)"),
            (1, "close(3) = 0"),
        ]);
        assert_eq!(between_marks(all.clone()), lines(&[(1, "close(2) = 0")]));
        assert_eq!(without_marks(all), lines(&[(1, "close(1) = 0"), (1, "close(2) = 0"), (1, "close(3) = 0")]));
    }
}
