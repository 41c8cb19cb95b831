//! The options of an engine. All defaults are defined here.

use crate::cedar::options::Validation;
use crate::cedar::source::PolicySource;
use crate::model::clock::Clock;
use crate::util::parse_limits::ParseLimits;

/// The options of [`Engine::open`](crate::Engine::open).
#[derive(Debug, Clone)]
pub struct Options {
    /// The policies.
    pub policies: PolicySource,
    /// The store: `memory:`, or `sqlite:PATH`. With `?durability=power` every commit also survives
    /// a loss of power. With `?create=no` the store must exist already.
    pub store: String,
    /// The clock.
    pub clock: Clock,
    /// How strictly policies are validated.
    pub validation: Validation,
    /// The greatest size and nesting of a text.
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
