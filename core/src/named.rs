//! Which fields a record's JSON names: a record that is put over another is to take away nothing that it does not name.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The fields that a record's JSON named. A record that was read from a directory, or made by a command, names all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedFields(Option<Arc<BTreeSet<String>>>);

impl NamedFields {
    /// Whether a field was named.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.as_ref().is_none_or(|fields| fields.contains(field))
    }

    /// Whether all fields were.
    pub(crate) fn is_all(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<String> for NamedFields {
    fn from_iter<I: IntoIterator<Item = String>>(fields: I) -> Self {
        Self(Some(Arc::new(fields.into_iter().collect())))
    }
}

/// Two records are equal if they say the same, however much of it they named.
impl PartialEq for NamedFields {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NamedFields {}
