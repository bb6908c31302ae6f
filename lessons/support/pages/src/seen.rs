//! What the recordings of the whole book have of one errno or one call: the lists of the book's indexes.

use std::collections::BTreeMap;

use lab::Recording;

use crate::html::{escape, typographic};

/// How many runs of one group are named with what they show; the others are folded away.
const IN_FULL: usize = 4;

/// A call that a recording shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its line of the trace, counted from 1.
    pub step: usize,
    /// The kernel's name of the call, such as `sendto`.
    pub call: String,
    /// The errno that it brought, if any, such as `EADDRINUSE`.
    pub errno: Option<String>,
    /// The errno in words, where the call failed with it, such as `Address already in use`.
    pub words: Option<String>,
    /// How it brought it.
    pub how: How,
}

/// How a call brought its errno, if it brought any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The call failed, or there is no errno.
    Itself,
    /// `getsockopt` worked, and its answer to `SO_ERROR` was the errno of something that failed before.
    SoError,
    /// The observer made the call fail.
    Injected,
}

/// All calls of a recording, in order.
pub fn sightings(recording: &Recording) -> Vec<Sighting> {
    let events = recording.trace.as_ref().map_or(&[][..], |trace| &trace.events);
    let calls = events.iter().enumerate().filter_map(|(index, event)| Some((index + 1, event.call()?)));
    let sighting = |(step, call): (usize, &observer::Call)| {
        let told = so_error(call);
        Sighting {
            step,
            call: call.name.to_string(),
            errno: call.errno().or(told).map(str::to_string),
            words: call.errno().and_then(|_| words(&call.outcome.text)).map(str::to_string),
            how: match (call.injected, call.errno(), told) {
                (true, ..) => How::Injected,
                (false, None, Some(_)) => How::SoError,
                _ => How::Itself,
            },
        }
    };
    calls.map(sighting).collect()
}

/// The errno that `SO_ERROR` told of: `getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4])`.
fn so_error(call: &observer::Call) -> Option<&str> {
    let asks = call.name == "getsockopt" && call.args.iter().any(|arg| arg.text == "SO_ERROR");
    let mut answers = call.args.iter().filter_map(|arg| arg.text.strip_prefix('[')?.strip_suffix(']'));
    answers.rfind(|name| asks && is_errno(name))
}

/// What stands in brackets: `-1 EADDRINUSE (Address already in use)`.
fn words(outcome: &str) -> Option<&str> {
    Some(outcome.split_once('(')?.1.split_once(')')?.0)
}

/// Whether this is the form of an errno's name.
pub(crate) fn is_errno(name: &str) -> bool {
    name.len() > 2
        && name.starts_with('E')
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// What the recordings have, in the order in which the book shows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    runs: Vec<Run>,
}

/// One recording.
#[derive(Clone, Debug)]
struct Run {
    lesson: String,
    /// `bind/port-in-use`.
    id: String,
    shows: String,
    sightings: Vec<Sighting>,
}

/// A run, and the step of it that is meant.
type Place<'a> = (&'a Run, usize);

impl Seen {
    /// Adds a recording. The order counts.
    pub fn add(&mut self, recording: &Recording) {
        self.runs.push(Run {
            lesson: recording.lesson.clone(),
            id: format!("{}/{}", recording.lesson, recording.experiment),
            shows: recording.shows.clone(),
            sightings: sightings(recording),
        });
    }

    /// Which calls brought an errno, and where; each run once for each of them, with the first step. And the errno in
    /// words. `link` leads to an
    /// anchor such as `bind/port-in-use@4`, `entry` to a call's own entry. `None` if no run shows it.
    pub fn errno(
        &self,
        title: &str,
        errno: &str,
        link: impl Fn(&str) -> Option<String>,
        entry: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let mut calls: BTreeMap<(&str, How), Vec<Place>> = BTreeMap::new();
        let mut words = None;
        for run in &self.runs {
            for sighting in run.sightings.iter().filter(|sighting| sighting.errno.as_deref() == Some(errno)) {
                words = words.or(sighting.words.as_deref());
                let places = calls.entry((&sighting.call, sighting.how)).or_default();
                if places.last().is_none_or(|(last, _)| last.id != run.id) {
                    places.push((run, sighting.step));
                }
            }
        }
        if calls.is_empty() {
            return None;
        }
        let words = words.map(|words| format!("<p>In words: “{}”.</p>\n", escape(words))).unwrap_or_default();
        let mut page = format!("<div class=\"seen\">\n{words}<p class=\"label\">{title}</p>\n<ul>\n");
        for ((call, how), mut places) in calls {
            let how = match how {
                How::Itself => "",
                How::SoError => ", in the answer to <code>SO_ERROR</code>",
                How::Injected => ", injected: the observer made it fail",
            };
            own_lesson_first(call, &mut places);
            page += &format!("<li>{}{how}\n{}</li>\n", name(call, entry(call)), list(&places, &link));
        }
        page += "</ul>\n</div>\n";
        Some(page)
    }

    /// The errnos that a call has brought, and the runs that show it, with the first step. `link` leads to an anchor,
    /// `entry` to an errno's own entry. `None` if no run shows it.
    pub fn call(
        &self,
        title: &str,
        call: &str,
        link: impl Fn(&str) -> Option<String>,
        entry: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let mut places: Vec<Place> = Vec::new();
        let mut errnos: BTreeMap<&str, How> = BTreeMap::new();
        for run in &self.runs {
            let mut sightings = run.sightings.iter().filter(|sighting| sighting.call == call).peekable();
            places.extend(sightings.peek().map(|first| (run, first.step)));
            for sighting in sightings {
                if let Some(errno) = &sighting.errno
                    && sighting.how != How::SoError
                {
                    let how = errnos.entry(errno).or_insert(sighting.how);
                    *how = sighting.how.min(*how);
                }
            }
        }
        if places.is_empty() {
            return None;
        }
        let names: Vec<String> = errnos
            .into_iter()
            .map(|(errno, how)| match how {
                How::Injected => format!("{} (injected)", name(errno, entry(errno))),
                _ => name(errno, entry(errno)),
            })
            .collect();
        let said = match names.is_empty() {
            true => "No errno in this book.".to_string(),
            false => format!("Errnos in this book: {}.", names.join(", ")),
        };
        own_lesson_first(call, &mut places);
        Some(format!(
            "<div class=\"seen\">\n<p>{said}</p>\n<p class=\"label\">{title}</p>\n{}</div>\n",
            list(&places, &link)
        ))
    }
}

/// A call's own chapter comes first: `accept4` belongs to `accept`, `sendto` to `send`.
fn own_lesson_first(call: &str, places: &mut [Place]) {
    places.sort_by_key(|(run, _)| !call.starts_with(&run.lesson));
}

/// A call or an errno, as a link where it has an entry.
fn name(name: &str, entry: Option<String>) -> String {
    match entry {
        Some(entry) => format!("<a href=\"{}\"><code>{}</code></a>", escape(&entry), escape(name)),
        None => format!("<code>{}</code>", escape(name)),
    }
}

/// The first runs with what they show, the others folded.
fn list(places: &[Place], link: &impl Fn(&str) -> Option<String>) -> String {
    let anchor = |(run, step): &Place| match link(&run.id) {
        Some(home) => format!("<a href=\"{}@{step}\">{}</a>", escape(&home), escape(&run.id)),
        None => escape(&run.id),
    };
    // To fold a single one away would save nothing.
    let full = if places.len() == IN_FULL + 1 { IN_FULL + 1 } else { places.len().min(IN_FULL) };
    let mut page = "<ul>\n".to_string();
    for place in &places[..full] {
        page += &format!("<li>{}: {}</li>\n", anchor(place), escape(&typographic(&place.0.shows)));
    }
    page += "</ul>\n";
    if let rest @ [_, ..] = &places[full..] {
        let rest: Vec<String> = rest.iter().map(anchor).collect();
        page +=
            &format!("<details><summary>And {} more</summary>\n<p>{}</p>\n</details>\n", rest.len(), rest.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::{port_in_use, recording};

    fn seen(recordings: &[Recording]) -> Seen {
        let mut seen = Seen::default();
        recordings.iter().for_each(|recording| seen.add(recording));
        seen
    }

    fn named(lesson: &str, experiment: &str, mut recording: Recording) -> Recording {
        (recording.lesson, recording.experiment) = (lesson.to_string(), experiment.to_string());
        recording
    }

    fn errno(seen: &Seen, errno: &str) -> Option<String> {
        seen.errno("Shown by", errno, |id| Some(format!("x.md#{id}")), |call| Some(format!("calls.md#{call}")))
    }

    fn call(seen: &Seen, call: &str) -> Option<String> {
        seen.call("Shown by", call, |id| Some(format!("x.md#{id}")), |errno| Some(format!("errnos.md#{errno}")))
    }

    #[test]
    fn an_errno_leads_to_the_first_step_that_brings_it() {
        let page = errno(&seen(&[port_in_use()]), "EADDRINUSE").unwrap();
        for part in [
            "<p>In words: “Address already in use”.</p>",
            "<p class=\"label\">Shown by</p>",
            "<li><a href=\"calls.md#bind\"><code>bind</code></a>\n",
            "<a href=\"x.md#bind/port-in-use@4\">bind/port-in-use</a>: A second &lt;socket&gt; asks",
        ] {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
        assert!(!page.contains("\n\n"), "{page}");
        assert_eq!(errno(&seen(&[port_in_use()]), "EADDR"), None);
    }

    #[test]
    fn a_call_names_the_errnos_that_it_brought() {
        let page = call(&seen(&[port_in_use()]), "bind").unwrap();
        assert!(page.contains("Errnos in this book: <a href=\"errnos.md#EADDRINUSE\"><code>EADDRINUSE</code></a>."));
        assert!(page.contains("<a href=\"x.md#bind/port-in-use@2\">bind/port-in-use</a>"), "{page}");
        assert!(call(&seen(&[port_in_use()]), "socket").unwrap().contains("No errno in this book."));
        assert_eq!(call(&seen(&[port_in_use()]), "listen"), None);
    }

    #[test]
    fn a_call_is_shown_by_its_own_chapter_first_and_the_rest_is_folded() {
        let run = || recording(&[("accept4", "3", "-1 EAGAIN (…)", Some("EAGAIN"), 1)]);
        let mut runs: Vec<Recording> = (1..=5).map(|n| named("listen", &format!("l{n}"), run())).collect();
        assert!(!call(&seen(&runs), "accept4").unwrap().contains("<details>"), "one is not folded");
        runs.push(named("accept", "own", run()));
        for page in [call(&seen(&runs), "accept4").unwrap(), errno(&seen(&runs), "EAGAIN").unwrap()] {
            let places: Vec<usize> = ["accept/own", "listen/l1", "listen/l3", "And 2 more", "listen/l4", "listen/l5"]
                .map(|part| page.find(&format!(">{part}<")).unwrap_or_else(|| panic!("{part} is not in\n{page}")))
                .to_vec();
            assert!(places.is_sorted(), "{places:?}\n{page}");
        }
    }

    #[test]
    fn so_error_and_injection_say_so() {
        let mut run = recording(&[
            ("getsockopt", "", "0", None, 1),
            ("socket", "", "-1 ENOMEM (Cannot allocate memory)", Some("ENOMEM"), 2),
        ]);
        let events = &mut run.trace.as_mut().unwrap().events;
        if let observer::What::Call(call) = &mut events[0].what {
            call.args = ["SO_ERROR", "[ECONNREFUSED]", "[4]"]
                .map(|text| observer::Arg { name: "a".into(), text: text.into(), value: None })
                .into();
        }
        if let observer::What::Call(call) = &mut events[1].what {
            call.injected = true;
        }
        let seen = seen(&[run]);
        let told = errno(&seen, "ECONNREFUSED").unwrap();
        assert!(!told.contains("In words"), "{told}");
        assert!(told.contains("<code>getsockopt</code></a>, in the answer to <code>SO_ERROR</code>"), "{told}");
        assert!(errno(&seen, "ENOMEM").unwrap().contains("injected: the observer made it fail"));
        assert!(call(&seen, "getsockopt").unwrap().contains("No errno in this book."));
        assert!(call(&seen, "socket").unwrap().contains("<code>ENOMEM</code></a> (injected)."));
    }

    #[test]
    fn names_of_errnos_are_told_from_other_words() {
        assert!(["EAGAIN", "E2BIG", "ERESTART_RESTARTBLOCK"].iter().all(|name| is_errno(name)));
        assert!(["EAI_…", "E", "ESTABLISHEd", "bind", "SOCK", "4"].iter().all(|name| !is_errno(name)));
    }
}
