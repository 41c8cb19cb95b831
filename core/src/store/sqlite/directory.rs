//! The directory's tables.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::checksum::{ChecksumKey, RowTable, mismatch};
use super::shared_header::{HeaderField, SharedHeader};
use super::transaction::{SqliteTx, texts_checksum};
use super::{SqliteStore, file_locks, meta};
use crate::store::{CountTx, DirectoryStore, DirectoryTx, TxOutcome};
use crate::util::error::Error;

/// The number of revisions whose changes are stored. A process that is further behind reads all
/// records.
const KEPT_CHANGES: u64 = 10_000;
/// The greatest size of these changes in bytes, including the newest.
const MAX_CHANGED_BYTES: i64 = 16 << 20;

/// Returns the checksum of one change of the directory.
pub(super) fn change_checksum(key: &ChecksumKey, revision: i64, total: i64, changes: &str) -> i64 {
    key.begin(RowTable::Changes)
        .number(revision)
        .number(total)
        .text(changes)
        .finish()
}

impl DirectoryTx for SqliteTx<'_> {
    fn is_changing(&self) -> bool {
        file_locks::is_publishing(self.board.lock_query_file())
    }

    fn board(&self) -> Arc<SharedHeader> {
        Arc::clone(self.board)
    }

    fn file_identity(&self) -> (u64, u64) {
        self.file
    }

    fn revision(&mut self) -> Result<u64, Error> {
        let found = self.map_error(meta::read::<i64>(
            self.connection,
            self.checksum_key,
            "revision",
        ))?;
        Ok(found
            .and_then(|revision| u64::try_from(revision).ok())
            .unwrap_or(0))
    }

    fn changes_since(
        &mut self,
        revision: u64,
        upto: u64,
    ) -> Result<Option<Vec<(u64, String)>>, Error> {
        let after = i64::try_from(revision).unwrap_or(i64::MAX);
        let sql = "SELECT revision, changes, total, checksum FROM changes WHERE revision > ?1 ORDER BY revision";
        let found: Vec<(u64, String)> = self.query_all(sql, [after], |row| {
            let (revision, changes): (i64, String) = (row.get(0)?, row.get(1)?);
            if change_checksum(self.checksum_key, revision, row.get(2)?, &changes)
                != row.get::<_, i64>(3)?
            {
                return Err(mismatch(RowTable::Changes, &revision));
            }
            Ok((u64::try_from(revision).unwrap_or(0), changes))
        })?;
        let whole = u64::try_from(found.len()).ok() == upto.checked_sub(revision)
            && found
                .first()
                .is_none_or(|(first, _)| *first == revision.saturating_add(1));
        Ok(Some(found).filter(|_| whole))
    }

    fn records(&mut self, each: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let (sql, mut all) = ("SELECT type, id, record, checksum FROM records", 0_i64);
        let walked = self.connection.with_statement(sql, |statement| {
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (text, checksum) = record(self.checksum_key, row)?;
                all ^= checksum;
                if let Err(error) = each(text) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        });
        self.map_error(walked)??;
        // A lost record is in none of the rows, so only the combined checksum detects the loss.
        if all == self.checksum_of_records()? {
            Ok(())
        } else {
            Err(self.corrupt("its records do not agree with their checksum".to_owned()))
        }
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.has_written = true;
        self.read.records = Some(0);
        self.execute("DELETE FROM records", [])?;
        self.execute("DELETE FROM changes", []).map(drop)
    }

    fn put(&mut self, kind: &str, id: &str, record: Option<&str>) -> Result<(), Error> {
        self.has_written = true;
        let old = self.query_one(
            "SELECT checksum FROM records WHERE type = ?1 AND id = ?2",
            [kind, id],
            |row| row.get::<_, i64>(0),
        )?;
        let new = record
            .map(|record| texts_checksum(self.checksum_key, RowTable::Records, [kind, id, record]));
        self.read.records = Some(self.checksum_of_records()? ^ old.unwrap_or(0) ^ new.unwrap_or(0));
        let sql = "INSERT INTO records VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET record = excluded.record, checksum = excluded.checksum";
        match record.zip(new) {
            Some((record, checksum)) => self
                .execute(sql, params![kind, id, record, checksum])
                .map(drop),
            None => self
                .execute(
                    "DELETE FROM records WHERE type = ?1 AND id = ?2",
                    params![kind, id],
                )
                .map(drop),
        }
    }

    fn append_changes(&mut self, revision: u64, changes: Option<&str>) -> Result<(), Error> {
        self.has_written = true;
        let number = i64::try_from(revision).unwrap_or(i64::MAX);
        if let Some(changes) = changes {
            let last = self.query_one(
                "SELECT total FROM changes ORDER BY revision DESC LIMIT 1",
                [],
                |row| row.get::<_, i64>(0),
            )?;
            let total = last
                .unwrap_or(0)
                .saturating_add(i64::try_from(changes.len()).unwrap_or(i64::MAX));
            let checksum = change_checksum(self.checksum_key, number, total, changes);
            self.execute(
                "INSERT INTO changes VALUES (?1, ?2, ?3, ?4)",
                params![number, total, checksum, changes],
            )?;
            self.forget_changes(
                i64::try_from(revision.saturating_sub(KEPT_CHANGES)).unwrap_or(0),
                total.saturating_sub(MAX_CHANGED_BYTES),
            )?;
        }
        if let Some(records) = self.read.records {
            self.map_error(meta::write(
                self.connection,
                self.checksum_key,
                "records",
                &records,
            ))?;
        }
        self.map_error(meta::write(
            self.connection,
            self.checksum_key,
            "revision",
            &number,
        ))
    }

    fn count_tx(&mut self) -> &mut dyn CountTx {
        self
    }
}

/// Reads a row of `records`. Returns its text and its checksum, which agree.
pub(super) fn record<'r>(key: &ChecksumKey, row: &'r Row<'_>) -> rusqlite::Result<(&'r str, i64)> {
    let text = |at: usize| row.get_ref(at).and_then(|value| Ok(value.as_str()?));
    let (kind, id, record, checksum) = (text(0)?, text(1)?, text(2)?, row.get(3)?);
    if texts_checksum(key, RowTable::Records, [kind, id, record]) == checksum {
        Ok((record, checksum))
    } else {
        Err(mismatch(RowTable::Records, &id))
    }
}

impl SqliteTx<'_> {
    /// Returns the combined checksum of all records.
    fn checksum_of_records(&self) -> Result<i64, Error> {
        match self.read.records {
            Some(records) => Ok(records),
            None => Ok(self
                .map_error(meta::read(self.connection, self.checksum_key, "records"))?
                .unwrap_or(0)),
        }
    }

    /// Removes the oldest changes up to a revision and up to a total size. Never removes the
    /// newest.
    fn forget_changes(&self, revision: i64, total: i64) -> Result<(), Error> {
        let sql = "DELETE FROM changes WHERE revision = (SELECT min(revision) FROM changes) AND (revision <= ?1 OR total <= ?2)
            AND revision < (SELECT max(revision) FROM changes)";
        while self.execute(sql, [revision, total])? == 1 {}
        Ok(())
    }
}

impl DirectoryStore for SqliteStore {
    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<TxOutcome, Error>,
        published: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        self.transact_exclusive(&mut |sheet| work(sheet), published)
    }

    fn is_stale(&self, board: &SharedHeader, known: u64) -> bool {
        // The file may have been replaced, and then this is not the shared header in use.
        if !std::ptr::eq(&raw const *self.board(), board) {
            return true;
        }
        let now = board.version(HeaderField::Directory);
        if now == known {
            return false;
        }
        // While a live process commits a change, the directory still has its previous version. If
        // that process has died, the directory is stale.
        let committing = now & 1 == 1 && now & !1 == known & !1;
        !(committing && self.is_changing())
    }

    fn read(
        &self,
        work: &mut dyn FnMut(&mut dyn DirectoryTx) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.view(&mut |sheet| work(sheet))
    }
}

impl SqliteStore {
    /// Returns whether the process that is committing a change of the directory is alive.
    fn is_changing(&self) -> bool {
        file_locks::is_publishing(self.shared.board.load().lock_query_file())
    }
}
