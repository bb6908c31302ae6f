//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_socket::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        open_tcp: reference::open_tcp,
        probe: reference::probe,
        set_nonblocking: reference::set_nonblocking,
        open_n: reference::open_n,
    };
    let stubs = Page {
        open_tcp: stubs::open_tcp,
        probe: stubs::probe,
        set_nonblocking: stubs::set_nonblocking,
        open_n: stubs::open_n,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
