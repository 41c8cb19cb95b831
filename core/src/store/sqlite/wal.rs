//! The write-ahead log: how long it may become, and when it is written into the database.
//!
//! SQLite's own way would try at each commit once the log is long, and each try walks the whole
//! log: while a reader holds an old view none succeeds, and commits become slower as the log grows.
//! Here a try that did not reach the end is followed by the next one when the log is longer by a
//! quarter, or when the tries so far took less than a twentieth of the time.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

/// How many pages the log has when it is written into the database: 4 MiB.
const USUAL_PAGES: i32 = 1_000;
/// How long the file of the log stays at most, in bytes, when all of it is in the database.
const MAX_LOG_BYTES: i64 = 8 << 20;
/// How many times as long as a try took the next one waits.
const REST: u32 = 20;

/// When the log is to be written into the database.
#[derive(Debug, Clone, Copy)]
struct LogBound {
    /// At how many pages.
    pages: i32,
    /// The end of the last try, where it did not reach the end, and how long the next one waits.
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

    /// Notes a try over so many pages of the log, of which it wrote so many.
    fn tried(&mut self, begun: Instant, pages: i32, written: i32) {
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
    // Cut to this length when it is begun anew.
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
            // What cannot be written now stays in the log: the commit is done.
            let (pages, written) = log
                .checkpoint_v2(CheckpointMode::PASSIVE)
                .unwrap_or((pages, 0));
            bound.tried(begun, pages, written);
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
                bound.tried(Instant::now(), pages, 0);
            }
        }
        assert!((10..60).contains(&tries), "{tries}");
        bound.tried(Instant::now(), 1_000_000, 1_000_000);
        assert!(bound.is_due(USUAL_PAGES) && !bound.is_due(USUAL_PAGES - 1));
    }
}
