//! Reads untrusted JSON. Duplicate keys (escaped duplicates included), deep nesting and numbers
//! that would lose digits are refused before a `Value` is built.

use std::collections::HashSet;
use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::error::Error;

/// Prefix of an inner visitor's error for a duplicate key. The key follows.
const TWIN: &str = "duplicate key ";
/// Text of an inner visitor's error for deep nesting.
const DEEP: &str = "nested too deep";

/// Reads one JSON value. `what` names the text in errors.
///
/// # Errors
/// [`Error::Json`], [`Error::DuplicateKey`], [`Error::Nesting`].
pub(crate) fn parse(what: &str, text: &str, nesting: usize) -> Result<Value, Error> {
    check(what, text, nesting)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit(); // `check` has bounded it
    serde::Deserialize::deserialize(&mut reader).map_err(|error| fault(what, nesting, &error))
}

/// Reads one JSON value as `T`. Errors of `T` are reported with line and column.
pub(crate) fn read<T: DeserializeOwned>(
    what: &str,
    text: &str,
    nesting: usize,
) -> Result<T, Error> {
    check(what, text, nesting)?;
    serde_json::from_str(text).map_err(|error| fault(what, nesting, &error))
}

/// Fails unless `text` is one JSON value without duplicate keys, nested at most `nesting` deep.
/// Builds no value.
pub(crate) fn check(what: &str, text: &str, nesting: usize) -> Result<(), Error> {
    let found = depth(text);
    if found > nesting {
        return Err(Error::Nesting {
            what: what.to_owned(),
            limit: nesting,
        });
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit(); // bounded by `nesting`
    DuplicateKeyChecker {
        levels: nesting.saturating_add(1),
    }
    .deserialize(&mut reader)
    .and_then(|()| reader.end())
    .map_err(|error| fault(what, nesting, &error))
}

fn fault(what: &str, nesting: usize, error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let reason = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    if let Some(key) = reason.strip_prefix(TWIN) {
        return Error::DuplicateKey {
            what: what.to_owned(),
            line,
            column,
            key: crate::util::text::short(key),
        };
    }
    if reason == DEEP {
        return Error::Nesting {
            what: what.to_owned(),
            limit: nesting,
        };
    }
    Error::Json {
        what: what.to_owned(),
        line,
        column,
        reason: crate::util::text::short(&reason),
    }
}

/// A visitor that walks a value. It stores only the keys of the enclosing objects.
struct DuplicateKeyChecker {
    levels: usize,
}

impl<'de> DeserializeSeed<'de> for DuplicateKeyChecker {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DuplicateKeyChecker {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        // An integer that does not fit 64 bits arrives here, and would silently lose digits.
        if value.fract() == 0.0 && value.abs() >= 9_223_372_036_854_775_808.0 {
            return Err(E::custom("number out of range"));
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let levels = self
            .levels
            .checked_sub(1)
            .ok_or_else(|| de::Error::custom(DEEP))?;
        while items
            .next_element_seed(DuplicateKeyChecker { levels })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let levels = self
            .levels
            .checked_sub(1)
            .ok_or_else(|| de::Error::custom(DEEP))?;
        let mut keys: HashSet<String> = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(de::Error::custom(format_args!("{TWIN}{key}")));
            }
            keys.insert(key);
            fields.next_value_seed(DuplicateKeyChecker { levels })?;
        }
        Ok(())
    }
}

/// Returns the deepest nesting of brackets in a JSON text, which need not be well formed.
/// Iterative.
pub(crate) fn depth(text: &str) -> usize {
    let (mut deepest, mut now) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now = now.saturating_add(1);
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Maximum size in bytes of the values of one request: its context, or its resource's attributes
/// and tags.
pub(crate) const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// Bytes that each value counts for in addition to its text.
const VALUE_BYTES: usize = 16;

/// Fails with [`Error::ValueSize`] if the values exceed [`MAX_VALUE_BYTES`] together. Iterative;
/// stops at the first value over the limit.
pub(crate) fn check_size<'v>(
    what: &str,
    fields: impl Iterator<Item = (&'v String, &'v Value)>,
) -> Result<(), Error> {
    let refused = || Error::ValueSize {
        what: what.to_owned(),
        limit: MAX_VALUE_BYTES,
    };
    let mut levels = MAX_VALUE_BYTES;
    let mut take = |bytes: usize| {
        levels = levels
            .checked_sub(bytes.saturating_add(VALUE_BYTES))
            .ok_or_else(refused)?;
        Ok::<(), Error>(())
    };
    let mut todo = Vec::new();
    for (name, value) in fields {
        take(name.len())?;
        todo.push(value);
    }
    while let Some(value) = todo.pop() {
        match value {
            Value::String(text) => take(text.len())?,
            Value::Array(items) => {
                take(items.len().saturating_mul(VALUE_BYTES))?;
                todo.extend(items);
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    take(name.len())?;
                    todo.push(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Ok(())
}

/// Fails unless Cedar can hold the value: nested at most `nesting` deep, no null, no fraction, and
/// no integer outside 64 signed bits. Iterative.
pub(crate) fn check_value(what: &str, value: &Value, nesting: usize) -> Result<(), Error> {
    let wrong = |reason: String| Error::Value {
        what: what.to_owned(),
        reason,
    };
    let mut todo = vec![(value, 0_usize)];
    while let Some((value, level)) = todo.pop() {
        if level > nesting {
            return Err(Error::Nesting {
                what: what.to_owned(),
                limit: nesting,
            });
        }
        let below = level.saturating_add(1);
        match value {
            Value::Null => return Err(wrong("null is no Cedar value".to_owned())),
            Value::Number(number) if number.as_i64().is_none() => {
                return Err(wrong(format!("`{number}` is not an integer of 64 bits")));
            }
            Value::Array(items) => todo.extend(items.iter().map(|item| (item, below))),
            Value::Object(fields) => todo.extend(fields.values().map(|field| (field, below))),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_duplicate_keys_are_duplicates() {
        let error = parse("context", "{\n \"a\": 1, \"\\u0061\": 2}", 8).expect_err("twins");
        assert_eq!(error.code(), "input.duplicate_key");
        assert_eq!(
            error.to_string(),
            "context, line 2, column 17: key `a` stands twice"
        );
        assert!(parse("x", r#"[{"a":{"b":1,"b":1}}]"#, 8).is_err());
        assert!(parse("x", r#"[{"a":1},{"a":1}]"#, 8).is_ok());
    }

    #[test]
    fn nesting_is_bounded_on_a_small_stack() {
        let run = || {
            for open in ["[", "{\"a\":"] {
                let error = parse("x", &open.repeat(1_000_000), 64).expect_err("too deep");
                assert_eq!(error.code(), "input.nesting");
            }
            let value = parse("x", &format!("{}1{}", "[".repeat(64), "]".repeat(64)), 64)
                .expect("at the cap");
            check_value("x", &value, 64).expect("at the cap");
        };
        std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(run)
            .expect("a thread")
            .join()
            .expect("no overrun");
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        assert_eq!(
            parse("x", "9223372036854775807", 1)
                .expect("exact")
                .as_i64(),
            Some(i64::MAX)
        );
        assert!(parse("x", "18446744073709551616", 1).is_err());
        let large = parse("x", "18446744073709551615", 1).expect("JSON holds it");
        assert_eq!(
            check_value("x", &large, 1)
                .expect_err("Cedar does not")
                .code(),
            "input.value"
        );
        assert!(check_value("x", &serde_json::json!({"a": [1.5]}), 8).is_err());
        assert!(check_value("x", &serde_json::json!({"a": null}), 8).is_err());
    }

    #[test]
    fn invalid_json_is_reported_with_position() {
        for text in [
            "",
            "{",
            "{\"a\":1}x",
            "nul",
            "\"\\ud800\"",
            "[1,]",
            "{\"a\" 1}",
            "\u{0}",
        ] {
            assert_eq!(
                parse("x", text, 8).expect_err(text).code(),
                "input.json",
                "{text:?}"
            );
        }
    }
}
