//! Quota requests: the amount of each meter that a request consumes, and its decision.

use super::Snapshot;
use super::cached_grant::{FastConsume, GrantCandidate};
use super::quota_account::QuotaAccount;
use smallvec::SmallVec;

use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::Decision;
use crate::api::request::Environment;
use crate::api::request_ref::RequestRef;
use crate::model::catalog::MeterKind;
use crate::model::limit::QuotaFacts;
use crate::quota::{self, ConsumeMode, MeterRequest, check_meters};
use crate::store::{self, CountTx, Durability, TxOutcome};
use crate::util::digest;
use crate::util::error::Error;

/// The greatest length of a key in bytes.
const KEY_BYTES: usize = 255;

/// Returns the idempotency key with the digest of the request's texts. Fails with
/// `Error::IdempotencyKey` if the key is empty or too long.
pub(super) fn idempotency_digest(
    idempotency_key: Option<&str>,
    texts: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Result<Option<(&str, [u8; 32])>, Error> {
    let Some(idempotency_key) = idempotency_key else {
        return Ok(None);
    };
    if idempotency_key.is_empty() || idempotency_key.len() > KEY_BYTES {
        return Err(Error::IdempotencyKey {
            length: idempotency_key.len(),
        });
    }
    Ok(Some((idempotency_key, digest::sha256(texts))))
}

/// A request for the meters of an account.
pub(super) struct QuotaRequest<'s> {
    pub(super) counting: QuotaAccount<'s>,
    lines: Vec<MeterRequest<'s>>,
    idempotency_key: Option<(&'s str, [u8; 32])>,
    /// The environment for an action that only frees.
    environment: Option<Environment>,
    by_command: bool,
}

/// A quota request, or the denial if no account pays.
pub(super) enum QuotaTarget<'s> {
    Account(Box<QuotaRequest<'s>>),
    Denied(Box<Decision>),
}

impl<'s> QuotaRequest<'s> {
    /// Returns the request for a command, with a key that the caller has digested.
    pub(super) fn of_command(self, idempotency_key: Option<(&'s str, [u8; 32])>) -> Self {
        Self {
            idempotency_key,
            by_command: true,
            ..self
        }
    }

    pub(super) fn take(
        &self,
        tx: &mut dyn CountTx,
        state: &Snapshot,
        question: &RequestRef<'_>,
        taking: ConsumeMode,
        known: Option<&FastConsume<'_>>,
    ) -> Result<(Decision, TxOutcome), Error> {
        let request = quota::ConsumeRequest {
            subject: self.counting.subject(),
            lines: &self.lines,
            idempotency_key: self.idempotency_key,
            by_command: self.by_command,
        };
        let mut grant = None;
        let known = known.filter(|known| known.wants_grant(tx));
        let wanted = known.is_some();
        let (decision, outcome, place) = quota::take(tx, &request, taking, &mut |facts| {
            self.decide(state, question, facts, wanted.then_some(&mut grant))
        })?;
        if let Some(known) = known {
            known.cache_grant(tx, &request, place, grant);
        }
        Ok((decision, outcome))
    }

    /// Decides without a consume. Also returns the value of `tell` for the denied meter, or else
    /// for the last. Caches the grant of the decision for `known`.
    pub(super) fn count<T>(
        &self,
        tx: &mut dyn CountTx,
        state: &Snapshot,
        question: &RequestRef<'_>,
        known: Option<&FastConsume<'_>>,
        tell: &dyn Fn(Option<&QuotaFacts<'_>>) -> Result<T, Error>,
    ) -> Result<(Decision, Option<T>), Error> {
        let request = quota::ConsumeRequest {
            subject: self.counting.subject(),
            lines: &self.lines,
            idempotency_key: None,
            by_command: false,
        };
        let known = known.filter(|known| known.wants_grant(tx));
        let (mut extra, mut grant) = (None, None);
        let (decision, place) = quota::count(tx, &request, &mut |facts| {
            extra = Some(tell(facts)?);
            let wanted = known.is_some().then_some(&mut grant);
            self.decide(state, question, facts, wanted)
        })?;
        if let Some(known) = known.filter(|_| decision.allowed) {
            known.cache_grant(tx, &request, place, grant);
        }
        Ok((decision, extra))
    }

    fn decide(
        &self,
        state: &Snapshot,
        question: &RequestRef<'_>,
        facts: Option<&QuotaFacts<'_>>,
        mut grant: Option<&mut Option<GrantCandidate>>,
    ) -> Result<Decision, Error> {
        if let Some(grant) = &mut grant {
            **grant = None;
        }
        match &self.environment {
            Some(environment) if facts.is_none() => state.decide(
                &RequestRef {
                    environment: Some(environment),
                    ..*question
                },
                None,
            ),
            _ => state.decide_with_grant(question, facts, grant),
        }
    }
}

impl Snapshot {
    /// Builds the quota request of a request, or the denial if no account pays.
    pub(super) fn metered<'s>(
        &'s self,
        question: &'s RequestRef<'_>,
        take: &'s ConsumeOptions<'_>,
        taking: ConsumeMode,
    ) -> Result<QuotaTarget<'s>, Error> {
        let bundle = self.tenancy("consume")?;
        take.check()?;
        let (kind, name) = question.action.name();
        let action = bundle
            .names
            .actions
            .get(name)
            .filter(|_| kind == "Action")
            .ok_or_else(|| Error::UnknownAction {
                action: crate::util::text::short(name),
            })?;
        // `increase_stock` needs an action with meters. An action that only frees can only return
        // amounts.
        if action.meters.is_empty() && (action.frees.is_empty() || taking == ConsumeMode::Add) {
            return Err(Error::NotMetered {
                action: crate::util::text::short(name),
            });
        }
        let Some((account, member)) = self.paying_account(question.principal) else {
            return Ok(QuotaTarget::Denied(Box::new(self.decide(question, None)?)));
        };
        let mut counting = QuotaAccount::of_known(self, account, member)?;
        counting.actor = question
            .environment
            .and_then(|environment| environment.actor.as_ref())
            .map(ToString::to_string);
        let mut lines = Vec::with_capacity(action.meters.len().saturating_add(action.frees.len()));
        for (meter, frees) in action
            .meters
            .iter()
            .map(|meter| (meter, false))
            .chain(action.frees.iter().map(|meter| (meter, true)))
        {
            let line = MeterRequest {
                decreases: frees,
                ..counting.line(meter, take.amount_of(meter))?
            };
            if taking.is_of_stocks() && line.kind != MeterKind::Stock {
                return Err(Error::NotStock {
                    meter: meter.clone(),
                });
            }
            lines.push(line);
        }
        check_meters(take, &lines)?;
        let environment = action.meters.is_empty().then(|| Environment {
            amount: lines.first().map(|line| line.amount),
            ..question.environment.cloned().unwrap_or_default()
        });
        let idempotency_key = match take.idempotency_key {
            None => None,
            key => {
                let amounts = lines.iter().map(|line| (&**line.meter, line.amount));
                let actor = counting.actor.as_deref();
                request_digest(key, (question, take, taking), amounts, actor)?
            }
        };
        Ok(QuotaTarget::Account(Box::new(QuotaRequest {
            counting,
            lines,
            idempotency_key,
            environment,
            by_command: false,
        })))
    }

    pub(super) fn batch(
        &self,
        items: &[(RequestRef<'_>, ConsumeOptions<'_>)],
        is_latest: impl Fn() -> bool,
    ) -> Result<Option<Vec<Decision>>, Error> {
        let mut metered = Vec::with_capacity(items.len());
        for (index, (question, take)) in items.iter().enumerate() {
            let item = |error: Error| Error::Item {
                index,
                code: error.code(),
                reason: error.to_string(),
            };
            metered.push(
                self.metered(
                    question,
                    take,
                    ConsumeMode::Consume {
                        allow_partial: take.allow_partial,
                    },
                )
                .map_err(item)?,
            );
        }
        let accounts: Vec<&str> = metered
            .iter()
            .filter_map(|item| {
                if let QuotaTarget::Account(by) = item {
                    Some(by.counting.account)
                } else {
                    None
                }
            })
            .collect();
        store::transaction(&*self.store, &accounts, Durability::Process, |tx| {
            if !is_latest() {
                return Ok((None, TxOutcome::Rollback));
            }
            let mut answers = Vec::with_capacity(items.len());
            let mut outcome = TxOutcome::Commit;
            for ((question, take), metered) in items.iter().zip(&metered) {
                let decision = match metered {
                    QuotaTarget::Denied(decision) => decision.as_ref().clone(),
                    QuotaTarget::Account(metered) => {
                        metered
                            .take(
                                tx,
                                self,
                                question,
                                ConsumeMode::Consume {
                                    allow_partial: take.allow_partial,
                                },
                                None,
                            )?
                            .0
                    }
                };
                if !decision.allowed {
                    outcome = TxOutcome::Rollback;
                }
                answers.push(decision);
            }
            if outcome == TxOutcome::Rollback {
                // The allowed items were not consumed either.
                answers
                    .iter_mut()
                    .filter_map(|decision| decision.counted.as_mut())
                    .for_each(|counted| counted.operation = None);
            }
            Ok((Some(answers), outcome))
        })
    }
}

/// Returns the idempotency key with the digest of the request: its names, its mode, and the amount
/// of each meter. Two requests with one key must have equal digests.
pub(super) fn request_digest<'k>(
    idempotency_key: Option<&'k str>,
    (question, take, taking): (&RequestRef<'_>, &ConsumeOptions<'_>, ConsumeMode),
    amounts: impl Iterator<Item = (impl AsRef<str>, i64)>,
    actor: Option<&str>,
) -> Result<Option<(&'k str, [u8; 32])>, Error> {
    let (principal, action) = (question.principal.name(), question.action.name());
    let resource = &question.resource;
    let names = [
        principal.0,
        principal.1,
        action.1,
        resource.kind.name(),
        resource.id,
        resource
            .account
            .map_or("", crate::api::request_ref::AccountRef::id),
        actor.unwrap_or_default(),
        taking.name(),
    ];
    let (partial, ttl) = ([u8::from(take.allow_partial)], taking.ttl().to_le_bytes());
    // The digest writes the length of each part, so the parts of all meters may be one text.
    let mut counted: SmallVec<[u8; 64]> = SmallVec::new();
    for (meter, amount) in amounts {
        let meter = meter.as_ref().as_bytes();
        counted.extend_from_slice(&(meter.len() as u64).to_le_bytes());
        counted.extend_from_slice(meter);
        counted.extend_from_slice(&amount.to_le_bytes());
    }
    let others: [&[u8]; 3] = [&partial, &ttl, &counted];
    idempotency_digest(
        idempotency_key,
        names.iter().map(|name| name.as_bytes()).chain(others),
    )
}
