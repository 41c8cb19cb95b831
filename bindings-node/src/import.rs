//! Imports of a file off the event loop, with their progress.

use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use napi_derive::napi;
use sublet::{Error, ImportProgress};

/// Progress of an import, and whether it must stop. The event loop reads it and never waits for it.
#[derive(Default)]
pub(crate) struct ImportProgressCounters {
    records: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

impl ImportProgressCounters {
    fn report(&self, progress: ImportProgress) -> bool {
        self.records.store(progress.records, Ordering::Relaxed);
        self.bytes.store(progress.bytes, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

/// The progress of one import; `index.js` reads it from a timer.
#[napi]
#[derive(Default)]
pub struct NativeWatch {
    pub(crate) inner: Arc<ImportProgressCounters>,
}

#[napi]
impl NativeWatch {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn progress(&self) -> Vec<String> {
        [&self.inner.records, &self.inner.bytes]
            .iter()
            .map(|count| count.load(Ordering::Relaxed).to_string())
            .collect()
    }

    #[napi]
    pub fn stop(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }
}

/// Imports a file, unless the import was stopped before.
pub(crate) fn import_file(
    engine: &sublet::Engine,
    path: &str,
    watch: &ImportProgressCounters,
    expected: Option<u64>,
) -> std::result::Result<String, Error> {
    let file = std::fs::File::open(path).map_err(|why| Error::Stream {
        reason: format!("{path}: {why}"),
    })?;
    if watch.stop.load(Ordering::Relaxed) {
        return Err(Error::Cancelled { records: 0 });
    }
    let mut report = |progress| watch.report(progress);
    engine
        .import(BufReader::new(file), expected, Some(&mut report))
        .map(|revision| revision.to_string())
}
