//! `connect/connect-first`

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use nix::errno::Errno;
use observer::{Address, Injection};
use serde::{Deserialize, Serialize};

use super::{Page, guest, name_of, peer_of, server};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("connect/connect-first", "falls_through", call, falls_through)
        .check("connect/connect-first", "family_fits_each_address", call, family_fits_each_address)
        .check("connect/connect-first", "stops_at_the_first_success", call, stops_at_the_first_success)
        .check("connect/connect-first", "last_error_comes_out", call, last_error_comes_out)
        .check("connect/connect-first", "failed_sockets_are_closed", call, failed_sockets_are_closed)
        .check("connect/connect-first", "empty_list_is_einval", call, empty_list_is_einval);
}

/// What came of a call: the address of the socket's peer, if it has one, or the errno.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<Option<SocketAddrV4>, i32>,
}

type Addresses = Vec<SocketAddr>;

fn call(page: &Page, stage: &mut Stage, addresses: Addresses) -> Answer {
    let list: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let label = match list.len() {
        0..=3 => format!("connect_first(&[{}])", list.join(", ")),
        count => format!("connect_first(&[{}, … {count} in all])", list[0]),
    };
    let said = match stage.call(label, || (page.connect_first)(&addresses)) {
        Ok(socket) => Ok(peer_of(socket)),
        Err(errno) => Err(*errno as i32),
    };
    Answer { said }
}

/// ::1, and this port, at which nobody listens: nothing of IPv6 has it, or a socket of ours holds it.
fn dead_ipv6() -> Result<(Option<OwnedFd>, SocketAddr), Fault> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, getsockname, socket};
    use std::os::fd::AsRawFd;

    let at = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let any = SockaddrIn6::from(std::net::SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0));
    // On a machine without IPv6 no port of ::1 is alive.
    let Ok(socket) = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None) else {
        return Ok((None, at(9)));
    };
    match bind(socket.as_raw_fd(), &any) {
        Ok(()) => {
            let name: SockaddrIn6 = getsockname(socket.as_raw_fd())?;
            Ok((Some(socket), at(name.port())))
        }
        Err(_) => Ok((None, at(9))),
    }
}

/// The addresses for which connect was called.
fn tried(run: &Run<Answer>) -> usize {
    run.calls("connect").len()
}

fn falls_through(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let (_holder_6, first) = dead_ipv6()?;
    let (_holder, second) = peers::hold()?;
    let (_server, third) = server()?;
    let addresses = vec![first, second.into(), third.into()];

    for ipv6 in [true, false] {
        let setting = bench.setting()?;
        let run = match ipv6 {
            true => setting.play(addresses.clone())?,
            false => {
                // As on a machine that does not know IPv6.
                setting.inject(Injection::fail(&["socket"], 1, libc::EAFNOSUPPORT)).play(addresses.clone())?
            }
        };
        mixes_families(&run)?;
        if run.answer()?.said == Ok(Some(third)) {
            continue;
        }
        let what = match (run.calls_of(&["socket", "connect"]).last(), &run.answer()?.said) {
            (Some(last), Err(errno)) => format!("{} said {}", last.name, name_of(*errno)),
            (_, _) => format!("You returned {}", run.returned()),
        };
        let at = run.calls_of(&["socket", "connect"]).last().map(|call| call.index);
        return Err(run.reject().with("what", what).with("tried", tried(&run)).at_any(at).into());
    }
    Ok(())
}

/// The first connect to an address that is not of its socket's family, and that family.
fn misfit(run: &Run<Answer>) -> Option<(Seen<'_>, &'static str)> {
    let family = |socket: u32| {
        let made = run.calls("socket").into_iter().find(|made| made.socket == Some(socket))?;
        Some(made.arg("domain")?.text.to_string())
    };
    run.calls("connect").into_iter().find_map(|connect| {
        let own = family(connect.socket?)?;
        match connect.address()? {
            Address::Inet { .. } if own == "AF_INET6" => Some((connect, "IPv6")),
            Address::Inet6 { .. } if own == "AF_INET" => Some((connect, "IPv4")),
            _ => None,
        }
    })
}

/// Leaves it to `family_fits_each_address`, if that has something to say.
fn mixes_families(run: &Run<Answer>) -> Result<(), Fault> {
    match misfit(run) {
        Some(_) => Err(Fault::waits("family_fits_each_address", "an address was tried on a socket of another family")),
        None => Ok(()),
    }
}

fn family_fits_each_address(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let (_holder_6, first) = dead_ipv6()?;
    let (_server, second) = server()?;
    for addresses in [vec![first, second.into()], vec![second.into(), first]] {
        let run = bench.play(addresses)?;
        if let Some((connect, family)) = misfit(&run) {
            let addr = connect.arg("addr").map_or_else(String::new, |arg| match &arg.value {
                Some(observer::Value::Address(Address::Inet { ip, port })) => format!("{ip}:{port}"),
                Some(observer::Value::Address(Address::Inet6 { ip, port, .. })) => format!("[{ip}]:{port}"),
                _ => arg.text.to_string(),
            });
            let errno = connect.errno().unwrap_or("nothing").to_string();
            let rejection = run.reject().with("addr", addr).with("family", family).with("errno", errno);
            return Err(rejection.at(connect.index).into());
        }
        run.answer()?;
    }
    Ok(())
}

fn stops_at_the_first_success(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let (first_server, first) = server()?;
    let (second_server, second) = server()?;
    let run = bench.play(vec![first.into(), second.into()])?;
    run.answer()?;
    let (first_heard, second_heard) = (guest(&first_server)?.is_some(), guest(&second_server)?.is_some());
    match (first_heard, second_heard) {
        (_, false) => Ok(()),
        (true, true) => {
            let at = run.calls("connect").last().map(|connect| connect.index);
            Err(run.reject().with("first", 1).with("second", 2).at_any(at).into())
        }
        (false, true) => Err(Fault::waits("falls_through", "the first address was not tried")),
    }
}

fn last_error_comes_out(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let (_holder, dead) = peers::hold()?;
    let broadcast = SocketAddrV4::new([127, 255, 255, 255].into(), dead.port());
    for (addresses, want) in [([dead, broadcast], Errno::ENETUNREACH), ([broadcast, dead], Errno::ECONNREFUSED)] {
        let run = bench.play(addresses.map(SocketAddr::from).to_vec())?;
        if run.answer()?.said == Err(want as i32) {
            continue;
        }
        if tried(&run) < addresses.len() {
            return Err(Fault::waits("falls_through", "not all addresses were tried"));
        }
        let at = run.calls("connect").last().map(|connect| connect.index);
        return Err(run.reject().with("want", format!("{want:?}")).with("got", run.returned()).at_any(at).into());
    }
    Ok(())
}

fn failed_sockets_are_closed(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let (_holder, dead) = peers::hold()?;
    let run = bench.setting()?.descriptors(20).play(vec![dead.into(); 50])?;
    let refused = run.calls("socket").into_iter().find(|socket| socket.errno() == Some("EMFILE"));
    match refused {
        Some(socket) => {
            let n = run.calls("connect").iter().filter(|connect| connect.index < socket.index).count();
            Err(run.reject().with("n", n).at(socket.index).into())
        }
        None => run.answer().map(drop),
    }
}

fn empty_list_is_einval(bench: &Bench<Addresses, Answer>) -> Result<(), Fault> {
    let run = bench.play(Vec::new())?;
    match run.answer()?.said {
        Err(libc::EINVAL) => Ok(()),
        _ => Err(run.reject().with("got", run.returned()).into()),
    }
}
