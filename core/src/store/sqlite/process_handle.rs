//! The database as one process writes to it: opened on the first transaction, and anew after its
//! files have moved.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::database_file::{Connected, Look, OpenDatabase, StorePath};
use super::file_locks;
use super::group_commit::CommitTarget;
use super::shared_header::{HeaderField, SharedHeader};
use crate::util::error::Error;
use crate::util::fault_injection::{self, FailPoint};
use crate::util::fork_guard::ForkGuard;
use crate::util::wait::{TimedMutex, WaitBudget};

/// What all connections of this process to one store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: StorePath,
    /// Names the store for good: a file of the same path with another name is another store.
    pub(super) id: String,
    pub(super) lock_timeout: Duration,
    /// The words of the file that the store's name leads to.
    pub(super) board: ArcSwap<SharedHeader>,
}

/// The connection that reads.
pub(super) type Reader = TimedMutex<Option<Connected>>;

/// How long whoever is next watches for the turn before it sleeps: a transaction mostly ends
/// sooner, and to be woken takes as long.
const WATCH: Duration = Duration::from_micros(80);

/// The connection that writes, and whether a fork must wait for it.
#[derive(Debug)]
pub(super) struct Handle {
    shared: Arc<Shared>,
    reader: Arc<Reader>,
    pub(super) database: Option<OpenDatabase>,
    /// Held while a transaction is open: no thread of this process forks meanwhile.
    pass: Option<ForkGuard>,
    /// The file that was open last.
    last_file: Option<(u64, u64)>,
}

impl Handle {
    pub(super) fn new(
        shared: Arc<Shared>,
        reader: Arc<Reader>,
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

    /// Gives up what belongs to the process that this one was forked from. Nothing is closed: that
    /// would disturb its owner.
    pub(super) fn leak_after_fork(&mut self) {
        std::mem::forget((self.database.take(), self.pass.take()));
    }

    pub(super) fn run(&mut self, sql: &str) -> Result<(), Error> {
        let open = self
            .database
            .as_ref()
            .ok_or_else(|| self.shared.place.replaced())?;
        let run = open
            .connected
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.raw_execute());
        run.map(drop)
            .map_err(|found| self.shared.place.sqlite(&found))
    }

    /// Takes the lock on the file that is there under the store's name.
    fn lock(&mut self, watch: Duration, budget: &WaitBudget) -> Result<(), Error> {
        let place = &self.shared.place;
        if let Some(mut open) = self.database.take() {
            file_locks::lock_write(&open.lock, &open.board, watch, budget)
                .map_err(|found| place.not_locked(found, open.board.identity.1))?;
            match open.look(place)? {
                Look::Same => {
                    self.database = Some(open);
                    return Ok(());
                }
                moved => {
                    // The reader's connection shares the index of this one, as long as both are
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
            // A copy was put back: what was read from the other file may be different now.
            open.board.invalidate_all();
        }
        let before = self.shared.board.swap(Arc::clone(&open.board));
        if !Arc::ptr_eq(&before, &open.board) {
            // Those who have the words of before come to see, and those who have these already.
            before.invalidate_all();
            open.board.invalidate_all();
        }
        self.database = Some(open);
        Ok(())
    }

    /// Begins under the lock that was taken.
    fn begin_locked(&mut self, full: bool) -> Result<(), Error> {
        let Some(open) = &mut self.database else {
            return Err(self.shared.place.replaced());
        };
        // The holder before may have been killed while it held the lock.
        open.board.end_write(HeaderField::Directory);
        open.board.end_write(HeaderField::Counts);
        open.set_full(full)
            .map_err(|found| self.shared.place.sqlite(&found))?;
        self.run("BEGIN IMMEDIATE")
    }

    /// The error of a transaction in which a mapped page was lost: the index was cut while it was
    /// open.
    fn lost_pages(&self) -> Option<Error> {
        let lost = self
            .database
            .as_ref()
            .is_some_and(|open| open.connected.lost_pages());
        lost.then(|| self.shared.place.side_file("-shm"))
    }
}

impl CommitTarget for Handle {
    type Fault = Error;

    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), Error> {
        // A transaction that reaches the disk takes longer than to be woken.
        self.lock(if full { Duration::ZERO } else { WATCH }, budget)?;
        // A fork waits for what follows, and not for the lock.
        self.pass = Some(ForkGuard::new());
        let begun = self.begin_locked(full);
        match begun {
            Ok(()) => fault_injection::fail_point(FailPoint::Begun),
            // The next caller opens it anew.
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
        let run = open
            .connected
            .connection
            .prepare_cached("COMMIT")
            .and_then(|mut statement| statement.raw_execute());
        let committed = run
            .map(drop)
            .map_err(|found| self.shared.place.commit_failed(&found));
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
            let unlocked = file_locks::unlock_write(&open.lock, &open.board);
            // A lock that is not released is released by closing its file.
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
