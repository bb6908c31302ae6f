//! What an experiment may change in its private network: links, addresses, routes, a packet filter and a queue, as the
//! commands `ip`, `nft` and `tc` do it; sockets destroyed from outside, as `ss -K` does it; and forged ICMP errors.
//!
//! All of it is for the network that [`crate::private_network`] has made: without that call every function here refuses,
//! so none can ever touch the machine's own. All of it is kept out of the trace.
//!
//! # Errors
//! Every function here ends with
//! - [`Stop::Cannot`] and [`Lack::Namespaces`] where the kernel does not let this process change its own network,
//! - [`Stop::Cannot`] and [`Lack::Kernel`] where the kernel was built without what it takes,
//! - [`Stop::Cannot`] and [`Lack::Ipv6`] where it is about an IPv6 address, and IPv6 is switched off,
//! - [`Stop::Failed`] with another errno, such as ENODEV for a link that is not there,
//! - [`Stop::Unexpected`] where [`crate::private_network`] was not called.

mod destroy;
mod icmp;
mod netlink;

pub use destroy::destroy;
pub use icmp::{Overheard, answer_with_icmp, overhear};

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink::{CHANGE, CREATE, Message, attribute, nest, text};

use crate::stage;
use crate::{Lack, Stop};

/// Sets the interface `lo` up or down; a new private network's is up. Down, it is as if it had never been up: 127.0.0.1
/// and ::1 are gone, and the routes to them too. (Up, they are back.)
pub fn loopback(up: bool) -> Result<(), Stop> {
    change(|| {
        set_up("lo", up)?;
        if up {
            return Ok(());
        }
        // An IPv4 address and its route stay on a link that is down: the kernel would still send to it.
        match delete("lo", Ipv4Addr::LOCALHOST.into(), 8) {
            Err(Stop::Failed { errno: libc::EADDRNOTAVAIL, .. }) => Ok(()), // It was down already.
            deleted => deleted,
        }
    })
}

/// Gives a link this MTU: how many bytes a packet on it may have. (An IPv6 network needs 1280 at least: below that the
/// kernel switches IPv6 off on the link.)
pub fn set_mtu(link: &str, bytes: u32) -> Result<(), Stop> {
    change(|| {
        let attributes = [text(libc::IFLA_IFNAME, link), attribute(libc::IFLA_MTU, &bytes.to_ne_bytes())];
        ask_route("setting a link's MTU", Message::new(libc::RTM_SETLINK, CHANGE, &link_body(0, 0), &attributes))
    })
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Nowhere: "unreachable", says the kernel.
    Unreachable,
    /// Nowhere: "forbidden", says the kernel.
    Prohibit,
    /// Nowhere, without a word.
    Blackhole,
    /// To whoever is at the other end of the link with this name.
    Through(&'static str),
}

/// Adds a route to the addresses whose first `prefix` bits are those of `to`.
pub fn add_route(to: IpAddr, prefix: u8, route: Route) -> Result<(), Stop> {
    change(|| {
        let (kind, scope, link) = match route {
            Route::Unreachable => (libc::RTN_UNREACHABLE, libc::RT_SCOPE_UNIVERSE, None),
            Route::Prohibit => (libc::RTN_PROHIBIT, libc::RT_SCOPE_UNIVERSE, None),
            Route::Blackhole => (libc::RTN_BLACKHOLE, libc::RT_SCOPE_UNIVERSE, None),
            Route::Through(link) => (libc::RTN_UNICAST, libc::RT_SCOPE_LINK, Some(index(link)?)),
        };
        let (family, address) = address_bytes(to);
        let table = libc::RT_TABLE_MAIN;
        // A rtmsg: the family, the prefix of the target and of the source, a type of service, and what the names say.
        let body = [family, prefix, 0, 0, table, libc::RTPROT_BOOT, scope, kind, 0, 0, 0, 0];
        let mut attributes = vec![attribute(libc::RTA_DST, &address)];
        if let Some(link) = link {
            attributes.push(attribute(libc::RTA_OIF, &link.to_ne_bytes()));
        }
        let request = Message::new(libc::RTM_NEWROUTE, CREATE, &body, &attributes);
        ask_route_about(to, "adding a route", request)
    })
}

/// Adds a virtual cable, a veth pair: `name` at its one end, with this address, and `other` at its other end. Both are up.
/// The other end has no address, so nobody answers there; the kernel asks for a neighbour three times, 30 milliseconds
/// apart, and gives up. (A UDP socket hears of it with IP_RECVERR only.)
pub fn add_pair(name: &str, other: &str, address: Ipv4Addr, prefix: u8) -> Result<(), Stop> {
    change(|| {
        let peer = [&link_body(0, 0)[..], &text(libc::IFLA_IFNAME, other)].concat();
        let kind = text(libc::IFLA_INFO_KIND, "veth");
        let data = nest(libc::IFLA_INFO_DATA, &[attribute(VETH_INFO_PEER, &peer)]);
        let attributes = [text(libc::IFLA_IFNAME, name), nest(libc::IFLA_LINKINFO, &[kind, data])];
        let request = Message::new(libc::RTM_NEWLINK, CREATE, &link_body(0, 0), &attributes);
        ask_route("adding a veth pair", request)?;

        let link = index(name)?;
        let body = address_body(libc::AF_INET as u8, prefix, link);
        let address = address.octets();
        let attributes = [attribute(libc::IFA_LOCAL, &address), attribute(libc::IFA_ADDRESS, &address)];
        ask_route("adding an address", Message::new(libc::RTM_NEWADDR, CREATE, &body, &attributes))?;
        ask_neighbours_quickly(link)?;
        set_up(name, true)?;
        set_up(other, true)
    })
}

/// Deletes a link; of a veth pair the other end goes too.
pub fn delete_link(name: &str) -> Result<(), Stop> {
    change(|| {
        let attributes = [text(libc::IFLA_IFNAME, name)];
        ask_route("deleting a link", Message::new(libc::RTM_DELLINK, CHANGE, &link_body(0, 0), &attributes))
    })
}

/// Takes an address away from a link.
pub fn delete_address(link: &str, address: IpAddr, prefix: u8) -> Result<(), Stop> {
    change(|| delete(link, address, prefix))
}

/// Where a packet filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before what comes in reaches a socket: what is dropped here looks to its sender like sent and lost.
    Input,
    /// Before what a socket sends leaves: its sender may be told.
    Output,
}

/// Adds a packet filter (nf_tables) that drops everything at this hook, IPv4 and IPv6, on every link, `lo` too.
pub fn drop_all(hook: Hook) -> Result<(), Stop> {
    change(|| {
        let (chain, number) = match hook {
            Hook::Input => ("input", libc::NF_INET_LOCAL_IN),
            Hook::Output => ("output", libc::NF_INET_LOCAL_OUT),
        };
        // Numbers in what follows are in network byte order.
        let hook = [
            attribute(NFTA_HOOK_HOOKNUM, &(number as u32).to_be_bytes()),
            attribute(NFTA_HOOK_PRIORITY, &0_i32.to_be_bytes()),
        ];
        let table = [text(NFTA_TABLE_NAME, "lab")];
        let chain = [
            text(NFTA_CHAIN_TABLE, "lab"),
            text(NFTA_CHAIN_NAME, chain),
            nest(NFTA_CHAIN_HOOK, &hook),
            attribute(NFTA_CHAIN_POLICY, &(libc::NF_DROP as u32).to_be_bytes()),
            text(NFTA_CHAIN_TYPE, "filter"),
        ];
        let make = CHANGE | libc::NLM_F_CREATE as u16;
        let request = libc::NLM_F_REQUEST as u16;
        // A nfgenmsg: the family, a version, and a number that only a batch's ends need: whose batch it is.
        let [high, low] = (libc::NFNL_SUBSYS_NFTABLES as u16).to_be_bytes();
        let (end, body) = ([0, 0, high, low], [libc::NFPROTO_INET as u8, 0, 0, 0]);
        let kind = |message: libc::c_int| (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
        let batch = [
            Message::new(libc::NFNL_MSG_BATCH_BEGIN as u16, request, &end, &[]),
            Message::new(kind(libc::NFT_MSG_NEWTABLE), make, &body, &table),
            Message::new(kind(libc::NFT_MSG_NEWCHAIN), make, &body, &chain),
            Message::new(libc::NFNL_MSG_BATCH_END as u16, request, &end, &[]),
        ];
        netlink::ask(libc::NETLINK_NETFILTER, &batch).map_err(|error| refused("adding a packet filter", &error))
    })
}

/// Puts a queue before `lo` that has room for 500 bytes, and so for no packet of a thousand.
pub fn short_queue() -> Result<(), Stop> {
    change(|| {
        // A tcmsg: no family, the link, no handle, the parent (the link itself), no further info.
        let body = [0, index("lo")?, 0, TC_H_ROOT, 0].map(u32::to_ne_bytes).concat();
        let attributes = [text(libc::TCA_KIND, "bfifo"), attribute(libc::TCA_OPTIONS, &500_u32.to_ne_bytes())];
        let request = Message::new(libc::RTM_NEWQDISC, CREATE, &body, &attributes);
        netlink::ask(libc::NETLINK_ROUTE, &[request]).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => Stop::cannot(Lack::Kernel, format!("adding a queue was refused: {error}")),
            _ => refused("adding a queue", &error),
        })
    })
}

/// Runs what changes the network: in a private one only, and unwatched.
fn change<T>(what: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    stage::unwatched(|| {
        stage::in_private_network()?;
        what()
    })
}

/// A link is up, or down.
fn set_up(link: &str, up: bool) -> Result<(), Stop> {
    let flag = libc::IFF_UP as u32;
    let body = link_body(if up { flag } else { 0 }, flag);
    ask_route(
        "setting a link up or down",
        Message::new(libc::RTM_SETLINK, CHANGE, &body, &[text(libc::IFLA_IFNAME, link)]),
    )
}

fn delete(link: &str, address: IpAddr, prefix: u8) -> Result<(), Stop> {
    let (family, bytes) = address_bytes(address);
    let body = address_body(family, prefix, index(link)?);
    let attributes = [attribute(libc::IFA_LOCAL, &bytes), attribute(libc::IFA_ADDRESS, &bytes)];
    ask_route_about(address, "deleting an address", Message::new(libc::RTM_DELADDR, CHANGE, &body, &attributes))
}

/// On this link the kernel waits 30 milliseconds for a neighbour's answer, instead of a second.
fn ask_neighbours_quickly(link: u32) -> Result<(), Stop> {
    let parameters =
        [attribute(NDTPA_IFINDEX, &link.to_ne_bytes()), attribute(NDTPA_RETRANS_TIME, &30_u64.to_ne_bytes())];
    let attributes = [text(NDTA_NAME, "arp_cache"), nest(NDTA_PARMS, &parameters)];
    let body = [libc::AF_INET as u8, 0, 0, 0];
    ask_route("setting a link's patience", Message::new(libc::RTM_SETNEIGHTBL, CHANGE, &body, &attributes))
}

/// An ifinfomsg: no family, no type, no index (an attribute tells the name), these flags, of which `change` count.
fn link_body(flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..].copy_from_slice(&change.to_ne_bytes());
    body
}

/// An ifaddrmsg: the family, the prefix, no flags, an address for everywhere, the link.
fn address_body(family: u8, prefix: u8, link: u32) -> [u8; 8] {
    let [a, b, c, d] = link.to_ne_bytes();
    [family, prefix, 0, libc::RT_SCOPE_UNIVERSE, a, b, c, d]
}

/// An address's family and bytes.
fn address_bytes(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (libc::AF_INET as u8, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6 as u8, address.octets().to_vec()),
    }
}

/// A link's number.
fn index(link: &str) -> Result<u32, Stop> {
    let name = CString::new(link).map_err(|_| Stop::unexpected(format!("{link:?} is no name of a link")))?;
    // SAFETY: the name ends in a zero byte, and if_nametoindex only reads it.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Stop::failed(&format!("finding the link {link}"))),
        index => Ok(index),
    }
}

/// Asks the part of the kernel that keeps links, addresses and routes.
fn ask_route(what: &str, request: Message) -> Result<(), Stop> {
    netlink::ask(libc::NETLINK_ROUTE, &[request]).map_err(|error| refused(what, &error))
}

/// The same about an address: where IPv6 is switched off, the kernel refuses in several words.
fn ask_route_about(address: IpAddr, what: &str, request: Message) -> Result<(), Stop> {
    netlink::ask(libc::NETLINK_ROUTE, &[request]).map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EOPNOTSUPP | libc::EAFNOSUPPORT) if address.is_ipv6() => {
            Stop::cannot(Lack::Ipv6, format!("{what} was refused: {error}"))
        }
        _ => refused(what, &error),
    })
}

/// What it means that the kernel refused it.
fn refused(what: &str, error: &io::Error) -> Stop {
    let why = format!("{what} was refused: {error}");
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Stop::cannot(Lack::Namespaces, why),
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => Stop::cannot(Lack::Kernel, why),
        Some(errno) => Stop::Failed { call: what.to_string(), errno },
        None => Stop::unexpected(why),
    }
}

// Numbers that the crate libc does not have. From linux/veth.h:
const VETH_INFO_PEER: u16 = 1;
// From linux/neighbour.h:
const NDTA_NAME: u16 = 1;
const NDTA_PARMS: u16 = 6;
const NDTPA_IFINDEX: u16 = 1;
const NDTPA_RETRANS_TIME: u16 = 5;
// From linux/netfilter/nf_tables.h:
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
// From linux/pkt_sched.h:
const TC_H_ROOT: u32 = 0xFFFF_FFFF;
