//! One transaction over the tables.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use smallvec::SmallVec;

use super::board::Board;
use super::file::Place;
use super::rows::{self, bucket, id, more_text, operation, parts, row};
use crate::Error;
use crate::store::{Bucket, Hold, Ledger, Named, New, Operation, Part, Seen, Whose};
use crate::window::Window;

/// The shortest time that any operation is kept: 35 days.
const SHORTEST: i64 = 35 * 86_400_000;
/// How many operations one transaction looks at to forget them.
const AT_ONCE: i64 = 64;

/// Where forgetting has come to.
#[derive(Debug, Default)]
pub(super) struct Prune {
    /// The operation to look at next.
    next: i64,
    /// Before this instant there is nothing to forget.
    not_before: i64,
}

/// A transaction.
pub(super) struct Sheet<'c> {
    pub(super) connection: &'c Connection,
    pub(super) board: &'c Arc<Board>,
    pub(super) place: &'c Place,
    pub(super) file: (u64, u64),
    pub(super) prune: &'c mut Prune,
    pub(super) now: i64,
    /// Whether this caller has written.
    pub(super) wrote: bool,
    /// Of the buckets that were read, how many rows of `holds` they have.
    pub(super) holds: SmallVec<[(u64, i64); 4]>,
}

const LATEST: &str = r#"SELECT b.id, b.start, b."end", b.used, b.top_up,
    CASE b.holds WHEN 0 THEN 0 ELSE (SELECT coalesce(sum(h.amount), 0) FROM holds h WHERE h.bucket = b.id AND h.until > ?1) END, b.holds
    FROM buckets b WHERE b.account = ?2 AND b.member = ?3 AND b.meter = ?4 ORDER BY b.start DESC LIMIT 1"#;
const BY_ID: &str = r#"SELECT b.id, b.start, b."end", b.used, b.top_up,
    CASE b.holds WHEN 0 THEN 0 ELSE (SELECT coalesce(sum(h.amount), 0) FROM holds h WHERE h.bucket = b.id AND h.until > ?1) END, b.holds,
    b.account, b.member, b.meter FROM buckets b WHERE b.id = ?2"#;

impl Sheet<'_> {
    pub(super) fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|found| self.place.sqlite(&found))
    }

    pub(super) fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>, Error> {
        self.told(self.connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, read).optional()))
    }

    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.told(self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)))
    }

    /// The latest instant that the database vouches for.
    pub(super) fn latest_instant(&self) -> Result<i64, Error> {
        let last = self.one("SELECT at FROM operations ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, i64>(0))?;
        let seen = self.one("SELECT value FROM meta WHERE name = 'seen'", [], |row| row.get::<_, i64>(0))?;
        Ok(last.max(seen).unwrap_or(i64::MIN))
    }

    /// The clock is believed up to this instant.
    pub(super) fn accept(&mut self, seen: i64) -> Result<(), Error> {
        self.board.mark().fetch_max(seen, Ordering::AcqRel);
        self.wrote = true;
        self.run("INSERT OR REPLACE INTO meta VALUES ('seen', ?1)", [seen]).map(drop)
    }

    /// Forgets operations whose time is over, a few at a time. What they did stays in their buckets; their keys stay known.
    fn forget(&mut self) -> Result<(), Error> {
        if self.now < self.prune.not_before {
            return Ok(());
        }
        // The last stays: its id is never given again.
        let sql =
            "SELECT id, at, keep, bucket, used, top_up, more FROM operations WHERE id >= ?1 AND id < (SELECT max(id) FROM operations) ORDER BY id LIMIT ?2";
        let rows = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| {
                let part = Part { used: row.get(4)?, top_up: row.get(5)?, ..Part::of(id(row.get(3)?)) };
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, part, row.get::<_, Option<String>>(6)?))
            };
            statement.query_map(params![self.prune.next, AT_ONCE], read)?.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = self.told(rows)?;
        let ended = i64::try_from(rows.len()).is_ok_and(|rows| rows < AT_ONCE);
        for (operation, at, keep, part, more) in rows {
            if at.saturating_add(SHORTEST) > self.now {
                *self.prune = Prune { next: 0, not_before: at.saturating_add(SHORTEST) };
                return Ok(());
            }
            self.prune.next = operation.saturating_add(1);
            if keep > self.now {
                continue;
            }
            for part in std::iter::once(part).chain(parts(more.as_deref())) {
                let sql = "UPDATE buckets SET pruned_used = pruned_used + ?2, pruned_top_up = pruned_top_up + ?3 WHERE id = ?1";
                self.run(sql, params![row(part.bucket), part.used, part.top_up])?;
            }
            self.run("DELETE FROM operations WHERE id = ?1", [operation])?;
        }
        if ended {
            *self.prune = Prune { next: 0, not_before: self.now.saturating_add(SHORTEST / 35) };
        }
        Ok(())
    }

    /// Does to a bucket what a part says. A hold is put by the operation that reserves, and taken by its id when settled.
    fn apply(&self, part: &Part, operation: i64, first: bool, new: &New<'_>) -> Result<(), Error> {
        let sql = "UPDATE buckets SET used = used + ?2, top_up = top_up + ?3, last = coalesce(?4, last) WHERE id = ?1";
        let last = first.then_some(operation);
        if self.run(sql, params![row(part.bucket), part.used, part.top_up, last])? != 1 {
            return Err(Error::StoreCorrupt { store: self.place.name.clone(), reason: format!("it has no bucket {}", part.bucket) });
        }
        // A bucket that was not read by itself may have some.
        let known = self.holds.iter().find(|(bucket, _)| *bucket == part.bucket);
        let holds = known.map_or(1, |(_, holds)| *holds);
        let mut changed = 0_i64;
        let gone = |rows: usize| 0_i64.saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX));
        if holds > 0 {
            changed = gone(self.run("DELETE FROM holds WHERE bucket = ?1 AND until <= ?2", params![row(part.bucket), self.now])?);
            if let Some(settled) = new.of.filter(|_| part.held < 0) {
                let rows = self.run("DELETE FROM holds WHERE bucket = ?1 AND operation = ?2", params![row(part.bucket), row(settled)])?;
                changed = changed.saturating_add(gone(rows));
            }
        }
        if let Some(until) = new.until {
            self.run("INSERT INTO holds VALUES (?1, ?2, ?3, ?4)", params![row(part.bucket), operation, part.held, until])?;
            changed = changed.saturating_add(1);
        }
        if changed != 0 {
            self.run("UPDATE buckets SET holds = holds + ?2 WHERE id = ?1", params![row(part.bucket), changed])?;
        }
        Ok(())
    }
}

impl Ledger for Sheet<'_> {
    fn now(&self) -> i64 {
        self.now
    }

    fn latest(&mut self, whose: Whose<'_>, meter: &str) -> Result<Option<Bucket>, Error> {
        let found = self.one(LATEST, params![self.now, whose.account, whose.member.unwrap_or(""), meter], |row| Ok((bucket(row)?, row.get(6)?)))?;
        self.holds.extend(found.map(|(bucket, holds)| (bucket.id, holds)));
        Ok(found.map(|(bucket, _)| bucket))
    }

    fn bucket(&mut self, id: u64) -> Result<Option<Named>, Error> {
        self.one(BY_ID, params![self.now, row(id)], |row| {
            let member: String = row.get(8)?;
            Ok(Named { account: row.get(7)?, member: Some(member).filter(|member| !member.is_empty()), meter: row.get(9)?, bucket: bucket(row)? })
        })
    }

    fn open(&mut self, whose: Whose<'_>, meter: &str, window: Window) -> Result<Bucket, Error> {
        self.wrote = true;
        let sql = r#"INSERT INTO buckets (account, member, meter, start, "end") VALUES (?1, ?2, ?3, ?4, ?5)"#;
        self.run(sql, params![whose.account, whose.member.unwrap_or(""), meter, window.start, window.end])?;
        Ok(Bucket { id: id(self.connection.last_insert_rowid()), window, used: 0, held: 0, top_up: 0 })
    }

    fn seen(&mut self, account: &str, key: &str) -> Result<Seen, Error> {
        let sql = "SELECT o.digest, o.answer, o.keep FROM keys k LEFT JOIN operations o ON o.id = k.operation WHERE k.account = ?1 AND k.key = ?2";
        let read = |row: &Row<'_>| Ok((row.get::<_, Option<[u8; 32]>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Option<i64>>(2)?));
        Ok(match self.one(sql, params![account, key], read)? {
            None => Seen::Never,
            Some((Some(digest), Some(answer), Some(keep))) if keep > self.now => Seen::Answered(digest, answer),
            Some(_) => Seen::Pruned,
        })
    }

    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error> {
        self.one(rows::OPERATION, [row(id)], |row| operation(row).map(|(operation, _)| operation))
    }

    fn record(&mut self, new: New<'_>) -> Result<u64, Error> {
        self.wrote = true;
        self.forget()?;
        let broken = || Error::StoreCorrupt { store: self.place.name.clone(), reason: "an operation without a bucket".to_owned() };
        let (first, more) = new.parts.split_first().ok_or_else(broken)?;
        let more = more_text(more);
        let number = match new.key {
            None => None,
            Some(_) => self.one("SELECT coalesce(max(id), 0) + 1 FROM operations", [], |row| row.get::<_, i64>(0))?,
        };
        let answer = new.key.zip(number).map(|((_, digest), number)| (digest, (new.answer)(id(number))));
        let (digest, answer) = answer.unzip();
        let sql = "INSERT INTO operations (id, kind, at, keep, bucket, used, held, top_up, back, more, previous, member, actor, of, until, key, digest, answer) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, (SELECT last FROM buckets WHERE id = ?5), ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        let (kind, key) = (rows::kind_number(new.kind), new.key.map(|(key, _)| key));
        let bucket = row(first.bucket);
        #[rustfmt::skip]
        self.run(sql, params![
            number, kind, self.now, new.keep, bucket, first.used, first.held, first.top_up,
            more, new.member, new.actor, new.of.map(row), new.until, key, digest, answer
        ])?;
        let number = number.unwrap_or_else(|| self.connection.last_insert_rowid());
        if let Some(key) = key {
            self.run("INSERT INTO keys VALUES (?1, ?2, ?3)", params![new.account, key, number])?;
        }
        for (at, part) in new.parts.iter().enumerate() {
            self.apply(part, number, at == 0, &new)?;
        }
        Ok(id(number))
    }

    fn amend(&mut self, operation: &Operation) -> Result<(), Error> {
        self.wrote = true;
        let (committed, released) = match operation.hold {
            Some(Hold::Committed(by)) => (Some(row(by)), None),
            Some(Hold::Released(by)) => (None, Some(row(by))),
            _ => (None, None),
        };
        let (back, more) = operation.parts.split_first().map_or((0, None), |(first, more)| (first.back, more_text(more)));
        let sql = "UPDATE operations SET committed = ?2, released = ?3, back = ?4, more = ?5 WHERE id = ?1";
        self.run(sql, params![row(operation.id), committed, released, back, more]).map(drop)
    }

    fn history(&mut self, account: &str, before: Option<u64>, most: usize) -> Result<Vec<Operation>, Error> {
        let heads = self.connection.prepare_cached("SELECT last FROM buckets WHERE account = ?1 AND last IS NOT NULL").and_then(|mut statement| {
            let rows = statement.query_map([account], |row| row.get::<_, i64>(0))?;
            rows.collect::<rusqlite::Result<BinaryHeap<i64>>>()
        });
        let (mut heads, mut found) = (self.told(heads)?, Vec::new());
        while let Some(head) = heads.pop().filter(|_| found.len() < most) {
            let Some((operation, previous)) = self.one(rows::OPERATION, [head], operation)? else { continue };
            heads.extend(previous);
            if before.is_none_or(|before| operation.id < before) {
                found.push(operation);
            }
        }
        Ok(found)
    }

    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error> {
        self.one("SELECT text FROM documents WHERE account = ?1 AND name = ?2", [account, name], |row| row.get(0))
    }

    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error> {
        self.wrote = true;
        let sql = "INSERT INTO documents VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET text = excluded.text";
        self.run(sql, [account, name, text]).map(drop)
    }
}
