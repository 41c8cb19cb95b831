//! Counts the steps of the evaluator, so that a test can state how many steps a request takes.
//! Exists only in tests.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Adds to the number of steps of this thread.
pub(crate) fn count_steps(steps: usize) {
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    STEPS.set(STEPS.get().saturating_add(steps));
}

/// Runs `work` and returns the number of steps that it takes on this thread, with its result.
pub(crate) fn steps_of<T>(work: impl FnOnce() -> T) -> (u64, T) {
    STEPS.set(0);
    let done = work();
    (STEPS.get(), done)
}
