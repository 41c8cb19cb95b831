//! Runs recursive code on a stack of known size, and catches its panics.
//!
//! Cedar's parser, validator and evaluator recurse, and so does dropping deep trees. Cedar's parser
//! overruns a small stack and kills the process. Its evaluator returns an error instead, and a
//! `forbid` is then skipped. So all of them run here. They use the caller's stack if enough of it
//! is left, and otherwise a stack that is mapped for the call. No thread is started, so a fork
//! loses nothing.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::Error;

/// Bytes that must remain above the deepest frame. Cedar's evaluator refuses to continue with less
/// than 100 KiB.
const STACK_RESERVE: usize = 256 * 1024;
/// Bytes of stack for one level of an expression tree that is parsed, validated, evaluated or
/// dropped. Measured, with a wide margin.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) {
    96 * 1024
} else {
    24 * 1024
};

/// Returns the bytes of stack that a tree of this depth may need.
pub(crate) fn needed(depth: usize) -> usize {
    depth
        .saturating_mul(STACK_PER_LEVEL)
        .saturating_add(STACK_RESERVE)
}

/// Runs `work` with at least `needed(depth)` bytes of stack. Returns a panic as [`Error::Panic`].
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

/// A value that may hold deep trees. It is dropped with enough stack for them.
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
        // If no stack can be mapped, the value is leaked, because a stack overrun would be worse.
        let _ = run(self.depth, || {
            drop(ManuallyDrop::into_inner(value));
            Ok(())
        });
    }
}
