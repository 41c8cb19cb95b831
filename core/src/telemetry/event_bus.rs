//! The event bus of an engine, which passes events to the subscriptions and owns the metrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::{Map, Value};

use super::delivery::is_delivering;
use super::delivery_queue::LogCounts;
use super::event::{EventBuilder, EventKind};
use super::log_handle::LogHandle;
use super::log_options::LogOptions;
use super::sink::Sink;
use super::stats::Recorder;
use super::subscription::{self, Subscription};
use crate::model::clock::Clock;
use crate::util::error::Error;

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
        let removed = before
            .iter()
            .filter(|one| one.is_closed())
            .fold(LogCounts::default(), |sum, one| sum.and(one.counts()));
        self.past.rcu(|past| past.and(removed));
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
