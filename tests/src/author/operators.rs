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
}

use AtomKind::{Compared, Computed, Stored};

/// Every operator, with its class.
pub const ATOMS: &[(&str, AtomKind)] = &[
    ("flag", Stored),
    ("has", Stored),
    ("contains item", Stored),
    ("containsAny items", Stored),
    ("containsAll items", Stored),
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
    ("lessThan", Computed),
    ("greaterThanOrEqual", Computed),
    ("isIpv4", Computed),
    ("isLoopback", Computed),
    ("isInRange", Computed),
    ("offset", Computed),
    ("durationSince", Computed),
    ("toTime", Computed),
    ("toHours", Computed),
];

/// A condition with its operator.
#[derive(Debug, Clone)]
pub struct Atom {
    /// The condition as Cedar text.
    pub text: String,
    /// The operator, one of [`ATOMS`].
    pub operator: &'static str,
}
