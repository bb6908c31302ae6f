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
//! # What is seen
//!
//! Every call that is about sockets alone (socket, bind, sendto …); of the general calls (read, close, poll …) those that
//! touch a socket, or all of them on request ([`Observer::any_descriptor`]); epoll_create, epoll_wait and close_range always,
//! because they do not say what they touch; fork, exec and exit; and how each thread ends. Threads and children are
//! followed, whatever they do. Not shown: 32-bit system calls and io_uring; where a program uses them, [`Trace::remarks`] says
//! so.
//!
//! # How
//!
//! A tracer thread starts the program, seizes it with `ptrace(2)` before its first instruction, and is told of a call by a
//! seccomp filter, so the program stops only at the calls of interest. That needs Linux 5.3 or later
//! (`PTRACE_GET_SYSCALL_INFO`) and no privilege. Where the filter is refused it works without one, slower; where
//! tracing is refused, [`Error::Refused`] says so.
//!
//! Three things are different for a program that is observed: it cannot gain privilege by exec (`PR_SET_NO_NEW_PRIVS`, which
//! the filter needs), it cannot itself trace, and it shares one processor with its tracer, of which one always waits for the
//! other: waking a second processor at every stop costs several times more than all else that the observer does.
//!
//! A program may do what it likes: hang, crash, fork wildly, leave children behind. The run ends when the program *and all
//! that it has started* have ended, as with `strace -f`, or at the deadline, which kills what is left. No process survives
//! [`Observer::run`], nor the end of the process that called it.
//!
//! The calling program must not itself wait for *any* child (`waitpid(-1, …)`) in another thread meanwhile: it would take
//! the tracer's news. (`std::process` does not.)

mod change;
mod decode;
pub mod fence;
mod filter;
mod guard;
mod inject;
mod kernel;
mod launch;
mod memory;
mod numbers;
mod observer;
mod processor;
mod ptrace;
mod sentinel;
mod signals;
mod sockets;
pub mod strace;
pub mod trace;
mod tracer;

pub use inject::{Effect, Guard, Injection, Occurrence};
pub use observer::{Error, Limits, Observation, Observer};
pub use trace::{
    Address, Arg, Call, Descriptor, Ending, Event, Kernel, Machine, Outcome, Socket, Trace, UnixName, Value, What,
};
