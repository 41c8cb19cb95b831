//! The directory's tables.

use std::sync::Arc;

use rusqlite::params;

use super::board::{Board, Word};
use super::ledger::Sheet;
use super::{Sqlite, locks};
use crate::Error;
use crate::store::{Keep, KeepsDirectory, Ledger, Pages};

/// How many revisions can be caught up with one by one; who is further behind reads all records.
const TAIL: u64 = 10_000;

impl Pages for Sheet<'_> {
    fn is_changing(&self) -> bool {
        locks::is_changing(self.board.asking())
    }

    fn board(&self) -> Arc<Board> {
        Arc::clone(self.board)
    }

    fn file(&self) -> (u64, u64) {
        self.file
    }

    fn revision(&mut self) -> Result<u64, Error> {
        let found = self.one("SELECT value FROM meta WHERE name = 'revision'", [], |row| row.get::<_, i64>(0))?;
        Ok(found.and_then(|revision| u64::try_from(revision).ok()).unwrap_or(0))
    }

    fn changes_after(&mut self, revision: u64, upto: u64) -> Result<Option<Vec<(u64, String)>>, Error> {
        let after = i64::try_from(revision).unwrap_or(i64::MAX);
        let found = self.connection.prepare_cached("SELECT revision, changes FROM changes WHERE revision > ?1 ORDER BY revision").and_then(|mut statement| {
            let rows = statement.query_map([after], |row| Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(u64, String)>>>()
        });
        let found = self.told(found)?;
        let whole =
            u64::try_from(found.len()).ok() == upto.checked_sub(revision) && found.first().is_none_or(|(first, _)| *first == revision.saturating_add(1));
        Ok(Some(found).filter(|_| whole))
    }

    fn records(&mut self, each: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let mut statement = self.told(self.connection.prepare_cached("SELECT record FROM records"))?;
        let mut rows = self.told(statement.query([]))?;
        while let Some(row) = self.told(rows.next())? {
            let text = row.get_ref(0).and_then(|value| value.as_str().map_err(Into::into));
            each(self.told(text)?)?;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.wrote = true;
        self.run("DELETE FROM records", [])?;
        self.run("DELETE FROM changes", []).map(drop)
    }

    fn put(&mut self, kind: &str, id: &str, record: Option<&str>) -> Result<(), Error> {
        self.wrote = true;
        let sql = "INSERT INTO records VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET record = excluded.record";
        match record {
            Some(record) => self.run(sql, params![kind, id, record]).map(drop),
            None => self.run("DELETE FROM records WHERE type = ?1 AND id = ?2", params![kind, id]).map(drop),
        }
    }

    fn note(&mut self, revision: u64, changes: Option<&str>) -> Result<(), Error> {
        self.wrote = true;
        let number = i64::try_from(revision).unwrap_or(i64::MAX);
        if let Some(changes) = changes {
            self.run("INSERT INTO changes VALUES (?1, ?2)", params![number, changes])?;
            self.run("DELETE FROM changes WHERE revision <= ?1", [i64::try_from(revision.saturating_sub(TAIL)).unwrap_or(0)])?;
        }
        self.run("UPDATE meta SET value = ?1 WHERE name = 'revision'", [number]).map(drop)
    }

    fn ledger(&mut self) -> &mut dyn Ledger {
        self
    }
}

impl KeepsDirectory for Sqlite {
    fn change(&self, work: &mut dyn FnMut(&mut dyn Pages) -> Result<Keep, Error>, published: &mut dyn FnMut()) -> Result<(), Error> {
        self.transact_alone(&mut |sheet| work(sheet), published)
    }

    fn is_stale(&self, board: &Board, known: u64) -> bool {
        // The words of the file that the name leads to may be others now.
        if !std::ptr::eq(&raw const *self.board(), board) {
            return true;
        }
        let now = board.now(Word::Directory);
        if now == known {
            return false;
        }
        // While a change is being committed the directory is as it was; unless who commits is gone.
        let committing = now & 1 == 1 && now & !1 == known & !1;
        !(committing && self.is_changing())
    }

    fn look(&self, work: &mut dyn FnMut(&mut dyn Pages) -> Result<(), Error>) -> Result<(), Error> {
        self.view(&mut |sheet| work(sheet))
    }
}

impl Sqlite {
    /// Whether whoever is committing a change of the directory is alive.
    fn is_changing(&self) -> bool {
        locks::is_changing(self.shared.board.load().asking())
    }
}
