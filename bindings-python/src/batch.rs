//! Batches of requests, as records or as columns. The values that requests borrow from are held
//! until the batch is answered.

use std::cell::OnceCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use sublet::{Error, RequestRef};

use crate::arguments::read_list;
use crate::convert::{PyArg, read_fields};
use crate::errors::{OrRaise, Raise};
use crate::gil::{drop_in_steps, yield_gil};
use crate::refusal::{REQUESTS_AND_COLUMNS, REQUESTS_NEEDED, missing_field, refused, wrong_type};
use crate::request::EnvironmentArgs;
use crate::slots::RequestSlots;
use crate::waiting::wait;

/// The arguments of a request by name, from a record or from columns.
pub(crate) struct RequestFields<T> {
    pub(crate) principal: Option<T>,
    pub(crate) action: Option<T>,
    pub(crate) resource: Option<T>,
    pub(crate) actor: Option<T>,
    pub(crate) host: Option<T>,
    pub(crate) channel: Option<T>,
    pub(crate) realm: Option<T>,
    pub(crate) session_start: Option<T>,
    pub(crate) amount: Option<T>,
    pub(crate) context: Option<T>,
}

type RequestRow<'py> = RequestFields<Bound<'py, PyAny>>;

/// Reads the fields of a record.
fn read_row<'py>(record: &Bound<'py, PyAny>) -> PyResult<RequestRow<'py>> {
    let record = record
        .cast::<PyDict>()
        .map_err(|_| wrong_type("request", record, "a `dict`"))?;
    let py = record.py();
    let names = [
        intern!(py, "principal"),
        intern!(py, "action"),
        intern!(py, "resource"),
        intern!(py, "host"),
        intern!(py, "actor"),
        intern!(py, "channel"),
        intern!(py, "realm"),
        intern!(py, "session_start"),
        intern!(py, "amount"),
        intern!(py, "context"),
    ];
    let [
        principal,
        action,
        resource,
        host,
        actor,
        channel,
        realm,
        session_start,
        amount,
        context,
    ] = read_fields("request", record, names)?;
    Ok(RequestRow {
        principal,
        action,
        resource,
        actor,
        host,
        channel,
        realm,
        session_start,
        amount,
        context,
    })
}

/// A column: one value for all rows, or one value for each row.
pub(crate) enum Column<'py> {
    One(Bound<'py, PyAny>),
    Each(Bound<'py, PyTuple>),
}

type OwnedColumns<'py> = RequestFields<Column<'py>>;

impl<'py> Column<'py> {
    fn new(argument: &Bound<'py, PyAny>) -> Self {
        argument.cast::<PyList>().map_or_else(
            |_| Self::One(argument.clone()),
            |list| Self::Each(list.to_tuple()),
        )
    }

    fn len(&self) -> Option<usize> {
        match self {
            Self::One(_) => None,
            Self::Each(list) => Some(list.len()),
        }
    }

    fn value_at(&self, row: usize) -> PyResult<PyArg<'_, 'py>> {
        match self {
            Self::One(value) => Ok(value.as_borrowed()),
            Self::Each(list) => list.get_borrowed_item(row),
        }
    }
}

/// A source of one argument for each row.
trait ArgumentSource<'py> {
    fn argument(&self, row: usize) -> PyResult<PyArg<'_, 'py>>;
}

impl<'py> ArgumentSource<'py> for Bound<'py, PyAny> {
    #[inline]
    fn argument(&self, _: usize) -> PyResult<PyArg<'_, 'py>> {
        Ok(self.as_borrowed())
    }
}

impl<'py> ArgumentSource<'py> for Column<'py> {
    #[inline]
    fn argument(&self, row: usize) -> PyResult<PyArg<'_, 'py>> {
        self.value_at(row)
    }
}

fn optional_field<'a, 'py>(
    argument: Option<&'a impl ArgumentSource<'py>>,
    row: usize,
) -> PyResult<Option<PyArg<'a, 'py>>> {
    Ok(argument
        .map(|argument| argument.argument(row))
        .transpose()?
        .filter(|value| !value.is_none()))
}

fn required_field<'a, 'py>(
    name: &str,
    argument: Option<&'a impl ArgumentSource<'py>>,
    row: usize,
) -> PyResult<PyArg<'a, 'py>> {
    optional_field(argument, row)?.ok_or_else(|| missing_field("request", name))
}

/// Builds the request of one row.
fn build_request<'a, 'py>(
    fields: &'a RequestFields<impl ArgumentSource<'py>>,
    row: usize,
    slots: &'a RequestSlots<'py>,
) -> PyResult<RequestRef<'a>> {
    let environment = EnvironmentArgs {
        actor: optional_field(fields.actor.as_ref(), row)?,
        host: optional_field(fields.host.as_ref(), row)?,
        channel: optional_field(fields.channel.as_ref(), row)?,
        realm: optional_field(fields.realm.as_ref(), row)?,
        session_start: optional_field(fields.session_start.as_ref(), row)?,
        amount: optional_field(fields.amount.as_ref(), row)?,
        context: optional_field(fields.context.as_ref(), row)?,
    };
    let (principal, action) = (
        required_field("principal", fields.principal.as_ref(), row)?,
        required_field("action", fields.action.as_ref(), row)?,
    );
    environment.request(
        principal,
        action,
        required_field("resource", fields.resource.as_ref(), row)?,
        slots,
    )
}

/// Wraps the error of one request with its index.
#[cold]
fn item_error(py: Python<'_>, index: usize, error: &PyErr) -> PyErr {
    let code = error
        .value(py)
        .getattr("code")
        .and_then(|code| code.extract::<String>())
        .unwrap_or_default();
    let code = sublet::error_codes()
        .into_iter()
        .map(|(code, _)| code)
        .find(|stable| *stable == code)
        .unwrap_or("input.value");
    Error::Item {
        index,
        code,
        reason: error.value(py).to_string(),
    }
    .raise()
}

/// The requests of a batch, kept alive.
pub(crate) enum BatchRequests<'py> {
    Records(Bound<'py, PyTuple>),
    Columns(Box<OwnedColumns<'py>>, usize),
}

/// The arguments of `check_many` and `authorize_many`: a list of records, or columns.
pub(crate) type ColumnArgs<'a, 'py> = RequestFields<&'a Bound<'py, PyAny>>;

impl<'py> BatchRequests<'py> {
    pub(crate) fn new(
        py: Python<'py>,
        requests: Option<&Bound<'py, PyAny>>,
        columns: &ColumnArgs<'_, 'py>,
    ) -> PyResult<Self> {
        let columns = columns.to_owned_columns();
        match (requests, columns.is_empty()) {
            (Some(requests), true) => Self::records(py, requests),
            (None, false) => {
                let rows = columns.row_count()?;
                Ok(Self::Columns(Box::new(columns), rows))
            }
            (Some(_), false) => Err(refused("requests", REQUESTS_AND_COLUMNS)),
            (None, true) => Err(refused("requests", REQUESTS_NEEDED)),
        }
    }

    fn records(py: Python<'py>, requests: &Bound<'py, PyAny>) -> PyResult<Self> {
        // Copied first, because another thread may change the list while the GIL is released.
        Ok(Self::Records(if let Ok(list) = requests.cast::<PyList>() {
            list.to_tuple()
        } else if let Ok(tuple) = requests.cast::<PyTuple>() {
            tuple.clone()
        } else {
            PyTuple::new(py, read_list("requests", requests)?)?
        }))
    }

    fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Columns(_, rows) => *rows,
        }
    }

    /// Calls `answer` with all requests without the GIL, then drops the held values.
    pub(crate) fn evaluate<T: Send>(
        self,
        py: Python<'py>,
        answer: impl FnOnce(&[RequestRef<'_>]) -> Result<Vec<T>, Error> + Send,
    ) -> PyResult<Vec<T>> {
        let (mut rows, mut slots): (Vec<OnceCell<RequestRow<'py>>>, Vec<RequestSlots<'py>>) =
            Default::default();
        slots.resize_with(self.len(), RequestSlots::default);
        if let Self::Records(records) = &self {
            rows.resize_with(records.len(), OnceCell::new);
        }
        let answers = self
            .requests(py, &rows, &slots)
            .and_then(|requests| wait(py, || answer(&requests)));
        drop_in_steps(py, rows);
        drop_in_steps(py, slots);
        answers
    }

    /// Builds the requests. They borrow from `rows`, which receives the fields of records, and from
    /// `slots`; each has one entry for each request.
    fn requests<'a>(
        &'a self,
        py: Python<'py>,
        rows: &'a [OnceCell<RequestRow<'py>>],
        slots: &'a [RequestSlots<'py>],
    ) -> PyResult<Vec<RequestRef<'a>>> {
        let mut requests = Vec::with_capacity(slots.len());
        let mut push = |index: usize, request: PyResult<RequestRef<'a>>| {
            requests.push(request.map_err(|error| item_error(py, index, &error))?);
            yield_gil(py, index);
            Ok::<_, PyErr>(())
        };
        match self {
            Self::Records(records) => {
                for (index, ((record, row), slot)) in
                    records.iter_borrowed().zip(rows).zip(slots).enumerate()
                {
                    push(
                        index,
                        read_row(&record).and_then(|fields| {
                            build_request(row.get_or_init(|| fields), index, slot)
                        }),
                    )?;
                }
            }
            Self::Columns(columns, _) => {
                for (index, slot) in slots.iter().enumerate() {
                    push(index, build_request(columns, index, slot))?;
                }
            }
        }
        Ok(requests)
    }
}

impl<'py> ColumnArgs<'_, 'py> {
    fn to_owned_columns(&self) -> OwnedColumns<'py> {
        let column = |argument: Option<&Bound<'py, PyAny>>| argument.map(Column::new);
        OwnedColumns {
            principal: column(self.principal),
            action: column(self.action),
            resource: column(self.resource),
            actor: column(self.actor),
            host: column(self.host),
            channel: column(self.channel),
            realm: column(self.realm),
            session_start: column(self.session_start),
            amount: column(self.amount),
            context: column(self.context),
        }
    }
}

impl OwnedColumns<'_> {
    fn by_name(&self) -> [(&'static str, Option<&Column<'_>>); 10] {
        [
            ("principals", self.principal.as_ref()),
            ("actions", self.action.as_ref()),
            ("resources", self.resource.as_ref()),
            ("actors", self.actor.as_ref()),
            ("hosts", self.host.as_ref()),
            ("channels", self.channel.as_ref()),
            ("realms", self.realm.as_ref()),
            ("session_starts", self.session_start.as_ref()),
            ("amounts", self.amount.as_ref()),
            ("contexts", self.context.as_ref()),
        ]
    }

    fn is_empty(&self) -> bool {
        self.by_name().iter().all(|(_, column)| column.is_none())
    }

    fn row_count(&self) -> PyResult<usize> {
        sublet::batch_row_count(
            &self
                .by_name()
                .map(|(name, column)| (name, column.and_then(Column::len))),
        )
        .or_raise()
    }
}
