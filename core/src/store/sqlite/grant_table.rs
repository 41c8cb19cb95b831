//! The cached grants of one process for the buckets of a file.
//!
//! A consume under a grant still reads its bucket in its transaction, because other processes may
//! have counted. It saves the policies and the limits of the directory.

use super::transaction::SqliteTx;
use crate::store::{CachedGrant, CountOwner, CountTx, Found, GrantHit, GrantKey};
use crate::util::keyed_hash::KeyedHash;

/// The number of places.
const PLACES: u64 = 1_024;

/// The grants, each in the place that the hash of its account and meter gives.
///
/// An owner that is looked for takes its place from the owner before. Its grant is cached at the
/// second look, because to prove a grant takes longer than an answer without one.
#[derive(Debug, Default)]
pub(super) struct GrantTable {
    hasher: KeyedHash,
    /// Empty until an owner is looked for.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The hash of the account and the meter that were looked for last.
    owner: u64,
    /// Whether the owner was looked for before.
    is_wanted: bool,
    /// The id of the bucket and its grant. The id is compared too, so that a collision of hashes
    /// finds no grant.
    grant: Option<(u64, CachedGrant)>,
}

impl GrantTable {
    /// Returns the place of an account's own bucket for a meter, as its owner before left it, and
    /// the hash of the owner.
    fn place(&mut self, account: &str, meter: &str) -> Option<(&mut Place, u64)> {
        let account = self.hasher.hash(account.as_bytes());
        let owner = account ^ self.hasher.hash(meter.as_bytes()).rotate_left(32);
        if self.places.is_empty() {
            let count = usize::try_from(PLACES).unwrap_or(0);
            self.places.resize(count, Place::default());
        }
        let at = usize::try_from(owner % PLACES).unwrap_or(0);
        self.places.get_mut(at).map(|place| (place, owner))
    }

    /// Looks for the grant of an account's own bucket for a meter. Returns it with the id of the
    /// bucket.
    fn look_for(&mut self, account: &str, meter: &str) -> Option<(u64, CachedGrant)> {
        let (place, owner) = self.place(account, meter)?;
        if place.owner == owner {
            place.is_wanted = true;
            return place.grant;
        }
        *place = Place {
            owner,
            ..Place::default()
        };
        None
    }

    /// Returns whether a grant of this owner would be kept.
    pub(super) fn is_wanted(&mut self, account: &str, meter: &str) -> bool {
        let place = self.place(account, meter);
        place.is_some_and(|(place, owner)| place.owner == owner && place.is_wanted)
    }

    /// Keeps the grant of a bucket, or removes it, if its owner was looked for last.
    pub(super) fn set(&mut self, account: &str, meter: &str, grant: Option<(u64, CachedGrant)>) {
        if let Some((place, owner)) = self.place(account, meter)
            && place.owner == owner
        {
            place.grant = grant;
        }
    }
}

impl SqliteTx<'_> {
    /// Returns the account's own bucket if its cached grant answers the request. A grant that no
    /// longer does is removed.
    pub(super) fn find_grant(
        &mut self,
        account: &str,
        meter: &str,
        grant_key: &GrantKey,
    ) -> Found<GrantHit> {
        let known = match &mut self.grants {
            Some(grants) => grants.look_for(account, meter),
            None => None,
        };
        let Some((id, grant)) = known.filter(|(_, grant)| grant.grant_key == *grant_key) else {
            return Ok(None);
        };
        let owner = CountOwner {
            account,
            member: None,
        };
        let hit = self
            .current_bucket(owner, meter)?
            .filter(|bucket| bucket.id == id)
            .and_then(|bucket| grant.find(grant_key, self.now, bucket.window, Some(bucket)));
        if let (None, Some(grants)) = (hit, &mut self.grants) {
            grants.set(account, meter, None);
        }
        Ok(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::{EffectiveLimit, Limit, LimitSource};

    fn grant(amount: i64) -> CachedGrant {
        CachedGrant {
            grant_key: GrantKey {
                version: 1,
                kind: 2,
                domain: 3,
                amount,
            },
            answer: 0,
            allowance: EffectiveLimit {
                base: Some(Limit::Unlimited),
                source: LimitSource::Package,
                over: None,
            },
            from: 0,
            to: 10,
            reserved: 0,
            top_up: 0,
        }
    }

    fn amount(found: Option<(u64, CachedGrant)>) -> Option<i64> {
        found.map(|(_, grant)| grant.grant_key.amount)
    }

    #[test]
    fn grants_stay_with_the_last_owner() {
        let mut table = GrantTable::default();
        let keep = |table: &mut GrantTable, account: &str, of: i64| {
            let found = amount(table.look_for(account, "emails"));
            if table.is_wanted(account, "emails") {
                table.set(account, "emails", Some((7, grant(of))));
            }
            found
        };
        let found = [1, 2, 3].map(|of| keep(&mut table, "acme", of));
        assert_eq!(found, [None, None, Some(2)]);
        assert_eq!(amount(table.look_for("acme", "sms")), None);
        // Each of so many accounts takes the place of another.
        let names: Vec<String> = (0..20_000).map(|at| format!("account-{at}")).collect();
        for name in &names {
            assert_eq!(keep(&mut table, name, 4), None, "{name}");
        }
        assert_eq!(keep(&mut table, "acme", 5), None);
        let places = usize::try_from(PLACES).expect("few");
        assert_eq!(table.places.len(), places);
        assert!(table.places.iter().all(|place| place.grant.is_none()));
        // A grant is removed only from its owner's place.
        assert_eq!(keep(&mut table, "acme", 6), None);
        table.set("nova", "emails", None);
        assert_eq!(keep(&mut table, "acme", 8), Some(6));
        table.set("acme", "emails", None);
        assert_eq!(keep(&mut table, "acme", 9), None);
    }
}
