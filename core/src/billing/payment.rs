//! Payments received from an owner, and their reversals. Both are operations of the owner's
//! history, on the meter of their month.

use serde::{Deserialize, Serialize};

use super::month_list::BillingMonth;
use super::periods::BillingLedger;
use super::statement::Statement;
use crate::model::calendar::Window;
use crate::quota;
use crate::store::{BucketDelta, CountOwner, NewOperation, Operation, OperationKind, RetryAnswer};
use crate::util::error::Error;

/// The prefix of the meters for payments, one for each month. They count cents.
const PAYMENT_PREFIX: &str = "payments/";

fn payment_line(period: &str) -> String {
    format!("{PAYMENT_PREFIX}{period}")
}

/// A payment or a reversal, with the month's statement after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The number of the payment, which a reversal names.
    pub payment: u64,
    /// The amount in cents. Negative for a reversal.
    pub cents: i64,
    /// Whether an earlier call with the same idempotency key recorded it.
    pub replayed: bool,
    /// The statement of the month after the payment.
    pub statement: Statement,
}

type KeyDigest<'k> = Option<(&'k str, [u8; 32])>;

impl BillingLedger<'_> {
    fn replay(&mut self, idempotency_key: KeyDigest<'_>) -> Result<Option<Payment>, Error> {
        let known: Option<Payment> = quota::find_replay(self.tx, self.owner, idempotency_key)?;
        Ok(known.map(|payment| Payment {
            replayed: true,
            ..payment
        }))
    }

    /// Records that cents were received for a month (B4), or for the oldest month that is not paid
    /// (B9).
    pub(crate) fn pay(
        &mut self,
        name: Option<&str>,
        cents: i64,
        idempotency_key: KeyDigest<'_>,
    ) -> Result<Payment, Error> {
        if let Some(payment) = self.replay(idempotency_key)? {
            return Ok(payment);
        }
        let wrong = || Error::Amount {
            amount: cents.to_string(),
        };
        if cents <= 0 {
            return Err(wrong());
        }
        let period = match name {
            Some(name) => self.period(name)?,
            None => self.payable_month()?,
        };
        let (count_owner, line) = (
            CountOwner {
                account: self.owner,
                member: None,
            },
            payment_line(&period.name),
        );
        let bucket = match self.tx.current_bucket(count_owner, &line)? {
            Some(bucket) => bucket,
            None => self.tx.open(count_owner, &line, Window::ALWAYS)?,
        };
        let received = bucket.used.checked_add(cents).ok_or_else(wrong)?;
        let parts = [BucketDelta {
            used: cents,
            ..BucketDelta::for_bucket(bucket.id)
        }];
        self.record(&period, received, cents, |ledger, answer| {
            ledger.append_payment(
                OperationKind::Payment,
                None,
                &parts,
                idempotency_key,
                answer,
            )
        })
    }

    /// Returns the month that a payment without a period belongs to: the oldest that is not paid,
    /// else the month that runs, else the last one of a closed owner.
    fn payable_month(&mut self) -> Result<BillingMonth, Error> {
        self.close_over()?;
        if let Some(oldest) = self.months.find_owing().pop_first() {
            return self.period(&oldest);
        }
        let last = self.months.closed.keys().next_back().cloned();
        match (self.running(), last) {
            (Err(_), Some(last)) => self.period(&last),
            (running, _) => running,
        }
    }

    /// Reverses a payment, such as a charge that the bank returned.
    pub(crate) fn reverse(
        &mut self,
        payment: u64,
        idempotency_key: KeyDigest<'_>,
    ) -> Result<Payment, Error> {
        if let Some(payment) = self.replay(idempotency_key)? {
            return Ok(payment);
        }
        let unknown = || Error::UnknownPayment { payment };
        let operation = self
            .tx
            .operation(payment)?
            .filter(|found| found.kind == OperationKind::Payment && found.account == self.owner);
        let operation = operation.ok_or_else(unknown)?;
        let part = operation.parts.first().copied().ok_or_else(unknown)?;
        if part.refunded != 0 {
            return Err(Error::PaymentReversed { payment });
        }
        let line = self.tx.bucket(part.bucket)?.ok_or_else(unknown)?;
        let period = self.period(
            line.meter
                .strip_prefix(PAYMENT_PREFIX)
                .ok_or_else(unknown)?,
        )?;
        let cents = part.used.saturating_neg();
        let parts = [BucketDelta {
            used: cents,
            ..BucketDelta::for_bucket(part.bucket)
        }];
        let received = line.bucket.used.saturating_sub(part.used);
        let reversal = self.record(&period, received, cents, |ledger, answer| {
            ledger.append_payment(
                OperationKind::Reversal,
                Some(payment),
                &parts,
                idempotency_key,
                answer,
            )
        })?;
        self.tx.update_operation(&Operation {
            parts: [BucketDelta {
                refunded: part.used,
                ..part
            }]
            .into(),
            ..operation
        })?;
        Ok(reversal)
    }

    /// Records the cents received for a month, and returns the payment with the statement after it.
    fn record(
        &mut self,
        period: &BillingMonth,
        received: i64,
        cents: i64,
        append: impl FnOnce(&mut Self, &Payment) -> Result<u64, Error>,
    ) -> Result<Payment, Error> {
        self.months.received.insert(period.name.clone(), received);
        let answer = Payment {
            payment: 0,
            cents,
            replayed: false,
            statement: self.build_statement(period)?,
        };
        let payment = append(self, &answer)?;
        self.save_months()?;
        Ok(Payment { payment, ..answer })
    }

    /// Appends the operation to the history, where it is kept forever.
    fn append_payment(
        &mut self,
        kind: OperationKind,
        parent: Option<u64>,
        parts: &[BucketDelta],
        idempotency_key: KeyDigest<'_>,
        answer: &Payment,
    ) -> Result<u64, Error> {
        self.wrote = true;
        let mut told = |id| -> Box<dyn RetryAnswer> {
            let payment = Payment {
                payment: id,
                ..answer.clone()
            };
            Box::new(serde_json::to_vec(&payment).unwrap_or_default())
        };
        let (account, member, actor, expires_at) = (self.owner, None, None, None);
        self.tx.append(NewOperation {
            kind,
            account,
            member,
            actor,
            idempotency_key,
            parent,
            expires_at,
            retain_until: i64::MAX,
            parts,
            answer: &mut told,
        })
    }
}
