//! State that one environment (the main thread or a worker) shares with the engine, and the calls
//! that cross through it.

use std::cell::RefCell;
use std::rc::Rc;

use napi::bindgen_prelude::{Env, Uint8Array, Uint32Array, Unknown};
use napi_derive::napi;
use sublet::{
    Action, CountReceipt, Decision, Engine, Error, Host, Principal, RequestRef, ResourceType,
    instant_text,
};

use crate::decision_codec::{StringTable, expiry};
use crate::errors::{guarded, internal};
use crate::handle_slots::{HandleSlot, HandleSlots, refused};
use crate::json::exact_text;
use crate::napi_raw::{CallArguments, IdBuffer, SharedMemory};
use crate::row_batch::RequestRows;
use crate::shared_rows::{Ids, RowOptions};

/// The memory, handles and strings of one environment.
pub(crate) struct CallBuffers {
    shared: SharedMemory,
    ids: RefCell<IdBuffer>,
    pub(crate) slots: RefCell<HandleSlots>,
    pub(crate) strings: RefCell<StringTable>,
    words: RefCell<Vec<u32>>,
}

/// Reply to an id or a key with a lone surrogate.
const INVALID_UTF16: &str = "?";

/// Calls `answer` with a question and the amount that it is about.
#[inline]
fn ask<T>(
    request: RequestRef<'_>,
    options: RowOptions<'_>,
    answer: impl FnOnce(RequestRef<'_>) -> T,
) -> T {
    let environment = options.environment();
    answer(RequestRef {
        environment: environment.as_ref(),
        ..request
    })
}

/// Returns the reply of an answer whose numbers leave out this text.
fn left_out(text: Option<&str>) -> Option<String> {
    text.map(|text| format!("={text}"))
}

impl CallBuffers {
    pub(crate) fn new(env: &Env, buffer: &Unknown<'_>) -> Option<Self> {
        let shared = SharedMemory::attach(env, buffer)?;
        Some(Self {
            shared,
            ids: RefCell::new(IdBuffer::new()),
            slots: RefCell::default(),
            strings: RefCell::default(),
            words: RefCell::default(),
        })
    }

    /// Calls `answer` with the request of a call, and with what the row says beside it. Returns
    /// `None` if an id or the key has no UTF-8 form.
    #[inline]
    fn with_request<T>(
        &self,
        call: &CallArguments,
        answer: impl FnOnce(RequestRef<'_>, RowOptions<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let (slots, mut buffer, row) = (
            self.slots.borrow(),
            self.ids.borrow_mut(),
            self.shared.row(),
        );
        // First, so that the handles are fetched from memory while the ids are copied.
        let resolved = row.resolve(&slots).map_err(refused)?;
        let (has_principal, has_account, has_key) = row.has();
        buffer.clear();
        let mut add = |at, has_text: bool| {
            let is_added = !has_text || buffer.add(call, at);
            is_added.then_some(buffer.len())
        };
        let (Some(first), Some(second), Some(third), Some(_)) = (
            add(CallArguments::RESOURCE, true),
            add(CallArguments::PRINCIPAL, has_principal),
            add(CallArguments::ACCOUNT, has_account),
            add(CallArguments::KEY, has_key),
        ) else {
            return Ok(None);
        };
        let text = buffer.text();
        let part = |from, to| text.get(from..to).unwrap_or_default();
        let ids = Ids {
            resource: part(0, first),
            principal: part(first, second),
            account: part(second, third),
            key: part(third, text.len()),
        };
        answer(resolved.request(&ids), row.options(ids.key)).map(Some)
    }

    pub(crate) fn check(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        let Some(allowed) = self.with_request(call, |request, options| {
            ask(request, options, |request| engine.check(request))
        })?
        else {
            return Ok(Some(INVALID_UTF16.to_owned()));
        };
        self.shared.answer(&[u32::from(allowed)]);
        Ok(None)
    }

    /// Writes an answer into the memory. Returns false if numbers cannot encode it or if it does
    /// not fit.
    fn write(&self, encode: impl FnOnce(&mut StringTable, &mut Vec<u32>) -> bool) -> bool {
        let (mut strings, mut words) = (self.strings.borrow_mut(), self.words.borrow_mut());
        words.clear();
        strings.forget_if_full();
        words.push(0);
        let is_written = encode(&mut strings, &mut words) && self.shared.answer(&words);
        if is_written {
            self.shared.answer(&[strings.table_update()]);
        }
        is_written
    }

    /// Writes the decision into the memory, or returns it as JSON if it does not fit.
    fn decide(
        &self,
        call: &CallArguments,
        answer: impl FnOnce(RequestRef<'_>, RowOptions<'_>) -> Result<Decision, Error>,
    ) -> Result<Option<String>, Error> {
        let reply = self.with_request(call, |request, options| {
            let decision = answer(request, options)?;
            let (_, principal_id) = request.principal.name();
            if !self.write(|strings, words| strings.encode(&decision, Some(principal_id), words)) {
                return exact_text(&decision).map(Some);
            }
            Ok(left_out(
                expiry(&decision).and_then(instant_text).as_deref(),
            ))
        })?;
        Ok(reply.unwrap_or_else(|| Some(INVALID_UTF16.to_owned())))
    }

    pub(crate) fn authorize(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        self.decide(call, |request, options| {
            ask(request, options, |request| engine.authorize(request))
        })
    }

    pub(crate) fn consume(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        self.decide(call, |request, options| {
            engine.consume(request, &options.consume())
        })
    }

    /// Fails, as the synchronous form of `consume` must, if the engine may wait for a file.
    pub(crate) fn consume_waiting(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        engine.refuse_if_blocking("consume")?;
        self.consume(call, engine)
    }

    /// Reserves for as long as the operand says, or for the engine's default if it is 0.
    pub(crate) fn reserve(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        engine.refuse_if_blocking("reserve")?;
        let ttl = match self.shared.operand() {
            0 => None,
            ttl => Some(i64::try_from(ttl).unwrap_or(i64::MAX)),
        };
        self.decide(call, |request, options| {
            engine.reserve(request, &options.consume(), ttl)
        })
    }

    /// Calls `answer` with the operation of a call, and with what the row says beside a request.
    /// Writes the receipt into the memory, or returns it as JSON if it does not fit.
    fn follow_up(
        &self,
        call: &CallArguments,
        answer: impl FnOnce(u64, RowOptions<'_>) -> Result<CountReceipt, Error>,
    ) -> Result<Option<String>, Error> {
        let (mut buffer, row) = (self.ids.borrow_mut(), self.shared.row());
        let (_, _, has_key) = row.has();
        buffer.clear();
        if has_key && !buffer.add(call, CallArguments::KEY) {
            return Ok(Some(INVALID_UTF16.to_owned()));
        }
        let receipt = answer(self.shared.operand(), row.options(buffer.text()))?;
        let member = receipt.quota.iter().find_map(|quota| quota.member.as_ref());
        let member_id = member.map(|member| &*member.id);
        if !self.write(|strings, words| strings.encode_receipt(&receipt, member_id, words)) {
            return exact_text(&receipt).map(Some);
        }
        Ok(left_out(member_id))
    }

    pub(crate) fn commit(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        engine.refuse_if_blocking("commit")?;
        self.follow_up(call, |operation, options| {
            engine.commit(operation, options.amount, options.key)
        })
    }

    pub(crate) fn release(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        engine.refuse_if_blocking("release")?;
        self.follow_up(call, |operation, options| {
            engine.release(operation, options.key)
        })
    }

    pub(crate) fn refund(
        &self,
        call: &CallArguments,
        engine: &Engine,
    ) -> Result<Option<String>, Error> {
        engine.refuse_if_blocking("refund")?;
        self.follow_up(call, |operation, options| {
            engine.refund(operation, options.amount, options.key)
        })
    }
}

pub(crate) type CallHandler =
    fn(&CallBuffers, &CallArguments, &Engine) -> Result<Option<String>, Error>;

/// Memory, handles and strings that this environment shares with the engine.
#[napi]
pub struct NativeCallBuffers {
    pub(crate) inner: Rc<CallBuffers>,
}

#[napi]
impl NativeCallBuffers {
    #[napi(constructor)]
    pub fn new(env: Env, memory: Unknown<'_>) -> napi::Result<Self> {
        let made = CallBuffers::new(&env, &memory).map(|buffers| Self {
            inner: Rc::new(buffers),
        });
        guarded(|| made.ok_or_else(|| internal("no memory to share")))
    }

    /// Assigns `number` to a handle. `kind` is 0 for none, 1 for a principal, 2 for an action, 3
    /// for a resource type, 4 for a host.
    #[napi]
    pub fn put(&self, number: u32, kind: u32, first: String, second: String) -> napi::Result<()> {
        guarded(|| {
            let slot = match kind {
                1 => HandleSlot::Principal(Principal::new(first, second)),
                2 => HandleSlot::Action(Action::new(first, second)),
                3 => HandleSlot::ResourceType(ResourceType::new(first)),
                4 => HandleSlot::Host(Host::new(first)),
                _ => HandleSlot::Empty,
            };
            self.inner.slots.borrow_mut().put(number, slot)
        })
    }

    /// Returns the new strings of decisions, in order of their numbers.
    #[napi]
    pub fn strings(&self) -> Vec<String> {
        let mut strings = self.inner.strings.borrow_mut();
        strings
            .take_new_strings()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Returns the rows of a batch with the handles of now.
    pub(crate) fn rows(&self, words: Uint32Array, bytes: Uint8Array, texts: String) -> RequestRows {
        RequestRows {
            slots: self.inner.slots.borrow().clone(),
            words,
            bytes,
            texts,
        }
    }
}
