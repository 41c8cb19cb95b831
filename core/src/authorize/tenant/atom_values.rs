//! The values of the atoms that a diagram or a cache key asks for.

use super::atoms::{RecordRead, StoredBit};
use super::plan::Plan;
use super::resolve::ResolvedRequest;
use super::symbolic::FIRST_READ;
use crate::directory::Tables;
use crate::vm::{EntityStore, LoadedProgram, PolicyResult, Tracer};

/// The number of words that are read once for a request. The word of a further record is read for
/// each of its facts.
const KEPT_WORDS: usize = 8;

/// The facts of records that were read for a request, so that none is read twice.
#[derive(Default)]
pub(super) struct RecordReads {
    known: u64,
    values: u64,
    known_words: u8,
    words: [u64; KEPT_WORDS],
}

impl RecordReads {
    /// Returns the value of a variable from [`FIRST_READ`] on. Returns `None` for a condition.
    #[inline]
    pub(super) fn variable(
        &mut self,
        tables: &Tables,
        request: &ResolvedRequest<'_>,
        plan: &Plan,
        variable: u16,
    ) -> Option<bool> {
        let at = variable.checked_sub(FIRST_READ)?;
        let read = plan.reads.get(usize::from(at))?;
        // The bits stand for other facts in a directory of other policies.
        if let Some(stored) = read.stored
            && plan.stored_facts == tables.stored_facts().version()
        {
            let word = self.word(tables, request, read, stored);
            return Some(word.checked_shr(u32::from(stored.bit)).unwrap_or(0) & 1 == 1);
        }
        let bit = 1_u64.checked_shl(u32::from(at))?;
        if self.known & bit == 0 {
            self.known |= bit;
            if read.holds(tables, request) {
                self.values |= bit;
            }
        }
        Some(self.values & bit != 0)
    }

    /// Returns the word of the record of a stored fact.
    #[inline]
    fn word(
        &mut self,
        tables: &Tables,
        request: &ResolvedRequest<'_>,
        read: &RecordRead,
        stored: StoredBit,
    ) -> u64 {
        let Some(kept) = self.words.get_mut(usize::from(stored.record)) else {
            return read.path.word(tables, request);
        };
        let bit = 1_u8.checked_shl(u32::from(stored.record)).unwrap_or(0);
        if self.known_words & bit == 0 {
            self.known_words |= bit;
            *kept = read.path.word(tables, request);
        }
        *kept
    }
}

/// The last condition that ran, and its result. A condition has two variables: whether it is
/// satisfied, and whether it failed. In most cases both are asked for, one after the other.
#[derive(Default)]
pub(super) struct ConditionResults(Option<(u16, PolicyResult)>);

impl ConditionResults {
    pub(super) fn variable<W: EntityStore, T: Tracer>(
        &mut self,
        frame: &mut LoadedProgram<'_, '_, W, T>,
        variable: u16,
    ) -> Option<bool> {
        let at = variable >> 1;
        let result = match self.0 {
            Some((known, result)) if known == at => result,
            _ => frame.result(at)?,
        };
        self.0 = Some((at, result));
        let asked = if variable & 1 == 0 {
            PolicyResult::Satisfied
        } else {
            PolicyResult::Error
        };
        Some(result == asked)
    }
}
