//! A Bloom filter with two probes, for the records that record-specific policies name. With
//! thousands of such policies, the filter proves for most requests that none of them matches. A
//! possible match is then looked up.

use crate::util::keyed_hash::KeyedHash;

/// Minimum number of bits for each item.
const ROOM: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct BloomFilter {
    /// The bits. The number of words is a power of two, or zero for an empty filter.
    words: Box<[u64]>,
    texts: KeyedHash,
}

impl BloomFilter {
    /// Builds a filter over the texts of ids.
    pub(crate) fn of_texts<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let mut sieve = Self::with_room(ids.len());
        ids.for_each(|id| sieve.put(sieve.texts.hash(id.as_bytes())));
        sieve
    }

    /// Builds a filter over the numbers of entities.
    pub(crate) fn of_numbers(numbers: impl ExactSizeIterator<Item = u32>) -> Self {
        let mut sieve = Self::with_room(numbers.len());
        numbers.for_each(|number| sieve.put(spread(number)));
        sieve
    }

    fn with_room(items: usize) -> Self {
        let words = if items == 0 {
            0
        } else {
            items.saturating_mul(ROOM).div_ceil(64).next_power_of_two()
        };
        Self {
            words: vec![0; words].into(),
            texts: KeyedHash::default(),
        }
    }

    fn put(&mut self, hash: u64) {
        let mask = self.words.len().wrapping_sub(1);
        for (word, bit) in probes(hash) {
            if let Some(word) = self.words.get_mut(word & mask) {
                *word |= bit;
            }
        }
    }

    #[inline(always)]
    fn may(&self, hash: u64) -> bool {
        let mask = self.words.len().wrapping_sub(1);
        probes(hash).into_iter().all(|(word, bit)| {
            self.words
                .get(word & mask)
                .is_some_and(|word| word & bit != 0)
        })
    }

    #[inline(always)]
    pub(crate) fn may_hold_text(&self, id: &str) -> bool {
        !self.words.is_empty() && self.may(self.texts.hash(id.as_bytes()))
    }

    #[inline(always)]
    pub(crate) fn may_hold_number(&self, number: u32) -> bool {
        !self.words.is_empty() && self.may(spread(number))
    }
}

/// Spreads a number by Fibonacci hashing.
#[inline(always)]
fn spread(number: u32) -> u64 {
    let product = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// Returns two word indexes, with one bit in each word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "parts are meant")]
fn probes(hash: u64) -> [(usize, u64); 2] {
    let bit = |at: u64| 1_u64 << (at & 63);
    [
        ((hash >> 12) as u32 as usize, bit(hash)),
        ((hash >> 36) as u32 as usize, bit(hash >> 6)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_false_negatives_few_false_positives() {
        let ids: Vec<String> = (0..5_000).map(|at| format!("id-{at}")).collect();
        let (texts, numbers) = (
            BloomFilter::of_texts(ids.iter().map(String::as_str)),
            BloomFilter::of_numbers(0..5_000_u32),
        );
        assert!(
            ids.iter().all(|id| texts.may_hold_text(id))
                && (0..5_000).all(|number| numbers.may_hold_number(number))
        );
        let strange = (5_000..25_000_u32)
            .filter(|at| texts.may_hold_text(&format!("id-{at}")))
            .count();
        let others = (5_000..25_000)
            .filter(|at| numbers.may_hold_number(*at))
            .count();
        assert!(strange < 1_000 && others < 1_000, "{strange} {others}");
        let nothing = BloomFilter::default();
        assert!(!nothing.may_hold_text("") && !nothing.may_hold_number(0));
    }
}
