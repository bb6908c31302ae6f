//! Programs that run, and what they have said so far.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The lesson's program.
pub const LESSON: &str = env!("CARGO_BIN_EXE_lesson-echo");

/// The lesson's program with these words, without input, and with nothing in the environment that decides about colours.
pub fn lesson(words: &[&str]) -> Command {
    let mut command = Command::new(LESSON);
    command.args(words).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// One of the deck's programs in Python.
pub fn python(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(program)).args(words).stdin(Stdio::null());
    command
}

/// What came of a program that has ended.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A process of our own. It is killed when this is dropped.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let name = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Process { child, name }
    }

    pub fn pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.child.id()).expect("a process id fits")
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: kill takes two numbers; the child has not been waited for, so its id is still its own.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0, "{} can be sent a signal", self.name);
    }

    /// How it ended, once it has.
    pub fn status(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "waited {PATIENCE:?} for the end of {}", self.name);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its standard input and output, where they are pipes.
    pub fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        let Child { stdin, stdout, .. } = &mut self.child;
        (stdin.take().expect("standard input is a pipe"), stdout.take().expect("standard output is a pipe"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After its end both say so, and there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that runs.
pub struct Running {
    process: Process,
    /// What it says on standard output.
    pub says: Lines,
    /// What it says on standard error.
    pub complains: Lines,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let says = Lines::of(process.child.stdout.take().expect("standard output is a pipe"));
        let complains = Lines::of(process.child.stderr.take().expect("standard error is a pipe"));
        Running { process, says, complains }
    }

    pub fn pid(&self) -> libc::pid_t {
        self.process.pid()
    }

    pub fn signal(&self, signal: libc::c_int) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub fn done(mut self) -> Done {
        Done { status: self.process.status(), stdout: self.says.all(), stderr: self.complains.all() }
    }
}

/// Runs a program to its end.
pub fn run(command: Command) -> Done {
    Running::start(command).done()
}

/// An echo server that listens at a port of the kernel's choosing.
pub struct Server {
    pub program: Running,
    pub port: u16,
}

impl Server {
    /// The chapter's, with these options.
    pub fn start(options: &[&str]) -> Server {
        let mut command = lesson(&["server", "--port", "0"]);
        command.args(options);
        Server::listening(command)
    }

    /// The deck's.
    pub fn deck() -> Server {
        Server::listening(python("server.py", &["0"]))
    }

    /// Any that says where it listens: the last number in its first line, `127.0.0.1:50000` or `('127.0.0.1', 50000)`.
    pub fn listening(command: Command) -> Server {
        let program = Running::start(command);
        let line = program.says.wait("that it listens", |line| line.contains("listening at "));
        let line = line.split(';').next().unwrap_or_default();
        let number = line.trim_end_matches(')').rsplit([':', ' ']).next().unwrap_or_default();
        let port = number.parse().unwrap_or_else(|_| panic!("no port in {line:?}"));
        Server { program, port }
    }

    /// A client of it. What it does not get in time is an error.
    pub fn client(&self) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        client.set_read_timeout(Some(PATIENCE)).expect("a time can be set");
        client.set_write_timeout(Some(PATIENCE)).expect("a time can be set");
        client
    }

    /// An honest client gets its echo. (Where the server has little patience, and the machine is busy, a client may be too
    /// slow to say its word, and tries again.)
    pub fn serves(&self) {
        wait_until("an honest client to be served", || {
            let mut client = self.client();
            let mut echo = String::new();
            let said = client.write_all(b"Are you there?").and_then(|()| client.shutdown(Shutdown::Write));
            said.and_then(|()| client.read_to_string(&mut echo)).is_ok() && echo == "Are you there?"
        });
    }

    /// The server's line about the end of this client's visit, once it is there.
    pub fn told_of(&self, client: std::net::SocketAddr) -> String {
        let (came, name) = (format!("{client} came"), format!("{client} "));
        self.program.says.wait(&format!("the end of {client}"), |line| line.starts_with(&name) && line != came)
    }

    /// The numbers of its open descriptors.
    pub fn descriptors(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.program.pid());
        let entries = fs::read_dir(directory).expect("a process of our own can be looked into");
        let mut numbers: Vec<String> =
            entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
        numbers.sort();
        numbers
    }

    /// The memory that it uses, in kB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.pid())).expect("it can be read");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it uses memory");
        line.trim_end_matches("kB").trim().parse().expect("it is a number")
    }

    /// Sees it end on SIGTERM, in order.
    pub fn ends(self) -> String {
        self.program.signal(libc::SIGTERM);
        let done = self.program.done();
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        assert!(done.stdout.lines().last().is_some_and(|line| line.starts_with("goodbye: ")), "{done:?}");
        done.stdout
    }
}

/// A listener at a port of the kernel's choosing, and the port.
pub fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it has an address").port();
    (listener, port)
}

/// The listener's next client, once it is there.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("it can be set");
    let mut client = None;
    wait_until("a client", || {
        client = listener.accept().ok();
        client.is_some()
    });
    let (client, _) = client.expect("there is one");
    client.set_read_timeout(Some(PATIENCE)).expect("a time can be set");
    client.set_write_timeout(Some(PATIENCE)).expect("a time can be set");
    client
}

/// Closes a connection by tearing it: the peer gets a reset, and no end of file.
pub fn reset(client: TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let (value, length) = ((&raw const at_once).cast(), size_of::<libc::linger>() as libc::socklen_t);
    // SAFETY: `at_once` lives through the call, which only reads it.
    let set = unsafe { libc::setsockopt(client.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// The lines that a program has written so far: a thread of their own collects them.
#[derive(Clone)]
pub struct Lines(Arc<(Mutex<Text>, Condvar)>);

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines(Arc::default());
        let to = lines.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            // At the end a pipe says 0, and a terminal EIO.
            while let Ok(1..) = stream.read_until(b'\n', &mut line) {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                to.change(|all| all.lines.push(text));
            }
            to.change(|all| all.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Text)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    /// The first line (without its end) of which that holds, once it is there.
    pub fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = all.lines.iter().map(|line| line.trim_end_matches('\n')).find(|line| holds(line)) {
                return line.to_string();
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !all.ended && !left.is_zero(),
                "waited for {what}; ended: {}; there was:\n{}",
                all.ended,
                all.lines.concat()
            );
            all = self.0.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All of it, once it has ended.
    pub fn all(&self) -> String {
        let all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.0.1.wait_timeout_while(all, PATIENCE, |all| !all.ended);
        let (all, time) = waiting.unwrap_or_else(PoisonError::into_inner);
        assert!(!time.timed_out(), "waited for the end of the output; there was:\n{}", all.lines.concat());
        all.lines.concat()
    }
}

pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
