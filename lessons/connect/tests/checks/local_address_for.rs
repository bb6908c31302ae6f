//! `connect/local-address-for`

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use grader::{Bench, Fault, Run, Stage, Suite, peers};
use serde::{Deserialize, Serialize};

use super::{Page, guest, server};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("connect/local-address-for", "nothing_is_sent", call, nothing_is_sent)
        .check("connect/local-address-for", "answers_for_a_dead_port", call, answers_for_a_dead_port)
        .check("connect/local-address-for", "it_is_the_kernels_choice", call, it_is_the_kernels_choice)
        .check("connect/local-address-for", "errors_come_out", call, errors_come_out)
        .check("connect/local-address-for", "is_not_the_wildcard", call, is_not_the_wildcard);
}

/// What came of a call: an address, or the errno.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<Ipv4Addr, i32>,
}

fn call(page: &Page, stage: &mut Stage, peer: SocketAddrV4) -> Answer {
    let said = *stage.call(format!("local_address_for({peer})"), || (page.local_address_for)(peer));
    Answer { said: said.map_err(|errno| errno as i32) }
}

/// The answer, unless another check knows better what is wrong.
fn answer(run: &Run<Answer>) -> Result<Result<Ipv4Addr, i32>, Fault> {
    let said = run.answer()?.said;
    if run.calls_of(&["bind", "connect", "sendto"]).iter().any(|call| call.guard.is_some()) {
        return Err(Fault::waits("stays_on_loopback", "it asked for an address that is not on this machine alone"));
    }
    match said {
        Ok(Ipv4Addr::UNSPECIFIED) => Err(Fault::waits("is_not_the_wildcard", "it says 0.0.0.0")),
        said => Ok(said),
    }
}

/// The last line that had to do with the question.
fn last_line(run: &Run<Answer>) -> Option<usize> {
    run.calls_of(&["connect", "getsockname", "getpeername"]).last().map(|call| call.index)
}

/// A UDP server and a TCP server at one address.
fn two_servers() -> Result<(UdpSocket, std::os::fd::OwnedFd, SocketAddrV4), Fault> {
    for _ in 0..20 {
        let (tcp, address) = server()?;
        // Somebody else may have the same port of UDP.
        if let Ok(udp) = UdpSocket::bind(address) {
            udp.set_nonblocking(true)?;
            return Ok((udp, tcp, address));
        }
    }
    Err(Fault::trouble("no port of 127.0.0.1 is free for both UDP and TCP"))
}

fn nothing_is_sent(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (udp, tcp, address) = two_servers()?;
    let run = bench.play(address)?;
    let sends = run.calls_of(&["sendto", "sendmsg", "sendmmsg", "write", "writev"]);
    let heard = udp.recv(&mut [0; 64]).is_ok();
    let line = match (sends.first(), guest(&tcp)?) {
        (Some(send), _) => Some((send.line().trim_end().to_string(), Some(send.index))),
        (None, Some(_)) => Some((
            "a TCP server found you in its queue".to_string(),
            run.calls("connect").first().map(|connect| connect.index),
        )),
        (None, None) if heard => Some(("a UDP server heard you".to_string(), None)),
        (None, None) => None,
    };
    match line {
        Some((line, at)) => Err(run.reject().with("peer", address).with("line", line).at_any(at).into()),
        None => run.answer().map(drop),
    }
}

fn answers_for_a_dead_port(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address)?;
    match answer(&run)? {
        Ok(_) => Ok(()),
        Err(_) => Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into()),
    }
}

fn it_is_the_kernels_choice(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let want = Ipv4Addr::LOCALHOST;
    for ip in [want, Ipv4Addr::new(127, 9, 9, 9)] {
        let (_holder, address) = peers::hold()?;
        let peer = SocketAddrV4::new(ip, address.port());
        let run = bench.play(peer)?;
        match answer(&run)? {
            Ok(got) if got == want => {}
            Ok(got) => {
                let rejection = run.reject().with("peer", peer).with("want", want).with("got", got);
                return Err(rejection.at_any(last_line(&run)).into());
            }
            Err(_) => return Err(Fault::waits("answers_for_a_dead_port", "there was no answer")),
        }
    }
    Ok(())
}

fn errors_come_out(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let run = bench.play(SocketAddrV4::new([127, 255, 255, 255].into(), 9))?;
    match answer(&run)? {
        Err(libc::EACCES) => Ok(()),
        // A TCP socket is told something else.
        Err(libc::ENETUNREACH) if run.calls("connect").iter().any(|call| call.errno() == Some("ENETUNREACH")) => {
            Err(Fault::waits("answers_for_a_dead_port", "it is a TCP socket"))
        }
        _ => Err(run.reject().with("got", run.returned()).at_any(last_line(&run)).into()),
    }
}

fn is_not_the_wildcard(bench: &Bench<SocketAddrV4, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address)?;
    match run.answer()?.said {
        Ok(Ipv4Addr::UNSPECIFIED) => Err(run.reject().at_any(last_line(&run)).into()),
        _ => Ok(()),
    }
}
