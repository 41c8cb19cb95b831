//! Delays a fork until no thread of the process holds a [`ForkGuard`].
//!
//! So a child never inherits SQLite in the middle of a transaction, nor a lock held by a thread
//! that the child does not have.
#![allow(unsafe_code, reason = "`pthread_atfork` is C's")]

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct ForkGate {
    /// Number of live guards.
    open: u32,
    /// Whether a thread waits to fork. No guard is created until the fork is done.
    forking: bool,
    /// Descriptors of the files that this process locks. A child closes its copies. A lock
    /// lives as long as any copy of its file and must end with the process that took it.
    locks: Vec<RawFd>,
}

static INSIDE: Mutex<ForkGate> = Mutex::new(ForkGate {
    open: 0,
    forking: false,
    locks: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();
static HAS_HANDLERS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The gate's lock, held by the forking thread from before the fork until after it.
    static HELD: Cell<Option<MutexGuard<'static, ForkGate>>> = const { Cell::new(None) };
}

fn inside() -> MutexGuard<'static, ForkGate> {
    INSIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(inside: MutexGuard<'static, ForkGate>) -> MutexGuard<'static, ForkGate> {
    CHANGED.wait(inside).unwrap_or_else(PoisonError::into_inner)
}

/// A guard that prevents every thread of this process from forking while it lives.
#[derive(Debug)]
pub(crate) struct ForkGuard(());

impl ForkGuard {
    pub(crate) fn new() -> Self {
        // SAFETY: the handlers are plain functions that live as long as the program. They take this
        // module's lock and allocate nothing. If they cannot be registered, forks are not guarded.
        if !HAS_HANDLERS.swap(true, Ordering::AcqRel) {
            let _ =
                unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
        }
        let mut now = inside();
        while now.forking {
            now = wait(now);
        }
        now.open = now.open.saturating_add(1);
        Self(())
    }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        // No guard is ever copied into a child, because a fork waits until there is none.
        let mut now = inside();
        now.open = now.open.saturating_sub(1);
        let awaited = now.forking;
        drop(now);
        if awaited {
            CHANGED.notify_all();
        }
    }
}

/// Registers a file whose locks this process holds, until [`forget`] is called.
pub(crate) fn keep(lock: &File) {
    inside().locks.push(lock.as_raw_fd());
}

/// Removes a file that is about to be closed.
pub(crate) fn forget(lock: RawFd) {
    inside().locks.retain(|known| *known != lock);
}

extern "C" fn before() {
    let mut now = inside();
    now.forking = true;
    while now.open > 0 {
        now = wait(now);
    }
    let _ = HELD.try_with(|held| held.set(Some(now)));
}

fn released(open: Option<u32>) {
    let held = HELD.try_with(Cell::take).ok().flatten();
    let mut now = held.unwrap_or_else(inside);
    now.forking = false;
    if let Some(open) = open {
        now.open = open;
        for lock in std::mem::take(&mut now.locks) {
            // SAFETY: this is the child's copy of a descriptor. Its handle is given up too, so the
            // child never uses or closes the descriptor again.
            unsafe { libc::close(lock) };
        }
    }
}

extern "C" fn after() {
    released(None);
    CHANGED.notify_all();
}

extern "C" fn after_in_child() {
    released(Some(0));
}
