//! What an engine is opened with. All defaults live here.

use std::str::FromStr;

use crate::policy::Source;
use crate::{Caps, Clock, Error};

/// How strictly policies are validated against the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// Errors and warnings are refused.
    #[default]
    Strict,
    /// Errors are refused, warnings are not.
    Errors,
    /// Nothing is validated. What then cannot be evaluated is denied (E2).
    Off,
}

impl FromStr for Validation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "strict" => Ok(Self::Strict),
            "errors" => Ok(Self::Errors),
            "off" => Ok(Self::Off),
            _ => Err(Error::OptionValue { option: "validation".to_owned(), value: crate::id::short(text) }),
        }
    }
}

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
        Self { policies: Source::Shipped, store: "memory:".to_owned(), clock: Clock::default(), validation: Validation::default(), caps: Caps::default() }
    }
}
