//! The methods that count: a decision and its debit in one transaction.

use super::cached_grant::FastConsume;
use super::quota_request::{QuotaAccount, QuotaTarget, idempotency_digest};
use super::{Engine, Snapshot};
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::Decision;
use crate::api::quota::{CountReceipt, Quota};
use crate::api::request_ref::RequestRef;
use crate::quota::{self, Adjustment, ConsumeMode, FollowUp, HistoryEntry};
use crate::store::{self, Durability, TxOutcome, Verification};
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
            ConsumeMode::Consume { up_to: take.up_to },
        )
    }

    /// Decides a request and reserves its amount if it is allowed. The reservation lasts `ttl`
    /// milliseconds, unless it is committed or released before.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], and with [`Error::Ttl`] unless `ttl` is from 1
    /// millisecond to 366 days.
    pub fn reserve<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
        ttl: i64,
    ) -> Result<Decision, Error> {
        if !(1..=MOST_TTL).contains(&ttl) {
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
    pub fn set<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("set", &question.into(), take, ConsumeMode::Set)
    }

    /// Adds to the action's stocks, as far as the policies allow it. Works as [`Engine::consume`],
    /// but only for stocks.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], with `quota.not_a_stock`, and with
    /// `quota.not_metered` for an action that only frees.
    pub fn add<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("add", &question.into(), take, ConsumeMode::Add)
    }

    /// Subtracts from the action's stocks, never below zero. The policies decide the action without
    /// an amount, because a caller who may store more may also report that less is stored.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::consume`], with `quota.not_a_stock` and with
    /// `quota.below_zero`.
    pub fn sub<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("sub", &question.into(), take, ConsumeMode::Sub)
    }

    /// Commits a reservation: debits its amount, or `amount` of each meter, and releases the rest.
    ///
    /// # Errors
    /// Fails with `quota.hold_expired`, `quota.hold_settled`, `quota.commit_too_much` and
    /// `quota.unknown_operation`, and with the codes of keys and of the store.
    pub fn commit(
        &self,
        reservation: u64,
        amount: Option<i64>,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up("commit", reservation, FollowUp::Commit(amount), amount, key)
    }

    /// Releases the amount of a reservation.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::commit`].
    pub fn release(&self, reservation: u64, key: Option<&str>) -> Result<CountReceipt, Error> {
        self.run_follow_up("release", reservation, FollowUp::Release, None, key)
    }

    /// Refunds `amount` of each meter of an operation, in the window of that operation. Without
    /// `amount`, refunds the whole rest. The refund of a top-up lowers the limit again, as
    /// [`Engine::revoke_top_up`] does.
    ///
    /// # Errors
    /// Fails with `quota.refund_too_much`, `quota.not_refundable` and `quota.unknown_operation`,
    /// and with the codes of keys and of the store.
    pub fn refund(
        &self,
        operation: u64,
        amount: Option<i64>,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up("refund", operation, FollowUp::Refund(amount), amount, key)
    }

    /// Adds to the limit of an account's meter for its present window, or permanently for a stock.
    ///
    /// # Errors
    /// Fails with `directory.unknown_account` and `quota.unknown_meter`, and with the codes of keys
    /// and of the store.
    pub fn top_up(
        &self,
        account: &str,
        meter: &str,
        amount: i64,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.record_adjustment(
            "top_up",
            (account, None),
            meter,
            amount,
            key,
            Adjustment::TopUp(amount),
        )
    }

    /// Revokes the top-up with this key, for example after a charge-back (B14). The limit falls at
    /// once, and the usage stays. If more is used than the limit, nothing remains. The history
    /// records a `revoke_top_up` of the top-up. A second call changes nothing, and is `replayed`.
    ///
    /// # Errors
    /// Fails with `directory.unknown_account` and `quota.unknown_top_up`, and with the codes of the
    /// store. For a flow, fails with `quota.key_pruned` from 35 days after the end of the window.
    ///
    /// # Example: a charge-back
    /// ```
    /// use sublet::{Change, Engine, Options, Record};
    /// let engine = Engine::open(Options::default())?;
    /// let acme = r#"{"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency", "confirmed": true}"#;
    /// engine.change(vec![Change::Put(Record::from_json(acme)?)], None)?;
    /// engine.top_up("acme", "emails", 1_000, Some("charge/1"))?;
    /// engine.revoke_top_up("acme", "charge/1")?;
    /// assert_eq!(engine.usage("acme", None, Some("emails"))?[0].top_up, 0);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn revoke_top_up(&self, account: &str, key: &str) -> Result<CountReceipt, Error> {
        const VERB: &str = "revoke_top_up";
        let revoked = catch_panic(|| {
            let state = self.current()?;
            let counting = QuotaAccount::new(&state, VERB, account, None)?;
            let lines =
                |meter: &str, member: Option<&str>| counting.line_for_member(member, meter).ok();
            store::transaction(&*state.store, &[account], Durability::Power, |ledger| {
                quota::revoke_top_up(ledger, account, key, &lines)
            })
        });
        let counted = self.count_error(VERB, revoked)?;
        self.emit_debit(VERB, account, None, &counted);
        Ok(counted)
    }

    /// Adds the usage of an account, or of its member, from before Sublet counted. The policies do
    /// not decide it.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::top_up`].
    pub fn carry_over(
        &self,
        account: &str,
        member: Option<&str>,
        meter: &str,
        amount: i64,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.record_adjustment(
            "carry_over",
            (account, member),
            meter,
            amount,
            key,
            Adjustment::CarryOver(amount),
        )
    }

    /// Returns the usage and limits of an account, for every meter or one. If a member is named,
    /// also returns the member's own part (Q11).
    ///
    /// # Errors
    /// Fails with `directory.unknown_account`, with `directory.unknown_record` for a member of
    /// another account, with `quota.unknown_meter`, and with the codes of the store.
    pub fn usage(
        &self,
        account: &str,
        member: Option<&str>,
        meter: Option<&str>,
    ) -> Result<Vec<Quota>, Error> {
        catch_panic(|| {
            let state = self.current()?;
            let counting = QuotaAccount::new(&state, "usage", account, member)?;
            let meters: Vec<&str> = match meter {
                Some(meter) => vec![meter],
                None => counting
                    .bundle
                    .names
                    .meters
                    .iter()
                    .map(String::as_str)
                    .collect(),
            };
            let lines = meters
                .into_iter()
                .map(|meter| counting.line(meter, 0))
                .collect::<Result<Vec<_>, _>>()?;
            store::view(&*state.store, account, |ledger| {
                quota::usage(ledger, &counting.subject(), &lines)
            })
        })
    }

    /// Returns the history of an account's counts, the newest first: at most `most` entries, older
    /// than the operation `before`.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn history(
        &self,
        account: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        catch_panic(|| {
            store::view(&*self.current.load().store, account, |ledger| {
                quota::history(ledger, account, before, most)
            })
        })
    }

    /// Compares every bucket with the sum of its operations.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn verify(&self) -> Result<Verification, Error> {
        catch_panic(|| self.current.load().store.verify())
    }

    /// Returns whether the methods that count may wait for a file. Hosts with an event loop then
    /// await them.
    #[must_use]
    pub fn is_file_backed(&self) -> bool {
        self.current.load().store.touches_files()
    }

    /// Returns whether this engine has read the latest version of the directory. A request is then
    /// decided at once, without reading changes of other processes.
    #[doc(hidden)]
    #[must_use]
    pub fn _is_current(&self) -> bool {
        self.current.load().is_current()
    }

    /// Checks that a method may run while an event loop waits, for bindings that have one.
    ///
    /// # Errors
    /// Fails with [`Error::StoreSync`] if the method may wait for a file.
    #[doc(hidden)]
    pub fn _without_waiting(&self, verb: &str) -> Result<(), Error> {
        let state = self.current.load();
        let store = || state.store.name().to_owned();
        if state.store.touches_files() {
            Err(Error::StoreSync {
                store: store(),
                verb: verb.to_owned(),
            })
        } else {
            Ok(())
        }
    }

    /// Accepts the present clock after `store.clock_jump`, although a long time has passed.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn accept_clock(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.accept_clock())
    }

    /// Removes every count, every key and the high-water mark of a store in memory, for tests,
    /// between two cases. A [`ManualClock`](crate::ManualClock) may go back after it.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn forget_counts(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.clear())
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
        catch_panic(|| {
            self.retry_on_new_snapshot(|state| {
                let known = state.fast_consume(question, take, taking);
                if let Some(known) = &known
                    && let answer @ Some(_) = self.consume_fast(state, known)?
                {
                    return Ok(answer);
                }
                let metered = match state.metered(question, take, taking)? {
                    QuotaTarget::Account(metered) => metered,
                    QuotaTarget::Denied(decision) => return Ok(Some(*decision)),
                };
                store::transaction(
                    &*state.store,
                    &[metered.counting.account],
                    Durability::Process,
                    |ledger| {
                        if !self.is_latest(state) {
                            return Ok((None, TxOutcome::Rollback));
                        }
                        let (decision, keep) =
                            metered.take(ledger, state, question, taking, known.as_ref())?;
                        Ok((Some(decision), keep))
                    },
                )
            })
        })
    }

    /// Consumes under a cached grant of this version. Returns `None` if there is no such grant or
    /// if another version became current.
    fn consume_fast(
        &self,
        state: &Snapshot,
        known: &FastConsume<'_>,
    ) -> Result<Option<Decision>, Error> {
        let taken = store::transaction(
            &*state.store,
            &[known.account()],
            Durability::Process,
            |ledger| {
                let taken = if self.is_latest(state) {
                    known.try_grant(ledger, state)?
                } else {
                    None
                };
                let keep = if taken.is_some() {
                    TxOutcome::Commit
                } else {
                    TxOutcome::Rollback
                };
                Ok((taken, keep))
            },
        )?;
        Ok(taken.map(|(answer, counted)| Decision {
            counted: Some(counted),
            ..state.told(answer.clone())
        }))
    }

    fn run_follow_up(
        &self,
        verb: &'static str,
        operation: u64,
        how: FollowUp,
        amount: Option<i64>,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        let settled = catch_panic(|| {
            let state = self.current()?;
            if let Some(amount) = amount.filter(|amount| *amount < 0) {
                return Err(Error::Amount {
                    amount: amount.to_string(),
                });
            }
            let account = state
                .store
                .account_of(operation)?
                .ok_or(Error::UnknownOperation { operation })?;
            let parts = [
                verb.to_owned(),
                operation.to_string(),
                amount.map(|amount| amount.to_string()).unwrap_or_default(),
            ];
            let key = idempotency_digest(key, parts.iter().map(String::as_str))?;
            let counting = QuotaAccount::new(&state, verb, &account, None)?;
            let lines =
                |meter: &str, member: Option<&str>| counting.line_for_member(member, meter).ok();
            let asked = quota::SettlingAsked {
                operation,
                key,
                lines: &lines,
            };
            let durability = if quota::changes_limit(&*state.store, &account, operation)? {
                Durability::Power
            } else {
                Durability::Process
            };
            let counted =
                store::transaction(&*state.store, &[account.as_str()], durability, |ledger| {
                    quota::follow_up(ledger, &asked, how)
                })?;
            Ok((account, counted))
        });
        let (account, counted) = self.count_error(verb, settled)?;
        self.emit_debit(verb, &account, Some(operation), &counted);
        Ok(counted)
    }

    fn record_adjustment(
        &self,
        verb: &'static str,
        whose: (&str, Option<&str>),
        meter: &str,
        amount: i64,
        key: Option<&str>,
        what: Adjustment,
    ) -> Result<CountReceipt, Error> {
        let stated = catch_panic(|| {
            let state = self.current()?;
            if amount < 0 {
                return Err(Error::Amount {
                    amount: amount.to_string(),
                });
            }
            let (account, member) = whose;
            let counting = QuotaAccount::new(&state, verb, account, member)?;
            let line = counting.line(meter, amount)?;
            let key = idempotency_digest(
                key,
                [
                    verb,
                    account,
                    member.unwrap_or_default(),
                    meter,
                    &amount.to_string(),
                ]
                .into_iter(),
            )?;
            store::transaction(&*state.store, &[account], what.durability(), |ledger| {
                quota::record_adjustment(ledger, &counting.subject(), &line, key, what)
            })
        });
        let counted = self.count_error(verb, stated)?;
        self.emit_debit(verb, whose.0, None, &counted);
        Ok(counted)
    }
}

/// The greatest number of new versions that a call retries on. It is more than can occur.
const MAX_SNAPSHOT_RETRIES: usize = 1_000_000;

/// The greatest lifetime of a reservation: 366 days, in milliseconds.
const MOST_TTL: i64 = 366 * 86_400_000;
