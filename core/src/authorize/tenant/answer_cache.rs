//! The answer cache: earlier answers of a plan, keyed by the atoms that they depend on. Equal atoms
//! give an equal answer, whatever changes in the directory. So entries never become stale. The
//! capacity is fixed, and a policy reload begins with an empty cache.
//!
//! The low half of a key holds the bits of the request. The high half has one bit for each further
//! variable that the policies depend on.

use once_cell::race::OnceBox;

use crate::cedar::authorizer::AnswerTemplate;

/// Maximum number of answers cached for one plan.
const CAPACITY: usize = 64;

/// Maximum number of further variables in a key.
const FURTHER: usize = 64;

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

type AnswerSlots = [OnceBox<(u128, AnswerTemplate)>; CAPACITY];

/// The answer cache of one plan.
#[derive(Debug)]
pub(crate) struct AnswerCache {
    /// The mask of the bits that the policies read.
    bits: u64,
    /// The further variables that the policies read. `None` if they are too many for a key.
    asks: Option<Box<[u16]>>,
    slots: OnceBox<AnswerSlots>,
}

/// Returns the first slot to probe for a key.
#[inline(always)]
fn start(key: u128) -> usize {
    let folded = u64::try_from(key >> 64 ^ key & u128::from(u64::MAX)).unwrap_or(0);
    let spread = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
    usize::try_from(spread).unwrap_or(0)
}

impl AnswerCache {
    pub(crate) fn new(bits: u64, asks: Vec<u16>) -> Self {
        Self {
            bits,
            asks: if asks.len() <= FURTHER {
                Some(asks.into())
            } else {
                None
            },
            slots: OnceBox::new(),
        }
    }

    /// Returns a cache that keeps nothing, for a plan whose atoms are not known.
    pub(crate) fn disabled() -> Self {
        Self {
            bits: 0,
            asks: None,
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
        self.asks.is_some()
    }

    /// Returns whether a key contains a further variable that is `first` or higher.
    #[inline]
    pub(crate) fn reads_from(&self, first: u16) -> bool {
        self.asks
            .iter()
            .flatten()
            .any(|variable| *variable >= first)
    }

    /// Returns the key of these bits. `ask` returns the value of a further variable.
    #[inline(always)]
    pub(crate) fn key(&self, bits: u64, mut ask: impl FnMut(u16) -> Option<bool>) -> Option<u128> {
        let mut key = u128::from(bits & self.bits);
        let asks = self.asks.as_deref()?;
        for (variable, at) in asks.iter().zip(64_u32..) {
            key |= u128::from(ask(*variable)?).checked_shl(at)?;
        }
        Some(key)
    }

    /// Returns the cached answer of a key.
    #[inline]
    pub(crate) fn get(&self, key: u128) -> Option<&AnswerTemplate> {
        self.probe(key).map(|(_, answer)| answer)
    }

    /// Returns the slot of a key's answer. An answer never moves to another slot.
    #[inline]
    pub(crate) fn find(&self, key: u128) -> Option<u8> {
        self.probe(key).map(|(slot, _)| slot)
    }

    #[inline(always)]
    fn probe(&self, key: u128) -> Option<(u8, &AnswerTemplate)> {
        let slots = self.slots.get()?;
        let mut at = start(key);
        for _ in 0..CAPACITY {
            let (known, answer) = slots.get(at % CAPACITY)?.get()?;
            if *known == key {
                return Some((u8::try_from(at % CAPACITY).ok()?, answer));
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// Returns the answer in a slot.
    #[inline]
    pub(crate) fn by_slot(&self, place: u8) -> Option<&AnswerTemplate> {
        self.slots
            .get()?
            .get(usize::from(place))?
            .get()
            .map(|(_, answer)| answer)
    }

    /// Caches an answer, and returns its slot. Returns `None` if the cache is full.
    pub(crate) fn insert(&self, key: u128, answer: impl FnOnce() -> AnswerTemplate) -> Option<u8> {
        let slots = self
            .slots
            .get_or_init(|| Box::new(std::array::from_fn(|_| OnceBox::new())));
        if slots.iter().all(|slot| slot.get().is_some()) {
            return self.find(key);
        }
        let mut new = Box::new((key, answer()));
        for slot in
            (0..CAPACITY).filter_map(|step| slots.get(start(key).wrapping_add(step) % CAPACITY))
        {
            match slot.set(new) {
                Ok(()) => break,
                // This answer may be stored already, also by another thread.
                Err(_) if slot.get().is_some_and(|(known, _)| *known == key) => break,
                Err(refused) => new = refused,
            }
        }
        self.find(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn answer(code: u64) -> AnswerTemplate {
        AnswerTemplate {
            allowed: code.is_multiple_of(2),
            code: Arc::from(code.to_string()),
            policies: Arc::from([]),
            advice: Vec::new(),
        }
    }

    #[test]
    fn cached_answers_match_and_fill_capacity() {
        let cache = AnswerCache::new(!1, vec![70, 130]);
        let key = |bits: u64, further: u64| {
            cache
                .key(bits, |variable| {
                    Some(further >> (variable / 64 - 1) & 1 == 1)
                })
                .expect("few variables")
        };
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (cache, key) = (&cache, &key);
                scope.spawn(move || {
                    for bits in 0..200_u64 {
                        cache.insert(key(bits << 3 | thread & 1, bits & 3), || answer(bits));
                    }
                });
            }
        });
        let found: Vec<u64> = (0..200)
            .filter(|bits| cache.get(key(bits << 3, bits & 3)).is_some())
            .collect();
        assert_eq!(found.len(), CAPACITY);
        for bits in found {
            assert_eq!(cache.get(key(bits << 3, bits & 3)), Some(&answer(bits)));
            assert_eq!(cache.get(key(bits << 3 | 1, bits & 3)), Some(&answer(bits)));
            assert_eq!(cache.get(key(bits << 3 | 2, bits & 3)), None);
            assert_eq!(cache.get(key(bits << 3, !bits & 3)), None);
        }
    }

    #[test]
    fn cache_is_off_beyond_64_variables() {
        let cache = AnswerCache::new(!0, (64..129).collect());
        assert!(!cache.is_enabled() && cache.reads_from(128).eq(&false));
        assert_eq!(cache.key(1, |_| Some(true)), None);
    }
}
