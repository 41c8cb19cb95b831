//! The shipped bundle, and engines that have the sample agency.

use std::path::Path;

use sublet::{Engine, Options, PolicySource};

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
    let engine = Engine::open(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let lines = include_bytes!("../../policies/tests/agency.jsonl");
    engine
        .import(lines.as_slice(), None, None)
        .expect("the sample agency");
    engine
}
