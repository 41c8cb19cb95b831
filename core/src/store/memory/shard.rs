//! The accounts of one shard: their buckets, their operations and the undo steps of a transaction.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use smallvec::{SmallVec, smallvec};

use super::SHARDS;
use super::account_counters::{
    AccountCounters, AccountName, ExpiryTarget, StoredBucket, StoredOperation, UnopenedGrant,
};
use super::undo::UndoEntry;
use crate::model::calendar::Window;
use crate::store::{
    BUCKET_REST, Bucket, BucketDelta, CachedGrant, CountOwner, GrantHit, GrantKey, OperationKind,
    OwnedBucket,
};
use crate::util::keyed_hash::KeyedHash;
use crate::util::text::same;

/// `SHARDS` as a `u64`, for ids.
const SHARDS_64: u64 = SHARDS as u64;
/// The number of operations without a key that a shard remembers.
const TAIL: usize = 256;
/// The number of buckets that one account can have: more than the windows of a hundred years.
const BUCKETS: u64 = 1 << 24;

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
    pub(super) account_by_operation: HashMap<u64, u32>,
    /// Documents by account and name.
    pub(super) documents: HashMap<(u32, Arc<str>), String>,
    /// Entries that expire, the earliest first. An entry may have been removed already.
    pub(super) passing: BinaryHeap<Reverse<(i64, u32, ExpiryTarget)>>,
    next: u64,
    pub(super) meters: Vec<Arc<str>>,
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
            account_by_operation: HashMap::new(),
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
            operations: BTreeMap::new(),
            keys: HashMap::new(),
            opened: 0,
            unopened: None,
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

    /// Returns the number of a meter, and assigns one if the meter has none.
    fn meter_number(&mut self, meter: &str) -> u32 {
        self.meter(meter).unwrap_or_else(|| {
            self.meters.push(Arc::from(meter));
            u32::try_from(self.meters.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn bucket_id(&self, account: u32, nth: usize) -> u64 {
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

    pub(super) fn index(&self) -> usize {
        self.at
    }

    /// Returns a bucket as callers see it. Expired reservations are no longer counted as held.
    pub(super) fn bucket(&mut self, account: u32, at: usize, now: i64) -> Option<Bucket> {
        let id = self.bucket_id(
            account,
            self.accounts.get(account as usize)?.rows.get(at)?.nth,
        );
        let row = self.counts(account)?.rows.get_mut(at)?;
        if !row.reservations.is_empty() {
            row.reservations
                .retain(|(_, _, expires_at)| *expires_at > now);
        }
        let reserved = row
            .reservations
            .iter()
            .fold(0_i64, |reserved, (_, amount, _)| {
                reserved.saturating_add(*amount)
            });
        Some(Bucket {
            id,
            window: row.window,
            used: row.used,
            reserved,
            top_up: row.top_up,
        })
    }

    /// Returns the bucket with the latest window.
    pub(super) fn latest(
        &mut self,
        owner: CountOwner<'_>,
        meter: &str,
        now: i64,
    ) -> Option<Bucket> {
        let account = self.find(owner.account)?;
        let meter = self.meter(meter)?;
        let at = self
            .counts(account)?
            .rows
            .iter()
            .rposition(|row| row.is(owner, meter))?;
        self.bucket(account, at, now)
    }

    /// Returns the number of the account, the place of its own bucket with the latest window, and
    /// the number of the meter.
    fn own_bucket(&self, account: &str, meter: &str) -> Option<(u32, Option<usize>, u32)> {
        let (number, meter) = (self.find(account)?, self.meter(meter)?);
        let owner = CountOwner {
            account,
            member: None,
        };
        let at = self
            .accounts
            .get(number as usize)?
            .rows
            .iter()
            .rposition(|row| row.is(owner, meter));
        Some((number, at, meter))
    }

    /// Returns the cached grant of the account's own bucket if it answers the request.
    pub(super) fn find_cached_grant(
        &mut self,
        account: &str,
        meter: &str,
        grant_key: &GrantKey,
        now: i64,
    ) -> Option<GrantHit> {
        let (number, at, meter) = self.own_bucket(account, meter)?;
        if let Some(at) = at {
            let bucket = self.bucket(number, at, now)?;
            if bucket.window.contains(now) {
                let row = self.accounts.get(number as usize)?.rows.get(at)?;
                let grant = row.cached_grant.as_ref()?;
                return grant.find(grant_key, now, bucket.window, Some(bucket));
            }
        }
        let unopened = self.accounts.get(number as usize)?.unopened.as_ref()?;
        let UnopenedGrant { window, grant, .. } = &**unopened;
        (unopened.meter == meter).then(|| grant.find(grant_key, now, *window, None))?
    }

    /// Records a consume without a key in one bucket and returns the operation's id.
    ///
    /// Returns `None` if there is no such bucket or if the sum would overflow.
    pub(super) fn consume_fast(
        &mut self,
        (account, nth): (u32, usize),
        amount: i64,
        now: i64,
        retain_until: i64,
    ) -> Option<u64> {
        let (id, bucket) = (self.next_id(), self.bucket_id(account, nth));
        let counts = self.counts(account)?;
        let at = counts.place(nth)?;
        let row = counts.rows.get_mut(at)?;
        let (used, old) = (
            row.used.checked_add(amount)?,
            [row.used, row.removed_sums.0],
        );
        (row.used, row.removed_sums.0) = (used, row.removed_sums.0.saturating_add(amount));
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
            retain_until,
            parts,
            idempotency_key: None,
            rest: None,
        });
        Some(id)
    }

    /// Caches a grant for the account's own bucket of a window.
    pub(super) fn cache_grant(
        &mut self,
        account: &str,
        meter: &str,
        window: Window,
        grant: CachedGrant,
    ) {
        let number = self.account(account);
        let meter = self.meter_number(meter);
        let owner = CountOwner {
            account,
            member: None,
        };
        let Some(counts) = self.counts(number) else {
            return;
        };
        let latest = counts.rows.iter_mut().rfind(|row| row.is(owner, meter));
        match latest.filter(|row| row.window == window) {
            Some(row) => {
                row.cached_grant = Some(grant);
                counts.unopened = None;
            }
            None => {
                counts.unopened = Some(Box::new(UnopenedGrant {
                    meter,
                    window,
                    grant,
                }));
            }
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
        owner: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Bucket {
        let number = self.account(owner.account);
        let meter = self.meter_number(meter);
        let mut nth = 0;
        if let Some(counts) = self.counts(number) {
            // The name of a member is shared with the member's earlier buckets.
            let member = owner.member.map(|member| {
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
                reservations: Vec::new(),
                removed_sums: (0, 0),
                cached_grant: None,
            });
        }
        self.steps.push(UndoEntry::Opened(number));
        self.schedule_expiry(
            window.end.saturating_add(BUCKET_REST),
            number,
            ExpiryTarget::Row(nth),
        );
        Bucket {
            id: self.bucket_id(number, nth),
            window,
            used: 0,
            reserved: 0,
            top_up: 0,
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

    /// Appends an operation to the tail. The tail never grows, because the oldest operation leaves
    /// when the transaction commits.
    pub(super) fn remember(&mut self, stored: StoredOperation) {
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(TAIL.saturating_add(1));
        }
        self.tail.push_back(stored);
    }

    /// Commits the transaction: drops its undo steps and trims the tail.
    pub(super) fn commit(&mut self) {
        self.steps.clear();
        while self.tail.len() > TAIL {
            self.tail.pop_front();
        }
    }
}
