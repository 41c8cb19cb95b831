//! Evaluates requests: asks the plan of a session request, or runs the programs.

use super::bits::is_client;
use super::programs::{KindPrograms, SessionPrograms, TenantEvaluator};
use super::resolve::{ResolvedRequest, domain_of};
use crate::api::request_ref::RequestRef;
use crate::authorize::program_set::OutcomeCollector;
use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::construct;
use crate::directory::Directory;
use crate::model::limit::QuotaFacts;
use crate::vm::{PolicyResult, Program, run, run_one};

impl TenantEvaluator {
    /// Evaluates the request. Returns `None` if the request is malformed, names an unknown record,
    /// or contains values that only Cedar can evaluate. The caller then asks Cedar, which also
    /// produces the error.
    pub(crate) fn judge(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<CedarOutcome> {
        let found = ResolvedRequest {
            quota,
            ..self.find(question, directory)?
        };
        let mut tally = OutcomeCollector::default();
        let mut count = |at, outcome| {
            tally.count(&bundle.rules, at, outcome);
            true
        };
        let programs = self.programs_of(bundle, &found, directory)?;
        match self.check_session(programs, question, directory, &found) {
            Some((sessions, Some(true))) => {
                self.run(
                    &sessions.permits_only,
                    question,
                    directory,
                    &found,
                    &mut count,
                )?;
            }
            Some((sessions, _)) => {
                self.run(&sessions.all, question, directory, &found, &mut count)?;
            }
            None => self.run(&programs.any, question, directory, &found, &mut count)?,
        }
        Some(tally.verdict(&bundle.rules))
    }

    /// Returns the allow bit of a request that no plan decides. Stops as soon as the bit is
    /// certain.
    pub(crate) fn check(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<bool> {
        let found = ResolvedRequest {
            quota,
            ..self.find(question, directory)?
        };
        let kind = self.programs_of(bundle, &found, directory)?;
        let programs = match self.check_session(kind, question, directory, &found) {
            Some((_, Some(allowed))) => return Some(allowed),
            Some((sessions, None)) => &sessions.all,
            None => &kind.any,
        };
        let (mut permitted, mut refused) = (false, false);
        self.run(programs, question, directory, &found, &mut |at, outcome| {
            match (outcome, bundle.rules.role_at(at)) {
                (PolicyResult::NotSatisfied, _)
                | (PolicyResult::Satisfied, PolicyEffect::Warning) => {}
                (PolicyResult::Satisfied, PolicyEffect::Permit) => permitted = true,
                (PolicyResult::Satisfied, PolicyEffect::Forbid) | (PolicyResult::Error, _) => {
                    refused = true;
                }
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    /// Returns the programs of a session request, and the allow bit if its plan decides it. Returns
    /// `None` for other requests.
    fn check_session<'p>(
        &self,
        programs: &'p KindPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'_>,
    ) -> Option<(&'p SessionPrograms, Option<bool>)> {
        if question.environment.is_some()
            || question.resource.more.is_some()
            || found.action.context
            || found.quota.is_some()
        {
            return None;
        }
        let domain = domain_of(directory, question.host?, found.host)?;
        let sessions = programs
            .session
            .get(usize::from(is_client(&found.account)))?;
        let place = found.entry.ready.filter(|_| found.is_plain());
        Some((
            sessions,
            place.and_then(|place| self.planned_of(place, found, domain, question, directory)),
        ))
    }

    /// Evaluates a condition of a plan that is not a fact of a record.
    #[cold]
    pub(crate) fn eval_plan_extra(
        &self,
        sessions: &SessionPrograms,
        at: u16,
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'_>,
    ) -> Option<PolicyResult> {
        let program = sessions.plan_extras.get(usize::from(at))?;
        self.fill_registers(question, directory, found, |roots, tenants, space| {
            run_one(program, roots, tenants, space, construct)
        })?
    }

    /// Calls `each` with the result of each policy: those of the programs, then the record-specific
    /// policies that match.
    fn run(
        &self,
        programs: &[Program],
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'_>,
        each: &mut impl FnMut(usize, PolicyResult) -> bool,
    ) -> Option<()> {
        self.fill_registers(question, directory, found, |roots, tenants, space| {
            let above: Vec<u32> = if self.resources.is_empty() {
                Vec::new()
            } else {
                space.scratch.guest.ancestors.clone()
            };
            let above = above
                .iter()
                .filter_map(|above| self.resources.get(above))
                .flatten();
            let alone = found
                .alone
                .iter()
                .copied()
                .flatten()
                .chain(above)
                .filter_map(|at| self.record_specific.get(*at as usize));
            let mut go_on = true;
            for program in programs.iter().chain(alone) {
                run(program, roots, tenants, space, construct, |at, outcome| {
                    go_on = each(at, outcome);
                    go_on
                });
                if !go_on {
                    break;
                }
            }
        })
    }
}
