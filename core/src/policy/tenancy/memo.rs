//! Answers that were given before, by the bits that they depend on: the same bits give the same answer, whatever the
//! directory becomes. Nothing here grows stale or without bound; a reload begins anew.

use std::sync::OnceLock;

use crate::policy::Answer;

/// How many answers of one kind of request are kept.
const ROOM: usize = 64;

type Slots = [OnceLock<(u64, Answer)>; ROOM];

/// The answers of one kind of request.
#[derive(Debug)]
pub(super) struct Memo {
    /// The bits that its policies read; nothing where they read more than bits.
    reads: Option<u64>,
    slots: OnceLock<Box<Slots>>,
}

/// Where the bits are sought first.
#[inline(always)]
fn start(bits: u64) -> usize {
    let spread = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
    usize::try_from(spread).unwrap_or(0)
}

impl Memo {
    pub(super) fn new(reads: Option<u64>) -> Self {
        Self { reads, slots: OnceLock::new() }
    }

    /// Whether answers are kept.
    pub(super) fn is_open(&self) -> bool {
        self.reads.is_some()
    }

    /// The answer to these bits, if it was given before.
    #[inline]
    pub(super) fn recall(&self, bits: u64) -> Option<&Answer> {
        self.at(self.find(bits)?)
    }

    /// Where it is kept: there it stays.
    #[inline]
    pub(super) fn find(&self, bits: u64) -> Option<u8> {
        let (bits, slots) = (bits & self.reads?, self.slots.get()?);
        let mut at = start(bits);
        for _ in 0..ROOM {
            let (known, _) = slots.get(at % ROOM)?.get()?;
            if *known == bits {
                return u8::try_from(at % ROOM).ok();
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// The answer that is kept there.
    #[inline]
    pub(super) fn at(&self, place: u8) -> Option<&Answer> {
        self.slots.get()?.get(usize::from(place))?.get().map(|(_, answer)| answer)
    }

    /// Keeps an answer, while there is room.
    pub(super) fn keep(&self, bits: u64, answer: impl FnOnce() -> Answer) {
        let Some(reads) = self.reads else { return };
        let slots = self.slots.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        if self.recall(bits).is_some() || slots.iter().all(|slot| slot.get().is_some()) {
            return;
        }
        let bits = bits & reads;
        let mut new = (bits, answer());
        for slot in (0..ROOM).filter_map(|step| slots.get(start(bits).wrapping_add(step) % ROOM)) {
            match slot.set(new) {
                Ok(()) => return,
                // Another thread may have been faster.
                Err(_) if slot.get().is_some_and(|(known, _)| *known == bits) => return,
                Err(refused) => new = refused,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn answer(code: u64) -> Answer {
        Answer { allowed: code.is_multiple_of(2), code: Arc::from(code.to_string()), policies: Arc::from([]), advice: Vec::new() }
    }

    #[test]
    fn bits_are_answered_as_they_were_and_room_ends() {
        let memo = Memo::new(Some(!1));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let memo = &memo;
                scope.spawn(move || {
                    for bits in 0..200_u64 {
                        memo.keep(bits << 3 | thread & 1, || answer(bits));
                    }
                });
            }
        });
        let found: Vec<u64> = (0..200).filter(|bits| memo.recall(bits << 3).is_some()).collect();
        assert_eq!(found.len(), ROOM);
        for bits in found {
            assert_eq!(memo.recall(bits << 3), Some(&answer(bits)));
            assert_eq!(memo.recall(bits << 3 | 1), Some(&answer(bits)));
            assert_eq!(memo.recall(bits << 3 | 2), None);
        }
    }

    #[test]
    fn what_reads_more_than_bits_is_not_kept() {
        let memo = Memo::new(None);
        memo.keep(1, || unreachable!("nothing is kept"));
        assert_eq!(memo.recall(1), None);
    }
}
