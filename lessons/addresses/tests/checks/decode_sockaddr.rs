//! `addresses/decode-sockaddr`

use std::net::{Ipv4Addr, Ipv6Addr};

use grader::{Bench, Fault, Run, Stage, Suite};
use lesson_addresses::Name;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{Page, Plain};

pub fn add(suite: &mut Suite<Page>) {
    const ID: &str = "addresses/decode-sockaddr";
    suite
        .check(ID, "reads_ipv4", call, reads_ipv4)
        .check(ID, "reads_ipv6", call, reads_ipv6)
        .check(ID, "path_ends_at_nul_or_at_the_end", call, path_ends_at_nul_or_at_the_end)
        .check(ID, "abstract_keeps_every_byte", call, abstract_keeps_every_byte)
        .check(ID, "two_bytes_is_unnamed", call, two_bytes_is_unnamed)
        .check(ID, "short_input_is_einval", call, short_input_is_einval)
        .check(ID, "unknown_family_is_eafnosupport", call, unknown_family_is_eafnosupport);
}

/// A [`Name`] that can travel.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    V4(Ipv4Addr, u16),
    V6 { ip: Ipv6Addr, port: u16, flow: u32, scope: u32 },
    Path(Vec<u8>),
    Abstract(Vec<u8>),
    Unnamed,
}

type Said = Result<Told, i32>;

fn call(page: &Page, stage: &mut Stage, raw: Vec<u8>) -> Said {
    let label = format!("decode_sockaddr(&[{}])", listed(&raw));
    match stage.call(label, || (page.decode_sockaddr)(&raw).map(Plain)) {
        Ok(Plain(name)) => Ok(match name.clone() {
            Name::V4(ip, port) => Told::V4(ip, port),
            Name::V6 { ip, port, flow, scope } => Told::V6 { ip, port, flow, scope },
            Name::Path(path) => Told::Path(path),
            Name::Abstract(name) => Told::Abstract(name),
            Name::Unnamed => Told::Unnamed,
        }),
        Err(errno) => Err(*errno as i32),
    }
}

/// Bytes as a reader would write them; of many the first twelve.
fn listed(raw: &[u8]) -> String {
    let some: Vec<String> = raw.iter().take(12).map(u8::to_string).collect();
    match raw.len() {
        0..=12 => some.join(", "),
        all => format!("{}, … {all} bytes", some.join(", ")),
    }
}

/// What came back, in words: bytes that are a text as a text.
fn got(run: &Run<Said>) -> String {
    match run.answer() {
        Ok(Ok(Told::Path(bytes))) => format!("a path of {} bytes, {}", bytes.len(), text(bytes)),
        Ok(Ok(Told::Abstract(bytes))) => format!("an abstract name of {} bytes, {}", bytes.len(), text(bytes)),
        Ok(Ok(Told::V4(ip, port))) => format!("{ip}:{port}"),
        _ => run.returned(),
    }
}

fn text(bytes: &[u8]) -> String {
    const MOST: usize = 20;
    match bytes.len() {
        0..=MOST => format!("\"{}\"", bytes.escape_ascii()),
        _ => format!("\"{}…\"", bytes[..MOST].escape_ascii()),
    }
}

fn with_family(family: i32, rest: &[u8]) -> Vec<u8> {
    [&(family as u16).to_ne_bytes(), rest].concat()
}

fn inet() -> Vec<u8> {
    with_family(libc::AF_INET, &[0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn inet6(flow: u32, scope: u32) -> Vec<u8> {
    let port = 8080_u16.to_be_bytes();
    let rest = [&port[..], &flow.to_be_bytes(), &Ipv6Addr::LOCALHOST.octets(), &scope.to_ne_bytes()].concat();
    with_family(libc::AF_INET6, &rest)
}

fn reads_ipv4(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    let run = bench.play(inet())?;
    match run.answer()? {
        Ok(Told::V4(Ipv4Addr::LOCALHOST, 8080)) => Ok(()),
        _ => Err(run.reject().with("got", got(&run)).into()),
    }
}

fn reads_ipv6(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    const FLOW: u32 = 0x12345;
    const SCOPE: u32 = 3;
    let run = bench.play(inet6(FLOW, SCOPE))?;
    let (field, got) = match run.answer()? {
        Ok(Told::V6 { ip: Ipv6Addr::LOCALHOST, port: 8080, flow: FLOW, scope: SCOPE }) => return Ok(()),
        Ok(Told::V6 { ip, .. }) if *ip != Ipv6Addr::LOCALHOST => ("The address, ::1,", ip.to_string()),
        Ok(Told::V6 { port, .. }) if *port != 8080 => ("Port 8080", port.to_string()),
        Ok(Told::V6 { flow, .. }) if *flow != FLOW => ("The flow information 0x12345", format!("{flow:#x}")),
        Ok(Told::V6 { scope, .. }) => ("The scope id 3", format!("{scope:#x}")),
        _ => ("The whole of [::1]:8080", run.returned()),
    };
    Err(run.reject().with("field", field).with("got", got).into())
}

fn path_ends_at_nul_or_at_the_end(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    let full = [b'x'; 108];
    // The last is how the kernel reports a path that fills the struct: 111 bytes.
    let with_nul = [&full[..], b"\0"].concat();
    let cases: [(&[u8], &[u8]); 5] = [
        (b"/tmp/x\0", b"/tmp/x"),
        (b"/tmp/x", b"/tmp/x"),
        (b"/tmp/x\0left over", b"/tmp/x"),
        (&full, &full),
        (&with_nul, &full),
    ];
    for (rest, path) in cases {
        let run = bench.play(with_family(libc::AF_UNIX, rest))?;
        match run.answer()? {
            Ok(Told::Path(found)) if found == path => (),
            _ => return Err(run.reject().with("path", text(path)).with("got", got(&run)).into()),
        }
    }
    Ok(())
}

fn abstract_keeps_every_byte(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    let cases: [&[u8]; 3] = [b"demo", b"a\0b\0\0", b""];
    for name in cases {
        let run = bench.play(with_family(libc::AF_UNIX, &[b"\0", name].concat()))?;
        match run.answer()? {
            Ok(Told::Abstract(found)) if found == name => (),
            _ => {
                let reject = run.reject().with("n", name.len()).with("name", text(name));
                return Err(reject.with("got", got(&run)).into());
            }
        }
    }
    Ok(())
}

fn two_bytes_is_unnamed(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    let run = bench.play(with_family(libc::AF_UNIX, b""))?;
    match run.answer()? {
        Ok(Told::Unnamed) => Ok(()),
        _ => Err(run.reject().with("got", got(&run)).into()),
    }
}

fn short_input_is_einval(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    const EINVAL: i32 = Errno::EINVAL as i32;
    let (inet, inet6) = (inet(), inet6(0, 0));
    for raw in [&[], &inet[..1], &inet[..2], &inet[..7], &inet[..15], &inet6[..16], &inet6[..27]] {
        let run = bench.play(raw.to_vec())?;
        match run.answer()? {
            Err(EINVAL) => (),
            _ => return Err(run.reject().with("n", raw.len()).with("got", got(&run)).into()),
        }
    }
    Ok(())
}

fn unknown_family_is_eafnosupport(bench: &Bench<Vec<u8>, Said>) -> Result<(), Fault> {
    const EAFNOSUPPORT: i32 = Errno::EAFNOSUPPORT as i32;
    let run = bench.play(with_family(99, &[0; 14]))?;
    match run.answer()? {
        Err(EAFNOSUPPORT) => Ok(()),
        _ => Err(run.reject().with("got", got(&run)).into()),
    }
}
