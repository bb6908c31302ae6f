//! The seccomp filter: stops the child at the calls of interest and at no others.

use libc::sock_filter;

/// What the filter tells the tracer at a stop of interest.
pub(crate) const OF_INTEREST: u32 = 1;
/// What it tells at a call in another calling convention: a 32-bit program's, or x32.
pub(crate) const FOREIGN: u32 = 2;

/// The calling convention of this architecture: `AUDIT_ARCH_…`, the ELF machine with the bits for 64-bit and little-endian.
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
pub(crate) const ARCH: u32 = 0xc000_00f3;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
compile_error!("the observer knows x86_64, aarch64 and riscv64: add this architecture's AUDIT_ARCH number here");

/// From here on call numbers belong to x32, a calling convention that shares x86_64's architecture number.
pub(crate) const X32: u32 = 0x4000_0000;

/// Where `struct seccomp_data` keeps the call's number and the architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A filter that stops the child at these calls. It looks at nothing but the number, so that the kernel (5.11 and later)
/// remembers once and for all which calls pass, and no longer runs it for those.
pub(crate) fn filter(calls: impl Iterator<Item = i64>) -> Vec<sock_filter> {
    let mut filter = vec![
        step(LOAD, ARCHITECTURE),
        jump(JUMP_IF_EQUAL, ARCH, 1, 0),
        step(RETURN, libc::SECCOMP_RET_TRACE | FOREIGN),
        step(LOAD, NUMBER),
        jump(JUMP_IF_AT_LEAST, X32, 0, 1),
        step(RETURN, libc::SECCOMP_RET_TRACE | FOREIGN),
    ];
    for call in calls {
        filter.push(jump(JUMP_IF_EQUAL, call as u32, 0, 1));
        filter.push(step(RETURN, libc::SECCOMP_RET_TRACE | OF_INTEREST));
    }
    filter.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    filter
}

fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Compares, and skips `jt` steps if it holds, `jf` if not.
fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}
