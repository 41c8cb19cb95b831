//! The one room with raw N-API calls, and the only one with `unsafe`. A check through napi's
//! wrappers costs several times what the answer does: each argument is looked at, converted and
//! counted. Here JavaScript writes the question's numbers into a piece of memory that both sides
//! know, where the answer is written, too; arguments are its ids alone.
//!
//! What `unsafe` rests on:
//! - The memory is the store of an `ArrayBuffer` that `crossing.js` makes, never hands out and so
//!   nobody can detach, and that a reference kept here holds for the life of the environment. It is
//!   looked at on the thread of that environment only, and only while a call from JavaScript is
//!   under way: then nothing else writes there.
//! - The data of a function is a box that is freed by the finalizer of that function, and so
//!   outlives each of its calls.
//! - No panic and no exception crosses: a call ends in a value or in the text of an error.
#![allow(unsafe_code, reason = "see above")]

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::{Env, JsObjectValue, JsValue, Object, ToNapiValue, Unknown};
use napi::{Status, sys};
use sublet::{ConsumeOptions, Decision, Engine, Error, RequestRef};

use crate::count::exact_text;
use crate::room::{Ids, ROW, Row, Slots, refused};
use crate::said::Strings;

/// How many numbers the memory has: the row, an amount, then the answer.
const WORDS: usize = 256;
/// Where an amount starts: its low half, then its high one.
const AMOUNT: usize = 10;
const _: () = assert!(ROW <= AMOUNT && AMOUNT + 2 <= ANSWER);
/// Where an answer starts.
const ANSWER: usize = 16;

/// A piece of memory that JavaScript writes and reads, too.
struct Shared {
    at: *mut u8,
}

impl Shared {
    /// `None` if it is not an array buffer of that size.
    fn hold(env: &Env, buffer: &Unknown<'_>) -> Option<Self> {
        let (mut at, mut len, mut held) = (null_mut(), 0, null_mut());
        // SAFETY: `env` and `buffer` are those of the call under way; the reference keeps the store
        // where it is.
        let done = unsafe {
            sys::napi_get_arraybuffer_info(env.raw(), buffer.raw(), &raw mut at, &raw mut len)
                == sys::Status::napi_ok
                && sys::napi_create_reference(env.raw(), buffer.raw(), 1, &raw mut held)
                    == sys::Status::napi_ok
        };
        let at = at.cast::<u8>();
        (done && len >= WORDS * size_of::<u32>() && at.cast::<u32>().is_aligned())
            .then_some(Self { at })
    }

    fn row(&self) -> Row {
        // SAFETY: `hold` has checked length and alignment; nobody writes during a call.
        Row::from(unsafe { self.at.cast::<[u32; ROW]>().read() })
    }

    /// An amount; one that is no 64-bit integer is negative, and so refused.
    fn amount(&self) -> i64 {
        // SAFETY: as above.
        let [low, high] = unsafe { self.at.cast::<u32>().add(AMOUNT).cast::<[u32; 2]>().read() };
        i64::try_from(u64::from(high) << 32 | u64::from(low)).unwrap_or(-1)
    }

    /// Whether there was room.
    fn answer(&self, words: &[u32]) -> bool {
        if words.len() > WORDS - ANSWER {
            return false;
        }
        // SAFETY: as above, and it fits.
        unsafe {
            std::ptr::copy_nonoverlapping(
                words.as_ptr(),
                self.at.cast::<u32>().add(ANSWER),
                words.len(),
            )
        };
        true
    }
}

/// Longer ids come as JSON.
const LONGEST: usize = 1024;

/// The ids of a call, one after the other.
struct Texts {
    units: [u16; LONGEST + 1],
    bytes: Vec<u8>,
}

impl Texts {
    /// Adds the text of an argument; false if it is no string that has UTF-8 bytes.
    fn add(&mut self, env: sys::napi_env, value: sys::napi_value) -> bool {
        let mut length = 0;
        // SAFETY: `value` is an argument of the call under way; what is written, with its 0, is no
        // longer than told.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                env,
                value,
                self.units.as_mut_ptr(),
                self.units.len(),
                &raw mut length,
            )
        };
        let Some(units) = self.units.get(..length) else {
            return false;
        };
        if status != sys::Status::napi_ok || length == LONGEST {
            return false;
        }
        if units.iter().fold(0, |all, unit| all | unit) < 128 {
            #[allow(clippy::cast_possible_truncation, reason = "ASCII")]
            self.bytes.extend(units.iter().map(|unit| *unit as u8));
            return true;
        }
        String::from_utf16(units)
            .map(|text| self.bytes.extend(text.as_bytes()))
            .is_ok()
    }
}

/// A call under way.
struct Call {
    env: sys::napi_env,
    /// The ids of resource, principal and account.
    arguments: [sys::napi_value; 3],
}

/// What one environment (the main thread or a worker) shares with the engine: memory, handles,
/// strings.
pub(crate) struct Room {
    shared: Shared,
    texts: RefCell<Texts>,
    pub(crate) slots: RefCell<Slots>,
    pub(crate) strings: RefCell<Strings>,
    words: RefCell<Vec<u32>>,
}

/// What is answered to an id with a lone surrogate.
const ILL_FORMED: &str = "?";

impl Room {
    pub(crate) fn new(env: &Env, buffer: &Unknown<'_>) -> Option<Self> {
        let shared = Shared::hold(env, buffer)?;
        let texts = RefCell::new(Texts {
            units: [0; LONGEST + 1],
            bytes: Vec::with_capacity(3 * LONGEST),
        });
        Some(Self {
            shared,
            texts,
            slots: RefCell::default(),
            strings: RefCell::default(),
            words: RefCell::default(),
        })
    }

    /// Answers the question of a call.
    #[inline]
    fn asked<T>(
        &self,
        call: &Call,
        answer: impl FnOnce(RequestRef<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let (slots, mut texts, row) = (
            self.slots.borrow(),
            self.texts.borrow_mut(),
            self.shared.row(),
        );
        // First of all, so that memory answers while the ids are taken.
        let parts = row.parts(&slots).map_err(refused)?;
        let ([resource, principal, account], (named, owned)) = (call.arguments, row.has());
        texts.bytes.clear();
        let mut add = |value, is: bool| {
            let done = !is || texts.add(call.env, value);
            done.then_some(texts.bytes.len())
        };
        let (Some(first), Some(second), Some(_)) = (
            add(resource, true),
            add(principal, named),
            add(account, owned),
        ) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&texts.bytes).unwrap_or_default();
        let part = |from, to| text.get(from..to).unwrap_or_default();
        let ids = Ids {
            resource: part(0, first),
            principal: part(first, second),
            account: part(second, text.len()),
        };
        answer(parts.with(&ids)).map(Some)
    }

    fn check(&self, call: &Call, engine: &Engine) -> Result<Option<String>, Error> {
        let Some(allowed) = self.asked(call, |question| engine.check(question))? else {
            return Ok(Some(ILL_FORMED.to_owned()));
        };
        self.shared.answer(&[u32::from(allowed)]);
        Ok(None)
    }

    /// The decision in the memory, or as JSON if it does not go there.
    fn decide(
        &self,
        call: &Call,
        answer: impl FnOnce(RequestRef<'_>) -> Result<Decision, Error>,
    ) -> Result<Option<String>, Error> {
        let said = self.asked(call, |question| {
            let decision = answer(question)?;
            let (_, asker) = question.principal.name();
            let (mut strings, mut words) = (self.strings.borrow_mut(), self.words.borrow_mut());
            words.clear();
            strings.forget();
            words.push(0);
            if !strings.say(&decision, Some(asker), &mut words) || !self.shared.answer(&words) {
                return exact_text(&decision).map(Some);
            }
            self.shared.answer(&[strings.news()]);
            Ok(None)
        })?;
        Ok(said.unwrap_or_else(|| Some(ILL_FORMED.to_owned())))
    }

    fn authorize(&self, call: &Call, engine: &Engine) -> Result<Option<String>, Error> {
        self.decide(call, |question| engine.authorize(question))
    }

    /// `consume` without a key, of one amount.
    fn consume(&self, call: &Call, engine: &Engine) -> Result<Option<String>, Error> {
        let take = ConsumeOptions::new(self.shared.amount());
        self.decide(call, |question| engine.consume(question, &take))
    }

    /// The same where it may wait for a file.
    fn consume_waiting(&self, call: &Call, engine: &Engine) -> Result<Option<String>, Error> {
        engine._without_waiting("consume")?;
        self.consume(call, engine)
    }
}

type Ask = fn(&Room, &Call, &Engine) -> Result<Option<String>, Error>;

struct Asked {
    engine: Arc<Engine>,
    room: Rc<Room>,
    ask: Ask,
}

/// Nothing if the answer is in the memory; a text if it is not: the decision as JSON or, after a
/// `!`, an error.
unsafe extern "C" fn ask(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut data, mut arguments, mut count) = (null_mut(), [null_mut(); 3], 3);
    // SAFETY: the call under way is one of a function that `function` has made; of arguments it
    // gives as many as counted.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.as_mut_ptr(),
            null_mut(),
            &raw mut data,
        )
    };
    if status != sys::Status::napi_ok || data.is_null() {
        return null_mut();
    }
    // SAFETY: the box lives as long as the function.
    let asked = unsafe { &*data.cast::<Asked>() };
    let done = catch_unwind(AssertUnwindSafe(|| {
        match (asked.ask)(&asked.room, &Call { env, arguments }, &asked.engine) {
            Ok(answer) => answer,
            Err(error) => Some(format!("!{}", crate::error_text(&error))),
        }
    }));
    let text = match done {
        Ok(None) => return null_mut(),
        Ok(Some(text)) => text,
        Err(_) => format!(
            "!{}",
            crate::error_text(&Error::Panic {
                reason: "a panic in the binding".to_owned()
            })
        ),
    };
    let mut value = null_mut();
    let Ok(length) = isize::try_from(text.len()) else {
        return null_mut();
    };
    // SAFETY: the text is copied.
    unsafe {
        sys::napi_create_string_utf8(env, text.as_ptr().cast::<c_char>(), length, &raw mut value)
    };
    value
}

/// The floor of the benchmark: takes what it is given and does nothing.
unsafe extern "C" fn nothing(_: sys::napi_env, _: sys::napi_callback_info) -> sys::napi_value {
    null_mut()
}

unsafe extern "C" fn free(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `function`, and freed here only. Dropping an `Arc` and an
    // `Rc` does not panic.
    drop(unsafe { Box::from_raw(data.cast::<Asked>()) });
}

/// A function made by hand, on its way to JavaScript.
pub struct Function(sys::napi_value);

impl ToNapiValue for Function {
    unsafe fn to_napi_value(_: sys::napi_env, function: Self) -> napi::Result<sys::napi_value> {
        Ok(function.0)
    }
}

fn made(status: sys::napi_status) -> napi::Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(napi::Error::new(
            Status::from(status),
            "no function could be made",
        ))
    }
}

fn function(env: &Env, asked: Asked) -> napi::Result<Function> {
    let mut value = null_mut();
    let data = Box::into_raw(Box::new(asked)).cast::<c_void>();
    // SAFETY: `env` is that of the call under way. If a step fails, the box is leaked, never freed
    // twice.
    unsafe {
        made(sys::napi_create_function(
            env.raw(),
            c"ask".as_ptr(),
            3,
            Some(ask),
            data,
            &raw mut value,
        ))?;
        made(sys::napi_add_finalizer(
            env.raw(),
            value,
            data,
            Some(free),
            null_mut(),
            null_mut(),
        ))?;
    }
    Ok(Function(value))
}

/// `check`, `authorize` and `consume` of this engine, for this environment.
pub(crate) fn functions(
    env: &Env,
    engine: &Arc<Engine>,
    room: &Rc<Room>,
) -> napi::Result<(Function, Function, Function)> {
    let with = |ask: Ask| {
        function(
            env,
            Asked {
                engine: Arc::clone(engine),
                room: Rc::clone(room),
                ask,
            },
        )
    };
    // An engine keeps its store.
    let consume = if engine.is_file_backed() {
        Room::consume_waiting
    } else {
        Room::consume
    };
    Ok((with(Room::check)?, with(Room::authorize)?, with(consume)?))
}

/// Puts `_empty`, the raw floor, among the exports.
pub(crate) fn floor(env: &Env, exports: &mut Object<'_>) -> napi::Result<()> {
    let mut value = null_mut();
    // SAFETY: `env` is that of the loading under way.
    made(unsafe {
        sys::napi_create_function(
            env.raw(),
            c"empty".as_ptr(),
            5,
            Some(nothing),
            null_mut(),
            &raw mut value,
        )
    })?;
    exports.set_named_property("emptyRaw", Function(value))
}
