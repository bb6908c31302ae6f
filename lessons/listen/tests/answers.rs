//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_listen::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        listen_on: reference::listen_on,
        queue_capacity: reference::queue_capacity,
        queue_state: reference::queue_state,
        stop_listening: reference::stop_listening,
    };
    let stubs = Page {
        listen_on: stubs::listen_on,
        queue_capacity: stubs::queue_capacity,
        queue_state: stubs::queue_state,
        stop_listening: stubs::stop_listening,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
