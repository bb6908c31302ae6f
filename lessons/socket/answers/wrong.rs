//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::Duration;

use grader::Wrong;
use lesson_socket::exercises as reference;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // socket/open-tcp
    Wrong {
        exercise: "socket/open-tcp",
        name: "no_flag",
        put: |page| page.open_tcp = no_flag,
        rejected_by: "will_not_leak_across_exec",
        says: "would inherit this socket. Ask for SOCK_CLOEXEC",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "in_a_second_call",
        put: |page| page.open_tcp = in_a_second_call,
        rejected_by: "asks_in_one_call",
        says: "with a second call",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "into_the_wrong_word",
        put: |page| page.open_tcp = into_the_wrong_word,
        rejected_by: "will_not_leak_across_exec",
        says: "F_SETFL returns 0 here",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "a_datagram_socket",
        put: |page| page.open_tcp = a_datagram_socket,
        rejected_by: "is_an_ipv4_stream_socket",
        says: "AF_INET, SOCK_DGRAM, UDP. Wanted",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "a_unix_socket",
        put: |page| page.open_tcp = a_unix_socket,
        rejected_by: "is_an_ipv4_stream_socket",
        says: "AF_UNIX, SOCK_STREAM, protocol 0",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "arguments_in_the_wrong_order",
        put: |page| page.open_tcp = arguments_in_the_wrong_order,
        rejected_by: "is_an_ipv4_stream_socket",
        says: "there is none, for you returned Err(",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "tries_first",
        put: |page| page.open_tcp = tries_first,
        rejected_by: "opens_exactly_one",
        says: "shows 2 socket calls",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "one_in_reserve",
        put: |page| page.open_tcp = one_in_reserve,
        rejected_by: "opens_exactly_one",
        says: "shows 2 socket calls",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "all_the_flags_there_are",
        put: |page| page.open_tcp = all_the_flags_there_are,
        rejected_by: "is_blocking",
        says: "non-blocking",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-tcp",
        name: "a_listener_of_the_standard_library",
        put: |page| page.open_tcp = a_listener_of_the_standard_library,
        rejected_by: "is_fresh",
        says: "asked to bind this socket",
        also: &[],
    },
    // socket/probe
    Wrong {
        exercise: "socket/probe",
        name: "one_errno_for_all",
        put: |page| page.probe = one_errno_for_all,
        rejected_by: "reports_the_kernels_errno",
        says: "the kernel said EAFNOSUPPORT, and you reported Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "socket/probe",
        name: "reads_the_result_as_an_errno",
        put: |page| page.probe = reads_the_result_as_an_errno,
        rejected_by: "reports_the_kernels_errno",
        says: "you reported Err(EPERM)",
        also: &[],
    },
    Wrong {
        exercise: "socket/probe",
        name: "never_looks",
        put: |page| page.probe = never_looks,
        rejected_by: "reports_the_kernels_errno",
        says: "you reported Ok(())",
        also: &[],
    },
    Wrong {
        exercise: "socket/probe",
        name: "tidies_up_before_it_looks",
        put: |page| page.probe = tidies_up_before_it_looks,
        rejected_by: "reports_the_kernels_errno",
        says: "you reported Err(EBADF)",
        also: &[],
    },
    Wrong {
        exercise: "socket/probe",
        name: "keeps_the_socket",
        put: |page| page.probe = keeps_the_socket,
        rejected_by: "closes_what_it_opened",
        says: "you left descriptor 3 open",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "socket/probe",
        name: "closes_twice",
        put: |page| page.probe = closes_twice,
        rejected_by: "closes_what_it_opened",
        says: "you closed 3 twice",
        also: &[],
    },
    Wrong {
        exercise: "socket/probe",
        name: "greater_than_zero",
        put: |page| page.probe = greater_than_zero,
        rejected_by: "fd_zero_is_a_success",
        says: "0 is a perfectly good file descriptor",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "socket/probe",
        name: "errno_as_the_verdict",
        put: |page| page.probe = errno_as_the_verdict,
        rejected_by: "ignores_stale_errno",
        says: "you reported Err(EINTR)",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "socket/probe",
        name: "logs_first",
        put: |page| page.probe = logs_first,
        rejected_by: "errno_is_read_at_once",
        says: "said EPROTONOSUPPORT, and you reported Err(EBADF)",
        also: &[],
    },
    // socket/set-nonblocking
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "the_line_of_many_books",
        put: |page| page.set_nonblocking = the_line_of_many_books,
        rejected_by: "keeps_the_other_flags",
        says: "O_ASYNC was set before and is gone. F_SETFL replaces",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "clears_them_all",
        put: |page| page.set_nonblocking = clears_them_all,
        rejected_by: "keeps_the_other_flags",
        says: "O_ASYNC was set before and is gone",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "sets_both_words",
        put: |page| page.set_nonblocking = sets_both_words,
        rejected_by: "keeps_the_other_flags",
        says: "FD_CLOEXEC was set before and is gone. F_SETFD writes",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "the_flags_of_the_number",
        put: |page| page.set_nonblocking = the_flags_of_the_number,
        rejected_by: "turns_on",
        says: "it is still off. You wrote the flags of the number",
        also: &["turns_off"],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "always_on",
        put: |page| page.set_nonblocking = always_on,
        rejected_by: "turns_off",
        says: "it is still on",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "flips",
        put: |page| page.set_nonblocking = flips,
        rejected_by: "same_again_is_harmless",
        says: "Asked twice to switch it on, and it is off",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "looks_at_no_result",
        put: |page| page.set_nonblocking = looks_at_no_result,
        rejected_by: "bad_fd_is_ebadf",
        says: "reported Ok(())",
        also: &[],
    },
    Wrong {
        exercise: "socket/set-nonblocking",
        name: "takes_what_was_lent",
        put: |page| page.set_nonblocking = takes_what_was_lent,
        rejected_by: "leaves_no_fd_behind",
        says: "which is not its own, was closed",
        also: &[],
    },
    // socket/open-n
    Wrong {
        exercise: "socket/open-n",
        name: "one_too_many",
        put: |page| page.open_n = one_too_many,
        rejected_by: "opens_n",
        says: "Asked for 0, got one socket",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "copies_of_one",
        put: |page| page.open_n = copies_of_one,
        rejected_by: "opens_n",
        says: "Asked for 20, got one socket",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "plain_numbers",
        put: |page| page.open_n = plain_numbers,
        rejected_by: "all_or_nothing",
        says: "Socket number 10 failed, and 9 earlier ones are still open",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "returns_what_it_has",
        put: |page| page.open_n = returns_what_it_has,
        rejected_by: "says_emfile",
        says: "You said Ok, with 9 sockets",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "an_errno_of_its_own",
        put: |page| page.open_n = an_errno_of_its_own,
        rejected_by: "says_emfile",
        says: "You said Err(ENOMEM)",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "tries_again",
        put: |page| page.open_n = tries_again,
        rejected_by: "gives_up_at_once",
        says: "you tried 99 more times",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "tries_the_others_too",
        put: |page| page.open_n = tries_the_others_too,
        rejected_by: "gives_up_at_once",
        says: "you tried 10 more times",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "tidies_up_twice",
        put: |page| page.open_n = tidies_up_twice,
        rejected_by: "never_closes_twice",
        says: "`close(3) = -1 EBADF`: closed twice",
        also: &[],
    },
    Wrong {
        exercise: "socket/open-n",
        name: "closes_by_hand_what_is_owned",
        put: |page| page.open_n = closes_by_hand_what_is_owned,
        rejected_by: "survives",
        says: "SIGABRT killed the program",
        also: &[],
    },
];

// ---------------------------------------------------------------------------------------------------------------------

/// `socket(2)` with these three numbers.
fn raw_socket(family: i32, kind: i32, protocol: i32) -> RawFd {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(family, kind, protocol) }
}

/// `close(2)`, whatever comes of it.
fn raw_close(fd: RawFd) {
    // SAFETY: close takes a number. That some of the wrong answers close what they should not is their mistake.
    unsafe { libc::close(fd) };
}

/// `fcntl(2)` with a command that takes a number.
fn raw_fcntl(fd: RawFd, command: i32, value: i32) -> i32 {
    // SAFETY: the commands used here take numbers and no pointer.
    unsafe { libc::fcntl(fd, command, value) }
}

/// A result of fcntl as a `Result`.
fn checked(result: i32) -> Result<(), Errno> {
    Errno::result(result).map(drop)
}

// socket/open-tcp -----------------------------------------------------------------------------------------------------

/// Has not heard of SOCK_CLOEXEC.
fn no_flag() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None)
}

/// Between the two calls the socket can leak.
fn in_a_second_call() -> Result<OwnedFd, Errno> {
    let socket = no_flag()?;
    checked(raw_fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC))?;
    Ok(socket)
}

/// F_SETFL for F_SETFD, O_CLOEXEC for FD_CLOEXEC: the kernel says 0.
fn into_the_wrong_word() -> Result<OwnedFd, Errno> {
    let socket = no_flag()?;
    checked(raw_fcntl(socket.as_raw_fd(), libc::F_SETFL, libc::O_CLOEXEC))?;
    Ok(socket)
}

/// SOCK_DGRAM.
fn a_datagram_socket() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
}

/// AF_UNIX.
fn a_unix_socket() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// Type before family: 1 is AF_UNIX, and AF_INET is 2, like SOCK_DGRAM. The protocol gives it away.
fn arguments_in_the_wrong_order() -> Result<OwnedFd, Errno> {
    let number = raw_socket(libc::SOCK_STREAM, libc::AF_INET | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP);
    Errno::result(number)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Opens one to see whether it works.
fn tries_first() -> Result<OwnedFd, Errno> {
    drop(reference::open_tcp()?);
    reference::open_tcp()
}

/// Opens a second one, for later, and forgets it.
fn one_in_reserve() -> Result<OwnedFd, Errno> {
    let socket = reference::open_tcp()?;
    let _reserve = reference::open_tcp()?.into_raw_fd();
    Ok(socket)
}

/// The more flags the better.
fn all_the_flags_there_are() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// The standard library has no socket without a name.
fn a_listener_of_the_standard_library() -> Result<OwnedFd, Errno> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.map(OwnedFd::from).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

// socket/probe --------------------------------------------------------------------------------------------------------

/// A failure is a failure.
fn one_errno_for_all(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    if fd == -1 {
        return Err(Errno::EINVAL);
    }
    raw_close(fd);
    Ok(())
}

/// So the kernel does it within; the C library turns it into -1 and errno.
fn reads_the_result_as_an_errno(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    if fd < 0 {
        return Err(Errno::from_raw(-fd));
    }
    raw_close(fd);
    Ok(())
}

/// Opens, closes, and never looks.
fn never_looks(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    raw_close(raw_socket(domain, ty, protocol));
    Ok(())
}

/// Closes first, also -1; then errno tells of the close.
fn tidies_up_before_it_looks(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    raw_close(fd);
    if fd == -1 { Err(Errno::last()) } else { Ok(()) }
}

/// A success is a success.
fn keeps_the_socket(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    checked(raw_socket(domain, ty, protocol))
}

/// To be on the safe side.
fn closes_twice(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    checked(fd)?;
    raw_close(fd);
    raw_close(fd);
    Ok(())
}

/// 0 is not greater than 0.
fn greater_than_zero(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    if fd > 0 {
        raw_close(fd);
        Ok(())
    } else {
        Err(Errno::last())
    }
}

/// Asks errno whether there was an error.
fn errno_as_the_verdict(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    if Errno::last_raw() != 0 {
        return Err(Errno::last());
    }
    raw_close(fd);
    Ok(())
}

/// The message is another call, and it may fail.
fn logs_first(domain: i32, ty: i32, protocol: i32) -> Result<(), Errno> {
    let fd = raw_socket(domain, ty, protocol);
    if fd == -1 {
        eprintln!("socket failed");
        return Err(Errno::last());
    }
    raw_close(fd);
    Ok(())
}

// socket/set-nonblocking ----------------------------------------------------------------------------------------------

/// F_SETFL without F_GETFL.
fn the_line_of_many_books(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    checked(raw_fcntl(fd.as_raw_fd(), libc::F_SETFL, if on { libc::O_NONBLOCK } else { 0 }))
}

/// Reads before it sets, and not before it clears.
fn clears_them_all(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    if on { reference::set_nonblocking(fd, true) } else { checked(raw_fcntl(fd.as_raw_fd(), libc::F_SETFL, 0)) }
}

/// Is not sure which word it is, and writes both.
fn sets_both_words(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    reference::set_nonblocking(fd, on)?;
    checked(raw_fcntl(fd.as_raw_fd(), libc::F_SETFD, if on { libc::O_NONBLOCK } else { 0 }))
}

/// F_GETFD and F_SETFD: the wrong word.
fn the_flags_of_the_number(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    let flags = Errno::result(raw_fcntl(fd.as_raw_fd(), libc::F_GETFD, 0))?;
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    checked(raw_fcntl(fd.as_raw_fd(), libc::F_SETFD, flags))
}

/// Does not look at `on`.
fn always_on(fd: BorrowedFd<'_>, _on: bool) -> Result<(), Errno> {
    reference::set_nonblocking(fd, true)
}

/// ^ for | and &.
fn flips(fd: BorrowedFd<'_>, _on: bool) -> Result<(), Errno> {
    let flags = Errno::result(raw_fcntl(fd.as_raw_fd(), libc::F_GETFL, 0))?;
    checked(raw_fcntl(fd.as_raw_fd(), libc::F_SETFL, flags ^ libc::O_NONBLOCK))
}

/// fcntl never fails, does it?
fn looks_at_no_result(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    let flags = raw_fcntl(fd.as_raw_fd(), libc::F_GETFL, 0);
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    raw_fcntl(fd.as_raw_fd(), libc::F_SETFL, flags);
    Ok(())
}

/// The standard library has a method for it, of something that closes its number when it is dropped.
fn takes_what_was_lent(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    // SAFETY: that the number belongs to somebody else is the mistake.
    let stream = unsafe { TcpStream::from_raw_fd(fd.as_raw_fd()) };
    match stream.set_nonblocking(on) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _not_open = stream.into_raw_fd();
            Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
        }
    }
}

// socket/open-n -------------------------------------------------------------------------------------------------------

/// `0..=n`.
fn one_too_many(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    (0..=n).map(|_| reference::open_tcp()).collect()
}

/// More numbers for one socket are no more sockets.
fn copies_of_one(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for _ in 0..n {
        let next = match sockets.first() {
            None => reference::open_tcp()?,
            Some(first) => first.try_clone().map_err(|_| Errno::EMFILE)?,
        };
        sockets.push(next);
    }
    Ok(sockets)
}

/// Numbers close nothing when they are dropped.
fn plain_numbers(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let mut numbers = Vec::new();
    for _ in 0..n {
        numbers.push(reference::open_tcp()?.into_raw_fd());
    }
    // SAFETY: each was just made, and is owned by nobody else.
    Ok(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect())
}

/// Better some than none?
fn returns_what_it_has(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    Ok((0..n).map_while(|_| reference::open_tcp().ok()).collect())
}

/// Believes to know better what is lacking.
fn an_errno_of_its_own(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    (0..n).map(|_| reference::open_tcp().map_err(|_| Errno::ENOMEM)).collect()
}

/// Waits for a descriptor that nobody will free.
fn tries_again(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let patiently = |_| {
        let mut tries = 0;
        loop {
            tries += 1;
            match reference::open_tcp() {
                Err(Errno::EMFILE) if tries < 100 => thread::sleep(Duration::from_micros(100)),
                answer => return answer,
            }
        }
    };
    (0..n).map(patiently).collect()
}

/// Opens as many as it can, and counts afterwards.
fn tries_the_others_too(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let sockets: Vec<Result<OwnedFd, Errno>> = (0..n).map(|_| reference::open_tcp()).collect();
    sockets.into_iter().collect()
}

/// Closes what is open where the failure is seen, and again at the end.
fn tidies_up_twice(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let mut numbers = Vec::new();
    let mut failure = None;
    for _ in 0..n {
        match reference::open_tcp() {
            Ok(socket) => numbers.push(socket.into_raw_fd()),
            Err(errno) => {
                numbers.iter().for_each(|number| raw_close(*number));
                failure = Some(errno);
                break;
            }
        }
    }
    match failure {
        Some(errno) => {
            numbers.iter().for_each(|number| raw_close(*number));
            Err(errno)
        }
        // SAFETY: each was just made, and is owned by nobody else.
        None => Ok(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()),
    }
}

/// An OwnedFd closes its number itself. Rust notices, in a debug build, and ends the program.
fn closes_by_hand_what_is_owned(n: usize) -> Result<Vec<OwnedFd>, Errno> {
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for _ in 0..n {
        match reference::open_tcp() {
            Ok(socket) => sockets.push(socket),
            Err(errno) => {
                sockets.iter().for_each(|socket| raw_close(socket.as_raw_fd()));
                return Err(errno);
            }
        }
    }
    Ok(sockets)
}
