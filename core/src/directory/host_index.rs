//! Domains by owner, by name and by time: the domains in use of each owner (D7, D9), the claims of
//! each name, and the ends of lapsed domains (D4). Reading a page costs time in proportion to its
//! size.

use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use super::Directory;
use super::record_key::{RecordKey, RecordKind};
use super::tables::Tables;
use crate::model::domain::{Domain, DomainState, claim_prefix, is_claim_id};

/// The end of a lapse that never comes.
const NEVER: i64 = i64::MAX;

/// Indexes of the domains. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct HostIndex {
    /// Domains in use by the row number of their owner and by name. Platform domains are stored
    /// under [`NO_ROW`](super::NO_ROW).
    in_use: RedBlackTreeSetSync<(u32, Arc<str>)>,
    /// The ids of the claims that do not have the plain name as their id.
    claims: RedBlackTreeSetSync<Arc<str>>,
    /// Lapsed domains by the instant at which they are quarantined, with their row number.
    lapses: RedBlackTreeSetSync<(i64, u32)>,
    /// The first instant of `lapses`. Every request reads it.
    next_lapse_end: i64,
}

impl Default for HostIndex {
    fn default() -> Self {
        Self {
            in_use: RedBlackTreeSetSync::default(),
            claims: RedBlackTreeSetSync::default(),
            lapses: RedBlackTreeSetSync::default(),
            next_lapse_end: NEVER,
        }
    }
}

/// The entries of one domain.
#[derive(Default, PartialEq)]
struct DomainEntries {
    /// The owner, if the domain is in use.
    owner: Option<u32>,
    is_claim: bool,
    lapse_end: Option<i64>,
}

impl DomainEntries {
    fn of(hot: &Tables, key: RecordKey) -> Self {
        let Some(row) = hot.domains.row(key.number()) else {
            return Self::default();
        };
        let state = row.state();
        let is_lapsed = state == DomainState::Lapsed;
        Self {
            owner: state.is_in_use().then_some(row.owner),
            is_claim: state == DomainState::Pending && is_claim_id(hot.id(key)),
            lapse_end: is_lapsed
                .then(|| hot.domain_until(key.number(), *row))
                .flatten(),
        }
    }
}

impl HostIndex {
    /// Updates the entries of a domain whose row changed.
    pub(super) fn change(&mut self, key: RecordKey, now: &Tables, before: Option<&Tables>) {
        if key.kind() != RecordKind::Domain {
            return;
        }
        let before = before.map_or_else(DomainEntries::default, |hot| DomainEntries::of(hot, key));
        let (now, id) = (DomainEntries::of(now, key), now.id(key));
        if now == before {
            return;
        }
        let name = || Arc::from(id);
        if now.owner != before.owner {
            if let Some(owner) = before.owner {
                self.in_use.remove_mut(&(owner, name()));
            }
            if let Some(owner) = now.owner {
                self.in_use.insert_mut((owner, name()));
            }
        }
        if before.is_claim {
            self.claims.remove_mut(&name());
        }
        if now.is_claim {
            self.claims.insert_mut(name());
        }
        if let Some(end) = before.lapse_end {
            self.lapses.remove_mut(&(end, key.number()));
        }
        if let Some(end) = now.lapse_end {
            self.lapses.insert_mut((end, key.number()));
        }
        self.next_lapse_end = self.lapses.first().map_or(NEVER, |(end, _)| *end);
    }

    /// Returns the names of an owner's domains in use that sort after `name`, in order.
    fn names_after(&self, owner: u32, name: &str) -> impl Iterator<Item = &Arc<str>> {
        let from = (Bound::Excluded((owner, Arc::from(name))), Bound::Unbounded);
        self.in_use
            .range::<(u32, Arc<str>), _>(from)
            .take_while(move |(known, _)| *known == owner)
            .map(|(_, name)| name)
    }
}

impl Directory {
    /// Returns the first `most` names of the domains in use of these owners that sort after
    /// `after`, in order. The owner [`NO_ROW`](super::NO_ROW) is the platform.
    pub(crate) fn hosts_in_use(&self, owners: &[u32], after: &str, most: usize) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = owners
            .iter()
            .flat_map(|owner| self.hosts.names_after(*owner, after).take(most))
            .cloned()
            .collect();
        names.sort_unstable();
        names.truncate(most);
        names
    }

    /// Returns the ids of all claims `NAME/OWNER` of a normalised name, expired ones included.
    pub(crate) fn claims_of_name(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        let prefix: Arc<str> = claim_prefix(name).into();
        let from = (Bound::Included(Arc::clone(&prefix)), Bound::Unbounded);
        self.hosts
            .claims
            .range::<Arc<str>, _>(from)
            .take_while(move |id| id.starts_with(&*prefix))
    }

    /// Returns the domain that a normalised host name leads to: the one of that name, or else the
    /// first claim of the name (D3). A claim serves nobody, but is no unknown host.
    pub(crate) fn domain_at_host(&self, name: &str) -> Option<u32> {
        let domains = &self.hot.domains;
        let found = domains.find(name).or_else(|| {
            let claim = self.claims_of_name(name).next()?;
            domains.find(claim)
        });
        found.map(|(number, _)| number)
    }

    /// Returns the number of an owner's claims that have not expired.
    pub(crate) fn open_claims(&self, owner: &str, now: i64) -> i64 {
        let Some(number) = self.account_number(owner) else {
            return 0;
        };
        let is_open = |key: &RecordKey| {
            let domain = (key.kind() == RecordKind::Domain)
                .then(|| self.domain(self.hot.id(*key)))
                .flatten();
            domain.is_some_and(|domain: Domain| domain.is_open_claim(now))
        };
        let keys = self.referrers_of_account(number);
        i64::try_from(keys.iter().filter(|key| is_open(key)).count()).unwrap_or(i64::MAX)
    }

    /// Returns the first instant at which a lapsed domain is quarantined, or `i64::MAX`.
    #[inline]
    pub(crate) fn next_lapse_end(&self) -> i64 {
        self.hosts.next_lapse_end
    }

    /// Returns the directory at an instant: lapsed domains whose last day is over are quarantined.
    /// This is the only place that compares a lapse with the clock.
    pub(crate) fn with_ended_lapses(mut self, now: i64) -> Self {
        while let Some((end, number)) = self.hosts.lapses.first().copied()
            && end <= now
        {
            let before = self.hot.clone();
            self.hot.quarantine(number);
            let key = RecordKind::Domain.key(number);
            self.hosts.change(key, &self.hot, Some(&before));
            // The end is removed even if its row is gone, so that this loop ends.
            self.hosts.lapses.remove_mut(&(end, number));
        }
        self.hosts.next_lapse_end = self.hosts.lapses.first().map_or(NEVER, |(end, _)| *end);
        self
    }
}
