//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_bind::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        bind_loopback: exercises::bind_loopback,
        bind_any_port: exercises::bind_any_port,
        bind_reusable: exercises::bind_reusable,
        bind_unix: exercises::bind_unix,
    }))
}
