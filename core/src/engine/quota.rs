//! Follow-ups of operations, adjustments of counts, `usage` and `history`.

use super::books::lock_with_store;
use super::quota_account::QuotaAccount;
use super::quota_request::idempotency_digest;
use super::{Engine, Snapshot};
use crate::api::consume_options::check_amount;
use crate::api::quota::{CountReceipt, Quota};
use crate::quota::{self, Adjustment, FollowUp, HistoryEntry};
use crate::store::{self, CountTx, Durability, TxOutcome};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// Changes the top-ups of an account in a transaction.
type LimitTx<'e> =
    &'e dyn Fn(&Snapshot, &mut dyn CountTx) -> Result<(CountReceipt, TxOutcome), Error>;

impl Engine {
    /// Commits a reservation: debits its amount, or `amount` of each meter, and releases the rest.
    ///
    /// # Errors
    /// Fails with `quota.reservation_expired`, `quota.reservation_closed`, `quota.commit_too_much`
    /// and `quota.unknown_operation`, and with the codes of keys and of the store.
    pub fn commit(
        &self,
        reservation: u64,
        amount: Option<i64>,
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up(
            "commit",
            reservation,
            FollowUp::Commit(amount),
            amount,
            idempotency_key,
        )
    }

    /// Releases the amount of a reservation.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::commit`].
    pub fn release(
        &self,
        reservation: u64,
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up(
            "release",
            reservation,
            FollowUp::Release,
            None,
            idempotency_key,
        )
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
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.run_follow_up(
            "refund",
            operation,
            FollowUp::Refund(amount),
            amount,
            idempotency_key,
        )
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
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.record_adjustment(
            "top_up",
            (account, None),
            meter,
            amount,
            idempotency_key,
            Adjustment::TopUp(amount),
        )
    }

    /// Revokes the top-up with this key, for example after a charge-back (B14). The limit falls at
    /// once, and the usage stays. If more is used than the limit, nothing remains. The history
    /// records a `revoke_top_up` of the top-up. A second call changes nothing, and is `replayed`.
    ///
    /// # Errors
    /// Fails with `directory.unknown_account` and `quota.unknown_top_up`, and with the codes of the
    /// store. For a flow, fails with `quota.idempotency_key_pruned` from 35 days after the end of
    /// the window.
    ///
    /// # Example: a charge-back
    /// ```
    /// use sublet::{Change, Engine, Options, Record};
    /// let engine = Engine::open(Options::default())?;
    /// let acme = r#"{"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency", "confirmed": true}"#;
    /// engine.apply_changes(vec![Change::Put(Record::from_json(acme)?)], None)?;
    /// engine.top_up("acme", "emails", 1_000, Some("charge/1"))?;
    /// engine.revoke_top_up("acme", "charge/1")?;
    /// assert_eq!(engine.usage("acme", None, Some("emails"))?[0].top_up, 0);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn revoke_top_up(
        &self,
        account: &str,
        idempotency_key: &str,
    ) -> Result<CountReceipt, Error> {
        const VERB: &str = "revoke_top_up";
        let revoked = catch_panic(|| {
            self.change_limit(VERB, account, &|state, tx| {
                let counting = QuotaAccount::new(state, VERB, account, None)?;
                let lines = |meter: &str, member: Option<&str>| {
                    counting.line_for_member(member, meter).ok()
                };
                quota::revoke_top_up(tx, account, idempotency_key, &lines)
            })
        });
        let counted = self.count_error(VERB, revoked)?;
        self.emit_debit(VERB, account, None, &counted);
        Ok(counted)
    }

    /// Changes the top-ups of an account. The months of the owner's bill that are over are closed
    /// first, so that they keep the included number of their last instant (B8).
    fn change_limit(
        &self,
        verb: &'static str,
        account: &str,
        change: LimitTx<'_>,
    ) -> Result<CountReceipt, Error> {
        let ((counted, closings), _) = self.transact(
            verb,
            |_| Ok(lock_with_store(vec![account.to_owned()])),
            |state, tx| {
                let (mut closings, _) = state.close_books(tx, &[account.to_owned()])?;
                let (counted, outcome) = change(state, tx)?;
                if outcome == TxOutcome::Rollback {
                    closings.clear();
                }
                Ok(((counted, closings), None, outcome))
            },
        )?;
        self.emit_closings(verb, &closings);
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
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        self.record_adjustment(
            "carry_over",
            (account, member),
            meter,
            amount,
            idempotency_key,
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
            store::view(&*state.store, account, |tx| {
                quota::usage(tx, &counting.subject(), &lines)
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
            store::view(&*self.current.load().store, account, |tx| {
                quota::history(tx, account, before, most)
            })
        })
    }

    fn run_follow_up(
        &self,
        verb: &'static str,
        operation: u64,
        how: FollowUp,
        amount: Option<i64>,
        idempotency_key: Option<&str>,
    ) -> Result<CountReceipt, Error> {
        let settled = catch_panic(|| {
            let state = self.current()?;
            amount.map_or(Ok(()), check_amount)?;
            let account = state
                .store
                .account_of(operation)?
                .ok_or(Error::UnknownOperation { operation })?;
            let parts = [
                verb.to_owned(),
                operation.to_string(),
                amount.map(|amount| amount.to_string()).unwrap_or_default(),
            ];
            let idempotency_key =
                idempotency_digest(idempotency_key, parts.iter().map(String::as_str))?;
            let follow_up = |state: &Snapshot, tx: &mut dyn CountTx| {
                let counting = QuotaAccount::new(state, verb, &account, None)?;
                let lines = |meter: &str, member: Option<&str>| {
                    counting.line_for_member(member, meter).ok()
                };
                let request = quota::FollowUpRequest {
                    operation,
                    idempotency_key,
                    lines: &lines,
                };
                quota::follow_up(tx, &request, how)
            };
            let counted = if quota::changes_limit(&*state.store, &account, operation)? {
                self.change_limit(verb, &account, &follow_up)?
            } else {
                let accounts = [account.as_str()];
                store::transaction(&*state.store, &accounts, Durability::Process, |tx| {
                    follow_up(&state, tx)
                })?
            };
            Ok((account, counted))
        });
        let (account, counted) = self.count_error(verb, settled)?;
        self.emit_debit(verb, &account, Some(operation), &counted);
        Ok(counted)
    }

    fn record_adjustment(
        &self,
        verb: &'static str,
        owner: (&str, Option<&str>),
        meter: &str,
        amount: i64,
        idempotency_key: Option<&str>,
        what: Adjustment,
    ) -> Result<CountReceipt, Error> {
        let stated = catch_panic(|| {
            let state = self.current()?;
            check_amount(amount)?;
            let (account, member) = owner;
            let idempotency_key = adjustment_digest(verb, owner, meter, amount, idempotency_key)?;
            let adjust = |state: &Snapshot, tx: &mut dyn CountTx| {
                let counting = QuotaAccount::new(state, verb, account, member)?;
                let line = counting.line(meter, amount)?;
                quota::record_adjustment(tx, &counting.subject(), &line, idempotency_key, what)
            };
            // Only a top-up of a stock that counts records changes a bill.
            let is_counted = state
                .tenancy(verb)?
                .catalog
                .counted()
                .any(|(counted, _)| **counted == *meter);
            if is_counted && matches!(what, Adjustment::TopUp(_)) {
                return self.change_limit(verb, account, &adjust);
            }
            store::transaction(&*state.store, &[account], what.durability(), |tx| {
                adjust(&state, tx)
            })
        });
        let counted = self.count_error(verb, stated)?;
        self.emit_debit(verb, owner.0, None, &counted);
        Ok(counted)
    }
}

/// Returns the key of an adjustment with the digest of its request, if it has a key.
pub(super) fn adjustment_digest<'k>(
    verb: &str,
    (account, member): (&str, Option<&str>),
    meter: &str,
    amount: i64,
    idempotency_key: Option<&'k str>,
) -> Result<Option<(&'k str, [u8; 32])>, Error> {
    let (member, amount) = (member.unwrap_or_default(), amount.to_string());
    let parts = [verb, account, member, meter, &amount];
    idempotency_digest(idempotency_key, parts.into_iter())
}
