//! Answers session requests that consume from a meter, for usage at which no limit policy applies.
//! The answer is then that of the request without a meter. Also computes the range of usage in
//! which the limit policies do not apply, so that they need not run again within it.
//!
//! The range is proved by tracing the run of the limit policies ([`LinearRange`]). All other facts
//! that they read must be equal, except the resource's id. These are the directory version, the
//! kind of request, the account, the domain, the meter, the amount, the held amount and the limit.
//! The account also owns the resource. A read of the resource's id, or of an attribute of an entity
//! that may be the resource, ends the proof. A policy that reads the facts as one record ends the
//! proof for the entire bundle.

use std::sync::Arc;

use super::plan_evaluation::PlanRequest;
use super::programs::TenantEvaluator;
use super::symbolic::FIRST_PROGRAM;
use super::symbols::{self, root};
use crate::api::request_ref::RequestRef;
use crate::cedar::authorizer::AnswerTemplate;
use crate::compiler::construct;
use crate::directory::Directory;
use crate::model::catalog::MeterKind;
use crate::model::limit::QuotaFacts;
use crate::vm::{LinearRange, PolicyResult, REQUEST_LOCAL, Tracer, run_traced};

/// The result for a request that consumes from a meter.
pub(crate) enum MeteredAnswer<'p> {
    /// The answer, and the range of usage in which it is valid, if that range is proved.
    Answer(&'p AnswerTemplate, Option<UnaffectedRange>),
    /// The answer is that of the request without a meter, which is not cached yet.
    Unknown,
    /// Every policy must be evaluated.
    Beyond,
}

/// The range of usage in which the limit policies do not apply, if all other facts are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnaffectedRange {
    /// The lowest and the highest usage, both included.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The slot of the answer in the answer cache.
    pub(crate) answer_slot: u8,
}

/// A request by which an account consumes for itself, on its own resource, from the one meter of an
/// action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelfConsume<'p> {
    pub(crate) meter: &'p Arc<str>,
    pub(crate) kind: MeterKind,
    /// The kind of request, as a place in the plan table.
    pub(crate) request_kind: u32,
    /// The number of the domain.
    pub(crate) domain: u32,
    client: bool,
}

/// Returns whether the directory or the schema alone defines an entity, so that no request adds to
/// it.
fn is_fixed_entity(entity: u32) -> bool {
    entity < REQUEST_LOCAL && symbols::parts(entity).0 != symbols::NAMED
}

impl TenantEvaluator {
    /// Returns the cached answer to the request without its meter, if no limit policy applies. If
    /// `hears` is set, also returns the range of usage in which the limit policies do not apply.
    pub(crate) fn metered<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: &'p QuotaFacts<'p>,
        hears: bool,
    ) -> MeteredAnswer<'p> {
        let Some(plan_request) = self.resolve(question, directory) else {
            return MeteredAnswer::Beyond;
        };
        let Some((answer_cache, place)) = self.find_cached_slot(&plan_request, question, directory)
        else {
            return MeteredAnswer::Beyond;
        };
        let mut reach = LinearRange::new(
            u16::from(root::ACCOUNT_USED),
            quota.account.used,
            u16::from(root::RESOURCE),
            is_fixed_entity,
        );
        // A program may read the resource's id, which is not part of a cached grant's key.
        let watched = hears
            && quota.member.is_none()
            && !self.reads_facts_record
            && plan_request.is_own()
            && !answer_cache.reads_from(FIRST_PROGRAM);
        let silent = if watched {
            self.limits_do_not_apply(question, directory, &plan_request, quota, &mut reach)
        } else {
            self.limits_do_not_apply(question, directory, &plan_request, quota, &mut ())
        };
        match (
            place.and_then(|place| Some((place, answer_cache.by_slot(place)?))),
            silent,
        ) {
            (_, None | Some(false)) => MeteredAnswer::Beyond,
            (Some((place, answer)), Some(true)) => {
                let range = if watched { reach.range() } else { None };
                MeteredAnswer::Answer(
                    answer,
                    range.map(|range| UnaffectedRange {
                        from: *range.start(),
                        to: *range.end(),
                        answer_slot: place,
                    }),
                )
            }
            (None, Some(true)) => MeteredAnswer::Unknown,
        }
    }

    /// Returns whether no limit policy applies. Returns `None` if this cannot be determined here.
    fn limits_do_not_apply<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        plan_request: &PlanRequest,
        quota: &'p QuotaFacts<'p>,
        watch: &mut impl Tracer,
    ) -> Option<bool> {
        let found = self.found_of(plan_request, Some(quota))?;
        let limits = found
            .entry
            .compiled()?
            .session
            .get(usize::from(plan_request.client()))?
            .limits
            .as_ref()?;
        let mut silent = true;
        self.fill_registers(question, directory, &found, |roots, tenants, space| {
            for program in limits {
                run_traced(
                    program,
                    roots,
                    tenants,
                    space,
                    construct,
                    watch,
                    |_, outcome| {
                        silent &= outcome == PolicyResult::NotSatisfied;
                        silent
                    },
                );
                if !silent {
                    break;
                }
            }
        })?;
        Some(silent)
    }

    /// Resolves a request for the one meter of an action, if a cached grant can answer it.
    #[inline]
    pub(crate) fn self_consume(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'_>> {
        let plan_request = self
            .resolve(question, directory)
            .filter(PlanRequest::is_own)?;
        let (meter, kind) = self.find_single_meter(plan_request.at)?;
        Some(SelfConsume {
            meter,
            kind: *kind,
            request_kind: plan_request.at,
            domain: plan_request.domain.number,
            client: plan_request.client(),
        })
    }

    /// Returns the answer in a slot of the answer cache, for a request of this kind.
    #[inline]
    pub(crate) fn cached_answer(
        &self,
        single: &SelfConsume<'_>,
        answer_slot: u8,
    ) -> Option<&AnswerTemplate> {
        self.ready
            .planned(single.request_kind, single.client)?
            .answer_cache
            .by_slot(answer_slot)
    }
}
