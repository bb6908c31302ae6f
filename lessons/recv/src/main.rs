//! The experiments of the chapter `recv`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-recv`.

mod errnos;

use std::fs;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lesson, Stop, calls, prints};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "recv",
    experiments: &[
        Experiment {
            name: "first-recv",
            shows: "The other end sends eleven bytes and closes. This end calls recv three times.",
            notice: "First the bytes, then 0, then 0 again: the end of the stream is for ever.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "11 0 0"),
                prints("11 bytes: \"Hello World\"\n0 bytes: \"\"\n0 bytes: \"\"\n"),
            ])],
            play: first_recv,
        },
        Experiment {
            name: "nix-form",
            shows: "The same calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "11 0 0")])],
            play: nix_form,
        },
        Experiment {
            name: "in-fours",
            shows: "Eleven bytes are sent in one call and received with room for four.",
            notice: "recv took as many as there was room for. What it did not take stayed for the next one.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "11"), calls("recvfrom", "4 4 3")])],
            play: in_fours,
        },
        Experiment {
            name: "not-all-yet",
            shows: "Three bytes are sent, and recv has room for a thousand; then three more are sent.",
            notice: "recv waits for something, and never for all: it returned with three.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "3 3"), calls("recvfrom", "3 3")])],
            play: not_all_yet,
        },
        Experiment {
            name: "cut-characters",
            shows: "The text \"naïve ☃\" is received three bytes at a time.",
            notice: "None of the four pieces is text: two characters were cut. Bytes become text when all of them are there.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "3 3 3 1 0"),
                prints("[6e, 61, c3] is no text\n"),
                prints("together: naïve ☃\n"),
            ])],
            play: cut_characters,
        },
        Experiment {
            name: "whose-address",
            shows: "recvfrom, which can tell the sender's address, on a TCP connection and on a UDP socket.",
            notice: "On TCP the length of the address comes back as 0: nothing was written. Ask getpeername, or accept.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "5 5"),
                prints("TCP: an address of 0 bytes\nUDP: an address of 16 bytes, from 127.0.0.1\n"),
            ])],
            play: whose_address,
        },
        Experiment {
            name: "half-close",
            shows: "The client says that it has finished sending, with shutdown. The server reads 0, and answers.",
            notice: "0 means \"no more comes from there\". The client is not gone: it hears the answer.",
            outcomes: &[Expected::anywhere(&[
                calls("shutdown", "0"),
                calls("recvfrom", "8 0 6"),
                calls("sendto", "8 6"),
            ])],
            play: half_close,
        },
        Experiment {
            name: "no-room",
            shows: "recv with a buffer of no bytes: on a silent connection with a limit of 30 ms, without waiting, then with a \
                    byte there, and at the end of the stream.",
            notice: "0 came three times: after the wait, with a byte there, and at the end of the stream. Only the last one is the end.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "1"),
                calls("recvfrom", "0 EAGAIN 0 1 0"),
                prints("With no room it waited "),
            ])],
            play: no_room,
        },
        Experiment {
            name: "my-own-shutdown",
            shows: "A server shuts its own receiving side, SHUT_RD, and receives; then the client sends.",
            notice: "0 came of its own shutdown. And the shutdown shut nothing: what the client sent was taken, and read.",
            outcomes: &[Expected::anywhere(&[
                calls("shutdown", "0"),
                calls("sendto", "8"),
                calls("recvfrom", "0 8 0"),
            ])],
            play: my_own_shutdown,
        },
        Experiment {
            name: "empty-datagram",
            shows: "Two UDP datagrams arrive: one of no bytes, and one of five.",
            notice: "A message of no bytes is a message. Here 0 says so, and nothing has ended.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "0 5"), calls("recvfrom", "0 5")])],
            play: empty_datagram,
        },
        Experiment {
            name: "borders",
            shows: "Three messages are sent with three calls and received with one; then one is sent with one call and received \
                    with three.",
            notice: "The stream keeps the bytes and their order. It does not keep the cuts.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "3 3 5 6"), calls("recvfrom", "11 2 2 2")])],
            play: borders,
        },
        Experiment {
            name: "frames",
            shows: "Two messages come in one piece, each behind its length in four bytes. The receiver asks for four bytes, \
                    then for as many as they say.",
            notice: "Each recv asked for what was due and for no byte more, so the borders were found where the sender had put them.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "19"),
                calls("recvfrom", "4 5 4 6 0"),
                prints("a message of 5: \"hello\"\na message of 6: \"worlds\"\nno more messages\n"),
            ])],
            play: frames,
        },
        Experiment {
            name: "nonblocking",
            shows: "A socket is made non-blocking, as the deck's setblocking(0) does it. Nothing is there; then five bytes are; \
                    then the other end has closed.",
            notice: "EAGAIN is \"not now\". It is neither data nor the end, and not a failure either.",
            outcomes: &[Expected::anywhere(&[
                calls("ioctl", "0"),
                calls("recvfrom", "EAGAIN 5 0"),
                prints("O_NONBLOCK is set\n"),
            ])],
            play: nonblocking,
        },
        Experiment {
            name: "this-time-only",
            shows: "One recv with MSG_DONTWAIT on a blocking socket, and then a look at the socket's flags.",
            notice: "The same answer for one call, and the socket is as it was.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "EAGAIN"), prints("O_NONBLOCK is not set\n")])],
            play: this_time_only,
        },
        Experiment {
            name: "limit",
            shows: "SO_RCVTIMEO is set to 50 milliseconds, and nobody sends. The same with half a millisecond.",
            notice: "EAGAIN, the same errno as that of a non-blocking socket, and not ETIMEDOUT.",
            outcomes: &[Expected::anywhere(&[
                calls("setsockopt", "0 0"),
                calls("recvfrom", "EAGAIN EAGAIN"),
                prints("asked for 50.0 ms, waited"),
            ])],
            play: limit,
        },
        Experiment {
            name: "for-ever",
            shows: "A new connection is asked for its limit; then it gets one of zero.",
            notice: "Zero is what it had: as an option's value it means \"no limit\". To not wait at all is another flag.",
            outcomes: &[Expected::anywhere(&[
                calls("getsockopt", "0 0"),
                prints("at first: 0 s and 0 µs\nafterwards: 0 s and 0 µs\n"),
            ])],
            play: for_ever,
        },
        Experiment {
            name: "poll-first",
            shows: "poll waits for something to receive: for 50 milliseconds, in vain; then for a second at most, with five bytes there.",
            notice: "poll has the limit, and recv does not wait at all. The socket is as it was before.",
            outcomes: &[Expected::anywhere(&[
                calls("poll", "0 1"),
                calls("recvfrom", "5"),
                prints("asked for 50.0 ms, waited"),
            ])],
            play: poll_first,
        },
        Experiment {
            name: "ask-poll",
            shows: "poll is asked for one event, POLLIN, in six situations.",
            notice: "The end of the stream and the reset are readable too. POLLHUP came when both directions had ended, and not with \
                     the end of one.",
            outcomes: &[Expected::anywhere(&[
                calls("poll", "0 1 1 1 1 1"),
                prints(
                    "silence:            nothing\nfive bytes:         POLLIN\nbytes and the end:  POLLIN\nthe end:            \
                     POLLIN\nthe end of both:    POLLIN POLLHUP\na reset:            POLLIN POLLERR POLLHUP\n",
                ),
            ])],
            play: ask_poll,
        },
        Experiment {
            name: "signals",
            shows: "A signal comes while recv waits: with a handler that is to restart calls (SA_RESTART), with one that is not, and \
                    with one that is and a limit on the socket.",
            notice: "SA_RESTART helped once. On a socket with SO_RCVTIMEO recv is never restarted.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "ERESTARTSYS 1 ERESTARTSYS EINTR"),
                prints("SA_RESTART:           recv returned 1\n"),
                prints("no SA_RESTART:        recv said EINTR\n"),
                prints("SA_RESTART and limit: recv said EINTR\n"),
            ])],
            play: signals,
        },
        Experiment {
            name: "peek",
            shows: "Five bytes wait. recv looks at three with MSG_PEEK, takes three with MSG_TRUNC, and takes the rest.",
            notice: "MSG_PEEK takes nothing away. MSG_TRUNC on TCP takes and does not give: the buffer is as it was.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "3 3 2"),
                prints("MSG_PEEK:  3, and the buffer holds \"hel\"\nMSG_TRUNC: 3, and the buffer holds \"...\"\n"),
                prints("the rest:  2, and the buffer holds \"lo.\"\n"),
            ])],
            play: peek,
        },
        Experiment {
            name: "cut-datagrams",
            shows: "Two UDP datagrams of eleven bytes are received with room for four: plainly, and with MSG_TRUNC. Then we look for the rest.",
            notice: "The rest of a datagram is thrown away, and a plain recv does not say so. Here MSG_TRUNC tells the true length.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "11 11"), calls("recvfrom", "4 11 EAGAIN")])],
            play: cut_datagrams,
        },
        Experiment {
            name: "wait-for-all",
            shows: "MSG_WAITALL for ten bytes. Three come, and then: seven more, the limit of the socket, a signal, or the end.",
            notice: "It waits for all, unless something happens. Whoever needs ten bytes needs the loop all the same.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "10 3 3 3"),
                prints("all ten: 10\na limit: 3\na signal: 3\nthe end: 3\n"),
            ])],
            play: wait_for_all,
        },
        Experiment {
            name: "reply-then-reset",
            shows: "The server sends five bytes and then resets the connection. The client receives three times.",
            notice: "The reset did not eat what had arrived before it. It is told once; then recv says 0, as at any end.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "5"), calls("recvfrom", "5 ECONNRESET 0")])],
            play: reply_then_reset,
        },
        Experiment {
            name: "send-hears-it",
            shows: "The same, but the client sends before it receives.",
            notice: "The error was told to send. recv gives the bytes, then 0: a broken connection that looks like a tidy end.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "5 ECONNRESET"), calls("recvfrom", "5 0")])],
            play: send_hears_it,
        },
        Experiment {
            name: "peek-hears-it",
            shows: "A connection is reset, and nothing was sent. The client looks with MSG_PEEK, and then receives.",
            notice: "MSG_PEEK leaves the bytes where they are, and takes the error away.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "ECONNRESET 0")])],
            play: peek_hears_it,
        },
        Experiment {
            name: "closed-elsewhere",
            shows: "One thread sleeps in recv, and another one closes the descriptor. It looks at the client's end, and lets the \
                    client send a byte.",
            notice: "close woke nobody, and told the client nothing. Only when recv had returned did the client hear the end.",
            outcomes: &[Expected::anywhere(&[calls("poll", "0"), calls("sendto", "1"), calls("recvfrom", "1 0")])],
            play: closed_elsewhere,
        },
        Experiment {
            name: "shut-elsewhere",
            shows: "One thread sleeps in recv, and another one calls shutdown.",
            notice: "recv returned 0 at once, and the client hears the end of the stream.",
            outcomes: &[Expected::anywhere(&[calls("shutdown", "0"), calls("recvfrom", "0 0")])],
            play: shut_elsewhere,
        },
        Experiment {
            name: "refusals",
            shows: "recv on a number that is not open, a file, a fresh TCP socket, a listener and a fresh unix socket; for urgent data \
                    that nobody sent; and with a bad pointer.",
            notice: "A socket that is not connected has nothing to give. After the bad pointer the bytes were still there.",
            outcomes: &[Expected::anywhere(&[calls(
                "recvfrom",
                "EBADF ENOTSOCK ENOTCONN ENOTCONN EINVAL EINVAL EFAULT 5",
            )])],
            play: refusals,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_recv() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"Hello World")?;
    close(client)?;

    for _ in 1..=3 {
        let mut buffer = [0_u8; 1024];
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if count == -1 {
            return Err(Stop::failed("recv"));
        }
        let bytes = &buffer[..count as usize];
        println!("{count} bytes: {:?}", String::from_utf8_lossy(bytes));
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"Hello World")?;
    nix::unistd::close(client)?;

    for _ in 1..=3 {
        let mut buffer = [0; 1024];
        let count = recv(connection, &mut buffer, MsgFlags::empty())?;
        println!("{count} bytes: {:?}", String::from_utf8_lossy(&buffer[..count]));
    }
    Ok(())
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// 127.0.0.1 and this port as the kernel reads them.
fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

/// Two ends of a connection: the client's, and the server's, which came from accept. How a server is made has been shown
/// in the chapters before, and is left out of the trace.
fn conversation() -> Result<(libc::c_int, libc::c_int), Stop> {
    lab::stop_watching();
    let (server, address) = bound(libc::SOCK_STREAM)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    lab::watch_again();

    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    Ok((client, connection))
}

/// A socket of this kind at a free port of 127.0.0.1, and its address.
fn bound(kind: libc::c_int) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok((fd, address))
}

/// Sends these few bytes, in one call.
fn say(fd: libc::c_int, bytes: &[u8]) -> Result<(), Stop> {
    // SAFETY: the pointer is to as many bytes as we say, and send only reads them.
    let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    match usize::try_from(count) {
        Err(_) => Err(Stop::failed("send")),
        Ok(count) if count < bytes.len() => Err(Stop::unexpected("a few bytes did not fit into a new connection")),
        Ok(_) => Ok(()),
    }
}

/// Closes this end.
fn close(fd: libc::c_int) -> Result<(), Stop> {
    // SAFETY: `fd` is ours, and is not used after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

/// Resets this connection: a socket that is closed with SO_LINGER at zero does not say goodbye.
fn reset(fd: libc::c_int) -> Result<(), Stop> {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let (from, size) = ((&raw const at_once).cast(), size_of::<libc::linger>() as libc::socklen_t);
    // SAFETY: `at_once` is a linger of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    close(fd)
}

/// Waits until this has come: POLLIN for something to receive, 0 for a reset. Loopback is quick, and may still take a moment. It
/// is left out of the trace.
fn await_at(fd: libc::c_int, events: libc::c_short) -> Result<(), Stop> {
    lab::stop_watching();
    let mut question = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    let ready = unsafe { libc::poll(&raw mut question, 1, 5000) };
    lab::watch_again();
    match ready {
        1 => Ok(()),
        _ => Err(Stop::unexpected("nothing arrived within five seconds")),
    }
}

fn in_fours() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello world")?;

    let mut buffer = [0_u8; 4];
    for _ in 1..=3 {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn not_all_yet() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let mut buffer = [0_u8; 1000];
    for part in [b"one", b"two"] {
        say(client, part)?;
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn cut_characters() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, "naïve ☃".as_bytes())?;
    close(client)?;

    let mut all = Vec::new();
    loop {
        let mut buffer = [0_u8; 3];
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let piece = match count {
            -1 => return Err(Stop::failed("recv")),
            0 => break,
            count => &buffer[..count as usize],
        };
        match str::from_utf8(piece) {
            Ok(text) => println!("{piece:02x?} is {text:?}"),
            Err(_) => println!("{piece:02x?} is no text"),
        }
        all.extend_from_slice(piece);
    }
    match str::from_utf8(&all) {
        Ok(text) => println!("together: {text}"),
        Err(error) => return Err(Stop::unexpected(format!("all of it together is no text either: {error}"))),
    }
    Ok(())
}

fn whose_address() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello")?;
    let mut buffer = [0_u8; 64];
    let mut sender = loopback(0);
    let mut length = LENGTH;
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` has `room` bytes and `sender` has `length`; all three are ours to be written to.
    if unsafe { libc::recvfrom(connection, to, room, 0, (&raw mut sender).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("recvfrom"));
    }
    println!("TCP: an address of {length} bytes");

    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    datagram(address, b"hello")?;
    let mut length = LENGTH;
    // SAFETY: as above.
    if unsafe { libc::recvfrom(receiver, to, room, 0, (&raw mut sender).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("recvfrom"));
    }
    let [a, b, c, d] = sender.sin_addr.s_addr.to_ne_bytes();
    println!("UDP: an address of {length} bytes, from {a}.{b}.{c}.{d}");
    Ok(())
}

/// Sends one UDP datagram to this address, from a new socket.
fn datagram(to: libc::sockaddr_in, bytes: &[u8]) -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = (&raw const to).cast();
    // SAFETY: the pointers are to as many bytes as we say, and to a sockaddr_in; sendto only reads both.
    if unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, address, LENGTH) } == -1 {
        return Err(Stop::failed("sendto"));
    }
    close(fd)
}

fn half_close() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"question")?;
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(client, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }

    // The server reads to the end …
    let mut buffer = [0_u8; 64];
    loop {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        match unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } {
            -1 => return Err(Stop::failed("recv")),
            0 => break,
            _ => {}
        }
    }
    // … and there is still somebody to talk to.
    say(connection, b"answer")?;
    // SAFETY: as above.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn no_room() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    set_limit(connection, 30_000)?;
    let mut buffer = [0_u8; 4];
    let to = buffer.as_mut_ptr().cast();

    let start = Instant::now();
    // SAFETY: recv may write no byte to `buffer`.
    if unsafe { libc::recv(connection, to, 0, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    let waited = start.elapsed();
    if waited < Duration::from_millis(30) {
        return Err(Stop::unexpected("recv did not wait"));
    }
    println!("With no room it waited {:.1} ms.", waited.as_secs_f64() * 1000.0);
    // SAFETY: as above.
    if unsafe { libc::recv(connection, to, 0, libc::MSG_DONTWAIT) } != -1 {
        return Err(Stop::unexpected("recv found something"));
    }

    say(client, b"q")?;
    await_at(connection, libc::POLLIN)?;
    // Room for none, although there is a byte; and then room for four.
    for room in [0, 4] {
        // SAFETY: `buffer` has room for four bytes, and is ours to be written to.
        if unsafe { libc::recv(connection, to, room, 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }

    close(client)?;
    await_at(connection, libc::POLLIN)?;
    // SAFETY: recv may write no byte to `buffer`.
    if unsafe { libc::recv(connection, to, 0, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

/// How long a recv may wait on this socket, in microseconds.
fn set_limit(fd: libc::c_int, microseconds: libc::suseconds_t) -> Result<(), Stop> {
    let limit = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let (from, size) = ((&raw const limit).cast(), size_of::<libc::timeval>() as libc::socklen_t);
    // SAFETY: `limit` is a timeval of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    Ok(())
}

fn my_own_shutdown() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(connection, libc::SHUT_RD) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    let mut buffer = [0_u8; 64];
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` has `room` bytes, and is ours to be written to.
    if unsafe { libc::recv(connection, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }

    say(client, b"surprise")?;
    arrives(connection, 8)?;
    for _ in 1..=2 {
        // SAFETY: as above.
        if unsafe { libc::recv(connection, to, room, 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

/// Waits until so many bytes lie in the receive buffer. poll cannot be asked here: what is shut is always readable. It is left
/// out of the trace.
fn arrives(fd: libc::c_int, bytes: libc::c_int) -> Result<(), Stop> {
    lab::stop_watching();
    let start = Instant::now();
    loop {
        let mut waiting: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int, and `waiting` is one.
        if unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut waiting) } == -1 {
            return Err(Stop::failed("ioctl"));
        }
        if waiting == bytes {
            lab::watch_again();
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(5) {
            return Err(Stop::unexpected(format!("{waiting} bytes of {bytes} arrived within five seconds")));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn empty_datagram() -> Result<(), Stop> {
    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    datagram(address, b"")?;
    datagram(address, b"hello")?;

    let mut buffer = [0_u8; 64];
    for _ in 1..=2 {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(receiver, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn borders() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let mut buffer = [0_u8; 64];
    for message in ["one", "two", "three"] {
        say(client, message.as_bytes())?;
    }
    arrives(connection, 11)?;
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }

    say(client, b"onetwo")?;
    arrives(connection, 6)?;
    for _ in 1..=3 {
        // SAFETY: `buffer` has room for two bytes, and is ours to be written to.
        if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), 2, 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn frames() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"\x00\x00\x00\x05hello\x00\x00\x00\x06worlds")?;
    close(client)?;

    loop {
        let mut header = [0_u8; 4];
        match fill(connection, &mut header)? {
            0 => break, // the end, and no message was begun
            4 => {}
            count => return Err(Stop::unexpected(format!("the stream ended after {count} bytes of a length"))),
        }
        let mut message = vec![0_u8; u32::from_be_bytes(header) as usize];
        if fill(connection, &mut message)? < message.len() {
            return Err(Stop::unexpected("the stream ended inside a message"));
        }
        println!("a message of {}: {:?}", message.len(), String::from_utf8_lossy(&message));
    }
    println!("no more messages");
    Ok(())
}

/// Receives until the buffer is full or the stream ends, and tells how much came.
fn fill(fd: libc::c_int, buffer: &mut [u8]) -> Result<usize, Stop> {
    let mut filled = 0;
    while filled < buffer.len() {
        let room = &mut buffer[filled..];
        // SAFETY: `room` has room for as many bytes as we say, and is ours to be written to.
        match unsafe { libc::recv(fd, room.as_mut_ptr().cast(), room.len(), 0) } {
            -1 => return Err(Stop::failed("recv")),
            0 => break,
            count => filled += count as usize,
        }
    }
    Ok(filled)
}

fn nonblocking() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let yes: libc::c_int = 1;
    // SAFETY: FIONBIO reads one int, and `yes` is one.
    if unsafe { libc::ioctl(connection, libc::FIONBIO, &raw const yes) } == -1 {
        return Err(Stop::failed("ioctl"));
    }
    tell_mode(connection)?;

    let mut buffer = [0_u8; 64];
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` has `room` bytes, and is ours to be written to.
    if unsafe { libc::recv(connection, to, room, 0) } != -1 || Errno::last() != Errno::EAGAIN {
        return Err(Stop::unexpected("recv found something in a new connection"));
    }
    say(client, b"hello")?;
    await_at(connection, libc::POLLIN)?;
    // SAFETY: as above.
    if unsafe { libc::recv(connection, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    close(client)?;
    await_at(connection, libc::POLLIN)?;
    // SAFETY: as above.
    if unsafe { libc::recv(connection, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

/// Says whether calls on this socket wait.
fn tell_mode(fd: libc::c_int) -> Result<(), Stop> {
    // SAFETY: F_GETFL takes no third argument.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags == -1 {
        return Err(Stop::failed("fcntl"));
    }
    let is_set = if flags & libc::O_NONBLOCK == 0 { "is not set" } else { "is set" };
    println!("O_NONBLOCK {is_set}");
    Ok(())
}

fn this_time_only() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
    if count != -1 || Errno::last() != Errno::EAGAIN {
        return Err(Stop::unexpected("recv found something in a new connection"));
    }
    tell_mode(connection)
}

fn limit() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    let mut buffer = [0_u8; 64];
    for microseconds in [50_000, 500] {
        set_limit(connection, microseconds)?;
        let start = Instant::now();
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let waited = start.elapsed();
        if count != -1 {
            return Err(Stop::unexpected("recv found something in a new connection"));
        }
        println!("asked for {:.1} ms, waited {:.1} ms", microseconds as f64 / 1000.0, waited.as_secs_f64() * 1000.0);
    }
    Ok(())
}

fn for_ever() -> Result<(), Stop> {
    let (_client, connection) = conversation()?;
    println!("at first: {}", limit_of(connection)?);
    set_limit(connection, 0)?;
    println!("afterwards: {}", limit_of(connection)?);
    Ok(())
}

/// The limit of this socket, in words.
fn limit_of(fd: libc::c_int) -> Result<String, Stop> {
    let mut limit = libc::timeval { tv_sec: -1, tv_usec: -1 };
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    let to = (&raw mut limit).cast();
    // SAFETY: `limit` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, to, &raw mut length) } == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    Ok(format!("{} s and {} µs", limit.tv_sec, limit.tv_usec))
}

fn poll_first() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let mut question = libc::pollfd { fd: connection, events: libc::POLLIN, revents: 0 };
    let start = Instant::now();
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    if unsafe { libc::poll(&raw mut question, 1, 50) } != 0 {
        return Err(Stop::unexpected("poll found something in a new connection"));
    }
    println!("asked for 50.0 ms, waited {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);

    say(client, b"hello")?;
    // SAFETY: as above.
    if unsafe { libc::poll(&raw mut question, 1, 1000) } != 1 {
        return Err(Stop::unexpected("five bytes did not arrive in time"));
    }
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn ask_poll() -> Result<(), Stop> {
    let (_silent, silence) = conversation()?;
    let (talker, talk) = conversation()?;
    say(talker, b"hello")?;
    let (leaver, words_and_end) = conversation()?;
    say(leaver, b"hello")?;
    close(leaver)?;
    let (leaver, end) = conversation()?;
    close(leaver)?;
    let (leaver, both_ended) = conversation()?;
    close(leaver)?;
    await_at(both_ended, libc::POLLIN)?;
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(both_ended, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    let (breaker, broken) = conversation()?;
    reset(breaker)?;
    await_at(broken, 0)?;

    let situations = [
        ("silence:", silence),
        ("five bytes:", talk),
        ("bytes and the end:", words_and_end),
        ("the end:", end),
        ("the end of both:", both_ended),
        ("a reset:", broken),
    ];
    for (situation, fd) in situations {
        // Nothing ever comes to the first one; for the others there is time enough.
        let patience = if fd == silence { 0 } else { 5000 };
        let mut question = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
        if unsafe { libc::poll(&raw mut question, 1, patience) } == -1 {
            return Err(Stop::failed("poll"));
        }
        println!("{situation:19} {}", poll_words(question.revents));
    }
    Ok(())
}

/// What poll said, in its own words.
fn poll_words(events: libc::c_short) -> String {
    let names = [("POLLIN", libc::POLLIN), ("POLLERR", libc::POLLERR), ("POLLHUP", libc::POLLHUP)];
    let words: Vec<&str> = names.into_iter().filter(|(_, bit)| events & bit != 0).map(|(name, _)| name).collect();
    if words.is_empty() { "nothing".to_string() } else { words.join(" ") }
}

/// How many signals were handled.
static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_it(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// From now on SIGUSR1 is handled: calls that it interrupts are to be restarted, or not.
fn handle(flags: libc::c_int) -> Result<(), Stop> {
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value: no flags, and no other signal is blocked.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = count_it as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = flags;
    // SAFETY: `action` is a sigaction, whose handler does nothing but count.
    if unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    Ok(())
}

fn signals() -> Result<(), Stop> {
    let (client, connection) = conversation()?;

    handle(libc::SA_RESTART)?;
    let count = recv_while(connection, 4, 0, |sleeper| {
        sleeper.interrupt()?;
        say(client, b"x")
    })?;
    println!("SA_RESTART:           recv {}", in_words(count));

    handle(0)?;
    let count = recv_while(connection, 4, 0, |sleeper| sleeper.interrupt())?;
    println!("no SA_RESTART:        recv {}", in_words(count));

    handle(libc::SA_RESTART)?;
    set_limit(connection, 900_000)?;
    let count = recv_while(connection, 4, 0, |sleeper| sleeper.interrupt())?;
    println!("SA_RESTART and limit: recv {}", in_words(count));
    Ok(())
}

fn in_words(result: Result<usize, Errno>) -> String {
    match result {
        Ok(count) => format!("returned {count}"),
        Err(errno) => format!("said {errno:?}"),
    }
}

/// Receives, and has a second thread do something meanwhile: as soon as this one sleeps in recv.
fn recv_while(
    fd: libc::c_int,
    room: usize,
    flags: libc::c_int,
    meanwhile: impl FnOnce(&Sleeper) -> Result<(), Stop> + Send,
) -> Result<Result<usize, Errno>, Stop> {
    let sleeper = Sleeper::me()?;
    let mut buffer = [0_u8; 64];
    let room = &mut buffer[..room];
    let result = thread::scope(|scope| {
        lab::stop_watching();
        let second = scope.spawn(|| {
            sleeper.falls_asleep()?;
            meanwhile(&sleeper)
        });
        lab::watch_again(); // How a thread is started is not what this is about.
        // SAFETY: `room` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(fd, room.as_mut_ptr().cast(), room.len(), flags) };
        let result = usize::try_from(count).map_err(|_| Errno::last());
        match second.join() {
            Ok(done) => done.map(|()| result),
            Err(_) => Err(Stop::unexpected("the second thread panicked")),
        }
    })?;
    alone()?;
    Ok(result)
}

/// Waits until this process has one thread only: one that was joined may take a moment to be gone, and its end is in the trace.
fn alone() -> Result<(), Stop> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let threads = fs::read_dir("/proc/self/task")
            .map_err(|error| Stop::unexpected(format!("/proc/self/task cannot be read: {error}")))?;
        if threads.count() == 1 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(Stop::unexpected("the second thread was not gone after five seconds"))
}

/// A thread that will sleep in a system call.
struct Sleeper {
    thread: libc::pthread_t,
    /// Where the kernel tells its state: /proc/PID/task/TID/stat.
    stat: PathBuf,
}

impl Sleeper {
    /// The thread that calls this.
    fn me() -> Result<Sleeper, Stop> {
        let me = fs::read_link("/proc/thread-self")
            .map_err(|error| Stop::unexpected(format!("/proc/thread-self cannot be read: {error}")))?;
        // SAFETY: pthread_self has no conditions.
        let thread = unsafe { libc::pthread_self() };
        Ok(Sleeper { thread, stat: PathBuf::from("/proc").join(me).join("stat") })
    }

    /// Waits until it sleeps: state S.
    fn falls_asleep(&self) -> Result<(), Stop> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let stat = fs::read_to_string(&self.stat)
                .map_err(|error| Stop::unexpected(format!("{} cannot be read: {error}", self.stat.display())))?;
            // The state stands behind the program's name, which is in parentheses.
            if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S')) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(Stop::unexpected("recv did not begin to wait within five seconds"))
    }

    /// Sends it SIGUSR1, and waits until that was handled.
    fn interrupt(&self) -> Result<(), Stop> {
        let before = HANDLED.load(Ordering::SeqCst);
        // SAFETY: the thread lives: it is the one that waits for this one to end.
        let error = unsafe { libc::pthread_kill(self.thread, libc::SIGUSR1) };
        if error != 0 {
            let error = io::Error::from_raw_os_error(error);
            return Err(Stop::unexpected(format!("the signal could not be sent: {error}")));
        }
        let start = Instant::now();
        while HANDLED.load(Ordering::SeqCst) == before {
            if start.elapsed() > Duration::from_secs(5) {
                return Err(Stop::unexpected("the signal was not handled within five seconds"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn peek() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello")?;
    arrives(connection, 5)?;
    for (name, flags) in [("MSG_PEEK: ", libc::MSG_PEEK), ("MSG_TRUNC:", libc::MSG_TRUNC), ("the rest: ", 0)] {
        let mut buffer = *b"...";
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
        if count == -1 {
            return Err(Stop::failed("recv"));
        }
        println!("{name} {count}, and the buffer holds {:?}", String::from_utf8_lossy(&buffer));
    }
    Ok(())
}

fn cut_datagrams() -> Result<(), Stop> {
    let (receiver, address) = bound(libc::SOCK_DGRAM)?;
    datagram(address, b"hello world")?;
    datagram(address, b"HELLO WORLD")?;

    let mut buffer = [0_u8; 4];
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    for flags in [0, libc::MSG_TRUNC] {
        // SAFETY: `buffer` has `room` bytes, and is ours to be written to.
        if unsafe { libc::recv(receiver, to, room, flags) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    // SAFETY: as above.
    if unsafe { libc::recv(receiver, to, room, libc::MSG_DONTWAIT) } != -1 {
        return Err(Stop::unexpected("the rest of a datagram was kept"));
    }
    Ok(())
}

fn wait_for_all() -> Result<(), Stop> {
    handle(libc::SA_RESTART)?;
    for happens in ["all ten", "a limit", "a signal", "the end"] {
        let (client, connection) = conversation()?;
        say(client, b"abc")?;
        arrives(connection, 3)?;
        if happens == "a limit" {
            set_limit(connection, 30_000)?;
        }
        let count = recv_while(connection, 10, libc::MSG_WAITALL, |sleeper| match happens {
            "all ten" => say(client, b"defghij"),
            "a signal" => sleeper.interrupt(),
            "the end" => close(client),
            _ => Ok(()), // the limit comes by itself
        })?;
        match count {
            Ok(count) => println!("{happens}: {count}"),
            Err(errno) => return Err(Stop::unexpected(format!("{happens}: recv said {errno:?}"))),
        }
    }
    Ok(())
}

fn reply_then_reset() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(connection, b"reply")?;
    reset(connection)?;
    await_at(client, 0)?;

    let mut buffer = [0_u8; 64];
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` has `room` bytes, and is ours to be written to.
    if unsafe { libc::recv(client, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: as above.
    if unsafe { libc::recv(client, to, room, 0) } != -1 {
        return Err(Stop::unexpected("the reset was not told"));
    }
    // SAFETY: as above.
    if unsafe { libc::recv(client, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn send_hears_it() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(connection, b"reply")?;
    reset(connection)?;
    await_at(client, 0)?;

    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("send did not meet the reset"));
    }
    let mut buffer = [0_u8; 64];
    for _ in 1..=2 {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn peek_hears_it() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    reset(connection)?;
    await_at(client, 0)?;

    let mut buffer = [0_u8; 64];
    let (to, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` has `room` bytes, and is ours to be written to.
    if unsafe { libc::recv(client, to, room, libc::MSG_PEEK) } != -1 {
        return Err(Stop::unexpected("the reset was not told"));
    }
    // SAFETY: as above.
    if unsafe { libc::recv(client, to, room, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn closed_elsewhere() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let count = recv_while(connection, 64, 0, |_| {
        close(connection)?;
        let mut question = libc::pollfd { fd: client, events: libc::POLLIN, revents: 0 };
        // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
        if unsafe { libc::poll(&raw mut question, 1, 50) } != 0 {
            return Err(Stop::unexpected("the client heard something"));
        }
        say(client, b"x")
    })?;
    println!("The sleeping recv {}.", in_words(count));

    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn shut_elsewhere() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    let count = recv_while(connection, 64, 0, |_| {
        // SAFETY: shutdown takes two numbers and no pointer.
        if unsafe { libc::shutdown(connection, libc::SHUT_RDWR) } == -1 {
            return Err(Stop::failed("shutdown"));
        }
        Ok(())
    })?;
    println!("The sleeping recv {}.", in_words(count));

    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn refusals() -> Result<(), Stop> {
    let (client, connection) = conversation()?;
    say(client, b"hello")?;
    await_at(connection, libc::POLLIN)?;
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let file = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return Err(Stop::failed("open"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    let fresh = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    let (listener, _) = bound(libc::SOCK_STREAM)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    let fresh_unix = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fresh == -1 || fresh_unix == -1 {
        return Err(Stop::failed("socket"));
    }

    let mut buffer = [0_u8; 64];
    let (good, bad) = (buffer.as_mut_ptr().cast(), ptr::without_provenance_mut(1));
    let cases = [
        (-1, good, 0),
        (file, good, 0),
        (fresh, good, 0),
        (listener, good, 0),
        (fresh_unix, good, 0),
        (connection, good, libc::MSG_OOB),
        (connection, bad, 0),
    ];
    for (fd, to, flags) in cases {
        // SAFETY: `good` has room for 64 bytes and is ours; at address 1 there is nothing, and the kernel writes nothing there.
        if unsafe { libc::recv(fd, to, 64, flags) } != -1 {
            return Err(Stop::unexpected("recv was not refused"));
        }
    }
    // SAFETY: as above.
    if unsafe { libc::recv(connection, good, 64, 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}
