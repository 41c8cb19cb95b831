//! The clock, given when an engine is opened. Time never goes back, and the computer's clock never
//! leaps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::calendar;
use crate::util::error::Error;

/// A day, in milliseconds: as far as a clock may run ahead of the last instant that a store saw.
pub(crate) const DAY: i64 = 86_400_000;

/// How far two readings of one clock may be apart, in milliseconds.
const CLOCKS_APART: i64 = 1_000;

/// What tells the time, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The computer's.
    #[default]
    System,
    /// One that stands until it is set: for tests.
    Manual(ManualClock),
}

/// A clock that stands until it is set. Its clones are the same clock. It is trusted: it may be set
/// far ahead, and no `store.clock_jump` comes of it. What was counted never goes back: set behind
/// that, time stands.
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
    /// A clock that stands at that instant (RFC 3339).
    ///
    /// # Errors
    /// [`Error::Instant`].
    pub fn new(at: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(AtomicI64::new(calendar::parse_instant(at)?))))
    }

    /// Sets it to that instant (RFC 3339), forward or back.
    ///
    /// # Errors
    /// [`Error::Instant`].
    pub fn set(&self, at: &str) -> Result<(), Error> {
        self.0.store(calendar::parse_instant(at)?, Ordering::SeqCst);
        Ok(())
    }

    /// Moves it by so many milliseconds, back if they are negative.
    pub fn advance(&self, milliseconds: i64) {
        let moved = |now: i64| Some(now.saturating_add(milliseconds));
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Where it stands (RFC 3339).
    #[must_use]
    pub fn now(&self) -> String {
        calendar::instant_text(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// In whole milliseconds; without a division of 128 bits, which every transaction would pay.
fn milliseconds(of: Duration) -> i64 {
    i64::try_from(of.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
        .saturating_add(i64::from(of.subsec_millis()))
}

impl Clock {
    /// What it says now.
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

/// The latest instant that was seen, and when that was by a clock that nobody sets: so an idle
/// process is told from a clock that leapt.
#[derive(Debug)]
pub(crate) struct HighWater {
    clock: Clock,
    mark: AtomicI64,
    /// Milliseconds of `start` at which the mark was last moved.
    moved: AtomicI64,
    start: Instant,
}

impl HighWater {
    /// None before this instant; `i64::MIN` where nothing was seen yet.
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

    /// The instant of a transaction.
    ///
    /// # Errors
    /// [`Error::ClockJump`] if the computer's clock is more than a day ahead of what can have
    /// passed. A clock that is set by hand is right.
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

    /// Whether this clock says that an instant which another process has seen can be: it is hardly
    /// ahead of it.
    pub(crate) fn confirms(&self, seen: i64) -> bool {
        seen <= self.clock.now().saturating_add(CLOCKS_APART)
    }

    /// Takes the clock's word for it.
    pub(crate) fn accept(&self) -> i64 {
        self.raise(self.clock.now());
        self.mark.load(Ordering::Acquire)
    }

    /// Forgets what was seen.
    pub(crate) fn forget(&self) {
        self.mark.store(i64::MIN, Ordering::Release);
    }

    /// The latest instant that was seen.
    pub(crate) fn mark(&self) -> i64 {
        self.mark.load(Ordering::Acquire)
    }

    /// Another process has seen this instant.
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
        // A manual clock may jump.
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
