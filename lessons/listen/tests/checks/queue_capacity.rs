//! `listen/queue-capacity`

use std::net::SocketAddrV4;
use std::time::Duration;

use grader::peers::BlackHole;
use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use serde::{Deserialize, Serialize};

use super::{Page, listener};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("listen/queue-capacity", "counts_backlog_plus_one", call, counts_backlog_plus_one)
        .check("listen/queue-capacity", "the_one_that_hangs_is_not_counted", call, the_one_that_hangs_is_not_counted)
        .check("listen/queue-capacity", "does_not_wait_minutes", call, does_not_wait_minutes)
        .check("listen/queue-capacity", "refused_is_an_error", call, refused_is_an_error);
}

/// Where to knock.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct At(SocketAddrV4);

/// A count, or the errno.
type Said = Result<usize, i32>;

/// How long the function may wait for one client. On loopback a client that gets in needs a thousandth of that.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the whole function may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Room for those who try all 512 times.
const DESCRIPTORS: u64 = 600;

fn call(page: &Page, stage: &mut Stage, At(server): At) -> Said {
    let label = format!("queue_capacity({server}, {PATIENCE:?})");
    stage.call(label, || (page.queue_capacity)(server, PATIENCE)).map_err(|errno| errno as i32)
}

fn play(bench: &Bench<At, Said>, server: SocketAddrV4) -> Result<Run<Said>, Fault> {
    bench.setting()?.deadline(DEADLINE).descriptors(DESCRIPTORS).play(At(server))
}

/// Whether the function began several connections and never asked what became of any.
fn never_looks(run: &Run<Said>) -> bool {
    const LOOKS: [&str; 11] = [
        "poll",
        "ppoll",
        "select",
        "pselect6",
        "epoll_wait",
        "epoll_pwait",
        "getsockopt",
        "getpeername",
        "sendto",
        "write",
        "recvfrom",
    ];
    let begun = run.calls("connect").iter().filter(|connect| connect.errno() == Some("EINPROGRESS")).count();
    begun > 1 && run.calls_of(&LOOKS).is_empty()
}

/// Leaves a function that counts what it only began to the check that says so.
fn looks(run: &Run<Said>) -> Result<(), Fault> {
    match never_looks(run) {
        true => Err(Fault::waits("the_one_that_hangs_is_not_counted", "it counts connections that are in progress")),
        false => Ok(()),
    }
}

/// Leaves a function that connects to nobody to the check that says so.
fn connects(run: &Run<Said>) -> Result<(), Fault> {
    match run.calls("connect").is_empty() {
        true => Err(Fault::waits("counts_backlog_plus_one", "it never tried to connect")),
        false => Ok(()),
    }
}

/// The connect that never returned.
fn stuck(run: &Run<Said>) -> Option<Seen<'_>> {
    run.calls("connect").into_iter().find(|connect| connect.outcome.value.is_none())
}

/// The function's answer; if it hung in connect, that is told by `does_not_wait_minutes`.
fn answer(run: &Run<Said>) -> Result<&Said, Fault> {
    match stuck(run) {
        Some(_) => Err(Fault::waits("does_not_wait_minutes", "it was still waiting in connect")),
        None => run.answer(),
    }
}

fn counts_backlog_plus_one(bench: &Bench<At, Said>) -> Result<(), Fault> {
    for backlog in [0, 1, 5, 20] {
        let (_server, address) = listener(backlog)?;
        let want = backlog as usize + 1;
        let run = play(bench, address)?;
        if *answer(&run)? == Ok(want) {
            continue;
        }
        looks(&run)?;
        let last = run.calls_of(&["connect", "poll", "getsockopt"]).last().map(|call| call.index);
        let rejection = run.reject().with("backlog", backlog).with("want", want).with("got", run.returned());
        return Err(rejection.at_any(last).into());
    }
    Ok(())
}

fn the_one_that_hangs_is_not_counted(bench: &Bench<At, Said>) -> Result<(), Fault> {
    let hole = BlackHole::open()?;
    let run = play(bench, hole.address)?;
    if *answer(&run)? == Ok(0) {
        return Ok(());
    }
    connects(&run)?;
    if !never_looks(&run) {
        return Err(Fault::waits("counts_backlog_plus_one", "it counts wrongly in other queues, too"));
    }
    let begun = run.calls("connect").first().map(|connect| connect.index);
    Err(run.reject().with("got", run.returned()).at_any(begun).into())
}

fn does_not_wait_minutes(bench: &Bench<At, Said>) -> Result<(), Fault> {
    let hole = BlackHole::open()?;
    let run = play(bench, hole.address)?;
    if let Some(connect) = stuck(&run) {
        return Err(run.reject().with("call", connect.request()).at(connect.index).into());
    }
    run.answer().map(drop)
}

fn refused_is_an_error(bench: &Bench<At, Said>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = play(bench, address)?;
    if *answer(&run)? == Err(libc::ECONNREFUSED) {
        return Ok(());
    }
    connects(&run)?;
    looks(&run)?;
    let last = run.calls_of(&["connect", "poll", "getsockopt"]).last().map(|call| call.index);
    Err(run.reject().with("got", run.returned()).at_any(last).into())
}
