//! The project's files, as chapters name them.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use mdbook_preprocessor::PreprocessorContext;

/// Where the project and its chapters lie.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// The project's folder, in which `book.toml` lies.
    root: PathBuf,
    /// The chapters' folder, relative to it.
    book: PathBuf,
}

impl Project {
    pub fn new(context: &PreprocessorContext) -> Project {
        Project { root: context.root.clone(), book: context.config.book.src.clone() }
    }

    /// A file that a chapter names, relative to the project's folder.
    pub fn file(&self, chapter: &Path, path: &str) -> Result<PathBuf, String> {
        let folder = chapter.parent().unwrap_or(Path::new(""));
        normalise(&self.book.join(folder).join(path))
            .ok_or_else(|| format!("`{path}` leads out of the project; name a file inside it"))
    }

    /// The page's own file, relative to the project's folder.
    pub fn page(&self, chapter: &Path) -> PathBuf {
        self.book.join(chapter)
    }

    /// Where the recordings lie.
    pub fn traces(&self) -> PathBuf {
        self.root.join(&self.book).join("traces")
    }

    /// The `.rs` files in a folder, both relative to the project's folder, as [`files`] tells them.
    pub fn code_in(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let files = files(&self.root.join(folder), "rs")?;
        Ok(files.iter().filter_map(|file| Some(folder.join(file.file_name()?))).collect())
    }

    /// Reads a file, relative to the project's folder.
    pub fn read(&self, file: &Path) -> Result<String, std::io::Error> {
        fs::read_to_string(self.root.join(file))
    }
}

/// What is in a folder, in alphabetical order; nothing, if there is no such folder.
///
/// # Errors
/// If it cannot be read, with its name.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>();
    let mut paths = match read() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
        read => {
            read.map_err(|error| io::Error::new(error.kind(), format!("{} cannot be read: {error}", folder.display())))?
        }
    };
    paths.sort();
    Ok(paths)
}

/// What in a folder has a name with this ending (`json`), as [`entries`] tells it.
///
/// # Errors
/// As for [`entries`].
pub fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = entries(folder)?;
    files.retain(|file| file.extension().is_some_and(|its| its == extension));
    Ok(files)
}

/// A link from one chapter's page to another chapter, both relative to the chapters' folder.
pub(crate) fn link(from: &Path, to: &Path) -> String {
    let depth = from.components().count().saturating_sub(1);
    format!("{}{}", "../".repeat(depth), to.display())
}

/// The path without `.` and `..`; `None` if it leads out of where it starts.
fn normalise(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_from_the_chapter() {
        let project = Project { root: PathBuf::from("/p"), book: PathBuf::from("book") };
        let file = |chapter: &str, path: &str| project.file(Path::new(chapter), path);
        assert_eq!(file("bind.md", "traces/a.json"), Ok(PathBuf::from("book/traces/a.json")));
        assert_eq!(file("bind.md", "../lessons/x.rs"), Ok(PathBuf::from("lessons/x.rs")));
        assert_eq!(file("more/ends.md", "../../lessons/x.rs"), Ok(PathBuf::from("lessons/x.rs")));
        assert!(file("bind.md", "../../x.rs").is_err());
        assert!(file("bind.md", "/etc/x.rs").is_err());
    }

    #[test]
    fn links_between_chapters_are_relative() {
        assert_eq!(link(Path::new("errno.md"), Path::new("bind.md")), "bind.md");
        assert_eq!(link(Path::new("more/ends.md"), Path::new("bind.md")), "../bind.md");
    }
}
