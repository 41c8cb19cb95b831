//! Ids of removed accounts and members. Usage, reservations, history and idempotency keys belong to
//! an id, so no other record may take it (I5).
//!
//! One entry for each such id is stored for the life of the directory, because lifetime usage and
//! history are too. It takes about a hundred bytes in memory and a row in the store. It contains no
//! e-mail.

use std::collections::HashSet;
use std::sync::Arc;

use rpds::HashTrieMapSync;
use serde::{Deserialize, Serialize};

use super::record_key::{RecordKey, RecordKind};
use super::{Change, Directory};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::digest;
use crate::util::error::Error;

/// Record type under which a store holds a removed id.
pub(super) const REMOVED: &str = "Removed";

/// Removed ids, with their previous holders. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct UsedIds(HashTrieMapSync<(RecordKind, Arc<str>), IdHolder>);

/// The record that had an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct IdHolder {
    /// The owner of a client, or the account of a member.
    owner: Option<Arc<str>>,
    /// A hash of the record's type, id and e-mail. It tells whether the record comes back with an
    /// equal e-mail, without storing the e-mail.
    email: String,
}

impl IdHolder {
    fn from_record(record: &Record) -> Option<Self> {
        let (owner, email) = match record {
            Record::Account(account) => (account.owner(), account.email()),
            Record::TeamMember(member) => (Some(member.account()), member.login_name()),
            _ => return None,
        };
        let digest = digest::sha256([record.kind(), record.id(), email]);
        Some(Self {
            owner: owner.map(Arc::from),
            email: digest::hex(digest.iter().take(16)),
        })
    }
}

/// A removed id as a store holds it. Its `type` comes first, so that its line is distinguished from
/// a record's line by a prefix.
#[derive(Serialize, Deserialize)]
struct RemovedLine {
    r#type: String,
    record: (String, String),
    #[serde(flatten)]
    holder: IdHolder,
}

impl UsedIds {
    /// Updates the entry of a record that a transaction removed or created.
    pub(super) fn change(&mut self, key: RecordKey, now: &Directory, before: &Directory) {
        if !matches!(key.kind(), RecordKind::Account | RecordKind::TeamMember) {
            return;
        }
        match (before.hot.is_own(key), now.hot.is_own(key)) {
            (true, false) => {
                if let Some(holder) = before.holder(key) {
                    self.0
                        .insert_mut((key.kind(), Arc::from(before.hot.id(key))), holder);
                }
            }
            (false, true) if !self.0.is_empty() => {
                self.0.remove_mut(&(key.kind(), Arc::from(now.hot.id(key))));
            }
            _ => {}
        }
    }

    /// Reads a line that [`UsedIds::line`] wrote. Returns `false` if the line is a record.
    pub(super) fn read(&mut self, text: &str) -> Result<bool, Error> {
        if !text.starts_with(r#"{"type":"Removed""#) {
            return Ok(false);
        }
        let line: RemovedLine = serde_json::from_str(text).map_err(|error| Error::Record {
            line: 1,
            reason: error.to_string(),
        })?;
        if let Some(kind) = RecordKind::named(&line.record.0) {
            self.0
                .insert_mut((kind, Arc::from(line.record.1)), line.holder);
        }
        Ok(true)
    }

    fn line(kind: RecordKind, id: &str, holder: &IdHolder) -> Result<String, Error> {
        let line = RemovedLine {
            r#type: REMOVED.to_owned(),
            record: (kind.name().to_owned(), id.to_owned()),
            holder: holder.clone(),
        };
        serde_json::to_string(&line).map_err(|error| Error::Stream {
            reason: error.to_string(),
        })
    }

    /// Passes every entry to `each`, with the id of its store row and its line.
    pub(super) fn each(
        &self,
        each: &mut dyn FnMut(&str, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.0.iter().try_for_each(|((kind, id), holder)| {
            each(&row_id(*kind, id), &Self::line(*kind, id, holder)?)
        })
    }
}

fn row_id(kind: RecordKind, id: &str) -> String {
    format!("{}/{id}", kind.name())
}

fn id_used_error(reference: &EntityRef) -> Error {
    Error::IdUsed {
        record: reference.to_string(),
    }
}

impl Directory {
    fn holder(&self, key: RecordKey) -> Option<IdHolder> {
        IdHolder::from_record(&self.own_record(key)?)
    }

    fn removed(&self, reference: &EntityRef) -> Option<&IdHolder> {
        let kind = RecordKind::named(reference.kind())?;
        self.used_ids.0.get(&(kind, Arc::from(reference.id())))
    }

    /// Returns whether a record had this id and was removed.
    pub(super) fn was_removed(&self, reference: &EntityRef) -> bool {
        self.removed(reference).is_some()
    }

    /// Returns whether a removed id belonged to this owner or account, or `None` if the id was not
    /// removed.
    pub(crate) fn was_used_by(&self, reference: &EntityRef, owner: Option<&str>) -> Option<bool> {
        self.removed(reference)
            .map(|holder| holder.owner.as_deref() == owner)
    }

    /// Returns whether a closed account was reopened with another e-mail or owner.
    fn is_taken_over(&self, before: &Self, reference: &EntityRef) -> bool {
        if reference.kind() != RecordKind::Account.name() {
            return false;
        }
        let (Some(old), Some(new)) = (before.account(reference.id()), self.account(reference.id()))
        else {
            return false;
        };
        old.is_closed()
            && !new.is_closed()
            && (old.email != new.email || old.owner() != new.owner())
    }

    /// Returns the account of a removed principal. The idempotency keys of the principal's earlier
    /// requests are stored under that account.
    pub(crate) fn account_of_removed<'a>(&'a self, principal: &'a EntityRef) -> Option<&'a str> {
        let holder = self.removed(principal)?;
        if principal.kind() == RecordKind::Account.name() {
            Some(principal.id())
        } else {
            holder.owner.as_deref()
        }
    }

    /// I5: checks the ids of the records that these changes made of `before`. Fails with
    /// `Error::IdUsed` if one takes the id of a removed record, or of a closed account with another
    /// e-mail or owner. A change that marks the record as resumed permits it.
    pub(crate) fn check_ids(&self, before: &Self, changes: &[Change]) -> Result<(), Error> {
        let resumed: HashSet<&EntityRef> = changes
            .iter()
            .filter_map(|change| {
                if let Change::Resume(reference) = change {
                    Some(reference)
                } else {
                    None
                }
            })
            .collect();
        for reference in before.references(changes) {
            let is_taken = before.removed(&reference).is_some() && self.has(&reference)
                || self.is_taken_over(before, &reference);
            if is_taken && !resumed.contains(&reference) {
                return Err(id_used_error(&reference));
            }
        }
        Ok(())
    }

    /// Returns the directory as the successor of `before` after an import. Fails with
    /// `Error::IdUsed` if a returning id has another holder than before.
    pub(crate) fn into_successor_of(mut self, before: &Self) -> Result<Self, Error> {
        for ((kind, id), holder) in before.used_ids.0.iter() {
            let reference = EntityRef::new(kind.name(), &**id);
            match self.key(&reference).filter(|key| self.hot.is_own(*key)) {
                Some(key) if self.holder(key).as_ref() != Some(holder) => {
                    return Err(id_used_error(&reference));
                }
                Some(_) => {}
                None => self
                    .used_ids
                    .0
                    .insert_mut((*kind, Arc::clone(id)), holder.clone()),
            }
        }
        for key in before
            .hot
            .own()
            .filter(|key| matches!(key.kind(), RecordKind::Account | RecordKind::TeamMember))
        {
            let reference = before.reference(key);
            if self.has(&reference) {
                if self.is_taken_over(before, &reference) {
                    return Err(id_used_error(&reference));
                }
            } else if let Some(holder) = before.holder(key) {
                self.used_ids
                    .0
                    .insert_mut((key.kind(), Arc::from(reference.id())), holder);
            }
        }
        Ok(self)
    }

    /// Deletes the entries of ids that have a record again.
    pub(super) fn tidy_used_ids(&mut self) {
        let back =
            |(kind, id): &(RecordKind, Arc<str>)| self.has(&EntityRef::new(kind.name(), &**id));
        let back: Vec<(RecordKind, Arc<str>)> = self
            .used_ids
            .0
            .keys()
            .filter(|used| back(used))
            .cloned()
            .collect();
        for used in back {
            self.used_ids.0.remove_mut(&used);
        }
    }

    /// Returns the id and line of the store row for a removed record.
    pub(super) fn removed_row(
        &self,
        reference: &EntityRef,
    ) -> Result<Option<(String, String)>, Error> {
        let (Some(kind), Some(holder)) =
            (RecordKind::named(reference.kind()), self.removed(reference))
        else {
            return Ok(None);
        };
        Ok(Some((
            row_id(kind, reference.id()),
            UsedIds::line(kind, reference.id(), holder)?,
        )))
    }
}
