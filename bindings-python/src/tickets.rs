//! Support tickets.

use pyo3::prelude::*;
use sublet::{EntityRef, Environment, Error, Resource};

use crate::convert::PyArg;
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::methods::request_methods;
use crate::request::EnvironmentArgs;
use crate::results::{Decision, to_python_object};
use crate::slots::RequestSlots;
use crate::waiting::wait;

type ActionlessMethod<T> =
    fn(&sublet::Engine, &EntityRef, &Resource, &Environment) -> Result<T, Error>;

/// The desk that resolves a support ticket.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct TicketRoute(pub(crate) sublet::TicketRoute);

/// The route of a support ticket, at opening and at each reply. It is true if a desk takes
/// the ticket. It holds no address (T1 to T4, B1).
#[pyclass(frozen, module = "sublet")]
pub(crate) struct TicketOutcome(sublet::TicketOutcome);

#[pymethods]
impl TicketOutcome {
    /// The account of the ticket.
    #[getter]
    fn ticket_account(&self) -> Option<&str> {
        self.0.ticket_account.as_deref()
    }

    /// The account in whose name a client is answered: the client's owner (T2).
    #[getter]
    fn on_behalf_of(&self) -> Option<&str> {
        self.0.on_behalf_of.as_deref()
    }

    /// The client's ticket from which this one was escalated.
    #[getter]
    fn linked(&self) -> Option<&str> {
        self.0.linked.as_deref()
    }

    /// Whether the attribute of the ticket names another desk (T3).
    #[getter]
    fn rerouted(&self) -> bool {
        self.0.rerouted
    }

    fn __bool__(&self) -> bool {
        self.0.desk.is_some()
    }
}

/// Adds the members that the route and the outcome of a ticket have in common.
macro_rules! add_route_members {
    ($($class:ident),*) => {$(
        #[pymethods]
        impl $class {
            /// The desk, or `None` if no desk takes the ticket: then `code` says why.
            #[getter]
            fn desk(&self) -> Option<&str> {
                self.0.desk.as_deref()
            }

            /// The owner's account, if the desk is an owner's.
            #[getter]
            fn account(&self) -> Option<&str> {
                self.0.account.as_deref()
            }

            /// The decision code.
            #[getter]
            fn code(&self) -> &str {
                &self.0.code
            }

            /// The decision behind the route.
            #[getter]
            fn decision(&self) -> Decision {
                Decision(self.0.decision.clone())
            }

            /// Returns the fields as a `dict`, with the names of the other languages.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                to_python_object(py, &self.0)
            }

            fn __repr__(&self) -> String {
                format!(
                    concat!(stringify!($class), "(desk={:?}, code={:?})"),
                    self.0.desk, self.0.code
                )
            }
        }
    )*};
}

add_route_members!(TicketRoute, TicketOutcome);

impl Engine {
    /// Calls a method that takes a login and a resource, and names no action.
    pub(crate) fn call_without_action<T: Send>(
        &self,
        py: Python<'_>,
        [principal, resource]: [PyArg<'_, '_>; 2],
        environment: EnvironmentArgs<'_, '_>,
        method: ActionlessMethod<T>,
    ) -> PyResult<T> {
        let slots = RequestSlots::default();
        let request = environment
            .request_without_action(principal, resource, &slots)?
            .to_owned_request()
            .or_raise()?;
        wait(py, || {
            method(
                &self.inner,
                &request.principal,
                &request.resource,
                &request.environment,
            )
        })
    }
}

request_methods! {
#[pymethods]
impl Engine {
    /// Returns which desk resolves a support ticket of `principal` about `about`.
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy`.
    fn route_ticket(
        &self, py, principal, about, *, ..environment
    ) -> PyResult<TicketRoute> {
        let method = sublet::Engine::route_ticket;
        self.call_without_action(py, [principal, about], environment, method).map(TicketRoute)
    }

    /// Returns where a ticket goes that `principal` opens about `about`: an account, or a client
    /// of the owner (T1, T2, T4).
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy`.
    fn open_ticket(
        &self, py, principal, about, *, ..environment
    ) -> PyResult<TicketOutcome> {
        let method = sublet::Engine::open_ticket;
        self.call_without_action(py, [principal, about], environment, method).map(TicketOutcome)
    }

    /// Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
    /// attribute `desk` of the ticket says where it was (T3).
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy` or `input.attribute_required`.
    fn reply_ticket(
        &self, py, principal, ticket, *, ..environment
    ) -> PyResult<TicketOutcome> {
        let method = sublet::Engine::reply_ticket;
        self.call_without_action(py, [principal, ticket], environment, method).map(TicketOutcome)
    }

    /// Returns where the ticket goes that `principal` opens because it cannot resolve the
    /// `ticket` of its client (T4).
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy` or `input.attribute_required`.
    fn escalate_ticket(
        &self, py, principal, ticket, *, ..environment
    ) -> PyResult<TicketOutcome> {
        let method = sublet::Engine::escalate_ticket;
        self.call_without_action(py, [principal, ticket], environment, method).map(TicketOutcome)
    }
}
}
