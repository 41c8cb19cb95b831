//! Names of things: a Cedar entity type and an id, always apart, never as Cedar text (E6).

use std::fmt;

use crate::Error;

/// A type and an id, such as (`Account`, `acme`). The id is data: nothing in it is ever parsed.
///
/// # Example: an id with quotes in it is just an id
/// ```
/// let odd = sublet::Ref::new("Account", "x\" || true");
/// assert_eq!(odd.id(), "x\" || true");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub struct Ref {
    kind: String,
    id: String,
}

impl Ref {
    /// A reference by type name (with its namespace, if any) and id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }

    /// The entity type's name.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// An action's name: its id alone for type `Action`, else type and id joined by `::`.
    pub(crate) fn action_name(&self) -> String {
        if self.kind == "Action" { self.id.clone() } else { format!("{}::{}", self.kind, self.id) }
    }

    /// The id of the account that it names, as the one that a resource belongs to.
    pub(crate) fn account(&self) -> Result<&str, Error> {
        if self.kind == "Account" { Ok(&self.id) } else { Err(Error::Value { what: "resource".to_owned(), reason: format!("`{self}` is no account") }) }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The most bytes that an id has (I6).
pub(crate) const MAX_ID_BYTES: usize = 256;

/// Whether a text can be the id of a `what` (E1, I6).
pub(crate) fn check_id(what: &str, id: &str) -> Result<(), Error> {
    match id.len() {
        0 => Err(Error::EmptyId { what: what.to_owned() }),
        1..=MAX_ID_BYTES => Ok(()),
        length => Err(Error::IdLength { what: what.to_owned(), length }),
    }
}

/// Whether a text can be an id.
#[inline(always)]
pub(crate) fn is_id(id: &str) -> bool {
    id.len().wrapping_sub(1) < MAX_ID_BYTES
}

impl From<(String, String)> for Ref {
    fn from((kind, id): (String, String)) -> Self {
        Self { kind, id }
    }
}

impl From<(&str, &str)> for Ref {
    fn from((kind, id): (&str, &str)) -> Self {
        Self::new(kind, id)
    }
}

impl From<Ref> for (String, String) {
    fn from(reference: Ref) -> Self {
        (reference.kind, reference.id)
    }
}

/// `Account::"acme"`, with the id escaped and cut to a length that fits a message.
impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = cut(&self.id).replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "{}::\"{}\"", short(&self.kind), crate::printable(&id))
    }
}

/// Whether two texts are the same. For the short ones of a hot call: a call of `memcmp` costs more than comparing them.
#[inline(always)]
pub(crate) fn same(left: &str, right: &str) -> bool {
    same_bytes(left.as_bytes(), right.as_bytes())
}

/// The same of bytes: their first and their last few, which overlap where they are not twice as many.
#[inline(always)]
pub(crate) fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let ends = match left.len() {
        0..4 => return left.iter().zip(right).all(|(one, other)| one == other),
        4..8 => ends::<4>(left, right),
        8..=16 => ends::<8>(left, right),
        17..=32 => ends::<16>(left, right),
        _ => return left == right,
    };
    ends == Some(true)
}

#[inline(always)]
fn ends<const N: usize>(left: &[u8], right: &[u8]) -> Option<bool> {
    Some((left.first_chunk::<N>()? == right.first_chunk()?) & (left.last_chunk::<N>()? == right.last_chunk()?))
}

/// The first 80 characters, [`printable`](crate::printable()): messages never repeat a megabyte of a caller's input.
pub(crate) fn short(text: &str) -> String {
    crate::printable(&cut(text))
}

fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(80).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use super::same;

    #[test]
    fn texts_are_the_same_when_all_their_bytes_are() {
        let text = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for len in 0..text.len() {
            let one = text.get(..len).expect("ascii");
            assert!(same(one, one) && !same(one, text));
            for at in 0..len {
                let mut other = one.to_owned().into_bytes();
                other[at] ^= 1;
                assert!(!same(one, std::str::from_utf8(&other).expect("ascii")), "{len} {at}");
            }
        }
    }
}
