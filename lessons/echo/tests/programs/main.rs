//! The chapter's two programs as people run them: in processes of their own, over real sockets of 127.0.0.1, with each other,
//! with Python, with others; under load, with clients that mean harm, and at their end.

mod command_line;
mod ending;
mod load;
mod malice;
mod pairings;
mod running;

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use observer::Observer;

/// A test, and what the machine must have for it.
struct Test {
    name: &'static str,
    needs: Needs,
    run: fn(),
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Python,
    Tracing,
    Ipv6,
}

/// The tests of a module, each by the name of its function.
macro_rules! tests {
    ($($needs:ident: $($test:ident)*;)*) => {
        pub const TESTS: &[crate::Test] =
            &[$($(crate::Test { name: stringify!($test), needs: crate::Needs::$needs, run: $test },)*)*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let lacks = lacks();
    let modules = [pairings::TESTS, command_line::TESTS, load::TESTS, malice::TESTS, ending::TESTS];
    let trials = modules.into_iter().flatten().map(|test| {
        let run = || {
            (test.run)();
            Ok::<(), Failed>(())
        };
        match lacks.iter().find(|(needs, _)| *needs == test.needs) {
            Some((_, why)) => Trial::test(format!("{} ({why})", test.name), run).with_ignored_flag(true),
            None => Trial::test(test.name, run),
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// What this machine does not have, and why.
fn lacks() -> Vec<(Needs, String)> {
    let mut lacks = Vec::new();
    if let Err(error) = Command::new("python3").arg("--version").stdout(Stdio::null()).status() {
        lacks.push((Needs::Python, format!("no python3: {error}")));
    }
    if let Err(error @ observer::Error::Refused { .. }) = Observer::new("/proc/self/exe").arg("--list").capture().run()
    {
        lacks.push((Needs::Tracing, error.to_string()));
    }
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        lacks.push((Needs::Ipv6, format!("no IPv6: {error}")));
    }
    lacks
}
