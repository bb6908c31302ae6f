//! Wrong answers that students really give, each with the check that must turn it away.
use crate::checks::Page;
use grader::Wrong;
/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[];
