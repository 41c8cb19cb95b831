//! Delays a fork until no thread of the process holds a [`ForkGuard`] or a registered lock.
//!
//! So a child never inherits SQLite in the middle of a transaction, nor a lock held by a thread
//! that the child does not have.
//!
//! A guard costs a lock that all threads share. Locks that are taken at each count are registered
//! instead with [`lock_at_fork`]: the forking thread takes them, and counting pays nothing.
#![allow(
    unsafe_code,
    reason = "`pthread_atfork` is C's, and locks are held from one handler to the next"
)]

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

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

/// Locks that the forking thread holds during a fork.
pub(crate) trait LocksAtFork: Send + Sync {
    /// Waits for all locks, and holds them until the result is dropped.
    ///
    /// A thread that holds one of them may create a [`ForkGuard`], but not the other way round.
    fn lock_all(&self) -> Box<dyn HeldLocks + '_>;
}

/// The held locks of one [`LocksAtFork`].
pub(crate) trait HeldLocks {}

type Registry = Vec<Weak<dyn LocksAtFork>>;

static REGISTRY: Mutex<Registry> = Mutex::new(Vec::new());

/// The locks that the forking thread holds from before the fork until after it. Fields are dropped
/// in declaration order.
struct HeldAtFork {
    gate: MutexGuard<'static, ForkGate>,
    _locks: Vec<(Box<dyn HeldLocks>, Arc<dyn LocksAtFork>)>,
    _registry: MutexGuard<'static, Registry>,
}

thread_local! {
    static HELD: Cell<Option<HeldAtFork>> = const { Cell::new(None) };
}

fn inside() -> MutexGuard<'static, ForkGate> {
    INSIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(inside: MutexGuard<'static, ForkGate>) -> MutexGuard<'static, ForkGate> {
    CHANGED.wait(inside).unwrap_or_else(PoisonError::into_inner)
}

/// A guard that prevents every thread of this process from forking while it lives.
#[derive(Debug)]
pub(crate) struct ForkGuard(());

/// Registers the handlers at the first call. If they cannot be registered, forks are not guarded.
fn register_handlers() {
    if !HAS_HANDLERS.swap(true, Ordering::AcqRel) {
        // SAFETY: the handlers are plain functions that live as long as the program. The child's
        // handler only releases what the parent's handler took, and allocates nothing.
        let _ = unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
    }
}

/// Makes each fork wait for these locks while they exist, so that a child finds them free.
pub(crate) fn lock_at_fork(locks: Weak<dyn LocksAtFork>) {
    register_handlers();
    let mut registry = registry();
    registry.retain(|known| known.strong_count() > 0);
    registry.push(locks);
}

impl ForkGuard {
    pub(crate) fn new() -> Self {
        register_handlers();
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

fn hold(locks: Arc<dyn LocksAtFork>) -> (Box<dyn HeldLocks>, Arc<dyn LocksAtFork>) {
    let held = locks.lock_all();
    // SAFETY: `held` borrows from what `locks` points to. The pair keeps both, and drops `held`
    // first.
    let held = unsafe { std::mem::transmute::<Box<dyn HeldLocks + '_>, Box<dyn HeldLocks>>(held) };
    (held, locks)
}

extern "C" fn before() {
    let registry = registry();
    // A holder of these locks may still wait for a guard, so they are taken before the gate closes.
    let locks = registry
        .iter()
        .filter_map(Weak::upgrade)
        .map(hold)
        .collect();
    let mut gate = inside();
    gate.forking = true;
    while gate.open > 0 {
        gate = wait(gate);
    }
    let held = HeldAtFork {
        gate,
        _locks: locks,
        _registry: registry,
    };
    let _ = HELD.try_with(|cell| cell.set(Some(held)));
}

fn released(open: Option<u32>) {
    let mut held = HELD.try_with(Cell::take).ok().flatten();
    let mut late = None;
    let now = match &mut held {
        Some(held) => &mut *held.gate,
        None => &mut **late.insert(inside()),
    };
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
