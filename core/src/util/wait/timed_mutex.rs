//! A mutex whose callers wait within a budget.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::sync::{
    AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, PoisonError, TryLockError, fence,
};
use super::{WaitBudget, WaitEnd};

/// A mutex that gives up if the caller's budget is spent or the caller is interrupted.
///
/// Like a mutex that ignores poison, it keeps the value as a panicking holder left it.
#[derive(Default)]
pub(crate) struct TimedMutex<T> {
    value: Mutex<T>,
    waiting: AtomicUsize,
    gate: Mutex<()>,
    freed: Condvar,
}

impl<T> fmt::Debug for TimedMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedMutex").finish_non_exhaustive()
    }
}

impl<T> TimedMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiting: AtomicUsize::new(0),
            gate: Mutex::new(()),
            freed: Condvar::new(),
        }
    }

    /// Returns the lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<TimedGuard<'_, T>> {
        let guard = match self.value.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(TimedGuard {
            guard,
            _wake: WakeGuard {
                waiting: &self.waiting,
                gate: &self.gate,
                freed: &self.freed,
            },
        })
    }

    /// Waits for the lock within the budget.
    pub(crate) fn lock(&self, budget: &WaitBudget) -> Result<TimedGuard<'_, T>, WaitEnd> {
        if let Some(guard) = self.try_lock() {
            return Ok(guard);
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = self.wait(budget);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        guard
    }

    fn wait(&self, budget: &WaitBudget) -> Result<TimedGuard<'_, T>, WaitEnd> {
        loop {
            // Call this outside the gate, because the caller's interrupt may itself wait: for an
            // interpreter whose lock a forking thread holds.
            let slice = budget.slice();
            // The thread that frees the lock takes the gate before it wakes a waiter. So no wake-up
            // is missed between the attempt and the wait.
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(guard) = self.try_lock() {
                return Ok(guard);
            }
            drop(
                self.freed
                    .wait_timeout(gate, slice?)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Returns the value without a lock. Exclusive access to the mutex makes this safe.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A held lock. Fields are dropped in declaration order, so the lock is free when a waiter wakes.
pub(crate) struct TimedGuard<'m, T> {
    guard: MutexGuard<'m, T>,
    _wake: WakeGuard<'m>,
}

impl<T> Deref for TimedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for TimedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Wakes a waiter when it is dropped.
struct WakeGuard<'m> {
    waiting: &'m AtomicUsize,
    gate: &'m Mutex<()>,
    freed: &'m Condvar,
}

impl Drop for WakeGuard<'_> {
    fn drop(&mut self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.freed.notify_one();
        }
    }
}
