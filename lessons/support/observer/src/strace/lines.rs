//! Lines: how `strace` writes them down, and whose they are.

use std::collections::HashMap;

use crate::{decode, fence};

/// A line of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub tid: i32,
    pub text: String,
}

/// Reads `strace -f -o FILE`'s output: joins the halves of interrupted lines, and takes out the spaces that put the `=`
/// into its column (after checking that it stands there).
pub(super) fn parse(log: &str) -> Result<Vec<Line>, String> {
    const UNFINISHED: &str = " <unfinished ...>";
    let mut lines: Vec<Option<Line>> = Vec::new();
    // For each thread its line that is not complete yet.
    let mut open: HashMap<i32, usize> = HashMap::new();
    for raw in log.lines() {
        let (tid, text) = raw.split_once(' ').ok_or_else(|| format!("a line without a process id: {raw}"))?;
        let tid: i32 = tid.parse().map_err(|_| format!("a line without a process id: {raw}"))?;
        let text = text.trim_start();
        if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>")) {
            let begun = open.remove(&tid).and_then(|index| lines[index].take());
            let begun = begun.ok_or_else(|| format!("nothing to resume: {raw}"))?;
            let whole = format!("{}{rest}", begun.text);
            lines.push(Some(Line { tid, text: squeeze(&whole, None)? }));
            continue;
        }
        if let Some(start) = text.strip_suffix(UNFINISHED) {
            open.insert(tid, lines.len());
            lines.push(Some(Line { tid, text: start.to_string() }));
            continue;
        }
        // exec ends a process's other threads; its caller goes on under the id of the first.
        if let Some(by) =
            text.strip_prefix("+++ superseded by execve in pid ").and_then(|text| text.strip_suffix(" +++"))
        {
            let by = by.parse().map_err(|_| format!("a thread without an id: {raw}"))?;
            if let Some(index) = open.remove(&by) {
                open.insert(tid, index);
            }
        }
        let column = raw.len() - text.len();
        lines.push(Some(Line { tid, text: squeeze(text, Some(column))? }));
    }
    Ok(lines.into_iter().flatten().collect())
}

/// Takes out the spaces before the `=` of a call's line. `column` is where the line began, if it was printed at one go.
fn squeeze(text: &str, column: Option<usize>) -> Result<String, String> {
    const EQUALS: usize = 40;
    if text.starts_with("+++") || text.starts_with("---") {
        return Ok(text.to_string());
    }
    let (request, outcome) = text.rsplit_once(" = ").ok_or_else(|| format!("a call without a result: {text}"))?;
    let trimmed = request.trim_end();
    if let Some(column) = column {
        let padded = (column + trimmed.len()).max(EQUALS - 1);
        if column + request.len() != padded {
            return Err(format!("the = does not stand in column {EQUALS}: {text}"));
        }
    }
    Ok(format!("{trimmed} = {outcome}"))
}

fn is_mark(text: &str, mark: &[u8]) -> bool {
    let mark = String::from_utf8_lossy(mark);
    text.starts_with(&format!("write(-1, \"{mark}\", {})", mark.len()))
}

/// The lines between the marks, without them.
pub(super) fn between_marks(lines: Vec<Line>) -> Vec<Line> {
    let mut inside = false;
    let mut kept = Vec::new();
    for line in lines {
        if is_mark(&line.text, fence::BEGIN) {
            inside = true;
        } else if is_mark(&line.text, fence::END) {
            inside = false;
        } else if inside {
            kept.push(line);
        }
    }
    kept
}

/// The observer never shows the marks.
pub(super) fn without_marks(mut lines: Vec<Line>) -> Vec<Line> {
    lines.retain(|line| !is_mark(&line.text, fence::BEGIN) && !is_mark(&line.text, fence::END));
    lines
}

/// Of the general calls those on sockets and on numbers that are not open (and the marks), without what `strace -y` says
/// of each descriptor.
pub(super) fn on_sockets(lines: Vec<Line>) -> Vec<Line> {
    let is_shown = |line: &str, text: &str, named: &[&str]| {
        let name = text.split('(').next().unwrap_or_default();
        let is_general = decode::table().iter().any(|info| info.name == name && info.scope == decode::Scope::General);
        let is_a_mark = is_mark(text, fence::BEGIN) || is_mark(text, fence::END);
        let is_epoll = name.starts_with("epoll_") && name != "epoll_ctl";
        let is_on_nothing = is_on_nothing(name, &line[name.len()..]);
        !is_general || is_a_mark || is_epoll || is_on_nothing || named.iter().any(|file| file.starts_with("socket:["))
    };
    let shown = |line: Line| {
        let (text, named) = without_names(&line.text);
        is_shown(&line.text, &text, &named).then_some(Line { tid: line.tid, text })
    };
    lines.into_iter().filter_map(shown).collect()
}

/// Whether a call's first argument is a descriptor that is not open: a number for which `-y` has no name.
/// (In poll and select such a number is to be skipped, and close_range takes any.)
fn is_on_nothing(name: &str, rest: &str) -> bool {
    let number = rest.trim_start_matches(['(', '-']);
    let after = number.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let names_nobody = matches!(name, "poll" | "ppoll" | "select" | "pselect6" | "close_range");
    !names_nobody && after.len() < number.len() && !after.starts_with('<')
}

/// Takes what `-y` adds behind descriptors out of a line: `read(5</proc/stat>, …)` becomes `read(5, …)` and `/proc/stat`.
fn without_names(text: &str) -> (String, Vec<&str>) {
    let (mut plain, mut named) = (String::with_capacity(text.len()), Vec::new());
    let mut in_quotes = false;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|after| after.split_once('>'));
        match name {
            Some((name, after)) if !in_quotes && plain.ends_with(|before: char| before.is_ascii_digit()) => {
                named.push(name);
                rest = after;
                continue;
            }
            _ => {}
        }
        let taken = if letter == '\\' && in_quotes { 2 } else { letter.len_utf8() };
        in_quotes ^= letter == '"';
        let (part, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        plain.push_str(part);
        rest = after;
    }
    (plain, named)
}

/// The lines of each thread, under a name that does not depend on process ids: who made whom, in which order.
pub(super) fn by_thread(lines: &[Line]) -> Vec<(String, Vec<&str>)> {
    let mut makers: HashMap<i32, (i32, usize)> = HashMap::new();
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for line in lines {
        if let Some(child) = new_thread(&line.text) {
            let count = counts.entry(line.tid).or_default();
            *count += 1;
            makers.insert(child, (line.tid, *count));
        }
    }
    let mut strangers: Vec<i32> = Vec::new();
    let mut threads: Vec<(i32, String, Vec<&str>)> = Vec::new();
    for line in lines {
        if let Some((_, _, texts)) = threads.iter_mut().find(|(tid, _, _)| *tid == line.tid) {
            texts.push(&line.text);
        } else {
            threads.push((line.tid, thread_name(line.tid, &makers, &mut strangers), vec![&line.text]));
        }
    }
    let mut threads: Vec<(String, Vec<&str>)> = threads.into_iter().map(|(_, name, texts)| (name, texts)).collect();
    threads.sort_by(|one, other| one.0.cmp(&other.0));
    threads
}

/// `1.2` for the second thread that thread 1 made. Threads of which nobody knows who made them (the first is one of them)
/// are numbered as they appear.
fn thread_name(tid: i32, makers: &HashMap<i32, (i32, usize)>, strangers: &mut Vec<i32>) -> String {
    // (Ids may be used again: then a thread could seem to be its own ancestor, were it not for the limit.)
    const DEEPEST: usize = 100;
    let mut path = Vec::new();
    let mut ancestor = tid;
    while let Some((maker, count)) = makers.get(&ancestor).filter(|_| path.len() < DEEPEST) {
        path.push(*count);
        ancestor = *maker;
    }
    let number = strangers.iter().position(|known| *known == ancestor).unwrap_or_else(|| {
        strangers.push(ancestor);
        strangers.len() - 1
    });
    path.iter().rev().fold((number + 1).to_string(), |name, count| format!("{name}.{count}"))
}

/// The id of the thread or process that this line's call made.
fn new_thread(text: &str) -> Option<i32> {
    const MAKERS: [&str; 4] = ["fork(", "vfork(", "clone(", "clone3("];
    if !MAKERS.iter().any(|maker| text.starts_with(maker)) {
        return None;
    }
    text.rsplit_once(" = ")?.1.parse().ok().filter(|tid| *tid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(i32, &str)]) -> Vec<Line> {
        of.iter().map(|(tid, text)| Line { tid: *tid, text: text.to_string() }).collect()
    }

    #[test]
    fn strace_lines_are_joined_and_squeezed() {
        let log = "982   close(3)                          = 0\n\
                   982   recvfrom(4,  <unfinished ...>\n\
                   1003  exit(0)                           = ?\n\
                   1003  +++ exited with 0 +++\n\
                   982   <... recvfrom resumed>\"x\", 64, 0, NULL, NULL) = 1\n";
        let expected = lines(&[
            (982, "close(3) = 0"),
            (1003, "exit(0) = ?"),
            (1003, "+++ exited with 0 +++"),
            (982, "recvfrom(4, \"x\", 64, 0, NULL, NULL) = 1"),
        ]);
        assert_eq!(parse(log), Ok(expected));
        let crooked = parse("982   close(3) = 0\n").expect_err("the = is not in its column");
        assert!(crooked.contains("column 40"), "{crooked}");
    }

    #[test]
    fn calls_on_files_are_told_from_those_on_sockets() {
        let all = lines(&[
            (1, "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3<socket:[17]>"),
            (1, "read(4</proc/net/tcp>, \"0<socket:[1]>\", 16) = 13"),
            (1, "write(3<socket:[17]>, \"a \\\"3<x>\", 6) = 6"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "poll([{fd=3<socket:[17]>, events=POLLIN}], 1, 0) = 0 (Timeout)"),
            (1, "epoll_wait(5<anon_inode:[eventpoll]>, [], 8, 0) = 0"),
            (1, "close(5<anon_inode:[eventpoll]>) = 0"),
            (1, "close(5) = -1 EBADF (Bad file descriptor)"),
            (1, "close_range(5, 6, 0) = 0"),
            (1, "select(0, NULL, NULL, NULL, {tv_sec=0, tv_usec=0}) = 0 (Timeout)"),
            (1, "read(3<socket:[17]>,  <unfinished ...>) = ?"),
            (1, "+++ exited with 0 +++"),
        ]);
        let expected = lines(&[
            (1, "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"),
            (1, "write(3, \"a \\\"3<x>\", 6) = 6"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "poll([{fd=3, events=POLLIN}], 1, 0) = 0 (Timeout)"),
            (1, "epoll_wait(5, [], 8, 0) = 0"),
            (1, "close(5) = -1 EBADF (Bad file descriptor)"),
            (1, "read(3,  <unfinished ...>) = ?"),
            (1, "+++ exited with 0 +++"),
        ]);
        assert_eq!(on_sockets(all), expected);
    }

    #[test]
    fn the_fence_cuts_both_ends() {
        let all = lines(&[
            (1, "close(1) = 0"),
            (1, "write(-1, \"#begin\", 6) = -1 EBADF (Bad file descriptor)"),
            (1, "close(2) = 0"),
            (1, "write(-1, \"#end\", 4) = -1 EBADF (Bad file descriptor)"),
            (1, "close(3) = 0"),
        ]);
        assert_eq!(between_marks(all.clone()), lines(&[(1, "close(2) = 0")]));
        assert_eq!(without_marks(all), lines(&[(1, "close(1) = 0"), (1, "close(2) = 0"), (1, "close(3) = 0")]));
    }
}
