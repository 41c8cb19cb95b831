//! The decision and change log: events, the queues in which they wait, and the sinks that receive
//! them. The module does not depend on the engine.
//!
//! While there is no subscription, each call only reads one number.

mod event;
mod rotating_file;
pub(crate) mod stats;
mod subscription;
#[cfg(test)]
mod tests;
#[cfg(feature = "tracing")]
mod tracing_sink;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::{Map, Value};

pub(crate) use self::event::EventBuilder;
use self::event::EventFilter;
pub use self::event::{Event, EventKind};
pub use self::rotating_file::LogFile;
use self::stats::Recorder;
pub use self::subscription::LogCounts;
use self::subscription::{Subscription, is_delivering};
use crate::model::clock::Clock;
use crate::util::error::Error;

/// The options of a subscription.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The kinds of events to deliver. Events about dropped events are always delivered.
    pub events: Vec<EventKind>,
    /// The fraction of allowed decisions to deliver, from 0 to 1. All other events are always
    /// delivered.
    pub sample_allowed: f64,
    /// Fields whose values are replaced by `[redacted]`.
    pub redact: Vec<String>,
    /// The context fields to deliver. By default none is delivered.
    pub context_fields: Vec<String>,
    /// The greatest number of waiting events. Further events are dropped and counted.
    pub queue: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            events: EventKind::ALL.to_vec(),
            sample_allowed: 1.0,
            redact: Vec::new(),
            context_fields: Vec::new(),
            queue: 8_192,
        }
    }
}

/// The greatest size of a queue, because its space is reserved at once.
const MOST_QUEUED: usize = 1 << 20;

impl LogOptions {
    fn check(&self) -> Result<(), Error> {
        let wrong = |option: &str, value: String| {
            Err(Error::OptionValue {
                option: option.to_owned(),
                value,
            })
        };
        if !(0.0..=1.0).contains(&self.sample_allowed) {
            return wrong("log.sample_allowed", self.sample_allowed.to_string());
        }
        if !(1..=MOST_QUEUED).contains(&self.queue) {
            return wrong("log.queue", self.queue.to_string());
        }
        EventFilter {
            redact: self.redact.clone(),
            context_fields: Vec::new(),
        }
        .check()
    }
}

/// A callback that receives some events and returns how many of them it could not process.
pub type EventCallback = Arc<dyn Fn(&[Event]) -> usize + Send + Sync>;

/// The destination of events.
#[derive(Clone)]
#[non_exhaustive]
pub enum Sink {
    /// JSON lines in a file, which several processes may share.
    File(LogFile),
    /// A function that runs on a thread of the log. Its own calls of an engine emit no events.
    Call(EventCallback),
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
    pub fn call(call: impl Fn(&[Event]) + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(move |events| {
            call(events);
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
            Self::Call(_) => f.write_str("Call"),
            Self::Fetch(_) => f.write_str("Fetch"),
            Self::Pull(_) => f.write_str("Pull"),
            #[cfg(feature = "tracing")]
            Self::Tracing(_) => f.write_str("Tracing"),
        }
    }
}

/// A subscription to an engine's events. If the handle is dropped, the subscription continues until
/// the engine is dropped.
#[derive(Clone)]
pub struct LogHandle(Arc<Subscription>);

impl LogHandle {
    /// Waits until all earlier events are delivered, at most `timeout`. Returns whether they are.
    #[allow(
        clippy::must_use_candidate,
        reason = "who only wants to wait need not ask"
    )]
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.flush(self.0.mark(), timeout)
    }

    /// Ends the subscription and waits until all earlier events are delivered, at most `timeout`.
    /// Returns whether they are.
    #[allow(
        clippy::must_use_candidate,
        reason = "who only wants to wait need not ask"
    )]
    pub fn close(&self, timeout: Duration) -> bool {
        self.0.close(timeout)
    }

    /// Returns the counts of the subscription's events in this process.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        self.0.counts()
    }

    /// Returns the number of events accepted so far, for a host that flushes in slices.
    #[doc(hidden)]
    #[must_use]
    pub fn _mark(&self) -> u64 {
        self.0.mark()
    }

    /// Waits until the events accepted before the mark are delivered, at most `timeout`. Returns
    /// whether they are.
    #[doc(hidden)]
    #[must_use]
    pub fn _flush_to(&self, mark: u64, timeout: Duration) -> bool {
        self.0.flush(mark, timeout)
    }

    /// Returns the next events of a [`Sink::Fetch`], at most `most` and one that reports dropped
    /// events. Until the host reports them as fetched, calls of an engine on this thread emit no
    /// events.
    #[doc(hidden)]
    #[must_use]
    pub fn _fetch(&self, most: usize) -> Vec<Event> {
        subscription::set_delivering(true);
        self.0.fetch(most)
    }

    /// Returns the next events of a [`Sink::Pull`], at most `most`, after at most `timeout`. The
    /// list may be empty. Returns `None` at the end of the events.
    #[doc(hidden)]
    #[must_use]
    pub fn _pull(&self, most: usize, timeout: Duration) -> Option<Vec<Event>> {
        subscription::set_delivering(true);
        self.0.pull(most, timeout)
    }

    /// Records that the host has processed `all` fetched events, of which `failed` failed.
    #[doc(hidden)]
    pub fn _fetched(&self, all: usize, failed: usize) {
        subscription::set_delivering(false);
        self.0.fetched(all, failed);
    }
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle")
            .field("closed", &self.0.is_closed())
            .field("counts", &self.counts())
            .finish()
    }
}

/// Ends every log of this process, and waits at most `timeout` for all of them together. For hosts
/// that end without dropping their engines. A second call continues the wait.
#[doc(hidden)]
#[must_use]
pub fn _close_all_logs(timeout: Duration) -> bool {
    subscription::close_all(timeout)
}

/// The time that a dropped engine waits for all its logs together.
const AT_THE_END: Duration = Duration::from_secs(1);

const EVENTS: u8 = 1;
const METRICS: u8 = 2;

/// The event bus of one engine: its subscriptions and its metrics.
pub(crate) struct EventBus {
    /// Whether there are subscriptions or metrics. Each call reads this field.
    on: AtomicU8,
    subscriptions: ArcSwap<Vec<Arc<Subscription>>>,
    stats: ArcSwapOption<Recorder>,
    /// The counts of closed subscriptions.
    past: ArcSwap<LogCounts>,
    clock: Clock,
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus")
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}

impl EventBus {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            on: AtomicU8::new(0),
            subscriptions: ArcSwap::from_pointee(Vec::new()),
            stats: ArcSwapOption::empty(),
            past: ArcSwap::from_pointee(LogCounts::default()),
            clock,
        }
    }

    /// Returns whether there are neither subscriptions nor metrics.
    #[inline(always)]
    pub(crate) fn is_disabled(&self) -> bool {
        self.on.load(Ordering::Relaxed) == 0
    }

    /// Returns whether there are subscriptions to which this thread may emit.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.on.load(Ordering::Relaxed) & EVENTS != 0 && !is_delivering()
    }

    pub(crate) fn log(&self, options: LogOptions, sink: Sink) -> Result<LogHandle, Error> {
        options.check()?;
        if let Sink::File(file) = &sink {
            file.check().map_err(|why| Error::Stream {
                reason: format!("{}: {why}", file.path.display()),
            })?;
        }
        let subscription = Subscription::open(options, sink, self.clock.clone());
        self.subscriptions.rcu(|known| {
            known
                .iter()
                .chain([&subscription])
                .cloned()
                .collect::<Vec<_>>()
        });
        self.on.fetch_or(EVENTS, Ordering::Relaxed);
        Ok(LogHandle(subscription))
    }

    /// Starts or stops the metrics. Earlier counts stay.
    pub(crate) fn measure(&self, on: bool) {
        if on {
            self.stats
                .rcu(|known| known.clone().or_else(|| Some(Arc::default())));
            self.on.fetch_or(METRICS, Ordering::Relaxed);
        } else {
            self.on.fetch_and(!METRICS, Ordering::Relaxed);
        }
    }

    /// Returns the recorder if metrics are on.
    pub(crate) fn recorder(&self) -> Option<Arc<Recorder>> {
        if self.on.load(Ordering::Relaxed) & METRICS == 0 || is_delivering() {
            None
        } else {
            self.stats.load_full()
        }
    }

    /// Returns whether metrics are on, and the recorder if metrics have ever been on.
    pub(crate) fn recorded(&self) -> (bool, Option<Arc<Recorder>>) {
        (
            self.on.load(Ordering::Relaxed) & METRICS != 0,
            self.stats.load_full(),
        )
    }

    /// Returns the sum of the event counts of all subscriptions.
    pub(crate) fn counts(&self) -> LogCounts {
        self.subscriptions
            .load()
            .iter()
            .fold(**self.past.load(), |sum, one| sum.and(one.counts()))
    }

    /// Emits an event. `make` builds it only if some subscription wants it.
    pub(crate) fn emit(
        &self,
        kind: EventKind,
        verb: &'static str,
        allowed: bool,
        make: impl FnOnce(EventBuilder) -> EventBuilder,
    ) {
        if !self.has_subscribers() {
            return;
        }
        let subscriptions = self.subscriptions.load();
        let mut draft = None;
        let mut make = Some(make);
        for subscription in subscriptions.iter().filter(|one| one.wants(kind, allowed)) {
            if let Some(make) = make.take() {
                draft = Some(Arc::new(make(EventBuilder::new(
                    kind,
                    self.clock.now(),
                    Some(verb),
                ))));
            }
            if let Some(draft) = &draft {
                subscription.push(draft);
            }
        }
        if subscriptions.iter().any(|one| one.is_closed()) {
            drop(subscriptions);
            self.forget_closed();
        }
    }

    /// Adds the context fields that some subscription names.
    pub(crate) fn context(
        &self,
        draft: EventBuilder,
        context: &Map<String, Value>,
    ) -> EventBuilder {
        let subscriptions = self.subscriptions.load();
        draft.context(context, |field| {
            subscriptions.iter().any(|one| one.names(field))
        })
    }

    #[cold]
    fn forget_closed(&self) {
        let before = self.subscriptions.rcu(|known| {
            known
                .iter()
                .filter(|one| !one.is_closed())
                .cloned()
                .collect::<Vec<_>>()
        });
        let gone = before
            .iter()
            .filter(|one| one.is_closed())
            .fold(LogCounts::default(), |sum, one| sum.and(one.counts()));
        self.past.rcu(|past| past.and(gone));
        if self.subscriptions.load().is_empty() {
            self.on.fetch_and(!EVENTS, Ordering::Relaxed);
            // A new subscription may have been opened meanwhile.
            if !self.subscriptions.load().is_empty() {
                self.on.fetch_or(EVENTS, Ordering::Relaxed);
            }
        }
    }

    /// Ends all subscriptions, with one short wait for all queued events. Subscriptions that were
    /// closed before had their own wait.
    pub(crate) fn close(&self) {
        let open = self.subscriptions.load_full();
        let timeout = if open.iter().any(|one| one.is_given_up()) {
            Duration::ZERO
        } else {
            AT_THE_END
        };
        subscription::close_together(&open, timeout);
        self.forget_closed();
    }
}

impl Drop for EventBus {
    fn drop(&mut self) {
        self.close();
    }
}
