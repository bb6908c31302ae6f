//! `socket/open-n`

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;

use grader::{Bench, Fault, Run, Seen, Stage, Suite};
use nix::errno::Errno;

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    suite
        .check("socket/open-n", "opens_n", call, opens_n)
        .check("socket/open-n", "all_or_nothing", call, all_or_nothing)
        .check("socket/open-n", "says_emfile", call, says_emfile)
        .check("socket/open-n", "gives_up_at_once", call, gives_up_at_once)
        .check("socket/open-n", "never_closes_twice", call, never_closes_twice);
}

/// How many different sockets were returned, or the errno.
type Said = Result<usize, i32>;

fn call(page: &Page, stage: &mut Stage, n: usize) -> Said {
    match stage.call(format!("open_n({n})"), || (page.open_n)(n)) {
        Ok(sockets) => {
            let links = sockets.iter().filter_map(|socket| {
                let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
                link.to_str()?.starts_with("socket:").then_some(link)
            });
            Ok(links.collect::<BTreeSet<_>>().len())
        }
        Err(errno) => Err(*errno as i32),
    }
}

fn opens_n(bench: &Bench<usize, Said>) -> Result<(), Fault> {
    for wanted in [0, 1, 20] {
        let run = bench.play(wanted)?;
        let got = match run.answer()? {
            Ok(count) if *count == wanted => continue,
            Ok(1) => "one socket".to_string(),
            Ok(count) => format!("{count} different sockets"),
            Err(_) => run.returned(),
        };
        let at = run.calls("socket").last().map(|socket| socket.index);
        return Err(run.reject().with("wanted", wanted).with("got", got).at_any(at).into());
    }
    Ok(())
}

/// How many descriptors the process may have where the limit is met: 0, 1, 2 and nine sockets.
const LIMIT: u64 = 12;

/// Plays where twenty sockets are more than there can be.
fn beyond_the_limit(bench: &Bench<usize, Said>) -> Result<Run<Said>, Fault> {
    bench.setting()?.descriptors(LIMIT).play(20)
}

/// The first socket line that failed, and how many there were before it.
fn first_failure(run: &Run<Said>) -> Result<(usize, Seen<'_>), Fault> {
    let failed = run.calls("socket").into_iter().enumerate().find(|(_, socket)| socket.errno() == Some("EMFILE"));
    failed.ok_or_else(|| Fault::waits("opens_n", "twenty sockets were not asked for"))
}

fn all_or_nothing(bench: &Bench<usize, Said>) -> Result<(), Fault> {
    let run = beyond_the_limit(bench)?;
    let answer = run.answer()?;
    let (before, failed) = first_failure(&run)?;
    if answer.is_ok() {
        return Err(Fault::waits("says_emfile", "the failure was not reported"));
    }
    match run.left_open()?.len() {
        0 => Ok(()),
        open => Err(run.reject().with("failed", before + 1).with("open", open).at(failed.index).into()),
    }
}

fn says_emfile(bench: &Bench<usize, Said>) -> Result<(), Fault> {
    let run = beyond_the_limit(bench)?;
    let got = match run.answer()? {
        Err(errno) if *errno == Errno::EMFILE as i32 => return Ok(()),
        Err(_) => run.returned(),
        Ok(count) => format!("Ok, with {count} sockets"),
    };
    let (_, failed) = first_failure(&run)?;
    Err(run.reject().with("got", got).at(failed.index).into())
}

fn gives_up_at_once(bench: &Bench<usize, Said>) -> Result<(), Fault> {
    let run = beyond_the_limit(bench)?;
    run.answer()?;
    let (before, failed) = first_failure(&run)?;
    match run.calls("socket").len() - before - 1 {
        0 => Ok(()),
        more => Err(run.reject().with("count", more).at(failed.index).into()),
    }
}

fn never_closes_twice(bench: &Bench<usize, Said>) -> Result<(), Fault> {
    let run = beyond_the_limit(bench)?;
    run.answer()?;
    match run.calls("close").iter().find(|close| close.errno() == Some("EBADF")) {
        Some(close) => {
            let number = close.int("fd").unwrap_or(-1);
            Err(run.reject().with("number", number).at(close.index).into())
        }
        None => Ok(()),
    }
}
