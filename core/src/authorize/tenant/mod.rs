//! The tenant evaluator: policies compiled into plans, over the directory's rows.
//!
//! A request is resolved once, to numbers and rows. Requests of one kind (action, type of principal,
//! type of resource) that have the same facts share a plan, which is compiled at the first of them.
//! It leaves out all that their kind and their facts imply. The plan's decision diagram is over atoms:
//! the bits of the request, facts of records, and conditions that need bytecode. Its cache has the
//! answers of earlier requests with equal atoms.

pub(crate) mod answer_cache;
mod atom_values;
pub(crate) mod atoms;
pub(crate) mod bits;
mod compile_bundle;
mod compile_requests;
pub(crate) mod entities;
pub(crate) mod evaluate;
mod fact_records;
pub(crate) mod fact_set;
pub(crate) mod name_table;
mod own_conditions;
pub(crate) mod plan;
pub(crate) mod programs;
pub(crate) mod registers;
mod request_shape;
pub(crate) mod resolve;
pub(crate) mod resolved_login;
pub(crate) mod resolved_resource;
pub(crate) mod scopes;
pub(crate) mod self_consume;
pub(crate) mod specialize;
pub(crate) mod symbolic;
mod symbolic_attributes;
mod symbolic_comparisons;
mod symbolic_facts;
mod symbolic_paths;
pub(crate) mod symbols;

pub(crate) use self::answer_cache::AnswerRange;
pub(crate) use self::evaluate::Answer;
pub(crate) use self::programs::TenantEvaluator;
pub(crate) use self::self_consume::SelfConsume;
