//! Tests of what an experiment may do to its private network: each change is proved by what the kernel says afterwards.
//!
//! This program is both: with `LAB_TEST_LESSON` in its environment it is a lesson, and otherwise it plays that lesson's
//! experiments. What they claim is in the lesson; that nothing else is in the trace is checked here.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, ExitCode, Stdio};

use lab::network::{self, Hook, Route};
use lab::{Expected, Experiment, Lack, Lesson, Recording, Stop, calls, cannot, prints};
use libtest_mimic::{Arguments, Failed, Trial};

const AS_LESSON: &str = "LAB_TEST_LESSON";

fn main() -> ExitCode {
    if std::env::var_os(AS_LESSON).is_some() {
        return lab::run(&LESSON);
    }
    let trials = LESSON.experiments.iter().map(|experiment| {
        Trial::test(experiment.name, move || {
            plays(experiment);
            Ok::<(), Failed>(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Plays one experiment: it must go as it claims, and no socket is seen but its own.
fn plays(experiment: &Experiment) {
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--json", experiment.name])
        .env(AS_LESSON, "1")
        .stdin(Stdio::null())
        .output()
        .expect("the lesson starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let recordings: Vec<Recording> = serde_json::from_slice(&output.stdout).expect("it is a list of recordings");
    let [recording] = &recordings[..] else { panic!("{} recordings", recordings.len()) };
    if let Some(stop) = &recording.stop {
        eprintln!("{}: {stop}", experiment.name);
        return;
    }
    let trace = recording.trace.as_ref().expect("it was traced");
    for call in trace.events.iter().filter_map(|event| event.call()) {
        let text = call.request();
        assert!(!text.contains("AF_NETLINK") && !text.contains("SOCK_RAW"), "the lab's own call is seen: {text}");
    }
}

const NO_NETWORK: Expected = Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]);
const NO_KERNEL: Expected = Expected::on("where the kernel was built without it", &[cannot(Lack::Kernel)]);
const NO_IPV6: Expected = Expected::on("where IPv6 is switched off", &[cannot(Lack::Ipv6)]);

static LESSON: Lesson = Lesson {
    name: "network",
    experiments: &[
        Experiment {
            name: "not-outside",
            shows: "Each is asked for in the machine's own network.",
            notice: "Each is refused.",
            outcomes: &[Expected::anywhere(&[prints("12 of 12 refused\n"), calls("socket", "fd")])],
            play: not_outside,
        },
        Experiment {
            name: "routes",
            shows: "Datagrams to nowhere, before and after routes are added.",
            notice: "The kernel says which.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "ENETUNREACH EHOSTUNREACH EACCES EINVAL 1")]), NO_NETWORK],
            play: routes,
        },
        Experiment {
            name: "routes6",
            shows: "The same with IPv6, and ::1 taken away.",
            notice: "The kernel says which.",
            outcomes: &[
                Expected::anywhere(&[calls("sendto", "ENETUNREACH EHOSTUNREACH EACCES EINVAL 1 EADDRNOTAVAIL")]),
                NO_NETWORK,
                NO_IPV6,
            ],
            play: routes6,
        },
        Experiment {
            name: "loopback",
            shows: "lo goes down and up.",
            notice: "Down, it has no route.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 ENETUNREACH 1")]), NO_NETWORK],
            play: loopback,
        },
        Experiment {
            name: "unwatched",
            shows: "A change while nothing is watched, and two datagrams.",
            notice: "Watching begins when the experiment says so, and not before.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "2")]), NO_NETWORK],
            play: unwatched,
        },
        Experiment {
            name: "mtu",
            shows: "lo gets a smaller MTU.",
            notice: "A packet of more does not fit.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "2000 EMSGSIZE 1400")]), NO_NETWORK],
            play: mtu,
        },
        Experiment {
            name: "pair",
            shows: "A datagram to a neighbour that is not there; then the link is deleted.",
            notice: "Nobody answers; then there is no way.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("sendto", "1 ENETUNREACH"),
                    calls("recvfrom", "EHOSTUNREACH"),
                    prints("lo v0 v1\nlo\n"),
                ]),
                NO_NETWORK,
                NO_KERNEL,
            ],
            play: pair,
        },
        Experiment {
            name: "filter-output",
            shows: "A packet filter drops what goes out.",
            notice: "The sender is told.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1 EPERM")]), NO_NETWORK, NO_KERNEL],
            play: filter_output,
        },
        Experiment {
            name: "filter-input",
            shows: "A packet filter drops what comes in.",
            notice: "The sender is told nothing, and the receiver gets nothing.",
            outcomes: &[
                Expected::anywhere(&[calls("sendto", "1 1"), calls("recvfrom", "1 EAGAIN")]),
                NO_NETWORK,
                NO_KERNEL,
            ],
            play: filter_input,
        },
        Experiment {
            name: "queue",
            shows: "lo gets a queue that has no room.",
            notice: "What does not fit is dropped, and the sender is told.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "1000 ENOBUFS 100")]), NO_NETWORK, NO_KERNEL],
            play: queue,
        },
        Experiment {
            name: "icmp",
            shows: "A datagram is answered with one ICMP error after another.",
            notice: "Each is told once.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("recvfrom", "ENOPROTOOPT EHOSTUNREACH EMSGSIZE ENETUNREACH EPROTO"),
                    calls("sendto", "5 ECONNREFUSED 5"),
                ]),
                NO_NETWORK,
            ],
            play: icmp,
        },
        Experiment {
            name: "icmp6",
            shows: "The same with IPv6.",
            notice: "Each is told once.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "EACCES EMSGSIZE ECONNREFUSED")]), NO_NETWORK, NO_IPV6],
            play: icmp6,
        },
        Experiment {
            name: "icmp-connect",
            shows: "The first packet of a connection is answered with an ICMP error.",
            notice: "connect tells of it.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0 EINPROGRESS EHOSTDOWN")]), NO_NETWORK],
            play: icmp_connect,
        },
        Experiment {
            name: "destroyed",
            shows: "Sockets are destroyed: UDP, TCP connected, connecting and listening, and TCP with IPv6.",
            notice: "Their next calls tell of it.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("recvfrom", "ECONNABORTED ECONNABORTED ECONNABORTED"),
                    calls("connect", "0 0 EINPROGRESS ECONNABORTED 0"),
                    prints("a socket without a port: refused\n"),
                ]),
                NO_NETWORK,
                NO_IPV6,
                NO_KERNEL,
            ],
            play: destroyed,
        },
    ],
    errnos: &[],
};

fn not_outside() -> Result<(), Stop> {
    let nowhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0));
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    let refused = [
        network::loopback(true),
        network::set_mtu("lo", 65536),
        network::add_route(nowhere, 24, Route::Blackhole),
        network::add_pair("v0", "v1", Ipv4Addr::new(192, 0, 2, 1), 24),
        network::delete_link("v0"),
        network::delete_address("lo", nowhere, 24),
        network::drop_all(Hook::Input),
        network::short_queue(),
        network::destroy(socket.as_raw_fd()),
        network::answer_with_icmp(socket.as_raw_fd(), 3, 3),
        network::overhear().map(drop),
        lab::set("net.ipv4.ip_local_port_range", "40000 40001"),
    ];
    let refusals = refused.iter().filter(|refused| matches!(refused, Err(Stop::Unexpected { .. }))).count();
    println!("{refusals} of {} refused", refused.len());
    drop(socket);
    Ok(())
}

/// A UDP socket at this address.
fn bound(address: IpAddr) -> Result<UdpSocket, Stop> {
    UdpSocket::bind((address, 0)).map_err(|error| match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) if address.is_ipv6() => {
            Stop::cannot(Lack::Ipv6, error.to_string())
        }
        _ => Stop::unexpected(format!("bind: {error}")),
    })
}

/// Sends as many bytes to this address; what becomes of it is in the trace.
fn send(socket: &UdpSocket, to: impl Into<IpAddr>, bytes: usize) {
    let port = socket.local_addr().map(|address| address.port()).unwrap_or(9);
    let _seen_in_the_trace = socket.send_to(&vec![0; bytes], (to.into(), port));
}

fn set_option(socket: &UdpSocket, name: i32, value: i32) -> Result<(), Stop> {
    // SAFETY: `value` is an int of four bytes, and setsockopt only reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, name, (&raw const value).cast(), 4) } {
        0 => Ok(()),
        _ => Err(Stop::failed("setsockopt")),
    }
}

fn routes() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::UNSPECIFIED.into())?;
    let target = Ipv4Addr::new(192, 0, 2, 1);
    send(&socket, target, 1);
    network::add_route(Ipv4Addr::new(192, 0, 2, 0).into(), 24, Route::Unreachable)?;
    send(&socket, target, 1);
    // A longer prefix goes before a shorter one.
    network::add_route(Ipv4Addr::new(192, 0, 2, 0).into(), 25, Route::Prohibit)?;
    send(&socket, target, 1);
    network::add_route(Ipv4Addr::new(192, 0, 2, 0).into(), 26, Route::Blackhole)?;
    send(&socket, target, 1);
    network::add_route(target.into(), 32, Route::Through("lo"))?;
    send(&socket, target, 1);
    Ok(())
}

fn routes6() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv6Addr::UNSPECIFIED.into())?;
    let (target, part) =
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0));
    send(&socket, target, 1);
    network::add_route(part.into(), 32, Route::Unreachable)?;
    send(&socket, target, 1);
    network::add_route(part.into(), 48, Route::Prohibit)?;
    send(&socket, target, 1);
    network::add_route(part.into(), 64, Route::Blackhole)?;
    send(&socket, target, 1);
    network::add_route(target.into(), 128, Route::Through("lo"))?;
    send(&socket, target, 1);
    network::delete_address("lo", Ipv6Addr::LOCALHOST.into(), 128)?;
    send(&socket, target, 1);
    Ok(())
}

fn loopback() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::UNSPECIFIED.into())?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    network::loopback(false)?;
    network::loopback(false)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    network::loopback(true)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    Ok(())
}

fn unwatched() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    lab::stop_watching();
    network::loopback(true)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    lab::watch_again();
    send(&socket, Ipv4Addr::LOCALHOST, 2);
    Ok(())
}

fn mtu() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    set_option(&socket, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    send(&socket, Ipv4Addr::LOCALHOST, 2000);
    network::set_mtu("lo", 1500)?;
    send(&socket, Ipv4Addr::LOCALHOST, 2000);
    send(&socket, Ipv4Addr::LOCALHOST, 1400);
    Ok(())
}

fn pair() -> Result<(), Stop> {
    lab::private_network()?;
    network::add_pair("v0", "v1", Ipv4Addr::new(192, 0, 2, 1), 24)?;
    print_links()?;
    let socket = bound(Ipv4Addr::UNSPECIFIED.into())?;
    let neighbour = Ipv4Addr::new(192, 0, 2, 2);
    socket.connect((neighbour, 9)).map_err(failed)?;
    set_option(&socket, libc::IP_RECVERR, 1)?;
    socket.send(&[0]).map_err(failed)?;
    let _seen_in_the_trace = socket.recv(&mut [0]);
    network::delete_link("v0")?;
    print_links()?;
    let _seen_in_the_trace = socket.send_to(&[0], (neighbour, 9));
    Ok(())
}

fn print_links() -> Result<(), Stop> {
    let table = std::fs::read_to_string("/proc/self/net/dev").map_err(failed)?;
    let mut links: Vec<&str> = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    links.sort_unstable();
    println!("{}", links.join(" "));
    Ok(())
}

fn filter_output() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    network::drop_all(Hook::Output)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    Ok(())
}

fn filter_input() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    let _seen_in_the_trace = socket.recv(&mut [0]);
    network::drop_all(Hook::Input)?;
    // What has been added already may be added once more, and so may the other hook.
    network::drop_all(Hook::Input)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1);
    socket.set_nonblocking(true).map_err(failed)?;
    let _seen_in_the_trace = socket.recv(&mut [0]);
    network::drop_all(Hook::Output)
}

fn queue() -> Result<(), Stop> {
    lab::private_network()?;
    let socket = bound(Ipv4Addr::LOCALHOST.into())?;
    set_option(&socket, libc::IP_RECVERR, 1)?;
    send(&socket, Ipv4Addr::LOCALHOST, 1000);
    network::short_queue()?;
    send(&socket, Ipv4Addr::LOCALHOST, 1000);
    send(&socket, Ipv4Addr::LOCALHOST, 100);
    Ok(())
}

fn failed(error: std::io::Error) -> Stop {
    Stop::unexpected(error.to_string())
}

fn icmp() -> Result<(), Stop> {
    lab::private_network()?;
    let (socket, peer) = (bound(Ipv4Addr::LOCALHOST.into())?, bound(Ipv4Addr::LOCALHOST.into())?);
    set_option(&socket, libc::IP_RECVERR, 1)?;
    set_option(&socket, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    socket.connect(peer.local_addr().map_err(failed)?).map_err(failed)?;
    socket.send(b"hello").map_err(failed)?;
    for (kind, code) in [(3, 2), (3, 1), (3, 4), (3, 0), (12, 0)] {
        network::answer_with_icmp(socket.as_raw_fd(), kind, code)?;
        let _seen_in_the_trace = socket.recv(&mut [0]);
    }
    network::answer_with_icmp(socket.as_raw_fd(), 3, 3)?;
    let _seen_in_the_trace = socket.send(b"hello");
    let _seen_in_the_trace = socket.send(b"hello");
    Ok(())
}

fn icmp6() -> Result<(), Stop> {
    lab::private_network()?;
    let (socket, peer) = (bound(Ipv6Addr::LOCALHOST.into())?, bound(Ipv6Addr::LOCALHOST.into())?);
    let on = 1;
    // SAFETY: `on` is an int of four bytes, and setsockopt only reads it.
    let set = unsafe {
        let fd = socket.as_raw_fd();
        libc::setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, (&raw const on).cast(), 4)
    };
    if set == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    socket.connect(peer.local_addr().map_err(failed)?).map_err(failed)?;
    socket.send(b"hello").map_err(failed)?;
    for (kind, code) in [(1, 1), (2, 0), (1, 4)] {
        network::answer_with_icmp(socket.as_raw_fd(), kind, code)?;
        let _seen_in_the_trace = socket.recv(&mut [0]);
    }
    Ok(())
}

fn icmp_connect() -> Result<(), Stop> {
    lab::private_network()?;
    let (server, _first) = full_server()?;
    let client = tcp()?;
    let overheard = network::overhear()?;
    connect(client, &server);
    overheard.answer_with_icmp(client, 3, 7)?;
    connect(client, &server);
    Ok(())
}

/// A server whose queue is full, and the one who fills it.
fn full_server() -> Result<(TcpListener, TcpStream), Stop> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server.as_raw_fd(), 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let first = TcpStream::connect(server.local_addr().map_err(failed)?).map_err(failed)?;
    Ok((server, first))
}

/// A TCP socket that does not wait.
fn tcp() -> Result<RawFd, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    match unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) } {
        -1 => Err(Stop::failed("socket")),
        fd => Ok(fd),
    }
}

/// Connects; what becomes of it is in the trace.
fn connect(client: RawFd, server: &TcpListener) {
    let port = server.local_addr().map(|address| address.port()).unwrap_or(9);
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: `address` is a sockaddr_in of 16 bytes, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), 16) };
}

fn destroyed() -> Result<(), Stop> {
    lab::private_network()?;
    let unbound = tcp()?;
    if matches!(network::destroy(unbound), Err(Stop::Unexpected { .. })) {
        println!("a socket without a port: refused");
    }

    let udp = bound(Ipv4Addr::LOCALHOST.into())?;
    udp.connect(udp.local_addr().map_err(failed)?).map_err(failed)?;
    network::destroy(udp.as_raw_fd())?;
    let _seen_in_the_trace = udp.recv(&mut [0]);

    let (server, mut connected) = full_server()?;
    network::destroy(connected.as_raw_fd())?;
    let _seen_in_the_trace = connected.read(&mut [0]);

    let client = tcp()?;
    connect(client, &server);
    network::destroy(client)?;
    connect(client, &server);
    network::destroy(server.as_raw_fd())?;

    let server =
        TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map_err(|error| Stop::cannot(Lack::Ipv6, error.to_string()))?;
    let mut connected = TcpStream::connect(server.local_addr().map_err(failed)?).map_err(failed)?;
    network::destroy(connected.as_raw_fd())?;
    let _seen_in_the_trace = connected.read(&mut [0]);
    Ok(())
}
