//! The book as a PDF: printed by a Chromium without a window, from the page that holds all chapters.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::site;

/// What the browser is called, in the order in which it is looked for.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The variable that names another one.
const VARIABLE: &str = "CHROMIUM";

/// How long printing may take: on a busy machine a long book takes a minute.
const DEADLINE: Duration = Duration::from_secs(600);

/// Builds the book where it always is, prints it into `file` (without one into `target/book.pdf`), and returns mdBook's
/// warnings and the file.
///
/// # Errors
/// If there is no browser, the file cannot be written, the book cannot be built, or the browser does not print it.
pub fn pdf(project: &Project, file: Option<PathBuf>) -> Result<(Vec<String>, PathBuf)> {
    let browser = find(env::var_os(VARIABLE).as_deref(), env::var_os("PATH").as_deref())?;
    let site = site::default_destination(project)?;
    let file = file.unwrap_or_else(|| site.with_extension("pdf"));
    refuse_what_is_no_file(&file)?;
    let warnings = site::build(project, &site)?;
    print(&browser, &site.join("print.html"), &file, DEADLINE)?;
    Ok((warnings, file))
}

/// The browser: what the variable CHROMIUM names, or else the first in the PATH that has one of the usual names.
///
/// # Errors
/// If there is none; the message says what to install.
pub fn find(named: Option<&OsStr>, path: Option<&OsStr>) -> Result<PathBuf> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let program = PathBuf::from(named);
        if !is_program(&program) {
            bail!("{VARIABLE} is {}, and that is not a program", program.display());
        }
        return Ok(program);
    }
    let folders: Vec<PathBuf> = path.map(|path| env::split_paths(path).collect()).unwrap_or_default();
    let found =
        NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|p| is_program(p));
    found.with_context(|| {
        format!(
            "there is no browser that could print the book: none of {} is in the PATH. Install Chromium (Debian, Ubuntu: \
             apt-get install chromium; Fedora: dnf install chromium), or name one: {VARIABLE}=/path/to/chromium cargo \
             workbook pdf. Any browser can print the book by hand, from the page print.html",
            NAMES.join(", ")
        )
    })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Said before the book is built, since that takes a while.
fn refuse_what_is_no_file(file: &Path) -> Result<()> {
    if file.is_dir() {
        bail!("{} is a folder: name the file to write, such as {}", file.display(), file.join("book.pdf").display());
    }
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && parent.exists() && !parent.is_dir() => {
            bail!("{} is not a folder, so {} cannot be written", parent.display(), file.display())
        }
        _ => Ok(()),
    }
}

/// Has `browser` print `page` into `file`, whose folder is made where it is missing.
///
/// # Errors
/// If the browser cannot be started, fails, takes longer than the deadline, or leaves no PDF; or the file cannot be written.
pub fn print(browser: &Path, page: &Path, file: &Path, deadline: Duration) -> Result<()> {
    let page = page.canonicalize().with_context(|| {
        format!("{} is not there: the book is printed from it, so leave [output.html.print] on", page.display())
    })?;
    let folder = page.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    // Beside the book, where every browser may write: some come in a box of their own and do not see /tmp.
    let desk = tempfile::Builder::new()
        .prefix("book-print-")
        .tempdir_in(folder)
        .with_context(|| format!("nothing can be written in {}", folder.display()))?;
    let printed = desk.path().join("book.pdf");
    let log = desk.path().join("said");
    let said = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let mut child = Command::new(browser)
        .args(arguments(&page, &printed, desk.path()))
        .stdin(Stdio::null())
        .stdout(said.try_clone().context("a descriptor cannot be duplicated")?)
        .stderr(said)
        .spawn()
        .with_context(|| format!("{} cannot be started", browser.display()))?;
    let status =
        wait(&mut child, deadline).with_context(|| format!("{} was to print {}", browser.display(), page.display()))?;
    let content = fs::read(&printed).unwrap_or_default();
    if !status.success() || !content.starts_with(b"%PDF-") {
        bail!("{} did not print the book ({status}).{}", browser.display(), last_words(&log));
    }
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::write(file, content).with_context(|| format!("{} cannot be written", file.display()))
}

fn arguments(page: &Path, printed: &Path, desk: &Path) -> Vec<OsString> {
    let with = |option: &str, value: &Path| {
        let mut argument = OsString::from(option);
        argument.push(value);
        argument
    };
    let mut arguments: Vec<OsString> = [
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        // Everything that the page needs is in files.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--no-pdf-header-footer",
        // A browser that does not know these prints without them.
        "--generate-pdf-document-outline",
        "--export-tagged-pdf",
    ]
    .map(OsString::from)
    .into();
    // SAFETY: geteuid has no arguments and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // As root Chromium refuses to start in its own sandbox. It reads nothing here but this book.
        arguments.push("--no-sandbox".into());
    }
    arguments.push(with("--user-data-dir=", &desk.join("profile")));
    arguments.push(with("--print-to-pdf=", printed));
    arguments.push(address(page));
    arguments
}

/// The `file://` address of a file.
fn address(file: &Path) -> OsString {
    use percent_encoding::{AsciiSet, CONTROLS};
    use std::os::unix::ffi::OsStrExt;
    const IN_A_PATH: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');
    format!("file://{}", percent_encoding::percent_encode(file.as_os_str().as_bytes(), IN_A_PATH)).into()
}

fn wait(child: &mut Child, deadline: Duration) -> Result<ExitStatus> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("waiting for the browser fails")? {
            return Ok(status);
        }
        if begin.elapsed() > deadline {
            match child.kill() {
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                    return Err(error).context("the browser cannot be stopped");
                }
                _ => {}
            }
            child.wait().context("waiting for the browser fails")?;
            bail!("it was not done after {} seconds, and was stopped", deadline.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The last lines that the browser wrote.
fn last_words(log: &Path) -> String {
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => " It said nothing.".into(),
        count => format!(" It said:\n  {}", lines[count.saturating_sub(5)..].join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_first_and_must_name_a_program() {
        let found = find(Some(OsStr::new("/bin/sh")), Some(OsStr::new("/nowhere"))).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        let error = find(Some(OsStr::new("/etc/passwd")), None).unwrap_err().to_string();
        assert!(error.contains("CHROMIUM is /etc/passwd"), "{error}");
    }

    #[test]
    fn without_a_browser_the_error_says_what_to_install() {
        for path in [None, Some(OsStr::new("")), Some(OsStr::new("/nowhere:/proc"))] {
            let error = find(Some(OsStr::new("")), path).unwrap_err().to_string();
            assert!(error.contains("apt-get install chromium"), "{error}");
        }
    }

    #[test]
    fn an_address_has_no_stray_signs() {
        assert_eq!(address(Path::new("/a b/c#d%.html")), "file:///a%20b/c%23d%25.html");
    }
}
