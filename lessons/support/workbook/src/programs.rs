//! The lessons, seen from outside: programs that are built, asked what they have, and run.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use lab::{Catalogue, Recording};
use serde::Deserialize;

use crate::project::Project;

/// What the name of every lesson's package begins with.
pub const PREFIX: &str = "lesson-";

/// The names of the project's lessons (`bind`, `reading`), in alphabetical order. A lesson is a package of the workspace
/// whose name begins with `lesson-`; there is no other list of them.
///
/// # Errors
/// If `cargo metadata` fails.
pub fn names(project: &Project) -> Result<Vec<String>> {
    let packages = packages(project)?;
    Ok(packages.iter().filter_map(|package| package.strip_prefix(PREFIX)).map(str::to_string).collect())
}

/// The names of the workspace's packages, in alphabetical order.
///
/// # Errors
/// If `cargo metadata` fails.
pub fn packages(project: &Project) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
    }
    let mut cargo = cargo(project);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed ({}): the workspace cannot be read", output.status);
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata printed something else")?;
    let mut names: Vec<String> = metadata.packages.into_iter().map(|package| package.name).collect();
    names.sort();
    Ok(names)
}

/// A lesson's program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The lesson's name, such as `bind`.
    pub lesson: String,
    path: PathBuf,
}

/// Builds the programs of these lessons and nothing else, and finds them.
///
/// # Errors
/// If one does not compile.
pub fn build(project: &Project, lessons: &[String]) -> Result<Vec<Program>> {
    let packages = lessons.iter().flat_map(|lesson| ["--package".to_string(), format!("{PREFIX}{lesson}")]);
    build_with(project, lessons, packages)
}

/// Builds all programs of the workspace with these features of its packages, and finds those of the lessons. That is how
/// `cargo test --workspace` builds them, so after it nothing is left to be built. (Alone they would be built another time,
/// with what they need: other features of serde, for instance, are then asked for by nobody.)
///
/// # Errors
/// If one does not compile.
pub fn build_all(project: &Project, features: &[&str]) -> Result<Vec<Program>> {
    let features = features.iter().flat_map(|feature| ["--features", feature]);
    let arguments = std::iter::once("--workspace").chain(features).map(str::to_string);
    build_with(project, &names(project)?, arguments)
}

fn build_with(project: &Project, lessons: &[String], arguments: impl Iterator<Item = String>) -> Result<Vec<Program>> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    if lessons.is_empty() {
        return Ok(Vec::new());
    }
    let mut cargo = cargo(project);
    cargo.args(["build", "--quiet", "--bins", "--message-format=json-render-diagnostics"]);
    cargo.args(arguments);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("a lesson does not compile: see above");
    }
    let mut built: BTreeMap<String, PathBuf> = BTreeMap::new();
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Message = serde_json::from_slice(line).context("cargo build printed something else")?;
        if let (Some(executable), Some(target)) = (message.executable, message.target) {
            built.insert(target.name, executable);
        }
    }
    let program = |lesson: &String| {
        let path = built.remove(&format!("{PREFIX}{lesson}"));
        let path = path.ok_or_else(|| anyhow!("package {PREFIX}{lesson} has no program of its own name"))?;
        Ok(Program { lesson: lesson.clone(), path })
    };
    lessons.iter().map(program).collect()
}

/// Finds the programs of lessons in a folder where they have been built already.
///
/// # Errors
/// If the folder cannot be read, or holds no lesson.
pub fn in_folder(folder: &Path) -> Result<Vec<Program>> {
    let entries = folder.read_dir().with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Cargo keeps a list of sources beside each program, `lesson-bind.d`.
        if let Some(lesson) = name.strip_prefix(PREFIX)
            && !name.contains('.')
            && path.is_file()
        {
            programs.push(Program { lesson: lesson.to_string(), path });
        }
    }
    if programs.is_empty() {
        bail!("there is no lesson's program in {}", folder.display());
    }
    programs.sort_by(|one, other| one.lesson.cmp(&other.lesson));
    Ok(programs)
}

/// Cargo, as this program was started by it, at work in the project.
fn cargo(project: &Project) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(project.root()).stdin(Stdio::null());
    cargo
}

/// One run of one experiment.
#[derive(Clone, Debug)]
pub struct Run {
    /// What came of it.
    pub recording: Recording,
    /// What the lesson said besides: which claims were not met, why there is no trace.
    pub remarks: String,
}

impl Program {
    /// Where the program is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What experiments the lesson has.
    ///
    /// # Errors
    /// If the program does not answer.
    pub fn catalogue(&self) -> Result<Catalogue> {
        let (catalogue, _) = self.ask(&["--list", "--json"])?;
        Ok(catalogue)
    }

    /// Runs one experiment. Whether it had a right outcome is in the recording.
    ///
    /// # Errors
    /// If the program does not answer.
    pub fn run(&self, experiment: &str) -> Result<Run> {
        let (mut recordings, remarks): (Vec<Recording>, String) = self.ask(&["--json", experiment])?;
        match (recordings.pop(), recordings.pop()) {
            (Some(recording), None) if recording.experiment == experiment => Ok(Run { recording, remarks }),
            _ => bail!("lesson {} was asked for {experiment} alone and gave something else", self.lesson),
        }
    }

    fn ask<T: for<'a> Deserialize<'a>>(&self, args: &[&str]) -> Result<(T, String)> {
        let what = || format!("{} {}", self.path.display(), args.join(" "));
        let mut command = Command::new(&self.path);
        command.args(args).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("{} cannot be started", what()))?;
        let remarks = String::from_utf8_lossy(&output.stderr).trim().to_string();
        let answer = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{} ended with {} and printed no answer. {remarks}", what(), output.status))?;
        Ok((answer, remarks))
    }
}
