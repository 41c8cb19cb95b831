//! Crash points for tests. A process dies between two steps that other processes must see as one.

use std::sync::atomic::{AtomicU8, Ordering};

/// A step after which a test may make the process die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailPoint {
    /// A transaction is open and holds its lock.
    Begun = 1,
    /// The work is done, but not committed.
    Worked = 2,
    /// The work is committed, but the caller has no answer yet.
    Committed = 3,
}

static AT: AtomicU8 = AtomicU8::new(0);

/// Makes the process die the next time that it reaches the named point. Does nothing unless
/// `SUBLET_ALLOW_CRASH` is `1`.
pub(crate) fn arm(name: &str) {
    let points = [
        ("begun", FailPoint::Begun),
        ("worked", FailPoint::Worked),
        ("committed", FailPoint::Committed),
    ];
    let point = points
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(0, |(_, point)| *point as u8);
    if std::env::var("SUBLET_ALLOW_CRASH").is_ok_and(|value| value == "1") {
        AT.store(point, Ordering::Release);
    }
}

#[inline]
pub(crate) fn fail_point(point: FailPoint) {
    if AT.load(Ordering::Relaxed) == point as u8 {
        // Aborts without unwinding or flushing, as `kill -9` does.
        std::process::abort();
    }
}
