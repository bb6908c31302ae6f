//! The exercises of the chapter `recv`. Your page is [`exercises`]; the experiments are in `main.rs`. Here is the type that an
//! exercise speaks of.

// The page names this type as `lesson_recv::Peer`, here and wherever else it is compiled.
extern crate self as lesson_recv;

// With the feature `solutions` the same checks grade the reference answers. Nothing depends on this package,
// so nobody can switch that on behind a student's back.
#[cfg(not(feature = "solutions"))]
pub mod exercises;
#[cfg(feature = "solutions")]
#[path = "../answers/solutions.rs"]
pub mod exercises;

/// What can be said of the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nothing has come, and nothing has ended.
    Quiet,
    /// Something has come and waits to be received.
    Talking,
    /// It has finished sending, and everything is received: the end of the stream.
    Finished,
    /// It has reset the connection.
    Gone,
}
