//! The connections of one process to a store. The handle opens the database on the first
//! transaction, and again after its files have moved. A forked child builds its own handle and
//! leaves that of its parent untouched.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connection::{Look, OpenConnection};
use super::database_file::OpenDatabase;
use super::group_commit::{CommitTarget, GroupCommit};
use super::read_cache::ReadCache;
use super::shared_header::{HeaderField, SharedHeader};
use super::store_path::StorePath;
use crate::util::error::Error;
use crate::util::fault_injection::{self, FailPoint};
use crate::util::fork_guard::ForkGuard;
use crate::util::process_id::process_id;
use crate::util::wait::{TimedMutex, WaitBudget};

/// The state that all connections of this process to one store share.
#[derive(Debug)]
pub(super) struct SharedHandle {
    pub(super) place: StorePath,
    /// The store's id. A file at the same path with another id is another store.
    pub(super) id: String,
    pub(super) lock_timeout: Duration,
    /// The shared header of the current lock file.
    pub(super) board: ArcSwap<SharedHeader>,
}

/// The connection for reads.
pub(super) type ReadConnection = TimedMutex<Option<OpenConnection>>;

/// The connection for writes, and the guard that makes a fork wait for it.
#[derive(Debug)]
pub(super) struct ProcessHandle {
    shared: Arc<SharedHandle>,
    reader: Arc<ReadConnection>,
    pub(super) database: Option<OpenDatabase>,
    /// Held while a transaction is open, so that no thread of this process forks meanwhile.
    pass: Option<ForkGuard>,
    /// The identity of the last open file.
    last_file: Option<(u64, u64)>,
}

impl ProcessHandle {
    pub(super) fn new(
        shared: Arc<SharedHandle>,
        reader: Arc<ReadConnection>,
        database: Option<OpenDatabase>,
    ) -> Self {
        Self {
            shared,
            reader,
            last_file: database.as_ref().map(|open| open.connected.identity()),
            database,
            pass: None,
        }
    }

    /// Leaks the connections of the parent process after a fork. Closing them would disturb the
    /// parent.
    pub(super) fn leak_after_fork(&mut self) {
        std::mem::forget((self.database.take(), self.pass.take()));
    }

    pub(super) fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        let open = self
            .database
            .as_ref()
            .ok_or_else(|| self.shared.place.replaced())?;
        let run = open.connected.connection.execute(sql, []);
        run.map(drop)
            .map_err(|error| self.shared.place.sqlite(&error))
    }

    /// Takes the write lock on the current file of the store.
    fn lock(&mut self, budget: &WaitBudget) -> Result<(), Error> {
        let place = &self.shared.place;
        if let Some(mut open) = self.database.take() {
            open.lock
                .lock(&open.board, budget)
                .map_err(|error| place.not_locked(error, open.board.identity.1))?;
            match open.look(place)? {
                Look::Same => {
                    self.database = Some(open);
                    return Ok(());
                }
                moved => {
                    // The reader's connection shares the index of this connection while both are
                    // open.
                    let mut reader = self
                        .reader
                        .lock(budget)
                        .map_err(|end| place.not_locked(end.into(), open.board.identity.1))?;
                    if let Some(connected) = reader.take() {
                        connected.abandon();
                    }
                    open.leave(place, moved)?;
                }
            }
        }
        let (open, _) = OpenDatabase::new(place, Some(&self.shared.id), budget)?;
        if self
            .last_file
            .replace(open.connected.identity())
            .is_some_and(|before| before != open.connected.identity())
        {
            // The file is another one, such as a restored copy, so values read from the previous
            // file may be stale.
            open.board.invalidate_all();
        }
        let before = self.shared.board.swap(Arc::clone(&open.board));
        if !Arc::ptr_eq(&before, &open.board) {
            // Processes with the old header and processes with the new one must both read again.
            before.invalidate_all();
            open.board.invalidate_all();
        }
        self.database = Some(open);
        Ok(())
    }

    /// Begins a transaction under the write lock.
    fn begin_locked(&mut self, full: bool) -> Result<(), Error> {
        let Some(open) = &mut self.database else {
            return Err(self.shared.place.replaced());
        };
        // The previous lock holder may have been killed while it held the lock, so the header is
        // repaired first.
        open.board.end_write(HeaderField::Directory);
        open.board.end_write(HeaderField::Counts);
        open.set_full(full)
            .map_err(|error| self.shared.place.sqlite(&error))?;
        self.run("BEGIN IMMEDIATE")
    }

    /// Returns the error of a transaction in which a mapped page was lost, because the index was
    /// truncated while the transaction was open.
    fn lost_pages(&self) -> Option<Error> {
        let lost = self
            .database
            .as_ref()
            .is_some_and(|open| open.connected.lost_pages());
        lost.then(|| self.shared.place.side_file("-shm"))
    }
}

/// The process handle: the connections and the cache that this process has open.
pub(super) struct OpenStore {
    pub(super) process: u32,
    pub(super) writers: GroupCommit<ProcessHandle>,
    pub(super) reader: Arc<ReadConnection>,
    cache: Mutex<ReadCache>,
}

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            cache: Mutex::default(),
        }
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, ReadCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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

impl CommitTarget for ProcessHandle {
    type Fault = Error;

    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), Error> {
        self.lock(budget)?;
        // A fork waits for the transaction but not for the lock.
        self.pass = Some(ForkGuard::new());
        let begun = self.begin_locked(full);
        match begun {
            Ok(()) => fault_injection::fail_point(FailPoint::Begun),
            // The next caller opens the database again.
            Err(_) => self.end(true),
        }
        begun
    }

    fn commit(&mut self) -> Result<(), Error> {
        if let Some(lost) = self.lost_pages() {
            return Err(lost);
        }
        let Some(open) = &self.database else {
            return Err(self.shared.place.replaced());
        };
        let board = Arc::clone(&open.board);
        board.begin_write(HeaderField::Counts);
        fault_injection::fail_point(FailPoint::Worked);
        let run = open.connected.connection.execute("COMMIT", []);
        let committed = run
            .map(drop)
            .map_err(|error| self.shared.place.commit_failed(&error));
        fault_injection::fail_point(FailPoint::Committed);
        board.end_write(HeaderField::Counts);
        match self.lost_pages() {
            Some(lost) if committed.is_ok() => {
                Err(self.shared.place.unknown_outcome(&lost.to_string()))
            }
            _ => committed,
        }
    }

    fn roll_back(&mut self) -> Result<(), Error> {
        self.run("ROLLBACK")
    }

    fn end(&mut self, failed: bool) {
        if let Some(open) = &self.database {
            let unlocked = open.lock.unlock(&open.board);
            // A lock that cannot be released is released when its file is closed.
            if failed || unlocked.is_err() {
                match self.database.take() {
                    Some(open) if open.connected.lost_pages() => open.connected.abandon(),
                    open => drop(open),
                }
            }
        }
        self.pass = None;
    }
}
