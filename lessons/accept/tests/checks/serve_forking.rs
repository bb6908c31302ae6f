//! `accept/serve-forking`
//!
//! The clients are played by the judge, in a thread of the grader's own process. The handler, in the child, tells its client
//! what it sees there, waits for a word, and says goodbye.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grader::peers::{self, state_and_parent};
use grader::{Bench, Fault, Run, Stage, Suite};
use serde::{Deserialize, Serialize};

use super::{Page, accepts, listener};

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("accept/serve-forking", "a_slow_client_delays_nobody", call, a_slow_client_delays_nobody)
        .check("accept/serve-forking", "parent_lets_go", call, parent_lets_go)
        .check("accept/serve-forking", "children_let_go_of_the_listener", call, children_let_go_of_the_listener)
        .check("accept/serve-forking", "no_zombies", call, no_zombies)
        .check("accept/serve-forking", "a_child_never_comes_back", call, a_child_never_comes_back)
        .check("accept/serve-forking", "interrupted_accept_is_retried", call, interrupted_accept_is_retried)
        .check("accept/serve-forking", "output_is_not_doubled", call, output_is_not_doubled);
}

/// What is special about a run.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Scene {
    /// Nothing.
    Plain,
    /// There is a handler for SIGCHLD, installed without SA_RESTART.
    Signals,
    /// The caller has printed something that is not written out yet.
    Printed,
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
struct Answer {
    said: Result<(), i32>,
    /// In how many processes the function returned.
    processes: usize,
    /// How often what the caller had printed before is in its output.
    printed: usize,
}

/// Where the act writes down the listener's address and the server's process, for the clients.
const ADDRESS: &str = "address";
/// A byte for each child that came back.
const CAME_BACK: &str = "came-back";
/// The file that the handler for SIGCHLD makes.
const SIGNALLED: &str = "signalled";
/// The act's standard output.
const OUTPUT: &str = "output";
/// What the caller has printed.
const PRINTED: &str = "printed before the call";

fn call(page: &Page, stage: &mut Stage, (n, scene): (usize, Scene)) -> Answer {
    let (listener, address) = listener().expect("a listener");
    let own = process::id();
    SERVER.get_or_init(|| Server { process: own, listener: link_of(listener.as_raw_fd()).unwrap_or_default() });
    match scene {
        Scene::Plain => {}
        Scene::Signals => word_of_children().expect("a handler for SIGCHLD"),
        Scene::Printed => {
            print_to(OUTPUT).expect("standard output in a file");
            print!("{PRINTED}");
        }
    }
    fs::write("address.part", format!("{address} {own}")).expect("to write the address down");
    fs::rename("address.part", ADDRESS).expect("to put the address where the clients look for it");

    let said = stage.call(format!("serve_forking(listener, {n}, handler)"), || {
        let said = (page.serve_forking)(listener.as_fd(), n, reception);
        if process::id() != own {
            // This is a child. One mark is enough; what it would do here is the grader's, and not for it to do.
            let marked = fs::OpenOptions::new().append(true).create(true).open(CAME_BACK);
            let marked = marked.and_then(|mut marks| marks.write_all(b"x"));
            // SAFETY: _exit takes a number and does not return.
            unsafe { libc::_exit(if marked.is_ok() { 0 } else { 1 }) };
        }
        said
    });
    if scene == Scene::Printed {
        io::stdout().flush().expect("to write out what was printed");
    }
    let count = |text: String| text.matches(PRINTED).count();
    Answer {
        said: said.map_err(|errno| errno as i32),
        processes: 1 + fs::read(CAME_BACK).map_or(0, |marks| marks.len()),
        printed: fs::read_to_string(OUTPUT).map_or(1, count),
    }
}

/// The process in which the function was called, and what its listener is, such as `socket:[4711]`.
struct Server {
    process: u32,
    listener: String,
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// What this descriptor of this process is.
fn link_of(fd: i32) -> Option<String> {
    Some(fs::read_link(format!("/proc/self/fd/{fd}")).ok()?.to_string_lossy().into_owned())
}

/// A handler for SIGCHLD that makes a file, and is installed without SA_RESTART.
fn word_of_children() -> io::Result<()> {
    extern "C" fn make_a_file(_: libc::c_int) {
        let errno = nix::errno::Errno::last();
        // SAFETY: open and close may be called in a handler; the path ends in a zero byte. close of -1 harms nobody.
        unsafe {
            libc::close(libc::open(c"signalled".as_ptr(), libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC, 0o600))
        };
        errno.set();
    }
    // SAFETY: an all-zero sigaction is valid (empty mask, no flags); the handler takes the one argument that it is called with
    // and leaves errno as it was; the structure outlives the call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = make_a_file as extern "C" fn(libc::c_int) as libc::sighandler_t;
        match libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// From here on standard output goes to this file.
fn print_to(name: &str) -> io::Result<()> {
    io::stdout().flush()?;
    let file = fs::File::create(name)?;
    // SAFETY: dup2 takes two numbers, and standard output is nobody's own.
    match unsafe { libc::dup2(file.as_raw_fd(), 1) } {
        1 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The handler: tells what it sees, waits for a word or the end, and says goodbye.
fn reception(connection: BorrowedFd<'_>) {
    let sight = Sight::here();
    // A client that has gone is none of the handler's business.
    let told = line_of(&sight);
    if calls::send_all(&connection, told.as_bytes()).is_ok() {
        let _ = calls::recv_exact(&connection, &mut [0]);
        let _ = calls::send_all(&connection, GOODBYE);
    }
}

const GOODBYE: &[u8] = b"bye";

/// What a handler sees where it runs.
#[derive(Clone, Copy)]
struct Sight {
    /// The process that it runs in.
    process: u32,
    /// The process in which the function was called.
    server: u32,
    /// The descriptor of the listener, or -1.
    listener: i32,
    /// How many of the server's children are zombies.
    zombies: usize,
}

impl Sight {
    fn here() -> Sight {
        let (server, listener) = SERVER.get().map_or((0, ""), |server| (server.process, server.listener.as_str()));
        let open = (3..256).find(|fd| link_of(*fd).as_deref() == Some(listener));
        Sight { process: process::id(), server, listener: open.unwrap_or(-1), zombies: zombies_of(server) }
    }

    fn read(line: &str) -> Option<Sight> {
        let mut words = line.split_whitespace();
        let sight = Sight {
            process: words.next()?.parse().ok()?,
            server: words.next()?.parse().ok()?,
            listener: words.next()?.parse().ok()?,
            zombies: words.next()?.parse().ok()?,
        };
        Some(sight)
    }
}

fn line_of(sight: &Sight) -> String {
    format!("{} {} {} {}\n", sight.process, sight.server, sight.listener, sight.zombies)
}

/// How many children of this process have ended and were not asked for.
fn zombies_of(parent: u32) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|number| state_and_parent(*number) == Some(('Z', parent))).count()
}

/// How long a client waits at the very most for what should be there at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// Somebody who has something to do, on a machine however busy, is not seen asleep this often, in turns of [`TURN`].
const ASLEEP: usize = 6;
const TURN: Duration = Duration::from_millis(20);

/// Whether the server and all of its children sleep, or have ended.
fn everybody_sleeps(server: u32) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let states = numbers.filter_map(|number| Some((number, state_and_parent(number)?)));
    let mut own = states.filter(|(number, (_, parent))| *number == server || *parent == server);
    own.all(|(_, (state, _))| matches!(state, 'S' | 'Z'))
}

/// Where the clients come from.
struct Street {
    directory: PathBuf,
    /// The run has come to its end.
    over: AtomicBool,
}

impl Street {
    /// A new client.
    fn visitor(&self) -> io::Result<Visitor> {
        let path = self.directory.join(ADDRESS);
        let is_over = || self.over.load(Ordering::Relaxed);
        peers::wait_for("the server to write down its address", || Ok(path.exists() || is_over()))?;
        if !path.exists() {
            return Err(io::Error::other("the run was over before it began"));
        }
        let text = fs::read_to_string(path)?;
        let (address, server) = text.split_once(' ').ok_or_else(|| io::Error::other("no address was written down"))?;
        let address: SocketAddrV4 = address.parse().map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
        stream.set_read_timeout(Some(TURN))?;
        Ok(Visitor { stream, server: server.parse().map_err(io::Error::other)? })
    }

    /// Waits until the server has been told of the end of this child: by then its accept has failed. It takes a second at
    /// most, for a server that wants no word of its children.
    fn wait_for_the_signal(&self, sight: Sight) {
        let deadline = Instant::now() + Duration::from_secs(1);
        let path = self.directory.join(SIGNALLED);
        while sight.process != sight.server && !path.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Clients that want nothing, one after another, until it is over: so whoever waits for one more client than there is
    /// comes to an end.
    fn fill(&self) {
        while !self.over.load(Ordering::Relaxed) {
            drop(self.visitor());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A client.
struct Visitor {
    stream: TcpStream,
    /// The server's process.
    server: u32,
}

impl Visitor {
    /// The next byte; nothing at the end of file, or if the connection is torn.
    /// `Err` as soon as it is clear that none will come: everybody sleeps.
    fn byte(&mut self) -> Result<Option<u8>, Silence> {
        let deadline = Instant::now() + PATIENCE;
        let mut asleep = 0;
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    asleep = if everybody_sleeps(self.server) { asleep + 1 } else { 0 };
                    if asleep >= ASLEEP || Instant::now() > deadline {
                        return Err(Silence);
                    }
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// What the handler sees; nothing if no handler says anything.
    fn sight(&mut self) -> Option<Sight> {
        let mut line = String::new();
        loop {
            match self.byte() {
                Ok(Some(b'\n')) => return Sight::read(&line),
                Ok(Some(byte)) => line.push(byte.into()),
                Ok(None) | Err(Silence) => return None,
            }
        }
    }

    /// The word for which the handler waits. True if it says goodbye.
    fn leave(&mut self) -> bool {
        self.stream.write_all(b"!").is_ok() && GOODBYE.iter().all(|letter| self.byte() == Ok(Some(*letter)))
    }

    /// Whether the end of file comes.
    fn hears_the_end(&mut self) -> bool {
        self.byte() == Ok(None)
    }
}

/// Nothing was heard, and nothing will be.
#[derive(Debug, PartialEq)]
struct Silence;

/// Waits until this process has ended, at most as long as anybody's patience lasts.
fn wait_for_the_end_of(sight: Sight) {
    let deadline = Instant::now() + PATIENCE;
    while sight.process != sight.server && Instant::now() < deadline {
        match state_and_parent(sight.process) {
            None | Some(('Z', _)) => return,
            Some(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Plays the function with clients that do this.
fn play<T: Send>(
    bench: &Bench<(usize, Scene), Answer>,
    n: usize,
    scene: Scene,
    script: impl FnOnce(&Street) -> io::Result<T> + Send,
) -> Result<(Run<Answer>, io::Result<T>), Fault> {
    let setting = bench.setting()?;
    let street = Street { directory: setting.directory(), over: AtomicBool::new(false) };
    thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let done = script(&street);
            street.fill();
            done
        });
        let run = setting.play((n, scene));
        street.over.store(true, Ordering::Relaxed);
        let done = clients.join().map_err(|_| Fault::trouble("a client panicked"))?;
        Ok((run?, done))
    })
}

/// One client, who is served and goes.
fn one_client(street: &Street) -> io::Result<Option<Sight>> {
    let mut visitor = street.visitor()?;
    let sight = visitor.sight();
    visitor.leave();
    Ok(sight)
}

/// What goes wrong in a child that does not end is told by `a_child_never_comes_back`.
fn ends_in_the_child(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    let (run, _) = play(bench, 1, Scene::Plain, one_client)?;
    match run.answer()?.processes {
        1 => Ok(()),
        _ => Err(Fault::waits("a_child_never_comes_back", "a child does not end in the child")),
    }
}

/// The line of the first accept that succeeded.
fn first_accept(run: &Run<Answer>) -> Option<usize> {
    accepts(run).iter().find(|accept| accept.succeeded()).map(|accept| accept.index)
}

fn a_slow_client_delays_nobody(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    let (run, served) = play(bench, 2, Scene::Plain, |street| {
        let mut slow = street.visitor()?;
        slow.sight();
        let mut other = street.visitor()?;
        let served = other.sight().is_some();
        slow.leave();
        other.leave();
        Ok(served)
    })?;
    run.answer()?;
    if served? {
        return Ok(());
    }
    let what = "it was in the queue, and your server slept until client 1 spoke";
    Err(run.reject().with("what", what).at_any(first_accept(&run)).into())
}

fn parent_lets_go(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    let (run, ended) = play(bench, 2, Scene::Plain, |street| {
        let mut visitor = street.visitor()?;
        visitor.sight();
        let ended = visitor.leave() && visitor.hears_the_end();
        one_client(street)?;
        Ok(ended)
    })?;
    run.answer()?;
    if ended? {
        return Ok(());
    }
    let accept = accepts(&run).into_iter().find(|accept| accept.succeeded());
    let fd = accept.and_then(|accept| accept.outcome.value).unwrap_or(-1);
    Err(run.reject().with("fd", fd).at_any(first_accept(&run)).into())
}

fn children_let_go_of_the_listener(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    let (run, sight) = play(bench, 1, Scene::Plain, one_client)?;
    run.answer()?;
    let Some(sight) = sight? else { return Err(Fault::waits("a_slow_client_delays_nobody", "no client is served")) };
    if sight.listener == -1 {
        return Ok(());
    }
    if sight.process == sight.server {
        return Err(Fault::waits("a_slow_client_delays_nobody", "there is no child"));
    }
    Err(run.reject().with("fd", sight.listener).at_any(first_accept(&run)).into())
}

fn no_zombies(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    const CLIENTS: usize = 4;
    let (run, zombies) = play(bench, CLIENTS, Scene::Plain, |street| {
        let mut zombies = Vec::new();
        for _ in 0..CLIENTS {
            let Some(sight) = one_client(street)? else { break };
            wait_for_the_end_of(sight);
            zombies.push(sight.zombies);
        }
        Ok(zombies)
    })?;
    run.answer()?;
    match zombies?.iter().enumerate().find(|(_, count)| **count > 1) {
        None => Ok(()),
        Some((client, count)) => {
            let accept = accepts(&run).get(client).map(|accept| accept.index);
            Err(run.reject().with("count", count).with("k", client + 1).at_any(accept).into())
        }
    }
}

fn a_child_never_comes_back(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    let (run, _) = play(bench, 1, Scene::Plain, one_client)?;
    match run.answer()?.processes {
        1 => Ok(()),
        count => Err(run.reject().with("count", count).at_any(first_accept(&run)).into()),
    }
}

fn interrupted_accept_is_retried(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    let (run, _) = play(bench, 2, Scene::Signals, |street| {
        let mut visitor = street.visitor()?;
        let sight = visitor.sight();
        if let Some(sight) = sight {
            // Let the server come to its next accept, so that the child's end meets it there.
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline && !matches!(state_and_parent(sight.server), Some(('S', _)) | None) {
                thread::sleep(Duration::from_millis(1));
            }
            visitor.leave();
            street.wait_for_the_signal(sight);
        }
        one_client(street)
    })?;
    if run.answer()?.said.is_ok() {
        return Ok(());
    }
    let interrupted = accepts(&run).iter().rfind(|accept| accept.outcome.value.is_none()).map(|accept| accept.index);
    Err(run.reject().with("got", run.returned()).at_any(interrupted).into())
}

fn output_is_not_doubled(bench: &Bench<(usize, Scene), Answer>) -> Result<(), Fault> {
    ends_in_the_child(bench)?;
    let (run, _) = play(bench, 1, Scene::Printed, one_client)?;
    match run.answer()?.printed {
        1 => Ok(()),
        count => Err(run.reject().with("count", count).at_any(first_accept(&run)).into()),
    }
}
