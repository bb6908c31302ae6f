//! Signals by name, and sets of them.

use super::text::{Text, pointer};
use crate::memory::Memory;

/// The signals that there are.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// The name of a signal, such as `SIGPIPE` or `SIGRT_2`, if it has one.
pub(crate) fn known_name(signal: i32) -> Option<Text> {
    SIGNALS.contains(&signal).then(|| crate::signals::name(signal).into())
}

/// The name of a signal, or its number.
pub(crate) fn name(signal: i32) -> Text {
    crate::signals::name(signal).into()
}

/// A set of signals as a system call takes it: `[INT TERM]`, or `~[INT]` when most are in it.
pub(crate) fn set(memory: &Memory, address: u64, size: u64) -> Text {
    const BYTES: u64 = 8;
    match memory.u64(address) {
        Some(bits) if size == BYTES => set_text(bits).into(),
        _ => pointer(address),
    }
}

fn set_text(bits: u64) -> String {
    // When two thirds or more are in the set, those that are not say more.
    let most = bits.count_ones() >= 64 * 2 / 3;
    let (mut out, shown) = if most { ("~[".to_string(), !bits) } else { ("[".to_string(), bits) };
    let mut separator = "";
    for signal in SIGNALS.filter(|signal| shown & (1 << (signal - 1)) != 0) {
        out.push_str(separator);
        out.push_str(name(signal).trim_start_matches("SIG"));
        separator = " ";
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_the_shorter_way() {
        assert_eq!(set_text(0), "[]");
        assert_eq!(set_text(u64::MAX), "~[]");
        assert_eq!(set_text(1 << 1 | 1 << 14), "[INT TERM]");
        assert_eq!(set_text(!(1 << 1)), "~[INT]");
        assert_eq!(set_text(1 << 31 | 1 << 32 | 1 << 63), "[RTMIN RT_1 RT_32]");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(name(13), "SIGPIPE");
        assert_eq!(name(34), "SIGRT_2");
        assert_eq!(name(0), "0");
        assert_eq!(name(65), "65");
        assert_eq!(name(-1), "-1");
    }
}
