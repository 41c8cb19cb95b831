//! The operators of an author's conditions, each with a class of conditions.

/// The class of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AtomKind {
    /// A fact of one record, with or without a literal.
    Stored,
    /// A comparison of two records.
    Compared,
    /// Anything else.
    Computed,
    /// A connective of conditions, which the compiler turns into no atom.
    Joined,
}

use AtomKind::{Compared, Computed, Joined, Stored};

/// Every operator, with its class.
pub const ATOMS: &[(&str, AtomKind)] = &[
    ("flag", Stored),
    ("has", Stored),
    ("contains item", Stored),
    ("containsAny items", Stored),
    ("containsAll items", Stored),
    ("has path", Stored),
    ("isEmpty", Stored),
    ("attribute ==", Stored),
    ("record ==", Stored),
    ("record in", Stored),
    ("is one of", Stored),
    ("same ==", Compared),
    ("same !=", Compared),
    ("same in", Compared),
    ("<", Computed),
    ("<=", Computed),
    (">", Computed),
    (">=", Computed),
    ("+", Computed),
    ("minus", Computed),
    ("*", Computed),
    ("-", Computed),
    ("==", Computed),
    ("!=", Computed),
    ("like", Computed),
    ("is", Computed),
    ("if", Computed),
    ("set ==", Computed),
    ("contains", Computed),
    ("containsAll", Computed),
    ("containsAny", Computed),
    ("fields ==", Computed),
    ("getTag", Computed),
    ("hasTag", Computed),
    ("in", Computed),
    ("is in", Computed),
    ("action in", Computed),
    ("field", Computed),
    ("record", Computed),
    ("decimal", Computed),
    ("lessThan", Computed),
    ("lessThanOrEqual", Computed),
    ("greaterThan", Computed),
    ("greaterThanOrEqual", Computed),
    ("ip", Computed),
    ("isIpv4", Computed),
    ("isIpv6", Computed),
    ("isLoopback", Computed),
    ("isMulticast", Computed),
    ("isInRange", Computed),
    ("datetime", Computed),
    ("offset", Computed),
    ("durationSince", Computed),
    ("toDate", Computed),
    ("toTime", Computed),
    ("duration", Computed),
    ("toMilliseconds", Computed),
    ("toSeconds", Computed),
    ("toMinutes", Computed),
    ("toHours", Computed),
    ("toDays", Computed),
    ("&&", Joined),
    ("||", Joined),
    ("!", Joined),
];

/// Operators that cannot fail in a policy that Cedar's validator accepts.
pub const NEVER_ERRING: &[&str] = &["action in"];

/// Operators that are seldom true, false or erring. So they are drawn more often, most of all those
/// that stand here several times.
pub(super) const SELDOM: [&str; 12] = [
    "+",
    "minus",
    "*",
    "if",
    "record",
    "isInRange",
    "fields ==",
    "fields ==",
    "fields ==",
    "&&",
    "&&",
    "&&",
];

/// A condition with its operator.
#[derive(Debug, Clone)]
pub struct Atom {
    /// The tests without which Cedar's validator refuses the condition, as Cedar text.
    pub guards: Vec<String>,
    /// The condition as Cedar text.
    pub condition: String,
    /// The operator, one of [`ATOMS`].
    pub operator: &'static str,
    /// The largest number of references on a path of the condition.
    pub references: usize,
}

impl Atom {
    /// Returns the condition behind its tests.
    #[must_use]
    pub fn text(&self) -> String {
        let mut parts = self.guards.clone();
        parts.push(if parts.is_empty() {
            self.condition.clone()
        } else {
            format!("({})", self.condition)
        });
        parts.join(" && ")
    }
}
