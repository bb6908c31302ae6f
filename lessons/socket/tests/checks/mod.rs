//! What the grader asks of the exercises of `socket`. The words are in `exercises.toml`.

mod open_n;
mod open_tcp;
mod probe;
mod set_nonblocking;

use std::os::fd::{BorrowedFd, OwnedFd};

use grader::Suite;
use nix::errno::Errno;

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub open_tcp: fn() -> Result<OwnedFd, Errno>,
    pub probe: fn(i32, i32, i32) -> Result<(), Errno>,
    pub set_nonblocking: fn(BorrowedFd<'_>, bool) -> Result<(), Errno>,
    pub open_n: fn(usize) -> Result<Vec<OwnedFd>, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    open_tcp::add(&mut suite);
    probe::add(&mut suite);
    set_nonblocking::add(&mut suite);
    open_n::add(&mut suite);
    suite
}
