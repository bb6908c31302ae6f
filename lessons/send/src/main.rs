//! The experiments of the chapter `send`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-send`.

mod errnos;

use std::fs;
use std::mem;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lesson, Stop, calls, killed_by, prints};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getsockname, listen,
    recv, send, socket,
};

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "send",
    experiments: &[
        Experiment {
            name: "first-send",
            shows: "A client sends the deck's eleven bytes, and the server receives them.",
            notice: "The program called send, and the kernel saw sendto with no address: there is no other call. It returned the \
                     number of bytes that it took.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "11"), calls("recvfrom", "11")])],
            play: first_send,
        },
        Experiment {
            name: "nix-form",
            shows: "The same calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "11"), calls("recvfrom", "11")])],
            play: nix_form,
        },
        Experiment {
            name: "three-sends",
            shows: "A client sends one, two and three, and the server receives once.",
            notice: "The server got all of it, in one piece. A stream has no borders: where one send ended is not kept.",
            outcomes: &[
                Expected::anywhere(&[calls("sendto", "3 3 5"), calls("recvfrom", "11")]),
                Expected::on(
                    "where a receive buffer has no room for three packets (tcp_rmem)",
                    &[calls("sendto", "3 3 5"), calls("recvfrom", "n")],
                ),
            ],
            play: three_sends,
        },
        Experiment {
            name: "nothing-to-send",
            shows: "Zero bytes are sent on TCP, and then on UDP; each time we look whether something has arrived.",
            notice: "On TCP nothing happens at all. On UDP an empty datagram arrives, and recv returns 0 for it.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "0 0"), calls("recvfrom", "EAGAIN 0")])],
            play: nothing_to_send,
        },
        Experiment {
            name: "full-pipe",
            shows: "Nobody reads. With small buffers a megabyte is sent in a call that must not wait (MSG_DONTWAIT), and again until \
                    there is no room.",
            notice: "The first call was short: it took what there was room for. The last took nothing, which is EAGAIN, “not \
                     now”. (In between the trace is silent: the last gaps are filled.)",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "n EAGAIN"),
                calls("poll", "0"),
                prints("Taken in all: "),
            ])],
            play: full_pipe,
        },
        Experiment {
            name: "how-much-fits",
            shows: "We count the bytes that fit between a sender and a peer that never reads, for three sizes of the buffers.",
            notice: "Two buffers lie between send and recv. If nobody sets their sizes, they grow with the need. (The counting is \
                     done in silence.)",
            outcomes: &[Expected::anywhere(&[
                prints("buffers of 4096:   "),
                prints("buffers of 65536:  "),
                prints("left to themselves:"),
            ])],
            play: how_much_fits,
        },
        Experiment {
            name: "never-short",
            shows: "A megabyte is sent by a call that may wait, through small buffers. A second thread begins to read when the \
                    sender sleeps.",
            notice: "The call returned when the kernel had taken all of it, and not before.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1048576"), calls("recvfrom", "1048576")])],
            play: never_short,
        },
        Experiment {
            name: "short-by-a-signal",
            shows: "The same call, and nobody reads. A signal comes while it sleeps, to a handler with SA_RESTART; then we send \
                    again, and a signal comes to one without.",
            notice: "The first call had copied some bytes: it was short, in spite of SA_RESTART. The second had copied none, and so it \
                     could fail. (ERESTARTSYS is what a tracer sees; the kernel makes EINTR of it before the program does.)",
            outcomes: &[Expected::anywhere(&[calls("sendto", "n ERESTARTSYS"), prints("the program sees EINTR\n")])],
            play: short_by_a_signal,
        },
        Experiment {
            name: "short-by-a-timeout",
            shows: "The same call on a socket with a limit: SO_SNDTIMEO is a twentieth of a second.",
            notice: "When the time was over it returned what it had. The next one had nothing to return: EAGAIN.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "n EAGAIN")])],
            play: short_by_a_timeout,
        },
        Experiment {
            name: "short-by-death",
            shows: "The same call. While it sleeps, the peer closes, and has read nothing.",
            notice: "The call that was under way was short, as if all were well. The reason came with the next one, and once only.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "n ECONNRESET EPIPE")])],
            play: short_by_death,
        },
        Experiment {
            name: "writable-again",
            shows: "The buffers are full. The peer reads one byte, and we ask poll whether there is room; then it reads on until \
                    there is.",
            notice: "One free byte is not worth a wake-up. The kernel says “writable” when a good part is free.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "1"),
                calls("poll", "0 0 1"),
                prints("writable again after "),
            ])],
            play: writable_again,
        },
        Experiment {
            name: "two-gauges",
            shows: "A thousand bytes are sent. We ask the sender's kernel how many are not acknowledged yet (TIOCOUTQ), and the peer's \
                    how many wait to be read (FIONREAD). The peer reads nothing and closes.",
            notice: "All were acknowledged, none was read, and none ever will be.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "1000 ECONNRESET"),
                calls("ioctl", "0 0"),
                prints("not acknowledged: 0\nwaiting to be read: 1000\n"),
            ])],
            play: two_gauges,
        },
        Experiment {
            name: "peer-has-gone",
            shows: "The server has closed, with nothing left to read. The client sends, and sends again.",
            notice: "The first send succeeded. Only the answer to it told our kernel that nobody is there, and so the second failed.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 EPIPE")])],
            play: peer_has_gone,
        },
        Experiment {
            name: "gone-with-bytes-unread",
            shows: "The server closes while bytes of the client are unread. The client sends, and sends again.",
            notice: "Closing over unread bytes is a reset, so the first send knows already: ECONNRESET. It is told once; then it is \
                     EPIPE.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "6 ECONNRESET EPIPE")])],
            play: gone_with_bytes_unread,
        },
        Experiment {
            name: "sigpipe",
            shows: "The same without MSG_NOSIGNAL, in a process that takes signals as every C program does.",
            notice: "The call failed with EPIPE, and the program never heard of it: SIGPIPE had ended it.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 EPIPE"), killed_by("SIGPIPE")])],
            play: sigpipe,
        },
        Experiment {
            name: "sigpipe-ignored",
            shows: "Once more, in a process that ignores SIGPIPE, as Rust's runtime arranges it before main.",
            notice: "Still no MSG_NOSIGNAL, and the program lives to read the errno: this time by a setting of the whole process.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 EPIPE"), prints("still here: EPIPE\n")])],
            play: sigpipe_ignored,
        },
        Experiment {
            name: "forty-milliseconds",
            shows: "A request is a head and a body, and the server answers when it has both. They go out in two sends, in one sendmsg, \
                    and in two sends with TCP_NODELAY; of four rounds each we print the quickest.",
            notice: "The second small send waited for the acknowledgement of the first, and the server's kernel was in no hurry to \
                     acknowledge. (The trace shows one round of each.)",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "4 4 2 2 4 4 2"),
                calls("sendmsg", "8"),
                prints("in two sends: "),
                prints("in one sendmsg: "),
                prints("in two sends, with TCP_NODELAY: "),
            ])],
            play: forty_milliseconds,
        },
        Experiment {
            name: "more-to-come",
            shows: "A head is sent with MSG_MORE, and the server looks; then the body, without. Then a head with MSG_MORE again, and \
                    no body.",
            notice: "The head was kept back, and both arrived as one. Where nothing followed, the kernel waited a fifth of a second.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "4 4 4"),
                calls("recvfrom", "EAGAIN 8 4"),
                prints("kept back for "),
            ])],
            play: more_to_come,
        },
        Experiment {
            name: "out-of-band",
            shows: "Two bytes are sent, and a third with MSG_OOB. The server receives in the ordinary way, and then with MSG_OOB.",
            notice: "The third byte is not in the stream: who does not ask for it with MSG_OOB does not get it.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "2 1 1"), calls("recvfrom", "2 1 1")])],
            play: out_of_band,
        },
        Experiment {
            name: "close-destroys",
            shows: "A server sends 20,000 bytes to a slow reader, and closes; three bytes from the reader are unread.",
            notice: "send had said 20000, and close 0. The reader got a part, and then ECONNRESET. (What it got is read in silence.)",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "3 20000"),
                calls("recvfrom", "ECONNRESET"),
                prints(" of 20.0 kB, then ECONNRESET\n"),
            ])],
            play: close_destroys,
        },
        Experiment {
            name: "shutdown-first",
            shows: "The same, and this time the server says that it has finished (shutdown), reads until the reader has, too, and \
                    closes last.",
            notice: "All arrived, and the end of file behind it. (What the reader got is read in silence.)",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "3 20000"),
                calls("shutdown", "0"),
                calls("recvfrom", "0 3 0"),
                prints("20000 of 20000, then end of file\n"),
            ])],
            play: shutdown_first,
        },
        Experiment {
            name: "other-goodbyes",
            shows: "The same with other ways to say goodbye that are often recommended.",
            notice: "SHUT_RDWR does not help, and neither does SO_LINGER: the reset comes from the unread bytes. (What the reader \
                     got is read in silence.)",
            outcomes: &[Expected::anywhere(&[
                prints("shutdown(SHUT_RDWR), close:    not all, then ECONNRESET\n"),
                prints("SO_LINGER of 5 s, close:       not all, then ECONNRESET\n"),
                prints("SO_LINGER of 0 s, close:       not all, then ECONNRESET\n"),
                prints("shutdown(SHUT_WR), read, close: all, then end of file\n"),
                calls("close", "0 0 0 0"),
            ])],
            play: other_goodbyes,
        },
        Experiment {
            name: "refusals",
            shows: "send on a number that is not open, on a file, on sockets that are connected to nobody (TCP, unix, UDP), after a \
                    shutdown of one's own, and with a bad pointer.",
            notice: "Three kinds of socket, and three errnos for “connected to nobody”.",
            outcomes: &[Expected::anywhere(&[calls(
                "sendto",
                "EBADF ENOTSOCK EPIPE ENOTCONN EDESTADDRREQ EPIPE EFAULT",
            )])],
            play: refusals,
        },
        Experiment {
            name: "datagrams",
            shows: "On a UDP socket: one byte more than a datagram can have, MSG_OOB, and two sends to a port at which nobody is.",
            notice: "A datagram goes whole or not at all. That nobody was there is told to the next send, whose own bytes are not \
                     sent.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "65507 EMSGSIZE EOPNOTSUPP 5 ECONNREFUSED")])],
            play: datagrams,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_send() -> Result<(), Stop> {
    let (client, server) = connected()?;

    let data = b"Hello World";
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    let sent = unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) };
    if sent == -1 {
        return Err(Stop::failed("send"));
    }

    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    listen(&listener, Backlog::new(1)?)?;
    let address: SockaddrIn = getsockname(listener.as_raw_fd())?;
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &address)?;
    let server = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;

    send(client.as_raw_fd(), b"Hello World", MsgFlags::MSG_NOSIGNAL)?;

    let mut buffer = [0; 64];
    recv(server, &mut buffer, MsgFlags::empty())?;
    mem::forget((listener, client)); // As in the others, the kernel closes them when the process ends.
    Ok(())
}

/// A client and the server's end of its connection. The trace shows how they meet, and not the rest, which is what the
/// chapters before this one are about.
fn connected() -> Result<(libc::c_int, libc::c_int), Stop> {
    connected_with(None, None)
}

/// The same with buffers of this size, the client's for sending and the server's for receiving.
fn connected_small(size: libc::c_int) -> Result<(libc::c_int, libc::c_int), Stop> {
    connected_with(Some((libc::SO_RCVBUF, size)), Some((libc::SO_SNDBUF, size)))
}

/// The same with one of the server's buffers and one of the client's set. That must be done before there is a connection,
/// for then the two kernels tell each other what they have room for.
fn connected_with(
    server_buffer: Option<(libc::c_int, libc::c_int)>,
    client_buffer: Option<(libc::c_int, libc::c_int)>,
) -> Result<(libc::c_int, libc::c_int), Stop> {
    lab::stop_watching();
    let (listener, address) = listening(server_buffer)?;
    let client = fresh(client_buffer)?;
    lab::watch_again();
    meet(client, listener, address)
}

/// A server that listens at a free port, and its address.
fn listening(buffer: Option<(libc::c_int, libc::c_int)>) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    let listener = fresh(buffer)?; // Its connections inherit the size of the buffer.
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(listener, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(listener, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok((listener, address))
}

/// A TCP socket, with one of its buffers (SO_SNDBUF or SO_RCVBUF) set to a size.
fn fresh(buffer: Option<(libc::c_int, libc::c_int)>) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    if let Some((option, size)) = buffer {
        set(fd, libc::SOL_SOCKET, option, size)?;
    }
    Ok(fd)
}

/// Connects this client to that listener, and accepts it.
fn meet(
    client: libc::c_int,
    listener: libc::c_int,
    address: libc::sockaddr_in,
) -> Result<(libc::c_int, libc::c_int), Stop> {
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let server = unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if server == -1 {
        return Err(Stop::failed("accept4"));
    }
    Ok((client, server))
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// Sets a socket option that is a number.
fn set(fd: libc::c_int, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> Result<(), Stop> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is an int of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    Ok(())
}

fn three_sends() -> Result<(), Stop> {
    let (client, server) = connected()?;
    for word in ["one", "two", "three"] {
        // SAFETY: the pointer is to `word.len()` bytes, which send only reads.
        if unsafe { libc::send(client, word.as_ptr().cast(), word.len(), libc::MSG_NOSIGNAL) } == -1 {
            return Err(Stop::failed("send"));
        }
    }

    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn nothing_to_send() -> Result<(), Stop> {
    let (client, server) = connected()?;
    // SAFETY: no bytes are read from the pointer.
    if unsafe { libc::send(client, b"".as_ptr().cast(), 0, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } != -1 {
        return Err(Stop::unexpected("something arrived, and nothing was sent"));
    }

    let (client, server) = datagram_pair()?;
    // SAFETY: no bytes are read from the pointer.
    if unsafe { libc::send(client, b"".as_ptr().cast(), 0, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

/// A UDP socket at a free port of 127.0.0.1, and another that is connected to it: the sender first.
fn datagram_pair() -> Result<(libc::c_int, libc::c_int), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let receiver = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if receiver == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(receiver, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(receiver, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    let sender = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if sender == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(sender, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok((sender, receiver))
}

/// A megabyte of `x`: more than small buffers have room for.
const MEGABYTE: usize = 1 << 20;

/// The size that the experiments with small buffers ask for.
const SMALL: libc::c_int = 4096;

fn full_pipe() -> Result<(), Stop> {
    let (client, _server) = connected_small(SMALL)?;
    let data = vec![b'x'; MEGABYTE];
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;

    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    let first = unsafe { libc::send(client, data.as_ptr().cast(), data.len(), flags) };
    if first == -1 {
        return Err(Stop::failed("send"));
    }
    lab::stop_watching();
    let rest = fill(client)?;
    lab::watch_again();
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), flags) } != -1 {
        return Err(Stop::unexpected("a full buffer took more"));
    }

    // The same question without a send: is there room?
    if writable(client, 0)? {
        return Err(Stop::unexpected("poll says that there is room in a full buffer"));
    }
    println!("Taken in all: {} of 1048576.", amount(first as usize + rest));
    Ok(())
}

/// Sends until there is no room any more, and none has come for longer than an acknowledgement may take (40 ms): how many
/// bytes. poll alone does not tell: it does not speak of a little room.
fn fill(fd: libc::c_int) -> Result<usize, Stop> {
    let data = vec![b'x'; MEGABYTE];
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let (mut total, mut waited) = (0, false);
    loop {
        // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
        match unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), flags) } {
            -1 if Errno::last() != Errno::EAGAIN => return Err(Stop::failed("send")),
            -1 if waited => return Ok(total),
            -1 => {
                writable(fd, 60)?;
                waited = true;
            }
            sent => {
                total += sent as usize;
                waited = false;
            }
        }
    }
}

/// Whether the kernel says, within so many milliseconds, that there is room to send.
fn writable(fd: libc::c_int, milliseconds: libc::c_int) -> Result<bool, Stop> {
    let mut question = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    match unsafe { libc::poll(&raw mut question, 1, milliseconds) } {
        -1 => Err(Stop::failed("poll")),
        answers => Ok(answers == 1),
    }
}

/// A number of bytes that depends on the machine, as people say it: `3.9 MB`.
fn amount(bytes: usize) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn how_much_fits() -> Result<(), Stop> {
    println!("buffers of 4096:    {}", room(connected_small(4096)?)?);
    println!("buffers of 65536:   {}", room(connected_small(65536)?)?);
    println!("left to themselves: {}", room(connected()?)?);
    Ok(())
}

/// How much fits between this client and this server.
fn room((client, _server): (libc::c_int, libc::c_int)) -> Result<String, Stop> {
    lab::stop_watching();
    let taken = fill(client)?;
    lab::watch_again();
    Ok(amount(taken))
}

fn never_short() -> Result<(), Stop> {
    let (client, server) = connected_small(SMALL)?;
    let helper = while_we_sleep(move || {
        let mut buffer = vec![0_u8; MEGABYTE];
        // MSG_WAITALL: one call that reads until the buffer is full.
        let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        match unsafe { libc::recv(server, to, room, libc::MSG_WAITALL) } {
            -1 => Err(Stop::failed("recv")),
            _ => Ok(()),
        }
    });

    let data = vec![b'x'; MEGABYTE];
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    done(&helper)
}

/// Does this in a second thread, as soon as the thread that asks for it sleeps in a system call.
fn while_we_sleep(act: impl FnOnce() -> Result<(), Stop> + Send + 'static) -> Receiver<Result<(), Stop>> {
    lab::stop_watching(); // How a thread is made is not what this is about.
    // SAFETY: gettid takes nothing and cannot fail.
    let sleeper = unsafe { libc::gettid() };
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        // If nobody listens any more, the experiment has ended already.
        let _ = tell.send(wait_until_it_sleeps(sleeper).and_then(|()| act()));
        loop {
            thread::park(); // until the process ends
        }
    });
    lab::watch_again();
    hear
}

/// Waits until this thread of the process sleeps in a system call: state S in /proc/self/task/TID/stat.
fn wait_until_it_sleeps(thread: libc::pid_t) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut seen = 0;
    while seen < 2 {
        thread::sleep(Duration::from_millis(2));
        let line = fs::read_to_string(format!("/proc/self/task/{thread}/stat"))
            .map_err(|error| Stop::unexpected(format!("/proc/self/task/{thread}/stat cannot be read: {error}")))?;
        // Such as `4711 (lesson-send) S 4710 …`: the state follows the name.
        let state = line.rsplit(") ").next().and_then(|rest| rest.chars().next());
        seen = if state == Some('S') { seen + 1 } else { 0 };
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!(
                "after 10 seconds the sender does not sleep; its state is {state:?}"
            )));
        }
    }
    Ok(())
}

/// Waits for the second thread to have done what it was asked to.
fn done(helper: &Receiver<Result<(), Stop>>) -> Result<(), Stop> {
    helper.recv().unwrap_or_else(|_| Err(Stop::unexpected("the second thread ended without a word")))
}

fn short_by_a_signal() -> Result<(), Stop> {
    let (client, _server) = connected_small(SMALL)?;
    let data = vec![b'x'; MEGABYTE];

    handle_sigusr1(libc::SA_RESTART)?;
    let helper = while_we_sleep(signal_to_us());
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    let sent = unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) };
    if sent == -1 {
        return Err(Stop::failed("send"));
    }
    done(&helper)?;

    lab::stop_watching();
    fill(client)?; // The last gaps.
    lab::watch_again();
    handle_sigusr1(0)?;
    let helper = while_we_sleep(signal_to_us());
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("a full buffer took more"));
    }
    println!("the program sees {:?}", Errno::last());
    done(&helper)
}

/// Installs a handler for SIGUSR1 that does nothing.
fn handle_sigusr1(flags: libc::c_int) -> Result<(), Stop> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = flags;
    // SAFETY: `action` is a sigaction that lives through the call, and its handler does nothing at all.
    if unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    Ok(())
}

/// Sends SIGUSR1 to the thread that calls this, whenever the returned function is called.
fn signal_to_us() -> impl FnOnce() -> Result<(), Stop> + Send + 'static {
    // SAFETY: pthread_self takes nothing and cannot fail.
    let us = unsafe { libc::pthread_self() };
    // SAFETY: the experiment's first thread, `us`, lives until the process ends.
    move || match unsafe { libc::pthread_kill(us, libc::SIGUSR1) } {
        0 => Ok(()),
        errno => Err(Stop::Failed { call: "pthread_kill".to_string(), errno }),
    }
}

fn short_by_a_timeout() -> Result<(), Stop> {
    let (client, _server) = connected_small(SMALL)?;
    let limit = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
    let size = size_of::<libc::timeval>() as libc::socklen_t;
    let from = (&raw const limit).cast();
    // SAFETY: `limit` is a timeval of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }

    let data = vec![b'x'; MEGABYTE];
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    lab::stop_watching();
    fill(client)?; // The last gaps.
    lab::watch_again();
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("a full buffer took more"));
    }
    Ok(())
}

fn short_by_death() -> Result<(), Stop> {
    let (client, server) = connected_small(SMALL)?;
    let helper = while_we_sleep(move || {
        // SAFETY: `server` is ours, and nothing uses it after this line.
        match unsafe { libc::close(server) } {
            -1 => Err(Stop::failed("close")),
            _ => Ok(()),
        }
    });

    let data = vec![b'x'; MEGABYTE];
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    done(&helper)?;
    for _ in 1..=2 {
        // SAFETY: as for the first send.
        if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } != -1 {
            return Err(Stop::unexpected("a dead connection took bytes"));
        }
    }
    Ok(())
}

fn writable_again() -> Result<(), Stop> {
    let (client, server) = connected()?;
    lab::stop_watching();
    let taken = fill(client)?;
    lab::watch_again();
    if writable(client, 0)? {
        return Err(Stop::unexpected("poll says that there is room in a full buffer"));
    }

    let mut buffer = [0_u8; 4096];
    // SAFETY: `buffer` has room for a byte, and is ours to be written to.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), 1, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    if writable(client, 20)? {
        return Err(Stop::unexpected("one free byte was enough"));
    }

    let mut read = 1;
    lab::stop_watching();
    while !writable(client, 0)? {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        match unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } {
            -1 if Errno::last() != Errno::EAGAIN => return Err(Stop::failed("recv")),
            -1 if !writable(client, 5000)? => return Err(Stop::unexpected("all was read, and there is no room")),
            -1 => {}
            count => read += count as usize,
        }
    }
    lab::watch_again();
    if !writable(client, 0)? {
        return Err(Stop::unexpected("there was room, and there is none now"));
    }
    println!("Full with {}; writable again after {}.", amount(taken), amount(read));
    Ok(())
}

fn two_gauges() -> Result<(), Stop> {
    let (client, server) = connected()?;
    let data = [b'x'; 1000];
    // SAFETY: the pointer is to `data.len()` bytes, which send only reads.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }

    // An acknowledgement may take a moment.
    lab::stop_watching();
    let deadline = Instant::now() + Duration::from_secs(5);
    while gauge(client, libc::TIOCOUTQ)? > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    lab::watch_again();
    println!("not acknowledged: {}", gauge(client, libc::TIOCOUTQ)?);
    println!("waiting to be read: {}", gauge(server, libc::FIONREAD)?);

    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("a dead connection took bytes"));
    }
    Ok(())
}

/// A number of bytes that the kernel tells of a socket.
fn gauge(fd: libc::c_int, which: libc::Ioctl) -> Result<libc::c_int, Stop> {
    let mut bytes: libc::c_int = -1;
    // SAFETY: TIOCOUTQ and FIONREAD write one int, and `bytes` is one.
    if unsafe { libc::ioctl(fd, which, &raw mut bytes) } == -1 {
        return Err(Stop::failed("ioctl"));
    }
    Ok(bytes)
}

fn peer_has_gone() -> Result<(), Stop> {
    let (client, server) = connected()?;
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as above.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("nobody is there, and a second send worked"));
    }
    Ok(())
}

fn gone_with_bytes_unread() -> Result<(), Stop> {
    let (client, server) = connected()?;
    // SAFETY: the pointer is to six bytes, which send only reads.
    if unsafe { libc::send(client, b"unread".as_ptr().cast(), 6, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    for _ in 1..=2 {
        // SAFETY: the pointer is to one byte, which send only reads.
        if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } != -1 {
            return Err(Stop::unexpected("a dead connection took a byte"));
        }
    }
    Ok(())
}

fn sigpipe() -> Result<(), Stop> {
    let (client, server) = connected()?;
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as above.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, 0) } != -1 {
        return Err(Stop::unexpected("nobody is there, and a second send worked"));
    }
    println!("still here: {:?}", Errno::last());
    Ok(())
}

fn sigpipe_ignored() -> Result<(), Stop> {
    // SAFETY: “ignore” replaces the default action; no handler of ours is involved.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(Stop::failed("signal"));
    }
    sigpipe()
}

fn forty_milliseconds() -> Result<(), Stop> {
    let mut times = three_ways(true)?;
    // A busy machine may wake us so late that there is nothing to be seen: then once more.
    for _ in 1..=9 {
        if is_the_pattern(times) {
            break;
        }
        times = three_ways(false)?;
    }
    let [two, one, undelayed] = times.map(|time| time.as_secs_f64() * 1e3);
    println!("in two sends: {two:.1} ms");
    println!("in one sendmsg: {one:.1} ms");
    println!("in two sends, with TCP_NODELAY: {undelayed:.1} ms");
    match is_the_pattern(times) {
        true => Ok(()),
        false => Err(Stop::unexpected("that is not the pattern of a delayed acknowledgement")),
    }
}

/// The first way is slow, and the others are not.
fn is_the_pattern([two, one, undelayed]: [Duration; 3]) -> bool {
    let tick = Duration::from_millis(20);
    two > tick && one < tick && undelayed < tick
}

/// How long a round takes in each of three ways, on one connection. Shows a round of each, or nothing.
fn three_ways(show: bool) -> Result<[Duration; 3], Stop> {
    lab::stop_watching();
    let (listener, address) = listening(None)?;
    let client = fresh(None)?;
    if show {
        lab::watch_again();
    }
    let (client, server) = meet(client, listener, address)?;
    lab::stop_watching();
    for _ in 0..3 {
        round(client, server, say_both)?; // A new connection acknowledges at once. This one is no longer new.
    }

    let two_sends = |client| {
        say(client, b"head")?;
        say(client, b"body")
    };
    let two = quickest_of_four(client, server, two_sends, show)?;
    let one = quickest_of_four(client, server, say_both, show)?;
    if show {
        lab::watch_again();
    }
    set(client, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    let undelayed = quickest_of_four(client, server, two_sends, show)?;
    Ok([two, one, undelayed])
}

/// A client asks in this way for something, the server answers when it has heard all of it, and the client reads the answer.
fn round(client: libc::c_int, server: libc::c_int, ask: impl Fn(libc::c_int) -> Result<(), Stop>) -> Result<(), Stop> {
    ask(client)?;
    hear(server, 8)?;
    say(server, b"ok")?;
    hear(client, 2)
}

/// The time of the quickest of four rounds, of which the first may be shown.
fn quickest_of_four(
    client: libc::c_int,
    server: libc::c_int,
    ask: impl Fn(libc::c_int) -> Result<(), Stop>,
    show: bool,
) -> Result<Duration, Stop> {
    if show {
        lab::watch_again();
    }
    let mut quickest = Duration::MAX;
    for _ in 1..=4 {
        let start = Instant::now();
        round(client, server, &ask)?;
        quickest = quickest.min(start.elapsed());
        lab::stop_watching();
    }
    Ok(quickest)
}

/// Sends a few bytes.
fn say(fd: libc::c_int, words: &[u8]) -> Result<(), Stop> {
    // SAFETY: the pointer is to `words.len()` bytes, which send only reads.
    if unsafe { libc::send(fd, words.as_ptr().cast(), words.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    Ok(())
}

/// Sends head and body in one call, from two places in memory.
fn say_both(fd: libc::c_int) -> Result<(), Stop> {
    let (head, body) = (b"head", b"body");
    let mut parts = [
        libc::iovec { iov_base: head.as_ptr().cast_mut().cast(), iov_len: head.len() },
        libc::iovec { iov_base: body.as_ptr().cast_mut().cast(), iov_len: body.len() },
    ];
    // SAFETY: a msghdr is plain numbers and pointers, for which all zeros is a value: no address, no control data.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    // SAFETY: `message` names two parts, which live through the call, and sendmsg only reads them.
    if unsafe { libc::sendmsg(fd, &raw const message, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("sendmsg"));
    }
    Ok(())
}

/// Receives so many bytes, at most eight.
fn hear(fd: libc::c_int, count: usize) -> Result<(), Stop> {
    let mut buffer = [0_u8; 8];
    // SAFETY: `buffer` has room for `count` bytes (eight at most), and is ours to be written to.
    if unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), count.min(8), libc::MSG_WAITALL) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn more_to_come() -> Result<(), Stop> {
    let (client, server) = connected()?;
    let mut buffer = [0_u8; 64];
    let more = libc::MSG_NOSIGNAL | libc::MSG_MORE;

    // SAFETY: the pointer is to four bytes, which send only reads.
    if unsafe { libc::send(client, b"head".as_ptr().cast(), 4, more) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } != -1 {
        return Err(Stop::unexpected("the head was not kept back"));
    }
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, b"body".as_ptr().cast(), 4, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }

    // A head without a body.
    let start = Instant::now();
    // SAFETY: as for the first send.
    if unsafe { libc::send(client, b"head".as_ptr().cast(), 4, more) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    let waited = start.elapsed();
    if waited < Duration::from_millis(100) {
        return Err(Stop::unexpected(format!("the head was kept back for {waited:?} only")));
    }
    println!("A head without a body was kept back for {:.2} s.", waited.as_secs_f64());
    Ok(())
}

fn out_of_band() -> Result<(), Stop> {
    let (client, server) = connected()?;
    say(client, b"ab")?;
    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(client, b"!".as_ptr().cast(), 1, libc::MSG_NOSIGNAL | libc::MSG_OOB) } == -1 {
        return Err(Stop::failed("send"));
    }
    say(client, b"c")?;

    let mut buffer = [0_u8; 64];
    for flags in [0, libc::MSG_OOB, 0] {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), flags) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

/// What the server in the last experiments sends: 20,000 bytes, for which its own buffer has room and the reader's has not.
static MUCH: [u8; 20_000] = [b'x'; 20_000];

/// A server that has sent much, and a reader with a small buffer, which has said three bytes that nobody has read.
fn slow_reader() -> Result<(libc::c_int, libc::c_int), Stop> {
    let (reader, server) = connected_with(Some((libc::SO_SNDBUF, 100_000)), Some((libc::SO_RCVBUF, SMALL)))?;
    // Some machines let little wait in the send buffer that is not on its way (tcp_notsent_lowat). Here all of it may.
    set(server, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, libc::c_int::MAX)?;
    say(reader, b"bye")?;
    // SAFETY: the pointer is to so many bytes, which send only reads.
    if unsafe { libc::send(server, MUCH.as_ptr().cast(), MUCH.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    Ok((server, reader))
}

fn close_destroys() -> Result<(), Stop> {
    let (server, reader) = slow_reader()?;
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    lab::stop_watching();
    let read = read_what_is_there(reader)?;
    lab::watch_again();
    let end = last_word(reader)?;
    println!("The reader got {} of 20.0 kB, then {end}", amount(read));
    Ok(())
}

/// Reads all that has arrived and will, as long as there is no end and no error: how many bytes.
fn read_what_is_there(fd: libc::c_int) -> Result<usize, Stop> {
    let mut total = 0;
    let mut buffer = [0_u8; 4096];
    loop {
        let mut question = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
        if unsafe { libc::poll(&raw mut question, 1, 5000) } == -1 {
            return Err(Stop::failed("poll"));
        }
        let waiting = gauge(fd, libc::FIONREAD)? as usize;
        if waiting == 0 {
            return Ok(total);
        }
        let count = waiting.min(buffer.len());
        // SAFETY: `buffer` has room for `count` bytes, and is ours to be written to.
        match unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), count, 0) } {
            -1 => return Err(Stop::failed("recv")),
            count => total += count as usize,
        }
    }
}

/// What recv says when there is nothing left to read.
fn last_word(fd: libc::c_int) -> Result<String, Stop> {
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    match unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } {
        -1 => Ok(format!("{:?}", Errno::last())),
        0 => Ok("end of file".to_string()),
        count => Err(Stop::unexpected(format!("there were {count} bytes left to read"))),
    }
}

fn shutdown_first() -> Result<(), Stop> {
    let (server, reader) = slow_reader()?;
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(server, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }

    lab::stop_watching();
    let read = read_what_is_there(reader)?;
    lab::watch_again();
    println!("The reader got {read} of 20000, then {}", last_word(reader)?);
    // SAFETY: `reader` is ours, and is not used after this line.
    if unsafe { libc::close(reader) } == -1 {
        return Err(Stop::failed("close"));
    }

    let mut buffer = [0_u8; 64];
    loop {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        match unsafe { libc::recv(server, buffer.as_mut_ptr().cast(), buffer.len(), 0) } {
            -1 => return Err(Stop::failed("recv")),
            0 => break,
            _ => {} // What the reader said is not wanted any more. But it had to be read.
        }
    }
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

fn other_goodbyes() -> Result<(), Stop> {
    goodbye("shutdown(SHUT_RDWR), close:   ", |server| shut(server, libc::SHUT_RDWR))?;
    goodbye("SO_LINGER of 5 s, close:      ", |server| linger(server, 5))?;
    goodbye("SO_LINGER of 0 s, close:      ", |server| linger(server, 0))?;
    goodbye("shutdown(SHUT_WR), read, close:", |server| {
        shut(server, libc::SHUT_WR)?;
        hear(server, 3)
    })
}

/// Lets a server say goodbye in this way before it closes, and prints what the reader got.
fn goodbye(name: &str, way: impl Fn(libc::c_int) -> Result<(), Stop>) -> Result<(), Stop> {
    let (server, reader) = slow_reader()?;
    way(server)?;
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }
    lab::stop_watching();
    let read = read_what_is_there(reader)?;
    lab::watch_again();
    println!("{name} {}, then {}", if read == MUCH.len() { "all" } else { "not all" }, last_word(reader)?);
    Ok(())
}

fn shut(fd: libc::c_int, how: libc::c_int) -> Result<(), Stop> {
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(fd, how) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    Ok(())
}

/// "close waits until all is sent, so many seconds at most"; with 0 it sends nothing more, and resets.
fn linger(fd: libc::c_int, seconds: libc::c_int) -> Result<(), Stop> {
    let linger = libc::linger { l_onoff: 1, l_linger: seconds };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: `linger` has `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    Ok(())
}

fn refusals() -> Result<(), Stop> {
    // A number that is not open.
    refused(-1)?;

    // SAFETY: the path ends in a zero byte, and open only reads it.
    let file = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return Err(Stop::failed("open"));
    }
    refused(file)?;

    // Sockets that are connected to nobody.
    for (family, kind) in
        [(libc::AF_INET, libc::SOCK_STREAM), (libc::AF_UNIX, libc::SOCK_STREAM), (libc::AF_INET, libc::SOCK_DGRAM)]
    {
        // SAFETY: socket takes three numbers and no pointer.
        let alone = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
        if alone == -1 {
            return Err(Stop::failed("socket"));
        }
        refused(alone)?;
    }

    // One that has said itself that nothing more will come.
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }
    let [client, server] = pair;
    shut(client, libc::SHUT_WR)?;
    refused(client)?;

    // An address at which there is no memory.
    // SAFETY: the kernel looks at the pointer, finds nothing there, and says so; nobody else follows it.
    if unsafe { libc::send(server, ptr::without_provenance(8), 1, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("bytes were sent from nowhere"));
    }
    Ok(())
}

/// A send of one byte, which must fail.
fn refused(fd: libc::c_int) -> Result<(), Stop> {
    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(fd, b"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("it was sent"));
    }
    Ok(())
}

fn datagrams() -> Result<(), Stop> {
    let (sender, receiver) = datagram_pair()?;
    let data = [b'x'; 65508];
    // SAFETY: the pointer is to more than so many bytes, which send only reads.
    if unsafe { libc::send(sender, data.as_ptr().cast(), 65507, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: the pointer is to so many bytes, which send only reads.
    if unsafe { libc::send(sender, data.as_ptr().cast(), 65508, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("a datagram was too long, and was sent"));
    }
    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(sender, data.as_ptr().cast(), 1, libc::MSG_NOSIGNAL | libc::MSG_OOB) } != -1 {
        return Err(Stop::unexpected("a datagram was out of band"));
    }

    // SAFETY: `receiver` is ours, and is not used after this line.
    if unsafe { libc::close(receiver) } == -1 {
        return Err(Stop::failed("close"));
    }
    say(sender, b"hello")?;
    // SAFETY: as for the others.
    if unsafe { libc::send(sender, data.as_ptr().cast(), 5, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("nobody is there, and a second send worked"));
    }
    Ok(())
}
