//! The server: it answers, it refuses, it follows the book's changes.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::Sample;

/// How long anything may take before the test gives up. It passes as soon as what it waits for is there.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server of a sample book.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(sample: &Sample) -> Server {
        let mut child = workbook(sample, &["--port", "0"]).spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where the book is");
        let port = line.split("http://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"));
        Server { child, stdout, port }
    }

    /// Sends a request for this very path, and returns the answer: its status and all of it.
    fn ask(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .expect("a request is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer comes");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status in {answer:?}")), answer)
    }

    /// Asks for a page until it says this.
    fn wait_until(&self, path: &str, text: &str) {
        let begin = Instant::now();
        while !self.ask(path).1.contains(text) {
            assert!(begin.elapsed() < DEADLINE, "{path} did not come to say {text:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server with a signal, and returns whether it ended well and what it said at last.
    fn stop(mut self, signal: libc::c_int) -> (bool, String) {
        // SAFETY: kill takes two numbers; the process is our child and has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, signal) }, 0);
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("its output can be read");
        (status.success(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test has stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, at work in a sample.
fn workbook(sample: &Sample, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workbook"));
    command.args(args).arg("--root").arg(sample.project.root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_address_that_it_prints_answers_at_once() {
    let sample = Sample::new();
    let server = Server::start(&sample);
    let (status, page) = server.ask("/");
    assert_eq!(status, 200);
    assert!(page.contains("Go on to"), "{page}");
    assert!(page.contains("text/html; charset=utf-8"), "{page}");
    assert_eq!(server.ask("/sample.html?x=1").0, 200);
    assert!(server.ask("/traces/sample/two-ends.json").1.contains("application/json"));
}

#[test]
fn it_listens_on_loopback_only() {
    let sample = Sample::new();
    let server = Server::start(&sample);
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists its sockets");
    let port = format!(":{:04X} ", server.port);
    let listeners: Vec<&str> = table.lines().filter(|line| line.contains(&port) && line.contains(" 0A ")).collect();
    assert_eq!(listeners.len(), 1, "{listeners:?}");
    let loopback = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
    assert!(listeners[0].contains(&format!("{loopback}{port}")), "{listeners:?}");
}

#[test]
fn a_page_that_is_not_there_is_said_to_be_missing() {
    let sample = Sample::new();
    let server = Server::start(&sample);
    let (status, page) = server.ask("/gone.html");
    assert_eq!(status, 404);
    assert!(page.contains("Document not found"), "{page}");
}

#[test]
fn nothing_outside_the_book_is_served() {
    let sample = Sample::new();
    sample.write("secret.txt", "nobody may read this");
    std::os::unix::fs::symlink("../secret.txt", sample.file("book/link.txt")).expect("a link can be made");
    let server = Server::start(&sample);
    for path in [
        "/../book.toml",
        "/..%2fbook.toml",
        "/%2e%2e/%2e%2e/%2e%2e/book.toml",
        "/sample/../../../../book.toml",
        "/./../../../secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/..%5c..%5cbook.toml",
        "/sample.html%00.css",
    ] {
        let (status, answer) = server.ask(path);
        assert!(status == 404 || status == 400, "{path} gave {status}");
        assert!(
            !answer.contains("nobody may read") && !answer.contains("build-dir") && !answer.contains("root:"),
            "{path}"
        );
    }
    // mdBook copies what a link leads to. A link that lies in the built book itself must not be followed out of it.
    let built = fs::read_dir(sample.file("target")).expect("the book is built there");
    let mut built = built.map(|entry| entry.expect("an entry can be read").path());
    let shelf = built.find(|path| path.to_string_lossy().contains("book-serve")).expect("the served book is there");
    std::os::unix::fs::symlink(sample.file("secret.txt"), shelf.join("1/outside.txt")).expect("a link can be made");
    assert_eq!(server.ask("/outside.txt").0, 404);
}

#[test]
fn a_busy_port_is_named_and_so_is_the_way_out() {
    let sample = Sample::new();
    let holder = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = holder.local_addr().expect("it has an address").port().to_string();
    let output = workbook(&sample, &["--port", &port]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for word in [&format!("port {port} of 127.0.0.1 is in use"), "EADDRINUSE", "--port"] {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
    assert!(!sample.file("target").exists(), "the port is tried before the book is built");
}

#[test]
fn changes_are_followed_and_a_broken_book_leaves_the_last_good_one() {
    let sample = Sample::new();
    let server = Server::start(&sample);

    // A page, code that it shows, and a recording.
    sample.append("book/sample.md", "\nA new sentence.\n");
    server.wait_until("/sample.html", "A new sentence.");
    sample.replace("lessons/sample/src/main.rs", "\"two sockets\"", "\"two more sockets\"");
    server.wait_until("/sample.html", "two more sockets");
    sample.replace("book/traces/sample/two-sockets.json", "is told EADDRINUSE", "is turned away");
    server.wait_until("/sample.html", "is turned away");
    sample.replace("lessons/sample/exercises.toml", "It is smaller than two.", "It is small.");
    server.wait_until("/sample.html", "It is small.");
    sample.replace("book.toml", "A sample", "Another title");
    server.wait_until("/sample.html", "Another title");

    // What does not build is said to whoever looks at a page, and the page stays.
    let news = news(&server);
    sample.append("book/sample.md", "\n[gone](traces/sample/gone.json)\n");
    let said = wait_for_news(news, "gone.json");
    assert!(said.contains("\"error\":\"") && said.contains("book/sample.md"), "{said}");
    assert!(server.ask("/sample.html").1.contains("A new sentence."));

    // Mended, it is served again.
    sample.replace("book/sample.md", "[gone](traces/sample/gone.json)", "Mended.");
    server.wait_until("/sample.html", "Mended.");
}

/// Asks to be told of new builds, as a page does.
fn news(server: &Server) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    write!(stream, "GET /.workbook/news HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("a request is sent");
    BufReader::new(stream)
}

/// The first news with this in them.
fn wait_for_news(news: BufReader<TcpStream>, text: &str) -> String {
    let begin = Instant::now();
    for line in news.lines() {
        let line = line.unwrap_or_else(|error| panic!("no news of {text:?}: {error}"));
        if line.contains(text) {
            return line;
        }
        assert!(begin.elapsed() < DEADLINE, "no news of {text:?}");
    }
    panic!("the server ended before there were news of {text:?}")
}

#[test]
fn the_script_of_the_server_is_in_what_it_sends_and_in_no_file() {
    let sample = Sample::new();
    let server = Server::start(&sample);
    assert!(server.ask("/sample.html").1.contains("/.workbook/reload.js"));
    assert!(server.ask("/.workbook/reload.js").1.contains("EventSource"));
    let built = workbook(&sample, &["build"]).output().expect("the program runs");
    assert!(built.status.success(), "{built:?}");
    assert!(!sample.read("target/book/sample.html").contains(".workbook"));
    assert!(server.ask("/sample.html").1.contains("Two ends"), "building elsewhere does not disturb the server");
}

#[test]
fn it_ends_cleanly_when_it_is_told_to() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let sample = Sample::new();
        let server = Server::start(&sample);
        // A page that is open in a browser does not keep it.
        let _open = news(&server);
        let (ended_well, said) = server.stop(signal);
        assert!(ended_well, "{said}");
        assert!(said.contains("Stopped."), "{said}");
        let left = fs::read_dir(sample.file("target")).expect("it can be read").count();
        assert_eq!(left, 0, "nothing is left of the served book");
    }
}

#[test]
fn a_book_that_does_not_build_is_not_served() {
    let sample = Sample::new();
    sample.append("book/sample.md", "\n[gone](traces/sample/gone.json)\n");
    let output = workbook(&sample, &["--port", "0"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("book/sample.md:24"), "{said}");
}
