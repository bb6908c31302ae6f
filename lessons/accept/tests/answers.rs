//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_accept::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        accept_one: reference::accept_one,
        serve_each: reference::serve_each,
        serve_forking: reference::serve_forking,
        accept_with_spare: reference::accept_with_spare,
    };
    let stubs = Page {
        accept_one: stubs::accept_one,
        serve_each: stubs::serve_each,
        serve_forking: stubs::serve_forking,
        accept_with_spare: stubs::accept_with_spare,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
