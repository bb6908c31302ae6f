//! The programs that the observer's tests observe, each a sub-command: `pair`, `family` …
//! Each does one thing and makes no call that it need not make, so that tests can count.

use std::ffi::CString;
use std::fmt;
use std::io::{self, Read, Write};
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, c_long, pid_t};
use observer::{Observer, fence};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match play(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("children {}: {error}", args.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn play(args: &[&str]) -> io::Result<()> {
    match *args {
        ["pair"] => pair(),
        ["family"] => family(),
        ["threads", count] => threads(number(count)?),
        ["pairs", count] => pairs(number(count)?),
        ["work"] => work(),
        ["thread-exec"] => thread_exec(),
        ["leader-exits"] => leader_exits(),
        ["hang"] => hang(),
        ["hang", pid_file] => {
            std::fs::write(pid_file, std::process::id().to_string())?;
            hang()
        }
        ["leave-behind"] => leave_behind(),
        ["hang-with-thread"] => hang_with_thread(),
        ["bomb"] => bomb(),
        ["kill", signal] => kill_self(number(signal)?),
        ["pipe"] => pipe(),
        ["segv"] => segv(),
        ["stop"] => stop(),
        ["interrupted"] => interrupted(),
        ["fence"] => fenced(),
        ["fence-killed"] => fence_killed(),
        ["fence-thread"] => fence_thread(),
        ["conversation"] => conversation(),
        ["shared"] => shared(),
        ["accept3"] => accept3(),
        ["send11"] => send11(),
        ["dup"] => dup(),
        ["reuse"] => reuse(),
        ["not-open"] => not_open(),
        ["pass"] => pass(),
        ["calls"] => calls(),
        ["print", bytes] => print(number(bytes)?),
        ["allocate", bytes] => allocate(number(bytes)?),
        ["open", count] => open(number(count)?),
        ["state"] => state(),
        ["guard"] => guard(),
        ["guard-in-namespace"] => guard_in_namespace(),
        ["undumpable"] => undumpable(),
        ["io-uring"] => io_uring(),
        #[cfg(target_arch = "x86_64")]
        ["int80"] => int80(),
        #[cfg(target_arch = "x86_64")]
        ["x32"] => x32(),
        ["observe", program, ref rest @ ..] => observe(program, rest),
        ["hide-and-observe", program, ref rest @ ..] => {
            // SAFETY: plain numbers.
            check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })?;
            observe(program, rest)
        }
        ["collect", program, ref rest @ ..] => collect(program, rest),
        ["without", "pidfd_getfd", errno, program, "look", child, rest] if program == child => {
            forbid("pidfd_getfd", number(errno)?)?;
            look(child, rest)
        }
        ["without", call, errno, program, ref rest @ ..] => {
            forbid(call, number(errno)?)?;
            observe(program, rest)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "no such child")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{text} is not a number")))
}

/// The result of a system call, or its errno.
fn check<T: TryInto<c_int>>(result: T) -> io::Result<c_int> {
    match result.try_into() {
        Ok(-1) => Err(io::Error::last_os_error()),
        Ok(result) => Ok(result),
        Err(_) => Err(io::Error::other("the result of a system call is out of range")),
    }
}

/// Five socket calls: socketpair, sendto, recvfrom, close, close.
fn pair() -> io::Result<()> {
    let [a, b] = socketpair()?;
    send(a, b"x")?;
    receive(b)?;
    close(a)?;
    close(b)
}

fn socketpair() -> io::Result<[c_int; 2]> {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) })?;
    Ok(ends)
}

fn send(fd: c_int, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `bytes`.
    let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn receive(fd: c_int) -> io::Result<usize> {
    let mut buffer = [0; 64];
    // SAFETY: the pointer and the length are those of `buffer`.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

fn close(fd: c_int) -> io::Result<()> {
    // SAFETY: a plain number.
    check(unsafe { libc::close(fd) }).map(drop)
}

/// Six threads of life: this one, a second thread, three forks, and a vfork that becomes `pair`. Thirty socket calls.
fn family() -> io::Result<()> {
    pair()?;
    let thread = std::thread::spawn(pair);
    let mut children = Vec::new();
    for _ in 0..3 {
        children.push(fork(pair)?);
    }
    children.push(vfork_exec("pair")?);
    thread.join().map_err(|_| io::Error::other("the thread panicked"))??;
    children.into_iter().try_for_each(wait_for)
}

fn threads(count: usize) -> io::Result<()> {
    let threads: Vec<_> = (0..count).map(|_| std::thread::spawn(|| pairs(20))).collect();
    for thread in threads {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))??;
    }
    Ok(())
}

fn pairs(count: usize) -> io::Result<()> {
    (0..count).try_for_each(|_| pair())
}

/// Runs `then` in a forked child, which exits 0 if it went well.
fn fork(then: impl FnOnce() -> io::Result<()>) -> io::Result<pid_t> {
    // SAFETY: the child uses what it has inherited and ends without returning.
    match check(unsafe { libc::fork() })? {
        0 => {
            let status = if then().is_ok() { 0 } else { 1 };
            // SAFETY: ends the process.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid),
    }
}

fn vfork_exec(child: &str) -> io::Result<pid_t> {
    let (program, arg) = (own_path()?, CString::new(child)?);
    let argv = [program.as_ptr(), arg.as_ptr(), ptr::null()];
    let envp = [ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: all pointers live until it returns; posix_spawn uses vfork.
    let errno = unsafe {
        let argv = argv.as_ptr().cast::<*mut libc::c_char>();
        libc::posix_spawn(&raw mut pid, program.as_ptr(), ptr::null(), ptr::null(), argv, envp.as_ptr())
    };
    if errno == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(errno)) }
}

fn own_path() -> io::Result<CString> {
    Ok(CString::new(std::env::current_exe()?.as_os_str().as_bytes())?)
}

fn wait_for(pid: pid_t) -> io::Result<()> {
    let mut status = 0;
    // SAFETY: `status` is a local.
    check(unsafe { libc::waitpid(pid, &raw mut status, 0) })?;
    if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!("process {pid} ended with status {status:#x}")))
}

/// What the benchmark measures: 20,000 pairs of send and recv, and 80,000 calls that are of no interest.
fn work() -> io::Result<()> {
    let [a, b] = socketpair()?;
    for _ in 0..20_000 {
        send(a, b"hello")?;
        receive(b)?;
        for _ in 0..4 {
            // SAFETY: asks for a number.
            unsafe { libc::getppid() };
        }
    }
    Ok(())
}

/// The second thread becomes `pair`, while the first waits in recv.
fn thread_exec() -> io::Result<()> {
    let [a, _b] = socketpair()?;
    let first = std::process::id() as pid_t;
    let program = own_path()?;
    std::thread::spawn(move || {
        let waited = until("the first thread waits in recvfrom", || in_call(first, libc::SYS_recvfrom));
        if let Err(error) = waited {
            eprintln!("{error}");
            std::process::exit(1);
        }
        let argv = [program.as_ptr(), c"pair".as_ptr(), ptr::null()];
        // SAFETY: both are C strings in a null-terminated array, and live until the exec.
        unsafe { libc::execv(program.as_ptr(), argv.as_ptr()) };
        eprintln!("execv: {}", io::Error::last_os_error());
        std::process::exit(1);
    });
    receive(a).map(drop)
}

/// The first thread ends; the second goes on, and ends the process with status 3.
fn leader_exits() -> io::Result<()> {
    let first = std::process::id() as pid_t;
    std::thread::spawn(move || {
        let gone = until("the first thread is gone", || state_of(first) == Some('Z'));
        let status = if gone.is_ok() && pair().is_ok() { 3 } else { 1 };
        std::process::exit(status);
    });
    // SAFETY: ends this thread alone; nothing that it owns is used by the other.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    Ok(())
}

/// Waits for a byte that never comes.
fn hang() -> io::Result<()> {
    let [a, _b] = socketpair()?;
    receive(a).map(drop)
}

fn hang_with_thread() -> io::Result<()> {
    let thread = std::thread::spawn(hang);
    hang()?;
    thread.join().map_err(|_| io::Error::other("the thread panicked"))?
}

/// Ends, and leaves a child that waits forever. Prints that child's id.
fn leave_behind() -> io::Result<()> {
    let child = fork(hang)?;
    println!("{child}");
    until("the child waits in recvfrom", || in_call(child, libc::SYS_recvfrom))
}

/// Every process makes another, and another.
fn bomb() -> io::Result<()> {
    loop {
        // SAFETY: the child does the same as its parent.
        if unsafe { libc::fork() } == -1 {
            std::thread::yield_now();
        }
    }
}

fn kill_self(signal: c_int) -> io::Result<()> {
    // SAFETY: sends this process a signal.
    check(unsafe { libc::kill(libc::getpid(), signal) }).map(drop)
}

/// Sends to a peer that is gone. (The Rust runtime ignores SIGPIPE: not here.)
fn pipe() -> io::Result<()> {
    // SAFETY: sets a signal back to its default.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let [a, b] = socketpair()?;
    close(b)?;
    send(a, b"dead").map(drop)
}

fn segv() -> io::Result<()> {
    // SAFETY: sets a signal back to its default.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    // SAFETY: none: to die of this is what the child is for.
    unsafe { ptr::write_volatile(std::hint::black_box(16) as *mut u8, 1) };
    Ok(())
}

/// A child polls; it is stopped, continued, and then its socket becomes readable. Every step is waited for.
fn stop() -> io::Result<()> {
    let [a, b] = socketpair()?;
    let child = fork(|| {
        let mut polled = libc::pollfd { fd: b, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which is a local.
        check(unsafe { libc::poll(&raw mut polled, 1, 60_000) }).map(drop)
    })?;
    #[cfg(target_arch = "x86_64")]
    let poll = libc::SYS_poll;
    #[cfg(not(target_arch = "x86_64"))]
    let poll = libc::SYS_ppoll;
    until("the child waits in poll", || in_call(child, poll))?;
    signal(child, libc::SIGSTOP)?;
    let mut status = 0;
    // SAFETY: `status` is a local.
    check(unsafe { libc::waitpid(child, &raw mut status, libc::WUNTRACED) })?;
    if !libc::WIFSTOPPED(status) {
        return Err(io::Error::other("SIGSTOP did not stop the child"));
    }
    signal(child, libc::SIGCONT)?;
    // SAFETY: `status` is a local.
    check(unsafe { libc::waitpid(child, &raw mut status, libc::WCONTINUED) })?;
    if !libc::WIFCONTINUED(status) {
        return Err(io::Error::other("SIGCONT did not continue the child"));
    }
    until("the child waits again", || in_call(child, libc::SYS_restart_syscall) || in_call(child, poll))?;
    send(a, b"x")?;
    wait_for(child)
}

fn signal(pid: pid_t, signal: c_int) -> io::Result<()> {
    // SAFETY: sends a signal to this process's own child.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

extern "C" fn nothing(_: c_int) {}

/// A signal with a handler interrupts recv: EINTR, which the tracer sees as ERESTARTSYS.
fn interrupted() -> io::Result<()> {
    // SAFETY: `action` is zeroed and then given a handler that does nothing.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        check(libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()))?;
    }
    let [a, _b] = socketpair()?;
    let child = fork(move || match receive(a) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        _ => Err(io::Error::other("recv was not interrupted")),
    })?;
    until("the child waits in recvfrom", || in_call(child, libc::SYS_recvfrom))?;
    signal(child, libc::SIGUSR1)?;
    wait_for(child)
}

/// One pair before the fence, one inside, one after, one more inside, and one after.
fn fenced() -> io::Result<()> {
    pair()?;
    fence::begin();
    pair()?;
    fence::end();
    pair()?;
    fence::begin();
    send(-1, b"again").unwrap_err();
    fence::end();
    fence::end();
    pair()
}

fn fence_killed() -> io::Result<()> {
    fence::begin();
    let [a, _b] = socketpair()?;
    kill_self(libc::SIGKILL)?;
    receive(a).map(drop)
}

/// A thread that is in a call when the fence closes.
fn fence_thread() -> io::Result<()> {
    let [a, b] = socketpair()?;
    let (tell, told) = std::sync::mpsc::channel();
    fence::begin();
    let thread = std::thread::spawn(move || {
        // SAFETY: asks for this thread's id.
        let _ = tell.send(unsafe { libc::gettid() });
        receive(a).map(drop)
    });
    let tid = told.recv().map_err(io::Error::other)?;
    until("the thread waits in recvfrom", || in_call(tid, libc::SYS_recvfrom))?;
    fence::end();
    send(b, b"x")?;
    thread.join().map_err(|_| io::Error::other("the thread panicked"))?
}

/// Three clients, three accepts; says what each accept gave.
fn accept3() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    for _ in 0..3 {
        let _client = std::net::TcpStream::connect(address)?;
        match listener.accept() {
            Ok(_) => println!("accepted"),
            Err(error) => println!("{:?}", error.raw_os_error()),
        }
    }
    Ok(())
}

/// A client connects and sends before it is accepted; it is read, closes, and its end is read; and the server closes.
fn conversation() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
    client.write_all(b"hello")?;
    let (mut server, _) = listener.accept()?;
    let mut buffer = [0; 16];
    server.read_exact(&mut buffer[..5])?;
    drop(client);
    if server.read(&mut buffer)? != 0 {
        return Err(io::Error::other("more than five bytes came"));
    }
    drop(server);
    drop(listener);
    // One more event, after which nothing of it is open.
    socketpair().map(drop)
}

/// A listener that a child process has, too.
fn shared() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    // SAFETY: the child makes one call and exits without running anything of its parent's.
    match check(unsafe { libc::fork() })? {
        0 => {
            let done = listener.local_addr().is_ok();
            // SAFETY: exits at once.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` is a local that the kernel fills.
            check(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
            Ok(())
        }
    }
}

/// Sends eleven bytes with the raw call, and says what it returned and what its length register holds afterwards.
fn send11() -> io::Result<()> {
    let [a, b] = socketpair()?;
    let text = b"hello world";
    let (sent, length) = raw_sendto(a, text);
    println!("sent {sent}, length {length}, received {}", receive(b)?);
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn raw_sendto(fd: c_int, text: &[u8]) -> (i64, usize) {
    let mut sent = libc::SYS_sendto;
    let mut length = text.len();
    // SAFETY: the sendto system call reads `length` bytes of `text`; the kernel changes rax, rcx and r11 only.
    unsafe {
        std::arch::asm!("syscall", inout("rax") sent, in("rdi") fd, in("rsi") text.as_ptr(), inout("rdx") length,
            in("r10") 0, in("r8") 0, in("r9") 0, out("rcx") _, out("r11") _);
    }
    (sent, length)
}

#[cfg(not(target_arch = "x86_64"))]
fn raw_sendto(fd: c_int, text: &[u8]) -> (i64, usize) {
    // SAFETY: the pointer and the length are those of `text`.
    (unsafe { libc::send(fd, text.as_ptr().cast(), text.len(), 0) } as i64, text.len())
}

/// One socket under many descriptors, and general calls on things that are no sockets.
fn dup() -> io::Result<()> {
    let [a, b] = socketpair()?;
    // SAFETY: plain numbers; results are checked.
    let (c, d) = unsafe {
        let c = check(libc::dup(a))?;
        (c, check(libc::fcntl(c, libc::F_DUPFD_CLOEXEC, 50))?)
    };
    let child = fork(move || send(d, b"from the child").map(drop))?;
    wait_for(child)?;
    // SAFETY: writes to standard error, and reads from an end of a pipe that is open.
    unsafe {
        let mut ends = [-1; 2];
        check(libc::pipe2(ends.as_mut_ptr(), 0))?;
        check(libc::write(ends[1], b"pipe".as_ptr().cast(), 4))?;
        let mut buffer = [0_u8; 8];
        check(libc::read(ends[0], buffer.as_mut_ptr().cast(), 8))?;
        check(libc::write(c, b"dup".as_ptr().cast(), 3))?;
        check(libc::read(b, buffer.as_mut_ptr().cast(), 8))?;
        // The pipe's end goes, and its number becomes the socket's: the next write is on a socket.
        check(libc::dup2(a, ends[1]))?;
        check(libc::write(ends[1], b"dup2".as_ptr().cast(), 4))?;
        // And the other way round.
        check(libc::dup2(ends[0], c))?;
        check(libc::fcntl(c, libc::F_GETFD))?;
    }
    Ok(())
}

/// The same descriptor number for one socket, then for a file, then for another socket.
fn reuse() -> io::Result<()> {
    let [a, _b] = socketpair()?;
    send(a, b"one")?;
    close(a)?;
    // SAFETY: opens a file, writes to it and closes it; results are checked.
    unsafe {
        let file = check(libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY))?;
        if file != a {
            return Err(io::Error::other("the lowest free descriptor was not taken"));
        }
        check(libc::write(file, b"file".as_ptr().cast(), 4))?;
        check(libc::syscall(libc::SYS_close_range, file, file, 0))?;
    }
    let [c, _d] = socketpair()?;
    if c != a {
        return Err(io::Error::other("the lowest free descriptor was not taken"));
    }
    send(c, b"two").map(drop)
}

/// Calls on numbers that are not open: a second close, fcntl, close of -1; and poll of -1, which is allowed.
fn not_open() -> io::Result<()> {
    fence::begin();
    let [a, _b] = socketpair()?;
    close(a)?;
    let mut nobody = libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 };
    // SAFETY: numbers, and one pollfd that lives through the call.
    let results =
        unsafe { [libc::close(a), libc::fcntl(a, libc::F_GETFL), libc::close(-1), libc::poll(&raw mut nobody, 1, 0)] };
    fence::end();
    if results == [-1, -1, -1, 0] { Ok(()) } else { Err(io::Error::other("a number that was not open worked")) }
}

/// Passes a socket through another one.
fn pass() -> io::Result<()> {
    let [a, b] = socketpair()?;
    let [passed, other] = socketpair()?;
    let mut byte = 0_u8;
    let mut iov = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the control buffer is large enough for one descriptor, and all pointers go to locals.
    let received = unsafe {
        let mut control = [0_u64; 8];
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<c_int>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast::<c_int>(), passed);
        check(libc::sendmsg(a, &raw const message, 0))?;
        check(libc::recvmsg(b, &raw mut message, 0))?;
        ptr::read_unaligned(libc::CMSG_DATA(libc::CMSG_FIRSTHDR(&raw const message)).cast::<c_int>())
    };
    close(passed)?;
    send(received, b"x")?;
    receive(other).map(drop)
}

/// A few calls of every kind of result.
fn calls() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = std::net::TcpStream::connect(address)?;
    let (server, _) = listener.accept()?;
    (&client).write_all(b"a\0b\n")?;
    client.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    io::Read::read_to_end(&mut &server, &mut text)?;
    send(-1, b"nowhere").unwrap_err();
    pair()
}

fn print(bytes: usize) -> io::Result<()> {
    io::stdout().write_all(&vec![b'o'; bytes])?;
    io::stderr().write_all(&vec![b'e'; bytes])
}

/// Prints whether so many bytes could be had.
fn allocate(bytes: usize) -> io::Result<()> {
    let mut memory = Vec::<u8>::new();
    println!("{}", if memory.try_reserve_exact(bytes).is_ok() { "allocated" } else { "refused" });
    Ok(())
}

/// Opens until that many are open or it fails; prints the highest descriptor and the errno.
fn open(count: usize) -> io::Result<()> {
    let mut highest = -1;
    for _ in 0..count {
        // SAFETY: opens a file; the descriptor is meant to stay open.
        match check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) }) {
            Ok(fd) => highest = fd,
            Err(error) => {
                println!("{highest} {:?}", error.raw_os_error());
                return Ok(());
            }
        }
    }
    println!("{highest}");
    Ok(())
}

/// What a child inherits.
fn state() -> io::Result<()> {
    // SAFETY: fills locals, and asks for plain numbers.
    let (blocked, ignored) = unsafe {
        let mut set: libc::sigset_t = zeroed();
        check(libc::sigprocmask(libc::SIG_BLOCK, ptr::null(), &raw mut set))?;
        let blocked = (1..=64).filter(|&signal| libc::sigismember(&raw const set, signal) == 1).count();
        let mut ignored = Vec::new();
        for signal in 1..=64 {
            let mut action: libc::sigaction = zeroed();
            // The Rust runtime has ignored SIGPIPE itself by now.
            if libc::sigaction(signal, ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
                && signal != libc::SIGPIPE
            {
                ignored.push(signal);
            }
        }
        (blocked, ignored)
    };
    let mut descriptors: Vec<String> =
        std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    descriptors.sort();
    println!("directory {}", std::env::current_dir()?.display());
    println!("variable {}", std::env::var("OBSERVED").unwrap_or_default());
    println!("blocked {blocked}, ignored {ignored:?}");
    // One more than are open: the directory that is being read.
    println!("descriptors {}", descriptors.len() - 1);
    let mut input = Vec::new();
    println!("input {}", io::Read::read_to_end(&mut io::stdin(), &mut input)?);
    Ok(())
}

/// Tries to reach out in every way; prints what each attempt gave.
fn guard() -> io::Result<()> {
    let away = Ipv4Addr::new(192, 0, 2, 1);
    // A datagram socket's connect sends nothing: if it is not refused, nobody guards, and nothing must be sent.
    let probe = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    let to = sockaddr(away, 9);
    // SAFETY: the address is a local of that length.
    let guarded = unsafe { libc::connect(probe, (&raw const to).cast(), size_of::<libc::sockaddr_in>() as u32) };
    if guarded == 0 {
        return Err(io::Error::other("nobody guards this child: it will not send"));
    }
    close(probe)?;
    attempts("away", away)?;
    attempts("home", Ipv4Addr::LOCALHOST)?;
    attempts("any", Ipv4Addr::UNSPECIFIED)?;
    let tcp = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    // SAFETY: a plain number.
    tell("listen unbound", check(unsafe { libc::listen(tcp, 1) }));
    tell("bind home", bind(tcp, Ipv4Addr::LOCALHOST));
    // SAFETY: a plain number.
    tell("listen bound", check(unsafe { libc::listen(tcp, 1) }));
    let unspecified = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    let udp = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: the address is a local of that length.
    unsafe {
        let length = size_of::<libc::sockaddr>() as u32;
        tell("bind unspec", check(libc::bind(udp, &raw const unspecified, length)));
        tell("disconnect", check(libc::connect(udp, &raw const unspecified, length)));
        let unix = socket(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        let mut name: libc::sockaddr_un = zeroed();
        name.sun_family = libc::AF_UNIX as u16;
        tell("bind unix", check(libc::bind(unix, (&raw const name).cast(), 2)));
        // Not a socket at all: the kernel's own answer.
        tell("bind file", bind(0, away));
    }
    six("away", "2001:db8::1")?;
    six("mapped away", "::ffff:192.0.2.1")?;
    six("mapped home", "::ffff:127.0.0.1")?;
    six("home", "::1")
}

fn six(name: &str, ip: &str) -> io::Result<()> {
    let Ok(udp) = socket(libc::AF_INET6, libc::SOCK_DGRAM) else {
        println!("connect6 {name}: no IPv6");
        return Ok(());
    };
    let ip: std::net::Ipv6Addr = ip.parse().map_err(io::Error::other)?;
    // SAFETY: zero bytes are a valid address, which is then filled.
    let mut address: libc::sockaddr_in6 = unsafe { zeroed() };
    address.sin6_family = libc::AF_INET6 as u16;
    address.sin6_port = 9_u16.to_be();
    address.sin6_addr.s6_addr = ip.octets();
    let length = size_of::<libc::sockaddr_in6>() as u32;
    // SAFETY: the address is a local of that length.
    tell(&format!("connect6 {name}"), check(unsafe { libc::connect(udp, (&raw const address).cast(), length) }));
    close(udp)
}

fn attempts(name: &str, ip: Ipv4Addr) -> io::Result<()> {
    let udp = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    let mut to = sockaddr(ip, 9);
    let length = size_of::<libc::sockaddr_in>() as u32;
    let mut byte = 0_u8;
    let mut iov = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all pointers go to locals that live until the end of this function.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_name = (&raw mut to).cast();
        message.msg_namelen = length;
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        let mut several = [libc::mmsghdr { msg_hdr: message, msg_len: 0 }];
        let to = (&raw const to).cast::<libc::sockaddr>();
        tell(&format!("sendto {name}"), check(libc::sendto(udp, (&raw const byte).cast(), 1, 0, to, length)));
        tell(&format!("sendmsg {name}"), check(libc::sendmsg(udp, &raw const message, 0)));
        tell(&format!("sendmmsg {name}"), check(libc::sendmmsg(udp, several.as_mut_ptr(), 1, 0)));
        tell(&format!("connect {name}"), check(libc::connect(udp, to, length)));
    }
    let tcp = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    tell(&format!("bind {name}"), bind(tcp, ip));
    close(tcp)?;
    close(udp)
}

fn socket(family: c_int, kind: c_int) -> io::Result<c_int> {
    // SAFETY: plain numbers.
    check(unsafe { libc::socket(family, kind, 0) })
}

fn sockaddr(ip: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    let address = SocketAddrV4::new(ip, port);
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

fn bind(fd: c_int, ip: Ipv4Addr) -> io::Result<c_int> {
    let address = sockaddr(ip, 0);
    // SAFETY: the address is a local of that length.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), size_of::<libc::sockaddr_in>() as u32) })
}

fn tell(what: &str, result: io::Result<c_int>) {
    match result {
        Ok(_) => println!("{what}: ok"),
        Err(error) => println!("{what}: {}", error.raw_os_error().unwrap_or(0)),
    }
}

/// A socket of this namespace, and the same attempts on sockets of a private one.
fn guard_in_namespace() -> io::Result<()> {
    let outer = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    // SAFETY: plain numbers.
    if let Err(error) = check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) }) {
        println!("no namespace: {error}");
        return Ok(());
    }
    let inner = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    tell("bind inner", bind(inner, Ipv4Addr::UNSPECIFIED));
    let unbound = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    // SAFETY: a plain number.
    tell("listen inner", check(unsafe { libc::listen(unbound, 1) }));
    tell("bind outer", bind(outer, Ipv4Addr::UNSPECIFIED));
    Ok(())
}

/// A process that its own user may not look into.
fn undumpable() -> io::Result<()> {
    // SAFETY: plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })?;
    let [a, b] = socketpair()?;
    // SAFETY: four bytes of a literal.
    check(unsafe { libc::write(a, b"dark".as_ptr().cast(), 4) })?;
    receive(b).map(drop)
}

fn io_uring() -> io::Result<()> {
    // SAFETY: a ring of one entry; 120 zero bytes are valid parameters. It is never used.
    let result = unsafe {
        let mut parameters = [0_u8; 120];
        libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr())
    };
    tell("io_uring_setup", check(result));
    pair()
}

/// A system call by the 32-bit way: getpid is number 20 there.
#[cfg(target_arch = "x86_64")]
fn int80() -> io::Result<()> {
    let mut result = 20_i64;
    // SAFETY: getpid touches no memory; the old entry may change r8 to r11.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    println!("{}", if result == i64::from(std::process::id()) { "as expected" } else { "not getpid" });
    pair()
}

/// A system call by the x32 way: the same numbers with one bit more. Most kernels have not got it.
#[cfg(target_arch = "x86_64")]
fn x32() -> io::Result<()> {
    // SAFETY: getpid touches no memory.
    let result = unsafe { libc::syscall(0x4000_0000 + libc::SYS_getpid) };
    let missing = result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
    let expected = missing || result == c_long::from(std::process::id());
    println!("{}", if expected { "as expected" } else { "not getpid" });
    Ok(())
}

/// Is itself an observer: prints what it saw, or why it could not.
fn observe(program: &str, args: &[&str]) -> io::Result<()> {
    let observer = args.iter().fold(Observer::new(program), |observer, arg| observer.arg(arg));
    let mut out = io::BufWriter::new(io::stdout());
    let mut printed = Ok(());
    let mut line = String::new();
    let seen = observer.run_with(|event| {
        if printed.is_ok() {
            line.clear();
            // Writing to a string cannot fail.
            let _ = fmt::Write::write_fmt(&mut line, format_args!("{event}\n"));
            printed = out.write_all(line.as_bytes());
        }
    });
    let trace = seen.map_err(io::Error::other)?.trace;
    printed?;
    for remark in &trace.remarks {
        writeln!(out, "{remark}")?;
    }
    writeln!(out, "{:?}", trace.ending)?;
    out.flush()
}

/// Observes with snapshots, and says of each whether it was possible.
fn look(program: &str, arg: &str) -> io::Result<()> {
    let seen = Observer::new(program).arg(arg).snapshots().run().map_err(io::Error::other)?;
    for kernel in seen.trace.events.iter().filter_map(|event| event.kernel.as_ref()) {
        println!("{}", if kernel.hidden { "hidden".to_string() } else { format!("seen {}", kernel.sockets.len()) });
    }
    Ok(())
}

/// The same, but keeps all events and prints them at the end.
fn collect(program: &str, args: &[&str]) -> io::Result<()> {
    let observer = args.iter().fold(Observer::new(program), |observer, arg| observer.arg(arg));
    let seen = observer.run().map_err(io::Error::other)?;
    let mut out = io::BufWriter::new(io::stdout());
    for event in &seen.trace.events {
        writeln!(out, "{event}")?;
    }
    out.flush()
}

/// From here on this system call fails with this errno, in this process and its children.
fn forbid(call: &str, errno: u16) -> io::Result<()> {
    let (number, argument) = match call {
        "ptrace" => (libc::SYS_ptrace, None),
        "get-syscall-info" => (libc::SYS_ptrace, Some(0x420e)),
        "filter" => (libc::SYS_prctl, Some(libc::PR_SET_SECCOMP as u32)),
        "process_vm_readv" => (libc::SYS_process_vm_readv, None),
        "pidfd_getfd" => (libc::SYS_pidfd_getfd, None),
        "close_range" => (libc::SYS_close_range, None),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "no rule for that call")),
    };
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jf| libc::sock_filter { code, jt: 0, jf, k };
    // The call's number stands at 0, the low half of its first argument at 16.
    let mut rule = vec![step(load, 0, 0), step(equal, number as u32, if argument.is_some() { 3 } else { 1 })];
    if let Some(argument) = argument {
        rule.extend([step(load, 16, 0), step(equal, argument, 1)]);
    }
    rule.push(step(answer, libc::SECCOMP_RET_ERRNO | u32::from(errno), 0));
    rule.push(step(answer, libc::SECCOMP_RET_ALLOW, 0));
    let program = libc::sock_fprog { len: rule.len() as u16, filter: rule.as_mut_ptr() };
    // SAFETY: `program` describes `rule`, which the kernel copies.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program))?;
    }
    Ok(())
}

/// Waits until that is so; after twenty seconds it is an error that says what was waited for.
fn until(what: &str, is_so: impl Fn() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("waited 20 s in vain: {what}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a thread sleeps in that system call.
fn in_call(tid: pid_t, call: c_long) -> bool {
    let now = std::fs::read_to_string(format!("/proc/{tid}/syscall")).unwrap_or_default();
    now.split_whitespace().next() == Some(&call.to_string()) && state_of(tid) == Some('S')
}

/// A thread's state, as `/proc` has it: R, S, Z …
fn state_of(tid: pid_t) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{tid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
