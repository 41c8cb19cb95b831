//! Handles and strings that JavaScript has numbered, and the requests that name them. JavaScript
//! assigns the numbers. This module does not trust them: a number that names nothing is refused.

use std::cell::Cell;
use std::sync::Arc;

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use sublet::{
    AccountRef, Action, ActionRef, Error, Host, HostRef, Principal, PrincipalRef, Request,
    RequestRef, ResourceRef, ResourceType, ResourceTypeRef,
};

/// The handle of a number. Stored inline and aligned to a cache line, because each request reads
/// three or four of them.
#[derive(Clone, Default)]
#[repr(align(64))]
pub(crate) enum HandleSlot {
    #[default]
    Empty,
    Principal(Principal),
    Action(Action),
    ResourceType(ResourceType),
    Host(Host),
}

/// Slots that are copied when one of them changes while another thread reads them.
const SLOTS_PER_CHUNK: usize = 64;

/// Slots by number; 0 is no slot. Shared with calls off the event loop; a chunk that changes during
/// such a call is copied.
#[derive(Clone, Default)]
pub(crate) struct HandleSlots(Arc<Vec<Arc<[HandleSlot; SLOTS_PER_CHUNK]>>>);

/// Limit on live handles and strings together, above the needs of a sensible program.
const MAX_SLOTS: usize = 1 << 24;

#[cold]
pub(crate) fn refused(reason: &str) -> Error {
    Error::Value {
        what: "handle".to_owned(),
        reason: reason.to_owned(),
    }
}

impl HandleSlots {
    pub(crate) fn put(&mut self, number: u32, slot: HandleSlot) -> Result<(), Error> {
        let at = number as usize;
        if at == 0 || at > MAX_SLOTS {
            return Err(refused("too many are alive"));
        }
        let parts = Arc::make_mut(&mut self.0);
        while parts.len() <= at / SLOTS_PER_CHUNK {
            parts.push(Arc::new(std::array::from_fn(|_| HandleSlot::Empty)));
        }
        if let Some(place) = parts
            .get_mut(at / SLOTS_PER_CHUNK)
            .and_then(|part| Arc::make_mut(part).get_mut(at % SLOTS_PER_CHUNK))
        {
            *place = slot;
        }
        Ok(())
    }

    #[inline]
    fn slot(&self, number: u32) -> &HandleSlot {
        let at = number as usize;
        self.0
            .get(at / SLOTS_PER_CHUNK)
            .and_then(|part| part.get(at % SLOTS_PER_CHUNK))
            .unwrap_or(&HandleSlot::Empty)
    }

    fn principal(&self, number: u32) -> Result<&Principal, &'static str> {
        if let HandleSlot::Principal(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no principal of that number")
        }
    }

    fn kind(&self, number: u32) -> Result<&ResourceType, &'static str> {
        if let HandleSlot::ResourceType(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no type of that number")
        }
    }

    fn action(&self, number: u32) -> Result<&Action, &'static str> {
        if let HandleSlot::Action(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no action of that number")
        }
    }

    fn host(&self, number: u32) -> Result<&Host, &'static str> {
        if let HandleSlot::Host(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no host of that number")
        }
    }
}

/// Numbers in a row.
pub(crate) const ROW: usize = 10;

/// A request as `fast_call.js` writes it: numbers of handles and lengths of ids. The bytes of the
/// ids are stored elsewhere, in order.
#[derive(Clone, Copy)]
pub(crate) struct SharedRow {
    principal: u32,
    principal_type: u32,
    principal_id: u32,
    action: u32,
    resource_type: u32,
    resource_id: u32,
    account: u32,
    account_id: u32,
    host: u32,
    /// 1 if the request comes as JSON instead.
    text: u32,
}

impl From<[u32; ROW]> for SharedRow {
    fn from(
        [
            principal,
            principal_type,
            principal_id,
            action,
            resource_type,
            resource_id,
            account,
            account_id,
            host,
            text,
        ]: [u32; ROW],
    ) -> Self {
        Self {
            principal,
            principal_type,
            principal_id,
            action,
            resource_type,
            resource_id,
            account,
            account_id,
            host,
            text,
        }
    }
}

/// The ids of a request, in order.
pub(crate) struct Ids<'a> {
    pub(crate) principal: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) account: &'a str,
}

impl SharedRow {
    /// Returns whether the row has an id of the principal, and one of the account.
    pub(crate) fn has(&self) -> (bool, bool) {
        (self.principal == 0, self.account_id != 0)
    }

    /// Returns the lengths of the ids of principal and account.
    fn lengths(&self) -> (usize, usize) {
        let (named, owned) = self.has();
        (
            if named { self.principal_id as usize } else { 0 },
            if owned {
                self.account_id.saturating_sub(1) as usize
            } else {
                0
            },
        )
    }

    /// Looks up the handles of the row.
    #[inline]
    pub(crate) fn resolve<'a>(
        &self,
        slots: &'a HandleSlots,
    ) -> Result<ResolvedRow<'a>, &'static str> {
        Ok(ResolvedRow {
            login: if self.principal == 0 {
                RowPrincipal::Of(slots.kind(self.principal_type)?)
            } else {
                RowPrincipal::Is(slots.principal(self.principal)?)
            },
            account: match (self.account, self.account_id) {
                (0, 0) => RowAccount::None,
                (0, _) => RowAccount::Named,
                (handle, _) => RowAccount::Is(slots.principal(handle)?),
            },
            action: slots.action(self.action)?,
            kind: slots.kind(self.resource_type)?,
            host: if self.host == 0 {
                None
            } else {
                Some(slots.host(self.host)?)
            },
        })
    }
}

/// A principal by its handle, or its type.
enum RowPrincipal<'a> {
    Is(&'a Principal),
    Of(&'a ResourceType),
}

enum RowAccount<'a> {
    None,
    Is(&'a Principal),
    Named,
}

/// A request without its ids.
pub(crate) struct ResolvedRow<'a> {
    login: RowPrincipal<'a>,
    account: RowAccount<'a>,
    action: &'a Action,
    kind: &'a ResourceType,
    host: Option<&'a Host>,
}

impl<'a> ResolvedRow<'a> {
    /// Returns the request with these ids; ids that the row does not have are ignored.
    #[inline]
    pub(crate) fn request(&self, ids: &Ids<'a>) -> RequestRef<'a> {
        let account = match self.account {
            RowAccount::None => None,
            RowAccount::Is(handle) => Some(AccountRef::Handle(handle)),
            RowAccount::Named => Some(AccountRef::Name(ids.account)),
        };
        RequestRef {
            principal: match self.login {
                RowPrincipal::Is(handle) => PrincipalRef::Handle(handle),
                RowPrincipal::Of(kind) => PrincipalRef::Name(kind.name(), ids.principal),
            },
            action: ActionRef::Handle(self.action),
            resource: ResourceRef {
                kind: ResourceTypeRef::Handle(self.kind),
                id: ids.resource,
                account,
                more: None,
            },
            host: self.host.map(HostRef::Handle),
            environment: None,
        }
    }
}

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
        let place = |(row, words): (usize, SharedRow)| {
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
        self.rows.rows().enumerate().map(place).collect()
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
