//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_bind::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        bind_loopback: reference::bind_loopback,
        bind_any_port: reference::bind_any_port,
        bind_reusable: reference::bind_reusable,
        bind_unix: reference::bind_unix,
    };
    let stubs = Page {
        bind_loopback: stubs::bind_loopback,
        bind_any_port: stubs::bind_any_port,
        bind_reusable: stubs::bind_reusable,
        bind_unix: stubs::bind_unix,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
