//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::fs;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use grader::Wrong;
use lesson_listen::exercises as reference;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getsockopt,
    listen, recv, send, shutdown, socket, sockopt,
};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // listen/listen-on
    Wrong {
        exercise: "listen/listen-on",
        name: "hard_wired_five",
        put: |page| page.listen_on = hard_wired_five,
        rejected_by: "backlog_reaches_the_kernel",
        says: "You were given the backlog 0; the kernel was given 5",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "backlog_of_nix_or_its_largest",
        put: |page| page.listen_on = backlog_of_nix_or_its_largest,
        rejected_by: "backlog_reaches_the_kernel",
        says: "You were given the backlog 100000; the kernel was given 4096",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "backlog_of_nix",
        put: |page| page.listen_on = backlog_of_nix,
        rejected_by: "backlog_reaches_the_kernel",
        says: "nothing: there is no listen line",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "listens_before_it_binds",
        put: |page| page.listen_on = listens_before_it_binds,
        rejected_by: "calls_in_order",
        says: "listen before bind, or without it, makes the kernel pick a port",
        also: &["stays_on_loopback"],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "cannot_be_restarted",
        put: |page| page.listen_on = cannot_be_restarted,
        rejected_by: "calls_in_order",
        says: "The kernel saw socket, bind, listen. SO_REUSEADDR",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "forgets_to_listen",
        put: |page| page.listen_on = forgets_to_listen,
        rejected_by: "is_listening",
        says: "bound but not listening: a client gets ECONNREFUSED",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "returns_the_port_that_it_was_given",
        put: |page| page.listen_on = returns_the_port_that_it_was_given,
        rejected_by: "port_is_true",
        says: "You returned port 0, and the socket is bound to",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "ignores_what_listen_says",
        put: |page| page.listen_on = ignores_what_listen_says,
        rejected_by: "in_use_comes_from_where_it_comes",
        says: "listen said EADDRINUSE; you said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "listen/listen-on",
        name: "leaves_the_socket_open",
        put: |page| page.listen_on = leaves_the_socket_open,
        rejected_by: "in_use_comes_from_where_it_comes",
        says: "listen said EADDRINUSE; you said Err(EADDRINUSE), and left descriptor 3 open",
        also: &["leaves_no_fd_behind"],
    },
    // listen/queue-capacity
    Wrong {
        exercise: "listen/queue-capacity",
        name: "blocks_in_connect",
        put: |page| page.queue_capacity = blocks_in_connect,
        rejected_by: "does_not_wait_minutes",
        says: "You were still waiting in connect(",
        also: &["finishes_in_time"],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "in_progress_counts",
        put: |page| page.queue_capacity = in_progress_counts,
        rejected_by: "the_one_that_hangs_is_not_counted",
        says: "and you said Ok(512). You counted connections that were still in progress",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "reads_the_setting",
        put: |page| page.queue_capacity = reads_the_setting,
        rejected_by: "counts_backlog_plus_one",
        says: "With a backlog of 0 1 clients get in, and you said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "any_error_ends_the_count",
        put: |page| page.queue_capacity = any_error_ends_the_count,
        rejected_by: "refused_is_an_error",
        says: "ECONNREFUSED, and you returned Ok(0)",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "writable_is_connected",
        put: |page| page.queue_capacity = writable_is_connected,
        rejected_by: "refused_is_an_error",
        says: "ECONNREFUSED, and you returned Ok(512)",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "counts_the_one_outside_too",
        put: |page| page.queue_capacity = counts_the_one_outside_too,
        rejected_by: "counts_backlog_plus_one",
        says: "and you said Ok(2)",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-capacity",
        name: "keeps_the_clients",
        put: |page| page.queue_capacity = keeps_the_clients,
        rejected_by: "leaves_no_fd_behind",
        says: "still open",
        also: &[],
    },
    // listen/queue-state
    Wrong {
        exercise: "listen/queue-state",
        name: "swapped",
        put: |page| page.queue_state = swapped,
        rejected_by: "empty_queue",
        says: "you said 5 wait",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "asks_poll",
        put: |page| page.queue_state = asks_poll,
        rejected_by: "counts_waiting_clients",
        says: "3 clients wait to be accepted; you said 1",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "remembers_the_argument",
        put: |page| page.queue_state = remembers_the_argument,
        rejected_by: "maximum_is_what_the_kernel_kept",
        says: "you said 5",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "takes_the_limit_for_the_backlog",
        put: |page| page.queue_state = takes_the_limit_for_the_backlog,
        rejected_by: "maximum_is_what_the_kernel_kept",
        says: "the kernel keeps 7; you said",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "accepts_to_count",
        put: |page| page.queue_state = accepts_to_count,
        rejected_by: "does_not_touch_the_queue",
        says: "You changed what you were measuring: accept4(",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "does_not_look_at_the_state",
        put: |page| page.queue_state = does_not_look_at_the_state,
        rejected_by: "not_a_listener_is_einval",
        says: "The socket is connected, and you said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "listen/queue-state",
        name: "another_errno",
        put: |page| page.queue_state = another_errno,
        rejected_by: "not_a_listener_is_einval",
        says: "you said Err(ENOTCONN)",
        also: &[],
    },
    // listen/stop-listening
    Wrong {
        exercise: "listen/stop-listening",
        name: "just_closes",
        put: |page| page.stop_listening = just_closes,
        rejected_by: "queued_clients_hear_it",
        says: "number 1 got ECONNRESET instead of your goodbye",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "shuts_the_listener_down_first",
        put: |page| page.stop_listening = shuts_the_listener_down_first,
        rejected_by: "queued_clients_hear_it",
        says: "number 1 got ECONNRESET instead of your goodbye",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "tells_only_one",
        put: |page| page.stop_listening = tells_only_one,
        rejected_by: "queued_clients_hear_it",
        says: "number 2 got ECONNRESET instead of your goodbye",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "waits_in_accept",
        put: |page| page.stop_listening = waits_in_accept,
        rejected_by: "finishes_in_time",
        says: "it waited in accept4",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "waits_for_the_clients_to_close",
        put: |page| page.stop_listening = waits_for_the_clients_to_close,
        rejected_by: "finishes_in_time",
        says: "it waited in recvfrom",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "the_last_one_is_an_error",
        put: |page| page.stop_listening = the_last_one_is_an_error,
        rejected_by: "empty_queue_returns_at_once",
        says: "you said Err(EAGAIN)",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "closes_over_unread_input",
        put: |page| page.stop_listening = closes_over_unread_input,
        rejected_by: "talkative_clients_hear_it_too",
        says: "ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "forgets_the_listener",
        put: |page| page.stop_listening = forgets_the_listener,
        rejected_by: "listener_is_closed",
        says: "A client that came afterwards was let in",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "the_first_failure_ends_all",
        put: |page| page.stop_listening = the_first_failure_ends_all,
        rejected_by: "a_dead_client_does_not_stop_it",
        says: "of the two others number 2 got ECONNRESET",
        also: &[],
    },
    Wrong {
        exercise: "listen/stop-listening",
        name: "counts_the_dead",
        put: |page| page.stop_listening = counts_the_dead,
        rejected_by: "a_dead_client_does_not_stop_it",
        says: "you returned Ok(3)",
        also: &[],
    },
];

/// A server socket, bound and not yet listening.
fn bound(port: u16) -> Result<OwnedFd, Errno> {
    calls::bind_reusable(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The socket with its port.
fn with_port(socket: OwnedFd) -> Result<(OwnedFd, u16), Errno> {
    let port = calls::local_address(&socket)?.port();
    Ok((socket, port))
}

/// "The OS maximum is usually 5."
fn hard_wired_five(port: u16, _backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = bound(port)?;
    listen(&socket, Backlog::new(5)?)?;
    with_port(socket)
}

/// nix refuses 100000, so let us take its constant.
fn backlog_of_nix_or_its_largest(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = bound(port)?;
    listen(&socket, Backlog::new(backlog).unwrap_or(Backlog::MAXCONN))?;
    with_port(socket)
}

/// nix refuses 100000 before the kernel sees it.
fn backlog_of_nix(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = bound(port)?;
    listen(&socket, Backlog::new(backlog)?)?;
    with_port(socket)
}

/// The wrong way round.
fn listens_before_it_binds(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = calls::open_tcp()?;
    nix::sys::socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    raw_listen(&socket, backlog)?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
    with_port(socket)
}

/// No SO_REUSEADDR.
fn cannot_be_restarted(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = calls::open_tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
    raw_listen(&socket, backlog)?;
    with_port(socket)
}

/// It is bound; that must be enough.
fn forgets_to_listen(port: u16, _backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    with_port(bound(port)?)
}

/// 0 is not a port.
fn returns_the_port_that_it_was_given(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = bound(port)?;
    raw_listen(&socket, backlog)?;
    Ok((socket, port))
}

/// listen never fails.
fn ignores_what_listen_says(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let socket = bound(port)?;
    let _ = raw_listen(&socket, backlog);
    with_port(socket)
}

/// A raw number that nobody closes when listen fails.
fn leaves_the_socket_open(port: u16, backlog: i32) -> Result<(OwnedFd, u16), Errno> {
    let number = bound(port)?.into_raw_fd();
    // SAFETY: listen takes two numbers and no pointer.
    Errno::result(unsafe { libc::listen(number, backlog) })?;
    // SAFETY: the number comes from an OwnedFd that gave it away above.
    with_port(unsafe { OwnedFd::from_raw_fd(number) })
}

fn raw_listen(socket: &OwnedFd, backlog: i32) -> Result<(), Errno> {
    // SAFETY: listen takes two numbers and no pointer.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// A blocking connect gives up when the kernel does.
fn blocks_in_connect(server: SocketAddrV4, _patience: Duration) -> Result<usize, Errno> {
    let mut inside = Vec::new();
    while inside.len() < 512 {
        match calls::connect_to(server) {
            Ok(client) => inside.push(client),
            Err(Errno::ETIMEDOUT) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(inside.len())
}

/// EINPROGRESS is nearly success.
fn in_progress_counts(server: SocketAddrV4, _patience: Duration) -> Result<usize, Errno> {
    let mut begun = Vec::new();
    while begun.len() < 512 {
        let client = nonblocking()?;
        match connect(client.as_raw_fd(), &SockaddrIn::from(server)) {
            Ok(()) | Err(Errno::EINPROGRESS) => begun.push(client),
            Err(errno) => return Err(errno),
        }
    }
    Ok(begun.len())
}

/// The limit of the machine is not the backlog of a server.
fn reads_the_setting(_server: SocketAddrV4, _patience: Duration) -> Result<usize, Errno> {
    limit()
}

fn limit() -> Result<usize, Errno> {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").map_err(|_| Errno::EIO)?;
    text.trim().parse().map_err(|_| Errno::EIO)
}

/// Whatever went wrong, the queue must have been full.
fn any_error_ends_the_count(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    let mut inside = Vec::new();
    while let Ok(Some(client)) = knock(server, patience, true) {
        inside.push(client);
    }
    Ok(inside.len())
}

/// poll says "writable" of a connect that has failed, too.
fn writable_is_connected(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    let mut inside = Vec::new();
    while inside.len() < 512 {
        match knock(server, patience, false)? {
            Some(client) => inside.push(client),
            None => break,
        }
    }
    Ok(inside.len())
}

/// The number of the try is not the number of those who are in.
fn counts_the_one_outside_too(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    let mut inside = Vec::new();
    for number in 1..=512 {
        match knock(server, patience, true)? {
            Some(client) => inside.push(client),
            None => return Ok(number),
        }
    }
    Ok(512)
}

/// Raw numbers, closed by nobody.
fn keeps_the_clients(server: SocketAddrV4, patience: Duration) -> Result<usize, Errno> {
    for number in 0..512 {
        match knock(server, patience, true)? {
            Some(client) => drop(client.into_raw_fd()),
            None => return Ok(number),
        }
    }
    Ok(512)
}

fn nonblocking() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Inet, SockType::Stream, flags, None)
}

/// A client that is connected within this patience, or nobody. Whoever does not ask takes "writable" for "connected".
fn knock(server: SocketAddrV4, patience: Duration, asks: bool) -> Result<Option<OwnedFd>, Errno> {
    let client = nonblocking()?;
    match connect(client.as_raw_fd(), &SockaddrIn::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    let timeout = PollTimeout::try_from(patience).map_err(|_| Errno::EINVAL)?;
    if poll(&mut [PollFd::new(client.as_fd(), PollFlags::POLLOUT)], timeout)? == 0 {
        return Ok(None);
    }
    match if asks { getsockopt(&client, sockopt::SocketError)? } else { 0 } {
        0 => Ok(Some(client)),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// How many may wait, and how many do.
fn swapped(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    reference::queue_state(listener).map(|(waiting, most)| (most, waiting))
}

/// Readable means that somebody waits: somebody, not how many.
fn asks_poll(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    let (_, most) = reference::queue_state(listener)?;
    let ready = poll(&mut [PollFd::new(listener, PollFlags::POLLIN)], PollTimeout::ZERO)?;
    Ok((ready as u32, most))
}

/// What listen was told.
fn remembers_the_argument(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    reference::queue_state(listener).map(|(waiting, _)| (waiting, 5))
}

/// The machine's limit, whatever listen was told.
fn takes_the_limit_for_the_backlog(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    let (waiting, _) = reference::queue_state(listener)?;
    Ok((waiting, limit()? as u32))
}

/// Counts them by calling them in.
fn accepts_to_count(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    let (_, most) = reference::queue_state(listener)?;
    nonblocking_listener(listener)?;
    let mut clients = Vec::new();
    while let Ok(client) = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
        // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
        clients.push(unsafe { OwnedFd::from_raw_fd(client) });
    }
    Ok((clients.len() as u32, most))
}

fn nonblocking_listener(listener: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(listener, FcntlArg::F_GETFL)?);
    fcntl(listener, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Two fields that mean something else in any other state.
fn does_not_look_at_the_state(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    // SAFETY: a tcp_info is plain numbers, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let (fd, to) = (listener.as_raw_fd(), (&raw mut info).cast());
    // SAFETY: `info` has room for `length` bytes, and both are ours to be written to.
    Errno::result(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut length) })?;
    Ok((info.tcpi_unacked, info.tcpi_sacked))
}

/// An errno that seems to fit.
fn another_errno(listener: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    reference::queue_state(listener).map_err(|_| Errno::ENOTCONN)
}

/// Nobody is there any more, so nobody needs to be told.
fn just_closes(listener: OwnedFd, _goodbye: &[u8]) -> Result<usize, Errno> {
    drop(listener);
    Ok(0)
}

/// First no new ones, then those who wait. There are none left.
fn shuts_the_listener_down_first(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    shutdown(listener.as_raw_fd(), Shutdown::Both)?;
    let mut told = 0;
    while let Ok(client) = accept(&listener) {
        told += usize::from(says(&client, goodbye).is_ok());
    }
    Ok(told)
}

/// One accept, one goodbye.
fn tells_only_one(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    nonblocking_listener(listener.as_fd())?;
    match accept(&listener) {
        Ok(client) => says(&client, goodbye).map(|()| 1),
        Err(Errno::EAGAIN) => Ok(0),
        Err(errno) => Err(errno),
    }
}

/// accept waits for one more client, who never comes.
fn waits_in_accept(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    let mut told = 0;
    while let Ok(client) = accept(&listener) {
        told += usize::from(says(&client, goodbye).is_ok());
    }
    Ok(told)
}

/// Reads until the client has closed, and it never does.
fn waits_for_the_clients_to_close(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    each(&listener, |client| {
        says(client, goodbye)?;
        let mut buffer = [0; 1024];
        while recv(client.as_raw_fd(), &mut buffer, MsgFlags::empty())? > 0 {}
        Ok(())
    })
}

/// EAGAIN is an errno, so it is an error.
fn the_last_one_is_an_error(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    nonblocking_listener(listener.as_fd())?;
    let mut told = 0;
    loop {
        let client = accept(&listener)?;
        told += usize::from(says(&client, goodbye).is_ok());
        if told == usize::MAX {
            return Ok(told);
        }
    }
}

/// Says goodbye and closes. What the client has sent is still unread.
fn closes_over_unread_input(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    each(&listener, |client| match send(client.as_raw_fd(), goodbye, MsgFlags::MSG_NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(errno) => Err(errno),
    })
}

/// The number is given away, and the socket listens for ever.
fn forgets_the_listener(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    let told = each(&listener, |client| says(client, goodbye));
    let _ = listener.into_raw_fd();
    told
}

/// One client's trouble is everybody's.
fn the_first_failure_ends_all(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    nonblocking_listener(listener.as_fd())?;
    let mut told = 0;
    loop {
        match accept(&listener) {
            Ok(client) => says(&client, goodbye)?,
            Err(Errno::EAGAIN) => return Ok(told),
            Err(errno) => return Err(errno),
        }
        told += 1;
    }
}

/// Those who were accepted are not those who were told.
fn counts_the_dead(listener: OwnedFd, goodbye: &[u8]) -> Result<usize, Errno> {
    each(&listener, |client| {
        let _ = says(client, goodbye);
        Ok(())
    })
}

fn accept(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
    let number = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Does this with every client in the queue, and counts those with whom it worked.
fn each(listener: &OwnedFd, does: impl Fn(&OwnedFd) -> Result<(), Errno>) -> Result<usize, Errno> {
    nonblocking_listener(listener.as_fd())?;
    let mut count = 0;
    loop {
        match accept(listener) {
            Ok(client) => count += usize::from(does(&client).is_ok()),
            Err(Errno::EAGAIN) => return Ok(count),
            Err(errno) => return Err(errno),
        }
    }
}

/// Says goodbye rightly.
fn says(client: &OwnedFd, goodbye: &[u8]) -> Result<(), Errno> {
    send(client.as_raw_fd(), goodbye, MsgFlags::MSG_NOSIGNAL)?;
    shutdown(client.as_raw_fd(), Shutdown::Write)?;
    let mut buffer = [0; 1024];
    while matches!(recv(client.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT), Ok(1..)) {}
    Ok(())
}
