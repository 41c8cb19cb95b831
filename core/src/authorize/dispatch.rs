//! Forwards a request to the evaluator of the loaded policies.

use super::plain::CedarEvaluator;
use super::tenant::{Answer, AnswerRange, TenantEvaluator};
use super::{LoadedPolicies, PolicyEngine, TenantPrograms};
use crate::api::request::Request;
use crate::api::request_ref::RequestRef;
use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::bundle::Bundle;
use crate::cedar::request::{CedarQuery, VALUE_DEPTH};
use crate::directory::Directory;
use crate::model::limit::QuotaFacts;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::stack;

/// The evaluator of the loaded policies over one version of the directory.
#[derive(Clone, Copy)]
pub(crate) enum PolicyEvaluator<'p> {
    /// A tenant bundle. Without a [`TenantEvaluator`], Cedar evaluates it.
    Tenancy(Option<&'p TenantEvaluator>, &'p Bundle, &'p Directory),
    Plain(&'p CedarEvaluator),
}

impl LoadedPolicies {
    #[inline(always)]
    pub(crate) fn evaluator<'p>(
        &'p self,
        programs: &'p TenantPrograms,
        directory: &'p Directory,
    ) -> PolicyEvaluator<'p> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => {
                PolicyEvaluator::Tenancy(programs.evaluator(), bundle, directory)
            }
            PolicyEngine::Plain(plain) => PolicyEvaluator::Plain(plain),
        }
    }
}

impl<'p> PolicyEvaluator<'p> {
    /// Returns the Cedar query for `request`, or its denial if a look-up fails.
    pub(crate) fn build_cedar_query(
        self,
        request: &Request,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<CedarQuery, Error> {
        match self {
            Self::Tenancy(_, bundle, directory) => stack::run(VALUE_DEPTH, || {
                bundle.to_cedar_query(request, directory, quota)
            }),
            Self::Plain(plain) => plain.build_cedar_query(request),
        }
    }

    /// Returns whether the compiled policies allow the request. Returns `None` if they cannot
    /// answer; the caller then asks Cedar.
    #[inline(always)]
    pub(crate) fn check(self, question: &RequestRef<'_>) -> Result<Option<bool>, Error> {
        match self {
            Self::Tenancy(tenant, bundle, directory) => {
                Ok(tenant.and_then(|tenant| tenant.check(bundle, question, directory)))
            }
            Self::Plain(plain) => plain.check(question).map(Some),
        }
    }

    /// Returns the allow bit of a tenant bundle for a request that has nothing to validate.
    #[inline(always)]
    pub(crate) fn quick_check(self, question: &RequestRef<'_>) -> Option<bool> {
        match self {
            Self::Tenancy(Some(tenant), bundle, directory) if question.is_simple() => {
                tenant.check(bundle, question, directory)
            }
            _ => None,
        }
    }

    /// Returns the cached or computed answer of a tenant bundle for a request that has nothing to
    /// validate.
    #[inline(always)]
    pub(crate) fn quick_answer(self, question: &RequestRef<'_>) -> Option<Answer<'p>> {
        match self {
            Self::Tenancy(Some(tenant), bundle, directory) if question.is_simple() => {
                tenant.answer(bundle, question, directory, None, None)
            }
            _ => None,
        }
    }

    /// Returns the answer of the compiled policies. If `range` is given, also stores the usage at
    /// which it stays the same. Returns `None` as [`PolicyEvaluator::check`] does.
    pub(crate) fn answer(
        self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
        range: Option<&mut Option<AnswerRange>>,
    ) -> Result<Option<Answer<'p>>, Error> {
        match self {
            Self::Tenancy(tenant, bundle, directory) => {
                let ask = |tenant: &'p TenantEvaluator| {
                    tenant.answer(bundle, question, directory, quota, range)
                };
                Ok(tenant.and_then(ask))
            }
            Self::Plain(plain) => Ok(Some(Answer::Evaluated(Box::new(plain.judge(question)?)))),
        }
    }

    /// Returns the answer to a request without a meter, and reads and writes no cached answer.
    pub(crate) fn evaluate(self, question: &RequestRef<'_>) -> Result<Option<CedarOutcome>, Error> {
        match self {
            Self::Tenancy(tenant, bundle, directory) => {
                Ok(tenant.and_then(|tenant| tenant.evaluate(bundle, question, directory)))
            }
            Self::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// Returns the actions whose schema lists these types, in order of their names.
    pub(crate) fn actions_for(self, principal: &str, resource: &str) -> Vec<EntityRef> {
        match self {
            Self::Tenancy(_, bundle, _) => {
                let fits = bundle.names.actions.iter().filter(|(_, action)| {
                    action.principals.contains(principal) && action.resources.contains(resource)
                });
                fits.map(|(name, _)| EntityRef::new("Action", name))
                    .collect()
            }
            Self::Plain(plain) => plain.actions_for(principal, resource),
        }
    }

    /// Compiles the kinds of request that were in use before a reload. All others are compiled at
    /// their first request.
    pub(crate) fn compile_used(self, before: &TenantPrograms) {
        if let (Self::Tenancy(Some(tenant), bundle, directory), Some(before)) =
            (self, before.evaluator())
        {
            tenant.compile_like(before, bundle, directory);
        }
    }
}
