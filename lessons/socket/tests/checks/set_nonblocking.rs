//! `socket/set-nonblocking`

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("socket/set-nonblocking", "turns_on", call, turns_on)
        .check("socket/set-nonblocking", "turns_off", call, turns_off)
        .check("socket/set-nonblocking", "keeps_the_other_flags", call, keeps_the_other_flags)
        .check("socket/set-nonblocking", "same_again_is_harmless", call, same_again_is_harmless)
        .check("socket/set-nonblocking", "bad_fd_is_ebadf", call_on_nothing, bad_fd_is_ebadf);
}

/// A socket as it is before the calls (it has FD_CLOEXEC), and the calls.
#[derive(Clone, Serialize, Deserialize)]
struct Scene {
    /// O_NONBLOCK is on.
    nonblocking: bool,
    /// O_ASYNC is on.
    asynchronous: bool,
    /// What the function is asked for, one call after another.
    asked: Vec<bool>,
}

/// What came of it.
#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    /// The first errno that the function returned.
    error: Option<i32>,
    /// O_NONBLOCK, O_ASYNC and FD_CLOEXEC afterwards; `None` where the socket has been closed.
    flags: Option<[bool; 3]>,
}

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Answer {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (socket, _other) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags).expect("a pair of sockets");
    let status = [(scene.nonblocking, libc::O_NONBLOCK), (scene.asynchronous, libc::O_ASYNC)];
    let status = status.iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag);
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let set = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, status) };
    assert!(set == 0, "F_SETFL: {}", Errno::last());
    // The function may close it, and then it is not ours to close again.
    let socket: &'static OwnedFd = Box::leak(Box::new(socket));

    let each = scene.asked.iter().map(|on| format!("set_nonblocking(fd, {on})"));
    let label = each.collect::<Vec<String>>().join(", ");
    let answers: &Vec<Result<(), Errno>> =
        stage.call(label, move || scene.asked.iter().map(|on| (page.set_nonblocking)(socket.as_fd(), *on)).collect());
    let error = answers.iter().find_map(|answer| answer.err()).map(|errno| errno as i32);
    Answer { error, flags: flags_of(socket) }
}

fn flags_of(socket: &OwnedFd) -> Option<[bool; 3]> {
    // SAFETY: these commands of fcntl take numbers and no pointer.
    let (status, descriptor) =
        unsafe { (libc::fcntl(socket.as_raw_fd(), libc::F_GETFL), libc::fcntl(socket.as_raw_fd(), libc::F_GETFD)) };
    if status == -1 || descriptor == -1 {
        return None;
    }
    Some([status & libc::O_NONBLOCK != 0, status & libc::O_ASYNC != 0, descriptor & libc::FD_CLOEXEC != 0])
}

/// A number that is not open: no function has opened so many in this process.
const NOT_OPEN: i32 = 200;

fn call_on_nothing(page: &Page, stage: &mut Stage, _: ()) -> Result<(), i32> {
    // SAFETY: a number that is not open is the point. The function passes it to the kernel, which says EBADF, and while
    // it runs nobody opens this number.
    let nothing = unsafe { BorrowedFd::borrow_raw(NOT_OPEN) };
    let answer = stage.call(format!("set_nonblocking({NOT_OPEN}, true)"), || (page.set_nonblocking)(nothing, true));
    answer.map_err(|errno| errno as i32)
}

/// O_NONBLOCK, O_ASYNC and FD_CLOEXEC afterwards.
fn flags(run: &Run<Answer>) -> Result<[bool; 3], Fault> {
    run.answer()?.flags.ok_or_else(|| Fault::waits("leaves_no_fd_behind", "the socket was closed"))
}

/// The line in which flags were written.
fn writing(run: &Run<Answer>) -> Option<usize> {
    let writes =
        |call: &grader::Seen| call.name == "ioctl" || call.arg("cmd").is_some_and(|cmd| cmd.text.starts_with("F_SET"));
    run.calls_of(&["fcntl", "ioctl"]).into_iter().rfind(writes).map(|call| call.index)
}

/// Whether one call switches the flag, on a socket that has no other flag to lose.
fn switches(bench: &Bench<Scene, Answer>, on: bool) -> Result<(), Fault> {
    let run = bench.play(Scene { nonblocking: !on, asynchronous: false, asked: vec![on] })?;
    let [nonblocking, ..] = flags(&run)?;
    let what = match run.answer()?.error {
        None if nonblocking == on => return Ok(()),
        Some(_) if nonblocking == on => format!("it is, and yet you returned {}", run.returned()),
        _ => {
            let wrong_word = |call: &grader::Seen| call.arg("cmd").is_some_and(|cmd| cmd.text == "F_SETFD");
            let hint = match run.calls("fcntl").iter().any(wrong_word) {
                true => ". You wrote the flags of the number (F_SETFD) and not those of the description (F_SETFL)",
                false => "",
            };
            format!("it is still {}{hint}", on_or_off(nonblocking))
        }
    };
    Err(run.reject().with("what", what).at_any(writing(&run)).into())
}

fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The check that says best that the flag could not be switched.
fn switching(on: bool) -> &'static str {
    if on { "turns_on" } else { "turns_off" }
}

fn turns_on(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    switches(bench, true)
}

fn turns_off(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    switches(bench, false)
}

fn keeps_the_other_flags(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    for on in [true, false] {
        let run = bench.play(Scene { nonblocking: !on, asynchronous: true, asked: vec![on] })?;
        let [nonblocking, asynchronous, cloexec] = flags(&run)?;
        if nonblocking != on {
            return Err(Fault::waits(switching(on), "the flag itself was not switched"));
        }
        let (flag, because) = match (asynchronous, cloexec) {
            (true, true) => continue,
            (false, _) => ("O_ASYNC", "F_SETFL replaces all the flags: read them first, and change one."),
            (true, false) => ("FD_CLOEXEC", "F_SETFD writes the flags of the number: leave those alone."),
        };
        return Err(run.reject().with("flag", flag).with("because", because).at_any(writing(&run)).into());
    }
    Ok(())
}

fn same_again_is_harmless(bench: &Bench<Scene, Answer>) -> Result<(), Fault> {
    for on in [true, false] {
        let once = bench.play(Scene { nonblocking: !on, asynchronous: false, asked: vec![on] })?;
        if flags(&once)?[0] != on {
            return Err(Fault::waits(switching(on), "once is not enough"));
        }
        let run = bench.play(Scene { nonblocking: !on, asynchronous: false, asked: vec![on, on] })?;
        if flags(&run)?[0] != on {
            let rejection = run.reject().with("which", on_or_off(on)).with("other", on_or_off(!on));
            return Err(rejection.at_any(writing(&run)).into());
        }
    }
    Ok(())
}

fn bad_fd_is_ebadf(bench: &Bench<(), Result<(), i32>>) -> Result<(), Fault> {
    let run = bench.play(())?;
    if *run.answer()? == Err(libc::EBADF) {
        return Ok(());
    }
    let at = run.calls_of(&["fcntl", "ioctl"]).first().map(|call| call.index);
    Err(run.reject().with("got", run.returned()).at_any(at).into())
}
