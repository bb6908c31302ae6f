//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_recv::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        recv_exact: reference::recv_exact,
        recv_line: reference::recv_line,
        recv_frame: reference::recv_frame,
        recv_timeout: reference::recv_timeout,
        peer_state: reference::peer_state,
    };
    let stubs = Page {
        recv_exact: stubs::recv_exact,
        recv_line: stubs::recv_line,
        recv_frame: stubs::recv_frame,
        recv_timeout: stubs::recv_timeout,
        peer_state: stubs::peer_state,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
