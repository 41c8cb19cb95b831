//! The engine for Python: convert, call, convert. Every rule is in the core.

mod arguments;
mod batch;
mod billing;
mod consume_batch;
mod convert;
mod directory;
mod errors;
mod handles;
mod log;
mod options;
mod perform;
mod quota;
mod request;
mod results;
mod tickets;
mod waiting;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use sublet::{Change, ImportProgress, Options, Record, RecordPatch};

use crate::arguments::entries;
use crate::batch::{BatchRequests, ColumnArgs, to_list};
use crate::convert::{OptionalPyArg, record, text, to_python};
use crate::errors::OrRaise;
use crate::options::{lines_of, program, source};
use crate::request::{RequestSlots, decide, environment_args, parse_host, parse_reference};
use crate::results::{Decision, Explanation, Login, LoginHosts, to_python_object};
use crate::waiting::{is_cancelled, wait};

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

    /// Decides whether `principal` may do `action` on `resource` now, and returns the decision
    /// with its code and policies. With an `amount` of a metered action, also decides whether
    /// the amount fits, and returns the quota; nothing is consumed.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
    /// `input.amount`, `input.attribute_required` or `input.context`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> spring = ("Campaign", "spring", "acme")
    ///     >>> decision = engine.authorize(("Account", "acme"), "campaign.read", spring)
    ///     >>> decision.allowed, decision.code
    ///     (False, 'principal_unknown')
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        decide(py, self.files, &request, || self.inner.authorize(request)).map(Decision)
    }

    /// Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
    /// and an account for a resource of your own.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
    /// `input.amount`, `input.attribute_required` or `input.context`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> engine.check(("Account", "acme"), "campaign.read", ("Campaign", "spring", "acme"))
    ///     False
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<bool> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        decide(py, self.files, &request, || self.inner.check(request))
    }

    /// The baseline of the benchmark: takes the arguments of `check` and does nothing.
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
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> bool {
        let _ = (
            principal, action, resource, actor, host, channel, realm, amount, context,
        );
        false
    }

    /// Decides many requests, and returns the decisions in their order.
    ///
    /// Takes `requests`, mappings with the arguments of `authorize`, or columns: each a list
    /// with one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize_many<'py>(
        &self,
        py: Python<'py>,
        requests: OptionalPyArg<'_, 'py>,
        principals: OptionalPyArg<'_, 'py>,
        actions: OptionalPyArg<'_, 'py>,
        resources: OptionalPyArg<'_, 'py>,
        actors: OptionalPyArg<'_, 'py>,
        hosts: OptionalPyArg<'_, 'py>,
        channels: OptionalPyArg<'_, 'py>,
        realms: OptionalPyArg<'_, 'py>,
        amounts: OptionalPyArg<'_, 'py>,
        contexts: OptionalPyArg<'_, 'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let lists = ColumnArgs {
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
        let answers = BatchRequests::new(py, requests, &lists)?
            .evaluate(py, |questions| self.inner.authorize_many(questions))?;
        to_list(py, answers, |found| {
            Ok(Bound::new(py, Decision(found))?.into_any())
        })
    }

    /// Returns the allow bits of `authorize_many`.
    ///
    /// Takes `requests`, mappings with the arguments of `check`, or columns: each a list with
    /// one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check_many<'py>(
        &self,
        py: Python<'py>,
        requests: OptionalPyArg<'_, 'py>,
        principals: OptionalPyArg<'_, 'py>,
        actions: OptionalPyArg<'_, 'py>,
        resources: OptionalPyArg<'_, 'py>,
        actors: OptionalPyArg<'_, 'py>,
        hosts: OptionalPyArg<'_, 'py>,
        channels: OptionalPyArg<'_, 'py>,
        realms: OptionalPyArg<'_, 'py>,
        amounts: OptionalPyArg<'_, 'py>,
        contexts: OptionalPyArg<'_, 'py>,
    ) -> PyResult<Vec<bool>> {
        let lists = ColumnArgs {
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
        BatchRequests::new(py, requests, &lists)?
            .evaluate(py, |questions| self.inner.check_many(questions))
    }

    /// Returns why a decision is as it is: each policy, the facts that it read, the failed
    /// clause.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action` or `input.action_resource`.
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn explain(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Explanation> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        let owned = request.to_owned_request().or_raise()?;
        wait(py, || self.inner.explain(&owned)).map(Explanation)
    }

    /// Returns the actions that `principal` may do on `resource` now, sorted.
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy`.
    #[pyo3(signature = (principal, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn permitted_actions(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Vec<String>> {
        let names = self.call_without_action(
            py,
            [principal, resource],
            environment_args(actor, host, channel, realm, amount, context),
            sublet::Engine::permitted_actions,
        )?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

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
            text("email", email.as_borrowed())?,
            RequestSlots::default(),
        );
        let flow = action
            .map(|action| request::parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        wait(py, || self.inner.login(host.name(), email, flow)).map(Login)
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
        let flow = action
            .map(|action| request::parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        let after = after
            .map(|after| text("after", after.as_borrowed()))
            .transpose()?;
        let host = host.as_ref().map(|host| host.name());
        wait(py, || self.inner.login_hosts(&principal, host, flow, after)).map(LoginHosts)
    }

    /// Makes all changes in one transaction or none, and returns the new revision.
    ///
    /// `put` creates records, or replaces those with the same type and id. `merge` changes the
    /// fields that it names and keeps the others; `None` removes an optional field. `remove`
    /// removes records.
    ///
    /// The id of a former account or member is refused, because counts, history and keys belong
    /// to the id. With `resumed` the same account or member has come back and goes on with them
    /// (I5).
    ///
    /// Raises a `SubletError` with the code `directory.revision`, `directory.would_reset`,
    /// `directory.id_used`, `directory.in_use`, `directory.record` or
    /// `directory.duplicate_login`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> put = [{"type": "Platform", "id": "mmio"}]
    ///     >>> engine.apply_changes(put, expected_revision=engine.revision)
    ///     1
    #[pyo3(signature = (put=None, *, merge=None, remove=None, expected_revision=None, resumed=false))]
    fn apply_changes(
        &self,
        py: Python<'_>,
        put: OptionalPyArg<'_, '_>,
        merge: OptionalPyArg<'_, '_>,
        remove: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::expected_revision)] expected_revision: Option<u64>,
        #[pyo3(from_py_with = arguments::resumed)] resumed: bool,
    ) -> PyResult<u64> {
        let mut changes = Vec::new();
        for item in remove.map_or_else(|| Ok(Vec::new()), |items| entries("remove", items))? {
            changes.push(Change::Remove(parse_reference(
                "remove",
                item.as_borrowed(),
            )?));
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
        wait(py, || self.inner.apply_changes(changes, expected_revision))
    }

    /// Imports JSON lines if nothing was ever written to the directory, and returns whether it
    /// did. If several processes start at once, one of them imports.
    ///
    /// Raises a `SubletError` with the code `directory.record`, `directory.duplicate_id` or
    /// `store.stream`.
    fn seed(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<bool> {
        let reader = lines_of(lines)?;
        wait(py, || self.inner.seed(reader))
    }

    /// Replaces the whole directory by JSON lines, or by those of a file, and returns the new
    /// revision.
    ///
    /// Replaces the directory as this engine saw it last, or the one of `expected_revision`. If
    /// it has changed since, the call fails, so that no change of others is lost. `progress` is
    /// called with records and bytes, and stops the import if it returns `False`. At a first
    /// start call `seed`.
    ///
    /// Raises a `SubletError` with the code `directory.revision`, `directory.cancelled`,
    /// `directory.record`, `directory.duplicate_id` or `store.stream`.
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

/// Returns whether an import continues. A signal, a cancelled task or the host's progress function
/// ends it.
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
    module.add_class::<results::CountReceipt>()?;
    module.add_class::<Login>()?;
    module.add_class::<LoginHosts>()?;
    module.add_class::<results::TicketRoute>()?;
    module.add_class::<tickets::TicketOutcome>()?;
    module.add_class::<Explanation>()?;
    module.add_function(wrap_pyfunction!(error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_host, module)?)?;
    module.add_function(wrap_pyfunction!(log::_close_logs, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
