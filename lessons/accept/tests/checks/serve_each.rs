//! `accept/serve-each`

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, recv, setsockopt, shutdown, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

use super::{Page, accepts, client, listener, reset};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("accept/serve-each", "every_client_gets_reply_then_eof", call, every_client_gets_reply_then_eof)
        .check("accept/serve-each", "in_the_order_they_came", call, in_the_order_they_came)
        .check("accept/serve-each", "a_vanished_client_costs_nothing", call, a_vanished_client_costs_nothing)
        .check("accept/serve-each", "counts_the_served", call, counts_the_served)
        .check("accept/serve-each", "at_most_one_open", call, at_most_one_open)
        .check("accept/serve-each", "stops_after_n", call, stops_after_n);
}

/// A client in the queue.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Client {
    /// It waits.
    Waits,
    /// It has gone, with a reset.
    Reset,
    /// It has said that it will send no more, and then it has gone with a reset.
    EndAndReset,
}

/// What a client heard, and how that ended: with the end of the stream, or an errno.
#[derive(Serialize, Deserialize)]
struct Heard {
    /// Its place in the queue, from 1.
    place: usize,
    text: Vec<u8>,
    end: Result<(), i32>,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// How many were served, or the errno.
    said: Result<usize, i32>,
    /// What those clients heard that lived to hear it, up to the first that did not hear what it should.
    heard: Vec<Heard>,
}

const REPLY: &[u8] = b"good morning";

/// All clients but the last one are for the function; the last one is one more than it was asked for.
fn call(page: &Page, stage: &mut Stage, clients: Vec<Client>) -> Answer {
    let (listener, address) = listener().expect("a listener");
    let mut alive = Vec::new();
    for (place, client) in clients.iter().enumerate() {
        alive.extend(enter(address, *client).expect("a client in the queue").map(|socket| (place + 1, socket)));
    }
    let _one_more = client(address).expect("one client more");
    let n = clients.len();
    let said = stage.call(format!("serve_each(listener, {n}, b\"good morning\")"), || {
        (page.serve_each)(listener.as_fd(), n, REPLY)
    });
    let mut heard = Vec::new();
    for (place, socket) in &alive {
        heard.push(hears(*place, socket));
        if heard.last().is_some_and(|heard| fault(heard).is_some()) {
            break; // That is enough, and to wait for each of the others takes its time.
        }
    }
    Answer { said: said.map_err(|errno| errno as i32), heard }
}

/// A client that is connected and waits to be accepted; nobody, if it has gone again.
fn enter(address: SocketAddrV4, kind: Client) -> std::io::Result<Option<OwnedFd>> {
    let (socket, own) = client(address)?;
    match kind {
        Client::Waits => return Ok(Some(socket)),
        Client::Reset => {}
        Client::EndAndReset => shutdown(socket.as_raw_fd(), Shutdown::Write)?,
    }
    reset((socket, own), address)?;
    Ok(None)
}

/// What this client hears. It was all sent before; a fifth of a second is for a machine that is busy.
fn hears(place: usize, client: &OwnedFd) -> Heard {
    setsockopt(client, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200)).expect("a timeout");
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match recv(client.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) => return Heard { place, text, end: Ok(()) },
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Heard { place, text, end: Err(errno as i32) },
        }
    }
}

/// What was wrong with it; nothing if it was the reply and then the end of file.
fn fault(heard: &Heard) -> Option<String> {
    match (heard.text.as_slice(), heard.end) {
        (REPLY, Ok(())) => None,
        (REPLY, Err(libc::EAGAIN)) => {
            Some("the reply but no end of file: its connection is still open in your process".to_string())
        }
        (REPLY, Err(errno)) => Some(format!("the reply, and then {:?}", Errno::from_raw(errno))),
        ([], Ok(())) => Some("the end of file and no reply".to_string()),
        ([], Err(libc::EAGAIN)) => Some("nothing at all".to_string()),
        ([], Err(errno)) => Some(format!("{:?} and no reply", Errno::from_raw(errno))),
        (text, _) => Some(format!("{:?}", String::from_utf8_lossy(text))),
    }
}

/// The last line that had to do with a client.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["accept", "accept4", "sendto", "write", "close"]).last().map(|call| call.index)
}

/// How many were accepted.
fn accepted(run: &Run<Answer>) -> usize {
    accepts(run).iter().filter(|accept| accept.succeeded()).count()
}

fn every_client_gets_reply_then_eof(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = bench.play(vec![Client::Waits; 3])?;
    let Some(heard) = run.answer()?.heard.iter().find(|heard| fault(heard).is_some()) else {
        return Ok(());
    };
    let mut what = fault(heard).unwrap_or_default();
    if heard.text == REPLY
        && heard.end == Err(libc::EAGAIN)
        && let Some(fd) = accepts(&run).get(heard.place - 1).and_then(|accept| accept.outcome.value)
    {
        what.push_str(&format!(" (descriptor {fd})"));
    }
    Err(run.reject().with("k", heard.place).with("what", what).at_any(last_line(&run)).into())
}

/// What goes wrong with three clients that wait is told by `every_client_gets_reply_then_eof`.
fn works_plainly(bench: &Bench<Vec<Client>, Answer>) -> Result<Run<Answer>, Fault> {
    let run = bench.play(vec![Client::Waits; 3])?;
    match run.answer()?.heard.iter().any(|heard| fault(heard).is_some()) {
        true => Err(Fault::waits("every_client_gets_reply_then_eof", "not every client gets what it should")),
        false => Ok(run),
    }
}

fn in_the_order_they_came(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = works_plainly(bench)?;
    // Sockets are numbered as they first appear, whatever descriptors name them.
    let came: Vec<u32> =
        accepts(&run).iter().filter(|accept| accept.succeeded()).filter_map(|accept| accept.socket).collect();
    let sent = run.calls_of(&["sendto", "write", "sendmsg"]);
    let mut served: Vec<(usize, usize)> = Vec::new(); // Places in the queue, each with the line of its first byte.
    for call in &sent {
        match came.iter().position(|socket| Some(*socket) == call.socket) {
            Some(place) if served.iter().all(|(before, _)| *before != place) => served.push((place, call.index)),
            _ => {}
        }
    }
    match served.iter().enumerate().find(|(turn, (place, _))| turn != place) {
        None => Ok(()),
        Some((turn, (place, line))) => Err(run.reject().with("k", place + 1).with("j", turn + 1).at(*line).into()),
    }
}

fn a_vanished_client_costs_nothing(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    for gone in [Client::Reset, Client::EndAndReset] {
        let run = bench.play(vec![Client::Waits, gone, Client::Waits, Client::Waits])?;
        let answer = run.answer()?;
        let what = match (answer.heard.iter().find(|heard| fault(heard).is_some()), answer.said) {
            (Some(heard), _) => format!("client {} got {}", heard.place, fault(heard).unwrap_or_default()),
            (None, Err(_)) => format!("you returned {}", run.returned()),
            (None, Ok(_)) => continue,
        };
        works_plainly(bench)?;
        return Err(run.reject().with("what", what).at_any(last_line(&run)).into());
    }
    Ok(())
}

/// Leaves a function that accepts too many to the check that says so.
fn stops(run: &Run<Answer>, n: usize) -> Result<(), Fault> {
    match accepted(run) > n {
        true => Err(Fault::waits("stops_after_n", "more clients were accepted than asked for")),
        false => Ok(()),
    }
}

fn counts_the_served(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let all = works_plainly(bench)?;
    let three_of_four = bench.play(vec![Client::Waits, Client::Reset, Client::Waits, Client::Waits])?;
    for (run, n, want) in [(all, 3, 3), (three_of_four, 4, 3)] {
        let answer = run.answer()?;
        if answer.said == Ok(want) {
            continue;
        }
        stops(&run, n)?;
        if n == 4 && (answer.said.is_err() || answer.heard.iter().any(|heard| fault(heard).is_some())) {
            return Err(Fault::waits("a_vanished_client_costs_nothing", "a client that has gone upsets it"));
        }
        let rejection = run.reject().with("want", want).with("got", run.returned());
        return Err(rejection.at_any(last_line(&run)).into());
    }
    Ok(())
}

fn at_most_one_open(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = bench.play(vec![Client::Waits; 3])?;
    let answer = run.answer()?;
    let mut open: Vec<i64> = Vec::new();
    let (mut most, mut at) = (0, None);
    for call in run.calls_of(&["accept", "accept4", "close"]) {
        if !call.succeeded() {
            continue;
        }
        match call.name.as_ref() {
            "close" => open.retain(|fd| Some(*fd) != call.int("fd")),
            _ => open.extend(call.outcome.value),
        }
        if open.len() > most {
            (most, at) = (open.len(), Some(call.index));
        }
    }
    if most <= 1 {
        return Ok(());
    }
    if answer.heard.iter().any(|heard| heard.end == Err(libc::EAGAIN)) {
        return Err(Fault::waits("every_client_gets_reply_then_eof", "connections are never closed"));
    }
    Err(run.reject().with("count", most).at_any(at).into())
}

fn stops_after_n(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    for (clients, n) in [(vec![Client::Waits; 2], 2), (vec![Client::Waits, Client::Reset, Client::Waits], 3)] {
        let run = bench.play(clients)?;
        run.answer()?;
        let got = accepted(&run);
        if got > n {
            let last = accepts(&run).last().map(|accept| accept.index);
            return Err(run.reject().with("n", n).with("got", got).at_any(last).into());
        }
    }
    Ok(())
}
