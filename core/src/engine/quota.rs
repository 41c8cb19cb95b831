//! The verbs that count: a decision and its debit in one step.

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
    /// Asks, and if it is allowed takes: one step, between whose parts nothing comes. What is
    /// denied takes nothing (Q13).
    ///
    /// An action that frees (`@frees`) gives back. With [`ConsumeOptions::allow_partial`] what is
    /// left is granted where all is too much.
    ///
    /// # Errors
    /// The `input.*` codes of [`Engine::authorize`]; `quota.not_metered` for an action without a
    /// meter, the `quota.*` codes of keys, and the `store.*` codes: then nothing was taken.
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

    /// Asks, and if it is allowed holds the amount for so many milliseconds: until then it is
    /// committed or released.
    ///
    /// # Errors
    /// As [`Engine::consume`]; [`Error::Ttl`] unless it is from 1 to 366 days.
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

    /// Makes the amount the count of the action's stocks: more only as far as the policies allow
    /// it, less always.
    ///
    /// # Errors
    /// As [`Engine::consume`]; `quota.not_a_stock`.
    pub fn set<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("set", &question.into(), take, ConsumeMode::Set)
    }

    /// Adds to the action's stocks, as far as the policies allow it: [`Engine::consume`], which
    /// refuses what is no stock.
    ///
    /// # Errors
    /// As [`Engine::consume`]; `quota.not_a_stock`, and `quota.not_metered` for an action that only
    /// frees.
    pub fn add<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("add", &question.into(), take, ConsumeMode::Add)
    }

    /// Takes from the action's stocks what is there no more, never below zero. The policies are
    /// asked whether the action is allowed, of no amount: who may keep more of something may also
    /// report that there is less.
    ///
    /// # Errors
    /// As [`Engine::consume`]; `quota.not_a_stock`, `quota.below_zero`.
    pub fn sub<'a>(
        &self,
        question: impl Into<RequestRef<'a>>,
        take: &ConsumeOptions<'_>,
    ) -> Result<Decision, Error> {
        self.consume_amount("sub", &question.into(), take, ConsumeMode::Sub)
    }

    /// Takes what a reservation holds, or so much of it of each meter, and gives back the rest.
    ///
    /// # Errors
    /// `quota.hold_expired`, `quota.hold_settled`, `quota.commit_too_much`,
    /// `quota.unknown_operation`; the codes of keys and of the store.
    pub fn commit(
        &self,
        reservation: u64,
        amount: Option<i64>,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up("commit", reservation, FollowUp::Commit(amount), amount, key)
    }

    /// Gives back what a reservation holds.
    ///
    /// # Errors
    /// As [`Engine::commit`].
    pub fn release(&self, reservation: u64, key: Option<&str>) -> Result<CountReceipt, Error> {
        self.run_follow_up("release", reservation, FollowUp::Release, None, key)
    }

    /// Gives back so much of each meter that an operation took, in the window that it took it from;
    /// all that is left of it, if it is not said. Of a top-up it takes back what that added
    /// ([`Engine::revoke_top_up`]).
    ///
    /// # Errors
    /// `quota.refund_too_much`, `quota.not_refundable`, `quota.unknown_operation`; the codes of
    /// keys and of the store.
    pub fn refund(
        &self,
        operation: u64,
        amount: Option<i64>,
        key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up("refund", operation, FollowUp::Refund(amount), amount, key)
    }

    /// Adds to the limit of an account's meter for its present window; of a stock, for good.
    ///
    /// # Errors
    /// `directory.unknown_account`, `quota.unknown_meter`; the codes of keys and of the store.
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

    /// Takes back what the top-up of that key added: a payment was charged back, say (B14). The
    /// limit falls at once, and what was used stays used: with more used than the limit nothing
    /// remains. In the history it is a `revoke_top_up` of the top-up. A second call changes
    /// nothing, and is `replayed`.
    ///
    /// # Errors
    /// `directory.unknown_account`, `quota.unknown_top_up`, `quota.key_pruned` once the window of a
    /// flow is over and 35 days; the codes of the store.
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

    /// Counts what an account, or a member of it, used in this window before Sublet counted. No
    /// limit is asked.
    ///
    /// # Errors
    /// As [`Engine::top_up`].
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

    /// How an account stands: every meter, or one; with the member's own part, if one is named
    /// (Q11).
    ///
    /// # Errors
    /// `directory.unknown_account`, `directory.unknown_record` for a member that is not of it,
    /// `quota.unknown_meter`; the codes of the store.
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

    /// What was done to an account's counts, the newest first: at most so many, older than the
    /// operation `before`.
    ///
    /// # Errors
    /// The codes of the store.
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

    /// Compares every count with the sum of its operations.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn verify(&self) -> Result<Verification, Error> {
        catch_panic(|| self.current.load().store.verify())
    }

    /// Whether the verbs that count may wait for a file: hosts with an event loop await them then.
    #[must_use]
    pub fn is_file_backed(&self) -> bool {
        self.current.load().store.touches_files()
    }

    /// Whether this engine has read the latest version of the directory: a question is answered at
    /// once then, without reading what another process has changed.
    #[doc(hidden)]
    #[must_use]
    pub fn _is_current(&self) -> bool {
        self.current.load().is_current()
    }

    /// Whether this verb may be done while an event loop waits, for bindings that have one.
    ///
    /// # Errors
    /// [`Error::StoreSync`] if it may wait for a file.
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

    /// Takes the clock's word for it after `store.clock_jump`: so much time has passed.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn accept_clock(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.accept_clock())
    }

    /// Forgets every count and every key of a store in memory, and which instant it has seen: for
    /// tests, between one case and the next. A [`ManualClock`](crate::ManualClock) may go back
    /// before it.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn forget_counts(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.clear())
    }

    /// Takes all of a list, or nothing: the decisions, in their order. Nothing was taken if one of
    /// them refuses.
    ///
    /// # Errors
    /// [`Error::Item`] with the index of the first that is malformed; the codes of the store.
    pub fn batch(
        &self,
        items: &[(RequestRef<'_>, ConsumeOptions<'_>)],
    ) -> Result<Vec<Decision>, Error> {
        let questions = items.iter().map(|(question, _)| question);
        self.watched_batch("batch", questions, || {
            catch_panic(|| {
                self.retry_on_new_snapshot(|state| state.batch(items, || self.is_latest(state)))
            })
        })
    }

    /// Does the work with the version that is in force when it runs: again, if another came before
    /// the store's turn.
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
        self.watched(verb, question, || {
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

    /// Takes what a note says is allowed in this version; nothing where there is none, or another
    /// version came meanwhile.
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

/// How many versions may pass by before a verb gives up: more than can.
const MAX_SNAPSHOT_RETRIES: usize = 1_000_000;

/// The longest that a reservation may hold: 366 days, in milliseconds.
const MOST_TTL: i64 = 366 * 86_400_000;
