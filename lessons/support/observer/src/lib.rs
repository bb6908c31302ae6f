//! Sees what the kernel saw: runs a program as a traced child and reports every socket call it makes,
//! in the words of `strace`.
//!
//! ```no_run
//! use observer::Observer;
//! let seen = Observer::new("/bin/true").run()?;
//! for event in &seen.trace.events {
//!     println!("{}", event.line());
//! }
//! # Ok::<(), observer::Error>(())
//! ```
//!
//! The tracer uses `ptrace(2)` and a seccomp filter, so the child stops only at the calls of interest.
//! It needs Linux 5.3 or later (`PTRACE_GET_SYSCALL_INFO`) and no privilege.

mod change;
mod decode;
pub mod fence;
mod filter;
mod guard;
mod inject;
mod launch;
mod memory;
mod numbers;
mod observer;
mod ptrace;
mod sentinel;
mod signals;
mod sockets;
pub mod strace;
pub mod trace;
mod tracer;

pub use inject::{Effect, Guard, Injection, Occurrence};
pub use observer::{Error, Limits, Observation, Observer};
pub use trace::{Address, Arg, Call, Ending, Event, Machine, Outcome, Trace, UnixName, Value, What};
