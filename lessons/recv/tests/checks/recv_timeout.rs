//! `recv/recv-timeout`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Bench, Fault, Run, Stage, Suite, again_if_busy};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

use super::{END, Page, await_at, connection, finish, name, reset};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("recv/recv-timeout", "data_comes_through", call, data_comes_through)
        .check("recv/recv-timeout", "silence_is_etimedout_on_time", call, silence_is_etimedout_on_time)
        .check("recv/recv-timeout", "end_of_file_is_zero_not_timeout", call, end_of_file_is_zero_not_timeout)
        .check("recv/recv-timeout", "socket_is_unchanged", call, socket_is_unchanged)
        .check("recv/recv-timeout", "signals_do_not_stretch_it", call, signals_do_not_stretch_it)
        .check("recv/recv-timeout", "reset_comes_out", call, reset_comes_out)
        .check("recv/recv-timeout", "zero_means_now", call, zero_means_now);
}

/// What the other end does.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Peer {
    /// It has sent five bytes.
    HasSpoken,
    /// It has finished.
    HasFinished,
    /// At this address somebody does something, a while after a first byte came to him.
    IsAt(SocketAddrV4),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct In {
    peer: Peer,
    limit: Duration,
    /// Whether signals come meanwhile.
    signals: bool,
    /// Whether the socket has O_NONBLOCK and a limit of its own already.
    prepared: bool,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<usize, i32>,
    took: Duration,
    /// What the function left behind in the socket.
    changed: Option<String>,
}

/// Between two signals.
const BETWEEN: Duration = Duration::from_millis(15);

fn call(page: &Page, stage: &mut Stage, scene: In) -> Answer {
    let (socket, _other) = ends(scene.peer).expect("a connection");
    if scene.prepared {
        let limit = TimeVal::seconds(5);
        setsockopt(&socket, sockopt::ReceiveTimeout, &limit).expect("a limit");
        fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a flag");
    }
    let before = mode(socket.as_fd()).expect("the socket's mode");
    let mut buffer = [0; 64];
    let label = format!("recv_timeout(fd, &mut [0; 64], {:?})", scene.limit);
    if let Peer::IsAt(_) = scene.peer {
        calls::send_all(&socket, b"!").expect("to say that it begins");
    }
    if scene.signals {
        stage.interrupt_every(BETWEEN);
    }
    let start = Instant::now();
    let mut took = Duration::ZERO;
    let said = stage.call(label, || {
        let said = (page.recv_timeout)(socket.as_fd(), &mut buffer, scene.limit);
        took = start.elapsed();
        said
    });
    if scene.signals {
        stage.calm();
    }
    let after = mode(socket.as_fd()).expect("the socket's mode");
    Answer { said: said.map_err(|errno| errno as i32), took, changed: difference(before, after) }
}

/// The function's end of a connection, and the other one if it is ours.
fn ends(peer: Peer) -> Result<(OwnedFd, Option<OwnedFd>), Errno> {
    if let Peer::IsAt(address) = peer {
        return Ok((calls::connect_to(address)?, None));
    }
    let (other, socket) = connection()?;
    match peer {
        Peer::HasFinished => {
            finish(&other)?;
            await_at(&socket, END)?;
        }
        _ => {
            calls::send_all(&other, b"hello")?;
            await_at(&socket, PollFlags::POLLIN)?;
        }
    }
    Ok((socket, Some(other)))
}

/// Whether calls on it wait, and how long.
fn mode(socket: BorrowedFd<'_>) -> Result<(bool, TimeVal), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    Ok((flags.contains(OFlag::O_NONBLOCK), getsockopt(&socket, sockopt::ReceiveTimeout)?))
}

fn difference(before: (bool, TimeVal), after: (bool, TimeVal)) -> Option<String> {
    if before.0 != after.0 {
        return Some(if after.0 { "O_NONBLOCK set" } else { "O_NONBLOCK cleared" }.to_string());
    }
    (before.1 != after.1).then(|| format!("SO_RCVTIMEO at {:.3} s", after.1.num_microseconds() as f64 / 1e6))
}

/// A peer in this process: whoever connects to it and sends a byte gets this, so long after.
fn somebody(does: fn(&OwnedFd) -> Result<(), Errno>, after: Duration) -> Result<SocketAddrV4, Fault> {
    let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 1)?;
    let address = calls::local_address(&listener)?;
    thread::spawn(move || -> Result<(), Errno> {
        await_at(&listener, PollFlags::POLLIN)?;
        let socket = calls::accept_one(&listener)?;
        let mut begun = [0];
        calls::recv_exact(&socket, &mut begun)?;
        thread::sleep(after);
        // If the function has returned meanwhile, nobody is there to hear it, and that is right too.
        does(&socket)?;
        await_at(&socket, PollFlags::POLLIN)
    });
    Ok(address)
}

fn speaks(socket: &OwnedFd) -> Result<(), Errno> {
    calls::send_all(socket, b"hello")
}

/// How long after the beginning a peer speaks that should not be waited for.
const TOO_LATE: Duration = Duration::from_millis(450);
/// Long enough for anything that should be there soon.
const LONG: Duration = Duration::from_millis(800);

impl In {
    fn new(peer: Peer, limit: Duration) -> In {
        In { peer, limit, signals: false, prepared: false }
    }
}

/// The last line that had to do with waiting or receiving.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["poll", "ppoll", "select", "pselect6", "epoll_wait", "recvfrom", "read", "recvmsg", "setsockopt"])
        .last()
        .map(|call| call.index)
}

fn told(said: &Result<usize, i32>) -> String {
    match said {
        Ok(count) => format!("Ok({count})"),
        Err(errno) => format!("Err({})", name(*errno)),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1000.0)
}

fn data_comes_through(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    for (soon, when) in [(false, "before you were called"), (true, "after 30 ms")] {
        let play = || {
            let peer = if soon { Peer::IsAt(somebody(speaks, Duration::from_millis(30))?) } else { Peer::HasSpoken };
            bench.play(In::new(peer, LONG))
        };
        let mut run = play()?;
        for _ in 0..3 {
            // Too late may be the fault of a busy machine.
            if !matches!(run.answer()?, Answer { said: Ok(5), took, .. } if *took >= LONG) {
                break;
            }
            run = play()?;
        }
        let Answer { said, took, .. } = run.answer()?;
        let what = match said {
            Ok(5) if *took < LONG => continue,
            said => format!("After {} ms you said {}.", milliseconds(*took), told(said)),
        };
        return Err(run.reject().with("when", when).with("what", what).at_any(last_line(&run)).into());
    }
    Ok(())
}

/// Plays with a peer that speaks too late. On a busy machine the function may come later still, and find the words there: so
/// whoever heard them is asked again. One that waits for them hears them every time.
fn in_silence(bench: &Bench<In, Answer>, limit: Duration, signals: bool) -> Result<Run<Answer>, Fault> {
    let play = || bench.play(In { signals, ..In::new(Peer::IsAt(somebody(speaks, TOO_LATE)?), limit) });
    again_if_busy(4, play, |run, _| run.answer().is_ok_and(|answer| answer.said.is_ok()))
}

fn silence_is_etimedout_on_time(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let limit = Duration::from_millis(60);
    let run = in_silence(bench, limit, false)?;
    let Answer { said, took, .. } = run.answer()?;
    if *said == Err(libc::ETIMEDOUT) && *took >= limit {
        return Ok(());
    }
    let rejection = run.reject().with("limit", format!("{limit:?}")).with("t", milliseconds(*took));
    Err(rejection.with("got", told(said)).at_any(last_line(&run)).into())
}

/// What goes wrong in silence is told by `silence_is_etimedout_on_time`.
fn silence_is_right(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    match silence_is_etimedout_on_time(bench) {
        Err(Fault::Rejected(_)) => {
            Err(Fault::waits("silence_is_etimedout_on_time", "silence is not told rightly either"))
        }
        other => other,
    }
}

fn end_of_file_is_zero_not_timeout(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = bench.play(In::new(Peer::HasFinished, Duration::from_millis(200)))?;
    match &run.answer()?.said {
        Ok(0) => Ok(()),
        said => Err(run.reject().with("got", told(said)).at_any(last_line(&run)).into()),
    }
}

fn socket_is_unchanged(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let short = Duration::from_millis(30);
    let silent = In::new(Peer::IsAt(somebody(speaks, TOO_LATE)?), short);
    let scenes = [
        (In::new(Peer::HasSpoken, short), "Five bytes had come"),
        (silent, "Nothing had come"),
        (
            In { prepared: true, ..In::new(Peer::HasSpoken, short) },
            "The socket was non-blocking, and had a limit of 5 s",
        ),
    ];
    for (scene, words) in scenes {
        let run = bench.play(scene)?;
        if let Some(what) = &run.answer()?.changed {
            let at = run.calls_of(&["fcntl", "setsockopt", "ioctl"]).last().map(|call| call.index);
            return Err(run.reject().with("scene", words).with("what", what).at_any(at).into());
        }
    }
    Ok(())
}

fn signals_do_not_stretch_it(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let limit = Duration::from_millis(60);
    let run = in_silence(bench, limit, true)?;
    let Answer { said, took, .. } = run.answer()?;
    let what = match said {
        Err(libc::ETIMEDOUT) if *took >= limit => return Ok(()),
        Ok(_) => format!("You waited {} ms, until the peer spoke.", milliseconds(*took)),
        said => format!("After {} ms you said {}.", milliseconds(*took), told(said)),
    };
    silence_is_right(bench)?;
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}

fn reset_comes_out(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = bench.play(In::new(Peer::IsAt(somebody(reset, Duration::from_millis(30))?), LONG))?;
    match &run.answer()?.said {
        Err(libc::ECONNRESET) => Ok(()),
        said => Err(run.reject().with("got", told(said)).at_any(last_line(&run)).into()),
    }
}

fn zero_means_now(bench: &Bench<In, Answer>) -> Result<(), Fault> {
    let run = in_silence(bench, Duration::ZERO, false)?;
    let Answer { said, took, .. } = run.answer()?;
    let what = match said {
        Err(libc::ETIMEDOUT) => {
            let run = bench.play(In::new(Peer::HasSpoken, Duration::ZERO))?;
            match &run.answer()?.said {
                Ok(5) => return Ok(()),
                said => format!("five bytes were there: you said {}", told(said)),
            }
        }
        Ok(5) => format!("nothing was there: you waited {} ms, until the peer spoke", milliseconds(*took)),
        said => format!("nothing was there: you said {}", told(said)),
    };
    silence_is_right(bench)?;
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}
