//! Delivery of a subscription's events: by a thread of the log, or by the host that fetches or
//! pulls them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::delivery_queue::{DeliveryQueue, QueueMessage};
use super::event::{Event, EventBuilder, EventKind};
use super::log_handle::LogHandle;
use super::rotating_file::RotatingWriter;
use super::sink::Sink;
use super::subscription::Subscription;
use crate::util::process_id::process_id;

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
    let id = process_id();
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

impl Subscription {
    /// Starts the delivering thread, or wakes the host.
    pub(super) fn begin(self: &Arc<Self>, queue: &Arc<DeliveryQueue>) {
        if let Sink::Fetch(wake) = &self.sink {
            wake();
            return;
        }
        if let Sink::Pull(start) = &self.sink {
            queue.notify_progress();
            if !queue.started.swap(true, Ordering::AcqRel) {
                start(LogHandle(Arc::clone(self)));
            }
            return;
        }
        let (subscription, own) = (Arc::clone(self), Arc::clone(queue));
        let spawned = std::thread::Builder::new()
            .name("sublet-log".to_owned())
            .spawn(move || subscription.deliver(&own));
        // Without a thread the queue fills, and the next event tries to start one again.
        queue.begun.store(spawned.is_ok(), Ordering::Release);
    }

    fn is_at_its_end(&self) -> bool {
        process_id() != self.process && is_main_thread_gone()
    }

    /// Returns the next message, or `None` at the end of a forked process.
    fn next(&self, receiver: &Receiver<QueueMessage>) -> Option<QueueMessage> {
        if process_id() == self.process {
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
    fn deliver(&self, queue: &DeliveryQueue) {
        set_delivering(true);
        let receiver = queue
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
            queue.delivered(drafts.len(), failed);
            self.report_drops(queue, &mut lines);
            if self.is_closed() && drafts.is_empty() {
                break;
            }
            if self.is_closed() {
                // Loop once more, because the queue may be empty and no event would wake the
                // thread.
                let _ = queue.sender.try_send(QueueMessage::Wake);
            }
        }
        *queue
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(receiver);
        queue.ended.store(true, Ordering::Release);
        queue.notify_progress();
    }

    fn report_drops(&self, queue: &DeliveryQueue, lines: &mut Option<RotatingWriter>) {
        if let Some(draft) = self.lost_event(queue) {
            let _ = self.hand_over(&[Arc::new(draft)], lines);
        }
    }

    /// Returns an event with the number of events lost since the last report, if there are any.
    fn lost_event(&self, queue: &DeliveryQueue) -> Option<EventBuilder> {
        let lost = queue.unreported_drops.swap(0, Ordering::AcqRel);
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
                (Sink::Callback(call), _) => call(&events),
                #[cfg(feature = "tracing")]
                (Sink::Tracing(dispatch), _) => {
                    super::tracing_sink::emit_all(dispatch, drafts.iter().zip(&events))
                }
                _ => events.len(),
            }
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(drafts.len())
    }

    /// Returns the next events for a host that fetches, at most `most`. After an empty result the
    /// host is woken again.
    pub(super) fn fetch(&self, most: usize) -> Vec<Event> {
        let queue = self.delivery_queue();
        let Ok(mut receiver) = queue.receiver.try_lock() else {
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
            queue.begun.store(false, Ordering::Release);
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
        events.extend(self.lost_event(&queue).map(|draft| self.view.apply(&draft)));
        events
    }

    /// Returns the next events for a thread of the host that pulls. Waits at most `timeout` for
    /// some.
    pub(super) fn pull(&self, most: usize, timeout: Duration) -> Option<Vec<Event>> {
        let events = self.fetch(most);
        if !events.is_empty() {
            return Some(events);
        }
        let queue = self.delivery_queue();
        if self.is_closed() {
            queue.ended.store(true, Ordering::Release);
            queue.notify_progress();
            return None;
        }
        let is_started = queue.wait(timeout, || {
            queue.begun.load(Ordering::Acquire) || self.is_closed()
        });
        if is_started || !self.is_at_its_end() {
            Some(events)
        } else {
            None
        }
    }

    /// Records the result of the host's work on fetched events.
    pub(super) fn fetched(&self, all: usize, failed: usize) {
        self.delivery_queue().delivered(all, failed);
    }
}

fn line(event: &Event) -> String {
    let mut text = serde_json::to_string(event).unwrap_or_default();
    text.push('\n');
    text
}
