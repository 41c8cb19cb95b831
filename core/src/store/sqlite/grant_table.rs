//! The cached grants of one process for the buckets of a file.
//!
//! A consume under a grant still reads its bucket in its transaction, because other processes may
//! have counted. It saves the policies and the limits of the directory.

use crate::store::CachedGrant;
use crate::util::keyed_hash::KeyedHash;

/// The number of places. A grant replaces the previous grant of its place, so accounts that count
/// often keep theirs.
const PLACES: u64 = 1_024;

/// The grants, each in the place that the hash of its account and meter gives.
#[derive(Debug, Default)]
pub(super) struct GrantTable {
    hasher: KeyedHash,
    /// Empty until a grant is cached.
    places: Vec<Option<PlacedGrant>>,
}

/// A grant and the bucket that it is for.
#[derive(Debug, Clone, Copy)]
struct PlacedGrant {
    owner: OwnerHash,
    /// The id of the bucket. It is compared too, so that a collision of hashes finds no grant.
    bucket: u64,
    grant: CachedGrant,
}

/// The hash of an account and a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnerHash(u64);

impl OwnerHash {
    fn place(self) -> usize {
        usize::try_from(self.0 % PLACES).unwrap_or(0)
    }
}

impl GrantTable {
    pub(super) fn owner(&self, account: &str, meter: &str) -> OwnerHash {
        let account = self.hasher.hash(account.as_bytes());
        OwnerHash(account ^ self.hasher.hash(meter.as_bytes()).rotate_left(32))
    }

    /// Returns the grant of an account's own bucket for a meter, and the id of the bucket.
    pub(super) fn get(&self, owner: OwnerHash) -> Option<(u64, CachedGrant)> {
        let placed = self.places.get(owner.place())?.as_ref()?;
        (placed.owner == owner).then_some((placed.bucket, placed.grant))
    }

    pub(super) fn insert(&mut self, owner: OwnerHash, bucket: u64, grant: CachedGrant) {
        if self.places.is_empty() {
            self.places
                .resize(usize::try_from(PLACES).unwrap_or(0), None);
        }
        if let Some(place) = self.places.get_mut(owner.place()) {
            *place = Some(PlacedGrant {
                owner,
                bucket,
                grant,
            });
        }
    }

    pub(super) fn remove(&mut self, owner: OwnerHash) {
        if let Some(place) = self.places.get_mut(owner.place()) {
            *place = None;
        }
    }
}
