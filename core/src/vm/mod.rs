//! The virtual machine: flat programs over interned values, run without recursion.
//!
//! A program allocates nothing if all values that it reads are known. This folder uses no Cedar
//! type: `compiler` writes the programs, and `authorize` supplies their facts.
//!
//! A program first loads the attribute paths that it reads into its frame, each path once. A path
//! whose last attribute does not exist becomes [`Value::Missing`]. A path through something that
//! does not exist becomes [`Value::Poison`]. Reading either value is the error that Cedar would
//! raise at that place. `has` returns `false` for the first and fails for the second.

mod arena;
mod bdd;
mod bytecode;
mod interpreter;
mod operators;
mod range_analysis;
#[cfg(test)]
mod step_counter;
mod value;

pub(crate) use self::arena::{
    ConstantPool, ConstructedValue, Heap, InlineEntity, REQUEST_LOCAL, RequestArena,
};
pub(crate) use self::bdd::{BddManager, BddOutcome, BddRef, CompiledBdd, FALSE, TRUE, TooLarge};
pub(crate) use self::bytecode::{
    Arithmetic, BranchTest, Compare, Op, PathLoad, PolicyEntry, Program, Register, Unary,
};
pub(crate) use self::interpreter::{EntityStore, LoadedProgram, PolicyResult, run, with_frame};
pub(crate) use self::operators::is_like;
pub(crate) use self::range_analysis::{LinearRange, Tracer};
#[cfg(test)]
pub(crate) use self::step_counter::{count_steps, steps_of};
pub(crate) use self::value::{Ip, KIND_SHIFT, StoredValue, Value, enum_set};
