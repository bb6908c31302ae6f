//! `send/send-all-by`

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Bench, Fault, Run, Seen, Stage, Suite, again_if_busy};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{MsgFlags, recv, send, setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::{Heard, Page, Peer, bytes, read_all, reader, reset, sends, wait_for, waiting};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("send/send-all-by", "arrives_through_a_slow_reader", call, arrives_through_a_slow_reader)
        .check("send/send-all-by", "waits_instead_of_spinning", call, waits_instead_of_spinning)
        .check("send/send-all-by", "deadline_is_kept", call, deadline_is_kept)
        .check("send/send-all-by", "says_how_far_it_got", call, says_how_far_it_got)
        .check("send/send-all-by", "mode_is_left_alone", call, mode_is_left_alone)
        .check("send/send-all-by", "a_dead_peer_ends_the_wait", call, a_dead_peer_ends_the_wait);
}

/// To whom, how much and for how long.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    to: SocketAddrV4,
    bytes: usize,
    patience_ms: u64,
    /// Whether a signal comes every 20 ms.
    signals: bool,
    /// Whether the buffers are full already.
    full: bool,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<(), (usize, i32)>,
    /// How long after the deadline it returned; below 0 if it was before.
    late_ms: i64,
    took_ms: u64,
    /// Whether the socket still is non-blocking.
    nonblocking: bool,
}

/// The size of the buffers on both sides: small, so that they are soon full, and still some of loopback's large packets.
const BUFFER: usize = 256 * 1024;
/// What the slow reader is sent.
const MUCH: usize = 4 << 20;
/// The patience where it is to run out.
const SHORT: u64 = 200;
/// How late is too late.
const TOO_LATE: i64 = 150;
/// How much later is surely no fault of a busy machine.
const SURELY_LATE: i64 = 350;
/// When a peer that reads nothing resets the connection: nobody is to wait for ever.
const LONGEST: Duration = Duration::from_millis(800);

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let socket = connected(scene.to).expect("a non-blocking connection");
    if scene.full {
        fill(&socket).expect("full buffers");
    }
    let data = bytes(scene.bytes);
    if scene.signals {
        stage.interrupt_every(Duration::from_millis(20));
    }
    let start = Instant::now();
    let deadline = start + Duration::from_millis(scene.patience_ms);
    let mut end = start;
    let label = format!("send_all_by(fd, [{} bytes], in {} ms)", scene.bytes, scene.patience_ms);
    let said = stage.call(label, || {
        let said = (page.send_all_by)(socket.as_fd(), &data, deadline);
        end = Instant::now();
        said
    });
    if scene.signals {
        stage.calm();
    }
    let milliseconds = |duration: Duration| duration.as_millis() as i64;
    let flags = fcntl(&socket, FcntlArg::F_GETFL).expect("the socket's flags");
    Answer {
        said: said.map_err(|(done, errno)| (done, errno as i32)),
        late_ms: milliseconds(end.saturating_duration_since(deadline))
            - milliseconds(deadline.saturating_duration_since(end)),
        took_ms: milliseconds(end - start) as u64,
        nonblocking: OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK),
    }
}

fn connected(to: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = calls::connect_to(to)?;
    setsockopt(&socket, sockopt::SndBuf, &BUFFER)?;
    let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
    fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(socket)
}

/// Sends until there is no room.
fn fill(socket: &OwnedFd) -> Result<(), Errno> {
    let data = vec![b'x'; BUFFER];
    loop {
        match send(socket.as_raw_fd(), &data, MsgFlags::MSG_NOSIGNAL) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

/// The calls in which a program waits for a socket.
const WAITS: [&str; 7] = ["poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"];

/// The line that made the socket blocking.
fn switched(run: &Run<Answer>) -> Option<Seen<'_>> {
    run.calls_of(&["fcntl", "ioctl"])
        .into_iter()
        .find(|call| call.args.iter().any(|arg| arg.text == "F_SETFL" || arg.text == "FIONBIO"))
}

/// What a function that switches the mode does further is told by `mode_is_left_alone`.
fn left_alone(run: &Run<Answer>) -> Result<(), Fault> {
    match switched(run) {
        Some(_) => Err(Fault::waits("mode_is_left_alone", "the socket was made blocking")),
        None => Ok(()),
    }
}

/// What a slow reader heard of much, and the run.
fn through_a_slow_reader(bench: &Bench<Scene, Answer>) -> Result<(Run<Answer>, Heard), Fault> {
    let (run, heard) = through_a_slow_reader_within(bench, 600)?;
    // This machine may be busy: who woke up in time and did not get through is given more of it.
    let woke_up = run.calls_of(&WAITS).iter().any(|call| call.outcome.value > Some(0));
    match run.answer() {
        Ok(Answer { said: Err((_, libc::ETIMEDOUT)), .. }) if woke_up => through_a_slow_reader_within(bench, 8000),
        _ => Ok((run, heard)),
    }
}

fn through_a_slow_reader_within(bench: &Bench<Scene, Answer>, patience_ms: u64) -> Result<(Run<Answer>, Heard), Fault> {
    let peer = Peer::who(Some(BUFFER), |socket| {
        wait_for("the sender's first bytes", || Ok(waiting(&socket)? > 0)).map_err(|_| Errno::ETIMEDOUT)?;
        thread::sleep(Duration::from_millis(40)); // Nobody reads for a while. This proves nothing; it makes the others wait.
        let mut next = MUCH / 3;
        read_all(&socket, 1 << 16, 2 * MUCH, |so_far| {
            if so_far > next {
                next += MUCH / 3;
                thread::sleep(Duration::from_millis(10));
            }
        })
    })?;
    let run = bench.play(Scene { to: peer.address, bytes: MUCH, patience_ms, signals: false, full: false })?;
    let heard = peer.tells()?;
    Ok((run, heard))
}

fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.trace().events.len().checked_sub(1)
}

fn arrives_through_a_slow_reader(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, heard) = through_a_slow_reader(bench)?;
    left_alone(&run)?;
    let answer = run.answer()?;
    let want = bytes(MUCH);
    if answer.said.is_ok() && heard.bytes == want {
        return Ok(());
    }
    let right = heard.bytes.iter().zip(&want).take_while(|(got, want)| got == want).count();
    let got = match heard.bytes.len() {
        more if more > right => format!("{right} (and {} that are not in their place)", more - right),
        _ => right.to_string(),
    };
    let rejection = run.reject().with("got", got).with("want", MUCH).with("said", run.returned());
    Err(rejection.at_any(last_line(&run)).into())
}

fn waits_instead_of_spinning(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (run, heard) = through_a_slow_reader(bench)?;
    left_alone(&run)?;
    let sends = sends(&run);
    let not_now: Vec<&Seen> = sends.iter().filter(|call| call.errno() == Some("EAGAIN")).collect();
    let (n, polls) = (not_now.len(), run.calls_of(&WAITS).len());
    // Who waits for room until it comes, or the time is up, is told only once that the time is up.
    let in_vain = run.calls_of(&WAITS).iter().filter(|call| call.outcome.value == Some(0)).count();
    if n > polls + 1 || in_vain > 2 {
        let t = run.answer()?.took_ms;
        let rejection = run.reject().with("n", n).with("t", t).with("polls", polls);
        return Err(rejection.at_any(not_now.get(1).map(|call| call.index)).into());
    }
    match run.answer()?.said.is_ok() && heard.bytes.len() == MUCH {
        true => Ok(()),
        false => Err(Fault::waits("arrives_through_a_slow_reader", "not everything arrived")),
    }
}

/// A peer that reads nothing until it is told to, and then everything there is. When that takes too long it hangs up.
fn later_reader() -> Result<(Peer<Heard>, Sender<()>), Fault> {
    let (tell, hear) = mpsc::channel();
    let peer = Peer::who(Some(BUFFER), move |socket| {
        if hear.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            reset(&socket)?;
            return Ok(Heard { bytes: Vec::new(), end: Err(Errno::ECONNABORTED) });
        }
        read_all(&socket, 1 << 16, 1 << 26, |_| ())
    })?;
    Ok((peer, tell))
}

/// A peer that reads in small pieces for a while, so that there is room again and again, and then nothing more.
fn trickling_reader() -> Result<(Peer<Heard>, Sender<()>), Fault> {
    let (tell, hear) = mpsc::channel();
    let peer = Peer::who(Some(BUFFER), move |socket| {
        let mut buffer = vec![0; BUFFER / 2];
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(400) {
            thread::sleep(Duration::from_millis(5)); // The pace of a slow peer.
            if !matches!(recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()), Ok(1..)) {
                break;
            }
        }
        if hear.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            reset(&socket)?;
        }
        Ok(Heard { bytes: Vec::new(), end: Ok(()) })
    })?;
    Ok((peer, tell))
}

fn deadline_is_kept(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    for (place, trickles, signals) in [
        ("The peer read nothing", false, false),
        ("The peer read in small pieces", true, false),
        ("The peer read nothing, and a signal came every 20 ms", false, true),
    ] {
        let play = || {
            let (peer, tell) = if trickles { trickling_reader()? } else { later_reader()? };
            let scene = Scene { to: peer.address, bytes: 16 << 20, patience_ms: SHORT, signals, full: true };
            let run = bench.play(scene);
            drop(tell);
            run
        };
        let run = again_if_busy(4, play, busy)?;
        left_alone(&run)?;
        waits_at_all(&run)?;
        if let Some(what) = too_late(&run)? {
            return Err(run.reject().with("where", place).with("what", what).at_any(last_line(&run)).into());
        }
    }
    Ok(())
}

/// What a function that does not wait does further is told by `arrives_through_a_slow_reader`.
fn waits_at_all(run: &Run<Answer>) -> Result<(), Fault> {
    match run.answer() {
        Ok(Answer { said: Err((_, libc::EAGAIN)), .. }) => {
            Err(Fault::waits("arrives_through_a_slow_reader", "a full buffer was taken for an error"))
        }
        _ => Ok(()),
    }
}

/// Whether this machine may be to blame: it gave up late, or the peer hung up before it could. One that is surely late is
/// tried again only once, since that takes long.
fn busy(run: &Run<Answer>, tries: usize) -> bool {
    run.answer().is_ok_and(|Answer { said, late_ms, .. }| match said {
        Ok(()) => false,
        Err((_, libc::ECONNRESET | libc::EPIPE)) => *late_ms <= TOO_LATE || tries < 2,
        Err((_, libc::ETIMEDOUT)) => *late_ms >= TOO_LATE && (*late_ms < SURELY_LATE || tries < 3),
        Err(_) => false,
    })
}

/// What is wrong with the end of a call that could not be done in time.
fn too_late(run: &Run<Answer>) -> Result<Option<String>, Fault> {
    let answer = run.answer()?;
    Ok(match answer.said {
        Ok(()) => Some("you said that everything was sent".to_string()),
        Err((_, libc::ECONNRESET | libc::EPIPE)) if answer.late_ms > TOO_LATE => {
            Some(format!("{} ms after the deadline, when the peer hung up, you were still waiting", answer.late_ms))
        }
        Err((_, errno)) if errno != libc::ETIMEDOUT => Some(format!("you returned {}", run.returned())),
        Err(_) if answer.late_ms > TOO_LATE => Some(format!("you gave up {} ms late", answer.late_ms)),
        Err(_) if answer.late_ms < -5 => Some(format!("you gave up {} ms early", -answer.late_ms)),
        Err(_) => None,
    })
}

fn says_how_far_it_got(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let play = || -> Result<(Run<Answer>, Heard), Fault> {
        let (peer, tell) = later_reader()?;
        let run =
            bench.play(Scene { to: peer.address, bytes: 16 << 20, patience_ms: SHORT, signals: false, full: false })?;
        drop(tell); // The child is gone; now the peer reads all that there is.
        Ok((run, peer.tells()?))
    };
    let (run, heard) = again_if_busy(4, play, |(run, heard), _| {
        // The peer hung up before the child was gone.
        let gave_up = run.answer().is_ok_and(|answer| matches!(answer.said, Err((_, libc::ETIMEDOUT))));
        gave_up && heard.end.is_err()
    })?;
    left_alone(&run)?;
    let Err((got, libc::ETIMEDOUT)) = run.answer()?.said else {
        waits_at_all(&run)?;
        return Err(Fault::waits("deadline_is_kept", "it did not end with ETIMEDOUT"));
    };
    match heard.bytes.len() {
        want if want == got => Ok(()),
        want => Err(run.reject().with("want", want).with("got", got).at_any(last_line(&run)).into()),
    }
}

fn mode_is_left_alone(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    const COUNT: usize = 200_000;
    let peer = reader(2 * COUNT)?;
    let run = bench.play(Scene { to: peer.address, bytes: COUNT, patience_ms: 5000, signals: false, full: false })?;
    peer.tells()?;
    if let Some(call) = switched(&run) {
        return Err(run.reject().with("line", call.request()).at(call.index).into());
    }
    match run.answer()?.nonblocking {
        true => Ok(()),
        false => Err(run.reject().with("line", "it is blocking now").into()),
    }
}

fn a_dead_peer_ends_the_wait(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    // On a busy machine the reset may come before the wait.
    let woken_by_it = |run: &Run<Answer>| run.calls_of(&WAITS).iter().any(|call| call.outcome.text.contains("POLLERR"));
    again_if_busy(5, || with_a_dying_peer(bench), |run, _| !woken_by_it(run)).map(drop)
}

/// A run in which the peer resets the connection when nothing more comes.
fn with_a_dying_peer(bench: &Bench<Scene, Answer>) -> Result<Run<Answer>, Fault> {
    let peer = Peer::who(Some(BUFFER), |socket| {
        // When nothing more comes for a while, the sender waits for room.
        let (mut last, mut since) = (0, Instant::now());
        wait_for("the sender to fill the buffers", || {
            let now = waiting(&socket)?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            Ok(last > 0 && since.elapsed() > Duration::from_millis(60))
        })
        .map_err(|_| Errno::ETIMEDOUT)?;
        reset(&socket)
    })?;
    let scene = Scene { to: peer.address, bytes: 16 << 20, patience_ms: 800, signals: false, full: false };
    let run = bench.play(scene)?;
    peer.tells()?;
    left_alone(&run)?;
    waits_at_all(&run)?;
    match run.answer()?.said {
        Err((_, libc::ECONNRESET | libc::EPIPE)) => Ok(run),
        _ => Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into()),
    }
}
