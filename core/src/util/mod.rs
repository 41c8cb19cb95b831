//! Helpers that every other folder may use: errors, text, JSON, hashing, digests, stack, waits,
//! forks and panics.

pub(crate) mod argument_fault;
pub(crate) mod diagnostic;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod fault_injection;
pub(crate) mod fault_table;
pub(crate) mod fork_guard;
pub(crate) mod fork_safe_mutex;
pub(crate) mod generation;
pub(crate) mod interner;
pub(crate) mod json;
pub(crate) mod json_place;
pub(crate) mod keyed_hash;
pub(crate) mod nesting_scan;
pub(crate) mod panic;
pub(crate) mod parse_limits;
pub(crate) mod printable;
pub(crate) mod process_id;
pub(crate) mod spelling;
pub(crate) mod stack;
pub(crate) mod text;
pub(crate) mod wait;
