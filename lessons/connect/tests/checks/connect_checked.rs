//! `connect/connect-checked`

use std::net::SocketAddrV4;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use serde::{Deserialize, Serialize};

use super::{Page, name_of, peer_of, server};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("connect/connect-checked", "a_real_server_is_fine", call, a_real_server_is_fine)
        .check("connect/connect-checked", "talking_to_yourself_is_refused", call, talking_to_yourself_is_refused)
        .check("connect/connect-checked", "same_port_other_address_is_fine", call, same_port_other_address_is_fine)
        .check("connect/connect-checked", "the_selfie_is_closed", call, the_selfie_is_closed)
        .check("connect/connect-checked", "errno_is_unchanged", call, errno_is_unchanged);
}

/// What the socket is before the call, and where it is to connect to.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Scene {
    /// It has no name.
    Fresh(SocketAddrV4),
    /// It has a name on 127.0.0.1.
    Bound(SocketAddrV4),
    /// It has the server's port, at an address of its own.
    SamePort(SocketAddrV4),
    /// It has the very address to which it is to connect.
    Itself,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The socket's own address before the call.
    own: SocketAddrV4,
    /// The address of its peer, if it has one, or the errno.
    said: Result<Option<SocketAddrV4>, i32>,
    /// Whether its descriptor is still open.
    open: bool,
}

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let (socket, address) = set(scene).expect("a socket");
    let own = peers::name_of(&socket).expect("its name");
    stage.gives(&socket);
    let number = socket.into_raw_fd();
    let returned = stage.call(format!("connect_checked(socket, {address})"), || {
        // SAFETY: the number comes from an OwnedFd that gave it away two lines above.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        (page.connect_checked)(socket, address)
    });
    let said = match returned {
        Ok(socket) => Ok(peer_of(socket)),
        Err(errno) => Err(*errno as i32),
    };
    // SAFETY: fcntl takes two numbers and no pointer.
    let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    Answer { own, said, open }
}

fn set(scene: Scene) -> nix::Result<(OwnedFd, SocketAddrV4)> {
    match scene {
        Scene::Fresh(address) => Ok((peers::tcp()?, address)),
        Scene::Bound(address) => Ok((peers::hold()?.0, address)),
        Scene::SamePort(address) => {
            let own = SocketAddrV4::new(peers::own_loopback_address(), address.port());
            Ok((peers::bound(own)?, address))
        }
        Scene::Itself => peers::hold(),
    }
}

/// The last line that had to do with the attempt.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["connect", "getsockname", "getpeername"]).last().map(|call| call.index)
}

/// Leaves a function that did not even try to the check that says so.
fn tried(run: &Run<Answer>) -> Result<(), Fault> {
    match run.calls("connect").is_empty() {
        true => Err(Fault::waits("a_real_server_is_fine", "connect was not called")),
        false => Ok(()),
    }
}

fn a_real_server_is_fine(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (_server, address) = server()?;
    for (scene, which) in [(Scene::Fresh(address), "a fresh socket"), (Scene::Bound(address), "a bound socket")] {
        let run = bench.play(scene)?;
        let sent = run.calls_of(&["sendto", "sendmsg", "write", "writev"]).into_iter().next();
        let what = match (&run.answer()?.said, sent) {
            (_, Some(sent)) => format!("you sent it something: {}", sent.request()),
            (Ok(Some(peer)), None) if *peer == address => continue,
            (Ok(_), None) => format!("the socket that you returned for {which} is not connected to it"),
            (Err(errno), None) => format!("you said {} for {which}", name_of(*errno)),
        };
        let at = sent.map(|sent| sent.index).or(last_line(&run));
        return Err(run.reject().with("what", what).at_any(at).into());
    }
    Ok(())
}

fn talking_to_yourself_is_refused(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Itself)?;
    match run.answer()?.said {
        Err(libc::ECONNREFUSED) => Ok(()),
        _ => {
            tried(&run)?;
            Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into())
        }
    }
}

fn same_port_other_address_is_fine(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (_server, address) = server()?;
    let run = bench.play(Scene::SamePort(address))?;
    let Answer { own, said, .. } = run.answer()?;
    if *said == Ok(Some(address)) {
        return Ok(());
    }
    tried(&run)?;
    let rejection = run.reject().with("own", own).with("addr", address).with("got", run.returned());
    Err(rejection.at_any(last_line(&run)).into())
}

fn the_selfie_is_closed(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let run = bench.play(Scene::Itself)?;
    let Answer { own, said, open } = run.answer()?;
    match said {
        Err(_) if *open => Err(run.reject().with("port", own.port()).at_any(last_line(&run)).into()),
        Err(_) => Ok(()),
        Ok(_) => Err(Fault::waits("talking_to_yourself_is_refused", "the socket was returned")),
    }
}

fn errno_is_unchanged(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    let (_holder, dead) = peers::hold()?;
    let broadcast = SocketAddrV4::new([127, 255, 255, 255].into(), dead.port());
    for (address, want) in [(dead, libc::ECONNREFUSED), (broadcast, libc::ENETUNREACH)] {
        let run = bench.play(Scene::Fresh(address))?;
        if run.answer()?.said != Err(want) {
            tried(&run)?;
            let rejection = run.reject().with("want", name_of(want)).with("got", run.returned());
            return Err(rejection.at_any(last_line(&run)).into());
        }
    }
    Ok(())
}
