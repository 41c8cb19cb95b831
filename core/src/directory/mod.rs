//! Who is who: one immutable, indexed snapshot. A change makes a new one and shares what it does
//! not touch.
//!
//! Records are rows, a few dozen bytes each, with numbers for names ([`tables`]); typed records are
//! built when asked for. Rows and texts are versioned ([`persistent_vec`]); the indexes are hints that all
//! versions share ([`hash_index`]), so that a reader needs no lock and a change costs what it touches.

mod apply;
mod chunk;
mod decoy_logins;
mod fast_json;
mod feature_set;
mod hash_index;
mod host_index;
mod integrity;
mod jsonl;
mod limits;
mod login_index;
mod patch;
mod persist;
mod persistent_vec;
mod read_rows;
mod record_key;
mod reverse_index;
mod row_extras;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod used_ids;
mod write_rows;

use std::sync::Arc;

use rpds::HashTrieMapSync;

pub(crate) use self::decoy_logins::LoginShape;
use self::decoy_logins::StandIns;
pub(crate) use self::hash_index::HashIndex;
use self::host_index::HostIndex;
pub use self::jsonl::ImportProgress;
pub(crate) use self::limits::CountedRecords;
use self::login_index::LoginIndex;
pub(crate) use self::login_index::Realm;
pub use self::patch::RecordPatch;
pub(crate) use self::record_key::{RecordKey, RecordKind};
use self::reverse_index::{Referent, ReverseIndex};
pub(crate) use self::table::NO_ROW;
pub(crate) use self::tables::{
    AccountRow, DomainRow, MemberRow, Tables, account_bit, domain_bit, member_bit,
};
use self::used_ids::UsedIds;
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::operator::Platform;
use crate::model::package::Package;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// A change of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Creates the record, or replaces the one with its type and id: refused if that one has
    /// something that the new one, read from JSON, does not name.
    Put(Record),
    /// Changes these fields of a record; the rest stays.
    Merge(RecordPatch),
    /// Removes the record of that type and id.
    Remove(EntityRef),
    /// Says of a record that is put in the same transaction that it has come back: it goes on where
    /// the one that had its id ended, with that one's counts, history and keys (I5).
    Resume(EntityRef),
}

impl Change {
    /// Whether the line that an export writes of what is put can be imported again.
    pub(crate) fn check_line(&self, record_bytes: usize) -> Result<(), Error> {
        match self {
            Self::Put(record) => record.check_line(record_bytes),
            // A merged record is seen when it is made.
            Self::Merge(_) | Self::Remove(_) | Self::Resume(_) => Ok(()),
        }
    }

    /// The record of which some fields change.
    pub(crate) fn merged(&self) -> Option<&EntityRef> {
        if let Self::Merge(patch) = self {
            Some(patch.reference())
        } else {
            None
        }
    }
}

/// One version of the directory. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    revision: u64,
    /// What handles remember: given anew where records get numbers anew.
    numbering: u32,
    platform: Option<Arc<Platform>>,
    /// The packages of the directory itself: few.
    packages: HashTrieMapSync<Arc<str>, Arc<Package>>,
    /// INVARIANT: a row for each record, and a number for what it names; kept by `apply`.
    hot: Tables,
    /// INVARIANT: every login by its e-mail, and others. Of one realm and e-mail there is one
    /// login; kept by `apply`.
    logins: LoginIndex,
    /// INVARIANT: whatever `Tables::targets` says, and more; kept by `apply`.
    referrers: ReverseIndex,
    /// INVARIANT: exactly the verified domains, by owner; kept by `apply`.
    hosts: HostIndex,
    stand_ins: StandIns,
    /// INVARIANT: of each account and member that is gone; kept by `apply`, and over imports.
    used_ids: UsedIds,
    /// How many names had no record when policies had named theirs.
    reserved_names: u32,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            revision: 0,
            numbering: crate::util::generation::numbering(),
            platform: None,
            packages: HashTrieMapSync::default(),
            hot: Tables::default(),
            logins: LoginIndex::default(),
            referrers: ReverseIndex::default(),
            hosts: HostIndex::default(),
            stand_ins: StandIns::default(),
            used_ids: UsedIds::default(),
            reserved_names: 0,
        }
    }
}

impl Directory {
    /// Grows by one with each transaction.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Names the numbering of its records.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.numbering
    }

    /// The rows that policies read.
    #[inline]
    pub(crate) fn hot(&self) -> &Tables {
        &self.hot
    }

    /// The rows, to give numbers to names.
    pub(crate) fn hot_mut(&mut self) -> &mut Tables {
        &mut self.hot
    }

    /// The same directory, read with another bundle.
    ///
    /// # Errors
    /// [`Error::Attributes`] where a record's own attributes do not fit its schema. They are asked
    /// only `anew`.
    pub(crate) fn bind_catalog(
        &self,
        catalog: &Catalog,
        old: &Catalog,
        names: &impl SchemaVocabulary,
        anew: bool,
    ) -> Result<Self, Error> {
        let mut next = self.clone();
        next.hot.declare(&names.features(), catalog, old);
        if anew {
            let typed = next.hot.retype(names);
            typed.map_err(|(key, reason)| Error::Attributes {
                record: self.reference(key).to_string(),
                reason,
            })?;
        }
        Ok(next)
    }

    /// Says that policies have named what they name.
    pub(crate) fn named(&mut self) {
        self.reserved_names = self.hot.bare_names();
    }

    /// What a writer does before its turn, if there is anything to do: lets indexes grow, clears
    /// out chains, and gives new numbers when most were of records that are gone. The same records
    /// at the same revision.
    pub(crate) fn compacted(
        &self,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
    ) -> Result<Option<Self>, Error> {
        let gone = self.hot.bare_names().saturating_sub(self.reserved_names);
        if gone / 2 > self.hot.names().saturating_sub(gone).saturating_add(2048) {
            return self.rebuilt(catalog, names).map(Some);
        }
        let stale = self.referrers.needs_rebuild();
        if !stale && !self.hot.needs_growth() && !self.logins.needs_growth() {
            return Ok(None);
        }
        let mut next = self.clone();
        next.hot.grow();
        if next.logins.needs_growth() {
            next.logins.grow(&next.hot);
        }
        if stale {
            next.referrers = ReverseIndex::rebuild(&next.hot);
        }
        Ok(Some(next))
    }

    /// The same records with numbers of a new numbering.
    fn rebuilt(&self, catalog: &Catalog, names: &impl SchemaVocabulary) -> Result<Self, Error> {
        let mut next = Self {
            revision: self.revision,
            used_ids: self.used_ids.clone(),
            ..Self::default()
        }
        .bind_catalog(catalog, &Catalog::default(), names, true)?;
        for key in self.hot.own() {
            if let Some(record) = self.own_record(key) {
                let (key, _) = next.put(record, names)?;
                next.index_all(key);
            }
        }
        next.hot.settle();
        next.named();
        Ok(next)
    }

    /// The record's type and id.
    pub(crate) fn reference(&self, key: RecordKey) -> EntityRef {
        EntityRef::new(key.kind().name(), self.hot.id(key))
    }

    /// The key of a reference that has a number; a domain's name is taken as it is written.
    fn key(&self, reference: &EntityRef) -> Option<RecordKey> {
        let kind = RecordKind::named(reference.kind())?;
        if kind == RecordKind::Domain {
            return self
                .hot
                .key(kind, &crate::model::host::normalise(reference.id()).ok()?);
        }
        self.hot.key(kind, reference.id())
    }

    /// Whether there is such a record, in the directory or in the catalog.
    pub(crate) fn has(&self, reference: &EntityRef) -> bool {
        let id = reference.id();
        match RecordKind::named(reference.kind()) {
            Some(RecordKind::AccessLevel) => self.hot.levels.find(id).is_some(),
            Some(RecordKind::Account) => self.hot.accounts.find(id).is_some(),
            Some(RecordKind::Domain) => self.hot.domains.find(id).is_some(),
            Some(RecordKind::Operator) => self.hot.operators.find(id).is_some(),
            Some(RecordKind::Package) => self.hot.packages.find(id).is_some(),
            Some(RecordKind::Platform) => self.hot.platforms.find(id).is_some(),
            Some(RecordKind::TeamMember) => self.hot.members.find(id).is_some(),
            None => false,
        }
    }

    /// The account that a login works in: its own, or a member's. Operators have none.
    pub(crate) fn account_of(&self, login: RecordKey) -> Option<u32> {
        match login.kind() {
            RecordKind::Account => self
                .hot
                .accounts
                .row(login.number())
                .map(|_| login.number()),
            RecordKind::TeamMember => self.hot.members.row(login.number()).map(|row| row.account),
            _ => None,
        }
    }

    /// The key of a login that there is.
    pub(crate) fn login_key(&self, login: &EntityRef) -> Option<RecordKey> {
        self.key(login)
            .filter(|key| self.login_shape(*key).is_some())
    }

    /// The realm of a login that there is.
    pub(crate) fn realm(&self, login: RecordKey) -> Option<Realm> {
        self.hot.realm(login)
    }

    /// The id of the account that a login works in.
    pub(crate) fn account_id_of(&self, login: &EntityRef) -> Option<&str> {
        let account = self.account_of(self.key(login)?)?;
        self.hot
            .accounts
            .row(account)
            .and_then(|_| self.hot.accounts.id(account))
    }

    /// The number of a verified domain's owner, or [`NO_ROW`] for a platform domain.
    pub(crate) fn verified(&self, domain: &str) -> Option<u32> {
        let (_, row) = self.hot.domains.find(domain)?;
        if row.state() == crate::model::domain::DomainState::Verified {
            Some(row.owner)
        } else {
            None
        }
    }
}
