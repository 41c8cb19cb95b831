//! JSON Schemas (draft 2020-12): of a type, and of the types whose JSON is written by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::limit::Limit;
use super::record::Record;

/// Returns the schema of the JSON that a type is read from.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    SchemaGenerator::default()
        .into_root_schema_for::<T>()
        .to_value()
}

impl Record {
    /// Returns the JSON Schema of a record, as an import reads it.
    ///
    /// # Example: the number of record types
    /// ```
    /// let schema = sublet::Record::schema();
    /// assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(sublet::Record::TYPES.len()));
    /// ```
    #[must_use]
    pub fn schema() -> Value {
        schema_of::<Self>()
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A limit: a number, or `unlimited`. 0 allows nothing (Q3).",
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": Self::MAX },
                { "type": "string", "const": "unlimited" },
            ],
        })
    }
}
