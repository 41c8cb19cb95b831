//! A transaction over locked shards in memory.

use std::sync::Arc;

use super::account_counters::{
    ExpiryTarget, OperationExtras, StoredBucket, StoredKey, StoredOperation,
};
use super::shard::Shard;
use super::undo::UndoEntry;
use crate::model::calendar::Window;
use crate::store::{
    Bucket, BucketDelta, CachedGrant, CountOwner, CountTx, Found, GrantHit, GrantKey, KeyLookup,
    NewOperation, Operation, OwnedBucket, ReservationState,
};
use crate::util::error::Error;

/// A transaction over one or more shards.
pub(super) struct MemoryTx<'s> {
    shards: Shards<'s>,
    now: i64,
}

/// The shards that are locked for the transaction.
enum Shards<'s> {
    One(&'s mut Shard),
    /// The shards in ascending order of their numbers, and the function that finds an account's
    /// shard.
    Many(Vec<&'s mut Shard>, &'s dyn Fn(&str) -> Option<usize>),
}

impl<'s> MemoryTx<'s> {
    pub(super) fn one(shard: &'s mut Shard, now: i64) -> Self {
        Self {
            shards: Shards::One(shard),
            now,
        }
    }

    pub(super) fn many(
        shards: Vec<&'s mut Shard>,
        place: &'s dyn Fn(&str) -> Option<usize>,
        now: i64,
    ) -> Self {
        Self {
            shards: Shards::Many(shards, place),
            now,
        }
    }

    /// Returns the shard of an account.
    fn find_shard(&mut self, account: &str) -> Result<&mut Shard, Error> {
        match &mut self.shards {
            Shards::One(shard) => Ok(shard),
            Shards::Many(shards, place) => place(account)
                .and_then(|at| shards.get_mut(at))
                .map(|shard| &mut **shard)
                .ok_or_else(|| foreign_account(account)),
        }
    }

    /// Returns the shard with this number.
    fn number(&mut self, number: usize) -> Option<&mut Shard> {
        match &mut self.shards {
            Shards::One(shard) => Some(&mut **shard).filter(|shard| shard.index() == number),
            Shards::Many(shards, _) => shards
                .iter_mut()
                .find(|shard| shard.index() == number)
                .map(|shard| &mut **shard),
        }
    }
}

fn foreign_account(what: &str) -> Error {
    Error::Panic {
        reason: format!(
            "`{}` is not of this transaction",
            crate::util::text::short(what)
        ),
    }
}

impl CountTx for MemoryTx<'_> {
    fn now(&self) -> i64 {
        self.now
    }

    fn current_bucket(&mut self, owner: CountOwner<'_>, meter: &str) -> Found<Bucket> {
        let now = self.now;
        Ok(self.find_shard(owner.account)?.latest(owner, meter, now))
    }

    fn find_cached_grant(
        &mut self,
        account: &str,
        meter: &str,
        grant_key: &GrantKey,
    ) -> Option<GrantHit> {
        let now = self.now;
        self.find_shard(account)
            .ok()?
            .find_cached_grant(account, meter, grant_key, now)
    }

    fn wants_grant(&mut self, _: &str, _: &str) -> bool {
        true
    }

    fn cache_grant(
        &mut self,
        account: &str,
        meter: &str,
        (window, _): (Window, Option<u64>),
        grant: CachedGrant,
    ) {
        if let Ok(shard) = self.find_shard(account) {
            shard.cache_grant(account, meter, window, grant);
        }
    }

    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error> {
        let now = self.now;
        Ok(self
            .number(Shard::split_id(id).0)
            .and_then(|shard| shard.owned_bucket(id, now)))
    }

    fn open(
        &mut self,
        owner: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Result<Bucket, Error> {
        Ok(self
            .find_shard(owner.account)?
            .open_bucket(owner, meter, window))
    }

    fn find_key(&mut self, account: &str, key: &str) -> Result<KeyLookup, Error> {
        let now = self.now;
        Ok(self.find_shard(account)?.find_key(account, key, now))
    }

    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error> {
        let number = usize::try_from(id).unwrap_or(0) % super::SHARDS;
        Ok(self.number(number).and_then(|shard| shard.operation(id)))
    }

    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error> {
        let now = self.now;
        let shard = self.find_shard(new.account)?;
        let account = shard.account(new.account);
        let id = shard.next_id();
        for part in new.parts {
            apply(shard, part, id, &new)?;
        }
        let member = new.member.map(|member| {
            let known = shard.counts(account).and_then(|counts| {
                counts
                    .rows
                    .iter()
                    .rev()
                    .find_map(|row| row.member.clone().filter(|known| **known == *member))
            });
            known.unwrap_or_else(|| Arc::from(member))
        });
        let key = new.idempotency_key.map(|(key, _)| Arc::from(key));
        let rest = OperationExtras {
            member,
            actor: new.actor.map(Arc::from),
            parent: new.parent,
            reservation: new.expires_at.map(ReservationState::Open),
        };
        let parts = new.parts.iter().copied().collect();
        let stored = StoredOperation {
            id,
            kind: new.kind,
            account,
            at: now,
            retain_until: new.retain_until,
            parts,
            idempotency_key: key.clone(),
            rest: rest.into_box(),
        };
        if is_of_the_tail(&new) {
            shard.remember(stored);
            shard.steps.push(UndoEntry::Tail);
            return Ok(id);
        }
        if let Some((key, (_, digest))) = key.zip(new.idempotency_key) {
            let answer = (new.answer)(id);
            if let Some(counts) = shard.counts(account) {
                let stored = StoredKey {
                    digest,
                    answer: Some(answer),
                    retain_until: new.retain_until,
                };
                counts.keys.insert(Arc::clone(&key), stored);
            }
            // The key expires after its operation, whose expiry schedules that of the key.
            shard.steps.push(UndoEntry::Key(account, key));
        }
        shard.count_parts(new.parts, true);
        if let Some(counts) = shard.counts(account) {
            counts.operations.insert(id, stored);
        }
        shard.schedule_expiry(new.retain_until, account, ExpiryTarget::Operation(id));
        shard.account_by_operation.insert(id, account);
        shard.steps.push(UndoEntry::Operation(account, id));
        Ok(id)
    }

    fn consume_fast(
        &mut self,
        _: &str,
        bucket: u64,
        amount: i64,
        retain_until: i64,
    ) -> Result<u64, Error> {
        let (now, (number, account, nth)) = (self.now, Shard::split_id(bucket));
        let shard = self
            .number(number)
            .ok_or_else(|| foreign_account("bucket"))?;
        shard
            .consume_fast((account, nth), amount, now, retain_until)
            .ok_or_else(|| foreign_account("bucket"))
    }

    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error> {
        let number = usize::try_from(operation.id).unwrap_or(0) % super::SHARDS;
        let shard = self
            .number(number)
            .ok_or_else(|| foreign_account("operation"))?;
        let stored = shard
            .find_operation_mut(operation.id)
            .ok_or_else(|| foreign_account("operation"))?;
        let old = Box::new(stored.clone());
        stored.rest = OperationExtras {
            reservation: operation.reservation,
            ..stored.rest.take().map(|rest| *rest).unwrap_or_default()
        }
        .into_box();
        stored.parts = operation.parts.iter().copied().collect();
        shard.steps.push(UndoEntry::Amended(old));
        Ok(())
    }

    fn history(
        &mut self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Operation>, Error> {
        let shard = self.find_shard(account)?;
        let Some(number) = shard.find(account) else {
            return Ok(Vec::new());
        };
        let older = |stored: &&StoredOperation| before.is_none_or(|before| stored.id < before);
        let keyed = shard
            .accounts
            .get(number as usize)
            .into_iter()
            .flat_map(|counts| counts.operations.values());
        let mut found: Vec<&StoredOperation> = shard
            .tail
            .iter()
            .filter(|stored| stored.account == number)
            .chain(keyed)
            .filter(older)
            .collect();
        found.sort_unstable_by_key(|stored| std::cmp::Reverse(stored.id));
        found.truncate(most);
        Ok(found
            .into_iter()
            .map(|stored| shard.to_operation(stored))
            .collect())
    }

    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error> {
        let shard = self.find_shard(account)?;
        Ok(shard
            .find(account)
            .and_then(|number| shard.documents.get(&(number, Arc::from(name))).cloned()))
    }

    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error> {
        let shard = self.find_shard(account)?;
        let (number, name) = (shard.account(account), Arc::<str>::from(name));
        let old = shard
            .documents
            .insert((number, Arc::clone(&name)), text.to_owned());
        shard.steps.push(UndoEntry::Document(number, name, old));
        Ok(())
    }
}

/// Returns whether an operation is stored for history alone.
fn is_of_the_tail(new: &NewOperation<'_>) -> bool {
    new.idempotency_key.is_none() && new.expires_at.is_none() && new.retain_until != i64::MAX
}

/// Applies a delta to its bucket. The operation that reserves adds the reservation, and the
/// operation that follows it up removes the reservation by its id.
fn apply(
    shard: &mut Shard,
    part: &BucketDelta,
    id: u64,
    new: &NewOperation<'_>,
) -> Result<(), Error> {
    let (_, account, nth) = Shard::split_id(part.bucket);
    let counts = shard
        .counts(account)
        .ok_or_else(|| foreign_account("bucket"))?;
    let at = counts.place(nth).ok_or_else(|| foreign_account("bucket"))?;
    let row: &mut StoredBucket = counts
        .rows
        .get_mut(at)
        .ok_or_else(|| foreign_account("bucket"))?;
    let old = [row.used, row.top_up, row.removed_sums.0, row.removed_sums.1];
    let sums = row
        .used
        .checked_add(part.used)
        .zip(row.top_up.checked_add(part.top_up));
    let (used, top_up) = sums.ok_or_else(|| Error::Panic {
        reason: "a count left the range of 64 bits".to_owned(),
    })?;
    (row.used, row.top_up) = (used, top_up);
    if is_of_the_tail(new) {
        row.removed_sums = (
            row.removed_sums.0.saturating_add(part.used),
            row.removed_sums.1.saturating_add(part.top_up),
        );
    }
    let settled = new.parent.filter(|_| part.reserved < 0);
    let reservations =
        (new.expires_at.is_some() || settled.is_some()).then(|| row.reservations.clone());
    if let Some(expires_at) = new.expires_at {
        row.reservations.push((id, part.reserved, expires_at));
    }
    if let Some(settled) = settled {
        row.reservations.retain(|(known, ..)| *known != settled);
    }
    shard.steps.push(UndoEntry::Sums(account, at, old));
    shard.steps.extend(
        reservations.map(|reservations| UndoEntry::Reservations(account, at, reservations)),
    );
    Ok(())
}
