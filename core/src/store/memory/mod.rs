//! Counts in this process alone: for tests, and for hosts that say so. Exact under threads; gone
//! with the process.
//!
//! Accounts are spread over shards, each behind its lock; a transaction locks the shards of its
//! accounts in their order. The operations of keys and of open reservations are kept for their
//! time, and a bounded tail of all others. Keys are remembered for 35 days more, and windows for 35
//! days after their end.

mod shard;
mod transaction;
mod undo;

use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::memory::shard::Shard;
use super::memory::transaction::MemoryTx;
use super::{Durability, Store, TxBody, TxOutcome, Verification};
use crate::model::clock::{Clock, HighWater};
use crate::util::error::Error;
use crate::util::keyed_hash::KeyedHash;

/// How it is named.
const NAME: &str = "memory:";

/// How many shards there are. A power of two.
const SHARDS: usize = 64;

/// How long a forked child waits for a lock that nobody may hold any more.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    shards: Box<[Mutex<Shard>]>,
    hasher: KeyedHash,
    water: HighWater,
    /// The process that opened it.
    home: u32,
}

impl Memory {
    pub(crate) fn new(clock: Clock) -> Self {
        let hasher = KeyedHash::default();
        let shards = (0..SHARDS)
            .map(|at| Mutex::new(Shard::new(at, hasher.clone())))
            .collect();
        Self {
            shards,
            hasher,
            water: HighWater::new(clock, i64::MIN),
            home: process::id(),
        }
    }

    fn shard_of(&self, account: &str) -> usize {
        usize::try_from(self.hasher.hash(account.as_bytes()) >> 40).unwrap_or(0) % SHARDS
    }

    /// The shard of that number, locked. A fork may have copied a lock that is held by a thread
    /// which the child does not have: there it is an error in the end.
    fn lock(&self, at: usize) -> Result<MutexGuard<'_, Shard>, Error> {
        let shard = self.shards.get(at).ok_or_else(|| Error::StoreBusy {
            store: NAME.to_owned(),
        })?;
        match shard.try_lock() {
            Ok(locked) => return Ok(locked),
            Err(TryLockError::Poisoned(poisoned)) => {
                return Ok(repair_poisoned(poisoned.into_inner()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if process::id() == self.home {
            return Ok(shard
                .lock()
                .unwrap_or_else(|poisoned| repair_poisoned(PoisonError::into_inner(poisoned))));
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match shard.try_lock() {
                Ok(locked) => return Ok(locked),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Ok(repair_poisoned(poisoned.into_inner()));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(Error::StoreBusy {
            store: NAME.to_owned(),
        })
    }
}

/// What a transaction that panicked had done is taken back.
fn repair_poisoned(mut shard: MutexGuard<'_, Shard>) -> MutexGuard<'_, Shard> {
    shard.undo();
    shard
}

impl Store for Memory {
    fn name(&self) -> &str {
        NAME
    }

    fn caches_grants(&self) -> bool {
        true
    }

    fn write(&self, accounts: &[&str], _: Durability, work: TxBody<'_>) -> Result<(), Error> {
        let now = self.water.now()?;
        if let [account] = accounts {
            let at = self.shard_of(account);
            let mut shard = self.lock(at)?;
            shard.forget(now);
            let kept = work(&mut MemoryTx::one(&mut shard, now));
            return finish(std::iter::once(&mut *shard), kept);
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
        let kept = work(&mut MemoryTx::many(
            locked.iter_mut().map(|shard| &mut **shard).collect(),
            &place,
            now,
        ));
        finish(locked.iter_mut().map(|shard| &mut **shard), kept)
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

    fn accept_clock(&self) -> Result<(), Error> {
        self.water.accept();
        Ok(())
    }
}

fn finish<'s>(
    shards: impl Iterator<Item = &'s mut Shard>,
    kept: Result<TxOutcome, Error>,
) -> Result<(), Error> {
    for shard in shards {
        if matches!(kept, Ok(TxOutcome::Commit)) {
            shard.commit();
        } else {
            shard.undo();
        }
    }
    kept.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_lost_in_fork_ends_in_store_busy() {
        // The state of a forked child: another process opened the store, and no thread of this
        // process will release the lock.
        let store = Memory {
            home: 0,
            ..Memory::new(Clock::System)
        };
        let _lost = store.lock(store.shard_of("acme")).expect("a lock");
        let read = store.read("acme", &mut |_| Ok(TxOutcome::Rollback));
        assert_eq!(read.map_err(|error| error.code()), Err("store.busy"));
    }
}
