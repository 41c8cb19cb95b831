//! The stores of counts and of the directory: one trait, and one test suite that each store passes.
//!
//! A transaction has one instant and one view. Its writes are written whole or not at all. No other
//! write comes between the reads and the writes of a transaction.

mod cached_grant;
mod memory;
mod operation;
mod sqlite;

use std::sync::Arc;

pub(crate) use self::cached_grant::{CachedGrant, GrantHit, GrantKey};
pub(crate) use self::memory::MemoryStore;
pub use self::operation::OperationKind;
pub(crate) use self::operation::{
    Bucket, BucketDelta, CountOwner, KeyLookup, NewOperation, Operation, OwnedBucket,
    ReservationState, RetryAnswer,
};
pub(crate) use self::sqlite::{HeaderField, SharedHeader, SqliteStore};
pub use self::sqlite::{InspectedCount, Inspection, accept_clock, inspect_store, verify_store};
use crate::model::calendar::Window;
use crate::model::clock::DAY;
use crate::util::error::Error;

/// The time for which a key is remembered after it has lost its answer: 35 days. After that the key
/// counts as never used.
const KEY_REST: i64 = 35 * DAY;
/// The time for which a bucket is stored after its window: 35 days.
const BUCKET_REST: i64 = 35 * DAY;

/// Whether to commit or roll back a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxOutcome {
    Commit,
    Rollback,
}

/// The result of a read: the value, if it is stored.
pub(crate) type Found<T> = Result<Option<T>, Error>;

/// The reads and writes of one transaction over counts.
pub(crate) trait CountTx {
    /// Returns the instant of the transaction. It is never before the instant of an earlier
    /// transaction.
    fn now(&self) -> i64;
    /// Returns the bucket with the latest window.
    fn current_bucket(&mut self, owner: CountOwner<'_>, meter: &str) -> Found<Bucket>;
    /// Returns the account's own bucket of this instant if its cached grant answers the request.
    /// Returns `None` after an error, too. The caller then asks for it with
    /// [`CountTx::take_grant_error`], because to return it here takes 5% of a consume in memory.
    fn find_cached_grant(
        &mut self,
        _account: &str,
        _meter: &str,
        _grant_key: &GrantKey,
    ) -> Option<GrantHit> {
        None
    }
    /// Fails with the error of the last look for a cached grant.
    fn take_grant_error(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Returns whether the store would keep a grant for the account's own bucket, after it was
    /// looked for and not found.
    fn wants_grant(&mut self, _account: &str, _meter: &str) -> bool {
        false
    }
    /// Caches a grant for the account's own bucket of a window, even if nothing has opened it. Takes
    /// the window and the id of the open bucket. A store may drop the grant at any time.
    fn cache_grant(
        &mut self,
        _account: &str,
        _meter: &str,
        _bucket: (Window, Option<u64>),
        _grant: CachedGrant,
    ) {
    }
    /// Returns the bucket with this id.
    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error>;
    /// Opens a new bucket, which becomes the latest one.
    fn open(&mut self, owner: CountOwner<'_>, meter: &str, window: Window)
    -> Result<Bucket, Error>;
    fn find_key(&mut self, account: &str, idempotency_key: &str) -> Result<KeyLookup, Error>;
    /// Returns the operation with this id if it is still stored.
    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error>;
    /// Records an operation, applies its deltas to the buckets and returns the operation's id.
    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error>;
    /// Records a consume without a key from an account's own bucket, as [`CountTx::append`] does.
    fn consume_fast(
        &mut self,
        account: &str,
        bucket: u64,
        amount: i64,
        retain_until: i64,
    ) -> Result<u64, Error> {
        let parts = &[BucketDelta {
            used: amount,
            ..BucketDelta::for_bucket(bucket)
        }];
        let kind = OperationKind::Consume;
        self.append(NewOperation {
            kind,
            account,
            member: None,
            actor: None,
            idempotency_key: None,
            parent: None,
            expires_at: None,
            retain_until,
            parts,
            answer: &mut |_| Box::new(Vec::new()),
        })
    }
    /// Writes an operation's `reservation` and the refunded amounts of its deltas.
    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error>;
    /// Returns the last operations of an account, the newest first. If `before` is given, returns
    /// only older operations than `before`.
    fn history(
        &mut self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Operation>, Error>;
    /// Returns the account's document with this name.
    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error>;
    /// Writes a document in place of the previous text.
    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error>;
}

/// The body of a transaction as a store runs it. A store may run the body more than once, so only
/// [`transaction`] and [`view`] make one.
pub(crate) type TxBody<'w> = &'w mut dyn FnMut(&mut dyn CountTx) -> Result<TxOutcome, Error>;

/// Runs one transaction over these accounts and returns the value of its body.
///
/// A store may run the body again, because a group commit that is rolled back repeats the bodies of
/// its members. So the body is a [`Fn`] that returns its value. It cannot leave the value of an
/// earlier run in a variable outside.
pub(crate) fn transaction<T>(
    store: &dyn Store,
    accounts: &[&str],
    durability: Durability,
    body: impl Fn(&mut dyn CountTx) -> Result<(T, TxOutcome), Error>,
) -> Result<T, Error> {
    let mut last = None;
    store.write(accounts, durability, &mut |tx| {
        last = None;
        let (value, outcome) = body(tx)?;
        last = Some(value);
        Ok(outcome)
    })?;
    last.ok_or_else(body_not_run_error)
}

/// Runs `body` on one view of an account and returns its value. The writes of `body` are rolled
/// back. A store may run `body` twice.
pub(crate) fn view<T>(
    store: &dyn Store,
    account: &str,
    body: impl Fn(&mut dyn CountTx) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut last = None;
    store.read(account, &mut |tx| {
        last = None;
        last = Some(body(tx)?);
        Ok(TxOutcome::Rollback)
    })?;
    last.ok_or_else(body_not_run_error)
}

/// Runs one transaction over the directory and the counts, and returns the value of its body.
/// `published` receives that value after the commit, before any other thread or process can see the
/// change.
pub(crate) fn change_directory<T>(
    store: &dyn DirectoryStore,
    body: impl Fn(&mut dyn DirectoryTx) -> Result<(T, TxOutcome), Error>,
    published: impl Fn(&T),
) -> Result<T, Error> {
    let last = std::cell::RefCell::new(None);
    let run = &mut |tx: &mut dyn DirectoryTx| {
        last.replace(None);
        let (value, outcome) = body(tx)?;
        last.replace(Some(value));
        Ok(outcome)
    };
    store.write(run, &mut || {
        if let Some(value) = &*last.borrow() {
            published(value);
        }
    })?;
    last.into_inner().ok_or_else(body_not_run_error)
}

/// Reads the directory in one view and returns the value of `body`. A store may run `body` twice.
pub(crate) fn view_directory<T>(
    store: &dyn DirectoryStore,
    body: impl Fn(&mut dyn DirectoryTx) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut last = None;
    store.read(&mut |tx| {
        last = None;
        last = Some(body(tx)?);
        Ok(())
    })?;
    last.ok_or_else(body_not_run_error)
}

/// Returns the error for a store that reports success without having run the body. This is a fault
/// of the store.
fn body_not_run_error() -> Error {
    Error::Panic {
        reason: "the store ended a transaction without running it".to_owned(),
    }
}

/// The failure that an acknowledged transaction survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The end of the process, by whatever cause.
    Process,
    /// A loss of power.
    Power,
}

/// A store of counts, and perhaps of the directory.
pub(crate) trait Store: std::fmt::Debug + Send + Sync {
    /// Returns the name of the store for errors.
    fn name(&self) -> &str;
    /// Returns whether calls may wait for a file.
    fn touches_files(&self) -> bool {
        false
    }
    /// Returns how long a call waits for a lock of another holder.
    fn lock_timeout(&self) -> std::time::Duration {
        crate::util::wait::DEFAULT_LOCK_TIMEOUT
    }
    /// Returns the shared directory, if the store holds one.
    fn directory(&self) -> Option<&dyn DirectoryStore> {
        None
    }
    /// Runs one transaction over these accounts.
    fn write(
        &self,
        accounts: &[&str],
        durability: Durability,
        work: TxBody<'_>,
    ) -> Result<(), Error>;
    /// Runs one view of an account. The writes of `work` are dropped.
    fn read(&self, account: &str, work: TxBody<'_>) -> Result<(), Error>;
    /// Returns the account of an operation that is still stored.
    fn account_of(&self, operation: u64) -> Result<Option<String>, Error>;
    /// Compares every bucket with the sum of its operations.
    fn verify(&self) -> Result<Verification, Error>;
    /// Removes all counts and operations.
    fn clear(&self) -> Result<(), Error>;
    /// Returns the present time of the store's clock, without going back before the last instant
    /// that this process has seen.
    fn now(&self) -> i64;
    /// Accepts the present clock, although a long time has passed (see `store.clock_jump`).
    fn accept_clock(&self) -> Result<(), Error>;
}

/// The reads and writes of one transaction over the directory.
pub(crate) trait DirectoryTx {
    /// Returns the shared header, whose fields say whether the directory has changed since.
    fn board(&self) -> Arc<SharedHeader>;
    /// Returns whether a live process of another handle is committing a change of the directory.
    fn is_changing(&self) -> bool;
    /// Returns the identity of the file, because another file of the same name may hold other
    /// records at the same revision.
    fn file_identity(&self) -> (u64, u64);
    fn revision(&mut self) -> Result<u64, Error>;
    /// Returns the changes of each revision after `revision`, up to `upto`. Returns `None` if some
    /// of them are no longer stored.
    fn changes_since(
        &mut self,
        revision: u64,
        upto: u64,
    ) -> Result<Option<Vec<(u64, String)>>, Error>;
    /// Calls `each` with every record, as JSON.
    fn records(&mut self, each: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error>;
    /// Removes every record and every stored change.
    fn clear(&mut self) -> Result<(), Error>;
    /// Writes a record of this type and id as JSON, or removes it if `record` is `None`.
    fn put(&mut self, kind: &str, id: &str, record: Option<&str>) -> Result<(), Error>;
    /// Writes the revision and its changes. `None` means that everything changed.
    fn append_changes(&mut self, revision: u64, changes: Option<&str>) -> Result<(), Error>;
    /// Returns the counts in the same transaction.
    fn count_tx(&mut self) -> &mut dyn CountTx;
}

/// A directory that all processes of a machine share.
pub(crate) trait DirectoryStore {
    /// Runs one transaction, which is on the disk before the call returns. `published` is called
    /// after the commit, before others see the change.
    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<TxOutcome, Error>,
        published: &mut dyn FnMut(),
    ) -> Result<(), Error>;
    /// Runs `work` while no process changes the directory.
    fn read(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<(), Error>,
    ) -> Result<(), Error>;
    /// Returns whether the directory may have changed since the shared header had the version
    /// `known`.
    fn is_stale(&self, board: &SharedHeader, known: u64) -> bool;
}

/// The result of [`Engine::verify`](crate::Engine::verify).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// The number of buckets compared.
    pub buckets: u64,
    /// The number of operations summed.
    pub operations: u64,
    /// The disagreements. Empty if the counts are correct.
    pub faults: Vec<String>,
}
