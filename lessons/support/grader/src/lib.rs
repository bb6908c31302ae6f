//! Judges a student's functions.

pub mod sheet;
