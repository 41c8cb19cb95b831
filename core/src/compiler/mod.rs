//! Compiles Cedar's syntax trees to bytecode.
//!
//! [`lower`] converts a policy to a small expression tree and folds the parts that are known at
//! load. [`emit`] converts the tree to jumps and registers. Both recurse as deep as the policy, so
//! loading runs them on the stack that its nesting scan requested.

pub(crate) mod emit;
pub(crate) mod extension;
pub(crate) mod lower;
mod lower_operators;
pub(crate) mod policy_index;
mod register_plan;
pub(crate) mod scope;

use cedar_policy::pst;

pub(crate) use self::emit::compile;
pub(crate) use self::extension::{construct, stored_value, value_of};
pub(crate) use self::lower::{CompileContext, IrExpr, Lowering, ScopeGuarantee, Unsupported};
pub(crate) use self::scope::ScopeConstraint;

/// Returns the syntax tree of a policy, from the form that Cedar evaluates. `to_pst` would parse the
/// text of the policy again.
pub(crate) fn syntax_tree(policy: &cedar_policy::Policy) -> Option<pst::Policy> {
    pst::Policy::try_from(policy.as_ref().clone()).ok()
}

/// Returns the body of a policy, with a template's slots filled in.
pub(crate) fn link_template(tree: &pst::Policy) -> Option<pst::Template> {
    match tree {
        pst::Policy::Static(policy) => Some(policy.body().clone()),
        pst::Policy::Linked(link) => Some(link.into_static_policy().ok()?.body().clone()),
    }
}
