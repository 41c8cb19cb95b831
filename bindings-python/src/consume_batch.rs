//! `Engine.batch`: several consumes as one transaction.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sublet::{ConsumeOptions, RequestRef};

use crate::arguments::{self, read_list};
use crate::consume::{Amount, read_idempotency_key};
use crate::convert::read_fields;
use crate::engine::Engine;
use crate::refusal::{missing_field, wrong_type};
use crate::request::environment_args;
use crate::results::Decision;
use crate::slots::RequestSlots;
use crate::waiting::wait_if;

/// Most items of a batch in memory that keep the GIL: some dozens of microseconds.
const MAX_ITEMS_WITH_GIL: usize = 32;

#[pymethods]
impl Engine {
    /// Consumes all items or none in one transaction, and returns the decisions in their order.
    /// Each item has the arguments of `consume`. If one item is denied, no decision has an
    /// `operation`.
    ///
    /// Raises a `SubletError` with the code `input.item`, `input.amount`, `quota.not_metered`,
    /// `quota.unknown_meter` or `quota.idempotency_mismatch`.
    fn batch<'py>(&self, py: Python<'py>, items: &Bound<'py, PyAny>) -> PyResult<Vec<Decision>> {
        let items: Vec<BatchItem<'py>> = read_list("batch", items)?
            .iter()
            .map(BatchItem::read)
            .collect::<PyResult<_>>()?;
        let requests: Vec<_> = items
            .iter()
            .map(BatchItem::request)
            .collect::<PyResult<_>>()?;
        let may_wait = self.files || requests.len() > MAX_ITEMS_WITH_GIL;
        wait_if(py, may_wait, || self.inner.batch(&requests))
            .map(|decisions| decisions.into_iter().map(Decision).collect())
    }
}

/// An item of a batch: the arguments of `consume`.
struct BatchItem<'py> {
    principal: Bound<'py, PyAny>,
    action: Bound<'py, PyAny>,
    resource: Bound<'py, PyAny>,
    amount: Amount,
    idempotency_key: Option<Bound<'py, PyAny>>,
    allow_partial: bool,
    actor: Option<Bound<'py, PyAny>>,
    host: Option<Bound<'py, PyAny>>,
    channel: Option<Bound<'py, PyAny>>,
    realm: Option<Bound<'py, PyAny>>,
    session_start: Option<Bound<'py, PyAny>>,
    context: Option<Bound<'py, PyAny>>,
    slots: RequestSlots<'py>,
}

impl<'py> BatchItem<'py> {
    /// Reads an item.
    fn read(item: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = item.py();
        let item = item
            .cast::<PyDict>()
            .map_err(|_| wrong_type("batch", item, "a `dict`"))?;
        let names = [
            intern!(py, "principal"),
            intern!(py, "action"),
            intern!(py, "resource"),
            intern!(py, "amount"),
            intern!(py, "idempotency_key"),
            intern!(py, "allow_partial"),
            intern!(py, "actor"),
            intern!(py, "host"),
            intern!(py, "channel"),
            intern!(py, "realm"),
            intern!(py, "session_start"),
            intern!(py, "context"),
        ];
        let [
            principal,
            action,
            resource,
            amount,
            idempotency_key,
            allow_partial,
            rest @ ..,
        ] = read_fields("batch", item, names)?;
        let [actor, host, channel, realm, session_start, context] = rest;
        let required = |name: &str, value: Option<Bound<'py, PyAny>>| {
            value.ok_or_else(|| missing_field("batch", name))
        };
        Ok(Self {
            amount: Amount::read(amount.as_ref())?,
            allow_partial: allow_partial
                .as_ref()
                .map_or(Ok(false), arguments::allow_partial)?,
            principal: required("principal", principal)?,
            action: required("action", action)?,
            resource: required("resource", resource)?,
            idempotency_key,
            actor,
            host,
            channel,
            realm,
            session_start,
            context,
            slots: RequestSlots::default(),
        })
    }

    /// Builds the request of the item, and the options of its consume.
    fn request(&self) -> PyResult<(RequestRef<'_>, ConsumeOptions<'_>)> {
        let environment = environment_args(
            self.host.as_ref(),
            self.actor.as_ref(),
            self.channel.as_ref(),
            self.realm.as_ref(),
            self.session_start.as_ref(),
            self.context.as_ref(),
        );
        let request = environment.request(
            self.principal.as_borrowed(),
            self.action.as_borrowed(),
            self.resource.as_borrowed(),
            &self.slots,
        )?;
        let idempotency_key = read_idempotency_key(self.idempotency_key.as_ref())?;
        let options = self.amount.options(idempotency_key, self.allow_partial);
        Ok((request, options))
    }
}
