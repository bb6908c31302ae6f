//! The echo client: says something to a server, and prints what comes back.

use std::io::{IsTerminal, Write};

use nix::errno::Errno;

use crate::sockets::{Address, close, lookup, receive, send};

/// What the command line asks for.
pub struct Settings {
    pub host: String,
    pub port: u16,
    /// What to say; if there is none, what comes in on standard input.
    pub message: Option<Vec<u8>>,
}

pub fn run(settings: &Settings) -> Result<(), String> {
    let (server, address) = connect(&settings.host, settings.port)?;

    let mut count = Count { sent: 0, received: 0 };
    let done = match &settings.message {
        Some(message) if message.len() <= AT_ONCE => ask(server, message, &mut count),
        Some(message) => converse(server, message.clone(), false, &mut count),
        None => converse(server, Vec::new(), true, &mut count),
    };

    close(server).map_err(|errno| format!("cannot close the socket: {errno}"))?;
    let Count { sent, received } = count;
    match done {
        Err(Trouble::Server(errno)) => Err(format!(
            "the connection to {address} was lost ({errno}): {sent} bytes had been sent, {received} had come back"
        )),
        Err(Trouble::Here(why)) => Err(why),
        Ok(()) if received < sent => {
            Err(format!("{address} has closed the connection: of {sent} bytes only {received} came back"))
        }
        Ok(()) => Ok(()),
    }
}

/// How much can safely be said before anything is read: it has room in the buffers on the way, there and back.
const AT_ONCE: usize = 64 * 1024;

/// How many bytes are received at most in one call.
const BUFFER: usize = 64 * 1024;

/// Bytes that were sent, and bytes that came back.
struct Count {
    sent: u64,
    received: u64,
}

/// Why a conversation ended early.
enum Trouble {
    /// The connection is lost.
    Server(Errno),
    /// Something in this process or its terminal.
    Here(String),
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Trouble {
        Trouble::Server(errno)
    }
}

/// A socket that is connected to the host, and the address at which it was found: a name may have several.
fn connect(host: &str, port: u16) -> Result<(libc::c_int, Address), String> {
    let mut refusals = Vec::new();
    for address in lookup(host, port)? {
        match connect_to(&address) {
            Ok(server) => return Ok((server, address)),
            Err(errno) => refusals.push((address, errno)),
        }
    }
    let told: Vec<String> = refusals.iter().map(|(address, errno)| format!("{address}: {errno}")).collect();
    let mut why = format!("cannot connect to {}", told.join(", nor to "));
    if refusals.iter().any(|(_, errno)| *errno == Errno::ECONNREFUSED) {
        why += &format!(
            ". Nobody listens there. Start the server first, in another terminal: \
             cargo run -p lesson-echo -- server --port {port}"
        );
    }
    Err(why)
}

fn connect_to(address: &Address) -> Result<libc::c_int, Errno> {
    let family = libc::c_int::from(address.storage.ss_family);
    // SAFETY: socket takes three numbers and no pointer.
    let server = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if server == -1 {
        return Err(Errno::last());
    }
    // SAFETY: `address` holds an address that is `address.length` bytes long, and connect only reads it.
    while unsafe { libc::connect(server, (&raw const address.storage).cast(), address.length) } == -1 {
        let errno = Errno::last();
        // An interrupted connect goes on by itself, and on Linux the same call again waits for its end.
        if errno != Errno::EINTR {
            close(server)?;
            return Err(errno);
        }
    }
    Ok(server)
}

/// A short message: says it, says that this is all, and prints what comes back.
fn ask(server: libc::c_int, message: &[u8], count: &mut Count) -> Result<(), Trouble> {
    let mut rest = message;
    while !rest.is_empty() {
        let taken = send(server, rest, 0)?;
        count.sent += taken as u64;
        rest = &rest[taken..];
    }
    finish_sending(server)?;

    let mut buffer = vec![0; BUFFER];
    let mut last = b'\n';
    loop {
        let came = receive(server, &mut buffer)?;
        let Some(end) = buffer[..came].last() else { break };
        count.received += came as u64;
        last = *end;
        print(&buffer[..came])?;
    }
    if last != b'\n' {
        print(b"\n")?;
    }
    Ok(())
}

/// The server's recv returns 0 after the last byte; what it still has to say can come all the same.
fn finish_sending(server: libc::c_int) -> Result<(), Errno> {
    // SAFETY: shutdown takes two numbers and no pointer.
    if unsafe { libc::shutdown(server, libc::SHUT_WR) } == -1 && Errno::last() != Errno::ENOTCONN {
        return Err(Errno::last());
    }
    // ENOTCONN: the server has torn the connection already. recv will say so, after the last byte that came before that.
    Ok(())
}

/// A long message, or standard input: reads *while* it sends. A client that first sends everything sleeps for ever in
/// send, as the server does in its own, once the buffers there and back are full.
fn converse(server: libc::c_int, mut unsent: Vec<u8>, mut listens: bool, count: &mut Count) -> Result<(), Trouble> {
    if listens && std::io::stdin().is_terminal() {
        eprintln!("Type what to say; Ctrl-D at the beginning of a line ends it.");
    }
    let mut buffer = vec![0; BUFFER];
    let mut finished = false;
    loop {
        if !listens && unsent.is_empty() && !finished {
            finish_sending(server)?;
            finished = true;
        }
        // More is taken in only when the last piece is out: the memory is no place to keep what the server does not take.
        let input = if listens && unsent.is_empty() { libc::STDIN_FILENO } else { -1 };
        // POLLOUT only as long as there is something to send: it is true nearly always, and poll would never sleep.
        let wanted = if unsent.is_empty() { libc::POLLIN } else { libc::POLLIN | libc::POLLOUT };
        let [server_says, input_says] = wait_for([(server, wanted), (input, libc::POLLIN)])?;

        if server_says & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 {
            let came = receive(server, &mut buffer)?;
            if came == 0 && !finished {
                return Err(Trouble::Here(
                    "the server has closed the connection, and there was more to say".to_string(),
                ));
            }
            if came == 0 {
                return Ok(());
            }
            count.received += came as u64;
            print(&buffer[..came])?;
        }
        if server_says & libc::POLLOUT != 0 {
            match send(server, &unsent, libc::MSG_DONTWAIT) {
                Ok(taken) => {
                    count.sent += taken as u64;
                    unsent.drain(..taken);
                }
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if input_says != 0 {
            let read = read_input(&mut buffer)?;
            listens = read > 0;
            unsent.extend_from_slice(&buffer[..read]);
        }
    }
}

/// Sleeps until at least one of two descriptors (-1 for none) can do what is wanted, and says what each can do.
fn wait_for(wanted: [(libc::c_int, libc::c_short); 2]) -> Result<[libc::c_short; 2], Trouble> {
    let mut asked = wanted.map(|(fd, events)| libc::pollfd { fd, events, revents: 0 });
    // SAFETY: `asked` is two entries long, and the kernel writes only into them.
    while unsafe { libc::poll(asked.as_mut_ptr(), 2, -1) } == -1 {
        let errno = Errno::last();
        if errno != Errno::EINTR {
            return Err(Trouble::Here(format!("poll failed: {errno}")));
        }
    }
    Ok(asked.map(|entry| entry.revents))
}

/// Takes what has come in on standard input; 0 at its end.
fn read_input(buffer: &mut [u8]) -> Result<usize, Trouble> {
    loop {
        // SAFETY: read writes at most `buffer.len()` bytes, and there is room for as many.
        let count = unsafe { libc::read(libc::STDIN_FILENO, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(Trouble::Here(format!("cannot read standard input: {}", Errno::last()))),
        }
    }
}

/// Prints bytes as they are.
fn print(bytes: &[u8]) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(bytes).and_then(|()| out.flush());
    printed.map_err(|error| Trouble::Here(format!("cannot print what came back: {error}")))
}
