//! Evaluates requests with Cedar, and names the answer (E1, E2).

use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision as Cedar, Entities, PolicySet, Request,
};

use super::policy_list::{PolicyEffect, PolicyList};
use super::request::CedarRequest;
use crate::api::decision::PolicyAnswer;
use crate::model::answer_code::AnswerCode;
use crate::util::error::Error;
use crate::util::stack;

/// Cedar's answer with its code. Positions are those in [`PolicyList::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CedarOutcome {
    pub(crate) allowed: bool,
    pub(crate) code: Arc<str>,
    /// Cedar's determining policies, in gate order.
    pub(crate) policies: Vec<usize>,
    /// Warnings that apply to an allowed request, in gate order.
    pub(crate) warnings: Vec<usize>,
    /// Policies that failed, in gate order, with Cedar's messages.
    pub(crate) errors: Vec<(usize, String)>,
}

/// Cedar's result for the policies of one effect.
#[derive(Debug, Default)]
pub(crate) struct EffectMatches {
    pub(crate) holding: Vec<usize>,
    pub(crate) erring: Vec<(usize, String)>,
}

impl PolicyList {
    /// Converts an outcome to an answer, without its errors.
    pub(crate) fn answer(&self, verdict: &CedarOutcome) -> PolicyAnswer {
        let rules = || verdict.policies.iter().filter_map(|at| self.list.get(*at));
        let mut advice: Vec<Arc<str>> = Vec::new();
        let warnings = verdict.warnings.iter().filter_map(|at| self.list.get(*at));
        for word in rules().chain(warnings).flat_map(|rule| &rule.advice) {
            if !advice.contains(word) {
                advice.push(Arc::clone(word));
            }
        }
        PolicyAnswer {
            allowed: verdict.allowed,
            code: Arc::clone(&verdict.code),
            policies: rules().map(|rule| Arc::clone(&rule.id)).collect(),
            advice,
        }
    }

    /// Evaluates all policies for one request.
    pub(crate) fn authorize_with_cedar(
        &self,
        request: &Request,
        entities: &Entities,
    ) -> Result<CedarOutcome, Error> {
        stack::run(self.depth, || {
            let deciding = self
                .apart
                .as_ref()
                .map_or(&self.set, |[deciding, _]| deciding);
            let response = Authorizer::new().is_authorized(request, deciding, entities);
            let mut policies: Vec<usize> = self.positions(response.diagnostics().reason());
            policies.sort_unstable();
            let mut errors: Vec<(usize, String)> = response
                .diagnostics()
                .errors()
                .filter_map(|error| self.erring(error))
                .collect();
            let mut warnings = Vec::new();
            if let Some([_, warning]) = &self.apart {
                let warned = Authorizer::new().is_authorized(request, warning, entities);
                warnings = self.positions(warned.diagnostics().reason());
                warnings.sort_unstable();
                errors.extend(
                    warned
                        .diagnostics()
                        .errors()
                        .filter_map(|error| self.erring(error)),
                );
            }
            errors.sort();
            let allowed = response.decision() == Cedar::Allow && errors.is_empty();
            if !allowed {
                warnings.clear();
            }
            let permitted = || {
                Authorizer::new()
                    .is_authorized(request, &self.permits, entities)
                    .decision()
                    == Cedar::Allow
            };
            let code = self.name(&policies, !errors.is_empty(), permitted);
            Ok(CedarOutcome {
                allowed,
                code,
                policies,
                warnings,
                errors,
            })
        })
    }

    /// Evaluates a set of policies separately. Returns the policies that hold, and those that fail
    /// with Cedar's messages.
    pub(crate) fn ask(
        &self,
        set: &PolicySet,
        question: &CedarRequest,
    ) -> Result<EffectMatches, Error> {
        if set.is_empty() {
            return Ok(EffectMatches::default());
        }
        stack::run(self.depth, || {
            let response =
                Authorizer::new().is_authorized(&question.request, set, &question.entities);
            let holding = self.positions(response.diagnostics().reason());
            Ok(EffectMatches {
                holding,
                erring: response
                    .diagnostics()
                    .errors()
                    .filter_map(|error| self.erring(error))
                    .collect(),
            })
        })
    }

    fn positions<'a>(&self, ids: impl Iterator<Item = &'a cedar_policy::PolicyId>) -> Vec<usize> {
        ids.filter_map(|id| self.position.get(id).copied())
            .collect()
    }

    fn erring(&self, error: &AuthorizationError) -> Option<(usize, String)> {
        let AuthorizationError::PolicyEvaluationError(fault) = error;
        let position = self.position.get(fault.policy_id()).copied()?;
        Some((position, fault.inner().to_string()))
    }

    /// Returns the code of an answer (E1). A denial gets the code of the first forbid that holds.
    /// If that forbid comes after the last permit, the code is `not_permitted` unless a permit
    /// holds. So late forbids only name the denial of requests that are otherwise permitted. The
    /// code is `policy_error` only if Cedar would have allowed (E2): a failing policy never changes
    /// the code of a denial.
    pub(crate) fn name(
        &self,
        determining: &[usize],
        erred: bool,
        permitted: impl FnOnce() -> bool,
    ) -> Arc<str> {
        let first = determining
            .first()
            .and_then(|at| Some((*at, self.list.get(*at)?)));
        let Some((at, rule)) = first else {
            return AnswerCode::NotPermitted.into();
        };
        if rule.role == PolicyEffect::Permit {
            return if erred {
                AnswerCode::PolicyError
            } else {
                AnswerCode::Ok
            }
            .into();
        }
        if self.last_permit.is_some_and(|last| at > last) && !permitted() {
            return AnswerCode::NotPermitted.into();
        }
        rule.code
            .clone()
            .unwrap_or_else(|| AnswerCode::Forbidden.into())
    }
}
