//! `accept/accept-one`

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Page, accepts, client, does_not_wait, listener, reset};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("accept/accept-one", "peer_address_is_the_clients", call, peer_address_is_the_clients)
        .check("accept/accept-one", "connection_is_cloexec", call, connection_is_cloexec)
        .check("accept/accept-one", "interrupted_is_retried", call, interrupted_is_retried)
        .check("accept/accept-one", "aborted_is_retried", call, aborted_is_retried)
        .check("accept/accept-one", "other_errors_come_out", call, other_errors_come_out)
        .check("accept/accept-one", "client_already_gone_has_an_address", call, client_already_gone_has_an_address)
        .check("accept/accept-one", "listener_survives", call, listener_survives);
}

/// Who is at the listener when the function is called.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Scene {
    /// A client waits.
    Client,
    /// Nobody. A signal comes, and then a client.
    Signal,
    /// A client that has gone already, with a reset.
    Gone,
    /// Nobody, and the listener does not wait.
    Nobody,
    /// It is no listener.
    NotListening,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The address that was returned, or the errno.
    said: Result<SocketAddrV4, i32>,
    /// The client's address.
    client: Option<SocketAddrV4>,
    /// Whether the connection has FD_CLOEXEC.
    cloexec: bool,
    /// What came of accepting a second client.
    second: Result<(), i32>,
}

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let (listener, address) = match scene {
        Scene::NotListening => {
            let socket: &'static OwnedFd = Box::leak(Box::new(peers::tcp().expect("a socket")));
            (socket, SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0))
        }
        _ => listener().expect("a listener"),
    };
    let mut waiting = None;
    let mut own = None;
    match scene {
        Scene::Client => {
            let (socket, name) = client(address).expect("a client");
            (waiting, own) = (Some(socket), Some(name));
        }
        Scene::Gone => {
            let gone = client(address).expect("a client");
            own = Some(gone.1);
            reset(gone, address).expect("a client that resets its connection");
        }
        Scene::Nobody => does_not_wait(listener).expect("a listener that does not wait"),
        Scene::Signal | Scene::NotListening => {}
    }
    let mut visitors_name = None;
    let answer = match scene {
        Scene::Signal => {
            let over = AtomicBool::new(false);
            let main = nix::unistd::gettid().as_raw();
            // The handler is what is wanted here. The signal itself is sent when the function waits.
            stage.interrupt_every(Duration::from_secs(3600));
            stage.call("accept_one(listener)", || {
                thread::scope(|scope| {
                    let helper = scope.spawn(|| signals_and_connects(main, address, &over));
                    let answer = (page.accept_one)(listener.as_fd());
                    over.store(true, Ordering::Relaxed);
                    visitors_name = helper.join().expect("a visitor that does not panic");
                    answer
                })
            })
        }
        _ => stage.call("accept_one(listener)", || (page.accept_one)(listener.as_fd())),
    };
    let second = match scene {
        Scene::Client => accept_another(listener, address),
        _ => Ok(()),
    };
    drop(waiting);
    Answer {
        said: answer.as_ref().map(|(_, address)| *address).map_err(|errno| *errno as i32),
        client: own.or(visitors_name),
        cloexec: answer.as_ref().is_ok_and(|(connection, _)| closes_on_exec(connection)),
        second: second.map_err(|errno| errno as i32),
    }
}

/// Waits until this thread sleeps, wakes it with a signal, waits until it sleeps again, connects and goes; returns its address.
/// Whoever is over by then gets no visitor.
fn signals_and_connects(thread: i32, server: SocketAddrV4, over: &AtomicBool) -> Option<SocketAddrV4> {
    let sleeps = || {
        while !over.load(Ordering::Relaxed) {
            let line = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
            if line.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    };
    if !sleeps() {
        return None;
    }
    // SAFETY: tgkill takes numbers; process and thread are this program's own, and the handler does nothing.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGALRM) };
    if !sleeps() {
        return None;
    }
    client(server).ok().map(|(_, name)| name)
}

fn closes_on_exec(socket: &OwnedFd) -> bool {
    fcntl(socket, FcntlArg::F_GETFD).is_ok_and(|flags| FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC))
}

/// Accepts one more client, if the listener still is one.
fn accept_another(listener: &OwnedFd, address: SocketAddrV4) -> Result<(), Errno> {
    let _client = client(address)?;
    poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], 2000_u16)?;
    does_not_wait(listener)?;
    calls::accept_one(listener).map(drop)
}

/// The last line of accept.
fn last_accept(run: &Run<Answer>) -> Option<usize> {
    accepts(run).last().map(|accept| accept.index)
}

fn peer_address_is_the_clients(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Client)?;
    let answer = run.answer()?;
    let Some(want) = answer.client else { return Err(Fault::trouble("the client had no address")) };
    let (got, advice) = match answer.said {
        Ok(got) if got == want => return Ok(()),
        Ok(got) if got.port() == want.port().swap_bytes() => {
            (got.to_string(), "The port comes in network order: the two bytes are the other way round.")
        }
        Ok(got) => (got.to_string(), "Did you ask the socket for its *own* name?"),
        Err(_) => (run.returned(), "It waits in the queue."),
    };
    let rejection = run.reject().with("got", got).with("want", want).with("advice", advice);
    Err(rejection.at_any(last_accept(&run)).into())
}

/// What goes wrong with an ordinary client is told by `peer_address_is_the_clients`.
fn works_plainly(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Client)?;
    let answer = run.answer()?;
    match answer.said {
        Ok(got) if answer.client == Some(got) => Ok(()),
        _ => Err(Fault::waits("peer_address_is_the_clients", "an ordinary client is not returned rightly")),
    }
}

fn connection_is_cloexec(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Client)?;
    let answer = run.answer()?;
    if answer.said.is_err() {
        return Err(Fault::waits("peer_address_is_the_clients", "no connection was returned"));
    }
    let accept = accepts(&run).into_iter().rfind(|accept| accept.succeeded());
    let by_accept4 = accept
        .is_some_and(|accept| accept.int("flags").is_some_and(|flags| flags & i64::from(libc::SOCK_CLOEXEC) != 0));
    let what = match (answer.cloexec, by_accept4) {
        (true, true) => return Ok(()),
        (false, _) => "The connection would leak into every program that you exec.",
        (true, false) => "The flag was set afterwards, and for a moment the connection was without it.",
    };
    Err(run.reject().with("what", what).at_any(accept.map(|accept| accept.index)).into())
}

const ACCEPTS: [&str; 2] = ["accept", "accept4"];

fn interrupted_is_retried(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let setting = bench.setting()?;
    let setting =
        setting.inject(Injection::fail(&ACCEPTS, 1, libc::EINTR)).inject(Injection::fail(&ACCEPTS, 2, libc::EINTR));
    for run in [setting.play(Scene::Client)?, bench.play(Scene::Signal)?] {
        if run.answer()?.said.is_err() {
            works_plainly(bench)?;
            return Err(run.reject().with("got", run.returned()).at_any(last_accept(&run)).into());
        }
    }
    Ok(())
}

fn aborted_is_retried(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.setting()?.inject(Injection::fail(&ACCEPTS, 1, libc::ECONNABORTED)).play(Scene::Client)?;
    if run.answer()?.said.is_ok() {
        return Ok(());
    }
    works_plainly(bench)?;
    Err(run.reject().with("got", run.returned()).at_any(last_accept(&run)).into())
}

fn other_errors_come_out(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    // Three times, and then a client is there: so one that goes on comes to an end.
    let mut setting = bench.setting()?;
    for nth in 1..=3 {
        setting = setting.inject(Injection::fail(&ACCEPTS, nth, libc::EMFILE));
    }
    for (errno, number) in [("EMFILE", libc::EMFILE), ("EINVAL", libc::EINVAL), ("EAGAIN", libc::EAGAIN)] {
        let run = match number {
            libc::EMFILE => setting.play(Scene::Client)?,
            libc::EINVAL => bench.play(Scene::NotListening)?,
            _ => bench.play(Scene::Nobody)?,
        };
        let said = run.answer()?.said;
        let failed = accepts(&run).iter().filter(|accept| accept.errno() == Some(errno)).count();
        if said == Err(number) && failed == 1 {
            continue;
        }
        let times = if failed == 1 { "once".to_string() } else { format!("{failed} times") };
        let what = match failed {
            0 | 1 => format!("you said {}", run.returned()),
            _ => "you kept asking".to_string(),
        };
        let rejection = run.reject().with("errno", errno).with("times", times).with("what", what);
        return Err(rejection.at_any(last_accept(&run)).into());
    }
    Ok(())
}

fn client_already_gone_has_an_address(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Gone)?;
    let answer = run.answer()?;
    let got = match answer.said {
        Ok(got) if answer.client == Some(got) => return Ok(()),
        Ok(got) => got.to_string(),
        Err(_) => run.returned(),
    };
    works_plainly(bench)?;
    let last = run.calls_of(&["accept", "accept4", "getpeername"]).last().map(|call| call.index);
    Err(run.reject().with("got", got).at_any(last).into())
}

fn listener_survives(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Client)?;
    let what = match run.answer()?.second {
        Ok(()) => return Ok(()),
        Err(libc::ECONNREFUSED | libc::EBADF | libc::ECONNRESET) => "The listener is closed".to_string(),
        Err(errno) => format!("A second client cannot be accepted ({:?})", Errno::from_raw(errno)),
    };
    let last = run.calls_of(&["close", "shutdown", "fcntl", "accept", "accept4"]).last().map(|call| call.index);
    Err(run.reject().with("what", what).at_any(last).into())
}
