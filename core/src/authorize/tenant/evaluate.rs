//! Evaluates requests with their plans.

use std::sync::Arc;

use super::answer_cache::{AnswerCache, AnswerKey, AnswerRange};
use super::atom_values::{ConditionResults, RecordReads};
use super::entities::KernelEntities;
use super::fact_set::QUOTA_MEMBER;
use super::plan::{Plan, PlanNode};
use super::programs::TenantEvaluator;
use super::resolve::ResolvedRequest;
use super::symbolic::{FIRST_CONDITION, FIRST_READ};
use super::symbols::{self, root};
use crate::api::decision::PolicyAnswer;
use crate::api::request_ref::RequestRef;
use crate::authorize::program_set::OutcomeCollector;
use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::construct;
use crate::directory::{Directory, Tables};
use crate::model::limit::QuotaFacts;
use crate::vm::{
    BddOutcome, Heap, LinearRange, PolicyResult, REQUEST_LOCAL, Tracer, Value, run, with_frame,
};

/// The answer to a request.
pub(crate) enum Answer<'p> {
    Cached(&'p Arc<PolicyAnswer>),
    /// An answer that is not cached.
    Evaluated(Box<CedarOutcome>),
}

/// A request, the directory, and the facts of the meter.
type Asked<'a, 'q> = (
    &'a RequestRef<'q>,
    &'a Directory,
    Option<&'a QuotaFacts<'a>>,
);

/// A request with everything that its evaluation reads.
#[derive(Clone, Copy)]
struct Evaluation<'a, 'q> {
    evaluator: &'a TenantEvaluator,
    bundle: &'a Bundle,
    request: &'a ResolvedRequest<'a>,
    question: &'a RequestRef<'q>,
    directory: &'a Directory,
    quota: Option<&'a QuotaFacts<'a>>,
}

/// Returns whether the directory or the schema alone defines an entity, so that no request adds to
/// it.
fn is_fixed_entity(entity: u32) -> bool {
    entity < REQUEST_LOCAL && symbols::parts(entity).0 != symbols::NAMED
}

impl TenantEvaluator {
    /// Returns whether the policies allow the request. Returns `None` if the request is malformed,
    /// names an unknown record, or contains values that only Cedar can evaluate. The caller then
    /// asks Cedar, which also produces the error.
    #[inline]
    pub(crate) fn check(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        let request = self.resolve(question, directory, None)?;
        let asked = (question, directory, None);
        self.check_resolved(bundle, &request, asked)
    }

    /// In most cases the bits decide, and the resolved request stays in registers. Anything else
    /// needs it in memory, as a copy.
    #[inline(always)]
    fn check_resolved(
        &self,
        bundle: &Bundle,
        request: &ResolvedRequest<'_>,
        asked: Asked<'_, '_>,
    ) -> Option<bool> {
        let (_, directory, _) = asked;
        let plan = self.plan_of(bundle, request, directory)?.plan.as_ref()?;
        let bits = request.bits(directory.tables());
        let known = plan.allow.eval_bits(bits);
        if request.is_decided_by_atoms()
            && let BddOutcome::Known(allowed) = known
        {
            return Some(allowed);
        }
        let request = *request;
        Evaluation::new(self, bundle, &request, asked).check(plan, bits, known)
    }

    /// Returns the answer to the request. If `range` is given, also stores the usage at which the
    /// answer stays the same. Returns `None` as [`TenantEvaluator::check`] does.
    #[inline]
    pub(crate) fn answer<'p>(
        &'p self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Option<Answer<'p>> {
        let request = self.resolve(question, directory, quota)?;
        let asked = (question, directory, quota);
        self.answer_resolved(bundle, &request, asked, range)
    }

    #[inline(always)]
    fn answer_resolved<'p>(
        &'p self,
        bundle: &Bundle,
        request: &ResolvedRequest<'p>,
        asked: Asked<'_, '_>,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Option<Answer<'p>> {
        let (_, directory, _) = asked;
        let node = self.plan_of(bundle, request, directory)?;
        let plan = node.plan.as_ref()?;
        let bits = request.bits(directory.tables());
        if range.is_none()
            && request.is_decided_by_atoms()
            && let Some(key) = plan.cache.key(bits, None, |_| None)
            && let Some(answer) = plan.cache.get(&key)
        {
            return Some(Answer::Cached(answer));
        }
        let request = *request;
        Evaluation::new(self, bundle, &request, asked).answer(node, plan, bits, range)
    }

    /// Returns the outcome of all policies, and reads and writes no cached answer.
    pub(crate) fn evaluate(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<CedarOutcome> {
        let request = self.resolve(question, directory, None)?;
        let node = self.plan_of(bundle, &request, directory)?;
        let asked = (question, directory, None);
        Evaluation::new(self, bundle, &request, asked).outcome(node.plan.as_ref()?)
    }

    /// Returns the plan of a request. The first request with these facts compiles it.
    #[inline(always)]
    fn plan_of<'p>(
        &'p self,
        bundle: &Bundle,
        request: &ResolvedRequest<'p>,
        directory: &Directory,
    ) -> Option<&'p PlanNode> {
        match request.kind.plans.find(request.facts) {
            Some(node) => Some(node),
            None => self.compile_plan(
                bundle,
                request.action,
                request.kind,
                request.facts,
                directory,
            ),
        }
    }
}

impl<'a, 'q> Evaluation<'a, 'q> {
    fn new(
        evaluator: &'a TenantEvaluator,
        bundle: &'a Bundle,
        request: &'a ResolvedRequest<'a>,
        (question, directory, quota): Asked<'a, 'q>,
    ) -> Self {
        Self {
            evaluator,
            bundle,
            request,
            question,
            directory,
            quota,
        }
    }

    fn tables(&self) -> &'a Tables {
        self.directory.tables()
    }

    /// Calls `work` with the request's facts in registers.
    fn with_registers<T>(
        &self,
        plan: &Plan,
        work: impl FnOnce(&[Value], &KernelEntities<'_>, &mut Heap<'_>) -> T,
    ) -> Option<T> {
        self.evaluator.fill_registers(
            plan,
            self.question,
            self.directory,
            (self.request, self.quota),
            work,
        )
    }

    #[inline(never)]
    fn check(&self, plan: &Plan, bits: u64, known: BddOutcome) -> Option<bool> {
        if self.request.is_named || plan.allow.is_unknown() {
            return self.check_policies(plan);
        }
        let mut reads = RecordReads::default();
        let known = match known {
            BddOutcome::Asks(step) => plan.allow.eval_from(step, bits, |atom| {
                let variable = atom.saturating_add(FIRST_READ);
                reads.variable(self.tables(), self.request, plan, variable)
            }),
            known @ BddOutcome::Known(_) => known,
        };
        match known {
            // Filling the registers checks the types of the values.
            BddOutcome::Known(allowed) if self.request.facts.has_values() => {
                self.with_registers(plan, |_, _, _| allowed)
            }
            BddOutcome::Known(allowed) => Some(allowed),
            BddOutcome::Asks(step) => self.with_atoms(plan, &mut reads, &mut (), |value| {
                let ask = |atom: u16| value(atom.saturating_add(FIRST_READ));
                plan.allow.eval_from(step, bits, ask).known()
            })?,
        }
    }

    /// Calls `work` with a function that returns the value of each variable beyond the bits.
    fn with_atoms<T>(
        &self,
        plan: &Plan,
        reads: &mut RecordReads,
        watch: &mut impl Tracer,
        work: impl FnOnce(&mut dyn FnMut(u16) -> Option<bool>) -> T,
    ) -> Option<T> {
        self.with_registers(plan, |roots, tenants, space| {
            let program = &plan.conditions;
            with_frame(program, roots, tenants, space, construct, watch, |frame| {
                let mut conditions = ConditionResults::default();
                work(
                    &mut |variable| match variable.checked_sub(FIRST_CONDITION) {
                        None => reads.variable(self.tables(), self.request, plan, variable),
                        Some(condition) => conditions.variable(frame, condition),
                    },
                )
            })
        })
    }

    /// Returns the allow bit by the policies themselves. Stops as soon as it is certain.
    fn check_policies(&self, plan: &Plan) -> Option<bool> {
        let (mut permitted, mut refused) = (false, false);
        self.run(plan, &mut |at, outcome| {
            match (outcome, self.bundle.rules.role_at(at)) {
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

    #[inline(never)]
    fn answer<'p>(
        &self,
        node: &'p PlanNode,
        plan: &'p Plan,
        bits: u64,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Option<Answer<'p>> {
        if self.request.is_named || !plan.cache.is_enabled() {
            let outcome = self.outcome(plan)?;
            return Some(Answer::Evaluated(Box::new(outcome)));
        }
        let mut proved = None;
        let key = if range.is_some() && self.is_traceable() {
            let used = self.quota.map_or(0, |quota| quota.account.used);
            let input = u16::from(root::ACCOUNT_USED);
            let resource = u16::from(root::RESOURCE);
            let mut watch = LinearRange::new(input, used, resource, is_fixed_entity);
            let key = self.key(plan, bits, &mut watch)?;
            proved = watch.range();
            key
        } else {
            self.key(plan, bits, &mut ())?
        };
        let cache: &'p AnswerCache = &plan.cache;
        let slot = if let Some(slot) = cache.find(&key) {
            slot
        } else {
            let outcome = self.outcome(plan)?;
            let rules = &self.bundle.rules;
            // Only Cedar provides the message of an error, so such an answer is not cached.
            let is_kept = outcome.errors.is_empty();
            let kept = is_kept.then(|| cache.insert(&key, || rules.answer(&outcome)));
            match kept.flatten() {
                Some(slot) => slot,
                None => return Some(Answer::Evaluated(Box::new(outcome))),
            }
        };
        if let (Some(range), Some(proved)) = (range, proved) {
            *range = Some(AnswerRange {
                from: *proved.start(),
                to: *proved.end(),
                answer: AnswerCache::number(node.number, slot),
            });
        }
        cache.by_slot(slot).map(Answer::Cached)
    }

    /// Returns whether the usage at which the answer stays the same can be computed. All other
    /// facts of a later request must be equal, except the resource's id. A policy that reads the
    /// facts as one record ends the proof for the entire bundle.
    fn is_traceable(&self) -> bool {
        !self.evaluator.reads_facts_record
            && self.request.is_own()
            && !self.request.facts.has(QUOTA_MEMBER)
            && self.question.environment.is_none()
            && self.question.resource.more.is_none()
    }

    /// Returns the key of the answer: all bits, facts and conditions that the policies depend on.
    fn key(&self, plan: &Plan, bits: u64, watch: &mut impl Tracer) -> Option<AnswerKey> {
        let mut reads = RecordReads::default();
        let words = reads.words(self.tables(), self.request, plan)?;
        if !self.request.facts.has_values() && !plan.cache.reads_from(FIRST_CONDITION) {
            return plan.cache.key(bits, Some(&words), |variable| {
                reads.variable(self.tables(), self.request, plan, variable)
            });
        }
        let key =
            |value: &mut dyn FnMut(u16) -> Option<bool>| plan.cache.key(bits, Some(&words), value);
        self.with_atoms(plan, &mut reads, watch, key)?
    }

    /// Returns the outcome of all policies.
    fn outcome(&self, plan: &Plan) -> Option<CedarOutcome> {
        let rules = &self.bundle.rules;
        let mut tally = OutcomeCollector::default();
        self.run(plan, &mut |at, outcome| {
            tally.count(rules, at, outcome);
            true
        })?;
        Some(tally.verdict(rules))
    }

    /// Calls `each` with the result of each policy: those of the plan, then those that name the
    /// principal, the resource or a parent of it.
    fn run(&self, plan: &Plan, each: &mut impl FnMut(usize, PolicyResult) -> bool) -> Option<()> {
        let ResolvedRequest {
            kind, login, on, ..
        } = *self.request;
        let evaluator = self.evaluator;
        self.with_registers(plan, |roots, tenants, space| {
            let mut specific: Vec<u32> = Vec::new();
            if self.request.is_named {
                let named = evaluator.specific_policies(kind, login, on, self.question.resource.id);
                specific.extend(named.into_iter().flatten());
                let parents = space.scratch.guest.ancestors.iter();
                specific.extend(
                    parents
                        .filter_map(|parent| evaluator.resources.get(parent))
                        .flatten(),
                );
            }
            let specific = specific
                .iter()
                .filter_map(|at| evaluator.record_specific.get(*at as usize));
            let mut go_on = true;
            for program in plan.policies.iter().chain(specific) {
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
