//! What an engine is opened with. All defaults live here.

use crate::cedar::options::Validation;
use crate::cedar::source::PolicySource;
use crate::model::clock::Clock;
use crate::util::parse_limits::ParseLimits;

/// What [`Engine::database`](crate::Engine::open) takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policies.
    pub policies: PolicySource,
    /// The store: `memory:`, or `sqlite:PATH`. With `?durability=power` what is answered outlives a
    /// power cut too; with `?create=no` it must be there already.
    pub store: String,
    /// What tells the time.
    pub clock: Clock,
    /// How strictly policies are validated.
    pub validation: Validation,
    /// How large and how deep a text may be.
    pub caps: ParseLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policies: PolicySource::Shipped,
            store: "memory:".to_owned(),
            clock: Clock::default(),
            validation: Validation::default(),
            caps: ParseLimits::default(),
        }
    }
}
