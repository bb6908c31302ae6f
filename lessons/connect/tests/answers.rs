//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_connect::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        connect_to: reference::connect_to,
        connect_first: reference::connect_first,
        connect_timeout: reference::connect_timeout,
        local_address_for: reference::local_address_for,
        connect_checked: reference::connect_checked,
    };
    let stubs = Page {
        connect_to: stubs::connect_to,
        connect_first: stubs::connect_first,
        connect_timeout: stubs::connect_timeout,
        local_address_for: stubs::local_address_for,
        connect_checked: stubs::connect_checked,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
