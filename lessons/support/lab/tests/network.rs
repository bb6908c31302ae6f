//! Tests of what an experiment may do to its private network: each change is proved by what the kernel says afterwards.
//!
//! This program is both: with `LAB_TEST_LESSON` in its environment it is a lesson, and otherwise it plays that lesson's
//! experiments. What they claim is in the lesson; that nothing else is in the trace is checked here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
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
            outcomes: &[Expected::anywhere(&[prints("9 of 9 refused\n"), calls("socket", "fd")])],
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
    socket.connect((neighbour, 9)).map_err(|error| Stop::unexpected(error.to_string()))?;
    set_option(&socket, libc::IP_RECVERR, 1)?;
    socket.send(&[0]).map_err(|error| Stop::unexpected(error.to_string()))?;
    let _seen_in_the_trace = socket.recv(&mut [0]);
    network::delete_link("v0")?;
    print_links()?;
    let _seen_in_the_trace = socket.send_to(&[0], (neighbour, 9));
    Ok(())
}

fn print_links() -> Result<(), Stop> {
    let table = std::fs::read_to_string("/proc/self/net/dev").map_err(|error| Stop::unexpected(error.to_string()))?;
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
    socket.set_nonblocking(true).map_err(|error| Stop::unexpected(error.to_string()))?;
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
