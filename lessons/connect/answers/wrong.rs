//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use grader::Wrong;
use lesson_connect::exercises as reference;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, getpeername, getsockname,
    getsockopt, recv, send, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // connect/connect-to
    Wrong {
        exercise: "connect/connect-to",
        name: "eintr_out",
        put: |page| page.connect_to = eintr_out,
        rejected_by: "interrupted_connect_completes",
        says: "and you returned Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "eintr_is_success",
        put: |page| page.connect_to = eintr_is_success,
        rejected_by: "interrupted_connect_completes",
        says: "a socket that was not connected yet",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "believes_poll",
        put: |page| page.connect_to = believes_poll,
        rejected_by: "interrupted_connect_completes",
        says: "it ended with ECONNREFUSED; you returned Ok(",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "port_not_swapped",
        put: |page| page.connect_to = port_not_swapped,
        rejected_by: "is_connected_there",
        says: "the same two bytes the other way round",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "leaves_the_socket_open",
        put: |page| page.connect_to = leaves_the_socket_open,
        rejected_by: "refused_is_reported_and_closed",
        says: "You returned Err(ECONNREFUSED), and left descriptor 3 open",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "says_that_it_timed_out",
        put: |page| page.connect_to = says_that_it_timed_out,
        rejected_by: "refused_is_reported_and_closed",
        says: "You returned Err(ETIMEDOUT), and left nothing open",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "begins_anew_after_a_signal",
        put: |page| page.connect_to = begins_anew_after_a_signal,
        rejected_by: "one_attempt_one_connection",
        says: "You opened 3 sockets",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "binds_first",
        put: |page| page.connect_to = binds_first,
        rejected_by: "no_bind",
        says: "You called bind(",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-to",
        name: "tries_again",
        put: |page| page.connect_to = tries_again,
        rejected_by: "tries_once",
        says: "You asked 3 times",
        also: &[],
    },
    // connect/connect-first
    Wrong {
        exercise: "connect/connect-first",
        name: "one_socket_for_all",
        put: |page| page.connect_first = one_socket_for_all,
        rejected_by: "family_fits_each_address",
        says: "was tried on a socket of IPv4: the kernel says EAFNOSUPPORT",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "the_first_error_ends_it",
        put: |page| page.connect_first = the_first_error_ends_it,
        rejected_by: "falls_through",
        says: "1 of 3 addresses were tried",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "no_socket_no_client",
        put: |page| page.connect_first = no_socket_no_client,
        rejected_by: "falls_through",
        says: "socket said EAFNOSUPPORT, and you gave up; 0 of 3 addresses were tried",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "remembers_the_first_error",
        put: |page| page.connect_first = remembers_the_first_error,
        rejected_by: "last_error_comes_out",
        says: "The last reason was ENETUNREACH; you said Err(ECONNREFUSED)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "keeps_the_failed_sockets",
        put: |page| page.connect_first = keeps_the_failed_sockets,
        rejected_by: "failed_sockets_are_closed",
        says: "ran out of descriptors",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "forgets_the_failed_sockets",
        put: |page| page.connect_first = forgets_the_failed_sockets,
        rejected_by: "failed_sockets_are_closed",
        says: "ran out of descriptors",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "an_empty_list_panics",
        put: |page| page.connect_first = an_empty_list_panics,
        rejected_by: "survives",
        says: "panicked",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "nobody_is_refused",
        put: |page| page.connect_first = nobody_is_refused,
        rejected_by: "empty_list_is_einval",
        says: "you said Err(ECONNREFUSED)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-first",
        name: "connects_to_all",
        put: |page| page.connect_first = connects_to_all,
        rejected_by: "stops_at_the_first_success",
        says: "Server 2 got a connection, although server 1 had answered",
        also: &[],
    },
    // connect/connect-timeout
    Wrong {
        exercise: "connect/connect-timeout",
        name: "limit_for_sending",
        put: |page| page.connect_timeout = limit_for_sending,
        rejected_by: "silence_is_etimedout_on_time",
        says: "you said Err(EINPROGRESS)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "limit_for_receiving",
        put: |page| page.connect_timeout = limit_for_receiving,
        rejected_by: "silence_is_etimedout_on_time",
        says: "were still waiting in connect(",
        also: &["finishes_in_time"],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "writable_is_connected",
        put: |page| page.connect_timeout = writable_is_connected,
        rejected_by: "refused_is_not_a_timeout",
        says: "you returned Ok(",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "every_failure_is_a_timeout",
        put: |page| page.connect_timeout = every_failure_is_a_timeout,
        rejected_by: "refused_is_not_a_timeout",
        says: "you returned Err(ETIMEDOUT)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "stays_nonblocking",
        put: |page| page.connect_timeout = stays_nonblocking,
        rejected_by: "returned_socket_blocks",
        says: "still non-blocking",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "a_signal_starts_it_anew",
        put: |page| page.connect_timeout = a_signal_starts_it_anew,
        rejected_by: "signals_do_not_stretch_it",
        says: "you said Err(ETIMEDOUT)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "a_signal_ends_it",
        put: |page| page.connect_timeout = a_signal_ends_it,
        rejected_by: "signals_do_not_stretch_it",
        says: "you said Err(EINTR)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "cuts_the_milliseconds",
        put: |page| page.connect_timeout = cuts_the_milliseconds,
        rejected_by: "a_very_short_limit",
        says: "nobody answered, and you gave up",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "sleeps_for_the_limit",
        put: |page| page.connect_timeout = sleeps_for_the_limit,
        rejected_by: "connects_quickly",
        says: "The server was there, the limit was 700 ms",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-timeout",
        name: "forgets_the_socket",
        put: |page| page.connect_timeout = forgets_the_socket,
        rejected_by: "leaves_no_fd_behind",
        says: "descriptor",
        also: &[],
    },
    // connect/local-address-for
    Wrong {
        exercise: "connect/local-address-for",
        name: "connects_with_tcp",
        put: |page| page.local_address_for = connects_with_tcp,
        rejected_by: "answers_for_a_dead_port",
        says: "you failed with Err(ECONNREFUSED)",
        also: &["nothing_is_sent"],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "asks_an_unconnected_socket",
        put: |page| page.local_address_for = asks_an_unconnected_socket,
        rejected_by: "is_not_the_wildcard",
        says: "was not asked to go anywhere",
        also: &[],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "sends_a_byte",
        put: |page| page.local_address_for = sends_a_byte,
        rejected_by: "nothing_is_sent",
        says: "sendto(",
        also: &[],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "it_is_always_127_0_0_1",
        put: |page| page.local_address_for = it_is_always_127_0_0_1,
        rejected_by: "errors_come_out",
        says: "you answered Ok(127.0.0.1)",
        also: &[],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "any_failure_is_127_0_0_1",
        put: |page| page.local_address_for = any_failure_is_127_0_0_1,
        rejected_by: "errors_come_out",
        says: "you answered Ok(127.0.0.1)",
        also: &[],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "binds_to_the_wildcard",
        put: |page| page.local_address_for = binds_to_the_wildcard,
        rejected_by: "stays_on_loopback",
        says: "0.0.0.0",
        also: &[],
    },
    Wrong {
        exercise: "connect/local-address-for",
        name: "says_where_the_peer_is",
        put: |page| page.local_address_for = says_where_the_peer_is,
        rejected_by: "it_is_the_kernels_choice",
        says: "To talk to 127.9.9.9",
        also: &[],
    },
    // connect/connect-checked
    Wrong {
        exercise: "connect/connect-checked",
        name: "does_not_look",
        put: |page| page.connect_checked = does_not_look,
        rejected_by: "talking_to_yourself_is_refused",
        says: "You said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "another_errno",
        put: |page| page.connect_checked = another_errno,
        rejected_by: "talking_to_yourself_is_refused",
        says: "You said Err(EADDRINUSE)",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "looks_at_the_ports",
        put: |page| page.connect_checked = looks_at_the_ports,
        rejected_by: "same_port_other_address_is_fine",
        says: "the same port, but another address",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "leaves_it_open",
        put: |page| page.connect_checked = leaves_it_open,
        rejected_by: "the_selfie_is_closed",
        says: "the real server cannot start",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "no_bound_sockets",
        put: |page| page.connect_checked = no_bound_sockets,
        rejected_by: "a_real_server_is_fine",
        says: "you said EINVAL for a bound socket",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "sends_to_find_out",
        put: |page| page.connect_checked = sends_to_find_out,
        rejected_by: "a_real_server_is_fine",
        says: "you sent it something: sendto(",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "a_refusal_panics",
        put: |page| page.connect_checked = a_refusal_panics,
        rejected_by: "survives",
        says: "panicked",
        also: &[],
    },
    Wrong {
        exercise: "connect/connect-checked",
        name: "whatever_it_was_it_is_refused",
        put: |page| page.connect_checked = whatever_it_was_it_is_refused,
        rejected_by: "errno_is_unchanged",
        says: "The kernel said ENETUNREACH; you said Err(ECONNREFUSED)",
        also: &[],
    },
];

/// connect, with its errno.
fn to(socket: &OwnedFd, addr: SocketAddrV4) -> Result<(), Errno> {
    connect(socket.as_raw_fd(), &SockaddrIn::from(addr))
}

/// connect, and connect again whenever a signal interrupts it: on Linux this is right.
fn to_the_end(socket: &OwnedFd, addr: SocketAddrV4) -> Result<(), Errno> {
    loop {
        match to(socket, addr) {
            Err(Errno::EINTR) => {}
            answer => return answer,
        }
    }
}

/// An errno is an errno.
fn eintr_out(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    to(&socket, addr)?;
    Ok(socket)
}

/// The attempt goes on, so all is well.
fn eintr_is_success(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    match to(&socket, addr) {
        Ok(()) | Err(Errno::EINTR) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Waits rightly, and does not ask how it ended.
fn believes_poll(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    match to(&socket, addr) {
        Err(Errno::EINTR) => {
            let mut question = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            while poll(&mut question, PollTimeout::NONE) == Err(Errno::EINTR) {}
        }
        answer => answer?,
    }
    Ok(socket)
}

/// The port's two bytes in the machine's order.
fn port_not_swapped(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    reference::connect_to(SocketAddrV4::new(*addr.ip(), addr.port().swap_bytes()))
}

/// A raw number that nobody closes when connect fails.
fn leaves_the_socket_open(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    match to_the_end(&socket, addr) {
        Ok(()) => Ok(socket),
        Err(errno) => {
            let _ = socket.into_raw_fd();
            Err(errno)
        }
    }
}

/// Nobody is there, so nobody answered.
fn says_that_it_timed_out(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    reference::connect_to(addr).map_err(|_| Errno::ETIMEDOUT)
}

/// The first attempt is still under way.
fn begins_anew_after_a_signal(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    loop {
        let socket = calls::open_tcp()?;
        match to(&socket, addr) {
            Ok(()) => return Ok(socket),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Every socket needs a name.
fn binds_first(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    to_the_end(&socket, addr)?;
    Ok(socket)
}

/// The server may come yet.
fn tries_again(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    for _ in 1..=2 {
        match to_the_end(&socket, addr) {
            Err(Errno::ECONNREFUSED) => thread::sleep(Duration::from_millis(5)),
            answer => return answer.map(|()| socket),
        }
    }
    to_the_end(&socket, addr)?;
    Ok(socket)
}

/// A socket of the right family.
fn socket_for(addr: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// connect, for an address of any family.
fn to_any(socket: &OwnedFd, addr: SocketAddr) -> Result<(), Errno> {
    connect(socket.as_raw_fd(), &SockaddrStorage::from(addr))
}

/// A socket for this address that is connected to it.
fn connected(addr: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = socket_for(addr)?;
    to_any(&socket, addr)?;
    Ok(socket)
}

/// A refused socket works again on Linux. Not for another family.
fn one_socket_for_all(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    let mut last = Errno::EINVAL;
    for addr in addrs {
        match to_any(&socket, *addr) {
            Ok(()) => return Ok(socket),
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// The first one's errno is everybody's.
fn the_first_error_ends_it(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    match addrs.first() {
        Some(addr) => connected(*addr),
        None => Err(Errno::EINVAL),
    }
}

/// connect may fail, socket may not.
fn no_socket_no_client(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut last = Errno::EINVAL;
    for addr in addrs {
        let socket = socket_for(*addr)?;
        match to_any(&socket, *addr) {
            Ok(()) => return Ok(socket),
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// The first reason must be the real one.
fn remembers_the_first_error(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut first = None;
    for addr in addrs {
        match connected(*addr) {
            Ok(socket) => return Ok(socket),
            Err(errno) => _ = first.get_or_insert(errno),
        }
    }
    Err(first.unwrap_or(Errno::EINVAL))
}

/// They are closed in the end, all together.
fn keeps_the_failed_sockets(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut failed = Vec::new();
    let mut last = Errno::EINVAL;
    for addr in addrs {
        match socket_for(*addr) {
            Ok(socket) => match to_any(&socket, *addr) {
                Ok(()) => return Ok(socket),
                Err(errno) => {
                    failed.push(socket);
                    last = errno;
                }
            },
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// They are never closed.
fn forgets_the_failed_sockets(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut last = Errno::EINVAL;
    for addr in addrs {
        match socket_for(*addr) {
            Ok(socket) => match to_any(&socket, *addr) {
                Ok(()) => return Ok(socket),
                Err(errno) => {
                    let _ = socket.into_raw_fd();
                    last = errno;
                }
            },
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// There is always a last error.
fn an_empty_list_panics(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let mut errors = Vec::new();
    for addr in addrs {
        match connected(*addr) {
            Ok(socket) => return Ok(socket),
            Err(errno) => errors.push(errno),
        }
    }
    Err(*errors.last().unwrap())
}

/// Nobody is there, so nobody listens.
fn nobody_is_refused(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    match addrs {
        [] => Err(Errno::ECONNREFUSED),
        addrs => reference::connect_first(addrs),
    }
}

/// All that are there, and then the first of them.
fn connects_to_all(addrs: &[SocketAddr]) -> Result<OwnedFd, Errno> {
    let all: Vec<Result<OwnedFd, Errno>> = addrs.iter().map(|addr| connected(*addr)).collect();
    let mut last = Err(Errno::EINVAL);
    for one in all {
        match one {
            Ok(socket) => return Ok(socket),
            Err(errno) => last = Err(errno),
        }
    }
    last
}

/// A limit as setsockopt takes it.
fn timeval(limit: Duration) -> TimeVal {
    TimeVal::microseconds(limit.as_micros() as i64)
}

/// The limit for sending is the limit for connect; its errno is another one.
fn limit_for_sending(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    setsockopt(&socket, sockopt::SendTimeout, &timeval(limit))?;
    to(&socket, addr)?;
    Ok(socket)
}

/// connect does not look at the limit for receiving.
fn limit_for_receiving(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = calls::open_tcp()?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &timeval(limit))?;
    to(&socket, addr)?;
    Ok(socket)
}

/// What is left until the deadline, rounded up to milliseconds.
fn left(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}

/// Waits for the end of an attempt until the deadline; false if there was none.
fn ends(socket: &OwnedFd, deadline: Instant) -> Result<bool, Errno> {
    loop {
        match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], left(deadline)) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// A non-blocking socket on its way.
fn begun(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match to(&socket, addr) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// How an attempt ended, and then the socket, which blocks.
fn finished(socket: OwnedFd) -> Result<OwnedFd, Errno> {
    match getsockopt(&socket, sockopt::SocketError)? {
        0 => blocking(socket),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// The socket without O_NONBLOCK.
fn blocking(socket: OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
    fcntl(&socket, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(socket)
}

/// poll says "writable" of a connect that has failed, too.
fn writable_is_connected(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    match ends(&socket, Instant::now() + limit)? {
        true => blocking(socket),
        false => Err(Errno::ETIMEDOUT),
    }
}

/// It did not work in time.
fn every_failure_is_a_timeout(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    reference::connect_timeout(addr, limit).map_err(|_| Errno::ETIMEDOUT)
}

/// The flag was needed, and stays.
fn stays_nonblocking(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    if !ends(&socket, Instant::now() + limit)? {
        return Err(Errno::ETIMEDOUT);
    }
    match getsockopt(&socket, sockopt::SocketError)? {
        0 => Ok(socket),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// Asked again, poll waits for the whole limit again.
fn a_signal_starts_it_anew(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    loop {
        match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], left(Instant::now() + limit)) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => return finished(socket),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// An errno of poll is an errno.
fn a_signal_ends_it(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], left(Instant::now() + limit))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => finished(socket),
    }
}

/// as_millis of half a millisecond is 0.
fn cuts_the_milliseconds(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    if limit.as_millis() > 0 {
        return reference::connect_timeout(addr, limit);
    }
    let socket = begun(addr)?;
    match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO)? {
        0 => Err(Errno::ETIMEDOUT),
        _ => finished(socket),
    }
}

/// Looks when the time is over, and not before.
fn sleeps_for_the_limit(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    thread::sleep(limit);
    match ends(&socket, Instant::now())? {
        true => finished(socket),
        false => Err(Errno::ETIMEDOUT),
    }
}

/// The time is over, and the attempt goes on.
fn forgets_the_socket(addr: SocketAddrV4, limit: Duration) -> Result<OwnedFd, Errno> {
    let socket = begun(addr)?;
    match ends(&socket, Instant::now() + limit)? {
        true => finished(socket),
        false => {
            let _ = socket.into_raw_fd();
            Err(Errno::ETIMEDOUT)
        }
    }
}

/// A UDP socket.
fn udp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
}

/// TCP must ask the other machine.
fn connects_with_tcp(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    let socket = reference::connect_to(peer)?;
    Ok(*calls::local_address(&socket)?.ip())
}

/// Nobody has told the socket where it is to go.
fn asks_an_unconnected_socket(_peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    Ok(*calls::local_address(&udp()?)?.ip())
}

/// Nobody can answer who has heard nothing.
fn sends_a_byte(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    let socket = udp()?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(peer))?;
    sendto(socket.as_raw_fd(), b"x", &SockaddrIn::from(peer), MsgFlags::empty())?;
    Ok(*calls::local_address(&socket)?.ip())
}

/// It has been 127.0.0.1 each time.
fn it_is_always_127_0_0_1(_peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    Ok(Ipv4Addr::LOCALHOST)
}

/// If the kernel does not say, it must be 127.0.0.1.
fn any_failure_is_127_0_0_1(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    reference::local_address_for(peer).or(Ok(Ipv4Addr::LOCALHOST))
}

/// A name from bind is not the one that the kernel would choose.
fn binds_to_the_wildcard(_peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    let socket = udp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 0))?;
    Ok(*calls::local_address(&socket)?.ip())
}

/// The other end of the connection.
fn says_where_the_peer_is(peer: SocketAddrV4) -> Result<Ipv4Addr, Errno> {
    let socket = udp()?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(peer))?;
    let address: SockaddrIn = getpeername(socket.as_raw_fd())?;
    Ok(address.ip())
}

/// The socket's own address, and its peer's.
fn names(socket: &OwnedFd) -> Result<(SockaddrIn, SockaddrIn), Errno> {
    Ok((getsockname(socket.as_raw_fd())?, getpeername(socket.as_raw_fd())?))
}

/// Connected is connected.
fn does_not_look(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    to_the_end(&sock, addr)?;
    Ok(sock)
}

/// An errno that seems to fit.
fn another_errno(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    to_the_end(&sock, addr)?;
    let (own, peer) = names(&sock)?;
    if own == peer { Err(Errno::EADDRINUSE) } else { Ok(sock) }
}

/// Two machines may use one port.
fn looks_at_the_ports(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    to_the_end(&sock, addr)?;
    let (own, peer) = names(&sock)?;
    if own.port() == peer.port() { Err(Errno::ECONNREFUSED) } else { Ok(sock) }
}

/// A raw number that nobody closes.
fn leaves_it_open(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let number = sock.into_raw_fd();
    connect(number, &SockaddrIn::from(addr))?;
    // SAFETY: the number comes from an OwnedFd that gave it away above.
    let sock = unsafe { OwnedFd::from_raw_fd(number) };
    let (own, peer) = names(&sock)?;
    if own == peer {
        let _ = sock.into_raw_fd();
        return Err(Errno::ECONNREFUSED);
    }
    Ok(sock)
}

/// A socket with a name could reach itself, so none of them may try.
fn no_bound_sockets(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    if calls::local_address(&sock)?.port() != 0 {
        return Err(Errno::EINVAL);
    }
    does_not_look(sock, addr)
}

/// What comes back was said to oneself; and a server hears it, too.
fn sends_to_find_out(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    to_the_end(&sock, addr)?;
    send(sock.as_raw_fd(), b"?", MsgFlags::MSG_NOSIGNAL)?;
    match recv(sock.as_raw_fd(), &mut [0; 1], MsgFlags::MSG_DONTWAIT) {
        Ok(_) => Err(Errno::ECONNREFUSED),
        Err(_) => Ok(sock),
    }
}

/// There will be somebody.
fn a_refusal_panics(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    to_the_end(&sock, addr).unwrap();
    let (own, peer) = names(&sock)?;
    if own == peer { Err(Errno::ECONNREFUSED) } else { Ok(sock) }
}

/// One errno for all.
fn whatever_it_was_it_is_refused(sock: OwnedFd, addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    reference::connect_checked(sock, addr).map_err(|_| Errno::ECONNREFUSED)
}
