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
use crate::directory::Directory;
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

/// A request with everything that its evaluation reads.
struct Evaluation<'p, 'a> {
    evaluator: &'p TenantEvaluator,
    bundle: &'a Bundle,
    question: &'a RequestRef<'a>,
    directory: &'a Directory,
    quota: Option<&'a QuotaFacts<'a>>,
    request: ResolvedRequest<'p>,
    plan: &'p Plan,
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
        let plan = self.plan_of(bundle, &request, directory)?.plan.as_ref()?;
        let bits = request.bits(directory.tables());
        let known = plan.allow.eval_bits(bits);
        if request.is_decided_by_atoms()
            && let BddOutcome::Known(allowed) = known
        {
            return Some(allowed);
        }
        // In most cases the bits decide, and the resolved request stays in registers. Anything else
        // needs it in memory.
        Evaluation::new(self, bundle, question, directory, None, request, plan).check(bits, known)
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
        let node = self.plan_of(bundle, &request, directory)?;
        let plan = node.plan.as_ref()?;
        let bits = request.bits(directory.tables());
        if range.is_none()
            && request.is_decided_by_atoms()
            && let Some(key) = plan.cache.key(bits, None, |_| None)
            && let Some((_, answer)) = plan.cache.find(&key)
        {
            return Some(Answer::Cached(answer));
        }
        let evaluation = Evaluation::new(self, bundle, question, directory, quota, request, plan);
        evaluation.answer(node.number, bits, range)
    }

    /// Returns the outcome of all policies, and reads and writes no cached answer.
    pub(crate) fn evaluate(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<CedarOutcome> {
        let request = self.resolve(question, directory, None)?;
        let plan = self.plan_of(bundle, &request, directory)?.plan.as_ref()?;
        Evaluation::new(self, bundle, question, directory, None, request, plan).outcome()
    }

    /// Returns the plan of a request. The first request with these facts compiles it.
    #[inline(always)]
    fn plan_of<'p>(
        &'p self,
        bundle: &Bundle,
        request: &ResolvedRequest<'p>,
        directory: &Directory,
    ) -> Option<&'p PlanNode> {
        let (kind, facts) = (request.kind, request.facts);
        let compile = || self.compile_plan(bundle, request.action, kind, facts, directory);
        kind.plans.find(facts).or_else(compile)
    }
}

impl<'p, 'a> Evaluation<'p, 'a> {
    fn new(
        evaluator: &'p TenantEvaluator,
        bundle: &'a Bundle,
        question: &'a RequestRef<'a>,
        directory: &'a Directory,
        quota: Option<&'a QuotaFacts<'a>>,
        request: ResolvedRequest<'p>,
        plan: &'p Plan,
    ) -> Self {
        Self {
            evaluator,
            bundle,
            question,
            directory,
            quota,
            request,
            plan,
        }
    }

    /// Returns the facts of records that are read for the request.
    fn record_reads(&self) -> RecordReads<'_> {
        RecordReads::new(self.directory.tables(), &self.request, self.plan)
    }

    /// Calls `work` with the request's facts in registers.
    fn with_registers<T>(
        &self,
        work: impl FnOnce(&[Value], &KernelEntities<'_>, &mut Heap<'_>) -> T,
    ) -> Option<T> {
        let found = (&self.request, self.quota);
        self.evaluator
            .fill_registers(self.plan, self.question, self.directory, found, work)
    }

    #[inline(never)]
    fn check(&self, bits: u64, known: BddOutcome) -> Option<bool> {
        let allow = &self.plan.allow;
        if self.request.is_named || allow.is_unknown() {
            return self.check_policies();
        }
        let mut reads = self.record_reads();
        let known = match known {
            BddOutcome::Asks(step) => allow.eval_from(step, bits, |atom| {
                reads.variable(atom.saturating_add(FIRST_READ))
            }),
            known @ BddOutcome::Known(_) => known,
        };
        match known {
            // Filling the registers checks the types of the values.
            BddOutcome::Known(allowed) if self.request.facts.has_values() => {
                self.with_registers(|_, _, _| allowed)
            }
            BddOutcome::Known(allowed) => Some(allowed),
            BddOutcome::Asks(step) => self.with_atoms(&mut reads, &mut (), |value| {
                let ask = |atom: u16| value(atom.saturating_add(FIRST_READ));
                allow.eval_from(step, bits, ask).known()
            })?,
        }
    }

    /// Calls `work` with a function that returns the value of each variable beyond the bits.
    fn with_atoms<T>(
        &self,
        reads: &mut RecordReads<'_>,
        watch: &mut impl Tracer,
        work: impl FnOnce(&mut dyn FnMut(u16) -> Option<bool>) -> T,
    ) -> Option<T> {
        self.with_registers(|roots, tenants, space| {
            let program = &self.plan.conditions;
            with_frame(program, roots, tenants, space, construct, watch, |frame| {
                let mut conditions = ConditionResults::default();
                let mut value = |variable: u16| match variable.checked_sub(FIRST_CONDITION) {
                    None => reads.variable(variable),
                    Some(condition) => conditions.variable(frame, condition),
                };
                work(&mut value)
            })
        })
    }

    /// Returns the allow bit by the policies themselves. Stops as soon as it is certain.
    fn check_policies(&self) -> Option<bool> {
        let (mut permitted, mut refused) = (false, false);
        self.run(&mut |at, outcome| {
            match (outcome, self.bundle.rules.role_at(at)) {
                (PolicyResult::Error, _) | (PolicyResult::Satisfied, PolicyEffect::Forbid) => {
                    refused = true;
                }
                (PolicyResult::Satisfied, PolicyEffect::Permit) => permitted = true,
                (PolicyResult::Satisfied | PolicyResult::NotSatisfied, _) => {}
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    #[inline(never)]
    fn answer(
        &self,
        number: u16,
        bits: u64,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Option<Answer<'p>> {
        let cache = &self.plan.cache;
        if self.request.is_named || !cache.is_enabled() {
            return Some(Answer::Evaluated(Box::new(self.outcome()?)));
        }
        let (key, proved) = if range.is_some() && self.is_traceable() {
            let used = self.quota.map_or(0, |quota| quota.account.used);
            let (input, resource) = (u16::from(root::ACCOUNT_USED), u16::from(root::RESOURCE));
            let mut watch = LinearRange::new(input, used, resource, is_fixed_entity);
            (self.key(bits, &mut watch)?, watch.range())
        } else {
            (self.key(bits, &mut ())?, None)
        };
        let (slot, answer) = if let Some(found) = cache.find(&key) {
            found
        } else {
            let outcome = self.outcome()?;
            // Only Cedar provides the message of an error, so such an answer is not cached.
            let is_kept = outcome.errors.is_empty();
            let rules = &self.bundle.rules;
            let kept = is_kept.then(|| cache.insert(&key, || rules.answer(&outcome)));
            match kept.flatten() {
                Some(kept) => kept,
                None => return Some(Answer::Evaluated(Box::new(outcome))),
            }
        };
        if let (Some(range), Some(proved)) = (range, proved) {
            *range = Some(AnswerRange {
                from: *proved.start(),
                to: *proved.end(),
                answer: AnswerCache::number(number, slot),
            });
        }
        Some(Answer::Cached(answer))
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
    fn key(&self, bits: u64, watch: &mut impl Tracer) -> Option<AnswerKey> {
        let cache = &self.plan.cache;
        let mut reads = self.record_reads();
        let words = reads.words()?;
        if !self.request.facts.has_values() && !cache.reads_from(FIRST_CONDITION) {
            return cache.key(bits, Some(&words), |variable| reads.variable(variable));
        }
        self.with_atoms(&mut reads, watch, |value| {
            cache.key(bits, Some(&words), value)
        })?
    }

    /// Returns the outcome of all policies.
    fn outcome(&self) -> Option<CedarOutcome> {
        let rules = &self.bundle.rules;
        let mut tally = OutcomeCollector::default();
        self.run(&mut |at, outcome| {
            tally.count(rules, at, outcome);
            true
        })?;
        Some(tally.verdict(rules))
    }

    /// Calls `each` with the result of each policy: those of the plan, then those that name the
    /// principal, the resource or a parent of it.
    fn run(&self, each: &mut impl FnMut(usize, PolicyResult) -> bool) -> Option<()> {
        let (evaluator, request, id) = (self.evaluator, &self.request, self.question.resource.id);
        self.with_registers(|roots, tenants, space| {
            let mut specific: Vec<u32> = Vec::new();
            if self.request.is_named {
                let (kind, login, on) = (request.kind, request.login, request.on);
                let named = evaluator.specific_policies(kind, login, on, id);
                specific.extend(named.into_iter().flatten());
                let parents = space.scratch.guest.ancestors.iter();
                let above = parents.filter_map(|parent| evaluator.resources.get(parent));
                specific.extend(above.flatten());
            }
            let specific = specific
                .iter()
                .filter_map(|at| evaluator.record_specific.get(*at as usize));
            let mut go_on = true;
            for program in self.plan.policies.iter().chain(specific) {
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
