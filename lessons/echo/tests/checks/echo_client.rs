//! `echo/echo-client`

use std::net::SocketAddrV4;
use std::time::Duration;

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use serde::{Deserialize, Serialize};

use super::{Bytes, DEADLINE, Door, End, Page, Talker, beside, difference, pattern};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("echo/echo-client", "gets_it_all_back", call, gets_it_all_back)
        .check("echo/echo-client", "says_it_is_done", call, says_it_is_done)
        .check("echo/echo-client", "empty_message", call, empty_message)
        .check("echo/echo-client", "server_down", call, server_down)
        .check("echo/echo-client", "server_dies_midway", call, server_dies_midway)
        .check("echo/echo-client", "closes", call, closes);
}

/// What the function is called with: a server, and so many bytes of the pattern.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Ask {
    server: SocketAddrV4,
    length: usize,
}

/// What came back, or the errno.
#[derive(Serialize, Deserialize)]
struct Said(Result<Vec<u8>, i32>);

type Asking<'a> = Bench<'a, Ask, Said>;

fn call(page: &Page, stage: &mut Stage, ask: Ask) -> Said {
    let message = pattern(ask.length);
    let label = format!("echo_client({}, &[…; {}])", ask.server, ask.length);
    let said = stage.call(label, || (page.echo_client)(ask.server, &message).map(Bytes));
    Said(said.clone().map(|bytes| bytes.0).map_err(|errno| errno as i32))
}

/// Plays it with this server, which is told how long the message is.
fn with_server<Seen: Send>(
    bench: &Asking<'_>,
    length: usize,
    server: impl FnOnce(Talker, usize) -> Seen + Send,
) -> Result<(Run<Said>, Option<Seen>), Fault> {
    let door = Door::open()?;
    let ask = Ask { server: door.address, length };
    let setting = bench.setting()?.deadline(DEADLINE);
    beside(&door, || setting.play(ask), || door.comes().map(|client| server(client, length)))
}

/// How long a server that has the whole message waits for the end of file, where it goes on without one.
const GRACE: Duration = Duration::from_millis(100);
/// And where everything depends on it. What is right says it within a thousandth of that.
const LONG_GRACE: Duration = Duration::from_millis(1000);

/// Hears the message, and the end of file, if that comes: whether it came.
fn hear_question(client: &mut Talker, length: usize, grace: Duration) -> bool {
    if client.hear(length).end != End::Enough {
        return false;
    }
    let waits = client.0.set_read_timeout(Some(grace)).is_ok();
    waits && client.hear(1).end == End::File
}

/// A server that answers with this message and `more`, in so many pieces with pauses between them. Whether the client had
/// said that it had finished.
fn answers(mut client: Talker, length: usize, more: &[u8]) -> bool {
    const PIECES: usize = 16;
    let told = hear_question(&mut client, length, GRACE);
    let answer = [&pattern(length), more].concat();
    for piece in answer.chunks(answer.len().div_ceil(PIECES).max(1)) {
        if !client.say(piece) {
            break;
        }
        client.wait_until_read(); // so that one recv never finds two pieces
    }
    client.finish();
    client.hear_out();
    told
}

/// The last line that had to do with the connection.
fn last_line(run: &Run<Said>) -> Option<usize> {
    const WORDS: [&str; 9] =
        ["connect", "recvfrom", "recvmsg", "read", "sendto", "sendmsg", "write", "shutdown", "close"];
    run.calls_of(&WORDS).last().map(|call| call.index)
}

fn gets_it_all_back(bench: &Asking<'_>) -> Result<(), Fault> {
    let tries: [(usize, &[u8], &str); 3] = [
        (1, b"", ""),
        (64 << 10, b"", ", which came in dribbles"),
        (5, b"\nbye\n", ", five of which were the server's own last words"),
    ];
    for (length, more, which) in tries {
        let (run, told) = with_server(bench, length, |client, length| answers(client, length, more))?;
        let want = [&pattern(length), more].concat();
        let n = match &run.answer()?.0 {
            Ok(got) if *got == want => continue,
            Ok(got) => difference(got, &want).unwrap_or(got.len()),
            Err(_) => 0,
        };
        if told == Some(false) {
            return Err(Fault::waits("says_it_is_done", "it never says that it has finished"));
        }
        let place = if run.answer()?.0.is_err() { format!(": you returned {}", run.returned()) } else { which.into() };
        let rejection = run.reject().with("n", n).with("m", want.len()).with("where", place);
        return Err(rejection.at_any(last_line(&run)).into());
    }
    Ok(())
}

fn says_it_is_done(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, told) = with_server(bench, 100, |mut client, length| {
        let told = hear_question(&mut client, length, LONG_GRACE);
        if told {
            client.say(&pattern(length));
        }
        told
    })?;
    run.answer()?;
    match told {
        Some(true) => Ok(()),
        Some(false) => Err(run.reject().at_any(last_line(&run)).into()),
        None => Err(Fault::waits("gets_it_all_back", "it never connects")),
    }
}

fn empty_message(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, seen) = with_server(bench, 0, |mut client, _| {
        let heard = client.hear(1);
        client.finish();
        heard.end
    })?;
    let what = match (seen, &run.answer()?.0) {
        (Some(End::File), Ok(got)) if got.is_empty() => return Ok(()),
        (None, _) => format!("the server saw nobody come, and you returned {}", run.returned()),
        (Some(End::Silence), _) => return Err(Fault::waits("says_it_is_done", "it never says that it has finished")),
        (Some(End::File), _) => format!("you returned {}", run.returned()),
        (Some(end), _) => format!("the server heard {end}"),
    };
    Err(run.reject().with("what", what).at_any(last_line(&run)).into())
}

fn server_down(bench: &Asking<'_>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.setting()?.deadline(DEADLINE).play(Ask { server: address, length: 5 })?;
    let said = &run.answer()?.0;
    let open = run.left_open()?.first();
    if *said == Err(libc::ECONNREFUSED) && open.is_none() {
        return Ok(());
    }
    let left = open.map_or(String::new(), |(fd, _)| format!(", and left descriptor {fd} open"));
    Err(run.reject().with("got", run.returned()).with("left", left).at_any(last_line(&run)).into())
}

/// A server that answers with half of the message, and tears the connection.
fn dies_midway(mut client: Talker, length: usize) -> bool {
    let told = hear_question(&mut client, length, GRACE);
    client.say(&pattern(length)[..length / 2]);
    client.reset();
    told
}

fn server_dies_midway(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, _) = with_server(bench, 1000, dies_midway)?;
    let Ok(got) = &run.answer()?.0 else {
        return Ok(());
    };
    let mut hearings = run.calls_of(&["recvfrom", "recvmsg", "read"]).into_iter();
    let Some(reset) = hearings.find(|call| call.errno().is_some_and(|errno| errno != "EINTR")) else {
        return Err(Fault::waits("gets_it_all_back", "it stops reading before the end"));
    };
    Err(run.reject().with("got", format!("Ok with {} bytes", got.len())).at(reset.index).into())
}

fn closes(bench: &Asking<'_>) -> Result<(), Fault> {
    let (run, _) = with_server(bench, 5, |client, length| answers(client, length, b""))?;
    still_open(&run, "when you have returned the answer")?;
    let (run, _) = with_server(bench, 1000, dies_midway)?;
    still_open(&run, "when you have returned the error")
}

fn still_open(run: &Run<Said>, when: &str) -> Result<(), Fault> {
    if run.left_open()?.is_empty() {
        return Ok(());
    }
    Err(run.reject().with("when", when).at_any(run.calls("socket").last().map(|call| call.index)).into())
}
