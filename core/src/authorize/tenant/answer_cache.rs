//! The answer cache: earlier answers of a plan, keyed by the atoms that they depend on. Equal atoms
//! give an equal answer, whatever changes in the directory. So entries never become stale. The
//! capacity is fixed, and a policy reload begins with an empty cache.
//!
//! A key has the bits of the request, the words of stored facts, and one bit for each further
//! variable that the policies depend on.

use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::api::decision::PolicyAnswer;

/// Maximum number of answers cached for one plan.
const CAPACITY: usize = 64;

/// Maximum number of further variables in a key.
const FURTHER: usize = 64;

/// Maximum number of records of which a plan reads the word of stored facts.
pub(crate) const MAX_STORED_RECORDS: usize = 4;

/// The words of stored facts of the records of a request.
pub(crate) type RecordWords = [u128; MAX_STORED_RECORDS];

/// The atoms that the answers of a plan depend on.
#[derive(Debug, Default)]
pub(crate) struct AnswerAtoms {
    /// The mask of the request's bits.
    pub(crate) bits: u64,
    /// The masks of the words of stored facts.
    pub(crate) words: Vec<u128>,
    /// The other variables, in ascending order.
    pub(crate) further: Vec<u16>,
}

/// The values of the atoms that an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerKey {
    bits: u64,
    further: u64,
    /// `None` for a plan that reads no stored facts.
    words: Option<RecordWords>,
}

/// Returns a hash of the words.
fn fold(words: &RecordWords) -> u64 {
    let mix = |all: u128, word: &u128| all.rotate_left(29) ^ word;
    let rotated = words.iter().fold(0, mix);
    let [low, high] = [rotated, rotated >> 64].map(|half| half & u128::from(u64::MAX));
    u64::try_from(low ^ high).unwrap_or(0)
}

impl AnswerKey {
    /// Returns the slots to probe for the key, in order.
    #[inline(always)]
    fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        let words = self.words.as_ref().map_or(0, fold);
        let folded = self.bits ^ self.further.rotate_left(32) ^ words;
        let spread = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
        let start = usize::try_from(spread).unwrap_or(0);
        (0..CAPACITY).map(move |step| start.wrapping_add(step) % CAPACITY)
    }
}

/// The usage at which an answer stays the same, if all other facts are equal. It is proved by
/// tracing the conditions of the plan ([`LinearRange`](crate::vm::LinearRange)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerRange {
    /// The lowest and the highest usage, both included.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The number of the answer among those of its kind of request.
    pub(crate) answer: u16,
}

type AnswerSlots = [OnceBox<(AnswerKey, Arc<PolicyAnswer>)>; CAPACITY];

/// The answer cache of one plan. The default keeps nothing, for a plan whose atoms are not known.
#[derive(Debug, Default)]
pub(crate) struct AnswerCache {
    /// `None` if the atoms are not known, or are too many for a key.
    atoms: Option<AnswerAtoms>,
    slots: OnceBox<AnswerSlots>,
}

impl AnswerCache {
    pub(crate) fn new(atoms: AnswerAtoms) -> Self {
        let fits = atoms.further.len() <= FURTHER && atoms.words.len() <= MAX_STORED_RECORDS;
        Self {
            atoms: fits.then_some(atoms),
            slots: OnceBox::new(),
        }
    }

    /// Returns the number of an answer among those of its kind of request.
    pub(crate) fn number(plan: u16, slot: u8) -> u16 {
        plan << 6 | u16::from(slot)
    }

    /// Returns the number of the plan, and the slot, of an answer.
    pub(crate) fn place(number: u16) -> (u16, u8) {
        let [_, low] = number.to_be_bytes();
        (number >> 6, low & 63)
    }

    /// Returns whether answers can be cached.
    pub(crate) fn is_enabled(&self) -> bool {
        self.atoms.is_some()
    }

    /// Returns whether a key contains a further variable that is `first` or higher.
    #[inline]
    pub(crate) fn reads_from(&self, first: u16) -> bool {
        let highest = self.atoms.as_ref().and_then(|atoms| atoms.further.last());
        highest.is_some_and(|highest| *highest >= first)
    }

    /// Returns the key of these bits and words of stored facts. `ask` returns the value of a further
    /// variable. Returns `None` if it does, or if the policies read words and there are none.
    #[inline(always)]
    pub(crate) fn key(
        &self,
        bits: u64,
        words: Option<&RecordWords>,
        mut ask: impl FnMut(u16) -> Option<bool>,
    ) -> Option<AnswerKey> {
        let atoms = self.atoms.as_ref()?;
        let mut key = AnswerKey {
            bits: bits & atoms.bits,
            further: 0,
            words: None,
        };
        if !atoms.words.is_empty() {
            let masked = words?.iter().zip(&atoms.words);
            let mut kept = RecordWords::default();
            for ((word, mask), to) in masked.zip(&mut kept) {
                *to = word & mask;
            }
            key.words = Some(kept);
        }
        for (variable, at) in atoms.further.iter().zip(0_u32..) {
            key.further |= u64::from(ask(*variable)?).checked_shl(at)?;
        }
        Some(key)
    }

    /// Returns the answer of a key, and its slot. An answer never moves to another slot.
    #[inline(always)]
    pub(crate) fn find(&self, key: &AnswerKey) -> Option<(u8, &Arc<PolicyAnswer>)> {
        let slots = self.slots.get()?;
        for at in key.slots() {
            let (known, answer) = slots.get(at)?.get()?;
            if known == key {
                return Some((u8::try_from(at).ok()?, answer));
            }
        }
        None
    }

    /// Returns the answer in a slot.
    #[inline]
    pub(crate) fn by_slot(&self, place: u8) -> Option<&Arc<PolicyAnswer>> {
        let (_, answer) = self.slots.get()?.get(usize::from(place))?.get()?;
        Some(answer)
    }

    /// Caches an answer, and returns it with its slot. Returns `None` if the cache is full.
    pub(crate) fn insert(
        &self,
        key: &AnswerKey,
        answer: impl FnOnce() -> PolicyAnswer,
    ) -> Option<(u8, &Arc<PolicyAnswer>)> {
        let empty = || Box::new(std::array::from_fn(|_| OnceBox::new()));
        let slots = self.slots.get_or_init(empty);
        if slots.iter().all(|slot| slot.get().is_some()) {
            return self.find(key);
        }
        let mut new = Box::new((*key, Arc::new(answer())));
        for slot in key.slots().filter_map(|at| slots.get(at)) {
            match slot.set(new) {
                Ok(()) => break,
                // This answer may be stored already, also by another thread.
                Err(_) if slot.get().is_some_and(|(known, _)| known == key) => break,
                Err(refused) => new = refused,
            }
        }
        self.find(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u64) -> PolicyAnswer {
        PolicyAnswer {
            allowed: code.is_multiple_of(2),
            code: Arc::from(code.to_string()),
            policies: Arc::from([]),
            advice: Vec::new(),
        }
    }

    #[test]
    fn cached_answers_match_and_fill_capacity() {
        let cache = AnswerCache::new(AnswerAtoms {
            bits: !1,
            words: vec![0b110],
            further: vec![70, 130],
        });
        let key = |bits: u64, further: u64, word: u128| {
            let ask = |variable: u16| Some(further >> (variable / 64 - 1) & 1 == 1);
            let words = [word, 0, 0, 0];
            cache.key(bits, Some(&words), ask).expect("few variables")
        };
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (cache, key) = (&cache, &key);
                scope.spawn(move || {
                    for bits in 0..200_u64 {
                        let found = key(bits << 3 | thread & 1, bits & 3, 0b010);
                        cache.insert(&found, || answer(bits));
                    }
                });
            }
        });
        let get = |bits: u64, further, word| {
            let found = cache.find(&key(bits, further, word));
            found.map(|(_, answer)| answer)
        };
        let found: Vec<u64> = (0..200)
            .filter(|bits| get(bits << 3, bits & 3, 0b010).is_some())
            .collect();
        assert_eq!(found.len(), CAPACITY);
        for bits in found {
            // Bit 0 of the request and of the word is read by no policy.
            assert_eq!(
                get(bits << 3, bits & 3, 0b010),
                Some(&Arc::new(answer(bits)))
            );
            assert_eq!(
                get(bits << 3 | 1, bits & 3, 0b011),
                Some(&Arc::new(answer(bits)))
            );
            assert_eq!(get(bits << 3 | 2, bits & 3, 0b010), None);
            assert_eq!(get(bits << 3, !bits & 3, 0b010), None);
            assert_eq!(get(bits << 3, bits & 3, 0b110), None);
        }
    }

    #[test]
    fn cache_is_off_beyond_64_variables() {
        let cache = AnswerCache::new(AnswerAtoms {
            bits: !0,
            words: Vec::new(),
            further: (64..129).collect(),
        });
        assert!(!cache.is_enabled() && cache.reads_from(128).eq(&false));
        assert!(cache.key(1, None, |_| Some(true)).is_none());
    }
}
