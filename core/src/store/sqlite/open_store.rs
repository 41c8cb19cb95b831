//! The connections and the cache of one process. A forked child builds its own and leaves those of
//! its parent untouched.

use std::sync::Arc;

use super::database_file::OpenDatabase;
use super::group_commit::GroupCommit;
use super::process_handle::{ProcessHandle, ReadConnection, SharedHandle};
use super::read_cache::ReadCache;
use crate::util::process_id::process_id;
use crate::util::wait::TimedMutex;

/// The process handle: the connections and the cache that this process has open.
pub(super) struct OpenStore {
    pub(super) process: u32,
    pub(super) writers: GroupCommit<ProcessHandle>,
    pub(super) reader: Arc<ReadConnection>,
    cache: std::sync::Mutex<ReadCache>,
}

impl std::fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenStore")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl OpenStore {
    pub(super) fn new(shared: &Arc<SharedHandle>, open: Option<OpenDatabase>) -> Self {
        let reader = Arc::new(TimedMutex::new(None));
        let writers = GroupCommit::new(ProcessHandle::new(
            Arc::clone(shared),
            Arc::clone(&reader),
            open,
        ));
        Self {
            process: process_id(),
            writers,
            reader,
            cache: std::sync::Mutex::default(),
        }
    }

    pub(super) fn cache(&self) -> std::sync::MutexGuard<'_, ReadCache> {
        self.cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for OpenStore {
    fn drop(&mut self) {
        // The connections of the parent process are leaked and never closed, because closing them
        // would disturb the parent.
        if self.process != process_id() {
            self.writers.target_mut().leak_after_fork();
            // A lock held by a thread of the parent has no holder here, and its connection must
            // never be closed.
            std::mem::forget(Arc::clone(&self.reader));
        }
    }
}
