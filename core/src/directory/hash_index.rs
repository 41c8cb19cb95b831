//! Maps the hash of a text to row numbers. The table only grows, and all versions of the directory
//! share it.
//!
//! Its entries are hints. A reader compares the text in its own version with each number that it
//! finds. So entries of later versions and of failed transactions do no harm. One writer at a time
//! inserts entries; readers never wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::util::keyed_hash::KeyedHash;

/// Open addressing, in the order of the hashes, so that the table can grow in one pass without
/// reading the texts.
#[derive(Debug)]
pub(crate) struct HashIndex {
    /// Hash in the upper half, number plus one in the lower half; 0 is a free slot.
    slots: Box<[AtomicU64]>,
    /// A hash shifted right by this many bits is the index of its first slot.
    shift: u32,
    used: AtomicUsize,
    /// The seed is random, because ids come from untrusted parties.
    hasher: KeyedHash,
}

impl Default for HashIndex {
    fn default() -> Self {
        Self::with_bits(4, KeyedHash::default())
    }
}

impl HashIndex {
    fn with_bits(bits: u32, hasher: KeyedHash) -> Self {
        let size = 1_usize.checked_shl(bits).unwrap_or(0);
        let slots = std::iter::repeat_with(AtomicU64::default)
            .take(size)
            .collect();
        Self {
            slots,
            shift: 32_u32.saturating_sub(bits),
            used: AtomicUsize::new(0),
            hasher,
        }
    }

    /// Returns an empty index with the same hash function and capacity for `numbers` entries.
    pub(crate) fn to_empty(&self, numbers: usize) -> Self {
        let size = numbers.saturating_mul(3).max(16).next_power_of_two();
        Self::with_bits(size.trailing_zeros(), self.hasher.clone())
    }

    /// Returns a copy with twice the capacity. Entries inserted into the old index later are not in
    /// it.
    pub(crate) fn grown(&self) -> Self {
        let next = Self::with_bits(
            self.slots.len().trailing_zeros().saturating_add(1),
            self.hasher.clone(),
        );
        for slot in &self.slots {
            let entry = slot.load(Ordering::Relaxed);
            if entry != 0 {
                next.insert_in_order(entry);
            }
        }
        next
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
    pub(crate) fn hash(&self, text: &[u8]) -> u32 {
        (self.hasher.hash(text) >> 32) as u32
    }

    /// Returns the number of inserted entries, including duplicates of one text and stale entries.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns whether the index must grow before the next insert.
    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.slots.len() / 2
    }

    /// Returns whether the index should grow in the next maintenance.
    pub(crate) fn needs_growth(&self) -> bool {
        self.used() >= (self.slots.len() / 16).saturating_mul(7)
    }

    #[inline]
    fn start(&self, hash: u32) -> usize {
        hash.checked_shr(self.shift).unwrap_or(0) as usize
    }

    /// Returns the first number with the given hash for which `is` returns `true`.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.find_from_slot(hash, self.home_slot(hash), is)
    }

    /// Loads the first slot of a hash, for [`HashIndex::find_from_slot`]. Loading the slots of
    /// several look-ups first lets their cache misses overlap.
    #[inline(always)]
    pub(crate) fn home_slot(&self, hash: u32) -> u64 {
        let mask = self.slots.len().wrapping_sub(1);
        self.slots
            .get(self.start(hash) & mask)
            .map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    /// Like [`HashIndex::find`], if the first slot is loaded already.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "each half is meant")]
    pub(crate) fn find_from_slot(
        &self,
        hash: u32,
        mut slot: u64,
        mut is: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = self.start(hash);
        loop {
            let number = (slot as u32).checked_sub(1)?;
            if (slot >> 32) as u32 == hash && is(number) {
                return Some(number);
            }
            at = at.wrapping_add(1);
            slot = self.slots.get(at & mask)?.load(Ordering::Acquire);
        }
    }

    /// Inserts a number. Returns whether another entry with the same hash was found before it.
    pub(crate) fn insert(&self, hash: u32, number: u32) -> bool {
        self.insert_in_order(u64::from(hash) << 32 | u64::from(number.saturating_add(1)))
    }

    #[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
    fn insert_in_order(&self, new: u64) -> bool {
        let hash = (new >> 32) as u32;
        let mask = self.slots.len().wrapping_sub(1);
        let (mut at, mut others) = (self.start(hash), false);
        while let Some(slot) = self.slots.get(at & mask) {
            // Compare-exchange instead of a plain store, so that no entry is lost if two versions
            // are changed at the same time.
            match slot.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.used.fetch_add(1, Ordering::Relaxed);
                    return others;
                }
                Err(known) if known == new => return others,
                Err(known) => others |= (known >> 32) as u32 == hash,
            }
            at = at.wrapping_add(1);
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readers on other threads find every earlier entry meanwhile.
    #[test]
    fn entries_are_found_while_index_grows() {
        let texts: Vec<String> = (0..3_000).map(|at| format!("id-{at}")).collect();
        let mut index = HashIndex::default();
        for (number, text) in (0..).zip(&texts) {
            if index.is_full() {
                index = index.grown();
            }
            index.insert(index.hash(text.as_bytes()), number);
            index.insert(index.hash(text.as_bytes()), number);
        }
        assert_eq!(index.used(), texts.len());
        let find = |index: &HashIndex, text: &str, right: u32| {
            index.find(index.hash(text.as_bytes()), |number| number == right)
        };
        let index = index.grown();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for (number, text) in (0..).zip(&texts) {
                        assert_eq!(find(&index, text, number), Some(number));
                        assert_eq!(find(&index, "nobody", number), None);
                    }
                });
            }
            for number in 0..500 {
                index.insert(
                    index.hash(format!("more-{number}").as_bytes()),
                    3_000 + number,
                );
            }
        });
        assert_eq!(find(&index, "more-7", 3_007), Some(3_007));
    }

    #[test]
    fn all_numbers_of_one_text_are_found() {
        let index = HashIndex::default();
        let hash = index.hash(b"same");
        assert_eq!(
            [1, 2, 2, 1].map(|number| index.insert(hash, number)),
            [false, true, true, false]
        );
        let mut found = Vec::new();
        index.find(hash, |number| {
            found.push(number);
            false
        });
        assert_eq!(found, [1, 2]);
    }
}
