//! The type of a record: its fields and their types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::types::CedarType;
use crate::vm::ConstantPool;

/// The fields of a record by name.
#[derive(Debug, Default)]
pub(crate) struct RecordType {
    pub(super) fields: BTreeMap<Box<str>, FieldType>,
    pub(super) required: usize,
    /// The name of the common type, if it has one.
    pub(super) name: Option<Box<str>>,
}

#[derive(Debug, Clone)]
pub(crate) struct FieldType {
    pub(crate) ty: CedarType,
    pub(crate) required: bool,
    /// The number of the name in the pool of constants, if it was looked up.
    pub(super) text: Option<u32>,
}

impl RecordType {
    pub(crate) fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields.get(name)
    }

    /// Returns the parts of these fields that the type declares. A record keeps its declared fields
    /// only; other values stay whole.
    pub(crate) fn declared_part(&self, fields: &Map<String, Json>) -> Map<String, Json> {
        let part = |ty: &CedarType, value: &Json| match (ty, value) {
            (CedarType::Record(inner), Json::Object(entries)) => Json::Object(
                entries
                    .iter()
                    .filter(|(name, _)| inner.field(name).is_some())
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            ),
            _ => value.clone(),
        };
        fields
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), part(&self.field(name)?.ty, value))))
            .collect()
    }

    /// Returns the names of the fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(|name| &**name)
    }

    /// Returns the names of the fields that every value has.
    pub(crate) fn required_names(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(|(_, field)| field.required);
        fields.map(|(name, _)| &**name)
    }

    /// Returns the name under which the schema declares the type, if it has one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the type without a field, for a value that is passed separately.
    pub(crate) fn without(&self, name: &str) -> Self {
        let fields: BTreeMap<Box<str>, FieldType> = self
            .fields
            .iter()
            .filter(|(known, _)| ***known != *name)
            .map(|(known, field)| (known.clone(), field.clone()))
            .collect();
        let required = fields.values().filter(|field| field.required).count();
        Self {
            fields,
            required,
            name: self.name.clone(),
        }
    }

    /// Returns the type with these fields required too.
    pub(crate) fn requiring(mut self, names: &BTreeSet<&str>) -> Self {
        for (_, field) in self
            .fields
            .iter_mut()
            .filter(|(name, _)| names.contains(&***name))
        {
            field.required = true;
        }
        self.required = self.fields.values().filter(|field| field.required).count();
        self
    }

    /// Looks up the number of each name, so that no request has to.
    pub(crate) fn numbered(mut self, pool: &mut ConstantPool) -> Self {
        for (name, field) in &mut self.fields {
            field.text = Some(pool.text(name));
        }
        self
    }

    /// Returns the number of required fields.
    pub(crate) fn required(&self) -> usize {
        self.required
    }
}
