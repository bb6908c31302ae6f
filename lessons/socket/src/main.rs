//! The experiments of the chapter `socket`, in the order in which it tells them.
//!
//! Each is a short function of plain system calls. The sockets that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-socket`.

mod errnos;

use std::fs;
use std::io;
use std::process::{Command, ExitCode, Stdio};

use lab::{Expected, Experiment, Lack, Lesson, Stop, calls, cannot, killed_by, prints};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket, sockopt};
use nix::unistd::close;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

/// SCTP gives the internet families the type SOCK_SEQPACKET. It is a module of the kernel, and seldom loaded.
const SCTP: &str = "where the kernel has SCTP, a protocol with such a type";

static LESSON: Lesson = Lesson {
    name: "socket",
    experiments: &[
        Experiment {
            name: "first-socket",
            shows: "We ask for a TCP socket, and then ask the socket what it is.",
            notice: "Protocol 0 went in, and the socket says 6, which is TCP: 0 means that the kernel chooses.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "fd"),
                calls("getsockopt", "0 0 0"),
                prints("domain 2, type 1, protocol 6"),
            ])],
            play: first_socket,
        },
        Experiment {
            name: "nix-form",
            shows: "A socket is made and closed with nix.",
            notice: "The kernel sees the call that libc makes.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd"), calls("getsockopt", "0"), prints("Stream")])],
            play: nix_form,
        },
        Experiment {
            name: "families",
            shows: "Three families and three types: which pairs exist, and which protocol does 0 stand for?",
            notice: "SOCK_SEQPACKET exists for AF_UNIX only (a kernel that has loaded SCTP, protocol 132, gives it to all three). \
                     Within the internet families the type decides: 6 is TCP, 17 is UDP.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("socket", "fd fd fd fd fd ESOCKTNOSUPPORT fd fd ESOCKTNOSUPPORT"),
                    prints("AF_INET     6              17             -"),
                ]),
                Expected::on(
                    "where the kernel has no IPv6",
                    &[
                        calls("socket", "fd fd fd fd fd ESOCKTNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT"),
                        prints("AF_INET6    -              -              -"),
                    ],
                ),
                Expected::on(
                    SCTP,
                    &[
                        calls("socket", "fd fd fd fd fd fd fd fd fd"),
                        prints("AF_INET     6              17             132"),
                    ],
                ),
                Expected::on(
                    "where the kernel has SCTP, and no IPv6",
                    &[
                        calls("socket", "fd fd fd fd fd fd EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT"),
                        prints("AF_INET     6              17             132"),
                    ],
                ),
            ],
            play: families,
        },
        Experiment {
            name: "another-protocol",
            shows: "The same family and type, and four protocols: 0, TCP, MPTCP and UDP.",
            notice: "The protocol is not ignored. It can choose another socket, and a wrong one is refused.",
            outcomes: &[
                Expected::anywhere(&[
                    calls("socket", "fd fd fd EPROTONOSUPPORT"),
                    prints("0 became 6\n6 became 6\n262 became 262\n"),
                ]),
                Expected::on(
                    "where the kernel has no MPTCP",
                    &[calls("socket", "fd fd EPROTONOSUPPORT EPROTONOSUPPORT"), prints("0 became 6\n6 became 6\n")],
                ),
                Expected::on(
                    "where net.mptcp.enabled is 0",
                    &[calls("socket", "fd fd ENOPROTOOPT EPROTONOSUPPORT"), prints("0 became 6\n6 became 6\n")],
                ),
            ],
            play: another_protocol,
        },
        Experiment {
            name: "refusals",
            shows: "Nine sockets that do not exist are asked for.",
            notice: "Each errno says which of the three numbers was at fault.",
            outcomes: &[
                Expected::anywhere(&[calls(
                    "socket",
                    "EAFNOSUPPORT EINVAL ESOCKTNOSUPPORT ESOCKTNOSUPPORT ESOCKTNOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT \
                     EPROTONOSUPPORT EINVAL",
                )]),
                Expected::on(
                    SCTP,
                    &[calls(
                        "socket",
                        "EAFNOSUPPORT EINVAL fd ESOCKTNOSUPPORT ESOCKTNOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT \
                         EPROTONOSUPPORT EINVAL",
                    )],
                ),
            ],
            play: refusals,
        },
        Experiment {
            name: "privileges",
            shows: "An ordinary user asks for the sockets of ping and of a packet sniffer.",
            notice: "Such a socket sees or forges other programs' packets, so it needs the privilege CAP_NET_RAW. The gentle \
                     form of ping's socket is a matter of net.ipv4.ping_group_range.",
            outcomes: &[
                Expected::anywhere(&[calls("socket", "EPERM EPERM EACCES")]),
                Expected::on(
                    "where net.ipv4.ping_group_range lets this group ping",
                    &[calls("socket", "EPERM EPERM fd")],
                ),
                Expected::on("where this user has CAP_NET_RAW", &[calls("socket", "fd fd EACCES")]),
                Expected::on("where this user has CAP_NET_RAW, and may ping besides", &[calls("socket", "fd fd fd")]),
                Expected::on("where the kernel has no packet sockets", &[calls("socket", "EPERM EAFNOSUPPORT EACCES")]),
                Expected::on(
                    "where the kernel has no packet sockets, and everybody may ping",
                    &[calls("socket", "EPERM EAFNOSUPPORT fd")],
                ),
                Expected::on("where root may not become another user", &[cannot(Lack::UnprivilegedUser)]),
            ],
            play: privileges,
        },
        Experiment {
            name: "fresh-tcp",
            shows: "A TCP socket that has done nothing yet is asked for its name and its peer, to receive, to send, and to poll.",
            notice: "It has no name and no peer. poll says POLLOUT and POLLHUP, \"writable\" and \"hung up\", although nothing can \
                     be written.",
            outcomes: &[Expected::anywhere(&[
                calls("getsockname", "0"),
                calls("getpeername", "ENOTCONN"),
                calls("recvfrom", "ENOTCONN"),
                calls("sendto", "EPIPE"),
                prints("its own address is 0.0.0.0, port 0\npoll says POLLOUT and POLLHUP\n"),
            ])],
            play: fresh_tcp,
        },
        Experiment {
            name: "fresh-sigpipe",
            shows: "The same send, without MSG_NOSIGNAL.",
            notice: "With the errno came a signal, SIGPIPE, and it ends whoever does not care for it.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "EPIPE"), killed_by("SIGPIPE")])],
            play: fresh_sigpipe,
        },
        Experiment {
            name: "fresh-others",
            shows: "A unix stream socket and a UDP socket that have done nothing yet are asked the same.",
            notice: "Every kind of socket has its own word for \"not yet\".",
            outcomes: &[Expected::anywhere(&[
                calls("recvfrom", "EINVAL EAGAIN"),
                calls("sendto", "ENOTCONN EDESTADDRREQ"),
                prints("unix stream: poll says POLLOUT and POLLHUP\nUDP: poll says POLLOUT\n"),
            ])],
            play: fresh_others,
        },
        Experiment {
            name: "numbers",
            shows: "Three sockets are opened, the middle one is closed, one more is opened; then the middle one is closed twice.",
            notice: "The kernel gives the lowest free number, so 4 came back at once. The second close of 4 is EBADF.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "3 4 5 4"),
                calls("close", "0 0 EBADF"),
                prints("the fourth socket has number 4\n"),
            ])],
            play: numbers,
        },
        Experiment {
            name: "stale-number",
            shows: "One part of a program closes its socket and keeps the number. Another part opens sockets of its own.",
            notice: "Every call works, and that is the trouble: the secret goes to a stranger, and the second close closes the \
                     stranger's socket.",
            outcomes: &[Expected::anywhere(&[
                calls("socketpair", "0 0"),
                calls("sendto", "6 EBADF"),
                calls("recvfrom", "6"),
                calls("close", "0 0"),
                prints("the stranger received \"secret\"\n"),
            ])],
            play: stale_number,
        },
        Experiment {
            name: "like-a-file",
            shows: "A socket is looked at with the calls that are made for files.",
            notice: "It is a file descriptor like any other, with a number of its own in /proc. read works as on a file; only a \
                     position, which lseek would move, it has not.",
            outcomes: &[Expected::anywhere(&[
                calls("socketpair", "0"),
                calls("write", "5"),
                calls("read", "5"),
                prints("fstat: a socket\nlseek: Illegal seek"),
            ])],
            play: like_a_file,
        },
        Experiment {
            name: "flags-in-the-type",
            shows: "A socket is made with SOCK_CLOEXEC and SOCK_NONBLOCK, and then a second number for it.",
            notice: "dup shares O_NONBLOCK, which belongs to the open file description, but not FD_CLOEXEC, which belongs to the \
                     number. What is changed through 4 shows through 3.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "fd"),
                calls("dup", "fd"),
                prints(
                    "made:              3 O_NONBLOCK yes, FD_CLOEXEC yes; 4 O_NONBLOCK yes, FD_CLOEXEC no\n\
                     changed through 4: 3 O_NONBLOCK no, FD_CLOEXEC yes; 4 O_NONBLOCK no, FD_CLOEXEC no\n",
                ),
            ])],
            play: flags_in_the_type,
        },
        Experiment {
            name: "nonblocking",
            shows: "A socket is made non-blocking in three steps: read the flags, change one, write them back. Then it is asked to \
                     receive.",
            notice: "recv does not wait any more: with nothing there it says EAGAIN. Python's setblocking(0) does it with one \
                     ioctl, FIONBIO, which here takes it back.",
            outcomes: &[Expected::anywhere(&[
                calls("fcntl", "2 0 2050 2"),
                calls("recvfrom", "EAGAIN"),
                calls("ioctl", "0"),
            ])],
            play: nonblocking,
        },
        Experiment {
            name: "wrong-word",
            shows: "O_NONBLOCK is written with F_SETFD, and O_CLOEXEC with F_SETFL.",
            notice: "Both return 0, and neither does what was meant. The first even took FD_CLOEXEC away.",
            outcomes: &[Expected::anywhere(&[calls("fcntl", "1 0 0 2 0"), prints("O_NONBLOCK no, FD_CLOEXEC no\n")])],
            play: wrong_word,
        },
        Experiment {
            name: "flags-replaced",
            shows: "A socket has O_ASYNC set. Then fcntl(fd, F_SETFL, O_NONBLOCK), as many books have it.",
            notice: "F_SETFL replaces all the flags: O_ASYNC is gone. Read them first, and change one.",
            outcomes: &[Expected::anywhere(&[
                calls("fcntl", "2 0 8194 0 2050"),
                prints("O_ASYNC before: yes, after: no\n"),
            ])],
            play: flags_replaced,
        },
        Experiment {
            name: "across-exec",
            shows: "Two sockets, the first with SOCK_CLOEXEC and the second without; then another program is started, which looks \
                     for both numbers.",
            notice: "The second socket is open in a program that never asked for one.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "3 4"),
                calls("execve", "0"),
                prints("the other program: descriptor 3 is not open\nthe other program: descriptor 4 is a socket\n"),
            ])],
            play: across_exec,
        },
        Experiment {
            name: "leaked-listener",
            shows: "A server without SOCK_CLOEXEC starts another program and closes its socket. A client knocks, and a new server wants the port, \
                     with SO_REUSEADDR; then the other program ends too.",
            notice: "The other program holds the listening socket without knowing of it: the port is taken, and clients are let in \
                     whom nobody will ever answer.",
            outcomes: &[Expected::anywhere(&[
                calls("connect", "0"),
                calls("bind", "0 EADDRINUSE 0"),
                prints("while the other program runs: Address already in use (os error 98)\nafter its end: bound\n"),
            ])],
            play: leaked_listener,
        },
        Experiment {
            name: "limit",
            shows: "The process allows itself ten descriptors and opens sockets until the kernel says no; then it closes one and \
                     tries once more.",
            notice: "Ten descriptors are the numbers 0 to 9: the limit is one more than the largest number. Only closing one makes \
                     room.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "3 4 5 6 7 8 9 EMFILE 6"),
                calls("close", "0"),
                prints("the limit is 10, and the last number was 9\n"),
            ])],
            play: limit,
        },
    ],
    errnos: errnos::ERRNOS,
};

fn first_socket() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }

    let mut answers = [0; 3];
    for (answer, question) in answers.iter_mut().zip([libc::SO_DOMAIN, libc::SO_TYPE, libc::SO_PROTOCOL]) {
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `answer` is an int, `length` says so, and both are ours to be written to.
        let asked = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, question, (answer as *mut libc::c_int).cast(), &raw mut length)
        };
        if asked == -1 {
            return Err(Stop::failed("getsockopt"));
        }
    }

    // SAFETY: `fd` is ours, and is not used after this line.
    if unsafe { libc::close(fd) } == -1 {
        return Err(Stop::failed("close"));
    }
    println!("domain {}, type {}, protocol {}", answers[0], answers[1], answers[2]);
    Ok(())
}

fn nix_form() -> Result<(), Stop> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let kind = getsockopt(&fd, sockopt::SockType)?;
    close(fd)?;

    println!("a socket of the type {kind:?}");
    Ok(())
}

fn families() -> Result<(), Stop> {
    println!("{:<12}SOCK_STREAM    SOCK_DGRAM     SOCK_SEQPACKET", "");
    for (name, family) in [("AF_UNIX", libc::AF_UNIX), ("AF_INET", libc::AF_INET), ("AF_INET6", libc::AF_INET6)] {
        let mut row = format!("{name:<12}");
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
            // SAFETY: socket takes three numbers and no pointer.
            let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
            let cell = if fd == -1 { "-".to_string() } else { protocol_of(fd)?.to_string() };
            row.push_str(&format!("{cell:<15}"));
        }
        println!("{}", row.trim_end());
    }
    Ok(())
}

/// The number of a socket's protocol: 6 is TCP, 17 is UDP, and 0 is "there is only one".
fn protocol_of(fd: libc::c_int) -> Result<libc::c_int, Stop> {
    let mut answer: libc::c_int = 0;
    let mut length = size_of_val(&answer) as libc::socklen_t;
    // SAFETY: `answer` is an int, `length` says so, and both are ours to be written to.
    let asked =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, (&raw mut answer).cast(), &raw mut length) };
    if asked == -1 {
        return Err(Stop::failed("getsockopt"));
    }
    Ok(answer)
}

fn another_protocol() -> Result<(), Stop> {
    for protocol in [0, libc::IPPROTO_TCP, libc::IPPROTO_MPTCP, libc::IPPROTO_UDP] {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) };
        if fd == -1 {
            continue; // The trace says why.
        }
        println!("{protocol} became {}", protocol_of(fd)?);
    }
    Ok(())
}

fn refusals() -> Result<(), Stop> {
    const NO_FAMILY: libc::c_int = 99;
    const NO_TYPE: libc::c_int = 99;
    const NO_PROTOCOL: libc::c_int = -1;
    let impossible = [
        // No such family, and no such type in any family.
        (NO_FAMILY, libc::SOCK_STREAM, 0),
        (libc::AF_INET, NO_TYPE, 0),
        // Types that exist, and not in this family.
        (libc::AF_INET, libc::SOCK_SEQPACKET, 0),
        (libc::AF_INET, libc::SOCK_RDM, 0),
        (libc::AF_UNIX, libc::SOCK_RDM, 0),
        // Protocols that exist, and not for this type.
        (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_UDP),
        (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_TCP),
        (libc::AF_UNIX, libc::SOCK_STREAM, libc::IPPROTO_TCP),
        // No protocol at all.
        (libc::AF_INET, libc::SOCK_STREAM, NO_PROTOCOL),
    ];
    for (family, kind, protocol) in impossible {
        // SAFETY: socket takes three numbers and no pointer.
        if unsafe { libc::socket(family, kind, protocol) } != -1 {
            println!("there is a socket({family}, {kind}, {protocol})");
        }
    }
    Ok(())
}

fn privileges() -> Result<(), Stop> {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Root may have any socket, so become an ordinary user of an ordinary group. There is no way back.
        // SAFETY: setresgid takes three numbers and changes only this process.
        let group = unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) };
        // SAFETY: as above, for setresuid.
        if group == -1 || unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) } == -1 {
            let error = io::Error::last_os_error();
            return Err(Stop::cannot(Lack::UnprivilegedUser, format!("becoming user 65534 was refused: {error}")));
        }
    }

    let guarded = [
        (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        (libc::AF_PACKET, libc::SOCK_RAW, 0),
        (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
    ];
    for (family, kind, protocol) in guarded {
        // SAFETY: socket takes three numbers and no pointer.
        if unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) } == -1 {
            continue; // The trace says why.
        }
    }
    Ok(())
}

fn fresh_tcp() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }

    // Who are you, and whom do you talk to?
    let mut address =
        libc::sockaddr_in { sin_family: 0, sin_port: 0, sin_addr: libc::in_addr { s_addr: 0 }, sin_zero: [0; 8] };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    let [a, b, c, d] = address.sin_addr.s_addr.to_ne_bytes();
    println!("its own address is {a}.{b}.{c}.{d}, port {}", u16::from_be(address.sin_port));
    // SAFETY: as above.
    if unsafe { libc::getpeername(fd, (&raw mut address).cast(), &raw mut length) } == 0 {
        return Err(Stop::unexpected("a socket that never connected has a peer"));
    }

    // What can you do?
    let mut buffer = [0_u8; 4];
    // SAFETY: `buffer` has room for as many bytes as we say.
    if unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) } != -1 {
        return Err(Stop::unexpected("a socket that never connected received something"));
    }
    // SAFETY: the text is as long as we say, and send only reads it.
    if unsafe { libc::send(fd, b"hi".as_ptr().cast(), 2, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("a socket that never connected sent something"));
    }

    println!("poll says {}", polled(fd)?);
    Ok(())
}

/// What poll says of a socket at once, without waiting, when it is asked whether it can be read or written.
fn polled(fd: libc::c_int) -> Result<String, Stop> {
    let mut question = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    if unsafe { libc::poll(&raw mut question, 1, 0) } == -1 {
        return Err(Stop::failed("poll"));
    }
    let names =
        [(libc::POLLIN, "POLLIN"), (libc::POLLOUT, "POLLOUT"), (libc::POLLERR, "POLLERR"), (libc::POLLHUP, "POLLHUP")];
    let names = names.iter().filter(|(bit, _)| question.revents & bit != 0).map(|(_, name)| *name);
    Ok(names.collect::<Vec<&str>>().join(" and "))
}

fn fresh_sigpipe() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: the text is as long as we say, and send only reads it.
    let sent = unsafe { libc::send(fd, b"hi".as_ptr().cast(), 2, 0) };
    Err(Stop::unexpected(format!("send returned {sent}, and we are still here")))
}

fn fresh_others() -> Result<(), Stop> {
    for (name, family, kind) in
        [("unix stream", libc::AF_UNIX, libc::SOCK_STREAM), ("UDP", libc::AF_INET, libc::SOCK_DGRAM)]
    {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            return Err(Stop::failed("socket"));
        }
        let mut buffer = [0_u8; 4];
        // With MSG_DONTWAIT, because a UDP socket would wait here: anybody may send to it one day.
        // SAFETY: `buffer` has room for as many bytes as we say.
        if unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) } != -1 {
            return Err(Stop::unexpected(format!("{name}: recv worked on a fresh socket")));
        }
        // SAFETY: the text is as long as we say, and send only reads it.
        if unsafe { libc::send(fd, b"hi".as_ptr().cast(), 2, libc::MSG_NOSIGNAL) } != -1 {
            return Err(Stop::unexpected(format!("{name}: send worked on a fresh socket")));
        }
        println!("{name}: poll says {}", polled(fd)?);
    }
    Ok(())
}

fn numbers() -> Result<(), Stop> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        // SAFETY: socket takes three numbers and no pointer.
        *number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if *number == -1 {
            return Err(Stop::failed("socket"));
        }
    }

    let middle = numbers[1];
    // SAFETY: `middle` is ours.
    if unsafe { libc::close(middle) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    let fourth = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fourth == -1 {
        return Err(Stop::failed("socket"));
    }
    println!("the fourth socket has number {fourth}");

    // SAFETY: `fourth` is ours.
    if unsafe { libc::close(fourth) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: nothing in this process has been opened since, so the number belongs to nobody.
    if unsafe { libc::close(fourth) } == 0 {
        return Err(Stop::unexpected("a number could be closed twice"));
    }
    Ok(())
}

fn stale_number() -> Result<(), Stop> {
    // One part of the program has a pair of connected sockets and closes one end. It keeps the number.
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }
    let stale = pair[0];
    // SAFETY: `stale` is ours.
    if unsafe { libc::close(stale) } == -1 {
        return Err(Stop::failed("close"));
    }

    // Another part of it, which knows nothing of the first, gets a pair of its own.
    let mut strangers = [0; 2];
    // SAFETY: `strangers` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, strangers.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }

    // The first part uses its number once more …
    // SAFETY: the text is as long as we say, and send only reads it.
    if unsafe { libc::send(stale, b"secret".as_ptr().cast(), 6, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say.
    let received = unsafe { libc::recv(strangers[1], buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if received == -1 {
        return Err(Stop::failed("recv"));
    }
    println!("the stranger received {:?}", String::from_utf8_lossy(&buffer[..received as usize]));

    // … and closes it once more.
    // SAFETY: this closes a socket that the second part still uses: that is the point.
    if unsafe { libc::close(stale) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: the text is as long as we say, and send only reads it.
    if unsafe { libc::send(strangers[0], b"mine".as_ptr().cast(), 4, libc::MSG_NOSIGNAL) } != -1 {
        return Err(Stop::unexpected("the second part's socket survived"));
    }
    Ok(())
}

fn like_a_file() -> Result<(), Stop> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }

    // SAFETY: the text is as long as we say, and write only reads it.
    if unsafe { libc::write(pair[0], b"hello".as_ptr().cast(), 5) } == -1 {
        return Err(Stop::failed("write"));
    }
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say.
    if unsafe { libc::read(pair[1], buffer.as_mut_ptr().cast(), buffer.len()) } == -1 {
        return Err(Stop::failed("read"));
    }

    // SAFETY: all zeros is a value for the plain numbers of a stat.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `about` is a stat and ours to be written to.
    if unsafe { libc::fstat(pair[0], &raw mut about) } == -1 {
        return Err(Stop::failed("fstat"));
    }
    println!("fstat: {}", if about.st_mode & libc::S_IFMT == libc::S_IFSOCK { "a socket" } else { "no socket" });

    // SAFETY: lseek takes numbers and no pointer.
    if unsafe { libc::lseek(pair[0], 0, libc::SEEK_SET) } != -1 {
        return Err(Stop::unexpected("a socket has a position"));
    }
    println!("lseek: {}", io::Error::last_os_error());

    let entry = format!("/proc/self/fd/{}", pair[0]);
    let target = fs::read_link(&entry).map_err(|error| Stop::unexpected(format!("{entry}: {error}")))?;
    println!("{entry} -> {}", target.display());
    Ok(())
}

fn flags_in_the_type() -> Result<(), Stop> {
    // Two flags ride in the type. They are no part of it: SO_TYPE says SOCK_STREAM.
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes three numbers and no pointer.
    let three = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    if three == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: dup takes a number and no pointer.
    let four = unsafe { libc::dup(three) };
    if four == -1 {
        return Err(Stop::failed("dup"));
    }
    println!("made:              3 {}; 4 {}", flags(three)?, flags(four)?);

    // Through 4, O_NONBLOCK is switched off.
    // SAFETY: this command of fcntl takes numbers and no pointer.
    if unsafe { libc::fcntl(four, libc::F_SETFL, 0) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFL)"));
    }
    println!("changed through 4: 3 {}; 4 {}", flags(three)?, flags(four)?);
    Ok(())
}

/// A descriptor's two flags: O_NONBLOCK, which F_GETFL reads, and FD_CLOEXEC, which F_GETFD reads.
fn flags(fd: libc::c_int) -> Result<String, Stop> {
    // SAFETY: these commands of fcntl take numbers and no pointer.
    let (status, descriptor) = unsafe { (libc::fcntl(fd, libc::F_GETFL), libc::fcntl(fd, libc::F_GETFD)) };
    if status == -1 || descriptor == -1 {
        return Err(Stop::failed("fcntl"));
    }
    let (nonblock, cloexec) = (status & libc::O_NONBLOCK != 0, descriptor & libc::FD_CLOEXEC != 0);
    Ok(format!("O_NONBLOCK {}, FD_CLOEXEC {}", yes_or_no(nonblock), yes_or_no(cloexec)))
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

fn nonblocking() -> Result<(), Stop> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }
    let fd = pair[0];

    // Read the flags, change one, write them back.
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFL)"));
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_GETFL) } == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }

    // Nobody has sent anything.
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for as many bytes as we say.
    if unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) } != -1 {
        return Err(Stop::unexpected("something was received, and nothing was sent"));
    }

    // Off again, in one call.
    let mut on: libc::c_int = 0;
    // SAFETY: FIONBIO reads one int, and `on` is one.
    if unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut on) } == -1 {
        return Err(Stop::failed("ioctl(FIONBIO)"));
    }
    // SAFETY: this command of fcntl takes numbers and no pointer.
    if unsafe { libc::fcntl(fd, libc::F_GETFL) } == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }
    Ok(())
}

fn wrong_word() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: this command of fcntl takes numbers and no pointer.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
        return Err(Stop::failed("fcntl(F_GETFD)"));
    }

    // Both of these are mistakes, and the kernel does not say so.
    // SAFETY: this command of fcntl takes numbers and no pointer.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::O_NONBLOCK) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFD)"));
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_CLOEXEC) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFL)"));
    }
    println!("{}", flags(fd)?);
    Ok(())
}

fn flags_replaced() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // O_ASYNC asks for a signal when something can be read or written.
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    // SAFETY: as above.
    if flags == -1 || unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC) } == -1 {
        return Err(Stop::failed("fcntl"));
    }
    // SAFETY: as above.
    let before = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if before == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }

    // The line that many books have.
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFL)"));
    }

    // SAFETY: as above.
    let after = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if after == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }
    let [before, after] = [before, after].map(|flags| yes_or_no(flags & libc::O_ASYNC != 0));
    println!("O_ASYNC before: {before}, after: {after}");
    Ok(())
}

fn across_exec() -> Result<(), Stop> {
    for flag in [libc::SOCK_CLOEXEC, 0] {
        // SAFETY: socket takes three numbers and no pointer.
        if unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | flag, 0) } == -1 {
            return Err(Stop::failed("socket"));
        }
    }

    // A program that looks what it was given.
    let script = "for number in 3 4; do \
                  if test -S /proc/self/fd/$number; then what='is a socket'; else what='is not open'; fi; \
                  echo \"the other program: descriptor $number $what\"; done";
    let status = Command::new("/bin/sh").arg("-c").arg(script).env_clear().status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::unexpected(format!("the other program ended with {status}"))),
        Err(error) => Err(Stop::unexpected(format!("/bin/sh cannot be started: {error}"))),
    }
}

fn leaked_listener() -> Result<(), Stop> {
    let on: libc::c_int = 1;
    let int = size_of_val(&on) as libc::socklen_t;
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0_u16.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let mut length = size_of_val(&address) as libc::socklen_t;

    // The old server. The type says no SOCK_CLOEXEC.
    // SAFETY: socket takes three numbers and no pointer.
    let old = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if old == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: `on` is an int, `int` bytes long, and setsockopt only reads it.
    if unsafe { libc::setsockopt(old, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), int) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: `address` is a sockaddr_in of `length` bytes, and bind only reads it.
    if unsafe { libc::bind(old, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: `address` has room for `length` bytes, and both are ours to be written to.
    if unsafe { libc::getsockname(old, (&raw mut address).cast(), &raw mut length) } == -1 {
        return Err(Stop::failed("getsockname"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(old, 5) } == -1 {
        return Err(Stop::failed("listen"));
    }

    // It starts a program that only waits for a line of input, and closes its own socket.
    let started = Command::new("/bin/sh").args(["-c", "read line; exit 0"]).env_clear().stdin(Stdio::piped()).spawn();
    let mut other = started.map_err(|error| Stop::unexpected(format!("/bin/sh cannot be started: {error}")))?;
    // SAFETY: `old` is ours, and is not used after this line.
    if unsafe { libc::close(old) } == -1 {
        return Err(Stop::failed("close"));
    }

    // Is anybody there?
    // SAFETY: socket takes three numbers and no pointer.
    let client = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: `address` is a sockaddr_in of `length` bytes, and connect only reads it.
    if client == -1 || unsafe { libc::connect(client, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("connect"));
    }

    // The new server.
    // SAFETY: socket takes three numbers and no pointer.
    let new = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if new == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as for the first setsockopt.
    if unsafe { libc::setsockopt(new, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), int) } == -1 {
        return Err(Stop::failed("setsockopt"));
    }
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(new, (&raw const address).cast(), length) } == 0 {
        return Err(Stop::unexpected("the port was free, though another program holds its listener"));
    }
    println!("while the other program runs: {}", io::Error::last_os_error());

    // Its input ends, and so does the other program.
    drop(other.stdin.take());
    other.wait().map_err(|error| Stop::unexpected(format!("waiting for the other program: {error}")))?;
    // SAFETY: as for the first bind.
    if unsafe { libc::bind(new, (&raw const address).cast(), length) } == -1 {
        return Err(Stop::failed("bind"));
    }
    println!("after its end: bound");
    Ok(())
}

fn limit() -> Result<(), Stop> {
    let ten = libc::rlimit { rlim_cur: 10, rlim_max: 10 };
    // SAFETY: `ten` is an rlimit, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const ten) } == -1 {
        return Err(Stop::failed("setrlimit"));
    }

    let mut last = -1;
    loop {
        // SAFETY: socket takes three numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if fd == -1 {
            break; // The trace says why.
        }
        last = fd;
    }
    println!("the limit is 10, and the last number was {last}");

    // SAFETY: 6 is one of the sockets that were just opened.
    if unsafe { libc::close(6) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: socket takes three numbers and no pointer.
    if unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) } == -1 {
        return Err(Stop::failed("socket"));
    }
    Ok(())
}
