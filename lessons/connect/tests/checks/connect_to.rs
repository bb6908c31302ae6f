//! `connect/connect-to`

use std::net::SocketAddrV4;

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use observer::Address;
use serde::{Deserialize, Serialize};

use super::company::{self, End, Silence};
use super::{Page, guest, name_of, peer_of, server};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("connect/connect-to", "is_connected_there", call, is_connected_there)
        .check("connect/connect-to", "refused_is_reported_and_closed", call, refused_is_reported_and_closed)
        .check("connect/connect-to", "interrupted_connect_completes", call, interrupted_connect_completes)
        .check("connect/connect-to", "one_attempt_one_connection", call, one_attempt_one_connection)
        .check("connect/connect-to", "no_bind", call, no_bind)
        .check("connect/connect-to", "tries_once", call, tries_once);
}

/// What came of a call: the socket's own address and its peer's, as far as it has them, or the errno.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<(Option<SocketAddrV4>, Option<SocketAddrV4>), i32>,
}

fn call(page: &Page, stage: &mut Stage, address: SocketAddrV4) -> Answer {
    let said = company::visible(stage, |stage| {
        match stage.call(format!("connect_to({address})"), || (page.connect_to)(address)) {
            // The peer first: what is not connected yet may be so a moment later.
            Ok(socket) => {
                let peer = peer_of(socket);
                Ok((peers::name_of(socket).ok(), peer))
            }
            Err(errno) => Err(*errno as i32),
        }
    });
    Answer { said }
}

/// The last line that had to do with the attempt.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["connect", "poll", "getsockopt", "close"]).last().map(|call| call.index)
}

/// Leaves it to `is_connected_there`, if the function did not even ask for this address.
fn asked_for(run: &Run<Answer>, address: SocketAddrV4) -> Result<(), Fault> {
    match run.calls("connect").first().map(|connect| connect.address()) {
        Some(Some(asked)) if *asked == inet(address) => Ok(()),
        _ => Err(Fault::waits("is_connected_there", "it did not connect to the address that it was given")),
    }
}

fn inet(address: SocketAddrV4) -> Address {
    Address::Inet { ip: *address.ip(), port: address.port() }
}

fn is_connected_there(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (server, address) = server()?;
    let run = bench.play(address)?;
    let connect = run.calls("connect").into_iter().next();
    let at = connect.map(|connect| connect.index);
    let asked = connect.and_then(|connect| connect.address().cloned());
    let what = match (&run.answer()?.said, asked) {
        (_, Some(Address::Inet { port, .. })) if port != address.port() && port.swap_bytes() == address.port() => {
            format!("you asked for port {port}: the same two bytes the other way round")
        }
        (_, Some(Address::Inet { ip, port })) if inet(address) != (Address::Inet { ip, port }) => {
            format!("you asked for {ip}:{port}")
        }
        (Ok((own, Some(peer))), _) if *peer == address => match guest(&server)? {
            Some((_, client)) if Some(client) == *own => return Ok(()),
            Some((_, client)) => format!("its client was {client}, which is not the socket that you returned"),
            None => "nobody was in its queue".to_string(),
        },
        (Ok((_, Some(peer))), _) => format!("you are connected to {peer}"),
        (Ok((_, None)), _) => "you returned a socket that is not connected".to_string(),
        (Err(_), _) => format!("you returned {}", run.returned()),
    };
    Err(run.reject().with("want", address).with("what", what).at_any(at).into())
}

fn refused_is_reported_and_closed(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address)?;
    let refused = matches!(run.answer()?.said, Err(libc::ECONNREFUSED));
    let open = run.left_open()?;
    if refused && open.is_empty() {
        return Ok(());
    }
    asked_for(&run, address)?;
    let left = match open.first() {
        Some((fd, _)) => format!("descriptor {fd} open"),
        None => "nothing open".to_string(),
    };
    Err(run.reject().with("got", run.returned()).with("left", left).at_any(last_line(&run)).into())
}

/// Plays with a silent server, two signals, and then this end. A run in which connect was not interrupted tells nothing.
fn interrupted(bench: &Bench<SocketAddrV4, Answer>, end: End) -> Result<Run<Answer>, Fault> {
    let silence = Silence::new()?;
    let address = silence.address;
    let run = company::play(bench.setting()?, address, |child| company::interrupt_twice(child, silence, end))?;
    asked_for(&run, address)?;
    let interruption =
        run.calls("connect").into_iter().find(|connect| matches!(connect.errno(), Some("EINTR" | "ERESTARTSYS")));
    match interruption {
        Some(_) => Ok(run),
        None => Err(Fault::waits("is_connected_there", "it did not wait in connect")),
    }
}

fn interrupted_connect_completes(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let run = interrupted(bench, End::Answer)?;
    let what = match run.answer()?.said {
        Ok((_, Some(_))) => None,
        Ok((_, None)) => Some("you returned a socket that was not connected yet".to_string()),
        Err(errno) => Some(format!("you returned Err({})", name_of(errno))),
    };
    if let Some(what) = what {
        return Err(run.reject().with("what", what).at_any(last_line(&run)).into());
    }
    if run.calls("socket").len() > 1 {
        return Err(Fault::waits("one_attempt_one_connection", "there are several attempts to watch"));
    }

    // What it hears of a refusal takes a second, since the client must knock again. First, without a signal, it takes none.
    takes_a_refusal(bench)?;
    let run = interrupted(bench, End::Close)?;
    let got = match run.answer()?.said {
        Err(libc::ECONNREFUSED) => return Ok(()),
        _ => run.returned(),
    };
    let what = format!("when the server stopped listening it ended with ECONNREFUSED; you returned {got}");
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}

/// Leaves a function that does not take a refusal as it should, even where no signal comes, to the checks that say so.
fn takes_a_refusal(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address)?;
    if run.calls("connect").len() > 1 {
        return Err(Fault::waits("tries_once", "it asks again when it is refused"));
    }
    match (&run.answer()?.said, run.left_open()?) {
        (Err(libc::ECONNREFUSED), []) => Ok(()),
        _ => Err(Fault::waits(
            "refused_is_reported_and_closed",
            "a refusal without a signal comes to no good end either",
        )),
    }
}

fn one_attempt_one_connection(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let run = interrupted(bench, End::Answer)?;
    let sockets = run.calls("socket");
    match sockets.len() {
        0 | 1 => run.answer().map(drop),
        n => Err(run.reject().with("n", n).at_any(sockets.last().map(|socket| socket.index)).into()),
    }
}

fn no_bind(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_server, address) = server()?;
    let run = bench.play(address)?;
    match run.calls("bind").first() {
        Some(bind) => Err(run.reject().with("line", bind.request()).at(bind.index).into()),
        None => run.answer().map(drop),
    }
}

fn tries_once(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address)?;
    let connects = run.calls("connect");
    match connects.len() {
        0 | 1 => run.answer().map(drop),
        n => Err(run.reject().with("n", n).at_any(connects.get(1).map(|connect| connect.index)).into()),
    }
}
