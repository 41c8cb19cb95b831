//! Ids of accounts and members that are gone. Counts, holds, history and keys belong to an id: nobody else takes it (I5).
//!
//! One entry for each such id is stored as long as the directory is, because lifetime counts and history are: about a hundred
//! bytes in memory, and a row in the store. It holds no e-mail.

use std::collections::HashSet;
use std::sync::Arc;

use rpds::HashTrieMapSync;
use serde::{Deserialize, Serialize};

use super::key::{Key, Kind};
use super::{Change, Directory, NONE, Record};
use crate::{Error, Ref};

/// The type under which a store keeps an id that is gone.
pub(super) const REMOVED: &str = "Removed";

/// Ids that are gone, with the owner or the account that the record belonged to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct UsedIds(HashTrieMapSync<(Kind, Arc<str>), Option<Arc<str>>>);

/// An id that is gone, as a store keeps it. Its `type` comes first: so a line is told from a record's.
#[derive(Serialize, Deserialize)]
struct RemovedLine {
    r#type: String,
    record: (String, String),
    of: Option<String>,
}

impl UsedIds {
    /// Takes up what a transaction made of a record.
    pub(super) fn change(&mut self, key: Key, now: &Directory, before: &Directory) {
        if !matches!(key.kind(), Kind::Account | Kind::TeamMember) {
            return;
        }
        match (before.hot.is_own(key), now.hot.is_own(key)) {
            (true, false) => self.0.insert_mut((key.kind(), Arc::from(before.hot.id(key))), before.holder_of(key).map(Arc::from)),
            (false, true) if !self.0.is_empty() => drop(self.0.remove_mut(&(key.kind(), Arc::from(now.hot.id(key))))),
            _ => {}
        }
    }

    /// Takes up a line that [`UsedIds::line`] wrote; whether it is one.
    pub(super) fn read(&mut self, text: &str) -> Result<bool, Error> {
        if !text.starts_with(r#"{"type":"Removed""#) {
            return Ok(false);
        }
        let line: RemovedLine = serde_json::from_str(text).map_err(|found| Error::Record { line: 1, reason: found.to_string() })?;
        if let Some(kind) = Kind::named(&line.record.0) {
            self.0.insert_mut((kind, Arc::from(line.record.1)), line.of.map(Arc::from));
        }
        Ok(true)
    }

    fn line(kind: Kind, id: &str, of: Option<&str>) -> Result<String, Error> {
        let line = RemovedLine { r#type: REMOVED.to_owned(), record: (kind.name().to_owned(), id.to_owned()), of: of.map(str::to_owned) };
        serde_json::to_string(&line).map_err(|found| Error::Stream { reason: found.to_string() })
    }

    /// Gives each with the id of its row and its line.
    pub(super) fn each(&self, each: &mut dyn FnMut(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
        self.0.iter().try_for_each(|((kind, id), of)| each(&row_id(*kind, id), &Self::line(*kind, id, of.as_deref())?))
    }
}

fn row_id(kind: Kind, id: &str) -> String {
    format!("{}/{id}", kind.name())
}

fn used(reference: &Ref) -> Error {
    Error::IdUsed { record: reference.to_string() }
}

impl Directory {
    /// The owner of a client, or the account of a member.
    fn holder_of(&self, key: Key) -> Option<&str> {
        let number = match key.kind() {
            Kind::Account => self.hot.accounts.row(key.number())?.owner,
            Kind::TeamMember => self.hot.members.row(key.number())?.account,
            _ => NONE,
        };
        self.hot.accounts.id(number)
    }

    fn removed(&self, reference: &Ref) -> Option<&Option<Arc<str>>> {
        let kind = Kind::named(reference.kind())?;
        self.used_ids.0.get(&(kind, Arc::from(reference.id())))
    }

    /// Whether the id is one that is gone; and if so, whether it belonged to this owner or account.
    pub(crate) fn used_by(&self, reference: &Ref, of: Option<&str>) -> Option<bool> {
        self.removed(reference).map(|known| known.as_deref() == of)
    }

    /// I5: that what is put takes no id of a record that is gone, nor that of a closed account which was somebody else's, unless
    /// the changes say that it has come back.
    pub(crate) fn check_ids(&self, changes: &[Change]) -> Result<(), Error> {
        let resumed: HashSet<&Ref> = changes.iter().filter_map(|change| if let Change::Resume(reference) = change { Some(reference) } else { None }).collect();
        for change in changes {
            let Change::Put(record) = change else { continue };
            let is_taken = match record {
                Record::Account(account) => match self.account(account.id()) {
                    Some(before) => before.closed && !account.closed && (before.email != account.email || before.owner() != account.owner()),
                    None => self.removed(&record.reference()).is_some(),
                },
                Record::TeamMember(_) => !self.has(&record.reference()) && self.removed(&record.reference()).is_some(),
                _ => false,
            };
            if is_taken && !resumed.contains(&record.reference()) {
                return Err(used(&record.reference()));
            }
        }
        Ok(())
    }

    /// The directory that takes this one's place by an import: a record that comes back belongs to whom it belonged.
    pub(crate) fn succeeding(mut self, before: &Self) -> Result<Self, Error> {
        for ((kind, id), of) in before.used_ids.0.iter() {
            let reference = Ref::new(kind.name(), &**id);
            match self.key(&reference).filter(|key| self.hot.is_own(*key)) {
                Some(key) if self.holder_of(key) != of.as_deref() => return Err(used(&reference)),
                Some(_) => {}
                None => self.used_ids.0.insert_mut((*kind, Arc::clone(id)), of.clone()),
            }
        }
        for key in before.hot.own().filter(|key| matches!(key.kind(), Kind::Account | Kind::TeamMember)) {
            let id = before.hot.id(key);
            if !self.has(&Ref::new(key.kind().name(), id)) {
                self.used_ids.0.insert_mut((key.kind(), Arc::from(id)), before.holder_of(key).map(Arc::from));
            }
        }
        Ok(self)
    }

    /// Forgets what was stored of ids that have a record again.
    pub(super) fn tidy_used_ids(&mut self) {
        let back = |(kind, id): &(Kind, Arc<str>)| self.has(&Ref::new(kind.name(), &**id));
        let back: Vec<(Kind, Arc<str>)> = self.used_ids.0.keys().filter(|used| back(used)).cloned().collect();
        for used in back {
            self.used_ids.0.remove_mut(&used);
        }
    }

    /// The row in which a store keeps that a record is gone.
    pub(super) fn removed_row(&self, reference: &Ref) -> Result<Option<(String, String)>, Error> {
        let (Some(kind), Some(of)) = (Kind::named(reference.kind()), self.removed(reference)) else { return Ok(None) };
        Ok(Some((row_id(kind, reference.id()), UsedIds::line(kind, reference.id(), of.as_deref())?)))
    }
}
