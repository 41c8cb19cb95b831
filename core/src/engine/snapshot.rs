//! The current snapshot: replaced atomically, read without waiting, and replaced when a lapse ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::Snapshot;
use crate::util::fork_safe_mutex::ProcessOwn;

/// An atomic pointer to the current snapshot.
#[derive(Debug)]
pub(super) struct CurrentSnapshot {
    state: ArcSwap<Snapshot>,
    /// The version id of the current snapshot, or of the one that is about to become current.
    stamp: AtomicU64,
    /// Held while the snapshot is replaced.
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

    /// Replaces `base` by `next`, unless `base` is no longer current. Returns whether it did.
    pub(super) fn replace(&self, base: &Arc<Snapshot>, next: Arc<Snapshot>) -> bool {
        self.with_swap_lock(|| {
            let is_base = Arc::ptr_eq(&self.state.load(), base);
            if is_base {
                self.put(next);
            }
            is_base
        })
    }

    /// Makes `next` current. Writers hold the write lock.
    pub(super) fn store(&self, next: Arc<Snapshot>) {
        self.with_swap_lock(|| self.put(next));
    }

    /// Runs `work` while no other thread of this process replaces the snapshot.
    fn with_swap_lock<T>(&self, work: impl FnOnce() -> T) -> T {
        let swap = self.swap.get();
        let _held = swap.1.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    fn put(&self, next: Arc<Snapshot>) {
        // The id is stored first, so that the old version no longer counts as the latest once any
        // thread can load the next.
        self.stamp.store(next.version_id, Ordering::SeqCst);
        self.state.store(next);
    }

    /// Returns whether the snapshot is current.
    #[inline]
    pub(super) fn is_latest(&self, state: &Snapshot) -> bool {
        self.stamp.load(Ordering::Acquire) == state.version_id
            || std::ptr::eq(&raw const **self.load(), state)
    }
}

impl Snapshot {
    /// Returns whether a lapsed domain must be quarantined by now (D4). Reads the clock only if the
    /// directory has a lapsed domain.
    #[inline]
    pub(super) fn has_ended_lapse(&self) -> bool {
        let end = self.directory.next_lapse_end();
        end != i64::MAX && self.is_after(end)
    }

    #[cold]
    fn is_after(&self, instant: i64) -> bool {
        instant <= self.store.now()
    }
}
