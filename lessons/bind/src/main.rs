//! The experiments of the chapter `bind`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-bind`.

mod errnos;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, prints};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getsockname, listen,
    recv, setsockopt, socket, sockopt,
};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "bind",
    experiments: &[
        Experiment {
            name: "first-bind",
            shows: "A socket asks for 127.0.0.1 and for any free port, and then for its own name.",
            notice: "Port 0 went in, and getsockname brought the port that the kernel chose.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("bind", "0"), calls("getsockname", "0")])],
            play: first_bind,
        },
        Experiment {
            name: "nix-form",
            shows: "The same calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("bind", "0"), calls("getsockname", "0")])],
            play: nix_form,
        },
        Experiment {
            name: "seen-by-others",
            shows: "A socket is bound, then listens; each time we look for it in /proc/net/tcp.",
            notice: "Bound is not visible. Only after listen is there a line, in state 0A, which is LISTEN.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0"),
                calls("listen", "0"),
                prints("bound:     no line\nlistening: state 0A\n"),
            ])],
            play: seen_by_others,
        },
        Experiment {
            name: "port-in-use",
            shows: "A second socket asks for an address and port that a first one holds. Nobody listens.",
            notice: "EADDRINUSE comes from bind, though the first socket does nothing but hold the port.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd fd"), calls("bind", "0 EADDRINUSE")])],
            play: port_in_use,
        },
        Experiment {
            name: "not-in-the-way",
            shows: "A port is taken; we ask for the same number at another address, in another protocol, in IPv6.",
            notice: "A port is taken per protocol and address: all three are free.",
            outcomes: &[
                Expected::anywhere(&[calls("socket", "fd fd fd fd"), calls("bind", "0 0 0 0")]),
                Expected::on(
                    "where IPv6 is switched off by sysctl",
                    &[calls("bind", "0 0 0 EADDRNOTAVAIL"), cannot(Lack::Ipv6)],
                ),
                Expected::on(
                    "where the kernel has no IPv6",
                    &[calls("socket", "fd fd fd EAFNOSUPPORT"), calls("bind", "0 0 0"), cannot(Lack::Ipv6)],
                ),
            ],
            play: not_in_the_way,
        },
        Experiment {
            name: "reuse-before-listen",
            shows: "Two sockets with SO_REUSEADDR ask for the same address and port, and then both want to listen.",
            notice: "Both are bound: nobody listened yet. The conflict comes at the second listen, with the same errno.",
            outcomes: &[Expected::anywhere(&[
                calls("setsockopt", "0 0"),
                calls("bind", "0 0"),
                calls("listen", "0 EADDRINUSE"),
            ])],
            play: reuse_before_listen,
        },
        Experiment {
            name: "two-servers",
            shows: "A server with SO_REUSEPORT holds a port; a second one asks for it, without the option and with it.",
            notice: "Sharing takes two: with SO_REUSEPORT on both, both are bound and both listen.",
            outcomes: &[Expected::anywhere(&[
                calls("setsockopt", "0 0"),
                calls("bind", "0 EADDRINUSE 0"),
                calls("listen", "0 0"),
            ])],
            play: two_servers,
        },
        Experiment {
            name: "time-wait",
            shows: "A server closes a connection first, then its listening socket; a new server wants the port.",
            notice: "No process has the port. The connection sleeps in TIME_WAIT at the end that closed first, and holds it.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 EADDRINUSE"),
                calls("close", "0 0 0"),
                prints("state 06 (TIME_WAIT)"),
            ])],
            play: time_wait,
        },
        Experiment {
            name: "old-server-without",
            shows: "The old server had not set SO_REUSEADDR; the new one sets it.",
            notice: "Still EADDRINUSE: the sleeping connection carries the flag of the server that accepted it.",
            outcomes: &[Expected::anywhere(&[calls("setsockopt", "0"), calls("bind", "0 EADDRINUSE")])],
            play: old_server_without,
        },
        Experiment {
            name: "restart-matrix",
            shows: "Sixteen restarts: SO_REUSEADDR on the old server or not, on the new one or not, after four endings.",
            notice: "A restart works if the client closed first, so that nothing is left here, or if both servers have the \
                     option and the old one no longer listens.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "EADDRINUSE*3 0 0*4 EADDRINUSE*3 0 EADDRINUSE*4"),
                prints("neither        only the new   only the old   both"),
            ])],
            play: restart_matrix,
        },
        Experiment {
            name: "ephemeral-ports",
            shows: "Three hundred times the kernel chooses a port for bind, and one for connect.",
            notice: "bind takes odd ports and leaves the even ones to connect, so that servers and clients keep out of each \
                     other's way. (After two rounds the other 298 are left out of the trace.)",
            outcomes: &[
                Expected::anywhere(&[
                    calls("bind", "0*3"),
                    calls("connect", "0*2"),
                    prints("bind:    300 odd, 0 even\nconnect: 0 odd, 300 even\n"),
                ]),
                Expected::on(
                    "where net.ipv4.ip_local_port_range starts with an odd number",
                    &[
                        calls("bind", "0*3"),
                        calls("connect", "0*2"),
                        prints("bind:    0 odd, 300 even\nconnect: 300 odd, 0 even\n"),
                    ],
                ),
            ],
            play: ephemeral_ports,
        },
        Experiment {
            name: "full-range",
            shows: "In a private network with two ephemeral ports, three sockets ask for any port, and a client for one more.",
            notice: "bind says EADDRINUSE though we asked for no port in particular: the range is full. For the same lack \
                     connect says EADDRNOTAVAIL.",
            outcomes: &[
                Expected::anywhere(&[calls("bind", "0 0 EADDRINUSE"), calls("connect", "EADDRNOTAVAIL")]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
                Expected::on("where a private network's settings are read-only", &[cannot(Lack::Settings)]),
            ],
            play: full_range,
        },
        Experiment {
            name: "refusals",
            shows: "One socket is bound with wrong lengths, with a wrong family, rightly, and once more.",
            notice: "The length must lie between 16 and 128, the family must be the socket's own, and a name is for life. A \
                     refused bind leaves the socket as it was.",
            outcomes: &[Expected::anywhere(&[calls("bind", "EINVAL EINVAL EAFNOSUPPORT 0 EINVAL")])],
            play: refusals,
        },
        Experiment {
            name: "not-local",
            shows: "A socket asks for an address that belongs to another machine.",
            notice: "The kernel looks through its own addresses and says EADDRNOTAVAIL. bind sends nothing.",
            outcomes: &[
                Expected::anywhere(&[calls("bind", "EADDRNOTAVAIL")]),
                Expected::on("where net.ipv4.ip_nonlocal_bind is 1", &[calls("bind", "0")]),
            ],
            play: not_local,
        },
        Experiment {
            name: "below-1024",
            shows: "An ordinary user asks for ports 80, 1023 and 1024.",
            notice: "Ports below net.ipv4.ip_unprivileged_port_start are kept for programs with CAP_NET_BIND_SERVICE.",
            outcomes: &[
                Expected::anywhere(&[calls("bind", "EACCES EACCES 0")]),
                Expected::on(
                    "where ports below 1024 are free for all, or this user has the privilege",
                    &[calls("bind", "0 0 0")],
                ),
                Expected::on(
                    "where ports below 1024 are free for all, and a program holds port 80",
                    &[calls("bind", "EADDRINUSE 0 0")],
                ),
                Expected::on(
                    "where ports are free for all from a number between 80 and 1023 on",
                    &[calls("bind", "EACCES 0 0")],
                ),
                Expected::on(
                    "where ports above 1024 are kept for the privileged too",
                    &[calls("bind", "EACCES EACCES EACCES")],
                ),
                Expected::on("where a program listens on port 1024", &[calls("bind", "EACCES EACCES EADDRINUSE")]),
                Expected::on("where root may not become another user", &[cannot(Lack::UnprivilegedUser)]),
            ],
            play: below_1024,
        },
        Experiment {
            name: "wildcard",
            shows: "In a private network one socket holds a port at 0.0.0.0; another asks for it at 127.0.0.1.",
            notice: "The wildcard overlaps every address. With SO_REUSEADDR on both they may be bound, but only one may listen.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("setsockopt", "0 0 0 0"),
                    calls("bind", "0 EADDRINUSE 0 0"),
                    calls("listen", "0 EADDRINUSE"),
                ]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
            ],
            play: wildcard,
        },
        Experiment {
            name: "wildcard-ipv6",
            shows: "In a private network a socket holds a port at 0.0.0.0; others ask for it at :: with IPV6_V6ONLY 0 and 1.",
            notice: "With IPV6_V6ONLY 0 the address :: takes in IPv4 as well, so it is in the way. With 1 it keeps to IPv6.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("setsockopt", "0 0"),
                    calls("bind", "0 EADDRINUSE 0"),
                    calls("listen", "0 0"),
                ]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
                Expected::on("where the kernel has no IPv6", &[cannot(Lack::Ipv6)]),
            ],
            play: wildcard_ipv6,
        },
        Experiment {
            name: "path-stays-behind",
            shows: "A unix server closes its socket; a new one wants the same path, with SO_REUSEADDR.",
            notice: "The socket is gone and its file is in the way; the option means nothing here. Nobody is behind the file: \
                     connect says ECONNREFUSED. Only unlink removes it.",
            outcomes: &[Expected::anywhere(&[
                calls("setsockopt", "0"),
                calls("bind", "0 EADDRINUSE 0"),
                calls("connect", "ECONNREFUSED"),
            ])],
            play: path_stays_behind,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_bind() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }

    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0_u16.to_be(), // port 0: the kernel is to choose
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let mut length = size_of_val(&address) as libc::socklen_t; // 16

    // SAFETY: `address` is a sockaddr_in of `length` bytes, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }

    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // SAFETY: `fd` is ours, and is not used after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }

    println!("The kernel chose port {}.", u16::from_be(address.sin_port));
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(fd.as_raw_fd())?;
    close(fd)?;

    println!("The kernel chose port {}.", address.port());
    Ok(())
}

/// 127.0.0.1 and this port as the kernel reads them: what [`first_bind`] writes out in full.
fn loopback(port: u16) -> libc::sockaddr_in {
    ipv4([127, 0, 0, 1], port)
}

/// An IPv4 address and a port as the kernel reads them, the most significant byte first.
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

/// The size of an int, which is what the options here are.
const INT: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

fn seen_by_others() -> Result<(), Stop> {
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
    let bound = states(address)?;

    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(fd, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let listening = states(address)?;

    println!("In /proc/net/tcp:");
    for (when, states) in [("bound:    ", bound), ("listening:", listening)] {
        match states.first() {
            None => println!("{when} no line"),
            Some(state) => println!("{when} state {state}"),
        }
    }
    Ok(())
}

/// The states of the TCP sockets at this local address, as /proc/net/tcp has them: `0A` is LISTEN, `06` is TIME_WAIT.
fn states(address: libc::sockaddr_in) -> Result<Vec<String>, Stop> {
    let lines = proc_net_tcp(address)?;
    Ok(lines.iter().filter_map(|line| line.split_whitespace().nth(3)).map(str::to_string).collect())
}

/// The lines of /proc/net/tcp that begin with this local address.
fn proc_net_tcp(address: libc::sockaddr_in) -> Result<Vec<String>, Stop> {
    let table = fs::read_to_string("/proc/self/net/tcp")
        .map_err(|error| Stop::unexpected(format!("/proc/self/net/tcp cannot be read: {error}")))?;
    // Such as 0100007F:9105, the address as one hexadecimal number in the machine's own byte order.
    let local = format!("{:08X}:{:04X}", address.sin_addr.s_addr, u16::from_be(address.sin_port));
    Ok(table.lines().filter(|line| line.split_whitespace().nth(1) == Some(&local)).map(str::to_string).collect())
}

fn port_in_use() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let first = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if first == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(first, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(first, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // The second socket asks for what the first one holds.
    // SAFETY: socket takes three numbers and no pointer.
    let second = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if second == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(second, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("two sockets hold the same port"));
    }
    Ok(())
}

fn not_in_the_way() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let holder = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if holder == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(holder, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(holder, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // The same port at another address of this machine: all of 127.0.0.0/8 is its own.
    let neighbour = ipv4([127, 0, 0, 2], u16::from_be(address.sin_port));
    // SAFETY: socket takes three numbers and no pointer.
    let tcp = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: `neighbour` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if tcp == -1 || unsafe { libc::bind(tcp, (&raw const neighbour).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("socket or bind at 127.0.0.2"));
    }

    // The same address and port, for UDP.
    // SAFETY: socket takes three numbers and no pointer.
    let udp = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if udp == -1 || unsafe { libc::bind(udp, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("socket or bind for UDP"));
    }

    // The same port, for IPv6.
    let six = ipv6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], u16::from_be(address.sin_port));
    // SAFETY: socket takes three numbers and no pointer.
    let tcp6 = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if tcp6 == -1 {
        return Err(no_ipv6("socket(AF_INET6)"));
    }
    // SAFETY: `six` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    if unsafe { libc::bind(tcp6, (&raw const six).cast(), LENGTH6) } == -1 {
        return Err(no_ipv6("bind to ::1"));
    }
    Ok(())
}

/// An IPv6 address and a port as the kernel reads them.
fn ipv6(ip: [u8; 16], port: u16) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: ip },
        sin6_scope_id: 0,
    }
}

/// The size of a `sockaddr_in6`: 28.
const LENGTH6: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

/// An IPv6 call has just failed: is there no IPv6 on this machine, or is something else wrong?
fn no_ipv6(call: &str) -> Stop {
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) => Stop::cannot(Lack::Ipv6, format!("{call} said: {error}")),
        _ => Stop::unexpected(format!("{call} said: {error}")),
    }
}

fn reuse_before_listen() -> Result<(), Stop> {
    let on: libc::c_int = 1;
    let mut address = loopback(0);
    let mut length = LENGTH;

    // SAFETY: socket takes three numbers and no pointer.
    let first = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if first == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `on` is an int, INT bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(first, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), INT) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(first, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(first, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // SAFETY: socket takes three numbers and no pointer.
    let second = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if second == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as for the first setsockopt.
    if unsafe { libc::setsockopt(second, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), INT) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(second, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }

    // Both are bound to one port. Now one opens for business, and then the other.
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(first, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: as above.
    if unsafe { libc::listen(second, 5) } == 0 {
        return Err(Stop::unexpected("two sockets listen on the same port"));
    }
    Ok(())
}

fn two_servers() -> Result<(), Stop> {
    let on: libc::c_int = 1;
    let mut address = loopback(0);
    let mut length = LENGTH;

    // SAFETY: socket takes three numbers and no pointer.
    let first = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if first == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `on` is an int, INT bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(first, libc::SOL_SOCKET, libc::SO_REUSEPORT, (&raw const on).cast(), INT) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(first, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(first, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // The second server asks without the option …
    // SAFETY: socket takes three numbers and no pointer.
    let second = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if second == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(second, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("one socket with SO_REUSEPORT and one without share a port"));
    }
    // … and with it.
    // SAFETY: as for the first setsockopt.
    if unsafe { libc::setsockopt(second, libc::SOL_SOCKET, libc::SO_REUSEPORT, (&raw const on).cast(), INT) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(second, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }

    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(first, 5) } == -1 || unsafe { libc::listen(second, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok(())
}

fn time_wait() -> Result<(), Stop> {
    let mut address = loopback(0);
    let mut length = LENGTH;

    // The old server.
    // SAFETY: socket takes three numbers and no pointer.
    let old = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if old == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(old, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(old, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(old, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // A client, and the connection to it.
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
    let connection = unsafe { libc::accept4(old, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }

    // The server closes the connection first, then the client; then the server goes away.
    for fd in [connection, client, old] {
        // SAFETY: `fd` is ours, and is not used after this line.
        if unsafe { libc::close(fd) } == -1 {
            return Err(Stop::failed("close"));
        }
    }
    wait_until(address, &["06"])?;

    // The new server, a moment later.
    // SAFETY: socket takes three numbers and no pointer.
    let new = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if new == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(new, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("the sleeping connection was not in the way"));
    }
    print_time_wait(address)
}

/// Waits until the TCP sockets at this local address are in these states. The kernel is nearly always there before we look.
fn wait_until(address: libc::sockaddr_in, wanted: &[&str]) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let states = states(address)?;
        if states == wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!("after 5 seconds the states are {states:?}, and not {wanted:?}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Prints how long the connection at this local address goes on sleeping.
fn print_time_wait(address: libc::sockaddr_in) -> Result<(), Stop> {
    for line in proc_net_tcp(address)? {
        // The sixth column is such as 03:0000176C: which timer runs, and in how many hundredths of a second it ends.
        let hundredths = line
            .split_whitespace()
            .nth(5)
            .and_then(|timer| timer.split(':').nth(1))
            .and_then(|number| u32::from_str_radix(number, 16).ok())
            .ok_or_else(|| Stop::unexpected(format!("/proc/self/net/tcp has a line without a timer: {line}")))?;
        println!("In /proc/net/tcp: state 06 (TIME_WAIT), for another {:.1} s", f64::from(hundredths) / 100.0);
    }
    Ok(())
}

fn old_server_without() -> Result<(), Stop> {
    // The old server, without SO_REUSEADDR: the calls of `time_wait`, here with nix.
    let old = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(old.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(old.as_raw_fd())?;
    listen(&old, Backlog::new(5)?)?;

    // A client comes and goes; the server closes first.
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &address)?;
    let connection = accept4(old.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    close(connection)?;
    close(client)?;
    close(old)?;

    // The new server, with SO_REUSEADDR.
    let new = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&new, sockopt::ReuseAddr, &true)?;
    let bound = bind(new.as_raw_fd(), &address);
    close(new)?;
    match bound {
        Ok(()) => Err(Stop::unexpected("the old server's flag did not count")),
        Err(Errno::EADDRINUSE) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// How the old server's life ended.
#[derive(Clone, Copy)]
enum OldServer {
    ClosedFirst,
    ClientClosedFirst,
    LeftAConnection,
    StillListens,
}

fn restart_matrix() -> Result<(), Stop> {
    lab::stop_watching(); // All these calls have been shown: the trace is to have the sixteen new binds alone.
    println!("SO_REUSEADDR on …              neither        only the new   only the old   both");
    for (old_server, words) in [
        (OldServer::ClosedFirst, "the old server closed first"),
        (OldServer::ClientClosedFirst, "its client closed first"),
        (OldServer::LeftAConnection, "its connection is still open"),
        (OldServer::StillListens, "it still listens"),
    ] {
        let neither = restart(old_server, false, false)?;
        let only_new = restart(old_server, false, true)?;
        let only_old = restart(old_server, true, false)?;
        let both = restart(old_server, true, true)?;
        println!("{words:<30} {neither:<14} {only_new:<14} {only_old:<14} {both}");
    }
    Ok(())
}

/// An old server lives and ends; what does bind say to a new one?
fn restart(old_server: OldServer, old_flag: bool, new_flag: bool) -> Result<&'static str, Stop> {
    let old = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&old, sockopt::ReuseAddr, &old_flag)?;
    bind(old.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(old.as_raw_fd())?;
    listen(&old, Backlog::new(5)?)?;

    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &address)?;
    let connection = accept4(old.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;

    // What is not closed here stays open till the process ends, so that no port comes twice.
    let (old, client) = (old.into_raw_fd(), client.into_raw_fd());
    let closed: &[RawFd] = match old_server {
        OldServer::ClosedFirst => &[connection, client, old],
        OldServer::ClientClosedFirst => &[client, connection, old],
        OldServer::LeftAConnection => &[old],
        OldServer::StillListens => &[],
    };
    for &fd in closed {
        close(fd)?;
        if fd == client && matches!(old_server, OldServer::ClientClosedFirst) {
            // Wait until the server's side has heard of it: if it closed before that, both would have closed first.
            recv(connection, &mut [0], MsgFlags::empty())?;
        }
    }
    if let OldServer::ClientClosedFirst = old_server {
        wait_until(loopback(address.port()), &[])?;
    }

    let new = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&new, sockopt::ReuseAddr, &new_flag)?;
    let new = new.into_raw_fd();
    lab::watch_again();
    let bound = bind(new, &address);
    lab::stop_watching();
    match bound {
        Ok(()) => Ok("works"),
        Err(Errno::EADDRINUSE) => Ok("EADDRINUSE"),
        Err(errno) => Err(errno.into()),
    }
}

fn ephemeral_ports() -> Result<(), Stop> {
    let any = SockaddrIn::new(127, 0, 0, 1, 0);
    let server = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(server.as_raw_fd(), &any)?;
    // Three hundred sleeping connections would be in everybody's way: let these end with a reset.
    setsockopt(&server, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    listen(&server, Backlog::new(5)?)?;
    let address: SockaddrIn = getsockname(server.as_raw_fd())?;

    let mut kept = Vec::new(); // sockets that stay open, so that no port comes twice
    let (mut bound_odd, mut connected_odd) = (0, 0);
    for round in 0..300 {
        if round == 2 {
            lab::stop_watching(); // From here on the trace would only repeat itself.
        }
        let bound = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        bind(bound.as_raw_fd(), &any)?;
        bound_odd += getsockname::<SockaddrIn>(bound.as_raw_fd())?.port() % 2;

        let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        connect(client.as_raw_fd(), &address)?;
        connected_odd += getsockname::<SockaddrIn>(client.as_raw_fd())?.port() % 2;

        let connection = accept4(server.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
        close(connection)?;
        close(client)?;
        kept.push(bound);
    }

    println!("bind:    {bound_odd} odd, {} even", 300 - bound_odd);
    println!("connect: {connected_odd} odd, {} even", 300 - connected_odd);
    Ok(())
}

fn full_range() -> Result<(), Stop> {
    lab::private_network()?;
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001")
        .map_err(|error| Stop::cannot(Lack::Settings, format!("ip_local_port_range cannot be set: {error}")))?;

    let any = loopback(0);
    for number in 1..=3 {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        // SAFETY: `any` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        let bound = unsafe { libc::bind(fd, (&raw const any).cast(), LENGTH) };
        if number < 3 && bound == -1 {
            return Err(Stop::failed("bind"));
        }
        if number == 3 && bound == 0 {
            return Err(Stop::unexpected("three sockets share two ports"));
        }
    }

    // A client needs a port too.
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    let server = loopback(40000);
    // SAFETY: `server` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const server).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("a client found a third port"));
    }
    Ok(())
}

/// An address with more bytes behind it than it needs: 132 in all.
#[repr(C)]
struct LongAddress {
    address: libc::sockaddr_in,
    rest: [u8; 116],
}

fn refusals() -> Result<(), Stop> {
    let right = LongAddress { address: loopback(0), rest: [0; 116] };
    let mut swapped = loopback(0);
    swapped.sin_family = swapped.sin_family.swap_bytes(); // 0x0200 instead of 0x0002

    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // One byte short; one byte longer than any address may be.
    // SAFETY: `right` has 132 bytes, and bind only reads them.
    if unsafe { libc::bind(fd, (&raw const right).cast(), 15) } == 0 {
        return Err(Stop::unexpected("an address of 15 bytes was taken"));
    }
    // SAFETY: as above.
    if unsafe { libc::bind(fd, (&raw const right).cast(), 129) } == 0 {
        return Err(Stop::unexpected("an address of 129 bytes was taken"));
    }
    // A family that no IPv4 socket has.
    // SAFETY: `swapped` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const swapped).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("an address of another family was taken"));
    }
    // As long as an address may be: the kernel reads the first 16 bytes.
    // SAFETY: `right` has 132 bytes, and bind only reads them.
    if unsafe { libc::bind(fd, (&raw const right).cast(), 128) } == -1 {
        return Err(Stop::failed("bind with 128 bytes"));
    }
    // Right in itself, and too late.
    // SAFETY: as above.
    if unsafe { libc::bind(fd, (&raw const right).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("a socket was bound twice"));
    }
    Ok(())
}

fn not_local() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // An address from a block that is kept for examples in books, so nobody has it.
    let stranger = ipv4([198, 51, 100, 1], 0);
    // SAFETY: `stranger` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const stranger).cast(), LENGTH) } == 0 {
        println!("This machine lets a program bind to an address that it has not got.");
    }
    Ok(())
}

fn below_1024() -> Result<(), Stop> {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Root may bind to any port, so become an ordinary user. There is no way back.
        // SAFETY: setresuid takes three numbers and changes only this process.
        if unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) } == -1 {
            let error = io::Error::last_os_error();
            return Err(Stop::cannot(Lack::UnprivilegedUser, format!("setresuid(65534, …) said: {error}")));
        }
    }

    let on: libc::c_int = 1;
    let mut granted = Vec::new();
    for port in [80, 1023, 1024] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        // These ports are fixed, so let two runs of this experiment share them.
        // SAFETY: `on` is an int, INT bytes long, and setsockopt only reads it.
        if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), INT) } == -1 {
            return Err(Stop::failed("setsockopt"));
        }
        let address = loopback(port);
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == 0 {
            granted.push(port);
        }
    }

    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .map_err(|error| Stop::unexpected(format!("ip_unprivileged_port_start cannot be read: {error}")))?;
    println!("granted: {granted:?}; net.ipv4.ip_unprivileged_port_start = {}", start.trim());
    Ok(())
}

fn wildcard() -> Result<(), Stop> {
    lab::private_network()?;

    // First with SO_REUSEADDR off, as it is unless somebody sets it; then with SO_REUSEADDR on, at both sockets.
    for reuse in [0, 1] {
        // SAFETY: socket takes three numbers and no pointer.
        let wide = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        // SAFETY: as above.
        let narrow = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if wide == -1 || narrow == -1 {
            return Err(Stop::failed("socket"));
        }
        let reuse: libc::c_int = reuse;
        for fd in [wide, narrow] {
            // SAFETY: `reuse` is an int, INT bytes long, and setsockopt only reads it.
            if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const reuse).cast(), INT) }
                == -1
            {
                return Err(Stop::failed("setsockopt"));
            }
        }

        let mut address = ipv4([0, 0, 0, 0], 0);
        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        if unsafe { libc::bind(wide, (&raw const address).cast(), LENGTH) } == -1 {
            return Err(Stop::failed("bind"));
        }
        let mut length = LENGTH;
        // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
        if unsafe { libc::getsockname(wide, (&raw mut address).cast(), &raw mut length) } == -1 {
            return Err(Stop::failed("getsockname"));
        }
        let address = loopback(u16::from_be(address.sin_port));
        // SAFETY: as for the first bind.
        let bound = unsafe { libc::bind(narrow, (&raw const address).cast(), LENGTH) };
        match (reuse, bound) {
            (0, 0) => return Err(Stop::unexpected("0.0.0.0 was not in the way of 127.0.0.1")),
            (0, _) => continue,
            (_, 0) => {}
            (_, _) => return Err(Stop::failed("bind")),
        }

        // SAFETY: listen takes two numbers and no pointer.
        if unsafe { libc::listen(wide, 5) } == -1 {
            return Err(Stop::failed("listen"));
        }
        // SAFETY: as above.
        if unsafe { libc::listen(narrow, 5) } == 0 {
            return Err(Stop::unexpected("both listen, at 0.0.0.0 and at 127.0.0.1"));
        }
    }
    Ok(())
}

fn wildcard_ipv6() -> Result<(), Stop> {
    lab::private_network()?;
    // SAFETY: socket takes three numbers and no pointer.
    let four = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if four == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = ipv4([0, 0, 0, 0], 0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(four, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(four, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(four, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // The same port at ::, first for both kinds of IP, then for IPv6 alone.
    let address = ipv6([0; 16], u16::from_be(address.sin_port));
    // SAFETY: socket takes three numbers and no pointer.
    let six = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if six == -1 {
        return Err(no_ipv6("socket(AF_INET6)"));
    }
    for v6only in [0, 1] {
        let v6only: libc::c_int = v6only;
        // SAFETY: `v6only` is an int, INT bytes long, and setsockopt only reads it.
        if unsafe { libc::setsockopt(six, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, (&raw const v6only).cast(), INT) }
            == -1
        {
            return Err(Stop::failed("setsockopt"));
        }
        // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
        let bound = unsafe { libc::bind(six, (&raw const address).cast(), LENGTH6) };
        if v6only == 0 && bound == 0 {
            return Err(Stop::unexpected("0.0.0.0 was not in the way of ::"));
        }
        if v6only == 1 && bound == -1 {
            return Err(Stop::failed("bind"));
        }
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(six, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok(())
}

fn path_stays_behind() -> Result<(), Stop> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(b"demo.sock") {
        *to = *from as libc::c_char;
    }
    let length = (size_of::<libc::sa_family_t>() + "demo.sock".len() + 1) as libc::socklen_t; // with a zero byte at the end

    // The old server.
    // SAFETY: socket takes three numbers and no pointer.
    let old = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if old == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    if unsafe { libc::bind(old, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(old, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: `old` is ours, and is not used after this line.
    if unsafe { libc::close(old) } == -1 {
        return Err(Stop::failed("close"));
    }

    // The new server.
    // SAFETY: socket takes three numbers and no pointer.
    let new = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if new == -1 {
        return Err(Stop::failed("socket"));
    }
    let on: libc::c_int = 1;
    // SAFETY: `on` is an int, INT bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(new, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), INT) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(new, (&raw const address).cast(), length) } == 0 {
        return Err(Stop::unexpected("the file was not in the way"));
    }

    // Is anybody behind that file?
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), length) } == 0 {
        return Err(Stop::unexpected("somebody answered behind the file"));
    }

    // Nobody is: take the file away, and ask again.
    // SAFETY: the path ends in a zero byte.
    if unsafe { libc::unlink(address.sun_path.as_ptr()) } == -1 {
        return Err(Stop::failed("unlink"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(new, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok(())
}
