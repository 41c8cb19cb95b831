//! Forwards a request to the evaluator of the loaded policies.

use super::tenant::{Answer, AnswerRange};
use super::{LoadedPolicies, PolicyEngine, TenantPrograms};
use crate::api::request::Request;
use crate::api::request_ref::RequestRef;
use crate::cedar::authorizer::CedarOutcome;
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

    /// Returns whether the compiled policies allow the request. Returns `None` if they cannot
    /// answer; the caller then asks Cedar.
    #[inline]
    pub(crate) fn check(
        &self,
        programs: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Result<Option<bool>, Error> {
        match (&self.kind, &programs.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(tenant))) => {
                Ok(tenant.check(bundle, question, directory))
            }
            (PolicyEngine::Plain(plain), _) => plain.check(question).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the allow bit of a tenant bundle for a request that has nothing to validate.
    #[inline]
    pub(crate) fn quick_check(
        &self,
        programs: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        match (&self.kind, &programs.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(tenant))) if question.is_simple() => {
                tenant.check(bundle, question, directory)
            }
            _ => None,
        }
    }

    /// Returns the cached or computed answer of a tenant bundle for a request that has nothing to
    /// validate.
    #[inline]
    pub(crate) fn quick_answer<'p>(
        &self,
        programs: &'p TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<Answer<'p>> {
        match (&self.kind, &programs.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(tenant))) if question.is_simple() => {
                tenant.answer(bundle, question, directory, None, None)
            }
            _ => None,
        }
    }

    /// Returns the answer of the compiled policies. If `range` is given, also stores the usage at
    /// which it stays the same. Returns `None` as [`LoadedPolicies::check`] does.
    pub(crate) fn answer<'p>(
        &self,
        programs: &'p TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Result<Option<Answer<'p>>, Error> {
        match (&self.kind, &programs.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(tenant))) => {
                Ok(tenant.answer(bundle, question, directory, quota, range))
            }
            (PolicyEngine::Plain(plain), _) => {
                let outcome = plain.judge(question)?;
                Ok(Some(Answer::Evaluated(Box::new(outcome))))
            }
            _ => Ok(None),
        }
    }

    /// Returns the answer to a request without a meter, and reads and writes no cached answer.
    pub(crate) fn evaluate(
        &self,
        programs: &TenantPrograms,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Result<Option<CedarOutcome>, Error> {
        match (&self.kind, &programs.0) {
            (PolicyEngine::Tenancy(bundle), Some(Ok(tenant))) => {
                Ok(tenant.evaluate(bundle, question, directory))
            }
            (PolicyEngine::Plain(plain), _) => plain.judge(question).map(Some),
            _ => Ok(None),
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
