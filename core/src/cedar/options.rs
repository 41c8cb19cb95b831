//! How strictly policies are validated.

use std::str::FromStr;

use crate::util::error::Error;

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
            _ => Err(Error::OptionValue {
                option: "validation".to_owned(),
                value: crate::util::text::short(text),
            }),
        }
    }
}
