//! Generation numbers for the rows of a directory and for the entities of a program.

use std::sync::atomic::{AtomicU64, Ordering};

/// Next generation number of the process. It starts at 1, because 0 means none.
static NUMBERINGS: AtomicU64 = AtomicU64::new(1);

/// Returns a generation number that is not in use. Numbers have 32 bits, so they repeat only after
/// about four billion reloads.
pub(crate) fn numbering() -> u32 {
    u32::try_from(NUMBERINGS.fetch_add(1, Ordering::Relaxed) & u64::from(u32::MAX)).unwrap_or(0)
}
