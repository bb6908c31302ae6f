//! `accept/accept-with-spare`

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Page, accepts, client, does_not_wait, listener};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("accept/accept-with-spare", "normal_accept", call, normal_accept)
        .check("accept/accept-with-spare", "full_client_is_told", call, full_client_is_told)
        .check("accept/accept-with-spare", "spare_is_back", call, spare_is_back)
        .check("accept/accept-with-spare", "never_spins", call, never_spins)
        .check("accept/accept-with-spare", "full_and_nobody_waiting", call, full_and_nobody_waiting);
}

/// Who waits, and how often the function is called.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    clients: usize,
    /// Whether there is no descriptor left.
    full: bool,
    rounds: usize,
}

/// One client, and a descriptor for it.
const FREE: Scene = Scene { clients: 1, full: false, rounds: 1 };
/// One client, and no descriptor.
const FULL: Scene = Scene { clients: 1, full: true, rounds: 1 };
/// No client, and no descriptor.
const EMPTY: Scene = Scene { clients: 0, full: true, rounds: 1 };
/// Ten clients, no descriptor, and the function is called for each of them.
const CROWD: Scene = Scene { clients: 10, full: true, rounds: 10 };

/// What came of the calls.
#[derive(Serialize, Deserialize)]
struct Answer {
    rounds: Vec<Round>,
    /// Whether the spare was the same afterwards, as far as can be seen.
    same: bool,
    /// What the first client heard where there was no descriptor: the end, or an errno.
    heard: Option<Result<(), i32>>,
}

/// What came of a call.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Round {
    said: Result<Said, i32>,
    spare: Spare,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Said {
    Connection,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Spare {
    Open,
    /// There is one, and its number is not open.
    Closed,
    Gone,
}

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let (listener, address) = listener().expect("a listener");
    does_not_wait(listener).expect("a listener that does not wait");
    let clients: Vec<OwnedFd> = (0..scene.clients).map(|_| client(address).expect("a client").0).collect();
    let null = || OwnedFd::from(File::open("/dev/null").expect("/dev/null"));
    let spare: &'static mut Option<OwnedFd> = Box::leak(Box::new(Some(null())));
    let number = spare.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    if let Some(spare) = spare.as_ref() {
        stage.gives(spare);
    }
    if scene.full {
        no_descriptor_left(number, null);
    }
    let answers = stage.call("accept_with_spare(listener, &mut spare)", || {
        let rounds = (0..scene.rounds).map(|_| {
            let answer = (page.accept_with_spare)(listener.as_fd(), spare);
            let there = match spare.as_ref() {
                None => 0,
                Some(spare) if fcntl(spare, FcntlArg::F_GETFD).is_err() => 1,
                Some(_) => 2,
            };
            (answer, there as u8)
        });
        rounds.collect::<Vec<_>>()
    });
    let rounds = answers.iter().map(|(answer, there)| Round {
        said: match answer {
            Ok(Some(_)) => Ok(Said::Connection),
            Ok(None) => Ok(Said::Nothing),
            Err(errno) => Err(*errno as i32),
        },
        spare: match there {
            0 => Spare::Gone,
            1 => Spare::Closed,
            _ => Spare::Open,
        },
    });
    Answer {
        rounds: rounds.collect(),
        same: spare.as_ref().is_some_and(|spare| spare.as_raw_fd() == number),
        heard: clients.first().filter(|_| scene.full).map(hears),
    }
}

/// Opens descriptors until there is no gap up to this number, and then lowers the limit, so that none is left.
fn no_descriptor_left(last: i32, null: impl Fn() -> OwnedFd) {
    loop {
        let filler = std::mem::ManuallyDrop::new(null());
        if filler.as_raw_fd() > last {
            let most = filler.as_raw_fd() as libc::rlim_t + 1;
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            // SAFETY: `limit` is an rlimit, and setrlimit only reads it.
            let answer = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
            assert_eq!(answer, 0, "the limit can be lowered");
            return;
        }
    }
}

/// What this client hears within a fifth of a second.
fn hears(client: &OwnedFd) -> Result<(), i32> {
    setsockopt(client, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200)).expect("a timeout");
    match recv(client.as_raw_fd(), &mut [0], MsgFlags::empty()) {
        Ok(_) | Err(Errno::ECONNRESET) => Ok(()),
        Err(errno) => Err(errno as i32),
    }
}

impl Answer {
    /// The first call.
    fn first(&self) -> Result<Round, Fault> {
        self.rounds.first().copied().ok_or_else(|| Fault::trouble("the function was not called"))
    }
}

/// The answer to the first call, as a reader would write it.
fn written(round: Round) -> String {
    match round.said {
        Ok(Said::Connection) => "Ok(Some(…))".to_string(),
        Ok(Said::Nothing) => "Ok(None)".to_string(),
        Err(errno) => format!("Err({:?})", Errno::from_raw(errno)),
    }
}

fn last_accept(run: &Run<Answer>) -> Option<usize> {
    accepts(run).last().map(|accept| accept.index)
}

fn normal_accept(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(FREE)?;
    let answer = run.answer()?;
    let round = answer.first()?;
    let what = match round.said {
        Ok(Said::Connection) if answer.same => return Ok(()),
        Ok(Said::Connection) => "you gave the spare up for it".to_string(),
        Ok(Said::Nothing) => "you turned the client away".to_string(),
        Err(_) => format!("you returned {}", written(round)),
    };
    Err(run.reject().with("what", what).at_any(last_accept(&run)).into())
}

/// The first ten accepts say EMFILE, whatever is closed; so one that asks again and again comes to an end.
fn ten_times_full(bench: &Bench<Scene, Answer>) -> Result<Run<Answer>, Fault> {
    let mut setting = bench.setting()?;
    for nth in 1..=10 {
        setting = setting.inject(Injection::fail(&["accept", "accept4"], nth, libc::EMFILE));
    }
    setting.play(FREE)
}

/// Leaves a function that spins to the check that says so: where there really is no descriptor, it would never end.
fn does_not_spin(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = ten_times_full(bench)?;
    run.answer()?;
    match accepts(&run).len() {
        0..=3 => Ok(()),
        _ => Err(Fault::waits("never_spins", "it asks again and again")),
    }
}

fn never_spins(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = ten_times_full(bench)?;
    run.answer()?;
    match accepts(&run).len() {
        0..=3 => Ok(()),
        count => Err(run.reject().with("count", count).at_any(last_accept(&run)).into()),
    }
}

fn full_client_is_told(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    does_not_spin(bench)?;
    let run = bench.play(FULL)?;
    let answer = run.answer()?;
    let round = answer.first()?;
    let what = match (answer.heard, round.said) {
        (Some(Ok(())), Ok(Said::Nothing)) => return Ok(()),
        (Some(Ok(())), _) => format!("the client was told, and you returned {}", written(round)),
        _ => format!("the client just waits; you returned {}", written(round)),
    };
    Err(run.reject().with("what", what).at_any(last_accept(&run)).into())
}

fn spare_is_back(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    does_not_spin(bench)?;
    let run = bench.play(CROWD)?;
    let rounds = &run.answer()?.rounds;
    let Some((number, round)) = rounds.iter().enumerate().find(|(_, round)| round.spare != Spare::Open) else {
        return Ok(());
    };
    let what = match round.spare {
        Spare::Closed => "the spare was a number that is not open",
        _ => "there was no spare any more",
    };
    let rejection = run.reject().with("round", number + 1).with("what", what);
    Err(rejection.at_any(accepts(&run).get(2 * number + 1).map(|accept| accept.index)).into())
}

fn full_and_nobody_waiting(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    does_not_spin(bench)?;
    let run = bench.play(EMPTY)?;
    let round = run.answer()?.first()?;
    let what = match round {
        Round { said: Err(libc::EAGAIN), spare: Spare::Open } => return Ok(()),
        Round { said: Err(libc::EMFILE), spare: Spare::Open } => {
            return Err(Fault::waits("full_client_is_told", "it says EMFILE"));
        }
        Round { spare: Spare::Open, .. } => format!("you returned {}", written(round)),
        _ => {
            if bench.play(FULL)?.answer()?.first()?.spare != Spare::Open {
                return Err(Fault::waits("spare_is_back", "the spare is lost after any overload"));
            }
            "when nobody came, you did not take it back".to_string()
        }
    };
    Err(run.reject().with("what", what).at_any(last_accept(&run)).into())
}
