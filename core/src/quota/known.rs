//! Taking what a note says is allowed: one meter of an account that asks for itself, without a key. It does what [`take`]
//! does with such a question, and answers the same; nothing is asked of policies and directory.
//!
//! [`take`]: super::take

use std::sync::Arc;

use super::answer::Counted;
use super::take::{Place, Placed, kept_until, quota};
use super::{Line, Quota};
use crate::catalog::{MeterKind, WindowKind};
use crate::store::{Asked, Bucket, Ledger, New, Note, OperationKind, Part, Whose};
use crate::{Decision, Error};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) account: &'a str,
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    pub(crate) asked: Asked,
}

/// Takes, if a note says that it is allowed. `decide` gives the answer that the note names.
pub(crate) fn take_known(ledger: &mut dyn Ledger, known: &Known<'_>, decide: impl FnOnce(u8) -> Option<Decision>) -> Result<Option<Decision>, Error> {
    let Known { account, meter, kind, asked } = *known;
    let now = ledger.now();
    let noted = ledger.noted(account, meter).filter(|(bucket, note)| note.answers(asked, bucket) && bucket.window.contains(now));
    let Some((bucket, note)) = noted else { return Ok(None) };
    let Some(mut decision) = decide(note.answer).filter(|decision| decision.allowed) else { return Ok(None) };
    let id = ledger.record(New {
        kind: OperationKind::Consume,
        account,
        member: None,
        actor: None,
        key: None,
        of: None,
        until: None,
        keep: kept_until(kind, bucket.window, now),
        parts: &[Part { used: asked.amount, ..Part::of(bucket.id) }],
        answer: &mut |_| Vec::new(),
    })?;
    decision.counted = Some(Box::new(Counted { quota: vec![told(known, &note, bucket)], operation: Some(id), ..Counted::default() }));
    Ok(Some(decision))
}

fn told(known: &Known<'_>, note: &Note, bucket: Bucket) -> Quota {
    let Known { meter, kind, asked: Asked { amount, .. }, .. } = *known;
    // Which window comes next is not asked while this one lasts.
    let line = Line { meter, kind, window: WindowKind::Lifetime, frees: false, amount, allowance: note.allowance, sub_limit: None };
    let account = Place { bucket: Some(bucket), window: bucket.window };
    quota(&Placed { line, account, member: None }, None, amount, amount, 0)
}

/// Notes that what was taken just now stays allowed while so much is used, by the answer of that name.
pub(crate) fn note(ledger: &mut dyn Ledger, known: &Known<'_>, line: &Line<'_>, held: i64, (from, to, answer): (i64, i64, u8)) -> Result<(), Error> {
    let Known { account, meter, asked, .. } = *known;
    let Some(bucket) = ledger.latest(Whose { account, member: None }, meter)?.filter(|bucket| bucket.held == held) else { return Ok(()) };
    // Beyond this nothing more can be counted at all.
    let most = i64::MAX.saturating_sub(held).saturating_sub(asked.amount);
    ledger.note(account, meter, Note { asked, answer, allowance: line.allowance, from, to: to.min(most), held, top_up: bucket.top_up });
    Ok(())
}
