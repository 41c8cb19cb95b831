//! Methods about the owner's bill. They cross as JSON both ways.

use serde::Deserialize;
use sublet::Engine;

use crate::quota::{Answer, exact_text};
use crate::read;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct BillJson {
    owner: String,
    period: String,
    cents: i64,
    payment: u64,
    idempotency_key: Option<String>,
    choice: Vec<String>,
}

/// Calls a method of the bill. Returns `None` for other names.
pub(crate) fn dispatch_billing(engine: &Engine, verb: &str, form: &str) -> Option<Answer> {
    let asked = || read::<BillJson>(verb, form);
    let answer = match verb {
        "statement" => {
            asked().and_then(|asked| exact_text(&engine.statement(&asked.owner, &asked.period)?))
        }
        "previewStatement" => {
            asked().and_then(|asked| exact_text(&engine.preview_statement(&asked.owner)?))
        }
        "recordPayment" => asked().and_then(|asked| {
            exact_text(&engine.record_payment(
                &asked.owner,
                &asked.period,
                asked.cents,
                asked.idempotency_key.as_deref(),
            )?)
        }),
        "reversePayment" => asked().and_then(|asked| {
            exact_text(&engine.reverse_payment(asked.payment, asked.idempotency_key.as_deref())?)
        }),
        "settleOverage" => asked().and_then(|asked| {
            exact_text(&engine.settle_overage(&asked.owner, &asked.period, &asked.choice)?)
        }),
        _ => return None,
    };
    Some(answer)
}
