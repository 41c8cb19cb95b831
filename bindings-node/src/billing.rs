//! Methods about the owner's bill. They cross as JSON both ways.

use serde::Deserialize;
use sublet::Engine;

use crate::quota::{Answer, exact_text};
use crate::read;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct BillJson {
    owner: String,
    period: String,
    cents: i64,
    payment: u64,
    key: Option<String>,
    choice: Vec<String>,
}

/// Calls a method of the bill. Returns `None` for other names.
pub(crate) fn dispatch_billing(engine: &Engine, verb: &str, form: &str) -> Option<Answer> {
    let asked = || read::<BillJson>(verb, form);
    let answer = match verb {
        "statement" => {
            asked().and_then(|asked| exact_text(&engine.statement(&asked.owner, &asked.period)?))
        }
        "preview" => asked().and_then(|asked| exact_text(&engine.preview(&asked.owner)?)),
        "recordPayment" => asked().and_then(|asked| {
            exact_text(&engine.record_payment(
                &asked.owner,
                &asked.period,
                asked.cents,
                asked.key.as_deref(),
            )?)
        }),
        "reversePayment" => asked().and_then(|asked| {
            exact_text(&engine.reverse_payment(asked.payment, asked.key.as_deref())?)
        }),
        "settle" => asked().and_then(|asked| {
            exact_text(&engine.settle(&asked.owner, &asked.period, &asked.choice)?)
        }),
        _ => return None,
    };
    Some(answer)
}
