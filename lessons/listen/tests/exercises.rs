//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_listen::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        listen_on: exercises::listen_on,
        queue_capacity: exercises::queue_capacity,
        queue_state: exercises::queue_state,
        stop_listening: exercises::stop_listening,
    }))
}
