//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_send::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        send_all: exercises::send_all,
        send_all_by: exercises::send_all_by,
        send_frame: exercises::send_frame,
        finish: exercises::finish,
    }))
}
