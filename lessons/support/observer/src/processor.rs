//! One processor for the tracer and the traced.
//!
//! Of the two, one always waits for the other, so a second processor gains nothing. It costs: each stop and each resumption
//! then wakes the other processor from its sleep. On a virtual machine with two processors, the child of
//! `cargo bench -p observer` took up to eleven times the processor time that it takes when it shares one with its tracer.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

/// While this lives, the calling thread stays on one processor, and so do the children that it makes.
///
/// Whoever asks (`sched_getaffinity`) can see it; nothing else tells the child.
pub(crate) struct OneProcessor {
    /// Where the thread was allowed before; `None` if it was left as it was.
    before: Option<libc::cpu_set_t>,
}

impl OneProcessor {
    /// The processors are taken in turn, counted from the one that the caller is on: tracers that work side by side spread
    /// over all of them. Where the kernel refuses, all stays as it is: this saves time and changes nothing else.
    pub fn stay() -> OneProcessor {
        // SAFETY: a set is plain bits, for which zero bytes are valid (it is the empty set).
        let mut before: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: 0 is the calling thread; the kernel writes at most the set's size into it.
        if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut before) } == -1 {
            return OneProcessor { before: None };
        }
        // SAFETY: each number is below the size of the set.
        let allowed: Vec<usize> =
            (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &before) }).collect();
        if allowed.len() < 2 {
            return OneProcessor { before: None };
        }
        // SAFETY: as above.
        let mut one: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: the number comes from a set of the same size.
        unsafe { libc::CPU_SET(allowed[next(&allowed)], &mut one) };
        OneProcessor { before: allow(&one).then_some(before) }
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            allow(before);
        }
    }
}

/// An index into the allowed processors.
fn next(allowed: &[usize]) -> usize {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    // SAFETY: takes nothing; -1 if the kernel does not know, which is then no processor of the list.
    let here = usize::try_from(unsafe { libc::sched_getcpu() }).ok();
    let first = allowed.iter().position(|&cpu| Some(cpu) == here).unwrap_or(0);
    (first + TURN.fetch_add(1, Ordering::Relaxed)) % allowed.len()
}

/// Allows the calling thread the processors of the set; whether it worked.
fn allow(set: &libc::cpu_set_t) -> bool {
    // SAFETY: 0 is the calling thread; the set is whole and outlives the call.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> usize {
        // SAFETY: as in `stay`.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: as in `stay`.
        assert_eq!(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) }, 0);
        // SAFETY: only reads the set.
        usize::try_from(unsafe { libc::CPU_COUNT(&set) }).unwrap_or(0)
    }

    #[test]
    fn the_thread_stays_on_one_and_then_has_all_of_them_again() {
        let before = allowed();
        let here = OneProcessor::stay();
        assert_eq!(allowed(), 1);
        drop(here);
        assert_eq!(allowed(), before);
    }
}
