//! The experiments of the chapter `connect`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-connect`.

mod errnos;

use std::fs;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::process::ExitCode;
use std::ptr;
use std::time::Instant;

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, prints};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

/// Some experiments need a network that is all their own.
const NO_NETWORK: Expected = Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]);
/// And some change its settings.
const NO_SETTINGS: Expected =
    Expected::on("where a private network's settings are read-only", &[cannot(Lack::Settings)]);

static LESSON: Lesson = Lesson {
    name: "connect",
    experiments: &[
        Experiment {
            name: "first-connect",
            shows: "A server listens, and a client connects.",
            notice: "Two sockets, and the client's needed one call. It returned 0, and nobody has called accept.",
            outcomes: &[Expected::anywhere(&[calls("listen", "0"), calls("connect", "0")])],
            play: first_connect,
        },
        Experiment {
            name: "nix-form",
            shows: "The client's calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd fd"), calls("connect", "0")])],
            play: nix_form,
        },
        Experiment {
            name: "own-name",
            shows: "A client asks for its own address before connect and after it, and for the server's.",
            notice: "connect has bound the socket: to an address from which the server can be reached, and to a port of the \
                     kernel's choosing.",
            outcomes: &[Expected::anywhere(&[
                calls("getsockname", "0 0 0"),
                calls("connect", "0"),
                calls("getpeername", "0"),
                prints(
                    "before:     0.0.0.0, no port\nafter:      127.0.0.1, a port of its own\nthe server: 127.0.0.1, the port that it was given\n",
                ),
            ])],
            play: own_name,
        },
        Experiment {
            name: "bind-first",
            shows: "A client is bound to 127.0.0.5 before it connects to 127.0.0.1.",
            notice: "Where connect found a name it kept it. The server sees the client come from there.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 0"),
                calls("connect", "0"),
                calls("accept4", "fd"),
                prints("The server's client is at 127.0.0.5.\n"),
            ])],
            play: bind_first,
        },
        Experiment {
            name: "refused",
            shows: "A client connects to a port where nobody listens, and a clock runs.",
            notice: "A refusal is an answer: somebody took the trouble to say no, and it came at once.",
            outcomes: &[Expected::anywhere(&[calls("connect", "ECONNREFUSED"), prints("Refused after ")])],
            play: refused,
        },
        Experiment {
            name: "same-socket-again",
            shows: "A client is refused. Then the server listens, and the client tries again with the same socket, twice.",
            notice: "The refused socket had a port already, and works: so it is on Linux. The third call says that there is nothing \
                     left to do.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "ECONNREFUSED 0 EISCONN"),
                prints("after the refusal: 0.0.0.0, a port of its own\n"),
            ])],
            play: same_socket_again,
        },
        Experiment {
            name: "four-noes",
            shows: "Connects to another port of this machine, to another of its addresses, to port 0 and to a broadcast address.",
            notice: "The first three are refused: at each of these addresses there is a machine, this one, and nobody listens. \
                     The last is no one machine's address.",
            outcomes: &[Expected::anywhere(&[calls("connect", "ECONNREFUSED ECONNREFUSED ECONNREFUSED ENETUNREACH")])],
            play: four_noes,
        },
        Experiment {
            name: "no-way-there",
            shows: "In a private network, connects to an address to which no way leads, and then to the same address when a \
                    route says that it cannot be reached.",
            notice: "Nothing left the machine: its own table of routes said no.",
            outcomes: &[Expected::anywhere(&[calls("connect", "ENETUNREACH EHOSTUNREACH")]), NO_NETWORK],
            play: no_way_there,
        },
        Experiment {
            name: "to-the-wildcard",
            shows: "In a private network a client connects to 0.0.0.0.",
            notice: "For connect, on Linux, this address means the machine itself.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "0"), prints("It is connected to 127.0.0.1.\n")]),
                NO_NETWORK,
            ],
            play: to_the_wildcard,
        },
        Experiment {
            name: "silence",
            shows: "The server's queue is full, so it answers nobody. A client waits in connect, with SO_SNDTIMEO set to 50 ms, and \
                    then once more.",
            notice: "That limit ends the waiting, not the attempt: \"in progress\", and the second time \"already\". Neither is \
                     called a timeout.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 EINPROGRESS EALREADY"),
                prints("state 2 (SYN_SENT)\n"),
            ])],
            play: silence,
        },
        Experiment {
            name: "the-wrong-limit",
            shows: "The same silence, and SO_RCVTIMEO set to 10 ms. A little later, after 150 ms, a signal ends the waiting.",
            notice: "connect did not look at the limit for receiving: the signal ended it.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 ERESTARTSYS"),
                prints("EINTR, when the signal came, and not before"),
            ])],
            play: the_wrong_limit,
        },
        Experiment {
            name: "gives-up",
            shows: "The same silence, and TCP_USER_TIMEOUT set to 50 ms.",
            notice: "Now the kernel itself gave up, ETIMEDOUT. It looks at that limit only when it would knock again, and that is a \
                     second after the first time.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0 ETIMEDOUT"), prints("Given up after ")])],
            play: gives_up,
        },
        Experiment {
            name: "later",
            shows: "A non-blocking socket connects to a server that listens; poll, SO_ERROR, and connect twice more.",
            notice: "EINPROGRESS is no failure. poll says when there is something to know, and SO_ERROR says what: 0.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "EINPROGRESS 0 EISCONN"),
                calls("poll", "1"),
                calls("getsockopt", "0"),
                prints("poll: POLLOUT\nSO_ERROR: 0\n"),
            ])],
            play: later,
        },
        Experiment {
            name: "later-refused",
            shows: "A non-blocking socket connects to a port where nobody listens; poll, and SO_ERROR twice.",
            notice: "connect says the same as before, and poll says \"writable\" as well. Only SO_ERROR tells, and it tells once.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "EINPROGRESS"),
                calls("poll", "1"),
                prints("poll: POLLIN POLLOUT POLLERR POLLHUP\nSO_ERROR: ECONNREFUSED\nSO_ERROR: 0\n"),
            ])],
            play: later_refused,
        },
        Experiment {
            name: "after-the-verdict",
            shows: "After such a refusal, with the error fetched, connect is called twice more on the same socket.",
            notice: "First the kernel says that an attempt was broken off, without the reason, which was fetched. Then a new attempt \
                     begins.",
            outcomes: &[Expected::anywhere(&[calls("connect", "EINPROGRESS ECONNABORTED EINPROGRESS")])],
            play: after_the_verdict,
        },
        Experiment {
            name: "with-a-limit",
            shows: "A client gives a silent server 50 ms: non-blocking connect, then poll with a limit.",
            notice: "poll said 0: nothing happened. The program says ETIMEDOUT itself, and closing the socket ends the attempt.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 EINPROGRESS"),
                calls("poll", "0"),
                prints("Our own ETIMEDOUT, after "),
            ])],
            play: with_a_limit,
        },
        Experiment {
            name: "interrupted",
            shows: "A signal comes while a client waits in connect, and again while it waits in a second connect. Then the other end \
                    answers.",
            notice: "The signals ended the calls and not the attempt. The second connect waited for the first one's end, \
                     the third found it.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 ERESTARTSYS ERESTARTSYS 0 0 EISCONN"),
                prints(
                    "after the signal:    state 2 (SYN_SENT), and no peer: ENOTCONN\nafter the answer:    state 1 (ESTABLISHED)\n",
                ),
            ])],
            play: interrupted,
        },
        Experiment {
            name: "one-after-another",
            shows: "A server has 127.0.0.1 only. A client tries ::1 first, as it may do for the name localhost, and then 127.0.0.1.",
            notice: "A socket of the right family for each address. The first one's refusal is no reason to give up.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "ECONNREFUSED 0"), calls("close", "0")]),
                Expected::on("where IPv6 is switched off", &[calls("connect", "EADDRNOTAVAIL 0")]),
                Expected::on("where there is no IPv6 at all", &[cannot(Lack::Ipv6)]),
            ],
            play: one_after_another,
        },
        Experiment {
            name: "one-socket-for-all",
            shows: "A socket of IPv4 is given an address of IPv6, and a socket of IPv6 one of IPv4.",
            notice: "A socket speaks to its own family. (The second is told that the address is too short.)",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "EAFNOSUPPORT EINVAL")]),
                Expected::on("where there is no IPv6 at all", &[cannot(Lack::Ipv6)]),
            ],
            play: one_socket_for_all,
        },
        Experiment {
            name: "std-form",
            shows: "Rust's standard library is given two addresses, and nobody listens at the first one.",
            notice: "It tries them in turn, a fresh socket each time.",
            outcomes: &[Expected::anywhere(&[calls("connect", "ECONNREFUSED 0")])],
            play: std_form,
        },
        Experiment {
            name: "to-oneself",
            shows: "A socket is bound, and connects to its own address. It sends two bytes, and receives.",
            notice: "There is no server. It speaks with itself.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("sendto", "2"),
                calls("recvfrom", "2"),
                prints("own name and peer are the same\n"),
            ])],
            play: to_oneself,
        },
        Experiment {
            name: "to-oneself-by-chance",
            shows: "In a private network with two ports for clients, 40000 and 40001, a client connects to port 40000, where \
                    nobody listens.",
            notice: "The kernel chose for the client the port that it wanted to reach. Among the ordinary 28,000 ports this \
                     is rare, and it happens.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "0"), prints("own name and peer are the same\n")]),
                NO_NETWORK,
                NO_SETTINGS,
            ],
            play: to_oneself_by_chance,
        },
        Experiment {
            name: "out-of-ports",
            shows: "In a private network with two ports for clients, three clients connect to one server.",
            notice: "A client without a name needs a port of its own. bind would have said EADDRINUSE.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0 0 EADDRNOTAVAIL")]), NO_NETWORK, NO_SETTINGS],
            play: out_of_ports,
        },
        Experiment {
            name: "udp-to-nobody",
            shows: "A UDP socket connects to a port where nobody is, sends a byte, and another one.",
            notice: "connect sent nothing, so it could not fail. The first byte was refused, and it is the second send that is told.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0"), calls("sendto", "1 ECONNREFUSED")])],
            play: udp_to_nobody,
        },
        Experiment {
            name: "udp-unconnected",
            shows: "The same without connect: sendto with the address, twice.",
            notice: "A socket without a peer is never told.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 1")])],
            play: udp_unconnected,
        },
        Experiment {
            name: "udp-one-peer",
            shows: "A UDP socket is connected to a server. First a stranger sends to it, and then the server does.",
            notice: "A connected UDP socket hears its peer and nobody else.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("sendto", "8 6"),
                calls("recvfrom", "EAGAIN 6"),
            ])],
            play: udp_one_peer,
        },
        Experiment {
            name: "which-address",
            shows: "UDP sockets connect to three addresses of this machine, and are asked for their own.",
            notice: "The kernel looked up the way and chose an address for this end. Nothing was sent to anybody.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 0 EACCES"),
                prints(
                    "to 127.0.0.1:       from 127.0.0.1\nto 127.9.9.9:       from 127.0.0.1\nto 127.255.255.255: EACCES\n",
                ),
            ])],
            play: which_address,
        },
        Experiment {
            name: "unix-noes",
            shows: "A unix socket connects to a path where nothing is, to an ordinary file, to a socket whose server has gone, and \
                    to one of another type.",
            notice: "No file; a file with nobody behind it, whatever it is; and a server that speaks otherwise.",
            outcomes: &[Expected::anywhere(&[calls("connect", "ENOENT ECONNREFUSED ECONNREFUSED EPROTOTYPE")])],
            play: unix_noes,
        },
        Experiment {
            name: "unix-permission",
            shows: "A server's socket file may be written by nobody, and an ordinary user connects.",
            notice: "To connect to a path is to write to it.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "EACCES 0")]),
                Expected::on("where root may not become another user", &[cannot(Lack::UnprivilegedUser)]),
            ],
            play: unix_permission,
        },
        Experiment {
            name: "unix-at-once",
            shows: "A non-blocking unix socket connects.",
            notice: "0 at once: both ends are on this machine, and there is nothing to be in progress.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0")])],
            play: unix_at_once,
        },
        Experiment {
            name: "undo",
            shows: "A connected client connects to AF_UNSPEC, which is no address, and then to the server once more.",
            notice: "The connection is dissolved, with a reset for the other end, and the socket is as good as new.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 0 0"),
                calls("recvfrom", "ECONNRESET"),
                prints(
                    "connected:     state 1 (ESTABLISHED)\nunconnected:   state 7 (CLOSE)\nonce more:     state 1 (ESTABLISHED)\n",
                ),
            ])],
            play: undo,
        },
        Experiment {
            name: "refusals",
            shows: "connect on a number that is not open, on a file, with too short an address, with a pointer to nothing, and on \
                    a listening socket.",
            notice: "The kernel looks at the descriptor, then at the address, and last at what the socket is doing.",
            outcomes: &[Expected::anywhere(&[calls("connect", "EBADF ENOTSOCK EINVAL EFAULT EISCONN")])],
            play: refusals,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_connect() -> Result<(), Stop> {
    let (server, address) = server(5)?;

    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }

    for fd in [client, server] {
        // SAFETY: the descriptor is ours, and is not used after this line.
        if unsafe { libc::close(fd) } == -1 {
            return Err(Stop::failed("close"));
        }
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let (_, address) = server(5)?;

    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &SockaddrIn::from(address))?;
    close(client)?;
    Ok(())
}

/// This address and port as the kernel reads them.
fn ipv4(ip: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip) },
        sin_zero: [0; 8],
    }
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// A socket of IPv4 of this type: SOCK_STREAM for TCP, SOCK_DGRAM for UDP.
fn inet(kind: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    match unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0) } {
        -1 => Err(Stop::failed("socket")),
        fd => Ok(fd),
    }
}

/// A socket of this type at a free port of 127.0.0.1, and its address. A TCP socket that does not listen refuses everybody
/// there, and as long as it is open nobody else can take the port.
fn bound(kind: libc::c_int) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    let fd = inet(kind)?;
    let address = ipv4([127, 0, 0, 1], 0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok((fd, own_address(fd)?))
}

/// The socket's own address.
fn own_address(fd: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = ipv4([0; 4], 0);
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok(address)
}

/// A TCP server that listens with this backlog, and its address.
fn server(backlog: libc::c_int) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    let (fd, address) = bound(libc::SOCK_STREAM)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(fd, backlog) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok((fd, address))
}

fn own_name() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    let before = own_address(client)?;

    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }

    let after = own_address(client)?;
    let peer = peer_address(client)?;
    let port = if peer.sin_port == address.sin_port { "the port that it was given" } else { "another port" };
    println!("before:     {}, {}", ip(before), port_in_words(before));
    println!("after:      {}, {}", ip(after), port_in_words(after));
    println!("the server: {}, {port}", ip(peer));
    Ok(())
}

/// The address of the socket's peer.
fn peer_address(fd: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = ipv4([0; 4], 0);
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getpeername(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getpeername"));
    }
    Ok(address)
}

/// An address as we write it.
fn ip(address: libc::sockaddr_in) -> String {
    let [a, b, c, d] = address.sin_addr.s_addr.to_ne_bytes();
    format!("{a}.{b}.{c}.{d}")
}

fn port_in_words(address: libc::sockaddr_in) -> &'static str {
    if address.sin_port == 0 { "no port" } else { "a port of its own" }
}

fn bind_first() -> Result<(), Stop> {
    let (server, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;

    let here = ipv4([127, 0, 0, 5], 0);
    // SAFETY: `here` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(client, (&raw const here).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }

    let mut from = ipv4([0; 4], 0);
    let mut length = LENGTH;
    // SAFETY: `from` has room for `length` bytes, and both are ours to be written to.
    let connection = unsafe { libc::accept4(server, (&raw mut from).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    println!("The server's client is at {}.", ip(from));
    Ok(())
}

fn refused() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM)?;

    let start = Instant::now();
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("somebody let the client in"));
    }
    println!("Refused after {:.2} ms.", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn same_socket_again() -> Result<(), Stop> {
    let (server, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("somebody let the client in"));
    }
    let name = own_address(client)?;
    println!("after the refusal: {}, {}", ip(name), port_in_words(name));

    // Now the server listens.
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: as above.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: as above.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("it was connected a second time"));
    }
    Ok(())
}

fn four_noes() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let port = u16::from_be(address.sin_port);
    let noes = [
        ipv4([127, 0, 0, 1], port),
        ipv4([127, 1, 2, 3], port),
        ipv4([127, 0, 0, 1], 0),
        ipv4([127, 255, 255, 255], port),
    ];
    for address in noes {
        let client = inet(libc::SOCK_STREAM)?;
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
            return Err(Stop::unexpected(format!("{} let the client in", ip(address))));
        }
    }
    Ok(())
}

fn no_way_there() -> Result<(), Stop> {
    lab::private_network()?; // nothing can leave it
    // An address from a block that is kept for examples in books, so nobody has it.
    let stranger = ipv4([192, 0, 2, 1], 80);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `stranger` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const stranger).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("there was a way out of the private network"));
    }

    cannot_be_reached([192, 0, 2, 0])?;
    // SAFETY: as above.
    if unsafe { libc::connect(client, (&raw const stranger).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("there was a way out of the private network"));
    }
    Ok(())
}

/// Puts a route into this network's table which says that these 256 addresses cannot be reached (`route add -net … reject`).
fn cannot_be_reached(network: [u8; 4]) -> Result<(), Stop> {
    // SAFETY: an rtentry is plain numbers and null pointers, for which all zeros is a value.
    let mut route: libc::rtentry = unsafe { mem::zeroed() };
    for (to, address) in [(&mut route.rt_dst, ipv4(network, 0)), (&mut route.rt_genmask, ipv4([255, 255, 255, 0], 0))] {
        // SAFETY: a sockaddr_in and a sockaddr are equally long, and both are plain bytes.
        *to = unsafe { mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
    }
    route.rt_flags = libc::RTF_UP | libc::RTF_REJECT;

    let fd = inet(libc::SOCK_DGRAM)?;
    // SAFETY: SIOCADDRT reads one rtentry, and `route` is one.
    if unsafe { libc::ioctl(fd, libc::SIOCADDRT, &raw const route) } == -1 {
        return Err(Stop::failed("ioctl"));
    }
    Ok(())
}

fn to_the_wildcard() -> Result<(), Stop> {
    lab::private_network()?; // so that it is certain that nobody else is meant
    let (_, address) = server(5)?;
    let wildcard = ipv4([0, 0, 0, 0], u16::from_be(address.sin_port));
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `wildcard` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const wildcard).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    println!("It is connected to {}.", ip(peer_address(client)?));
    Ok(())
}

/// The address of a server whose queue is full. Whoever connects there hears nothing: no yes, no no.
fn silent_server() -> Result<libc::sockaddr_in, Stop> {
    let (listener, address) = bound(libc::SOCK_STREAM)?;
    fall_silent(listener, address)?;
    Ok(address)
}

/// Lets this socket listen, with room for one client, and takes that place.
fn fall_silent(listener: libc::c_int, address: libc::sockaddr_in) -> Result<(), Stop> {
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let guest = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(guest, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}

fn silence() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    let limit = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
    // SAFETY: `limit` is a timeval, TIMEVAL bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(client, libc::SOL_SOCKET, libc::SO_SNDTIMEO, (&raw const limit).cast(), TIMEVAL) }
        == -1
    {
        return Err(Stop::failed("setsockopt"));
    }

    for _ in 1..=2 {
        let start = Instant::now();
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
            return Err(Stop::unexpected("the server answered"));
        }
        println!("{:?} after {:.2} s", Errno::last(), start.elapsed().as_secs_f64());
    }
    println!("{}", state(client)?);
    Ok(())
}

/// The size of a `timeval`.
const TIMEVAL: libc::socklen_t = size_of::<libc::timeval>() as libc::socklen_t;

/// The socket's state: the first byte of what TCP_INFO tells.
fn state(fd: libc::c_int) -> Result<String, Stop> {
    let mut state = 0_u8;
    let mut length = 1;
    let to = (&raw mut state).cast();
    // SAFETY: `state` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut length) } == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    let name = match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        7 => "CLOSE",
        _ => "another one",
    };
    Ok(format!("state {state} ({name})"))
}

fn the_wrong_limit() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    let limit = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
    // SAFETY: `limit` is a timeval, TIMEVAL bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(client, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const limit).cast(), TIMEVAL) }
        == -1
    {
        return Err(Stop::failed("setsockopt"));
    }

    let start = Instant::now();
    signal_after(150_000)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("the server answered"));
    }
    let errno = Errno::last();
    signal_after(0)?;
    let when = if start.elapsed().as_millis() >= 150 { "when the signal came, and not before" } else { "too early" };
    println!("{errno:?}, {when}");
    Ok(())
}

/// SIGALRM comes after so many microseconds; with 0 none comes any more. Its handler does nothing, and interrupts whatever
/// call waits then. (Should the machine be so busy that we do not wait yet, another one comes a second later.)
fn signal_after(microseconds: libc::suseconds_t) -> Result<(), Stop> {
    extern "C" fn does_nothing(_: libc::c_int) {}
    // SAFETY: a sigaction is plain numbers, for which all zeros is a value: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = does_nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: `action` is a sigaction whose handler may be called at any time, and we do not ask for the old one.
    if unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigaction"));
    }
    // Whoever started this program may have blocked the signal.
    // SAFETY: as for `action`: an empty set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is a set of signals, and SIGALRM is a signal.
    if unsafe { libc::sigaddset(&raw mut set, libc::SIGALRM) } == -1 {
        return Err(Stop::failed("sigaddset"));
    }
    // SAFETY: `set` is a set of signals, and we do not ask for the old one.
    if unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("sigprocmask"));
    }

    let timer = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 1, tv_usec: 0 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: microseconds },
    };
    // SAFETY: `timer` is an itimerval, and we do not ask for the old one.
    if unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) } == -1 {
        return Err(Stop::failed("setitimer"));
    }
    Ok(())
}

fn gives_up() -> Result<(), Stop> {
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM)?;
    let limit: libc::c_uint = 50; // milliseconds
    let size = size_of::<libc::c_uint>() as libc::socklen_t;
    let from = (&raw const limit).cast();
    // SAFETY: `limit` is a number of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(client, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }

    let start = Instant::now();
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("the server answered"));
    }
    println!("Given up after {:.2} s.", start.elapsed().as_secs_f64());
    Ok(())
}

fn later() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let begun = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if begun == -1 && Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::failed("connect"));
    }

    println!("poll: {}", wait_until_writable(client, 1000)?);
    println!("SO_ERROR: {}", pending_error(client)?);

    for _ in 1..=2 {
        // SAFETY: as above.
        let again = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
        if again == -1 && Errno::last() != Errno::EISCONN {
            return Err(Stop::failed("connect"));
        }
    }
    Ok(())
}

/// What poll says of a socket within so many milliseconds; nothing, if nothing happens.
fn wait_until_writable(fd: libc::c_int, milliseconds: libc::c_int) -> Result<String, Stop> {
    let mut question = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    if unsafe { libc::poll(&raw mut question, 1, milliseconds) } == -1 {
        return Err(Stop::failed("poll"));
    }
    let names =
        [(libc::POLLIN, "POLLIN"), (libc::POLLOUT, "POLLOUT"), (libc::POLLERR, "POLLERR"), (libc::POLLHUP, "POLLHUP")];
    let set = names.iter().filter(|(bit, _)| question.revents & bit != 0);
    Ok(set.map(|(_, name)| *name).collect::<Vec<&str>>().join(" "))
}

/// The error that waits at the socket: it is fetched, and is gone from there.
fn pending_error(fd: libc::c_int) -> Result<String, Stop> {
    let mut errno: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let to = (&raw mut errno).cast();
    // SAFETY: `errno` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, to, &raw mut length) } == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    Ok(if errno == 0 { "0".to_string() } else { format!("{:?}", Errno::from_raw(errno)) })
}

fn later_refused() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let begun = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if begun == -1 && Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::failed("connect"));
    }

    println!("poll: {}", wait_until_writable(client, 1000)?);
    println!("SO_ERROR: {}", pending_error(client)?);
    println!("SO_ERROR: {}", pending_error(client)?);
    Ok(())
}

fn after_the_verdict() -> Result<(), Stop> {
    let (_nobody_listens, address) = bound(libc::SOCK_STREAM)?;
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let begun = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if begun == -1 && Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::failed("connect"));
    }
    wait_until_writable(client, 1000)?;
    pending_error(client)?;

    for _ in 1..=2 {
        // SAFETY: as above.
        if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
            return Err(Stop::unexpected("somebody let the client in"));
        }
    }
    Ok(())
}

fn with_a_limit() -> Result<(), Stop> {
    let address = silent_server()?;
    let start = Instant::now();
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let begun = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if begun == -1 && Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::failed("connect"));
    }

    match wait_until_writable(client, 50)?.as_str() {
        "" => println!("Our own ETIMEDOUT, after {:.2} s", start.elapsed().as_secs_f64()),
        something => return Err(Stop::unexpected(format!("the server answered: {something}"))),
    }
    // SAFETY: `client` is ours, and is not used after this line.
    if unsafe { libc::close(client) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

fn interrupted() -> Result<(), Stop> {
    let (listener, address) = shared(ipv4([127, 0, 0, 1], 0))?;
    fall_silent(listener, address)?;
    let client = inet(libc::SOCK_STREAM)?;
    for _ in 1..=2 {
        signal_after(150_000)?;
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
            return Err(Stop::unexpected("the server answered"));
        }
        signal_after(0)?;
    }
    let mut peer = ipv4([0; 4], 0);
    let mut length = LENGTH;
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getpeername(client, (&raw mut peer).cast(), &raw mut length) } == 0 {
        return Err(Stop::unexpected("it has a peer already"));
    }
    let errno = Errno::last();
    println!("after the signal:    {}, and no peer: {errno:?}", state(client)?);

    // At the server's address another socket now knocks at the client. TCP lets two attempts that meet become one connection.
    let (other_end, _) = shared(address)?;
    let client_address = own_address(client)?;
    // SAFETY: `client_address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(other_end, (&raw const client_address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    println!("after the answer:    {}", state(client)?);
    for _ in 1..=2 {
        // SAFETY: as above.
        let again = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
        if again == -1 && Errno::last() != Errno::EISCONN {
            return Err(Stop::failed("connect"));
        }
    }
    Ok(())
}

/// A TCP socket at this address, which shares its place with others that want to share, and its address.
fn shared(address: libc::sockaddr_in) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    let fd = inet(libc::SOCK_STREAM)?;
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `on` is a number of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, (&raw const on).cast(), size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok((fd, own_address(fd)?))
}

fn one_after_another() -> Result<(), Stop> {
    let (_, second) = server(5)?;
    let first = ipv6_loopback(u16::from_be(second.sin_port));

    let client = inet6()?;
    // SAFETY: `first` is a sockaddr_in6, LENGTH_6 bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const first).cast(), LENGTH_6) } == 0 {
        return Err(Stop::unexpected("somebody listens at ::1"));
    }
    // SAFETY: `client` is ours, and is not used after this line.
    if unsafe { libc::close(client) } == -1 {
        return Err(Stop::failed("close"));
    }

    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `second` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const second).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}

/// ::1 and this port as the kernel reads them.
fn ipv6_loopback(port: u16) -> libc::sockaddr_in6 {
    let mut ip = [0; 16];
    ip[15] = 1;
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: ip },
        sin6_scope_id: 0,
    }
}

/// The size of a `sockaddr_in6`: 28.
const LENGTH_6: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

/// A TCP socket of IPv6.
fn inet6() -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    match unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) } {
        -1 if Errno::last() == Errno::EAFNOSUPPORT => {
            Err(Stop::cannot(Lack::Ipv6, "socket(AF_INET6, …) said EAFNOSUPPORT"))
        }
        -1 => Err(Stop::failed("socket")),
        fd => Ok(fd),
    }
}

fn one_socket_for_all() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let address_6 = ipv6_loopback(u16::from_be(address.sin_port));

    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address_6` is a sockaddr_in6, LENGTH_6 bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address_6).cast(), LENGTH_6) } == 0 {
        return Err(Stop::unexpected("a socket of IPv4 reached ::1"));
    }
    let client = inet6()?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("a socket of IPv6 took an address of IPv4"));
    }
    Ok(())
}

fn std_form() -> Result<(), Stop> {
    let (_nobody_listens, first) = bound(libc::SOCK_STREAM)?;
    let (_, second) = server(5)?;
    let addresses: Vec<SocketAddr> = [first, second]
        .map(|address| SocketAddr::from((address.sin_addr.s_addr.to_ne_bytes(), u16::from_be(address.sin_port))))
        .to_vec();

    match TcpStream::connect(addresses.as_slice()) {
        Ok(stream) => {
            let _open_until_the_end = stream.into_raw_fd();
            Ok(())
        }
        Err(error) => Err(Stop::unexpected(format!("TcpStream::connect said: {error}"))),
    }
}

fn to_oneself() -> Result<(), Stop> {
    let (client, address) = bound(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }

    // SAFETY: the pointer is to two bytes, which send only reads.
    if unsafe { libc::send(client, b"me".as_ptr().cast(), 2, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    println!("{}", compare_names(client)?);
    Ok(())
}

/// Whether a socket is connected with itself: the two ends then have one name.
fn compare_names(fd: libc::c_int) -> Result<&'static str, Stop> {
    let (own, peer) = (own_address(fd)?, peer_address(fd)?);
    let same = own.sin_addr.s_addr == peer.sin_addr.s_addr && own.sin_port == peer.sin_port;
    Ok(if same { "own name and peer are the same" } else { "own name and peer are two" })
}

fn to_oneself_by_chance() -> Result<(), Stop> {
    lab::private_network()?;
    two_ports_for_clients()?;

    let nobody = ipv4([127, 0, 0, 1], 40_000);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `nobody` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const nobody).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    println!("{}", compare_names(client)?);
    Ok(())
}

/// In this network the kernel has two ports to choose from: 40000 and 40001.
fn two_ports_for_clients() -> Result<(), Stop> {
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001")
        .map_err(|error| Stop::cannot(Lack::Settings, format!("ip_local_port_range cannot be set: {error}")))
}

fn out_of_ports() -> Result<(), Stop> {
    lab::private_network()?;
    let (_, address) = server(5)?;
    two_ports_for_clients()?;

    for number in 1..=3 {
        let client = inet(libc::SOCK_STREAM)?;
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        let answer = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
        if answer == -1 && number < 3 {
            return Err(Stop::failed("connect"));
        }
    }
    Ok(())
}

/// An address where a UDP server was a moment ago.
fn left_by_udp() -> Result<libc::sockaddr_in, Stop> {
    let (fd, address) = bound(libc::SOCK_DGRAM)?;
    // SAFETY: `fd` is ours, and is not used after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(address)
}

fn udp_to_nobody() -> Result<(), Stop> {
    let address = left_by_udp()?;
    let client = inet(libc::SOCK_DGRAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }

    // SAFETY: the pointer is to one byte, which send only reads.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as above.
    if unsafe { libc::send(client, b"x".as_ptr().cast(), 1, 0) } != -1 {
        return Err(Stop::unexpected("nobody told the client that nobody is there"));
    }
    Ok(())
}

fn udp_unconnected() -> Result<(), Stop> {
    let address = left_by_udp()?;
    let client = inet(libc::SOCK_DGRAM)?;
    for _ in 1..=2 {
        let to = (&raw const address).cast();
        // SAFETY: the first pointer is to one byte and the second to a sockaddr_in, and sendto only reads them.
        if unsafe { libc::sendto(client, b"x".as_ptr().cast(), 1, 0, to, LENGTH) } == -1 {
            return Err(Stop::failed("sendto"));
        }
    }
    Ok(())
}

fn udp_one_peer() -> Result<(), Stop> {
    let (server, address) = bound(libc::SOCK_DGRAM)?;
    let stranger = inet(libc::SOCK_DGRAM)?;
    let client = inet(libc::SOCK_DGRAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    let client_address = own_address(client)?;

    for (from, text) in [(stranger, b"stranger".as_slice()), (server, b"server")] {
        let to = (&raw const client_address).cast();
        // SAFETY: the first pointer is to the text and the second to a sockaddr_in, and sendto only reads them.
        if unsafe { libc::sendto(from, text.as_ptr().cast(), text.len(), 0, to, LENGTH) } == -1 {
            return Err(Stop::failed("sendto"));
        }
        let mut buffer = [0_u8; 16];
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(client, to, buffer.len(), libc::MSG_DONTWAIT) };
        if count == -1 && Errno::last() != Errno::EAGAIN {
            return Err(Stop::failed("recv"));
        }
    }
    Ok(())
}

fn which_address() -> Result<(), Stop> {
    for peer in [[127, 0, 0, 1], [127, 9, 9, 9], [127, 255, 255, 255]] {
        let peer = ipv4(peer, 9);
        let label = format!("to {}:", ip(peer));
        let client = inet(libc::SOCK_DGRAM)?;
        // SAFETY: `peer` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
        match unsafe { libc::connect(client, (&raw const peer).cast(), LENGTH) } {
            -1 => println!("{label:19} {:?}", Errno::last()),
            _ => println!("{label:19} from {}", ip(own_address(client)?)),
        }
    }
    Ok(())
}

/// A path as the kernel reads it, and how long the address is with the zero byte at its end.
fn path(name: &str) -> (libc::sockaddr_un, libc::socklen_t) {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    (address, (size_of::<libc::sa_family_t>() + name.len() + 1) as libc::socklen_t)
}

/// A unix socket of this type.
fn unix(kind: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    match unsafe { libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) } {
        -1 => Err(Stop::failed("socket")),
        fd => Ok(fd),
    }
}

/// A unix socket of this type, bound to this path.
fn bound_unix(kind: libc::c_int, name: &str) -> Result<libc::c_int, Stop> {
    let fd = unix(kind)?;
    let (address, length) = path(name);
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok(fd)
}

fn unix_noes() -> Result<(), Stop> {
    fs::write("plain", "an ordinary file")
        .map_err(|error| Stop::unexpected(format!("a file cannot be made: {error}")))?;
    let stale = bound_unix(libc::SOCK_STREAM, "stale.sock")?;
    // SAFETY: `stale` is ours, and is not used after this line.
    if unsafe { libc::close(stale) } == -1 {
        return Err(Stop::failed("close"));
    }
    bound_unix(libc::SOCK_DGRAM, "datagrams.sock")?;

    for name in ["nothing.sock", "plain", "stale.sock", "datagrams.sock"] {
        let client = unix(libc::SOCK_STREAM)?;
        let (address, length) = path(name);
        // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
        if unsafe { libc::connect(client, (&raw const address).cast(), length) } == 0 {
            return Err(Stop::unexpected(format!("somebody answered at {name}")));
        }
    }
    Ok(())
}

/// A unix server that listens at this path.
fn unix_server(name: &str) -> Result<libc::c_int, Stop> {
    let server = bound_unix(libc::SOCK_STREAM, name)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok(server)
}

fn unix_permission() -> Result<(), Stop> {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Root may write anywhere, so become an ordinary user, who must own the directory to make the path. No way back.
        // SAFETY: the path ends in a zero byte, and chown only reads it.
        if unsafe { libc::chown(c".".as_ptr(), NOBODY, libc::gid_t::MAX) } == -1 {
            let error = io::Error::last_os_error();
            return Err(Stop::cannot(Lack::UnprivilegedUser, format!("chown(\".\", 65534) said: {error}")));
        }
        // SAFETY: setresuid takes three numbers and changes only this process.
        if unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) } == -1 {
            let error = io::Error::last_os_error();
            return Err(Stop::cannot(Lack::UnprivilegedUser, format!("setresuid(65534, …) said: {error}")));
        }
    }
    unix_server("demo.sock")?;

    let (address, length) = path("demo.sock");
    for mode in [0o500, 0o200] {
        // SAFETY: the path ends in a zero byte, and chmod only reads it.
        if unsafe { libc::chmod(c"demo.sock".as_ptr(), mode) } == -1 {
            return Err(Stop::failed("chmod"));
        }
        let client = unix(libc::SOCK_STREAM)?;
        // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
        let answer = unsafe { libc::connect(client, (&raw const address).cast(), length) };
        if answer == -1 && Errno::last() != Errno::EACCES {
            return Err(Stop::failed("connect"));
        }
    }
    Ok(())
}

fn unix_at_once() -> Result<(), Stop> {
    unix_server("demo.sock")?;
    let client = unix(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    let (address, length) = path("demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}

fn undo() -> Result<(), Stop> {
    let (server, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    let connected = state(client)?;
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }

    // SAFETY: a sockaddr is plain numbers, for which all zeros is a value: AF_UNSPEC is 0.
    let nobody: libc::sockaddr = unsafe { mem::zeroed() };
    // SAFETY: `nobody` is a sockaddr, as long as a sockaddr_in, and connect only reads it.
    if unsafe { libc::connect(client, &raw const nobody, LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    let unconnected = state(client)?;
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } != -1 {
        return Err(Stop::unexpected("the other end was not reset"));
    }

    // SAFETY: as above.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    println!("connected:     {connected}\nunconnected:   {unconnected}\nonce more:     {}", state(client)?);
    Ok(())
}

fn refusals() -> Result<(), Stop> {
    let (listener, address) = server(5)?;
    let to = (&raw const address).cast();
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let file = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return Err(Stop::failed("open"));
    }
    let client = inet(libc::SOCK_STREAM)?;

    let nothing = ptr::null();
    for (fd, to, length) in
        [(-1, to, LENGTH), (file, to, LENGTH), (client, to, 2), (client, nothing, LENGTH), (listener, to, LENGTH)]
    {
        // SAFETY: `to` is a sockaddr_in, LENGTH bytes long, or points nowhere; connect only reads it, and finds out.
        if unsafe { libc::connect(fd, to, length) } == 0 {
            return Err(Stop::unexpected(format!("descriptor {fd} is connected")));
        }
    }
    Ok(())
}
