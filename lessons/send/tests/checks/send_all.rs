//! `send/send-all`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use grader::{Bench, Fault, Stage, Suite, peers};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Heard, Page, SENDS, bytes, reader, sends, unprotected};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("send/send-all", "every_byte_once_and_in_order", call, every_byte_once_and_in_order)
        .check("send/send-all", "interrupted_is_not_an_error", call, interrupted_is_not_an_error)
        .check("send/send-all", "a_gone_peer_is_epipe_not_death", call, a_gone_peer_is_epipe_not_death)
        .check("send/send-all", "every_send_has_nosignal", call, every_send_has_nosignal)
        .check("send/send-all", "empty_needs_no_call", call, empty_needs_no_call)
        .check("send/send-all", "sends_in_big_pieces", call, sends_in_big_pieces);
}

/// To whom, and how much.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Scene {
    /// To this peer, so many bytes.
    To(SocketAddrV4, usize),
    /// To one that has gone, and has answered a first byte with a reset.
    Gone,
}

/// Nothing, or the errno.
type Said = Result<(), i32>;

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Said {
    let (socket, count) = match scene {
        Scene::To(address, count) => (calls::connect_to(address).expect("a connection"), count),
        Scene::Gone => (to_one_who_has_gone().expect("a connection without a peer"), 100),
    };
    let data = bytes(count);
    let label = format!("send_all(fd, [{count} bytes])");
    stage.call(label, || (page.send_all)(socket.as_fd(), &data)).map_err(|errno| errno as i32)
}

/// A socket whose peer has closed, and has answered what came afterwards with a reset.
fn to_one_who_has_gone() -> Result<OwnedFd, Errno> {
    let listener = calls::listen_on(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 1)?;
    let socket = calls::connect_to(peers::name_of(&listener)?)?;
    drop(calls::accept_one(&listener)?);
    calls::send_all(&socket, b"x")?;
    // POLLHUP and POLLERR come unasked: then the reset is here.
    match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::empty())], PollTimeout::from(5000_u16))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => Ok(socket),
    }
}

/// What is wrong with what the peer heard: at which byte, what it got there, what it should have got, and what that means.
fn fault(heard: &Heard, want: &[u8], returned: &str) -> Option<(usize, String, String, String)> {
    let got = &heard.bytes;
    let byte = |bytes: &[u8], at: usize| bytes.get(at).map_or("nothing".to_string(), |byte| format!("{byte:#04x}"));
    let at = (0..got.len().max(want.len())).find(|&at| got.get(at) != want.get(at))?;
    // Three bytes tell where in the data they come from.
    let stretch = &got[at..got.len().min(at + 3)];
    let earlier = &want[..want.len().min(at + stretch.len().saturating_sub(1))];
    let what = if at == got.len() {
        format!("the rest never came, and you returned {returned}")
    } else if at == want.len() || earlier.windows(stretch.len()).any(|seen| seen == stretch) {
        "bytes are repeated".to_string()
    } else {
        "bytes are skipped".to_string()
    };
    Some((at, byte(got, at), byte(want, at), what))
}

fn every_byte_once_and_in_order(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    const CAPS: [usize; 10] = [1, 3, 1000, 7, 500, 50, 2, 400, 1, 99];
    let want = bytes(5 * 1024);
    let peer = reader(2 * want.len())?;
    let mut setting = bench.setting()?;
    for (number, cap) in (1..).zip(CAPS) {
        setting = setting.inject(Injection::shorten(&["sendto", "write"], number, cap));
    }
    let run = setting.play(Scene::To(peer.address, want.len()))?;
    let heard = peer.tells()?;
    run.answer()?;
    let Some((k, got, want, what)) = fault(&heard, &want, &run.returned()) else {
        return Ok(());
    };
    let rejection = run.reject().with("k", k).with("got", got).with("want", want).with("what", what);
    Err(rejection.at_any(sends(&run).first().map(|call| call.index)).into())
}

fn interrupted_is_not_an_error(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let want = bytes(3000);
    let peer = reader(2 * want.len())?;
    let setting = bench
        .setting()?
        .inject(Injection::fail(&SENDS, 1, libc::EINTR))
        .inject(Injection::shorten(&["sendto", "write"], 2, 1000))
        .inject(Injection::fail(&SENDS, 3, libc::EINTR))
        .inject(Injection::fail(&SENDS, 4, libc::EINTR));
    let run = setting.play(Scene::To(peer.address, want.len()))?;
    let heard = peer.tells()?;
    let said = *run.answer()?;
    let whole = fault(&heard, &want, "").is_none();
    let sends = sends(&run);
    let stopped = sends.last().filter(|call| call.errno() == Some("EINTR"));
    match (said, stopped) {
        (Ok(()), _) if whole => Ok(()),
        (Err(_), None) if whole => Err(run.reject().with("got", run.returned()).into()),
        (_, Some(call)) => Err(run.reject().with("got", run.returned()).at(call.index).into()),
        _ => Err(Fault::waits("every_byte_once_and_in_order", "bytes are lost or repeated")),
    }
}

fn a_gone_peer_is_epipe_not_death(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let run = bench.play(Scene::Gone)?;
    match run.answer()? {
        Err(libc::EPIPE | libc::ECONNRESET) => Ok(()),
        _ => {
            let what = format!("you returned {}", run.returned());
            Err(run.reject().with("what", what).at_any(sends(&run).last().map(|call| call.index)).into())
        }
    }
}

fn every_send_has_nosignal(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let peer = reader(2000)?;
    // The second one needs it as much as the first.
    let setting = bench.setting()?.inject(Injection::shorten(&["sendto", "write"], 1, 100));
    let run = setting.play(Scene::To(peer.address, 1000))?;
    let heard = peer.tells()?;
    if let Some(call) = unprotected(&run) {
        return Err(run.reject().with("k", call.index + 1).at(call.index).into());
    }
    run.answer()?;
    match heard.bytes.is_empty() {
        true => Err(Fault::waits("every_byte_once_and_in_order", "nothing was sent")),
        false => Ok(()),
    }
}

fn empty_needs_no_call(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let peer = reader(1000)?;
    let run = bench.play(Scene::To(peer.address, 0))?;
    peer.tells()?;
    let calls = sends(&run);
    let what = match (calls.len(), run.answer()?) {
        (0, Ok(())) => return Ok(()),
        (0, Err(_)) => format!("returned {}", run.returned()),
        (_, Err(_)) => format!("called the kernel and returned {}", run.returned()),
        (_, Ok(())) => "called the kernel".to_string(),
    };
    Err(run.reject().with("what", what).at_any(calls.first().map(|call| call.index)).into())
}

fn sends_in_big_pieces(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    const COUNT: usize = 16 * 1024;
    let peer = reader(2 * COUNT)?;
    let run = bench.play(Scene::To(peer.address, COUNT))?;
    let heard = peer.tells()?;
    let calls = sends(&run);
    if calls.len() > 4 {
        return Err(run.reject().with("n", calls.len()).at(calls[1].index).into());
    }
    run.answer()?;
    match heard.bytes.len() {
        COUNT => Ok(()),
        _ => Err(Fault::waits("every_byte_once_and_in_order", "not every byte was sent once")),
    }
}
