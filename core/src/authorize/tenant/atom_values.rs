//! The values of the atoms that a diagram or a cache key asks for.

use super::answer_cache::RecordWords;
use super::plan::Plan;
use super::resolve::ResolvedRequest;
use super::symbolic::{FIRST_READ, MAX_READS};
use crate::directory::Tables;
use crate::vm::{EntityStore, LoadedProgram, PolicyResult, Tracer};

/// The facts of records that were read for a request, so that none is read twice.
#[derive(Default)]
pub(super) struct RecordReads {
    known: [u64; MAX_READS / 64],
    values: [u64; MAX_READS / 64],
    known_words: u8,
    words: RecordWords,
}

impl RecordReads {
    /// Returns the value of a variable from [`FIRST_READ`] on. Returns `None` for a condition.
    #[inline(always)]
    pub(super) fn variable(
        &mut self,
        tables: &Tables,
        request: &ResolvedRequest<'_>,
        plan: &Plan,
        variable: u16,
    ) -> Option<bool> {
        let at = usize::from(variable.checked_sub(FIRST_READ)?);
        let read = plan.reads.get(at)?;
        if let Some(stored) = read.stored {
            let word = self.word(tables, request, plan, usize::from(stored.record))?;
            return Some(word.checked_shr(u32::from(stored.bit)).unwrap_or(0) & 1 == 1);
        }
        let bit = 1_u64 << (at & 63);
        let (known, values) = (self.known.get_mut(at >> 6)?, self.values.get_mut(at >> 6)?);
        if *known & bit == 0 {
            *known |= bit;
            if read.holds(tables, request) {
                *values |= bit;
            }
        }
        Some(*values & bit != 0)
    }

    /// Returns the words of all records of which the plan reads stored facts. Returns `None` as
    /// [`RecordReads::word`] does.
    pub(super) fn words(
        &mut self,
        tables: &Tables,
        request: &ResolvedRequest<'_>,
        plan: &Plan,
    ) -> Option<RecordWords> {
        for record in 0..plan.stored_records.len() {
            self.word(tables, request, plan, record)?;
        }
        Some(self.words)
    }

    /// Returns the word of stored facts of a record. Returns `None` if the directory stores the facts
    /// of other policies, so that nobody reads a bit that stands for another fact.
    #[inline]
    fn word(
        &mut self,
        tables: &Tables,
        request: &ResolvedRequest<'_>,
        plan: &Plan,
        record: usize,
    ) -> Option<u128> {
        let kept = self.words.get_mut(record)?;
        let bit = 1_u8 << (record & 7);
        if self.known_words & bit == 0 {
            if plan.stored_facts != tables.stored_facts().version() {
                return None;
            }
            self.known_words |= bit;
            *kept = plan.stored_records.get(record)?.word(tables, request);
        }
        Some(*kept)
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
