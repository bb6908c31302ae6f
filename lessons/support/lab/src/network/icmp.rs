//! Forged ICMP errors: what a router or the other host would send back about a packet, made by this process itself.
//!
//! An ICMP error carries the beginning of the packet that it is about: its IP header, and the first eight bytes behind it,
//! which hold the ports. By these the kernel finds the socket that is to hear of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::{change, refused};
use crate::Stop;

/// Sends this socket an ICMP error of this type and code (ICMPv6 for an IPv6 socket) about a datagram that it has sent to
/// its peer, and waits until the socket has heard of it. It must be a connected UDP socket.
///
/// Its next call tells of the error in any case where the kernel takes it for final: 3/2 protocol unreachable, 3/3 port
/// unreachable, 3/7 host unknown, 3/8 source host isolated, 12/0 parameter problem, and 3/4 fragmentation needed with
/// IP_PMTUDISC_DO. Of the others (3/0 network unreachable, 3/1 host unreachable, 3/5 source route failed, 3/13 …; ICMPv6
/// 1/1 …) it tells with IP_RECVERR (IPV6_RECVERR) only, set before. The too-large ones (3/4, and ICMPv6 2/0) tell of an MTU
/// of 1280 bytes.
///
/// # Errors
/// [`Stop::Unexpected`] if the socket did not hear of it within five seconds.
pub fn answer_with_icmp(socket: RawFd, kind: u8, code: u8) -> Result<(), Stop> {
    change(|| {
        let (from, to) = (name(socket, libc::getsockname)?, name(socket, libc::getpeername)?);
        // A UDP header: the ports, a length of 8 bytes, and no checksum.
        let datagram = [from.port().to_be_bytes(), to.port().to_be_bytes(), 8_u16.to_be_bytes(), [0; 2]].concat();
        let packet = [ip_header(from, to, libc::IPPROTO_UDP as u8)?, datagram].concat();
        report(from.ip(), kind, code, &packet)?;
        heard(socket)
    })
}

/// Overhears what passes over `lo`, from now on: for an ICMP error about the first packet of a TCP connection, whose
/// number nobody else knows.
///
/// ```no_run
/// # fn play(client: i32, address: libc::sockaddr_in) -> Result<(), lab::Stop> {
/// # let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
/// let overheard = lab::network::overhear()?;
/// // SAFETY: `address` is a sockaddr_in, `length` bytes long, and connect only reads it.
/// unsafe { libc::connect(client, (&raw const address).cast(), length) }; // non-blocking, to a server with a full queue
/// overheard.answer_with_icmp(client, 3, 13)?;
/// // SAFETY: as above.
/// unsafe { libc::connect(client, (&raw const address).cast(), length) }; // says EHOSTUNREACH
/// # Ok(())
/// # }
/// ```
pub fn overhear() -> Result<Overheard, Stop> {
    change(|| {
        let everything = libc::c_int::from((libc::ETH_P_IP as u16).to_be());
        Ok(Overheard { packets: open(libc::AF_PACKET, libc::SOCK_DGRAM, everything)? })
    })
}

/// What has passed over `lo` since [`overhear`].
#[derive(Debug)]
pub struct Overheard {
    /// A packet socket: packet(7).
    packets: OwnedFd,
}

impl Overheard {
    /// Answers the first packet (SYN) of this TCP socket's connect with an ICMP error of this type and code, as
    /// [`answer_with_icmp`] does, and waits until the socket has heard of it. The connect must be under way: the socket is
    /// non-blocking, or another thread waits in connect; and nothing else must have answered it.
    ///
    /// # Errors
    /// As [`answer_with_icmp`].
    pub fn answer_with_icmp(self, socket: RawFd, kind: u8, code: u8) -> Result<(), Stop> {
        change(move || {
            let overheard = self; // It is closed in here, so that this stays out of the trace too.
            let from = name(socket, libc::getsockname)?;
            let packet = overheard.first_packet(from.port())?;
            report(from.ip(), kind, code, &packet)?;
            heard(socket)
        })
    }

    /// The IP header and the first eight bytes behind it, of the first SYN that came from this port.
    fn first_packet(&self, port: u16) -> Result<Vec<u8>, Stop> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if wait(self.packets.as_raw_fd(), libc::POLLIN, deadline)? == 0 {
                break;
            }
            let mut packet = [0_u8; 128];
            // SAFETY: `packet` has room for as many bytes as we say, and is ours to be written to.
            let count = unsafe {
                let to = packet.as_mut_ptr().cast();
                libc::recv(self.packets.as_raw_fd(), to, packet.len(), libc::MSG_DONTWAIT)
            };
            let Ok(count) = usize::try_from(count) else {
                return Err(Stop::failed("overhearing lo"));
            };
            if let Some(beginning) = syn_from(port, &packet[..count]) {
                return Ok(beginning.to_vec());
            }
        }
        Err(Stop::unexpected(format!("no first packet from port {port} was overheard within five seconds")))
    }
}

/// How long to wait for what the kernel does at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The beginning of this IPv4 packet, if it asks for a TCP connection from this port.
fn syn_from(port: u16, packet: &[u8]) -> Option<&[u8]> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let segment = packet.get(header..)?;
    let (syn, ack) = (0x02, 0x10);
    let is_it = packet.get(9) == Some(&(libc::IPPROTO_TCP as u8))
        && segment.get(..2)? == port.to_be_bytes()
        && segment.get(13)? & (syn | ack) == syn;
    if is_it { packet.get(..header + 8) } else { None }
}

/// Sends an ICMP error about this packet to the one who sent it.
fn report(to: IpAddr, kind: u8, code: u8, packet: &[u8]) -> Result<(), Stop> {
    let (family, protocol) = match to {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_ICMP),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    let mut message = [&[kind, code, 0, 0], &next_four(to, kind, code).to_be_bytes(), packet].concat();
    if to.is_ipv4() {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum); // That of ICMPv6 is filled in by the kernel.
    }
    let socket = open(family, libc::SOCK_RAW, protocol)?;
    let address = to_c(SocketAddr::new(to, 0));
    // SAFETY: `message` and `address` are as long as we say, and sendto only reads them.
    let sent = unsafe {
        let length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let (bytes, count) = (message.as_ptr().cast(), message.len());
        libc::sendto(socket.as_raw_fd(), bytes, count, 0, (&raw const address).cast(), length)
    };
    if sent == -1 { Err(Stop::failed("sending an ICMP error")) } else { Ok(()) }
}

/// The four bytes between the checksum and the packet: for "fragmentation needed" and "packet too big" the MTU, else 0.
fn next_four(to: IpAddr, kind: u8, code: u8) -> u32 {
    let too_big = match to {
        IpAddr::V4(_) => (kind, code) == (3, 4),
        IpAddr::V6(_) => kind == 2,
    };
    if too_big { 1280 } else { 0 }
}

/// Waits until the socket has an error to tell of, without taking it away.
fn heard(socket: RawFd) -> Result<(), Stop> {
    match wait(socket, 0, Instant::now() + PATIENCE)? {
        0 => Err(Stop::unexpected("the socket heard nothing of the ICMP error within five seconds")),
        _ => Ok(()),
    }
}

/// Waits for these events, or an error, until the deadline at most; what poll returned.
fn wait(fd: RawFd, events: libc::c_short, deadline: Instant) -> Result<libc::c_int, Stop> {
    loop {
        let mut question = libc::pollfd { fd, events, revents: 0 };
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
        let count = unsafe { libc::poll(&raw mut question, 1, left as libc::c_int) };
        if count != -1 {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(refused("poll", &error));
        }
    }
}

/// The header of an IP packet with eight bytes in it.
fn ip_header(from: SocketAddr, to: SocketAddr, protocol: u8) -> Result<Vec<u8>, Stop> {
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // Version 4 and five words of header; a length of 28; not in fragments; 64 hops.
            let start = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0];
            let mut header = [&start[..], &from.octets(), &to.octets()].concat();
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum);
            Ok(header)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            // Version 6; eight bytes behind the header; 64 hops.
            Ok([&[0x60, 0, 0, 0, 0, 8, protocol, 64][..], &from.octets(), &to.octets()].concat())
        }
        _ => Err(Stop::unexpected("the socket's two ends are of different families")),
    }
}

/// The checksum of the internet protocols (RFC 1071): the complement of the sum of all pairs of bytes.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let pairs = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)));
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn open(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> Result<OwnedFd, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd == -1 {
        return Err(refused("making a raw socket", &io::Error::last_os_error()));
    }
    // SAFETY: the descriptor is new, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// getsockname or getpeername.
type AddressCall = unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// One of the socket's two addresses.
fn name(socket: RawFd, call: AddressCall) -> Result<SocketAddr, Stop> {
    // SAFETY: a sockaddr_storage is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: `address` has room for as many bytes as `length` says, and both are ours to be written to.
    if unsafe { call(socket, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("asking for a socket's address"));
    }
    match libc::c_int::from(address.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in; a sockaddr_storage is at least as long and as aligned.
            let address = unsafe { *(&raw const address).cast::<libc::sockaddr_in>() };
            let ip = address.sin_addr.s_addr.to_ne_bytes();
            Ok(SocketAddr::new(IpAddr::from(ip), u16::from_be(address.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it is a sockaddr_in6; a sockaddr_storage is at least as long and as aligned.
            let address = unsafe { *(&raw const address).cast::<libc::sockaddr_in6>() };
            Ok(SocketAddr::new(IpAddr::from(address.sin6_addr.s6_addr), u16::from_be(address.sin6_port)))
        }
        family => Err(Stop::unexpected(format!("the socket's family is {family}, and not AF_INET or AF_INET6"))),
    }
}

/// An address as the kernel reads it.
fn to_c(address: SocketAddr) -> libc::sockaddr_storage {
    // SAFETY: a sockaddr_storage is plain numbers, for which all zeros is a value.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: a sockaddr_storage is at least as long and as aligned as a sockaddr_in, and nothing else borrows it.
            let to = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
            to.sin_family = libc::AF_INET as libc::sa_family_t;
            to.sin_port = address.port().to_be();
            to.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above, for a sockaddr_in6.
            let to = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in6>() };
            to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            to.sin6_port = address.port().to_be();
            to.sin6_addr.s6_addr = address.ip().octets();
        }
    }
    storage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_makes_the_sum_all_ones() {
        // The example of RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), [0x22, 0x0d]);
        assert_eq!(checksum(&[0xff]), [0x00, 0xff]);
    }

    #[test]
    fn a_first_packet_is_known_by_its_port_and_flag() {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        packet.extend([0x30, 0x39, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02, 0, 0]);
        assert_eq!(syn_from(0x3039, &packet), Some(&packet[..28]));
        assert_eq!(syn_from(0x303a, &packet), None);
        packet[33] = 0x12;
        assert_eq!(syn_from(0x3039, &packet), None, "the answer to a first packet has ACK too");
        assert_eq!(syn_from(0x3039, &packet[..30]), None);
        assert_eq!(syn_from(0x3039, &[]), None);
    }
}
