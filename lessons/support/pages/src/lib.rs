//! Turns chapters into pages: a preprocessor of mdBook that puts in the place of a link what the link names.

mod reference;

pub use reference::{Kind, Reference, references};

use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::errors::Result;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// The preprocessor. Its name is that of its table in `book.toml`, so that a program that embeds mdBook and registers
/// it runs it in its own process, in the place of the command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages;

impl Preprocessor for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    fn run(&self, _context: &PreprocessorContext, book: Book) -> Result<Book> {
        Ok(book)
    }
}
