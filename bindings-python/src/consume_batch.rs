//! `Engine.batch`: several consumes as one transaction.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::Engine;
use crate::arguments::{self, entries};
use crate::consume::{Amount, idempotency_key};
use crate::convert::{refused, text};
use crate::request::{RequestSlots, environment_args};
use crate::results::Decision;
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// Consumes all items or none in one transaction, and returns the decisions in their order.
    /// Each item has the arguments of `consume`. If one item is denied, no decision has an
    /// `operation`.
    ///
    /// Raises a `SubletError` with the code `input.item`, `input.amount`, `quota.not_metered`,
    /// `quota.unknown_meter` or `quota.idempotency_mismatch`.
    fn batch<'py>(&self, py: Python<'py>, items: &Bound<'py, PyAny>) -> PyResult<Vec<Decision>> {
        let items = entries("batch", items)?;
        let keeps: Vec<RequestSlots<'py>> = items.iter().map(|_| RequestSlots::default()).collect();
        let read = items
            .iter()
            .map(BatchItem::read)
            .collect::<PyResult<Vec<_>>>()?;
        let mut asked = Vec::with_capacity(read.len());
        for (item, slots) in read.iter().zip(&keeps) {
            let get = |name: &str| {
                item.fields
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value)
            };
            let needed = |name: &'static str| {
                get(name).ok_or_else(|| refused("batch", format!("`{name}` is needed")))
            };
            let environment = environment_args(
                get("actor"),
                get("host"),
                get("channel"),
                get("realm"),
                None,
                get("context"),
            );
            let (principal, action, resource) =
                (needed("principal")?, needed("action")?, needed("resource")?);
            let request = environment.request(
                principal.as_borrowed(),
                action.as_borrowed(),
                resource.as_borrowed(),
                slots,
            )?;
            asked.push((
                request,
                item.amount
                    .take(idempotency_key(get("idempotency_key"))?, item.allow_partial),
            ));
        }
        wait(py, || self.inner.batch(&asked))
            .map(|answers| answers.into_iter().map(Decision).collect())
    }
}

/// The fields of an item besides `context`.
const ITEM_FIELDS: [&str; 10] = [
    "principal",
    "action",
    "resource",
    "amount",
    "idempotency_key",
    "allow_partial",
    "actor",
    "host",
    "channel",
    "realm",
];

/// An item of a batch.
struct BatchItem<'py> {
    fields: Vec<(String, Bound<'py, PyAny>)>,
    amount: Amount,
    allow_partial: bool,
}

impl<'py> BatchItem<'py> {
    fn read(item: &Bound<'py, PyAny>) -> PyResult<Self> {
        let dict = item
            .cast::<PyDict>()
            .map_err(|_| refused("batch", "each item is a `dict`"))?;
        let entries: Vec<_> = dict.iter().collect();
        let mut fields = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let name = text("batch", name.as_borrowed())?.to_owned();
            if !ITEM_FIELDS.contains(&name.as_str()) && name != "context" {
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
        let allow_partial = get("allow_partial").map_or(Ok(false), arguments::allow_partial)?;
        Ok(Self {
            amount,
            allow_partial,
            fields,
        })
    }
}
