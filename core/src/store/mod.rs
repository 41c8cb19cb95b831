//! Where counts are kept: one trait, and one suite that each store passes.
//!
//! A transaction is one instant and one view; what it writes is written whole or not at all, and
//! nothing comes between what it read and what it writes.

mod cached_grant;
mod memory;
mod sqlite;

use std::sync::Arc;

pub(crate) use self::cached_grant::{CachedGrant, GrantHit, GrantKey};
pub(crate) use self::memory::Memory;
pub(crate) use self::sqlite::{HeaderField, SharedHeader, Sqlite};
pub use self::sqlite::{InspectedCount, Inspection, accept_clock, inspect_store, verify_store};
use crate::model::calendar::Window;
use crate::model::clock::DAY;
use crate::util::error::Error;

/// For how long a key is remembered that has lost its answer: 35 days. Then it is as one that was
/// never used.
const KEY_REST: i64 = 35 * DAY;
/// For how long a bucket stays after its window: 35 days.
const BUCKET_REST: i64 = 35 * DAY;

/// Whose count: an account's, or that of one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CountOwner<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
}

/// A count of one meter in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) id: u64,
    pub(crate) window: Window,
    pub(crate) used: i64,
    /// Reserved by what has neither been committed nor released, nor has expired.
    pub(crate) held: i64,
    /// What was added to the limit for this window.
    pub(crate) top_up: i64,
}

/// Whose count of what a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedBucket {
    pub(crate) account: String,
    pub(crate) member: Option<String>,
    pub(crate) meter: String,
    pub(crate) bucket: Bucket,
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Took from a limit.
    Consume,
    /// Gave back what a stock keeps.
    Free,
    /// Set a stock to what there is.
    Set,
    /// Held a part of a limit.
    Reserve,
    /// Took what was held, or less.
    Commit,
    /// Gave back what was held.
    Release,
    /// Gave back what an operation took.
    Refund,
    /// Added to a limit for its window.
    TopUp,
    /// Counted what was used before Sublet counted.
    CarryOver,
    /// Changed the directory; counted nothing.
    Command,
    /// Received cents for a month (B4).
    Payment,
    /// Took a payment back.
    Reversal,
    /// Took a top-up back (B14).
    RevokeTopUp,
}

impl OperationKind {
    /// The name in every language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Free => "free",
            Self::Set => "set",
            Self::Reserve => "reserve",
            Self::Commit => "commit",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::TopUp => "top_up",
            Self::CarryOver => "carry_over",
            Self::Command => "command",
            Self::Payment => "payment",
            Self::Reversal => "reversal",
            Self::RevokeTopUp => "revoke_top_up",
        }
    }
}

/// What an operation changed in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketDelta {
    pub(crate) bucket: u64,
    pub(crate) used: i64,
    pub(crate) held: i64,
    pub(crate) top_up: i64,
    /// How much of it was given back since.
    pub(crate) back: i64,
}

impl BucketDelta {
    pub(crate) fn parent(bucket: u64) -> Self {
        Self {
            bucket,
            used: 0,
            held: 0,
            top_up: 0,
            back: 0,
        }
    }
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationState {
    /// It holds until that instant.
    Until(i64),
    /// By the operation of that id.
    Committed(u64),
    Released(u64),
}

/// An operation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) id: u64,
    pub(crate) kind: OperationKind,
    pub(crate) account: String,
    /// The member who did it, if it was one.
    pub(crate) member: Option<String>,
    /// Who acted as the account, if somebody did.
    pub(crate) actor: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) at: i64,
    /// The operation that it settles or gives back.
    pub(crate) of: Option<u64>,
    pub(crate) hold: Option<ReservationState>,
    pub(crate) parts: Vec<BucketDelta>,
}

/// An operation to be recorded.
pub(crate) struct NewOperation<'a> {
    pub(crate) kind: OperationKind,
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    /// The caller's key, and what was asked with it.
    pub(crate) key: Option<(&'a str, [u8; 32])>,
    pub(crate) of: Option<u64>,
    /// When what it reserves expires.
    pub(crate) until: Option<i64>,
    /// Until when it, and its key, are kept: [`i64::MAX`] for good.
    pub(crate) keep: i64,
    pub(crate) parts: &'a [BucketDelta],
    /// The answer as it is to be given again, by the operation's id; asked for only where there is
    /// a key.
    pub(crate) answer: &'a mut dyn FnMut(u64) -> Vec<u8>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyLookup {
    Unknown,
    /// With what was asked, and the answer.
    Answered([u8; 32], Vec<u8>),
    /// Its time is over, and its answer gone.
    Expired,
}

/// Whether what a transaction did is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxOutcome {
    Commit,
    Rollback,
}

/// What can be read and done inside one transaction.
pub(crate) trait CountTx {
    /// The transaction's instant: never before that of an earlier one.
    fn now(&self) -> i64;
    /// The bucket whose window is the last.
    fn current_bucket(
        &mut self,
        whose: CountOwner<'_>,
        meter: &str,
    ) -> Result<Option<Bucket>, Error>;
    /// The account's own bucket of this instant, where a note answers what is asked of it.
    fn find_cached_grant(
        &mut self,
        _account: &str,
        _meter: &str,
        _asked: &GrantKey,
    ) -> Option<GrantHit> {
        None
    }
    /// Notes something of the account's own bucket whose window is the last. It may be forgotten at
    /// any time.
    fn cache_grant(&mut self, _account: &str, _meter: &str, _note: CachedGrant) {}
    /// A bucket by its id.
    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error>;
    /// A new bucket, later than the last.
    fn open(&mut self, whose: CountOwner<'_>, meter: &str, window: Window)
    -> Result<Bucket, Error>;
    fn find_key(&mut self, account: &str, key: &str) -> Result<KeyLookup, Error>;
    /// An operation that is still kept.
    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error>;
    /// Keeps an operation and does to the buckets what its parts say; gives its id.
    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error>;
    /// [`CountTx::append`] of a consume without a key that takes so much from an account's own
    /// bucket.
    fn consume_fast(
        &mut self,
        account: &str,
        bucket: u64,
        amount: i64,
        keep: i64,
    ) -> Result<u64, Error> {
        let parts = &[BucketDelta {
            used: amount,
            ..BucketDelta::parent(bucket)
        }];
        let kind = OperationKind::Consume;
        self.append(NewOperation {
            kind,
            account,
            member: None,
            actor: None,
            key: None,
            of: None,
            until: None,
            keep,
            parts,
            answer: &mut |_| Vec::new(),
        })
    }
    /// Writes an operation's `hold` and what of its parts was given back.
    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error>;
    /// The last operations of an account, the newest first, older than `before` where it is given.
    fn history(
        &mut self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Operation>, Error>;
    /// What is written down of an account under that name.
    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error>;
    /// Writes it down, in place of what was there.
    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error>;
}

/// The body of a transaction as a store runs it: perhaps more than once, so only [`transaction`]
/// and [`view`] make one.
pub(crate) type TxBody<'w> = &'w mut dyn FnMut(&mut dyn CountTx) -> Result<TxOutcome, Error>;

/// Runs one transaction about these accounts and returns the value of its body.
///
/// A store may run the body again: a group commit that is rolled back repeats the bodies of its
/// members. So the body is a [`Fn`] that returns its value, and cannot leave the value of an
/// earlier run in a variable outside.
pub(crate) fn transaction<T>(
    store: &dyn Store,
    accounts: &[&str],
    durability: Durability,
    body: impl Fn(&mut dyn CountTx) -> Result<(T, TxOutcome), Error>,
) -> Result<T, Error> {
    let mut last = None;
    store.write(accounts, durability, &mut |ledger| {
        last = None;
        let (value, keep) = body(ledger)?;
        last = Some(value);
        Ok(keep)
    })?;
    last.ok_or_else(unanswered)
}

/// Runs `body` on one view of an account and returns its value. Nothing that it writes is kept; a
/// store may run it twice.
pub(crate) fn view<T>(
    store: &dyn Store,
    account: &str,
    body: impl Fn(&mut dyn CountTx) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut last = None;
    store.read(account, &mut |ledger| {
        last = None;
        last = Some(body(ledger)?);
        Ok(TxOutcome::Rollback)
    })?;
    last.ok_or_else(unanswered)
}

/// Runs one transaction over the directory and the counts, and returns the value of its body.
/// `published` receives that value once the transaction is committed, before any other thread or
/// process can see it.
pub(crate) fn change_directory<T>(
    kept: &dyn DirectoryStore,
    body: impl Fn(&mut dyn DirectoryTx) -> Result<(T, TxOutcome), Error>,
    published: impl Fn(&T),
) -> Result<T, Error> {
    let last = std::cell::RefCell::new(None);
    let run = &mut |pages: &mut dyn DirectoryTx| {
        last.replace(None);
        let (value, keep) = body(pages)?;
        last.replace(Some(value));
        Ok(keep)
    };
    kept.write(run, &mut || {
        if let Some(value) = &*last.borrow() {
            published(value);
        }
    })?;
    last.into_inner().ok_or_else(unanswered)
}

/// Reads the directory in one view and returns the value of `body`, which may be run twice.
pub(crate) fn view_directory<T>(
    kept: &dyn DirectoryStore,
    body: impl Fn(&mut dyn DirectoryTx) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut last = None;
    kept.read(&mut |pages| {
        last = None;
        last = Some(body(pages)?);
        Ok(())
    })?;
    last.ok_or_else(unanswered)
}

/// A store that reports success without having run the body: a fault of the store.
fn unanswered() -> Error {
    Error::Panic {
        reason: "the store ended a transaction without running it".to_owned(),
    }
}

/// What an acknowledged transaction outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The process, however it ends.
    Process,
    /// The machine's power.
    Power,
}

/// A place where counts are kept.
pub(crate) trait Store: std::fmt::Debug + Send + Sync {
    /// As it is named in errors.
    fn name(&self) -> &str;
    /// Whether its verbs may wait for a file.
    fn touches_files(&self) -> bool {
        false
    }
    /// Whether it keeps notes ([`CountTx::cache_grant`]): to look for some where there are none
    /// would cost a transaction.
    fn caches_grants(&self) -> bool {
        false
    }
    /// How long a call waits for a lock that somebody else holds.
    fn lock_timeout(&self) -> std::time::Duration {
        crate::util::wait::DEFAULT_LOCK_TIMEOUT
    }
    /// Where the directory is kept, if it is kept.
    fn directory(&self) -> Option<&dyn DirectoryStore> {
        None
    }
    /// One transaction about these accounts.
    fn write(
        &self,
        accounts: &[&str],
        durability: Durability,
        work: TxBody<'_>,
    ) -> Result<(), Error>;
    /// One view of an account; what is written in it is dropped.
    fn read(&self, account: &str, work: TxBody<'_>) -> Result<(), Error>;
    /// The account of an operation that is still kept.
    fn account_of(&self, operation: u64) -> Result<Option<String>, Error>;
    /// Compares every bucket with the sum of its operations.
    fn verify(&self) -> Result<Verification, Error>;
    /// Forgets everything.
    fn clear(&self) -> Result<(), Error>;
    /// Takes the clock's word for it that so much time has passed (see `store.clock_jump`).
    fn accept_clock(&self) -> Result<(), Error>;
}

/// What can be read and done to a directory inside one transaction.
pub(crate) trait DirectoryTx {
    /// The words that say whether it has changed since.
    fn board(&self) -> Arc<SharedHeader>;
    /// Whether a living process of another handle is committing a change of the directory.
    fn is_changing(&self) -> bool;
    /// Which file it is: another one of the same name may hold something else at the same revision.
    fn file_identity(&self) -> (u64, u64);
    fn revision(&mut self) -> Result<u64, Error>;
    /// The changes of each revision after this one, up to that one; nothing if some are no longer
    /// kept.
    fn changes_since(
        &mut self,
        revision: u64,
        upto: u64,
    ) -> Result<Option<Vec<(u64, String)>>, Error>;
    /// Every record, as JSON.
    fn records(&mut self, each: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error>;
    /// Removes every record, and the changes that led to them.
    fn clear(&mut self) -> Result<(), Error>;
    /// Writes a record, of that type and id, as JSON; removes it where there is none.
    fn put(&mut self, kind: &str, id: &str, record: Option<&str>) -> Result<(), Error>;
    /// Writes the revision, and what it changed unless everything.
    fn cache_grant(&mut self, revision: u64, changes: Option<&str>) -> Result<(), Error>;
    /// The counts, in the same transaction.
    fn ledger(&mut self) -> &mut dyn CountTx;
}

/// A directory that all processes of a machine share.
pub(crate) trait DirectoryStore {
    /// One transaction, on the disk before it is answered. `published` is called once it is
    /// committed, before others see it.
    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<TxOutcome, Error>,
        published: &mut dyn FnMut(),
    ) -> Result<(), Error>;
    /// Reads with nobody changing it.
    fn read(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<(), Error>,
    ) -> Result<(), Error>;
    /// Whether the directory may have changed since the board said this.
    fn is_stale(&self, board: &SharedHeader, known: u64) -> bool;
}

/// What [`Engine::verify`](crate::Engine::verify) found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// How many counts were compared.
    pub buckets: u64,
    /// With how many operations.
    pub operations: u64,
    /// What does not agree; empty when all is well.
    pub faults: Vec<String>,
}
