//! The methods that consume: a decision and its debit in one transaction.

use super::cached_grant::FastConsume;
use super::quota_request::QuotaTarget;
use super::{Engine, Snapshot};
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::{CompactDecision, Decision};
use crate::api::request_ref::RequestRef;
use crate::quota::ConsumeMode;
use crate::store::{self, CountTx, Durability, TxOutcome};
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
                if let Some(known) = state.fast_consume(question, take, taking) {
                    return self.consume_in(state, known.account(), |tx| {
                        match known.try_grant(tx, state)? {
                            Some(granted) => Ok((granted, TxOutcome::Commit)),
                            None => state.consume_by_policies(tx, &known, question, take, taking),
                        }
                    });
                }
                match state.metered(question, take, taking)? {
                    QuotaTarget::Account(metered) => {
                        self.consume_in(state, metered.counting.account, |tx| {
                            let taken = metered.take(tx, state, question, taking, None)?;
                            Ok((CompactDecision::Whole(Box::new(taken.0)), taken.1))
                        })
                    }
                    QuotaTarget::Denied(decision) => Ok(Some(CompactDecision::Whole(decision))),
                }
            })
        });
        decided.map(Decision::from)
    }

    /// Runs one transaction over the account. Returns `None` if another version became current.
    fn consume_in(
        &self,
        state: &Snapshot,
        account: &str,
        body: impl Fn(&mut dyn CountTx) -> Result<(CompactDecision, TxOutcome), Error>,
    ) -> Result<Option<CompactDecision>, Error> {
        store::transaction(&*state.store, &[account], Durability::Process, |tx| {
            if !self.is_latest(state) {
                return Ok((None, TxOutcome::Rollback));
            }
            let (decision, outcome) = body(tx)?;
            Ok((Some(decision), outcome))
        })
    }
}

impl Snapshot {
    /// Consumes as the policies decide, in the transaction that found no cached grant. The account
    /// of a fast consume pays for itself, so the transaction is over the account that pays.
    #[cold]
    fn consume_by_policies(
        &self,
        tx: &mut dyn CountTx,
        known: &FastConsume<'_>,
        question: &RequestRef<'_>,
        take: &ConsumeOptions<'_>,
        taking: ConsumeMode,
    ) -> Result<(CompactDecision, TxOutcome), Error> {
        match self.metered(question, take, taking)? {
            QuotaTarget::Account(metered) => {
                let (decision, outcome) = metered.take(tx, self, question, taking, Some(known))?;
                Ok((CompactDecision::Whole(Box::new(decision)), outcome))
            }
            QuotaTarget::Denied(decision) => {
                Ok((CompactDecision::Whole(decision), TxOutcome::Rollback))
            }
        }
    }
}

/// The greatest number of new versions that a call retries on. It is more than can occur.
const MAX_SNAPSHOT_RETRIES: usize = 1_000_000;

/// The lifetime of a reservation without one of its own: 15 minutes, in milliseconds.
const DEFAULT_RESERVATION_TTL_MS: i64 = 15 * 60_000;

/// The greatest lifetime of a reservation: 366 days, in milliseconds.
const MAX_RESERVATION_TTL_MS: i64 = 366 * 86_400_000;
