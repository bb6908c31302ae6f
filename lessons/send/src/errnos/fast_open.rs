//! TCP Fast Open: to connect and to send in one call (MSG_FASTOPEN), and what stands in its way.

use lab::{Expected, Stop, calls};
use libc::c_int;
use nix::errno::Errno;

use super::means::{
    FORMS, bind, by_send, connect, fresh, ipv4, own_address, send_there_by_both, there_by_sendmsg, there_by_sendto,
};
use crate::{connected, set};

const SWITCHED_OFF: &str = "where TCP Fast Open is switched off (net.ipv4.tcp_fastopen)";

/// What is right there: for one send, for one send with an address in both forms, and for three.
pub(super) const OFF_ONCE: &[Expected] = &[Expected::on(SWITCHED_OFF, &[calls("sendto", "EOPNOTSUPP")])];
pub(super) const OFF_BOTH: &[Expected] =
    &[Expected::on(SWITCHED_OFF, &[calls("sendto", "EOPNOTSUPP"), calls("sendmsg", "EOPNOTSUPP")])];
pub(super) const OFF_THRICE: &[Expected] =
    &[Expected::on(SWITCHED_OFF, &[calls("sendto", "EOPNOTSUPP EOPNOTSUPP"), calls("sendmsg", "EOPNOTSUPP")])];

pub(super) fn fast_open_when_connected() -> Result<(), Stop> {
    let (client, server) = connected()?;
    let there = own_address(server)?;
    by_send(client, b"x", libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL);
    send_there_by_both(client, b"x", libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL, &there);
    Ok(())
}

/// A listener whose one place is taken: who else wants to connect is not answered yet.
fn full_listener() -> Result<libc::sockaddr_in, Stop> {
    let listener = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    bind(listener, &ipv4([127, 0, 0, 1], 0))?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(listener, 0) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let address = own_address(listener)?;
    connect(fresh(libc::AF_INET, libc::SOCK_STREAM)?, &address)?;
    Ok(address)
}

/// To connect and to send at once, without waiting.
const AT_ONCE: c_int = libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

pub(super) fn fast_open_under_way() -> Result<(), Stop> {
    let there = full_listener()?;
    for form in [there_by_sendto, there_by_sendmsg] {
        let client = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        form(client, b"x", AT_ONCE, &there);
    }
    Ok(())
}

pub(super) fn put_off_and_under_way() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.ipv4.tcp_fastopen", "5")?; // 1: for clients; 4: even to a server never met before
    let there = full_listener()?;
    for form in FORMS {
        let client = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        set(client, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)?;
        connect(client, &there)?;
        form(client, b"", libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    }
    Ok(())
}

pub(super) fn fast_open_twice() -> Result<(), Stop> {
    let there = full_listener()?;
    let client = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    there_by_sendto(client, b"x", AT_ONCE, &there);
    send_there_by_both(client, b"x", AT_ONCE, &there);
    Ok(())
}

pub(super) fn fast_open_while_connecting() -> Result<(), Stop> {
    let there = full_listener()?;
    let client = fresh(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    if connect(client, &there).is_ok() || Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::unexpected("the connect did not stay under way"));
    }
    by_send(client, b"x", AT_ONCE);
    Ok(())
}

pub(super) fn fast_open_refused() -> Result<(), Stop> {
    // A port at which nobody listens, and which nobody else can get: it is bound, and no more.
    let holder = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    bind(holder, &ipv4([127, 0, 0, 1], 0))?;
    let there = own_address(holder)?;
    for form in [there_by_sendto, there_by_sendmsg] {
        let client = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
        form(client, b"x", libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL, &there);
    }
    Ok(())
}

pub(super) fn fast_open_off() -> Result<(), Stop> {
    lab::private_network()?;
    lab::set("net.ipv4.tcp_fastopen", "0")?;
    let client = fresh(libc::AF_INET, libc::SOCK_STREAM)?;
    send_there_by_both(client, b"x", libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL, &ipv4([127, 0, 0, 1], 9));
    Ok(())
}
