//! The version in force: swapped atomically, read without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::Snapshot;
use crate::util::fork_safe_mutex::ProcessOwn;

/// The version in force.
#[derive(Debug)]
pub(super) struct CurrentSnapshot {
    state: ArcSwap<Snapshot>,
    /// The stamp of the version in force, or of the one that is about to be.
    stamp: AtomicU64,
    /// Held for the moment of a swap.
    swap: ProcessOwn<Mutex<()>>,
}

impl CurrentSnapshot {
    pub(super) fn new(first: Snapshot) -> Self {
        Self {
            stamp: AtomicU64::new(first.version_id),
            swap: ProcessOwn::new(Mutex::default),
            state: ArcSwap::from_pointee(first),
        }
    }

    #[inline]
    pub(super) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.state.load()
    }

    pub(super) fn load_full(&self) -> Arc<Snapshot> {
        self.state.load_full()
    }

    /// Puts another in force in the place of `base`; not if that is no longer in force. Returns
    /// whether it did.
    pub(super) fn replace(&self, base: &Arc<Snapshot>, next: Arc<Snapshot>) -> bool {
        self.swapping(|| {
            let is_base = Arc::ptr_eq(&self.state.load(), base);
            if is_base {
                self.put(next);
            }
            is_base
        })
    }

    /// Puts another in force. Writers take turns.
    pub(super) fn store(&self, next: Arc<Snapshot>) {
        self.swapping(|| self.put(next));
    }

    /// Does `work` while no other thread of this process swaps.
    fn swapping<T>(&self, work: impl FnOnce() -> T) -> T {
        let swap = self.swap.get();
        let _held = swap.1.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    fn put(&self, next: Arc<Snapshot>) {
        // In this order: once anybody can have the next version, the one before passes for the
        // latest no more.
        self.stamp.store(next.version_id, Ordering::SeqCst);
        self.state.store(next);
    }

    /// Whether it is in force.
    #[inline]
    pub(super) fn is_latest(&self, state: &Snapshot) -> bool {
        self.stamp.load(Ordering::Acquire) == state.version_id
            || std::ptr::eq(&raw const **self.load(), state)
    }
}
