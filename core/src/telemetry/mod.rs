//! The decision and change log: events, the queues in which they wait, and the sinks that take
//! them. Knows no engine.
//!
//! While nobody subscribes, a verb looks at one number and goes on.

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

/// What a subscription wants.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Of what it is told; that events were dropped it is always told.
    pub events: Vec<EventKind>,
    /// What part of the decisions that allow is told, from 0 to 1. All else is always told.
    pub sample_allowed: f64,
    /// Fields whose values are replaced by `[redacted]`.
    pub redact: Vec<String>,
    /// Fields of the context that are told; without them none is.
    pub context_fields: Vec<String>,
    /// How many events may wait. What comes when so many do is dropped, and counted.
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

/// The most that a queue may hold: its places are reserved at once.
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

/// What a callback is: it gets some events and gives how many of them it could not take.
pub type EventCallback = Arc<dyn Fn(&[Event]) -> usize + Send + Sync>;

/// Where events go.
#[derive(Clone)]
#[non_exhaustive]
pub enum Sink {
    /// JSON lines in a file, which several processes may share.
    File(LogFile),
    /// A function, on a thread of the log's own. What it asks of an engine is not told.
    Call(EventCallback),
    /// To whoever fetches them, told once that there is something. For hosts with an event loop.
    #[doc(hidden)]
    Fetch(Arc<dyn Fn() + Send + Sync>),
    /// To a thread of the host's own, which the function starts once in a process, and which then
    /// pulls: for hosts whose threads must be theirs.
    #[doc(hidden)]
    Pull(Arc<dyn Fn(LogHandle) + Send + Sync>),
    /// The subscriber of the `tracing` crate that is in force where the log is opened.
    #[cfg(feature = "tracing")]
    Tracing(tracing::Dispatch),
}

impl Sink {
    /// JSON lines in a file of that name.
    pub fn file(path: impl Into<std::path::PathBuf>) -> Self {
        Self::File(LogFile::new(path))
    }

    /// A function that is given events, a few at a time. If it panics, they count as failed.
    pub fn call(call: impl Fn(&[Event]) + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(move |events| {
            call(events);
            0
        }))
    }

    /// The `tracing` subscriber in force: each event with target `sublet`, in the span where it
    /// happened; refusals and lost events at `WARN`, erring policies at `ERROR`, all else at
    /// `INFO`.
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

/// A subscription to an engine's events. It goes on when this handle is dropped, until the engine
/// is.
#[derive(Clone)]
pub struct LogHandle(Arc<Subscription>);

impl LogHandle {
    /// Waits until what happened before is delivered, at most so long; gives whether it is.
    #[allow(
        clippy::must_use_candidate,
        reason = "who only wants to wait need not ask"
    )]
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.flush(self.0.mark(), timeout)
    }

    /// Ends the subscription, and waits at most so long until what happened before is delivered;
    /// gives whether it is.
    #[allow(
        clippy::must_use_candidate,
        reason = "who only wants to wait need not ask"
    )]
    pub fn close(&self, timeout: Duration) -> bool {
        self.0.close(timeout)
    }

    /// What became of its events, in this process.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        self.0.counts()
    }

    /// How much was accepted so far, for a host that flushes in slices.
    #[doc(hidden)]
    #[must_use]
    pub fn _mark(&self) -> u64 {
        self.0.mark()
    }

    /// Waits at most so long until what was accepted at the mark is delivered; gives whether it is.
    #[doc(hidden)]
    #[must_use]
    pub fn _flush_to(&self, mark: u64, timeout: Duration) -> bool {
        self.0.flush(mark, timeout)
    }

    /// The next events of a [`Sink::Fetch`], at most so many and one that says how many were
    /// dropped. While a host works on them what this thread asks of an engine is not told.
    #[doc(hidden)]
    #[must_use]
    pub fn _fetch(&self, most: usize) -> Vec<Event> {
        subscription::set_delivering(true);
        self.0.fetch(most)
    }

    /// The next events of a [`Sink::Pull`], at most so many, after at most so long; perhaps none.
    /// Returns `None` if there will be no more.
    #[doc(hidden)]
    #[must_use]
    pub fn _pull(&self, most: usize, timeout: Duration) -> Option<Vec<Event>> {
        subscription::set_delivering(true);
        self.0.pull(most, timeout)
    }

    /// So many of the fetched were worked on, and so many of them failed.
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

/// Ends every log of this process, and waits at most so long for all together: for hosts that end
/// without dropping their engines. It may be called again to wait on.
#[doc(hidden)]
#[must_use]
pub fn _close_all_logs(timeout: Duration) -> bool {
    subscription::close_all(timeout)
}

/// How long an engine that is dropped waits for all its logs together.
const AT_THE_END: Duration = Duration::from_secs(1);

const EVENTS: u8 = 1;
const METRICS: u8 = 2;

/// Everything that is told of one engine.
pub(crate) struct EventBus {
    /// Whether somebody wants to know: what each verb looks at.
    on: AtomicU8,
    subscriptions: ArcSwap<Vec<Arc<Subscription>>>,
    stats: ArcSwapOption<Recorder>,
    /// The counts of subscriptions that are closed.
    past: ArcSwap<LogCounts>,
    clock: Clock,
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
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

    /// Whether nobody wants to know anything.
    #[inline(always)]
    pub(crate) fn is_disabled(&self) -> bool {
        self.on.load(Ordering::Relaxed) == 0
    }

    /// Whether somebody subscribes.
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

    /// Counts from now on, or no more; what was counted stays.
    pub(crate) fn measure(&self, on: bool) {
        if on {
            self.stats
                .rcu(|known| known.clone().or_else(|| Some(Arc::default())));
            self.on.fetch_or(METRICS, Ordering::Relaxed);
        } else {
            self.on.fetch_and(!METRICS, Ordering::Relaxed);
        }
    }

    /// What counts, if something does.
    pub(crate) fn recorder(&self) -> Option<Arc<Recorder>> {
        if self.on.load(Ordering::Relaxed) & METRICS == 0 || is_delivering() {
            None
        } else {
            self.stats.load_full()
        }
    }

    /// What was counted, whether or not something counts now.
    pub(crate) fn recorded(&self) -> (bool, Option<Arc<Recorder>>) {
        (
            self.on.load(Ordering::Relaxed) & METRICS != 0,
            self.stats.load_full(),
        )
    }

    /// What became of the events of all subscriptions.
    pub(crate) fn counts(&self) -> LogCounts {
        self.subscriptions
            .load()
            .iter()
            .fold(**self.past.load(), |sum, one| sum.and(one.counts()))
    }

    /// Tells of something, made only if somebody wants it.
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

    /// The context, as far as some subscription names its fields.
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
            // Somebody may have come meanwhile.
            if !self.subscriptions.load().is_empty() {
                self.on.fetch_or(EVENTS, Ordering::Relaxed);
            }
        }
    }

    /// Ends all subscriptions, waiting at most a little for what is on its way: once for all of
    /// them. Those that were closed before had their time.
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
