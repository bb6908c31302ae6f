//! UDP: nobody to send to, an address that cannot be, too much for one datagram.

use std::fs;
use std::net::Ipv6Addr;

use lab::{Lack, Stop};
use libc::c_int;

use super::means::{
    Control, FORMS, await_bad_news, bind, connect, empty_message, fresh, ipv4, ipv6, own_address, send_by_each,
    send_there_by_both, sendmsg_with,
};
use crate::{datagram_pair, say, set};

pub(super) fn nobody_given() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_by_each(fd, b"x", 0);
    Ok(())
}

pub(super) fn no_port_left() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.ipv4.ip_local_port_range", "40000 40001")?;
    for _ in 0..2 {
        bind(fresh(libc::AF_INET, libc::SOCK_DGRAM)?, &ipv4([127, 0, 0, 1], 0))?;
    }
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv4([127, 0, 0, 1], 9));
    Ok(())
}

pub(super) fn udp_port_closed() -> Result<(), Stop> {
    let (sender, receiver) = datagram_pair()?;
    // Connected to itself the receiver hears nobody else: to others its port is as good as closed. (Were it really closed,
    // another program could get the port meanwhile.)
    connect(receiver, &own_address(receiver)?)?;
    for form in FORMS {
        say(sender, b"hello")?;
        await_bad_news(sender)?;
        form(sender, b"x", 0);
    }
    Ok(())
}

/// An address that means all machines of the network 127.0.0.0/8, which are this one.
const BROADCAST: [u8; 4] = [127, 255, 255, 255];

pub(super) fn broadcast() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv4(BROADCAST, 9));
    Ok(())
}

pub(super) fn broadcast_taken_back() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    set(fd, libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
    connect(fd, &ipv4(BROADCAST, 9))?;
    set(fd, libc::SOL_SOCKET, libc::SO_BROADCAST, 0)?;
    set(fd, libc::IPPROTO_IP, libc::IP_TOS, 8)?; // With another type of service the route is looked up again.
    send_by_each(fd, b"x", 0);
    Ok(())
}

pub(super) fn address_too_short() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    let there = ipv4([127, 0, 0, 1], 9);
    let to = &raw const there;
    // SAFETY: the pointers are to one byte and to an address of more than five, which sendto only reads.
    unsafe { libc::sendto(fd, b"x".as_ptr().cast(), 1, 0, to.cast(), 5) };

    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_name = to.cast_mut().cast();
    message.msg_namelen = 5;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: as above; `message` names one part that lives through the call.
    unsafe { libc::sendmsg(fd, &raw const message, 0) };
    Ok(())
}

pub(super) fn port_0() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv4([127, 0, 0, 1], 0));
    Ok(())
}

pub(super) fn too_many_pieces() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    set(sender, libc::SOL_UDP, libc::UDP_SEGMENT, 1)?;
    send_by_each(sender, &[b'x'; 200], 0);
    Ok(())
}

pub(super) fn other_family() -> Result<(), Stop> {
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv6(Ipv6Addr::LOCALHOST, 9));
    Ok(())
}

pub(super) fn too_large_for_udp() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    send_by_each(sender, &[b'x'; 65508], 0);
    Ok(())
}

pub(super) fn too_many_buffers() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    let mut parts = [libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 }; 1025];
    let mut message = empty_message();
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    // SAFETY: `message` names so many parts, all of the same byte, which live through the call; sendmsg only reads them.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}

pub(super) fn fragments_do_not_fit() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 || bind(fd, &ipv6(Ipv6Addr::LOCALHOST, 0)).is_err() {
        return Err(Stop::cannot(Lack::Ipv6, "no socket could be bound to ::1"));
    }
    set(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU, 1280)?; // the smallest that there may be
    set(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, 1)?; // The kernel gives the least that it allows.
    connect(fd, &ipv6(Ipv6Addr::LOCALHOST, 9))?;
    send_by_each(fd, &[b'x'; 60_000], 0);
    Ok(())
}

pub(super) fn too_much_control_data() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    let mut control = vec![0_u8; control_limit()? + 64];
    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() as _;
    // SAFETY: `message` names one part and so many bytes of control data, which live through the call and are only read.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}

/// How many bytes of control data this machine allows.
fn control_limit() -> Result<usize, Stop> {
    let file = "/proc/sys/net/core/optmem_max";
    let text = fs::read_to_string(file).map_err(|error| Stop::unexpected(format!("{file} cannot be read: {error}")))?;
    text.trim().parse().map_err(|_| Stop::unexpected(format!("{file} holds no number: {text:?}")))
}

pub(super) fn no_urgent_datagrams() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    send_by_each(sender, b"x", libc::MSG_OOB);
    Ok(())
}

pub(super) fn no_such_link() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    let nowhere = libc::in_addr { s_addr: 0 };
    let link = libc::in_pktinfo { ipi_ifindex: c_int::MAX, ipi_spec_dst: nowhere, ipi_addr: nowhere };
    sendmsg_with(sender, &mut Control::new(libc::IPPROTO_IP, libc::IP_PKTINFO, link));
    Ok(())
}

pub(super) fn udplite_in_segments() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, libc::IPPROTO_UDPLITE) };
    if fd == -1 {
        return Err(Stop::cannot(Lack::Kernel, "there is no UDP-Lite: socket(IPPROTO_UDPLITE) was refused"));
    }
    connect(fd, &ipv4([127, 0, 0, 1], 9))?;
    set(fd, libc::SOL_UDP, libc::UDP_SEGMENT, 500)?;
    send_by_each(fd, &[b'x'; 2000], 0);
    Ok(())
}

/// Sends that nothing is wrong with: the observer makes them fail.
pub(super) fn ordinary_datagram() -> Result<(), Stop> {
    let (_sender, receiver) = datagram_pair()?;
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &own_address(receiver)?);
    Ok(())
}
