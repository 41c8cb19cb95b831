//! A store in the memory of this process, for tests and for hosts that ask for it.
//!
//! The counts are exact under threads and are lost when the process ends. Accounts are spread over
//! shards, each behind its own lock. A transaction locks the shards of its accounts in ascending
//! order. Operations with keys and open reservations are stored until they expire. The shard keeps
//! a bounded tail of the other operations. Expired keys are remembered for 35 more days, and
//! buckets for 35 days after their windows end.

mod account_counters;
mod expiry;
mod operations;
mod shard;
mod transaction;
mod undo;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::memory::shard::Shard;
use super::memory::transaction::MemoryTx;
use super::{Durability, Store, TxBody, TxOutcome, Verification};
use crate::model::clock::{Clock, HighWater};
use crate::util::error::Error;
use crate::util::fork_guard::{self, HeldLocks, LocksAtFork};
use crate::util::keyed_hash::KeyedHash;

/// The name of the store in errors.
const NAME: &str = "memory:";

/// The number of shards, a power of two.
const SHARDS: usize = 64;

/// A store of counts in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    hasher: KeyedHash,
    water: HighWater,
}

impl MemoryStore {
    /// Returns a new store. A fork waits for its transactions, so a child finds every lock free.
    pub(crate) fn open(clock: Clock) -> Arc<Self> {
        let hasher = KeyedHash::default();
        let shards = (0..SHARDS)
            .map(|at| Mutex::new(Shard::new(at, hasher.clone())))
            .collect();
        let store = Arc::new(Self {
            shards,
            hasher,
            water: HighWater::new(clock, i64::MIN),
        });
        let weak: Weak<Self> = Arc::downgrade(&store);
        fork_guard::lock_at_fork(weak);
        store
    }

    fn shard_of(&self, account: &str) -> usize {
        usize::try_from(self.hasher.hash(account.as_bytes()) >> 40).unwrap_or(0) % SHARDS
    }

    /// Locks the shard with this number.
    fn lock(&self, at: usize) -> Result<MutexGuard<'_, Shard>, Error> {
        let shard = self.shards.get(at).ok_or_else(|| Error::StoreCorrupt {
            store: NAME.to_owned(),
            reason: format!("no shard {at}"),
        })?;
        Ok(lock_whole(shard))
    }
}

impl LocksAtFork for MemoryStore {
    fn lock_all(&self) -> Box<dyn HeldLocks + '_> {
        Box::new(self.shards.iter().map(lock_whole).collect::<Vec<_>>())
    }
}

impl HeldLocks for Vec<MutexGuard<'_, Shard>> {}

fn lock_whole(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard
        .lock()
        .unwrap_or_else(|poisoned| repair_poisoned(PoisonError::into_inner(poisoned)))
}

/// Rolls back the transaction that panicked while it held the lock.
fn repair_poisoned(mut shard: MutexGuard<'_, Shard>) -> MutexGuard<'_, Shard> {
    shard.undo();
    shard
}

impl Store for MemoryStore {
    fn name(&self) -> &str {
        NAME
    }

    fn write(&self, accounts: &[&str], _: Durability, work: TxBody<'_>) -> Result<(), Error> {
        let now = self.water.now()?;
        if let [account] = accounts {
            let at = self.shard_of(account);
            let mut shard = self.lock(at)?;
            shard.forget(now);
            let outcome = work(&mut MemoryTx::one(&mut shard, now));
            return finish(std::iter::once(&mut *shard), outcome);
        }
        let mut numbers: Vec<usize> = accounts
            .iter()
            .map(|account| self.shard_of(account))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut locked = numbers
            .iter()
            .map(|at| self.lock(*at))
            .collect::<Result<Vec<_>, _>>()?;
        for shard in &mut locked {
            shard.forget(now);
        }
        let place = |account: &str| numbers.binary_search(&self.shard_of(account)).ok();
        let outcome = work(&mut MemoryTx::many(
            locked.iter_mut().map(|shard| &mut **shard).collect(),
            &place,
            now,
        ));
        finish(locked.iter_mut().map(|shard| &mut **shard), outcome)
    }

    fn read(&self, account: &str, work: TxBody<'_>) -> Result<(), Error> {
        let now = self.water.now()?;
        let mut shard = self.lock(self.shard_of(account))?;
        let read = work(&mut MemoryTx::one(&mut shard, now));
        shard.undo();
        read.map(drop)
    }

    fn account_of(&self, operation: u64) -> Result<Option<String>, Error> {
        let at = usize::try_from(operation).unwrap_or(0) % SHARDS;
        Ok(self
            .lock(at)?
            .operation(operation)
            .map(|found| found.account))
    }

    fn verify(&self) -> Result<Verification, Error> {
        let mut found = Verification::default();
        for at in 0..SHARDS {
            self.lock(at)?.verify(&mut found);
        }
        Ok(found)
    }

    fn clear(&self) -> Result<(), Error> {
        for at in 0..SHARDS {
            *self.lock(at)? = Shard::new(at, self.hasher.clone());
        }
        self.water.forget();
        Ok(())
    }

    fn now(&self) -> i64 {
        self.water.peek()
    }

    fn accept_clock(&self) -> Result<(), Error> {
        self.water.accept();
        Ok(())
    }
}

fn finish<'s>(
    shards: impl Iterator<Item = &'s mut Shard>,
    outcome: Result<TxOutcome, Error>,
) -> Result<(), Error> {
    for shard in shards {
        if matches!(outcome, Ok(TxOutcome::Commit)) {
            shard.commit();
        } else {
            shard.undo();
        }
    }
    outcome.map(drop)
}
