//! Serving the book on this machine, and building it again whenever it changes.
//!
//! Each build goes into a folder of its own, and the server turns to it when it is complete: a book that does not build
//! leaves the last good one in place. Pages are served with one more script, which asks the server to be told of new
//! builds; the files themselves are the same as those of `cargo workbook build`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use anstream::{eprintln, println};
use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::project::Project;
use crate::site;
use crate::watch::Watcher;

/// How to serve.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port; 0 lets the kernel choose.
    pub port: u16,
    /// Whether to open the book in the browser.
    pub open: bool,
}

/// Builds the book and serves it on 127.0.0.1 until the program is told to stop (Ctrl-C, SIGTERM).
///
/// # Errors
/// If the port is taken, or the book cannot be built the first time. Later failures are shown, and the last good book stays.
pub fn serve(project: &Project, options: &Options) -> Result<()> {
    let listener = listen(options.port)?;
    let address = listener.local_addr().context("the server's address cannot be read")?;
    // From before the build on, so that a change made during it is not missed.
    let watcher = Watcher::start(project);
    let folder = folder_for_builds(project)?;
    let mut shelf = Shelf::new(project, folder.path());
    let build = shelf.build()?;
    let (sender, receiver) = watch::channel(Now { build: Arc::new(build), error: None });
    let shelf = Arc::new(Mutex::new(shelf));
    match watcher {
        Ok(watcher) => {
            let (project, shelf) = (project.clone(), shelf.clone());
            thread::spawn(move || rebuild(&project, &shelf, watcher, &sender));
        }
        Err(error) => {
            eprintln!("warning: changes cannot be watched, so the book is not built again: {error:#}");
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run(listener, receiver, address, options.open));
    // A build that is under way is let to end, and no other begins: then nothing writes into the folder that goes now.
    let _no_more = shelf.lock();
    folder.close().context("the folder of the served book cannot be removed")?;
    ended?;
    println!("Stopped.");
    Ok(())
}

fn folder_for_builds(project: &Project) -> Result<TempDir> {
    let destination = site::default_destination(project)?;
    let parent = destination.parent().unwrap_or(project.root());
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    tempfile::Builder::new()
        .prefix(".book-serve-")
        .tempdir_in(parent)
        .with_context(|| format!("nothing can be written in {}", parent.display()))
}

/// Takes the port before anything else is done, so that a busy one is told at once.
fn listen(port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {port} of 127.0.0.1 is in use (EADDRINUSE): another program listens there, perhaps another `cargo \
             workbook`. Choose a port with --port, such as --port {}, or --port 0 for any that is free",
            port.checked_add(1).unwrap_or(3000)
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "port {port} needs a privilege that this process has not (EACCES). Choose a higher one with --port, such as --port 3000"
        ),
        _ => anyhow!(error).context(format!("cannot bind to port {port} of 127.0.0.1; choose another with --port")),
    })?;
    listener.set_nonblocking(true).context("the listening socket cannot be set to non-blocking")?;
    Ok(listener)
}

/// Where the builds stand.
struct Shelf {
    project: Project,
    folder: PathBuf,
    /// Tells this server's builds from those of another one on the same port, earlier or later.
    name: String,
    builds: u32,
}

/// A complete build. Its folder goes when nobody serves from it any more.
struct Build {
    folder: PathBuf,
    name: String,
}

impl Drop for Build {
    fn drop(&mut self) {
        // What cannot be removed now goes with the folder of all builds.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Shelf {
    fn new(project: &Project, folder: &Path) -> Shelf {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{:x}", since.as_nanos());
        Shelf { project: project.clone(), folder: folder.to_path_buf(), name, builds: 0 }
    }

    fn build(&mut self) -> Result<Build> {
        self.builds += 1;
        let folder = self.folder.join(self.builds.to_string());
        let build = Build { folder, name: format!("{}-{}", self.name, self.builds) };
        let warnings = site::build_in_place(&self.project, &build.folder, site::Preprocessor::Embedded)?;
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        Ok(build)
    }
}

/// What is served now.
#[derive(Clone)]
struct Now {
    build: Arc<Build>,
    /// Why the last try to build it again failed.
    error: Option<String>,
}

/// Builds the book again whenever something changes.
fn rebuild(project: &Project, shelf: &Mutex<Shelf>, mut watcher: Watcher, sender: &watch::Sender<Now>) {
    while let Some(changed) = watcher.changed() {
        let what = match changed.as_slice() {
            [one] => project.show(one).to_string(),
            [first, ..] => format!("{} and {} more", project.show(first), changed.len() - 1),
            [] => continue,
        };
        let Ok(mut shelf) = shelf.lock() else { return };
        match shelf.build() {
            Ok(build) => {
                println!("{what} changed: the book is built again.");
                sender.send_modify(|now| *now = Now { build: Arc::new(build), error: None });
            }
            Err(error) => {
                eprintln!(
                    "{what} changed, and the book does not build; the last good one is still served. error: {error:#}"
                );
                sender.send_modify(|now| now.error = Some(format!("{error:#}")));
            }
        }
    }
}

async fn run(listener: TcpListener, now: watch::Receiver<Now>, address: SocketAddr, open: bool) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app =
        Router::new().route(SCRIPT_PATH, get(script)).route(NEWS_PATH, get(news)).fallback(get(page)).with_state(now);
    let server = axum::serve(listener, app);
    let announcement = async {
        tokio::task::spawn_blocking(move || wait_for_answer(address)).await??;
        println!("The book is at http://{address}/ (stop with Ctrl-C)");
        if open {
            open_in_browser(&format!("http://{address}/"));
        }
        // Nothing more to do, and the server goes on.
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        ended = server.into_future() => ended.context("the server ended"),
        failed = announcement => failed,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Asks the server for its first page, so that the address is printed only when it answers.
fn wait_for_answer(address: SocketAddr) -> Result<()> {
    let limit = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, limit).context("the server does not answer")?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(12).read_to_string(&mut answer).context("the server does not answer")?;
    if answer != "HTTP/1.1 200" {
        bail!("the server answers {answer:?} to the first request: is there a first page in book/SUMMARY.md?");
    }
    Ok(())
}

fn open_in_browser(address: &str) {
    let opened =
        Command::new("xdg-open").arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = opened {
        eprintln!("warning: the browser cannot be opened (xdg-open: {error}). Open {address} yourself.");
    }
}

const SCRIPT_PATH: &str = "/.workbook/reload.js";
const NEWS_PATH: &str = "/.workbook/news";

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript"), (header::CACHE_CONTROL, "no-store")], include_str!("reload.js"))
}

/// What a page is told: which build is served now, and what is wrong with the book.
#[derive(Serialize)]
struct News {
    build: String,
    error: Option<String>,
}

/// Sends the news now and whenever there are new ones.
async fn news(State(now): State<watch::Receiver<Now>>) -> Sse<impl Stream<Item = Result<Event, serde_json::Error>>> {
    let mut now = now;
    now.mark_changed();
    let events = stream::unfold(now, |mut now| async move {
        now.changed().await.ok()?;
        let event = {
            let now = now.borrow_and_update();
            serde_json::to_string(&News { build: now.build.name.clone(), error: now.error.clone() })
                .map(|news| Event::default().data(news))
        };
        Some((event, now))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Answers with a file of the book.
async fn page(State(now): State<watch::Receiver<Now>>, uri: Uri) -> Response<Body> {
    let build = now.borrow().build.clone();
    let path = uri.path().to_string();
    match tokio::task::spawn_blocking(move || answer(&build, &path)).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn answer(build: &Build, path: &str) -> Response<Body> {
    match find(&build.folder, path) {
        Found::File(file) => respond(build, StatusCode::OK, &file),
        Found::Folder => Redirect::temporary(&format!("{path}/")).into_response(),
        Found::Nothing => respond(build, StatusCode::NOT_FOUND, &build.folder.join("404.html")),
    }
}

/// What a path of an address names.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    File(PathBuf),
    /// A folder, without the slash at the end.
    Folder,
    Nothing,
}

/// Finds the file that a path names. Nothing outside the site is ever found: not by `..`, in whatever spelling, and not
/// by a symbolic link.
fn find(site: &Path, path: &str) -> Found {
    let Ok(decoded) = percent_encoding::percent_decode_str(path).decode_utf8() else { return Found::Nothing };
    let relative = Path::new(decoded.trim_start_matches('/'));
    let is_plain = relative.components().all(|component| matches!(component, Component::Normal(_)));
    if !is_plain || decoded.contains('\0') {
        return Found::Nothing;
    }
    let mut file = site.join(relative);
    if file.is_dir() {
        if !decoded.ends_with('/') {
            return Found::Folder;
        }
        file = file.join("index.html");
    }
    match (site.canonicalize(), file.canonicalize()) {
        (Ok(site), Ok(file)) if file.starts_with(&site) && file.is_file() => Found::File(file),
        _ => Found::Nothing,
    }
}

fn respond(build: &Build, status: StatusCode, file: &Path) -> Response<Body> {
    let Ok(mut content) = fs::read(file) else {
        return (StatusCode::NOT_FOUND, "There is no such page in the book.").into_response();
    };
    let kind = content_type(file);
    if kind.starts_with("text/html") {
        content = with_script(&content, &build.name);
    }
    (status, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], content).into_response()
}

/// The page with the script that waits for news, at its end.
fn with_script(page: &[u8], build: &str) -> Vec<u8> {
    let script = format!("<script src=\"{SCRIPT_PATH}\" data-build=\"{build}\" data-news=\"{NEWS_PATH}\"></script>\n");
    let end = b"</body>";
    let at = page.windows(end.len()).rposition(|window| window == end).unwrap_or(page.len());
    [&page[..at], script.as_bytes(), &page[at..]].concat()
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md" | "py" | "rs" | "toml") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
