//! The chapter's two programs, for two terminals: their command lines. What they do is in `server.rs` and `client.rs`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::time::Duration;

use lab::Program;
use lexopt::{Arg, Parser, ValueExt};

use crate::{client, server};

pub static PROGRAMS: &[Program] = &[
    Program {
        name: "server",
        words: "--port 50000",
        shows: "an echo server: sends back what a client says, to one client after another",
        run: run_server,
    },
    Program {
        name: "client",
        words: "--port 50000 \"Hello World\"",
        shows: "its client: says that, and prints what comes back",
        run: run_client,
    },
];

/// The deck's port.
const PORT: u16 = 50000;

const SERVER_HELP: &str = "\
An echo server: it sends back whatever a client says, to one client after another.

  cargo run -p lesson-echo -- server --port 50000

Options:
  -p, --port PORT        the port to listen at (50000 if none is named; 0: one of the kernel's choosing)
      --host HOST        the address (IPv4 or IPv6) or name to listen at. If none is named it is 127.0.0.1,
                         where only this machine can come. At 0.0.0.0 or :: everybody in reach can.
      --timeout SECONDS  how long a client may say nothing, or take nothing of its echo, before it is sent
                         away (30 if no time is named, fractions are fine; 0: for ever). All others wait.
  -q, --quiet            do not show the system calls
  -h, --help             print this

It says on standard output who came and who went. The system calls go to standard error, as strace prints
them, in colour on a terminal unless NO_COLOR is set.
Ctrl-C or SIGTERM ends it; whom it serves just then is sent away.
The exit status is 0 after that, 1 if it could not listen, 2 if the command line makes no sense.
";

const CLIENT_HELP: &str = "\
The client of an echo server, this one or any other over TCP: it says something, and prints what comes back.

  cargo run -p lesson-echo -- client --port 50000 \"Hello World\"
  cargo run -p lesson-echo -- client --port 50000 < FILE

Several words are one message, with a space between two. Without any, it says what comes in on standard input,
until that ends (Ctrl-D on a terminal), and prints the echo as it comes.

Options:
  -p, --port PORT   the server's port (50000 if none is named)
      --host HOST   the server's address (IPv4 or IPv6) or name (127.0.0.1 if none is named)
  -q, --quiet       do not show the system calls
  -h, --help        print this

Only the echo goes to standard output. The system calls go to standard error, as strace prints them, in colour
on a terminal unless NO_COLOR is set.
The exit status is 0 if everything came back, 1 if not, 2 if the command line makes no sense.
";

/// What a command line asks for.
enum Asked<T> {
    Help,
    Run { settings: T, quiet: bool },
}

fn run_server(words: Vec<OsString>) -> ExitCode {
    run("server", SERVER_HELP, read_server(words), server::run)
}

fn run_client(words: Vec<OsString>) -> ExitCode {
    run("client", CLIENT_HELP, read_client(words), client::run)
}

/// Does what is asked: 0 if all went well, 1 if not, 2 if nothing sensible was asked.
fn run<T>(
    name: &str,
    help: &str,
    asked: Result<Asked<T>, lexopt::Error>,
    program: fn(&T) -> Result<(), String>,
) -> ExitCode {
    let (settings, quiet) = match asked {
        Ok(Asked::Run { settings, quiet }) => (settings, quiet),
        Ok(Asked::Help) => {
            return match io::stdout().write_all(help.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(error) => {
            eprintln!("{name}: {error}; {name} --help tells what can be asked for");
            return ExitCode::from(2);
        }
    };
    let program = || match program(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{name}: {why}");
            ExitCode::FAILURE
        }
    };
    if quiet { program() } else { lab::watched(program) }
}

fn read_server(words: Vec<OsString>) -> Result<Asked<server::Settings>, lexopt::Error> {
    let mut settings = server::Settings { host: "127.0.0.1".to_string(), port: PORT, timeout: Duration::from_secs(30) };
    let mut quiet = false;
    let mut parser = Parser::from_args(words);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('q') | Arg::Long("quiet") => quiet = true,
            Arg::Short('p') | Arg::Long("port") => settings.port = parser.value()?.parse_with(port)?,
            Arg::Long("host") => settings.host = parser.value()?.string()?,
            Arg::Long("timeout") => settings.timeout = parser.value()?.parse_with(seconds)?,
            Arg::Value(word) => {
                return Err(format!("it takes no message, so {} does not fit there", word.to_string_lossy()).into());
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Run { settings, quiet })
}

fn read_client(words: Vec<OsString>) -> Result<Asked<client::Settings>, lexopt::Error> {
    let (mut host, mut to, mut quiet) = ("127.0.0.1".to_string(), PORT, false);
    let mut message: Option<Vec<u8>> = None;
    let mut parser = Parser::from_args(words);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('q') | Arg::Long("quiet") => quiet = true,
            Arg::Short('p') | Arg::Long("port") => to = parser.value()?.parse_with(port)?,
            Arg::Long("host") => host = parser.value()?.string()?,
            Arg::Value(word) => match &mut message {
                None => message = Some(word.into_vec()),
                Some(message) => {
                    message.push(b' ');
                    message.extend(word.into_vec());
                }
            },
            other => return Err(other.unexpected()),
        }
    }
    if to == 0 {
        return Err("nobody listens at port 0: it only means that the kernel shall choose one".into());
    }
    Ok(Asked::Run { settings: client::Settings { host, port: to, message }, quiet })
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port is a number from 0 to 65535".to_string())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match timeout {
        // The kernel would take what is less than a microsecond for "for ever".
        Some(timeout) if timeout.is_zero() || timeout.as_micros() > 0 => Ok(timeout),
        _ => Err("it is a number of seconds, such as 30 or 0.5".to_string()),
    }
}
