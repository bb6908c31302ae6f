//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder that holds the book and the lessons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project in this folder.
    ///
    /// # Errors
    /// If there is no `book.toml` in it.
    pub fn at(root: &Path) -> Result<Project> {
        let root = root.canonicalize().with_context(|| format!("{} cannot be used as the project", root.display()))?;
        if !root.join("book.toml").is_file() {
            bail!("{} is not the project: it has no book.toml", root.display());
        }
        Ok(Project { root })
    }

    /// The project that the current folder belongs to: the nearest one upwards with a `book.toml`.
    ///
    /// # Errors
    /// If there is none.
    pub fn here() -> Result<Project> {
        let here = env::current_dir().context("the current folder cannot be read")?;
        for folder in here.ancestors() {
            if folder.join("book.toml").is_file() {
                return Project::at(folder);
            }
        }
        bail!(
            "there is no book.toml in {} or above it. Go to the folder of the workbook, or name it with --root",
            here.display()
        )
    }

    /// The project's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the pages.
    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// The folder of the recordings: `book/traces`.
    pub fn traces(&self) -> PathBuf {
        self.book().join("traces")
    }

    /// The folder of the lessons.
    pub fn lessons(&self) -> PathBuf {
        self.root.join("lessons")
    }

    /// A path as it is best shown: from the project's folder on.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
