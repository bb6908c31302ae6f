//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::fs;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use grader::Wrong;
use lesson_bind::exercises as reference;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr, bind, connect, getsockname, setsockopt, socket, sockopt,
};

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // bind/loopback
    Wrong {
        exercise: "bind/loopback",
        name: "port_not_swapped",
        put: |page| page.bind_loopback = port_not_swapped,
        rejected_by: "bound_to_the_port_asked",
        says: ", got port ",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "forgets_to_bind",
        put: |page| page.bind_loopback = forgets_to_bind,
        rejected_by: "bound_to_the_port_asked",
        says: "bound to no port",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "any_address",
        put: |page| page.bind_loopback = any_address,
        rejected_by: "bound_to_loopback_only",
        says: "says 0.0.0.0, not 127.0.0.1. That is the wildcard",
        also: &["stays_on_loopback"],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "address_not_swapped",
        put: |page| page.bind_loopback = address_not_swapped,
        rejected_by: "bound_to_loopback_only",
        says: "says 1.0.0.127, not 127.0.0.1. Its four bytes stand in the wrong order",
        also: &["stays_on_loopback"],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "length_of_a_storage",
        put: |page| page.bind_loopback = length_of_a_storage,
        rejected_by: "passes_the_real_length",
        says: "128 bytes long",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "length_of_the_generic_address_less_one",
        put: |page| page.bind_loopback = length_of_the_generic_address_less_one,
        rejected_by: "passes_the_real_length",
        says: "15 bytes long",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "result_thrown_away",
        put: |page| page.bind_loopback = result_thrown_away,
        rejected_by: "in_use_is_reported",
        says: "bind said EADDRINUSE, and you said Ok(OwnedFd",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "errno_read_too_late",
        put: |page| page.bind_loopback = errno_read_too_late,
        rejected_by: "in_use_is_reported",
        says: "you said Err(ENOENT)",
        also: &[],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "raw_number_and_question_mark",
        put: |page| page.bind_loopback = raw_number_and_question_mark,
        rejected_by: "failure_leaves_nothing",
        says: "still open (fd 3)",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "bind/loopback",
        name: "unwraps",
        put: |page| page.bind_loopback = unwraps,
        rejected_by: "survives",
        says: "it panicked at lessons/bind/answers/wrong.rs",
        also: &[],
    },
    // bind/any-port
    Wrong {
        exercise: "bind/any-port",
        name: "returns_what_it_passed",
        put: |page| page.bind_any_port = returns_what_it_passed,
        rejected_by: "never_zero",
        says: "You returned port 0",
        also: &[],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "guesses_until_it_works",
        put: |page| page.bind_any_port = guesses_until_it_works,
        rejected_by: "kernel_was_asked_to_choose",
        says: "Port 0 asks the kernel",
        also: &[],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "finds_closes_and_opens_again",
        put: |page| page.bind_any_port = finds_closes_and_opens_again,
        rejected_by: "kernel_was_asked_to_choose",
        says: "You called bind 2 times, although the first had brought a port",
        also: &[],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "network_order_leaks_out",
        put: |page| page.bind_any_port = network_order_leaks_out,
        rejected_by: "port_is_the_sockets_own",
        says: "the same two bytes the other way round",
        also: &[],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "returns_the_socket_it_did_not_bind",
        put: |page| page.bind_any_port = returns_the_socket_it_did_not_bind,
        rejected_by: "still_bound_on_return",
        says: "between your close and the caller's bind",
        also: &[],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "remembers_its_first_answer",
        put: |page| page.bind_any_port = remembers_its_first_answer,
        rejected_by: "two_calls_two_ports",
        says: "both returned port",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "bind/any-port",
        name: "any_address_and_any_port",
        put: |page| page.bind_any_port = any_address_and_any_port,
        rejected_by: "stays_on_loopback",
        says: "0.0.0.0",
        also: &[],
    },
    // bind/reusable
    Wrong {
        exercise: "bind/reusable",
        name: "never_heard_of_it",
        put: |page| page.bind_reusable = never_heard_of_it,
        rejected_by: "restart_over_time_wait",
        says: "is in TIME_WAIT, and you said Err(EADDRINUSE)",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "always_on_localhost",
        put: |page| page.bind_reusable = always_on_localhost,
        rejected_by: "bound_where_asked",
        says: ", got 127.0.0.1:",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "wrong_level_unchecked",
        put: |page| page.bind_reusable = wrong_level_unchecked,
        rejected_by: "option_is_an_int_one",
        says: "setsockopt(3, SOL_TCP, ",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "one_byte_unchecked",
        put: |page| page.bind_reusable = one_byte_unchecked,
        rejected_by: "option_is_an_int_one",
        says: "SO_REUSEADDR, ",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "switches_it_off",
        put: |page| page.bind_reusable = switches_it_off,
        rejected_by: "option_is_an_int_one",
        says: "SO_REUSEADDR, [0], 4)",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "after_bind",
        put: |page| page.bind_reusable = after_bind,
        rejected_by: "option_comes_before_bind",
        says: "too late for *this* bind",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "only_when_bind_has_failed",
        put: |page| page.bind_reusable = only_when_bind_has_failed,
        rejected_by: "option_comes_before_bind",
        says: "too late for *this* bind",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "the_other_option",
        put: |page| page.bind_reusable = the_other_option,
        rejected_by: "live_server_still_wins",
        says: "not reuse but theft",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "both_options",
        put: |page| page.bind_reusable = both_options,
        rejected_by: "live_server_still_wins",
        says: "not reuse but theft",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "ignores_what_bind_says",
        put: |page| page.bind_reusable = ignores_what_bind_says,
        rejected_by: "live_server_still_wins",
        says: "when bind said EADDRINUSE, you said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "sleeps_and_tries_again",
        put: |page| page.bind_reusable = sleeps_and_tries_again,
        rejected_by: "one_bind_only",
        says: "You called bind 3 times",
        also: &[],
    },
    Wrong {
        exercise: "bind/reusable",
        name: "tries_for_ever",
        put: |page| page.bind_reusable = tries_for_ever,
        rejected_by: "one_bind_only",
        says: "You called bind ",
        also: &["finishes_in_time"],
    },
    // bind/unix
    Wrong {
        exercise: "bind/unix",
        name: "an_abstract_name",
        put: |page| page.bind_unix = an_abstract_name,
        rejected_by: "fresh_path",
        says: "no socket file appeared there",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "the_option_for_ports",
        put: |page| page.bind_unix = the_option_for_ports,
        rejected_by: "stale_socket_is_replaced",
        says: "you said Err(EADDRINUSE)",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "removes_it_and_forgets_to_bind",
        put: |page| page.bind_unix = removes_it_and_forgets_to_bind,
        rejected_by: "stale_socket_is_replaced",
        says: "does not reach the socket that you returned",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "unlinks_first",
        put: |page| page.bind_unix = unlinks_first,
        rejected_by: "live_server_is_left_alone",
        says: "you unlinked its path",
        also: &["other_files_survive"],
    },
    Wrong {
        exercise: "bind/unix",
        name: "any_failure_means_stale",
        put: |page| page.bind_unix = any_failure_means_stale,
        rejected_by: "live_server_is_left_alone",
        says: "you unlinked its path",
        also: &["other_files_survive"],
    },
    Wrong {
        exercise: "bind/unix",
        name: "any_socket_is_stale",
        put: |page| page.bind_unix = any_socket_is_stale,
        rejected_by: "live_server_is_left_alone",
        says: "you unlinked its path",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "deletes_what_refuses",
        put: |page| page.bind_unix = deletes_what_refuses,
        rejected_by: "other_files_survive",
        says: "There was a regular file at demo.sock, and you deleted it",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "follows_links",
        put: |page| page.bind_unix = follows_links,
        rejected_by: "other_files_survive",
        says: "There was a symbolic link to a stale socket at demo.sock, and you deleted it",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "leaves_the_probe_open",
        put: |page| page.bind_unix = leaves_the_probe_open,
        rejected_by: "the_probe_is_closed",
        says: "still open (fd 4)",
        also: &["leaves_no_fd_behind"],
    },
    Wrong {
        exercise: "bind/unix",
        name: "makes_the_directory",
        put: |page| page.bind_unix = makes_the_directory,
        rejected_by: "dead_directory_is_enoent",
        says: "you made the directory",
        also: &[],
    },
    Wrong {
        exercise: "bind/unix",
        name: "one_errno_for_all",
        put: |page| page.bind_unix = one_errno_for_all,
        rejected_by: "dead_directory_is_enoent",
        says: "you said Err(EADDRINUSE)",
        also: &[],
    },
];

// What several of them need, and what is right in them.

fn tcp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

fn unix() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A `sockaddr_in` with exactly these numbers in it.
fn address(port: u16, ip: u32) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port,
        sin_addr: libc::in_addr { s_addr: ip },
        sin_zero: [0; 8],
    }
}

const LOCALHOST: u32 = u32::from_ne_bytes([127, 0, 0, 1]);

/// `bind` with this address, and the length that it really has.
fn bind_to(socket: RawFd, address: libc::sockaddr_in) -> Result<(), Errno> {
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer is to `address`, which outlives the call, and `length` is its size.
    Errno::result(unsafe { libc::bind(socket, (&raw const address).cast(), length) }).map(drop)
}

/// `bind` to 127.0.0.1 with this length, which is that of the memory at most.
fn bind_with_length(port: u16, length: usize) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    // SAFETY: an all-zero sockaddr_storage is valid.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    // SAFETY: a sockaddr_storage is as large and as well aligned as any socket address.
    unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(address(port.to_be(), LOCALHOST)) };
    assert!(length <= size_of_val(&storage));
    // SAFETY: the pointer is to `storage`, which outlives the call and has at least `length` bytes.
    Errno::result(unsafe { libc::bind(socket.as_raw_fd(), (&raw const storage).cast(), length as libc::socklen_t) })?;
    Ok(socket)
}

/// `setsockopt` with this level, option and value, whatever it may say.
fn set_unchecked<T>(socket: &OwnedFd, level: i32, option: i32, value: T) {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer is to `value`, which outlives the call, and `length` is its size.
    unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
}

// bind/loopback

/// The port's bytes stay in the order of this machine.
fn port_not_swapped(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    bind_to(socket.as_raw_fd(), address(port, LOCALHOST))?;
    Ok(socket)
}

/// A socket is made, and that is all.
fn forgets_to_bind(_port: u16) -> Result<OwnedFd, Errno> {
    tcp()
}

/// The wildcard instead of loopback.
fn any_address(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    bind_to(socket.as_raw_fd(), address(port.to_be(), libc::INADDR_ANY))?;
    Ok(socket)
}

/// The address's bytes stay in the order of this machine.
fn address_not_swapped(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    bind_to(socket.as_raw_fd(), address(port.to_be(), LOCALHOST.swap_bytes()))?;
    Ok(socket)
}

/// The length of the largest address there is. The kernel lets it pass.
fn length_of_a_storage(port: u16) -> Result<OwnedFd, Errno> {
    bind_with_length(port, size_of::<libc::sockaddr_storage>())
}

/// One byte too few.
fn length_of_the_generic_address_less_one(port: u16) -> Result<OwnedFd, Errno> {
    bind_with_length(port, size_of::<libc::sockaddr>() - 1)
}

/// What `bind` says is not looked at.
fn result_thrown_away(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    let _ = bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port));
    Ok(socket)
}

/// Between the failure and the look at errno there is another call that fails.
fn errno_read_too_late(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    let failed = bind_to(socket.as_raw_fd(), address(port.to_be(), LOCALHOST)).is_err();
    let log = fs::write("no/such/log", "bind has failed");
    if failed && log.is_err() {
        return Err(Errno::last());
    }
    Ok(socket)
}

/// The number becomes an `OwnedFd` only when all has gone well.
fn raw_number_and_question_mark(port: u16) -> Result<OwnedFd, Errno> {
    let number = tcp()?.into_raw_fd();
    bind_to(number, address(port.to_be(), LOCALHOST))?;
    // SAFETY: the descriptor was made above, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Failure is not an option.
fn unwraps(port: u16) -> Result<OwnedFd, Errno> {
    let socket = tcp().unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).unwrap();
    Ok(socket)
}

// bind/any-port

/// The question is returned as the answer.
fn returns_what_it_passed() -> Result<(OwnedFd, u16), Errno> {
    Ok((reference::bind_loopback(0)?, 0))
}

/// Looks for a free port by trying.
fn guesses_until_it_works() -> Result<(OwnedFd, u16), Errno> {
    let mut port = 50000 + (std::process::id() % 10000) as u16;
    loop {
        match reference::bind_loopback(port) {
            Ok(socket) => return Ok((socket, port)),
            Err(_) => port += 1,
        }
    }
}

/// Asks the kernel, lets go of the port, and hopes to get it again.
fn finds_closes_and_opens_again() -> Result<(OwnedFd, u16), Errno> {
    let (socket, port) = reference::bind_any_port()?;
    drop(socket);
    Ok((reference::bind_loopback(port)?, port))
}

/// The port as it stands in the address: most significant byte first.
fn network_order_leaks_out() -> Result<(OwnedFd, u16), Errno> {
    let socket = reference::bind_loopback(0)?;
    let name: SockaddrIn = getsockname(socket.as_raw_fd())?;
    Ok((socket, name.as_ref().sin_port))
}

/// A helper finds the port and closes its socket; what is returned is another one.
fn returns_the_socket_it_did_not_bind() -> Result<(OwnedFd, u16), Errno> {
    let (_, port) = reference::bind_any_port()?;
    Ok((tcp()?, port))
}

/// Asks only once in its life.
fn remembers_its_first_answer() -> Result<(OwnedFd, u16), Errno> {
    static FIRST: OnceLock<Result<(OwnedFd, u16), Errno>> = OnceLock::new();
    match FIRST.get_or_init(reference::bind_any_port) {
        Ok((socket, port)) => Ok((socket.try_clone().map_err(errno_of)?, *port)),
        Err(errno) => Err(*errno),
    }
}

/// Any port of any address.
fn any_address_and_any_port() -> Result<(OwnedFd, u16), Errno> {
    let socket = tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 0))?;
    let name: SockaddrIn = getsockname(socket.as_raw_fd())?;
    Ok((socket, name.port()))
}

// bind/reusable

/// No option at all.
fn never_heard_of_it(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// The port is the caller's, the address is not.
fn always_on_localhost(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    reference::bind_reusable(SocketAddrV4::new(Ipv4Addr::LOCALHOST, addr.port()))
}

/// At the level of TCP, option 2 is the segment size, which cannot be 1.
fn wrong_level_unchecked(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    set_unchecked(&socket, libc::IPPROTO_TCP, libc::SO_REUSEADDR, 1);
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// A Rust `bool` is one byte; the kernel wants four.
fn one_byte_unchecked(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    set_unchecked(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, true);
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// The right option with the value 0.
fn switches_it_off(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &false)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// The option comes when all is over.
fn after_bind(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    Ok(socket)
}

/// "Set it when bind fails." Helps this time, and not the next server, which needs the option of this one.
fn only_when_bind_has_failed(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    if bind(socket.as_raw_fd(), &SockaddrIn::from(addr)).is_err() {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    }
    Ok(socket)
}

/// SO_REUSEPORT is another promise: to share the port with a server that is alive.
fn the_other_option(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// Twice is better.
fn both_options(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// All is done right, and then nobody looks.
fn ignores_what_bind_says(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    let _ = bind(socket.as_raw_fd(), &SockaddrIn::from(addr));
    Ok(socket)
}

/// Waits for the other server to go away, three times.
fn sleeps_and_tries_again(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    for _ in 0..2 {
        match bind(socket.as_raw_fd(), &SockaddrIn::from(addr)) {
            Err(Errno::EADDRINUSE) => thread::sleep(Duration::from_millis(20)),
            outcome => return outcome.map(|()| socket),
        }
    }
    bind(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(socket)
}

/// Waits for the other server to go away, for as long as it takes.
fn tries_for_ever(addr: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = tcp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    while bind(socket.as_raw_fd(), &SockaddrIn::from(addr)) == Err(Errno::EADDRINUSE) {
        thread::sleep(Duration::from_secs(1));
    }
    Ok(socket)
}

// bind/unix

/// A name that begins with a zero byte is not a path: no file appears. (All programs of the machine share these names,
/// hence the process id: this answer has to be wrong each time, and in the same way.)
fn an_abstract_name(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let name = format!("{}-{}", path.display(), std::process::id());
    bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
    Ok(socket)
}

/// SO_REUSEADDR is about ports, and means nothing here.
fn the_option_for_ports(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// The file is out of the way; that was the plan's last line.
fn removes_it_and_forgets_to_bind(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    match bind(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::EADDRINUSE) if is_socket(path) && refuses(path)? => fs::remove_file(path).map_err(errno_of)?,
        outcome => outcome?,
    }
    Ok(socket)
}

/// What everybody does: `rm -f` and bind.
fn unlinks_first(path: &Path) -> Result<OwnedFd, Errno> {
    let _ = fs::remove_file(path);
    let socket = unix()?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// bind failed, so the file must be old.
fn any_failure_means_stale(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let address = UnixAddr::new(path)?;
    if bind(socket.as_raw_fd(), &address).is_err() {
        fs::remove_file(path).map_err(errno_of)?;
        bind(socket.as_raw_fd(), &address)?;
    }
    Ok(socket)
}

/// Looks at the kind of file, and asks nobody whether a server is behind it.
fn any_socket_is_stale(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let address = UnixAddr::new(path)?;
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_socket(path) => {
            fs::remove_file(path).map_err(errno_of)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        outcome => outcome?,
    }
    Ok(socket)
}

/// Asks whether a server is behind it, and does not look at the kind of file: a regular file refuses, too.
fn deletes_what_refuses(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let address = UnixAddr::new(path)?;
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if refuses(path)? => {
            fs::remove_file(path).map_err(errno_of)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        outcome => outcome?,
    }
    Ok(socket)
}

/// `metadata` follows a symbolic link, and `remove_file` does not.
fn follows_links(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let address = UnixAddr::new(path)?;
    let is_socket = || fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_socket() && refuses(path)? => {
            fs::remove_file(path).map_err(errno_of)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        outcome => outcome?,
    }
    Ok(socket)
}

/// The probe is a raw number that nobody closes.
fn leaves_the_probe_open(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = unix()?;
    let address = UnixAddr::new(path)?;
    let refuses = |path: &Path| -> Result<bool, Errno> {
        let probe = unix()?.into_raw_fd();
        Ok(connect(probe, &UnixAddr::new(path)?) == Err(Errno::ECONNREFUSED))
    };
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_socket(path) && refuses(path)? => {
            fs::remove_file(path).map_err(errno_of)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        outcome => outcome?,
    }
    Ok(socket)
}

/// Helpful: what is missing is made.
fn makes_the_directory(path: &Path) -> Result<OwnedFd, Errno> {
    if let Some(directory) = path.parent() {
        let _ = fs::create_dir_all(directory);
    }
    reference::bind_unix(path)
}

/// Whatever went wrong, the address must have been in use.
fn one_errno_for_all(path: &Path) -> Result<OwnedFd, Errno> {
    reference::bind_unix(path).map_err(|_| Errno::EADDRINUSE)
}

/// Whether there is a socket at this path, and not a link to one.
fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Whether connecting to this path is refused.
fn refuses(path: &Path) -> Result<bool, Errno> {
    let probe = unix()?;
    Ok(connect(probe.as_raw_fd(), &UnixAddr::new(path)?) == Err(Errno::ECONNREFUSED))
}
