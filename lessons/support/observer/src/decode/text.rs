//! How `strace` writes the small things: numbers, addresses, quoted bytes, names of constants.
//!
//! The functions here append to a `String` or give a text that is constant wherever it can be: they run for every
//! argument of every call.

use std::borrow::Cow;
use std::fmt::Write;

/// A text that is often a constant.
pub(crate) type Text = Cow<'static, str>;

/// Constants of one kind, in the order in which `strace` names them.
pub(crate) type Names = &'static [(u64, &'static str)];

/// The numbers from 0 to 99: most of what is printed is among them, and a constant costs nothing.
const SMALL: &str = "\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// A number.
pub(crate) fn number(number: i64) -> Text {
    match usize::try_from(number) {
        Ok(small @ 0..10) => Cow::Borrowed(&SMALL[2 * small + 1..2 * small + 2]),
        Ok(small @ 10..100) => Cow::Borrowed(&SMALL[2 * small..2 * small + 2]),
        _ => Cow::Owned(number.to_string()),
    }
}

/// Most bytes of a string, and most elements of an array, that are shown.
pub(crate) const SHOWN: usize = 32;

/// Appends a formatted text. Writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        use std::fmt::Write as _;
        let _ = write!($out, $($format)*);
    }};
}
pub(crate) use put;

/// A number as C's `%#x` writes it: `0x1f`, but `0` for zero.
pub(crate) fn hex(number: u64) -> Text {
    match number {
        0 => "0".into(),
        _ => format!("{number:#x}").into(),
    }
}

/// A pointer that is not followed: `NULL` or `0x7ffc0f40`.
pub(crate) fn pointer(address: u64) -> Text {
    match address {
        0 => "NULL".into(),
        _ => format!("{address:#x}").into(),
    }
}

/// The name of a constant, or nothing.
pub(crate) fn find(names: Names, value: u64) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == value).map(|(_, name)| *name)
}

/// The name of a constant, or its number and what it should have been: `0x4d /* SHUT_??? */`.
pub(crate) fn name(names: Names, value: u64, unknown: &str) -> Text {
    match find(names, value) {
        Some(name) => name.into(),
        None => format!("{} /* {unknown} */", hex(value)).into(),
    }
}

/// The names of the bits that are set, joined by `|`, then the bits without a name. `0` if none is set;
/// `0x1000000 /* MSG_??? */` if none has a name.
pub(crate) fn flags(names: Names, bits: u64, unknown: &str) -> Text {
    if bits == 0 {
        return find(names, 0).unwrap_or("0").into();
    }
    let (named, rest) = split_flags(names, bits);
    match (named, rest) {
        (Some(named), 0) => named,
        (Some(named), rest) => format!("{named}|{rest:#x}").into(),
        (None, rest) => format!("{rest:#x} /* {unknown} */").into(),
    }
}

/// Like [`flags`], but without a word on bits that have no name, as in results: `FD_CLOEXEC|0x2`.
pub(crate) fn plain_flags(names: Names, bits: u64) -> Text {
    let (named, rest) = split_flags(names, bits);
    match (named, rest) {
        (Some(named), 0) => named,
        (Some(named), rest) => format!("{named}|{rest:#x}").into(),
        (None, rest) => hex(rest),
    }
}

/// The named bits joined by `|` (nothing if none has a name), and the bits left over.
pub(crate) fn split_flags(names: Names, bits: u64) -> (Option<Text>, u64) {
    let mut rest = bits;
    let mut named: Option<Text> = None;
    for &(value, name) in names {
        if value != 0 && rest & value == value {
            rest &= !value;
            named = Some(match named {
                None => name.into(),
                Some(before) => format!("{before}|{name}").into(),
            });
        }
        if rest == 0 {
            break;
        }
    }
    (named, rest)
}

/// Bytes in quotes, each byte that is not plain ASCII escaped as C does it, with the shortest octal number that the next
/// character does not make ambiguous: `"a\0b\0001\n\377"`.
pub(crate) fn quote(out: &mut String, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push('"');
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => match bytes.get(index + 1) {
                Some(b'0'..=b'7') => put!(out, "\\{byte:03o}"),
                _ => put!(out, "\\{byte:o}"),
            },
        }
    }
    out.push('"');
}

/// Bytes in quotes, each as `\x00`.
pub(crate) fn quote_hex(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        put!(out, "\\x{byte:02x}");
    }
    out.push('"');
}

/// At most [`SHOWN`] of `length` bytes in quotes, then `...` outside of the quotes if there are more.
pub(crate) fn quote_shown(out: &mut String, bytes: &[u8], length: u64) {
    quote(out, &bytes[..bytes.len().min(SHOWN)]);
    if length > SHOWN as u64 {
        out.push_str("...");
    }
}

/// The bytes of a fixed-size field up to its first zero byte, with `...` if there is none.
pub(crate) fn quote_field(out: &mut String, field: &[u8]) {
    match field.iter().position(|&byte| byte == 0) {
        Some(end) => quote(out, &field[..end]),
        None => {
            quote(out, &field[..field.len() - 1]);
            out.push_str("...");
        }
    }
}

/// A list with `, ` between its elements.
pub(crate) fn join<T>(out: &mut String, elements: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut String, T)) {
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        each(out, element);
    }
}

/// Appends a plain number.
pub(crate) fn decimal(out: &mut String, number: impl std::fmt::Display) {
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(bytes: &[u8]) -> String {
        let mut out = String::new();
        quote(&mut out, bytes);
        out
    }

    #[test]
    fn bytes_are_escaped_as_briefly_as_is_unambiguous() {
        assert_eq!(
            quoted(b"a\0b\x001\n\t\r\x0b\x0c\\\"\x7f\xff\xc3\xa9\0\0"),
            r#""a\0b\0001\n\t\r\v\f\\\"\177\377\303\251\0\0""#
        );
        // 9 and 8 are not octal digits.
        assert_eq!(quoted(b"\x019\x01x\x1b8\0"), r#""\19\1x\338\0""#);
        assert_eq!(quoted(b""), r#""""#);
    }

    #[test]
    fn a_long_buffer_is_cut_at_32_bytes() {
        let mut out = String::new();
        quote_shown(&mut out, b"01234567890123456789012345678901", 32);
        assert_eq!(out, r#""01234567890123456789012345678901""#);
        let mut out = String::new();
        quote_shown(&mut out, b"012345678901234567890123456789012", 33);
        assert_eq!(out, r#""01234567890123456789012345678901"..."#);
    }

    #[test]
    fn constants_have_names_and_the_unknown_says_so() {
        const COLOURS: Names = &[(1, "RED"), (2, "GREEN")];
        assert_eq!(name(COLOURS, 2, "COLOUR_???"), "GREEN");
        assert_eq!(name(COLOURS, 9, "COLOUR_???"), "0x9 /* COLOUR_??? */");
        assert_eq!(name(COLOURS, 0, "COLOUR_???"), "0 /* COLOUR_??? */");
        assert_eq!(flags(COLOURS, 0, "COLOUR_???"), "0");
        assert_eq!(flags(COLOURS, 3, "COLOUR_???"), "RED|GREEN");
        assert_eq!(flags(COLOURS, 6, "COLOUR_???"), "GREEN|0x4");
        assert_eq!(flags(COLOURS, 4, "COLOUR_???"), "0x4 /* COLOUR_??? */");
    }

    #[test]
    fn numbers_small_and_large() {
        for one in (-3..100).chain([i64::MIN, i64::MAX, 4096]) {
            assert_eq!(number(one), one.to_string());
        }
    }

    #[test]
    fn a_null_pointer_has_a_name_and_zero_no_prefix() {
        assert_eq!(pointer(0), "NULL");
        assert_eq!(pointer(0x10), "0x10");
        assert_eq!(hex(0), "0");
    }
}
