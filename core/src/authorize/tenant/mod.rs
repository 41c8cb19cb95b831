//! The tenancy kernel compiled: programs for each kind of request, over the directory's rows.
//!
//! What is known before a request comes is folded in at load: the action, the types of principal
//! and resource, which attributes a type has; and, for the requests of a session at a domain
//! (nobody acts, no realm, no amount), the facts that such a request has. What remains is read from
//! rows by number.

pub(crate) mod answer_cache;
pub(crate) mod atoms;
pub(crate) mod bits;
pub(crate) mod bloom_filter;
pub(crate) mod entities;
pub(crate) mod limit_policies;
pub(crate) mod plan_table;
pub(crate) mod programs;
pub(crate) mod registers;
pub(crate) mod resolve;
pub(crate) mod scopes;
pub(crate) mod specialize;
pub(crate) mod symbolic;
pub(crate) mod symbols;

pub(crate) use super::tenant::limit_policies::{MeteredAnswer, SelfConsume, UnaffectedRange};
pub(crate) use super::tenant::programs::TenantEvaluator;
