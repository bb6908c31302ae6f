//! Which descriptors and addresses a call is about, for the tracer: what to show, what to number, what to refuse.

use super::addresses::read_address;
use super::buffers::{int, word};
use super::messages::Header;
use super::polling::{POLLFD, read_set, set_size};
use super::sockets::pair;
use super::{About, SyscallInfo, errno};
use crate::memory::Memory;
use crate::trace::Address;

/// Most entries of an array that are looked at.
const MOST: u64 = 1024;
/// `struct mmsghdr`.
const MESSAGE: u64 = 64;

/// Adds to `descriptors` those that the call is about (read from memory for poll and select), so that the tracer can ask
/// whether one is a socket. To be asked at the entry stop: after a `close` the descriptor is gone.
///
/// For the epoll calls the epoll descriptor itself comes first; whether it watches a socket is not looked up.
/// close_range names none: it can be about any.
pub(crate) fn touches(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, descriptors: &mut Vec<i32>) {
    match info.about {
        About::Nothing => {}
        About::First => descriptors.push(args[0] as i32),
        About::FirstTwo => descriptors.extend([args[0] as i32, args[1] as i32]),
        About::FirstAndThird => descriptors.extend([args[0] as i32, args[2] as i32]),
        About::Polled => {
            let count = u64::from(args[1] as u32).min(MOST);
            let entries = (0..count).map_while(|index| memory.u64(args[0].checked_add(index * POLLFD)?));
            descriptors.extend(entries.map(|entry| int(&entry.to_ne_bytes(), 0)));
        }
        About::Selected => {
            let size = set_size(args[0] as i32);
            for set in &args[1..=3] {
                descriptors.extend(read_set(memory, *set, size).unwrap_or_default());
            }
        }
    }
}

/// Adds to `descriptors` those that a call has just made: by its result (socket, accept, dup, fcntl F_DUPFD …) or in
/// memory (socketpair, and the descriptors that recvmsg brings). To be asked at the exit stop.
pub(crate) fn makes(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, raw_result: i64, descriptors: &mut Vec<i32>) {
    if errno::errno_of(raw_result).is_some() {
        return;
    }
    match info.name {
        "socket" | "accept" | "accept4" | "dup" | "dup2" | "dup3" | "epoll_create" | "epoll_create1" => {
            descriptors.push(raw_result as i32);
        }
        "fcntl" if matches!(args[1] as i32, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) => {
            descriptors.push(raw_result as i32)
        }
        "socketpair" => descriptors.extend(pair(memory, args[3]).into_iter().flatten()),
        "recvmsg" => passed(memory, args[1], descriptors),
        "recvmmsg" => {
            for index in 0..(raw_result as u64).min(MOST) {
                passed(memory, args[1].wrapping_add(index * MESSAGE), descriptors);
            }
        }
        _ => {}
    }
}

/// The descriptors that came with a message.
fn passed(memory: &Memory, message: u64, descriptors: &mut Vec<i32>) {
    const CONTROL: usize = 16;
    let Some(header) = Header::read(memory, message) else { return };
    let length = header.control_length.min(4096) as usize;
    let Some(buffer) = memory.bytes(header.control, length) else { return };
    let mut rest = buffer.as_slice();
    while rest.len() >= CONTROL {
        let length = word(rest, 0).min(rest.len() as u64) as usize;
        if length < CONTROL {
            return;
        }
        if int(rest, 8) == libc::SOL_SOCKET && int(rest, 12) == libc::SCM_RIGHTS {
            descriptors.extend(rest[CONTROL..length].chunks_exact(4).map(|fd| int(fd, 0)));
        }
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
}

/// Adds to `addresses` those that the call asks the kernel to bind to, connect to or send to (bind, connect, sendto,
/// sendmsg, sendmmsg), as far as they can be read. To be asked at the entry stop.
pub(crate) fn destinations(info: &SyscallInfo, args: &[u64; 6], memory: &Memory, addresses: &mut Vec<Address>) {
    match info.name {
        "bind" | "connect" => addresses.extend(read_address(memory, args[1], args[2] as i32)),
        "sendto" => addresses.extend(read_address(memory, args[4], args[5] as i32)),
        "sendmsg" => addresses.extend(Header::read(memory, args[1]).and_then(|header| header.address(memory))),
        "sendmmsg" => {
            let count = u64::from(args[2] as u32).min(MOST);
            let headers = (0..count).map_while(|index| Header::read(memory, args[1].checked_add(index * MESSAGE)?));
            addresses.extend(headers.filter_map(|header| header.address(memory)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::table;

    fn info(name: &str) -> &'static SyscallInfo {
        table().iter().find(|info| info.name == name).expect("the call is in the table")
    }

    #[test]
    fn descriptors_are_found_where_each_call_has_them() {
        let memory = Memory::new(nix::unistd::gettid().as_raw());
        let polled = [3_i32, 0, -1, 0, 5, 0];
        let set = [1_u64 << 4 | 1 << 9];
        let cases: &[(&str, [u64; 6], &[i32])] = &[
            ("close", [7, 0, 0, 0, 0, 0], &[7]),
            ("dup2", [3, 4, 0, 0, 0, 0], &[3, 4]),
            ("splice", [3, 0, 4, 0, 0, 0], &[3, 4]),
            ("ppoll", [polled.as_ptr() as u64, 3, 0, 0, 0, 0], &[3, -1, 5]),
            ("ppoll", [1, 3, 0, 0, 0, 0], &[]),
            ("pselect6", [10, set.as_ptr() as u64, 0, 1, 0, 0], &[4, 9]),
            ("socket", [2, 1, 0, 0, 0, 0], &[]),
        ];
        for (name, args, expected) in cases {
            let mut descriptors = Vec::new();
            touches(info(name), args, &memory, &mut descriptors);
            assert_eq!(descriptors, *expected, "{name}({args:x?})");
        }
    }

    #[test]
    fn new_descriptors_are_found_too() {
        let memory = Memory::new(nix::unistd::gettid().as_raw());
        let pair = [5_i32, 6];
        let mut descriptors = Vec::new();
        makes(info("socketpair"), &[1, 1, 0, pair.as_ptr() as u64, 0, 0], &memory, 0, &mut descriptors);
        makes(info("dup"), &[5, 0, 0, 0, 0, 0], &memory, 7, &mut descriptors);
        makes(info("dup"), &[5, 0, 0, 0, 0, 0], &memory, -9, &mut descriptors);
        makes(info("close"), &[5, 0, 0, 0, 0, 0], &memory, 0, &mut descriptors);
        assert_eq!(descriptors, [5, 6, 7]);
    }
}
