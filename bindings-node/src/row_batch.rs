//! The rows of a batch as requests, with those that came as JSON.

use std::cell::Cell;

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use sublet::{Error, Request, RequestRef, ResourceRef, ResourceTypeRef};

use crate::handle_slots::{HandleSlots, refused};
use crate::shared_rows::{Ids, ROW, SharedRow};

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
                    .filter(|(_, row)| row.text == 1)
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

    pub(crate) fn requests(&'a self) -> Vec<RowRequest<'a>> {
        let (mut at, mut request) = (0_usize, 0);
        let locate = |(row, words): (usize, SharedRow)| {
            let from = if words.text == 0 { at } else { request };
            if words.text == 0 {
                let (principal, account) = words.lengths();
                at = at
                    .saturating_add(principal)
                    .saturating_add(words.resource_id as usize)
                    .saturating_add(account);
            } else {
                request += 1;
            }
            RowRequest {
                batch: self,
                row,
                from,
            }
        };
        self.rows.rows().enumerate().map(locate).collect()
    }

    /// Returns the answers, or fails if a row is malformed.
    pub(crate) fn check_rows<T>(&self, answers: Result<T, Error>) -> Result<T, Error> {
        self.fault
            .get()
            .map_or(answers, |fault| Err(refused(fault)))
    }

    fn ids(&self, row: &SharedRow, from: usize) -> Option<Ids<'_>> {
        let (principal, account) = row.lengths();
        let first = from.checked_add(principal)?;
        let second = first.checked_add(row.resource_id as usize)?;
        let third = second.checked_add(account)?;
        Some(Ids {
            principal: self.text.get(from..first)?,
            resource: self.text.get(first..second)?,
            account: self.text.get(second..third)?,
        })
    }

    fn request(&self, row: usize, from: usize) -> Result<RequestRef<'_>, &'static str> {
        let row = self.rows.row(row).ok_or("a row past the end")?;
        if row.text != 0 {
            return self
                .requests
                .get(from)
                .map(Into::into)
                .ok_or("a row without its text");
        }
        let ids = self.ids(&row, from).ok_or("an id past the end")?;
        Ok(row.resolve(&self.rows.slots)?.request(&ids))
    }
}

impl<'a> From<&'a RowRequest<'a>> for RequestRef<'a> {
    fn from(row: &'a RowRequest<'a>) -> Self {
        row.batch
            .request(row.row, row.from)
            .unwrap_or_else(|fault| {
                row.batch.fault.set(Some(fault));
                RequestRef::new(
                    ("", ""),
                    "",
                    ResourceRef {
                        kind: ResourceTypeRef::Name(""),
                        id: "",
                        account: None,
                        more: None,
                    },
                )
            })
    }
}
