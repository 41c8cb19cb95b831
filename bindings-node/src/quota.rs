//! Methods about quotas that cross as JSON both ways. `call_buffers.rs` has those of plain
//! arguments.

use serde::{Deserialize, Serialize};
use sublet::{
    Command, ConsumeOptions, DEFAULT_HISTORY_LIMIT, Decision, Engine, Error, Request, RequestRef,
};

use crate::dispatch::Answer;
use crate::json::{exact_text, read};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct ConsumeOptionsJson {
    amount: i64,
    amounts: Vec<(String, i64)>,
    idempotency_key: Option<String>,
    allow_partial: bool,
}

impl ConsumeOptionsJson {
    pub(crate) fn options(&self) -> ConsumeOptions<'_> {
        let amounts = self
            .amounts
            .iter()
            .map(|(meter, amount)| (meter.as_str(), *amount))
            .collect();
        ConsumeOptions {
            amount: self.amount,
            amounts,
            idempotency_key: self.idempotency_key.as_deref(),
            allow_partial: self.allow_partial,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FollowUpJson {
    operation: u64,
    amount: Option<i64>,
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AdjustmentJson {
    account: String,
    member: Option<String>,
    meter: String,
    amount: i64,
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RevokeJson {
    account: String,
    idempotency_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageJson {
    account: String,
    member: Option<String>,
    meter: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryJson {
    account: String,
    before: Option<u64>,
    limit: Option<usize>,
}

fn parse_request(
    verb: &str,
    request: &str,
    take: &str,
) -> Result<(Request, ConsumeOptionsJson), Error> {
    Ok((Request::from_json(request)?, read(verb, take)?))
}

pub(crate) fn consume(engine: &Engine, request: &str, take: &str) -> Answer {
    let (request, form) = parse_request("consume", request, take)?;
    exact_text(&engine.consume(&request, &form.options())?)
}

/// Reserves for a time, or for the engine's default without a text of it.
fn reserve(engine: &Engine, request: &str, take: &str, ttl: Option<&str>) -> Answer {
    let (request, form) = parse_request("reserve", request, take)?;
    let parse = |text: &str| {
        text.parse().map_err(|_| Error::Ttl {
            ttl: text.to_owned(),
        })
    };
    let ttl = ttl.map(parse).transpose()?;
    exact_text(&engine.reserve(&request, &form.options(), ttl)?)
}

fn change_stock(engine: &Engine, verb: &str, request: &str, take: &str) -> Answer {
    let (request, form) = parse_request(verb, request, take)?;
    let options = form.options();
    exact_text(&match verb {
        "increaseStock" => engine.increase_stock(&request, &options)?,
        "decreaseStock" => engine.decrease_stock(&request, &options)?,
        _ => engine.set_stock(&request, &options)?,
    })
}

#[derive(Serialize)]
struct PerformedJson<'a> {
    decision: &'a Decision,
    token: Option<&'a str>,
    entry: Option<u64>,
}

fn perform(engine: &Engine, request: &str, command: &str, key: Option<&str>) -> Answer {
    let (request, command) = (Request::from_json(request)?, Command::from_json(command)?);
    let performed = engine.perform(&request.principal, &command, &request.environment, key)?;
    exact_text(&PerformedJson {
        decision: &performed.decision,
        token: performed.token.as_deref(),
        entry: performed.entry,
    })
}

fn batch(engine: &Engine, requests: &str, takes: &str) -> Answer {
    let (requests, forms): (Vec<Request>, Vec<ConsumeOptionsJson>) =
        (Request::list_from_json(requests)?, read("batch", takes)?);
    let items: Vec<(RequestRef<'_>, ConsumeOptions<'_>)> = requests
        .iter()
        .map(RequestRef::from)
        .zip(forms.iter().map(ConsumeOptionsJson::options))
        .collect();
    exact_text(&engine.batch(&items)?)
}

fn follow_up(engine: &Engine, verb: &str, form: &str) -> Answer {
    let form: FollowUpJson = read(verb, form)?;
    let key = form.idempotency_key.as_deref();
    exact_text(&match verb {
        "commit" => engine.commit(form.operation, form.amount, key)?,
        "release" => engine.release(form.operation, key)?,
        _ => engine.refund(form.operation, form.amount, key)?,
    })
}

fn adjust(engine: &Engine, verb: &str, form: &str) -> Answer {
    let form: AdjustmentJson = read(verb, form)?;
    let (account, meter, key) = (&form.account, &form.meter, form.idempotency_key.as_deref());
    exact_text(&match verb {
        "topUp" => engine.top_up(account, meter, form.amount, key)?,
        _ => engine.carry_over(account, form.member.as_deref(), meter, form.amount, key)?,
    })
}

fn revoke_top_up(engine: &Engine, form: &str) -> Answer {
    let form: RevokeJson = read("revokeTopUp", form)?;
    exact_text(&engine.revoke_top_up(&form.account, &form.idempotency_key)?)
}

fn usage(engine: &Engine, form: &str) -> Answer {
    let form: UsageJson = read("usage", form)?;
    let (member, meter) = (form.member.as_deref(), form.meter.as_deref());
    exact_text(&engine.usage(&form.account, member, meter)?)
}

fn history(engine: &Engine, form: &str) -> Answer {
    let form: HistoryJson = read("history", form)?;
    let limit = form.limit.unwrap_or(DEFAULT_HISTORY_LIMIT);
    exact_text(&engine.history(&form.account, form.before, limit)?)
}

/// Calls a method about quotas. Returns `None` for other names.
pub(crate) fn dispatch_quota(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let given = |at: usize| texts.get(at).map(String::as_str);
    let text = |at: usize| given(at).unwrap_or_default();
    let answer = match verb {
        "consume" => consume(engine, text(0), text(1)),
        "reserve" => reserve(engine, text(0), text(1), given(2)),
        "setStock" | "increaseStock" | "decreaseStock" => {
            change_stock(engine, verb, text(0), text(1))
        }
        "perform" => perform(engine, text(0), text(1), given(2)),
        "batch" => batch(engine, text(0), text(1)),
        "commit" | "release" | "refund" => follow_up(engine, verb, text(0)),
        "topUp" | "carryOver" => adjust(engine, verb, text(0)),
        "revokeTopUp" => revoke_top_up(engine, text(0)),
        "usage" => usage(engine, text(0)),
        "history" => history(engine, text(0)),
        "verify" => engine.verify().and_then(|result| exact_text(&result)),
        "acceptClock" => engine.accept_clock().map(|()| "null".to_owned()),
        _ => return None,
    };
    Some(answer)
}
