//! The fast path of the most frequent consume, and of the question about it: an account asks for
//! itself about one meter, at a domain. While the usage stays in a proved range, the answer is the
//! previous one with other counts.

use std::sync::Arc;

use super::Snapshot;
use super::quota_request::request_digest;
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::{CompactDecision, Decision, PolicyAnswer};
use crate::api::request_ref::RequestRef;
use crate::authorize::tenant::{AnswerRange, SelfConsume};
use crate::model::limit::QuotaFacts;
use crate::quota::{self, ConsumeMode, ConsumeRequest, CurrentBucket};
use crate::store::{CountTx, GrantHit, GrantKey};
use crate::util::error::Error;

/// A consume on the fast path.
pub(super) struct FastConsume<'s> {
    self_consume: SelfConsume<'s>,
    request: quota::FastConsumeRequest<'s>,
}

/// A cached grant that answers a question, and its answer.
pub(super) struct FoundGrant<'s> {
    pub(super) answer: &'s Arc<PolicyAnswer>,
    hit: GrantHit,
}

/// The usage at which an answer stays the same, with the amount and the reserved amount for which
/// that holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct GrantCandidate {
    range: AnswerRange,
    amount: i64,
    held: i64,
}

impl GrantCandidate {
    pub(super) fn new(range: AnswerRange, facts: &QuotaFacts<'_>) -> Self {
        Self {
            range,
            amount: facts.amount,
            held: facts.account.held,
        }
    }
}

impl Snapshot {
    /// Returns the request as a fast consume, or `None` if it does not qualify.
    #[inline]
    pub(super) fn fast_consume<'s>(
        &'s self,
        question: &RequestRef<'s>,
        take: &ConsumeOptions<'s>,
        taking: ConsumeMode,
    ) -> Option<FastConsume<'s>> {
        let plain = matches!(taking, ConsumeMode::Consume { .. })
            && take.amounts.is_empty()
            && take.amount > 0;
        let self_consume = if plain {
            self.tenant_programs
                .self_consume(question, &self.directory)?
        } else {
            return None;
        };
        let (_, account) = question.principal.name();
        let meter = self_consume.meter;
        let grant_key = GrantKey {
            version: self.version_id,
            kind: self_consume.kind.number,
            domain: self_consume.domain,
            amount: take.amount,
        };
        let idempotency_key = match take.idempotency_key {
            None => None,
            // An invalid key is an error of the path that answers all requests.
            key => {
                let amounts = std::iter::once((&**meter, take.amount));
                let request = (question, take, taking);
                request_digest(key, request, amounts, None).ok()?
            }
        };
        Some(FastConsume {
            self_consume,
            request: quota::FastConsumeRequest {
                account,
                meter,
                kind: self_consume.meter_kind,
                grant_key,
                idempotency_key,
            },
        })
    }

    /// Returns a question about an amount as the consume that it asks about, if that is a fast one.
    pub(super) fn question_as_consume<'s>(
        &'s self,
        question: &RequestRef<'s>,
    ) -> Option<FastConsume<'s>> {
        let environment = question.environment?;
        let amount = environment.amount?;
        if !environment.has_only_amount() {
            return None;
        }
        let consume = RequestRef {
            environment: None,
            ..*question
        };
        let taking = ConsumeMode::Consume {
            allow_partial: false,
        };
        self.fast_consume(&consume, &ConsumeOptions::new(amount), taking)
    }
}

impl<'s> FastConsume<'s> {
    pub(super) fn account(&self) -> &str {
        self.request.account
    }

    /// Consumes if a cached grant allows it. Always inlined, as [`quota::consume_cached`] is: a call
    /// of each takes 4% of a consume in memory.
    #[inline(always)]
    pub(super) fn try_grant(
        &self,
        tx: &mut dyn CountTx,
        state: &Snapshot,
    ) -> Result<Option<CompactDecision>, Error> {
        let granted = quota::consume_cached(tx, &self.request, |number| {
            let answer = self.self_consume.cached_answer(number);
            answer
                .filter(|answer| answer.allowed)
                .map(|answer| state.plain_decision(answer))
        })?;
        Ok(granted.map(CompactDecision::Plain))
    }

    /// Returns the cached grant that answers the question, without a change of any count.
    pub(super) fn find_grant(&self, tx: &mut dyn CountTx) -> Result<Option<FoundGrant<'s>>, Error> {
        let quota::FastConsumeRequest {
            account,
            meter,
            grant_key,
            ..
        } = &self.request;
        let Some(hit) = tx.find_cached_grant(account, meter, grant_key) else {
            return tx.take_grant_error().map(|()| None);
        };
        let answer = self.self_consume.cached_answer(hit.answer);
        Ok(answer.map(|answer| FoundGrant { answer, hit }))
    }

    /// Returns the decision of a grant on the amount.
    pub(super) fn decision(&self, state: &Snapshot, grant: &FoundGrant<'s>) -> Decision {
        let FoundGrant { answer, hit } = grant;
        let requested = (self.request.meter, self.request.grant_key.amount);
        quota::with_quota(state.plain_decision(answer), requested, hit, 0).into()
    }

    /// Returns whether the store would keep a grant of this consume.
    pub(super) fn wants_grant(&self, tx: &mut dyn CountTx) -> bool {
        tx.wants_grant(self.request.account, self.request.meter)
    }

    /// Caches the grant that the decision on the consume, or on the question, produced for the
    /// account's bucket.
    pub(super) fn cache_grant(
        &self,
        tx: &mut dyn CountTx,
        request: &ConsumeRequest<'_>,
        place: Option<CurrentBucket>,
        grant: Option<GrantCandidate>,
    ) {
        if let [line] = request.lines
            && let Some(place) = place
            && let Some(GrantCandidate {
                range: AnswerRange { from, to, answer },
                amount,
                held,
            }) = grant
            && amount == self.request.grant_key.amount
        {
            let of = (line, &place);
            quota::cache_grant(tx, &self.request, of, held, (from, to, answer));
        }
    }
}
