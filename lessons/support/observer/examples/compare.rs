//! Compares the observer with `strace` on any program: `cargo run -p observer --example compare -- /bin/ls -l`.
//! With `--fenced` before the program only what lies between its marks is compared. Exits with 1 if they differ.

use std::process::ExitCode;

use observer::strace::{self, Subject};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    let fenced = args.next_if(|arg| arg == "--fenced").is_some();
    let Some(program) = args.next() else {
        eprintln!("usage: compare [--fenced] PROGRAM [ARGUMENT …]  (the program's path)");
        return ExitCode::from(2);
    };
    let subject = args.fold(Subject::new(program), Subject::arg);
    let subject = if fenced { subject.fenced() } else { subject };
    let report = match strace::compare(&subject) {
        Ok(report) => report,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    println!("{} lines of {} threads are the same", report.same, report.threads);
    for (what, count) in &report.varied {
        println!("{count} times they differ in a {what}, as they may");
    }
    for (reason, count) in &report.known {
        println!("{count} known differences: {reason}");
    }
    match report.verdict() {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            println!("{told}");
            ExitCode::FAILURE
        }
    }
}
