//! Limits: the maximum that an account may use of a meter.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A limit: a number, or unlimited, which is a value of its own (Q3). 0 means none.
///
/// # Example: limits as JSON
/// ```
/// use sublet::Limit;
/// assert_eq!(serde_json::to_string(&Limit::Number(200)).ok().as_deref(), Some("200"));
/// assert_eq!(serde_json::to_string(&Limit::Unlimited).ok().as_deref(), Some("\"unlimited\""));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most this number.
    Number(i64),
    /// No limit.
    Unlimited,
}

/// The used and the reserved amount of a meter, and the limit in force. `None` means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeterCount {
    pub(crate) used: i64,
    pub(crate) held: i64,
    pub(crate) limit: Option<i64>,
}

/// The facts that policies read as `context.facts.quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaFacts<'a> {
    pub(crate) meter: &'a str,
    pub(crate) amount: i64,
    pub(crate) account: MeterCount,
    /// Set if the principal is a member.
    pub(crate) member: Option<MeterCount>,
}

impl Limit {
    /// The largest number of a limit. Above it percentages would overflow, and JavaScript would
    /// round.
    pub const MAX: i64 = 9_007_199_254_740_991;

    /// Returns whether this limit is at most the other one.
    pub(crate) fn is_within(self, most: Self) -> bool {
        match (self, most) {
            (_, Self::Unlimited) => true,
            (Self::Number(number), Self::Number(most)) => number <= most,
            (Self::Unlimited, Self::Number(_)) => false,
        }
    }

    /// Returns the remainder after `used` and `held`, at least 0.
    pub(crate) fn remaining(self, used: i64, held: i64) -> Self {
        match self {
            Self::Unlimited => Self::Unlimited,
            Self::Number(number) => {
                Self::Number(number.saturating_sub(used).saturating_sub(held).max(0))
            }
        }
    }
}

/// The source of a limit (Q11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// The account's package. For a client, the limits that the owner's package sets for its
    /// clients.
    Package,
    /// The client's access level.
    Level,
    /// The account itself.
    Override,
    /// No source: the limit is 0.
    None,
}

impl LimitSource {
    /// Returns the name, which is equal in every language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Level => "level",
            Self::Override => "override",
            Self::None => "none",
        }
    }
}

/// A limit as the directory states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EffectiveLimit {
    /// The limit from the package or the access level.
    pub(crate) base: Option<Limit>,
    pub(crate) source: LimitSource,
    /// The limit set on the account itself.
    pub(crate) over: Option<Limit>,
}

impl EffectiveLimit {
    /// Returns the limit in force, without top-ups of the window. A limit that no source states is
    /// 0 (Q3).
    pub(crate) fn limit(self) -> Limit {
        self.over.or(self.base).unwrap_or(Limit::Number(0))
    }
}

/// Limits by meter.
pub type Limits = BTreeMap<String, Limit>;

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => writer.serialize_i64(*number),
            Self::Unlimited => writer.serialize_str("unlimited"),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Limit;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an integer from 0 to 9007199254740991, or `unlimited`")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
                if (0..=Limit::MAX).contains(&number) {
                    Ok(Limit::Number(number))
                } else {
                    Err(E::invalid_value(de::Unexpected::Signed(number), &self))
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Limit, E> {
                i64::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
                    .and_then(|number| self.visit_i64(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                if text == "unlimited" {
                    Ok(Limit::Unlimited)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
        }
        reader.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No other text or number means unlimited.
    #[test]
    fn unlimited_is_a_value_of_its_own() {
        let read = |text| serde_json::from_str::<Limit>(text).ok();
        assert_eq!(read("\"unlimited\""), Some(Limit::Unlimited));
        assert_eq!(read("0"), Some(Limit::Number(0)));
        assert_eq!(read("9007199254740991"), Some(Limit::Number(Limit::MAX)));
        for bad in [
            "-1",
            "9007199254740992",
            "9223372036854775807",
            "9223372036854775808",
            "1.0",
            "1e3",
            "null",
            "true",
            "\"1\"",
            "\"Unlimited\"",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
