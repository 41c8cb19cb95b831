//! Support tickets.

use pyo3::prelude::*;
use sublet::{EntityRef, Environment, Error, Resource};

use crate::Engine;
use crate::answers::{Decision, Desk, plain};
use crate::asked::{Around, Spare, around};
use crate::count::Given;
use crate::errors::OrRaise;
use crate::waiting::wait;

type Verb<T> = fn(&sublet::Engine, &EntityRef, &Resource, &Environment) -> Result<T, Error>;

/// Where a support ticket goes.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Route(sublet::TicketOutcome);

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

impl Engine {
    /// The answer of a verb that asks of a login and a resource, and names no action.
    pub(crate) fn about<T: Send>(
        &self,
        py: Python<'_>,
        [principal, about]: [&Bound<'_, PyAny>; 2],
        around: Around<'_, '_>,
        verb: Verb<T>,
    ) -> PyResult<T> {
        let keep = Spare::default();
        let asked = around
            .about(principal.as_borrowed(), about.as_borrowed(), &keep)?
            .to_owned_request()
            .or_raise()?;
        wait(py, || {
            verb(
                &self.inner,
                &asked.principal,
                &asked.resource,
                &asked.circumstances,
            )
        })
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
        self.about(
            py,
            [principal, about],
            around(actor, host, channel, realm, None, context),
            sublet::Engine::desk,
        )
        .map(Desk)
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
        self.about(
            py,
            [principal, about],
            around(actor, host, channel, realm, None, context),
            sublet::Engine::open_ticket,
        )
        .map(Route)
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
        self.about(
            py,
            [principal, ticket],
            around(actor, host, channel, realm, None, context),
            sublet::Engine::reply_ticket,
        )
        .map(Route)
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
        self.about(
            py,
            [principal, ticket],
            around(actor, host, channel, realm, None, context),
            sublet::Engine::escalate_ticket,
        )
        .map(Route)
    }
}
