//! The lessons on machines that are set up otherwise: whatever a machine allows or forbids, each experiment ends in one of
//! the outcomes that it declares. And the Python forms of the book's calls, run with Python.
//!
//! The machines are private networks with settings of their own; the real machine's settings are not touched. What cannot be
//! tried here is listed as ignored, with the reason in its name.

use std::ffi::CString;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use lab::Recording;
use libtest_mimic::{Arguments, Failed, Trial};
use workbook::programs::{self, Program};
use workbook::project::Project;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let project = Project::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.."))
        .expect("the tests are part of the project");
    let mut trials = machines(&project, arguments.list);
    trials.extend(python(&project));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A machine that differs in one thing.
struct Machine {
    name: &'static str,
    /// What is written into which file below /proc/sys.
    setting: (&'static str, &'static str),
    /// The experiments that end otherwise than on an ordinary machine, and where they say that they do.
    differ: &'static [(&'static str, &'static str)],
}

const MACHINES: &[Machine] = &[
    Machine {
        name: "without IPv6",
        setting: ("net/ipv6/conf/all/disable_ipv6", "1"),
        differ: &[("not-in-the-way", "IPv6 is switched off")],
    },
    Machine {
        name: "with all ports free for all",
        setting: ("net/ipv4/ip_unprivileged_port_start", "0"),
        differ: &[("below-1024", "ports below 1024 are free for all")],
    },
    Machine {
        name: "with ports free for all from 500 on",
        setting: ("net/ipv4/ip_unprivileged_port_start", "500"),
        differ: &[("below-1024", "from a number between 80 and 1023")],
    },
    Machine {
        name: "with more ports kept for the privileged",
        setting: ("net/ipv4/ip_unprivileged_port_start", "2000"),
        differ: &[("below-1024", "ports above 1024 are kept")],
    },
    Machine {
        name: "where strange addresses may be bound",
        setting: ("net/ipv4/ip_nonlocal_bind", "1"),
        differ: &[("not-local", "ip_nonlocal_bind")],
    },
    Machine {
        name: "with an odd range of ports",
        setting: ("net/ipv4/ip_local_port_range", "32769 60998"),
        differ: &[("ephemeral-ports", "starts with an odd number")],
    },
    Machine { name: "with no queue to speak of", setting: ("net/core/somaxconn", "0"), differ: &[] },
    Machine { name: "with IPv6 by itself", setting: ("net/ipv6/bindv6only", "1"), differ: &[] },
];

fn machines(project: &Project, only_list: bool) -> Vec<Trial> {
    let lessons = if only_list {
        Vec::new()
    } else {
        let names = programs::names(project).expect("the lessons have names");
        programs::build(project, &names).expect("the lessons compile")
    };
    let refused = Command::new("/bin/true").in_private_network(None).status().err();
    MACHINES
        .iter()
        .map(|machine| match &refused {
            Some(error) => Trial::test(format!("machine {} (no private network: {error})", machine.name), || Ok(()))
                .with_ignored_flag(true),
            None => {
                let lessons = lessons.clone();
                Trial::test(format!("machine {}", machine.name), move || on(machine, &lessons))
            }
        })
        .collect()
}

/// Plays all lessons on this machine.
fn on(machine: &Machine, lessons: &[Program]) -> Result<(), Failed> {
    let mut differ = Vec::new();
    for lesson in lessons {
        let output = Command::new(lesson.path())
            .arg("--json")
            .stdin(Stdio::null())
            .in_private_network(Some(machine.setting))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let recordings: Vec<Recording> = serde_json::from_slice(&output.stdout)?;
        if !output.status.success() {
            return Err(format!("lesson {} ended with {}: {said}", lesson.lesson, output.status).into());
        }
        differ.extend(recordings.into_iter().filter(|recording| recording.outcome != Some(0)));
    }
    for (experiment, place) in machine.differ {
        if !differ.iter().any(|recording| recording.experiment == *experiment && recording.when.contains(place)) {
            return Err(format!("{experiment} should have met a machine {place:?}; it differed in {differ:?}").into());
        }
    }
    Ok(())
}

/// A command in a network of its own.
trait InPrivateNetwork {
    /// The command will run in a new network with `lo` up and this setting below /proc/sys made; without root, in a user
    /// namespace too, in which the user stays who it is.
    fn in_private_network(&mut self, setting: Option<(&'static str, &'static str)>) -> &mut Command;
}

impl InPrivateNetwork for Command {
    fn in_private_network(&mut self, setting: Option<(&'static str, &'static str)>) -> &mut Command {
        // SAFETY: neither call takes anything, or can fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let write = |path: String, text: String| (CString::new(path).expect("no zero byte"), text);
        let mut files = Vec::new();
        if uid != 0 {
            files.push(write("/proc/self/setgroups".into(), "deny".into()));
            files.push(write("/proc/self/uid_map".into(), format!("{uid} {uid} 1")));
            files.push(write("/proc/self/gid_map".into(), format!("{gid} {gid} 1")));
        }
        if let Some((path, text)) = setting {
            files.push(write(format!("/proc/sys/{path}"), text.into()));
        }
        let namespaces = if uid == 0 { libc::CLONE_NEWNET } else { libc::CLONE_NEWUSER | libc::CLONE_NEWNET };
        let enter = move || {
            // SAFETY: unshare takes a number.
            if unsafe { libc::unshare(namespaces) } == -1 {
                return Err(io::Error::last_os_error());
            }
            raise_loopback()?;
            files.iter().try_for_each(|(path, text)| write_file(path, text.as_bytes()))
        };
        // SAFETY: between fork and exec `enter` makes system calls only, and allocates nothing.
        unsafe { self.pre_exec(enter) }
    }
}

fn raise_loopback() -> io::Result<()> {
    // SAFETY: an ifreq is plain numbers, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: socket and close take numbers, and SIOCSIFFLAGS reads one ifreq.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd == -1 || libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request) == -1 || libc::close(fd) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn write_file(path: &CString, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: `path` ends in a zero byte, and `bytes` are as many as we say.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd == -1 || libc::write(fd, bytes.as_ptr().cast(), bytes.len()) == -1 || libc::close(fd) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
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
