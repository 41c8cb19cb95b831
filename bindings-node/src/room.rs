//! What JavaScript has named: handles and words by number, and the questions that are asked with them. JavaScript gives
//! out the numbers; nothing here trusts them further than to be refused when they name nothing.

use std::sync::Arc;

use sublet::{Action, At, Does, Error, Host, Kind, Of, On, Principal, Question, Request, ResourceType, Who};

/// What a number stands for. In its place, not behind a pointer: a question reads three or four of them.
#[derive(Clone, Default)]
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

/// Slots by number; 0 stands for none. Shared with what is decided off the event loop, and copied, as far as it changes
/// meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Slots(Arc<Vec<Arc<[Slot; PART]>>>);

/// More than handles and words together can be alive in a sensible program: what passes it is refused.
const MOST: usize = 1 << 24;

#[cold]
pub(crate) fn refused(reason: &str) -> Error {
    Error::Value { what: "handle".to_owned(), reason: reason.to_owned() }
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
        if let Some(place) = parts.get_mut(at / PART).and_then(|part| Arc::make_mut(part).get_mut(at % PART)) {
            *place = slot;
        }
        Ok(())
    }

    fn slot(&self, number: u32) -> &Slot {
        let at = number as usize;
        self.0.get(at / PART).and_then(|part| part.get(at % PART)).unwrap_or(&Slot::Empty)
    }

    fn principal(&self, number: u32) -> Result<&Principal, Error> {
        if let Slot::Principal(handle) = self.slot(number) { Ok(handle) } else { Err(refused("no principal of that number")) }
    }

    fn kind(&self, number: u32) -> Result<&ResourceType, Error> {
        if let Slot::ResourceType(handle) = self.slot(number) { Ok(handle) } else { Err(refused("no type of that number")) }
    }

    fn action(&self, number: u32) -> Result<&Action, Error> {
        if let Slot::Action(handle) = self.slot(number) { Ok(handle) } else { Err(refused("no action of that number")) }
    }

    fn host(&self, number: u32) -> Result<&Host, Error> {
        if let Slot::Host(handle) = self.slot(number) { Ok(handle) } else { Err(refused("no host of that number")) }
    }
}

/// How many numbers a row has.
pub(crate) const ROW: usize = 10;

/// One question as `crossing.js` writes it: numbers of handles and lengths of ids, whose bytes stand elsewhere, in order.
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
    fn from([principal, principal_type, principal_id, action, resource_type, resource_id, account, account_id, host, text]: [u32; ROW]) -> Self {
        Self { principal, principal_type, principal_id, action, resource_type, resource_id, account, account_id, host, text }
    }
}

/// The next `length` bytes as an id.
fn id<'a>(bytes: &mut &'a [u8], length: u32) -> Result<&'a str, Error> {
    let (id, rest) = bytes.split_at_checked(length as usize).ok_or_else(|| refused("an id past the end"))?;
    *bytes = rest;
    std::str::from_utf8(id).map_err(|_| refused("an id that is no text"))
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

    /// A question whose ids are these, as far as it has them.
    pub(crate) fn with<'a>(&self, slots: &'a Slots, ids: &Ids<'a>) -> Result<Question<'a>, Error> {
        let principal = match self.principal {
            0 => Who::Name(slots.kind(self.principal_type)?.name(), ids.principal),
            handle => Who::Handle(slots.principal(handle)?),
        };
        let account = match (self.account, self.account_id) {
            (0, 0) => None,
            (0, _) => Some(Of::Name(ids.account)),
            (handle, _) => Some(Of::Handle(slots.principal(handle)?)),
        };
        Ok(Question {
            principal,
            action: Does::Handle(slots.action(self.action)?),
            resource: On { kind: Kind::Handle(slots.kind(self.resource_type)?), id: ids.resource, account, more: None },
            host: if self.host == 0 { None } else { Some(At::Handle(slots.host(self.host)?)) },
            with: None,
        })
    }

    /// A question whose ids are the next bytes.
    pub(crate) fn question<'a>(&self, slots: &'a Slots, bytes: &mut &'a [u8]) -> Result<Question<'a>, Error> {
        let (principal, account) = self.has();
        let principal = if principal { id(bytes, self.principal_id)? } else { "" };
        let resource = id(bytes, self.resource_id)?;
        let account = if account { id(bytes, self.account_id.saturating_sub(1))? } else { "" };
        self.with(slots, &Ids { principal, resource, account })
    }
}

/// Many questions: rows, the bytes of their ids, and those that came as JSON.
pub(crate) struct Rows {
    pub(crate) slots: Slots,
    pub(crate) words: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
    /// A JSON list.
    pub(crate) texts: String,
}

impl Rows {
    fn rows(&self) -> impl Iterator<Item = Row> {
        self.words.chunks_exact(ROW).filter_map(|row| <[u32; ROW]>::try_from(row).ok()).map(Row::from)
    }

    /// The requests that came as JSON. The index of a malformed one is that of its row.
    pub(crate) fn requests(&self) -> Result<Vec<Request>, Error> {
        Request::list_from_json(&self.texts).map_err(|error| match error {
            Error::Item { index, code, reason } => {
                let rows = self.rows().enumerate().filter(|(_, row)| row.text == 1).nth(index);
                Error::Item { index: rows.map_or(index, |(row, _)| row), code, reason }
            }
            other => other,
        })
    }

    pub(crate) fn questions<'a>(&'a self, requests: &'a [Request]) -> Result<Vec<Question<'a>>, Error> {
        let (mut bytes, mut requests) = (&self.bytes[..], requests.iter());
        let mut questions = Vec::with_capacity(self.words.len() / ROW);
        for row in self.rows() {
            questions.push(match row.text {
                0 => row.question(&self.slots, &mut bytes)?,
                _ => requests.next().ok_or_else(|| refused("a row without its text"))?.into(),
            });
        }
        Ok(questions)
    }
}
