//! A small project of its own for each test, to be broken at will.

// Every file of tests is a program of its own, and none uses all of this.
#![allow(dead_code)]

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;

use tempfile::TempDir;
use workbook::check::{self, Finding, Report, Rule};
use workbook::programs::{self, Program};
use workbook::project::Project;

/// This project.
pub fn this_project() -> Project {
    Project::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")).expect("the tests are part of the project")
}

/// The programs of its lessons, built once.
pub fn lessons() -> &'static [Program] {
    static LESSONS: OnceLock<Vec<Program>> = OnceLock::new();
    LESSONS.get_or_init(|| {
        let features: &[&str] = if cfg!(feature = "solutions") { &["solutions"] } else { &[] };
        let lessons = programs::build_all(&this_project(), features).expect("the lessons compile");
        assert!(lessons.len() >= 2, "the lessons are found: {lessons:?}");
        lessons
    })
}

/// The errno of a call that returned -1.
pub fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The user and the group that own nothing.
pub const NOBODY: libc::uid_t = 65534;

/// From here on the calling process is a user without any privilege. Makes system calls only and allocates nothing: it may be
/// called between fork and exec.
pub fn become_nobody() -> io::Result<()> {
    // SAFETY: all three take numbers, and setgroups reads none of its list's zero elements.
    unsafe {
        checked(libc::setgroups(0, ptr::null()))?;
        checked(libc::setresgid(NOBODY, NOBODY, NOBODY))?;
        checked(libc::setresuid(NOBODY, NOBODY, NOBODY))?;
    }
    Ok(())
}

/// From here on the calling thread, and what it starts, has a network of its own, with nothing but a loopback interface.
/// Makes system calls only and allocates nothing: it may be called between fork and exec.
pub fn own_network() -> io::Result<()> {
    // SAFETY: unshare and socket take numbers.
    let socket = unsafe {
        checked(libc::unshare(libc::CLONE_NEWNET))?;
        checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?
    };
    // SAFETY: the socket has just been made, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: an ifreq of zero bytes is valid: a name and a union of plain numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq, and this one lives through the call.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })?;
    Ok(())
}

/// A copy of `tests/sample`, removed when it is dropped.
pub struct Sample {
    folder: TempDir,
    /// The project in it.
    pub project: Project,
}

impl Sample {
    /// A copy with nothing wrong in it.
    pub fn new() -> Sample {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample");
        copy(&original, folder.path());
        // The program is the original itself: one that has just been written may not be run while it is still open in
        // a child that another test is starting.
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).expect("a folder for the program");
        symlink(original.join("programs/lesson-sample"), programs.join("lesson-sample"))
            .expect("a link to the program");
        let project = Project::at(folder.path()).expect("the copy is a project");
        Sample { folder, project }
    }

    /// The same with a part of the atlas: `sample/port-taken`, which is provoked live, and `sample/no-memory`, which is injected.
    pub fn with_an_atlas() -> Sample {
        let sample = Sample::new();
        let live = serde_json::json!({
            "errno": "EADDRINUSE", "calls": ["bind"], "documented": ["bind(2)", "POSIX"],
            "remark": "The page says more than the kernel.", "needs": ["namespaces"],
        });
        let injected = serde_json::json!({
            "errno": "ENOMEM", "calls": ["bind", "socket"],
            "injected": {"elsewhere": "it takes a machine without memory"},
        });
        let mut catalogue = sample.json("lessons/sample/runs/catalogue.json");
        catalogue["atlas"] = serde_json::json!([]);
        for (name, errno, entry) in [("port-taken", "EADDRINUSE", live), ("no-memory", "ENOMEM", injected)] {
            let (cause, cure) = (format!("The cause of {name}."), format!("The cure of {name}."));
            catalogue["atlas"].as_array_mut().expect("it is a list").push(serde_json::json!({
                "name": name, "shows": cause, "notice": cure, "errnos": [errno], "outcomes": ["", ""], "atlas": entry,
            }));
            let mut run = sample.json("lessons/sample/runs/two-sockets.json");
            run["experiment"] = name.into();
            (run["shows"], run["notice"], run["atlas"]) = (cause.into(), cure.into(), entry);
            sample.write(&format!("lessons/sample/runs/{name}.json"), &run.to_string());
            sample.write(&format!("book/traces/sample/errnos/{name}.json"), &run.to_string());
        }
        sample.write("lessons/sample/runs/catalogue.json", &catalogue.to_string());
        sample.write(
            "lessons/sample/src/errnos.rs",
            "static ERRNOS: &[Provocation] = &[\n    Provocation {\n        name: \"port-taken\",\n        play: port_taken,\n    },\n    \
             Provocation {\n        name: \"no-memory\",\n        play: ordinary,\n    },\n];\n\n\
             fn port_taken() {\n    taken();\n}\n\nfn ordinary() {\n    as_ever();\n}\n",
        );
        sample.append("book/SUMMARY.md", "- [Every errno](sample-errnos.md)\n- [The atlas](atlas.md)\n");
        sample.write("book/sample-errnos.md", "# Every errno\n\n[All](traces/sample/errnos/)\n");
        sample.write("book/atlas.md", "# The atlas\n\n[All](traces/#atlas)\n");
        sample
    }

    /// A file of it that is JSON.
    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A file of it.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A file's text.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes a file, and the folders that it needs.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("its folder can be made");
        fs::write(file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Adds to the end of a file.
    pub fn append(&self, path: &str, text: &str) {
        self.write(path, &(self.read(path) + text));
    }

    /// Replaces a text that stands in a file, wherever it does.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} does not contain {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// The lesson's program.
    pub fn programs(&self) -> Vec<Program> {
        programs::in_folder(&self.file("programs")).expect("the sample has a program")
    }

    /// What these rules find.
    pub fn check(&self, rules: &[Rule]) -> Report {
        check::check(&self.project, &self.programs(), rules).expect("the check itself works")
    }

    /// The only thing that a rule finds.
    pub fn only_finding(&self, rule: Rule) -> Finding {
        let mut findings = self.check(&[rule]).findings;
        assert_eq!(findings.len(), 1, "one finding was expected: {findings:#?}");
        findings.remove(0)
    }
}

/// Whether a finding is at this place, and says all this.
#[track_caller]
pub fn assert_finding(finding: &Finding, place: &str, words: &[&str]) {
    let text = finding.to_string();
    assert!(text.starts_with(&format!("{place}: ")), "{text:?} does not begin with {place:?}");
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.ends_with("programs") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}
