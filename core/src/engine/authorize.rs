//! `authorize`, `check` and their batch forms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::cached_grant::GrantCandidate;
use super::{Engine, Snapshot};
use crate::api::decision::{CompactDecision, Decision, PlainDecision, PolicyAnswer, PolicyFailure};
use crate::api::request_ref::{PrincipalRef, RequestRef};
use crate::authorize::dispatch::PolicyEvaluator;
use crate::authorize::tenant::Answer;
use crate::cedar::authorizer::CedarOutcome;
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
    #[inline]
    pub fn authorize<'a>(&self, question: impl Into<RequestRef<'a>>) -> Result<Decision, Error> {
        self.authorize_ref(&question.into())
    }

    /// Takes the request by reference, because moving it costs a tenth of the decision.
    fn authorize_ref(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        match self.ask_current(question, |state| state.quick_answer(question)) {
            Some(answer) => Ok(answer.into()),
            None => self.authorize_any(question),
        }
    }

    /// Decides any request, under telemetry if it is on. If it is off, a quick answer was looked
    /// for before.
    #[inline(never)]
    fn authorize_any(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        if self.telemetry.is_disabled() {
            return catch_panic(|| self.current()?.authorize_fully(question));
        }
        self.observe("authorize", question, || {
            catch_panic(|| self.current()?.authorize(question))
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

    /// Takes the request by reference, as [`Engine::authorize_ref`] does.
    fn check_ref(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        match self.ask_current(question, |state| state.quick_check(question)) {
            Some(allowed) => Ok(allowed),
            None if self.telemetry.is_disabled() => catch_panic(|| self.current()?.check(question)),
            None => self.check_observed(question),
        }
    }

    /// Returns what `ask` finds in the current version for a simple request. Most decisions end
    /// here, without the cost of moving a large error type. Returns `None` if telemetry is on, if
    /// the version is not current, and after a panic, which occurs again where it is reported.
    #[inline(always)]
    fn ask_current<T>(
        &self,
        question: &RequestRef<'_>,
        ask: impl FnOnce(&Snapshot) -> Option<T>,
    ) -> Option<T> {
        if !self.telemetry.is_disabled() || !question.is_simple() {
            return None;
        }
        let asked = AssertUnwindSafe(|| {
            let state = self.current.load();
            if state.is_current() {
                ask(&state)
            } else {
                None
            }
        });
        catch_unwind(asked).ok().flatten()
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
                .quick_check(question)
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

/// Returns the login that acts as the principal, if there is one.
fn acting_login<'q>(question: &RequestRef<'q>) -> Option<ActingLogin<'q>> {
    let actor = question.environment?.actor.as_ref()?;
    Some((actor, question.principal))
}

/// Returns the decision with the login that acts, and the one that it acts as.
fn with_logins(decision: Decision, acting: Option<ActingLogin<'_>>) -> Decision {
    let (actor, subject) = acting
        .map(|(actor, subject)| (Arc::new(actor.clone()), Arc::new(subject.to_ref())))
        .unzip();
    Decision {
        actor,
        subject,
        ..decision
    }
}

impl Snapshot {
    pub(super) fn authorize(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        if let Some(answer) = self.quick_answer(question) {
            return Ok(answer.into());
        }
        self.authorize_fully(question)
    }

    /// Decides any request without a look for its quick answer.
    fn authorize_fully(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        match self.decide_metered(question)? {
            Some(decision) => Ok(decision),
            None => self.decide(question, None),
        }
    }

    /// Returns the evaluator of this version.
    #[inline(always)]
    pub(super) fn evaluator(&self) -> PolicyEvaluator<'_> {
        self.loaded
            .evaluator(&self.tenant_programs, &self.directory)
    }

    /// Returns the answer of the compiled policies to a simple request.
    #[inline(always)]
    fn quick_answer(&self, question: &RequestRef<'_>) -> Option<CompactDecision> {
        match self.evaluator().quick_answer(question)? {
            Answer::Cached(answer) => Some(CompactDecision::Plain(self.plain_decision(answer))),
            Answer::Evaluated(outcome) => {
                let decided = self.decide_outcome(question, None, *outcome);
                decided.ok().map(Box::new).map(CompactDecision::Whole)
            }
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

    /// Decides a request like [`Snapshot::decide`]. If `grant` is given, also stores the usage at
    /// which the answer stays the same. The next consume can then skip the policies. Leaves `grant`
    /// empty if that cannot be proved.
    pub(super) fn decide_with_grant(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
        grant: Option<&mut Option<GrantCandidate>>,
    ) -> Result<Decision, Error> {
        question.validate()?;
        let mut range = None;
        let wanted = grant.is_some().then_some(&mut range);
        match self.evaluator().answer(question, quota, wanted)? {
            Some(Answer::Cached(answer)) => {
                if let (Some(grant), Some(quota)) = (grant, quota) {
                    *grant = range.map(|range| GrantCandidate::new(range, quota));
                }
                let decision = self.plain_decision(answer).into();
                Ok(with_logins(decision, acting_login(question)))
            }
            Some(Answer::Evaluated(outcome)) => self.decide_outcome(question, quota, *outcome),
            None => self.decide_with_cedar(question, quota),
        }
    }

    /// Decides a request without an amount, without reading or writing cached answers.
    pub(super) fn decide_uncached(&self, question: &RequestRef<'_>) -> Result<Decision, Error> {
        question.validate()?;
        match self.evaluator().evaluate(question)? {
            Some(outcome) => self.decide_outcome(question, None, outcome),
            None => self.decide_with_cedar(question, None),
        }
    }

    fn decide_with_cedar(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Decision, Error> {
        let request = question.to_owned_request()?;
        let query = self.evaluator().build_cedar_query(&request, quota)?;
        self.decide_query(acting_login(question), &query)
    }

    /// Returns the decision of an outcome, with the messages of its errors.
    fn decide_outcome(
        &self,
        question: &RequestRef<'_>,
        quota: Option<&QuotaFacts<'_>>,
        mut verdict: CedarOutcome,
    ) -> Result<Decision, Error> {
        let acting = acting_login(question);
        if !verdict.errors.is_empty()
            && let CedarQuery::Query(question) = self
                .evaluator()
                .build_cedar_query(&question.to_owned_request()?, quota)?
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

    #[inline]
    fn quick_check(&self, question: &RequestRef<'_>) -> Option<bool> {
        self.evaluator().quick_check(question)
    }

    pub(super) fn check(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        if let Some(allowed) = self.check_metered(question)? {
            return Ok(allowed);
        }
        question.validate()?;
        if let Some(allowed) = self.evaluator().check(question)? {
            return Ok(allowed);
        }
        let request = question.to_owned_request()?;
        let query = self.evaluator().build_cedar_query(&request, None)?;
        Ok(self.evaluate_query(&query)?.allowed)
    }

    fn evaluate_query(&self, query: &CedarQuery) -> Result<CedarOutcome, Error> {
        match query {
            CedarQuery::Denied(code) => Ok(CedarOutcome {
                allowed: false,
                code: (*code).into(),
                policies: Vec::new(),
                warnings: Vec::new(),
                errors: Vec::new(),
            }),
            CedarQuery::Query(question) => self
                .loaded
                .rules()
                .authorize_with_cedar(&question.request, &question.entities),
        }
    }

    pub(super) fn decide_query(
        &self,
        acting: Option<ActingLogin<'_>>,
        query: &CedarQuery,
    ) -> Result<Decision, Error> {
        Ok(self.decision(acting, &self.evaluate_query(query)?))
    }

    /// Returns the decision of this version with this answer.
    #[inline(always)]
    pub(super) fn plain_decision(&self, answer: &Arc<PolicyAnswer>) -> PlainDecision {
        PlainDecision {
            answer: Arc::clone(answer),
            revision: self.directory.revision(),
            bundle: self.loaded.fingerprint,
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
        let decision = Decision {
            errors: errors.collect(),
            ..self.plain_decision(&Arc::new(rules.answer(verdict))).into()
        };
        with_logins(decision, acting)
    }
}
