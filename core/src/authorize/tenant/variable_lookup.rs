//! Looks up the variables of a plan that are not session bits: facts of records, and conditions
//! that need a program.

use super::atoms::PathOrigin;
use super::plan_evaluation::PlanRequest;
use super::plan_table::SessionPlan;
use super::programs::TenantEvaluator;
use super::symbolic::{FIRST_PROGRAM, FIRST_READ};
use crate::api::request_ref::RequestRef;
use crate::directory::Directory;
use crate::vm::PolicyResult;

/// Looks up the variables that a plan or a cache key needs beyond the session bits.
pub(super) struct VariableLookup<'a, 'q> {
    programs: &'a TenantEvaluator,
    planned: &'a SessionPlan,
    plan_request: &'a PlanRequest,
    question: &'a RequestRef<'q>,
    directory: &'a Directory,
    /// The last program run and its result. Most programs are needed for both of their variables.
    last: Option<(u16, PolicyResult)>,
}

impl<'a, 'q> VariableLookup<'a, 'q> {
    #[inline]
    pub(super) fn new(
        programs: &'a TenantEvaluator,
        planned: &'a SessionPlan,
        plan_request: &'a PlanRequest,
        question: &'a RequestRef<'q>,
        directory: &'a Directory,
    ) -> Self {
        Self {
            programs,
            planned,
            plan_request,
            question,
            directory,
            last: None,
        }
    }

    /// Returns the allow bit.
    #[inline(never)]
    pub(super) fn allows(&mut self, bits: u64) -> Option<bool> {
        self.planned.plan.eval(bits, |atom| {
            self.read_variable(atom.saturating_add(FIRST_READ))
        })
    }

    /// Returns the answer cache key.
    #[inline(never)]
    pub(super) fn key(&mut self, bits: u64) -> Option<u128> {
        self.planned
            .answer_cache
            .key(bits, |variable| self.read_variable(variable))
    }

    /// Returns the value of a variable from [`FIRST_READ`] on.
    fn read_variable(&mut self, variable: u16) -> Option<bool> {
        let PlanRequest {
            login, domain, on, ..
        } = *self.plan_request;
        let Some(program) = variable.checked_sub(FIRST_PROGRAM) else {
            let read = self
                .planned
                .reads
                .get(usize::from(variable.checked_sub(FIRST_READ)?))?;
            return Some(read.holds(
                self.directory.tables(),
                &PathOrigin {
                    login,
                    domain: domain.number,
                    on,
                },
            ));
        };
        let at = program >> 1;
        let outcome = match self.last {
            Some((known, outcome)) if known == at => outcome,
            _ => {
                let found = self.programs.found_of(self.plan_request, None)?;
                let sessions = found
                    .entry
                    .compiled()?
                    .session
                    .get(usize::from(self.plan_request.client()))?;
                self.programs.eval_plan_extra(
                    sessions,
                    at,
                    self.question,
                    self.directory,
                    &found,
                )?
            }
        };
        self.last = Some((at, outcome));
        Some(
            outcome
                == if program & 1 == 0 {
                    PolicyResult::Satisfied
                } else {
                    PolicyResult::Error
                },
        )
    }
}
