//! A mutex for writers that also works in a child forked while another thread held the mutex.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::process_id::process_id;
use super::wait::{TimedMutex, WaitBudget, WaitEnd};

/// A lock that belongs to one process. A fork copies a held lock without the thread that would
/// release it, so a child creates a new lock.
#[derive(Debug)]
pub(crate) struct ProcessOwn<L> {
    make: fn() -> L,
    lock: ArcSwap<(u32, L)>,
}

impl<L> ProcessOwn<L> {
    pub(crate) fn new(make: fn() -> L) -> Self {
        Self {
            make,
            lock: ArcSwap::from_pointee((process_id(), make())),
        }
    }

    /// Returns the process id and the lock of this process.
    pub(crate) fn get(&self) -> Arc<(u32, L)> {
        let lock = self.lock.load_full();
        if lock.0 == process_id() {
            return lock;
        }
        // If several threads of a child get here, one of them wins, and all load the winner's lock.
        self.lock
            .compare_and_swap(&lock, Arc::new((process_id(), (self.make)())));
        self.lock.load_full()
    }
}

/// A mutex that serialises the writers of one process.
#[derive(Debug)]
pub(crate) struct ForkSafeMutex {
    lock: ProcessOwn<TimedMutex<()>>,
}

impl Default for ForkSafeMutex {
    fn default() -> Self {
        Self {
            lock: ProcessOwn::new(|| TimedMutex::new(())),
        }
    }
}

impl ForkSafeMutex {
    /// Runs `work` while no other thread of this process holds the mutex. Waits for the mutex
    /// within the budget.
    pub(crate) fn with<T>(
        &self,
        budget: &WaitBudget,
        work: impl FnOnce() -> T,
    ) -> Result<T, WaitEnd> {
        let lock = self.lock.get();
        // A panic of an earlier holder left the state whole, because state is swapped only at the
        // end.
        let _turn = lock.1.lock(budget)?;
        Ok(work())
    }
}
