//! A transaction over SQLite: its bucket rows, reservations and keys.

use std::sync::Arc;

use rusqlite::{Params, Row, params};

use smallvec::SmallVec;

use super::checksum::{ChecksumKey, RowTable, mismatch};
use super::grant_table::GrantTable;
use super::meta;
use super::prepared_connection::PreparedConnection;
use super::prune::Prune;
use super::row_codec::{
    BucketRow, OPERATION_WIDTH, OperationRow, bucket_columns, operation_columns, row,
};
use super::shared_header::SharedHeader;
use super::store_path::StorePath;
use crate::store::{Bucket, BucketDelta, KEY_REST, NewOperation, Operation};
use crate::util::error::Error;

/// The greatest number of bucket rows that a transaction remembers.
const MAX_REMEMBERED: usize = 8;

/// A transaction over the tables of a store.
pub(super) struct SqliteTx<'c> {
    pub(super) connection: &'c PreparedConnection,
    pub(super) board: &'c Arc<SharedHeader>,
    pub(super) place: &'c StorePath,
    /// The key of the rows' checksums.
    pub(super) checksum_key: &'c ChecksumKey,
    pub(super) file: (u64, u64),
    pub(super) prune: &'c mut Prune,
    /// The cached grants, or `None` in a view.
    pub(super) grants: Option<&'c mut GrantTable>,
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
    /// The id of the last operation, if it was read.
    pub(super) last_operation: Option<i64>,
    /// The error of the last look for a cached grant.
    pub(super) grant_error: Option<Error>,
    /// The combined checksum of all directory records, if the transaction has written a record.
    pub(super) records: Option<i64>,
}

pub(super) const BUCKET_BY_ID: &str = concat!(
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

impl SqliteTx<'_> {
    pub(super) fn map_error<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|error| self.place.sqlite(&error))
    }

    pub(super) fn query_one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.map_error(self.connection.query_one(sql, params, read))
    }

    pub(super) fn query_all<T, C: FromIterator<T>>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<C, Error> {
        self.map_error(self.connection.query_all(sql, params, read))
    }

    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize, Error> {
        self.map_error(self.connection.execute(sql, params))
    }

    /// Returns the latest instant that the database confirms.
    pub(super) fn latest_instant(&self) -> Result<i64, Error> {
        let last = self.query_one(super::clock_trust::LAST, [], |row| {
            Ok(OperationRow::read(self.checksum_key, row, 0)?.at)
        })?;
        let seen = self.map_error(meta::read::<i64>(
            self.connection,
            self.checksum_key,
            "seen",
        ))?;
        Ok(last.max(seen).unwrap_or(i64::MIN))
    }

    /// Returns the id of the last operation, or 0 if there is none.
    pub(super) fn last_operation(&self) -> Result<i64, Error> {
        if let Some(known) = self.read.last_operation {
            return Ok(known);
        }
        let last = self.query_one("SELECT max(id) FROM operations", [], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(last.flatten().unwrap_or(0))
    }

    /// Reads an operation, and the number of the previous operation of the same bucket.
    pub(super) fn read_operation(
        &self,
        number: i64,
    ) -> Result<Option<(Operation, Option<i64>)>, Error> {
        self.query_one(OPERATION_BY_ID, [number], |row| {
            let operation = OperationRow::read(self.checksum_key, row, 0)?;
            BucketRow::read(self.checksum_key, row, OPERATION_WIDTH)?;
            let account = row.get_ref(OPERATION_WIDTH.saturating_add(1))?.as_str()?;
            Ok((operation.operation(account)?, operation.previous))
        })
    }

    /// Accepts the clock up to this instant.
    pub(super) fn advance_clock(&mut self, seen: i64) -> Result<(), Error> {
        self.board.raise_clock(seen);
        self.has_written = true;
        self.map_error(meta::write(
            self.connection,
            self.checksum_key,
            "seen",
            &seen,
        ))
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
            BucketRow::read(self.checksum_key, row, 0)
        })?;
        if let Some(found) = found {
            self.remember(found);
        }
        Ok(found)
    }

    pub(super) fn remember(&mut self, bucket: BucketRow) {
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
    pub(super) fn drop_remembered_row(&mut self, bucket: i64) {
        self.read.buckets.retain(|known| known.id != bucket);
    }

    /// Writes a bucket's row in place of the previous one.
    pub(super) fn write_bucket(&mut self, bucket: BucketRow) -> Result<(), Error> {
        let sql = "UPDATE buckets SET used = ?2, top_up = ?3, reservations = ?4, operations = ?5, pruned_used = ?6, pruned_top_up = ?7, last = ?8, \
            checksum = ?9 WHERE id = ?1";
        let changed = self.execute(
            sql,
            params![
                bucket.id,
                bucket.used,
                bucket.top_up,
                bucket.reservations,
                bucket.operations,
                bucket.pruned_used,
                bucket.pruned_top_up,
                bucket.last,
                bucket.checksum(self.checksum_key)
            ],
        )?;
        if changed != 1 {
            return Err(self.corrupt(format!("it has no bucket {}", bucket.id)));
        }
        self.remember(bucket);
        Ok(())
    }

    /// Returns the bucket with the amount that is reserved now.
    pub(super) fn with_reserved_amount(&self, row: &BucketRow) -> Result<Bucket, Error> {
        let reserved = if row.reservations == 0 {
            Ok(0)
        } else {
            reserved_amount(self.connection, self.checksum_key, row, self.now)
        };
        Ok(row.bucket(self.map_error(reserved)?))
    }

    /// Applies a delta to its bucket. The operation that reserves adds the reservation, and the
    /// operation that follows it up removes the reservation by its id.
    pub(super) fn apply(
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
        let negative = |rows: usize| 0_i64.saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX));
        if bucket.reservations > 0 {
            let rows = self.execute(
                "DELETE FROM reservations WHERE bucket = ?1 AND expires_at <= ?2",
                params![bucket.id, self.now],
            )?;
            bucket.reservations = bucket.reservations.saturating_add(negative(rows));
            if let Some(settled) = new.parent.filter(|_| part.reserved < 0) {
                let rows = self.execute(
                    "DELETE FROM reservations WHERE bucket = ?1 AND operation = ?2",
                    params![bucket.id, row(settled)],
                )?;
                bucket.reservations = bucket.reservations.saturating_add(negative(rows));
            }
        }
        if let Some(expires_at) = new.expires_at {
            let checksum = reservation_checksum(
                self.checksum_key,
                bucket.id,
                operation,
                part.reserved,
                expires_at,
            );
            self.execute(
                "INSERT INTO reservations VALUES (?1, ?2, ?3, ?4, ?5)",
                params![bucket.id, operation, part.reserved, expires_at, checksum],
            )?;
            bucket.reservations = bucket.reservations.saturating_add(1);
        }
        self.write_bucket(bucket)
    }

    /// Stores a key. An expired key is overwritten.
    pub(super) fn write_key(
        &mut self,
        account: &str,
        key: &str,
        operation: i64,
        retain_until: i64,
    ) -> Result<(), Error> {
        self.prune_keys()?;
        let expires_at = retain_until.saturating_add(KEY_REST);
        let checksum = key_checksum(self.checksum_key, (account, key), operation, expires_at);
        let sql = "INSERT INTO idempotency_keys VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET operation = ?3, expires_at = ?4, checksum = ?5 \
            WHERE expires_at <= ?6";
        match self.execute(
            sql,
            params![account, key, operation, expires_at, checksum, self.now],
        )? {
            1 => Ok(()),
            _ => Err(self.corrupt("a key was used that was not seen".to_owned())),
        }
    }
}

/// Returns the reserved amount of a bucket at an instant.
pub(super) fn reserved_amount(
    connection: &PreparedConnection,
    key: &ChecksumKey,
    bucket: &BucketRow,
    now: i64,
) -> rusqlite::Result<i64> {
    let sql = "SELECT operation, amount, expires_at, checksum FROM reservations WHERE bucket = ?1";
    let (mut found, mut reserved) = (0_i64, 0_i64);
    connection.query_all::<_, ()>(sql, [bucket.id], |row| {
        let [operation, amount, expires_at, checksum] =
            [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        if reservation_checksum(key, bucket.id, operation, amount, expires_at) != checksum {
            return Err(mismatch(RowTable::Reservations, &operation));
        }
        found = found.saturating_add(1);
        reserved = reserved.saturating_add(if expires_at > now { amount } else { 0 });
        Ok(())
    })?;
    if found == bucket.reservations {
        Ok(reserved)
    } else {
        Err(mismatch(
            RowTable::Reservations,
            &format_args!("{} of {}", found, bucket.reservations),
        ))
    }
}

pub(super) fn reservation_checksum(
    key: &ChecksumKey,
    bucket: i64,
    operation: i64,
    amount: i64,
    expires_at: i64,
) -> i64 {
    key.begin(RowTable::Reservations)
        .number(bucket)
        .number(operation)
        .number(amount)
        .number(expires_at)
        .finish()
}

pub(super) fn key_checksum(
    key: &ChecksumKey,
    (account, name): (&str, &str),
    operation: i64,
    expires_at: i64,
) -> i64 {
    key.begin(RowTable::IdempotencyKeys)
        .number(operation)
        .number(expires_at)
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
