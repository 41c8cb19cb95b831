//! Methods that check a request and consume an amount in the same transaction.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use sublet::{ConsumeOptions, Error, RequestRef};

use crate::convert::{OptionalPyArg, PyArg, read_amount, read_str};
use crate::engine::Engine;
use crate::methods::request_methods;
use crate::request::{EnvironmentArgs, decide};
use crate::results::Decision;
use crate::slots::RequestSlots;

/// An amount: one `int` for each meter, or a `dict` of amounts by meter. Owned, because the host
/// may change the `dict`.
pub(crate) struct Amount {
    each: i64,
    by_meter: Vec<(String, i64)>,
}

impl Amount {
    /// Reads the amount; without one, it is 1.
    pub(crate) fn read(argument: OptionalPyArg<'_, '_>) -> PyResult<Self> {
        let Some(argument) = argument else {
            return Ok(Self {
                each: 1,
                by_meter: Vec::new(),
            });
        };
        let Ok(dict) = argument.cast::<PyDict>() else {
            return Ok(Self {
                each: read_amount(argument)?,
                by_meter: Vec::new(),
            });
        };
        let entries: Vec<_> = dict.iter().collect();
        let by_meter = entries.iter().map(|(meter, value)| {
            Ok((
                read_str("amount", meter.as_borrowed())?.to_owned(),
                read_amount(value)?,
            ))
        });
        Ok(Self {
            each: 0,
            by_meter: by_meter.collect::<PyResult<_>>()?,
        })
    }

    /// Returns the options of a method that consumes this amount.
    pub(crate) fn options<'a>(
        &'a self,
        idempotency_key: Option<&'a str>,
        allow_partial: bool,
    ) -> ConsumeOptions<'a> {
        ConsumeOptions {
            amount: self.each,
            amounts: self
                .by_meter
                .iter()
                .map(|(meter, amount)| (meter.as_str(), *amount))
                .collect(),
            idempotency_key,
            allow_partial,
        }
    }
}

/// Returns the idempotency key, if the caller passed one.
pub(crate) fn read_idempotency_key<'a>(
    argument: OptionalPyArg<'a, '_>,
) -> PyResult<Option<&'a str>> {
    argument
        .map(|argument| read_str("idempotency_key", argument.as_borrowed()))
        .transpose()
}

/// Returns the amount, if the caller passed one.
pub(crate) fn read_optional_amount(argument: OptionalPyArg<'_, '_>) -> PyResult<Option<i64>> {
    argument.map(read_amount).transpose()
}

type StockMethod =
    fn(&sublet::Engine, RequestRef<'_>, &ConsumeOptions<'_>) -> Result<sublet::Decision, Error>;

impl Engine {
    /// Calls a method that changes a stock.
    fn change_stock(
        &self,
        py: Python<'_>,
        [principal, action, resource, amount]: [PyArg<'_, '_>; 4],
        idempotency_key: OptionalPyArg<'_, '_>,
        environment: EnvironmentArgs<'_, '_>,
        method: StockMethod,
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(Some(&amount))?);
        let request = environment.request(principal, action, resource, &slots)?;
        let options = amount.options(read_idempotency_key(idempotency_key)?, false);
        decide(py, self.files, &request, || {
            method(&self.inner, request, &options)
        })
        .map(Decision)
    }
}

request_methods! {
#[pymethods]
impl Engine {
    /// Checks a request and, if it is allowed, consumes `amount` in the same transaction;
    /// returns the decision with the quota. Without an amount, consumes 1. An action with
    /// `@frees` gives back.
    ///
    /// A denied request consumes nothing (Q13): `quota_exceeded` is a code of the decision, and
    /// not an error. A retry with the same `idempotency_key` returns the first granted decision,
    /// marked `replayed` (Q7). With `allow_partial` the call grants what is left if the whole
    /// amount does not fit (Q5).
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_metered`, `quota.unknown_meter`, `quota.below_zero`,
    /// `quota.idempotency_mismatch`, `quota.idempotency_key_pruned` or `store.clock_jump`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> spring = ("Campaign", "spring", "acme")
    ///     >>> acme = ("Account", "acme")
    ///     >>> sent = engine.consume(acme, "campaign.send", spring, 200, idempotency_key="spring/1")
    ///     >>> sent.code, sent.operation
    ///     ('principal_unknown', None)
    fn consume(
        &self, py, principal, action, resource, [amount], *,
        [idempotency_key], allow_partial: bool = false, ..environment
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(amount)?);
        let request = environment.request(principal, action, resource, &slots)?;
        let options = amount.options(read_idempotency_key(idempotency_key)?, allow_partial);
        decide(py, self.files, &request, || self.inner.consume(request, &options)).map(Decision)
    }

    /// Checks a request and, if it is allowed, holds `amount` for `ttl` milliseconds; returns
    /// the decision. Until then `commit` or `release` its `operation`. Without `ttl`, the amount
    /// is held for 15 minutes (Q8).
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `input.ttl`, `quota.not_metered`, `quota.unknown_meter`, `quota.idempotency_mismatch`,
    /// `quota.idempotency_key_pruned` or `store.clock_jump`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> spring = ("Campaign", "spring", "acme")
    ///     >>> held = engine.reserve(("Account", "acme"), "campaign.send", spring, 200, ttl=60_000)
    ///     >>> if held.operation is not None:
    ///     ...     receipt = engine.commit(held.operation, 150)
    fn reserve(
        &self, py, principal, action, resource, amount, *, [ttl], [idempotency_key], ..environment
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(Some(&amount))?);
        let request = environment.request(principal, action, resource, &slots)?;
        let options = amount.options(read_idempotency_key(idempotency_key)?, false);
        let ttl = read_optional_amount(ttl)?;
        decide(py, self.files, &request, || self.inner.reserve(request, &options, ttl))
            .map(Decision)
    }

    /// Sets the count of the action's stocks to `amount`, and returns the decision. A higher
    /// count needs the permission of the policies; a lower count is always set.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
    /// `quota.idempotency_key_pruned`.
    fn set_stock(
        &self, py, principal, action, resource, amount, *, [idempotency_key], ..environment
    ) -> PyResult<Decision> {
        let arguments = [principal, action, resource, amount];
        self.change_stock(py, arguments, idempotency_key, environment, |engine, request, options| {
            engine.set_stock(request, options)
        })
    }

    /// Adds to the action's stocks as far as the policies allow it, and returns the decision. It
    /// works as `consume`, and refuses actions whose meter is no stock.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
    /// `quota.idempotency_key_pruned`.
    fn increase_stock(
        &self, py, principal, action, resource, amount, *, [idempotency_key], ..environment
    ) -> PyResult<Decision> {
        let arguments = [principal, action, resource, amount];
        self.change_stock(py, arguments, idempotency_key, environment, |engine, request, options| {
            engine.increase_stock(request, options)
        })
    }

    /// Subtracts from the action's stocks what no longer exists, and returns the decision. The
    /// policies do not see the amount.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.below_zero`, `quota.unknown_meter`,
    /// `quota.idempotency_mismatch` or `quota.idempotency_key_pruned`.
    fn decrease_stock(
        &self, py, principal, action, resource, amount, *, [idempotency_key], ..environment
    ) -> PyResult<Decision> {
        let arguments = [principal, action, resource, amount];
        self.change_stock(py, arguments, idempotency_key, environment, |engine, request, options| {
            engine.decrease_stock(request, options)
        })
    }
}
}
