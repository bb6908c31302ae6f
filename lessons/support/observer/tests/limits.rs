//! What a child is given, and what it may use.

mod common;

use common::{Scratch, child, run, stdout};
use observer::{Ending, Limits, Observer};

#[test]
fn a_full_pipe_never_blocks_a_captured_child() {
    // Far more than a pipe holds.
    let seen = run(child("print 1000000"));
    assert_eq!((seen.stdout.len(), seen.stderr.len()), (1_000_000, 1_000_000));
    assert!(seen.stdout.iter().all(|&byte| byte == b'o') && seen.stderr.iter().all(|&byte| byte == b'e'));
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
}

#[test]
fn output_without_end_ends() {
    let limits = Limits { file_size: Some(1 << 20), ..Limits::default() };
    let seen = run(child("print 3000000").limits(limits));
    assert_eq!(seen.stdout.len(), 1 << 20);
    assert_eq!(seen.trace.ending, Ending::Killed { signal: "SIGXFSZ".to_string() });
}

#[test]
fn memory_is_limited() {
    let limits = Limits { memory: Some(256 << 20), ..Limits::default() };
    assert_eq!(stdout(&run(child("allocate 1000000000").limits(limits))), "refused\n");
    assert_eq!(stdout(&run(child("allocate 1000000000"))), "allocated\n");
}

#[test]
fn too_little_memory_to_start_is_an_error_or_an_ending_and_no_riddle() {
    let limits = Limits { memory: Some(4096), ..Limits::default() };
    match child("pair").limits(limits).run() {
        Err(error) => assert!(error.to_string().contains("cannot start"), "{error}"),
        Ok(seen) => {
            assert!(matches!(seen.trace.ending, Ending::Killed { .. } | Ending::Exited { status: 127 }), "{seen:?}")
        }
    }
}

#[test]
fn descriptors_are_limited() {
    let limits = Limits { descriptors: Some(20), ..Limits::default() };
    assert_eq!(stdout(&run(child("open 100").limits(limits))), format!("19 Some({})\n", libc::EMFILE));
}

#[test]
fn a_child_gets_a_clean_state() {
    let scratch = Scratch::new("state");
    let seen = run(child("state").directory(&scratch.0).env("OBSERVED", "first").env("OBSERVED", "yes"));
    let directory = scratch.0.canonicalize().expect("it exists");
    let expected = format!(
        "directory {}\nvariable yes\nblocked 0, ignored []\ndescriptors {}\ninput 0\n",
        directory.display(),
        3 + inheritable(),
    );
    assert_eq!(stdout(&seen), expected, "{}", String::from_utf8_lossy(&seen.stderr));
}

/// How many descriptors this test itself was given, beyond the standard streams, that an exec does not close.
fn inheritable() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("a process can list its descriptors");
    let descriptors = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // SAFETY: plain numbers.
    descriptors.filter(|&fd| fd > 2 && unsafe { libc::fcntl(fd, libc::F_GETFD) } == 0).count()
}

#[test]
fn a_captured_child_is_in_a_group_of_its_own() {
    // It kills its whole group; this test survives that.
    let seen = run(Observer::new("/bin/sh").arg("-c").arg("kill -TERM 0").capture());
    assert_eq!(seen.trace.ending, Ending::Killed { signal: "SIGTERM".to_string() });
}

#[test]
fn values_are_kept_up_to_the_limit_and_lines_are_cut_as_strace_cuts_them() {
    let observer = |bytes| child("send11").keep_bytes(bytes);
    for (keep, kept) in [(4096, "hello world"), (5, "hello")] {
        let seen = run(observer(keep));
        let send = common::calls(&seen.trace).into_iter().find(|call| call.name == "sendto").expect("sendto is seen");
        let value = send.arg("buf").and_then(|arg| arg.value.clone());
        assert_eq!(value, Some(observer::Value::Bytes(kept.as_bytes().to_vec())));
        assert_eq!(send.line(), "sendto(3, \"hello world\", 11, 0, NULL, 0) = 11");
    }
}
