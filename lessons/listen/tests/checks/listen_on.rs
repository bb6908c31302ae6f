//! `listen/listen-on`

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("listen/listen-on", "is_listening", call, is_listening)
        .check("listen/listen-on", "calls_in_order", call, calls_in_order)
        .check("listen/listen-on", "backlog_reaches_the_kernel", call, backlog_reaches_the_kernel)
        .check("listen/listen-on", "port_is_true", call, port_is_true)
        .check("listen/listen-on", "in_use_comes_from_where_it_comes", call, in_use_comes_from_where_it_comes);
}

/// What came of a call.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Answer {
    /// The port that was returned.
    port: u16,
    /// The port that the socket is bound to, 0 for none; `None` if it is no IPv4 socket.
    bound_to: Option<u16>,
    /// Whether it listens.
    listens: bool,
    /// What a client got that connected to the returned port: nothing, or an errno.
    client: Result<(), i32>,
}

/// An answer, or the errno.
type Said = Result<Answer, i32>;

fn call(page: &Page, stage: &mut Stage, (port, backlog): (u16, i32)) -> Said {
    match stage.call(format!("listen_on({port}, {backlog})"), || (page.listen_on)(port, backlog)) {
        Ok((socket, port)) => Ok(Answer {
            port: *port,
            bound_to: peers::name_of(socket).ok().map(|name| name.port()),
            listens: getsockopt(socket, sockopt::AcceptConn) == Ok(true),
            client: knock(*port),
        }),
        Err(errno) => Err(*errno as i32),
    }
}

/// What a client gets at this port of 127.0.0.1.
fn knock(port: u16) -> Result<(), i32> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into();
    match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(libc::ETIMEDOUT),
        Err(error) => Err(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// The calls whose order matters.
const STEPS: [&str; 4] = ["socket", "setsockopt", "bind", "listen"];

/// What is wrong with the order of the calls, and the line that shows it.
fn disorder<Out>(run: &Run<Out>) -> Option<(&'static str, Option<usize>)> {
    let first = |name| run.calls(name).first().map(|call| call.index);
    if let Some(listen) = first("listen")
        && first("bind").is_none_or(|bind| listen < bind)
    {
        let trouble = "listen before bind, or without it, makes the kernel pick a port at the wildcard address, and then bind is \
                       EINVAL.";
        return Some((trouble, Some(listen)));
    }
    let bind = first("bind")?;
    let in_time = run.calls("setsockopt").iter().any(|call| call.index < bind && sets_reuse(call));
    let trouble = "SO_REUSEADDR, set before bind, is missing: a restart would have to wait for a minute.";
    (!in_time).then_some((trouble, Some(bind)))
}

fn sets_reuse(call: &Seen) -> bool {
    call.succeeded() && call.arg("optname").is_some_and(|name| name.text == "SO_REUSEADDR")
}

/// Leaves it to `calls_in_order`, if that has something to say.
fn in_order<Out>(run: &Run<Out>) -> Result<(), Fault> {
    match disorder(run) {
        Some(_) => Err(Fault::waits("calls_in_order", "the calls are not in order")),
        None => Ok(()),
    }
}

/// Leaves it to `is_listening`, if listen was not called.
fn listened<Out>(run: &Run<Out>) -> Result<Vec<Seen<'_>>, Fault> {
    let listens = run.calls("listen");
    match listens.is_empty() {
        true => Err(Fault::waits("is_listening", "listen was not called")),
        false => Ok(listens),
    }
}

fn is_listening(bench: &Bench<(u16, i32), Said>) -> Result<(), Fault> {
    let run = bench.play((0, 5))?;
    let what = match run.answer()? {
        Ok(Answer { listens: true, .. }) => return Ok(()),
        Ok(_) => "The socket is bound but not listening".to_string(),
        Err(_) => {
            in_order(&run)?;
            format!("Nothing was in the way, and you returned {}", run.returned())
        }
    };
    Err(run.reject().with("what", what).at_any(run.calls_of(&["bind", "listen"]).last().map(|call| call.index)).into())
}

fn calls_in_order(bench: &Bench<(u16, i32), Said>) -> Result<(), Fault> {
    let run = bench.play((0, 5))?;
    let Some((trouble, at)) = disorder(&run) else {
        run.answer()?;
        return listened(&run).map(drop);
    };
    let steps = run.calls_of(&STEPS);
    let order: Vec<&str> = steps.iter().map(|call| call.name.as_ref()).collect();
    Err(run.reject().with("order", order.join(", ")).with("trouble", trouble).at_any(at).into())
}

fn backlog_reaches_the_kernel(bench: &Bench<(u16, i32), Said>) -> Result<(), Fault> {
    // 5 is what everybody writes: a function that does not listen even then has another trouble.
    listened(&bench.play((0, 5))?)?;
    for backlog in [0, 1, 7, -1, 100_000] {
        let run = bench.play((0, backlog))?;
        let listens = run.calls("listen");
        let given = match listens.last() {
            Some(listen) if listen.int("backlog") == Some(backlog.into()) => continue,
            Some(listen) => listen.arg("backlog").map_or("something".to_string(), |arg| arg.text.to_string()),
            None => {
                run.answer()?;
                "nothing: there is no listen line".to_string()
            }
        };
        let at = listens.last().map(|listen| listen.index);
        return Err(run.reject().with("asked", backlog).with("given", given).at_any(at).into());
    }
    Ok(())
}

fn port_is_true(bench: &Bench<(u16, i32), Said>) -> Result<(), Fault> {
    // A port whose two bytes are the same cannot show whether they were swapped.
    let mut run = bench.play((0, 5))?;
    for _ in 0..20 {
        let telling = run.answer()?.map_or(true, |answer| !answer.bound_to.is_some_and(peers::is_palindrome));
        if telling {
            break;
        }
        run = bench.play((0, 5))?;
    }
    truth(&run, None)?;

    // Somebody else may take a free port before the function has it.
    for _ in 0..20 {
        let port = peers::free_port()?;
        let run = bench.play((port, 5))?;
        if !matches!(run.answer()?, Err(libc::EADDRINUSE)) {
            return truth(&run, Some(port));
        }
    }
    Err(Fault::trouble("no port of 127.0.0.1 stays free"))
}

/// Whether the port that was returned is the socket's own, and the one that was asked for, and lets a client in.
fn truth(run: &Run<Said>, asked: Option<u16>) -> Result<(), Fault> {
    let Ok(Answer { port, bound_to, listens, client }) = *run.answer()? else {
        in_order(run)?;
        return Err(Fault::waits("is_listening", "no port was returned"));
    };
    let truth = match (bound_to, client) {
        _ if !listens => return Err(Fault::waits("is_listening", "the socket does not listen")),
        (Some(own), _) if own != port && own.swap_bytes() == port => {
            format!("the socket is bound to {own}: the same two bytes the other way round")
        }
        (Some(own), _) if own != port => format!("the socket is bound to {own}"),
        (None, _) => "what you returned with it is no IPv4 socket".to_string(),
        (_, Err(errno)) => format!("connecting there failed: {:?}", Errno::from_raw(errno)),
        _ => match asked {
            Some(asked) if asked != port => format!("{asked} was asked for"),
            _ => return Ok(()),
        },
    };
    let at = run.calls_of(&["bind", "getsockname"]).last().map(|call| call.index);
    Err(run.reject().with("port", port).with("truth", truth).at_any(at).into())
}

fn in_use_comes_from_where_it_comes(bench: &Bench<(u16, i32), Said>) -> Result<(), Fault> {
    // Once from bind: a server listens there.
    let (_server, address) = peers::tolerant_server(Ipv4Addr::LOCALHOST)?;
    let run = bench.play((address.port(), 5))?;
    reports_in_use(&run, "bind")?;
    // And once from listen, as it happens when two servers with SO_REUSEADDR start at the same moment.
    let setting = bench.setting()?.inject(Injection::fail(&["listen"], 1, libc::EADDRINUSE));
    let run = setting.play((0, 5))?;
    reports_in_use(&run, "listen")
}

fn reports_in_use(run: &Run<Said>, name: &str) -> Result<(), Fault> {
    let refused = run.calls(name).into_iter().find(|call| call.errno() == Some("EADDRINUSE"));
    let Some(refused) = refused else {
        run.answer()?;
        in_order(run)?;
        return match name {
            "bind" => Err(Fault::waits("port_is_true", "no bind asked for the port")),
            _ => Err(Fault::waits("is_listening", "listen was not called")),
        };
    };
    let said_so = matches!(run.answer()?, Err(libc::EADDRINUSE));
    let open = run.left_open()?;
    if said_so && open.is_empty() {
        return Ok(());
    }
    let left = match open.first() {
        Some((fd, _)) => format!("descriptor {fd} open"),
        None => "nothing open".to_string(),
    };
    let rejection = run.reject().with("call", name).with("said", run.returned()).with("left", left);
    Err(rejection.at(refused.index).into())
}
