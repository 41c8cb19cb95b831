//! Many questions, as records or as columns. What they borrow from is held until they are answered;
//! the GIL is let go for a moment every some thousand rows, so that no other thread waits for the
//! conversion of a long list.

use std::cell::OnceCell;
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use sublet::{Error, RequestRef};

use crate::arguments::entries;
use crate::asked::{Around, Spare};
use crate::errors::{OrRaise, Raise};
use crate::values::{Given, kind, refused, under};
use crate::waiting::wait;

/// After how many rows other threads get their turn: one to three milliseconds.
const BREATH: usize = 12_288;
/// After how many objects, where there are other threads: to make one costs more than to read a
/// row, and a list of them is often let go right after.
const OBJECTS: usize = 4_096;
/// How long they are waited for. Who takes the GIL back at once is faster than a thread that has to
/// wake up first, and each signal makes that thread start its wait anew: it would starve.
const PAUSE: Duration = Duration::from_micros(20);

/// Lets other threads run.
fn pause(py: Python<'_>) {
    py.detach(|| std::thread::sleep(PAUSE));
}

/// Whether Python started other threads. No code of Python's own is run for it: a daemon thread may
/// be here at the end of the interpreter, which would kill it in such code, and with it the
/// process.
fn is_shared(py: Python<'_>) -> bool {
    let count = py
        .import("_thread")
        .and_then(|thread| thread.call_method0("_count"))
        .and_then(|count| count.extract::<usize>());
    count.map_or(true, |count| count > 0)
}

/// Lets other threads run, every so many rows.
fn breathe(py: Python<'_>, row: usize, every: usize) {
    if row % every == every - 1 {
        pause(py);
    }
}

/// The arguments of one question, by name: those of a record, or the columns.
pub(crate) struct Named<T> {
    pub(crate) principal: Option<T>,
    pub(crate) action: Option<T>,
    pub(crate) resource: Option<T>,
    pub(crate) actor: Option<T>,
    pub(crate) host: Option<T>,
    pub(crate) channel: Option<T>,
    pub(crate) realm: Option<T>,
    pub(crate) amount: Option<T>,
    pub(crate) context: Option<T>,
}

type Row<'py> = Named<Bound<'py, PyAny>>;

/// A record's fields.
fn row<'py>(record: &Bound<'py, PyAny>) -> PyResult<Row<'py>> {
    let record = record.cast::<PyDict>().map_err(|_| {
        refused(
            "request",
            format!("a `{}` where a `dict` is needed", kind(record)),
        )
    })?;
    let py = record.py();
    let names = [
        intern!(py, "principal"),
        intern!(py, "action"),
        intern!(py, "resource"),
        intern!(py, "host"),
        intern!(py, "actor"),
        intern!(py, "channel"),
        intern!(py, "realm"),
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
        amount,
        context,
    ] = under("request", record, names)?;
    Ok(Row {
        principal,
        action,
        resource,
        actor,
        host,
        channel,
        realm,
        amount,
        context,
    })
}

/// One value for all rows, or one a row.
pub(crate) enum Column<'py> {
    One(Bound<'py, PyAny>),
    Each(Bound<'py, PyTuple>),
}

type Columns<'py> = Named<Column<'py>>;

impl<'py> Column<'py> {
    fn new(given: &Bound<'py, PyAny>) -> Self {
        given.cast::<PyList>().map_or_else(
            |_| Self::One(given.clone()),
            |list| Self::Each(list.to_tuple()),
        )
    }

    fn len(&self) -> Option<usize> {
        match self {
            Self::One(_) => None,
            Self::Each(list) => Some(list.len()),
        }
    }

    fn at(&self, row: usize) -> PyResult<Given<'_, 'py>> {
        match self {
            Self::One(value) => Ok(value.as_borrowed()),
            Self::Each(list) => list.get_borrowed_item(row),
        }
    }
}

/// Something that has an argument in each row.
trait Argument<'py> {
    fn given(&self, row: usize) -> PyResult<Given<'_, 'py>>;
}

impl<'py> Argument<'py> for Bound<'py, PyAny> {
    #[inline]
    fn given(&self, _: usize) -> PyResult<Given<'_, 'py>> {
        Ok(self.as_borrowed())
    }
}

impl<'py> Argument<'py> for Column<'py> {
    #[inline]
    fn given(&self, row: usize) -> PyResult<Given<'_, 'py>> {
        self.at(row)
    }
}

fn some<'a, 'py>(
    argument: Option<&'a impl Argument<'py>>,
    row: usize,
) -> PyResult<Option<Given<'a, 'py>>> {
    Ok(argument
        .map(|argument| argument.given(row))
        .transpose()?
        .filter(|value| !value.is_none()))
}

fn needed<'a, 'py>(
    name: &str,
    argument: Option<&'a impl Argument<'py>>,
    row: usize,
) -> PyResult<Given<'a, 'py>> {
    some(argument, row)?.ok_or_else(|| refused("request", format!("`{name}` is missing")))
}

fn question<'a, 'py>(
    named: &'a Named<impl Argument<'py>>,
    row: usize,
    keep: &'a Spare<'py>,
) -> PyResult<RequestRef<'a>> {
    let around = Around {
        actor: some(named.actor.as_ref(), row)?,
        host: some(named.host.as_ref(), row)?,
        channel: some(named.channel.as_ref(), row)?,
        realm: some(named.realm.as_ref(), row)?,
        amount: some(named.amount.as_ref(), row)?,
        context: some(named.context.as_ref(), row)?,
    };
    let (principal, action) = (
        needed("principal", named.principal.as_ref(), row)?,
        needed("action", named.action.as_ref(), row)?,
    );
    around.question(
        principal,
        action,
        needed("resource", named.resource.as_ref(), row)?,
        keep,
    )
}

/// The error of one request, with its index.
#[cold]
fn item(py: Python<'_>, index: usize, error: &PyErr) -> PyErr {
    let code = error
        .value(py)
        .getattr("code")
        .and_then(|code| code.extract::<String>())
        .unwrap_or_default();
    let code = sublet::error_codes()
        .into_iter()
        .map(|(code, _)| code)
        .find(|known| *known == code)
        .unwrap_or("input.value");
    Error::Item {
        index,
        code,
        reason: error.value(py).to_string(),
    }
    .raise()
}

/// What was asked, held.
pub(crate) enum Many<'py> {
    Records(Bound<'py, PyTuple>),
    Columns(Box<Columns<'py>>, usize),
}

/// The arguments of `check_many` and `authorize_many`: a list of records, or columns.
pub(crate) type Lists<'a, 'py> = Named<&'a Bound<'py, PyAny>>;

impl<'py> Many<'py> {
    pub(crate) fn new(
        py: Python<'py>,
        requests: Option<&Bound<'py, PyAny>>,
        columns: &Lists<'_, 'py>,
    ) -> PyResult<Self> {
        let held = columns.held();
        match (requests, held.is_empty()) {
            (Some(requests), true) => Self::records(py, requests),
            (None, false) => {
                let rows = held.rows()?;
                Ok(Self::Columns(Box::new(held), rows))
            }
            (Some(_), false) => Err(refused(
                "requests",
                "either a list of requests or columns, not both",
            )),
            (None, true) => Err(refused(
                "requests",
                "a list of requests or columns are needed",
            )),
        }
    }

    fn records(py: Python<'py>, requests: &Bound<'py, PyAny>) -> PyResult<Self> {
        // Taken out first: while another thread runs, it may change the list.
        Ok(Self::Records(if let Ok(list) = requests.cast::<PyList>() {
            list.to_tuple()
        } else if let Ok(tuple) = requests.cast::<PyTuple>() {
            tuple.clone()
        } else {
            PyTuple::new(py, entries("requests", requests)?)?
        }))
    }

    fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Columns(_, rows) => *rows,
        }
    }

    /// Asks `answer` of all questions at once, without the GIL; then lets go of what was held.
    pub(crate) fn ask<T: Send>(
        self,
        py: Python<'py>,
        answer: impl FnOnce(&[RequestRef<'_>]) -> Result<Vec<T>, Error> + Send,
    ) -> PyResult<Vec<T>> {
        let (mut rows, mut spares): (Vec<OnceCell<Row<'py>>>, Vec<Spare<'py>>) = Default::default();
        spares.resize_with(self.len(), Spare::default);
        if let Self::Records(records) = &self {
            rows.resize_with(records.len(), OnceCell::new);
        }
        let answers = self
            .questions(py, &rows, &spares)
            .and_then(|questions| wait(py, || answer(&questions)));
        let_go(py, rows);
        let_go(py, spares);
        answers
    }

    /// What records hold goes to `rows`, what else is borrowed from to `spares`; each has a place
    /// for each question.
    fn questions<'a>(
        &'a self,
        py: Python<'py>,
        rows: &'a [OnceCell<Row<'py>>],
        spares: &'a [Spare<'py>],
    ) -> PyResult<Vec<RequestRef<'a>>> {
        let mut questions = Vec::with_capacity(spares.len());
        let mut push = |index: usize, question: PyResult<RequestRef<'a>>| {
            questions.push(question.map_err(|error| item(py, index, &error))?);
            breathe(py, index, BREATH);
            Ok::<_, PyErr>(())
        };
        match self {
            Self::Records(records) => {
                for (index, ((record, held), spare)) in
                    records.iter_borrowed().zip(rows).zip(spares).enumerate()
                {
                    push(
                        index,
                        row(&record)
                            .and_then(|row| question(held.get_or_init(|| row), index, spare)),
                    )?;
                }
            }
            Self::Columns(columns, _) => {
                for (index, spare) in spares.iter().enumerate() {
                    push(index, question(columns, index, spare))?;
                }
            }
        }
        Ok(questions)
    }
}

impl<'py> Lists<'_, 'py> {
    fn held(&self) -> Columns<'py> {
        let column = |given: Option<&Bound<'py, PyAny>>| given.map(Column::new);
        Columns {
            principal: column(self.principal),
            action: column(self.action),
            resource: column(self.resource),
            actor: column(self.actor),
            host: column(self.host),
            channel: column(self.channel),
            realm: column(self.realm),
            amount: column(self.amount),
            context: column(self.context),
        }
    }
}

impl Columns<'_> {
    fn each(&self) -> [(&'static str, Option<&Column<'_>>); 9] {
        [
            ("principals", self.principal.as_ref()),
            ("actions", self.action.as_ref()),
            ("resources", self.resource.as_ref()),
            ("actors", self.actor.as_ref()),
            ("hosts", self.host.as_ref()),
            ("channels", self.channel.as_ref()),
            ("realms", self.realm.as_ref()),
            ("amounts", self.amount.as_ref()),
            ("contexts", self.context.as_ref()),
        ]
    }

    fn is_empty(&self) -> bool {
        self.each().iter().all(|(_, column)| column.is_none())
    }

    fn rows(&self) -> PyResult<usize> {
        sublet::batch_row_count(
            &self
                .each()
                .map(|(name, column)| (name, column.and_then(Column::len))),
        )
        .or_raise()
    }
}

/// Drops a long list in slices.
fn let_go<T>(py: Python<'_>, mut list: Vec<T>) {
    while !list.is_empty() {
        list.truncate(list.len().saturating_sub(BREATH));
        if !list.is_empty() {
            pause(py);
        }
    }
}

/// A Python list of many answers, made in slices.
pub(crate) fn listed<'py, T>(
    py: Python<'py>,
    answers: Vec<T>,
    class: impl Fn(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut list = Vec::with_capacity(answers.len());
    let every = if answers.len() > OBJECTS && is_shared(py) {
        OBJECTS
    } else {
        BREATH
    };
    for (index, answer) in answers.into_iter().enumerate() {
        list.push(class(answer)?);
        breathe(py, index, every);
    }
    PyList::new(py, list)
}
