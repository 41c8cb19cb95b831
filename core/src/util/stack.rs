//! A stack of known size for what recurses, and a net under what panics.
//!
//! Cedar's parser, validator, evaluator and the dropping of deep trees recurse. Its parser overruns
//! a small stack and kills the process; its evaluator errs and a `forbid` is skipped. So all of
//! them run here: on the caller's stack when enough of it is left, else on one that is mapped for
//! the call. No thread is started, so a fork loses nothing.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::Error;

/// What must be left above the deepest frame: Cedar's evaluator refuses to go on with less than 100
/// KiB.
const STACK_RESERVE: usize = 256 * 1024;
/// Stack for one level of an expression tree, parsed, validated, evaluated or dropped, as measured
/// with a wide margin.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) {
    96 * 1024
} else {
    24 * 1024
};

/// The stack that a tree of this depth may need.
pub(crate) fn needed(depth: usize) -> usize {
    depth
        .saturating_mul(STACK_PER_LEVEL)
        .saturating_add(STACK_RESERVE)
}

/// Runs `work` with at least `needed(depth)` bytes of stack. A panic in it comes back as
/// [`Error::Panic`].
pub(crate) fn run<T>(depth: usize, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let size = needed(depth);
    let guarded = || {
        catch_unwind(AssertUnwindSafe(|| {
            stacker::maybe_grow(size, size.saturating_add(STACK_RESERVE), work)
        }))
    };
    match guarded() {
        Ok(result) => result,
        Err(payload) => Err(Error::Panic {
            reason: crate::util::panic::panic_message(payload.as_ref()),
        }),
    }
}

/// A value that may hold deep trees: dropped with enough stack for them.
#[derive(Debug, Default)]
pub(crate) struct DeepValue<T: Default> {
    value: T,
    depth: usize,
}

impl<T: Default> DeepValue<T> {
    pub(crate) fn new(value: T, depth: usize) -> Self {
        Self { value, depth }
    }
}

impl<T: Default> Deref for DeepValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> Drop for DeepValue<T> {
    fn drop(&mut self) {
        let value = ManuallyDrop::new(std::mem::take(&mut self.value));
        // Should no stack be had, the value is leaked: better than an overrun.
        let _ = run(self.depth, || {
            drop(ManuallyDrop::into_inner(value));
            Ok(())
        });
    }
}
