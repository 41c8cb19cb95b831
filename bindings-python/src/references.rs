//! Parses names and handles: principals, actions, resource types, accounts and hosts. They borrow
//! the text of the Python strings.

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use sublet::{AccountRef, ActionRef, EntityRef, HostRef, PrincipalRef, ResourceTypeRef};

use crate::convert::{PyArg, read_str};
use crate::handles::{Action, Host, Principal, ResourceType};
use crate::refusal::{PAIR_NEEDED, refused};
use crate::slots::{RequestSlots, TupleSlot};

/// An item of a tuple, borrowed for as long as the tuple lives.
pub(crate) struct TupleItem<'a, 'py>(pub(crate) PyArg<'a, 'py>);

impl<'a, 'py> FromPyObject<'a, 'py> for TupleItem<'a, 'py> {
    type Error = std::convert::Infallible;

    #[inline]
    fn extract(argument: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        Ok(Self(argument))
    }
}

/// Returns the tuple itself, or a copy of the list as a tuple in the slot.
#[inline]
pub(crate) fn to_tuple<'a, 'py: 'a>(
    argument: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> Option<PyArg<'a, 'py>> {
    if argument.is_exact_instance_of::<PyTuple>() || argument.is_instance_of::<PyTuple>() {
        return Some(argument);
    }
    let list = argument.cast::<PyList>().ok()?;
    Some(
        slot()
            .get_or_init(|| list.to_tuple())
            .as_any()
            .as_borrowed(),
    )
}

/// Parses a tuple or a list of two strings.
#[inline]
fn parse_pair<'a, 'py: 'a>(
    what: &str,
    argument: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<(&'a str, &'a str)> {
    match to_tuple(argument, slot)
        .map(|pair| pair.extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>)>())
    {
        Some(Ok((kind, id))) => Ok((read_str(what, kind.0)?, read_str(what, id.0)?)),
        _ => Err(refused(what, PAIR_NEEDED)),
    }
}

/// Parses `(type, id)`, a tuple or list of two strings, or a `Principal`.
#[inline]
pub(crate) fn parse_principal<'a, 'py: 'a>(
    what: &str,
    argument: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<PrincipalRef<'a>> {
    match argument.cast_exact::<Principal>() {
        Ok(handle) => Ok(PrincipalRef::Handle(&handle.get().0)),
        Err(_) => parse_pair(what, argument, slot).map(|(kind, id)| PrincipalRef::Name(kind, id)),
    }
}

/// Parses the name of an action, `(type, id)`, or an `Action`, outside of a request.
pub(crate) fn parse_action<'a, 'py: 'a>(
    argument: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ActionRef<'a>> {
    parse_action_in(argument, || &slots.get().action)
}

/// Parses the name of an action, `(type, id)`, or an `Action`.
#[inline]
pub(crate) fn parse_action_in<'a, 'py: 'a>(
    argument: PyArg<'a, 'py>,
    slot: impl FnOnce() -> &'a TupleSlot<'py>,
) -> PyResult<ActionRef<'a>> {
    if argument.is_instance_of::<PyString>() {
        return Ok(ActionRef::Name("Action", read_str("action", argument)?));
    }
    match argument.cast_exact::<Action>() {
        Ok(handle) => Ok(ActionRef::Handle(&handle.get().0)),
        Err(_) => parse_pair("action", argument, slot).map(|(kind, id)| ActionRef::Name(kind, id)),
    }
}

/// Parses the name of a resource type, or a `ResourceType`.
#[inline]
pub(crate) fn parse_resource_type<'a>(argument: PyArg<'a, '_>) -> PyResult<ResourceTypeRef<'a>> {
    match argument.cast_exact::<ResourceType>() {
        Ok(handle) => Ok(ResourceTypeRef::Handle(&handle.get().0)),
        Err(_) => read_str("resource", argument).map(ResourceTypeRef::Name),
    }
}

/// Parses the account of a resource: an id, a `Principal`, or `None`.
#[inline]
pub(crate) fn parse_account<'a>(argument: PyArg<'a, '_>) -> PyResult<Option<AccountRef<'a>>> {
    if argument.is_none() {
        return Ok(None);
    }
    let Ok(handle) = argument.cast_exact::<Principal>() else {
        return read_str("resource", argument).map(|id| Some(AccountRef::Name(id)));
    };
    // Not checked here: that would read the handle's name, and the engine refuses other logins.
    Ok(Some(AccountRef::Handle(&handle.get().0)))
}

/// Parses a host name, or a `Host`.
#[inline]
pub(crate) fn parse_host<'a>(argument: PyArg<'a, '_>) -> PyResult<HostRef<'a>> {
    match argument.cast_exact::<Host>() {
        Ok(handle) => Ok(HostRef::Handle(&handle.get().0)),
        Err(_) => read_str("host", argument).map(HostRef::Name),
    }
}

/// Parses `(type, id)` or a `Principal` into an owned reference.
pub(crate) fn parse_reference(what: &str, argument: PyArg<'_, '_>) -> PyResult<EntityRef> {
    if let Ok(handle) = argument.cast_exact::<Principal>() {
        return Ok(handle.get().0.reference().clone());
    }
    let slot = TupleSlot::new();
    let (kind, id) = parse_pair(what, argument, || &slot)?;
    Ok(EntityRef::new(kind, id))
}
