//! The invariants of the directory, each with its error code.

use std::collections::BTreeSet;

use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::rows::AccountRow;
use super::{Directory, NO_ROW, Referent};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::limit::Limits;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

pub(super) struct IntegrityCheck<'a, N> {
    pub(super) after: &'a Directory,
    pub(super) before: &'a Directory,
    pub(super) catalog: &'a Catalog,
    pub(super) names: &'a N,
    /// Whether attributes are validated again, because the schema has changed.
    pub(super) anew: bool,
}

impl Directory {
    /// Checks every invariant of the touched records and of the records that refer to them.
    pub(super) fn check(
        &self,
        touched: &BTreeSet<RecordKey>,
        before: &Self,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
    ) -> Result<(), Error> {
        let check = IntegrityCheck {
            after: self,
            before,
            catalog,
            names,
            anew: false,
        };
        check.all(touched.iter().copied())?;
        // Records that name an account depend on whether it has an owner; records that name a level
        // depend on the owner of the level.
        let mut changed: Vec<(EntityRef, RecordKey)> = touched
            .iter()
            .filter(|key| !self.hot.is_own(**key) || check.check_referrers(**key))
            .map(|key| (self.reference(*key), *key))
            .collect();
        changed.sort_unstable();
        for (reference, key) in changed {
            let referrers = self
                .referrers
                .find_referrers(Referent::Record(key), &self.hot)
                .into_iter();
            let mut referrers: Vec<(EntityRef, RecordKey)> = referrers
                .map(|referrer| (self.reference(referrer), referrer))
                .collect();
            referrers.sort_unstable();
            for (by, referrer) in referrers {
                if !self.hot.is_own(key) {
                    return Err(Error::InUse {
                        record: reference.to_string(),
                        by: by.to_string(),
                    });
                }
                if !touched.contains(&referrer) {
                    check.record(referrer)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the reasons why this directory does not fit a bundle, at most [`MAX_REASONS`]. Each
    /// is the error that a process gets when it opens these records with the bundle. `old` is the
    /// catalog that the directory was loaded with.
    pub(crate) fn misfits(
        &self,
        catalog: &Catalog,
        old: &Catalog,
        names: &impl SchemaVocabulary,
    ) -> Vec<String> {
        let declared = match self.bind_catalog(catalog, old, names, false) {
            Ok(declared) => declared,
            Err(error) => return vec![error.to_string()],
        };
        let nothing = Self::default();
        let check = IntegrityCheck::of_all(&declared, &nothing, catalog, names);
        let faults = declared
            .keys_in_order()
            .filter_map(|key| check.record(key).err());
        faults
            .take(MAX_REASONS)
            .map(|error| error.to_string())
            .collect()
    }
}

/// Maximum number of reasons in one refusal.
const MAX_REASONS: usize = 20;

impl<'a, N: SchemaVocabulary> IntegrityCheck<'a, N> {
    /// Builds the check of a whole directory against a bundle, independent of the previous state.
    /// `open`, `import`, `reload` and the command all use it, so that they agree.
    pub(super) fn of_all(
        after: &'a Directory,
        nothing: &'a Directory,
        catalog: &'a Catalog,
        names: &'a N,
    ) -> Self {
        Self {
            after,
            before: nothing,
            catalog,
            names,
            anew: true,
        }
    }

    /// Checks every invariant of these records, which are sorted by type. Returns the error of the
    /// first faulty record by type and id.
    pub(super) fn all(&self, keys: impl Iterator<Item = RecordKey>) -> Result<(), Error> {
        let mut first: Option<(RecordKey, Error)> = None;
        for key in keys {
            if let Some((known, _)) = &first
                && (known.kind() != key.kind()
                    || self.after.hot.id(*known) <= self.after.hot.id(key))
            {
                if known.kind() != key.kind() {
                    break;
                }
                continue;
            }
            if let Err(error) = self.record(key) {
                first = Some((key, error));
            }
        }
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Returns whether a property changed that other records rely on.
    fn check_referrers(&self, key: RecordKey) -> bool {
        let number = key.number();
        match key.kind() {
            RecordKind::Account => {
                let owner = |directory: &Directory| {
                    directory
                        .hot
                        .accounts
                        .row(number)
                        .map_or(NO_ROW, |row| row.owner)
                };
                owner(self.before) != owner(self.after)
            }
            RecordKind::AccessLevel => {
                let owner = |directory: &Directory| {
                    directory
                        .hot
                        .levels
                        .row(number)
                        .filter(|row| row.is_own())
                        .map(|row| row.owner)
                };
                owner(self.before) != owner(self.after)
            }
            _ => false,
        }
    }

    /// Checks every invariant of a record of the directory, if it exists.
    fn record(&self, key: RecordKey) -> Result<(), Error> {
        let (number, hot) = (key.number(), &self.after.hot);
        match key.kind() {
            RecordKind::Platform | RecordKind::Operator => Ok(()),
            RecordKind::Package => self.package(key),
            RecordKind::AccessLevel => self.level(key),
            RecordKind::Account => hot
                .accounts
                .row(number)
                .map_or(Ok(()), |row| self.account(key, row)),
            RecordKind::TeamMember => hot.members.row(number).map_or(Ok(()), |row| {
                self.known(row.account)?;
                self.features(key, row.grants, hot.more_grants(number, row))?;
                self.check_extras(key)
            }),
            RecordKind::Domain => hot
                .domains
                .row(number)
                .filter(|row| row.owner != NO_ROW)
                .map_or(Ok(()), |row| self.main(row.owner, key)),
        }
    }

    fn name(&self, key: RecordKey) -> String {
        self.after.reference(key).to_string()
    }

    fn package(&self, key: RecordKey) -> Result<(), Error> {
        let Some(package) = self.after.packages.get(self.after.hot.id(key)) else {
            return Ok(());
        };
        let name = || self.name(key);
        self.not_in_catalog(self.catalog.package(package.id()).is_some(), key)?;
        if let Some(feature) = package
            .features()
            .find(|feature| !self.names.has_feature(feature))
        {
            return Err(Error::UnknownFeature {
                record: name(),
                feature: feature.to_owned(),
            });
        }
        self.meters(&name, package.limits())?;
        self.meters(&name, package.client_limits())?;
        self.meters(&name, package.client_limits_max())?;
        match package
            .client_level()
            .filter(|level| self.catalog.level(level).is_none())
        {
            Some(level) => Err(Error::UnknownLevel {
                account: name(),
                level: level.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn level(&self, key: RecordKey) -> Result<(), Error> {
        let hot = &self.after.hot;
        let Some(row) = hot.levels.row(key.number()).filter(|row| row.is_own()) else {
            return Ok(());
        };
        self.not_in_catalog(self.catalog.level(hot.id(key)).is_some(), key)?;
        self.features(key, row.features, hot.more_of_level(key.number(), row))?;
        self.check_extras(key)?;
        if row.owner == NO_ROW {
            return Err(Error::LevelOwner {
                level: hot.id(key).to_owned(),
            });
        }
        self.main(row.owner, key)
    }

    fn account(&self, key: RecordKey, row: &AccountRow) -> Result<(), Error> {
        let hot = &self.after.hot;
        self.check_extras(key)?;
        if row.owner == NO_ROW {
            return match hot.packages.row(row.package) {
                Some(_) => Ok(()),
                None => Err(Error::UnknownPackage {
                    account: hot.id(key).to_owned(),
                    package: hot.packages.id(row.package).unwrap_or_default().to_owned(),
                }),
            };
        }
        self.main(row.owner, key)?;
        if row.level == NO_ROW {
            Ok(())
        } else {
            self.attached(key, row)
        }
    }

    /// L3. A level that was removed with a bundle does not block other changes of the accounts that
    /// name it.
    fn attached(&self, key: RecordKey, row: &AccountRow) -> Result<(), Error> {
        let hot = &self.after.hot;
        let (account, level) = (
            || hot.id(key).to_owned(),
            || hot.levels.id(row.level).unwrap_or_default().to_owned(),
        );
        match hot.levels.row(row.level) {
            Some(found) if found.owner == NO_ROW || found.owner == row.owner => Ok(()),
            Some(_) => Err(Error::LevelOtherOwner {
                account: account(),
                level: level(),
            }),
            None if self
                .before
                .hot
                .accounts
                .row(key.number())
                .is_some_and(|old| old.level == row.level) =>
            {
                Ok(())
            }
            None => Err(Error::UnknownLevel {
                account: account(),
                level: level(),
            }),
        }
    }

    fn known(&self, account: u32) -> Result<&AccountRow, Error> {
        let accounts = &self.after.hot.accounts;
        accounts.row(account).ok_or_else(|| Error::UnknownAccount {
            account: accounts.id(account).unwrap_or_default().to_owned(),
        })
    }

    /// C5: an owner must be a main account.
    fn main(&self, owner: u32, child: RecordKey) -> Result<(), Error> {
        if self.known(owner)?.owner == NO_ROW {
            return Ok(());
        }
        let hot = &self.after.hot;
        Err(Error::OwnerNotMain {
            client: hot.id(child).to_owned(),
            owner: hot.accounts.id(owner).unwrap_or_default().to_owned(),
        })
    }

    fn features(&self, key: RecordKey, low: u64, more: &[u32]) -> Result<(), Error> {
        match self.after.hot.features.undeclared(low, more) {
            Some(feature) => Err(Error::UnknownFeature {
                record: self.name(key),
                feature: feature.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn meters(&self, record: &dyn Fn() -> String, limits: &Limits) -> Result<(), Error> {
        match limits.keys().find(|meter| !self.names.has_meter(meter)) {
            Some(meter) => Err(Error::UnknownMeter {
                record: record(),
                meter: meter.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Checks the meters and attributes of a record, if it has any.
    fn check_extras(&self, key: RecordKey) -> Result<(), Error> {
        let Some(RowExtras {
            limits,
            attributes,
            own,
            ..
        }) = self.after.hot.extras(key.kind(), key.number())
        else {
            return Ok(());
        };
        self.meters(&|| self.name(key), limits)?;
        if attributes.is_empty() || own.is_some() && !self.anew {
            return Ok(());
        }
        self.names
            .typed(key.kind().name(), attributes)
            .map(drop)
            .map_err(|reason| Error::Attributes {
                record: self.after.record_in_words(key),
                reason,
            })
    }

    fn not_in_catalog(&self, there: bool, key: RecordKey) -> Result<(), Error> {
        if there {
            Err(Error::DuplicateId {
                record: self.name(key),
            })
        } else {
            Ok(())
        }
    }
}
