//! `authorize`, `check` and their batch forms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::cached_grant::GrantCandidate;
use super::{Engine, Snapshot};
use crate::api::decision::{Decision, PolicyFailure};
use crate::api::request_ref::{PrincipalRef, RequestRef};
use crate::authorize::LoadedPolicies;
use crate::cedar::authorizer::{AnswerTemplate, CedarOutcome};
use crate::cedar::request::CedarQuery;
use crate::model::limit::QuotaFacts;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The login that acts, and the account that it acts as (A1).
type ActingLogin<'a> = (&'a EntityRef, PrincipalRef<'a>);

impl Engine {
    /// Returns whether `request` is allowed, and the decision's code. Consumes nothing from any
    /// limit.
    ///
    /// An unknown principal, account or host is a denial with its own code (E1), not an error.
    ///
    /// # Errors
    /// Fails with the `input.*` codes if the request is malformed.
    pub fn authorize<'a>(&self, question: impl Into<RequestRef<'a>>) -> Result<Decision, Error> {
        let question = question.into();
        self.observe("authorize", &question, || {
            catch_panic(|| self.current()?.authorize(&question))
        })
    }

    /// Returns the allow bit of [`Engine::authorize`].
    ///
    /// # Errors
    /// Fails with the same errors as [`Engine::authorize`].
    #[inline]
    pub fn check<'a>(&self, question: impl Into<RequestRef<'a>>) -> Result<bool, Error> {
        self.check_ref(&question.into())
    }

    /// Takes the request by reference, because moving it would cost more than the check itself.
    fn check_ref(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        if !self.telemetry.is_disabled() {
            return self.check_observed(question);
        }
        // Most requests end here, without the cost of a large error type. A panic occurs again
        // below, where it is reported.
        match catch_unwind(AssertUnwindSafe(|| self.planned(question))) {
            Ok(Some(allowed)) => Ok(allowed),
            _ => catch_panic(|| self.current()?.check(question)),
        }
    }

    /// Returns the allow bit of the full decision. Used if telemetry is on, because events need the
    /// decision code.
    #[cold]
    fn check_observed(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        self.observe("check", question, || {
            catch_panic(|| self.current()?.authorize(question))
        })
        .map(|decision| decision.allowed)
    }

    /// Returns the allow bit if a plan of the current version decides it.
    #[inline]
    fn planned(&self, question: &RequestRef<'_>) -> Option<bool> {
        let state = self.current.load();
        if state.is_current() {
            state.planned(question)
        } else {
            None
        }
    }

    /// Decides many requests on one version of policies and directory, in their order.
    ///
    /// # Errors
    /// Fails with [`Error::Item`] and the index of the first malformed request. No request is
    /// decided then.
    pub fn authorize_many<'a, Q>(&self, questions: &'a [Q]) -> Result<Vec<Decision>, Error>
    where
        &'a Q: Into<RequestRef<'a>>,
    {
        self.many(questions, |state, question| {
            self.observe("authorize_many", question, || state.authorize(question))
        })
    }

    /// Returns the allow bits of [`Engine::authorize_many`].
    ///
    /// # Errors
    /// Fails with the same errors as [`Engine::authorize_many`].
    pub fn check_many<'a, Q>(&self, questions: &'a [Q]) -> Result<Vec<bool>, Error>
    where
        &'a Q: Into<RequestRef<'a>>,
    {
        if !self.telemetry.is_disabled() {
            let watched = |state: &Snapshot, question: &RequestRef<'a>| {
                self.observe("check_many", question, || state.authorize(question))
            };
            return self.many(questions, |state, question| {
                watched(state, question).map(|decision| decision.allowed)
            });
        }
        self.many(questions, |state, question| {
            state
                .planned(question)
                .map_or_else(|| state.check(question), Ok)
        })
    }

    fn many<'a, Q, T>(
        &self,
        questions: &'a [Q],
        ask: impl Fn(&Snapshot, &RequestRef<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        &'a Q: Into<RequestRef<'a>>,
    {
        catch_panic(|| {
            let state = self.current()?;
            let mut answers = Vec::with_capacity(questions.len());
            for (index, question) in questions.iter().enumerate() {
                answers.push(ask(&state, &question.into()).map_err(|error| match error {
                    Error::Panic { .. } => error,
                    other => Error::Item {
                        index,
                        code: other.code(),
                        reason: other.to_string(),
                    },
                })?);
            }
            Ok(answers)
        })
    }
}

impl Snapshot {
    pub(super) fn authorize(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        if let Some(answer) =
            LoadedPolicies::find_cached_answer(&self.tenant_programs, question, &self.directory)
        {
            return Ok(self.to_decision(answer.clone()));
        }
        match self.decide_metered(question)? {
            Some(decision) => Ok(decision),
            None => self.decide(question, None),
        }
    }

    /// Decides a request, with the amount of a meter if there is one.
    pub(super) fn decide(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Decision, Error> {
        self.decide_with_grant(question, quota, None)
    }

    /// Decides a request like [`Snapshot::decide`]. If `grant` is given, also stores the range of
    /// usage for which no limit policy would apply. The next consume can then skip the policies.
    /// Leaves `grant` empty if the range cannot be proved.
    pub(super) fn decide_with_grant(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
        grant: Option<&mut Option<GrantCandidate>>,
    ) -> Result<Decision, Error> {
        question.validate()?;
        if let Some(quota) = quota {
            let mut unknown = false;
            if let Some((answer, silence)) = LoadedPolicies::metered(
                &self.tenant_programs,
                question,
                &self.directory,
                quota,
                grant.is_some(),
                &mut unknown,
            ) {
                if let Some(grant) = grant {
                    *grant = silence.map(|silence| GrantCandidate::new(silence, quota));
                }
                return Ok(self.to_decision(answer.clone()));
            }
            if unknown {
                // The answer without the quota is cached here, and the next request is answered
                // from it.
                return self.decide(question, None);
            }
        }
        self.judged(question, quota, quota.is_none())
    }

    /// Decides a request without an amount, without reading or writing cached answers.
    pub(super) fn decide_uncached(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        self.judged(question, None, false)
    }

    /// Decides a request by the policies, and caches the answer if `is_remembered`.
    fn judged(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
        is_remembered: bool,
    ) -> Result<Decision, Error> {
        let acting = question
            .environment
            .and_then(|environment| environment.actor.as_ref())
            .map(|actor| (actor, question.principal));
        if let Some(verdict) = self.loaded.fast_plain(question)? {
            return Ok(self.decision(acting, &verdict));
        }
        let Some(mut verdict) =
            self.loaded
                .fast(&self.tenant_programs, question, &self.directory, quota)?
        else {
            return self.decide_query(
                acting,
                &self.loaded.build_cedar_query(
                    &question.to_owned_request()?,
                    &self.directory,
                    quota,
                )?,
            );
        };
        if verdict.errors.is_empty() {
            if is_remembered {
                LoadedPolicies::keep(&self.tenant_programs, question, &self.directory, || {
                    self.loaded.rules().answer(&verdict)
                });
            }
        } else if let CedarQuery::Query(question) =
            self.loaded
                .build_cedar_query(&question.to_owned_request()?, &self.directory, quota)?
        {
            // Only Cedar provides the error message.
            let judged = self
                .loaded
                .rules()
                .authorize_with_cedar(&question.request, &question.entities)?;
            for (at, message) in &mut verdict.errors {
                let words = judged.errors.iter().find(|(known, _)| known == at);
                *message = words.map_or_else(
                    || "evaluation failed".to_owned(),
                    |(_, words)| words.clone(),
                );
            }
        }
        Ok(self.decision(acting, &verdict))
    }

    /// Returns the allow bit if a plan decides it.
    #[inline]
    fn planned(&self, question: &RequestRef<'_>) -> Option<bool> {
        LoadedPolicies::planned(&self.tenant_programs, question, &self.directory)
    }

    pub(super) fn check(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        if let Some(decision) = self.decide_metered(question)? {
            return Ok(decision.allowed);
        }
        question.validate()?;
        if let Some(allowed) =
            self.loaded
                .fast_check(&self.tenant_programs, question, &self.directory, None)?
        {
            return Ok(allowed);
        }
        match self
            .loaded
            .build_cedar_query(&question.to_owned_request()?, &self.directory, None)?
        {
            CedarQuery::Denied(_) => Ok(false),
            CedarQuery::Query(question) => Ok(self
                .loaded
                .rules()
                .authorize_with_cedar(&question.request, &question.entities)?
                .allowed),
        }
    }

    pub(super) fn decide_query(
        &self,
        acting: Option<ActingLogin<'_>>,
        query: &CedarQuery,
    ) -> Result<Decision, Error> {
        let verdict = match query {
            CedarQuery::Denied(code) => CedarOutcome {
                allowed: false,
                code: (*code).into(),
                policies: Vec::new(),
                warnings: Vec::new(),
                errors: Vec::new(),
            },
            CedarQuery::Query(question) => self
                .loaded
                .rules()
                .authorize_with_cedar(&question.request, &question.entities)?,
        };
        Ok(self.decision(acting, &verdict))
    }

    /// Builds a decision of this version from an answer without errors and without an actor.
    pub(super) fn to_decision(
        &self,
        AnswerTemplate {
            allowed,
            code,
            policies,
            advice,
        }: AnswerTemplate,
    ) -> Decision {
        let (revision, bundle) = (
            self.directory.revision(),
            Arc::clone(&self.loaded.fingerprint),
        );
        Decision {
            allowed,
            code,
            policies,
            advice,
            errors: Vec::new(),
            actor: None,
            subject: None,
            revision,
            bundle,
            counted: None,
        }
    }

    fn decision(&self, acting: Option<ActingLogin<'_>>, verdict: &CedarOutcome) -> Decision {
        let rules = self.loaded.rules();
        let errors = verdict.errors.iter().filter_map(|(at, message)| {
            rules.list.get(*at).map(|rule| PolicyFailure {
                policy: Arc::clone(&rule.id),
                message: message.clone(),
            })
        });
        let (actor, subject) = acting
            .map(|(actor, subject)| (Arc::new(actor.clone()), Arc::new(subject.to_ref())))
            .unzip();
        Decision {
            errors: errors.collect(),
            actor,
            subject,
            ..self.to_decision(rules.answer(verdict))
        }
    }
}
