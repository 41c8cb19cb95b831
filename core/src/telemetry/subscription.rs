//! A subscription: a bounded queue that no producer waits for, and the thread that delivers its
//! events.
//!
//! Queue and thread belong to one process. A fork copies the queue without the thread, and perhaps
//! in the middle of an operation. So a child never touches the copy, and creates a new queue and
//! thread at its first event.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;

use super::event::{Event, EventBuilder, EventFilter, EventKind};
use super::rotating_file::RotatingWriter;
use super::{LogHandle, LogOptions, Sink};
use crate::model::clock::Clock;

/// The greatest number of events in one delivery.
const BATCH: usize = 256;

/// The interval at which the delivering thread of a forked process checks whether the process has
/// ended.
const LOOK: Duration = Duration::from_secs(1);

/// Returns whether the main thread of this process has ended, so that only threads of its logs keep
/// it alive.
///
/// A process that was forked from a thread ends with that thread, and no library is notified of the
/// end.
fn is_main_thread_gone() -> bool {
    let id = process::id();
    let stat = std::fs::read_to_string(format!("/proc/{id}/task/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

thread_local! {
    /// Whether this thread delivers events. Calls of an engine by a sink emit no events, because
    /// delivery would otherwise never end.
    static DELIVERS: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread must not emit events.
pub(crate) fn is_delivering() -> bool {
    DELIVERS.try_with(Cell::get).unwrap_or(false)
}

/// Sets whether this thread delivers from now on.
pub(crate) fn set_delivering(delivers: bool) {
    let _ = DELIVERS.try_with(|now| now.set(delivers));
}

/// The counts of a subscription's events in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LogCounts {
    /// The number of events that the sink accepted.
    pub delivered: u64,
    /// The number of lost events: the queue was full, or the log was closed before they were
    /// delivered.
    pub dropped: u64,
    /// The number of events that the sink could not process, such as after a failed callback or on
    /// a full disk.
    pub failed: u64,
}

impl LogCounts {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered.saturating_add(other.delivered),
            dropped: self.dropped.saturating_add(other.dropped),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}

enum QueueMessage {
    Event(Arc<EventBuilder>),
    /// Wakes the delivering thread for a change that is not an event.
    Wake,
}

/// The delivery queue of one process.
struct DeliveryQueue {
    process: u32,
    sender: SyncSender<QueueMessage>,
    /// Taken by the thread that delivers.
    receiver: Mutex<Option<Receiver<QueueMessage>>>,
    /// Whether the delivering thread runs. For a host that fetches: whether it has been woken.
    begun: AtomicBool,
    /// Whether the host was asked to start a thread that pulls.
    started: AtomicBool,
    accepted: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    /// The number of dropped events that have not been reported yet.
    untold: AtomicU64,
    /// Whether the thread has ended.
    ended: AtomicBool,
    progress: (Mutex<()>, Condvar),
}

impl DeliveryQueue {
    fn new(queue: usize) -> Self {
        let (sender, receiver) = sync_channel(queue);
        Self {
            process: process::id(),
            sender,
            receiver: Mutex::new(Some(receiver)),
            begun: AtomicBool::new(false),
            started: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            progress: (Mutex::new(()), Condvar::new()),
        }
    }

    fn done(&self) -> u64 {
        self.delivered
            .load(Ordering::Acquire)
            .saturating_add(self.failed.load(Ordering::Acquire))
    }

    fn counts(&self) -> LogCounts {
        LogCounts {
            delivered: self.delivered.load(Ordering::Acquire),
            dropped: self.dropped.load(Ordering::Acquire),
            failed: self.failed.load(Ordering::Acquire),
        }
    }

    fn count_drop(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::AcqRel);
        self.untold.fetch_add(events, Ordering::AcqRel);
    }

    fn delivered(&self, all: usize, failed: usize) {
        let (all, failed) = (all as u64, failed.min(all) as u64);
        self.failed.fetch_add(failed, Ordering::AcqRel);
        self.delivered
            .fetch_add(all.saturating_sub(failed), Ordering::AcqRel);
        self.tell_progress();
    }

    fn tell_progress(&self) {
        // Takes the lock so that no waiter misses this notification between its check and its wait.
        drop(
            self.progress
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.progress.1.notify_all();
    }

    /// Waits until the condition holds or the time is over. Returns whether the condition holds.
    fn wait(&self, timeout: Duration, holds: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        let mut guard = self
            .progress
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !holds() {
            let Some(left) = timeout
                .checked_sub(begun.elapsed())
                .filter(|left| !left.is_zero())
            else {
                return holds();
            };
            guard = self
                .progress
                .1
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

/// A subscription.
pub(super) struct Subscription {
    options: LogOptions,
    view: EventFilter,
    sink: Sink,
    clock: Clock,
    /// The number of allowed decisions seen, for the sample.
    seen: AtomicU64,
    closed: AtomicBool,
    /// Whether the process is ending, so that no engine waits for queued events.
    given_up: AtomicBool,
    /// The id of the process that opened the subscription.
    process: u32,
    room: ArcSwap<DeliveryQueue>,
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
    let left = || timeout.saturating_sub(begun.elapsed());
    let mut is_done = true;
    // Each subscription is waited for, even after one that is late.
    for subscription in subscriptions {
        is_done &= subscription.wait_for_end(left());
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
        let room = ArcSwap::from_pointee(DeliveryQueue::new(options.queue));
        Self {
            options,
            view,
            sink,
            clock,
            seen: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            process: process::id(),
            room,
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
    fn room(&self) -> Arc<DeliveryQueue> {
        let room = self.room.load_full();
        if room.process == process::id() {
            return room;
        }
        // The parent's queue is never freed here, because a thread that this process lacks may have
        // been using it.
        std::mem::forget(Arc::clone(&room));
        self.room
            .compare_and_swap(&room, Arc::new(DeliveryQueue::new(self.options.queue)));
        self.room.load_full()
    }

    /// Enqueues an event, or drops it if the queue is full. Never waits.
    pub(super) fn push(self: &Arc<Self>, draft: &Arc<EventBuilder>) {
        let room = self.room();
        match room.sender.try_send(QueueMessage::Event(Arc::clone(draft))) {
            Ok(()) => {
                room.accepted.fetch_add(1, Ordering::AcqRel);
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => room.count_drop(1),
        }
        if !room.begun.swap(true, Ordering::AcqRel) {
            self.begin(&room);
        }
    }

    /// Starts the delivering thread, or wakes the host.
    fn begin(self: &Arc<Self>, room: &Arc<DeliveryQueue>) {
        if let Sink::Fetch(wake) = &self.sink {
            wake();
            return;
        }
        if let Sink::Pull(start) = &self.sink {
            room.tell_progress();
            if !room.started.swap(true, Ordering::AcqRel) {
                start(LogHandle(Arc::clone(self)));
            }
            return;
        }
        let (subscription, own) = (Arc::clone(self), Arc::clone(room));
        let spawned = std::thread::Builder::new()
            .name("sublet-log".to_owned())
            .spawn(move || subscription.deliver(&own));
        // Without a thread the queue fills, and the next event tries to start one again.
        room.begun.store(spawned.is_ok(), Ordering::Release);
    }

    fn is_at_its_end(&self) -> bool {
        process::id() != self.process && is_main_thread_gone()
    }

    /// Returns the next message, or `None` at the end of a forked process.
    fn next(&self, receiver: &Receiver<QueueMessage>) -> Option<QueueMessage> {
        if process::id() == self.process {
            return receiver.recv().ok();
        }
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) if !self.is_at_its_end() => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Delivers events until the log is closed and the queue is empty.
    fn deliver(&self, room: &DeliveryQueue) {
        set_delivering(true);
        let receiver = room
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(receiver) = receiver else { return };
        let mut lines = if let Sink::File(file) = &self.sink {
            Some(RotatingWriter::new(file.clone()))
        } else {
            None
        };
        while let Some(first) = self.next(&receiver) {
            let rest = receiver.try_iter().take(BATCH.saturating_sub(1));
            let drafts: Vec<Arc<EventBuilder>> = std::iter::once(first)
                .chain(rest)
                .filter_map(QueueMessage::event)
                .collect();
            let failed = self.hand_over(&drafts, &mut lines);
            room.delivered(drafts.len(), failed);
            self.report_drops(room, &mut lines);
            if self.is_closed() && drafts.is_empty() {
                break;
            }
            if self.is_closed() {
                // Loop once more, because the queue may be empty and no event would wake the
                // thread.
                let _ = room.sender.try_send(QueueMessage::Wake);
            }
        }
        *room.receiver.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
        room.ended.store(true, Ordering::Release);
        room.tell_progress();
    }

    fn report_drops(&self, room: &DeliveryQueue, lines: &mut Option<RotatingWriter>) {
        if let Some(draft) = self.lost(room) {
            let _ = self.hand_over(&[Arc::new(draft)], lines);
        }
    }

    /// Returns an event with the number of events lost since the last report, if there are any.
    fn lost(&self, room: &DeliveryQueue) -> Option<EventBuilder> {
        let lost = room.untold.swap(0, Ordering::AcqRel);
        (lost > 0).then(|| {
            EventBuilder::new(EventKind::Dropped, self.clock.now(), None).field("count", Some(lost))
        })
    }

    /// Passes events to the sink. Returns how many the sink could not process.
    fn hand_over(&self, drafts: &[Arc<EventBuilder>], lines: &mut Option<RotatingWriter>) -> usize {
        if drafts.is_empty() {
            return 0;
        }
        let work = || {
            let events: Vec<Event> = drafts.iter().map(|draft| self.view.apply(draft)).collect();
            match (&self.sink, lines) {
                (Sink::File(_), Some(lines)) => {
                    lines.write(&events.iter().map(line).collect::<Vec<_>>())
                }
                (Sink::Call(call), _) => call(&events),
                #[cfg(feature = "tracing")]
                (Sink::Tracing(dispatch), _) => {
                    super::tracing_sink::tell(dispatch, drafts.iter().zip(&events))
                }
                _ => events.len(),
            }
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(drafts.len())
    }

    /// Returns the next events for a host that fetches, at most `most`. After an empty result the
    /// host is woken again.
    pub(super) fn fetch(&self, most: usize) -> Vec<Event> {
        let room = self.room();
        let Ok(mut receiver) = room.receiver.try_lock() else {
            return Vec::new();
        };
        let Some(waiting) = receiver.as_mut() else {
            return Vec::new();
        };
        let mut drafts: Vec<Arc<EventBuilder>> = waiting
            .try_iter()
            .take(most)
            .filter_map(QueueMessage::event)
            .collect();
        if drafts.is_empty() {
            room.begun.store(false, Ordering::Release);
            // An event that arrived before `begun` was cleared would otherwise wait for the next
            // event.
            drafts.extend(
                waiting
                    .try_iter()
                    .take(most)
                    .filter_map(QueueMessage::event),
            );
        }
        let mut events: Vec<Event> = drafts.iter().map(|draft| self.view.apply(draft)).collect();
        events.extend(self.lost(&room).map(|draft| self.view.apply(&draft)));
        events
    }

    /// Returns the next events for a thread of the host that pulls. Waits at most `timeout` for
    /// some.
    pub(super) fn pull(&self, most: usize, timeout: Duration) -> Option<Vec<Event>> {
        let events = self.fetch(most);
        if !events.is_empty() {
            return Some(events);
        }
        let room = self.room();
        if self.is_closed() {
            room.ended.store(true, Ordering::Release);
            room.tell_progress();
            return None;
        }
        let is_told = room.wait(timeout, || {
            room.begun.load(Ordering::Acquire) || self.is_closed()
        });
        if is_told || !self.is_at_its_end() {
            Some(events)
        } else {
            None
        }
    }

    /// Records the result of the host's work on fetched events.
    pub(super) fn fetched(&self, all: usize, failed: usize) {
        self.room().delivered(all, failed);
    }

    pub(super) fn counts(&self) -> LogCounts {
        let room = self.room.load();
        if room.process == process::id() {
            room.counts()
        } else {
            LogCounts::default()
        }
    }

    /// Returns the number of events accepted so far, which [`Self::flush`] waits for.
    pub(super) fn mark(&self) -> u64 {
        let room = self.room.load();
        if room.process == process::id() {
            room.accepted.load(Ordering::Acquire)
        } else {
            0
        }
    }

    /// Waits until the events accepted before the mark are delivered. Returns whether they are.
    pub(super) fn flush(&self, mark: u64, timeout: Duration) -> bool {
        let room = self.room.load_full();
        room.process != process::id() || room.wait(timeout, || room.done() >= mark)
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
        let room = self.room.load();
        if room.process != process::id() {
            return;
        }
        match &self.sink {
            Sink::Fetch(_) => {}
            Sink::Pull(_) => room.tell_progress(),
            _ => drop(room.sender.try_send(QueueMessage::Wake)),
        }
    }

    /// Waits until the thread has ended, at most `timeout`. Returns whether all events were
    /// delivered.
    fn wait_for_end(&self, timeout: Duration) -> bool {
        let room = self.room.load_full();
        if room.process != process::id() {
            return true;
        }
        if matches!(self.sink, Sink::Fetch(_)) {
            return room.done() >= room.accepted.load(Ordering::Acquire);
        }
        let thread = if matches!(self.sink, Sink::Pull(_)) {
            &room.started
        } else {
            &room.begun
        };
        if !thread.load(Ordering::Acquire) {
            return Self::lose_late(&room) == 0;
        }
        // A sink that closes its own log must not wait for itself.
        let ended = !is_delivering() && room.wait(timeout, || room.ended.load(Ordering::Acquire));
        if ended {
            // These events arrived while the thread was ending.
            Self::lose_late(&room);
        }
        ended
    }

    /// Counts the events that no thread will deliver as dropped. Returns their number.
    fn lose_late(room: &DeliveryQueue) -> u64 {
        let receiver = room
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let late = receiver.map_or(0, |receiver| {
            receiver.try_iter().filter_map(QueueMessage::event).count()
        }) as u64;
        room.dropped.fetch_add(late, Ordering::AcqRel);
        late
    }

    /// Returns whether the process is ending.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

impl QueueMessage {
    fn event(self) -> Option<Arc<EventBuilder>> {
        match self {
            Self::Event(draft) => Some(draft),
            Self::Wake => None,
        }
    }
}

fn line(event: &Event) -> String {
    let mut text = serde_json::to_string(event).unwrap_or_default();
    text.push('\n');
    text
}

/// Returns a pseudorandom number (splitmix64). A sample thus covers any pattern of requests without
/// randomness.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
