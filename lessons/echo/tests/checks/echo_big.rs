//! `echo/echo-big`

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use grader::{Bench, Fault, Run, Seen, Setting, Stage, Suite};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Bytes, Door, Page, Talker, beside, difference, pattern};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("echo/echo-big", "no_deadlock", call, no_deadlock)
        .check("echo/echo-big", "identical", call, identical)
        .check("echo/echo-big", "waits_in_poll", call, waits_in_poll)
        .check("echo/echo-big", "asks_for_pollout_only_while_sending", call, asks_for_pollout_only_while_sending)
        .check("echo/echo-big", "finishes_sending_once", call, finishes_sending_once)
        .check("echo/echo-big", "server_dies_midway", call, server_dies_midway);
}

/// What the function is called with: a server, and so many bytes of the pattern.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Ask {
    server: SocketAddrV4,
    length: usize,
}

/// What came of the call.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Answer {
    /// So many bytes came back, and where they first differ from what was sent.
    Echo { count: usize, difference: Option<usize> },
    /// The errno.
    Failed(i32),
}

type Asking<'a> = Bench<'a, Ask, Answer>;

fn call(page: &Page, stage: &mut Stage, ask: Ask) -> Answer {
    let data = pattern(ask.length);
    let label = format!("echo_big({}, &[…; {}])", ask.server, ask.length);
    match stage.call(label, || (page.echo_big)(ask.server, &data).map(Bytes)) {
        Ok(Bytes(echo)) => Answer::Echo { count: echo.len(), difference: difference(echo, &data) },
        Err(errno) => Answer::Failed(*errno as i32),
    }
}

/// More than all the buffers on the way can hold, where the kernel's settings are the ordinary ones.
const BIG: usize = 6 << 20;
/// Enough to go round some times.
const SMALL: usize = 1 << 20;
/// How much room the server's end has.
const ROOM: usize = 64 << 10;
/// How long the function may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long the server's send may wait for the function to read. What is right reads within a thousandth of that.
const STUCK: Duration = Duration::from_millis(800);
/// How long the server waits for the end of file when it has echoed all.
const GRACE: Duration = Duration::from_millis(600);

/// What the server is like.
#[derive(Clone, Copy)]
struct Server {
    /// It is busy with something else for so long before it begins.
    busy: Duration,
    /// It resets the connection when it has echoed so many bytes.
    dies_after: usize,
    /// A client that never says that it has finished is let down; or else it may wait for its end for ever.
    impatient: bool,
}

const ORDINARY: Server = Server { busy: Duration::ZERO, dies_after: usize::MAX, impatient: true };

/// How it ended for the server.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The client had finished, and everything was sent back.
    Orderly,
    /// The client did not read, and there was no room to send.
    Stuck,
    /// The client had sent everything, and did not say so.
    Untold,
    /// The client was gone.
    Gone,
    /// It died, as it was told.
    Died,
}

/// Plays it with this server.
fn with_server(bench: &Asking<'_>, length: usize, server: Server) -> Result<(Run<Answer>, Option<End>), Fault> {
    let door = Door::with_room(ROOM)?;
    with_server_at(&door, &bench.setting()?.deadline(DEADLINE), length, server)
}

fn with_server_at(
    door: &Door,
    setting: &Setting<'_, Ask, Answer>,
    length: usize,
    server: Server,
) -> Result<(Run<Answer>, Option<End>), Fault> {
    let ask = Ask { server: door.address, length };
    beside(door, || setting.play(ask), || door.comes().map(|client| echo(client, length, server)))
}

/// An echo server for one client: it echoes as it reads.
fn echo(mut client: Talker, length: usize, server: Server) -> End {
    thread::sleep(server.busy);
    let (mut buffer, mut echoed) = (vec![0; ROOM], 0);
    let limits = |read| client.0.set_read_timeout(read).is_ok() && client.0.set_write_timeout(Some(STUCK)).is_ok();
    if !limits(None) {
        return End::Gone;
    }
    loop {
        if echoed >= server.dies_after {
            client.reset();
            return End::Died;
        }
        // When the child comes to its end, this comes to one too.
        if echoed >= length && server.impatient && client.0.set_read_timeout(Some(GRACE)).is_err() {
            return End::Gone;
        }
        let count = match client.0.read(&mut buffer) {
            Ok(0) => {
                client.finish();
                return End::Orderly;
            }
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                client.reset();
                return End::Untold;
            }
            Err(_) => return End::Gone,
        };
        match client.0.write_all(&buffer[..count]) {
            Ok(()) => echoed += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                client.reset();
                return End::Stuck;
            }
            Err(_) => return End::Gone,
        }
    }
}

/// Leaves what other checks say to them.
fn unless_told_elsewhere(end: Option<End>) -> Result<(), Fault> {
    match end {
        Some(End::Stuck) => Err(Fault::waits("no_deadlock", "it and the server were both asleep in send")),
        Some(End::Untold) => Err(Fault::waits("finishes_in_time", "it never says that it has finished")),
        _ => Ok(()),
    }
}

fn no_deadlock(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, end) = with_server(bench, BIG, Server { impatient: false, ..ORDINARY })?;
    if end != Some(End::Stuck) {
        return run.answer().map(drop);
    }
    let asleep = run.calls_of(&["sendto", "write", "sendmsg"]).last().map(|call| call.index);
    Err(run.reject().at_any(asleep).into())
}

fn identical(bench: &Asking<'_>) -> Result<(), Fault> {
    let door = Door::with_room(ROOM)?;
    // Whatever the machine's buffers are like, one send is short.
    let setting = bench.setting()?.deadline(DEADLINE).inject(Injection::shorten(&["sendto", "write"], 1, 1000));
    let (run, end) = with_server_at(&door, &setting, SMALL, ORDINARY)?;
    unless_told_elsewhere(end)?;
    let what = match *run.answer()? {
        Answer::Echo { difference: None, .. } => return Ok(()),
        Answer::Echo { count, difference: Some(k) } => {
            format!("{count} bytes came back of {SMALL}, the first difference at {k}")
        }
        Answer::Failed(_) => format!("you returned {}", run.returned()),
    };
    let last = run.calls_of(&["sendto", "recvfrom", "write", "read"]).last().map(|call| call.index);
    Err(run.reject().with("what", what).at_any(last).into())
}

const POLLS: [&str; 2] = ["poll", "ppoll"];

fn waits_in_poll(bench: &Asking<'_>) -> Result<(), Fault> {
    let busy = Duration::from_millis(50);
    let (run, end) = with_server(bench, SMALL, Server { busy, ..ORDINARY })?;
    unless_told_elsewhere(end)?;
    run.answer()?;
    let moves = run.calls_of(&["sendto", "recvfrom", "write", "read", "sendmsg", "recvmsg"]);
    let in_vain: Vec<&Seen<'_>> = moves.iter().filter(|call| call.errno() == Some("EAGAIN")).collect();
    let polls = run.calls_of(&POLLS);
    // One that comes back with nothing has not waited, or not long enough to be called so.
    let empty = polls.iter().filter(|poll| poll.outcome.value == Some(0)).count();
    let what = if in_vain.len() > polls.len() + 2 {
        format!("{} times you were told EAGAIN, and {} times you called poll", in_vain.len(), polls.len())
    } else if empty > 10 {
        format!("{empty} of your polls came back with nothing")
    } else {
        return Ok(());
    };
    Err(run.reject().with("what", what).at_any(in_vain.first().map(|call| call.index)).into())
}

/// The sends that took something.
fn sends<'a>(run: &'a Run<Answer>) -> Vec<Seen<'a>> {
    let mut sends = run.calls_of(&["sendto", "write", "sendmsg"]);
    sends.retain(|call| call.outcome.value.is_some_and(|count| count > 0));
    sends
}

fn asks_for_pollout_only_while_sending(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, end) = with_server(bench, SMALL, ORDINARY)?;
    unless_told_elsewhere(end)?;
    run.answer()?;
    let Some(last) = sends(&run).last().map(|call| call.index) else {
        return Err(Fault::waits("identical", "it never sends anything"));
    };
    let asks = |poll: &Seen<'_>| poll.args.first().is_some_and(|asked| asked.text.contains("POLLOUT"));
    match run.calls_of(&POLLS).iter().find(|poll| poll.index > last && asks(poll)) {
        Some(poll) => Err(run.reject().at(poll.index).into()),
        None => Ok(()),
    }
}

fn finishes_sending_once(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, end) = with_server(bench, SMALL, ORDINARY)?;
    unless_told_elsewhere(end)?;
    run.answer()?;
    let told = run.calls("shutdown");
    let last = sends(&run).last().map(|call| call.index);
    let when = match told.as_slice() {
        [once] if last.is_none_or(|last| last < once.index) => return Ok(()),
        [_] => "came before the last byte".to_string(),
        [] => "never came: you closed the connection, or the server did".to_string(),
        more => format!("came {} times", more.len()),
    };
    Err(run.reject().with("when", when).at_any(told.last().map(|call| call.index)).into())
}

fn server_dies_midway(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, end) = with_server(bench, SMALL, Server { dies_after: SMALL / 4, ..ORDINARY })?;
    unless_told_elsewhere(end)?;
    match *run.answer()? {
        Answer::Failed(_) => Ok(()),
        Answer::Echo { count, .. } => {
            let got = format!("Ok, with {count} bytes of {SMALL}");
            let reset = run.calls_of(&["recvfrom", "sendto", "read", "write"]);
            let reset = reset.iter().find(|call| call.errno().is_some_and(|errno| errno != "EAGAIN"));
            Err(run.reject().with("got", got).at_any(reset.map(|call| call.index)).into())
        }
    }
}
