//! Forwards a request to the evaluator of the loaded policies.

use super::tenant::{MeteredAnswer, SelfConsume, UnaffectedRange};
use super::{LoadedPolicies, PolicyEngine, TenantPrograms};
use crate::api::request::Request;
use crate::api::request_ref::RequestRef;
use crate::cedar::authorizer::{AnswerTemplate, CedarOutcome};
use crate::cedar::request::{CedarQuery, VALUE_DEPTH};
use crate::directory::Directory;
use crate::model::limit::QuotaFacts;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::stack;

impl LoadedPolicies {
    /// Returns the Cedar query for `request`, or its denial if a look-up fails.
    pub(crate) fn build_cedar_query(
        &self,
        request: &Request,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<CedarQuery, Error> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => stack::run(VALUE_DEPTH, || {
                bundle.to_cedar_query(request, directory, quota)
            }),
            PolicyEngine::Plain(plain) => plain.build_cedar_query(request),
        }
    }

    /// Evaluates the request if a plain Cedar program is loaded. Returns `None` for a tenant
    /// bundle.
    pub(crate) fn fast_plain(
        &self,
        question: &RequestRef<'_>,
    ) -> Result<Option<CedarOutcome>, Error> {
        match &self.kind {
            PolicyEngine::Tenancy(_) => Ok(None),
            PolicyEngine::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// Evaluates the request with the compiled policies. Returns `None` if they cannot answer it.
    /// The caller then asks Cedar.
    pub(crate) fn fast(
        &self,
        fast: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Option<CedarOutcome>, Error> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => Ok(match &fast.0 {
                Some(Ok(programs)) => programs.judge(bundle, question, directory, quota),
                _ => None,
            }),
            PolicyEngine::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// Returns the allow bit from the decision diagram of the request kind. Returns `None` if there
    /// is no diagram or it cannot decide.
    #[inline]
    pub(crate) fn planned(
        fast: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        match &fast.0 {
            Some(Ok(programs)) => programs.planned(question, directory),
            _ => None,
        }
    }

    /// Returns the cached answer of an earlier request with equal bits.
    #[inline]
    pub(crate) fn find_cached_answer<'f>(
        fast: &'f TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<&'f AnswerTemplate> {
        match &fast.0 {
            Some(Ok(programs)) => programs.find_cached_answer(question, directory),
            _ => None,
        }
    }

    /// Returns the cached answer to the request without its meter, if no limit policy applies. If
    /// `hears` is set, also returns the range of usage in which the limit policies do not apply.
    /// Sets `unknown` if the answer without a meter is not cached yet.
    pub(crate) fn metered<'f>(
        fast: &'f TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: &'f QuotaFacts<'f>,
        hears: bool,
        unknown: &mut bool,
    ) -> Option<(&'f AnswerTemplate, Option<UnaffectedRange>)> {
        let Some(Ok(programs)) = &fast.0 else {
            return None;
        };
        match programs.metered(question, directory, quota, hears) {
            MeteredAnswer::Answer(answer, silence) => Some((answer, silence)),
            MeteredAnswer::Unknown => {
                *unknown = true;
                None
            }
            MeteredAnswer::Beyond => None,
        }
    }

    /// Resolves a request by which an account consumes from the one meter of an action for itself.
    #[inline]
    pub(crate) fn resolve_self_consume<'f>(
        fast: &'f TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'f>> {
        match &fast.0 {
            Some(Ok(programs)) => programs.self_consume(question, directory),
            _ => None,
        }
    }

    /// Returns the answer in the given slot of the answer cache, for usage in which the limit
    /// policies do not apply.
    #[inline]
    pub(crate) fn find_unaffected_answer<'f>(
        fast: &'f TenantPrograms,
        single: &SelfConsume<'_>,
        place: u8,
    ) -> Option<&'f AnswerTemplate> {
        match &fast.0 {
            Some(Ok(programs)) => programs.cached_answer(single, place),
            _ => None,
        }
    }

    /// Caches an answer for later equal requests.
    pub(crate) fn keep(
        fast: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        answer: impl FnOnce() -> AnswerTemplate,
    ) {
        if let Some(Ok(programs)) = &fast.0 {
            programs.keep(question, directory, answer);
        }
    }

    /// Returns the allow bit of the compiled policies, or `None` if they cannot answer.
    #[inline]
    pub(crate) fn fast_check(
        &self,
        fast: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Option<bool>, Error> {
        match (&self.kind, &fast.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(programs))) => {
                Ok(programs.check(bundle, question, directory, quota))
            }
            (PolicyEngine::Plain(plain), _) => plain.check(question).map(Some),
            _ => Ok(self
                .fast(fast, question, directory, quota)?
                .map(|verdict| verdict.allowed)),
        }
    }

    /// Returns the actions whose schema lists these types, in order of their names.
    pub(crate) fn actions_for(&self, principal: &str, resource: &str) -> Vec<EntityRef> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => {
                let fits = bundle.names.actions.iter().filter(|(_, action)| {
                    action.principals.contains(principal) && action.resources.contains(resource)
                });
                fits.map(|(name, _)| EntityRef::new("Action", name))
                    .collect()
            }
            PolicyEngine::Plain(plain) => plain.actions_for(principal, resource),
        }
    }
}
