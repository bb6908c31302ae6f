//! The Python forms of the book's calls, run with Python. Where there is none they are listed as ignored, with the reason.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use workbook::project::Project;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let project = Project::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.."))
        .expect("the tests are part of the project");
    libtest_mimic::run(&arguments, python(&project)).exit_code()
}

/// The Python forms: every `.py` file beside a lesson's `main.rs`.
fn python(project: &Project) -> Vec<Trial> {
    let missing = Command::new("python3").arg("--version").stdout(Stdio::null()).status().err();
    let test = |name: String, test: fn(&Path) -> Result<(), Failed>, file: PathBuf| match &missing {
        Some(error) => Trial::test(format!("{name} (no python3: {error})"), || Ok(())).with_ignored_flag(true),
        None => Trial::test(name, move || test(&file)),
    };
    let mut trials = Vec::new();
    for lesson in folders(&project.lessons()) {
        for file in folders(&lesson.join("src")) {
            if file.extension().is_some_and(|extension| extension == "py") {
                let short = project.show(&file).to_string();
                trials.push(test(format!("python {short} runs"), python_runs, file));
            }
        }
    }
    let bind = project.lessons().join("bind/src/bind.py");
    trials.push(test("python bind.py takes the port that it is given".into(), python_binds, bind.clone()));
    trials.push(test("python bind.py is told when the port is taken".into(), python_is_refused, bind));
    trials
}

/// What is in a folder; nothing if there is none.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn run_python(file: &Path, args: &[&str]) -> io::Result<Output> {
    Command::new("python3").arg(file).args(args).stdin(Stdio::null()).output()
}

fn python_runs(file: &Path) -> Result<(), Failed> {
    let output = run_python(file, &[])?;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(format!("{output:?}").into());
    }
    Ok(())
}

fn python_binds(file: &Path) -> Result<(), Failed> {
    // A port that has just been free; should somebody have taken it since, another one will do.
    let mut last = String::new();
    for _ in 0..20 {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port().to_string();
        let output = run_python(file, &[&port])?;
        last = format!("{output:?}");
        if String::from_utf8_lossy(&output.stdout).contains(&port) {
            return Ok(());
        }
    }
    Err(last.into())
}

fn python_is_refused(file: &Path) -> Result<(), Failed> {
    let holder = TcpListener::bind(("127.0.0.1", 0))?;
    let output = run_python(file, &[&holder.local_addr()?.port().to_string()])?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("Address already in use") {
        return Err(format!("{output:?}").into());
    }
    Ok(())
}
