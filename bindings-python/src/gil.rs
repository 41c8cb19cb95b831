//! Releases the GIL during long conversions, every few thousand rows, so that no other thread waits
//! for the conversion of a long list.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;

/// Rows that are converted between two releases of the GIL: one to three milliseconds of work.
const ROWS_PER_GIL_RELEASE: usize = 12_288;
/// Objects that are created between two releases of the GIL if Python has other threads. Creating
/// an object costs more than reading a row, and a list of objects is often dropped right after.
const OBJECTS_PER_GIL_RELEASE: usize = 4_096;
/// Pause after a release of the GIL. Without it this thread takes the GIL back before a waiting
/// thread wakes up. Each signal restarts the wait of that thread, so that it would starve.
const GIL_PAUSE: Duration = Duration::from_micros(20);

/// Releases the GIL so that other threads run.
fn pause(py: Python<'_>) {
    py.detach(|| std::thread::sleep(GIL_PAUSE));
}

/// Returns whether Python started other threads. Calls native code only: a daemon thread may be
/// here while the interpreter ends. The interpreter would kill it in Python code, and with it the
/// process.
fn is_shared(py: Python<'_>) -> bool {
    let count = py
        .import("_thread")
        .and_then(|thread| thread.call_method0("_count"))
        .and_then(|count| count.extract::<usize>());
    count.map_or(true, |count| count > 0)
}

/// Releases the GIL if `row` is the last of `every` rows.
#[inline]
fn yield_after(py: Python<'_>, row: usize, every: usize) {
    if row % every == every - 1 {
        pause(py);
    }
}

/// Releases the GIL after each [`ROWS_PER_GIL_RELEASE`] converted rows.
#[inline]
pub(crate) fn yield_gil(py: Python<'_>, row: usize) {
    yield_after(py, row, ROWS_PER_GIL_RELEASE);
}

/// Drops a long list in slices, with pauses for other threads.
pub(crate) fn drop_in_steps<T>(py: Python<'_>, mut list: Vec<T>) {
    while !list.is_empty() {
        list.truncate(list.len().saturating_sub(ROWS_PER_GIL_RELEASE));
        if !list.is_empty() {
            pause(py);
        }
    }
}

/// Builds a Python list of many answers in slices, with pauses for other threads.
pub(crate) fn to_list<'py, T>(
    py: Python<'py>,
    answers: Vec<T>,
    class: impl Fn(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut list = Vec::with_capacity(answers.len());
    let every = if answers.len() > OBJECTS_PER_GIL_RELEASE && is_shared(py) {
        OBJECTS_PER_GIL_RELEASE
    } else {
        ROWS_PER_GIL_RELEASE
    };
    for (index, answer) in answers.into_iter().enumerate() {
        list.push(class(answer)?);
        yield_after(py, index, every);
    }
    PyList::new(py, list)
}
