//! What commands write to the billing ledger and to the counts: payments, settlements and top-ups.

use super::Snapshot;
use super::quota::adjustment_digest;
use super::quota_account::QuotaAccount;
use crate::api::quota::CountReceipt;
use crate::billing::Payment;
use crate::commands::{Command, RecordPayment, ReversePayment, RevokeTopUp, SettleOverage, TopUp};
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

/// The entry of a command, and the changes of the directory that follow from it.
pub(super) type EntryWithChanges = (Option<CommandEntry>, Vec<Change>);

impl Snapshot {
    /// Writes what an allowed command brings to the billing ledger or to the counts. Other commands
    /// write nothing.
    pub(super) fn record_entry(
        &self,
        command: &Command,
        tx: &mut dyn CountTx,
    ) -> Result<EntryWithChanges, Error> {
        Ok(match command {
            Command::RecordPayment(RecordPayment {
                account,
                period,
                cents,
            }) => {
                let mut ledger = self.billing_ledger(&self.directory, tx, account)?;
                let payment = ledger.pay(period, *cents, None)?;
                (Some(CommandEntry::Payment(payment)), ledger.overage()?)
            }
            Command::ReversePayment(ReversePayment { account, payment }) => {
                let mut ledger = self.billing_ledger(&self.directory, tx, account)?;
                let reversal = ledger.reverse(*payment, None)?;
                (Some(CommandEntry::Payment(reversal)), ledger.overage()?)
            }
            Command::SettleOverage(SettleOverage {
                account,
                period,
                choice,
            }) => {
                let mut ledger = self.billing_ledger(&self.directory, tx, account)?;
                ledger.settle(period, choice)?;
                (None, ledger.overage()?)
            }
            Command::TopUp(top_up) => {
                let receipt = self.record_top_up(top_up, tx)?;
                (Some(CommandEntry::Count(receipt)), Vec::new())
            }
            Command::RevokeTopUp(RevokeTopUp { account, key }) => {
                let counting = QuotaAccount::new(self, command.name(), account, None)?;
                let lines = |meter: &str, member: Option<&str>| {
                    counting.line_for_member(member, meter).ok()
                };
                let (receipt, _) = quota::revoke_top_up(tx, account, key, &lines)?;
                (Some(CommandEntry::Count(receipt)), Vec::new())
            }
            _ => (None, Vec::new()),
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
