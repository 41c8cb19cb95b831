//! A transaction over SQLite.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use smallvec::SmallVec;

use super::checksum::{ChecksumKey, RowTable, mismatch};
use super::meta;
use super::prune::Prune;
use super::row_codec::{
    self, BucketRow, OPERATION_WIDTH, OperationRow, bucket_columns, id, more_text,
    operation_columns, row,
};
use super::shared_header::SharedHeader;
use super::store_path::StorePath;
use crate::model::calendar::Window;
use crate::store::{
    Bucket, BucketDelta, CountOwner, CountTx, KEY_REST, KeyLookup, NewOperation, Operation,
    OwnedBucket, ReservationState,
};
use crate::util::error::Error;

/// The greatest number of bucket rows that a transaction remembers.
const MAX_REMEMBERED: usize = 8;

/// A transaction over the tables of a store.
pub(super) struct SqliteTx<'c> {
    pub(super) connection: &'c Connection,
    pub(super) board: &'c Arc<SharedHeader>,
    pub(super) place: &'c StorePath,
    /// The key of the rows' checksums.
    pub(super) key: &'c ChecksumKey,
    pub(super) file: (u64, u64),
    pub(super) prune: &'c mut Prune,
    pub(super) now: i64,
    /// Whether this caller has written.
    pub(super) has_written: bool,
    pub(super) read: SheetRead,
}

/// Rows that a caller has read in its transaction, with its own writes applied.
#[derive(Debug, Default)]
pub(super) struct SheetRead {
    /// The bucket rows that were read or written last.
    buckets: SmallVec<[BucketRow; MAX_REMEMBERED]>,
    /// The combined checksum of all directory records, if the transaction has written a record.
    pub(super) records: Option<i64>,
}

const LATEST: &str = concat!(
    "SELECT ",
    bucket_columns!(),
    " FROM buckets b WHERE b.account = ?1 AND b.member = ?2 AND b.meter = ?3 ORDER BY b.start DESC LIMIT 1"
);
const BUCKET_BY_ID: &str = concat!(
    "SELECT ",
    bucket_columns!(),
    " FROM buckets b WHERE b.id = ?1"
);
const OPERATION_BY_ID: &str = concat!(
    "SELECT ",
    operation_columns!(),
    ", ",
    bucket_columns!(),
    " FROM operations o JOIN buckets b ON b.id = o.bucket WHERE o.id = ?1"
);
const OPERATION_ALONE: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operations o WHERE o.id = ?1"
);
const KEY: &str = concat!(
    "SELECT ",
    operation_columns!(),
    ", k.operation, k.until, k.checksum FROM keys k LEFT JOIN operations o ON o.id = k.operation WHERE k.account = ?1 AND k.key = ?2"
);

impl SqliteTx<'_> {
    pub(super) fn map_error<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|found| self.place.sqlite(&found))
    }

    pub(super) fn query_one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.map_error(
            self.connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.query_row(params, read).optional()),
        )
    }

    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.map_error(
            self.connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute(params)),
        )
    }

    /// Returns the latest instant that the database confirms.
    pub(super) fn latest_instant(&self) -> Result<i64, Error> {
        let last = self.query_one(super::clock_trust::LAST, [], |row| {
            Ok(OperationRow::read(self.key, row, 0)?.at)
        })?;
        let seen = self.map_error(meta::read::<i64>(self.connection, self.key, "seen"))?;
        Ok(last.max(seen).unwrap_or(i64::MIN))
    }

    /// Accepts the clock up to this instant.
    pub(super) fn advance_clock(&mut self, seen: i64) -> Result<(), Error> {
        self.board
            .clock_high_water()
            .fetch_max(seen, Ordering::AcqRel);
        self.has_written = true;
        self.map_error(meta::write(self.connection, self.key, "seen", &seen))
    }

    /// Returns the error of a file with damaged content.
    #[cold]
    pub(super) fn corrupt(&self, reason: String) -> Error {
        Error::StoreCorrupt {
            store: self.place.name.clone(),
            reason,
        }
    }

    /// Reads a bucket's row.
    pub(super) fn bucket_row(&mut self, bucket: i64) -> Result<Option<BucketRow>, Error> {
        if let Some(known) = self
            .read
            .buckets
            .iter()
            .rev()
            .find(|known| known.id == bucket)
        {
            return Ok(Some(*known));
        }
        let found = self.query_one(BUCKET_BY_ID, [bucket], |row| {
            BucketRow::read(self.key, row, 0)
        })?;
        if let Some(found) = found {
            self.remember(found);
        }
        Ok(found)
    }

    fn remember(&mut self, bucket: BucketRow) {
        if let Some(known) = self
            .read
            .buckets
            .iter_mut()
            .rev()
            .find(|known| known.id == bucket.id)
        {
            *known = bucket;
        } else {
            if self.read.buckets.len() >= MAX_REMEMBERED {
                self.read.buckets.remove(0);
            }
            self.read.buckets.push(bucket);
        }
    }

    /// Removes a bucket's row from the remembered rows.
    pub(super) fn forget_row(&mut self, bucket: i64) {
        self.read.buckets.retain(|known| known.id != bucket);
    }

    /// Writes a bucket's row in place of the previous one.
    pub(super) fn write_bucket(&mut self, bucket: BucketRow) -> Result<(), Error> {
        let sql = "UPDATE buckets SET used = ?2, top_up = ?3, holds = ?4, operations = ?5, pruned_used = ?6, pruned_top_up = ?7, last = ?8, \
            checksum = ?9 WHERE id = ?1";
        let BucketRow {
            id,
            used,
            top_up,
            holds,
            operations,
            pruned_used,
            pruned_top_up,
            last,
            ..
        } = bucket;
        let checksum = bucket.checksum(self.key);
        if self.execute(
            sql,
            params![
                id,
                used,
                top_up,
                holds,
                operations,
                pruned_used,
                pruned_top_up,
                last,
                checksum
            ],
        )? != 1
        {
            return Err(self.corrupt(format!("it has no bucket {id}")));
        }
        self.remember(bucket);
        Ok(())
    }

    /// Returns the bucket with the amount that is reserved now.
    fn with_holds(&self, row: &BucketRow) -> Result<Bucket, Error> {
        let held = if row.holds == 0 {
            Ok(0)
        } else {
            held(self.connection, self.key, row, self.now)
        };
        Ok(row.bucket(self.map_error(held)?))
    }

    /// Applies a delta to its bucket. The operation that reserves adds the reservation, and the
    /// operation that follows it up removes the reservation by its id.
    fn apply(
        &mut self,
        part: &BucketDelta,
        operation: i64,
        first: bool,
        new: &NewOperation<'_>,
    ) -> Result<(), Error> {
        let Some(mut bucket) = self.bucket_row(row(part.bucket))? else {
            return Err(self.corrupt(format!("it has no bucket {}", part.bucket)));
        };
        let sums = bucket
            .used
            .checked_add(part.used)
            .zip(bucket.top_up.checked_add(part.top_up));
        let (used, top_up) = sums.ok_or_else(|| Error::Panic {
            reason: "a count left the range of 64 bits".to_owned(),
        })?;
        (bucket.used, bucket.top_up) = (used, top_up);
        bucket.operations = bucket.operations.saturating_add(1);
        if first {
            bucket.last = Some(operation);
        }
        let gone = |rows: usize| 0_i64.saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX));
        if bucket.holds > 0 {
            let rows = self.execute(
                "DELETE FROM holds WHERE bucket = ?1 AND until <= ?2",
                params![bucket.id, self.now],
            )?;
            bucket.holds = bucket.holds.saturating_add(gone(rows));
            if let Some(settled) = new.of.filter(|_| part.held < 0) {
                let rows = self.execute(
                    "DELETE FROM holds WHERE bucket = ?1 AND operation = ?2",
                    params![bucket.id, row(settled)],
                )?;
                bucket.holds = bucket.holds.saturating_add(gone(rows));
            }
        }
        if let Some(until) = new.until {
            let checksum = hold_checksum(self.key, bucket.id, operation, part.held, until);
            self.execute(
                "INSERT INTO holds VALUES (?1, ?2, ?3, ?4, ?5)",
                params![bucket.id, operation, part.held, until, checksum],
            )?;
            bucket.holds = bucket.holds.saturating_add(1);
        }
        self.write_bucket(bucket)
    }

    /// Stores a key. An expired key is overwritten.
    fn keep_key(
        &mut self,
        account: &str,
        key: &str,
        operation: i64,
        keep: i64,
    ) -> Result<(), Error> {
        self.forget_keys()?;
        let until = keep.saturating_add(KEY_REST);
        let checksum = key_checksum(self.key, (account, key), operation, until);
        let sql = "INSERT INTO keys VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET operation = ?3, until = ?4, checksum = ?5 WHERE until <= ?6";
        match self.execute(
            sql,
            params![account, key, operation, until, checksum, self.now],
        )? {
            1 => Ok(()),
            _ => Err(self.corrupt("a key was used that was not seen".to_owned())),
        }
    }
}

/// Returns the reserved amount of a bucket at an instant.
pub(super) fn held(
    connection: &Connection,
    key: &ChecksumKey,
    bucket: &BucketRow,
    now: i64,
) -> rusqlite::Result<i64> {
    let mut statement = connection
        .prepare_cached("SELECT operation, amount, until, checksum FROM holds WHERE bucket = ?1")?;
    let (mut rows, mut found, mut held) = (statement.query([bucket.id])?, 0_i64, 0_i64);
    while let Some(row) = rows.next()? {
        let [operation, amount, until, checksum] =
            [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        if hold_checksum(key, bucket.id, operation, amount, until) != checksum {
            return Err(mismatch(RowTable::Holds, &operation));
        }
        found = found.saturating_add(1);
        held = held.saturating_add(if until > now { amount } else { 0 });
    }
    if found == bucket.holds {
        Ok(held)
    } else {
        Err(mismatch(
            RowTable::Holds,
            &format_args!("{} of {}", found, bucket.holds),
        ))
    }
}

pub(super) fn hold_checksum(
    key: &ChecksumKey,
    bucket: i64,
    operation: i64,
    amount: i64,
    until: i64,
) -> i64 {
    key.begin(RowTable::Holds)
        .number(bucket)
        .number(operation)
        .number(amount)
        .number(until)
        .finish()
}

pub(super) fn key_checksum(
    key: &ChecksumKey,
    (account, name): (&str, &str),
    operation: i64,
    until: i64,
) -> i64 {
    key.begin(RowTable::Keys)
        .number(operation)
        .number(until)
        .text(account)
        .text(name)
        .finish()
}

/// Returns the checksum of a row of texts.
pub(super) fn texts_checksum(key: &ChecksumKey, table: RowTable, texts: [&str; 3]) -> i64 {
    texts
        .into_iter()
        .fold(key.begin(table), super::checksum::RowHasher::text)
        .finish()
}

impl CountTx for SqliteTx<'_> {
    fn now(&self) -> i64 {
        self.now
    }

    fn current_bucket(
        &mut self,
        whose: CountOwner<'_>,
        meter: &str,
    ) -> Result<Option<Bucket>, Error> {
        let found = self.query_one(
            LATEST,
            params![whose.account, whose.member.unwrap_or(""), meter],
            |row| BucketRow::read(self.key, row, 0),
        )?;
        let Some(found) = found else { return Ok(None) };
        self.remember(found);
        self.with_holds(&found).map(Some)
    }

    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error> {
        let found = self.query_one(BUCKET_BY_ID, [row(id)], |row| {
            let member: String = row.get(2)?;
            let named = (
                row.get(1)?,
                Some(member).filter(|member| !member.is_empty()),
                row.get(3)?,
            );
            Ok((named, BucketRow::read(self.key, row, 0)?))
        })?;
        let Some(((account, member, meter), found)) = found else {
            return Ok(None);
        };
        self.remember(found);
        Ok(Some(OwnedBucket {
            account,
            member,
            meter,
            bucket: self.with_holds(&found)?,
        }))
    }

    fn open(
        &mut self,
        whose: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Result<Bucket, Error> {
        self.has_written = true;
        // An id is never assigned again, so ids of pruned buckets count too.
        let gone: i64 = self
            .map_error(meta::read(self.connection, self.key, "bucket"))?
            .unwrap_or(0);
        let last = self
            .query_one("SELECT coalesce(max(id), 0) FROM buckets", [], |row| {
                row.get::<_, i64>(0)
            })?
            .unwrap_or(0);
        let (id, member) = (gone.max(last).saturating_add(1), whose.member.unwrap_or(""));
        let opened = BucketRow::new(self.key, id, (whose.account, member, meter), window);
        let sql = "INSERT INTO buckets VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0, 0, 0, NULL, ?7)";
        self.execute(
            sql,
            params![
                id,
                whose.account,
                member,
                meter,
                window.start,
                window.end,
                opened.checksum(self.key)
            ],
        )?;
        self.remember(opened);
        Ok(opened.bucket(0))
    }

    fn find_key(&mut self, account: &str, key: &str) -> Result<KeyLookup, Error> {
        let found = self.query_one(KEY, params![account, key], |row| {
            let [number, until] = [
                row.get::<_, i64>(OPERATION_WIDTH)?,
                row.get(OPERATION_WIDTH.saturating_add(1))?,
            ];
            if key_checksum(self.key, (account, key), number, until)
                != row.get::<_, i64>(OPERATION_WIDTH.saturating_add(2))?
            {
                return Err(mismatch(RowTable::Keys, &crate::util::text::short(key)));
            }
            if until <= self.now {
                return Ok(Some(KeyLookup::Unknown));
            }
            if row.get_ref(0)? == ValueRef::Null {
                // The operation must exist for as long as its answer is stored.
                let is_kept = until.saturating_sub(KEY_REST) > self.now;
                return Ok(Some(KeyLookup::Expired).filter(|_| !is_kept));
            }
            let operation = OperationRow::read(self.key, row, 0)?;
            let answer = operation
                .digest
                .and_then(|digest| digest.try_into().ok())
                .zip(operation.answer);
            Ok(match answer {
                Some((digest, answer))
                    if operation.key == Some(key) && operation.keep > self.now =>
                {
                    Some(KeyLookup::Answered(digest, answer.to_owned()))
                }
                Some(_) if operation.key == Some(key) => Some(KeyLookup::Expired),
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
        Ok(self.linked(row(id))?.map(|(operation, _)| operation))
    }

    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error> {
        self.has_written = true;
        let (first, more) = new
            .parts
            .split_first()
            .ok_or_else(|| self.corrupt("an operation without a bucket".to_owned()))?;
        let more = more_text(more);
        let last = self
            .query_one("SELECT max(id) FROM operations", [], |row| {
                row.get::<_, Option<i64>>(0)
            })?
            .flatten();
        let number = last.unwrap_or(0).saturating_add(1);
        let answer = new.key.map(|_| (new.answer)(id(number)));
        let bucket = row(first.bucket);
        let previous = self.bucket_row(bucket)?.and_then(|bucket| bucket.last);
        let kept = OperationRow {
            id: number,
            kind: row_codec::kind_number(new.kind),
            at: self.now,
            keep: new.keep,
            bucket,
            used: first.used,
            held: first.held,
            top_up: first.top_up,
            back: 0,
            more: more.as_deref(),
            previous,
            member: new.member,
            actor: new.actor,
            of: new.of.map(row),
            until: new.until,
            committed: None,
            released: None,
            key: new.key.map(|(key, _)| key),
            digest: new.key.as_ref().map(|(_, digest)| digest.as_slice()),
            answer: answer.as_deref(),
        };
        let sql = "INSERT INTO operations (id, kind, at, keep, bucket, used, held, top_up, back, more, previous, member, actor, of, until, key, digest, \
            answer, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
        #[rustfmt::skip]
        self.execute(sql, params![
            kept.id, kept.kind, kept.at, kept.keep, kept.bucket, kept.used, kept.held, kept.top_up,
            kept.more, kept.previous, kept.member, kept.actor, kept.of, kept.until, kept.key, kept.digest, kept.answer, kept.checksum(self.key)
        ])?;
        if let Some((key, _)) = new.key {
            self.keep_key(new.account, key, number, new.keep)?;
        }
        for (at, part) in new.parts.iter().enumerate() {
            self.apply(part, number, at == 0, &new)?;
        }
        self.forget()?;
        Ok(id(number))
    }

    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error> {
        self.has_written = true;
        let (committed, released) = match operation.hold {
            Some(ReservationState::Committed(by)) => (Some(row(by)), None),
            Some(ReservationState::Released(by)) => (None, Some(row(by))),
            _ => (None, None),
        };
        let (back, more) = operation
            .parts
            .split_first()
            .map_or((0, None), |(first, more)| (first.back, more_text(more)));
        let checksum = self.query_one(OPERATION_ALONE, [row(operation.id)], |row| {
            let kept = OperationRow::read(self.key, row, 0)?;
            Ok(OperationRow {
                committed,
                released,
                back,
                more: more.as_deref(),
                ..kept
            }
            .checksum(self.key))
        })?;
        // The operation may have expired and been pruned since it was read.
        let Some(checksum) = checksum else {
            return Ok(());
        };
        let sql = "UPDATE operations SET committed = ?2, released = ?3, back = ?4, more = ?5, checksum = ?6 WHERE id = ?1";
        self.execute(
            sql,
            params![row(operation.id), committed, released, back, more, checksum],
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
        let heads = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                let read = |row: &Row<'_>| {
                    BucketRow::read(self.key, row, 0)
                        .map(|bucket| (bucket.last.unwrap_or(0), bucket.id))
                };
                statement
                    .query_map([account], read)?
                    .collect::<rusqlite::Result<BinaryHeap<(i64, i64)>>>()
            });
        let (mut heads, mut found) = (self.map_error(heads)?, Vec::new());
        while let Some((head, bucket)) = heads.pop().filter(|_| found.len() < most) {
            let Some((operation, previous)) = self.linked(head)? else {
                // The operation was pruned. An older one may still be stored if its retention is
                // longer.
                let sql = "SELECT max(id) FROM operations WHERE bucket = ?1 AND id < ?2 AND keep > at + 5788800000";
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
                let checksum =
                    texts_checksum(self.key, RowTable::Documents, [account, name, &text]);
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
        let checksum = texts_checksum(self.key, RowTable::Documents, [account, name, text]);
        let sql = "INSERT INTO documents VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET text = excluded.text, checksum = excluded.checksum";
        self.execute(sql, params![account, name, text, checksum])
            .map(drop)
    }
}

impl SqliteTx<'_> {
    /// Reads an operation, and the number of the previous operation of the same bucket.
    fn linked(&self, number: i64) -> Result<Option<(Operation, Option<i64>)>, Error> {
        self.query_one(OPERATION_BY_ID, [number], |row| {
            let operation = OperationRow::read(self.key, row, 0)?;
            BucketRow::read(self.key, row, OPERATION_WIDTH)?;
            let account = row.get_ref(OPERATION_WIDTH.saturating_add(1))?.as_str()?;
            Ok((operation.operation(account)?, operation.previous))
        })
    }
}
