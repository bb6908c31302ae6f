//! A recorded run as it stands in a page.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use lab::{AtlasEntry, End, Recording, Stop};
use observer::{Call, Ending, Event, Kernel, Outcome, Trace, What};
use serde::Serialize;

use crate::html::{escape, escape_for_markdown, escape_lines, typographic};

/// A trace with more lines than this is folded in its middle.
const LONG: usize = 40;
/// How many lines stand before and behind the fold.
const BEFORE_FOLD: usize = 16;
const BEHIND_FOLD: usize = 8;

/// The whole recording: what it shows, the command that makes it, what it printed, what the kernel saw, what to notice.
/// `title` is HTML; `data` is where the recording lies, seen from the page. `asked` names the question that the reader has
/// been asked about it, if there is one: then what happened is in an element of its own, which the page's script keeps
/// closed until there is an answer.
pub(crate) fn section(recording: &Recording, title: &str, data: &str, asked: Option<&str>) -> String {
    let id = format!("{}/{}", recording.lesson, recording.experiment);
    let mut page = format!(
        "<section class=\"trace\" id=\"{id}\" aria-label=\"Recorded run: {id}\" data-recording=\"{}\">\n\
         <p class=\"title\">{title}</p>\n<p>{}</p>\n\
         <pre><code class=\"language-sh\">cargo run -p lesson-{} -- {}</code></pre>\n",
        escape(data),
        escape(&typographic(&recording.shows)),
        recording.lesson,
        recording.experiment,
    );
    if let Some(question) = asked {
        page += &format!("<after-answer data-question=\"{question}\">\n");
    }
    if !recording.output.trim().is_empty() {
        page += &format!(
            "<p class=\"label\">What it printed</p>\n<pre class=\"output\"><samp>{}</samp></pre>\n",
            escape_lines(recording.output.trim_end())
        );
    }
    match &recording.trace {
        Some(trace) => {
            page += "<p class=\"label\">What the kernel saw</p>\n";
            page += &lines(recording, trace);
            for remark in trace.remarks.iter().cloned().chain(ending(&trace.ending)) {
                page += &format!("<p class=\"remark\">{}</p>\n", escape(&remark));
            }
        }
        None => {
            page += "<p class=\"remark\">Recorded where tracing is refused: what the kernel saw is not known.</p>\n"
        }
    }
    if let Some(stop) = &recording.stop {
        page += &format!("<p class=\"remark\">It ended early: {}.</p>\n", escape(&why(stop)));
    }
    if !recording.notice.is_empty() {
        page += &format!("<p class=\"notice\"><b>Notice:</b> {}</p>\n", escape(&typographic(&recording.notice)));
    }
    page += &format!(
        "<p class=\"source\">{} <a href=\"{}\">The recording</a></p>\n{}{}</section>\n",
        source(recording),
        escape(data),
        recording.trace.as_ref().map(|trace| for_the_player(recording, trace)).unwrap_or_default(),
        if asked.is_some() { "</after-answer>\n" } else { "" }
    );
    page
}

/// What was seen of a provocation: the line that gives the errno, behind which all lines are folded away, and what it printed.
pub(crate) fn evidence(recording: &Recording, entry: &AtlasEntry) -> String {
    let mut page = String::new();
    if !recording.output.trim().is_empty() {
        page += &format!(
            "<p class=\"label\">What it printed</p>\n<pre class=\"output\"><samp>{}</samp></pre>\n",
            escape_lines(recording.output.trim_end())
        );
    }
    let Some(trace) = &recording.trace else {
        return page + "<p class=\"remark\">Recorded where tracing is refused: what the kernel saw is not known.</p>\n";
    };
    let lines = lines(recording, trace);
    match (trace.events.len(), decisive(recording, entry)) {
        (0 | 1, _) => page += &format!("<p class=\"label\">What the kernel saw</p>\n{lines}"),
        (count, Some(line)) => {
            page += &format!(
                "<details class=\"run\"><summary><span class=\"vh\">What the kernel saw, {count} lines, with </span>\
                 <samp>{}</samp></summary>\n{lines}</details>\n",
                escape(&line)
            );
        }
        (count, None) => {
            page += &format!(
                "<details class=\"run\"><summary>What the kernel saw: {count} lines</summary>\n{lines}</details>\n"
            );
        }
    }
    for remark in trace.remarks.iter().cloned().chain(ending(&trace.ending)) {
        page += &format!("<p class=\"remark\">{}</p>\n", escape(&remark));
    }
    page
}

/// The first line of a provocation's trace that gives its errno.
pub(crate) fn decisive(recording: &Recording, entry: &AtlasEntry) -> Option<String> {
    let is_one = |call: &&Call| {
        let name = match call.name.as_ref() {
            "sendto" => "send",
            "recvfrom" => "recv",
            name => name,
        };
        entry.calls.iter().any(|one| *one == name || *one == call.name)
            && call.errno().is_some_and(|errno| lab::is_errno(errno, &entry.errno))
    };
    let mut calls = recording.trace.as_ref()?.events.iter().filter_map(|event| event.call());
    calls.find(is_one).map(|call| format!("{} = {}", call.request(), call.outcome.text))
}

/// What the trace player needs beside the lines: for each step its process, its times, its socket, and what the kernel held
/// after it, where that is not what it held before. Nothing, if the recording does not know that.
fn for_the_player<'a>(recording: &'a Recording, trace: &'a Trace) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        ends: &'a BTreeMap<u32, End>,
        steps: Vec<Step<'a>>,
    }
    #[derive(Serialize)]
    struct Step<'a> {
        pid: i32,
        at_us: u64,
        took_us: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        socket: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kernel: Option<&'a Kernel>,
    }
    if trace.events.iter().all(|event| event.kernel.is_none()) {
        return String::new();
    }
    let step = |event: &'a Event| Step {
        pid: event.pid,
        at_us: event.at_us,
        took_us: event.took_us,
        socket: event.call().and_then(|call| call.socket),
        kernel: event.kernel.as_ref(),
    };
    let data = Data { ends: &recording.ends, steps: trace.events.iter().map(step).collect() };
    // Numbers, names and texts always have a JSON form. In a page no `<` may stand in it.
    let json = serde_json::to_string(&data).unwrap_or_default();
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    format!("<script type=\"application/json\">{json}</script>\n")
}

/// Some lines of a trace, as a quotation that leads to the whole: `home` is a link to it.
pub(crate) fn excerpt(recording: &Recording, steps: RangeInclusive<usize>, title: &str, home: Option<&str>) -> String {
    let Some(trace) = &recording.trace else { return String::new() };
    let id = format!("{}/{}", recording.lesson, recording.experiment);
    let several = several_threads(trace);
    let mut page =
        format!("<figure class=\"trace\"><figcaption>{title}</figcaption>\n<ol start=\"{}\">\n", steps.start());
    for step in steps.clone() {
        page += &line(recording, &trace.events[step - 1], None, several);
    }
    page += "</ol>\n";
    if let Some(home) = home {
        let which = match steps.start() == steps.end() {
            true => format!("Line {}", steps.start()),
            false => format!("Lines {} to {}", steps.start(), steps.end()),
        };
        page += &format!("<p class=\"source\">{which} of <a href=\"{}\">{id}</a></p>\n", escape(home));
    }
    page += "</figure>\n";
    page
}

/// What a link with one of these texts quotes of a step, in the form for running text: `line`, `call`, `result`,
/// `errno`. `None` for any other text; an error where the step has no such thing.
pub(crate) fn quote(event: &Event, text: &str) -> Option<Result<String, String>> {
    let quoted = match (text, event.call()) {
        ("line", Some(call)) => Ok(format!("{} = {}", call.request(), call.outcome.text)),
        ("line", None) => Ok(event.line()),
        ("call" | "result" | "errno", None) => Err(format!("is not a call but `{}`", event.line())),
        ("call", Some(call)) => Ok(call.request()),
        ("result", Some(call)) => Ok(call.outcome.text.to_string()),
        ("errno", Some(call)) => match call.errno() {
            Some(errno) => Ok(errno.to_string()),
            None => Err(format!("did not fail: it says `{}`", call.outcome.text)),
        },
        _ => return None,
    };
    Some(quoted.map(|quoted| format!("<code>{}</code>", escape_for_markdown(&quoted))))
}

/// The steps that a reference names: `4`, `3-6`, or `bind` for the first line of that call.
pub(crate) fn steps(recording: &Recording, name: &str) -> Result<RangeInclusive<usize>, String> {
    let events = recording.trace.as_ref().map_or(&[][..], |trace| &trace.events);
    let is_it = |event: &Event| event.call().is_some_and(|call| call.name == name);
    if let Some(index) = events.iter().position(is_it) {
        return Ok(index + 1..=index + 1);
    }
    let (first, last) = name.split_once('-').unwrap_or((name, name));
    let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
        return Err(format!(
            "`{name}` is not a step: write a line's number (`4`), two (`3-6`), or the name of a call that the trace has (`bind`)"
        ));
    };
    let count = events.len();
    if first == 0 || first > last || last > count {
        return Err(format!("there is no step {name}: the trace has {count} lines, counted from 1"));
    }
    Ok(first..=last)
}

/// The lines of a trace as a list, folded in the middle if it is long.
fn lines(recording: &Recording, trace: &Trace) -> String {
    let several = several_threads(trace);
    let id = format!("{}/{}", recording.lesson, recording.experiment);
    let list = |from: usize, to: usize| -> String {
        let items =
            (from..=to).map(|step| line(recording, &trace.events[step - 1], Some(&format!("{id}@{step}")), several));
        let start = if from == 1 { String::new() } else { format!(" start=\"{from}\"") };
        format!("<ol{start}>\n{}</ol>\n", items.collect::<String>())
    };
    let count = trace.events.len();
    if count == 0 {
        return "<p class=\"remark\">Nothing: no call on a socket.</p>\n".to_string();
    }
    if count <= LONG {
        return list(1, count);
    }
    let (fold, behind) = (BEFORE_FOLD + 1, count - BEHIND_FOLD);
    format!(
        "{}<details><summary>Lines {fold} to {behind}</summary>\n{}</details>\n{}",
        list(1, fold - 1),
        list(fold, behind),
        list(behind + 1, count)
    )
}

/// One line of a trace as an item of a list.
fn line(recording: &Recording, event: &Event, id: Option<&str>, several: bool) -> String {
    let id = id.map(|id| format!(" id=\"{id}\"")).unwrap_or_default();
    let who = if several { format!("<span class=\"who\">[pid {}]</span> ", event.tid) } else { String::new() };
    let What::Call(call) = &event.what else {
        let class = match event.what {
            What::Signal { .. } | What::Stopped { .. } => "signal",
            What::Killed { .. } => "killed",
            _ => "life",
        };
        return format!("<li{id} class=\"{class}\"><samp>{who}{}</samp></li>\n", escape(&event.line()));
    };
    let end = call.socket.and_then(|socket| recording.ends.get(&socket)).map(|end| match end {
        End::Client => "client",
        End::Server => "server",
    });
    let mut classes: Vec<&str> = end.into_iter().collect();
    if call.errno().is_some() {
        classes.push("failed");
    }
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
    let badge =
        end.map(|end| format!("<span class=\"end\"><span class=\"vh\">{end}</span></span>")).unwrap_or_default();
    let mut notes = String::new();
    if let Some(guard) = &call.guard {
        notes += &format!("<span class=\"note\">stopped by the guard: {}</span>", escape(guard));
    } else if call.injected {
        notes += "<span class=\"note\">injected: the observer changed this call</span>";
    }
    let never_returned = call.outcome.value.is_none() && call.outcome.errno.is_none();
    if never_returned && !matches!(call.name.as_ref(), "exit" | "exit_group") {
        notes += "<span class=\"note\">never returned</span>";
    }
    format!(
        "<li{id}{class}>{badge}<samp><span class=\"call\">{who}{}</span> <span class=\"ret\">{}{notes}</span></samp></li>\n",
        request(call),
        result(&call.outcome)
    )
}

/// Name and arguments.
fn request(call: &Call) -> String {
    let plain = call.request();
    let Some(arguments) = plain.strip_prefix(call.name.as_ref()) else { return escape(&plain) };
    format!("<b>{}</b>{}", escape(&call.name), arguments_in_colour(arguments))
}

/// The result: what was returned, and after a failure the errno and its words.
fn result(outcome: &Outcome) -> String {
    let text = outcome.text.as_ref();
    let marked = outcome.errno.as_deref().and_then(|errno| {
        let (value, rest) = text.split_once(errno)?;
        Some(format!(
            "{}<strong class=\"errno\">{}</strong> <span class=\"words\">{}</span>",
            escape(value),
            escape(errno),
            escape(rest.trim_start())
        ))
    });
    let (value, words) = text.split_at(text.find(' ').unwrap_or(text.len()));
    format!("= {}", marked.unwrap_or_else(|| format!("<b>{}</b>{}", escape(value), escape(words))))
}

/// Strings stand out, names of fields step back, and a long line may break after a `|`.
fn arguments_in_colour(text: &str) -> String {
    let mut page = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (class, length) = if first == '"' {
            ("s", string_length(rest))
        } else if rest.starts_with("/*") {
            ("f", rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let is_field = first.is_ascii_lowercase() && rest[length..].starts_with('=');
            if is_field { ("f", length + 1) } else { ("", length) }
        } else {
            ("", first.len_utf8())
        };
        let (token, behind) = rest.split_at(length);
        match class {
            "" => page += &escape(token),
            _ => page += &format!("<span class=\"{class}\">{}</span>", escape(token)),
        }
        if token == "|" {
            page += "<wbr>";
        }
        rest = behind;
    }
    page
}

/// How long the quoted string is that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return position + 1,
            _ => {}
        }
    }
    text.len()
}

fn several_threads(trace: &Trace) -> bool {
    trace.events.iter().map(|event| event.tid).collect::<BTreeSet<_>>().len() > 1
}

/// What the lines themselves do not say of the run's end.
fn ending(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Exited { .. } | Ending::Killed { .. } => None,
        Ending::Deadline { milliseconds } => {
            Some(format!("It still ran after {} seconds, and was stopped.", *milliseconds as f64 / 1000.0))
        }
        Ending::TooManyProcesses { limit } => Some(format!("It made more than {limit} processes, and was stopped.")),
    }
}

fn why(stop: &Stop) -> String {
    stop.to_string().trim_end_matches('.').to_string()
}

/// Where it was recorded, and what its outcome depends on.
pub(crate) fn source(recording: &Recording) -> String {
    let machine = recording.trace.as_ref().map(|trace| &trace.machine);
    let recorded = machine.map(|machine| {
        let version: Vec<&str> = machine.kernel.split(['.', '-']).take(2).collect();
        format!("Recorded on Linux {}, {}.", escape(&version.join(".")), escape(&machine.architecture))
    });
    let depends = (!recording.when.is_empty())
        .then(|| format!("What you see is what happens {}.", escape(&typographic(&recording.when))));
    recorded.into_iter().chain(depends).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use observer::{Arg, Machine};

    use super::*;

    /// A recording with one event for each `(call, args, result, errno, socket)`.
    pub(crate) fn recording(
        calls: &[(&'static str, &'static str, &'static str, Option<&'static str>, u32)],
    ) -> Recording {
        let event = |&(name, args, text, errno, socket): &(
            &'static str,
            &'static str,
            &'static str,
            Option<&'static str>,
            u32,
        )| Event {
            pid: 7,
            tid: 7,
            at_us: 0,
            took_us: 1,
            what: What::Call(Call {
                name: Cow::Borrowed(name),
                args: vec![Arg { name: Cow::Borrowed("all"), text: Cow::Borrowed(args), value: None }],
                outcome: Outcome {
                    value: Some(if errno.is_some() { -1 } else { 0 }),
                    errno: errno.map(Cow::Borrowed),
                    text: Cow::Borrowed(text),
                },
                socket: Some(socket),
                injected: false,
                guard: None,
            }),
            kernel: None,
        };
        Recording {
            lesson: "bind".into(),
            experiment: "port-in-use".into(),
            shows: "A second <socket> asks for the same port.".into(),
            notice: "It fails at bind.".into(),
            atlas: None,
            output: String::new(),
            outcome: Some(0),
            when: String::new(),
            stop: None,
            ends: [(1, End::Server), (2, End::Client)].into(),
            trace: Some(Trace {
                machine: Machine { kernel: "6.18.44-generic".into(), architecture: "x86_64".into() },
                events: calls.iter().map(event).collect(),
                remarks: vec![],
                ending: Ending::Exited { status: 0 },
            }),
        }
    }

    pub(crate) fn port_in_use() -> Recording {
        recording(&[
            ("socket", "AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP", "3", None, 1),
            ("bind", "3, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr(\"127.0.0.1\")}, 16", "0", None, 1),
            ("socket", "AF_INET, SOCK_STREAM, IPPROTO_IP", "4", None, 2),
            ("bind", "4, {sa_family=AF_INET}, 16", "-1 EADDRINUSE (Address already in use)", Some("EADDRINUSE"), 2),
        ])
    }

    #[test]
    fn a_section_has_all_parts_and_no_blank_line() {
        let mut recording = port_in_use();
        recording.output = "one\n\nthree\n".into();
        recording.when = "where ports are free".into();
        let page = section(&recording, "Two sockets", "traces/bind/port-in-use.json", None);
        assert!(!page.contains("\n\n"), "{page}");
        for part in [
            "<section class=\"trace\" id=\"bind/port-in-use\"",
            "data-recording=\"traces/bind/port-in-use.json\"",
            "A second &lt;socket&gt; asks",
            "cargo run -p lesson-bind -- port-in-use</code>",
            "<samp>one&#10;&#10;three</samp>",
            "<li id=\"bind/port-in-use@1\" class=\"server\">",
            "<li id=\"bind/port-in-use@4\" class=\"client failed\"><span class=\"end\"><span class=\"vh\">client</span></span>",
            "= -1 <strong class=\"errno\">EADDRINUSE</strong> <span class=\"words\">(Address already in use)</span>",
            "SOCK_STREAM|<wbr>SOCK_CLOEXEC",
            "<span class=\"f\">sin_port=</span>htons(0)",
            "<span class=\"s\">&quot;127.0.0.1&quot;</span>",
            "Recorded on Linux 6.18, x86_64. What you see is what happens where ports are free.",
            "It fails at bind.",
        ] {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
    }

    #[test]
    fn what_answers_a_question_can_be_closed_and_the_command_stays() {
        let page = section(&port_in_use(), "Two sockets", "traces/bind/port-in-use.json", Some("bind-1"));
        assert!(!page.contains("\n\n"), "{page}");
        let (before, behind) = page.split_once("<after-answer data-question=\"bind-1\">\n").unwrap();
        assert!(before.contains("cargo run -p lesson-bind -- port-in-use</code>"), "{before}");
        for part in ["<li ", "<b>Notice:</b>", "The recording</a>"] {
            assert!(behind.contains(part) && !before.contains(part), "{part}\n{page}");
        }
        assert!(behind.ends_with("</after-answer>\n</section>\n"), "{behind}");
        assert!(!section(&port_in_use(), "", "", None).contains("after-answer"));
    }

    /// What a reader copies from the page is the line of the trace, but for the padding in front of the `=`.
    #[test]
    fn the_text_of_a_line_is_the_line() {
        for event in &port_in_use().trace.unwrap().events {
            let page = line(&port_in_use(), event, None, false);
            let mut text = String::new();
            let mut in_tag = false;
            for character in page
                .replace("<span class=\"vh\">server</span>", "")
                .replace("<span class=\"vh\">client</span>", "")
                .chars()
            {
                match character {
                    '<' => in_tag = true,
                    '>' => in_tag = false,
                    _ if in_tag => {}
                    _ => text.push(character),
                }
            }
            let text = text.replace("&quot;", "\"");
            let line = event.line().split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text.trim(), line);
        }
    }

    #[test]
    fn threads_are_told_apart_only_where_there_are_several() {
        let mut recording = port_in_use();
        assert!(!section(&recording, "", "", None).contains("[pid"));
        if let Some(trace) = &mut recording.trace {
            trace.events[1].tid = 8;
        }
        assert!(section(&recording, "", "", None).contains("<span class=\"who\">[pid 8]</span> <b>bind</b>"));
    }

    #[test]
    fn what_is_not_a_call_is_a_line_of_its_own_kind() {
        let mut recording = port_in_use();
        if let Some(trace) = &mut recording.trace {
            trace.events[0].what = What::Signal { signal: "SIGPIPE".into(), details: "{si_signo=SIGPIPE}".into() };
            trace.events[1].what = What::Exited { status: 0 };
            trace.ending = Ending::Deadline { milliseconds: 1500 };
        }
        let page = section(&recording, "", "", None);
        assert!(page.contains("class=\"signal\"><samp>--- SIGPIPE {si_signo=SIGPIPE} ---</samp>"), "{page}");
        assert!(page.contains("class=\"life\"><samp>+++ exited with 0 +++</samp>"), "{page}");
        assert!(page.contains("It still ran after 1.5 seconds"), "{page}");
    }

    #[test]
    fn what_the_observer_changed_says_so() {
        let mut recording = port_in_use();
        if let Some(Trace { events, .. }) = &mut recording.trace {
            if let What::Call(call) = &mut events[0].what {
                call.injected = true;
            }
            if let What::Call(call) = &mut events[1].what {
                (call.injected, call.guard) = (true, Some("0.0.0.0:80 is not a loopback address".into()));
            }
            if let What::Call(call) = &mut events[2].what {
                call.outcome = Outcome { value: None, errno: None, text: "?".into() };
            }
        }
        let page = section(&recording, "", "", None);
        assert!(page.contains("injected: the observer changed this call"), "{page}");
        assert!(page.contains("stopped by the guard: 0.0.0.0:80 is not a loopback address"), "{page}");
        assert!(page.contains("<span class=\"ret\">= <b>?</b><span class=\"note\">never returned</span>"), "{page}");
    }

    #[test]
    fn a_long_trace_is_folded_in_its_middle() {
        let page = section(&recording(&[("bind", "3", "0", None, 1); 300]), "", "", None);
        assert!(page.contains("<summary>Lines 17 to 292</summary>\n<ol start=\"17\">"), "{page}");
        assert!(page.contains("</details>\n<ol start=\"293\">"), "{page}");
        assert_eq!(page.matches("<li ").count(), 300);
        assert!(!section(&recording(&[("bind", "3", "0", None, 1); 40]), "", "", None).contains("<details>"));
    }

    #[test]
    fn a_recording_without_a_trace_says_why() {
        let mut recording = port_in_use();
        recording.trace = None;
        recording.stop = Some(Stop::unexpected("the port was free."));
        let page = section(&recording, "", "", None);
        assert!(page.contains("Recorded where tracing is refused"), "{page}");
        assert!(page.contains("It ended early: the port was free.</p>"), "{page}");
    }

    #[test]
    fn steps_are_counted_from_one() {
        let recording = port_in_use();
        assert_eq!(steps(&recording, "4"), Ok(4..=4));
        assert_eq!(steps(&recording, "2-3"), Ok(2..=3));
        for bad in ["0", "5", "3-2", "2-9"] {
            assert!(steps(&recording, bad).unwrap_err().contains("the trace has 4 lines"), "{bad}");
        }
        assert_eq!(steps(&recording, "bind"), Ok(2..=2), "the first bind");
        assert!(steps(&recording, "listen").unwrap_err().contains("is not a step"));
    }

    #[test]
    fn running_text_may_quote_a_step() {
        let recording = port_in_use();
        let events = &recording.trace.as_ref().unwrap().events;
        assert_eq!(quote(&events[3], "errno"), Some(Ok("<code>EADDRINUSE</code>".into())));
        assert_eq!(quote(&events[0], "result"), Some(Ok("<code>3</code>".into())));
        assert_eq!(quote(&events[3], "step four"), None);
        assert!(quote(&events[0], "errno").unwrap().unwrap_err().contains("did not fail"));
        let line = quote(&events[0], "line").unwrap().unwrap();
        assert!(line.starts_with("<code>socket&#40;AF&#95;INET"), "{line}");
    }

    #[test]
    fn an_excerpt_leads_to_the_whole() {
        let page = excerpt(&port_in_use(), 2..=3, "Two of four", Some("bind.md#bind/port-in-use@2"));
        assert!(page.contains("<ol start=\"2\">"), "{page}");
        assert!(page.contains("Lines 2 to 3 of <a href=\"bind.md#bind/port-in-use@2\">bind/port-in-use</a>"), "{page}");
        assert!(!page.contains("id=\""), "{page}");
        assert!(!page.contains("\n\n"), "{page}");
    }
}
