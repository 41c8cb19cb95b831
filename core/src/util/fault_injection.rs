//! Where tests let a process die: between two steps that must be one to everybody else.

use std::sync::atomic::{AtomicU8, Ordering};

/// A step after which a process may be made to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailPoint {
    /// A transaction is open and its lock held.
    Begun = 1,
    /// All is done but the commit.
    Worked = 2,
    /// It is committed, and nobody was told.
    Committed = 3,
}

static AT: AtomicU8 = AtomicU8::new(0);

/// Makes the process die the next time that it comes there, unless the environment does not allow
/// it.
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
        // Nothing is unwound, nothing flushed: as by `kill -9`.
        std::process::abort();
    }
}
