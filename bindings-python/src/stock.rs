//! The verbs of stocks.

use pyo3::prelude::*;
use sublet::{ConsumeOptions, Error, RequestRef};

use crate::Engine;
use crate::answers::Decision;
use crate::asked::{Around, Spare, around, decide};
use crate::count::{Amount, Given, key};

type Verb =
    fn(&sublet::Engine, RequestRef<'_>, &ConsumeOptions<'_>) -> Result<sublet::Decision, Error>;

impl Engine {
    /// What is said of a stock by one of the verbs.
    fn keep(
        &self,
        py: Python<'_>,
        [principal, action, resource, amount]: [&Bound<'_, PyAny>; 4],
        key: Given<'_, '_>,
        around: Around<'_, '_>,
        verb: Verb,
    ) -> PyResult<Decision> {
        let (keep, amount) = (Spare::default(), Amount::read(Some(amount))?);
        let question = around.question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        let take = amount.take(self::key(key)?, false);
        decide(py, self.files, &question, || {
            verb(&self.inner, question, &take)
        })
        .map(Decision)
    }
}

#[pymethods]
impl Engine {
    /// Makes the amount the count of the action's stocks.
    #[pyo3(signature = (principal, action, resource, amount, *, key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn set(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let around = around(actor, host, channel, realm, None, context);
        self.keep(
            py,
            [principal, action, resource, amount],
            key,
            around,
            |engine, question, take| engine.set(question, take),
        )
    }

    /// Adds to the action's stocks.
    #[pyo3(signature = (principal, action, resource, amount, *, key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn add(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let around = around(actor, host, channel, realm, None, context);
        self.keep(
            py,
            [principal, action, resource, amount],
            key,
            around,
            |engine, question, take| engine.add(question, take),
        )
    }

    /// Takes from the action's stocks.
    #[pyo3(signature = (principal, action, resource, amount, *, key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn sub(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let around = around(actor, host, channel, realm, None, context);
        self.keep(
            py,
            [principal, action, resource, amount],
            key,
            around,
            |engine, question, take| engine.sub(question, take),
        )
    }
}
