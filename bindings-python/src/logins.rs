//! Logins: whether an e-mail may log in at a host, and at which hosts a login is admitted.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments;
use crate::convert::{OptionalPyArg, read_str};
use crate::engine::Engine;
use crate::references::{parse_action, parse_host, parse_reference};
use crate::results::{Decision, to_entity_tuple, to_python_object, to_str_tuple};
use crate::slots::RequestSlots;
use crate::waiting::wait;

/// The answer to a login. It is true if the login is allowed.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Login(pub(crate) sublet::Login);

#[pymethods]
impl Login {
    /// Whether the login is allowed.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The code for the outside: `ok`, or `login_refused` for every refusal (D7).
    #[getter]
    fn public_code(&self) -> &str {
        &self.0.public_code
    }

    /// The precise code, for your log only.
    #[getter]
    fn log_code(&self) -> &str {
        &self.0.log_code
    }

    /// The login whose password to check, even if it is refused. Never a login of a realm that
    /// this host does not serve.
    #[getter]
    fn principal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        to_entity_tuple(py, self.0.principal.as_ref())
    }

    /// The decision behind the answer, or `None` if no login was found.
    #[getter]
    fn decision(&self) -> Option<Decision> {
        self.0.decision.clone().map(Decision)
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __bool__(&self) -> bool {
        self.0.allowed
    }

    fn __repr__(&self) -> String {
        format!(
            "Login(allowed={}, public_code={:?}, log_code={:?})",
            if self.0.allowed { "True" } else { "False" },
            self.0.public_code,
            self.0.log_code
        )
    }
}

/// The hosts at which a login is admitted.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct LoginHosts(pub(crate) sublet::LoginHosts);

#[pymethods]
impl LoginHosts {
    /// The decision code: `ok`, or the precise reason why the named host refuses the login.
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    /// The verified domains of this page at which the login is admitted, sorted by name.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        to_str_tuple(py, &self.0.hosts)
    }

    /// The `after` of the next page, or `None` after the last. A page may be short, or empty.
    #[getter]
    fn next(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// The decision behind the code.
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
            "LoginHosts(code={:?}, hosts={:?}, next={:?})",
            self.0.code, self.0.hosts, self.0.next
        )
    }
}

/// One page of the hosts at which the logins of an account come in.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct AccountHosts(pub(crate) sublet::AccountHosts);

#[pymethods]
impl AccountHosts {
    /// The domains in use of this page, sorted by name.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        to_str_tuple(py, &self.0.hosts)
    }

    /// The `after` of the next page, or `None` after the last.
    #[getter]
    fn next(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "AccountHosts(hosts={:?}, next={:?})",
            self.0.hosts, self.0.next
        )
    }
}

#[pymethods]
impl Engine {
    /// Decides whether an e-mail may log in at a host, and as which principal; returns the
    /// answer. `action` is the credential flow, by default the password (D6).
    ///
    /// Every refusal has the same `public_code`, and takes the same time whether or not the
    /// e-mail is known. After you have checked the password, `login_hosts` returns the precise
    /// code and the hosts at which the login is admitted (D7).
    ///
    /// Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
    /// `input.not_tenancy`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> login = engine.login("app.acme.example", "hello@bakery.example")
    ///     >>> login.allowed, login.public_code  # log_code is for your log alone
    ///     (False, 'login_refused')
    #[pyo3(signature = (host, email, action=None))]
    fn login(
        &self,
        py: Python<'_>,
        host: &Bound<'_, PyAny>,
        email: &Bound<'_, PyAny>,
        action: OptionalPyArg<'_, '_>,
    ) -> PyResult<Login> {
        let (host, email, slots) = (
            parse_host(host.as_borrowed())?,
            read_str("email", email.as_borrowed())?,
            RequestSlots::default(),
        );
        let action = action
            .map(|action| parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        wait(py, || self.inner.login(host.name(), email, action)).map(Login)
    }

    /// Decides whether a program with this key may log in at a host, and as which service
    /// account; returns the answer (I7).
    ///
    /// Every refusal has the same `public_code`, and takes the same time whether or not the key
    /// is known. The event of the call has the principal and the instant, so that you can show
    /// the last use of a key. Call it for each request of a program, or exchange the key for a
    /// session that ends no later than the key.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action` or `input.not_tenancy`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> login = engine.login_by_key("app.acme.example", "0123456789abcdef")
    ///     >>> login.allowed, login.public_code
    ///     (False, 'login_refused')
    fn login_by_key(
        &self,
        py: Python<'_>,
        host: &Bound<'_, PyAny>,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Login> {
        let (host, key) = (
            parse_host(host.as_borrowed())?,
            read_str("key", key.as_borrowed())?,
        );
        wait(py, || self.inner.login_by_key(host.name(), key)).map(Login)
    }

    /// Returns the hosts at which a login is admitted, and the precise code of its login at
    /// `host` (D7, D9).
    ///
    /// Call it after you have checked the password, and for links in e-mails. One call checks at
    /// most 50 domains; pass the `next` of its answer as `after` to go on.
    ///
    /// Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
    /// `input.not_tenancy`.
    #[pyo3(signature = (principal, *, host=None, action=None, after=None))]
    fn login_hosts(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        host: OptionalPyArg<'_, '_>,
        action: OptionalPyArg<'_, '_>,
        after: OptionalPyArg<'_, '_>,
    ) -> PyResult<LoginHosts> {
        let (principal, slots) = (
            parse_reference("principal", principal.as_borrowed())?,
            RequestSlots::default(),
        );
        let host = host
            .map(|host| parse_host(host.as_borrowed()))
            .transpose()?;
        let action = action
            .map(|action| parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        let after = after
            .map(|after| read_str("after", after.as_borrowed()))
            .transpose()?;
        let host = host.as_ref().map(|host| host.name());
        wait(py, || {
            self.inner.login_hosts(&principal, host, action, after)
        })
        .map(LoginHosts)
    }

    /// Returns the hosts at which the logins of an account come in, for links in e-mails (D9). A
    /// client has the domains of its owner, a main account those of the platform and its own.
    ///
    /// No policy is asked: `login_hosts` says where a login is admitted. One call returns at
    /// most 1,000 hosts; pass the `next` of its answer as `after` to go on.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account` or `input.not_tenancy`.
    #[pyo3(signature = (account, *, after=None, limit=50))]
    fn hosts_of(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        after: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
    ) -> PyResult<AccountHosts> {
        let after = after
            .map(|after| read_str("after", after.as_borrowed()))
            .transpose()?;
        wait(py, || self.inner.hosts_of(account, after, limit)).map(AccountHosts)
    }
}
