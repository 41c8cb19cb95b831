//! The verbs that count.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use sublet::ConsumeOptions;

use crate::Engine;
use crate::answers::{Counted, Decision, plain};
use crate::arguments::{self, entries};
use crate::asked::{Spare, around, decide};
use crate::handles::ManualClock;
use crate::values::{amount, refused, text};
use crate::waiting::wait;

pub(crate) type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// How long a reservation holds unless it says otherwise: a quarter of an hour.
const TTL: i64 = 900_000;

/// What is taken: an `int` of each meter, or a `dict` of them by meter. Owned, for the names are
/// the host's.
pub(crate) struct Amount {
    each: i64,
    single: Vec<(String, i64)>,
}

impl Amount {
    pub(crate) fn read(given: Given<'_, '_>) -> PyResult<Self> {
        let Some(given) = given else {
            return Ok(Self {
                each: 1,
                single: Vec::new(),
            });
        };
        let Ok(dict) = given.cast::<PyDict>() else {
            return Ok(Self {
                each: amount(given)?,
                single: Vec::new(),
            });
        };
        let entries: Vec<_> = dict.iter().collect();
        let single = entries.iter().map(|(meter, value)| {
            Ok((
                text("amount", meter.as_borrowed())?.to_owned(),
                amount(value)?,
            ))
        });
        Ok(Self {
            each: 0,
            single: single.collect::<PyResult<_>>()?,
        })
    }

    pub(crate) fn take<'a>(&'a self, key: Option<&'a str>, up_to: bool) -> ConsumeOptions<'a> {
        ConsumeOptions {
            amount: self.each,
            amounts: self
                .single
                .iter()
                .map(|(meter, amount)| (meter.as_str(), *amount))
                .collect(),
            key,
            up_to,
        }
    }
}

/// A key, if there is one.
pub(crate) fn key<'a>(given: Given<'a, '_>) -> PyResult<Option<&'a str>> {
    given
        .map(|given| text("key", given.as_borrowed()))
        .transpose()
}

fn optional(given: Given<'_, '_>) -> PyResult<Option<i64>> {
    given.map(amount).transpose()
}

#[pymethods]
impl Engine {
    /// Asks, and if it is allowed takes.
    #[pyo3(signature = (principal, action, resource, amount=None, *, key=None, up_to=false, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn consume(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: Given<'_, '_>,
        key: Given<'_, '_>,
        #[pyo3(from_py_with = arguments::up_to)] up_to: bool,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let (keep, amount) = (Spare::default(), Amount::read(amount)?);
        let question = around(actor, host, channel, realm, None, context).question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        let take = amount.take(self::key(key)?, up_to);
        decide(py, self.files, &question, || {
            self.inner.consume(question, &take)
        })
        .map(Decision)
    }

    /// Asks, and if it is allowed holds the amount for `ttl` milliseconds.
    #[pyo3(signature = (principal, action, resource, amount, *, ttl=None, key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn reserve(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        ttl: Given<'_, '_>,
        key: Given<'_, '_>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let (keep, amount) = (Spare::default(), Amount::read(Some(amount))?);
        let question = around(actor, host, channel, realm, None, context).question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        let (take, ttl) = (
            amount.take(self::key(key)?, false),
            optional(ttl)?.unwrap_or(TTL),
        );
        decide(py, self.files, &question, || {
            self.inner.reserve(question, &take, ttl)
        })
        .map(Decision)
    }

    #[pyo3(signature = (operation, amount=None, *, key=None))]
    fn commit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: Given<'_, '_>,
        key: Given<'_, '_>,
    ) -> PyResult<Counted> {
        let (amount, key) = (optional(amount)?, self::key(key)?);
        wait(py, || self.inner.commit(operation, amount, key)).map(Counted)
    }

    #[pyo3(signature = (operation, *, key=None))]
    fn release(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        key: Given<'_, '_>,
    ) -> PyResult<Counted> {
        let key = self::key(key)?;
        wait(py, || self.inner.release(operation, key)).map(Counted)
    }

    #[pyo3(signature = (operation, amount=None, *, key=None))]
    fn refund(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: Given<'_, '_>,
        key: Given<'_, '_>,
    ) -> PyResult<Counted> {
        let (amount, key) = (optional(amount)?, self::key(key)?);
        wait(py, || self.inner.refund(operation, amount, key)).map(Counted)
    }

    #[pyo3(signature = (account, meter, amount, *, key=None))]
    fn top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
    ) -> PyResult<Counted> {
        let (amount, key) = (self::amount(amount)?, self::key(key)?);
        wait(py, || self.inner.top_up(account, meter, amount, key)).map(Counted)
    }

    fn revoke_top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Counted> {
        let key = text("key", key.as_borrowed())?;
        wait(py, || self.inner.revoke_top_up(account, key)).map(Counted)
    }

    #[pyo3(signature = (account, meter, amount, *, member=None, key=None))]
    fn carry_over(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        key: Given<'_, '_>,
    ) -> PyResult<Counted> {
        let (amount, key) = (self::amount(amount)?, self::key(key)?);
        wait(py, || {
            self.inner.carry_over(account, member, meter, amount, key)
        })
        .map(Counted)
    }

    /// Takes all of a list of `dict`s, or nothing.
    fn batch<'py>(&self, py: Python<'py>, items: &Bound<'py, PyAny>) -> PyResult<Vec<Decision>> {
        let items = entries("batch", items)?;
        let keeps: Vec<Spare<'py>> = items.iter().map(|_| Spare::default()).collect();
        let read = items.iter().map(Item::read).collect::<PyResult<Vec<_>>>()?;
        let mut asked = Vec::with_capacity(read.len());
        for (item, keep) in read.iter().zip(&keeps) {
            let get = |name: &str| {
                item.fields
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value)
            };
            let needed = |name: &'static str| {
                get(name).ok_or_else(|| refused("batch", format!("`{name}` is needed")))
            };
            let around = around(
                get("actor"),
                get("host"),
                get("channel"),
                get("realm"),
                None,
                get("context"),
            );
            let (principal, action, resource) =
                (needed("principal")?, needed("action")?, needed("resource")?);
            let question = around.question(
                principal.as_borrowed(),
                action.as_borrowed(),
                resource.as_borrowed(),
                keep,
            )?;
            asked.push((question, item.amount.take(key(get("key"))?, item.up_to)));
        }
        wait(py, || self.inner.batch(&asked))
            .map(|answers| answers.into_iter().map(Decision).collect())
    }

    #[pyo3(signature = (account, *, member=None, meter=None))]
    fn usage<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        #[pyo3(from_py_with = arguments::optional_meter)] meter: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &wait(py, || self.inner.usage(account, member, meter))?)
    }

    #[pyo3(signature = (account, *, before=None, limit=100))]
    fn history<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::before)] before: Option<u64>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        plain(
            py,
            &wait(py, || self.inner.history(account, before, limit))?,
        )
    }

    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &wait(py, || self.inner.verify())?)
    }

    fn forget_counts(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.forget_counts())
    }

    fn accept_clock(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.accept_clock())
    }
}

/// The fields of one item of a batch.
const FIELDS: [&str; 10] = [
    "principal",
    "action",
    "resource",
    "amount",
    "key",
    "up_to",
    "actor",
    "host",
    "channel",
    "realm",
];

struct Item<'py> {
    fields: Vec<(String, Bound<'py, PyAny>)>,
    amount: Amount,
    up_to: bool,
}

impl<'py> Item<'py> {
    fn read(item: &Bound<'py, PyAny>) -> PyResult<Self> {
        let dict = item
            .cast::<PyDict>()
            .map_err(|_| refused("batch", "each item is a `dict`"))?;
        let entries: Vec<_> = dict.iter().collect();
        let mut fields = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let name = text("batch", name.as_borrowed())?.to_owned();
            if !FIELDS.contains(&name.as_str()) && name != "context" {
                return Err(refused("batch", format!("no field `{name}`")));
            }
            fields.push((name, value));
        }
        let get = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        let amount = Amount::read(get("amount"))?;
        let up_to = get("up_to").map_or(Ok(false), arguments::up_to)?;
        Ok(Self {
            amount,
            up_to,
            fields,
        })
    }
}

/// The clock of an engine that is opened.
pub(crate) fn clock(given: Given<'_, '_>) -> PyResult<sublet::Clock> {
    match given {
        None => Ok(sublet::Clock::System),
        Some(given) => given
            .cast_exact::<ManualClock>()
            .map(|clock| sublet::Clock::Manual(clock.get().0.clone()))
            .map_err(|_| refused("clock", "a `ManualClock` is needed")),
    }
}

/// Lists of an answer as a tuple of `dict`s.
pub(crate) fn quotas<'py>(
    py: Python<'py>,
    quota: &[sublet::Quota],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(
        py,
        quota
            .iter()
            .map(|quota| plain(py, quota))
            .collect::<PyResult<Vec<_>>>()?,
    )
}

/// An instant as RFC 3339.
pub(crate) fn instant<'py>(py: Python<'py>, at: Option<i64>) -> Option<Bound<'py, PyString>> {
    at.and_then(sublet::instant_text)
        .map(|text| PyString::new(py, &text))
}
