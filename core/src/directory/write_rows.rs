//! Converts records to rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::feature_set::{FeatureSet, FeatureTable};
use super::new_rows::{NewAccount, NewMember};
use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::rows::{
    AccountRow, DomainRow, LevelRow, LoginRow, MemberRow, PackageRow, account_bit, domain_bit,
    mask, member_bit, offer_bit, state_bit,
};
use super::table::{NO_ROW, TableRow as _};
use super::tables::Tables;
use crate::model::access_level::AccessLevel;
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::domain::{Domain, DomainState};
use crate::model::limit::Limits;
use crate::model::operator::{Operator, Platform};
use crate::model::package::Package;

/// Key of the put record, and whether the directory itself had a record of that type and id. `None`
/// if no row number is free.
type PutResult = Option<(RecordKey, bool)>;

fn numbered(number: u32) -> Option<u32> {
    if number == NO_ROW { None } else { Some(number) }
}

fn bit(is: bool, bit: u32) -> u16 {
    u16::from(is).checked_shl(bit).unwrap_or(0)
}

impl Tables {
    fn set<'a>(&mut self, names: impl IntoIterator<Item = &'a str> + Clone) -> FeatureSet {
        let known = self.features.known(names.clone());
        known.unwrap_or_else(|| Arc::make_mut(&mut self.features).set(names))
    }

    /// Stores the row extras of a record, or removes the entry if they are empty.
    fn keep(&mut self, key: RecordKey, cold: RowExtras) {
        self.stored_facts.update(key, cold.own.as_ref());
        if !cold.is_empty() {
            self.cold.insert_mut(key.0, Arc::new(cold));
        } else if !self.cold.is_empty() {
            self.cold.remove_mut(&key.0);
        }
    }

    fn account_number(&mut self, id: Option<&str>) -> Option<u32> {
        id.map_or(Some(NO_ROW), |id| numbered(self.accounts.name(id)))
    }

    fn level_number(&mut self, id: Option<&str>) -> Option<u32> {
        id.map_or(Some(NO_ROW), |id| numbered(self.levels.name(id)))
    }

    pub(super) fn put_account(
        &mut self,
        new: NewAccount<'_>,
        names: &impl SchemaVocabulary,
    ) -> PutResult {
        let (owner, level) = (
            self.account_number(new.owner)?,
            self.level_number(new.level)?,
        );
        let package = new
            .package
            .map_or(Some(NO_ROW), |id| numbered(self.packages.name(id)))?;
        let mut cold = build_extras("Account", new.limits, new.attributes, Vec::new(), names);
        cold.calendar = new.calendar.cloned().map(Box::new);
        cold.pending = new.pending.cloned().map(Box::new);
        cold.transfer = new.transfer.cloned().map(Box::new);
        cold.created = new.created;
        cold.closed_at = new.closed_at;
        cold.not_before = new.not_before;
        let bits = mask(account_bit::EXISTS)
            | new.flags.bits() << account_bit::FLAGS
            | new.disabled << account_bit::DISABLED
            | bit(owner != NO_ROW, account_bit::HAS_OWNER)
            | bit(package != NO_ROW, account_bit::HAS_PACKAGE)
            | bit(level != NO_ROW, account_bit::HAS_LEVEL)
            | cold.row_bits();
        let (number, old) = self.accounts.put(
            new.id,
            AccountRow {
                owner,
                package,
                level,
                bits,
            },
            new.email,
        );
        let key = RecordKind::Account.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.bits != 0))
    }

    /// Sets the level of a client that was created without one (L7).
    pub(super) fn attach(&mut self, account: u32, level: u32) {
        if let Some(row) = self.accounts.row(account).copied() {
            self.accounts.set(
                account,
                AccountRow {
                    level,
                    bits: row.bits | mask(account_bit::HAS_LEVEL),
                    ..row
                },
                None,
            );
        }
    }

    pub(super) fn put_member(
        &mut self,
        new: NewMember<'_>,
        names: &impl SchemaVocabulary,
    ) -> PutResult {
        let account = numbered(self.accounts.name(new.account))?;
        let grants = self.set(new.grants.iter().copied());
        let mut cold = build_extras("TeamMember", new.limits, new.attributes, grants.more, names);
        cold.pending = new.pending.cloned().map(Box::new);
        cold.service = new.service.cloned().map(Box::new);
        cold.not_before = new.not_before;
        let bits =
            mask(member_bit::EXISTS) | new.flags.bits() << member_bit::FLAGS | cold.row_bits();
        let (number, old) = self.members.put(
            new.id,
            MemberRow {
                grants: grants.low,
                account,
                bits,
            },
            new.login_name,
        );
        let key = RecordKind::TeamMember.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.bits != 0))
    }

    /// Puts a level of the directory or of the catalog.
    pub(super) fn put_level(&mut self, level: &AccessLevel, own: bool) -> PutResult {
        let owner = self.account_number(level.owner())?;
        let features = self.set(level.features.iter().map(String::as_str));
        let limits = if own {
            level.limits.clone()
        } else {
            Limits::new()
        };
        let cold = RowExtras {
            limits,
            features: features.more,
            ..RowExtras::default()
        };
        let bits = mask(offer_bit::EXISTS) | bit(own, offer_bit::OWN) | cold.row_bits();
        let (number, old) = self.levels.put(
            level.id(),
            LevelRow {
                features: features.low,
                owner,
                bits,
            },
            "",
        );
        let key = RecordKind::AccessLevel.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.is_own()))
    }

    /// Puts a package of the directory or of the catalog.
    pub(super) fn put_package(&mut self, package: &Package, own: bool) -> PutResult {
        let level = self.level_number(package.client_level())?;
        let features = self.set(package.features.iter().map(String::as_str));
        let cold = RowExtras {
            features: features.more,
            ..RowExtras::default()
        };
        let bits = mask(offer_bit::EXISTS)
            | bit(own, offer_bit::OWN)
            | package.flags().bits() << offer_bit::FLAGS
            | cold.row_bits();
        let (number, old) = self.packages.put(
            package.id(),
            PackageRow {
                features: features.low,
                level,
                bits,
            },
            "",
        );
        let key = RecordKind::Package.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.is_own()))
    }

    pub(super) fn put_domain(&mut self, domain: &Domain) -> PutResult {
        let owner = self.account_number(domain.owner())?;
        let cold = RowExtras {
            until: domain.until,
            ..RowExtras::default()
        };
        let bits = bit(owner != NO_ROW, domain_bit::HAS_OWNER)
            | state_bit(domain.state())
            | cold.row_bits();
        let (number, old) = self.domains.put(domain.id(), DomainRow { owner, bits }, "");
        let key = RecordKind::Domain.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.bits != 0))
    }

    /// Quarantines a domain whose lapse has ended (D4).
    pub(super) fn quarantine(&mut self, domain: u32) {
        if let Some(row) = self.domains.row(domain).copied() {
            let has_owner = row.bits & mask(domain_bit::HAS_OWNER);
            let bits = has_owner | state_bit(DomainState::Quarantined);
            self.domains.set(domain, DomainRow { bits, ..row }, None);
        }
        self.keep(RecordKind::Domain.key(domain), RowExtras::default());
    }

    pub(super) fn put_operator(&mut self, operator: &Operator) -> PutResult {
        let cold = RowExtras {
            not_before: operator.not_before,
            ..RowExtras::default()
        };
        let row = LoginRow::new(&operator.roles, cold.row_bits());
        let (number, old) = self.operators.put(operator.id(), row, operator.email());
        let key = RecordKind::Operator.key(numbered(number)?);
        self.keep(key, cold);
        Some((key, old.exists()))
    }

    pub(super) fn put_platform(&mut self, platform: &Platform) -> PutResult {
        let row = LoginRow::new(&BTreeSet::new(), 0);
        let (number, old) = self.platforms.put(platform.id(), row, "");
        Some((RecordKind::Platform.key(numbered(number)?), old.exists()))
    }

    /// Removes a record. A record of the catalog with the same id becomes visible again.
    pub(super) fn remove(&mut self, key: RecordKey, catalog: &Catalog) {
        let number = key.number();
        let id = self.id(key).to_owned();
        match key.kind() {
            RecordKind::AccessLevel => self.levels.remove(number),
            RecordKind::Account => self.accounts.remove(number),
            RecordKind::Domain => self.domains.remove(number),
            RecordKind::Operator => self.operators.remove(number),
            RecordKind::Package => self.packages.remove(number),
            RecordKind::Platform => self.platforms.remove(number),
            RecordKind::TeamMember => self.members.remove(number),
        }
        self.keep(key, RowExtras::default());
        if let Some(package) = catalog
            .package(&id)
            .filter(|_| key.kind() == RecordKind::Package)
        {
            self.put_package(package, false);
        }
        if let Some(level) = catalog
            .level(&id)
            .filter(|_| key.kind() == RecordKind::AccessLevel)
        {
            self.put_level(level, false);
        }
    }

    /// Replaces the features, packages and levels of the old bundle by those of the new one.
    pub(super) fn declare(&mut self, features: &[&str], catalog: &Catalog, old: &Catalog) {
        let mut known = FeatureTable::clone(&self.features);
        known.declare(features);
        self.features = Arc::new(known);
        for package in old
            .packages()
            .filter(|package| catalog.package(package.id()).is_none())
        {
            if let Some((number, _)) = self
                .packages
                .find(package.id())
                .filter(|(_, row)| !row.is_own())
            {
                self.packages.remove(number);
                self.keep(RecordKind::Package.key(number), RowExtras::default());
            }
        }
        for level in old
            .levels()
            .filter(|level| catalog.level(level.id()).is_none())
        {
            if let Some((number, _)) = self
                .levels
                .find(level.id())
                .filter(|(_, row)| !row.is_own())
            {
                self.levels.remove(number);
                self.keep(RecordKind::AccessLevel.key(number), RowExtras::default());
            }
        }
        // A record of the directory itself with the same id stays, so that the checks can report
        // it.
        for package in catalog.packages() {
            if self
                .packages
                .find(package.id())
                .is_none_or(|(_, row)| !row.is_own())
            {
                self.put_package(package, false);
            }
        }
        for level in catalog.levels() {
            if self
                .levels
                .find(level.id())
                .is_none_or(|(_, row)| !row.is_own())
            {
                self.put_level(level, false);
            }
        }
    }

    /// Validates all custom attributes against the schema again. Returns the first record that does
    /// not fit, with the reason.
    pub(super) fn retype(
        &mut self,
        names: &impl SchemaVocabulary,
    ) -> Result<(), (RecordKey, String)> {
        let own: Vec<(RecordKey, Arc<RowExtras>)> = self
            .cold
            .iter()
            .filter(|(_, cold)| !cold.attributes.is_empty())
            .map(|(key, cold)| (RecordKey(*key), Arc::clone(cold)))
            .collect();
        for (key, mut cold) in own {
            let typed = names
                .typed(key.kind().name(), &cold.attributes)
                .map_err(|reason| (key, reason))?;
            self.stored_facts.update(key, Some(&typed));
            Arc::make_mut(&mut cold).own = Some(typed);
            self.cold.insert_mut(key.0, cold);
        }
        Ok(())
    }
}

/// Builds row extras. Attributes that do not fit the schema stay untyped; the checks report the
/// reason.
fn build_extras(
    kind: &str,
    limits: Limits,
    attributes: Map<String, Value>,
    features: Vec<u32>,
    names: &impl SchemaVocabulary,
) -> RowExtras {
    let own = if attributes.is_empty() {
        None
    } else {
        names.typed(kind, &attributes).ok()
    };
    RowExtras {
        limits,
        attributes,
        own,
        features,
        ..RowExtras::default()
    }
}
