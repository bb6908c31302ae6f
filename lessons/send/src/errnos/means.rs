//! What the provocations are made of: the three forms of the call, and sockets in the states that they begin with.

use std::{mem, ptr};

use lab::Stop;
use libc::c_int;

/// One form of the call: bytes to the socket's peer.
pub(super) type Form = fn(c_int, &[u8], c_int);

/// All three.
pub(super) const FORMS: [Form; 3] = [by_send, by_sendto, by_sendmsg];

/// Sends these bytes to the socket's peer in all three forms, one after the other.
pub(super) fn send_by_each(fd: c_int, bytes: &[u8], flags: c_int) {
    by_send(fd, bytes, flags);
    by_sendto(fd, bytes, flags);
    by_sendmsg(fd, bytes, flags);
}

pub(super) fn by_send(fd: c_int, bytes: &[u8], flags: c_int) {
    // SAFETY: the pointer is to `bytes.len()` bytes, which send only reads.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
}

pub(super) fn by_sendto(fd: c_int, bytes: &[u8], flags: c_int) {
    // SAFETY: as for send, and no address is given.
    unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, ptr::null(), 0) };
}

pub(super) fn by_sendmsg(fd: c_int, bytes: &[u8], flags: c_int) {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: `message` names one part, which lives through the call, and sendmsg only reads both.
    unsafe { libc::sendmsg(fd, &raw const message, flags) };
}

/// Sends these bytes to an address, in the two forms that have room for one.
pub(super) fn send_there_by_both<A: Address>(fd: c_int, bytes: &[u8], flags: c_int, there: &A) {
    there_by_sendto(fd, bytes, flags, there);
    there_by_sendmsg(fd, bytes, flags, there);
}

pub(super) fn there_by_sendto<A: Address>(fd: c_int, bytes: &[u8], flags: c_int, there: &A) {
    let (to, length) = ((&raw const *there).cast(), size_of::<A>() as libc::socklen_t);
    // SAFETY: the pointers are to `bytes.len()` bytes and to an address of `length` bytes, which sendto only reads.
    unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, to, length) };
}

pub(super) fn there_by_sendmsg<A: Address>(fd: c_int, bytes: &[u8], flags: c_int, there: &A) {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = empty_message();
    message.msg_name = (&raw const *there).cast_mut().cast();
    message.msg_namelen = size_of::<A>() as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: `message` names one part and an address, which live through the call, and sendmsg only reads all three.
    unsafe { libc::sendmsg(fd, &raw const message, flags) };
}

/// A message of no bytes, to nobody in particular, with no control data.
pub(super) fn empty_message() -> libc::msghdr {
    // SAFETY: a msghdr is plain numbers and pointers, for which all zeros is a value.
    unsafe { mem::zeroed() }
}

/// What may be sent to: a socket address of some family, in which every byte is set.
pub(super) trait Address {}

impl Address for libc::sockaddr_in {}
impl Address for libc::sockaddr_in6 {}
impl Address for libc::sockaddr_un {}
impl Address for libc::sockaddr_nl {}
impl Address for libc::sockaddr_ll {}

/// A control message: its header, and behind it what it carries.
#[repr(C)]
pub(super) struct Control<T> {
    pub(super) header: libc::cmsghdr,
    pub(super) carries: T,
}

impl<T> Control<T> {
    pub(super) fn new(level: c_int, kind: c_int, carries: T) -> Control<T> {
        // SAFETY: a cmsghdr is plain numbers, for which all zeros is a value.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        // SAFETY: CMSG_LEN is a sum of two numbers.
        header.cmsg_len = unsafe { libc::CMSG_LEN(size_of::<T>() as u32) } as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        Control { header, carries }
    }
}

/// Sends one byte with this control message along.
pub(super) fn sendmsg_with<T>(fd: c_int, control: &mut Control<T>) -> isize {
    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_controllen = size_of::<Control<T>>() as _;
    message.msg_control = (&raw mut *control).cast();
    // SAFETY: `message` names one part and one control message, which live through the call, and sendmsg only reads them.
    unsafe { libc::sendmsg(fd, &raw const message, libc::MSG_NOSIGNAL) }
}

/// An open file that is no socket; with O_PATH, a mere name of it.
pub(super) fn file(flags: c_int) -> Result<c_int, Stop> {
    // SAFETY: the path ends in a zero byte, and open only reads it.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), flags | libc::O_CLOEXEC) };
    if fd == -1 { Err(Stop::failed("open")) } else { Ok(fd) }
}

/// A fresh socket, with the ordinary protocol of its kind.
pub(super) fn fresh(family: c_int, kind: c_int) -> Result<c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 { Err(Stop::failed("socket")) } else { Ok(fd) }
}

/// Two sockets of the family AF_UNIX that are connected to each other.
pub(super) fn unix_pair(kind: c_int) -> Result<(c_int, c_int), Stop> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }
    let [one, other] = pair;
    Ok((one, other))
}

/// An address of IPv4.
pub(super) fn ipv4(numbers: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(numbers) },
        sin_zero: [0; 8],
    }
}

/// An address of IPv6.
pub(super) fn ipv6(address: std::net::Ipv6Addr, port: u16) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: address.octets() },
        sin6_scope_id: 0,
    }
}

pub(super) fn bind<A: Address>(fd: c_int, address: &A) -> Result<(), Stop> {
    // SAFETY: `address` is a socket address of so many bytes, and bind only reads it.
    match unsafe { libc::bind(fd, (&raw const *address).cast(), size_of::<A>() as libc::socklen_t) } {
        -1 => Err(Stop::failed("bind")),
        _ => Ok(()),
    }
}

pub(super) fn connect<A: Address>(fd: c_int, address: &A) -> Result<(), Stop> {
    // SAFETY: `address` is a socket address of so many bytes, and connect only reads it.
    match unsafe { libc::connect(fd, (&raw const *address).cast(), size_of::<A>() as libc::socklen_t) } {
        -1 => Err(Stop::failed("connect")),
        _ => Ok(()),
    }
}

/// The address of IPv4 to which a socket is bound.
pub(super) fn own_address(fd: c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = ipv4([0; 4], 0);
    let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    Ok(address)
}

pub(super) fn close(fd: c_int) -> Result<(), Stop> {
    // SAFETY: the experiments close only their own descriptors, and do not use them afterwards.
    if unsafe { libc::close(fd) } == -1 { Err(Stop::failed("close")) } else { Ok(()) }
}

/// Waits until the kernel has bad news for this socket, such as an error that the next call will report. (poll tells of
/// that without being asked, and leaves it where it is.)
pub(super) fn await_bad_news(fd: c_int) -> Result<(), Stop> {
    let mut question = libc::pollfd { fd, events: 0, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    match unsafe { libc::poll(&raw mut question, 1, 5000) } {
        -1 => Err(Stop::failed("poll")),
        0 => Err(Stop::unexpected("after 5 seconds the kernel had no bad news for the socket")),
        _ => Ok(()),
    }
}
