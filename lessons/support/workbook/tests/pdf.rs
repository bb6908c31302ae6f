//! Printing the book. Where there is no browser, what needs one is listed as ignored, with the reason.

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use common::Sample;
use libtest_mimic::{Arguments, Failed, Trial};
use workbook::pdf;

/// A test that needs a browser.
type Printing = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = pdf::find(env::var_os("CHROMIUM").as_deref(), env::var_os("PATH").as_deref());
    let mut trials = vec![
        Trial::test("without_a_browser_it_says_what_to_install", without_a_browser),
        Trial::test("a_folder_is_not_a_file_to_print_into", into_a_folder),
        Trial::test("a_browser_that_fails_is_quoted", a_browser_that_fails),
        Trial::test("a_browser_that_prints_nothing_is_no_success", a_browser_that_prints_nothing),
        Trial::test("a_browser_that_hangs_is_stopped", a_browser_that_hangs),
        Trial::test("a_page_that_is_not_there_is_named", a_page_that_is_not_there),
    ];
    let printing: [(&str, Printing); 2] = [
        ("the_book_is_printed_with_contents_and_tags", the_book_is_printed),
        ("a_file_in_a_new_folder_with_odd_signs", a_new_folder),
    ];
    for (name, test) in printing {
        trials.push(match &browser {
            Ok(_) => Trial::test(name, test),
            Err(_) => Trial::test(format!("{name} (no Chromium here)"), || Ok(())).with_ignored_flag(true),
        });
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn workbook(sample: &Sample) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workbook"));
    command.arg("pdf").arg("--root").arg(sample.project.root());
    command
}

fn says(output: &Output, status: i32, words: &[&str]) -> Result<(), Failed> {
    let said = String::from_utf8_lossy(if status == 0 { &output.stdout } else { &output.stderr }).into_owned();
    let missing = words.iter().find(|word| !said.contains(**word));
    if output.status.code() != Some(status) || missing.is_some() {
        return Err(format!("wanted status {status} and {words:?}: {output:?}").into());
    }
    Ok(())
}

fn without_a_browser() -> Result<(), Failed> {
    let sample = Sample::new();
    let output = workbook(&sample).env("PATH", "/nowhere").env_remove("CHROMIUM").output()?;
    says(&output, 1, &["there is no browser", "apt-get install chromium", "CHROMIUM="])?;
    let output = workbook(&sample).env("CHROMIUM", "/no/such/browser").output()?;
    says(&output, 1, &["CHROMIUM is /no/such/browser"])?;
    if sample.file("target/book.pdf").exists() || sample.file("target/book").exists() {
        return Err("something was built though it could not be printed".into());
    }
    Ok(())
}

fn into_a_folder() -> Result<(), Failed> {
    let sample = Sample::new();
    let output = workbook(&sample).arg(sample.project.root()).env("CHROMIUM", "/bin/true").output()?;
    says(&output, 1, &["is a folder", "book.pdf"])
}

/// A page, and the file that it is to be printed into.
fn page(folder: &Path) -> Result<(PathBuf, PathBuf), Failed> {
    let site = folder.join("site");
    fs::create_dir(&site)?;
    let page = site.join("print.html");
    fs::write(&page, "<!DOCTYPE html><title>A page</title><h1>A page</h1>")?;
    Ok((page, folder.join("page.pdf")))
}

/// The error of printing with such a browser. It must leave nothing behind.
fn error(browser: &Path, deadline: Duration) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    let (page, file) = page(folder.path())?;
    let Err(error) = pdf::print(browser, &page, &file, deadline) else {
        return Err(format!("{} printed the page", browser.display()).into());
    };
    let left: Vec<_> = fs::read_dir(folder.path())?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    if left.len() != 1 {
        return Err(format!("it leaves behind {left:?}").into());
    }
    Ok(format!("{error:#}"))
}

fn browser(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browsers").join(name)
}

const ENOUGH: Duration = Duration::from_secs(60);

fn contains(said: &str, words: &[&str]) -> Result<(), Failed> {
    match words.iter().find(|word| !said.contains(**word)) {
        Some(word) => Err(format!("{said:?} does not say {word:?}").into()),
        None => Ok(()),
    }
}

fn a_browser_that_fails() -> Result<(), Failed> {
    contains(&error(&browser("fails"), ENOUGH)?, &["did not print the book", "no display, no luck", "3"])
}

fn a_browser_that_prints_nothing() -> Result<(), Failed> {
    contains(&error(Path::new("/bin/true"), ENOUGH)?, &["/bin/true did not print the book", "said nothing"])
}

fn a_browser_that_hangs() -> Result<(), Failed> {
    contains(&error(&browser("hangs"), Duration::from_secs(1))?, &["hangs", "not done after 1 seconds", "was stopped"])
}

fn a_page_that_is_not_there() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let gone = folder.path().join("print.html");
    match pdf::print(Path::new("/bin/true"), &gone, &folder.path().join("a.pdf"), ENOUGH) {
        Ok(()) => Err("a page that is not there was printed".into()),
        Err(error) => contains(&format!("{error:#}"), &["print.html is not there"]),
    }
}

fn the_book_is_printed() -> Result<(), Failed> {
    let sample = Sample::new();
    let output = workbook(&sample).output()?;
    says(&output, 0, &["The book is in target/book.pdf."])?;
    let content = fs::read(sample.file("target/book.pdf"))?;
    let has = |word: &[u8]| content.windows(word.len()).any(|window| window == word);
    for (word, what) in [
        (&b"%PDF-"[..], "the beginning of a PDF"),
        (b"/Outlines", "an outline"),
        (b"/StructTreeRoot", "tags"),
        (b"/Lang", "a language"),
        (b"%%EOF", "the end of a PDF"),
    ] {
        if !has(word) {
            return Err(format!("the printed book has not {what}").into());
        }
    }
    let left: Vec<_> = fs::read_dir(sample.file("target"))?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    if left.len() != 2 {
        return Err(format!("it leaves behind {left:?}").into());
    }
    Ok(())
}

fn a_new_folder() -> Result<(), Failed> {
    let sample = Sample::new();
    let file = sample.file("to read/50 % #1.pdf");
    let output = workbook(&sample).arg(&file).output()?;
    says(&output, 0, &["50 % #1.pdf"])?;
    if !fs::read(&file)?.starts_with(b"%PDF-") {
        return Err("it is not a PDF".into());
    }
    Ok(())
}
