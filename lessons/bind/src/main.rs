//! lesson-bind
fn main() {}
