//! What the grader asks of the exercises of `echo`. The words are in `exercises.toml`.
//!
//! The function plays one end of a connection, in a child process; the other end is played here, in the grader's own
//! process, by a thread beside it ([`beside`]). A wait that would otherwise have no end has a limit there ([`PATIENCE`]).

mod echo_big;
mod echo_client;
mod echo_connection;
mod echo_server;

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Descriptors, Fault, Run, Suite, peers};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};

/// A function for each exercise.
#[derive(Clone, Copy)]
pub struct Page {
    pub echo_connection: fn(BorrowedFd<'_>) -> Result<u64, Errno>,
    pub echo_client: fn(SocketAddrV4, &[u8]) -> Result<Vec<u8>, Errno>,
    pub echo_server: fn(BorrowedFd<'_>, usize) -> Result<usize, Errno>,
    pub echo_big: fn(SocketAddrV4, &[u8]) -> Result<Vec<u8>, Errno>,
}

/// All checks of the lesson, for this page.
pub fn of_the_lesson(page: Page) -> Suite<Page> {
    let mut suite = Suite::new(include_str!("../../exercises.toml"), page).unwrap_or_else(|error| panic!("{error}"));
    echo_connection::add(&mut suite);
    echo_client::add(&mut suite);
    echo_server::add(&mut suite);
    echo_big::add(&mut suite);
    suite
}

/// How long the other end waits for a word of the function. What is right comes within a thousandth of that.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a function may take in all. It waits for nobody who does not act at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where the other end waits for the function's connection: a listening socket of the grader's.
struct Door {
    listener: TcpListener,
    address: SocketAddrV4,
}

impl Door {
    fn open() -> io::Result<Door> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = peers::name_of(&listener)?;
        Ok(Door { listener, address })
    }

    /// A door whose side of a connection hears little at a time: who sends much to it has to wait until it reads.
    fn hard_of_hearing() -> io::Result<Door> {
        let door = Door::open()?;
        setsockopt(&door.listener, sockopt::RcvBuf, &1)?; // Its connections inherit it.
        Ok(door)
    }

    /// A door whose side of a connection has so much room for bytes that come, and as much for bytes that go.
    fn with_room(bytes: usize) -> io::Result<Door> {
        let door = Door::open()?;
        setsockopt(&door.listener, sockopt::RcvBuf, &bytes)?;
        setsockopt(&door.listener, sockopt::SndBuf, &bytes)?;
        Ok(door)
    }

    /// The next one who comes; nobody, if the door was closed meanwhile ([`beside`]).
    fn comes(&self) -> Option<Talker> {
        let (stream, _) = self.listener.accept().ok()?;
        Talker::new(stream).ok()
    }
}

/// Plays the function's run, and the other side in a thread of its own: what came of both. When the run is over, nobody
/// can come to the door any more.
fn beside<Out, Seen: Send>(
    door: &Door,
    play: impl FnOnce() -> Result<Run<Out>, Fault>,
    other_side: impl FnOnce() -> Seen + Send,
) -> Result<(Run<Out>, Seen), Fault> {
    thread::scope(|scope| {
        let other_side = scope.spawn(other_side);
        let run = play();
        // Whoever has come while it was played is still let in.
        peers::wait_for("the guests to be let in", || Ok(other_side.is_finished() || !somebody_waits(door)?))?;
        nix::sys::socket::shutdown(door.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both)?;
        let seen = other_side.join().map_err(|_| Fault::trouble("the other side panicked"))?;
        Ok((run?, seen))
    })
}

fn somebody_waits(door: &Door) -> io::Result<bool> {
    Ok(poll(&mut [PollFd::new(door.listener.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO)? > 0)
}

/// The other end of a connection with the function.
struct Talker(TcpStream);

impl Talker {
    fn new(stream: TcpStream) -> io::Result<Talker> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Talker(stream))
    }

    /// A client of a server of the function's.
    fn connect(server: SocketAddrV4) -> io::Result<Talker> {
        Talker::new(TcpStream::connect(server)?)
    }

    /// Says all of this. Whether it could is the function's affair, and shows in what is heard.
    fn say(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// The end of file: nothing more will be said.
    fn finish(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write); // ENOTCONN: there is nobody left to tell.
    }

    /// Hears so many bytes, or fewer, if something ends the hearing before.
    fn hear(&mut self, count: usize) -> Heard {
        let mut heard = Heard { bytes: Vec::with_capacity(count), end: End::Enough };
        let mut buffer = vec![0; count.clamp(1, 64 << 10)];
        while heard.bytes.len() < count {
            let most = buffer.len().min(count - heard.bytes.len());
            match self.0.read(&mut buffer[..most]) {
                Ok(0) => heard.end = End::File,
                Ok(count) => {
                    heard.bytes.extend_from_slice(&buffer[..count]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => heard.end = End::Silence,
                Err(error) => heard.end = End::Errno(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
            }
            return heard;
        }
        heard
    }

    /// Hears all until the end.
    fn hear_out(&mut self) -> Heard {
        self.hear(64 << 20)
    }

    /// Whether the function has read all that it was sent: what its end holds unread stands in /proc/net/tcp, as both ends
    /// are on this machine. Where there is nothing to be seen, it has.
    fn is_read(&self) -> bool {
        let (Ok(SocketAddr::V4(own)), Ok(SocketAddr::V4(other))) = (self.0.local_addr(), self.0.peer_addr()) else {
            return true;
        };
        // Such as `1: 0100007F:9105 0100007F:B2C4 01 00000000:0000000A …`: local, remote, state, unsent:unread.
        let ends = format!(" {} {} ", peers::in_table(other), peers::in_table(own));
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
        let line = table.lines().find_map(|line| line.split_once(&ends));
        line.and_then(|(_, rest)| rest.split_whitespace().nth(1)).is_none_or(|queues| queues.ends_with(":00000000"))
    }

    /// Waits until the function has read all that it was sent; for some time, since it may never do it.
    fn wait_until_read(&self) {
        let since = Instant::now();
        while !self.is_read() && since.elapsed() < Duration::from_millis(500) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the connection with a reset.
    fn reset(self) {
        // A reset that cannot be made shows as an end of file, and then the check fails.
        let _ = setsockopt(&self.0, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
    }
}

/// What the other end heard.
struct Heard {
    bytes: Vec<u8>,
    end: End,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// As many bytes came as were wanted.
    Enough,
    /// The end of file.
    File,
    /// Nothing more came, for as long as there was patience.
    Silence,
    Errno(Errno),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Enough => f.write_str("nothing more"),
            End::File => f.write_str("the end of file"),
            End::Silence => f.write_str("silence"),
            End::Errno(errno) => write!(f, "{errno:?}"),
        }
    }
}

/// The values of all bytes, in an order that does not come again at any round number.
fn pattern(length: usize) -> Vec<u8> {
    const PERIOD: usize = 65_521;
    let mut all: Vec<u8> = (0..PERIOD.min(length)).map(|at| (at * 7 + at / 256 + 128) as u8).collect();
    while all.len() < length {
        all.extend_from_within(..PERIOD.min(length - all.len()));
    }
    all
}

/// The first place where two rows of bytes differ.
fn difference(one: &[u8], other: &[u8]) -> Option<usize> {
    if one == other {
        return None;
    }
    // Block by block first: byte by byte takes long.
    const BLOCK: usize = 4096;
    let same = one.chunks(BLOCK).zip(other.chunks(BLOCK)).take_while(|(one, other)| one == other).count() * BLOCK;
    let at = same.min(one.len()).min(other.len());
    Some(at + one[at..].iter().zip(&other[at..]).take_while(|(one, other)| one == other).count())
}

/// Bytes that a function returned. They are shown in full only where they are few.
#[derive(Clone, Serialize, Deserialize)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..=16 => write!(f, "{:?}", self.0),
            many => write!(f, "[…; {many}]"),
        }
    }
}

impl Descriptors for Bytes {
    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
    }
}
