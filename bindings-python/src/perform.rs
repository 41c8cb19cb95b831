//! Commands.

use pyo3::prelude::*;
use sublet::Command;

use crate::arguments;
use crate::consume::read_idempotency_key;
use crate::convert::{OptionalPyArg, read_object, read_str};
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::methods::request_methods;
use crate::references::parse_reference;
use crate::results::Decision;
use crate::waiting::wait;

/// The result of a command. It is true if the command was performed.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Performed(sublet::Performed);

#[pymethods]
impl Performed {
    /// The decision on the command.
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    /// The token to send to the e-mail that waits to be confirmed, or `None`. It is returned
    /// once, and the directory stores its hash (I4).
    #[getter]
    fn token(&self) -> Option<&str> {
        self.0.token.as_deref()
    }

    /// The number of the payment, reversal, top-up or revocation that the command recorded, or
    /// `None`. Later commands name it, and a retry gets it again.
    #[getter]
    fn entry(&self) -> Option<u64> {
        self.0.entry
    }

    fn __bool__(&self) -> bool {
        self.0.decision.allowed
    }

    /// Leaves out the token, because printed text may be stored.
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
    /// Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
    /// (D4). If several owners claim the name, `owner` says whose record is returned.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_record` or
    /// `directory.domain_claims`.
    #[pyo3(signature = (domain, *, owner=None))]
    fn domain_proof(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::domain)] domain: &str,
        owner: OptionalPyArg<'_, '_>,
    ) -> PyResult<String> {
        let owner = owner
            .map(|owner| read_str("owner", owner.as_borrowed()))
            .transpose()?;
        wait(py, || self.inner.domain_proof(domain, owner))
    }
}

request_methods! {
#[pymethods]
impl Engine {
    /// Checks whether `principal` may perform a command and, if so, performs it; returns the
    /// decision and a token, if one was made. Permission, debit and change of the directory are
    /// one transaction. A retry with the same `idempotency_key` changes nothing again.
    ///
    /// Raises a `SubletError` with the code `input.command`, `input.command_unasked`,
    /// `input.idempotency_key`, `directory.unknown_account`, `directory.duplicate_login`,
    /// `directory.id_used` or `quota.idempotency_mismatch`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> dash = {"type": "Domain", "id": "dash.mmio.example", "kind": "platform"}
    ///     >>> acme = {"type": "Account", "id": "acme", "email": "owner@acme.example"}
    ///     >>> revision = engine.apply_changes([
    ///     ...     {"type": "Platform", "id": "mmio"},
    ///     ...     {**dash, "state": "verified"},
    ///     ...     {**acme, "package": "agency", "confirmed": True},
    ///     ... ])
    ///     >>> florist = {"do": "create_client", "id": "florist", "email": "hello@florist.example"}
    ///     >>> called = {"idempotency_key": "signup/17", "host": "dash.mmio.example"}
    ///     >>> made = engine.perform(("Account", "acme"), florist, **called)
    ///     >>> made.decision.code, made.token is not None  # the token goes into an e-mail
    ///     ('ok', True)
    fn perform(
        &self, py, principal, command, *, [idempotency_key], ..environment
    ) -> PyResult<Performed> {
        let principal = parse_reference("principal", principal)?;
        let idempotency_key = read_idempotency_key(idempotency_key)?;
        let environment = environment.into_environment()?;
        let command = Command::from_value(read_object("command", &command)?.into()).or_raise()?;
        wait(py, || {
            self.inner.perform(&principal, &command, &environment, idempotency_key)
        })
        .map(Performed)
    }
}
}
