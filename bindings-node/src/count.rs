//! The verbs that count, and the clock. They cross as JSON both ways; an integer that a JavaScript
//! number would round goes back as a text, which `count.js` makes a BigInt of.

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

use crate::open::OptionsForm;
use crate::pool::{CallKind, NativeCall, NativeReplies, Reply};
use crate::{NativeEngine, bill, guarded, read, reads};

/// The largest integer of which a JavaScript number is exact: so is what is smaller.
const SAFE: u64 = (1 << 53) - 1;

/// Compact JSON, whose unsafe integers are texts.
struct Exact;

impl Formatter for Exact {
    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= SAFE {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= SAFE {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }
}

/// The JSON of an answer that may hold counts.
pub(crate) fn exact_text(answer: &impl Serialize) -> std::result::Result<String, Error> {
    let wrong = |reason: String| Error::Value {
        what: "answer".to_owned(),
        reason,
    };
    let mut text = Vec::with_capacity(256);
    answer
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text, Exact,
        ))
        .map_err(|found| wrong(found.to_string()))?;
    String::from_utf8(text).map_err(|found| wrong(found.to_string()))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct TakeForm {
    amount: i64,
    amounts: Vec<(String, i64)>,
    key: Option<String>,
    up_to: bool,
}

impl TakeForm {
    fn take(&self) -> ConsumeOptions<'_> {
        let amounts = self
            .amounts
            .iter()
            .map(|(meter, amount)| (meter.as_str(), *amount))
            .collect();
        ConsumeOptions {
            amount: self.amount,
            amounts,
            key: self.key.as_deref(),
            up_to: self.up_to,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleForm {
    operation: u64,
    amount: Option<i64>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateForm {
    account: String,
    member: Option<String>,
    meter: String,
    amount: i64,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeForm {
    account: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageForm {
    account: String,
    member: Option<String>,
    meter: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryForm {
    account: String,
    before: Option<u64>,
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesForm {
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
struct ImportForm {
    #[serde(default, rename = "expectedRevision")]
    expected: Option<u64>,
}

pub(crate) type Answer = std::result::Result<String, Error>;

fn asked(verb: &str, request: &str, take: &str) -> std::result::Result<(Request, TakeForm), Error> {
    Ok((Request::from_json(request)?, read(verb, take)?))
}

fn consume(engine: &Engine, request: &str, take: &str) -> Answer {
    let (asked, form) = asked("consume", request, take)?;
    exact_text(&engine.consume(&asked, &form.take())?)
}

fn stock(engine: &Engine, verb: &str, request: &str, take: &str) -> Answer {
    let (asked, form) = asked(verb, request, take)?;
    let take = form.take();
    exact_text(&match verb {
        "add" => engine.add(&asked, &take)?,
        "sub" => engine.sub(&asked, &take)?,
        _ => engine.set(&asked, &take)?,
    })
}

#[derive(Serialize)]
struct PerformedForm<'a> {
    decision: &'a Decision,
    token: Option<&'a str>,
}

fn perform(engine: &Engine, asked: &str, command: &str, key: Option<&str>) -> Answer {
    let (asked, command) = (Request::from_json(asked)?, Command::from_json(command)?);
    let done = engine.perform(&asked.principal, &command, &asked.circumstances, key)?;
    exact_text(&PerformedForm {
        decision: &done.decision,
        token: done.token.as_deref(),
    })
}

fn batch(engine: &Engine, requests: &str, takes: &str) -> Answer {
    let (asked, forms): (Vec<Request>, Vec<TakeForm>) =
        (Request::list_from_json(requests)?, read("batch", takes)?);
    let items: Vec<(RequestRef<'_>, ConsumeOptions<'_>)> = asked
        .iter()
        .map(RequestRef::from)
        .zip(forms.iter().map(TakeForm::take))
        .collect();
    exact_text(&engine.batch(&items)?)
}

fn settle(engine: &Engine, verb: &str, form: &str) -> Answer {
    let asked: SettleForm = read(verb, form)?;
    let key = asked.key.as_deref();
    exact_text(&match verb {
        "commit" => engine.commit(asked.operation, asked.amount, key)?,
        "release" => engine.release(asked.operation, key)?,
        _ => engine.refund(asked.operation, asked.amount, key)?,
    })
}

fn state(engine: &Engine, verb: &str, form: &str) -> Answer {
    let asked: StateForm = read(verb, form)?;
    let (account, meter, key) = (&asked.account, &asked.meter, asked.key.as_deref());
    exact_text(&match verb {
        "topUp" => engine.top_up(account, meter, asked.amount, key)?,
        _ => engine.carry_over(account, asked.member.as_deref(), meter, asked.amount, key)?,
    })
}

fn changed(engine: &Engine, changes: &str) -> Answer {
    let form: ChangesForm = read("changes", changes)?;
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
        .change(list, form.expected)
        .map(|revision| revision.to_string())
}

/// Does a verb that may wait for a file.
fn done(engine: &Engine, verb: &str, texts: &[String]) -> Answer {
    let text = |at: usize| texts.get(at).map_or("", String::as_str);
    match verb {
        "consume" => consume(engine, text(0), text(1)),
        "reserve" => {
            let (asked, form) = asked(verb, text(0), text(1))?;
            let ttl = text(2).parse().map_err(|_| Error::Ttl {
                ttl: text(2).to_owned(),
            })?;
            exact_text(&engine.reserve(&asked, &form.take(), ttl)?)
        }
        "set" | "add" | "sub" => stock(engine, verb, text(0), text(1)),
        "perform" => perform(engine, text(0), text(1), texts.get(2).map(String::as_str)),
        "batch" => batch(engine, text(0), text(1)),
        "commit" | "release" | "refund" => settle(engine, verb, text(0)),
        "topUp" | "carryOver" => state(engine, verb, text(0)),
        "revokeTopUp" => {
            let asked: RevokeForm = read(verb, text(0))?;
            exact_text(&engine.revoke_top_up(&asked.account, &asked.key)?)
        }
        "usage" => {
            let asked: UsageForm = read(verb, text(0))?;
            exact_text(&engine.usage(
                &asked.account,
                asked.member.as_deref(),
                asked.meter.as_deref(),
            )?)
        }
        "history" => {
            let asked: HistoryForm = read(verb, text(0))?;
            exact_text(&engine.history(&asked.account, asked.before, asked.limit)?)
        }
        "verify" => exact_text(&engine.verify()?),
        "acceptClock" => engine.accept_clock().map(|()| "null".to_owned()),
        "change" => changed(engine, text(0)),
        "importLines" => {
            let asked: ImportForm = read(verb, text(1))?;
            engine
                .import(text(0).as_bytes(), asked.expected, None)
                .map(|revision| revision.to_string())
        }
        "seed" => engine
            .seed(text(0).as_bytes())
            .map(|seeded| seeded.to_string()),
        other => bill::billed(engine, other, text(0))
            .or_else(|| reads::read_verb(engine, other, texts))
            .unwrap_or_else(|| Err(unknown_verb(other))),
    }
}

pub(crate) fn unknown_verb(verb: &str) -> Error {
    Error::Value {
        what: "verb".to_owned(),
        reason: format!("no verb `{verb}`"),
    }
}

pub(crate) fn reloaded(engine: &Engine, options: &str) -> Answer {
    let mut form: OptionsForm = read("options", options)?;
    engine.reload(&form.source()).map(|name| name.to_string())
}

/// Verbs that never take the store's lock.
const READS: [&str; 17] = [
    "authorize",
    "check",
    "explain",
    "actions",
    "login",
    "desk",
    "openTicket",
    "replyTicket",
    "escalateTicket",
    "exportLines",
    "record",
    "domainProof",
    "refresh",
    "reload",
    "usage",
    "history",
    "verify",
];

#[napi]
impl NativeEngine {
    /// The verb that is asked most, without a list in the way.
    #[napi]
    pub fn consume(&self, request: String, take: String) -> Result<String> {
        guarded(|| {
            self.inner._without_waiting("consume")?;
            consume(&self.inner, &request, &take)
        })
    }

    /// Does a verb at once; refused where it may wait for a file.
    #[napi(js_name = "do")]
    pub fn do_now(&self, verb: String, texts: Vec<String>) -> Result<String> {
        guarded(|| {
            self.inner._without_waiting(&verb)?;
            done(&self.inner, &verb, &texts)
        })
    }

    /// Does it off the event loop.
    #[napi]
    pub fn start(
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
            Box::new(move || done(&engine, &verb, &texts).map(Reply::Text)),
        )
    }

    /// Whether what counts may wait for a file.
    #[napi]
    pub fn touches_files(&self) -> Result<bool> {
        guarded(|| Ok(self.inner.is_file_backed()))
    }

    #[napi]
    pub fn forget_counts(&self) -> Result<()> {
        guarded(|| self.inner.forget_counts())
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
