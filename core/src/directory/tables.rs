//! The tables of all record types, and the features and row extras beside them.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use rpds::HashTrieMapSync;

use super::feature_set::FeatureTable;
use super::record_key::{RecordKey, RecordKind};
use super::row_extras::RowExtras;
use super::rows::{AccountRow, COLD, DomainRow, LevelRow, LoginRow, MemberRow, PackageRow};
use super::stored_facts::StoredFacts;
use super::table::Table;
use crate::vm::StoredValue;

/// Tables of all record types. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) platforms: Table<LoginRow>,
    pub(crate) operators: Table<LoginRow>,
    pub(crate) packages: Table<PackageRow>,
    pub(crate) levels: Table<LevelRow>,
    pub(crate) accounts: Table<AccountRow>,
    pub(crate) members: Table<MemberRow>,
    pub(crate) domains: Table<DomainRow>,
    pub(super) cold: HashTrieMapSync<u32, Arc<RowExtras>, DefaultHashBuilder>,
    pub(super) features: Arc<FeatureTable>,
    /// INVARIANT: has the word of each account and member. Maintained by `keep` and `retype`.
    pub(super) stored_facts: StoredFacts,
}

/// Evaluates an expression with the table of a record kind.
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
    /// Returns the index of a feature.
    pub(crate) fn feature(&self, name: &str) -> Option<u32> {
        self.features.feature_index(name)
    }

    /// Returns the key of an id, if the id has a number.
    pub(super) fn key(&self, kind: RecordKind, id: &str) -> Option<RecordKey> {
        tables!([&] self, kind, table => table.number(id)).map(|number| kind.key(number))
    }

    /// Returns the id of a key.
    pub(super) fn id(&self, key: RecordKey) -> &str {
        tables!([&] self, key.kind(), table => table.id(key.number())).unwrap_or_default()
    }

    /// Returns whether the record is in the directory itself, not in the catalog.
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

    /// Returns every record of the directory itself, by type and number.
    pub(super) fn own(&self) -> impl Iterator<Item = RecordKey> + '_ {
        RecordKind::ALL
            .into_iter()
            .flat_map(|kind| self.own_of(kind))
    }

    /// Returns every record of one type of the directory itself.
    pub(super) fn own_of(&self, kind: RecordKind) -> impl Iterator<Item = RecordKey> + '_ {
        let names = tables!([&] self, kind, table => table.names());
        (0..names)
            .map(move |number| kind.key(number))
            .filter(|key| self.is_own(*key))
    }

    /// Returns the row extras of a record.
    pub(crate) fn extras(&self, kind: RecordKind, number: u32) -> Option<&RowExtras> {
        self.cold.get(&kind.key(number).0).map(AsRef::as_ref)
    }

    /// Returns the instant before which the sessions of a login do not count (I7).
    pub(crate) fn not_before(&self, kind: RecordKind, number: u32) -> Option<i64> {
        self.extras(kind, number)?.not_before
    }

    #[inline]
    fn more_features(&self, kind: RecordKind, number: u32, bits: u16) -> &[u32] {
        if bits & COLD == 0 {
            &[]
        } else {
            self.extras(kind, number)
                .map_or(&[], |cold| cold.features.as_slice())
        }
    }

    /// Returns the indexes of a member's features after the first 64.
    #[inline]
    pub(crate) fn more_grants(&self, number: u32, row: &MemberRow) -> &[u32] {
        self.more_features(RecordKind::TeamMember, number, row.bits)
    }

    /// Returns the indexes of a level's features after the first 64.
    #[inline]
    pub(crate) fn more_of_level(&self, number: u32, row: &LevelRow) -> &[u32] {
        self.more_features(RecordKind::AccessLevel, number, row.bits)
    }

    /// Returns the indexes of a package's features after the first 64.
    #[inline]
    pub(crate) fn more_of_package(&self, number: u32, row: &PackageRow) -> &[u32] {
        self.more_features(RecordKind::Package, number, row.bits)
    }

    /// Returns the row extras of an account. Most accounts have none; a bit of the row says so
    /// without a look-up.
    pub(super) fn cold_account(&self, number: u32, row: &AccountRow) -> Option<&RowExtras> {
        if row.bits & COLD == 0 {
            None
        } else {
            self.extras(RecordKind::Account, number)
        }
    }

    /// Returns the end of a domain's claim or lapse.
    pub(super) fn domain_until(&self, number: u32, row: DomainRow) -> Option<i64> {
        if row.bits & COLD == 0 {
            None
        } else {
            self.extras(RecordKind::Domain, number)?.until
        }
    }

    /// Returns an account's custom attributes as typed by the schema.
    pub(crate) fn account_own(&self, number: u32, row: &AccountRow) -> Option<&StoredValue> {
        self.cold_account(number, row)?.own.as_ref()
    }

    /// Returns a member's custom attributes as typed by the schema.
    pub(crate) fn member_own(&self, number: u32, row: &MemberRow) -> Option<&StoredValue> {
        if row.bits & COLD == 0 {
            None
        } else {
            self.extras(RecordKind::TeamMember, number)?.own.as_ref()
        }
    }

    /// Returns the number of ids that have a row number.
    pub(super) fn names(&self) -> u32 {
        RecordKind::ALL.into_iter().fold(
            0,
            |all, kind| tables!([&] self, kind, table => all.saturating_add(table.names())),
        )
    }

    /// Returns the number of ids without a record: ids of removed records, and ids that only
    /// policies or records refer to.
    pub(super) fn bare_names(&self) -> u32 {
        RecordKind::ALL.into_iter().fold(0, |all, kind| tables!([&] self, kind, table => all.saturating_add(table.names().saturating_sub(table.rows()))))
    }

    /// Returns whether an index should grow in the next maintenance.
    pub(super) fn needs_growth(&self) -> bool {
        RecordKind::ALL
            .into_iter()
            .any(|kind| tables!([&] self, kind, table => table.is_filling()))
    }

    /// Grows the indexes that need it.
    pub(super) fn grow(&mut self) {
        for kind in RecordKind::ALL {
            tables!([&mut] self, kind, table => if table.is_filling() { table.make_room() });
        }
    }

    /// Frees the memory that an import no longer needs.
    pub(super) fn settle(&mut self) {
        for kind in RecordKind::ALL {
            tables!([&mut] self, kind, table => table.settle());
        }
    }

    /// Returns the number of chunks that this version does not share with `other`.
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
