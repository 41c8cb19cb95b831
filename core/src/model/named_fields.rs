//! Which fields a record's JSON names: a record that is put over another is to take away nothing
//! that it does not name.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The fields that a record names.
#[derive(Debug, Clone, Default)]
pub(crate) enum NamedFields {
    /// A record that a program made: all of them. A client without a level may get that of its
    /// owner's package.
    #[default]
    Made,
    /// Those of a record's JSON.
    Read(Arc<BTreeSet<String>>),
    /// A record as it was in a directory: all of them, and what it does not have it is without.
    Stored,
}

impl NamedFields {
    /// Whether a field was named.
    pub(crate) fn has(&self, field: &str) -> bool {
        !matches!(self, Self::Read(fields) if !fields.contains(field))
    }

    /// Whether all fields were.
    pub(crate) fn is_all(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    /// Whether an absent field is to stay absent.
    pub(crate) fn is_said(&self, field: &str) -> bool {
        !matches!(self, Self::Made) && self.has(field)
    }
}

impl FromIterator<String> for NamedFields {
    fn from_iter<I: IntoIterator<Item = String>>(fields: I) -> Self {
        Self::Read(Arc::new(fields.into_iter().collect()))
    }
}

/// Two records are equal if they say the same, however much of it they named.
impl PartialEq for NamedFields {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NamedFields {}
