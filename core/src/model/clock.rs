//! The clock of an engine, passed to `open`. Time never goes back, and a jump of the system clock
//! is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::calendar;
use crate::util::error::Error;

/// One day in milliseconds: the maximum that the clock may run ahead of the last instant in a
/// store.
pub(crate) const DAY: i64 = 86_400_000;

/// Maximum difference between two readings of one clock, in milliseconds.
const CLOCKS_APART: i64 = 1_000;

/// A source of the time in milliseconds since 1970 UTC.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system clock.
    #[default]
    System,
    /// A clock for tests. It stands still until it is set.
    Manual(ManualClock),
}

/// A clock that stands still until it is set. Clones share one clock.
///
/// A manual clock is trusted, so setting it far ahead never causes `store.clock_jump`. If it is set
/// back, the time of the store stands still, because counts never go back.
///
/// # Example: the last second of January
/// ```
/// let clock = sublet::ManualClock::new("2026-01-31T23:59:59Z")?;
/// clock.advance(1_000);
/// assert_eq!(clock.now(), "2026-02-01T00:00:00Z");
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Creates a clock that stands at this instant (RFC 3339).
    ///
    /// # Errors
    /// [`Error::Instant`] if the text is not an instant.
    pub fn new(at: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(AtomicI64::new(calendar::parse_instant(at)?))))
    }

    /// Sets the clock to this instant (RFC 3339), forward or back.
    ///
    /// # Errors
    /// [`Error::Instant`] if the text is not an instant.
    pub fn set(&self, at: &str) -> Result<(), Error> {
        self.0.store(calendar::parse_instant(at)?, Ordering::SeqCst);
        Ok(())
    }

    /// Moves the clock by the given number of milliseconds. A negative number moves it back.
    pub fn advance(&self, milliseconds: i64) {
        let moved = |now: i64| Some(now.saturating_add(milliseconds));
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Returns the instant at which the clock stands (RFC 3339).
    #[must_use]
    pub fn now(&self) -> String {
        calendar::instant_text(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Converts to whole milliseconds. Avoids a 128-bit division, which every transaction would pay
/// for.
fn milliseconds(of: Duration) -> i64 {
    i64::try_from(of.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
        .saturating_add(i64::from(of.subsec_millis()))
}

impl Clock {
    /// Returns the current time of the clock.
    pub(crate) fn now(&self) -> i64 {
        match self {
            Self::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => milliseconds(since),
                Err(before) => milliseconds(before.duration()).saturating_neg(),
            },
            Self::Manual(clock) => clock.0.load(Ordering::SeqCst),
        }
    }
}

/// The latest instant seen, and when it was seen by a monotonic clock. The monotonic clock tells an
/// idle process from a clock that jumped.
#[derive(Debug)]
pub(crate) struct HighWater {
    clock: Clock,
    mark: AtomicI64,
    /// Milliseconds from `start` to the last move of the mark.
    moved: AtomicI64,
    start: Instant,
}

impl HighWater {
    /// Creates a mark before which time never goes. `i64::MIN` if no instant was seen yet.
    pub(crate) fn new(clock: Clock, mark: i64) -> Self {
        Self {
            clock,
            mark: AtomicI64::new(mark),
            moved: AtomicI64::new(0),
            start: Instant::now(),
        }
    }

    fn running(&self) -> i64 {
        milliseconds(self.start.elapsed())
    }

    /// Returns the instant of a transaction.
    ///
    /// # Errors
    /// [`Error::ClockJump`] if the system clock is over a day ahead of the time that can have
    /// passed. A manual clock never fails.
    pub(crate) fn now(&self) -> Result<i64, Error> {
        let (now, mark) = (self.clock.now(), self.mark.load(Ordering::Acquire));
        if now <= mark {
            return Ok(mark);
        }
        if matches!(self.clock, Clock::System) && mark != i64::MIN && now.saturating_sub(mark) > DAY
        {
            let passed = self
                .running()
                .saturating_sub(self.moved.load(Ordering::Acquire));
            if now.saturating_sub(mark) > DAY.saturating_add(passed) {
                let text = |at| calendar::instant_text(at).unwrap_or_else(|| at.to_string());
                return Err(Error::ClockJump {
                    now: text(now),
                    last: text(mark),
                });
            }
        }
        self.raise(now);
        Ok(now)
    }

    /// Returns the present time, or the mark if it is later. Moves no mark and never fails.
    pub(crate) fn peek(&self) -> i64 {
        self.clock.now().max(self.mark())
    }

    /// Returns whether this clock confirms an instant that another process has seen. It does if the
    /// instant is at most slightly ahead of the clock.
    pub(crate) fn confirms(&self, seen: i64) -> bool {
        seen <= self.clock.now().saturating_add(CLOCKS_APART)
    }

    /// Trusts the clock: moves the mark to its current time. Returns the mark.
    pub(crate) fn accept(&self) -> i64 {
        self.raise(self.clock.now());
        self.mark.load(Ordering::Acquire)
    }

    /// Clears the mark.
    pub(crate) fn forget(&self) {
        self.mark.store(i64::MIN, Ordering::Release);
    }

    /// Returns the latest instant seen.
    pub(crate) fn mark(&self) -> i64 {
        self.mark.load(Ordering::Acquire)
    }

    /// Moves the mark to an instant that another process has seen.
    pub(crate) fn raise(&self, seen: i64) {
        self.mark.fetch_max(seen, Ordering::AcqRel);
        self.moved.store(self.running(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back() -> Result<(), Error> {
        let clock = ManualClock::new("2026-03-31T12:00:00Z")?;
        let water = HighWater::new(Clock::Manual(clock.clone()), i64::MIN);
        let noon = water.now()?;
        clock.advance(-2 * 3_600_000);
        assert_eq!(water.now()?, noon);
        clock.advance(3 * 3_600_000);
        assert_eq!(water.now()?, noon + 3_600_000);
        clock.advance(DAY);
        assert_eq!(water.now()?, noon + 3_600_000 + DAY);
        // A manual clock is trusted.
        clock.advance(40 * DAY);
        assert_eq!(water.now()?, noon + 3_600_000 + 41 * DAY);
        clock.advance(-40 * DAY);
        assert_eq!(water.now()?, noon + 3_600_000 + 41 * DAY);
        water.forget();
        assert_eq!(water.now()?, noon + 3_600_000 + DAY);
        Ok(())
    }

    #[test]
    fn system_clock_jump_is_an_error() {
        let water = HighWater::new(Clock::System, Clock::System.now() - 3 * DAY);
        assert_eq!(
            water.now().map_err(|error| error.code()),
            Err("store.clock_jump")
        );
        assert_eq!(
            water.now().map_err(|error| error.code()),
            Err("store.clock_jump")
        );
        water.accept();
        assert!(water.now().is_ok());
    }

    #[test]
    fn first_system_time_is_trusted() -> Result<(), Error> {
        let water = HighWater::new(Clock::System, i64::MIN);
        let first = water.now()?;
        assert!(water.now()? >= first);
        Ok(())
    }
}
