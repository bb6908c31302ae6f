//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_send::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        send_all: reference::send_all,
        send_all_by: reference::send_all_by,
        send_frame: reference::send_frame,
        finish: reference::finish,
    };
    let stubs = Page {
        send_all: stubs::send_all,
        send_all_by: stubs::send_all_by,
        send_frame: stubs::send_frame,
        finish: stubs::finish,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
