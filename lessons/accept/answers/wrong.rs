//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use grader::Wrong;

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[];
