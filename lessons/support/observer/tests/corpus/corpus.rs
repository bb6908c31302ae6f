//! The corpus: a program that makes every system call that the observer decodes, in all the ways that print differently:
//! good and failing, with every family, flag and option, with bad pointers in every pointer argument, interrupted, and
//! never finished. It is run under `strace` and under the observer, and their lines are compared (`tests/strace.rs`).
//!
//! `corpus` runs all themes, `corpus addresses polling` some of them, `corpus --list` names them. Nothing is printed: what
//! counts is what the kernel is asked. Traffic stays on unix sockets and the loopback interface.
//!
//! What it does must not depend on anything but itself: the order of two threads' calls is not compared, but the order of
//! one thread's is, so nobody polls, and who waits for another waits in a call that is not traced.

// The raw calls are those of x86-64: other architectures lack poll, select, fork and more.
#[cfg(target_arch = "x86_64")]
mod addresses;
#[cfg(target_arch = "x86_64")]
mod bad_pointers;
#[cfg(target_arch = "x86_64")]
mod buffers;
#[cfg(target_arch = "x86_64")]
mod files;
#[cfg(target_arch = "x86_64")]
mod known;
#[cfg(target_arch = "x86_64")]
mod machine;
#[cfg(target_arch = "x86_64")]
mod messages;
#[cfg(target_arch = "x86_64")]
mod options;
#[cfg(target_arch = "x86_64")]
mod polling;
#[cfg(target_arch = "x86_64")]
mod process;
#[cfg(target_arch = "x86_64")]
mod signals;
#[cfg(target_arch = "x86_64")]
mod sockets;

use std::process::ExitCode;

/// A theme: its name and what it does.
#[cfg(target_arch = "x86_64")]
const THEMES: &[(&str, fn())] = &[
    ("sockets", sockets::play),
    ("addresses", addresses::play),
    ("options", options::play),
    ("buffers", buffers::play),
    ("messages", messages::play),
    ("polling", polling::play),
    ("files", files::play),
    ("bad-pointers", bad_pointers::play),
    ("process", process::play),
    ("signals", signals::play),
    ("known", known::play),
];

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("the corpus makes the system calls of x86-64, and this is another architecture");
    ExitCode::from(2)
}

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if chosen.iter().any(|name| name == "--list") {
        for (name, _) in THEMES {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = chosen.iter().find(|name| THEMES.iter().all(|(known, _)| known != name)) {
        eprintln!("corpus: there is no theme {unknown:?}; --list names them");
        return ExitCode::from(2);
    }
    machine::hold_back_child_signals();
    // What the program did before is not the corpus: a Rust program reads its own memory map, which differs in each run.
    observer::fence::begin();
    for (name, play) in THEMES {
        if chosen.is_empty() || chosen.iter().any(|wanted| wanted == name) {
            play();
        }
    }
    ExitCode::SUCCESS
}
