//! Python values as the engine's, exact or refused.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};
use serde_json::{Map, Value};
use sublet::{Circumstances, Error, Ref, Request, Resource};

use crate::errors::Raise;

/// How deep values may be nested: the engine's own cap, met here first since this function recurses.
const NESTING: usize = 64;

fn refused(what: &str, reason: impl Into<String>) -> PyErr {
    Error::Value { what: what.to_owned(), reason: reason.into() }.raise()
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// The text of a `str`, by its own characters: what a subclass says of itself is not asked. Lone surrogates are refused.
pub(crate) fn text(what: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = value.cast::<PyString>().map_err(|_| refused(what, format!("a `{}` where a `str` is needed", kind(value))))?;
    text.to_str().map(str::to_owned).map_err(|_| refused(what, "a string with a lone surrogate"))
}

/// `(type, id)` as a tuple or list of two strings.
pub(crate) fn reference(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Ref> {
    let pair = if let Ok(pair) = value.cast::<PyTuple>() {
        (pair.len() == 2).then(|| Ok::<_, PyErr>((pair.get_item(0)?, pair.get_item(1)?)))
    } else if let Ok(pair) = value.cast::<PyList>() {
        (pair.len() == 2).then(|| Ok((pair.get_item(0)?, pair.get_item(1)?)))
    } else {
        None
    };
    let (kind, id) = pair.ok_or_else(|| refused(what, "a type and an id are needed: (\"Account\", \"acme\")"))??;
    Ok(Ref::new(text(what, &kind)?, text(what, &id)?))
}

/// An action's name, or `(type, id)`.
pub(crate) fn action(value: &Bound<'_, PyAny>) -> PyResult<Ref> {
    if value.is_instance_of::<PyString>() { Ok(Ref::new("Action", text("action", value)?)) } else { reference("action", value) }
}

fn json(what: &str, value: &Bound<'_, PyAny>, left: usize) -> PyResult<Value> {
    let below = || left.checked_sub(1).ok_or_else(|| Error::Nesting { what: what.to_owned(), limit: NESTING }.raise());
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().map(Value::from).map_err(|_| refused(what, "an integer over 64 bits"));
    }
    if value.is_instance_of::<PyString>() {
        return text(what, value).map(Value::String);
    }
    if let Ok(items) = value.cast::<PyList>() {
        let left = below()?;
        return items.iter().map(|item| json(what, &item, left)).collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    if let Ok(items) = value.cast::<PyTuple>() {
        let left = below()?;
        return items.iter().map(|item| json(what, &item, left)).collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        let left = below()?;
        return value.try_iter()?.map(|item| json(what, &item?, left)).collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    if let Ok(fields) = value.cast::<PyDict>() {
        return object_of(what, fields, below()?).map(Value::Object);
    }
    Err(refused(what, format!("a `{}` is no value that a policy can read", kind(value))))
}

fn object_of(what: &str, fields: &Bound<'_, PyDict>, left: usize) -> PyResult<Map<String, Value>> {
    let mut map = Map::new();
    for (key, value) in fields.iter() {
        map.insert(text(what, &key)?, json(what, &value, left)?);
    }
    Ok(map)
}

/// A `dict` with string keys.
pub(crate) fn object(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    let fields = value.cast::<PyDict>().map_err(|_| refused(what, format!("a `{}` where a `dict` is needed", kind(value))))?;
    object_of(what, fields, NESTING)
}

/// An exact `int` from 0 to 2**63-1: no bool, no float, no subclass.
fn amount(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    let exact = if value.is_exact_instance_of::<PyInt>() { value.extract::<i64>().ok() } else { None };
    exact.filter(|amount| *amount >= 0).ok_or_else(|| {
        let shown = value.repr().map_or_else(|_| kind(value), |text| text.to_string().chars().take(80).collect());
        Error::Amount { amount: shown }.raise()
    })
}

/// `(type, id)`, or a `dict` with `type`, `id`, `account`, `attributes`, `parents`, `tags`.
pub(crate) fn resource(value: &Bound<'_, PyAny>) -> PyResult<Resource> {
    let Ok(fields) = value.cast::<PyDict>() else { return reference("resource", value).map(Into::into) };
    let mut resource = Resource::new("", "");
    let (mut kind, mut id) = (None, None);
    for (key, value) in fields.iter() {
        match text("resource", &key)?.as_str() {
            "type" => kind = Some(text("resource", &value)?),
            "id" => id = Some(text("resource", &value)?),
            "account" if value.is_none() => {}
            "account" => resource.account = Some(text("resource", &value)?),
            "attributes" => resource.attributes = object("attributes", &value)?,
            "tags" => resource.tags = object("tags", &value)?,
            "parents" => resource.parents = value.try_iter()?.map(|parent| reference("parents", &parent?)).collect::<PyResult<_>>()?,
            other => return Err(refused("resource", format!("no field `{other}`"))),
        }
    }
    let (Some(kind), Some(id)) = (kind, id) else { return Err(refused("resource", "`type` and `id` are needed")) };
    resource.uid = Ref::new(kind, id);
    Ok(resource)
}

/// What surrounds a request, from the optional arguments.
pub(crate) fn circumstances(
    actor: Option<&Bound<'_, PyAny>>,
    host: Option<&Bound<'_, PyAny>>,
    channel: Option<&Bound<'_, PyAny>>,
    realm: Option<&Bound<'_, PyAny>>,
    amount_of: Option<&Bound<'_, PyAny>>,
    context: Option<&Bound<'_, PyAny>>,
) -> PyResult<Circumstances> {
    Ok(Circumstances {
        actor: actor.map(|value| reference("actor", value)).transpose()?,
        host: host.map(|value| text("host", value)).transpose()?,
        channel: channel.map(|value| text("channel", value)).transpose()?,
        realm: realm.map(|value| reference("realm", value)).transpose()?,
        amount: amount_of.map(amount).transpose()?,
        context: context.map(|value| object("context", value)).transpose()?.unwrap_or_default(),
    })
}

/// One request of a list: a `dict` with the arguments of `authorize`.
pub(crate) fn request(value: &Bound<'_, PyAny>) -> PyResult<Request> {
    let fields = value.cast::<PyDict>().map_err(|_| refused("request", format!("a `{}` where a `dict` is needed", kind(value))))?;
    let known = ["principal", "action", "resource", "actor", "host", "channel", "realm", "amount", "context"];
    for key in fields.keys() {
        let key = text("request", &key)?;
        if !known.contains(&key.as_str()) {
            return Err(refused("request", format!("no field `{key}`")));
        }
    }
    let get = |key: &str| -> PyResult<Option<Bound<'_, PyAny>>> { Ok(fields.get_item(key)?.filter(|value| !value.is_none())) };
    let need = |key: &str| -> PyResult<Bound<'_, PyAny>> { get(key)?.ok_or_else(|| refused("request", format!("`{key}` is missing"))) };
    let with = circumstances(
        get("actor")?.as_ref(),
        get("host")?.as_ref(),
        get("channel")?.as_ref(),
        get("realm")?.as_ref(),
        get("amount")?.as_ref(),
        get("context")?.as_ref(),
    )?;
    Ok(Request {
        principal: reference("principal", &need("principal")?)?,
        action: action(&need("action")?)?,
        resource: resource(&need("resource")?)?,
        circumstances: with,
    })
}

/// A JSON value as Python's own types.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (_, Some(number)) => number.into_pyobject(py)?.into_any(),
            _ => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => PyList::new(py, items.iter().map(|item| to_python(py, item)).collect::<PyResult<Vec<_>>>()?)?.into_any(),
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (key, value) in fields {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
