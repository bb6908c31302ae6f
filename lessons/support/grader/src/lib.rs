//! Judges a student's functions: runs each in a child process under the observer, and says what is wrong and why.
//!
//! # How a check is made
//!
//! What an exercise is, what each check asks and what it says when the answer is no, stands in the lesson's `exercises.toml`
//! ([`sheet`]). To that a lesson adds two small functions for each check:
//!
//! - the **act** is played in the *child*: it gets things ready, calls the student's function through [`Stage::call`], looks
//!   at what came back, and returns it;
//! - the **judge** runs in the *parent*: it sets the scene (a server that is alive, a port that is taken), has the act
//!   played ([`Bench::play`]), and looks at what the act returned ([`Run::answer`]) and at what the kernel saw
//!   ([`Run::calls`]). It returns `Ok(())`, or [`Run::reject`] with the values for the message and the lines to point at.
//!
//! ```
//! use std::os::fd::{AsRawFd, OwnedFd};
//!
//! use grader::{Bench, Fault, Stage, Suite};
//! use nix::errno::Errno;
//! use nix::sys::socket::{SockaddrIn, getsockname};
//!
//! /// The page: a function for each exercise.
//! #[derive(Clone, Copy)]
//! struct Page {
//!     bind_any_port: fn() -> Result<(OwnedFd, u16), Errno>,
//! }
//!
//! /// In the child: calls the function, and keeps the port or the errno.
//! fn call(page: &Page, stage: &mut Stage, _: ()) -> Result<u16, i32> {
//!     match stage.call("bind_any_port()", page.bind_any_port) {
//!         Ok((_, port)) => Ok(*port),
//!         Err(errno) => Err(*errno as i32),
//!     }
//! }
//!
//! /// In the parent: is the port 0?
//! fn never_zero(bench: &Bench<(), Result<u16, i32>>) -> Result<(), Fault> {
//!     let run = bench.play(())?;
//!     match run.answer()? {
//!         Ok(0) => Err(run.reject().at_any(run.calls("bind").last().map(|bind| bind.index)).into()),
//!         Ok(_) => Ok(()),
//!         Err(_) => Err(Fault::waits("port_is_the_sockets_own", "no port was returned")),
//!     }
//! }
//!
//! fn lesson(page: Page) -> Suite<Page> {
//!     let sheet = r##"
//!         [[exercise]]
//!         id = "bind/any-port"
//!         title = "A port of the kernel's choosing"
//!         stars = 1
//!         signature = "pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>"
//!         task = "Let the kernel choose."
//!         hints = ["Ask the socket.", "getsockname", "name.port()"]
//!         read = "bind.md#port-0"
//!         [[exercise.check]]
//!         name = "never_zero"
//!         asks = "the port is not 0"
//!         message = "Port 0 means that the kernel chooses; it is not the answer."
//!         why = "Nobody can connect to port 0."
//!     "##;
//!     let mut suite = Suite::new(sheet, page).expect("the sheet is good");
//!     suite.check("bind/any-port", "never_zero", call, never_zero);
//!     suite
//! }
//! # let _ = lesson;
//! ```
//!
//! A lesson's `tests/exercises.rs` (`harness = false`) is then [`grade`]`(lesson(page))`, and its `tests/answers.rs` is [`prove`].
//!
//! # What the child is
//!
//! The test program itself, started once more (an environment variable tells it, before it looks at its command line). It
//! runs under the observer: fenced, with the loopback guard, in a new empty directory, with an empty standard input, captured
//! output, SIGPIPE as the system gives it, at most 1 GiB of memory, 256 descriptors, 64 processes and 16 MiB in any one
//! file, and ten seconds to return ([`Setting`] changes some of these and carries [injections](observer::Injection)).
//! It opens no file and no socket of the grader's while the function runs. A seccomp filter kills it if it tries to signal
//! the grader, the program that started it, or everybody.
//!
//! # What a check can say
//!
//! See [`Verdict`]. Two rules keep it quiet: a mistake is told once (a check that could only repeat what another says better
//! *waits* for it, in one line), and a function that still is a `todo!()` gets one line for each check and no more.
//! Only [`Verdict::Passed`] counts as passed.
//!
//! # What makes grading slow, and a proof slower
//!
//! A run ([`Bench::play`]) costs about 10 ms of processor time, nearly all of it for starting the child. A proof makes every
//! check once for each wrong answer, so what a check waits for it waits for ten times and more. Worth knowing:
//!
//! - **Wait for what happens**, with a deadline that is never reached, and not for a time. If *nothing* is to happen
//!   (nobody may hear this, the queue must stay full), wait as short as a right answer allows (`PATIENCE` in
//!   `listen/queue-capacity` is 200 ms), and ask for that once in a run and not once for each client.
//! - **An answer that hangs** has to name `finishes_in_time`, as [`Wrong::rejected_by`] or in [`Wrong::also`]. That is how the
//!   proof knows: all its checks are made at once, before all others, and each has three seconds, not ten. One such answer
//!   for each way of hanging is enough, and ten cost no more than one.
//! - **It should hang asleep** (in `accept`, say), not in a loop: a loop takes a processor from the others for three seconds
//!   in every check.
//! - **A shorter [`Setting::deadline`]** helps where a right answer takes a few milliseconds and hanging is the mistake that
//!   the check is about. Below two seconds it is a test of the machine: with both processors busy a run may take that long.
//! - **A process or thread left behind** is given a second to be gone: an answer that leaves one waits that second in
//!   each run.
//! - **Few runs**: what one run can show needs no second one. Several clients, sizes or circumstances may be tried in one act,
//!   if the message can still say which of them went wrong.
//!
//! `--test-threads 1` shows which take long, `--exact wrong/ID/NAME` plays one alone.
//!
//! # The checks that every exercise has
//!
//! `survives`, `finishes_in_time`, `leaves_no_fd_behind` and `stays_on_loopback` (`common.toml`) have no runs of their own.
//! They look at every run that the exercise's own checks asked for, so they see the failing calls too.

pub mod sheet;

#[cfg(feature = "run")]
mod bench;
#[cfg(feature = "run")]
mod common;
#[cfg(feature = "run")]
mod harness;
#[cfg(feature = "run")]
pub mod peers;
#[cfg(feature = "run")]
mod proof;
#[cfg(feature = "run")]
mod report;
#[cfg(feature = "run")]
mod shield;
#[cfg(feature = "run")]
mod stage;
#[cfg(feature = "run")]
mod story;
#[cfg(feature = "run")]
mod suite;
#[cfg(feature = "run")]
mod verdict;

#[cfg(feature = "run")]
pub use {
    bench::{Bench, DEADLINE, Run, Seen, Setting, again_if_busy},
    harness::{StageDoor, grade, stage_door, tell},
    proof::{Wrong, prove},
    stage::{Descriptors, Stage},
    suite::Suite,
    verdict::{Evidence, Fault, Rejection, Verdict},
};
