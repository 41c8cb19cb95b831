//! Questions about an amount: what a consume of it would answer.

use super::Snapshot;
use super::cached_grant::{FastConsume, FoundGrant};
use super::quota_request::{QuotaRequest, QuotaTarget};
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::Decision;
use crate::api::request_ref::RequestRef;
use crate::model::limit::QuotaFacts;
use crate::quota::ConsumeMode;
use crate::store;
use crate::util::error::Error;

impl Snapshot {
    /// Decides a request with an amount of a metered action, and consumes nothing. Returns `None`
    /// for any other request.
    pub(super) fn decide_metered(
        &self,
        question: &RequestRef<'_>,
    ) -> Result<Option<Decision>, Error> {
        self.ask_metered(
            question,
            |known, grant| known.decision(self, &grant),
            |decision| decision,
        )
    }

    /// Returns the allow bit of [`Snapshot::decide_metered`].
    pub(super) fn check_metered(&self, question: &RequestRef<'_>) -> Result<Option<bool>, Error> {
        self.ask_metered(
            question,
            |_, grant| grant.answer.allowed,
            |decision| decision.allowed,
        )
    }

    /// Answers as a cached grant does, or as the policies do, in one view.
    fn ask_metered<'s, T>(
        &'s self,
        question: &RequestRef<'s>,
        of_grant: impl Fn(&FastConsume<'s>, FoundGrant<'s>) -> T,
        of_decision: impl Fn(Decision) -> T,
    ) -> Result<Option<T>, Error> {
        let Some(known) = self.question_as_consume(question) else {
            let decided = self.decide_metered_with(question, &|_| Ok(()))?;
            return Ok(decided.map(|(decision, _)| of_decision(decision)));
        };
        store::view(&*self.store, known.account(), |tx| {
            if let Some(grant) = known.find_grant(tx)? {
                return Ok(Some(of_grant(&known, grant)));
            }
            let count = |metered: &QuotaRequest<'_>, question: &RequestRef<'_>| {
                metered.count(tx, self, question, Some(&known), &|_| Ok(()))
            };
            let decided = self.with_metered_question(question, count)?;
            Ok(decided.map(|(decision, _)| of_decision(decision)))
        })
    }

    /// Decides by the policies as [`Snapshot::decide_metered`] does, and returns the value of
    /// `tell` for the denied meter, or else for the last.
    pub(super) fn decide_metered_with<T>(
        &self,
        question: &RequestRef<'_>,
        tell: &dyn Fn(Option<&QuotaFacts<'_>>) -> Result<T, Error>,
    ) -> Result<Option<(Decision, Option<T>)>, Error> {
        self.with_metered_question(question, |metered, question| {
            store::view(&*self.store, metered.counting.account, |tx| {
                metered.count(tx, self, question, None, tell)
            })
        })
    }

    /// Calls `work` with a question about an amount as a request for the meters of its account, and
    /// with what the policies are asked. Returns `None` for any other question.
    fn with_metered_question<T>(
        &self,
        question: &RequestRef<'_>,
        work: impl FnOnce(&QuotaRequest<'_>, &RequestRef<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(amount) = question
            .environment
            .and_then(|environment| environment.amount)
        else {
            return Ok(None);
        };
        let crate::authorize::PolicyEngine::Tenancy(bundle) = &self.loaded.kind else {
            return Ok(None);
        };
        let (kind, name) = question.action.name();
        if bundle
            .names
            .actions
            .get(name)
            .is_none_or(|action| kind != "Action" || action.meters.is_empty())
        {
            return Ok(None);
        }
        let take = ConsumeOptions::new(amount);
        // The facts of the meter contain the amount.
        let question = &RequestRef {
            environment: question
                .environment
                .filter(|environment| !environment.has_only_amount()),
            ..*question
        };
        let taking = ConsumeMode::Consume {
            allow_partial: false,
        };
        match self.metered(question, &take, taking)? {
            QuotaTarget::Account(metered) => work(&metered, question).map(Some),
            QuotaTarget::Denied(_) => Ok(None),
        }
    }
}
