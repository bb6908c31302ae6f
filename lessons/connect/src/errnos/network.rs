//! The network says no, or the machine's own picture of it does: routes, interfaces, a packet filter, names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lab::Stop;
use lab::network::{self, Hook, Route};

use super::set;
use crate::{LENGTH, LENGTH_6, bound, inet, inet6, ipv4, ipv6_loopback, own_address, server, two_ports_for_clients};

pub(super) fn filtered() -> Result<(), Stop> {
    lab::private_network()?;
    let (_, address) = server(5)?;
    network::drop_all(Hook::Output)?;
    let client = inet(libc::SOCK_STREAM)?;
    set::<libc::c_uint>(client, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 50)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// An address from a block that is kept for examples in books, so nobody has it.
const STRANGER: [u8; 4] = [192, 0, 2, 1];

pub(super) fn no_route() -> Result<(), Stop> {
    lab::private_network()?;
    let address = ipv4(STRANGER, 80);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn loopback_down() -> Result<(), Stop> {
    lab::private_network()?;
    network::loopback(false)?;
    let address = ipv4([127, 0, 0, 1], 80);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn tcp_to_all() -> Result<(), Stop> {
    let address = ipv4([127, 255, 255, 255], 9);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn unreachable_route() -> Result<(), Stop> {
    to_the_stranger_by(Route::Unreachable)
}

/// In a network of its own, connects to the stranger, to whom this route leads.
fn to_the_stranger_by(route: Route) -> Result<(), Stop> {
    lab::private_network()?;
    network::add_route(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)), 24, route)?;
    let address = ipv4(STRANGER, 80);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn no_neighbour() -> Result<(), Stop> {
    lab::private_network()?;
    network::add_pair("cable", "far-end", Ipv4Addr::new(192, 0, 2, 2), 24)?;
    let address = ipv4(STRANGER, 80);
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn prohibit_route() -> Result<(), Stop> {
    to_the_stranger_by(Route::Prohibit)
}

pub(super) fn blackhole_route() -> Result<(), Stop> {
    to_the_stranger_by(Route::Blackhole)
}

pub(super) fn interface_gone() -> Result<(), Stop> {
    lab::private_network()?;
    network::add_pair("cable", "far-end", Ipv4Addr::new(192, 0, 2, 2), 24)?;
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    set(client, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, *b"cable")?;
    network::delete_link("cable")?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn no_port_left() -> Result<(), Stop> {
    lab::private_network()?;
    let (_, address) = server(5)?;
    two_ports_for_clients()?;
    for _ in 1..=3 {
        let client = inet(libc::SOCK_STREAM)?;
        // SAFETY: as above.
        unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    }
    Ok(())
}

pub(super) fn no_port_left_for_udp() -> Result<(), Stop> {
    lab::private_network()?;
    let (_, address) = bound(libc::SOCK_DGRAM)?;
    two_ports_for_clients()?;
    for _ in 1..=3 {
        let client = inet(libc::SOCK_DGRAM)?;
        // SAFETY: as above.
        unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    }
    Ok(())
}

pub(super) fn pair_taken() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let mut own = ipv4([127, 0, 0, 1], 0);
    let mut clients = Vec::new();
    for _ in 1..=2 {
        let client = inet(libc::SOCK_STREAM)?;
        set::<libc::c_int>(client, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        // SAFETY: `own` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
        if unsafe { libc::bind(client, (&raw const own).cast(), LENGTH) } == -1 {
            return Err(Stop::failed("bind"));
        }
        // The second one is bound to the port that the first one got.
        own = own_address(client)?;
        clients.push(client);
    }
    for client in clients {
        // SAFETY: as above.
        unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    }
    Ok(())
}

pub(super) fn no_own_address() -> Result<(), Stop> {
    lab::private_network()?;
    let client = inet6()?;
    network::delete_address("lo", IpAddr::V6(Ipv6Addr::LOCALHOST), 128)?;
    // A block that is kept for examples in books.
    let examples = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    network::add_route(IpAddr::V6(examples), 32, Route::Through("lo"))?;
    let mut address = ipv6_loopback(80);
    address.sin6_addr.s6_addr = examples.octets();
    address.sin6_addr.s6_addr[15] = 1;
    // SAFETY: `address` is a sockaddr_in6, LENGTH_6 bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH_6) };
    Ok(())
}
