//! The removal of expired operations, keys and buckets from a shard.

use std::cmp::Reverse;
use std::sync::Arc;

use super::account_counters::ExpiryTarget;
use super::shard::Shard;
use crate::model::clock::DAY;
use crate::store::{BUCKET_REST, BucketDelta, KEY_REST};

/// The number of expired entries that one transaction removes. It is greater than the number that a
/// transaction adds, so that removal keeps up.
const MAX_FORGOTTEN: usize = 64;

impl Shard {
    /// Schedules an entry for removal at an instant. [`i64::MAX`] means never.
    pub(super) fn schedule_expiry(&mut self, at: i64, account: u32, what: ExpiryTarget) {
        if at != i64::MAX {
            self.passing.push(Reverse((at, account, what)));
        }
    }

    /// Adds a stored operation to the operation counts of its buckets, or removes the operation
    /// from them.
    pub(super) fn count_parts(&mut self, parts: &[BucketDelta], stored: bool) {
        for part in parts {
            let (_, account, nth) = Self::split_id(part.bucket);
            if let Some(row) = self
                .counts(account)
                .and_then(|counts| counts.place(nth).and_then(|at| counts.rows.get_mut(at)))
            {
                row.operations = if stored {
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
                            .is_some_and(|known| known.retain_until.saturating_add(KEY_REST) <= now)
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
        if counts
            .operations
            .get(&id)
            .is_none_or(|stored| stored.retain_until > now)
        {
            return;
        }
        let Some(stored) = counts.operations.remove(&id) else {
            return;
        };
        let mut passing_key = None;
        if let Some(key) = &stored.idempotency_key
            && let Some(known) = counts.keys.get_mut(key)
            && known.retain_until <= now
        {
            known.answer = None;
            passing_key = Some((known.retain_until, Arc::clone(key)));
        }
        self.account_by_operation.remove(&id);
        for part in &stored.parts {
            let (_, account, nth) = Self::split_id(part.bucket);
            if let Some(row) = self
                .counts(account)
                .and_then(|counts| counts.place(nth).and_then(|at| counts.rows.get_mut(at)))
            {
                row.removed_sums = (
                    row.removed_sums.0.saturating_add(part.used),
                    row.removed_sums.1.saturating_add(part.top_up),
                );
            }
        }
        self.count_parts(&stored.parts, false);
        if let Some((until, key)) = passing_key {
            let at = until.saturating_add(KEY_REST);
            self.schedule_expiry(at, account, ExpiryTarget::Key(key));
        }
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
            return self.schedule_expiry(now.saturating_add(DAY), account, ExpiryTarget::Row(nth));
        }
        counts.rows.remove(at);
    }
}
