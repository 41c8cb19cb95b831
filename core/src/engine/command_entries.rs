//! The entries of commands in the billing ledger and in the counts: payments, settlements, top-ups.

use std::collections::BTreeSet;

use super::Snapshot;
use super::quota::adjustment_digest;
use super::quota_account::QuotaAccount;
use crate::api::quota::CountReceipt;
use crate::billing::{BillingLedger, MonthClosing, Payment};
use crate::commands::{
    CloseMonth, Command, CommandTarget, RecordPayment, ReversePayment, RevokeTopUp, SettleOverage,
    TopUp,
};
use crate::directory::Change;
use crate::quota::{self, Adjustment};
use crate::store::CountTx;
use crate::util::error::Error;

/// An operation that a command recorded in the history of an account, beside its own entry.
pub(super) enum CommandEntry {
    Payment(Payment),
    /// The receipt of a top-up or of its revocation.
    Count(CountReceipt),
}

impl CommandEntry {
    /// Returns the id of the operation.
    pub(super) fn operation(&self) -> Option<u64> {
        match self {
            Self::Payment(payment) => Some(payment.payment),
            Self::Count(receipt) => receipt.operation,
        }
    }
}

/// The writes of a command beside the directory, and the changes that follow from them.
#[derive(Default)]
pub(super) struct RecordedEntry {
    pub(super) entry: Option<CommandEntry>,
    /// The changes of clients that are disabled for overage, or no longer are.
    pub(super) changes: Vec<Change>,
    /// The months that were closed.
    pub(super) closings: Vec<MonthClosing>,
}

/// Writes to a billing ledger.
type LedgerWrite<'w> = &'w dyn Fn(&mut BillingLedger<'_>) -> Result<Option<CommandEntry>, Error>;

impl Snapshot {
    /// Writes what an allowed command brings to the billing ledger or to the counts. Other commands
    /// write nothing.
    pub(super) fn record_entry(
        &self,
        command: &Command,
        tx: &mut dyn CountTx,
    ) -> Result<RecordedEntry, Error> {
        match command {
            Command::RecordPayment(RecordPayment {
                account,
                period,
                cents,
            }) => self.write_ledger(tx, account, &|ledger| {
                let payment = ledger.pay(period.as_deref(), *cents, None)?;
                Ok(Some(CommandEntry::Payment(payment)))
            }),
            Command::ReversePayment(ReversePayment { account, payment }) => {
                self.write_ledger(tx, account, &|ledger| {
                    let reversal = ledger.reverse(*payment, None)?;
                    Ok(Some(CommandEntry::Payment(reversal)))
                })
            }
            Command::CloseMonth(CloseMonth { account, period }) => {
                self.write_ledger(tx, account, &|ledger| {
                    ledger.close_month(period)?;
                    Ok(None)
                })
            }
            Command::SettleOverage(SettleOverage {
                account,
                period,
                choice,
            }) => self.write_ledger(tx, account, &|ledger| {
                ledger.settle(period, choice)?;
                Ok(None)
            }),
            Command::TopUp(top_up) => {
                self.change_limit_of(tx, &top_up.account, &|tx| self.record_top_up(top_up, tx))
            }
            Command::RevokeTopUp(RevokeTopUp { account, key }) => {
                self.change_limit_of(tx, account, &|tx| {
                    let counting = QuotaAccount::new(self, command.name(), account, None)?;
                    let lines = |meter: &str, member: Option<&str>| {
                        counting.line_for_member(member, meter).ok()
                    };
                    let (receipt, _) = quota::revoke_top_up(tx, account, key, &lines)?;
                    Ok(receipt)
                })
            }
            _ => Ok(RecordedEntry::default()),
        }
    }

    /// Adds to the context of a command with a month whether the month is over, and whether its days
    /// of grace are (E7). A client account has no months.
    pub(super) fn add_month_phase(
        &self,
        target: CommandTarget,
        tx: &mut dyn CountTx,
    ) -> Result<CommandTarget, Error> {
        let (account, Some(period)) = (target.resource.id(), &target.month) else {
            return Ok(target);
        };
        let history = self.figure_history(tx)?;
        let mut ledger = match self.billing_ledger(&self.directory, tx, &history, account) {
            Err(Error::BillsNoClient { .. }) => return Ok(target),
            ledger => ledger?,
        };
        Ok(match ledger.month_phase(period)? {
            Some((is_over, is_grace_over)) => target.with_month_phase(is_over, is_grace_over),
            None => target,
        })
    }

    /// Writes to the billing ledger of an owner, with the changes of its clients that follow.
    fn write_ledger(
        &self,
        tx: &mut dyn CountTx,
        owner: &str,
        write: LedgerWrite<'_>,
    ) -> Result<RecordedEntry, Error> {
        let history = self.figure_history(tx)?;
        let mut ledger = self.billing_ledger(&self.directory, tx, &history, owner)?;
        let entry = write(&mut ledger)?;
        Ok(RecordedEntry {
            entry,
            changes: ledger.overage(&BTreeSet::new())?,
            closings: ledger.into_closings(),
        })
    }

    /// Changes the top-ups of an account. The months that are over are closed first, so that they
    /// keep the included number of their last instant (B8).
    fn change_limit_of(
        &self,
        tx: &mut dyn CountTx,
        account: &str,
        change: &dyn Fn(&mut dyn CountTx) -> Result<CountReceipt, Error>,
    ) -> Result<RecordedEntry, Error> {
        let (closings, _) = self.close_books(tx, &[account.to_owned()])?;
        Ok(RecordedEntry {
            entry: Some(CommandEntry::Count(change(tx)?)),
            changes: Vec::new(),
            closings,
        })
    }

    /// Records a top-up under its own key, as [`Engine::top_up`](super::Engine::top_up) does.
    fn record_top_up(&self, top_up: &TopUp, tx: &mut dyn CountTx) -> Result<CountReceipt, Error> {
        const VERB: &str = "top_up";
        let TopUp {
            account,
            meter,
            amount,
            key,
        } = top_up;
        let counting = QuotaAccount::new(self, VERB, account, None)?;
        let line = counting.line(meter, *amount)?;
        let key = adjustment_digest(VERB, (account, None), meter, *amount, key.as_deref())?;
        let what = Adjustment::TopUp(*amount);
        quota::record_adjustment(tx, &counting.subject(), &line, key, what)
            .map(|(receipt, _)| receipt)
    }
}
