//! Parses the resource of a request: a tuple, or a `dict` with attributes, parents and tags.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use sublet::{Resource, ResourceRef, ResourceTypeRef};

use crate::arguments::read_list;
use crate::convert::{PyArg, read_fields, read_object, read_str};
use crate::handles::Principal;
use crate::references::{TupleItem, parse_account, parse_reference, parse_resource_type, to_tuple};
use crate::refusal::{RESOURCE_NEEDED, missing_field, refused, wrong_type};
use crate::slots::{RequestSlots, ResourceFields};

/// Parses `(type, id)`, `(type, id, account)`, a `Principal`, or a `dict` with `type`, `id`,
/// `account`, `attributes`, `parents` and `tags`.
#[inline]
pub(crate) fn parse_resource<'a, 'py: 'a>(
    argument: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ResourceRef<'a>> {
    let Some(parts) = to_tuple(argument, || &slots.get().resource) else {
        return parse_resource_dict(argument, slots);
    };
    let (kind, id, account) = match parts.cast::<PyTuple>().map_or(0, |parts| parts.len()) {
        2 => parts
            .extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>)>()
            .map(|(kind, id)| (kind, id, None))?,
        3 => parts
            .extract::<(TupleItem<'_, '_>, TupleItem<'_, '_>, TupleItem<'_, '_>)>()
            .map(|(kind, id, account)| (kind, id, Some(account)))?,
        _ => return Err(refused("resource", RESOURCE_NEEDED)),
    };
    let account = account.map_or(Ok(None), |account| parse_account(account.0))?;
    Ok(ResourceRef {
        kind: parse_resource_type(kind.0)?,
        id: read_str("resource", id.0)?,
        account,
        more: None,
    })
}

/// Parses a resource that is no tuple: a `Principal` or a `dict`.
fn parse_resource_dict<'a, 'py: 'a>(
    argument: PyArg<'a, 'py>,
    slots: &'a RequestSlots<'py>,
) -> PyResult<ResourceRef<'a>> {
    if let Ok(handle) = argument.cast_exact::<Principal>() {
        let name = handle.get().0.reference();
        return Ok(ResourceRef {
            kind: ResourceTypeRef::Name(name.kind()),
            id: name.id(),
            account: None,
            more: None,
        });
    }
    let Ok(dict) = argument.cast::<PyDict>() else {
        return Err(wrong_type("resource", &argument, "a tuple or a `dict`"));
    };
    let (fields, owned) = (read_resource_fields(&dict)?, slots.get());
    let fields = owned.resource_fields.get_or_init(|| fields);
    let required = |name: &'static str, value: &'a Option<Bound<'py, PyAny>>| {
        value
            .as_ref()
            .ok_or_else(|| missing_field("resource", name))
    };
    let (kind, id) = (required("type", &fields.kind)?, required("id", &fields.id)?);
    let more = if fields.attributes.is_none() && fields.parents.is_none() && fields.tags.is_none() {
        None
    } else {
        let extras = Box::new(parse_extras(fields)?);
        Some(&**owned.resource_extras.get_or_init(|| extras))
    };
    let account = fields
        .account
        .as_ref()
        .map_or(Ok(None), |account| parse_account(account.as_borrowed()))?;
    Ok(ResourceRef {
        kind: parse_resource_type(kind.as_borrowed())?,
        id: read_str("resource", id.as_borrowed())?,
        account,
        more,
    })
}

/// Reads the fields of a resource that was passed as a `dict`.
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

/// Converts the attributes, tags and parents into owned values.
fn parse_extras(fields: &ResourceFields<'_>) -> PyResult<Resource> {
    let mut resource = Resource::new("", "");
    if let Some(attributes) = &fields.attributes {
        resource.attributes = read_object("attributes", attributes)?;
    }
    if let Some(tags) = &fields.tags {
        resource.tags = read_object("tags", tags)?;
    }
    if let Some(parents) = &fields.parents {
        resource.parents = read_list("parents", parents)?
            .iter()
            .map(|parent| parse_reference("parents", parent.as_borrowed()))
            .collect::<PyResult<_>>()?;
    }
    Ok(resource)
}
