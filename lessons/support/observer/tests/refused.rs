//! What a machine may refuse: each refusal is simulated by a seccomp rule in a helper process, and gives a clear error or
//! a slower way to the same trace; never a panic, a hang or nothing at all.

mod common;

use std::process::{Command, Output};

use common::{child, children, gone, program, run, stdout};
use observer::{Ending, Observer};

/// An observer inside a process to which that system call is forbidden.
fn without(call: &str, errno: i32, program: &str, args: &[&str]) -> Output {
    Command::new(children())
        .args(["without", call, &errno.to_string(), program])
        .args(args)
        .output()
        .expect("the helper can be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pair() -> (String, [&'static str; 1]) {
    (children().display().to_string(), ["pair"])
}

/// The lines of an ordinary run, without what differs from run to run.
fn ordinary_lines() -> Vec<String> {
    let (program, args) = pair();
    comparable(&text(&without("close_range", libc::ENOSYS, &program, &args).stdout))
}

fn comparable(lines: &str) -> Vec<String> {
    lines.lines().filter(|line| !line.starts_with("execve(")).map(str::to_string).collect()
}

#[test]
fn tracing_refused_is_an_error_that_says_how_to_allow_it() {
    let (program, args) = pair();
    for (errno, why) in [(libc::EPERM, "Operation not permitted"), (libc::ENOSYS, "Function not implemented")] {
        let output = without("ptrace", errno, &program, &args);
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        for part in ["ptrace(PTRACE_SEIZE) was refused", why, "--cap-add=SYS_PTRACE", "ptrace_scope"] {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn a_kernel_that_does_not_describe_calls_is_an_error_that_says_so() {
    let (program, args) = pair();
    // As a kernel before 5.3 answers.
    let output = without("get-syscall-info", libc::EIO, &program, &args);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("ptrace(PTRACE_GET_SYSCALL_INFO) was refused"), "{said}");
}

#[test]
fn a_child_that_is_itself_traced_may_not_trace() {
    let (program, args) = pair();
    let seen = run(child(&format!("observe {program} {}", args[0])));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 1 });
    let said = text(&seen.stderr);
    assert!(said.contains("ptrace(PTRACE_SEIZE) was refused") && said.contains("not permitted"), "{said}");
    for event in &seen.trace.events {
        assert!(gone(event.pid), "process {} is still there", event.pid);
    }
}

#[test]
fn under_strace_tracing_is_refused_too() {
    let Some(strace) = program("strace") else {
        println!("did not run: strace is not installed");
        return;
    };
    let (program, args) = pair();
    let log = common::Scratch::new("strace");
    let output = Command::new(strace)
        .args(["-f", "-o"])
        .arg(log.0.join("log"))
        .arg(children())
        .args(["observe", &program, args[0]])
        .output()
        .expect("strace can be started");
    let said = text(&output.stderr);
    assert!(said.contains("ptrace(PTRACE_SEIZE) was refused"), "{said}");
}

#[test]
fn without_a_filter_the_trace_is_the_same() {
    let (program, args) = pair();
    let ordinary = ordinary_lines();
    assert!(ordinary.iter().any(|line| line.starts_with("sendto(")), "{ordinary:#?}");
    for errno in [libc::EPERM, libc::EINVAL, libc::ENOSYS] {
        let output = without("filter", errno, &program, &args);
        assert_eq!(comparable(&text(&output.stdout)), ordinary, "{}", text(&output.stderr));
    }
}

#[test]
fn without_a_filter_a_family_is_followed_too() {
    let program = children().display().to_string();
    let output = without("filter", libc::EPERM, &program, &["family"]);
    let lines = text(&output.stdout);
    let count = |name: &str| lines.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((count("socketpair("), count("sendto("), count("recvfrom("), count("close(")), (6, 6, 6, 12), "{lines}");
}

#[test]
fn memory_is_read_another_way_where_the_usual_one_is_refused() {
    let (program, args) = pair();
    for errno in [libc::EPERM, libc::ENOSYS] {
        let output = without("process_vm_readv", errno, &program, &args);
        assert_eq!(comparable(&text(&output.stdout)), ordinary_lines(), "{}", text(&output.stderr));
    }
}

#[test]
fn bad_pointers_print_alike_however_memory_is_read() {
    let corpus = env!("CARGO_BIN_EXE_observer-corpus");
    let ordinary = without("close_range", libc::ENOSYS, corpus, &["bad-pointers"]);
    let otherwise = without("process_vm_readv", libc::EPERM, corpus, &["bad-pointers"]);
    let names = |output: &Output| -> Vec<String> {
        // Names and results: the addresses of good memory differ from run to run.
        let lines = text(&output.stdout);
        let part = |line: &str| Some((line.split_once('(')?.0.to_string(), line.rsplit_once(" = ")?.1.to_string()));
        lines.lines().filter_map(part).map(|(name, result)| format!("{name} {result}")).collect()
    };
    assert!(names(&ordinary).len() > 350, "{}", text(&ordinary.stderr));
    assert_eq!(names(&otherwise), names(&ordinary));
}

#[test]
fn a_host_without_standard_streams_still_captures_its_child() {
    // Closes all three and then observes; the pipes and memory files get the numbers 0 to 2.
    let script = r#"exec 0<&- 1>&- 2>&-; exec "$0" observe "$0" pair"#;
    let status =
        Command::new("/bin/sh").arg("-c").arg(script).arg(children()).status().expect("a shell can be started");
    // Printing fails (there is no output), but the run itself goes through.
    assert!(status.code().is_some(), "{status}");
    let seen = run(Observer::new("/bin/sh").arg("-c").arg("echo out; echo err >&2").capture());
    assert_eq!((stdout(&seen).as_str(), text(&seen.stderr).as_str()), ("out\n", "err\n"));
}

/// A process that has changed its user, for example, may not be looked into by others, and nor may its children. That must not
/// keep it from observing them.
#[test]
fn a_host_that_hides_may_still_observe() {
    let output = Command::new(children())
        .arg("hide-and-observe")
        .arg(children())
        .arg("pair")
        .output()
        .expect("the helper can be started");
    assert_eq!(comparable(&text(&output.stdout)), ordinary_lines(), "{}", text(&output.stderr));
}

/// A process may forbid others to look at its memory and its descriptors. A tracer without privilege then sees less, and
/// shows what it sees.
#[test]
fn a_child_that_hides_is_still_traced() {
    let seen = run(child("undumpable"));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
    let names = common::names(&seen.trace);
    for name in ["socketpair", "write", "recvfrom"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let write = common::calls(&seen.trace).into_iter().find(|call| call.name == "write").expect("it was there");
    // SAFETY: geteuid takes nothing and cannot fail.
    let sees = if unsafe { libc::geteuid() } == 0 { "write(3, \"dark\", 4)" } else { "write(3, 0x" };
    assert!(write.line().starts_with(sees), "{}", write.line());
}
