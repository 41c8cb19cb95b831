//! Converts rows to records.

use std::collections::BTreeSet;

use super::feature_set::feature_indexes;
use super::record_key::{RecordKey, RecordKind};
use super::{Directory, Referent};
use crate::model::access_level::AccessLevel;
use crate::model::account::{Account, AccountKind, DisableReason};
use crate::model::catalog::Catalog;
use crate::model::domain::Domain;
use crate::model::member::TeamMember;
use crate::model::named_fields::NamedFields;
use crate::model::operator::{Operator, Platform, Role};
use crate::model::package::Package;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::model::service_key::ServiceKey;

const REASONS: [DisableReason; 4] = [
    DisableReason::Overage,
    DisableReason::ByOwner,
    DisableReason::Unpaid,
    DisableReason::Abuse,
];

impl Directory {
    pub(crate) fn platform(&self) -> Option<&Platform> {
        self.platform.as_deref()
    }

    /// Returns the instant before which the sessions of a login do not count (I7).
    pub(crate) fn not_before(&self, login: &EntityRef) -> Option<i64> {
        let key = self.login_key(login)?;
        self.hot.not_before(key.kind(), key.number())
    }

    /// Returns the key of a service account.
    pub(crate) fn service_key(&self, login: RecordKey) -> Option<&ServiceKey> {
        let extras = self.hot.extras(login.kind(), login.number())?;
        extras.service.as_deref()
    }

    pub(crate) fn operator(&self, id: &str) -> Option<Operator> {
        let (number, row) = self.hot.operators.find(id)?;
        let held = Role::ALL.into_iter().zip(0_u32..);
        let roles = held.filter(|(_, at)| row.roles().checked_shr(*at).unwrap_or(0) & 1 == 1);
        Some(Operator {
            id: id.to_owned(),
            email: self.hot.operators.more(number)?.to_owned(),
            roles: roles.map(|(role, _)| role).collect(),
            not_before: self.hot.not_before(RecordKind::Operator, number),
            named: NamedFields::default(),
        })
    }

    /// Returns a package of the directory or of the catalog.
    pub(crate) fn package<'a>(&'a self, id: &str, catalog: &'a Catalog) -> Option<&'a Package> {
        self.packages
            .get(id)
            .map(AsRef::as_ref)
            .or_else(|| catalog.package(id))
    }

    /// Returns an access level of the directory or of the catalog.
    pub(crate) fn level(&self, id: &str, catalog: &Catalog) -> Option<AccessLevel> {
        self.own_level(id).or_else(|| catalog.level(id).cloned())
    }

    fn own_level(&self, id: &str) -> Option<AccessLevel> {
        let (number, row) = self.hot.levels.find(id).filter(|(_, row)| row.is_own())?;
        let more = self.hot.more_of_level(number, row);
        let limits = self
            .hot
            .extras(RecordKind::AccessLevel, number)
            .map(|cold| cold.limits.clone())
            .unwrap_or_default();
        let owner = self.hot.accounts.id(row.owner).map(str::to_owned);
        Some(AccessLevel {
            id: id.to_owned(),
            owner,
            features: self.feature_names(row.features, more),
            limits,
            named: NamedFields::default(),
        })
    }

    fn feature_names(&self, low: u64, more: &[u32]) -> BTreeSet<String> {
        feature_indexes(low, more)
            .filter_map(|place| self.hot.features.name(place))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn account(&self, id: &str) -> Option<Account> {
        let (number, row) = self.hot.accounts.find(id)?;
        let kind = match self.hot.accounts.id(row.owner) {
            Some(owner) => AccountKind::Client {
                owner: owner.to_owned(),
                level: self.hot.levels.id(row.level).map(str::to_owned),
            },
            None => AccountKind::Main {
                package: self.hot.packages.id(row.package)?.to_owned(),
            },
        };
        let disabled = REASONS.into_iter().filter(|reason| {
            row.disabled()
                .checked_shr(super::rows::reason_bit(*reason))
                .unwrap_or(0)
                & 1
                == 1
        });
        let cold = self.hot.extras(RecordKind::Account, number);
        Some(Account {
            id: id.to_owned(),
            email: self.hot.accounts.more(number)?.to_owned(),
            kind,
            flags: row.flags(),
            disabled: disabled.collect(),
            limits: cold.map(|cold| cold.limits.clone()).unwrap_or_default(),
            calendar: cold.and_then(|cold| cold.calendar.as_deref().cloned()),
            pending: cold.and_then(|cold| cold.pending.as_deref().cloned()),
            transfer: cold.and_then(|cold| cold.transfer.as_deref().cloned()),
            created: cold.and_then(|cold| cold.created),
            closed_at: cold.and_then(|cold| cold.closed_at),
            not_before: cold.and_then(|cold| cold.not_before),
            attributes: cold.map(|cold| cold.attributes.clone()).unwrap_or_default(),
            named: NamedFields::default(),
        })
    }

    /// Returns the owner of a client account.
    pub(crate) fn owner_of(&self, account: &str) -> Option<&str> {
        let (_, row) = self.hot.accounts.find(account)?;
        self.hot.accounts.id(row.owner)
    }

    /// Returns the ids of an owner's clients that are not closed (C6), sorted.
    pub(crate) fn clients_of(&self, owner: u32) -> Vec<String> {
        let referrers = self
            .referrers
            .find_referrers(Referent::Record(RecordKind::Account.key(owner)), &self.hot);
        let clients = referrers
            .into_iter()
            .filter(|key| key.kind() == RecordKind::Account && self.is_client(owner, key.number()));
        let mut found: Vec<String> = clients.map(|key| self.hot.id(key).to_owned()).collect();
        found.sort_unstable();
        found
    }

    /// Returns whether an account is a client of the owner and is not closed.
    pub(crate) fn has_client(&self, owner: u32, id: &str) -> bool {
        self.hot
            .accounts
            .find(id)
            .is_some_and(|(number, _)| self.is_client(owner, number))
    }

    pub(super) fn is_client(&self, owner: u32, account: u32) -> bool {
        self.hot
            .accounts
            .row(account)
            .is_some_and(|row| row.owner == owner && !row.is_closed())
    }

    /// Returns when an account was created, if that is known.
    pub(crate) fn created(&self, id: &str) -> Option<i64> {
        let (number, _) = self.hot.accounts.find(id)?;
        self.hot.extras(RecordKind::Account, number)?.created
    }

    /// Returns the clients that have an access level, by id.
    pub(crate) fn clients_with(&self, level: &str) -> Vec<Account> {
        let key = self.hot.key(RecordKind::AccessLevel, level);
        self.referring(key, RecordKind::Account)
            .filter_map(|id| self.account(id))
            .collect()
    }

    /// Returns the members of an account, by id.
    pub(crate) fn members_of(&self, account: &str) -> Vec<TeamMember> {
        let key = self.hot.key(RecordKind::Account, account);
        self.referring(key, RecordKind::TeamMember)
            .filter_map(|id| self.member(id))
            .collect()
    }

    /// Returns the ids of the records of one type that refer to a record, sorted.
    fn referring(&self, to: Option<RecordKey>, kind: RecordKind) -> impl Iterator<Item = &str> {
        let referrers = to
            .map(|key| {
                self.referrers
                    .find_referrers(Referent::Record(key), &self.hot)
            })
            .unwrap_or_default();
        let mut ids: Vec<&str> = referrers
            .into_iter()
            .filter(|referrer| referrer.kind() == kind)
            .map(|referrer| self.hot.id(referrer))
            .collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    pub(crate) fn member(&self, id: &str) -> Option<TeamMember> {
        let (number, row) = self.hot.members.find(id)?;
        let cold = self.hot.extras(RecordKind::TeamMember, number);
        Some(TeamMember {
            id: id.to_owned(),
            account: self.hot.accounts.id(row.account)?.to_owned(),
            email: if row.flags().service {
                String::new()
            } else {
                self.hot.members.more(number)?.to_owned()
            },
            flags: row.flags(),
            grants: self.feature_names(row.grants, self.hot.more_grants(number, row)),
            sub_limits: cold.map(|cold| cold.limits.clone()).unwrap_or_default(),
            pending: cold.and_then(|cold| cold.pending.as_deref().cloned()),
            service: cold.and_then(|cold| cold.service.as_deref().cloned()),
            not_before: cold.and_then(|cold| cold.not_before),
            attributes: cold.map(|cold| cold.attributes.clone()).unwrap_or_default(),
            named: NamedFields::default(),
        })
    }

    /// Returns the domain of exactly this normalised name (D3), or the claim of this id.
    pub(crate) fn domain(&self, id: &str) -> Option<Domain> {
        let (number, row) = self.hot.domains.find(id)?;
        Some(Domain {
            id: id.to_owned(),
            owner: self.hot.accounts.id(row.owner).map(str::to_owned),
            state: row.state(),
            until: self.hot.domain_until(number, *row),
            named: NamedFields::default(),
        })
    }

    /// Returns the record of a type and id, from the directory or the catalog. A domain name is
    /// normalised first.
    pub(crate) fn record(&self, reference: &EntityRef, catalog: &Catalog) -> Option<Record> {
        let own = self.key(reference).and_then(|key| self.own_record(key));
        own.or_else(|| match reference.kind() {
            "Package" => catalog
                .package(reference.id())
                .cloned()
                .map(Record::Package),
            "AccessLevel" => catalog
                .level(reference.id())
                .cloned()
                .map(Record::AccessLevel),
            _ => None,
        })
    }

    /// Returns a record of the directory itself, not of the catalog.
    pub(super) fn own_record(&self, key: RecordKey) -> Option<Record> {
        let id = self.hot.id(key);
        match key.kind() {
            RecordKind::AccessLevel => self.own_level(id).map(Record::AccessLevel),
            RecordKind::Account => self.account(id).map(Record::Account),
            RecordKind::Domain => self.domain(id).map(Record::Domain),
            RecordKind::Operator => self.operator(id).map(Record::Operator),
            RecordKind::Package => self
                .packages
                .get(id)
                .map(|package| Record::Package(package.as_ref().clone())),
            RecordKind::Platform => self
                .platform()
                .filter(|platform| platform.id() == id)
                .cloned()
                .map(Record::Platform),
            RecordKind::TeamMember => self.member(id).map(Record::TeamMember),
        }
    }

    /// Returns every record, in the order of [`Self::keys_in_order`].
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.keys_in_order().filter_map(|key| self.own_record(key))
    }

    /// Returns the keys of all records: platform, operators, packages, main accounts, levels,
    /// clients, members, domains; each type by id.
    pub(super) fn keys_in_order(&self) -> impl Iterator<Item = RecordKey> + '_ {
        let is_main = |key: &RecordKey| {
            self.hot
                .accounts
                .row(key.number())
                .is_some_and(|row| row.owner == super::NO_ROW)
        };
        let (mains, clients): (Vec<RecordKey>, Vec<RecordKey>) = self
            .sorted(RecordKind::Account)
            .into_iter()
            .partition(is_main);
        let first = [
            RecordKind::Platform,
            RecordKind::Operator,
            RecordKind::Package,
        ]
        .into_iter()
        .flat_map(|kind| self.sorted(kind));
        let last = [RecordKind::TeamMember, RecordKind::Domain]
            .into_iter()
            .flat_map(|kind| self.sorted(kind));
        first
            .chain(mains)
            .chain(self.sorted(RecordKind::AccessLevel))
            .chain(clients)
            .chain(last)
    }

    fn sorted(&self, kind: RecordKind) -> Vec<RecordKey> {
        let mut keys: Vec<RecordKey> = self.hot.own_of(kind).collect();
        keys.sort_by_key(|key| self.hot.id(*key));
        keys
    }
}
