//! From a text's hash to numbers: a table that only grows, shared by all versions of the directory.
//!
//! What it says is a hint. A reader compares the text in its own version with each number that it
//! finds, so numbers that came later, or with a transaction that failed, do no harm. One writer at
//! a time puts in; readers never wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::util::keyed_hash::KeyedHash;

/// Open addressing, in the order of the hashes, so that growing is one sweep and needs no text.
#[derive(Debug)]
pub(crate) struct HashIndex {
    /// The hash above, the number plus one below; 0 is free.
    slots: Box<[AtomicU64]>,
    /// What is left of a hash after this shift is where it starts.
    shift: u32,
    used: AtomicUsize,
    /// Its seed is random: ids come from strangers.
    hasher: KeyedHash,
}

impl Default for HashIndex {
    fn default() -> Self {
        Self::of(4, KeyedHash::default())
    }
}

impl HashIndex {
    fn of(bits: u32, hasher: KeyedHash) -> Self {
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

    /// An empty one of the same hashes, for so many numbers.
    pub(crate) fn emptied(&self, numbers: usize) -> Self {
        let size = numbers.saturating_mul(3).max(16).next_power_of_two();
        Self::of(size.trailing_zeros(), self.hasher.clone())
    }

    /// One with twice the room. What is put into the old one from now on is not in it.
    pub(crate) fn grown(&self) -> Self {
        let next = Self::of(
            self.slots.len().trailing_zeros().saturating_add(1),
            self.hasher.clone(),
        );
        for slot in &self.slots {
            let kept = slot.load(Ordering::Relaxed);
            if kept != 0 {
                next.insert_in_order(kept);
            }
        }
        next
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
    pub(crate) fn hash(&self, text: &[u8]) -> u32 {
        (self.hasher.hash(text) >> 32) as u32
    }

    /// How many numbers were put in, twins and dead ones included.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether it must grow before more is put in.
    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.slots.len() / 2
    }

    /// Whether it should grow when there is time.
    pub(crate) fn needs_growth(&self) -> bool {
        self.used() >= (self.slots.len() / 16).saturating_mul(7)
    }

    #[inline]
    fn start(&self, hash: u32) -> usize {
        hash.checked_shr(self.shift).unwrap_or(0) as usize
    }

    /// The first number of that hash that `is` the right one.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.find_from_slot(hash, self.home_slot(hash), is)
    }

    /// The first slot of a hash, for [`HashIndex::find_from_slot`]: what is sought together is
    /// asked of memory together.
    #[inline(always)]
    pub(crate) fn home_slot(&self, hash: u32) -> u64 {
        let mask = self.slots.len().wrapping_sub(1);
        self.slots
            .get(self.start(hash) & mask)
            .map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    /// The same, where the first slot is known.
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

    /// Puts a number in; whether others of the same hash stood there before it.
    pub(crate) fn insert(&self, hash: u32, number: u32) -> bool {
        self.insert_in_order(u64::from(hash) << 32 | u64::from(number.saturating_add(1)))
    }

    #[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
    fn insert_in_order(&self, new: u64) -> bool {
        let hash = (new >> 32) as u32;
        let mask = self.slots.len().wrapping_sub(1);
        let (mut at, mut others) = (self.start(hash), false);
        while let Some(slot) = self.slots.get(at & mask) {
            // Not a plain store: should two versions be changed at once, none loses what it put in.
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
