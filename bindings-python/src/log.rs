//! The log and its sinks, and what was counted.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use sublet::{Error, Event, LogFile, LogOptions, Sink};

use crate::Engine;
use crate::answers::plain;
use crate::count::Given;
use crate::errors::{OrRaise, Raise};
use crate::values::{refused, text, to_python};

/// How long the end of a `with` waits for its log, in seconds.
const TIMEOUT: f64 = 5.0;

/// How long the end of the interpreter waits for each log.
const AT_EXIT: Duration = Duration::from_secs(2);

/// Closes a log, waiting at most so long.
type Closer = Box<dyn Fn(Duration) + Send>;

/// What closes the logs of this process.
static OPEN: Mutex<Vec<Closer>> = Mutex::new(Vec::new());

/// Closes every log: threads do not outlive the interpreter.
#[pyfunction]
pub(crate) fn _close_logs(py: Python<'_>) {
    py.detach(|| {
        // Not waited for: after a fork it may be held by a thread that is not here.
        if let Ok(open) = OPEN.try_lock() {
            open.iter().for_each(|close| close(AT_EXIT));
        }
    });
}

/// A subscription. It goes on without this handle, until the engine is gone.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct LogHandle(sublet::LogHandle);

fn seconds(timeout: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(timeout).map_err(|_| refused("timeout", "a number of seconds is needed"))
}

#[pymethods]
impl LogHandle {
    /// Waits until what happened before is delivered.
    #[pyo3(signature = (timeout=5.0))]
    fn flush(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        Ok(py.detach(|| self.0.flush(timeout)))
    }

    /// Ends the subscription, after what happened before is delivered.
    #[pyo3(signature = (timeout=5.0))]
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        Ok(py.detach(|| self.0.close(timeout)))
    }

    #[getter]
    fn delivered(&self) -> u64 {
        self.0.counts().delivered
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.0.counts().dropped
    }

    #[getter]
    fn failed(&self) -> u64 {
        self.0.counts().failed
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) -> PyResult<bool> {
        self.close(py, TIMEOUT).map(|_| false)
    }

    fn __repr__(&self) -> String {
        let counts = self.0.counts();
        format!("LogHandle(delivered={}, dropped={}, failed={})", counts.delivered, counts.dropped, counts.failed)
    }
}

fn one(py: Python<'_>, callback: &Py<PyAny>, event: &Event) -> PyResult<()> {
    let fields = PyDict::new(py);
    for (name, value) in event.fields() {
        fields.set_item(name, to_python(py, value)?)?;
    }
    callback.call1(py, (fields,)).map(drop)
}

/// A callable, which gets one event at a time on the log's thread. The first exception is shown, by `sys.unraisablehook`.
fn calling(callback: Py<PyAny>) -> Sink {
    let shown = AtomicBool::new(false);
    Sink::Call(Arc::new(move |events| {
        let failed = Python::try_attach(|py| {
            let told = events.iter().filter_map(|event| one(py, &callback, event).err());
            let show = |error: PyErr| {
                if !shown.swap(true, Ordering::Relaxed) {
                    error.write_unraisable(py, Some(callback.bind(py)));
                }
            };
            told.map(show).count()
        });
        // The interpreter is at its end.
        failed.unwrap_or(events.len())
    }))
}

fn sink(py: Python<'_>, path: Option<PathBuf>, callback: Option<Py<PyAny>>, logger: Given<'_, '_>, sizes: (Option<u64>, Option<u32>)) -> PyResult<Sink> {
    let wrong = || refused("log", "one of `path`, `callback` and `logger` is needed");
    match (path, callback, logger) {
        (Some(path), None, None) => {
            let file = LogFile::new(path);
            let rotate_bytes = sizes.0.map_or(file.rotate_bytes, |bytes| Some(bytes).filter(|bytes| *bytes > 0));
            Ok(Sink::File(LogFile { rotate_bytes, keep: sizes.1.unwrap_or(file.keep), ..file }))
        }
        (None, Some(callback), None) if callback.bind(py).is_callable() => Ok(calling(callback)),
        (None, None, Some(logger)) => Ok(calling(py.import("sublet._logging")?.call_method1("sink", (logger,))?.unbind())),
        _ => Err(wrong()),
    }
}

fn names(what: &str, given: Given<'_, '_>) -> PyResult<Option<Vec<String>>> {
    let Some(given) = given else { return Ok(None) };
    given.try_iter()?.map(|name| text(what, name?.as_borrowed()).map(str::to_owned)).collect::<PyResult<_>>().map(Some)
}

#[pymethods]
impl Engine {
    /// Tells a sink of what happens from now on.
    #[pyo3(signature = (path=None, *, callback=None, logger=None, events=None, sample_allowed=None, redact=None, context_fields=None, queue=None, rotate_bytes=None, keep=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn log(
        &self,
        py: Python<'_>,
        path: Option<PathBuf>,
        callback: Option<Py<PyAny>>,
        logger: Given<'_, '_>,
        events: Given<'_, '_>,
        sample_allowed: Option<f64>,
        redact: Given<'_, '_>,
        context_fields: Given<'_, '_>,
        queue: Option<usize>,
        rotate_bytes: Option<u64>,
        keep: Option<u32>,
    ) -> PyResult<LogHandle> {
        let sink = sink(py, path, callback, logger, (rotate_bytes, keep))?;
        let default = LogOptions::default();
        let kinds = names("events", events)?.map(|names| names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, Error>>());
        let options = LogOptions {
            events: kinds.transpose().map_err(Raise::raise)?.unwrap_or(default.events),
            sample_allowed: sample_allowed.unwrap_or(default.sample_allowed),
            redact: names("redact", redact)?.unwrap_or(default.redact),
            context_fields: names("context_fields", context_fields)?.unwrap_or(default.context_fields),
            queue: queue.unwrap_or(default.queue),
        };
        let handle = py.detach(|| self.inner.log(options, sink)).or_raise()?;
        if let Ok(mut open) = OPEN.try_lock() {
            open.push(Box::new(handle._closer()));
        }
        Ok(LogHandle(handle))
    }

    /// Counts answers, and how long they take, from now on; or no more.
    #[pyo3(signature = (on=true))]
    fn measure(&self, on: bool) {
        self.inner.measure(on);
    }

    /// What was counted.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.inner.stats())
    }
}

/// An engine waits for its logs, and they for the GIL: so it lets it go.
impl Drop for Engine {
    fn drop(&mut self) {
        if self.inner._is_watched() {
            Python::try_attach(|py| py.detach(|| self.inner._close_logs()));
        }
    }
}
