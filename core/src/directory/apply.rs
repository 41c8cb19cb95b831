//! Transactions: all changes are applied, or none. Touches only the changed records and the records
//! that refer to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Map;

use super::new_rows::{NewAccount, NewMember};
use super::record_key::{RecordKey, RecordKind};
use super::{Change, Directory, NO_ROW, Referent};
use crate::model::account::{Account, AccountKind};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::member::TeamMember;
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Keys of the changed records, and for each put record the fields that its JSON named.
type StoredChanges = (BTreeSet<RecordKey>, Vec<(RecordKey, NamedFields)>);

impl Directory {
    /// Returns the directory after these changes. They form one transaction, whose inner order does
    /// not matter.
    pub(crate) fn apply(
        &self,
        changes: Vec<Change>,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
        expected: Option<u64>,
    ) -> Result<Self, Error> {
        self.expect(expected)?;
        let mut next = self.clone();
        next.revision = self.revision.saturating_add(1);
        let (touched, put) = next.apply_all(changes, catalog, names)?;
        let written: BTreeSet<RecordKey> = put
            .iter()
            .filter(|(_, fields)| fields.is_said("level"))
            .map(|(key, _)| *key)
            .collect();
        for key in touched.iter().filter(|key| {
            key.kind() == RecordKind::Account && !self.hot.is_own(**key) && !written.contains(*key)
        }) {
            next.default_level(key.number());
        }
        next.check_named(&put, self)?;
        for key in &touched {
            next.referrers
                .change(*key, next.hot.targets(*key), self.hot.targets(*key));
            next.hosts.change(*key, &next.hot, Some(&self.hot));
            let mut used_ids = std::mem::take(&mut next.used_ids);
            used_ids.change(*key, &next, self);
            next.used_ids = used_ids;
        }
        next.index_logins(&touched, self)?;
        next.check(&touched, self, catalog, names)?;
        Ok(next)
    }

    /// Fails with `Error::Revision` if a revision is expected and is not the current one.
    pub(crate) fn expect(&self, expected: Option<u64>) -> Result<(), Error> {
        let other = expected.filter(|expected| *expected != self.revision);
        other.map_or(Ok(()), |expected| {
            Err(Error::Revision {
                expected,
                found: self.revision,
            })
        })
    }

    /// Applies the changes to the rows. Returns the changed records and the named fields of the put
    /// ones.
    fn apply_all(
        &mut self,
        changes: Vec<Change>,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
    ) -> Result<StoredChanges, Error> {
        let (mut touched, mut fields_of_put) = (BTreeSet::new(), Vec::new());
        for change in changes {
            match change {
                Change::Put(record) => {
                    let fields = record.named();
                    let (key, _) = self.put(record, names)?;
                    if !touched.insert(key) {
                        return Err(self.duplicate_error(key));
                    }
                    fields_of_put.push((key, fields));
                }
                Change::Merge(patch) => {
                    let key = self.stored(patch.reference())?;
                    let before = self.own_record(key).ok_or_else(|| Error::UnknownRecord {
                        record: patch.reference().to_string(),
                    })?;
                    let (key, _) = self.put(patch.merged(&before)?, names)?;
                    if !touched.insert(key) {
                        return Err(self.duplicate_error(key));
                    }
                }
                Change::Resume(_) => {}
                Change::Remove(reference) => {
                    let key = self.stored(&reference)?;
                    if !touched.insert(key) {
                        return Err(Error::DuplicateId {
                            record: self.reference(key).to_string(),
                        });
                    }
                    self.remove(key, catalog);
                }
            }
        }
        Ok((touched, fields_of_put))
    }

    /// Returns the error for a record that occurs twice in one transaction or import.
    pub(super) fn duplicate_error(&self, key: RecordKey) -> Error {
        match key.kind() {
            RecordKind::Domain => Error::DuplicateDomain {
                domain: self.hot.id(key).to_owned(),
            },
            _ => Error::DuplicateId {
                record: self.reference(key).to_string(),
            },
        }
    }

    /// Returns the key of a reference. Fails with `Error::UnknownRecord` if the directory has no
    /// such record.
    fn stored(&self, reference: &EntityRef) -> Result<RecordKey, Error> {
        let found = self.key(reference).filter(|key| self.hot.is_own(*key));
        found.ok_or_else(|| Error::UnknownRecord {
            record: reference.to_string(),
        })
    }

    /// Puts a record. Returns its key, and whether a record with its type and id existed.
    pub(super) fn put(
        &mut self,
        record: Record,
        names: &impl SchemaVocabulary,
    ) -> Result<(RecordKey, bool), Error> {
        let put = match record {
            Record::Platform(platform) => {
                if let Some(first) = self
                    .platform
                    .as_deref()
                    .filter(|first| first.id() != platform.id())
                {
                    return Err(Error::SecondPlatform {
                        first: first.id().to_owned(),
                        second: platform.id().to_owned(),
                    });
                }
                let put = self.hot.put_platform(&platform);
                self.platform = Some(Arc::new(platform));
                put
            }
            Record::Operator(operator) => self.hot.put_operator(&operator),
            Record::Package(package) => {
                let put = self.hot.put_package(&package, true);
                self.packages
                    .insert_mut(Arc::from(package.id()), Arc::new(package));
                put
            }
            Record::AccessLevel(level) => self.hot.put_level(&level, true),
            Record::Account(mut account) => {
                let (limits, attributes) = (
                    std::mem::take(&mut account.limits),
                    std::mem::take(&mut account.attributes),
                );
                self.hot.put_account(
                    NewAccount {
                        limits,
                        attributes,
                        ..new_account(&account)
                    },
                    names,
                )
            }
            Record::TeamMember(mut member) => {
                let (limits, attributes) = (
                    std::mem::take(&mut member.sub_limits),
                    std::mem::take(&mut member.attributes),
                );
                self.hot.put_member(
                    NewMember {
                        limits,
                        attributes,
                        ..new_member(&member)
                    },
                    names,
                )
            }
            Record::Domain(domain) => self.hot.put_domain(&domain),
        };
        put.ok_or_else(Self::table_full_error)
    }

    /// Returns the error for a type that has no free row numbers left.
    pub(super) fn table_full_error() -> Error {
        Error::Record {
            line: 1,
            reason: "there are more than 67,108,862 ids of its type".to_owned(),
        }
    }

    fn remove(&mut self, key: RecordKey, catalog: &Catalog) {
        match key.kind() {
            RecordKind::Platform => self.platform = None,
            RecordKind::Package => drop(self.packages.remove_mut(self.hot.id(key))),
            _ => {}
        }
        self.hot.remove(key, catalog);
    }

    /// L7: gives a new client without a level the one that the owner's package names.
    pub(super) fn default_level(&mut self, account: u32) {
        let level = || {
            let row = self
                .hot
                .accounts
                .row(account)
                .filter(|row| row.owner != NO_ROW && row.level == NO_ROW)?;
            let package = self.hot.accounts.row(row.owner)?.package;
            self.hot.packages.row(package).map(|package| package.level)
        };
        if let Some(level) = level().filter(|level| *level != NO_ROW) {
            self.hot.attach(account, level);
        }
    }

    /// I1: indexes the changed logins and checks that one login holds an e-mail in a realm. If an
    /// account changes its owner or is reopened, the logins of its members are checked too.
    fn index_logins(&mut self, touched: &BTreeSet<RecordKey>, before: &Self) -> Result<(), Error> {
        let mut logins = BTreeSet::new();
        for key in touched {
            if let Some(email) = self.hot.login_email(*key) {
                if before.hot.login_email(*key) != Some(email) {
                    self.logins.insert(email, *key);
                }
                logins.insert(*key);
            }
            let is_moved = before.hot.realm(*key) != self.hot.realm(*key)
                || before.hot.is_released(*key) && !self.hot.is_released(*key);
            if key.kind() == RecordKind::Account && is_moved {
                let referrers = self
                    .referrers
                    .find_referrers(Referent::Record(*key), &self.hot);
                logins.extend(
                    referrers
                        .into_iter()
                        .filter(|referrer| referrer.kind() == RecordKind::TeamMember),
                );
            }
        }
        self.check_logins(logins.iter().copied(), |login| logins.contains(&login))
    }

    /// Adds a new record to all indexes. Returns whether another login may have the same e-mail.
    pub(super) fn index_all(&mut self, key: RecordKey) -> bool {
        self.referrers.change(key, self.hot.targets(key), [None; 2]);
        self.hosts.change(key, &self.hot, None);
        self.hot
            .login_email(key)
            .is_some_and(|email| self.logins.insert(email, key))
    }
}

/// Converts an account to its row input, without limits and attributes, which few accounts have.
pub(super) fn new_account(account: &Account) -> NewAccount<'_> {
    let (owner, package, level) = match account.kind() {
        AccountKind::Main { package } => (None, Some(package.as_str()), None),
        AccountKind::Client { owner, level } => (Some(owner.as_str()), None, level.as_deref()),
    };
    let disabled = account.disabled().fold(0, |all, reason| {
        all | 1_u16
            .checked_shl(super::rows::reason_bit(reason))
            .unwrap_or(0)
    });
    let (limits, attributes) = (crate::model::limit::Limits::new(), Map::new());
    NewAccount {
        id: &account.id,
        email: &account.email,
        owner,
        package,
        level,
        flags: account.flags,
        disabled,
        limits,
        calendar: account.calendar.as_ref(),
        pending: account.pending.as_ref(),
        transfer: account.transfer.as_ref(),
        created: account.created,
        closed_at: account.closed_at,
        not_before: account.not_before,
        attributes,
    }
}

/// Converts a member to its row input, without limits and attributes, which few members have.
pub(super) fn new_member(member: &TeamMember) -> NewMember<'_> {
    let (grants, limits, attributes) = (
        member.grants().collect(),
        crate::model::limit::Limits::new(),
        Map::new(),
    );
    let pending = member.pending.as_ref();
    NewMember {
        id: &member.id,
        account: &member.account,
        login_name: member.login_name(),
        flags: member.flags,
        grants,
        limits,
        pending,
        service: member.service.as_ref(),
        not_before: member.not_before,
        attributes,
    }
}
