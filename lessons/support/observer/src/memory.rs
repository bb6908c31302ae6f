//! Reads of a traced thread's memory. Every pointer may be bad (that is what the EFAULT lessons are about), so every read
//! may fail or fall short, and none panics.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The memory of one traced thread, which must be stopped while it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    tid: libc::pid_t,
}

/// A C string as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The bytes before the zero byte (or before the limit).
    pub bytes: Vec<u8>,
    /// Whether the zero byte was found within the limit.
    pub ended: bool,
}

/// The smallest page size of the supported architectures. A read that stays within one page either works or fails whole.
const PAGE: u64 = 4096;

impl Memory {
    /// The memory of this traced thread.
    pub fn new(tid: libc::pid_t) -> Memory {
        Memory { tid }
    }

    /// Reads as many bytes as can be read in one go from `address` on, and returns how many: fewer than asked for when
    /// the readable memory ends before, 0 when there is none.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        if address == 0 || buffer.is_empty() {
            return 0;
        }
        let got = self.read_some(address, buffer);
        if got == buffer.len() {
            return got;
        }
        self.read_page_by_page(address, buffer, got)
    }

    /// Fills the whole buffer from `address`; says whether that was possible.
    pub fn fill(&self, address: u64, buffer: &mut [u8]) -> bool {
        buffer.is_empty() || (address != 0 && self.read(address, buffer) == buffer.len())
    }

    /// Exactly `length` bytes, or nothing.
    pub fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; length];
        self.fill(address, &mut buffer).then_some(buffer)
    }

    /// Exactly `N` bytes, or nothing.
    pub fn array<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut buffer = [0; N];
        self.fill(address, &mut buffer).then_some(buffer)
    }

    /// A 32-bit number in host byte order.
    pub fn u32(&self, address: u64) -> Option<u32> {
        self.array(address).map(u32::from_ne_bytes)
    }

    /// A signed 32-bit number in host byte order.
    pub fn i32(&self, address: u64) -> Option<i32> {
        self.array(address).map(i32::from_ne_bytes)
    }

    /// A 64-bit number in host byte order.
    pub fn u64(&self, address: u64) -> Option<u64> {
        self.array(address).map(u64::from_ne_bytes)
    }

    /// A C string of at most `limit` bytes, the zero byte not counted. Nothing if memory ends before the string does.
    pub fn c_string(&self, address: u64, limit: usize) -> Option<Text> {
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let at = address.checked_add(bytes.len() as u64)?;
            let to_page_end = (PAGE - at % PAGE) as usize;
            let mut chunk = [0; 256];
            let wanted = to_page_end.min(limit - bytes.len()).min(chunk.len());
            let chunk = &mut chunk[..wanted];
            if !self.fill(at, chunk) {
                return None;
            }
            match chunk.iter().position(|&byte| byte == 0) {
                Some(end) => {
                    bytes.extend_from_slice(&chunk[..end]);
                    return Some(Text { bytes, ended: true });
                }
                None => bytes.extend_from_slice(chunk),
            }
        }
        Some(Text { bytes, ended: false })
    }

    /// Goes on after the first `got` bytes, never asking for more than one page at a time, until a page is unreadable.
    fn read_page_by_page(&self, address: u64, buffer: &mut [u8], mut got: usize) -> usize {
        while got < buffer.len() {
            let Some(at) = address.checked_add(got as u64) else { break };
            let to_page_end = (PAGE - at % PAGE) as usize;
            let end = buffer.len().min(got + to_page_end);
            let read = self.read_some(at, &mut buffer[got..end]);
            if read == 0 {
                break;
            }
            got += read;
        }
        got
    }

    /// One read by the best means that this machine allows.
    fn read_some(&self, address: u64, buffer: &mut [u8]) -> usize {
        match self.read_by_call(address, buffer) {
            Ok(got) => got,
            // There is nothing at that address, or the thread is gone: no other way would find more.
            Err(libc::EFAULT | libc::ESRCH) => 0,
            // The call itself is refused here (some containers) or missing.
            Err(_) => self.read_by_file(address, buffer).unwrap_or_else(|_| self.read_by_words(address, buffer)),
        }
    }

    /// `process_vm_readv`: one call, no descriptor.
    fn read_by_call(&self, address: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
        // SAFETY: `local` describes `buffer`, which is writable for that many bytes; `remote` is only ever an address in
        // the other process, and the kernel answers EFAULT if it is not one.
        let got = unsafe { libc::process_vm_readv(self.tid, &local, 1, &remote, 1, 0) };
        usize::try_from(got).map_err(|_| nix::errno::Errno::last_raw())
    }

    /// `/proc/TID/mem`, opened anew each time: an open one would keep showing the old memory after an exec.
    fn read_by_file(&self, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = File::open(format!("/proc/{}/mem", self.tid))?;
        match file.read_at(buffer, address) {
            // Not mapped (EIO), or beyond what a file offset can say (EINVAL): nothing there.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EFAULT)) => Ok(0),
            other => other,
        }
    }

    /// `PTRACE_PEEKDATA`, word by word: slow, but nothing that allows tracing forbids it.
    fn read_by_words(&self, address: u64, buffer: &mut [u8]) -> usize {
        const WORD: u64 = size_of::<libc::c_long>() as u64;
        let mut got = 0;
        while got < buffer.len() {
            let Some(at) = address.checked_add(got as u64) else { break };
            let start = at - at % WORD;
            let pid = nix::unistd::Pid::from_raw(self.tid);
            let Ok(word) = nix::sys::ptrace::read(pid, start as *mut libc::c_void) else { break };
            let word = word.to_ne_bytes();
            let skip = (at - start) as usize;
            let count = (word.len() - skip).min(buffer.len() - got);
            buffer[got..got + count].copy_from_slice(&word[skip..skip + count]);
            got += count;
        }
        got
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, PAGE};

    /// A process may always read its own memory, so these tests need no traced child.
    fn own() -> Memory {
        Memory::new(nix::unistd::gettid().as_raw())
    }

    /// A page with nothing mapped behind it; the address where it ends.
    fn page_end() -> u64 {
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice, checked below.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "mmap of two pages failed");
        // SAFETY: the first page was just mapped writable, the second is part of the same mapping and unused.
        let unmapped = unsafe {
            std::ptr::write_bytes(start.cast::<u8>(), b'a', PAGE as usize);
            libc::munmap(start.cast::<u8>().add(PAGE as usize).cast(), PAGE as usize)
        };
        assert_eq!(unmapped, 0, "munmap of the second page failed");
        start as u64 + PAGE
    }

    #[test]
    fn reads_what_is_there() {
        let here = *b"hello\0world";
        assert_eq!(own().array::<11>(here.as_ptr() as u64), Some(here));
        let text = own().c_string(here.as_ptr() as u64, 100).expect("the string ends within the array");
        assert_eq!((text.bytes.as_slice(), text.ended), (&b"hello"[..], true));
        let text = own().c_string(here.as_ptr() as u64, 3).expect("three bytes are there");
        assert_eq!((text.bytes.as_slice(), text.ended), (&b"hel"[..], false));
    }

    #[test]
    fn null_and_unmapped_addresses_give_nothing() {
        for address in [0, 1, 0x1000, u64::MAX, u64::MAX - 4095] {
            assert_eq!(own().u32(address), None, "address {address:#x}");
            assert_eq!(own().bytes(address, 8), None, "address {address:#x}");
            assert_eq!(own().c_string(address, 8), None, "address {address:#x}");
        }
    }

    #[test]
    fn a_read_over_the_end_of_memory_stops_there_by_every_means() {
        let end = page_end();
        let memory = own();
        let mut buffer = [0; 64];
        assert_eq!(memory.read(end - 10, &mut buffer), 10);
        assert_eq!(&buffer[..10], b"aaaaaaaaaa");
        assert_eq!(memory.bytes(end - 10, 11), None);
        assert_eq!(memory.bytes(end - 10, 10).as_deref(), Some(&b"aaaaaaaaaa"[..]));
        assert_eq!(memory.c_string(end - 10, 64), None);
        assert_eq!(memory.read_by_file(end - 10, &mut buffer[..10]).expect("/proc/self/mem opens"), 10);
        assert_eq!(memory.read_by_file(end, &mut buffer).expect("/proc/self/mem opens"), 0);
    }
}
