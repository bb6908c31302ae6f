//! The project's own command, `cargo workbook`: builds the book and serves it, records the experiments that the book
//! shows, and checks that the book does not lie.
//!
//! The program is thin; what it does is here, so that the tests can ask for the same things.

pub mod check;
pub mod cli;
pub mod errno;
pub mod exercises;
pub mod normal;
pub mod pdf;
pub mod picture;
pub mod programs;
pub mod project;
pub mod record;
pub mod serve;
pub mod site;
mod watch;
