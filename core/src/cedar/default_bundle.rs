//! The bundle of `policies/`, embedded in the library.

use super::source::File;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Returns the files of the default bundle.
pub(crate) fn files() -> Vec<File> {
    FILES
        .iter()
        .map(|(name, text)| File {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}
