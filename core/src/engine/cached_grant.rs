//! The fast path of the most frequent consume: an account consumes from one meter for itself, at a
//! domain, without a key. While no limit policy applies, the answer is the previous one with other
//! counts.

use super::Snapshot;
use crate::api::consume_options::ConsumeOptions;
use crate::api::quota::CountReceipt;
use crate::api::request_ref::RequestRef;
use crate::authorize::LoadedPolicies;
use crate::authorize::tenant::limit_policies::{SelfConsume, UnaffectedRange};
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

/// A range of usage in which no limit policy applies, with the amount and the reserved amount for
/// which the range holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct GrantCandidate {
    silence: UnaffectedRange,
    amount: i64,
    held: i64,
}

impl GrantCandidate {
    pub(super) fn new(silence: UnaffectedRange, facts: &QuotaFacts<'_>) -> Self {
        Self {
            silence,
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
            LoadedPolicies::resolve_self_consume(&self.tenant_programs, question, &self.directory)?
        } else {
            return None;
        };
        let (_, account) = question.principal.name();
        let grant_key = GrantKey {
            version: self.version_id,
            kind: self_consume.request_kind,
            domain: self_consume.domain,
            amount: take.amount,
        };
        Some(FastConsume {
            self_consume,
            request: quota::FastConsumeRequest {
                account,
                meter: self_consume.meter,
                kind: self_consume.kind,
                grant_key,
            },
        })
    }
}

impl FastConsume<'_> {
    pub(super) fn account(&self) -> &str {
        self.request.account
    }

    /// Consumes if a cached grant allows it.
    pub(super) fn try_grant<'s>(
        &self,
        tx: &mut dyn CountTx,
        state: &'s Snapshot,
    ) -> Result<Option<(&'s AnswerTemplate, Box<CountReceipt>)>, Error> {
        quota::consume_cached(tx, &self.request, |place| {
            LoadedPolicies::find_unaffected_answer(
                &state.tenant_programs,
                &self.self_consume,
                place,
            )
            .filter(|answer| answer.allowed)
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
                    silence:
                        UnaffectedRange {
                            from,
                            to,
                            answer_slot: place,
                        },
                    amount,
                    held,
                }),
            ) if amount == self.request.grant_key.amount => {
                quota::cache_grant(tx, &self.request, line, held, (from, to, place))
            }
            _ => Ok(()),
        }
    }
}
