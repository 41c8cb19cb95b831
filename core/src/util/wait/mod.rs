//! Bounded waits. Each call has a time budget, and its caller may interrupt it.
#![allow(
    unsafe_code,
    reason = "a borrowed callback is kept for the length of a call, see `with_interrupt`"
)]

pub(crate) mod sync;
pub(crate) mod timed_mutex;

use std::cell::Cell;
use std::time::{Duration, Instant};

pub(crate) use super::wait::timed_mutex::{TimedGuard, TimedMutex};

/// Default time that a call waits for a lock held elsewhere.
pub(crate) const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time between two checks of the caller's interrupt.
const MAX_SLICE: Duration = Duration::from_millis(50);

/// The reason why a wait ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    /// The budget is spent.
    TimedOut,
    /// The caller's interrupt returned `true`.
    Interrupted,
}

type InterruptCheck = *const (dyn Fn() -> bool + 'static);

thread_local! {
    /// Deadline of the call that this thread runs. Nested calls share the deadline, so that waits
    /// do not add up.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static INTERRUPT: Cell<Option<InterruptCheck>> = const { Cell::new(None) };
    /// The instant at which the host requested this thread's work, if the work waited for the
    /// thread.
    static STARTED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work`, and lets `check` interrupt its waits for a store's lock.
///
/// During such a wait, `check` is called on this thread at least every 50 milliseconds. Once it
/// returns `true`, the wait ends with [`Error::Interrupted`](crate::Error::Interrupted), and
/// nothing is written. A call that already holds the lock is completed.
///
/// # Example: a flag that another thread sets
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// let cancelled = AtomicBool::new(false);
/// let engine = sublet::Engine::open(sublet::Options::default())?;
/// let check = || cancelled.load(Ordering::Relaxed);
/// let revision = sublet::with_interrupt(&check, || engine.revision());
/// assert_eq!(revision, 0);
/// # Ok::<(), sublet::Error>(())
/// ```
pub fn with_interrupt<T>(check: &dyn Fn() -> bool, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<InterruptCheck>);
    impl Drop for Restore {
        fn drop(&mut self) {
            INTERRUPT.set(self.0);
        }
    }
    // SAFETY: only the lifetime is erased. The pointer is read on this thread alone and only while
    // `work` runs. `Restore` removes it before `check` can be gone, also if `work` panics.
    let erased: &'static (dyn Fn() -> bool + 'static) =
        unsafe { std::mem::transmute::<&dyn Fn() -> bool, _>(check) };
    let _restore = Restore(INTERRUPT.replace(Some(std::ptr::from_ref(erased))));
    work()
}

/// Runs `work` with a wait budget that starts at `started_at`. Used by hosts whose calls wait for a
/// thread, so that the waits of queued calls do not add up.
#[doc(hidden)]
pub fn _started_at<T>(started_at: Instant, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STARTED_AT.set(self.0);
        }
    }
    let _restore = Restore(STARTED_AT.replace(Some(started_at)));
    work()
}

fn is_interrupted() -> bool {
    // SAFETY: see `with_interrupt`.
    INTERRUPT.get().is_some_and(|check| unsafe { (*check)() })
}

/// The time budget of a call, counted from the start of the call.
#[derive(Debug)]
pub(crate) struct WaitBudget {
    deadline: Instant,
    is_outermost: bool,
}

impl WaitBudget {
    /// Starts the budget of a call, or joins the budget of the enclosing call.
    pub(crate) fn enter(timeout: Duration) -> Self {
        if let Some(deadline) = DEADLINE.get() {
            return Self {
                deadline,
                is_outermost: false,
            };
        }
        let begun = STARTED_AT.get().unwrap_or_else(Instant::now);
        let deadline = begun.checked_add(timeout).unwrap_or(begun);
        DEADLINE.set(Some(deadline));
        Self {
            deadline,
            is_outermost: true,
        }
    }

    /// Returns how long to wait before the next check.
    pub(crate) fn slice(&self) -> Result<Duration, WaitEnd> {
        if is_interrupted() {
            return Err(WaitEnd::Interrupted);
        }
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(remaining) if !remaining.is_zero() => Ok(remaining.min(MAX_SLICE)),
            _ => Err(WaitEnd::TimedOut),
        }
    }

    /// Returns whether the current call of this thread has time left. Returns `true` outside a
    /// call.
    ///
    /// Does not check the interrupt. The interrupt may wait for a thread that forks, and that fork
    /// waits for the transaction that called this function.
    pub(crate) fn has_time_left() -> bool {
        DEADLINE
            .get()
            .is_none_or(|deadline| Instant::now() < deadline)
    }
}

impl Drop for WaitBudget {
    fn drop(&mut self) {
        if self.is_outermost {
            DEADLINE.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn wait_ends_with_its_budget() {
        let mutex = Arc::new(TimedMutex::new(0));
        let held = mutex.try_lock();
        let begun = Instant::now();
        let other = Arc::clone(&mutex);
        let waits = std::thread::spawn(move || {
            other
                .lock(&WaitBudget::enter(Duration::from_millis(120)))
                .map(|_| ())
        });
        assert_eq!(waits.join().expect("joins"), Err(WaitEnd::TimedOut));
        assert!(begun.elapsed() >= Duration::from_millis(120));
        drop(held);
        assert!(
            mutex.lock(&WaitBudget::enter(Duration::ZERO)).is_ok(),
            "a free lock needs no time"
        );
    }

    #[test]
    fn wait_ends_when_interrupted() {
        let mutex = TimedMutex::new(0);
        let _held = mutex.try_lock();
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        let setter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            flag.store(true, Ordering::Relaxed);
        });
        let begun = Instant::now();
        let ended = with_interrupt(&|| cancelled.load(Ordering::Relaxed), || {
            mutex
                .lock(&WaitBudget::enter(DEFAULT_LOCK_TIMEOUT))
                .map(|_| ())
        });
        assert_eq!(ended, Err(WaitEnd::Interrupted));
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(!is_interrupted(), "the interrupt ends with its call");
        setter.join().expect("joins");
    }

    #[test]
    #[expect(
        clippy::used_underscore_items,
        reason = "it is for bindings, and hidden"
    )]
    fn wait_counts_from_the_request() {
        let started_at = Instant::now()
            .checked_sub(Duration::from_secs(1))
            .expect("an instant");
        let waited = _started_at(started_at, || {
            WaitBudget::enter(Duration::from_millis(900)).slice()
        });
        assert_eq!(waited, Err(WaitEnd::TimedOut));
        assert!(
            WaitBudget::enter(Duration::from_millis(900))
                .slice()
                .is_ok()
        );
    }

    #[test]
    fn nested_calls_share_one_deadline() {
        let outer = WaitBudget::enter(Duration::from_millis(1));
        let inner = WaitBudget::enter(Duration::from_secs(60));
        assert_eq!(outer.deadline, inner.deadline);
        drop(inner);
        drop(outer);
        assert!(DEADLINE.get().is_none());
    }
}
