//! Commands.

use pyo3::prelude::*;
use sublet::Command;

use crate::Engine;
use crate::answers::Decision;
use crate::arguments;
use crate::asked::{around, reference};
use crate::count::{Given, key};
use crate::errors::OrRaise;
use crate::values::object;
use crate::waiting::wait;

/// What became of a command.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Performed(sublet::Performed);

#[pymethods]
impl Performed {
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    #[getter]
    fn token(&self) -> Option<&str> {
        self.0.token.as_deref()
    }

    fn __bool__(&self) -> bool {
        self.0.decision.allowed
    }

    /// Without the token: what is printed may be kept.
    fn __repr__(&self) -> String {
        format!(
            "Performed(code={:?}, token={})",
            self.0.decision.code,
            if self.0.token.is_some() {
                "..."
            } else {
                "None"
            }
        )
    }
}

#[pymethods]
impl Engine {
    /// The TXT record that a domain's DNS must have before it is verified.
    fn domain_proof(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::domain)] domain: &str,
    ) -> PyResult<String> {
        wait(py, || self.inner.domain_proof(domain))
    }

    /// Asks whether the principal may, and if so obeys the command.
    #[pyo3(signature = (principal, command, *, key=None, actor=None, host=None, channel=None, realm=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn perform(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        command: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Performed> {
        let (principal, key) = (
            reference("principal", principal.as_borrowed())?,
            self::key(key)?,
        );
        let with = around(actor, host, channel, realm, None, context).owned()?;
        let command = Command::from_value(object("command", command)?.into()).or_raise()?;
        wait(py, || self.inner.perform(&principal, &command, &with, key)).map(Performed)
    }
}
