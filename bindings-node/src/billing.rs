//! Methods about the owner's bill. They cross as JSON both ways.

use serde::Deserialize;
use sublet::Engine;

use crate::dispatch::Answer;
use crate::json::{exact_text, read};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct BillJson {
    owner: String,
    period: Option<String>,
    limit: usize,
    after: Option<String>,
    cents: i64,
    payment: u64,
    idempotency_key: Option<String>,
    choice: Vec<String>,
}

/// Calls a method of the bill. Returns `None` for other names.
pub(crate) fn dispatch_billing(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let form = || read::<BillJson>(verb, texts.first().map_or("", String::as_str));
    let period = |form: &BillJson| form.period.clone().unwrap_or_default();
    let answer = match verb {
        "statement" => {
            form().and_then(|form| exact_text(&engine.statement(&form.owner, &period(&form))?))
        }
        "previewStatement" => {
            form().and_then(|form| exact_text(&engine.preview_statement(&form.owner)?))
        }
        "recordPayment" => form().and_then(|form| {
            exact_text(&engine.record_payment(
                &form.owner,
                form.period.as_deref(),
                form.cents,
                form.idempotency_key.as_deref(),
            )?)
        }),
        "reversePayment" => form().and_then(|form| {
            exact_text(&engine.reverse_payment(form.payment, form.idempotency_key.as_deref())?)
        }),
        "closeMonth" => {
            form().and_then(|form| exact_text(&engine.close_month(&form.owner, &period(&form))?))
        }
        "closeDue" => form()
            .and_then(|form| exact_text(&engine.close_due(form.limit, form.after.as_deref())?)),
        "settleOverage" => form().and_then(|form| {
            exact_text(&engine.settle_overage(&form.owner, &period(&form), &form.choice)?)
        }),
        _ => return None,
    };
    Some(answer)
}
