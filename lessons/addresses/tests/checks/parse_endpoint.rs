//! `addresses/parse-endpoint`

use std::net::{Ipv4Addr, SocketAddrV4};

use grader::{Bench, Fault, Run, Stage, Suite};
use nix::errno::Errno;

use super::Page;

pub fn add(suite: &mut Suite<Page>) {
    const ID: &str = "addresses/parse-endpoint";
    suite
        .check(ID, "accepts_a_plain_endpoint", call, accepts_a_plain_endpoint)
        .check(ID, "refuses_short_and_octal_forms", call, refuses_short_and_octal_forms)
        .check(ID, "refuses_text_around_it", call, refuses_text_around_it)
        .check(ID, "refuses_bad_ports", call, refuses_bad_ports)
        .check(ID, "refusals_are_einval", call, refusals_are_einval)
        .check(ID, "asks_nobody", call, asks_nobody);
}

/// The endpoint, or the errno.
type Said = Result<SocketAddrV4, i32>;

fn call(page: &Page, stage: &mut Stage, text: String) -> Said {
    match stage.call(format!("parse_endpoint({text:?})"), || (page.parse_endpoint)(&text)) {
        Ok(endpoint) => Ok(*endpoint),
        Err(errno) => Err(*errno as i32),
    }
}

fn accepts_a_plain_endpoint(bench: &Bench<String, Said>) -> Result<(), Fault> {
    let other = Ipv4Addr::new(127, 200, 30, 4);
    for wanted in [
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080),
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
        SocketAddrV4::new(other, 65535),
    ] {
        let run = bench.play(wanted.to_string())?;
        if *run.answer()? != Ok(wanted) {
            return Err(run.reject().with("s", wanted).with("said", run.returned()).into());
        }
    }
    Ok(())
}

/// A run, the text, and what was made of it.
type Accepted<'a> = (Run<Said>, &'a str, SocketAddrV4);

/// The first of these texts that the function accepted, with what it made of it.
/// A text for which it asked somebody is the affair of `asks_nobody`.
fn accepted<'a>(bench: &Bench<String, Said>, texts: &[&'a str]) -> Result<Option<Accepted<'a>>, Fault> {
    for text in texts {
        let run = bench.play(text.to_string())?;
        if let Ok(endpoint) = *run.answer()? {
            if !run.trace().events.is_empty() {
                return Err(Fault::waits("asks_nobody", "it made system calls"));
            }
            return Ok(Some((run, text, endpoint)));
        }
    }
    Ok(None)
}

fn refuses_short_and_octal_forms(bench: &Bench<String, Said>) -> Result<(), Fault> {
    const FORMS: [&str; 5] = ["127.1:80", "0x7f.1:80", "0177.0.0.1:80", "127.0.0.01:80", "2130706433:80"];
    match accepted(bench, &FORMS)? {
        Some((run, text, endpoint)) => Err(run.reject().with("s", text).with("ip", endpoint.ip()).into()),
        None => Ok(()),
    }
}

fn refuses_text_around_it(bench: &Bench<String, Said>) -> Result<(), Fault> {
    const TEXTS: [&str; 5] =
        [" 127.0.0.1:80", "127.0.0.1:80\n", "127.0.0.1:80 x", "127.0.0.1 :80", "tcp://127.0.0.1:80"];
    match accepted(bench, &TEXTS)? {
        Some((run, text, _)) => Err(run.reject().with("s", text.escape_debug()).into()),
        None => Ok(()),
    }
}

fn refuses_bad_ports(bench: &Bench<String, Said>) -> Result<(), Fault> {
    for port in ["", "65536", "4294967376", "-1", "+80", "8o", "0x50"] {
        if let Some((run, _, endpoint)) = accepted(bench, &[&format!("127.0.0.1:{port}")])? {
            return Err(run.reject().with("p", port).with("n", endpoint.port()).into());
        }
    }
    Ok(())
}

fn refusals_are_einval(bench: &Bench<String, Said>) -> Result<(), Fault> {
    const EINVAL: i32 = Errno::EINVAL as i32;
    for text in ["", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.256:80", "127.0.0.1:80:80", "[::1]:80"] {
        let run = bench.play(text.to_string())?;
        match run.answer()? {
            Err(EINVAL) => (),
            Ok(_) if text == "127.0.0.1:" => {
                return Err(Fault::waits("refuses_bad_ports", "a port of no digits was accepted"));
            }
            _ => return Err(run.reject().with("s", text).with("said", run.returned()).into()),
        }
    }
    Ok(())
}

fn asks_nobody(bench: &Bench<String, Said>) -> Result<(), Fault> {
    for text in ["127.0.0.1:80", "localhost:80"] {
        let run = bench.play(text.to_string())?;
        let said = run.answer()?;
        let call = run.trace().events.iter().position(|event| event.call().is_some());
        let what = match (call.and_then(|at| run.trace().events[at].call()), said) {
            (Some(call), _) => format!("Parsing made the system call `{}`", call.request()),
            (None, Ok(endpoint)) if text == "localhost:80" => format!("“{text}” became {endpoint}"),
            _ => continue,
        };
        return Err(run.reject().with("what", what).at_any(call).into());
    }
    Ok(())
}
