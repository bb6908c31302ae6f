//! The lesson. The tests run `programs/lesson-sample` in its place.

fn main() {
    two_sockets();
    two_ends();
}

fn two_sockets() {
    println!("two sockets");
}

fn two_ends() {
    println!("two ends");
}
