//! A subscription: its options, its queue that no producer waits for, and its end.
//!
//! Queue and thread belong to one process. A fork copies the queue without the thread, and perhaps
//! in the middle of an operation. So a child never touches the copy, and creates a new queue and
//! thread at its first event.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::delivery::is_delivering;
use super::delivery_queue::{DeliveryQueue, LogCounts, QueueMessage};
use super::event::{EventBuilder, EventFilter, EventKind};
use super::log_options::LogOptions;
use super::sink::Sink;
use crate::model::clock::Clock;
use crate::util::process_id::process_id;

/// A subscription.
pub(super) struct Subscription {
    options: LogOptions,
    pub(super) view: EventFilter,
    pub(super) sink: Sink,
    pub(super) clock: Clock,
    /// The number of allowed decisions seen, for the sample.
    seen: AtomicU64,
    closed: AtomicBool,
    /// Whether the process is ending, so that no engine waits for queued events.
    given_up: AtomicBool,
    /// The id of the process that opened the subscription.
    pub(super) process: u32,
    queue: ArcSwap<DeliveryQueue>,
}

/// The subscriptions of this process, for hosts that end without dropping their engines.
static OPEN: ArcSwapOption<Vec<Weak<Subscription>>> = ArcSwapOption::const_empty();

/// Ends subscriptions and waits for all of them together, at most `timeout`. Returns whether all
/// events were delivered.
pub(super) fn close_together(subscriptions: &[Arc<Subscription>], timeout: Duration) -> bool {
    let begun = Instant::now();
    for subscription in subscriptions {
        subscription.end();
    }
    let remaining = || timeout.saturating_sub(begun.elapsed());
    let mut is_done = true;
    // Each subscription is waited for, even after one that is late.
    for subscription in subscriptions {
        is_done &= subscription.wait_for_end(remaining());
    }
    is_done
}

/// Ends every subscription of this process for good. Engines that are dropped later do not wait for
/// them.
pub(super) fn close_all(timeout: Duration) -> bool {
    let open: Vec<Arc<Subscription>> = OPEN
        .load()
        .iter()
        .flat_map(|open| open.iter())
        .filter_map(Weak::upgrade)
        .collect();
    for subscription in &open {
        subscription.given_up.store(true, Ordering::Release);
    }
    close_together(&open, timeout)
}

impl Subscription {
    /// Opens a subscription and registers it for [`close_all`].
    pub(super) fn open(options: LogOptions, sink: Sink, clock: Clock) -> Arc<Self> {
        let made = Arc::new(Self::new(options, sink, clock));
        OPEN.rcu(|open| {
            let others = open
                .iter()
                .flat_map(|open| open.iter())
                .filter(|one| one.strong_count() > 0)
                .cloned();
            Some(Arc::new(others.chain([Arc::downgrade(&made)]).collect()))
        });
        made
    }

    fn new(options: LogOptions, sink: Sink, clock: Clock) -> Self {
        let view = EventFilter {
            redact: options.redact.clone(),
            context_fields: options.context_fields.clone(),
        };
        let queue = ArcSwap::from_pointee(DeliveryQueue::new(options.queue));
        Self {
            options,
            view,
            sink,
            clock,
            seen: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            process: process_id(),
            queue,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns whether the subscription wants this field of the context.
    pub(super) fn names(&self, field: &str) -> bool {
        self.options.context_fields.iter().any(|name| name == field)
    }

    /// Returns whether the subscription wants such an event. Allowed decisions may be sampled.
    pub(super) fn wants(&self, kind: EventKind, allowed: bool) -> bool {
        if self.is_closed() || !self.options.events.contains(&kind) {
            return false;
        }
        if kind != EventKind::Decision || !allowed || self.options.sample_allowed >= 1.0 {
            return true;
        }
        #[allow(clippy::cast_precision_loss, reason = "a part of all, not a count")]
        let place = mixed(self.seen.fetch_add(1, Ordering::Relaxed)) as f64 / u64::MAX as f64;
        place < self.options.sample_allowed
    }

    /// Returns the delivery queue of this process.
    pub(super) fn delivery_queue(&self) -> Arc<DeliveryQueue> {
        let queue = self.queue.load_full();
        if queue.process == process_id() {
            return queue;
        }
        // The parent's queue is never freed here, because a thread that this process lacks may have
        // been using it.
        std::mem::forget(Arc::clone(&queue));
        self.queue
            .compare_and_swap(&queue, Arc::new(DeliveryQueue::new(self.options.queue)));
        self.queue.load_full()
    }

    /// Enqueues an event, or drops it if the queue is full. Never waits.
    pub(super) fn push(self: &Arc<Self>, draft: &Arc<EventBuilder>) {
        let queue = self.delivery_queue();
        match queue
            .sender
            .try_send(QueueMessage::Event(Arc::clone(draft)))
        {
            Ok(()) => {
                queue.accepted.fetch_add(1, Ordering::AcqRel);
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => queue.count_drop(1),
        }
        if !queue.begun.swap(true, Ordering::AcqRel) {
            self.begin(&queue);
        }
    }

    pub(super) fn counts(&self) -> LogCounts {
        let queue = self.queue.load();
        if queue.process == process_id() {
            queue.counts()
        } else {
            LogCounts::default()
        }
    }

    /// Returns the number of events accepted so far, which [`Self::flush`] waits for.
    pub(super) fn mark(&self) -> u64 {
        let queue = self.queue.load();
        if queue.process == process_id() {
            queue.accepted.load(Ordering::Acquire)
        } else {
            0
        }
    }

    /// Waits until the events accepted before the mark are delivered. Returns whether they are.
    pub(super) fn flush(&self, mark: u64, timeout: Duration) -> bool {
        let queue = self.queue.load_full();
        queue.process != process_id() || queue.wait(timeout, || queue.done() >= mark)
    }

    /// Closes the subscription and waits for its queued events, at most `timeout`. Drops the rest.
    /// Returns whether all events were delivered.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        self.end();
        self.wait_for_end(timeout)
    }

    /// Closes the subscription, and lets its thread end when the queue is empty.
    fn end(&self) {
        self.closed.store(true, Ordering::Release);
        let queue = self.queue.load();
        if queue.process != process_id() {
            return;
        }
        match &self.sink {
            Sink::Fetch(_) => {}
            Sink::Pull(_) => queue.notify_progress(),
            _ => drop(queue.sender.try_send(QueueMessage::Wake)),
        }
    }

    /// Waits until the thread has ended, at most `timeout`. Returns whether all events were
    /// delivered.
    fn wait_for_end(&self, timeout: Duration) -> bool {
        let queue = self.queue.load_full();
        if queue.process != process_id() {
            return true;
        }
        if matches!(self.sink, Sink::Fetch(_)) {
            return queue.done() >= queue.accepted.load(Ordering::Acquire);
        }
        let thread = if matches!(self.sink, Sink::Pull(_)) {
            &queue.started
        } else {
            &queue.begun
        };
        if !thread.load(Ordering::Acquire) {
            return Self::lose_late(&queue) == 0;
        }
        // A sink that closes its own log must not wait for itself.
        let ended = !is_delivering() && queue.wait(timeout, || queue.ended.load(Ordering::Acquire));
        if ended {
            // These events arrived while the thread was ending.
            Self::lose_late(&queue);
        }
        ended
    }

    /// Counts the events that no thread will deliver as dropped. Returns their number.
    fn lose_late(queue: &DeliveryQueue) -> u64 {
        let receiver = queue
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let late = receiver.map_or(0, |receiver| {
            receiver.try_iter().filter_map(QueueMessage::event).count()
        }) as u64;
        queue.dropped.fetch_add(late, Ordering::AcqRel);
        late
    }

    /// Returns whether the process is ending.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

/// Returns a pseudorandom number (splitmix64). A sample thus covers any pattern of requests without
/// randomness.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
