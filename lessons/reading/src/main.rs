//! The experiments of the first pages: how to read a system-call line, errno, and file descriptors.
//!
//! Each is a short function of plain system calls. The descriptors that it leaves open are closed by the kernel when the
//! experiment's process ends, a moment later. Play them with `cargo run -p lesson-reading`.

use std::fs;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Expected, Experiment, Lesson, Stop, calls, prints};
use nix::sys::socket::Backlog;

fn main() -> ExitCode {
    lab::run(&LESSON)
}

static LESSON: Lesson = Lesson {
    name: "reading",
    experiments: &[
        Experiment {
            name: "a-line",
            shows: "We ask for a socket, and for one of an address family that does not exist.",
            notice: "One line a call: name, arguments, and the answer behind the =. A failed call has an answer too: -1, and why.",
            outcomes: &[Expected::anywhere(&[calls("socket", "fd EAFNOSUPPORT")])],
            play: a_line,
        },
        Experiment {
            name: "send-is-sendto",
            shows: "The program calls send and recv.",
            notice: "The kernel has no calls of these names: the C library asks for sendto and recvfrom, without an address.",
            outcomes: &[Expected::anywhere(&[calls("sendto", "5"), calls("recvfrom", "5"), prints("received hello")])],
            play: send_is_sendto,
        },
        Experiment {
            name: "no-line",
            shows: "nix is asked for a backlog of 5000, which it does not allow.",
            notice: "An errno, and no line: the library looked at the number itself, and the kernel was never asked.",
            outcomes: &[Expected::anywhere(&[calls("listen", ""), prints("nix says EINVAL")])],
            play: no_line,
        },
        Experiment {
            name: "blocked",
            shows: "A child process waits for data that nobody sends, until its parent ends it.",
            notice: "The call began and never returned: <unfinished ...>, and = ? for an answer.",
            outcomes: &[Expected::anywhere(&[calls("recvfrom", "?")])],
            play: blocked,
        },
        Experiment {
            name: "errno-after-success",
            shows: "A call fails, the next one works; then we read errno.",
            notice: "errno still tells of the first call. A success leaves it alone, so look at the result first.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "EAFNOSUPPORT fd"),
                prints("errno after the success: Address family not supported by protocol"),
            ])],
            play: errno_after_success,
        },
        Experiment {
            name: "errno-overwritten",
            shows: "A call fails, and before we read errno another one fails.",
            notice: "There is one errno, not a list: the second failure wrote over the first. Read it before anything else.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "EAFNOSUPPORT"),
                calls("shutdown", "EBADF"),
                prints("errno: Bad file descriptor"),
            ])],
            play: errno_overwritten,
        },
        Experiment {
            name: "errno-per-thread",
            shows: "A call of the first thread fails; then a second thread reads errno, makes a failing call, and reads it again.",
            notice: "Each thread has an errno of its own: the second one saw nothing of the first one's failure.",
            outcomes: &[Expected::anywhere(&[
                calls("socket", "EAFNOSUPPORT"),
                calls("shutdown", "EBADF"),
                prints("first thread, after its call:    Address family not supported by protocol"),
                prints("second thread, before its call:  Success"),
                prints("second thread, after its call:   Bad file descriptor"),
            ])],
            play: errno_per_thread,
        },
        Experiment {
            name: "lowest-number",
            shows: "We ask for sockets, and close a descriptor in between: first 0, then 3.",
            notice: "The new number is the lowest that is free, and 0 is a number like any other. (Descriptor 0 was no socket, so \
                     its close is not among the lines.)",
            outcomes: &[Expected::anywhere(&[calls("socket", "3 0 4 3"), calls("close", "0")])],
            play: lowest_number,
        },
        Experiment {
            name: "shared-description",
            shows: "Descriptor 4 is a dup of 3. Through 3 we set O_NONBLOCK and FD_CLOEXEC, and look at 4.",
            notice: "O_NONBLOCK belongs to the open file description, which both share; FD_CLOEXEC belongs to the number.",
            outcomes: &[Expected::anywhere(&[
                calls("dup", "4"),
                calls("fcntl", "n 0 0 n 0"),
                prints("descriptor 4: O_NONBLOCK yes, FD_CLOEXEC no"),
            ])],
            play: shared_description,
        },
        Experiment {
            name: "fork-shares",
            shows: "A child process sets O_NONBLOCK on its copy of descriptor 3; then the parent looks at its own.",
            notice: "fork copies the table of descriptors, not what it points to: the parent's socket does not wait any more.",
            outcomes: &[Expected::anywhere(&[calls("fcntl", "n 0 n"), prints("O_NONBLOCK before: no, after: yes")])],
            play: fork_shares,
        },
    ],
    errnos: &[],
};

fn a_line() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: as above.
    let strange = unsafe { libc::socket(NO_FAMILY, libc::SOCK_STREAM, 0) };
    if strange != -1 {
        return Err(Stop::unexpected("there is an address family 99"));
    }
    Ok(())
}

/// An address family that no kernel has.
const NO_FAMILY: libc::c_int = 99;

fn send_is_sendto() -> Result<(), Stop> {
    // Two sockets that are connected to each other, and to nothing else.
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }

    let message = b"hello";
    // SAFETY: `message` is as long as we say, and send only reads it.
    if unsafe { libc::send(pair[0], message.as_ptr().cast(), message.len(), 0) } == -1 {
        return Err(Stop::failed("send"));
    }

    let mut buffer = [0_u8; 64];
    // SAFETY: `buffer` has room for as many bytes as we say.
    let received = unsafe { libc::recv(pair[1], buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if received == -1 {
        return Err(Stop::failed("recv"));
    }
    println!("received {}", String::from_utf8_lossy(&buffer[..received as usize]));
    Ok(())
}

fn no_line() -> Result<(), Stop> {
    match Backlog::new(5000) {
        Ok(_) => Err(Stop::unexpected("this nix allows a backlog of 5000")),
        Err(errno) => {
            println!("nix says {errno}");
            Ok(())
        }
    }
}

fn blocked() -> Result<(), Stop> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for the two descriptors that socketpair writes.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } == -1 {
        return Err(Stop::failed("socketpair"));
    }

    // SAFETY: this process has one thread, so the child may go on as it likes.
    let child = unsafe { libc::fork() };
    if child == -1 {
        return Err(Stop::failed("fork"));
    }
    if child == 0 {
        let mut buffer = [0_u8; 64];
        // Nobody ever sends anything to pair[1].
        // SAFETY: `buffer` has room for as many bytes as we say.
        let received = unsafe { libc::recv(pair[1], buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        // SAFETY: _exit takes a number and does not return. We only come here if something is wrong.
        unsafe { libc::_exit(if received == -1 { 1 } else { 2 }) };
    }

    wait_until_it_sleeps(child)?;
    // SAFETY: kill takes two numbers, and `child` is ours.
    if unsafe { libc::kill(child, libc::SIGKILL) } == -1 {
        return Err(Stop::failed("kill"));
    }
    wait_for(child)?;
    Ok(())
}

/// Waits until a process of one thread sleeps in a system call: state S in /proc/PID/stat.
fn wait_until_it_sleeps(pid: libc::pid_t) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let line = fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|error| Stop::unexpected(format!("/proc/{pid}/stat cannot be read: {error}")))?;
        // Such as `4711 (lesson-reading) S 4710 …`: the state follows the name.
        let state = line.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if state == Some('S') {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!("after 10 seconds the child does not sleep; its state is {state:?}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for the end of a child process, and says how it ended.
fn wait_for(pid: libc::pid_t) -> Result<libc::c_int, Stop> {
    let mut status = 0;
    // SAFETY: `status` is an int that lives through the call.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        return Err(Stop::failed("waitpid"));
    }
    Ok(status)
}

fn errno_after_success() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let strange = unsafe { libc::socket(NO_FAMILY, libc::SOCK_STREAM, 0) };
    // SAFETY: as above.
    let good = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    let errno = io::Error::last_os_error();

    if strange != -1 || good == -1 {
        return Err(Stop::unexpected("the first call should have failed, and the second one worked"));
    }
    println!("errno after the success: {errno}");
    Ok(())
}

fn errno_overwritten() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let strange = unsafe { libc::socket(NO_FAMILY, libc::SOCK_STREAM, 0) };
    // Tidy up first, and look at the error later: a mistake.
    // SAFETY: shutdown takes two numbers and no pointer.
    let tidied = unsafe { libc::shutdown(strange, libc::SHUT_RDWR) };
    let errno = io::Error::last_os_error();

    if strange != -1 || tidied != -1 {
        return Err(Stop::unexpected("both calls should have failed"));
    }
    println!("errno: {errno}");
    Ok(())
}

fn errno_per_thread() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let strange = unsafe { libc::socket(NO_FAMILY, libc::SOCK_STREAM, 0) };
    let first = io::Error::last_os_error();

    let (tell, hear) = mpsc::channel();
    thread::spawn(move || -> Result<(), mpsc::SendError<_>> {
        let before = io::Error::last_os_error();
        // SAFETY: shutdown takes two numbers and no pointer.
        let shut = unsafe { libc::shutdown(-1, libc::SHUT_RDWR) };
        tell.send((before, shut, io::Error::last_os_error()))?;
        loop {
            thread::park(); // until the process ends
        }
    });
    let Ok((before, shut, after)) = hear.recv() else {
        return Err(Stop::unexpected("the second thread ended without a word"));
    };

    if strange != -1 || shut != -1 {
        return Err(Stop::unexpected("both calls should have failed"));
    }
    println!("first thread, after its call:    {first}");
    println!("second thread, before its call:  {before}");
    println!("second thread, after its call:   {after}");
    Ok(())
}

fn lowest_number() -> Result<(), Stop> {
    // 0, 1 and 2 are open, as in every program.
    // SAFETY: socket takes three numbers and no pointer.
    let three = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    // SAFETY: nothing in this process reads its standard input.
    if unsafe { libc::close(0) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: as for the first socket.
    let zero = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    // SAFETY: as for the first socket.
    let four = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    // SAFETY: `three` is ours, and is not used after this line.
    if unsafe { libc::close(three) } == -1 {
        return Err(Stop::failed("close"));
    }
    // SAFETY: as for the first socket.
    let three_again = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };

    if [three, zero, four, three_again].contains(&-1) {
        return Err(Stop::failed("socket"));
    }
    Ok(())
}

fn shared_description() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let three = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if three == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: dup takes a number and no pointer.
    let four = unsafe { libc::dup(three) };
    if four == -1 {
        return Err(Stop::failed("dup"));
    }

    // Through 3: one flag for the description, and one for the number.
    // SAFETY: these commands of fcntl take numbers and no pointer.
    let flags = unsafe { libc::fcntl(three, libc::F_GETFL) };
    if flags == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(three, libc::F_SETFL, flags | libc::O_NONBLOCK) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFL)"));
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(three, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(Stop::failed("fcntl(F_SETFD)"));
    }

    // What does 4 have?
    // SAFETY: as above.
    let (flags, number_flags) = unsafe { (libc::fcntl(four, libc::F_GETFL), libc::fcntl(four, libc::F_GETFD)) };
    if flags == -1 || number_flags == -1 {
        return Err(Stop::failed("fcntl"));
    }
    let (nonblock, cloexec) = (flags & libc::O_NONBLOCK != 0, number_flags & libc::FD_CLOEXEC != 0);
    println!("descriptor 4: O_NONBLOCK {}, FD_CLOEXEC {}", yes_or_no(nonblock), yes_or_no(cloexec));
    Ok(())
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

fn fork_shares() -> Result<(), Stop> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if fd == -1 {
        return Err(Stop::failed("socket"));
    }
    // SAFETY: this command of fcntl takes numbers and no pointer.
    let before = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if before == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }

    // SAFETY: this process has one thread, so the child may go on as it likes.
    let child = unsafe { libc::fork() };
    if child == -1 {
        return Err(Stop::failed("fork"));
    }
    if child == 0 {
        // The child changes its own copy of the descriptor, and goes.
        // SAFETY: this command of fcntl takes numbers and no pointer.
        let changed = unsafe { libc::fcntl(fd, libc::F_SETFL, before | libc::O_NONBLOCK) };
        // SAFETY: _exit takes a number and does not return.
        unsafe { libc::_exit(if changed == -1 { 1 } else { 0 }) };
    }
    if wait_for(child)? != 0 {
        return Err(Stop::unexpected("the child's fcntl failed"));
    }

    // SAFETY: as for the first fcntl.
    let after = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if after == -1 {
        return Err(Stop::failed("fcntl(F_GETFL)"));
    }
    let [before, after] = [before, after].map(|flags| yes_or_no(flags & libc::O_NONBLOCK != 0));
    println!("O_NONBLOCK before: {before}, after: {after}");
    Ok(())
}
