//! The deadline, as a child of the tracer: it sleeps and exits, so that the deadline arrives where all other news
//! arrives, in `waitpid`.

use std::io;
use std::ptr;
use std::time::Duration;

use libc::pid_t;

use crate::launch::Blocked;

/// A sleeping child of this thread. It is killed when it is dropped.
pub(crate) struct Sentinel {
    pid: pid_t,
    reaped: bool,
}

impl Sentinel {
    /// Starts one that exits after this long.
    pub fn start(deadline: Duration) -> io::Result<Sentinel> {
        let seconds = libc::time_t::try_from(deadline.as_secs()).unwrap_or(libc::time_t::MAX);
        let time = libc::timespec { tv_sec: seconds, tv_nsec: deadline.subsec_nanos().into() };
        let parent = std::process::id() as pid_t;
        // The child keeps all signals blocked: a Ctrl-C that its parent survives must not look like the deadline.
        let blocked = Blocked::all();
        // SAFETY: the child calls only `sleep`, which keeps to async-signal-safe calls and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: this is the freshly forked child.
            unsafe { sleep(parent, &time) };
        }
        let failed = io::Error::last_os_error();
        drop(blocked);
        if pid == -1 { Err(failed) } else { Ok(Sentinel { pid, reaped: false }) }
    }

    /// Whether this process is the sentinel.
    pub fn is(&self, pid: pid_t) -> bool {
        pid == self.pid
    }

    /// It has exited, and `waitpid` has said so.
    pub fn passed(&mut self) {
        self.reaped = true;
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // SAFETY: the process is this thread's own child and not yet waited for, so its id is still its own.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            while libc::waitpid(self.pid, ptr::null_mut(), libc::__WALL) == -1
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
        }
    }
}

/// # Safety
/// Only in a freshly forked child.
unsafe fn sleep(parent: pid_t, time: &libc::timespec) -> ! {
    // SAFETY: async-signal-safe calls only. The sentinel holds on to none of the parent's descriptors: the other end of
    // a pipe or connection must learn of it when the parent closes its own.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) == -1 {
            for fd in 0..libc::sysconf(libc::_SC_OPEN_MAX).clamp(1024, 65_536) {
                libc::close(fd as libc::c_int);
            }
        }
        if libc::getppid() == parent {
            libc::ppoll(ptr::null_mut(), 0, time, ptr::null());
        }
        libc::_exit(0)
    }
}
