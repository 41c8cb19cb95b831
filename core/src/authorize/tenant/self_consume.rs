//! Resolves the most frequent consume: an account consumes for itself, on its own resource and at a
//! domain, from the one meter of an action.

use std::sync::Arc;

use super::answer_cache::AnswerCache;
use super::fact_set::HostFact;
use super::programs::{RequestKind, TenantEvaluator};
use crate::api::decision::PolicyAnswer;
use crate::api::request_ref::RequestRef;
use crate::directory::Directory;
use crate::model::catalog::MeterKind;

/// A request by which an account consumes for itself, on its own resource, from the one meter of an
/// action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelfConsume<'p> {
    pub(crate) meter: &'p Arc<str>,
    pub(crate) meter_kind: MeterKind,
    pub(crate) kind: &'p RequestKind,
    /// The number of the domain.
    pub(crate) domain: u32,
}

impl TenantEvaluator {
    /// Resolves a request for the one meter of an action, if a cached grant can answer it.
    #[inline]
    pub(crate) fn self_consume(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'_>> {
        if question.environment.is_some() || question.resource.more.is_some() {
            return None;
        }
        let request = self.resolve(question, directory, None)?;
        let is_plain = request.is_decided_by_atoms() && request.facts.host() == HostFact::Domain;
        let (meter, meter_kind) = request.action.takes.as_ref()?;
        (is_plain && request.is_own()).then_some(SelfConsume {
            meter,
            meter_kind: *meter_kind,
            kind: request.kind,
            domain: request.domain.number,
        })
    }
}

impl<'p> SelfConsume<'p> {
    /// Returns a cached answer of this kind of request.
    #[inline]
    pub(crate) fn cached_answer(&self, number: u16) -> Option<&'p Arc<PolicyAnswer>> {
        let (plan, slot) = AnswerCache::place(number);
        let plan = self.kind.plans.by_number(plan)?.plan.as_ref()?;
        plan.cache.by_slot(slot)
    }
}
