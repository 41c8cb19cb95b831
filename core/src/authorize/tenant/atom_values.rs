//! The values of the atoms that a diagram or a cache key asks for.

use super::atoms::OwnAttributes;
use super::plan::Plan;
use super::resolve::ResolvedRequest;
use super::symbolic::FIRST_READ;
use crate::directory::Tables;
use crate::vm::{EntityStore, LoadedProgram, PolicyResult, Tracer};

/// The facts of records that were read for a request, so that none is read twice.
#[derive(Default)]
pub(super) struct RecordReads<'h> {
    known: u64,
    values: u64,
    own: OwnAttributes<'h>,
}

impl<'h> RecordReads<'h> {
    /// Returns the value of a variable from [`FIRST_READ`] on. Returns `None` for a condition.
    #[inline]
    pub(super) fn variable(
        &mut self,
        tables: &'h Tables,
        request: &ResolvedRequest<'_>,
        plan: &Plan,
        variable: u16,
    ) -> Option<bool> {
        let at = variable.checked_sub(FIRST_READ)?;
        let read = plan.reads.get(usize::from(at))?;
        let bit = 1_u64.checked_shl(u32::from(at))?;
        if self.known & bit == 0 {
            self.known |= bit;
            if read.holds(tables, request, &mut self.own) {
                self.values |= bit;
            }
        }
        Some(self.values & bit != 0)
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
