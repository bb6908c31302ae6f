//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_recv::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        recv_exact: exercises::recv_exact,
        recv_line: exercises::recv_line,
        recv_frame: exercises::recv_frame,
        recv_timeout: exercises::recv_timeout,
        peer_state: exercises::peer_state,
    }))
}
