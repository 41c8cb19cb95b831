//! Writers take turns, also in a child that was forked while another thread had its turn.

use std::process;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::wait::{TimedMutex, WaitBudget, WaitEnd};

/// A lock that knows its process. A fork copies a held lock without the thread that would release it.
#[derive(Debug)]
pub(super) struct Turn {
    lock: ArcSwap<(u32, TimedMutex<()>)>,
}

impl Default for Turn {
    fn default() -> Self {
        Self { lock: ArcSwap::from_pointee((process::id(), TimedMutex::new(()))) }
    }
}

impl Turn {
    /// Does `work` while no other thread of this process does such work; waits for it within the budget.
    pub(super) fn take<T>(&self, budget: &WaitBudget, work: impl FnOnce() -> T) -> Result<T, WaitEnd> {
        let mut lock = self.lock.load_full();
        if lock.0 != process::id() {
            // Of several threads of the child, one wins; all then load the winner's lock.
            self.lock.compare_and_swap(&lock, Arc::new((process::id(), TimedMutex::new(()))));
            lock = self.lock.load_full();
        }
        // A panic in another's turn left the state whole: it is swapped only at the end.
        let _turn = lock.1.lock(budget)?;
        Ok(work())
    }
}
