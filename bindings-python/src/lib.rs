//! The engine for Python: convert, call, convert. Every rule and every default is in the core.

mod answers;
mod errors;
mod values;

use std::io::{BufRead, BufReader, Cursor};
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use sublet::{Caps, Change, Error, Options, Program, Progress, Record, Request, Source};

use crate::answers::{Decision, Desk, Explanation, Login, plain};
use crate::errors::{OrRaise, Raise};
use crate::values::{action, circumstances, object, reference, request, resource, text, to_python};

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// A policy engine inside this process. Safe to share between threads, and across a fork.
#[pyclass(frozen, module = "sublet")]
struct Engine {
    inner: sublet::Engine,
}

fn caps(given: Option<&Bound<'_, PyDict>>) -> PyResult<Caps> {
    let mut caps = Caps::default();
    for (key, value) in given.into_iter().flatten() {
        let name = text("caps", &key)?;
        let wrong = || Error::OptionValue { option: format!("caps.{name}"), value: value.to_string().chars().take(80).collect() }.raise();
        let number = if value.is_exact_instance_of::<pyo3::types::PyInt>() { value.extract::<usize>().map_err(|_| wrong())? } else { return Err(wrong()) };
        let cap = match name.as_str() {
            "file_bytes" => &mut caps.file_bytes,
            "entities_bytes" => &mut caps.entities_bytes,
            "record_bytes" => &mut caps.record_bytes,
            "nesting" => &mut caps.nesting,
            "chain" => &mut caps.chain,
            "depth" => &mut caps.depth,
            "value_nesting" => &mut caps.value_nesting,
            _ => return Err(wrong()),
        };
        *cap = number;
    }
    Ok(caps)
}

fn source(policies: Given<'_, '_>) -> PyResult<Source> {
    let Some(policies) = policies else { return Ok(Source::Shipped) };
    if let Ok(files) = policies.cast::<PyDict>() {
        let files: PyResult<Vec<_>> = files.iter().map(|(name, body)| Ok((text("policies", &name)?, text("policies", &body)?))).collect();
        return Ok(Source::Files(files?));
    }
    Ok(Source::Folder(policies.extract::<PathBuf>()?))
}

/// Text as it is; anything else as JSON.
fn text_or_json(what: &str, value: Given<'_, '_>) -> PyResult<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    if value.is_instance_of::<PyString>() {
        return text(what, value).map(Some);
    }
    let json = value.py().import("json")?.call_method("dumps", (value,), Some(&[("allow_nan", false)].into_py_dict(value.py())?))?;
    text(what, &json).map(Some)
}

use pyo3::types::IntoPyDict;

fn program(policies: Given<'_, '_>, schema: Given<'_, '_>, links: Given<'_, '_>, entities: Given<'_, '_>, validate_requests: Option<bool>) -> PyResult<Source> {
    Ok(Source::Cedar(Program {
        policies: text_or_json("policies", policies)?.unwrap_or_default(),
        schema: text_or_json("schema", schema)?,
        links: text_or_json("links", links)?,
        entities: text_or_json("entities", entities)?,
        validate_requests,
    }))
}

#[pymethods]
impl Engine {
    #[staticmethod]
    #[pyo3(signature = (policies=None, *, store="memory:", validation="strict", caps=None))]
    fn open(py: Python<'_>, policies: Given<'_, '_>, store: &str, validation: &str, caps: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Options { policies: source(policies)?, store: store.to_owned(), validation: validation.parse().or_raise()?, caps: self::caps(caps)? };
        py.detach(|| sublet::Engine::open(options)).map(|inner| Self { inner }).or_raise()
    }

    #[staticmethod]
    #[pyo3(signature = (policies, schema=None, *, links=None, entities=None, validation="strict", validate_requests=None, caps=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn cedar(
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: Given<'_, '_>,
        links: Given<'_, '_>,
        entities: Given<'_, '_>,
        validation: &str,
        validate_requests: Option<bool>,
        caps: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let policies = program(Some(policies), schema, links, entities, validate_requests)?;
        let options = Options { policies, validation: validation.parse().or_raise()?, caps: self::caps(caps)?, ..Options::default() };
        py.detach(|| sublet::Engine::open(options)).map(|inner| Self { inner }).or_raise()
    }

    #[pyo3(signature = (policies=None))]
    fn reload(&self, py: Python<'_>, policies: Given<'_, '_>) -> PyResult<String> {
        let source = source(policies)?;
        py.detach(|| self.inner.reload(&source)).map(|name| name.to_string()).or_raise()
    }

    #[pyo3(signature = (policies, schema=None, *, links=None, entities=None, validate_requests=None))]
    fn reload_cedar(
        &self,
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: Given<'_, '_>,
        links: Given<'_, '_>,
        entities: Given<'_, '_>,
        validate_requests: Option<bool>,
    ) -> PyResult<String> {
        let source = program(Some(policies), schema, links, entities, validate_requests)?;
        py.detach(|| self.inner.reload(&source)).map(|name| name.to_string()).or_raise()
    }

    fn bundle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.inner.bundle())
    }

    #[getter]
    fn revision(&self) -> u64 {
        self.inner.revision()
    }

    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        amount: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Decision> {
        let request = asked(principal, action, resource, circumstances(actor, host, channel, realm, amount, context)?)?;
        py.detach(|| self.inner.authorize(&request)).map(Decision).or_raise()
    }

    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        amount: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<bool> {
        let request = asked(principal, action, resource, circumstances(actor, host, channel, realm, amount, context)?)?;
        py.detach(|| self.inner.check(&request)).or_raise()
    }

    fn authorize_many(&self, py: Python<'_>, requests: &Bound<'_, PyAny>) -> PyResult<Vec<Decision>> {
        let requests = many(requests)?;
        py.detach(|| self.inner.authorize_many(&requests)).map(|found| found.into_iter().map(Decision).collect()).or_raise()
    }

    fn check_many(&self, py: Python<'_>, requests: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
        let requests = many(requests)?;
        py.detach(|| self.inner.check_many(&requests)).or_raise()
    }

    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn explain(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        amount: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Explanation> {
        let request = asked(principal, action, resource, circumstances(actor, host, channel, realm, amount, context)?)?;
        py.detach(|| self.inner.explain(&request)).map(Explanation).or_raise()
    }

    #[pyo3(signature = (principal, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn actions(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        amount: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> PyResult<Vec<String>> {
        let (principal, resource, with) =
            (reference("principal", principal)?, self::resource(resource)?, circumstances(actor, host, channel, realm, amount, context)?);
        py.detach(|| self.inner.actions(&principal, &resource, &with)).map(|names| names.iter().map(ToString::to_string).collect()).or_raise()
    }

    fn login(&self, py: Python<'_>, host: &Bound<'_, PyAny>, email: &Bound<'_, PyAny>) -> PyResult<Login> {
        let (host, email) = (text("host", host)?, text("email", email)?);
        py.detach(|| self.inner.login(&host, &email)).map(Login).or_raise()
    }

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
        let (principal, about, with) = (reference("principal", principal)?, self::resource(about)?, circumstances(actor, host, channel, realm, None, context)?);
        py.detach(|| self.inner.desk(&principal, &about, &with)).map(Desk).or_raise()
    }

    #[pyo3(signature = (put=None, *, remove=None, expected_revision=None))]
    fn change(&self, py: Python<'_>, put: Given<'_, '_>, remove: Given<'_, '_>, expected_revision: Option<u64>) -> PyResult<u64> {
        let mut changes = Vec::new();
        for item in remove.map(|items| items.try_iter()).transpose()?.into_iter().flatten() {
            changes.push(Change::Remove(reference("remove", &item?)?));
        }
        for item in put.map(|items| items.try_iter()).transpose()?.into_iter().flatten() {
            let fields = object("record", &item?)?;
            changes.push(Change::Put(Record::from_value(fields.into()).or_raise()?));
        }
        py.detach(|| self.inner.change(changes, expected_revision)).or_raise()
    }

    #[pyo3(signature = (lines, progress=None))]
    fn import_lines(&self, py: Python<'_>, lines: &Bound<'_, PyAny>, progress: Option<Py<PyAny>>) -> PyResult<u64> {
        let reader: Box<dyn BufRead + Send> = if let Ok(bytes) = lines.cast::<PyBytes>() {
            Box::new(Cursor::new(bytes.as_bytes().to_vec()))
        } else if lines.is_instance_of::<PyString>() {
            Box::new(Cursor::new(text("lines", lines)?.into_bytes()))
        } else {
            let path = lines.extract::<PathBuf>()?;
            let file = std::fs::File::open(&path).map_err(|why| Error::Stream { reason: format!("{}: {why}", path.display()) }.raise())?;
            Box::new(BufReader::new(file))
        };
        let mut raised = None;
        let mut tell = |done: Progress| {
            Python::attach(|py| {
                let Some(progress) = &progress else { return true };
                match progress
                    .call1(py, (done.records, done.bytes))
                    .and_then(|answer| answer.bind(py).is_none().then_some(true).map_or_else(|| answer.is_truthy(py), Ok))
                {
                    Ok(go_on) => go_on,
                    Err(error) => {
                        raised = Some(error);
                        false
                    }
                }
            })
        };
        let done = py.detach(|| self.inner.import(reader, Some(&mut tell)));
        match raised {
            Some(error) => Err(error),
            None => done.or_raise(),
        }
    }

    fn export_lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut lines = Vec::new();
        py.detach(|| self.inner.export(&mut lines)).or_raise()?;
        Ok(PyString::new(py, &String::from_utf8_lossy(&lines)))
    }

    fn record<'py>(&self, py: Python<'py>, reference: &Bound<'_, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reference = self::reference("record", reference)?;
        self.inner.record(&reference).or_raise()?.map(|record| plain(py, &record)).transpose()
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

    fn __repr__(&self) -> String {
        let bundle = self.inner.bundle();
        format!("Engine(bundle={:?}, policies={}, revision={})", bundle.fingerprint, bundle.policies.len(), self.inner.revision())
    }
}

fn asked(principal: &Bound<'_, PyAny>, action_of: &Bound<'_, PyAny>, resource_of: &Bound<'_, PyAny>, with: sublet::Circumstances) -> PyResult<Request> {
    Ok(Request { principal: reference("principal", principal)?, action: action(action_of)?, resource: resource(resource_of)?, circumstances: with })
}

/// The requests of a list; the index of a malformed one is named.
fn many(requests: &Bound<'_, PyAny>) -> PyResult<Vec<Request>> {
    let mut list = Vec::new();
    for (index, item) in requests.try_iter()?.enumerate() {
        let item = item?;
        list.push(request(&item).map_err(|error| {
            let py = item.py();
            let code = error.value(py).getattr("code").and_then(|code| code.extract::<String>()).unwrap_or_default();
            let code = sublet::error_codes().into_iter().map(|(code, _)| code).find(|known| *known == code).unwrap_or("input.value");
            Error::Item { index, code, reason: error.value(py).to_string() }.raise()
        })?);
    }
    Ok(list)
}

/// Every error code with its help.
#[pyfunction]
fn error_codes<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &sublet::error_codes().into_iter().map(|(code, help)| (code.to_owned(), help.into())).collect::<serde_json::Map<_, _>>().into())
}

/// The form in which host names compare, or nothing with the reason.
#[pyfunction]
fn normalise_host(host: &Bound<'_, PyAny>) -> PyResult<(Option<String>, Option<&'static str>)> {
    Ok(match sublet::normalise_host(&text("host", host)?) {
        Ok(name) => (Some(name), None),
        Err(reason) => (None, Some(reason)),
    })
}

/// Runs the `sublet` command; gives its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: Vec<String>) -> i32 {
    py.detach(|| sublet_cli::run(arguments.into_iter().map(Into::into), &mut std::io::stdout(), &mut std::io::stderr()))
}

#[pymodule]
fn _sublet(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Engine>()?;
    module.add_class::<Decision>()?;
    module.add_class::<Login>()?;
    module.add_class::<Desk>()?;
    module.add_class::<Explanation>()?;
    module.add_function(wrap_pyfunction!(error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_host, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
