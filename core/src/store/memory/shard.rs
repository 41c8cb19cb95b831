//! The accounts of one shard: their buckets, their operations and the undo steps of a transaction.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use smallvec::{SmallVec, smallvec};

use super::SHARDS;
use super::undo::UndoEntry;
use crate::model::calendar::Window;
use crate::model::clock::DAY;
use crate::store::{
    BUCKET_REST, Bucket, BucketDelta, CachedGrant, CountOwner, GrantHit, GrantKey, KEY_REST,
    KeyLookup, Operation, OperationKind, OwnedBucket, ReservationState, Verification,
};
use crate::util::keyed_hash::KeyedHash;
use crate::util::text::{same, same_bytes};

/// `SHARDS` as a `u64`, for ids.
const SHARDS_64: u64 = SHARDS as u64;
/// The number of operations without a key that a shard remembers.
const TAIL: usize = 256;
/// The number of expired entries that one transaction removes. It is greater than the number that a
/// transaction adds, so that removal keeps up.
const MAX_FORGOTTEN: usize = 64;
/// The number of buckets that one account can have: more than the windows of a hundred years.
const BUCKETS: u64 = 1 << 24;

/// One bucket as the shard stores it.
#[derive(Debug, Clone)]
pub(super) struct StoredBucket {
    /// The number of the bucket among all buckets that the account ever had.
    pub(super) nth: usize,
    /// The number of deltas in this bucket from stored operations outside the tail.
    pub(super) operations: u32,
    pub(super) member: Option<Arc<str>>,
    /// The index of the meter in the shard's list of meters.
    pub(super) meter: u32,
    pub(super) window: Window,
    pub(super) used: i64,
    pub(super) top_up: i64,
    /// The reservations: operation, amount and expiry of each.
    pub(super) holds: Vec<(u64, i64, i64)>,
    /// The sums of `used` and `top_up` over operations that were removed or are in the tail.
    ///
    /// Operations leave the tail at any time, and a look-up of their accounts then would cost more
    /// than the consume itself.
    pub(super) gone: (i64, i64),
    /// Cached grant for the next consume from this bucket.
    pub(super) note: Option<CachedGrant>,
}

impl StoredBucket {
    fn is(&self, whose: CountOwner<'_>, meter: u32) -> bool {
        self.meter == meter && self.member.as_deref() == whose.member
    }
}

/// An operation as the shard stores it. The type is small because most operations are written once
/// and never read.
#[derive(Debug, Clone)]
pub(super) struct StoredOperation {
    pub(super) id: u64,
    pub(super) kind: OperationKind,
    pub(super) account: u32,
    pub(super) at: i64,
    pub(super) keep: i64,
    pub(super) parts: SmallVec<[BucketDelta; 1]>,
    pub(super) rest: Option<Box<OperationExtras>>,
}

/// Rarely used fields of an operation, stored apart to keep most operations small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OperationExtras {
    pub(super) member: Option<Arc<str>>,
    pub(super) actor: Option<Arc<str>>,
    pub(super) key: Option<Arc<str>>,
    pub(super) of: Option<u64>,
    pub(super) hold: Option<ReservationState>,
}

impl OperationExtras {
    /// Boxes the fields, or returns `None` if all of them are empty.
    pub(super) fn kept(self) -> Option<Box<Self>> {
        if self == Self::default() {
            None
        } else {
            Some(Box::new(self))
        }
    }
}

/// An account's id. Short ids are stored inline beside the counts.
#[derive(Debug)]
pub(super) struct AccountName(SmallVec<[u8; 24]>);

impl AccountName {
    fn new(name: &str) -> Self {
        Self(SmallVec::from_slice(name.as_bytes()))
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    fn is(&self, name: &str) -> bool {
        same_bytes(&self.0, name.as_bytes())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// An entry that expires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExpiryTarget {
    Operation(u64),
    Key(Arc<str>),
    /// The bucket with this number.
    Row(usize),
}

/// The counts, operations and keys of one account.
#[derive(Debug)]
pub(super) struct AccountCounters {
    pub(super) name: AccountName,
    /// The buckets. Most accounts have one.
    pub(super) rows: SmallVec<[StoredBucket; 1]>,
    /// The operations with keys and the reservations.
    pub(super) kept: BTreeMap<u64, StoredOperation>,
    /// For each key: the digest of the request, the answer and the expiry. A removed answer is
    /// empty.
    pub(super) keys: HashMap<Arc<str>, ([u8; 32], Vec<u8>, i64)>,
    /// The number of buckets that the account ever had.
    pub(super) opened: usize,
}

impl AccountCounters {
    /// Returns the index of the bucket with this number.
    #[inline]
    pub(super) fn place(&self, nth: usize) -> Option<usize> {
        match self.rows.get(nth) {
            Some(row) if row.nth == nth => Some(nth),
            _ => self.rows.binary_search_by_key(&nth, |row| row.nth).ok(),
        }
    }
}

/// The accounts of one shard.
#[derive(Debug)]
pub(super) struct Shard {
    at: usize,
    /// Numbers of accounts by their ids.
    names: HashTable<u32>,
    hasher: KeyedHash,
    pub(super) accounts: Vec<AccountCounters>,
    /// Operations without a key, the newest last.
    pub(super) tail: VecDeque<StoredOperation>,
    /// The account of every stored operation that is not in the tail.
    pub(super) whose: HashMap<u64, u32>,
    /// Documents by account and name.
    pub(super) documents: HashMap<(u32, Arc<str>), String>,
    /// Entries that expire, the earliest first. An entry may have been removed already.
    passing: BinaryHeap<Reverse<(i64, u32, ExpiryTarget)>>,
    next: u64,
    meters: Vec<Arc<str>>,
    pub(super) steps: Vec<UndoEntry>,
}

impl Shard {
    pub(super) fn new(at: usize, hasher: KeyedHash) -> Self {
        Self {
            at,
            names: HashTable::new(),
            hasher,
            accounts: Vec::new(),
            tail: VecDeque::new(),
            whose: HashMap::new(),
            documents: HashMap::new(),
            passing: BinaryHeap::new(),
            next: 1,
            meters: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn find(&self, account: &str) -> Option<u32> {
        let is = |number: &u32| {
            self.accounts
                .get(*number as usize)
                .is_some_and(|counts| counts.name.is(account))
        };
        self.names
            .find(self.hasher.hash(account.as_bytes()), is)
            .copied()
    }

    /// Returns the number of the account, and assigns one if the account has none.
    pub(super) fn account(&mut self, account: &str) -> u32 {
        if let Some(known) = self.find(account) {
            return known;
        }
        let number = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX);
        let hash = |number: &u32| {
            self.accounts
                .get(*number as usize)
                .map_or(0, |counts| self.hasher.hash(counts.name.bytes()))
        };
        self.names
            .insert_unique(self.hasher.hash(account.as_bytes()), number, hash);
        self.accounts.push(AccountCounters {
            name: AccountName::new(account),
            rows: SmallVec::new(),
            kept: BTreeMap::new(),
            keys: HashMap::new(),
            opened: 0,
        });
        number
    }

    pub(super) fn counts(&mut self, account: u32) -> Option<&mut AccountCounters> {
        self.accounts.get_mut(account as usize)
    }

    /// Returns the number of a meter that has been counted in this shard.
    fn meter(&self, meter: &str) -> Option<u32> {
        self.meters
            .iter()
            .position(|known| same(known, meter))
            .and_then(|at| u32::try_from(at).ok())
    }

    fn bucket_id(&self, account: u32, nth: usize) -> u64 {
        let number = u64::from(account)
            .wrapping_mul(SHARDS_64)
            .wrapping_add(self.at as u64);
        number.wrapping_mul(BUCKETS).wrapping_add(nth as u64)
    }

    /// Returns the shard, the account and the number of the bucket in the account from a bucket's
    /// id.
    pub(super) fn split_id(id: u64) -> (usize, u32, usize) {
        let (number, row) = (id / BUCKETS, id % BUCKETS);
        (
            usize::try_from(number % SHARDS_64).unwrap_or(0),
            u32::try_from(number / SHARDS_64).unwrap_or(u32::MAX),
            usize::try_from(row).unwrap_or(usize::MAX),
        )
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns a bucket as callers see it. Expired reservations are no longer counted as held.
    pub(super) fn bucket(&mut self, account: u32, at: usize, now: i64) -> Option<Bucket> {
        let id = self.bucket_id(
            account,
            self.accounts.get(account as usize)?.rows.get(at)?.nth,
        );
        let row = self.counts(account)?.rows.get_mut(at)?;
        if !row.holds.is_empty() {
            row.holds.retain(|(_, _, until)| *until > now);
        }
        let held = row
            .holds
            .iter()
            .fold(0_i64, |held, (_, amount, _)| held.saturating_add(*amount));
        Some(Bucket {
            id,
            window: row.window,
            used: row.used,
            held,
            top_up: row.top_up,
        })
    }

    /// Returns the bucket with the latest window.
    pub(super) fn latest(
        &mut self,
        whose: CountOwner<'_>,
        meter: &str,
        now: i64,
    ) -> Option<Bucket> {
        let account = self.find(whose.account)?;
        let meter = self.meter(meter)?;
        let at = self
            .counts(account)?
            .rows
            .iter()
            .rposition(|row| row.is(whose, meter))?;
        self.bucket(account, at, now)
    }

    /// Finds the account's own bucket with the latest window.
    fn own_bucket(&self, account: &str, meter: &str) -> Option<(u32, usize)> {
        let (number, meter) = (self.find(account)?, self.meter(meter)?);
        let whose = CountOwner {
            account,
            member: None,
        };
        let at = self
            .accounts
            .get(number as usize)?
            .rows
            .iter()
            .rposition(|row| row.is(whose, meter))?;
        Some((number, at))
    }

    /// Returns the account's own bucket if its cached grant answers the request.
    pub(super) fn noted(
        &mut self,
        account: &str,
        meter: &str,
        asked: &GrantKey,
        now: i64,
    ) -> Option<GrantHit> {
        let (number, at) = self.own_bucket(account, meter)?;
        let bucket = self.bucket(number, at, now)?;
        let note = self
            .accounts
            .get(number as usize)?
            .rows
            .get(at)?
            .note
            .as_ref()?;
        if note.answers(asked, &bucket) && bucket.window.contains(now) {
            Some(GrantHit {
                bucket,
                answer: note.answer,
                allowance: note.allowance,
            })
        } else {
            None
        }
    }

    /// Records a consume without a key in one bucket and returns the operation's id.
    ///
    /// Returns `None` if there is no such bucket or if the sum would overflow.
    pub(super) fn spend(
        &mut self,
        (account, nth): (u32, usize),
        amount: i64,
        now: i64,
        keep: i64,
    ) -> Option<u64> {
        let (id, bucket) = (self.next_id(), self.bucket_id(account, nth));
        let counts = self.counts(account)?;
        let at = counts.place(nth)?;
        let row = counts.rows.get_mut(at)?;
        let (used, old) = (row.used.checked_add(amount)?, [row.used, row.gone.0]);
        (row.used, row.gone.0) = (used, row.gone.0.saturating_add(amount));
        self.steps.push(UndoEntry::Spent(account, at, old));
        let parts = smallvec![BucketDelta {
            used: amount,
            ..BucketDelta::for_bucket(bucket)
        }];
        let kind = OperationKind::Consume;
        self.remember(StoredOperation {
            id,
            kind,
            account,
            at: now,
            keep,
            parts,
            rest: None,
        });
        Some(id)
    }

    pub(super) fn note(&mut self, account: &str, meter: &str, note: CachedGrant) {
        let own = self.own_bucket(account, meter);
        if let Some(row) = own.and_then(|(number, at)| self.counts(number)?.rows.get_mut(at)) {
            row.note = Some(note);
        }
    }

    pub(super) fn owned_bucket(&mut self, id: u64, now: i64) -> Option<OwnedBucket> {
        let (_, account, nth) = Self::split_id(id);
        let at = self.accounts.get(account as usize)?.place(nth)?;
        let bucket = self.bucket(account, at, now)?;
        let counts = self.accounts.get(account as usize)?;
        let row = counts.rows.get(at)?;
        let (member, meter) = (
            row.member.as_deref().map(str::to_owned),
            self.meters.get(row.meter as usize)?.to_string(),
        );
        Some(OwnedBucket {
            account: counts.name.to_string(),
            member,
            meter,
            bucket,
        })
    }

    pub(super) fn open_bucket(
        &mut self,
        whose: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Bucket {
        let number = self.account(whose.account);
        let meter = self.meter(meter).unwrap_or_else(|| {
            self.meters.push(Arc::from(meter));
            u32::try_from(self.meters.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let mut nth = 0;
        if let Some(counts) = self.counts(number) {
            // The name of a member is shared with the member's earlier buckets.
            let member = whose.member.map(|member| {
                let known = counts
                    .rows
                    .iter()
                    .find_map(|row| row.member.as_ref().filter(|known| ***known == *member));
                known.map_or_else(|| Arc::from(member), Arc::clone)
            });
            nth = counts.opened;
            counts.opened = nth.saturating_add(1);
            counts.rows.push(StoredBucket {
                nth,
                operations: 0,
                member,
                meter,
                window,
                used: 0,
                top_up: 0,
                holds: Vec::new(),
                gone: (0, 0),
                note: None,
            });
        }
        self.steps.push(UndoEntry::Opened(number));
        self.passes(
            window.end.saturating_add(BUCKET_REST),
            number,
            ExpiryTarget::Row(nth),
        );
        Bucket {
            id: self.bucket_id(number, nth),
            window,
            used: 0,
            held: 0,
            top_up: 0,
        }
    }

    pub(super) fn seen(&mut self, account: &str, key: &str, now: i64) -> KeyLookup {
        let Some(counts) = self.find(account).and_then(|number| self.counts(number)) else {
            return KeyLookup::Unknown;
        };
        match counts.keys.get(key) {
            None => KeyLookup::Unknown,
            Some((_, _, keep)) if keep.saturating_add(KEY_REST) <= now => KeyLookup::Unknown,
            Some((_, _, keep)) if *keep <= now => KeyLookup::Expired,
            Some((_, answer, _)) if answer.is_empty() => KeyLookup::Expired,
            Some((asked, answer, _)) => KeyLookup::Answered(*asked, answer.clone()),
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        let id = self
            .next
            .wrapping_mul(SHARDS_64)
            .wrapping_add(self.at as u64);
        self.next = self.next.wrapping_add(1);
        id
    }

    pub(super) fn kept(&self, id: u64) -> Option<&StoredOperation> {
        if let Ok(at) = self.tail.binary_search_by_key(&id, |kept| kept.id) {
            return self.tail.get(at);
        }
        let account = self.whose.get(&id)?;
        self.accounts.get(*account as usize)?.kept.get(&id)
    }

    pub(super) fn kept_mut(&mut self, id: u64) -> Option<&mut StoredOperation> {
        if let Ok(at) = self.tail.binary_search_by_key(&id, |kept| kept.id) {
            return self.tail.get_mut(at);
        }
        let account = self.whose.get(&id)?;
        self.accounts.get_mut(*account as usize)?.kept.get_mut(&id)
    }

    pub(super) fn operation(&self, id: u64) -> Option<Operation> {
        self.kept(id).map(|kept| self.to_operation(kept))
    }

    pub(super) fn to_operation(&self, kept: &StoredOperation) -> Operation {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let (nothing, rest) = (OperationExtras::default(), kept.rest.as_deref());
        let rest = rest.unwrap_or(&nothing);
        Operation {
            id: kept.id,
            kind: kept.kind,
            account: self
                .accounts
                .get(kept.account as usize)
                .map(|counts| counts.name.to_string())
                .unwrap_or_default(),
            member: text(&rest.member),
            actor: text(&rest.actor),
            key: text(&rest.key),
            at: kept.at,
            of: rest.of,
            hold: rest.hold,
            parts: kept.parts.to_vec(),
        }
    }

    /// Appends an operation to the tail. The tail never grows, because the oldest operation leaves
    /// when the transaction commits.
    pub(super) fn remember(&mut self, kept: StoredOperation) {
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(TAIL.saturating_add(1));
        }
        self.tail.push_back(kept);
    }

    /// Commits the transaction: drops its undo steps and trims the tail.
    pub(super) fn commit(&mut self) {
        self.steps.clear();
        while self.tail.len() > TAIL {
            self.tail.pop_front();
        }
    }

    /// Schedules an entry for removal at an instant. [`i64::MAX`] means never.
    pub(super) fn passes(&mut self, at: i64, account: u32, what: ExpiryTarget) {
        if at != i64::MAX {
            self.passing.push(Reverse((at, account, what)));
        }
    }

    /// Adds a stored operation to the operation counts of its buckets, or removes the operation
    /// from them.
    pub(super) fn count_parts(&mut self, parts: &[BucketDelta], kept: bool) {
        for part in parts {
            let (_, account, nth) = Self::split_id(part.bucket);
            if let Some(row) = self
                .counts(account)
                .and_then(|counts| counts.place(nth).and_then(|at| counts.rows.get_mut(at)))
            {
                row.operations = if kept {
                    row.operations.saturating_add(1)
                } else {
                    row.operations.saturating_sub(1)
                };
            }
        }
    }

    /// Removes some expired entries. The shard calls it between transactions, so that no
    /// transaction has seen a removed entry.
    #[inline]
    pub(super) fn forget(&mut self, now: i64) {
        if self
            .passing
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= now)
        {
            self.forget_some(now);
        }
    }

    #[cold]
    fn forget_some(&mut self, now: i64) {
        for _ in 0..MAX_FORGOTTEN {
            if self
                .passing
                .peek()
                .is_none_or(|Reverse((at, ..))| *at > now)
            {
                return;
            }
            let Some(Reverse((_, account, what))) = self.passing.pop() else {
                return;
            };
            match what {
                ExpiryTarget::Operation(id) => self.forget_operation(account, id, now),
                ExpiryTarget::Key(key) => {
                    if let Some(counts) = self.counts(account)
                        && counts
                            .keys
                            .get(&key)
                            .is_some_and(|(_, _, keep)| keep.saturating_add(KEY_REST) <= now)
                    {
                        counts.keys.remove(&key);
                    }
                }
                ExpiryTarget::Row(nth) => self.forget_row(account, nth, now),
            }
        }
    }

    /// Removes an expired operation. Its amounts move to the sums of removed operations, and its
    /// key loses the answer.
    fn forget_operation(&mut self, account: u32, id: u64, now: i64) {
        let Some(counts) = self.counts(account) else {
            return;
        };
        if counts.kept.get(&id).is_none_or(|kept| kept.keep > now) {
            return;
        }
        let Some(kept) = counts.kept.remove(&id) else {
            return;
        };
        let key = kept.rest.as_deref().and_then(|rest| rest.key.as_ref());
        if let Some((_, answer, _)) = key
            .and_then(|key| counts.keys.get_mut(key))
            .filter(|(_, _, keep)| *keep <= now)
        {
            *answer = Vec::new();
        }
        self.whose.remove(&id);
        for part in &kept.parts {
            let (_, account, nth) = Self::split_id(part.bucket);
            if let Some(row) = self
                .counts(account)
                .and_then(|counts| counts.place(nth).and_then(|at| counts.rows.get_mut(at)))
            {
                row.gone = (
                    row.gone.0.saturating_add(part.used),
                    row.gone.1.saturating_add(part.top_up),
                );
            }
        }
        self.count_parts(&kept.parts, false);
    }

    /// Removes a bucket whose retention is over, unless stored operations still refer to it.
    fn forget_row(&mut self, account: u32, nth: usize, now: i64) {
        let Some(counts) = self.counts(account) else {
            return;
        };
        let Some(at) = counts.place(nth) else { return };
        let Some(row) = counts
            .rows
            .get(at)
            .filter(|row| row.window.end.saturating_add(BUCKET_REST) <= now)
        else {
            return;
        };
        if row.operations > 0 {
            return self.passes(now.saturating_add(DAY), account, ExpiryTarget::Row(nth));
        }
        counts.rows.remove(at);
    }

    pub(super) fn verify(&self, found: &mut Verification) {
        let mut sums: HashMap<u64, (i64, i64)> = HashMap::new();
        found.operations = found.operations.saturating_add(self.tail.len() as u64);
        for kept in self.accounts.iter().flat_map(|counts| counts.kept.values()) {
            found.operations = found.operations.saturating_add(1);
            for part in &kept.parts {
                let sum = sums.entry(part.bucket).or_default();
                *sum = (
                    sum.0.saturating_add(part.used),
                    sum.1.saturating_add(part.top_up),
                );
            }
        }
        for (account, counts) in (0..).zip(&self.accounts) {
            for row in &counts.rows {
                found.buckets = found.buckets.saturating_add(1);
                let (used, top_up) = sums
                    .get(&self.bucket_id(account, row.nth))
                    .copied()
                    .unwrap_or_default();
                let (used, top_up) = (
                    used.saturating_add(row.gone.0),
                    top_up.saturating_add(row.gone.1),
                );
                if (used, top_up) != (row.used, row.top_up) {
                    let whose = row
                        .member
                        .as_deref()
                        .map(|member| format!(" of member `{member}`"))
                        .unwrap_or_default();
                    found.faults.push(format!(
                        "`{}`{whose}, meter `{}`: {} used and {} topped up, where the operations sum to {used} and {top_up}",
                        counts.name,
                        self.meters.get(row.meter as usize).map_or("", |meter| meter),
                        row.used,
                        row.top_up
                    ));
                }
            }
        }
    }
}
