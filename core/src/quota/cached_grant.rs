//! Taking what a note says is allowed: one meter of an account that asks for itself, without a key. It does what [`take`]
//! does with such a question, and answers the same; nothing is asked of policies and directory.
//!
//! [`take`]: super::take

use std::sync::Arc;

use super::Line;
use super::take::{in_force, kept_until};
use crate::api::quota::{Counted, Quota};
use crate::model::catalog::MeterKind;
use crate::model::limit::Allowance;
use crate::store::{Asked, Bucket, Ledger, Note, Noted, Whose};
use crate::util::error::Error;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) account: &'a str,
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    pub(crate) asked: Asked,
}

/// Takes, if a note says that it is allowed: the answer that the note names, and what was counted. `find` gives the answer,
/// unless it is a no.
pub(crate) fn take_known<A>(
    ledger: &mut dyn Ledger,
    known: &Known<'_>,
    find: impl FnOnce(u8) -> Option<A>,
) -> Result<Option<(A, Box<Counted>)>, Error> {
    let Known {
        account,
        meter,
        kind,
        asked,
    } = known;
    let Some(noted) = ledger.noted(account, meter, asked) else {
        return Ok(None);
    };
    let Some(answer) = find(noted.answer) else {
        return Ok(None);
    };
    let Noted { bucket, .. } = noted;
    let id = ledger.spend(
        account,
        bucket.id,
        asked.amount,
        kept_until(*kind, bucket.window, ledger.now()),
    )?;
    Ok(Some((
        answer,
        Box::new(Counted {
            quota: vec![told(known, &noted)],
            operation: Some(id),
            ..Counted::default()
        }),
    )))
}

/// How the bucket stands then.
fn told(known: &Known<'_>, noted: &Noted) -> Quota {
    let Noted {
        bucket:
            Bucket {
                window,
                held,
                top_up,
                ..
            },
        allowance: Allowance { base, source, over },
        ..
    } = *noted;
    let (amount, limit) = (known.asked.amount, in_force(noted.allowance, top_up));
    let used = noted.bucket.used.saturating_add(amount);
    Quota {
        meter: Arc::clone(known.meter),
        amount,
        used,
        held,
        limit,
        source,
        base,
        over,
        top_up,
        remaining: limit.remaining(used, held),
        resets_at: window.resets_at(),
        member: None,
    }
}

/// Notes that what was taken just now stays allowed while so much is used, by the answer of that name.
pub(crate) fn note(
    ledger: &mut dyn Ledger,
    known: &Known<'_>,
    line: &Line<'_>,
    held: i64,
    (from, to, answer): (i64, i64, u8),
) -> Result<(), Error> {
    let Known {
        account,
        meter,
        asked,
        ..
    } = *known;
    let Some(bucket) = ledger
        .latest(
            Whose {
                account,
                member: None,
            },
            meter,
        )?
        .filter(|bucket| bucket.held == held)
    else {
        return Ok(());
    };
    // Beyond this nothing more can be counted at all.
    let most = i64::MAX.saturating_sub(held).saturating_sub(asked.amount);
    ledger.note(
        account,
        meter,
        Note {
            asked,
            answer,
            allowance: line.allowance,
            from,
            to: to.min(most),
            held,
            top_up: bucket.top_up,
        },
    );
    Ok(())
}
