//! Compiled conditions: flat programs over interned values, run without recursion and, on what is known, without
//! allocation. Knows no Cedar type: `policy` compiles into it and puts the facts before it.
//!
//! A program first loads the attribute paths that it reads, each once, into its frame. A path that leads nowhere is
//! [`Value::Missing`], one that leads through nowhere [`Value::Poison`]: reading either is the error that Cedar would have
//! raised where it is read, and `has` asks which of them stands there.

mod code;
mod diagram;
mod intern;
mod ops;
mod reach;
mod run;
mod space;
#[cfg(test)]
mod steps;
mod value;

pub(crate) use self::code::{Arithmetic, Compare, Load, Mark, Op, Program, Unary};
pub(crate) use self::diagram::{ALWAYS, Diagram, Diagrams, NEVER, Plan, TooLarge};
pub(crate) use self::intern::Interner;
pub(crate) use self::reach::{Reach, Watch};
pub(crate) use self::run::{Outcome, World, run, run_one, run_watched};
pub(crate) use self::space::{Constructed, Guest, Pool, Scratch, Space, TEMPORARY};
#[cfg(test)]
pub(crate) use self::steps::{count_steps, steps_of};
pub(crate) use self::value::{Ip, KIND_SHIFT, Own, Value, flags};
