//! The exercises of the chapter `send`. Your page is [`exercises`]; the experiments are in `main.rs`.

// With the feature `solutions` the same checks grade the reference answers. Nothing depends on this package,
// so nobody can switch that on behind a student's back.
#[cfg(not(feature = "solutions"))]
pub mod exercises;
#[cfg(feature = "solutions")]
#[path = "../answers/solutions.rs"]
pub mod exercises;
