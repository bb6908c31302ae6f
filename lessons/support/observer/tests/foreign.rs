//! 32-bit programs on x86_64: their calls have other numbers, and are not shown. The trace says so.

#![cfg(target_arch = "x86_64")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::{Scratch, child, lines, names, run, stdout};
use observer::{Ending, Error, Guard, Observation, Observer};

const REMARK: &str = "a program made 32-bit system calls: they are not shown";

/// A 32-bit program, byte by byte: it makes a TCP socket and exits with its descriptor as the status.
fn program() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    #[rustfmt::skip]
    let code: &[u8] = &[
        0xb8, 0x67, 0x01, 0x00, 0x00, // mov eax, 359 (socket)
        0xbb, 0x02, 0x00, 0x00, 0x00, // mov ebx, AF_INET
        0xb9, 0x01, 0x00, 0x00, 0x00, // mov ecx, SOCK_STREAM
        0x31, 0xd2,                   // xor edx, edx
        0xcd, 0x80,                   // int 0x80
        0x89, 0xc3,                   // mov ebx, eax
        0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1 (exit)
        0xcd, 0x80,                   // int 0x80
    ];
    let (header, table) = (52_u32, 32_u32);
    let size = header + table + code.len() as u32;
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, 3] {
        // An executable, for the i386.
        file.extend(half.to_le_bytes());
    }
    for word in [1, BASE + header + table, header, 0, 0] {
        file.extend(u32::to_le_bytes(word));
    }
    for half in [header as u16, table as u16, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // One segment, readable and executable, with everything in it.
    for word in [1, 0, BASE, BASE, size, size, 5, 0x1000] {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(code);
    file
}

/// Runs it, unless this kernel runs no 32-bit programs.
fn observe(name: &str, guard: Guard) -> Option<Observation> {
    let scratch = Scratch::new(name);
    let path = scratch.0.join("thirty-two");
    std::fs::write(&path, program()).expect("the program can be written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("and made executable");
    // A child that another test forked just now may hold the file open for writing until its exec; till then nobody can
    // run it.
    let deadline = Instant::now() + Duration::from_secs(60);
    let result = loop {
        let result = Observer::new(&path).capture().guard(guard).run();
        let busy = matches!(&result, Err(Error::Start { source, .. }) if source.raw_os_error() == Some(libc::ETXTBSY));
        if !busy || Instant::now() > deadline {
            break result;
        }
    };
    match result {
        Err(Error::Start { source, .. }) if source.raw_os_error() == Some(libc::ENOEXEC) => {
            println!("did not run: this kernel runs no 32-bit programs");
            None
        }
        other => Some(other.expect("the program can be observed")),
    }
}

#[test]
fn a_32_bit_program_runs_and_its_calls_are_missing_with_a_remark() {
    let Some(seen) = observe("thirty-two", Guard::Off) else { return };
    assert!(matches!(seen.trace.ending, Ending::Exited { status: 3.. }), "{:?}", seen.trace.ending);
    assert_eq!(seen.trace.remarks, [REMARK]);
    assert_eq!(names(&seen.trace), ["execve"], "{:#?}", lines(&seen.trace));
}

#[test]
fn the_guard_lets_no_32_bit_socket_past() {
    let Some(seen) = observe("thirty-two-guarded", Guard::Loopback) else { return };
    // -EPERM, as an exit status.
    assert_eq!(seen.trace.ending, Ending::Exited { status: 255 }, "{:#?}", lines(&seen.trace));
}

#[test]
fn a_32_bit_call_in_a_64_bit_program_is_remarked_upon_and_the_rest_is_shown() {
    let seen = run(child("int80"));
    if matches!(&seen.trace.ending, Ending::Killed { signal } if signal == "SIGSEGV") {
        println!("did not run: this kernel takes no 32-bit system calls");
        return;
    }
    assert_eq!(stdout(&seen), "as expected\n");
    assert_eq!(seen.trace.remarks, [REMARK]);
    assert_eq!(names(&seen.trace).iter().filter(|name| **name == "sendto").count(), 1, "{:#?}", lines(&seen.trace));
}

#[test]
fn an_x32_call_does_no_harm() {
    let seen = run(child("x32"));
    assert_eq!(stdout(&seen), "as expected\n");
    assert_eq!(seen.trace.remarks, [REMARK]);
    assert_eq!(seen.trace.ending, Ending::Exited { status: 0 });
}
