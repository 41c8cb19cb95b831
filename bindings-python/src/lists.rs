//! Lists of records, and the export of one account.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use sublet::{DEFAULT_LIST_LIMIT, ListKind};

use crate::arguments;
use crate::convert::read_str;
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::methods::request_methods;
use crate::results::to_python_object;
use crate::slots::RequestSlots;
use crate::waiting::wait;

request_methods! {
#[pymethods]
impl Engine {
    /// Returns one page of the `clients`, `members`, `service_accounts`, `levels` or `domains`
    /// of an account, by id: a dictionary with the `records` and the `next` id, or `None` after
    /// the last page.
    ///
    /// With a `principal`, the page has the records that this login may read (C13). One call
    /// examines at most `limit` (100) records, and at most 1,000; pass `next` as `after` to go
    /// on.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`, `input.list_kind` or
    /// `input.command_unasked`.
    fn list_records(
        &self, py, kind, account, *, [principal], [after], [limit], ..environment
    ) -> PyResult<Py<PyAny>> {
        let kind = ListKind::from_name(read_str("kind", kind)?).or_raise()?;
        let account = read_str("account", account)?;
        let after = after.map(|after| read_str("after", after.as_borrowed())).transpose()?;
        let limit = limit.map_or(Ok(DEFAULT_LIST_LIMIT), arguments::limit)?;
        let (slots, resource) = (RequestSlots::default(), PyTuple::new(py, ["Account", account])?);
        let reader = match principal {
            Some(principal) => Some(
                environment
                    .request_without_action(
                        principal.as_borrowed(),
                        resource.as_any().as_borrowed(),
                        &slots,
                    )?
                    .to_owned_request()
                    .or_raise()?,
            ),
            None => None,
        };
        let reader = reader.as_ref().map(|reader| (&reader.principal, &reader.environment));
        let page = wait(py, || self.inner.list_records(kind, account, reader, after, limit))?;
        to_python_object(py, &page).map(Bound::unbind)
    }
}
}

#[pymethods]
impl Engine {
    /// Returns everything that belongs to an account as JSON lines: its record, members, service
    /// accounts, access levels and domains, then its statements and its history (C14).
    ///
    /// Asks no policy: authorize `account.export` first if the account itself exports.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`.
    fn export_account<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        let mut lines = Vec::new();
        wait(py, || self.inner.export_account(account, &mut lines))?;
        Ok(PyString::new(py, &String::from_utf8_lossy(&lines)))
    }
}
