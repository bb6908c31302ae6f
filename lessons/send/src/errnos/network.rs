//! What lies beneath: routes, links, a packet filter, and the sockets that speak to them directly. Each of these has a
//! private network in which it may change all that.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lab::Stop;
use lab::network::{self, Hook, Route};
use libc::c_int;

use super::means::{FORMS, await_bad_news, bind, connect, fresh, ipv4, ipv6, send_by_each, send_there_by_both};
use crate::{connected, datagram_pair, say, set};

pub(super) fn destroyed() -> Result<(), Stop> {
    lab::private_network()?;
    for form in FORMS {
        let (client, _server) = connected()?;
        network::destroy(client)?;
        form(client, b"x", libc::MSG_NOSIGNAL);
    }
    Ok(())
}

pub(super) fn no_answer() -> Result<(), Stop> {
    lab::private_network()?;
    let connections = [connected()?, connected()?, connected()?];
    network::drop_all(Hook::Input)?; // From here on nothing arrives.
    for (client, _server) in connections {
        set(client, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 50)?; // in milliseconds
        say(client, b"hello")?;
    }
    for ((client, _server), form) in connections.into_iter().zip(FORMS) {
        await_bad_news(client)?;
        form(client, b"x", libc::MSG_NOSIGNAL);
    }
    Ok(())
}

/// A netlink address: the program with this port number, or with 0 the kernel.
fn netlink_port(number: u32) -> libc::sockaddr_nl {
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_pid = number;
    address
}

pub(super) fn no_such_netlink_port() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = fresh(libc::AF_NETLINK, libc::SOCK_RAW)?;
    send_there_by_both(fd, b"x", 0, &netlink_port(4242));
    Ok(())
}

/// An address for examples in books, at which there is no machine, and its network.
const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];
const ITS_NETWORK: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0));

pub(super) fn prohibited() -> Result<(), Stop> {
    send_by_this_route(Route::Prohibit)
}

/// Sends a datagram where such a route leads.
fn send_by_this_route(route: Route) -> Result<(), Stop> {
    lab::private_network()?;
    network::add_route(ITS_NETWORK, 24, route)?;
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv4(ELSEWHERE, 9));
    Ok(())
}

pub(super) fn packet_filter() -> Result<(), Stop> {
    lab::private_network()?;
    let (sender, _receiver) = datagram_pair()?;
    network::drop_all(Hook::Output)?;
    send_by_each(sender, b"x", 0);
    Ok(())
}

pub(super) fn netlink_to_a_program() -> Result<(), Stop> {
    lab::become_nobody()?;
    let fd = fresh(libc::AF_NETLINK, libc::SOCK_RAW)?;
    send_there_by_both(fd, b"x", 0, &netlink_port(4711));
    Ok(())
}

pub(super) fn blackhole() -> Result<(), Stop> {
    send_by_this_route(Route::Blackhole)
}

pub(super) fn no_room_for_a_header() -> Result<(), Stop> {
    lab::private_network()?;
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_UDP) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    set(fd, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
    connect(fd, &ipv4([127, 0, 0, 1], 0))?; // A raw socket has no ports.
    send_by_each(fd, b"hello", 0);
    Ok(())
}

pub(super) fn too_large_for_the_way() -> Result<(), Stop> {
    lab::private_network()?;
    network::set_mtu("lo", 1500)?;
    let (sender, _receiver) = datagram_pair()?;
    set(sender, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    send_by_each(sender, &[b'x'; 2000], 0);
    Ok(())
}

/// The address of a packet socket: the link with this index.
fn link(index: c_int) -> libc::sockaddr_ll {
    // SAFETY: a sockaddr_ll is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_ifindex = index;
    address
}

/// `lo` has this index in every network: it is the first link there.
const LOOPBACK: c_int = 1;

pub(super) fn too_large_for_the_link() -> Result<(), Stop> {
    lab::private_network()?;
    network::set_mtu("lo", 1500)?;
    let fd = fresh(libc::AF_PACKET, libc::SOCK_RAW)?;
    send_there_by_both(fd, &[b'x'; 3000], 0, &link(LOOPBACK));
    Ok(())
}

pub(super) fn link_queue_drops_frame() -> Result<(), Stop> {
    lab::private_network()?;
    network::short_queue()?;
    let fd = fresh(libc::AF_PACKET, libc::SOCK_RAW)?;
    send_there_by_both(fd, &[b'x'; 1000], 0, &link(LOOPBACK));
    Ok(())
}

pub(super) fn link_queue_drops_datagram() -> Result<(), Stop> {
    lab::private_network()?;
    network::short_queue()?;
    let (sender, _receiver) = datagram_pair()?;
    set(sender, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
    send_by_each(sender, &[b'x'; 1000], 0);
    Ok(())
}

pub(super) fn no_route() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv4(ELSEWHERE, 9));
    Ok(())
}

pub(super) fn unreachable_route() -> Result<(), Stop> {
    send_by_this_route(Route::Unreachable)
}

pub(super) fn no_source_address() -> Result<(), Stop> {
    lab::private_network()?;
    network::delete_address("lo", Ipv6Addr::LOCALHOST.into(), 128)?;
    let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    network::add_route(elsewhere.into(), 128, Route::Through("lo"))?;
    let fd = fresh(libc::AF_INET6, libc::SOCK_DGRAM)?;
    send_there_by_both(fd, b"x", 0, &ipv6(elsewhere, 9));
    Ok(())
}

pub(super) fn link_has_gone() -> Result<(), Stop> {
    lab::private_network()?;
    network::add_pair("cable", "other-end", Ipv4Addr::from(ELSEWHERE), 24)?;
    let fd = fresh(libc::AF_INET, libc::SOCK_DGRAM)?;
    let name = c"cable".to_bytes_with_nul();
    let (from, size) = (name.as_ptr().cast(), name.len() as libc::socklen_t);
    // SAFETY: the pointer is to `size` bytes, which setsockopt only reads.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    network::delete_link("cable")?;
    send_there_by_both(fd, b"x", 0, &ipv4([127, 0, 0, 1], 9));
    Ok(())
}

pub(super) fn no_link_of_that_index() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = fresh(libc::AF_PACKET, libc::SOCK_RAW)?;
    send_there_by_both(fd, &[b'x'; 100], 0, &link(99_999));
    Ok(())
}

pub(super) fn no_link_given() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = fresh(libc::AF_PACKET, libc::SOCK_RAW)?;
    send_by_each(fd, &[b'x'; 100], 0);
    Ok(())
}

pub(super) fn link_down() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = fresh(libc::AF_PACKET, libc::SOCK_RAW)?;
    bind(fd, &link(LOOPBACK))?;
    network::loopback(false)?;
    send_by_each(fd, &[b'x'; 100], 0);
    Ok(())
}
