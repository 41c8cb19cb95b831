//! Stocks that the directory counts, and the entries that commands write to an account's history.

use super::idempotency::{IDEMPOTENCY_RETENTION_MS, StoredAnswer};
use super::meter_state::{CurrentBucket, in_force};
use super::receipt::with_operation_id;
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::Decision;
use crate::api::quota::CountReceipt;
use crate::model::calendar::Window;
use crate::model::limit::Limit;
use crate::store::{BucketDelta, CountOwner, CountTx, NewOperation, OperationKind, RetryAnswer};
use crate::util::error::Error;

/// The meter of history entries that count nothing.
pub(crate) const HISTORY_METER: &str = "";

/// Sets a stock to the number of existing records. Does not check the limit, because the records
/// already exist.
pub(crate) fn sync_stock(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    line: &MeterRequest<'_>,
    count: i64,
) -> Result<(), Error> {
    let owner = CountOwner {
        account: subject.account,
        member: None,
    };
    let place = CurrentBucket::find(tx, owner, line, subject)?;
    let used = place.bucket.map_or(0, |bucket| bucket.used);
    if used == count {
        return Ok(());
    }
    let bucket = match place.bucket {
        Some(bucket) => bucket,
        None => tx.open(owner, line.meter, place.window)?,
    };
    let parts = [BucketDelta {
        used: count.saturating_sub(used),
        ..BucketDelta::for_bucket(bucket.id)
    }];
    record(
        tx,
        (OperationKind::Set, None),
        subject,
        None,
        &parts,
        &mut |_| Box::new(Vec::new()),
    )
    .map(drop)
}

/// Returns the limit in force of a stock, top-ups included.
pub(crate) fn limit_of(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    line: &MeterRequest<'_>,
) -> Result<Limit, Error> {
    let place = CurrentBucket::find(
        tx,
        CountOwner {
            account: subject.account,
            member: None,
        },
        line,
        subject,
    )?;
    Ok(in_force(
        line.allowance,
        place.bucket.map_or(0, |bucket| bucket.top_up),
    ))
}

/// Appends a command that was carried out to the history. `parent` is the payment or top-up that
/// the command recorded. Returns the decision with the operation's id.
pub(crate) fn record_command(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    idempotency_key: Option<(&str, [u8; 32])>,
    parent: Option<u64>,
    decision: Decision,
) -> Result<Decision, Error> {
    let parts = history_bucket(tx, subject.account)?;
    let decision = Decision {
        counted: Some(Box::new(CountReceipt::default())),
        ..decision
    };
    let id = record(
        tx,
        (OperationKind::Command, parent),
        subject,
        idempotency_key,
        &parts,
        &mut |id| StoredAnswer::boxed(with_operation_id(decision.clone(), id)),
    )?;
    Ok(with_operation_id(decision, id))
}

/// Stores the answer of an idempotency key under the caller's account, if the history entry belongs
/// to another account.
pub(crate) fn record_key(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    idempotency_key: (&str, [u8; 32]),
    decision: &Decision,
) -> Result<(), Error> {
    let parts = history_bucket(tx, subject.account)?;
    record(
        tx,
        (OperationKind::Command, None),
        subject,
        Some(idempotency_key),
        &parts,
        &mut |_| StoredAnswer::boxed(decision.clone()),
    )
    .map(drop)
}

/// Returns a delta that changes nothing, because every operation needs a delta.
fn history_bucket(tx: &mut dyn CountTx, account: &str) -> Result<[BucketDelta; 1], Error> {
    let owner = CountOwner {
        account,
        member: None,
    };
    let bucket = match tx.current_bucket(owner, HISTORY_METER)? {
        Some(bucket) => bucket,
        None => tx.open(owner, HISTORY_METER, Window::ALWAYS)?,
    };
    Ok([BucketDelta::for_bucket(bucket.id)])
}

fn record(
    tx: &mut dyn CountTx,
    (kind, parent): (OperationKind, Option<u64>),
    subject: &QuotaSubject<'_>,
    idempotency_key: Option<(&str, [u8; 32])>,
    parts: &[BucketDelta],
    answer: &mut dyn FnMut(u64) -> Box<dyn RetryAnswer>,
) -> Result<u64, Error> {
    let QuotaSubject {
        account,
        member,
        actor,
        ..
    } = *subject;
    let retain_until = tx.now().saturating_add(IDEMPOTENCY_RETENTION_MS);
    tx.append(NewOperation {
        kind,
        account,
        member,
        actor,
        idempotency_key,
        parent,
        expires_at: None,
        retain_until,
        parts,
        answer,
    })
}
