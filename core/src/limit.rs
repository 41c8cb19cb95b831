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
                f.write_str("an integer from 0 to 9223372036854775807, or `unlimited`")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
                if number < 0 { Err(E::invalid_value(de::Unexpected::Signed(number), &self)) } else { Ok(Limit::Number(number)) }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Limit, E> {
                i64::try_from(number).map(Limit::Number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                if text == "unlimited" { Ok(Limit::Unlimited) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }
        }
        reader.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlimited_is_its_own_value_and_nothing_else_is_guessed() {
        let read = |text| serde_json::from_str::<Limit>(text).ok();
        assert_eq!(read("\"unlimited\""), Some(Limit::Unlimited));
        assert_eq!(read("0"), Some(Limit::Number(0)));
        assert_eq!(read("9223372036854775807"), Some(Limit::Number(i64::MAX)));
        for bad in ["-1", "9223372036854775808", "1.0", "1e3", "null", "true", "\"1\"", "\"Unlimited\""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
