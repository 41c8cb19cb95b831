//! The values of the atoms that a diagram or a cache key asks for.

use super::answer_cache::RecordWords;
use super::plan::Plan;
use super::resolve::ResolvedRequest;
use super::symbolic::{FIRST_READ, MAX_READS};
use crate::directory::Tables;
use crate::vm::{EntityStore, LoadedProgram, PolicyResult, Tracer};

/// The facts of records that were read for a request, so that none is read twice.
pub(super) struct RecordReads<'a> {
    tables: &'a Tables,
    request: &'a ResolvedRequest<'a>,
    plan: &'a Plan,
    known: [u64; MAX_READS / 64],
    values: [u64; MAX_READS / 64],
    known_words: u8,
    words: RecordWords,
}

impl<'a> RecordReads<'a> {
    pub(super) fn new(
        tables: &'a Tables,
        request: &'a ResolvedRequest<'a>,
        plan: &'a Plan,
    ) -> Self {
        Self {
            tables,
            request,
            plan,
            known: Default::default(),
            values: Default::default(),
            known_words: 0,
            words: RecordWords::default(),
        }
    }

    /// Returns the value of a variable from [`FIRST_READ`] on. Returns `None` for a condition.
    #[inline(always)]
    pub(super) fn variable(&mut self, variable: u16) -> Option<bool> {
        let at = usize::from(variable.checked_sub(FIRST_READ)?);
        let read = self.plan.reads.get(at)?;
        if let Some(stored) = read.stored {
            let word = self.word(usize::from(stored.record))?;
            return Some(word.checked_shr(u32::from(stored.bit)).unwrap_or(0) & 1 == 1);
        }
        let bit = 1_u64 << (at & 63);
        let (known, values) = (self.known.get_mut(at >> 6)?, self.values.get_mut(at >> 6)?);
        if *known & bit == 0 {
            *known |= bit;
            if read.holds(self.tables, self.request) {
                *values |= bit;
            }
        }
        Some(*values & bit != 0)
    }

    /// Returns the words of all records of which the plan reads stored facts. Returns `None` as
    /// [`RecordReads::word`] does.
    pub(super) fn words(&mut self) -> Option<RecordWords> {
        for record in 0..self.plan.stored_records.len() {
            self.word(record)?;
        }
        Some(self.words)
    }

    /// Returns the word of stored facts of a record. Returns `None` if the directory stores the facts
    /// of other policies, so that nobody reads a bit that stands for another fact.
    #[inline]
    fn word(&mut self, record: usize) -> Option<u128> {
        let kept = self.words.get_mut(record)?;
        let bit = 1_u8 << (record & 7);
        if self.known_words & bit == 0 {
            if self.plan.stored_facts != self.tables.stored_facts().version() {
                return None;
            }
            self.known_words |= bit;
            let path = self.plan.stored_records.get(record)?;
            *kept = path.word(self.tables, self.request);
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
