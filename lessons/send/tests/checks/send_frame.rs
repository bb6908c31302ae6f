//! `send/send-frame`

use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::sys::socket::{setsockopt, sockopt};
use observer::Injection;
use serde::{Deserialize, Serialize};

use super::{Page, Peer, bytes, hex, read_all, reader, sends, unprotected};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("send/send-frame", "header_is_big_endian_length", call, header_is_big_endian_length)
        .check("send/send-frame", "length_is_of_the_payload", call, length_is_of_the_payload)
        .check("send/send-frame", "empty_frame_is_four_zero_bytes", call, empty_frame_is_four_zero_bytes)
        .check("send/send-frame", "leaves_together", call, leaves_together)
        .check("send/send-frame", "short_counts_anywhere", call, short_counts_anywhere)
        .check("send/send-frame", "never_dies_of_sigpipe", call, never_dies_of_sigpipe);
}

/// To whom, and how much.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    to: SocketAddrV4,
    payload: usize,
    /// Whether the buffers are small, and signals come all the time.
    disturbed: bool,
}

/// Nothing, or the errno.
type Said = Result<(), i32>;

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Said {
    let socket = calls::connect_to(scene.to).expect("a connection");
    let payload = bytes(scene.payload);
    if scene.disturbed {
        setsockopt(&socket, sockopt::SndBuf, &BUFFER).expect("a small buffer");
        stage.interrupt_every(Duration::from_millis(10));
    }
    let label = format!("send_frame(fd, [{} bytes])", scene.payload);
    let said = stage.call(label, || (page.send_frame)(socket.as_fd(), &payload)).map_err(|errno| errno as i32);
    if scene.disturbed {
        stage.calm();
    }
    said
}

const BUFFER: usize = 16 * 1024;

/// What the peer must get.
fn frame(payload: usize) -> Vec<u8> {
    let mut frame = (payload as u32).to_be_bytes().to_vec();
    frame.extend(bytes(payload));
    frame
}

/// Plays it with a payload of this size and a peer that reads at once: the run, and what the peer got.
fn plain(bench: &Bench<Scene, Said>, payload: usize) -> Result<(Run<Said>, Vec<u8>), Fault> {
    let peer = reader(2 * payload + 1000)?;
    let run = bench.play(Scene { to: peer.address, payload, disturbed: false })?;
    Ok((run, peer.tells()?.bytes))
}

/// The length in the header, if it counts the header, too.
fn counts_itself(got: &[u8], payload: usize) -> Option<u32> {
    let length = u32::from_be_bytes(*got.first_chunk()?);
    (length as usize == payload + 4).then_some(length)
}

/// What goes wrong with an ordinary frame is told by the checks of the header.
fn works_plainly(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let (run, got) = plain(bench, 256)?;
    if counts_itself(&got, 256).is_some() {
        return Err(Fault::waits("length_is_of_the_payload", "the length is wrong"));
    }
    run.answer()?;
    match got == frame(256) {
        true => Ok(()),
        false => Err(Fault::waits("header_is_big_endian_length", "an ordinary frame is wrong already")),
    }
}

fn first_line(run: &Run<Said>) -> Option<usize> {
    sends(run).first().map(|call| call.index)
}

fn header_is_big_endian_length(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    for payload in [256, 1, 65537] {
        let (run, got) = plain(bench, payload)?;
        if counts_itself(&got, payload).is_some() {
            return Err(Fault::waits("length_is_of_the_payload", "it counts itself"));
        }
        run.answer()?;
        let want = frame(payload);
        if got == want {
            continue;
        }
        let tell = |bytes: &[u8]| match bytes.split_at_checked(4) {
            Some((header, rest)) => format!("{} before {} bytes", hex(header), rest.len()),
            None => hex(bytes),
        };
        let rejection = run.reject().with("bytes", tell(&got)).with("want", tell(&want));
        return Err(rejection.at_any(first_line(&run)).into());
    }
    Ok(())
}

fn length_is_of_the_payload(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let (run, got) = plain(bench, 256)?;
    if let Some(length) = counts_itself(&got, 256) {
        return Err(run.reject().with("n", length).with("m", 256).at_any(first_line(&run)).into());
    }
    works_plainly(bench)
}

fn empty_frame_is_four_zero_bytes(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let (run, got) = plain(bench, 0)?;
    let answer = *run.answer()?;
    if answer.is_ok() && got == [0; 4] {
        return Ok(());
    }
    works_plainly(bench)?;
    let got = if answer.is_ok() { hex(&got) } else { format!("{}, and you returned {}", hex(&got), run.returned()) };
    Err(run.reject().with("got", got).at_any(first_line(&run)).into())
}

fn leaves_together(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let (run, _) = plain(bench, 256)?;
    let calls = sends(&run);
    let held_back = |flags: &str| flags.contains("MSG_MORE");
    let apart = calls.iter().rev().skip(1).find(|call| !call.arg("flags").is_some_and(|flags| held_back(&flags.text)));
    match apart {
        Some(call) => Err(run.reject().with("n", calls.len()).at(call.index).into()),
        None => works_plainly(bench),
    }
}

fn short_counts_anywhere(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    works_plainly(bench)?;
    let want = frame(256);
    for cut in [2, 4, 10] {
        let peer = reader(2000)?;
        let setting = bench
            .setting()?
            .inject(Injection::shorten(&["sendto", "write"], 1, cut))
            .inject(Injection::shorten(&["sendto", "write"], 2, 1));
        let run = setting.play(Scene { to: peer.address, payload: 256, disturbed: false })?;
        let got = peer.tells()?.bytes;
        let cut = sends(&run).first().and_then(|call| call.outcome.value).map_or(0, |value| value as usize);
        whole(&run, &got, &want, cut.to_string())?;
    }
    // sendmsg is not cut short like that. But signals do it, while the peer pauses.
    const MUCH: usize = 300_000;
    let peer = Peer::who(Some(BUFFER), |socket| {
        let mut pauses = 0;
        read_all(&socket, 1 << 14, 2 * MUCH, |_| {
            if pauses < 4 {
                pauses += 1;
                thread::sleep(Duration::from_millis(15)); // Time for a signal.
            }
        })
    })?;
    let run = bench.play(Scene { to: peer.address, payload: MUCH, disturbed: true })?;
    let got = peer.tells()?.bytes;
    let first = sends(&run).first().and_then(|call| call.outcome.value).unwrap_or(0);
    whole(&run, &got, &frame(MUCH), first.to_string())
}

/// Whether the peer got the whole frame.
fn whole(run: &Run<Said>, got: &[u8], want: &[u8], cut: String) -> Result<(), Fault> {
    let said = *run.answer()?;
    if said.is_ok() && got == want {
        return Ok(());
    }
    let right = got.iter().zip(want).take_while(|(got, want)| got == want).count();
    let got = match said {
        Err(_) => format!("{} of {} bytes, and you returned {}", right, want.len(), run.returned()),
        Ok(()) if got.len() == right => format!("{right} of {} bytes", want.len()),
        Ok(()) => format!("something else from byte {right} on"),
    };
    Err(run.reject().with("n", cut).with("got", got).at_any(first_line(run)).into())
}

fn never_dies_of_sigpipe(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let (run, _) = plain(bench, 256)?;
    match unprotected(&run) {
        Some(call) => Err(run.reject().with("line", call.request()).at(call.index).into()),
        None => works_plainly(bench),
    }
}
