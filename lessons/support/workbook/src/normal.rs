//! Comparing two runs of an experiment. A recording keeps the values of a real run; what differs from run to run and
//! from machine to machine is made alike here, in the comparison, and nowhere else:
//!
//! - **ports** above 1024 that stand in an address of the trace become `PORT1`, `PORT2` …, in the order in which they are
//!   first seen, there and wherever the same number stands in the printed text, in decimal, or in hexadecimal as in
//!   `/proc/net/tcp`. (No experiment chooses a port of its own up there: all ask for port 0.);
//! - **process and thread ids** become 1, 2 … in the same way; in printed text after the words `pid`, `process` and `thread`;
//! - **user and group ids** (`uid=0`) become `ID`: a test may be run by anybody;
//! - **names that the kernel chose** for unix sockets, five hexadecimal digits behind a zero byte (`@"75b36"`), become
//!   `NAME1`, `NAME2` …;
//! - **pointers**, numbers of more than 32 bits in hexadecimal, become `POINTER1` …, and **inodes** (`socket:[4711]`)
//!   `INODE1` …;
//! - **times** of the trace are left out, durations in the printed text (a number with a point, and a unit: `59.9 s`) become
//!   `TIME`, clock ticks that an ended child used (`si_stime=1 /* 0.01 s */`) become `TICKS`, and left out are the **kernel's release**
//!   and the machine's **architecture**;
//! - **amounts** of bytes in the printed text (a number with a point, and a unit: `3.9 MB`) become `AMOUNT`;
//! - **how a process or a thread is started** (`fork`, `clone`, `clone3`, and with what) is the C library's affair and
//!   that of its version: it becomes `clone()`;
//! - **the number of a question to a name server**, and of the answer to it, is drawn by lot, and becomes 0;
//! - **how much a full buffer took**: a send that took something, and not all that it was given, took `SOME`. That it was short
//!   is the point; how short is the machine's affair;
//! - **what the kernel holds** after a call is compared only where there is one thread (with several it depends on which was
//!   faster) and where this machine lets the observer look; not compared is a queue's limit, which a setting of the machine
//!   caps, and how many bytes are unread, but whether any are; FIN_WAIT1 and FIN_WAIT2 count as one;
//! - **threads**: the lines of each stay in their order, and the threads are put one after another, since which of two
//!   comes first is the scheduler's affair; the sockets are numbered in that order. That a thread has ended is left out: whoever
//!   waits for it goes on a moment before, and the run may be over by then. (That it asks to end is a line of its own.)
//!
//! What stays is what the book teaches: the calls, their arguments, their results, in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::LazyLock;

use lab::{AtlasEntry, End, Recording};
use observer::{Address, Call, Event, Kernel, Trace, UnixName, Value, What};
use regex::Regex;

/// Says where two recordings of one experiment differ, a sentence each; nothing if they agree.
pub fn differences(recorded: &Recording, fresh: &Recording) -> Vec<String> {
    let mut differences = texts(recorded, fresh);
    let (mut recorded, mut fresh) = (normal(recorded), normal(fresh));
    if !shows_kernel(&fresh) {
        forget_kernel(&mut recorded);
        forget_kernel(&mut fresh);
    }
    if recorded.outcome != fresh.outcome {
        differences.push(format!("its outcome was {:?}, and now it is {:?}", recorded.outcome, fresh.outcome));
        return differences;
    }
    if recorded.stop != fresh.stop {
        differences.push(format!("it stopped for {:?}, and now for {:?}", recorded.stop, fresh.stop));
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (recorded.output.lines().collect(), fresh.output.lines().collect());
    differences.extend(first_difference("line", "of what it prints", &old, &new, |line| line.to_string()));
    match (&recorded.trace, &fresh.trace) {
        (Some(old), Some(new)) => {
            let show = |event: &Event| event.line().trim_end().to_string();
            differences.extend(first_difference("step", "of the trace", &old.events, &new.events, show));
            if old.ending != new.ending {
                differences.push(format!("it ended as {:?}, and now as {:?}", old.ending, new.ending));
            }
            if old.remarks != new.remarks {
                differences.push(format!("the observer remarked {:?}, and now {:?}", old.remarks, new.remarks));
            }
            if recorded.ends != fresh.ends {
                differences.push("which socket is the client's and which the server's is told otherwise".to_string());
            }
        }
        (Some(_), None) => differences.push("the recording has a trace, and this run has none".to_string()),
        (None, Some(_)) => differences.push("the recording has no trace, and this run has one".to_string()),
        (None, None) => {}
    }
    differences
}

/// Whether a run shows throughout what the kernel held, and would show the same each time.
fn shows_kernel(recording: &Recording) -> bool {
    let events = recording.trace.iter().flat_map(|trace| &trace.events);
    let threads: HashSet<i32> = events.clone().map(|event| event.tid).collect();
    let mut looks = events.filter_map(|event| event.kernel.as_ref()).peekable();
    threads.len() == 1 && looks.peek().is_some() && looks.all(|kernel| !kernel.hidden)
}

fn forget_kernel(recording: &mut Recording) {
    for event in recording.trace.iter_mut().flat_map(|trace| &mut trace.events) {
        event.kernel = None;
    }
}

/// The texts that come from the lesson's source.
pub fn texts(recorded: &Recording, fresh: &Recording) -> Vec<String> {
    let both = [("shows", &recorded.shows, &fresh.shows), ("notice", &recorded.notice, &fresh.notice)];
    let mut differences: Vec<String> = both
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("the text `{name}` was {old:?}, and now it is {new:?}"))
        .collect();
    if recorded.atlas != fresh.atlas {
        let show = |entry: &Option<AtlasEntry>| match entry {
            Some(entry) => serde_json::to_string(entry).unwrap_or_default(),
            None => "nothing".to_string(),
        };
        let (old, new) = (show(&recorded.atlas), show(&fresh.atlas));
        differences.push(format!("what it says for the atlas was {old}, and now it is {new}"));
    }
    differences
}

fn first_difference<T: PartialEq>(
    one: &str,
    of: &str,
    old: &[T],
    new: &[T],
    show: impl Fn(&T) -> String,
) -> Option<String> {
    let at = (0..old.len().max(new.len())).find(|&at| old.get(at) != new.get(at))?;
    let show = |item: Option<&T>| item.map_or("nothing more".to_string(), |item| format!("`{}`", show(item)));
    let (was, is) = (show(old.get(at)), show(new.get(at)));
    // Two steps may look alike and differ in what is not printed: the bytes behind a shortened text, say.
    let hidden = if was == is {
        ", which differs in what is not printed: a value, or what the kernel held after it"
    } else {
        ""
    };
    Some(format!("{one} {} {of} was {was}, and now it is {is}{hidden}", at + 1))
}

/// The recording with all that may differ made alike.
pub fn normal(recording: &Recording) -> Recording {
    let mut names = Names::default();
    let mut normal = recording.clone();
    if let Some(trace) = &mut normal.trace {
        // An old kernel, or a container, may not have clone3, and the C library then takes clone.
        trace.events.retain(|event| event.call().is_none_or(|call| call.name != "clone3" || call.succeeded()));
        trace.events.retain(|event| event.tid == event.pid || !matches!(event.what, What::Exited { .. }));
        names.learn(trace);
        trace.machine.kernel.clear();
        trace.machine.architecture.clear();
        for event in &mut trace.events {
            names.rename_event(event);
        }
        forget_what_did_not_change(&mut trace.events);
        trace.events.sort_by_key(|event| event.tid);
        normal.ends = number_sockets(&mut trace.events, &normal.ends);
        for remark in &mut trace.remarks {
            *remark = names.rename_text(remark);
        }
    }
    let output = names.rename_text(&normal.output);
    let output = DURATION.replace_all(&output, "TIME");
    normal.output = AMOUNT.replace_all(&output, "AMOUNT").into_owned();
    normal
}

/// Numbers the sockets anew, in the order of the lines as they now stand: which of two threads made one first was the
/// scheduler's affair, too. Returns which end each of them plays.
fn number_sockets(events: &mut [Event], ends: &BTreeMap<u32, End>) -> BTreeMap<u32, End> {
    let mut order = Order::default();
    let mut renumber = |number: &mut u32| *number = order.number(*number) as u32;
    // The calls decide: what the kernel holds names all sockets, and may differ where there are several threads.
    for event in events.iter_mut() {
        if let What::Call(call) = &mut event.what {
            call.socket.iter_mut().for_each(&mut renumber);
        }
    }
    for kernel in events.iter_mut().filter_map(|event| event.kernel.as_mut()) {
        kernel.descriptors.iter_mut().for_each(|descriptor| renumber(&mut descriptor.socket));
        for socket in &mut kernel.sockets {
            let numbers = [&mut socket.socket, &mut socket.waits_at, &mut socket.other_end];
            numbers.into_iter().flatten().for_each(&mut renumber);
        }
    }
    ends.iter().map(|(number, end)| (order.number(*number) as u32, *end)).collect()
}

/// What the kernel holds is kept where it changed. A change between two states that count as one is none.
fn forget_what_did_not_change(events: &mut [Event]) {
    let mut last: Option<Kernel> = None;
    for kernel in events.iter_mut().map(|event| &mut event.kernel) {
        if kernel.is_some() && *kernel == last {
            *kernel = None;
        } else if kernel.is_some() {
            last.clone_from(kernel);
        }
    }
}

static DURATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9]+\.[0-9]+ (s|ms|µs)\b").expect("it is a regular expression"));

static AMOUNT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9]+\.[0-9]+ [kMG]B\b").expect("it is a regular expression"));

/// How long a child took, in clock ticks, and in seconds if it was any.
static TICKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(si_[us]time)=[0-9]+( /\* [0-9.]+ s \*/)?").expect("it is a regular expression"));

/// Values in the order in which they are first seen.
struct Order<T>(HashMap<T, usize>);

impl<T> Default for Order<T> {
    fn default() -> Self {
        Order(HashMap::new())
    }
}

impl<T: Eq + Hash> Order<T> {
    fn number(&mut self, value: T) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(value).or_insert(next)
    }

    fn get(&self, value: &T) -> Option<usize> {
        self.0.get(value).copied()
    }
}

#[derive(Default)]
struct Names {
    /// Ports above 1024.
    ports: Order<u16>,
    /// Processes and threads.
    ids: Order<i64>,
    /// Abstract names of unix sockets that the kernel chose.
    unix_names: Order<String>,
    pointers: Order<u64>,
    inodes: Order<String>,
}

/// The families whose addresses begin with a port.
const INET: u16 = libc::AF_INET as u16;
const INET6: u16 = libc::AF_INET6 as u16;

/// The calls that start a process or a thread.
const START: [&str; 4] = ["fork", "vfork", "clone", "clone3"];

/// The calls that return a process's id.
const RETURN_IDS: [&str; 9] = ["fork", "vfork", "clone", "clone3", "wait4", "waitid", "getpid", "gettid", "getppid"];

impl Names {
    /// Learns which ports and which processes there are.
    fn learn(&mut self, trace: &Trace) {
        for event in &trace.events {
            self.ids.number(event.pid.into());
            self.ids.number(event.tid.into());
            let Some(call) = event.call() else { continue };
            for port in call.args.iter().filter_map(|arg| port(arg.value.as_ref()?)).filter(|&port| port > 1024) {
                self.ports.number(port);
            }
            if let Some(id) = returned_id(call) {
                self.ids.number(id);
            }
        }
        let sockets = trace.events.iter().filter_map(|event| event.kernel.as_ref()).flat_map(|kernel| &kernel.sockets);
        for port in sockets.flat_map(|socket| [&socket.local, &socket.peer]).flatten().filter_map(inet_port) {
            if port > 1024 {
                self.ports.number(port);
            }
        }
    }

    fn rename_event(&mut self, event: &mut Event) {
        event.at_us = 0;
        event.took_us = 0;
        event.pid = self.id(event.pid.into()) as i32;
        event.tid = self.id(event.tid.into()) as i32;
        match &mut event.what {
            What::Call(call) => self.rename_call(call),
            What::Signal { details, .. } => *details = self.rename_text(&TICKS.replace_all(details, "$1=TICKS")),
            What::Superseded { by } => *by = self.id((*by).into()) as i32,
            What::Stopped { .. } | What::Exited { .. } | What::Killed { .. } => {}
        }
        if let Some(kernel) = &mut event.kernel {
            self.rename_kernel(kernel);
        }
    }

    fn rename_kernel(&mut self, kernel: &mut Kernel) {
        for descriptor in &mut kernel.descriptors {
            descriptor.pid = self.id(descriptor.pid.into()) as i32;
        }
        for socket in &mut kernel.sockets {
            socket.backlog = None;
            // How many have come by now is a matter of time, and of the sizes of the machine's buffers.
            socket.unread = socket.unread.map(|bytes| bytes.min(1));
            // The one becomes the other when the acknowledgement comes, in the kernel's own time.
            if socket.state.as_deref() == Some("FIN_WAIT1") {
                socket.state = Some("FIN_WAIT2".into());
            }
            for address in [&mut socket.local, &mut socket.peer].into_iter().flatten() {
                self.rename_address(address);
            }
        }
    }

    fn rename_call(&mut self, call: &mut Call) {
        if START.contains(&call.name.as_ref()) {
            call.name = "clone".into();
            call.args.clear();
        }
        for arg in &mut call.args {
            arg.text = self.rename_text(&arg.text).into();
            match &mut arg.value {
                // Of an Internet address that is too short to be one, the first two bytes are the port's.
                Some(Value::Address(Address::Other { number: INET | INET6, data })) => {
                    data.iter_mut().take(2).for_each(|byte| *byte = 0);
                    arg.text = format!("an address that is too short: {data:?}").into();
                }
                Some(Value::Address(address)) => self.rename_address(address),
                Some(Value::Pointer(pointer)) => *pointer = self.pointer(*pointer),
                Some(Value::Bytes(bytes)) if asks_a_name_server(bytes) => {
                    bytes[..2].fill(0);
                    arg.text = format!("{bytes:?}").into();
                }
                _ => {}
            }
        }
        match returned_id(call) {
            Some(id) => {
                let id = self.id(id);
                call.outcome.value = Some(id);
                call.outcome.text = id.to_string().into();
            }
            None if is_short(call) => {
                call.outcome.value = Some(1);
                call.outcome.text = "SOME".into();
            }
            None => call.outcome.text = self.rename_text(&call.outcome.text).into(),
        }
    }

    fn rename_address(&mut self, address: &mut Address) {
        match address {
            Address::Inet { port, .. } | Address::Inet6 { port, .. } => {
                *port = self.ports.get(port).map_or(*port, |number| number as u16);
            }
            Address::Unix { name: UnixName::Abstract(name) } => {
                if let Some(number) = str::from_utf8(name).ok().and_then(|name| self.unix_name(name)) {
                    *name = number.into_bytes();
                }
            }
            _ => {}
        }
    }

    fn id(&mut self, id: i64) -> i64 {
        self.ids.number(id) as i64
    }

    /// What stands for an abstract name, if it is one that the kernel chose.
    fn unix_name(&mut self, name: &str) -> Option<String> {
        let chosen = name.len() == 5 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        chosen.then(|| format!("NAME{}", self.unix_names.number(name.to_string())))
    }

    fn pointer(&mut self, pointer: u64) -> u64 {
        // Below that a program writes them itself, to try what the kernel says to a bad one.
        if pointer > u32::MAX.into() { self.pointers.number(pointer) as u64 } else { pointer }
    }

    /// A text with every word that is the name of something, by the word before it or by itself, replaced.
    fn rename_text(&mut self, text: &str) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut before = "";
        for piece in pieces(text) {
            if is_word(piece) {
                match self.rename_word(before, &renamed, piece) {
                    Some(name) => renamed.push_str(&name),
                    None => renamed.push_str(piece),
                }
                before = piece;
            } else {
                renamed.push_str(piece);
            }
        }
        renamed
    }

    fn rename_word(&mut self, before: &str, so_far: &str, word: &str) -> Option<String> {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(digits) = word.strip_prefix("0x") {
            let pointer = u64::from_str_radix(digits, 16).ok()?;
            return (pointer > u32::MAX.into()).then(|| format!("POINTER{}", self.pointers.number(pointer)));
        }
        if so_far.ends_with("@\"") {
            return self.unix_name(word);
        }
        if let Some(address) = so_far.strip_suffix(':')
            && word.len() == 4
            && ends_in_hexadecimal_address(address)
        {
            let port = u16::from_str_radix(word, 16).ok()?;
            return self.ports.get(&port).map(|number| format!("PORT{number}"));
        }
        if !is_number {
            return None;
        }
        if so_far.ends_with(":[") {
            return Some(format!("INODE{}", self.inodes.number(word.to_string())));
        }
        match before {
            "pid" | "si_pid" | "process" | "thread" => {
                return Some(self.ids.number(word.parse().ok()?).to_string());
            }
            "uid" | "gid" | "si_uid" => return Some("ID".to_string()),
            _ => {}
        }
        self.ports.get(&word.parse().ok()?).map(|number| format!("PORT{number}"))
    }
}

fn port(value: &Value) -> Option<u16> {
    match value {
        Value::Address(address) => inet_port(address),
        _ => None,
    }
}

fn inet_port(address: &Address) -> Option<u16> {
    match address {
        Address::Inet { port, .. } | Address::Inet6 { port, .. } => Some(*port),
        _ => None,
    }
}

/// Whether this is a DNS message (RFC 1035, section 4.1) of one question, for an IPv4 address of a name, or the answer to
/// one, if it has nothing to add. Its first two bytes are the question's number.
fn asks_a_name_server(message: &[u8]) -> bool {
    message.get(4..12) == Some(&[0, 1, 0, 0, 0, 0, 0, 0]) && message[12..].ends_with(&[0, 0, 1, 0, 1])
}

/// A send that took something, and not all.
fn is_short(call: &Call) -> bool {
    let taken = call.outcome.value.filter(|&taken| taken > 0);
    call.name == "sendto" && taken.is_some_and(|taken| call.int("len").is_some_and(|given| taken < given))
}

fn returned_id(call: &Call) -> Option<i64> {
    let id = call.outcome.value.filter(|&id| id > 0)?;
    RETURN_IDS.contains(&call.name.as_ref()).then_some(id)
}

/// Whether this is the end of an address as `/proc/net/tcp` (8 digits) and `/proc/net/tcp6` (32) write it.
fn ends_in_hexadecimal_address(text: &str) -> bool {
    let digits = text.bytes().rev().take_while(u8::is_ascii_hexdigit).count();
    digits == 8 || digits == 32
}

/// A text cut into words (letters, digits and `_`) and what stands between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_word = is_word_char(rest.chars().next()?);
        let end = rest.find(|next: char| is_word_char(next) != is_word).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(is_word_char)
}

fn is_word_char(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(state: &str) -> Event {
        let text = format!(
            r#"{{"pid": 7, "tid": 7, "at_us": 1, "took_us": 1, "event": "exited", "status": 0,
                "kernel": {{"descriptors": [], "sockets": [{{"socket": 1, "kind": "tcp", "state": "{state}"}}]}}}}"#
        );
        serde_json::from_str(&text).expect("it is an event")
    }

    /// The states that are left of these.
    fn states(of: &[&str]) -> Vec<Option<String>> {
        let mut names = Names::default();
        let mut events: Vec<Event> = of.iter().map(|state| event(state)).collect();
        events.iter_mut().for_each(|event| names.rename_event(event));
        forget_what_did_not_change(&mut events);
        events.iter().map(|event| event.kernel.as_ref()?.sockets[0].state.as_ref().map(ToString::to_string)).collect()
    }

    /// A socket call of a thread, about the socket of this number.
    fn call(tid: i32, socket: u32) -> Event {
        let text = format!(
            r#"{{"pid": 7, "tid": {tid}, "at_us": 1, "took_us": 1, "event": "call", "name": "socket", "args": [],
                "outcome": {{"value": 3, "text": "3"}}, "socket": {socket}}}"#
        );
        serde_json::from_str(&text).expect("it is an event")
    }

    /// The sockets' numbers and ends, as they are compared.
    fn numbered(mut events: Vec<Event>, ends: &[(u32, End)]) -> (Vec<u32>, Vec<(u32, End)>) {
        events.sort_by_key(|event| event.tid);
        let ends = number_sockets(&mut events, &ends.iter().copied().collect());
        (events.iter().filter_map(|event| event.call()?.socket).collect(), ends.into_iter().collect())
    }

    #[test]
    fn that_a_thread_has_ended_makes_no_difference() {
        let end = |tid: i32| Event { tid, what: What::Exited { status: 0 }, ..call(7, 1) };
        let trace = |events: Vec<Event>| {
            let text = r#"{"lesson": "a", "experiment": "b", "shows": "", "notice": "", "output": "", "outcome": 0, "trace": {
                "machine": {"kernel": "", "architecture": ""}, "events": [], "ending": {"how": "exited", "status": 0}}}"#;
            let mut recording: Recording = serde_json::from_str(text).expect("it is a recording");
            recording.trace.as_mut().expect("it has a trace").events = events;
            recording
        };
        let without = trace(vec![call(7, 1), call(8, 2), end(7)]);
        assert_eq!(differences(&without, &trace(vec![call(7, 1), call(8, 2), end(8), end(7)])), [""; 0]);
        assert!(!differences(&without, &trace(vec![call(7, 1), call(8, 2)])).is_empty(), "the end of a process counts");
    }

    #[test]
    fn which_thread_made_its_socket_first_makes_no_difference() {
        let first = numbered(vec![call(7, 1), call(8, 2), call(7, 1)], &[(1, End::Client), (2, End::Server)]);
        let second = numbered(vec![call(8, 1), call(7, 2), call(7, 2)], &[(2, End::Client), (1, End::Server)]);
        assert_eq!(first, second);
        let another = numbered(vec![call(8, 1), call(7, 2), call(7, 1)], &[(2, End::Client), (1, End::Server)]);
        assert_ne!(first, another, "which socket a call is about is not the scheduler's affair");
    }

    #[test]
    fn the_number_of_a_question_to_a_name_server_makes_no_difference() {
        let sent = |bytes: &[u8]| {
            let text = format!(
                r#"{{"pid": 7, "tid": 7, "at_us": 1, "took_us": 1, "event": "call", "name": "sendto",
                    "args": [{{"name": "buf", "text": "{}", "value": {{"bytes": {bytes:?}}}}}],
                    "outcome": {{"value": 1, "text": "1"}}}}"#,
                bytes.escape_ascii().to_string().replace('\\', "/")
            );
            let mut event: Event = serde_json::from_str(&text).expect("it is an event");
            Names::default().rename_event(&mut event);
            event
        };
        let one = b"\x31\x9a\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        let two = b"\0\x77\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        let another_name = b"\0\x77\x01\0\0\x01\0\0\0\0\0\0\x01b\0\0\x01\0\x01";
        assert_eq!(sent(one), sent(two));
        assert_ne!(sent(two), sent(another_name), "the rest is what was asked");
        assert_ne!(sent(&one[..18]), sent(&two[..18]), "other bytes are compared as they are");
    }

    #[test]
    fn when_an_acknowledgement_comes_makes_no_difference() {
        let [established, fin_wait, closed] =
            ["ESTABLISHED", "FIN_WAIT2", "CLOSE_WAIT"].map(|state| Some(state.to_string()));
        let late = states(&["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT"]);
        assert_eq!(late, [established, fin_wait, None, closed]);
    }
}
