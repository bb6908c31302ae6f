//! lesson-reading
fn main() {}
