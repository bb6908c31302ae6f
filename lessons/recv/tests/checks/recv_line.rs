//! `recv/recv-line`

use std::os::fd::{AsFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::poll::PollFlags;
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{
    PATIENCE, Page, at_most, await_at, connection, finish, impatient, last_receive, name, no_more_than, quoted,
    receives, say,
};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("recv/recv-line", "two_lines_in_one_packet", call, two_lines_in_one_packet)
        .check("recv/recv-line", "a_line_in_many_packets", call, a_line_in_many_packets)
        .check("recv/recv-line", "crlf_split_across_packets", call, crlf_split_across_packets)
        .check("recv/recv-line", "unfinished_last_line", call, unfinished_last_line)
        .check("recv/recv-line", "bytes_not_text", call, bytes_not_text)
        .check("recv/recv-line", "endless_line_is_refused", call, endless_line_is_refused)
        .check("recv/recv-line", "not_a_call_per_byte", call, not_a_call_per_byte)
        .check("recv/recv-line", "needs_no_recv_when_carry_has_a_line", call, needs_no_recv_when_carry_has_a_line);
}

/// The scene of a check.
#[derive(Clone, Serialize, Deserialize)]
struct In {
    /// What is in `carry` already.
    carry: Vec<u8>,
    /// What the peer sends before it finishes; with `None` it says nothing, and stays.
    sends: Option<Vec<u8>>,
    /// How often the function is called.
    calls: usize,
}

/// The result of one call; a run has one for each.
type Line = Result<Option<Vec<u8>>, i32>;

const MAX: usize = 1000;

fn call(page: &Page, stage: &mut Stage, scene: In) -> Vec<Line> {
    let (client, server) = connection().expect("a connection");
    impatient(&server).expect("a limit");
    if let Some(bytes) = &scene.sends {
        talks(&client, &server, bytes).expect("a peer that talks");
    }
    let mut carry = scene.carry;
    let label = format!("recv_line(fd, &mut carry, {MAX})");
    let mut lines = Vec::new();
    for _ in 0..scene.calls {
        let line = stage.call(label.as_str(), || (page.recv_line)(server.as_fd(), &mut carry, MAX));
        lines.push(line.clone().map_err(|errno| errno as i32));
    }
    lines
}

fn talks(client: &OwnedFd, server: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    say(client, bytes)?;
    finish(client)?;
    await_at(server, PollFlags::POLLIN)
}

/// More than a right answer ever needs here.
const MANY: u32 = 6000;

/// The peer sends this and finishes; the function is called until it should have said `None`, or as often as there are lines.
fn play(bench: &Bench<In, Vec<Line>>, scene: In, injections: &[Injection]) -> Result<Run<Vec<Line>>, Fault> {
    let setting = injections.iter().fold(bench.setting()?, |setting, injection| setting.inject(injection.clone()));
    setting.inject(no_more_than(MANY)).play(scene)
}

fn sends(bytes: &[u8], calls: usize) -> In {
    In { carry: Vec::new(), sends: Some(bytes.to_vec()), calls }
}

fn line(bytes: &[u8]) -> Line {
    Ok(Some(bytes.to_vec()))
}

/// A result as a reader would put it.
fn told(line: &Line) -> String {
    match line {
        Ok(Some(line)) => format!("the line {}", quoted(line)),
        Ok(None) => "None".to_string(),
        Err(libc::EAGAIN) => {
            format!("EAGAIN, because after {PATIENCE:?} of waiting for more the grader made an end of it")
        }
        Err(errno) => name(*errno),
    }
}

/// What is wrong with these lines.
fn fault(lines: &[Line], want: &[Line]) -> Option<String> {
    let at = (0..want.len()).find(|&at| lines.get(at) != want.get(at))?;
    let got = lines.get(at).map_or("nothing".to_string(), told);
    Some(format!("Call {} returned {got}; it should have been {}.", at + 1, told(&want[at])))
}

/// A scene: what the peer sends, how it is cut, and what the calls should return.
struct Scene {
    sends: &'static [u8],
    pieces: &'static [usize],
    want: Vec<Line>,
}

impl Scene {
    fn play(&self, bench: &Bench<In, Vec<Line>>) -> Result<(Run<Vec<Line>>, Option<String>), Fault> {
        let pieces: Vec<Injection> = (1..).zip(self.pieces).map(|(nth, bytes)| at_most(nth, *bytes)).collect();
        let run = play(bench, sends(self.sends, self.want.len()), &pieces)?;
        let what = fault(run.answer()?, &self.want);
        Ok((run, what))
    }

    /// The verdict, if nothing simpler is wrong.
    fn judge(&self, bench: &Bench<In, Vec<Line>>, simpler: &[(&'static str, Scene)]) -> Result<(), Fault> {
        let (run, what) = self.play(bench)?;
        let Some(what) = what else { return Ok(()) };
        simpler_first(bench, simpler)?;
        Err(run.reject().with("sent", quoted(self.sends)).with("what", what).at_any(last_receive(&run)).into())
    }
}

/// Leaves what is wrong already in a simpler scene to the check that says so.
fn simpler_first(bench: &Bench<In, Vec<Line>>, simpler: &[(&'static str, Scene)]) -> Result<(), Fault> {
    for (check, scene) in simpler {
        if scene.play(bench)?.1.is_some() {
            return Err(Fault::waits(*check, "a simpler scene goes wrong already"));
        }
    }
    Ok(())
}

/// One line in many pieces.
fn many() -> (&'static str, Scene) {
    let pieces = &[1, 2, 1, 3, 1, 1, 2, 1, 1, 4, 1];
    let scene =
        Scene { sends: b"one line in many pieces\n", pieces, want: vec![line(b"one line in many pieces"), Ok(None)] };
    ("a_line_in_many_packets", scene)
}

/// Two lines at once.
fn two() -> (&'static str, Scene) {
    ("two_lines_in_one_packet", Scene { sends: b"a\nb\n", pieces: &[], want: vec![line(b"a"), line(b"b"), Ok(None)] })
}

fn a_line_in_many_packets(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    many().1.judge(bench, &[])
}

fn two_lines_in_one_packet(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    two().1.judge(bench, &[many()])
}

fn crlf_split_across_packets(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    let want = vec![line(b"x"), line(b"y"), Ok(None)];
    Scene { sends: b"x\r\ny\r\n", pieces: &[2], want }.judge(bench, &[many(), two()])
}

fn unfinished_last_line(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    let want = vec![line(b"a"), line(b"end"), Ok(None)];
    Scene { sends: b"a\nend", pieces: &[], want }.judge(bench, &[many(), two()])
}

fn bytes_not_text(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    let sent = b"caf\xe9\n";
    let run = play(bench, sends(sent, 1), &[])?;
    let reject = |what: String| run.reject().with("sent", quoted(sent)).with("what", what).at_any(last_receive(&run));
    if let Some(panic) = run.returned().strip_prefix("panicked: ") {
        return Err(reject(format!("Your function panicked over it: {panic}")).into());
    }
    match fault(run.answer()?, &[line(b"caf\xe9")]) {
        None => Ok(()),
        Some(what) => {
            simpler_first(bench, &[many(), two()])?;
            Err(reject(what).into())
        }
    }
}

fn endless_line_is_refused(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    /// What may be taken beyond the limit: nobody knows before it is there where the line ends.
    const SLACK: i64 = 64 << 10;
    let longest = [b'x'; MAX];
    let with_end = |count: usize| [vec![b'x'; count], b"\n".to_vec()].concat();
    let scenes = [
        (with_end(MAX), "A line of 1000 bytes came", line(&longest)),
        (with_end(MAX + 1), "A line of 1001 bytes came", Err(libc::EMSGSIZE)),
        (vec![b'x'; 128 << 10], "128 KiB without a \\n came", Err(libc::EMSGSIZE)),
    ];
    for (bytes, came, want) in scenes {
        let run = play(bench, sends(&bytes, 1), &[])?;
        let taken: i64 = receives(&run).iter().filter_map(|call| call.outcome.value).filter(|&count| count > 0).sum();
        let what = match run.answer()?.first() {
            Some(got) if *got != want => format!("{came}, and you returned {}.", told(got)),
            _ if taken > MAX as i64 + SLACK => format!("{came}, and you took {taken} bytes of it before you said no."),
            _ => continue,
        };
        simpler_first(bench, &[many(), two()])?;
        return Err(run.reject().with("what", what).at_any(last_receive(&run)).into());
    }
    Ok(())
}

fn not_a_call_per_byte(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    const MOST: usize = 8;
    let lines = [vec![b'x'; 511], b"\n".to_vec()].concat().repeat(8);
    let run = play(bench, sends(&lines, 8), &[])?;
    run.answer()?;
    let calls = receives(&run);
    if calls.len() <= MOST {
        return Ok(());
    }
    simpler_first(bench, &[many(), two()])?;
    let rejection = run.reject().with("calls", calls.len()).with("bytes", lines.len());
    Err(rejection.at_any(calls.get(1).map(|call| call.index)).into())
}

fn needs_no_recv_when_carry_has_a_line(bench: &Bench<In, Vec<Line>>) -> Result<(), Fault> {
    let scene = In { carry: b"line\nrest".to_vec(), sends: None, calls: 1 };
    let run = play(bench, scene, &[])?;
    if let Some(call) = receives(&run).first() {
        return Err(run.reject().with("what", format!("you called {}", call.request())).at(call.index).into());
    }
    match fault(run.answer()?, &[line(b"line")]) {
        None => Ok(()),
        Some(_) => {
            let got = told(&run.answer()?[0]);
            Err(run.reject().with("what", format!("you returned {got}")).into())
        }
    }
}
