//! `bind/unix`
//!
//! The child's working directory is new and empty, so short relative paths will do. The parent sees the same directory from
//! outside.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use grader::{Bench, Fault, Run, Seen, Stage, Suite, peers};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, listen, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use observer::{Address, UnixName};
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("bind/unix", "fresh_path", call, fresh_path)
        .check("bind/unix", "stale_socket_is_replaced", call_on_a_stale_socket, stale_socket_is_replaced)
        .check("bind/unix", "live_server_is_left_alone", call, live_server_is_left_alone)
        .check("bind/unix", "other_files_survive", call_on_another_file, other_files_survive)
        .check("bind/unix", "the_probe_is_closed", call, the_probe_is_closed)
        .check("bind/unix", "dead_directory_is_enoent", call, dead_directory_is_enoent);
}

const PATH: &str = "demo.sock";

/// Whether a client that connects to the path reaches the returned socket, or the errno.
type Said = Result<bool, i32>;

fn call(page: &Page, stage: &mut Stage, path: String) -> Said {
    let path = Path::new(&path);
    match stage.call(format!("bind_unix({path:?})"), || (page.bind_unix)(path)) {
        Ok(socket) => Ok(is_reached(socket, path).is_ok()),
        Err(errno) => Err(*errno as i32),
    }
}

/// Connects to the path, and expects the connection at this socket.
fn is_reached(server: &OwnedFd, path: &Path) -> nix::Result<()> {
    listen(server, Backlog::new(1)?)?;
    let client = unix_socket()?;
    connect(client.as_raw_fd(), &UnixAddr::new(path)?)?;
    // If the client reached somebody else, accept would wait for ever.
    setsockopt(&server.as_fd(), sockopt::ReceiveTimeout, &TimeVal::new(1, 0))?;
    accept4(server.as_raw_fd(), SockFlag::SOCK_CLOEXEC).map(|_| ())
}

fn unix_socket() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// A server binds the path, listens, and dies.
fn leave_a_socket(path: &str) -> nix::Result<()> {
    let server = unix_socket()?;
    bind(server.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&server, Backlog::new(1)?)
}

fn call_on_a_stale_socket(page: &Page, stage: &mut Stage, _: ()) -> Said {
    leave_a_socket(PATH).expect("a stale socket");
    call(page, stage, PATH.to_string())
}

/// What is in the way, and is no socket.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Other {
    File,
    Directory,
    Link,
}

impl Other {
    const ALL: [Other; 3] = [Other::File, Other::Directory, Other::Link];

    fn kind(self) -> &'static str {
        match self {
            Other::File => "a regular file",
            Other::Directory => "a directory",
            Other::Link => "a symbolic link to a stale socket",
        }
    }

    fn put(self) -> std::io::Result<()> {
        match self {
            Other::File => fs::write(PATH, "precious"),
            Other::Directory => {
                fs::create_dir(PATH).and_then(|()| fs::write(Path::new(PATH).join("inside"), "precious"))
            }
            Other::Link => {
                leave_a_socket("elsewhere.sock")?;
                symlink("elsewhere.sock", PATH)
            }
        }
    }

    /// Whether it is as it was.
    fn is_whole(self, directory: &Path) -> bool {
        let path = directory.join(PATH);
        let precious = |path: &Path| fs::read(path).is_ok_and(|content| content == b"precious");
        match self {
            Other::File => precious(&path),
            Other::Directory => precious(&path.join("inside")),
            Other::Link => {
                let target = directory.join("elsewhere.sock");
                let whole = fs::symlink_metadata(target).is_ok_and(|found| found.file_type().is_socket());
                whole && fs::read_link(path).is_ok_and(|target| target == Path::new("elsewhere.sock"))
            }
        }
    }
}

fn call_on_another_file(page: &Page, stage: &mut Stage, other: Other) -> Said {
    other.put().expect("something in the way");
    call(page, stage, PATH.to_string())
}

/// A bind asked for this path, or the plain case has to be right first.
fn asked_for_the_path<'a>(run: &'a Run<Said>, path: &str) -> Result<Seen<'a>, Fault> {
    let wanted = Address::Unix { name: UnixName::Path(Path::new(path).as_os_str().as_bytes().to_vec()) };
    let bind = run.calls("bind").into_iter().rfind(|bind| bind.address() == Some(&wanted));
    bind.ok_or_else(|| Fault::waits("fresh_path", "no bind asked for the path"))
}

fn last_call(run: &Run<Said>) -> Option<usize> {
    run.calls_of(&["bind", "connect"]).last().map(|call| call.index)
}

fn fresh_path(bench: &Bench<String, Said>) -> Result<(), Fault> {
    let setting = bench.setting()?;
    let run = setting.play(PATH.to_string())?;
    let said = *run.answer()?;
    let is_socket = fs::symlink_metadata(setting.directory().join(PATH)).is_ok_and(|file| file.file_type().is_socket());
    let what = match said {
        Ok(true) if is_socket => return Ok(()),
        Ok(_) if is_socket => "a client that connects there does not reach the socket that you returned".to_string(),
        Ok(_) => "no socket file appeared there".to_string(),
        Err(_) => format!("you said {}", run.returned()),
    };
    Err(run.reject().with("path", PATH).with("what", what).at_any(last_call(&run)).into())
}

fn stale_socket_is_replaced(bench: &Bench<(), Said>) -> Result<(), Fault> {
    let run = bench.play(())?;
    let said = *run.answer()?;
    asked_for_the_path(&run, PATH)?;
    let what = match said {
        Ok(true) => return Ok(()),
        Ok(false) => "a client that connects there does not reach the socket that you returned".to_string(),
        Err(_) => format!("you said {}", run.returned()),
    };
    Err(run.reject().with("path", PATH).with("what", what).at_any(last_call(&run)).into())
}

fn live_server_is_left_alone(bench: &Bench<String, Said>) -> Result<(), Fault> {
    let setting = bench.setting()?;
    let server = peers::unix_server(&setting.directory(), PATH)?;
    let run = setting.play(PATH.to_string())?;
    let said = *run.answer()?;
    let bind = asked_for_the_path(&run, PATH)?;
    let what = if !can_be_reached(&server, &setting.directory())? {
        "nobody can reach it there any more: you unlinked its path".to_string()
    } else if said == Err(Errno::EADDRINUSE as i32) {
        return Ok(());
    } else {
        format!("you said {}, where EADDRINUSE is the answer", run.returned())
    };
    Err(run.reject().with("path", PATH).with("what", what).at(bind.index).into())
}

/// Whether a client that connects to the path in this directory is heard by this server.
/// The queue may also hold clients of the student's, which have gone by now.
fn can_be_reached(server: &UnixListener, directory: &Path) -> std::io::Result<bool> {
    let directory = fs::File::open(directory)?;
    let Ok(mut client) = UnixStream::connect(format!("/proc/self/fd/{}/{PATH}", directory.as_raw_fd())) else {
        return Ok(false);
    };
    client.write_all(b"!")?;
    server.set_nonblocking(true)?;
    loop {
        match server.accept() {
            // What the client wrote is there at once: both ends are on this machine.
            Ok((mut connection, _)) => {
                connection.set_nonblocking(true)?;
                let mut byte = [0];
                if connection.read(&mut byte).is_ok_and(|count| count == 1) && byte == *b"!" {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn other_files_survive(bench: &Bench<Other, Said>) -> Result<(), Fault> {
    for other in Other::ALL {
        let setting = bench.setting()?;
        let run = setting.play(other)?;
        let said = *run.answer()?;
        let bind = asked_for_the_path(&run, PATH)?;
        let what = if !other.is_whole(&setting.directory()) {
            "you deleted it, although it was not a stale socket".to_string()
        } else if said == Err(Errno::EADDRINUSE as i32) {
            continue;
        } else {
            format!("you said {}, where EADDRINUSE is the answer", run.returned())
        };
        return Err(run
            .reject()
            .with("kind", other.kind())
            .with("path", PATH)
            .with("what", what)
            .at(bind.index)
            .into());
    }
    Ok(())
}

fn the_probe_is_closed(bench: &Bench<String, Said>) -> Result<(), Fault> {
    let setting = bench.setting()?;
    let _server = peers::unix_server(&setting.directory(), PATH)?;
    let run = setting.play(PATH.to_string())?;
    let left = run.left_open()?;
    asked_for_the_path(&run, PATH)?;
    let probes = run.calls("connect");
    let is_probe = |fd: i32| probes.iter().find(|probe| probe.int("sockfd") == Some(fd.into()));
    match left.iter().find_map(|(fd, _)| Some((fd, is_probe(*fd)?.index))) {
        Some((fd, at)) => Err(run.reject().with("descriptors", format!("fd {fd}")).at(at).into()),
        None if left.is_empty() => Ok(()),
        None => Err(Fault::waits("leaves_no_fd_behind", "another descriptor was left open")),
    }
}

fn dead_directory_is_enoent(bench: &Bench<String, Said>) -> Result<(), Fault> {
    const NOWHERE: &str = "no/such/directory/demo.sock";
    let setting = bench.setting()?;
    let run = setting.play(NOWHERE.to_string())?;
    let said = *run.answer()?;
    let bind = asked_for_the_path(&run, NOWHERE)?;
    let what = if setting.directory().join("no").exists() {
        "you made the directory".to_string()
    } else if said == Err(Errno::ENOENT as i32) {
        return Ok(());
    } else {
        format!("you said {}", run.returned())
    };
    Err(run.reject().with("path", NOWHERE).with("what", what).at(bind.index).into())
}
