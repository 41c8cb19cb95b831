//! The tenant evaluator: the policies compiled into programs, one set for each kind of request,
//! over the directory's rows.
//!
//! Facts that a kind of request implies are folded in when the kind is compiled, at its first
//! request. These are the action, the types of principal and resource, and the attributes of each
//! type. A session request (at a domain, without actor, realm or amount) has further known facts.
//! All other facts are read from rows by number.

pub(crate) mod answer_cache;
pub(crate) mod atoms;
pub(crate) mod bits;
pub(crate) mod bloom_filter;
mod compile_bundle;
mod compile_requests;
pub(crate) mod entities;
mod evaluate;
mod fact_records;
pub(crate) mod limit_policies;
pub(crate) mod plan_evaluation;
pub(crate) mod plan_table;
pub(crate) mod programs;
pub(crate) mod registers;
pub(crate) mod resolve;
pub(crate) mod resolved_login;
pub(crate) mod scopes;
pub(crate) mod specialize;
pub(crate) mod symbolic;
mod symbolic_attributes;
mod symbolic_comparisons;
mod symbolic_paths;
pub(crate) mod symbols;
mod variable_lookup;

pub(crate) use super::tenant::limit_policies::{MeteredAnswer, SelfConsume, UnaffectedRange};
pub(crate) use super::tenant::programs::TenantEvaluator;
