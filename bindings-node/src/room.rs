//! What JavaScript has named: handles and words by number, and the questions that are asked with
//! them. JavaScript gives out the numbers; nothing here trusts them further than to be refused when
//! they name nothing.

use std::cell::Cell;
use std::sync::Arc;

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use sublet::{
    AccountRef, Action, ActionRef, Error, Host, HostRef, Principal, PrincipalRef, Request,
    RequestRef, ResourceRef, ResourceType, ResourceTypeRef,
};

/// What a number stands for. In its place, not behind a pointer, and in one line of the processor's
/// cache: a question reads three or four of them.
#[derive(Clone, Default)]
#[repr(align(64))]
pub(crate) enum Slot {
    #[default]
    Empty,
    Principal(Principal),
    Action(Action),
    ResourceType(ResourceType),
    Host(Host),
}

/// How many slots are copied when one of them changes while others read it.
const PART: usize = 64;

/// Slots by number; 0 stands for none. Shared with what is decided off the event loop, and copied,
/// as far as it changes meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Slots(Arc<Vec<Arc<[Slot; PART]>>>);

/// More than handles and words together can be alive in a sensible program: what passes it is
/// refused.
const MOST: usize = 1 << 24;

#[cold]
pub(crate) fn refused(reason: &str) -> Error {
    Error::Value {
        what: "handle".to_owned(),
        reason: reason.to_owned(),
    }
}

impl Slots {
    pub(crate) fn put(&mut self, number: u32, slot: Slot) -> Result<(), Error> {
        let at = number as usize;
        if at == 0 || at > MOST {
            return Err(refused("too many are alive"));
        }
        let parts = Arc::make_mut(&mut self.0);
        while parts.len() <= at / PART {
            parts.push(Arc::new(std::array::from_fn(|_| Slot::Empty)));
        }
        if let Some(place) = parts
            .get_mut(at / PART)
            .and_then(|part| Arc::make_mut(part).get_mut(at % PART))
        {
            *place = slot;
        }
        Ok(())
    }

    #[inline]
    fn slot(&self, number: u32) -> &Slot {
        let at = number as usize;
        self.0
            .get(at / PART)
            .and_then(|part| part.get(at % PART))
            .unwrap_or(&Slot::Empty)
    }

    fn principal(&self, number: u32) -> Result<&Principal, &'static str> {
        if let Slot::Principal(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no principal of that number")
        }
    }

    fn kind(&self, number: u32) -> Result<&ResourceType, &'static str> {
        if let Slot::ResourceType(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no type of that number")
        }
    }

    fn action(&self, number: u32) -> Result<&Action, &'static str> {
        if let Slot::Action(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no action of that number")
        }
    }

    fn host(&self, number: u32) -> Result<&Host, &'static str> {
        if let Slot::Host(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no host of that number")
        }
    }
}

/// How many numbers a row has.
pub(crate) const ROW: usize = 10;

/// One question as `crossing.js` writes it: numbers of handles and lengths of ids, whose bytes
/// stand elsewhere, in order.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    principal: u32,
    principal_type: u32,
    principal_id: u32,
    action: u32,
    resource_type: u32,
    resource_id: u32,
    account: u32,
    account_id: u32,
    host: u32,
    /// 1 if the question comes as JSON instead.
    text: u32,
}

impl From<[u32; ROW]> for Row {
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

/// The ids of a question, in order. For a single one they stand where the call has put them.
pub(crate) struct Ids<'a> {
    pub(crate) principal: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) account: &'a str,
}

impl Row {
    /// Whether there is an id of the principal, and one of the account.
    pub(crate) fn has(&self) -> (bool, bool) {
        (self.principal == 0, self.account_id != 0)
    }

    /// How long these are.
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

    /// What its numbers stand for.
    #[inline]
    pub(crate) fn parts<'a>(&self, slots: &'a Slots) -> Result<Parts<'a>, &'static str> {
        Ok(Parts {
            login: if self.principal == 0 {
                Login::Of(slots.kind(self.principal_type)?)
            } else {
                Login::Is(slots.principal(self.principal)?)
            },
            account: match (self.account, self.account_id) {
                (0, 0) => Owner::None,
                (0, _) => Owner::Named,
                (handle, _) => Owner::Is(slots.principal(handle)?),
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

/// A login by its handle, or its type.
enum Login<'a> {
    Is(&'a Principal),
    Of(&'a ResourceType),
}

enum Owner<'a> {
    None,
    Is(&'a Principal),
    Named,
}

/// A question without its ids.
pub(crate) struct Parts<'a> {
    login: Login<'a>,
    account: Owner<'a>,
    action: &'a Action,
    kind: &'a ResourceType,
    host: Option<&'a Host>,
}

impl<'a> Parts<'a> {
    /// The question whose ids are these, as far as it has them.
    #[inline]
    pub(crate) fn with(&self, ids: &Ids<'a>) -> RequestRef<'a> {
        let account = match self.account {
            Owner::None => None,
            Owner::Is(handle) => Some(AccountRef::Handle(handle)),
            Owner::Named => Some(AccountRef::Name(ids.account)),
        };
        RequestRef {
            principal: match self.login {
                Login::Is(handle) => PrincipalRef::Handle(handle),
                Login::Of(kind) => PrincipalRef::Name(kind.name(), ids.principal),
            },
            action: ActionRef::Handle(self.action),
            resource: ResourceRef {
                kind: ResourceTypeRef::Handle(self.kind),
                id: ids.resource,
                account,
                more: None,
            },
            host: self.host.map(HostRef::Handle),
            with: None,
        }
    }
}

/// Many questions: rows, the bytes of their ids, and those that came as JSON. JavaScript lends its
/// arrays: it writes into them only when they are answered.
pub(crate) struct Rows {
    pub(crate) slots: Slots,
    pub(crate) words: Uint32Array,
    pub(crate) bytes: Uint8Array,
    /// A JSON list.
    pub(crate) texts: String,
}

impl Rows {
    fn row(&self, at: usize) -> Option<Row> {
        let from = at.checked_mul(ROW)?;
        let row = self.words.get(from..from.checked_add(ROW)?)?;
        <[u32; ROW]>::try_from(row).ok().map(Row::from)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        (0..self.words.len() / ROW).filter_map(|at| self.row(at))
    }

    /// The requests that came as JSON. The index of a malformed one is that of its row.
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

/// Rows that are read.
pub(crate) struct Batch<'a> {
    rows: &'a Rows,
    /// The bytes of all ids.
    text: &'a str,
    requests: Vec<Request>,
    /// Why a row was no question, should there be one.
    fault: Cell<Option<&'static str>>,
}

/// A row, and where its ids start, or which of the requests it is. It becomes a question when it is
/// answered: ten thousand questions are larger than what is made of them.
pub(crate) struct Asked<'a> {
    batch: &'a Batch<'a>,
    row: usize,
    from: usize,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(rows: &'a Rows) -> Result<Self, Error> {
        let text =
            std::str::from_utf8(&rows.bytes).map_err(|_| refused("an id that is no text"))?;
        Ok(Self {
            rows,
            text,
            requests: rows.requests()?,
            fault: Cell::new(None),
        })
    }

    pub(crate) fn asked(&'a self) -> Vec<Asked<'a>> {
        let (mut at, mut request) = (0_usize, 0);
        let place = |(row, words): (usize, Row)| {
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
            Asked {
                batch: self,
                row,
                from,
            }
        };
        self.rows.rows().enumerate().map(place).collect()
    }

    /// What was answered, unless one that was asked was no question.
    pub(crate) fn sound<T>(&self, answers: Result<T, Error>) -> Result<T, Error> {
        self.fault
            .get()
            .map_or(answers, |fault| Err(refused(fault)))
    }

    fn ids(&self, row: &Row, from: usize) -> Option<Ids<'_>> {
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

    fn question(&self, row: usize, from: usize) -> Result<RequestRef<'_>, &'static str> {
        let row = self.rows.row(row).ok_or("a row past the end")?;
        if row.text != 0 {
            return self
                .requests
                .get(from)
                .map(Into::into)
                .ok_or("a row without its text");
        }
        let ids = self.ids(&row, from).ok_or("an id past the end")?;
        Ok(row.parts(&self.rows.slots)?.with(&ids))
    }
}

impl<'a> From<&'a Asked<'a>> for RequestRef<'a> {
    fn from(asked: &'a Asked<'a>) -> Self {
        asked
            .batch
            .question(asked.row, asked.from)
            .unwrap_or_else(|fault| {
                asked.batch.fault.set(Some(fault));
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
