//! Compiled conditions: flat programs over interned values, run without recursion and, on what is
//! known, without allocation. Knows no Cedar type: `policy` compiles into it and puts the facts
//! before it.
//!
//! A program first loads the attribute paths that it reads, each once, into its frame. A path that
//! leads nowhere is [`Value::Missing`], one that leads through nowhere [`Value::Poison`]: reading
//! either is the error that Cedar would have raised where it is read, and `has` asks which of them
//! stands there.

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
    ConstantPool, Constructed, Heap, InlineEntity, REQUEST_LOCAL, RequestArena,
};
pub(crate) use self::bdd::{BddManager, BddRef, CompiledBdd, FALSE, TRUE, TooLarge};
pub(crate) use self::bytecode::{Arithmetic, Compare, Load, Op, PolicyEntry, Program, Unary};
pub(crate) use self::interpreter::{EntityStore, PolicyResult, run, run_one, run_traced};
pub(crate) use self::range_analysis::{LinearRange, Tracer};
#[cfg(test)]
pub(crate) use self::step_counter::{count_steps, steps_of};
pub(crate) use self::value::{Ip, KIND_SHIFT, StoredValue, Value, enum_set};
