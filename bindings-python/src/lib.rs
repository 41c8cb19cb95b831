//! The engine for Python: convert, call, convert. Every rule is in the core.

mod arguments;
mod batch;
mod billing;
mod consume;
mod consume_batch;
mod convert;
mod counters;
mod decisions;
mod directory;
mod errors;
mod follow_up;
mod gil;
mod handles;
mod log;
mod logins;
mod options;
mod perform;
mod request;
mod results;
mod tickets;
mod waiting;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use sublet::Options;

use crate::arguments::entries;
use crate::convert::{OptionalPyArg, text, to_python};
use crate::errors::OrRaise;
use crate::options::{program, source};
use crate::results::{Decision, Explanation, to_python_object};
use crate::waiting::wait;

/// A policy engine inside this process. Threads can share it, and it survives a fork.
///
/// Every method fails with an `input.*` code if an argument is malformed, and with a
/// `store.*` code if the store fails. A refusal is a value and not an error.
#[pyclass(frozen, module = "sublet")]
struct Engine {
    inner: sublet::Engine,
    /// Whether a call may wait for a file.
    files: bool,
}

#[pymethods]
impl Engine {
    /// Opens an engine with a bundle of policies, and returns it. The bundle loads whole or not
    /// at all.
    ///
    /// `policies` is a folder, or the texts of the files by name; without it the shipped bundle
    /// is used. `store` is `memory:` or `sqlite:PATH`. `validation` is `strict`, which also
    /// refuses warnings, `errors` or `off`. `caps` limits texts and values. `clock` replaces the
    /// clock of the system.
    ///
    /// Raises a `SubletError` with the code `bundle.not_found`, `bundle.syntax`,
    /// `bundle.validation`, `bundle.warning`, `input.option`, `store.io` or `store.version`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open(store="memory:")
    ///     >>> engine.revision
    ///     0
    #[staticmethod]
    #[pyo3(signature = (policies=None, *, store="memory:", validation="strict", caps=None, clock=None))]
    fn open(
        py: Python<'_>,
        policies: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::store)] store: &str,
        #[pyo3(from_py_with = arguments::validation)] validation: &str,
        #[pyo3(from_py_with = arguments::caps)] caps: Option<&Bound<'_, PyDict>>,
        clock: OptionalPyArg<'_, '_>,
    ) -> PyResult<Self> {
        let (policies, validation, caps) = (
            source(policies)?,
            validation.parse().or_raise()?,
            self::options::caps(caps)?,
        );
        let options = Options {
            policies,
            store: store.to_owned(),
            validation,
            caps,
            clock: self::options::clock(clock)?,
        };
        wait(py, || sublet::Engine::open(options)).map(Self::from)
    }

    /// Opens an engine with a plain Cedar program, without the tenancy kernel, and returns it.
    ///
    /// Each part is text in Cedar's syntax, or its JSON form. `entities` are the entities that
    /// every request sees. `validate_requests` says if requests are checked against the schema.
    ///
    /// Raises a `SubletError` with the code `bundle.syntax`, `bundle.schema`,
    /// `bundle.validation`, `bundle.entities`, `bundle.link` or `input.option`.
    #[staticmethod]
    #[pyo3(signature = (policies, schema=None, *, links=None, entities=None, validation="strict", validate_requests=None, caps=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn cedar(
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: OptionalPyArg<'_, '_>,
        links: OptionalPyArg<'_, '_>,
        entities: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::validation)] validation: &str,
        #[pyo3(from_py_with = arguments::validate_requests)] validate_requests: Option<bool>,
        #[pyo3(from_py_with = arguments::caps)] caps: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let policies = program(Some(policies), schema, links, entities, validate_requests)?;
        let options = Options {
            policies,
            validation: validation.parse().or_raise()?,
            caps: self::options::caps(caps)?,
            ..Options::default()
        };
        wait(py, || sublet::Engine::open(options)).map(Self::from)
    }

    /// Replaces the policies, whole or not at all, and returns the new fingerprint. It takes
    /// tens of milliseconds or more; until it is done, the old policies are used.
    ///
    /// Raises a `SubletError` with the code `bundle.not_found`, `bundle.syntax`,
    /// `bundle.validation`, `bundle.in_use` or `input.not_tenancy`.
    #[pyo3(signature = (policies=None))]
    fn reload(&self, py: Python<'_>, policies: OptionalPyArg<'_, '_>) -> PyResult<String> {
        let source = source(policies)?;
        wait(py, || self.inner.reload(&source)).map(|name| name.to_string())
    }

    /// Replaces the program of an engine that `cedar` opened, and returns the new fingerprint.
    ///
    /// Raises a `SubletError` with the code `bundle.syntax`, `bundle.schema`,
    /// `bundle.validation`, `bundle.entities` or `input.not_tenancy`.
    #[pyo3(signature = (policies, schema=None, *, links=None, entities=None, validate_requests=None))]
    fn reload_cedar(
        &self,
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: OptionalPyArg<'_, '_>,
        links: OptionalPyArg<'_, '_>,
        entities: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::validate_requests)] validate_requests: Option<bool>,
    ) -> PyResult<String> {
        let source = program(Some(policies), schema, links, entities, validate_requests)?;
        wait(py, || self.inner.reload(&source)).map(|name| name.to_string())
    }

    /// Returns the loaded bundle: fingerprint, policies, actions, features, codes, warnings, and
    /// the policies that are not compiled.
    fn bundle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.inner.bundle())
    }

    /// The revision of the directory. It grows by one with each change.
    #[getter]
    fn revision(&self, py: Python<'_>) -> PyResult<u64> {
        wait(py, || Ok(self.inner.revision()))
    }

    fn _panic(&self) -> PyResult<()> {
        self.inner._panic().or_raise()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) -> bool {
        false
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (bundle, revision) = wait(py, || Ok((self.inner.bundle(), self.inner.revision())))?;
        Ok(format!(
            "Engine(bundle={:?}, policies={}, revision={revision})",
            bundle.fingerprint,
            bundle.policies.len()
        ))
    }
}

/// Returns every error code with its help.
#[pyfunction]
fn error_codes<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    to_python(
        py,
        &sublet::error_codes()
            .into_iter()
            .map(|(code, help)| (code.to_owned(), help.into()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    )
}

/// Returns the normal form of a host name and `None`, or `None` and the reason why it has
/// none.
#[pyfunction]
fn normalise_host(host: &Bound<'_, PyAny>) -> PyResult<(Option<String>, Option<&'static str>)> {
    Ok(
        match sublet::normalise_host(text("host", host.as_borrowed())?) {
            Ok(name) => (Some(name), None),
            Err(reason) => (None, Some(reason)),
        },
    )
}

/// Runs the `sublet` command with its arguments, and returns its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: &Bound<'_, PyAny>) -> PyResult<i32> {
    let words = entries("arguments", arguments)?;
    let words = words
        .iter()
        .map(|word| text("arguments", word.as_borrowed()).map(Into::into))
        .collect::<PyResult<Vec<std::ffi::OsString>>>()?;
    Ok(py.detach(|| sublet_cli::run(words, &mut std::io::stdout(), &mut std::io::stderr())))
}

#[pymodule]
fn _sublet(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // pyo3 imports a module at the first use of an iterator. A child that is forked during that
    // import would wait for its lock for ever.
    let _ = PyTuple::empty(module.py()).try_iter()?.size_hint();
    errors::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Engine>()?;
    module.add_class::<handles::Principal>()?;
    module.add_class::<handles::Action>()?;
    module.add_class::<handles::ResourceType>()?;
    module.add_class::<handles::Host>()?;
    module.add_class::<handles::ManualClock>()?;
    module.add_class::<Decision>()?;
    module.add_class::<perform::Performed>()?;
    module.add_class::<log::LogHandle>()?;
    module.add_class::<waiting::Call>()?;
    module.add_class::<log::Pulled>()?;
    module.add_function(wrap_pyfunction!(log::_show, module)?)?;
    module.add_class::<follow_up::CountReceipt>()?;
    module.add_class::<logins::Login>()?;
    module.add_class::<logins::LoginHosts>()?;
    module.add_class::<tickets::TicketRoute>()?;
    module.add_class::<tickets::TicketOutcome>()?;
    module.add_class::<Explanation>()?;
    module.add_function(wrap_pyfunction!(error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_host, module)?)?;
    module.add_function(wrap_pyfunction!(log::_close_logs, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
