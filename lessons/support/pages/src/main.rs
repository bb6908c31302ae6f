//! What `mdbook build` starts: reads a book from standard input, and writes it with its links expanded to standard
//! output.

use std::io;
use std::process::ExitCode;

use mdbook_preprocessor::Preprocessor;
use pages::Pages;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => match expand() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        },
        ["supports", renderer] => ExitCode::from(u8::from(*renderer != "html")),
        _ => {
            eprintln!("pages is a preprocessor of mdBook, which starts it; to build the book: cargo workbook build");
            ExitCode::from(2)
        }
    }
}

fn expand() -> anyhow::Result<()> {
    let (context, book) = mdbook_preprocessor::parse_input(io::stdin())?;
    let book = Pages.run(&context, book)?;
    serde_json::to_writer(io::stdout(), &book)?;
    Ok(())
}
