//! Storage for the parts of a request that it cannot borrow from its arguments: copies of lists and
//! `dict`s, because another thread may change those while the request is evaluated.

use std::cell::OnceCell;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use sublet::{Environment, Resource};

pub(crate) type TupleSlot<'py> = OnceCell<Bound<'py, PyTuple>>;

/// The fields of a resource that was passed as a `dict`.
pub(crate) struct ResourceFields<'py> {
    pub(crate) kind: Option<Bound<'py, PyAny>>,
    pub(crate) id: Option<Bound<'py, PyAny>>,
    pub(crate) account: Option<Bound<'py, PyAny>>,
    pub(crate) attributes: Option<Bound<'py, PyAny>>,
    pub(crate) parents: Option<Bound<'py, PyAny>>,
    pub(crate) tags: Option<Bound<'py, PyAny>>,
}

/// Storage for the owned parts of a request. Allocated on first use: plain requests need none.
#[derive(Default)]
pub(crate) struct RequestSlots<'py>(OnceCell<Box<OwnedParts<'py>>>);

impl<'py> RequestSlots<'py> {
    pub(crate) fn get(&self) -> &OwnedParts<'py> {
        self.0.get_or_init(Box::default)
    }
}

/// The owned parts of a request, which the request borrows from in addition to its arguments.
#[derive(Default)]
pub(crate) struct OwnedParts<'py> {
    pub(crate) principal: TupleSlot<'py>,
    pub(crate) action: TupleSlot<'py>,
    pub(crate) resource: TupleSlot<'py>,
    pub(crate) resource_fields: OnceCell<ResourceFields<'py>>,
    pub(crate) resource_extras: OnceCell<Box<Resource>>,
    pub(crate) environment: OnceCell<Box<Environment>>,
}
