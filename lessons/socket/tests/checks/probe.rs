//! `socket/probe`

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("socket/probe", "reports_the_kernels_errno", call, reports_the_kernels_errno)
        .check("socket/probe", "closes_what_it_opened", call, closes_what_it_opened)
        .check("socket/probe", "fd_zero_is_a_success", call, fd_zero_is_a_success)
        .check("socket/probe", "ignores_stale_errno", call, ignores_stale_errno)
        .check("socket/probe", "errno_is_read_at_once", call, errno_is_read_at_once);
}

/// A family, a type and a protocol.
type Triple = (i32, i32, i32);

/// A socket that every kernel of this book opens.
const GOOD: Triple = (libc::AF_INET, libc::SOCK_STREAM, 0);

/// Sockets that no kernel opens.
const BAD: [Triple; 6] = [
    (99, libc::SOCK_STREAM, 0),
    (libc::AF_INET, 99, 0),
    (libc::AF_INET, libc::SOCK_SEQPACKET, 0),
    (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_UDP),
    (libc::AF_INET, libc::SOCK_STREAM, -1),
    (libc::AF_UNIX, libc::SOCK_STREAM, libc::IPPROTO_TCP),
];

/// What to ask, and in what circumstances.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scene {
    triple: Triple,
    /// Descriptors that are closed before the call.
    closed: [bool; 3],
    /// What errno holds before the call.
    errno: i32,
}

impl Scene {
    fn plain(triple: Triple) -> Scene {
        Scene { triple, closed: [false; 3], errno: 0 }
    }
}

/// Nothing, or the errno.
type Said = Result<(), i32>;

fn call(page: &Page, stage: &mut Stage, scene: Scene) -> Said {
    for (fd, closed) in scene.closed.into_iter().enumerate() {
        if closed {
            // SAFETY: nothing of the grader's uses the standard three while the function runs.
            unsafe { libc::close(fd as libc::c_int) };
        }
    }
    let (domain, kind, protocol) = scene.triple;
    let answer = stage.call(label(scene.triple), || {
        // Here, because the grader's own calls leave something in errno too.
        Errno::set_raw(scene.errno);
        (page.probe)(domain, kind, protocol)
    });
    answer.map_err(|errno| errno as i32)
}

fn label((domain, kind, protocol): Triple) -> String {
    format!("probe({domain}, {kind}, {protocol})")
}

/// What the kernel says of such a socket.
fn kernel((domain, kind, protocol): Triple) -> Result<(), Errno> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd == -1 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Errno::last());
    }
    Ok(())
}

/// The errno with which the kernel refuses a bad triple.
fn refusal(triple: Triple) -> Result<Errno, Fault> {
    match kernel(triple) {
        Err(errno) => Ok(errno),
        Ok(()) => Err(Fault::trouble(format!("this kernel opens a socket {triple:?}"))),
    }
}

/// The last socket line, where a failure to report is to be seen.
fn socket_line(run: &Run<Said>) -> Option<usize> {
    run.calls("socket").last().map(|socket| socket.index)
}

fn reports_the_kernels_errno(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    for triple in BAD {
        let want = refusal(triple)?;
        let run = bench.play(Scene::plain(triple))?;
        if *run.answer()? != Err(want as i32) {
            let rejection = run.reject().with("call", label(triple)).with("want", want_name(want));
            return Err(rejection.with("got", run.returned()).at_any(socket_line(&run)).into());
        }
    }
    Ok(())
}

fn want_name(errno: Errno) -> String {
    format!("{errno:?}")
}

fn closes_what_it_opened(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    kernel(GOOD)?;
    let run = bench.play(Scene::plain(GOOD))?;
    let said = *run.answer()?;
    let closes = run.calls("close");
    let twice = closes.iter().find(|close| close.errno() == Some("EBADF"));
    let (what, at) = match (run.left_open()?, twice, said) {
        ([(fd, _), ..], _, _) => (format!("you left descriptor {fd} open"), socket_line(&run)),
        (_, Some(close), _) => (format!("you closed {} twice", close.int("fd").unwrap_or(-1)), Some(close.index)),
        _ if run.calls("socket").is_empty() => ("you did not ask it".to_string(), None),
        (_, _, Err(_)) => (format!("you reported {}", run.returned()), socket_line(&run)),
        _ => return Ok(()),
    };
    Err(run.reject().with("what", what).at_any(at).into())
}

/// Plays with a good triple in plain circumstances first: what goes wrong there is not the fault of odd ones.
fn works_plainly(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let run = bench.play(Scene::plain(GOOD))?;
    match run.answer()? {
        Ok(()) => Ok(()),
        Err(_) => Err(Fault::waits("closes_what_it_opened", "a good socket was reported as a failure")),
    }
}

fn fd_zero_is_a_success(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    works_plainly(bench)?;
    let run = bench.play(Scene { closed: [true, false, false], ..Scene::plain(GOOD) })?;
    match run.answer()? {
        Ok(()) => Ok(()),
        Err(_) => Err(run.reject().with("got", run.returned()).at_any(socket_line(&run)).into()),
    }
}

fn ignores_stale_errno(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    works_plainly(bench)?;
    let run = bench.play(Scene { errno: libc::EINTR, ..Scene::plain(GOOD) })?;
    match run.answer()? {
        Ok(()) => Ok(()),
        Err(_) => Err(run.reject().with("got", run.returned()).at_any(socket_line(&run)).into()),
    }
}

fn errno_is_read_at_once(bench: &Bench<Scene, Said>) -> Result<(), Fault> {
    let triple = (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_UDP);
    let want = refusal(triple)?;
    let right = Err(want as i32);
    if *bench.play(Scene::plain(triple))?.answer()? != right {
        return Err(Fault::waits("reports_the_kernels_errno", "the errno is wrong in plain circumstances too"));
    }
    let run = bench.play(Scene { closed: [false, true, true], ..Scene::plain(triple) })?;
    if *run.answer()? == right {
        return Ok(());
    }
    // The call in between is the last that failed.
    let failed = |event: &observer::Event| event.call().is_some_and(|call| call.errno().is_some());
    let at = run.trace().events.iter().rposition(failed);
    Err(run.reject().with("want", want_name(want)).with("got", run.returned()).at_any(at).into())
}
