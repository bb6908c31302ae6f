//! Noticing that the book, or what it shows, has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::{Context, Result};
use notify_debouncer_mini::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, Debouncer, new_debouncer};

use crate::project::Project;

/// How long a burst of changes (an editor's save, a checkout) is let to settle.
const SETTLE: Duration = Duration::from_millis(100);

/// Watches `book.toml`, `book/` and `lessons/`.
pub(crate) struct Watcher {
    project: Project,
    changes: Receiver<DebounceEventResult>,
    seen: Snapshot,
    /// Stops watching when it is dropped.
    _debouncer: Debouncer<RecommendedWatcher>,
}

impl Watcher {
    /// Starts to watch.
    pub(crate) fn start(project: &Project) -> Result<Watcher> {
        let (sender, changes) = mpsc::channel();
        let mut debouncer = new_debouncer(SETTLE, sender)?;
        let watcher = debouncer.watcher();
        // An editor replaces a file rather than writing into it, so for book.toml its folder is watched.
        watcher.watch(project.root(), RecursiveMode::NonRecursive)?;
        for folder in [project.book(), project.lessons()].iter().filter(|folder| folder.is_dir()) {
            watcher
                .watch(folder, RecursiveMode::Recursive)
                .with_context(|| format!("{} cannot be watched", project.show(folder)))?;
        }
        let seen = Snapshot::take(project);
        Ok(Watcher { project: project.clone(), changes, seen, _debouncer: debouncer })
    }

    /// Waits until something has changed since the last call (or since the start), and says what; `None` when there is
    /// nothing more to wait for.
    pub(crate) fn changed(&mut self) -> Option<Vec<PathBuf>> {
        loop {
            if let Err(error) = self.changes.recv().ok()? {
                eprintln!("warning: a change may have been missed: {error}");
            }
            // Being read is an event too, and building the book reads everything: only what is different counts.
            let now = Snapshot::take(&self.project);
            let different = now.differs_from(&self.seen);
            if !different.is_empty() {
                self.seen = now;
                return Some(different);
            }
        }
    }
}

/// Every file that the book is made of, with the time of its last change and its length.
struct Snapshot(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Snapshot {
    fn take(project: &Project) -> Snapshot {
        let mut files = BTreeMap::new();
        note_file(&project.root().join("book.toml"), &mut files);
        for folder in [project.book(), project.lessons()] {
            // A folder that vanishes meanwhile is simply not there: the next event tells.
            let _ = note_folder(&folder, &mut files);
        }
        Snapshot(files)
    }

    fn differs_from(&self, earlier: &Snapshot) -> Vec<PathBuf> {
        let changed = self.0.iter().filter(|(path, mark)| earlier.0.get(*path) != Some(mark)).map(|(path, _)| path);
        let gone = earlier.0.keys().filter(|path| !self.0.contains_key(*path));
        changed.chain(gone).cloned().collect()
    }
}

fn note_folder(folder: &Path, files: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_backup = path.as_os_str().as_encoded_bytes().ends_with(b"~");
        if is_hidden || is_backup {
            continue;
        }
        if path.is_dir() { note_folder(&path, files)? } else { note_file(&path, files) }
    }
    Ok(())
}

fn note_file(path: &Path, files: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) {
    if let Ok(data) = fs::metadata(path) {
        files.insert(path.to_path_buf(), (data.modified().ok(), data.len()));
    }
}
