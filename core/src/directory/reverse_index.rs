//! Who names a record: for each record a chain in one log, which is only added to.
//!
//! What the log says is a hint: a record that names another one now, or nothing any more, stays in
//! the old chain until most of the log is such. The rows say what holds.

use super::persistent_vec::PersistentColumn;
use super::record_key::{RecordKey, RecordKind};
use super::table::NO_ROW;
use super::tables::Tables;

/// What can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referent {
    Record(RecordKey),
    /// "No owner": platform domains are found under it.
    Nobody,
}

/// Chains by target. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ReverseIndex {
    levels: PersistentColumn<u32>,
    accounts: PersistentColumn<u32>,
    packages: PersistentColumn<u32>,
    nobody: u32,
    /// A referrer, and where the next one stands.
    log: PersistentColumn<(u32, u32)>,
    /// How many of the log hold.
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

    /// Takes up that a record names these now, and named those before.
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
        let gone = before
            .into_iter()
            .flatten()
            .filter(|target| !now.contains(&Some(*target)))
            .count();
        self.live = self.live.saturating_sub(u32::try_from(gone).unwrap_or(0));
    }

    /// The chain of a target, latest first: with what holds no more, and with twins.
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

    /// Who names a target, by type and number.
    pub(super) fn of(&self, target: Referent, hot: &Tables) -> Vec<RecordKey> {
        let mut found: Vec<RecordKey> = self
            .referrers_of(target)
            .filter(|referrer| hot.targets(*referrer).contains(&Some(target)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether most of the log holds no more.
    pub(super) fn needs_rebuild(&self) -> bool {
        self.log.len() / 2 > self.live.saturating_add(1024)
    }

    /// Chains of what holds.
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
    /// Which records a record of the directory names.
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
