//! What may differ between two lines, and what may not.

use std::collections::HashMap;

use super::VARIES;

/// Says whether two lines are the same but for what may vary, and remembers which value of the one run is which of the
/// other.
#[derive(Clone, Debug, Default)]
pub(super) struct Alike {
    /// Whether numbers in the buffers that the program reads and writes may differ.
    numbers_vary: bool,
    /// For each kind of value, the pairs that were met.
    pairs: HashMap<(&'static str, String), String>,
    back: HashMap<(&'static str, String), String>,
    counts: HashMap<&'static str, usize>,
}

impl Alike {
    /// Two runs of which nothing is known yet.
    pub fn new(numbers_vary: bool) -> Alike {
        Alike { numbers_vary, ..Alike::default() }
    }

    /// How often this kind of value differed.
    pub fn count(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Whether two lines are alike. If they are not, nothing is remembered of them.
    pub fn lines(&mut self, strace: &str, observer: &str) -> bool {
        // A child that took no time has no such remark, and the same child may take some in the other run.
        let (strace, observer) = (&without_clock_remarks(strace), &without_clock_remarks(observer));
        if strace == observer && !strace.contains(|c: char| c.is_ascii_digit()) {
            return true;
        }
        let mut trial = self.clone();
        let alike = trial.walk(strace, observer);
        if alike {
            *self = trial;
        }
        alike
    }

    /// Walks along both lines, word by word.
    fn walk(&mut self, strace: &str, observer: &str) -> bool {
        let (mut one, mut other) = (strace, observer);
        loop {
            let before = &strace[..strace.len() - one.len()];
            let (word, one_rest) = next_word(one);
            let (other_word, other_rest) = next_word(other);
            if word.is_empty() && other_word.is_empty() {
                return true;
            }
            if !self.words(before, word, other_word, one_rest) {
                return false;
            }
            (one, other) = (one_rest, other_rest);
        }
    }

    /// Whether two words are alike that stand behind `before`, and before `rest`.
    fn words(&mut self, before: &str, one: &str, other: &str, rest: &str) -> bool {
        let numbers = is_number(one) && is_number(other);
        let kind = VARIES.iter().find(|varies| varies.before.iter().any(|text| before.ends_with(text)));
        let kind = match kind {
            Some(kind) if kind.what == "chosen unix name" => {
                Some(kind).filter(|_| is_chosen(one, rest) && is_chosen(other, rest))
            }
            Some(kind) => Some(kind).filter(|_| numbers),
            None if numbers && rest.is_empty() && returns_process(before) => {
                VARIES.iter().find(|kind| kind.what == "process id")
            }
            None if rest.is_empty() && is_short(before, one) && is_short(before, other) => {
                VARIES.iter().find(|kind| kind.what == "short send")
            }
            None => None,
        };
        match kind {
            Some(_) if before.ends_with("parent_tid=[") && (one == "0") != (other == "0") => {
                self.note("cleared thread id", one, other)
            }
            Some(kind) if kind.consistent => {
                self.pair(kind.what, one, other, kind.what == "port" && !names_its_peer(before))
            }
            Some(kind) => self.note(kind.what, one, other),
            None if one == other => true,
            None if is_pointer(one) && is_pointer(other) => self.note("pointer", one, other),
            None if self.numbers_vary && in_quotes(before) && numbers => self.note("number in a buffer", one, other),
            None => false,
        }
    }

    fn note(&mut self, what: &'static str, one: &str, other: &str) -> bool {
        if one != other {
            *self.counts.entry(what).or_default() += 1;
        }
        true
    }

    /// Whether these two values can be the same thing in two runs: each must have met only the other so far. Where the
    /// kernel tells the program a value (`told`) one of the two may be an old acquaintance: the kernel may choose the
    /// port of a closed socket again, and in a run of many sockets it now and then does.
    fn pair(&mut self, what: &'static str, one: &str, other: &str, told: bool) -> bool {
        // 0 means "none" or "you choose" wherever it stands, and is nothing that a run has of its own.
        if one == "0" || other == "0" {
            return one == other;
        }
        let there = (what, one.to_string());
        let back = (what, other.to_string());
        let (met_there, met_back) = (self.pairs.get(&there), self.back.get(&back));
        let same = met_there.is_some_and(|met| met == other) && met_back.is_some_and(|met| met == one);
        let new = met_there.is_none() && met_back.is_none();
        let chosen_again = told && (met_there.is_none() || met_back.is_none());
        if !same && !new && !chosen_again {
            return false;
        }
        self.pairs.insert(there, other.to_string());
        self.back.insert(back, one.to_string());
        self.note(what, one, other)
    }
}

/// Whether this is the result of a `sendto` (of which all but that stands in `before`) that took something, and not all.
fn is_short(before: &str, result: &str) -> bool {
    // sendto(4, "xxxx"..., 1048576, MSG_NOSIGNAL, NULL, 0) = 8192
    let Some(request) = before.strip_prefix("sendto(").and_then(|line| line.trim_end().strip_suffix(") =")) else {
        return false;
    };
    let length = request.rsplit(", ").nth(3).and_then(|length| length.parse::<u64>().ok());
    length.zip(result.parse().ok()).is_some_and(|(length, result)| (1..length).contains(&result))
}

/// The next run of letters and digits, or else the next single character; and what is behind.
fn next_word(text: &str) -> (&str, &str) {
    let word = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let end = if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) };
    text.split_at(end)
}

/// Takes the remarks out that follow a time in clock ticks, if it is not 0: `si_stime=1 /* 0.01 s */`.
fn without_clock_remarks(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(" /* ") {
        let remark = after.split_once(" s */").filter(|(time, _)| {
            let follows_a_time = ["si_utime=", "si_stime="]
                .iter()
                .any(|name| before.rsplit_once(name).is_some_and(|(_, ticks)| is_number(ticks)));
            follows_a_time && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        out.push_str(before);
        match remark {
            Some((_, after)) => rest = after,
            None => {
                out.push_str(" /* ");
                rest = after;
            }
        }
    }
    out + rest
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address that a program could have: small ones are bad on purpose, and the same in each run.
fn is_pointer(word: &str) -> bool {
    const SMALLEST: u64 = 0x10000;
    word.strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .is_some_and(|number| number >= SMALLEST)
}

/// A name that the kernel has chosen for a unix socket.
fn is_chosen(word: &str, rest: &str) -> bool {
    word.len() == 5 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && rest.starts_with('"')
}

/// Whether this line's call is told an address by the program, and not by the kernel.
fn names_its_peer(before: &str) -> bool {
    ["bind(", "connect(", "sendto(", "sendmsg(", "sendmmsg("].iter().any(|call| before.starts_with(call))
}

/// Whether the result of this line is a process or thread.
fn returns_process(before: &str) -> bool {
    let Some(request) = before.strip_suffix(" = ").or_else(|| before.strip_suffix(" = -")) else { return false };
    ["fork(", "vfork(", "clone(", "clone3("].iter().any(|maker| request.starts_with(maker))
        || request.ends_with("F_GETOWN)")
}

/// Whether the next character stands inside of a quoted string.
fn in_quotes(before: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for byte in before.bytes() {
        match byte {
            b'"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        Alike::default().lines(one, other)
    }

    #[test]
    fn a_child_may_take_time_in_one_run_and_none_in_the_other() {
        let none = "--- SIGCHLD {si_status=0, si_utime=0, si_stime=0} ---";
        let some = "--- SIGCHLD {si_status=0, si_utime=2 /* 0.02 s */, si_stime=1 /* 0.01 s */} ---";
        assert!(alike(some, none) && alike(none, some) && alike(some, some));
        assert!(!alike(some, &none.replace("si_status=0", "si_status=1")));
        assert!(!alike("read(3 /* 0.02 s */) = 0", "read(3) = 0"));
    }

    #[test]
    fn how_short_a_send_was_may_differ() {
        let sent = |result: &str| format!("sendto(4, \"x, y\"..., 1048576, MSG_NOSIGNAL, NULL, 0) = {result}");
        assert!(alike(&sent("8192"), &sent("12288")));
        assert!(!alike(&sent("8192"), &sent("1048576")), "one of them was not short");
        assert!(!alike(&sent("8192"), &sent("0")));
        assert!(!alike(&sent("8192"), &sent("-1 EAGAIN (Resource temporarily unavailable)")));
        assert!(!alike("recvfrom(4, \"x\", 64, 0, NULL, NULL) = 1", "recvfrom(4, \"x\", 64, 0, NULL, NULL) = 2"));
    }

    #[test]
    fn only_what_may_vary_may_differ() {
        assert!(alike(
            "read(3, 0x7ffc0f40, 4) = -1 EFAULT (Bad address)",
            "read(3, 0x7ffeee08, 4) = -1 EFAULT (Bad address)"
        ));
        assert!(!alike("read(3, 0x1, 4) = 0", "read(3, 0x2, 4) = 0"));
        assert!(!alike("read(3, NULL, 4) = 0", "read(3, 0x7ffc0f40, 4) = 0"));
        assert!(!alike("read(3, \"a\", 4) = 1", "read(3, \"b\", 4) = 1"));
        assert!(!alike("close(3) = 0", "close(4) = 0"));
        assert!(alike("fork() = 700", "fork() = 800"));
        assert!(!alike("fork() = 700", "fork() = -1 EAGAIN (Resource temporarily unavailable)"));
        assert!(alike("{sa_family=AF_UNIX, sun_path=@\"0a1b2\"}", "{sa_family=AF_UNIX, sun_path=@\"ffff0\"}"));
        assert!(!alike("{sa_family=AF_UNIX, sun_path=@\"demos\"}", "{sa_family=AF_UNIX, sun_path=@\"demot\"}"));
        assert!(!alike("sin_port=htons(0)", "sin_port=htons(40000)"));
        assert!(alike("clone3({} => {parent_tid=[0]}, 88) = 7", "clone3({} => {parent_tid=[9]}, 88) = 9"));
        assert!(!alike("clone3({} => {parent_tid=[8]}, 88) = 7", "clone3({} => {parent_tid=[9]}, 88) = 9"));
        assert!(!alike("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40002\", 10) = 10"));
        let mut prints = Alike { numbers_vary: true, ..Alike::default() };
        assert!(prints.lines("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40002\", 10) = 10"));
        assert!(!prints.lines("write(1, \"port 40001\", 10) = 10", "write(1, \"port 40001\", 11) = 11"));
    }

    #[test]
    fn a_port_is_the_same_port_throughout() {
        let mut alike = Alike::default();
        assert!(alike.lines("bind(3, {sin_port=htons(40001)}) = 0", "bind(3, {sin_port=htons(50001)}) = 0"));
        assert!(alike.lines("bind(4, {sin_port=htons(40001)}) = 0", "bind(4, {sin_port=htons(50001)}) = 0"));
        assert!(!alike.lines("bind(5, {sin_port=htons(40001)}) = 0", "bind(5, {sin_port=htons(50002)}) = 0"));
        assert!(!alike.lines("bind(5, {sin_port=htons(40002)}) = 0", "bind(5, {sin_port=htons(50001)}) = 0"));
        assert!(alike.lines("bind(5, {sin_port=htons(40002)}) = 0", "bind(5, {sin_port=htons(50002)}) = 0"));
        // The kernel may choose a port again, but only the kernel.
        assert!(!alike.lines("bind(6, {sin_port=htons(40003)}) = 0", "bind(6, {sin_port=htons(50002)}) = 0"));
        let own = |port: u16| format!("getsockname(6, {{sin_port=htons({port})}}, [16]) = 0");
        assert!(alike.lines(&own(40003), &own(50002)));
        assert!(alike.lines("bind(6, {sin_port=htons(40003)}) = 0", "bind(6, {sin_port=htons(50002)}) = 0"));
        assert!(!alike.lines(&own(40003), &own(50001)));
    }
}
