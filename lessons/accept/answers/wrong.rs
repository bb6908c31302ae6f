//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process;
use std::thread;
use std::time::Duration;

use grader::Wrong;
use lesson_accept::exercises as reference;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{MsgFlags, SockFlag, SockaddrIn, accept, accept4, getpeername, getsockname, send};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // accept/accept-one
    Wrong {
        exercise: "accept/accept-one",
        name: "own_name_for_the_clients",
        put: |page| page.accept_one = own_name_for_the_clients,
        rejected_by: "peer_address_is_the_clients",
        says: "Did you ask the socket for its *own* name?",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "port_as_it_comes",
        put: |page| page.accept_one = port_as_it_comes,
        rejected_by: "peer_address_is_the_clients",
        says: "the two bytes are the other way round",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "plain_accept",
        put: |page| page.accept_one = plain_accept,
        rejected_by: "connection_is_cloexec",
        says: "would leak into every program that you exec",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "flag_afterwards",
        put: |page| page.accept_one = flag_afterwards,
        rejected_by: "connection_is_cloexec",
        says: "The flag was set afterwards",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "a_signal_is_a_failure",
        put: |page| page.accept_one = a_signal_is_a_failure,
        rejected_by: "interrupted_is_retried",
        says: "your server stopped serving: Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "two_signals_are_enough",
        put: |page| page.accept_one = two_signals_are_enough,
        rejected_by: "interrupted_is_retried",
        says: "your server stopped serving: Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "only_signals_are_retried",
        put: |page| page.accept_one = only_signals_are_retried,
        rejected_by: "aborted_is_retried",
        says: "you answered Err(ECONNABORTED)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "goes_on_whatever_happens",
        put: |page| page.accept_one = goes_on_whatever_happens,
        rejected_by: "other_errors_come_out",
        says: "accept said EMFILE, 3 times, and you kept asking",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "one_errno_for_all",
        put: |page| page.accept_one = one_errno_for_all,
        rejected_by: "other_errors_come_out",
        says: "accept said EMFILE, once, and you said Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "asks_for_the_address_afterwards",
        put: |page| page.accept_one = asks_for_the_address_afterwards,
        rejected_by: "client_already_gone_has_an_address",
        says: "and you answered Err(ENOTCONN)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-one",
        name: "takes_the_listener_for_its_own",
        put: |page| page.accept_one = takes_the_listener_for_its_own,
        rejected_by: "listener_survives",
        says: "The listener is closed",
        also: &["leaves_no_fd_behind"],
    },
    // accept/serve-each
    Wrong {
        exercise: "accept/serve-each",
        name: "sends_to_the_listener",
        put: |page| page.serve_each = sends_to_the_listener,
        rejected_by: "every_client_gets_reply_then_eof",
        says: "Client 1 got the end of file and no reply",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "never_closes",
        put: |page| page.serve_each = never_closes,
        rejected_by: "every_client_gets_reply_then_eof",
        says: "its connection is still open in your process (descriptor",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "sends_a_part",
        put: |page| page.serve_each = sends_a_part,
        rejected_by: "every_client_gets_reply_then_eof",
        says: "Client 1 got \"good\"",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "last_come_first_served",
        put: |page| page.serve_each = last_come_first_served,
        rejected_by: "in_the_order_they_came",
        says: "Client 3 was served before client 1",
        also: &["at_most_one_open"],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "an_error_ends_the_service",
        put: |page| page.serve_each = an_error_ends_the_service,
        rejected_by: "a_vanished_client_costs_nothing",
        says: "Client 2 had gone, and client 3 got ",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "without_nosignal",
        put: |page| page.serve_each = without_nosignal,
        rejected_by: "survives",
        says: "SIGPIPE killed the program",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "counts_the_accepted",
        put: |page| page.serve_each = counts_the_accepted,
        rejected_by: "counts_the_served",
        says: "3 clients got the reply; you said Ok(4)",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "collects_then_serves",
        put: |page| page.serve_each = collects_then_serves,
        rejected_by: "at_most_one_open",
        says: "3 connections were open at once",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "one_more",
        put: |page| page.serve_each = one_more,
        rejected_by: "stops_after_n",
        says: "You were asked to accept 2, and accepted 3",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-each",
        name: "until_n_are_served",
        put: |page| page.serve_each = until_n_are_served,
        rejected_by: "stops_after_n",
        says: "You were asked to accept 3, and accepted 4",
        also: &[],
    },
    // accept/serve-forking
    Wrong {
        exercise: "accept/serve-forking",
        name: "waits_right_after_fork",
        put: |page| page.serve_forking = waits_right_after_fork,
        rejected_by: "a_slow_client_delays_nobody",
        says: "it was in the queue, and your server slept until client 1 spoke",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "serves_by_itself",
        put: |page| page.serve_forking = serves_by_itself,
        rejected_by: "a_slow_client_delays_nobody",
        says: "Client 2 waited for client 1",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "parent_keeps_the_connections",
        put: |page| page.serve_forking = parent_keeps_the_connections,
        rejected_by: "parent_lets_go",
        says: "the *parent's* copy of descriptor 4 keeps the connection open",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "child_keeps_the_listener",
        put: |page| page.serve_forking = child_keeps_the_listener,
        rejected_by: "children_let_go_of_the_listener",
        says: "A child still has the listening socket (descriptor 3)",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "never_asks",
        put: |page| page.serve_forking = never_asks,
        rejected_by: "no_zombies",
        says: "children were zombies when the server served client",
        also: &["survives"],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "asks_only_at_the_end",
        put: |page| page.serve_forking = asks_only_at_the_end,
        rejected_by: "no_zombies",
        says: "2 children were zombies when the server served client 3",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "child_falls_through",
        put: |page| page.serve_forking = child_falls_through,
        rejected_by: "a_child_never_comes_back",
        says: "Your function returned in 2 processes",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "a_signal_ends_it",
        put: |page| page.serve_forking = a_signal_ends_it,
        rejected_by: "interrupted_accept_is_retried",
        says: "you took it for a failure: Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "accept/serve-forking",
        name: "leaves_with_exit",
        put: |page| page.serve_forking = leaves_with_exit,
        rejected_by: "output_is_not_doubled",
        says: "appeared 2 times",
        also: &[],
    },
    // accept/accept-with-spare
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "passes_emfile_up",
        put: |page| page.accept_with_spare = passes_emfile_up,
        rejected_by: "full_client_is_told",
        says: "the client just waits; you returned Err(EMFILE)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "raises_the_limit",
        put: |page| page.accept_with_spare = raises_the_limit,
        rejected_by: "full_client_is_told",
        says: "the client just waits; you returned Err(EMFILE)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "reopens_too_early",
        put: |page| page.accept_with_spare = reopens_too_early,
        rejected_by: "full_client_is_told",
        says: "the client just waits; you returned Err(EMFILE)",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "sleeps_and_asks_again",
        put: |page| page.accept_with_spare = sleeps_and_asks_again,
        rejected_by: "never_spins",
        says: "11 accepts in one call",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "forgets_the_spare",
        put: |page| page.accept_with_spare = forgets_the_spare,
        rejected_by: "spare_is_back",
        says: "After overload number 1 there was no spare any more",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "closes_the_number_only",
        put: |page| page.accept_with_spare = closes_the_number_only,
        rejected_by: "spare_is_back",
        says: "After overload number 1 the spare was a number that is not open",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "turns_everybody_away",
        put: |page| page.accept_with_spare = turns_everybody_away,
        rejected_by: "normal_accept",
        says: "A descriptor was free, and you turned the client away",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "loses_it_for_nobody",
        put: |page| page.accept_with_spare = loses_it_for_nobody,
        rejected_by: "full_and_nobody_waiting",
        says: "and when nobody came, you did not take it back",
        also: &[],
    },
    Wrong {
        exercise: "accept/accept-with-spare",
        name: "nobody_is_somebody",
        put: |page| page.accept_with_spare = nobody_is_somebody,
        rejected_by: "full_and_nobody_waiting",
        says: "and you returned Ok(None)",
        also: &[],
    },
];

/// accept4 as the kernel has it: the connection, and the address as it comes.
fn raw_accept(listener: BorrowedFd<'_>, flags: i32) -> Result<(OwnedFd, libc::sockaddr_in), Errno> {
    // SAFETY: a sockaddr_in is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&address) as libc::socklen_t;
    let to = (&raw mut address).cast();
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    let number = Errno::result(unsafe { libc::accept4(listener.as_raw_fd(), to, &raw mut length, flags) })?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    Ok((unsafe { OwnedFd::from_raw_fd(number) }, address))
}

fn readable(address: libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()), u16::from_be(address.sin_port))
}

/// raw_accept, again after a signal and after a client that gave up.
fn patient(listener: BorrowedFd<'_>, flags: i32) -> Result<(OwnedFd, libc::sockaddr_in), Errno> {
    loop {
        match raw_accept(listener, flags) {
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            answer => return answer,
        }
    }
}

// getsockname tells the name of this end.
fn own_name_for_the_clients(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, _) = patient(listener, libc::SOCK_CLOEXEC)?;
    let name: SockaddrIn = getsockname(connection.as_raw_fd())?;
    Ok((connection, SocketAddrV4::new(name.ip(), name.port())))
}

// The port is in network order.
fn port_as_it_comes(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, address) = patient(listener, libc::SOCK_CLOEXEC)?;
    Ok((connection, SocketAddrV4::new(*readable(address).ip(), address.sin_port)))
}

// No flag.
fn plain_accept(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, address) = patient(listener, 0)?;
    Ok((connection, readable(address)))
}

// The flag, a moment too late.
fn flag_afterwards(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, address) = patient(listener, 0)?;
    fcntl(&connection, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok((connection, readable(address)))
}

// EINTR comes out.
fn a_signal_is_a_failure(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    loop {
        match raw_accept(listener, libc::SOCK_CLOEXEC) {
            Ok((connection, address)) => return Ok((connection, readable(address))),
            Err(Errno::ECONNABORTED) => {}
            Err(errno) => return Err(errno),
        }
    }
}

// Once is not enough.
fn two_signals_are_enough(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, address) = match raw_accept(listener, libc::SOCK_CLOEXEC) {
        Err(Errno::EINTR | Errno::ECONNABORTED) => raw_accept(listener, libc::SOCK_CLOEXEC)?,
        answer => answer?,
    };
    Ok((connection, readable(address)))
}

// ECONNABORTED comes out.
fn only_signals_are_retried(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    loop {
        match raw_accept(listener, libc::SOCK_CLOEXEC) {
            Ok((connection, address)) => return Ok((connection, readable(address))),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

// Errors that stay are asked for ever.
fn goes_on_whatever_happens(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    loop {
        if let Ok((connection, address)) = raw_accept(listener, libc::SOCK_CLOEXEC) {
            return Ok((connection, readable(address)));
        }
    }
}

// The errno is another one.
fn one_errno_for_all(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, address) = patient(listener, libc::SOCK_CLOEXEC).map_err(|_| Errno::EINVAL)?;
    Ok((connection, readable(address)))
}

// A connection that was reset has no peer any more.
fn asks_for_the_address_afterwards(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    let (connection, _) = patient(listener, libc::SOCK_CLOEXEC)?;
    let peer: SockaddrIn = getpeername(connection.as_raw_fd())?;
    Ok((connection, SocketAddrV4::new(peer.ip(), peer.port())))
}

// The listener is closed at the end.
fn takes_the_listener_for_its_own(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddrV4), Errno> {
    // SAFETY: none, and that is the mistake: the listener belongs to the caller.
    let listener = unsafe { OwnedFd::from_raw_fd(listener.as_raw_fd()) };
    reference::accept_one(listener.as_fd())
}

// The wrong descriptor.
fn sends_to_the_listener(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    for _ in 0..n {
        let _client = reference::accept_one(listener)?;
        served += usize::from(send(listener.as_raw_fd(), reply, MsgFlags::MSG_NOSIGNAL).is_ok());
    }
    Ok(served)
}

// A RawFd that nobody owns.
fn never_closes(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    for _ in 0..n {
        let client = accept(listener.as_raw_fd())?;
        served += usize::from(send(client, reply, MsgFlags::MSG_NOSIGNAL).is_ok());
    }
    Ok(served)
}

// Not all of it.
fn sends_a_part(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    reference::serve_each(listener, n, reply.split(|byte| *byte == b' ').next().unwrap_or(reply))
}

// A stack.
fn last_come_first_served(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut clients = Vec::new();
    for _ in 0..n {
        clients.push(reference::accept_one(listener)?.0);
    }
    let mut served = 0;
    while let Some(client) = clients.pop() {
        served += usize::from(calls::send_all(&client, reply).is_ok());
    }
    Ok(served)
}

// One client's trouble is everybody's.
fn an_error_ends_the_service(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    for _ in 0..n {
        let (client, _) = reference::accept_one(listener)?;
        calls::send_all(&client, reply)?;
    }
    Ok(n)
}

// write raises SIGPIPE.
fn without_nosignal(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    for _ in 0..n {
        let (client, _) = reference::accept_one(listener)?;
        served += usize::from(nix::unistd::write(&client, reply) == Ok(reply.len()));
    }
    Ok(served)
}

// How many knocked.
fn counts_the_accepted(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    reference::serve_each(listener, n, reply).map(|_| n)
}

// All of them are open at the same time.
fn collects_then_serves(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let clients: Result<Vec<_>, Errno> = (0..n).map(|_| reference::accept_one(listener)).collect();
    Ok(clients?.into_iter().filter(|(client, _)| calls::send_all(client, reply).is_ok()).count())
}

// n is not the last one.
fn one_more(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    for _ in 0..=n {
        let (client, _) = reference::accept_one(listener)?;
        served += usize::from(calls::send_all(&client, reply).is_ok());
    }
    Ok(served)
}

// Those who have gone do not count.
fn until_n_are_served(listener: BorrowedFd<'_>, n: usize, reply: &[u8]) -> Result<usize, Errno> {
    let mut served = 0;
    while served < n {
        let (client, _) = reference::accept_one(listener)?;
        served += usize::from(calls::send_all(&client, reply).is_ok());
    }
    Ok(served)
}

/// What a child does: it lets go of the listener, serves its client and ends.
fn in_the_child(listener: BorrowedFd<'_>, connection: &OwnedFd, handler: fn(BorrowedFd<'_>)) -> ! {
    // SAFETY: in this process nobody uses the listener any more.
    unsafe { libc::close(listener.as_raw_fd()) };
    handler(connection.as_fd());
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(0) }
}

/// Is this the child? SAFETY of the fork: this program waits for its children's end and touches nothing of theirs.
fn forked() -> Result<bool, Errno> {
    // SAFETY: as above.
    Ok(matches!(unsafe { fork() }?, ForkResult::Child))
}

fn wait_for_those_that_have_ended() {
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
}

fn wait_for_all() {
    while !matches!(waitpid(None, None), Err(Errno::ECHILD)) {}
}

// A server of one client at a time, with more processes.
fn waits_right_after_fork(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        if forked()? {
            in_the_child(listener, &connection, handler);
        }
        drop(connection);
        while waitpid(None, None) == Err(Errno::EINTR) {}
    }
    Ok(())
}

// No fork at all.
fn serves_by_itself(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        handler(connection.as_fd());
    }
    Ok(())
}

// All connections are kept until the end.
fn parent_keeps_the_connections(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    let mut connections = Vec::new();
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        wait_for_those_that_have_ended();
        if forked()? {
            in_the_child(listener, &connection, handler);
        }
        connections.push(connection);
    }
    wait_for_all();
    Ok(())
}

// The child has the listener.
fn child_keeps_the_listener(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        wait_for_those_that_have_ended();
        if forked()? {
            handler(connection.as_fd());
            // SAFETY: _exit takes a number and does not return.
            unsafe { libc::_exit(0) }
        }
    }
    wait_for_all();
    Ok(())
}

// No waitpid.
fn never_asks(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        if forked()? {
            in_the_child(listener, &connection, handler);
        }
    }
    Ok(())
}

// waitpid, when all is over.
fn asks_only_at_the_end(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    never_asks(listener, n, handler)?;
    wait_for_all();
    Ok(())
}

// The child goes on as if it were the parent.
fn child_falls_through(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        if forked()? {
            handler(connection.as_fd());
        }
    }
    wait_for_all();
    Ok(())
}

// EINTR comes out.
fn a_signal_ends_it(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let number = match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Ok(number) => number,
            Err(errno) => {
                wait_for_all();
                return Err(errno);
            }
        };
        // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
        let connection = unsafe { OwnedFd::from_raw_fd(number) };
        wait_for_those_that_have_ended();
        if forked()? {
            in_the_child(listener, &connection, handler);
        }
    }
    wait_for_all();
    Ok(())
}

// exit writes out what the parent had printed.
fn leaves_with_exit(listener: BorrowedFd<'_>, n: usize, handler: fn(BorrowedFd<'_>)) -> Result<(), Errno> {
    for _ in 0..n {
        let (connection, _) = reference::accept_one(listener)?;
        wait_for_those_that_have_ended();
        if forked()? {
            // SAFETY: in this process nobody uses the listener any more.
            unsafe { libc::close(listener.as_raw_fd()) };
            handler(connection.as_fd());
            process::exit(0);
        }
    }
    wait_for_all();
    Ok(())
}

/// A client, or an errno, at once.
fn at_once(listener: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    raw_accept(listener, libc::SOCK_CLOEXEC).map(|(connection, _)| connection)
}

fn null() -> Result<OwnedFd, Errno> {
    File::open("/dev/null").map(OwnedFd::from).map_err(|_| Errno::last())
}

// The caller may see to it.
fn passes_emfile_up(listener: BorrowedFd<'_>, _: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    at_once(listener).map(Some)
}

// The hard limit is where the soft one is.
fn raises_the_limit(listener: BorrowedFd<'_>, _: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: `limit` is an rlimit that lives through both calls.
            unsafe {
                libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
                limit.rlim_cur *= 2;
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            }
            at_once(listener).map(Some)
        }
        answer => answer.map(Some),
    }
}

// The spare's number is taken by the new spare.
fn reopens_too_early(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            drop(spare.take());
            *spare = Some(null()?);
            at_once(listener).map(|_| None)
        }
        answer => answer.map(Some),
    }
}

// Time does not make a descriptor.
fn sleeps_and_asks_again(listener: BorrowedFd<'_>, _: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    loop {
        match at_once(listener) {
            Err(Errno::EMFILE) => thread::sleep(Duration::from_millis(1)),
            answer => return answer.map(Some),
        }
    }
}

// The next time there is none.
fn forgets_the_spare(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            drop(spare.take());
            at_once(listener).map(|_| None)
        }
        answer => answer.map(Some),
    }
}

// The Option still has the number, and nothing is behind it.
fn closes_the_number_only(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            let number = spare.take().map_or(-1, IntoRawFd::into_raw_fd);
            // SAFETY: the number was the spare's, which has just given it away.
            unsafe { libc::close(number) };
            let answer = at_once(listener).map(|_| None);
            // SAFETY: none, and that is the mistake: the number is not open.
            *spare = Some(unsafe { OwnedFd::from_raw_fd(number) });
            answer
        }
        answer => answer.map(Some),
    }
}

// The trick, whether it is needed or not.
fn turns_everybody_away(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    drop(spare.take());
    let answer = at_once(listener).map(drop);
    *spare = Some(null()?);
    answer.map(|()| None)
}

// The question mark is too early.
fn loses_it_for_nobody(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            drop(spare.take());
            drop(at_once(listener)?);
            *spare = Some(null()?);
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

// EMFILE is taken for somebody who waits.
fn nobody_is_somebody(listener: BorrowedFd<'_>, spare: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    match at_once(listener) {
        Err(Errno::EMFILE) => {
            drop(spare.take());
            drop(at_once(listener));
            *spare = Some(null()?);
            Ok(None)
        }
        answer => answer.map(Some),
    }
}
