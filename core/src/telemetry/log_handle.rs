//! The handle of a subscription, for the code that opened it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::set_delivering;
use super::delivery_queue::LogCounts;
use super::event::Event;
use super::subscription::{self, Subscription};

/// Time that a caller of a binding waits for a log without a timeout of its own.
pub const DEFAULT_LOG_TIMEOUT: Duration = Duration::from_secs(5);

/// A subscription to an engine's events. If the handle is dropped, the subscription continues until
/// the engine is dropped.
#[derive(Clone)]
pub struct LogHandle(pub(super) Arc<Subscription>);

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

    /// Returns the next events of a [`Sink::Fetch`](super::Sink::Fetch), at most `most` and one
    /// that reports dropped events. Until the host reports them as fetched, calls of an engine on
    /// this thread emit no events.
    #[doc(hidden)]
    #[must_use]
    pub fn _fetch(&self, most: usize) -> Vec<Event> {
        set_delivering(true);
        self.0.fetch(most)
    }

    /// Returns the next events of a [`Sink::Pull`](super::Sink::Pull), at most `most`, after at
    /// most `timeout`. The list may be empty. Returns `None` at the end of the events.
    #[doc(hidden)]
    #[must_use]
    pub fn _pull(&self, most: usize, timeout: Duration) -> Option<Vec<Event>> {
        set_delivering(true);
        self.0.pull(most, timeout)
    }

    /// Records that the host has processed `all` fetched events, of which `failed` failed.
    #[doc(hidden)]
    pub fn _fetched(&self, all: usize, failed: usize) {
        set_delivering(false);
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
