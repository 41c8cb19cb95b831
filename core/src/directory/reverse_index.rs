//! Who names a record: for each record a chain in one log, which is only added to.
//!
//! What the log says is a hint: a record that names another one now, or nothing any more, stays in the old chain until
//! most of the log is such. The rows say what holds.

use super::persistent_vec::Column;
use super::record_key::{Key, Kind};
use super::table::NONE;
use super::tables::Hot;

/// What can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Record(Key),
    /// "No owner": platform domains are found under it.
    Nobody,
}

/// Chains by target. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Referrers {
    levels: Column<u32>,
    accounts: Column<u32>,
    packages: Column<u32>,
    nobody: u32,
    /// A referrer, and where the next one stands.
    log: Column<(u32, u32)>,
    /// How many of the log hold.
    live: u32,
}

impl Default for Referrers {
    fn default() -> Self {
        let (levels, accounts, packages, log) = (
            Column::default(),
            Column::default(),
            Column::default(),
            Column::default(),
        );
        Self {
            levels,
            accounts,
            packages,
            nobody: NONE,
            log,
            live: 0,
        }
    }
}

impl Referrers {
    fn head(&self, target: Target) -> u32 {
        let found = match target {
            Target::Nobody => Some(self.nobody),
            Target::Record(key) => match key.kind() {
                Kind::AccessLevel => self.levels.get(key.number()),
                Kind::Account => self.accounts.get(key.number()),
                Kind::Package => self.packages.get(key.number()),
                Kind::Domain | Kind::Operator | Kind::Platform | Kind::TeamMember => None,
            },
        };
        found.unwrap_or(NONE)
    }

    fn add(&mut self, target: Target, referrer: Key) {
        let at = self.log.len();
        self.log.set(at, (referrer.0, self.head(target)), (0, NONE));
        match target {
            Target::Nobody => self.nobody = at,
            Target::Record(key) => match key.kind() {
                Kind::AccessLevel => self.levels.set(key.number(), at, NONE),
                Kind::Account => self.accounts.set(key.number(), at, NONE),
                Kind::Package => self.packages.set(key.number(), at, NONE),
                Kind::Domain | Kind::Operator | Kind::Platform | Kind::TeamMember => {}
            },
        }
        self.live = self.live.saturating_add(1);
    }

    /// Takes up that a record names these now, and named those before.
    pub(super) fn change(
        &mut self,
        referrer: Key,
        now: [Option<Target>; 2],
        before: [Option<Target>; 2],
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
    fn chain(&self, target: Target) -> impl Iterator<Item = Key> + '_ {
        let mut next = self.head(target);
        std::iter::from_fn(move || {
            let (referrer, after) = if next == NONE {
                None
            } else {
                self.log.get(next)
            }?;
            next = after;
            Some(Key(referrer))
        })
    }

    /// Who names a target, by type and number.
    pub(super) fn of(&self, target: Target, hot: &Hot) -> Vec<Key> {
        let mut found: Vec<Key> = self
            .chain(target)
            .filter(|referrer| hot.targets(*referrer).contains(&Some(target)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether most of the log holds no more.
    pub(super) fn is_stale(&self) -> bool {
        self.log.len() / 2 > self.live.saturating_add(1024)
    }

    /// Chains of what holds.
    pub(super) fn anew(hot: &Hot) -> Self {
        let mut next = Self::default();
        for referrer in hot.own() {
            next.change(referrer, hot.targets(referrer), [None; 2]);
        }
        next
    }

    #[cfg(test)]
    pub(super) fn apart(&self, other: &Self) -> usize {
        let columns = [
            (&self.levels, &other.levels),
            (&self.accounts, &other.accounts),
            (&self.packages, &other.packages),
        ];
        columns
            .into_iter()
            .map(|(column, other)| column.apart(other))
            .chain([self.log.apart(&other.log)])
            .sum()
    }
}

impl Hot {
    /// Which records a record of the directory names.
    pub(super) fn targets(&self, referrer: Key) -> [Option<Target>; 2] {
        let number = referrer.number();
        let record = |kind: Kind, number: u32| kind.key_of(number).map(Target::Record);
        let found = match referrer.kind() {
            Kind::Operator | Kind::Platform => None,
            Kind::Package => self
                .packages
                .row(number)
                .filter(|row| row.is_own())
                .map(|row| [record(Kind::AccessLevel, row.level), None]),
            Kind::AccessLevel => self
                .levels
                .row(number)
                .filter(|row| row.is_own())
                .map(|row| [record(Kind::Account, row.owner), None]),
            Kind::Account => self.accounts.row(number).map(|row| match row.owner {
                NONE => [record(Kind::Package, row.package), None],
                owner => [
                    record(Kind::Account, owner),
                    record(Kind::AccessLevel, row.level),
                ],
            }),
            Kind::TeamMember => self
                .members
                .row(number)
                .map(|row| [record(Kind::Account, row.account), None]),
            Kind::Domain => self.domains.row(number).map(|row| {
                [
                    Some(record(Kind::Account, row.owner).unwrap_or(Target::Nobody)),
                    None,
                ]
            }),
        };
        found.unwrap_or([None; 2])
    }
}
