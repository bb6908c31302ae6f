//! All the calls in one conversation, and the errors that they pass on.

use std::net::{Ipv4Addr, SocketAddrV4};

use nix::errno::Errno;

const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

#[test]
fn a_client_says_hello_and_is_answered() -> Result<(), Errno> {
    let listener = calls::listen_on(ANY_PORT, 5)?;
    let client = calls::connect_to(calls::local_address(&listener)?)?;
    let server = calls::accept_one(&listener)?;

    calls::send_all(&client, b"hello")?;
    let mut heard = [0; 5];
    assert_eq!(calls::recv_exact(&server, &mut heard)?, 5);
    assert_eq!(&heard, b"hello");

    drop(server);
    assert_eq!(calls::recv_exact(&client, &mut heard)?, 0, "the server has gone: end of the stream");
    Ok(())
}

#[test]
fn a_listener_can_be_bound_again_over_time_wait() -> Result<(), Errno> {
    let listener = calls::listen_on(ANY_PORT, 5)?;
    let address = calls::local_address(&listener)?;
    let client = calls::connect_to(address)?;
    drop(calls::accept_one(&listener)?);
    drop(client);
    drop(listener);
    calls::listen_on(address, 5).map(drop)
}

#[test]
fn errors_are_the_kernels_own() -> Result<(), Errno> {
    let held = calls::bind_reusable(ANY_PORT)?;
    let address = calls::local_address(&held)?;
    assert_eq!(calls::connect_to(address).map(drop), Err(Errno::ECONNREFUSED), "bound, and nobody listens");

    let listener = calls::listen_on(ANY_PORT, 5)?;
    assert_eq!(calls::bind_reusable(calls::local_address(&listener)?).map(drop), Err(Errno::EADDRINUSE));

    let client = calls::connect_to(calls::local_address(&listener)?)?;
    drop(calls::accept_one(&listener)?);
    let gone = (0..100).find_map(|_| calls::send_all(&client, b"anybody there?").err());
    assert!(matches!(gone, Some(Errno::EPIPE | Errno::ECONNRESET)), "{gone:?}, and no SIGPIPE");
    Ok(())
}
