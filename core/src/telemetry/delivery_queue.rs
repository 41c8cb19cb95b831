//! The bounded queue between the threads that emit events and the thread that delivers them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::event::EventBuilder;
use crate::util::process_id::process_id;

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

pub(super) enum QueueMessage {
    Event(Arc<EventBuilder>),
    /// Wakes the delivering thread for a change that is not an event.
    Wake,
}

impl QueueMessage {
    pub(super) fn event(self) -> Option<Arc<EventBuilder>> {
        match self {
            Self::Event(draft) => Some(draft),
            Self::Wake => None,
        }
    }
}

/// The delivery queue of one process.
pub(super) struct DeliveryQueue {
    pub(super) process: u32,
    pub(super) sender: SyncSender<QueueMessage>,
    /// Taken by the thread that delivers.
    pub(super) receiver: Mutex<Option<Receiver<QueueMessage>>>,
    /// Whether the delivering thread runs. For a host that fetches: whether it has been woken.
    pub(super) begun: AtomicBool,
    /// Whether the host was asked to start a thread that pulls.
    pub(super) started: AtomicBool,
    pub(super) accepted: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// The number of dropped events that have not been reported yet.
    pub(super) unreported_drops: AtomicU64,
    /// Whether the thread has ended.
    pub(super) ended: AtomicBool,
    progress: (Mutex<()>, Condvar),
}

impl DeliveryQueue {
    pub(super) fn new(queue: usize) -> Self {
        let (sender, receiver) = sync_channel(queue);
        Self {
            process: process_id(),
            sender,
            receiver: Mutex::new(Some(receiver)),
            begun: AtomicBool::new(false),
            started: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            unreported_drops: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            progress: (Mutex::new(()), Condvar::new()),
        }
    }

    pub(super) fn done(&self) -> u64 {
        self.delivered
            .load(Ordering::Acquire)
            .saturating_add(self.failed.load(Ordering::Acquire))
    }

    pub(super) fn counts(&self) -> LogCounts {
        LogCounts {
            delivered: self.delivered.load(Ordering::Acquire),
            dropped: self.dropped.load(Ordering::Acquire),
            failed: self.failed.load(Ordering::Acquire),
        }
    }

    pub(super) fn count_drop(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::AcqRel);
        self.unreported_drops.fetch_add(events, Ordering::AcqRel);
    }

    pub(super) fn delivered(&self, all: usize, failed: usize) {
        let (all, failed) = (all as u64, failed.min(all) as u64);
        self.failed.fetch_add(failed, Ordering::AcqRel);
        self.delivered
            .fetch_add(all.saturating_sub(failed), Ordering::AcqRel);
        self.notify_progress();
    }

    pub(super) fn notify_progress(&self) {
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
    pub(super) fn wait(&self, timeout: Duration, holds: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        let mut guard = self
            .progress
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !holds() {
            let Some(remaining) = timeout
                .checked_sub(begun.elapsed())
                .filter(|remaining| !remaining.is_zero())
            else {
                return holds();
            };
            guard = self
                .progress
                .1
                .wait_timeout(guard, remaining)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}
