//! What errnos are called. Those of getaddrinfo, which has codes of its own (`EAI_NONAME`), count as such.

use std::ffi::CStr;
use std::io;

use nix::errno::Errno;

/// The codes of getaddrinfo, with the numbers that glibc's `netdb.h` gives them. (libc does not have all of them.)
const OF_GETADDRINFO: &[(&str, i32)] = &[
    ("EAI_BADFLAGS", libc::EAI_BADFLAGS),
    ("EAI_NONAME", libc::EAI_NONAME),
    ("EAI_AGAIN", libc::EAI_AGAIN),
    ("EAI_FAIL", libc::EAI_FAIL),
    ("EAI_NODATA", libc::EAI_NODATA),
    ("EAI_FAMILY", libc::EAI_FAMILY),
    ("EAI_SOCKTYPE", libc::EAI_SOCKTYPE),
    ("EAI_SERVICE", libc::EAI_SERVICE),
    ("EAI_ADDRFAMILY", -9),
    ("EAI_MEMORY", libc::EAI_MEMORY),
    ("EAI_SYSTEM", libc::EAI_SYSTEM),
    ("EAI_OVERFLOW", libc::EAI_OVERFLOW),
    ("EAI_IDN_ENCODE", -105),
];

/// The name of an errno's number, such as `EADDRINUSE` for 98, or of a code of getaddrinfo, which is below zero: `EAI_NONAME`
/// for -2. `None` if there is none.
pub fn errno_name(number: i32) -> Option<String> {
    match Errno::from_raw(number) {
        Errno::UnknownErrno => {
            OF_GETADDRINFO.iter().find(|(_, code)| *code == number).map(|(name, _)| name.to_string())
        }
        errno => Some(format!("{errno:?}")),
    }
}

/// The number of an errno's name, such as 98 for `EADDRINUSE`, or of a code of getaddrinfo. `None` if there is none.
pub fn errno_number(name: &str) -> Option<i32> {
    let code = OF_GETADDRINFO.iter().find(|(code, _)| *code == name).map(|(_, number)| *number);
    code.or_else(|| (1..=4095).find(|&number| errno_name(number).as_deref() == Some(name)))
}

/// An errno, or a code of getaddrinfo, in the C library's words, such as `Address already in use`. `None` if there is no
/// such name.
pub fn errno_words(name: &str) -> Option<String> {
    let number = errno_number(name)?;
    if number < 0 {
        // SAFETY: gai_strerror takes any number, and returns a text that lives as long as the program.
        let words = unsafe { CStr::from_ptr(libc::gai_strerror(number)) };
        return Some(words.to_string_lossy().into_owned());
    }
    let words = io::Error::from_raw_os_error(number).to_string();
    Some(words.split(" (os error").next().unwrap_or_default().to_string())
}

/// Whether what the observer saw is this errno. Of an interrupted call it sees the kernel's own ERESTARTSYS (or one of its
/// kin), from which the kernel makes EINTR where no handler asks for a restart.
pub fn is_errno(seen: &str, errno: &str) -> bool {
    seen == errno || errno == "EINTR" && seen.starts_with("ERESTART") && seen != "ERESTART"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        for (name, number) in [("EADDRINUSE", 98), ("EPERM", 1), ("EAI_NONAME", -2), ("EAI_ADDRFAMILY", -9)] {
            assert_eq!(errno_number(name), Some(number));
            assert_eq!(errno_name(number).as_deref(), Some(name));
        }
        assert_eq!(errno_number("EADDRINUS"), None);
        assert_eq!(errno_name(0), None);
        assert_eq!(errno_name(4000), None);
        assert_eq!(errno_name(-1000), None);
    }

    #[test]
    fn words_are_the_librarys() {
        assert_eq!(errno_words("EADDRINUSE").as_deref(), Some("Address already in use"));
        assert_eq!(errno_words("EAI_NONAME").as_deref(), Some("Name or service not known"));
        assert_eq!(errno_words("EWHATEVER"), None);
    }

    #[test]
    fn an_interrupted_call_is_known_by_the_kernels_own_word() {
        assert!(is_errno("ERESTARTSYS", "EINTR"));
        assert!(is_errno("EINTR", "EINTR"));
        assert!(!is_errno("ERESTARTSYS", "EAGAIN"));
        assert!(!is_errno("ERESTART", "EINTR")); // an errno of its own
        assert!(!is_errno("EAGAIN", "EINTR"));
    }
}
