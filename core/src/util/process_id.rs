//! The id of this process, without a system call.
//!
//! The id is cached in a page that the kernel clears in the child of each fork, also of a fork that
//! runs no handlers. Where the kernel cannot do that, each call asks the system.
#![allow(
    unsafe_code,
    reason = "a page that forks clear is C's `mmap` and `madvise`"
)]

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::race::OnceBox;

/// The page, which is never unmapped, or `None` if no fork would clear it. The cell takes no lock,
/// so a fork loses none.
static PAGE: OnceBox<Option<&'static AtomicU32>> = OnceBox::new();

/// Returns the id of this process.
#[inline]
pub(crate) fn process_id() -> u32 {
    let Some(page) = PAGE.get_or_init(|| Box::new(cleared_page())) else {
        return process::id();
    };
    match page.load(Ordering::Relaxed) {
        0 => {
            let id = process::id();
            page.store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

/// Maps a page that is zero in each new child.
#[cold]
fn cleared_page() -> Option<&'static AtomicU32> {
    const BYTES: usize = 4_096;
    const NO_ADVICE: libc::c_int = -1;
    // SAFETY: the page is new, and nothing else refers to it. `mmap` returns it aligned to a page
    // and filled with zeros, and it is never unmapped if it is returned.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let page = libc::mmap(std::ptr::null_mut(), BYTES, rights, flags, -1, 0);
        if page == libc::MAP_FAILED {
            return None;
        }
        // Some emulators accept every advice, and do nothing.
        let is_cleared = libc::madvise(page, BYTES, NO_ADVICE) != 0
            && libc::madvise(page, BYTES, libc::MADV_WIPEONFORK) == 0;
        if is_cleared {
            return Some(AtomicU32::from_ptr(page.cast()));
        }
        libc::munmap(page, BYTES);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forks by `fork`, and returns whether the child gets its own id.
    fn child_has_own_id(fork: impl Fn() -> i64) -> bool {
        let parent = process_id();
        assert_eq!(parent, process::id());
        let child = fork();
        if child == 0 {
            let own = process_id();
            let is_right = own == process::id() && own != parent && process_id() == own;
            // SAFETY: ends the child at once, without handlers of the tests.
            unsafe { libc::_exit(if is_right { 7 } else { 8 }) };
        }
        let (child, mut status) = (i32::try_from(child).expect("an id"), 0);
        // SAFETY: the pointer is valid for the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(process_id(), parent);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7
    }

    #[test]
    fn each_child_has_its_own_process_id() {
        // SAFETY: the child calls nothing that another thread's lock could stop.
        assert!(child_has_own_id(|| i64::from(unsafe { libc::fork() })));
        // The handlers of forks do not run here.
        // SAFETY: as above.
        assert!(child_has_own_id(|| unsafe {
            libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)
        }));
        let is_cached = PAGE.get().is_some_and(Option::is_some);
        assert!(
            is_cached,
            "no page is cleared at a fork, so each call asks the system"
        );
    }
}
