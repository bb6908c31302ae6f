//! `addresses/lookup`
//!
//! What an answer is held against is what the grader itself gets from `getaddrinfo`, in the same child a moment before.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;

use grader::{Bench, Fault, Run, Stage, Suite};
use lesson_addresses::Gai;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    const ID: &str = "addresses/lookup";
    suite
        .check(ID, "reads_what_it_finds", call, reads_what_it_finds)
        .check(ID, "one_entry_per_address", call, one_entry_per_address)
        .check(ID, "keeps_all_and_the_order", call_twenty_times, keeps_all_and_the_order)
        .check(ID, "a_code_is_not_an_errno", call, a_code_is_not_an_errno)
        .check(ID, "passive_when_no_host", call, passive_when_no_host)
        .check(ID, "frees_the_list", call_very_often, frees_the_list);
}

/// What is looked up.
type Question = (Option<String>, String);

fn question(host: Option<&str>, service: &str) -> Question {
    (host.map(str::to_string), service.to_string())
}

/// A [`Gai`] that can travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Failure {
    Code(i32),
    Sys(i32),
}

type Said = Result<Vec<SocketAddr>, Failure>;

fn call_it(page: &Page, stage: &mut Stage, (host, service): &Question) -> Said {
    let (host, service) = (host.as_deref(), service.as_str());
    match stage.call(format!("lookup({host:?}, {service:?})"), || (page.lookup)(host, service)) {
        Ok(found) => Ok(found.clone()),
        Err(Gai::Code(code)) => Err(Failure::Code(*code)),
        Err(Gai::Sys(errno)) => Err(Failure::Sys(*errno as i32)),
    }
}

/// The grader's own answer first: what a first lookup leaves open in the C library is then no fault of the function's.
fn call(page: &Page, stage: &mut Stage, question: Question) -> (Vec<SocketAddr>, Said) {
    (resolved(&question), call_it(page, stage, &question))
}

fn call_twenty_times(page: &Page, stage: &mut Stage, question: Question) -> (Vec<SocketAddr>, Said) {
    for _ in 0..20 {
        let wanted = resolved(&question);
        let said = call_it(page, stage, &question);
        if said.as_ref() != Ok(&wanted) {
            return (wanted, said);
        }
    }
    (Vec::new(), Ok(Vec::new()))
}

/// How many lookups are made to see whether the list is freed. Each may cost a dozen system calls, depending on the hints.
const MANY: usize = 2_000;
/// By how many KiB the heap may grow meanwhile: half of the shortest list, each time.
const MOST: u64 = 64;

/// By how many KiB the heap grew while this was looked up [`MANY`] times.
fn call_very_often(page: &Page, stage: &mut Stage, question: Question) -> u64 {
    let (host, service) = (question.0.as_deref(), question.1.as_str());
    let look_up_often = |times: usize| -> usize {
        (0..times).map(|_| (page.lookup)(host, service).map_or(0, |found| found.len())).sum()
    };
    // The first make the heap as large as it has to be.
    let label = format!("lookup({host:?}, {service:?}) {MANY} times");
    *stage.call(label, || {
        let warmed = look_up_often(100);
        let before = anonymous_kib();
        let found = look_up_often(MANY);
        // Nothing of this may be left out as useless.
        std::hint::black_box((warmed, found));
        anonymous_kib().saturating_sub(before)
    })
}

/// How much memory of its own this process has in use, in KiB, to the page.
fn anonymous_kib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("smaps_rollup can be read");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("a line Anonymous:");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// What `getaddrinfo` itself gives for a stream socket, in its order.
fn resolved((host, service): &Question) -> Vec<SocketAddr> {
    let host = host.as_ref().map(|host| CString::new(host.as_str()).expect("no zero byte"));
    let service = CString::new(service.as_str()).expect("no zero byte");
    // SAFETY: an addrinfo is numbers and pointers, for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = if host.is_none() { libc::AI_PASSIVE } else { 0 };
    let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());
    let mut list = ptr::null_mut();
    // SAFETY: the texts end in zero bytes, `hints` is one, and `list` is ours to be written to.
    let code = unsafe { libc::getaddrinfo(host, service.as_ptr(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null or points to an entry of the list, which is freed below and not before.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ai_addr` points to an address of the entry's family.
        found.extend(unsafe { read(entry) });
        next = entry.ai_next;
    }
    // SAFETY: the list is getaddrinfo's, and nothing of it is used any more.
    unsafe { libc::freeaddrinfo(list) };
    found
}

/// # Safety
/// `ai_addr` points to an address of the entry's family.
unsafe fn read(entry: &libc::addrinfo) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: the caller's promise.
            let found = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(found.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(found.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the caller's promise.
            let found = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(found.sin6_addr.s6_addr);
            Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(found.sin6_port)))
        }
        _ => None,
    }
}

type Out = (Vec<SocketAddr>, Said);

fn reads_what_it_finds(bench: &Bench<Question, Out>) -> Result<(), Fault> {
    for (host, service) in [("127.0.0.1", "8080"), ("::1", "8080"), ("127.0.0.1", "0")] {
        let wanted: SocketAddr = match host {
            "::1" => SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 8080),
            _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), service.parse().unwrap_or(0)),
        };
        let run = bench.play(question(Some(host), service))?;
        match &run.answer()?.1 {
            Ok(found) if found.iter().all(|one| *one == wanted) && !found.is_empty() => (),
            _ => {
                let reject = run.reject().with("host", host).with("service", service).with("wanted", wanted);
                return Err(reject.with("said", run.returned()).into());
            }
        }
    }
    Ok(())
}

fn one_entry_per_address(bench: &Bench<Question, Out>) -> Result<(), Fault> {
    for host in ["127.0.0.1", "localhost"] {
        let run = bench.play(question(Some(host), "8080"))?;
        let Ok(found) = &run.answer()?.1 else {
            return Err(Fault::waits("reads_what_it_finds", "nothing was found"));
        };
        for address in found {
            let times = found.iter().filter(|other| *other == address).count();
            if times > 1 {
                return Err(run.reject().with("addr", address).with("n", times).into());
            }
        }
    }
    Ok(())
}

fn keeps_all_and_the_order(bench: &Bench<Question, Out>) -> Result<(), Fault> {
    let run = bench.play(question(None, "8080"))?;
    let (wanted, said) = run.answer()?;
    let Ok(found) = said else {
        return Err(Fault::waits("passive_when_no_host", "without a host nothing was found"));
    };
    if found == wanted {
        return Ok(());
    }
    if found.iter().any(|address| address.ip().is_loopback()) {
        return Err(Fault::waits("passive_when_no_host", "they are loopback addresses"));
    }
    let mut once = found.clone();
    once.dedup();
    if once == *wanted {
        return Err(Fault::waits("one_entry_per_address", "some are there more than once"));
    }
    if once.iter().any(|address| address.port() != 8080) {
        return Err(Fault::waits("reads_what_it_finds", "the port is another"));
    }
    Err(run.reject().with("wanted", listed(wanted)).with("found", listed(found)).into())
}

fn listed(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    if addresses.is_empty() { "nothing".to_string() } else { addresses.join(", ") }
}

fn a_code_is_not_an_errno(bench: &Bench<Question, Out>) -> Result<(), Fault> {
    let run: Run<Out> = bench.play(question(Some("127.0.0.1"), "no-such-service"))?;
    match run.answer()?.1 {
        Err(Failure::Code(libc::EAI_SERVICE)) => Ok(()),
        _ => {
            let reject = run.reject().with("n", libc::EAI_SERVICE).with("said", run.returned());
            Err(reject.into())
        }
    }
}

fn passive_when_no_host(bench: &Bench<Question, Out>) -> Result<(), Fault> {
    let run = bench.play(question(None, "8080"))?;
    match &run.answer()?.1 {
        Ok(found) if found.iter().all(|address| address.ip().is_unspecified()) => Ok(()),
        Ok(found) => {
            let what = if found.iter().any(|address| address.ip().is_loopback()) {
                format!("you got loopback ({}): right for a client, wrong for a server", listed(found))
            } else {
                format!("you got {}", listed(found))
            };
            Err(run.reject().with("what", what).into())
        }
        Err(failure) => {
            let said = match failure {
                Failure::Code(code) => format!("Code({code})"),
                Failure::Sys(errno) => format!("Sys({:?})", Errno::from_raw(*errno)),
            };
            Err(run.reject().with("what", format!("you said {said}")).into())
        }
    }
}

fn frees_the_list(bench: &Bench<Question, u64>) -> Result<(), Fault> {
    let run = bench.play(question(Some("127.0.0.1"), "8080"))?;
    match run.answer()? {
        0..=MOST => Ok(()),
        grown => Err(run.reject().with("n", grown).with("times", MANY).into()),
    }
}
