//! Who is who: one immutable, indexed snapshot. A change makes a new one and shares what it does not touch.

mod apply;
mod check;
mod hot;
mod lines;
mod record;
mod table;

use std::sync::Arc;

use rpds::{HashTrieMapSync, HashTrieSetSync};

pub(crate) use self::hot::{Hot, account_bit, domain_bit};
pub use self::lines::Progress;
pub use self::record::Record;
pub(crate) use self::table::NONE;
use crate::Ref;
use crate::access_level::AccessLevel;
use crate::account::Account;
use crate::catalog::Catalog;
use crate::domain::Domain;
use crate::member::TeamMember;
use crate::operator::{Operator, Platform};
use crate::package::Package;

/// A space of logins (I1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Realm {
    /// Main accounts, their members, and operators.
    Platform,
    /// The clients of this owner, and their members.
    Owner(Arc<str>),
}

/// A change of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Creates the record, or replaces the one with its type and id.
    Put(Record),
    /// Removes the record of that type and id.
    Remove(Ref),
}

type Map<T> = HashTrieMapSync<Arc<str>, Arc<T>>;

/// Stands in the index of referrers for "no owner": platform domains are found under it.
const NOBODY: (&str, &str) = ("Platform", "");

/// One version of the directory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    revision: u64,
    /// What handles remember: given anew where records get numbers anew.
    numbering: u32,
    platform: Option<Arc<Platform>>,
    operators: Map<Operator>,
    packages: Map<Package>,
    levels: Map<AccessLevel>,
    accounts: Map<Account>,
    members: Map<TeamMember>,
    domains: Map<Domain>,
    /// What policies read, by number. INVARIANT: a row for each record, and what it names; kept by `apply`.
    hot: hot::Hot,
    /// Every login with this e-mail, in all realms. INVARIANT: at most one a realm; kept by `apply`.
    logins: HashTrieMapSync<Arc<str>, Vec<(Realm, Ref)>>,
    /// Which records name a record. INVARIANT: exactly those of `apply::names`; kept by `apply`.
    referrers: HashTrieMapSync<Ref, HashTrieSetSync<Ref>>,
}

impl Directory {
    /// Nobody, in a numbering of its own.
    pub(crate) fn new(revision: u64) -> Self {
        Self { revision, numbering: crate::handle::numbering(), ..Self::default() }
    }

    /// Grows by one with each transaction.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Names the numbering of its records.
    #[inline]
    pub(crate) fn numbering(&self) -> u32 {
        self.numbering
    }

    /// The rows that policies read.
    #[inline]
    pub(crate) fn hot(&self) -> &hot::Hot {
        &self.hot
    }

    /// The rows, to give names to numbers.
    pub(crate) fn hot_mut(&mut self) -> &mut hot::Hot {
        &mut self.hot
    }

    pub(crate) fn platform(&self) -> Option<&Platform> {
        self.platform.as_deref()
    }

    pub(crate) fn operator(&self, id: &str) -> Option<&Operator> {
        self.operators.get(id).map(AsRef::as_ref)
    }

    /// A package of the directory or of the catalog.
    pub(crate) fn package<'a>(&'a self, id: &str, catalog: &'a Catalog) -> Option<&'a Package> {
        self.packages.get(id).map(AsRef::as_ref).or_else(|| catalog.package(id))
    }

    /// An access level of the directory or of the catalog.
    pub(crate) fn level<'a>(&'a self, id: &str, catalog: &'a Catalog) -> Option<&'a AccessLevel> {
        self.levels.get(id).map(AsRef::as_ref).or_else(|| catalog.level(id))
    }

    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).map(AsRef::as_ref)
    }

    pub(crate) fn member(&self, id: &str) -> Option<&TeamMember> {
        self.members.get(id).map(AsRef::as_ref)
    }

    /// The domain of exactly this normalised name (D3).
    pub(crate) fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name).map(AsRef::as_ref)
    }

    /// The account that a login works in: its own, or a member's. Operators have none.
    pub(crate) fn account_of(&self, login: &Ref) -> Option<&Account> {
        match login.kind() {
            "Account" => self.account(login.id()),
            "TeamMember" => self.account(self.member(login.id())?.account()),
            _ => None,
        }
    }

    /// Every login with this normalised e-mail, in all realms.
    pub(crate) fn logins(&self, email: &str) -> Vec<(Realm, Ref)> {
        self.logins.get(email).cloned().unwrap_or_default()
    }

    /// Names of the verified domains of an owner, or of the platform.
    pub(crate) fn domains_of(&self, owner: Option<&str>) -> Vec<Arc<str>> {
        let target = owner.map_or_else(|| Ref::from(NOBODY), |owner| Ref::new("Account", owner));
        let found = self.referrers.get(&target).into_iter().flat_map(HashTrieSetSync::iter).filter(|referrer| referrer.kind() == "Domain");
        let mut names: Vec<Arc<str>> =
            found.filter_map(|referrer| self.domain(referrer.id())).filter(|domain| domain.is_verified()).map(|domain| Arc::from(domain.name())).collect();
        names.sort();
        names
    }

    /// Whether there is such a record.
    pub(crate) fn has(&self, reference: &Ref, catalog: &Catalog) -> bool {
        let id = reference.id();
        match reference.kind() {
            "Platform" => self.platform().is_some_and(|platform| platform.id() == id),
            "Operator" => self.operators.contains_key(id),
            "Package" => self.package(id, catalog).is_some(),
            "AccessLevel" => self.level(id, catalog).is_some(),
            "Account" => self.accounts.contains_key(id),
            "TeamMember" => self.members.contains_key(id),
            "Domain" => self.domains.contains_key(id),
            _ => false,
        }
    }

    /// The record of that type and id; a domain's name is taken as it is written.
    pub(crate) fn record(&self, reference: &Ref, catalog: &Catalog) -> Option<Record> {
        let id = reference.id();
        match reference.kind() {
            "Platform" => self.platform().filter(|platform| platform.id() == id).cloned().map(Record::Platform),
            "Operator" => self.operator(id).cloned().map(Record::Operator),
            "Package" => self.package(id, catalog).cloned().map(Record::Package),
            "AccessLevel" => self.level(id, catalog).cloned().map(Record::AccessLevel),
            "Account" => self.account(id).cloned().map(Record::Account),
            "TeamMember" => self.member(id).cloned().map(Record::TeamMember),
            "Domain" => crate::host::normalise(id).ok().and_then(|name| self.domain(&name).cloned()).map(Record::Domain),
            _ => None,
        }
    }

    /// The record that the directory itself keeps, not the catalog.
    fn own(&self, reference: &Ref) -> Option<Record> {
        self.record(reference, &Catalog::default())
    }

    /// The realm of an account's logins: its owner's, if it is a client.
    fn realm_of(account: &Account) -> Realm {
        account.owner().map_or(Realm::Platform, |owner| Realm::Owner(Arc::from(owner)))
    }
}
