//! A small lesson whose experiments behave, or misbehave, in every way that the lab must cope with.

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use lab::{Expected, Experiment, Lack, Lesson, Program, Provocation, Stop, Way, calls, cannot, killed_by, prints};

pub static PROGRAMS: &[Program] =
    &[Program { name: "talker", words: "one two", shows: "a program that says what it is given", run: talker }];

/// Says its words, a line for each, and ends with status 3. After the word `wait` it waits in a recv; if a test has
/// forgotten it, not for ever.
fn talker(mut words: Vec<OsString>) -> ExitCode {
    if words.first().is_none_or(|word| word != "--quiet") {
        return lab::watched(|| talker_alone(&words));
    }
    words.remove(0);
    talker_alone(&words)
}

fn talker_alone(words: &[OsString]) -> ExitCode {
    let mut pair = [-1; 2];
    // SAFETY: there is room for two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } == -1 {
        return ExitCode::FAILURE;
    }
    for word in words {
        println!("{}", word.to_string_lossy());
        if word == "wait" {
            let mut byte = 0_u8;
            // SAFETY: alarm takes a number; there is room for one byte. Nobody sends one: it waits until a signal comes.
            unsafe {
                libc::alarm(60);
                libc::recv(pair[0], (&raw mut byte).cast(), 1, 0);
            }
        }
    }
    ExitCode::from(3)
}

pub static LESSON: Lesson = Lesson {
    name: "sample",
    experiments: &[
        Experiment {
            name: "hello",
            shows: "Two connected sockets say hello.",
            notice: "Five bytes went in and came out.",
            outcomes: &[Expected::anywhere(&[
                calls("socketpair", "0"),
                calls("sendto", "5"),
                calls("recvfrom", "n"),
                prints("received hello"),
            ])],
            play: hello,
        },
        Experiment {
            name: "no-such-family",
            shows: "A socket of a family that does not exist.",
            notice: "There is none.",
            outcomes: &[Expected::anywhere(&[calls("socket", "EAFNOSUPPORT")])],
            play: no_such_family,
        },
        Experiment {
            name: "both-ends",
            shows: "One process plays client and server.",
            notice: "The lab tells them apart.",
            outcomes: &[Expected::anywhere(&[calls("connect", "0"), calls("accept4", "fd")])],
            play: both_ends,
        },
        Experiment {
            name: "wrong-claim",
            shows: "One socket is made and two are claimed.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd*2")])],
            play: one_socket,
        },
        Experiment {
            name: "wrong-print",
            shows: "Something else is printed than is claimed.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[prints("good evening")])],
            play: hello,
        },
        Experiment {
            name: "second-outcome",
            shows: "What happens here is not what happens on an ordinary machine.",
            notice: "It depends.",
            outcomes: &[
                Expected::anywhere(&[calls("socket", "EMFILE")]),
                Expected::on("where there are descriptors left", &[calls("socket", "fd")]),
            ],
            play: one_socket,
        },
        Experiment {
            name: "nothing",
            shows: "No call is made.",
            notice: "Nothing happened.",
            outcomes: &[Expected::anywhere(&[calls("socket", "")])],
            play: || Ok(()),
        },
        Experiment {
            name: "unwatched",
            shows: "Of three sockets the second is made unwatched.",
            notice: "Two are seen.",
            outcomes: &[Expected::anywhere(&[calls("socket", "3 5")])],
            play: unwatched,
        },
        Experiment {
            name: "private",
            shows: "A socket is bound in a private network.",
            notice: "The way there is not seen.",
            outcomes: &[
                Expected::anywhere(&[calls("socket", "3"), calls("bind", "0"), prints("interfaces: lo\n")]),
                Expected::on("where private networks are forbidden", &[cannot(Lack::Namespaces)]),
            ],
            play: private,
        },
        Experiment {
            name: "own-directory",
            shows: "A unix socket is bound to a relative path.",
            notice: "The directory is empty at first, and gone in the end.",
            outcomes: &[Expected::anywhere(&[calls("bind", "0"), prints("the directory was empty")])],
            play: own_directory,
        },
        Experiment {
            name: "dies-as-claimed",
            shows: "A send to nobody.",
            notice: "SIGPIPE is not ignored here.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "EPIPE"), killed_by("SIGPIPE")])],
            play: send_to_nobody,
        },
        Experiment {
            name: "dies",
            shows: "The same, and nobody claimed that it dies.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "EPIPE")])],
            play: send_to_nobody,
        },
        Experiment {
            name: "hangs",
            shows: "It waits for ever.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "?")])],
            play: hangs,
        },
        Experiment {
            name: "panics",
            shows: "It panics.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[])],
            play: || panic!("the experiment fell over"),
        },
        Experiment {
            name: "fails",
            shows: "A call that must work does not.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[])],
            play: fails,
        },
        Experiment {
            name: "unexpected",
            shows: "The kernel surprises us.",
            notice: "Never printed.",
            outcomes: &[Expected::anywhere(&[])],
            play: || Err(Stop::unexpected("water flows uphill")),
        },
        Experiment {
            name: "cannot",
            shows: "The machine lacks something.",
            notice: "Never printed.",
            outcomes: &[
                Expected::anywhere(&[calls("socket", "fd")]),
                Expected::on("where IPv6 is off", &[cannot(Lack::Ipv6)]),
            ],
            play: || Err(Stop::cannot(Lack::Ipv6, "bind to ::1 was refused")),
        },
        Experiment {
            name: "cannot-undeclared",
            shows: "The machine lacks something that nobody thought of.",
            notice: "Never printed.",
            outcomes: &[Expected::on("where IPv6 is off", &[cannot(Lack::Ipv6)])],
            play: || Err(Stop::cannot(Lack::Root, "we are not root")),
        },
    ],
    errnos: ERRNOS,
};

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "unknown-family",
        errno: "EAFNOSUPPORT",
        calls: &["socket"],
        cause: "The family does not exist.",
        cure: "Ask for one that does.",
        documented: &["socket(2)", "POSIX"],
        remark: "They agree.",
        ..PROVOCATION
    },
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: &["send", "sendto", "sendmsg"],
        cause: "The number is no descriptor.",
        cure: "Use one.",
        play: || sends_to_nothing(2),
        ..PROVOCATION
    },
    Provocation {
        name: "one-of-two",
        errno: "EBADF",
        calls: &["send", "sendto"],
        cause: "Two calls should give it, and one is made.",
        cure: "Never printed.",
        play: || sends_to_nothing(1),
        ..PROVOCATION
    },
    Provocation {
        name: "no-memory",
        errno: "ENOMEM",
        calls: &["socket"],
        cause: "There is no memory.",
        cure: "Buy some.",
        way: Way::Elsewhere("it takes a machine without memory"),
        play: one_socket_or_none,
        ..PROVOCATION
    },
    Provocation {
        name: "no-stream",
        errno: "ENOSR",
        calls: &["socket"],
        cause: "There are no streams.",
        cure: "Nothing needs to be done.",
        documented: &["POSIX"],
        way: Way::Never("Linux has no such streams"),
        play: one_socket_or_none,
        ..PROVOCATION
    },
    Provocation {
        name: "lacking",
        errno: "EACCES",
        calls: &["socket"],
        cause: "It takes what this machine lacks.",
        cure: "Never printed.",
        needs: &[Lack::Ipv6, Lack::Root],
        play: || Err(Stop::cannot(Lack::Root, "we are not root")),
        ..PROVOCATION
    },
    Provocation {
        name: "lacking-undeclared",
        errno: "EACCES",
        calls: &["socket"],
        cause: "It takes what this machine lacks, and nobody said so.",
        cure: "Never printed.",
        needs: &[Lack::Ipv6],
        play: || Err(Stop::cannot(Lack::Root, "we are not root")),
        ..PROVOCATION
    },
    Provocation {
        name: "not-provoked",
        errno: "EINVAL",
        calls: &["socket"],
        cause: "It should fail, and does not.",
        cure: "Never printed.",
        play: one_socket,
        ..PROVOCATION
    },
    Provocation {
        name: "elsewhere-otherwise",
        errno: "EMFILE",
        calls: &["socket"],
        cause: "There are no descriptors left.",
        cure: "Close some.",
        otherwise: &[Expected::on("where there are descriptors left", &[calls("socket", "fd")])],
        play: one_socket,
        ..PROVOCATION
    },
    Provocation {
        name: "no-such-name",
        errno: "EAI_NONAME",
        calls: &["getaddrinfo"],
        cause: "Nobody has this name.",
        cure: "Look for the mistake in it.",
        play: || {
            println!("getaddrinfo: EAI_NONAME");
            Ok(())
        },
        ..PROVOCATION
    },
    Provocation {
        name: "silent",
        errno: "EAI_FAIL",
        calls: &["getaddrinfo"],
        cause: "It should say so, and says nothing.",
        cure: "Never printed.",
        play: || Ok(()),
        ..PROVOCATION
    },
    Provocation {
        name: "never-said",
        errno: "EAI_AGAIN",
        calls: &["getaddrinfo"],
        cause: "The server does not know yet.",
        cure: "Ask again.",
        way: Way::Never("our servers know everything"),
        play: || {
            println!("getaddrinfo: EAI_NONAME");
            Ok(())
        },
        ..PROVOCATION
    },
];

/// What most of them have in common.
const PROVOCATION: Provocation = Provocation {
    name: "",
    errno: "",
    calls: &[],
    cause: "",
    cure: "",
    documented: &[],
    remark: "",
    needs: &[],
    way: Way::Live,
    otherwise: &[],
    play: no_such_family,
};

/// `times` × send, and a sendmsg.
fn sends_to_nothing(times: usize) -> Result<(), Stop> {
    for _ in 0..times {
        // SAFETY: with a length of 0 nothing is read behind the pointer.
        unsafe { libc::send(-1, std::ptr::null(), 0, 0) };
    }
    // SAFETY: an all-zero msghdr is valid: no name, no buffers.
    let message: libc::msghdr = unsafe { std::mem::zeroed() };
    // SAFETY: sendmsg only reads it.
    unsafe { libc::sendmsg(-1, &raw const message, 0) };
    Ok(())
}

/// A socket that the observer may refuse.
fn one_socket_or_none() -> Result<(), Stop> {
    socket(libc::AF_INET);
    Ok(())
}

fn pair() -> Result<[i32; 2], Stop> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }
    Ok(pair)
}

fn hello() -> Result<(), Stop> {
    let [one, other] = pair()?;
    // SAFETY: the text is five bytes long.
    if unsafe { libc::send(one, c"hello".as_ptr().cast(), 5, 0) } == -1 {
        return Err(Stop::failed("send"));
    }
    let mut buffer = [0_u8; 16];
    // SAFETY: `buffer` has room for 16 bytes.
    let received = unsafe { libc::recv(other, buffer.as_mut_ptr().cast(), 16, 0) };
    if received == -1 {
        return Err(Stop::failed("recv"));
    }
    println!("received {}", String::from_utf8_lossy(&buffer[..received as usize]));
    Ok(())
}

fn socket(family: i32) -> i32 {
    // SAFETY: socket takes three numbers and no pointer.
    unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) }
}

fn no_such_family() -> Result<(), Stop> {
    match socket(99) {
        -1 => Ok(()),
        _ => Err(Stop::unexpected("there is a family 99")),
    }
}

fn one_socket() -> Result<(), Stop> {
    match socket(libc::AF_INET) {
        -1 => Err(Stop::failed("socket")),
        _ => Ok(()),
    }
}

fn both_ends() -> Result<(), Stop> {
    let (server, client) = (socket(libc::AF_UNIX), socket(libc::AF_UNIX));
    let address = unix_address();
    // SAFETY: `address` is a sockaddr_un, longer than the 12 bytes that are read of it.
    if unsafe { libc::bind(server, (&raw const address).cast(), 12) } == -1 {
        return Err(Stop::failed("bind"));
    }
    // SAFETY: listen takes two numbers and no pointer.
    if unsafe { libc::listen(server, 1) } == -1 {
        return Err(Stop::failed("listen"));
    }
    // SAFETY: as for bind.
    if unsafe { libc::connect(client, (&raw const address).cast(), 12) } == -1 {
        return Err(Stop::failed("connect"));
    }
    // SAFETY: with two null pointers accept4 writes nothing.
    let connection = unsafe { libc::accept4(server, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
    // SAFETY: `connection` is ours, and is not used after this line.
    if connection == -1 || unsafe { libc::close(connection) } == -1 {
        return Err(Stop::failed("accept4"));
    }
    Ok(())
}

/// `demo.sock`: 12 bytes with the family and the zero byte at the end.
fn unix_address() -> libc::sockaddr_un {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(b"demo.sock") {
        *to = *from as libc::c_char;
    }
    address
}

fn unwatched() -> Result<(), Stop> {
    let first = socket(libc::AF_INET);
    lab::stop_watching();
    let second = socket(libc::AF_INET);
    lab::watch_again();
    let third = socket(libc::AF_INET);
    if [first, second, third].contains(&-1) { Err(Stop::failed("socket")) } else { Ok(()) }
}

fn private() -> Result<(), Stop> {
    lab::private_network()?;
    let fd = socket(libc::AF_INET);
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: `address` is a sockaddr_in of 16 bytes.
    if unsafe { libc::bind(fd, (&raw const address).cast(), 16) } == -1 {
        return Err(Stop::failed("bind"));
    }
    let table = fs::read_to_string("/proc/self/net/dev").map_err(|error| Stop::unexpected(error.to_string()))?;
    let interfaces: Vec<&str> = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    println!("interfaces: {}", interfaces.join(" "));
    Ok(())
}

fn own_directory() -> Result<(), Stop> {
    let files = fs::read_dir(".").map_err(|error| Stop::unexpected(error.to_string()))?.count();
    if files == 0 {
        println!("the directory was empty");
    }
    let fd = socket(libc::AF_UNIX);
    let address = unix_address();
    // SAFETY: `address` is a sockaddr_un, longer than the 12 bytes that are read of it.
    if unsafe { libc::bind(fd, (&raw const address).cast(), 12) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok(())
}

fn send_to_nobody() -> Result<(), Stop> {
    let [one, other] = pair()?;
    // SAFETY: `other` is ours, and is not used after this line.
    if unsafe { libc::close(other) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: the text is five bytes long.
    let sent = unsafe { libc::send(one, c"hello".as_ptr().cast(), 5, 0) };
    Err(Stop::unexpected(format!("send returned {sent}")))
}

fn hangs() -> Result<(), Stop> {
    let [one, _] = pair()?;
    fs::write("started", "").map_err(|error| Stop::unexpected(error.to_string()))?;
    let mut byte = 0_u8;
    // SAFETY: `byte` has room for one byte.
    let received = unsafe { libc::recv(one, (&raw mut byte).cast(), 1, 0) };
    Err(Stop::unexpected(format!("recv returned {received}")))
}

fn fails() -> Result<(), Stop> {
    match socket(99) {
        -1 => Err(Stop::failed("socket")),
        _ => Ok(()),
    }
}
