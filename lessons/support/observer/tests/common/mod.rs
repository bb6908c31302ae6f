//! What the observer's tests share.

// Each test file is a program of its own and uses only some of this.
#![allow(dead_code)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use observer::{Call, Observation, Observer, Trace};

/// The program `tests/common/children.rs`.
pub fn children() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_observer-children"))
}

/// An observer of one of the children: `child("fence")`, `child("open 20")`.
pub fn child(args: &str) -> Observer {
    args.split_whitespace().fold(Observer::new(children()), |observer, arg| observer.arg(arg)).capture()
}

/// Runs it; it must come to its end.
pub fn run(observer: Observer) -> Observation {
    observer.run().unwrap_or_else(|error| panic!("the run failed: {error}"))
}

/// All calls, in order.
pub fn calls(trace: &Trace) -> Vec<&Call> {
    trace.events.iter().filter_map(|event| event.call()).collect()
}

/// The names of all calls, in order.
pub fn names(trace: &Trace) -> Vec<&str> {
    calls(trace).iter().map(|call| call.name.as_ref()).collect()
}

/// All lines, in order.
pub fn lines(trace: &Trace) -> Vec<String> {
    trace.events.iter().map(|event| event.line()).collect()
}

/// What the child printed.
pub fn stdout(seen: &Observation) -> String {
    String::from_utf8_lossy(&seen.stdout).into_owned()
}

/// Whether a process is gone (or dead, and waiting for a parent to take notice).
pub fn gone(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X'])),
    }
}

/// Waits until that is so, for a minute at most.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited a minute in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a program can be found in the usual places.
pub fn program(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.is_file())
}

/// An empty directory, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("observer-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
