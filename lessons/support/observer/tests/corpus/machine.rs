//! What the themes are made with: raw system calls, bad memory, children, and waiting without being seen.

use std::io;

/// Makes a system call with exactly these arguments, and returns what the kernel says: a negated errno after an error.
pub fn call(number: libc::c_long, args: &[usize]) -> isize {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    // SAFETY: the kernel checks every pointer that it is given. Those that it may write through are, by the rule of this
    // program, either bad on purpose or point to memory that the caller owns and that is large enough.
    let result = unsafe { libc::syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]) } as isize;
    if result == -1 { -(io::Error::last_os_error().raw_os_error().unwrap_or(0) as isize) } else { result }
}

/// The same for a call that must work; what it returns is a descriptor, a length or a process.
#[track_caller]
pub fn must(number: libc::c_long, args: &[usize]) -> usize {
    let result = call(number, args);
    assert!(result >= 0, "call {number} with {args:x?} failed: {}", io::Error::from_raw_os_error(-result as i32));
    result as usize
}

/// The address of something that the kernel reads.
pub fn at<T: ?Sized>(what: &T) -> usize {
    std::ptr::from_ref(what).cast::<u8>() as usize
}

/// The address of something that the kernel writes.
pub fn into<T: ?Sized>(what: &mut T) -> usize {
    std::ptr::from_mut(what).cast::<u8>() as usize
}

/// -1 as an argument.
pub const NONE: usize = usize::MAX;

/// A page with nothing mapped behind it.
pub struct Edge {
    end: usize,
}

impl Edge {
    /// Maps two pages and unmaps the second.
    pub fn new() -> Edge {
        const PAGE: usize = 4096;
        let (read_write, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let start = must(libc::SYS_mmap, &[0, 2 * PAGE, read_write as usize, private as usize, NONE, 0]);
        must(libc::SYS_munmap, &[start + PAGE, PAGE]);
        Edge { end: start + PAGE }
    }

    /// An address with `bytes` readable bytes behind it.
    pub fn before(&self, bytes: usize) -> usize {
        self.end - bytes
    }

    /// Puts bytes at the very end of the page, and returns their address.
    pub fn put(&self, bytes: &[u8]) -> usize {
        let address = self.before(bytes.len());
        // SAFETY: the last `bytes.len()` bytes (at most 4096) before `end` are mapped, writable, and used by nobody else.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        address
    }

    /// The pointers that a call must survive: null, a low address, an unmapped one, and one with too few bytes behind it.
    pub fn bad(&self) -> [usize; 4] {
        [0, 1, self.end + 64, self.before(3)]
    }
}

/// A pair of connected unix sockets.
pub fn pair(kind: i32) -> [usize; 2] {
    let mut fds = [0_i32; 2];
    must(libc::SYS_socketpair, &[libc::AF_UNIX as usize, kind as usize, 0, into(&mut fds)]);
    fds.map(|fd| fd as usize)
}

/// A socket.
pub fn socket(family: i32, kind: i32) -> usize {
    must(libc::SYS_socket, &[family as usize, kind as usize, 0])
}

/// Closes descriptors.
pub fn close(fds: &[usize]) {
    for &fd in fds {
        must(libc::SYS_close, &[fd]);
    }
}

/// A loopback IPv4 address with this port.
pub fn loopback(port: u16) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    address
}

/// The loopback IPv6 address with this port.
pub fn loopback6(port: u16) -> [u8; 28] {
    let mut address = [0; 28];
    address[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[23] = 1;
    address
}

/// The address that a socket is bound to.
pub fn name_of<const N: usize>(fd: usize) -> [u8; N] {
    let mut address = [0; N];
    let mut length = N as i32;
    must(libc::SYS_getsockname, &[fd, into(&mut address), into(&mut length)]);
    address
}

/// A UDP socket that hears nobody, and its address: it is connected elsewhere, so what is sent to it is refused. (A closed
/// socket's port might be somebody else's a moment later.)
pub fn deaf() -> (usize, [u8; 16]) {
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM);
    must(libc::SYS_bind, &[fd, at(&loopback(0)), 16]);
    let address = name_of(fd);
    must(libc::SYS_connect, &[fd, at(&loopback(9)), 16]);
    (fd, address)
}

/// A TCP connection over loopback: listener, client, server.
pub fn tcp() -> [usize; 3] {
    let listener = socket(libc::AF_INET, libc::SOCK_STREAM);
    must(libc::SYS_bind, &[listener, at(&loopback(0)), 16]);
    must(libc::SYS_listen, &[listener, 8]);
    let address: [u8; 16] = name_of(listener);
    let client = socket(libc::AF_INET, libc::SOCK_STREAM);
    must(libc::SYS_connect, &[client, at(&address), 16]);
    let server = must(libc::SYS_accept4, &[listener, 0, 0, libc::SOCK_CLOEXEC as usize]);
    [listener, client, server]
}

/// Blocks SIGCHLD: it would come at another moment in each run.
pub fn hold_back_child_signals() {
    change_mask(libc::SIG_BLOCK, libc::SIGCHLD);
}

/// Blocks or unblocks a signal. (rt_sigprocmask is not traced.)
pub fn change_mask(how: i32, signal: i32) {
    let set = 1_u64 << (signal - 1);
    must(libc::SYS_rt_sigprocmask, &[how as usize, at(&set), 0, 8]);
}

/// Forks; the child does its work and exits. Returns the child's process id.
pub fn fork(child: impl FnOnce()) -> usize {
    let pid = must(libc::SYS_fork, &[]);
    if pid == 0 {
        child();
        call(libc::SYS_exit_group, &[0]);
    }
    pid
}

/// Waits for a child to end. (wait4 is not traced.)
pub fn wait(pid: usize) {
    const WALL: usize = libc::__WALL as usize;
    must(libc::SYS_wait4, &[pid, 0, WALL, 0]);
}

/// Waits until a thread sleeps in a system call. A traced thread that is stopped does not count as asleep. Uses only
/// calls that are not traced, and as many of them as it takes; gives up after a minute.
pub fn wait_until_asleep(tid: usize) {
    let path = std::ffi::CString::new(format!("/proc/{tid}/stat")).expect("no zero byte in a number");
    let file = must(libc::SYS_openat, &[NONE, at(path.to_bytes_with_nul()), libc::O_CLOEXEC as usize, 0]);
    for _ in 0..60_000 {
        let mut text = [0_u8; 256];
        let length = must(libc::SYS_pread64, &[file, into(&mut text), text.len(), 0]);
        // The state is the letter behind the name, which is in parentheses.
        let state = text[..length].windows(3).rev().find(|window| window.starts_with(b") ")).map(|window| window[2]);
        match state {
            Some(b'S') => {
                close(&[file]);
                return;
            }
            Some(b'Z' | b'X') => panic!("thread {tid} ended instead of falling asleep"),
            _ => {}
        }
        let pause = [0_i64, 1_000_000];
        call(libc::SYS_nanosleep, &[at(&pause), 0]);
    }
    panic!("thread {tid} did not fall asleep within a minute");
}

/// This thread's id. (gettid is not traced.)
pub fn tid() -> usize {
    must(libc::SYS_gettid, &[])
}

/// Sends a signal to a process. (kill is not traced.)
pub fn kill(pid: usize, signal: i32) {
    must(libc::SYS_kill, &[pid, signal as usize]);
}

/// Handles a signal by doing nothing, so that it interrupts; `flags` as SA_RESTART.
pub fn handle(signal: i32, flags: i32) {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: `nothing` does nothing, so it may run at any moment; the structure is zeroed and then filled.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = flags;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    assert_eq!(result, 0, "sigaction for signal {signal}");
}
