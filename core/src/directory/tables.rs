//! The directory's rows: numbers, bits and texts. What policies read, and all else of a record,
//! save what few have.

use std::sync::Arc;

use rpds::HashTrieMapSync;

use super::feature_set::FeatureTable;
use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::table::{Row, Table};
use crate::model::account::DisableReason;
use crate::model::domain::DomainState;
use crate::vm::StoredValue;

/// A number, or [`NO_ROW`](super::NO_ROW).
type Number = u32;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AccountRow {
    pub(crate) owner: Number,
    pub(crate) package: Number,
    pub(crate) level: Number,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemberRow {
    /// The first 64 features.
    pub(crate) grants: u64,
    pub(crate) account: Number,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LevelRow {
    /// The first 64 features.
    pub(crate) features: u64,
    pub(crate) owner: Number,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PackageRow {
    /// The first 64 features.
    pub(crate) features: u64,
    /// The level of clients created without one.
    pub(super) level: Number,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DomainRow {
    pub(crate) owner: Number,
    pub(super) bits: u16,
}

/// The row of a platform or an operator.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoginRow(pub(super) bool);

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

/// What a member's row says in single bits.
pub(crate) mod member_bit {
    /// There is a record.
    pub(crate) const EXISTS: u32 = 0;
    pub(crate) const CONFIRMED: u32 = 1;
    /// How many bits there are.
    pub(crate) const COUNT: u32 = 2;
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

/// What a level's or a package's row says in single bits.
pub(super) mod offer_bit {
    /// There is one.
    pub(in super::super) const EXISTS: u32 = 0;
    /// It is the directory's own, not the catalog's.
    pub(in super::super) const OWN: u32 = 1;
    pub(in super::super) const WHITELABEL: u32 = 2;
}

/// In every row that has it: more is kept aside.
pub(super) const COLD: u16 = 1 << 15;

/// The bit as a mask.
pub(super) const fn mask(bit: u32) -> u16 {
    1 << bit
}

/// All bits below this one.
const fn below(bit: u32) -> u16 {
    mask(bit).wrapping_sub(1)
}

impl AccountRow {
    /// Stands for no account: names nothing, and has no bit.
    pub(crate) const NOBODY: Self = Self {
        owner: super::NO_ROW,
        package: super::NO_ROW,
        level: super::NO_ROW,
        bits: 0,
    };

    /// The bits of [`account_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        u64::from(self.bits & below(account_bit::COUNT))
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.bits & mask(account_bit::CONFIRMED) != 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.bits & mask(account_bit::CLOSED) != 0
    }

    /// A bit for each reason, in the order of [`DisableReason`].
    pub(crate) fn disabled(&self) -> u64 {
        u64::from(self.bits >> account_bit::DISABLED & 0b1111)
    }
}

impl MemberRow {
    /// The bits of [`member_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        u64::from(self.bits & below(member_bit::COUNT))
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.bits & mask(member_bit::CONFIRMED) != 0
    }
}

impl LevelRow {
    /// Whether it is the directory's own.
    pub(super) fn is_own(&self) -> bool {
        self.bits & mask(offer_bit::OWN) != 0
    }
}

impl PackageRow {
    pub(super) fn is_own(&self) -> bool {
        self.bits & mask(offer_bit::OWN) != 0
    }

    pub(crate) fn is_whitelabel(&self) -> bool {
        self.bits & mask(offer_bit::WHITELABEL) != 0
    }
}

impl DomainRow {
    /// The bits of [`domain_bit`].
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.bits)
    }

    pub(crate) fn state(self) -> DomainState {
        match self.bits >> domain_bit::STATE {
            1 => DomainState::Pending,
            2 => DomainState::Verified,
            _ => DomainState::Quarantined,
        }
    }
}

macro_rules! exists {
    ($($row:ident)*) => {
        $(impl Row for $row {
            #[inline]
            fn exists(&self) -> bool {
                self.bits & 1 != 0
            }
        })*
    };
}

exists!(AccountRow MemberRow LevelRow PackageRow);

impl Row for DomainRow {
    #[inline]
    fn exists(&self) -> bool {
        self.bits != 0
    }
}

impl Row for LoginRow {
    fn exists(&self) -> bool {
        self.0
    }
}

/// All rows. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) platforms: Table<LoginRow>,
    pub(crate) operators: Table<LoginRow>,
    pub(crate) packages: Table<PackageRow>,
    pub(crate) levels: Table<LevelRow>,
    pub(crate) accounts: Table<AccountRow>,
    pub(crate) members: Table<MemberRow>,
    pub(crate) domains: Table<DomainRow>,
    pub(super) cold: HashTrieMapSync<u32, Arc<RowExtras>>,
    pub(super) features: Arc<FeatureTable>,
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

/// Does the same with the table of each kind.
macro_rules! tables {
    ([$($borrow:tt)+] $hot:expr, $kind:expr, $table:ident => $work:expr) => {
        match $kind {
            RecordKind::AccessLevel => { let $table = $($borrow)+ $hot.levels; $work }
            RecordKind::Account => { let $table = $($borrow)+ $hot.accounts; $work }
            RecordKind::Domain => { let $table = $($borrow)+ $hot.domains; $work }
            RecordKind::Operator => { let $table = $($borrow)+ $hot.operators; $work }
            RecordKind::Package => { let $table = $($borrow)+ $hot.packages; $work }
            RecordKind::Platform => { let $table = $($borrow)+ $hot.platforms; $work }
            RecordKind::TeamMember => { let $table = $($borrow)+ $hot.members; $work }
        }
    };
}

impl Tables {
    /// The place of a feature.
    pub(crate) fn feature(&self, name: &str) -> Option<u32> {
        self.features.feature_index(name)
    }

    /// The number of an id, if it has one.
    pub(super) fn key(&self, kind: RecordKind, id: &str) -> Option<RecordKey> {
        tables!([&] self, kind, table => table.number(id)).map(|number| kind.key(number))
    }

    /// The id of a key.
    pub(super) fn id(&self, key: RecordKey) -> &str {
        tables!([&] self, key.kind(), table => table.id(key.number())).unwrap_or_default()
    }

    /// Whether the directory itself keeps such a record, not the catalog.
    pub(super) fn is_own(&self, key: RecordKey) -> bool {
        let number = key.number();
        match key.kind() {
            RecordKind::AccessLevel => self.levels.row(number).is_some_and(LevelRow::is_own),
            RecordKind::Package => self.packages.row(number).is_some_and(PackageRow::is_own),
            RecordKind::Account => self.accounts.row(number).is_some(),
            RecordKind::Domain => self.domains.row(number).is_some(),
            RecordKind::Operator => self.operators.row(number).is_some(),
            RecordKind::Platform => self.platforms.row(number).is_some(),
            RecordKind::TeamMember => self.members.row(number).is_some(),
        }
    }

    /// Every record of the directory itself, by type and number.
    pub(super) fn own(&self) -> impl Iterator<Item = RecordKey> + '_ {
        RecordKind::ALL
            .into_iter()
            .flat_map(|kind| self.own_of(kind))
    }

    /// Those of one type.
    pub(super) fn own_of(&self, kind: RecordKind) -> impl Iterator<Item = RecordKey> + '_ {
        let names = tables!([&] self, kind, table => table.names());
        (0..names)
            .map(move |number| kind.key(number))
            .filter(|key| self.is_own(*key))
    }

    /// What else is kept with a record.
    pub(crate) fn cold(&self, kind: RecordKind, number: u32) -> Option<&RowExtras> {
        self.cold.get(&kind.key(number).0).map(AsRef::as_ref)
    }

    #[inline]
    fn more_features(&self, kind: RecordKind, number: u32, bits: u16) -> &[u32] {
        if bits & COLD == 0 {
            &[]
        } else {
            self.cold(kind, number)
                .map_or(&[], |cold| cold.features.as_slice())
        }
    }

    /// The places of a member's features after the first 64.
    #[inline]
    pub(crate) fn more_grants(&self, number: u32, row: &MemberRow) -> &[u32] {
        self.more_features(RecordKind::TeamMember, number, row.bits)
    }

    /// The same of a level.
    #[inline]
    pub(crate) fn more_of_level(&self, number: u32, row: &LevelRow) -> &[u32] {
        self.more_features(RecordKind::AccessLevel, number, row.bits)
    }

    /// The same of a package.
    #[inline]
    pub(crate) fn more_of_package(&self, number: u32, row: &PackageRow) -> &[u32] {
        self.more_features(RecordKind::Package, number, row.bits)
    }

    /// What else is kept with an account. Most have nothing: their rows say so.
    pub(super) fn cold_account(&self, number: u32, row: &AccountRow) -> Option<&RowExtras> {
        if row.bits & COLD == 0 {
            None
        } else {
            self.cold(RecordKind::Account, number)
        }
    }

    /// An account's attributes of the host's own, as the schema types them.
    pub(crate) fn account_own(&self, number: u32, row: &AccountRow) -> Option<&StoredValue> {
        self.cold_account(number, row)?.own.as_ref()
    }

    /// A member's attributes of the host's own.
    pub(crate) fn member_own(&self, number: u32, row: &MemberRow) -> Option<&StoredValue> {
        if row.bits & COLD == 0 {
            None
        } else {
            self.cold(RecordKind::TeamMember, number)?.own.as_ref()
        }
    }

    /// How many names have a number.
    pub(super) fn names(&self) -> u32 {
        RecordKind::ALL.into_iter().fold(
            0,
            |all, kind| tables!([&] self, kind, table => all.saturating_add(table.names())),
        )
    }

    /// Names that have no record: dead, or named by policies and records.
    pub(super) fn bare_names(&self) -> u32 {
        RecordKind::ALL.into_iter().fold(0, |all, kind| tables!([&] self, kind, table => all.saturating_add(table.names().saturating_sub(table.rows()))))
    }

    /// Whether an index should grow when there is time.
    pub(super) fn needs_growth(&self) -> bool {
        RecordKind::ALL
            .into_iter()
            .any(|kind| tables!([&] self, kind, table => table.is_filling()))
    }

    /// Lets the indexes that need it grow.
    pub(super) fn grow(&mut self) {
        for kind in RecordKind::ALL {
            tables!([&mut] self, kind, table => if table.is_filling() { table.make_room() });
        }
    }

    /// Gives back what loading left over.
    pub(super) fn settle(&mut self) {
        for kind in RecordKind::ALL {
            tables!([&mut] self, kind, table => table.settle());
        }
    }

    /// How many chunks of this version the other does not have.
    #[cfg(test)]
    pub(super) fn count_unshared(&self, other: &Self) -> usize {
        let few = [
            self.platforms.apart(&other.platforms),
            self.operators.apart(&other.operators),
            self.packages.apart(&other.packages),
        ];
        let many = [
            self.levels.apart(&other.levels),
            self.accounts.apart(&other.accounts),
            self.members.apart(&other.members),
        ];
        few.into_iter()
            .chain(many)
            .chain([self.domains.apart(&other.domains)])
            .sum()
    }
}
