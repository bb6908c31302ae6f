//! The experiments of the chapter `accept`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-accept`.

mod errnos;

use std::fs;
use std::io;
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::ExitCode;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, prints};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getpeername, getsockname, listen,
    socket,
};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "accept",
    experiments: &[
        Experiment {
            name: "first-accept",
            shows: "A client connects to a server, and the server accepts it.",
            notice: "Two answers came back: a new descriptor, and in the buffer the address of the one who called.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0"), calls("accept4", "fd")])],
            play: first_accept,
        },
        Experiment {
            name: "nix-form",
            shows: "The same, written with nix.",
            notice: "nix passes no buffer, so the kernel writes no address: getpeername has to ask for it.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("accept4", "fd"),
                calls("getpeername", "0"),
            ])],
            play: nix_form,
        },
        Experiment {
            name: "std-form",
            shows: "Rust's standard library accepts a client.",
            notice: "A buffer of 128 bytes, room for an address of any family, and close-on-exec without being asked.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0"), calls("accept4", "fd")])],
            play: std_form,
        },
        Experiment {
            name: "nobody-owns-it",
            shows: "The number that nix's accept4 returns goes out of scope; then another one, wrapped in an OwnedFd, is closed.",
            notice: "No close line for the first: its client hears nothing. The second client hears the end of file.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                calls("close", "0"),
                calls("recvfrom", "EAGAIN 0"),
            ])],
            play: nobody_owns_it,
        },
        Experiment {
            name: "first-come",
            shows: "Four clients connect and speak, and the server has not accepted anybody; then it accepts all four.",
            notice: "In the order in which they came. What they had said was there already.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("connect", "0*4"),
                    calls("sendto", "n*4"),
                    calls("accept4", "fd*4"),
                    calls("recvfrom", "n*4"),
                    prints("accepted: first, second, third, fourth\n"),
                ]),
                Expected::on("where net.core.somaxconn is smaller than the backlog", &[cannot(Lack::QueueLimit)]),
            ],
            play: first_come,
        },
        Experiment {
            name: "one-port",
            shows: "The listener and two accepted connections are asked for their own names, and the two for their peers'.",
            notice: "All three sockets of the server have the same port. The other end of the pair tells them apart.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                calls("getsockname", "0*4"),
                calls("getpeername", "0 0"),
                prints("one port for all three: yes\ntwo peers with the same port: no\n"),
            ])],
            play: one_port,
        },
        Experiment {
            name: "inherited",
            shows: "A listener has two flags and four options set. A client is accepted with accept, another with accept4.",
            notice: "The options are inherited, and the flags are not: those you ask accept4 for.",
            outcomes: &[Expected::anywhere(&[
                calls("accept", "fd"),
                calls("accept4", "fd"),
                prints("O_NONBLOCK    yes       no      yes\nFD_CLOEXEC    yes       no      yes\n"),
                prints(
                    "TCP_NODELAY   1         1       1\nSO_KEEPALIVE  1         1       1\nSO_REUSEADDR  1         1       1\n\
                     SO_RCVTIMEO   100 ms    100 ms  100 ms\n",
                ),
            ])],
            play: inherited,
        },
        Experiment {
            name: "nobody-there",
            shows: "accept where nobody has come: on a listener with SO_RCVTIMEO of a twentieth of a second, and on a non-blocking one.",
            notice: "The same errno twice, once after the time that was set and once at once.",
            outcomes: &[Expected::anywhere(&[calls("accept4", "EAGAIN EAGAIN")])],
            play: nobody_there,
        },
        Experiment {
            name: "interrupted",
            shows: "A server waits in accept, and a signal comes: with a handler installed without SA_RESTART, then with it.",
            notice: "Without it accept ends with EINTR, and whoever takes that for a failure has no server any more. With it \
                     the kernel asks again by itself.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "ERESTARTSYS fd ERESTARTSYS fd"),
                calls("connect", "0 0"),
                prints(
                    "without SA_RESTART: EINTR, and the next call accepts a client\nwith SA_RESTART: accepts a client\n",
                ),
            ])],
            play: interrupted,
        },
        Experiment {
            name: "reset-before-accept",
            shows: "A client connects, sends three bytes and aborts the connection; only then the server accepts.",
            notice: "accept succeeds and tells an address. What was sent can still be read; then comes the reset, and then nothing.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "3"),
                calls("accept4", "fd"),
                calls("poll", "1"),
                calls("getpeername", "ENOTCONN"),
                calls("recvfrom", "3 ECONNRESET 0"),
            ])],
            play: reset_before_accept,
        },
        Experiment {
            name: "end-before-accept",
            shows: "A client connects, sends three bytes and closes; only then the server accepts.",
            notice: "accept succeeds here too. The three bytes, and then the end of file: a client that has left in peace.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "3"),
                calls("accept4", "fd"),
                calls("getpeername", "0"),
                calls("recvfrom", "3 0"),
            ])],
            play: end_before_accept,
        },
        Experiment {
            name: "sizes",
            shows: "Four clients are accepted with room for an address of 128, 16, 2 and 0 bytes.",
            notice: "accept never writes more than there is room for, and always says how much it would have needed.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd*4"),
                prints(
                    "room for 128: 16 written, length 16\nroom for  16: 16 written, length 16\n\
                     room for   2:  2 written, length 16\nroom for   0:  0 written, length 16\n",
                ),
            ])],
            play: sizes,
        },
        Experiment {
            name: "thrown-away",
            shows: "A client waits, and accept is given a length of -1; another waits, and accept is given a bad pointer.",
            notice: "The errors are the caller's mistake, and the clients pay for it: both are out of the queue, and hung up on.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 0"),
                calls("accept4", "EINVAL EFAULT"),
                calls("poll", "1 0 1 0"),
                calls("recvfrom", "0 0"),
            ])],
            play: thrown_away,
        },
        Experiment {
            name: "unix-client",
            shows: "A unix server accepts a client that has no name, and one that has bound itself to a path.",
            notice: "Two bytes, the family, and nothing else: on a unix socket most callers have no address.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                prints("a client without a name: length 2\na client with a name:    length 13\n"),
            ])],
            play: unix_client,
        },
        Experiment {
            name: "too-many-files",
            shows: "A client waits, and the server has no descriptor left. It asks poll, and accept, again and again; then somebody leaves.",
            notice: "The client stays in the queue, so poll says \"readable\" for ever, and a loop that goes on spins. A free \
                     number ends it.",
            outcomes: &[Expected::anywhere(&[
                calls("poll", "1 1"),
                calls("accept4", "fd EMFILE EMFILE fd"),
                calls("close", "0"),
                prints("200 more rounds: poll said readable 200 times, accept said EMFILE 200 times\n"),
            ])],
            play: too_many_files,
        },
        Experiment {
            name: "too-many-files-for-nobody",
            shows: "Nobody waits at a non-blocking listener: accept with a free descriptor, and with none.",
            notice: "EMFILE, though there is nobody to accept: the kernel takes a number first, and looks at the queue afterwards.",
            outcomes: &[Expected::anywhere(&[calls("accept4", "EAGAIN EMFILE"), calls("poll", "0")])],
            play: too_many_files_for_nobody,
        },
        Experiment {
            name: "the-spare",
            shows: "No descriptor is left but one, which was kept in reserve. The server gives it up, accepts, hangs up and takes it back.",
            notice: "The client is not served, but it knows: the end of file comes at once.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "EMFILE fd EAGAIN"),
                calls("recvfrom", "0"),
                prints("the spare is back\n"),
            ])],
            play: the_spare,
        },
        Experiment {
            name: "one-at-a-time",
            shows: "Two clients; the first says nothing yet. A server of one thread serves them one after the other.",
            notice: "The second was connected, had asked, and was ready. It waited for a stranger.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                calls("recvfrom", "EAGAIN EAGAIN n n n n"),
                prints("The second client has no answer after "),
            ])],
            play: one_at_a_time,
        },
        Experiment {
            name: "a-thread-each",
            shows: "The same two clients; the server starts a thread for each.",
            notice: "The second client is served while the first one thinks. The threads share one table of descriptors: each \
                     closes its own.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                calls("close", "0 0"),
                prints("second: served\nfirst: served\n"),
            ])],
            play: a_thread_each,
        },
        Experiment {
            name: "a-process-each",
            shows: "The same two clients; the server makes a child process for each.",
            notice: "After fork there are two tables, so both sides let go: the child of the listener, the parent of the connection.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd fd"),
                calls("close", "0*6"),
                prints("second: served\nfirst: served\n"),
            ])],
            play: a_process_each,
        },
        Experiment {
            name: "fork-without-close",
            shows: "A child process says goodbye to a client and ends. Its parent still has the connection open.",
            notice: "The child is gone and the client hears no end: the parent's copy keeps the connection alive. Its close ends it.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd"),
                calls("close", "0"),
                calls("recvfrom", "3 EAGAIN 0"),
            ])],
            play: fork_without_close,
        },
        Experiment {
            name: "listener-in-the-child",
            shows: "A child serves a client and has kept the listener; the parent closes its own, and a client knocks. The child ends.",
            notice: "As long as the child lives, clients queue for a process that will never accept. Then they are reset.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 0 ECONNREFUSED"),
                calls("accept4", "fd"),
                prints("the client in the queue: ECONNRESET\n"),
            ])],
            play: listener_in_the_child,
        },
        Experiment {
            name: "zombie",
            shows: "A child process says goodbye to a client and ends, and nobody asks how; then its parent does.",
            notice: "Until it is asked for, a dead child stays in the table of processes, in state Z.",
            outcomes: &[Expected::anywhere(&[prints("not asked for: state Z\nasked for: gone\n")])],
            play: zombie,
        },
        Experiment {
            name: "one-wakes",
            shows: "Three processes wait in accept at the same listener, and one client comes; later two more.",
            notice: "One of the three was woken, and the two others slept on.",
            outcomes: &[Expected::anywhere(&[
                calls("accept4", "fd*3"),
                calls("connect", "0*3"),
                prints("1 of 3 accepted the first client; of the 2 others 0 woke\n"),
            ])],
            play: one_wakes,
        },
        Experiment {
            name: "deferred",
            shows: "A listener with TCP_DEFER_ACCEPT; a client connects, and says nothing. Then it speaks.",
            notice: "The client is connected, and there is nobody to accept: the server's kernel waits for the first bytes.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("poll", "0 1"),
                calls("accept4", "EAGAIN fd"),
                calls("recvfrom", "5"),
                prints("the client's end is in state 01, the server's in state 03\n"),
            ])],
            play: deferred,
        },
        Experiment {
            name: "refusals",
            shows: "accept on a number that is not open, on a file, on a UDP socket, on one that does not listen, with a flag that \
                    does not exist, and after shutdown.",
            notice: "None of these will ever get better: an accept loop that goes on with them goes on for ever.",
            outcomes: &[Expected::anywhere(&[calls("accept4", "EBADF ENOTSOCK EOPNOTSUPP EINVAL EINVAL EINVAL")])],
            play: refusals,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_accept() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let client = connected(address)?;

    let mut peer = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    let connection = unsafe { libc::accept4(listener, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    println!("accepted {} as descriptor {connection}", text(peer));

    for fd in [connection, client, listener] {
        // SAFETY: `fd` is ours, and is not used after this line.
        if unsafe { libc::close(fd) } == -1 {
            return Err(Stop::failed("close"));
        }
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(listener.as_raw_fd())?;
    listen(&listener, Backlog::new(5)?)?;
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &address)?;

    let number = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    let connection = unsafe { OwnedFd::from_raw_fd(number) };
    let peer: SockaddrIn = getpeername(connection.as_raw_fd())?;
    println!("accepted {peer} as descriptor {number}");

    close(connection)?;
    close(client)?;
    close(listener)?;
    Ok(())
}

fn std_form() -> Result<(), Stop> {
    let accepted = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (connection, peer) = listener.accept()?;
        println!("accepted {peer} as descriptor {}", connection.as_raw_fd());
        Ok([listener.into_raw_fd(), client.into_raw_fd(), connection.into_raw_fd()])
    });
    match accepted {
        Ok(_open_until_the_end) => Ok(()),
        Err(error) => Err(Stop::unexpected(format!("the standard library said: {error}"))),
    }
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

/// An address as people write it.
fn text(address: libc::sockaddr_in) -> String {
    let [a, b, c, d] = address.sin_addr.s_addr.to_ne_bytes();
    format!("{a}.{b}.{c}.{d}:{}", u16::from_be(address.sin_port))
}

/// A server that listens on a free port of 127.0.0.1, and its address: the last two chapters, in four calls.
fn listening() -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let listener = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if listener == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(listener, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let address = own_name(listener)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok((listener, address))
}

/// A client that is connected to this address.
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

/// accept as short as it can be: a descriptor, and no word of who it is. It waits for a client.
fn accepted(listener: libc::c_int) -> Result<libc::c_int, Errno> {
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    Errno::result(unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) })
}

/// send, which has a chapter of its own.
fn say(fd: libc::c_int, text: &str) -> Result<(), Errno> {
    // SAFETY: the pointer is to as many bytes as we say, and send only reads them.
    Errno::result(unsafe { libc::send(fd, text.as_ptr().cast(), text.len(), libc::MSG_NOSIGNAL) }).map(drop)
}

/// recv, which has a chapter of its own: a text, an empty one at the end of file, or an errno.
fn hear(fd: libc::c_int, flags: libc::c_int) -> Result<String, Errno> {
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    let count = Errno::result(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) })?;
    let heard = buffer.get(..count.cast_unsigned()).unwrap_or_default();
    Ok(String::from_utf8_lossy(heard).into_owned())
}

/// The address that a socket has itself.
fn own_name(fd: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok(address)
}

/// The address that the other end of a connection has.
fn peer_name(fd: libc::c_int) -> Result<libc::sockaddr_in, Errno> {
    let mut address = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    Errno::result(unsafe { libc::getpeername(fd, (&raw mut address).cast(), &raw mut length) })?;
    Ok(address)
}

fn nobody_owns_it() -> Result<(), Stop> {
    let (listener, address) = listening()?;

    let forgotten = connected(address)?;
    {
        let _number = accept4(listener, SockFlag::SOCK_CLOEXEC)?;
    } // A number goes out of scope. What it stands for stays open.
    if hear(forgotten, libc::MSG_DONTWAIT) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("somebody closed the connection"));
    }

    let remembered = connected(address)?;
    let number = accept4(listener, SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    let connection = unsafe { OwnedFd::from_raw_fd(number) };
    close(connection)?; // as its end of scope would do
    if !hear(remembered, 0)?.is_empty() {
        return Err(Stop::unexpected("a client heard something before the end of file"));
    }
    Ok(())
}

/// This machine must allow a queue of this length, or the last of the clients waits for ever.
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

fn first_come() -> Result<(), Stop> {
    room_for(5)?;
    let (listener, address) = listening()?;
    for name in ["first", "second", "third", "fourth"] {
        say(connected(address)?, name)?;
    }

    let mut names = Vec::new();
    for _ in 1..=4 {
        names.push(hear(accepted(listener)?, 0)?);
    }
    println!("accepted: {}", names.join(", "));
    Ok(())
}

fn one_port() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let mut own = vec![own_name(listener)?];
    let mut peers = Vec::new();
    for _ in 1..=2 {
        connected(address)?;
        let connection = accepted(listener)?;
        own.push(own_name(connection)?);
        peers.push(peer_name(connection)?);
    }

    println!("the listener:      {}", text(own[0]));
    for (number, (own, peer)) in own[1..].iter().zip(&peers).enumerate() {
        println!("connection {}:      {} with {}", number + 1, text(*own), text(*peer));
    }
    println!("one port for all three: {}", yes_or_no(own.iter().all(|own| own.sin_port == address.sin_port)));
    println!("two peers with the same port: {}", yes_or_no(peers[0].sin_port == peers[1].sin_port));
    Ok(())
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn inherited() -> Result<(), Stop> {
    let (listener, address) = listening()?; // It has FD_CLOEXEC.
    does_not_wait(listener)?;
    set(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1 as libc::c_int)?;
    set(listener, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1 as libc::c_int)?;
    set(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1 as libc::c_int)?;
    set(listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, libc::timeval { tv_sec: 0, tv_usec: 100_000 })?;

    connected(address)?;
    is_readable(listener, 1000)?;
    // SAFETY: with two null pointers accept does not say who the client is, and writes nothing.
    let plain = unsafe { libc::accept(listener, ptr::null_mut(), ptr::null_mut()) };
    if plain == -1 {
        return Err(Stop::failed("accept"));
    }
    connected(address)?;
    is_readable(listener, 1000)?;
    let both = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: as above.
    let flagged = unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), both) };
    if flagged == -1 {
        return Err(Stop::failed("accept4"));
    }

    let questions: [(&str, Question); 6] = [
        ("O_NONBLOCK", |fd| has(fd, libc::F_GETFL, libc::O_NONBLOCK)),
        ("FD_CLOEXEC", |fd| has(fd, libc::F_GETFD, libc::FD_CLOEXEC)),
        ("TCP_NODELAY", |fd| number(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY)),
        ("SO_KEEPALIVE", |fd| number(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE)),
        ("SO_REUSEADDR", |fd| number(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR)),
        ("SO_RCVTIMEO", patience),
    ];
    println!("              listener  accept  accept4(SOCK_NONBLOCK|SOCK_CLOEXEC)");
    for (name, ask) in questions {
        println!("{name:13} {:9} {:7} {}", ask(listener)?, ask(plain)?, ask(flagged)?);
    }
    Ok(())
}

/// What to ask a socket.
type Question = fn(libc::c_int) -> Result<String, Errno>;

/// Whether fcntl, with this command, tells of this flag.
fn has(fd: libc::c_int, command: libc::c_int, flag: libc::c_int) -> Result<String, Errno> {
    // SAFETY: these commands of fcntl take numbers and no pointer.
    let flags = Errno::result(unsafe { libc::fcntl(fd, command) })?;
    Ok(yes_or_no(flags & flag != 0).to_string())
}

/// The value of an option that is a number.
fn number(fd: libc::c_int, level: libc::c_int, option: libc::c_int) -> Result<String, Errno> {
    let mut number: libc::c_int = 0;
    let mut length = size_of_val(&number) as libc::socklen_t;
    // SAFETY: `number` has room for `length` bytes, and both are ours to be written to.
    Errno::result(unsafe { libc::getsockopt(fd, level, option, (&raw mut number).cast(), &raw mut length) })?;
    Ok(number.to_string())
}

/// The time for which accept and recv wait.
fn patience(fd: libc::c_int) -> Result<String, Errno> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut length = size_of_val(&time) as libc::socklen_t;
    let to = (&raw mut time).cast();
    // SAFETY: `time` has room for `length` bytes, and both are ours to be written to.
    Errno::result(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, to, &raw mut length) })?;
    Ok(format!("{} ms", time.tv_usec / 1000))
}

/// Sets O_NONBLOCK, and leaves the other flags as they are: the chapter `socket`.
fn does_not_wait(fd: libc::c_int) -> Result<(), Errno> {
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: as above.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// setsockopt with a value of plain numbers.
fn set<T: Copy>(fd: libc::c_int, level: libc::c_int, option: libc::c_int, value: T) -> Result<(), Errno> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is `size` bytes long, and setsockopt only reads it.
    Errno::result(unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size) }).map(drop)
}

/// Whether a listener has somebody to accept within so many milliseconds.
fn is_readable(listener: libc::c_int, milliseconds: libc::c_int) -> Result<bool, Errno> {
    let mut question = libc::pollfd { fd: listener, events: libc::POLLIN, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    Ok(Errno::result(unsafe { libc::poll(&raw mut question, 1, milliseconds) })? == 1)
}

fn nobody_there() -> Result<(), Stop> {
    let (listener, _) = listening()?;

    set(listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, libc::timeval { tv_sec: 0, tv_usec: 50_000 })?;
    let start = Instant::now();
    if accepted(listener) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("accept did not end with the time that was set"));
    }
    println!("with SO_RCVTIMEO: EAGAIN after {:.2} s", start.elapsed().as_secs_f64());

    does_not_wait(listener)?;
    let start = Instant::now();
    if accepted(listener) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("accept on a non-blocking listener found somebody"));
    }
    println!("with O_NONBLOCK:  EAGAIN after {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn interrupted() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;

    let helper = sends_a_signal_and_a_client(address, 0)?;
    if accepted(listener) != Err(Errno::EINTR) {
        return Err(Stop::unexpected("accept was not interrupted"));
    }
    accepted(listener)?;
    succeeded(helper)?;
    println!("without SA_RESTART: EINTR, and the next call accepts a client");

    let helper = sends_a_signal_and_a_client(address, libc::SA_RESTART)?;
    accepted(listener)?;
    succeeded(helper)?;
    println!("with SA_RESTART: accepts a client");
    Ok(())
}

/// Installs a handler for SIGUSR1 with these flags, and starts a process that waits until this one sleeps, sends it the
/// signal, waits until it sleeps again, and then connects to this address.
fn sends_a_signal_and_a_client(address: libc::sockaddr_in, flags: libc::c_int) -> Result<libc::pid_t, Stop> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an all-zero sigaction is a value: an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: the handler takes the one argument that it is called with, and does nothing; `action` outlives the call.
    Errno::result(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) })?;

    in_a_child(|| {
        // SAFETY: getppid takes nothing and returns a number.
        let server = unsafe { libc::getppid() };
        wait_until_it_sleeps(server)?;
        // SAFETY: kill takes two numbers, and the process is our parent, which is waiting for us.
        Errno::result(unsafe { libc::kill(server, libc::SIGUSR1) })?;
        wait_until_it_sleeps(server)?; // again: a client that is there already would be accepted, signal or no signal.
        connected(address).map(drop)
    })
}

/// When a child process ends, the kernel tells its parent with SIGCHLD, at a moment of its own choosing. In these
/// experiments the parent asks for its children itself.
fn no_word_of_children() -> Result<(), Stop> {
    // SAFETY: a sigset_t is plain numbers, for which all zeros is a value; sigemptyset makes it a good one.
    let mut only: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `only` lives through the calls, the signal exists, and the default action replaces no handler of ours.
    unsafe {
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, libc::SIGCHLD);
        if libc::signal(libc::SIGCHLD, libc::SIG_DFL) == libc::SIG_ERR {
            return Err(Stop::failed("signal"));
        }
        match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only, ptr::null_mut()) {
            0 => Ok(()),
            errno => Err(Stop::from(Errno::from_raw(errno))),
        }
    }
}

/// Does this in a child process, which then ends: with status 0 if it went well. Returns the child's id to the parent.
fn in_a_child(act: impl FnOnce() -> Result<(), Stop>) -> Result<libc::pid_t, Stop> {
    // SAFETY: this process has one thread, so the child may go on as it likes.
    let child = unsafe { libc::fork() };
    if child == -1 {
        return Err(Stop::failed("fork"));
    }
    if child == 0 {
        let status = match act() {
            Ok(()) => 0,
            Err(stop) => {
                eprintln!("in a child process: {stop}");
                1
            }
        };
        // SAFETY: _exit takes a number and does not return.
        unsafe { libc::_exit(status) };
    }
    Ok(child)
}

/// Waits for the end of a child process, and takes anything but status 0 for a fault.
fn succeeded(child: libc::pid_t) -> Result<(), Stop> {
    let mut status = 0;
    // SAFETY: `status` is an int that lives through the call.
    Errno::result(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    match status {
        0 => Ok(()),
        _ => Err(Stop::unexpected("a child process failed")),
    }
}

/// The state of a process, such as `S` for one that sleeps; nothing if there is no such process.
fn state_of(process: libc::pid_t) -> Result<Option<char>, Stop> {
    match fs::read_to_string(format!("/proc/{process}/stat")) {
        // Such as `4711 (lesson-accept) S 4710 …`: the state follows the name.
        Ok(line) => Ok(line.rsplit(") ").next().and_then(|rest| rest.chars().next())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Stop::unexpected(format!("/proc/{process}/stat cannot be read: {error}"))),
    }
}

fn wait_until_it_sleeps(process: libc::pid_t) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let state = state_of(process)?;
        if state == Some('S') {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!(
                "after 10 seconds the process does not sleep; its state is {state:?}"
            )));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn reset_before_accept() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let client = connected(address)?;
    say(client, "bye")?;
    // With this option, close ends the connection with a reset: the chapter `send`.
    set(client, libc::SOL_SOCKET, libc::SO_LINGER, libc::linger { l_onoff: 1, l_linger: 0 })?;
    close(client)?;

    let mut peer = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    let connection = unsafe { libc::accept4(listener, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    println!("accepted {}", text(peer));

    // Nothing was asked of poll, and it tells of the reset all the same.
    let mut question = libc::pollfd { fd: connection, events: 0, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    Errno::result(unsafe { libc::poll(&raw mut question, 1, 1000) })?;
    println!("getpeername: {}", peer_name(connection).map_or_else(|errno| format!("{errno:?}"), text));
    for _ in 1..=3 {
        println!("recv: {:?}", hear(connection, 0));
    }
    Ok(())
}

fn end_before_accept() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let client = connected(address)?;
    say(client, "bye")?;
    close(client)?;

    let connection = accepted(listener)?;
    peer_name(connection)?;
    for _ in 1..=2 {
        println!("recv: {:?}", hear(connection, 0));
    }
    Ok(())
}

fn sizes() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    for room in [128, 16, 2, 0] {
        connected(address)?;
        let mut buffer = [0xEE_u8; 128];
        let mut length: libc::socklen_t = room;
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: `buffer` has room for 128 bytes, and `length` is no more; both are ours to be written to.
        if unsafe { libc::accept4(listener, to, &raw mut length, libc::SOCK_CLOEXEC) } == -1 {
            return Err(Stop::failed("accept4"));
        }
        let written = buffer.iter().rposition(|byte| *byte != 0xEE).map_or(0, |last| last + 1);
        println!("room for {room:3}: {written:2} written, length {length}");
    }
    Ok(())
}

fn thrown_away() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let mut peer = loopback(0);
    let bad_pointer: *mut libc::sockaddr = ptr::without_provenance_mut(8);

    for (to, mut length) in [((&raw mut peer).cast(), libc::socklen_t::MAX), (bad_pointer, LENGTH)] {
        let client = connected(address)?;
        println!("somebody waits: {}", yes_or_no(is_readable(listener, 1000)?));
        // SAFETY: the kernel writes nothing to `peer` for a length of -1 (that is what MAX is to it), and finds out by
        // itself that nothing can be written at the address 8.
        if unsafe { libc::accept4(listener, to, &raw mut length, libc::SOCK_CLOEXEC) } != -1 {
            return Err(Stop::unexpected("accept took a bad address for a good one"));
        }
        println!("somebody waits: {}", yes_or_no(is_readable(listener, 0)?));
        if !hear(client, 0)?.is_empty() {
            return Err(Stop::unexpected("a client heard something before the end of file"));
        }
    }
    Ok(())
}

fn unix_client() -> Result<(), Stop> {
    let (server_name, server_length) = unix_address("demo.sock");
    let (client_name, client_length) = unix_address("guest.sock");
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;

    // SAFETY: socket takes three numbers and no pointer.
    let listener = Errno::result(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: `server_name` is a sockaddr_un, longer than `server_length`, and bind only reads it.
    Errno::result(unsafe { libc::bind(listener, (&raw const server_name).cast(), server_length) })?;
    // SAFETY: listen takes two numbers and no pointer.
    Errno::result(unsafe { libc::listen(listener, 5) })?;

    for who in ["without a name:", "with a name:   "] {
        // SAFETY: as above.
        let client = Errno::result(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
        if who.starts_with("with a name") {
            // SAFETY: as above.
            Errno::result(unsafe { libc::bind(client, (&raw const client_name).cast(), client_length) })?;
        }
        // SAFETY: `server_name` is a sockaddr_un, longer than `server_length`, and connect only reads it.
        Errno::result(unsafe { libc::connect(client, (&raw const server_name).cast(), server_length) })?;

        let (mut peer, _) = unix_address("");
        let mut length = size_of_val(&peer) as libc::socklen_t;
        // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
        let answer = unsafe { libc::accept4(listener, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
        if answer == -1 {
            return Err(Stop::failed("accept4"));
        }
        println!("a client {who} length {length}");
    }
    Ok(())
}

/// A path as an address, and the address's length: with the family before it and a zero byte behind it.
fn unix_address(path: &str) -> (libc::sockaddr_un, libc::socklen_t) {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(path.bytes()) {
        *to = from as libc::c_char;
    }
    (address, (size_of::<libc::sa_family_t>() + path.len() + 1) as libc::socklen_t)
}

fn too_many_files() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    connected(address)?;
    let served = accepted(listener)?;
    let waiting = connected(address)?;
    no_number_above(waiting)?;

    for _ in 1..=2 {
        if !is_readable(listener, 1000)? || accepted(listener) != Err(Errno::EMFILE) {
            return Err(Stop::unexpected("there was a descriptor left, or nobody waited"));
        }
    }

    lab::stop_watching(); // The trace would only repeat itself.
    let (mut readable, mut full) = (0, 0);
    for _ in 1..=200 {
        readable += i32::from(is_readable(listener, 1000)?);
        full += i32::from(accepted(listener) == Err(Errno::EMFILE));
    }
    lab::watch_again();
    println!("200 more rounds: poll said readable {readable} times, accept said EMFILE {full} times");

    close(served)?;
    accepted(listener)?;
    Ok(())
}

/// From now on no descriptor gets a larger number than this one. All up to it are in use, so there is none to be had.
fn no_number_above(highest: libc::c_int) -> Result<(), Stop> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is an rlimit that lives through the call.
    Errno::result(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = libc::rlim_t::from(highest.cast_unsigned()) + 1;
    // SAFETY: as above; setrlimit only reads it.
    Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(())
}

fn too_many_files_for_nobody() -> Result<(), Stop> {
    let (listener, _) = listening()?;
    does_not_wait(listener)?;
    if accepted(listener) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("somebody was there"));
    }

    no_number_above(listener)?;
    if accepted(listener) != Err(Errno::EMFILE) {
        return Err(Stop::unexpected("there was a descriptor left"));
    }
    println!("somebody waits: {}", yes_or_no(is_readable(listener, 0)?));
    Ok(())
}

fn the_spare() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    does_not_wait(listener)?;
    let client = connected(address)?;
    let spare = dev_null()?;
    no_number_above(spare)?;

    is_readable(listener, 1000)?;
    if accepted(listener) != Err(Errno::EMFILE) {
        return Err(Stop::unexpected("there was a descriptor left"));
    }
    close(spare)?;
    close(accepted(listener)?)?; // A moment is all that it gets.
    dev_null()?;
    println!("the spare is back");

    if !hear(client, 0)?.is_empty() {
        return Err(Stop::unexpected("the client heard something before the end of file"));
    }
    // Nobody is left who waits, and a number is left for the next time.
    close(client)?;
    if accepted(listener) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("somebody was still there"));
    }
    Ok(())
}

/// A descriptor that is good for nothing but being there.
fn dev_null() -> Result<libc::c_int, Errno> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    Errno::result(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })
}

fn one_at_a_time() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let first = connected(address)?;
    let second = connected(address)?;
    say(second, "second")?;

    // The server serves the first. It would wait for ever, if we had not set a limit.
    let start = Instant::now();
    let connection = accepted(listener)?;
    set(connection, libc::SOL_SOCKET, libc::SO_RCVTIMEO, libc::timeval { tv_sec: 0, tv_usec: 50_000 })?;
    if hear(connection, 0) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("the first client said something"));
    }
    if hear(second, libc::MSG_DONTWAIT) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("the second client was served"));
    }
    println!("The second client has no answer after {:.2} s.", start.elapsed().as_secs_f64());

    // Now the first one speaks, and then it is the second one's turn.
    say(first, "first")?;
    serve(connection)?;
    hear(first, 0)?;
    serve(accepted(listener)?)?;
    hear(second, 0)?;
    Ok(())
}

/// What a server does for a client: it waits for a word, answers, and hangs up.
fn serve(connection: libc::c_int) -> Result<(), Errno> {
    let name = hear(connection, 0)?;
    say(connection, &format!("{name}: served"))?;
    close(connection)
}

fn a_thread_each() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    let first = connected(address)?;
    let second = connected(address)?;

    let mut threads = Vec::new();
    for _ in 1..=2 {
        let connection = accepted(listener)?;
        threads.push(thread::spawn(move || serve(connection)));
    }

    say(second, "second")?;
    println!("{}", hear(second, 0)?);
    say(first, "first")?;
    println!("{}", hear(first, 0)?);
    for thread in threads {
        thread.join().map_err(|_| Stop::unexpected("a thread panicked"))??;
    }
    wait_until_alone()
}

/// A thread that was joined may take a moment to vanish.
fn wait_until_alone() -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let threads = fs::read_dir("/proc/self/task")
            .map_err(|error| Stop::unexpected(format!("/proc/self/task cannot be read: {error}")))?;
        if threads.count() == 1 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::unexpected("after 10 seconds a thread that was joined is still there"));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn a_process_each() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;
    let first = connected(address)?;
    let second = connected(address)?;

    let mut children = Vec::new();
    for _ in 1..=2 {
        let connection = accepted(listener)?;
        children.push(in_a_child(|| {
            close(listener)?; // The child serves one client, and accepts nobody.
            serve(connection).map_err(Stop::from)
        })?);
        close(connection)?; // The child has its own.
    }

    say(second, "second")?;
    println!("{}", hear(second, 0)?);
    say(first, "first")?;
    println!("{}", hear(first, 0)?);
    for child in children {
        succeeded(child)?;
    }
    Ok(())
}

fn fork_without_close() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;
    let client = connected(address)?;
    let connection = accepted(listener)?;

    let child = in_a_child(|| say(connection, "bye").map_err(Stop::from))?;
    succeeded(child)?; // It has ended, and with it all its descriptors are closed.

    hear(client, 0)?;
    if hear(client, libc::MSG_DONTWAIT) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("the connection has ended"));
    }
    println!("the child has ended, and the client waits for more");
    close(connection)?;
    if hear(client, 0)?.is_empty() {
        println!("the parent has closed, and the client hears the end of file");
    }
    Ok(())
}

fn listener_in_the_child() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;
    let client = connected(address)?;
    let connection = accepted(listener)?;

    let child = in_a_child(|| serve(connection).map_err(Stop::from))?; // and does not close the listener
    close(connection)?;
    close(listener)?;

    let in_the_queue = connected(address)?;
    say(client, "go")?;
    succeeded(child)?;
    if let Err(errno) = hear(in_the_queue, 0) {
        println!("the client in the queue: {errno:?}");
    }
    match connected(address) {
        Err(Stop::Failed { errno: libc::ECONNREFUSED, .. }) => Ok(()),
        Err(stop) => Err(stop),
        Ok(_) => Err(Stop::unexpected("somebody still listens")),
    }
}

fn zombie() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;
    connected(address)?;
    let connection = accepted(listener)?;
    let child = in_a_child(|| say(connection, "bye").map_err(Stop::from))?;

    // Wait until it has ended, and leave it as it is.
    // SAFETY: a siginfo_t is plain numbers, for which all zeros is a value.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let look = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: `info` lives through the call.
    Errno::result(unsafe { libc::waitid(libc::P_PID, child.cast_unsigned(), &raw mut info, look) })?;
    println!("not asked for: state {}", state_of(child)?.unwrap_or('?'));

    succeeded(child)?;
    println!("asked for: {}", state_of(child)?.map_or("gone".to_string(), |state| format!("state {state}")));
    Ok(())
}

fn one_wakes() -> Result<(), Stop> {
    no_word_of_children()?;
    let (listener, address) = listening()?;
    let mut sleepers = Vec::new();
    for _ in 1..=3 {
        let child = in_a_child(|| accepted(listener).map(drop).map_err(Stop::from))?;
        wait_until_it_sleeps(child)?;
        sleepers.push((child, times_slept(child)?));
    }

    connected(address)?;
    let mut status = 0;
    // SAFETY: `status` is an int that lives through the call.
    let first = Errno::result(unsafe { libc::waitpid(-1, &raw mut status, 0) })?;
    sleepers.retain(|(child, _)| *child != first);
    let mut woke = 0;
    for (child, before) in &sleepers {
        woke += i32::from(times_slept(*child)? != *before);
    }
    println!("1 of 3 accepted the first client; of the {} others {woke} woke", sleepers.len());

    for (child, _) in sleepers {
        connected(address)?;
        succeeded(child)?;
    }
    Ok(())
}

/// How often a process has gone to sleep of its own will.
fn times_slept(process: libc::pid_t) -> Result<u64, Stop> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))
        .map_err(|error| Stop::unexpected(format!("/proc/{process}/status cannot be read: {error}")))?;
    let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok());
    count.ok_or_else(|| Stop::unexpected(format!("/proc/{process}/status has no voluntary_ctxt_switches")))
}

fn deferred() -> Result<(), Stop> {
    let (listener, address) = listening()?;
    does_not_wait(listener)?;
    set(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1 as libc::c_int)?;

    let client = connected(address)?;
    is_readable(listener, 50)?;
    if accepted(listener) != Err(Errno::EAGAIN) {
        return Err(Stop::unexpected("a client that says nothing was accepted"));
    }
    let (client_name, server_name) = (own_name(client)?, address);
    println!(
        "the client's end is in state {}, the server's in state {}",
        state_between(client_name, server_name)?,
        state_between(server_name, client_name)?
    );

    say(client, "hello")?;
    is_readable(listener, 1000)?;
    hear(accepted(listener)?, 0)?;
    Ok(())
}

/// The state of the socket at `own` whose peer is `peer`, as /proc/net/tcp has it: `01` is ESTABLISHED, `03` is SYN_RECV.
fn state_between(own: libc::sockaddr_in, peer: libc::sockaddr_in) -> Result<String, Stop> {
    let table = fs::read_to_string("/proc/self/net/tcp")
        .map_err(|error| Stop::unexpected(format!("/proc/self/net/tcp cannot be read: {error}")))?;
    // Such as 0100007F:9105, the address as one hexadecimal number in the machine's own byte order.
    let [own, peer] =
        [own, peer].map(|name| format!("{:08X}:{:04X}", name.sin_addr.s_addr, u16::from_be(name.sin_port)));
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let line = lines.find(|words| words.get(1) == Some(&own.as_str()) && words.get(2) == Some(&peer.as_str()));
    let state = line.and_then(|words| words.get(3).map(|state| state.to_string()));
    state.ok_or_else(|| Stop::unexpected(format!("/proc/self/net/tcp has no line for {own} and {peer}")))
}

fn refusals() -> Result<(), Stop> {
    let file = dev_null()?;
    // SAFETY: socket takes three numbers and no pointer.
    let udp = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: as above.
    let fresh = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    for (what, fd) in [("number -1", -1), ("file", file), ("UDP socket", udp), ("socket that does not listen", fresh)] {
        if accepted(fd).is_ok() {
            return Err(Stop::unexpected(format!("a {what} has a queue of clients")));
        }
    }

    let (listener, _) = listening()?;
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    if unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), 1) } != -1 {
        return Err(Stop::unexpected("a flag that does not exist was taken"));
    }
    // SAFETY: shutdown takes two numbers and no pointer.
    Errno::result(unsafe { libc::shutdown(listener, libc::SHUT_RDWR) })?;
    if accepted(listener).is_ok() {
        return Err(Stop::unexpected("somebody was accepted after shutdown"));
    }
    Ok(())
}
