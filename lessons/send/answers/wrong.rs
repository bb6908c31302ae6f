//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use grader::Wrong;
use lesson_send::exercises as reference;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, setsockopt, shutdown, sockopt};
use nix::sys::time::TimeVal;

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // send/send-all
    Wrong {
        exercise: "send/send-all",
        name: "one_call",
        put: |page| page.send_all = one_call,
        rejected_by: "every_byte_once_and_in_order",
        says: "At byte 1 the peer got nothing instead of 0x9e: the rest never came",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "from_the_start_again",
        put: |page| page.send_all = from_the_start_again,
        rejected_by: "every_byte_once_and_in_order",
        says: "bytes are repeated",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "assigns_instead_of_adding",
        put: |page| page.send_all = assigns_instead_of_adding,
        rejected_by: "every_byte_once_and_in_order",
        says: "bytes are repeated",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "counts_the_pieces_not_the_bytes",
        put: |page| page.send_all = counts_the_pieces_not_the_bytes,
        rejected_by: "every_byte_once_and_in_order",
        says: "bytes are skipped",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "writes",
        put: |page| page.send_all = writes,
        rejected_by: "every_send_has_nosignal",
        says: "Line 1 has no MSG_NOSIGNAL",
        also: &["survives"],
    },
    Wrong {
        exercise: "send/send-all",
        name: "protects_the_first_only",
        put: |page| page.send_all = protects_the_first_only,
        rejected_by: "every_send_has_nosignal",
        says: "Line 2 has no MSG_NOSIGNAL",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "a_signal_is_an_error",
        put: |page| page.send_all = a_signal_is_an_error,
        rejected_by: "interrupted_is_not_an_error",
        says: "and you returned Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "a_signal_is_the_end",
        put: |page| page.send_all = a_signal_is_the_end,
        rejected_by: "interrupted_is_not_an_error",
        says: "and you returned Ok(())",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "errors_are_the_end",
        put: |page| page.send_all = errors_are_the_end,
        rejected_by: "a_gone_peer_is_epipe_not_death",
        says: "The peer has gone, and you returned Ok(())",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "one_byte_each",
        put: |page| page.send_all = one_byte_each,
        rejected_by: "sends_in_big_pieces",
        says: "16384 system calls for 16 KiB",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all",
        name: "sends_first_and_looks_then",
        put: |page| page.send_all = sends_first_and_looks_then,
        rejected_by: "empty_needs_no_call",
        says: "Nothing to send, and you called the kernel and returned Err(EPIPE)",
        also: &[],
    },
    // send/send-all-by
    Wrong {
        exercise: "send/send-all-by",
        name: "spins",
        put: |page| page.send_all_by = spins,
        rejected_by: "waits_instead_of_spinning",
        says: "and you polled 0 times: you are burning a CPU",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "sleeps_a_little",
        put: |page| page.send_all_by = sleeps_a_little,
        rejected_by: "waits_instead_of_spinning",
        says: "and you polled 0 times",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "polls_without_waiting",
        put: |page| page.send_all_by = polls_without_waiting,
        rejected_by: "waits_instead_of_spinning",
        says: "you are burning a CPU to wait",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "makes_it_blocking",
        put: |page| page.send_all_by = makes_it_blocking,
        rejected_by: "mode_is_left_alone",
        says: "You switched the socket to blocking (fcntl(",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "polls_for_ever",
        put: |page| page.send_all_by = polls_for_ever,
        rejected_by: "deadline_is_kept",
        says: "when the peer hung up, you were still waiting",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "restarts_the_clock",
        put: |page| page.send_all_by = restarts_the_clock,
        rejected_by: "deadline_is_kept",
        says: "The peer read in small pieces: you gave up",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "a_signal_restarts_the_clock",
        put: |page| page.send_all_by = a_signal_restarts_the_clock,
        rejected_by: "deadline_is_kept",
        says: "and a signal came every 20 ms: ",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "a_signal_is_an_error_by",
        put: |page| page.send_all_by = a_signal_is_an_error_by,
        rejected_by: "deadline_is_kept",
        says: "and a signal came every 20 ms: you returned Err((",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "gives_up_where_it_should_wait",
        put: |page| page.send_all_by = gives_up_where_it_should_wait,
        rejected_by: "arrives_through_a_slow_reader",
        says: "EAGAIN",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "waits_for_input",
        put: |page| page.send_all_by = waits_for_input,
        rejected_by: "arrives_through_a_slow_reader",
        says: "ETIMEDOUT",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "loses_count",
        put: |page| page.send_all_by = loses_count,
        rejected_by: "says_how_far_it_got",
        says: "you reported 0",
        also: &[],
    },
    Wrong {
        exercise: "send/send-all-by",
        name: "says_what_poll_says",
        put: |page| page.send_all_by = says_what_poll_says,
        rejected_by: "a_dead_peer_ends_the_wait",
        says: "EIO",
        also: &[],
    },
    // send/send-frame
    Wrong {
        exercise: "send/send-frame",
        name: "least_significant_first",
        put: |page| page.send_frame = least_significant_first,
        rejected_by: "header_is_big_endian_length",
        says: "The length came as 00 01 00 00 before 256 bytes: wanted 00 00 01 00 before 256",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "two_bytes_are_enough",
        put: |page| page.send_frame = two_bytes_are_enough,
        rejected_by: "header_is_big_endian_length",
        says: "The length came as",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "counts_its_header",
        put: |page| page.send_frame = counts_its_header,
        rejected_by: "length_is_of_the_payload",
        says: "You sent length 260 for 256 bytes of payload",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "skips_the_empty_one",
        put: |page| page.send_frame = skips_the_empty_one,
        rejected_by: "empty_frame_is_four_zero_bytes",
        says: "The peer got nothing",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "header_and_payload_apart",
        put: |page| page.send_frame = header_and_payload_apart,
        rejected_by: "leaves_together",
        says: "Header and payload went in 2 sends",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "one_send",
        put: |page| page.send_frame = one_send,
        rejected_by: "short_counts_anywhere",
        says: "After a short count of 2 the peer got 2 of 260 bytes",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "one_sendmsg",
        put: |page| page.send_frame = one_sendmsg,
        rejected_by: "short_counts_anywhere",
        says: "of 300004 bytes",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "forgets_that_the_header_was_cut",
        put: |page| page.send_frame = forgets_that_the_header_was_cut,
        rejected_by: "short_counts_anywhere",
        says: "After a short count of 2",
        also: &[],
    },
    Wrong {
        exercise: "send/send-frame",
        name: "gathers_with_writev",
        put: |page| page.send_frame = gathers_with_writev,
        rejected_by: "never_dies_of_sigpipe",
        says: "writev(",
        also: &["short_counts_anywhere"],
    },
    // send/finish
    Wrong {
        exercise: "send/finish",
        name: "just_closes",
        put: |page| page.finish = just_closes,
        rejected_by: "peer_reads_everything",
        says: "of 200000 bytes and then ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "shuts_both_ways",
        put: |page| page.finish = shuts_both_ways,
        rejected_by: "peer_reads_everything",
        says: "of 200000 bytes and then ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "lingers_for_five_seconds",
        put: |page| page.finish = lingers_for_five_seconds,
        rejected_by: "peer_reads_everything",
        says: "of 200000 bytes and then ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "lingers_for_no_time",
        put: |page| page.finish = lingers_for_no_time,
        rejected_by: "peer_reads_everything",
        says: "of 200000 bytes and then ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "waits_without_saying_so",
        put: |page| page.finish = waits_without_saying_so,
        rejected_by: "peer_sees_the_end_at_once",
        says: "nobody said shutdown(SHUT_WR)",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "sleeps_instead",
        put: |page| page.finish = sleeps_instead,
        rejected_by: "closes_last",
        says: "close before the peer's end-of-file",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "reads_once",
        put: |page| page.finish = reads_once,
        rejected_by: "closes_last",
        says: "close before the peer's end-of-file",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "nobody_may_talk",
        put: |page| page.finish = nobody_may_talk,
        rejected_by: "late_talk_is_thrown_away",
        says: "The peer's last words stopped you (Err(EPROTO))",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "waits_for_ever",
        put: |page| page.finish = waits_for_ever,
        rejected_by: "a_silent_peer_costs_patience_only",
        says: "You waited ",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "patience_for_each_read",
        put: |page| page.finish = patience_for_each_read,
        rejected_by: "a_silent_peer_costs_patience_only",
        says: "for one who says a byte now and then",
        also: &[],
    },
    Wrong {
        exercise: "send/finish",
        name: "leaves_it_open",
        put: |page| page.finish = leaves_it_open,
        rejected_by: "a_silent_peer_costs_patience_only",
        says: "You gave up and left the socket open",
        also: &[],
    },
];

/// One send that cannot raise SIGPIPE, and that a signal does not stop.
fn sends(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize, Errno> {
    loop {
        match send(fd.as_raw_fd(), data, MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// It has always worked.
fn one_call(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    if data.is_empty() {
        return Ok(());
    }
    sends(fd, data).map(drop)
}

/// The rest has to be sent, and not all of it again.
fn from_the_start_again(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    let mut sent = 0;
    while sent < data.len() {
        sent += sends(fd, data)?;
    }
    Ok(())
}

/// = and not +=
fn assigns_instead_of_adding(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    let mut sent = 0;
    while sent < data.len() {
        sent = sends(fd, &data[sent..])?;
    }
    Ok(())
}

/// Goes on as if each piece had been taken whole.
fn counts_the_pieces_not_the_bytes(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    for piece in data.chunks(4 * 1024) {
        sends(fd, piece)?;
    }
    Ok(())
}

/// write has no flags.
fn writes(fd: BorrowedFd<'_>, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        // SAFETY: the pointer is to `data.len()` bytes, which write only reads.
        match Errno::result(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) }) {
            Ok(count) => data = &data[count as usize..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// One with the flag, and the rest without.
fn protects_the_first_only(fd: BorrowedFd<'_>, mut data: &[u8]) -> Result<(), Errno> {
    let mut flags = MsgFlags::MSG_NOSIGNAL;
    while !data.is_empty() {
        match send(fd.as_raw_fd(), data, flags) {
            Ok(count) => {
                data = &data[count..];
                flags = MsgFlags::empty();
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// `?` does not know that EINTR is no error.
fn a_signal_is_an_error(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    let mut sent = 0;
    while sent < data.len() {
        sent += send(fd.as_raw_fd(), &data[sent..], MsgFlags::MSG_NOSIGNAL)?;
    }
    Ok(())
}

/// Somebody wants us to stop.
fn a_signal_is_the_end(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    match a_signal_is_an_error(fd, data) {
        Err(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// Nobody is there to be told.
fn errors_are_the_end(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    let _ = reference::send_all(fd, data);
    Ok(())
}

/// A byte is never short.
fn one_byte_each(fd: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    for byte in data {
        sends(fd, &[*byte])?;
    }
    Ok(())
}

/// Nothing sent: the connection must be broken.
fn sends_first_and_looks_then(fd: BorrowedFd<'_>, mut data: &[u8]) -> Result<(), Errno> {
    loop {
        match sends(fd, data)? {
            0 => return Err(Errno::EPIPE),
            count => data = &data[count..],
        }
        if data.is_empty() {
            return Ok(());
        }
    }
}

type By = Result<(), (usize, Errno)>;

/// Sends until all is sent, and does this where there is no room. It is given what is left of the time.
fn by(
    fd: BorrowedFd<'_>,
    data: &[u8],
    deadline: Instant,
    mut when_full: impl FnMut(Duration) -> Result<(), Errno>,
) -> By {
    let mut done = 0;
    while done < data.len() {
        match sends(fd, &data[done..]) {
            Ok(count) => done += count,
            Err(Errno::EAGAIN) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err((done, Errno::ETIMEDOUT));
                }
                when_full(left).map_err(|errno| (done, errno))?;
            }
            Err(errno) => return Err((done, errno)),
        }
    }
    Ok(())
}

/// So many milliseconds, as poll wants them.
fn timeout(left: Duration) -> PollTimeout {
    PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
}

/// poll for these events; a signal does not stop the function that calls it.
fn polls(fd: BorrowedFd<'_>, events: PollFlags, timeout: PollTimeout) -> Result<(), Errno> {
    match poll(&mut [PollFd::new(fd, events)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Not now? And now? And now?
fn spins(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |_| Ok(()))
}

/// A short nap, and then another.
fn sleeps_a_little(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |_| {
        thread::sleep(Duration::from_millis(1));
        Ok(())
    })
}

/// poll with a timeout of 0 is a question, and no waiting.
fn polls_without_waiting(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |_| polls(fd, PollFlags::POLLOUT, PollTimeout::ZERO))
}

/// A blocking send needs no poll.
fn makes_it_blocking(fd: BorrowedFd<'_>, data: &[u8], _deadline: Instant) -> By {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).map_err(|errno| (0, errno))?);
    fcntl(fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).map_err(|errno| (0, errno))?;
    let result = reference::send_all(fd, data);
    fcntl(fd, FcntlArg::F_SETFL(flags)).map_err(|errno| (0, errno))?;
    result.map_err(|errno| (0, errno))
}

/// poll will tell.
fn polls_for_ever(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |_| polls(fd, PollFlags::POLLOUT, PollTimeout::NONE))
}

/// The same patience each time.
fn restarts_the_clock(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    let patience = deadline.saturating_duration_since(Instant::now());
    let mut done = 0;
    while done < data.len() {
        match sends(fd, &data[done..]) {
            Ok(count) => done += count,
            Err(Errno::EAGAIN) => match waits_through_signals(fd, Instant::now() + patience) {
                Ok(true) => {}
                Ok(false) => return Err((done, Errno::ETIMEDOUT)),
                Err(errno) => return Err((done, errno)),
            },
            Err(errno) => return Err((done, errno)),
        }
    }
    Ok(())
}

/// Whether there is room before the deadline. Signals do not change that.
fn waits_through_signals(fd: BorrowedFd<'_>, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = timeout(deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], left) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// After a signal poll is called again just as before.
fn a_signal_restarts_the_clock(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |left| {
        loop {
            match poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], timeout(left)) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    })
}

/// `?` at poll.
fn a_signal_is_an_error_by(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |left| poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], timeout(left)).map(drop))
}

/// EAGAIN is an errno, so it is an error.
fn gives_up_where_it_should_wait(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |_| Err(Errno::EAGAIN))
}

/// POLLIN asks for something to read.
fn waits_for_input(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |left| polls(fd, PollFlags::POLLIN, timeout(left)))
}

/// Whoever failed has sent nothing.
fn loses_count(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    reference::send_all_by(fd, data, deadline).map_err(|(_, errno)| (0, errno))
}

/// POLLERR means that there is an error, and not which.
fn says_what_poll_says(fd: BorrowedFd<'_>, data: &[u8], deadline: Instant) -> By {
    by(fd, data, deadline, |left| {
        let mut question = [PollFd::new(fd, PollFlags::POLLOUT)];
        match poll(&mut question, timeout(left)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        match question[0].revents() {
            Some(events) if events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) => Err(Errno::EIO),
            _ => Ok(()),
        }
    })
}

/// A header of these bytes and the payload, in one piece.
fn framed(fd: BorrowedFd<'_>, header: &[u8], payload: &[u8]) -> Result<(), Errno> {
    reference::send_all(fd, &[header, payload].concat())
}

/// What this machine's memory has.
fn least_significant_first(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    framed(fd, &(payload.len() as u32).to_le_bytes(), payload)
}

/// Nobody sends more than that.
fn two_bytes_are_enough(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    if payload.is_empty() {
        return framed(fd, &[0; 4], payload);
    }
    framed(fd, &(payload.len() as u16).to_be_bytes(), payload)
}

/// The frame is four bytes longer than the payload.
fn counts_its_header(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    let length = if payload.is_empty() { 0 } else { payload.len() as u32 + 4 };
    framed(fd, &length.to_be_bytes(), payload)
}

/// Nothing to say, so it says nothing.
fn skips_the_empty_one(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    if payload.is_empty() { Ok(()) } else { reference::send_frame(fd, payload) }
}

/// Two places in memory, two calls.
fn header_and_payload_apart(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    reference::send_all(fd, &(payload.len() as u32).to_be_bytes())?;
    reference::send_all(fd, payload)
}

/// It has always worked.
fn one_send(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    sends(fd, &[&(payload.len() as u32).to_be_bytes(), payload].concat()).map(drop)
}

/// Header and payload as the kernel wants to have them.
fn parts(header: &[u8; 4], payload: &[u8]) -> [libc::iovec; 2] {
    [
        libc::iovec { iov_base: header.as_ptr().cast_mut().cast(), iov_len: header.len() },
        libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() },
    ]
}

/// The kernel gathers, and may stop anywhere.
fn one_sendmsg(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    let header = (payload.len() as u32).to_be_bytes();
    let mut parts = parts(&header, payload);
    // SAFETY: a msghdr is plain numbers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    loop {
        // SAFETY: `message` names two parts, which live through the call, and sendmsg only reads them.
        match Errno::result(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) }) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// One call for both, and then the rest of the payload, as if the header had been taken whole.
fn forgets_that_the_header_was_cut(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    let frame = [&(payload.len() as u32).to_be_bytes(), payload].concat();
    let sent = sends(fd, &frame)?;
    reference::send_all(fd, &payload[sent.saturating_sub(4)..])
}

/// writev has no flags.
fn gathers_with_writev(fd: BorrowedFd<'_>, payload: &[u8]) -> Result<(), Errno> {
    let header = (payload.len() as u32).to_be_bytes();
    let parts = parts(&header, payload);
    loop {
        // SAFETY: both parts live through the call, and writev only reads them.
        match Errno::result(unsafe { libc::writev(fd.as_raw_fd(), parts.as_ptr(), 2) }) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Everything was sent.
fn just_closes(sock: OwnedFd, _patience: Duration) -> Result<(), Errno> {
    drop(sock);
    Ok(())
}

/// More shutdown must be better.
fn shuts_both_ways(sock: OwnedFd, _patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Both)
}

/// So the manuals say: close waits.
fn lingers_for_five_seconds(sock: OwnedFd, _patience: Duration) -> Result<(), Errno> {
    setsockopt(&sock, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 5 })
}

/// SO_LINGER with 0 is a reset.
fn lingers_for_no_time(sock: OwnedFd, _patience: Duration) -> Result<(), Errno> {
    setsockopt(&sock, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Reads until the peer ends, or the time is up.
fn reads_to_the_end(sock: &OwnedFd, patience: Duration) -> Result<(), Errno> {
    let deadline = Instant::now() + patience;
    let mut scratch = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Errno::ETIMEDOUT);
        }
        polls(sock.as_fd(), PollFlags::POLLIN, timeout(left))?;
        match recv(sock.as_raw_fd(), &mut scratch, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// After you. No, after you.
fn waits_without_saying_so(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    reads_to_the_end(&sock, patience)
}

/// After that time it must have arrived.
fn sleeps_instead(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    thread::sleep(patience);
    Ok(())
}

/// One recv is not all of it.
fn reads_once(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    if poll(&mut [PollFd::new(sock.as_fd(), PollFlags::POLLIN)], timeout(patience))? == 0 {
        return Err(Errno::ETIMEDOUT);
    }
    recv(sock.as_raw_fd(), &mut [0; 4096], MsgFlags::empty()).map(drop)
}

/// The end was expected, and nothing else.
fn nobody_may_talk(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    if poll(&mut [PollFd::new(sock.as_fd(), PollFlags::POLLIN)], timeout(patience))? == 0 {
        return Err(Errno::ETIMEDOUT);
    }
    match recv(sock.as_raw_fd(), &mut [0; 4096], MsgFlags::empty())? {
        0 => Ok(()),
        _ => Err(Errno::EPROTO),
    }
}

/// They will close some time.
fn waits_for_ever(sock: OwnedFd, _patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    while recv(sock.as_raw_fd(), &mut [0; 4096], MsgFlags::empty())? > 0 {}
    Ok(())
}

/// SO_RCVTIMEO begins anew with each recv.
fn patience_for_each_read(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    let limit = libc::timeval { tv_sec: patience.as_secs() as _, tv_usec: patience.subsec_micros() as _ };
    setsockopt(&sock, sockopt::ReceiveTimeout, &TimeVal::from(limit))?;
    loop {
        match recv(sock.as_raw_fd(), &mut [0; 4096], MsgFlags::empty()) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
            Err(errno) => return Err(errno),
        }
    }
}

/// `?` is not the only way out, and a raw number closes itself on none.
fn leaves_it_open(sock: OwnedFd, patience: Duration) -> Result<(), Errno> {
    shutdown(sock.as_raw_fd(), Shutdown::Write)?;
    let result = reads_to_the_end(&sock, patience);
    if result.is_err() {
        let _ = sock.into_raw_fd();
    }
    result
}
