//! References to entities: a Cedar entity type and an id. The two are always separate, and never
//! Cedar text (E6).

use crate::util::text::{cut, short};
use std::fmt;

use crate::util::error::Error;

/// A type and an id, such as (`Account`, `acme`). The id is data and is never parsed.
///
/// # Example: an id with quotes in it is just an id
/// ```
/// let odd = sublet::EntityRef::new("Account", "x\" || true");
/// assert_eq!(odd.id(), "x\" || true");
/// ```
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub struct EntityRef {
    kind: String,
    id: String,
}

impl EntityRef {
    /// Creates a reference from a type name (with its namespace, if any) and an id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
        }
    }

    /// Returns the name of the entity type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns an action's name: the id alone for type `Action`, otherwise type and id joined by
    /// `::`.
    pub(crate) fn action_name(&self) -> String {
        if self.kind == "Action" {
            self.id.clone()
        } else {
            format!("{}::{}", self.kind, self.id)
        }
    }

    /// Returns the id of the account to which a resource belongs. Fails if the reference is not an
    /// account.
    pub(crate) fn account(&self) -> Result<&str, Error> {
        if self.kind == "Account" {
            Ok(&self.id)
        } else {
            Err(Error::Value {
                what: "resource".to_owned(),
                reason: format!("`{self}` is no account"),
            })
        }
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Maximum bytes of an id (I6).
pub(crate) const MAX_ID_BYTES: usize = 256;

/// Fails if a text cannot be the id of a `what` (E1, I6).
pub(crate) fn check_id(what: &str, id: &str) -> Result<(), Error> {
    match id.len() {
        0 => Err(Error::EmptyId {
            what: what.to_owned(),
        }),
        1..=MAX_ID_BYTES => Ok(()),
        length => Err(Error::IdLength {
            what: what.to_owned(),
            length,
        }),
    }
}

/// Returns whether a text can be an id.
#[inline(always)]
pub(crate) fn is_id(id: &str) -> bool {
    id.len().wrapping_sub(1) < MAX_ID_BYTES
}

impl From<(String, String)> for EntityRef {
    fn from((kind, id): (String, String)) -> Self {
        Self { kind, id }
    }
}

impl From<(&str, &str)> for EntityRef {
    fn from((kind, id): (&str, &str)) -> Self {
        Self::new(kind, id)
    }
}

impl From<EntityRef> for (String, String) {
    fn from(reference: EntityRef) -> Self {
        (reference.kind, reference.id)
    }
}

/// Writes `Account::"acme"`, with the id escaped and cut to a length that fits a message.
impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = cut(&self.id).replace('\\', "\\\\").replace('"', "\\\"");
        write!(
            f,
            "{}::\"{}\"",
            short(&self.kind),
            crate::util::printable::printable(&id)
        )
    }
}
