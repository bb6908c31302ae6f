//! Grades the page `src/exercises.rs` (with the feature `solutions`: the reference answers), one test for each check.

mod checks;

use std::process::ExitCode;

use lesson_echo::exercises;

fn main() -> ExitCode {
    grader::grade(checks::of_the_lesson(checks::Page {
        echo_connection: exercises::echo_connection,
        echo_client: exercises::echo_client,
        echo_server: exercises::echo_server,
        echo_big: exercises::echo_big,
    }))
}
