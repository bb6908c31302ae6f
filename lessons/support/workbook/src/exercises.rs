//! The exercises, as their sheets (`lessons/NAME/exercises.toml`) describe them, and their hints.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use grader::sheet::{Exercise, Sheet};

use crate::project::Project;

/// Where a lesson's sheet is.
pub fn file(project: &Project, lesson: &str) -> PathBuf {
    project.lessons().join(lesson).join("exercises.toml")
}

/// The sheets of all lessons that have one, by lesson.
///
/// # Errors
/// If `lessons/` cannot be read, or a sheet cannot be understood.
pub fn sheets(project: &Project) -> Result<BTreeMap<String, Sheet>> {
    let folder = project.lessons();
    let mut sheets = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let file = file(project, &name);
        if file.is_file() {
            sheets.insert(name, Sheet::read(&file)?);
        }
    }
    Ok(sheets)
}

/// An exercise that does not exist.
#[derive(Debug)]
pub struct Unknown {
    /// What was asked for.
    pub name: String,
    /// The exercise that is called most like it.
    pub nearest: Option<String>,
}

/// Finds the exercise of this id (`bind/any-port`).
///
/// # Errors
/// If there is none; with the nearest.
pub fn find<'a>(sheets: &'a BTreeMap<String, Sheet>, id: &str) -> Result<&'a Exercise, Unknown> {
    let mut all = sheets.values().flat_map(|sheet| &sheet.exercises);
    all.clone().find(|exercise| exercise.id == id).ok_or_else(|| {
        // Who leaves the chapter out is understood as well as who mistypes it.
        let by_own_name = all.find(|exercise| exercise.name() == id).map(|exercise| exercise.id.clone());
        let ids = sheets.values().flat_map(|sheet| sheet.exercises.iter().map(|exercise| exercise.id.clone()));
        Unknown { name: id.to_string(), nearest: by_own_name.or_else(|| nearest(id, ids)) }
    })
}

/// The name that is most like what was written, if one is like it at all.
pub fn nearest(written: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let scored = names.map(|name| (strsim::jaro_winkler(written, &name), name));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 > 0.7).then_some(best.1)
}
