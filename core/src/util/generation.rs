//! Numbers for generations: of the rows of a directory, of the entities of a program.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numberings are counted from 1 in the whole process: 0 is none.
static NUMBERINGS: AtomicU64 = AtomicU64::new(1);

/// A number for a numbering that nobody had before. Above 32 bits they would repeat after four
/// thousand million reloads.
pub(crate) fn numbering() -> u32 {
    u32::try_from(NUMBERINGS.fetch_add(1, Ordering::Relaxed) & u64::from(u32::MAX)).unwrap_or(0)
}
