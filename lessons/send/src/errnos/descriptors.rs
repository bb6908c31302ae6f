//! What is handed over is wrong: the number of the descriptor, or a pointer.

use std::ptr;

use lab::Stop;

use super::means::{empty_message, file, send_by_each};
use crate::datagram_pair;

pub(super) fn no_descriptor() -> Result<(), Stop> {
    send_by_each(-1, b"x", 0);
    Ok(())
}

pub(super) fn only_a_path() -> Result<(), Stop> {
    let fd = file(libc::O_PATH)?;
    send_by_each(fd, b"x", 0);
    Ok(())
}

pub(super) fn not_a_socket() -> Result<(), Stop> {
    let fd = file(libc::O_WRONLY)?;
    send_by_each(fd, b"x", 0);
    Ok(())
}

/// An address at which there is no memory.
const NOWHERE: usize = 8;

pub(super) fn bad_data() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    let nowhere = ptr::without_provenance(NOWHERE);
    // SAFETY: the kernel looks at the pointer, finds nothing there, and says so; nobody else follows it.
    unsafe { libc::send(sender, nowhere, 1, 0) };
    // SAFETY: as above.
    unsafe { libc::sendto(sender, nowhere, 1, 0, ptr::null(), 0) };

    let mut part = libc::iovec { iov_base: nowhere.cast_mut(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: as above; `message` itself names one part that lives through the call.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}

pub(super) fn bad_address() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the byte is there; to the address, see bad_data.
    unsafe { libc::sendto(sender, b"x".as_ptr().cast(), 1, 0, ptr::without_provenance(NOWHERE), length) };

    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = empty_message();
    message.msg_name = ptr::without_provenance_mut(NOWHERE);
    message.msg_namelen = length;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: the part is there; to the address, see bad_data.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}

pub(super) fn bad_message() -> Result<(), Stop> {
    let (sender, _receiver) = datagram_pair()?;
    // SAFETY: as in bad_data.
    unsafe { libc::sendmsg(sender, ptr::without_provenance(NOWHERE), 0) };

    let mut message = empty_message();
    message.msg_iov = ptr::without_provenance_mut(NOWHERE);
    message.msg_iovlen = 1;
    // SAFETY: as in bad_data; `message` itself is there.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };

    let mut message = empty_message();
    message.msg_control = ptr::without_provenance_mut(NOWHERE);
    message.msg_controllen = size_of::<libc::cmsghdr>() as _;
    // SAFETY: as above.
    unsafe { libc::sendmsg(sender, &raw const message, 0) };
    Ok(())
}
