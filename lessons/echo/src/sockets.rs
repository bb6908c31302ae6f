//! What both programs need: addresses of either family, and calls that a signal does not end.

use std::ffi::{CStr, CString};
use std::fmt;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::ptr;

use nix::errno::Errno;

/// An address as the kernel reads and writes it: room for any family's, and how much of it counts.
#[derive(Clone, Copy)]
pub struct Address {
    pub storage: libc::sockaddr_storage,
    pub length: libc::socklen_t,
}

impl Address {
    /// Room for an address that the kernel will write.
    pub fn room() -> Address {
        // SAFETY: a sockaddr_storage is plain numbers, for which all zeros is a value.
        let storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Address { storage, length: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }
}

/// Such as `127.0.0.1:50000` or `[::1]:50000`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match libc::c_int::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that a sockaddr_in stands there; the storage is large enough and aligned for it.
                let v4 = unsafe { *(&raw const self.storage).cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
                SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).fmt(f)
            }
            libc::AF_INET6 => {
                // SAFETY: as above, for a sockaddr_in6.
                let v6 = unsafe { *(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).fmt(f)
            }
            family => write!(f, "an address of family {family}"),
        }
    }
}

/// All addresses that a host has, given as a number (`127.0.0.1`, `::1`) or by name (`localhost`); never none.
pub fn lookup(host: &str, port: u16) -> Result<Vec<Address>, String> {
    let name = CString::new(host).map_err(|_| format!("{host:?} is no name: it has a zero byte in it"))?;
    let service = CString::new(port.to_string()).map_err(|_| format!("{port} is no port"))?;
    // SAFETY: an addrinfo is numbers and pointers, for which all zeros (and null) is a value.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_NUMERICSERV;
    let mut first: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: the two strings and `hints` live through the call, which writes one pointer into `first`.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), service.as_ptr(), &raw const hints, &raw mut first) };
    if code != 0 {
        // SAFETY: gai_strerror gives a C string that lives for ever, for any number.
        let why = unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy();
        return Err(format!("cannot find the host {host}: {why}"));
    }

    let mut addresses = Vec::new();
    let mut next = first;
    // SAFETY: `next` is null or one of getaddrinfo's entries, none of which is freed before the end.
    while let Some(entry) = unsafe { next.as_ref() } {
        let mut address = Address::room();
        if entry.ai_addrlen <= address.length {
            // SAFETY: the entry's address is ai_addrlen bytes long, and there is room for as many.
            unsafe {
                ptr::copy_nonoverlapping(
                    entry.ai_addr.cast(),
                    (&raw mut address.storage).cast::<u8>(),
                    entry.ai_addrlen as usize,
                )
            };
            address.length = entry.ai_addrlen;
            addresses.push(address);
        }
        next = entry.ai_next;
    }
    // SAFETY: `first` came from getaddrinfo, and nothing points into its list any longer.
    unsafe { libc::freeaddrinfo(first) };
    if addresses.is_empty() { Err(format!("the host {host} has no address")) } else { Ok(addresses) }
}

/// Takes what has come, or waits for it: how many bytes; 0 when the peer has said all that it will.
pub fn receive(fd: libc::c_int, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        // SAFETY: recv writes at most `buffer.len()` bytes, and there is room for as many.
        let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Hands bytes over to the kernel: how many it took, which may be fewer. MSG_NOSIGNAL is always among the flags: a peer
/// that has gone is an error then (EPIPE), and no signal that ends the program (SIGPIPE).
pub fn send(fd: libc::c_int, bytes: &[u8], flags: libc::c_int) -> Result<usize, Errno> {
    loop {
        // SAFETY: send reads at most `bytes.len()` bytes, and there are as many.
        let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_NOSIGNAL) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Gives a descriptor back. Whatever close says, the number is not ours any more.
pub fn close(fd: libc::c_int) -> Result<(), Errno> {
    // SAFETY: close takes a number, which the caller owns and does not use again.
    match unsafe { libc::close(fd) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}
