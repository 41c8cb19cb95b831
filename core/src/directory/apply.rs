//! Transactions: all changes, or none. Touches what changes and what refers to it, nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use rpds::HashTrieSetSync;

use super::{Change, Directory, NOBODY, Realm, Record};
use crate::account::AccountKind;
use crate::catalog::{Catalog, Names};
use crate::{Error, Ref};

/// Which records a record names: what the index of referrers holds.
fn names(record: &Record) -> Vec<Ref> {
    let account = |id: &str| Ref::new("Account", id);
    let level = |id: &str| Ref::new("AccessLevel", id);
    match record {
        Record::Platform(_) | Record::Operator(_) => Vec::new(),
        Record::Package(package) => package.client_level().map(level).into_iter().collect(),
        Record::AccessLevel(custom) => custom.owner().map(account).into_iter().collect(),
        Record::Account(found) => match found.kind() {
            AccountKind::Main { package } => vec![Ref::new("Package", package.as_str())],
            AccountKind::Client { owner, level: attached } => std::iter::once(account(owner)).chain(attached.as_deref().map(level)).collect(),
        },
        Record::TeamMember(member) => vec![account(member.account())],
        Record::Domain(domain) => vec![domain.owner().map_or_else(|| Ref::from(NOBODY), account)],
    }
}

impl Directory {
    /// The directory after these changes, in one transaction whose inner order does not matter.
    pub(crate) fn apply(&self, changes: Vec<Change>, catalog: &Catalog, names: &impl Names, expected: Option<u64>) -> Result<Self, Error> {
        if let Some(expected) = expected.filter(|expected| *expected != self.revision) {
            return Err(Error::Revision { expected, found: self.revision });
        }
        let mut next = self.clone();
        next.revision = self.revision.saturating_add(1);
        let touched = next.store(changes)?;
        next.default_levels(&touched, self, catalog);
        next.index(&touched, self);
        next.index_logins(&touched, self)?;
        next.check(&touched, self, catalog, names)?;
        next.warm(&touched, catalog, names)?;
        Ok(next)
    }

    /// Puts and removes, and which records that concerns.
    fn store(&mut self, changes: Vec<Change>) -> Result<BTreeSet<Ref>, Error> {
        let mut touched = BTreeSet::new();
        for change in changes {
            let reference = match &change {
                Change::Put(record) => record.reference(),
                Change::Remove(reference) => self.stored(reference)?,
            };
            if !touched.insert(reference.clone()) {
                return Err(match &change {
                    Change::Put(Record::Domain(domain)) => Error::DuplicateDomain { domain: domain.name().to_owned() },
                    _ => Error::DuplicateId { record: reference.to_string() },
                });
            }
            match change {
                Change::Put(record) => self.put(record)?,
                Change::Remove(_) => self.remove(&reference),
            }
        }
        Ok(touched)
    }

    /// The stored form of a reference to a record that is there.
    fn stored(&self, reference: &Ref) -> Result<Ref, Error> {
        let found = self.own(reference).map(|record| record.reference());
        found.ok_or_else(|| Error::UnknownRecord { record: reference.to_string() })
    }

    fn put(&mut self, record: Record) -> Result<(), Error> {
        let id: Arc<str> = Arc::from(record.id());
        match record {
            Record::Platform(platform) => {
                if let Some(first) = self.platform.as_deref().filter(|first| first.id() != platform.id()) {
                    return Err(Error::SecondPlatform { first: first.id().to_owned(), second: platform.id().to_owned() });
                }
                self.platform = Some(Arc::new(platform));
            }
            Record::Operator(operator) => self.operators.insert_mut(id, Arc::new(operator)),
            Record::Package(package) => self.packages.insert_mut(id, Arc::new(package)),
            Record::AccessLevel(level) => self.levels.insert_mut(id, Arc::new(level)),
            Record::Account(account) => self.accounts.insert_mut(id, Arc::new(account)),
            Record::TeamMember(member) => self.members.insert_mut(id, Arc::new(member)),
            Record::Domain(domain) => self.domains.insert_mut(id, Arc::new(domain)),
        }
        Ok(())
    }

    fn remove(&mut self, reference: &Ref) {
        let id = reference.id();
        match reference.kind() {
            "Platform" => self.platform = None,
            "Operator" => drop(self.operators.remove_mut(id)),
            "Package" => drop(self.packages.remove_mut(id)),
            "AccessLevel" => drop(self.levels.remove_mut(id)),
            "Account" => drop(self.accounts.remove_mut(id)),
            "TeamMember" => drop(self.members.remove_mut(id)),
            _ => drop(self.domains.remove_mut(id)),
        }
    }

    /// L7: a new client without a level gets the one that its owner's package names.
    fn default_levels(&mut self, touched: &BTreeSet<Ref>, before: &Self, catalog: &Catalog) {
        for reference in touched.iter().filter(|reference| reference.kind() == "Account" && before.account(reference.id()).is_none()) {
            let Some(account) = self.account(reference.id()).filter(|account| account.level().is_none()) else { continue };
            let package = account.owner().and_then(|owner| self.account(owner)).and_then(|owner| owner.package());
            let level = package.and_then(|package| self.package(package, catalog)).and_then(|package| package.client_level());
            let (Some(level), Some(owner)) = (level, account.owner()) else { continue };
            let mut account = account.clone();
            account.kind = AccountKind::Client { owner: owner.to_owned(), level: Some(level.to_owned()) };
            self.accounts.insert_mut(Arc::from(reference.id()), Arc::new(account));
        }
    }

    fn index(&mut self, touched: &BTreeSet<Ref>, before: &Self) {
        for reference in touched {
            for target in before.own(reference).iter().flat_map(names) {
                let mut left = self.referrers.get(&target).cloned().unwrap_or_default();
                left.remove_mut(reference);
                if left.is_empty() {
                    self.referrers.remove_mut(&target);
                } else {
                    self.referrers.insert_mut(target, left);
                }
            }
            for target in self.own(reference).iter().flat_map(names) {
                match self.referrers.get_mut(&target) {
                    Some(set) => set.insert_mut(reference.clone()),
                    None => self.referrers.insert_mut(target, HashTrieSetSync::new_sync().insert(reference.clone())),
                }
            }
        }
    }

    /// I1: one login a realm and e-mail. An account that changes its owner takes its members' logins along.
    fn index_logins(&mut self, touched: &BTreeSet<Ref>, before: &Self) -> Result<(), Error> {
        let mut logins: BTreeSet<Ref> = touched.iter().filter(|reference| matches!(reference.kind(), "Operator" | "Account" | "TeamMember")).cloned().collect();
        for account in touched.iter().filter(|reference| reference.kind() == "Account") {
            let moved = before.account(account.id()).map(Self::realm_of) != self.account(account.id()).map(Self::realm_of);
            if moved {
                logins.extend(self.members_of(account));
                logins.extend(before.members_of(account));
            }
        }
        // All old ones go before a new one comes: two logins may swap e-mails in one transaction.
        for login in &logins {
            if let Some((_, email)) = before.login_of(login) {
                let mut left = self.logins.get(&*email).cloned().unwrap_or_default();
                left.retain(|(_, known)| known != login);
                if left.is_empty() {
                    self.logins.remove_mut(&*email);
                } else {
                    self.logins.insert_mut(email, left);
                }
            }
        }
        for login in logins {
            let Some((realm, email)) = self.login_of(&login) else { continue };
            let mut known = self.logins.get(&*email).cloned().unwrap_or_default();
            if let Some((_, first)) = known.iter().find(|(taken, _)| *taken == realm) {
                let realm = match &realm {
                    Realm::Platform => "the platform's".to_owned(),
                    Realm::Owner(owner) => format!("of `{owner}`"),
                };
                return Err(Error::DuplicateLogin { email: email.to_string(), realm, first: first.to_string(), second: login.to_string() });
            }
            known.push((realm, login));
            self.logins.insert_mut(email, known);
        }
        Ok(())
    }

    fn members_of(&self, account: &Ref) -> Vec<Ref> {
        let referrers = self.referrers.get(account).into_iter().flat_map(HashTrieSetSync::iter);
        referrers.filter(|referrer| referrer.kind() == "TeamMember").cloned().collect()
    }

    /// Realm and e-mail of a login. A member of no known account is refused later, and has no realm until then.
    fn login_of(&self, login: &Ref) -> Option<(Realm, Arc<str>)> {
        match login.kind() {
            "Operator" => Some((Realm::Platform, Arc::from(self.operator(login.id())?.email()))),
            "Account" => {
                let account = self.account(login.id())?;
                Some((Self::realm_of(account), Arc::from(account.email())))
            }
            _ => {
                let member = self.member(login.id())?;
                Some((Self::realm_of(self.account(member.account())?), Arc::from(member.email())))
            }
        }
    }

    /// Who refers to a record, sorted.
    pub(super) fn referrers_of(&self, reference: &Ref) -> Vec<Ref> {
        let found = self.referrers.get(reference).into_iter().flat_map(HashTrieSetSync::iter);
        let sorted: BTreeSet<&Ref> = found.collect();
        sorted.into_iter().cloned().collect()
    }
}
