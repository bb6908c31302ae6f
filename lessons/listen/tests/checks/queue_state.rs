//! `listen/queue-state`

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{Page, listener, relisten};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("listen/queue-state", "empty_queue", call, empty_queue)
        .check("listen/queue-state", "counts_waiting_clients", call, counts_waiting_clients)
        .check("listen/queue-state", "maximum_is_what_the_kernel_kept", call, maximum_is_what_the_kernel_kept)
        .check("listen/queue-state", "not_a_listener_is_einval", call, not_a_listener_is_einval)
        .check("listen/queue-state", "does_not_touch_the_queue", call, does_not_touch_the_queue);
}

/// What kind of socket to ask about.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Of {
    /// A listener to which nobody has come, with this backlog.
    Empty(i32),
    /// A listener to which four have come, of whom one is accepted.
    Waiting,
    /// A listener that was told 5 first and then 7.
    Relistened,
    /// A client that is connected.
    Connected,
    /// A socket that has done nothing yet.
    Fresh,
}

/// How many wait, and how many may; or the errno.
type Said = Result<(u32, u32), i32>;

fn call(page: &Page, stage: &mut Stage, of: Of) -> Said {
    let (socket, _others) = scene(of).expect("a socket to ask about");
    let answer = stage.call("queue_state(listener)", || (page.queue_state)(socket.as_fd()));
    answer.map_err(|errno| errno as i32)
}

/// The socket to ask about, and others that have to stay open.
fn scene(of: Of) -> Result<(OwnedFd, Vec<OwnedFd>), Errno> {
    let mut others = Vec::new();
    match of {
        Of::Empty(backlog) => Ok((listener(backlog)?.0, others)),
        Of::Waiting => {
            let (server, address) = listener(5)?;
            for _ in 0..4 {
                others.push(calls::connect_to(address)?);
            }
            others.push(calls::accept_one(&server)?);
            Ok((server, others))
        }
        Of::Relistened => {
            let (server, _) = listener(5)?;
            relisten(&server, 7)?;
            Ok((server, others))
        }
        Of::Connected => {
            let (server, address) = listener(5)?;
            let client = calls::connect_to(address)?;
            others.push(server);
            Ok((client, others))
        }
        Of::Fresh => Ok((peers::tcp()?, others)),
    }
}

/// The last line that asked something of the socket.
fn last_line(run: &Run<Said>) -> Option<usize> {
    run.calls("getsockopt").last().map(|call| call.index)
}

fn empty_queue(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    let run = bench.play(Of::Empty(5))?;
    let got = match run.answer()? {
        Ok((0, _)) => return Ok(()),
        Ok((waiting, _)) => format!("{waiting} wait"),
        Err(_) => run.returned(),
    };
    Err(run.reject().with("got", got).at_any(last_line(&run)).into())
}

/// What goes wrong where nobody has come is told by `empty_queue`.
fn works_plainly(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    match bench.play(Of::Empty(5))?.answer()? {
        Ok((0, _)) => Ok(()),
        _ => Err(Fault::waits("empty_queue", "an empty queue is not told rightly")),
    }
}

fn counts_waiting_clients(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    works_plainly(bench)?;
    let run = bench.play(Of::Waiting)?;
    let got = match run.answer()? {
        Ok((3, _)) => return Ok(()),
        Ok((waiting, _)) => waiting.to_string(),
        Err(_) => run.returned(),
    };
    Err(run.reject().with("want", 3).with("got", got).at_any(last_line(&run)).into())
}

fn maximum_is_what_the_kernel_kept(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    works_plainly(bench)?;
    let limit = fs::read_to_string("/proc/sys/net/core/somaxconn")?;
    let limit: u32 = limit.trim().parse().map_err(|error| Fault::trouble(format!("net.core.somaxconn: {error}")))?;
    let scenes = [
        (Of::Empty(100_000), "listen(fd, 100000)", limit.min(100_000)),
        (Of::Relistened, "listen(fd, 5) and listen(fd, 7)", limit.min(7)),
    ];
    for (of, call, want) in scenes {
        let run = bench.play(of)?;
        let got = match run.answer()? {
            Ok((_, kept)) if *kept == want => continue,
            Ok((_, kept)) => kept.to_string(),
            Err(_) => run.returned(),
        };
        let rejection = run.reject().with("call", call).with("want", want).with("got", got);
        return Err(rejection.at_any(last_line(&run)).into());
    }
    Ok(())
}

fn not_a_listener_is_einval(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    for (of, state) in [(Of::Connected, "connected"), (Of::Fresh, "new and does not listen")] {
        let run = bench.play(of)?;
        if *run.answer()? != Err(libc::EINVAL) {
            let rejection = run.reject().with("state", state).with("got", run.returned());
            return Err(rejection.at_any(last_line(&run)).into());
        }
    }
    Ok(())
}

fn does_not_touch_the_queue(bench: &Bench<Of, Said>) -> Result<(), Fault> {
    let run = bench.play(Of::Waiting)?;
    let touches = run.calls_of(&["accept", "accept4", "connect", "listen", "shutdown"]);
    match touches.first() {
        None => run.answer().map(drop),
        Some(touch) => {
            let line = run.trace().events[touch.index].line();
            Err(run.reject().with("line", line.trim_end()).at(touch.index).into())
        }
    }
}
