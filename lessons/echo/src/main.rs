//! The experiments of the chapter `echo`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-echo`.

mod client;
mod programs;
mod server;
mod sockets;

use std::fs;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lesson, Stop, calls, prints};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, accept4, bind, connect, getsockname, listen,
    recv, send, socket,
};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run_with(&LESSON, programs::PROGRAMS)
}

static LESSON: Lesson = Lesson {
    name: "echo",
    experiments: &[
        Experiment {
            name: "hello-world",
            shows: "The deck's echo, whole, both ends: the client says Hello World, and the server sends back what came.",
            notice: "Every line is a call of the last eight chapters. Eleven bytes went there and eleven came back: three descriptors \
                     were opened for it, and three closed.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "fd fd"),
                calls("bind", "0"),
                calls("listen", "0"),
                calls("connect", "0"),
                calls("accept4", "fd"),
                calls("sendto", "11 11"),
                calls("recvfrom", "11 11"),
                calls("close", "0 0 0"),
            ])],
            play: hello_world,
        },
        Experiment {
            name: "nix-form",
            shows: "The same calls, written with nix.",
            notice: "The kernel sees no difference.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "fd fd"),
                calls("connect", "0"),
                calls("accept4", "fd"),
                calls("sendto", "11 11"),
                calls("recvfrom", "11 11"),
                calls("close", "0 0 0"),
            ])],
            play: nix_form,
        },
        Experiment {
            name: "one-recv",
            shows: "A client sends 5000 bytes. The server calls recv once, as the deck's does, echoes what came, and closes.",
            notice: "1024 bytes are echoed. The rest was never read, so the close became a reset, and the client is told of a crash.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "5000 1024"),
                calls("recvfrom", "1024 1024 ECONNRESET"),
                calls("close", "0"),
            ])],
            play: one_recv,
        },
        Experiment {
            name: "echoed-and-whole",
            shows: "The same 5000 bytes. The client says that it has finished; the server echoes in a loop until it hears that.",
            notice: "Five times something and once nothing: the 0 ends the loop. After it there is nothing unread, and the close is a goodbye.",
            outcomes: &[Expected::anywhere(&[
                calls("shutdown", "0"),
                calls("sendto", "5000 1024*4 904"),
                calls("recvfrom", "1024*4 904 0 5000 0"),
                calls("close", "0"),
            ])],
            play: echoed_and_whole,
        },
        Experiment {
            name: "half-close",
            shows: "The client sends ping and says SHUT_WR. The server answers only after that. We look at both ends' states.",
            notice: "SHUT_WR ends one direction. The echo comes back in the other one, and the server's close ends that.",
            outcomes: &[Expected::anywhere(&[
                calls("sendto", "4 4"),
                calls("shutdown", "0"),
                calls("recvfrom", "4 0 4 0"),
                calls("close", "0 0"),
                prints("connected:               client ESTABLISHED, server ESTABLISHED\n"),
                prints("the client has shut:     client FIN_WAIT2, server CLOSE_WAIT\n"),
                prints("the server has echoed:   client FIN_WAIT2, server CLOSE_WAIT\n"),
                prints("the server has closed:   client TIME_WAIT\n"),
            ])],
            play: half_close,
        },
        Experiment {
            name: "deadlock",
            shows: "A client sends 1 MiB and means to read afterwards. The server echoes as it reads, here 64 KiB at a time.",
            notice: "Both sleep in send, and each waits for the other to read. We ended them: nothing else would have.",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "65536"),
                calls("sendto", "? ?"),
                prints("Both are asleep. Each end has bytes to read, and bytes that the other end does not take.\n"),
            ])],
            play: deadlock,
        },
        Experiment {
            name: "how-much-fits",
            shows: "The same client, with several sizes and two kinds of buffers. Does all of it fit in before it begins to read?",
            notice: "The four buffers on the way decide, so a test with a small message proves nothing. (The trace shows how the first \
                     pair was made.)",
            outcomes: &[
                Expected::anywhere(&[prints(
                    "ordinary buffers:   1000 bytes fit\nordinary buffers:   1000000 bytes fit\nordinary buffers:   256000000 bytes get stuck\n\
                     smallest buffers:   1000 bytes fit\nsmallest buffers:   1000000 bytes get stuck\n",
                )]),
                Expected::on(
                    "where TCP's buffers are set to other sizes",
                    &[
                        prints("ordinary buffers:   256000000 bytes get stuck\n"),
                        prints("smallest buffers:   1000000 bytes get stuck\n"),
                    ],
                ),
            ],
            play: how_much_fits,
        },
        Experiment {
            name: "killed",
            shows: "kill -9 ends a server that has a client. It is started again at once, without SO_REUSEADDR, and then with it.",
            notice: "The client hears an orderly end: the kernel said it. And the old connection holds the port, whatever the new server sets.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 EADDRINUSE EADDRINUSE"),
                calls("setsockopt", "0"),
                prints("The server is killed, and the client reads: 0\n"),
            ])],
            play: killed,
        },
        Experiment {
            name: "killed-and-back",
            shows: "The same, but the server that is killed had set SO_REUSEADDR.",
            notice: "Only now it helps: both lives must set it. So every server sets it, from its first day.",
            outcomes: &[Expected::anywhere(&[
                calls("bind", "0 EADDRINUSE 0"),
                calls("setsockopt", "0 0"),
                calls("listen", "0 0"),
                prints("The server is killed, and the client reads: 0\n"),
            ])],
            play: killed_and_back,
        },
        Experiment {
            name: "silent-first",
            shows: "A server serves one client after another. The first says nothing; the second connects, and sends hello.",
            notice: "The second is connected and its bytes have arrived, and yet there is no echo until the first has left.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0 0"),
                calls("accept4", "fd fd"),
                calls("poll", "0"),
                calls("recvfrom", "0 5 5 0"),
                calls("sendto", "5 5"),
            ])],
            play: silent_first,
        },
    ],
    errnos: &[],
};

fn hello_world() -> Result<(), Stop> {
    // The server opens: chapters socket, bind and listen.
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
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // A client comes: chapters socket, connect and accept.
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

    // There, and back: chapters send and recv.
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
    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: as for the first recv.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }

    for fd in [client, server] {
        // SAFETY: `fd` is ours, and is not used after this line.
        if unsafe { libc::close(fd) } == -1 {
            return Err(Stop::failed("close"));
        }
    }
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let server = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(server.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(server.as_raw_fd())?;
    listen(&server, Backlog::new(5)?)?;

    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(client.as_raw_fd(), &address)?;
    let connection = accept4(server.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;

    send(client.as_raw_fd(), b"Hello World", MsgFlags::MSG_NOSIGNAL)?;
    let mut buffer = [0; 1024];
    let count = recv(connection, &mut buffer, MsgFlags::empty())?;
    send(connection, &buffer[..count], MsgFlags::MSG_NOSIGNAL)?;
    close(connection)?;
    recv(client.as_raw_fd(), &mut buffer, MsgFlags::empty())?;

    close(client)?;
    close(server)?;
    Ok(())
}

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

/// A server that listens at a free port of 127.0.0.1, and its address: the first calls of `hello_world`.
fn listening() -> Result<(libc::c_int, libc::sockaddr_in), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    listens(server).map(|address| (server, address))
}

/// Binds this socket to a free port of 127.0.0.1, and lets it listen there. Its address.
fn listens(server: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let mut address = loopback(0);
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let mut length = LENGTH;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(server, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok(address)
}

/// A client that is connected to this address.
fn connected(address: libc::sockaddr_in) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok(client)
}

/// The connection with the next client.
fn accepted(server: libc::c_int) -> Result<libc::c_int, Stop> {
    // SAFETY: with two null pointers accept4 does not say who the client is, and writes nothing.
    let connection = unsafe { libc::accept4(server, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC) };
    if connection == -1 {
        return Err(Stop::failed("accept4"));
    }
    Ok(connection)
}

/// A client and the server's end of its connection.
fn pair() -> Result<(libc::c_int, libc::c_int), Stop> {
    let (server, address) = listening()?;
    let client = connected(address)?;
    let connection = accepted(server)?;
    Ok((client, connection))
}

fn one_recv() -> Result<(), Stop> {
    let (client, connection) = pair()?;
    let message = [b'x'; 5000];
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
    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("close"));
    }

    let mut echo = [0_u8; 8192];
    // SAFETY: `echo` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, echo.as_mut_ptr().cast(), echo.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: as above.
    if unsafe { libc::recv(client, echo.as_mut_ptr().cast(), echo.len(), 0) } != -1 {
        return Err(Stop::unexpected("the client was not told that its bytes were thrown away"));
    }
    Ok(())
}

fn echoed_and_whole() -> Result<(), Stop> {
    let (client, connection) = pair()?;
    let message = [b'x'; 5000];
    // SAFETY: the pointer is to as many bytes as we say, which send only reads.
    if unsafe { libc::send(client, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(client, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }

    let mut buffer = [0_u8; 1024];
    loop {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if count == -1 {
            return Err(Stop::failed("recv"));
        }
        if count == 0 {
            break; // The client has finished.
        }
        // SAFETY: recv has put `count` bytes into `buffer`; send only reads them.
        if unsafe { libc::send(connection, buffer.as_ptr().cast(), count as usize, libc::MSG_NOSIGNAL) } == -1 {
            return Err(Stop::failed("send"));
        }
    }
    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("close"));
    }

    let mut echo = [0_u8; 5000];
    // SAFETY: `echo` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, echo.as_mut_ptr().cast(), echo.len(), libc::MSG_WAITALL) } == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: as above.
    if unsafe { libc::recv(client, echo.as_mut_ptr().cast(), echo.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    Ok(())
}

fn half_close() -> Result<(), Stop> {
    let (server, address) = listening()?;
    let client = connected(address)?;
    let connection = accepted(server)?;
    let both = (own_address(client)?, address);
    when_in_states("connected:", both, "01 01")?;

    let mut buffer = [0_u8; 64];
    // SAFETY: the pointer is to four bytes, which send only reads.
    if unsafe { libc::send(client, b"ping".as_ptr().cast(), 4, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(client, libc::SHUT_WR) } == -1 {
        return Err(Stop::failed("shutdown"));
    }
    when_in_states("the client has shut:", both, "05 08")?;

    for _ in ["ping", "the end"] {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        if unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    // SAFETY: recv has put these four bytes into `buffer`; send only reads them.
    if unsafe { libc::send(connection, buffer.as_ptr().cast(), 4, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    when_in_states("the server has echoed:", both, "05 08")?;

    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("close"));
    }
    for _ in ["ping", "the end"] {
        // SAFETY: as above.
        if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
            return Err(Stop::failed("recv"));
        }
    }
    when_in_states("the server has closed:", both, "06")?;
    // SAFETY: `client` is ours, and is not used after this line.
    if unsafe { libc::close(client) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

/// The socket's own address. (The question is kept out of the trace.)
fn own_address(fd: libc::c_int) -> Result<libc::sockaddr_in, Stop> {
    let (mut address, mut length) = (loopback(0), LENGTH);
    lab::stop_watching();
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    lab::watch_again();
    Ok(address)
}

/// The addresses of a client and of its server: only one connection has both.
type Both = (libc::sockaddr_in, libc::sockaddr_in);

/// Waits until the client's end and the server's end of this connection are in these states, as /proc/net/tcp has them, and
/// says so. The kernel is nearly always there before we look.
fn when_in_states(when: &str, both: Both, wanted: &str) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let ends = ends(both)?;
        let states: Vec<&str> = ends.iter().map(|end| end.state.as_str()).collect();
        if states.join(" ") == wanted {
            let names: Vec<String> =
                ends.iter().map(|end| format!("{} {}", end.whose, name_of_state(&end.state))).collect();
            println!("{when:24} {}", names.join(", "));
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!(
                "{when} after 5 seconds the states are {states:?}, and not {wanted}"
            )));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// One end of a connection, as /proc/net/tcp shows it.
struct EndSeen {
    whose: &'static str,
    state: String,
    /// Whether it has bytes that it could not hand to the other end.
    has_unsent: bool,
    /// Whether it has bytes that its program has not read.
    has_unread: bool,
}

/// The ends of this connection: the client's, then the server's. One that is gone is not listed.
fn ends((client, server): Both) -> Result<Vec<EndSeen>, Stop> {
    let table = fs::read_to_string("/proc/self/net/tcp")
        .map_err(|error| Stop::unexpected(format!("/proc/self/net/tcp cannot be read: {error}")))?;
    let mut ends = Vec::new();
    for (whose, own, other) in [("client", client, server), ("server", server, client)] {
        for line in table.lines() {
            // Such as `1: 0100007F:9105 0100007F:B2C4 01 00000000:00000000 …`: local, remote, state, unsent:unread.
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, state, queues, ..] = words.as_slice() else { continue };
            if *local == in_table(own) && *remote == in_table(other) {
                let mut is_filled = queues.split(':').map(|bytes| bytes != "00000000");
                let (has_unsent, has_unread) = (is_filled.next().unwrap_or(false), is_filled.next().unwrap_or(false));
                ends.push(EndSeen { whose, state: state.to_string(), has_unsent, has_unread });
            }
        }
    }
    Ok(ends)
}

/// An address as /proc/net/tcp writes it, such as 0100007F:9105: one hexadecimal number in the machine's own byte order.
fn in_table(address: libc::sockaddr_in) -> String {
    format!("{:08X}:{:04X}", address.sin_addr.s_addr, u16::from_be(address.sin_port))
}

/// The names of TCP's states that this chapter meets.
fn name_of_state(state: &str) -> &str {
    match state {
        "01" => "ESTABLISHED",
        "05" => "FIN_WAIT2",
        "06" => "TIME_WAIT",
        "08" => "CLOSE_WAIT",
        other => other,
    }
}

fn deadlock() -> Result<(), Stop> {
    let (client, connection, address) = pair_with_small_buffers()?;
    let both = (own_address(client)?, address);

    // SAFETY: this process has one thread, so the child may go on as it likes.
    let server_process = unsafe { libc::fork() };
    if server_process == -1 {
        return Err(Stop::failed("fork"));
    }
    if server_process == 0 {
        let mut buffer = vec![0_u8; 64 << 10];
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_WAITALL) };
        if count > 0 {
            // SAFETY: recv has put `count` bytes into `buffer`; send only reads them.
            unsafe { libc::send(connection, buffer.as_ptr().cast(), count as usize, libc::MSG_NOSIGNAL) };
        }
        // SAFETY: _exit takes a number and does not return. We only come here if something is wrong.
        unsafe { libc::_exit(1) };
    }

    // SAFETY: as above.
    let client_process = unsafe { libc::fork() };
    if client_process == -1 {
        return Err(Stop::failed("fork"));
    }
    if client_process == 0 {
        let message = vec![b'x'; 1 << 20];
        // SAFETY: the pointer is to as many bytes as we say, which send only reads.
        unsafe { libc::send(client, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) };
        // Here it would begin to read.
        // SAFETY: as above.
        unsafe { libc::_exit(1) };
    }

    wait_until("both ends are full, and both processes sleep", || {
        let both_full = ends(both)?.iter().filter(|end| end.has_unread && end.has_unsent).count() == 2;
        Ok(both_full && sleeps(server_process)? && sleeps(client_process)?)
    })?;
    println!("Both are asleep. Each end has bytes to read, and bytes that the other end does not take.");
    end(server_process)?;
    end(client_process)
}

/// A client and the server's end of its connection, each with the smallest buffers that the kernel allows; and where the server is.
fn pair_with_small_buffers() -> Result<(libc::c_int, libc::c_int, libc::sockaddr_in), Stop> {
    let (server, address) = listening()?;
    smallest_buffers(server)?; // The connection inherits them.
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if client == -1 {
        return Err(Stop::failed("socket"));
    }
    smallest_buffers(client)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    if unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("connect"));
    }
    Ok((client, accepted(server)?, address))
}

/// Asks for buffers of one byte: the kernel gives the smallest that it knows.
fn smallest_buffers(fd: libc::c_int) -> Result<(), Stop> {
    let bytes: libc::c_int = 1;
    for which in [libc::SO_SNDBUF, libc::SO_RCVBUF] {
        let (from, size) = ((&raw const bytes).cast(), size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: `bytes` is an int of `size` bytes, and setsockopt only reads it.
        if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, which, from, size) } == -1 {
            return Err(Stop::failed("setsockopt"));
        }
    }
    Ok(())
}

/// Waits until `is_so` says yes, for ten seconds at most.
fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool, Stop>) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!("waited 10 seconds until {what}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a process of one thread sleeps in a system call: state S in /proc/PID/stat.
fn sleeps(pid: libc::pid_t) -> Result<bool, Stop> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| Stop::unexpected(format!("/proc/{pid}/stat cannot be read: {error}")))?;
    // Such as `4711 (lesson-echo) S 4710 …`: the state follows the name.
    Ok(line.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
}

/// Ends a child process with kill -9, and waits until it is gone.
fn end(pid: libc::pid_t) -> Result<(), Stop> {
    // SAFETY: kill takes two numbers, and the process is our child.
    if unsafe { libc::kill(pid, libc::SIGKILL) } == -1 {
        return Err(Stop::failed("kill"));
    }
    wait_for(pid).map(drop)
}

/// Waits for the end of a child process, and says how it ended.
fn wait_for(pid: libc::pid_t) -> Result<libc::c_int, Stop> {
    let mut status = 0;
    // SAFETY: `status` is an int that lives through the call.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        return Err(Stop::failed("waitpid"));
    }
    Ok(status)
}

fn how_much_fits() -> Result<(), Stop> {
    for (kind, sizes) in [("ordinary", &[1000, 1_000_000, 256_000_000][..]), ("smallest", &[1000, 1_000_000])] {
        for size in sizes {
            let (client, connection) = match kind {
                "ordinary" => pair()?,
                _ => pair_with_small_buffers().map(|(client, connection, _)| (client, connection))?,
            };
            lab::stop_watching(); // From here on the trace would only repeat itself.
            let answer = if fits(client, connection, *size)? { "fit" } else { "get stuck" };
            println!("{kind} buffers:   {size} bytes {answer}");
            for fd in [client, connection] {
                // SAFETY: `fd` is ours, and is not used after this line.
                if unsafe { libc::close(fd) } == -1 {
                    return Err(Stop::failed("close"));
                }
            }
        }
    }
    Ok(())
}

/// Whether a client can send so many bytes and read nothing meanwhile, while the server echoes what it can. Neither end ever
/// waits here: what would make it sleep says EAGAIN.
fn fits(client: libc::c_int, connection: libc::c_int, size: usize) -> Result<bool, Stop> {
    let message = vec![b'x'; 64 << 10];
    let mut buffer = vec![0_u8; 64 << 10];
    let mut sent = 0;
    let mut held = 0..0; // what the server has read and not yet echoed
    let mut last_move = Instant::now();
    while sent < size {
        let next = message.len().min(size - sent);
        // SAFETY: the pointer is to at least `next` bytes, which send only reads.
        let taken =
            unsafe { libc::send(client, message.as_ptr().cast(), next, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
        let mut moved = would_have(taken, "send")?;
        sent += moved;
        if held.is_empty() {
            // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
            let came = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            held = 0..would_have(came, "recv")?;
            moved += held.len();
        }
        if !held.is_empty() {
            let rest = &buffer[held.clone()];
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            // SAFETY: the pointer is to as many bytes as we say, which send only reads.
            let echoed = unsafe { libc::send(connection, rest.as_ptr().cast(), rest.len(), flags) };
            let echoed = would_have(echoed, "send")?;
            held.start += echoed;
            moved += echoed;
        }
        if moved > 0 {
            last_move = Instant::now();
        } else if last_move.elapsed() > Duration::from_millis(20) {
            return Ok(false); // Nothing has moved for a long time.
        }
    }
    Ok(true)
}

/// How many bytes a call moved: 0 where it would have waited.
fn would_have(result: libc::ssize_t, call: &str) -> Result<usize, Stop> {
    match usize::try_from(result) {
        Ok(count) => Ok(count),
        Err(_) => match Stop::failed(call) {
            Stop::Failed { errno: libc::EAGAIN, .. } => Ok(0),
            stop => Err(stop),
        },
    }
}

/// Sets SO_REUSEADDR.
fn reuse_address(fd: libc::c_int) -> Result<(), Stop> {
    let on: libc::c_int = 1;
    let (from, size) = ((&raw const on).cast(), size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: `on` is an int of `size` bytes, and setsockopt only reads it.
    if unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, from, size) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    Ok(())
}

fn killed() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = listens(server)?;
    killed_while_it_echoes(server, address)?;
    restart(address).map(drop)
}

fn killed_and_back() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    reuse_address(server)?;
    let address = listens(server)?;
    killed_while_it_echoes(server, address)?;
    let again = restart(address)?;
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(again, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }
    Ok(())
}

/// Gives this listener to a process of its own, which serves a client, and kills it when it waits for more.
fn killed_while_it_echoes(server: libc::c_int, address: libc::sockaddr_in) -> Result<(), Stop> {
    // SAFETY: this process has one thread, so the child may go on as it likes.
    let process = unsafe { libc::fork() };
    if process == -1 {
        return Err(Stop::failed("fork"));
    }
    if process == 0 {
        let served = accepted(server).and_then(echo_until_the_end);
        // SAFETY: _exit takes a number and does not return. We only come here if something is wrong.
        unsafe { libc::_exit(if served.is_ok() { 1 } else { 2 }) };
    }
    // SAFETY: `server` is ours, and is not used after this line; the other process has its own copy.
    if unsafe { libc::close(server) } == -1 {
        return Err(Stop::failed("close"));
    }

    let client = connected(address)?;
    let mut buffer = [0_u8; 64];
    // SAFETY: the pointer is to four bytes, which send only reads.
    if unsafe { libc::send(client, b"ping".as_ptr().cast(), 4, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }

    wait_until("the server waits for more", || sleeps(process))?;
    end(process)?;
    // SAFETY: as above.
    let count = unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if count == -1 {
        return Err(Stop::failed("recv"));
    }
    println!("The server is killed, and the client reads: {count}");
    Ok(())
}

/// What a server does with one client: it sends back whatever comes, until the client has finished.
fn echo_until_the_end(connection: libc::c_int) -> Result<(), Stop> {
    let mut buffer = [0_u8; 1024];
    loop {
        // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if count == -1 {
            return Err(Stop::failed("recv"));
        }
        if count == 0 {
            break;
        }
        // SAFETY: recv has put `count` bytes into `buffer`; send only reads them.
        if unsafe { libc::send(connection, buffer.as_ptr().cast(), count as usize, libc::MSG_NOSIGNAL) } == -1 {
            return Err(Stop::failed("send"));
        }
    }
    // SAFETY: `connection` is ours, and is not used after this line.
    if unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("close"));
    }
    Ok(())
}

/// The server's second life: it wants its port back, first without SO_REUSEADDR and then with it.
fn restart(address: libc::sockaddr_in) -> Result<libc::c_int, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) } == 0 {
        return Err(Stop::unexpected("the port was free"));
    }
    reuse_address(server)?;
    // Whether it works now is the question.
    // SAFETY: as above.
    unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) };
    Ok(server)
}

fn silent_first() -> Result<(), Stop> {
    let (server, address) = listening()?;
    // SAFETY: this process has one thread, so the child may go on as it likes.
    let process = unsafe { libc::fork() };
    if process == -1 {
        return Err(Stop::failed("fork"));
    }
    if process == 0 {
        // The server: one client after another, and home after the second.
        for _ in 1..=2 {
            if accepted(server).and_then(echo_until_the_end).is_err() {
                // SAFETY: _exit takes a number and does not return.
                unsafe { libc::_exit(1) };
            }
        }
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }

    let first = connected(address)?;
    let second = connected(address)?;
    // SAFETY: the pointer is to five bytes, which send only reads.
    if unsafe { libc::send(second, b"hello".as_ptr().cast(), 5, libc::MSG_NOSIGNAL) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut asked = libc::pollfd { fd: second, events: libc::POLLIN, revents: 0 };
    // SAFETY: `asked` is one pollfd, and poll writes to nothing else.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 50) };
    if ready != 0 {
        return Err(Stop::unexpected("the second client was served beside the first"));
    }

    // SAFETY: `first` is ours, and is not used after this line.
    if unsafe { libc::close(first) } == -1 {
        return Err(Stop::failed("close"));
    }
    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say, and is ours to be written to.
    if unsafe { libc::recv(second, buffer.as_mut_ptr().cast(), buffer.len(), 0) } == -1 {
        return Err(Stop::failed("recv"));
    }
    // SAFETY: `second` is ours, and is not used after this line.
    if unsafe { libc::close(second) } == -1 {
        return Err(Stop::failed("close"));
    }
    if wait_for(process)? != 0 {
        return Err(Stop::unexpected("the server failed"));
    }
    Ok(())
}
