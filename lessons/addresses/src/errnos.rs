//! Every error that getaddrinfo and inet_pton can give, each provoked on its own: this chapter's part of the atlas.
//!
//! They are no system calls. getaddrinfo has codes of its own, such as `EAI_NONAME`, and what it said is printed.
//! `cargo run -p lesson-addresses -- EAI_NONAME` plays those that give this code, `-- name` the one of this name.

use std::ffi::CStr;
use std::fs;
use std::ptr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lab::{Expected, Lack, Provocation, Stop, Way, prints};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::{EAI_ADDRFAMILY, LENGTH, hints, inet_pton, loopback};

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-address",
        errno: "EAI_NONAME",
        calls: &["getaddrinfo"],
        cause: "AI_NUMERICHOST asks for an address in figures, and the host is a name.",
        cure: "Give an address, or leave the flag out: then the name is looked up.",
        documented: &["getaddrinfo(3)", "POSIX"],
        play: no_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-number",
        errno: "EAI_NONAME",
        calls: &["getaddrinfo"],
        cause: "AI_NUMERICSERV asks for a port number, and the service is a name.",
        cure: "Give a number, or leave the flag out: then the name is looked up in /etc/services.",
        documented: &["getaddrinfo(3)", "POSIX"],
        play: not_a_number,
        ..Provocation::USUAL
    },
    Provocation {
        name: "neither-host-nor-service",
        errno: "EAI_NONAME",
        calls: &["getaddrinfo"],
        cause: "Host and service are both null, so nothing was asked.",
        cure: "Give one of them at least.",
        documented: &["getaddrinfo(3)", "POSIX"],
        play: neither_host_nor_service,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-name",
        errno: "EAI_NONAME",
        calls: &["getaddrinfo"],
        cause: "The name server says that there is no such name.",
        cure: "Look for a typing error in the name. To ask again does not help.",
        documented: &["getaddrinfo(3)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: no_such_name,
        ..Provocation::USUAL
    },
    Provocation {
        name: "name-without-address",
        errno: "EAI_NODATA",
        calls: &["getaddrinfo"],
        cause: "The name server knows the name, and has no address of that family for it.",
        cure: "Ask with AF_UNSPEC, for a family of either kind. A name may also have no address at all, if it is only \
               there for mail, say.",
        documented: &["getaddrinfo(3)"],
        remark: "POSIX has no such code; it comes from glibc, the usual C library on Linux.",
        needs: &[Lack::Namespaces],
        otherwise: &[Expected::on("where the C library is an older musl", &[prints("getaddrinfo: EAI_NONAME\n")])],
        play: name_without_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-name-server",
        errno: "EAI_AGAIN",
        calls: &["getaddrinfo"],
        cause: "No name server can be reached: here nobody listens where /etc/resolv.conf says that one is.",
        cure: "Try again later. If it lasts, look at the network, and at the nameserver lines of /etc/resolv.conf.",
        documented: &["getaddrinfo(3)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: no_name_server,
        ..Provocation::USUAL
    },
    Provocation {
        name: "name-server-fails",
        errno: "EAI_AGAIN",
        calls: &["getaddrinfo"],
        cause: "The name server answers that it has failed (SERVFAIL): it could not find out.",
        cure: "Try again later: the trouble is the server's, or that of a server which it asked.",
        documented: &["getaddrinfo(3)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: name_server_fails,
        ..Provocation::USUAL
    },
    Provocation {
        name: "other-family",
        errno: "EAI_ADDRFAMILY",
        calls: &["getaddrinfo"],
        cause: "The host is an address of one family, and the hints ask for the other.",
        cure: "Ask with AF_UNSPEC, and take the family from the answer.",
        documented: &["getaddrinfo(3)"],
        remark: "POSIX has no such code; it comes from glibc, the usual C library on Linux.",
        otherwise: &[
            Expected::on("where the C library is musl", &[prints("getaddrinfo: EAI_NODATA\n")]),
            Expected::on("where the C library is an older musl", &[prints("getaddrinfo: EAI_NONAME\n")]),
        ],
        play: other_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-service",
        errno: "EAI_SERVICE",
        calls: &["getaddrinfo"],
        cause: "The service is no number, and /etc/services has no such name for this type of socket.",
        cure: "Give the port as a number: that needs no file.",
        documented: &["getaddrinfo(3)", "POSIX"],
        remark: "The manual also tells of EAI_NONAME for a service that is not known. glibc says EAI_SERVICE.",
        play: no_such_service,
        ..Provocation::USUAL
    },
    Provocation {
        name: "service-of-a-raw-socket",
        errno: "EAI_SERVICE",
        calls: &["getaddrinfo"],
        cause: "A service is asked for, and SOCK_RAW: a raw socket, which works below TCP and UDP, has no ports.",
        cure: "Leave the service out, as null. Even a number is one too many.",
        documented: &["getaddrinfo(3)"],
        play: service_of_a_raw_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-name-of-nobody",
        errno: "EAI_BADFLAGS",
        calls: &["getaddrinfo"],
        cause: "AI_CANONNAME asks for the host's full name, and there is no host.",
        cure: "Leave the flag out, or name the host.",
        documented: &["getaddrinfo(3)"],
        otherwise: &[Expected::on("where the C library is musl", &[prints("getaddrinfo: success\n")])],
        play: host_name_of_nobody,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-flag",
        errno: "EAI_BADFLAGS",
        calls: &["getaddrinfo"],
        cause: "The hints have a flag that does not exist.",
        cure: "Set all fields of the hints: what is not needed must be zero, and not what was there before.",
        documented: &["getaddrinfo(3)", "POSIX"],
        play: no_such_flag,
        ..Provocation::USUAL
    },
    Provocation {
        name: "type-against-protocol",
        errno: "EAI_SOCKTYPE",
        calls: &["getaddrinfo"],
        cause: "The hints contradict each other: SOCK_DGRAM, and the protocol is TCP.",
        cure: "Give the type alone, and leave the protocol at zero.",
        documented: &["getaddrinfo(3)"],
        otherwise: &[Expected::on("where the C library is musl", &[prints("getaddrinfo: EAI_SERVICE\n")])],
        play: type_against_protocol,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-family",
        errno: "EAI_FAMILY",
        calls: &["getaddrinfo"],
        cause: "The hints ask for a family that has no host names: AF_UNIX, whose addresses are paths.",
        cure: "Ask for AF_INET, AF_INET6 or AF_UNSPEC. A path needs no looking up.",
        documented: &["getaddrinfo(3)", "POSIX"],
        play: no_such_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cannot-be-encoded",
        errno: "EAI_IDN_ENCODE",
        calls: &["getaddrinfo"],
        cause: "AI_IDN asks to encode a name with letters beyond ASCII, as name servers want it, and the bytes are no \
                text in the program's encoding.",
        cure: "Pass text in the encoding of the locale (usually UTF-8, after setlocale), or do the encoding \
               yourself.",
        documented: &[],
        remark: "It stands in netdb.h, and the page getaddrinfo(3) leaves it out.",
        otherwise: &[Expected::on("where the C library is musl", &[prints("getaddrinfo: EAI_BADFLAGS\n")])],
        play: cannot_be_encoded,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "EAI_MEMORY",
        calls: &["getaddrinfo"],
        cause: "The C library could not have the memory that it asked for.",
        cure: "Give the program more memory. Here it is a limit of its own, and a copy of an address with 32 million \
               zeros in front.",
        documented: &["getaddrinfo(3)", "POSIX"],
        otherwise: &[Expected::on("where the C library is musl", &[prints("getaddrinfo: EAI_NONAME\n")])],
        play: no_memory,
        ..Provocation::USUAL
    },
    Provocation {
        name: "system-call",
        errno: "EAI_SYSTEM",
        calls: &["getaddrinfo"],
        cause: "A system call that the C library made has failed. Here no descriptor is left, for any file or \
                socket.",
        cure: "Look at errno: in this case, and in no other, it tells what went wrong.",
        documented: &["getaddrinfo(3)", "POSIX"],
        remark: "With AF_UNSPEC in place of AF_INET glibc says EAI_NONAME here, as if the name did not exist.",
        play: system_call,
        ..Provocation::USUAL
    },
    Provocation {
        name: "neither-four-nor-six",
        errno: "EAFNOSUPPORT",
        calls: &["inet_pton"],
        cause: "The family is neither AF_INET nor AF_INET6, and inet_pton reads no addresses of other families.",
        cure: "Pass one of the two. (It returns -1 here, and sets errno; a text that is no address gives 0, and no \
               errno.)",
        documented: &["inet_pton(3)", "POSIX"],
        play: neither_four_nor_six,
        ..Provocation::USUAL
    },
    Provocation {
        name: "name-server-gives-up",
        errno: "EAI_FAIL",
        calls: &["getaddrinfo"],
        cause: "The name server answers that it cannot say, and never will.",
        cure: "Treat it like EAI_NONAME: to ask again does not help.",
        documented: &["getaddrinfo(3)", "POSIX"],
        remark: "Four answers that mean a failure were tried. glibc makes EAI_NONAME of one and EAI_AGAIN of three.",
        needs: &[Lack::Namespaces],
        way: Way::Never("glibc makes EAI_NONAME or EAI_AGAIN of every answer that tells of a failure"),
        play: name_server_gives_up,
        ..Provocation::USUAL
    },
];

/// Prints what getaddrinfo said, by the name of its code, and gives back the list that it made if it did not fail.
fn said(code: libc::c_int, list: *mut libc::addrinfo) {
    let name = name_of(code);
    println!("getaddrinfo: {name}");
    if code == 0 {
        // SAFETY: the list is getaddrinfo's, and nothing of it is used after this line.
        unsafe { libc::freeaddrinfo(list) };
    }
}

fn name_of(code: libc::c_int) -> String {
    let name = match code {
        0 => "success",
        libc::EAI_BADFLAGS => "EAI_BADFLAGS",
        libc::EAI_NONAME => "EAI_NONAME",
        libc::EAI_AGAIN => "EAI_AGAIN",
        libc::EAI_FAIL => "EAI_FAIL",
        EAI_NODATA => "EAI_NODATA",
        libc::EAI_FAMILY => "EAI_FAMILY",
        libc::EAI_SOCKTYPE => "EAI_SOCKTYPE",
        libc::EAI_SERVICE => "EAI_SERVICE",
        EAI_ADDRFAMILY => "EAI_ADDRFAMILY",
        libc::EAI_MEMORY => "EAI_MEMORY",
        libc::EAI_SYSTEM => "EAI_SYSTEM",
        EAI_IDN_ENCODE => "EAI_IDN_ENCODE",
        other => return format!("code {other}"),
    };
    name.to_string()
}

// These are glibc's own, and the crate libc does not name them.

/// The name exists, and has no address.
const EAI_NODATA: libc::c_int = -5;

/// The name cannot be encoded.
const EAI_IDN_ENCODE: libc::c_int = -105;

/// Encode a name that has letters beyond ASCII.
const AI_IDN: libc::c_int = 0x40;

fn no_address() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, libc::AI_NUMERICHOST);
    let mut list = ptr::null_mut();
    // SAFETY: both texts end in a zero byte; `hints` is one; `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(c"localhost".as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn not_a_number() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, libc::AI_NUMERICSERV);
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"127.0.0.1".as_ptr(), c"http".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn neither_host_nor_service() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, 0);
    let mut list = ptr::null_mut();
    // SAFETY: a null pointer stands for no text; else as above.
    let code = unsafe { libc::getaddrinfo(ptr::null(), ptr::null(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn no_such_name() -> Result<(), Stop> {
    own_settings()?;
    let server = name_server(NXDOMAIN)?;
    said_of_a_name();
    ended(server)
}

fn name_without_address() -> Result<(), Stop> {
    own_settings()?;
    let server = name_server(NOERROR)?; // and no address with it
    said_of_a_name();
    ended(server)
}

fn no_name_server() -> Result<(), Stop> {
    own_settings()?;
    said_of_a_name();
    Ok(())
}

fn name_server_fails() -> Result<(), Stop> {
    own_settings()?;
    let server = name_server(SERVFAIL)?;
    said_of_a_name();
    ended(server)
}

/// Looks up a name, and prints what came of it.
fn said_of_a_name() {
    let hints = hints(libc::AF_INET, libc::SOCK_STREAM, 0);
    let mut list = ptr::null_mut();
    // The dot at the end says that the name is whole: nothing is to be put behind it.
    // SAFETY: the text ends in a zero byte, and there is no second; `hints` is one; `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(c"nobody.example.".as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    said(code, list);
}

// What a name server may answer, in four bits: RFC 1035, section 4.1.1.
const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

/// Starts a name server, in a thread, that answers one question so and ends.
fn name_server(answer: u8) -> Result<JoinHandle<Result<(), Stop>>, Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Stop::failed("socket"));
    }
    let address = loopback(53); // Port 53 is the name servers' port, and this network is our own.
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and bind only reads it.
    if unsafe { libc::bind(server, (&raw const address).cast(), LENGTH) } == -1 {
        return Err(Stop::failed("bind"));
    }
    Ok(thread::spawn(move || answer_once(server, answer)))
}

fn answer_once(server: libc::c_int, answer: u8) -> Result<(), Stop> {
    let mut message = [0_u8; 512];
    let mut from = loopback(0);
    let mut length = LENGTH;
    let to = message.as_mut_ptr().cast();
    // SAFETY: `message` has room for 512 bytes and `from` for `length`; all are ours to be written to.
    let count = unsafe { libc::recvfrom(server, to, message.len(), 0, (&raw mut from).cast(), &raw mut length) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Stop::failed("recvfrom"));
    };
    // The answer is the question once more, with two bits set: this is an answer, and I do ask others if I must.
    message[2] |= 0x80;
    message[3] = 0x80 | answer;
    // SAFETY: `message` holds `count` bytes and `from` is `length` bytes long; sendto only reads them.
    if unsafe { libc::sendto(server, message.as_ptr().cast(), count, 0, (&raw const from).cast(), length) } == -1 {
        return Err(Stop::failed("sendto"));
    }
    // SAFETY: `server` is ours, and is not used after this line.
    if unsafe { libc::close(server) } == -1 { Err(Stop::failed("close")) } else { Ok(()) }
}

/// Waits for the end of the name server, and until its thread has vanished, which may take a moment more.
fn ended(server: JoinHandle<Result<(), Stop>>) -> Result<(), Stop> {
    server.join().map_err(|_| Stop::unexpected("the name server panicked"))??;
    let (tasks, deadline) = ("/proc/self/task", Instant::now() + Duration::from_secs(10));
    while fs::read_dir(tasks).map_err(|error| unreadable(tasks, &error))?.count() > 1 {
        if Instant::now() > deadline {
            return Err(Stop::unexpected("after 10 seconds the name server's thread is still there"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn unreadable(file: &str, error: &std::io::Error) -> Stop {
    Stop::unexpected(format!("{file} cannot be read: {error}"))
}

/// A network of our own, and for this process an /etc of our own: names are looked up by asking the name server at
/// 127.0.0.1, once, and by nothing else. Where all this is forbidden, it says so.
fn own_settings() -> Result<(), Stop> {
    lab::private_network()?;
    let files = [
        ("etc/nsswitch.conf", "hosts: dns\n"),
        ("etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:3\n"),
    ];
    let made = fs::create_dir("etc").and_then(|()| fs::create_dir("nothing"));
    made.and_then(|()| files.iter().try_for_each(|(file, text)| fs::write(file, text)))
        .map_err(|error| Stop::unexpected(format!("the folder etc cannot be made here: {error}")))?;

    // SAFETY: unshare takes a number and changes only this process.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } == -1 {
        return Err(refused("unshare(CLONE_NEWNS)", Errno::last()));
    }
    // What is mounted from here on, only this process sees.
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE).map_err(|errno| refused("making mounts private", errno))?;
    mount(c"etc", c"/etc", libc::MS_BIND).map_err(|errno| refused("mounting a folder at /etc", errno))?;
    // On some machines glibc would ask a cache for names, nscd. Here there is none.
    match mount(c"nothing", c"/var/run/nscd", libc::MS_BIND) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(refused("mounting a folder at /var/run/nscd", errno)),
    }
}

fn mount(source: &CStr, target: &CStr, flags: libc::c_ulong) -> Result<(), Errno> {
    // SAFETY: the texts end in a zero byte, and mount only reads them. Neither kind nor data is needed for these flags.
    Errno::result(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), ptr::null(), flags, ptr::null()) }).map(drop)
}

fn refused(what: &str, errno: Errno) -> Stop {
    Stop::cannot(Lack::Namespaces, format!("{what} was refused: {errno}"))
}

fn other_family() -> Result<(), Stop> {
    for (host, family) in [(c"127.0.0.1", libc::AF_INET6), (c"::1", libc::AF_INET)] {
        let hints = hints(family, libc::SOCK_STREAM, libc::AI_NUMERICHOST);
        let mut list = ptr::null_mut();
        // SAFETY: both texts end in a zero byte; `hints` is one; `list` is ours to be written to.
        let code = unsafe { libc::getaddrinfo(host.as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut list) };
        said(code, list);
    }
    Ok(())
}

fn no_such_service() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, 0);
    let (host, service) = (c"127.0.0.1", c"no-such-service");
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), service.as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn service_of_a_raw_socket() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_RAW, 0);
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"127.0.0.1".as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn host_name_of_nobody() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, libc::AI_CANONNAME);
    let mut list = ptr::null_mut();
    // SAFETY: a null pointer stands for no text; else as above.
    let code = unsafe { libc::getaddrinfo(ptr::null(), c"80".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn no_such_flag() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, 0x4000_0000);
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"127.0.0.1".as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn type_against_protocol() -> Result<(), Stop> {
    let mut hints = hints(libc::AF_UNSPEC, libc::SOCK_DGRAM, 0);
    hints.ai_protocol = libc::IPPROTO_TCP;
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"127.0.0.1".as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn no_such_family() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNIX, libc::SOCK_STREAM, 0);
    let mut list = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"demo.sock".as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn cannot_be_encoded() -> Result<(), Stop> {
    let hints = hints(libc::AF_UNSPEC, libc::SOCK_STREAM, AI_IDN);
    let mut list = ptr::null_mut();
    // A byte of 255 begins no letter, in UTF-8 and in ASCII alike.
    // SAFETY: as above.
    let code = unsafe { libc::getaddrinfo(c"\xFF.example.".as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    said(code, list);
    Ok(())
}

fn no_memory() -> Result<(), Stop> {
    // 127.0.0.1, with more zeros in front than anybody needs (and so 127 in octal: 177). AI_NUMERICHOST sees to it that
    // nobody is asked for it.
    let mut host = vec![b'0'; 32 << 20];
    host.extend(b"177.0.0.1\0");
    let hints = hints(libc::AF_INET, libc::SOCK_STREAM, libc::AI_NUMERICHOST | libc::AI_CANONNAME);
    let mut list = ptr::null_mut();

    // For the full name a copy of the address is made, for which this leaves no room.
    let (before, most) = getrlimit(Resource::RLIMIT_AS)?;
    setrlimit(Resource::RLIMIT_AS, memory()? + (1 << 20), most)?;
    // SAFETY: the text ends in a zero byte, and there is no second; `hints` is one; `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(host.as_ptr().cast(), ptr::null(), &raw const hints, &raw mut list) };
    setrlimit(Resource::RLIMIT_AS, before, most)?;
    said(code, list);
    Ok(())
}

/// How many bytes of address space this process has.
fn memory() -> Result<rlim_t, Stop> {
    let file = "/proc/self/statm";
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    // SAFETY: sysconf takes a number and returns one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let pages = text.split_whitespace().next().and_then(|pages| pages.parse::<rlim_t>().ok());
    let bytes = pages.zip(rlim_t::try_from(page).ok()).map(|(pages, page)| pages * page);
    bytes.ok_or_else(|| Stop::unexpected(format!("{file} does not tell the size: {text}")))
}

fn system_call() -> Result<(), Stop> {
    let hints = hints(libc::AF_INET, libc::SOCK_STREAM, 0);
    let mut list = ptr::null_mut();
    // With no descriptor it can neither read a file nor ask anybody.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, most)?;
    // SAFETY: the text ends in a zero byte, and there is no second; `hints` is one; `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(c"localhost".as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    let errno = Errno::last();
    said(code, list);
    println!("errno: {errno:?}");
    Ok(())
}

fn neither_four_nor_six() -> Result<(), Stop> {
    let mut bytes = [0_u8; 16];
    // SAFETY: the text ends in a zero byte, and `bytes` has room for an address of either family.
    if unsafe { inet_pton(libc::AF_UNIX, c"127.0.0.1".as_ptr(), bytes.as_mut_ptr().cast()) } == -1 {
        println!("inet_pton: {:?}", Errno::last());
    }
    Ok(())
}

fn name_server_gives_up() -> Result<(), Stop> {
    own_settings()?;
    for (words, answer) in [
        ("I did not understand", FORMERR),
        ("I have failed", SERVFAIL),
        ("I cannot do that", NOTIMP),
        ("I refuse", REFUSED),
    ] {
        let server = name_server(answer)?;
        println!("the name server: {words} ({answer})");
        said_of_a_name();
        ended(server)?;
    }
    Ok(())
}
