//! Engines of one process that load the same texts share the loaded policies.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;

use super::{LoadedPolicies, PolicyEngine};
use crate::cedar::options::Validation;
use crate::cedar::source;
use crate::model::fingerprint::Fingerprint;
use crate::util::error::Error;
use crate::util::parse_limits::ParseLimits;

/// The digest of the texts, and all else that loading depends on.
type LoadKey = ([u8; 32], Validation, ParseLimits);

/// The policies that were loaded last.
#[derive(Debug)]
struct LastLoaded {
    key: LoadKey,
    loaded: Weak<LoadedPolicies>,
}

static LAST: ArcSwapOption<LastLoaded> = ArcSwapOption::const_empty();

/// Returns the policies of these named texts. `load` loads them, unless an engine of this process
/// has them.
pub(super) fn load_once<'a>(
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    validation: Validation,
    caps: &ParseLimits,
    load: impl FnOnce() -> Result<PolicyEngine, Error>,
) -> Result<Arc<LoadedPolicies>, Error> {
    let digest = source::digest(texts);
    let key = (digest, validation, caps.clone());
    if let Some(last) = &*LAST.load()
        && last.key == key
        && let Some(loaded) = last.loaded.upgrade()
    {
        return Ok(loaded);
    }
    let loaded = Arc::new(LoadedPolicies {
        fingerprint: Fingerprint::of(&digest),
        kind: load()?,
    });
    LAST.store(Some(Arc::new(LastLoaded {
        key,
        loaded: Arc::downgrade(&loaded),
    })));
    Ok(loaded)
}
