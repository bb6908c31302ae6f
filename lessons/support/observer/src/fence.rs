//! The fence: two marks that a child makes in its own trace. A fenced observer keeps only the events between them,
//! so what a program does to get ready is never mistaken for what it was asked to do.
//!
//! The fence may be closed and opened again as often as the child likes: what lies between an end and the next begin is
//! not kept, and a mark that changes nothing (an end without a begin, a second end) is ignored.
//!
//! A mark is a `write` to descriptor -1: it fails with EBADF, harms nobody, and is seen by any tracer, `strace` too.
//! It overwrites errno, so make the mark before anything whose errno you want to read.

/// What the opening mark writes to descriptor -1.
pub const BEGIN: &[u8] = b"#begin";
/// What the closing mark writes to descriptor -1.
pub const END: &[u8] = b"#end";

/// Makes the opening mark: from here on, calls count.
pub fn begin() {
    mark(BEGIN);
}

/// Makes the closing mark: from here on, calls no longer count.
pub fn end() {
    mark(END);
}

fn mark(text: &[u8]) {
    // SAFETY: `text` is valid for `text.len()` bytes, and descriptor -1 is never open.
    // The result is EBADF by design, so there is nothing to check.
    unsafe { libc::write(-1, text.as_ptr().cast(), text.len()) };
}
