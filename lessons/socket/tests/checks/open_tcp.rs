//! `socket/open-tcp`

use std::os::fd::{AsRawFd, OwnedFd};

use grader::{Bench, Fault, Run, Stage, Suite};
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("socket/open-tcp", "is_an_ipv4_stream_socket", call, is_an_ipv4_stream_socket)
        .check("socket/open-tcp", "will_not_leak_across_exec", call, will_not_leak_across_exec)
        .check("socket/open-tcp", "asks_in_one_call", call, asks_in_one_call)
        .check("socket/open-tcp", "opens_exactly_one", call, opens_exactly_one)
        .check("socket/open-tcp", "is_blocking", call, is_blocking)
        .check("socket/open-tcp", "is_fresh", call, is_fresh);
}

/// What the returned socket is.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Answer {
    /// SO_DOMAIN, SO_TYPE and SO_PROTOCOL; `None` where it is no socket.
    kind: Option<[i32; 3]>,
    /// FD_CLOEXEC.
    cloexec: bool,
    /// O_NONBLOCK.
    nonblocking: bool,
}

/// An answer, or the errno.
type Said = Result<Answer, i32>;

fn call(page: &Page, stage: &mut Stage, _: ()) -> Said {
    match stage.call("open_tcp()", page.open_tcp) {
        Ok(socket) => {
            let kind = [libc::SO_DOMAIN, libc::SO_TYPE, libc::SO_PROTOCOL].map(|option| ask(socket, option));
            let kind = match kind {
                [Some(domain), Some(kind), Some(protocol)] => Some([domain, kind, protocol]),
                _ => None,
            };
            // SAFETY: these commands of fcntl take numbers and no pointer.
            let (descriptor, status) = unsafe {
                (libc::fcntl(socket.as_raw_fd(), libc::F_GETFD), libc::fcntl(socket.as_raw_fd(), libc::F_GETFL))
            };
            let has = |flags: i32, flag: i32| flags != -1 && flags & flag != 0;
            Ok(Answer { kind, cloexec: has(descriptor, libc::FD_CLOEXEC), nonblocking: has(status, libc::O_NONBLOCK) })
        }
        Err(errno) => Err(*errno as i32),
    }
}

/// One of the socket's numbers; `None` where it is no socket.
fn ask(socket: &OwnedFd, option: i32) -> Option<i32> {
    let mut answer: libc::c_int = 0;
    let mut length = size_of_val(&answer) as libc::socklen_t;
    // SAFETY: `answer` is an int, `length` says so, and both are ours to be written to.
    let asked = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut answer).cast(), &raw mut length)
    };
    (asked == 0).then_some(answer)
}

/// The returned socket, if there is one; that there is none is the business of `is_an_ipv4_stream_socket`.
fn answer(run: &Run<Said>) -> Result<Answer, Fault> {
    run.answer()?.map_err(|_| Fault::waits("is_an_ipv4_stream_socket", "no socket was returned"))
}

/// Where to point when the socket itself is not what it should be.
fn last_socket_line(run: &Run<Said>) -> Option<usize> {
    run.calls("socket").last().map(|socket| socket.index)
}

fn is_an_ipv4_stream_socket(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    let got = match run.answer()? {
        Ok(Answer { kind: Some([libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP]), .. }) => return Ok(()),
        Ok(Answer { kind: Some([domain, kind, protocol]), .. }) => {
            format!("{}, {}, {}", family_name(*domain), type_name(*kind), protocol_name(*protocol))
        }
        Ok(Answer { kind: None, .. }) => "it is no socket at all".to_string(),
        Err(_) => format!("there is none, for you returned {}", run.returned()),
    };
    Err(run.reject().with("got", got).at_any(last_socket_line(&run)).into())
}

fn family_name(number: i32) -> String {
    match number {
        libc::AF_UNIX => "AF_UNIX".to_string(),
        libc::AF_INET => "AF_INET".to_string(),
        libc::AF_INET6 => "AF_INET6".to_string(),
        number => format!("family {number}"),
    }
}

fn type_name(number: i32) -> String {
    match number {
        libc::SOCK_STREAM => "SOCK_STREAM".to_string(),
        libc::SOCK_DGRAM => "SOCK_DGRAM".to_string(),
        libc::SOCK_SEQPACKET => "SOCK_SEQPACKET".to_string(),
        libc::SOCK_RAW => "SOCK_RAW".to_string(),
        number => format!("type {number}"),
    }
}

fn protocol_name(number: i32) -> String {
    match number {
        libc::IPPROTO_TCP => "TCP".to_string(),
        libc::IPPROTO_UDP => "UDP".to_string(),
        libc::IPPROTO_MPTCP => "MPTCP".to_string(),
        number => format!("protocol {number}"),
    }
}

fn will_not_leak_across_exec(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    if answer(&run)?.cloexec {
        return Ok(());
    }
    // Did they try?
    let tried = run.calls("fcntl").into_iter().rfind(|call| call.arg("cmd").is_some_and(|cmd| cmd.text == "F_SETFL"));
    let (how, at) = match tried {
        Some(call) => (": F_SETFL returns 0 here and changes nothing of that", Some(call.index)),
        None => ("", last_socket_line(&run)),
    };
    Err(run.reject().with("how", how).at_any(at).into())
}

fn asks_in_one_call(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    if !answer(&run)?.cloexec {
        return Err(Fault::waits("will_not_leak_across_exec", "close-on-exec is not set at all"));
    }
    let made_with_it = |call: &grader::Seen| call.arg("type").is_some_and(|arg| arg.text.contains("SOCK_CLOEXEC"));
    if run.calls("socket").last().is_none_or(made_with_it) {
        return Ok(());
    }
    let second = run.calls_of(&["fcntl", "ioctl"]).last().map(|call| call.index);
    Err(run.reject().at_any(second).into())
}

fn opens_exactly_one(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    run.answer()?;
    let sockets = run.calls("socket");
    if sockets.len() == 1 {
        return Ok(());
    }
    let mut rejection = run.reject().with("count", sockets.len());
    for socket in &sockets {
        rejection = rejection.at(socket.index);
    }
    Err(rejection.into())
}

fn is_blocking(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    if !answer(&run)?.nonblocking {
        return Ok(());
    }
    let at = run.calls_of(&["socket", "fcntl", "ioctl"]).last().map(|call| call.index);
    Err(run.reject().at_any(at).into())
}

fn is_fresh(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    run.answer()?;
    match run.calls_of(&["bind", "listen", "connect"]).first() {
        Some(call) => Err(run.reject().with("what", &call.name).at(call.index).into()),
        None => Ok(()),
    }
}
