//! `authorize`, `check`, their forms for many, and `explain`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::cached_grant::Heard;
use super::{Engine, State};
use crate::api::decision::{Decision, Explanation, PolicyFailure};
use crate::api::request::Request;
use crate::api::request_ref::{Of, Question, Who};
use crate::authorize::Loaded;
use crate::cedar::authorizer::{Answer, Verdict};
use crate::cedar::request::Asked;
use crate::model::limit::QuotaFacts;
use crate::model::reference::Ref;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// Who acts, and as whom (A1).
type Acting<'a> = (&'a Ref, Who<'a>);

impl Engine {
    /// Whether `request` is allowed, and under which code. Takes nothing from any limit.
    ///
    /// An unknown principal, account or host is a denial with its own code (E1), not an error.
    ///
    /// # Errors
    /// The `input.*` codes, for a request that is malformed.
    pub fn authorize<'a>(&self, question: impl Into<Question<'a>>) -> Result<Decision, Error> {
        let question = question.into();
        self.watched("authorize", &question, || {
            catch_panic(|| self.current()?.authorize(&question))
        })
    }

    /// The allow bit of [`Engine::authorize`].
    ///
    /// # Errors
    /// As [`Engine::authorize`].
    #[inline]
    pub fn check<'a>(&self, question: impl Into<Question<'a>>) -> Result<bool, Error> {
        self.check_lent(&question.into())
    }

    /// The question lent, not moved: it is larger than what is done with it costs.
    fn check_lent(&self, question: &Question<'_>) -> Result<bool, Error> {
        if !self.hub.is_off() {
            return self.check_watched(question);
        }
        // Most questions end here, without the size of an error in the way. A panic is met again below, and told.
        match catch_unwind(AssertUnwindSafe(|| self.planned(question))) {
            Ok(Some(allowed)) => Ok(allowed),
            _ => catch_panic(|| self.current()?.check(question)),
        }
    }

    /// Who is told of an answer is told its code.
    #[cold]
    fn check_watched(&self, question: &Question<'_>) -> Result<bool, Error> {
        self.watched("check", question, || {
            catch_panic(|| self.current()?.authorize(question))
        })
        .map(|decision| decision.allowed)
    }

    /// The allow bit, where a plan of the version in force says it.
    #[inline]
    fn planned(&self, question: &Question<'_>) -> Option<bool> {
        let state = self.state.load();
        if state.is_fresh() {
            state.planned(question)
        } else {
            None
        }
    }

    /// The decisions on many requests, all from one version of policies and directory, in their order.
    ///
    /// # Errors
    /// [`Error::Item`] with the index of the first request that is malformed; then none is answered.
    pub fn authorize_many<'a, Q>(&self, questions: &'a [Q]) -> Result<Vec<Decision>, Error>
    where
        &'a Q: Into<Question<'a>>,
    {
        self.many(questions, |state, question| {
            self.watched("authorize_many", question, || state.authorize(question))
        })
    }

    /// The allow bits of [`Engine::authorize_many`].
    ///
    /// # Errors
    /// As [`Engine::authorize_many`].
    pub fn check_many<'a, Q>(&self, questions: &'a [Q]) -> Result<Vec<bool>, Error>
    where
        &'a Q: Into<Question<'a>>,
    {
        if !self.hub.is_off() {
            let watched = |state: &State, question: &Question<'a>| {
                self.watched("check_many", question, || state.authorize(question))
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

    /// Why the answer is what it is: for each policy that could apply, whether it did, the facts that it read, and the
    /// condition that failed.
    ///
    /// # Errors
    /// As [`Engine::authorize`].
    pub fn explain(&self, request: &Request) -> Result<Explanation, Error> {
        catch_panic(|| {
            let state = self.current()?;
            Question::from(request).check_size()?;
            let explained = |quota: Option<&QuotaFacts<'_>>| match state.loaded.asked(
                request,
                &state.directory,
                quota,
            )? {
                Asked::Cedar(question) => state
                    .loaded
                    .rules()
                    .explain(&question.request, &question.entities),
                Asked::Answered(_) => Ok(Vec::new()),
            };
            // Of several meters the one that is refused is explained, or the last.
            let (decision, policies) = match state.counted_with(&request.into(), &explained)? {
                Some((decision, Some(policies))) => (decision, policies),
                Some((decision, None)) => (decision, explained(None)?),
                None => (state.authorize(&request.into())?, explained(None)?),
            };
            Ok(Explanation { decision, policies })
        })
    }

    fn many<'a, Q, T>(
        &self,
        questions: &'a [Q],
        ask: impl Fn(&State, &Question<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        &'a Q: Into<Question<'a>>,
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

impl State {
    pub(super) fn authorize(&self, question: &Question<'_>) -> Result<Decision, Error> {
        if let Some(answer) = Loaded::recalled(&self.fast, question, &self.directory) {
            return Ok(self.told(answer.clone()));
        }
        match self.counted(question)? {
            Some(decision) => Ok(decision),
            None => self.decided(question, None),
        }
    }

    /// The decision, of so much of a meter.
    pub(super) fn decided(
        &self,
        question: &Question<'_>,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Decision, Error> {
        self.decided_hearing(question, quota, None)
    }

    /// The same; `heard`, where somebody wants to know it, is for how long the policies about limits stay silent, where they are
    /// and it can be known.
    pub(super) fn decided_hearing(
        &self,
        question: &Question<'_>,
        quota: Option<&QuotaFacts<'_>>,
        heard: Option<&mut Option<Heard>>,
    ) -> Result<Decision, Error> {
        question.resource.account.map(Of::account).transpose()?;
        question.check_size()?;
        if let Some(quota) = quota {
            let mut unknown = false;
            if let Some((answer, silence)) = Loaded::metered(
                &self.fast,
                question,
                &self.directory,
                quota,
                heard.is_some(),
                &mut unknown,
            ) {
                if let Some(heard) = heard {
                    *heard = silence.map(|silence| Heard::of(silence, quota));
                }
                return Ok(self.told(answer.clone()));
            }
            if unknown {
                // The next is answered by this one.
                return self.decided(question, None);
            }
        }
        self.judged(question, quota, quota.is_none())
    }

    /// The decision on a request without an amount, which is neither remembered nor taken from what is.
    pub(super) fn decided_anew(&self, question: &Question<'_>) -> Result<Decision, Error> {
        self.judged(question, None, false)
    }

    /// The policies' decision; the answer is remembered if that is said.
    fn judged(
        &self,
        question: &Question<'_>,
        quota: Option<&QuotaFacts<'_>>,
        is_remembered: bool,
    ) -> Result<Decision, Error> {
        let acting = question
            .with
            .and_then(|with| with.actor.as_ref())
            .map(|actor| (actor, question.principal));
        if let Some(verdict) = self.loaded.fast_plain(question)? {
            return Ok(self.decision(acting, &verdict));
        }
        let Some(mut verdict) = self
            .loaded
            .fast(&self.fast, question, &self.directory, quota)?
        else {
            return self.decide(
                acting,
                &self
                    .loaded
                    .asked(&question.to_request()?, &self.directory, quota)?,
            );
        };
        if verdict.errors.is_empty() {
            if is_remembered {
                Loaded::keep(&self.fast, question, &self.directory, || {
                    self.loaded.rules().answer(&verdict)
                });
            }
        } else if let Asked::Cedar(question) =
            self.loaded
                .asked(&question.to_request()?, &self.directory, quota)?
        {
            // Cedar has the words for an error.
            let judged = self
                .loaded
                .rules()
                .judge(&question.request, &question.entities)?;
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

    /// The allow bit, where a plan says it.
    #[inline]
    fn planned(&self, question: &Question<'_>) -> Option<bool> {
        Loaded::planned(&self.fast, question, &self.directory)
    }

    pub(super) fn check(&self, question: &Question<'_>) -> Result<bool, Error> {
        if let Some(decision) = self.counted(question)? {
            return Ok(decision.allowed);
        }
        question.resource.account.map(Of::account).transpose()?;
        question.check_size()?;
        if let Some(allowed) =
            self.loaded
                .fast_check(&self.fast, question, &self.directory, None)?
        {
            return Ok(allowed);
        }
        match self
            .loaded
            .asked(&question.to_request()?, &self.directory, None)?
        {
            Asked::Answered(_) => Ok(false),
            Asked::Cedar(question) => Ok(self
                .loaded
                .rules()
                .judge(&question.request, &question.entities)?
                .allowed),
        }
    }

    pub(super) fn decide(
        &self,
        acting: Option<Acting<'_>>,
        asked: &Asked,
    ) -> Result<Decision, Error> {
        let verdict = match asked {
            Asked::Answered(code) => Verdict {
                allowed: false,
                code: (*code).into(),
                policies: Vec::new(),
                warnings: Vec::new(),
                errors: Vec::new(),
            },
            Asked::Cedar(question) => self
                .loaded
                .rules()
                .judge(&question.request, &question.entities)?,
        };
        Ok(self.decision(acting, &verdict))
    }

    /// An answer of this version, without errors, to one that acts for himself.
    pub(super) fn told(
        &self,
        Answer {
            allowed,
            code,
            policies,
            advice,
        }: Answer,
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

    fn decision(&self, acting: Option<Acting<'_>>, verdict: &Verdict) -> Decision {
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
            ..self.told(rules.answer(verdict))
        }
    }
}
