//! `bind/any-port`

use std::net::{Ipv4Addr, SocketAddrV4};

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use nix::errno::Errno;
use observer::Address;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("bind/any-port", "never_zero", call, never_zero)
        .check("bind/any-port", "kernel_was_asked_to_choose", call, kernel_was_asked_to_choose)
        .check("bind/any-port", "port_is_the_sockets_own", call, port_is_the_sockets_own)
        .check("bind/any-port", "still_bound_on_return", call, still_bound_on_return)
        .check("bind/any-port", "two_calls_two_ports", call_twice, two_calls_two_ports);
}

/// What came of a call.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Answer {
    /// The port that was returned.
    port: u16,
    /// The port that the socket is bound to, 0 for none; `None` if it is no IPv4 socket.
    bound_to: Option<u16>,
    /// Whether a second socket could be bound to the returned port while the first was open.
    second_may_bind: bool,
}

/// An answer, or the errno.
type Said = Result<Answer, i32>;

/// What two calls returned: ports, or errnos.
type Two = (Result<u16, i32>, Result<u16, i32>);

fn call(page: &Page, stage: &mut Stage, _: ()) -> Said {
    match stage.call("bind_any_port()", page.bind_any_port) {
        Ok((socket, port)) => {
            let bound_to = peers::name_of(socket).ok().map(|name| name.port());
            let second = peers::bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port));
            Ok(Answer { port: *port, bound_to, second_may_bind: second.err() != Some(Errno::EADDRINUSE) })
        }
        Err(errno) => Err(*errno as i32),
    }
}

fn call_twice(page: &Page, stage: &mut Stage, _: ()) -> Two {
    let port = |answer: &Result<(_, u16), Errno>| answer.as_ref().map(|(_, port)| *port).map_err(|errno| *errno as i32);
    let (first, second) =
        stage.call("bind_any_port(), bind_any_port()", || ((page.bind_any_port)(), (page.bind_any_port)()));
    (port(first), port(second))
}

/// The answer, if there is one: that a call failed for no good reason is the business of `port_is_the_sockets_own`.
fn answer(run: &Run<Said>) -> Result<Answer, Fault> {
    match run.answer()? {
        Ok(answer) => Ok(*answer),
        Err(_) => {
            no_better_reason(run, 1)?;
            Err(Fault::waits("port_is_the_sockets_own", "no port was returned"))
        }
    }
}

/// The function went wrong before it came to what is looked at, and another check says how. `calls` is how often it was called.
fn no_better_reason<Out>(run: &Run<Out>, calls: usize) -> Result<(), Fault> {
    let binds = run.calls("bind");
    if binds.iter().any(|bind| bind.guard.is_some()) {
        return Err(Fault::waits("stays_on_loopback", "bind asked for an address that is not on this machine alone"));
    }
    if binds.len() > calls || !binds.iter().all(|bind| asks_the_kernel(bind.address())) {
        return Err(Fault::waits("kernel_was_asked_to_choose", "the kernel was not asked, or not left to choose"));
    }
    Ok(())
}

fn asks_the_kernel(address: Option<&Address>) -> bool {
    matches!(address, Some(Address::Inet { port: 0, .. }))
}

fn never_zero(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    match answer(&run)?.port {
        0 => Err(run.reject().at_any(run.calls("bind").last().map(|bind| bind.index)).into()),
        _ => Ok(()),
    }
}

fn kernel_was_asked_to_choose(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    let binds = run.calls("bind");
    if binds.iter().any(|bind| bind.guard.is_some()) {
        return Err(Fault::waits("stays_on_loopback", "bind asked for an address that is not on this machine alone"));
    }
    let (what, at) = match binds.as_slice() {
        [] => {
            run.answer()?;
            ("You did not call bind".to_string(), None)
        }
        [only] if asks_the_kernel(only.address()) => return Ok(()),
        [only] => ("You asked for a certain port".to_string(), Some(only.index)),
        [first, second, ..] if asks_the_kernel(first.address()) => (
            format!("You called bind {} times, although the first had brought a port", binds.len()),
            Some(second.index),
        ),
        [first, ..] => (format!("You guessed, with {} bind calls", binds.len()), Some(first.index)),
    };
    Err(run.reject().with("what", what).at_any(at).into())
}

fn port_is_the_sockets_own(bench: &Bench<(), Said>) -> Result<(), Fault> {
    // A port whose two bytes are the same cannot show whether they were swapped; one in 256 is of that kind.
    let mut run = bench.play(())?;
    for _ in 0..20 {
        let telling = run.answer()?.map_or(true, |answer| !answer.bound_to.is_some_and(peers::is_palindrome));
        if telling {
            break;
        }
        run = bench.play(())?;
    }
    let at = run.calls_of(&["getsockname", "bind"]).last().map(|call| call.index);
    let Ok(Answer { port, bound_to, .. }) = *run.answer()? else {
        no_better_reason(&run, 1)?;
        let truth = "nothing was in the way";
        return Err(run.reject().with("said", run.returned()).with("truth", truth).at_any(at).into());
    };
    let truth = match bound_to {
        _ if port == 0 => return Err(Fault::waits("never_zero", "the port returned is 0")),
        Some(0) => return Err(Fault::waits("still_bound_on_return", "the socket is bound to no port")),
        Some(own) if own == port => return Ok(()),
        Some(own) if own.swap_bytes() == port => {
            format!("the socket is bound to {own}: the same two bytes the other way round")
        }
        Some(own) => format!("the socket is bound to {own}"),
        None => "what you returned with it is no IPv4 socket".to_string(),
    };
    Err(run.reject().with("said", format!("port {port}")).with("truth", truth).at_any(at).into())
}

fn still_bound_on_return(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    let Answer { port, bound_to, second_may_bind } = answer(&run)?;
    match bound_to {
        _ if port == 0 => Err(Fault::waits("never_zero", "the port returned is 0")),
        Some(own) if own == port && !second_may_bind => Ok(()),
        Some(own) if own == port || own == 0 => {
            let at = run.calls_of(&["bind", "close"]).last().map(|call| call.index);
            Err(run.reject().with("port", port).at_any(at).into())
        }
        _ => Err(Fault::waits("port_is_the_sockets_own", "the port returned is not the socket's")),
    }
}

fn two_calls_two_ports(bench: &Bench<(), Two>) -> Result<(), Fault> {
    let run = bench.play(())?;
    let what = match run.answer()? {
        (Ok(0), _) | (_, Ok(0)) => return Err(Fault::waits("never_zero", "the port returned is 0")),
        (Ok(first), Ok(second)) if first != second => return Ok(()),
        (Ok(port), Ok(_)) => format!("both returned port {port}"),
        (Err(_), _) => {
            no_better_reason(&run, 2)?;
            return Err(Fault::waits("port_is_the_sockets_own", "no port was returned"));
        }
        (Ok(_), Err(errno)) => {
            no_better_reason(&run, 2)?;
            format!("the second returned Err({:?})", Errno::from_raw(*errno))
        }
    };
    Err(run.reject().with("what", what).at_any(run.calls("bind").last().map(|bind| bind.index)).into())
}
