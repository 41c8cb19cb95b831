//! Questions from Python objects. Nothing is copied on the way of a plain one: the words of a
//! [`CedarRequest`] are those of the Python strings themselves. A [`TxOutcome`] holds what a list
//! or a `dict` lent, since those may change meanwhile.

use std::cell::OnceCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use sublet::{
    AccountRef, ActionRef, EntityRef, Environment, Error, HostRef, PrincipalRef, RequestRef,
    Resource, ResourceRef, ResourceTypeRef,
};

use crate::arguments::entries;
use crate::errors::OrRaise;
use crate::handles::{Action, Host, Principal, ResourceType};
use crate::values::{Given, amount, kind, object, refused, text, under};
use crate::waiting::wait;

/// An item of a tuple, for as long as the tuple lives.
struct Item<'a, 'py>(Given<'a, 'py>);

impl<'a, 'py> FromPyObject<'a, 'py> for Item<'a, 'py> {
    type Error = std::convert::Infallible;

    #[inline]
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        Ok(Self(given))
    }
}

/// The fields of a resource that came as a `dict`.
struct Fields<'py> {
    kind: Option<Bound<'py, PyAny>>,
    id: Option<Bound<'py, PyAny>>,
    account: Option<Bound<'py, PyAny>>,
    attributes: Option<Bound<'py, PyAny>>,
    parents: Option<Bound<'py, PyAny>>,
    tags: Option<Bound<'py, PyAny>>,
}

/// Made only where it is needed, which plain questions do not.
#[derive(Default)]
pub(crate) struct Spare<'py>(OnceCell<Box<Keep<'py>>>);

impl<'py> Spare<'py> {
    fn keep(&self) -> &Keep<'py> {
        self.0.get_or_init(Box::default)
    }
}

/// What a question borrows from, beside the arguments themselves.
#[derive(Default)]
pub(crate) struct Keep<'py> {
    principal: OnceCell<Bound<'py, PyTuple>>,
    action: OnceCell<Bound<'py, PyTuple>>,
    resource: OnceCell<Bound<'py, PyTuple>>,
    fields: OnceCell<Fields<'py>>,
    more: OnceCell<Box<Resource>>,
    with: OnceCell<Box<Environment>>,
}

/// The optional arguments of a question.
#[derive(Default, Clone, Copy)]
pub(crate) struct Around<'a, 'py> {
    pub(crate) actor: Option<Given<'a, 'py>>,
    pub(crate) host: Option<Given<'a, 'py>>,
    pub(crate) channel: Option<Given<'a, 'py>>,
    pub(crate) realm: Option<Given<'a, 'py>>,
    pub(crate) amount: Option<Given<'a, 'py>>,
    pub(crate) context: Option<Given<'a, 'py>>,
}

type Slot<'py> = OnceCell<Bound<'py, PyTuple>>;

/// The tuple itself, or a copy of the list.
#[inline]
fn tuple<'a, 'py: 'a>(
    given: Given<'a, 'py>,
    slot: impl FnOnce() -> &'a Slot<'py>,
) -> Option<Given<'a, 'py>> {
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
fn two<'a, 'py: 'a>(
    what: &str,
    given: Given<'a, 'py>,
    slot: impl FnOnce() -> &'a Slot<'py>,
) -> PyResult<(&'a str, &'a str)> {
    match tuple(given, slot).map(|pair| pair.extract::<(Item<'_, '_>, Item<'_, '_>)>()) {
        Some(Ok((kind, id))) => Ok((text(what, kind.0)?, text(what, id.0)?)),
        _ => Err(refused(
            what,
            "a type and an id are needed: (\"Account\", \"acme\")",
        )),
    }
}

/// `(type, id)` as a tuple or list of two strings, or a `Principal`.
#[inline]
fn who<'a, 'py: 'a>(
    what: &str,
    given: Given<'a, 'py>,
    slot: impl FnOnce() -> &'a Slot<'py>,
) -> PyResult<PrincipalRef<'a>> {
    match given.cast_exact::<Principal>() {
        Ok(handle) => Ok(PrincipalRef::Handle(&handle.get().0)),
        Err(_) => two(what, given, slot).map(|(kind, id)| PrincipalRef::Name(kind, id)),
    }
}

/// An action's name, `(type, id)`, or an `Action`, by itself.
pub(crate) fn action<'a, 'py: 'a>(
    given: Given<'a, 'py>,
    keeps: &'a Spare<'py>,
) -> PyResult<ActionRef<'a>> {
    does(given, || &keeps.keep().action)
}

/// An action's name, `(type, id)`, or an `Action`.
#[inline]
fn does<'a, 'py: 'a>(
    given: Given<'a, 'py>,
    slot: impl FnOnce() -> &'a Slot<'py>,
) -> PyResult<ActionRef<'a>> {
    if given.is_instance_of::<PyString>() {
        return Ok(ActionRef::Name("Action", text("action", given)?));
    }
    match given.cast_exact::<Action>() {
        Ok(handle) => Ok(ActionRef::Handle(&handle.get().0)),
        Err(_) => two("action", given, slot).map(|(kind, id)| ActionRef::Name(kind, id)),
    }
}

#[inline]
fn type_of<'a>(given: Given<'a, '_>) -> PyResult<ResourceTypeRef<'a>> {
    match given.cast_exact::<ResourceType>() {
        Ok(handle) => Ok(ResourceTypeRef::Handle(&handle.get().0)),
        Err(_) => text("resource", given).map(ResourceTypeRef::Name),
    }
}

#[inline]
fn of<'a>(given: Given<'a, '_>) -> PyResult<Option<AccountRef<'a>>> {
    if given.is_none() {
        return Ok(None);
    }
    let Ok(handle) = given.cast_exact::<Principal>() else {
        return text("resource", given).map(|id| Some(AccountRef::Name(id)));
    };
    // The engine refuses the handle of another login; to ask it here would mean to read its name.
    Ok(Some(AccountRef::Handle(&handle.get().0)))
}

/// A host name, or a `Host`.
#[inline]
pub(crate) fn at<'a>(given: Given<'a, '_>) -> PyResult<HostRef<'a>> {
    match given.cast_exact::<Host>() {
        Ok(handle) => Ok(HostRef::Handle(&handle.get().0)),
        Err(_) => text("host", given).map(HostRef::Name),
    }
}

/// `(type, id)`, `(type, id, account)`, a `Principal`, or a `dict` with `type`, `id`, `account`,
/// `attributes`, `parents`, `tags`.
#[inline]
fn on<'a, 'py: 'a>(given: Given<'a, 'py>, keeps: &'a Spare<'py>) -> PyResult<ResourceRef<'a>> {
    let Some(words) = tuple(given, || &keeps.keep().resource) else {
        return on_other(given, keeps);
    };
    let (kind, id, account) = match words.cast::<PyTuple>().map_or(0, |words| words.len()) {
        2 => words
            .extract::<(Item<'_, '_>, Item<'_, '_>)>()
            .map(|(kind, id)| (kind, id, None))?,
        3 => words
            .extract::<(Item<'_, '_>, Item<'_, '_>, Item<'_, '_>)>()
            .map(|(kind, id, account)| (kind, id, Some(account)))?,
        _ => {
            return Err(refused(
                "resource",
                "a type, an id and perhaps an account are needed: (\"Campaign\", \"spring\", \"acme\")",
            ));
        }
    };
    let account = account.map_or(Ok(None), |account| of(account.0))?;
    Ok(ResourceRef {
        kind: type_of(kind.0)?,
        id: text("resource", id.0)?,
        account,
        more: None,
    })
}

fn on_other<'a, 'py: 'a>(
    given: Given<'a, 'py>,
    keeps: &'a Spare<'py>,
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
    let (found, keep) = (fields(&dict)?, keeps.keep());
    let fields = keep.fields.get_or_init(|| found);
    let (Some(kind), Some(id)) = (&fields.kind, &fields.id) else {
        return Err(refused("resource", "`type` and `id` are needed"));
    };
    let more = if fields.attributes.is_none() && fields.parents.is_none() && fields.tags.is_none() {
        None
    } else {
        let more = Box::new(more(fields)?);
        Some(&**keep.more.get_or_init(|| more))
    };
    let account = fields
        .account
        .as_ref()
        .map_or(Ok(None), |account| of(account.as_borrowed()))?;
    Ok(ResourceRef {
        kind: type_of(kind.as_borrowed())?,
        id: text("resource", id.as_borrowed())?,
        account,
        more,
    })
}

fn fields<'py>(dict: &Bound<'py, PyDict>) -> PyResult<Fields<'py>> {
    let py = dict.py();
    let names = [
        intern!(py, "type"),
        intern!(py, "id"),
        intern!(py, "account"),
        intern!(py, "attributes"),
        intern!(py, "parents"),
        intern!(py, "tags"),
    ];
    let [kind, id, account, attributes, parents, tags] = under("resource", dict, names)?;
    Ok(Fields {
        kind,
        id,
        account,
        attributes,
        parents,
        tags,
    })
}

fn more(fields: &Fields<'_>) -> PyResult<Resource> {
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
            .map(|parent| reference("parents", parent.as_borrowed()))
            .collect::<PyResult<_>>()?;
    }
    Ok(more)
}

/// `(type, id)` or a `Principal`, owned.
pub(crate) fn reference(what: &str, given: Given<'_, '_>) -> PyResult<EntityRef> {
    if let Ok(handle) = given.cast_exact::<Principal>() {
        return Ok(handle.get().0.reference().clone());
    }
    let slot = Slot::new();
    let (kind, id) = two(what, given, || &slot)?;
    Ok(EntityRef::new(kind, id))
}

impl<'a, 'py: 'a> Around<'a, 'py> {
    #[inline]
    fn with(&self, keeps: &'a Spare<'py>) -> PyResult<Option<&'a Environment>> {
        if self.actor.is_none()
            && self.channel.is_none()
            && self.realm.is_none()
            && self.amount.is_none()
            && self.context.is_none()
        {
            return Ok(None);
        }
        let with = Box::new(self.circumstances()?);
        Ok(Some(keeps.keep().with.get_or_init(|| with)))
    }

    /// All but the host, owned.
    fn circumstances(&self) -> PyResult<Environment> {
        Ok(Environment {
            actor: self
                .actor
                .map(|value| reference("actor", value))
                .transpose()?,
            host: None,
            channel: self
                .channel
                .map(|value| text("channel", value).map(str::to_owned))
                .transpose()?,
            realm: self
                .realm
                .map(|value| reference("realm", value))
                .transpose()?,
            amount: self.amount.map(|value| amount(&value)).transpose()?,
            context: self
                .context
                .map(|value| object("context", &value))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// All, owned.
    pub(crate) fn owned(&self) -> PyResult<Environment> {
        let host = self.host.map(at).transpose()?.map(|host| match host {
            HostRef::Name(name) => name.to_owned(),
            HostRef::Handle(handle) => handle.name().to_owned(),
        });
        Ok(Environment {
            host,
            ..self.circumstances()?
        })
    }

    /// A question about an action. Made where it is asked: it is large, and each move of it is
    /// felt.
    #[inline(always)]
    pub(crate) fn question(
        self,
        principal: Given<'a, 'py>,
        action: Given<'a, 'py>,
        resource: Given<'a, 'py>,
        keeps: &'a Spare<'py>,
    ) -> PyResult<RequestRef<'a>> {
        Ok(RequestRef {
            principal: who("principal", principal, || &keeps.keep().principal)?,
            action: does(action, || &keeps.keep().action)?,
            resource: on(resource, keeps)?,
            host: self.host.map(at).transpose()?,
            with: self.with(keeps)?,
        })
    }

    /// A question about any action.
    pub(crate) fn about(
        self,
        principal: Given<'a, 'py>,
        resource: Given<'a, 'py>,
        keeps: &'a Spare<'py>,
    ) -> PyResult<RequestRef<'a>> {
        Ok(RequestRef {
            principal: who("principal", principal, || &keeps.keep().principal)?,
            action: ActionRef::Name("Action", ""),
            resource: on(resource, keeps)?,
            host: self.host.map(at).transpose()?,
            with: self.with(keeps)?,
        })
    }
}

type Lent<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The optional arguments of a method.
pub(crate) fn around<'a, 'py>(
    actor: Lent<'a, 'py>,
    host: Lent<'a, 'py>,
    channel: Lent<'a, 'py>,
    realm: Lent<'a, 'py>,
    amount: Lent<'a, 'py>,
    context: Lent<'a, 'py>,
) -> Around<'a, 'py> {
    let lent = |given: Lent<'a, 'py>| given.map(Bound::as_borrowed);
    Around {
        actor: lent(actor),
        host: lent(host),
        channel: lent(channel),
        realm: lent(realm),
        amount: lent(amount),
        context: lent(context),
    }
}

/// With the GIL for a plain question, which takes less than to let it go; without it for one that
/// brings values of its own, and where `files` says that the engine may wait for one: to count, or
/// to follow a directory that another process changed.
pub(crate) fn decide<T: Send>(
    py: Python<'_>,
    files: bool,
    question: &RequestRef<'_>,
    answer: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    if files {
        return wait(py, answer);
    }
    if question.with.is_some() || question.resource.more.is_some() {
        py.detach(answer).or_raise()
    } else {
        answer().or_raise()
    }
}
