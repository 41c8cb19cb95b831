//! The rows of a batch as requests, with those that came as JSON.

use std::cell::Cell;

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use sublet::{
    ConsumeOptions, Environment, Error, Request, RequestRef, ResourceRef, ResourceTypeRef,
};

use crate::handle_slots::{HandleSlots, refused};
use crate::quota::ConsumeOptionsJson;
use crate::shared_rows::{Ids, ROW, RowOptions, SharedRow};

/// The requests of a batch: rows, the bytes of their ids, and the requests that came as JSON.
/// JavaScript lends its arrays and does not write to them until the batch is answered.
pub(crate) struct RequestRows {
    pub(crate) slots: HandleSlots,
    pub(crate) words: Uint32Array,
    pub(crate) bytes: Uint8Array,
    /// A JSON list.
    pub(crate) texts: String,
}

impl RequestRows {
    fn row(&self, at: usize) -> Option<SharedRow> {
        let from = at.checked_mul(ROW)?;
        let row = self.words.get(from..from.checked_add(ROW)?)?;
        <[u32; ROW]>::try_from(row).ok().map(SharedRow::from)
    }

    fn rows(&self) -> impl Iterator<Item = SharedRow> {
        (0..self.words.len() / ROW).filter_map(|at| self.row(at))
    }

    /// Parses the requests that came as JSON. An error names the row of the malformed request.
    fn requests(&self) -> Result<Vec<Request>, Error> {
        Request::list_from_json(&self.texts).map_err(|error| match error {
            Error::Item {
                index,
                code,
                reason,
            } => {
                let rows = self
                    .rows()
                    .enumerate()
                    .filter(|(_, row)| row.is_text())
                    .nth(index);
                Error::Item {
                    index: rows.map_or(index, |(row, _)| row),
                    code,
                    reason,
                }
            }
            other => other,
        })
    }
}

/// The rows of a batch, decoded.
pub(crate) struct DecodedRows<'a> {
    rows: &'a RequestRows,
    /// The text of all ids.
    text: &'a str,
    requests: Vec<Request>,
    /// Reason why a row is malformed, if one is.
    fault: Cell<Option<&'static str>>,
}

/// A row, with the offset of its ids or the index of its JSON request. It is converted to a request
/// when it is evaluated, because ten thousand requests are larger than their rows.
pub(crate) struct RowRequest<'a> {
    batch: &'a DecodedRows<'a>,
    row: usize,
    from: usize,
    /// The amount of a question, in the form of the engine.
    environment: Option<Box<Environment>>,
}

/// An item of a batch that consumes.
pub(crate) struct RowItem<'a> {
    pub(crate) request: RequestRef<'a>,
    pub(crate) options: ConsumeOptions<'a>,
    /// The id of the principal, if JavaScript knows it.
    pub(crate) principal_id: Option<&'a str>,
}

impl<'a> DecodedRows<'a> {
    pub(crate) fn new(rows: &'a RequestRows) -> Result<Self, Error> {
        let text =
            std::str::from_utf8(&rows.bytes).map_err(|_| refused("an id that is no text"))?;
        Ok(Self {
            rows,
            text,
            requests: rows.requests()?,
            fault: Cell::new(None),
        })
    }

    /// Returns each row, with its number and the offset of its ids or the index of its JSON request.
    fn located(&self) -> impl Iterator<Item = (usize, usize, SharedRow)> {
        let (mut at, mut request) = (0_usize, 0_usize);
        self.rows.rows().enumerate().map(move |(row, words)| {
            let (counter, length) = if words.is_text() {
                (&mut request, 1)
            } else {
                let lengths = words.lengths().into_iter();
                (&mut at, lengths.fold(0, usize::saturating_add))
            };
            let from = *counter;
            *counter = from.saturating_add(length);
            (row, from, words)
        })
    }

    /// Returns the questions of the batch.
    pub(crate) fn requests(&'a self) -> Vec<RowRequest<'a>> {
        let request = |(row, from, words): (usize, usize, SharedRow)| RowRequest {
            batch: self,
            row,
            from,
            environment: if words.is_text() {
                None
            } else {
                words.options("").environment().map(Box::new)
            },
        };
        self.located().map(request).collect()
    }

    /// Returns the items of a batch that consumes. `forms` has the options of the requests that
    /// came as JSON.
    pub(crate) fn items(
        &'a self,
        forms: &'a [ConsumeOptionsJson],
    ) -> Result<Vec<RowItem<'a>>, Error> {
        let item = |(row, from, _)| {
            let (request, options) = self.request(row, from)?;
            let form = || forms.get(from).map(ConsumeOptionsJson::options);
            Ok(RowItem {
                request,
                options: options
                    .map(RowOptions::consume)
                    .or_else(form)
                    .ok_or("a row without its options")?,
                principal_id: options.map(|_| request.principal.name().1),
            })
        };
        let items: Result<_, &'static str> = self.located().map(item).collect();
        items.map_err(refused)
    }

    /// Returns the answers, or fails if a row is malformed.
    pub(crate) fn check_rows<T>(&self, answers: Result<T, Error>) -> Result<T, Error> {
        self.fault
            .get()
            .map_or(answers, |fault| Err(refused(fault)))
    }

    fn ids(&self, row: &SharedRow, from: usize) -> Option<Ids<'_>> {
        let mut at = from;
        let mut next = |length: usize| {
            let begin = at;
            at = begin.checked_add(length)?;
            self.text.get(begin..at)
        };
        let [principal, resource, account, key] = row.lengths();
        Some(Ids {
            principal: next(principal)?,
            resource: next(resource)?,
            account: next(account)?,
            key: next(key)?,
        })
    }

    /// Returns the request of a row, and what the row says beside it. A request that came as JSON
    /// has no more than itself.
    fn request(
        &self,
        row: usize,
        from: usize,
    ) -> Result<(RequestRef<'_>, Option<RowOptions<'_>>), &'static str> {
        let row = self.rows.row(row).ok_or("a row past the end")?;
        if row.is_text() {
            return self
                .requests
                .get(from)
                .map(|request| (request.into(), None))
                .ok_or("a row without its text");
        }
        let ids = self.ids(&row, from).ok_or("an id past the end")?;
        let request = row.resolve(&self.rows.slots)?.request(&ids);
        Ok((request, Some(row.options(ids.key))))
    }
}

impl<'a> From<&'a RowRequest<'a>> for RequestRef<'a> {
    fn from(row: &'a RowRequest<'a>) -> Self {
        match row.batch.request(row.row, row.from) {
            // A request that came as JSON has an environment of its own.
            Ok((request, None)) => request,
            Ok((request, Some(_))) => RequestRef {
                environment: row.environment.as_deref(),
                ..request
            },
            Err(fault) => {
                row.batch.fault.set(Some(fault));
                let kind = ResourceTypeRef::Name("");
                let resource = ResourceRef {
                    kind,
                    id: "",
                    account: None,
                    more: None,
                };
                RequestRef::new(("", ""), "", resource)
            }
        }
    }
}
