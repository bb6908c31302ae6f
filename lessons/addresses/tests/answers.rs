//! Proves that the checks can be trusted: the reference answers pass, each wrong answer is turned away by the check that
//! names its mistake, and the page that is handed out is red.

mod checks;
#[path = "../src/exercises.rs"]
mod stubs;
#[path = "../answers/wrong.rs"]
mod wrong;

use std::process::ExitCode;

use checks::Page;
use lesson_addresses::exercises as reference;

fn main() -> ExitCode {
    let reference = Page {
        sockaddr_in_bytes: reference::sockaddr_in_bytes,
        parse_endpoint: reference::parse_endpoint,
        decode_sockaddr: reference::decode_sockaddr,
        unix_sockaddr: reference::unix_sockaddr,
        lookup: reference::lookup,
    };
    let stubs = Page {
        sockaddr_in_bytes: stubs::sockaddr_in_bytes,
        parse_endpoint: stubs::parse_endpoint,
        decode_sockaddr: stubs::decode_sockaddr,
        unix_sockaddr: stubs::unix_sockaddr,
        lookup: stubs::lookup,
    };
    grader::prove(checks::of_the_lesson, reference, stubs, wrong::ANSWERS)
}
