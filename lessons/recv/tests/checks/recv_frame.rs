//! `recv/recv-frame`

use std::fs;
use std::os::fd::AsFd;

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::poll::PollFlags;
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Page, at_most, await_at, connection, finish, impatient, last_receive, name, no_more_than, quoted, say};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("recv/recv-frame", "reads_what_send_frame_wrote", call, reads_what_send_frame_wrote)
        .check("recv/recv-frame", "two_frames_back_to_back", call, two_frames_back_to_back)
        .check("recv/recv-frame", "header_in_four_pieces", call, header_in_four_pieces)
        .check("recv/recv-frame", "end_between_frames_is_none", call, end_between_frames_is_none)
        .check("recv/recv-frame", "end_inside_is_eproto", call, end_inside_is_eproto)
        .check("recv/recv-frame", "giants_are_refused_unallocated", call, giants_are_refused_unallocated)
        .check("recv/recv-frame", "empty_frame_is_a_message", call, empty_frame_is_a_message);
}

/// What the peer sends before it finishes, how often the function is called, and with which `max`.
#[derive(Clone, Serialize, Deserialize)]
struct In {
    sends: Vec<u8>,
    calls: usize,
    max: usize,
}

/// The result of one call.
type Frame = Result<Option<Vec<u8>>, i32>;

/// What came of the calls.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Vec<Frame>,
    /// By how many bytes the most memory that the process ever had has grown.
    grown: u64,
}

const MAX: usize = 100_000;

fn call(page: &Page, stage: &mut Stage, scene: In) -> Answer {
    let (client, server) = connection().expect("a connection");
    impatient(&server).expect("a limit");
    say(&client, &scene.sends).expect("to send");
    finish(&client).expect("to finish");
    await_at(&server, PollFlags::POLLIN).expect("bytes, or the end");

    let label = format!("recv_frame(fd, {})", scene.max);
    let before = most_memory();
    let mut said = Vec::new();
    for _ in 0..scene.calls {
        let frame = stage.call(label.as_str(), || (page.recv_frame)(server.as_fd(), scene.max));
        said.push(frame.clone().map_err(|errno| errno as i32));
    }
    Answer { said, grown: most_memory().saturating_sub(before) }
}

/// The most memory that this process ever had, in bytes: VmPeak.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).expect("a line VmPeak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}

/// More than a right answer ever needs here.
const MANY: u32 = 2000;

fn play(bench: &Bench<In, Answer>, scene: In, injections: &[Injection]) -> Result<Run<Answer>, Fault> {
    let setting = injections.iter().fold(bench.setting()?, |setting, injection| setting.inject(injection.clone()));
    setting.inject(no_more_than(MANY)).play(scene)
}

/// A message behind its length.
fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes(), message].concat()
}

/// A message of this length: no two parts of it are alike.
fn message(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn told(frame: &Frame) -> String {
    match frame {
        Ok(Some(message)) if message.len() <= 40 => format!("the message {}", quoted(message)),
        Ok(Some(message)) => format!("a message of {} bytes", message.len()),
        Ok(None) => "None".to_string(),
        Err(errno) => name(*errno),
    }
}

/// The only result of a run.
fn only(run: &Run<Answer>) -> Result<&Frame, Fault> {
    run.answer()?.said.first().ok_or_else(|| Fault::trouble("the function was not called"))
}

/// Messages of these lengths, each alone; the one of 300 bytes comes in two parts. The run in which one was not read, and its length.
fn plain(bench: &Bench<In, Answer>, lengths: &[usize]) -> Result<Option<(Run<Answer>, usize)>, Fault> {
    for &length in lengths {
        let pieces = if length == 300 { vec![at_most(2, 100)] } else { Vec::new() };
        let scene = In { sends: framed(&message(length)), calls: 1, max: MAX };
        let run = play(bench, scene, &pieces)?;
        if *only(&run)? != Ok(Some(message(length))) {
            return Ok(Some((run, length)));
        }
    }
    Ok(None)
}

fn reads_what_send_frame_wrote(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let Some((run, length)) = plain(bench, &[2, 300, 65_537])? else { return Ok(()) };
    let got = match only(&run)? {
        Ok(Some(other)) if other.len() == length => "as many, and others".to_string(),
        got => told(got),
    };
    let header = (length as u32).to_be_bytes().map(|byte| format!("{byte:02x}")).join(" ");
    let rejection = run.reject().with("want", length).with("header", header).with("got", got);
    Err(rejection.at_any(last_receive(&run)).into())
}

/// Two messages at once, and the end: the run, and what went wrong.
fn two(bench: &Bench<In, Answer>) -> Result<Option<(Run<Answer>, String)>, Fault> {
    let sends = [framed(b"hello"), framed(b"worlds")].concat();
    let run = play(bench, In { sends, calls: 3, max: MAX }, &[])?;
    let want: [Frame; 3] = [Ok(Some(b"hello".to_vec())), Ok(Some(b"worlds".to_vec())), Ok(None)];
    let said = &run.answer()?.said;
    let what = (0..3)
        .find(|&at| said[at] != want[at])
        .map(|at| format!("Call {} returned {}; it should have been {}.", at + 1, told(&said[at]), told(&want[at])));
    Ok(what.map(|what| (run, what)))
}

/// Lengths that tell quickly whether single messages are read.
const SHORT: [usize; 2] = [2, 300];

/// Leaves what is wrong in simpler scenes already to the checks that say so.
fn simpler_first(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    if plain(bench, &SHORT)?.is_some() {
        return Err(Fault::waits("reads_what_send_frame_wrote", "it does not read single messages"));
    }
    if let Some((run, _)) = two(bench)?
        && !matches!(run.answer()?.said[..2], [Ok(Some(ref one)), Ok(Some(ref two))] if one == b"hello" && two == b"worlds")
    {
        return Err(Fault::waits("two_frames_back_to_back", "it takes the bytes of other messages"));
    }
    Ok(())
}

fn two_frames_back_to_back(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let Some((run, what)) = two(bench)? else { return Ok(()) };
    if plain(bench, &SHORT)?.is_some() {
        return Err(Fault::waits("reads_what_send_frame_wrote", "it does not read single messages"));
    }
    // The end between two messages has a check of its own.
    simpler_first_or(bench, "end_between_frames_is_none")?;
    Err(run.reject().with("what", what).at_any(last_receive(&run)).into())
}

/// If the two messages are read and only what comes after them is wrong, this is for another check to tell.
fn simpler_first_or(bench: &Bench<In, Answer>, check: &'static str) -> Result<(), Fault> {
    match simpler_first(bench) {
        Ok(()) => Err(Fault::waits(check, "only the end behind the messages goes wrong")),
        Err(_) => Ok(()),
    }
}

fn header_in_four_pieces(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let pieces: Vec<Injection> = (1..=4).map(|nth| at_most(nth, 1)).collect();
    let run = play(bench, In { sends: framed(&message(256)), calls: 1, max: MAX }, &pieces)?;
    let got = only(&run)?;
    if *got == Ok(Some(message(256))) {
        return Ok(());
    }
    simpler_first(bench)?;
    let what = match got {
        Ok(Some(other)) if other.len() == 256 => "You returned 256 bytes, and others.".to_string(),
        got => format!("You returned {}.", told(got)),
    };
    Err(run.reject().with("what", what).at_any(last_receive(&run)).into())
}

fn end_between_frames_is_none(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, In { sends: Vec::new(), calls: 1, max: MAX }, &[])?;
    match only(&run)? {
        Ok(None) => Ok(()),
        got => Err(run.reject().with("got", told(got)).at_any(last_receive(&run)).into()),
    }
}

fn end_inside_is_eproto(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let half = &framed(&message(100))[..54];
    for (sends, place) in [(&half[..2], "after two bytes of the length"), (half, "in the middle of the message")] {
        let run = play(bench, In { sends: sends.to_vec(), calls: 1, max: MAX }, &[])?;
        let got = only(&run)?;
        if *got != Err(libc::EPROTO) {
            simpler_first(bench)?;
            let rejection = run.reject().with("place", place).with("got", told(got));
            return Err(rejection.at_any(last_receive(&run)).into());
        }
    }
    Ok(())
}

fn giants_are_refused_unallocated(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    /// What a program may take besides.
    const SLACK: u64 = 64 << 20;
    for length in [256 << 20, u32::MAX] {
        let sends = [length.to_be_bytes().as_slice(), b"hello"].concat();
        let run = play(bench, In { sends, calls: 1, max: 1000 }, &[])?;
        let answer = run.answer()?;
        let what = match only(&run)? {
            _ if answer.grown > SLACK => {
                format!("You made room for {} MiB because a stranger said so.", answer.grown >> 20)
            }
            Err(libc::EMSGSIZE) => continue,
            got => format!("You returned {}.", told(got)),
        };
        simpler_first(bench)?;
        let length = length.to_be_bytes().map(|byte| format!("{byte:02x}")).join(" ");
        return Err(run.reject().with("length", length).with("what", what).at_any(last_receive(&run)).into());
    }
    Ok(())
}

fn empty_frame_is_a_message(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = play(bench, In { sends: framed(b""), calls: 1, max: MAX }, &[])?;
    let got = only(&run)?;
    if *got == Ok(Some(Vec::new())) {
        return Ok(());
    }
    simpler_first(bench)?;
    Err(run.reject().with("got", told(got)).at_any(last_receive(&run)).into())
}
