//! Requests to the kernel by netlink, in which `ip`, `tc`, `nft` and `ss` speak with it: netlink(7).
//!
//! A message is a header (`nlmsghdr`, 16 bytes), a body whose shape its kind tells, and attributes: each a length, a kind
//! and a value. Header, body and attributes are each filled up to a multiple of four bytes. Numbers are in this machine's
//! own byte order, where nothing else is said.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// Flags of a request that changes something: it is acknowledged.
pub(super) const CHANGE: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
/// Flags of a request that makes something that is not there yet.
pub(super) const CREATE: u16 = CHANGE | (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// Flags of a request for a list.
pub(super) const LIST: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;

/// One message.
pub(super) struct Message {
    bytes: Vec<u8>,
    /// Whether the kernel is asked to acknowledge it.
    acknowledged: bool,
}

const HEADER: usize = 16;

impl Message {
    pub(super) fn new(kind: u16, flags: u16, body: &[u8], attributes: &[Vec<u8>]) -> Message {
        let content = [padded(body.to_vec()), attributes.concat()].concat();
        let mut bytes = Vec::with_capacity(HEADER + content.len());
        bytes.extend(((HEADER + content.len()) as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]); // Its number and the sender's port: a socket that asks once needs neither.
        bytes.extend(content);
        Message { bytes, acknowledged: flags & libc::NLM_F_ACK as u16 != 0 }
    }
}

/// An attribute.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + value.len());
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    padded(bytes)
}

/// An attribute whose value is a text: it ends in a zero byte.
pub(super) fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// An attribute whose value is attributes.
pub(super) fn nest(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | libc::NLA_F_NESTED as u16, &attributes.concat())
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Sends these messages as one, and waits until all that are to be acknowledged are.
///
/// # Errors
/// The first errno that the kernel answered, or that of the socket's own calls.
pub(super) fn ask(protocol: libc::c_int, messages: &[Message]) -> io::Result<()> {
    let socket = open(protocol)?;
    send(&socket, messages)?;
    let mut due = messages.iter().filter(|message| message.acknowledged).count();
    while due > 0 {
        for (kind, body) in replies(&receive(&socket)?) {
            // An acknowledgement is an error message that tells of errno 0.
            if kind == libc::NLMSG_ERROR as u16 {
                check(&body)?;
                due -= 1;
            }
        }
    }
    Ok(())
}

/// Sends a request for a list, and returns the bodies of all that came.
///
/// # Errors
/// As [`ask`].
pub(super) fn list(protocol: libc::c_int, request: Message) -> io::Result<Vec<Vec<u8>>> {
    let socket = open(protocol)?;
    send(&socket, &[request])?;
    let mut bodies = Vec::new();
    loop {
        for (kind, body) in replies(&receive(&socket)?) {
            match libc::c_int::from(kind) {
                libc::NLMSG_DONE => {
                    check(&body)?;
                    return Ok(bodies);
                }
                libc::NLMSG_ERROR => check(&body)?,
                _ => bodies.push(body),
            }
        }
    }
}

/// A message that ends something begins with 0, or with an errno below zero.
fn check(body: &[u8]) -> io::Result<()> {
    match number(body, 0) {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error((errno as i32).wrapping_neg())),
        None => Err(io::Error::other("the kernel sent an answer that is too short")),
    }
}

/// The 32-bit number at this place.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn open(protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket takes three numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn send(socket: &OwnedFd, messages: &[Message]) -> io::Result<()> {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| &message.bytes).copied().collect();
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value. Port 0 is the kernel.
    let mut kernel: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    kernel.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    // SAFETY: `bytes` and `kernel` are as long as we say, and sendto only reads them.
    let sent = unsafe {
        let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0, (&raw const kernel).cast(), length)
    };
    // A netlink message is sent whole or not at all.
    if sent == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// More than the kernel puts into one answer.
const ROOM: usize = 1 << 16;

fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; ROOM];
    loop {
        // SAFETY: `bytes` has room for as many bytes as we say, and is ours to be written to.
        let count = unsafe {
            libc::recvfrom(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), ROOM, 0, ptr::null_mut(), ptr::null_mut())
        };
        if let Ok(count) = usize::try_from(count) {
            bytes.truncate(count);
            return Ok(bytes);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The kinds and bodies of the messages that came in one piece.
fn replies(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut replies = Vec::new();
    let mut rest = bytes;
    while let (Some(length), Some(kind)) = (number(rest, 0), rest.get(4..6)) {
        let length = length as usize;
        let Some(body) = rest.get(HEADER..length) else { break };
        replies.push((u16::from_ne_bytes([kind[0], kind[1]]), body.to_vec()));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_header_a_body_and_attributes() {
        let message = Message::new(0x1234, CHANGE, &[1, 2, 3, 4, 5], &[text(7, "lo"), nest(8, &[attribute(9, &[6])])]);
        let wanted = [
            &44_u32.to_ne_bytes()[..],
            &0x1234_u16.to_ne_bytes(),
            &5_u16.to_ne_bytes(),
            &[0; 8],
            &[1, 2, 3, 4, 5, 0, 0, 0],
            &7_u16.to_ne_bytes(),
            &7_u16.to_ne_bytes(),
            b"lo\0\0",
            &12_u16.to_ne_bytes(),
            &0x8008_u16.to_ne_bytes(),
            &5_u16.to_ne_bytes(),
            &9_u16.to_ne_bytes(),
            &[6, 0, 0, 0],
        ]
        .concat();
        assert_eq!(message.bytes, wanted);
        assert!(message.acknowledged);
    }

    #[test]
    fn replies_are_taken_apart() {
        let bytes = [Message::new(3, 0, &[1], &[]).bytes, Message::new(4, 0, &[], &[]).bytes].concat();
        assert_eq!(replies(&bytes), [(3, vec![1, 0, 0, 0]), (4, vec![])]);
        assert_eq!(replies(&bytes[..19]), []);
    }

    #[test]
    fn an_answer_of_zero_is_an_acknowledgement() {
        assert!(check(&0_i32.to_ne_bytes()).is_ok());
        let refused = check(&(-libc::EPERM).to_ne_bytes()).expect_err("it is an error");
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
        assert!(check(&[0]).is_err());
    }
}
