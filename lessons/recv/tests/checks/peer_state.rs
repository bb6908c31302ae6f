//! `recv/peer-state`

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use grader::{Bench, Fault, Run, Seen, Stage, Suite};
use lesson_recv::Peer;
use nix::errno::Errno;
use nix::poll::PollFlags;
use serde::{Deserialize, Serialize};

use super::{END, PATIENCE, Page, await_at, connection, finish, impatient, name, receives, reset, rest};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("recv/peer-state", "quiet", call, quiet)
        .check("recv/peer-state", "talking_keeps_the_data", call, talking_keeps_the_data)
        .check("recv/peer-state", "data_before_the_end", call, data_before_the_end)
        .check("recv/peer-state", "finished", call, finished)
        .check("recv/peer-state", "gone", call, gone)
        .check("recv/peer-state", "blocking_mode_unchanged", call, blocking_mode_unchanged);
}

/// What the peer has done.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Has {
    SaidNothing,
    Spoken,
    SpokenAndFinished,
    Finished,
    Reset,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The state's name, or the errno.
    said: Result<String, i32>,
    /// How much was left to be received afterwards.
    left: usize,
}

fn call(page: &Page, stage: &mut Stage, has: Has) -> Answer {
    let (_client, server) = scene(has).expect("a connection");
    let said = stage.call("peer_state(fd)", || State((page.peer_state)(server.as_fd())));
    let said = said.0.map(|state| format!("{state:?}")).map_err(|errno| errno as i32);
    Answer { said, left: rest(&server).len() }
}

fn scene(has: Has) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (client, server) = connection()?;
    impatient(&server)?;
    if let Has::Spoken | Has::SpokenAndFinished = has {
        calls::send_all(&client, b"hello")?;
        await_at(&server, PollFlags::POLLIN)?;
    }
    if let Has::SpokenAndFinished | Has::Finished = has {
        finish(&client)?;
        await_at(&server, END)?;
    }
    if let Has::Reset = has {
        reset(&client)?;
        await_at(&server, PollFlags::empty())?;
    }
    Ok((client, server))
}

fn told(said: &Result<String, i32>) -> String {
    match said {
        Ok(state) => state.clone(),
        Err(errno) => format!("Err({})", name(*errno)),
    }
}

/// The last thing that was asked of the socket.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    const ASKS: [&str; 7] = ["recvfrom", "recvmsg", "read", "poll", "ppoll", "getsockopt", "getpeername"];
    run.calls_of(&ASKS).last().map(|call| call.index)
}

/// A call that waited for as long as the grader lets it.
fn waited(run: &Run<Answer>) -> Option<Seen<'_>> {
    let long = |call: &Seen<'_>| run.trace().events[call.index].took_us >= PATIENCE.as_micros() as u64 * 3 / 4;
    receives(run).into_iter().find(|call| call.errno() == Some("EAGAIN") && !says_dontwait(call) && long(call))
}

fn says_dontwait(call: &Seen<'_>) -> bool {
    call.request().contains("MSG_DONTWAIT")
}

fn quiet(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    let run = bench.play(Has::SaidNothing)?;
    if let Some(call) = waited(&run) {
        let what = format!("you waited in {}, and only the grader made an end of it", call.request());
        return Err(run.reject().with("what", what).at(call.index).into());
    }
    match &run.answer()?.said {
        Ok(state) if state == "Quiet" => Ok(()),
        said => {
            let rejection = run.reject().with("what", format!("you said {}", told(said)));
            Err(rejection.at_any(last_line(&run)).into())
        }
    }
}

fn talking_keeps_the_data(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    let run = bench.play(Has::Spoken)?;
    let Answer { said, left } = run.answer()?;
    if said.as_deref() == Ok("Talking") && *left == 5 {
        return Ok(());
    }
    let left = match left {
        0 => "none of them is left".to_string(),
        1 => "one of them is left".to_string(),
        5 => "all of them are left".to_string(),
        left => format!("{left} of them are left"),
    };
    Err(run.reject().with("got", told(said)).with("left", left).at_any(last_line(&run)).into())
}

/// The state that this scene should have; rejects any other.
fn is(bench: &Bench<Has, Answer>, has: Has, want: &str) -> Result<(), Fault> {
    let run = bench.play(has)?;
    match &run.answer()?.said {
        Ok(state) if state == want => Ok(()),
        said => Err(run.reject().with("got", told(said)).at_any(last_line(&run)).into()),
    }
}

fn data_before_the_end(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    match is(bench, Has::SpokenAndFinished, "Talking") {
        Err(Fault::Rejected(rejection)) => match is(bench, Has::Spoken, "Talking") {
            Ok(()) => Err(rejection.into()),
            Err(_) => Err(Fault::waits("talking_keeps_the_data", "bytes that wait are not seen at all")),
        },
        other => other,
    }
}

fn finished(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    is(bench, Has::Finished, "Finished")
}

fn gone(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    is(bench, Has::Reset, "Gone")
}

fn blocking_mode_unchanged(bench: &Bench<Has, Answer>) -> Result<(), Fault> {
    let run = bench.play(Has::SaidNothing)?;
    let changes = run.calls_of(&["fcntl", "ioctl", "setsockopt"]);
    let sets = |call: &&Seen<'_>| {
        let request = call.request();
        call.name == "setsockopt" || request.contains("F_SETFL") || request.contains("FIONBIO")
    };
    match changes.iter().find(sets) {
        Some(change) => Err(run.reject().with("line", change.request()).at(change.index).into()),
        None => run.answer().map(drop),
    }
}

/// A result, which hands no descriptor over.
struct State(Result<Peer, Errno>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl grader::Descriptors for State {
    fn descriptors(&self) -> Vec<i32> {
        Vec::new()
    }
}
