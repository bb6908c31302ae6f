//! What a judge can arrange around a function: a peer in the parent, injected failures and short counts, real signals, an address
//! where nobody answers, few descriptors. Each arrangement is tried on a function that shows whether it was there.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use grader::{Bench, Fault, Stage, Suite, Verdict, peers};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, connect, recv, send};
use observer::Injection;

/// The page. All these functions are right for what they are; the checks ask what each of them met.
#[derive(Clone, Copy)]
struct Page {
    send_hello: fn(BorrowedFd<'_>) -> Result<usize, Errno>,
    recv_five: fn(BorrowedFd<'_>) -> Result<String, Errno>,
    open_connection: fn(SocketAddrV4) -> Result<OwnedFd, Errno>,
}

const SHEET: &str = r##"
    [[exercise]]
    id = "try/circumstances"
    title = "Circumstances"
    stars = 1
    signature = "pub fn try_circumstances()"
    task = "Meet them."
    hints = ["", "", ""]
    read = "bind.md#the-call"
    [[exercise.check]]
    name = "talks_to_the_parent"
    asks = "the parent's words arrive"
    message = "It got {got}."
    why = "A peer in the parent cannot be harmed."
    [[exercise.check]]
    name = "is_cut_short"
    asks = "the kernel takes four of eleven bytes"
    message = "It got {got}."
    why = "A short count comes when it is wanted."
    [[exercise.check]]
    name = "is_refused_once"
    asks = "the first call fails with ECONNRESET, the second works"
    message = "It got {got}."
    why = "So does a failure."
    [[exercise.check]]
    name = "is_interrupted"
    asks = "recv fails with EINTR"
    message = "It got {got}."
    why = "So does a real signal."
    [[exercise.check]]
    name = "hears_nothing"
    asks = "connect waits"
    message = "It got {got}."
    why = "So does silence."
    [[exercise.check]]
    name = "runs_out_of_descriptors"
    asks = "the third socket is refused"
    message = "It got {got}."
    why = "So does EMFILE."
"##;

fn suite(page: Page) -> Suite<Page> {
    const ID: &str = "try/circumstances";
    let mut suite = Suite::new(SHEET, page).expect("the sheet is good");
    suite
        .check(ID, "talks_to_the_parent", receive_from_the_parent, talks_to_the_parent)
        .check(ID, "is_cut_short", send_on_a_pair, is_cut_short)
        .check(ID, "is_refused_once", send_on_a_pair, is_refused_once)
        .check(ID, "is_interrupted", receive_while_signals_come, is_interrupted)
        .check(ID, "hears_nothing", connect_there, hears_nothing)
        .check(ID, "runs_out_of_descriptors", open_three, runs_out_of_descriptors);
    suite
}

fn said<T>(answer: &Result<T, Errno>) -> Result<&T, i32> {
    answer.as_ref().map_err(|errno| *errno as i32)
}

/// The socket is made before the fence, so the trace begins with the function's own calls.
fn receive_from_the_parent(page: &Page, stage: &mut Stage, server: SocketAddrV4) -> Result<String, i32> {
    let connection = TcpStream::connect(server).expect("the parent listens");
    said(stage.call("recv_five(fd)", || (page.recv_five)(connection.as_fd()))).cloned()
}

fn talks_to_the_parent(bench: &Bench<SocketAddrV4, Result<String, i32>>) -> Result<(), Fault> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let std::net::SocketAddr::V4(address) = server.local_addr()? else {
        return Err(Fault::trouble("not an IPv4 address"));
    };
    let run = thread::scope(|scope| {
        let peer = scope.spawn(|| -> std::io::Result<Vec<u8>> {
            let (mut connection, _) = server.accept()?;
            connection.write_all(b"hello")?;
            // The child's end is closed when the child is gone.
            let mut rest = Vec::new();
            connection.read_to_end(&mut rest)?;
            Ok(rest)
        });
        let run = bench.play(address)?;
        match peer.join() {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Fault::trouble("the peer panicked")),
        };
        Ok(run)
    })?;
    let got = run.answer()?;
    let names: Vec<&str> = run.trace().events.iter().filter_map(|event| Some(event.call()?.name.as_ref())).collect();
    match got {
        Ok(text) if text == "hello" && names == ["recvfrom"] => Ok(()),
        _ => Err(run.reject().with("got", format!("{got:?} in {names:?}")).into()),
    }
}

fn send_on_a_pair(page: &Page, stage: &mut Stage, _: ()) -> [Result<usize, i32>; 2] {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    [(); 2].map(|()| said(stage.call("send_hello(fd)", || (page.send_hello)(ours.as_fd()))).copied())
}

fn is_cut_short(bench: &Bench<(), [Result<usize, i32>; 2]>) -> Result<(), Fault> {
    let run = bench.setting()?.inject(Injection::shorten(&["sendto"], 2, 4)).play(())?;
    match run.answer()? {
        [Ok(11), Ok(4)] => Ok(()),
        other => Err(run.reject().with("got", format!("{other:?}")).into()),
    }
}

fn is_refused_once(bench: &Bench<(), [Result<usize, i32>; 2]>) -> Result<(), Fault> {
    let run = bench.setting()?.inject(Injection::fail(&["sendto"], 1, libc::ECONNRESET)).play(())?;
    match run.answer()? {
        [Err(libc::ECONNRESET), Ok(11)] if run.calls("sendto")[0].injected => Ok(()),
        other => Err(run.reject().with("got", format!("{other:?}")).into()),
    }
}

fn receive_while_signals_come(page: &Page, stage: &mut Stage, _: ()) -> Result<String, i32> {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    stage.interrupt_every(Duration::from_millis(5));
    let answer = stage.call("recv_five(fd)", || (page.recv_five)(ours.as_fd()));
    stage.calm();
    said(answer).cloned()
}

fn is_interrupted(bench: &Bench<(), Result<String, i32>>) -> Result<(), Fault> {
    let run = bench.play(())?;
    match run.answer()? {
        Err(libc::EINTR) => Ok(()),
        other => Err(run.reject().with("got", format!("{other:?}")).into()),
    }
}

fn connect_there(page: &Page, stage: &mut Stage, address: SocketAddrV4) -> bool {
    stage.call(format!("open_connection({address})"), || (page.open_connection)(address)).is_ok()
}

fn hears_nothing(bench: &Bench<SocketAddrV4, bool>) -> Result<(), Fault> {
    let hole = peers::BlackHole::open()?;
    let run = bench.setting()?.deadline(Duration::from_secs(1)).play(hole.address)?;
    let waits = run.calls("connect").last().is_some_and(|connect| connect.outcome.value.is_none());
    match run.answer() {
        Err(fault @ Fault::Waits { .. }) if waits => Err(fault),
        _ => Err(run.reject().with("got", run.returned()).into()),
    }
}

/// With a limit of four, one is left: 0, 1 and 2 are the standard ones.
fn open_three(page: &Page, stage: &mut Stage, address: SocketAddrV4) -> Vec<i32> {
    let tries = (0..3).map(|_| stage.call("open_connection(…)", || (page.open_connection)(address)));
    tries.map(|answer| answer.as_ref().err().map_or(0, |errno| *errno as i32)).collect()
}

fn runs_out_of_descriptors(bench: &Bench<SocketAddrV4, Vec<i32>>) -> Result<(), Fault> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let std::net::SocketAddr::V4(address) = server.local_addr()? else {
        return Err(Fault::trouble("not an IPv4 address"));
    };
    // The standard three, and two more.
    let run = bench.setting()?.descriptors(5).play(address)?;
    match run.answer()?.as_slice() {
        [0, 0, libc::EMFILE] => Ok(()),
        other => Err(run.reject().with("got", format!("{other:?}")).into()),
    }
}

fn send_hello(socket: BorrowedFd<'_>) -> Result<usize, Errno> {
    send(socket.as_raw_fd(), b"hello world", MsgFlags::empty())
}

fn recv_five(socket: BorrowedFd<'_>) -> Result<String, Errno> {
    let mut buffer = [0; 5];
    let count = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_WAITALL)?;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

fn open_connection(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = peers::tcp()?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

fn main() -> ExitCode {
    let page = Page { send_hello, recv_five, open_connection };
    if let Some(door) = grader::stage_door() {
        door.play(Some(&suite(page)));
    }
    let args = Arguments::from_args();
    let passes = |check: &'static str| {
        Trial::test(check, move || judge(page, check, |verdict| matches!(verdict, Verdict::Passed)))
    };
    let trials = vec![
        passes("talks_to_the_parent"),
        passes("is_cut_short"),
        passes("is_refused_once"),
        passes("is_interrupted"),
        passes("runs_out_of_descriptors"),
        Trial::test("hears_nothing", move || {
            judge(
                page,
                "hears_nothing",
                |verdict| matches!(verdict, Verdict::Waits { on, .. } if on == "finishes_in_time"),
            )
        }),
        Trial::test("silence_is_told_as_what_it_waited_in", move || {
            let says = |verdict: &Verdict| matches!(verdict, Verdict::Rejected { message, .. } if message.contains("it waited in connect"));
            judge(page, "finishes_in_time", says)
        }),
    ];
    libtest_mimic::run(&args, trials).exit_code()
}

fn judge(page: Page, check: &str, right: impl Fn(&Verdict) -> bool) -> Result<(), Failed> {
    let suite = suite(page);
    let verdict = suite.verdict("try/circumstances", check);
    if right(&verdict) {
        return Ok(());
    }
    let told = grader::tell(&suite, "try/circumstances", check, &verdict, false);
    Err(Failed::from(if told.is_empty() { "it passed".to_string() } else { told }))
}
