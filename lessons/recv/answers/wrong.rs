//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use grader::Wrong;
use lesson_recv::{Peer, exercises as reference};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, SockaddrIn, getpeername, recv, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // recv/recv-exact
    Wrong {
        exercise: "recv/recv-exact",
        name: "one_recv",
        put: |page| page.recv_exact = one_recv,
        rejected_by: "fills_from_a_dribble",
        says: "You returned after 1.",
        also: &["interrupted_is_retried", "empty_buffer_makes_no_call"],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "waits_for_all_once",
        put: |page| page.recv_exact = waits_for_all_once,
        rejected_by: "fills_from_a_dribble",
        says: "You returned after 1.",
        also: &["empty_buffer_makes_no_call"],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "goes_on_after_the_end",
        put: |page| page.recv_exact = goes_on_after_the_end,
        rejected_by: "end_of_file_ends_it",
        says: "recv said 0 to you",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "exact_the_end_is_an_error",
        put: |page| page.recv_exact = exact_the_end_is_an_error,
        rejected_by: "end_of_file_ends_it",
        says: "You said ECONNRESET.",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "overwrites_the_front",
        put: |page| page.recv_exact = overwrites_the_front,
        rejected_by: "fills_from_a_dribble",
        says: "byte 0 of the buffer is not the one that was sent",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "interruption_is_an_error",
        put: |page| page.recv_exact = interruption_is_an_error,
        rejected_by: "interrupted_is_retried",
        says: "you returned its EINTR",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "interruption_is_the_end",
        put: |page| page.recv_exact = interruption_is_the_end,
        rejected_by: "interrupted_is_retried",
        says: "64 bytes were there, and you said Ok(0)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "takes_what_there_is",
        put: |page| page.recv_exact = takes_what_there_is,
        rejected_by: "takes_no_byte_too_many",
        says: "0 are.",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "a_reset_is_the_end",
        put: |page| page.recv_exact = a_reset_is_the_end,
        rejected_by: "reset_is_an_error",
        says: "you said Ok(3)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-exact",
        name: "asks_before_it_looks",
        put: |page| page.recv_exact = asks_before_it_looks,
        rejected_by: "empty_buffer_makes_no_call",
        says: "There was room for no byte, and you called recvfrom(",
        also: &[],
    },
    // recv/recv-line
    Wrong {
        exercise: "recv/recv-line",
        name: "a_packet_is_a_line",
        put: |page| page.recv_line = a_packet_is_a_line,
        rejected_by: "a_line_in_many_packets",
        says: "Call 1 returned the line \"o\"",
        also: &["needs_no_recv_when_carry_has_a_line"],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "forgets_the_rest",
        put: |page| page.recv_line = forgets_the_rest,
        rejected_by: "two_lines_in_one_packet",
        says: "Call 2 returned None; it should have been the line \"b\"",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "byte_by_byte",
        put: |page| page.recv_line = byte_by_byte,
        rejected_by: "not_a_call_per_byte",
        says: " system calls for 4096 bytes",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "text",
        put: |page| page.recv_line = text,
        rejected_by: "bytes_not_text",
        says: "Your function panicked over it",
        also: &["survives"],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "text_with_question_marks",
        put: |page| page.recv_line = text_with_question_marks,
        rejected_by: "bytes_not_text",
        says: "Call 1 returned the line \"caf\\xef\\xbf\\xbd\"",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "no_limit",
        put: |page| page.recv_line = no_limit,
        rejected_by: "endless_line_is_refused",
        says: "A line of 1001 bytes came, and you returned the line",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "looks_at_the_limit_too_late",
        put: |page| page.recv_line = looks_at_the_limit_too_late,
        rejected_by: "endless_line_is_refused",
        says: "bytes of it before you said no",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "the_limit_counts_the_end",
        put: |page| page.recv_line = the_limit_counts_the_end,
        rejected_by: "endless_line_is_refused",
        says: "A line of 1000 bytes came, and you returned EMSGSIZE",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "the_end_is_none",
        put: |page| page.recv_line = the_end_is_none,
        rejected_by: "unfinished_last_line",
        says: "Call 2 returned None; it should have been the line \"end\"",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "keeps_the_carriage_return",
        put: |page| page.recv_line = keeps_the_carriage_return,
        rejected_by: "crlf_split_across_packets",
        says: "Call 1 returned the line \"x\\r\"",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-line",
        name: "asks_first",
        put: |page| page.recv_line = asks_first,
        rejected_by: "needs_no_recv_when_carry_has_a_line",
        says: "you called recvfrom(",
        also: &[],
    },
    // recv/recv-frame
    Wrong {
        exercise: "recv/recv-frame",
        name: "one_recv_for_the_length",
        put: |page| page.recv_frame = one_recv_for_the_length,
        rejected_by: "header_in_four_pieces",
        says: "The length, 00 00 01 00, came in four pieces",
        also: &["end_inside_is_eproto"],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "one_recv_for_the_message",
        put: |page| page.recv_frame = one_recv_for_the_message,
        rejected_by: "reads_what_send_frame_wrote",
        says: "A message of 300 bytes was sent behind its length, 00 00 01 2c. You returned as many, and others",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "little_end_first",
        put: |page| page.recv_frame = little_end_first,
        rejected_by: "reads_what_send_frame_wrote",
        says: "You returned EMSGSIZE",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "all_that_is_there",
        put: |page| page.recv_frame = all_that_is_there,
        rejected_by: "two_frames_back_to_back",
        says: "Call 1 returned the message \"hello\\x00\\x00\\x00\\x06worlds\"",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "trusts_the_length",
        put: |page| page.recv_frame = trusts_the_length,
        rejected_by: "giants_are_refused_unallocated",
        says: "You made room for 256 MiB because a stranger said so",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "a_number_with_a_sign",
        put: |page| page.recv_frame = a_number_with_a_sign,
        rejected_by: "giants_are_refused_unallocated",
        says: "The length was ff ff ff ff, and 1000 the most. You returned EPROTO",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "as_much_as_came",
        put: |page| page.recv_frame = as_much_as_came,
        rejected_by: "end_inside_is_eproto",
        says: "The stream ended in the middle of the message, and you said a message of 50 bytes",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "half_a_length_is_the_end",
        put: |page| page.recv_frame = half_a_length_is_the_end,
        rejected_by: "end_inside_is_eproto",
        says: "The stream ended after two bytes of the length, and you said None",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "frame_the_end_is_an_error",
        put: |page| page.recv_frame = frame_the_end_is_an_error,
        rejected_by: "end_between_frames_is_none",
        says: "You said EPROTO",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-frame",
        name: "nothing_is_the_end",
        put: |page| page.recv_frame = nothing_is_the_end,
        rejected_by: "empty_frame_is_a_message",
        says: "You said None",
        also: &[],
    },
    // recv/recv-timeout
    Wrong {
        exercise: "recv/recv-timeout",
        name: "leaves_its_limit_behind",
        put: |page| page.recv_timeout = leaves_its_limit_behind,
        rejected_by: "socket_is_unchanged",
        says: "You left SO_RCVTIMEO at 0.0",
        also: &["signals_do_not_stretch_it", "zero_means_now"],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "leaves_it_non_blocking",
        put: |page| page.recv_timeout = leaves_it_non_blocking,
        rejected_by: "socket_is_unchanged",
        says: "You left O_NONBLOCK set behind",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "makes_it_blocking",
        put: |page| page.recv_timeout = makes_it_blocking,
        rejected_by: "socket_is_unchanged",
        says: "You left O_NONBLOCK cleared behind",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "eagain_as_it_comes",
        put: |page| page.recv_timeout = eagain_as_it_comes,
        rejected_by: "silence_is_etimedout_on_time",
        says: "you said Err(EAGAIN)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "no_time_is_the_end",
        put: |page| page.recv_timeout = no_time_is_the_end,
        rejected_by: "silence_is_etimedout_on_time",
        says: "you said Ok(0)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "seconds_for_milliseconds",
        put: |page| page.recv_timeout = seconds_for_milliseconds,
        rejected_by: "silence_is_etimedout_on_time",
        says: " ms you said Err(ETIMEDOUT)",
        also: &["data_comes_through", "reset_comes_out"],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "waits_anew_after_each_signal",
        put: |page| page.recv_timeout = waits_anew_after_each_signal,
        rejected_by: "signals_do_not_stretch_it",
        says: "ms, until the peer spoke",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "a_signal_ends_it",
        put: |page| page.recv_timeout = a_signal_ends_it,
        rejected_by: "signals_do_not_stretch_it",
        says: "you said Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "sleeps_and_looks",
        put: |page| page.recv_timeout = sleeps_and_looks,
        rejected_by: "data_comes_through",
        says: "Five bytes came before you were called, and the limit was 800 ms. After ",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "every_error_is_the_time",
        put: |page| page.recv_timeout = every_error_is_the_time,
        rejected_by: "reset_comes_out",
        says: "you said Err(ETIMEDOUT)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "the_end_is_the_time",
        put: |page| page.recv_timeout = the_end_is_the_time,
        rejected_by: "end_of_file_is_zero_not_timeout",
        says: "You said Err(ETIMEDOUT)",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "zero_is_for_ever",
        put: |page| page.recv_timeout = zero_is_for_ever,
        rejected_by: "zero_means_now",
        says: "until the peer spoke",
        also: &[],
    },
    Wrong {
        exercise: "recv/recv-timeout",
        name: "zero_is_over",
        put: |page| page.recv_timeout = zero_is_over,
        rejected_by: "zero_means_now",
        says: "five bytes were there: you said Err(ETIMEDOUT)",
        also: &[],
    },
    // recv/peer-state
    Wrong {
        exercise: "recv/peer-state",
        name: "takes_a_byte",
        put: |page| page.peer_state = takes_a_byte,
        rejected_by: "talking_keeps_the_data",
        says: "you said Talking, and 4 of them are left",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "waits",
        put: |page| page.peer_state = waits,
        rejected_by: "quiet",
        says: "you waited in recvfrom(",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "asks_for_its_name",
        put: |page| page.peer_state = asks_for_its_name,
        rejected_by: "finished",
        says: "you said Quiet",
        also: &["talking_keeps_the_data"],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "not_now_is_gone",
        put: |page| page.peer_state = not_now_is_gone,
        rejected_by: "quiet",
        says: "you said Gone",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "not_now_is_an_error",
        put: |page| page.peer_state = not_now_is_an_error,
        rejected_by: "quiet",
        says: "you said Err(EAGAIN)",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "the_flag_decides",
        put: |page| page.peer_state = the_flag_decides,
        rejected_by: "data_before_the_end",
        says: "You said Finished",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "the_end_is_gone",
        put: |page| page.peer_state = the_end_is_gone,
        rejected_by: "finished",
        says: "you said Gone",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "asks_twice",
        put: |page| page.peer_state = asks_twice,
        rejected_by: "gone",
        says: "you said Finished",
        also: &[],
    },
    Wrong {
        exercise: "recv/peer-state",
        name: "changes_the_mode_for_a_moment",
        put: |page| page.peer_state = changes_the_mode_for_a_moment,
        rejected_by: "blocking_mode_unchanged",
        says: "You changed the socket's mode: fcntl(",
        also: &[],
    },
];

/// A maximum taken for a wish.
fn one_recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    recv(fd.as_raw_fd(), buf, MsgFlags::empty())
}

/// MSG_WAITALL, which promises more than it keeps. (An interruption it does meet.)
fn waits_for_all_once(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(fd.as_raw_fd(), buf, MsgFlags::MSG_WAITALL) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// 0 added, and asked again.
fn goes_on_after_the_end(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// The end of the stream is no error.
fn exact_the_end_is_an_error(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(0) => return Err(Errno::ECONNRESET),
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// Counts rightly, and always writes at the beginning.
fn overwrites_the_front(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        let room = buf.len() - filled;
        match recv(fd.as_raw_fd(), &mut buf[..room], MsgFlags::empty()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// The question mark, which passes EINTR on.
fn interruption_is_an_error(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty())? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Any error ends the loop quietly.
fn interruption_is_the_end(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(0) | Err(Errno::EINTR) => break,
            Ok(count) => filled += count,
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// Receives into a large buffer of its own, and keeps what fits.
fn takes_what_there_is(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        let mut scratch = [0; 4096];
        match recv(fd.as_raw_fd(), &mut scratch, MsgFlags::empty()) {
            Ok(0) => break,
            Ok(count) => {
                let fits = count.min(buf.len() - filled);
                buf[filled..filled + fits].copy_from_slice(&scratch[..fits]);
                filled += fits;
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// A reset taken for a tidy end.
fn a_reset_is_the_end(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(0) | Err(Errno::ECONNRESET) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// A loop that is entered once, whatever there is room for.
fn asks_before_it_looks(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    loop {
        match recv(fd.as_raw_fd(), &mut buf[filled..], MsgFlags::empty()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        if filled == buf.len() {
            break;
        }
    }
    Ok(filled)
}

/// What the kernel has, with the interruptions left out.
fn more(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(fd.as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The first line of what is there, without its end.
fn cut(carry: &mut Vec<u8>) -> Option<Vec<u8>> {
    let at = carry.iter().position(|&byte| byte == b'\n')?;
    let mut line: Vec<u8> = carry.drain(..=at).collect();
    line.pop();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(line)
}

/// What is left at the end of the stream.
fn rest(carry: &mut Vec<u8>) -> Option<Vec<u8>> {
    if carry.is_empty() { None } else { Some(mem::take(carry)) }
}

/// What recv returned, taken for a line.
fn a_packet_is_a_line(fd: BorrowedFd<'_>, _: &mut Vec<u8>, _: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut buffer = [0; 4096];
    match more(fd, &mut buffer)? {
        0 => Ok(None),
        count => Ok(Some(buffer[..count].trim_ascii_end().to_vec())),
    }
}

/// What came behind the line is thrown away.
fn forgets_the_rest(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let line = reference::recv_line(fd, carry, max)?;
    carry.clear();
    Ok(line)
}

/// One byte each time, so that nothing comes too early.
fn byte_by_byte(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        if let Some(line) = cut(carry) {
            return if line.len() > max { Err(Errno::EMSGSIZE) } else { Ok(Some(line)) };
        }
        if carry.len() > max + 1 {
            return Err(Errno::EMSGSIZE);
        }
        let mut byte = [0];
        match more(fd, &mut byte)? {
            0 => return Ok(rest(carry)),
            _ => carry.extend(byte),
        }
    }
}

/// A line must be text.
fn text(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let line = reference::recv_line(fd, carry, max)?;
    Ok(line.map(|line| String::from_utf8(line).unwrap().into_bytes()))
}

/// What is no text is replaced by question marks.
fn text_with_question_marks(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let line = reference::recv_line(fd, carry, max)?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned().into_bytes()))
}

/// It keeps whatever comes.
fn no_limit(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, _: usize) -> Result<Option<Vec<u8>>, Errno> {
    reference::recv_line(fd, carry, usize::MAX)
}

/// The limit is held against a line that is there, when it is there.
fn looks_at_the_limit_too_late(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    match reference::recv_line(fd, carry, usize::MAX)? {
        Some(line) if line.len() > max => Err(Errno::EMSGSIZE),
        line => Ok(line),
    }
}

/// The line's end is counted, too.
fn the_limit_counts_the_end(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    reference::recv_line(fd, carry, max - 1)
}

/// At the end of the stream what is left is lost.
fn the_end_is_none(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        if let Some(line) = cut(carry) {
            return if line.len() > max { Err(Errno::EMSGSIZE) } else { Ok(Some(line)) };
        }
        if carry.len() > max + 1 {
            return Err(Errno::EMSGSIZE);
        }
        let mut buffer = [0; 4096];
        match more(fd, &mut buffer)? {
            0 => return Ok(None),
            count => carry.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Only \n is taken off.
fn keeps_the_carriage_return(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        if let Some(at) = carry.iter().position(|&byte| byte == b'\n') {
            let mut line: Vec<u8> = carry.drain(..=at).collect();
            line.pop();
            return if line.len() > max { Err(Errno::EMSGSIZE) } else { Ok(Some(line)) };
        }
        if carry.len() > max + 1 {
            return Err(Errno::EMSGSIZE);
        }
        let mut buffer = [0; 4096];
        match more(fd, &mut buffer)? {
            0 => return Ok(rest(carry)),
            count => carry.extend_from_slice(&buffer[..count]),
        }
    }
}

/// It asks the kernel before it looks at what it has.
fn asks_first(fd: BorrowedFd<'_>, carry: &mut Vec<u8>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        let mut buffer = [0; 4096];
        match more(fd, &mut buffer)? {
            0 => return Ok(cut(carry).or_else(|| rest(carry))),
            count => carry.extend_from_slice(&buffer[..count]),
        }
        if let Some(line) = cut(carry) {
            return if line.len() > max { Err(Errno::EMSGSIZE) } else { Ok(Some(line)) };
        }
        if carry.len() > max + 1 {
            return Err(Errno::EMSGSIZE);
        }
    }
}

/// The length in front of a message; nothing at the end of the stream.
fn length(fd: BorrowedFd<'_>) -> Result<Option<u32>, Errno> {
    let mut header = [0; 4];
    match reference::recv_exact(fd, &mut header)? {
        0 => Ok(None),
        4 => Ok(Some(u32::from_be_bytes(header))),
        _ => Err(Errno::EPROTO),
    }
}

/// A message of this length.
fn body(fd: BorrowedFd<'_>, length: u32, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    if length as usize > max {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = vec![0; length as usize];
    if reference::recv_exact(fd, &mut message)? < message.len() {
        return Err(Errno::EPROTO);
    }
    Ok(Some(message))
}

/// Four bytes, asked for once.
fn one_recv_for_the_length(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut header = [0; 4];
    match recv(fd.as_raw_fd(), &mut header, MsgFlags::empty())? {
        0 => Ok(None),
        _ => body(fd, u32::from_be_bytes(header), max),
    }
}

/// The message, asked for once.
fn one_recv_for_the_message(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let Some(length) = length(fd)? else { return Ok(None) };
    if length as usize > max {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = vec![0; length as usize];
    recv(fd.as_raw_fd(), &mut message, MsgFlags::empty())?;
    Ok(Some(message))
}

/// The order of this machine, and not the network's.
fn little_end_first(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    match length(fd)? {
        Some(length) => body(fd, length.swap_bytes(), max),
        None => Ok(None),
    }
}

/// Whatever has come is the message.
fn all_that_is_there(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut all = vec![0; max + 4];
    let mut filled = 0;
    while filled < 4 || filled < 4 + u32::from_be_bytes([all[0], all[1], all[2], all[3]]) as usize {
        match recv(fd.as_raw_fd(), &mut all[filled..], MsgFlags::empty())? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(Errno::EPROTO),
            count => filled += count,
        }
        if filled >= 4 && u32::from_be_bytes([all[0], all[1], all[2], all[3]]) as usize > max {
            return Err(Errno::EMSGSIZE);
        }
    }
    Ok(Some(all[4..filled].to_vec()))
}

/// Room first, doubts later.
fn trusts_the_length(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let Some(length) = length(fd)? else { return Ok(None) };
    let mut message = vec![0; length as usize];
    if length as usize > max {
        return Err(Errno::EMSGSIZE);
    }
    if reference::recv_exact(fd, &mut message)? < message.len() {
        return Err(Errno::EPROTO);
    }
    Ok(Some(message))
}

/// 4,294,967,295 is -1 to it, and so not too much.
fn a_number_with_a_sign(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let Some(length) = length(fd)? else { return Ok(None) };
    if length as i32 > max as i32 {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = vec![0; usize::try_from(length as i32).map_err(|_| Errno::EPROTO)?];
    if reference::recv_exact(fd, &mut message)? < message.len() {
        return Err(Errno::EPROTO);
    }
    Ok(Some(message))
}

/// Half a message is returned for a whole one.
fn as_much_as_came(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let Some(length) = length(fd)? else { return Ok(None) };
    if length as usize > max {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = vec![0; length as usize];
    let count = reference::recv_exact(fd, &mut message)?;
    message.truncate(count);
    Ok(Some(message))
}

/// Fewer than four bytes are the end.
fn half_a_length_is_the_end(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut header = [0; 4];
    match reference::recv_exact(fd, &mut header)? {
        4 => body(fd, u32::from_be_bytes(header), max),
        _ => Ok(None),
    }
}

/// Any end is an end inside.
fn frame_the_end_is_an_error(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut header = [0; 4];
    match reference::recv_exact(fd, &mut header)? {
        4 => body(fd, u32::from_be_bytes(header), max),
        _ => Err(Errno::EPROTO),
    }
}

/// A message of no bytes taken for the end.
fn nothing_is_the_end(fd: BorrowedFd<'_>, max: usize) -> Result<Option<Vec<u8>>, Errno> {
    Ok(reference::recv_frame(fd, max)?.filter(|message| !message.is_empty()))
}

/// What poll takes.
fn in_milliseconds(limit: Duration) -> PollTimeout {
    PollTimeout::try_from(limit.as_millis()).unwrap_or(PollTimeout::MAX)
}

/// The limit goes into the socket, and stays there. And zero is none.
fn leaves_its_limit_behind(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::microseconds(limit.as_micros() as i64))?;
    match recv(fd.as_raw_fd(), buf, MsgFlags::empty()) {
        Err(Errno::EAGAIN) => Err(Errno::ETIMEDOUT),
        result => result,
    }
}

/// The socket is made non-blocking, and stays so.
fn leaves_it_non_blocking(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    reference::recv_timeout(fd, buf, limit)
}

/// The socket is made non-blocking, and blocking afterwards, whatever it was before.
fn makes_it_blocking(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let result = reference::recv_timeout(fd, buf, limit);
    fcntl(fd, FcntlArg::F_SETFL(OFlag::empty()))?;
    result
}

/// The errno of the kernel's choice.
fn eagain_as_it_comes(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match reference::recv_timeout(fd, buf, limit) {
        Err(Errno::ETIMEDOUT) => Err(Errno::EAGAIN),
        result => result,
    }
}

/// 0 for "nothing came", which is what the end of the stream says.
fn no_time_is_the_end(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match reference::recv_timeout(fd, buf, limit) {
        Err(Errno::ETIMEDOUT) => Ok(0),
        result => result,
    }
}

/// poll's limit is in milliseconds, and this one's in seconds.
fn seconds_for_milliseconds(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    reference::recv_timeout(fd, buf, Duration::from_millis(limit.as_secs()))
}

/// The whole limit again, after each signal.
fn waits_anew_after_each_signal(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    loop {
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], in_milliseconds(limit)) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => return recv(fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The question mark, which passes EINTR on.
fn a_signal_ends_it(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], in_milliseconds(limit))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => recv(fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT),
    }
}

/// The whole limit is slept away, and then it looks.
fn sleeps_and_looks(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    thread::sleep(limit);
    match recv(fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT) {
        Err(Errno::EAGAIN) => Err(Errno::ETIMEDOUT),
        result => result,
    }
}

/// Whatever goes wrong is called a timeout.
fn every_error_is_the_time(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    reference::recv_timeout(fd, buf, limit).map_err(|_| Errno::ETIMEDOUT)
}

/// The end of the stream taken for silence.
fn the_end_is_the_time(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match reference::recv_timeout(fd, buf, limit) {
        Ok(0) => Err(Errno::ETIMEDOUT),
        result => result,
    }
}

/// Zero means "no limit", as with SO_RCVTIMEO.
fn zero_is_for_ever(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match limit.is_zero() {
        true => recv(fd.as_raw_fd(), buf, MsgFlags::empty()),
        false => reference::recv_timeout(fd, buf, limit),
    }
}

/// No time left: it does not even look.
fn zero_is_over(fd: BorrowedFd<'_>, buf: &mut [u8], limit: Duration) -> Result<usize, Errno> {
    match limit.is_zero() {
        true => Err(Errno::ETIMEDOUT),
        false => reference::recv_timeout(fd, buf, limit),
    }
}

/// What a look says.
fn state(look: Result<usize, Errno>) -> Result<Peer, Errno> {
    match look {
        Ok(0) => Ok(Peer::Finished),
        Ok(_) => Ok(Peer::Talking),
        Err(Errno::EAGAIN) => Ok(Peer::Quiet),
        Err(Errno::ECONNRESET | Errno::EPIPE) => Ok(Peer::Gone),
        Err(errno) => Err(errno),
    }
}

/// A look that takes.
fn takes_a_byte(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    state(recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT))
}

/// It looks, and waits for something to see.
fn waits(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    state(recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK))
}

/// A connection has a peer's name until it is torn, and that tells nothing of the peer.
fn asks_for_its_name(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    match getpeername::<SockaddrIn>(fd.as_raw_fd()) {
        Ok(_) => Ok(Peer::Quiet),
        Err(_) => Ok(Peer::Gone),
    }
}

/// Any error is the end of everything.
fn not_now_is_gone(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    match recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Ok(0) => Ok(Peer::Finished),
        Ok(_) => Ok(Peer::Talking),
        Err(_) => Ok(Peer::Gone),
    }
}

/// The question mark, which passes EAGAIN on.
fn not_now_is_an_error(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    match recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Err(Errno::EAGAIN) => Err(Errno::EAGAIN),
        result => state(result),
    }
}

/// poll says that the end has come, and not that there is something before it.
fn the_flag_decides(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    let mut question = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN | libc::POLLRDHUP, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    Errno::result(unsafe { libc::poll(&raw mut question, 1, 0) })?;
    if question.revents & libc::POLLERR != 0 {
        Ok(Peer::Gone)
    } else if question.revents & libc::POLLRDHUP != 0 {
        Ok(Peer::Finished)
    } else if question.revents & libc::POLLIN != 0 {
        Ok(Peer::Talking)
    } else {
        Ok(Peer::Quiet)
    }
}

/// A tidy end taken for a reset.
fn the_end_is_gone(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    match reference::peer_state(fd)? {
        Peer::Finished => Ok(Peer::Gone),
        state => Ok(state),
    }
}

/// The first look takes the error away, and the second one believes that all is well.
fn asks_twice(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    let look = || recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    match look() {
        Err(_) => state(look()),
        result => state(result),
    }
}

/// Non-blocking for a moment, and for everybody who has the socket.
fn changes_the_mode_for_a_moment(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let result = recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK);
    fcntl(fd, FcntlArg::F_SETFL(flags))?;
    state(result)
}
