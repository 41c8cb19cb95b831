//! A handler for the signal `SIGBUS`, which the system sends when a page of a truncated mapped file
//! is read. Without the handler, the signal would end the host.
//!
//! For registered files, the handler puts an empty page in the place of the lost one and counts the
//! loss. The code that uses the mapping checks that count, and then fails or maps the file again.
//! Every other `SIGBUS` goes to the handler that was installed before.
#![allow(
    unsafe_code,
    reason = "a signal handler, and the system calls that it may use"
)]

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::util::fork_guard::ForkGuard;

/// The greatest number of guarded files. A process has few stores; a new file replaces the oldest.
const MAX_FILES: usize = 256;

static FILES: [AtomicU64; MAX_FILES] = [const { AtomicU64::new(0) }; MAX_FILES];
static NEXT_FILE: AtomicU64 = AtomicU64::new(0);
static LOST_PAGES: AtomicU64 = AtomicU64::new(0);
/// The previous action, leaked so that the handler can read it.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(std::ptr::null_mut());

/// Installs the handler, once for each process. The guard keeps a fork from copying a
/// half-installed handler.
pub(super) fn install() {
    static IS_INSTALLED: Mutex<bool> = Mutex::new(false);
    let _pass = ForkGuard::new();
    let mut is_installed = IS_INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*is_installed {
        set_handler();
        *is_installed = true;
    }
}

/// Guards the mappings of this file from now on.
pub(super) fn guard(file: &Metadata) {
    let inode = file.ino();
    if FILES
        .iter()
        .all(|known| known.load(Ordering::Relaxed) != inode)
    {
        let at =
            usize::try_from(NEXT_FILE.fetch_add(1, Ordering::Relaxed)).unwrap_or(0) % MAX_FILES;
        if let Some(slot) = FILES.get(at) {
            slot.store(inode, Ordering::Release);
        }
    }
}

/// Returns the number of pages of guarded files that were lost so far.
pub(super) fn lost_pages() -> u64 {
    LOST_PAGES.load(Ordering::Acquire)
}

fn set_handler() {
    // SAFETY: `sigaction` is zeroed as C does, and both pointers are valid. The handler lives as
    // long as the program. The old action is read before the new one is in force, so that a signal
    // in between finds it.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) != 0 {
            return;
        }
        PREVIOUS.store(Box::into_raw(Box::new(previous)), Ordering::Release);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
    }
}

/// Handles `SIGBUS`. The handler uses system calls and atomics only, so that nothing here
/// allocates, locks or panics.
extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the system passes a valid `info`. `errno` is restored, because the interrupted code
    // may read it.
    unsafe {
        let errno = *libc::__errno_location();
        let address = (*info).si_addr() as usize;
        let is_mended = (*info).si_code == libc::BUS_ADRERR
            && is_of_guarded_file(address)
            && put_empty_page(address);
        *libc::__errno_location() = errno;
        if is_mended {
            LOST_PAGES.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let previous = PREVIOUS.load(Ordering::Acquire);
        if !previous.is_null() {
            let action = (*previous).sa_sigaction;
            if action != libc::SIG_DFL && action != libc::SIG_IGN {
                if (*previous).sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(
                        libc::c_int,
                        *mut libc::siginfo_t,
                        *mut libc::c_void,
                    ) = std::mem::transmute(action);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) = std::mem::transmute(action);
                    handler(signal);
                }
                return;
            }
        }
        // The default action: the instruction runs again, and the signal ends the process.
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
    }
}

fn put_empty_page(address: usize) -> bool {
    // SAFETY: only the page at the address that has just failed is replaced, inside a mapping of a
    // guarded file.
    unsafe {
        let size = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096);
        let page = address & !size.wrapping_sub(1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        libc::mmap(
            page as *mut libc::c_void,
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        ) != libc::MAP_FAILED
    }
}

/// Returns whether the file mapped at the address is guarded, according to `/proc/self/maps`.
fn is_of_guarded_file(address: usize) -> bool {
    let mut lines = MapLines::new(address);
    // SAFETY: the path ends with NUL, and the buffer has the given length.
    unsafe {
        let file = libc::open(
            c"/proc/self/maps".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if file < 0 {
            return false;
        }
        let mut buffer = [0_u8; 1024];
        while lines.found.is_none() {
            let read = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
            let Some(bytes) = usize::try_from(read)
                .ok()
                .filter(|read| *read > 0)
                .and_then(|read| buffer.get(..read))
            else {
                break;
            };
            for byte in bytes {
                lines.take(*byte);
            }
        }
        libc::close(file);
    }
    lines.found.is_some_and(|inode| {
        inode != 0
            && FILES
                .iter()
                .any(|known| known.load(Ordering::Acquire) == inode)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Start,
    End,
    Other,
    Inode,
    Rest,
}

/// A parser of lines of the form `start-end perms offset device inode path`, one byte at a time.
struct MapLines {
    address: usize,
    state: Field,
    start: usize,
    end: usize,
    inode: u64,
    fields: u8,
    found: Option<u64>,
}

impl MapLines {
    /// Returns a parser that searches for the mapping of this address.
    fn new(address: usize) -> Self {
        Self {
            address,
            state: Field::Start,
            start: 0,
            end: 0,
            inode: 0,
            fields: 0,
            found: None,
        }
    }

    fn take(&mut self, byte: u8) {
        let hex = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .map_or(0, |digit| digit as usize)
        };
        match (self.state, byte) {
            (_, b'\n') => {
                if self.found.is_none() && self.start <= self.address && self.address < self.end {
                    self.found = Some(self.inode);
                }
                (self.state, self.start, self.end, self.inode, self.fields) =
                    (Field::Start, 0, 0, 0, 0);
            }
            (Field::Start, b'-') => self.state = Field::End,
            (Field::Start, _) => self.start = self.start.wrapping_shl(4) | hex(byte),
            (Field::End, b' ') => self.state = Field::Other,
            (Field::End, _) => self.end = self.end.wrapping_shl(4) | hex(byte),
            (Field::Other, b' ') => {
                self.fields = self.fields.wrapping_add(1);
                if self.fields == 3 {
                    self.state = Field::Inode;
                }
            }
            (Field::Inode, b'0'..=b'9') => {
                self.inode = self
                    .inode
                    .wrapping_mul(10)
                    .wrapping_add(u64::from(byte.wrapping_sub(b'0')));
            }
            (Field::Inode, _) => self.state = Field::Rest,
            (Field::Other | Field::Rest, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_map_line_is_parsed() {
        let text =
            b"7f00-7f10 rw-s 00000000 08:01 4711    /a b-lock\n8000-8010 r--p 00000000 00:00 0 \n";
        let inode = |address| {
            let mut lines = MapLines::new(address);
            for byte in text {
                lines.take(*byte);
            }
            lines.found
        };
        assert_eq!(
            (inode(0x7f00), inode(0x7f0f), inode(0x7f10), inode(0x8001)),
            (Some(4711), Some(4711), None, Some(0))
        );
    }
}
