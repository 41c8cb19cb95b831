//! The open database of a process: the connection, the lock file and the shared header.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Instant;

use super::connection::{LOCK_POLL_INTERVAL, Look, OpenConnection, RegisteredFile};
use super::errors;
use super::file_checks::{claim, open_database};
use super::file_locks::{NameClaim, WriteLock};
use super::grant_table::GrantTable;
use super::prune::Prune;
use super::shared_header::{self, Access, SharedHeader};
use super::store_path::StorePath;
use crate::util::error::Error;
use crate::util::wait::{WaitBudget, WaitEnd};

/// The open database with its lock file, shared header, prune state and cached grants.
#[derive(Debug)]
pub(super) struct OpenDatabase {
    pub(super) connected: OpenConnection,
    pub(super) lock: WriteLock,
    pub(super) board: Arc<SharedHeader>,
    /// Whether commits reach the disk before the call returns.
    pub(super) full: bool,
    pub(super) prune: Prune,
    pub(super) grants: GrantTable,
    looked: Option<Instant>,
    /// The number of log rescues before the store was opened.
    rescues: u32,
    _registered: RegisteredFile,
}

impl OpenDatabase {
    /// Opens the store with the write lock held. Creates the store if it is missing, unless a
    /// certain store is `wanted`.
    pub(super) fn new(
        place: &StorePath,
        wanted: Option<&str>,
        budget: &WaitBudget,
    ) -> Result<(Self, String), Error> {
        let (database, made) = open_database(place, wanted)?;
        let opened = Self::with_suffix(place, database, wanted, budget);
        if made && opened.is_err() && fs::metadata(&place.path).is_ok_and(|found| found.len() == 0)
        {
            let _ = fs::remove_file(&place.path);
        }
        let (open, id) = opened?;
        open.board.end_write(shared_header::HeaderField::Directory);
        open.board.end_write(shared_header::HeaderField::Counts);
        Ok((open, id))
    }

    fn with_suffix(
        place: &StorePath,
        database: File,
        wanted: Option<&str>,
        budget: &WaitBudget,
    ) -> Result<(Self, String), Error> {
        let file = |error: std::io::Error| errors::file(&place.name, &error);
        let access = Access::from_metadata(&database.metadata().map_err(file)?);
        let path = place.with_suffix("-lock");
        let board = SharedHeader::map(&path, access).map_err(|error| place.lock_file(&error))?;
        let lock = shared_header::open_lock(&path, access).map_err(file)?;
        let registered = RegisteredFile::new(&lock);
        let mut lock = WriteLock::new(lock);
        loop {
            lock.lock(&board, budget)
                .map_err(|error| place.not_locked(error, board.identity.1))?;
            let missing = match claim(place, &database)? {
                NameClaim::OtherName => return Err(place.other_name()),
                NameClaim::Alone => None,
                // Other processes write to a log that was removed. One of them moves it into the
                // database at its next look.
                NameClaim::Shared => ["-wal", "-shm"]
                    .into_iter()
                    .find(|suffix| wanted.is_none() && !place.with_suffix(suffix).exists()),
            };
            let Some(missing) = missing else { break };
            lock.unlock(&board).map_err(file)?;
            match budget.slice() {
                Ok(slice) => std::thread::sleep(slice),
                Err(WaitEnd::TimedOut) => return Err(place.side_file(missing)),
                Err(end) => return Err(place.not_locked(end.into(), board.identity.1)),
            }
        }
        let (connected, id) = OpenConnection::new(place, database, wanted)?;
        let (board, looked) = (Arc::new(board), Some(Instant::now()));
        let rescues = board.rescue_count();
        let open = Self {
            connected,
            lock,
            board,
            full: false,
            prune: Prune::default(),
            grants: GrantTable::default(),
            looked,
            rescues,
            _registered: registered,
        };
        Ok((open, id))
    }

    /// Checks whether the files are still those that were opened. The caller holds the write lock.
    pub(super) fn look(&mut self, place: &StorePath) -> Result<Look, Error> {
        let found = self.connected.look(place)?;
        if found != Look::Same {
            return Ok(found);
        }
        if self.board.is_lost() {
            return Ok(Look::LockMoved);
        }
        if self
            .looked
            .is_some_and(|looked| looked.elapsed() < LOCK_POLL_INTERVAL)
        {
            return Ok(Look::Same);
        }
        if fs::metadata(place.with_suffix("-lock"))
            .is_ok_and(|found| shared_header::identity(&found) == self.board.identity)
        {
            self.looked = Some(Instant::now());
            return Ok(Look::Same);
        }
        Ok(Look::LockMoved)
    }

    /// Closes the store after a look found that its files have moved. Other processes that have the
    /// store open then look too.
    pub(super) fn leave(self, place: &StorePath, found: Look) -> Result<(), Error> {
        if matches!(found, Look::LogMoved | Look::IndexMoved) {
            // Other processes of this machine look again within this time, so none of them
            // continues with stale files.
            std::thread::sleep(LOCK_POLL_INTERVAL.saturating_mul(2));
            // Another process may have rescued the log already. The log state of this connection is
            // then stale.
            if found == Look::LogMoved && self.board.rescue_count() == self.rescues {
                self.connected.rescue(place)?;
                self.board.count_rescue();
            }
        }
        self.board.invalidate_all();
        let Self {
            connected,
            lock,
            board,
            ..
        } = self;
        if found == Look::LockMoved {
            drop(connected);
        } else {
            connected.abandon();
        }
        let _ = lock.unlock(&board);
        Ok(())
    }

    /// Sets whether commits reach the disk before the call returns.
    pub(super) fn set_full(&mut self, full: bool) -> rusqlite::Result<()> {
        if full != self.full {
            self.connected.connection.execute_batch(if full {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            self.full = full;
        }
        Ok(())
    }
}
