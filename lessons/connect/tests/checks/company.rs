//! Company for a function that waits in connect: a server that does not answer, signals, and in the end an answer.
//!
//! All of it is done from the parent, when the function is seen to wait, so no time needs to be guessed.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Fault, Run, Setting, Stage, peers};
use nix::sys::socket::{Backlog, SockaddrIn, bind, connect, listen, setsockopt, sockopt};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A server whose queue is full: it answers nobody.
pub struct Silence {
    pub address: SocketAddrV4,
    listener: OwnedFd,
    guest: OwnedFd,
}

impl Silence {
    pub fn new() -> io::Result<Silence> {
        let mut listener = shared(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        while peers::is_palindrome(peers::name_of(&listener)?.port()) {
            listener = shared(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        }
        let address = peers::name_of(&listener)?;
        // A backlog of 0 still has room for one.
        listen(&listener, Backlog::new(0)?)?;
        let guest = peers::tcp()?;
        connect(guest.as_raw_fd(), &SockaddrIn::from(address))?;
        Ok(Silence { address, listener, guest })
    }

    /// The ports of this machine's clients that knock here, and have heard nothing: those in the state SYN_SENT.
    fn knocking(&self) -> io::Result<Vec<SocketAddrV4>> {
        const SYN_SENT: &str = "02";
        let table = fs::read_to_string("/proc/self/net/tcp")?;
        // Such as 0100007F:9105, the address as one hexadecimal number in the machine's own byte order.
        let server = peers::in_table(self.address);
        let lines = table.lines().filter(|line| line.contains(&server));
        let lines = lines.map(|line| line.split_whitespace().collect::<Vec<&str>>());
        let here = lines.filter(|words| words.get(2) == Some(&server.as_str()) && words.get(3) == Some(&SYN_SENT));
        let port = |words: Vec<&str>| u16::from_str_radix(words.get(1)?.split_once(':')?.1, 16).ok();
        Ok(here.filter_map(port).map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).collect())
    }

    /// Answers those who knock, without waiting until they knock again: knocks at *them*, from this same address. Two
    /// attempts that meet become one connection. It lives as long as what is returned.
    fn answer(self) -> io::Result<Vec<OwnedFd>> {
        let mut all = vec![];
        for client in self.knocking()? {
            let socket = shared(self.address)?;
            connect(socket.as_raw_fd(), &SockaddrIn::from(client))?;
            all.push(socket);
        }
        all.extend([self.listener, self.guest]);
        Ok(all)
    }
}

/// A TCP socket at this address that shares its place with others that want to share.
fn shared(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = peers::tcp()?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

/// How the silence ends.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    /// The server answers.
    Answer,
    /// The server stops listening.
    Close,
}

/// Interrupts the function twice while it waits; then the silence ends.
pub fn interrupt_twice(child: &Child<'_>, silence: Silence, end: End) -> io::Result<Vec<OwnedFd>> {
    for _ in 1..=2 {
        if !child.waits(&silence)? {
            return Ok(Vec::new());
        }
        child.interrupt()?;
    }
    match end {
        _ if !child.waits(&silence)? => Ok(Vec::new()),
        End::Answer => silence.answer(),
        // The client hears of it when it knocks the next time, a second after the first.
        End::Close => {
            drop(silence);
            Ok(Vec::new())
        }
    }
}

/// Interrupts the function again and again, for as long as this at most.
pub fn interrupt_often(child: &Child<'_>, silence: &Silence, most: Duration) -> io::Result<()> {
    if !child.waits(silence)? {
        return Ok(());
    }
    let end = Instant::now() + most;
    while child.plays() && Instant::now() < end {
        child.interrupt()?;
        thread::sleep(Duration::from_millis(20)); // how often signals come; nothing is waited for
    }
    Ok(())
}

/// Plays the act in this setting, and meanwhile keeps it company, from a thread.
pub fn play<In, Out, Rest>(
    setting: Setting<'_, In, Out>,
    input: In,
    company: impl FnOnce(&Child<'_>) -> io::Result<Rest> + Send,
) -> Result<Run<Out>, Fault>
where
    In: Serialize,
    Out: DeserializeOwned,
    Rest: Send,
{
    let directory = setting.directory();
    let over = AtomicBool::new(false);
    let child = Child { directory: &directory, over: &over };
    thread::scope(|scope| {
        let company = scope.spawn(|| company(&child));
        let run = setting.play(input);
        over.store(true, Ordering::Relaxed);
        let rest = company.join().map_err(|_| Fault::trouble("the function's company panicked"))?;
        let run = run?;
        rest.map(|_| run).map_err(Fault::from)
    })
}

/// To be called by the act, before the function and after it: tells the parent which process it is, and lets signals in.
pub fn visible<T>(stage: &mut Stage, act: impl FnOnce(&mut Stage) -> T) -> T {
    // A handler that does nothing; the timer that would call it is far away.
    stage.interrupt_every(Duration::from_secs(3600));
    fs::write(PID, std::process::id().to_string()).expect("the directory can be written to");
    let answer = act(stage);
    fs::write(RETURNED, "").expect("the directory can be written to");
    stage.calm();
    answer
}

const PID: &str = "pid";
const RETURNED: &str = "returned";

/// The child in which the function is called, seen from the parent.
pub struct Child<'a> {
    directory: &'a Path,
    over: &'a AtomicBool,
}

impl Child<'_> {
    /// Waits until the function waits for the server: it knocks there, and is asleep inside a call. False, if the function has
    /// returned, or is gone.
    fn waits(&self, server: &Silence) -> io::Result<bool> {
        let mut asleep = 0;
        let mut returned = false;
        // One look is not enough: between two calls it may be asleep for a moment.
        peers::wait_for("the function to wait in a call", || {
            returned = !self.plays();
            asleep = if self.sleeps() { asleep + 1 } else { 0 };
            Ok(returned || (asleep >= 3 && !server.knocking()?.is_empty()))
        })?;
        Ok(!returned)
    }

    /// Whether the function has not returned yet.
    fn plays(&self) -> bool {
        !self.over.load(Ordering::Relaxed) && !self.directory.join(RETURNED).exists()
    }

    fn sleeps(&self) -> bool {
        self.pid().is_some_and(|pid| state_of_own_child(pid) == Some('S'))
    }

    fn pid(&self) -> Option<libc::pid_t> {
        fs::read_to_string(self.directory.join(PID)).ok()?.parse().ok()
    }

    /// Sends it SIGALRM, whose handler does nothing.
    fn interrupt(&self) -> io::Result<()> {
        let Some(pid) = self.pid().filter(|pid| state_of_own_child(*pid).is_some()) else { return Ok(()) };
        // SAFETY: kill takes two numbers; the process is a child of ours.
        match unsafe { libc::kill(pid, libc::SIGALRM) } {
            -1 => match io::Error::last_os_error() {
                gone if gone.raw_os_error() == Some(libc::ESRCH) => Ok(()),
                error => Err(error),
            },
            _ => Ok(()),
        }
    }
}

/// What a child of ours does: `S` for one that sleeps in a call. Nothing, if there is no such child.
fn state_of_own_child(pid: libc::pid_t) -> Option<char> {
    let (state, parent) = peers::state_and_parent(pid.try_into().ok()?)?;
    (parent == std::process::id()).then_some(state)
}
