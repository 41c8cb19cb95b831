//! The shipped bundle, and engines that have the sample agency.

use std::path::Path;

use sublet::{Clock, Engine, Error, ManualClock, Options, PolicySource};

use crate::facts::bundle_files;

/// Returns the names and texts of the shipped bundle's files.
///
/// # Panics
/// If a file cannot be read.
#[must_use]
pub fn shipped_files() -> Vec<(String, String)> {
    bundle_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies"))
}

/// Opens an engine in memory that has this bundle and the sample agency.
///
/// # Panics
/// If the bundle does not load.
#[must_use]
pub fn agency_engine(files: Vec<(String, String)>) -> Engine {
    open_agency(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Opens an engine of the sample agency over this store, on 31 January 2026 at noon.
///
/// # Panics
/// If the store cannot be opened.
#[must_use]
pub fn agency_at(store: String) -> (Engine, ManualClock) {
    let clock = ManualClock::new("2026-01-31T12:00:00Z").expect("an instant");
    let engine = open_agency(Options {
        store,
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    });
    (engine.unwrap_or_else(|error| panic!("{error}")), clock)
}

/// Opens an engine that has the sample agency. Imports it into an empty store.
///
/// # Errors
/// Fails with the errors of [`Engine::open`].
///
/// # Panics
/// If the agency does not fit the bundle.
pub fn open_agency(options: Options) -> Result<Engine, Error> {
    let engine = Engine::open(options)?;
    if engine.revision() == 0 {
        let lines = include_bytes!("../../policies/tests/agency.jsonl");
        engine
            .import(lines.as_slice(), None, None)
            .expect("the sample agency");
    }
    Ok(engine)
}

/// Returns the shipped bundle with another price of a client over the package's number.
///
/// # Panics
/// If a file cannot be read.
#[must_use]
pub fn priced_bundle(cents: u64) -> PolicySource {
    let mut files = shipped_files();
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "catalog.json") {
        let mut catalog: serde_json::Value = serde_json::from_str(text).expect("the catalog");
        catalog["excess_client_cents"] = serde_json::json!(cents);
        *text = catalog.to_string();
    }
    PolicySource::Files(files)
}
