//! Answers that were given before, by the bits that they depend on: the same bits give the same
//! answer, whatever the directory becomes. Nothing here grows stale or without bound; a reload
//! begins anew.
//!
//! A key has the session's bits below, and above them one bit for each further variable that the
//! policies depend on.

use once_cell::race::OnceBox;

use crate::cedar::authorizer::AnswerTemplate;

/// How many answers of one kind of request are kept.
const CAPACITY: usize = 64;

/// How many further variables a key has room for.
const FURTHER: usize = 64;

type Slots = [OnceBox<(u128, AnswerTemplate)>; CAPACITY];

/// The answers of one kind of request.
#[derive(Debug)]
pub(crate) struct AnswerCache {
    /// The session's bits that its policies read.
    bits: u64,
    /// The further variables that they read; nothing where those are more than a key has room for.
    asks: Option<Box<[u16]>>,
    slots: OnceBox<Slots>,
}

/// Where the bits are sought first.
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

    /// Whether answers are kept.
    pub(crate) fn is_enabled(&self) -> bool {
        self.asks.is_some()
    }

    /// Whether a further variable from that one on is part of a key.
    #[inline]
    pub(crate) fn asks_from(&self, first: u16) -> bool {
        self.asks
            .iter()
            .flatten()
            .any(|variable| *variable >= first)
    }

    /// The key of these bits. `ask` gives the further variables.
    #[inline(always)]
    pub(crate) fn key(&self, bits: u64, mut ask: impl FnMut(u16) -> Option<bool>) -> Option<u128> {
        let mut key = u128::from(bits & self.bits);
        let asks = self.asks.as_deref()?;
        for (variable, at) in asks.iter().zip(64_u32..) {
            key |= u128::from(ask(*variable)?).checked_shl(at)?;
        }
        Some(key)
    }

    /// The answer to this key, if it was given before.
    #[inline]
    pub(crate) fn get(&self, key: u128) -> Option<&AnswerTemplate> {
        self.by_slot(self.find(key)?)
    }

    /// Where it is kept: there it stays.
    #[inline]
    pub(crate) fn find(&self, key: u128) -> Option<u8> {
        let slots = self.slots.get()?;
        let mut at = start(key);
        for _ in 0..CAPACITY {
            let (known, _) = slots.get(at % CAPACITY)?.get()?;
            if *known == key {
                return u8::try_from(at % CAPACITY).ok();
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// The answer that is kept there.
    #[inline]
    pub(crate) fn by_slot(&self, place: u8) -> Option<&AnswerTemplate> {
        self.slots
            .get()?
            .get(usize::from(place))?
            .get()
            .map(|(_, answer)| answer)
    }

    /// Keeps an answer, while there is room.
    pub(crate) fn insert(&self, key: u128, answer: impl FnOnce() -> AnswerTemplate) {
        let slots = self
            .slots
            .get_or_init(|| Box::new(std::array::from_fn(|_| OnceBox::new())));
        if self.get(key).is_some() || slots.iter().all(|slot| slot.get().is_some()) {
            return;
        }
        let mut new = Box::new((key, answer()));
        for slot in
            (0..CAPACITY).filter_map(|step| slots.get(start(key).wrapping_add(step) % CAPACITY))
        {
            match slot.set(new) {
                Ok(()) => return,
                // Another thread may have been faster.
                Err(_) if slot.get().is_some_and(|(known, _)| *known == key) => return,
                Err(refused) => new = refused,
            }
        }
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
        let memo = AnswerCache::new(!1, vec![70, 130]);
        let key = |bits: u64, further: u64| {
            memo.key(bits, |variable| {
                Some(further >> (variable / 64 - 1) & 1 == 1)
            })
            .expect("few variables")
        };
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (memo, key) = (&memo, &key);
                scope.spawn(move || {
                    for bits in 0..200_u64 {
                        memo.insert(key(bits << 3 | thread & 1, bits & 3), || answer(bits));
                    }
                });
            }
        });
        let found: Vec<u64> = (0..200)
            .filter(|bits| memo.get(key(bits << 3, bits & 3)).is_some())
            .collect();
        assert_eq!(found.len(), CAPACITY);
        for bits in found {
            assert_eq!(memo.get(key(bits << 3, bits & 3)), Some(&answer(bits)));
            assert_eq!(memo.get(key(bits << 3 | 1, bits & 3)), Some(&answer(bits)));
            assert_eq!(memo.get(key(bits << 3 | 2, bits & 3)), None);
            assert_eq!(memo.get(key(bits << 3, !bits & 3)), None);
        }
    }

    #[test]
    fn cache_is_off_beyond_64_variables() {
        let memo = AnswerCache::new(!0, (64..129).collect());
        assert!(!memo.is_enabled() && memo.asks_from(128).eq(&false));
        assert_eq!(memo.key(1, |_| Some(true)), None);
    }
}
