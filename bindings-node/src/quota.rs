//! Methods about quotas and the directory, and the clock. They cross as JSON both ways. An integer
//! that a JavaScript number would round crosses back as text.

use std::io::{self, Write};
use std::sync::Arc;

use napi::Result;
use napi_derive::napi;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::Formatter;
use sublet::{
    Change, Command, ConsumeOptions, Decision, Engine, EntityRef, Error, Record, RecordPatch,
    Request, RequestRef,
};

use crate::options::OptionsJson;
use crate::pool::{CallKind, NativeCall, NativeReplies, Reply};
use crate::{NativeEngine, billing, guarded, read, reads};

/// Largest integer up to which JavaScript numbers are exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A formatter of compact JSON that writes unsafe integers as text.
struct ExactFormatter;

impl Formatter for ExactFormatter {
    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= MAX_SAFE_INTEGER {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= MAX_SAFE_INTEGER {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }
}

/// Returns the JSON of an answer, with unsafe integers as text.
pub(crate) fn exact_text(answer: &impl Serialize) -> std::result::Result<String, Error> {
    let wrong = |reason: String| Error::Value {
        what: "answer".to_owned(),
        reason,
    };
    let mut text = Vec::with_capacity(256);
    answer
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text,
            ExactFormatter,
        ))
        .map_err(|found| wrong(found.to_string()))?;
    String::from_utf8(text).map_err(|found| wrong(found.to_string()))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ConsumeOptionsJson {
    amount: i64,
    amounts: Vec<(String, i64)>,
    idempotency_key: Option<String>,
    allow_partial: bool,
}

impl ConsumeOptionsJson {
    fn options(&self) -> ConsumeOptions<'_> {
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
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesJson {
    #[serde(default)]
    put: Vec<Value>,
    #[serde(default)]
    merge: Vec<Value>,
    #[serde(default)]
    remove: Vec<EntityRef>,
    #[serde(default)]
    expected: Option<u64>,
    #[serde(default)]
    resumed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportJson {
    #[serde(default, rename = "expectedRevision")]
    expected: Option<u64>,
}

pub(crate) type Answer = std::result::Result<String, Error>;

fn parse_request(
    verb: &str,
    request: &str,
    take: &str,
) -> std::result::Result<(Request, ConsumeOptionsJson), Error> {
    Ok((Request::from_json(request)?, read(verb, take)?))
}

fn consume(engine: &Engine, request: &str, take: &str) -> Answer {
    let (asked, form) = parse_request("consume", request, take)?;
    exact_text(&engine.consume(&asked, &form.options())?)
}

fn change_stock(engine: &Engine, verb: &str, request: &str, take: &str) -> Answer {
    let (asked, form) = parse_request(verb, request, take)?;
    let take = form.options();
    exact_text(&match verb {
        "increaseStock" => engine.increase_stock(&asked, &take)?,
        "decreaseStock" => engine.decrease_stock(&asked, &take)?,
        _ => engine.set_stock(&asked, &take)?,
    })
}

#[derive(Serialize)]
struct PerformedJson<'a> {
    decision: &'a Decision,
    token: Option<&'a str>,
}

fn perform(engine: &Engine, asked: &str, command: &str, key: Option<&str>) -> Answer {
    let (asked, command) = (Request::from_json(asked)?, Command::from_json(command)?);
    let done = engine.perform(&asked.principal, &command, &asked.environment, key)?;
    exact_text(&PerformedJson {
        decision: &done.decision,
        token: done.token.as_deref(),
    })
}

fn batch(engine: &Engine, requests: &str, takes: &str) -> Answer {
    let (asked, forms): (Vec<Request>, Vec<ConsumeOptionsJson>) =
        (Request::list_from_json(requests)?, read("batch", takes)?);
    let items: Vec<(RequestRef<'_>, ConsumeOptions<'_>)> = asked
        .iter()
        .map(RequestRef::from)
        .zip(forms.iter().map(ConsumeOptionsJson::options))
        .collect();
    exact_text(&engine.batch(&items)?)
}

fn follow_up(engine: &Engine, verb: &str, form: &str) -> Answer {
    let asked: FollowUpJson = read(verb, form)?;
    let key = asked.idempotency_key.as_deref();
    exact_text(&match verb {
        "commit" => engine.commit(asked.operation, asked.amount, key)?,
        "release" => engine.release(asked.operation, key)?,
        _ => engine.refund(asked.operation, asked.amount, key)?,
    })
}

fn adjust(engine: &Engine, verb: &str, form: &str) -> Answer {
    let asked: AdjustmentJson = read(verb, form)?;
    let (account, meter, key) = (
        &asked.account,
        &asked.meter,
        asked.idempotency_key.as_deref(),
    );
    exact_text(&match verb {
        "topUp" => engine.top_up(account, meter, asked.amount, key)?,
        _ => engine.carry_over(account, asked.member.as_deref(), meter, asked.amount, key)?,
    })
}

fn apply_changes(engine: &Engine, changes: &str) -> Answer {
    let form: ChangesJson = read("changes", changes)?;
    let mut list: Vec<Change> = form.remove.into_iter().map(Change::Remove).collect();
    for record in form.put {
        let record = Record::from_value(record)?;
        if form.resumed {
            list.push(Change::Resume(record.reference()));
        }
        list.push(Change::Put(record));
    }
    for fields in form.merge {
        list.push(Change::Merge(RecordPatch::from_value(fields)?));
    }
    engine
        .apply_changes(list, form.expected)
        .map(|revision| revision.to_string())
}

/// Calls the named method, which may wait for a file.
fn dispatch(engine: &Engine, verb: &str, texts: &[String]) -> Answer {
    let text = |at: usize| texts.get(at).map_or("", String::as_str);
    match verb {
        "consume" => consume(engine, text(0), text(1)),
        "reserve" => {
            let (asked, form) = parse_request(verb, text(0), text(1))?;
            let ttl = text(2).parse().map_err(|_| Error::Ttl {
                ttl: text(2).to_owned(),
            })?;
            exact_text(&engine.reserve(&asked, &form.options(), ttl)?)
        }
        "setStock" | "increaseStock" | "decreaseStock" => {
            change_stock(engine, verb, text(0), text(1))
        }
        "perform" => perform(engine, text(0), text(1), texts.get(2).map(String::as_str)),
        "batch" => batch(engine, text(0), text(1)),
        "commit" | "release" | "refund" => follow_up(engine, verb, text(0)),
        "topUp" | "carryOver" => adjust(engine, verb, text(0)),
        "revokeTopUp" => {
            let asked: RevokeJson = read(verb, text(0))?;
            exact_text(&engine.revoke_top_up(&asked.account, &asked.idempotency_key)?)
        }
        "usage" => {
            let asked: UsageJson = read(verb, text(0))?;
            exact_text(&engine.usage(
                &asked.account,
                asked.member.as_deref(),
                asked.meter.as_deref(),
            )?)
        }
        "history" => {
            let asked: HistoryJson = read(verb, text(0))?;
            exact_text(&engine.history(&asked.account, asked.before, asked.limit)?)
        }
        "verify" => exact_text(&engine.verify()?),
        "acceptClock" => engine.accept_clock().map(|()| "null".to_owned()),
        "applyChanges" => apply_changes(engine, text(0)),
        "importLines" => {
            let asked: ImportJson = read(verb, text(1))?;
            engine
                .import(text(0).as_bytes(), asked.expected, None)
                .map(|revision| revision.to_string())
        }
        "seed" => engine
            .seed(text(0).as_bytes())
            .map(|seeded| seeded.to_string()),
        other => billing::dispatch_billing(engine, other, text(0))
            .or_else(|| reads::dispatch_read(engine, other, texts))
            .unwrap_or_else(|| Err(unknown_verb(other))),
    }
}

pub(crate) fn unknown_verb(verb: &str) -> Error {
    Error::Value {
        what: "verb".to_owned(),
        reason: format!("no verb `{verb}`"),
    }
}

pub(crate) fn reload(engine: &Engine, options: &str) -> Answer {
    let mut form: OptionsJson = read("options", options)?;
    engine.reload(&form.source()).map(|name| name.to_string())
}

/// Methods that never take the store's lock.
const READS: [&str; 17] = [
    "authorize",
    "check",
    "explain",
    "permittedActions",
    "login",
    "routeTicket",
    "openTicket",
    "replyTicket",
    "escalateTicket",
    "exportLines",
    "getRecord",
    "domainProof",
    "refresh",
    "reload",
    "usage",
    "history",
    "verify",
];

#[napi]
impl NativeEngine {
    /// Consumes at once. The most frequent call, so it takes its texts without an array.
    #[napi]
    pub fn consume(&self, request: String, take: String) -> Result<String> {
        guarded(|| {
            self.inner.refuse_if_blocking("consume")?;
            consume(&self.inner, &request, &take)
        })
    }

    /// Calls a method at once. Fails if it may wait for a file.
    #[napi(js_name = "do")]
    pub fn run_sync(&self, verb: String, texts: Vec<String>) -> Result<String> {
        guarded(|| {
            self.inner.refuse_if_blocking(&verb)?;
            dispatch(&self.inner, &verb, &texts)
        })
    }

    /// Calls a method off the event loop.
    #[napi(js_name = "start")]
    pub fn run_async(
        &self,
        replies: &NativeReplies,
        id: f64,
        verb: String,
        texts: Vec<String>,
    ) -> Result<NativeCall> {
        let engine = Arc::clone(&self.inner);
        let kind = if READS.contains(&verb.as_str()) {
            CallKind::Read
        } else {
            CallKind::Write
        };
        replies.start(
            id,
            kind,
            &self.stuck,
            Box::new(move || dispatch(&engine, &verb, &texts).map(Reply::Text)),
        )
    }

    /// Returns whether methods that write may wait for a file.
    #[napi]
    pub fn touches_files(&self) -> Result<bool> {
        guarded(|| Ok(self.inner.is_file_backed()))
    }

    #[napi]
    pub fn reset_counts(&self) -> Result<()> {
        guarded(|| self.inner.reset_counts())
    }
}

/// The clock behind `ManualClock` of `clock.js`.
#[napi]
pub struct NativeClock {
    pub(crate) inner: sublet::ManualClock,
}

#[napi]
impl NativeClock {
    #[napi(factory)]
    pub fn at(instant: String) -> Result<Self> {
        guarded(|| sublet::ManualClock::new(&instant).map(|inner| Self { inner }))
    }

    #[napi]
    pub fn set(&self, instant: String) -> Result<()> {
        guarded(|| self.inner.set(&instant))
    }

    #[napi]
    pub fn advance(&self, milliseconds: String) -> Result<()> {
        guarded(|| {
            let wrong = |_| Error::Value {
                what: "milliseconds".to_owned(),
                reason: "an integer over 64 bits".to_owned(),
            };
            self.inner.advance(milliseconds.parse().map_err(wrong)?);
            Ok(())
        })
    }

    #[napi]
    pub fn now(&self) -> Result<String> {
        guarded(|| Ok(self.inner.now()))
    }
}
