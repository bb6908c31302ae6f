use grader as _;
fn main() {}
