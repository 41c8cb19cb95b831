//! Stocks that the directory is the count of, and what commands leave in an account's history.

use super::idempotency::Recorded;
use super::take::{KEY_LIFE, Place, in_force, numbered};
use super::{Line, Subject};
use crate::api::decision::Decision;
use crate::api::quota::Counted;
use crate::model::calendar::Window;
use crate::model::limit::Limit;
use crate::store::{Ledger, New, OperationKind, Part, Whose};
use crate::util::error::Error;

/// The line of an account's history on which nothing is counted.
pub(crate) const UNCOUNTED: &str = "";

/// Makes a stock what there is; nobody is asked, for there it is.
pub(crate) fn keep(
    ledger: &mut dyn Ledger,
    subject: &Subject<'_>,
    line: &Line<'_>,
    count: i64,
) -> Result<(), Error> {
    let whose = Whose {
        account: subject.account,
        member: None,
    };
    let place = Place::find(ledger, whose, line, subject)?;
    let used = place.bucket.map_or(0, |bucket| bucket.used);
    if used == count {
        return Ok(());
    }
    let bucket = match place.bucket {
        Some(bucket) => bucket,
        None => ledger.open(whose, line.meter, place.window)?,
    };
    let parts = [Part {
        used: count.saturating_sub(used),
        ..Part::of(bucket.id)
    }];
    record(
        ledger,
        OperationKind::Set,
        subject,
        None,
        &parts,
        &mut |_| Vec::new(),
    )
    .map(drop)
}

/// The limit in force of a stock, what was added to it included.
pub(crate) fn limit_of(
    ledger: &mut dyn Ledger,
    subject: &Subject<'_>,
    line: &Line<'_>,
) -> Result<Limit, Error> {
    let place = Place::find(
        ledger,
        Whose {
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

/// Writes into the history that a command was obeyed; gives the decision with the number of its line.
pub(crate) fn write_down(
    ledger: &mut dyn Ledger,
    subject: &Subject<'_>,
    key: Option<(&str, [u8; 32])>,
    decision: Decision,
) -> Result<Decision, Error> {
    let parts = uncounted(ledger, subject.account)?;
    let decision = Decision {
        counted: Some(Box::new(Counted::default())),
        ..decision
    };
    let id = record(
        ledger,
        OperationKind::Command,
        subject,
        key,
        &parts,
        &mut |id| Recorded::bytes(&numbered(decision.clone(), id)),
    )?;
    Ok(numbered(decision, id))
}

/// Keeps an answer for its key in another book than that in which it stands.
pub(crate) fn remember(
    ledger: &mut dyn Ledger,
    subject: &Subject<'_>,
    key: (&str, [u8; 32]),
    decision: &Decision,
) -> Result<(), Error> {
    let parts = uncounted(ledger, subject.account)?;
    record(
        ledger,
        OperationKind::Command,
        subject,
        Some(key),
        &parts,
        &mut |_| Recorded::bytes(decision),
    )
    .map(drop)
}

/// A part that changes nothing: an operation has one.
fn uncounted(ledger: &mut dyn Ledger, account: &str) -> Result<[Part; 1], Error> {
    let whose = Whose {
        account,
        member: None,
    };
    let bucket = match ledger.latest(whose, UNCOUNTED)? {
        Some(bucket) => bucket,
        None => ledger.open(whose, UNCOUNTED, Window::ALWAYS)?,
    };
    Ok([Part::of(bucket.id)])
}

fn record(
    ledger: &mut dyn Ledger,
    kind: OperationKind,
    subject: &Subject<'_>,
    key: Option<(&str, [u8; 32])>,
    parts: &[Part],
    answer: &mut dyn FnMut(u64) -> Vec<u8>,
) -> Result<u64, Error> {
    let Subject {
        account,
        member,
        actor,
        ..
    } = *subject;
    let keep = ledger.now().saturating_add(KEY_LIFE);
    ledger.record(New {
        kind,
        account,
        member,
        actor,
        key,
        of: None,
        until: None,
        keep,
        parts,
        answer,
    })
}
