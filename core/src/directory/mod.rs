//! The directory: an immutable, indexed snapshot of all records. A change makes a new version that
//! shares everything it does not touch.
//!
//! Records are stored as rows of a few dozen bytes, with row numbers in place of names
//! ([`rows`]). Typed records are built on request. Rows and texts are versioned
//! ([`persistent_vec`]). The indexes are hints that all versions share ([`hash_index`]). So a
//! reader needs no lock, and the cost of a change depends only on what it touches.

mod apply;
mod billing_rows;
mod chunk;
mod decoy_logins;
mod fast_json;
mod feature_set;
mod hash_index;
mod host_index;
mod integrity;
mod jsonl;
mod limits;
mod list;
mod login_index;
mod new_rows;
mod patch;
mod persist;
mod persistent_vec;
mod read_rows;
mod record_key;
mod reverse_index;
mod row_extras;
mod rows;
mod stored_facts;
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
pub(crate) use self::feature_set::feature_indexes;
pub(crate) use self::hash_index::HashIndex;
use self::host_index::HostIndex;
pub use self::jsonl::ImportProgress;
pub(crate) use self::limits::CountedRecords;
use self::login_index::LoginIndex;
pub(crate) use self::login_index::Realm;
pub use self::patch::RecordPatch;
pub(crate) use self::record_key::{RecordKey, RecordKind};
use self::reverse_index::{Referent, ReverseIndex};
pub(crate) use self::rows::{
    AccountRow, DomainRow, MemberRow, account_bit, domain_bit, member_bit,
};
pub(crate) use self::stored_facts::{OwnFact, OwnLiteral, OwnTest, StoredFacts, own_fields};
pub(crate) use self::table::NO_ROW;
pub(crate) use self::tables::Tables;
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
    /// Creates the record, or replaces the one with its type and id. Refused if the stored record
    /// has a field that the new one, read from JSON, does not name.
    Put(Record),
    /// Changes the named fields of a record; the other fields stay.
    Merge(RecordPatch),
    /// Removes the record of the given type and id.
    Remove(EntityRef),
    /// Marks a record that is put in the same transaction as restored. It continues the earlier
    /// record with its id, and takes over the usage, history and idempotency keys of that record
    /// (I5).
    Resume(EntityRef),
}

impl Change {
    /// Checks that the line which an export writes of a put record can be imported again.
    pub(crate) fn check_line(&self, record_bytes: usize) -> Result<(), Error> {
        match self {
            Self::Put(record) => record.check_line(record_bytes),
            // A merged record is checked after it is built.
            Self::Merge(_) | Self::Remove(_) | Self::Resume(_) => Ok(()),
        }
    }

    /// Returns the record that a `Merge` changes.
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
    /// Generation of the row numbers, which handles remember. A new one is assigned when records
    /// are renumbered.
    numbering: u32,
    platform: Option<Arc<Platform>>,
    /// Packages of the directory itself, without those of the catalog. They are few.
    packages: HashTrieMapSync<Arc<str>, Arc<Package>>,
    /// INVARIANT: has a row for each record, and a number for each name that a record refers to.
    /// Maintained by `apply`.
    hot: Tables,
    /// INVARIANT: contains every login by its e-mail, and perhaps stale entries. At most
    /// one login of an open account has a realm and e-mail. Maintained by `apply`.
    logins: LoginIndex,
    /// INVARIANT: contains everything that `Tables::targets` returns, and perhaps stale entries.
    /// Maintained by `apply`.
    referrers: ReverseIndex,
    /// INVARIANT: contains exactly the domains in use, the claims and the lapses. Maintained by
    /// `apply`.
    hosts: HostIndex,
    stand_ins: StandIns,
    /// INVARIANT: has an entry for each account and member that was removed. Maintained by `apply`,
    /// and preserved by imports.
    used_ids: UsedIds,
    /// Number of names without a record at the time when the policies had reserved their names.
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
    /// Returns the revision, which each transaction increases by one.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the generation of the row numbers.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.numbering
    }

    /// Returns the rows that policies read.
    #[inline]
    pub(crate) fn tables(&self) -> &Tables {
        &self.hot
    }

    /// Returns the rows mutably, so that names can be given numbers.
    pub(crate) fn tables_mut(&mut self) -> &mut Tables {
        &mut self.hot
    }

    /// Returns the directory bound to another bundle's catalog and schema.
    ///
    /// # Errors
    /// [`Error::Attributes`] if the custom attributes of a record do not fit the schema. They are
    /// validated only if `anew` is set.
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
                record: self.record_in_words(key),
                reason,
            })?;
        }
        Ok(next)
    }

    /// Marks all names that the policies use as reserved, so that compaction does not count them as
    /// garbage.
    pub(crate) fn mark_names_reserved(&mut self) {
        self.reserved_names = self.hot.bare_names();
    }

    /// Does the maintenance that a writer runs before its change, or returns `None` if there is
    /// nothing to do. Grows indexes, rebuilds the reverse index if it is stale, and renumbers the
    /// records if most numbers belong to removed records. The result has equal records and the same
    /// revision.
    pub(crate) fn compacted(
        &self,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
    ) -> Result<Option<Self>, Error> {
        let unused = self.hot.bare_names().saturating_sub(self.reserved_names);
        if unused / 2 > self.hot.names().saturating_sub(unused).saturating_add(2048) {
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

    /// Returns a directory with the same records, renumbered in a new generation.
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
        next.mark_names_reserved();
        Ok(next)
    }

    /// Returns the type and id of a record.
    pub(crate) fn reference(&self, key: RecordKey) -> EntityRef {
        EntityRef::new(key.kind().name(), self.hot.id(key))
    }

    /// Returns the record as a message names it, such as "account `acme`".
    fn record_in_words(&self, key: RecordKey) -> String {
        let kind = match key.kind() {
            RecordKind::Account => "account",
            RecordKind::TeamMember => "member",
            kind => kind.name(),
        };
        let id = crate::util::text::short(self.hot.id(key));
        format!("{kind} `{id}`")
    }

    /// Returns the key of a reference that has a number. A domain name is normalised first.
    fn key(&self, reference: &EntityRef) -> Option<RecordKey> {
        let kind = RecordKind::named(reference.kind())?;
        if kind == RecordKind::Domain {
            return self.hot.key(
                kind,
                &crate::model::domain::normalise_id(reference.id()).ok()?,
            );
        }
        self.hot.key(kind, reference.id())
    }

    /// Returns whether the record exists, in the directory or in the catalog.
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

    /// Returns the account that a login works in: the account of the login, or the account of the
    /// team member. Operators have none.
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

    /// Returns the key of a login, or `None` if the login does not exist.
    pub(crate) fn login_key(&self, login: &EntityRef) -> Option<RecordKey> {
        self.key(login)
            .filter(|key| self.login_shape(*key).is_some())
    }

    /// Returns the realm of a login, or `None` if the login does not exist.
    pub(crate) fn realm(&self, login: RecordKey) -> Option<Realm> {
        self.hot.realm(login)
    }

    /// Returns the id of the account that a login works in.
    pub(crate) fn account_id_of(&self, login: &EntityRef) -> Option<&str> {
        let account = self.account_of(self.key(login)?)?;
        self.hot
            .accounts
            .row(account)
            .and_then(|_| self.hot.accounts.id(account))
    }

    /// Returns the row number of the owner of a domain in use, or [`NO_ROW`] for a platform domain.
    pub(crate) fn owner_of_host(&self, domain: &str) -> Option<u32> {
        let (_, row) = self.hot.domains.find(domain)?;
        row.state().is_in_use().then_some(row.owner)
    }
}
