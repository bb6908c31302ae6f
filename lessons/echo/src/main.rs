//! The experiments of the chapter `echo`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-echo`.

mod client;
mod programs;
mod server;
mod sockets;

use std::process::ExitCode;
use std::ptr;

use lab::{Expected, Experiment, Lesson, Stop, calls};

fn main() -> ExitCode {
    lab::run_with(&LESSON, programs::PROGRAMS)
}

static LESSON: Lesson = Lesson {
    name: "echo",
    experiments: &[Experiment {
        name: "hello-world",
        shows: "The deck's echo, whole, both ends: the client says Hello World, and the server sends back what came.",
        notice: "Nine calls make the connection and two the goodbye; four carry the eleven bytes there and back.",
        outcomes: &[Expected::anywhere(&[
            calls("socket", "fd fd"),
            calls("bind", "0"),
            calls("listen", "0"),
            calls("connect", "0"),
            calls("accept4", "fd"),
            calls("sendto", "11 11"),
            calls("recvfrom", "11 11"),
        ])],
        play: hello_world,
    }],
};

/// 127.0.0.1 and this port as the kernel reads them.
fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

/// The size of a `sockaddr_in`: 16.
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn hello_world() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }

    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }

    let message = b"Hello World";
    // SAFETY: the pointer is to as many bytes as we say, which send only reads.
    if unsafe { libc::send(client, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut buffer = [0_u8; 1024];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if count == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: recv has put `count` bytes into `buffer`; send only reads them.
    if unsafe { libc::send(connection, buffer.as_ptr().cast(), count as usize, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}
