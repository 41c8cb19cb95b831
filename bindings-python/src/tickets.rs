//! Support tickets.

use pyo3::prelude::*;

use crate::Engine;
use crate::answers::{Decision, Desk, plain};
use crate::asked::{Spare, around};
use crate::count::Given;
use crate::errors::OrRaise;

/// Where a support ticket goes.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Route(sublet::Route);

#[pymethods]
impl Route {
    #[getter]
    fn desk(&self) -> Option<&str> {
        self.0.desk.as_deref()
    }

    #[getter]
    fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    #[getter]
    fn of(&self) -> Option<&str> {
        self.0.of.as_deref()
    }

    #[getter]
    fn on_behalf_of(&self) -> Option<&str> {
        self.0.on_behalf_of.as_deref()
    }

    #[getter]
    fn linked(&self) -> Option<&str> {
        self.0.linked.as_deref()
    }

    #[getter]
    fn rerouted(&self) -> bool {
        self.0.rerouted
    }

    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
    }

    fn __bool__(&self) -> bool {
        self.0.desk.is_some()
    }

    fn __repr__(&self) -> String {
        format!("Route(desk={:?}, code={:?})", self.0.desk, self.0.code)
    }
}

#[pymethods]
impl Engine {
    /// Who resolves a ticket of `principal` about `about`.
    #[pyo3(signature = (principal, about, *, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn desk(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        about: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Desk> {
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, None, context);
        let asked = around.about(principal.as_borrowed(), about.as_borrowed(), &keep)?.to_request().or_raise()?;
        py.detach(|| self.inner.desk(&asked.principal, &asked.resource, &asked.circumstances)).map(Desk).or_raise()
    }

    /// Where a ticket goes that `principal` opens about `about`.
    #[pyo3(signature = (principal, about, *, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn open_ticket(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        about: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Route> {
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, None, context);
        let asked = around.about(principal.as_borrowed(), about.as_borrowed(), &keep)?.to_request().or_raise()?;
        py.detach(|| self.inner.open_ticket(&asked.principal, &asked.resource, &asked.circumstances)).map(Route).or_raise()
    }

    /// Whether `principal` may reply to `ticket`, and where the ticket goes now.
    #[pyo3(signature = (principal, ticket, *, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn reply_ticket(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        ticket: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Route> {
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, None, context);
        let asked = around.about(principal.as_borrowed(), ticket.as_borrowed(), &keep)?.to_request().or_raise()?;
        py.detach(|| self.inner.reply_ticket(&asked.principal, &asked.resource, &asked.circumstances)).map(Route).or_raise()
    }

    /// Where a ticket goes that `principal` opens because it cannot resolve its client's `ticket`.
    #[pyo3(signature = (principal, ticket, *, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn escalate_ticket(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        ticket: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Route> {
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, None, context);
        let asked = around.about(principal.as_borrowed(), ticket.as_borrowed(), &keep)?.to_request().or_raise()?;
        py.detach(|| self.inner.escalate_ticket(&asked.principal, &asked.resource, &asked.circumstances)).map(Route).or_raise()
    }
}
