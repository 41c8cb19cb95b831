//! Turns panics into errors, so that none leaves the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::Error;

/// Runs `work` and returns a panic as [`Error::Panic`].
#[inline]
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        Err(Error::Panic {
            reason: panic_message(payload.as_ref()),
        })
    })
}

pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .map_or_else(
            || "a panic without a message".to_owned(),
            |text| crate::util::text::short(&text),
        )
}
