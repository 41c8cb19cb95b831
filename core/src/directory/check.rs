//! The invariants of the directory, each with its code.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Directory, Record};
use crate::account::{Account, AccountKind};
use crate::catalog::{Catalog, Names};
use crate::limit::Limits;
use crate::{Error, Ref};

struct Check<'a, N> {
    after: &'a Directory,
    before: &'a Directory,
    catalog: &'a Catalog,
    names: &'a N,
}

impl Directory {
    /// Whether the touched records, and those that refer to them, keep every invariant.
    pub(super) fn check(&self, touched: &BTreeSet<Ref>, before: &Self, catalog: &Catalog, names: &impl Names) -> Result<(), Error> {
        let check = Check { after: self, before, catalog, names };
        for reference in touched {
            if let Some(record) = self.own(reference) {
                check.record(&record)?;
            }
        }
        for reference in touched {
            let gone = self.own(reference).is_none();
            // What names an account leans on its kind; what names a level, on its owner.
            let changed = gone || check.leaned_on(reference);
            for referrer in if changed { self.referrers_of(reference) } else { Vec::new() } {
                if gone {
                    return Err(Error::InUse { record: reference.to_string(), by: referrer.to_string() });
                }
                if let Some(record) = self.own(&referrer).filter(|_| !touched.contains(&referrer)) {
                    check.record(&record)?;
                }
            }
        }
        Ok(())
    }

    /// What the directory names that a new bundle does not declare (at most 20 reasons). A level that is gone is
    /// allowed: its accounts have no features.
    pub(crate) fn recheck(&self, catalog: &Catalog, names: &impl Names) -> Result<(), Vec<String>> {
        let check = Check { after: self, before: self, catalog, names };
        let mut reasons = Vec::new();
        for record in self.records() {
            if let Err(error) = check.record(&record) {
                reasons.push(error.to_string());
                if reasons.len() == 20 {
                    break;
                }
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }
}

impl<N: Names> Check<'_, N> {
    /// Whether what other records rely on in this record has changed.
    fn leaned_on(&self, reference: &Ref) -> bool {
        match reference.kind() {
            "Account" => self.before.account(reference.id()).map(Account::owner) != self.after.account(reference.id()).map(Account::owner),
            "AccessLevel" => {
                let owner = |directory: &Directory| directory.levels.get(reference.id()).map(|level| level.owner().map(str::to_owned));
                owner(self.before) != owner(self.after)
            }
            _ => false,
        }
    }

    fn record(&self, record: &Record) -> Result<(), Error> {
        let name = || record.reference().to_string();
        match record {
            Record::Platform(_) | Record::Operator(_) => Ok(()),
            Record::Package(package) => {
                not_in_catalog(self.catalog.package(package.id()).is_some(), record)?;
                self.features(&name, package.features())?;
                self.meters(&name, package.limits())?;
                self.meters(&name, package.client_limits())?;
                match package.client_level().filter(|level| self.catalog.level(level).is_none()) {
                    Some(level) => Err(Error::UnknownLevel { account: name(), level: level.to_owned() }),
                    None => Ok(()),
                }
            }
            Record::AccessLevel(level) => {
                not_in_catalog(self.catalog.level(level.id()).is_some(), record)?;
                self.features(&name, level.features())?;
                self.meters(&name, level.limits())?;
                let owner = level.owner().ok_or_else(|| Error::LevelOwner { level: level.id().to_owned() })?;
                self.main(owner, level.id())
            }
            Record::Account(account) => self.account(account),
            Record::TeamMember(member) => {
                self.known(member.account())?;
                self.features(&name, member.grants())?;
                self.meters(&name, member.sub_limits())?;
                self.attributes(&name, "TeamMember", member.attributes())
            }
            Record::Domain(domain) => domain.owner().map_or(Ok(()), |owner| self.main(owner, domain.name())),
        }
    }

    fn account(&self, account: &Account) -> Result<(), Error> {
        let name = || format!("account `{}`", account.id());
        self.meters(&name, account.limits())?;
        self.attributes(&name, "Account", account.attributes())?;
        match account.kind() {
            AccountKind::Main { package } => match self.after.package(package, self.catalog) {
                Some(_) => Ok(()),
                None => Err(Error::UnknownPackage { account: account.id().to_owned(), package: package.clone() }),
            },
            AccountKind::Client { owner, level } => {
                self.main(owner, account.id())?;
                level.as_deref().map_or(Ok(()), |level| self.attached(account, owner, level))
            }
        }
    }

    /// L3. A level that went with a bundle does not stand in the way of other changes of its accounts.
    fn attached(&self, account: &Account, owner: &str, level: &str) -> Result<(), Error> {
        let id = account.id().to_owned();
        match self.after.level(level, self.catalog) {
            Some(found) => match found.owner().filter(|other| *other != owner) {
                Some(other) => Err(Error::LevelOtherOwner { account: id, level: level.to_owned(), owner: other.to_owned() }),
                None => Ok(()),
            },
            None if self.before.account(&id).is_some_and(|old| old.level() == Some(level)) => Ok(()),
            None => Err(Error::UnknownLevel { account: id, level: level.to_owned() }),
        }
    }

    fn known(&self, account: &str) -> Result<&Account, Error> {
        self.after.account(account).ok_or_else(|| Error::UnknownAccount { account: account.to_owned() })
    }

    /// C5: owners are main accounts.
    fn main(&self, owner: &str, child: &str) -> Result<(), Error> {
        if self.known(owner)?.owner().is_some() {
            return Err(Error::OwnerNotMain { client: child.to_owned(), owner: owner.to_owned() });
        }
        Ok(())
    }

    fn features<'b>(&self, record: &dyn Fn() -> String, mut features: impl Iterator<Item = &'b str>) -> Result<(), Error> {
        match features.find(|feature| !self.names.has_feature(feature)) {
            Some(feature) => Err(Error::UnknownFeature { record: record(), feature: feature.to_owned() }),
            None => Ok(()),
        }
    }

    fn meters(&self, record: &dyn Fn() -> String, limits: &Limits) -> Result<(), Error> {
        match limits.keys().find(|meter| !self.names.has_meter(meter)) {
            Some(meter) => Err(Error::UnknownMeter { record: record(), meter: meter.clone() }),
            None => Ok(()),
        }
    }

    fn attributes(&self, record: &dyn Fn() -> String, kind: &str, attributes: &Map<String, Value>) -> Result<(), Error> {
        if attributes.is_empty() {
            return Ok(());
        }
        self.names.typed(kind, attributes).map(drop).map_err(|reason| Error::Attributes { record: record(), reason })
    }
}

fn not_in_catalog(there: bool, record: &Record) -> Result<(), Error> {
    if there { Err(Error::DuplicateId { record: record.reference().to_string() }) } else { Ok(()) }
}
