//! Patches, which change some fields of a record. A field that a patch leaves out is not removed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Directory;
use super::record_key::RecordKey;
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::json;

/// Changes some fields of an existing record. Fields that the patch does not name stay.
///
/// In JSON it is an object with the record's `type` and `id`, and the fields that change. `null`
/// removes an optional field. `limits`, `sub_limits`, `client_limits` and `attributes` are changed
/// entry by entry, and `null` removes an entry. Lists are replaced.
///
/// # Example
/// A disabled account stays disabled in a sync that knows only its e-mail:
/// ```
/// use sublet::{Change, Engine, Options, Record, RecordPatch, EntityRef};
/// let engine = Engine::open(Options::default())?;
/// let record = r#"{"type": "Account", "id": "acme", "email": "old@acme.example",
///     "package": "agency", "disabled": ["abuse"]}"#;
/// engine.apply_changes(vec![Change::Put(Record::from_json(record)?)], None)?;
/// let patch = r#"{"type": "Account", "id": "acme", "email": "new@acme.example"}"#;
/// engine.apply_changes(vec![Change::Merge(RecordPatch::from_json(patch)?)], None)?;
/// let Some(Record::Account(account)) = engine.get_record(&EntityRef::new("Account", "acme"))? else {
///     panic!()
/// };
/// assert_eq!((account.email(), account.disabled().count()), ("new@acme.example", 1));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RecordPatch {
    reference: EntityRef,
    fields: Map<String, Value>,
}

/// Returns the optional fields of a record type, which `null` removes.
fn optional_fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "Account" => &[
            "package",
            "owner",
            "level",
            "disabled",
            "limits",
            "zone",
            "anchor",
            "pending",
            "transfer",
            "created",
            "closed_at",
            "not_before",
            "attributes",
        ],
        "TeamMember" => &[
            "email",
            "grants",
            "sub_limits",
            "pending",
            "service",
            "not_before",
            "attributes",
        ],
        "AccessLevel" => &["features", "limits"],
        "Package" => &[
            "features",
            "client_accounts",
            "limits",
            "client_limits",
            "client_limits_max",
            "client_level",
        ],
        "Operator" => &["roles", "not_before"],
        "Domain" => &["owner", "state", "until"],
        _ => &[],
    }
}

/// Fields that are changed entry by entry.
const ENTRIES: [&str; 5] = [
    "limits",
    "sub_limits",
    "client_limits",
    "client_limits_max",
    "attributes",
];

impl RecordPatch {
    /// Reads a patch from JSON text.
    ///
    /// # Errors
    /// Like [`RecordPatch::from_value`], and [`Error::DuplicateKey`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        json::check("record", text, crate::model::record::NESTING)?;
        Self::from_value(serde_json::from_str(text).map_err(|error| Error::Record {
            line: 1,
            reason: error.to_string(),
        })?)
    }

    /// Reads a patch from a JSON value.
    ///
    /// # Errors
    /// - [`Error::Record`] if the value is not an object with a `type` and an `id`.
    /// - [`Error::RecordType`] if the type is unknown.
    /// - [`Error::EmptyId`] if the id is empty.
    ///
    /// The fields are checked when the patch is applied.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let fault = |reason: &str| Error::Record {
            line: 1,
            reason: reason.to_owned(),
        };
        let Value::Object(fields) = value else {
            return Err(fault("a record is an object"));
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let (Some(kind), Some(id)) = (text("type"), text("id")) else {
            return Err(fault("a record is named by its `type` and its `id`"));
        };
        if !Record::TYPES.contains(&kind) {
            return Err(Error::RecordType {
                name: crate::util::text::short(kind),
            });
        }
        if id.is_empty() {
            return Err(Error::EmptyId {
                what: kind.to_owned(),
            });
        }
        Ok(Self {
            reference: EntityRef::new(kind, id),
            fields,
        })
    }

    /// Returns the owner that the patch names.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.fields.get("owner").and_then(Value::as_str)
    }

    /// Returns the record that the patch changes.
    #[must_use]
    pub fn reference(&self) -> &EntityRef {
        &self.reference
    }

    /// Returns the record with the patch applied.
    pub(super) fn merged(self, before: &Record) -> Result<Record, Error> {
        let mut record = object_of(before)?;
        let optional = optional_fields(before.kind());
        for (name, value) in self.fields {
            match (value, record.get_mut(&name)) {
                (Value::Null, _) if optional.contains(&name.as_str()) => drop(record.remove(&name)),
                (Value::Object(entries), Some(Value::Object(known)))
                    if ENTRIES.contains(&name.as_str()) =>
                {
                    known.extend(entries);
                    known.retain(|_, value| !value.is_null());
                }
                (Value::Object(mut entries), None) if ENTRIES.contains(&name.as_str()) => {
                    entries.retain(|_, value| !value.is_null());
                    record.insert(name, Value::Object(entries));
                }
                (value, _) => drop(record.insert(name, value)),
            }
        }
        Ok(Record::from_value(Value::Object(record))?.naming_all())
    }
}

fn object_of(record: &Record) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Error::Record {
            line: 1,
            reason: "a record is an object".to_owned(),
        }),
        Err(error) => Err(Error::Record {
            line: 1,
            reason: error.to_string(),
        }),
    }
}

impl Directory {
    /// Checks that a put record does not reset fields which its JSON does not name.
    pub(super) fn check_named(
        &self,
        put: &[(RecordKey, NamedFields)],
        before: &Self,
    ) -> Result<(), Error> {
        for (key, named) in put.iter().filter(|(_, named)| !named.is_all()) {
            let old = Some(*key)
                .filter(|key| before.hot.is_own(*key))
                .and_then(|key| before.own_record(key));
            let (Some(old), Some(new)) = (old, self.own_record(*key)) else {
                continue;
            };
            let (old, new) = (object_of(&old)?, object_of(&new)?);
            let reset: BTreeSet<String> = old
                .iter()
                .filter(|(name, value)| !named.has(name) && new.get(*name) != Some(*value))
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            if !reset.is_empty() {
                let fields = reset.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Error::WouldReset {
                    record: self.reference(*key).to_string(),
                    fields,
                });
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "schema"))]
mod tests {
    use super::*;

    /// The lists of optional and of merged fields are those that the schema of records implies.
    #[test]
    fn patches_know_the_fields_of_records() {
        let schema = Record::schema();
        let mut merged = BTreeSet::new();
        for record in schema["oneOf"].as_array().expect("a union") {
            let kind = record["properties"]["type"]["const"].as_str();
            let required = record["required"].as_array().expect("required fields");
            let fields = record["properties"].as_object().expect("fields");
            let optional: BTreeSet<_> = fields
                .iter()
                .filter(|(name, field)| {
                    !required.contains(&name.as_str().into()) && field["type"] != "boolean"
                })
                .map(|(name, _)| name.as_str())
                .collect();
            let listed = optional_fields(kind.expect("a type"));
            assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), optional);
            let maps = fields.iter().filter(|(_, field)| field["type"] == "object");
            merged.extend(maps.map(|(name, _)| name.clone()));
        }
        assert_eq!(merged, ENTRIES.map(str::to_owned).into());
    }
}
