//! The methods that consume: a decision and its debit in one transaction.

use super::cached_grant::FastConsume;
use super::quota_request::QuotaTarget;
use super::{Engine, Snapshot};
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::{CompactDecision, Decision};
use crate::api::request_ref::RequestRef;
use crate::quota::ConsumeMode;
use crate::store::{self, Durability, TxOutcome};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Decides a request and debits its meters if it is allowed. Decision and debit are one
    /// transaction. A denied request consumes nothing (Q13).
    ///
    /// An action that frees (`@frees`) returns its amount. With [`ConsumeOptions::allow_partial`],
    /// the remaining amount is granted if the whole amount is too large.
    ///
    /// # Errors
    /// Fails with the `input.*` codes of [`Engine::authorize`], and with `quota.not_metered` for an
    /// action without a meter. Also fails with the `quota.*` codes of keys and the `store.*` codes.
    /// Nothing was consumed then.
    pub fn consume<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount(
            "consume",
            &question.into(),
            take,
            ConsumeMode::Consume {
                allow_partial: take.allow_partial,
            },
        )
    }

    /// Decides a request and reserves its amount if it is allowed. The reservation lasts `ttl`
    /// milliseconds, by default 15 minutes, unless it is committed or released before (Q8).
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], and with [`Error::Ttl`] unless `ttl` is from 1
    /// millisecond to 366 days.
    pub fn reserve<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
        ttl: Option<i64>,
    ) -> Result<Decision, Error> {
        let ttl = ttl.unwrap_or(DEFAULT_RESERVATION_TTL_MS);
        if !(1..=MAX_RESERVATION_TTL_MS).contains(&ttl) {
            return self.count_error(
                "reserve",
                Err(Error::Ttl {
                    ttl: ttl.to_string(),
                }),
            );
        }
        self.consume_amount(
            "reserve",
            &question.into(),
            take,
            ConsumeMode::Reserve { ttl },
        )
    }

    /// Sets the action's stocks to the amount. An increase needs the permission of the policies, a
    /// decrease is always allowed.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], and with `quota.not_a_stock`.
    pub fn set_stock<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("set_stock", &question.into(), take, ConsumeMode::Set)
    }

    /// Adds to the action's stocks, as far as the policies allow it. Works as [`Engine::consume`],
    /// but only for stocks.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], with `quota.not_a_stock`, and with
    /// `quota.not_metered` for an action that only frees.
    pub fn increase_stock<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("increase_stock", &question.into(), take, ConsumeMode::Add)
    }

    /// Subtracts from the action's stocks, never below zero. The policies decide the action without
    /// an amount, because a caller who may store more may also report that less is stored.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], with `quota.not_a_stock` and with
    /// `quota.below_zero`.
    pub fn decrease_stock<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("decrease_stock", &question.into(), take, ConsumeMode::Sub)
    }

    /// Consumes all items of a list, or none. Returns the decisions in their order. If one of them
    /// is a denial, nothing was consumed.
    ///
    /// # Errors
    /// Fails with [`Error::Item`] and the index of the first malformed item, and with the codes of
    /// the store.
    pub fn batch(
        &self,
        items: &[(RequestRef<'_>, ConsumeOptions<'_>)],
    ) -> Result<Vec<Decision>, Error> {
        let questions = items.iter().map(|(question, _)| question);
        self.observe_batch("batch", questions, || {
            catch_panic(|| {
                self.retry_on_new_snapshot(|state| state.batch(items, || self.is_latest(state)))
            })
        })
    }

    /// Runs `work` on the current snapshot. Repeats it if another snapshot became current before
    /// the transaction began.
    pub(super) fn retry_on_new_snapshot<T>(
        &self,
        work: impl Fn(&Snapshot) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        for _ in 0..MAX_SNAPSHOT_RETRIES {
            if let Some(answer) = work(&**self.current()?)? {
                return Ok(answer);
            }
        }
        Err(Error::Panic {
            reason: "policies and directory changed at each try".to_owned(),
        })
    }

    pub(super) fn is_latest(&self, state: &Snapshot) -> bool {
        self.current.is_latest(state) && state.is_unchanged()
    }

    fn consume_amount(
        &self,
        verb: &'static str,
        question: &RequestRef<'_>,
        take: &ConsumeOptions<'_>,
        taking: ConsumeMode,
    ) -> Result<Decision, Error> {
        self.observe(verb, question, || {
            self.consume_in_tx(question, take, taking)
        })
    }

    fn consume_in_tx(
        &self,
        question: &RequestRef<'_>,
        take: &ConsumeOptions<'_>,
        taking: ConsumeMode,
    ) -> Result<Decision, Error> {
        let decided = catch_panic(|| {
            self.retry_on_new_snapshot(|state| {
                let known = state.fast_consume(question, take, taking);
                if let Some(known) = &known
                    && let answer @ Some(_) = self.consume_fast(state, known)?
                {
                    return Ok(answer);
                }
                let metered = match state.metered(question, take, taking)? {
                    QuotaTarget::Account(metered) => metered,
                    QuotaTarget::Denied(decision) => {
                        return Ok(Some(CompactDecision::Whole(decision)));
                    }
                };
                store::transaction(
                    &*state.store,
                    &[metered.counting.account],
                    Durability::Process,
                    |tx| {
                        if !self.is_latest(state) {
                            return Ok((None, TxOutcome::Rollback));
                        }
                        let (decision, outcome) =
                            metered.take(tx, state, question, taking, known.as_ref())?;
                        let decision = CompactDecision::Whole(Box::new(decision));
                        Ok((Some(decision), outcome))
                    },
                )
            })
        });
        decided.map(Decision::from)
    }

    /// Consumes under a cached grant of this version. Returns `None` if there is no such grant or
    /// if another version became current.
    fn consume_fast(
        &self,
        state: &Snapshot,
        known: &FastConsume<'_>,
    ) -> Result<Option<CompactDecision>, Error> {
        store::transaction(
            &*state.store,
            &[known.account()],
            Durability::Process,
            |tx| {
                let taken = if self.is_latest(state) {
                    known.try_grant(tx, state)?
                } else {
                    None
                };
                let outcome = if taken.is_some() {
                    TxOutcome::Commit
                } else {
                    TxOutcome::Rollback
                };
                Ok((taken, outcome))
            },
        )
    }
}

/// The greatest number of new versions that a call retries on. It is more than can occur.
const MAX_SNAPSHOT_RETRIES: usize = 1_000_000;

/// The lifetime of a reservation without one of its own: 15 minutes, in milliseconds.
const DEFAULT_RESERVATION_TTL_MS: i64 = 15 * 60_000;

/// The greatest lifetime of a reservation: 366 days, in milliseconds.
const MAX_RESERVATION_TTL_MS: i64 = 366 * 86_400_000;
