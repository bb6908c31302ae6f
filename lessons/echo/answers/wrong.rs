//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::mem;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use grader::Wrong;
use lesson_echo::exercises as reference;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, SockFlag, accept4, recv, send, setsockopt, shutdown, sockopt};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // echo/echo-connection
    Wrong {
        exercise: "echo/echo-connection",
        name: "once",
        put: |page| page.echo_connection = once,
        rejected_by: "echoes_every_byte",
        says: "At byte 1 the client got ",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "the_whole_buffer",
        put: |page| page.echo_connection = the_whole_buffer,
        rejected_by: "echoes_every_byte",
        says: "At byte 1 the client got 0 instead of 135",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "as_text",
        put: |page| page.echo_connection = as_text,
        rejected_by: "echoes_every_byte",
        says: "At byte 0 the client got 239 instead of 128",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "until_the_end_and_then_back",
        put: |page| page.echo_connection = until_the_end_and_then_back,
        rejected_by: "echoes_before_the_end",
        says: "you wait for its end",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "fills_its_buffer_first",
        put: |page| page.echo_connection = fills_its_buffer_first,
        rejected_by: "echoes_before_the_end",
        says: "you wait for its end",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "leaves_when_the_client_has_finished",
        put: |page| page.echo_connection = leaves_when_the_client_has_finished,
        rejected_by: "half_closed_client_gets_the_rest",
        says: "of 40000 bytes back",
        also: &["a_vanished_client_is_an_errno"],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "one_send",
        put: |page| page.echo_connection = one_send,
        rejected_by: "survives_short_sends_and_signals",
        says: "bytes were lost when the kernel took less",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "a_signal_is_an_error",
        put: |page| page.echo_connection = a_signal_is_an_error,
        rejected_by: "survives_short_sends_and_signals",
        says: "recv said EINTR, which is only a signal, and you returned Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "write_and_sigpipe",
        put: |page| page.echo_connection = write_and_sigpipe,
        rejected_by: "survives",
        says: "SIGPIPE killed the program",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "a_reset_is_an_end",
        put: |page| page.echo_connection = a_reset_is_an_end,
        rejected_by: "a_vanished_client_is_an_errno",
        says: "you returned Ok(0)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "counts_the_calls",
        put: |page| page.echo_connection = counts_the_calls,
        rejected_by: "counts_the_bytes",
        says: "10000 bytes were echoed, and you counted Ok(",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "closes_what_was_lent",
        put: |page| page.echo_connection = closes_what_was_lent,
        rejected_by: "leaves_the_connection_open",
        says: "you closed it",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "echo/echo-connection",
        name: "says_goodbye_too",
        put: |page| page.echo_connection = says_goodbye_too,
        rejected_by: "leaves_the_connection_open",
        says: "you shut it down",
        also: &[],
    },
    // echo/echo-client
    Wrong {
        exercise: "echo/echo-client",
        name: "one_recv",
        put: |page| page.echo_client = one_recv,
        rejected_by: "gets_it_all_back",
        says: "of the 65536 bytes that the server sent came out",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "as_long_as_the_message",
        put: |page| page.echo_client = as_long_as_the_message,
        rejected_by: "gets_it_all_back",
        says: "5 of the 10 bytes that the server sent came out",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "reads_as_much_and_never_finishes",
        put: |page| page.echo_client = reads_as_much_and_never_finishes,
        rejected_by: "says_it_is_done",
        says: "The server waits for your end of file",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "shuts_both_ways",
        put: |page| page.echo_client = shuts_both_ways,
        rejected_by: "gets_it_all_back",
        says: "bytes that the server sent came out",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "closes_and_then_reads",
        put: |page| page.echo_client = closes_and_then_reads,
        rejected_by: "survives",
        says: "killed the program",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "nothing_to_do",
        put: |page| page.echo_client = nothing_to_do,
        rejected_by: "empty_message",
        says: "the server saw nobody come, and you returned Ok([])",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "no_server_no_answer",
        put: |page| page.echo_client = no_server_no_answer,
        rejected_by: "server_down",
        says: "you returned Ok([])",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "an_error_is_the_end",
        put: |page| page.echo_client = an_error_is_the_end,
        rejected_by: "server_dies_midway",
        says: "you returned Ok with 500 bytes",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "forgets_the_socket",
        put: |page| page.echo_client = forgets_the_socket,
        rejected_by: "closes",
        says: "still open when you have returned the answer",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "echo/echo-client",
        name: "closes_only_after_success",
        put: |page| page.echo_client = closes_only_after_success,
        rejected_by: "closes",
        says: "still open when you have returned the error",
        also: &["leaves_no_fd_behind"],
    },
    // echo/echo-server
    Wrong {
        exercise: "echo/echo-server",
        name: "one_recv_is_the_message",
        put: |page| page.echo_server = one_recv_is_the_message,
        rejected_by: "serves_all_in_turn",
        says: "Client 3 got 0 of 25 bytes",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "question_mark_on_the_client",
        put: |page| page.echo_server = question_mark_on_the_client,
        rejected_by: "no_client_can_kill_it",
        says: "After client 1 (who reset its connection)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "hurries_the_close",
        put: |page| page.echo_server = hurries_the_close,
        rejected_by: "big_answers_arrive",
        says: "of 40000 bytes, then ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "keeps_the_descriptors",
        put: |page| page.echo_server = keeps_the_descriptors,
        rejected_by: "one_descriptor_per_client",
        says: "EMFILE. Each connection must be closed",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "a_signal_ends_it",
        put: |page| page.echo_server = a_signal_ends_it,
        rejected_by: "signals_do_not_stop_it",
        says: "accept4 said EINTR",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "any_error_is_tried_again",
        put: |page| page.echo_server = any_error_is_tried_again,
        rejected_by: "a_broken_listener_does",
        says: "accept said EINVAL 20 times, and you returned Ok(1)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "a_broken_listener_is_no_error",
        put: |page| page.echo_server = a_broken_listener_is_no_error,
        rejected_by: "a_broken_listener_does",
        says: "accept said EINVAL once, and you returned Ok(0)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "counts_all",
        put: |page| page.echo_server = counts_all,
        rejected_by: "counts_the_orderly",
        says: "you returned Ok(3)",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-server",
        name: "waits_for_one_more",
        put: |page| page.echo_server = waits_for_one_more,
        rejected_by: "finishes_in_time",
        says: "it waited in accept4",
        also: &[],
    },
    // echo/echo-big
    Wrong {
        exercise: "echo/echo-big",
        name: "sends_all_and_then_reads",
        put: |page| page.echo_big = sends_all_and_then_reads,
        rejected_by: "no_deadlock",
        says: "both asleep in send",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "in_big_steps",
        put: |page| page.echo_big = in_big_steps,
        rejected_by: "no_deadlock",
        says: "both asleep in send",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "believes_that_all_was_taken",
        put: |page| page.echo_big = believes_that_all_was_taken,
        rejected_by: "identical",
        says: "bytes came back of 1048576, the first difference at",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "spins",
        put: |page| page.echo_big = spins,
        rejected_by: "waits_in_poll",
        says: "you were told EAGAIN",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "polls_without_waiting",
        put: |page| page.echo_big = polls_without_waiting,
        rejected_by: "waits_in_poll",
        says: "of your polls came back with nothing",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "always_asks_for_pollout",
        put: |page| page.echo_big = always_asks_for_pollout,
        rejected_by: "asks_for_pollout_only_while_sending",
        says: "POLLOUT is always true",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "finishes_each_time",
        put: |page| page.echo_big = finishes_each_time,
        rejected_by: "finishes_sending_once",
        says: "times",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "never_finishes",
        put: |page| page.echo_big = never_finishes,
        rejected_by: "finishes_in_time",
        says: "it waited in poll",
        also: &[],
    },
    Wrong {
        exercise: "echo/echo-big",
        name: "an_error_is_the_echo",
        put: |page| page.echo_big = an_error_is_the_echo,
        rejected_by: "server_dies_midway",
        says: "returned as Ok, with",
        also: &[],
    },
];

/// What comes next; 0 is the end.
fn next(socket: &impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(socket.as_fd().as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

/// Everything until the end.
fn read_all(socket: &impl AsFd) -> Result<Vec<u8>, Errno> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match next(socket, &mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

// echo/echo-connection

/// recv is called once.
fn once(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut buffer = [0; 4096];
    let count = next(&conn, &mut buffer)?;
    calls::send_all(&conn, &buffer[..count])?;
    Ok(count as u64)
}

/// It sends back what was in the buffer before, too.
fn the_whole_buffer(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match next(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => total += count as u64,
        }
        calls::send_all(&conn, &buffer)?;
    }
}

/// Not all bytes are text.
fn as_text(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match next(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => {
                calls::send_all(&conn, String::from_utf8_lossy(&buffer[..count]).as_bytes())?;
                total += count as u64;
            }
        }
    }
}

/// Nobody hears anything before he has finished.
fn until_the_end_and_then_back(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let all = read_all(&conn)?;
    calls::send_all(&conn, &all)?;
    Ok(all.len() as u64)
}

/// recv_exact waits for a full buffer.
fn fills_its_buffer_first(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 1024], 0);
    loop {
        match calls::recv_exact(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => {
                calls::send_all(&conn, &buffer[..count])?;
                total += count as u64;
            }
        }
    }
}

/// POLLRDHUP says that the client sends no more, not that everything was read.
fn leaves_when_the_client_has_finished(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 64], 0);
    loop {
        let mut asked = libc::pollfd { fd: conn.as_raw_fd(), events: libc::POLLIN | libc::POLLRDHUP, revents: 0 };
        // SAFETY: `asked` is one pollfd, and poll writes to nothing else.
        Errno::result(unsafe { libc::poll(&raw mut asked, 1, -1) })?;
        if asked.revents & libc::POLLRDHUP != 0 {
            return Ok(total);
        }
        match next(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => {
                calls::send_all(&conn, &buffer[..count])?;
                total += count as u64;
            }
        }
    }
}

/// What send does not take is lost.
fn one_send(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match next(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => loop {
                match send(conn.as_raw_fd(), &buffer[..count], MsgFlags::MSG_NOSIGNAL) {
                    Err(Errno::EINTR) => continue,
                    done => done?,
                };
                total += count as u64;
                break;
            },
        }
    }
}

/// EINTR is handed on.
fn a_signal_is_an_error(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match recv(conn.as_raw_fd(), &mut buffer, MsgFlags::empty())? {
            0 => return Ok(total),
            count => {
                calls::send_all(&conn, &buffer[..count])?;
                total += count as u64;
            }
        }
    }
}

/// write knows no MSG_NOSIGNAL.
fn write_and_sigpipe(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        let count = next(&conn, &mut buffer)?;
        if count == 0 {
            return Ok(total);
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match nix::unistd::write(conn, rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        total += count as u64;
    }
}

/// Whatever recv says, it is over.
fn a_reset_is_an_end(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match next(&conn, &mut buffer) {
            Ok(0) | Err(_) => return Ok(total),
            Ok(count) => {
                calls::send_all(&conn, &buffer[..count])?;
                total += count as u64;
            }
        }
    }
}

/// It counts how often something came.
fn counts_the_calls(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match next(&conn, &mut buffer)? {
            0 => return Ok(total),
            count => {
                calls::send_all(&conn, &buffer[..count])?;
                total += 1;
            }
        }
    }
}

/// An OwnedFd of a borrowed number.
fn closes_what_was_lent(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    // SAFETY: it is not; that is the mistake.
    let own = unsafe { OwnedFd::from_raw_fd(conn.as_raw_fd()) };
    reference::echo_connection(own.as_fd())
}

/// It ends the sending for its caller.
fn says_goodbye_too(conn: BorrowedFd<'_>) -> Result<u64, Errno> {
    let total = reference::echo_connection(conn)?;
    shutdown(conn.as_raw_fd(), Shutdown::Write)?;
    Ok(total)
}

// echo/echo-client

/// A message sent is not a message received.
fn one_recv(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    let mut answer = vec![0; 1 << 20];
    let count = next(&socket, &mut answer)?;
    answer.truncate(count);
    Ok(answer)
}

/// It knows how long an echo is.
fn as_long_as_the_message(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    let mut answer = vec![0; message.len()];
    let count = calls::recv_exact(&socket, &mut answer)?;
    answer.truncate(count);
    Ok(answer)
}

/// It does not say that it was all.
fn reads_as_much_and_never_finishes(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    let mut answer = vec![0; message.len()];
    let count = calls::recv_exact(&socket, &mut answer)?;
    answer.truncate(count);
    Ok(answer)
}

/// SHUT_RDWR is the end of its own reading, too.
fn shuts_both_ways(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Both)?;
    read_all(&socket)
}

/// close is more than "I have finished", and the descriptor is closed a second time when it is dropped.
fn closes_and_then_reads(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    nix::unistd::close(socket.as_raw_fd())?;
    read_all(&socket)
}

/// Without a message it does not even go there.
fn nothing_to_do(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    reference::echo_client(server, message)
}

/// Nobody there, and nobody is told.
fn no_server_no_answer(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    match reference::echo_client(server, message) {
        Err(Errno::ECONNREFUSED) => Ok(Vec::new()),
        done => done,
    }
}

/// Whatever recv says, it is over.
fn an_error_is_the_end(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    calls::send_all(&socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = next(&socket, &mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    Ok(answer)
}

/// A number that nobody closes.
fn forgets_the_socket(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = mem::ManuallyDrop::new(calls::connect_to(server)?);
    calls::send_all(&*socket, message)?;
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    read_all(&*socket)
}

/// The `?` goes past the close.
fn closes_only_after_success(server: SocketAddrV4, message: &[u8]) -> Result<Vec<u8>, Errno> {
    let number = calls::connect_to(server)?.into_raw_fd();
    // SAFETY: the descriptor is open until the close below.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    calls::send_all(&socket, message)?;
    shutdown(number, Shutdown::Write)?;
    let answer = read_all(&socket)?;
    nix::unistd::close(number)?;
    Ok(answer)
}

// echo/echo-server

/// The deck's server.
fn one_recv_is_the_message(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        orderly += usize::from(once_and_away(&calls::accept_one(&listener)?).is_ok());
    }
    Ok(orderly)
}

fn once_and_away(client: &OwnedFd) -> Result<(), Errno> {
    let mut buffer = vec![0; 64 << 10];
    let count = next(client, &mut buffer)?;
    calls::send_all(client, &buffer[..count])?;
    // It looks once more, to see whether the client is still there.
    match recv(client.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
        Err(Errno::ECONNRESET) => Err(Errno::ECONNRESET),
        _ => Ok(()),
    }
}

/// One client's error ends the service for all.
fn question_mark_on_the_client(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    for _ in 0..clients {
        let client = calls::accept_one(&listener)?;
        reference::echo_connection(client.as_fd())?;
    }
    Ok(clients)
}

/// A lingering of 0 seconds, "against TIME_WAIT", throws away what is still on its way.
fn hurries_the_close(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        let client = calls::accept_one(&listener)?;
        setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        orderly += usize::from(reference::echo_connection(client.as_fd()).is_ok());
    }
    Ok(orderly)
}

/// The number that accept4 returns closes nothing when it is dropped.
fn keeps_the_descriptors(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        let number = calls::accept_one(&listener)?.into_raw_fd();
        // SAFETY: nobody closes it, and that is the mistake.
        orderly += usize::from(reference::echo_connection(unsafe { BorrowedFd::borrow_raw(number) }).is_ok());
    }
    Ok(orderly)
}

/// EINTR from accept is taken for the listener's end.
fn a_signal_ends_it(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        let number = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
        // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
        let client = unsafe { OwnedFd::from_raw_fd(number) };
        orderly += usize::from(reference::echo_connection(client.as_fd()).is_ok());
    }
    Ok(orderly)
}

/// It goes on asking, whatever accept says.
fn any_error_is_tried_again(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let (mut orderly, mut served) = (0, 0);
    while served < clients {
        let Ok(client) = calls::accept_one(&listener) else { continue };
        orderly += usize::from(reference::echo_connection(client.as_fd()).is_ok());
        served += 1;
    }
    Ok(orderly)
}

/// The listener is broken, and nobody is told.
fn a_broken_listener_is_no_error(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut orderly = 0;
    for _ in 0..clients {
        let Ok(client) = calls::accept_one(&listener) else { break };
        orderly += usize::from(reference::echo_connection(client.as_fd()).is_ok());
    }
    Ok(orderly)
}

/// Those who vanished, too.
fn counts_all(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    reference::echo_server(listener, clients).map(|_| clients)
}

/// Only who ends in order is a client, so it waits for others, who may never come.
fn waits_for_one_more(listener: BorrowedFd<'_>, clients: usize) -> Result<usize, Errno> {
    let mut served = 0;
    while served < clients {
        let client = calls::accept_one(&listener)?;
        served += usize::from(reference::echo_connection(client.as_fd()).is_ok());
    }
    Ok(served)
}

// echo/echo-big

/// As in the second exercise.
fn sends_all_and_then_reads(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    reference::echo_client(server, data)
}

/// The steps are larger than the room on the way.
fn in_big_steps(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    let mut answer = vec![0; data.len()];
    let mut came = 0;
    for step in data.chunks(5 << 20) {
        calls::send_all(&socket, step)?;
        came += calls::recv_exact(&socket, &mut answer[came..came + step.len()])?;
    }
    shutdown(socket.as_raw_fd(), Shutdown::Write)?;
    answer.truncate(came);
    Ok(answer)
}

/// What is different in the loops below, which are all the same otherwise.
#[derive(Clone, Copy)]
struct Loop {
    /// How long poll waits; without any, poll is not called.
    waits: Option<PollTimeout>,
    /// What send says is believed.
    believes: bool,
    always_pollout: bool,
    finishes: Finishes,
    /// An error is taken for the end.
    error_is_end: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Finishes {
    Once,
    EachTime,
    Never,
}

const RIGHT: Loop = Loop {
    waits: Some(PollTimeout::NONE),
    believes: true,
    always_pollout: false,
    finishes: Finishes::Once,
    error_is_end: false,
};

fn both_ways(server: SocketAddrV4, data: &[u8], how: Loop) -> Result<Vec<u8>, Errno> {
    let socket = calls::connect_to(server)?;
    let (mut rest, mut finished) = (data, false);
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let mut ready = PollFlags::POLLIN | PollFlags::POLLOUT;
        if let Some(timeout) = how.waits {
            let out = how.always_pollout || !rest.is_empty();
            let wanted = if out { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
            let mut asked = [PollFd::new(socket.as_fd(), wanted)];
            poll(&mut asked, timeout)?;
            ready = asked[0].revents().unwrap_or(PollFlags::empty());
        }
        let mut moved = Ok(());
        if !rest.is_empty() && ready.contains(PollFlags::POLLOUT) {
            match send(socket.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT) {
                Ok(count) => rest = if how.believes { &rest[count..] } else { &[] },
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => moved = Err(errno),
            }
        }
        if rest.is_empty() && how.finishes != Finishes::Never && !(how.finishes == Finishes::Once && finished) {
            // ENOTCONN: the server has gone already.
            let _ = shutdown(socket.as_raw_fd(), Shutdown::Write);
            finished = true;
        }
        if moved.is_ok() && ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => moved = Err(errno),
            }
        }
        match moved {
            Ok(()) => {}
            Err(_) if how.error_is_end => return Ok(answer),
            Err(errno) => return Err(errno),
        }
    }
}

/// A send that does not wait takes what there is room for.
fn believes_that_all_was_taken(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { believes: false, ..RIGHT })
}

/// It asks, and asks, and asks.
fn spins(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { waits: None, ..RIGHT })
}

/// poll is called, and does not wait.
fn polls_without_waiting(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { waits: Some(PollTimeout::ZERO), ..RIGHT })
}

/// POLLOUT, although there is nothing left to send.
fn always_asks_for_pollout(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { always_pollout: true, ..RIGHT })
}

/// It says goodbye in each round.
fn finishes_each_time(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { finishes: Finishes::EachTime, ..RIGHT })
}

/// It never says that it was all, and reads until an end that does not come.
fn never_finishes(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { finishes: Finishes::Never, ..RIGHT })
}

/// Whatever send or recv says, it is over.
fn an_error_is_the_echo(server: SocketAddrV4, data: &[u8]) -> Result<Vec<u8>, Errno> {
    both_ways(server, data, Loop { error_is_end: true, ..RIGHT })
}
