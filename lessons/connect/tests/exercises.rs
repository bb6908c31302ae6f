//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_connect::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        connect_to: exercises::connect_to,
        connect_first: exercises::connect_first,
        connect_timeout: exercises::connect_timeout,
        local_address_for: exercises::local_address_for,
        connect_checked: exercises::connect_checked,
    }))
}
