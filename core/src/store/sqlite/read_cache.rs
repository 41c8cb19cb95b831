//! A cache of buckets and of their grants, valid until any process writes a count. A read of a
//! limit then touches no file, and a question about an amount runs no policy.

use std::sync::Arc;

use hashbrown::HashMap;

use super::shared_header::{HeaderField, SharedHeader};
use super::transaction::SqliteTx;
use crate::model::calendar::Window;
use crate::store::{
    Bucket, CachedGrant, CountOwner, CountTx, Found, GrantHit, GrantKey, KeyLookup, NewOperation,
    Operation, OwnedBucket,
};
use crate::util::error::Error;

/// The greatest number of cached accounts.
const MOST: usize = 10_000;

/// The buckets that were read since the counts were last written.
#[derive(Debug, Default)]
pub(super) struct ReadCache {
    /// The shared header and the version of the counts for which the cache is valid.
    at: Option<(Arc<SharedHeader>, u64)>,
    accounts: HashMap<String, Vec<CachedBucket>>,
}

/// The latest bucket of one meter, or `None` if the meter has no bucket.
#[derive(Debug, Clone)]
pub(super) struct CachedBucket {
    member: Option<String>,
    meter: String,
    bucket: Option<Bucket>,
    grant: Option<PlacedGrant>,
}

/// A cached grant for a window, and for the bucket of the window if one is open.
#[derive(Debug, Clone, Copy)]
struct PlacedGrant {
    window: Window,
    bucket: Option<u64>,
    grant: CachedGrant,
}

impl ReadCache {
    /// Returns the shared header if the cache is still valid.
    pub(super) fn board(&self) -> Option<&Arc<SharedHeader>> {
        self.at
            .as_ref()
            .filter(|(board, counts)| board.version(HeaderField::Counts) == *counts)
            .map(|(board, _)| board)
    }

    /// Returns the cached buckets of an account.
    pub(super) fn get(&mut self, account: &str) -> &mut [CachedBucket] {
        self.accounts
            .get_mut(account)
            .map_or(&mut [], Vec::as_mut_slice)
    }

    /// Inserts the buckets of an account that were read at this version of the counts.
    pub(super) fn insert(
        &mut self,
        account: &str,
        (board, counts): (Arc<SharedHeader>, u64),
        rows: Vec<CachedBucket>,
    ) {
        let same = self
            .at
            .as_ref()
            .is_some_and(|(known, then)| Arc::ptr_eq(known, &board) && *then == counts);
        if !same || self.accounts.len() >= MOST {
            self.accounts.clear();
            self.at = Some((board, counts));
        }
        let known = self.accounts.entry_ref(account).or_default();
        known.retain(|row| {
            !rows
                .iter()
                .any(|new| new.member == row.member && new.meter == row.meter)
        });
        known.extend(rows);
    }
}

/// A transaction over cached buckets. Any other read fails and sets `has_missed`.
pub(super) struct CachedReader<'c> {
    pub(super) rows: &'c mut [CachedBucket],
    pub(super) now: i64,
    pub(super) has_missed: bool,
}

impl CachedReader<'_> {
    fn row(&mut self, member: Option<&str>, meter: &str) -> Option<&mut CachedBucket> {
        self.rows
            .iter_mut()
            .find(|row| row.meter == meter && row.member.as_deref() == member)
    }

    fn miss<T>(&mut self) -> Result<T, Error> {
        self.has_missed = true;
        Err(Error::StoreVerb {
            store: "cache".to_owned(),
            verb: "read".to_owned(),
        })
    }
}

impl CountTx for CachedReader<'_> {
    fn now(&self) -> i64 {
        self.now
    }

    fn current_bucket(&mut self, owner: CountOwner<'_>, meter: &str) -> Found<Bucket> {
        match self.row(owner.member, meter) {
            Some(row) => Ok(row.bucket),
            None => self.miss(),
        }
    }

    fn find_cached_grant(
        &mut self,
        _: &str,
        meter: &str,
        grant_key: &GrantKey,
    ) -> Option<GrantHit> {
        let now = self.now;
        let row = self.row(None, meter)?;
        let placed = row.grant.as_ref()?;
        let bucket = row.bucket.filter(|bucket| bucket.window.contains(now));
        if bucket.map(|bucket| bucket.id) != placed.bucket {
            return None;
        }
        placed.grant.find(grant_key, now, placed.window, bucket)
    }

    fn wants_grant(&mut self, _: &str, meter: &str) -> bool {
        self.row(None, meter).is_some()
    }

    fn cache_grant(
        &mut self,
        _: &str,
        meter: &str,
        (window, bucket): (Window, Option<u64>),
        grant: CachedGrant,
    ) {
        if let Some(row) = self.row(None, meter) {
            row.grant = Some(PlacedGrant {
                window,
                bucket,
                grant,
            });
        }
    }

    fn bucket(&mut self, _: u64) -> Result<Option<OwnedBucket>, Error> {
        self.miss()
    }

    fn open(&mut self, _: CountOwner<'_>, _: &str, _: Window) -> Result<Bucket, Error> {
        self.miss()
    }

    fn find_key(&mut self, _: &str, _: &str) -> Result<KeyLookup, Error> {
        self.miss()
    }

    fn operation(&mut self, _: u64) -> Result<Option<Operation>, Error> {
        self.miss()
    }

    fn append(&mut self, _: NewOperation<'_>) -> Result<u64, Error> {
        self.miss()
    }

    fn update_operation(&mut self, _: &Operation) -> Result<(), Error> {
        self.miss()
    }

    fn history(&mut self, _: &str, _: Option<u64>, _: usize) -> Result<Vec<Operation>, Error> {
        self.miss()
    }

    fn document(&mut self, _: &str, _: &str) -> Result<Option<String>, Error> {
        self.miss()
    }

    fn write_document(&mut self, _: &str, _: &str, _: &str) -> Result<(), Error> {
        self.miss()
    }
}

/// A transaction that records which buckets of an account are read.
pub(super) struct RecordingReader<'s, 'c> {
    pub(super) sheet: &'s mut SqliteTx<'c>,
    pub(super) rows: Vec<CachedBucket>,
    /// Documents that were written in the view. Later reads in the view see them, and the end of
    /// the view drops them.
    pub(super) documents: Vec<(String, String, String)>,
}

impl CountTx for RecordingReader<'_, '_> {
    fn now(&self) -> i64 {
        self.sheet.now
    }

    fn current_bucket(&mut self, owner: CountOwner<'_>, meter: &str) -> Found<Bucket> {
        let bucket = self.sheet.current_bucket(owner, meter)?;
        // A bucket with reservations is not cached, because reservations expire without a write.
        if bucket.is_none_or(|bucket| bucket.reserved == 0) {
            self.rows.push(CachedBucket {
                member: owner.member.map(str::to_owned),
                meter: meter.to_owned(),
                bucket,
                grant: None,
            });
        }
        Ok(bucket)
    }

    fn bucket(&mut self, id: u64) -> Result<Option<OwnedBucket>, Error> {
        self.sheet.bucket(id)
    }

    fn open(
        &mut self,
        owner: CountOwner<'_>,
        meter: &str,
        window: Window,
    ) -> Result<Bucket, Error> {
        self.sheet.open(owner, meter, window)
    }

    fn find_key(&mut self, account: &str, key: &str) -> Result<KeyLookup, Error> {
        self.sheet.find_key(account, key)
    }

    fn operation(&mut self, id: u64) -> Result<Option<Operation>, Error> {
        self.sheet.operation(id)
    }

    fn append(&mut self, new: NewOperation<'_>) -> Result<u64, Error> {
        self.sheet.append(new)
    }

    fn update_operation(&mut self, operation: &Operation) -> Result<(), Error> {
        self.sheet.update_operation(operation)
    }

    fn history(
        &mut self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Operation>, Error> {
        self.sheet.history(account, before, most)
    }

    fn document(&mut self, account: &str, name: &str) -> Result<Option<String>, Error> {
        match self
            .documents
            .iter()
            .rev()
            .find(|(of, known, _)| of == account && known == name)
        {
            Some((_, _, text)) => Ok(Some(text.clone())),
            None => self.sheet.document(account, name),
        }
    }

    fn write_document(&mut self, account: &str, name: &str, text: &str) -> Result<(), Error> {
        self.documents
            .push((account.to_owned(), name.to_owned(), text.to_owned()));
        Ok(())
    }
}
