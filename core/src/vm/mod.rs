//! Compiled conditions: flat programs over interned values, run without recursion and, on what is known, without
//! allocation. Knows no Cedar type: `policy` compiles into it and puts the facts before it.
//!
//! A program first loads the attribute paths that it reads, each once, into its frame. A path that leads nowhere is
//! [`Value::Missing`], one that leads through nowhere [`Value::Poison`]: reading either is the error that Cedar would have
//! raised where it is read, and `has` asks which of them stands there.

mod arena;
mod bdd;
mod bytecode;
mod interpreter;
mod operators;
mod range_analysis;
#[cfg(test)]
mod step_counter;
mod value;

pub(crate) use self::arena::{Constructed, Guest, Pool, Scratch, Space, TEMPORARY};
pub(crate) use self::bdd::{ALWAYS, Diagram, Diagrams, NEVER, Plan, TooLarge};
pub(crate) use self::bytecode::{Arithmetic, Compare, Load, Mark, Op, Program, Unary};
pub(crate) use self::interpreter::{Outcome, World, run, run_one, run_watched};
pub(crate) use self::range_analysis::{Reach, Watch};
#[cfg(test)]
pub(crate) use self::step_counter::{count_steps, steps_of};
pub(crate) use self::value::{Ip, KIND_SHIFT, Own, Value, flags};
