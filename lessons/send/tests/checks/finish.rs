//! `send/finish`

use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Bench, Fault, Run, Seen, Stage, Suite, again_if_busy};
use nix::errno::Errno;
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

use super::{Heard, Page, Peer, bytes, read_all, wait_for, waiting};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("send/finish", "peer_reads_everything", call, peer_reads_everything)
        .check("send/finish", "peer_sees_the_end_at_once", call, peer_sees_the_end_at_once)
        .check("send/finish", "late_talk_is_thrown_away", call, late_talk_is_thrown_away)
        .check("send/finish", "a_silent_peer_costs_patience_only", call, a_silent_peer_costs_patience_only)
        .check("send/finish", "closes_last", call, closes_last);
}

/// The connection that is to be finished.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    to: SocketAddrV4,
    /// How many bytes the peer has sent already. They stay unread.
    unread: usize,
    /// How many bytes are sent before.
    bytes: usize,
    patience_ms: u64,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<(), i32>,
    took_ms: u64,
    /// Whether the socket is closed.
    closed: bool,
    /// The socket's number.
    number: i32,
}

/// What is sent before.
const MUCH: usize = 200_000;
/// How long a peer waits for the end of the stream where it should come at once.
const SILENCE: i64 = 200;
/// The patience where it is to run out.
const SHORT: u64 = 150;
/// How late is too late.
const TOO_LATE: u64 = 150;
/// How much later is surely no fault of a busy machine.
const SURELY_LATE: u64 = 350;
/// When a peer that never ends ends after all: nobody is to wait for ever.
const LONGEST: Duration = Duration::from_millis(700);

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let socket = connected(&scene).expect("a connection to finish");
    stage.gives(&socket);
    let number = socket.into_raw_fd();
    let patience = Duration::from_millis(scene.patience_ms);
    let mut took = Duration::ZERO;
    let said = stage.call(format!("finish(sock, {patience:?})"), || {
        // SAFETY: the number comes from an OwnedFd that gave it away a few lines above.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let start = Instant::now();
        let said = (page.finish)(socket, patience);
        took = start.elapsed();
        said
    });
    // SAFETY: F_GETFD takes a number only, and asks about it.
    let closed = unsafe { libc::fcntl(number, libc::F_GETFD) } == -1;
    Answer { said: said.map_err(|errno| errno as i32), took_ms: took.as_millis() as u64, closed, number }
}

fn connected(scene: &Scene) -> Result<OwnedFd, Errno> {
    let socket = calls::connect_to(scene.to)?;
    setsockopt(&socket, sockopt::SndBuf, &(2 * MUCH))?;
    let there = || Ok(waiting(&socket)? >= scene.unread);
    wait_for("the peer's first bytes", there).map_err(|_| Errno::ETIMEDOUT)?;
    calls::send_all(&socket, &bytes(scene.bytes))?;
    Ok(socket)
}

/// What a slow reader heard, and the run (what the function returns is not asked for, so its patience may be short). The reader has said three bytes that nobody reads.
fn slow_reader(bench: &Bench<Scene, Answer>) -> Result<(Run<Answer>, Heard), Fault> {
    let peer = Peer::who(Some(16 * 1024), |socket| {
        calls::send_all(&socket, b"bye")?;
        thread::sleep(Duration::from_millis(20)); // It is slow.
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(SILENCE))?;
        read_all(&socket, 8 * 1024, 2 * MUCH, |_| thread::sleep(Duration::from_millis(1)))
    })?;
    let run = bench.play(Scene { to: peer.address, unread: 3, bytes: MUCH, patience_ms: 400 })?;
    Ok((run, peer.tells()?))
}

/// The last line that had to do with the end of the connection.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["shutdown", "recvfrom", "read", "close"]).last().map(|call| call.index)
}

fn peer_reads_everything(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, heard) = slow_reader(bench)?;
    if heard.bytes.len() == MUCH {
        match heard.end {
            Ok(()) => return run.answer().map(drop),
            Err(Errno::EAGAIN) => {
                return Err(Fault::waits("peer_sees_the_end_at_once", "the peer heard no end"));
            }
            Err(_) => {}
        }
    }
    let end = match heard.end {
        Ok(()) => "the end of file".to_string(),
        Err(errno) => format!("{errno:?}"),
    };
    Err(run.reject().with("n", heard.bytes.len()).with("end", end).at_any(last_line(&run)).into())
}

/// Whether it said that nothing more will come, and no more than that.
fn said_so(run: &Run<Answer>) -> bool {
    run.calls("shutdown").iter().any(|call| call.arg("how").is_some_and(|how| how.text == "SHUT_WR"))
}

/// What goes wrong if the function closes at once is told by `peer_reads_everything`.
fn says_so(run: &Run<Answer>) -> Result<(), Fault> {
    match said_so(run) {
        true => Ok(()),
        false => Err(Fault::waits("peer_reads_everything", "it neither said that it was done nor waited for the peer")),
    }
}

fn peer_sees_the_end_at_once(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, end) = hears_the_end(bench, SILENCE)?;
    // This machine may be busy: who did say so is waited for longer.
    let (run, end) = if end == Err(Errno::EAGAIN) && said_so(&run) { hears_the_end(bench, 5000)? } else { (run, end) };
    match end {
        Ok(()) => run.answer().map(drop),
        Err(Errno::EAGAIN) => Err(run.reject().at_any(last_line(&run)).into()),
        Err(_) => {
            says_so(&run)?;
            Err(run.reject().at_any(last_line(&run)).into())
        }
    }
}

/// A run with a peer that reads, and waits for the end of the stream for so many milliseconds: how it ended.
fn hears_the_end(bench: &Bench<Scene, Answer>, milliseconds: i64) -> Result<(Run<Answer>, Result<(), Errno>), Fault> {
    let peer = Peer::who(None, move |socket| {
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(milliseconds))?;
        read_all(&socket, 4096, MUCH, |_| ())
    })?;
    let run = bench.play(Scene { to: peer.address, unread: 0, bytes: 1000, patience_ms: 400 })?;
    let end = peer.tells()?.end;
    Ok((run, end))
}

/// A run with a peer that hears the end, and then says another 100 kB before it closes.
fn late_talker(bench: &Bench<Scene, Answer>) -> Result<(Run<Answer>, Heard), Fault> {
    let (run, heard) = late_talker_within(bench, 400)?;
    // This machine may be busy: whose time ran out is given more of it.
    match run.answer() {
        Ok(Answer { said: Err(libc::ETIMEDOUT), .. }) => late_talker_within(bench, 5000),
        _ => Ok((run, heard)),
    }
}

fn late_talker_within(bench: &Bench<Scene, Answer>, patience_ms: u64) -> Result<(Run<Answer>, Heard), Fault> {
    let peer = Peer::who(None, |socket| {
        calls::send_all(&socket, b"bye")?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(SILENCE))?;
        let heard = read_all(&socket, 4096, MUCH, |_| ())?;
        // Who does not listen is told of by the answer, not by this.
        let _ = calls::send_all(&socket, &[b'x'; 100_000]);
        Ok(heard)
    })?;
    let run = bench.play(Scene { to: peer.address, unread: 3, bytes: 1000, patience_ms })?;
    Ok((run, peer.tells()?))
}

fn late_talk_is_thrown_away(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, heard) = late_talker(bench)?;
    if run.answer()?.said.is_ok() {
        return Ok(());
    }
    if heard.end == Err(Errno::EAGAIN) {
        return Err(Fault::waits("peer_sees_the_end_at_once", "the peer heard no end"));
    }
    Err(run.reject().with("errno", run.returned()).at_any(last_line(&run)).into())
}

/// The line in which the peer's end of file was read.
fn end_of_file<'a>(run: &'a Run<Answer>) -> Option<Seen<'a>> {
    let reads = run.calls_of(&["recvfrom", "read", "recvmsg", "readv"]);
    reads.into_iter().find(|call| call.outcome.value == Some(0))
}

fn a_silent_peer_costs_patience_only(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    for talks in [false, true] {
        let run = again_if_busy(4, || with_a_silent_peer(bench, talks), busy)?;
        let Some(what) = overstayed(&run)? else { continue };
        if run.answer().is_ok_and(|answer| answer.said.is_ok()) && end_of_file(&run).is_none() {
            says_so(&run)?;
            return Err(Fault::waits("closes_last", "it did not wait for the peer's end"));
        }
        if talks && matches!(run.answer(), Ok(Answer { said: Err(errno), .. }) if *errno != libc::ETIMEDOUT) {
            return Err(Fault::waits("late_talk_is_thrown_away", "it stopped at what the peer said"));
        }
        let what = if talks { format!("{what} for one who says a byte now and then") } else { what };
        return Err(run.reject().with("what", what).with("patience", SHORT).at_any(last_line(&run)).into());
    }
    Ok(())
}

/// A run with a peer that does not end: it says nothing, or a byte now and then.
fn with_a_silent_peer(bench: &Bench<Scene, Answer>, talks: bool) -> Result<Run<Answer>, Fault> {
    let (tell, hear) = mpsc::channel::<()>();
    let peer = Peer::who(None, move |socket| {
        // Until the function's process is gone, or for too long.
        let start = Instant::now();
        while hear.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            if start.elapsed() > LONGEST || (talks && calls::send_all(&socket, b"x").is_err()) {
                break;
            }
        }
        // Others may hold a copy of the descriptor: this ends the connection all the same.
        let _ = shutdown(socket.as_raw_fd(), Shutdown::Write);
        Ok(())
    })?;
    let run = bench.play(Scene { to: peer.address, unread: 0, bytes: 1000, patience_ms: SHORT });
    drop(tell);
    run
}

/// Whether this machine may be to blame: it gave up late, or the peer ended before it could. One that is surely late is tried
/// again only twice, since that takes long.
fn busy(run: &Run<Answer>, tries: usize) -> bool {
    run.answer().is_ok_and(|Answer { said, took_ms, .. }| match said {
        Ok(()) => end_of_file(run).is_some() && (*took_ms < SHORT + TOO_LATE || tries < 3),
        Err(_) => *took_ms >= SHORT + TOO_LATE && (*took_ms < SHORT + SURELY_LATE || tries < 3),
    })
}

/// What is wrong with the end of a call whose peer never ends.
fn overstayed(run: &Run<Answer>) -> Result<Option<String>, Fault> {
    let Answer { said, took_ms, closed, .. } = run.answer()?;
    Ok(match said {
        Ok(()) | Err(libc::ETIMEDOUT) if *took_ms > SHORT + TOO_LATE => Some(format!("You waited {took_ms} ms")),
        Ok(()) => Some("You returned Ok(())".to_string()),
        Err(libc::ETIMEDOUT) if took_ms + 5 < SHORT => Some(format!("You waited only {took_ms} ms")),
        Err(libc::ETIMEDOUT) if !closed => Some("You gave up and left the socket open".to_string()),
        Err(libc::ETIMEDOUT) => None,
        Err(_) => Some(format!("You returned {}", run.returned())),
    })
}

fn closes_last(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, _) = late_talker(bench)?;
    let answer = run.answer()?;
    let number = answer.number.to_string();
    let close = run.calls("close").into_iter().find(|call| call.args.first().is_some_and(|fd| fd.text == number));
    let in_time = match (end_of_file(&run), close) {
        (Some(end), Some(close)) => end.index < close.index,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if in_time {
        return Ok(());
    }
    says_so(&run)?;
    if answer.said.is_err() {
        return Err(Fault::waits("late_talk_is_thrown_away", "it gave up before the peer's end"));
    }
    Err(run.reject().at_any(close.map(|close| close.index)).into())
}
