//! `bind/reusable`

use std::net::SocketAddrV4;

use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use nix::errno::Errno;
use observer::Address;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("bind/reusable", "restart_over_time_wait", call, restart_over_time_wait)
        .check("bind/reusable", "bound_where_asked", call, bound_where_asked)
        .check("bind/reusable", "option_is_an_int_one", call, option_is_an_int_one)
        .check("bind/reusable", "option_comes_before_bind", call, option_comes_before_bind)
        .check("bind/reusable", "live_server_still_wins", call, live_server_still_wins)
        .check("bind/reusable", "one_bind_only", call, one_bind_only);
}

/// Where to bind.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum At {
    /// Where nobody ever was.
    Free,
    /// Where a server that had the option set has just ended: a connection of its is in TIME_WAIT.
    Ended,
    /// Where a server listens, in the parent.
    Live(SocketAddrV4),
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The address that was asked for.
    addr: SocketAddrV4,
    /// The address that the returned socket is bound to (`None`: it is no IPv4 socket), or the errno.
    said: Result<Option<SocketAddrV4>, i32>,
}

fn call(page: &Page, stage: &mut Stage, at: At) -> Answer {
    let ip = peers::own_loopback_address();
    let addr = match at {
        At::Free => peers::bound(SocketAddrV4::new(ip, 0)).and_then(|socket| peers::name_of(&socket)),
        At::Ended => peers::ended_server(ip, true),
        At::Live(addr) => Ok(addr),
    };
    let addr = addr.expect("an address");
    let answer = stage.call(format!("bind_reusable({addr})"), || (page.bind_reusable)(addr));
    let said = match answer {
        Ok(socket) => Ok(peers::name_of(socket).ok()),
        Err(errno) => Err(*errno as i32),
    };
    Answer { addr, said }
}

fn asks_for(bind: &Seen, addr: SocketAddrV4) -> bool {
    bind.address() == Some(&Address::Inet { ip: *addr.ip(), port: addr.port() })
}

/// How a function goes about the option. The number is the line of the trace that shows it.
enum Habit {
    /// SO_REUSEADDR, before the first bind.
    InTime,
    /// SO_REUSEADDR, after a bind.
    Late(usize),
    /// SO_REUSEPORT.
    Other,
    /// Something else, or in a way that the kernel refused.
    Wrong(usize),
    /// Not at all.
    Never,
}

impl Habit {
    fn in_run(run: &Run<Answer>) -> Habit {
        let first_bind = run.calls("bind").first().map_or(usize::MAX, |bind| bind.index);
        let lines = run.calls("setsockopt");
        if let Some(set) = lines.iter().find(|line| sets_it(line)) {
            return if set.index < first_bind { Habit::InTime } else { Habit::Late(set.index) };
        }
        if lines.iter().any(|line| line.arg("optname").is_some_and(|arg| arg.text == "SO_REUSEPORT")) {
            return Habit::Other;
        }
        lines.first().map_or(Habit::Never, |line| Habit::Wrong(line.index))
    }

    /// The check that says it, if it is wrong.
    fn check(&self) -> (&'static str, &'static str) {
        match self {
            Habit::InTime | Habit::Never => ("restart_over_time_wait", "SO_REUSEADDR was never set"),
            Habit::Late(_) => ("option_comes_before_bind", "SO_REUSEADDR was set after the first bind"),
            Habit::Other => ("live_server_still_wins", "SO_REUSEPORT was set, and not SO_REUSEADDR"),
            Habit::Wrong(_) => ("option_is_an_int_one", "SO_REUSEADDR was not set as it should be"),
        }
    }
}

/// Whether this setsockopt set SO_REUSEADDR.
fn sets_it(line: &Seen) -> bool {
    let text = |name| line.arg(name).map_or("", |arg| arg.text.as_ref());
    line.succeeded()
        && text("level") == "SOL_SOCKET"
        && text("optname") == "SO_REUSEADDR"
        && text("optval") != "[0]"
        && line.int("optlen") == Some(4)
}

/// How the function goes about the option, and the run that shows it: where nothing is in the way, and if it does nothing
/// there, where a first bind fails.
fn habit(bench: &Bench<At, Answer>) -> Result<(Run<Answer>, Habit), Fault> {
    let run = bench.play(At::Free)?;
    run.answer()?;
    match Habit::in_run(&run) {
        Habit::Never => {
            let run = bench.play(At::Ended)?;
            run.answer()?;
            let habit = Habit::in_run(&run);
            Ok((run, habit))
        }
        habit => Ok((run, habit)),
    }
}

/// Leaves it to the check that says it best.
fn leave_to<T>((check, because): (&'static str, &'static str)) -> Result<T, Fault> {
    Err(Fault::waits(check, because))
}

/// A bind that asks for the address, or the check that has to pass first.
fn bind_there<'a>(run: &'a Run<Answer>, addr: SocketAddrV4) -> Result<Seen<'a>, Fault> {
    let bind = run.calls("bind").into_iter().find(|bind| asks_for(bind, addr));
    bind.ok_or_else(|| Fault::waits("bound_where_asked", "no bind asked for the address"))
}

fn restart_over_time_wait(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    let run = bench.play(At::Ended)?;
    let Answer { addr, said } = run.answer()?;
    let bind = bind_there(&run, *addr)?;
    if *said == Ok(Some(*addr)) {
        return Ok(());
    }
    match habit(bench)? {
        (_, Habit::InTime | Habit::Never) => {
            Err(run.reject().with("addr", addr).with("said", run.returned()).at(bind.index).into())
        }
        (_, habit) => leave_to(habit.check()),
    }
}

fn bound_where_asked(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    let run = bench.play(At::Free)?;
    let Answer { addr, said } = run.answer()?;
    let bind = run.calls("bind").into_iter().next();
    let got = match said {
        Ok(Some(name)) if name == addr => return Ok(()),
        Ok(Some(name)) if name.port() == 0 => "a socket that is bound to no port".to_string(),
        Ok(Some(name)) => name.to_string(),
        Ok(None) => "something that is no IPv4 socket".to_string(),
        Err(_) => match bind.and_then(|bind| bind.address().cloned()) {
            Some(Address::Inet { ip, port }) if SocketAddrV4::new(ip, port) != *addr => {
                format!("{ip}:{port} in the bind line, and {}", run.returned())
            }
            _ => run.returned(),
        },
    };
    Err(run.reject().with("addr", addr).with("got", got).at_any(bind.map(|bind| bind.index)).into())
}

fn option_is_an_int_one(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    match habit(bench)? {
        (_, Habit::InTime | Habit::Late(_)) => Ok(()),
        (run, Habit::Wrong(at)) => {
            let line = run.trace().events[at].line();
            Err(run.reject().with("line", line).at(at).into())
        }
        (_, habit) => leave_to(habit.check()),
    }
}

fn option_comes_before_bind(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    match habit(bench)? {
        (_, Habit::InTime) => Ok(()),
        (run, Habit::Late(at)) => Err(run.reject().at(at).into()),
        (_, habit) => leave_to(habit.check()),
    }
}

fn live_server_still_wins(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    let (_server, addr) = peers::tolerant_server(peers::own_loopback_address())?;
    let run = bench.play(At::Live(addr))?;
    let said = &run.answer()?.said;
    let bind = bind_there(&run, addr)?;
    let what = match said {
        Err(errno) if *errno == Errno::EADDRINUSE as i32 => return Ok(()),
        Ok(_) if bind.succeeded() => "you bound all the same: that is not reuse but theft (SO_REUSEPORT?)".to_string(),
        _ => format!("when bind said {}, you said {}", bind.errno().unwrap_or("yes"), run.returned()),
    };
    Err(run.reject().with("addr", addr).with("what", what).at(bind.index).into())
}

fn one_bind_only(bench: &Bench<At, Answer>) -> Result<(), Fault> {
    let (_server, addr) = peers::tolerant_server(peers::own_loopback_address())?;
    let run = bench.play(At::Live(addr))?;
    // No answer is needed: whoever waits for ever has called bind more than once, too.
    let binds = run.calls("bind");
    let Some(second) = binds.get(1) else {
        run.answer()?;
        return bind_there(&run, addr).map(drop);
    };
    if let late @ Habit::Late(_) = Habit::in_run(&run) {
        return leave_to(late.check());
    }
    Err(run.reject().with("count", binds.len()).at(second.index).into())
}
