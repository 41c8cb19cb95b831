//! Reverse index of references: for each record, a chain of its referrers in one append-only log.
//!
//! The entries are hints. If a referrer is removed or names another record, its old entry stays
//! until most of the log is stale. The rows decide which entries are valid.

use super::persistent_vec::PersistentColumn;
use super::record_key::{RecordKey, RecordKind};
use super::table::NO_ROW;
use super::tables::Tables;

/// A record that can be referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referent {
    Record(RecordKey),
    /// No owner: platform domains are indexed under it.
    Nobody,
}

/// Chains of referrers by referent. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ReverseIndex {
    levels: PersistentColumn<u32>,
    accounts: PersistentColumn<u32>,
    packages: PersistentColumn<u32>,
    nobody: u32,
    /// A referrer, and the position of the next entry of its chain.
    log: PersistentColumn<(u32, u32)>,
    /// Number of valid entries in the log.
    live: u32,
}

impl Default for ReverseIndex {
    fn default() -> Self {
        let (levels, accounts, packages, log) = (
            PersistentColumn::default(),
            PersistentColumn::default(),
            PersistentColumn::default(),
            PersistentColumn::default(),
        );
        Self {
            levels,
            accounts,
            packages,
            nobody: NO_ROW,
            log,
            live: 0,
        }
    }
}

impl ReverseIndex {
    fn head(&self, target: Referent) -> u32 {
        let found = match target {
            Referent::Nobody => Some(self.nobody),
            Referent::Record(key) => match key.kind() {
                RecordKind::AccessLevel => self.levels.get(key.number()),
                RecordKind::Account => self.accounts.get(key.number()),
                RecordKind::Package => self.packages.get(key.number()),
                RecordKind::Domain
                | RecordKind::Operator
                | RecordKind::Platform
                | RecordKind::TeamMember => None,
            },
        };
        found.unwrap_or(NO_ROW)
    }

    fn add(&mut self, target: Referent, referrer: RecordKey) {
        let at = self.log.len();
        self.log
            .set(at, (referrer.0, self.head(target)), (0, NO_ROW));
        match target {
            Referent::Nobody => self.nobody = at,
            Referent::Record(key) => match key.kind() {
                RecordKind::AccessLevel => self.levels.set(key.number(), at, NO_ROW),
                RecordKind::Account => self.accounts.set(key.number(), at, NO_ROW),
                RecordKind::Package => self.packages.set(key.number(), at, NO_ROW),
                RecordKind::Domain
                | RecordKind::Operator
                | RecordKind::Platform
                | RecordKind::TeamMember => {}
            },
        }
        self.live = self.live.saturating_add(1);
    }

    /// Updates the index after a record's references changed from `before` to `now`.
    pub(super) fn change(
        &mut self,
        referrer: RecordKey,
        now: [Option<Referent>; 2],
        before: [Option<Referent>; 2],
    ) {
        for target in now
            .into_iter()
            .flatten()
            .filter(|target| !before.contains(&Some(*target)))
        {
            self.add(target, referrer);
        }
        let removed = before
            .into_iter()
            .flatten()
            .filter(|target| !now.contains(&Some(*target)))
            .count();
        self.live = self
            .live
            .saturating_sub(u32::try_from(removed).unwrap_or(0));
    }

    /// Returns the chain of a referent, latest entry first. It may contain stale entries and
    /// duplicates.
    fn referrers_of(&self, target: Referent) -> impl Iterator<Item = RecordKey> + '_ {
        let mut next = self.head(target);
        std::iter::from_fn(move || {
            let (referrer, after) = if next == NO_ROW {
                None
            } else {
                self.log.get(next)
            }?;
            next = after;
            Some(RecordKey(referrer))
        })
    }

    /// Returns the records that refer to a referent, by type and number.
    pub(super) fn find_referrers(&self, target: Referent, hot: &Tables) -> Vec<RecordKey> {
        let mut found: Vec<RecordKey> = self
            .referrers_of(target)
            .filter(|referrer| hot.targets(*referrer).contains(&Some(target)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns whether most of the log is stale.
    pub(super) fn needs_rebuild(&self) -> bool {
        self.log.len() / 2 > self.live.saturating_add(1024)
    }

    /// Builds a new index without stale entries.
    pub(super) fn rebuild(hot: &Tables) -> Self {
        let mut next = Self::default();
        for referrer in hot.own() {
            next.change(referrer, hot.targets(referrer), [None; 2]);
        }
        next
    }

    #[cfg(test)]
    pub(super) fn count_unshared(&self, other: &Self) -> usize {
        let columns = [
            (&self.levels, &other.levels),
            (&self.accounts, &other.accounts),
            (&self.packages, &other.packages),
        ];
        columns
            .into_iter()
            .map(|(column, other)| column.count_unshared(other))
            .chain([self.log.count_unshared(&other.log)])
            .sum()
    }
}

impl Tables {
    /// Returns the records that a record of the directory refers to.
    pub(super) fn targets(&self, referrer: RecordKey) -> [Option<Referent>; 2] {
        let number = referrer.number();
        let record = |kind: RecordKind, number: u32| kind.key_of(number).map(Referent::Record);
        let found = match referrer.kind() {
            RecordKind::Operator | RecordKind::Platform => None,
            RecordKind::Package => self
                .packages
                .row(number)
                .filter(|row| row.is_own())
                .map(|row| [record(RecordKind::AccessLevel, row.level), None]),
            RecordKind::AccessLevel => self
                .levels
                .row(number)
                .filter(|row| row.is_own())
                .map(|row| [record(RecordKind::Account, row.owner), None]),
            RecordKind::Account => self.accounts.row(number).map(|row| match row.owner {
                NO_ROW => [record(RecordKind::Package, row.package), None],
                owner => [
                    record(RecordKind::Account, owner),
                    record(RecordKind::AccessLevel, row.level),
                ],
            }),
            RecordKind::TeamMember => self
                .members
                .row(number)
                .map(|row| [record(RecordKind::Account, row.account), None]),
            RecordKind::Domain => self.domains.row(number).map(|row| {
                [
                    Some(record(RecordKind::Account, row.owner).unwrap_or(Referent::Nobody)),
                    None,
                ]
            }),
        };
        found.unwrap_or([None; 2])
    }
}
