//! What routers and the far machine say of an earlier datagram: ICMP errors. Here they are forged, since there is neither a
//! router nor a far machine: the lab sends what these would.

use lab::{Stop, network};

use super::means::FORMS;
use crate::{datagram_pair, say, set};

/// In each form: sends a datagram, has it answered with an ICMP error of this type and code, and sends again.
fn answered_with(kind: u8, code: u8) -> Result<(), Stop> {
    lab::private_network()?;
    for form in FORMS {
        let (sender, _receiver) = datagram_pair()?;
        set(sender, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?; // to hear even of what may yet pass by itself
        say(sender, b"hello")?;
        network::answer_with_icmp(sender, kind, code)?;
        form(sender, b"x", 0);
    }
    println!("Each hello was answered with a forged ICMP error: type {kind}, code {code}.");
    Ok(())
}

pub(super) fn source_route_failed() -> Result<(), Stop> {
    answered_with(3, 5)
}

pub(super) fn network_unreachable() -> Result<(), Stop> {
    answered_with(3, 0)
}

pub(super) fn filtered() -> Result<(), Stop> {
    answered_with(3, 13)
}

pub(super) fn host_unknown() -> Result<(), Stop> {
    answered_with(3, 7)
}

pub(super) fn source_isolated() -> Result<(), Stop> {
    answered_with(3, 8)
}

pub(super) fn protocol_unreachable() -> Result<(), Stop> {
    answered_with(3, 2)
}

pub(super) fn parameter_problem() -> Result<(), Stop> {
    answered_with(12, 0)
}
