//! What policies read of the directory, as numbers and bits: one row for each record, and for each name that one leans on.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::table::{NONE, Table};
use super::{Directory, Record};
use crate::account::{Account, AccountKind, DisableReason};
use crate::catalog::{Catalog, Names};
use crate::domain::DomainState;
use crate::eval::Own;
use crate::{Error, Ref};

/// An account's number, or [`NONE`].
type Number = u32;

#[derive(Debug, Clone)]
pub(crate) struct AccountRow {
    pub(crate) owner: Number,
    pub(crate) package: Number,
    pub(crate) level: Number,
    pub(crate) confirmed: bool,
    pub(crate) closed: bool,
    /// A bit for each reason, in the order of [`DisableReason`].
    pub(crate) disabled: u8,
    /// The host's own attributes; nothing stands for an empty record.
    pub(crate) attributes: Option<Arc<Own>>,
}

#[derive(Debug, Clone)]
pub(crate) struct MemberRow {
    pub(crate) account: Number,
    pub(crate) confirmed: bool,
    pub(crate) grants: u64,
    pub(crate) attributes: Option<Arc<Own>>,
}

#[derive(Debug, Clone)]
pub(crate) struct LevelRow {
    pub(crate) features: u64,
    pub(crate) owner: Number,
}

#[derive(Debug, Clone)]
pub(crate) struct PackageRow {
    pub(crate) features: u64,
    pub(crate) whitelabel: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct DomainRow {
    pub(crate) owner: Number,
    pub(crate) state: DomainState,
}

/// What an account's row says in single bits, the same wherever an account is read.
pub(crate) mod account_bit {
    /// There is a record.
    pub(crate) const EXISTS: u32 = 0;
    pub(crate) const CONFIRMED: u32 = 1;
    pub(crate) const CLOSED: u32 = 2;
    /// The first of the disable reasons, in the order of `DisableReason`.
    pub(crate) const DISABLED: u32 = 3;
    pub(crate) const HAS_OWNER: u32 = 7;
    pub(crate) const HAS_PACKAGE: u32 = 8;
    pub(crate) const HAS_LEVEL: u32 = 9;
    /// How many bits there are.
    pub(crate) const COUNT: u32 = 10;
}

/// What a domain's row says in single bits.
pub(crate) mod domain_bit {
    /// Without an owner it is the platform's.
    pub(crate) const HAS_OWNER: u32 = 0;
    /// The first of the states, in the order of `DomainState`.
    pub(crate) const STATE: u32 = 1;
    /// How many bits there are.
    pub(crate) const COUNT: u32 = 4;
}

impl AccountRow {
    /// The bits of [`account_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        use account_bit::{CLOSED, CONFIRMED, DISABLED, EXISTS, HAS_LEVEL, HAS_OWNER, HAS_PACKAGE};
        1 << EXISTS
            | u64::from(self.confirmed) << CONFIRMED
            | u64::from(self.closed) << CLOSED
            | u64::from(self.disabled) << DISABLED
            | u64::from(self.owner != NONE) << HAS_OWNER
            | u64::from(self.package != NONE) << HAS_PACKAGE
            | u64::from(self.level != NONE) << HAS_LEVEL
    }
}

impl DomainRow {
    /// The bits of [`domain_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        use domain_bit::{HAS_OWNER, STATE};
        let state = match self.state {
            DomainState::Pending => 0,
            DomainState::Verified => 1,
            DomainState::Quarantined => 2,
        };
        u64::from(self.owner != NONE) << HAS_OWNER | 1 << (STATE + state)
    }
}

/// All rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hot {
    pub(crate) platforms: Table<()>,
    pub(crate) operators: Table<Arc<str>>,
    pub(crate) packages: Table<PackageRow>,
    pub(crate) levels: Table<LevelRow>,
    pub(crate) accounts: Table<AccountRow>,
    pub(crate) members: Table<MemberRow>,
    pub(crate) domains: Table<DomainRow>,
    /// Features by bit; grown by bundles, never shrunk, so that bits keep their meaning.
    features: Arc<Vec<Arc<str>>>,
    /// Whether there are more features than bits: then nothing of this is used.
    crowded: bool,
}

/// The bit of a disable reason.
pub(crate) fn reason_bit(reason: DisableReason) -> u32 {
    match reason {
        DisableReason::Overage => 0,
        DisableReason::ByOwner => 1,
        DisableReason::Unpaid => 2,
        DisableReason::Abuse => 3,
    }
}

impl Hot {
    /// Features by bit.
    pub(crate) fn features(&self) -> &[Arc<str>] {
        &self.features
    }

    /// How many names have a number.
    pub(crate) fn names(&self) -> [u32; 7] {
        let Self { platforms, operators, packages, levels, accounts, members, domains, .. } = self;
        [platforms.names(), operators.names(), packages.names(), levels.names(), accounts.names(), members.names(), domains.names()]
    }

    /// Whether rows hold all that policies can read.
    pub(crate) fn is_complete(&self) -> bool {
        !self.crowded
    }

    fn bits<'a>(&self, names: impl Iterator<Item = &'a str>) -> u64 {
        let bit = |name: &str| self.features.iter().position(|known| **known == *name);
        names.filter_map(bit).fold(0, |all, at| all | 1_u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0))
    }

    /// Takes up a bundle's features, packages and levels.
    fn declare(&mut self, features: &[&str], catalog: &Catalog, old: &Catalog) {
        let known = Arc::make_mut(&mut self.features);
        for feature in features {
            if known.iter().all(|known| **known != **feature) {
                known.push(Arc::from(*feature));
            }
        }
        self.crowded = known.len() > 64;
        for package in old.packages().filter(|package| catalog.package(package.id()).is_none()) {
            let number = self.packages.name(package.id());
            self.packages.put(number, None);
        }
        for level in old.levels().filter(|level| catalog.level(level.id()).is_none()) {
            let number = self.levels.name(level.id());
            self.levels.put(number, None);
        }
        catalog.packages().for_each(|package| self.put(&Record::Package(package.clone()), None));
        catalog.levels().for_each(|level| self.put(&Record::AccessLevel(level.clone()), None));
    }

    fn put(&mut self, record: &Record, attributes: Option<Arc<Own>>) {
        match record {
            Record::Platform(platform) => {
                let number = self.platforms.name(platform.id());
                self.platforms.put(number, Some(()));
            }
            Record::Operator(operator) => {
                let number = self.operators.name(operator.id());
                self.operators.put(number, Some(Arc::from(operator.email())));
            }
            Record::Package(package) => {
                let number = self.packages.name(package.id());
                let row = PackageRow { features: self.bits(package.features()), whitelabel: package.is_whitelabel() };
                self.packages.put(number, Some(row));
            }
            Record::AccessLevel(level) => {
                let number = self.levels.name(level.id());
                let owner = level.owner().map_or(NONE, |owner| self.accounts.name(owner));
                let row = LevelRow { features: self.bits(level.features()), owner };
                self.levels.put(number, Some(row));
            }
            Record::Account(account) => self.put_account(account, attributes),
            Record::TeamMember(member) => {
                let number = self.members.name(member.id());
                let account = self.accounts.name(member.account());
                let row = MemberRow { account, confirmed: member.is_confirmed(), grants: self.bits(member.grants()), attributes };
                self.members.put(number, Some(row));
            }
            Record::Domain(domain) => {
                let number = self.domains.name(domain.name());
                let owner = domain.owner().map_or(NONE, |owner| self.accounts.name(owner));
                self.domains.put(number, Some(DomainRow { owner, state: domain.state() }));
            }
        }
    }

    fn put_account(&mut self, account: &Account, attributes: Option<Arc<Own>>) {
        let number = self.accounts.name(account.id());
        let (owner, package, level) = match account.kind() {
            AccountKind::Main { package } => (NONE, self.packages.name(package), NONE),
            AccountKind::Client { owner, level } => (self.accounts.name(owner), NONE, level.as_deref().map_or(NONE, |level| self.levels.name(level))),
        };
        let disabled = account.disabled().fold(0, |all, reason| all | 1_u8.checked_shl(reason_bit(reason)).unwrap_or(0));
        let (confirmed, closed) = (account.is_confirmed(), account.is_closed());
        self.accounts.put(number, Some(AccountRow { owner, package, level, confirmed, closed, disabled, attributes }));
    }

    fn remove(&mut self, reference: &Ref, catalog: &Catalog) {
        let id = reference.id();
        macro_rules! gone {
            ($table:ident) => {
                if let Some(number) = self.$table.number(id) {
                    self.$table.put(number, None);
                }
            };
        }
        match reference.kind() {
            "Platform" => gone!(platforms),
            "Operator" => gone!(operators),
            "Package" => gone!(packages),
            "AccessLevel" => gone!(levels),
            "Account" => gone!(accounts),
            "TeamMember" => gone!(members),
            "Domain" => gone!(domains),
            _ => {}
        }
        // A record of the catalog that one of the directory had hidden.
        if let Some(package) = catalog.package(id).filter(|_| reference.kind() == "Package") {
            self.put(&Record::Package(package.clone()), None);
        }
        if let Some(level) = catalog.level(id).filter(|_| reference.kind() == "AccessLevel") {
            self.put(&Record::AccessLevel(level.clone()), None);
        }
    }
}

impl Directory {
    /// The same directory, read with another bundle.
    ///
    /// # Errors
    /// [`Error::Attributes`] where a record's own attributes do not fit its schema.
    pub(crate) fn declare(&self, catalog: &Catalog, old: &Catalog, names: &impl Names) -> Result<Self, Error> {
        let mut next = self.clone();
        next.hot.declare(&names.features(), catalog, old);
        // Attributes may have other types now.
        for record in self.records().filter(|record| own(record).is_some()) {
            next.put_hot(&record, names)?;
        }
        Ok(next)
    }

    /// The rows of the touched records.
    pub(super) fn warm(&mut self, touched: &BTreeSet<Ref>, catalog: &Catalog, names: &impl Names) -> Result<(), Error> {
        for reference in touched {
            match self.own(reference) {
                Some(record) => self.put_hot(&record, names)?,
                None => self.hot.remove(reference, catalog),
            }
        }
        Ok(())
    }

    fn put_hot(&mut self, record: &Record, names: &impl Names) -> Result<(), Error> {
        let typed = own(record).map(|attributes| names.typed(record.reference().kind(), attributes)).transpose();
        let typed = typed.map_err(|reason| Error::Attributes { record: record.reference().to_string(), reason })?;
        self.hot.put(record, typed.map(Arc::new));
        Ok(())
    }
}

/// The host's own attributes, if there are any.
fn own(record: &Record) -> Option<&Map<String, Value>> {
    let attributes = match record {
        Record::Account(account) => account.attributes(),
        Record::TeamMember(member) => member.attributes(),
        _ => return None,
    };
    Some(attributes).filter(|attributes| !attributes.is_empty())
}
