//! Which end of a conversation each socket plays, told from its own life and nothing else.

use std::collections::BTreeMap;

use observer::Trace;

use crate::End;

/// What a socket has been seen to do, from the weakest sign to the strongest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// It asked for an address: servers do, and a few clients.
    Binds,
    /// It reached out.
    Connects,
    /// It listens, or accept made it.
    Serves,
}

/// The end that each numbered socket of the trace plays: it connects, so it is a client; it is bound, listens or came
/// from accept, so it is a server; it does none of that, so it is neither.
pub(crate) fn ends(trace: &Trace) -> BTreeMap<u32, End> {
    let mut signs: BTreeMap<u32, Sign> = BTreeMap::new();
    for call in trace.events.iter().filter_map(|event| event.call()) {
        let sign = match call.name.as_ref() {
            "bind" => Sign::Binds,
            "connect" => Sign::Connects,
            "listen" | "accept" | "accept4" => Sign::Serves,
            _ => continue,
        };
        if let Some(socket) = call.socket {
            let strongest = signs.entry(socket).or_insert(sign);
            *strongest = sign.max(*strongest);
        }
    }
    signs
        .into_iter()
        .map(|(socket, sign)| (socket, if sign == Sign::Connects { End::Client } else { End::Server }))
        .collect()
}
