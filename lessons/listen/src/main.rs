//! The experiments of the chapter `listen`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-listen`.

mod errnos;

use std::fs;
use std::mem::{self, offset_of};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::process::ExitCode;
use std::ptr;
use std::time::Instant;

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, prints};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

/// Some experiments need a queue of a certain length.
const SMALL_LIMIT: Expected =
    Expected::on("where net.core.somaxconn is smaller than the backlog", &[cannot(Lack::QueueLimit)]);

static LESSON: Lesson = Lesson {
    name: "listen",
    experiments: &[
        Experiment {
            name: "first-listen",
            shows: "A socket gets a name, and then it listens.",
            notice: "listen returned at once. It waits for nobody; it opens the door and goes on.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("bind", "0"), calls("listen", "0")])],
            play: first_listen,
        },
        Experiment {
            name: "nix-form",
            shows: "The same calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("bind", "0"), calls("listen", "0")])],
            play: nix_form,
        },
        Experiment {
            name: "what-changes",
            shows: "A bound socket is asked whether it listens, before listen and after it, and looked for in /proc/net/tcp.",
            notice: "One option that nobody can set goes from 0 to 1, and a line appears, in state 0A, which is LISTEN.",
            outcomes: &[Expected::anywhere(&[
                calls("getsockopt", "0 0"),
                calls("listen", "0"),
                prints("bound:     SO_ACCEPTCONN 0, no line\nlistening: SO_ACCEPTCONN 1, state 0A\n"),
            ])],
            play: what_changes,
        },
        Experiment {
            name: "bound-only",
            shows: "A client knocks, and the server calls accept, at a socket that is bound and does not listen; then it listens.",
            notice: "Without listen the client is refused and accept is an error. After it the same knock is answered.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "ECONNREFUSED 0"),
                calls("accept4", "EINVAL fd"),
                calls("listen", "0"),
            ])],
            play: bound_only,
        },
        Experiment {
            name: "served-by-the-kernel",
            shows: "A client connects and sends, and the server has not called accept; then it does.",
            notice: "The connection was made, and the bytes had arrived, before accept was called: the kernel did that.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("sendto", "5"),
                calls("accept4", "fd"),
                calls("recvfrom", "5"),
            ])],
            play: served_by_the_kernel,
        },
        Experiment {
            name: "six-for-five",
            shows: "A server listens with a backlog of 5 and never accepts. Seven clients come.",
            notice: "Six are connected. The seventh is not refused: for a tenth of a second it hears nothing at all.",
            outcomes: &[
                Expected::anywhere(&[calls("listen", "0"), calls("connect", "0*6 EINPROGRESS"), calls("poll", "0")]),
                SMALL_LIMIT,
            ],
            play: six_for_five,
        },
        Experiment {
            name: "how-many-chairs",
            shows: "For six backlogs we count the clients that get in before one does not, and nobody accepts.",
            notice: "Backlog + 1, each time. (The trace shows the first row; the others would only repeat it.)",
            outcomes: &[
                Expected::anywhere(&[
                    calls("listen", "0"),
                    calls("poll", "1 0"),
                    prints(
                        "backlog   0:   1 in\nbacklog   1:   2 in\nbacklog   2:   3 in\nbacklog   5:   6 in\nbacklog  20:  21 in\n\
                     backlog 128: 129 in\n",
                    ),
                ]),
                SMALL_LIMIT,
            ],
            play: how_many_chairs,
        },
        Experiment {
            name: "accepted-do-not-count",
            shows: "A backlog of 0; three clients come one after another, and each is accepted before the next comes.",
            notice: "Three connections at once with a backlog of 0: those that are accepted sit on no chair any more.",
            outcomes: &[Expected::anywhere(&[
                calls("listen", "0"),
                calls("connect", "0 0 0"),
                calls("accept4", "fd fd fd"),
            ])],
            play: accepted_do_not_count,
        },
        Experiment {
            name: "waiting-and-room",
            shows: "A listener is asked for its queue: when nobody has come, after three clients, and after one accept.",
            notice: "Of a listening socket TCP_INFO tells two other things than of a connection: how many wait, and how many may.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("getsockopt", "0 0 0"),
                    calls("connect", "0 0 0"),
                    calls("accept4", "fd"),
                    prints(
                        "at first:         0 waiting, backlog 5\nthree clients:    3 waiting, backlog 5\none is accepted:  2 waiting, backlog 5\n",
                    ),
                ]),
                SMALL_LIMIT,
            ],
            play: waiting_and_room,
        },
        Experiment {
            name: "strange-numbers",
            shows: "One socket listens with -1, then with 100000, with 0 and with 7; each time we ask what the kernel made of it.",
            notice: "No number is an error. What is negative or too large becomes the limit, and a second listen changes the backlog.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("listen", "0 0 0 0"),
                    prints(
                        "net.core.somaxconn is 4096\nlisten(fd, -1):     4096, the limit\nlisten(fd, 100000): 4096, the limit\n\
                         listen(fd, 0):      0\nlisten(fd, 7):      7\n",
                    ),
                ]),
                Expected::on(
                    "where net.core.somaxconn is not 4096 (until Linux 5.4 it was 128)",
                    &[
                        calls("listen", "0 0 0 0"),
                        prints(", the limit\nlisten(fd, 100000): "),
                        prints(", the limit\nlisten(fd, 0):      0\nlisten(fd, 7):      7\n"),
                    ],
                ),
                SMALL_LIMIT,
            ],
            play: strange_numbers,
        },
        Experiment {
            name: "std-form",
            shows: "Rust's standard library opens a server in one call.",
            notice: "Four lines, and a backlog that nobody asked for.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("bind", "0"), calls("listen", "0")])],
            play: std_form,
        },
        Experiment {
            name: "nix-refuses",
            shows: "A backlog of 100000, once through nix and once through libc.",
            notice: "nix said EINVAL, and there is no line of it: the kernel was never asked. The kernel itself does not mind.",
            outcomes: &[Expected::anywhere(&[calls("listen", "0"), prints("nix says EINVAL\nthe kernel says 0\n")])],
            play: nix_refuses,
        },
        Experiment {
            name: "why-five",
            shows: "In a private network with the limit of 1995, net.core.somaxconn = 5, we count as before.",
            notice: "Whatever was asked for, six get in: the limit cuts silently. (The trace shows the first row.)",
            outcomes: &[
                Expected::anywhere(&[
                    calls("listen", "0"),
                    calls("poll", "1*6 0"),
                    prints("backlog  10:   6 in\nbacklog   5:   6 in\nbacklog 128:   6 in\nbacklog  -1:   6 in\n"),
                ]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
                Expected::on("where a private network's settings are read-only", &[cannot(Lack::Settings)]),
            ],
            play: why_five,
        },
        Experiment {
            name: "one-too-many",
            shows: "In a private network a client finds the queue full. Then the server accepts somebody, and the client still waits.",
            notice: "The kernel dropped its SYN and counted that. The client's own kernel sends another one after a second, \
                     and that one finds a chair.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("connect", "0 EINPROGRESS"),
                    calls("poll", "0 1"),
                    prints("state 02 (SYN_SENT)\nListenOverflows +1, ListenDrops +1\n"),
                    prints("The one too many is in, "),
                ]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
            ],
            play: one_too_many,
        },
        Experiment {
            name: "abort-on-overflow",
            shows: "In a private network with net.ipv4.tcp_abort_on_overflow = 1, a client finds the queue full.",
            notice: "Still silence: the SYN is dropped before the kernel looks at that setting.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "0 EINPROGRESS"), calls("poll", "0")]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
                Expected::on("where a private network's settings are read-only", &[cannot(Lack::Settings)]),
            ],
            play: abort_on_overflow,
        },
        Experiment {
            name: "unix-queue",
            shows: "A unix server with a backlog of 1: two clients come, then one that will not wait, one that waits a little, and, \
                    after an accept, one more.",
            notice: "The same rule, backlog + 1. But here the kernel knows both ends: EAGAIN at once, or a wait until there is room.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("listen", "0"),
                    calls("connect", "0 0 EAGAIN EAGAIN 0"),
                    calls("accept4", "fd"),
                ]),
                SMALL_LIMIT,
            ],
            play: unix_queue,
        },
        Experiment {
            name: "close-with-guests",
            shows: "One client is accepted, two are in the queue, and one of these has sent something; the server closes its \
                    listening socket.",
            notice: "Both who waited are reset, although their connects had returned 0, and the bytes are lost. The one that \
                     was accepted hears the server still.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("connect", "0 0 0 ECONNREFUSED"),
                    calls("accept4", "fd"),
                    calls("sendto", "5 5"),
                    calls("recvfrom", "ECONNRESET ECONNRESET 5"),
                ]),
                SMALL_LIMIT,
            ],
            play: close_with_guests,
        },
        Experiment {
            name: "shutdown-with-guests",
            shows: "A client is in the queue; the server shuts its listening socket down, and then calls accept.",
            notice: "shutdown ends the listening, not only the coming: the client is reset, and accept finds no listener.",
            outcomes: &[Expected::anywhere(&[
                calls("shutdown", "0"),
                calls("accept4", "EINVAL"),
                calls("recvfrom", "ECONNRESET"),
            ])],
            play: shutdown_with_guests,
        },
        Experiment {
            name: "without-bind",
            shows: "In a private network a socket that was never bound listens.",
            notice: "The kernel bound it itself: to a port of its choosing, and at the wildcard address.",
            outcomes: &[
                Expected::anywhere(&[calls("listen", "0"), calls("getsockname", "0"), prints("0.0.0.0, and a port")]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
            ],
            play: without_bind,
        },
        Experiment {
            name: "refusals",
            shows: "listen on a number that is not open, on a file, on a UDP socket, on a unix socket without a name, and on a \
                    connected one.",
            notice: "Only a stream socket that has nothing to do yet can listen, and a unix one must have its name first.",
            outcomes: &[Expected::anywhere(&[calls("listen", "EBADF ENOTSOCK EOPNOTSUPP EINVAL 0 EINVAL")])],
            play: refusals,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_listen() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }

    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(fd, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // SAFETY: `fd` is ours, and is not used after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    listen(&fd, Backlog::new(5)?)?;
    close(fd)?;
    Ok(())
}

/// 127.0.0.1 and this port as the kernel reads them.
fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// A TCP socket at a free port of 127.0.0.1, and its address: what the chapter `bind` is about, in three calls.
fn bound() -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
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

fn what_changes() -> Result<(), Stop> {
    let (fd, address) = bound()?;
    let before = (accepts_connections(fd)?, states(address)?);

    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(fd, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let after = (accepts_connections(fd)?, states(address)?);

    for (when, (option, states)) in [("bound:    ", before), ("listening:", after)] {
        match states.first() {
            None => println!("{when} SO_ACCEPTCONN {option}, no line"),
            Some(state) => println!("{when} SO_ACCEPTCONN {option}, state {state}"),
        }
    }
    Ok(())
}

/// What the kernel says to "do you listen?": 0 or 1.
fn accepts_connections(fd: libc::c_int) -> Result<libc::c_int, Stop> {
    let mut listens: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let (option, to) = (libc::SO_ACCEPTCONN, (&raw mut listens).cast());
    // SAFETY: `listens` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, to, &raw mut length) } == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    Ok(listens)
}

/// The states of the TCP sockets at this local address, as /proc/net/tcp has them: `0A` is LISTEN, `02` is SYN_SENT.
fn states(address: libc::sockaddr_in) -> Result<Vec<String>, Stop> {
    let table = fs::read_to_string("/proc/self/net/tcp")
        .map_err(|error| Stop::unexpected(format!("/proc/self/net/tcp cannot be read: {error}")))?;
    // Such as 0100007F:9105, the address as one hexadecimal number in the machine's own byte order.
    let local = format!("{:08X}:{:04X}", address.sin_addr.s_addr, u16::from_be(address.sin_port));
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let own = lines.filter(|words| words.get(1) == Some(&local.as_str()));
    Ok(own.filter_map(|words| words.get(3).map(|state| state.to_string())).collect())
}

fn bound_only() -> Result<(), Stop> {
    let (server, address) = bound()?;

    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("a client was let in where nobody listens"));
    }
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } != -1 {
        return Err(Stop::unexpected("accept found a client at a socket that does not listen"));
    }

    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    connected(address)?;
    // SAFETY: as above.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } == -1 {
        return Err(Stop::failed("accept4"));
    }
    Ok(())
}

/// A client that is connected to this address. It waits until it is.
fn connected(address: libc::sockaddr_in) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(client)
}

fn served_by_the_kernel() -> Result<(), Stop> {
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    let client = connected(address)?;
    // SAFETY: the pointer is to five bytes, which send only reads.
    if unsafe { libc::send(client, b"hello".as_ptr().cast(), 5, 0) } == -1 {
        return Err(Stop::failed("send"));
    }

    // Only now does the server do anything.
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

/// This machine must allow a queue of this length, or there is nothing to be seen.
fn room_for(backlog: u32) -> Result<(), Stop> {
    let limit = fs::read_to_string("/proc/sys/net/core/somaxconn")
        .map_err(|error| Stop::unexpected(format!("net.core.somaxconn cannot be read: {error}")))?;
    match limit.trim().parse::<u32>() {
        Ok(limit) if limit < backlog => {
            Err(Stop::cannot(Lack::QueueLimit, format!("it is {limit}, and the backlog here is {backlog}")))
        }
        _ => Ok(()),
    }
}

fn six_for_five() -> Result<(), Stop> {
    room_for(5)?;
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    for _ in 1..=6 {
        connected(address)?;
    }

    // The seventh does not wait inside connect: it would be there for more than two minutes.
    let seventh = knock(address)?;
    if is_in(seventh, 100)? {
        return Err(Stop::unexpected("a seventh client got in"));
    }
    Ok(())
}

/// A client that begins to connect to this address, and does not wait.
fn knock(address: libc::sockaddr_in) -> Result<libc::c_int, Stop> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let begun = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if begun == -1 && Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::failed("connect"));
    }
    Ok(client)
}

/// Whether a client that has knocked is connected within so many milliseconds.
fn is_in(client: libc::c_int, milliseconds: libc::c_int) -> Result<bool, Stop> {
    let mut question = libc::pollfd { fd: client, events: libc::POLLOUT, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    match unsafe { libc::poll(&raw mut question, 1, milliseconds) } {
        -1 => Err(Stop::failed("poll")),
        0 => Ok(false),
        _ if question.revents == libc::POLLOUT => Ok(true),
        _ => Err(Stop::unexpected(format!("poll said {:#x} of a client that waits", question.revents))),
    }
}

fn how_many_chairs() -> Result<(), Stop> {
    room_for(128)?;
    for backlog in [0, 1, 2, 5, 20, 128] {
        println!("backlog {backlog:3}: {:3} in", chairs(backlog)?);
        lab::stop_watching(); // From here on the trace would only repeat itself.
    }
    Ok(())
}

/// How many clients get in at a server with this backlog that never accepts.
fn chairs(backlog: libc::c_int) -> Result<usize, Stop> {
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, backlog) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let mut count = 0;
    while is_in(knock(address)?, 100)? {
        count += 1;
    }
    Ok(count)
}

fn accepted_do_not_count() -> Result<(), Stop> {
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    for _ in 1..=3 {
        connected(address)?;
        // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
        if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } == -1 {
            return Err(Stop::failed("accept4"));
        }
    }
    Ok(())
}

fn waiting_and_room() -> Result<(), Stop> {
    room_for(5)?;
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let at_first = queue(server)?;

    for _ in 1..=3 {
        connected(address)?;
    }
    let three_clients = queue(server)?;

    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } == -1 {
        return Err(Stop::failed("accept4"));
    }
    let one_accepted = queue(server)?;

    for (when, (waiting, backlog)) in
        [("at first:        ", at_first), ("three clients:   ", three_clients), ("one is accepted: ", one_accepted)]
    {
        println!("{when} {waiting} waiting, backlog {backlog}");
    }
    Ok(())
}

/// How many clients wait in a listener's queue, and the backlog that the kernel keeps for it.
fn queue(listener: libc::c_int) -> Result<(u32, u32), Stop> {
    const LISTEN: u8 = 10;
    // SAFETY: a tcp_info is plain numbers, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    // The structure grows from kernel to kernel. Up to the two numbers that we want it has 32 bytes.
    let mut length = offset_of!(libc::tcp_info, tcpi_lost) as libc::socklen_t;
    let to = (&raw mut info).cast();
    // SAFETY: `info` has room for more than `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockopt(listener, libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut length) } == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    // In any other state the two numbers count segments on their way.
    if info.tcpi_state != LISTEN {
        return Err(Stop::unexpected(format!("a listener is in state {}", info.tcpi_state)));
    }
    Ok((info.tcpi_unacked, info.tcpi_sacked))
}

fn strange_numbers() -> Result<(), Stop> {
    room_for(8)?;
    let limit = fs::read_to_string("/proc/sys/net/core/somaxconn")
        .map_err(|error| Stop::unexpected(format!("net.core.somaxconn cannot be read: {error}")))?;
    let limit = limit.trim();
    println!("net.core.somaxconn is {limit}");

    let (server, _) = bound()?;
    for backlog in [-1, 100_000, 0, 7] {
        // SAFETY: listen takes two numbers and no pointer.
        if unsafe { libc::listen(server, backlog) } == -1 {
            return Err(Stop::failed("listen"));
        }
        let (_, kept) = queue(server)?;
        let limited = if kept.to_string() == limit { ", the limit" } else { "" };
        println!("{:19} {kept}{limited}", format!("listen(fd, {backlog}):"));
    }
    Ok(())
}

fn std_form() -> Result<(), Stop> {
    match TcpListener::bind("127.0.0.1:0") {
        Ok(listener) => {
            let _open_until_the_end = listener.into_raw_fd();
            Ok(())
        }
        Err(error) => Err(Stop::unexpected(format!("TcpListener::bind said: {error}"))),
    }
}

fn nix_refuses() -> Result<(), Stop> {
    match Backlog::new(100_000) {
        Ok(_) => println!("nix says nothing"),
        Err(errno) => println!("nix says {errno:?}"),
    }

    let (server, _) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    let answer = unsafe { libc::listen(server, 100_000) };
    println!("the kernel says {answer}");
    Ok(())
}

fn why_five() -> Result<(), Stop> {
    lab::private_network()?;
    fs::write("/proc/sys/net/core/somaxconn", "5")
        .map_err(|error| Stop::cannot(Lack::Settings, format!("net.core.somaxconn cannot be set: {error}")))?;

    for backlog in [10, 5, 128, -1] {
        println!("backlog {backlog:3}: {:3} in", chairs(backlog)?);
        lab::stop_watching(); // From here on the trace would only repeat itself.
    }
    Ok(())
}

fn one_too_many() -> Result<(), Stop> {
    lab::private_network()?; // so that the counters are our own
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    connected(address)?; // sits on the only chair

    let before = (counter("ListenOverflows")?, counter("ListenDrops")?);
    let start = Instant::now();
    let client = knock(address)?;
    if is_in(client, 50)? {
        return Err(Stop::unexpected("two clients sat on one chair"));
    }
    for state in states(own_address(client)?)? {
        println!("The one too many is in state {state}{}", if state == "02" { " (SYN_SENT)" } else { "" });
    }
    let (overflows, drops) = (counter("ListenOverflows")? - before.0, counter("ListenDrops")? - before.1);
    println!("ListenOverflows +{overflows}, ListenDrops +{drops}");

    // Now there is a free chair.
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } == -1 {
        return Err(Stop::failed("accept4"));
    }
    if !is_in(client, 5000)? {
        return Err(Stop::unexpected("there was a free chair, and the client did not take it in five seconds"));
    }
    println!("The one too many is in, {:.2} s after it came.", start.elapsed().as_secs_f64());
    Ok(())
}

/// The socket's own address.
fn own_address(fd: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok(address)
}

/// One of the counters of /proc/net/netstat, which has a line of names above a line of numbers.
fn counter(name: &str) -> Result<u64, Stop> {
    let text = fs::read_to_string("/proc/self/net/netstat")
        .map_err(|error| Stop::unexpected(format!("/proc/self/net/netstat cannot be read: {error}")))?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split_whitespace().zip(numbers.split_whitespace());
    let number = pairs.find(|(found, _)| *found == name).and_then(|(_, number)| number.parse().ok());
    number.ok_or_else(|| Stop::unexpected(format!("/proc/self/net/netstat has no {name}")))
}

fn abort_on_overflow() -> Result<(), Stop> {
    lab::private_network()?;
    fs::write("/proc/sys/net/ipv4/tcp_abort_on_overflow", "1")
        .map_err(|error| Stop::cannot(Lack::Settings, format!("tcp_abort_on_overflow cannot be set: {error}")))?;

    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    connected(address)?;
    if is_in(knock(address)?, 100)? {
        return Err(Stop::unexpected("two clients sat on one chair"));
    }
    Ok(())
}

fn unix_queue() -> Result<(), Stop> {
    room_for(1)?;
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(b"demo.sock") {
        *to = *from as libc::c_char;
    }
    let length = (size_of::<libc::sa_family_t>() + "demo.sock".len() + 1) as libc::socklen_t; // with a zero byte at the end

    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }

    for _ in 1..=2 {
        // SAFETY: socket takes three numbers and no pointer.
        let client = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if client == -1 {
            return Err(Stop::failed("socket"));
        }
        // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
        if unsafe { libc::connect(client, (&raw const address).cast(), length) } == -1 {
            return Err(Stop::failed("connect"));
        }
    }

    // One that will not wait …
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes three numbers and no pointer.
    let impatient = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if impatient == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as above.
    if unsafe { libc::connect(impatient, (&raw const address).cast(), length) } == 0 {
        return Err(Stop::unexpected("a third client got in"));
    }

    // … one that waits for fifty milliseconds, where others wait without an end …
    // SAFETY: socket takes three numbers and no pointer.
    let patient = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if patient == -1 {
        return Err(Stop::failed("socket"));
    }
    let limit = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
    let size = size_of::<libc::timeval>() as libc::socklen_t;
    let from = (&raw const limit).cast();
    // SAFETY: `limit` is a timeval of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(patient, libc::SOL_SOCKET, libc::SO_SNDTIMEO, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    let start = Instant::now();
    // SAFETY: as above.
    if unsafe { libc::connect(patient, (&raw const address).cast(), length) } == 0 {
        return Err(Stop::unexpected("a fourth client got in"));
    }
    println!("The patient one waited {:.2} s.", start.elapsed().as_secs_f64());

    // … and the first of these once more, when there is room.
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } == -1 {
        return Err(Stop::failed("accept4"));
    }
    // SAFETY: as above.
    if unsafe { libc::connect(impatient, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}

fn close_with_guests() -> Result<(), Stop> {
    room_for(5)?;
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let accepted = connected(address)?;
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    let silent = connected(address)?;
    let talkative = connected(address)?;
    // SAFETY: the pointer is to five bytes, which send only reads.
    if unsafe { libc::send(talkative, b"hello".as_ptr().cast(), 5, 0) } == -1 {
        return Err(Stop::failed("send"));
    }

    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    let mut buffer = [0_u8; 16];
    for client in [silent, talkative] {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } != -1 {
            return Err(Stop::unexpected("a client in the queue was not reset"));
        }
    }
    // SAFETY: the pointer is to five bytes, which send only reads.
    if unsafe { libc::send(connection, b"hello".as_ptr().cast(), 5, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(accepted, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    let late = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if late == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(late, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("somebody still listens"));
    }
    Ok(())
}

fn shutdown_with_guests() -> Result<(), Stop> {
    let (server, address) = bound()?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let client = connected(address)?;

    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(server, libc::SHUT_RDWR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) } != -1 {
        return Err(Stop::unexpected("accept found a client after shutdown"));
    }

    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } != -1 {
        return Err(Stop::unexpected("the client was not reset"));
    }
    Ok(())
}

fn without_bind() -> Result<(), Stop> {
    lab::private_network()?; // so that nobody but us can reach it
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    let address = own_address(server)?;
    let [a, b, c, d] = address.sin_addr.s_addr.to_ne_bytes();
    let port = if address.sin_port == 0 { "no port" } else { "a port" };
    println!("It listens at {a}.{b}.{c}.{d}, and {port} was found for it.");
    Ok(())
}

fn refusals() -> Result<(), Stop> {
    // A number that is not open.
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(-1, 5) } == 0 {
        return Err(Stop::unexpected("nothing listens"));
    }

    // SAFETY: the path ends in a zero byte, and open only reads it.
    let file = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return Err(Stop::failed("open"));
    }
    // SAFETY: as above.
    if unsafe { libc::listen(file, 5) } == 0 {
        return Err(Stop::unexpected("a file listens"));
    }

    // SAFETY: socket takes three numbers and no pointer.
    let udp = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if udp == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as above.
    if unsafe { libc::listen(udp, 5) } == 0 {
        return Err(Stop::unexpected("a UDP socket listens"));
    }

    // SAFETY: socket takes three numbers and no pointer.
    let nameless = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if nameless == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as above.
    if unsafe { libc::listen(nameless, 5) } == 0 {
        return Err(Stop::unexpected("a unix socket without a name listens"));
    }

    // A socket that is a client already.
    let (server, address) = bound()?;
    // SAFETY: as above.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let client = connected(address)?;
    // SAFETY: as above.
    if unsafe { libc::listen(client, 5) } == 0 {
        return Err(Stop::unexpected("a connected socket listens"));
    }
    Ok(())
}
