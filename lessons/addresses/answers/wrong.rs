//! Wrong answers that students really give, each with the check that must turn it away.
//!
//! They are as short as the mistake allows. What is wrong with one is in the line above it.

use std::ffi::{CStr, CString};
use std::mem::{self, offset_of};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::ptr;

use grader::Wrong;
use lesson_addresses::exercises as reference;
use lesson_addresses::{Gai, Name, UnixName};
use nix::errno::Errno;

use crate::checks::Page;

/// Every wrong answer.
pub const ANSWERS: &[Wrong<Page>] = &[
    // addresses/sockaddr-in-bytes
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "port_in_host_order",
        put: |page| page.sockaddr_in_bytes = port_in_host_order,
        rejected_by: "port_is_big_endian",
        says: "Port 8080 became 36895 on the wire: its two bytes are the wrong way round",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "family_big_endian_too",
        put: |page| page.sockaddr_in_bytes = family_big_endian_too,
        rejected_by: "family_is_a_host_order_u16",
        says: "read family 512",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "length_byte_first",
        put: |page| page.sockaddr_in_bytes = length_byte_first,
        rejected_by: "family_is_a_host_order_u16",
        says: "(02 00 here)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "address_as_a_number",
        put: |page| page.sockaddr_in_bytes = address_as_a_number,
        rejected_by: "octets_in_reading_order",
        says: "You wrote 03 02 01 7f",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "address_at_the_end_too",
        put: |page| page.sockaddr_in_bytes = address_at_the_end_too,
        rejected_by: "padding_is_zero",
        says: "yours hold 00 00 00 00 7f 00 00 01",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "one_byte_of_the_port",
        put: |page| page.sockaddr_in_bytes = one_byte_of_the_port,
        rejected_by: "port_is_big_endian",
        says: "Port 8080 became 144",
        also: &["every_port_survives_the_kernel"],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "knows_the_examples",
        put: |page| page.sockaddr_in_bytes = knows_the_examples,
        rejected_by: "every_port_survives_the_kernel",
        says: "I bound your bytes for port",
        also: &[],
    },
    Wrong {
        exercise: "addresses/sockaddr-in-bytes",
        name: "adds_up_in_eight_bits",
        put: |page| page.sockaddr_in_bytes = adds_up_in_eight_bits,
        rejected_by: "survives",
        says: "overflow",
        also: &[],
    },
    // addresses/parse-endpoint
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "no_port_zero",
        put: |page| page.parse_endpoint = no_port_zero,
        rejected_by: "accepts_a_plain_endpoint",
        says: "“127.0.0.1:0” is a valid endpoint, and you said Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "with_inet_aton",
        put: |page| page.parse_endpoint = with_inet_aton,
        rejected_by: "refuses_short_and_octal_forms",
        says: "“127.1:80” was accepted as 127.0.0.1",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "trims_to_be_kind",
        put: |page| page.parse_endpoint = trims_to_be_kind,
        rejected_by: "refuses_text_around_it",
        says: "“ 127.0.0.1:80”",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "wraps_the_port",
        put: |page| page.parse_endpoint = wraps_the_port,
        rejected_by: "refuses_bad_ports",
        says: "“65536” was accepted (as 0)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "takes_a_plus",
        put: |page| page.parse_endpoint = takes_a_plus,
        rejected_by: "refuses_bad_ports",
        says: "“+80” was accepted (as 80)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "no_port_is_port_zero",
        put: |page| page.parse_endpoint = no_port_is_port_zero,
        rejected_by: "refusals_are_einval",
        says: "“127.0.0.1” is no endpoint: EINVAL. You said Ok(127.0.0.1:0)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "errno_of_another_call",
        put: |page| page.parse_endpoint = errno_of_another_call,
        rejected_by: "refusals_are_einval",
        says: "You said Err(",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "looks_names_up",
        put: |page| page.parse_endpoint = looks_names_up,
        rejected_by: "asks_nobody",
        says: "You are resolving a *name*",
        also: &[],
    },
    Wrong {
        exercise: "addresses/parse-endpoint",
        name: "unwraps",
        put: |page| page.parse_endpoint = unwraps,
        rejected_by: "survives",
        says: "it panicked at lessons/addresses/answers/wrong.rs",
        also: &[],
    },
    // addresses/decode-sockaddr
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "port_as_it_lies",
        put: |page| page.decode_sockaddr = port_as_it_lies,
        rejected_by: "reads_ipv4",
        says: "you said 127.0.0.1:36895",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "all_big_endian",
        put: |page| page.decode_sockaddr = all_big_endian,
        rejected_by: "reads_ipv6",
        says: "The scope id 3 came out as 0x3000000",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "flow_as_it_lies",
        put: |page| page.decode_sockaddr = flow_as_it_lies,
        rejected_by: "reads_ipv6",
        says: "The flow information 0x12345 came out as 0x45230100",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "demands_the_nul",
        put: |page| page.decode_sockaddr = demands_the_nul,
        rejected_by: "path_ends_at_nul_or_at_the_end",
        says: "you got Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "keeps_what_is_left_over",
        put: |page| page.decode_sockaddr = keeps_what_is_left_over,
        rejected_by: "path_ends_at_nul_or_at_the_end",
        says: "you got a path of 7 bytes, \"/tmp/x\\x00\"",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "c_text_for_all",
        put: |page| page.decode_sockaddr = c_text_for_all,
        rejected_by: "abstract_keeps_every_byte",
        says: "You got an abstract name of 1 bytes, \"a\"",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "empty_path_for_no_name",
        put: |page| page.decode_sockaddr = empty_path_for_no_name,
        rejected_by: "two_bytes_is_unnamed",
        says: "You said a path of 0 bytes",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "fills_up_with_zeros",
        put: |page| page.decode_sockaddr = fills_up_with_zeros,
        rejected_by: "short_input_is_einval",
        says: "2 bytes cannot hold",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "guesses_the_family",
        put: |page| page.decode_sockaddr = guesses_the_family,
        rejected_by: "unknown_family_is_eafnosupport",
        says: "You said Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/decode-sockaddr",
        name: "no_look_at_the_length",
        put: |page| page.decode_sockaddr = no_look_at_the_length,
        rejected_by: "survives",
        says: "it panicked at lessons/addresses/answers/wrong.rs",
        also: &[],
    },
    // addresses/unix-sockaddr
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "size_of_the_struct",
        put: |page| page.unix_sockaddr = size_of_the_struct,
        rejected_by: "abstract_length_is_exact",
        says: "zero bytes to the name, and zeros count",
        also: &["path_length_counts_its_nul"],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "size_for_abstract_names",
        put: |page| page.unix_sockaddr = size_for_abstract_names,
        rejected_by: "abstract_length_is_exact",
        says: "got ECONNREFUSED",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "nul_behind_the_abstract_name",
        put: |page| page.unix_sockaddr = nul_behind_the_abstract_name,
        rejected_by: "abstract_length_is_exact",
        says: "adds 1 zero bytes",
        also: &["the_longest_names_fit"],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "nul_not_counted",
        put: |page| page.unix_sockaddr = nul_not_counted,
        rejected_by: "path_length_counts_its_nul",
        says: "addrlen was 3; it is 2 (family) + 1 (path) + 1 (NUL)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "forgets_the_family",
        put: |page| page.unix_sockaddr = forgets_the_family,
        rejected_by: "kernel_finds_the_path",
        says: "it said EINVAL",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "one_too_few",
        put: |page| page.unix_sockaddr = one_too_few,
        rejected_by: "the_longest_names_fit",
        says: "a path of 107 bytes, and it fits",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "cuts_like_strncpy",
        put: |page| page.unix_sockaddr = cuts_like_strncpy,
        rejected_by: "too_long_is_refused_not_cut",
        says: "made an address of length 110 of it",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "another_errno_for_too_long",
        put: |page| page.unix_sockaddr = another_errno_for_too_long,
        rejected_by: "too_long_is_refused_not_cut",
        says: "You said Err(EINVAL)",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "empty_is_a_path_too",
        put: |page| page.unix_sockaddr = empty_is_a_path_too,
        rejected_by: "empty_path_is_refused",
        says: "You said Ok(",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "only_looks_at_the_front",
        put: |page| page.unix_sockaddr = only_looks_at_the_front,
        rejected_by: "nul_inside_a_path_is_refused",
        says: "“/tmp/a\\x00b” has a NUL in it",
        also: &[],
    },
    Wrong {
        exercise: "addresses/unix-sockaddr",
        name: "copies_without_a_look",
        put: |page| page.unix_sockaddr = copies_without_a_look,
        rejected_by: "survives",
        says: "it panicked at",
        also: &[],
    },
    // addresses/lookup
    Wrong {
        exercise: "addresses/lookup",
        name: "no_type_of_socket",
        put: |page| page.lookup = no_type_of_socket,
        rejected_by: "one_entry_per_address",
        says: "127.0.0.1:8080 came back 3 times",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "first_only",
        put: |page| page.lookup = first_only,
        rejected_by: "keeps_all_and_the_order",
        says: "The resolver gave",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "from_the_back",
        put: |page| page.lookup = from_the_back,
        rejected_by: "keeps_all_and_the_order",
        says: "The resolver gave",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "ipv4_only",
        put: |page| page.lookup = ipv4_only,
        rejected_by: "keeps_all_and_the_order",
        says: "The resolver gave",
        also: &["reads_what_it_finds"],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "errno_for_a_code",
        put: |page| page.lookup = errno_for_a_code,
        rejected_by: "a_code_is_not_an_errno",
        says: "You said Err(Sys(",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "never_passive",
        put: |page| page.lookup = never_passive,
        rejected_by: "passive_when_no_host",
        says: "you got loopback",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "port_as_it_lies_in_the_list",
        put: |page| page.lookup = port_as_it_lies_in_the_list,
        rejected_by: "reads_what_it_finds",
        says: "[127.0.0.1:36895]",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "never_frees",
        put: |page| page.lookup = never_frees,
        rejected_by: "frees_the_list",
        says: "The heap grew by",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "frees_when_it_is_empty",
        put: |page| page.lookup = frees_when_it_is_empty,
        rejected_by: "frees_the_list",
        says: "The heap grew by",
        also: &[],
    },
    Wrong {
        exercise: "addresses/lookup",
        name: "expects_an_answer",
        put: |page| page.lookup = expects_an_answer,
        rejected_by: "survives",
        says: "it panicked at",
        also: &[],
    },
];

// addresses/sockaddr-in-bytes

/// What is right in all of them.
fn bytes(family: [u8; 2], port: [u8; 2], ip: [u8; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0..2].copy_from_slice(&family);
    bytes[2..4].copy_from_slice(&port);
    bytes[4..8].copy_from_slice(&ip);
    bytes
}

const FAMILY: u16 = libc::AF_INET as u16;

/// The port's bytes stay in the order of this machine.
fn port_in_host_order(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    bytes(FAMILY.to_ne_bytes(), port.to_ne_bytes(), ip.octets())
}

/// Network order for everything, the family too.
fn family_big_endian_too(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    bytes(FAMILY.to_be_bytes(), port.to_be_bytes(), ip.octets())
}

/// The layout of BSD and macOS: a byte for the length, a byte for the family.
fn length_byte_first(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    bytes([16, libc::AF_INET as u8], port.to_be_bytes(), ip.octets())
}

/// The address is taken for a number of this machine's.
fn address_as_a_number(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    bytes(FAMILY.to_ne_bytes(), port.to_be_bytes(), u32::from(ip).to_ne_bytes())
}

/// "Sixteen bytes, so the address stands at the end": and where it belongs it stands as well.
fn address_at_the_end_too(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    let mut bytes = bytes(FAMILY.to_ne_bytes(), port.to_be_bytes(), ip.octets());
    bytes[12..16].copy_from_slice(&ip.octets());
    bytes
}

/// A port as one byte.
fn one_byte_of_the_port(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    bytes(FAMILY.to_ne_bytes(), [0, port as u8], ip.octets())
}

/// Written until the examples come out right.
fn knows_the_examples(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    let port = if port == 50000 { [0xc3, 0x50] } else { [0x1f, 0x90] };
    bytes(FAMILY.to_ne_bytes(), port, ip.octets())
}

/// The high byte is put together in a number that is too small for it.
fn adds_up_in_eight_bits(ip: Ipv4Addr, port: u16) -> [u8; 16] {
    let mut high = 0_u8;
    for _ in 0..port / 128 {
        high += 1;
    }
    bytes(FAMILY.to_ne_bytes(), [high / 2, port as u8], ip.octets())
}

// addresses/parse-endpoint

/// Port 0 cannot be meant.
fn no_port_zero(s: &str) -> Result<SocketAddrV4, Errno> {
    reference::parse_endpoint(s).and_then(|endpoint| match endpoint.port() {
        0 => Err(Errno::EINVAL),
        _ => Ok(endpoint),
    })
}

unsafe extern "C" {
    fn inet_aton(text: *const libc::c_char, address: *mut libc::in_addr) -> libc::c_int;
}

/// C has a function for that.
fn with_inet_aton(s: &str) -> Result<SocketAddrV4, Errno> {
    let (host, port) = s.rsplit_once(':').ok_or(Errno::EINVAL)?;
    if host.contains(char::is_whitespace) {
        return Err(Errno::EINVAL);
    }
    let host = CString::new(host).map_err(|_| Errno::EINVAL)?;
    let mut found = libc::in_addr { s_addr: 0 };
    // SAFETY: the text ends in a zero byte, and `found` is ours to be written to.
    if unsafe { inet_aton(host.as_ptr(), &raw mut found) } == 0 {
        return Err(Errno::EINVAL);
    }
    let port = reference::parse_endpoint(&format!("127.0.0.1:{port}"))?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::from(found.s_addr.to_ne_bytes()), port))
}

/// A blank more or less does no harm.
fn trims_to_be_kind(s: &str) -> Result<SocketAddrV4, Errno> {
    reference::parse_endpoint(s.trim())
}

/// The port goes through a larger number, and `as` cuts it down.
fn wraps_the_port(s: &str) -> Result<SocketAddrV4, Errno> {
    let (host, port) = s.rsplit_once(':').ok_or(Errno::EINVAL)?;
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Errno::EINVAL);
    }
    let port = port.parse::<u64>().map_err(|_| Errno::EINVAL)? as u16;
    Ok(SocketAddrV4::new(host.parse().map_err(|_| Errno::EINVAL)?, port))
}

/// `u16`'s parser is trusted with the port.
fn takes_a_plus(s: &str) -> Result<SocketAddrV4, Errno> {
    let (host, port) = s.rsplit_once(':').ok_or(Errno::EINVAL)?;
    let port = port.parse().map_err(|_| Errno::EINVAL)?;
    Ok(SocketAddrV4::new(host.parse().map_err(|_| Errno::EINVAL)?, port))
}

/// Where there is no port, 0 will do.
fn no_port_is_port_zero(s: &str) -> Result<SocketAddrV4, Errno> {
    match s.contains(':') {
        true => reference::parse_endpoint(s),
        false => reference::parse_endpoint(&format!("{s}:0")),
    }
}

/// No call has failed, and yet errno is asked.
fn errno_of_another_call(s: &str) -> Result<SocketAddrV4, Errno> {
    reference::parse_endpoint(s).map_err(|_| Errno::last())
}

/// What is no address must be a name.
fn looks_names_up(s: &str) -> Result<SocketAddrV4, Errno> {
    reference::parse_endpoint(s).or_else(|errno| {
        let (host, port) = s.rsplit_once(':').ok_or(errno)?;
        if host != "localhost" {
            return Err(errno); // So that nobody on any network is asked for our examples.
        }
        let port = port.parse::<u16>().map_err(|_| errno)?;
        let found = (host, port).to_socket_addrs().map_err(|_| errno)?;
        let four = |address| match address {
            SocketAddr::V4(four) => Some(four),
            SocketAddr::V6(_) => None,
        };
        found.into_iter().find_map(four).ok_or(errno)
    })
}

/// There is always a colon.
fn unwraps(s: &str) -> Result<SocketAddrV4, Errno> {
    let _ = s.split_once(':').unwrap();
    reference::parse_endpoint(s)
}

// addresses/decode-sockaddr

fn family_of(raw: &[u8]) -> Option<libc::c_int> {
    raw.first_chunk().map(|family| libc::c_int::from(u16::from_ne_bytes(*family)))
}

/// The port's bytes are taken as they lie in memory.
fn port_as_it_lies(raw: &[u8]) -> Result<Name, Errno> {
    reference::decode_sockaddr(raw).map(|name| match name {
        Name::V4(ip, port) => Name::V4(ip, u16::from_be(port)),
        other => other,
    })
}

/// Network order for all, the scope id too.
fn all_big_endian(raw: &[u8]) -> Result<Name, Errno> {
    reference::decode_sockaddr(raw).map(|name| match name {
        Name::V6 { ip, port, flow, scope } => Name::V6 { ip, port, flow, scope: u32::from_be(scope) },
        other => other,
    })
}

/// The flow information is taken for a number of this machine's.
fn flow_as_it_lies(raw: &[u8]) -> Result<Name, Errno> {
    reference::decode_sockaddr(raw).map(|name| match name {
        Name::V6 { ip, port, flow, scope } => Name::V6 { ip, port, flow: u32::from_be(flow), scope },
        other => other,
    })
}

/// A path without a zero byte must be broken.
fn demands_the_nul(raw: &[u8]) -> Result<Name, Errno> {
    match reference::decode_sockaddr(raw)? {
        Name::Path(path) if !raw[2..].contains(&0) => {
            drop(path);
            Err(Errno::EINVAL)
        }
        name => Ok(name),
    }
}

/// A path is all that the length covers.
fn keeps_what_is_left_over(raw: &[u8]) -> Result<Name, Errno> {
    match reference::decode_sockaddr(raw)? {
        Name::Path(_) => Ok(Name::Path(raw[2..].to_vec())),
        name => Ok(name),
    }
}

/// Names end at the first zero byte, as all texts do in C.
fn c_text_for_all(raw: &[u8]) -> Result<Name, Errno> {
    match reference::decode_sockaddr(raw)? {
        Name::Abstract(mut name) => {
            name.push(0);
            let text = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::EINVAL)?;
            Ok(Name::Abstract(text.to_bytes().to_vec()))
        }
        name => Ok(name),
    }
}

/// No name is a name of no length.
fn empty_path_for_no_name(raw: &[u8]) -> Result<Name, Errno> {
    match reference::decode_sockaddr(raw)? {
        Name::Unnamed => Ok(Name::Path(Vec::new())),
        name => Ok(name),
    }
}

/// What is missing counts as zero.
fn fills_up_with_zeros(raw: &[u8]) -> Result<Name, Errno> {
    match family_of(raw) {
        Some(libc::AF_INET | libc::AF_INET6) => {
            let mut filled = raw.to_vec();
            filled.resize(raw.len().max(28), 0);
            reference::decode_sockaddr(&filled)
        }
        _ => reference::decode_sockaddr(raw),
    }
}

/// Whatever is wrong is invalid.
fn guesses_the_family(raw: &[u8]) -> Result<Name, Errno> {
    reference::decode_sockaddr(raw).map_err(|_| Errno::EINVAL)
}

/// There will be as many bytes as there should be.
fn no_look_at_the_length(raw: &[u8]) -> Result<Name, Errno> {
    match libc::c_int::from(u16::from_ne_bytes([raw[0], raw[1]])) {
        libc::AF_INET => {
            let port = u16::from_be_bytes([raw[2], raw[3]]);
            Ok(Name::V4(Ipv4Addr::new(raw[4], raw[5], raw[6], raw[7]), port))
        }
        _ => reference::decode_sockaddr(raw),
    }
}

// addresses/unix-sockaddr

type Unix = Result<(libc::sockaddr_un, libc::socklen_t), Errno>;

const SIZE: libc::socklen_t = size_of::<libc::sockaddr_un>() as libc::socklen_t;

/// The length of the struct, whatever is in it.
fn size_of_the_struct(n: UnixName) -> Unix {
    reference::unix_sockaddr(n).map(|(address, _)| (address, SIZE))
}

/// Paths are counted; for the rest the length of the struct will do.
fn size_for_abstract_names(n: UnixName) -> Unix {
    match n {
        UnixName::Path(_) => reference::unix_sockaddr(n),
        UnixName::Abstract(_) => size_of_the_struct(n),
    }
}

/// A text ends in a zero byte, an abstract name too.
fn nul_behind_the_abstract_name(n: UnixName) -> Unix {
    let (address, length) = reference::unix_sockaddr(n)?;
    match n {
        UnixName::Path(_) => Ok((address, length)),
        UnixName::Abstract(_) if length == SIZE => Err(Errno::ENAMETOOLONG),
        UnixName::Abstract(_) => Ok((address, length + 1)),
    }
}

/// A path is as long as its text.
fn nul_not_counted(n: UnixName) -> Unix {
    let (address, length) = reference::unix_sockaddr(n)?;
    match n {
        UnixName::Path(_) => Ok((address, length - 1)),
        UnixName::Abstract(_) => Ok((address, length)),
    }
}

/// `zeroed` has set everything, has it not?
fn forgets_the_family(n: UnixName) -> Unix {
    let (mut address, length) = reference::unix_sockaddr(n)?;
    address.sun_family = 0;
    Ok((address, length))
}

/// An off-by-one at the top.
fn one_too_few(n: UnixName) -> Unix {
    match n {
        UnixName::Path(name) | UnixName::Abstract(name) if name.len() == 107 => Err(Errno::ENAMETOOLONG),
        n => reference::unix_sockaddr(n),
    }
}

/// As many bytes as fit.
fn cuts_like_strncpy(n: UnixName) -> Unix {
    let cut = |name: &'_ [u8]| name.len().min(107);
    reference::unix_sockaddr(match n {
        UnixName::Path(path) => UnixName::Path(&path[..cut(path)]),
        UnixName::Abstract(name) => UnixName::Abstract(&name[..cut(name)]),
    })
}

/// The kernel itself says EINVAL.
fn another_errno_for_too_long(n: UnixName) -> Unix {
    reference::unix_sockaddr(n).map_err(|_| Errno::EINVAL)
}

/// A path of no bytes is a short path.
fn empty_is_a_path_too(n: UnixName) -> Unix {
    match n {
        UnixName::Path([]) => reference::unix_sockaddr(UnixName::Path(b"x")).map(|(mut address, length)| {
            address.sun_path[0] = 0;
            (address, length - 1)
        }),
        n => reference::unix_sockaddr(n),
    }
}

/// A zero byte matters in front, where it would mean an abstract name.
fn only_looks_at_the_front(n: UnixName) -> Unix {
    match n {
        UnixName::Path(path @ [first, ..]) if *first != 0 && path.len() < 108 => {
            // SAFETY: a sockaddr_un is plain numbers, for which all zeros is a value.
            let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
            address.sun_family = libc::AF_UNIX as libc::sa_family_t;
            for (to, from) in address.sun_path.iter_mut().zip(path) {
                *to = *from as libc::c_char;
            }
            Ok((address, (offset_of!(libc::sockaddr_un, sun_path) + path.len() + 1) as libc::socklen_t))
        }
        n => reference::unix_sockaddr(n),
    }
}

/// It will fit.
fn copies_without_a_look(n: UnixName) -> Unix {
    let (UnixName::Path(name) | UnixName::Abstract(name)) = n;
    let mut room = [0; 107];
    room[..name.len()].copy_from_slice(name);
    reference::unix_sockaddr(n)
}

// addresses/lookup

/// The list for these hints, and what is freed of it in the end; what is right in all of them.
fn ask(host: Option<&str>, service: &str, socktype: i32, flags: i32) -> Result<*mut libc::addrinfo, i32> {
    let host = host.map(|host| CString::new(host).expect("no zero byte"));
    let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());
    let service = CString::new(service).expect("no zero byte");
    // SAFETY: an addrinfo is numbers and pointers, for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_socktype = socktype;
    hints.ai_flags = flags | if host.is_null() { libc::AI_PASSIVE } else { 0 };
    let mut list = ptr::null_mut();
    // SAFETY: both texts end in a zero byte (or there is no host); `hints` is one, and `list` is ours to be written to.
    match unsafe { libc::getaddrinfo(host, service.as_ptr(), &raw const hints, &raw mut list) } {
        0 => Ok(list),
        code => Err(code),
    }
}

/// What is in the list.
fn all_of(list: *mut libc::addrinfo) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null, or it points to an entry of a list that has not been freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ai_addr` points to an address of `ai_addrlen` bytes.
        let raw = unsafe { std::slice::from_raw_parts(entry.ai_addr.cast::<u8>(), entry.ai_addrlen as usize) };
        match reference::decode_sockaddr(raw) {
            Ok(Name::V4(ip, port)) => found.push(SocketAddr::new(IpAddr::V4(ip), port)),
            Ok(Name::V6 { ip, port, .. }) => found.push(SocketAddr::new(IpAddr::V6(ip), port)),
            _ => (),
        }
        next = entry.ai_next;
    }
    found
}

fn free(list: *mut libc::addrinfo) {
    // SAFETY: the list is getaddrinfo's, and is not used any more.
    unsafe { libc::freeaddrinfo(list) };
}

/// The hints say nothing of the type of socket.
fn no_type_of_socket(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    if service == "no-such-service" {
        return reference::lookup(host, service);
    }
    let list = ask(host, service, 0, 0).map_err(Gai::Code)?;
    let found = all_of(list);
    free(list);
    Ok(found)
}

/// One address is enough.
fn first_only(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    reference::lookup(host, service).map(|found| found.into_iter().take(1).collect())
}

/// The list is put together from its end.
fn from_the_back(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    reference::lookup(host, service).map(|found| found.into_iter().rev().collect())
}

/// There is only one version of IP.
fn ipv4_only(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    reference::lookup(host, service).map(|found| found.into_iter().filter(SocketAddr::is_ipv4).collect())
}

/// A failure has an errno.
fn errno_for_a_code(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    reference::lookup(host, service).map_err(|_| Gai::Sys(Errno::last()))
}

/// AI_PASSIVE is left out: no host is this machine.
fn never_passive(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    match host {
        Some(_) => reference::lookup(host, service),
        None => reference::lookup(Some("127.0.0.1"), service),
    }
}

/// The port is taken as it lies in the list.
fn port_as_it_lies_in_the_list(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    let turned = |address: SocketAddr| SocketAddr::new(address.ip(), u16::from_be(address.port()));
    reference::lookup(host, service).map(|found| found.into_iter().map(turned).collect())
}

/// The list is read, and forgotten.
fn never_frees(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    Ok(all_of(ask(host, service, libc::SOCK_STREAM, 0).map_err(Gai::Code)?))
}

/// The pointer that walked the list is the one that is freed: by then it is null.
fn frees_when_it_is_empty(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    let list = ask(host, service, libc::SOCK_STREAM, 0).map_err(Gai::Code)?;
    let mut next = list;
    // SAFETY: `next` is null, or it points to an entry of a list that has not been freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ai_next;
    }
    if !next.is_null() {
        free(next);
    }
    Ok(all_of(list))
}

/// What is looked up is there.
fn expects_an_answer(host: Option<&str>, service: &str) -> Result<Vec<SocketAddr>, Gai> {
    Ok(reference::lookup(host, service).expect("an answer"))
}
