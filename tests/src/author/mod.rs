//! Random rules of an author: attributes and context fields that the schema then declares, and
//! policies over them and over the tenancy kernel, which join the shipped bundle.

mod atoms;
mod conditions;
mod kinds;
mod operators;
mod paths;
mod rules;
mod schema;

pub use self::operators::{ATOMS, Atom, AtomKind, NEVER_ERRING};
pub use self::rules::{AuthorRule, RuleAction, RuleWriter};
pub use self::schema::AuthorSchema;
