//! Temporary folders for the files of a test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Creates an empty temporary folder.
///
/// # Panics
/// If the folder cannot be created.
#[must_use]
pub fn folder() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir()
        .join("sublet-tests")
        .join(format!("{}-{next}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
