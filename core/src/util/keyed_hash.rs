//! A keyed hash of a short text. Ids are untrusted, so their authors must not know which ids
//! collide.
//!
//! The construction is that of wyhash and foldhash: a 128-bit product of keyed halves, folded.
//! Texts of up to 32 bytes need no loop and no call, because a hot request hashes three of them.
//! Longer texts use foldhash itself.

use std::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

/// A hash function with a random key. Clones produce equal hashes.
#[derive(Debug, Clone)]
pub(crate) struct KeyedHash {
    key: [u64; 4],
    long: DefaultHashBuilder,
}

impl Default for KeyedHash {
    fn default() -> Self {
        let long = DefaultHashBuilder::default();
        Self {
            key: [1_u64, 2, 3, 4].map(|nth| long.hash_one(nth)),
            long,
        }
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
fn fold_multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(u128::from(right));
    product as u64 ^ (product >> 64) as u64
}

/// Returns a text of up to 16 bytes as two words: its first and its last eight bytes. The two may
/// overlap.
#[inline(always)]
fn head_and_tail(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (
            u64::from(u32::from_le_bytes(*first)),
            u64::from(u32::from_le_bytes(*last)),
        );
    }
    let byte = |at: usize| u64::from(text.get(at).copied().unwrap_or(0));
    (byte(0) | byte(1) << 8, byte(2))
}

impl KeyedHash {
    /// Returns the hash of a text. The length rotates the key, because short texts are padded.
    #[inline(always)]
    pub(crate) fn hash(&self, text: &[u8]) -> u64 {
        let [one, two, three, four] = self.key;
        #[allow(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
        let one = one.rotate_left(text.len() as u32);
        if text.len() <= 16 {
            let (first, last) = head_and_tail(text);
            return fold_multiply(first ^ one, last ^ two);
        }
        match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
            (Some(front), Some(back)) if text.len() <= 32 => {
                let ((a, b), (c, d)) = (head_and_tail(front), head_and_tail(back));
                fold_multiply(a ^ one, b ^ two) ^ fold_multiply(c ^ three, d ^ four)
            }
            _ => self.long(text),
        }
    }

    #[cold]
    fn long(&self, text: &[u8]) -> u64 {
        let mut hasher = self.long.build_hasher();
        hasher.write(text);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn similar_texts_have_different_hashes() {
        let (keyed, mut seen) = (KeyedHash::default(), HashSet::new());
        for len in 0..80_usize {
            let text: Vec<u8> = (0..len)
                .map(|at| u8::try_from(at % 251).expect("small"))
                .collect();
            assert!(seen.insert(keyed.hash(&text)), "{len}");
            assert!(
                seen.insert(keyed.hash(&vec![255; len + 1])),
                "{len}: others"
            );
            for at in 0..len {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(seen.insert(keyed.hash(&other)), "{len}: byte {at}");
            }
        }
    }

    /// Different keys give different hashes.
    #[test]
    fn numbered_ids_spread_over_upper_half() {
        let (keyed, other) = (KeyedHash::default(), KeyedHash::default());
        let ids: Vec<String> = (0..40_000)
            .map(|at| format!("client-{at:05}-member-{}", at % 3))
            .collect();
        let upper: HashSet<u64> = ids
            .iter()
            .map(|id| keyed.hash(id.as_bytes()) >> 32)
            .collect();
        // With 40,000 ids in 2^32 values, fewer than one colliding pair is expected.
        assert!(upper.len() >= 39_990, "{}", upper.len());
        let buckets = ids.iter().fold(vec![0_u32; 256], |mut buckets, id| {
            buckets[usize::try_from(keyed.hash(id.as_bytes()) >> 56).expect("small")] += 1;
            buckets
        });
        assert!(
            buckets.iter().all(|count| (80..260).contains(count)),
            "{buckets:?}"
        );
        assert!(
            ids.iter()
                .all(|id| keyed.hash(id.as_bytes()) != other.hash(id.as_bytes()))
        );
    }
}
