//! Plays an experiment in a process of its own and keeps what came of it.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use observer::{Ending, Observer, Trace};

use crate::judge::Verdict;
use crate::piece::Piece;
use crate::scratch::{self, Scratch};
use crate::{Lesson, Recording, Stop, ends};

/// How long an experiment may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// This program, by a name that holds even after its file has been replaced by a newer build.
pub(crate) const MYSELF: &str = "/proc/self/exe";

/// What came of one experiment or provocation.
pub(crate) struct Run {
    /// What the kernel saw; `None` if it could not be traced.
    pub(crate) trace: Option<Trace>,
    /// Why there is no trace, said once, at the first run that has none.
    pub(crate) why_untraced: Option<String>,
    /// The tracer did not work where it should have.
    pub(crate) tracer_failed: bool,
    /// How the process ended.
    pub(crate) ending: Ending,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained of.
    pub(crate) stderr: String,
    /// Why the experiment stopped early, if it said so.
    pub(crate) stop: Option<Stop>,
}

/// Plays a lesson's experiments, traced as long as the machine allows it.
pub(crate) struct Player {
    lesson: &'static Lesson,
    traces: bool,
    /// Whether to look what the kernel holds after each call of an experiment. (Of a provocation the calls say all.)
    snapshots: bool,
}

impl Player {
    pub(crate) fn new(lesson: &'static Lesson, snapshots: bool) -> io::Result<Player> {
        scratch::clear_up_on_signals()?;
        Ok(Player { lesson, traces: true, snapshots })
    }

    /// Plays one experiment.
    pub(crate) fn play(&mut self, piece: Piece) -> io::Result<Run> {
        if !self.traces {
            return self.play_untraced(piece);
        }
        let scratch = Scratch::new(self.lesson.name)?;
        let stop_file = scratch.file("stop");
        let observer = Observer::new(MYSELF)
            .arg("--play")
            .arg(piece.name())
            .arg("--stop-file")
            .arg(&stop_file)
            .directory(scratch.work())
            .capture()
            .fenced()
            .deadline(deadline());
        let snapshots = self.snapshots && matches!(piece, Piece::Experiment(_));
        let observer = if snapshots { observer.snapshots() } else { observer };
        let observer = piece.injection().into_iter().fold(observer, Observer::inject);
        match observer.run() {
            Ok(seen) => Ok(Run {
                ending: seen.trace.ending.clone(),
                trace: Some(seen.trace),
                why_untraced: None,
                tracer_failed: false,
                stdout: String::from_utf8_lossy(&seen.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&seen.stderr).into_owned(),
                stop: read_stop(&stop_file)?,
            }),
            Err(error @ observer::Error::Start { .. }) => Err(io::Error::other(error.to_string())),
            Err(error) => {
                self.traces = false;
                let refused = matches!(error, observer::Error::Refused { .. });
                let run = self.play_untraced(piece)?;
                Ok(Run { why_untraced: Some(error.to_string()), tracer_failed: !refused, ..run })
            }
        }
    }

    /// Plays one experiment in a plain child.
    fn play_untraced(&self, piece: Piece) -> io::Result<Run> {
        let scratch = Scratch::new(self.lesson.name)?;
        let (stop_file, stdout, stderr) = (scratch.file("stop"), scratch.file("stdout"), scratch.file("stderr"));
        let mut child = Command::new(MYSELF)
            .args(["--play", piece.name(), "--stop-file"])
            .arg(&stop_file)
            .current_dir(scratch.work())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .process_group(0)
            .spawn()?;
        let group = child.id() as libc::pid_t;
        scratch::remember_group(Some(group));
        let ending = wait(&mut child, deadline());
        // Whatever the experiment left running goes with it.
        // SAFETY: kill takes two numbers; the group is the one made above.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        scratch::remember_group(None);
        Ok(Run {
            trace: None,
            why_untraced: None,
            tracer_failed: false,
            ending: ending?,
            stdout: read_text(&stdout)?,
            stderr: read_text(&stderr)?,
            stop: read_stop(&stop_file)?,
        })
    }
}

/// Twenty seconds, unless the environment says otherwise (the lab's own tests are in a hurry).
fn deadline() -> Duration {
    let milliseconds = std::env::var("LAB_DEADLINE_MS").ok().and_then(|text| text.parse().ok());
    milliseconds.map_or(DEADLINE, Duration::from_millis)
}

fn wait(child: &mut Child, deadline: Duration) -> io::Result<Ending> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ending(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(Ending::Deadline { milliseconds: deadline.as_millis() as u64 });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn ending(status: ExitStatus) -> Ending {
    match status.signal() {
        Some(number) => Ending::Killed { signal: signal_name(number) },
        None => Ending::Exited { status: status.code().unwrap_or(-1) },
    }
}

fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_string())
}

fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Why the experiment stopped, if it left word.
fn read_stop(path: &Path) -> io::Result<Option<Stop>> {
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Run {
    /// The run in the form that is kept.
    pub(crate) fn into_recording(self, lesson: &Lesson, piece: Piece, verdict: &Verdict) -> Recording {
        let (outcome, when) = match verdict {
            Verdict::Right { outcome, when } => (Some(*outcome), when.clone()),
            Verdict::Wrong(_) => (None, String::new()),
        };
        Recording {
            lesson: lesson.name.to_string(),
            experiment: piece.name().to_string(),
            shows: piece.shows().to_string(),
            notice: piece.notice().to_string(),
            atlas: piece.entry(),
            output: self.stdout,
            outcome,
            when,
            stop: self.stop,
            ends: self.trace.as_ref().map(ends::ends).unwrap_or_default(),
            trace: self.trace,
        }
    }
}
