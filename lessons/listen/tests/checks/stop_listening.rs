//! `listen/stop-listening`

use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

use super::{Page, listener};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("listen/stop-listening", "queued_clients_hear_it", call, queued_clients_hear_it)
        .check("listen/stop-listening", "empty_queue_returns_at_once", call, empty_queue_returns_at_once)
        .check("listen/stop-listening", "talkative_clients_hear_it_too", call, talkative_clients_hear_it_too)
        .check("listen/stop-listening", "listener_is_closed", call, listener_is_closed)
        .check("listen/stop-listening", "a_dead_client_does_not_stop_it", call, a_dead_client_does_not_stop_it);
}

/// A client in the queue.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Client {
    /// It says nothing.
    Silent,
    /// It has sent 10 kB.
    Talkative,
    /// It has gone, with a reset.
    Dead,
}

/// What a client heard, and how that ended: with the end of the stream, or an errno.
#[derive(Serialize, Deserialize)]
struct Heard {
    text: Vec<u8>,
    end: Result<(), i32>,
}

impl Heard {
    /// What was wrong with it; nothing if it was the goodbye and then the end of file.
    fn fault(&self) -> Option<String> {
        let errno = |errno: &i32| format!("{:?}", Errno::from_raw(*errno));
        match (self.text.as_slice(), &self.end) {
            (GOODBYE, Ok(())) => None,
            (GOODBYE, Err(libc::EAGAIN)) => Some("heard the goodbye and then nothing, not even the end of file".into()),
            (GOODBYE, Err(end)) => Some(format!("heard the goodbye and then {}", errno(end))),
            ([], Ok(())) => Some("heard the end of file and no goodbye".into()),
            ([], Err(libc::EAGAIN)) => Some("heard nothing at all".into()),
            ([], Err(end)) => Some(format!("got {} instead of your goodbye", errno(end))),
            (text, _) => Some(format!("heard {:?}", String::from_utf8_lossy(text))),
        }
    }
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// How many were told, or the errno.
    said: Result<usize, i32>,
    /// What those clients heard that lived to hear it.
    heard: Vec<Heard>,
    /// What a client got afterwards: nothing, or an errno.
    later: Result<(), i32>,
}

impl Answer {
    /// What is wrong with what the clients heard.
    fn fault(&self) -> Option<String> {
        self.heard
            .iter()
            .enumerate()
            .find_map(|(number, heard)| Some(format!("number {} {}", number + 1, heard.fault()?)))
    }
}

const GOODBYE: &[u8] = b"we close now";

/// How long the function may take. A second is what it was told, and this machine may be busy.
const DEADLINE: Duration = Duration::from_secs(3);

fn call(page: &Page, stage: &mut Stage, clients: Vec<Client>) -> Answer {
    let (server, address) = listener(8).expect("a listener");
    let mut alive = Vec::new();
    for client in clients {
        alive.extend(enter(address, client).expect("a client in the queue"));
    }
    stage.gives(&server);
    let number = server.into_raw_fd();
    let said = stage.call("stop_listening(listener, b\"we close now\")", || {
        // SAFETY: the number comes from an OwnedFd that gave it away two lines above.
        let server = unsafe { OwnedFd::from_raw_fd(number) };
        (page.stop_listening)(server, GOODBYE)
    });
    let said = said.map_err(|errno| errno as i32);
    let heard = alive.iter().map(hears).collect();
    let later = calls::connect_to(address).map(drop).map_err(|errno| errno as i32);
    Answer { said, heard, later }
}

/// A client that is connected and waits to be accepted; nobody, if it has gone again.
fn enter(address: SocketAddrV4, client: Client) -> Result<Option<OwnedFd>, Errno> {
    let socket = calls::connect_to(address)?;
    match client {
        Client::Silent => Ok(Some(socket)),
        Client::Talkative => {
            calls::send_all(&socket, &[b'x'; 10_000])?;
            Ok(Some(socket))
        }
        Client::Dead => {
            setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
            Ok(None)
        }
    }
}

/// What this client hears. It waits for two seconds at most.
fn hears(client: &OwnedFd) -> Heard {
    setsockopt(client, sockopt::ReceiveTimeout, &TimeVal::seconds(2)).expect("a timeout");
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match recv(client.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) => return Heard { text, end: Ok(()) },
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Heard { text, end: Err(errno as i32) },
        }
    }
}

fn play(bench: &Bench<Vec<Client>, Answer>, clients: &[Client]) -> Result<Run<Answer>, Fault> {
    bench.setting()?.deadline(DEADLINE).play(clients.to_vec())
}

/// The last line that had to do with the listener or a client.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["accept", "accept4", "sendto", "shutdown", "close"]).last().map(|call| call.index)
}

fn queued_clients_hear_it(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = play(bench, &[Client::Silent; 3])?;
    let answer = run.answer()?;
    let what = match (answer.fault(), answer.said) {
        (Some(what), _) => what,
        (None, Ok(3)) => return Ok(()),
        (None, Ok(_)) => format!("all of them heard it, and you returned {}", run.returned()),
        (None, Err(_)) => {
            if play(bench, &[])?.answer()?.said.is_err() {
                return Err(Fault::waits("empty_queue_returns_at_once", "the end of the queue was taken for an error"));
            }
            format!("all of them heard it, and you returned {}", run.returned())
        }
    };
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}

fn empty_queue_returns_at_once(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = play(bench, &[])?;
    match run.answer()?.said {
        Ok(0) => Ok(()),
        _ => Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into()),
    }
}

/// What goes wrong with three silent clients is told by `queued_clients_hear_it`.
fn works_plainly(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    match play(bench, &[Client::Silent; 3])?.answer()?.fault() {
        None => Ok(()),
        Some(_) => Err(Fault::waits("queued_clients_hear_it", "silent clients do not hear it either")),
    }
}

fn talkative_clients_hear_it_too(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = play(bench, &[Client::Talkative; 2])?;
    let Some(what) = run.answer()?.heard.iter().find_map(Heard::fault) else {
        return Ok(());
    };
    works_plainly(bench)?;
    Err(run.reject().with("what", format!("it {what}")).at_any(last_line(&run)).into())
}

fn listener_is_closed(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = play(bench, &[Client::Silent])?;
    let what = match run.answer()?.later {
        Err(libc::ECONNREFUSED) => return Ok(()),
        Ok(()) => "A client that came afterwards was let in".to_string(),
        Err(errno) => format!("A client that came afterwards got {:?}", Errno::from_raw(errno)),
    };
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}

fn a_dead_client_does_not_stop_it(bench: &Bench<Vec<Client>, Answer>) -> Result<(), Fault> {
    let run = play(bench, &[Client::Silent, Client::Dead, Client::Silent])?;
    let answer = run.answer()?;
    let what = match (answer.fault(), answer.said) {
        (None, Ok(2)) => return Ok(()),
        (Some(what), _) => {
            works_plainly(bench)?;
            format!("of the two others {what}")
        }
        (None, _) => {
            if play(bench, &[])?.answer()?.said.is_err() {
                return Err(Fault::waits("empty_queue_returns_at_once", "the end of the queue was taken for an error"));
            }
            format!("the two others heard it, and you returned {}", run.returned())
        }
    };
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}
