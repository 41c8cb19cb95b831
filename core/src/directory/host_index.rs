//! The verified domains of each owner, by name. Reading a page costs time in proportion to its size
//! (D7, D9).

use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use super::Directory;
use super::record_key::{RecordKey, RecordKind};
use super::tables::Tables;

/// Verified domains by the row number of their owner and by name. Platform domains are stored under
/// [`NO_ROW`](super::NO_ROW). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct HostIndex(RedBlackTreeSetSync<(u32, Arc<str>)>);

impl HostIndex {
    /// Updates the entry of a domain whose row changed.
    pub(super) fn change(&mut self, key: RecordKey, now: &Tables, before: Option<&Tables>) {
        if key.kind() != RecordKind::Domain {
            return;
        }
        let owner = |hot: &Tables| {
            hot.domains
                .row(key.number())
                .filter(|row| row.state() == crate::model::domain::DomainState::Verified)
                .map(|row| row.owner)
        };
        let (now, before, name) = (owner(now), before.and_then(owner), now.id(key));
        if now == before {
            return;
        }
        if let Some(owner) = before {
            self.0.remove_mut(&(owner, Arc::from(name)));
        }
        if let Some(owner) = now {
            self.0.insert_mut((owner, Arc::from(name)));
        }
    }

    /// Returns the names of an owner's verified domains that sort after `name`, in order.
    fn names_after(&self, owner: u32, name: &str) -> impl Iterator<Item = &Arc<str>> {
        let from = (Bound::Excluded((owner, Arc::from(name))), Bound::Unbounded);
        self.0
            .range::<(u32, Arc<str>), _>(from)
            .take_while(move |(known, _)| *known == owner)
            .map(|(_, name)| name)
    }
}

impl Directory {
    /// Returns the first `most` names of the verified domains of these owners that sort after
    /// `after`, in order. The owner [`NO_ROW`](super::NO_ROW) is the platform.
    pub(crate) fn verified_hosts(&self, owners: &[u32], after: &str, most: usize) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = owners
            .iter()
            .flat_map(|owner| self.hosts.names_after(*owner, after).take(most))
            .cloned()
            .collect();
        names.sort_unstable();
        names.truncate(most);
        names
    }
}
