//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_addresses::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        sockaddr_in_bytes: exercises::sockaddr_in_bytes,
        parse_endpoint: exercises::parse_endpoint,
        decode_sockaddr: exercises::decode_sockaddr,
        unix_sockaddr: exercises::unix_sockaddr,
        lookup: exercises::lookup,
    }))
}
