//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_accept::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        accept_one: exercises::accept_one,
        serve_each: exercises::serve_each,
        serve_forking: exercises::serve_forking,
        accept_with_spare: exercises::accept_with_spare,
    }))
}
