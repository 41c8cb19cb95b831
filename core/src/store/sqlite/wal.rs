//! Bounds the write-ahead log and decides when to checkpoint it.
//!
//! SQLite's default would try at each commit once the log is long, and each try walks the whole
//! log. While a reader holds an old view no try succeeds, and commits become slower as the log
//! grows. Here an incomplete try is repeated when the log has grown by a quarter. It is repeated
//! earlier if the tries so far took less than a twentieth of the time.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

/// The length of the log in pages at which a checkpoint is tried: 4 MiB.
const USUAL_PAGES: i32 = 1_000;
/// The greatest length in bytes that the log file keeps after a complete checkpoint.
const MAX_LOG_BYTES: i64 = 8 << 20;
/// The pause after a try, as a multiple of its duration.
const REST: u32 = 20;

/// The condition for the next checkpoint.
#[derive(Debug, Clone, Copy)]
struct LogBound {
    /// The number of pages from which a try is due.
    pages: i32,
    /// The end of the last incomplete try, and the pause after it.
    waits: Option<(Instant, Duration)>,
}

impl LogBound {
    fn is_due(&self, pages: i32) -> bool {
        pages >= self.pages
            || pages >= USUAL_PAGES
                && self
                    .waits
                    .is_some_and(|(tried, rest)| tried.elapsed() >= rest)
    }

    /// Records a try over the given number of log pages, and the number of pages that it wrote.
    fn record_attempt(&mut self, begun: Instant, pages: i32, written: i32) {
        if written >= pages {
            *self = Self {
                pages: USUAL_PAGES,
                waits: None,
            };
            return;
        }
        let rest = begun
            .elapsed()
            .saturating_mul(REST)
            .max(Duration::from_millis(100));
        *self = Self {
            pages: pages.saturating_add((pages / 4).max(USUAL_PAGES)),
            waits: Some((Instant::now(), rest)),
        };
    }
}

/// Bounds the log of a connection.
pub(super) fn bound(connection: &mut Connection) -> rusqlite::Result<()> {
    // SQLite truncates the log to this length when it restarts the log.
    connection.query_row(
        &format!("PRAGMA journal_size_limit = {MAX_LOG_BYTES}"),
        [],
        |_| Ok(()),
    )?;
    let mut bound = LogBound {
        pages: USUAL_PAGES,
        waits: None,
    };
    connection.wal_hook(Some(move |log: &mut Wal, pages: i32| {
        if bound.is_due(pages) {
            let begun = Instant::now();
            // Pages that cannot be written now stay in the log. The commit itself has succeeded.
            let (pages, written) = log
                .checkpoint_v2(CheckpointMode::PASSIVE)
                .unwrap_or((pages, 0));
            bound.record_attempt(begun, pages, written);
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checkpoints_become_rare() {
        let (mut bound, mut tries) = (
            LogBound {
                pages: USUAL_PAGES,
                waits: None,
            },
            0,
        );
        for pages in 1..1_000_000 {
            if pages >= bound.pages {
                tries += 1;
                bound.record_attempt(Instant::now(), pages, 0);
            }
        }
        assert!((10..60).contains(&tries), "{tries}");
        bound.record_attempt(Instant::now(), 1_000_000, 1_000_000);
        assert!(bound.is_due(USUAL_PAGES) && !bound.is_due(USUAL_PAGES - 1));
    }
}
