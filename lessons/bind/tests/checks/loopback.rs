//! `bind/loopback`

use std::net::{Ipv4Addr, SocketAddrV4};

use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use nix::errno::Errno;
use observer::Address;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("bind/loopback", "bound_to_the_port_asked", call_on_a_free_port, bound_to_the_port_asked)
        .check("bind/loopback", "bound_to_loopback_only", call_on_a_free_port, bound_to_loopback_only)
        .check("bind/loopback", "passes_the_real_length", call_on_a_free_port, passes_the_real_length)
        .check("bind/loopback", "in_use_is_reported", call, in_use_is_reported)
        .check("bind/loopback", "failure_leaves_nothing", call, failure_leaves_nothing);
}

/// How long a `sockaddr_in` is.
const LENGTH: i64 = 16;

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// The port that was asked for.
    port: u16,
    /// The address that the returned socket is bound to (`None`: it is no IPv4 socket), or the errno.
    said: Result<Option<SocketAddrV4>, i32>,
}

fn call(page: &Page, stage: &mut Stage, port: u16) -> Answer {
    let answer = stage.call(format!("bind_loopback({port})"), || (page.bind_loopback)(port));
    let said = match answer {
        Ok(socket) => Ok(peers::name_of(socket).ok()),
        Err(errno) => Err(*errno as i32),
    };
    Answer { port, said }
}

fn call_on_a_free_port(page: &Page, stage: &mut Stage, _: ()) -> Answer {
    let port = peers::free_port().expect("a free port");
    call(page, stage, port)
}

/// Plays on a free port. If somebody else took it in the moment between our looking and the function's bind, which the
/// kernel's answer shows, that is nobody's fault: once more, with another port.
fn on_a_free_port(bench: &Bench<(), Answer>) -> Result<Run<Answer>, Fault> {
    let mut run = bench.play(())?;
    for _ in 0..20 {
        let port = run.answer()?.port;
        let ours = |bind: &Seen| bind.address() == Some(&Address::Inet { ip: Ipv4Addr::LOCALHOST, port });
        let first = run.calls("bind").into_iter().find(ours);
        let taken = first.is_some_and(|bind| bind.errno() == Some("EADDRINUSE") && !bind.injected);
        if !taken {
            break;
        }
        run = bench.play(())?;
    }
    Ok(run)
}

fn bound_to_the_port_asked(bench: &Bench<(), Answer>) -> Result<(), Fault> {
    for _ in 0..16 {
        let run = on_a_free_port(bench)?;
        let Answer { port, said } = run.answer()?;
        let bind = run.calls("bind").into_iter().next();
        let got = match said {
            Ok(Some(name)) if name.port() == *port => continue,
            Ok(Some(name)) if name.port() == 0 => "a socket that is bound to no port".to_string(),
            Ok(Some(name)) => format!("port {}", name.port()),
            Ok(None) => "something that is no IPv4 socket".to_string(),
            Err(_) => match bind.and_then(|bind| port_of(&bind)) {
                Some(other) if other != *port => format!("port {other}"),
                _ => {
                    no_better_reason(&run)?;
                    run.returned()
                }
            },
        };
        return Err(run.reject().with("asked", port).with("got", got).at_any(bind.map(|bind| bind.index)).into());
    }
    Ok(())
}

/// The bind failed for a reason that another check names.
fn no_better_reason(run: &Run<Answer>) -> Result<(), Fault> {
    for bind in run.calls("bind") {
        if bind.int("addrlen").is_some_and(|length| length != LENGTH) {
            return Err(Fault::waits("passes_the_real_length", "bind was told a wrong length"));
        }
        if bind.guard.is_some() {
            return Err(Fault::waits("bound_to_loopback_only", "bind asked for an address outside of loopback"));
        }
    }
    Ok(())
}

fn port_of(bind: &Seen) -> Option<u16> {
    match bind.address() {
        Some(Address::Inet { port, .. } | Address::Inet6 { port, .. }) => Some(*port),
        _ => None,
    }
}

fn bound_to_loopback_only(bench: &Bench<(), Answer>) -> Result<(), Fault> {
    let run = on_a_free_port(bench)?;
    let binds = run.calls("bind");
    if binds.is_empty() {
        run.answer()?;
        return Err(Fault::waits("bound_to_the_port_asked", "bind was never called"));
    }
    for bind in binds {
        let (address, consequence) = match bind.address() {
            Some(Address::Inet { ip: Ipv4Addr::LOCALHOST, .. }) => continue,
            Some(Address::Inet { ip, .. }) => (ip.to_string(), consequence(*ip)),
            Some(Address::Inet6 { ip, .. }) => {
                (ip.to_string(), "That is IPv6, and a client of 127.0.0.1 does not find it.")
            }
            _ if bind.int("addrlen") != Some(LENGTH) => {
                return Err(Fault::waits("passes_the_real_length", "bind was told a wrong length"));
            }
            _ => (bind.arg("addr").map_or_else(String::new, |arg| arg.text.to_string()), "That is no IPv4 address."),
        };
        return Err(run.reject().with("address", address).with("consequence", consequence).at(bind.index).into());
    }
    Ok(())
}

fn consequence(ip: Ipv4Addr) -> &'static str {
    let [a, b, c, d] = ip.octets();
    if ip.is_unspecified() {
        "That is the wildcard: every machine that can reach this one could reach your server."
    } else if Ipv4Addr::new(d, c, b, a) == Ipv4Addr::LOCALHOST {
        "Its four bytes stand in the wrong order."
    } else if ip.is_loopback() {
        "That is this machine too, and yet another address: a client of 127.0.0.1 does not find it."
    } else {
        "That is somebody else's address."
    }
}

fn passes_the_real_length(bench: &Bench<(), Answer>) -> Result<(), Fault> {
    let run = on_a_free_port(bench)?;
    let binds = run.calls("bind");
    if binds.is_empty() {
        run.answer()?;
        return Err(Fault::waits("bound_to_the_port_asked", "bind was never called"));
    }
    match binds.iter().find_map(|bind| Some((bind, bind.int("addrlen").filter(|length| *length != LENGTH)?))) {
        Some((bind, length)) => Err(run.reject().with("length", length).at(bind.index).into()),
        None => Ok(()),
    }
}

/// The first bind that asked for this port of 127.0.0.1 and was told that it is taken.
fn refused_bind(run: &Run<Answer>, port: u16) -> Result<Seen<'_>, Fault> {
    let wanted = Address::Inet { ip: Ipv4Addr::LOCALHOST, port };
    let refused = |bind: &Seen| bind.address() == Some(&wanted) && bind.errno() == Some("EADDRINUSE");
    match run.calls("bind").into_iter().find(refused) {
        Some(bind) => Ok(bind),
        None => {
            no_better_reason(run)?;
            Err(Fault::waits("bound_to_the_port_asked", "no bind asked for 127.0.0.1 and the port"))
        }
    }
}

fn in_use_is_reported(bench: &Bench<u16, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let port = address.port();
    let run = bench.play(port)?;
    let answer = run.answer()?;
    let bind = refused_bind(&run, port)?;
    match answer.said {
        Err(errno) if errno == Errno::EADDRINUSE as i32 => Ok(()),
        _ => Err(run.reject().with("port", port).with("said", run.returned()).at(bind.index).into()),
    }
}

fn failure_leaves_nothing(bench: &Bench<u16, Answer>) -> Result<(), Fault> {
    let (_holder, address) = peers::hold()?;
    let run = bench.play(address.port())?;
    let left = run.left_open()?;
    let bind = refused_bind(&run, address.port())?;
    if left.is_empty() {
        return Ok(());
    }
    let descriptors: Vec<String> = left.iter().map(|(fd, _)| format!("fd {fd}")).collect();
    Err(run.reject().with("descriptors", descriptors.join(", ")).at(bind.index).into())
}
