//! Subscriptions and their sinks, and the statistics. A callback runs on the event loop, which is
//! woken when there are events; `log.js` fetches them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use napi::Result;
use napi::bindgen_prelude::{Function, Unknown};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use serde::Deserialize;
use sublet::{ArgumentFault, Error, EventKind, LogFile, LogHandle, LogOptions, Sink};

use crate::engine::NativeEngine;
use crate::errors::guarded;
use crate::json::{exact_text, read};
use crate::reply_queue::NativeReplies;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LogJson {
    path: Option<String>,
    rotate_bytes: Option<u64>,
    max_old_files: Option<u32>,
    events: Option<Vec<String>>,
    /// A fraction as text, because JSON for the engine has integers only.
    sample_allowed: Option<String>,
    redact: Option<Vec<String>>,
    context_fields: Option<Vec<String>>,
    queue: Option<usize>,
}

impl LogJson {
    fn options(&mut self) -> std::result::Result<LogOptions, Error> {
        let default = LogOptions::default();
        let events = self
            .events
            .take()
            .map(|names| names.iter().map(|name| name.parse::<EventKind>()).collect());
        let part = |text: String| {
            text.parse().map_err(|_| Error::OptionValue {
                option: "log.sample_allowed".to_owned(),
                value: text,
            })
        };
        Ok(LogOptions {
            events: events.transpose()?.unwrap_or(default.events),
            sample_allowed: self
                .sample_allowed
                .take()
                .map_or(Ok(default.sample_allowed), part)?,
            redact: self.redact.take().unwrap_or(default.redact),
            context_fields: self.context_fields.take().unwrap_or(default.context_fields),
            queue: self.queue.unwrap_or(default.queue),
        })
    }

    /// Returns the file, if the options name one. `rotateBytes` of 0 means no bound.
    fn file(&mut self) -> Option<Sink> {
        let file = LogFile::new(self.path.take()?);
        let rotate_bytes = self.rotate_bytes.map_or(file.rotate_bytes, |bytes| {
            Some(bytes).filter(|bytes| *bytes > 0)
        });
        Some(Sink::File(LogFile {
            rotate_bytes,
            max_old_files: self.max_old_files.unwrap_or(file.max_old_files),
            ..file
        }))
    }
}

/// A log, and whether it was closed.
pub(crate) struct OpenLog {
    handle: LogHandle,
    closed: AtomicBool,
}

impl OpenLog {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self, timeout: Duration) -> bool {
        self.closed.store(true, Ordering::Release);
        self.handle.close(timeout)
    }
}

/// A subscription.
#[napi]
pub struct NativeLog {
    inner: Arc<OpenLog>,
    /// Number of events that `log.js` is processing.
    fetched: AtomicUsize,
}

#[napi]
impl NativeEngine {
    /// Subscribes a file, or `wake`, which is called on the event loop when there are events to
    /// fetch and does not keep the process alive.
    #[napi]
    pub fn subscribe(
        &self,
        replies: &NativeReplies,
        options: String,
        wake: Option<Function<'_, (), Unknown<'static>>>,
    ) -> Result<NativeLog> {
        let wake = wake
            .map(|wake| {
                wake.build_threadsafe_function::<()>()
                    .weak::<true>()
                    .callee_handled::<false>()
                    .build()
            })
            .transpose()?;
        guarded(|| {
            let mut form: LogJson = read("log", &options)?;
            let options = form.options()?;
            let call = wake.map(|wake| {
                Sink::Fetch(Arc::new(move || {
                    // Fails only if the environment is ending; then nothing fetches any more.
                    let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
                }))
            });
            let no_sink = || ArgumentFault::LogSink.error("log", "");
            let sink = form.file().xor(call).ok_or_else(no_sink)?;
            let inner = Arc::new(OpenLog {
                handle: self.inner.subscribe(options, sink)?,
                closed: AtomicBool::new(false),
            });
            replies.register_log(&inner);
            Ok(NativeLog {
                inner,
                fetched: AtomicUsize::new(0),
            })
        })
    }

    #[napi]
    pub fn enable_metrics(&self, on: bool) -> Result<()> {
        guarded(|| {
            self.inner.enable_metrics(on);
            Ok(())
        })
    }

    #[napi]
    pub fn metrics(&self) -> Result<String> {
        guarded(|| exact_text(&self.inner.metrics()))
    }
}

#[napi]
impl NativeLog {
    /// Returns the next events for the callback as JSON. Until `fetched` is called, calls of an
    /// engine emit no events.
    #[napi]
    pub fn fetch(&self, most: u32) -> Result<Vec<String>> {
        guarded(|| {
            let events = self.inner.handle._fetch(most as usize);
            self.fetched.store(
                events
                    .iter()
                    .filter(|event| event.kind() != EventKind::Dropped)
                    .count(),
                Ordering::Relaxed,
            );
            events.iter().map(exact_text).collect()
        })
    }

    /// Reports that the fetched events are processed, and how many of them failed.
    #[napi]
    pub fn fetched(&self, failed: u32) -> Result<()> {
        guarded(|| {
            self.inner
                .handle
                ._fetched(self.fetched.swap(0, Ordering::Relaxed), failed as usize);
            Ok(())
        })
    }

    #[napi]
    pub fn counts(&self) -> Result<String> {
        guarded(|| exact_text(&self.inner.handle.counts()))
    }

    /// Ends the subscription, and waits at most the given milliseconds for the file.
    #[napi]
    pub fn close(&self, timeout: u32) -> Result<bool> {
        guarded(|| Ok(self.inner.close(Duration::from_millis(timeout.into()))))
    }

    /// Waits at most the given milliseconds until earlier events are in the file. Returns whether
    /// they are.
    #[napi]
    pub fn flush(&self, timeout: u32) -> Result<bool> {
        guarded(|| {
            Ok(self
                .inner
                .handle
                .flush(Duration::from_millis(timeout.into())))
        })
    }
}
