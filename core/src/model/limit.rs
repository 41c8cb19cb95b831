//! The most that an account may use of a meter.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A limit: a number, or unlimited, which is its own value (Q3). 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most this many.
    Number(i64),
    /// As many as one likes.
    Unlimited,
}

/// What is used and reserved of a meter, and the limit in force; none where it is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) used: i64,
    pub(crate) held: i64,
    pub(crate) limit: Option<i64>,
}

/// What policies read as `context.facts.quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaFacts<'a> {
    pub(crate) meter: &'a str,
    pub(crate) amount: i64,
    pub(crate) account: Count,
    /// Where a member asks.
    pub(crate) member: Option<Count>,
}

impl Limit {
    /// The largest number: above it percentages would overflow, and JavaScript would round.
    pub const MOST: i64 = 9_007_199_254_740_991;

    /// Returns what is left after `used` and `held`, at least 0.
    pub(crate) fn remaining(self, used: i64, held: i64) -> Self {
        match self {
            Self::Unlimited => Self::Unlimited,
            Self::Number(number) => {
                Self::Number(number.saturating_sub(used).saturating_sub(held).max(0))
            }
        }
    }
}

/// Where a limit comes from (Q11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// The account's package; a client's: what the owner's package gives its clients.
    Package,
    /// The client's access level.
    Level,
    /// The account itself.
    Override,
    /// Nothing states it: then it is 0.
    None,
}

impl LimitSource {
    /// The name in every language.
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

/// A limit as the directory says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EffectiveLimit {
    /// From the package or the access level.
    pub(crate) base: Option<Limit>,
    pub(crate) source: LimitSource,
    /// Set on the account itself.
    pub(crate) over: Option<Limit>,
}

impl EffectiveLimit {
    /// The limit in force, without what was added for a window. What nobody states is none (Q3).
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
                if (0..=Limit::MOST).contains(&number) {
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
        assert_eq!(read("9007199254740991"), Some(Limit::Number(Limit::MOST)));
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
