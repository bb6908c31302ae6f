//! `recv/recv-exact`

use std::os::fd::{AsFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::poll::PollFlags;
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{
    END, Page, at_most, await_at, connection, finish, impatient, interrupted, last_receive, name, no_more_than, quoted,
    receives, reset, rest,
};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("recv/recv-exact", "fills_from_a_dribble", call, fills_from_a_dribble)
        .check("recv/recv-exact", "end_of_file_ends_it", call, end_of_file_ends_it)
        .check("recv/recv-exact", "interrupted_is_retried", call, interrupted_is_retried)
        .check("recv/recv-exact", "takes_no_byte_too_many", call, takes_no_byte_too_many)
        .check("recv/recv-exact", "reset_is_an_error", call, reset_is_an_error)
        .check("recv/recv-exact", "empty_buffer_makes_no_call", call, empty_buffer_makes_no_call);
}

/// What the peer has done when the function is called.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Peer {
    /// It has sent so many bytes, and stays.
    Stays(usize),
    /// It has sent so many bytes and has finished.
    Finishes(usize),
    /// It has sent so many bytes and has reset the connection.
    Resets(usize),
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The count or the errno.
    said: Result<usize, i32>,
    /// The buffer afterwards.
    buffer: Vec<u8>,
    /// What is left to be received.
    left: usize,
}

/// How much room there is, and what the peer has done.
type In = (usize, Peer);

/// What the peer sends: all different.
fn sent(count: usize) -> Vec<u8> {
    (1..).take(count).collect()
}

fn call(page: &Page, stage: &mut Stage, (room, peer): In) -> Answer {
    let (_client, server) = scene(peer).expect("a connection");
    let mut buffer = vec![0; room];
    let label = format!("recv_exact(fd, &mut [0; {room}])");
    let said = stage.call(label, || (page.recv_exact)(server.as_fd(), &mut buffer)).map_err(|errno| errno as i32);
    Answer { said, buffer, left: rest(&server).len() }
}

fn scene(peer: Peer) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (client, server) = connection()?;
    impatient(&server)?;
    match peer {
        Peer::Stays(0) => {}
        Peer::Stays(count) => {
            calls::send_all(&client, &sent(count))?;
            await_at(&server, PollFlags::POLLIN)?;
        }
        Peer::Finishes(count) => {
            calls::send_all(&client, &sent(count))?;
            finish(&client)?;
            await_at(&server, END)?;
        }
        Peer::Resets(count) => {
            calls::send_all(&client, &sent(count))?;
            reset(&client)?;
            await_at(&server, PollFlags::empty())?;
        }
    }
    Ok((client, server))
}

/// More than a right answer ever needs here.
const MANY: u32 = 200;

fn play(bench: &Bench<In, Answer>, input: In, injections: &[Injection]) -> Result<Run<Answer>, Fault> {
    let setting = injections.iter().fold(bench.setting()?, |setting, injection| setting.inject(injection.clone()));
    setting.inject(no_more_than(MANY)).play(input)
}

/// What is wrong with an answer that should be all of the first `count` bytes.
fn fault(answer: &Answer, count: usize) -> Option<String> {
    let want = sent(count);
    let got = &answer.buffer[..count.min(answer.buffer.len())];
    match answer.said {
        Ok(said) if said == count && got == want => None,
        Ok(said) if said < count => Some(format!("You returned after {said}.")),
        Ok(said) if said > count => Some(format!("You returned {said}.")),
        Ok(_) => {
            let at = got.iter().zip(&want).position(|(got, want)| got != want).unwrap_or(0);
            Some(format!("You returned {count}, and byte {at} of the buffer is not the one that was sent."))
        }
        Err(errno) => Some(format!("You said {}.", name(errno))),
    }
}

/// The pieces in which 64 bytes come.
const PIECES: [usize; 7] = [1, 2, 20, 1, 7, 30, 1];

fn fills_from_a_dribble(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let pieces: Vec<Injection> = (1..).zip(PIECES).map(|(nth, bytes)| at_most(nth, bytes)).collect();
    let run = play(bench, (64, Peer::Stays(64)), &pieces)?;
    match fault(run.answer()?, 64) {
        None => Ok(()),
        Some(what) => Err(run.reject().with("what", what).at_any(last_receive(&run)).into()),
    }
}

/// What goes wrong with a dribble is told by `fills_from_a_dribble`.
fn works_plainly(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let pieces: Vec<Injection> = (1..).zip(PIECES).map(|(nth, bytes)| at_most(nth, bytes)).collect();
    match fault(play(bench, (64, Peer::Stays(64)), &pieces)?.answer()?, 64) {
        None => Ok(()),
        Some(_) => Err(Fault::waits("fills_from_a_dribble", "it does not fill a buffer piece by piece")),
    }
}

fn end_of_file_ends_it(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, (64, Peer::Finishes(10)), &[])?;
    let zeros = receives(&run).iter().filter(|call| call.outcome.value == Some(0)).count();
    let what = match fault(run.answer()?, 10) {
        _ if zeros > 1 => format!("recv said 0 to you {zeros} times, and you asked again each time."),
        None => return Ok(()),
        Some(what) => what,
    };
    Err(run.reject().with("what", what).at_any(last_receive(&run)).into())
}

fn interrupted_is_retried(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let signals = [interrupted(1), at_most(2, 10), interrupted(3), interrupted(4)];
    let run = play(bench, (64, Peer::Stays(64)), &signals)?;
    let what = match fault(run.answer()?, 64) {
        None => return Ok(()),
        Some(_) if run.answer()?.said == Err(libc::EINTR) => "you returned its EINTR".to_string(),
        Some(_) => {
            works_plainly(bench)?;
            format!("64 bytes were there, and you said {}", run.returned())
        }
    };
    let at = receives(&run).iter().rfind(|call| call.errno() == Some("EINTR")).map(|call| call.index);
    Err(run.reject().with("what", what).at_any(at).into())
}

fn takes_no_byte_too_many(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, (64, Peer::Stays(100)), &[])?;
    let answer = run.answer()?;
    let what = match (answer.left, fault(answer, 64)) {
        (36, None) => return Ok(()),
        (36.., Some(_)) => {
            works_plainly(bench)?;
            format!("You said {}, and the buffer began with {}.", run.returned(), quoted(&answer.buffer[..4]))
        }
        (left, _) => format!("{left} are."),
    };
    Err(run.reject().with("what", what).at_any(last_receive(&run)).into())
}

fn reset_is_an_error(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, (64, Peer::Resets(3)), &[])?;
    match run.answer()?.said {
        Err(libc::ECONNRESET) => Ok(()),
        _ => {
            let told = receives(&run).iter().any(|call| call.errno() == Some("ECONNRESET"));
            if !told {
                works_plainly(bench)?;
            }
            Err(run.reject().with("got", run.returned()).at_any(last_receive(&run)).into())
        }
    }
}

fn empty_buffer_makes_no_call(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, (0, Peer::Stays(0)), &[])?;
    match receives(&run).first() {
        Some(call) => Err(run.reject().with("call", call.request()).at(call.index).into()),
        None => run.answer().map(drop),
    }
}
