//! Counts and the directory in one SQLite file that several processes of a machine share.
//!
//! Every transaction takes a lock on a lock file, and then SQLite's own lock. The first lock makes
//! the order fair and holds regardless of other SQLite code in the process. A wait for the lock
//! ends with the lock, at the end of the caller's budget, or by the caller's interrupt.
//!
//! Threads of one process that arrive while a transaction is open join it ([`group_commit`]). Reads
//! use a connection of their own and take no lock ([`reader`]). The store starts no thread, so a
//! fork loses none.

mod bus_guard;
mod checksum;
mod clock_trust;
mod connection;
mod counts;
mod database_file;
mod directory;
mod errors;
mod file_checks;
mod file_locks;
mod grant_table;
mod group_commit;
mod inspect;
mod meta;
mod prepared_connection;
mod process_handle;
mod prune;
mod read_cache;
mod reader;
mod row_codec;
mod schema;
mod shared_header;
mod store_path;
mod transaction;
mod verify;
mod wal;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::sqlite::database_file::OpenDatabase;
use super::sqlite::group_commit::{CommitError, MemberOutcome};
pub use super::sqlite::inspect::{InspectedCount, Inspection, inspect_store, verify_store};
use super::sqlite::process_handle::{OpenStore, ProcessHandle, SharedHandle};
use super::sqlite::read_cache::{CachedReader, RecordingReader};
pub(crate) use super::sqlite::shared_header::{HeaderField, SharedHeader};
use super::sqlite::store_path::{StoreUrl, parse_store_url};
use super::sqlite::transaction::{SheetRead, SqliteTx};
use super::{DirectoryStore, Durability, Store, TxBody, TxOutcome, Verification};
use crate::model::clock::{Clock, HighWater};
use crate::util::error::Error;
use crate::util::fork_guard;
use crate::util::process_id::process_id;
use crate::util::wait::{WaitBudget, WaitEnd};

/// A store in one SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    shared: Arc<SharedHandle>,
    /// Whether every commit reaches the disk before the call returns.
    power: bool,
    high_water: HighWater,
    open_store: ArcSwap<OpenStore>,
}

/// Accepts the system clock in the store with this URL (`sqlite:PATH`), after [`Error::ClockJump`].
/// Does the work of [`Engine::accept_clock`](crate::Engine::accept_clock) without a bundle. Returns
/// the accepted instant (RFC 3339).
///
/// # Errors
/// Fails with the `store.*` codes, and with [`Error::Store`] if the store is not in a file.
pub fn accept_clock(store: &str) -> Result<String, Error> {
    crate::util::panic::catch_panic(|| {
        let opened = SqliteStore::open(store, Clock::System)?;
        opened.accept_clock()?;
        Ok(crate::model::calendar::instant_text(opened.high_water.mark()).unwrap_or_default())
    })
}

/// The work of one caller in a transaction.
type GroupMember<'m> = &'m mut dyn FnMut(&mut SqliteTx<'_>) -> Result<TxOutcome, Error>;

impl SqliteStore {
    /// Opens the store with this URL.
    pub(crate) fn open(name: &str, clock: Clock) -> Result<Self, Error> {
        let StoreUrl {
            place,
            sync_every_commit: power,
            lock_timeout,
        } = parse_store_url(name)?;
        crate::cedar::first_use::prepare();
        bus_guard::install();
        let budget = WaitBudget::enter(lock_timeout);
        let (open, id) = OpenDatabase::new(&place, None, &budget)?;
        let pass = fork_guard::ForkGuard::new();
        let water = clock_trust::open_high_water(
            clock,
            &open.connected.connection,
            &open.connected.checksum_key,
        )
        .map_err(|error| place.sqlite(&error))?;
        drop(pass);
        open.lock
            .unlock(&open.board)
            .map_err(|error| errors::file(&place.name, &error))?;
        let shared = Arc::new(SharedHandle {
            place,
            id,
            lock_timeout,
            board: ArcSwap::from(Arc::clone(&open.board)),
        });
        let open_store = ArcSwap::from_pointee(OpenStore::new(&shared, Some(open)));
        Ok(Self {
            shared,
            power,
            high_water: water,
            open_store,
        })
    }

    /// Returns the handle of this process. After a fork, replaces the parent's handle with a new
    /// one.
    fn open_store(&self) -> Guard<Arc<OpenStore>> {
        let open_store = self.open_store.load();
        if open_store.process == process_id() {
            return open_store;
        }
        // If several threads of the child replace the handle at once, one wins and all load its
        // handle.
        self.open_store
            .compare_and_swap(&open_store, Arc::new(OpenStore::new(&self.shared, None)));
        self.open_store.load()
    }

    /// Returns the error of a caller that waited in vain for another thread of this process.
    fn lock_wait_error(&self, end: WaitEnd) -> Error {
        let inode = self.shared.board.load().identity.1;
        self.shared.place.not_locked(end.into(), inode)
    }

    fn map_commit_error(&self, error: CommitError<Error>) -> Error {
        match error {
            CommitError::Fault(error) => error,
            CommitError::Waited(end) => self.lock_wait_error(end),
            CommitError::Unknown => self
                .shared
                .place
                .unknown_outcome("its commit has not ended in time"),
        }
    }

    /// Runs one transaction, or joins the open one.
    fn transact(&self, full: bool, work: GroupMember<'_>) -> Result<(), Error> {
        let budget = WaitBudget::enter(self.shared.lock_timeout);
        let part = &mut |handle: &mut ProcessHandle| self.part(handle, work);
        self.open_store()
            .writers
            .run(full, &budget, part)
            .map_err(|error| self.map_commit_error(error))?
    }

    /// Runs one transaction over the directory alone, which is on the disk before the call returns.
    /// `published` is called after the commit, before others see the change.
    fn transact_exclusive(
        &self,
        work: GroupMember<'_>,
        published: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        let budget = WaitBudget::enter(self.shared.lock_timeout);
        let part = &mut |handle: &mut ProcessHandle| self.part(handle, work);
        let commit = &mut |handle: &mut ProcessHandle| self.commit_change(handle, published);
        self.open_store()
            .writers
            .run_alone(&budget, part, commit)
            .map_err(|error| self.map_commit_error(error))?
    }

    fn commit_change(
        &self,
        handle: &mut ProcessHandle,
        published: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        use super::sqlite::group_commit::CommitTarget;
        let Some(board) = handle.database.as_ref().map(|open| Arc::clone(&open.board)) else {
            return Err(self.shared.place.replaced());
        };
        if let Some(open) = &handle.database {
            file_locks::lock_publish(open.lock.file())
                .map_err(|error| errors::file(&self.shared.place.name, &error))?;
        }
        board.begin_write(HeaderField::Directory);
        let committed = handle.commit();
        if committed.is_ok() {
            published();
        }
        board.end_write(HeaderField::Directory);
        if let Some(open) = &handle.database {
            // If this fails, the lock is released with its file. The commit stays valid.
            let _ = file_locks::unlock_publish(open.lock.file());
        }
        committed
    }

    /// Runs one caller's work and returns its outcome. There is mostly nothing to roll back,
    /// because calls decide before they write.
    fn part(
        &self,
        handle: &mut ProcessHandle,
        work: GroupMember<'_>,
    ) -> (Result<(), Error>, MemberOutcome<Error>) {
        let Some(open) = &mut handle.database else {
            let error = self.shared.place.replaced();
            return (Err(error.clone()), MemberOutcome::Broken(error));
        };
        let (board, file) = (Arc::clone(&open.board), open.connected.identity());
        let mut sheet = SqliteTx {
            connection: &open.connected.connection,
            board: &board,
            place: &self.shared.place,
            checksum_key: &open.connected.checksum_key,
            file,
            prune: &mut open.prune,
            grants: Some(&mut open.grants),
            now: self.high_water.mark(),
            has_written: false,
            read: SheetRead::default(),
        };
        let worked = crate::util::panic::catch_panic(|| {
            sheet.now = self.instant(&mut sheet)?;
            work(&mut sheet)
        });
        let wrote = sheet.has_written;
        let is_broken = |error: &Error| {
            let of_the_file = error.code().starts_with("store.");
            of_the_file && !matches!(error, Error::ClockJump { .. } | Error::StoreBehind { .. })
        };
        match worked {
            Ok(TxOutcome::Commit) => (Ok(()), MemberOutcome::Keep),
            Ok(TxOutcome::Rollback) => (Ok(()), MemberOutcome::Discard { wrote }),
            Err(error) if is_broken(&error) => (Err(error.clone()), MemberOutcome::Broken(error)),
            Err(error) => (Err(error), MemberOutcome::Discard { wrote }),
        }
    }

    /// Answers a read from the cache if no process has written a count since. Returns `None`
    /// otherwise.
    fn read_from_cache(
        &self,
        open_store: &OpenStore,
        account: &str,
        work: TxBody<'_>,
    ) -> Option<Result<(), Error>> {
        let mut cache = open_store.cache();
        let board = cache.board()?;
        // The shared high-water mark is accepted only if the clock of this process confirms it.
        // Otherwise the file is read.
        let seen = board
            .clock_high_water()
            .load(std::sync::atomic::Ordering::Acquire);
        if seen > self.high_water.mark() {
            if !self.high_water.confirms(seen) {
                return None;
            }
            self.high_water.raise(seen);
        }
        let now = match self.high_water.now() {
            Ok(now) => now,
            Err(error) => return Some(Err(error)),
        };
        board.raise_clock(now);
        let mut view = CachedReader {
            rows: cache.get(account),
            now,
            has_missed: false,
        };
        let answer = work(&mut view);
        (!view.has_missed).then(|| answer.map(drop))
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &str {
        &self.shared.place.name
    }

    fn touches_files(&self) -> bool {
        true
    }

    fn lock_timeout(&self) -> std::time::Duration {
        self.shared.lock_timeout
    }

    fn directory(&self) -> Option<&dyn DirectoryStore> {
        Some(self)
    }

    fn write(
        &self,
        _accounts: &[&str],
        durability: Durability,
        work: TxBody<'_>,
    ) -> Result<(), Error> {
        self.transact(
            self.power || durability == Durability::Power,
            &mut |sheet| work(sheet),
        )
    }

    fn read(&self, account: &str, work: TxBody<'_>) -> Result<(), Error> {
        let open_store = self.open_store();
        if let Some(answer) = self.read_from_cache(&open_store, account, work) {
            return answer;
        }
        // Read the version before the view, so that rows read during a later write are not cached
        // as current.
        let board = self.board();
        let counts = board.version(HeaderField::Counts);
        let rows = self.view(&mut |sheet| {
            sheet.now = self.instant(sheet)?;
            let mut noting = RecordingReader {
                sheet,
                rows: Vec::new(),
                documents: Vec::new(),
            };
            work(&mut noting)?;
            Ok(noting.rows)
        })?;
        if counts & 1 == 0 {
            open_store.cache().insert(account, (board, counts), rows);
        }
        Ok(())
    }

    fn account_of(&self, operation: u64) -> Result<Option<String>, Error> {
        self.view(&mut |sheet| {
            Ok(super::CountTx::operation(sheet, operation)?.map(|found| found.account))
        })
    }

    fn verify(&self) -> Result<Verification, Error> {
        let _pass = fork_guard::ForkGuard::new();
        verify::verify(&self.shared.place)
    }

    fn clear(&self) -> Result<(), Error> {
        Err(Error::StoreVerb {
            store: self.shared.place.name.clone(),
            verb: "reset_counts".to_owned(),
        })
    }

    fn now(&self) -> i64 {
        self.high_water.peek()
    }

    fn accept_clock(&self) -> Result<(), Error> {
        let seen = self.high_water.accept();
        self.transact(true, &mut |sheet| {
            sheet.advance_clock(seen)?;
            Ok(TxOutcome::Commit)
        })
    }
}
