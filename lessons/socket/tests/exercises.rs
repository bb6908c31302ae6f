//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_socket::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        open_tcp: exercises::open_tcp,
        probe: exercises::probe,
        set_nonblocking: exercises::set_nonblocking,
        open_n: exercises::open_n,
    }))
}
