//! Tracks the fields that a record's JSON names. A record that replaces another must not remove a
//! field that it does not name.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The fields that a record names.
#[derive(Debug, Clone, Default)]
pub(crate) enum NamedFields {
    /// A program created the record, which names all fields. A client without a level may get
    /// the level of its owner's package.
    #[default]
    Made,
    /// The record was read from JSON that names these fields.
    Read(Arc<BTreeSet<String>>),
    /// A directory stored the record, which names all fields. A field without a value stays absent.
    Stored,
}

impl NamedFields {
    /// Returns whether the record names a field.
    pub(crate) fn has(&self, field: &str) -> bool {
        !matches!(self, Self::Read(fields) if !fields.contains(field))
    }

    /// Returns whether the record names all fields.
    pub(crate) fn is_all(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    /// Returns whether an absent field must stay absent.
    pub(crate) fn is_said(&self, field: &str) -> bool {
        !matches!(self, Self::Made) && self.has(field)
    }
}

impl FromIterator<String> for NamedFields {
    fn from_iter<I: IntoIterator<Item = String>>(fields: I) -> Self {
        Self::Read(Arc::new(fields.into_iter().collect()))
    }
}

/// Two records are equal if their values are, whatever number of fields each names.
impl PartialEq for NamedFields {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NamedFields {}
