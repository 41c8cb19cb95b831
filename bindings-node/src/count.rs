//! The verbs that count, and the clock. They cross as JSON both ways; an integer that a JavaScript number would round goes
//! back as a text, which `count.js` makes a BigInt of.

use std::io::{self, Write};

use napi::Result;
use napi_derive::napi;
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;
use sublet::{Error, Question, Request, Take};

use crate::{NativeEngine, guarded, read};

/// The largest integer of which a JavaScript number is exact: so is what is smaller.
const SAFE: u64 = (1 << 53) - 1;

/// Compact JSON, whose unsafe integers are texts.
struct Exact;

impl Formatter for Exact {
    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= SAFE { write!(writer, "{value}") } else { write!(writer, "\"{value}\"") }
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= SAFE { write!(writer, "{value}") } else { write!(writer, "\"{value}\"") }
    }
}

/// The JSON of an answer that may hold counts.
pub(crate) fn exact_text(answer: &impl Serialize) -> std::result::Result<String, Error> {
    let wrong = |reason: String| Error::Value { what: "answer".to_owned(), reason };
    let mut text = Vec::with_capacity(256);
    answer.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Exact)).map_err(|found| wrong(found.to_string()))?;
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
    fn take(&self) -> Take<'_> {
        let amounts = self.amounts.iter().map(|(meter, amount)| (meter.as_str(), *amount)).collect();
        Take { amount: self.amount, amounts, key: self.key.as_deref(), up_to: self.up_to }
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

fn settled(verb: &str, form: &str, work: impl FnOnce(&SettleForm) -> std::result::Result<sublet::Counted, Error>) -> Result<String> {
    guarded(|| exact_text(&work(&read(verb, form)?)?))
}

#[napi]
impl NativeEngine {
    #[napi]
    pub fn consume(&self, request: String, take: String) -> Result<String> {
        guarded(|| {
            let (asked, form): (Request, TakeForm) = (Request::from_json(&request)?, read("consume", &take)?);
            exact_text(&self.inner.consume(&asked, &form.take())?)
        })
    }

    #[napi]
    pub fn reserve(&self, request: String, take: String, ttl: String) -> Result<String> {
        guarded(|| {
            let (asked, form): (Request, TakeForm) = (Request::from_json(&request)?, read("reserve", &take)?);
            let ttl = ttl.parse().map_err(|_| Error::Ttl { ttl: ttl.clone() })?;
            exact_text(&self.inner.reserve(&asked, &form.take(), ttl)?)
        })
    }

    #[napi]
    pub fn set(&self, request: String, take: String) -> Result<String> {
        guarded(|| {
            let (asked, form): (Request, TakeForm) = (Request::from_json(&request)?, read("set", &take)?);
            exact_text(&self.inner.set(&asked, &form.take())?)
        })
    }

    /// Two lists of the same length.
    #[napi]
    pub fn batch(&self, requests: String, takes: String) -> Result<String> {
        guarded(|| {
            let (asked, forms): (Vec<Request>, Vec<TakeForm>) = (Request::list_from_json(&requests)?, read("batch", &takes)?);
            let items: Vec<(Question<'_>, Take<'_>)> = asked.iter().map(Question::from).zip(forms.iter().map(TakeForm::take)).collect();
            exact_text(&self.inner.batch(&items)?)
        })
    }

    #[napi]
    pub fn commit(&self, form: String) -> Result<String> {
        settled("commit", &form, |asked| self.inner.commit(asked.operation, asked.amount, asked.key.as_deref()))
    }

    #[napi]
    pub fn release(&self, form: String) -> Result<String> {
        settled("release", &form, |asked| self.inner.release(asked.operation, asked.key.as_deref()))
    }

    #[napi]
    pub fn refund(&self, form: String) -> Result<String> {
        settled("refund", &form, |asked| self.inner.refund(asked.operation, asked.amount, asked.key.as_deref()))
    }

    #[napi]
    pub fn top_up(&self, form: String) -> Result<String> {
        guarded(|| {
            let asked: StateForm = read("topUp", &form)?;
            exact_text(&self.inner.top_up(&asked.account, &asked.meter, asked.amount, asked.key.as_deref())?)
        })
    }

    #[napi]
    pub fn carry_over(&self, form: String) -> Result<String> {
        guarded(|| {
            let asked: StateForm = read("carryOver", &form)?;
            exact_text(&self.inner.carry_over(&asked.account, asked.member.as_deref(), &asked.meter, asked.amount, asked.key.as_deref())?)
        })
    }

    #[napi]
    pub fn usage(&self, form: String) -> Result<String> {
        guarded(|| {
            let asked: UsageForm = read("usage", &form)?;
            exact_text(&self.inner.usage(&asked.account, asked.member.as_deref(), asked.meter.as_deref())?)
        })
    }

    #[napi]
    pub fn history(&self, form: String) -> Result<String> {
        guarded(|| {
            let asked: HistoryForm = read("history", &form)?;
            exact_text(&self.inner.history(&asked.account, asked.before, asked.limit)?)
        })
    }

    #[napi]
    pub fn verify(&self) -> Result<String> {
        guarded(|| exact_text(&self.inner.verify()?))
    }

    #[napi]
    pub fn forget_counts(&self) -> Result<()> {
        guarded(|| self.inner.forget_counts())
    }

    #[napi]
    pub fn accept_clock(&self) -> Result<()> {
        guarded(|| self.inner.accept_clock())
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
            let wrong = |_| Error::Value { what: "milliseconds".to_owned(), reason: "an integer over 64 bits".to_owned() };
            self.inner.advance(milliseconds.parse().map_err(wrong)?);
            Ok(())
        })
    }

    #[napi]
    pub fn now(&self) -> Result<String> {
        guarded(|| Ok(self.inner.now()))
    }
}
