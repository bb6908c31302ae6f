//! What the observer is known to print differently (`observer::strace::KNOWN`): once each, so that an entry of that list
//! that is no longer true is noticed.

use crate::machine::{NONE, at, call, close, into, must, socket};

pub fn play() {
    addresses();
    requests();
    netlink();
}

/// An address of each family that has a form of its own.
fn addresses() {
    for family in [3_u16, 4, 9, 31, 33, 36, 38, 39, 40, 42, 44, 45] {
        let mut address = [0_u8; 104];
        address[..2].copy_from_slice(&family.to_ne_bytes());
        for length in [2, 6, 104] {
            call(libc::SYS_bind, &[NONE, at(&address), length]);
        }
    }
}

/// Requests about files and disks.
fn requests() {
    for request in [1, 2, 0x1260, 0x8008_1272] {
        call(libc::SYS_ioctl, &[NONE, request, 0]);
    }
}

/// Asks the kernel for the machine's addresses, as getaddrinfo does.
fn netlink() {
    const RTM_GETADDR: u16 = 22;
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC);
    let kernel = [libc::AF_NETLINK as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    must(libc::SYS_bind, &[fd, at(&kernel), 12]);
    let mut name = [0_u8; 12];
    let mut length = 12_i32;
    must(libc::SYS_getsockname, &[fd, into(&mut name), into(&mut length)]);
    let mut request = [0_u8; 20];
    request[..4].copy_from_slice(&20_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETADDR.to_ne_bytes());
    request[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    must(libc::SYS_sendto, &[fd, at(&request), 20, 0, at(&kernel), 12]);
    let mut answer = vec![0_u8; 8192];
    must(libc::SYS_recvfrom, &[fd, into(answer.as_mut_slice()), 8192, 0, 0, 0]);
    close(&[fd]);
}
