//! Option for the strictness of policy validation.

use std::str::FromStr;

use crate::util::error::Error;

/// Strictness of the validation of policies against the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// Errors and warnings are refused.
    #[default]
    Strict,
    /// Errors are refused, warnings are not.
    Errors,
    /// Nothing is validated. A request whose evaluation fails is denied (E2).
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
