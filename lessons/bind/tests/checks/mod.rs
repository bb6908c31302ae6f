//! What the grader asks of the exercises of `bind`. The words are in `exercises.toml`.

mod any_port;
mod loopback;
mod reusable;
mod unix;

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::path::Path;

use grader::Suite;
use nix::errno::Errno;

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub bind_loopback: fn(u16) -> Result<OwnedFd, Errno>,
    pub bind_any_port: fn() -> Result<(OwnedFd, u16), Errno>,
    pub bind_reusable: fn(SocketAddrV4) -> Result<OwnedFd, Errno>,
    pub bind_unix: fn(&Path) -> Result<OwnedFd, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    loopback::add(&mut suite);
    any_port::add(&mut suite);
    reusable::add(&mut suite);
    unix::add(&mut suite);
    suite
}
