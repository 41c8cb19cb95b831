//! The engine for Python: convert, call, convert. Every rule and every default is in the core.

mod answers;
mod arguments;
mod asked;
mod bill;
mod count;
mod errors;
mod handles;
mod log;
mod lookups;
mod many;
mod options;
mod perform;
mod stock;
mod tickets;
mod values;
mod waiting;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use sublet::{Change, ImportProgress, Options, Record, RecordPatch};

use crate::answers::{Decision, Explanation, Login, LoginHosts, plain};
use crate::arguments::entries;
use crate::asked::{Spare, around, at, decide, reference};
use crate::errors::OrRaise;
use crate::many::{Lists, Many, listed};
use crate::options::{lines_of, program, source};
use crate::values::{record, text, to_python};
use crate::waiting::{is_cancelled, wait};

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// A policy engine inside this process. Safe to share between threads, and across a fork.
#[pyclass(frozen, module = "sublet")]
struct Engine {
    inner: sublet::Engine,
    /// Whether it may wait for a file.
    files: bool,
}

#[pymethods]
impl Engine {
    #[staticmethod]
    #[pyo3(signature = (policies=None, *, store="memory:", validation="strict", caps=None, clock=None))]
    fn open(
        py: Python<'_>,
        policies: Given<'_, '_>,
        #[pyo3(from_py_with = arguments::store)] store: &str,
        #[pyo3(from_py_with = arguments::validation)] validation: &str,
        #[pyo3(from_py_with = arguments::caps)] caps: Option<&Bound<'_, PyDict>>,
        clock: Given<'_, '_>,
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
            clock: count::clock(clock)?,
        };
        wait(py, || sublet::Engine::open(options)).map(Self::from)
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

    #[pyo3(signature = (policies=None))]
    fn reload(&self, py: Python<'_>, policies: Given<'_, '_>) -> PyResult<String> {
        let source = source(policies)?;
        wait(py, || self.inner.reload(&source)).map(|name| name.to_string())
    }

    #[pyo3(signature = (policies, schema=None, *, links=None, entities=None, validate_requests=None))]
    fn reload_cedar(
        &self,
        py: Python<'_>,
        policies: &Bound<'_, PyAny>,
        schema: Given<'_, '_>,
        links: Given<'_, '_>,
        entities: Given<'_, '_>,
        #[pyo3(from_py_with = arguments::validate_requests)] validate_requests: Option<bool>,
    ) -> PyResult<String> {
        let source = program(Some(policies), schema, links, entities, validate_requests)?;
        wait(py, || self.inner.reload(&source)).map(|name| name.to_string())
    }

    fn bundle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.inner.bundle())
    }

    #[getter]
    fn revision(&self, py: Python<'_>) -> PyResult<u64> {
        wait(py, || Ok(self.inner.revision()))
    }

    /// Whether `principal` may do `action` on `resource` now, under which code, and by which
    /// policies.
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
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, amount, context);
        let question = around.question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        decide(py, self.files, &question, || self.inner.authorize(question)).map(Decision)
    }

    /// The allow bit of `authorize`. A plain question keeps the GIL: to let it go and take it again
    /// costs more than the answer.
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
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, amount, context);
        let question = around.question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        decide(py, self.files, &question, || self.inner.check(question))
    }

    /// The floor of the benchmark: takes what `check` takes and does nothing.
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(
        clippy::too_many_arguments,
        clippy::unused_self,
        reason = "the arguments of `check`"
    )]
    fn _empty(
        &self,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: Given<'_, '_>,
        host: Given<'_, '_>,
        channel: Given<'_, '_>,
        realm: Given<'_, '_>,
        amount: Given<'_, '_>,
        context: Given<'_, '_>,
    ) -> bool {
        let _ = (
            principal, action, resource, actor, host, channel, realm, amount, context,
        );
        false
    }

    /// `authorize` for a list of records, or for columns: each a list, or one value for all rows.
    /// The GIL is let go.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize_many<'py>(
        &self,
        py: Python<'py>,
        requests: Given<'_, 'py>,
        principals: Given<'_, 'py>,
        actions: Given<'_, 'py>,
        resources: Given<'_, 'py>,
        actors: Given<'_, 'py>,
        hosts: Given<'_, 'py>,
        channels: Given<'_, 'py>,
        realms: Given<'_, 'py>,
        amounts: Given<'_, 'py>,
        contexts: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let lists = Lists {
            principal: principals,
            action: actions,
            resource: resources,
            actor: actors,
            host: hosts,
            channel: channels,
            realm: realms,
            amount: amounts,
            context: contexts,
        };
        let answers = Many::new(py, requests, &lists)?
            .ask(py, |questions| self.inner.authorize_many(questions))?;
        listed(py, answers, |found| {
            Ok(Bound::new(py, Decision(found))?.into_any())
        })
    }

    /// The allow bits of `authorize_many`.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check_many<'py>(
        &self,
        py: Python<'py>,
        requests: Given<'_, 'py>,
        principals: Given<'_, 'py>,
        actions: Given<'_, 'py>,
        resources: Given<'_, 'py>,
        actors: Given<'_, 'py>,
        hosts: Given<'_, 'py>,
        channels: Given<'_, 'py>,
        realms: Given<'_, 'py>,
        amounts: Given<'_, 'py>,
        contexts: Given<'_, 'py>,
    ) -> PyResult<Vec<bool>> {
        let lists = Lists {
            principal: principals,
            action: actions,
            resource: resources,
            actor: actors,
            host: hosts,
            channel: channels,
            realm: realms,
            amount: amounts,
            context: contexts,
        };
        Many::new(py, requests, &lists)?.ask(py, |questions| self.inner.check_many(questions))
    }

    /// Why the answer is what it is: each policy, the facts that it read, the clause that failed.
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
        let keep = Spare::default();
        let around = around(actor, host, channel, realm, amount, context);
        let question = around.question(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &keep,
        )?;
        let asked = question.to_owned_request().or_raise()?;
        wait(py, || self.inner.explain(&asked)).map(Explanation)
    }

    /// The actions that `principal` may do on `resource` now, sorted.
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
        let names = self.about(
            py,
            [principal, resource],
            around(actor, host, channel, realm, amount, context),
            sublet::Engine::actions,
        )?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    /// Whether this e-mail may log in at this host by this flow, and as whom.
    #[pyo3(signature = (host, email, action=None))]
    fn login(
        &self,
        py: Python<'_>,
        host: &Bound<'_, PyAny>,
        email: &Bound<'_, PyAny>,
        action: Given<'_, '_>,
    ) -> PyResult<Login> {
        let (host, email, keep) = (
            at(host.as_borrowed())?,
            text("email", email.as_borrowed())?,
            Spare::default(),
        );
        let flow = action
            .map(|action| asked::action(action.as_borrowed(), &keep))
            .transpose()?;
        wait(py, || self.inner.login(host.name(), email, flow)).map(Login)
    }

    /// At which hosts this login comes in, and the precise code of its login at `host`.
    #[pyo3(signature = (principal, *, host=None, action=None, after=None))]
    fn login_hosts(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        host: Given<'_, '_>,
        action: Given<'_, '_>,
        after: Given<'_, '_>,
    ) -> PyResult<LoginHosts> {
        let (principal, keep) = (
            reference("principal", principal.as_borrowed())?,
            Spare::default(),
        );
        let host = host.map(|host| at(host.as_borrowed())).transpose()?;
        let flow = action
            .map(|action| asked::action(action.as_borrowed(), &keep))
            .transpose()?;
        let after = after
            .map(|after| text("after", after.as_borrowed()))
            .transpose()?;
        let host = host.as_ref().map(|host| host.name());
        wait(py, || self.inner.login_hosts(&principal, host, flow, after)).map(LoginHosts)
    }

    #[pyo3(signature = (put=None, *, merge=None, remove=None, expected_revision=None, resumed=false))]
    fn change(
        &self,
        py: Python<'_>,
        put: Given<'_, '_>,
        merge: Given<'_, '_>,
        remove: Given<'_, '_>,
        #[pyo3(from_py_with = arguments::expected_revision)] expected_revision: Option<u64>,
        #[pyo3(from_py_with = arguments::resumed)] resumed: bool,
    ) -> PyResult<u64> {
        let mut changes = Vec::new();
        for item in remove.map_or_else(|| Ok(Vec::new()), |items| entries("remove", items))? {
            changes.push(Change::Remove(reference("remove", item.as_borrowed())?));
        }
        for item in put.map_or_else(|| Ok(Vec::new()), |items| entries("put", items))? {
            let fields = record(&item)?;
            let record = Record::from_value(fields.into()).or_raise()?;
            if resumed {
                changes.push(Change::Resume(record.reference()));
            }
            changes.push(Change::Put(record));
        }
        for item in merge.map_or_else(|| Ok(Vec::new()), |items| entries("merge", items))? {
            let fields = record(&item)?;
            changes.push(Change::Merge(
                RecordPatch::from_value(fields.into()).or_raise()?,
            ));
        }
        wait(py, || self.inner.change(changes, expected_revision))
    }

    /// Whether the records were imported: only where nothing was ever written to the directory.
    fn seed(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<bool> {
        let reader = lines_of(lines)?;
        wait(py, || self.inner.seed(reader))
    }

    #[pyo3(signature = (lines, progress=None, *, expected_revision=None))]
    fn import_lines(
        &self,
        py: Python<'_>,
        lines: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::progress)] progress: Option<Py<PyAny>>,
        #[pyo3(from_py_with = arguments::expected_revision)] expected_revision: Option<u64>,
    ) -> PyResult<u64> {
        let reader = lines_of(lines)?;
        let mut raised = None;
        let mut tell = |done: ImportProgress| {
            let goes_on = Python::attach(|py| goes_on(py, progress.as_ref(), done));
            goes_on.unwrap_or_else(|error| {
                raised = Some(error);
                false
            })
        };
        let done = wait(py, || {
            self.inner
                .import(reader, expected_revision, Some(&mut tell))
        });
        raised.map_or(done, Err)
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

/// Tells whether an import goes on: neither a signal, nor a cancelled task, nor the host's own
/// function ends it.
fn goes_on(py: Python<'_>, progress: Option<&Py<PyAny>>, done: ImportProgress) -> PyResult<bool> {
    py.check_signals()?;
    let Some(progress) = progress else {
        return Ok(!is_cancelled());
    };
    let answer = progress.call1(py, (done.records, done.bytes))?;
    if answer.is_none(py) {
        Ok(!is_cancelled())
    } else {
        answer.is_truthy(py)
    }
}

/// Every error code with its help.
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

/// The form in which host names compare, or nothing with the reason.
#[pyfunction]
fn normalise_host(host: &Bound<'_, PyAny>) -> PyResult<(Option<String>, Option<&'static str>)> {
    Ok(
        match sublet::normalise_host(text("host", host.as_borrowed())?) {
            Ok(name) => (Some(name), None),
            Err(reason) => (None, Some(reason)),
        },
    )
}

/// Runs the `sublet` command; gives its exit code.
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
    // pyo3 imports what it needs for this at its first use. A child that is forked meanwhile would
    // wait for that for ever.
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
    module.add_class::<answers::Counted>()?;
    module.add_class::<Login>()?;
    module.add_class::<LoginHosts>()?;
    module.add_class::<answers::Desk>()?;
    module.add_class::<tickets::Route>()?;
    module.add_class::<Explanation>()?;
    module.add_function(wrap_pyfunction!(error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_host, module)?)?;
    module.add_function(wrap_pyfunction!(log::_close_logs, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
