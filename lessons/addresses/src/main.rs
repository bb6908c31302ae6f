//! The experiments of the chapter `addresses`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-addresses`.

mod errnos;

use std::ffi::CStr;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, prints};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, UnixAddr, bind, getsockname, socket,
};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "addresses",
    experiments: &[
        Experiment {
            name: "sixteen-bytes",
            shows: "An IPv4 address is written by hand, byte by byte, and a socket is bound to it.",
            notice: "The kernel took our bytes, and answered with sixteen of its own. Only the port is another: we had asked \
                     for any.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0"),
                calls("getsockname", "0"),
                prints("c3 50  7f 00 00 01  00 00 00 00 00 00 00 00\n"),
                prints("The other 14 are as they were given.\n"),
            ])],
            play: sixteen_bytes,
        },
        Experiment {
            name: "nix-form",
            shows: "Addresses of the three families, written with nix.",
            notice: "nix keeps the length with the address and swaps the bytes. The kernel sees no difference.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("socket", "fd fd fd"),
                    calls("bind", "0 0 0"),
                    calls("getsockname", "0 0 0"),
                ]),
                Expected::on(
                    "where IPv6 is switched off by sysctl",
                    &[calls("bind", "0 0 EADDRNOTAVAIL"), cannot(Lack::Ipv6)],
                ),
                Expected::on(
                    "where the kernel has no IPv6",
                    &[calls("socket", "fd fd EAFNOSUPPORT"), cannot(Lack::Ipv6)],
                ),
            ],
            play: nix_form,
        },
        Experiment {
            name: "sizes",
            shows: "The structs that hold an address: how long each is, and where in it the family stands.",
            notice: "The family comes first in all of them, so the kernel can read two bytes and know what the rest is. How \
                     much rest there is, the length has to say.",
            outcomes: &[Expected::anywhere(&[prints(
                "                    bytes   family at\n\
                 sockaddr               16           0\n\
                 sockaddr_in            16           0\n\
                 sockaddr_in6           28           0\n\
                 sockaddr_un           110           0\n\
                 sockaddr_storage      128           0\n",
            )])],
            play: sizes,
        },
        Experiment {
            name: "padding",
            shows: "The last eight bytes of a sockaddr_in, which nobody needs, hold a word.",
            notice: "Linux does not look at them, and gives zeros back.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0"),
                prints("given:    67 61 72 62 61 67 65 21\nanswered: 00 00 00 00 00 00 00 00\n"),
            ])],
            play: padding,
        },
        Experiment {
            name: "wrong-way-round",
            shows: "The deck's port 50000, and then port 7967, are put into an address without a thought for the byte order.",
            notice: "No error: 50000 became 20675. And 7967 came out right, for its two bytes are equal. (SO_REUSEADDR lets two \
                     runs of this experiment share the ports, which are fixed.)",
            outcomes: &[
                Expected::anywhere(&[
                    calls("setsockopt", "0 0"),
                    calls("bind", "0 0"),
                    prints("50000 is c3 50; we wrote 50 c3, and that is port 20675\n"),
                    prints(" 7967 is 1f 1f; we wrote 1f 1f, and that is port 7967\n"),
                    prints("256 ports are the same both ways:\n    0   257   514   771"),
                ]),
                Expected::on(
                    "where the machine's own order is the network's",
                    &[calls("bind", "0 0"), prints("50000 is c3 50; we wrote c3 50, and that is port 50000\n")],
                ),
                Expected::on("where a program has port 20675", &[calls("bind", "EADDRINUSE 0")]),
                Expected::on("where a program has port 7967", &[calls("bind", "0 EADDRINUSE")]),
                Expected::on("where programs have ports 20675 and 7967", &[calls("bind", "EADDRINUSE EADDRINUSE")]),
            ],
            play: wrong_way_round,
        },
        Experiment {
            name: "strings",
            shows: "Eight texts are given to four parsers: two of the C library, its getaddrinfo, and Rust's.",
            notice: "inet_aton reads 010 as octal, fills short forms up, and stops at a blank. Reading a text is the library's \
                     affair: the kernel was not asked once.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", ""),
                calls("connect", ""),
                prints(
                    "text               inet_aton        inet_pton        getaddrinfo      Rust's parse\n\
                     \"127.0.0.1\"        127.0.0.1        127.0.0.1        127.0.0.1        127.0.0.1\n\
                     \"127.0.0.010\"      127.0.0.8        refused          127.0.0.8        refused\n\
                     \"0x7f.0.0.1\"       127.0.0.1        refused          127.0.0.1        refused\n\
                     \"127.1\"            127.0.0.1        refused          127.0.0.1        refused\n\
                     \"2130706433\"       127.0.0.1        refused          127.0.0.1        refused\n\
                     \"127.0.0.1 x\"      127.0.0.1        refused          refused          refused\n\
                     \" 127.0.0.1\"       refused          refused          refused          refused\n\
                     \"127.0.0.256\"      refused          refused          refused          refused\n",
                ),
            ])],
            play: strings,
        },
        Experiment {
            name: "twenty-eight-bytes",
            shows: "An IPv6 socket is bound to ::1 with flow information 7 and scope id 9, and a client connects with the same.",
            notice: "Port and flow information are big-endian, the scope id is in the machine's own order. For ::1 the kernel \
                     used neither of the last two: 0 comes back.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("bind", "0"),
                    calls("connect", "0"),
                    calls("getpeername", "0"),
                    prints("flow information 0, scope id 0\n"),
                ]),
                Expected::on(
                    "where IPv6 is switched off by sysctl",
                    &[calls("bind", "EADDRNOTAVAIL"), cannot(Lack::Ipv6)],
                ),
                Expected::on("where the kernel has no IPv6", &[calls("socket", "EAFNOSUPPORT"), cannot(Lack::Ipv6)]),
            ],
            play: twenty_eight_bytes,
        },
        Experiment {
            name: "scope-id",
            shows: "A socket asks for the link-local address fe80::1, without a scope id, with that of lo, and with one that no \
                    interface has.",
            notice: "EINVAL: on which link? On lo: there is no such address there. On number 4711: there is no such interface.",
            outcomes: &[
                Expected::anywhere(&[calls("bind", "EINVAL EADDRNOTAVAIL ENODEV")]),
                Expected::on(
                    "where lo has the address fe80::1, or any address may be bound",
                    &[calls("bind", "EINVAL 0 ENODEV")],
                ),
                Expected::on("where the kernel has no IPv6", &[calls("socket", "EAFNOSUPPORT"), cannot(Lack::Ipv6)]),
            ],
            play: scope_id,
        },
        Experiment {
            name: "v4-mapped",
            shows: "An IPv4 server listens. An IPv6 socket connects to it, as ::ffff:127.0.0.1; then one with IPV6_V6ONLY.",
            notice: "An IPv6 socket speaks IPv4 too, under an address that says so, unless IPV6_V6ONLY forbids it. The server saw an \
                     IPv4 client.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("connect", "0 ENETUNREACH"),
                    calls("accept4", "fd"),
                    prints("The server's client is an AF_INET address of 16 bytes.\n"),
                ]),
                Expected::on("where the kernel has no IPv6", &[calls("socket", "fd EAFNOSUPPORT"), cannot(Lack::Ipv6)]),
            ],
            play: v4_mapped,
        },
        Experiment {
            name: "path-lengths",
            shows: "Three unix sockets are bound to paths: without the zero byte behind the path, with it, and with the size of the \
                    whole struct.",
            notice: "A path ends at its zero byte, or where the address ends. The kernel says 9 to all three: 2 for the family, 6 for \
                     the path, 1 for the zero byte.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 0 0"),
                calls("getsockname", "0 0 0"),
                prints("a.sock: 8 bytes in, 9 out\nb.sock: 9 bytes in, 9 out\nc.sock: 110 bytes in, 9 out\n"),
            ])],
            play: path_lengths,
        },
        Experiment {
            name: "longest-path",
            shows: "Unix sockets are bound to paths of 107 bytes and a zero byte, of 108 bytes without one, and of 109.",
            notice: "108 bytes without a zero byte are a path too. Its name then has 111 bytes: one more than the struct.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 0 EINVAL"),
                calls("getsockname", "0 0"),
                prints("107 and a zero byte: 110 bytes in, 110 out\n108:                 110 bytes in, 111 out\n"),
            ])],
            play: longest_path,
        },
        Experiment {
            name: "unnamed",
            shows: "A client that never called bind connects to a unix server, which asks for the client's name.",
            notice: "The name is two bytes long: the family and nothing else. The client is unnamed.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("accept4", "fd"),
                prints("The client's name has 2 bytes.\n"),
            ])],
            play: unnamed,
        },
        Experiment {
            name: "abstract",
            shows: "In a private network a unix server takes the abstract name demo; a client asks for it with the size of the \
                    struct, then with the exact length.",
            notice: "In an abstract name zero bytes count. With 110 bytes the client asked for demo and 103 zero bytes, and nobody \
                     has that name.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("bind", "0"),
                    calls("connect", "ECONNREFUSED 0"),
                    prints("No file was made.\n"),
                ]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
            ],
            play: abstract_name,
        },
        Experiment {
            name: "autobind",
            shows: "Two unix sockets are bound to nothing: one with a length of 2, one with a length of 3 and a zero byte.",
            notice: "With 2 the kernel invents an abstract name of five digits. With 3 the name is the zero byte and no more, \
                     which is a name too.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("bind", "0 0"),
                    calls("getsockname", "0 0"),
                    prints("2 bytes in: 8 out\n3 bytes in: 3 out\n"),
                ]),
                Expected::on(
                    "while another program has the abstract name of no bytes",
                    &[calls("bind", "0 EADDRINUSE"), prints("2 bytes in: 8 out\n")],
                ),
            ],
            play: autobind,
        },
        Experiment {
            name: "three-for-one",
            shows: "getaddrinfo is asked for 127.0.0.1, port 80, without a hint of the type of socket, and with one.",
            notice: "One address, three answers: one for each type. And no system call, for it was an address and not a name.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", ""),
                calls("connect", ""),
                prints("no hint:\n  127.0.0.1:80 SOCK_STREAM\n  127.0.0.1:80 SOCK_DGRAM\n  127.0.0.1:80 SOCK_RAW\n"),
                prints("SOCK_STREAM:\n  127.0.0.1:80 SOCK_STREAM\n"),
            ])],
            play: three_for_one,
        },
        Experiment {
            name: "passive",
            shows: "getaddrinfo is asked for no host at all, for a client and for a server (AI_PASSIVE), in both versions of IP.",
            notice: "A client is told the loopback address, a server the wildcard. Nothing is bound here: getaddrinfo only fills in \
                     bytes.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", ""),
                prints(
                    "AF_INET:  127.0.0.1, and 0.0.0.0 with AI_PASSIVE\n\
                     AF_INET6: ::1, and :: with AI_PASSIVE\n",
                ),
            ])],
            play: passive,
        },
        Experiment {
            name: "own-codes",
            shows: "getaddrinfo is asked for what it cannot give; errno is set to 0 before.",
            notice: "Its codes are its own, all below zero, and gai_strerror has their words. errno said nothing.",
            outcomes: &[Expected::anywhere(&[
                prints("localhost, AI_NUMERICHOST:  -2 EAI_NONAME      errno 0: Name or service not known\n"),
                prints("http, AI_NUMERICSERV:       -2 EAI_NONAME      errno 0: Name or service not known\n"),
                prints("address family 99:          -6 EAI_FAMILY      errno 0: ai_family not supported\n"),
                prints(
                    "127.0.0.1 as AF_INET6:      -9 EAI_ADDRFAMILY  errno 0: Address family for hostname not supported\n",
                ),
                prints("socket type 99:             -7 EAI_SOCKTYPE    errno 0: ai_socktype not supported\n"),
            ])],
            play: own_codes,
        },
        Experiment {
            name: "a-name-costs",
            shows: "getaddrinfo is asked for the address 127.0.0.1, and then for the name localhost.",
            notice: "The address cost nothing. For the name the C library asked a cache (nscd, which does not run here) and then read \
                     files, which the observer leaves out.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("socket", "fd fd"),
                    calls("connect", "ENOENT ENOENT"),
                    prints("127.0.0.1: 127.0.0.1\nlocalhost: 127.0.0.1\n"),
                ]),
                Expected::on(
                    "where the C library has other ways to find a name, or localhost has other addresses",
                    &[prints("127.0.0.1: 127.0.0.1\nlocalhost: ")],
                ),
            ],
            play: a_name_costs,
        },
        Experiment {
            name: "two-loopbacks",
            shows: "A server listens at 127.0.0.1. A client that looked localhost up and got ::1 connects to the same port there.",
            notice: "ECONNREFUSED, with the server running: 127.0.0.1 and ::1 are two addresses of one machine.",
            outcomes: &[
                Expected::anywhere(&[calls("connect", "ECONNREFUSED 0")]),
                Expected::on("where IPv6 is switched off by sysctl", &[calls("connect", "EADDRNOTAVAIL 0")]),
                Expected::on("where there is no way to ::1", &[calls("connect", "ENETUNREACH 0")]),
                Expected::on("where the kernel has no IPv6", &[calls("socket", "fd EAFNOSUPPORT"), cannot(Lack::Ipv6)]),
            ],
            play: two_loopbacks,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn sixteen_bytes() -> Result<(), Stop> {
    // The struct, as the C library knows it, for the deck's port.
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 50000_u16.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: a sockaddr_in is 16 bytes without gaps, and any bytes are a [u8; 16].
    let bytes: [u8; 16] = unsafe { std::mem::transmute(address) };
    println!("                            family port address   padding");
    println!("the struct for port 50000:  {}", fields(&bytes));

    // The same by hand: the family in this machine's order, the port with its high byte first. Port 0: any.
    let [f0, f1] = (libc::AF_INET as u16).to_ne_bytes();
    let given: [u8; 16] = [f0, f1, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    println!("what bind was given:        {}", fields(&given));

    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `given` has the 16 bytes that we say, and bind only reads them.
    if unsafe { libc::bind(fd, given.as_ptr().cast(), 16) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut name = [0_u8; 16];
    let mut length = 16;
    // SAFETY: `name` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, name.as_mut_ptr().cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    println!("In the kernel's answer bytes 2 and 3 are port {}.", u16::from_be_bytes([name[2], name[3]]));
    if name[..2] != given[..2] || name[4..] != given[4..] || length != 16 {
        return Err(Stop::unexpected(format!("the kernel answered {name:02x?}")));
    }
    println!("The other 14 are as they were given.");
    Ok(())
}

/// The bytes of a sockaddr_in, with a gap between its fields.
fn fields(bytes: &[u8; 16]) -> String {
    [&bytes[..2], &bytes[2..4], &bytes[4..8], &bytes[8..]].map(hex).join("  ")
}

/// Bytes as pairs of digits.
fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

fn nix_form() -> Result<(), Stop> {
    let unix = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(unix.as_raw_fd(), &UnixAddr::new("demo.sock")?)?;
    let name: UnixAddr = getsockname(unix.as_raw_fd())?;
    println!("AF_UNIX:  {name}");

    let inet = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(inet.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let name: SockaddrIn = getsockname(inet.as_raw_fd())?;
    println!("AF_INET:  {name}");

    let no_ipv6 = |errno: Errno| Stop::cannot(Lack::Ipv6, format!("the kernel said {errno}"));
    let inet6 = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).map_err(no_ipv6)?;
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0); // address, port, flow information, scope id
    bind(inet6.as_raw_fd(), &SockaddrIn6::from(address)).map_err(no_ipv6)?;
    let name: SockaddrIn6 = getsockname(inet6.as_raw_fd())?;
    println!("AF_INET6: {name}");
    [unix, inet, inet6].into_iter().try_for_each(close)?;
    Ok(())
}

fn sizes() -> Result<(), Stop> {
    println!("                    bytes   family at");
    let row = |name, bytes, family| println!("{name:<16} {bytes:>8} {family:>11}");
    row("sockaddr", size_of::<libc::sockaddr>(), offset_of!(libc::sockaddr, sa_family));
    row("sockaddr_in", size_of::<libc::sockaddr_in>(), offset_of!(libc::sockaddr_in, sin_family));
    row("sockaddr_in6", size_of::<libc::sockaddr_in6>(), offset_of!(libc::sockaddr_in6, sin6_family));
    row("sockaddr_un", size_of::<libc::sockaddr_un>(), offset_of!(libc::sockaddr_un, sun_family));
    row("sockaddr_storage", size_of::<libc::sockaddr_storage>(), offset_of!(libc::sockaddr_storage, ss_family));
    Ok(())
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// The size of a `sockaddr_in6`: 28.
const LENGTH6: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

/// The size of a `sockaddr_un`: 110.
const LENGTH_UNIX: libc::socklen_t = size_of::<libc::sockaddr_un>() as libc::socklen_t;

/// The size of an int, which is what the options here are.
const INT: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

/// 127.0.0.1 and this port as the kernel reads them: what [`sixteen_bytes`] writes out in full.
fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

fn padding() -> Result<(), Stop> {
    let mut address = libc::sockaddr_in { sin_zero: *b"garbage!", ..loopback(0) };
    println!("given:    {}", hex(&address.sin_zero));

    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    println!("answered: {}", hex(&address.sin_zero));
    Ok(())
}

fn wrong_way_round() -> Result<(), Stop> {
    let on: libc::c_int = 1;
    for port in [50000_u16, 7967] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        // The ports are fixed, so let two runs of this experiment share them.
        // SAFETY: `on` is an int, INT bytes long, and setsockopt only reads it.
        if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), INT) } == -1 {
            return Err(Stop::failed("setsockopt"));
        }

        let mut address = loopback(0);
        address.sin_port = port; // forgotten: .to_be()
        let [b2, b3] = address.sin_port.to_ne_bytes();
        let [high, low] = port.to_be_bytes();
        let became = u16::from_be_bytes([b2, b3]);
        println!("{port:>5} is {high:02x} {low:02x}; we wrote {b2:02x} {b3:02x}, and that is port {became}");

        // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH) } == -1 {
            continue; // The trace says why.
        }
    }

    let same: Vec<u16> = (0..=u16::MAX).filter(|port| port.swap_bytes() == *port).collect();
    println!("{} ports are the same both ways:", same.len());
    for row in same.chunks(16) {
        let row: Vec<String> = row.iter().map(|port| format!("{port:>5}")).collect();
        println!("{}", row.join(" "));
    }
    Ok(())
}

// The C library has these, and the crate libc does not name them.
unsafe extern "C" {
    fn inet_aton(text: *const libc::c_char, address: *mut libc::in_addr) -> libc::c_int;
    fn inet_pton(family: libc::c_int, text: *const libc::c_char, address: *mut libc::c_void) -> libc::c_int;
}

fn strings() -> Result<(), Stop> {
    println!("text               inet_aton        inet_pton        getaddrinfo      Rust's parse");
    for text in [
        c"127.0.0.1",
        c"127.0.0.010",
        c"0x7f.0.0.1",
        c"127.1",
        c"2130706433",
        c"127.0.0.1 x",
        c" 127.0.0.1",
        c"127.0.0.256",
    ] {
        let mut found = libc::in_addr { s_addr: 0 };
        // SAFETY: `text` ends in a zero byte, and `found` is ours to be written to.
        let aton = (unsafe { inet_aton(text.as_ptr(), &raw mut found) } == 1).then(|| ipv4(found));
        // SAFETY: as above; for AF_INET an in_addr is what is written.
        let pton = unsafe { inet_pton(libc::AF_INET, text.as_ptr(), (&raw mut found).cast()) };
        let pton = (pton == 1).then(|| ipv4(found));

        let hints = hints(libc::AF_INET, libc::SOCK_STREAM, libc::AI_NUMERICHOST);
        let resolved = look_up(Some(text), c"80", &hints).ok().and_then(|list| list.first().map(|found| found.ip));

        let text = text.to_string_lossy();
        let parsed = text.parse().ok();

        let told = |ip: Option<IpAddr>| ip.map_or("refused".to_string(), |ip| ip.to_string());
        let (aton, pton) = (told(aton.map(IpAddr::V4)), told(pton.map(IpAddr::V4)));
        let (resolved, parsed) = (told(resolved), told(parsed.map(IpAddr::V4)));
        println!("{:<18} {aton:<16} {pton:<16} {resolved:<16} {parsed}", format!("\"{text}\""));
    }
    Ok(())
}

/// The four bytes of an address, in the order in which they lie in memory.
fn ipv4(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}

/// This IPv6 address as the kernel reads it.
fn ipv6(ip: Ipv6Addr, port: u16, flow: u32, scope: u32) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: port.to_be(),
        sin6_flowinfo: flow.to_be(),
        sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
        sin6_scope_id: scope, // a number of this machine's, in this machine's order
    }
}

/// `what` failed because this machine has no IPv6.
fn no_ipv6(what: &str) -> Stop {
    Stop::cannot(Lack::Ipv6, format!("{what} said: {}", std::io::Error::last_os_error()))
}

fn twenty_eight_bytes() -> Result<(), Stop> {
    let address = ipv6(Ipv6Addr::LOCALHOST, 50000, 7, 9);
    // SAFETY: a sockaddr_in6 is 28 bytes without gaps, and any bytes are a [u8; 28].
    let bytes: [u8; 28] = unsafe { std::mem::transmute(address) };
    println!("family, 2 bytes:            {}", hex(&bytes[..2]));
    println!("port, 2 bytes:              {}", hex(&bytes[2..4]));
    println!("flow information, 4 bytes:  {}", hex(&bytes[4..8]));
    println!("address, 16 bytes:          {}", hex(&bytes[8..24]));
    println!("scope id, 4 bytes:          {}", hex(&bytes[24..]));

    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(no_ipv6("socket(AF_INET6)"));
    }
    let mut address = ipv6(Ipv6Addr::LOCALHOST, 0, 7, 9);
    // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH6) } == -1 {
        return Err(no_ipv6("bind to ::1"));
    }
    let mut length = LENGTH6;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // A client that asks for them.
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut peer = ipv6(Ipv6Addr::LOCALHOST, u16::from_be(address.sin6_port), 7, 9);
    // SAFETY: `peer` is a sockaddr_in6, LENGTH6 bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const peer).cast(), LENGTH6) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getpeername(client, (&raw mut peer).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getpeername"));
    }
    let flow = u32::from_be(peer.sin6_flowinfo);
    println!("The client's peer: flow information {flow}, scope id {}", peer.sin6_scope_id);
    Ok(())
}

fn scope_id() -> Result<(), Stop> {
    const LO: u32 = 1; // The first interface of every network, and so number 1.
    for scope in [0, LO, 4711] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(no_ipv6("socket(AF_INET6)"));
        }
        let address = ipv6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 0, 0, scope);
        // SAFETY: `address` is a sockaddr_in6, LENGTH6 bytes long, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), LENGTH6) } == 0 {
            println!("Interface {scope} of this machine has that address.");
        }
    }
    Ok(())
}

/// A TCP server on a port of the kernel's choosing at 127.0.0.1: the socket, and its address.
fn tcp_server() -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok((server, address))
}

fn v4_mapped() -> Result<(), Stop> {
    let (server, address) = tcp_server()?;

    let mapped = ipv6(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), u16::from_be(address.sin_port), 0, 0);
    for v6only in [0, 1] {
        // SAFETY: socket takes three numbers and no pointer.
        let client = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if client == -1 {
            return Err(no_ipv6("socket(AF_INET6)"));
        }
        let v6only: libc::c_int = v6only;
        // SAFETY: `v6only` is an int, INT bytes long, and setsockopt only reads it.
        if unsafe { libc::setsockopt(client, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, (&raw const v6only).cast(), INT) }
            == -1
        {
            return Err(Stop::failed("setsockopt"));
        }
        // SAFETY: `mapped` is a sockaddr_in6, LENGTH6 bytes long, and connect only reads it.
        let connected = unsafe { libc::connect(client, (&raw const mapped).cast(), LENGTH6) };
        if v6only == 0 && connected == -1 {
            return Err(Stop::failed("connect"));
        }
        if v6only == 1 && connected == 0 {
            return Err(Stop::unexpected("a socket for IPv6 alone reached an IPv4 server"));
        }
    }

    let mut peer = loopback(0);
    let mut length = LENGTH;
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    let connection = unsafe { libc::accept4(server, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    if libc::c_int::from(peer.sin_family) == libc::AF_INET {
        println!("The server's client is an AF_INET address of {length} bytes.");
    }
    Ok(())
}

/// A unix address with these bytes in its path, and zeros behind them.
fn unix(path: &[u8]) -> libc::sockaddr_un {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    address
}

/// Where the path begins in a sockaddr_un: behind the family's two bytes.
const PATH_AT: libc::socklen_t = offset_of!(libc::sockaddr_un, sun_path) as libc::socklen_t;

fn path_lengths() -> Result<(), Stop> {
    for (path, length) in [("a.sock", PATH_AT + 6), ("b.sock", PATH_AT + 6 + 1), ("c.sock", LENGTH_UNIX)] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        let mut address = unix(path.as_bytes());
        // SAFETY: `address` is a sockaddr_un, at least `length` bytes long, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), length) } == -1 {
            return Err(Stop::failed("bind"));
        }
        let mut answered = LENGTH_UNIX;
        // SAFETY: `address` has room for `answered` bytes, and both are ours to be written to.
        if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut answered) } == -1 {
            return Err(Stop::failed("getsockname"));
        }
        println!("{path}: {length} bytes in, {answered} out");
    }
    Ok(())
}

/// A sockaddr_un with a path of any length: as many bytes as any address may have.
#[repr(C)]
struct LongUnix {
    family: libc::sa_family_t,
    path: [u8; 126],
}

fn longest_path() -> Result<(), Stop> {
    for (label, bytes, length) in [("107 and a zero byte:", 107, 108), ("108:", 108, 108), ("109:", 109, 109)] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        let mut address = LongUnix { family: libc::AF_UNIX as libc::sa_family_t, path: [0; 126] };
        address.path[..bytes].fill(b'x');
        address.path[0] = if bytes == 107 { b'a' } else { b'b' }; // two files
        let length = PATH_AT + length;
        // SAFETY: `address` has 128 bytes, which is more than `length`, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), length) } == -1 {
            break; // 109 bytes: the trace says what they are.
        }
        let mut answered = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` has room for `answered` bytes, and both are ours to be written to.
        if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut answered) } == -1 {
            return Err(Stop::failed("getsockname"));
        }
        println!("{label:<20} {length} bytes in, {answered} out");
    }
    Ok(())
}

fn unnamed() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: as above.
    let client = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 || client == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = unix(b"demo.sock");
    let length = PATH_AT + 9 + 1;
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: as for bind.
    if unsafe { libc::connect(client, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }

    let mut peer = unix(b"");
    let mut length = LENGTH_UNIX;
    // SAFETY: `peer` has room for `length` bytes, and both are ours to be written to.
    let connection = unsafe { libc::accept4(server, (&raw mut peer).cast(), &raw mut length, libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    println!("The client's name has {length} bytes.");
    Ok(())
}

fn abstract_name() -> Result<(), Stop> {
    // Abstract names belong to a network. In one of our own, nobody else has them.
    lab::private_network()?;

    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: as above.
    let client = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 || client == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = unix(b"\0demo");
    let length = PATH_AT + 5; // the zero byte that leads, and demo: no zero byte behind
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // SAFETY: `address` is a sockaddr_un, LENGTH_UNIX bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH_UNIX) } == 0 {
        return Err(Stop::unexpected("a longer name was the same name"));
    }
    // SAFETY: as for bind.
    if unsafe { libc::connect(client, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }

    let mut files = std::fs::read_dir(".").map_err(|error| Stop::unexpected(format!("cannot look around: {error}")))?;
    if files.next().is_none() {
        println!("No file was made.");
    }
    Ok(())
}

fn autobind() -> Result<(), Stop> {
    for length in [PATH_AT, PATH_AT + 1] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        let mut address = unix(b"");
        // SAFETY: `address` is a sockaddr_un, longer than `length`, and bind only reads it.
        if unsafe { libc::bind(fd, (&raw const address).cast(), length) } == -1 {
            break; // The trace says why.
        }
        let mut answered = LENGTH_UNIX;
        // SAFETY: `address` has room for `answered` bytes, and both are ours to be written to.
        if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut answered) } == -1 {
            return Err(Stop::failed("getsockname"));
        }
        println!("{length} bytes in: {answered} out");
    }
    Ok(())
}

/// What getaddrinfo is to look for; everything else in the struct is zero.
fn hints(family: libc::c_int, socktype: libc::c_int, flags: libc::c_int) -> libc::addrinfo {
    libc::addrinfo {
        ai_family: family,
        ai_socktype: socktype,
        ai_flags: flags,
        ai_protocol: 0,
        ai_addrlen: 0,
        ai_addr: ptr::null_mut(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
    }
}

/// One of getaddrinfo's answers.
struct Found {
    ip: IpAddr,
    port: u16,
    socktype: libc::c_int,
}

/// Asks getaddrinfo, and copies its list; or gives its code, which is no errno.
fn look_up(host: Option<&CStr>, service: &CStr, hints: &libc::addrinfo) -> Result<Vec<Found>, libc::c_int> {
    let host = host.map_or(ptr::null(), CStr::as_ptr);
    let mut list = ptr::null_mut();
    // SAFETY: both texts end in a zero byte, or there is no host; `hints` is one; `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(host, service.as_ptr(), hints, &raw mut list) };
    if code != 0 {
        return Err(code); // There is no list.
    }

    let mut answers = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null, or it points to an entry of the list, which has not been freed yet.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ai_addr` points to an address of the family that the entry names.
        answers.push(unsafe { read(entry) });
        next = entry.ai_next;
    }
    // SAFETY: the list is getaddrinfo's, and nothing of it is used after this line.
    unsafe { libc::freeaddrinfo(list) };
    Ok(answers)
}

/// Reads an entry of the list.
///
/// # Safety
/// `ai_addr` points to a sockaddr_in6 if the family is AF_INET6, and else to a sockaddr_in.
unsafe fn read(entry: &libc::addrinfo) -> Found {
    let socktype = entry.ai_socktype;
    if entry.ai_family == libc::AF_INET6 {
        // SAFETY: the caller's promise.
        let address = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in6>() };
        let ip = IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr));
        Found { ip, port: u16::from_be(address.sin6_port), socktype }
    } else {
        // SAFETY: the caller's promise.
        let address = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in>() };
        Found { ip: IpAddr::V4(ipv4(address.sin_addr)), port: u16::from_be(address.sin_port), socktype }
    }
}

/// The words for one of getaddrinfo's codes.
fn words(code: libc::c_int) -> String {
    // SAFETY: gai_strerror gives a text that ends in a zero byte and is never freed, for any number.
    unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy().into_owned()
}

/// getaddrinfo failed, and had to succeed.
fn no_answer(code: libc::c_int) -> Stop {
    Stop::unexpected(format!("getaddrinfo said {code}: {}", words(code)))
}

fn three_for_one() -> Result<(), Stop> {
    for (label, socktype) in [("no hint", 0), ("SOCK_STREAM", libc::SOCK_STREAM)] {
        println!("{label}:");
        for Found { ip, port, socktype } in
            look_up(Some(c"127.0.0.1"), c"80", &hints(libc::AF_UNSPEC, socktype, 0)).map_err(no_answer)?
        {
            let name = match socktype {
                libc::SOCK_STREAM => "SOCK_STREAM",
                libc::SOCK_DGRAM => "SOCK_DGRAM",
                libc::SOCK_RAW => "SOCK_RAW",
                _ => "another type",
            };
            println!("  {ip}:{port} {name}");
        }
    }
    Ok(())
}

fn passive() -> Result<(), Stop> {
    for (label, family) in [("AF_INET:", libc::AF_INET), ("AF_INET6:", libc::AF_INET6)] {
        let first = |flags| -> Result<IpAddr, Stop> {
            let answers = look_up(None, c"80", &hints(family, libc::SOCK_STREAM, flags)).map_err(no_answer)?;
            answers.first().map(|found| found.ip).ok_or_else(|| Stop::unexpected("the list is empty"))
        };
        println!("{label:<9} {}, and {} with AI_PASSIVE", first(0)?, first(libc::AI_PASSIVE)?);
    }
    Ok(())
}

fn own_codes() -> Result<(), Stop> {
    let stream = libc::SOCK_STREAM;
    for (label, host, service, hints) in [
        ("localhost, AI_NUMERICHOST:", c"localhost", c"80", hints(libc::AF_UNSPEC, stream, libc::AI_NUMERICHOST)),
        ("http, AI_NUMERICSERV:", c"127.0.0.1", c"http", hints(libc::AF_UNSPEC, stream, libc::AI_NUMERICSERV)),
        ("127.0.0.1 as AF_INET6:", c"127.0.0.1", c"80", hints(libc::AF_INET6, stream, 0)),
        ("address family 99:", c"127.0.0.1", c"80", hints(99, stream, 0)),
        ("socket type 99:", c"127.0.0.1", c"80", hints(libc::AF_UNSPEC, 99, 0)),
    ] {
        Errno::clear();
        let code = look_up(Some(host), service, &hints).err().unwrap_or(0);
        let errno = Errno::last_raw();
        let name = match code {
            libc::EAI_NONAME => "EAI_NONAME",
            EAI_ADDRFAMILY => "EAI_ADDRFAMILY",
            libc::EAI_FAMILY => "EAI_FAMILY",
            libc::EAI_SOCKTYPE => "EAI_SOCKTYPE",
            _ => "another code",
        };
        println!("{label:<27} {code} {name:<15} errno {errno}: {}", words(code));
    }
    Ok(())
}

/// The host has no address of that family. (The crate libc does not name it.)
const EAI_ADDRFAMILY: libc::c_int = -9;

fn a_name_costs() -> Result<(), Stop> {
    for host in [c"127.0.0.1", c"localhost"] {
        let answers = look_up(Some(host), c"80", &hints(libc::AF_UNSPEC, libc::SOCK_STREAM, 0)).map_err(no_answer)?;
        let answers: Vec<String> = answers.iter().map(|found| found.ip.to_string()).collect();
        println!("{}: {}", host.to_string_lossy(), answers.join(", "));
    }
    Ok(())
}

fn two_loopbacks() -> Result<(), Stop> {
    let (_server, address) = tcp_server()?;

    let address6 = ipv6(Ipv6Addr::LOCALHOST, u16::from_be(address.sin_port), 0, 0);
    // SAFETY: socket takes three numbers and no pointer.
    let client6 = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client6 == -1 {
        return Err(no_ipv6("socket(AF_INET6)"));
    }
    // SAFETY: `address6` is a sockaddr_in6, LENGTH6 bytes long, and connect only reads it.
    if unsafe { libc::connect(client6, (&raw const address6).cast(), LENGTH6) } == 0 {
        return Err(Stop::unexpected("somebody listens on the same port at ::1"));
    }

    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(())
}
