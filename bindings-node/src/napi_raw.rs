//! Raw N-API calls. No other module has `unsafe`. A check through napi's wrappers costs several
//! times the evaluation, because the wrappers inspect and convert each argument. Here JavaScript
//! writes the numbers of a request into shared memory, and reads the decision from it. Only the ids
//! and the key are arguments.
//!
//! The `unsafe` code relies on these invariants:
//! - The memory is the store of an `ArrayBuffer` that `handles.js` creates. JavaScript never hands
//!   it out, so nobody can detach it, and a reference holds it for the life of the environment.
//!   Only the thread of that environment reads or writes it, during a call from JavaScript, when
//!   nothing else writes there.
//! - The data of a function is a box. The finalizer of that function frees the box, so that the box
//!   outlives each call.
//! - Neither a panic nor an exception crosses: a call returns a value or the text of an error.
#![allow(unsafe_code, reason = "see the module's documentation")]

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::{Env, JsValue, ToNapiValue, Unknown};
use napi::{Status, sys};
use sublet::Engine;

use crate::call_buffers::{CallBuffers, CallHandler};
use crate::errors::{binding_panic, error_text};
use crate::shared_rows::{ROW, SharedRow, joined};

/// Size of the memory in numbers: the row, the operand, then the answer.
const WORDS: usize = 256;
/// Index of the operand, a number that some methods take beside the row: its low half, then its
/// high half.
const OPERAND: usize = ROW;
const _: () = assert!(OPERAND + 2 <= ANSWER);
/// Index at which an answer starts.
const ANSWER: usize = 16;

/// Memory that JavaScript and the addon both read and write.
pub(crate) struct SharedMemory {
    at: *mut u8,
}

impl SharedMemory {
    /// Returns `None` if the value is not an array buffer of the required size.
    pub(crate) fn attach(env: &Env, buffer: &Unknown<'_>) -> Option<Self> {
        let (mut at, mut len, mut reference) = (null_mut(), 0, null_mut());
        // SAFETY: `env` and `buffer` belong to the current call; the reference keeps the store in
        // place.
        let is_attached = unsafe {
            sys::napi_get_arraybuffer_info(env.raw(), buffer.raw(), &raw mut at, &raw mut len)
                == sys::Status::napi_ok
                && sys::napi_create_reference(env.raw(), buffer.raw(), 1, &raw mut reference)
                    == sys::Status::napi_ok
        };
        let at = at.cast::<u8>();
        (is_attached && len >= WORDS * size_of::<u32>() && at.cast::<u32>().is_aligned())
            .then_some(Self { at })
    }

    #[inline]
    pub(crate) fn row(&self) -> SharedRow {
        // SAFETY: `attach` has checked length and alignment; nobody writes during a call.
        SharedRow::from(unsafe { self.at.cast::<[u32; ROW]>().read() })
    }

    /// Returns the number that a method takes beside the row.
    #[inline]
    pub(crate) fn operand(&self) -> u64 {
        // SAFETY: as above.
        let [low, high] = unsafe { self.at.cast::<u32>().add(OPERAND).cast::<[u32; 2]>().read() };
        joined(low, high)
    }

    /// Writes an answer. Returns false, and writes nothing, if it does not fit.
    #[inline]
    pub(crate) fn answer(&self, words: &[u32]) -> bool {
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

/// Longest id or key in UTF-16 units that crosses here; longer ones cross as JSON.
const MAX_ID_UNITS: usize = 1024;

/// The ids and the key of a call, concatenated.
pub(crate) struct IdBuffer {
    units: [u16; MAX_ID_UNITS + 1],
    bytes: Vec<u8>,
}

impl IdBuffer {
    pub(crate) fn new() -> Self {
        Self {
            units: [0; MAX_ID_UNITS + 1],
            bytes: Vec::with_capacity(3 * MAX_ID_UNITS),
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Returns the length in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Adds the text of an argument. Returns false if it is no string or has no UTF-8 form.
    #[inline]
    pub(crate) fn add(&mut self, call: &CallArguments, at: usize) -> bool {
        let Some(value) = call.arguments.get(at) else {
            return false;
        };
        let mut length = 0;
        // SAFETY: `value` is an argument of the current call; N-API writes at most the given number
        // of units, the final 0 included.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                call.env,
                *value,
                self.units.as_mut_ptr(),
                self.units.len(),
                &raw mut length,
            )
        };
        let Some(units) = self.units.get(..length) else {
            return false;
        };
        if status != sys::Status::napi_ok || length == MAX_ID_UNITS {
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

/// Number of arguments of a call.
const ARGUMENTS: usize = 4;

/// The arguments of the current call: the ids of resource, principal and account, and the key.
pub(crate) struct CallArguments {
    env: sys::napi_env,
    arguments: [sys::napi_value; ARGUMENTS],
}

impl CallArguments {
    pub(crate) const RESOURCE: usize = 0;
    pub(crate) const PRINCIPAL: usize = 1;
    pub(crate) const ACCOUNT: usize = 2;
    pub(crate) const KEY: usize = 3;
}

struct BoundFunction {
    engine: Arc<Engine>,
    buffers: Rc<CallBuffers>,
    handler: CallHandler,
}

/// Returns `undefined` if the answer is in the memory. Otherwise returns a text: the answer as JSON,
/// an error after a `!`, or after a `=` what the numbers of the answer leave out.
unsafe extern "C" fn ask(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut data, mut arguments, mut count) = (null_mut(), [null_mut(); ARGUMENTS], ARGUMENTS);
    // SAFETY: `create_function` made the called function; N-API writes at most `count` arguments.
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
    let bound = unsafe { &*data.cast::<BoundFunction>() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        match (bound.handler)(
            &bound.buffers,
            &CallArguments { env, arguments },
            &bound.engine,
        ) {
            Ok(answer) => answer,
            Err(error) => Some(format!("!{}", error_text(&error))),
        }
    }));
    let text = match result {
        Ok(None) => return null_mut(),
        Ok(Some(text)) => text,
        Err(_) => format!("!{}", error_text(&binding_panic())),
    };
    let mut value = null_mut();
    let Ok(length) = isize::try_from(text.len()) else {
        return null_mut();
    };
    // SAFETY: N-API copies the text.
    unsafe {
        sys::napi_create_string_utf8(env, text.as_ptr().cast::<c_char>(), length, &raw mut value)
    };
    value
}

unsafe extern "C" fn free_bound_function(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `create_function`, and freed here only. Dropping an `Arc`
    // and an `Rc` does not panic.
    drop(unsafe { Box::from_raw(data.cast::<BoundFunction>()) });
}

/// A raw N-API function that is returned to JavaScript.
pub struct Function(sys::napi_value);

impl ToNapiValue for Function {
    unsafe fn to_napi_value(_: sys::napi_env, function: Self) -> napi::Result<sys::napi_value> {
        Ok(function.0)
    }
}

fn check_status(status: sys::napi_status) -> napi::Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(napi::Error::new(
            Status::from(status),
            "no function could be made",
        ))
    }
}

fn create_function(env: &Env, bound: BoundFunction) -> napi::Result<Function> {
    let mut value = null_mut();
    let data = Box::into_raw(Box::new(bound)).cast::<c_void>();
    // SAFETY: `env` belongs to the current call. If a step fails, the box is leaked, never freed
    // twice.
    unsafe {
        check_status(sys::napi_create_function(
            env.raw(),
            c"ask".as_ptr(),
            3,
            Some(ask),
            data,
            &raw mut value,
        ))?;
        check_status(sys::napi_add_finalizer(
            env.raw(),
            value,
            data,
            Some(free_bound_function),
            null_mut(),
            null_mut(),
        ))?;
    }
    Ok(Function(value))
}

/// Creates the methods of this engine for this environment that cross as numbers: `check`,
/// `authorize`, `consume`, `reserve`, `commit`, `release` and `refund`.
pub(crate) fn functions(
    env: &Env,
    engine: &Arc<Engine>,
    buffers: &Rc<CallBuffers>,
) -> napi::Result<Vec<Function>> {
    let with = |handler: CallHandler| {
        create_function(
            env,
            BoundFunction {
                engine: Arc::clone(engine),
                buffers: Rc::clone(buffers),
                handler,
            },
        )
    };
    // Chosen once, because an engine keeps its store.
    let consume: CallHandler = if engine.is_file_backed() {
        CallBuffers::consume_waiting
    } else {
        CallBuffers::consume
    };
    let handlers: [CallHandler; 7] = [
        CallBuffers::check,
        CallBuffers::authorize,
        consume,
        CallBuffers::reserve,
        CallBuffers::commit,
        CallBuffers::release,
        CallBuffers::refund,
    ];
    handlers.into_iter().map(with).collect()
}
