//! Runs a program under the observer and prints what it saw, as `strace -f` would:
//! `cargo run -p observer --example observe -- /bin/ls`.

use std::process::ExitCode;

use observer::{Ending, Observer};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(program) = args.next() else {
        eprintln!("usage: observe PROGRAM [ARGUMENT …]   (PROGRAM is a path; it is not searched for)");
        return ExitCode::from(2);
    };
    let observer = args.fold(Observer::new(program), Observer::arg);
    let trace = match observer.run() {
        Ok(seen) => seen.trace,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let several = trace.events.iter().any(|event| event.tid != trace.events[0].tid);
    for event in &trace.events {
        match several {
            true => eprintln!("[pid {:>5}] {}", event.tid, event.line()),
            false => eprintln!("{}", event.line()),
        }
    }
    for remark in &trace.remarks {
        eprintln!("({remark})");
    }
    match trace.ending {
        Ending::Exited { status } => ExitCode::from(status as u8),
        _ => ExitCode::FAILURE,
    }
}
