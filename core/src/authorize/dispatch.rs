//! Which evaluator answers a request.

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
    /// The Cedar question that `request` is, or its answer where a look-up fails.
    pub(crate) fn asked(
        &self,
        request: &Request,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<CedarQuery, Error> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => {
                stack::run(VALUE_DEPTH, || bundle.asked(request, directory, quota))
            }
            PolicyEngine::Plain(plain) => plain.asked(request),
        }
    }

    /// The answer of a plain program.
    pub(crate) fn fast_plain(
        &self,
        question: &RequestRef<'_>,
    ) -> Result<Option<CedarOutcome>, Error> {
        match &self.kind {
            PolicyEngine::Tenancy(_) => Ok(None),
            PolicyEngine::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// The answer of the compiled policies, where they can answer: else Cedar is to be asked.
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

    /// The allow bit from single bits, where a plan says it.
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

    /// The answer, where the same was given before.
    #[inline]
    pub(crate) fn recalled<'f>(
        fast: &'f TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<&'f AnswerTemplate> {
        match &fast.0 {
            Some(Ok(programs)) => programs.recalled(question, directory),
            _ => None,
        }
    }

    /// The answer of so much of a meter, where it is the one without that was given before, with
    /// how long it stays so. `unknown` says it was not given yet.
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

    /// What is asked by an account for itself of the one meter of an action.
    #[inline]
    pub(crate) fn single<'f>(
        fast: &'f TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'f>> {
        match &fast.0 {
            Some(Ok(programs)) => programs.self_consume(question, directory),
            _ => None,
        }
    }

    /// The answer that was given during a silence.
    #[inline]
    pub(crate) fn silent<'f>(
        fast: &'f TenantPrograms,
        single: &SelfConsume<'_>,
        place: u8,
    ) -> Option<&'f AnswerTemplate> {
        match &fast.0 {
            Some(Ok(programs)) => programs.cached_answer(single, place),
            _ => None,
        }
    }

    /// Keeps an answer that was given, for the next that is the same.
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

    /// The allow bit of the compiled policies' answer, where they can answer.
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

    /// The actions whose schema names these types, by name.
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
