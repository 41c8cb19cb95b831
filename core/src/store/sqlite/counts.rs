//! The reads and writes of counts in a transaction over SQLite.

use std::collections::BinaryHeap;

use rusqlite::params;
use rusqlite::types::ValueRef;

use super::checksum::{RowTable, mismatch};
use super::meta;
use super::row_codec::{
    self, BUCKET_WIDTH, BucketRow, OPERATION_WIDTH, OperationRow, bucket_columns, encode_deltas,
    id, operation_columns, outlives_pruning, row,
};
use super::transaction::{BUCKET_BY_ID, SqliteTx, key_checksum, texts_checksum};
use crate::model::calendar::Window;
use crate::store::{
    Bucket, CachedGrant, CountOwner, CountTx, Found, GrantHit, GrantKey, KEY_REST, KeyLookup,
    NewOperation, Operation, OwnedBucket, ReservationState,
};
use crate::util::error::Error;

/// Selects the latest bucket, and the id of the last operation, which the consume needs next.
const LATEST: &str = concat!(
    "SELECT ",
    bucket_columns!(),
    ", (SELECT max(id) FROM operations) FROM buckets b WHERE b.account = ?1 AND b.member = ?2 AND b.meter = ?3 ORDER BY b.start DESC LIMIT 1"
);
const OPERATION_ALONE: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operations o WHERE o.id = ?1"
);
const KEY: &str = concat!(
    "SELECT ",
    operation_columns!(),
    ", k.operation, k.expires_at, k.checksum FROM idempotency_keys k LEFT JOIN operations o ON o.id = k.operation WHERE k.account = ?1 AND k.key = ?2"
);

impl CountTx for SqliteTx<'_> {
    fn now(&self) -> i64 {
        self.now
    }

    fn current_bucket(&mut self, owner: CountOwner<'_>, meter: &str) -> Found<Bucket> {
        let found = self.query_one(
            LATEST,
            params![owner.account, owner.member.unwrap_or(""), meter],
            |row| {
                let bucket = BucketRow::read(self.checksum_key, row, 0)?;
                Ok((bucket, row.get::<_, Option<i64>>(BUCKET_WIDTH)?))
            },
        )?;
        let Some((found, last_operation)) = found else {
            return Ok(None);
        };
        self.remember(found);
        self.read.last_operation = Some(last_operation.unwrap_or(0));
        self.with_reserved_amount(&found).map(Some)
    }

    fn find_cached_grant(
        &mut self,
        account: &str,
        meter: &str,
        grant_key: &GrantKey,
    ) -> Option<GrantHit> {
        let found = self.find_grant(account, meter, grant_key);
        found.unwrap_or_else(|error| {
            self.read.grant_error = Some(error);
            None
        })
    }

    fn take_grant_error(&mut self) -> Result<(), Error> {
        self.read.grant_error.take().map_or(Ok(()), Err)
    }

    fn wants_grant(&mut self, account: &str, meter: &str) -> bool {
        let grants = self.grants.as_mut();
        grants.is_some_and(|grants| grants.is_wanted(account, meter))
    }

    fn cache_grant(
        &mut self,
        account: &str,
        meter: &str,
        (_, bucket): (Window, Option<u64>),
        grant: CachedGrant,
    ) {
        if let (Some(grants), Some(bucket)) = (&mut self.grants, bucket) {
            grants.set(account, meter, Some((bucket, grant)));
        }
    }

    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error> {
        let found = self.query_one(BUCKET_BY_ID, [row(id)], |row| {
            let member: String = row.get(2)?;
            let named = (
                row.get(1)?,
                Some(member).filter(|member| !member.is_empty()),
                row.get(3)?,
            );
            Ok((named, BucketRow::read(self.checksum_key, row, 0)?))
        })?;
        let Some(((account, member, meter), found)) = found else {
            return Ok(None);
        };
        self.remember(found);
        Ok(Some(OwnedBucket {
            account,
            member,
            meter,
            bucket: self.with_reserved_amount(&found)?,
        }))
    }

    fn open(
        &mut self,
        owner: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Result<Bucket, Error> {
        self.has_written = true;
        // An id is never assigned again, so ids of pruned buckets count too.
        let last_pruned: i64 = self
            .map_error(meta::read(self.connection, self.checksum_key, "bucket"))?
            .unwrap_or(0);
        let last = self
            .query_one("SELECT coalesce(max(id), 0) FROM buckets", [], |row| {
                row.get::<_, i64>(0)
            })?
            .unwrap_or(0);
        let (id, member) = (
            last_pruned.max(last).saturating_add(1),
            owner.member.unwrap_or(""),
        );
        let opened = BucketRow::new(
            self.checksum_key,
            id,
            (owner.account, member, meter),
            window,
        );
        let sql = "INSERT INTO buckets VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0, 0, 0, NULL, ?7)";
        self.execute(
            sql,
            params![
                id,
                owner.account,
                member,
                meter,
                window.start,
                window.end,
                opened.checksum(self.checksum_key)
            ],
        )?;
        self.remember(opened);
        Ok(opened.bucket(0))
    }

    fn find_key(&mut self, account: &str, key: &str) -> Result<KeyLookup, Error> {
        let found = self.query_one(KEY, params![account, key], |row| {
            let [number, expires_at] = [
                row.get::<_, i64>(OPERATION_WIDTH)?,
                row.get(OPERATION_WIDTH.saturating_add(1))?,
            ];
            if key_checksum(self.checksum_key, (account, key), number, expires_at)
                != row.get::<_, i64>(OPERATION_WIDTH.saturating_add(2))?
            {
                return Err(mismatch(
                    RowTable::IdempotencyKeys,
                    &crate::util::text::short(key),
                ));
            }
            if expires_at <= self.now {
                return Ok(Some(KeyLookup::Unknown));
            }
            if row.get_ref(0)? == ValueRef::Null {
                // The operation must exist for as long as its answer is stored.
                let is_kept = expires_at.saturating_sub(KEY_REST) > self.now;
                return Ok(Some(KeyLookup::Expired).filter(|_| !is_kept));
            }
            let operation = OperationRow::read(self.checksum_key, row, 0)?;
            let answer = operation
                .digest
                .and_then(|digest| digest.try_into().ok())
                .zip(operation.answer);
            Ok(match answer {
                Some((digest, answer))
                    if operation.idempotency_key == Some(key)
                        && operation.retain_until > self.now =>
                {
                    Some(KeyLookup::Answered(digest, answer.to_owned()))
                }
                Some(_) if operation.idempotency_key == Some(key) => Some(KeyLookup::Expired),
                _ => None,
            })
        })?;
        let Some(found) = found else {
            return Ok(KeyLookup::Unknown);
        };
        found.ok_or_else(|| {
            self.corrupt(format!(
                "the operation of key `{}` is lost",
                crate::util::text::short(key)
            ))
        })
    }

    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error> {
        Ok(self
            .read_operation(row(id))?
            .map(|(operation, _)| operation))
    }

    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error> {
        self.has_written = true;
        let (first, other_deltas) = new
            .parts
            .split_first()
            .ok_or_else(|| self.corrupt("an operation without a bucket".to_owned()))?;
        let other_deltas = encode_deltas(other_deltas);
        let number = self.last_operation()?.saturating_add(1);
        let answer = new
            .idempotency_key
            .map(|_| (new.answer)(id(number)).to_bytes());
        let bucket = row(first.bucket);
        let previous = self.bucket_row(bucket)?.and_then(|bucket| bucket.last);
        let operation_row = OperationRow {
            id: number,
            kind: row_codec::kind_number(new.kind),
            at: self.now,
            retain_until: new.retain_until,
            bucket,
            used: first.used,
            reserved: first.reserved,
            top_up: first.top_up,
            refunded: 0,
            other_deltas: other_deltas.as_deref(),
            previous,
            member: new.member,
            actor: new.actor,
            parent: new.parent.map(row),
            expires_at: new.expires_at,
            committed: None,
            released: None,
            idempotency_key: new.idempotency_key.map(|(key, _)| key),
            digest: new
                .idempotency_key
                .as_ref()
                .map(|(_, digest)| digest.as_slice()),
            answer: answer.as_deref(),
        };
        let sql = "INSERT INTO operations (id, kind, at, retain_until, bucket, used, reserved, top_up, refunded, other_deltas, previous, member, actor, \
            parent, expires_at, idempotency_key, digest, answer, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
        #[rustfmt::skip]
        self.execute(sql, params![
            operation_row.id, operation_row.kind, operation_row.at, operation_row.retain_until, operation_row.bucket, operation_row.used, operation_row.reserved, operation_row.top_up,
            operation_row.other_deltas, operation_row.previous, operation_row.member, operation_row.actor, operation_row.parent, operation_row.expires_at, operation_row.idempotency_key, operation_row.digest, operation_row.answer, operation_row.checksum(self.checksum_key)
        ])?;
        self.read.last_operation = Some(number);
        if let Some((key, _)) = new.idempotency_key {
            self.write_key(new.account, key, number, new.retain_until)?;
        }
        for (at, part) in new.parts.iter().enumerate() {
            self.apply(part, number, at == 0, &new)?;
        }
        self.prune_operations()?;
        Ok(id(number))
    }

    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error> {
        self.has_written = true;
        let (committed, released) = match operation.reservation {
            Some(ReservationState::Committed(by)) => (Some(row(by)), None),
            Some(ReservationState::Released(by)) => (None, Some(row(by))),
            _ => (None, None),
        };
        let (refunded, other_deltas) = operation
            .parts
            .split_first()
            .map_or((0, None), |(first, other_deltas)| {
                (first.refunded, encode_deltas(other_deltas))
            });
        let checksum = self.query_one(OPERATION_ALONE, [row(operation.id)], |row| {
            let operation_row = OperationRow::read(self.checksum_key, row, 0)?;
            Ok(OperationRow {
                committed,
                released,
                refunded,
                other_deltas: other_deltas.as_deref(),
                ..operation_row
            }
            .checksum(self.checksum_key))
        })?;
        // The operation may have expired and been pruned since it was read.
        let Some(checksum) = checksum else {
            return Ok(());
        };
        let sql = "UPDATE operations SET committed = ?2, released = ?3, refunded = ?4, other_deltas = ?5, checksum = ?6 WHERE id = ?1";
        self.execute(
            sql,
            params![
                row(operation.id),
                committed,
                released,
                refunded,
                other_deltas,
                checksum
            ],
        )
        .map(drop)
    }

    fn history(
        &mut self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Operation>, Error> {
        let sql = concat!(
            "SELECT ",
            bucket_columns!(),
            " FROM buckets b WHERE b.account = ?1 AND b.last IS NOT NULL"
        );
        let mut heads: BinaryHeap<(i64, i64)> = self.query_all(sql, [account], |row| {
            BucketRow::read(self.checksum_key, row, 0)
                .map(|bucket| (bucket.last.unwrap_or(0), bucket.id))
        })?;
        let mut found = Vec::new();
        while let Some((head, bucket)) = heads.pop().filter(|_| found.len() < most) {
            let Some((operation, previous)) = self.read_operation(head)? else {
                // The operation was pruned. An older one may still be stored if its retention is
                // longer.
                let sql = concat!(
                    "SELECT max(id) FROM operations WHERE bucket = ?1 AND id < ?2 AND ",
                    outlives_pruning!()
                );
                let older = self
                    .query_one(sql, [bucket, head], |row| row.get::<_, Option<i64>>(0))?
                    .flatten();
                heads.extend(older.map(|older| (older, bucket)));
                continue;
            };
            heads.extend(previous.map(|previous| (previous, bucket)));
            if before.is_none_or(|before| operation.id < before) {
                found.push(operation);
            }
        }
        Ok(found)
    }

    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error> {
        self.query_one(
            "SELECT text, checksum FROM documents WHERE account = ?1 AND name = ?2",
            [account, name],
            |row| {
                let text: String = row.get(0)?;
                let checksum = texts_checksum(
                    self.checksum_key,
                    RowTable::Documents,
                    [account, name, &text],
                );
                if checksum == row.get::<_, i64>(1)? {
                    Ok(text)
                } else {
                    Err(mismatch(
                        RowTable::Documents,
                        &format_args!("{account} {name}"),
                    ))
                }
            },
        )
    }

    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error> {
        self.has_written = true;
        let checksum = texts_checksum(
            self.checksum_key,
            RowTable::Documents,
            [account, name, text],
        );
        let sql = "INSERT INTO documents VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET text = excluded.text, checksum = excluded.checksum";
        self.execute(sql, params![account, name, text, checksum])
            .map(drop)
    }
}
