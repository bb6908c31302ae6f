//! The atlas: every errno of every call, each cause provoked on its own and recorded in `traces/LESSON/errnos/NAME.json`.
//!
//! Here is what the recordings come to, for whoever asks: the book's pages, `cargo workbook errno`, and the test that holds
//! both against the lessons.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use lab::{AtlasEntry, Injected, Lack, Recording};

use crate::project::{entries, files};

/// One cause of one errno, as it was recorded.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The recording: `shows` is the cause, and `notice` the cure.
    pub recording: Recording,
    /// What the atlas says of it: the same as in the recording.
    pub entry: AtlasEntry,
}

impl Cause {
    /// What it is called everywhere: `bind/port-taken`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.recording.lesson, self.recording.experiment)
    }

    /// The calls that give the errno here.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.entry.calls.iter().map(String::as_str)
    }
}

/// All causes that are recorded.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    /// By lesson in alphabetical order, and then by name.
    pub causes: Vec<Cause>,
}

impl Atlas {
    /// Reads the recordings below this folder, `book/traces`.
    ///
    /// # Errors
    /// If one cannot be read or is not the recording of a provocation: which, and what to do.
    pub fn read(traces: &Path) -> Result<Atlas, String> {
        let mut causes = Vec::new();
        for lesson in entries(traces).map_err(|error| error.to_string())? {
            for file in files(&lesson.join("errnos"), "json").map_err(|error| error.to_string())? {
                causes.push(cause(&file)?);
            }
        }
        Ok(Atlas { causes })
    }

    /// The causes of one lesson.
    pub fn lesson<'a>(&'a self, lesson: &'a str) -> impl Iterator<Item = &'a Cause> {
        self.causes.iter().filter(move |cause| cause.recording.lesson == lesson)
    }

    /// The causes of one errno.
    pub fn errno<'a>(&'a self, errno: &'a str) -> impl Iterator<Item = &'a Cause> {
        self.causes.iter().filter(move |cause| cause.entry.errno == errno)
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        Counts::of(self.causes.iter().map(|cause| &cause.entry))
    }
}

fn cause(file: &Path) -> Result<Cause, String> {
    let shown = file.display();
    let text = fs::read(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let again = "make it anew with `cargo workbook record`";
    let recording: Recording =
        serde_json::from_slice(&text).map_err(|error| format!("{shown} is not a recording ({error}): {again}"))?;
    match recording.atlas.clone() {
        Some(entry) => Ok(Cause { recording, entry }),
        None => Err(format!("{shown} is not the recording of an errno's cause: {again}")),
    }
}

/// What documents and kernel say of a call and an errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The kernel gives it, and some document says so.
    Documented,
    /// The kernel gives it, and none says so.
    Undocumented,
    /// Documents tell of it, and the kernel never gives it.
    Never,
}

impl Standing {
    /// What these causes of one call and one errno come to.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a AtlasEntry>) -> Standing {
        let (mut given, mut documented) = (false, false);
        for entry in entries {
            given |= !matches!(entry.injected, Some(Injected::Never(_)));
            documented |= !entry.documented.is_empty();
        }
        match (given, documented) {
            (false, _) => Standing::Never,
            (true, true) => Standing::Documented,
            (true, false) => Standing::Undocumented,
        }
    }

    /// In the book's words.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Documented => "documented",
            Standing::Undocumented => "undocumented",
            Standing::Never => "documented, but never given",
        }
    }
}

/// Where an errno can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// On an ordinary machine, by its own kernel.
    Live,
    /// By a kernel, but not here: the observer injects it.
    Elsewhere,
    /// By no kernel: the observer injects it, where it is a system call that should give it.
    Never,
}

impl Shown {
    /// Where one cause can be shown.
    pub fn of(entry: &AtlasEntry) -> Shown {
        match entry.injected {
            None => Shown::Live,
            Some(Injected::Elsewhere(_)) => Shown::Elsewhere,
            Some(Injected::Never(_)) => Shown::Never,
        }
    }
}

/// How many pairs of a call and an errno there are, and how each can be shown at best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All pairs.
    pub pairs: usize,
    /// Those that have a cause which is provoked live.
    pub live: usize,
    /// Those that are injected because no ordinary machine can be brought to them.
    pub elsewhere: usize,
    /// Those that are never given (and injected, where a system call should give them).
    pub never: usize,
    /// The causes of all pairs, some of which several calls have in common.
    pub causes: usize,
    /// The causes on which documents and kernel disagree.
    pub remarks: usize,
}

impl Counts {
    /// Counts what these causes come to.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a AtlasEntry>) -> Counts {
        let mut best: BTreeMap<(&str, &str), Shown> = BTreeMap::new();
        let mut counts = Counts::default();
        for entry in entries {
            counts.causes += 1;
            counts.remarks += usize::from(!entry.remark.is_empty());
            for call in &entry.calls {
                let shown = best.entry((call, &entry.errno)).or_insert(Shown::Never);
                *shown = Shown::of(entry).min(*shown);
            }
        }
        counts.pairs = best.len();
        for shown in best.values() {
            match shown {
                Shown::Live => counts.live += 1,
                Shown::Elsewhere => counts.elsewhere += 1,
                Shown::Never => counts.never += 1,
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { pairs, live, elsewhere, never, causes, .. } = self;
        write!(
            f,
            "{pairs} pairs of a call and an errno, with {causes} causes: {live} provoked live, {elsewhere} that only other \
             machines give (injected), {never} that are never given"
        )
    }
}

/// What showing a cause takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing that not every machine has.
    Nothing,
    /// A network of its own, which it makes.
    Network,
    /// IPv6.
    Ipv6,
    /// A user without privileges.
    User,
    /// Root.
    Root,
    /// A kernel, or a setting of it, that not every machine has.
    Kernel,
    /// It cannot be had here, and is injected.
    Injected,
    /// Nothing brings it about, not even an injection.
    Never,
}

impl Need {
    /// What a cause takes, each once.
    pub fn of(entry: &AtlasEntry) -> BTreeSet<Need> {
        if entry.injected.is_some() {
            return BTreeSet::from([if entry.is_injected() { Need::Injected } else { Need::Never }]);
        }
        let need = |lack: &Lack| match lack {
            Lack::Namespaces | Lack::Settings => Need::Network,
            Lack::Ipv6 => Need::Ipv6,
            Lack::UnprivilegedUser => Need::User,
            Lack::Root => Need::Root,
            Lack::QueueLimit | Lack::Kernel => Need::Kernel,
        };
        let needs: BTreeSet<Need> = entry.needs.iter().map(need).collect();
        if needs.is_empty() { BTreeSet::from([Need::Nothing]) } else { needs }
    }

    /// In the book's words.
    pub fn words(self) -> &'static str {
        match self {
            Need::Nothing => "nothing",
            Need::Network => "a network of its own",
            Need::Ipv6 => "IPv6",
            Need::User => "an ordinary user",
            Need::Root => "root",
            Need::Kernel => "a kernel that can",
            Need::Injected => "injected",
            Need::Never => "never given",
        }
    }

    /// The same in one word, for attributes.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Need::Nothing => "nothing",
            Need::Network => "network",
            Need::Ipv6 => "ipv6",
            Need::User => "user",
            Need::Root => "root",
            Need::Kernel => "kernel",
            Need::Injected => "injected",
            Need::Never => "never",
        }
    }
}

/// The calls of some causes, in the order in which the causes name them: those that name most of them first.
pub fn calls_in_order<'a>(causes: impl IntoIterator<Item = &'a Cause>) -> Vec<&'a str> {
    let mut lists: Vec<&Vec<String>> = causes.into_iter().map(|cause| &cause.entry.calls).collect();
    lists.sort_by_key(|calls| std::cmp::Reverse(calls.len()));
    let mut order: Vec<&str> = Vec::new();
    for call in lists.into_iter().flatten() {
        if !order.contains(&call.as_str()) {
            order.push(call);
        }
    }
    order
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry(errno: &str, calls: &[&str], documented: &[&str], injected: Option<Injected>) -> AtlasEntry {
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        AtlasEntry {
            errno: errno.to_string(),
            calls: words(calls),
            documented: words(documented),
            remark: String::new(),
            needs: vec![],
            injected,
        }
    }

    fn never() -> Option<Injected> {
        Some(Injected::Never("so".into()))
    }

    fn elsewhere() -> Option<Injected> {
        Some(Injected::Elsewhere("so".into()))
    }

    #[test]
    fn a_pair_counts_by_the_best_of_its_causes() {
        let entries = [
            entry("EBADF", &["send", "sendto"], &[], None),
            entry("EBADF", &["sendto"], &["POSIX"], never()),
            entry("ENOMEM", &["sendto", "bind"], &[], elsewhere()),
            entry("ENOMEM", &["bind"], &[], never()),
            entry("ENOSR", &["bind"], &["POSIX"], never()),
        ];
        let counts = Counts::of(&entries);
        assert_eq!(counts, Counts { pairs: 5, live: 2, elsewhere: 2, never: 1, causes: 5, remarks: 0 });
        assert_eq!(
            counts.to_string(),
            "5 pairs of a call and an errno, with 5 causes: 2 provoked live, 2 that only other machines give (injected), \
             1 that are never given"
        );
    }

    #[test]
    fn a_pair_is_documented_if_one_of_its_causes_is() {
        let standing = |entries: &[AtlasEntry]| Standing::of(entries);
        let (known, unknown) = (entry("E", &["a"], &["POSIX"], None), entry("E", &["a"], &[], None));
        assert_eq!(standing(&[unknown.clone(), known]), Standing::Documented);
        assert_eq!(standing(std::slice::from_ref(&unknown)), Standing::Undocumented);
        assert_eq!(standing(&[entry("E", &["a"], &["POSIX"], never())]), Standing::Never);
        assert_eq!(standing(&[entry("E", &["a"], &[], elsewhere())]), Standing::Undocumented);
        assert_eq!(standing(&[entry("E", &["a"], &["POSIX"], never()), unknown]), Standing::Documented);
    }

    #[test]
    fn what_a_cause_takes() {
        let mut one = entry("E", &["a"], &[], None);
        assert_eq!(Need::of(&one), BTreeSet::from([Need::Nothing]));
        one.needs = vec![Lack::Settings, Lack::Namespaces, Lack::Root];
        assert_eq!(Need::of(&one), BTreeSet::from([Need::Network, Need::Root]));
        one.injected = never();
        assert_eq!(Need::of(&one), BTreeSet::from([Need::Injected]));
        one.calls = vec!["getaddrinfo".into()];
        assert_eq!(Need::of(&one), BTreeSet::from([Need::Never]));
    }
}
