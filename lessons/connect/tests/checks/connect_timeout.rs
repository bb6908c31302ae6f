//! `connect/connect-timeout`

use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use grader::{Bench, Fault, Run, Stage, Suite, again_if_busy, peers};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use observer::{Event, What};
use serde::{Deserialize, Serialize};

use super::company::{self, Silence};
use super::{Page, peer_of, server};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("connect/connect-timeout", "connects_quickly", call, connects_quickly)
        .check("connect/connect-timeout", "silence_is_etimedout_on_time", call, silence_is_etimedout_on_time)
        .check("connect/connect-timeout", "refused_is_not_a_timeout", call, refused_is_not_a_timeout)
        .check("connect/connect-timeout", "returned_socket_blocks", call, returned_socket_blocks)
        .check("connect/connect-timeout", "signals_do_not_stretch_it", call, signals_do_not_stretch_it)
        .check("connect/connect-timeout", "a_very_short_limit", call, a_very_short_limit);
}

/// How late an answer may be: the machine may be busy, and the function is watched, which costs time.
const SLACK: Duration = Duration::from_millis(350);
/// How often a function that was too late is tried again, since it may have been the machine's fault.
const TRIES: usize = 3;
/// The limit where nobody answers.
const LIMIT: Duration = Duration::from_millis(100);
/// When a function that waits without an end is ended.
const DEADLINE: Duration = Duration::from_millis(1200);

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The address of the socket's peer, if it has one, and whether its calls do not wait; or the errno.
    said: Result<(Option<SocketAddrV4>, bool), i32>,
    /// How long it took.
    took: Duration,
}

type In = (SocketAddrV4, Duration);

fn call(page: &Page, stage: &mut Stage, (address, limit): In) -> Answer {
    company::visible(stage, |stage| {
        let label = format!("connect_timeout({address}, {limit:?})");
        let mut took = Duration::ZERO;
        let returned = stage.call(label, || {
            let start = Instant::now();
            let answer = (page.connect_timeout)(address, limit);
            took = start.elapsed();
            answer
        });
        let said = match returned {
            Ok(socket) => Ok((peer_of(socket), is_nonblocking(socket))),
            Err(errno) => Err(*errno as i32),
        };
        Answer { said, took }
    })
}

fn is_nonblocking(socket: &impl AsFd) -> bool {
    fcntl(socket, FcntlArg::F_GETFL).is_ok_and(|flags| OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// Plays until the function is in time; the last run, if it never is. One that does not return at all is not asked again.
fn in_time(time: Duration, play: impl FnMut() -> Result<Run<Answer>, Fault>) -> Result<Run<Answer>, Fault> {
    again_if_busy(TRIES, play, |run, _| run.answer().is_ok_and(|answer| answer.took > time))
}

/// How long a call took and what it said, for the message.
fn told(run: &Run<Answer>) -> (u128, String) {
    match run.answer() {
        Ok(answer) => (answer.took.as_millis(), run.returned()),
        Err(_) => {
            let stuck =
                run.trace().events.iter().filter_map(|event| event.call()).rfind(|call| call.outcome.value.is_none());
            let call = stuck.map_or_else(|| "a call".to_string(), |call| call.request());
            (DEADLINE.as_millis(), format!("nothing, and were still waiting in {call}"))
        }
    }
}

/// The last line that had to do with the attempt.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["connect", "poll", "ppoll", "getsockopt"]).last().map(|call| call.index)
}

/// Whether the function said ETIMEDOUT, not before the limit and soon after it.
fn on_time(run: &Run<Answer>, limit: Duration) -> bool {
    matches!(run.answer(), Ok(Answer { said: Err(libc::ETIMEDOUT), took }) if *took >= limit && *took <= limit + SLACK)
}

fn connects_quickly(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let (_server, address) = server()?;
    let limit = SLACK * 2;
    let run = in_time(SLACK, || bench.play((address, limit)))?;
    let answer = run.answer()?;
    match answer.said {
        Ok((Some(peer), _)) if peer == address && answer.took <= SLACK => Ok(()),
        _ => {
            let (t, got) = told(&run);
            let rejection = run.reject().with("limit", limit.as_millis()).with("t", t).with("got", got);
            Err(rejection.at_any(last_line(&run)).into())
        }
    }
}

fn silence_is_etimedout_on_time(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = without_signals(bench)?;
    if on_time(&run, LIMIT) {
        return Ok(());
    }
    returned_or_hung(&run)?;
    let (t, got) = told(&run);
    let rejection = run.reject().with("limit", LIMIT.as_millis()).with("t", t).with("got", got);
    Err(rejection.at_any(last_line(&run)).into())
}

/// A function that came to a sudden end is the affair of `survives`.
fn returned_or_hung(run: &Run<Answer>) -> Result<(), Fault> {
    match run.answer() {
        Err(Fault::Waits { on, because }) if on != "finishes_in_time" => Err(Fault::Waits { on, because }),
        _ => Ok(()),
    }
}

fn refused_is_not_a_timeout(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play((address, SLACK))?;
    match run.answer()?.said {
        Err(libc::ECONNREFUSED) => Ok(()),
        _ => Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into()),
    }
}

fn returned_socket_blocks(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let (_server, address) = server()?;
    let run = bench.play((address, SLACK))?;
    match run.answer()?.said {
        Ok((_, false)) => Ok(()),
        Ok((_, true)) => {
            Err(run.reject().at_any(run.calls_of(&["socket", "fcntl"]).last().map(|call| call.index)).into())
        }
        Err(_) => Err(Fault::waits("connects_quickly", "no socket was returned")),
    }
}

fn signals_do_not_stretch_it(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    // On a busy machine the signals may come late, or stop early: then being in time proves nothing.
    let proves_nothing = |run: &Run<Answer>, _| on_time(run, LIMIT) && !signalled_to_the_end(run);
    let run = again_if_busy(20, || with_signals(bench), proves_nothing)?;
    if on_time(&run, LIMIT) {
        return Ok(());
    }
    run.answer()?;
    if !on_time(&without_signals(bench)?, LIMIT) {
        let because = "it is not in time without signals either, or says something else";
        return Err(Fault::waits("silence_is_etimedout_on_time", because));
    }
    let (t, got) = told(&run);
    let rejection = run.reject().with("limit", LIMIT.as_millis()).with("t", t).with("got", got);
    Err(rejection.at_any(last_line(&run)).into())
}

/// Whether a signal came shortly before the function returned: so shortly that a limit that begins anew was not over.
fn signalled_to_the_end(run: &Run<Answer>) -> bool {
    let events = &run.trace().events;
    let Some(end) = events.iter().map(|event| event.at_us + event.took_us).max() else { return false };
    let late_enough = Duration::from_micros(end).saturating_sub(LIMIT * 3 / 4);
    let is_late = |event: &Event| Duration::from_micros(event.at_us) > late_enough;
    events.iter().any(|event| matches!(event.what, What::Signal { .. }) && is_late(event))
}

fn without_signals(bench: &Bench<In, Answer>) -> Result<Run<Answer>, Fault> {
    let silence = Silence::new()?;
    in_time(LIMIT + SLACK, || bench.setting()?.deadline(DEADLINE).play((silence.address, LIMIT)))
}

fn with_signals(bench: &Bench<In, Answer>) -> Result<Run<Answer>, Fault> {
    // They end, so that a function that begins anew with each of them comes to an end, too; on a busy machine late.
    let most = LIMIT + SLACK;
    in_time(LIMIT + SLACK, || {
        let silence = Silence::new()?;
        let setting = bench.setting()?.deadline(DEADLINE * 4);
        company::play(setting, (silence.address, LIMIT), |child| company::interrupt_often(child, &silence, most))
    })
}

fn a_very_short_limit(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let limit = Duration::from_micros(500);
    let (_server, address) = server()?;
    let run = bench.play((address, limit))?;
    // Under a heavy load 500 µs may really be over before the function has seen the answer.
    let answer = run.answer()?;
    if answer.said.is_err() && answer.took < limit {
        let what =
            format!("the server was there, and you said {} after {} µs", run.returned(), answer.took.as_micros());
        return Err(run.reject().with("what", what).at_any(last_line(&run)).into());
    }

    let silence = Silence::new()?;
    for _ in 1..=5 {
        let run = in_time(limit + SLACK, || bench.setting()?.deadline(DEADLINE).play((silence.address, limit)))?;
        let answer = run.answer()?;
        if answer.said != Err(libc::ETIMEDOUT) {
            let because = "it does not say ETIMEDOUT for longer limits either";
            return Err(Fault::waits("silence_is_etimedout_on_time", because));
        }
        let what = match answer.took {
            took if took < limit => format!("nobody answered, and you gave up after {} µs", took.as_micros()),
            _ if never_waited(&run, limit) => "nobody answered, and you gave up without waiting at all".to_string(),
            took if took > limit + SLACK => format!("it became {} ms", took.as_millis()),
            _ => continue,
        };
        return Err(run.reject().with("what", what).at_any(last_line(&run)).into());
    }
    Ok(())
}

/// Watched, calls may take longer than a short limit although none of them waited. So this looks at what was asked, too: only
/// one poll, with 0 for its limit, at a time when the limit was not over. (The trace's clock starts before the function.)
fn never_waited(run: &Run<Answer>, limit: Duration) -> bool {
    let polls = run.calls("poll");
    let [poll] = polls.as_slice() else { return false };
    let begun = Duration::from_micros(run.trace().events[poll.index].at_us);
    poll.int("timeout") == Some(0) && begun < limit
}
