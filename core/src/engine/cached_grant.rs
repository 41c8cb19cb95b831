//! The fast path of the most frequent consume: an account consumes from one meter for itself, at a
//! domain, without a key. While the usage stays in a proved range, the answer is the previous one
//! with other counts.

use super::Snapshot;
use crate::api::consume_options::ConsumeOptions;
use crate::api::quota::CountReceipt;
use crate::api::request_ref::RequestRef;
use crate::authorize::tenant::{AnswerRange, SelfConsume};
use crate::cedar::authorizer::AnswerTemplate;
use crate::model::limit::QuotaFacts;
use crate::quota::{self, ConsumeMode, MeterRequest};
use crate::store::{CountTx, GrantKey};
use crate::util::error::Error;

/// A consume on the fast path.
pub(super) struct FastConsume<'s> {
    self_consume: SelfConsume<'s>,
    request: quota::FastConsumeRequest<'s>,
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
        take: &ConsumeOptions<'_>,
        taking: ConsumeMode,
    ) -> Option<FastConsume<'s>> {
        let plain = self.store.caches_grants()
            && matches!(taking, ConsumeMode::Consume { .. })
            && take.idempotency_key.is_none()
            && take.amounts.is_empty()
            && take.amount > 0;
        let self_consume = if plain {
            self.tenant_programs
                .self_consume(question, &self.directory)?
        } else {
            return None;
        };
        let (_, account) = question.principal.name();
        let grant_key = GrantKey {
            version: self.version_id,
            kind: self_consume.kind.number,
            domain: self_consume.domain,
            amount: take.amount,
        };
        Some(FastConsume {
            self_consume,
            request: quota::FastConsumeRequest {
                account,
                meter: self_consume.meter,
                kind: self_consume.meter_kind,
                grant_key,
            },
        })
    }
}

impl<'s> FastConsume<'s> {
    pub(super) fn account(&self) -> &str {
        self.request.account
    }

    /// Consumes if a cached grant allows it.
    pub(super) fn try_grant(
        &self,
        tx: &mut dyn CountTx,
    ) -> Result<Option<(&'s AnswerTemplate, Box<CountReceipt>)>, Error> {
        quota::consume_cached(tx, &self.request, |number| {
            let answer = self.self_consume.cached_answer(number);
            answer.filter(|answer| answer.allowed)
        })
    }

    /// Caches the grant that the decision on the consume produced.
    pub(super) fn cache_grant(
        &self,
        tx: &mut dyn CountTx,
        lines: &[MeterRequest<'_>],
        grant: Option<GrantCandidate>,
    ) -> Result<(), Error> {
        match (lines, grant) {
            (
                [line],
                Some(GrantCandidate {
                    range: AnswerRange { from, to, answer },
                    amount,
                    held,
                }),
            ) if amount == self.request.grant_key.amount => {
                quota::cache_grant(tx, &self.request, line, held, (from, to, answer))
            }
            _ => Ok(()),
        }
    }
}
