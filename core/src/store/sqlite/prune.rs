//! Pruning: each transaction removes a few expired rows.
//!
//! Operations are pruned in order of their ids, [`PRUNE_AGE`] after they were recorded. By then
//! almost all of them have expired. Their amounts stay in their bucket. The bucket is removed with
//! the last of its operations, once its retention is over. Keys outlive their operations by
//! [`KEY_REST`](crate::store::KEY_REST). A clock hand moves round the table of keys, so that pages
//! are written one after the other.

use rusqlite::params;
use smallvec::SmallVec;

use super::meta;
use super::row_codec::{BucketRow, OperationRow, operation_columns, row};
use super::transaction::SqliteTx;
use crate::model::clock::DAY;
use crate::store::{BUCKET_REST, BucketDelta};
use crate::util::error::Error;

/// The age at which an operation is pruned: 67 days. By then a month and 35 days have passed.
/// `schema.sql` and `outlives_pruning!` state the same number.
pub(super) const PRUNE_AGE: i64 = 67 * DAY;
/// The number of old operations that one new operation visits. It is greater than one, so that
/// pruning keeps up.
const MAX_OPERATIONS: i64 = 32;
/// The number of new keys before the hand moves, and the number of keys that it passes then.
const KEYS_BETWEEN: u32 = 32;
const MAX_KEYS: i64 = 128;
/// How long an expired operation may stay, so that operations are pruned in groups.
const SLACK: i64 = DAY / 24;

/// The progress of pruning.
#[derive(Debug)]
pub(super) struct Prune {
    /// The next operation to visit.
    next: i64,
    /// The instant before which there is nothing to prune.
    not_before: i64,
    /// The instant at which pruning starts again from the first operation. The restart reaches
    /// operations that were retained, or were restored by a rollback.
    again: i64,
    keys: KeyHand,
}

/// The hand that goes round the keys.
#[derive(Debug)]
struct KeyHand {
    /// The account and the key that the hand passed last.
    passed: (String, String),
    /// The number of keys added since the hand moved.
    new: u32,
    not_before: i64,
    /// The earliest expiry of the keys that the hand has passed.
    soonest: i64,
}

impl Default for Prune {
    fn default() -> Self {
        let keys = KeyHand {
            passed: (String::new(), String::new()),
            new: 0,
            not_before: i64::MIN,
            soonest: i64::MAX,
        };
        Self {
            next: 0,
            not_before: i64::MIN,
            again: i64::MIN,
            keys,
        }
    }
}

/// An operation that pruning visits.
struct PrunedOperation {
    id: i64,
    at: i64,
    retain_until: i64,
    /// `None` if the row does not agree with its checksum. The row stays, and `verify` reports it.
    parts: Option<SmallVec<[BucketDelta; 1]>>,
}

impl SqliteTx<'_> {
    /// Prunes expired operations.
    pub(super) fn prune_operations(&mut self) -> Result<(), Error> {
        if self.now < self.prune.not_before {
            return Ok(());
        }
        if self.now >= self.prune.again {
            (self.prune.next, self.prune.again) = (0, self.now.saturating_add(7 * DAY));
        }
        // The last operation stays, so that its id is never assigned again.
        let sql = concat!(
            "SELECT ",
            operation_columns!(),
            " FROM operations o WHERE o.id >= ?1 AND o.id < (SELECT max(id) FROM operations) ORDER BY o.id LIMIT ?2"
        );
        let visited = params![self.prune.next, MAX_OPERATIONS];
        let rows: Vec<_> = self.query_all(sql, visited, |row| {
            let parts = OperationRow::read(self.checksum_key, row, 0)
                .ok()
                .map(|operation| operation.parts().collect());
            Ok(PrunedOperation {
                id: row.get(0)?,
                at: row.get(2)?,
                retain_until: row.get(3)?,
                parts,
            })
        })?;
        let all = i64::try_from(rows.len()).is_ok_and(|rows| rows < MAX_OPERATIONS);
        let mut buckets: Vec<BucketRow> = Vec::new();
        let mut young = None;
        for looked in rows {
            if looked.at.saturating_add(PRUNE_AGE) > self.now {
                young = Some(looked.at);
                break;
            }
            self.prune.next = looked.id.saturating_add(1);
            let Some(parts) = looked.parts.filter(|_| looked.retain_until <= self.now) else {
                continue;
            };
            for part in &parts {
                self.move_to_pruned_sums(&mut buckets, part)?;
            }
            self.execute("DELETE FROM operations WHERE id = ?1", [looked.id])?;
        }
        for bucket in buckets {
            self.write_or_remove(bucket)?;
        }
        if let Some(at) = young {
            self.prune.not_before = at.saturating_add(PRUNE_AGE).saturating_add(SLACK);
        } else if all {
            self.prune.not_before = self.now.saturating_add(DAY);
        }
        self.prune.not_before = self.prune.not_before.min(self.prune.again);
        Ok(())
    }

    /// Moves a delta of a removed operation to the pruned sums of its bucket.
    fn move_to_pruned_sums(
        &mut self,
        buckets: &mut Vec<BucketRow>,
        part: &BucketDelta,
    ) -> Result<(), Error> {
        let number = row(part.bucket);
        if !buckets.iter().any(|known| known.id == number) {
            let Some(found) = self.bucket_row(number)? else {
                return Err(self.corrupt(format!("it has no bucket {number}")));
            };
            buckets.push(found);
        }
        if let Some(bucket) = buckets.iter_mut().find(|known| known.id == number) {
            bucket.pruned_used = bucket.pruned_used.saturating_add(part.used);
            bucket.pruned_top_up = bucket.pruned_top_up.saturating_add(part.top_up);
            bucket.operations = bucket.operations.saturating_sub(1);
            if bucket.operations == 0 {
                bucket.last = None;
            }
        }
        Ok(())
    }

    /// Writes a bucket, or removes it if its retention is over and no operation of it is stored.
    fn write_or_remove(&mut self, bucket: BucketRow) -> Result<(), Error> {
        if bucket.operations > 0 || bucket.window.end.saturating_add(BUCKET_REST) > self.now {
            return self.write_bucket(bucket);
        }
        let last_pruned: i64 = self
            .map_error(meta::read(self.connection, self.checksum_key, "bucket"))?
            .unwrap_or(0);
        self.map_error(meta::write(
            self.connection,
            self.checksum_key,
            "bucket",
            &last_pruned.max(bucket.id),
        ))?;
        self.execute("DELETE FROM reservations WHERE bucket = ?1", [bucket.id])?;
        self.execute("DELETE FROM buckets WHERE id = ?1", [bucket.id])?;
        self.drop_remembered_row(bucket.id);
        Ok(())
    }

    /// Prunes expired keys. Moves the hand on after every `KEYS_BETWEEN` new keys.
    pub(super) fn prune_keys(&mut self) -> Result<(), Error> {
        let hand = &mut self.prune.keys;
        hand.new = hand.new.saturating_add(1);
        if hand.new < KEYS_BETWEEN || self.now < hand.not_before {
            return Ok(());
        }
        hand.new = 0;
        let sql = "SELECT account, key, expires_at FROM idempotency_keys WHERE (account, key) > (?1, ?2) ORDER BY account, key LIMIT ?3";
        let (account, key) = &self.prune.keys.passed;
        let rows: Vec<((String, String), i64)> =
            self.query_all(sql, params![account, key, MAX_KEYS], |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
            })?;
        let all = i64::try_from(rows.len()).is_ok_and(|rows| rows < MAX_KEYS);
        for ((account, key), expires_at) in &rows {
            if *expires_at <= self.now {
                self.execute(
                    "DELETE FROM idempotency_keys WHERE account = ?1 AND key = ?2",
                    params![account, key],
                )?;
            } else {
                self.prune.keys.soonest = self.prune.keys.soonest.min(*expires_at);
            }
        }
        let hand = &mut self.prune.keys;
        if let Some((passed, _)) = rows.into_iter().next_back().filter(|_| !all) {
            hand.passed = passed;
        } else {
            let not_before = hand.soonest.max(self.now.saturating_add(DAY));
            *hand = KeyHand {
                passed: (String::new(), String::new()),
                new: 0,
                not_before,
                soonest: i64::MAX,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::row_codec::outlives_pruning;
    use crate::store::sqlite::schema::SCHEMA;

    #[test]
    fn long_index_covers_what_outlives_pruning() {
        assert_eq!(
            outlives_pruning!(),
            format!("retain_until > at + {PRUNE_AGE}")
        );
        assert!(SCHEMA.contains(concat!("WHERE ", outlives_pruning!(), ";")));
    }
}
