//! The destinations of events.

use std::fmt;
use std::sync::Arc;

use super::event::Event;
use super::log_handle::LogHandle;
use super::rotating_file::LogFile;

/// A callback that receives some events and returns how many of them it could not process.
pub type EventCallback = Arc<dyn Fn(&[Event]) -> usize + Send + Sync>;

/// The destination of events.
#[derive(Clone)]
#[non_exhaustive]
pub enum Sink {
    /// JSON lines in a file, which several processes may share.
    File(LogFile),
    /// A function that runs on a thread of the log. Its own calls of an engine emit no events.
    Callback(EventCallback),
    /// The host polls for events and is woken once when the queue becomes non-empty. For hosts with
    /// an event loop.
    #[doc(hidden)]
    Fetch(Arc<dyn Fn() + Send + Sync>),
    /// A thread of the host pulls events. The function starts the thread once in a process. For
    /// hosts that must own their threads.
    #[doc(hidden)]
    Pull(Arc<dyn Fn(LogHandle) + Send + Sync>),
    /// The subscriber of the `tracing` crate that is current when the log is opened.
    #[cfg(feature = "tracing")]
    Tracing(tracing::Dispatch),
}

impl Sink {
    /// Returns a sink that writes JSON lines to the file at `path`.
    pub fn file(path: impl Into<std::path::PathBuf>) -> Self {
        Self::File(LogFile::new(path))
    }

    /// Returns a sink that calls a function with a few events at a time. If the function panics,
    /// its events count as failed.
    pub fn callback(callback: impl Fn(&[Event]) + Send + Sync + 'static) -> Self {
        Self::Callback(Arc::new(move |events| {
            callback(events);
            0
        }))
    }

    /// Returns a sink for the current `tracing` subscriber.
    ///
    /// Each event has the target `sublet` and the span where it happened. Denials and lost events
    /// are at `WARN`, policies with errors at `ERROR`, and all other events at `INFO`.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing() -> Self {
        Self::Tracing(tracing::dispatcher::get_default(Clone::clone))
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
            Self::Callback(_) => f.write_str("Callback"),
            Self::Fetch(_) => f.write_str("Fetch"),
            Self::Pull(_) => f.write_str("Pull"),
            #[cfg(feature = "tracing")]
            Self::Tracing(_) => f.write_str("Tracing"),
        }
    }
}
