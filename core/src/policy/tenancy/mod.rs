//! The tenancy kernel compiled: programs for each kind of request, over the directory's rows.
//!
//! What is known before a request comes is folded in at load: the action, the types of principal and resource, which
//! attributes a type has; and, for the requests of a session at a domain (nobody acts, no realm, no amount), the facts
//! that such a request has. What remains is read from rows by number.

mod ask;
mod bits;
mod condition;
#[cfg(test)]
mod guard;
mod known;
mod memo;
mod programs;
mod reads;
mod ready;
mod registers;
mod scopes;
mod sieve;
mod silence;
mod words;
mod world;

pub(super) use self::programs::Programs;
pub(super) use self::silence::Metered;
pub(crate) use self::silence::{Silence, Single};
