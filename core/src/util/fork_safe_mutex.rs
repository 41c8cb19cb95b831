//! Writers take turns, also in a child that was forked while another thread had its turn.

use std::process;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::wait::{TimedMutex, WaitBudget, WaitEnd};

/// A lock that knows its process. A fork copies a held lock without the thread that would release
/// it: so a child makes itself a new one.
#[derive(Debug)]
pub(crate) struct ProcessOwn<L> {
    make: fn() -> L,
    lock: ArcSwap<(u32, L)>,
}

impl<L> ProcessOwn<L> {
    pub(crate) fn new(make: fn() -> L) -> Self {
        Self {
            make,
            lock: ArcSwap::from_pointee((process::id(), make())),
        }
    }

    /// Returns the process's id and its lock.
    pub(crate) fn get(&self) -> Arc<(u32, L)> {
        let lock = self.lock.load_full();
        if lock.0 == process::id() {
            return lock;
        }
        // If several threads of a child come here, one wins; all then load the winner's lock.
        self.lock
            .compare_and_swap(&lock, Arc::new((process::id(), (self.make)())));
        self.lock.load_full()
    }
}

/// Writers take it one after the other.
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
    /// Does `work` while no other thread of this process does such work; waits for it within the
    /// budget.
    pub(crate) fn with<T>(
        &self,
        budget: &WaitBudget,
        work: impl FnOnce() -> T,
    ) -> Result<T, WaitEnd> {
        let lock = self.lock.get();
        // A panic in another's turn left the state whole: it is swapped only at the end.
        let _turn = lock.1.lock(budget)?;
        Ok(work())
    }
}
