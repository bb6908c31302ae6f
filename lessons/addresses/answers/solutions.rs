//! The reference answers.

use std::ffi::CString;
use std::mem::{self, offset_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

use lesson_addresses::{Gai, Name, UnixName};
use nix::errno::Errno;

/// The bytes of a `sockaddr_in`, as Linux reads them.
pub fn sockaddr_in_bytes(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[4..8].copy_from_slice(&ip.octets());
    bytes
}

/// Reads `127.0.0.1:8080`, and nothing that only looks like it.
///
/// # Errors
/// EINVAL for whatever is not four decimal numbers with points between them, a colon and a port.
pub fn parse_endpoint(s: &str) -> Result<SocketAddrV4, Errno> {
    let (ip, port) = s.rsplit_once(':').ok_or(Errno::EINVAL)?;
    let ip: Ipv4Addr = ip.parse().map_err(|_| Errno::EINVAL)?;
    // u16's own parser would take a plus sign.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Errno::EINVAL);
    }
    let port = port.parse().map_err(|_| Errno::EINVAL)?;
    Ok(SocketAddrV4::new(ip, port))
}

/// What an address names, of which these are all the bytes.
///
/// # Errors
/// EINVAL if there are too few bytes for the family, EAFNOSUPPORT for a family other than AF_INET, AF_INET6 and AF_UNIX.
pub fn decode_sockaddr(raw: &[u8]) -> Result<Name, Errno> {
    let (family, rest) = take(raw)?;
    match libc::c_int::from(u16::from_ne_bytes(family)) {
        libc::AF_INET => {
            let (port, rest) = take(rest)?;
            let (ip, rest) = take::<4>(rest)?;
            let (_padding, _) = take::<8>(rest)?;
            Ok(Name::V4(Ipv4Addr::from(ip), u16::from_be_bytes(port)))
        }
        libc::AF_INET6 => {
            let (port, rest) = take(rest)?;
            let (flow, rest) = take(rest)?;
            let (ip, rest) = take::<16>(rest)?;
            let (scope, _) = take(rest)?;
            Ok(Name::V6 {
                ip: Ipv6Addr::from(ip),
                port: u16::from_be_bytes(port),
                flow: u32::from_be_bytes(flow),
                scope: u32::from_ne_bytes(scope),
            })
        }
        libc::AF_UNIX => Ok(match rest {
            [] => Name::Unnamed,
            [0, name @ ..] => Name::Abstract(name.to_vec()),
            path => Name::Path(path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
        }),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The first `N` bytes, and the rest; EINVAL if there are not so many.
fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Errno> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Errno::EINVAL)?;
    Ok((*first, rest))
}

/// The address of a unix name, and its length.
///
/// # Errors
/// EINVAL for a path that is empty or has a zero byte in it, ENAMETOOLONG for more than 107 bytes.
pub fn unix_sockaddr(n: UnixName) -> Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    // SAFETY: a sockaddr_un is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // In both a zero byte counts: behind the path, or in front of the abstract name.
    let (at, name) = match n {
        UnixName::Path(path) if path.is_empty() || path.contains(&0) => return Err(Errno::EINVAL),
        UnixName::Path(path) => (0, path),
        UnixName::Abstract(name) => (1, name),
    };
    if name.len() + 1 > address.sun_path.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (to, from) in address.sun_path[at..].iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + name.len() + 1;
    Ok((address, length as libc::socklen_t))
}

/// The addresses of a host and a service for a stream socket, in the resolver's order; without a host, those to bind to.
///
/// # Errors
/// What `getaddrinfo` says, or `EAI_NONAME` for a text with a zero byte in it.
pub fn lookup(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    let c_string = |text: &str| CString::new(text).map_err(|_| Gai::Code(libc::EAI_NONAME));
    let (host, service) = (host.map(c_string).transpose()?, c_string(service)?);
    let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());

    // SAFETY: an addrinfo is numbers and pointers, for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = if host.is_null() { libc::AI_PASSIVE } else { 0 };

    let mut list = ptr::null_mut();
    // SAFETY: both texts end in a zero byte (or there is no host); `hints` is one, and `list` is ours to be written to.
    match unsafe { libc::getaddrinfo(host, service.as_ptr(), &raw const hints, &raw mut list) } {
        0 => (),
        libc::EAI_SYSTEM => return Err(Gai::Sys(Errno::last())),
        code => return Err(Gai::Code(code)),
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null, or it points to an entry of the list, which has not been freed yet.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ai_addr` points to an address of `ai_addrlen` bytes.
        let raw = unsafe { std::slice::from_raw_parts(entry.ai_addr.cast::<u8>(), entry.ai_addrlen as usize) };
        match decode_sockaddr(raw) {
            Ok(Name::V4(ip, port)) => found.push(SocketAddr::new(IpAddr::V4(ip), port)),
            Ok(Name::V6 { ip, port, flow, scope }) => found.push(SocketAddrV6::new(ip, port, flow, scope).into()),
            _ => (), // Not of the families that a SocketAddr has.
        }
        next = entry.ai_next;
    }
    // SAFETY: the list is getaddrinfo's, and nothing of it is used after this line.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}
