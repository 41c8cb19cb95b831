//! The bundle of `policies/`, in the library itself.

use super::source::File;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The files of the shipped bundle.
pub(crate) fn files() -> Vec<File> {
    FILES
        .iter()
        .map(|(name, text)| File {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}
