//! Sockets for the other side: what a student's function meets. All of them stay on loopback.
//!
//! A judge makes them in the parent, where a student's function cannot harm them; an act makes them in the child, before
//! the call. One thing to know: while a child is being started, it holds copies of all the parent's descriptors for a
//! moment, so a socket that the *parent* closes may live on for some milliseconds. What has to be *gone* when the
//! function is called (a port that was released, a server that died) is therefore made and closed in the child, by the act.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, getsockname, listen, setsockopt, socket,
    sockopt,
};

/// A TCP socket.
pub fn tcp() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// The socket's own IPv4 address and port; port 0 if it has none.
pub fn name_of(socket: &impl AsRawFd) -> nix::Result<SocketAddrV4> {
    let name: SockaddrIn = getsockname(socket.as_raw_fd())?;
    Ok(SocketAddrV4::new(name.ip(), name.port()))
}

/// Binds a new TCP socket, with no option set.
pub fn bound(address: SocketAddrV4) -> nix::Result<OwnedFd> {
    let socket = tcp()?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

/// A socket bound to a free port of 127.0.0.1 that does not listen, and the port. As long as it is held, nobody else can
/// bind the port, and connecting there is refused: a dead port that stays dead. The port's two bytes differ, so a port
/// whose bytes were swapped is another port.
pub fn hold() -> nix::Result<(OwnedFd, SocketAddrV4)> {
    loop {
        let socket = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = name_of(&socket)?;
        if !is_palindrome(address.port()) {
            return Ok((socket, address));
        }
    }
}

/// A port whose two bytes are the same: it cannot show whether they were swapped.
pub fn is_palindrome(port: u16) -> bool {
    port.swap_bytes() == port
}

/// An address of 127.0.0.0/8, taken at random: nobody else uses it, so its ports are free.
pub fn own_loopback_address() -> Ipv4Addr {
    let [a, b, c, ..] = random().to_ne_bytes();
    Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(2, 254))
}

/// A port of 127.0.0.1 that was free a moment ago, where the kernel sends nobody who asks for "any port": above 1023, outside
/// the range for ephemeral ports if that leaves room, and not a palindrome. Somebody may take it all the same; whoever
/// uses it must be ready to try another.
///
/// # Errors
/// A socket cannot be made, or no free port was found in a thousand tries.
pub fn free_port() -> io::Result<u16> {
    let ephemeral = ephemeral_ports();
    let lowest = 1024.max(number("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(1024));
    for attempt in 0..1000 {
        let port = random() as u16;
        let crowded = ephemeral.is_some_and(|(low, high)| (low..=high).contains(&port)) && attempt < 500;
        if port < lowest || crowded || is_palindrome(port) {
            continue;
        }
        match bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(Errno::EADDRINUSE) => (),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port found on 127.0.0.1 in a thousand tries"))
}

/// `ip_local_port_range`: the ports from which the kernel chooses.
fn ephemeral_ports() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(low)), Some(Ok(high))) => Some((low, high)),
        _ => None,
    }
}

fn number(path: &str) -> Option<u16> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Sixty-four bits that nobody can foresee, from the keys of the standard library's hash maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A server on `ip` that has just ended, with a connection in TIME_WAIT: the address that it had. It closed first, and
/// had SO_REUSEADDR set or not. Call it in the act: see this module's first words.
pub fn ended_server(ip: Ipv4Addr, reuse: bool) -> nix::Result<SocketAddrV4> {
    let listener = tcp()?;
    setsockopt(&listener, sockopt::ReuseAddr, &reuse)?;
    bind(listener.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(ip, 0)))?;
    let address = name_of(&listener)?;
    listen(&listener, Backlog::new(1)?)?;
    let client = tcp()?;
    connect(client.as_raw_fd(), &SockaddrIn::from(address))?;
    let connection = accept(&listener)?;
    drop(connection);
    drop(client);
    drop(listener);
    // Proof that it is as it should be: a bind without the option is refused.
    match bound(address) {
        Err(Errno::EADDRINUSE) => Ok(address),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::EADDRNOTAVAIL),
    }
}

/// A server that listens on `ip`, with SO_REUSEADDR and SO_REUSEPORT set: as tolerant as a server can be.
pub fn tolerant_server(ip: Ipv4Addr) -> nix::Result<(OwnedFd, SocketAddrV4)> {
    let listener = tcp()?;
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    setsockopt(&listener, sockopt::ReusePort, &true)?;
    bind(listener.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(ip, 0)))?;
    let address = name_of(&listener)?;
    listen(&listener, Backlog::new(8)?)?;
    Ok((listener, address))
}

fn accept(listener: &impl AsRawFd) -> nix::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let number = nix::sys::socket::accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// An address on loopback where every connect waits in vain: a listener whose queue is full. Answers nobody, refuses nobody.
#[derive(Debug)]
pub struct BlackHole {
    /// Where it is.
    pub address: SocketAddrV4,
    _listener: OwnedFd,
    _filler: OwnedFd,
}

impl BlackHole {
    /// Opens one.
    pub fn open() -> nix::Result<BlackHole> {
        let listener = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = name_of(&listener)?;
        // A backlog of 0 still has room for one.
        listen(&listener, Backlog::new(0)?)?;
        let filler = tcp()?;
        connect(filler.as_raw_fd(), &SockaddrIn::from(address))?;
        Ok(BlackHole { address, _listener: listener, _filler: filler })
    }
}

/// A unix server that listens at `name` in this directory. The directory's path may be longer than a socket's address can be.
pub fn unix_server(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let directory = std::fs::File::open(directory)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// An IPv4 address as `/proc/net/tcp` writes it: one hexadecimal number in the machine's own byte order, and the port.
pub fn in_table(address: SocketAddrV4) -> String {
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

/// What a process does (`S`: it sleeps in a call; `Z`: it has ended, and nobody has asked for it), and its parent: the third
/// and fourth field of `/proc/PID/stat`. Nothing, if there is no such process.
pub fn state_and_parent(process: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything, spaces and parentheses too.
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// Waits until `ready` says so, and fails with `what` was waited for after ten seconds.
///
/// # Errors
/// Those of `ready`, and [`io::ErrorKind::TimedOut`].
pub fn wait_for(what: &str, mut ready: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !ready()? {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("waited ten seconds for {what}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_held_port_cannot_be_bound_and_refuses_connections() {
        let (_holder, address) = hold().expect("a port to hold");
        assert_eq!(bound(address).expect_err("it is held"), Errno::EADDRINUSE);
        let error = std::net::TcpStream::connect(address).expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(!is_palindrome(address.port()));
    }

    #[test]
    fn an_ended_server_lets_only_a_reusing_one_in() {
        for reuse in [true, false] {
            let address = ended_server(own_loopback_address(), reuse).expect("a server that has ended");
            assert_eq!(bound(address).expect_err("TIME_WAIT"), Errno::EADDRINUSE);
            // Rust's listener sets SO_REUSEADDR.
            assert_eq!(TcpListener::bind(address).is_ok(), reuse, "the old server's flag was {reuse}");
        }
    }

    #[test]
    fn nobody_gets_out_of_a_black_hole() {
        let hole = BlackHole::open().expect("a black hole");
        let error = std::net::TcpStream::connect_timeout(&hole.address.into(), Duration::from_millis(200));
        assert_eq!(error.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_free_port_is_free_and_no_palindrome() {
        let port = free_port().expect("a free port");
        assert!(port >= 1024 && !is_palindrome(port), "{port}");
    }

    #[test]
    fn a_unix_server_may_live_at_the_end_of_a_long_path() {
        let long = std::env::temp_dir().join(format!("{}-{}", "long".repeat(30), std::process::id()));
        std::fs::create_dir(&long).expect("a directory with a long name");
        let server = unix_server(&long, "x.sock");
        let found = long.join("x.sock").exists();
        std::fs::remove_dir_all(&long).expect("to tidy up");
        server.expect("a server");
        assert!(found);
    }
}
