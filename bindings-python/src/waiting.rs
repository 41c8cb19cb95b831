//! Runs work that may wait for a file. Signals and cancelled tasks end the wait.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use sublet::Error;

use crate::errors::OrRaise;

/// Longest wait between two checks for signals.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(50);

thread_local! {
    /// The flags of the call that this thread runs for an `AsyncEngine`.
    static CALL: RefCell<Option<Arc<Flags>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Flags {
    /// The task that awaits the call was cancelled.
    cancelled: AtomicBool,
    /// The call has used up its waiting time before it started: it takes a free lock, and waits for
    /// none.
    no_wait: AtomicBool,
}

/// A call of an `AsyncEngine`. It runs on its own thread and can be cancelled from another.
#[pyclass(frozen, module = "sublet", name = "_Call")]
pub(crate) struct Call(Arc<Flags>);

#[pymethods]
impl Call {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// Ends the wait of the call, now or when it begins.
    fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
    }

    /// Makes the call wait for no lock.
    fn skip_waits(&self) {
        self.0.no_wait.store(true, Ordering::Release);
    }

    /// Calls the method on this thread.
    fn run<'py>(
        &self,
        method: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        keywords: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        CALL.set(Some(Arc::clone(&self.0)));
        let result = method.call(arguments, Some(keywords));
        CALL.set(None);
        result
    }
}

/// Returns whether the task that awaits the call of this thread was cancelled.
pub(crate) fn is_cancelled() -> bool {
    CALL.with_borrow(|call| {
        call.as_ref()
            .is_some_and(|call| call.cancelled.load(Ordering::Acquire))
    })
}

/// Returns whether the call of this thread must wait for no lock.
fn must_not_wait() -> bool {
    CALL.with_borrow(|call| {
        call.as_ref()
            .is_some_and(|call| call.no_wait.load(Ordering::Acquire))
    })
}

/// Runs work that may wait for a file, without the GIL. During the wait the main thread handles
/// signals as usual. An exception of a signal handler, such as `KeyboardInterrupt`, ends the wait
/// and is raised.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (result, raised) = py.detach(|| {
        let raised = Cell::new(None);
        let check = || {
            if is_cancelled() || must_not_wait() {
                return true;
            }
            match Python::try_attach(|py| py.check_signals()) {
                Some(Ok(())) => false,
                Some(Err(error)) => {
                    raised.set(Some(error));
                    true
                }
                // The interpreter is ending.
                None => true,
            }
        };
        let result = sublet::with_interrupt(&check, work);
        (result, raised.take())
    });
    raised.map_or_else(|| result.or_raise(), Err)
}

/// Runs work that may wait for a file only if `files` is true. Other work keeps the GIL, because
/// releasing it costs more than the work.
pub(crate) fn wait_if<T: Send>(
    py: Python<'_>,
    files: bool,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    if files {
        wait(py, work)
    } else {
        work().or_raise()
    }
}

/// Calls `is_done`, which waits for the given time, in slices until it returns true or the time is
/// over. Returns whether it is done.
pub(crate) fn wait_in_slices(
    py: Python<'_>,
    timeout: Duration,
    is_done: impl Fn(Duration) -> bool + Sync,
) -> PyResult<bool> {
    let started = Instant::now();
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        if py.detach(|| is_done(left.min(SIGNAL_CHECK_INTERVAL))) {
            return Ok(true);
        }
        py.check_signals()?;
        if left.is_zero() || is_cancelled() {
            return Ok(false);
        }
    }
}
