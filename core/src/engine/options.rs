//! What an engine is opened with. All defaults live here.

use crate::cedar::options::Validation;
use crate::cedar::source::Source;
use crate::model::clock::Clock;
use crate::util::parse_limits::Caps;

/// What [`Engine::open`](crate::Engine::open) takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policies.
    pub policies: Source,
    /// The store: `memory:`, or `sqlite:PATH`. With `?durability=power` what is answered outlives a power cut too; with
    /// `?create=no` it must be there already.
    pub store: String,
    /// What tells the time.
    pub clock: Clock,
    /// How strictly policies are validated.
    pub validation: Validation,
    /// How large and how deep a text may be.
    pub caps: Caps,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policies: Source::Shipped,
            store: "memory:".to_owned(),
            clock: Clock::default(),
            validation: Validation::default(),
            caps: Caps::default(),
        }
    }
}
