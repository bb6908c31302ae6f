//! `echo/echo-connection`

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{DEADLINE, Door, End, Heard, PATIENCE, Page, Talker, beside, difference, pattern};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("echo/echo-connection", "echoes_every_byte", call, echoes_every_byte)
        .check("echo/echo-connection", "echoes_before_the_end", call, echoes_before_the_end)
        .check("echo/echo-connection", "half_closed_client_gets_the_rest", call, half_closed_client_gets_the_rest)
        .check("echo/echo-connection", "survives_short_sends_and_signals", call, survives_short_sends_and_signals)
        .check("echo/echo-connection", "a_vanished_client_is_an_errno", call, a_vanished_client_is_an_errno)
        .check("echo/echo-connection", "counts_the_bytes", call, counts_the_bytes)
        .check("echo/echo-connection", "leaves_the_connection_open", call, leaves_the_connection_open);
}

/// The connection that the function is lent.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    /// Where its client waits.
    client: SocketAddrV4,
    /// It has the smallest send buffer that there is.
    little_room: bool,
    /// Afterwards a byte is sent over it.
    goes_on: bool,
}

/// What came of the call.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<u64, i32>,
    /// What the send afterwards said.
    afterwards: Result<(), i32>,
}

type Lent<'a> = Bench<'a, Scene, Answer>;

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let conn = calls::connect_to(scene.client).expect("a client");
    if scene.little_room {
        setsockopt(&conn, sockopt::SndBuf, &1).expect("a small buffer");
    }
    // From here on it is a number: a function may close it, although it should not.
    let number = conn.into_raw_fd();
    let said = stage.call("echo_connection(conn)", || {
        // SAFETY: the descriptor is open, and nothing here closes it before the function returns.
        (page.echo_connection)(unsafe { BorrowedFd::borrow_raw(number) })
    });
    let afterwards = match scene.goes_on {
        true => send(number, b"!", MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT).map(drop),
        false => Ok(()),
    };
    Answer { said: said.map_err(|errno| errno as i32), afterwards: afterwards.map_err(|errno| errno as i32) }
}

/// Plays it with this client.
fn with_client<Seen: Send>(
    bench: &Lent<'_>,
    door: &Door,
    scene: Scene,
    injections: Vec<Injection>,
    client: impl FnOnce(Talker) -> Seen + Send,
) -> Result<(Run<Answer>, Seen), Fault> {
    let setting = injections.into_iter().fold(bench.setting()?.deadline(DEADLINE), |setting, one| setting.inject(one));
    let (run, seen) = beside(door, || setting.play(scene), || door.comes().map(client))?;
    Ok((run, seen.ok_or_else(|| Fault::trouble("nobody connected to the client"))?))
}

fn scene(door: &Door) -> Scene {
    Scene { client: door.address, little_room: false, goes_on: false }
}

/// A client that says this, in odd pieces, and that it was all; and then hears it out.
fn echo_of(bench: &Lent<'_>, message: &[u8], injections: Vec<Injection>) -> Result<(Run<Answer>, Heard), Fault> {
    const PIECES: [usize; 9] = [1, 2, 7, 255, 256, 1000, 4093, 16384, 31];
    let door = Door::open()?;
    with_client(bench, &door, scene(&door), injections, |mut client| {
        let mut rest = message;
        for piece in PIECES.into_iter().cycle() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            if now.is_empty() || !client.say(now) {
                break;
            }
            rest = later;
            if now.len() == PIECES[0] {
                client.wait_until_read(); // so that the first recv never finds all
            }
        }
        client.finish();
        client.hear_out()
    })
}

/// Whether all rounds went well; or else the first that did not, from 0, and how the hearing ended there.
type Rounds = Result<(), (usize, End)>;

/// A client that never goes on before it has heard its echo, for so many rounds.
fn rounds(bench: &Lent<'_>, count: usize) -> Result<(Run<Answer>, Rounds), Fault> {
    let door = Door::open()?;
    with_client(bench, &door, scene(&door), Vec::new(), |mut client| {
        let message = pattern(300);
        let mut result = Ok(());
        for round in 0..count {
            client.say(&message);
            let heard = client.hear(message.len());
            if heard.bytes != message {
                result = Err((round, heard.end));
                break;
            }
        }
        client.finish();
        let rest = client.hear_out();
        if result.is_ok() && !rest.bytes.is_empty() {
            result = Err((count, rest.end));
        }
        result
    })
}

/// Leaves a function that goes wrong in the simplest cases to the checks that say so.
fn works(bench: &Lent<'_>) -> Result<(), Fault> {
    match rounds(bench, 2)?.1 {
        Ok(()) => {}
        Err((0, End::Silence)) => {
            return Err(Fault::waits("echoes_before_the_end", "it does not echo what comes at once"));
        }
        Err(_) => return Err(Fault::waits("echoes_every_byte", "it does not echo what comes")),
    }
    match goes_on_after_the_end(bench)? {
        true => Ok(()),
        false => Err(Fault::waits("half_closed_client_gets_the_rest", "it stops when the client has finished sending")),
    }
}

/// Whether a client that has finished sending gets all of its echo.
fn goes_on_after_the_end(bench: &Lent<'_>) -> Result<bool, Fault> {
    let (run, heard, message) = half_closed(bench)?;
    run.answer()?;
    Ok(heard.bytes == message)
}

/// A client that has finished sending before it reads anything: there is little room on the way back, so the function cannot
/// have sent more than a little by then. And what was sent.
fn half_closed(bench: &Lent<'_>) -> Result<(Run<Answer>, Heard, Vec<u8>), Fault> {
    // It fits into the function's receive buffer.
    let message = pattern(40_000);
    let door = Door::hard_of_hearing()?;
    let scene = Scene { little_room: true, ..scene(&door) };
    let (run, heard) = with_client(bench, &door, scene, Vec::new(), |mut client| {
        client.say(&message);
        client.finish();
        client.hear_out()
    })?;
    Ok((run, heard, message))
}

/// The last line that had to do with the connection.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    const WORDS: [&str; 10] =
        ["recvfrom", "recvmsg", "read", "sendto", "sendmsg", "write", "shutdown", "close", "poll", "fcntl"];
    run.calls_of(&WORDS).last().map(|call| call.index)
}

fn echoes_every_byte(bench: &Lent<'_>) -> Result<(), Fault> {
    let message = pattern(150_000);
    let (run, heard) = echo_of(bench, &message, Vec::new())?;
    run.answer()?;
    let Some(k) = difference(&message, &heard.bytes) else {
        return Ok(());
    };
    if let (_, Ok(())) = rounds(bench, 2)? {
        // It does echo; so what is wrong may be that it stops too soon.
        works(bench)?;
    }
    let got = heard.bytes.get(k).map_or(heard.end.to_string(), u8::to_string);
    let want = message.get(k).map_or("the end".to_string(), u8::to_string);
    Err(run.reject().with("k", k).with("got", got).with("want", want).at_any(last_line(&run)).into())
}

fn echoes_before_the_end(bench: &Lent<'_>) -> Result<(), Fault> {
    let (run, heard) = rounds(bench, 20)?;
    run.answer()?;
    match heard {
        Ok(()) => Ok(()),
        Err((0, End::Silence)) => Err(run.reject().at_any(run.calls("recvfrom").first().map(|call| call.index)).into()),
        Err(_) => Err(Fault::waits("echoes_every_byte", "it does not echo what comes")),
    }
}

fn half_closed_client_gets_the_rest(bench: &Lent<'_>) -> Result<(), Fault> {
    let (run, heard, message) = half_closed(bench)?;
    run.answer()?;
    if heard.bytes == message {
        return Ok(());
    }
    if let (_, Err(_)) = rounds(bench, 2)? {
        return Err(Fault::waits("echoes_every_byte", "it does not echo what comes"));
    }
    let n = difference(&message, &heard.bytes).unwrap_or(heard.bytes.len());
    Err(run.reject().with("n", n).with("m", message.len()).at_any(last_line(&run)).into())
}

fn survives_short_sends_and_signals(bench: &Lent<'_>) -> Result<(), Fault> {
    const SENDS: [&str; 2] = ["sendto", "write"];
    let message = pattern(300);

    let (run, heard) = echo_of(bench, &message, vec![Injection::shorten(&SENDS, 2, 1)])?;
    run.answer()?;
    if heard.bytes != message {
        works(bench)?;
        let short = run.calls_of(&SENDS).get(1).map(|call| call.index);
        let lost = message.len().saturating_sub(heard.bytes.len());
        let what = format!("{lost} bytes were lost when the kernel took less than was offered");
        return Err(run.reject().with("what", what).at_any(short).into());
    }
    for (name, names) in [("recv", &["recvfrom", "read"]), ("send", &SENDS)] {
        let (run, heard) = echo_of(bench, &message, vec![Injection::fail(names, 1, libc::EINTR)])?;
        let said = run.answer()?.said;
        if said.is_ok() && heard.bytes == message {
            continue;
        }
        works(bench)?;
        let interrupted = run.calls_of(names).first().map(|call| call.index);
        let what = match said {
            Ok(_) => format!("{name} said EINTR, and {} bytes came back of 300", heard.bytes.len()),
            Err(_) => format!("{name} said EINTR, which is only a signal, and you returned {}", run.returned()),
        };
        return Err(run.reject().with("what", what).at_any(interrupted).into());
    }
    Ok(())
}

fn a_vanished_client_is_an_errno(bench: &Lent<'_>) -> Result<(), Fault> {
    let door = Door::open()?;
    let (run, ()) = with_client(bench, &door, scene(&door), Vec::new(), |client| client.reset())?;
    vanished(&run)?;

    // One that has finished sending, and vanishes when the first bytes of its echo have come; the others cannot leave.
    let door = Door::hard_of_hearing()?;
    let scene = Scene { little_room: true, ..scene(&door) };
    let (run, begun) = with_client(bench, &door, scene, Vec::new(), |mut client| {
        client.say(&pattern(40_000));
        client.finish();
        let begun = first_byte(&client);
        client.reset();
        begun
    })?;
    if !begun? || run.answer()?.said.is_ok() {
        works(bench)?;
    }
    vanished(&run)
}

/// Waits until there is something to read.
fn first_byte(client: &Talker) -> Result<bool, Errno> {
    let mut asked = [PollFd::new(client.0.as_fd(), PollFlags::POLLIN)];
    poll(&mut asked, PollTimeout::try_from(PATIENCE).map_err(|_| Errno::EINVAL)?)?;
    Ok(asked[0].revents() == Some(PollFlags::POLLIN))
}

/// An end of the client's that was no orderly end must be an error.
fn vanished(run: &Run<Answer>) -> Result<(), Fault> {
    match run.answer()?.said {
        Err(libc::ECONNRESET | libc::EPIPE) => Ok(()),
        _ => {
            let what = format!("you returned {}", run.returned());
            Err(run.reject().with("what", what).at_any(last_line(run)).into())
        }
    }
}

fn counts_the_bytes(bench: &Lent<'_>) -> Result<(), Fault> {
    let message = pattern(10_000);
    let (run, heard) = echo_of(bench, &message, Vec::new())?;
    if run.answer()?.said == Ok(message.len() as u64) {
        return Ok(());
    }
    if heard.bytes != message {
        works(bench)?;
    }
    let got = run.returned();
    Err(run.reject().with("want", message.len()).with("got", got).at_any(last_line(&run)).into())
}

fn leaves_the_connection_open(bench: &Lent<'_>) -> Result<(), Fault> {
    let door = Door::open()?;
    let scene = Scene { goes_on: true, ..scene(&door) };
    let (run, _) = with_client(bench, &door, scene, Vec::new(), |mut client| {
        client.say(b"0123456789");
        client.finish();
        client.hear_out()
    })?;
    let what = match run.answer()?.afterwards {
        Ok(()) => return Ok(()),
        Err(libc::EBADF) => "you closed it".to_string(),
        Err(libc::EPIPE) => "you shut it down, and nothing can be sent on it any more".to_string(),
        Err(errno) => format!("a send on it says {:?} now", Errno::from_raw(errno)),
    };
    let line = run.calls_of(&["close", "shutdown"]).last().map(|call| call.index);
    Err(run.reject().with("what", what).at_any(line).into())
}
