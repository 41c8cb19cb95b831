//! Subscriptions and their sinks, and the statistics.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};
use sublet::{Error, EventKind, LogFile, LogOptions, Sink};

use crate::arguments::{self, read_list};
use crate::convert::{OptionalPyArg, read_str, to_python};
use crate::engine::Engine;
use crate::errors::Raise;
use crate::refusal::{SECONDS_NEEDED, SINK_NEEDED, refused, wrong_type};
use crate::results::to_python_object;
use crate::waiting::{wait, wait_in_slices};

/// Seconds that the end of a `with` waits for its log.
const CLOSE_TIMEOUT: f64 = 5.0;

/// A subscription to an engine's events. It lasts without this handle, until the engine is
/// gone.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct LogHandle(sublet::LogHandle);

/// Converts a number of seconds.
fn to_duration(timeout: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(timeout).map_err(|_| refused("timeout", SECONDS_NEEDED))
}

#[pymethods]
impl LogHandle {
    /// Waits until earlier events are delivered, at most `timeout` seconds (5), and returns
    /// whether they are.
    #[pyo3(signature = (timeout=5.0))]
    fn flush(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::timeout)] timeout: f64,
    ) -> PyResult<bool> {
        let (timeout, mark) = (to_duration(timeout)?, self.0._mark());
        wait_in_slices(py, timeout, |slice| self.0._flush_to(mark, slice))
    }

    /// Ends the subscription, waits at most `timeout` seconds (5), and returns whether all
    /// events are delivered.
    #[pyo3(signature = (timeout=5.0))]
    fn close(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::timeout)] timeout: f64,
    ) -> PyResult<bool> {
        let timeout = to_duration(timeout)?;
        wait_in_slices(py, timeout, |slice| self.0.close(slice))
    }

    /// The number of events that the sink took in this process.
    #[getter]
    fn delivered(&self) -> u64 {
        self.0.counts().delivered
    }

    /// The number of events that were lost because the queue was full.
    #[getter]
    fn dropped(&self) -> u64 {
        self.0.counts().dropped
    }

    /// The number of events that the sink could not take: a callback failed, or a disk is full.
    #[getter]
    fn failed(&self) -> u64 {
        self.0.counts().failed
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) -> PyResult<bool> {
        self.close(py, CLOSE_TIMEOUT).map(|_| false)
    }

    fn __repr__(&self) -> String {
        let counts = self.0.counts();
        format!(
            "LogHandle(delivered={}, dropped={}, failed={})",
            counts.delivered, counts.dropped, counts.failed
        )
    }
}

/// Number of events that a thread takes at once.
const MAX_PULLED_EVENTS: usize = 256;
/// Longest wait for them.
const PULL_TIMEOUT: Duration = Duration::from_secs(1);

/// A log as the delivering thread sees it. The thread and the code that calls the host belong to
/// Python: the interpreter kills such threads when it ends, and a thread that is killed in native
/// code would end the process.
#[pyclass(frozen, module = "sublet", name = "_EventQueue")]
pub(crate) struct EventQueue {
    log: sublet::LogHandle,
    /// Events of the last pull that count as delivered: all but the `dropped` events.
    counted: AtomicUsize,
}

#[pymethods]
impl EventQueue {
    /// Returns the next events after at most a second, perhaps none. Returns `None` if there will
    /// be no more.
    fn pull<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some(events) = py.detach(|| self.log._pull(MAX_PULLED_EVENTS, PULL_TIMEOUT)) else {
            return Ok(None);
        };
        self.counted.store(
            events
                .iter()
                .filter(|event| event.kind() != EventKind::Dropped)
                .count(),
            Ordering::Relaxed,
        );
        let fields = events.iter().map(|event| {
            let dict = PyDict::new(py);
            for (name, value) in event.fields() {
                dict.set_item(name, to_python(py, value)?)?;
            }
            Ok(dict)
        });
        PyList::new(py, fields.collect::<PyResult<Vec<_>>>()?).map(Some)
    }

    /// Reports that the events of the last pull are processed, and how many of them failed.
    fn acknowledge(&self, failed: usize) {
        self.log
            ._fetched(self.counted.load(Ordering::Relaxed), failed);
    }
}

/// Returns a sink that calls a callable with one event at a time, on a thread of the log.
fn callback_sink(py: Python<'_>, callback: Py<PyAny>) -> PyResult<Sink> {
    let spawn = py.import("_thread")?.getattr("start_new_thread")?.unbind();
    let deliver = py.import("sublet._logging")?.getattr("deliver")?.unbind();
    let parts = Arc::new((spawn, deliver, callback));
    Ok(Sink::Pull(Arc::new(move |log| {
        let parts = Arc::clone(&parts);
        // From a separate thread: a method that emits an event must not wait for the GIL.
        let start = move || {
            Python::try_attach(|py| {
                let (spawn, deliver, callback) = &*parts;
                let events = Bound::new(
                    py,
                    EventQueue {
                        log,
                        counted: AtomicUsize::new(0),
                    },
                )?;
                spawn.call1(py, (deliver, (events, callback)))
            })
        };
        let _ = std::thread::Builder::new()
            .name("sublet-log".to_owned())
            .spawn(start);
    })))
}

/// Returns a `Logger`, or the name of one; `True` is the one called `sublet`.
fn read_logger<'py>(py: Python<'py>, logger: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if logger.is(PyBool::new(py, true)) {
        return Ok(PyString::new(py, "sublet").into_any());
    }
    if logger.is_instance_of::<PyString>() {
        return read_str("logger", logger.as_borrowed())
            .map(|name| PyString::new(py, name).into_any());
    }
    if logger.is_instance(&py.import("logging")?.getattr("Logger")?)? {
        return Ok(logger.clone());
    }
    Err(wrong_type(
        "logger",
        logger,
        "a `Logger`, its name, or `True`",
    ))
}

/// Returns the sink that the arguments name.
fn read_sink(
    py: Python<'_>,
    path: Option<PathBuf>,
    callback: Option<Py<PyAny>>,
    logger: OptionalPyArg<'_, '_>,
    (rotate_bytes, max_old_files): (Option<u64>, Option<u32>),
) -> PyResult<Sink> {
    match (path, callback, logger) {
        (Some(path), None, None) => {
            let file = LogFile::new(path);
            let rotate_bytes = rotate_bytes.map_or(file.rotate_bytes, |bytes| {
                Some(bytes).filter(|bytes| *bytes > 0)
            });
            Ok(Sink::File(LogFile {
                rotate_bytes,
                max_old_files: max_old_files.unwrap_or(file.max_old_files),
                ..file
            }))
        }
        (None, Some(callback), None) => callback_sink(py, callback),
        (None, None, Some(logger)) => callback_sink(
            py,
            py.import("sublet._logging")?
                .call_method1("sink", (read_logger(py, logger)?,))?
                .unbind(),
        ),
        _ => Err(refused("log", SINK_NEEDED)),
    }
}

/// Returns the texts of a list, if the caller passed one.
fn read_names(what: &str, names: OptionalPyArg<'_, '_>) -> PyResult<Option<Vec<String>>> {
    let Some(names) = names else {
        return Ok(None);
    };
    read_list(what, names)?
        .iter()
        .map(|name| read_str(what, name.as_borrowed()).map(str::to_owned))
        .collect::<PyResult<_>>()
        .map(Some)
}

#[pymethods]
impl Engine {
    /// Subscribes a sink to the events of every decision, debit, directory change and reload;
    /// returns the handle of the subscription. Any number of logs may be open.
    ///
    /// The sink is one of three. `path` is a file of JSON lines, which is rotated at
    /// `rotate_bytes` (64 MiB; 0 never), with `max_old_files` (5) old files. `callback` gets one
    /// event at a time on a thread of the log. `logger` is a logger of the standard library, its
    /// name, or `True` for `sublet`: refusals are at WARNING, other events at INFO, and the
    /// event is `record.sublet`.
    ///
    /// `events` names the wanted kinds. `sample_allowed` is the part of the allowed decisions
    /// that is reported. Fields of `redact` are hidden, and only `context_fields` of the context
    /// are reported. No method waits for a sink: if `queue` events (8192) wait, further events
    /// are dropped and counted.
    ///
    /// Raises a `SubletError` with the code `input.option` or `store.stream`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine, events = sublet.Engine.open(), []
    ///     >>> nobody = ("Account", "nobody")
    ///     >>> with engine.subscribe(callback=events.append, events=["decision"]):
    ///     ...     allowed = engine.check(nobody, "account.read", nobody)
    ///     >>> events[0]["event"], events[0]["code"]
    ///     ('decision', 'principal_unknown')
    #[pyo3(
        signature = (
            path=None, *, callback=None, logger=None, events=None, sample_allowed=None,
            redact=None, context_fields=None, queue=None, rotate_bytes=None, max_old_files=None
        )
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn subscribe(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::log_path)] path: Option<PathBuf>,
        #[pyo3(from_py_with = arguments::callback)] callback: Option<Py<PyAny>>,
        logger: OptionalPyArg<'_, '_>,
        events: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::sample_allowed)] sample_allowed: Option<f64>,
        redact: OptionalPyArg<'_, '_>,
        context_fields: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::queue)] queue: Option<usize>,
        #[pyo3(from_py_with = arguments::rotate_bytes)] rotate_bytes: Option<u64>,
        #[pyo3(from_py_with = arguments::max_old_files)] max_old_files: Option<u32>,
    ) -> PyResult<LogHandle> {
        let sink = read_sink(py, path, callback, logger, (rotate_bytes, max_old_files))?;
        let default = LogOptions::default();
        let kinds = read_names("events", events)?.map(|names| {
            names
                .iter()
                .map(|name| name.parse())
                .collect::<Result<Vec<_>, Error>>()
        });
        let options = LogOptions {
            events: kinds
                .transpose()
                .map_err(Raise::raise)?
                .unwrap_or(default.events),
            sample_allowed: sample_allowed.unwrap_or(default.sample_allowed),
            redact: read_names("redact", redact)?.unwrap_or(default.redact),
            context_fields: read_names("context_fields", context_fields)?
                .unwrap_or(default.context_fields),
            queue: queue.unwrap_or(default.queue),
        };
        wait(py, || self.inner.subscribe(options, sink)).map(LogHandle)
    }

    /// Starts to count decisions and their durations, or stops it.
    #[pyo3(signature = (on=true))]
    fn enable_metrics(&self, #[pyo3(from_py_with = arguments::on)] on: bool) {
        self.inner.enable_metrics(on);
    }

    /// Returns the statistics of this engine in this process since `enable_metrics`. The numbers
    /// only grow.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.inner.metrics())
    }
}

/// Releases the GIL, because an engine waits for its logs and the logs wait for the GIL.
impl Drop for Engine {
    fn drop(&mut self) {
        if self.inner.is_observed() {
            Python::try_attach(|py| py.detach(|| self.inner._close_logs()));
        }
    }
}
