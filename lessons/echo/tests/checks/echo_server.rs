//! `echo/echo-server`

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::time::Duration;

use grader::{Bench, Fault, Run, Setting, Stage, Suite};
use nix::sys::socket::{SockaddrIn, connect, setsockopt, sockopt};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Door, End, Heard, Page, Talker, beside, difference, pattern};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("echo/echo-server", "serves_all_in_turn", call, serves_all_in_turn)
        .check("echo/echo-server", "no_client_can_kill_it", call, no_client_can_kill_it)
        .check("echo/echo-server", "big_answers_arrive", call, big_answers_arrive)
        .check("echo/echo-server", "one_descriptor_per_client", call, one_descriptor_per_client)
        .check("echo/echo-server", "signals_do_not_stop_it", call, signals_do_not_stop_it)
        .check("echo/echo-server", "a_broken_listener_does", call, a_broken_listener_does)
        .check("echo/echo-server", "counts_the_orderly", call, counts_the_orderly);
}

/// What the function is called with.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Opening {
    /// Where those who want to know wait to be told the server's port.
    door: SocketAddrV4,
    clients: usize,
}

/// A count, or the errno.
type Said = Result<usize, i32>;

type Serving<'a> = Bench<'a, Opening, Said>;

fn call(page: &Page, stage: &mut Stage, opening: Opening) -> Said {
    let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 16).expect("a listener");
    let port = calls::local_address(&listener).expect("its address").port();
    let news = calls::connect_to(opening.door).expect("somebody to tell the port");
    calls::send_all(&news, &port.to_be_bytes()).expect("to tell the port");
    let label = format!("echo_server(listener, {})", opening.clients);
    let said = stage.call(label, || (page.echo_server)(listener.as_fd(), opening.clients));
    said.map_err(|errno| errno as i32)
}

/// How long the function may take: it waits for clients who act at once.
const DEADLINE: Duration = Duration::from_secs(3);

/// A setting with nothing special.
fn ordinary<'a>(bench: &'a Serving<'_>) -> Result<Setting<'a, Opening, Said>, Fault> {
    Ok(bench.setting()?.deadline(DEADLINE))
}

/// Plays it with these clients, who are told where the server is.
fn with_clients<Seen: Send>(
    setting: Setting<'_, Opening, Said>,
    clients: usize,
    play: impl FnOnce(SocketAddrV4) -> io::Result<Seen> + Send,
) -> Result<(Run<Said>, Seen), Fault> {
    let door = Door::open()?;
    let opening = Opening { door: door.address, clients };
    let (run, seen) = beside(&door, || setting.play(opening), || play(where_it_is(&door)?))?;
    Ok((run, seen?))
}

/// The server's address, as the child tells it.
fn where_it_is(door: &Door) -> io::Result<SocketAddrV4> {
    let mut news = door.comes().ok_or(ErrorKind::NotConnected)?;
    let port: [u8; 2] = news.hear(2).bytes.try_into().map_err(|_| ErrorKind::UnexpectedEof)?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, u16::from_be_bytes(port)))
}

/// Says this, and hears its echo. If it is another, or none: what came instead.
fn converse(client: &mut Talker, message: &[u8]) -> Result<(), String> {
    client.say(message);
    let heard = client.hear(message.len());
    match heard {
        Heard { bytes, .. } if bytes == message => Ok(()),
        Heard { bytes, end: End::Enough } => Err(format!("{:?} instead of its echo", String::from_utf8_lossy(&bytes))),
        Heard { bytes, end } => Err(format!("{} of {} bytes, and then {end}", bytes.len(), message.len())),
    }
}

/// A client as it should be: it converses, finishes, and leaves.
fn honest(server: SocketAddrV4) -> Result<(), String> {
    let mut client = Talker::connect(server).map_err(|error| format!("no connection ({error})"))?;
    converse(&mut client, b"an honest client")?;
    client.finish();
    Ok(())
}

/// The last line of accept.
fn last_accept(run: &Run<Said>) -> Option<usize> {
    run.calls_of(&ACCEPTS).last().map(|call| call.index)
}

const ACCEPTS: [&str; 2] = ["accept", "accept4"];

/// Leaves a function that serves not even one client, who pauses, to the check that says so.
fn works(bench: &Serving<'_>) -> Result<(), Fault> {
    let (run, served) = with_clients(ordinary(bench)?, 1, |server| {
        let mut client = Talker::connect(server)?;
        Ok(converse(&mut client, b"one half").and_then(|()| converse(&mut client, b"and the other")))
    })?;
    run.answer()?;
    served.map_err(|_| Fault::waits("serves_all_in_turn", "it does not serve a client who pauses"))
}

fn serves_all_in_turn(bench: &Serving<'_>) -> Result<(), Fault> {
    let (run, failed) = with_clients(ordinary(bench)?, 5, |server| {
        let mut clients = Vec::new();
        for _ in 1..=5 {
            clients.push(Talker::connect(server)?);
        }
        for (k, mut client) in (1..).zip(clients) {
            let words = format!("I am client {k}, ");
            let mut served = converse(&mut client, words.as_bytes());
            if k == 3 {
                served = served.and_then(|()| converse(&mut client, b"and this is my other half"));
            }
            client.finish();
            if let Err(got) = served {
                return Ok(Some((k, got)));
            }
        }
        Ok(None)
    })?;
    run.answer()?;
    match failed {
        None => Ok(()),
        Some((k, got)) => Err(run.reject().with("k", k).with("got", got).at_any(last_accept(&run)).into()),
    }
}

/// Clients that are no good, in this order.
const BAD: [&str; 4] =
    ["who reset its connection", "who left in mid-message", "who said nothing and left", "who was gone before accept"];

/// Plays a bad client; for the last one there is another in front of it, so that it waits in the queue.
fn bad(server: SocketAddrV4, which: usize) -> io::Result<()> {
    let mut client = Talker::connect(server)?;
    match which {
        0 => {
            client.say(b"hello");
            client.hear(5);
            client.reset();
        }
        1 => {
            client.say(b"I wanted to sa");
        }
        2 => {}
        _ => {
            client.say(b"hello");
            client.hear(5);
            Talker::connect(server)?.reset();
            client.finish();
        }
    }
    Ok(())
}

fn no_client_can_kill_it(bench: &Serving<'_>) -> Result<(), Fault> {
    let clients = 2 * BAD.len() + 1;
    let (run, failed) = with_clients(ordinary(bench)?, clients, |server| {
        for which in 0..BAD.len() {
            if bad(server, which).is_err() || honest(server).is_err() {
                return Ok(Some(which));
            }
        }
        // For a server that still waits for somebody, because it has not counted all. Others have gone by now.
        for _ in BAD {
            let Ok(mut spare) = Talker::connect(server) else { break };
            spare.finish();
            spare.hear_out();
        }
        Ok(None)
    })?;
    run.answer()?;
    let Some(which) = failed else {
        return Ok(());
    };
    works(bench)?;
    Err(run.reject().with("k", which + 1).with("what", BAD[which]).at_any(last_line(&run)).into())
}

/// The last line that failed, or that had to do with a client.
fn last_line(run: &Run<Said>) -> Option<usize> {
    run.calls_of(&["recvfrom", "read", "sendto", "write"]).last().map(|call| call.index)
}

fn big_answers_arrive(bench: &Serving<'_>) -> Result<(), Fault> {
    // It fits into the server's receive buffer, and not into the client's.
    let message = &pattern(40_000);
    let door = &Door::open()?;
    let setting = ordinary(bench)?;
    let (tell, over) = mpsc::channel();
    let (run, heard) = beside(
        door,
        || {
            let run = setting.play(Opening { door: door.address, clients: 1 });
            // Nobody listens where the client has failed already.
            let _ = tell.send(());
            run
        },
        move || -> io::Result<Heard> {
            let server = where_it_is(door)?;
            let socket = calls::open_tcp()?;
            setsockopt(&socket, sockopt::RcvBuf, &1)?;
            connect(socket.as_raw_fd(), &SockaddrIn::from(server))?;
            let mut client = Talker::new(socket.into())?;
            client.say(message);
            client.finish();
            // On a machine whose send buffers are small the server has to wait for us, and is not over.
            let _ = over.recv_timeout(Duration::from_secs(1));
            Ok(client.hear_out())
        },
    )?;
    run.answer()?;
    let heard = heard?;
    if heard.bytes == *message && heard.end == End::File {
        return Ok(());
    }
    works(bench)?;
    let close = run.calls_of(&["shutdown", "close"]).last().map(|call| call.index);
    let n = difference(&heard.bytes, message).unwrap_or(message.len());
    Err(run.reject().with("n", n).with("m", message.len()).with("end", heard.end).at_any(close).into())
}

fn one_descriptor_per_client(bench: &Serving<'_>) -> Result<(), Fault> {
    const CLIENTS: usize = 40;
    const ROOM: u64 = 20;
    let (run, served) = with_clients(ordinary(bench)?.descriptors(ROOM), CLIENTS, |server| {
        Ok((0..CLIENTS).take_while(|_| honest(server).is_ok()).count())
    })?;
    run.answer()?;
    if served == CLIENTS {
        return Ok(());
    }
    match run.calls_of(&ACCEPTS).iter().find(|call| call.errno() == Some("EMFILE")) {
        Some(full) => Err(run.reject().with("n", served).with("end", "EMFILE").at(full.index).into()),
        None => Err(Fault::waits("serves_all_in_turn", "it does not serve one after another")),
    }
}

fn signals_do_not_stop_it(bench: &Serving<'_>) -> Result<(), Fault> {
    let interrupted = ordinary(bench)?.inject(Injection::fail(&ACCEPTS, 1, libc::EINTR));
    let (run, served) = with_clients(interrupted, 1, |server| Ok(honest(server)))?;
    run.answer()?;
    if served.is_ok() {
        return Ok(());
    }
    works(bench)?;
    match run.calls_of(&ACCEPTS).first() {
        Some(call) => Err(run.reject().with("call", &call.name).at(call.index).into()),
        None => Err(Fault::waits("serves_all_in_turn", "it never calls accept")),
    }
}

fn a_broken_listener_does(bench: &Serving<'_>) -> Result<(), Fault> {
    // It heals again after so many calls, for the sake of those who go on asking.
    const BROKEN: u32 = 20;
    let broken = (1..=BROKEN)
        .fold(ordinary(bench)?, |setting, nth| setting.inject(Injection::fail(&ACCEPTS, nth, libc::EINVAL)));
    let (run, _) = with_clients(broken, 1, |server| Ok(honest(server)))?;
    let said = run.answer()?;
    let asked = run.calls_of(&ACCEPTS).iter().filter(|call| call.errno() == Some("EINVAL")).count();
    if *said == Err(libc::EINVAL) && asked == 1 {
        return Ok(());
    }
    works(bench)?;
    let times = if asked == 1 { "once".to_string() } else { format!("{asked} times") };
    let so = if *said == Err(libc::EINVAL) { String::new() } else { format!(", and you returned {}", run.returned()) };
    let first = run.calls_of(&ACCEPTS).first().map(|call| call.index);
    Err(run.reject().with("times", times).with("so", so).at_any(first).into())
}

fn counts_the_orderly(bench: &Serving<'_>) -> Result<(), Fault> {
    // Whoever waits for one more after these waits for ever.
    let setting = ordinary(bench)?.deadline(DEADLINE / 2);
    let (run, served) = with_clients(setting, 3, |server| {
        Ok(honest(server).is_ok() && bad(server, 0).is_ok() && honest(server).is_ok())
    })?;
    let said = run.answer()?;
    if *said == Ok(2) {
        return Ok(());
    }
    works(bench)?;
    if !served || said.is_err() {
        return Err(Fault::waits("no_client_can_kill_it", "it does not go on after a client that resets"));
    }
    Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into())
}
