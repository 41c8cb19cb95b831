//! Builds requests from Python objects. A plain request copies nothing: it borrows the text of the
//! Python strings. [`BorrowedRequest`] owns copies of lists and `dict`s, because another thread may
//! change those while the request is evaluated.

use std::cell::OnceCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use sublet::{
    AccountRef, ActionRef, EntityRef, Environment, Error, HostRef, PrincipalRef, RequestRef,
    Resource, ResourceRef, ResourceTypeRef,
};

use crate::arguments::entries;
use crate::convert::{OptionalPyArg, PyArg, amount, kind, object, read_fields, refused, text};
use crate::errors::OrRaise;
use crate::handles::{Action, Host, Principal, ResourceType};
use crate::waiting::wait;

/// An item of a tuple, borrowed for as long as the tuple lives.
struct TupleItem<'a, 'py>(PyArg<'a, 'py>);

impl<'a, 'py> FromPyObject<'a, 'py> for TupleItem<'a, 'py> {
    type Error = std::convert::Infallible;

    #[inline]
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        Ok(Self(given))
    }
}

/// The fields of a resource that was passed as a `dict`.
struct ResourceFields<'py> {
    kind: Option<Bound<'py, PyAny>>,
    id: Option<Bound<'py, PyAny>>,
    account: Option<Bound<'py, PyAny>>,
    attributes: Option<Bound<'py, PyAny>>,
    parents: Option<Bound<'py, PyAny>>,
    tags: Option<Bound<'py, PyAny>>,
}

/// Storage for the owned parts of a request. Allocated on first use: plain requests need none.
#[derive(Default)]
pub(crate) struct RequestSlots<'py>(OnceCell<Box<BorrowedRequest<'py>>>);

impl<'py> RequestSlots<'py> {
    fn get(&self) -> &BorrowedRequest<'py> {
        self.0.get_or_init(Box::default)
    }
}

/// The owned parts of a request, which the request borrows from in addition to its arguments.
#[derive(Default)]
pub(crate) struct BorrowedRequest<'py> {
    principal: OnceCell<Bound<'py, PyTuple>>,
    action: OnceCell<Bound<'py, PyTuple>>,
    resource: OnceCell<Bound<'py, PyTuple>>,
    fields: OnceCell<ResourceFields<'py>>,
    more: OnceCell<Box<Resource>>,
    with: OnceCell<Box<Environment>>,
}

/// The optional keyword arguments of a request.
#[derive(Default, Clone, Copy)]
pub(crate) struct EnvironmentArgs<'a, 'py> {
    pub(crate) actor: Option<PyArg<'a, 'py>>,
    pub(crate) host: Option<PyArg<'a, 'py>>,
    pub(crate) channel: Option<PyArg<'a, 'py>>,
    pub(crate) realm: Option<PyArg<'a, 'py>>,
    pub(crate) amount: Option<PyArg<'a, 'py>>,
    pub(crate) context: Option<PyArg<'a, 'py>>,
}

type TupleSlot<'py> = OnceCell<Bound<'py, PyTuple>>;

/// Returns the tuple itself, or a copy of the list as a tuple in the slot.
#[inline]
fn to_tuple<'a, 'py: 'a>(
    given: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> Option<PyArg<'a, 'py>> {
    if given.is_exact_instance_of::<PyTuple>() || given.is_instance_of::<PyTuple>() {
        return Some(given);
    }
    let list = given.cast::<PyList>().ok()?;
    Some(
        slot()
            .get_or_init(|| list.to_tuple())
            .as_any()
            .as_borrowed(),
    )
}

#[inline]
fn parse_pair<'a, 'py: 'a>(
    what: &str,
    given: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<(&'a str, &'a str)> {
    match to_tuple(given, slot).map(|pair| pair.extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>)>())
    {
        Some(Ok((kind, id))) => Ok((text(what, kind.0)?, text(what, id.0)?)),
        _ => Err(refused(
            what,
            "a type and an id are needed: (\"Account\", \"acme\")",
        )),
    }
}

/// Parses `(type, id)`, a tuple or list of two strings, or a `Principal`.
#[inline]
fn parse_principal<'a, 'py: 'a>(
    what: &str,
    given: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<PrincipalRef<'a>> {
    match given.cast_exact::<Principal>() {
        Ok(handle) => Ok(PrincipalRef::Handle(&handle.get().0)),
        Err(_) => parse_pair(what, given, slot).map(|(kind, id)| PrincipalRef::Name(kind, id)),
    }
}

/// Parses the name of an action, `(type, id)`, or an `Action`, outside of a request.
pub(crate) fn parse_action<'a, 'py: 'a>(
    given: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ActionRef<'a>> {
    parse_action_in(given, || &slots.get().action)
}

/// Parses the name of an action, `(type, id)`, or an `Action`.
#[inline]
fn parse_action_in<'a, 'py: 'a>(
    given: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<ActionRef<'a>> {
    if given.is_instance_of::<PyString>() {
        return Ok(ActionRef::Name("Action", text("action", given)?));
    }
    match given.cast_exact::<Action>() {
        Ok(handle) => Ok(ActionRef::Handle(&handle.get().0)),
        Err(_) => parse_pair("action", given, slot).map(|(kind, id)| ActionRef::Name(kind, id)),
    }
}

#[inline]
fn parse_resource_type<'a>(given: PyArg<'a, '_>) -> PyResult<ResourceTypeRef<'a>> {
    match given.cast_exact::<ResourceType>() {
        Ok(handle) => Ok(ResourceTypeRef::Handle(&handle.get().0)),
        Err(_) => text("resource", given).map(ResourceTypeRef::Name),
    }
}

#[inline]
fn parse_account<'a>(given: PyArg<'a, '_>) -> PyResult<Option<AccountRef<'a>>> {
    if given.is_none() {
        return Ok(None);
    }
    let Ok(handle) = given.cast_exact::<Principal>() else {
        return text("resource", given).map(|id| Some(AccountRef::Name(id)));
    };
    // Not checked here: that would read the handle's name, and the engine refuses other logins.
    Ok(Some(AccountRef::Handle(&handle.get().0)))
}

/// Parses a host name, or a `Host`.
#[inline]
pub(crate) fn parse_host<'a>(given: PyArg<'a, '_>) -> PyResult<HostRef<'a>> {
    match given.cast_exact::<Host>() {
        Ok(handle) => Ok(HostRef::Handle(&handle.get().0)),
        Err(_) => text("host", given).map(HostRef::Name),
    }
}

/// Parses `(type, id)`, `(type, id, account)`, a `Principal`, or a `dict` with `type`, `id`,
/// `account`, `attributes`, `parents` and `tags`.
#[inline]
fn parse_resource<'a, 'py: 'a>(
    given: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ResourceRef<'a>> {
    let Some(parts) = to_tuple(given, || &slots.get().resource) else {
        return parse_resource_dict(given, slots);
    };
    let (kind, id, account) = match parts.cast::<PyTuple>().map_or(0, |parts| parts.len()) {
        2 => parts
            .extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>)>()
            .map(|(kind, id)| (kind, id, None))?,
        3 => parts
            .extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>, TupleItem<'_, '_>)>()
            .map(|(kind, id, account)| (kind, id, Some(account)))?,
        _ => {
            return Err(refused(
                "resource",
                "a type, an id and perhaps an account are needed: (\"Campaign\", \"spring\", \"acme\")",
            ));
        }
    };
    let account = account.map_or(Ok(None), |account| parse_account(account.0))?;
    Ok(ResourceRef {
        kind: parse_resource_type(kind.0)?,
        id: text("resource", id.0)?,
        account,
        more: None,
    })
}

fn parse_resource_dict<'a, 'py: 'a>(
    given: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ResourceRef<'a>> {
    if let Ok(handle) = given.cast_exact::<Principal>() {
        let name = handle.get().0.reference();
        return Ok(ResourceRef {
            kind: ResourceTypeRef::Name(name.kind()),
            id: name.id(),
            account: None,
            more: None,
        });
    }
    let Ok(dict) = given.cast::<PyDict>() else {
        return Err(refused(
            "resource",
            format!("a `{}` where a tuple or a `dict` is needed", kind(&given)),
        ));
    };
    let (found, borrowed) = (read_resource_fields(&dict)?, slots.get());
    let fields = borrowed.fields.get_or_init(|| found);
    let (Some(kind), Some(id)) = (&fields.kind, &fields.id) else {
        return Err(refused("resource", "`type` and `id` are needed"));
    };
    let more = if fields.attributes.is_none() && fields.parents.is_none() && fields.tags.is_none() {
        None
    } else {
        let more = Box::new(parse_extras(fields)?);
        Some(&**borrowed.more.get_or_init(|| more))
    };
    let account = fields
        .account
        .as_ref()
        .map_or(Ok(None), |account| parse_account(account.as_borrowed()))?;
    Ok(ResourceRef {
        kind: parse_resource_type(kind.as_borrowed())?,
        id: text("resource", id.as_borrowed())?,
        account,
        more,
    })
}

fn read_resource_fields<'py>(dict: &Bound<'py, PyDict>) -> PyResult<ResourceFields<'py>> {
    let py = dict.py();
    let names = [
        intern!(py, "type"),
        intern!(py, "id"),
        intern!(py, "account"),
        intern!(py, "attributes"),
        intern!(py, "parents"),
        intern!(py, "tags"),
    ];
    let [kind, id, account, attributes, parents, tags] = read_fields("resource", dict, names)?;
    Ok(ResourceFields {
        kind,
        id,
        account,
        attributes,
        parents,
        tags,
    })
}

fn parse_extras(fields: &ResourceFields<'_>) -> PyResult<Resource> {
    let mut more = Resource::new("", "");
    if let Some(attributes) = &fields.attributes {
        more.attributes = object("attributes", attributes)?;
    }
    if let Some(tags) = &fields.tags {
        more.tags = object("tags", tags)?;
    }
    if let Some(parents) = &fields.parents {
        more.parents = entries("parents", parents)?
            .iter()
            .map(|parent| parse_reference("parents", parent.as_borrowed()))
            .collect::<PyResult<_>>()?;
    }
    Ok(more)
}

/// Parses `(type, id)` or a `Principal` into an owned reference.
pub(crate) fn parse_reference(what: &str, given: PyArg<'_, '_>) -> PyResult<EntityRef> {
    if let Ok(handle) = given.cast_exact::<Principal>() {
        return Ok(handle.get().0.reference().clone());
    }
    let slot = TupleSlot::new();
    let (kind, id) = parse_pair(what, given, || &slot)?;
    Ok(EntityRef::new(kind, id))
}

impl<'a, 'py: 'a> EnvironmentArgs<'a, 'py> {
    #[inline]
    fn borrowed_environment(
        &self,
        slots: &'a RequestSlots<'py>,
    ) -> PyResult<Option<&'a Environment>> {
        if self.actor.is_none()
            && self.channel.is_none()
            && self.realm.is_none()
            && self.amount.is_none()
            && self.context.is_none()
        {
            return Ok(None);
        }
        let with = Box::new(self.environment_without_host()?);
        Ok(Some(slots.get().with.get_or_init(|| with)))
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
                .map(|value| text("channel", value).map(str::to_owned))
                .transpose()?,
            realm: self
                .realm
                .map(|value| parse_reference("realm", value))
                .transpose()?,
            amount: self.amount.map(|value| amount(&value)).transpose()?,
            context: self
                .context
                .map(|value| object("context", &value))
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
pub(crate) fn environment_args<'a, 'py>(
    actor: OptionalPyArg<'a, 'py>,
    host: OptionalPyArg<'a, 'py>,
    channel: OptionalPyArg<'a, 'py>,
    realm: OptionalPyArg<'a, 'py>,
    amount: OptionalPyArg<'a, 'py>,
    context: OptionalPyArg<'a, 'py>,
) -> EnvironmentArgs<'a, 'py> {
    let borrowed = |given: OptionalPyArg<'a, 'py>| given.map(Bound::as_borrowed);
    EnvironmentArgs {
        actor: borrowed(actor),
        host: borrowed(host),
        channel: borrowed(channel),
        realm: borrowed(realm),
        amount: borrowed(amount),
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
    if files {
        return wait(py, answer);
    }
    if request.environment.is_some() || request.resource.more.is_some() {
        py.detach(answer).or_raise()
    } else {
        answer().or_raise()
    }
}
