//! Runs a subject, under the one and under the other.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::lines::{Line, between_marks, on_sockets, parse, without_marks};
use super::{Failure, Subject, calls};
use crate::{Event, Observer, What};

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

/// The lines that the observer prints.
pub(super) fn run_observer(subject: &Subject) -> Result<Vec<Line>, Failure> {
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

/// The lines that `strace` prints, those of the marks left out.
pub(super) fn run_strace(subject: &Subject) -> Result<Vec<Line>, Failure> {
    let failure = |what: &str, error: io::Error| Failure::Strace(format!("{what}: {error}"));
    let directory = Directory::new().map_err(|error| failure("making a directory", error))?;
    let beside = Directory::new().map_err(|error| failure("making a directory", error))?;
    let log = beside.path().join("trace");
    let output = |name| File::create(beside.path().join(name)).map_err(|error| failure("making a file", error));
    let calls: Vec<&str> = calls().collect();
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
