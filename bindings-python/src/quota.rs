//! Methods that consume, and methods about the counts.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use sublet::{ConsumeOptions, Error, RequestRef};

use crate::Engine;
use crate::arguments;
use crate::convert::{OptionalPyArg, amount, text};
use crate::request::{EnvironmentArgs, RequestSlots, decide, environment_args};
use crate::results::{CountReceipt, Decision, to_python_object};
use crate::waiting::wait;

/// Lifetime of a reservation in milliseconds, if the caller passes none.
const DEFAULT_RESERVATION_TTL: i64 = 900_000;

/// An amount: one `int` for each meter, or a `dict` of amounts by meter. Owned, because the host
/// may change the `dict`.
pub(crate) struct Amount {
    each: i64,
    single: Vec<(String, i64)>,
}

impl Amount {
    pub(crate) fn read(given: OptionalPyArg<'_, '_>) -> PyResult<Self> {
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

    pub(crate) fn take<'a>(
        &'a self,
        idempotency_key: Option<&'a str>,
        allow_partial: bool,
    ) -> ConsumeOptions<'a> {
        ConsumeOptions {
            amount: self.each,
            amounts: self
                .single
                .iter()
                .map(|(meter, amount)| (meter.as_str(), *amount))
                .collect(),
            idempotency_key,
            allow_partial,
        }
    }
}

/// Returns the idempotency key, if the caller passed one.
pub(crate) fn idempotency_key<'a>(given: OptionalPyArg<'a, '_>) -> PyResult<Option<&'a str>> {
    given
        .map(|given| text("idempotency_key", given.as_borrowed()))
        .transpose()
}

fn optional(given: OptionalPyArg<'_, '_>) -> PyResult<Option<i64>> {
    given.map(amount).transpose()
}

type StockMethod =
    fn(&sublet::Engine, RequestRef<'_>, &ConsumeOptions<'_>) -> Result<sublet::Decision, Error>;

impl Engine {
    /// Calls a method that changes a stock.
    fn change_stock(
        &self,
        py: Python<'_>,
        [principal, action, resource, amount]: [&Bound<'_, PyAny>; 4],
        idempotency_key: OptionalPyArg<'_, '_>,
        environment: EnvironmentArgs<'_, '_>,
        method: StockMethod,
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(Some(amount))?);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        let take = amount.take(self::idempotency_key(idempotency_key)?, false);
        decide(py, self.files, &request, || {
            method(&self.inner, request, &take)
        })
        .map(Decision)
    }
}

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
    #[pyo3(signature = (principal, action, resource, amount=None, *, idempotency_key=None, allow_partial=false, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn consume(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::allow_partial)] allow_partial: bool,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(amount)?);
        let request = environment_args(actor, host, channel, realm, None, context).request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        let take = amount.take(self::idempotency_key(idempotency_key)?, allow_partial);
        decide(py, self.files, &request, || {
            self.inner.consume(request, &take)
        })
        .map(Decision)
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
    #[pyo3(signature = (principal, action, resource, amount, *, ttl=None, idempotency_key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn reserve(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        ttl: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let (slots, amount) = (RequestSlots::default(), Amount::read(Some(amount))?);
        let request = environment_args(actor, host, channel, realm, None, context).request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        let (take, ttl) = (
            amount.take(self::idempotency_key(idempotency_key)?, false),
            optional(ttl)?.unwrap_or(DEFAULT_RESERVATION_TTL),
        );
        decide(py, self.files, &request, || {
            self.inner.reserve(request, &take, ttl)
        })
        .map(Decision)
    }

    /// Sets the count of the action's stocks to `amount`, and returns the decision. A higher
    /// count needs the permission of the policies; a lower count is always set.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
    /// `quota.idempotency_key_pruned`.
    #[pyo3(signature = (principal, action, resource, amount, *, idempotency_key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn set_stock(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let environment = environment_args(actor, host, channel, realm, None, context);
        self.change_stock(
            py,
            [principal, action, resource, amount],
            idempotency_key,
            environment,
            |engine, request, take| engine.set_stock(request, take),
        )
    }

    /// Adds to the action's stocks as far as the policies allow it, and returns the decision. It
    /// works as `consume`, and refuses actions whose meter is no stock.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
    /// `quota.idempotency_key_pruned`.
    #[pyo3(signature = (principal, action, resource, amount, *, idempotency_key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn increase_stock(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let environment = environment_args(actor, host, channel, realm, None, context);
        self.change_stock(
            py,
            [principal, action, resource, amount],
            idempotency_key,
            environment,
            |engine, request, take| engine.increase_stock(request, take),
        )
    }

    /// Subtracts from the action's stocks what no longer exists, and returns the decision. The
    /// policies do not see the amount.
    ///
    /// Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
    /// `quota.not_a_stock`, `quota.below_zero`, `quota.unknown_meter`,
    /// `quota.idempotency_mismatch` or `quota.idempotency_key_pruned`.
    #[pyo3(signature = (principal, action, resource, amount, *, idempotency_key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn decrease_stock(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let environment = environment_args(actor, host, channel, realm, None, context);
        self.change_stock(
            py,
            [principal, action, resource, amount],
            idempotency_key,
            environment,
            |engine, request, take| engine.decrease_stock(request, take),
        )
    }

    /// Consumes what a reservation holds, or `amount` of each of its meters, and gives back the
    /// rest; returns the receipt. A second call returns the first receipt (Q8).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`,
    /// `quota.not_a_reservation`, `quota.reservation_expired`, `quota.reservation_closed` or
    /// `quota.commit_too_much`.
    #[pyo3(signature = (operation, amount=None, *, idempotency_key=None))]
    fn commit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) =
            (optional(amount)?, self::idempotency_key(idempotency_key)?);
        wait(py, || self.inner.commit(operation, amount, idempotency_key)).map(CountReceipt)
    }

    /// Gives back what a reservation holds, and returns the receipt (Q8).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_a_reservation`
    /// or `quota.reservation_closed`.
    #[pyo3(signature = (operation, *, idempotency_key=None))]
    fn release(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let idempotency_key = self::idempotency_key(idempotency_key)?;
        wait(py, || self.inner.release(operation, idempotency_key)).map(CountReceipt)
    }

    /// Gives back what an operation consumed, or `amount` of each meter, in the window of the
    /// operation; returns the receipt. Never gives back more than was consumed. For a top-up,
    /// takes back what it added.
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_refundable` or
    /// `quota.refund_too_much`.
    #[pyo3(signature = (operation, amount=None, *, idempotency_key=None))]
    fn refund(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) =
            (optional(amount)?, self::idempotency_key(idempotency_key)?);
        wait(py, || self.inner.refund(operation, amount, idempotency_key)).map(CountReceipt)
    }

    /// Adds to the limit of an account's meter for the current window, or without end for a
    /// stock; returns the receipt.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
    /// `input.amount` or `input.idempotency_key`.
    #[pyo3(signature = (account, meter, amount, *, idempotency_key=None))]
    fn top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) = (
            self::amount(amount)?,
            self::idempotency_key(idempotency_key)?,
        );
        wait(py, || {
            self.inner.top_up(account, meter, amount, idempotency_key)
        })
        .map(CountReceipt)
    }

    /// Takes back what the top-up with this key added, for example after a chargeback; returns
    /// the receipt.
    ///
    /// The limit falls at once, and the usage stays. A second call changes nothing and is
    /// `replayed`. A top-up without a key is taken back with `refund` of its operation (B14).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_top_up`,
    /// `quota.idempotency_key_pruned` or `directory.unknown_account`.
    fn revoke_top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        idempotency_key: &Bound<'_, PyAny>,
    ) -> PyResult<CountReceipt> {
        let idempotency_key = text("idempotency_key", idempotency_key.as_borrowed())?;
        wait(py, || self.inner.revoke_top_up(account, idempotency_key)).map(CountReceipt)
    }

    /// Adds the usage of this window from before Sublet counted, of an account or of a member;
    /// returns the receipt. No limit is checked.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
    /// `input.amount` or `input.idempotency_key`.
    #[pyo3(signature = (account, meter, amount, *, member=None, idempotency_key=None))]
    fn carry_over(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) = (
            self::amount(amount)?,
            self::idempotency_key(idempotency_key)?,
        );
        wait(py, || {
            self.inner
                .carry_over(account, member, meter, amount, idempotency_key)
        })
        .map(CountReceipt)
    }

    /// Returns the quota of every meter of an account, or of one meter; with the part of a named
    /// member (Q11).
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`,
    /// `directory.unknown_record` or `quota.unknown_meter`.
    #[pyo3(signature = (account, *, member=None, meter=None))]
    fn usage<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        #[pyo3(from_py_with = arguments::optional_meter)] meter: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.usage(account, member, meter))?)
    }

    /// Returns the operations on an account's counts, the newest first: at most `limit` (100),
    /// older than the operation `before`.
    #[pyo3(signature = (account, *, before=None, limit=100))]
    fn history<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::before)] before: Option<u64>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(
            py,
            &wait(py, || self.inner.history(account, before, limit))?,
        )
    }

    /// Compares every count with the sum of its operations, and returns the result. Its `faults`
    /// are empty if all agree.
    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.verify())?)
    }

    /// Clears every count and key of a store in memory, and the latest recorded instant. It is
    /// for tests, between two cases.
    fn reset_counts(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.reset_counts())
    }

    /// Accepts the clock after `store.clock_jump`: as much time has passed as the clock says.
    fn accept_clock(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.accept_clock())
    }
}
