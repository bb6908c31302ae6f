//! Why an experiment ends early.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an experiment ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// A call that had to succeed failed.
    Failed {
        /// The call, such as `socket`.
        call: String,
        /// The errno.
        errno: i32,
    },
    /// The kernel did something that the experiment does not expect.
    Unexpected {
        /// What it did, in one sentence.
        what: String,
    },
    /// This machine cannot show it.
    Cannot {
        /// What it lacks.
        lack: Lack,
        /// What was tried and what the kernel said, in one sentence.
        why: String,
    },
}

/// What a machine can lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// Private namespaces (a network, mounts or processes of one's own) are forbidden.
    Namespaces,
    /// IPv6 is switched off.
    Ipv6,
    /// There is no unprivileged user to become, or the process may not become one.
    UnprivilegedUser,
    /// Root is needed.
    Root,
    /// The settings of a private network may not be changed (`/proc/sys` is read-only, as in many containers).
    Settings,
    /// The machine allows no queue as long as the experiment needs (`net.core.somaxconn`).
    QueueLimit,
    /// The kernel is too old for it, or was built without it.
    Kernel,
}

impl Stop {
    /// `call` has just failed, and had to succeed: keeps the errno. Use it before any other call.
    pub fn failed(call: &str) -> Stop {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Stop::Failed { call: call.to_string(), errno }
    }

    /// The kernel did something that the experiment does not expect.
    pub fn unexpected(what: impl Into<String>) -> Stop {
        Stop::Unexpected { what: what.into() }
    }

    /// This machine cannot show it: say what was tried and what the kernel said.
    pub fn cannot(lack: Lack, why: impl Into<String>) -> Stop {
        Stop::Cannot { lack, why: why.into() }
    }
}

/// For `?` on nix's calls: the errno is kept, and which call it was is told by the trace.
impl From<nix::errno::Errno> for Stop {
    fn from(errno: nix::errno::Errno) -> Stop {
        Stop::Failed { call: "a call".to_string(), errno: errno as i32 }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Failed { call, errno } => write!(f, "{call} failed: {}", std::io::Error::from_raw_os_error(*errno)),
            Stop::Unexpected { what } => write!(f, "{what}"),
            Stop::Cannot { lack, why } => write!(f, "this machine cannot show it ({lack}): {why}"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lack::Namespaces => "private namespaces are forbidden",
            Lack::Ipv6 => "IPv6 is switched off",
            Lack::UnprivilegedUser => "there is no unprivileged user to become",
            Lack::Root => "root is needed",
            Lack::Settings => "the settings under /proc/sys may not be changed",
            Lack::QueueLimit => "net.core.somaxconn is too small",
            Lack::Kernel => "the kernel is too old, or was built without it",
        })
    }
}
