//! Cedar's syntax trees as flat programs.
//!
//! [`tree`] reads a policy into a small tree and folds what is known at load; [`emit`] writes the tree as jumps and
//! registers. Both recurse as deep as the policy, so loading runs them on the stack that its scan asked for.

mod emit;
mod extension;
mod fold;
mod scope;
mod tree;

pub(super) use self::emit::compile;
pub(super) use self::extension::{construct, own, value_of};
pub(super) use self::scope::Scope;
pub(super) use self::tree::{Certain, Known, Node, Reader, Unsupported};
