//! Builds requests from Python objects. A plain request copies nothing: it borrows the text of the
//! Python strings. [`RequestSlots`] own the parts that are copied.

use pyo3::prelude::*;
use sublet::{ActionRef, Environment, Error, HostRef, RequestRef};

use crate::convert::{OptionalPyArg, PyArg, read_amount, read_object, read_str};
use crate::errors::OrRaise;
use crate::references::{parse_action_in, parse_host, parse_principal, parse_reference};
use crate::resource::parse_resource;
use crate::slots::RequestSlots;
use crate::waiting::wait_if;

/// The optional keyword arguments of a request.
#[derive(Clone, Copy)]
pub(crate) struct EnvironmentArgs<'a, 'py> {
    pub(crate) actor: Option<PyArg<'a, 'py>>,
    pub(crate) host: Option<PyArg<'a, 'py>>,
    pub(crate) channel: Option<PyArg<'a, 'py>>,
    pub(crate) realm: Option<PyArg<'a, 'py>>,
    pub(crate) session_start: Option<PyArg<'a, 'py>>,
    pub(crate) amount: Option<PyArg<'a, 'py>>,
    pub(crate) context: Option<PyArg<'a, 'py>>,
}

impl<'a, 'py: 'a> EnvironmentArgs<'a, 'py> {
    /// Adds the amount, if the caller passed one.
    #[inline]
    pub(crate) fn with_amount(self, amount: OptionalPyArg<'a, 'py>) -> Self {
        Self {
            amount: amount.map(Bound::as_borrowed),
            ..self
        }
    }

    /// Returns the environment without the host, or `None` if the caller passed nothing of it.
    #[inline]
    fn borrowed_environment(
        &self,
        slots: &'a RequestSlots<'py>,
    ) -> PyResult<Option<&'a Environment>> {
        if self.actor.is_none()
            && self.channel.is_none()
            && self.realm.is_none()
            && self.session_start.is_none()
            && self.amount.is_none()
            && self.context.is_none()
        {
            return Ok(None);
        }
        let environment = Box::new(self.environment_without_host()?);
        Ok(Some(slots.get().environment.get_or_init(|| environment)))
    }

    /// Converts all but the host into owned values.
    fn environment_without_host(&self) -> PyResult<Environment> {
        Ok(Environment {
            actor: self
                .actor
                .map(|value| parse_reference("actor", value))
                .transpose()?,
            host: None,
            channel: self
                .channel
                .map(|value| read_str("channel", value).map(str::to_owned))
                .transpose()?,
            realm: self
                .realm
                .map(|value| parse_reference("realm", value))
                .transpose()?,
            session_start: self
                .session_start
                .map(|value| sublet::parse_instant(read_str("session_start", value)?).or_raise())
                .transpose()?,
            amount: self.amount.map(|value| read_amount(&value)).transpose()?,
            context: self
                .context
                .map(|value| read_object("context", &value))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// Converts all arguments into owned values.
    pub(crate) fn into_environment(self) -> PyResult<Environment> {
        let host = self
            .host
            .map(parse_host)
            .transpose()?
            .map(|host| match host {
                HostRef::Name(name) => name.to_owned(),
                HostRef::Handle(handle) => handle.name().to_owned(),
            });
        Ok(Environment {
            host,
            ..self.environment_without_host()?
        })
    }

    /// Builds a request about an action. Always inlined: a request is large, and each move of it
    /// shows in the benchmarks.
    #[inline(always)]
    pub(crate) fn request(
        self,
        principal: PyArg<'a, 'py>,
        action: PyArg<'a, 'py>,
        resource: PyArg<'a, 'py>,
        slots: &'a RequestSlots<'py>,
    ) -> PyResult<RequestRef<'a>> {
        Ok(RequestRef {
            principal: parse_principal("principal", principal, || &slots.get().principal)?,
            action: parse_action_in(action, || &slots.get().action)?,
            resource: parse_resource(resource, slots)?,
            host: self.host.map(parse_host).transpose()?,
            environment: self.borrowed_environment(slots)?,
        })
    }

    /// Builds a request that names no action.
    pub(crate) fn request_without_action(
        self,
        principal: PyArg<'a, 'py>,
        resource: PyArg<'a, 'py>,
        slots: &'a RequestSlots<'py>,
    ) -> PyResult<RequestRef<'a>> {
        Ok(RequestRef {
            principal: parse_principal("principal", principal, || &slots.get().principal)?,
            action: ActionRef::Name("Action", ""),
            resource: parse_resource(resource, slots)?,
            host: self.host.map(parse_host).transpose()?,
            environment: self.borrowed_environment(slots)?,
        })
    }
}

/// Collects the optional arguments of a method.
#[inline]
pub(crate) fn environment_args<'a, 'py>(
    host: OptionalPyArg<'a, 'py>,
    actor: OptionalPyArg<'a, 'py>,
    channel: OptionalPyArg<'a, 'py>,
    realm: OptionalPyArg<'a, 'py>,
    session_start: OptionalPyArg<'a, 'py>,
    context: OptionalPyArg<'a, 'py>,
) -> EnvironmentArgs<'a, 'py> {
    let borrowed = |argument: OptionalPyArg<'a, 'py>| argument.map(Bound::as_borrowed);
    EnvironmentArgs {
        actor: borrowed(actor),
        host: borrowed(host),
        channel: borrowed(channel),
        realm: borrowed(realm),
        session_start: borrowed(session_start),
        amount: None,
        context: borrowed(context),
    }
}

/// Evaluates a request and maps its error. A plain request keeps the GIL, because releasing it
/// costs more than the evaluation. A request with values of its own releases the GIL. So does every
/// request if `files` is true: then the engine may wait for a file, to consume or to read a
/// directory that another process changed.
pub(crate) fn decide<T: Send>(
    py: Python<'_>,
    files: bool,
    request: &RequestRef<'_>,
    answer: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let has_values = request.resource.more.is_some()
        || request
            .environment
            .is_some_and(|environment| !environment.context.is_empty());
    if has_values && !files {
        py.detach(answer).or_raise()
    } else {
        wait_if(py, files, answer)
    }
}
