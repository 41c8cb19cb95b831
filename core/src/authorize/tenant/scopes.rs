//! The scopes of policies, read before anything is compiled. A scope says which kinds of request a
//! policy can apply to, and which single record it names.

use std::sync::Arc;

use cedar_policy::pst::{self, ActionConstraint};
use cedar_policy::{Policy, PolicyId};

use super::entities::SymbolTable;
use super::symbols;
use crate::cedar::bundle::Bundle;
use crate::compiler::{ScopeConstraint, link_template, syntax_tree};
use crate::directory::Tables;

/// A policy, its place in gate order, and its scope.
#[derive(Debug)]
pub(crate) struct ScopedPolicy {
    pub(crate) at: u32,
    pub(crate) id: Arc<str>,
    pub(crate) tree: pst::Template,
    principal: Option<String>,
    resource: Option<String>,
    /// The actions that the policy names. Each stands for itself and for its descendants. `None`
    /// means every action.
    actions: Option<Vec<u32>>,
    /// The single principal, or else the single resource, that the policy names. For records `in`
    /// equals `==`, because no record has a parent.
    pub(crate) alone: Option<PolicyAudience>,
}

/// The single record that a policy names in its scope.
#[derive(Debug)]
pub(crate) enum PolicyAudience {
    Principal(String, String),
    Resource(String, String),
}

impl ScopedPolicy {
    /// Returns every policy of the bundle. Fails with the id of a policy that has no syntax tree.
    pub(crate) fn all(
        bundle: &Bundle,
        named: &SymbolTable,
        hot: &Tables,
    ) -> Result<Vec<Self>, Arc<str>> {
        let mut all = Vec::new();
        for (rule, at) in bundle.rules.list.iter().zip(0..) {
            let tree = bundle
                .rules
                .set
                .policy(&PolicyId::new(&rule.id))
                .and_then(tree);
            let scoped = tree.and_then(|tree| Self::new(at, &rule.id, tree, named, hot));
            all.push(scoped.ok_or_else(|| Arc::clone(&rule.id))?);
        }
        Ok(all)
    }

    fn new(
        at: u32,
        id: &Arc<str>,
        tree: pst::Template,
        named: &SymbolTable,
        hot: &Tables,
    ) -> Option<Self> {
        let (principal, resource) = (
            ScopeConstraint::principal(&tree.principal).ok()?,
            ScopeConstraint::resource(&tree.resource).ok()?,
        );
        let pair = |scope: &ScopeConstraint<'_>| {
            scope
                .entity
                .map(|(uid, _)| (uid.ty.to_string(), uid.eid.to_string()))
        };
        let exact = |scope: &ScopeConstraint<'_>| {
            scope
                .entity
                .filter(|(_, inside)| !inside)
                .map(|(uid, _)| uid.ty.to_string())
        };
        let alone = pair(&principal)
            .map(|(kind, id)| PolicyAudience::Principal(kind, id))
            .or_else(|| pair(&resource).map(|(kind, id)| PolicyAudience::Resource(kind, id)));
        let (principal, resource) = (
            principal.kind.clone().or_else(|| exact(&principal)),
            resource.kind.clone().or_else(|| exact(&resource)),
        );
        let number = |uid: &pst::EntityUID| {
            named
                .find(hot, "Action", None, &uid.eid)
                .unwrap_or(u32::MAX)
        };
        let actions = match &tree.action {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some(vec![number(uid)]),
            ActionConstraint::In(uids) => Some(uids.iter().map(number).collect()),
        };
        Some(Self {
            at,
            id: Arc::clone(id),
            tree,
            principal,
            resource,
            actions,
            alone,
        })
    }

    /// Returns whether the scope admits requests of these types with this action.
    pub(crate) fn admits(
        &self,
        principal: &str,
        action: u32,
        resource: &str,
        named: &SymbolTable,
    ) -> bool {
        let above = named
            .above
            .get(symbols::parts(action).1 as usize)
            .map_or(&[][..], Vec::as_slice);
        self.principal
            .as_deref()
            .is_none_or(|kind| kind == principal)
            && self.resource.as_deref().is_none_or(|kind| kind == resource)
            && self.actions.as_ref().is_none_or(|actions| {
                actions
                    .iter()
                    .any(|known| *known == action || above.binary_search(known).is_ok())
            })
    }
}

fn tree(policy: &Policy) -> Option<pst::Template> {
    link_template(&syntax_tree(policy)?)
}
