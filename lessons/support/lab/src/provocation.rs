//! What an errno of the atlas is: one cause of it, with a short experiment that provokes it.

use serde::{Deserialize, Serialize};

use crate::{Expected, Lack, Stop};

/// One cause of one errno, apart from the chapter's story: a short function of raw calls in which each of `calls` ends in
/// `errno`. It is played as an experiment is, and by the same names: `cargo run -p lesson-bind -- EADDRINUSE` plays all
/// that give this errno, `cargo run -p lesson-bind -- port-taken` the one of this name.
///
/// That each of the calls gave the errno is not claimed here once more: the lab checks it, in the trace.
#[derive(Clone, Copy, Debug)]
pub struct Provocation {
    /// Its name, such as `port-taken`: no other provocation or experiment of the lesson has it. Its function has the same
    /// name with `_` for `-` (those that are injected may share one).
    pub name: &'static str,
    /// The errno's name, such as `EADDRINUSE`; for getaddrinfo the name of its own code, such as `EAI_NONAME`.
    pub errno: &'static str,
    /// The calls that give it here, by the names of their man pages (`send`, though the kernel is asked for `sendto`), each
    /// once. The function makes each of them, so that it gives the errno.
    ///
    /// Where one of them is no system call (`getaddrinfo`, `inet_pton`), the function prints a line `getaddrinfo: EAI_NONAME`.
    pub calls: &'static [&'static str],
    /// When the kernel says so: one sentence. Printed before it runs.
    pub cause: &'static str,
    /// What to do about it: one or two sentences. Printed after it.
    pub cure: &'static str,
    /// Which documents say that one of these calls gives this errno for this cause: man pages (`bind(2)`, `unix(7)`) and
    /// `POSIX`. Empty: none does.
    pub documented: &'static [&'static str],
    /// Where documents and kernel disagree, what they say and what was seen; else empty.
    pub remark: &'static str,
    /// What a machine may lack and this needs: where it does, the function ends with [`Stop::Cannot`], and that is right.
    pub needs: &'static [Lack],
    /// How it comes about.
    pub way: Way,
    /// What else is right on some machines (another kernel, another setting). Nearly always empty.
    pub otherwise: &'static [Expected],
    /// The function.
    pub play: fn() -> Result<(), Stop>,
}

/// How a provocation's errno comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The kernel gives it.
    Live,
    /// The kernel can give it, but not here: for this reason (one sentence; it would touch the whole machine, say). The
    /// observer makes the calls fail with it.
    Elsewhere(&'static str),
    /// Documents tell of it, and the kernel never gives it: for this reason (one sentence). The observer makes the calls
    /// fail with it; where they are no system calls, the function shows what is given instead.
    Never(&'static str),
}

/// What a catalogue and a recording say of a provocation, besides what they say of every experiment. (`shows` is its
/// cause there, and `notice` its cure.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtlasEntry {
    /// The errno's name, such as `EADDRINUSE`.
    pub errno: String,
    /// The calls that give it, by the names of their man pages.
    pub calls: Vec<String>,
    /// Which documents say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documented: Vec<String>,
    /// Where documents and kernel disagree, how; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// What a machine may lack and this needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Lack>,
    /// If it is injected, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injected: Option<Injected>,
}

/// Why an errno is injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injected {
    /// The kernel can give it, but not here, for this reason.
    Elsewhere(String),
    /// The kernel never gives it, for this reason.
    Never(String),
}

impl AtlasEntry {
    /// Whether the observer makes a call fail with it. What no system call says cannot be injected: the run then shows what
    /// is said instead.
    pub fn is_injected(&self) -> bool {
        self.injected.is_some() && self.calls.iter().any(|call| system_call(call).is_some())
    }

    /// If the kernel does not give it here, what is shown instead and why: a sentence in two parts, since the first words of
    /// it (`Injected`) may be set off from the others.
    pub fn instead(&self) -> Option<(&'static str, String)> {
        let (begin, rest, why) = match self.injected.as_ref()? {
            Injected::Elsewhere(why) => {
                ("Injected", " by the observer, since the kernel can say it, but not here", why)
            }
            Injected::Never(why) if self.is_injected() => {
                ("Injected", " by the observer, since the kernel never says it", why)
            }
            Injected::Never(why) => ("Never given", ", so the run shows what is said instead", why),
        };
        Some((begin, format!("{rest}: {}.", why.trim_end_matches('.'))))
    }
}

impl Provocation {
    /// What is usual, for `..Provocation::USUAL`: the kernel gives it, on every machine, and no document says otherwise.
    /// What tells one provocation from another must be said of each.
    pub const USUAL: Provocation = Provocation {
        name: "",
        errno: "",
        calls: &[],
        cause: "",
        cure: "",
        documented: &[],
        remark: "",
        needs: &[],
        way: Way::Live,
        otherwise: &[],
        play: || Err(Stop::unexpected("no function was given")),
    };

    /// What a catalogue and a recording say of it.
    pub fn entry(&self) -> AtlasEntry {
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        AtlasEntry {
            errno: self.errno.to_string(),
            calls: words(self.calls),
            documented: words(self.documented),
            remark: self.remark.to_string(),
            needs: self.needs.to_vec(),
            injected: match self.way {
                Way::Live => None,
                Way::Elsewhere(why) => Some(Injected::Elsewhere(why.to_string())),
                Way::Never(why) => Some(Injected::Never(why.to_string())),
            },
        }
    }

    /// The system calls behind `calls`, in the kernel's words: several of `calls` may be one to the kernel.
    pub(crate) fn system_calls(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.calls.iter().filter_map(|call| system_call(call)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The system call that a function of the C library makes; `None` for one that is no system call.
pub(crate) fn system_call(function: &str) -> Option<&str> {
    match function {
        "send" => Some("sendto"),
        "recv" => Some("recvfrom"),
        "getaddrinfo" | "inet_pton" => None,
        name => Some(name),
    }
}
