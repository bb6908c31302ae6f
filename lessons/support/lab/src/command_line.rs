//! What a lesson is asked to do.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, ValueExt};

/// What a command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// `--help`.
    Help,
    /// `--list`.
    List {
        /// As JSON.
        json: bool,
    },
    /// Play the experiments of these names, or those that claim these errnos; all of them if there are no names.
    Play {
        /// Names and errnos, as typed.
        names: Vec<String>,
        /// As JSON.
        json: bool,
    },
    /// `--play NAME`: how the lab starts itself. Play one experiment in this very process and show nothing of it.
    PlayHere {
        /// The experiment.
        name: String,
        /// Where to write why it stopped, as JSON; to standard error if there is no such file.
        stop_file: Option<PathBuf>,
    },
}

/// Reads a command line (with the program's own name in front).
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Request, lexopt::Error> {
    let (mut help, mut list, mut json) = (false, false, false);
    let (mut play, mut stop_file) = (None, None);
    let mut names: Vec<String> = Vec::new();

    let mut parser = lexopt::Parser::from_iter(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => help = true,
            Arg::Short('l') | Arg::Long("list") => list = true,
            Arg::Long("json") => json = true,
            Arg::Long("play") => play = Some(parser.value()?.string()?),
            Arg::Long("stop-file") => stop_file = Some(PathBuf::from(parser.value()?)),
            Arg::Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected()),
        }
    }

    if help {
        return Ok(Request::Help);
    }
    if let Some(name) = play {
        return Ok(Request::PlayHere { name, stop_file });
    }
    match (list, names.first()) {
        (true, Some(name)) => Err(format!("--list takes no name, so {name} does not fit there").into()),
        (true, None) => Ok(Request::List { json }),
        (false, _) => Ok(Request::Play { names, json }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &str) -> Result<Request, String> {
        read(std::iter::once("lesson-x").chain(words.split_whitespace()).map(OsString::from))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_options_stand_in_any_order() {
        let both = Request::Play { names: vec!["a".into(), "b".into()], json: true };
        assert_eq!(read_words("a --json b"), Ok(both));
        assert_eq!(read_words(""), Ok(Request::Play { names: vec![], json: false }));
        assert_eq!(read_words("--json --list"), Ok(Request::List { json: true }));
        assert_eq!(read_words("a --help"), Ok(Request::Help));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert!(read_words("--colour").unwrap_err().contains("--colour"));
        assert!(read_words("--list port-in-use").unwrap_err().contains("port-in-use"));
        assert!(read_words("--play").unwrap_err().contains("--play"));
    }
}
