//! Limits in the directory: the limit in force for an account, and the calendar of its windows.

use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::rows::MemberRow;
use super::{Directory, NO_ROW, Referent};
use crate::model::calendar::Calendar;
use crate::model::catalog::{Catalog, CountedKind};
use crate::model::flags::MemberFlags;
use crate::model::limit::{EffectiveLimit, Limit, LimitSource};

/// Records of an account whose number is the usage of a stock. Such a stock is read from the
/// directory and stored nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedRecords<'a> {
    directory: &'a Directory,
    account: u32,
    what: CountedKind,
}

impl CountedRecords<'_> {
    /// Returns the number of these records at an instant.
    pub(crate) fn count(&self, now: i64) -> i64 {
        self.directory.count(self.account, self.what, now)
    }
}

static USUAL: Calendar = Calendar::USUAL;

impl Directory {
    /// Returns the row number of an account.
    pub(crate) fn account_number(&self, id: &str) -> Option<u32> {
        self.hot.accounts.find(id).map(|(number, _)| number)
    }

    /// Returns the row numbers of a member and of its account.
    pub(crate) fn member_number(&self, id: &str) -> Option<(u32, u32)> {
        self.hot
            .members
            .find(id)
            .map(|(number, row)| (number, row.account))
    }

    /// Returns the number of such records of an account at an instant. An expired invitation holds
    /// no seat (M8).
    pub(crate) fn count(&self, account: u32, what: CountedKind, now: i64) -> i64 {
        let is = |key: &RecordKey| match (what, key.kind()) {
            (CountedKind::Clients, RecordKind::Account) => self.is_client(account, key.number()),
            (CountedKind::Members, RecordKind::TeamMember) => self.holds_seat(key.number(), now),
            _ => false,
        };
        let found = self.referrers_of_account(account);
        i64::try_from(found.iter().filter(|key| is(key)).count()).unwrap_or(i64::MAX)
    }

    /// Returns the records that refer to an account, by type and number.
    pub(super) fn referrers_of_account(&self, account: u32) -> Vec<RecordKey> {
        self.referrers.find_referrers(
            Referent::Record(RecordKind::Account.key(account)),
            &self.hot,
        )
    }

    fn member_flags(&self, member: u32) -> MemberFlags {
        let row = self.hot.members.row(member);
        row.map(MemberRow::flags).unwrap_or_default()
    }

    /// Returns whether a member is a service account (I7).
    pub(crate) fn is_service(&self, member: u32) -> bool {
        self.member_flags(member).service
    }

    /// Returns whether a member has accepted, or has an invitation that has not expired. A service
    /// account holds no seat (I7).
    pub(super) fn holds_seat(&self, member: u32, now: i64) -> bool {
        let MemberFlags { confirmed, service } = self.member_flags(member);
        if service {
            return false;
        }
        let pending = self
            .hot
            .extras(RecordKind::TeamMember, member)
            .and_then(|cold| cold.pending.as_deref());
        confirmed || pending.is_none_or(|pending| now < pending.until)
    }

    /// Returns the records that are a meter's usage, if the catalog declares the meter as such.
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

    /// Returns the id of an account by its row number.
    pub(crate) fn account_id(&self, number: u32) -> Option<&str> {
        self.hot.accounts.id(number)
    }

    /// Returns the calendar from which an account's windows are counted.
    pub(crate) fn calendar(&self, account: u32) -> &Calendar {
        self.account_extras(account)
            .and_then(|cold| cold.calendar.as_deref())
            .unwrap_or(&USUAL)
    }

    /// Returns the limit of an account: its own, else that of the client's level, else that of the
    /// package (L6).
    pub(crate) fn allowance(&self, account: u32, meter: &str, catalog: &Catalog) -> EffectiveLimit {
        let over = self
            .account_extras(account)
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

    fn account_extras(&self, account: u32) -> Option<&RowExtras> {
        self.hot
            .cold_account(account, self.hot.accounts.row(account)?)
    }

    fn base(&self, account: u32, meter: &str, catalog: &Catalog) -> Option<(Limit, LimitSource)> {
        let row = self.hot.accounts.row(account)?;
        if row.owner == NO_ROW {
            let package = self.package(self.hot.packages.id(row.package)?, catalog)?;
            return Some((package.limit(meter)?, LimitSource::Package));
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
                .extras(RecordKind::AccessLevel, level)?
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

    /// Returns the sub-limit of a member: its part of the account's limit (M7).
    pub(crate) fn sub_limit(&self, member: u32, meter: &str) -> Option<Limit> {
        self.hot
            .extras(RecordKind::TeamMember, member)?
            .limits
            .get(meter)
            .copied()
    }
}
