//! Writers take turns, also in a child that was forked while another thread had its turn.

use std::process;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::Error;

/// A lock that knows its process. A fork copies a held lock without the thread that would release it.
#[derive(Debug)]
pub(super) struct Turn {
    lock: ArcSwap<(u32, Mutex<()>)>,
}

impl Default for Turn {
    fn default() -> Self {
        Self { lock: ArcSwap::from_pointee((process::id(), Mutex::new(()))) }
    }
}

impl Turn {
    /// Does `work` while no other thread of this process does such work.
    pub(super) fn take<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let mut lock = self.lock.load_full();
        if lock.0 != process::id() {
            // Of several threads of the child, one wins; all then load the winner's lock.
            self.lock.compare_and_swap(&lock, std::sync::Arc::new((process::id(), Mutex::new(()))));
            lock = self.lock.load_full();
        }
        // A panic in another's turn left the state whole: it is swapped only at the end.
        let _turn = lock.1.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}
