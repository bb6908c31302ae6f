//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_echo::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        echo_connection: reference::echo_connection,
        echo_client: reference::echo_client,
        echo_server: reference::echo_server,
        echo_big: reference::echo_big,
    };
    let stubs = Page {
        echo_connection: stubs::echo_connection,
        echo_client: stubs::echo_client,
        echo_server: stubs::echo_server,
        echo_big: stubs::echo_big,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
