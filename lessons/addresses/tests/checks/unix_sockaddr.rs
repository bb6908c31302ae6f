//! `addresses/unix-sockaddr`
//!
//! The act puts the function's answer to the kernel. The child's working directory is new and empty, so short relative paths
//! will do; abstract names are all the machine's, so each is used by one run only.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use grader::{Bench, Fault, Run, Stage, Suite};
use lesson_addresses::UnixName;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, connect, listen, socket};
use serde::{Deserialize, Serialize};

use super::{Page, Plain};

pub fn add(suite: &mut Suite<Page>) {
    const ID: &str = "addresses/unix-sockaddr";
    suite
        .check(ID, "path_length_counts_its_nul", call, path_length_counts_its_nul)
        .check(ID, "kernel_finds_the_path", call_and_bind, kernel_finds_the_path)
        .check(ID, "abstract_length_is_exact", call_and_connect, abstract_length_is_exact)
        .check(ID, "the_longest_names_fit", call, the_longest_names_fit)
        .check(ID, "too_long_is_refused_not_cut", call, too_long_is_refused_not_cut)
        .check(ID, "empty_path_is_refused", call, empty_path_is_refused)
        .check(ID, "nul_inside_a_path_is_refused", call, nul_inside_a_path_is_refused);
}

/// A [`UnixName`] that can travel.
#[derive(Clone, Serialize, Deserialize)]
enum Given {
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl Given {
    fn name(&self) -> UnixName<'_> {
        match self {
            Given::Path(path) => UnixName::Path(path),
            Given::Abstract(name) => UnixName::Abstract(name),
        }
    }

    fn bytes(&self) -> &[u8] {
        let (Given::Path(bytes) | Given::Abstract(bytes)) = self;
        bytes
    }

    /// "a path of 107 bytes"
    fn described(&self) -> String {
        let kind = match self {
            Given::Path(_) => "a path",
            Given::Abstract(_) => "an abstract name",
        };
        format!("{kind} of {} bytes", self.bytes().len())
    }
}

/// As a reader would write it; of many bytes the first twelve.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Given::Path(_) => "Path",
            Given::Abstract(_) => "Abstract",
        };
        match self.bytes().len() {
            0..=24 => write!(f, "{kind}(b\"{}\")", self.bytes().escape_ascii()),
            all => write!(f, "{kind}(b\"{}…\" /* {all} bytes */)", self.bytes()[..12].escape_ascii()),
        }
    }
}

/// What the function returns, and how it looks in a report.
struct Address(libc::sockaddr_un, libc::socklen_t);

impl Address {
    /// The bytes that the length covers behind the family, as many of them as there are.
    fn path(&self) -> Vec<u8> {
        let covered = (self.1 as usize).saturating_sub(PATH_AT).min(self.0.sun_path.len());
        self.0.sun_path[..covered].iter().map(|byte| *byte as u8).collect()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        let used = path.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        // One zero byte at the end is nothing to speak of; more are a number.
        let (shown, zeros) = if path.len() - used > 2 { (&path[..used], path.len() - used) } else { (&path[..], 0) };
        let (shown, dots) = if shown.len() > 32 { (&shown[..32], "…") } else { (shown, "") };
        write!(f, "(sun_family {}, sun_path \"{}{dots}\"", self.0.sun_family, shown.escape_ascii())?;
        if zeros > 0 {
            write!(f, " and {zeros} zero bytes")?;
        }
        write!(f, ", length {})", self.1)
    }
}

const PATH_AT: usize = offset_of!(libc::sockaddr_un, sun_path);

/// The length, or the errno.
type Said = Result<u32, i32>;

fn call_it(page: &Page, stage: &mut Stage, given: &Given) -> Result<&'static Address, i32> {
    let answer = stage.call(format!("unix_sockaddr({given})"), || {
        (page.unix_sockaddr)(given.name()).map(|(address, length)| Plain(Address(address, length)))
    });
    match answer {
        Ok(Plain(address)) => Ok(address),
        Err(errno) => Err(*errno as i32),
    }
}

fn call(page: &Page, stage: &mut Stage, given: Given) -> Said {
    call_it(page, stage, &given).map(|address| address.1)
}

fn unix() -> OwnedFd {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket")
}

/// A new socket bound to what the function returned, or why not.
fn bound(address: &Address) -> Result<OwnedFd, Errno> {
    if address.1 as usize > size_of::<libc::sockaddr_un>() {
        return Err(Errno::EINVAL); // The kernel would read what is not there.
    }
    let server = unix();
    // SAFETY: the pointer is to a sockaddr_un, which is at least as long as the length says.
    Errno::result(unsafe { libc::bind(server.as_raw_fd(), (&raw const address.0).cast(), address.1) })?;
    Ok(server)
}

fn path_length_counts_its_nul(bench: &Bench<Given, Said>) -> Result<(), Fault> {
    for path in ["x", "demo.sock"] {
        let run = bench.play(Given::Path(path.into()))?;
        let right = PATH_AT + path.len() + 1;
        let what = match run.answer()? {
            Ok(length) if *length as usize == right => continue,
            Ok(length) => format!("addrlen was {length}"),
            Err(_) => format!("you said {}", run.returned()),
        };
        return Err(run.reject().with("what", what).with("path", path).with("p", path.len()).into());
    }
    Ok(())
}

/// The kinds of file that a bind made, by name; or the errno.
type Files = Result<Vec<(String, bool)>, i32>;

fn call_and_bind(page: &Page, stage: &mut Stage, given: Given) -> Files {
    let address = call_it(page, stage, &given)?;
    let _server = bound(address).map_err(|errno| errno as i32)?;
    let entries = fs::read_dir(".").expect("the directory can be read");
    let found = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        (entry.file_name().to_string_lossy().into_owned(), is_socket)
    });
    Ok(found.collect())
}

fn kernel_finds_the_path(bench: &Bench<Given, Files>) -> Result<(), Fault> {
    const PATH: &str = "demo.sock";
    let run = bench.play(Given::Path(PATH.into()))?;
    let what = match run.answer()? {
        Ok(files) => match files.as_slice() {
            [(name, true)] if name == PATH => return Ok(()),
            [(name, _)] => format!("it made the file “{name}”"),
            _ => "it made no file".to_string(),
        },
        Err(errno) if run.returned().starts_with("Ok") => format!("it said {:?}", Errno::from_raw(*errno)),
        Err(_) => return Err(Fault::waits("path_length_counts_its_nul", "the path was refused")),
    };
    Err(run.reject().with("path", PATH).with("what", what).with("made", made(&run)).into())
}

/// What the function returned, without the `Ok`.
fn made<T>(run: &Run<T>) -> String {
    let text = run.returned();
    text.strip_prefix("Ok(").and_then(|text| text.strip_suffix(')')).unwrap_or(&text).to_string()
}

/// Whether a peer found the name: the length that it was given with, and what connect said.
type Found = Result<(u32, Result<(), i32>), i32>;

fn call_and_connect(page: &Page, stage: &mut Stage, given: Given) -> Found {
    let address = call_it(page, stage, &given)?;
    let server = bound(address).map_err(|errno| errno as i32)?;
    listen(&server, Backlog::new(1).expect("a backlog")).expect("it listens");
    // The peer builds the address in its own way.
    let name = UnixAddr::new_abstract(given.bytes()).expect("an abstract name");
    Ok((address.1, connect(unix().as_raw_fd(), &name).map_err(|errno| errno as i32)))
}

/// An abstract name that nobody has.
fn unused_name() -> Vec<u8> {
    format!("grader-{:016x}", RandomState::new().build_hasher().finish()).into_bytes()
}

fn abstract_length_is_exact(bench: &Bench<Given, Found>) -> Result<(), Fault> {
    let name = unused_name();
    let right = PATH_AT + 1 + name.len();
    let run = bench.play(Given::Abstract(name.clone()))?;
    let what = match run.answer()? {
        Ok((_, Ok(()))) => return Ok(()),
        Ok((length, Err(errno))) => {
            let errno = Errno::from_raw(*errno);
            let consequence = match (*length as usize).checked_sub(right) {
                Some(0) => "is right, and the bytes that it covers are not".to_string(),
                Some(more) => format!("adds {more} zero bytes to the name, and zeros count"),
                None => format!("leaves out the last {} of its bytes", right - *length as usize),
            };
            format!("got {errno:?}: your length {length} {consequence}")
        }
        Err(errno) if run.returned().starts_with("Ok") => {
            if Errno::from_raw(*errno) == Errno::EINVAL {
                return Err(Fault::waits("kernel_finds_the_path", "the kernel does not take it for a unix address"));
            }
            format!("found nobody: bind said {:?}", Errno::from_raw(*errno))
        }
        Err(_) => format!("found nobody: you said {}", run.returned()),
    };
    let shown = String::from_utf8_lossy(&name).into_owned();
    Err(run.reject().with("s", shown).with("what", what).into())
}

fn of_length(length: usize) -> [Given; 2] {
    [Given::Path(vec![b'x'; length]), Given::Abstract(vec![b'x'; length])]
}

fn the_longest_names_fit(bench: &Bench<Given, Said>) -> Result<(), Fault> {
    for given in of_length(107) {
        let run = bench.play(given.clone())?;
        if run.answer()?.is_err() {
            return Err(run.reject().with("what", given.described()).with("said", run.returned()).into());
        }
    }
    Ok(())
}

fn too_long_is_refused_not_cut(bench: &Bench<Given, Said>) -> Result<(), Fault> {
    const ENAMETOOLONG: i32 = Errno::ENAMETOOLONG as i32;
    for given in [of_length(108), of_length(200)].into_iter().flatten() {
        let run = bench.play(given.clone())?;
        let got = match run.answer()? {
            Err(ENAMETOOLONG) => continue,
            Ok(length) => format!("made an address of length {length} of it"),
            Err(_) => format!("said {}", run.returned()),
        };
        return Err(run.reject().with("what", given.described()).with("got", got).into());
    }
    Ok(())
}

const EINVAL: i32 = Errno::EINVAL as i32;

fn empty_path_is_refused(bench: &Bench<Given, Said>) -> Result<(), Fault> {
    let run = bench.play(Given::Path(Vec::new()))?;
    match run.answer()? {
        Err(EINVAL) => Ok(()),
        _ => Err(run.reject().with("said", run.returned()).into()),
    }
}

fn nul_inside_a_path_is_refused(bench: &Bench<Given, Said>) -> Result<(), Fault> {
    let paths: [&[u8]; 3] = [b"/tmp/a\0b", b"\0x", b"/tmp/a\0"];
    for path in paths {
        let run = bench.play(Given::Path(path.to_vec()))?;
        if *run.answer()? != Err(EINVAL) {
            let path = path.escape_ascii();
            return Err(run.reject().with("path", path).with("said", run.returned()).into());
        }
    }
    Ok(())
}
