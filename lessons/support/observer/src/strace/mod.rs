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

mod alike;
mod lines;
mod run;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Error, decode};
use alike::Alike;
use lines::{Line, by_thread};
use run::{run_observer, run_strace};

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
        what: "short send",
        before: &[],
        consistent: false,
        reason: "how much a full buffer still takes depends on when the other end has read. Only the result of a sendto that \
                 took something, and in both runs less than it was given",
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
///
/// Two more cannot be met by a comparison. `strace` 6.1 never comes to an end on a control message whose length is within
/// 7 of the largest number (rounded up to whole words it is 0); the observer does. And on a terminal `strace` takes the
/// answer to TCGETS apart; the observer prints its address.
pub const KNOWN: &[Known] = &[
    Known {
        is: |strace, observer| both(strace, observer, |strace| strace.contains("nlmsg_len=")),
        reason: "messages to and from the kernel's netlink: strace has a decoder for each of some hundred kinds of them; the \
                 observer prints their bytes, since no lesson speaks netlink (getaddrinfo may)",
    },
    Known {
        is: |strace, observer| {
            const FAMILIES: [&str; 12] = [
                "AF_AX25",
                "AF_IPX",
                "AF_X25",
                "AF_BLUETOOTH",
                "AF_RXRPC",
                "AF_IEEE802154",
                "AF_ALG",
                "AF_NFC",
                "AF_VSOCK",
                "AF_QIPCRTR",
                "AF_XDP",
                "AF_MCTP",
            ];
            both(strace, observer, |strace| FAMILIES.iter().any(|name| strace.contains(&format!("sa_family={name}, "))))
                && observer.is_some_and(|observer| observer.contains("sa_data="))
        },
        reason: "addresses of AF_AX25, AF_IPX, AF_X25, AF_BLUETOOTH, AF_RXRPC, AF_IEEE802154, AF_ALG, AF_NFC, AF_VSOCK, \
                 AF_QIPCRTR, AF_XDP and AF_MCTP: no lesson has any; the observer prints their bytes (sa_data)",
    },
    Known {
        is: |strace, observer| {
            both(strace, observer, |strace| strace.starts_with("ioctl(") && !strace.contains("_IOC("))
                && observer.is_some_and(|observer| observer.contains("_IOC("))
        },
        reason: "ioctl requests for other things than sockets, network interfaces, terminals and descriptors: strace knows \
                 the names of some thousand; the observer takes the number apart",
    },
];

/// Whether there are both lines, and `strace`'s is such a one.
fn both(strace: Option<&str>, observer: Option<&str>, is: impl Fn(&str) -> bool) -> bool {
    observer.is_some() && strace.is_some_and(is)
}

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

    /// Compares only what lies between the program's two marks ([`crate::fence`]).
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

/// The names of the calls that are traced, and so compared.
pub fn calls() -> impl Iterator<Item = &'static str> {
    decode::table().iter().map(|info| info.name)
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

fn compare_lines(specified: &[Line], observed: &[Line], numbers_vary: bool) -> Report {
    let (specified, observed) = (by_thread(specified), by_thread(observed));
    let mut alike = Alike::new(numbers_vary);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(i32, &str)]) -> Vec<Line> {
        of.iter().map(|(tid, text)| Line { tid: *tid, text: text.to_string() }).collect()
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
}
