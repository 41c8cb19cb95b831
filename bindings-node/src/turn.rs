//! The turn of a call that waits for a thread of Node's pool: taken when it begins, or given up before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi_derive::napi;
use sublet::Error;

/// What a signal gives up; see `abort.js`.
#[napi]
#[derive(Default)]
pub struct NativeTurn {
    taken: Arc<AtomicBool>,
}

#[napi]
impl NativeTurn {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is given up: not, if it was taken already.
    #[napi]
    pub fn give_up(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }
}

/// The same on the thread that does the work; a call without a signal has its turn whenever it comes.
pub(crate) struct Turn(Option<Arc<AtomicBool>>);

impl Turn {
    pub(crate) fn of(given: Option<&NativeTurn>) -> Self {
        Self(given.map(|turn| Arc::clone(&turn.taken)))
    }

    /// Takes the turn, unless nobody waits for it any more.
    pub(crate) fn begin(&self) -> std::result::Result<(), Error> {
        let given_up = self.0.as_ref().is_some_and(|turn| turn.swap(true, Ordering::AcqRel));
        if given_up { Err(Error::Cancelled { records: 0 }) } else { Ok(()) }
    }
}
