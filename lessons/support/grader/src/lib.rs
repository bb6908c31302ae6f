//! Judges a student's functions.
