//! What the directory says of limits: which is in force for an account, and from when its windows
//! are counted.

use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::{Directory, MemberRow, NO_ROW, Referent};
use crate::model::calendar::Calendar;
use crate::model::catalog::{Catalog, CountedKind};
use crate::model::limit::{EffectiveLimit, Limit, LimitSource};

/// The meter whose limit a package states in a word of its own.
const CLIENT_ACCOUNTS: &str = "client_accounts";

/// The records of an account that are the count of a stock: such a stock is read from the
/// directory, and stored nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedRecords<'a> {
    directory: &'a Directory,
    account: u32,
    what: CountedKind,
}

impl CountedRecords<'_> {
    /// How many there are at this instant.
    pub(crate) fn count(&self, now: i64) -> i64 {
        self.directory.count(self.account, self.what, now)
    }
}

static USUAL: Calendar = Calendar::USUAL;

impl Directory {
    /// The number of an account.
    pub(crate) fn account_number(&self, id: &str) -> Option<u32> {
        self.hot.accounts.find(id).map(|(number, _)| number)
    }

    /// A member's number, and that of its account.
    pub(crate) fn member_number(&self, id: &str) -> Option<(u32, u32)> {
        self.hot
            .members
            .find(id)
            .map(|(number, row)| (number, row.account))
    }

    /// How many such records an account has at this instant: an invitation that is over holds no
    /// seat (M8).
    pub(crate) fn count(&self, account: u32, what: CountedKind, now: i64) -> i64 {
        let hot = &self.hot;
        let is = |key: &RecordKey| match (what, key.kind()) {
            (CountedKind::Clients, RecordKind::Account) => self.is_client(account, key.number()),
            (CountedKind::Members, RecordKind::TeamMember) => self.holds_seat(key.number(), now),
            _ => false,
        };
        let found = self
            .referrers
            .of(Referent::Record(RecordKind::Account.key(account)), hot);
        i64::try_from(found.iter().filter(|key| is(key)).count()).unwrap_or(i64::MAX)
    }

    /// Whether a member has accepted, or its invitation still stands.
    fn holds_seat(&self, member: u32, now: i64) -> bool {
        let is_confirmed = self
            .hot
            .members
            .row(member)
            .is_some_and(MemberRow::is_confirmed);
        let pending = self
            .hot
            .cold(RecordKind::TeamMember, member)
            .and_then(|cold| cold.pending.as_deref());
        is_confirmed || pending.is_none_or(|pending| now < pending.until)
    }

    /// The records that are a meter's count, where the catalog says that it has such.
    pub(crate) fn counted_records(
        &self,
        account: u32,
        what: Option<CountedKind>,
    ) -> Option<CountedRecords<'_>> {
        what.map(|what| CountedRecords {
            directory: self,
            account,
            what,
        })
    }

    /// The id of an account's number.
    pub(crate) fn account_id(&self, number: u32) -> Option<&str> {
        self.hot.accounts.id(number)
    }

    /// From when an account's windows are counted.
    pub(crate) fn calendar(&self, account: u32) -> &Calendar {
        self.account_cold(account)
            .and_then(|cold| cold.calendar.as_deref())
            .unwrap_or(&USUAL)
    }

    /// The limit of an account: its own, or a client's level's, or that of the package (L6).
    pub(crate) fn allowance(&self, account: u32, meter: &str, catalog: &Catalog) -> EffectiveLimit {
        let over = self
            .account_cold(account)
            .and_then(|cold| cold.limits.get(meter).copied());
        let (base, source) = self
            .base(account, meter, catalog)
            .map_or((None, LimitSource::None), |(limit, source)| {
                (Some(limit), source)
            });
        EffectiveLimit {
            base,
            source: if over.is_some() {
                LimitSource::Override
            } else {
                source
            },
            over,
        }
    }

    fn account_cold(&self, account: u32) -> Option<&RowExtras> {
        self.hot
            .cold_account(account, self.hot.accounts.row(account)?)
    }

    fn base(&self, account: u32, meter: &str, catalog: &Catalog) -> Option<(Limit, LimitSource)> {
        let row = self.hot.accounts.row(account)?;
        if row.owner == NO_ROW {
            let package = self.package(self.hot.packages.id(row.package)?, catalog)?;
            let stated = package.limits().get(meter).copied();
            let limit = stated.or_else(|| {
                package
                    .client_accounts()
                    .filter(|_| meter == CLIENT_ACCOUNTS)
            })?;
            return Some((limit, LimitSource::Package));
        }
        if let Some(limit) = self.level_limit(row.level, meter, catalog) {
            return Some((limit, LimitSource::Level));
        }
        let owner = self.hot.accounts.row(row.owner)?;
        let package = self.package(self.hot.packages.id(owner.package)?, catalog)?;
        Some((
            package.client_limits().get(meter).copied()?,
            LimitSource::Package,
        ))
    }

    fn level_limit(&self, level: u32, meter: &str, catalog: &Catalog) -> Option<Limit> {
        let row = self.hot.levels.row(level)?;
        if row.is_own() {
            return self
                .hot
                .cold(RecordKind::AccessLevel, level)?
                .limits
                .get(meter)
                .copied();
        }
        catalog
            .level(self.hot.levels.id(level)?)?
            .limits()
            .get(meter)
            .copied()
    }

    /// A member's part of its account's limit (M7).
    pub(crate) fn sub_limit(&self, member: u32, meter: &str) -> Option<Limit> {
        self.hot
            .cold(RecordKind::TeamMember, member)?
            .limits
            .get(meter)
            .copied()
    }
}
