//! The calls that wait for descriptors: poll, select and epoll.

use super::buffers::{array, int, word};
use super::names::{EPOLL_EVENTS, EPOLL_OPERATIONS, POLL_EVENTS};
use super::text::{Names, SHOWN, Text, flags, plain_flags, pointer, put};
use super::{Pending, Rest, signals};
use crate::memory::Memory;
use crate::trace::Value;

/// `struct pollfd`.
pub(super) const POLLFD: u64 = 8;
/// `struct epoll_event`, which has no gap between its fields on x86-64.
pub(super) const EPOLL_EVENT: usize = if cfg!(target_arch = "x86_64") { 12 } else { 16 };
/// Where in it the program's own data begin.
const EPOLL_DATA: usize = EPOLL_EVENT - 8;
/// The one flag of epoll_create1 is the one of open.
const EPOLL_FLAGS: Names = &[(libc::EPOLL_CLOEXEC as u64, "EPOLL_CLOEXEC")];
/// `strace` puts at most this many bytes beside a result.
const NOTE: usize = 1024;

/// poll(fds, nfds, timeout)
pub(super) fn poll(call: &mut Pending, memory: &Memory) -> Rest {
    push_watched(call, memory);
    call.push_int(2);
    Rest::Details
}

/// ppoll(fds, nfds, tmo_p, sigmask, sigsetsize)
pub(super) fn ppoll(call: &mut Pending, memory: &Memory) -> Rest {
    push_watched(call, memory);
    push_timespec(call, memory, 2);
    push_signals(call, memory, 3, 4);
    Rest::Details
}

/// The descriptors that are ready.
pub(super) fn poll_end(call: &mut Pending, memory: &Memory) {
    poll_note(call, memory, 0);
}

/// The descriptors that are ready, and how much time is left.
pub(super) fn ppoll_end(call: &mut Pending, memory: &Memory) {
    poll_note(call, memory, call.raw[2]);
}

fn push_watched(call: &mut Pending, memory: &Memory) {
    let count = call.raw[1] as u32;
    let mut out = String::with_capacity(64);
    array(&mut out, memory, call.raw[0], count.into(), POLLFD, |out, element| {
        let fd = int(element, 0);
        put!(out, "{{fd={fd}");
        if fd >= 0 {
            let events = u16::from_ne_bytes([element[4], element[5]]);
            put!(out, ", events={}", flags(POLL_EVENTS, events.into(), "POLL???"));
        }
        out.push('}');
        true
    });
    call.push(out, Some(Value::Pointer(call.raw[0])));
    call.push(count.to_string(), Some(Value::Int(count.into())));
}

fn poll_note(call: &mut Pending, memory: &Memory, timeout: u64) {
    if call.failed() {
        return;
    }
    if call.result == 0 {
        call.note = Some("Timeout".into());
        return;
    }
    let count = u64::from(call.raw[1] as u32);
    let end = call.raw[0].checked_add(count * POLLFD);
    let (Some(_), true) = (end, call.raw[0] != 0 && count != 0) else { return };
    let mut note = ready(memory, call.raw[0], count);
    if timeout != 0 {
        let left = timespec(memory, timeout);
        let separator = if note.is_empty() { "" } else { ", " };
        if note.len() + ", left ".len() + 1 + left.len() < NOTE {
            put!(note, "{separator}left {left}");
        } else {
            note.push_str(", ...");
        }
    }
    if !note.is_empty() {
        call.note = Some(note.into());
    }
}

/// The descriptors with events: `[{fd=4, revents=POLLOUT}]`.
fn ready(memory: &Memory, address: u64, count: u64) -> String {
    // What is kept free for the longest ending.
    const SPARE: usize = 2 + 2 * 8 + ", ], ...".len() + 1;
    let mut out = String::new();
    let mut printed = 0;
    for index in 0..count {
        let at = address + index * POLLFD;
        let Some(element) = memory.array::<{ POLLFD as usize }>(at) else {
            put!(out, "{}{at:#x}", if out.is_empty() { "[" } else { ", " });
            break;
        };
        let events = u16::from_ne_bytes([element[6], element[7]]);
        if events == 0 {
            continue;
        }
        out.push_str(if out.is_empty() { "[" } else { ", " });
        let entry = format!("{{fd={}, revents={}", int(&element, 0), plain_flags(POLL_EVENTS, events.into()));
        if printed == SHOWN || out.len() + entry.len() + 1 >= NOTE - SPARE {
            out.push_str("...");
            break;
        }
        out.push_str(&entry);
        out.push('}');
        printed += 1;
    }
    if !out.is_empty() {
        out.push(']');
    }
    out
}

/// select(nfds, readfds, writefds, exceptfds, timeout)
#[cfg(target_arch = "x86_64")]
pub(super) fn select(call: &mut Pending, memory: &Memory) -> Rest {
    push_sets(call, memory);
    let timeout = timeval(memory, call.raw[4]);
    call.push(timeout, Some(Value::Pointer(call.raw[4])));
    Rest::Details
}

/// The descriptors that are ready, and how much time is left.
#[cfg(target_arch = "x86_64")]
pub(super) fn select_end(call: &mut Pending, memory: &Memory) {
    select_note(call, memory, timeval);
}

/// pselect6(nfds, readfds, writefds, exceptfds, timeout, sigmask)
pub(super) fn pselect6(call: &mut Pending, memory: &Memory) -> Rest {
    push_sets(call, memory);
    push_timespec(call, memory, 4);
    let text: Text = match memory.array::<16>(call.raw[5]) {
        Some(bytes) => {
            let size = word(&bytes, 8);
            format!("{{sigmask={}, sigsetsize={size}}}", signals::set(memory, word(&bytes, 0), size)).into()
        }
        None => pointer(call.raw[5]),
    };
    call.push(text, Some(Value::Pointer(call.raw[5])));
    Rest::Details
}

/// The descriptors that are ready, and how much time is left.
pub(super) fn pselect6_end(call: &mut Pending, memory: &Memory) {
    select_note(call, memory, timespec);
}

/// How many descriptors the sets of select are said to hold: a negative number is none, an absurd one is cut.
pub(super) fn set_size(nfds: i32) -> usize {
    nfds.clamp(0, 1024 * 1024) as usize
}

/// Reads a set of descriptors below `size`.
pub(super) fn read_set(memory: &Memory, address: u64, size: usize) -> Option<Vec<i32>> {
    if address == 0 {
        return None;
    }
    let words = memory.bytes(address, size.div_ceil(64) * 8)?;
    let is_set = |fd: &usize| word(&words, fd / 64 * 8) & (1 << (fd % 64)) != 0;
    Some((0..size).filter(is_set).map(|fd| fd as i32).collect())
}

fn push_sets(call: &mut Pending, memory: &Memory) {
    call.push_int(0);
    let size = set_size(call.int(0));
    for index in 1..=3 {
        let address = call.raw[index];
        let text: Text = match read_set(memory, address, size).filter(|_| size > 0) {
            Some(fds) => {
                let fds: Vec<String> = fds.iter().map(i32::to_string).collect();
                format!("[{}]", fds.join(" ")).into()
            }
            None => pointer(address),
        };
        call.push(text, Some(Value::Pointer(address)));
    }
}

fn select_note(call: &mut Pending, memory: &Memory, time: fn(&Memory, u64) -> Text) {
    // What is kept free for one more descriptor.
    const SPARE: usize = ", except [".len() + 1 + 4 * 3 + 2;
    if call.failed() {
        return;
    }
    if call.result == 0 {
        call.note = Some("Timeout".into());
        return;
    }
    let size = set_size(call.int(0));
    let mut left = call.result;
    let mut out = String::new();
    let mut separator = "";
    for (index, name) in [(1, "in"), (2, "out"), (3, "except")] {
        let Some(fds) = read_set(memory, call.raw[index], size) else { continue };
        if left <= 0 {
            break;
        }
        let mut first = true;
        for fd in fds {
            if out.len() < NOTE - SPARE {
                match first {
                    true => put!(out, "{separator}{name} [{fd}"),
                    false => put!(out, " {fd}"),
                }
                first = false;
                separator = ", ";
            }
            left -= 1;
            if left == 0 {
                break;
            }
        }
        // As `strace` does it: also after a set that had nothing to show, if one before it had.
        if !out.is_empty() {
            out.push(']');
        }
    }
    if call.raw[4] != 0 {
        let time = time(memory, call.raw[4]);
        if out.len() + "left ".len() + 1 + separator.len() + time.len() < NOTE {
            put!(out, "{separator}left {time}");
        }
    }
    call.note = Some(out.into());
}

/// epoll_create(size)
#[cfg(target_arch = "x86_64")]
pub(super) fn epoll_create(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Nothing
}

/// epoll_create1(flags)
pub(super) fn epoll_create1(call: &mut Pending, _: &Memory) -> Rest {
    call.push_flags(0, EPOLL_FLAGS, "EPOLL_???");
    Rest::Nothing
}

/// epoll_ctl(epfd, op, fd, event)
pub(super) fn epoll_ctl(call: &mut Pending, memory: &Memory) -> Rest {
    call.push_int(0);
    call.push_constant(1, EPOLL_OPERATIONS, "EPOLL_CTL_???");
    call.push_int(2);
    let event = if call.int(1) == libc::EPOLL_CTL_DEL { None } else { memory.array::<EPOLL_EVENT>(call.raw[3]) };
    match event {
        Some(event) => {
            let mut out = String::with_capacity(64);
            print_event(&mut out, &event);
            call.push(out, Some(Value::Pointer(call.raw[3])));
        }
        None => call.push_pointer(3),
    }
    Rest::Nothing
}

fn print_event(out: &mut String, event: &[u8]) {
    let events = int(event, 0) as u32;
    let data = word(event, EPOLL_DATA);
    put!(out, "{{events={}, ", flags(EPOLL_EVENTS, events.into(), "EPOLL???"));
    put!(out, "data={{u32={}, u64={data}}}}}", int(event, EPOLL_DATA) as u32);
}

/// epoll_wait, epoll_pwait and epoll_pwait2(epfd, events, maxevents, timeout, …)
pub(super) fn epoll_wait(call: &mut Pending, _: &Memory) -> Rest {
    call.push_int(0);
    Rest::Arguments
}

/// The events that have come.
#[cfg(target_arch = "x86_64")]
pub(super) fn epoll_wait_end(call: &mut Pending, memory: &Memory) {
    push_events(call, memory);
    call.push_int(3);
}

/// The same with a set of signals.
pub(super) fn epoll_pwait_end(call: &mut Pending, memory: &Memory) {
    push_events(call, memory);
    call.push_int(3);
    push_signals_unless_failed(call, memory);
}

/// The same with a timeout in nanoseconds.
pub(super) fn epoll_pwait2_end(call: &mut Pending, memory: &Memory) {
    push_events(call, memory);
    if call.failed() {
        call.push_pointer(3);
    } else {
        push_timespec(call, memory, 3);
    }
    push_signals_unless_failed(call, memory);
}

fn push_events(call: &mut Pending, memory: &Memory) {
    if call.failed() {
        call.push_pointer(1);
    } else {
        let mut out = String::with_capacity(64);
        array(&mut out, memory, call.raw[1], call.result as u32 as u64, EPOLL_EVENT as u64, |out, event| {
            print_event(out, event);
            true
        });
        call.push(out, Some(Value::Pointer(call.raw[1])));
    }
    call.push_int(2);
}

/// After an error `strace` shows only the address of what it has not looked at before.
fn push_signals_unless_failed(call: &mut Pending, memory: &Memory) {
    if call.failed() {
        call.push_pointer(4);
        call.push_size(5);
    } else {
        push_signals(call, memory, 4, 5);
    }
}

fn push_signals(call: &mut Pending, memory: &Memory, set: usize, size: usize) {
    let text = signals::set(memory, call.raw[set], call.raw[size]);
    call.push(text, Some(Value::Pointer(call.raw[set])));
    call.push_size(size);
}

fn push_timespec(call: &mut Pending, memory: &Memory, index: usize) {
    let text = timespec(memory, call.raw[index]);
    call.push(text, Some(Value::Pointer(call.raw[index])));
}

/// `struct timespec`, or its address.
pub(super) fn timespec(memory: &Memory, address: u64) -> Text {
    time(memory, address, "tv_nsec")
}

/// `struct timeval`, or its address.
#[cfg(target_arch = "x86_64")]
fn timeval(memory: &Memory, address: u64) -> Text {
    time(memory, address, "tv_usec")
}

fn time(memory: &Memory, address: u64, fraction: &str) -> Text {
    match memory.array::<16>(address) {
        Some(bytes) => {
            let mut out = String::with_capacity(40);
            time_text(&mut out, &bytes, fraction);
            out.into()
        }
        None => pointer(address),
    }
}

/// Seconds and a fraction of that name: `{tv_sec=1, tv_nsec=0}`.
pub(super) fn time_text(out: &mut String, bytes: &[u8], fraction: &str) {
    put!(out, "{{tv_sec={}, {fraction}={}}}", word(bytes, 0) as i64, word(bytes, 8));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Memory {
        Memory::new(nix::unistd::gettid().as_raw())
    }

    #[test]
    fn sets_of_descriptors_are_read_word_by_word() {
        let mut words = [0_u64; 4];
        words[0] = 1 << 3 | 1 << 63;
        words[1] = 1;
        words[2] = 1;
        let address = words.as_ptr() as u64;
        assert_eq!(read_set(&own(), address, 128), Some(vec![3, 63, 64]));
        assert_eq!(read_set(&own(), address, 64), Some(vec![3, 63]));
        assert_eq!(read_set(&own(), address, 4), Some(vec![3]));
        assert_eq!(read_set(&own(), 0, 4), None);
        assert_eq!(read_set(&own(), 1, 4), None);
    }

    #[test]
    fn descriptors_that_are_ready_are_listed_and_the_list_is_cut() {
        let entry = |fd: i32, events: u16| [&fd.to_ne_bytes()[..], &[0, 0], &events.to_ne_bytes()].concat();
        let some = [entry(4, 0), entry(5, 1), entry(6, 0x14)].concat();
        assert_eq!(ready(&own(), some.as_ptr() as u64, 3), "[{fd=5, revents=POLLIN}, {fd=6, revents=POLLOUT|POLLHUP}]");
        assert_eq!(ready(&own(), some.as_ptr() as u64, 1), "");
        let many: Vec<u8> = (0..40).flat_map(|fd| entry(fd, 1)).collect();
        let text = ready(&own(), many.as_ptr() as u64, 40);
        assert!(text.ends_with("{fd=31, revents=POLLIN}, ...]"), "{text}");
    }

    #[test]
    fn epoll_events_show_the_data_as_both_numbers() {
        let mut event = vec![0; EPOLL_EVENT];
        event[..4].copy_from_slice(&0x8000_0001_u32.to_ne_bytes());
        event[EPOLL_DATA..].copy_from_slice(&(1_u64 << 32 | 4).to_ne_bytes());
        let mut out = String::new();
        print_event(&mut out, &event);
        assert_eq!(out, "{events=EPOLLIN|EPOLLET, data={u32=4, u64=4294967300}}");
    }
}
