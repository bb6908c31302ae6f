//! The answer to the first packet is an ICMP message, a network's own error report. Nobody on this machine sends one of
//! these, so it is made here, in a network of the experiment's own, and says what a router would say.

use lab::Stop;

use super::begin;
use crate::{LENGTH, inet, silent_server};

/// A client that waits for an answer, and gets this ICMP message; and the address to which it connects.
fn answered_with(kind: u8, code: u8) -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    lab::private_network()?;
    let address = silent_server()?;
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    let overheard = lab::network::overhear()?;
    begin(client, address)?;
    overheard.answer_with_icmp(client, kind, code)?;
    println!("The answer has come: an ICMP message of type {kind}, code {code}.");
    Ok((client, address))
}

pub(super) fn port_unreachable() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 3)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn network_unreachable() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 0)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn filtered_on_the_way() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 13)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn protocol_unreachable() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 2)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn source_route_failed() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 5)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn host_unknown() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 7)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn host_isolated() -> Result<(), Stop> {
    let (client, address) = answered_with(3, 8)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

pub(super) fn parameter_problem() -> Result<(), Stop> {
    let (client, address) = answered_with(12, 0)?;
    // SAFETY: as above.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}
