//! Building the book: mdBook as a library, with the project's own preprocessor in the same process.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use pages::Pages;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::project::Project;

/// Who runs the preprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preprocessor {
    /// This program itself.
    Embedded,
    /// The command that `book.toml` names, as plain `mdbook build` does it.
    Command,
}

/// The folder that `book.toml` names for the built book (`target/book`).
///
/// # Errors
/// If `book.toml` or `SUMMARY.md` cannot be read.
pub fn default_destination(project: &Project) -> Result<PathBuf> {
    let book = load(project)?;
    Ok(project.root().join(&book.config.build.build_dir))
}

/// Builds the book into `destination`, and returns mdBook's warnings.
///
/// It is built beside the destination first and then put in its place: a book that does not build leaves the old one.
///
/// # Errors
/// If a page cannot be built, or mdBook reports an error while it goes on (a missing include, say: it would leave a gap
/// in the page). If the destination holds something that is not a built book: building would empty it.
pub fn build(project: &Project, destination: &Path) -> Result<Vec<String>> {
    refuse_to_empty(destination)?;
    let parent = match destination.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => bail!("{} cannot hold the book", destination.display()),
    };
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let beside = tempfile::Builder::new()
        .prefix(".book-")
        .tempdir_in(parent)
        .with_context(|| format!("nothing can be written in {}", parent.display()))?;
    let site = beside.path().join("site");
    let warnings = build_in_place(project, &site, Preprocessor::Embedded)?;
    let old = beside.path().join("old");
    if destination.exists() {
        fs::rename(destination, &old).with_context(|| format!("{} cannot be replaced", destination.display()))?;
    }
    fs::rename(&site, destination).with_context(|| format!("{} cannot be written", destination.display()))?;
    Ok(warnings)
}

/// Builds the book right into `destination`, which is emptied first, and returns mdBook's warnings.
///
/// # Errors
/// As for [`build`].
pub fn build_in_place(project: &Project, destination: &Path, preprocessor: Preprocessor) -> Result<Vec<String>> {
    let log = Log::default();
    let built = tracing::subscriber::with_default(log.clone(), || -> Result<()> {
        let mut book = load(project)?;
        if preprocessor == Preprocessor::Embedded {
            // Of the same name as its table in book.toml, it takes the place of the command there.
            book.with_preprocessor(Pages);
        }
        book.config.build.build_dir = std::path::absolute(destination)?;
        book.build()
    });
    let Said { errors, warnings } = log.take();
    match built {
        Err(error) if errors.is_empty() => Err(error.context("the book cannot be built")),
        Err(error) => Err(error.context(format!("the book cannot be built: {}", errors.join("; ")))),
        Ok(()) if !errors.is_empty() => {
            bail!("mdBook built the book with errors:\n  {}", [errors, warnings].concat().join("\n  "))
        }
        Ok(()) => Ok(warnings),
    }
}

fn load(project: &Project) -> Result<MDBook> {
    MDBook::load(project.root()).context("book.toml and book/SUMMARY.md cannot be read")
}

/// mdBook empties its destination, so whatever is there must be a book that it made.
fn refuse_to_empty(destination: &Path) -> Result<()> {
    if !destination.exists() {
        return Ok(());
    }
    let mut entries =
        fs::read_dir(destination).with_context(|| format!("{} cannot hold the book", destination.display()))?;
    let is_empty = entries.next().is_none();
    let is_a_book = destination.join("toc.html").is_file() && destination.join("index.html").is_file();
    if is_empty || is_a_book {
        return Ok(());
    }
    bail!(
        "{} holds something that is not a built book, and building would empty it. Choose a new or an empty folder",
        destination.display()
    )
}

/// Collects what mdBook logs: some of its errors are only logged, and the build goes on.
#[derive(Clone, Default)]
struct Log {
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Log {
    fn take(&self) -> Said {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match *event.metadata().level() {
            Level::ERROR => said.errors.push(message.0),
            Level::WARN => said.warnings.push(message.0),
            _ => {}
        }
    }

    // Spans tell nothing here.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The text of one log line.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.push_str(&format!("{value:?}"));
        }
    }
}
