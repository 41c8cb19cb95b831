//! The class `Engine`: how it is opened and reloaded, and the bundle that it has.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use sublet::Options;

use crate::arguments;
use crate::convert::OptionalPyArg;
use crate::errors::OrRaise;
use crate::options::{read_caps, read_clock, read_program, read_source};
use crate::results::to_python_object;
use crate::waiting::wait;

/// A policy engine inside this process. Threads can share it, and it survives a fork.
///
/// Every method fails with an `input.*` code if an argument is malformed, and with a
/// `store.*` code if the store fails. A refusal is a value and not an error.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Engine {
    pub(crate) inner: sublet::Engine,
    /// Whether a call may wait for a file. An engine keeps its store, so this never changes.
    pub(crate) files: bool,
}

impl From<sublet::Engine> for Engine {
    fn from(inner: sublet::Engine) -> Self {
        Self {
            files: inner.is_file_backed(),
            inner,
        }
    }
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
    #[pyo3(
        signature = (policies=None, *, store="memory:", validation="strict", caps=None, clock=None)
    )]
    fn open(
        py: Python<'_>,
        policies: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::store)] store: &str,
        #[pyo3(from_py_with = arguments::validation)] validation: &str,
        #[pyo3(from_py_with = arguments::caps)] caps: Option<&Bound<'_, PyDict>>,
        clock: OptionalPyArg<'_, '_>,
    ) -> PyResult<Self> {
        let (policies, validation, caps) = (
            read_source(policies)?,
            validation.parse().or_raise()?,
            read_caps(caps)?,
        );
        let options = Options {
            policies,
            store: store.to_owned(),
            validation,
            caps,
            clock: read_clock(clock)?,
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
    #[pyo3(
        signature = (
            policies, schema=None, *, links=None, entities=None, validation="strict",
            validate_requests=None, caps=None
        )
    )]
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
        let policies = read_program(Some(policies), schema, links, entities, validate_requests)?;
        let options = Options {
            policies,
            validation: validation.parse().or_raise()?,
            caps: read_caps(caps)?,
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
        let source = read_source(policies)?;
        wait(py, || self.inner.reload(&source)).map(|fingerprint| fingerprint.to_string())
    }

    /// Replaces the program of an engine that `cedar` opened, and returns the new fingerprint.
    ///
    /// Raises a `SubletError` with the code `bundle.syntax`, `bundle.schema`,
    /// `bundle.validation`, `bundle.entities` or `input.not_tenancy`.
    #[pyo3(
        signature = (policies, schema=None, *, links=None, entities=None, validate_requests=None)
    )]
    fn reload_cedar(
        &self,
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: OptionalPyArg<'_, '_>,
        links: OptionalPyArg<'_, '_>,
        entities: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::validate_requests)] validate_requests: Option<bool>,
    ) -> PyResult<String> {
        let source = read_program(Some(policies), schema, links, entities, validate_requests)?;
        wait(py, || self.inner.reload(&source)).map(|fingerprint| fingerprint.to_string())
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
